#!/bin/bash
# INSTALL, followed to the letter: the shortest way on bare hosts, and back.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/install.sh"

install_up
expect['asperaproxy setup']=1  # what others have to do is not done
chapter 'The shortest way'
sound dmz
sound inside1
ok 'what bear sent is in the docroot' cmp "$(lab_root outside)/home/bear/report.pdf" "$inside1/srv/transfer/xfer/in/report.pdf"
ok 'and what alice sent is outside' cmp "$(lab_root inner)/home/bear/report.pdf" "$(lab_root outer)/home/bear/report.pdf"
chapter 'Taking it away'
is "$(on dmz sh -c 'iptables-save; ip6tables-save; nft list tables' | grep -i sallyport)" '' 'no rule is left'
nok 'and no program' test -e "$dmz$LAB_PREFIX/bin"
done_testing
