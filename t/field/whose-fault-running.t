#!/bin/bash
# Whose fault it is: a server that fails in every way at the command and while it runs, and
# one whose PAM does not let an account in; asp-upstream(8).
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside inside1 inside2
. "$LAB_LIB/whose_fault.sh"

each << END
exec         | none    | 77 | $not_run    | run command at $INSIDE1:22: .*
exec-close   | none    | 69 | $lost       | run command at $INSIDE1:22: .*
run-close    | none    | 69 | $lost       | connection to $INSIDE1:22 lost: .*
run-reset    | none    | 69 | $lost       | connection to $INSIDE1:22 lost: .*
run-nothing  | none    | 69 | $lost       | command at $INSIDE1:22: channel closed without exit status
END

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
