#!/bin/bash
# Name servers die in mid session: of sessions to a server by name the running ones go on, a new one is
# told in time, and nobody whose server has an address notices. When they answer again all is well.
. "${0%/*}/../lib/hung.sh"
. "$LAB_LIB/messages.sh"
echo "server.example.net $INSIDE1" > "$TMPDIR/names"
lab_dns "$TMPDIR/names"
on dmz sh -c "echo 'options timeout:30' >> /etc/resolv.conf"  # the resolver would give up by itself
hung_begin
on dmz sh -c "cd $LAB_PREFIX/etc && grep -F '$INSIDE1,' known_hosts | sed 's/[^ ]* /server.example.net /' >> known_hosts"
on dmz sed -i "/host_ip=\"$SQUASH\"/,/<host>/s|<host>[^<]*|<host>server.example.net:22|; s|<connect_timeout>6|<connect_timeout>3|" "$LAB_PREFIX/etc/aspera.conf"

for way in stopped killed; do
  tap_about="name servers are $way: "
  proxy_session one outside bear "$SQUASH" cat
  ok '(a session to a server by name)' packet outside 5003 "$SQUASH" one
  # This one is about to ask.
  if [ $way = stopped ]; then kill -STOP "$LAB_DNS"; else kill -KILL "$LAB_DNS"; wait "$LAB_DNS" 2> /dev/null; fi
  log_from
  new_session late outside2 bear "$SQUASH"
  others_hardly_notice 8 "$INDIVIDUAL"
  echo more >&"${proxy_stdin[one]}"
  ok 'the session goes on' wait_until 5 grep -qx more "$TMPDIR/one.out"
  ok 'and its UDP' packet outside 5003 "$SQUASH" still
  over late 69 12 'a new one is told'
  is "$(cat "$TMPDIR/late.err")" "$unreached" 'in a sentence'
  one_error "No server for bear: server server.example.net:22: resolve server.example.net: .* session=UUID .*\\(exit 69\\)"
  proxy_end one
  is "$proxy_status" 0 'the session ends well'
  if [ $way = stopped ]; then kill -CONT "$LAB_DNS"; else lab_dns "$TMPDIR/names"; fi
  new_session after outside bear "$SQUASH"
  over after 0 8 'they answer again: a session'
  ok 'nothing is left' is_only_old 20
done
done_testing
