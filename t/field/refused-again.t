#!/bin/bash
# A user whose log-ins fail again and again waits here, before the server inside penalises
# the proxy's address, that is everybody (PerSourcePenalties of OpenSSH); asp-upstream(8).
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside inside1 inside2
. "$LAB_LIB/whose_fault.sh"

configure "$INSIDE1:22"
forget
ask_for deny
: > "$orders.log"
log_from
for _ in 1 2 3 4 5 6; do session bear "$INDIVIDUAL"; done 2> "$TMPDIR/said"
is "$(wc -l < "$orders.log")" 2 'of six log-ins in a row that fail the server meets two'
is "$(sort "$TMPDIR/said" | sed -E 's/[0-9]+ seconds/N seconds/' | uniq -c | xargs)" "2 $not_let_in 4 The server behind this proxy has refused this account again and again. Try again in N seconds." 'and the others are told to wait'
status 75 'which is a temporary failure' session bear "$INDIVIDUAL"
like "$(log_since | grep -F ' LOG Server')" "LOG Server bear@$INSIDE1:22 is left out for 10 s: it has refused 2 log-ins in a row session=" 'the log says so once'
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
done_testing
