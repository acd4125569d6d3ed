#!/bin/bash
# INSTALL, followed to the letter: step by step, on bare hosts.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/install.sh"

install_up
status 0 '(the package is made)' on dmz bash -c "cd clone; export $install_make; make -s deb"
chapter 'The reverse proxy by hand'
sound dmz
is "$(on inside1 stat -c %U /tmp/report.pdf)" xfer "the file is xfer's"
status 0 "bobcat's is bobcat's" on outside -u bobcat sh -c "echo mine > mine; asp-cp -q -P 33001 mine bobcat@$INDIVIDUAL:/tmp/"
is "$(on inside1 stat -c %U /tmp/mine)" bobcat 'on the server, too'
chapter 'The forward proxy by hand'
sound dmz
ok 'what alice sent is outside' cmp "$(lab_root inner)/home/bear/report.pdf" "$(lab_root outer)/home/bear/report.pdf"
install_bare inside1
chapter 'A transfer node by hand'
sound inside1
ok 'what bear sent is in the docroot' cmp "$(lab_root outside)/home/bear/report.pdf" "$inside1/srv/transfer/xfer/report.pdf"

chapter 'Accounts and log-ins'
printf '#!/bin/sh\necho correct horse battery\n' | install -m 755 /dev/stdin "$(lab_root outside)/usr/local/bin/ask"
with_password() {
  on outside -u bear env SSH_ASKPASS=/usr/local/bin/ask SSH_ASKPASS_REQUIRE=force DISPLAY=: timeout 20 \
    ssh -o BatchMode=no -o PubkeyAuthentication=no -p 33001 "bear@$SQUASH" "$@"
}
like "$(with_password 2>&1)" 'Command not accepted' 'bear gets in by password'
like "$(lab_log dmz)" 'Accepted password for bear' 'and by nothing else'
like "$(on dmz asperaproxy check)" 'sshd: .*bear' 'which the doctor names'
chapter 'Building, other systems, packages'
done_testing
