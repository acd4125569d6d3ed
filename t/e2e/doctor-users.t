#!/bin/bash
# asperaproxy check, accounts, keys and servers: each fault planted alone is found, by its own line, and no
# other line changes; where packets are concerned, doctor and wire agree.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/doctor.sh"
apart="$of_host|$of_firewall"
well=$(lines)

# Accounts, sudo, sshd ----------------------------------------------------------------------------

fault "group|authorized_keys|sudo|sshd|keyfile|servers|grants|$unconfined" FAIL 'there is no group sallyport' 'cp /etc/group /root/; sed -i s/^sallyport:/other:/ /etc/group' 'cp /root/group /etc/group'
fault "group|authorized_keys|sudo|sshd|keyfile|servers|grants|$unconfined" warn 'has no members' 'gpasswd -d bear sallyport; gpasswd -d bobcat sallyport' 'cp /root/group /etc/group'
fault 'group|grants' FAIL 'an administrator is in the group.*: bear' 'groupadd -f lxd; usermod -aG lxd bear' 'gpasswd -d bear lxd; groupdel lxd'
fault 'group|sshd|grants' FAIL 'an administrator is in the group.*: bear' 'usermod -aG sudo bear' 'cp /root/group /etc/group'
fault 'group|sudo|sshd' warn 'nobody5 is in the group, but has no account' "sed -i '/^sallyport:/s/\$/,nobody5/' /etc/group"
fault group warn 'the shell of bear is not /bin/aspshell' 'usermod -s /bin/bash bear'
sudoers=/etc/sudoers.d/sallyport
fault 'sudoers|sudo' FAIL 'sallyport is missing' "mv $sudoers /root/" "mv /root/sallyport $sudoers"
fault 'sudoers|sudo|writable|grants' FAIL 'others than root can write' "chmod g+w $sudoers" "chmod 440 $sudoers"
fault 'sudoers|sudo|grants|not_judged' FAIL 'syntax error' "cp -p $sudoers /root/; echo '%sallyport = (' >> $sudoers" "cp -p /root/sallyport $sudoers"
settings=/etc/sudoers.d/zz-sallyport
fault sudoers FAIL 'zz-sallyport is missing, so this site' "mv $settings /root/"
fault 'sudoers|writable' FAIL 'can write to .*zz-sallyport' "chmod g+w $settings"
fault sudoers FAIL 'zz-sallyport does not match the installed sudo' "sed -i 5d $settings"
fault sudoers warn 'zz: bad permissions' "echo > /etc/sudoers.d/zz" 'rm /etc/sudoers.d/zz'
fault sudo FAIL 'bear, bobcat cannot run .*asp-pinhole: sudo: a password is required' 'cp -p /etc/sudoers /root/; sed -i /includedir/d /etc/sudoers' 'cp -p /root/sudoers /etc/sudoers'
fault 'sudo|grants' FAIL 'bobcat cannot run' "echo 'bobcat ALL = (root) PASSWD: ALL' > /etc/sudoers.d/zz; chmod 440 /etc/sudoers.d/zz" 'rm /etc/sudoers.d/zz'
fault grants FAIL 'sudo grants .*iptables-restore for bear' "echo 'bear ALL = (root) NOPASSWD: /sbin/iptables-restore' > /etc/sudoers.d/zz; chmod 440 /etc/sudoers.d/zz" 'rm /etc/sudoers.d/zz'
sshd=/etc/ssh/sshd_config.d/sallyport.conf
on dmz cp $sshd /root/sshd.conf
loosen() { fault "${4-sshd}" "$1" "$2" "$3"; }
# What sshd would take instead is not a default that is safe by chance.
keeps_out() { fault sshd FAIL "$1" "$2" "cp /root/sshd.conf $sshd"; }
keeps_out 'AllowUsers does not name bobcat' "sed -i '1i AllowUsers ops b?ar@198.51.100.*' $sshd"
keeps_out 'DenyGroups keeps out bear, bobcat' "sed -i '1i DenyGroups sally*' $sshd"
keeps_out 'AuthenticationMethods password, which is off, keeps out bear, bobcat' "sed -i '1i Match Address 198.51.100.0/24\n AuthenticationMethods password\nMatch all' $sshd"
loosen FAIL 'ForceCommand is none for bear, bobcat' "sed -i /ForceCommand/d $sshd"
loosen FAIL 'ForceCommand is /bin/true for bobcat' "sed -i 's|^Match Group|Match User bobcat\n ForceCommand /bin/true\n&|' $sshd"
loosen FAIL 'AllowTcpForwarding is yes for bear, bobcat' "sed -i '/DisableForwarding/d; /AllowTcpF/d' $sshd" ssh_tunneling
loosen FAIL 'AllowStreamLocalForwarding is yes' "sed -i '/DisableForwarding/d; /AllowStream/d' $sshd" streamlocal_forwarding
loosen FAIL 'PermitTunnel is yes' "sed -i '/DisableForwarding/d; s/PermitTunnel no/PermitTunnel yes/' $sshd" ssh_tunneling
loosen FAIL 'AllowAgentForwarding is yes' "sed -i '/DisableForwarding/d; /AllowAgent/d' $sshd" agent_forwarding
loosen FAIL 'X11Forwarding is yes' "sed -i '/DisableForwarding/d; s/X11Forwarding no/X11Forwarding yes/' $sshd" x11_forwarding
loosen FAIL 'PermitUserRC is yes .host=203.0.113.0,addr=203.0.113.0,.* for bear' "sed -i 's|^Match Group|Match Address 203.0.113.0/24\n PermitUserRC yes\n&|' $sshd"
loosen FAIL 'PermitUserRC is yes' "sed -i '/PermitUserRC/d' $sshd"
loosen FAIL 'PermitUserEnvironment is yes' "sed -i 's/PermitUserEnvironment no/PermitUserEnvironment yes/' $sshd" environment
loosen warn 'PasswordAuthentication is yes' "sed -i 's/PasswordAuthentication no/PasswordAuthentication yes/' $sshd"
loosen warn 'ExposeAuthInfo is no' "sed -i '/ExposeAuth/d' $sshd"
loosen warn 'no keep-alives' "sed -i '/ClientAliveInterval/d' $sshd"
loosen warn 'PermitRootLogin is (without|prohibit)-password' "sed -i '/PermitRootLogin/d' $sshd"
fault "sshd|authorized_keys|$security" FAIL 'Bad configuration option: Bogus' "echo Bogus yes >> $sshd" "cp /root/sshd.conf $sshd"
open=/etc/ssh/authorized_keys
for damage in "chmod g+w $open/bear" "chown bear $open/bear" "chmod o+w $open"; do
  fault writable FAIL "$open(/bear)? (may be written by|belongs to)" "$damage"
done
fault authorized_keys warn 'keys of bear are only in ~/.ssh, where sshd does not read them' "mv $open/bear /home/bear/.ssh/authorized_keys" "mv /home/bear/.ssh/authorized_keys $open/bear"
fault 'authorized_keys|keys_at_home' warn " sshd does not read the keys of bear, bobcat in $open" "sed -i /AuthorizedKeysFile/d $sshd"
fault 'keys_at_home|authorized_keys' warn ' sshd takes keys from /home/bear/.ssh/authorized_keys, where' "sed -i /AuthorizedKeysFile/d $sshd" "cp /root/sshd.conf $sshd"
fault authorized_keys warn "$open/gone has keys of an account that is gone" "cp $open/bear $open/gone"
fault keys_at_home warn ' sshd takes keys from /home/bobcat/.ssh/keys, where' "sed -i 's|^Match Group|Match User bobcat\n AuthorizedKeysFile $open/%u %h/.ssh/keys\n&|' $sshd" "cp /root/sshd.conf $sshd"
fine 'a directory of the site'"'"'s own that is root'"'"'s' "cp -rp $open /etc/ssh/ours; mv $open /root/; sed -i 's|AuthorizedKeysFile .*|AuthorizedKeysFile /etc/ssh/ours/%u|' $sshd" "mv /root/authorized_keys $open; cp /root/sshd.conf $sshd"
fault writable FAIL '/etc/ssh/ours/bear may be written by group root and everybody for bear' "cp -rp $open /etc/ssh/ours; chmod 666 /etc/ssh/ours/bear; mv $open /root/; sed -i 's|AuthorizedKeysFile .*|AuthorizedKeysFile /etc/ssh/ours/%u|' $sshd" "mv /root/authorized_keys $open; rm -r /etc/ssh/ours; cp /root/sshd.conf $sshd"
lab_sshd dmz stop
fault ssh_port FAIL 'sshd is to listen on TCP 33001, but does not' true true
fault ssh_port FAIL 'nobody listens on TCP 33001' "sed -i '/33001/d' $sshd" "cp /root/sshd.conf $sshd"
lab_sshd dmz start
cured

# Keys -----------------------------------------------------------------------------------------------

key=$etc/ssh_keys/id_ed25519
on dmz sh -c "ssh-keygen -q -t ed25519 -N secret -f /root/locked; cp -p $key /root/key"
spoil() { fault "keyfile|servers${3+|$3}" FAIL "$1" "$2" "cp -p /root/key $key; chown root $key $etc/ssh_keys; chmod 600 $key; chmod 700 $etc/ssh_keys"; }
spoil "bear, bobcat: $key: must belong to root and be writable by root alone" "chown sallyport-dial $key"
spoil "bear, bobcat: $etc/ssh_keys does not belong to root" "chown sallyport-dial $etc/ssh_keys" writable
spoil "everybody on this host can read or write $key" "chmod 644 $key; chmod 755 $etc/ssh_keys" private_keys
fault 'keyfile|private_keys' warn "bear, bobcat can read the key of a squash_user, $key, but need not" "chgrp sallyport $key $etc/ssh_keys; chmod 640 $key; chmod 750 $etc/ssh_keys" "chgrp root $key $etc/ssh_keys; chmod 600 $key; chmod 700 $etc/ssh_keys"
fault 'dial_account|sudo|servers' FAIL 'there is no account sallyport-dial' 'cp -p /etc/passwd /root/; sed -i /^sallyport-dial/d /etc/passwd' 'cp -p /root/passwd /etc/passwd'
fault dial_account FAIL 'in other groups' 'gpasswd -a sallyport-dial adm' 'gpasswd -d sallyport-dial adm'
fault 'dial_account|host_keys|servers' FAIL 'sallyport-dial cannot read' "chmod 600 $etc/known_hosts" "chmod 644 $etc/known_hosts"
spoil 'No such file' "rm $key"
spoil 'it is encrypted' "cat /root/locked > $key"
spoil 'not a private key' "echo hello > $key"
proxy_signs_pkcs8 || spoil 'it cannot sign, .*PKCS#8 form; .*ssh-keygen' "openssl genpkey -algorithm ed25519 > $key 2> /dev/null"
own=/home/bobcat/.ssh/id_ed25519
fault 'keyfile|servers' FAIL "bobcat: open key $own: Permission denied" "chown root $own" "chown bobcat $own"
fault 'keyfile|servers|private_keys' FAIL "bobcat: read key $own: not a private key" "mv $own $own.away; mkfifo -m 666 $own" "mv -f $own.away $own"
fine 'a rule that is not for him' "chown root /home/bear/.ssh/id_ed25519" "chown bear /home/bear/.ssh/id_ed25519"
# mark LINES: what a session leaves that failed
mark() { echo "mkdir -p -m 700 /run/sallyport/balance /run/sallyport/balance/marks; printf 'host=$INSIDE1:22\n$1since=2026-11-22T15:04:05Z\nby=x\n\n' > /run/sallyport/balance/marks/one"; }
unmark='rm -r /run/sallyport/balance'
fault logins warn "$INSIDE1:22 does not let bear in, since 2026-11-22T15:04:05Z: server refuses our key /k" \
  "$(mark 'user=bear\nkeyfile=/k\nstate=refused\nuntil=1\nreason=server refuses our key /k\nfailures=2\n')" "$unmark"
fault logins warn "$INSIDE1:22 is faulty since 2026-11-22T15:04:05Z: timed out" "$(mark 'state=faulty\nuntil=99999999\nreason=timed out\n')" "$unmark"
fault logins FAIL "$INSIDE1:22 refuses this proxy, since log-ins from it have failed" \
  "$(mark 'state=faulty\nuntil=99999999\nreason=handshake: server says: Not allowed at this time\n')" "$unmark"
fault 'logins|servers' warn "$INSIDE1:22 is out of service, by root, since 20[0-9T:-]*Z: new disks" "$bin/asperaproxy fault $INSIDE1 new disks"
fine 'one log-in that failed' "$(mark 'user=bear\nkeyfile=/k\nstate=refused\nuntil=1\nreason=refused\nfailures=1\n')" "$unmark"
fault 'host_keys|servers' FAIL "$INSIDE1 is not in .*known_hosts - asperaproxy trust $INSIDE1:22" "cp -p $etc/known_hosts /root/; sed -i '/^$INSIDE1,/d' $etc/known_hosts" "cp -p /root/known_hosts $etc/known_hosts"
fault 'host_keys|servers' FAIL "$INSIDE1 is not in .*known_hosts; 1 of its lines cannot be read, the first is [0-9]* - asperaproxy trust $INSIDE1:22" "cp -p $etc/known_hosts /root/; sed -i 's/^\($INSIDE1,[^ ]*\) .*/\1 ssh-ed25519 AAAAbroken/' $etc/known_hosts" "cp -p /root/known_hosts $etc/known_hosts"
fault 'host_keys|servers' FAIL "$INSIDE1 is not in .*known_hosts - asperaproxy trust $INSIDE1:22" "cp -p $etc/known_hosts /root/; sed -i 's/^$INSIDE1,/@revoked &/' $etc/known_hosts" "cp -p /root/known_hosts $etc/known_hosts"
fault 'host_keys|dial_account|servers' FAIL 'bear, bobcat cannot read' "chmod 600 $etc/known_hosts"
fault 'host_keys|writable|servers' FAIL 'does not belong to root' "chown bear $etc/known_hosts"
cured

# Servers, as sessions meet them -------------------------------------------------------------------------

inside1=$(lab_root inside1)
lab_sshd inside1 stop
fault servers FAIL "$INSIDE1:22: .*refused.*, for .*xfer" true true
lab_sshd inside1 start
mv "$inside1/home/xfer/.ssh/authorized_keys" "$inside1/home/xfer/.ssh/away"
fault servers FAIL "log in at $INSIDE1:22 as xfer: .* - ssh-keygen -y -f $key " true true
mv "$inside1/home/xfer/.ssh/away" "$inside1/home/xfer/.ssh/authorized_keys"
for user in one two; do
  on dmz sh -c "useradd -m -G sallyport -s /bin/aspshell $user; install -d -o $user /home/$user/.ssh; ssh-keygen -q -t ed25519 -N '' -f /home/$user/.ssh/id_ed25519; chown $user /home/$user/.ssh/id_ed25519"
done
on dmz sh -c "$keep; sed -i 's|<users>bobcat</users>||' $conf"
is "$(lines | grep -c "^FAIL  servers: log in at $INSIDE1:22 as .*: server refuses")" 2 'of three accounts that a server refuses two are tried, so that it does not refuse the proxy'
on dmz sh -c "$back; userdel -r one; userdel -r two" 2> /dev/null
cured
apart=
well=$(lines)

# Mending -------------------------------------------------------------------------------------------------

broken() { on dmz sh -c "sysctl -qw net.ipv4.conf.wan.send_redirects=1; chmod 700 $bin/asp-reap; touch $run/drain"; }
mended() { on dmz sh -c "sysctl -n net.ipv4.conf.wan.send_redirects; stat -c %a $bin/asp-reap; ls $run/drain" | xargs; }
at_terminal() { printf "$1" | on dmz timeout 60 script -qec "$bin/asperaproxy check --fix" /dev/null; }
broken
status 64 'check --fix without a terminal: exit 64' on dmz setsid -w timeout 60 "$bin/asperaproxy" check --fix
like "$err" 'there is no terminal; give --yes$' 'says what would do'
is "$(mended)" "1 700 $run/drain" 'and changes nothing'
at_terminal 'no\nyes\n' > "$TMPDIR/said"
like "$(cat "$TMPDIR/said")" 'FAIL  tools: users cannot execute .*asp-reap - chmod 755 .*Do that\? \(yes/no\)' 'it asks for each'
is "$(mended)" "0 700 $run/drain" 'no means no, yes means yes'
status 0 'check --fix --yes: what is left decides the status' check --fix --yes
is "$(mended)" "0 755 $run/drain" 'it mends the rest, but a drain is not for it to end'
on dmz rm "$run/drain"
is "$(lines)" "$well" 'when all is mended, all is well'
done_testing
