#!/bin/bash
# Name servers are silent, and the host's own name is in no hosts file. sudo, which asks
# for it at each start, needed 20 s and more before each session.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
proxy_allow cat
dmz=$(lab_root dmz)
check() { on dmz timeout 60 "$LAB_PREFIX/bin/asperaproxy" check | grep ' hosts: '; }
on dmz sed -i 's/ dmz\( \|$\)/ other /' /etc/hosts
found=$(check)
like "$found" "^warn +hosts: /etc/hosts does not have this host's own name, dmz: .* - echo '127.0.1.1 dmz' >> /etc/hosts\$" 'the doctor has the line for /etc/hosts'

# Silence, of which a second is enough to see what it does.
sed -i 's/^hosts:.*/hosts: files dns/' "$dmz/etc/nsswitch.conf"
printf '%s\n' 'nameserver 127.0.0.1' 'options timeout:1' > "$dmz/etc/resolv.conf"
echo 'dmz nothing' > "$dmz/root/names"
on_exec dmz python3 "$LAB_LIB/dns.py" 127.0.0.1:53 /root/names >> "$TMPDIR/asked" 2>&1 &
ok '(name servers are silent)' wait_until 10 grep -q listening "$TMPDIR/asked"

# session: its status, and what was asked for meanwhile
session() {
  : > "$TMPDIR/asked"
  capture on outside -u bear timeout 60 ssh -p 33001 "bear@$SQUASH" cat < /dev/null
}
asked() { grep -c '^dmz ' "$TMPDIR/asked"; }
slow() { lab_log dmz | grep 'ascp_rproxy.*LOG Slow: '; }

session
is "$code|$(asked)" '0|0' 'a session begins, and nobody asks for the name'

# A site that insists on it, or whose settings were not made anew.
echo 'Defaults:%sallyport fqdn' > "$dmz/etc/sudoers.d/zzz-site"
chmod 440 "$dmz/etc/sudoers.d/zzz-site"
session
if [ "$(asked)" = 0 ]; then
  skip 'this sudo asks for no name' 'a slow session says so'
else
  is "$code" 0 'a session that sudo is slow for begins all the same'
  like "$(slow)" 'LOG Slow: sudo took [0-9.]+ s to start a helper session=[0-9a-f-]+ user=bear .*name servers.*asperaproxy check' 'and says so in the log'
  is "$(slow | wc -l)" 1 'in one line'
  on dmz sh -c "${found##* - }"
  session
  is "$code|$(asked)" '0|0' "with the doctor's line nobody asks any more"
  is "$(check)" 'ok    hosts: 127.0.0.1 is localhost' 'and the doctor is content'
fi
done_testing
