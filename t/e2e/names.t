#!/bin/bash
# host_domain rules: the name that the client asked for, from its stream, its
# command line and its environment; and not a byte of the stream is lost.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1 inside2 inside3
ascmd=$LAB_LIB/ascmd.py
for host in inside1 inside2 inside3; do
  python3 "$ascmd" --stand-in "$host" > "$(lab_root "$host")/usr/local/bin/ascmd"
  chmod 755 "$(lab_root "$host")/usr/local/bin/ascmd"
  cp "$(lab_root "$host")/usr/local/bin/ascmd" "$(lab_root "$host")/usr/local/bin/probe"
done
squash="<keyfile>$LAB_PREFIX/etc/ssh_keys/id_ed25519</keyfile><squash_user>xfer</squash_user>"
# rule CONDITIONS HOST [MORE]
rule() { echo "<rule $1><host>$2</host>$squash${3-}</rule>"; }
configure() {
  {
    echo '<CONF><server><rproxy><enabled>true</enabled><log_level>2</log_level><rules>'
    cat
    echo '</rules></rproxy></server><default><aspshell_commands>'
    echo '<command>probe ...</command><command udp="false">ascmd -V2 ...</command><command udp="false">speak</command>'
    echo '</aspshell_commands></default></CONF>'
  } | lab_config
}
by_name() {
  rule 'host_domain="Faspex.Example.com"' "$INSIDE2"
  rule 'host_domain="other.example.com:33001"' "$INSIDE3"
}
{
  by_name
  rule "host_ip=\"$SQUASH\"" "$INSIDE1"
} | configure
# ask CASE COMMAND [SSH-OPTION...]
ask() {
  local which=$1 command=$2
  shift 2
  on outside -u bear timeout 30 python3 "$ascmd" "$which" ssh -p 33001 "$@" "bear@$SQUASH" "$command"
}

# The stream: where it leads, and that all of it arrives --------------------------------
# Over one connection, so that a session is there when its bytes are sent.
shared=(-S "/home/bear/shared-%C")
on outside -u bear ssh -MNf "${shared[@]}" -p 33001 "bear@$SQUASH" > "$TMPDIR/shared" 2>&1
while read -r which where; do
  is "$(ask "$which" 'ascmd -V2' "${shared[@]}" < /dev/null)" "$where whole" "ascmd -V2, $which: to $where, byte for byte"
done << 'END'
whole inside2
line-then-rest inside2
in-pieces inside2
cr-lf inside2
with-port inside2
upper-case inside2
large inside2
two-lines inside2
other-name inside3
no-newline inside1
no-newline-at-all inside1
large-garbage inside1
nothing inside1
silent inside1
garbage inside1
nul inside1
nul-in-line inside1
long-line inside1
long-line-in-pieces inside1
no-name inside1
hostile-name inside1
other-command inside1
END
like "$(lab_log dmz)" 'Established SSH connection .* domain=faspex.example.com:33001 rule=1 ' 'the log has the name'
like "$(lab_log dmz)" 'Established SSH connection .* domain=- rule=3 ' 'and that there was none'

# Other commands, and the other sources --------------------------------------------------
is "$(ask whole probe)" 'inside2 whole' 'the line is found before the stream of any other command, with a pinhole'
is "$(ask other-command 'probe --host=faspex.example.com')" 'inside2 whole' 'a name in the command line'
is "$(ask other-name 'probe --host=faspex.example.com')" 'inside3 whole' 'the stream comes first'
is "$(ask no-name 'probe --host=faspex.example.com')" 'inside2 whole' 'a stream that names none does not'
is "$(ask other-command 'probe --host=faspex.example.com --host=other.example.com')" 'inside1 whole' 'two names are none'
ask_with() {  # VALUE CASE COMMAND
  on outside -u bear env ASPERA_HOST="$1" timeout 30 python3 "$ascmd" "$2" ssh -p 33001 -o SendEnv=ASPERA_HOST "bear@$SQUASH" "$3"
}
is "$(ask_with faspex.example.com other-command 'ascmd -V2')" 'inside2 whole' 'a name in ASPERA_HOST'
is "$(ask_with other.example.com other-command 'probe --host=faspex.example.com')" 'inside2 whole' 'the command line comes before it'
is "$(ask_with other.example.com whole 'ascmd -V2')" 'inside2 whole' 'and so does the stream'
for value in '' 'a b' '$(id)' 'faspex.example.com:x' "$(printf '%5000s' x)"; do
  is "$(ask_with "$value" other-command 'ascmd -V2')" 'inside1 whole' "ASPERA_HOST='${value:0:20}': no name"
done
is "$(on outside -u bear env ASPERA_HOST=faspex.example.com LD_PRELOAD=/x LANG=xx ssh -p 33001 \
  -o SendEnv='ASPERA_HOST LD_PRELOAD LANG' "bear@$SQUASH" 'ascmd -V2' < /dev/null 2> /dev/null | cut -d ' ' -f 1)" inside2 \
  'and nothing else that a client sends comes in its way'
# Who waits, and who does not ------------------------------------------------------------
took() {  # CASE COMMAND: milliseconds from login to the end
  local start
  start=$(date +%s%N)
  ask "$@" > "$TMPDIR/said"
  echo $((($(date +%s%N) - start) / 1000000))
}
cat > "$TMPDIR/speaks" << 'END'
#!/bin/sh
echo hello
END
for host in inside1 inside2; do install -m 755 "$TMPDIR/speaks" "$(lab_root "$host")/usr/local/bin/speak"; done
mkfifo "$TMPDIR/open"
# What a session takes that need not wait at all.
usual=$(took whole 'ascmd -V2')
waits() {  # a client that lets the server speak first: milliseconds to its answer
  local start
  start=$(date +%s%N)
  sleep 30 > "$TMPDIR/open" &
  local sleeper=$!
  on outside -u bear ssh -p 33001 "bear@$SQUASH" speak < "$TMPDIR/open" > "$TMPDIR/said"
  kill "$sleeper"
  wait "$sleeper" 2> /dev/null
  echo $((($(date +%s%N) - start) / 1000000))
}
slow=$(waits)
is "$(cat "$TMPDIR/said")" hello '(a server that speaks first is heard)'
ok "a client that is silent waits 2 s ($slow ms)" test "$slow" -ge 2000
ok 'and not much more' test "$slow" -lt $((4000 + 2 * usual))
started=$(date +%s%N)
on outside -u bear ssh -tt -p 33001 "bear@$SQUASH" speak < /dev/null > "$TMPDIR/said" 2>&1
like "$(tr -d '\r' < "$TMPDIR/said")" hello '(on a terminal)'
ok 'a terminal is not looked at' test $((($(date +%s%N) - started) / 1000000)) -lt $((1000 + 2 * usual))
fast=$(took other-command 'ascmd -V2')
ok "one that speaks otherwise does not ($fast ms)" test "$fast" -lt $((1000 + 2 * usual))
{
  rule "host_ip=\"$INDIVIDUAL\" host_domain=\"faspex.example.com\"" "$INSIDE2"
  rule 'host_domain="faspex.example.com"' "$INSIDE2" '<users>bobcat</users>'
  rule "host_ip=\"$SQUASH\"" "$INSIDE1"
  by_name
} | configure
fast=$(waits)
ok "nor one whose route no name can change ($fast ms)" test "$fast" -lt $((1000 + 2 * usual))
is "$(ask whole 'ascmd -V2')" 'inside1 whole' 'the first rule that applies is used'

# No rule for the name -----------------------------------------------------------------------
by_name | configure
like "$(ask garbage 'ascmd -V2')" 'failed 77 .*This proxy does not permit that' 'no name, and no other rule: refused'
like "$(lab_log dmz)" 'asp-upstream.*ERR No server for bear: no rule matches bear at [0-9.:]+, who asks for no name \(see asp-match -e\) session=' 'the log says why'
is "$(ask other-name 'ascmd -V2')" 'inside3 whole' 'a port in a rule is the one that the client connected to'
is "$(on outside -u bear timeout 30 python3 "$ascmd" other-name ssh -p 22 "bear@$SQUASH" 'ascmd -V2' | cut -c 1-9)" 'failed 77' 'at another port it is not'
done_testing
