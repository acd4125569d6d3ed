#!/bin/bash
# A host that systemd boots: whoever starts or stops the proxy or the node service, in whatever
# way, all say the same afterwards.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/forward.sh"
. "$LAB_LIB/booted.sh"

booted_up inner outer
booted_install

# -- one truth, in whatever way it is started and stopped --------------------------------------

by_tool() { asperaproxy "$1"; }
by_systemctl() { on dmz systemctl "$1" asperaproxy; }
by_service() { on dmz service asperaproxy "$1"; }
by_init() { on dmz /etc/init.d/asperaproxy "$1"; }
answers() { on outside -u bear timeout 20 ssh -p 33001 "bear@$SQUASH" cat < /dev/null > /dev/null 2>&1; }
is "$(said)" 'active stopped=no 0' '(it runs, as all say)'
ways=(tool systemctl service init)
for stopper in 0 1 2 3; do
  for starter in 0 1 2 3; do
    how="${ways[stopper]} stop, ${ways[starter]} start"
    "by_${ways[stopper]}" stop > "$TMPDIR/said" 2>&1 || diag "$(cat "$TMPDIR/said")"
    is "$(said)" 'inactive stopped=yes 3' "$how: stopped, as all say"
    [ "$stopper" != "$starter" ] || nok "$how: and no session is let in" answers
    "by_${ways[starter]}" start > "$TMPDIR/said" 2>&1 || diag "$(cat "$TMPDIR/said")"
    is "$(said)" 'active stopped=no 0' "$how: runs, as all say"
    [ "$stopper" != "$starter" ] || ok "$how: and a session is let in" answers
  done
done
for way in "${ways[@]}"; do
  "by_$way" restart > "$TMPDIR/said" 2>&1 || diag "$(cat "$TMPDIR/said")"
  is "$(said)" 'active stopped=no 0' "$way restart: runs, as all say"
  status 0 "$way reload" "by_$way" reload
done
is "$(failed_units)" '' 'no unit has failed'

# Who calls the tool while systemd waits for it, before it starts ours: a firewall's unit.
printf '%s\n' '[Unit]' 'Before=asperaproxy.service' '[Service]' Type=oneshot "ExecStart=$LAB_PREFIX/bin/asperaproxy start" \
  > "$dmz/etc/systemd/system/early.service"
on dmz systemctl daemon-reload
by_systemctl stop
status 0 'a unit before ours starts the proxy' on dmz timeout 40 systemctl start early
ok 'and systemd follows then' wait_until 20 on dmz systemctl is-active --quiet asperaproxy

# -- the node service ---------------------------------------------------------------------------

forward_config
status 0 'a restart starts the node service' on dmz systemctl restart asperaproxy
node_is() { [ "$(on dmz systemctl is-active asperanoded)" = "$1" ]; }
ok 'which runs' wait_until 60 node_is active
ok 'and listens' wait_until 60 lab_listens dmz 9091
for way in "${ways[@]}"; do
  "by_$way" stop > "$TMPDIR/said" 2>&1
  ok "$way stop: it is stopped, too" node_is inactive
  "by_$way" start > "$TMPDIR/said" 2>&1
  ok "$way start: it runs again" wait_until 60 node_is active
done

# It takes up no more than what it has to, and asp-lease lives by itself.
ok '(a user of the API)' forward_user alice
ok '(a lease)' lease
first=$lease
held=$(forward_elements)

# asp-lease has the rights that its unit says, and names are looked up for it.
# rights_of PROGRAM SETS
rights_of() { on dmz sh -c "cat /proc/\$(pgrep -x $1)/status" | sed -n "s/^\($2\):\t//p" | sort -u | xargs; }
is "$(rights_of asp-lease 'Cap\(Prm\|Eff\|Bnd\)')" 0000000000003000 'asp-lease has NET_ADMIN and NET_RAW'
is "$(rights_of asp-lease NoNewPrivs)" 1 'and cannot get more'
is "$(rights_of asperanoded 'Cap\(Prm\|Eff\)')" 0000000000000000 'the node service has none'
name=$(on dmz getent hosts "$OUTER" | awk '{ print $2 }')
forward_config "<allowed_destinations>$name</allowed_destinations>"
ok "a lease by name ($name)" wait_until 10 lease "$name"
ok 'asp-name looked it up' on dmz journalctl --quiet --grep 'Started asp-name@'
nok 'nobody but root asks asp-name' on dmz -u bear python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("/run/sallyport/asp-name.sock")' 2> /dev/null
api DELETE "/proxy/leases/$lease"
is "$status" 204 '(given back)'
lease=$first
on dmz journalctl --rotate --vacuum-time=1s --quiet
for turn in {1..20}; do
  on dmz systemctl restart asperanoded || diag "turn $turn: status $?"
done
ok 'restarted 20 times, it runs' wait_until 60 node_is active
is "$(on dmz journalctl --quiet --grep 'SIGKILL|signal=|status=9|Killing' | grep -v 'SIGTERM')" '' 'and nothing of it had to be killed'
is "$(forward_elements)" "$held" 'the lease is as it was'
ok 'and its owner ends it' eval 'api DELETE "/proxy/leases/$lease"; [ "$status" = 204 ]'
done_testing
