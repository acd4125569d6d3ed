#!/bin/bash
# asperaproxy setup --direction node: a bare host inside becomes a transfer node, people outside reach it through the
# proxy, and it becomes bare again.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/bare.sh"

lab_up dmz outside inside1
inside1=$(lab_root inside1)
# The proxy is one, and its users have what they need.
LAB_SUITE=yes lab_install_programs "$(lab_root outside)" asp-cp
LAB_SUITE=yes lab_install_suite dmz "$(lab_root dmz)"
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null
on dmz "$LAB_PREFIX/bin/asperaproxy" sudoers > /dev/null
# The server has neither the suite nor accounts.
for user in xfer bobcat; do on inside1 userdel -r "$user" 2> /dev/null; done
rm "$inside1/etc/ssh/sshd_config.d/proxy.conf"
lab_add_user inside1 "$inside1" ops /bin/bash -G sudo
cp "$LAB_DIR/keys/client-bobcat.pub" "$inside1/home/ops/.ssh/authorized_keys"
lab_own "$inside1" ops
lab_sshd inside1 stop && lab_sshd inside1 start
on inside1 make -s -C "$LAB_SOURCE" install "BUILD=$LAB_BUILD" "PREFIX=$LAB_PREFIX" DESTDIR= > "$TMPDIR/install.log" 2>&1 || lab_die "$(cat "$TMPDIR/install.log")"
cp "$LAB_DIR/keys/squash.pub" "$inside1/root/proxy.pub"
setup() { on inside1 timeout 300 asperaproxy setup "$@" < /dev/null; }
files() { on inside1 find /etc /opt /srv /root /home /var/lib/sallyport -xdev -type f -exec sha256sum {} + 2> /dev/null | grep -vE ' /(etc/(sub[ug]id|passwd|group|shadow|gshadow)-?$|home/xfer|var/lib/sallyport/highest)' | sort -k 2; }
options=(--direction node --proxy "$DMZ_LAN" --user xfer --key /root/proxy.pub)

for args in '--proxy x' '--docroot srv' '--docroot /' '--docroot /a/../b' '--docroot /a$b'; do
  # shellcheck disable=SC2086
  status 64 "setup $args: exit 64" setup "${options[@]}" $args --yes
done
status 64 'without the address of the proxy: exit 64' setup --yes --direction node
like "$err" '^asperaproxy: --proxy is needed' 'and it says so'
status 64 'an account without a key: exit 64' setup --yes --direction node --proxy "$DMZ_LAN" --user xfer
files > "$TMPDIR/bare"
status 0 'a dry run' setup --dry-run "${options[@]}"
ok 'changes nothing' diff "$TMPDIR/bare" <(files)
like "$out" '\+ +<absolute>/srv/transfer/\$\(name\)</absolute>' 'shows the docroot'
like "$out" "\+from=\"$DMZ_LAN\",restrict ssh-ed25519 " "and the proxy's key"
unlike "$out" '\+Port' 'and no port of sshd'

status 0 'done: exit 0' setup --yes "${options[@]}" || diag "$out"
like "$out" 'ok    transfer: xfer: a file went into /srv/transfer/xfer, came back, and is deleted' 'and proved by a transfer'
like "$out" "inner +$DMZ_LAN +$INSIDE1 +TCP 22, UDP 33001" 'the ports for firewalls are there'
like "$out" "asperaproxy setup --server $INSIDE1 --squash xfer" 'and what the proxy is to be told'
is "$(on inside1 ls -A /srv/transfer/xfer)" '' 'nothing is left of the trial'
is "$(wc -l < "$inside1/etc/ssh/authorized_keys/xfer")" 1 'nor another key'
nok 'the account is in no other folder' on inside1 runuser -u xfer -- /bin/aspshell -c 'ls /'
files > "$TMPDIR/done"
status 0 'again: exit 0' setup --yes
nok 'and nothing to do' grep -E '^(done|FAIL)' <<< "$out"
ok 'no file changes' diff "$TMPDIR/done" <(files)

head -c 300000 /dev/urandom > "$(lab_root outside)/home/bear/file"
copy() { on outside -u bear timeout 60 asp-cp -P 33001 "$@"; }
status 0 'a partner outside makes a folder' copy --mkdir "bear@$SQUASH:/in"
status 0 'sends a file' copy -q file "bear@$SQUASH:/in/"
ok 'which is in the docroot' cmp "$(lab_root outside)/home/bear/file" "$inside1/srv/transfer/xfer/in/file"
like "$(copy --ls "bear@$SQUASH:/in")" ' file$' 'lists it'
nok 'and gets nowhere else' copy -q "bear@$SQUASH:/../../../etc/passwd" stolen
is "$(on inside1 asperaproxy check)" 'ok    node: serves xfer in their docroots' 'the doctor finds nothing'

on inside1 sh -c "chmod 700 /srv/transfer"
status 1 'where the account cannot enter its docroot, it fails: exit 1' setup --yes
like "$out" 'FAIL  transfer: xfer: ' 'and it says so'
on inside1 chmod 755 /srv/transfer
sed -i 's|</CONF>|<!-- mine -->\n&|' "$inside1$LAB_PREFIX/etc/aspera.conf"
status 78 'another docroot than aspera.conf has by now' setup --yes --docroot /srv/other
like "$err" 'has settings of its own for the group sallyport' 'is not written over it'
sed -i '/<!-- mine -->/d' "$inside1$LAB_PREFIX/etc/aspera.conf"

status 1 'undo: exit 1, since people have files there' setup --undo
like "$err" 'docroot: /usr/bin/rmdir /srv/transfer/xfer: .*not empty' 'and it says so'
is "$(on inside1 getent passwd xfer; on inside1 getent group sallyport)" '' 'the account and the group are gone'
on inside1 rm -r /srv/transfer
ok 'and all files are as they were' diff "$TMPDIR/bare" <(files)
ok 'sshd listens' lab_listens inside1 22
done_testing
