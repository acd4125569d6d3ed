# wait.sh: waiting for what is about to come true, instead of sleeping.

# wait_until SECONDS COMMAND...: until COMMAND succeeds; 1 when time is up.
wait_until() {
  local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
  shift
  until "$@"; do
    [ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
    sleep 0.03
  done
}
