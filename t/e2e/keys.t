#!/bin/bash
# The squash key: it serves transfers, but nobody who broke out of aspshell can
# read it, or use it for anything else than aspshell would have allowed.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
proxy_allow cat 'sleep %d'
root=$(lab_root dmz)
key=$LAB_PREFIX/etc/ssh_keys/id_ed25519
secret=$(sed -n 2p "$root$key")
install -m 755 "$LAB_LIB/upstream.py" "$root/tmp/upstream.py"
through() { on outside -u "$1" timeout 20 ssh -p 33001 "$1@$2" cat; }
# mallory's shell on dmz is bash. In a session of hers, and from none:
within() { on outside -u mallory timeout 30 ssh -n -p 33001 "mallory@${2-$SQUASH}" "$1" 2>&1; }
without() { on dmz -u mallory bash -c "$1" 2>&1; }
ask='python3 -IS /tmp/upstream.py'
dialers() { lab_pids dmz asp-dial; lab_pids dmz asp-upstream; }
all_gone() { [ -z "$(dialers)" ]; }

# What it is for -------------------------------------------------------------------

is "$(on dmz stat -c '%U:%G %a' "$key" "$LAB_PREFIX/etc/ssh_keys" | xargs)" 'root:root 600 root:root 700' '(the key is for root alone, as is its folder)'
is "$(through bear "$SQUASH" <<< hello)" hello 'a session of the squash rule works'
is "$(on dmz stat -c '%U %a' /home/bobcat/.ssh/id_ed25519)" 'bobcat 600' "(a user's own key is for him alone)"
is "$(through bobcat "$INDIVIDUAL" <<< hello)" hello 'so does one of the individual rule'

# Reading it -----------------------------------------------------------------------

proxy_session bears outside2 bear "$SQUASH" cat
dial=$(lab_pids dmz asp-dial) upstream=$(lab_pids dmz asp-upstream)
is "$(on dmz stat -c %U "/proc/$upstream/stat") $(on dmz ps -o user= -p "$dial")" 'root sallyport-dial' '(asp-upstream is root, asp-dial has an account of its own)'
is "$(lab_pids dmz asp-dial bear; lab_pids dmz asp-match)" '' '(nothing of it runs as the user)'
out_of_reach() {  # AS-WHOM NAME COMMAND
  local got
  got=$($1 "$3" | tr -d '\0')
  [[ $got != *"${secret:0:40}"* && $got == *@(denied|permitted|password|refused|Failure|No\ such|afraid\ I)* ]]
  tap_result $? "$2" || diag "$got"
}
for who in within without; do
  out_of_reach $who "$who a session, she cannot read the key" "cat $key"
  out_of_reach $who 'nor list its folder' "ls ${key%/*}"
  out_of_reach $who 'nor by a link' "ln -sf $key /tmp/link.$who; cat /tmp/link.$who"
  out_of_reach $who 'nor by a hard link' "ln -f $key /tmp/hard.$who && cat /tmp/hard.$who"
  out_of_reach $who 'nor by way of sudo' "sudo -n cat $key"
  out_of_reach $who 'nor give asp-upstream an argument' "sudo -n $LAB_PREFIX/libexec/asp-upstream $key"
  out_of_reach $who 'nor dial with it' "$LAB_PREFIX/bin/asp-dial -i $key -l xfer $INSIDE1 -- cat"
  out_of_reach $who 'nor be the account that dials' "sudo -n -u sallyport-dial id"
  for process in "$dial" "$upstream"; do
    for file in mem environ maps fd/3 fd/4 fd; do
      out_of_reach $who "nor look into /proc/$process/$file" "grep -a . /proc/$process/$file /proc/$process/$file/*"
    done
  done
done

# Another process of the account that dials: a server that got the better of libssh.
as_dialer() { on dmz setpriv --reuid sallyport-dial --regid sallyport-dial --clear-groups -- bash -c "$1" 2>&1; }
out_of_reach as_dialer 'nor can another dialer read the key' "cat $key"
for file in mem environ maps fd/4 fd; do
  out_of_reach as_dialer "nor look into a dialer's $file" "grep -a . /proc/$dial/$file /proc/$dial/$file/*"
done
out_of_reach as_dialer 'nor read its program, which keeps it closed from its first instruction on' "cat $LAB_PREFIX/bin/asp-dial | wc -c"
out_of_reach as_dialer 'nor ask for a helper' "sudo -n $LAB_PREFIX/libexec/asp-upstream"
is "$(on dmz sed -n 's/^NoNewPrivs:\t//p' "/proc/$dial/status")" 1 'a dialer can gain no rights'
is "$(on dmz sed -n 's/^Groups:\t//p' "/proc/$dial/status" | xargs)" '' 'and has no groups'
proxy_end bears

# Using it -----------------------------------------------------------------------

like "$(within "$ask")" "connected rule=1 host=$INSIDE1:22 upstream_user=xfer .*running.*output hello" 'what aspshell would have allowed her, she gets'
is "$(within "$ask --pieces" | tail -1)" 'output hello' 'also when she asks slowly'
refused() {  # PATTERN NAME ARGUMENTS
  local got
  got=$(within "$ask $3")
  [[ $got =~ failed\ code=.*$1 && $got != *connected* ]]
  tap_result $? "refused: $2" || diag "$got"
}
for command in id 'cat /etc/passwd' 'sh -c id' 'sleep x'; do
  refused 'not on the list of aspshell' "the command $command" "'command=$command'"
done
refused 'not understood' 'a command for a shell' "'command=cat; id'"
refused 'not understood' 'no command' "command="
for field in keyfile=/etc/shadow host=203.0.113.11:22 upstream_user=root rule=2 address=203.0.113.11:22; do
  refused 'does not belong here' "a ${field%%=*} of her own" "$field"
done
refused 'mallory asks for bear' "another user's name" 'user=bear'
refused 'no established connection' 'another client address' "client=$OUTSIDE2:5555"
refused 'no established connection' "another rule's address" "proxy=$INDIVIDUAL:33001"
proxy_session other outside2 bear "$SQUASH" cat
bears=$(on dmz ss -Htn state established sport = :33001 dst "$OUTSIDE2" | awk '{ print $4 }')
refused 'no parent process holds' "another user's connection" "client=$bears"
like "$(without "$ask user=mallory client=$bears proxy=$SQUASH:33001")" "no parent process is sshd's" 'refused: from no session at all'
proxy_end other
wait_until 10 all_gone
like "$(within "$ask --never-run --seconds 5 > /tmp/first & until pgrep -x asp-dial > /dev/null; do sleep 0.1; done; $ask; wait")" 'failed code=77 .*has an upstream connection already' 'refused: a second one at the same time'
wait_until 10 all_gone
within "setsid sh -c 'while kill -0 \$PPID; do sleep 0.1; done; sleep 0.5; $ask > /tmp/late' > /dev/null 2>&1 < /dev/null &" > /dev/null
ok '(a process of hers outlives the session)' wait_until 10 test -s "$root/tmp/late"
unlike "$(cat "$root/tmp/late")" connected 'and gets nothing any more'
like "$(cat "$root/tmp/late")" 'no established connection|no parent process' 'for the session is over'
on outside -u mallory timeout 20 ssh -p 33001 "mallory@$SQUASH" "setsid $ask command='sleep 300' --seconds 60 > /tmp/long 2>&1" < /dev/null > /dev/null 2>&1 &
long=$!
ok '(a connection is open)' wait_until 10 eval '[ -n "$(lab_pids dmz asp-dial)" ] && sleep 1'
on outside pkill -u mallory -x ssh
wait $long 2> /dev/null
ok 'when her session ends so does the connection, whatever process of hers holds on to it' wait_until 5 all_gone

# Odd things in the place of what is asked for -----------------------------------------

refused 'three descriptors' 'no descriptors' '--pass='
refused 'three descriptors' 'two' '--pass pipe,pipe'
refused 'three descriptors' 'four' '--pass pipe,pipe,pipe,pipe'
refused 'is not name=value' 'no record' "--raw $'x\n\n'"
refused 'more came than a request' 'a flood of lines' '--flood'
like "$(within "$ask --say $'rm\n'")" "connected.*failed code=65 .*expected 'run'" 'refused: another word than run'
for odd in link,link,link own,own,own dir,dir,dir epoll,epoll,epoll proc,proc,proc tty,tty,tty path,path,path; do
  within "timeout 20 $ask --seconds 2 --pass $odd" > /dev/null
  ok "${odd%%,*} for descriptors: nothing stays behind" wait_until 8 all_gone
done
like "$(within "sudo -n $LAB_PREFIX/libexec/asp-upstream < /dev/null 2>&1; echo \$?")" $'^stdin must be one end of a Unix socket; .*\n77$' 'refused: no socket'
like "$(within 'ulimit -S -c unlimited -n 16 -t 1 -f 0; '"nice -n 19 $ask")" 'output hello' "limits of hers are left behind"

# Links ----------------------------------------------------------------------------------

mine=/home/mallory/.ssh/id_ed25519
without "mv $mine $mine.away; ln -s $key $mine" > /dev/null
like "$(within "$ask" "$INDIVIDUAL")" "failed code=78 reason=\"open key $mine: Permission denied\"" 'a link in her home to the squash key is followed with her rights'
on dmz sed -i "s|<keyfile>$key|<keyfile>$mine|" "$LAB_PREFIX/etc/aspera.conf"
like "$(within "$ask")" 'failed code=78 .*users other than root may change a directory' 'also where a squash rule names that path'
without "rm $mine; mkfifo $mine" > /dev/null
like "$(within "$ask" "$INDIVIDUAL")" 'failed code=78 .*not a regular file' 'a pipe there holds nobody up'
without "rm $mine; head -c 100K /dev/zero > $mine" > /dev/null
like "$(within "$ask" "$INDIVIDUAL")" 'failed code=78 .*key /home/mallory/.*more than 65536 bytes' 'nor does too long a file'
proxy_allow cat
on dmz chmod 666 "$key" && on dmz chmod 711 "${key%/*}" && on dmz chown bear "$key" && on dmz chmod 600 "$key"
like "$(within "$ask")" 'failed code=78 .*must belong to root' "nobody else's key is read for her"

ok 'nothing is left of all this' all_gone
nok 'the key is nowhere in the logs' grep -qF "${secret:0:40}" "$root/var/log/syslog"
done_testing
