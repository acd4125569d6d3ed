#!/bin/bash
# ascp_rproxy: the order in which it conducts a session, its exit codes, and
# the one line that a remote user gets.
#
# The prefix is compiled in, so all of it happens in a mount namespace of its
# own, with tmpfs on /opt and /run. asp-match is the real one; asp-dial and
# sudo are stand-ins that do what a test tells them, and keep a diary.
cd "${0%/*}/../.." || exit
if [ -z "$ASCP_RPROXY_NAMESPACE" ]; then
  if ! unshare -mpf --kill-child --mount-proc true 2> /dev/null; then
    echo '1..0 # SKIP needs root and mount namespaces'
    exit
  fi
  ASCP_RPROXY_NAMESPACE=1 exec unshare -mpf --kill-child --mount-proc "$0" "$@"
fi
. t/lib/tap.sh

prefix=/opt/aspera/proxy
mkdir -p /opt
mount -t tmpfs -o mode=755 tmpfs /opt && mount -t tmpfs -o mode=755 tmpfs /run || exit
mkdir -p $prefix/bin $prefix/libexec $prefix/etc /opt/tmp
chmod 1777 /opt/tmp
install -m 755 "${BUILD:-build}/bin/asp-match" $prefix/bin/
install -m 755 "${BUILD:-build}/bin/ascp_rproxy" $prefix/libexec/
cat > $prefix/etc/aspera.conf << 'EOF_CONF'
<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
<rule host_ip="198.51.100.39"><host>203.0.113.10</host><keyfile>/keys/$(user)</keyfile></rule>
<rule host_ip="198.51.100.40"><hosts><host>203.0.113.11</host><host>203.0.113.12:2222</host><host>203.0.113.13</host></hosts><keyfile>/k</keyfile>
  <squash_user>xfer</squash_user><connect_timeout>5</connect_timeout><bind_source_address>203.0.113.1</bind_source_address></rule>
<rule host_ip="2001:db8::39"><host>203.0.113.10</host><keyfile>/k</keyfile></rule>
<rule host_ip="2001:db8::40"><host>inside1</host><keyfile>/k</keyfile></rule>
</rules></rproxy></server></CONF>
EOF_CONF
cp $prefix/etc/aspera.conf /opt/good.conf
diary=/opt/tmp/diary

# asp-dial: /opt/tmp/dial says what it does once it is connected to.
cat > $prefix/bin/asp-dial << 'EOF_DIAL'
#!/bin/bash
echo "dial $*" >> /opt/tmp/diary
tr '\0' '\n' < /proc/$$/environ | sort > /opt/tmp/dial.environment
(cd /proc/$$/fd && echo [0-9]) > /opt/tmp/dial.descriptors
finish() { echo "ended status=$1" >&3; exit "$1"; }
exit_as() { echo "ended status=$1" >&3; exit "$1"; }
connected() { echo "connected address=203.0.113.10:22" >&3; }
wait_for_run() { IFS= read -r told <&3 || { echo 'dial: hung up' >> /opt/tmp/diary; exit 1; }; echo "dial: $told" >> /opt/tmp/diary; }
. /opt/tmp/dial
EOF_DIAL
# sudo, and the pinhole behind it: /opt/tmp/pinhole says what it does.
cat > /opt/sudo << 'EOF_SUDO'
#!/bin/bash
echo "sudo $*" >> /opt/tmp/diary
tr '\0' '\n' < /proc/$$/environ | sort > /opt/tmp/sudo.environment
ask() { while IFS= read -r line && [ -n "$line" ]; do echo "pinhole: $line" >> /opt/tmp/diary; done; }
say() { [ "${1%% *}" = verified ] || echo "pinhole: $1" >> /opt/tmp/diary; echo "$1"; }
until_eof() { cat > /dev/null; say "closed packets=7 bytes=700 reason=EOF"; }
. /opt/tmp/pinhole
EOF_SUDO
chmod 755 $prefix/bin/asp-dial /opt/sudo
mount --bind /opt/sudo /usr/bin/sudo || exit

good_dial='connected; wait_for_run; finish 0'
good_pinhole='ask; say "verified rule=1"; ask; say "open session=x host=y"; until_eof'
connection='198.51.100.10 51512 198.51.100.39 33001'
env=$(command -v env)
rproxy() { "$env" -i SSH_CONNECTION="$connection" TERM=xterm HOME=/root SECRET=x SSH_AUTH_SOCK=/x $prefix/libexec/ascp_rproxy "$@"; }
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
  '198.51.100.10 -1 198.51.100.39 33001' '198.51.100 51512 198.51.100.39 33001' 'localhost 51512 198.51.100.39 33001' '[::1] 1 [::1] 2' 'fe80::1%eth0 1 ::1 2' \
  '198.51.100.10:51512 198.51.100.39:33001' $'198.51.100.10\t51512\t198.51.100.39\t33001' $'198.51.100.10 51512 198.51.100.39 33001\n' \
  $'\e[2J 1 198.51.100.39 2' "$(printf '%5000s' x)" '1.1.1.1 1 $(id) 1' '1.1.1.1 1 1.1.1.1 1;id'; do
  printf -v shown '%q' "$connection"
  status 65 "SSH_CONNECTION=${shown:0:60}: exit 65" rproxy -- ascmd < /dev/null
  line "$unserved"
done
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
echo '<CONF/>' > $prefix/etc/aspera.conf
status 77 'the reverse proxy is off: exit 77' rproxy -- ascmd < /dev/null
line "$unpermitted"
cp /opt/good.conf $prefix/etc/aspera.conf
connection='198.51.100.10 51512 198.51.100.99 33001'
status 77 'no rule: exit 77' rproxy -- ascmd < /dev/null
line "$unpermitted"
connection='198.51.100.10 51512 198.51.100.39 33001'
mkdir -p /run/sallyport && touch /run/sallyport/drain
status 75 'drained: exit 75' rproxy -- ascmd < /dev/null
line "$later"
mv /run/sallyport/drain /run/sallyport/stopped
status 75 'stopped: exit 75' rproxy -- ascmd < /dev/null
line "$later"
rm -r /run/sallyport
mv $prefix/bin/asp-match /opt/tmp/
status 71 'asp-match is missing: exit 71' rproxy -- ascmd < /dev/null
line "$unserved"
printf '#!/bin/sh\nkill -KILL $$\n' > $prefix/bin/asp-match
chmod 755 $prefix/bin/asp-match
status 70 'asp-match dies: exit 70' rproxy -- ascmd < /dev/null
line "$unserved"
printf '#!/bin/sh\necho rule=1\n' > $prefix/bin/asp-match
status 65 'asp-match answers no route: exit 65' rproxy -- ascmd < /dev/null
line "$unserved"
mv /opt/tmp/asp-match $prefix/bin/
is "$(cat $diary)" '' 'nobody was dialled, and no pinhole asked for'
full() { rproxy -x 2> /dev/full < /dev/null; }
status 64 'a full disk under stderr changes no exit code' full

# --- the order of things ----------------------------------------------------------------

conduct 0 'a session' 'connected; wait_for_run; echo output; echo complaint >&2; finish 0' "$good_pinhole"
is "$out|$err" 'output|complaint' 'stdout and stderr are the remote command'"'"'s, and nobody else'"'"'s'
is "$(grep '^dial /\|^dial -' $diary)" 'dial -C 3 -i /keys/root -l root -k /opt/aspera/proxy/etc/known_hosts -t 10 -4 203.0.113.10:22 -- ascp -S. -V1' 'asp-dial is given the route'
is "$(grep '^sudo' $diary)" 'sudo -n -- /opt/aspera/proxy/libexec/asp-pinhole' 'the pinhole is asked for without arguments'
is "$(grep '^pinhole: [a-z]*=' $diary | sed 's/session=[0-9a-f-]\{36\}$/session=ID/')" 'pinhole: session=ID
pinhole: user=root
pinhole: client=198.51.100.10:51512
pinhole: proxy=198.51.100.39:33001
pinhole: command=ascp -S. -V1
pinhole: host=203.0.113.10:22
pinhole: address=203.0.113.10:22' 'and told who, from where, and then which server'
is "$(grep -n 'pinhole: open\|dial: run' $diary | sed 's/^[0-9]*://')" 'pinhole: open session=x host=y
dial: run' 'the rule is in force before the command runs'
is "$(tail -n1 $diary)" 'pinhole: closed packets=7 bytes=700 reason=EOF' 'and is gone before the session ends'
is "$(cat /opt/tmp/dial.environment)" 'PATH=/usr/sbin:/usr/bin:/sbin:/bin
TERM=xterm' 'asp-dial gets no more of the environment than TERM'
is "$(cat /opt/tmp/sudo.environment)" 'PATH=/usr/sbin:/usr/bin:/sbin:/bin' 'sudo gets nothing of it'
is "$(cat /opt/tmp/dial.descriptors)" '0 1 2 3' 'asp-dial has the session'"'"'s descriptors and its control, and none of the pinhole'

conduct 0 'a command without UDP' "$good_dial" 'say never' -n -- ascmd -V2
is "$(grep -c 'sudo\|pinhole' $diary)" 0 'gets no pinhole'
like "$(cat $diary)" '-- ascmd -V2' 'but its server'
conduct 0 'words stay words' "$good_dial" "$good_pinhole" -- probe 'a b' '$(id)' "it's" '-n' '' '*'
like "$(cat $diary)" "pinhole: command=probe 'a b' '\\\$\(id\)' 'it'\\\\''s' -n '' '\*'" 'the pinhole sees them quoted'
is "$(grep -o -- '-- probe.*' $diary)" '-- probe a b $(id) it'"'"'s -n  *' 'asp-dial as they are'

for code in 1 3 42 64 75 127 255; do
  conduct $code "the remote command's status $code is given back" "connected; wait_for_run; finish $code" "$good_pinhole"
done
conduct 71 'asp-dial killed while the command runs: exit 71' 'connected; wait_for_run; kill -TERM $$' "$good_pinhole"
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
words' 'hands every byte to asp-dial'

# --- the server ------------------------------------------------------------------------------

failed() { echo "echo 'failed code=$1 reason=\"203.0.113.10 /secret\"' >&3; exit $1"; }
for each in "69 $unreachable" "76 $unverified" "77 $unpermitted" "78 $misconfigured" "71 $unserved" "70 $unserved" "75 $later"; do
  conduct "${each%% *}" "the server fails with ${each%% *}: so do we" "$(failed "${each%% *}")" "$good_pinhole"
  line "${each#* }"
done
conduct 70 'a code that is none of ours: exit 70' "$(failed 42)" "$good_pinhole"
conduct 70 'failed, but with code 0: exit 70, never 0' "$(failed 0)" "$good_pinhole"
conduct 70 'failed, and no code: exit 70, never 0' 'echo "failed reason=x" >&3; exit 1' "$good_pinhole"
conduct 70 'asp-dial dies without a word: exit 70' 'exit 0' "$good_pinhole"
line "$unserved"
conduct 65 'asp-dial talks nonsense: exit 65' 'echo "= = =" >&3; exec sleep 5' "$good_pinhole"
line "$unserved"
mv $prefix/bin/asp-dial /opt/tmp/
conduct 71 'asp-dial is missing: exit 71' '' "$good_pinhole"
line "$unserved"
mv /opt/tmp/asp-dial $prefix/bin/
conduct 69 'the connection is lost while the command runs: exit 69' 'connected; wait_for_run; echo "failed code=69 reason=\"lost 203.0.113.10\"" >&3; exit 69' "$good_pinhole"
unlike "$out$err" '203' 'without internals'
is "$(tail -n1 $diary)" 'pinhole: closed packets=7 bytes=700 reason=EOF' 'and the pinhole is closed'

connection='198.51.100.10 51512 198.51.100.40 33001'
third='case "$*" in *203.0.113.13:22*) connected; wait_for_run; finish 5 ;; *) echo "failed code=69 reason=away" >&3; exit 69 ;; esac'
conduct 5 'servers that are away: the next is tried' "$third" "$good_pinhole"
is "$(grep -o '203.0.113.1[1-3]:[0-9]* --' $diary | tr -d '\n')" '203.0.113.11:22 --203.0.113.12:2222 --203.0.113.13:22 --' 'in the order of the rule'
like "$(cat $diary)" '-l xfer .*-t 5 -4 -b 203.0.113.1 203' 'as the rule says'
is "$(grep -c '^sudo' $diary)" 1 'with one pinhole'
like "$(cat $diary)" 'pinhole: host=203.0.113.13:22' 'to the server that answered'
conduct 69 'all are away: exit 69' "$(failed 69)" "$good_pinhole"
is "$(grep -c '^dial -C' $diary)" 3 'each was tried once'
conduct 71 'a fault of our own: exit 71' "$(failed 71)" "$good_pinhole"
is "$(grep -c '^dial -C' $diary)" 1 'no other server is tried'
connection='198.51.100.10 51512 198.51.100.39 33001'

# --- the pinhole ----------------------------------------------------------------------------------

never_run() { nok 'the command never ran' grep -q 'dial: run' $diary; }
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
conduct 71 'sudo refuses: exit 71' "$good_dial" 'echo "sudo: a password is required" >&2; exit 1'
line "$unserved"
never_run
conduct 71 'the pinhole dies before it opens: exit 71' "$good_dial" 'ask; say "verified rule=1"; ask; kill -KILL $$'
never_run
conduct 65 'the pinhole talks nonsense: exit 65' "$good_dial" 'ask; echo "= ="; exec sleep 5'
never_run
conduct 71 'the pinhole dies while the command runs: exit 71' 'connected; wait_for_run; read -r more <&3; echo "dial: hung up" >> /opt/tmp/diary; exit 1' \
  'ask; say "verified rule=1"; ask; say "open session=x host=y"; until grep -q "dial: run" /opt/tmp/diary; do sleep 0.01; done; kill -KILL $$'
like "$(cat $diary)" 'dial: hung up' 'and ends the command, for its rule might stay'
line "$unserved"

conduct 75 'an administrator ends it: exit 75' 'connected; wait_for_run; read -r more <&3; echo "dial: hung up" >> /opt/tmp/diary; exit 1' \
  'ask; say "verified rule=1"; ask; say "open session=x host=y"; until grep -q "dial: run" /opt/tmp/diary; do sleep 0.01; done; say "closed reason=SIGTERM"'
line 'An administrator of this proxy ended the session.'

# --- both families -----------------------------------------------------------------------------------

connection='2001:db8::9 51512 2001:db8::40 33001'
conduct 0 'an IPv6 client' "$good_dial" "$good_pinhole"
like "$(cat $diary)" '-6 inside1:22 --' 'its server is to be reached by IPv6, so that the UDP can follow'
connection='2001:db8::9 51512 2001:db8::39 33001'
conduct 78 'an IPv6 client whose rule leads to an IPv4 server: exit 78' "$good_dial" "$good_pinhole"
line 'This proxy is misconfigured. Tell the administrator.'
is "$(cat $diary)" '' 'nobody was dialled, and no pinhole asked for'
conduct 0 'a command without UDP may cross' "$good_dial" "$good_pinhole" -n -- ascmd
unlike "$(cat $diary)" ' -[46] ' 'by whichever address'
connection='198.51.100.10 51512 198.51.100.39 33001'

# --- signals --------------------------------------------------------------------------------------------

for signal in TERM HUP INT; do
  conduct 75 "SIG$signal ends the session in order: exit 75" \
    'connected; wait_for_run; kill -'$signal' $PPID; read -r more <&3; echo "dial: hung up" >> /opt/tmp/diary; exit 1' "$good_pinhole"
  is "$(tail -n2 $diary)" 'dial: hung up
pinhole: closed packets=7 bytes=700 reason=EOF' 'command, then pinhole'
done
conduct 75 'a signal while it connects: exit 75' 'kill -TERM $PPID; exec sleep 5' "$good_pinhole"
sleep 0.05
conduct 0 'nothing stays behind' "$good_dial" "$good_pinhole"
is "$(pgrep -x 'asp-dial|sudo|ascp_rproxy' | wc -l)" 0 'no process'

done_testing
