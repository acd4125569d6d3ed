#!/bin/bash
# From the package on a bare host to the first file, in one command: with systemd, over a
# reboot, with sshd of ssh.socket, and back.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/booted.sh"
. "$LAB_LIB/bare.sh"

booted_up
kill "$LAB_UDP"  # asp-cp has its port
bare_strip
on dmz systemctl restart ssh
bare_programs
every_file() {
  on dmz find / /etc /usr/bin /usr/lib/systemd -xdev \( -path /home -o -path /tmp -o -path /root -o -path /dev -o -path /proc -o -path /sys \
    -o -path /var -o -path /run -o -path '/etc/*-' -o -path "/etc/rc?.d" -o -path /etc/ssh/authorized_keys \) -prune -o -printf '%M %u %g %p\n' | sort -u
}
every_file > "$TMPDIR/before"
did 'the package installs' -i /root/first.deb
every_file > "$TMPDIR/installed"
redirects() { on dmz sysctl -n net.ipv4.conf.all.accept_redirects; }
installed=$(redirects)
status 1 'one command: all is done but what others have to do' setup --yes --server "$INSIDE1" --address "$SQUASH" --squash xfer \
  --user bear --key /root/bear.pub --fingerprint "$(bare_fingerprint inside1)"
like "$out" 'FAIL  login: .*server refuses our key' 'and it says what that is'
grep '^from=' <<< "$out" >> "$(lab_root inside1)/home/xfer/.ssh/authorized_keys"
status 0 'they have done it: a session of its own' setup --yes
like "$out" 'ok    session: .*datagrams went to the server and back' 'moves datagrams there and back'
is "$(failed_units)" '' 'no unit has failed'
is "$(said)" 'active stopped=no 0' 'it runs, as all say'
# crosses NAME: a file, from outside.
crosses() {
  head -c 300000 /dev/urandom > "$(lab_root outside)/home/bear/$1"
  on outside -u bear timeout 60 asp-cp -q -P 33001 "$1" "bear@$SQUASH:/tmp/" &&
    cmp "$(lab_root outside)/home/bear/$1" "$(lab_root inside1)/tmp/$1"
}
is "$(on dmz ss -Htan | grep -F 198.18. | grep -v ^TIME-WAIT)" '' 'and leaves no connection half closed'
ok 'a file from outside crosses' crosses first
lab_reboot dmz
dmz=$(lab_root dmz)
is "$(failed_units)" '' 'after a reboot no unit has failed'
ok 'a file from outside crosses' crosses booted
status 0 'setup finds all as it was' setup --yes
nok 'and does nothing' grep -E '^(done|FAIL)' <<< "$out"

# -- back, and again where systemd listens for sshd ------------------------------------------------

status 0 'undo: exit 0' setup --undo
ok 'sshd is as it was' wait_until 10 lab_silent dmz 33001
ok 'and so are all files' diff "$TMPDIR/installed" <(every_file)
is "$(redirects)" "$installed" 'and what ip_forward takes with it in the kernel'
on dmz systemctl stop ssh
on dmz systemctl -q disable ssh 2> /dev/null
on dmz systemctl start ssh.socket
ok '(systemd listens for sshd)' on dmz systemctl -q is-active ssh.socket
status 1 'sshd of a socket is set up' setup --yes --server "$INSIDE1" --address "$SQUASH" --squash xfer \
  --user bear --key /root/bear.pub --fingerprint "$(bare_fingerprint inside1)"
ok 'it listens for transfers' lab_listens dmz 33001
ok 'and where it did' lab_listens dmz 22
grep '^from=' <<< "$out" >> "$(lab_root inside1)/home/xfer/.ssh/authorized_keys"
ok 'a file from outside crosses' crosses socket
ok '(and the socket has started a daemon)' on dmz systemctl -q is-active ssh.service
status 0 'undo: exit 0' setup --undo
ok 'it listens for transfers no more' wait_until 10 lab_silent dmz 33001
ok 'but where it did' wait_until 10 lab_listens dmz 22
on dmz systemctl -q enable ssh 2> /dev/null
did 'the package is purged' -P sallyport
ok 'and the host is bare again' diff "$TMPDIR/before" <(every_file)
done_testing
