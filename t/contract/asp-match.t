#!/bin/bash
# asp-match: stdout, stderr and status of the real binary.
. "${0%/*}/../lib/here.sh"

match=${BUILD:-build}/bin/asp-match

me=$(id -un)
group=$(id -gn)
cat > "$tmp/aspera.conf" << EOF_CONF
<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
<rule host_ip="7.7.8.0/24"><host>10.0.0.20</host><keyfile>/keys/\$(user)/id</keyfile></rule>
<rule host_domain="Faspex.Example.com:33001"><host>10.0.0.30:2222</host><keyfile>/k</keyfile><squash_user>faspex</squash_user></rule>
<rule host_ip="7.7.9.9"><host>10.0.0.40</host><keyfile>/k</keyfile><groups>$group</groups></rule>
<rule host_ip="2001:db8::/64"><hosts><host>[2001:db8:b::10]</host><host>inside2</host></hosts><keyfile>/k</keyfile><proxy_port>0</proxy_port><udp_port_range>40000:40009</udp_port_range></rule>
<rule host_ip="7.7.7.7"><host>10.0.0.10</host><keyfile>/k</keyfile><squash_user>xfer</squash_user><proxy_port>443</proxy_port><udp_port>33002</udp_port><src_port_filtering>false</src_port_filtering><udp_linger>30</udp_linger><connect_timeout>5</connect_timeout><bind_source_address>10.0.0.1</bind_source_address><upstream_reuse>true</upstream_reuse></rule>
</rules></rproxy></server></CONF>
EOF_CONF
sed 's|<enabled>true|<enabled>false|' "$tmp/aspera.conf" > "$tmp/off.conf"

request() {  # proxy [more lines]
  printf 'user=bear\nclient=10.0.31.133:51512\nproxy=%s\n' "$1"
  shift
  [ $# -eq 0 ] || printf '%s\n' "$@"
}
ask() {  # config, then request's
  local config=$1
  shift
  request "$@" | "$match" -c "$config"
}
raw() { printf '%b' "$1" | "$match" -c "$tmp/aspera.conf"; }
explained() { request "$@" | "$match" -e -c "$tmp/aspera.conf"; }

# --- 0: the route -------------------------------------------------------------

status 0 'a rule that matches: exit 0' ask "$tmp/aspera.conf" 7.7.8.1:33001
is "$out" 'rule=1
upstream_user=bear
keyfile=/keys/bear/id
host=10.0.0.20:22
proxy_port=33001
udp_port=33001
src_port_filtering=true' 'the route: defaults written out, the user in the path of the key'
is "$err" '' 'nothing on stderr unless asked'
status 0 'the name decides, in any case, with its port' ask "$tmp/aspera.conf" 7.7.7.8:33001 domain=faspex.EXAMPLE.com
like "$out" 'rule=2' 'rule 2 by host_domain'
like "$out" 'host=10.0.0.30:2222' 'the port of the host is kept'
status 0 'both families are routed' raw 'user=bear\nclient=[2001:db8::99]:51512\nproxy=[2001:db8::1]:33001\ncommand=ascp -S. -V1\n'
is "$out" 'rule=4
upstream_user=bear
keyfile=/k
host=[2001:db8:b::10]:22
host=inside2:22
proxy_port=0
udp_port_range=40000:40009
src_port_filtering=true' 'several hosts, IPv6 in brackets, ports kept'
status 0 'everything a rule can say' ask "$tmp/aspera.conf" 7.7.7.7:33001
is "$out" 'rule=5
upstream_user=xfer
keyfile=/k
host=10.0.0.10:22
proxy_port=443
udp_port=33002
src_port_filtering=false
udp_linger=30
connect_timeout=5
bind_source_address=10.0.0.1
upstream_reuse=true' 'and nothing else'
status 0 'the groups are those of the system' \
  raw "user=$me\nclient=10.0.31.133:1\nproxy=7.7.9.9:22\n"
like "$out" 'rule=3' 'rule 3 by group'
status 0 'a comment, a leading empty line and no newline at the end are fine' \
  raw '\n# who\nuser=bear\nclient=10.0.31.133:1\n#\nproxy=7.7.8.1:22'
status 0 'the answer ends with an empty line' \
  bash -c "printf 'user=bear\nclient=10.0.31.133:1\nproxy=7.7.8.1:22\n' | '$match' -c '$tmp/aspera.conf' | tail -n1 | grep -q '^\$'"

# --- both families ---------------------------------------------------------------

cat > "$tmp/families.conf" << EOF_CONF
<CONF version="2"><server><rproxy><enabled>true</enabled><rules>
<rule host_ip="7.7.7.7"><host>2001:db8:b::10</host><keyfile>/k</keyfile></rule>
<rule host_ip="2001:db8::2"><hosts><host>10.0.0.1</host><host>2001:db8:b::10</host><host>inside2</host></hosts><keyfile>/k</keyfile></rule>

<rule><host>203.0.113.10</host><keyfile>/k</keyfile></rule>
</rules></rproxy></server></CONF>
EOF_CONF
request6() { printf 'user=bear\nclient=[2001:db8::99]:51512\nproxy=%s\n%s' "$1" "${2:+$2
}"; }
ask6() { request6 "$@" | "$match" -c "$tmp/families.conf"; }
explained6() { request6 "$@" | "$match" -e -c "$tmp/families.conf"; }
status 78 'an IPv6 client of a rule that leads to IPv4 servers alone: exit 78' ask6 '[2001:db8::1]:33001'
is "$out|$err" '|asp-match: rule 3 (line 5): client 2001:db8::99 comes by IPv6, but 203.0.113.10:22 is IPv4: the UDP cannot be translated between them' \
  'and why, in one line'
status 78 'the other way round, too' ask "$tmp/families.conf" 7.7.7.7:33001
like "$err" '10.0.31.133 comes by IPv4, but \[2001:db8:b::10\]:22 is IPv6' 'and why'
status 78 '-e says so besides what it says of the other rules' explained6 '[2001:db8::1]:33001'
is "$(grep -c '^rule' <<< "$err") $(tail -1 <<< "$err" | cut -d : -f 1,2)" '3 asp-match: rule 3 (line 5)' 'in the last line'
status 0 'a command without UDP may cross' ask6 '[2001:db8::1]:33001' udp=false
like "$out" 'host=203.0.113.10:22' 'to the other family'
for udp in '' udp=true udp=false; do
  status 0 "where some servers fit, just those are in the route (${udp:-udp not said})" ask6 '[2001:db8::2]:33001' "$udp"
  is "$(grep host= <<< "$out" | xargs)" 'host=[2001:db8:b::10]:22 host=inside2:22' 'a name fits always'
done
status 65 'udp is a boolean' ask6 '[2001:db8::2]:33001' udp=no
status 65 'client and proxy of different families: exit 65' ask6 7.7.7.7:33001
like "$err" 'client and proxy mix IPv4 and IPv6' 'says so'

# --- 1: a normal no -------------------------------------------------------------

status 1 'no rule: exit 1' ask "$tmp/aspera.conf" 9.9.9.9:33001
is "$out$err" '' 'and silence'
status 1 'a user outside the group: exit 1' ask "$tmp/aspera.conf" 7.7.9.9:33001
status 1 'the proxy is off: exit 1' ask "$tmp/off.conf" 7.7.8.1:33001
echo '<CONF/>' > "$tmp/least.conf"
status 1 'no rproxy section: exit 1' ask "$tmp/least.conf" 7.7.8.1:33001

# --- -e -----------------------------------------------------------------------------

status 0 '-e explains' explained 7.7.7.7:33001 domain=faspex.example.com:22
is "$err" "rule 1 (line 2): no: host_ip 7.7.8.0/24 does not contain 7.7.7.7
rule 2 (line 3): no: host_domain faspex.example.com:33001 is not faspex.example.com:22
rule 3 (line 4): no: host_ip 7.7.9.9/32 does not contain 7.7.7.7
rule 4 (line 5): no: host_ip 2001:db8::/64 does not contain 7.7.7.7
rule 5 (line 6): match: host_ip 7.7.7.7/32 contains 7.7.7.7" 'rule by rule, on stderr'
like "$out" '^rule=5' 'stdout stays the route'
status 1 '-e, when no rule matches' explained 9.9.9.9:33001
like "$err" 'no rule matches$' 'says so'
status 1 '-e, a rule with groups' explained 7.7.9.9:33001
like "$err" "bear is not among users - or groups $group" 'names the groups'
status 1 '-e, while the proxy is off' bash -c "printf 'user=b\nclient=1.1.1.1:1\nproxy=2.2.2.2:2\n' | '$match' -e -c '$tmp/off.conf'"
is "$err" 'the reverse proxy is off: <rproxy><enabled> is not true' 'says how to turn it on'
printf '<CONF><server><rproxy><enabled>true</enabled><rules><rule><host>a</host><keyfile>/k</keyfile><users>\xc2\x9b31m</users></rule></rules></rproxy></server></CONF>' > "$tmp/odd.conf"
status 78 'odd bytes in the configuration' bash -c "printf 'user=b\nclient=1.1.1.1:1\nproxy=2.2.2.2:2\n' | '$match' -e -c '$tmp/odd.conf'"
like "$err" '\\xc2\\x9b31m' 'are escaped'

# --- 64: usage --------------------------------------------------------------------

for args in '-x' '-c' '-e operand' 'operand' '--helping' '-e -- operand'; do
  # shellcheck disable=SC2086
  status 64 "asp-match $args: exit 64" "$match" $args < /dev/null
  like "$err" '^asp-match: .*usage: asp-match \[-e\] \[-c aspera.conf\] < request'$'\n''       asp-match .*-u user' 'the usage, a line for each form'
  is "$out" '' 'nothing on stdout'
done

# --- 65: bad input ------------------------------------------------------------------

good='user=bear\nclient=10.0.31.133:51512\nproxy=7.7.8.1:33001\n'
bad() {  # name, text (as for printf %b), pattern
  status 65 "$1: exit 65" raw "$2"
  like "$err" "^asp-match: .*$3" "says why: $3"
  is "$out" '' 'no route'
}
bad 'empty stdin' '' 'no record'
bad 'only empty lines' '\n\n\n' 'no record'
bad 'only comments' '# x\n' 'no record'
bad 'two requests' "$good\n$good" 'more than one record'
bad 'no user' 'client=1.1.1.1:1\nproxy=2.2.2.2:2\n' 'user is missing'
bad 'no client' 'user=bear\nproxy=2.2.2.2:2\n' 'client is missing'
bad 'no proxy' 'user=bear\nclient=1.1.1.1:1\n' 'proxy is missing'
bad 'an unknown name' "${good}host=10.0.0.9:22\n" 'host does not belong here'
bad 'a name twice' "${good}user=root\n" 'user is given twice'
bad 'no equals sign' "${good}garbage\n" "'garbage' is not name=value"
bad 'no name' "${good}=x\n" 'is not a field name'
bad 'an upper-case name' "${good}USER=x\n" 'is not a field name'
bad 'a user with a slash' 'user=../../root\nclient=1.1.1.1:1\nproxy=2.2.2.2:2\n' 'not an account name'
bad 'a user with a dash in front' 'user=-l\nclient=1.1.1.1:1\nproxy=2.2.2.2:2\n' 'not an account name'
bad 'a user with a comma' 'user=a,b\nclient=1.1.1.1:1\nproxy=2.2.2.2:2\n' 'not an account name'
bad 'an empty user' 'user=\nclient=1.1.1.1:1\nproxy=2.2.2.2:2\n' 'not an account name'
bad 'an address without port' 'user=bear\nclient=1.1.1.1\nproxy=2.2.2.2:2\n' "client: '1.1.1.1' is not address:port"
bad 'port 0' 'user=bear\nclient=1.1.1.1:0\nproxy=2.2.2.2:2\n' 'not address:port'
bad 'a name for an address' 'user=bear\nclient=localhost:1\nproxy=2.2.2.2:2\n' 'not address:port'
bad 'a bad domain' "${good}domain=a b\n" 'not name or name:port'
bad 'carriage returns' 'user=bear\r\nclient=1.1.1.1:1\r\nproxy=2.2.2.2:2\r\n' 'control character in user'
bad 'a NUL byte' "${good}command=a\\0000b\n" 'control character in command'
bad 'an escape sequence' "${good}command=\\0033[31m\n" 'control character in command'
bad 'escape sequences without a name' "\\0033]0;owned\\0007\n" ": '\\\\x1b]0;owned\\\\x07' is not"
bad 'JSON' '{"user":"bear"}\n' 'not name=value'
bad 'an overlong name' "$(printf 'a%.0s' {1..65})=x\n" 'is not a field name'
bad 'too many lines' "${good}$(printf '#\\n%.0s' {1..62})" 'more than 64 lines'
status 0 'just as many lines as are allowed' raw "${good}$(printf '#\\n%.0s' {1..61})"
head -c 8100 /dev/zero | tr '\0' x > "$tmp/long"
status 65 'a record over 8 KiB: exit 65' raw "${good}command=$(cat "$tmp/long")$(cat "$tmp/long")\n"
like "$err" 'more than 819[23] bytes' 'says why'
status 0 'a long command within 8 KiB' raw "${good}command=$(cat "$tmp/long")\n"
endless() { "$match" -c "$tmp/aspera.conf" < "$1"; }
status 65 'endless NULs: exit 65, not endless' endless /dev/zero
status 65 'random bytes: exit 65' bash -c "head -c 4000 /dev/urandom | '$match' -c '$tmp/aspera.conf'"
[[ $err == *[![:print:]]* ]]
is $? 1 'and nothing unprintable on stderr'
status 65 'a program: exit 65' endless "$match"

# --- 74: input and output -------------------------------------------------------------

to() { request 7.7.8.1:22 | "$match" -c "$tmp/aspera.conf" > "$1"; }
status 74 'a full disk under stdout: exit 74' to /dev/full
like "$err" '^asp-match: write to descriptor 1: No space left on device$' 'says why'
nobody_reads() {
  request 7.7.8.1:22 > "$tmp/request"
  mkfifo "$tmp/pipe"
  exec 5<> "$tmp/pipe" 6> "$tmp/pipe"  # open both ends, then close the only reader
  exec 5>&-
  "$match" -c "$tmp/aspera.conf" < "$tmp/request" >&6
}
status 74 'a pipe that nobody reads: exit 74, no signal' bash -c "$(declare -f request nobody_reads); match=$match tmp=$tmp; nobody_reads"
stdin_from() { "$match" -c "$tmp/aspera.conf" < "$1"; }
status 74 'stdin is a directory: exit 74' stdin_from /
like "$err" '^asp-match: read record: Is a directory$' 'says why'
closed_in() { "$match" -c "$tmp/aspera.conf" <&-; }
status 65 'closed stdin is an empty one: exit 65' closed_in
closed_out() { request 7.7.8.1:22 | "$match" -c "$tmp/aspera.conf" >&-; }
status 74 'closed stdout: exit 74, for the route went nowhere' closed_out
# The exit code must survive whatever becomes of the message.
mute() { "$match" -x 2> "$1" < /dev/null; }
status 64 'a full disk under stderr changes no exit code' mute /dev/full
closed_err() { "$match" -x 2>&- < /dev/null; }
status 64 'closed stderr changes no exit code' closed_err

# --- 78: configuration ----------------------------------------------------------------

status 78 'no such file: exit 78' ask "$tmp/none.conf" 7.7.8.1:22
is "$err" "asp-match: open $tmp/none.conf: No such file or directory" 'says which'
status 78 'a directory: exit 78' ask "$tmp" 7.7.8.1:22
is "$err" "asp-match: $tmp: not a regular file" 'says so'
: > "$tmp/empty.conf"
status 78 'an empty file: exit 78' ask "$tmp/empty.conf" 7.7.8.1:22
is "$err" "asp-match: $tmp/empty.conf:1:1: no element found; expected <CONF version=\"2\">" 'names file, line and column'
printf '<CONF>\n<server><rproxy>\n  <enable>true</enable></rproxy></server></CONF>' > "$tmp/bad.conf"
status 78 'an unknown element: exit 78' ask "$tmp/bad.conf" 7.7.8.1:22
is "$err" "asp-match: $tmp/bad.conf:3:3: enable: unknown element in rproxy" 'names file, line, column and element'
is "$out" '' 'no route'
printf '<!DOCTYPE c [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><CONF>&b;</CONF>' > "$tmp/bomb.conf"
status 78 'an entity bomb: exit 78' ask "$tmp/bomb.conf" 7.7.8.1:22
truncate -s 4194305 "$tmp/large.conf"
status 78 'more than 4 MiB: exit 78' ask "$tmp/large.conf" 7.7.8.1:22
status 78 'the configuration is read before stdin' ask "$tmp/bad.conf" garbage
if [ "$(id -u)" -eq 0 ]; then
  chmod 755 "$tmp"
  install -m 755 "$match" "$tmp/asp-match"
  chmod 600 "$tmp/aspera.conf"
  as_nobody() { request 7.7.8.1:22 | setpriv --reuid=65534 --regid=65534 --clear-groups "$tmp/asp-match" -c "$tmp/aspera.conf"; }
  status 78 'a file that the user may not read: exit 78' as_nobody
  is "$err" "asp-match: open $tmp/aspera.conf: Permission denied" 'says so'
else
  skip 'needs root' 'a file that the user may not read'
fi

# --- a request as options ----------------------------------------------------------

typed() { timeout 10 "$match" -c "$tmp/aspera.conf" "$@" < /dev/null; }
status 0 'as options: exit 0' typed -u bear -a 7.7.8.1
is "$out" "$(ask "$tmp/aspera.conf" 7.7.8.1:33001)" 'the same answer'
status 0 'with a name that was asked for' typed -u bear -a 7.7.7.8 -d faspex.EXAMPLE.com
like "$out" 'rule=2' 'which decides'
status 0 'by IPv6' typed -u bear -a '[2001:db8::1]:33001'
like "$out" 'rule=4' 'with a client of that family'
for args in '-u bear' '-a 7.7.8.1' '-u bear -a x' '-u a/b -a 7.7.8.1' '-u bear -a 7.7.8.1 -f 2001:db8::9' '-u bear -a 7.7.8.1 -d a/b' '-d a'; do
  # shellcheck disable=SC2086
  status 64 "asp-match $args: exit 64" typed $args
done
status 64 'on a terminal, without options: exit 64' script -qec "timeout 10 '$match' -c '$tmp/aspera.conf'" /dev/null
like "$out" 'a request is needed: on stdin, or by -u and -a' 'it waits for nobody, and says what to type'

done_testing
