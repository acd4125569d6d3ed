#!/bin/bash
# /run/sallyport fills up at each step of a session, by blocks or inodes, and /tmp: which sessions it ends, and
# what they are told. Others go on, and once there is room nothing is left of it.
. "${0%/*}/../lib/hung.sh"
. "$LAB_LIB/messages.sh"
run=/run/sallyport
on dmz "$bin/asp-reap"
on dmz sh -c "cp -a $run /root/run && mount -t tmpfs -o size=1M,nr_inodes=200,mode=755 small $run && cp -a /root/run/. $run/"
fill() {
  case $1 in
    blocks) on dmz sh -c "head -c 100M /dev/zero > $run/filled" 2> /dev/null ;;
    inodes) on dmz sh -c "i=0; mkdir -p $run/many; while : > $run/many/\$i; do i=\$((i + 1)); done" 2> /dev/null ;;
  esac
  return 0
}
room() { on dmz rm -rf "$run/filled" "$run/many"; }
hung_begin

listener=$(on inside1 cat /run/sshd.pid)
for kind in blocks inodes; do
  full=": No space left on device"

  tap_about="it dials, $kind: "
  log_from
  kill -STOP "$listener"
  begin one outside "$SQUASH"
  ok '(it dials)' wait_until 10 is_dialed
  fill $kind
  kill -CONT "$listener"
  ok 'the session ends' wait_until 30 proxy_over "${proxy_pid[one]}"
  proxy_end one
  is "$proxy_status $(cat "$TMPDIR/one.err")" "71 $unserved" 'and the user is told'
  one_error "[^ ]+ .* bear: (write|open|mkdir) $run/[^:]*$full session=UUID .*\\(exit 71\\)"
  ok "somebody else's transfer goes on" goes_on "dials-$kind"
  room
  on dmz "$bin/asp-reap"
  ok 'nothing is left' is_only_old 20

  tap_about="no flow yet, $kind: "
  log_from
  proxy_session one outside bear "$SQUASH" cat
  fill $kind
  packet outside 5003 "$SQUASH" one
  ok 'the session ends with its first packet' wait_until 10 proxy_over "${proxy_pid[one]}" || diag "$(errors; log_since; on dmz df /run/sallyport; on dmz sh -c 'cat /run/sallyport/sessions/*')"
  proxy_end one
  is "$proxy_status $(cat "$TMPDIR/one.err")" "71 $unserved" 'and the user is told'
  one_error "Lost the pinhole of bear: (write|open) $run/[^:]*$full session=UUID .*\\(exit 71\\)"
  ok "somebody else's transfer goes on" goes_on "open-$kind"
  room
  on dmz "$bin/asp-reap"
  ok 'nothing is left' is_only_old 20

  tap_about="a flow, $kind: "
  log_from
  proxy_session one outside bear "$SQUASH" cat
  ok '(its UDP passes)' packet outside 5003 "$SQUASH" one
  ok '(the rule is narrowed to it)' wait_until 5 proxy_pinned 5003 33001
  fill $kind
  ok 'its UDP goes on' packet outside 5003 "$SQUASH" still
  proxy_end one
  is "$proxy_status $(cat "$TMPDIR/one.err")" '0 ' 'the session ends as it should'
  is "$(errors)" '' 'and the log has no error'
  ok 'nothing is left, though there is no room' is_only_old 20
  room
done

tap_about='/tmp is full: '
on dmz sh -c 'mount -t tmpfs -o size=4k,nr_inodes=10 small /tmp; head -c 100k /dev/zero > /tmp/filled' 2> /dev/null
others_hardly_notice 8 "$SQUASH"
done_testing
