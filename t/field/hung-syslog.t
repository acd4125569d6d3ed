#!/bin/bash
# syslog hangs (SIGSTOP). Others hardly notice: how long at
# most, and which test holds it, is in ARCHITECTURE.md, "How long anything waits".
. "${0%/*}/../lib/hung.sh"
hung_begin

proxy_session one outside bear "$SQUASH" cat
kill -STOP "$(on dmz cat /run/rsyslogd.pid)"
job health on dmz timeout 60 "$bin/asperaproxy" check
over health 1 60 'syslog hangs, and its queue has room: the doctor'
like "$(cat "$TMPDIR/health.out")" 'FAIL  syslog: it hangs: nobody took a line from /dev/log for 3 s\. .* - systemctl restart' 'says so, with a cure'
full_syslog
proxy_forget_rules  # so that asp-reap has something to say
job reap on dmz timeout 60 "$bin/asp-reap"
ok "somebody's transfer goes on" goes_on syslog
over reap 0 5 'its queue is full: asp-reap'
proxy_end one
is "$proxy_status" 0 'a session that runs ends as it should'
job stop on dmz timeout 60 "$bin/asperaproxy" stop
over stop 0 10 'stop'
proxy_end old
is "$(proxy_rules)/$(proxy_open_sessions)" 0/0 'nothing is left'
kill -CONT "$(on dmz cat /run/rsyslogd.pid)"
done_testing
