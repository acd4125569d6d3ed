#!/bin/bash
# asp-adduser and asp-deluser: from a public key to a transfer, and back; and what
# a user, or a file that somebody sent, cannot make of it.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
proxy_allow cat
root=$(lab_root dmz)
client=$(lab_root outside)
open=/etc/ssh/authorized_keys
adduser() { on dmz timeout 60 "$LAB_PREFIX/bin/asp-adduser" "$@"; }
deluser() { on dmz timeout 60 "$LAB_PREFIX/bin/asp-deluser" "$@"; }
# A picture of all that could change.
picture() { on dmz bash -c 'cat /etc/{passwd,shadow,group}; find /home /root /etc/ssh/authorized_keys -printf "%p %M %U:%G %s %T@ %l\n" | sort'; }
account() { on dmz getent passwd "$1"; }
login() { on outside -u newt timeout 20 ssh -n -p 33001 "newt@$1" "$2" 2> "$TMPDIR/login"; }
arrived() { grep -q " $1\$" "$TMPDIR/received"; }
send() { on outside timeout 20 python3 "$LAB_LIB/udp.py" send "0.0.0.0:5001" "$INDIVIDUAL:33001" "$1" --wait-reply 1 > /dev/null; }
ended() { ! kill -0 "$1" 2> /dev/null; }

# The partner, on his own machine.
lab_add_user outside "$client" newt /bin/bash
cp "$client/home/bear/.ssh/"{config,known_hosts} "$client/home/newt/.ssh/"
lab_own "$client" newt
on outside -u newt ssh-keygen -q -t ed25519 -N '' -C $'newt\e[31m@laptop "x"' -f /home/newt/.ssh/id_ed25519
pub=$client/home/newt/.ssh/id_ed25519.pub
blob=$(cut -d ' ' -f 2 "$pub")

# From a public key to a transfer --------------------------------------------------------

status 0 'a new account: exit 0' adduser -k - newt < "$pub"
like "$out" '^ssh-ed25519 [A-Za-z0-9+/=]{68} newt@dmz$' 'stdout has the key to install inside, and nothing else'
key=$out
like "$err" "key 256 SHA256:[^ ]+ newt__31m@laptop _x_ \(ED25519\)" 'stderr has the fingerprint of the one that was given, its comment cleaned'
like "$err" 'newt: made the account newt' 'and what was done'
like "$(account newt)" '^newt:x:[0-9]+:[0-9]+::/home/newt:/bin/aspshell$' 'the shell is aspshell'
is "$(on dmz id -nG newt)" 'newt sallyport' 'in the group'
is "$(on dmz getent shadow newt | cut -d: -f 2)" '*' 'no password, and not locked'
is "$(on dmz stat -c '%n %U:%G %a' /home/newt/.ssh{,/id_ed25519,/id_ed25519.pub} | sed 's|/home/newt/||')" \
  '.ssh newt:newt 700
.ssh/id_ed25519 newt:newt 600
.ssh/id_ed25519.pub newt:newt 644' 'files are his, and his alone'
is "$(on dmz ls -A /home/newt/.ssh | xargs)" 'id_ed25519 id_ed25519.pub' 'there are no others'
is "$(cat "$root$open/newt")" "ssh-ed25519 $blob newt__31m@laptop _x_" "the key is in root's directory"
is "$(on dmz stat -c '%n %U:%G %a' $open $open/newt | xargs)" "$open root:root 755 $open/newt root:root 644" "as root's alone, for all to read"
is "$(cat "$root/home/newt/.ssh/id_ed25519.pub")" "$key" 'the key that was printed is that of the pair'

lab_add_user inside1 "$(lab_root inside1)" newt /bin/bash
echo "$key" > "$(lab_root inside1)/home/newt/.ssh/authorized_keys"
lab_own "$(lab_root inside1)" newt
on outside -u newt bash -c 'head -c 300k /dev/urandom > file'
status 0 'installed inside, it is good for a transfer' on outside -u newt timeout 60 asp-cp -P 33001 file "newt@$INDIVIDUAL:/tmp/from-newt"
is "$(sha256sum < "$(lab_root inside1)/tmp/from-newt")" "$(sha256sum < "$client/home/newt/file")" 'which arrives whole'
is "$(on inside1 stat -c %U /tmp/from-newt)" newt "as the user's own"

before=$(picture)
status 0 'a second run: exit 0' adduser -k - newt < "$pub"
is "$out" "$key" 'prints the same key'
like "$err" 'newt: nothing to do$' 'says that all was there'
is "$(picture)" "$before" 'and changes nothing'
status 0 'so does one without a key' adduser newt
is "$out $(picture)" "$key $before" 'the same'

status 0 'several names, without pairs of their own' adduser -s alpha beta
is "$out" '' 'print no key'
is "$(on dmz ls -A /home/alpha/.ssh /home/beta/.ssh | xargs)" '/home/alpha/.ssh: /home/beta/.ssh:' 'and make none'
status 0 'an RSA pair' adduser -t rsa alpha
like "$out" '^ssh-rsa [A-Za-z0-9+/=]{500,} alpha@dmz$' 'for old servers'
on dmz rm /home/alpha/.ssh/id_rsa.pub
status 0 'a public half that is gone' adduser -t rsa alpha
like "$err" 'wrote ~/.ssh/id_rsa.pub anew' 'is written anew'
is "$(cat "$root/home/alpha/.ssh/id_rsa.pub")" "$out" 'from the private one'
printf '# old\nfrom="192.0.2.1" ssh-ed25519 AAAA x' > "$root$open/beta"
status 0 'a file that has other keys, and no newline at its end' adduser -s -k - beta < "$pub"
is "$(wc -l < "$root$open/beta") $(on dmz stat -c %a $open/beta)" '3 644' 'gets a line more'
for damage in "chmod 664 $open/beta" "chown beta $open/beta" "chmod 775 $open" "rm $open/beta; ln -s /home/beta/mine $open/beta"; do
  on dmz sh -c "cp -p $open/beta /root/; $damage"
  status 77 "$damage: exit 77" adduser -s -k - beta < "$client/home/bear/.ssh/id_ed25519.pub"
  on dmz sh -c "chmod 755 $open; rm -f $open/beta; install -m 644 /root/beta $open/beta"
done

# Keys in home directories, from before -----------------------------------------------------

on outside -u newt ssh-keygen -q -t ed25519 -N '' -C added -f /home/newt/.ssh/id_added
added() { on outside -u newt timeout 20 ssh -n -o IdentitiesOnly=yes -i .ssh/id_added -p 33001 "newt@$INDIVIDUAL" cat; }
on dmz -u newt sh -c "cat > .ssh/authorized_keys; cp .ssh/authorized_keys .ssh/authorized_keys2" < "$client/home/newt/.ssh/id_added.pub"
status 255 'a key that code of a user adds at home' added
status 0 'opens nothing; the one that root was given goes on' login "$INDIVIDUAL" cat
printf '%s\n' '# old' "$(sed 's/^/no-pty,environment="A=b c" /' "$client/home/newt/.ssh/id_added.pub")" 'ssh-ed25519 AAAA cut' $'ssh-ed25519 '"$blob"$' \e[31m' 'x' |
  on dmz -u newt sh -c 'cat > .ssh/authorized_keys'
on outside -u newt ssh-keygen -q -t ed25519 -N '' -C other -f /home/newt/.ssh/id_other
sed 's/^/cert-authority /' "$client/home/newt/.ssh/id_other.pub" | on dmz -u newt sh -c 'cat >> .ssh/authorized_keys2'
status 0 '-m takes over what is there' adduser -s -m newt
is "$err" "newt: took over from ~/.ssh, to $open/newt: $(on outside ssh-keygen -lf /home/newt/.ssh/id_added.pub), with no-pty,environment=\"A=b c\"
newt: left in ~/.ssh, since $open/newt has that key with other options: $(on outside ssh-keygen -lf /home/newt/.ssh/id_added.pub)
newt: left in ~/.ssh, since it lets others in: $(on outside ssh-keygen -lf /home/newt/.ssh/id_other.pub), with cert-authority" 'and shows whose fingerprints, and what limits them'
is "$(tail -n +2 "$root$open/newt")" "$(sed 's/^/no-pty,environment="A=b c" /' "$client/home/newt/.ssh/id_added.pub")" 'no limit is undone, and no authority comes in; what is not a key is left out'
status 0 'it opens the account then' added
status 0 'again' adduser -s -m newt
like "$err" '^newt: nothing to do' 'there is nothing to do'
on dmz -u newt rm .ssh/authorized_keys .ssh/authorized_keys2
sample=/etc/ssh/sshd_config.d/sallyport.conf
on dmz sed -i.keep 's/^ *AuthorizedKeysFile/#&/' $sample
status 0 'where sshd reads no such file' adduser -s -k - newt < "$pub"
like "$err" "newt: sshd does not read $open/newt: $LAB_PREFIX/etc/sshd_config.d/sallyport.conf is not in force" 'it is said' ||
  diag "$err"
on dmz mv $sample.keep $sample
cp "$pub" "$root$open/ghost"
status 77 'keys of an account that is gone: exit 77' adduser -s ghost
like "$err" "ghost: $open/ghost is left from an account that is gone: remove it" 'open no new one'
is "$(on dmz getent passwd ghost)" '' 'which is not made'
rm "$root$open/ghost"

# An account that is there already ----------------------------------------------------------

on dmz useradd -m -s /bin/bash -p "$(openssl passwd -6 secret)" clerk
on dmz chmod 775 /home/clerk
status 0 'an account that is there: exit 0' adduser -s -k - clerk < "$pub"
is "$(account clerk | cut -d: -f 7) $(on dmz id -nG clerk) $(on dmz getent shadow clerk | cut -d: -f 2) $(on dmz stat -c %a /home/clerk)" \
  '/bin/aspshell clerk sallyport * 755' 'shell, group, password and rights become those of a proxy user'
is "$(grep -c 'clerk: ' <<< "$err")" 4 'each is said' || diag "$err"
on dmz usermod -L clerk
status 0 'one that was locked' adduser -s clerk
like "$err" 'clerk: unlocked the account, for keys only$' 'is unlocked, and said so'
on dmz usermod --expiredate 2099-01-01 clerk
status 0 'one that will expire some day is none the worse' adduser -s clerk
like "$err" 'nothing to do$' 'and is left so'
on dmz useradd -m -s /bin/bash -G sudo boss
on dmz useradd -r -m robot
on dmz useradd -m -e 2020-01-01 gone
before=$(picture)
for name in root daemon nobody boss robot gone; do
  status 77 "$name must not be one: exit 77" adduser -k - "$name" < "$pub"
  like "$err" "^asp-adduser: key .*
asp-adduser: $name: (cannot be a user of the proxy: it is|the account has expired)" 'says why'
done
for name in -x -- '' . .. ../x a/b a:b 'a b' 12345 $'a\tb' "$(printf 'a%.0s' {1..33})" 'ä' '$(user)'; do
  status 64 "'$name' is not a name: exit 64" adduser -- "$name"
done
status 64 'no name: exit 64' adduser
status 64 'an unknown type' adduser -t dsa x
status 77 'without rights: exit 77' on dmz -u bear "$LAB_PREFIX/bin/asp-adduser" x
is "$(picture)" "$before" 'nothing of this changed anything'

# Public keys that somebody sent ----------------------------------------------------------------

short=$(on dmz bash -c 'ssh-keygen -q -t rsa -b 1024 -N "" -f /tmp/short; cat /tmp/short.pub')
wrong=ssh-rsa" $blob"
{
  cat "$pub"
  printf '%s' "$short"
} > "$TMPDIR/mixed"
on dmz mkfifo /tmp/fifo
on dmz sh -c 'head -c 10M /dev/zero > /tmp/big; printf "x\0y" > /tmp/nul; : > /tmp/empty'
# refused PATTERN NAME FILE-or-- [< KEYS]
refused() {
  status 65 "$2: exit 65" adduser -k "$3" ghost
  like "$err" "^asp-adduser: .*$1" 'says why'
  is "$(wc -l <<< "$err")" 1 'in one line'
}
refused 'options in front' 'a command in front of the key' - <<< "command=\"/bin/sh\",no-pty ssh-ed25519 $blob x"
refused 'options in front' 'an option with a space in quotes' - <<< "environment=\"A=b c\" ssh-ed25519 $blob x"
refused 'options in front' 'cert-authority' - <<< "cert-authority ssh-ed25519 $blob x"
refused 'is not ssh-rsa' 'a key that is not of its type' - <<< "$wrong"
refused 'is not base64' 'a key that is cut off' - <<< "ssh-ed25519 ${blob:0:50} x"
refused 'damaged' 'a key that is cut off between' - <<< "ssh-ed25519 ${blob:0:60} x"
refused 'damaged' 'a key with a line break' - <<< "ssh-ed25519 ${blob:0:40}
${blob:40} x"
refused ':2: RSA key of less than 2048' 'one good key and a short one' - < "$TMPDIR/mixed"
refused 'of a type that is known' 'DSA' - <<< 'ssh-dss AAAAB3NzaC1kc3MAAACBAP x'
refused 'private key' 'the private half' - < "$client/home/newt/.ssh/id_ed25519"
refused 'of a type that is known' 'garbage' - <<< $'\e]0;owned\a'
unlike "$err" $'\e' 'escaped'
refused 'no public key in it' 'nothing' /tmp/empty
refused 'NUL byte' 'a NUL byte' /tmp/nul
refused 'more than 65536 bytes' 'a file of 10 MB' /tmp/big
refused 'more than 65536 bytes' '10 MB on stdin' - < "$root/tmp/big"
refused 'is not a file' 'a FIFO' /tmp/fifo
refused 'is not a file' 'a directory' /tmp
refused 'No such file' 'a file that is not there' /nowhere
is "$(picture)" "$before" 'nothing of this made an account'

# What a user may have prepared -----------------------------------------------------------------

on dmz bash -c 'mkdir /root/.ssh; echo precious > /root/.ssh/authorized_keys; ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/id_ed25519'
useradd_lured() { on dmz useradd -m -s /bin/aspshell -G sallyport -p '*' "$1" && on dmz -u "$1" mkdir -m 700 "/home/$1/.ssh"; }
# lured NAME PATTERN WHAT: asp-adduser is told no, and nothing else of the host changes
lured() {
  local before options=${4-"-k -"}
  before=$(on dmz sh -c "sha256sum /root/.ssh/* /etc/shadow; stat -c '%n %a %U' /root/.ssh /root/.ssh/* /etc/shadow")
  # shellcheck disable=SC2086  # words
  status 77 "$3: exit 77" adduser $options "$1" < "$pub"
  like "$err" "asp-adduser: $1: .*$2" 'says what is wrong'
  is "$out" '' 'prints no key'
  is "$(on dmz sh -c "sha256sum /root/.ssh/* /etc/shadow; stat -c '%n %a %U' /root/.ssh /root/.ssh/* /etc/shadow")" "$before" "and touches nothing of root's"
}
useradd_lured l1 && on dmz -u l1 sh -c 'rmdir .ssh; ln -s /root/.ssh .ssh'
lured l1 '~/.ssh: must be a directory' "~/.ssh is a link to root's"
useradd_lured l2 && on dmz -u l2 ln -s /etc/shadow .ssh/authorized_keys
lured l2 'authorized_keys: is a symbolic link' 'authorized_keys is a link to /etc/shadow' '-s -m'
useradd_lured l3 && on dmz -u l3 ln -s /root/.ssh/id_ed25519 .ssh/id_ed25519
lured l3 'id_ed25519: is a symbolic link' "the key is a link to root's"
useradd_lured l4 && on dmz -u l4 mkfifo .ssh/authorized_keys
lured l4 'authorized_keys: is not a file' 'authorized_keys is a pipe' -m
useradd_lured l5 && on dmz sh -c 'chown root: /home/l5; chmod 755 /home/l5'
lured l5 'home directory: belongs to somebody else' "the home directory is root's"
on dmz chmod 700 /home/l5
lured l5 'home directory: chdir /home/l5: Permission denied' 'and closed'
useradd_lured l6 && on dmz sh -c 'echo x > /home/l6/.ssh/authorized_keys'
lured l6 "authorized_keys: is not a file of the user's own" "authorized_keys is root's" -m
useradd_lured l7 && on dmz -u l7 sh -c 'ln -s /root/.ssh/id_ed25519.pub .ssh/id_ed25519.pub; ln -s /root/.ssh/authorized_keys .ssh/.authorized_keys.1'
status 0 'a public half that is a link' adduser -s -k - l7 < "$pub"
status 0 'is replaced' adduser l7
is "$(on dmz readlink /home/l7/.ssh/id_ed25519.pub)$(cat "$root/home/l7/.ssh/id_ed25519.pub")" "$out" 'and not followed'
on dmz -u l7 ssh-keygen -q -p -P '' -N secret -f /home/l7/.ssh/id_ed25519 > /dev/null
status 71 'a pair with a passphrase: exit 71' adduser l7
like "$err" 'has a passphrase' 'says so'

# Nothing half done ---------------------------------------------------------------------------------

before=$(picture)
on dmz ln -s /root/.ssh /etc/skel/.ssh
status 77 'a new account that cannot be finished: exit 77' adduser -k - ghost < "$pub"
is "$(on dmz sh -c 'getent passwd ghost; getent group ghost; ls -d /home/ghost' 2> /dev/null)" '' 'is taken away again'
on dmz rm /etc/skel/.ssh
on dmz install -d -o bear /home/ghost
status 77 "somebody else's home directory: exit 77" adduser ghost
is "$(on dmz sh -c 'getent passwd ghost; stat -c %U /home/ghost')" bear 'is left alone, and there is no account'
on dmz rmdir /home/ghost
is "$(picture | grep -v '^/home [^ ]* \|^/root ')" "$(grep -v '^/home [^ ]* \|^/root ' <<< "$before")" 'all is as before'

# And back ------------------------------------------------------------------------------------------

lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"
proxy_session live outside newt "$INDIVIDUAL" cat
proxy_session other outside bear "$SQUASH" cat
send first
ok '(data flows)' arrived first
id=$(on dmz id -u newt)
status 0 'asp-deluser: exit 0' deluser newt
is "$out" '' 'nothing on stdout'
like "$err" '^newt: removed; /home/newt stays$' 'says what it did'
is "$(account newt)$(on dmz getent shadow newt)$(on dmz getent group newt)" '' 'the account is gone'
unlike "$(on dmz getent group sallyport)" newt 'the group does not know it'
is "$(proxy_rules)" 1 "its rule is gone, another's is not"
is "$(lab_pids dmz ascp_rproxy | wc -l)" 1 'and so are its processes'
ok 'the client is told' wait_until 5 ended "${proxy_pid[live]}"
proxy_end live
ok 'by a failure' test "$proxy_status" -ne 0
send ghost
nok 'a packet sent afterwards does not arrive' arrived ghost
nok 'nobody can log in' login "$INDIVIDUAL" cat
proxy_end other
is "$proxy_status" 0 'another session went on to its end'
is "$(on dmz ls -A /home/newt/.ssh | xargs)" 'id_ed25519 id_ed25519.pub' 'the home directory stays'
nok 'without the keys that opened it' on dmz test -e $open/newt
status 0 'a second run: exit 0' deluser newt
is "$err" 'newt: no such account' 'says so'

status 0 'the account, made anew' adduser newt
is "$out" "$key" 'has its old pair'
is "$(on dmz stat -c '%U %u' /home/newt)" "newt $id" 'and its old number'
nok 'but not its old key' login "$INDIVIDUAL" cat
status 0 'which has to be given again' adduser -k - newt < "$pub"
status 0 'to log in' login "$INDIVIDUAL" cat
status 0 'with -r' deluser -r newt
nok 'the home directory goes, too' on dmz test -e /home/newt
nok 'and so do the keys' on dmz test -e $open/newt

# "Removed" is true: whatever a user's processes have made of themselves ---------------------------

# hides NAME COMMAND...: one that COMMAND left running, as l1, ends with the account.
hides() {
  local name=$1
  shift
  status 0 "($name: an account)" adduser -s l1
  uid=$(on dmz id -u l1)
  on_exec dmz -u l1 "$@" < /dev/null > /dev/null 2>&1 &
  ok "($name: runs)" wait_until 10 lives
  status 0 "$name: the account goes" deluser -r l1
  nok 'and the process with it' lives
  is "$(on dmz getent passwd l1)" '' 'nobody has the name'
}
lives() { [ -n "$(pgrep -f "^$mark")" ]; }
deluser -r l1
mark=sleep.4711$$
stay="exec -a $mark sleep 1000"
hides 'a process' bash -c "$stay"
hides 'one that SIGTERM does not end' bash -c "trap '' TERM; $stay"
hides 'of another session, stopped' setsid bash -c "($stay) & until grep -q ^$mark /proc/\$!/cmdline; do :; done; kill -STOP \$!; wait"
hides 'in a root directory of its own' unshare -Ur /usr/sbin/chroot /usr /bin/bash -c "$stay"
hides 'in namespaces of every kind' unshare -UrmpfinuCT --kill-child bash -c "$stay"
hides 'in a namespace within one' unshare -Ur unshare -Ur /usr/sbin/chroot /usr /bin/bash -c "$stay"
hides 'that forks faster than it is found' bash -c "exec -a $mark python3 -c '
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    if os.fork(): os._exit(0)'"
# As newuidmap(1) would: a number of /etc/subuid in the user's own namespace.
status 0 '(an account)' adduser -s l1
uid=$(on dmz id -u l1)
on_exec dmz -u l1 unshare -U sleep 1000 < /dev/null > /dev/null 2>&1 &
maker=$!
mapped() {
  cat > "/proc/$maker/uid_map" <<< "0 $uid 1
1 700000 1" && echo 1 700000 1 > "/proc/$maker/gid_map"
}
ok '(a namespace of its own)' wait_until 10 eval 'mapped 2> /dev/null || grep -q 700000 /proc/$maker/uid_map'
nsenter -t "$maker" -U --setuid 1 --setgid 1 bash -c "$stay" < /dev/null > /dev/null 2>&1 &
ok '(a process with another number in it)' wait_until 10 lives
is "$(ps -o uid= -p "$(pgrep -f "$mark")" | xargs)" 700000 '(so it is)'
status 0 'of another number, in a namespace of the user: the account goes' deluser -r l1
nok 'and the process with it' lives

# What root has put into a container, or another host of the lab, is not the user's doing.
status 0 '(an account)' adduser -s l1
uid=$(on dmz id -u l1)
on_exec outside setpriv --reuid "$uid" --clear-groups sleep 1000 < /dev/null > /dev/null 2>&1 &
elsewhere=$!
ok '(a process of its number, elsewhere)' wait_until 10 eval '[ "$(ps -o uid= -p "$elsewhere" | xargs)" = "$uid" ]'
status 71 "root's container has a process of that number: exit 71" deluser l1
like "$err" "^asp-deluser: l1: the account is shut, but not removed: process $elsewhere \(sleep\), which has the account's uid, is in a container" 'says which'
is "$(on dmz getent shadow l1 | cut -d: -f 8)" 1 'the account is there, and shut'
nok 'the process goes on' ended "$elsewhere"
kill "$elsewhere"
wait "$elsewhere"
status 0 'once it has ended' deluser -r l1
is "$(on dmz getent passwd l1)" '' 'the account goes'

# Whatever else would start by itself, or wait for the next of that name or number.
status 0 '(an account)' adduser -s l1
old=$(on dmz id -u l1)
on dmz sh -c 'mkdir -p /var/spool/cron/crontabs /var/spool/cron/atjobs /var/lib/systemd/linger
  echo "* * * * * touch /tmp/again" > /var/spool/cron/crontabs/l1; : > /var/lib/systemd/linger/l1; : > /var/lib/systemd/linger/l2
  echo touch /tmp/again > /var/spool/cron/atjobs/a000; : > /var/spool/cron/atjobs/a001; chown l1 /var/spool/cron/crontabs/l1 /var/spool/cron/atjobs/a000'
on dmz -u l1 sh -c 'ipcmk -M 4096 -S 1 -Q; echo x > /dev/shm/l1; cp /dev/null .ssh/authorized_keys2' > /dev/null
status 0 'one who left much behind' deluser l1
is "$(on dmz ls -A /var/spool/cron/crontabs /var/spool/cron/atjobs /var/lib/systemd/linger | xargs)" \
  '/var/lib/systemd/linger: l2 /var/spool/cron/atjobs: a001 /var/spool/cron/crontabs:' 'leaves no crontab, no job and no lingering'
is "$(on dmz ipcs -c | awk -v uid="$old" '$3 == uid || $3 == "l1"')$(on dmz find /dev/shm -uid "$old")" '' 'and nothing in memory'
is "$(on dmz ls -A /home/l1/.ssh)" '' 'and none of the files with keys that sshd reads'
on dmz rm -r /home/l1
status 0 'the next account' adduser -s l8
ok 'has a number that nobody had' test "$(on dmz id -u l8)" -gt "$old"
is "$(on dmz sh -c 'cat /etc/subuid /etc/subgid 2> /dev/null' | grep -c l8:)" 0 'and none in /etc/subuid'
status 0 '(it goes)' deluser -r l8
status 0 'and the next again' adduser -s l1
ok 'has another' test "$(on dmz id -u l1)" -gt "$((old + 1))"
status 0 '(an end)' deluser -r l1 l2
is "$(on dmz cat /root/.ssh/authorized_keys)" precious 'where a link of his led, all is well'
status 0 'a home with a link for ~/.ssh, kept' deluser l3

before=$(picture)
for name in root daemon nobody boss robot mallory xfer; do
  account "$name" > /dev/null || on dmz useradd -m "$name"
done
before=$(picture)
for name in root daemon nobody boss robot mallory xfer; do
  status 77 "$name is not a user of the proxy: exit 77" deluser -r "$name"
done
status 64 'no name: exit 64' deluser
status 64 'a name that is none: exit 64' deluser -r ../x
status 77 'without rights: exit 77' on dmz -u bear "$LAB_PREFIX/bin/asp-deluser" bear
is "$(picture)" "$before" 'and nothing has changed'
done_testing
