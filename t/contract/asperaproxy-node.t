#!/bin/bash
# asperaproxy check on a transfer node: what leads past the confinement of aspshell.
. "${0%/*}/../lib/alone.sh"

suite asperaproxy aspshell ascmd asp-cp
account bear 60001 /home/bear /bin/aspshell
mount -t tmpfs -o mode=755 tmpfs /home && mount -t tmpfs -o mode=755 tmpfs /srv && mount -t tmpfs -o mode=755 tmpfs /etc/ssh
mkdir -p /run/sshd /home/bear/in /srv/bear && chown -R bear /home/bear /srv/bear
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
conf() { echo "<CONF version=\"2\"><default><file_system><access><paths><path><absolute>$1</absolute>${2-}</path></paths></access></file_system></default></CONF>" > $prefix/etc/aspera.conf; }
sshd() { printf '%s\n' "$@" > /etc/ssh/sshd_config; }
check() { timeout 60 $prefix/bin/asperaproxy check; }
closed=('Match User bear' "  ForceCommand $prefix/bin/aspshell" '  DisableForwarding yes' 'Match all')

conf /srv/bear
sshd 'Subsystem sftp internal-sftp' 'PermitUserEnvironment no' "${closed[@]}"
status 0 'sshd that leads nowhere' check
is "$out" 'ok    node: serves bear in their docroots' 'is well'
sshd 'Subsystem sftp internal-sftp' 'PermitUserEnvironment yes'
status 0 'sshd that lets users past' check
is "$(grep -c "^warn  node: .* for bear: it leads past the docroot, unless the key has 'restrict' - usermod -aG sallyport bear; " <<< "$out")" 4 'is found'
for each in 'AllowTcpForwarding is yes' 'AllowStreamLocalForwarding is yes' 'PermitUserEnvironment is yes' 'Subsystem is sftp internal-sftp, and there is no ForceCommand'; do
  like "$out" "node: $each for bear" "$each"
done
sshd "${closed[@]}"
for docroot in /home/bear /home /; do
  conf "$docroot"
  like "$(check)" "^warn  node: docroot $docroot of bear holds /home/bear/\.ssh: who writes there can add keys" "a docroot with the keys in it: $docroot"
done
conf '$(home)' '<write_allowed>false</write_allowed>'
is "$(check)" 'ok    node: serves bear in their docroots' 'where nothing may be written, it does no harm'
conf '$(home)/in'
is "$(check)" 'ok    node: serves bear in their docroots' 'nor beside it'
conf '$(home)'
sshd 'AuthorizedKeysFile /etc/ssh/authorized_keys/%u' "${closed[@]}"
is "$(check)" 'ok    node: serves bear in their docroots' "nor where keys are root's"
done_testing
