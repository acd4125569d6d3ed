# lab-furnish.sh: what is on the hosts: accounts, keys, services, the suite.
# Sourced by lab.sh. Every function runs under `set -e`.

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
  "lab_furnish_$(lab_role "$1")" "$1" "$root"
}

lab_write_hosts() {
  {
    echo "127.0.0.1 localhost"
    echo "::1 localhost ip6-localhost"
    lab_table | awk -v domain="$LAB_DOMAIN" '{
      print $4, $6 "." domain, $6
      print $5, $6 "." domain, $6
    }'
  } > "$1/etc/hosts"
}

lab_start_syslog() {
  cat > "$2/etc/rsyslog.conf" << 'END'
global(workDirectory="/var/lib" net.enableDNS="off")
module(load="imuxsock" SysSock.Use="on" SysSock.RateLimit.Interval="0")
*.* action(type="omfile" file="/var/log/syslog" fileCreateMode="0644" template="RSYSLOG_FileFormat")
END
  : > "$2/var/log/syslog"
  if lab_is_booted "$1"; then on "$1" systemctl restart rsyslog; else on "$1" rsyslogd -i /run/rsyslogd.pid; fi
  wait_until 10 on "$1" test -S /dev/log
}

# lab_add_user HOST ROOT NAME SHELL [USERADD-OPTIONS...]
lab_add_user() {
  local host=$1 root=$2 name=$3 shell=$4
  shift 4
  on "$host" useradd -m -U -p '*' -s "$shell" "$@" "$name"
  mkdir -m 700 "$root/home/$name/.ssh"
}

# lab_own ROOT NAME: all that was put into NAME's .ssh is now his.
lab_own() {
  chown -R --reference="$1/home/$2" "$1/home/$2/.ssh"
}

# lab_put_key NAME FILE: one of lab_make_keys' pairs.
lab_put_key() {
  install -m 600 "$LAB_DIR/keys/$1" "$2"
  install -m 644 "$LAB_DIR/keys/$1.pub" "$2.pub"
}

# lab_known_hosts ROLE: known_hosts lines, under every address and name, for the
# hosts of ROLE that are here.
lab_known_hosts() {
  local host key
  for host in $(lab_table | awk -v role="$1" '$2 == role { print $1 }' | uniq); do
    key=$LAB_DIR/keys/$(lab_host_key "$host").pub
    [ -r "$key" ] || continue
    key=$(cut -d ' ' -f 1,2 "$key")
    lab_table | awk -v host="$host" -v key="$key" -v domain="$LAB_DOMAIN" \
      -v ports="$(lab_ssh_ports "$host")" '
      $1 == host {
        n = split(ports, port)
        for (i = 1; i <= n; i++) {
          before = port[i] == 22 ? "" : "["
          after = port[i] == 22 ? "" : "]:" port[i]
          print before $4 after "," before $5 after "," before $6 after "," \
            before $6 "." domain after, key
        }
      }'
  done
}

# lab_host_key HOST: the pair that its sshd has. All proxies have the same.
lab_host_key() {
  case $(lab_role "$1") in
    dmz) echo host-dmz ;;
    *) echo "host-$1" ;;
  esac
}

lab_furnish_client() {
  local host=$1 root=$2 user ssh
  for user in $LAB_PEOPLE; do
    lab_add_user "$host" "$root" "$user" /bin/bash
    ssh=$root/home/$user/.ssh
    lab_put_key "client-$user" "$ssh/id_ed25519"
    { lab_known_hosts dmz; lab_known_hosts outer; } > "$ssh/known_hosts"
    # The default key exchange would cost 100 ms more at each login.
    cat > "$ssh/config" << 'END'
Host *
  KexAlgorithms curve25519-sha256
  StrictHostKeyChecking yes
  UserKnownHostsFile ~/.ssh/known_hosts
  BatchMode yes
END
    lab_own "$root" "$user"
  done
  lab_install_programs "$root" asp-cp asp-forward
}

lab_furnish_inside() {
  local host=$1 root=$2
  lab_add_user "$host" "$root" xfer /bin/bash
  cp "$LAB_DIR/keys/squash.pub" "$root/home/xfer/.ssh/authorized_keys"
  lab_own "$root" xfer
  lab_add_user "$host" "$root" bobcat /bin/bash
  cp "$LAB_DIR/keys/dmz-bobcat.pub" "$root/home/bobcat/.ssh/authorized_keys"
  lab_own "$root" bobcat
  lab_install_programs "$root" asp-cp
  # As INSTALL says: all users come from these.
  {
    echo "MaxStartups $([ -n "${LAB_CROWD-}" ] && echo 1500 || echo 300:30:600)"
    sshd_where_known "PerSourcePenaltyExemptList $DMZ_LAN,$DMZ_LAN_6,$DMZ2_LAN,$DMZ2_LAN_6"
  } > "$root/etc/ssh/sshd_config.d/proxy.conf"
  lab_start_sshd "$host" "$root"
}

# Somebody else's server: bear and bobcat are xfer there, bobcat is himself, too.
lab_furnish_outer() {
  local host=$1 root=$2
  lab_add_user "$host" "$root" xfer /bin/bash
  cat "$LAB_DIR/keys/client-bear.pub" "$LAB_DIR/keys/client-bobcat.pub" \
    > "$root/home/xfer/.ssh/authorized_keys"
  lab_own "$root" xfer
  lab_add_user "$host" "$root" bobcat /bin/bash
  cp "$LAB_DIR/keys/client-bobcat.pub" "$root/home/bobcat/.ssh/authorized_keys"
  lab_own "$root" bobcat
  lab_install_programs "$root" asp-cp
  lab_start_sshd "$host" "$root"
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
  local host=$1 root=$2 user shell ssh settings=$LAB_SOURCE/etc
  if [ -r "$settings/sysctl.d/sallyport.conf" ]; then
    lab_sysctl "$settings/sysctl.d/sallyport.conf" "$host"
  fi
  on "$host" sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
    net.netfilter.nf_conntrack_acct=1
  on "$host" groupadd -f -r sallyport
  on "$host" useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin sallyport-dial
  on "$host" useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin sallyport-node
  lab_take_sudo "$root"
  lab_install_suite "$host" "$root"
  for user in $LAB_PEOPLE; do
    shell=/bin/aspshell
    [ "$user" != mallory ] || shell=/bin/bash
    lab_add_user "$host" "$root" "$user" "$shell" -G sallyport -K UID_MIN=2000
    ssh=$root/home/$user/.ssh
    lab_put_key "dmz-$user" "$ssh/id_ed25519"
    lab_own "$root" "$user"
    install -D -m 644 "$LAB_DIR/keys/client-$user.pub" "$root/etc/ssh/authorized_keys/$user"
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
    if [ "$(lab_role "$1")" = dmz ]; then
      printf '%s\n' "Match User mallory" "  ForceCommand none" "Match all"
    fi
    echo "Include /etc/ssh/sshd_config.d/*.conf"
    if ! grep -qs '^Port ' "$etc/sshd_config.d/"*; then
      lab_ssh_ports "$1" | xargs -n 1 echo Port
    fi
    cat << 'END'
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM yes
KbdInteractiveAuthentication no
PasswordAuthentication no
PrintMotd no
Subsystem sftp /usr/lib/openssh/sftp-server
END
  } > "$etc/sshd_config"
  lab_put_key "$(lab_host_key "$1")" "$etc/ssh_host_ed25519_key"
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
  cat << END
<?xml version="1.0" encoding="UTF-8"?>
<CONF version="2">
  <server>
    <rproxy>
      <enabled>true</enabled>
      <rules>
END
  lab_rule "$SQUASH" "$INSIDE1_AT:22" "$LAB_PREFIX/etc/ssh_keys/id_ed25519" xfer
  lab_rule "$INDIVIDUAL" "$INSIDE1_AT:22" "$key"
  lab_rule "$SQUASH_6" "[$INSIDE1_6]:22" "$LAB_PREFIX/etc/ssh_keys/id_ed25519" xfer
  lab_rule "$INDIVIDUAL_6" "[$INSIDE1_6]:22" "$key"
  cat << END
      </rules>
    </rproxy>
  </server>
</CONF>
END
}

# lab_rule PROXY-ADDRESS HOST KEYFILE [SQUASH-USER]
lab_rule() {
  cat << END
        <rule host_ip="$1">
          <host>$2</host>
${4:+          <squash_user>$4</squash_user>
}          <keyfile>$3</keyfile>
        </rule>
END
}

# lab_install_programs ROOT TOOL...: where a host has no suite.
lab_install_programs() {
  local root=$1 tool
  shift
  [ "${LAB_SUITE-}" != no ] || return 0
  for tool; do
    install -m 755 "$LAB_SOURCE/$LAB_BUILD/bin/$tool" "$root/usr/local/bin/"
  done
}
