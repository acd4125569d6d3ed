#!/bin/bash
# asperaproxy trust: host keys of internal servers, enrolled after a look.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1 inside2
known=$LAB_PREFIX/etc/known_hosts
file=$(lab_root dmz)$known
trust() { on dmz timeout 60 "$LAB_PREFIX/bin/asperaproxy" trust "$@" < /dev/null; }
# asked ANSWER ARGUMENTS...: on a terminal; what it shows, without carriage returns.
asked() {
  local answer=$1
  shift
  { sleep 0.3; echo "$answer"; } |
    on dmz timeout 60 script -qec "$LAB_PREFIX/bin/asperaproxy trust $*" /dev/null | tr -d '\r'
}
key_of() { cut -d ' ' -f 2 "$LAB_DIR/keys/host-$1.pub"; }
fingerprint() { ssh-keygen -lf "$LAB_DIR/keys/host-$1.pub" | cut -d ' ' -f 2; }
one=$(fingerprint inside1) two=$(fingerprint inside2)
dial() { on dmz timeout 20 "$LAB_PREFIX/bin/asp-dial" -i "$LAB_PREFIX/etc/ssh_keys/id_ed25519" -l xfer "$1" -- echo reached; }

# What is asked for ----------------------------------------------------------------------

for args in "--bogus $INSIDE1" '--fingerprint' "--fingerprint x $INSIDE1" "--fingerprint ${one%?} $INSIDE1" "--fingerprint $one" \
  "$INSIDE1 $INSIDE2" 10.1 '-h' "--fingerprint MD5:00 $INSIDE1"; do
  # shellcheck disable=SC2086
  status 64 "trust $args: exit 64" trust $args
  like "$err" 'usage: asperaproxy trust' 'with the usage'
done
status 77 'not root: exit 77' on dmz -u bear "$LAB_PREFIX/bin/asperaproxy" trust "$INSIDE1"

# Enrolling --------------------------------------------------------------------------------

status 0 'a key that is there: exit 0' trust "$INSIDE1"
like "$out" 'nothing to do' 'says so, and asks nothing'
echo '# a comment of somebody' > "$file"
printf 'other.example.com %s' "$(cut -d ' ' -f 1,2 "$LAB_DIR/keys/host-inside2.pub")" >> "$file"
before=$(cat "$file")
status 76 '(without its key, nobody is dialled)' dial "$INSIDE1:22"
status 64 'without a terminal, and without --fingerprint: exit 64' trust "$INSIDE1"
like "$out" "$INSIDE1 shows"$'\n'"  ssh-ed25519 +$(literally "$one")" 'shows what it would ask about'
like "$err" 'there is no terminal; give --fingerprint' 'and says what to do'
is "$(cat "$file")" "$before" 'but changes nothing'
status 76 'another fingerprint: exit 76' trust --fingerprint "$two" "$INSIDE1"
like "$err" "has no key with that fingerprint, but ssh-ed25519 $(literally "$one")" 'says which it has'
is "$(cat "$file")" "$before" 'and changes nothing'
for answer in no y YES ' yes' ''; do
  shown=$(asked "$answer" "$INSIDE1")
  like "$shown" "$INSIDE1: not enrolled" "the answer '$answer' is no yes"
done
is "$(cat "$file")" "$before" 'nothing changed'
shown=$(asked yes "$INSIDE1")
like "$shown" "Enrol it for $INSIDE1 in $known\? \(yes/no\)" 'asks on the terminal'
like "$shown" "enrolled: $INSIDE1 ssh-ed25519 $(literally "$one")" 'and enrols at yes'
is "$(cat "$file")" "$before
$INSIDE1 ssh-ed25519 $(key_of inside1)" 'one line is added, all others stay'
is "$(stat -c '%U %a' "$file")" 'root 644' 'for all to read, for root to write'
nok 'no temporary file stays' test -e "$file.new"
is "$(dial "$INSIDE1:22")" reached 'asp-dial takes it'
ok 'the log has it' grep -q "asperaproxy.*LOG Enrolled the host key of $INSIDE1: ssh-ed25519 $one by=root" <(lab_log dmz)
status 0 'by fingerprint: exit 0' trust --fingerprint "$two" "$INSIDE2"
is "$out" "enrolled: $INSIDE2 ssh-ed25519 $two" 'without a question'
status 0 'again: exit 0' trust "$INSIDE2" --fingerprint "$two"
is "$out" "$INSIDE2: nothing to do, it is enrolled" 'does nothing'
status 0 'a server by IPv6' trust --fingerprint "$one" "[$INSIDE1_6]:22"
is "$(tail -n 1 "$file")" "$INSIDE1_6 ssh-ed25519 $(key_of inside1)" 'the plain address for port 22'
is "$(dial "[$INSIDE1_6]:22")" reached 'asp-dial takes it'
on inside2 /usr/sbin/sshd -p 2222 -o PidFile=none
ok '(a server at another port)' wait_until 5 lab_listens inside2 2222
status 0 'at another port' trust --fingerprint "$two" "$INSIDE2:2222"
is "$(tail -n 1 "$file")" "[$INSIDE2]:2222 ssh-ed25519 $(key_of inside2)" 'with the port in the name'
status 69 'a server that is not there: exit 69' trust "$INSIDE1:2222"
like "$err" "^asperaproxy: ask $INSIDE1:2222 for its host keys: " 'says so, in one line'

# A key that changed --------------------------------------------------------------------------

{
  echo "# first"
  echo "alias,$INSIDE1,more ssh-ed25519 $(key_of inside2) of long ago"
} > "$file"
before=$(cat "$file")
for how in '' "--fingerprint $one"; do
  # shellcheck disable=SC2086
  status 76 "another key is enrolled: exit 76 ($how)" trust $how "$INSIDE1"
  like "$err" "$known:2 has another one \(ssh-ed25519 $(literally "$two")\).*--replace" 'names the line that is in the way'
done
is "$(cat "$file")" "$before" 'and changes nothing'
status 0 '--replace: exit 0' trust --replace --fingerprint "$one" "$INSIDE1"
is "$(cat "$file")" "# first
alias,more ssh-ed25519 $(key_of inside2) of long ago
$INSIDE1 ssh-ed25519 $(key_of inside1)" 'takes its place; other names keep the old one'
on dmz ssh-keygen -q -H -f "$known" && on dmz rm -f "$known.old"
on dmz chmod 644 "$known"
status 0 'hashed names are found' trust "$INSIDE1"
like "$out" 'nothing to do' 'too'
printf '%s\n' "203.0.113.1? ssh-ed25519 $(key_of inside2)" > "$file"
status 76 'a pattern is in the way: exit 76' trust --replace --fingerprint "$one" "$INSIDE1"
like "$err" "$known:1: it names $INSIDE1 by a pattern; edit it by hand" 'says so'
printf '%s\n' "@revoked $INSIDE1 ssh-ed25519 $(key_of inside1)" > "$file"
status 76 'a revoked key: exit 76' trust --replace --fingerprint "$one" "$INSIDE1"
like "$err" 'says that it is revoked' 'whatever is given'
printf '%s\n' "$INSIDE1 ssh-ed25519 $(key_of inside1)" "@revoked * ssh-ed25519 $(key_of inside1)" > "$file"
status 76 'a revoked key that is enrolled, too: exit 76' trust "$INSIDE1"
like "$err" "$known:2 says that it is revoked" 'for sessions it is revoked as well'

# All servers of aspera.conf ---------------------------------------------------------------------

echo "$INSIDE1 ssh-ed25519 AAAAbroken" > "$file"
status 76 '(a line that cannot be read lets no session in)' dial "$INSIDE1:22"
shown=$(asked no)
like "$shown" "$INSIDE1: not enrolled" 'without HOST it asks for that server, too'
: > "$file"
shown=$(asked $'yes\nno')
is "$(cat "$file")" "$INSIDE1 ssh-ed25519 $(key_of inside1)" 'without HOST it asks for each that is missing'
like "$shown" "$INSIDE1_6: not enrolled" 'one by one'
lab_sshd inside1 stop
status 69 'one that is not there: exit 69' trust
lab_sshd inside1 start
trust --fingerprint "$one" "$INSIDE1_6" > /dev/null
status 0 'all there: exit 0' trust
like "$out" '^nothing to do: ' 'says so'
mv "$file" "$file.real" && ln -s known_hosts.real "$file"
status 0 'a link' trust --fingerprint "$two" "$INSIDE2"
ok 'stays one' test -L "$file"
is "$(tail -n 1 "$file.real")" "$INSIDE2 ssh-ed25519 $(key_of inside2)" 'and leads to what is written'
rm "$file"
status 0 'no file at all' trust --fingerprint "$two" "$INSIDE2"
is "$(cat "$file")" "$INSIDE2 ssh-ed25519 $(key_of inside2)" 'it is made'
for n in 1 2 3; do trust --fingerprint "$one" "$INSIDE1" & done > /dev/null 2>&1
trust --fingerprint "$one" "$INSIDE1_6" > /dev/null
wait
is "$(sort "$file" | cut -d ' ' -f 1 | uniq | xargs) $(wc -l < "$file")" "$(printf '%s\n' $INSIDE2 $INSIDE1 $INSIDE1_6 | sort | xargs) 3" 'several at once lose nothing'
echo '<CONF><server><rproxy><bogus/></rproxy></server></CONF>' | lab_config
status 78 'a wrong aspera.conf: exit 78' trust "$INSIDE1"
done_testing
