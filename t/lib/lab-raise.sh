# lab-raise.sh: lab_up. Sourced by lab.sh.

# lab_up HOST...: raise these hosts, all at once; the lab has no others later.
lab_up() {
  local began=${EPOCHREALTIME/./} host status
  for host; do
    [ -n "${LAB_ROLE[$host]-}" ] || lab_die "there is no host '$host' in lab-hosts.sh"
  done
  # In a subshell, so that a script's bare `wait` does not wait for our processes.
  (lab_raise "$@")
  status=$?
  [ "$status" = 0 ] || exit 1
  echo "# lab: $* raised in $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
}

lab_raise() {
  local host keys holder_outputs=() ready jobs=() index=0
  [ -z "${LAB_BOOTED-}" ] || lab_mount_groups || lab_die "no control groups"
  lab_make_keys "$@" &
  keys=$!
  # The hosts make their mounts side by side; each says when it is done.
  for host; do
    exec {ready}< <(lab_hold "$host")
    holder_outputs+=("$ready")
  done
  for host; do
    read -r -u "${holder_outputs[index]}" ready || lab_die "$host has no namespaces of its own"
    index=$((index + 1))
  done
  lab_lay_networks && lab_wire "$@" || lab_die "the network could not be laid"
  wait "$keys" || lab_die "no SSH keys"
  lab_make_skeleton || lab_die "no /etc/skel"
  for host; do
    (set -e; lab_furnish "$host") &
    jobs+=($!)
  done
  index=0
  for host; do
    wait "${jobs[index]}" || lab_die "$host could not be furnished"
    index=$((index + 1))
  done
}

# lab_hold HOST: become its holder, or its systemd, with namespaces of its own.
lab_hold() {
  local group
  lab_is_booted "$1" || exec unshare --mount --net --uts "$BASH" "$LAB_LIB/lab-host.sh" "$1"
  # Below the control group that process 1 begins in it makes its own.
  group=$(mktemp -d "$LAB_DIR/groups/lab.XXXXXX") && echo "$BASHPID" > "$group/cgroup.procs" || return
  LAB_BOOT=1 exec unshare --mount --net --uts --ipc --pid --cgroup --fork --kill-child "$BASH" "$LAB_LIB/lab-host.sh" "$1"
}
# lab_mount_groups: control groups for booted hosts; without those that other labs left.
lab_mount_groups() {
  mkdir "$LAB_DIR/groups" && mount -t cgroup2 lab "$LAB_DIR/groups" || return
  find "$LAB_DIR/groups"/lab.* -depth -type d -mmin +5 -exec rmdir {} + 2> /dev/null
  return 0
}
lab_is_booted() { [[ " ${LAB_BOOTED-} " = *" $1 "* ]]; }
lab_is_up() { [[ $(on "$1" systemctl is-system-running 2> /dev/null) = @(running|degraded) ]]; }

# lab_reboot HOST: as its administrator does; returns when it is up again.
lab_reboot() {
  local holder ready
  lab_holder "$1"
  on "$1" systemctl reboot
  wait_until 60 test ! -e "/proc/$holder" && wait_until 60 lab_is_unplugged "$1" || lab_die "$1 does not end"
  exec {ready}< <(lab_hold "$1")
  read -r -t 30 -u "$ready" && lab_wire "$1" && wait_until 60 lab_is_up "$1" || lab_die "$1 does not boot"
}

# The kernel takes its cables away some time after the last of its processes.
lab_is_unplugged() {
  local network
  for network in ${LAB_NETWORKS[$1]}; do
    ! ip link show "$network.$1" > /dev/null 2>&1 || return 1
  done
}

# lab_make_keys HOST...: all SSH keys of the lab, in $LAB_DIR/keys.
lab_make_keys() {
  local name names=(squash)
  for name; do
    [ "$name" = dmz2 ] || [ -z "${LAB_SSH_PORTS[$name]-}" ] || names+=("${LAB_HOST_KEY[$name]}")
  done
  for name in $LAB_PEOPLE; do
    names+=("client-$name" "dmz-$name")
  done
  for name in "${names[@]}"; do
    ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$LAB_DIR/keys/$name" || return
  done
}

# lab_lay_networks: a bridge for each.
lab_lay_networks() {
  local network
  # shellcheck disable=SC2048,SC2086  # lists
  for network in $(printf '%s\n' ${LAB_NETWORKS[*]} | sort -u); do
    echo "link add $network type bridge mcast_snooping 0"
    echo "link set $network up"
  done | ip -batch -
}

# lab_wire HOST...: a cable from each of its networks to the host, and the addresses. The bridge's end is called NETWORK.HOST.
lab_wire() {
  local network host holder
  {
    for host; do
      lab_holder "$host"
      for network in ${LAB_NETWORKS[$host]}; do
        lab_mac "$host" "$network"
        echo "link add $network.$host type veth peer name $network address $mac netns $holder"
        echo "link set $network.$host master $network up"
      done
    done
  } | ip -batch - || return
  for host; do
    lab_holder "$host"
    lab_addresses "$host" | nsenter -t "$holder" -n ip -batch - || return
  done
}

# lab_addresses HOST: its links and addresses, in the words of ip-batch(8).
lab_addresses() {
  local network host ipv4 ipv6
  # shellcheck disable=SC2086  # a list
  printf 'link set %s up\n' lo ${LAB_NETWORKS[$1]}
  while read -r host _ network ipv4 ipv6 _; do
    [ "$host" != "$1" ] || printf 'addr add %s dev %s\n' "$ipv4/24" "$network" "$ipv6/64" "$network nodad"
  done <<< "$LAB_TABLE"
  lab_extra_routes "$1"
}

# lab_mac HOST NETWORK: set $mac to that of its first address there; the same at each boot, as of a real card.
lab_mac() {
  local host network ipv4
  while read -r host _ network ipv4 _; do
    [ "$host $network" != "$1 $2" ] || break
  done <<< "$LAB_TABLE"
  # shellcheck disable=SC2086  # its four bytes
  printf -v mac '02:00:%02x:%02x:%02x:%02x' ${ipv4//./ }
}
