# lab-enter.sh: from the machine into a lab's namespaces. Sourced by lab.sh.

# In a lab the source tree is at a place where no host has anything of its own, and no
# name is in the way, wherever it lies on the machine.
if [ -n "${LAB_INSIDE-}" ]; then
  LAB_LIB=/run/source/t/lib
else
  LAB_LIB=$(cd "${BASH_SOURCE[0]%/*}" && pwd -P)
fi
LAB_SOURCE=${LAB_LIB%/t/lib}
LAB_SPACES=(--mount --net --uts --pid --fork --mount-proc)

# lab_lacks: print why no lab can be raised here; fail if one can.
lab_lacks() {
  local program why
  if [ "$EUID" != 0 ]; then
    echo "you are uid $EUID"
    return
  fi
  for program in unshare nsenter setpriv pivot_root ip iptables rsyslogd \
    /usr/sbin/sshd ssh ssh-keygen useradd sudo ${LAB_SUDO:+"$LAB_SUDO" "vi$LAB_SUDO"}; do
    if ! type -P "$program" > /dev/null; then
      echo "$program is not installed"
      return
    fi
  done
  why=$(unshare "${LAB_SPACES[@]}" bash -c '
    mount -t tmpfs lab /run && mkdir /run/upper /run/work /run/root &&
    mount -t overlay -o lowerdir=/usr,upperdir=/run/upper,workdir=/run/work lab /run/root &&
    ip link add wan type bridge && ip link add one type veth peer name other &&
    iptables -w -t nat -S > /dev/null && ip6tables -w -t nat -S > /dev/null' 2>&1) && return 1
  echo "$why" | tr '\n' ' '
}

# lab_refuse WHY: a test is skipped; anything else says so and ends with 77.
lab_refuse() {
  case $0 in
    *.t)
      echo "1..0 # SKIP lab needs root and namespaces: $1"
      exit 0
      ;;
    *)
      echo "${0##*/}: the lab needs root and namespaces: $1" >&2
      exit 77
      ;;
  esac
}

# lab_interrupted SIGNAL: end the lab, then ourselves in the way we were asked to.
lab_interrupted() {
  trap - HUP INT TERM
  exec {lab_lifeline}>&-
  wait "$lab_unshare"
  kill "-$1" "$$"
}

# lab_enter SCRIPT ARGUMENTS...: run SCRIPT in new namespaces; exit with its status.
#
# However we end, SIGKILL included, the lab must end, too: its init waits for the end
# of a pipe that only we can write to, and never do. (A parent-death signal would
# leave a moment, before it is set, in which nobody notices.) A shell starts
# background commands with SIGINT ignored: env undoes that.
lab_enter() {
  local why status stdin script lab_unshare lab_lifeline
  why=$(lab_lacks) && lab_refuse "$why"
  export LAB_TREE=$LAB_SOURCE
  script=$(realpath "$1") || exit
  [ "${script#"$LAB_SOURCE"/}" = "$script" ] || script=/run/source/${script#"$LAB_SOURCE"/}
  shift
  exec {stdin}<&0
  # shellcheck disable=SC2207  # options
  [ -z "${uptime-}" ] || LAB_SPACES+=($(since_boot "$uptime"))
  exec {lab_lifeline}> >(
    exec env '--default-signal=INT,QUIT' unshare "${LAB_SPACES[@]}" \
      "$BASH" "$LAB_LIB/lab-init.sh" "$LAB_SOURCE" "$script" "$@" 9<&0 0<&"$stdin" {stdin}<&-
  )
  lab_unshare=$!
  trap 'lab_interrupted HUP' HUP
  trap 'lab_interrupted INT' INT
  trap 'lab_interrupted TERM' TERM
  wait "$lab_unshare"
  status=$?
  exit "$status"
}
