#!/bin/bash
# IPv4 and IPv6 at one proxy: each client's session goes to its server by the
# client's own family, and where that cannot be it is refused at once, saying why.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null  # behind the border
key=$LAB_PREFIX/etc/ssh_keys/id_ed25519
configure() {  # hosts
  lab_config << END
<CONF version="2">
  <server><rproxy><enabled>true</enabled><rules>
    <rule><hosts>$1</hosts><squash_user>xfer</squash_user><keyfile>$key</keyfile></rule>
  </rules></rproxy></server>
  <default><aspshell_commands><command udp="false">bash -c %s</command><command>cat</command></aspshell_commands></default>
</CONF>
END
}
through() { on outside -u bear ssh -p 33001 "bear@$SQUASH" "$1" < /dev/null; }
ours() { through "bash -c 'echo \$SSH_CONNECTION'" | cut -d ' ' -f 3; }
errors() { lab_log dmz | grep ' ERR ' | tail -1; }

for family in 4 6; do
  lab_family $family
  inside4=$INSIDE1_4 inside6=$INSIDE1_6
  if [ $family = 4 ]; then other="[$inside6]" by=IPv4 is_by=IPv6; else other=$inside4 by=IPv6 is_by=IPv4; fi

  configure "<host>$other:22</host>"
  started=$(date +%s%N)
  status 78 "a client of a rule that leads to $is_by alone is refused" through cat
  ok 'at once, not after silence' test $((($(date +%s%N) - started) / 1000000)) -lt 3000
  is "$err" 'This proxy is misconfigured. Tell the administrator.' 'with one line'
  like "$(errors)" "rule 1 \(line 3\): client $OUTSIDE comes by $by, but $(literally "$other"):22 is $is_by: the UDP cannot be translated between them session=" \
    'and the log says why'
  is "$(proxy_rules)" 0 'there is no rule'
  is "$(ours)" "$(tr -d '[]' <<< "$other")" 'a command without UDP may cross'

  configure "<host>$other:22</host><host>$INSIDE1_AT:22</host>"
  is "$(ours)" "$INSIDE1" 'where some servers fit, one of them is taken'
  # Its name has addresses of both families.
  configure "<host>inside1.$LAB_DOMAIN</host>"
  proxy_session named outside bear "$SQUASH" cat
  like "$(proxy_rule_lines)" "$(proxy_pattern "$OUTSIDE" "$SQUASH" 33001 "$INSIDE1" 33001)" \
    'a server given by name is reached by the family of the client'
  proxy_end named
  is "$proxy_status" 0 'and serves'
done
done_testing
