#!/bin/bash
# Stopped, not killed: a user who stops processes of their own keeps neither the pinhole nor the
# connection inside when the client has gone, and an administrator can end what is stopped.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
proxy_allow 'cat'

parent() { ps -o ppid= -p "$1" | tr -d ' '; }
# of_session: numbers of the one session's processes: $conductor, $holder (sshd's process of the user)
of_session() {
  conductor=$(lab_pids dmz ascp_rproxy)
  holder=$(parent "$conductor")
}
helpers() { lab_pids dmz 'asp-pinhole' && lab_pids dmz 'asp-upstream' && lab_pids dmz 'asp-dial'; }
all_gone() { [ -z "$(helpers)" ] && [ "$(proxy_rules)" = 0 ] && [ "$(proxy_open_sessions)" = 0 ]; }
logged() { lab_log dmz | grep -qE "$1"; }
# gone NAME: the client, without a word
gone() {
  local fd=${proxy_stdin[$1]}
  kill -KILL "${proxy_pid[$1]}"
  wait "${proxy_pid[$1]}" 2> /dev/null
  exec {fd}>&-
}

# What the user stops, with the client gone or not ---------------------------------------------

for client in gone there; do
  proxy_session one outside bear "$SQUASH" cat
  of_session
  is "$(stat -c %U "/proc/$holder/stat" 2> /dev/null | wc -l)/$(cat "/proc/$holder/comm" | cut -c 1-4)" 1/sshd "(the client $client: the process of sshd's is found)"
  kill -STOP "$holder"
  [ $client = there ] || gone one
  ok "sshd's process is stopped, the client is $client: the session is over within 17 s" wait_until 17 all_gone
  ok 'the first helper that sees it says why' logged "(asp-pinhole.*ERR Closes the pinhole of session=[0-9a-f-]+|asp-upstream.*ERR Ends the connection to the server of bear): SSH connection('s process is stopped| is closed)"
  kill -CONT "$holder" 2> /dev/null
  [ $client = gone ] || { proxy_end one; ok "the client hears of it" test "$proxy_status" != 0; }
done

proxy_session two outside bear "$SQUASH" cat
of_session
kill -STOP "$conductor"
sleep 16
is "$(proxy_rules)" 1 'ascp_rproxy is stopped: the session goes on, as it does under job control'
gone two
ok 'until the client is gone' wait_until 5 all_gone
kill -CONT "$conductor" 2> /dev/null

# What an administrator ends -----------------------------------------------------------------------

proxy_session three outside bear "$SQUASH" cat
of_session
kill -STOP "$conductor"
capture on dmz $LAB_PREFIX/bin/asp-sessions --kill "$(on dmz ls /run/sallyport/sessions)"
is "$code" 0 'asp-sessions --kill ends a session whose ascp_rproxy is stopped'
ok 'and the connection inside with it' wait_until 5 all_gone
kill -CONT "$conductor" 2> /dev/null
proxy_end three
done_testing
