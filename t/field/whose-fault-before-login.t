#!/bin/bash
# Whose fault it is: a server that fails in every way before the log-in. What is marked, what
# the user reads, with which status, and the one line in the log; asp-upstream(8).
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
lab_up dmz outside inside1 inside2
. "$LAB_LIB/whose_fault.sh"

each << END
refuse       | host    | 69 | $unreached  | server $INSIDE1:2222: connect $INSIDE1:2222: Connection refused
reset        | host    | 69 | $unreached  | server $INSIDE1:22: (connect|handshake with) $INSIDE1:22: .*
close        | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: server hung up
silence      | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: timed out
garbage      | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: server says: bytes that are not SSH
words        | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: server says: Not allowed at this time
version      | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: .*SSH-1.5-old.*
kex-reset    | host    | 69 | $unreached  | server $INSIDE1:22: handshake with $INSIDE1:22: .*
algorithms   | host    | 76 | $unverified | server $INSIDE1:22: handshake with $INSIDE1:22: kex error.*
other-key    | host    | 76 | $unverified | server $INSIDE1:22: verify host key of $INSIDE1: only keys of other types are in .*
END

# One connection that is turned away is not evidence: a busy sshd does that (MaxStartups).
for mode in close words kex-reset; do
  ask_for "$mode,fine"
  configure "$INSIDE1:22" "$INSIDE2:22"
  forget
  first_turn
  is "$(session bobcat "$SQUASH" 2>&1) $(marked)" 'served ' "$mode, once: it is tried again at once, and serves; nothing is marked"
done
# The first connection is refused, and the next one is not, as of an sshd that is restarted.
ask_for fine
configure "$INSIDE1:22" "$INSIDE2:22"
forget
first_turn
on inside1 iptables -A INPUT -p tcp --dport 22 --syn -m limit --limit 1/day --limit-burst 1 -j REJECT --reject-with tcp-reset
began=${EPOCHREALTIME/./}
is "$(session bobcat "$SQUASH" 2>&1) $(marked)" 'served ' 'refused, once: it is tried again, and serves; nothing is marked'
took=$(((${EPOCHREALTIME/./} - began) / 1000))
ok "a second later: $took ms" test "$took" -ge 1000
on inside1 iptables -F INPUT
ask_for silence,fine
configure "$INSIDE1:22" "$INSIDE2:22"
first_turn
is "$(session bobcat "$SQUASH" 2>&1) $(marked)" "inside2 faulty-$INSIDE1:22" 'silence: it is not tried again'

# A client of another family than the server's address, for whose UDP nothing can be translated.
echo "$INSIDE1 only4.example.net" >> "$root/etc/hosts"
awk '{ print "only4.example.net", $2, $3 }' "$root$LAB_PREFIX/etc/known_hosts" > "$TMPDIR/more"
cat "$TMPDIR/more" >> "$root$LAB_PREFIX/etc/known_hosts"
lab_config << END
<CONF><server><rproxy><enabled>true</enabled><rules><rule host_ip="$SQUASH_6"><hosts><host>only4.example.net</host><host>[$INSIDE2_6]:22</host></hosts>
<squash_user>xfer</squash_user><keyfile>$squash_key</keyfile></rule>
<rule host_ip="$INDIVIDUAL_6"><host>only4.example.net</host><squash_user>xfer</squash_user><keyfile>$squash_key</keyfile></rule>
</rules></rproxy></server><default><aspshell_commands><command>hostname</command></aspshell_commands></default></CONF>
END
forget
for _ in 1 2; do is "$(session bear "$SQUASH_6" 2>&1)" inside2 'a client by IPv6: served by the server that has IPv6'; done
is "$(session bear "$INDIVIDUAL_6" 2>&1; echo $?)" 'The server behind this proxy has no address of the family, IPv4 or IPv6, by which you came.
69' 'where none has, the user reads so'
is "$(marked)" '' 'and no server is marked'
done_testing
