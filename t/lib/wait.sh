# wait.sh: waiting for what is about to come true, instead of sleeping.

# wait_until SECONDS COMMAND...: until COMMAND succeeds; 1 when time is up. What takes
# longer than a second is asked for less often: a question often costs a tenth.
wait_until() {
  local now=${EPOCHREALTIME/./} hurry end pause=0.03
  hurry=$((now + 1000000)) end=$((now + $1 * 1000000))
  shift
  until "$@"; do
    now=${EPOCHREALTIME/./}
    [ "$now" -lt "$end" ] || return 1
    [ "$now" -lt "$hurry" ] || pause=0.1
    sleep "$pause"
  done
}
