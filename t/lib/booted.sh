# booted.sh: a proxy that systemd(1) has booted, with the package of this tree as INSTALL
# has it. Sourced after lab.sh, tap.sh and proxy.sh; other hosts are as lab_up's.
#
#   booted_up HOST...       lab_up, dmz booted, the suite's packages in its /root: first.deb,
#                           and newer.deb, of a later version; nothing installed
#   booted_install          what INSTALL has: the package, members, sshd, keys, aspera.conf
#   did NAME OPTION...      a test: dpkg with these, as an unattended upgrade runs it
#   failed_units            of dmz
#   crosses NAME            a session opens (proxy_session NAME), and its UDP crosses
#   said                    what unit, tool and init script say: active stopped=no 0
#   asperaproxy VERB...

export LAB_SUITE=no
LAB_BOOTED=dmz

booted_up() {
  local built=$LAB_SOURCE/$LAB_BUILD
  [ "${LAB_BUILD#/}" = "$LAB_BUILD" ] || built=$LAB_BUILD
  lab_up dmz outside inside1 "$@"
  dmz=$(lab_root dmz)
  mkdir "$TMPDIR/next"
  (cd "$LAB_SOURCE" && cp -a Makefile INSTALL LICENSE CHANGELOG.md cmd lib man etc sudoers.d "$TMPDIR/next/")
  sed -i '0,/^## /s/^## [^ ]*/&+next/' "$TMPDIR/next/CHANGELOG.md"
  booted_deb "$LAB_SOURCE" first "$built"
  booted_deb "$TMPDIR/next" newer "$built"
  cp -a "$dmz$LAB_PREFIX/etc" "$TMPDIR/laid"
  rm -rf "${dmz:?}${LAB_PREFIX%/*}" "$dmz/etc/ssh/sshd_config.d/sallyport.conf" "$dmz/usr/sbin/policy-rc.d" "$dmz/var/lib/man-db/auto-update"
  mkdir "$dmz/opt/somebody"
  on dmz sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.netfilter.nf_conntrack_acct=0
  lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"
}
# booted_deb TREE NAME BUILT: its package, of what is built already.
booted_deb() {
  DPKG_DEB_COMPRESSOR_LEVEL=0 make -s -C "$1" deb "BUILD=$3" "PREFIX=$LAB_PREFIX" "DEB_DIR=$TMPDIR/debs" > "$TMPDIR/deb.log" 2>&1 ||
    lab_die "make deb: $(cat "$TMPDIR/deb.log")"
  mv "$TMPDIR"/debs/*.deb "$dmz/root/$2.deb"
}

booted_install() {
  local user
  did 'the package installs' -i /root/first.deb
  for user in $LAB_PEOPLE; do on dmz usermod -aG sallyport "$user"; done
  cp "$dmz$LAB_PREFIX/etc/sshd_config.d/sallyport.conf" "$dmz/etc/ssh/sshd_config.d/"
  on dmz systemctl reload ssh
  cp "$TMPDIR/laid/ssh_keys"/* "$dmz$LAB_PREFIX/etc/ssh_keys/"
  cp "$TMPDIR/laid/known_hosts" "$dmz$LAB_PREFIX/etc/"
  proxy_allow cat
  status 0 'the service takes the configuration' on dmz systemctl reload asperaproxy
}

did() {
  local name=$1
  shift
  capture on dmz env DEBIAN_FRONTEND=noninteractive dpkg "$@" < /dev/null
  is "$code" 0 "$name" || diag "$out" "$err"
}
failed_units() { on dmz systemctl --failed --plain --no-legend | cut -d ' ' -f 1; }
asperaproxy() { on dmz timeout 60 "$LAB_PREFIX/bin/asperaproxy" "$@"; }
answered() {
  on outside python3 "$LAB_LIB/udp.py" send "$OUTSIDE:5000" "$SQUASH:33001" "$1" --wait-reply 2 2> /dev/null
}
crosses() {
  proxy_session "$1" outside bear "$SQUASH" cat && [[ $(answered "$1") = *"from=$SQUASH:33001 $1"* ]]
}
said() {
  local unit status init
  unit=$(on dmz systemctl is-active asperaproxy)
  status=$(asperaproxy status | grep -o 'stopped=[a-z]*')
  on dmz /etc/init.d/asperaproxy status > /dev/null 2>&1
  init=$?
  echo "$unit $status $init"
}
