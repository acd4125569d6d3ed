#!/bin/bash
# asp-check.sh against a proxy host that is as INSTALL makes it, and then with one
# weakness at a time: it finds that one, no other, and nothing once it is gone.
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"

lab_up dmz
dmz=$(lab_root dmz)
prefix=$LAB_PREFIX
check=$prefix/bin/asp-check.sh

# --- judging ------------------------------------------------------------------------

# findings: of the JSON in $out: "CHECK KIND SUBJECT" a line, sorted.
findings() {
  python3 -c '
import json, sys
for f in sorted((f["check"], *("user" if "user" in f else "file",) , f.get("user", f.get("file"))) for f in json.loads(sys.stdin.buffer.read())["findings"]):
    print(ascii(" ".join(f))[1:-1])' <<< "$out"
}

# finds NAME FINDING...: those, no others, and exit 1.
finds() {
  local name=$1
  shift
  capture on dmz "$check" --json
  is "$code: $(findings)" "1: $(printf '%s\n' "$@" | sort)" "$name" || diag "$out" "$err"
}

# clean NAME: nothing is found.
clean() {
  capture on dmz "$check" --json
  is "$code: $(findings)" '0: ' "$1" || diag "$out" "$err"
}

# says PATTERN NAME: one of the findings of the last run.
says() { like "$out" "$1" "$2"; }

# --- planting -------------------------------------------------------------------------

ssh_etc=$dmz/etc/ssh
# planted: what comes before all other settings of sshd, from stdin; for_bear: in a Match block.
planted() { cat > "$ssh_etc/sshd_config.d/00-planted.conf"; }
for_bear() { { echo 'Match User bear'; printf '  %s\n' "$@"; echo 'Match all'; } | planted; }
# sshd's defaults are to speak where a Match block of ours says nothing, so of
# the sample's two bars against each kind of forwarding only the one stays.
sed -i '/^ *Allow\(Tcp\|StreamLocal\)Forwarding/d' "$ssh_etc/sshd_config.d/sallyport.conf"
gone() { rm -f "$ssh_etc/sshd_config.d/00-planted.conf"; }
# opened MODE PATH: gives it another mode; closed gives it back.
opened() {
  opened_path=$dmz$2
  opened_mode=$(stat -c %a "$opened_path")
  chmod "$1" "$opened_path"
}
closed() { chmod "$opened_mode" "$opened_path"; }
# docroot PATH [USER]: for a user, or for all.
docroot() {
  local paths="<file_system><access><paths><path><absolute>$1</absolute></path></paths></access></file_system>"
  if [ -n "${2-}" ]; then
    paths="<aaa><realms><realm><users><user><name>$2</name>$paths</user></users></realm></realms></aaa>"
  else
    paths="<default>$paths</default>"
  fi
  { lab_guide_config | sed '$d' && printf '%s</CONF>\n' "$paths"; } | lab_config
}
no_docroot() { lab_guide_config | lab_config; }

# The system's accounts are many, and do not matter here.
sed -i -nE '/^(root|nobody|sshd|bear|bobcat|mallory):/p' "$dmz/etc/passwd"

# --- usage ------------------------------------------------------------------------------

for args in -x --jsn '-v now' -vv; do
  # shellcheck disable=SC2086
  status 64 "asp-check.sh $args: exit 64" on dmz "$check" $args
  like "$err" '^asp-check.sh: .*usage: asp-check.sh' 'the usage'
  is "$out" '' 'and nothing on stdout'
done
status 77 'without rights: exit 77' on dmz -u bear "$check"
like "$err" 'run it as root, or with sudo$' 'says what it needs'

# --- a proxy as it should be ---------------------------------------------------------------

# The lab's mallory is one who has broken out.
finds 'who has a shell is found' 'no_restricted_shell user mallory'
on dmz userdel -r mallory 2> /dev/null
sed -i '/^Match User mallory/,/^Match all/d' "$ssh_etc/sshd_config"

touch "$TMPDIR/before"
status 0 'nothing insecure: exit 0' on dmz "$check"
is "$(sed 's/^\(Users with full access: \)[1-9][0-9]*/\1N/' <<< "$out" | head -6)" \
  'Users with full access: N (not considered insecure)
Restricted users: 2
Insecure users: 0
- no restricted shell (aspshell): 0
- docroot above home directory: 0
- ssh tunneling enabled: 0' "the guide's lines"
is "$(grep -vc ': 0$' <<< "$out")" 2 'every check says 0, and there are no findings'
is "$err" '' 'nothing on stderr'
status 0 'with --verbose' on dmz "$check" --verbose
like "$out" $'\nroot: full access\n' 'lists root'
like "$out" $'\nbear: restricted\n' 'lists bear'
like "$out" $'\nnobody: no login\n' 'lists those that cannot log in'
status 0 'with both' on dmz "$check" -v --json
is "$(python3 -c '
import json, sys
j = json.load(sys.stdin)
print(j["secure"], j["restricted"], j["insecure"], sum(j["checks"].values()), j["findings"])
print(*(u["class"] for u in j["users"] if u["name"] in ("root", "bear")))' <<< "$out")" 'True 2 0 0 []
full access restricted' 'JSON says the same'
status 74 'no room for the answer: exit 74' on dmz sh -c "$check > /dev/full"
# The machine's own files show through.
is "$(find "$dmz"/{home,etc,opt,root,usr/bin} -newer "$TMPDIR/before" -print)" '' 'it has changed nothing'

# --- no restricted shell ----------------------------------------------------------------------

on dmz usermod -s /bin/bash bear
clean 'another shell, but a forced aspshell: fine'
for_bear 'ForceCommand none'
finds 'another shell, nothing forced' 'no_restricted_shell user bear'
says '/bin/bash \(really /usr/bin/bash\)' 'says which'
status 1 'as text: exit 1' on dmz "$check" -v
like "$out" $'\nInsecure users: 1\n- no restricted shell \\(aspshell\\): 1\n- docroot' 'counts it where the guide does'
like "$out" $'\nbear: insecure\n' 'and calls him insecure'
like "$out" $'\nFindings:\nuser bear: its shell is .* Cure: chsh -s /bin/aspshell' 'with the cure'
for_bear "ForceCommand /bin/bash"
finds 'another command forced' 'no_restricted_shell user bear'
on dmz usermod -s /bin/aspshell bear
for_bear 'ForceCommand none'
clean 'aspshell, nothing forced: fine'
ln -sfn bash "$dmz/usr/bin/aspshell"
finds 'aspshell is a link to another shell' 'no_restricted_shell user bear'
ln -sfn "$prefix/bin/aspshell" "$dmz/usr/bin/aspshell"
on dmz usermod -s /usr/sbin/nologin bear
clean 'no login: fine'
printf 'Match LocalPort 22 User bear\n DisableForwarding no\n AllowStreamLocalForwarding no\nMatch all\n' | planted
finds 'but he can have tunnels' 'ssh_tunneling user bear'
gone
on dmz usermod -s /bin/aspshell bear

# --- docroots -------------------------------------------------------------------------------

docroot '/srv/$(name)'
capture on dmz "$check" -v
like "$out" $'\nroot: full access\n' "a docroot for all is not root's"
docroot '/srv/$(name)' bear
clean 'a docroot elsewhere: fine'
capture on dmz "$check"
like "$out" $'\nDocroots that nothing on this host enforces, but internal servers may: 1$' 'but nothing on a proxy enforces it, which is said'
is "$(on dmz "$check" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["docroots_elsewhere"])')" 1 'in JSON, too'
docroot '/home/$(name)/data' bear
clean 'a docroot below the home: fine'
for path in '/home/$(name)' /home / '/home/$(name)/.ssh/keys'; do
  docroot "$path" bear
  finds "docroot $path" 'docroot_above_home user bear'
done
# node RIGHTS [CONFINEMENT]: bear is served on this host, in his home.
node() {
  { lab_guide_config | sed '$d'
    printf '%s' "<aaa><realms><realm><users><user><name>bear</name><file_system><access><role>node</role>${2-}<paths><path><absolute>/home/bear</absolute>$1</path></paths></access></file_system></user></users></realm></realms></aaa></CONF>"
  } | lab_config
}
node ''
finds 'on a node: a docroot that is the home' 'docroot_above_home user bear'
capture on dmz "$check"
unlike "$out" 'nothing on this host enforces' 'which this host enforces'
node '<write_allowed>false</write_allowed>'
finds 'where keys can be read' 'docroot_above_home user bear'
node '<read_allowed>false</read_allowed><write_allowed>false</write_allowed>'
clean 'where they can be neither read nor written: fine'
node '<read_allowed>false</read_allowed><write_allowed>false</write_allowed>' '<confinement>if_possible</confinement>'
clean 'a kernel with Landlock confines, whatever else would do: fine'
old_kernel() { "$LAB_LIB/without-syscall.py" 444 nsenter -t "$(cat "$LAB_DIR/hosts/dmz")" -m -u -n -- "$@"; }
is "$(old_kernel "$check" --json | python3 -c 'import json,sys; print(*sorted(f["check"] for f in json.load(sys.stdin)["findings"] if f.get("user") == "bear"))')" \
  'docroot_above_home docroot_unconfined' 'one without it does not'
node ''
is "$(old_kernel "$check" --json | python3 -c 'import json,sys; print(*sorted(f["check"] for f in json.load(sys.stdin)["findings"] if f.get("user") == "bear"))')" \
  docroot_above_home 'and where confinement is required, nothing is run'
ln -s ../home "$dmz/srv/safe"
docroot '/srv/safe/$(name)' bear
finds 'docroot that a link leads home' 'docroot_above_home user bear'
says 'the docroot /home/bear reaches' 'says where it leads'
rm "$dmz/srv/safe"
ln -s / "$dmz/srv/it's \"a\\l\" côté"
docroot "/srv/it's \"a\\l\" côté/home" bear
finds 'docroot with quotes, blanks and letters' 'docroot_above_home user bear'
rm "$dmz/srv/it's \"a\\l\" côté"
install -d "$dmz/srv/côté \"a\\x41"
printf 'mary:*:4710:%s::/srv/côté "a\\x41/mary:/bin/aspshell\n' "$(on dmz getent group sallyport | cut -d : -f 3)" >> "$dmz/etc/passwd"
docroot '/srv/côté "a\x41' mary
finds 'and where nothing is a link' 'docroot_above_home user mary'
sed -i '$d' "$dmz/etc/passwd"
on dmz useradd -m -s /bin/bash -p '*' carol
docroot /srv carol
capture on dmz "$check" --json
like "$(findings)" $'no_restricted_shell user carol\n.*ssh_tunneling user carol' 'an account with a docroot is restricted, and judged'
unlike "$(findings)" 'keys_at_home' 'but for the place of its keys, where everybody has them'
on dmz usermod -aG sudo carol
capture on dmz "$check"
like "$out" 'user carol: has a docroot, and is a member of the group sudo.* Cure: in aspera.conf, give docroots to a <group>' "an administrator's docroot is what is wrong"
unlike "$out" 'Cure: .*carol' 'and nothing takes the shell or the group away'
on dmz gpasswd -d carol sudo > /dev/null
no_docroot
clean 'without one it has full access'
on dmz userdel -r carol 2> /dev/null

# --- tunnels ----------------------------------------------------------------------------------

for_bear 'DisableForwarding no' 'AllowStreamLocalForwarding no'
finds 'AllowTcpForwarding' 'ssh_tunneling user bear'
for_bear 'DisableForwarding no' 'AllowStreamLocalForwarding no' 'PermitOpen none'
finds 'without PermitOpen, but with PermitListen' 'ssh_tunneling user bear'
for_bear 'DisableForwarding no' 'AllowStreamLocalForwarding no' 'PermitOpen none' 'PermitListen none'
clean 'neither: fine'
for_bear 'PermitTunnel point-to-point'
finds 'PermitTunnel, which DisableForwarding leaves on' 'ssh_tunneling user bear'
for criterion in 'LocalPort 22' 'LocalPort 33001' 'Address 203.0.113.0/24' 'Host *.example.net' 'Address=2001:db8::/32' \
  "LocalAddress $INDIVIDUAL" "Address 10.1.*,!10.1.2.3 LocalPort 22" "Group sallyport User bear"; do
  printf '%s\n' "Match User bear $criterion" ' DisableForwarding no' ' AllowStreamLocalForwarding no' 'Match all' | planted
  finds "where Match has $criterion" 'ssh_tunneling user bear'
done
gone

# --- other forwarding, sftp, environment -----------------------------------------------------------

for_bear 'DisableForwarding no' 'AllowTcpForwarding no'
finds 'stream-local forwarding' 'streamlocal_forwarding user bear'
for_bear 'DisableForwarding no' 'AllowTcpForwarding no' 'AllowStreamLocalForwarding no' 'AllowAgentForwarding yes'
finds 'agent forwarding' 'agent_forwarding user bear'
for_bear 'DisableForwarding no' 'AllowTcpForwarding no' 'AllowStreamLocalForwarding no' 'X11Forwarding yes'
finds 'X11 forwarding' 'x11_forwarding user bear'
for_bear 'AllowAgentForwarding yes' 'X11Forwarding yes'
clean 'DisableForwarding covers both, as mended by Debian'

sed -i 's|^Subsystem.*|Subsystem sftp internal-sftp -l INFO|' "$ssh_etc/sshd_config"
gone
clean 'internal-sftp, but a forced command: fine'
for_bear 'ForceCommand none'
finds 'internal-sftp, nothing forced' 'sftp user bear'
sed -i 's|^Subsystem.*|Subsystem sftp /usr/lib/openssh/sftp-server|' "$ssh_etc/sshd_config"
for_bear 'ForceCommand internal-sftp'
finds 'internal-sftp forced' 'sftp user bear'

echo 'PermitUserEnvironment yes' | planted
finds 'PermitUserEnvironment' 'environment user bear' 'environment user bobcat'
for_bear 'AcceptEnv LANG LC_* ASPERA_HOST'
clean 'AcceptEnv of what is harmless: fine'
for_bear 'AcceptEnv LANG LD_*'
finds 'AcceptEnv LD_*' 'environment user bear'
gone

# --- sudo ------------------------------------------------------------------------------------------

grant() { printf '%s\n' "$@" > "$dmz/etc/sudoers.d/planted"; chmod 440 "$dmz/etc/sudoers.d/planted"; }
for group in docker lxd libvirt; do
  on dmz sh -c "groupadd -f $group; usermod -aG $group bear"
  finds "the group $group" 'sudo user bear'
  says "member of the group $group, whose members can become root" 'with its name'
  on dmz sh -c "gpasswd -d bear $group; groupdel $group" > /dev/null
done
grant 'bear ALL = NOPASSWD: /sbin/iptables-restore'
finds "the guide's grant of iptables-restore" 'sudo user bear'
says 'iptables-restore.*gives away the whole firewall' 'with its cure'
grant "bear ALL = (root) NOPASSWD: $prefix/libexec/asp-pinhole"
finds 'asp-pinhole with any arguments' 'sudo user bear'
grant "bear ALL = (root) NOPASSWD: SETENV: $prefix/libexec/asp-pinhole \"\""
finds 'asp-pinhole with any environment' 'sudo user bear'
long="/usr/bin/cat $(printf '/var/log/%s ' one two three four five six seven eight nine ten eleven twelve)"
grant "bear ALL = (root) $long"
finds 'a long grant is one' 'sudo user bear'
cat > "$dmz/tmp/narrow" << END
stty cols 30
exec $check
END
status 1 'on a narrow terminal' on dmz script -qec 'sh /tmp/narrow' /dev/null
is "$(grep -c '^user bear: ' <<< "$out")" 1 'it is one, too'
like "$out" "sudo grants \\(root\\) ${long% }\\. Cure:" 'and whole'
rm "$dmz/etc/sudoers.d/planted" "$dmz/tmp/narrow"
on dmz groupadd -f admins
on dmz gpasswd -a bear admins > /dev/null
grant '%admins ALL = ALL'
finds 'rights through another group' 'sudo user bear'
on dmz gpasswd -d bear admins > /dev/null
clean 'which end with it'
rm "$dmz/etc/sudoers.d/planted"

# --- private keys --------------------------------------------------------------------------------------

clean 'the squash key for the group, to begin with: fine'
for mode in 644 660; do
  opened $mode "$prefix/etc/ssh_keys/id_ed25519"
  finds "the squash key with mode $mode" "private_keys file $prefix/etc/ssh_keys/id_ed25519"
  closed
done
opened 640 /home/bear/.ssh/id_ed25519
finds "a user's key for his group" 'private_keys user bear'
closed
install -m 644 "$dmz/home/bear/.ssh/id_ed25519" "$dmz/home/bear/.ssh/id_other"
finds 'a further key of his' 'private_keys user bear'
rm "$dmz/home/bear/.ssh/id_other"
install -d "$dmz/srv/keys"
install -m 604 "$dmz/home/bear/.ssh/id_ed25519" "$dmz/srv/keys/bobcat"
lab_guide_config | sed 's|/home/$(user)/.ssh/id_ed25519|/srv/keys/$(user)|' | lab_config
finds "a rule's key, by the user's name" 'private_keys user bobcat'
no_docroot
on dmz ssh-keygen -q -t ecdsa -N '' -f /etc/ssh/ssh_host_ecdsa_key
echo 'HostKey /etc/ssh/ssh_host_ecdsa_key' >> "$ssh_etc/sshd_config"
clean 'another host key'
opened 644 /etc/ssh/ssh_host_ecdsa_key
finds 'a host key for everybody' 'private_keys file /etc/ssh/ssh_host_ecdsa_key'
closed

# --- writable files ---------------------------------------------------------------------------------------

for path in /etc/cron.d/sallyport "$prefix/etc/known_hosts" "$prefix/etc/aspera.conf" "$prefix/libexec/asp-pinhole" "$prefix/bin" \
  /opt/aspera /etc/ssh/sshd_config.d/sallyport.conf /etc/ssh/sshd_config.d /etc/sudoers.d; do
  opened g+w "$path"
  finds "$path for its group" "writable file $path"
  closed
done
lab_guide_config | sed 's|<rproxy>|&<known_hosts>/srv/known</known_hosts>|' | lab_config
install -m 666 /dev/null "$dmz/srv/known"
finds 'known_hosts where aspera.conf has it' 'writable file /srv/known'
no_docroot
opened 1777 "$prefix/etc"
finds 'a sticky folder with configuration' "writable file $prefix/etc"
closed
chown "$(on dmz id -u bear)" "$dmz/opt"
finds 'a folder above that is not root'\''s' 'writable file /opt'
chown 0 "$dmz/opt"
for path in /home/bear /home/bear/.ssh /etc/ssh/authorized_keys/bear; do
  opened o+w "$path"
  finds "$path for everybody" 'writable user bear'
  closed
done
for owner in bobcat bear; do
  chown "$(on dmz id -u $owner)" "$dmz/etc/ssh/authorized_keys/bear"
  finds "authorized_keys of bear's are $owner's" 'writable user bear'
done
chown 0 "$dmz/etc/ssh/authorized_keys/bear"
opened g+w /etc/ssh/authorized_keys
finds 'their directory for its group' 'writable file /etc/ssh/authorized_keys'
closed
for_bear 'AuthorizedKeysFile /etc/ssh/authorized_keys/%u .ssh/authorized_keys2'
finds 'keys of the home directory, too' 'keys_at_home user bear'
says 'sshd takes keys from /home/bear/.ssh/authorized_keys2, where' 'which are named'
gone
echo 'StrictModes no' | planted
finds 'StrictModes no' 'writable user bear' 'writable user bobcat'
gone

# --- sshd's version -----------------------------------------------------------------------------------------

version=$(on dmz dpkg-query -W -f '${Version}' openssh-server)
log=$dmz/usr/share/doc/openssh-server/changelog.Debian.gz
# What is judged is Debian 12's, whichever is here: what its programs say of themselves,
# beside the version of the package.
names_itself() {  # PROGRAM VERSION
  mv "$dmz$1" "$dmz$1.real"
  printf '#!/bin/sh\n[ "$1" != -V ] || { echo "%s, OpenSSL 3.0.11 19 Sep 2023" >&2; exit 0; }\nexec %s.real "$@"\n' "$2" "$1" > "$dmz$1"
  chmod 755 "$dmz$1"
}
packaged() {
  sed -i "/^Package: openssh-server\$/,/^\$/s/^Version: .*/Version: $1/" "$dmz/var/lib/dpkg/status"
}
if [ -e "$log" ]; then
  mv "$log" "$dmz/tmp/log.gz"
else
  mkdir -p "${log%/*}"
  gzip > "$dmz/tmp/log.gz" <<< '* CVE-2023-48795 CVE-2025-32728: mended'
fi
clean 'mended by version'
names_itself /usr/sbin/sshd OpenSSH_9.2
names_itself /usr/bin/ssh 'OpenSSH_9.2p1 Debian-2'
packaged '1:9.2p1-2+deb12u2'
finds 'a Debian package before its fix' 'sshd_version file /usr/sbin/sshd'
says 'CVE-2024-6387.*a warning, not proof' 'says which, and how sure it is'
packaged '1:9.2p1-2+deb12u1'
finds 'before two fixes' 'sshd_version file /usr/sbin/sshd' 'sshd_version file /usr/sbin/sshd'
packaged '1:9.2p1-2local1'
cp "$dmz/tmp/log.gz" "$log"
finds 'those that the change log names do not count' 'sshd_version file /usr/sbin/sshd'
says 'CVE-2024-6387' 'the other does'
rm "$log"
packaged '1:9.2p1-2+deb12u5'
for_bear 'AllowAgentForwarding yes'
finds 'DisableForwarding before its fix: agent' 'agent_forwarding user bear'
for_bear 'X11Forwarding yes'
finds 'and X11' 'x11_forwarding user bear'
says 'CVE-2025-32728' 'says why'
gone
clean 'but not where they are off'
packaged "$version"
mv "$dmz/usr/sbin/sshd.real" "$dmz/usr/sbin/sshd"
mv "$dmz/usr/bin/ssh.real" "$dmz/usr/bin/ssh"

# --- what does not answer ---------------------------------------------------------------------------------------

echo '<CONF><server></CONF>' | lab_config
finds 'aspera.conf is broken' "not_judged file $prefix/etc/aspera.conf"
no_docroot
opened o+w /etc/sudoers
finds 'sudo refuses' 'writable file /etc/sudoers' 'not_judged user bear' 'not_judged user bobcat'
closed
echo 'NoSuchKeyword yes' | planted
status 71 'sshd cannot be asked: exit 71' on dmz "$check"
like "$err" '^asp-check.sh: ask sshd .*00-planted.conf' 'with its own words'
is "$out" '' 'and nothing on stdout'
gone

# --- hostile names -----------------------------------------------------------------------------------------------------

group=$(on dmz getent group sallyport | cut -d : -f 3)
home=$'/home/a b\'"$(touch ${IFS}pwned)`touch /pwned`;*\e]0;x\a'
name=$'ev il$(touch /pwned)\e[31m*'
printf '%s:*:4711:%s::%s:/bin/aspshell\n' "$name" "$group" "$home" >> "$dmz/etc/passwd"
install -d -m 700 -o 4711 -g "$group" "$dmz$home" "$dmz$home/.ssh"
capture on dmz "$check" -v
is "$code" 0 'a hostile name and home: judged, and nothing found' || diag "$out"
like "$out" $'\nev il\\$\\(touch /pwned\\)\\\\x1b\\[31m\\*: restricted' 'the name is shown escaped'
key=$'id_\n\e[2Jx"\\'
install -m 644 -o 4711 "$dmz/home/bear/.ssh/id_ed25519" "$dmz$home/.ssh/$key"
finds 'its key, with a newline in its name' "private_keys user ev il\$(touch /pwned)\\x1b[31m*"
is "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["findings"][0]["what"].split(" is open")[0])' <<< "$out")" \
  "the private key $home/.ssh/$key" 'the JSON has path and name as they are'
capture on dmz "$check"
is "$(LC_ALL=C tr -d '\n -~' <<< "$out" | wc -c)" 0 'the text has no control characters'
is "$(sed -n '/^Findings/,$p' <<< "$out" | wc -l)" 2 'and a line for the finding'
rm -r "${dmz:?}$home"
# A cure is pasted by root: it does what it says, and nothing that a name says.
key="/home/bear/.ssh/id_';touch pwned;'\$(touch pwned)"
install -m 644 -o "$(on dmz id -u bear)" "$dmz/home/bear/.ssh/id_ed25519" "$dmz$key"
capture on dmz "$check"
on dmz sh -c "cd /; ${out##* Cure: }" > "$TMPDIR/pasted" 2>&1
is "$(stat -c %a "$dmz$key")" 600 'a key with quotes in its name: the cure mends it' || diag "$out" "$(< "$TMPDIR/pasted")"
nok 'and runs nothing of the name' ls "$dmz/pwned"
rm -f "$dmz/pwned"
chmod 644 "$dmz$key"
capture on dmz "$check"
install -m 644 "$dmz/home/bear/.ssh/id_ed25519" "$dmz/root/not-theirs"
ln -sf /root/not-theirs "$dmz$key"
on dmz sh -c "cd /; ${out##* Cure: }" > "$TMPDIR/pasted" 2>&1
is "$(stat -c %a "$dmz/root/not-theirs")" 644 'a link in the place of it leads root nowhere'
rm "$dmz$key" "$dmz/root/not-theirs"
# Links of a user are not followed.
install -d -m 755 -o 4711 "$dmz$home"
ln -s /home/bear/.ssh "$dmz$home/.ssh"
chmod 777 "$dmz/home/bear/.ssh/id_ed25519.pub"
finds 'a link of a user is not followed' "not_judged user ev il\$(touch /pwned)\\x1b[31m*"
sed -i '$d' "$dmz/etc/passwd"
printf 'a,user=root:*:4712:%s::/home/a:/bin/aspshell\n' "$group" >> "$dmz/etc/passwd"
finds 'a name with a comma is not asked for' 'not_judged user a,user=root'
sed -i '$d' "$dmz/etc/passwd"
nok 'nothing of it was run' ls "$dmz/pwned" "$dmz$prefix/pwned" pwned 2> /dev/null
clean 'all taken back: clean'

done_testing
