#!/bin/bash
# asp-balance: turns, marks and their ends; the state that sessions share.
uptime=86400  # marks that are a minute old
. "${0%/*}/../lib/spool.sh"
install_tools asp-balance
balance=$tmp/asp-balance
state=/run/sallyport/balance

route() {  # HOST...
  printf 'rule=1\nupstream_user=xfer\nkeyfile=%s\n' "${keyfile-/etc/key}"
  printf 'host=%s\n' "$@"
  printf 'proxy_port=33001\nudp_port=33001\nsrc_port_filtering=true\n'
}
three() { route a:22 b:22 c:22; }
hosts() { sed -n 's/^host=//p' | xargs; }
now() { cut -d . -f 1 /proc/uptime; }
# mark STATE HOST SECONDS-FROM-NOW [REASON]: as a session, or an administrator, leaves it
mark() {
  mkdir -p $state/marks
  printf 'host=%s\nstate=%s\nsince=2026-11-22T15:04:05Z\nuntil=%d\nreason=%s\nby=x\n\n' "$2" "$1" $(($(now) + $3)) "${4-it failed}" > "$state/marks/$1-$2"
}
forget() { rm -f $state/marks/* $state/probes/* $state/turns/*; }
# probe HOST: a session that waits for it, until its stdin ends; ${probe[HOST]}
declare -A probe
probe() {
  mkdir -p $state/probes
  : > $tmp/probe
  python3 -IS -c 'import fcntl, sys; f = open(sys.argv[1], "a"); fcntl.flock(f, fcntl.LOCK_EX); print("held", flush=True); sys.stdin.read()' \
    "$state/probes/$1" < <(exec sleep 300) > $tmp/probe &
  probe[$1]=$!
  wait_until 5 grep -q held $tmp/probe
}
end_probe() { { kill -KILL "${probe[$1]}"; wait "${probe[$1]}"; } 2> /dev/null; }

for args in x -x '-n x'; do
  # shellcheck disable=SC2086
  status 64 "asp-balance $args: exit 64" "$balance" $args
done
status 77 'without rights: exit 77' setpriv --reuid 65534 --regid 65534 --clear-groups "$balance" < <(three)
status 65 'no route: exit 65' "$balance" < /dev/null
nok 'nothing was made' test -e /run/sallyport

# --- turns -----------------------------------------------------------------------------

status 0 'a route: exit 0' "$balance" < <(three)
is "$out" "$(three)" 'comes out as it came in, the first time'
is "$err" '' 'silently'
is "$("$balance" < <(three) | sed -n 's/^host=//p' | head -n 1)" b:22 'the second begins with the second host'
is "$(for _ in 1 2; do "$balance" -n < <(three) | hosts; done | xargs)" 'c:22 a:22 b:22 c:22 a:22 b:22' '-n takes no turn'
is "$("$balance" < <(three) | sed -n 's/^host=//p' | head -n 1)" c:22 'so the third is next'
is "$("$balance" < <(route b:22 a:22) | hosts)" 'b:22 a:22' 'another list has turns of its own'
is "$("$balance" < <(route a:22) | hosts)" a:22 'a single host'
is "$(stat -c '%U %a' $state $state/turns $state/marks $state/probes | sort -u)" 'root 700' 'the state is root'"'"'s'

forget
client() { for _ in $(seq "$1"); do "$balance" < $tmp/route | sed -n 's/^host=//p' | head -n 1; done; }
three > $tmp/route
for n in 38 38 38 38 37 37 37 37; do client $n & done > $tmp/first
wait $(jobs -p | tail -n 8)
is "$(sort $tmp/first | uniq -c | xargs)" '100 a:22 100 b:22 100 c:22' '300 turns taken by 8 at once: 100 for each host'

turns=$(echo $state/turns/*)
waits_its_turn() { ! flock "$turns" timeout 1 "$balance" < $tmp/route > $tmp/out && [ ! -s $tmp/out ]; }
ok 'while somebody takes a turn, others wait' waits_its_turn
is "$("$balance" < <(three) | hosts)" 'a:22 b:22 c:22' 'and none is lost'
for content in garbage-that-is-longer-than-a-number 9223372036854775806 99999999999999999999999 -1 '12 ' ''; do
  printf %s "$content" > "$turns"
  "$balance" < <(three) > /dev/null
  "$balance" < <(three) > /dev/null
  is "$(cat "$turns")" "$([ "$content" = 9223372036854775806 ] && echo 1 || echo 2)" "a counter '$content' begins anew"
done
printf 9999 > "$turns"
"$balance" < <(three) > /dev/null
is "$(cat "$turns")" 10000 'it grows by a digit'

# --- faulty --------------------------------------------------------------------------------

forget
"$balance" < <(three) > /dev/null  # the next turn is b's
mark faulty b:22 60 'connect b:22: Connection refused'
status 0 'a faulty host: exit 0' "$balance" < <(three)
is "$(hosts <<< "$out" | tr ' ' '\n' | sort | xargs)" 'a:22 c:22' 'is left out'
like "$err" '^asp-balance: passed over b:22: faulty since 2026-11-22T15:04:05Z, (60|59|58) s left: connect b:22: Connection refused$' 'says why, and for how long'
mark faulty a:22 60; mark faulty c:22 60
status 75 'all are faulty: exit 75' "$balance" < <(three)
is "$out" '' 'no route'
is "$(grep -c 'passed over' <<< "$err")" 3 'each with its reason'
is "$("$balance" < <(route a:22) | hosts)" a:22 'a single host is never faulty'
mark faulty c:22 -1
is "$("$balance" < <(three) | hosts)" c:22 'whose time is over is there again'
rm $state/marks/*
mark faulty b:22 0
is "$("$balance" < <(three) | sed -n 's/^host=//p' | head -n 1)" b:22 'and tried first, whose turn it may be'
is "$("$balance" < <(three) | sed -n 's/^host=//p' | head -n 1)" b:22 'by the next, too, while nobody has done so'
probe b:22
is "$("$balance" < <(three) | sed -n 's/^host=//p' | tail -n 1)" b:22 'but last, while a session tries it'
end_probe b:22
is "$("$balance" < <(three) | sed -n 's/^host=//p' | head -n 1)" b:22 'that session killed: first again'
is "$(ls $state/probes)" '' 'no lock is left'

# --- one account ---------------------------------------------------------------------------

forget
# The name is that of the tool; what is in it counts.
digest=$(python3 -c '
h = 0xcbf29ce484222325
for b in b"/etc/key": h = (h ^ b) * 0x100000001b3 % 2**64
print(f"{h:016x}")')
mkdir -p $state/marks
printf 'host=b:22\nuser=xfer\nkeyfile=/etc/key\nstate=faulty\nsince=x\nuntil=%d\nreason=refuses our key\nby=x\n\n' $(($(now) + 60)) > "$state/marks/faulty-xfer@b:22-$digest"
is "$("$balance" < <(three) 2> /dev/null | hosts | tr ' ' '\n' | sort | xargs)" 'a:22 c:22' 'a host that refuses a key is left out'
like "$("$balance" -n < <(three) 2>&1 > /dev/null)" 'passed over xfer@b:22: faulty .* refuses our key' 'says whose'
is "$(keyfile=/home/bear/key; "$balance" < <(three) | hosts | wc -w)" 3 'but not for another key of that account'
is "$("$balance" < <(three | sed s/xfer/bear/) | hosts | wc -w)" 3 'and not for another account'

# --- suspect, maintenance -------------------------------------------------------------------

forget
mark suspect a:22 60
is "$("$balance" -n < <(three) | sed -n 's/^host=//p' | head -n 1)" a:22 'a suspicion whose session is dead does not count'
probe a:22
is "$("$balance" -n < <(three) | sed -n 's/^host=//p' | tail -n 1)" a:22 'that of a living one: last'
end_probe a:22
mark faulty a:22 -1
is "$("$balance" -n < <(three) | sed -n 's/^host=//p' | head -n 1)" a:22 'a dead suspicion does not keep a host from being tried anew'
forget
mark maintenance a:22 -100 'new disks'
mark faulty a:22 -100
like "$("$balance" -n < <(three) 2>&1)" 'passed over a:22: maintenance since [^,]*: new disks' 'maintenance has no end, whatever else there is'
status 75 'and holds for a single host, too' "$balance" < <(route a:22)

# --- damage ----------------------------------------------------------------------------------

forget
echo garbage > $state/marks/faulty-a:22
printf 'host=b:22\nstate=faulty\nsince=x\nuntil=9999999999999999999\nreason=x\nby=x\n\n' > $state/marks/faulty-b:22
mkfifo $state/marks/faulty-c:22
status 0 'marks that are none: exit 0' timeout 10 "$balance" < <(three)
is "$(hosts <<< "$out" | wc -w)" 3 'do not count'
is "$(ls $state/marks)" '' 'and are removed'
is "$(grep -c 'asp-balance.*ERR Removed the unreadable mark' $tmp/syslog)" 3 'which is logged'
long=$(printf 'x%.0s' {1..60}).$(printf 'y%.0s' {1..60}).$(printf 'z%.0s' {1..60}).$(printf 'w%.0s' {1..60})
status 0 'a name of 243 bytes: exit 0' "$balance" < <(route "$long:22" b:22)
mark faulty b:22 0
status 0 'all are due: exit 0' "$balance" < <(route "$long:22" b:22)

rm -rf /run/sallyport
mkdir -m 777 -p $state
chmod 777 $state
status 71 'a state that others may write to: exit 71' "$balance" < <(three)
rm -rf /run/sallyport
status 74 'stdout that nobody reads: exit 74' bash -c "'$balance' < $tmp/route > /dev/full"
done_testing
