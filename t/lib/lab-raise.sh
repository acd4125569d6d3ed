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
  lab_make_keys "$@" &
  keys=$!
  # The hosts make their mounts side by side; each says when it is done.
  for host; do
    exec {ready}< <(exec unshare --mount --net --uts "$BASH" "$LAB_LIB/lab-host.sh" "$host")
    holder_outputs+=("$ready")
  done
  for host; do
    read -r -u "${holder_outputs[index]}" ready || lab_die "$host has no namespaces of its own"
    index=$((index + 1))
  done
  lab_wire "$@" || lab_die "the network could not be laid"
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

# lab_wire HOST...: a bridge for each network, a cable from it to each host on it,
# and the addresses. The bridge's end is called NETWORK.HOST.
lab_wire() {
  local networks host holder
  networks=$(lab_table | awk '{ print $3 }' | sort -u)
  {
    for network in $networks; do
      echo "link add $network type bridge mcast_snooping 0"
      echo "link set $network up"
    done
    for host; do
      lab_holder "$host"
      for network in $(lab_networks "$host"); do
        echo "link add $network.$host type veth peer name $network netns $holder"
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

lab_networks() {
  lab_table | awk -v host="$1" '$1 == host { print $3 }' | sort -u
}
