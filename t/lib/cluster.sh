# cluster.sh: two proxies that are one, for end-to-end tests. Sourced after lab.sh
# and proxy.sh. What runs on them is what an administrator would run: the files of
# `asperaproxy cluster-config`, keepalived and conntrackd.
#
#   cluster_up HOST...       raises dmz, dmz2 and these; dmz is master when it returns
#   cluster_master           print the nodes that have the shared addresses: one
#   cluster_standby          print those that have not
#   cluster_takes_over NODE  wait until NODE, and nobody else, is master, and has done all
#                            that a master does first
#   cluster_kill NODE        like pulling its plug
#   cluster_deaf NODE, cluster_hears NODE   it hears no VRRP, or does so again
#   cluster_clock SECONDS    how much the clock of $cluster_timeless is fast, if that
#                            was set before: all that runs for the cluster there sees it
#   cluster_start NODE keepalived|conntrackd|redis|sentinel, cluster_stop NODE ...,
#                            cluster_crash NODE ... (SIGKILL): all wait until it is so
#   cluster_pid NODE PROGRAM its process, or processes
#   cluster_flows NODE MARK  the flows of that connection mark in its kernel
#
# $INSIDE_SHARED is the shared address inside; outside they are $SQUASH and
# $INDIVIDUAL. The addresses of both nodes on sync: $DMZ_SYNC, $DMZ2_SYNC.

INSIDE_SHARED=203.0.113.5 INSIDE_SHARED_6=2001:db8:2::5
LAB_ASPERAPROXY=$LAB_PREFIX/bin/asperaproxy
CLUSTER_NODES='dmz dmz2'
cluster_options=  # further elements of <cluster>
cluster_timeless=

# cluster_config: the lab's own aspera.conf, with a <cluster>.
cluster_config() {
  lab_guide_config | awk -v section="$(cluster_section | tr '\n' ' ')" '
    /<\/server>/ { print section }
    { print }'
}

# Redis and Sentinels have a password.
CLUSTER_PASSWORD=lab-password
cluster_section() {
  local password=
  case $cluster_options in
    *redis_password_file*) ;;
    *'<redis>'*) password='<redis_password_file>/etc/redis/sallyport.password</redis_password_file>' ;;
  esac
  cat << END
<cluster>
<enabled>true</enabled>
<nodes><node name="dmz">$DMZ_SYNC</node><node name="dmz2">$DMZ2_SYNC</node></nodes>
<outside_interface>wan</outside_interface>
<outside_addresses>$SQUASH/24, $INDIVIDUAL/24, $SQUASH_6/64, $INDIVIDUAL_6/64</outside_addresses>
<inside_interface>lan</inside_interface>
<inside_addresses>$INSIDE_SHARED/24, $INSIDE_SHARED_6/64</inside_addresses>
<sync_interface>sync</sync_interface>
$cluster_options
$password
</cluster>
END
}

cluster_up() {
  local node
  # shellcheck disable=SC2086  # a list of hosts
  lab_up $CLUSTER_NODES "$@"
  [ -z "$cluster_timeless" ] || cluster_clock 0
  for node in $CLUSTER_NODES; do
    cluster_furnish "$node" || lab_die "$node could not join the cluster"
  done
  cluster_start dmz keepalived || lab_die "keepalived does not start"
  cluster_takes_over dmz || lab_die "dmz does not become master"
  cluster_start dmz2 keepalived || lab_die "keepalived does not start"
  wait_until 10 cluster_knows_its_place dmz2 || lab_die "dmz2 is not a standby"
}

# What keepalived gives and takes is not there before.
cluster_furnish() {
  local node=$1 root file place
  root=$(lab_root "$node")
  if [ "$node" = dmz ]; then
    for file in "$SQUASH/24" "$INDIVIDUAL/24" "$SQUASH_6/64" "$INDIVIDUAL_6/64"; do
      on dmz ip address del "$file" dev wan || return
    done
  fi
  cluster_config | lab_config "$node"
  on "$node" "$LAB_ASPERAPROXY" start > /dev/null || return
  cluster_write "$node" && cluster_start "$node" conntrackd
}

# cluster_write NODE: its files, each at its place.
cluster_write() {
  local root file rest place
  root=$(lab_root "$1")
  install -d "$root/etc/redis"
  (umask 077 && echo "$CLUSTER_PASSWORD" > "$root/etc/redis/sallyport.password") || return
  on "$1" "$LAB_ASPERAPROXY" cluster-config > "$TMPDIR/written.$1" || return
  while read -r file rest place; do
    file=${file%:}
    install -d "$root${place%/*}"
    cp -p "$root$file" "$root$place"
  done < <(sed 's/belongs at //; s/: / - /' "$TMPDIR/written.$1")
}

# on_clock NODE COMMAND...: there, by its clock. The kernel's own is all hosts', so
# libfaketime shows another, and only where one asks for the time of day.
on_clock() {
  local library
  if [ "$1" = "$cluster_timeless" ]; then
    library=$(echo /usr/lib/*/faketime/libfaketime.so.1)
    on "$1" env "LD_PRELOAD=$library" DONT_FAKE_MONOTONIC=1 FAKETIME_TIMESTAMP_FILE=/root/clock FAKETIME_NO_CACHE=1 "${@:2}"
  else
    on "$@"
  fi
}

cluster_clock() {
  echo "+$1" > "$(lab_root "$cluster_timeless")/root/clock"
}

# cluster_unit NODE Pre|Post: as systemd does, by what cluster-config adds to the unit
# of conntrackd.
cluster_unit() {
  on "$1" sed -n "s/^ExecStart$2=-//p" /etc/systemd/system/conntrackd.service.d/sallyport.conf | on "$1" sh
}

cluster_start() {
  case $2 in
    # The watcher of its own parent would outlive a killed child for a second.
    keepalived) on_clock "$1" keepalived --vrrp ;;
    conntrackd) cluster_unit "$1" Pre && on_clock "$1" conntrackd -d && wait_until 10 cluster_syncs "$1" && cluster_unit "$1" Post ;;
    # The status of the one that goes to the background says nothing: the other binds.
    redis) on "$1" redis-server /etc/redis/redis.conf --daemonize yes --pidfile /run/redis.pid > /dev/null && wait_until 10 cluster_runs "$1" redis ;;
    sentinel) on "$1" redis-sentinel /etc/redis/sentinel.conf --daemonize yes --pidfile /run/sentinel.pid > /dev/null && wait_until 10 cluster_runs "$1" sentinel ;;
    *) lab_die "cluster_start: what is '$2'?" ;;
  esac
}

# cluster_pid NODE PROGRAM
cluster_pid() {
  case $2 in
    keepalived) on "$1" cat /run/keepalived.pid ;;
    conntrackd) lab_pids "$1" conntrackd ;;
    redis) on "$1" cat /run/redis.pid ;;
    sentinel) on "$1" cat /run/sentinel.pid ;;
  esac
}

# cluster_stop NODE PROGRAM [SIGNAL]: its ports are free again when it returns.
cluster_stop() {
  local pid
  pid=$(cluster_pid "$1" "$2") || return
  # shellcheck disable=SC2086  # may be several
  kill -"${3-TERM}" $pid && wait_until 10 cluster_ended $pid
}
cluster_crash() { cluster_stop "$1" "$2" KILL; }

# cluster_runs NODE redis|sentinel: it answers, if only that it wants a password.
cluster_runs() {
  local address port=6379
  [ "$2" = redis ] || port=26379
  address=$(on "$1" sed -n 's/^bind \([^ ]*\).*/\1/p' "/etc/redis/$2.conf")
  on "$1" timeout 2 redis-cli -h "$address" -p "$port" ping 2> /dev/null | grep -qE '^(PONG|NOAUTH|LOADING)'
}

cluster_ended() {
  local pid
  for pid; do
    [ ! -e "/proc/$pid" ] || return
  done
}

cluster_syncs() {
  on "$1" conntrackd -s > /dev/null 2>&1
}

cluster_living() {
  local node
  for node in $CLUSTER_NODES; do
    [ ! -r "$LAB_DIR/hosts/$node" ] || echo "$node"
  done
}

cluster_has_addresses() {
  on "$1" ip -brief address show dev wan | grep -qF "$SQUASH/"
}

cluster_master() {
  local node
  for node in $(cluster_living); do
    if cluster_has_addresses "$node"; then echo "$node"; fi
  done
}

cluster_standby() {
  local node
  for node in $(cluster_living); do
    if ! cluster_has_addresses "$node"; then echo "$node"; fi
  done
}

# Each time it became master, and each time it became standby, is a line.
cluster_turns() {
  lab_log "$1" | grep -cE "asperaproxy.*(Became master of|Standby of) the cluster"
}
cluster_last_turn() {
  lab_log "$1" | grep -oE "asperaproxy.*(Became master of|Standby of) the cluster" | tail -n 1
}
cluster_is_master() {
  [ "$(cluster_master)" = "$1" ] && [[ $(cluster_last_turn "$1") = *'Became master'* ]]
}
cluster_knows_its_place() {
  [[ $(cluster_last_turn "$1") = *Standby* ]]
}
cluster_takes_over() {
  wait_until 10 cluster_is_master "$1"
}

# cluster_lease NODE: what a lease of TCP and UDP port 5000 makes of a kernel, there
# alone: the others are to know no more than its flows. Both lead to inside1:7000.
cluster_lease() {
  on "$1" nft -f - << END
table inet lease {
  chain before {
    type nat hook prerouting priority -105;
    ip daddr $SQUASH udp dport 5000 ct mark set 0x18000000 dnat ip to $INSIDE1:7000
    ip daddr $SQUASH tcp dport 5000 ct mark set 0x18000000 dnat ip to $INSIDE1:7000
  }
  chain after {
    type nat hook postrouting priority 90;
    ct mark 0x18000000 snat ip to $INSIDE_SHARED
  }
}
END
}

# cluster_echo HOST [--tcp] ADDRESS:PORT: something that answers gap.py.
cluster_echo() {
  local said
  said=$(mktemp "$TMPDIR/echo.XXXXXX")
  on_exec "$1" python3 "$LAB_LIB/gap.py" --serve "${@:2}" > "$said" < /dev/null &
  wait_until 10 grep -q listening "$said"
}

# cluster_gap NAME HOST [--tcp|--visit] ADDRESS:PORT [--for S] [--every S]: gap.py in
# the background; what it says is in $TMPDIR/NAME.gap, its process $cluster_gap_pid[NAME].
declare -A cluster_gap_pid
cluster_gap() {
  on_exec "$2" python3 "$LAB_LIB/gap.py" "${@:3}" > "$TMPDIR/$1.gap" < /dev/null &
  cluster_gap_pid[$1]=$!
}
# cluster_gap_end NAME: waits for it, and shows what it found.
cluster_gap_end() {
  wait "${cluster_gap_pid[$1]}"
  diag "$1: $(tail -n 1 "$TMPDIR/$1.gap")"
}
# cluster_gap_stop NAME: the same, at once.
cluster_gap_stop() {
  kill -TERM "${cluster_gap_pid[$1]}"
  cluster_gap_end "$1"
}
# found NAME WORD: a number of what it found, or has found so far.
found() {
  tail -n 1 "$TMPDIR/$1.gap" 2> /dev/null | sed -n "s/.*\"$2\": \([0-9]*\).*/\1/p"
}
# more NAME COUNT [WORD]: waits until it has COUNT more answers, or sent as many.
more() {
  local begin
  begin=$(found "$1" "${3-answers}")
  wait_until 10 more_than "$1" "${3-answers}" "$((${begin:-0} + $2))"
}
more_than() {
  local now
  now=$(found "$1" "$2")
  [ "${now:-0}" -ge "$3" ]
}

cluster_kill() {
  lab_down "$1"
}

cluster_deaf() {
  on "$1" iptables -w -I INPUT -p vrrp -j DROP
}
cluster_hears() {
  on "$1" iptables -w -D INPUT -p vrrp -j DROP
}

# cluster_no_lease NODE: takes away what cluster_lease has laid.
cluster_no_lease() {
  on "$1" nft delete table inet lease
}

cluster_flows() {
  on "$1" conntrack -f ipv4 -L -m "$2" 2> /dev/null
}
