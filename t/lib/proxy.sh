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

# The rules that the suite has in force for sessions on dmz, of the family that
# lab_family chose, one line each as the firewall prints it; with "bound", those
# that say from which address. With $LAB_FORWARDING they are nftables' elements,
# without their time-outs:
#   -A SALLYPORT-SESSIONS -s 198.51.100.10/32 … -j DNAT --to-destination 203.0.113.10:33001
#   open4 198.51.100.10 . 198.51.100.39 . 33001 comment "3a9fd819-…" : 203.0.113.10 . 33001
proxy_rule_lines() {  # [bound]
  if [ "${LAB_FORWARDING-}" = nftables ]; then
    on "$proxy_host" nft list table inet sallyport 2> /dev/null |
      awk -v pattern="^${1:+from_}(pinned|open|kept)$LAB_DIGIT" '
        $1 == "map" { map = $2; inside = 0 }
        $1 == "elements" { inside = 1 }
        $1 == "chain" { inside = 0 }
        inside && map ~ pattern && / comment / {
          sub(/^[ \t]*(elements = [{] )?/, "")
          sub(/ ?[,}][ \t]*$/, "")
          gsub(/ (timeout|expires) [0-9a-z]+/, "")
          print map, $0
        }'
  else
    on "$proxy_host" "$IPTABLES" -t nat -S 2> /dev/null | grep -E "^-A SALLYPORT-$([ "${1-}" ] && echo 'SNAT .* -j SNAT' || echo SESSIONS) "
  fi
}

proxy_rules() { proxy_rule_lines "$@" | grep -c .; }

# All that is ours in the firewall, of that family where it can be told.
proxy_base() {
  if [ "${LAB_FORWARDING-}" = nftables ]; then
    on "$proxy_host" nft list table inet sallyport | sed -E 's/ expires [0-9a-z]+//; s/^[[:space:]]*(elements = \{)? */ /; s/( \}|,)$//' | sort
  else
    on "$proxy_host" "$IPTABLES" -t nat -S | grep SALLYPORT | sort
  fi
  on "$proxy_host" "$IPTABLES" -S | grep -i sallyport | sort
}

# What asperaproxy status says after proxy_forget_rules.
proxy_base_lost() {
  if [ "${LAB_FORWARDING-}" = nftables ]; then echo base_nftables=absent; else echo "base_ipv$LAB_DIGIT=damaged"; fi
}

# How many of them are for that client.
proxy_rules_of() { proxy_rule_lines | grep -c " $1[ /]"; }

# proxy_pattern CLIENT PROXY PORT SERVER [SERVER-PORT]: what a line of
# proxy_rule_lines is like that is open for PORT, or for LOW:HIGH.
proxy_pattern() {
  local at=$4 map
  if [ "${LAB_FORWARDING-}" = nftables ]; then
    case $3 in
      *:*) map="kept${LAB_DIGIT}_${3/:/_} $1 . $2" ;;
      *) map="open$LAB_DIGIT $1 . $2 . $3" ;;
    esac
    echo "^$map comment \"[0-9a-f-]{36}\" : $4${5:+ . $5}\$"
  else
    case $4${5:+:} in
      *:*:*) at=$(literally "[$4]") ;;
    esac
    [ "${5-}" ] || at=$4
    echo "-s $1/$HOST_BITS -d $2/$HOST_BITS -p udp -m udp --dport $3 -m comment --comment [0-9a-f-]{36} -j DNAT --to-destination $at${5:+:$5}\$"
  fi
}

# proxy_pinned SOURCE-PORT PORT [bound]: is there a rule that is pinned to these
# (extended regular expressions)?
proxy_pinned() {
  if [ "${LAB_FORWARDING-}" = nftables ]; then
    proxy_rule_lines "${@:3}" | grep -Eq "pinned$LAB_DIGIT .* \. $1 \. $2 comment"
  else
    proxy_rule_lines "${@:3}" | grep -Eq -- "--sport $1 --dport $2 "
  fi
}

# Puts the rules that proxy_rule_lines prints out of force, of all families.
proxy_forget_rules() {
  if [ "${LAB_FORWARDING-}" = nftables ]; then
    on "$proxy_host" nft delete table inet sallyport
  else
    on "$proxy_host" "$IPTABLES" -t nat -F
  fi
}

# The flows that the suite has translated, of that family.
proxy_flows() {
  on "$proxy_host" conntrack -f "$IP" -L -p udp -m 0x8000000/0x8000000 2> /dev/null
}

proxy_open_sessions() {
  local holder sessions
  lab_holder "$proxy_host"
  sessions=("/proc/$holder/root/run/sallyport/sessions/"*)
  [ -e "${sessions[0]}" ] || sessions=()
  echo "${#sessions[@]}"
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

# proxy_end NAME: closes its stdin and waits; $proxy_status is ssh's status. One that
# goes on for a minute is killed.
proxy_end() {
  local fd=${proxy_stdin[$1]} pid=${proxy_pid[$1]}
  exec {fd}>&-
  wait_until 60 proxy_over "$pid" || {
    diag "session $1 does not end"
    kill "$pid"
  }
  wait "$pid"
  proxy_status=$?
}
proxy_over() { ! kill -0 "$1" 2> /dev/null; }

# proxy_signs_pkcs8: libssh signs with an Ed25519 key in that form (since 0.11); asp-dial reads
# the key before it finds that nobody listens.
proxy_signs_pkcs8() {
  on dmz sh -c "umask 077; openssl genpkey -algorithm ed25519 -out /tmp/pkcs8; $LAB_PREFIX/bin/asp-dial -i /tmp/pkcs8 127.0.0.1:9 -- true" > /dev/null 2>&1
  [ "$?" = 69 ]
}

# lab_pids HOST NAME [USER]: the processes of that name (a pattern of the shell) on
# that host alone (all hosts share their process numbers, and accounts of one number
# are many).
lab_pids() {
  local holder process name
  lab_holder "$1"
  for process in /proc/[0-9]*; do
    read -r name < "$process/comm" || continue
    # shellcheck disable=SC2053  # a pattern
    [[ $name == $2 ]] || continue
    [ "$process/ns/mnt" -ef "/proc/$holder/ns/mnt" ] || continue
    process=${process#/proc/}
    [ "${3-}" = "" ] || [ "$(on "$1" stat -c %U "/proc/$process/stat")" = "$3" ] || continue
    echo "$process"
  done 2> /dev/null
}

# lab_cut HOST: kill all that serves a connection of sshd's there, but not who listens.
# Since OpenSSH 9.8 these are programs of their own, sshd-session and sshd-auth.
lab_cut() {
  local listener
  listener=$(on "$1" cat /run/sshd.pid)
  # shellcheck disable=SC2046  # a list of numbers
  kill -KILL $(lab_pids "$1" 'sshd*' | grep -vx "$listener")
}
