#!/bin/bash
# The packages: what `make install` lays, no more and no less; and the life of the
# Debian package on a host: install, upgrade under living sessions, remove, install
# again, purge.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

export LAB_SUITE=no
lab_up dmz outside inside1
dmz=$(lab_root dmz)
case $LAB_BUILD in
  /*) built=$LAB_BUILD ;;
  *) built=$LAB_SOURCE/$LAB_BUILD ;;
esac

# -- the packages --------------------------------------------------------------

# Which level of compression a package has is nothing that is tested.
export DPKG_DEB_COMPRESSOR_LEVEL=0
# make_deb TREE FOLDER: from what is built already; its path is in $deb.
make_deb() {
  make -s -C "$1" deb "BUILD=$built" "PREFIX=$LAB_PREFIX" "DEB_DIR=$2" > "$TMPDIR/deb.log" 2>&1 ||
    lab_die "make deb: $(cat "$TMPDIR/deb.log")"
  deb=$(cd "$1" && realpath "$2"/*.deb)
}
# listed DIRECTORY: type, mode, name and target of what is in it.
listed() { (cd "$1" && find . -printf '%y %m %P %l\n' | sort); }
field() { dpkg-deb -f "$deb" "$1"; }
# make_words NAME: of a list in the Makefile.
make_words() { sed -n "s/^$1 *:= *//p" "$LAB_SOURCE/Makefile"; }

# The next version ships another aspera.conf, and its folder has a name that is not one word.
next="$TMPDIR/the next (version)"
mkdir "$next"
(cd "$LAB_SOURCE" && cp -a Makefile INSTALL LICENSE CHANGELOG.md cmd lib man etc sudoers.d "$next/")
ln -s "$built" "$next/build"
sed -i '0,/^## /s/^## [^ ]*/&+next/' "$next/CHANGELOG.md"
sed -i 's|</CONF>|<!-- new in this version -->\n&|' "$next/etc/aspera.conf"

make_deb "$next" packages
newer=$deb
make_deb "$LAB_SOURCE" "$TMPDIR/first"
(umask 077; export TZ=Asia/Tokyo LC_ALL=C.UTF-8; make_deb "$LAB_SOURCE" "$TMPDIR/again")
ok 'two builds of one tree are the same, byte for byte' cmp "$deb" "$TMPDIR"/again/*.deb
is "$(field Version)+next" "$(dpkg-deb -f "$newer" Version)" 'the version is that of CHANGELOG.md'
for package in $(make_words DEPS_RUN) libssh-4; do
  like ", $(field Depends)," ", $package( \\([^)]*\\))?," "it depends on $package"
done

stage=$TMPDIR/stage
make -s -C "$LAB_SOURCE" install "BUILD=$built" "PREFIX=$LAB_PREFIX" "DESTDIR=$stage" > "$TMPDIR/install.log" 2>&1 ||
  lab_die "make install: $(cat "$TMPDIR/install.log")"
dpkg-deb -R "$deb" "$TMPDIR/unpacked"
mv "$TMPDIR/unpacked/DEBIAN" "$TMPDIR/control"
ok 'it has the files of make install, with their modes' diff <(listed "$stage") <(listed "$TMPDIR/unpacked")
is "$(diff -rq --no-dereference -x bin -x libexec "$stage" "$TMPDIR/unpacked")" '' 'with the same in them'
is "$(dpkg-deb -c "$deb" | grep -v ' root/root ')" '' 'all of it is root'"'s"
is "$(grep -lF -e "$TMPDIR" -e "$LAB_TREE" -r "$TMPDIR/unpacked" "$TMPDIR/control")" '' 'nothing names the place where it was built'
is "$(cat "$TMPDIR/control/conffiles")" \
  "$( (cd "$stage" && find etc ".$LAB_PREFIX/etc/aspera.conf" -type f) | sed 's|^\.*/*|/|' | sort)" \
  'what an administrator may edit is on the list of conffiles'
for script in preinst postinst prerm postrm; do
  ok "$script can be parsed" sh -n "$TMPDIR/control/$script"
  nok 'and has no gap left' grep -E '@[A-Z]+@' "$TMPDIR/control/$script"
done
status 2 'tools that were built for another place are not packed' \
  make -s -C "$LAB_SOURCE" deb "BUILD=$built" PREFIX=/srv/proxy "DEB_DIR=$TMPDIR/elsewhere"
like "$err" 'built for another PREFIX' 'and it says so'

if command -v rpmbuild > /dev/null; then
  # rpm 4.20 writes the place into a script of its own as it is.
  mkdir "$TMPDIR/plain" && mount --bind "$next" "$TMPDIR/plain"
  status 0 'the rpm is built' env -C "$TMPDIR/plain" rpmbuild -bb --build-in-place --nodeps \
    -D "_topdir $TMPDIR/rpm" -D "_builddir $TMPDIR/rpm" -D "_dbpath $TMPDIR/rpm/db" \
    -D "_tmppath $TMPDIR" -D '_buildhost localhost' -D '_binary_payload w1.gzdio' -D "sallyport_prefix $LAB_PREFIX" etc/packaging/rpm/sallyport.spec
  rpm() { command rpm --dbpath "$TMPDIR/rpm/db" -qp "$@" "$TMPDIR"/rpm/RPMS/*/*.rpm; }
  ok 'it has the files of make install, with their modes' diff \
    <(find "$stage" ! -type d -printf '%M /%P\n' | sort) \
    <(rpm --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' | sed '/^d/d; s|\(/man/.*\)\.gz$|\1|' | sort)
  is "$(rpm -c)" "$(cat "$TMPDIR/control/conffiles")" 'and its conffiles are those of the Debian package'
  is "$(rpm --qf '[%{FILEGROUPNAME} %{FILENAMES}\n]' | grep -v '^root ')" "" \
    "all of it is root's"
  rpm --qf '%{PREIN}\n%{POSTIN}\n%{PREUN}\n%{POSTUN}\n' > "$TMPDIR/scriptlets"
  is "$(grep -o 'groupadd.*' "$TMPDIR/scriptlets"; sh -n "$TMPDIR/scriptlets" 2>&1)" 'groupadd --system sallyport' 'its scripts can be parsed'
  nok 'and have no gap left' grep -E '%[{a-z]' "$TMPDIR/scriptlets"
else
  skip 'rpmbuild is not installed' 'the rpm is built'
fi

# -- a host --------------------------------------------------------------------

# As if nobody had prepared it for the suite; what the lab laid is kept for later.
cp -a "$dmz$LAB_PREFIX/etc" "$TMPDIR/laid"
rm -rf "${dmz:?}$LAB_PREFIX" "$dmz/etc/ssh/sshd_config.d/sallyport.conf"
# Services may be started there, although a lab looks like a chroot.
install -m 755 /dev/stdin "$dmz/usr/sbin/policy-rc.d" <<< $'#!/bin/sh\nexit 0'
rmdir "$dmz${LAB_PREFIX%/*}"
on dmz groupdel sallyport
on dmz sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.netfilter.nf_conntrack_acct=0
# A rule of somebody else, and a folder, so that dpkg leaves him /opt.
mkdir "$dmz/opt/somebody"
on dmz iptables -t nat -A POSTROUTING -p tcp --dport 9 -j ACCEPT

# every_file: of dmz, with modes and owners; not what other programs keep, and of /usr
# where a package puts what is its own.
every_file() {
  on dmz find / /etc /var/lib /usr/bin /usr/sbin /usr/lib/systemd /usr/local /usr/share/man /usr/share/doc -xdev \
    \( -path /home -o -path /tmp -o -path /root -o -path /dev -o -path /proc -o -path /sys -o -path /var/log -o -path /var/cache \
    -o -path '/var/lib/dpkg*' -o -path '/usr/share/doc/*/*' -o -path /run/motd.dynamic \) -prune \
    -o -printf '%M %u %g %p\n' | sort -u
}
# dpkg_on OPTIONS...: as an unattended upgrade runs it; what it said is in $out, $err.
dpkg_on() { capture on dmz env DEBIAN_FRONTEND=noninteractive dpkg "$@" < /dev/null; }
did() {
  local name=$1
  shift
  dpkg_on "$@"
  is "$code" 0 "$name" || diag "$out" "$err"
}
rules_of_suite() { on dmz sh -c 'iptables-save; ip6tables-save; nft list tables' | grep -i sallyport; }
others_rule() { on dmz iptables -t nat -C POSTROUTING -p tcp --dport 9 -j ACCEPT; }
# Asks for what the UDP echo at inside1 answers to a packet of outside's port 5000.
answered() {
  on outside python3 "$LAB_LIB/udp.py" send "$OUTSIDE:5000" "$SQUASH:33001" "$1" --wait-reply 1 2> /dev/null
}
# laid_again: keys and host keys, as INSTALL has them.
laid_again() {
  cp "$TMPDIR/laid/ssh_keys"/* "$dmz$LAB_PREFIX/etc/ssh_keys/"
  cat "$TMPDIR/laid/known_hosts" >> "$dmz$LAB_PREFIX/etc/known_hosts"
}
edited() { sha256sum < "$dmz$LAB_PREFIX/etc/aspera.conf"; }

# That Debian makes an index of all manual pages, each time anew, is not of interest.
rm -f "$dmz/var/lib/man-db/auto-update"
cp "$deb" "$dmz/root/first.deb"
cp "$newer" "$dmz/root/newer.deb"
every_file > "$TMPDIR/before"

# The original has a shell of that name, in /bin, which dpkg takes for another place.
mkdir -p "$TMPDIR/other/DEBIAN" "$TMPDIR/other/bin"
printf 'Package: other-proxy\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n' > "$TMPDIR/other/DEBIAN/control"
echo other > "$TMPDIR/other/bin/aspshell"
dpkg-deb --root-owner-group -b "$TMPDIR/other" "$dmz/root/other.deb" > /dev/null
dpkg_on -i /root/other.deb
dpkg_on -i /root/first.deb
is "$code" 1 "it is not installed over somebody else's aspshell"
like "$err" 'belongs to the package other-proxy: remove that first' 'and says whose it is'
is "$(cat "$dmz/bin/aspshell")" other 'which is as it was'
dpkg_on -P other-proxy
dpkg_on -P sallyport

did 'it installs' -i /root/first.deb
is "$(on dmz dpkg-query -W -f '${db:Status-Status}' sallyport)" installed 'and is configured'
ok 'there is a group' on dmz grep -q ^sallyport: /etc/group
is "$(stat -c %a "$dmz$LAB_PREFIX/etc/known_hosts") $(on dmz stat -c %U:%G:%a "$LAB_PREFIX/etc/ssh_keys")" \
  '644 root:root:700' 'there are places for host keys and keys'
status 0 'sudo takes its file' on dmz visudo -cq
is "$(on dmz sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.netfilter.nf_conntrack_acct | xargs)" '0 0 1' \
  'the kernel counts, and forwards nothing yet'
for tool in $(make_words BIN); do
  ok "$tool finds its libraries" on dmz sh -c "! ldd $LAB_PREFIX/bin/$tool | grep 'not found'"
done
is "$(on dmz readlink -f /bin/aspshell)" "$LAB_PREFIX/bin/aspshell" '/bin/aspshell is the shell'
# Without systemd, to be enabled is all that there is to see of a unit.
for unit in "$stage"/usr/lib/systemd/system/*; do
  case $unit in *@.*) continue ;; esac
  ok "${unit##*/} is enabled" on dmz systemctl --quiet is-enabled "${unit##*/}"
done
for script in "$stage"/etc/init.d/*; do
  [ -e "$script" ] || continue
  ok "${script##*/} starts at boot" ls "$dmz"/etc/rc2.d/S*"${script##*/}"
  is "$(rules_of_suite)" '' 'and lays nothing as long as aspera.conf enables no proxy'
done

# -- from here on as INSTALL has it --------------------------------------------

for user in $LAB_PEOPLE; do on dmz usermod -aG sallyport "$user"; done
cp "$dmz$LAB_PREFIX/etc/sshd_config.d/sallyport.conf" "$dmz/etc/ssh/sshd_config.d/"
lab_sshd dmz stop
lab_sshd dmz start
laid_again
proxy_allow cat
status 0 'the service takes the configuration' on dmz /etc/init.d/asperaproxy reload
is "$(on dmz sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding | xargs)" '1 1' 'now the kernel forwards'
like "$(rules_of_suite)" 'table inet sallyport_border' 'behind a border'
conf=$(edited)
like "$(on dmz sudo -l -U bear)" "NOPASSWD: $LAB_PREFIX/libexec/asp-pinhole" 'sudo lets a member open a pinhole'

lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"
ok 'a session opens' proxy_session first outside bear "$SQUASH" cat
like "$(answered before)" "from=$SQUASH:33001 before" 'and its UDP goes through'

did 'the same version installs once more, and asks nothing' -i /root/first.deb
is "$(edited)" "$conf" 'aspera.conf is as it was edited'
nok 'and the only one' ls "$dmz$LAB_PREFIX/etc/aspera.conf".* 2> /dev/null
on dmz iptables -t nat -N SALLYPORT-DNAT-0a  # of a version before
did 'the next version installs' --force-confold -i /root/newer.deb
is "$(edited)" "$conf" 'aspera.conf is as it was edited'
like "$(cat "$dmz$LAB_PREFIX/etc/aspera.conf.dpkg-dist")" 'new in this version' 'and the new one lies beside it'
ok 'host keys are kept' grep -qF "$(head -n 1 "$TMPDIR/laid/known_hosts")" "$dmz$LAB_PREFIX/etc/known_hosts"
ok 'keys are kept' cmp "$TMPDIR/laid/ssh_keys/id_ed25519" "$dmz$LAB_PREFIX/etc/ssh_keys/id_ed25519"

nok 'what an older version laid in the firewall is gone' on dmz iptables -t nat -S SALLYPORT-DNAT-0a
like "$(answered after)" "from=$SQUASH:33001 after" 'the UDP of the living session still goes through'
ok 'a second session opens' proxy_session second outside bear "$SQUASH" cat
(echo still there >&"${proxy_stdin[first]}") 2> /dev/null
ok 'what the first is sent arrives' wait_until 5 grep -qx 'still there' "$TMPDIR/first.out"
proxy_end first
is "$proxy_status" 0 'and it ends as it should'

# -- away with it --------------------------------------------------------------

like "$(answered second)" "from=$SQUASH:33001 second" 'the UDP of the second goes through'
did 'it is removed under a living session' -r sallyport
is "$(rules_of_suite)" '' 'no rule of it is left'
is "$(on dmz sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding | xargs)" '0 0' 'and forwarding is off, as it was'
is "$(on dmz conntrack -L -p udp -m 0x8000000/0x8000000 2> /dev/null)" '' 'and no flow'
is "$(answered ghost)" '' 'no packet is forwarded any more'
ok "somebody else's rule is there" others_rule
proxy_end second
unlike "$proxy_status" '^0$' 'the session was told'
is "$(ls -d "$dmz$LAB_PREFIX/bin" "$dmz$LAB_PREFIX/libexec" "$dmz/usr/bin/aspshell" 2> /dev/null)" '' 'the tools are gone'
is "$(edited)" "$conf" 'aspera.conf is kept'
ok 'so are the keys' test -s "$dmz$LAB_PREFIX/etc/ssh_keys/id_ed25519" -a -s "$dmz$LAB_PREFIX/etc/known_hosts"
status 0 'the line of cron does nothing' on dmz sh -c "$(sed -n 's/^\* \* \* \* \* *root *//p' "$dmz/etc/cron.d/sallyport")"
is "$out$err" '' 'and says nothing'

did 'it installs again, and asks nothing' -i /root/newer.deb
is "$(edited)" "$conf" 'with the aspera.conf that was kept'
ok 'a session opens' proxy_session third outside bear "$SQUASH" cat
proxy_end third
is "$proxy_status" 0 'and ends as it should'

rm "$dmz/etc/ssh/sshd_config.d/sallyport.conf"
did 'it is purged' -P sallyport
is "$(rules_of_suite)" '' 'no rule of it is left'
every_file > "$TMPDIR/after"
ok 'nor a file that was not there before' diff "$TMPDIR/before" "$TMPDIR/after"
ok 'the group stays, and who is in it' on dmz grep -q '^sallyport:.*bear' /etc/group
ok 'the accounts stay' on dmz test -s /home/bear/.ssh/id_ed25519
done_testing
