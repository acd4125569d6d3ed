#!/bin/bash
# asp-rules: stdout, stderr and status of the real binary; and what the real
# iptables-restore makes of its text, in a network namespace of its own.
. "${0%/*}/../lib/here.sh"

rules=${BUILD:-build}/bin/asp-rules
golden=t/unit/golden
all_jumps=PREROUTING,POSTROUTING,FORWARD

if [ "$1" = in-namespace ]; then  # backend, 4 or 6: TAP without numbers or plan
  backend=$2 family=$3
  tool=iptables six=
  [ "$family" = 6 ] && tool=ip6tables six=-6
  restore() { "$tool-$backend-restore" --noflush --wait 5; }
  # Without comments, counters, and policies of chains that are not ours.
  saved() { "$tool-$backend-save" -t "$1" 2> /dev/null | grep -v '^[#*:C]'; }
  put() {  # verb, sessions, more options
    local verb=$1 sessions=$2
    shift 2
    # shellcheck disable=SC2086
    "$rules" $six "$@" "$verb" < "$sessions" | restore
  }
  refused() { ! put "$@" 2> /dev/null; }
  name() { printf '%s %s: %s' "$tool" "$backend" "$1"; }
  sessions=$golden/sessions
  sed '/^flow=/d' "$sessions" > "$tmp/unpinned"
  one=11111111-0000-4000-8000-000000000002
  [ "$family" = 6 ] && one=66666666-0000-4000-8000-000000000002
  awk -v RS= -v ORS='\n\n' -v id="session=$one" 'index($0, id)' "$sessions" > "$tmp/one"
  awk -v RS= -v ORS='\n\n' -v id="session=$one" '!index($0, id)' "$sessions" > "$tmp/others"
  # The administrator's own rules.
  echo "*nat
-A PREROUTING -p tcp -m tcp --dport 81 -j REDIRECT --to-ports 82
-A POSTROUTING -o eth9 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP [0:0]
-A FORWARD -i eth8 -j ACCEPT
COMMIT" | restore || exit
  own_nat=$(saved nat) own_filter=$(saved filter)

  ok "$(name 'open is refused where the base is missing')" refused open "$tmp/unpinned"
  is "$(saved nat)$(saved filter)" "$own_nat$own_filter" "$(name 'and nothing was changed')"

  ok "$(name 'base is accepted')" put base /dev/null
  jumps_nat=$(saved nat) jumps_filter=$(saved filter)
  is "$(grep -hi sallyport <(echo "$jumps_nat") <(echo "$jumps_filter") | sort)" "$("$rules" $six base < /dev/null | sed -n 's/^-[AI] /-A /p' | sort)" \
    "$(name 'every rule of it is printed back word for word')"
  is "$(grep -c SALLYPORT <<< "$jumps_filter"),$(grep -c -- '-j SALLYPORT' <<< "$jumps_nat"),$("$tool-$backend-save" 2> /dev/null | grep -c '^:SALLYPORT')" '0,3,3' "$(name 'all jumps are there, and no more than three chains')"
  is "$(grep -c -- '--comment sallyport -j ACCEPT' <<< "$jumps_filter")" 1 "$(name '(and the rule of FORWARD)')"
  like "$jumps_nat" '--dport 81 -j REDIRECT' "$(name 'foreign rules stay')"
  ok "$(name 'base again, with the jumps that are there, is accepted')" put base /dev/null -j "$all_jumps"
  is "$(saved nat)$(saved filter)" "$jumps_nat$jumps_filter" "$(name 'and changes nothing')"

  ok "$(name 'open is accepted')" put open "$tmp/unpinned"
  "$rules" ${six:+-6} open < "$tmp/unpinned" | sed -En 's/^-[AI] (SALLYPORT-(SESSIONS |SNAT -s))/-A \1/p' | sort > "$tmp/wanted"
  is "$(saved nat | grep -E -- '-A SALLYPORT-(SESSIONS |SNAT -s)' | sort)" "$(cat "$tmp/wanted")" "$(name 'every rule is printed back word for word')"

  ok "$(name 'pin is accepted')" put pin "$sessions"
  is "$(saved nat | grep -E -- '-A SALLYPORT-(SESSIONS |SNAT -s)' | sort)" \
    "$("$rules" ${six:+-6} open < "$sessions" | sed -En 's/^-[AI] (SALLYPORT-(SESSIONS |SNAT -s))/-A \1/p' | sort)" \
    "$(name 'and exactly the pinned rules are narrowed')"
  front=$(saved nat | grep -- '-A SALLYPORT-SESSIONS ' | awk '/--sport/ {if (open[$2]) bad = 1} !/--sport/ {open[$2] = 1} END {print bad + 0}')
  is "$front" 0 "$(name 'pinned rules stand before open ones')"
  front=$(saved nat | grep -- '-A SALLYPORT-SNAT -s' | awk '/--sport/ {if (open[$2]) bad = 1} !/--sport/ {open[$2] = 1} END {print bad + 0}')
  is "$front" 0 "$(name 'also those that say where from')"
  ok "$(name 'a rule is pinned but once')" refused pin "$sessions"
  before=$(saved nat)

  ok "$(name 'close of one session is accepted')" put close "$tmp/one"
  is "$(saved nat)" "$(grep -v -- "$one" <<< "$before")" "$(name 'and takes away exactly its rule')"
  ok "$(name 'a rule is closed but once')" refused close "$tmp/one"
  put close "$sessions" 2> /dev/null
  is "$(saved nat)" "$(grep -v -- "$one" <<< "$before")" "$(name 'a close that fails in part changes nothing')"
  ok "$(name 'close of all others is accepted')" put close "$tmp/others"
  is "$(saved nat)$(saved filter)" "$jumps_nat$jumps_filter" "$(name 'and leaves the base alone')"

  ok "$(name 'open and close of a pinned session')" put open "$tmp/one"
  ok "$(name 'a session that was pinned before it was opened')" put close "$tmp/one"
  sed 's/^udp_port_range=.*/udp_port_range=33001:33001/; /^flow=/d' "$sessions" > "$tmp/single"
  ok "$(name 'open of a range of one port')" put open "$tmp/single"
  ok "$(name 'and close')" put close "$tmp/single"

  put open "$tmp/unpinned"
  ok "$(name 'base puts back exactly the sessions given')" put base "$tmp/one" -j "$all_jumps"
  is "$(saved nat | grep -c -- '-A SALLYPORT-SESSIONS ')" 1 "$(name 'in one step')"

  for chain in PREROUTING POSTROUTING FORWARD; do
    table=nat
    [ $chain = FORWARD ] && table=filter
    saved $table | grep -- "-A $chain .*--comment sallyport -j" | sed "s/^-A/*$table\n-D/; \$a COMMIT" | restore
    ok "$(name "open is refused where $chain has lost its jump")" refused open "$tmp/unpinned"
    is "$(saved nat | grep -c -- '-A SALLYPORT-SESSIONS ')" 1 "$(name 'and no session has a rule more')"
    rest=$(tr , '\n' <<< "$all_jumps" | grep -v $chain | paste -sd,)
    ok "$(name "base mends $chain")" put base "$tmp/one" -j "$rest"
  done
  "$tool-$backend" -t nat -F SALLYPORT
  ok "$(name 'open is refused where nothing leads to the rules')" refused open "$tmp/unpinned"
  ok "$(name 'base mends it')" put base "$tmp/one" -j "$all_jumps"
  "$tool-$backend" -t nat -F SALLYPORT-SNAT
  ok "$(name 'open is refused where masquerading is gone')" refused open "$tmp/unpinned"
  ok "$(name 'base mends that, too')" put base "$tmp/one" -j "$all_jumps"
  "$tool-$backend" -t nat -F
  ok "$(name 'pin is refused on a flushed table')" refused pin "$sessions"
  put base "$sessions" -j FORWARD
  ok "$(name 'purge is accepted')" put purge /dev/null -j "$all_jumps"
  is "$("$tool-$backend-save" 2> /dev/null | grep -ic sallyport)" 0 "$(name 'and nothing of ours is left')"
  is "$(saved filter)" "$own_filter" "$(name 'foreign rules of filter are as they were')"
  ok "$(name 'purge of nothing is accepted')" put purge /dev/null
  is "$("$tool-$backend-save" 2> /dev/null | grep -ic sallyport)" 0 "$(name 'and leaves nothing')"
  [ "$tap_failed" -eq 0 ]
  exit
fi

# --- 0: the text ------------------------------------------------------------------

run() {  # stdin from a file, then arguments
  local in=$1
  shift
  "$rules" "$@" < "$in"
}
lines() { grep -c -- "$1" <<< "$out"; }
for family in 4 6; do
  six=
  [ $family = 6 ] && six=-6
  for verb in open pin close; do
    # shellcheck disable=SC2086
    status 0 "IPv$family $verb: exit 0" run "$golden/sessions" $six $verb
    is "$out" "$(cat "$golden/v$family-$verb")" 'the golden text, sessions of the other family passed over'
    is "$err" '' 'nothing on stderr'
  done
  # shellcheck disable=SC2086
  {
    status 0 "IPv$family base: exit 0" run "$golden/sessions" $six base
    is "$err" '' 'nothing on stderr'
    is "$(lines '^-I [A-Z]* ')" 3 'three jumps'
    is "$(grep -E 'SALLYPORT-(SESSIONS|SNAT) -s' <<< "$out")" "$(grep -E '^-[AI] SALLYPORT-(SESSIONS|SNAT) -s' "$golden/v$family-open")" 'the rules of the sessions, sessions of the other family passed over'
    status 0 "IPv$family base, with jumps present: exit 0" run "$golden/sessions" $six -j "$all_jumps" base
    is "$(lines '^-I [A-Z]* ')" 0 'no jump is added twice'
    status 0 "IPv$family purge: exit 0" run /dev/null $six purge
    is "$(lines '^:SALLYPORT') $(lines '^-X SALLYPORT') $(lines '^-D')" '3 3 0' 'all chains go'
    status 0 "IPv$family purge, with jumps present: exit 0" run /dev/null $six -j "$all_jumps" purge
    is "$(lines '^:SALLYPORT') $(lines '^-X SALLYPORT') $(lines '^-D [A-Z]* ')" '3 3 3' 'the jumps go too'
  }
done
status 0 'no sessions are fine: base' run /dev/null base
status 0 'no sessions are fine: close' run /dev/null close
is "$out" '*nat
COMMIT' 'and close nothing'
status 0 'purge does not wait for stdin' timeout 2 "$rules" purge < <(exec sleep 3)
sed '1d; /^$/q' "$golden/sessions" > "$tmp/one"
awk '{lines[NR] = $0} END {
  for (i = 100000; i < 102000; ++i) for (n = 1; n <= NR; ++n) {
    sub(/^session=.*/, "session=11111111-0000-4000-8000-000000" i, lines[n]); print lines[n]
  }
}' "$tmp/one" > "$tmp/many"
status 0 '2000 sessions: exit 0' run "$tmp/many" open
is "$(grep -c '^-A SALLYPORT-SESSIONS ' <<< "$out")" 2000 'a rule for each'

# --- nftables -----------------------------------------------------------------------

awk '{ print } /^rule=/ { print "forwarding=nftables" }' "$golden/sessions" > "$tmp/nft"
sed '/^flow=/d' "$tmp/nft" > "$tmp/nft-open"
status 0 'asp-rules -n base: exit 0' run "$tmp/nft" -n base
is "$out" "$(cat "$golden/nft-base")" 'the golden text'
status 0 'sessions of iptables are passed over' run "$golden/sessions" -n open
is "$out" '' 'each'
status 0 'and those of nftables' run "$tmp/nft" open
unlike "$out" '-[AI] SALLYPORT' 'by iptables'
nft_in() { unshare -n "$BASH" -c "rules='$rules' tmp='$tmp'; $(declare -f nft_story); nft_story"; }
nft_story() {
  elements() { nft list table inet sallyport | grep -c ' comment .* : '; }
  "$rules" -n open < "$tmp/nft-open" | nft -f - 2> /dev/null && echo 'open without a table'
  "$rules" -n base < "$tmp/nft-open" | nft -f - || echo 'no base'
  echo "base $(elements)"
  "$rules" -n pin < "$tmp/nft" | nft -f - || echo 'no pin'
  nft list table inet sallyport | sed -n 's/^.*map \([a-z_]*[46].*\) {$/\1/p; s/^.*comment "\([^"]*\)" :.*/\1/p' > "$tmp/pinned"
  "$rules" -n close < "$tmp/nft-open" | nft -f - 2> /dev/null && echo 'closed what is not there'
  "$rules" -n close < "$tmp/nft" | nft -f - || echo 'no close'
  echo "close $(elements)"
  "$rules" -n open < "$tmp/nft" | nft -f - || echo 'no open'
  nft -j list table inet sallyport > "$tmp/list"
  "$rules" -n purge < /dev/null | nft -f - || echo 'no purge'
  "$rules" -n purge < /dev/null | nft -f - || echo 'no second purge'
  echo "left $(nft list ruleset | wc -l)"
}
if nft_in > "$tmp/told" 2>&1; then
  is "$(xargs < "$tmp/told")" "base $(grep -c ' comment ' <<< "$(sed 's/ timeout/\n comment/g' "$golden/nft-base" | grep '^ comment')") close 0 left 0" 'nft: base, pin, close, open and purge are accepted, and do it' || diag "$(cat "$tmp/told")"
  # Kind by kind: which comes first, and how a type that is made of others is written,
  # is for the version of nft.
  stable() { python3 -c '
import json, re, sys
items = [pair for item in json.load(open(sys.argv[1]))["nftables"] for pair in item.items()]
for kind, what in sorted(items, key=lambda pair: pair[0]):
    if isinstance(what.get("map"), list): what["map"] = " . ".join(what["map"])
    elements = sorted(re.sub(", \"expires\": [0-9]+", "", json.dumps(one)) for one in what.pop("elem", []))
    what.pop("handle", None)
    if kind == "set":
        elements = []  # what is near stays when a session goes
        what.pop("type")
    if kind != "metainfo": print(kind, json.dumps(what), *elements)' "$1"; }
  is "$(stable "$tmp/list")" "$(stable "$golden/nft-list")" 'and nft lists it as the golden list has it'
else
  skip 'no nftables here' 'nft'
fi
for args in '-n -6 open' '-n -j FORWARD base' '-n opne' '-n'; do
  # shellcheck disable=SC2086
  status 64 "asp-rules $args: exit 64" "$rules" $args < /dev/null
done

# --- 64: usage ----------------------------------------------------------------------

for args in '' 'opne' 'open close' '-x open' '-j' '-j INPUT open' '-j PREROUTING,OUTPUT base' 'OPEN' 'open -6' '-4 open'; do
  # shellcheck disable=SC2086
  status 64 "asp-rules $args: exit 64" "$rules" $args < /dev/null
  like "$err" '^asp-rules: .*usage: asp-rules ' 'the usage, on one line'
  is "$out" '' 'no text'
done
status 64 'an escape sequence for a verb: exit 64' "$rules" $'\e[31mopen' < /dev/null
unlike "$err" $'\e' 'is escaped'
like "$err" 'no such verb: \\x1b\[31mopen' 'once'

# --- 65: bad input -------------------------------------------------------------------

change() { sed "s|^$1=.*|$1=$2|" "$tmp/one"; }
bad() {  # name, pattern; text on stdin
  cat > "$tmp/bad"
  local verb
  for verb in open base pin close; do
    status 65 "$1, $verb: exit 65" run "$tmp/bad" $verb
    is "$out" '' 'no text at all'
  done
  like "$err" "$2" "says why: $2"
}
bad 'an id that is none' "session: 'x' is not valid" < <(change session x)
bad 'an id with a rule in it' 'is not valid' < <(change session '11111111-0000-4000-8000-000000000001 -j ACCEPT')
bad 'an address with a rule in it' 'is not address:port' < <(change client '198.51.100.10:1 -j ACCEPT')
bad 'a name for a host' 'is not address:port' < <(change host 'inside1:22')
bad 'mixed families' 'mix IPv4 and IPv6' < <(change host '[2001:db8::1]:22')
bad 'a source address of the other family' 'mix IPv4 and IPv6' < <(sed '/^$/d' "$tmp/one"; echo 'bind_source_address=2001:db8::1')
bad 'a source address with a rule in it' 'is not valid' < <(sed '/^$/d' "$tmp/one"; echo 'bind_source_address=203.0.113.2 -j ACCEPT')
bad 'a port too high' "proxy_port: '65536' is not valid" < <(change proxy_port 65536)
bad 'UDP port 0' "udp_port: '0' is not valid" < <(change udp_port 0)
bad 'ports kept, but which' 'udp_port_range is missing' < <(change proxy_port 0)
bad 'a boolean that is none' 'src_port_filtering' < <(change src_port_filtering maybe)
bad 'no client' 'client is missing' < <(sed '/^client=/d' "$tmp/one")
bad 'a name that does not belong' 'keyfile does not belong here' < <(sed '/^$/d' "$tmp/one"; echo 'keyfile=/k')
bad 'a name twice' 'user is given twice' < <(sed '/^$/d' "$tmp/one"; echo 'user=root')
bad 'one good session, then garbage' 'not name=value' < <(cat "$tmp/one"; echo garbage)
bad 'the flow of another client' 'flow' < <(sed '/^$/d' "$tmp/one"; echo 'flow=198.51.100.99:1 203.0.113.10:1')
bad 'random bytes' 'record: ' < <(printf x; head -c 3000 /dev/urandom | tr '\n' x)
bad 'a NUL byte' 'control character' < <(printf 'user=a\0b\n')
bad 'a record over 8 KiB' 'more than 8192 bytes' < <(echo -n 'user='; head -c 9000 /dev/zero | tr '\0' x; echo)

# --- 74 ---------------------------------------------------------------------------------

to() { "$rules" open < "$golden/sessions" > "$1"; }
status 74 'a full disk under stdout: exit 74' to /dev/full
like "$err" '^asp-rules: write to descriptor 1: No space left on device$' 'says why'
status 74 'a pipe that nobody reads: exit 74, no signal' bash -c "'$rules' open < $tmp/many | true; exit \${PIPESTATUS[0]}"
status 74 'stdin is a directory: exit 74' run / open
closed_out() { "$rules" purge >&- < /dev/null; }
status 74 'closed stdout: exit 74, for the text went nowhere' closed_out

# --- the real thing -----------------------------------------------------------------------

for backend in nft legacy; do
  for family in 4 6; do
    tool=iptables
    [ $family = 6 ] && tool=ip6tables
    name="$tool $backend takes the text, prints it back, and forgets it"
    if ! unshare -n true 2> /dev/null; then
      skip 'needs root and network namespaces' "$name"
    elif ! unshare -n "$tool-$backend" -t nat -S > /dev/null 2>&1; then
      skip "$tool-$backend does not work here" "$name"
    else
      unshare -n "$0" in-namespace $backend $family > "$tmp/inside" 2>&1
      tap_result $? "$name" || diag "$(cat "$tmp/inside")"
      ok 'and all of it was tried' test "$(grep -c '^ok' "$tmp/inside")" -ge 40
    fi
  done
done

done_testing
