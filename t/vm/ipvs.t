#!/bin/bash
# IPVS as the balancer in front of two proxies, as INSTALL has it: one firewall mark for TCP
# and UDP makes them one service, and a client's UDP goes where its SSH went.
. "${0%/*}/../lib/vm.sh"
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/cluster.sh"
. "$LAB_LIB/balancer.sh"

lab_up dmz dmz2 balancer outside outside2 inside1
for node in dmz dmz2; do
  balancer_config | lab_config "$node"
  on "$node" "$LAB_ASPERAPROXY" start > /dev/null
  on "$node" ip link set wan down
  on "$node" ip route add 198.51.100.0/24 via "$BALANCER_SYNC"
done
for client in outside outside2; do
  root=$(lab_root "$client")
  key=$(head -n 1 "$root/home/bear/.ssh/known_hosts" | cut -d ' ' -f 2-)
  echo "[$BALANCER]:33001 $key" >> "$root/home/bear/.ssh/known_hosts"
  on "$client" -u bear bash -c 'head -c 2M /dev/urandom > file'
done

# INSTALL's commands, with the lab's addresses.
on balancer sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.vs.conntrack=1
for protocol in tcp udp; do
  status 0 "one mark: $protocol" on balancer iptables -t mangle -A PREROUTING -d "$BALANCER" -p $protocol --dport 33001 -j MARK --set-mark 33001
done
status 0 'one service' on balancer ipvsadm -A -f 33001 -s sh -p 3600
for address in "$DMZ_SYNC" "$DMZ2_SYNC"; do
  status 0 "behind it: $address" on balancer ipvsadm -a -f 33001 -r "$address" -m
done

sessions_of() { lab_log "$1" | grep -c 'Received connection request'; }
sent=0
for round in 1 2; do
  for client in outside outside2; do
    status 0 "$client, round $round: a file crosses" on "$client" -u bear timeout 120 asp-cp -q -P 33001 file "bear@$BALANCER:/tmp/$client-$round"
    ok 'and is whole' cmp "$(lab_root "$client")/home/bear/file" "$(lab_root inside1)/tmp/$client-$round"
    sent=$((sent + 1))
  done
done
is "$(($(sessions_of dmz) + $(sessions_of dmz2)))" $sent 'each was one session at one of the proxies'
like "$(lab_log dmz; lab_log dmz2)" "Setup UDP forwarding between $OUTSIDE:" "which see the client's own address"

done_testing
