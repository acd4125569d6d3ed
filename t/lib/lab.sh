# lab.sh: hosts made of namespaces, with real sshd, sudo, syslog and firewall.
#
# A test begins with
#
#   . "${0%/*}/../lib/lab.sh"
#   lab_up dmz outside inside1
#   on outside -u bear ssh -p 33001 "bear@$SQUASH" 'ascp -S. -V1'
#
# Sourcing this file runs the script again inside new mount, network, process
# and host-name namespaces. When it ends, or is killed in whatever way, the
# kernel takes every process, mount, link and firewall rule away with them.
#
# Which hosts there are, and the variables that name them: lab-hosts.sh.
#
#   on HOST [-u USER] COMMAND...   run there, as after a login; stdin, stdout,
#                                  stderr and status are the command's own
#   on_exec HOST ... &             the same for the background: $! is the command
#   lab_root HOST                  print the path of that host's / as seen from the test
#   lab_log HOST                   print its syslog
#   lab_config [HOST] < aspera.conf   replace the configuration on dmz, or that proxy;
#                                  with LAB_FORWARDING=nftables all its rules have that
#   lab_sysctl FILE [HOST]         the net.* settings of FILE, on dmz or that proxy
#   lab_sshd HOST start|stop       sshd there (returns when it listens, or does not)
#   lab_link HOST NET up|down      plug or pull its cable (it does not notice)
#   lab_capture HOST NET FILTER FILE   tcpdump into FILE (text; if so named, headers as pcap),
#                                  listening when this returns; $LAB_CAPTURE is its pid
#   lab_capture_end [PID]          stop it; FILE is complete when this returns
#   lab_udp HOST echo|recv ADDRESS:PORT FILE   udp.py there in the background, bound when
#                                  this returns; FILE gets "from=ADDRESS:PORT text" for
#                                  each datagram; $LAB_UDP is its pid
#   lab_dns NAMES                  dns.py on dmz, answering what NAMES says, and its
#                                  resolver asking it; $LAB_DNS is its pid
#   lab_family 4|6                 the addresses that OUTSIDE, SQUASH … stand for; lab-hosts.sh
#   lab_down HOST                  end all that runs on HOST, like pulling its plug
#   wait_until SECONDS COMMAND...  until COMMAND succeeds; 1 when time is up
#
# $LAB_SOURCE is the source tree, readable at that path on every host, too; $LAB_TREE is
# where it lies on the machine.
# The machine's files are read-only from here, so that no slip can change them;
# $TMPDIR is a scratch directory that vanishes with the lab.
# LAB_CROWD=1, set before lab_up, lets one host have a thousand log-ins under way at the
# same time; without it, sshd on the proxies has the limits that the suite's sample has.
# uptime=SECONDS, set before this is sourced: how long ago the machine was booted.
# LAB_VERBOSE=1 shows the hosts' logs at the end even if all went well;
# LAB_SUITE=no raises dmz without installing the suite there;
# LAB_BOOTED='dmz ...' boots these with systemd(1), which starts their sshd, syslog and cron;
# lab_reboot HOST reboots one; all other hosts have none. There on_exec's $! is not the
# command, but who waits for it.
# LAB_SUDO=sudo-rs has that in the place of sudo, and its visudo, on the proxies.
set -u

# shellcheck source=t/lib/plain.sh
. "${BASH_SOURCE[0]%/*}/plain.sh"
LAB_BUILD=${BUILD-build}
LAB_DIR=/run/lab

# shellcheck source=t/lib/lab-enter.sh
. "${BASH_SOURCE[0]%/*}/lab-enter.sh"
if [ "${LAB_INSIDE-}" = "" ]; then
  lab_enter "$0" "$@"
fi
# Not for the script's own children: a lab script that it starts gets its own lab.
unset LAB_INSIDE

# shellcheck source=t/lib/wait.sh
. "$LAB_LIB/wait.sh"
# shellcheck source=t/lib/sshd.sh
. "$LAB_LIB/sshd.sh"
# shellcheck source=t/lib/lab-hosts.sh
. "$LAB_LIB/lab-hosts.sh"
# shellcheck source=t/lib/lab-raise.sh
. "$LAB_LIB/lab-raise.sh"
# shellcheck source=t/lib/lab-furnish.sh
. "$LAB_LIB/lab-furnish.sh"

lab_die() {
  printf '# lab: %s\n' "$*" >&2
  exit 1
}

# lab_holder HOST: set $holder to the process that keeps HOST's namespaces.
lab_holder() {
  holder=
  [ -r "$LAB_DIR/hosts/$1" ] && read -r holder < "$LAB_DIR/hosts/$1"
  [ -n "$holder" ] || lab_die "no host '$1' here (lab_up has: $(ls "$LAB_DIR/hosts"))"
}

# For a host that is not there, a path that is not there: never the machine's own /.
lab_root() {
  local holder
  [ -r "$LAB_DIR/hosts/$1" ] || echo "$LAB_DIR/no-host-$1"
  lab_holder "$1"
  echo "/proc/$holder/root"
}

# lab_account ROOT NAME: set $uid, $gid, $home and $shell to what the passwd there says.
lab_account() {
  local name
  while IFS=: read -r name _ uid gid _ home shell; do
    [ "$name" != "$2" ] || return 0
  done < "$1/etc/passwd"
  return 1
}

# lab_has_groups ROOT NAME: is that account in a group besides its own?
lab_has_groups() {
  local groups
  read -r -d '' groups < "$1/etc/group" || :
  [[ $groups$'\n' = *[,:]"$2"[$',\n']* ]]
}

# lab_enter_host HOST [-u USER] COMMAND...: set $lab_argv to what runs COMMAND there, with
# the environment of a log-in. Not by runuser, which makes a PAM session, and not by
# setpriv where nsenter can do it: each program costs some 5 ms.
# Background commands of a script begin with SIGINT ignored; nobody expects that.
lab_enter_host() {
  local host=$1 user=root holder root uid gid home shell path=/usr/local/bin:/bin:/usr/bin
  shift
  if [ "${1-}" = -u ]; then
    user=$2
    shift 2
  fi
  lab_holder "$host"
  root=/proc/$holder/root
  lab_account "$root" "$user" || lab_die "no user '$user' on $host"
  [ -d "$root$home" ] || home=/
  [ "$uid" != 0 ] || path=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin
  lab_argv=(nsenter -t "$holder" -m -u -n "--wdns=$home")
  ! lab_is_booted "$host" || lab_argv+=(-i -p -C)
  if lab_has_groups "$root" "$user"; then
    lab_argv+=(-- setpriv --reuid "$uid" --regid "$gid" --init-groups --)
  else
    lab_argv+=(-S "$uid" -G "$gid" --)
  fi
  lab_argv+=(env -i '--default-signal=INT,QUIT' -- ${TERM+"TERM=$TERM"} "HOME=$home" "SHELL=$shell"
    "USER=$user" "LOGNAME=$user" "PATH=$path" "$@")
}

on() {
  local lab_argv
  lab_enter_host "$@"
  "${lab_argv[@]}"
}

on_exec() {
  local lab_argv
  lab_enter_host "$@"
  exec "${lab_argv[@]}"
}

# What was said before is in the file once what we say is: syslog keeps the order.
# Where it is not heard, the file is as good as it gets.
lab_log() {
  local holder root log mark=$BASHPID.$EPOCHREALTIME socket=dev/log
  lab_holder "$1"
  root=/proc/$holder/root
  log=$root/var/log/syslog
  ! lab_is_booted "$1" || socket=run/systemd/journal/dev-log  # dev/log is a link to it
  timeout 3 logger -u "$root/$socket" -t lab_log "$mark" 2> /dev/null && wait_until 3 grep -qaF "lab_log: $mark" "$log"
  grep -avE ' lab_log: [0-9.]+$' "$log" || :
}

# Renamed into place, as an editor does: no tool ever reads half a file.
lab_config() {
  local holder file
  lab_holder "${1-dmz}"
  file=/proc/$holder/root$LAB_PREFIX/etc/aspera.conf
  sed "${LAB_FORWARDING:+s|<rule\( [^>]*\)\?>|&<forwarding_type>$LAB_FORWARDING</forwarding_type>|g}" > "$file.new" &&
    mv "$file.new" "$file"
}

# Only net.*: that is the host's own, all else would be the machine's.
lab_sysctl() {
  lab_net_settings "$1" | on "${2-dmz}" sysctl -q -p -
}

lab_net_settings() { grep -E '^[[:space:]]*-?net[./]' "$1"; }

# lab_listens HOST PORT: does anything listen there on that TCP port?
lab_listens() {
  local holder port file local_address state rest
  lab_holder "$1"
  printf -v port ':%04X' "$2"
  for file in tcp tcp6; do
    while read -r rest local_address rest state rest; do
      [ "$state" = 0A ] && [ "${local_address: -5}" = "$port" ] && return 0
    done < "/proc/$holder/net/$file"
  done
  return 1
}

lab_silent() {
  ! lab_listens "$@"
}

lab_sshd() {
  local host=$1 port
  case $2 in
    start | stop)
      if lab_is_booted "$host"; then
        on "$host" systemctl -q "$2" ssh || return
      elif [ "$2" = start ]; then
        on "$host" /usr/sbin/sshd || return
      else
        on "$host" sh -c 'kill "$(cat /run/sshd.pid)"' || return
      fi
      ;;
    *) lab_die "lab_sshd $1: start or stop, not '$2'" ;;
  esac
  for port in ${LAB_SSH_PORTS[$host]}; do
    case $2 in
      start) wait_until 10 lab_listens "$host" "$port" || return ;;
      stop) wait_until 10 lab_silent "$host" "$port" || return ;;
    esac
  done
}

# Taken off the bridge rather than set down: a link that went down is only used
# again when the kernel gets around to it, up to a second later.
lab_link() {
  case $3 in
    up) ip link set "$2.$1" master "$2" ;;
    down) ip link set "$2.$1" nomaster ;;
    *) lab_die "lab_link $1 $2: up or down, not '$3'" ;;
  esac
}

lab_capture() {
  local holder format=(-l)
  lab_holder "$1"
  case $4 in
    *.pcap) format=(-U -s 128 -w "$4") ;;
  esac
  # Only the network is the host's, so FILE is a path of the test.
  : > "$4.err"
  nsenter -t "$holder" -n -- env --default-signal=INT \
    tcpdump -n --immediate-mode -i "$2" "${format[@]}" "$3" > "$4" 2> "$4.err" < /dev/null &
  export LAB_CAPTURE=$!
  wait_until 10 grep -q 'listening on' "$4.err" || lab_die "tcpdump on $1: $(cat "$4.err")"
}

lab_capture_end() {
  local pid=${1-$LAB_CAPTURE}
  kill -INT "$pid" && wait "$pid"
}

lab_udp() {
  : > "$4"
  on_exec "$1" python3 "$LAB_LIB/udp.py" "$2" "$3" > "$4" < /dev/null &
  export LAB_UDP=$!
  wait_until 10 grep -q '^listening' "$4" || lab_die "udp.py $2 $3 on $1 does not listen"
}

# NAMES.log has the questions. Whoever runs on dmz already may not notice.
lab_dns() {
  local holder root
  lab_holder dmz
  root=/proc/$holder/root
  # Only the network is the host's, so NAMES is a path of the test.
  nsenter -t "$holder" -n -- python3 "$LAB_LIB/dns.py" 127.0.0.1:53 "$1" > "$1.log" < /dev/null &
  export LAB_DNS=$!
  wait_until 10 grep -q '^listening' "$1.log" || lab_die "dns.py on dmz does not listen"
  printf 'nameserver 127.0.0.1\noptions timeout:2 attempts:1\n' > "$root/etc/resolv.conf"
  sed -i 's/^hosts:.*/hosts: files dns/' "$root/etc/nsswitch.conf"
}

# lab_processes SPACE: those in that mount namespace, which is one host's.
lab_processes() {
  find /proc/[0-9]*/ns/mnt -lname "${1/[/\\[}" -printf '%h\n' 2> /dev/null | grep -o '[0-9]*'
}

# Until nobody is left who could have begun another.
lab_kill_all() {
  local living
  living=$(lab_processes "$1")
  # shellcheck disable=SC2086  # a list of numbers
  [ -z "$living" ] || { kill -KILL $living; false; } 2> /dev/null
}

# Its cables first, all at once: from one moment to the next nothing is heard of it
# any more, not even what its kernel would say of a cable that is gone.
lab_down() {
  local holder space network
  lab_holder "$1"
  space=$(readlink "/proc/$holder/ns/mnt")
  rm "$LAB_DIR/hosts/$1"
  for network in ${LAB_NETWORKS[$1]}; do
    echo "link set $network.$1 nomaster"
  done | ip -batch -
  wait_until 10 lab_kill_all "$space"
}
