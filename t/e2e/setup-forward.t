#!/bin/bash
# asperaproxy setup for the forward proxy: a bare host, a lease as proof, a file that has
# crossed, the reverse proxy beside it, and back.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/bare.sh"

bare_up inner outer inside1 outside
LAB_SUITE=yes lab_install_programs "$(lab_root inner)" asp-cp asp-forward
LAB_SUITE=yes lab_install_programs "$(lab_root outer)" asp-cp
(umask 077 && echo 'alice-secret' > "$dmz/root/password")
options=(--direction forward --inside "$DMZ_LAN" --destinations "$OUTER" --node-user alice)

for args in '--direction sideways' '--inside 192.0.2.77' '--destinations a/b' '--node-user a:b' '--password-file /none' '--try a/b'; do
  # shellcheck disable=SC2086
  status 64 "setup $args: exit 64" setup "${options[@]}" $args --yes
done
status 64 'which address is inside cannot be guessed: exit 64' setup --yes --direction forward
like "$err" '--inside is needed' 'and it says so'
bare_files > "$TMPDIR/bare"
status 0 'a dry run' setup --dry-run "${options[@]}" --password-file /root/password
ok 'changes nothing' diff "$TMPDIR/bare" <(bare_files)
like "$out" "\+ +<bind_ip_address>$DMZ_LAN</bind_ip_address>" 'and shows what it would'
unlike "$out" 'sshd_config' 'sshd is not a concern of it'
status 64 'a password is wanted, and there is no terminal: exit 64' setup --yes "${options[@]}"
like "$err" '^asperaproxy: node user: there is no terminal' 'it says at which step'
is "$(wc -l <<< "$err")" 1 'in one line'

status 0 'done: exit 0' setup --yes "${options[@]}" --password-file /root/password --try "$OUTER"
like "$out" "ok    lease: alice to $OUTER:22: leased, the server's SSH answered through it, and given back" 'and proved by a lease'
like "$out" "inner +people inside +$DMZ_LAN +TCP 9092" 'the ports for firewalls are there'
is "$(on dmz "$LAB_PREFIX/bin/asp-sessions" --leases | tail -n +2)" "" 'no lease is left'
nok 'nor the password' test -e "$dmz/run/sallyport/setup-password"
nok 'it is not on record either' grep -rq alice-secret "$dmz/var/lib/sallyport"
command=$(grep '^asp-forward' <<< "$out" | sed "s/HOST/$OUTER/; s/FILE/file/; s/USER/xfer/; s/ --to/ --password-file .password --to/; s/%h:/%h:from-inside/; s/asp-cp/asp-cp -q/")
inner=$(lab_root inner)/home/bear
head -c 300000 /dev/urandom > "$inner/file"
install -m 600 "$dmz/root/password" "$inner/.password"
chown --reference="$inner" "$inner/.password"
status 0 'the line for people inside works' on inner -u bear bash -c "$command"
ok 'a file from inside has crossed' cmp "$inner/file" "$(lab_root outer)/home/xfer/from-inside"
like "$(on dmz nft list tables)" sallyport_border 'behind a border'
bare_files > "$TMPDIR/done"
status 0 'again: exit 0' setup --yes
nok 'and nothing to do' grep -E '^(done|FAIL)' <<< "$out"
ok 'no file changes' diff "$TMPDIR/done" <(bare_files)
like "$out" 'warn  lease: none was tried: that needs a user'"'"'s password' 'a lease is not tried without a password, and it says so'
on outer iptables -I INPUT -p tcp --dport 22 -j DROP
status 1 'the server outside is not reached: exit 1' setup --yes --password-file /root/password
like "$out" 'FAIL  lease: ' 'and it says so'
on outer iptables -D INPUT -p tcp --dport 22 -j DROP

status 1 'the reverse proxy beside it' setup --yes --direction both --server "$INSIDE1" --address "$SQUASH" --squash xfer --user bear \
  --key /root/bear.pub --fingerprint "$(bare_fingerprint inside1)"
grep '^from=' <<< "$out" >> "$(lab_root inside1)/home/xfer/.ssh/authorized_keys"
status 0 'both: exit 0' setup --yes --password-file /root/password
like "$out" 'ok    session: ' 'a session'
like "$out" 'ok    lease: ' 'and a lease prove it'
sed -i 's|</proxy>|<!-- mine -->&|' "$dmz$LAB_PREFIX/etc/aspera.conf"
status 78 'another address, where somebody has changed the file since, is not written over theirs' setup --yes --inside "$DMZ"
like "$err" 'aspera.conf has another bind_ip_address' 'and it names it'
sed -i 's|<!-- mine -->||' "$dmz$LAB_PREFIX/etc/aspera.conf"

status 0 'undo: exit 0' setup --undo
is "$(on dmz getent passwd transfer_user sallyport-node bear)" '' 'the accounts are gone'
like "$(on dmz "$LAB_PREFIX/bin/asperaproxy" status)" 'stopped=no' 'the proxy is not stopped, as it was not'
ok 'nobody answers people inside' wait_until 10 lab_silent dmz 9092
is "$(on dmz sh -c 'iptables-save; ip6tables-save; nft list tables' | grep -i sallyport)" '' 'no rule is left'
strip() { grep -vE ' /(home/bear|var/lib/sallyport|etc/(sub[ug]id|passwd|group|shadow|gshadow)-?$|opt.*/etc/(ssh_keys|aspera_server_.*|node_users.*)$|etc/ssh/authorized_keys$|etc/.*/\.pwd\.lock)' "$@"; }
ok 'and all files are as they were' diff <(strip "$TMPDIR/bare") <(bare_files | strip)
done_testing
