#!/bin/bash
# Whose fault it is: a server that fails in every way at the log-in and at the channel. No
# account takes a server from others; asp-upstream(8).
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside inside1 inside2
. "$LAB_LIB/whose_fault.sh"

each << END
deny         | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server refuses our key /home/bear/.ssh/id_ed25519
partial      | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server wants more than our key /home/bear/.ssh/id_ed25519
login-close  | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server hangs up on our key /home/bear/.ssh/id_ed25519 .*
login-reset  | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server hangs up on our key /home/bear/.ssh/id_ed25519 .*
login-words  | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server hangs up on our key /home/bear/.ssh/id_ed25519 .*Access denied by the owner.*
login-mute   | account | 77 | $not_let_in | server $INSIDE1:22: log in at $INSIDE1:22 as bear: server hangs up on our key /home/bear/.ssh/id_ed25519 .*
login-silence| account | 69 | $silent     | server $INSIDE1:22: log in at $INSIDE1:22 as bear: timed out
session      | account | 77 | $not_let_in | server $INSIDE1:22: open channel at $INSIDE1:22: .*
session-close| account | 77 | $not_let_in | server $INSIDE1:22: open channel at $INSIDE1:22: .*
END
done_testing
