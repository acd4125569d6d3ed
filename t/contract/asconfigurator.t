#!/bin/bash
# asconfigurator: what it changes and what it leaves alone, beside other editors,
# when killed, and when there is no room; each status.
#
# All of it happens in a mount namespace of its own, with a tmpfs on /run.
. "${0%/*}/../lib/alone.sh"

install -m 755 "${BUILD:-build}/bin/asconfigurator" "${BUILD:-build}/bin/asuserdata" $tmp
dir=/run/etc
conf=$dir/aspera.conf
set_conf() { timeout 20 $tmp/asconfigurator -c $conf "$@"; }
value() { $tmp/asuserdata -a -c $conf | sed -n "s/^$1: //p" | head -n 1; }
# files: all in the directory, hidden ones too.
files() { find $dir -mindepth 1 -printf '%f\n' | sort | xargs; }

# fresh: an empty directory with a file that is hard on editors.
fresh() {
  rm -rf $dir
  mkdir $dir
  printf '%s' "$document" > $conf
}
read -rd '' document << 'END'
<?xml version="1.0" encoding="UTF-8"?>
<!-- <CONF><server><http_port>1</http_port></server></CONF> -->
<CONF version="2">
	<other a='x>y' b="&#x41;&amp;/>"><![CDATA[<server><http_port>2</http_port></server>]]>&#65;</other>
	<?pi </CONF> ?>
  <server><!-- <http_port>3</http_port> -->
    <http_port><![CDATA[80]]>&#x39;<!-- four -->1</http_port>   <!-- <http_port>5</http_port> -->
    <cert_file> /etc/a&amp;b/&#x41; </cert_file>
    <rproxy>
      <enabled >false</enabled
      >	<!-- on later -->
      <rules>
        <rule host_ip = '192.0.2.1'>
          <host>203.0.113.10:22</host>
          <keyfile>/keys/$(user)</keyfile>
        </rule>
      </rules>
    </rproxy>
  </server>
</CONF>
<!-- </CONF> -->
END

# Who waits for the lock in vain; looked at further down.
mkdir /run/held
(
  exec 9> /run/held/aspera.conf.lock
  flock 9
  SECONDS=0
  timeout 20 $tmp/asconfigurator -c /run/held/aspera.conf -x 'set_server_data;http_port,82' > /dev/null 2> /run/held/err 9>&-
  echo $? > /run/held/result
  echo $SECONDS > /run/held/seconds
) &
giving_up=$!

# --- what scripts for the original send ------------------------------------------------

fresh
status 0 'items on stdin' set_conf <<< $'# a comment\nset_server_data;http_port,83\n\nset_node_data;read_allowed,true'
is "$(grep -c 'http_port: "[0-9]*" -> "83"\|read_allowed: not set -> "true"' <<< "$out")" 2 'each is done'
status 0 'a command without set_ and _data, blanks, a semicolon at the end' set_conf -x 'user; user_name, faspex; absolute , /srv/a b; read_allowed,false;'
like "$out" 'user faspex: absolute: not set -> "/srv/a b"' 'is understood'
status 0 '-f with an item' set_conf -f 'set_server_data;http_port,84'
like "$out" 'http_port: "83" -> "84"' 'is one'
cp $conf $tmp/other.conf
status 0 'the file as an operand' $tmp/asconfigurator -F 'set_server_data;http_port,85' $tmp/other.conf
like "$(cat $tmp/other.conf)" '>85' 'is changed'
status 64 'two files: exit 64' $tmp/asconfigurator -F 'set_server_data;http_port,86' $tmp/other.conf $tmp/new.conf
rm $tmp/other.conf*

# --- 64 -----------------------------------------------------------------------------

fresh
status 64 'without an item: exit 64' set_conf
like "$err" '^asconfigurator: an item is needed; usage: asconfigurator .*-x item' 'the usage'
status 64 'an operand: exit 64' set_conf -x 'set_server_data;http_port,1' 'set_server_data;http_port,2'
status 64 'an unknown option: exit 64' set_conf -y
status 64 'an unknown command: exit 64' set_conf -x 'set_trunk_data;http_port,1'
like "$err" 'there are set_server_data, set_node_data, set_user_data and set_group_data' 'the commands'
status 64 'an unknown name: exit 64' set_conf -x 'set_server_data;rproxy_loglevel,1'
like "$err" 'did you mean rproxy_log_level\? \(asuserdata -\+ lists the names\)' 'the name that was meant'
status 64 'a wrong value: exit 64' set_conf -x 'set_server_data;rproxy_log_level,high'
like "$err" "rproxy_log_level: 'high' is not valid; expected a number from 0 to 2" 'what is expected'
status 64 'no file of items: exit 64' set_conf -f $tmp/none
cmp -s $conf <(printf '%s' "$document")
tap_result $? 'the file is as it was'
is "$(files)" aspera.conf 'and alone'

# --- what is changed, and what is not -------------------------------------------------

# edited SED ITEM...: does each ITEM change just what SED does?
edited() {
  local wanted=$1 item
  local -a items=()
  shift
  for item; do items+=(-x "$item"); done
  fresh
  status 0 "$*" set_conf "${items[@]}"
  is "$err" '' 'silently'
  cmp $conf <(printf '%s' "$document" | sed -z "$wanted")
  tap_result $? 'no other byte is changed' || diag "$(diff <(printf '%s' "$document") $conf)"
  cmp $conf.bak <(printf '%s' "$document")
  tap_result $? 'the .bak is the file before'
  is "$(files)" 'aspera.conf aspera.conf.bak' 'nothing else is left'
}

edited 's/>false</>true</' 'set_server_data;rproxy_enabled,true'
is "$out" 'rproxy_enabled: "false" -> "true"' 'says what it changed'
edited 's/<!\[CDATA\[80\]\]>&#x39;<!-- four -->1/9191/' 'set_server_data;http_port,9191'
is "$out" 'http_port: "8091" -> "9191"' 'reads CDATA and references'
is "$(value http_port)" '"9191"' 'asuserdata reads the new value'
edited 's,> /etc/a&amp;b/&#x41; <,>/x \&amp; \&lt;y\&gt; "z";<,' 'set_server_data;cert_file,/x & <y> "z"\;'
is "$(value cert_file)" '"/x & <y> \"z\";"' 'a value with special characters is read back'
edited 's,\n *<cert_file>[^\n]*,,' 'set_server_data;cert_file,AS_NULL'
is "$out" 'cert_file: "/etc/a&b/A" -> not set' 'AS_NULL takes the line away'
edited 's,<http_port><!.CDATA.80[^\n]*1</http_port>,,' 'set_server_data;http_port,AS_NULL'
edited 's,\(\n *\)</rule>,\1  <squash_user>xfer</squash_user>&,; s,22</host>,2222</host>,; s/>false</>true</' \
  'set_server_data;rproxy_rules_rule_squash_user,xfer;rproxy_enabled,true' 'set_server_data;rproxy_rules_rule_host,203.0.113.10:2222'
is "$out" 'rproxy_rules_rule_squash_user: not set -> "xfer"
rproxy_enabled: "false" -> "true"
rproxy_rules_rule_host: "203.0.113.10:22" -> "203.0.113.10:2222"' 'a line for each value'

document=$'\xEF\xBB\xBF'${document//$'\n'/$'\r\n'}
edited 's,\(\r\n *\)</rule>,\1  <udp_linger>5</udp_linger>&,' 'set_server_data;rproxy_rules_rule_udp_linger,5'
document=${document//$'\r'/}
document=${document/'encoding="UTF-8"'/"encoding='ISO-8859-1'"}
document=${document#$'\xEF\xBB\xBF'}$'<!-- \xE4 -->'
edited 's,> /etc/a&amp;b/&#x41; <,>/\&#228;\&#8364;<,' $'set_server_data;cert_file,/\xC3\xA4\xE2\x82\xAC'
is "$(value cert_file)" '"/\xc3\xa4\xe2\x82\xac"' 'characters that the encoding lacks are read back'
document=${document%<!--*}
document=${document/"encoding='ISO-8859-1'"/'encoding="UTF-8"'}

# --- the guide's own examples ------------------------------------------------------------

fresh
chmod 644 $conf
status 0 'tokens for uploads' set_conf -F 'set_user_data;user_name,faspex;authorization_transfer_in_value,token'
is "$out" 'user faspex: authorization_transfer_in_value: not set -> "token"' 'says whose value'
status 0 'tokens for downloads' set_conf -F 'set_user_data;user_name,faspex;authorization_transfer_out_value,token'
status 0 'their key' set_conf -F 'set_user_data;user_name,faspex;token_encryption_key,my_secret_key'
is "$out" 'user faspex: token_encryption_key: not set -> "********"' 'is not shown'
like "$err" 'all users can read it \(mode 0644\)' 'says who can read it'
is "$($tmp/asuserdata -a -c $conf | sed -n '/^user: "faspex"/,$p' | grep -E 'transfer|token')" \
  'authorization_transfer_in_value: "token"
authorization_transfer_out_value: "token"
token_encryption_key: "********"' 'asuserdata reads all three'
is "$(grep -c '<name>faspex</name>' $conf)" 1 'of one user'
chmod 600 $conf
status 0 'a key in a file of root alone' set_conf -x 'set_node_data;token_encryption_key,other' -x 'set_group_data;group_name,g;read_allowed,true'
is "$err" '' 'needs no warning'
is "$out" 'default: token_encryption_key: not set -> "********"
group g: read_allowed: not set -> "true"' 'of defaults and groups, too'
status 64 'a secret that is not valid' set_conf -x $'set_node_data;token_encryption_key,hunter2\xff'
unlike "$out$err" hunter2 'is not repeated'

# --- nothing to do ---------------------------------------------------------------------------

fresh
before=$(stat -c '%i %Y %Z' $conf)
status 0 'what is so already: exit 0' set_conf -x 'set_server_data;http_port,8091;rproxy_log_level,AS_NULL'
is "$out" 'http_port: "8091" as before
rproxy_log_level: not set as before' 'says so'
is "$(stat -c '%i %Y %Z' $conf) $(files)" "$before aspera.conf" 'nothing is written'

# --- more than there is ---------------------------------------------------------------------------

fresh
status 0 'a log level of the original that is higher than ours: exit 0' set_conf -x 'set_server_data;rproxy_log_level,3'
is "$out" 'rproxy_log_level: not set -> "2"' 'is the highest that there is'
like "$err" '^asconfigurator: warning: rproxy_log_level: 3 counts as 2, the highest value allowed$' 'with a warning'
status 64 'but not any number' set_conf -x 'set_server_data;rproxy_log_level,99999999'

# --- all or nothing -----------------------------------------------------------------------------

# unchanged CODE PATTERN NAME ARGUMENT...
unchanged() {
  local code=$1 pattern=$2 name=$3 before
  shift 3
  before=$(sha256sum < $conf)
  status "$code" "$name: exit $code" set_conf "$@"
  like "$err" "$pattern" 'says why'
  is "$out" '' 'nothing on stdout'
  is "$(sha256sum < $conf) $(files)" "$before aspera.conf" 'the file is as it was, and alone'
}
fresh
unchanged 64 "'maybe' is not valid" 'a wrong item after a good one' -x 'set_server_data;http_port,1' -x 'set_server_data;enable_http,maybe'
unchanged 78 "nothing was changed: the file would be invalid: $conf:19:5: proxy: port_range_low 5000 is above port_range_high 80" \
  'values that do not go together' -x 'set_server_data;http_port,1;proxy_port_range_high,80'
unchanged 78 'the file would be invalid: .*: rule: needs a <host>' 'a rule that would lack its host' -x 'set_server_data;rproxy_enabled,true;rproxy_rules_rule_host,AS_NULL'
sed -i 's,<host>.*</host>,<hosts><host>a</host></hosts>,' $conf
unchanged 78 'would be invalid: .*: hosts: host and hosts together; keep one' 'host beside hosts' -x 'set_server_data;rproxy_rules_rule_host,203.0.113.11'
fresh
sed -i 's,</rule>,</rule>\n        <rule><host>b</host><keyfile>/k</keyfile></rule>,' $conf
unchanged 78 'rproxy_rules_rule_host: there are 2 <rule>, on lines 13 and 17; edit the file$' 'two rules' -x 'set_server_data;rproxy_rules_rule_host,203.0.113.11'
unchanged 78 'there are 2 <rule>' 'two rules and AS_NULL' -x 'set_server_data;rproxy_rules_rule_squash_user,AS_NULL'

fresh
sed -i 's/>false</>yes</' $conf
unchanged 78 "the file is invalid \(see asuserdata -v\), and still would be: $conf:10:7: enabled: 'yes'" 'a file that is invalid' -x 'set_server_data;http_port,1'
status 0 'can be mended: exit 0' set_conf -x 'set_server_data;rproxy_enabled,true'
is "$out" 'rproxy_enabled: "yes" -> "true"' 'says how'
fresh
sed -i 's,</rproxy>,,' $conf
unchanged 78 "^asconfigurator: $conf:[0-9]+:[0-9]+: mismatched tag" 'a file that is not XML' -x 'set_server_data;http_port,1'
: > $conf
unchanged 78 'no element found' 'an empty file' -x 'set_server_data;http_port,1'
head -c 5000000 /dev/zero > $conf
unchanged 78 'larger than' 'a file that is too large' -x 'set_server_data;http_port,1'

# --- items from a file ------------------------------------------------------------------------------

fresh
printf '# two\n\nset_server_data;http_port,81\nset_user_data;user_name,bear;absolute,/b' > $tmp/items
status 0 'items of a file' set_conf -x 'set_server_data;http_port,80' -f $tmp/items
is "$out" 'http_port: "8091" -> "80"
http_port: "80" -> "81"
user bear: absolute: not set -> "/b"' 'in the order given, the last without newline'
status 0 'items on stdin' set_conf -f - <<< 'set_server_data;http_port,82'
is "$(value http_port)" '"82"' 'are set'
fresh
printf 'set_server_data;http_port,81\nset_server_data;http_port,0\n' > $tmp/items
unchanged 65 "$tmp/items:2: http_port: '0' is not valid" 'a wrong line' -f $tmp/items
unchanged 65 'stdin: more than 65536 bytes' 'too many of them' -f - < /dev/zero
unchanged 65 'stdin:1: an item has control characters; does the file have DOS' 'DOS line ends' -f - < <(printf 'set_server_data;http_port,81\r\n')
unchanged 65 'stdin:1: an item has control characters' 'a NUL' -f - < <(printf '\0set_server_data;http_port,81\n')

# --- owner, mode and what else belongs to the file --------------------------------------------------------

fresh
chown 1234:5678 $conf
chmod 640 $conf
# ACL: rw- for the owner, r-- for user 99, r-- for the group, mask r--, nothing for others.
python3 -IS - $conf << 'END'
import os, struct, sys
os.setxattr(sys.argv[1], "security.selinux", b"system_u:object_r:etc_t:s0\0")
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in (
    (1, 6, 2**32 - 1), (2, 4, 99), (4, 4, 2**32 - 1), (16, 4, 2**32 - 1), (32, 0, 2**32 - 1)))
os.setxattr(sys.argv[1], "system.posix_acl_access", acl)
END
tap_result $? 'an ACL and a label to keep'
attributes() {
  stat -c '%u %g %a' "$1"
  python3 -IS -c 'import os, sys; print([(n, os.getxattr(sys.argv[1], n)) for n in sorted(os.listxattr(sys.argv[1]))])' "$1"
}
before=$(attributes $conf)
like "$before" 'security.selinux.*posix_acl_access' 'are there'
(umask 077; set_conf -x 'set_server_data;http_port,81' > /dev/null)
is "$(value http_port)" '"81"' 'a change'
is "$(attributes $conf)" "$before" 'keeps owner, mode, ACL and label'
is "$(attributes $conf.bak)" "$before" 'the .bak has them, too'
set_conf -x 'set_server_data;http_port,82' > /dev/null
like "$(< $conf.bak)" '<http_port>81<' 'the .bak is always the last version'

fresh
rm $conf
status 0 'AS_NULL where there is no file' set_conf -x 'set_server_data;http_port,AS_NULL'
is "$(files)" '' 'makes none'
(umask 077; set_conf -x 'set_server_data;http_port,81' 2> $tmp/err > /dev/null)
like "$(< $tmp/err)" "made $conf, which did not exist" 'a file that is not there is made, and that is said'
is "$(stat -c '%U %a' $conf) $(files)" 'root 644 aspera.conf' 'readable by all'
is "$(value http_port)" '"81"' 'and valid'

# --- where names lead ------------------------------------------------------------------------------------------

fresh
mkdir $dir/real $dir/links
mv $conf $dir/real/the.conf
ln -s ../real/the.conf $dir/links/a
ln -s links/a $conf
ln -s /run/elsewhere $dir/real/the.conf.bak
ln -s /run/elsewhere $dir/real/.the.conf.new
status 0 'through symbolic links' set_conf -x 'set_server_data;http_port,81'
is "$(readlink $conf) $(readlink $dir/links/a)" 'links/a ../real/the.conf' 'the links stay'
is "$(find $dir/real -type f -printf '%f\n' | sort | xargs)" 'the.conf the.conf.bak' 'the real file is replaced, its .bak beside it'
nok 'links in the way are not followed' test -e /run/elsewhere
status 0 'a name without directory' env -C $dir/real timeout 20 $tmp/asconfigurator -c the.conf -x 'set_server_data;http_port,82'
ln -sfn nowhere $conf
status 78 'a link that leads nowhere: exit 78' set_conf -x 'set_server_data;http_port,81'
nok 'nothing is made there' test -e $dir/nowhere
status 78 'no directory: exit 78' timeout 20 $tmp/asconfigurator -c /run/none/aspera.conf -x 'set_server_data;http_port,81'
status 78 'a directory: exit 78' timeout 20 $tmp/asconfigurator -c $dir/real -x 'set_server_data;http_port,81'

# --- no right, no room -------------------------------------------------------------------------------------------

fresh
status 77 'in a directory of others: exit 77' setpriv --reuid 65534 --regid 65534 --clear-groups timeout 20 $tmp/asconfigurator -c $conf -x 'set_server_data;http_port,81'
like "$err" 'Permission denied; run it as root, or with sudo$' 'says what it needs'
chmod 777 $dir
status 77 'a file of somebody else: exit 77' setpriv --reuid 65534 --regid 65534 --clear-groups timeout 20 $tmp/asconfigurator -c $conf -x 'set_server_data;http_port,81'
is "$(value http_port) $(files)" '"8091" aspera.conf' 'since its owner could not be kept'
mount --bind $dir $dir && mount -o remount,bind,ro $dir
status 71 'on a file system that is read-only: exit 71' set_conf -x 'set_server_data;http_port,81'
umount $dir

# unwritten: was nothing of it left, and the old file kept?
unwritten() {
  is "$code" 74 "$1: exit 74"
  like "$err" '^asconfigurator: write \.aspera\.conf.*\.new: .*'"$2" 'says why'
  cmp -s $conf $tmp/before
  tap_result $? 'the file is as it was'
  is "$(files)" aspera.conf 'and alone'
}
for ballast in 65536 40960; do  # of 18 pages that are free; the new file needs 6, the .bak as many
  fresh
  mount -t tmpfs -o size=96k tmpfs $dir
  { printf '%s' "$document"; printf '<!--%20000s-->' ' '; } > $conf
  cp $conf $tmp/before
  head -c $ballast /dev/zero > $dir/ballast
  capture set_conf -x 'set_server_data;http_port,81'
  rm $dir/ballast
  unwritten "a full file system ($ballast)" 'No space left on device'
  status 0 'when there is room again: exit 0' set_conf -x 'set_server_data;http_port,81'
  umount $dir
done
fresh
printf '<!--%20000s-->' ' ' >> $conf
cp $conf $tmp/before
limited() { (ulimit -f 8; set_conf "$@"); }
capture limited -x 'set_server_data;http_port,81'
unwritten 'a limit on the size of files' 'File too large'

fresh
set_conf -x 'set_server_data;http_port,81' > /dev/full 2> $tmp/err
is $? 74 'nobody hears what was done: exit 74'
is "$(value http_port)" '"81"' 'but it is done'

# --- several at once ---------------------------------------------------------------------------------------------------

fresh
pids=
for i in {1..20}; do
  set_conf -x "set_user_data;user_name,user$i;absolute,/home/$i" > /dev/null 2>> $tmp/errors &
  pids+=" $!"
done
failed=0
for pid in $pids; do wait "$pid" || failed=$((failed + 1)); done
is "$failed" 0 'of 20 at once each succeeds'
is "$($tmp/asuserdata -a -c $conf | grep -c '^absolute: "/home/')" 20 'and no change is lost'
is "$(files)" 'aspera.conf aspera.conf.bak' 'no lock is left'

fresh
exec 9> $conf.lock
flock 9
set_conf -x 'set_server_data;http_port,81' > /dev/null 2>&1 9>&- &
waiting=$!
opened_lock() { [ "$(find /proc/*/fd -lname $conf.lock -path "/proc/[0-9]*" 2> /dev/null | cut -d/ -f3 | sort -u | wc -l)" -ge 2 ]; }
ok 'while another holds the lock' wait_until 5 opened_lock
is "$(value http_port)" '"8091"' 'nothing is changed'
flock -u 9
wait $waiting
is "$? $(value http_port)" '0 "81"' 'who waits goes on when it is free'
exec 9>&-

wait $giving_up
is "$(< /run/held/result)" 75 'who waits in vain gives up: exit 75'
like "$(< /run/held/err)" '/run/held/aspera.conf.lock: still locked( by process [0-9]+ \([a-z0-9-]+\))? after 10 s' 'says so'
seconds=$(< /run/held/seconds)
ok 'after 10 s' test "$seconds" -ge 10 -a "$seconds" -le 15

# --- killed ---------------------------------------------------------------------------------------------------------------

# For 2 s, or longer where it is hit too seldom, killed at random points while it changes a long file from one state
# to the other: each time the file, and the .bak, is one of the two, whole.
fresh
printf '<!--%200000s-->' ' ' >> $conf
set_conf -x 'set_server_data;http_port,80' > /dev/null
cat > $tmp/kill.py << 'END'
import os, random, subprocess, sys, time
tool, conf = sys.argv[1:]
def text(name):
    with open(name, "rb") as f:
        return f.read()
def command(port):
    return [tool, "-c", conf, "-x", f"set_server_data;http_port,{port}"]
def run(port):
    subprocess.run(command(port), check=True, stdout=subprocess.DEVNULL)
run(81)
states = {text(conf), text(conf + ".bak")}
begin = time.monotonic()
run(80)
run(81)
took = (time.monotonic() - begin) / 2
random.seed(1)
killed = changed = midway = torn = 0
begin = time.monotonic()
port = 80
def enough():
    return killed >= 20 and midway >= 2 and changed >= 2
while torn == 0 and time.monotonic() < begin + (2 if enough() else 45):
    before = text(conf)
    process = subprocess.Popen(command(port), stdout=subprocess.DEVNULL)
    time.sleep(random.uniform(0, 1.2 * took))
    process.kill()
    killed += process.wait() != 0
    after = text(conf)
    torn += after not in states or text(conf + ".bak") not in states
    midway += any(name.endswith(".new") for name in os.listdir(os.path.dirname(conf)))
    if after != before:
        changed += 1
        port = 161 - port
print(f"{killed} killed, {midway} of them while writing, {changed} changed, {torn} torn", file=sys.stderr)
sys.exit(torn > 0 or not enough() or len(states) != 2)
END
status 0 'killed at any point it leaves a whole file' timeout 60 python3 -IS $tmp/kill.py $tmp/asconfigurator $conf
diag "$err"
for left in $conf.lock $dir/.aspera.conf.new $dir/.aspera.conf.bak.new; do echo left > "$left"; done
status 0 'and what is left of it does not disturb the next' set_conf -x 'set_server_data;http_port,4242'
is "$(value http_port) $(files)" '"4242" aspera.conf aspera.conf.bak' 'who clears it away'

done_testing
