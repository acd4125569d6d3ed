#!/bin/bash
# asperaproxy setup: a bare host becomes a proxy, proves it by a session, and becomes bare again.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/bare.sh"

bare_up outside inside1
cron_is_off() { ! on dmz sh -c 'test "$(cat /proc/"$(cat /run/crond.pid)"/comm)" = cron' 2> /dev/null; }
options=(--server "$INSIDE1" --address "$SQUASH" --squash xfer --user bear --key /root/bear.pub --fingerprint "$(bare_fingerprint inside1)")
state=$dmz/var/lib/sallyport/setup

# -- what is asked for ---------------------------------------------------------------------

for args in --bogus --server '--server 10.1' "--address $INSIDE1" '--address x' '--squash a/b' '--user a/b' '--key /root/none' '--border maybe' \
  '--fingerprint x' '--root-login yes' '--yes --dry-run' '--undo --yes' 'word' '--yes' "--yes --server $INSIDE1 --user bear" '--squash x --own-names'; do
  # shellcheck disable=SC2086
  status 64 "setup $args: exit 64" setup $args
  is "$(wc -l <<< "$err")" 1 'one line says why'
done
status 77 'not root: exit 77' on dmz -u ops "$LAB_PREFIX/bin/asperaproxy" setup --yes
status 64 'nobody answers: exit 64' setup
like "$err" 'the input ended before the answer for --direction: .* options, and --yes' 'and it says which answer is missing, and what to do'
capture setup --yes --dry-run
like "$err" '^asperaproxy: --yes and --dry-run exclude each other' 'of two options one is too many: it names them'
capture setup --server nobody.example.com
like "$err" '^asperaproxy: --server: nobody.example.com: no address is known for that name' 'a name that nobody knows is refused at once'
asked() { printf '%s\n' "$@" | on dmz timeout 60 "$LAB_PREFIX/bin/asperaproxy" setup; }
status 64 'three wrong answers end it' asked reverse a/b a/b a/b a/b a/b
like "$err" 'no answer for --server after 3 tries' 'and it says so'
private=$(head -n 1 "$LAB_DIR/keys/client-bear")
status 64 'a private key is refused' asked '' "$INSIDE1" "$SQUASH" xfer bear "$private" "$private" "$private"
like "$err" 'private key, which nobody else should have' 'and it says why'
like "$out" "Addresses of this proxy where clients come \[$DMZ,$SQUASH,$INDIVIDUAL,$DMZ_SYNC\]" 'it offers the addresses that do not lead inside'
status 64 'an empty answer is no key' asked '' "$INSIDE1" "$SQUASH" xfer bear '' '' ''
like "$err" 'a public key is needed' 'and it says so'

capture on dmz asperaproxy check
like "$out" 'FAIL  config: .* off, and has no rules - asperaproxy setup' 'before it, the doctor sends one here'
unlike "$out" '(UDP|TCP) *('$'\n''|$)' 'and judges no port that there is not'

status 64 "an administrator's account is refused at once" setup --dry-run --server "$INSIDE1" --user ops --key /root/bear.pub
like "$err" "^asperaproxy: --user: ops: cannot be a user of the proxy: it is an administrator's account" 'and it says why'

# -- what it would do ------------------------------------------------------------------------

bare_files > "$TMPDIR/bare"
status 0 'a dry run' setup --dry-run "${options[@]}"
ok 'changes nothing' diff "$TMPDIR/bare" <(bare_files)
like "$out" "\+ +<squash_user>xfer</squash_user>" 'shows the change of aspera.conf'
like "$out" '\+Match Group sallyport' 'and of sshd'
like "$out" "\+ $LAB_PREFIX/bin/asp-adduser -s -k - bear" 'and each command'
like "$out" "trust --fingerprint $(literally "$(bare_fingerprint inside1)")" 'and which host key it would trust'

cp "$dmz$LAB_PREFIX/etc/aspera.conf" "$TMPDIR/sane"
echo '<CONF><server><rproxy><rulez/></rproxy></server></CONF>' > "$dmz$LAB_PREFIX/etc/aspera.conf"
capture setup --dry-run "${options[@]}"
is "$(grep -c 'FAIL .*rulez' <<< "$out")" 1 'an error of aspera.conf is told once'
cp "$TMPDIR/sane" "$dmz$LAB_PREFIX/etc/aspera.conf"

# -- nobody is locked out ------------------------------------------------------------------------

mv "$dmz/home/ops/.ssh/authorized_keys" "$dmz/home/ops/.ssh/away"
status 77 'where root alone could log in, it refuses' setup --yes "${options[@]}"
like "$err" 'sshd: nobody could log in any more' 'and says why'
is "$(wc -l <<< "$err")" 1 'in one line'
nok 'sshd has nothing of it' test -e "$dmz/etc/ssh/sshd_config.d/sallyport.conf"
status 77 'the same with --root-login key, if root has none' setup --dry-run --root-login key "${options[@]}"
status 0 '(root has one)' install -D -m 600 "$dmz/root/bear.pub" "$dmz/root/.ssh/authorized_keys"
capture setup --dry-run --root-login key "${options[@]}"
like "$out" '\+PermitRootLogin prohibit-password' 'otherwise root keeps it'
rm -r "${dmz:?}/root/.ssh"
mv "$dmz/home/ops/.ssh/away" "$dmz/home/ops/.ssh/authorized_keys"

for setting in 'AllowUsers root bear' 'DenyUsers op*' 'AllowGroups root' 'DenyGroups sudo' 'PubkeyAuthentication no'; do
  echo "$setting" > "$dmz/etc/ssh/sshd_config.d/00-site.conf"
  status 77 "so it does with $setting" setup --dry-run "${options[@]}"
  like "$out" 'FAIL  sshd: nobody could log in any more' 'and says why'
done
echo 'AllowUsers root o?s@10.*' > "$dmz/etc/ssh/sshd_config.d/00-site.conf"
capture setup --dry-run "${options[@]}"
unlike "$out$err" 'nobody could log in' 'where the administrator is let in, it does not'
rm "$dmz/etc/ssh/sshd_config.d/00-site.conf"

# -- a step that is killed ---------------------------------------------------------------------------

drop_in=$dmz/etc/ssh/sshd_config.d/sallyport.conf
mv "$dmz/etc/init.d/ssh" "$dmz/root/ssh"
printf '#!/bin/sh\n: > /root/reloading\nexec sleep 300\n' > "$dmz/etc/init.d/ssh"
chmod 755 "$dmz/etc/init.d/ssh"
on_exec dmz "$LAB_PREFIX/bin/asperaproxy" setup --yes "${options[@]}" > /dev/null &
killed=$!
ok '(setup is in the midst of the step)' wait_until 30 test -e "$dmz/root/reloading"
{ kill -KILL "$killed" && wait "$killed"; } 2> /dev/null
mv "$dmz/root/ssh" "$dmz/etc/init.d/ssh"
rm "$dmz/root/reloading"
echo '# mine' >> "$drop_in"
status 1 'undo, where somebody has changed a file since: exit 1' setup --undo
like "$err" 'sallyport.conf has been changed since, and is left as it is' 'and it names the file'
is "$(tail -n 1 "$drop_in")" '# mine' 'which is as they left it'
rm "$drop_in"

# -- a step that fails ------------------------------------------------------------------------------

echo 'Bogus yes' > "$dmz/etc/ssh/sshd_config.d/zz.conf"
status 71 'sshd is broken already: exit 71' setup --yes "${options[@]}"
like "$err" '^asperaproxy: sshd: .*zz.conf.*Bogus' 'and it says where'
like "$err" 'goes on from here; --undo' 'and how to go on, and back'
rm "$dmz/etc/ssh/sshd_config.d/zz.conf"

# -- whose key it is -------------------------------------------------------------------------------

given=(--direction reverse --server "$INSIDE1" --address "$SQUASH" --squash xfer --user bear --key /root/bear.pub)
wrong=SHA256:$(printf 'A%.0s' {1..43})
# on_terminal ANSWER OPTION...: setup where a person has a terminal, and answers there.
on_terminal() {
  local answer=$1
  shift
  echo "$answer" | on dmz timeout 100 script -qec "asperaproxy setup $*" /dev/null
}
status 76 'another fingerprint than the server has: exit 76' setup --yes "${given[@]}" --fingerprint "$wrong"
like "$out" 'ok    aspera.conf:' 'it went on from where it was'
like "$out" 'done  sshd: listens on 22 and 33001' 'did the rest'
like "$err" "host keys: $INSIDE1:22 shows $(literally "$(bare_fingerprint inside1)"), and --fingerprint says $wrong\\." 'both are shown'
status 76 'it is remembered for scripts' setup --yes
lab_sshd inside1 stop
capture on_terminal no "${given[@]}"
like "$out" "host keys: ask $INSIDE1:22 for its host keys: no SSH server answers there\\." 'a server that is down is one line'
unlike "$out" 'status 69' 'without the number of a status'
lab_sshd inside1 start
capture on_terminal no "${given[@]}"
like "$out" "Enrol it for $INSIDE1" 'but a person is asked'
like "$out" 'host keys: .*: the answer was not yes\.' 'and what was answered is said'

# -- it is done -----------------------------------------------------------------------------------------

status 1 'done, but the server does not know the key yet: exit 1' setup --yes "${options[@]}"
like "$out" 'FAIL  login: log in at '"$INSIDE1"':22 as xfer: server refuses our key' 'and says what does not work'
line=$(grep '^from=' <<< "$out")
like "$line" "^from=\"$DMZ_LAN\",restrict ssh-ed25519 " 'the line for the server is there'
like "$out" "inner +$DMZ_LAN +$INSIDE1 +TCP 22, UDP 33001" 'and the ports for firewalls'
echo "$line" >> "$(lab_root inside1)/home/xfer/.ssh/authorized_keys"
on dmz sysctl -q -w net.ipv4.conf.all.rp_filter=0
status 0 'a second run without options: exit 0' setup --yes
like "$out" 'done  kernel' 'puts right what has changed since'
bare_files > "$TMPDIR/done"
logins_of_proxy() { lab_log inside1 | grep -c 'Accepted publickey for xfer'; }
logins=$(logins_of_proxy)
status 0 'a third run: exit 0' setup --yes
is "$(($(logins_of_proxy) - logins))" 2 'it logs in to the server for the trial and for the session, and no more'
nok 'has nothing to do' grep -E '^(done|FAIL)' <<< "$out"
ok 'and changes no file' diff "$TMPDIR/done" <(bare_files)
like "$out" "ok    login: xfer at $INSIDE1:22, whose host key is ssh-ed25519 $(literally "$(bare_fingerprint inside1)")" 'it logs in to the server'
like "$out" "ok    session: bear at $SQUASH:33001: .*datagrams went to the server and back" 'and a session of its own has datagrams there and back'
nok 'no network is left of it' on dmz ip link show sallyport-try 2> /dev/null
nok 'nor a key' test -e "$dmz/run/sallyport/setup-guest"
is "$(wc -l < "$dmz/etc/ssh/authorized_keys/bear")" 1 "nor another key of bear's"

head -c 300000 /dev/urandom > "$(lab_root outside)/home/bear/file"
status 0 'a file from outside crosses' on outside -u bear asp-cp -q -P 33001 file "bear@$SQUASH:/tmp/from-bear"

# -- what bear is told ------------------------------------------------------------------------------

status 0 'sheet: what a user outside needs to know' on dmz "$LAB_PREFIX/bin/asperaproxy" sheet bear
for line in "Host      $(literally "$SQUASH")" 'Data      UDP 33001, both ways' 'SSH       TCP 33001' 'User      bear' \
  "Host key  ssh-ed25519 $(literally "$(bare_fingerprint dmz)")" \
  "Your key  ssh-ed25519 $(literally "$(on outside ssh-keygen -lf /home/bear/.ssh/id_ed25519.pub | cut -d ' ' -f 2)")" \
  'Your key is enrolled'; do
  like "$out" "$line" "it has: $line"
done
try=$(grep -o '^ *asp-cp -P .*' <<< "$out" | xargs)
is "$try" "asp-cp -P 33001 -i YOUR_KEY FILE bear@$SQUASH:" 'and a line to try'
find_out=$(grep -o 'asp-cp --check .*' <<< "$out")
is "$find_out" "asp-cp --check -P 33001 -O 33001 -i YOUR_KEY bear@$SQUASH" 'and one to find out why it does not work'
with_key() { sed 's|YOUR_KEY|/home/bear/.ssh/id_ed25519|; s|FILE|file|' <<< "$1"; }
status 0 'the first works' on outside -u bear sh -c "$(with_key "$try") < /dev/null"
status 0 'and the second says that all is well' on outside -u bear sh -c "$(with_key "$find_out") < /dev/null"
on dmz mv /etc/ssh/authorized_keys/bear /root/
like "$(on dmz "$LAB_PREFIX/bin/asperaproxy" sheet bear)" 'send us the file transfer_key.pub' 'of a user without a key: that they make one'
on dmz mv /root/bear /etc/ssh/authorized_keys/
status 65 'of nobody: exit 65' on dmz "$LAB_PREFIX/bin/asperaproxy" sheet nobody-here
is "$err" 'asperaproxy: there is no account nobody-here: asp-adduser -s -k KEY nobody-here makes it' 'and what makes it'
status 64 'without a name: exit 64' on dmz "$LAB_PREFIX/bin/asperaproxy" sheet
ok 'as it was' cmp "$(lab_root outside)/home/bear/file" "$(lab_root inside1)/tmp/from-bear"
is "$(on dmz "$LAB_PREFIX/bin/asperaproxy" check | grep '^FAIL' | grep -v ' cron: ')" '' 'the doctor finds nothing that fails'
is "$(on dmz sysctl -n net.ipv4.ip_forward)" 1 'the host forwards'
like "$(on dmz nft list tables)" sallyport_border 'behind a border'

# -- what the proof sees -----------------------------------------------------------------------------------

on inside1 iptables -I INPUT -p udp -j DROP
status 1 'UDP is blocked inside: exit 1' setup --yes
like "$out" 'FAIL  session: .*no datagram came back' 'and it says so'
on inside1 iptables -D INPUT -p udp -j DROP
mv "$(lab_root inside1)/usr/local/bin/asp-cp" "$(lab_root inside1)/usr/local/bin/away"
status 0 'a server without asp-cp: exit 0' setup --yes
like "$out" 'warn  session: .*no asp-cp to answer it' 'and it says what was not tried'
mv "$(lab_root inside1)/usr/local/bin/away" "$(lab_root inside1)/usr/local/bin/asp-cp"

# -- another answer -------------------------------------------------------------------------------------------

status 0 'another address in the place of the first' setup --yes --address "$INDIVIDUAL"
like "$out" 'done  aspera.conf' 'changes aspera.conf'
is "$(grep -c '<rule host_ip="198' "$dmz$LAB_PREFIX/etc/aspera.conf")" 1 'which has one rule all the same'
unlike "$out" 'done  (sshd|user|service)' 'and nothing else'
sed -i 's|</CONF>|<!-- mine -->\n&|' "$dmz$LAB_PREFIX/etc/aspera.conf"
status 78 'a rule in a file that somebody has changed since is not replaced' setup --yes --squash other
like "$err" "aspera.conf:[0-9]+ has another rule for $INDIVIDUAL" 'and it names the line'
status 0 'an address beside it' setup --yes --squash xfer --address "$INDIVIDUAL,$SQUASH"
like "$(cat "$dmz$LAB_PREFIX/etc/aspera.conf")" 'mine' "somebody's own lines stay"

# -- a host that forwards for others ----------------------------------------------------------------

on dmz "$LAB_PREFIX/bin/asperaproxy" leave > /dev/null
on dmz sysctl -q -w net.ipv4.ip_forward=1
on outside ip route add "$INSIDE1" via "$DMZ"
on inside1 ip route add "$OUTSIDE" via "$DMZ_LAN"
lab_udp inside1 echo "$INSIDE1:7000" "$TMPDIR/received"
ok '(it does)' on outside python3 "$LAB_LIB/udp.py" send "$OUTSIDE:7001" "$INSIDE1:7000" hello --wait-reply 5
status 77 'setup does not cut them off: exit 77' setup --yes
like "$err" 'service: this host forwards for others.*--border yes' 'and it says what to do'
on dmz iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP
on outside python3 "$LAB_LIB/udp.py" send "$OUTSIDE:7001" "$INSIDE1:7000" hello --wait-reply 5 > /dev/null
status 77 'where the kernel tracks flows' setup --yes
like "$err" "for others now \\($OUTSIDE to $INSIDE1\\)" 'it says whose'
status 0 '--border no leaves it a router' setup --yes --border no
like "$(cat "$dmz$LAB_PREFIX/etc/aspera.conf")" '<border>false</border>' 'aspera.conf has it'
like "$(cat "$dmz$LAB_PREFIX/etc/aspera.conf")" 'mine' "and somebody's own lines still"
ok 'others go on' on outside python3 "$LAB_LIB/udp.py" send "$OUTSIDE:7002" "$INSIDE1:7000" hello --wait-reply 5
status 0 '--border yes closes it' setup --yes --border yes
nok 'and they are cut off' on outside python3 "$LAB_LIB/udp.py" send "$OUTSIDE:7003" "$INSIDE1:7000" hello --wait-reply 1 2> /dev/null

# -- back ---------------------------------------------------------------------------------------------------

status 1 'undo, where a file was changed since: exit 1' setup --undo
like "$out" 'the proxy stays stopped: aspera.conf enables it' 'and what that means'
like "$err" 'aspera.conf has been changed since, and is left as it is; as it was before: /var/lib/sallyport/before-setup/.*aspera.conf' 'and it names the file'
is "$(on dmz getent passwd bear; on dmz getent group sallyport)" '' 'the account and the group are gone'
is "$(on dmz sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding | xargs)" '0 0' 'the host forwards what it did before'
is "$(on dmz sh -c 'iptables-save; ip6tables-save; nft list tables' | grep -i sallyport)" '' 'no rule is left'
ok 'and cron runs no more, as it did not' wait_until 10 cron_is_off
ok 'sshd is as it was' wait_until 5 lab_silent dmz 33001
# Numbers of accounts are never given twice; asp-deluser leaves home directories.
strip() { grep -vE ' /(home/bear|var/lib/sallyport|etc/(sub[ug]id|passwd|group|shadow|gshadow)-?$|opt.*/etc/(aspera.conf|ssh_keys)$|etc/ssh/authorized_keys$|etc/.*/\.pwd\.lock)' "$@"; }
ok 'and so are all other files' diff <(strip "$TMPDIR/bare") <(bare_files | strip)
nok 'the journal is gone' test -e "$state"
is "$(cd "$dmz/var/lib/sallyport/before-setup" && find . -type f)" ".$LAB_PREFIX/etc/aspera.conf" 'and the copies of files, but for that one'
status 0 'to undo nothing: exit 0' setup --undo
like "$out" 'nothing to undo' 'and it says so'
mv "$dmz/var/lib/sallyport/before-setup$LAB_PREFIX/etc/aspera.conf" "$dmz$LAB_PREFIX/etc/aspera.conf"
status 64 'nobody to ask about a host key, and no fingerprint: exit 64' setup --yes --server "$INSIDE1" --address "$SQUASH"
like "$err" "^asperaproxy: host keys: there is no terminal to ask on: --fingerprint is needed; $INSIDE1:22 shows $(literally "$(bare_fingerprint inside1)")" 'it says what is needed, and what the server shows'
is "$(wc -l <<< "$err")" 1 'in one line'
status 76 'another fingerprint: exit 76' setup --yes --fingerprint "SHA256:$(printf 'x%.0s' {1..43})"
is "$(cat "$dmz$LAB_PREFIX/etc/known_hosts")" '' 'no key is enrolled'

# -- what belongs to a user is read as the user ---------------------------------------------------------

own=(--own-names --user bobcat --key "$(cat "$LAB_DIR/keys/client-bobcat.pub")" --fingerprint "$(bare_fingerprint inside1)")
status 1 'each with the own name' setup --yes "${own[@]}"
like "$out" "from=\"$DMZ_LAN\",restrict ssh-ed25519 " "the user's own key is shown"
chmod 600 "$dmz/root/bear.pub"
ln -sf /root/bear.pub "$dmz/home/bobcat/.ssh/id_ed25519.pub"
capture setup --yes
unlike "$out" "$(literally "$(cut -d ' ' -f 2 "$dmz/root/bear.pub")")" "a link of theirs shows no file of root's, if it is a key, too"
like "$out" 'restrict KEY +\(asp-adduser prints it\)' 'and what to do is said'
done_testing
