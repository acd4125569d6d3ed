#!/bin/bash
# asperanoded: how it starts, whom it listens to, and that nobody can hurt it.
#
# This network namespace is the proxy; inner and inner2 are its clients, outer is
# beyond. asp-lease is the real one, started by the real sudo.
. "${0%/*}/../lib/spool.sh"

prefix=/opt/aspera/proxy
mkdir -p /opt
mount -t tmpfs -o mode=755 tmpfs /opt || exit
mkdir -p $prefix/etc $prefix/libexec $prefix/bin $prefix/share
for tool in asp-reap asperaproxy asperanoded; do install -m 755 "${BUILD:-build}/bin/$tool" $prefix/bin/; done
install -m 755 "${BUILD:-build}/bin/asp-lease" $prefix/libexec/
install -m 644 etc/node-api.openapi.yaml $prefix/share/

# Accounts, sudo and names of its own.
own_etc() {
  local file
  mkdir -p $tmp/etc/sudoers.d
  { grep -v '^sallyport-node:' /etc/passwd; echo 'sallyport-node:x:64321:64321::/nonexistent:/usr/sbin/nologin'; } > $tmp/etc/passwd
  { grep -v '^sallyport-node:' /etc/group; echo 'sallyport-node:x:64321:'; } > $tmp/etc/group
  { grep -v '^sallyport-node:' /etc/shadow; echo 'sallyport-node:!:19000::::::'; } > $tmp/etc/shadow
  printf '127.0.0.1 localhost %s\n198.51.100.50 server.example.com\n2001:db8:1::50 server.example.com\n192.0.2.9 elsewhere.example.com\n' "$(hostname)" > $tmp/etc/hosts
  # Names that are not in hosts: of a name server that never answers.
  echo 'hosts: files dns' > $tmp/etc/nsswitch.conf
  echo 'nameserver 127.0.0.1' > $tmp/etc/resolv.conf
  echo '@includedir /etc/sudoers.d' > $tmp/etc/sudoers
  cp sudoers.d/sallyport $tmp/etc/sudoers.d/
  chmod 644 $tmp/etc/{passwd,group,hosts,nsswitch.conf,resolv.conf}
  chmod 640 $tmp/etc/shadow
  chmod 440 $tmp/etc/sudoers $tmp/etc/sudoers.d/sallyport
  chmod 755 $tmp/etc/sudoers.d
  for file in passwd group shadow hosts nsswitch.conf resolv.conf sudoers sudoers.d; do
    mount --bind $tmp/etc/$file /etc/$file || exit
  done
}
own_etc

join() {  # NAMESPACE PROXY4 PROXY6 ADDRESS4 ADDRESS6
  ip netns add "$1" && ip link add "to-$1" type veth peer name eth0 netns "$1" || exit
  ip address add "$2" dev "to-$1" && ip address add "$3" dev "to-$1" nodad && ip link set "to-$1" up || exit
  ip -n "$1" link set lo up
  ip -n "$1" address add "$4" dev eth0 && ip -n "$1" address add "$5" dev eth0 nodad && ip -n "$1" link set eth0 up
}
mkdir -p /run/netns
ip link set lo up
join inner 203.0.113.1/28 2001:db8:2::1/64 203.0.113.2/28 2001:db8:2::2/64
join inner2 203.0.113.17/28 2001:db8:3::1/64 203.0.113.18/28 2001:db8:3::2/64
join outer 198.51.100.1/24 2001:db8:1::1/64 198.51.100.50/24 2001:db8:1::50/64
ip -n inner route add default via 203.0.113.1
ip -n inner2 route add default via 203.0.113.17
sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 || exit

python3 -IS -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
time.sleep(1000)' &

PYTHONPATH=t/lib TMP=$tmp PREFIX=$prefix exec python3 -S t/contract/asperanoded.py
