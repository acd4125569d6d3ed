#!/bin/bash
# asp-sessions: what it shows of records and flows, whom it ends, each status.
# A session's flow is put into conntrack by hand.
uptime=86400  # a session that is an hour old
. "${0%/*}/../lib/spool.sh"
install_tools asp-sessions
sessions=$tmp/asp-sessions
json() { "$sessions" --json | python3 -c "import json, sys; d = json.load(sys.stdin); print(($1))"; }

# --- 64 --------------------------------------------------------------------------

one=$(id 1)
for args in -x --list '--json --watch' '--json --json' '--json=1' 'bear' 'user=' 'client=' 'client=name' 'client=10.1' "$one $one" \
  --kill '--kill all' '--hosts bear' '--hosts --watch' '--hosts --kill' '--hosts --prometheus' "--hosts $one" "--kill $one user=bear" '--prometheus user=bear' '--watch 0' '--watch=0.01' '--watch 3601' '--watch=x' '--watch 1.2.3' \
  '--watch=nan' '--watch=-1' '--kill=user=bear' "${one}0" "$(id 1 | tr 0 G)"; do
  # shellcheck disable=SC2086
  status 64 "asp-sessions $args: exit 64" timeout 20 "$sessions" $args
  like "$err" '^asp-sessions: [^\n]*' "says why, on one line"
  is "$out" '' 'and nothing on stdout'
done
status 64 'an escape sequence for an operand: exit 64' "$sessions" $'\e[31m'
unlike "$err" $'\e' 'is escaped'

# --- 77 --------------------------------------------------------------------------

for args in '' --json --prometheus --watch "--kill $one"; do
  # shellcheck disable=SC2086
  status 77 "asp-sessions $args without rights: exit 77" timeout 20 setpriv --reuid 65534 --regid 65534 --clear-groups "$sessions" $args
  like "$err" 'run it as root, or with sudo$' 'says what it needs'
done

# --- nothing lives -----------------------------------------------------------------

nothing() {
  status 0 "$1, a table: exit 0" "$sessions"
  like "$out" '^SESSION +USER +RULE +CLIENT +SERVER +STATE +AGE +UP +UP-PKTS +DOWN +DOWN-PKTS$' 'just the header'
  is "$(wc -l <<< "$out")$err" 1 'and nothing else'
  status 0 "$1, JSON: exit 0" "$sessions" --json
  is "$out" '[]' 'an empty array'
  status 0 "$1, metrics: exit 0" "$sessions" --prometheus
  like "$out" 'sallyport_sessions_by_state\{state="open"\} 0' 'states that nobody is in are 0'
  unlike "$out" 'sallyport_sessions\{' 'no user is there'
  status 1 "$1, a selector: exit 1" "$sessions" user=bear
  status 1 "$1, nobody to end: exit 1" "$sessions" --kill user=bear
  is "$out$err" 'asp-sessions: nothing to end: no living session or lease matches' 'and says so'
}
nothing 'no /run/sallyport'
nok 'and none was made by looking' test -e /run/sallyport
mkdir -p $spool
nothing 'no sessions'
record 1 bear 198.51.100.10 > "$spool/$one"
nothing 'a record that nobody holds'
rm "$spool/$one"
hold broken < <(record 1 bear 198.51.100.10 rule=x)
nothing 'a record that cannot be read'
let_go broken

# --- what is shown -------------------------------------------------------------------

now_ns() { python3 -c 'import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC))'; }
hold four < <(
  record 3 bear 198.51.100.10 src_port_filtering=false 'flow=198.51.100.10:5003 203.0.113.10:33001'
  record 2 bobcat 198.51.100.11 'flow=198.51.100.11:5002 203.0.113.10:33001' "opened=$(($(now_ns) - 3723000000000))"
  record 1 bear 198.51.100.10
  record 4 bear '[2001:db8::10]' 'proxy=[2001:db8::39]:33001' 'host=[2001:db8:2::10]:22' state=lingering udp_linger=30 \
    'flow=[2001:db8::10]:5004 [2001:db8:2::10]:33001' "group=$one"
)
status 0 'four sessions: exit 0' "$sessions"
is "$(awk 'NR > 1 { print $1 }' <<< "$out")" "$(id 1; id 2; id 3; id 4)" 'sorted by start'
is "$(awk '{ print $6 }' <<< "$out" | xargs)" 'STATE open pinned flow lingering' 'each in its state'
is "$(awk '{ print $4 }' <<< "$out" | xargs)" 'CLIENT 198.51.100.10:51512 198.51.100.11:5002 198.51.100.10:5003 [2001:db8::10]:5004' \
  'the client: its SSH end, then its UDP end'
is "$(awk '{ print $5 }' <<< "$out" | xargs)" 'SERVER 203.0.113.10:22 203.0.113.10:33001 203.0.113.10:33001 [2001:db8:2::10]:33001' \
  'the server: its SSH end, then its UDP end'
like "$(awk 'NR == 3 { print $7 }' <<< "$out")" '^1h02m$' 'how long its rule is in force'
is "$(awk '{ print length }' <<< "$out" | uniq | wc -l)" 1 'columns are aligned'
status 0 'of one user' "$sessions" user=bobcat
is "$(awk 'NR > 1 { print $1 }' <<< "$out")" "$(id 2)" 'just his'
for client in 198.51.100.10 198.51.100.10:51512; do
  "$sessions" client=$client > $tmp/out
  is "$(awk 'NR > 1 { print $1 }' $tmp/out | xargs)" "$(id 1) $(id 3)" "of client=$client"
done
is "$("$sessions" client=198.51.100.10:5003 | awk 'NR > 1 { print $1 }')" "$(id 3)" 'of one UDP end'
is "$("$sessions" 'client=[2001:db8::10]:5004' | awk 'NR > 1 { print $1 }')" "$(id 4)" 'of one IPv6 end'
is "$("$sessions" client=2001:db8:0::10 | awk 'NR > 1 { print $1 }')" "$(id 4)" 'of an IPv6 address in another spelling'
is "$("$sessions" "$(id 2)" | awk 'NR > 1 { print $1 }')" "$(id 2)" 'of one UUID'
status 1 'of nobody: exit 1' "$sessions" user=bea

have_conntrack=no
flow() {  # source-port server server-port [client]
  conntrack -I -p udp -s "${4-198.51.100.10}" -d 198.51.100.39 --sport "$1" --dport 33001 -r "$2" -q 203.0.113.1 \
    --reply-port-src "$3" --reply-port-dst "$1" -t 300 -m 0x8000000
}
sysctl -q -w net.netfilter.nf_conntrack_acct=1
if flow 5002 203.0.113.10 33001 198.51.100.11 > /dev/null 2> $tmp/err && flow 5003 203.0.113.10 33001 > /dev/null 2>&1; then
  have_conntrack=yes
  flow 5005 203.0.113.10 33001 > /dev/null 2>&1  # no record names it: of session 1, whose rule is the oldest
  flow 5006 203.0.113.99 33001 > /dev/null 2>&1  # nobody's
  is "$(json '[s["flows"] for s in d]')" '[1, 1, 1, 0]' 'each flow is counted for the session that it belongs to'
  is "$(json 'd[1]["to_server"], d[1]["to_client"]')" "({'packets': 0, 'bytes': 0}, {'packets': 0, 'bytes': 0})" 'with its counters each way'
  sysctl -q -w net.netfilter.nf_conntrack_acct=0
  conntrack -F 2> /dev/null
  flow 5002 203.0.113.10 33001 198.51.100.11 > /dev/null 2>&1
  is "$(json 'd[1]["to_server"], d[1]["flows"]')" '(None, 1)' 'without nf_conntrack_acct they are null'
  like "$("$sessions" user=bobcat | tail -n 1)" ' -  +-  +-  +-$' 'or a dash'
  unlike "$("$sessions" --prometheus)" sallyport_session_bytes 'or no metric at all'
  conntrack -F 2> /dev/null
  sysctl -q -w net.netfilter.nf_conntrack_acct=1
else
  skip "conntrack -I does not work here: $(cat $tmp/err)" 'flows are counted'
fi

# --- JSON --------------------------------------------------------------------------

status 0 'JSON: exit 0' "$sessions" --json
is "$(json 'len(d)')" 4 'is valid, an array of all'
is "$(json 'all(d[0][k] == v for k, v in dict(session="'"$one"'", user="bear", client="198.51.100.10:51512", proxy="198.51.100.39:33001", rule=1,
  upstream_user="xfer", host="203.0.113.10:22", proxy_port=33001, udp_port=33001, src_port_filtering=True, pid=0, holder='"${holder[four]}"',
  started="2026-11-22T15:04:01Z", flow=None, group=None, state="open", shared=False).items())')" True 'has each name of the record, with its type'
is "$(json 'd[3]["state"], d[3]["udp_linger"], d[3]["group"], d[3]["flow"]')" \
  "('lingering', 30, '$one', {'client': '[2001:db8::10]:5004', 'server': '[2001:db8:2::10]:33001'})" 'also what is there only sometimes'
is "$(json 'd[2]["src_port_filtering"], d[2]["state"]')" "(False, 'flow')" 'booleans are booleans'
is "$(json '3723 <= d[1]["age_seconds"] < 3783')" True 'the age is in seconds'
is "$("$sessions" --json | grep -c '^ {')" 4 'one object a line'
is "$("$sessions" --json | LC_ALL=C grep -c '[^ -~]')" 0 'in ASCII'
is "$("$sessions" --json user=bobcat | python3 -c 'import json, sys; print([s["user"] for s in json.load(sys.stdin)])')" "['bobcat']" 'of one user'

# --- Prometheus ------------------------------------------------------------------------

cat > $tmp/exposition.py << 'END'
"""Reads the text exposition format 0.0.4 strictly; prints name{labels} value lines, sorted."""
import re, sys
text = sys.stdin.read()
assert text.endswith("\n") and "\n\n" not in text, "ends with one newline"
label = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
sample = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{%s(?:,%s)*\})? (-?[0-9]+(?:\.[0-9]+)?)' % (label, label))
helped, typed, current, closed, seen = set(), {}, None, set(), []
for line in text.splitlines():
    if m := re.fullmatch(r'# HELP (\S+) (\S.*)', line):
        assert m[1] not in helped, "HELP twice: " + line
        helped.add(m[1])
    elif m := re.fullmatch(r'# TYPE (\S+) (counter|gauge)', line):
        assert m[1] not in typed and m[1] in helped, "TYPE twice, or no HELP: " + line
        typed[m[1]] = m[2]
        closed.add(current)
        current = m[1]
        assert current not in closed, "a family in two parts: " + line
        assert (m[2] == "counter") == m[1].endswith("_total"), "a name that misleads: " + line
    else:
        m = sample.fullmatch(line)
        assert m, "not of the format: " + line
        assert m[1] == current, "a sample outside of its family: " + line
        names = re.findall(r'([a-zA-Z_0-9]+)="', m[2] or "")
        assert len(names) == len(set(names)), "a label twice: " + line
        assert m[1] + (m[2] or "") not in seen, "a sample twice: " + line
        seen.append(m[1] + (m[2] or ""))
        print(line)
END
exposition() { "$sessions" --prometheus | python3 -IS $tmp/exposition.py; }
status 0 'metrics keep to the exposition format' exposition
like "$out" $'(^|\n)sallyport_drained 0' 'whether drained'
like "$out" $'\nsallyport_sessions\{rule="1",user="bear"\} 3\n' 'sessions by rule and user'
like "$out" $'\nsallyport_sessions_by_state\{state="lingering"\} 1' 'sessions by state'
like "$out" $'\nsallyport_session_bytes\{rule="1",user="bobcat",direction="to_server"\} 0\n' 'bytes each way'
like "$out" $'\nsallyport_session_packets\{rule="1",user="bear",direction="to_client"\} 0' 'packets each way'
touch /run/sallyport/drain
like "$(exposition)" $'(^|\n)sallyport_drained 1' 'drained'
rm /run/sallyport/drain
let_go four

hold odd < <(record 1 'be"ar\n{x} ' 198.51.100.10; record 2 $'b\xc3\xa9\xff' 198.51.100.11)
status 0 'odd names of users: metrics keep to the format' exposition
is "$(json 'len(d)')" 2 'JSON is valid'
is "$("$sessions" | LC_ALL=C grep -c '[^ -~]')" 0 'the table has printable characters only'
let_go odd

# --- --watch -----------------------------------------------------------------------------

hold two < <(record 1 bear 198.51.100.10; record 2 bobcat 198.51.100.11)
watch_for() {  # SIGNAL arguments...: until the third picture, then SIGNAL
  local signal=$1 pid status
  shift
  : > $tmp/watched  # not the pictures of the time before
  env --default-signal=INT "$sessions" "$@" > $tmp/watched 2> $tmp/err &
  pid=$!
  wait_until 10 eval "[ \"\$(grep -c ^SESSION $tmp/watched)\" -ge 3 ]"
  kill "-$signal" $pid
  timeout 10 tail --pid=$pid -f /dev/null
  wait $pid
  status=$?
  out=$(cat $tmp/watched)
  return $status
}
ok '--watch draws again and again, and ends with SIGINT: exit 0' watch_for INT --watch 0.1
like "$out" $'^20[-0-9]*T[0-9:]*Z, every 0.1 s: 2 sessions, up 0bit/s, down 0bit/s\nSESSION ' 'a title over each table'
like "$out" 'UP-RATE +DOWN-RATE' 'with rates'
is "$(grep -c $'\e' <<< "$out")" 0 'no control characters where there is no terminal'
like "$(sed -n '/^$/,$p' <<< "$out")" ' +0bit/s +0bit/s' 'which are there from the second picture on'
ok 'and with SIGTERM' watch_for TERM --watch=0.1
ok 'of one user' watch_for TERM --watch=0.1 user=bear
is "$(grep -c "$(id 2)" <<< "$out")" 0 'just his'
script_run() { timeout 10 script -qec "stty rows 24 cols 60; exec timeout -s INT 1 $sessions --watch 0.2" /dev/null < /dev/null > $tmp/watched; }
if command -v script > /dev/null; then
  script_run
  ok 'on a terminal the screen is cleared once' test "$(grep -c $'\e\[2J' $tmp/watched)" = 1
  ok 'and drawn over' grep -q $'\e\[H2' $tmp/watched
  is "$(sed $'s/\e\[H/\\n/g; s/\e[^A-Za-z]*[A-Za-z]//g; s/\r//g' $tmp/watched | awk 'length > 60' | wc -l)" 0 'and lines are cut to its width'
else
  skip 'script(1) is not installed' 'on a terminal'
fi
status 74 'nobody reads any more: exit 74 at once' timeout 10 bash -c "'$sessions' --watch 60 | head -n 1 > /dev/null; exit \${PIPESTATUS[0]}"

# --- 74 ------------------------------------------------------------------------------------

for args in '' --json --prometheus '--watch 0.1'; do
  # shellcheck disable=SC2086
  {
    status 74 "asp-sessions $args > /dev/full: exit 74" bash -c "timeout 10 '$sessions' $args > /dev/full"
    status 74 "asp-sessions $args with closed stdout: exit 74" bash -c "timeout 10 '$sessions' $args >&-"
  }
done
let_go two

# --- --kill --------------------------------------------------------------------------------

gone() { ! kill -0 "$1" 2> /dev/null; }
hold a < <(record 1 bear 198.51.100.10)
hold b < <(record 2 bobcat 198.51.100.11)
hold c < <(record 3 bear 198.51.100.11)
hold d < <(record 4 bear 198.51.100.12)
hold e < <(record 5 'bear ' 198.51.100.13)
status 0 '--kill UUID: exit 0' timeout 20 env SUDO_USER=alice SUDO_UID=1234 "$sessions" --kill "$one"
is "$out" "ended session=$one user=bear client=198.51.100.10:51512 server=203.0.113.10:22" 'says what it ended'
is "$err" '' 'and nothing else'
ok 'its holder ends' gone "${holder[a]}"
ok 'its record is gone' test ! -e "$spool/$one"
is "$("$sessions" --json | grep -c '^ {')" 4 'the others live'
status 1 'once more: exit 1' timeout 20 "$sessions" --kill "$one"
status 0 '--kill client=ADDRESS: exit 0' timeout 20 "$sessions" --kill client=198.51.100.11
is "$(cut -d ' ' -f 2 <<< "$out" | sort | xargs)" "session=$(id 2) session=$(id 3)" 'ends all of that client, whosever they are'
status 0 '--kill user=NAME: exit 0' timeout 20 "$sessions" --kill user=bear
is "$(cut -d ' ' -f 2 <<< "$out")" "session=$(id 4)" 'ends all of that user'
is "$(json '[s["user"] for s in d]')" "['bear ']" 'and of no other'
status 0 'no shell, no pattern: a name is a name' timeout 20 "$sessions" --kill 'user=bear '
is "$out" "ended session=$(id 5) user=\"bear \" client=198.51.100.13:51512 server=203.0.113.10:22" 'quoted where it must be'

hold f < <(record 6 bear 198.51.100.10)
status 74 'stdout that nobody reads: exit 74' bash -c "timeout 10 '$sessions' --kill user=bear > /dev/full"
ok 'but the session is ended' gone "${holder[f]}"

# The number in a record can be that of somebody else by now.
sleep 300 &
innocent=$!
hold g < <(record 7 bear 198.51.100.10 "holder=$innocent")
status 71 'a holder that does not hold the lock: exit 71' timeout 20 "$sessions" --kill user=bear
like "$err" "session $(id 7): process $innocent does not hold its record" 'says so'
nok 'and is left alone' gone $innocent
let_go g
hold g < <(record 7 bear 198.51.100.10 holder=-)
status 71 'a record without holder: exit 71' timeout 20 "$sessions" --kill user=bear
let_go g
hold g < <(record 7 bear 198.51.100.10 "holder=$$")
exec {opened}< "$spool/$(id 7)"
status 71 'a process that has the record open, but holds no lock on it: exit 71' timeout 20 "$sessions" --kill user=bear
exec {opened}>&-
let_go g
hold h stubborn < <(record 8 bear 198.51.100.10)
began=$EPOCHSECONDS
status 71 'a holder that does not end: exit 71' timeout 20 "$sessions" --kill user=bear
like "$err" "session $(id 8): its record is still there" 'says which remain'
ok 'after 5 seconds' test $((EPOCHSECONDS - began)) -ge 5 -a $((EPOCHSECONDS - began)) -le 12
let_go h
hold i < <(record 9 bear 198.51.100.10 "pid=$innocent")
status 71 'a session process that goes on without its pinhole: exit 71' timeout 20 "$sessions" --kill user=bear
like "$err" "its process $innocent goes on" 'says so'
hold j < <(record 10 bear 198.51.100.10 state=lingering "flow=198.51.100.10:5000 203.0.113.10:33001" "pid=$innocent")
status 0 'a lingering session has none any more: exit 0' timeout 20 "$sessions" --kill user=bear
{ kill -KILL $innocent; wait $innocent; } 2> /dev/null

ok 'syslog names the session and who ended it, by sudo' grep -q \
  "asp-sessions.*LOG Killed session=$one user=bear rule=1 client=198.51.100.10:51512 server=203.0.113.10:22 by=alice uid=1234\$" $tmp/syslog
is "$(grep -c "LOG Killed session=$(id 2) .* by=" $tmp/syslog)" 1 'one line for each session'
is "$(grep -c "LOG Killed session=$(id 7) " $tmp/syslog)" 0 'none for those that were left alone'

# --- --hosts -----------------------------------------------------------------------------------

suite
conf=$prefix/etc/aspera.conf
status 78 '--hosts without aspera.conf: exit 78' "$sessions" --hosts
echo '<CONF/>' > $conf
status 0 'no rules: exit 0' "$sessions" --hosts
is "$out" 'RULE  LINE  HOST  SESSIONS  STATE  SINCE  LEFT  WHY' 'just the header'
status 0 'JSON' "$sessions" --hosts --json
is "$out" '[]' 'an empty array'
cat > $conf << 'END'
<CONF><server><rproxy><enabled>true</enabled><rules>
<rule host_ip="198.51.100.39"><hosts><host>203.0.113.10</host><host>203.0.113.11</host><host>inside3</host></hosts><squash_user>xfer</squash_user><keyfile>/k</keyfile></rule>
<rule host_ip="198.51.100.40"><host>203.0.113.10</host><squash_user>other</squash_user><keyfile>/k</keyfile></rule>
</rules></rproxy></server></CONF>
END
balance=/run/sallyport/balance
mkdir -p $balance/marks $balance/probes /run/sallyport/dialers
uptime=$(cut -d . -f 1 /proc/uptime)
mark() {  # NAME HOST STATE SECONDS-FROM-NOW [more]
  printf 'host=%s\nstate=%s\nsince=2026-11-22T15:04:05Z\nuntil=%d\nreason=%s\nby=%s\n%s\n' "$2" "$3" $((uptime + $4)) "why $1" "$one" "${5-}" > "$balance/marks/$1"
}
locked() { : > $tmp/locked; python3 -IS -c 'import fcntl, sys, time; f = open(sys.argv[1], "a"); fcntl.flock(f, fcntl.LOCK_EX); f.write(sys.argv[2]); f.flush(); print("held", flush=True); time.sleep(300)' "$@" > $tmp/locked & wait_until 5 grep -q held $tmp/locked; }
hosts() { "$sessions" --hosts --json | python3 -c "import json, sys; d = json.load(sys.stdin); print($1)"; }
is "$(hosts '[(h["rule"], h["line"], h["host"], h["sessions"], h["state"], h["since"], h["account"]) for h in d]')" \
  "[(1, 2, '203.0.113.10:22', 0, 'good', None, None), (1, 2, '203.0.113.11:22', 0, 'good', None, None), (1, 2, 'inside3:22', 0, 'good', None, None), (2, 3, '203.0.113.10:22', 0, 'good', None, None)]" \
  'each host of each rule'
hold lingers < <(record 1 bear 198.51.100.10 state=lingering host=203.0.113.11:22 'flow=198.51.100.10:5004 203.0.113.11:33001' udp_linger=30)
locked /run/sallyport/dialers/1.1 "session=$(id 1)"$'\nrule=1\nhost=203.0.113.11:22\n\n'; dialer=$!
locked /run/sallyport/dialers/2.2 "session=$(id 2)"$'\nrule=1\nhost=inside3:22\n\n'
locked /run/sallyport/dialers/3.3 ''
printf 'session=%s\nrule=1\nhost=inside3:22\n\n' "$(id 3)" > /run/sallyport/dialers/4.4
is "$(hosts '[h["sessions"] for h in d]')" '[0, 1, 1, 0]' 'sessions: connected, or lingering, each once; not the dead'
mark faulty-203.0.113.11:22 203.0.113.11:22 faulty 100
is "$(hosts 'd[1]["state"], 90 < d[1]["left_seconds"] <= 100, d[1]["reason"], d[1]["by"], d[1]["since"]')" "faulty True why faulty-203.0.113.11:22 $one 2026-11-22T15:04:05Z" 'a faulty host'
like "$("$sessions" --hosts)" $'\n   1     2  203\.0\.113\.11:22 +1  faulty  2026-11-22T15:04:05Z  1m[34][0-9]s  why faulty-203.0.113.11:22\n' 'in the table'
is "$("$sessions" --hosts | grep -c ' $')" 0 'without spaces at the end of a line'
mark faulty-203.0.113.11:22 203.0.113.11:22 faulty -5
is "$(hosts 'd[1]["state"], d[1]["left_seconds"]')" 'due 0' 'its time is over'
locked $balance/probes/203.0.113.11:22 ''; prober=$!
is "$(hosts 'd[1]["state"]')" probing 'a session tries it'
mark suspect-203.0.113.11:22 203.0.113.11:22 suspect 5
is "$(hosts 'd[1]["state"]')" suspect 'and waits'
{ kill -KILL $prober; wait $prober; } 2> /dev/null
is "$(hosts 'd[1]["state"]')" due 'it was killed'
mark maintenance-203.0.113.11:22 203.0.113.11:22 maintenance -100
is "$(hosts 'd[1]["state"], d[1]["left_seconds"]')" 'maintenance None' 'maintenance has no end'
mark faulty-xfer 203.0.113.10:22 faulty 100 $'user=xfer\nkeyfile=/k\n'
is "$(hosts '[(h["rule"], h["state"], h["account"]) for h in d if h["host"] == "203.0.113.10:22"]')" \
  "[(1, 'good', None), (1, 'faulty', {'user': 'xfer', 'keyfile': '/k'}), (2, 'good', None)]" 'a refused key is another line, where that account is used'
like "$("$sessions" --hosts)" $' xfer@203\.0\.113\.10:22 +-  faulty ' 'in the table'
mark maintenance-gone:22 gone:22 maintenance 0
is "$(hosts 'd[-1]["rule"], d[-1]["line"], d[-1]["host"], d[-1]["state"]')" 'None None gone:22 maintenance' 'a host that only a mark names comes last'
like "$(exposition)" $'\nsallyport_host_sessions\{rule="1",host="inside3:22"\} 1\n' 'metrics: sessions of hosts'
is "$(exposition | grep host_in_service | xargs -d '\n')" 'sallyport_host_in_service{rule="1",host="203.0.113.10:22"} 1 sallyport_host_in_service{rule="1",host="203.0.113.11:22"} 0 sallyport_host_in_service{rule="1",host="inside3:22"} 1 sallyport_host_in_service{rule="2",host="203.0.113.10:22"} 1' \
  'and which are in service'
echo broken > $conf
status 0 'with a broken aspera.conf there are metrics' exposition
unlike "$out" sallyport_host_ 'without hosts'
let_go lingers
{ kill -KILL $dialer; wait $dialer; } 2> /dev/null

# --- 1,000 sessions ----------------------------------------------------------------------------

python3 -IS - << 'END' > $tmp/many
for n in range(1, 1001):
    client = f"198.51.100.{n % 5 + 10}"
    flow = f"flow={client}:{n + 10000} 203.0.113.10:33001\n" if n % 4 else ""
    print(f"""session=00000000-0000-4000-8000-{n:012}
user=user{n % 7}
client={client}:51512
proxy=198.51.100.39:33001
rule=1
upstream_user=xfer
host=203.0.113.10:22
proxy_port=33001
udp_port=33001
src_port_filtering=true
pid=0
holder=HOLDER
started=2026-11-22T15:04:{n % 60:02}Z
opened={n}
{flow}""")
END
hold thousand < $tmp/many
if [ $have_conntrack = yes ]; then
  for ((n = 1; n <= 1000; ++n)); do
    c=198.51.100.$((n % 5 + 10)) p=$((n + 10000))
    echo "-I -p udp -s $c -d 198.51.100.39 --sport $p --dport 33001 -r 203.0.113.10 -q 203.0.113.1 --reply-port-src 33001 --reply-port-dst $p -t 300 -m 0x8000000"
  done > $tmp/flows
  conntrack -R $tmp/flows > /dev/null 2>&1 || while read -r line; do
    # shellcheck disable=SC2086
    conntrack $line > /dev/null 2>&1
  done < $tmp/flows
  is "$(conntrack -C)" 1000 '(1,000 flows)'
fi
# Sanitizers make a program several times as slow.
most=1000
[[ ${BUILD-} != *-san ]] || most=4000
for args in '' --json --prometheus; do
  # Its own time: others may work beside it.
  # shellcheck disable=SC2086
  took=$(TIMEFORMAT='%U %S'; { time "$sessions" $args > $tmp/out 2>&3; } 3>&2 2>&1 | awk '{ print int(($1 + $2) * 1000) }')
  ok "1,000 sessions: asp-sessions $args takes less than $most ms" test "$took" -lt $most
  echo "# asp-sessions $args with 1,000 sessions and $(conntrack -C 2> /dev/null) flows: $took ms of CPU"
done
is "$("$sessions" | wc -l)" 1001 'all of them are shown'
[ $have_conntrack = no ] || is "$(json 'sum(s["flows"] for s in d)')" 1000 'with all flows, each for one session'
began=${EPOCHREALTIME/./}
status 0 'all of one user: exit 0' timeout 20 "$sessions" --kill user=user3
took=$(((${EPOCHREALTIME/./} - began) / 1000))
echo "# asp-sessions --kill of $(wc -l <<< "$out") sessions among 1,000: $took ms"

done_testing
