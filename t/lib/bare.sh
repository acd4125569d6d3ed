# bare.sh: dmz as its distribution leaves it, with an administrator, ops, and the suite's files as `make install`
# lays them; and asperaproxy setup on it. Sourced after lab.sh and tap.sh.
#
#   bare_up HOST...      lab_up, dmz bare (of a host that booted_up raised: bare_strip, bare_programs); $dmz is its root, ops logs in with a key and may sudo
#   setup OPTION...      asperaproxy setup there, as root, without input
#   bare_files           all of dmz that setup may change: type, mode, owner and sum of each file
#   bare_fingerprint HOST
export LAB_SUITE=no

bare_up() {
  lab_up dmz "$@"
  bare_strip
  on dmz sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.netfilter.nf_conntrack_acct=0
  on dmz sh -c 'kill "$(cat /run/sshd.pid)"'
  wait_until 10 lab_silent dmz 33001 && on dmz /usr/sbin/sshd && wait_until 10 lab_listens dmz 22 || lab_die 'sshd of dmz does not start'
  on dmz make -s -C "$LAB_SOURCE" install "BUILD=$LAB_BUILD" "PREFIX=$LAB_PREFIX" DESTDIR= > "$TMPDIR/install.log" 2>&1 ||
    lab_die "make install: $(cat "$TMPDIR/install.log")"
  bare_programs
}
# What the lab has laid for the suite on dmz goes.
bare_strip() {
  local user
  dmz=$(lab_root dmz)
  for user in $LAB_PEOPLE; do on dmz userdel -rf "$user" 2> /dev/null; done
  on dmz groupdel sallyport
  on dmz userdel sallyport-dial
  on dmz userdel sallyport-node
  rm -rf "${dmz:?}$LAB_PREFIX" "$dmz/etc/ssh/authorized_keys" "$dmz/etc/ssh/sshd_config.d/sallyport.conf"
  sed -i '/^Match/,/^Match all/d; /^Port /d' "$dmz/etc/ssh/sshd_config"
  lab_add_user dmz "$dmz" ops /bin/bash -G sudo -K UID_MIN=2500
  cp "$LAB_DIR/keys/client-bobcat.pub" "$dmz/home/ops/.ssh/authorized_keys"
  lab_own "$dmz" ops
  cp "$LAB_DIR/keys/client-bear.pub" "$dmz/root/bear.pub"
}
bare_programs() {
  LAB_SUITE=yes lab_install_programs "$(lab_root inside1)" asp-cp
  LAB_SUITE=yes lab_install_programs "$(lab_root outside)" asp-cp
}
setup() { on dmz timeout 300 asperaproxy setup "$@" < /dev/null; }
bare_files() {
  local files=(find /etc /opt /usr/lib/systemd /var/lib/sallyport /root /home -xdev)
  on dmz "${files[@]}" ! -name '*.before-setup' -printf '%y %m %u %g %p\n' 2> /dev/null | sort
  on dmz "${files[@]}" -type f ! -name '*.before-setup' -exec sha256sum {} + 2> /dev/null | sort
}
bare_fingerprint() { ssh-keygen -lf "$LAB_DIR/keys/host-$1.pub" | cut -d ' ' -f 2; }
