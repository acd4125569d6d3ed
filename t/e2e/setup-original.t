#!/bin/bash
# asperaproxy setup --from-original: a host that has the accounts, keys, sudoers and
# aspera.conf that the guide has people make for the original proxy.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/bare.sh"

bare_up outside inside1
# -- as the guide has it -----------------------------------------------------------------------
conf=$dmz$LAB_PREFIX/etc/aspera.conf
for user in bear bobcat; do
  on dmz useradd -m -s /bin/aspshell -K UID_MIN=2600 "$user"
  install -d -m 700 "$dmz/home/$user/.ssh"
  cp "$LAB_DIR/keys/client-$user.pub" "$dmz/home/$user/.ssh/authorized_keys"
  ssh-keygen -q -t rsa -b 2048 -N '' -f "$dmz/home/$user/.ssh/id_rsa"
  lab_own "$dmz" "$user"
  printf '%s\n' "Defaults:$user !requiretty" "$user ALL = (ALL) NOPASSWD: /sbin/iptables-restore" >> "$dmz/etc/sudoers"
done
echo 'ops ALL = (ALL) NOPASSWD: /sbin/iptables-restore, /usr/bin/true' > "$dmz/etc/sudoers.d/ops"
chmod 440 "$dmz/etc/sudoers.d/ops"
cat "$dmz/home/bobcat/.ssh/id_rsa.pub" >> "$(lab_root inside1)/home/bobcat/.ssh/authorized_keys"
ssh-keygen -q -t rsa -b 2048 -N '' -f "$dmz$LAB_PREFIX/etc/ssh_keys/id_rsa"
cat "$dmz$LAB_PREFIX/etc/ssh_keys/id_rsa.pub" >> "$(lab_root inside1)/home/xfer/.ssh/authorized_keys"
cat > "$conf" << END
<?xml version='1.0' encoding='UTF-8'?>
<CONF version="2">
<server>
  <rproxy>
    <enabled>true</enabled>
    <wonderful>yes</wonderful>
    <rules>
      <rule host_ip="$SQUASH">
        <host>$INSIDE1:22</host>
        <squash_user>xfer</squash_user>
        <keyfile>$LAB_PREFIX/etc/ssh_keys/id_rsa</keyfile>
      </rule>
      <rule host_ip="$DMZ">
        <host>$INSIDE1:22</host>
        <only_for>bear</only_for>
        <keyfile>$LAB_PREFIX/etc/ssh_keys/id_rsa</keyfile>
      </rule>
      <rule host_ip="$INDIVIDUAL">
        <host>$INSIDE1:22</host>
        <keyfile>/home/\$(user)/.ssh/id_rsa</keyfile>
      </rule>
    </rules>
  </rproxy>
</server>
</CONF>
END
cp "$conf" "$TMPDIR/theirs"
sudoers=$(cat "$dmz/etc/sudoers")
options=(--from-original "$LAB_PREFIX/etc/aspera.conf" --yes --fingerprint "$(bare_fingerprint inside1)")

for args in '--from-original aspera.conf' '--from-original /none' '--sudoers yes'; do
  # shellcheck disable=SC2086
  status 64 "setup $args: exit 64" setup --yes $args
done
bare_files > "$TMPDIR/before"
status 0 'a dry run' setup "${options[@]//--yes/--dry-run}"
ok 'changes nothing' diff "$TMPDIR/before" <(bare_files)
status 1 'taken over, but for lines of sudoers: exit 1' setup "${options[@]}"
like "$out" 'left out 6:5: <wonderful>: ' 'it says what it has left out'
like "$out" 'left out [0-9]+:[0-9]+: <rule>: .*only_for' 'a rule with something unknown is left out as a whole'
is "$(grep -c '<rule ' "$conf")" 2 'the others are there'
like "$out" 'old grants: 2 lines of sudoers still let people rewrite the whole firewall: --sudoers delete' 'lines of sudoers stay until they may go'
is "$(cat "$dmz/etc/sudoers")" "$sudoers" 'sudoers is as it was'
like "$(on dmz id -nG bear) $(on dmz id -nG bobcat)" 'sallyport .*sallyport' 'users are in the group'
is "$(cut -d ' ' -f 1,2 "$dmz/etc/ssh/authorized_keys/bear")" "$(cut -d ' ' -f 1,2 "$LAB_DIR/keys/client-bear.pub")" 'and their keys are root'"'s"
like "$out" "ok    login: bobcat at $INSIDE1:22" 'it logs in as each rule says'
like "$out" "warn  login: log in at $INSIDE1:22 as bear: server refuses our key" 'one who has no account there does not make it fail'
like "$out" "ok    login: xfer at $INSIDE1:22" 'with each key'
like "$out" "ok    session: bear at $SQUASH:33001: " 'a session moves datagrams'

status 0 'they may go: exit 0' setup --yes --sudoers delete
nok 'they are gone' grep iptables-restore "$dmz/etc/sudoers"
like "$out" 'edit by hand: /etc/sudoers.d/ops: ops ALL' 'one with other commands in it is named'
ok 'and stays' grep -q iptables-restore "$dmz/etc/sudoers.d/ops"
status 0 'sudo takes what is left' on dmz visudo -cq
for user in bear bobcat; do
  head -c 100000 /dev/urandom > "$(lab_root outside)/home/$user/file-$user"
done
status 0 "bear's file crosses" on outside -u bear asp-cp -q -P 33001 file-bear "bear@$SQUASH:/tmp/"
status 0 "and bobcat's" on outside -u bobcat asp-cp -q -P 33001 file-bobcat "bobcat@$INDIVIDUAL:/tmp/"
is "$(on inside1 stat -c %U /tmp/file-bear /tmp/file-bobcat | xargs)" 'xfer bobcat' 'as the rules have it'
status 0 'again: exit 0' setup --yes
nok 'and nothing to do' grep -E '^(done|FAIL)' <<< "$out"

status 0 'undo: exit 0' setup --undo
is "$(cat "$dmz/etc/sudoers")" "$sudoers" 'sudoers is as it was'
ok 'and aspera.conf' cmp "$conf" "$TMPDIR/theirs"
unlike "$(on dmz id -nG bear)" sallyport 'and the group'
cp "$TMPDIR/theirs" "$dmz/root/original.conf"
echo '<CONF/>' > "$conf"
status 0 'a copy elsewhere' setup --yes --sudoers delete --from-original /root/original.conf --fingerprint "$(bare_fingerprint inside1)"
is "$(grep -c '<rule ' "$conf")" 2 'comes in the place of one that enables nothing'
done_testing
