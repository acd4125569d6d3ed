#!/bin/bash
# <log_directory> fills up at each step of a session, by blocks or inodes. No session feels it, nor do others: syslog
# has the lines and the reason, and once there is room, the file has them again.
. "${0%/*}/../lib/hung.sh"
. "$LAB_LIB/messages.sh"
logs=/var/log/asp
log=$(lab_root dmz)$logs/ascp_rproxy.log
on dmz sh -c "mkdir $logs && mount -t tmpfs -o size=64k,nr_inodes=20,mode=755 small $logs"
fill() {
  case $1 in
    blocks) on dmz sh -c "head -c 100k /dev/zero > $logs/filled" 2> /dev/null ;;
    inodes) on dmz sh -c "rm -f $logs/ascp_rproxy.log; i=0; mkdir $logs/many; while : > $logs/many/\$i; do i=\$((i + 1)); done" 2> /dev/null ;;
  esac
  # What the file's last block has room for.
  on dmz sh -c "[ ! -e $logs/ascp_rproxy.log ] || head -c 4096 /dev/zero >> $logs/ascp_rproxy.log" 2> /dev/null
  return 0
}
room() { on dmz rm -rf $logs/filled $logs/many $logs/ascp_rproxy.log; }
in_syslog() { lab_log dmz | tail -n +$((seen + 1)) | grep -q "$1"; }
# goes_well: the session that is open carries its UDP and ends, without the file, and says so in syslog.
goes_well() {
  ok 'its UDP passes' packet outside 5003 "$SQUASH" "$tap_count"
  ok "somebody else's transfer goes on" goes_on "others-$tap_count"
  proxy_end one
  is "$proxy_status $(cat "$TMPDIR/one.err")" '0 ' 'the session ends as it should'
  ok 'syslog has its lines' in_syslog 'LOG Connection closed (EOF) .*user=bear'
  ok 'and why it has them' in_syslog "asp-[pu].* ERR .*$logs/ascp_rproxy.log: No space left on device; logging to syslog instead"
  is "$(errors | grep -v 'logging to syslog instead')" '' 'it has no other error'
  ok 'asp-reap works' on dmz timeout 10 "$bin/asp-reap"
  ok 'nothing is left' is_only_old 20
  room
}
hung_begin "s|<rules>|<log_directory>$logs</log_directory>&|"

listener=$(on inside1 cat /run/sshd.pid)
for kind in blocks inodes; do
  tap_about="it dials, $kind: "
  log_from
  kill -STOP "$listener"
  begin one outside "$SQUASH"
  ok '(it dials)' wait_until 10 is_dialed
  fill $kind
  kill -CONT "$listener"
  echo heard >&"${proxy_stdin[one]}"
  ok 'the session begins' wait_until 15 grep -qx heard "$TMPDIR/one.out"
  goes_well

  tap_about="no flow yet, $kind: "
  log_from
  proxy_session one outside bear "$SQUASH" cat
  fill $kind
  goes_well

  tap_about="a flow, $kind: "
  log_from
  proxy_session one outside bear "$SQUASH" cat
  ok '(its UDP passes)' packet outside 5003 "$SQUASH" one
  ok '(the rule is narrowed to it)' wait_until 5 proxy_pinned 5003 33001
  fill $kind
  goes_well
done

tap_about='there is room again: '
proxy_session one outside bear "$SQUASH" cat
proxy_end one
like "$(cat "$log")" "LOG Connection closed \(EOF\) session=[^ ]+ user=bear" 'the file has the lines'
done_testing
