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

patience=10  # seconds
# configure HOST...: for the squash key, for each user's own, and the first as the only one
configure() {
  local hosts='' host only=$1
  for host; do hosts+="<host>$host</host>"; done
  local rest="<hosts>$hosts</hosts><connect_timeout>$patience</connect_timeout><faulty_interval>60</faulty_interval>"
  lab_config << END
<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
  <rule host_ip="$SQUASH">$rest<squash_user>xfer</squash_user><keyfile>$squash_key</keyfile></rule>
  <rule host_ip="$INDIVIDUAL">$rest<keyfile>/home/\$(user)/.ssh/id_ed25519</keyfile></rule>
  <rule host_ip="$DMZ"><hosts><host>$only</host></hosts>${rest#*</hosts>}<keyfile>/home/\$(user)/.ssh/id_ed25519</keyfile></rule>
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
  at=$INSIDE1:22 patience=10
  [[ $1 != *silence ]] || patience=2
  [ "$1" != refuse ] || at=$INSIDE1:2222
}

# fails MODE MARK STATUS TOLD LOG: of two servers, and as the only one, at the same time
fails() {
  local mode=$1 expected=() only
  ask_for "$mode"
  case $2 in
    host) expected=("faulty-$at") ;;
    account) expected=("faulty-xfer@$at" "refused-bear@$at") ;;
  esac
  configure "$at" "$INSIDE2:22"
  [ "$mode" != refuse ] || session bear "$SQUASH" > /dev/null  # makes the list's turns
  forget
  first_turn
  log_from
  session bear "$DMZ" > "$TMPDIR/only.out" 2> "$TMPDIR/only.err" &
  only=$!
  if [ "$2" != none ]; then
    is "$(session bobcat "$SQUASH" 2>&1)" inside2 "$mode, one of two servers: the session goes to the other"
  fi
  wait $only
  is "$?|$(cat "$TMPDIR/only.out" "$TMPDIR/only.err")" "$3|$4" "the only one: exit $3, and the user reads: $4"
  is "$(marked)" "${expected[*]-}" "what is marked: $2"
  log=$(log_since | grep ' ERR ' | grep -v 'Marked server')
  like "$(wc -l <<< "$log") $log" "^1 .* ERR (No server for bear: )?$5 session=[0-9a-f-]{36} user=bear .*\\(exit $3\\)$" 'the log has one line of it, with the real cause'
  [ "$2" = account ] || return 0
  forget
  first_turn
  is "$(session bobcat "$INDIVIDUAL" 2>&1) $(marked)" "inside2 refused-bobcat@$at" "the user's own key, one of two servers: no server is marked for others"
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

# Of several sessions at once that may ask again, one does.
configure "$INSIDE1:22"
lab_config < <(sed 's|<connect_timeout>10<|<connect_timeout>3<|; s|<faulty_interval>60<|<faulty_interval>1<|' "$root$LAB_PREFIX/etc/aspera.conf")
ask_for deny
for _ in 1 2; do session bear "$INDIVIDUAL" 2> /dev/null; done
ask_for login-silence
asked=$(wc -l < "$orders.log")
is_asked() { [ "$(wc -l < "$orders.log")" -gt "$asked" ]; }
tries() { until is_asked; do session bear "$INDIVIDUAL" 2> /dev/null; done; }
tries &
ok '(the wait is over, and one asks)' wait_until 20 is_asked
status 75 'another that comes meanwhile is told to wait' session bear "$INDIVIDUAL"
wait $!
is "$(wc -l < "$orders.log")" $((asked + 1)) 'and does not ask'

# One that leaves while it asks keeps no other from asking.
lab_config < <(sed 's|<connect_timeout>3<|<connect_timeout>20<|' "$root$LAB_PREFIX/etc/aspera.conf")
asked=$(wc -l < "$orders.log")
leave() { until is_asked; do on outside -u bear timeout 4 ssh -n -p 33001 "bear@$INDIVIDUAL" hostname 2> /dev/null; done; }
leave
asked=$(wc -l < "$orders.log")
ask_for fine
served() { [ "$(session bear "$INDIVIDUAL" 2> /dev/null)" = served ]; }
ok 'after one that left while it asked, another asks at once' wait_until 5 served
is "$(marked)" '' 'and is let in'

# --- an account that PAM does not let in --------------------------------------------------

ask_for fine
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
