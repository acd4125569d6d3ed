# lab-host.sh NAME: become the host NAME of a lab. Run by lab-raise.sh in
# new mount, network and host-name namespaces; says "ready" on stdout, then
# stays, for as long as the host is to exist.
#
# The host's / is a tmpfs of its own. The machine's programs and their settings
# (/usr, /etc, /var/lib) lie under it as overlays, so writing there changes
# nothing but this host; the machine's other folders are not to be seen at all.
#
# With LAB_BOOT=1, and namespaces of its own for processes, IPC and control groups, too,
# it becomes systemd(1), process 1 of the host. Then / is in the lab's memory, and still
# there at the next boot; /run, /tmp and the network are not.
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
  if [ -n "${LAB_BOOT-}" ]; then
    mount --bind "$root" "$root"
  else
    mount -t tmpfs -o mode=755 lab "$root"
  fi
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
  [ ! -d "$root/proc" ] || return 0
  cd "$root"
  mkdir -p home opt srv mnt media boot run/sshd run/lock proc sys dev \
    var/log var/cache var/mail var/spool/cron/crontabs
  mkdir -m 700 root
  mkdir -m 1777 tmp var/tmp
  ln -s ../run ../run/lock var/
  cp /etc/skel/.bashrc /etc/skel/.profile root/ 2> /dev/null || true
  make_etc
  [ -z "${LAB_BOOT-}" ] || make_services
}

make_devices() {
  cd "$root"
  mount -t tmpfs -o mode=755 lab dev
  mkdir dev/pts dev/shm
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
  mount -t proc lab proc
  mount -t sysfs -o ro lab sys
}

# What systemd takes for a container's: its own control groups, nothing of the kernel
# to be set but the network.
make_bootable() {
  cd "$root"
  mount -t tmpfs -o mode=755 lab run
  mount -t tmpfs -o mode=1777 lab tmp
  mkdir run/lock run/sshd
  mount -t cgroup2 lab sys/fs/cgroup
  mount --bind proc/sys proc/sys
  mount --bind proc/sys/net proc/sys/net
  mount -o remount,bind,ro proc/sys
}
# Of the machine's services those that a host has; each of them can be started there.
make_services() {
  local unit
  cd "$root/etc/systemd/system"
  rm -rf ./*.wants ./*.requires
  mkdir multi-user.target.wants
  for unit in rsyslog cron; do
    ln -s "/lib/systemd/system/$unit.service" multi-user.target.wants/
  done
  rm -f ./*.service ../../rc?.d/*
  ln -s /lib/systemd/system/rsyslog.service syslog.service
  ln -s /dev/null user@.service  # people who log in have no systemd of their own
}

show_source() {
  mkdir -p "$root/run/source"
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
  tr -d - < /proc/sys/kernel/random/uuid > machine-id  # without one systemd(1) enables what it finds
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
read -r holder _ < /proc/self/stat  # our number in the lab, whatever it is here
make_root
make_devices
[ -z "${LAB_BOOT-}" ] || make_bootable
show_source
echo "$holder" > "/run/lab/hosts/$name"
cd "$root"
pivot_root . .
umount -l .
cd /
echo ready
[ -z "${LAB_BOOT-}" ] || exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  setpriv --bounding-set=-sys_time,-sys_boot,-sys_module,-sys_rawio /lib/systemd/systemd --log-target=journal \
  > /dev/null 2>&1 < /dev/null
exec env -i /usr/bin/sleep infinity > /dev/null 2>&1 < /dev/null
