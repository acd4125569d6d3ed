#!/bin/bash
# Whose fault it is: a server that fails in every phase in every way. What is marked, what
# the user reads, with which status, and the one line in the log; asp-upstream(8).
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside inside1 inside2
root=$(lab_root dmz)
marks=$root/run/sallyport/balance/marks
squash_key=$LAB_PREFIX/etc/ssh_keys/id_ed25519

# configure HOST...: for the squash key, and for each user's own
configure() {
  local hosts='' host
  for host; do hosts+="<host>$host</host>"; done
  local rest="<hosts>$hosts</hosts><connect_timeout>1</connect_timeout><faulty_interval>60</faulty_interval>"
  lab_config << END
<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
  <rule host_ip="$SQUASH">$rest<squash_user>xfer</squash_user><keyfile>$squash_key</keyfile></rule>
  <rule host_ip="$INDIVIDUAL">$rest<keyfile>/home/\$(user)/.ssh/id_ed25519</keyfile></rule>
</rules></rproxy></server>
<default><aspshell_commands><command udp="false">hostname</command></aspshell_commands></default></CONF>
END
}
session() { on outside -u "$1" timeout 20 ssh -n -p 33001 "$1@$2" hostname; }  # USER ADDRESS
# So that the next session's turn is that of the first host.
first_turn() { on dmz sh -c 'for each in /run/sallyport/balance/turns/*; do printf 3000000 > "$each"; done'; }
marked() { (cd "$marks" && for each in *; do [ -e "$each" ] && echo "${each%-????????????????}"; done) | xargs; }
forget() { rm -f "$marks"/*; }
# What the log has since log_from.
log_from() { seen=$(lab_log dmz | wc -l); }
log_since() { lab_log dmz | tail -n +$((seen + 1)); }

orders=$TMPDIR/orders
echo fine > "$orders"
lab_sshd inside1 stop
lab_holder inside1
# Only the network is the host's, so that its files are the test's.
nsenter -t "$holder" -n -- /usr/bin/python3 "$LAB_LIB/failing_sshd.py" 0.0.0.0:22 "$(lab_root inside1)/etc/ssh/ssh_host_ed25519_key" "$orders" > "$TMPDIR/server" 2>&1 < /dev/null &
ok '(the server listens)' wait_until 15 grep -qs listening "$TMPDIR/server" || diag "$(cat "$TMPDIR/server")"
configure "$INSIDE1:22" "$INSIDE2:22"
session bear "$SQUASH" > /dev/null  # makes the list's turns

unreached='The server behind this proxy cannot be reached.'
unverified='The server behind this proxy could not be verified. Tell the administrator.'
not_let_in='The server behind this proxy does not let this account in. Tell the administrator.'
silent='The server behind this proxy does not answer the log-in. Try again later.'
not_run='The server behind this proxy does not run that command.'
lost='The connection to the server behind this proxy was lost.'
table="
refuse       | host    | 69 | $unreached  | server $INSIDE1:2222: connect $INSIDE1:2222: Connection refused
reset        | host    | 69 | $unreached  | server $INSIDE1:22: (connect|handshake with) $INSIDE1:22: .*
close        | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: server hung up
silence      | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: timed out
garbage      | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: server says: bytes that are not SSH
words        | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: server says: Not allowed at this time
version      | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: .*SSH-1.5-old.*
kex-reset    | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: .*
algorithms   | host    | 76 | $unverified | server $INSIDE1:22: handshake with $INSIDE1:22: kex error.*
other-key    | host    | 76 | $unverified | server $INSIDE1:22: verify host key of $INSIDE1: only keys of other types are in .*
deny         | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server refuses our key /home/bear/.ssh/id_ed25519
partial      | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server wants more than our key /home/bear/.ssh/id_ed25519
login-close  | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server hangs up on our key /home/bear/.ssh/id_ed25519 .*
login-reset  | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server hangs up on our key /home/bear/.ssh/id_ed25519 .*
login-words  | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server hangs up on our key /home/bear/.ssh/id_ed25519 .*Access denied by the owner.*
login-mute   | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server hangs up on our key /home/bear/.ssh/id_ed25519 .*
login-silence| account | 69 | $silent     | server $INSIDE1:22: log in at $INSIDE1:22 as bear: timed out
session      | account | 77 | $not_let_in | server $INSIDE1:22: open channel at $INSIDE1:22: .*
session-close| account | 77 | $not_let_in | server $INSIDE1:22: open channel at $INSIDE1:22: .*
exec         | none    | 77 | $not_run    | run command at $INSIDE1:22: .*
exec-close   | none    | 69 | $lost       | run command at $INSIDE1:22: .*
run-close    | none    | 69 | $lost       | connection to $INSIDE1:22 lost: .*
run-reset    | none    | 69 | $lost       | connection to $INSIDE1:22 lost: .*
run-nothing  | none    | 69 | $lost       | command at $INSIDE1:22: channel closed without exit status
"
ask_for() {  # MODE: the server fails so from now on; sets $at
  echo "$1" > "$orders"
  at=$INSIDE1:22
  [ "$1" != refuse ] || at=$INSIDE1:2222
}

# fails MODE MARK STATUS TOLD LOG
fails() {
  local mode=$1 mark=$2 own
  ask_for "$mode"
  own=$mark
  case $mark in
    host) mark="faulty-$at" own=$mark ;;
    account) mark="faulty-xfer@$at" own="refused-bobcat@$at" ;;
    none) mark='' own='' ;;
  esac
  if [ "$2" != none ]; then
    configure "$at" "$INSIDE2:22"
    [ "$mode" != refuse ] || session bear "$SQUASH" > /dev/null
    forget
    first_turn
    is "$(session bear "$SQUASH" 2>&1) $(marked)" "inside2 $mark" "$mode, squash key: the session goes to the other server, and $2 is marked"
  fi
  if [ "$2" = account ]; then
    forget
    first_turn
    is "$(session bobcat "$INDIVIDUAL" 2>&1) $(marked)" "inside2 $own" "the user's own key: so does it, and no server is marked for others"
  fi
  configure "$at"
  forget
  log_from
  status "$3" "$mode, the only server: exit $3" session bear "$INDIVIDUAL"
  is "$out|$err" "|$4" "the user reads: $4"
  [ "$2" = account ] && own="refused-bear@$at" || own=
  is "$(marked)" "$own" "${2/host/nothing} is marked"
  log=$(log_since)
  like "$(grep ' ERR ' <<< "$log")" "^[^
]* ERR (No server for bear: )?$5 session=[0-9a-f-]{36} user=bear [^
]*\(exit $3\)\$" 'the log has one line of it, with the real cause'
}
while IFS='|' read -r mode mark code told log; do
  [ -z "$mode" ] || fails ${mode// /} ${mark// /} ${code// /} "$(sed 's/^ *//; s/ *$//' <<< "$told")" "${log# }"
done <<< "$table"

# --- a user whose log-ins fail again and again ------------------------------------------

configure "$INSIDE1:22"
forget
ask_for deny
: > "$orders.log"
log_from
for _ in 1 2 3 4 5 6; do session bear "$INDIVIDUAL"; done 2> "$TMPDIR/said"
is "$(wc -l < "$orders.log")" 2 'of six log-ins in a row that fail the server meets two'
is "$(sort "$TMPDIR/said" | sed -E 's/[0-9]+ seconds/N seconds/' | uniq -c | xargs)" "2 $not_let_in 4 The server behind this proxy has refused this account again and again. Try again in N seconds." 'and the others are told to wait'
status 75 'which is a temporary failure' session bear "$INDIVIDUAL"
like "$(log_since | grep -F ' LOG Server')" "LOG Server bear@$INSIDE1:22 is not asked for 10 s: it has refused 2 log-ins in a row session=" 'the log says so once'
is "$(on dmz stat -c '%U %a' "/run/sallyport/balance/marks/$(ls "$marks")")" 'root 600' 'the note is one of root alone'
status 77 'another user asks all the same' session bobcat "$INDIVIDUAL"
is "$(tail -1 "$orders.log")" 'login bobcat' 'and is heard'
status 77 'so does the squash account' session bear "$SQUASH"
is "$(tail -1 "$orders.log")" 'login xfer' 'and is heard'
on dmz "$LAB_PREFIX/bin/asperaproxy" heal "$INSIDE1" > /dev/null
ask_for fine
is "$(session bear "$INDIVIDUAL")" served 'an administrator ends the wait'
is "$(marked)" '' 'success leaves no note'
ask_for deny
session bear "$INDIVIDUAL" 2> /dev/null
ask_for fine
is "$(session bear "$INDIVIDUAL")" served 'after one failure nobody waits'
is "$(marked)" '' 'and it is forgotten'

# --- an account that PAM does not let in --------------------------------------------------

configure "$INSIDE2:22" "$INSIDE1:22"
session bear "$SQUASH" > /dev/null
forget
first_turn
on inside2 usermod -e 1 bobcat
is "$(session bobcat "$INDIVIDUAL" 2>&1)" served 'an account that has expired on one server is served by the other'
is "$(marked)" "refused-bobcat@$INSIDE2:22" 'and no server is faulty'
first_turn
is "$(session bear "$SQUASH")" inside2 'nobody else feels it'
done_testing
