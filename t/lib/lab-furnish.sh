# lab-furnish.sh: what is on the hosts: accounts, keys, services, the suite.
# Sourced by lab.sh. Every function runs under `set -e`.
#
# Each test raises a lab, and most of what that costs are processes that are begun. So
# bash does here what it can do itself, and small files are not copied by install(1).

# People who have accounts on the clients and, of the same name, on dmz.
# mallory's shell on dmz is bash: what could someone do who broke out of aspshell?
# Their numbers on dmz are no others': all hosts of the lab share one list of processes.
LAB_PEOPLE='bear bobcat mallory'

lab_furnish() {
  local root
  root=$(lab_root "$1")
  ! lab_is_booted "$1" || wait_until 60 lab_is_up "$1"
  lab_write_hosts "$root"
  lab_start_syslog "$1" "$root"
  "lab_furnish_${LAB_ROLE[$1]}" "$1" "$root"
}

# lab_copy FROM TO: a small text.
lab_copy() {
  local text
  read -r -d '' text < "$1" || :
  printf '%s\n' "$text" > "$2"
}

lab_write_hosts() {
  local ipv4 ipv6 name
  {
    echo "127.0.0.1 localhost"
    echo "::1 localhost ip6-localhost"
    while read -r _ _ _ ipv4 ipv6 name; do
      printf '%s %s %s\n' "$ipv4" "$name.$LAB_DOMAIN" "$name" "$ipv6" "$name.$LAB_DOMAIN" "$name"
    done <<< "$LAB_TABLE"
  } > "$1/etc/hosts"
}

lab_start_syslog() {
  echo 'global(workDirectory="/var/lib" net.enableDNS="off")
module(load="imuxsock" SysSock.Use="on" SysSock.RateLimit.Interval="0")
*.* action(type="omfile" file="/var/log/syslog" fileCreateMode="0644" template="RSYSLOG_FileFormat")' > "$2/etc/rsyslog.conf"
  : > "$2/var/log/syslog"
  if lab_is_booted "$1"; then
    on "$1" systemctl restart rsyslog
    wait_until 10 on "$1" test -S /dev/log
  else
    on "$1" rsyslogd -i /run/rsyslogd.pid
    wait_until 10 test -S "$2/dev/log"
  fi
}

# lab_add_user HOST ROOT NAME SHELL [USERADD-OPTIONS...]: for tests, later.
lab_add_user() {
  local host=$1 root=$2 name=$3 shell=$4
  shift 4
  on "$host" useradd -m -U -p '*' -s "$shell" "$@" "$name"
  mkdir -m 700 "$root/home/$name/.ssh"
}

# lab_make_skeleton: what each of the lab's people has in the beginning.
lab_make_skeleton() {
  cp -r /etc/skel "$LAB_DIR/skel" && mkdir -m 700 "$LAB_DIR/skel/.ssh"
}

# lab_add_person ROOT NAME NUMBER SHELL: an account as `useradd -m -U -p '*'` makes it, and
# a .ssh. What is in the home is root's until lab_own.
lab_add_person() {
  lab_enter_account "$1" "$2:x:$3:$3::/home/$2:$4"
  cp -r "$LAB_DIR/skel" "$1/home/$2"
}

# lab_add_system ROOT NAME...: accounts as `useradd --system` makes them.
lab_add_system() {
  local root=$1 number name
  for name in "${@:2}"; do
    lab_free_number "$root"
    lab_enter_account "$root" "$name:x:$number:$number::/nonexistent:/usr/sbin/nologin"
  done
}

# lab_enter_account ROOT PASSWD-LINE: with a group of its own, and no password.
lab_enter_account() {
  local name number
  IFS=: read -r name _ number _ <<< "$2"
  echo "$2" >> "$1/etc/passwd"
  echo "$name:!:$number:" >> "$1/etc/group"
  echo "$name:*:$((EPOCHSECONDS / 86400)):0:99999:7:::" >> "$1/etc/shadow"
}

# lab_free_number ROOT: set $number to the highest for the system that nobody has there.
lab_free_number() {
  local accounts groups
  read -r -d '' accounts < "$1/etc/passwd" || :
  read -r -d '' groups < "$1/etc/group" || :
  number=999
  while [[ $accounts$groups = *":$number:"* ]]; do number=$((number - 1)); done
}

# lab_own ROOT NAME: all that is in NAME's home is now his.
lab_own() {
  local uid gid home shell
  lab_account "$1" "$2"
  chown -R "$uid:$gid" "$1$home"
}

# lab_put_key NAME FILE: one of lab_make_keys' pairs.
lab_put_key() {
  umask 077
  lab_copy "$LAB_DIR/keys/$1" "$2"
  umask 022
  lab_copy "$LAB_DIR/keys/$1.pub" "$2.pub"
}

# lab_known_hosts ROLE: known_hosts lines, under every address and name, for the
# hosts of ROLE that are here.
lab_known_hosts() {
  local host role ipv4 ipv6 name type key port
  while read -r host role _ ipv4 ipv6 name; do
    [ "$role" = "$1" ] && [ -r "$LAB_DIR/keys/${LAB_HOST_KEY[$host]}.pub" ] || continue
    read -r type key _ < "$LAB_DIR/keys/${LAB_HOST_KEY[$host]}.pub"
    for port in ${LAB_SSH_PORTS[$host]}; do
      case $port in
        22) echo "$ipv4,$ipv6,$name,$name.$LAB_DOMAIN $type $key" ;;
        *) echo "[$ipv4]:$port,[$ipv6]:$port,[$name]:$port,[$name.$LAB_DOMAIN]:$port $type $key" ;;
      esac
    done
  done <<< "$LAB_TABLE"
}

lab_furnish_client() {
  local root=$2 user ssh number=1000
  for user in $LAB_PEOPLE; do
    lab_add_person "$root" "$user" "$number" /bin/bash
    ssh=$root/home/$user/.ssh
    lab_put_key "client-$user" "$ssh/id_ed25519"
    { lab_known_hosts dmz; lab_known_hosts outer; } > "$ssh/known_hosts"
    # The default key exchange would cost 100 ms more at each login.
    echo 'Host *
  KexAlgorithms curve25519-sha256
  StrictHostKeyChecking yes
  UserKnownHostsFile ~/.ssh/known_hosts
  BatchMode yes' > "$ssh/config"
    lab_own "$root" "$user"
    number=$((number + 1))
  done
  lab_install_programs "$root" asp-cp asp-forward
}

lab_furnish_inside() {
  local host=$1 root=$2
  lab_add_server_people "$root" squash dmz-bobcat
  # As INSTALL says: all users come from these.
  {
    echo "MaxStartups $([ -n "${LAB_CROWD-}" ] && echo 1500 || echo 300:30:600)"
    sshd_where_known "PerSourcePenaltyExemptList $DMZ_LAN,$DMZ_LAN_6,$DMZ2_LAN,$DMZ2_LAN_6"
  } > "$root/etc/ssh/sshd_config.d/proxy.conf"
  lab_start_sshd "$host" "$root"
}

# Somebody else's server: bear and bobcat are xfer there, bobcat is himself, too.
lab_furnish_outer() {
  lab_add_server_people "$2" client-bear client-bobcat
  cat "$LAB_DIR/keys/client-bobcat.pub" >> "$2/home/xfer/.ssh/authorized_keys"
  lab_start_sshd "$1" "$2"
}

# lab_add_server_people ROOT KEY KEY: xfer and bobcat, who log in with these.
lab_add_server_people() {
  local root=$1
  lab_add_person "$root" xfer 1000 /bin/bash
  lab_copy "$LAB_DIR/keys/$2.pub" "$root/home/xfer/.ssh/authorized_keys"
  lab_own "$root" xfer
  lab_add_person "$root" bobcat 1001 /bin/bash
  lab_copy "$LAB_DIR/keys/$3.pub" "$root/home/bobcat/.ssh/authorized_keys"
  lab_own "$root" bobcat
  lab_install_programs "$root" asp-cp
}

# An ordinary home router, except that it always changes the port: the worst case.
lab_furnish_router() {
  local tables
  for tables in iptables ip6tables; do
    on "$1" "$tables" -w -t nat -A POSTROUTING -o wan -j MASQUERADE --random-fully
  done
  on "$1" sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

lab_furnish_balancer() {
  on "$1" sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# The host's alone: its /usr is a layer above the machine's.
lab_take_sudo() {
  [ -n "${LAB_SUDO-}" ] || return 0
  install -m 4755 "$(type -P "$LAB_SUDO")" "$1/usr/bin/sudo"
  install -m 755 "$(type -P "vi$LAB_SUDO")" "$1/usr/sbin/visudo"
}

lab_furnish_dmz() {
  local host=$1 root=$2 user shell number settings=$LAB_SOURCE/etc
  {
    [ ! -r "$settings/sysctl.d/sallyport.conf" ] || lab_net_settings "$settings/sysctl.d/sallyport.conf"
    printf '%s=1\n' net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.netfilter.nf_conntrack_acct
  } | on "$host" sysctl -q -p -
  lab_free_number "$root"
  echo "sallyport:x:$number:${LAB_PEOPLE// /,}" >> "$root/etc/group"
  lab_add_system "$root" sallyport-dial sallyport-node
  lab_take_sudo "$root"
  lab_install_suite "$host" "$root"
  mkdir -p "$root/etc/ssh/authorized_keys"
  number=2000
  for user in $LAB_PEOPLE; do
    shell=/bin/aspshell
    [ "$user" != mallory ] || shell=/bin/bash
    lab_add_person "$root" "$user" "$number" "$shell"
    lab_put_key "dmz-$user" "$root/home/$user/.ssh/id_ed25519"
    lab_own "$root" "$user"
    lab_copy "$LAB_DIR/keys/client-$user.pub" "$root/etc/ssh/authorized_keys/$user"
    number=$((number + 1))
  done
  if [ -r "$settings/sshd_config.d/sallyport.conf" ]; then
    cp "$settings/sshd_config.d/sallyport.conf" "$root/etc/ssh/sshd_config.d/"
    # Of most settings sshd takes the first that it reads, of MaxStartups the last.
    [ -z "${LAB_CROWD-}" ] || printf '%s\n' 'MaxStartups 1500' 'PerSourceMaxStartups none' 'Match Group sallyport' '  MaxSessions 1000' 'Match all' |
      tee "$root/etc/ssh/sshd_config.d/00-crowd.conf" > "$root/etc/ssh/sshd_config.d/zz-crowd.conf"
  fi
  lab_start_sshd "$host" "$root"
}

# sshd as Debian sets it up, less what needs a person; on the proxies with the suite's
# sample before all else.
# mallory has broken out of aspshell already, so the forced command is not for her.
lab_start_sshd() {
  local etc=$2/etc/ssh
  {
    [ "${LAB_ROLE[$1]}" != dmz ] || printf '%s\n' "Match User mallory" "  ForceCommand none" "Match all"
    echo "Include /etc/ssh/sshd_config.d/*.conf"
    # shellcheck disable=SC2086  # a list
    grep -qs '^Port ' "$etc/sshd_config.d/"* || printf 'Port %s\n' ${LAB_SSH_PORTS[$1]}
    echo 'HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM yes
KbdInteractiveAuthentication no
PasswordAuthentication no
PrintMotd no
Subsystem sftp /usr/lib/openssh/sftp-server'
  } > "$etc/sshd_config"
  lab_put_key "${LAB_HOST_KEY[$1]}" "$etc/ssh_host_ed25519_key"
  ! lab_is_booted "$1" || on "$1" systemctl -q enable ssh 2> /dev/null
  lab_sshd "$1" start
}

# lab_install_suite HOST ROOT: as an administrator would, from a tree that was built before.
lab_install_suite() {
  local etc=$2$LAB_PREFIX/etc log=$LAB_DIR/install-$1.log
  if [ "${LAB_SUITE-}" = no ]; then
    mkdir -p "$etc"
  else
    on "$1" make -s -C "$LAB_SOURCE" install "BUILD=$LAB_BUILD" "PREFIX=$LAB_PREFIX" DESTDIR= \
      > "$log" 2>&1 || {
      sed 's/^/# install: /' "$log" >&2
      lab_die "the suite could not be installed on $1: is it built? (LAB_SUITE=no does without)"
    }
  fi
  install -d -m 700 "$etc/ssh_keys"
  lab_put_key squash "$etc/ssh_keys/id_ed25519"
  lab_known_hosts inside > "$etc/known_hosts"
  lab_guide_config | lab_config "$1"
}

# lab_guide_config: aspera.conf with the guide's two rules: all to one account, and
# each to his own, of the family that lab_family chose; and the same for IPv6.
lab_guide_config() {
  local key='/home/$(user)/.ssh/id_ed25519'
  echo '<?xml version="1.0" encoding="UTF-8"?>
<CONF version="2">
  <server>
    <rproxy>
      <enabled>true</enabled>
      <rules>'
  lab_rule "$SQUASH" "$INSIDE1_AT:22" "$LAB_PREFIX/etc/ssh_keys/id_ed25519" xfer
  lab_rule "$INDIVIDUAL" "$INSIDE1_AT:22" "$key"
  lab_rule "$SQUASH_6" "[$INSIDE1_6]:22" "$LAB_PREFIX/etc/ssh_keys/id_ed25519" xfer
  lab_rule "$INDIVIDUAL_6" "[$INSIDE1_6]:22" "$key"
  echo '      </rules>
    </rproxy>
  </server>
</CONF>'
}

# lab_rule PROXY-ADDRESS HOST KEYFILE [SQUASH-USER]
lab_rule() {
  echo "        <rule host_ip=\"$1\">
          <host>$2</host>"
  [ -z "${4-}" ] || echo "          <squash_user>$4</squash_user>"
  echo "          <keyfile>$3</keyfile>
        </rule>"
}

# lab_install_programs ROOT TOOL...: where a host has no suite.
lab_install_programs() {
  local root=$1
  shift
  [ "${LAB_SUITE-}" = no ] || install -m 755 "${@/#/$LAB_SOURCE/$LAB_BUILD/bin/}" "$root/usr/local/bin/"
}
