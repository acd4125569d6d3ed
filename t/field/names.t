#!/bin/bash
# Names that sites have, and that went wrong: a server by a name that has another address
# in each answer of DNS, servers with an underscore, accounts of Windows domains with
# backslashes and blanks, long ones, letters of other languages. They work; those that
# cannot are refused in one sentence, and the doctor finds them.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1 inside2
root=$(lab_root dmz)
known_hosts=$root$LAB_PREFIX/etc/known_hosts
key=$LAB_PREFIX/etc/ssh_keys/id_ed25519
for host in inside1 inside2; do
  printf '#!/bin/sh\necho "$LOGNAME@%s"\nexec cat\n' "$host" > "$(lab_root "$host")/usr/local/bin/whereami"
  chmod 755 "$(lab_root "$host")/usr/local/bin/whereami"
done
configure() {  # < RULES
  {
    echo '<CONF><server><rproxy><enabled>true</enabled><rules>'
    cat
    echo "</rules></rproxy></server><default><aspshell_commands><command>whereami</command></aspshell_commands></default></CONF>"
  } | lab_config
}
rule() { echo "<rule host_ip=\"$SQUASH\"><host>$1</host><keyfile>$key</keyfile>${2:+<squash_user>$2</squash_user>}${3-}</rule>"; }
through() {  # [USER]
  on outside -u bear timeout 30 ssh -n -o LogLevel=ERROR -p 33001 -l "${1-bear}" "$SQUASH" whereami 2>&1
}

# A name with another address in each answer ------------------------------------------
# Weighted DNS, global balancing: whoever asks twice is led to two servers.
{
  printf 'weighted.example.net'
  for _ in {1..40}; do printf ' %s %s' "$INSIDE1" "$INSIDE2"; done
  printf '\nonce.example.net %s nothing\n' "$INSIDE1"
} > "$TMPDIR/dns"
lab_dns "$TMPDIR/dns"
for name in weighted.example.net once.example.net in_side.example.net _1; do
  awk -v name="$name" '{ print name, $2, $3 }' "$known_hosts"
done > "$TMPDIR/more"
cat "$TMPDIR/more" >> "$known_hosts"
led=
# lead NUMBER...: a session each
lead() {
  local i address expected
  for i; do
    proxy_session "w$i" outside bear "$SQUASH" whereami
    address=$(on dmz sh -c 'sed -n "s/^host=\(.*\):22$/\1/p" /run/sallyport/sessions/*')
    case $address in
      "$INSIDE1") expected=inside1 ;;
      *) expected=inside2 ;;
    esac
    wait_until 10 grep -q . "$TMPDIR/w$i.out"
    is "$(cat "$TMPDIR/w$i.out")" "xfer@$expected" "the UDP of session $i goes to the server that its SSH is with ($expected)"
    proxy_end "w$i"
    led+=" $expected"
  done
}
rule weighted.example.net xfer | configure
before=$(grep -c weighted "$TMPDIR/dns.log")
lead {1..6}
like "$led" 'inside1.*inside2|inside2.*inside1' '(each answer has the other address)'
is "$(($(grep -c weighted "$TMPDIR/dns.log") - before))" 6 'the name is looked up once for each session'
rule weighted.example.net xfer '<upstream_reuse>true</upstream_reuse>' | configure
lead 7 8
like "$(lab_log dmz)" 'reused=true' '(and so it is over a connection that was kept)'
like "$(on dmz sh -c 'cat /run/sallyport/keepers/bear.1/*.address')" "^($INSIDE1|$INSIDE2):22" 'where that leads root has noted'
rule once.example.net xfer | configure
is "$(through)" xfer@inside1 'name servers that fall silent after that are not waited for'

# What stands in the note is root's, and of this session.
like "$(on dmz stat -c '%U %a' /run/sallyport/dialers)" '^root 700$' 'where it is noted, root alone can write'

# Servers with an underscore ------------------------------------------------------------
printf '%s in_side.example.net _1\n' "$INSIDE1" >> "$root/etc/hosts"
for name in in_side.example.net _1; do
  rule "$name" xfer | configure
  is "$(through)" xfer@inside1 "a host that is called $name works"
done

# A dialer that a server got the better of -------------------------------------------------
# It says that it is connected elsewhere. The UDP goes where it was before the server spoke.
dial=$root$LAB_PREFIX/bin/asp-dial
mv "$dial" "$dial.real"
cat > "$dial" << END
#!/usr/bin/python3
import os, re, select, socket, subprocess, sys
outer = socket.socket(fileno=os.dup(3))
ours, theirs = socket.socketpair()
os.dup2(theirs.fileno(), 3)
child = subprocess.Popen(["$LAB_PREFIX/bin/asp-dial.real", *sys.argv[1:]], pass_fds=(3, 4, 6))
theirs.close()
for each in (3, 4, 6):
    os.close(each)
while True:
    ready = select.select([ours, outer], [], [])[0]
    if outer in ready:
        said = outer.recv(4096)
        if not said:
            child.kill()
            break
        ours.sendall(said)
    if ours in ready:
        said = ours.recv(4096)
        if not said:
            break
        outer.sendall(re.sub(rb"(?m)^(connected address=)\S+", rb"reached address=$INSIDE2:22\n\g<1>$INSIDE2:22", said))
sys.exit(child.wait())
END
chmod 755 "$dial"
rule in_side.example.net xfer | configure
proxy_session liar outside bear "$SQUASH" whereami
is "$(on dmz sh -c 'sed -n "s/^host=\(.*\):22$/\1/p" /run/sallyport/sessions/*')" "$INSIDE1" 'a dialer that is led astray by its server leads no UDP to another'
wait_until 10 grep -q . "$TMPDIR/liar.out"
is "$(cat "$TMPDIR/liar.out")" xfer@inside1 '(the session is served)'
proxy_end liar
mv "$dial.real" "$dial"

# Accounts inside -------------------------------------------------------------------------
umlaut=$(printf 'j\303\274rgen')
long=$(printf 'a%.0s' {1..100})
odd=('CORP\xfer' 'domain xfer' 'HOST$' "o'brien;x&y|z" 'xfer@corp.example.com' "$umlaut" "$long" '$(id)' 'a<b')
# add_as HOST NAME [UID]: of that name, with the number and home of xfer or of its own
add_as() {
  local etc uid=${3-} home=/home/xfer
  etc=$(lab_root "$1")/etc
  if [ -z "$uid" ]; then
    uid=$(on "$1" id -u xfer)
  else
    home=/home/u$uid
    cp -r "$(lab_root "$1")/home/bear" "$(lab_root "$1")$home"
    chown -R "$uid:$uid" "$(lab_root "$1")$home"
  fi
  printf '%s:x:%s:%s::%s:%s\n' "$2" "$uid" "$uid" "$home" "${4-/bin/bash}" >> "$etc/passwd"
  printf '%s:*:19000::::::\n' "$2" >> "$etc/shadow"
}
xml() { sed 's/&/\&amp;/g; s/</\&lt;/g' <<< "$1"; }
for name in "${odd[@]}"; do
  add_as inside1 "$name"
  rule "$INSIDE1" "$(xml "$name")" | configure
  is "$(through)" "$name@inside1" "squash_user ${name:0:30} logs in there"
done
is "$(on dmz "$LAB_PREFIX/bin/asuserdata" -v > /dev/null; echo $?)" 0 '(and the file is valid)'
rule "$INSIDE1" 'CORP/xfer' | configure
like "$(on dmz "$LAB_PREFIX/bin/asuserdata" -v 2>&1)" "squash_user: 'CORP/xfer' is not valid; expected an account name" 'what can be no name is refused where it is written'

# Accounts outside ------------------------------------------------------------------------
# As winbind and SSSD name them; the group that sudo wants is a local one.
outside=('CORP\bear' 'domain bear' 'HOST$' 'bear@corp.example.com' "$umlaut" "$long")
uid=5000
for name in "${outside[@]}" 'no,name' $'latin\374'; do
  uid=$((uid + 1))
  add_as dmz "$name" $uid /bin/aspshell
  cp "$LAB_DIR/keys/client-bear.pub" "$root/etc/ssh/authorized_keys/$name"
  sed -i "s/^sallyport:.*/&,${name//\\/\\\\}/; s/^\(sallyport:[^:]*:[^:]*:\),/\1/" "$root/etc/group"
  printf 'own%s:x:%s:%s\n' $uid $uid 'x' >> "$root/etc/group"
done
# A comma parts members of a group; as a primary group it can have such a name.
sed -i "s/^\(no,name:x:[0-9]*\):[0-9]*/\1:$(on dmz getent group sallyport | cut -d : -f 3)/" "$root/etc/passwd"
sed -i 's/^own5002:x:5002:.*/domain users:x:5002:domain bear/' "$root/etc/group"
{
  rule "$INSIDE1" xfer '<groups>"domain users"</groups>'
  rule "$INSIDE2" xfer '<users>"CORP\bear" HOST$ bear@corp.example.com, '"$umlaut $long"'</users><upstream_reuse>true</upstream_reuse>'
} | configure
for name in "${outside[@]}"; do
  expected=xfer@inside2
  [ "$name" != 'domain bear' ] || expected=xfer@inside1
  is "$(through "$name")" $expected "${name:0:30} transfers, by the rule for that name or group"
done
echo hello > "$(lab_root outside)/home/bear/file"
is "$(on outside -u bear asp-cp -q -P 33001 file "domain bear@$SQUASH:by-domain-bear" 2>&1; cat "$(lab_root inside1)/home/xfer/by-domain-bear")" hello 'asp-cp takes such a name, too'
own=$root/home/u5001/.ssh/CORP\\bear
install -m 600 "$root$key" "$own" && chown 5001:5001 "$own"
rule "$INSIDE1" xfer | sed "s|<keyfile>.*</keyfile>|<keyfile>/home/u5001/.ssh/\$(user)</keyfile>|" | configure
is "$(through 'CORP\bear')" xfer@inside1 '$(user) in a key file stands for such a name, too'
unlike "$(lab_log dmz)" 'is not kept' 'a connection is kept for a long name, too'
log=$(lab_log dmz)
like "$log" 'Received .* user=CORP\\\\bear key=' 'the log has the name, escaped'
like "$log" 'Received .* user=domain\\x20bear key=' 'as one word'
like "$(on dmz "$LAB_PREFIX/bin/asp-match" -e 2>&1 <<< "user=domain bear
client=$OUTSIDE:1
proxy=$SQUASH:33001
")" 'rule=1' 'asp-match knows where a name with a blank goes'
proxy_session_as() {  # NAME USER
  mkfifo "$TMPDIR/in"
  on_exec outside -u bear ssh -o LogLevel=ERROR -p 33001 -l "$2" "$SQUASH" whereami < "$TMPDIR/in" > "$TMPDIR/out" 2>&1 &
  pid=$!
  exec {held}> "$TMPDIR/in"
  wait_until 10 grep -q @ "$TMPDIR/out"
}
proxy_session_as one 'CORP\bear'
kill -KILL $(lab_pids dmz asp-upstream)
wait "$pid"
exec {held}>&-
rm "$TMPDIR/in"
like "$(lab_log dmz | grep ' ERR asp-upstream died')" ' user=CORP\\\\bear key=' 'in a line of error, too, once'
proxy_session_as one 'CORP\bear'
like "$(on dmz "$LAB_PREFIX/bin/asp-sessions" --json)" '"user":"CORP\\\\bear"' 'asp-sessions shows a name with a backslash'
ok 'and ends the session by it' on dmz "$LAB_PREFIX/bin/asp-sessions" --kill 'user=CORP\bear'
exec {held}>&-
wait "$pid"
for name in 'no,name' $'latin\374'; do
  like "$(LC_ALL=C through "$name")" '^This proxy does not permit that' "${name:0:5}…: refused in one sentence"
done
like "$(lab_log dmz)" "ERR the account's name 'no,name' cannot be used" 'the log says why'
like "$(on dmz "$LAB_PREFIX/bin/asperaproxy" check 2>&1)" 'cannot be used .*: latin' 'the doctor finds such accounts in the group'
done_testing
