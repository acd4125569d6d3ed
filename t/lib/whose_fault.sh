# whose_fault.sh: one session after the other, of two servers and of one, that fails as
# failing_sshd.py is told. For stories of whose fault a failure is; asp-upstream(8).
# Sourced after lab_up dmz outside inside1 inside2.
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
ask_for() {  # MODE: the server fails so from now on; sets $at
  echo "$1" > "$orders"
  at=$INSIDE1:22 patience=10
  [[ $1 != *silence* ]] || patience=2
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
# each < TABLE
each() {
  local mode mark code told log
  while IFS='|' read -r mode mark code told log; do
    fails ${mode// /} ${mark// /} ${code// /} "$(sed 's/^ *//; s/ *$//' <<< "$told")" "${log# }"
  done
}
