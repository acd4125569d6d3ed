#!/bin/bash
# sudo as sites set it up. What may come between a session and its helpers is
# switched off for them, whatever the site has. What a site insists on all the same
# is found: the session is given up in time, with the cause in the log, a sentence
# for the user and nothing left, and the doctor names the setting, with a cure that
# helps.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/forward.sh"

lab_up dmz outside inside1 inner outer
dmz=$(lab_root dmz)
forward_config
sed -i 's|<command>cat|<command>bash -c %s</command>&|' "$dmz$LAB_PREFIX/etc/aspera.conf"
forward_user alice
on dmz sh -c 'gpasswd -d mallory sallyport; gpasswd -d bobcat sallyport' > /dev/null

# Names that sort before zz-sallyport, and behind it.
early=$dmz/etc/sudoers.d/site late=$dmz/etc/sudoers.d/zzz-site
site() {
  printf '%s\n' "${@:2}" > "$1.new"
  chmod 440 "$1.new"
  mv "$1.new" "$1"
}
# knows SETTING: does this sudo? Its own visudo says.
knows() {
  site "$dmz/root/asked" "Defaults $1"
  on dmz visudo -cf /root/asked > /dev/null 2>&1
}
check() { on dmz timeout 60 "$LAB_PREFIX/bin/asperaproxy" check | grep -E ' (sudoers|sudo): '; }
well() {
  out=$(check)
  [ "$(grep -c '^ok ' <<< "$out")" = 2 ] || { diag "$out"; return 1; }
}
unserved='This proxy could not serve the session. Tell the administrator.'
helpers() {
  local name
  for name in sudo asp-pinhole asp-upstream asp-dial asp-lease; do lab_pids dmz "$name"; done
}
nothing() { [ -z "$(helpers)" ]; }
errors() { lab_log dmz | grep -E "(ascp_rproxy|asperanoded)\[[0-9]+\]: ERR "; }

# session [SECONDS]: bytes both ways, a command that closes its output before its
# input has ended, and a status; it lasts so long.
head -c 100000 /dev/urandom > "$TMPDIR/data"
{ echo hello; cat "$TMPDIR/data"; } > "$TMPDIR/input"
sum=$(sha256sum < "$TMPDIR/data")
session() {
  capture on outside -u bear timeout 60 ssh -p 33001 "bear@$SQUASH" \
    "bash -c 'read -r line; echo \"got \$line\"; sleep ${1-0}; exec 1>&-; sha256sum > /tmp/rest; exit 3'" < "$TMPDIR/input"
}
whole() {  # NAME [SECONDS]
  on inside1 rm -f /tmp/rest
  session "${2-0}"
  is "$code|$out|$err|$(on inside1 cat /tmp/rest 2> /dev/null)" "3|got hello||$sum" "$1: bytes, both ends and the status" || diag "$(errors)"
}

# What is installed -------------------------------------------------------------------------

status 0 'what is installed is what visudo accepts' on dmz visudo -c
ok 'and the doctor is content' well
like "$(on dmz cat /etc/sudoers.d/zz-sallyport)" '!use_pty' 'what is to be left alone has been written'
is "$(on dmz "$LAB_PREFIX/bin/asperaproxy" sudoers; on dmz stat -c '%U %a' /etc/sudoers.d/zz-sallyport)" \
  $'/etc/sudoers.d/zz-sallyport is written\nroot 440' 'and can be, again'
for account in bear sallyport-node; do
  for helper in asp-pinhole asp-upstream asp-lease; do
    expected=0
    [[ $account:$helper =~ ^(bear:asp-lease|sallyport-node:.*)$ ]] && expected=1
    status $expected "$account and $helper: $expected" on dmz -u $account sudo -n -l -u root $LAB_PREFIX/libexec/$helper
    status 1 "and not with an argument" on dmz -u $account sudo -n -l -u root $LAB_PREFIX/libexec/$helper -v
  done
  status 1 "$account and anything else: no" on dmz -u $account sudo -n -l -u root /usr/bin/true
  status 1 "nor as anybody else" on dmz -u $account sudo -n -l -u sallyport-dial $LAB_PREFIX/libexec/asp-pinhole
done
whole 'plain'

# What takes as long as anybody waits goes on beside the rest ---------------------------------

# pam LINE...: what comes first for sudo. Where it says so, sudo waits as /root/slow does.
pam() {
  [ -e "$dmz/root/pam" ] || cp "$dmz/etc/pam.d/sudo" "$dmz/root/pam"
  { printf '%s\n' "$@"; cat "$dmz/root/pam"; } > "$dmz/etc/pam.d/sudo"
}
slow() { printf '%s optional pam_exec.so /root/slow %s %s\n' "${1#*_}" "$1" "$2"; }
cat > "$dmz/root/slow" << 'EOF_SLOW'
#!/bin/sh
case $1 in account | "$PAM_TYPE") exec sleep "$2" ;; esac
EOF_SLOW
chmod 755 "$dmz/root/slow"

# hang NAME COMMAND...: what it says, its status and how long it took, in files.
hang() {
  local began=${EPOCHREALTIME/./}
  "${@:2}" > "$TMPDIR/$1.out" 2> "$TMPDIR/$1.err"
  echo "$?" > "$TMPDIR/$1.status"
  echo $(((${EPOCHREALTIME/./} - began) / 1000000)) > "$TMPDIR/$1.seconds"
}
# stuck PARENT COUNT: so many sudo that PARENT has started go no further. They wait
# for a signal that nobody sends, or for PAM.
stuck() {
  local pid stat parent count=0
  for pid in $(lab_pids dmz sudo); do
    read -r stat < "/proc/$pid/stat" && parent=${stat##*) ? } && read -r parent < "/proc/${parent%% *}/comm"
    [ "$parent" = "$1" ] || continue
    grep -q sigsuspend "/proc/$pid/wchan" || [ -s "/proc/$pid/task/$pid/children" ] || grep -q . "/proc/$pid/task/$pid/children" || continue
    count=$((count + 1))
  done 2> /dev/null
  [ "$count" -ge "$2" ]
}
hanging=()
# begin_to_hang NAME: a session, with what the site has set now.
begin_to_hang() {
  hanging+=("$1")
  hang "$1" on outside -u bear ssh -p 33001 "bear@$SQUASH" cat < /dev/null &
  ok "($1: sudo starts nothing for a session)" wait_until 20 stuck ascp_rproxy $((2 * ${#hanging[@]}))
}
# And so do others.
begin_to_ask() {
  hang doctor check &
  ok "(nor for the doctor)" wait_until 20 stuck asperaproxy 2
}
if knows log_subcmds; then
  site "$late" 'Defaults!ALL intercept'
  begin_to_hang intercept
  site "$late" 'Defaults!ALL log_subcmds'
  begin_to_hang log_subcmds
else  # which has a PAM session opened in any case
  pam "$(slow open_session 60)"
  begin_to_hang pam
fi
begin_to_ask
rm -f "$late"
pam

# What a site may set for all, wherever it does ------------------------------------------------

settings=(log_input log_output log_stdin log_stdout log_stderr log_ttyin log_ttyout use_pty requiretty noexec
  log_subcmds intercept command_timeout=1 runas_default=nobody runcwd=/nowhere secure_path=/nowhere
  'env_keep+="LD_PRELOAD PATH IFS"' '!env_reset' setenv umask=0777 umask_override stay_setuid lecture=always
  log_servers=127.0.0.1:30343 rlimit_as=1000 rlimit_data=1000 rlimit_fsize=0 rlimit_nofile=4 rlimit_nproc=1 rlimit_stack=1000
  'passprompt="Well? "' targetpw rootpw timestamp_timeout=0 log_exit_status pam_session fqdn)
# A log server that never answers.
on_exec dmz python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 30343)); time.sleep(1000)' &
logger=$!
known=()
for setting in "${settings[@]}"; do
  knows "$setting" || continue
  known+=("$setting")
  site "$late" "Defaults $setting"
  whole "Defaults $setting" "$([[ $setting != command_timeout* ]] && echo 0 || echo 1.5)"
done
ok "this sudo knows ${#known[@]} of ${#settings[@]}" test ${#known[@]} -ge 8
{ printf 'Defaults %s\n' "${known[@]}"; } > "$TMPDIR/all"
site "$late" "$(cat "$TMPDIR/all")"
whole 'all of them at once'
site "$late" "$(sed 's/Defaults/Defaults:bear,sallyport-node/' "$TMPDIR/all")"
whole 'for an account'
site "$late" "$(sed 's/Defaults/Defaults>root/' "$TMPDIR/all")"
whole 'for all that is run as root'
rm "$late"
kill $logger
site "$early" "$(sed 's/Defaults/Defaults!ALL/' "$TMPDIR/all")"
whole 'for all commands, in a file that sorts before zz-sallyport'
ok 'and the doctor is content' well

# PAM -------------------------------------------------------------------------------------------

pam "$(slow account 2)"
began=${EPOCHREALTIME/./}
whole 'a PAM account that takes 2 s'
ok '(it does)' test $(((${EPOCHREALTIME/./} - began) / 1000)) -ge 2000
pam "$(slow close_session 3)"
whole 'a PAM session that takes 3 s to be closed'
pam "$(slow close_session 40)"
began=${EPOCHREALTIME/./} pam_lets_go=$((SECONDS + 60))
whole 'a PAM session that hangs when it is to be closed'
ok '(nobody waits for that)' test $(((${EPOCHREALTIME/./} - began) / 1000)) -le 20000
pam
pam
rm "$early"

# What hung -------------------------------------------------------------------------------------

wait
# A sudo that has a PAM session stays as long as that takes.
while [ "$SECONDS" -lt "$pam_lets_go" ] && ! nothing; do sleep 0.5; done
said() { cat "$TMPDIR/$1.$2"; }
for name in "${hanging[@]}"; do
  is "$(said $name status)|$(said $name out)|$(said $name err)" "71||$unserved" "$name: the session is given up, and the user told"
  ok "$name: within 30 s" test "$(said $name seconds)" -le 30
done
is "$(errors | grep -c 'ERR asp-upstream, which sudo starts, has not answered within 26 s: .*user=bear .*(exit 71)$')" ${#hanging[@]} 'the log says so, in one line each'
like "$(grep ' sudo: ' "$TMPDIR/doctor.out")" "^FAIL .*: bear cannot run .*: sudo did not get .* to answer within 10 s.*(: ${hanging[-1]}|) - .*(${hanging[-1]}|/etc/pam.d/sudo)" 'the doctor names it'
ok 'nothing is left of any of it' wait_until 5 nothing || diag "$(helpers | xargs ps -o pid,ppid,args)"

# What a site insists on --------------------------------------------------------------------------

# insists SETTING PATTERN [SECONDS]: the session fails in the words of PATTERN, which
# the log has; the doctor has the setting's name; its cure is one.
insists() {
  knows "$1" || return
  site "$late" "Defaults!ALL $1"
  : > "$dmz/var/log/syslog"
  session "${3-0}"
  is "$code|$err" "71|$unserved" "Defaults!ALL $1: the session ends, and the user is told"
  like "$(errors)" "$2.* user=bear .*\(exit 71\)" 'the log says why'
  ok 'nothing is left' wait_until 5 nothing
  names="${1%%=*}.* - grep .*${1%%=*}.* take that out, or put it in a file whose name sorts before zz-sallyport"
  [ "${LAB_SUDO-sudo}" = sudo ] || names=$2  # it lists no settings
  like "$(check | grep ' sudo: ')" "^FAIL .* bear.*$names" 'the doctor names it'
  mv "$late" "$early"
  whole 'the cure'
  ok 'and the doctor is content' well
  rm "$early"
}
insists log_input 'asp-upstream died: stdin must be one end of a Unix socket; .*log_input'
insists log_stdin 'asp-upstream died: stdin must be one end of a Unix socket; .*log_input'
insists requiretty 'sudo: sorry, you must have a tty to run sudo'
insists runcwd=/nowhere 'sudo: unable to change directory to /nowhere'
insists command_timeout=1 '(sudo died, or its command_timeout was over|asp-upstream died|asp-upstream was told to end, as sudo does when its command_timeout is over)' 3

# What was to be left alone is not said -------------------------------------------------------------

if knows log_input; then
  mv "$dmz/etc/sudoers.d/zz-sallyport" "$dmz/root/"
  site "$early" 'Defaults log_input'
  session
  is "$code|$err" "71|$unserved" 'without zz-sallyport a session ends, and the user is told'
  capture check
  like "$out" 'FAIL  sudoers: /etc/sudoers.d/zz-sallyport is missing.* - asperaproxy sudoers' 'the doctor has the cure'
  like "$out" 'FAIL  sudo: bear cannot run .*log_input - asperaproxy sudoers' 'for what comes of it, too'
  status 0 '(so be it)' on dmz "$LAB_PREFIX/bin/asperaproxy" sudoers
  whole 'the cure'
  ok 'and the doctor is content' well
  rm "$early"
fi
site "$dmz/etc/sudoers.d/zz-sallyport" '# of another sudo'
like "$(check | grep sudoers)" '^FAIL  sudoers: .*/zz-sallyport does not match the installed sudo - asperaproxy sudoers' 'the doctor knows one that is another'"'"'s'
on dmz "$LAB_PREFIX/bin/asperaproxy" sudoers > /dev/null

# The node service needs no sudo ------------------------------------------------------------------------

site "$late" "$(cat "$TMPDIR/all")"
ok 'all of them at once: the node service starts' forward_start
ok 'and leases are to be had' lease
forward_stop
# sudo-rs has it on stderr, in other words.
like "$(rm "$late"; on dmz sudo -l -U sallyport-node 2>&1)" 'not allowed to (run sudo|execute)' 'its account may run nothing'

done_testing
