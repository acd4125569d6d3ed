# plain.sh: what surrounds a test, whoever starts it and from where. tap.sh, alone.sh
# and lab.sh source it before all else.
#
# Runs the script again with nothing in its environment but what is listed here, with
# the default action of every signal, umask 022, and something on descriptors 0 to 2.
# The locale is one that Debian always has. The time zone stays: the suite has to live
# with any.
#
#   since_boot SECONDS   options of unshare(1) for a machine that was booted then, if the
#                        kernel has them
umask 022
since_boot() {
  local now offset
  # What unshare wants is counted from the kernel's own boot, whatever we see ourselves.
  read -r _ offset _ < <(grep -s boottime /proc/self/timens_offsets) || return
  read -r now _ < /proc/uptime
  offset=$(($1 - ${now%.*} + offset))
  echo "--time --boottime $offset --monotonic $offset"
}
if [ -z "${TEST_PLAIN-}" ]; then
  for plain in 0 1 2; do
    [ -e "/proc/self/fd/$plain" ] || eval "exec $plain<> /dev/null"
  done
  set -- TEST_PLAIN=1 LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$(unset HOME; echo ~)" "$BASH" "$0" "$@"
  for plain in $(compgen -e); do
    case $plain in
      TERM | TZ | TMPDIR | CI | BUILD | CASE | ASP_CP_OTHER | LAB_* | TEST_* | SOAK_* | ROUNDS | SLOW | CROWD* | \
        ASAN_OPTIONS | UBSAN_OPTIONS | LSAN_OPTIONS | PYTHONDONTWRITEBYTECODE)
        set -- "$plain=${!plain}" "$@"
        ;;
    esac
  done
  case $0 in
    *.t) exec env -i --default-signal "$@" ;;
    *) exec env -i --default-signal=INT,QUIT,PIPE "$@" ;;  # nohup(1) is for the demo, too
  esac
fi
