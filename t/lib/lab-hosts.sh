# lab-hosts.sh: which hosts and networks a lab can have. Sourced by lab.sh.
#
#   natclient ── home ── router ──┐
#                       outside ──┤
#                      outside2 ──┼── wan ── dmz ── lan ──┬── inside1
#                         outer ──┘                       ├── inside2
#                                                         ├── inside3
#                                                         ├── inner
#                                                         └── inner2
#
# inner and inner2 are for people inside who go through the forward proxy, and
# outer is the server outside that they go to.
#
# dmz2 is a second proxy of the same making beside dmz, with a cable of their own
# between them, sync (cluster.sh). balancer can stand in front of them there.
#
# Nothing is routed between wan and lan: what crosses, the suite let through.
# All addresses are from the blocks that are reserved for documentation.

OUTSIDE=198.51.100.10    OUTSIDE_6=2001:db8:1::10
OUTSIDE2=198.51.100.11   OUTSIDE2_6=2001:db8:1::11
ROUTER=198.51.100.20     ROUTER_6=2001:db8:1::20
DMZ=198.51.100.1         DMZ_6=2001:db8:1::1
SQUASH=198.51.100.39     SQUASH_6=2001:db8:1::39
INDIVIDUAL=198.51.100.40 INDIVIDUAL_6=2001:db8:1::40
DMZ_LAN=203.0.113.1      DMZ_LAN_6=2001:db8:2::1
INSIDE1=203.0.113.10     INSIDE1_6=2001:db8:2::10
INSIDE2=203.0.113.11     INSIDE2_6=2001:db8:2::11
INSIDE3=203.0.113.12     INSIDE3_6=2001:db8:2::12
INNER=203.0.113.20       INNER_6=2001:db8:2::20
INNER2=203.0.113.21      INNER2_6=2001:db8:2::21
OUTER=198.51.100.50      OUTER_6=2001:db8:1::50
ROUTER_HOME=192.0.2.1    ROUTER_HOME_6=2001:db8:3::1
NATCLIENT=192.0.2.10     NATCLIENT_6=2001:db8:3::10
DMZ2=198.51.100.2        DMZ2_6=2001:db8:1::2
DMZ2_LAN=203.0.113.2     DMZ2_LAN_6=2001:db8:2::2
DMZ_SYNC=192.0.2.129     DMZ_SYNC_6=2001:db8:4::1
DMZ2_SYNC=192.0.2.130    DMZ2_SYNC_6=2001:db8:4::2
BALANCER=198.51.100.60    BALANCER_6=2001:db8:1::60
BALANCER_SYNC=192.0.2.131 BALANCER_SYNC_6=2001:db8:4::3
export BALANCER BALANCER_6 BALANCER_SYNC BALANCER_SYNC_6 DMZ2 DMZ2_6 DMZ2_LAN DMZ2_LAN_6 DMZ_SYNC DMZ_SYNC_6 DMZ2_SYNC DMZ2_SYNC_6
export OUTSIDE OUTSIDE_6 OUTSIDE2 OUTSIDE2_6 ROUTER ROUTER_6 DMZ DMZ_6 SQUASH SQUASH_6 \
  INDIVIDUAL INDIVIDUAL_6 DMZ_LAN DMZ_LAN_6 INSIDE1 INSIDE1_6 INSIDE2 INSIDE2_6 \
  INSIDE3 INSIDE3_6 INNER INNER_6 INNER2 INNER2_6 OUTER OUTER_6 ROUTER_HOME ROUTER_HOME_6 NATCLIENT NATCLIENT_6

# lab_family 4|6: from here on OUTSIDE, SQUASH … are addresses of that family, and
# so are the rules that proxy_allow writes. Before a port or a path they are
# written OUTSIDE_AT …: in brackets where that is needed. Besides:
#   $ANY_AT     any address of one's own      $IPTABLES  which program lists rules
#   $HOST_BITS  the prefix length of a host   $IP        ipv4 or ipv6, for conntrack -f
#   $LAB_DIGIT  4 or 6, as in names of nftables' maps
# Names of tests begin with "IPv6: " where that is so.
lab_family() {
  local name family
  for name in OUTSIDE OUTSIDE2 ROUTER DMZ SQUASH INDIVIDUAL DMZ_LAN INSIDE1 INSIDE2 INSIDE3 \
    INNER INNER2 OUTER ROUTER_HOME NATCLIENT; do
    family=${name}_4
    [ -n "${!family-}" ] || declare -g "$family=${!name}"
    family=${name}_$1
    declare -gx "$name=${!family}"
    case $1 in
      4) declare -gx "${name}_AT=${!family}" ;;
      6) declare -gx "${name}_AT=[${!family}]" ;;
    esac
  done
  case $1 in
    4) ANY_AT=0.0.0.0 IPTABLES=iptables HOST_BITS=32 IP=ipv4 LAB_DIGIT=4 tap_about= ;;
    6) ANY_AT=[::] IPTABLES=ip6tables HOST_BITS=128 IP=ipv6 LAB_DIGIT=6 tap_about='IPv6: ' ;;
  esac
  export ANY_AT IPTABLES HOST_BITS IP LAB_DIGIT
}
lab_family 4

export LAB_PREFIX=/opt/aspera/proxy LAB_DOMAIN=example.com

# One line for each address pair: host, role, network (which is also the name of the
# host's interface), IPv4 (a /24), IPv6 (a /64), name. All lines of a host in a row.
# A new host is a new line; its role says how it is furnished (lab-furnish.sh).
LAB_TABLE="\
outside   client wan  $OUTSIDE     $OUTSIDE_6     outside
outside2  client wan  $OUTSIDE2    $OUTSIDE2_6    outside2
router    router wan  $ROUTER      $ROUTER_6      router
router    router home $ROUTER_HOME $ROUTER_HOME_6 router-home
natclient client home $NATCLIENT   $NATCLIENT_6   natclient
dmz       dmz    wan  $DMZ         $DMZ_6         dmz
dmz       dmz    wan  $SQUASH      $SQUASH_6      squash
dmz       dmz    wan  $INDIVIDUAL  $INDIVIDUAL_6  individual
dmz       dmz    lan  $DMZ_LAN     $DMZ_LAN_6     dmz-lan
dmz       dmz    sync $DMZ_SYNC    $DMZ_SYNC_6    dmz-sync
dmz2      dmz    wan  $DMZ2        $DMZ2_6        dmz2
dmz2      dmz    lan  $DMZ2_LAN    $DMZ2_LAN_6    dmz2-lan
dmz2      dmz    sync $DMZ2_SYNC   $DMZ2_SYNC_6   dmz2-sync
balancer  balancer wan  $BALANCER      $BALANCER_6      balancer
balancer  balancer sync $BALANCER_SYNC $BALANCER_SYNC_6 balancer-sync
inside1   inside lan  $INSIDE1     $INSIDE1_6     inside1
inside2   inside lan  $INSIDE2     $INSIDE2_6     inside2
inside3   inside lan  $INSIDE3     $INSIDE3_6     inside3
inner     client lan  $INNER       $INNER_6       inner
inner2    client lan  $INNER2      $INNER2_6      inner2
outer     outer  wan  $OUTER       $OUTER_6       outer"

# From the table, by host: its role, its networks, where its sshd listens, if it has one,
# and which key it has (all proxies are one host to their clients).
# Variables, for a process costs more than all that is done with them.
LAB_ALL_HOSTS=()
declare -A LAB_ROLE LAB_NETWORKS LAB_SSH_PORTS LAB_HOST_KEY
while read -r host role network _; do
  [ -n "${LAB_ROLE[$host]-}" ] || LAB_ALL_HOSTS+=("$host")
  LAB_ROLE[$host]=$role
  [[ " ${LAB_NETWORKS[$host]-} " = *" $network "* ]] || LAB_NETWORKS[$host]+="${LAB_NETWORKS[$host]+ }$network"
  LAB_HOST_KEY[$host]=host-$host
  case $role in
    dmz) LAB_SSH_PORTS[$host]='33001 22' LAB_HOST_KEY[$host]=host-dmz ;;
    outer) LAB_SSH_PORTS[$host]='33001 22' ;;
    inside) LAB_SSH_PORTS[$host]=22 ;;
  esac
done <<< "$LAB_TABLE"
unset host role network

# lab_extra_routes HOST: beyond its own networks, in the words of ip-batch(8).
lab_extra_routes() {
  case $1 in
    natclient)
      echo "route add default via $ROUTER_HOME"
      echo "route add ::/0 via $ROUTER_HOME_6"
      ;;
  esac
}
