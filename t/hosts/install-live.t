#!/bin/bash
# INSTALL, followed to the letter: what there is to do, and to look for, on a proxy that works.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/install.sh"

install_up
install_package
on inside1 useradd -m xfer
install -d -m 700 "$inside1/home/xfer/.ssh"
capture on dmz timeout 300 asperaproxy setup --yes --server "$INSIDE1" --address "$SQUASH" --squash xfer --user bear --key bear.pub \
  --fingerprint "$(seen SHA256:...)" < /dev/null
grep '^from=' <<< "$out" > "$inside1/home/xfer/.ssh/authorized_keys"
lab_own "$inside1" xfer
on dmz ssh-keygen -q -t rsa -b 2048 -N '' -f /etc/ssh/ssh_host_rsa_key
cp "$dmz/root/bear.pub" "$dmz/root/application.pub"

chapter 'The log'
chapter 'Firewalls, NAT and balancers in front of sshd'
sound dmz
chapter 'Faspex and Shares'
# bear is there when an administrator ends that.
mkfifo "$TMPDIR/open"
bear_is_there() {
  on_exec outside -u bear ssh -p 33001 "bear@$SQUASH" asp-cp -S < "$TMPDIR/open" > /dev/null 2>&1 &
  exec 9> "$TMPDIR/open"
  has_session() { on dmz "$LAB_PREFIX/bin/asp-sessions" user=bear | grep -q bear; }
  ok '(bear is there)' wait_until 20 has_session
}
before['usermod --expiredate 1 bear']=bear_is_there
chapter 'In operation'
exec 9>&-
# All is well, but for the clock of a host of the lab, which may be any.
expect['asperaproxy check | grep -v ^ok']='0|1'
chapter 'When it does not work'
done_testing
