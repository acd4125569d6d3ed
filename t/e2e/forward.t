#!/bin/bash
# The forward proxy: someone on inner, who has no way out, moves files to and from
# outer with asp-forward, and logs in there with ssh.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/forward.sh"

lab_up dmz inner outer
sum() { on "$1" -u "$2" sha256sum "$3" | cut -d ' ' -f 1; }
# forward SCHEME [OPTIONS...]: asp-forward by bear on inner.
forward() {
  local proxy options=()
  case $1 in
    dnat) proxy=dnat://alice@$DMZ_LAN_AT:9091 ;;
    dnats) proxy=dnats://alice@$DMZ_LAN_AT:9092 options=(--fingerprint "$FINGERPRINT") ;;
  esac
  shift
  on inner -u bear env ASPERA_PROXY_PASS=alice-secret timeout 60 \
    asp-forward --proxy "$proxy" "${options[@]}" "$@"
}
outer_log_has() { lab_log outer | grep -q "$1"; }
packets() { tcpdump -nr "$TMPDIR/outer.pcap" "$@" 2> /dev/null | wc -l; }

forward_config '<cleanup_interval>1</cleanup_interval>'
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null  # behind the border
forward_user alice
ok 'asperanoded starts' forward_start
like "$(lab_log dmz)" 'asperanoded.*LOG proxy service ready \(port range 5000-10000\)' 'and says so, as the original does'
like "$(lab_log dmz)" 'asperanoded.*LOG Started on port\(s\) 9091,9092s' 'with its ports'
like "$FINGERPRINT" . 'and with the fingerprint of the certificate that it made'
is "$(ps -o uid= -p "$(lab_pids dmz asperanoded | head -n 1)" | xargs)" \
  "$(on dmz id -u sallyport-node)" 'it is not root'
on inner -u bear bash -c ': < /dev/tcp/198.51.100.50/22' 2> /dev/null
is $? 1 'inner cannot reach outer by itself'

# Copies -------------------------------------------------------------------------------

# Host keys are checked strictly (lab-furnish.sh): outer is known by name and address.
on inner -u bear bash -c 'head -c 20M /dev/urandom > up'
on outer -u xfer bash -c 'head -c 20M /dev/urandom > down'
lab_capture outer wan 'tcp or udp' "$TMPDIR/outer.pcap"
number=0
for family in 4 6; do
  lab_family $family
  for scheme in dnat dnats; do
    number=$((number + 1))
    status 0 "$scheme: a file goes out" forward $scheme --to outer.example.com --ssh-port 33001 -- \
      asp-cp -q -P %P -O %O up "xfer@[%h]:up$number"
    is "$(sum outer xfer "up$number")" "$(sum inner bear up)" "$scheme: and is the same there"
    status 0 "$scheme: a file comes in" forward $scheme --to "$OUTER" --ssh-port 22 -- \
      asp-cp -q -P %P -O %O "xfer@[%h]:down" "down$number"
    is "$(sum inner bear "down$number")" "$(sum outer xfer down)" "$scheme: and is the same here"
    is "$(forward_left)" '0 0 0' 'neither left an element, a flow or a record'
  done
done
lab_family 4

# ssh ------------------------------------------------------------------------------------

cat > "$(lab_root inner)/home/bobcat/.ssh/config" << END
Host outer.example.com
  UserKnownHostsFile ~/.ssh/known_hosts
  ProxyCommand asp-forward --proxy dnats://alice@$DMZ_LAN:9092 --fingerprint $FINGERPRINT --to %h --ssh-port %p -W
  StrictHostKeyChecking yes
  BatchMode yes
END
in_ssh() { on inner -u bobcat env ASPERA_PROXY_PASS=alice-secret timeout 30 ssh "$@"; }
status 0 'ssh goes through asp-forward as ProxyCommand' in_ssh bobcat@outer.example.com 'echo "$USER on $(hostname)"'
is "$out" 'bobcat on outer' 'and arrives'
is "$(head -c 3000000 /dev/urandom | tee "$TMPDIR/piped" | in_ssh -p 33001 bobcat@outer.example.com sha256sum | cut -d ' ' -f 1)" \
  "$(sha256sum "$TMPDIR/piped" | cut -d ' ' -f 1)" 'with every byte of its input, on another port too'
status 3 'and the exit status of the command' in_ssh bobcat@outer.example.com 'exit 3'
ok '(its leases are over)' wait_until 10 forward_nothing

# No client fills the kernel's table of flows through its lease.
bound() {  # elements
  on dmz sed -i "s|<max_flows.*_client>||; s|<server>|&$1|" "$LAB_PREFIX/etc/aspera.conf"
  on dmz "$LAB_PREFIX/bin/asperaproxy" reload > /dev/null
}
lab_udp outer echo "$OUTER_AT:33001" "$TMPDIR/echoed"
ok '(a lease)' lease
bound '<max_flows_per_client>4</max_flows_per_client>'
read -r answered _ <<< "$(on inner python3 "$LAB_LIB/flows.py" "$DMZ_LAN" "$udp_port" 50)"
is "$answered" 4 'of 50 flows through a lease its client has as many as it may'
bound ''
api DELETE "/proxy/leases/$lease"
kill "$LAB_UDP"
wait "$LAB_UDP"
ok '(the lease is over)' wait_until 10 forward_nothing

sed -i 's/^outer.example.com \(.*\)/outer.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl/; s/^\([^ ]*\),outer.example.com /\1 /' \
  "$(lab_root inner)/home/bobcat/.ssh/known_hosts"
in_ssh bobcat@outer.example.com true 2> "$TMPDIR/strict"
is $? 255 'a server of another key is refused'
like "$(cat "$TMPDIR/strict")" 'Host key verification failed' 'by ssh'

# What outer saw -----------------------------------------------------------------------------

ok '(the capture has ended)' lab_capture_end
proxies="host $DMZ or host $DMZ_6 or host $SQUASH_6 or host $INDIVIDUAL_6" # of IPv6, the kernel chooses
for protocol in 'ip proto \udp' 'ip6 proto \udp' 'ip proto \tcp' 'ip6 proto \tcp'; do
  ok "outer saw packets of $protocol from the proxy" test "$(packets "($proxies) and $protocol")" -gt 100
done
is "$(packets "not ($proxies)")" 0 'and none from or to any other address'
like "$(lab_log outer)" "Accepted publickey for xfer from $DMZ " 'sshd there knows the proxy only'
unlike "$(lab_log outer)" "from $INNER" 'and nobody else'

# Afterwards -----------------------------------------------------------------------------------

ok '(all leases are over)' wait_until 10 forward_nothing
forward_receiver
forward_config '<cleanup_interval>1</cleanup_interval><session_timeout>60</session_timeout>'
forward_stop
forward_start
ok '(a lease carries a stream)' forward_lease_stream late
api DELETE "/proxy/leases/$lease"
lab_capture outer wan "port 7000" "$TMPDIR/late.pcap"
ok 'after its end, what inner still sends arrives nowhere' is_cut late
lab_capture_end
is "$(tcpdump -nr "$TMPDIR/late.pcap" "src host $DMZ" 2> /dev/null)" '' 'not even as packets'
stream_end late
forward_stop
done_testing
