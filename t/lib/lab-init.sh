# lab-init.sh SOURCE SCRIPT ARGUMENTS...: process 1 of a lab. Not for use by hand.
#
# Runs SCRIPT as its child, not in its place: the kernel shields process 1 from
# signals, and a test must be as mortal as elsewhere. Descriptor 9 is the pipe that
# ends with whoever started us (lab-enter.sh).
set -u
umask 022

# From here on /run is the lab's own. The source may have been in /run, too.
mount --bind "$1" /mnt && mount -t tmpfs -o mode=755 lab /run && mkdir /run/source &&
  mount --bind /mnt /run/source && umount /mnt || exit 1
shift
mkdir -p /run/lab/hosts /run/lab/keys /run/lab/tmp
# The people on the hosts run what is in t. In a clone made under umask 077 they could
# not, so there they see it with other modes.
if [ -n "$(find /run/source /run/source/t -maxdepth 1 ! -perm -o=r -print -quit)" ]; then
  mkdir /run/lab/upper /run/lab/work
  mount -t overlay -o metacopy=on,lowerdir=/run/source,upperdir=/run/lab/upper,workdir=/run/lab/work lab /run/source &&
    chmod a+rx /run/source && chmod -R a+rX /run/source/t || exit 1
fi
# And nothing of the machine can be written to, on whatever file system it is (one that
# lies under another is out of reach anyway).
while read -r _ _ _ _ directory _; do
  case $directory in
    / | /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /run | /run/*) ;;
    *) mount -o remount,bind,ro "$(printf %b "$directory")" 2> /dev/null ;;
  esac
done < /proc/self/mountinfo
mount -o remount,bind,ro /run/source && mount -o remount,bind,ro / || exit 1
chmod 1777 /run/lab/tmp
echo lab > /proc/sys/kernel/hostname
ip link set lo up

# show_logs: the end of each host's syslog, as TAP comments.
show_logs() {
  local file host holder
  for file in /run/lab/hosts/*; do
    [ -r "$file" ] || continue
    read -r holder < "$file"
    host=${file##*/}
    tail -n 25 "/proc/$holder/root/var/log/syslog" 2> /dev/null |
      sed "s/^/# /; 1i # -- syslog of $host, last lines" >&2
  done
}

# When the pipe ends, everything but this script is killed, and so this ends, too.
(
  exec > /dev/null 2>&1
  read -r -u 9
  touch /run/lab/abandoned
  kill -KILL -1
) &

LAB_INSIDE=1 TMPDIR=/run/lab/tmp "$BASH" "$@" 9<&-
status=$?
[ ! -e /run/lab/abandoned ] || exit "$status"
case $1 in
  *.t) [ "$status" = 0 ] || LAB_VERBOSE=1 ;;
esac
[ -z "${LAB_VERBOSE-}" ] || show_logs
exit "$status"
