#!/bin/bash
# INSTALL, followed to the letter, on a host that was the original's.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/install.sh"

install_up
for user in bear bobcat; do
  on dmz useradd -m -s /bin/aspshell -K UID_MIN=2600 "$user"
  install -d -m 700 "$dmz/home/$user/.ssh"
  cp "$LAB_DIR/keys/client-$user.pub" "$dmz/home/$user/.ssh/authorized_keys"
  lab_own "$dmz" "$user"
  echo "$user ALL = (ALL) NOPASSWD: /sbin/iptables-restore" >> "$dmz/etc/sudoers"
done
install -d -m 700 "$dmz$LAB_PREFIX/etc/ssh_keys"
ssh-keygen -q -t rsa -b 2048 -N '' -f "$dmz$LAB_PREFIX/etc/ssh_keys/id_rsa"
on inside1 useradd -m xfer
install -d -m 700 "$inside1/home/xfer/.ssh"
cp "$dmz$LAB_PREFIX/etc/ssh_keys/id_rsa.pub" "$inside1/home/xfer/.ssh/authorized_keys"
lab_own "$inside1" xfer
lab_rule "$SQUASH" "$INSIDE1:22" "$LAB_PREFIX/etc/ssh_keys/id_rsa" xfer > "$TMPDIR/rule"
printf '<CONF version="2"><server><rproxy><enabled>true</enabled><rules>\n%s</rules></rproxy></server></CONF>\n' "$(cat "$TMPDIR/rule")" > "$dmz/root/aspera.conf"
install_package
chapter 'Coming from the original'
sound dmz
status 0 'a file crosses' on outside -u bear asp-cp -q -P 33001 report.pdf "bear@$SQUASH:/tmp/"
ok 'as it was' cmp "$(lab_root outside)/home/bear/report.pdf" "$inside1/tmp/report.pdf"
done_testing
