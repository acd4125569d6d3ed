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
  local layers=$store/layers/${1//\//-}
  folders+=("$root/$1" "$layers/upper" "$layers/work")
  mounts+="lab $root/$1 overlay lowerdir=/$1,upperdir=$layers/upper,workdir=$layers/work"$'\n'
}

# All mounts but the first are one mount(8)'s: to begin it costs more than the mount does.
make_root() {
  local entry links=() folders=("$root"/{dev,proc,sys}) mounts=
  mkdir -p "$root"
  if [ -n "${LAB_BOOT-}" ]; then
    mount --bind "$root" "$root"
  else
    mount -t tmpfs -o mode=755 lab "$root"
  fi
  for entry in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$entry" ]; then
      links+=("/$entry")
    elif [ -d "/$entry" ]; then
      overlay "$entry"
    fi
  done
  overlay usr
  overlay etc
  overlay var/lib
  mounts+="lab $root/dev tmpfs mode=755
lab $root/dev/pts devpts X-mount.mkdir,newinstance,gid=5,mode=620,ptmxmode=666
lab $root/proc proc defaults
lab $root/sys sysfs ro"
  mkdir -p "${folders[@]}"
  echo "$mounts" > "$store/fstab"
  mount -a -T "$store/fstab"
  cd "$root"
  mkdir -p -m 1777 tmp var/tmp dev/shm
  cp -dR --preserve=mode /dev/{null,zero,full,random,urandom,tty,fd,stdin,stdout,stderr} dev/
  ln -s pts/ptmx dev/
  [ ! -d home ] || return 0
  mkdir -p home opt srv mnt media boot run/sshd run/lock \
    var/log var/cache var/mail var/spool/cron/crontabs
  mkdir -m 700 root
  [ ${#links[@]} = 0 ] || cp -P "${links[@]}" .
  ln -s ../run ../run/lock var/
  cp /etc/skel/.bashrc /etc/skel/.profile root/ 2> /dev/null || true
  make_etc
  [ -z "${LAB_BOOT-}" ] || make_services
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
  mount -o bind,ro /run/source "$root/run/source"
}

# The system's accounts only, none with a password, looked up in files only; and
# nothing that the machine's administrator has set for its own sshd and sudo. Nor a
# message of the day, for which six programs are begun at each log-in.
make_etc() {
  local account number rest
  cd "$root/etc"
  rm -rf update-motd.d gshadow subuid subgid ./*- sudoers sudoers.d/* cron.d/* ssh/ssh_host_* ssh/sshd_config.d/* \
    resolv.conf
  : > resolv.conf
  : > passwd > group > shadow
  while IFS=: read -r account _ number rest; do
    [[ $number -lt 1000 || $number = 65534 ]] || continue
    echo "$account:x:$number:$rest" >> passwd
    echo "$account:*:19000:0:99999:7:::" >> shadow
  done < /etc/passwd
  while IFS=: read -r account _ number rest; do
    [[ $number -lt 1000 || $number = 65534 ]] && [ "$account" != sallyport ] || continue
    echo "$account:x:$number:" >> group
  done < /etc/group
  echo "$name" > hostname
  read -r number < /proc/sys/kernel/random/uuid
  echo "${number//-/}" > machine-id  # without one systemd(1) enables what it finds
  printf '%s: files\n' passwd group shadow hosts services protocols > nsswitch.conf
  umask 227
  echo 'Defaults env_reset
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d' > sudoers
  umask 022
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
exec -c /usr/bin/sleep infinity > /dev/null 2>&1 < /dev/null
