#!/bin/bash
# udp_linger: a program that leaves SSH once UDP runs (mosh) keeps working
# through the proxy until its flow was idle for the set time.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
configure() {
  proxy_allow 'mosh-server ...' cat
  on dmz sed -i "s|<host>|<proxy_port>0</proxy_port><udp_port_range>60001:60010</udp_port_range><udp_linger>$linger</udp_linger>&|" \
    "$LAB_PREFIX/etc/aspera.conf"
}
type_keys() { printf '%s\n' "$1" >&9; }
shown() { grep -aq -- "$1" "$TMPDIR/screen"; }
nothing_left() { [ -z "$(proxy_flows)$(on dmz ls /run/sallyport/sessions)" ]; }
no_conductor() { [ -z "$(lab_pids dmz ascp_rproxy)" ]; }
lingering() { on dmz grep -qrs state=lingering /run/sallyport/sessions; }
no_rules() { [ "$(proxy_rules)" = 0 ]; }

for family in 6 4; do
  lab_family $family
  # Longer than mosh is silent while nobody types, which is 3 s.
  linger=4
  configure
  rm -f "$TMPDIR/keys"
  mkfifo "$TMPDIR/keys"
  on_exec outside -u bear env LANG=C.UTF-8 TERM=xterm script -qfc \
    "stty rows 24 cols 80; mosh --predict=never --ssh='ssh -p 33001' bear@$SQUASH -- bash --norc" /dev/null \
    < "$TMPDIR/keys" > "$TMPDIR/screen" 2>&1 &
  mosh=$!
  exec 9> "$TMPDIR/keys"
  ok "mosh starts through the proxy" wait_until 10 shown 'bash-'
  ok "its SSH session ends" wait_until 5 no_conductor
  ok "the pinhole lingers" wait_until 5 lingering
  typed=$(date +%s%N)
  type_keys 'echo first-$((40 + 2))'
  ok "what is typed arrives, and what is printed comes back" wait_until 5 shown first-42
  is "$(proxy_rules)" 1 "through one rule"
  ok "pinned to mosh's flow" proxy_pinned '[0-9]+' '600[01][0-9]'
  if [ $family = 4 ]; then
    sleep $((linger + 2))
    typed=$(date +%s%N)
    type_keys 'echo second-$((40 + 3))'
    ok "it still works when the set time is over, because it is not idle" wait_until 5 shown second-43
    is "$(proxy_rules)" 1 "with its rule in place"
  fi
  status 0 "asp-reap leaves it alone" on dmz "$LAB_PREFIX/bin/asp-reap"
  is "$(proxy_rules)" 1 "(indeed)"

  for pid in $(lab_pids outside mosh-client); do kill -KILL "$pid"; done
  for pid in $(lab_pids inside1 mosh-server); do kill -KILL "$pid"; done
  silent=$(date +%s%N)
  wait_until $((linger + 10)) no_rules
  ok "an idle flow is revoked" no_rules
  idle=$(( ($(date +%s%N) - silent) / 1000000 ))
  diag "revoked after $idle ms of silence (udp_linger $linger s)"
  # It was silent at the earliest since the last key, at the latest since mosh's end.
  ok "after the set time and not before" test $((idle + (silent - typed) / 1000000)) -ge $((linger * 1000 - 500)) -a "$idle" -le $((linger * 1000 + 3000))
  ok "with its flow and record" wait_until 5 nothing_left
  ok "and a line in the log" wait_until 5 eval "lab_log dmz | grep -q 'Revoked session=.* after it lingered'"

  exec 9>&-
  kill "$mosh" 2> /dev/null
  wait "$mosh"
done

proxy_session killed outside bear "$SQUASH" cat
proxy_end killed
ok "(a session without UDP lingers for its first packet)" wait_until 5 lingering
ok "and is gone when none came" wait_until $((linger + 5)) no_rules

# However busy it is, it does not stay longer than that.
linger=60
configure
on dmz sed -i 's|<udp_linger>60|<udp_linger_limit>3</udp_linger_limit>&|' "$LAB_PREFIX/etc/aspera.conf"
python_sender='import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(1200):
    try:
        s.sendto(b"busy", ("'$SQUASH'", 60001))
    except OSError:  # what a router says of it
        pass
    time.sleep(0.05)'
on_exec outside python3 -c "$python_sender" &
sender=$!  # before the session, whose stdin it would hold open
proxy_session limited outside bear "$SQUASH" cat
ok "(a flow that is never silent)" wait_until 15 proxy_pinned '[0-9]+' 60001
proxy_end limited
ok "(lingers)" wait_until 5 lingering
ok "a busy pinhole is revoked after udp_linger_limit" wait_until 5 no_rules
ok "(its client still sends)" kill -0 $sender
ok "with a line in the log" wait_until 5 eval "lab_log dmz | grep -q 'after it lingered for as long as udp_linger_limit'"
kill $sender
done_testing
