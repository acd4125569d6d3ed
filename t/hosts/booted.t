#!/bin/bash
# The life of the package on a host that systemd boots: install, reboot, upgrade under a
# living session, remove, purge.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/booted.sh"

booted_up
is "$(on dmz cat /proc/1/comm) $(on dmz systemctl is-system-running)" 'systemd running' 'systemd has booted the host'
every_file() {
  on dmz find / /etc /usr/bin /usr/lib/systemd /usr/share/man /usr/share/doc -xdev \
    \( -path /home -o -path /tmp -o -path /root -o -path /dev -o -path /proc -o -path /sys -o -path /var -o -path /run \
    -o -path '/usr/share/doc/*/*' \) -prune -o -printf '%M %u %g %p\n' | sort -u
}
every_file > "$TMPDIR/before"

booted_install
is "$(failed_units)" '' 'no unit has failed'
is "$(on dmz systemctl is-active asperaproxy.service asp-lease.socket | xargs)" 'active active' 'its units run'
is "$(on dmz systemctl is-active asperanoded.service)" inactive 'but the node service, which is not enabled, does not'
ok 'a session opens, and its UDP crosses' crosses first
proxy_end first
is "$proxy_status" 0 'it ends as it should'

# -- boot -----------------------------------------------------------------------------------

ok '(a session that the reboot ends)' proxy_session torn outside bear "$SQUASH" cat
lab_reboot dmz
dmz=$(lab_root dmz)
is "$(failed_units)" '' 'after a reboot no unit has failed'
is "$(on dmz systemctl is-active asperaproxy.service)" active 'and the proxy runs'
ok 'a session opens, and its UDP crosses' crosses booted
proxy_end booted
is "$proxy_status" 0 'it ends as it should'
status 0 'the doctor finds the service in order' on dmz "$LAB_PREFIX/bin/asperaproxy" status
proxy_end torn

# -- the sockets of the forward proxy --------------------------------------------------------

on dmz cp -p "$LAB_PREFIX/etc/aspera.conf" /root/keep.conf
on dmz "$LAB_PREFIX/bin/asconfigurator" -x 'set_server_data;proxy_enabled,true' > /dev/null
sockets() { on dmz "$LAB_PREFIX/bin/asperaproxy" check | grep ' lease_sockets: '; }
is "$(sockets)" 'ok    lease_sockets: asp-lease reaches what it asks' 'the doctor sees that the sockets listen'
on dmz systemctl mask --now --quiet asp-name.socket
is "$(sockets)" 'FAIL  lease_sockets: asp-name.socket does not listen, so asp-lease looks up no name - systemctl unmask asp-name.socket; systemctl enable --now asp-name.socket' 'and that one does not'
on dmz sh -c "$(sockets | sed 's/.* - //')" 2> /dev/null
like "$(sockets)" '^ok ' 'its cure helps'
on dmz cp -p /root/keep.conf "$LAB_PREFIX/etc/aspera.conf"

# -- another version, under a living session ----------------------------------------------------------

ok 'a session opens, and its UDP crosses' crosses living
did 'the next version installs' --force-confold -i /root/newer.deb
is "$(failed_units)" '' 'no unit has failed'
is "$(said)" 'active stopped=no 0' 'it runs, as all say'
like "$(answered upgraded)" "from=$SQUASH:33001 upgraded" 'the UDP of the living session crosses'
(echo still there >&"${proxy_stdin[living]}") 2> /dev/null
ok 'what it is sent arrives' wait_until 5 grep -qx 'still there' "$TMPDIR/living.out"
proxy_end living
is "$proxy_status" 0 'it ends as it should'

# -- away with it -----------------------------------------------------------------------------------

ok 'a session opens' proxy_session removed outside bear "$SQUASH" cat
did 'it is removed under a living session' -r sallyport
is "$(on dmz sh -c 'iptables-save; ip6tables-save; nft list tables' | grep -i sallyport)" '' 'no rule of it is left'
is "$(on dmz systemctl list-units --plain --no-legend 'asp*')" '' 'nor does a unit run'
is "$(failed_units)" '' 'none has failed'
proxy_end removed
rm "$dmz/etc/ssh/sshd_config.d/sallyport.conf"
did 'it is purged' -P sallyport
every_file > "$TMPDIR/after"
ok 'no file is there that was not there before' diff "$TMPDIR/before" "$TMPDIR/after"
done_testing
