#!/bin/bash
# asuserdata: what it prints, and what it says of each file of the corpus.
. "${0%/*}/../lib/here.sh"

asuserdata=${BUILD:-build}/bin/asuserdata

# --- -v: each file of the corpus, with what is to be said of it -----------------

judged() { (cd t/corpus && "../../$asuserdata" -v -c "$1.conf") 2>&1; }
[[ $asuserdata != /* ]] || judged() { (cd t/corpus && "$asuserdata" -v -c "$1.conf") 2>&1; }
while IFS=$'\t' read -r name message; do
  said=$(judged "$name")
  code=$?
  case $name:$message in
    *:valid) is "$code $said" "0 $name.conf: valid" "$name is accepted" ;;
    odd-*) is "$code $said" "0 $name.conf:$message"$'\n'"$name.conf: valid" "$name is accepted, with a warning" ;;
    *) is "$code $said" "78 asuserdata: $name.conf:$message" "$name is refused, and why" ;;
  esac
done < t/corpus/messages
is "$(cut -f 1 t/corpus/messages | sort)" "$(basename -s .conf t/corpus/*.conf | sort)" 'every file of the corpus was looked at'

head -c 10000000 /dev/zero | tr '\0' ' ' > "$tmp/10MB.conf"
status 78 'a file of 10 MB is refused unread' "$asuserdata" -v -c "$tmp/10MB.conf"
like "$err" '10MB.conf: larger than 4194304 bytes$' 'with its limit'
mkfifo "$tmp/fifo"
status 78 'a FIFO is refused, not waited for' timeout 5 "$asuserdata" -v -c "$tmp/fifo"
like "$err" 'fifo: not a regular file$' 'and why'
status 78 'so is a directory' "$asuserdata" -v -c "$tmp"
status 78 'and a file that is not there' "$asuserdata" -v -c "$tmp/none"
like "$err" 'open .*/none: No such file or directory$' 'and why'

cat > "$tmp/hidden.conf" << 'END'
<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
<rule host_ip="192.0.2.0/24"><users>bear</users><host>10.0.0.1</host><keyfile>/k</keyfile></rule>
<rule host_ip="192.0.2.0/25"><host>10.0.0.1</host><keyfile>/k</keyfile></rule>
<rule host_ip="192.0.2.7"><users>bear</users><host>10.0.0.2</host><keyfile>/k</keyfile></rule>
<rule><host>10.0.0.1</host><keyfile>/k</keyfile></rule>
<rule host_domain="a.example.com"><host>10.0.0.1</host><keyfile>/k</keyfile></rule>
</rules></rproxy></server></CONF>
END
status 0 'a rule that can never match is no fault' "$asuserdata" -v -c "$tmp/hidden.conf"
is "$err" "$tmp/hidden.conf:4: rule: can never match: the rule on line 2 matches all that it would
$tmp/hidden.conf:6: rule: can never match: the rule on line 5 matches all that it would" 'but it is said, with both lines'
cat > "$tmp/mixed.conf" << 'END'
<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
<rule host_ip="192.0.2.1"><host>2001:db8::10</host><keyfile>/k</keyfile></rule>
<rule host_ip="2001:db8:1::/64"><hosts><host>10.0.0.1</host><host>10.0.0.2:2222</host></hosts><keyfile>/k</keyfile></rule>
<rule host_ip="192.0.2.2"><hosts><host>2001:db8::10</host><host>10.0.0.1</host></hosts><keyfile>/k</keyfile></rule>
<rule host_ip="192.0.2.3"><hosts><host>2001:db8::10</host><host>inside1</host></hosts><keyfile>/k</keyfile></rule>
<rule><host>10.0.0.1</host><keyfile>/k</keyfile></rule>
</rules></rproxy></server></CONF>
END
status 0 'a rule whose servers are all of another family than its host_ip is no fault' "$asuserdata" -v -c "$tmp/mixed.conf"
is "$err" "$tmp/mixed.conf:2: rule: serves no transfer: host_ip is IPv4, but every host is IPv6, and UDP cannot be translated between them
$tmp/mixed.conf:3: rule: serves no transfer: host_ip is IPv6, but every host is IPv4, and UDP cannot be translated between them" 'but it is said'
printf '<CONF><server><rproxy><enabled>true</enabled></rproxy></server></CONF>' > "$tmp/none.conf"
"$asuserdata" -v -c "$tmp/none.conf" 2> "$tmp/said" > /dev/null
like "$(cat "$tmp/said")" 'enabled but has no rule' 'and so is a reverse proxy without rules'

# --- -s and -+: the options -----------------------------------------------------

for letter in s +; do
  status 0 "-$letter prints the options" "$asuserdata" "-$letter"
  "$asuserdata" "-$letter" > "$tmp/spec.conf"
  status 0 "what -$letter prints is a valid aspera.conf" "$asuserdata" -v -c "$tmp/spec.conf"
  ok "and well-formed for another parser" python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$tmp/spec.conf"
  is "$("$asuserdata" -a -c "$tmp/spec.conf" | grep -v rproxy_rule_ | sed '/^$/,$d')" \
    "$(printf '<CONF/>' > "$tmp/empty.conf"; "$asuserdata" -a -c "$tmp/empty.conf")" "in which everything has its default"
done
"$asuserdata" -s > "$tmp/spec"
like "$(cat "$tmp/spec")" '<!-- Server Options Spec -->' 'with the heading that the guide names'
like "$(cat "$tmp/spec")" '<proxy_port>33001</proxy_port> +<!-- ' 'and defaults'
"$asuserdata" -+ > "$tmp/spec"
like "$(cat "$tmp/spec")" '<proxy_port>33001</proxy_port> +<!-- rproxy_rules_rule_proxy_port: ' "-+ has asconfigurator's names"
like "$(cat "$tmp/spec")" '<encryption_key></encryption_key> +<!-- token_encryption_key: ' 'also those that are no path'

# --- -a and -u: values in force --------------------------------------------------

me=$(id -un)
group=$(id -gn)
mkdir -p "$tmp/real/$me" && ln -s real "$tmp/link"
cat > "$tmp/values.conf" << END
<CONF version="2"><server><enable_http>true</enable_http><rproxy><enabled>true</enabled><rules>
<rule host_ip="192.0.2.0/24"><hosts><host>10.0.0.1</host><host>10.0.0.2:2222</host></hosts><keyfile>/home/\$(user)/"k\\</keyfile><source_port_filtering>false</source_port_filtering></rule>
</rules></rproxy></server>
<default><file_system><access><paths><path><absolute>$tmp/link/\$(name)/none</absolute><read_allowed>true</read_allowed></path></paths></access></file_system></default>
<aaa><realms><realm><users><user><name>somebody</name></user>
<user><name>$me</name><authorization><token><encryption_key>hush</encryption_key></token></authorization></user></users>
<groups><group><name>no-such-group</name><file_system><access><paths><path><write_allowed>true</write_allowed></path></paths></access></file_system></group>
<group><name>$group</name><file_system><access><paths><path><write_allowed>false</write_allowed></path></paths></access></file_system></group></groups></realm></realms></aaa></CONF>
END
"$asuserdata" -a -c "$tmp/values.conf" > "$tmp/all"
for line in 'enable_http: "true"' 'enable_https: "true"' 'rproxy_enabled: "true"' 'rproxy_rule_1_host_ip: "192.0.2.0/24"' \
  'rproxy_rule_1_hosts: "10.0.0.1,10.0.0.2:2222"' 'rproxy_rule_1_keyfile: "/home/$(user)/\"k\\"' \
  'rproxy_rule_1_src_port_filtering: "false"' 'rproxy_rule_1_proxy_port: "33001"' 'user: "somebody"' 'group: "no-such-group"'; do
  ok "-a has $line" grep -qxF "$line" "$tmp/all"
done
status 0 '-u: values of one account' "$asuserdata" -u "$me" -c "$tmp/values.conf"
is "$out" "user: \"$me\"
authorization_transfer_in_value: \"allow\"
authorization_transfer_out_value: \"allow\"
token_encryption_key: \"********\"
absolute: \"$tmp/link/$me/none\"
canonical_absolute: \"$tmp/real/$me/none\"
read_allowed: \"true\"
write_allowed: \"false\"
dir_allowed: \"\"
role: \"\"
confinement: \"required\"
docroot_enforced_by: \"server\"" 'his own, then those of his group, then of all; links followed; no secret shown'
status 0 'a docroot on a proxy is valid' "$asuserdata" -v -c "$tmp/values.conf"
like "$err" ':4: absolute: nothing on this host enforces the docroot: commands run on the internal server$' 'but nothing there enforces it, which is said'
sed 's|<access>|<access><role>node</role>|' "$tmp/values.conf" > "$tmp/node.conf"
status 0 'on a node' "$asuserdata" -v -c "$tmp/node.conf"
is "$err" '' 'there is nothing to say'
like "$("$asuserdata" -u "$me" -c "$tmp/node.conf")" $'\ndocroot_enforced_by: "kernel"$' '-u says who does'
is "$("$asuserdata" -u "$me" -c t/corpus/good-ascii.conf | tail -n 1)" 'docroot_enforced_by: ""' 'and that there is none'
status 1 'an unknown user is an error' "$asuserdata" -u no-such-user -c "$tmp/values.conf"
like "$err" '^asuserdata: no-such-user: no such user$' 'that says so'
status 0 '-b and -t, which scripts give, change nothing' "$asuserdata" -b -t -u "$me" -c "$tmp/values.conf"
like "$out" "^user: \"$me\"" 'the values of the account'
status 0 '-g: values for a group' "$asuserdata" -g "$(id -gn)" -c "$tmp/values.conf"
like "$out" "^group: \"$(id -gn)\"" 'names it'
status 0 '-g: a group of which the file says nothing' "$asuserdata" -g "$(id -gn)" -c t/corpus/good-ascii.conf
status 1 'an unknown group is an error' "$asuserdata" -g nosuchgroup -c "$tmp/values.conf"
is "$err" 'asuserdata: nosuchgroup: no such group' 'that says so'
status 64 '-b alone asks for nothing' "$asuserdata" -b -t
status 78 'a file with a fault has no values in force' "$asuserdata" -a -c t/corpus/bad-no-host.conf

# --- usage ----------------------------------------------------------------------

status 64 'nothing asked' "$asuserdata"
status 64 'two things asked' "$asuserdata" -s -v
status 64 'an operand' "$asuserdata" -s x
status 64 'an unknown option' "$asuserdata" -x
status 74 'a closed stdout is noticed' bash -c '"$1" -s >&-' - "$asuserdata"
done_testing
