# alone.sh: a contract test alone on the machine. Sourced first of all:
#
#   . "${0%/*}/../lib/alone.sh"
#
# Runs the script again in mount, network, process and host-name namespaces of its own;
# without root it is skipped. $PWD is the top of the source tree, at a path that is the
# same wherever the tree lies, and /run is empty but for it and for $tmp, TMPDIR, a
# folder for all. Includes plain.sh, tap.sh and wait.sh.
#
# uptime=SECONDS, set before: how long ago the machine was booted.
. "${BASH_SOURCE[0]%/*}/plain.sh"
if [ -z "${TEST_ALONE-}" ]; then
  spaces=(-mnpfu --kill-child --mount-proc)
  if ! unshare "${spaces[@]}" true 2> /dev/null; then
    echo '1..0 # SKIP needs root and namespaces'
    exit
  fi
  # shellcheck disable=SC2046  # options
  TEST_ALONE=1 exec unshare "${spaces[@]}" $([ -z "${uptime-}" ] || since_boot "$uptime") "$BASH" "$0" "$@"
fi

# The tree may lie in /run, too.
cd "${BASH_SOURCE[0]%/*}/../.." && mount --bind . /mnt && mount -t tmpfs -o mode=755 tmpfs /run &&
  mkdir /run/source && mount --bind /mnt /run/source && umount /mnt && cd /run/source || exit
tmp=/run/tmp
mkdir -m 1777 $tmp
export TMPDIR=$tmp
ip link set lo up
. t/lib/tap.sh
. t/lib/wait.sh
