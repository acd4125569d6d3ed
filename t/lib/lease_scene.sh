# lease_scene.sh: where the stories of asp-lease and asperanoded are set. story.py starts
# it, and it starts the story.
#
# This network namespace is the proxy. inner and inner2 are clients on its inside, outer
# is a server beyond, with a second address. The suite is in its place, and names are those of /etc/hosts. What no lease opens is not open.
. "${0%/*}/spool.sh"

suite asp-lease asp-name asp-reap asp-sessions asperaproxy asperanoded
mkdir $prefix/share && install -m 644 etc/node-api.openapi.yaml $prefix/share/

account sallyport-node 64321
own_etc hosts << END_HOSTS
127.0.0.1 localhost $(hostname)
198.51.100.50 server.example.com
2001:db8:1::50 server.example.com
198.51.100.51 other.example.com
192.0.2.9 elsewhere.example.com
END_HOSTS
own_etc nsswitch.conf <<< 'hosts: files'

join() {  # NAMESPACE PROXY4 PROXY6 ADDRESS4 ADDRESS6
  ip netns add "$1" && ip link add "to-$1" type veth peer name eth0 netns "$1" || exit
  ip address add "$2" dev "to-$1" && ip address add "$3" dev "to-$1" nodad && ip link set "to-$1" up || exit
  ip -n "$1" link set lo up
  ip -n "$1" address add "$4" dev eth0 && ip -n "$1" address add "$5" dev eth0 nodad && ip -n "$1" link set eth0 up
}
mkdir -p /run/netns
join inner 203.0.113.1/28 2001:db8:2::1/64 203.0.113.2/28 2001:db8:2::2/64
join inner2 203.0.113.17/28 2001:db8:3::1/64 203.0.113.18/28 2001:db8:3::2/64
join outer 198.51.100.1/24 2001:db8:1::1/64 198.51.100.50/24 2001:db8:1::50/64
# inner2 knows the address that inner calls, too; a client more on inner's link.
ip -n inner2 route add 203.0.113.1/32 via 203.0.113.17
ip -n inner2 -6 route add 2001:db8:2::1/128 via 2001:db8:3::1
ip -n inner address add 203.0.113.3/28 dev eth0
ip -n outer address add 198.51.100.51/24 dev eth0
sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.netfilter.nf_conntrack_acct=1 || exit
iptables -P FORWARD DROP && ip6tables -P FORWARD DROP || exit
# The kernel tracks flows, as where the suite runs: also before a story's first lease.
iptables -A INPUT -m conntrack --ctstate ESTABLISHED && ip6tables -A INPUT -m conntrack --ctstate ESTABLISHED || exit

TEST_SCENE=1 TMP=$tmp exec python3 -S "$1"
