# lab-host.sh NAME: become the host NAME of a lab. Run by lab-raise.sh in
# new mount, network and host-name namespaces; says "ready" on stdout, then
# stays, for as long as the host is to exist.
#
# The host's / is a tmpfs of its own. The machine's programs and their settings
# (/usr, /etc, /var/lib) lie under it as overlays, so writing there changes
# nothing but this host; the machine's other folders are not to be seen at all.
set -eu
umask 022
name=$1
store=/run/lab/$name
root=$store/root

# overlay DIRECTORY: a private, writable view of the machine's own.
overlay() {
  local layers
  layers=$store/layers/${1//\//-}
  mkdir -p "$root/$1" "$layers/upper" "$layers/work"
  mount -t overlay -o "lowerdir=/$1,upperdir=$layers/upper,workdir=$layers/work" lab "$root/$1"
}

make_root() {
  local entry
  mkdir -p "$root"
  mount -t tmpfs -o mode=755 lab "$root"
  for entry in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$entry" ]; then
      cp -P "/$entry" "$root/$entry"
    elif [ -d "/$entry" ]; then
      overlay "$entry"
    fi
  done
  overlay usr
  overlay etc
  overlay var/lib
  cd "$root"
  mkdir -p home opt srv mnt media boot run/sshd run/lock \
    var/log var/cache var/mail var/spool/cron/crontabs
  mkdir -m 700 root
  mkdir -m 1777 tmp var/tmp
  ln -s ../run ../run/lock var/
  cp /etc/skel/.bashrc /etc/skel/.profile root/ 2> /dev/null || true
}

make_devices() {
  cd "$root"
  mkdir dev dev/pts dev/shm
  mknod -m 666 dev/null c 1 3
  mknod -m 666 dev/zero c 1 5
  mknod -m 666 dev/full c 1 7
  mknod -m 666 dev/random c 1 8
  mknod -m 666 dev/urandom c 1 9
  mknod -m 666 dev/tty c 5 0
  chmod 1777 dev/shm
  ln -s pts/ptmx /proc/self/fd dev/
  ln -s /proc/self/fd/0 dev/stdin
  ln -s /proc/self/fd/1 dev/stdout
  ln -s /proc/self/fd/2 dev/stderr
  mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 lab dev/pts
  mkdir proc sys
  mount -t proc lab proc
  mount -t sysfs -o ro lab sys
}

show_source() {
  mkdir "$root/run/source"
  mount --bind /run/source "$root/run/source"
  mount -o remount,bind,ro "$root/run/source"
}

# The system's accounts only, none with a password, looked up in files only; and
# nothing that the machine's administrator has set for its own sshd and sudo.
make_etc() {
  cd "$root/etc"
  awk -F: '$3 < 1000 || $3 == 65534' /etc/passwd > passwd
  awk -F: '($3 < 1000 || $3 == 65534) && $1 != "sallyport" { print $1 FS $2 FS $3 FS }' \
    /etc/group > group
  awk -F: '{ print $1 ":*:19000:0:99999:7:::" }' passwd > shadow
  rm -f gshadow subuid subgid ./*- sudoers.d/* cron.d/* ssh/ssh_host_* ssh/sshd_config.d/* \
    resolv.conf
  : > resolv.conf
  echo "$name" > hostname
  cat > nsswitch.conf << 'END'
passwd: files
group: files
shadow: files
hosts: files
services: files
protocols: files
END
  cat > sudoers << 'END'
Defaults env_reset
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
END
  chmod 440 sudoers
  chmod 640 shadow
}

# Addresses are to be usable at once, and packets to go only where a test says.
set_network() {
  local setting
  for setting in ipv4/ip_forward ipv6/conf/all/forwarding \
    ipv6/conf/{all,default}/{accept_dad,accept_ra,disable_ipv6}; do
    echo 0 > "/proc/sys/net/$setting"
  done
}

echo "$name" > /proc/sys/kernel/hostname
set_network
make_root
make_devices
show_source
make_etc
echo "$$" > "/run/lab/hosts/$name"
cd "$root"
pivot_root . .
umount -l .
cd /
echo ready
exec env -i /usr/bin/sleep infinity > /dev/null 2>&1 < /dev/null
