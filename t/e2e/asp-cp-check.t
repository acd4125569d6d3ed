#!/bin/bash
# asp-cp --check: each thing that can come between a partner and a transfer is caused, and the line says what it is and
# who is to be asked. Through the reverse proxy, directly, and through the forward proxy.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/forward.sh"

lab_up dmz outside router natclient inside1 inner outer
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null  # behind the border
proxy_allow

check() {  # client options... : --check by bear there
  local client=$1
  shift
  on "$client" -u bear timeout 150 asp-cp --check -P 33001 "$@" < /dev/null
}
# fails STATUS STEP WORDS ASK NAME client options...: that step fails, and is the last.
fails() {
  local code=$1 step=$2 words=$3 ask=$4 name=$5 last
  shift 5
  status "$code" "$name: status $code" check "$@"
  last=$(grep -E '^[A-Za-z]' <<< "$out" | tail -n 1)
  like "$last" "^$step +FAIL .*$words" "$name: the line of this step says so" || diag "$out" "$err"
  like "$(tail -n 1 <<< "$out")" "^ +.*$ask" "$name: and whom to ask for what"
  unlike "$out" "^(UDP|speed|datagrams).* FAIL.*(UDP|speed)" "$name: nothing is told of later steps"
}

# All is well ------------------------------------------------------------------------

for family in 4 6; do
  lab_family $family
  proxy_allow
  status 0 'through the reverse proxy: all is well' check outside "bear@$SQUASH_AT"
  is "$(awk '/^[A-Za-z]/ { print (/^UDP|^host/ ? $1 " " $2 : $1) }' <<< "$out" | paste -sd,)" \
    'name,TCP,host key,log-in,server,UDP there,UDP back,datagrams,speed' 'with a line for each step, in this order'
  is "$(grep -Evc '^(UDP there|UDP back|host key|[A-Za-z-]+) +ok ' <<< "$out")" 0 'of which each says ok'
  like "$out" "host key +ok +ssh-ed25519 SHA256:" 'the fingerprint of the host key is there to compare'
  like "$out" "up to $([ $family = 4 ] && echo '1472 bytes there, 1472' || echo '1452 bytes there, 1452') back" 'and the largest datagrams of an Ethernet pass'
  like "$out" 'speed +ok +[0-9.]+ Mbit/s there, [0-9.]+ Mbit/s back' 'and a burst in each direction'
  is "$err" '' 'nothing else is said'
done
lab_family 4
proxy_allow
is "$(on inside1 find /home/xfer /tmp -newer /run/sshd.pid -name '*asp*')" '' 'no file was made inside'
ok 'no rule is left' wait_until 10 eval '[ "$(proxy_rules)" = 0 ]'

status 0 'a name is as good' check outside bear@squash.example.com
like "$out" "name +ok +squash.example.com is .*$SQUASH" 'and its addresses are shown'
status 0 'a rate holds for the burst' check outside -l 2M "bear@$SQUASH:"
like "$out" 'speed +ok +(1\.[0-9]|2\.[0-4]) Mbit/s there, (1\.[0-9]|2\.[0-4]) Mbit/s back' 'in both directions'
status 0 '-q says nothing when all is well' check outside -q "bear@$SQUASH"
is "$out$err" '' 'nothing at all'
status 0 '--json is for scripts' check outside --json "bear@$SQUASH"
is "$(python3 -c 'import json,sys; a=json.load(sys.stdin); print(a["host"], a["status"], len(a["steps"]), {s["state"] for s in a["steps"]})' <<< "$out")" \
  "$SQUASH 0 9 {'ok'}" 'an object with all steps'

status 0 'directly, without a proxy' check outside "xfer@$OUTER"
forward_config '<cleanup_interval>1</cleanup_interval>'
forward_user alice
ok 'asperanoded starts' forward_start
status 0 'through the forward proxy' on inner -u bear env ASPERA_PROXY_PASS=alice-secret timeout 60 \
  asp-forward -q --proxy "dnat://alice@$DMZ_LAN_AT:9091" --to outer.example.com --ssh-port 33001 -- \
  asp-cp --check -P %P -O %O 'xfer@[%h]'
is "$(grep -c ' ok ' <<< "$out")" 9 'with the same nine lines'
forward_stop
proxy_allow

# Name and TCP -----------------------------------------------------------------------

fails 69 name 'nowhere.example.com: ' 'Compare the name.*ask the administrator of nowhere.example.com' \
  'a name that is not there' outside bear@nowhere.example.com
fails 69 TCP "$SQUASH port 2 refuses" "Compare the port.*administrator of $SQUASH" \
  'a port where nobody listens' outside -P 2 "bear@$SQUASH"
on dmz iptables -I INPUT -p tcp --dport 33001 -j DROP
fails 69 TCP "$SQUASH port 33001 does not answer" "your own firewall to let TCP out to $SQUASH port 33001" \
  'a firewall that drops TCP' outside "bear@$SQUASH"
on dmz iptables -D INPUT -p tcp --dport 33001 -j DROP
on_exec outer python3 -c 'import socket
s = socket.create_server(("", 7777))
while True: s.accept()[0].sendall(b"220 mail\r\n")' &
wait_until 10 lab_listens outer 7777
fails 69 TCP 'not as SSH: 220 mail' 'what answers there' 'another service at that port' outside -P 7777 "xfer@$OUTER"

# Host key and log-in ----------------------------------------------------------------

home=$(lab_root outside)/home/bear
ssh-keygen -q -t ed25519 -N '' -f "$TMPDIR/other"
install -m 600 "$TMPDIR/other" "$home/other"
{ echo "[$SQUASH]:33001 $(cut -d ' ' -f 1,2 "$TMPDIR/other.pub")"; } > "$home/other_hosts"
: > "$home/no_hosts"
cp "$home/.ssh/config" "$home/strangers"
sed -i 's|^  UserKnownHostsFile.*|  UserKnownHostsFile ~/other_hosts|' "$home/strangers"
sed 's|other_hosts|no_hosts|' "$home/strangers" > "$home/nobody"
printf 'Host *\n  IdentityFile ~/other\n  IdentitiesOnly yes\n' | cat - "$home/.ssh/config" > "$home/other_key"
on outside chown -R bear: /home/bear
fingerprint=$(ssh-keygen -lf "$LAB_DIR/keys/host-dmz.pub" | cut -d ' ' -f 2)
fails 76 'host key' "a different host key from before: ssh-ed25519 $(literally "$fingerprint")" "Do not go on. Ask the administrator of $SQUASH.*ssh-keygen -R '\[$SQUASH\]:33001'" \
  'a host key that has changed' outside -F strangers "bear@$SQUASH"
fails 76 'host key' "not known here: ssh-ed25519 $(literally "$fingerprint")" 'Compare the fingerprint' \
  'a host key that is not known' outside -F nobody "bear@$SQUASH"
fails 77 log-in 'does not let bear in: .*Permission denied' \
  "administrator of $SQUASH whether this key is enrolled for bear: ED25519 $(literally "$(ssh-keygen -lf "$TMPDIR/other.pub" | cut -d ' ' -f 2)")" \
  'a key that is refused' outside -F other_key "bear@$SQUASH"

# UDP --------------------------------------------------------------------------------

forget() { for host in natclient inside1 dmz; do on "$host" ip "-$1" route flush cache; done; }
for family in 4 6; do
  lab_family $family
  proxy_allow
  if [ $family = 4 ]; then most=1372 icmp=icmp told=fragmentation-needed tells='fragmentation needed'
  else most=1352 icmp=icmpv6 told=packet-too-big tells='packet too big'; fi
  on dmz $IPTABLES -I FORWARD -p udp -s "$OUTSIDE" -j DROP
  fails 69 'UDP there' "no datagram to $SQUASH port 33001 reaches" "your own firewall to let UDP out to $SQUASH port 33001; if it does, ask the administrator of $SQUASH" \
    'UDP dropped on the way there' outside "bear@$SQUASH_AT"
  on dmz $IPTABLES -D FORWARD -p udp -s "$OUTSIDE" -j DROP
  on dmz $IPTABLES -I FORWARD -p udp -s "$INSIDE1" -j DROP
  fails 69 'UDP back' 'its own do not arrive here' "own firewall to let the answers in from $SQUASH port 33001; if it does, ask the administrator of $SQUASH" \
    'UDP dropped on the way back' outside "bear@$SQUASH_AT"
  like "$out" 'UDP there +ok' 'while the way there is well'
  on dmz $IPTABLES -D FORWARD -p udp -s "$INSIDE1" -j DROP

  # A narrow way: packets of 1400 bytes at most, between the router and either side.
  if [ $family = 4 ]; then networks=("${SQUASH%.*}.0/24" "${NATCLIENT%.*}.0/24") metric=
  else networks=("${SQUASH%::*}::/64" "${NATCLIENT%::*}::/64") metric='metric 256'; fi  # in the place of the kernel's own
  # shellcheck disable=SC2086  # words
  on router ip "-$family" route replace "${networks[0]}" dev wan $metric mtu lock 1400
  # shellcheck disable=SC2086  # words
  on router ip "-$family" route replace "${networks[1]}" dev home $metric mtu lock 1400
  status 0 'a way that is narrower than Ethernet is well, where routers say so' check natclient "bear@$SQUASH_AT"
  like "$out" "datagrams +ok +up to $most bytes there, $most back, and the network tells whoever" 'and its size is found' || diag "$out"
  on router $IPTABLES -A OUTPUT -p "$icmp" "--$icmp-type" $told -j DROP
  forget $family  # what they were told
  vanish_whole() {
    fails 69 speed 'there: the burst stopped after 0 of' 'own firewall whether it drops parts of datagrams' \
      'large datagrams that vanish whole' natclient "bear@$SQUASH_AT"
  }
  # No router cuts a datagram of IPv6.
  if [ $family = 4 ]; then status 1 'where ICMP is dropped it is not: status 1' check natclient "bear@$SQUASH_AT"
  else vanish_whole; fi
  like "$out" "datagrams +NOTE +up to $most bytes there, $most back; larger ones vanish" 'the line says that larger datagrams vanish' || diag "$out"
  like "$out" "ascp -Z $most.*administrator of your own firewall.*ICMP \"$tells\"" 'what to do, and whom to ask for what'
  [ $family = 4 ] || continue
  like "$out" 'speed +ok' 'and transfers work all the same'
  # And where their fragments vanish, too.
  on router iptables -t raw -A PREROUTING -p udp -m length --length 1300: -j DROP
  vanish_whole
  on router iptables -t raw -F
done
lab_family 4
proxy_allow

# Behind the proxy -------------------------------------------------------------------

on inside1 mv /usr/local/bin/asp-cp /usr/local/bin/away
fails 69 server 'there is no asp-cp on the server' "administrator of $SQUASH to install it" 'no asp-cp inside' outside "bear@$SQUASH"
on inside1 mv /usr/local/bin/away /usr/local/bin/asp-cp
fails 77 server 'The server behind this proxy does not let this account in.' "administrator of $INDIVIDUAL to let your account in" \
  'a user without an account inside' outside "bear@$INDIVIDUAL"
lab_sshd inside1 stop
fails 69 server 'The server behind this proxy cannot be reached.' "administrator of $SQUASH whether the server behind it is up" \
  'the server behind the proxy is down' outside "bear@$SQUASH"
like "$out" 'log-in +ok +bear is let in \(publickey\)' 'while the log-in is well'

for words in '--check' '--check -r host' '--check --ls host:x' '--check host:path' '--check -R 3 host'; do
  # shellcheck disable=SC2086  # words
  status 64 "$words is wrong usage" on outside -u bear asp-cp $words
done
done_testing
