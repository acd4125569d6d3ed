#!/bin/bash
# What the log says is true, where the proxy itself is set up wrong: files, rights, programs, the
# firewall. Each way is caused in a real session: one line with the real cause and the file's name, a
# sentence without internals for the user, the status of the manual page. Whatever is mended works at once.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside inside1
. "$LAB_LIB/messages.sh"
etc=$LAB_PREFIX/etc
no_server="No server for bear:"
no_pinhole="Refused a pinhole to bear:"
on_dmz() { on dmz sh -c "$1" > /dev/null; }
# away FILE, back FILE: out of the way, and in its place again
away() { on dmz mv "$1" "$1.away"; }
back() { on dmz sh -c "rm -rf '$1'; mv '$1.away' '$1'"; }

# --- aspera.conf -------------------------------------------------------------------------

configure
away "$etc/aspera.conf"
meets 'no aspera.conf' 78 "$misconfigured" "open $etc/aspera.conf: No such file or directory user=bear from=$OUTSIDE [0-9]+ $SQUASH 33001 command=cat"
on_dmz "mkdir $etc/aspera.conf"
meets 'a directory for aspera.conf' 78 "$misconfigured" "$etc/aspera.conf: not a regular file .*user=bear" cat
back "$etc/aspera.conf"
away "$etc/aspera.conf"
on_dmz "head -c 5M /dev/zero > $etc/aspera.conf"
meets 'an aspera.conf that is too large' 78 "$misconfigured" "$etc/aspera.conf: larger than [0-9]+ bytes .*user=bear" cat
back "$etc/aspera.conf"

# --- the key -----------------------------------------------------------------------------

with_key() { configure "s|$squash_key|$1|"; }
of_server="$of_bear.*\\(exit 78\\)"
on_dmz "head -c 70000 /dev/zero > /etc/long; chmod 644 /etc/long; mkdir -m 777 /srv/open; cp $squash_key /srv/open/key; chown bobcat /srv/open; cp $squash_key /etc/bobcats; chown bobcat /etc/bobcats; chmod 600 /srv/open/key /etc/bobcats; cp $squash_key /etc/shared; chown root:daemon /etc/shared; chmod 660 /etc/shared"
with_key /etc/long
meets 'a key file that is too long' 78 "$misconfigured" "$no_server key /etc/long: more than 65536 bytes $of_server"
with_key /srv/open/key
meets 'a key where others may change the way to it' 78 "$misconfigured" "$no_server key /srv/open/key: bear cannot read it, and users other than root may change a directory on its path $of_server"
with_key /etc/bobcats
meets "another user's key" 78 "$misconfigured" "$no_server key /etc/bobcats: must belong to root and be writable by root alone $of_server"
with_key /etc/shared
meets 'a key that a group can write' 78 "$misconfigured" "$no_server key /etc/shared: must belong to root and be writable by root alone $of_server"
configure "s|$squash_key|/home/\\\$(user)/.ssh/id_ed25519|"
on_dmz 'chown root:root /home/bear/.ssh/id_ed25519'
meets "a user's own key that is root's" 78 "$misconfigured" "$no_server open key /home/bear/.ssh/id_ed25519: Permission denied $of_server"
configure

# --- the host keys -----------------------------------------------------------------------

unverifiable="$no_server server $INSIDE1:22: verify host key of $INSIDE1: "
chmod 600 "$root$etc/known_hosts"
meets 'known_hosts that asp-dial may not read' 76 "$unverified" "$unverifiable""open $etc/known_hosts: Permission denied .*$of_bear.*\\(exit 76\\)"
chmod 644 "$root$etc/known_hosts"
away "$etc/known_hosts"
on_dmz "mkdir $etc/known_hosts"
meets 'a directory for known_hosts' 76 "$unverified" "$unverifiable""read $etc/known_hosts: Is a directory .*$of_bear.*\\(exit 76\\)"
back "$etc/known_hosts"

# --- programs, sudo ------------------------------------------------------------------------

libexec=$LAB_PREFIX/libexec
away $libexec/ascp_rproxy
meets 'no ascp_rproxy' 71 "$unserved" "run $libexec/ascp_rproxy: No such file or directory \\(exit 71\\)"
back $libexec/ascp_rproxy
away $libexec/asp-pinhole
meets 'no asp-pinhole' 71 "$unserved" "asp-pinhole died: sudo: .*asp-pinhole.* $of_bear.*\\(exit 71\\)"
back $libexec/asp-pinhole
away $libexec/asp-upstream
meets 'no asp-upstream' 71 "$unserved" "asp-upstream died: sudo: .*asp-upstream.* $of_bear.*\\(exit 71\\)" 'sleep 0'
back $libexec/asp-upstream
chmod 644 "$root$LAB_PREFIX/bin/asp-dial"
meets 'an asp-dial that cannot be run' 71 "$unserved" "$no_server run $LAB_PREFIX/bin/asp-dial: Permission denied $of_bear.*\\(exit 71\\)" 'sleep 0'
chmod 755 "$root$LAB_PREFIX/bin/asp-dial"
away /usr/bin/sudo
meets 'no sudo' 71 "$unserved" "run /usr/bin/sudo: No such file or directory $of_bear.*\\(exit 71\\)"
back /usr/bin/sudo
away /etc/sudoers.d/sallyport
meets 'a user whom sudo does not let' 71 "$unserved" "asp-(upstream|pinhole) died: sudo: .* $of_bear.*\\(exit 71\\)"
back /etc/sudoers.d/sallyport

# --- /run/sallyport ---------------------------------------------------------------------------

on dmz chown bobcat /run/sallyport
meets 'a /run/sallyport that is not root'"'"'s' 71 "$unserved" "(No server for|Refused a pinhole to) bear: /run/sallyport: must be a directory that root alone may write to \\(exit 71\\)" 'sleep 0'
on dmz chown root /run/sallyport
away /run/sallyport/turns
on_dmz 'touch /run/sallyport/turns'
meets 'a file for a directory of it' 71 "$unserved" "$no_server /run/sallyport/turns: must be a directory that root alone may write to \\(exit 71\\)" 'sleep 0'
back /run/sallyport/turns
touch "$root/run/sallyport/stopped"
meets 'a proxy that is stopped' 75 "$busy" "stopped: no new sessions are taken until asperaproxy start $of_bear.*\\(exit 75\\)"
rm "$root/run/sallyport/stopped"

# --- the firewall ------------------------------------------------------------------------------

of_pinhole="$of_bear.*\\(exit 71\\)"
restore=/usr/sbin/iptables-restore
away $restore
meets 'no iptables-restore' 71 "$unserved" "$no_pinhole run $restore: No such file or directory $of_pinhole"
on_dmz "printf '#!/bin/sh\necho \"iptables-restore: line 3 failed\" >&2\nexit 1\n' > $restore; chmod 755 $restore"
meets 'an iptables-restore that fails' 71 "$unserved" "$no_pinhole run $restore: iptables-restore: line 3 failed $of_pinhole"
back $restore
away /usr/sbin/iptables
away $restore
on_dmz "printf '#!/bin/sh\nexit 1\n' > $restore; chmod 755 $restore"
meets 'no iptables to look with' 71 "$unserved" "$no_pinhole run /usr/sbin/iptables: No such file or directory $of_pinhole"
on_dmz "printf '#!/bin/sh\necho \"iptables: Permission denied\" >&2\nexit 4\n' > /usr/sbin/iptables; chmod 755 /usr/sbin/iptables"
meets 'an iptables that fails' 71 "$unserved" "$no_pinhole run /usr/sbin/iptables -t (nat|filter) -S: iptables: Permission denied $of_pinhole"
back $restore
back /usr/sbin/iptables
configure 's|<rule [^>]*>|&<forwarding_type>nftables</forwarding_type>|'
library=$(on dmz sh -c 'ldconfig -p' | sed -n 's/.*libnftables.so.1 .*=> //p' | head -n 1)
away "$library"
meets 'no libnftables' 71 "$unserved" "$no_pinhole load libnftables.so.1: libnftables.so.1: cannot open shared object file.* $of_pinhole"
back "$library"
configure

status 0 'then all is as before' on outside -u bear ssh -p 33001 "bear@$SQUASH" cat < /dev/null
done_testing
