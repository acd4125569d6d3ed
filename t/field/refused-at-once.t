#!/bin/bash
# Many sessions of one account at once whose log-ins fail: the server inside meets few of
# them, and a good account is not slowed down; asp-upstream(8).
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside inside1 inside2
. "$LAB_LIB/whose_fault.sh"

# at_once NUMBER: so many sessions of bear; what they say is counted.
at_once() {
  local pids=() i
  for ((i = 0; i < $1; ++i)); do
    session bear "$INDIVIDUAL" > "$TMPDIR/at_once.$i" 2>&1 &
    pids+=($!)
  done
  wait "${pids[@]}"
  cat "$TMPDIR"/at_once.* | sed -E 's/[0-9]+ seconds/N seconds/' | sort | uniq -c | xargs
  rm "$TMPDIR"/at_once.*
}
# Nobody was let in lately.
forget_let_in() { on dmz rm -rf /run/sallyport/balance/let_in; }
# met_few WHAT: two, and one more for each wait that was over meanwhile.
met_few() {
  local met
  met=$(grep -c login "$orders.log")
  ok "$1" test "$met" -ge 2 -a "$met" -le $((2 + (SECONDS - began) / 10)) || diag "$met in $((SECONDS - began)) s"
}
configure "$INSIDE1:22"
forget
forget_let_in
ask_for deny-slow
: > "$orders.log"
began=$SECONDS
like "$(at_once 10)" "^[2-9] $not_let_in [0-9]+ The server behind this proxy has refused this account again and again. Try again in N seconds.\$" 'of ten at once that fail most are told to wait'
met_few 'and the server meets two'
forget
ask_for fine
session bear "$INDIVIDUAL" > /dev/null
ask_for deny-slow
: > "$orders.log"
began=$SECONDS
session bear "$INDIVIDUAL" 2> /dev/null
at_once 10 > /dev/null
met_few 'and so it is where the account was let in a moment ago, and then failed'

# Of an account that was let in within the last minute two log in at a time. Both failures are counted.
forget
ask_for fine
session bear "$INDIVIDUAL" > /dev/null
ask_for deny-slow
: > "$orders.log"
began=$SECONDS
at_once 10 > /dev/null
met_few 'of ten at once that was let in a moment ago, and fails now, the server meets two'
is "$(sed -n 's/^failures=//p' "$marks"/refused-bear*)" "$(grep -c login "$orders.log")" 'and each is counted'
met_most() { sed -n 's/ at once$//p' "$orders.log" | sort -n | tail -n 1; }
is "$(met_most)" 2 '(they failed at the same moment)'

# A good account.
configure "$INSIDE1:22"
forget
forget_let_in
ask_for fine
is "$(at_once 20)" '20 served' 'twenty at once of an account that is let in: all are served'
forget_let_in
ask_for fine-slow
: > "$orders.log"
is "$(at_once 5)" '5 served' 'and where each log-in takes a second'
is "$(met_most)" 2 'two at a time, once the first one has'
is "$(marked)" '' '(nothing is marked)'
done_testing
