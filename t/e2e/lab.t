#!/usr/bin/env bash
# The lab: its hosts are as lab.sh says, and the machine does not notice it.
#
# Runs on the machine and starts labs as its children: itself, with an argument.

lib=${0%/*}/../lib
. "$lib/plain.sh"

# udp HOST FROM TO: send one datagram; print the answer.
udp() {
  on "$1" python3 "$LAB_LIB/udp.py" send "$2" "$3" hello --wait-reply 1 2> /dev/null
}

# udp_answered HOST FROM TO
udp_answered() {
  udp "$@" > /dev/null
}

# connects HOST ADDRESS PORT
connects() {
  on "$1" timeout 0.5 bash -c ": < /dev/tcp/$2/$3" 2> /dev/null
}

# login HOST USER DESTINATION COMMAND...: over SSH, with what lab_up laid out.
login() {
  local host=$1 user=$2
  shift 2
  on "$host" -u "$user" ssh -p 33001 "$@"
}

# upstream USER KEY DESTINATION COMMAND...: as the suite does, but with ssh.
upstream() {
  local user=$1 key=$2
  shift 2
  on dmz -u "$user" ssh -o BatchMode=yes -o StrictHostKeyChecking=yes \
    -o "UserKnownHostsFile=$LAB_PREFIX/etc/known_hosts" -i "$key" "$@"
}

test_commands() {
  is "$(on outside hostname)" outside 'a command runs on its host'
  is "$(echo hello | on outside -u bear cat)" hello 'stdin and stdout are its own'
  is "$(on outside -u bear sh -c 'echo hello >&2' 2>&1 > /dev/null)" hello 'so is stderr'
  on outside -u bear sh -c 'exit 7'
  is $? 7 'so is the exit status'
  is "$(secret=1 on outside -u bear sh -c 'echo "$USER $HOME $PWD ${secret-}"')" \
    'bear /home/bear /home/bear ' 'its environment is that of a login'
  on_exec outside sleep 100 &
  kill -INT $!
  wait $!
  is $? 130 'a background command can be signalled, even with SIGINT'
}

test_files() {
  nok 'the machine cannot be written to' touch "$LAB_SOURCE/lab-was-here" 2> /dev/null
  nok 'nor from a host' on dmz touch "$LAB_SOURCE/lab-was-here" 2> /dev/null
  ok 'the source tree is there' on dmz -u bear test -r "$LAB_SOURCE/t/e2e/lab.t"
  on dmz sh -c 'echo here > /etc/lab-was-here; cp /etc/lab-was-here /usr/bin/; cp /etc/lab-was-here /opt/'
  is "$(cat "$(lab_root dmz)/etc/lab-was-here")" here 'a host can write to its own'
  nok 'no other sees it' on outside test -e /etc/lab-was-here
  unlike "$(lab_root nowhere 2> /dev/null)" '^/?$' 'a host that is not there has no files'
}

test_reach() {
  ok 'outside reaches dmz' connects outside "$SQUASH" 33001
  ok 'outside reaches dmz by IPv6' connects outside "$INDIVIDUAL_6" 33001
  ok 'dmz reaches inside1' connects dmz "$INSIDE1" 22
  ok 'dmz reaches inside1 by IPv6' connects dmz "$INSIDE1_6" 22
  nok 'outside does not reach inside1' connects outside "$INSIDE1" 22
  nok 'outside does not reach inside1 by IPv6' connects outside "$INSIDE1_6" 22
  lab_udp outside echo "$OUTSIDE:7" "$TMPDIR/outside"
  ok 'dmz reaches outside' udp_answered dmz "$DMZ" "$OUTSIDE:7"
  nok 'inside1 does not' udp_answered inside1 "$INSIDE1" "$OUTSIDE:7"
  ok 'natclient reaches outside' udp_answered natclient "$NATCLIENT:4000" "$OUTSIDE:7"
  like "$(tail -n 1 "$TMPDIR/outside")" "^from=$ROUTER:" 'with the address of its router'
  unlike "$(tail -n 1 "$TMPDIR/outside")" ':4000 ' 'and another port'
  kill "$LAB_UDP"
}

# What the suite will do, done by hand: proves that this kernel can, in namespaces.
test_translation() {
  local udp_echoes=()
  lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/inside"
  udp_echoes+=("$LAB_UDP")
  lab_udp inside1 echo "[$INSIDE1_6]:33001" "$TMPDIR/inside6"
  udp_echoes+=("$LAB_UDP")
  on dmz iptables -w -t nat -A PREROUTING -p udp -d "$SQUASH" --dport 33001 \
    -j DNAT --to-destination "$INSIDE1:33001"
  on dmz iptables -w -t nat -A POSTROUTING -o lan -j MASQUERADE
  on dmz ip6tables -w -t nat -A PREROUTING -p udp -d "$SQUASH_6" --dport 33001 \
    -j DNAT --to-destination "[$INSIDE1_6]:33001"
  on dmz ip6tables -w -t nat -A POSTROUTING -o lan -j MASQUERADE
  lab_capture dmz lan 'udp port 33001' "$TMPDIR/packets"
  is "$(udp outside "$OUTSIDE:5000" "$SQUASH:33001")" "from=$SQUASH:33001 hello" 'dmz can translate'
  is "$(udp outside "[$OUTSIDE_6]:5000" "[$SQUASH_6]:33001")" "from=[$SQUASH_6]:33001 hello" \
    'and so by IPv6'
  lab_capture_end
  is "$(grep -c UDP "$TMPDIR/packets")" 4 'tcpdump saw each packet'
  like "$(on dmz conntrack -L -p udp 2> /dev/null)" 'bytes=' 'dmz counts the bytes of a flow'
  on dmz iptables -w -t nat -F
  on dmz ip6tables -w -t nat -F
  kill "${udp_echoes[@]}"
}

test_accounts() {
  local key=.ssh/id_ed25519 squash_key=$LAB_PREFIX/etc/ssh_keys/id_ed25519
  is "$(login outside mallory "mallory@$SQUASH" id -un)" mallory 'outside logs in on dmz'
  is "$(login outside mallory "mallory@$SQUASH_6" id -un)" mallory 'by IPv6'
  is "$(login natclient mallory mallory@squash.example.com id -un)" mallory 'by name'
  is "$(upstream bobcat "$key" "$INSIDE1" id -un)" bobcat 'bobcat on dmz is bobcat inside'
  is "$(upstream bobcat "$key" "$INSIDE2_6" id -un)" bobcat 'by IPv6'
  nok 'bear is not' upstream bear "$key" "$INSIDE1" true 2> /dev/null
  is "$(upstream root "$squash_key" "xfer@$INSIDE1" id -un)" xfer 'the squash key is for xfer'
  nok 'and for root alone on dmz' on dmz -u mallory test -r "$squash_key"
  is "$(on dmz -u bear id -Gn)" 'bear sallyport' 'proxy users are in the group'
  nok 'sudo asks for what it was not told' on dmz -u bear sudo -n true 2> /dev/null
}

test_services() {
  on dmz logger -p local2.info -t lab 'hello, syslog'
  ok 'a host has a syslog' wait_until 5 logged dmz 'lab: hello, syslog'
  nok 'of its own' logged outside 'hello, syslog'
  lab_sshd inside1 stop
  nok 'sshd can be stopped' connects dmz "$INSIDE1" 22
  lab_sshd inside1 start
  ok 'and started' connects dmz "$INSIDE1" 22
  lab_link inside1 lan down
  nok 'a cable can be pulled' connects dmz "$INSIDE1" 22
  lab_link inside1 lan up
  ok 'and plugged' wait_until 5 connects dmz "$INSIDE1" 22
  lab_down inside2
  nok 'a host can be switched off' connects dmz "$INSIDE2" 22
}

test_suite() {
  if [ "${LAB_SUITE-}" = no ]; then
    skip 'LAB_SUITE=no' 'the suite is installed'
    return
  fi
  ok 'the suite is installed' on dmz -u bear test -x /bin/aspshell
  ok 'sudo takes its file' on dmz visudo -cq
  ok 'sshd takes its file' on dmz /usr/sbin/sshd -t
  ok 'clients have asp-cp' on outside -u bear sh -c 'command -v asp-cp > /dev/null'
  ok 'so have servers' on inside1 -u xfer sh -c 'command -v asp-cp > /dev/null'
}

logged() {
  lab_log "$1" | grep -q "$2"
}

test_waiting() {
  local began=${EPOCHREALTIME/./}
  nok 'wait_until gives up' wait_until 1 false
  ok 'when its time is up' test $((${EPOCHREALTIME/./} - began)) -ge 1000000
}

# -- within a lab --------------------------------------------------------------

case ${1-} in
  facts)
    . "$lib/lab.sh"
    . "$lib/tap.sh"
    lab_up dmz outside inside1 inside2 router natclient
    test_commands
    test_files
    test_reach
    test_translation
    test_accounts
    test_services
    test_suite
    test_waiting
    done_testing
    ;;
  hold) # stay, until killed
    . "$lib/lab.sh"
    lab_up dmz outside inside1
    on dmz iptables -w -t nat -A POSTROUTING -j MASQUERADE
    on_exec outside -u bear sleep 1000 &
    echo "processes $(stat -Lc %i /proc/self/ns/pid)"
    wait
    ;;
  status) # stdin, arguments and exit status are the script's own
    . "$lib/lab.sh"
    cat
    echo "$2"
    exit 7
    ;;
esac

# -- on the machine ------------------------------------------------------------

. "$lib/tap.sh"
. "$lib/wait.sh"
. "$lib/lab-enter.sh"
why=$(lab_lacks) && lab_refuse "$why"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# snapshot: what a lab could have changed on the machine.
snapshot() {
  local save
  for save in iptables-save ip6tables-save; do
    "$save" | sed '/^#/d; s/ \[[0-9:]*\]$//'
  done
  nft list ruleset 2> /dev/null | sed 's/packets [0-9]* bytes [0-9]*//'
  sha256sum /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/sub?id /etc/sudoers \
    /etc/sudoers.d/* /etc/ssh/* /etc/hosts /etc/hostname /etc/resolv.conf 2> /dev/null
  find /opt /etc /home /root /run/lab /run/netns /usr/local/bin /var/spool/cron -maxdepth 1 \
    -printf '%M %u %g %p %l\n' 2> /dev/null | sort
  cut -d ' ' -f 4- /proc/self/mountinfo
  ip -o link | cut -d ' ' -f 2
  ip -o addr | cut -d ' ' -f 2-7
  ip netns list
  hostname
  cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding
}

# unchanged NAME
unchanged() {
  snapshot > "$scratch/after"
  ok "$1" diff "$scratch/before" "$scratch/after"
}

# gone SPACE: does no process live in that process namespace? A zombie, left to the
# machine's init by a script that was killed, is dead enough.
gone() {
  ps -eo pidns=,stat= | awk -v space="$1" '$1 == space && $2 !~ /^Z/ { exit 1 }'
}

# interrupted SIGNAL TARGET STATUS NAME: kill a lab that is in use, by a signal to its
# script (`process`) or, as a terminal does, to all of them (`group`).
interrupted() {
  local pid space
  : > "$scratch/hold"
  set -m
  "$0" hold > "$scratch/hold" 2> "$scratch/hold.err" &
  pid=$!
  set +m
  wait_until 60 grep -q '^processes' "$scratch/hold" || cat "$scratch/hold.err"
  space=$(sed -n 's/^processes //p' "$scratch/hold")
  nok "$4: the lab lives before" gone "$space"
  case $2 in
    process) kill "-$1" "$pid" ;;
    group) kill "-$1" -- "-$pid" ;;
  esac
  wait "$pid" 2> /dev/null
  is $? "$3" "$4: the script ends with status $3"
  ok "$4: no process is left" wait_until 10 gone "$space"
  unchanged "$4: the machine is as before"
}

snapshot > "$scratch/before"

"$0" facts > "$scratch/facts" 2> "$scratch/facts.err"
code=$?
cat "$scratch/facts.err" "$scratch/facts" | sed 's/^/    /'
ok 'the lab is as described' test "$code" = 0
unchanged 'the machine is as before'

is "$(echo input | "$0" status argument)" $'input\nargument' 'a lab script has its stdin and arguments'
"$0" status - < /dev/null > /dev/null
is $? 7 'and its exit status'

interrupted INT process 130 'SIGINT'
interrupted INT group 130 'Ctrl-C'
interrupted TERM process 143 'SIGTERM'
interrupted KILL process 137 'SIGKILL'

# A copy, for the source may be where nobody else may look.
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
cp -r "$lib" "$0" "$scratch/" && chmod -R a+rX "$scratch" && mkdir "$scratch/e2e" && mv "$scratch/lab.t" "$scratch/e2e/"
like "$("${nobody[@]}" "$scratch/e2e/lab.t" facts)" '^1\.\.0 # SKIP ' 'a test is skipped where there is no root'
status 77 'a shell is refused there' "${nobody[@]}" "$scratch/lib/lab-shell"

done_testing
