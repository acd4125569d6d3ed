# lab-enter.sh: from the machine into a lab's namespaces. Sourced by lab.sh.

LAB_SPACES=(--mount --net --uts --pid --fork --mount-proc)

# lab_lacks: print why no lab can be raised here; fail if one can.
lab_lacks() {
  local program why
  if [ "$EUID" != 0 ]; then
    echo "you are uid $EUID"
    return
  fi
  for program in unshare nsenter setpriv pivot_root ip iptables rsyslogd \
    /usr/sbin/sshd ssh ssh-keygen useradd sudo; do
    if ! type -P "$program" > /dev/null; then
      echo "$program is not installed"
      return
    fi
  done
  case $LAB_SOURCE in
    /run/*)
      echo "the source is in /run, where the lab puts its own"
      return
      ;;
  esac
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
  # unshare's child is the lab's init: with it, all of the lab dies, and unshare returns.
  { pkill -KILL -P "$lab_unshare" || kill -KILL "$lab_unshare"; } 2> /dev/null
  wait "$lab_unshare"
  kill "-$1" "$$"
}

# lab_enter SCRIPT ARGUMENTS...: run SCRIPT in new namespaces; exit with its status.
#
# Our end must be the lab's end, whichever way it comes: setpriv has the kernel
# kill unshare when we die, and --kill-child has it kill the lab's init when
# unshare dies. A shell starts background commands with SIGINT ignored: env undoes that.
lab_enter() {
  local why status lab_unshare
  why=$(lab_lacks) && lab_refuse "$why"
  setpriv --pdeathsig KILL env --default-signal=INT,QUIT \
    unshare "${LAB_SPACES[@]}" --kill-child=KILL \
    "$BASH" "$LAB_LIB/lab-init.sh" "$@" <&0 &
  lab_unshare=$!
  trap 'lab_interrupted HUP' HUP
  trap 'lab_interrupted INT' INT
  trap 'lab_interrupted TERM' TERM
  wait "$lab_unshare"
  status=$?
  exit "$status"
}
