# cluster_scene.sh: where the stories of leases that two nodes of a cluster share are set.
# story.py starts it, and it starts the story.
#
# This network namespace is the node proxy1; proxy2 has namespaces of its own. Both
# have the shared addresses all the time: what VRRP would say, the test says
# (asperaproxy takeover, standby). inner is the client, outer the server beyond.
. "${0%/*}/spool.sh"
[ -x /usr/bin/redis-server ] || { echo '1..0 # SKIP needs redis-server'; exit; }

suite asp-lease asp-redis asp-reap asp-sessions asperaproxy
mkdir -p $prefix/var/log
account sallyport-node 64321
account sallyport-dial 64322

mkdir -p /run/netns /run/sallyport
hostname proxy1
ip netns add inner && ip netns add outer && ip netns add two || exit
wire() {  # NAMESPACE ADDRESS4 ADDRESS6 BRIDGE
  ip link add "to-$1" type veth peer name "$4" netns "$1" && ip link set "to-$1" master "$4" up || exit
  ip -n "$1" link set lo up
  ip -n "$1" address add "$2" dev "$4" && ip -n "$1" address add "$3" dev "$4" nodad && ip -n "$1" link set "$4" up
}
# Two networks and a cable: lan, wan and sync are bridges here, so that proxy1 is on each.
for net in lan wan sync; do ip link add $net type bridge && ip link set $net up; done
ip address add 203.0.113.1/24 dev lan && ip address add 2001:db8:2::1/64 dev lan nodad
ip address add 198.51.100.1/24 dev wan && ip address add 2001:db8:1::1/64 dev wan nodad
ip address add 192.0.2.1/24 dev sync
wire inner 203.0.113.20/24 2001:db8:2::20/64 lan
wire outer 198.51.100.50/24 2001:db8:1::50/64 wan
for net in lan wan sync; do ip link add to-two-$net type veth peer name $net netns two && ip link set to-two-$net master $net up; done
ip -n two link set lo up
for net in lan wan sync; do ip -n two link set $net up; done
ip -n two address add 203.0.113.2/24 dev lan && ip -n two address add 198.51.100.2/24 dev wan && ip -n two address add 192.0.2.2/24 dev sync
ip -n two address add 2001:db8:2::2/64 dev lan nodad && ip -n two address add 2001:db8:1::2/64 dev wan nodad
# The shared ones: here they answer, there they are only known.
ip address add 203.0.113.5/24 dev lan && ip address add 198.51.100.39/24 dev wan
ip address add 2001:db8:2::5/64 dev lan nodad && ip address add 2001:db8:1::39/64 dev wan nodad
for address in 203.0.113.5/32 198.51.100.39/32; do ip -n two address add $address dev lo; done
sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.netfilter.nf_conntrack_acct=1 || exit
# The kernel tracks flows, as where the suite runs: also before a story's first lease.
for tables in iptables ip6tables; do
  $tables -A INPUT -m conntrack --ctstate ESTABLISHED && ip netns exec two $tables -A INPUT -m conntrack --ctstate ESTABLISHED || exit
done

# proxy2: its own /run/sallyport and name, and the network two.
nsenter --net=/run/netns/two unshare -mu bash -c 'hostname proxy2; mount -t tmpfs -o mode=755 tmpfs /run/sallyport; echo ready > '$tmp'/two; exec sleep 1000' &
two=$!
wait_until 10 test -s $tmp/two || exit
printf '#!/bin/sh\nexec nsenter -t %s -m -n -u "$@"\n' $two > $tmp/in-two
printf '#!/bin/sh\nexec nsenter -t %s -m -n -u %s "$@"\n' $two $prefix/libexec/asp-lease > $tmp/asp-lease-two
chmod 755 $tmp/in-two $tmp/asp-lease-two

TEST_SCENE=1 TMP=$tmp exec python3 -S "$1"
