#!/bin/bash
# asperaproxy: its verbs, what they say and leave behind, each status.
. "${0%/*}/../lib/spool.sh"
install_tools asperaproxy asp-rules
proxy=$tmp/asperaproxy

# --- 64, 77 -----------------------------------------------------------------------

for args in '' -x '-h status' stat STATUS 'status drain' 'drain now' --drain 'start now' 'stop x' 'restart x' 'reload x'; do
  # shellcheck disable=SC2086
  status 64 "asperaproxy $args: exit 64" timeout 20 "$proxy" $args
  like "$err" '^asperaproxy: .*usage: asperaproxy setup.* asperaproxy start.* asperaproxy drain.* asperaproxy fault HOST.* asperaproxy trust' 'the usage, with the verbs'
  is "$out" '' 'and nothing on stdout'
done
nok 'nothing was made' test -e /run/sallyport
for args in 'check x' 'check --xml' 'check --json --fix' 'check --yes' 'trust --x' 'trust a b' 'trust --fingerprint' \
  fault 'fault a:0' 'fault a/b' heal 'heal a b' 'heal -x'; do
  # shellcheck disable=SC2086
  status 64 "asperaproxy $args: exit 64" timeout 20 "$proxy" $args
  like "$err" '^asperaproxy: .*; usage: asperaproxy (check|trust|fault|heal) ' 'the usage of that verb'
done
for verb in start stop restart reload status check drain undrain trust "fault a" "heal a"; do
  status 77 "asperaproxy $verb without rights: exit 77" timeout 20 setpriv --reuid 65534 --regid 65534 --clear-groups "$proxy" ${verb%% *} $([ "${verb#* }" = "$verb" ] || echo "${verb#* }")
  like "$err" 'run it as root, or with sudo$' 'says what it needs'
done

# --- nothing there yet ----------------------------------------------------------------

nothing='stopped=no
drained=no
sessions=0
base_ipv4=absent
base_ipv6=absent
base_nftables=absent
leases=0'
status 0 'status of nothing: exit 0' timeout 20 "$proxy" status
is "$out" "$nothing" 'says that nothing is there'
is "$err" '' 'silently'
nok 'and makes nothing' test -e /run/sallyport

# --- drain -----------------------------------------------------------------------------

status 0 'drain: exit 0' timeout 20 "$proxy" drain
is "$out" 'drained: no new sessions are taken; 0 are left' 'says how many are left'
ok 'the mark is there' test -e /run/sallyport/drain
is "$(stat -c '%U %a' /run/sallyport /run/sallyport/drain | xargs)" 'root 755 root 644' 'for all to see, for root to change'
status 0 'drain again: exit 0' timeout 20 "$proxy" drain
like "$("$proxy" status)" $'\ndrained=yes' 'status says so'
status 0 'undrain: exit 0' timeout 20 "$proxy" undrain
is "$out" 'undrained: new sessions are taken' 'says so'
nok 'the mark is gone' test -e /run/sallyport/drain
status 0 'undrain again: exit 0' timeout 20 "$proxy" undrain
like "$("$proxy" status)" $'\ndrained=no' 'status says so'

# --- with a session ------------------------------------------------------------------------

mkdir -p $spool
record 1 bear 198.51.100.10 pid=0 > "$spool/$(id 1)"
is "$("$proxy" status | sed -n 3p)" sessions=0 'a record that nobody holds is no session'
hold one < <(record 1 bear 198.51.100.10)
record 1 bear 198.51.100.10 holder=- > $tmp/record
status 1 'a living session, and no base: exit 1' timeout 20 "$proxy" status
is "$out" "$(sed s/sessions=0/sessions=1/ <<< "$nothing")" 'says what is missing'
status 0 'drain: exit 0' timeout 20 "$proxy" drain
is "$out" 'drained: no new sessions are taken; 1 is left' 'one is left'
"$proxy" undrain > /dev/null

for backend in nft legacy; do
  # The alternatives are the machine's, so each backend is put in their place.
  if ! "iptables-$backend" -t nat -S > /dev/null 2>&1 || ! "ip6tables-$backend" -t nat -S > /dev/null 2>&1 ||
    ! mount --bind "$(command -v "xtables-$backend-multi")" "$(readlink -f /usr/sbin/iptables)" 2> /dev/null; then
    skip "iptables-$backend does not work here" "the base in iptables-$backend"
    continue
  fi
  $tmp/asp-rules base < $tmp/record | "iptables-$backend-restore" --noflush
  status 0 "$backend: a living session, and the base of its family: exit 0" timeout 20 "$proxy" status
  is "$(sed -n '4,6p' <<< "$out" | xargs)" 'base_ipv4=present base_ipv6=absent base_nftables=absent' 'says so'
  $tmp/asp-rules -6 base < /dev/null | "ip6tables-$backend-restore" --noflush
  is "$("$proxy" status | sed -n '4,6p' | xargs)" 'base_ipv4=present base_ipv6=present base_nftables=absent' 'and of the other family'
  "ip6tables-$backend" -F FORWARD
  status 0 "$backend: damage where nobody lives: exit 0" timeout 20 "$proxy" status
  is "$(sed -n '4,6p' <<< "$out" | xargs)" 'base_ipv4=present base_ipv6=damaged base_nftables=absent' 'is told all the same'
  for harm in '-t nat -F PREROUTING' '-t nat -F SALLYPORT' '-F FORWARD' '-t nat -A SALLYPORT-SNAT -j ACCEPT'; do
    # shellcheck disable=SC2086
    "iptables-$backend" $harm
    status 1 "$backend: after iptables $harm: exit 1" timeout 20 "$proxy" status
    is "$(sed -n 4p <<< "$out")" base_ipv4=damaged 'says so'
    "iptables-$backend" -t nat -F PREROUTING
    "iptables-$backend" -t nat -F POSTROUTING
    "iptables-$backend" -F FORWARD
    $tmp/asp-rules base < $tmp/record | "iptables-$backend-restore" --noflush
    is "$("$proxy" status | sed -n 4p)" base_ipv4=present '(mended)'
  done
  for tool in iptables ip6tables; do
    $tmp/asp-rules $([ $tool = ip6tables ] && echo -6) purge < /dev/null > $tmp/purge
    for table in nat filter; do "$tool-$backend" -t $table -F; done
    "$tool-$backend-restore" --noflush < $tmp/purge
  done
  is "$("$proxy" status | sed -n '4,6p' | xargs)" 'base_ipv4=absent base_ipv6=absent base_nftables=absent' "$backend: purged"
  umount "$(readlink -f /usr/sbin/iptables)"
done

printf '#!/bin/sh\necho "no module" >&2\nexit 3\n' > $tmp/broken
chmod 755 $tmp/broken
if mount --bind $tmp/broken "$(readlink -f /usr/sbin/iptables)" 2> /dev/null; then
  status 1 'an iptables that does not work, and a session that needs it: exit 1' timeout 20 "$proxy" status
  is "$(sed -n 4p <<< "$out")" base_ipv4=unusable 'says so'
  umount "$(readlink -f /usr/sbin/iptables)"
else
  skip 'iptables cannot be replaced here' 'an iptables that does not work'
fi

# --- the service -------------------------------------------------------------------------------

let_go one
suite
conf=$prefix/etc/aspera.conf
status 78 'reload without aspera.conf: exit 78' timeout 20 "$proxy" reload
echo '<CONF><server><rproxy><bogus/></rproxy></server></CONF>' > $conf
status 78 'reload with a wrong one: exit 78' timeout 20 "$proxy" reload
like "$err" "$conf:1:[0-9]+: bogus: unknown element" 'says where'
status 0 'start takes no notice of it' timeout 20 "$proxy" start
is "$("$proxy" status | xargs)" 'stopped=no drained=no sessions=0 base_ipv4=present base_ipv6=present base_nftables=absent leases=0' 'the base is laid'
hold one < <(record 1 bear 198.51.100.10)
hold two < <(record 2 bobcat '[2001:db8::10]' 'proxy=[2001:db8::39]:33001' 'host=[2001:db8:2::10]:22' state=lingering)
echo '<CONF/>' > $conf
status 0 'reload: exit 0' timeout 20 "$proxy" reload
is "$out" 'reloaded: the configuration is valid; 2 sessions living' 'says how many live'
# What releases before laid, beside what there is.
older() {
  iptables -t nat -I PREROUTING -p udp -m addrtype --dst-type LOCAL -m comment --comment sallyport -j SALLYPORT
  iptables -t nat -N SALLYPORT-DNAT-0a
  iptables -t nat -N SALLYPORT-DNAT
  iptables -t nat -A SALLYPORT-DNAT -p tcp -s 198.51.100.9 -g SALLYPORT-DNAT-0a
  iptables -N SALLYPORT
  iptables -A SALLYPORT -j ACCEPT
  iptables -I FORWARD -m connmark --mark 0x8000000/0x8000000 -m comment --comment sallyport -j SALLYPORT
  iptables -A FORWARD -m comment --comment sallyport -j ACCEPT  # somebody else's
}
is_older() { iptables-save 2> /dev/null | grep -c -e addrtype -e 'SALLYPORT-DNAT' -e 'FORWARD.*-j SALLYPORT' -e '^:SALLYPORT -' -e '-A SALLYPORT -j ACCEPT'; }
older
# The chain of table nat is one of ours of today, too.
is "$(is_older) $("$proxy" status | sed -n 4p)" '8 base_ipv4=damaged' 'the layout of an older release is damage'
status 0 'reload: exit 0' timeout 20 "$proxy" reload
is "$(is_older) $("$proxy" status | sed -n 4p)" '1 base_ipv4=present' 'reload takes it away'
is "$(iptables -S FORWARD | grep -c -- '-A FORWARD -m comment --comment sallyport -j ACCEPT')" 1 "and leaves somebody else's rule"
iptables -F FORWARD
older
iptables -D FORWARD -m comment --comment sallyport -j ACCEPT
is "$(iptables -t nat -S | grep -c "$(id 1) -j DNAT") $(ip6tables -t nat -S | grep -c "$(id 2) -j DNAT")" '1 1' 'and puts their rules back'
status 0 'stop: exit 0' timeout 60 env SUDO_USER=alice SUDO_UID=1234 "$proxy" stop
is "$out" 'stopped: no new sessions are taken; 2 sessions ended' 'says how many it ended'
is "$(iptables-save 2> /dev/null | grep -ci sallyport) $(ip6tables-save 2> /dev/null | grep -ci sallyport)" '0 0' 'both families are purged, of the older layout, too'
ok 'the mark is there' test -e /run/sallyport/stopped
ok 'the log has who did it' grep -q "LOG Killed session=$(id 1) .* by=alice uid=1234" $tmp/syslog
ok 'and how many' grep -q 'LOG Stopped: ended 2 sessions, all rules are purged' $tmp/syslog
is "$(ls -A /run/sallyport/sessions)" '' 'no record is left'
echo '<CONF><server><rproxy><enabled>true</enabled></rproxy></server></CONF>' > $conf
status 0 'start: exit 0' timeout 20 "$proxy" start
is "$(iptables -t nat -S | grep -c -- '-A PREROUTING .*SALLYPORT')" 1 'each jump is there once'
nok 'the mark is gone' test -e /run/sallyport/stopped
status 0 'restart: exit 0' timeout 20 "$proxy" restart
is "$(wc -l <<< "$out")" 2 'says both'

# --- fault, heal -----------------------------------------------------------------------------------

status 65 'fault of a host when there is no rule: exit 65' timeout 20 "$proxy" fault inside1
like "$err" 'inside1:22: no rule of .* leads there; they lead to none$' 'says so'
rule() { printf '<rule host_ip="%s"><hosts>%s</hosts><keyfile>/k</keyfile></rule>' "$1" "$2"; }
echo "<CONF><server><rproxy><enabled>true</enabled><rules>$(rule 198.51.100.39 '<host>inside1</host><host>[2001:db8::10]:2222</host>')$(rule 198.51.100.40 \
  '<host>inside1:22</host><host>203.0.113.12</host>')</rules></rproxy></server></CONF>" > $conf
marks() { ls /run/sallyport/balance/marks; }
status 0 'fault: exit 0' timeout 20 env SUDO_USER=alice SUDO_UID=1234 "$proxy" fault INSIDE1 new $'disks\n\e[31m'
is "$out" 'inside1:22: no new sessions go there until asperaproxy heal inside1:22; 0 are left' 'says what it means'
is "$(marks)" 'maintenance-inside1:22' 'there is a mark'
is "$(stat -c '%U %a' /run/sallyport/balance/marks/*)" 'root 600' 'of root'
ok 'the log has who it was, and the reason in one line' grep -qF 'LOG Server inside1:22 is taken out of service: new disks\x0a\x1b[31m by=alice uid=1234' $tmp/syslog
status 0 'fault again: exit 0' timeout 20 "$proxy" fault inside1:22
ok 'with a new reason' grep -q '^reason=by hand$' /run/sallyport/balance/marks/maintenance-inside1:22
status 65 'another port is another server: exit 65' timeout 20 "$proxy" fault inside1:2222
like "$err" 'inside1:2222: no rule of .* leads there; they lead to inside1:22, \[2001:db8::10\]:2222, 203.0.113.12:22$' 'says which there are'
status 0 'IPv6, in another spelling' timeout 20 "$proxy" fault '[2001:db8:0::10]:2222'
sed 's/^host=.*/host=203.0.113.12:22/; s/^state=.*/state=faulty/; s/^until=.*/until=2000000000/' /run/sallyport/balance/marks/maintenance-inside1:22 > /run/sallyport/balance/marks/faulty-203.0.113.12:22
status 0 'restart' timeout 20 "$proxy" restart
is "$(marks | xargs)" 'maintenance-[2001:db8::10]:2222 maintenance-inside1:22' 'forgets faults, but no maintenance'
echo '<CONF/>' > $conf
status 0 'heal, also what no rule names any more: exit 0' timeout 20 "$proxy" heal inside1
is "$out" 'inside1:22: new sessions go there again' 'says so'
is "$(marks)" 'maintenance-[2001:db8::10]:2222' 'the mark is gone, and no other'
status 65 'heal of a host that has no mark and no rule: exit 65' timeout 20 "$proxy" heal inside1

# --- check ---------------------------------------------------------------------------------------

status 1 'check of a host where nothing is set up: exit 1' timeout 60 "$proxy" check
is "$(grep -vE '^(ok   |warn |FAIL ) [a-z0-9_]+: ' <<< "$out")" '' 'one line for each condition'
is "$(grep -E '^(warn|FAIL) ' <<< "$out" | grep -vc ' - ')" 0 'each fault has its cure'
is "$err" '' 'and nothing else'
conditions() { awk '{ print $2 }' <<< "$out"; }
all=$(conditions)
status 1 'check --without: exit 1' timeout 60 "$proxy" check --without cron,room
is "$(conditions)" "$(grep -vxE '(cron|room):' <<< "$all")" 'it leaves out those, and no other'
like "$all" 'room:' '(and they are there without it)'
status 64 'check --without a condition that there is not: exit 64' timeout 60 "$proxy" check --without cron,nothing
like "$err" "there is no condition 'nothing'" 'says which'
status 1 'check --json: exit 1' timeout 60 "$proxy" check --json
ok 'is valid JSON' python3 -c 'import json, sys; assert {"ok", "FAIL"} <= {x["grade"] for x in json.load(sys.stdin)} <= {"ok", "warn", "FAIL"}' <<< "$out"
hold one < <(record 1 bear 198.51.100.10)

# --- 71, 74 ------------------------------------------------------------------------------------

for verb in status check drain undrain; do
  status 74 "$verb > /dev/full: exit 74" bash -c "timeout 20 '$proxy' $verb > /dev/full"
  status 74 "$verb with closed stdout: exit 74" bash -c "timeout 20 '$proxy' $verb >&-"
done
let_go one
"$proxy" drain > /dev/full 2> /dev/null
ok 'what cannot be said is done' test -e /run/sallyport/drain
rm -r /run/sallyport
mkdir -m 777 /run/sallyport
status 71 'a directory that others can write to: exit 71' timeout 20 "$proxy" drain
like "$err" 'must be a directory that root alone may write to' 'says why'
nok 'and nothing is put there' test -e /run/sallyport/drain

done_testing
