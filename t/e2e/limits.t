#!/bin/bash
# Limits on sessions, draining, and what the log says of each session.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
through() { on outside -u "$1" ssh -p 33001 "$1@$2" cat; }
busy='^This proxy takes no further sessions right now. Try again later.$'

proxy_allow cat
on dmz sed -i "0,/<host>/s||<max_sessions>1</max_sessions><host>|; s|<rules>|<max_sessions>2</max_sessions><rules>|" "$LAB_PREFIX/etc/aspera.conf"
proxy_session one outside bear "$SQUASH" cat
status 75 "a second session of a rule that allows one is refused as temporary" through bobcat "$SQUASH" < /dev/null
like "$err" "$busy" "with one line"
proxy_session two outside bobcat "$INDIVIDUAL" cat
is "$(proxy_rules)" 2 "another rule is not affected"
status 75 "but the limit for all is reached now" through bobcat "$INDIVIDUAL" < /dev/null
like "$(lab_log dmz | grep 'ERR .*limit' | tail -1)" 'Refused a pinhole to bobcat: the limit is reached: max_sessions of all rules is 2 session=[0-9a-f-]{36} user=bobcat' "which syslog says"
proxy_end one
status 0 "when one ended there is room again" through bear "$SQUASH" < /dev/null

on dmz touch /run/sallyport/drain
status 75 "a drained proxy refuses new sessions" through bear "$SQUASH" < /dev/null
like "$err" "$busy" "with one line"
like "$(lab_log dmz | grep 'ERR ' | tail -1)" 'drained' "and says why in syslog"
is "$(proxy_rules)" 1 "a living session goes on"
proxy_end two
is "$proxy_status" 0 "to its end"
on dmz rm /run/sallyport/drain
status 0 "afterwards sessions are taken again" through bear "$SQUASH" < /dev/null

# One user does not take all of them, over however many connections.
limited() {  # elements
  proxy_allow cat
  on dmz sed -i "s|<rules>|$1<rules>|" "$LAB_PREFIX/etc/aspera.conf"
}
limited '<max_sessions>4</max_sessions>'
proxy_session one outside bear "$SQUASH" cat
proxy_session two outside bear "$SQUASH" cat
status 75 'a third of four sessions for one user is refused as temporary' through bear "$SQUASH" < /dev/null
like "$err" "$busy" 'with one line'
like "$(lab_log dmz | grep 'ERR .*limit' | tail -1)" 'Refused a pinhole to bear: the limit is reached: max_sessions_per_user is 2 session=[0-9a-f-]{36} user=bear' 'which syslog says'
proxy_session three outside bobcat "$SQUASH" cat
is "$(proxy_open_sessions)" 3 'another user has one'
proxy_end two
status 0 'when one ended there is room again' through bear "$SQUASH" < /dev/null
limited '<max_sessions>4</max_sessions><max_sessions_per_user>1</max_sessions_per_user>'
status 75 'with a limit of its own, one' through bear "$SQUASH" < /dev/null
limited '<max_sessions_per_user>2</max_sessions_per_user>'
status 0 'or two, without one for all' through bear "$SQUASH" < /dev/null
proxy_end one
proxy_end three
is "$(on dmz ls /run/sallyport/users)" '' 'nothing is left of them on record'

# What a user sees of others' sessions, as INSTALL has it.
proxy_allow cat
sees() { on dmz -u mallory sh -c 'cat /proc/[0-9]*/cmdline 2> /dev/null' | tr '\0' ' ' | grep -o '[a]scp_rproxy -- cat'; }
proxy_session seen outside bear "$SQUASH" cat
ok '(they are seen)' sees
on dmz mount -t proc -o hidepid=invisible proc /proc
is "$(sees)" '' 'with hidepid they are not'
proxy_session hidden outside bobcat "$SQUASH" cat
is "$(on dmz "$LAB_PREFIX/bin/asp-sessions" | grep -c -e bear -e bobcat)" 2 'sessions open there, and root sees them'
proxy_end hidden
is "$proxy_status" 0 'and end as they should'
proxy_end seen
on dmz umount /proc

for family in 4 6; do
  lab_family $family
  proxy_allow cat
  lab_udp inside1 echo "$INSIDE1_AT:33001" "$TMPDIR/received"
  proxy_session audited outside bear "$SQUASH" cat
  on outside python3 "$LAB_LIB/udp.py" send "$ANY_AT:5001" "$SQUASH_AT:33001" x --wait-reply 5 > /dev/null
  wait_until 5 eval 'lab_log dmz | grep -qF "Setup UDP forwarding between $OUTSIDE_AT:5001 "'
  proxy_end audited
  lines=$(lab_log dmz | grep "session=$(lab_log dmz | grep -o 'session=[0-9a-f-]*' | tail -1 | cut -d= -f2)" | grep -o 'LOG .*')
  key=$(on outside ssh-keygen -lf "/home/bear/.ssh/id_ed25519.pub" | cut -d ' ' -f 2)
  identity="session=[0-9a-f-]{36} user=bear key=$(literally "$key") client=$(literally "$OUTSIDE_AT"):[0-9]+ proxy=$(literally "$SQUASH_AT"):33001"
  route="rule=1 server=$(literally "$INSIDE1_AT"):22 upstream_user=xfer"
  like "$lines" "LOG Received connection request from $OUTSIDE $identity command=cat" "the request is logged with who, from where, with which key"
  like "$lines" "LOG Established SSH connection with server $(literally "$INSIDE1_AT"):22 $identity $route" "the start with the route"
  like "$lines" "LOG Setup UDP forwarding between $(literally "$OUTSIDE_AT:5001 and $INSIDE1_AT:33001") $identity $route" "the flow"
  like "$lines" "LOG Connection closed \(EOF\) $identity $route udp_client=$(literally "$OUTSIDE_AT:5001 udp_server=$INSIDE1_AT:33001") seconds=[0-9.]+ bytes=[0-9]+ packets=2" \
    "and the end with why, how long and how much"
  kill "$LAB_UDP"
  wait "$LAB_UDP"
done

done_testing
