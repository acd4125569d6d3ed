# lab-raise.sh: lab_up. Sourced by lab.sh.

# lab_up HOST...: raise these hosts, all at once; the lab has no others later.
lab_up() {
  local began=${EPOCHREALTIME/./} host status
  for host; do
    [ -n "$(lab_role "$host")" ] || lab_die "there is no host '$host' in lab-hosts.sh"
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
  for network in $(lab_networks "$1"); do
    ! ip link show "$network.$1" > /dev/null 2>&1 || return 1
  done
}

# lab_make_keys HOST...: all SSH keys of the lab, in $LAB_DIR/keys.
lab_make_keys() {
  local name names=(squash)
  for name; do
    # The proxies are one host to their clients (lab_host_key).
    [ "$name" = dmz2 ] || [ -z "$(lab_ssh_ports "$name")" ] || names+=("host-$name")
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
  for network in $(lab_table | awk '{ print $3 }' | sort -u); do
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
      for network in $(lab_networks "$host"); do
        echo "link add $network.$host type veth peer name $network address $(lab_mac "$host" "$network") netns $holder"
        echo "link set $network.$host master $network up"
      done
    done
  } | ip -batch - || return
  for host; do
    lab_holder "$host"
    {
      echo "link set lo up"
      for network in $(lab_networks "$host"); do
        echo "link set $network up"
      done
      lab_table | awk -v host="$host" '$1 == host {
        print "addr add " $4 "/24 dev " $3
        print "addr add " $5 "/64 dev " $3 " nodad"
      }'
      lab_extra_routes "$host"
    } | nsenter -t "$holder" -n ip -batch - || return
  done
}

# lab_mac HOST NETWORK: of its first address there; the same at each boot, as of a real card.
lab_mac() {
  lab_table | awk -v host="$1" -v network="$2" '$1 == host && $3 == network {
    split($4, byte, ".")
    printf "02:00:%02x:%02x:%02x:%02x\n", byte[1], byte[2], byte[3], byte[4]
    exit
  }'
}

lab_networks() {
  lab_table | awk -v host="$1" '$1 == host { print $3 }' | sort -u
}
