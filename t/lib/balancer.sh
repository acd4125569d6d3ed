# balancer.sh: etc/cluster/balancer on the lab's host of that name, in front of dmz
# and dmz2. Sourced after cluster.sh. The nodes are behind it on the network sync.

BALANCER_PROGRAM=$LAB_SOURCE/etc/cluster/balancer

# All addresses of the proxy lead to xfer: no address is shared.
balancer_config() {
  lab_guide_config | sed 's/ host_ip="[^"]*"/ host_ip="0.0.0.0\/0"/; /<rule host_ip/!b' |
    awk '/<rule /{ n++ } n < 2 || /<\/rules>/{ on = 1 } n >= 2 && !/<\/rules>|<\/rproxy>|<\/server>|<\/CONF>/{ next } { print }'
}

# The nodes' way outside leads through the balancer alone.
balancer_up() {
  local node root
  for node in dmz dmz2; do
    on "$node" ip link set wan down
    on "$node" ip route add 198.51.100.0/24 via "$BALANCER_SYNC"
  done
  root=$(lab_root balancer)
  printf '%s\n' "outside=$BALANCER" "node=$DMZ_SYNC" "node=$DMZ2_SYNC" > "$root/etc/sallyport-balancer.conf"
  on_exec balancer "$BALANCER_PROGRAM" run < /dev/null > "$TMPDIR/balancer.log" 2>&1 &
  balancer_pid=$!
}

balancer() { on balancer "$BALANCER_PROGRAM" "$@"; }
balancer_says() { balancer status | grep -qx "$1 $2"; }
balancer_takes() {
  local node
  for node; do balancer_says "$node" 'takes clients' || return; done
}
balancer_drained() { balancer_says "$1" 'is drained'; }
balancer_gone() { balancer_says "$1" 'does not answer'; }
