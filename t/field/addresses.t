#!/bin/bash
# Ways to the proxy that sites have: sshd bound to an interface (as in a VRF), link-local
# addresses, a REDIRECT, a multiplexer on the host itself, a NAT that changes the port of
# the UDP in mid session. They work, or the log says what it looks like.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
proxy_allow cat
root=$(lab_root dmz)
ssh_to() { on outside -u bear timeout 30 ssh -o LogLevel=ERROR -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$@" 2>&1; }

# sshd on a socket that is bound to an interface ------------------------------------------
# As with ListenAddress … rdomain, BindToDevice= of systemd, or `ip vrf exec`: the kernel
# finds the connection only for who names the interface.
cat > "$root/tmp/listener.py" << 'END'
import os, socket, sys
port, interface, onward = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
listener = socket.socket(socket.AF_INET6)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if interface != "-":
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
listener.bind(("::", port))
listener.listen()
print("listening", flush=True)
while True:
    connection = listener.accept()[0]
    if os.fork() == 0:
        listener.close()
        os.dup2(connection.fileno(), 0)
        os.dup2(connection.fileno(), 1)
        os.closerange(3, 100)
        os.execv(onward[0], onward)
    connection.close()
END
listen() {  # PORT INTERFACE PROGRAM...
  on_exec dmz python3 /tmp/listener.py "$@" > "$TMPDIR/listener.$1" 2>&1 < /dev/null &
  wait_until 10 grep -q listening "$TMPDIR/listener.$1"
}
listen 33002 wan /usr/sbin/sshd -i
for family in 4 6; do
  lab_family $family
  proxy_allow cat
  is "$(ssh_to -p 33002 "bear@$SQUASH" cat <<< hello)" hello 'a session through an sshd that is bound to an interface'
  mkfifo "$TMPDIR/in.$family"
  on_exec outside -u bear ssh -o LogLevel=ERROR -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    -p 33002 "bear@$SQUASH" cat < "$TMPDIR/in.$family" > "$TMPDIR/out.$family" 2>&1 &
  session=$!
  : > "$TMPDIR/out.$family"
  exec {held}> "$TMPDIR/in.$family"
  echo hello >&$held
  wait_until 20 grep -q hello "$TMPDIR/out.$family"
  like "$(proxy_rule_lines)" "$(proxy_pattern "$OUTSIDE" "$SQUASH" 33001 "$INSIDE1" 33001)" 'has its pinhole'
  on dmz "$LAB_PREFIX/bin/asp-reap"
  is "$(proxy_open_sessions)" 1 'which asp-reap takes for living'
  kill -KILL $session
  wait $session 2> /dev/null
  ok 'and it is gone when the client is' wait_until 20 eval '[ "$(proxy_open_sessions)" = 0 ]'
  exec {held}>&-
done
lab_family 4
proxy_allow cat

# A link-local address -----------------------------------------------------------------------
link_local=$(on dmz ip -6 -o address show dev wan scope link | awk '{ sub("/.*", "", $4); print $4; exit }')
if [ -n "$link_local" ]; then
  is "$(ssh_to -p 33001 "bear@$link_local%wan" cat; echo $?)" "This proxy serves no client that comes from a link-local address (fe80::).
77" 'a client with a link-local address is told so'
  like "$(lab_log dmz)" "ERR SSH_CONNECTION 'fe80::[^']*%[^']*' is of a link-local address" 'and the log says why'
else
  skip 'no link-local address here' 'a client with a link-local address is told so'
fi

# REDIRECT -----------------------------------------------------------------------------------
on dmz iptables -t nat -A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 33001
like "$(ssh_to -p 443 "bear@$SQUASH" cat < /dev/null)" '^This proxy does not permit that' 'a REDIRECT leads to an address without a rule'
like "$(lab_log dmz)" "ERR .*no rule [^:]*matches bear at $DMZ:33001[^:]*no rule has that address: a REDIRECT" 'the log says what it looks like'
on dmz iptables -t nat -F PREROUTING
on dmz iptables -t nat -A PREROUTING -p tcp -d "$SQUASH" --dport 443 -j DNAT --to-destination "$SQUASH:33001"
is "$(ssh_to -p 443 "bear@$SQUASH" cat <<< hello)" hello 'a DNAT does not'

# A multiplexer ------------------------------------------------------------------------------
listen 444 - /usr/bin/python3 -c "
import os, select, socket
there = socket.create_connection(('127.0.0.1', 33001))
pairs = {0: there.fileno(), there.fileno(): 1}
while True:
    for one in select.select(list(pairs), [], [])[0]:
        some = os.read(one, 65536)
        if not some: os._exit(0)
        os.write(pairs[one], some)
"
like "$(ssh_to -p 444 "bear@$SQUASH" cat < /dev/null)" '^This proxy does not permit that' 'through a multiplexer on the host'
like "$(lab_log dmz)" 'ERR .*no rule [^:]*matches bear at 127.0.0.1:33001[^:]*the client is this host itself' 'the log says so'
lab_guide_config | sed "s|<rules>|<rules><rule host_ip=\"127.0.0.1\"><host>$INSIDE1</host><squash_user>xfer</squash_user><keyfile>$LAB_PREFIX/etc/ssh_keys/id_ed25519</keyfile></rule>|;
  s|</CONF>|<default><aspshell_commands><command>cat</command></aspshell_commands></default></CONF>|" | lab_config
is "$(ssh_to -p 444 "bear@$SQUASH" cat <<< hello)" hello 'with a rule for that address it works'
like "$(lab_log dmz)" 'LOG No UDP came from 127.0.0.1, which is this host itself' 'but for UDP, and the log says why'

# A NAT that gives the UDP another port in mid session -----------------------------------------
lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/inside"
proxy_session changed outside bear "$SQUASH" cat
on outside python3 "$LAB_LIB/udp.py" send "$OUTSIDE:40001" "$SQUASH:33001" one
wait_until 10 grep -q one "$TMPDIR/inside"
wait_until 10 proxy_pinned 40001 33001
on outside python3 "$LAB_LIB/udp.py" send "$OUTSIDE:40002" "$SQUASH:33001" two
on dmz conntrack -D -p udp --orig-port-src 40001 > /dev/null 2>&1  # in the place of two minutes of silence
proxy_end changed
nok '(another port is not let in)' grep -q two "$TMPDIR/inside"
like "$(lab_log dmz)" "LOG The UDP flow from $OUTSIDE:40001 was over before its session: .* a NAT on the way" 'the log says what it may have been'
# A kernel without IPv6 ------------------------------------------------------------------------
without() { on dmz python3 "$LAB_SOURCE/t/hosts/no-ipv6.py" "$LAB_PREFIX/bin/asperaproxy" "$@" 2>&1; }
like "$(without start)" 'the kernel has no IPv6, but aspera.conf has rules for it' 'start says that rules for IPv6 cannot work'
is "$(without start | grep -c IPv6)" 1 'once'
like "$(without check)" 'FAIL +ip6tables: the kernel has no IPv6, but aspera.conf has rules for it - # boot without' 'the doctor says what would help'
lab_config << END
<CONF><server><rproxy><enabled>true</enabled><rules>
<rule host_ip="$SQUASH"><host>$INSIDE1</host><squash_user>xfer</squash_user><keyfile>$LAB_PREFIX/etc/ssh_keys/id_ed25519</keyfile></rule>
</rules></rproxy></server></CONF>
END
unlike "$(without start)" 'IPv6' 'where no rule needs it, start is silent'
like "$(without check)" 'ok +ip6tables: the kernel has no IPv6; no rule of aspera.conf needs it' 'and the doctor content'
done_testing
