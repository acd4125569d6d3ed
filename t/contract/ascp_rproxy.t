#!/bin/bash
# ascp_rproxy: the order in which it conducts a session, its exit codes, and
# the one line that a remote user gets.
#
# The prefix is compiled in, so all of it happens in a mount namespace of its
# own, with tmpfs on /opt and /run. sudo, and the two helpers behind it, are
# stand-ins that do what a test tells them, and keep a diary.
. "${0%/*}/../lib/alone.sh"

suite ascp_rproxy
mkdir -m 1777 /opt/tmp
cat > $prefix/etc/aspera.conf << 'EOF_CONF'
<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
<rule><host>203.0.113.10</host><keyfile>/k</keyfile></rule>
</rules></rproxy></server></CONF>
EOF_CONF
cp $prefix/etc/aspera.conf /opt/good.conf
diary=/opt/tmp/diary

# sudo. Behind it the pinhole: /opt/tmp/pinhole says what it does.
cat > /opt/sudo << 'EOF_SUDO'
#!/bin/bash
echo "sudo $*" >> /opt/tmp/diary
helper=${!#}
helper=${helper##*/}
tr '\0' '\n' < /proc/$$/environ | sort > "/opt/tmp/$helper.environment"
(cd /proc/$$/fd && echo [0-9]) > "/opt/tmp/$helper.descriptors"
if [ "$helper" = asp-upstream ]; then
  [ -e /opt/tmp/dial.early ] && . /opt/tmp/dial.early
  exec PYTHON -IS /opt/upstream.py
fi
ask() { while IFS= read -r line && [ -n "$line" ]; do echo "pinhole: $line" >> /opt/tmp/diary; done; }
say() { [ "${1%% *}" = verified ] || echo "pinhole: $1" >> /opt/tmp/diary; echo "$1"; }
until_eof() { cat > /dev/null; say "closed packets=7 bytes=700 reason=EOF"; }
. /opt/tmp/pinhole
EOF_SUDO
sed -i "s|PYTHON|$(python3 -c 'import sys; print(sys.executable)')|" /opt/sudo
# And asp-upstream: reads its request and the descriptors, and does what
# /opt/tmp/dial says, with the conductor on descriptor 3.
cat > /opt/upstream.py << 'EOF_UPSTREAM'
import os, socket
link = socket.socket(fileno=0)
text, descriptors, _, _ = socket.recv_fds(link, 10000, 8)
while b"\n\n" not in text:
    text += link.recv(10000)
with open("/opt/tmp/diary", "ab") as diary:
    for line in text.rstrip(b"\n").split(b"\n"):
        diary.write(b"upstream: " + line + b"\n")
    diary.write(b"upstream: %d descriptors\n" % len(descriptors))
os.dup2(0, 50)
for standard, passed in enumerate(descriptors):
    os.dup2(passed, standard)
os.dup2(50, 3)
os.closerange(4, 60)
os.execv("/bin/bash", ["asp-upstream", "/opt/upstream.sh"])
EOF_UPSTREAM
cat > /opt/upstream.sh << 'EOF_UPSTREAM'
finish() { echo "ended status=$1" >&3; exit "$1"; }
connected() { echo 'connected rule=1 host=203.0.113.10:22 upstream_user=xfer address=203.0.113.10:22' >&3; }
wait_for_run() { IFS= read -r told <&3 || { echo 'upstream: hung up' >> /opt/tmp/diary; exit 1; }; echo "upstream: $told" >> /opt/tmp/diary; }
. /opt/tmp/dial
EOF_UPSTREAM
chmod 755 /opt/sudo
mount --bind /opt/sudo /usr/bin/sudo || exit

good_dial='connected; wait_for_run; finish 0'
good_pinhole='ask; say "verified rule=1"; ask; say "open session=x host=y"; until_eof'
connection='198.51.100.10 51512 198.51.100.39 33001'
env=$(command -v env)
rproxy() { timeout 20 "$env" -i SSH_CONNECTION="$connection" TERM=xterm HOME=/root SECRET=x SSH_AUTH_SOCK=/x $prefix/libexec/ascp_rproxy "$@"; }
# conduct EXPECTED NAME DIAL PINHOLE [ARGUMENT...]
conduct() {
  local expected=$1 name=$2
  printf '%s\n' "$3" > /opt/tmp/dial
  printf '%s\n' "$4" > /opt/tmp/pinhole
  : > $diary
  shift 4
  [ $# -gt 0 ] || set -- -- ascp -S. -V1
  status "$expected" "$name" rproxy "$@" < /dev/null
}
# The one line for a remote user, and no more.
line() { is "$out|$err" "|$1" "the remote user reads: $1"; }
unserved='This proxy could not serve the session. Tell the administrator.'
unreachable='The server behind this proxy cannot be reached.'
unpermitted='This proxy does not permit that.'
unverified='The server behind this proxy could not be verified. Tell the administrator.'
misconfigured='This proxy is misconfigured. Tell the administrator.'
later='This proxy takes no further sessions right now. Try again later.'

# --- before anything is started -----------------------------------------------------

: > $diary
for args in '' '-x' '-n' '--' '-n --' '--help'; do
  # shellcheck disable=SC2086
  status 64 "ascp_rproxy $args: exit 64" rproxy $args < /dev/null
  line "$unserved"
done
unset SSH_CONNECTION
status 65 'no SSH_CONNECTION: exit 65' "$env" -i $prefix/libexec/ascp_rproxy -- ascmd < /dev/null
line "$unserved"
for connection in '' ' ' 'x' '198.51.100.10 51512 198.51.100.39' '198.51.100.10 51512 198.51.100.39 33001 x' '198.51.100.10  51512 198.51.100.39 33001' \
  ' 198.51.100.10 51512 198.51.100.39 33001' '198.51.100.10 51512 198.51.100.39 33001 ' '198.51.100.10 0 198.51.100.39 33001' '198.51.100.10 51512 198.51.100.39 65536' \
  '198.51.100.10 -1 198.51.100.39 33001' '198.51.100 51512 198.51.100.39 33001' 'localhost 51512 198.51.100.39 33001' '[::1] 1 [::1] 2' \
  '198.51.100.10:51512 198.51.100.39:33001' $'198.51.100.10\t51512\t198.51.100.39\t33001' $'198.51.100.10 51512 198.51.100.39 33001\n' \
  $'\e[2J 1 198.51.100.39 2' "$(printf '%5000s' x)" '1.1.1.1 1 $(id) 1' '1.1.1.1 1 1.1.1.1 1;id'; do
  printf -v shown '%q' "$connection"
  status 65 "SSH_CONNECTION=${shown:0:60}: exit 65" rproxy -- ascmd < /dev/null
  line "$unserved"
done
connection='fe80::1%eth0 1 fe80::2%eth0 2'
status 77 'a link-local client: exit 77' rproxy -- ascmd < /dev/null
line 'This proxy serves no client that comes from a link-local address (fe80::).'
connection='198.51.100.10 51512 198.51.100.39 33001'
nameless() { "$env" -i SSH_CONNECTION="$connection" setpriv --reuid=4242 --regid=4242 --clear-groups $prefix/libexec/ascp_rproxy -- ascmd < /dev/null; }
status 71 'a user without an account: exit 71' nameless
line "$unserved"

rm $prefix/etc/aspera.conf
status 78 'no configuration: exit 78' rproxy -- ascmd < /dev/null
line "$misconfigured"
echo '<CONF><server><rproxy><bogus/></rproxy></server></CONF>' > $prefix/etc/aspera.conf
status 78 'a broken configuration: exit 78' rproxy -- ascmd < /dev/null
line "$misconfigured"
cp /opt/good.conf $prefix/etc/aspera.conf
mkdir -p /run/sallyport && touch /run/sallyport/drain
status 75 'drained: exit 75' rproxy -- ascmd < /dev/null
line "$later"
mv /run/sallyport/drain /run/sallyport/stopped
status 75 'stopped: exit 75' rproxy -- ascmd < /dev/null
line "$later"
rm -r /run/sallyport
is "$(cat $diary)" '' 'nobody was dialled, and no pinhole asked for'
full() { rproxy -x 2> /dev/full < /dev/null; }
status 64 'a full disk under stderr changes no exit code' full

# --- the order of things ----------------------------------------------------------------

conduct 0 'a session' 'connected; wait_for_run; echo output; echo complaint >&2; finish 0' "$good_pinhole"
is "$out|$err" 'output|complaint' 'stdout and stderr are the remote command'"'"'s, and nobody else'"'"'s'
is "$(grep '^sudo' $diary | sort)" 'sudo -n -u root -- /opt/aspera/proxy/libexec/asp-pinhole
sudo -n -u root -- /opt/aspera/proxy/libexec/asp-upstream' 'both helpers are asked for without arguments'
said_to() { grep "^$1: [a-z]*=" $diary | sed 's/session=[0-9a-f-]\{36\}$/session=ID/'; }
is "$(said_to upstream)" 'upstream: session=ID
upstream: user=root
upstream: client=198.51.100.10:51512
upstream: proxy=198.51.100.39:33001
upstream: command=ascp -S. -V1' 'asp-upstream is told who, from where, and what'
like "$(cat $diary)" 'upstream: 3 descriptors' 'and given the session'"'"'s descriptors'
is "$(said_to pinhole)" 'pinhole: session=ID
pinhole: user=root
pinhole: client=198.51.100.10:51512
pinhole: proxy=198.51.100.39:33001
pinhole: command=ascp -S. -V1
pinhole: host=203.0.113.10:22
pinhole: address=203.0.113.10:22' 'the pinhole the same, and then which server'
is "$(grep -o 'session=.*' $diary | sort -u | wc -l)" 2 '(one session, one open line)'
is "$(grep -n 'pinhole: open\|upstream: run' $diary | sed 's/^[0-9]*://')" 'pinhole: open session=x host=y
upstream: run' 'the rule is in force before the command runs'
is "$(tail -n1 $diary)" 'pinhole: closed packets=7 bytes=700 reason=EOF' 'and is gone before the session ends'
for helper in asp-upstream asp-pinhole; do
  is "$(cat /opt/tmp/$helper.environment)" 'PATH=/usr/sbin:/usr/bin:/sbin:/bin
TERM=xterm' "$helper gets no more of the environment than TERM"
  is "$(cat /opt/tmp/$helper.descriptors)" '0 1 2' "$helper has three descriptors, and none of the other's"
done

conduct 0 'a command without UDP' "$good_dial" 'say never' -n -- ascmd -V2
is "$(grep -c 'asp-pinhole\|pinhole:' $diary)" 0 'gets no pinhole'
like "$(cat $diary)" 'upstream: command=ascmd -V2' 'but its server'
conduct 0 'words stay words' "$good_dial" "$good_pinhole" -- probe 'a b' '$(id)' "it's" '-n' '' '*'
for helper in pinhole upstream; do
  like "$(cat $diary)" "$helper: command=probe 'a b' '\\\$\(id\)' 'it'\\\\''s' -n '' '\*'" "$helper sees them quoted"
done

for code in 1 3 42 64 75 127 255; do
  conduct $code "the remote command's status $code is given back" "connected; wait_for_run; finish $code" "$good_pinhole"
done
conduct 71 'asp-upstream killed while the command runs: exit 71' 'connected; wait_for_run; kill -TERM $$' "$good_pinhole"
untouched() { { rproxy -- ascp -S. -V1; cat; } 2> /dev/null < /opt/tmp/input; }
printf 'the client'"'"'s first words\n' > /opt/tmp/input
echo 'echo "failed code=69 reason=away" >&3; exit 69' > /opt/tmp/dial
status 0 'a session that fails' untouched
is "$out" "the client's first words" 'has read nothing of the client'"'"'s'
echo 'connected; wait_for_run; cat; finish 0' > /opt/tmp/dial
echo "$good_pinhole" > /opt/tmp/pinhole
fed() { printf 'some\nwords' | rproxy -- ascp -S. -V1; }
status 0 'a session that works' fed
is "$out" 'some
words' 'hands every byte on'

# --- the server ------------------------------------------------------------------------------

failed() { echo "echo 'failed code=$1 reason=\"203.0.113.10 /secret\"${2+ told=\"$2\"}' >&3; exit $1"; }
for each in "69 $unreachable" "76 $unverified" "77 $unpermitted" "78 $misconfigured" "71 $unserved" "70 $unserved" "75 $later"; do
  conduct "${each%% *}" "the server fails with ${each%% *}: so do we" "$(failed "${each%% *}")" "$good_pinhole"
  line "${each#* }"
done
conduct 75 'the user is told what asp-upstream has for him' "$(failed 75 'None can be reached.')" "$good_pinhole"
line 'None can be reached.'
conduct 70 'a code that is none of ours: exit 70' "$(failed 42)" "$good_pinhole"
conduct 70 'failed, but with code 0: exit 70, never 0' "$(failed 0)" "$good_pinhole"
conduct 70 'failed, and no code: exit 70, never 0' 'echo "failed reason=x" >&3; exit 1' "$good_pinhole"
conduct 71 'asp-upstream dies without a word: exit 71' 'exit 0' "$good_pinhole"
line "$unserved"
conduct 65 'asp-upstream talks nonsense: exit 65' 'echo "= = =" >&3; exec sleep 5' "$good_pinhole"
line "$unserved"
echo 'echo "sudo: a password is required" >&2; exit 1' > /opt/tmp/dial.early
conduct 71 'sudo refuses asp-upstream: exit 71' "$good_dial" "$good_pinhole"
line "$unserved"
rm /opt/tmp/dial.early
conduct 69 'the connection is lost while the command runs: exit 69' 'connected; wait_for_run; echo "failed code=69 reason=\"lost 203.0.113.10\"" >&3; exit 69' "$good_pinhole"
unlike "$out$err" '203' 'without internals'
is "$(tail -n1 $diary)" 'pinhole: closed packets=7 bytes=700 reason=EOF' 'and the pinhole is closed'
conduct 5 'a server that is away, and one that is not' 'echo "faulty host=203.0.113.9:22 reason=away" >&3; connected; wait_for_run; finish 5' "$good_pinhole"
is "$out$err" '' 'of which the remote user hears nothing'

conduct 71 'an asp-upstream that takes longer than it said it might is given up: exit 71' 'echo "verified rule=1 within=1" >&3; exec sleep 60' "$good_pinhole"
line "$unserved"
conduct 5 'one that says no time, or nonsense, is waited for' 'echo "verified rule=1 within=-1" >&3; sleep 1.5; connected; wait_for_run; finish 5' "$good_pinhole"

# --- the pinhole ----------------------------------------------------------------------------------

never_run() { nok 'the command never ran' grep -q 'upstream: run' $diary; }
conduct 77 'the pinhole is refused: exit 77' "$good_dial" 'ask; say "refused code=77 reason=\"no rule /secret\""; exit 77'
line "$unpermitted"
never_run
conduct 75 'the limit is reached: exit 75' "$good_dial" 'ask; say "verified rule=1"; ask; say "refused code=75 reason=\"2 sessions are the limit\""; exit 75'
line "$later"
never_run
conduct 70 'refused, but with code 0: exit 70, never 0' "$good_dial" 'ask; say "refused code=0 reason=x"; exit 0'
never_run
conduct 70 'closed instead of opened: exit 70, never 0' "$good_dial" 'ask; say "verified rule=1"; ask; say "closed reason=error"; say "refused code=71 reason=\"run iptables-restore\""; exit 71'
line "$unserved"
never_run
conduct 71 'sudo refuses asp-pinhole: exit 71' "$good_dial" 'echo "sudo: a password is required" >&2; exit 1'
line "$unserved"
never_run
conduct 71 'the pinhole dies before it opens: exit 71' "$good_dial" 'ask; say "verified rule=1"; ask; kill -KILL $$'
never_run
conduct 65 'the pinhole talks nonsense: exit 65' "$good_dial" 'ask; echo "= ="; exec sleep 5'
never_run
conduct 71 'the pinhole dies while the command runs: exit 71' 'connected; wait_for_run; read -r more <&3; echo "upstream: hung up" >> /opt/tmp/diary; exit 1' \
  'ask; say "verified rule=1"; ask; say "open session=x host=y"; until grep -q "upstream: run" /opt/tmp/diary; do sleep 0.01; done; kill -KILL $$'
like "$(cat $diary)" 'upstream: hung up' 'and ends the command, for its rule might stay'
line "$unserved"

conduct 75 'an administrator ends it: exit 75' 'connected; wait_for_run; read -r more <&3; echo "upstream: hung up" >> /opt/tmp/diary; exit 1' \
  'ask; say "verified rule=1"; ask; say "open session=x host=y"; until grep -q "upstream: run" /opt/tmp/diary; do sleep 0.01; done; say "closed reason=SIGTERM"'
line 'An administrator of this proxy ended the session.'

# The command is over, with its status: what happens to the rule then is not a concern of its user's.
over_with_3='connected; wait_for_run; echo "ended status=3" >&3; sleep 2; exit 3'
until_over='ask; say "verified rule=1"; ask; say "open session=x host=y"; cat > /dev/null;'
conduct 3 'the pinhole dies once the command is over: its status' "$over_with_3" "$until_over kill -KILL \$\$"
is "$out|$err" '|' 'the remote user reads nothing'
conduct 3 'the pinhole cannot be closed then: its status' "$over_with_3" \
  "$until_over say 'closed reason=error'; say 'refused code=75 reason=locked logged=true'; exit 75"
is "$out|$err" '|' 'the remote user reads nothing'
conduct 3 'an administrator ends it then: its status' "$over_with_3" "$until_over say 'closed reason=SIGTERM'"
is "$out|$err" '|' 'the remote user reads nothing'
conduct 3 'SIGTERM comes then: its status' "${over_with_3/sleep 2/until grep -q pinhole:.closed $diary; do sleep 0.01; done; kill -TERM \$PPID}" "$good_pinhole"
is "$out|$err" '|' 'the remote user reads nothing'

# --- signals --------------------------------------------------------------------------------------------

for signal in TERM HUP INT; do
  conduct 75 "SIG$signal ends the session in order: exit 75" \
    'connected; wait_for_run; kill -'$signal' $PPID; read -r more <&3; echo "upstream: hung up" >> /opt/tmp/diary; exit 1' "$good_pinhole"
  is "$(tail -n2 $diary)" 'upstream: hung up
pinhole: closed packets=7 bytes=700 reason=EOF' 'command, then pinhole'
done
conduct 75 'a signal while it connects: exit 75' 'kill -TERM $PPID; exec sleep 5' "$good_pinhole"
conduct 0 'nothing stays behind' "$good_dial" "$good_pinhole"
none_left() { ! pgrep -x 'asp-upstream|sudo|ascp_rproxy' > /dev/null; }
ok 'no process' wait_until 5 none_left

done_testing
