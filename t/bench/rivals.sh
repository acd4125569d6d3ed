# rivals.sh: what a user would pick instead of the proxy, ready to run in the lab.
# Sourced after lab.sh and lab_up dmz outside inside1.
#
# On dmz an ordinary account, hop, that may log in and forward; on inside1 the
# same account xfer for all. Between wan and lan there is a route, for "direct".
# All use the same kinds of key, and the key exchange that rivals_kex says.

rivals_prepare() {
  local root ssh
  root=$(lab_root dmz)
  lab_add_user dmz "$root" hop /bin/bash
  ssh=$root/home/hop/.ssh
  lab_put_key squash "$ssh/id_ed25519"
  cp "$LAB_DIR/keys/client-bear.pub" "$ssh/authorized_keys"
  lab_known_hosts inside > "$ssh/known_hosts"
  cp "$(lab_root outside)/home/bear/.ssh/config" "$ssh/config"
  lab_own "$root" hop
  lab_known_hosts inside >> "$(lab_root outside)/home/bear/.ssh/known_hosts"
  cat "$LAB_DIR/keys/client-bear.pub" >> "$(lab_root inside1)/home/xfer/.ssh/authorized_keys"
  on outside ip route add "${INSIDE1%.*}.0/24" via "$DMZ"
  on inside1 ip route add "${OUTSIDE%.*}.0/24" via "$DMZ_LAN"
}

# rivals_kex default|curve25519: what OpenSSH's clients offer.
rivals_kex() {
  local host user
  for user in outside/home/bear dmz/home/hop; do
    host=${user%%/*}
    case $1 in
      default) sed -i '/KexAlgorithms/d' "$(lab_root "$host")/${user#*/}/.ssh/config" ;;
      curve25519) sed -i 's/^Host \*$/&\n  KexAlgorithms curve25519-sha256/' "$(lab_root "$host")/${user#*/}/.ssh/config" ;;
    esac
  done
}

# How each runs COMMAND, as words of a shell on outside.
rival() {
  case $1 in
    direct) echo "ssh xfer@$INSIDE1 $2" ;;
    jump) echo "ssh -J hop@$DMZ xfer@$INSIDE1 $2" ;;
    nested) echo "ssh hop@$DMZ ssh xfer@$INSIDE1 $2" ;;
    sallyport) echo "ssh -p 33001 bear@$SQUASH $2" ;;
  esac
}
