# proxy.sh: sessions through the lab's reverse proxy, for end-to-end tests.
# Sourced after lab.sh.

proxy_host=dmz  # where one looks for rules, flows and sessions; cluster.sh has another

# proxy_allow COMMAND...: the lab's own configuration, and these command lines
# for aspshell besides the built-in ones.
proxy_allow() {
  local command commands=
  for command in "$@"; do
    commands+="<command>$command</command>"
  done
  lab_guide_config | sed "s|</CONF>|<default><aspshell_commands>$commands</aspshell_commands></default></CONF>|" | lab_config
}

# How many rules the suite has in force for sessions on dmz, of the family that
# lab_family chose.
proxy_rules() {
  on "$proxy_host" "$IPTABLES" -t nat -S SALLYPORT-DNAT 2> /dev/null | grep -c '^-A'
}

# The flows that the suite has translated, of that family.
proxy_flows() {
  on "$proxy_host" conntrack -f "$IP" -L -p udp -m 0x8000000/0x8000000 2> /dev/null
}

proxy_open_sessions() {
  on "$proxy_host" ls /run/sallyport/sessions 2> /dev/null | wc -l
}

# proxy_session NAME CLIENT USER ADDRESS COMMAND: a session in the background,
# whose stdin stays open; returns when its pinhole is open. What it prints goes
# to $TMPDIR/NAME.out and .err.
declare -A proxy_pid proxy_stdin
proxy_session() {
  local name=$1 client=$2 user=$3 address=$4 before fd
  before=$(proxy_open_sessions)
  mkfifo "$TMPDIR/$name.in"
  on_exec "$client" -u "$user" ssh -p 33001 "$user@$address" "$5" \
    < "$TMPDIR/$name.in" > "$TMPDIR/$name.out" 2> "$TMPDIR/$name.err" &
  proxy_pid[$name]=$!
  exec {fd}> "$TMPDIR/$name.in"
  proxy_stdin[$name]=$fd
  rm "$TMPDIR/$name.in"
  wait_until 10 eval "[ \"\$(proxy_open_sessions)\" -gt $before ] && proxy_ready" || {
    diag "session $name did not open: $(cat "$TMPDIR/$name.err")"
    return 1
  }
}

# Every session on record has its rule.
proxy_ready() {
  [ "$(proxy_open_sessions)" = "$(proxy_rules)" ]
}

# proxy_end NAME: closes its stdin and waits; $proxy_status is ssh's status.
proxy_end() {
  local fd=${proxy_stdin[$1]}
  exec {fd}>&-
  wait "${proxy_pid[$1]}"
  proxy_status=$?
}

# lab_pids HOST NAME [USER]: the processes of that name on that host alone (all
# hosts share their process numbers, and accounts of one number are many).
lab_pids() {
  local holder space process name
  lab_holder "$1"
  space=$(readlink "/proc/$holder/ns/mnt")
  for process in $(lab_processes "$space"); do
    read -r name < "/proc/$process/comm" || continue
    [ "$name" = "$2" ] || continue
    [ "${3-}" = "" ] || [ "$(on "$1" stat -c %U "/proc/$process/stat")" = "$3" ] || continue
    echo "$process"
  done 2> /dev/null
}
