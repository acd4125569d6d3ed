#!/bin/bash
# An internal server of about 2010: SHA-1 alone, CBC, group14-sha1. Its rule may say so; no
# other rule uses such a thing, and the doctor warns.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1 inside2
root=$(lab_root dmz) inside=$(lab_root inside1)
key=$LAB_PREFIX/etc/ssh_keys/id_rsa
ssh-keygen -q -t rsa -b 2048 -N '' -f "$root$key"
cat "$root$key.pub" >> "$inside/home/xfer/.ssh/authorized_keys"
ssh-keygen -q -t rsa -b 2048 -N '' -f "$inside/etc/ssh/ssh_host_rsa_key"
printf '%s %s\n' "$INSIDE1" "$(cut -d ' ' -f 1,2 "$inside/etc/ssh/ssh_host_rsa_key.pub")" > "$root$LAB_PREFIX/etc/known_hosts"

# old NAME=VALUE...: inside1 knows these alone
old() {
  {
    echo 'HostKey /etc/ssh/ssh_host_rsa_key'
    printf '%s\n' "$@"
  } > "$inside/etc/ssh/sshd_config.d/00-old.conf"
  sed -i '/^HostKey.*ed25519/d' "$inside/etc/ssh/sshd_config"
  lab_sshd inside1 stop && lab_sshd inside1 start
}
configure() {  # [old_algorithms]
  lab_config << END
<CONF><server><rproxy><enabled>true</enabled><rules><rule host_ip="$SQUASH"><host>$INSIDE1</host><squash_user>xfer</squash_user>
<keyfile>$key</keyfile>${1:+<old_algorithms>$1</old_algorithms>}</rule></rules></rproxy></server>
<default><aspshell_commands><command>cat</command></aspshell_commands></default></CONF>
END
}
through() { on outside -u bear timeout 30 ssh -o LogLevel=ERROR -p 33001 "bear@$SQUASH" cat <<< hello 2>&1; }
# What signs the login is not among them: this sshd says that it knows better, which none of
# that age does, and does not take it then.
all=('KexAlgorithms diffie-hellman-group14-sha1' 'HostKeyAlgorithms ssh-rsa'
  'Ciphers aes256-cbc,aes192-cbc,aes128-cbc' 'MACs hmac-sha1')

for each in "${all[@]}"; do
  old "$each"
  configure
  # libssh offers hmac-sha1 in any case.
  [[ $each == MACs* ]] || unlike "$(through)" '^hello' "$each alone: no session, unless the rule lets it"
  configure true
  is "$(through)" hello 'with <old_algorithms> there is one'
done
old "${all[@]}"
is "$(through)" hello 'all of that together'

# The host key of such a server, which an administrator enrols.
known_hosts=$root$LAB_PREFIX/etc/known_hosts
fingerprint=$(ssh-keygen -lf "$inside/etc/ssh/ssh_host_rsa_key.pub" | cut -d ' ' -f 2)
: > "$known_hosts"
is "$(on dmz "$LAB_PREFIX/bin/asperaproxy" trust --fingerprint "$fingerprint" "$INSIDE1" 2>&1)" "enrolled: $INSIDE1 ssh-rsa $fingerprint" 'asperaproxy trust enrols it'
is "$(through)" hello 'and a session goes there'
configure false
like "$(through)" '^The server behind this proxy could not be verified' 'and without, the user reads one sentence'
like "$(lab_log dmz)" 'ERR .*kex error' 'the log says that it is the algorithms'
configure true
like "$(on dmz "$LAB_PREFIX/bin/asperaproxy" check 2>&1)" 'warn +old_algorithms: rule 1 .*SHA-1' 'the doctor warns'
old
is "$(through)" hello 'a newer server is served as ever'
like "$(on dmz "$LAB_PREFIX/bin/asp-dial" -v -O -i "$key" -l xfer "$INSIDE1" -- true 2>&1)" connected '(asp-dial -O)'
done_testing
