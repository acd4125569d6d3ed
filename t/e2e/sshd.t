#!/bin/bash
# etc/sshd_config.d/sallyport.conf: what it keeps proxy users, and root, from. Each
# probe is tried once more without the file, and must get through then.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
proxy_allow cat
dmz=$(lab_root dmz)
key=$(cat "$LAB_DIR/keys/client-bear.pub")

# The worst that the rest of sshd_config, and a user's own files, can ask for.
sed -i 's|^Subsystem.*|Subsystem sftp internal-sftp|' "$dmz/etc/ssh/sshd_config"
cat >> "$dmz/etc/ssh/sshd_config" << 'EOF_SSHD'
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
AllowAgentForwarding yes
X11Forwarding yes
X11UseLocalhost yes
PermitTunnel yes
PermitUserRC yes
PermitUserEnvironment yes
PermitRootLogin yes
EOF_SSHD
printf '#!/bin/sh\ntouch /tmp/rc-ran\n' > "$dmz/home/bear/.ssh/rc"
echo 'FROM_FILE=1' > "$dmz/home/bear/.ssh/environment"
echo "environment=\"FROM_KEY=1\" $key" | tee "$dmz/etc/ssh/authorized_keys/bear" > "$dmz/home/bear/.ssh/authorized_keys"
on outside -u bear ssh-keygen -q -t ed25519 -N '' -f /home/bear/.ssh/id_added
for name in authorized_keys authorized_keys2; do cat "$(lab_root outside)/home/bear/.ssh/id_added.pub" >> "$dmz/home/bear/.ssh/$name"; done
mkdir -p -m 700 "$dmz/root/.ssh"
echo "$key" > "$dmz/root/.ssh/authorized_keys"
on dmz chown -R bear: /home/bear/.ssh
# With aspshell as his shell, rc and the like would not get far anyway.
on dmz usermod -s /bin/bash bear
on dmz python3 -c 'import os, socket; s = socket.socket(socket.AF_UNIX); s.bind("/tmp/target"); os.chmod("/tmp/target", 0o777); s.listen(); s.accept()[0].send(b"reached\n")' &
target=$!
on outside -u bear ssh-agent -a /home/bear/agent > /dev/null
ok '(sshd takes the file)' on dmz /usr/sbin/sshd -t
restart() { lab_sshd dmz stop; lab_sshd dmz start; }
restart

# idlers ADDRESS FROM...: 130 connections from these addresses that never log in; what is
# closed is opened again.
idling='
import itertools, select, socket, sys
to, sources = sys.argv[1], itertools.cycle(sys.argv[2:])
family = socket.AF_INET6 if ":" in to else socket.AF_INET
def connect():
    one = socket.socket(family)
    one.bind((next(sources), 0))
    one.connect((to, 33001))
    return one
idle = [connect() for _ in range(130)]
print("idle", flush=True)
while True:
    for one in select.select(idle, [], [], 1)[0]:
        try:
            said = one.recv(4096)
        except OSError:
            said = b""
        if not said:
            one.close()
            idle.remove(one)
            idle.append(connect())'
idlers() {
  on_exec outside python3 -c "$idling" "$@" > "$TMPDIR/idlers" 2> "$TMPDIR/idlers.err" < /dev/null &
  idlers=$!
  ok '(130 idle connections from one host)' wait_until 20 grep -q idle "$TMPDIR/idlers"
}
# How many of ten log-ins of somebody else, one after the other, end well.
others_log_in() {  # ADDRESS [FROM]
  local good=0 i
  for i in 1 2 3 4 5 6 7 8 9 10; do
    on outside2 -u bear timeout 20 ssh ${2:+-b "$2"} -p 33001 "bear@$1" cat < /dev/null > /dev/null 2>&1 && good=$((good + 1))
  done
  echo $good
}
end_idlers() {
  kill $idlers
  wait $idlers 2> /dev/null
}

log_in() { on outside -u bear timeout 20 ssh -p 33001 -o ExitOnForwardFailure=yes "$@"; }
gets_sftp() { echo 'ls /' | on outside -u bear timeout 20 sftp -q -b - -P 33001 "bear@$SQUASH" 2> /dev/null | grep -q home; }
tunnels() { echo | log_in -W "$INSIDE1:22" "bear@$SQUASH" 2> /dev/null | grep -q ^SSH-; }
tunnels_back() { log_in -R 127.0.0.1:7777:127.0.0.1:1 "bear@$SQUASH" cat < /dev/null > /dev/null 2>&1; }
reaches_socket() {
  local pid
  rm -f "$(lab_root outside)/tmp/local"
  on_exec outside -u bear ssh -p 33001 -N -L /tmp/local:/tmp/target "bear@$SQUASH" 2> /dev/null &
  pid=$!
  wait_until 5 on outside test -S /tmp/local
  on outside timeout 2 python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/tmp/local"); print(s.recv(9).decode())' | grep -q reached
  pid="$pid $?"
  kill "${pid% *}"
  wait "${pid% *}" 2> /dev/null
  return "${pid#* }"
}
makes_socket() { log_in -R /tmp/made.sock:127.0.0.1:1 "bear@$SQUASH" cat < /dev/null > /dev/null 2>&1; }
# What a session's processes have in their environment, while it runs.
environment() {
  local fd
  mkfifo "$TMPDIR/in"
  on_exec outside -u bear env SSH_AUTH_SOCK=/home/bear/agent DISPLAY=:7 ssh -A -X -p 33001 "bear@$SQUASH" cat < "$TMPDIR/in" > "$TMPDIR/out" 2> /dev/null &
  exec {fd}> "$TMPDIR/in"
  rm "$TMPDIR/in"
  echo hello >&"$fd"
  wait_until 10 grep -q hello "$TMPDIR/out" || diag 'no session'
  for process in $(lab_pids dmz ascp_rproxy) $(lab_pids dmz cat); do tr '\0' '\n' < "/proc/$process/environ"; done
  exec {fd}>&-
  wait $!
}
adds_key() { log_in -o IdentitiesOnly=yes -i /home/bear/.ssh/id_added "bear@$SQUASH" cat < /dev/null > /dev/null 2>&1; }
root_logs_in() { log_in "root@$SQUASH" true < /dev/null 2> /dev/null; }
port_is_open() { on outside timeout 1 bash -c ": < /dev/tcp/$SQUASH/33001" 2> /dev/null; }

nok 'no sftp, not even internal-sftp' gets_sftp
nok 'no way through to the inside' tunnels
nok 'no way back' tunnels_back
nok 'no socket of the proxy' reaches_socket
nok 'none is made there' makes_socket
environment > "$TMPDIR/environment"
ok '(a session runs)' grep -q ^SSH_CONNECTION= "$TMPDIR/environment"
is "$(grep -e ^SSH_AUTH_SOCK -e ^DISPLAY "$TMPDIR/environment")" '' 'no agent, no X11'
is "$(grep -e ^FROM_ "$TMPDIR/environment")" '' "nothing of the user's environment"
nok "nothing of the user's rc" on dmz test -e /tmp/rc-ran
nok 'no key that was added in the home directory' adds_key
nok 'root does not log in' root_logs_in
settings=$(on dmz /usr/sbin/sshd -T -C "user=bear,host=x,addr=$OUTSIDE" | sed 's/^[^ ]*/\L&/')
for line in 'permittunnel no' 'gatewayports no' 'disableforwarding yes' 'passwordauthentication no' 'kbdinteractiveauthentication no' \
  'authenticationmethods publickey' 'authorizedkeysfile /etc/ssh/authorized_keys/%u' 'clientaliveinterval 15' 'clientalivecountmax 3' 'exposeauthinfo yes' 'maxauthtries 6' 'logingracetime 30' \
  'port 33001' 'maxsessions 5' 'maxstartups 300:30:600' 'persourcemaxstartups 50' 'persourcenetblocksize 32:64'; do
  ok "in force: $line" grep -qx "$line" <<< "$settings"
done

# --- who does not log in keeps nobody out ------------------------------------------------

startups() { on dmz "$LAB_PREFIX/bin/asperaproxy" check | grep ' sshd: .*\(Startups\|NetBlock\)'; }
is "$(startups)" '' 'the doctor is content'
idlers "$SQUASH" "$OUTSIDE"
is "$(others_log_in "$SQUASH")" 10 'ten of ten log-ins of others go on'
end_idlers
on outside2 ip addr add 2001:db8:9::11/128 dev lo
on dmz ip route add 2001:db8:9::/64 via "$OUTSIDE2_6"
for i in {1..14}; do on outside ip addr add "2001:db8:1:0:f::$i/64" dev wan nodad; done
idlers "$SQUASH_6" 2001:db8:1:0:f::{1..14}
is "$(others_log_in "$SQUASH_6" 2001:db8:9::11)" 10 'also when that host has many addresses of its /64'
end_idlers

# --- the same without the file ---------------------------------------------------------

mv "$dmz/etc/ssh/sshd_config.d/sallyport.conf" "$dmz/root/"
printf 'Port 22\nPort 33001\nLogLevel DEBUG1\n' > "$dmz/etc/ssh/sshd_config.d/ports.conf"
restart
ok '(without the file: sftp)' gets_sftp
ok '(a way through)' tunnels
ok '(a way back)' tunnels_back
ok '(a socket)' reaches_socket
ok '(a socket made there)' makes_socket
environment > "$TMPDIR/environment"
like "$(cut -d = -f 1 "$TMPDIR/environment" | sort | xargs)" 'DISPLAY FROM_FILE FROM_KEY.* SSH_AUTH_SOCK' '(agent, X11 and environment)'
ok '(rc)' on dmz test -e /tmp/rc-ran
ok '(a key that was added)' adds_key
ok '(root)' root_logs_in
like "$(startups)" 'warn  sshd: PerSourceMaxStartups is none: one address can keep all others out' 'the doctor names what is missing'
idlers "$SQUASH" "$OUTSIDE"
ok '(log-ins of others fail)' test "$(others_log_in "$SQUASH")" -lt 5
end_idlers
kill $target 2> /dev/null

# --- sshd on another port: the doctor and keepalived ask where users reach it ----------

lab_sshd dmz stop
echo 'Port 2222' > "$dmz/etc/ssh/sshd_config.d/ports.conf"
ssh_port() { on dmz "$LAB_PREFIX/bin/asperaproxy" check | grep ' ssh_port: '; }
like "$(ssh_port)" '^FAIL .*sshd is to listen on TCP 2222, but does not' 'another port, and no sshd: the doctor names it'
is "$(on dmz "$LAB_PREFIX/bin/asperaproxy" health)" 'sshd does not listen' 'the node can not be master'
on dmz /usr/sbin/sshd
ok '(sshd is there)' wait_until 10 lab_listens dmz 2222
like "$(ssh_port)" '^ok .*somebody listens on TCP 2222' 'the doctor is content with it'
is "$(on dmz "$LAB_PREFIX/bin/asperaproxy" health)" healthy 'and the node can be master'
done_testing
