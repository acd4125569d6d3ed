#!/bin/bash
# asp-lease: whom it refuses, what a lease lets through, and that nothing is left
# of it.
#
# This network namespace is the proxy. inner and inner2 are clients on its inside,
# outer is a server beyond. asp-lease is run as sudo would run it; Python is the
# node service, the clients and the server (t/lib/lease.py). What a lease does is
# shown by packets.
. "${0%/*}/../lib/spool.sh"

prefix=/opt/aspera/proxy
mkdir -p /opt
mount -t tmpfs -o mode=755 tmpfs /opt || exit
mkdir -p $prefix/etc $prefix/libexec $prefix/bin
install -m 755 "${BUILD:-build}/bin/asp-lease" $prefix/libexec/
for tool in asp-reap asp-sessions asperaproxy; do install -m 755 "${BUILD:-build}/bin/$tool" $prefix/bin/; done
# The service's account, and names that resolve.
{ grep -v '^sallyport-node:' /etc/passwd; echo 'sallyport-node:x:64321:64321::/:/usr/sbin/nologin'; } > $tmp/passwd
{ grep -v '^sallyport-node:' /etc/group; echo 'sallyport-node:x:64321:'; } > $tmp/group
cat > $tmp/hosts << 'END'
127.0.0.1 localhost
198.51.100.50 server.example.com
2001:db8:1::50 server.example.com
198.51.100.51 other.example.com
END
echo 'hosts: files' > $tmp/nsswitch.conf
for file in passwd group hosts nsswitch.conf; do
  chmod 644 $tmp/$file
  mount --bind $tmp/$file /etc/$file || exit
done

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
# What a lease does not open is not open.
iptables -P FORWARD DROP && ip6tables -P FORWARD DROP || exit

PYTHONPATH=t/lib TMP=$tmp exec python3 -S t/contract/asp-lease.py
