#!/bin/bash
# The varieties of sshd that hosts have: started by systemd's socket, in both kinds, without
# PAM, on an interface alone, and with passwords where the administrator allows them.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/booted.sh"

booted_up
booted_install
settings=$dmz/etc/ssh/sshd_config.d
units=$dmz/etc/systemd/system
checked() { asperaproxy check | grep -E '^(warn|fail) .*(sshd|ssh_port|sudo|authorized_keys|tcp_in)'; }
# serves NAME: a session, its UDP, its end, and nothing left; the doctor finds nothing wrong.
serves() {
  ok "$1: a session opens, and its UDP crosses" crosses "${1// /-}"
  proxy_end "${1// /-}"
  is "$proxy_status" 0 "$1: it ends as it should"
  is "$(proxy_rules)" 0 "$1: nothing is left"
  is "$(checked)" '' "$1: the doctor finds nothing wrong"
}
serves 'a daemon'

echo 'UsePAM no' > "$settings/00-here.conf"
on dmz systemctl reload ssh
serves 'without PAM'

rm "$settings/00-here.conf"
on dmz systemctl stop ssh
# started_by_socket: its ports as INSTALL says.
started_by_socket() {
  mkdir -p "$units/ssh.socket.d"
  printf '%s\n' '[Socket]' ListenStream= ListenStream=22 ListenStream=33001 "$@" > "$units/ssh.socket.d/here.conf"
  on dmz systemctl daemon-reload
  on dmz systemctl restart ssh.socket
}
started_by_socket
serves 'a socket for one daemon'

on dmz systemctl stop ssh ssh.socket
cat > "$units/ssh@.service" << 'END'
[Service]
ExecStart=-/usr/sbin/sshd -i
StandardInput=socket
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes
END
started_by_socket Accept=yes
serves 'a socket for a process each'

on dmz systemctl stop ssh.socket
started_by_socket Accept=yes BindToDevice=wan
serves 'a socket of an interface'

on dmz systemctl stop ssh.socket
rm -r "$units/ssh.socket.d" "$units/ssh@.service"
on dmz systemctl daemon-reload
printf '%s\n' 'Match User bear' 'AuthenticationMethods password' 'PasswordAuthentication yes' 'Match all' > "$settings/00-here.conf"
on dmz systemctl start ssh
on dmz sh -c 'echo bear:secret | chpasswd'
printf '#!/bin/sh\necho secret\n' | install -m 755 /dev/stdin "$(lab_root outside)/usr/local/bin/ask"
with_password() {
  on outside -u bear env SSH_ASKPASS=/usr/local/bin/ask SSH_ASKPASS_REQUIRE=force DISPLAY=: timeout 20 \
    ssh -o BatchMode=no -o PubkeyAuthentication=no -p 33001 "bear@$SQUASH" cat
}
is "$(with_password <<< 'by password')" 'by password' 'a password, where the administrator allows it: a session opens'
like "$(checked)" 'bear' 'and the doctor says so'
done_testing
