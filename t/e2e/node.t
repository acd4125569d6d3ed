#!/bin/bash
# An internal server with the suite's own tools: people outside browse and transfer through the
# proxy, and nothing of theirs leaves their docroot there.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside inside1 inside2
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null  # behind the border
# As an administrator would: the suite, docroots, aspshell as the shell.
for node in inside1 inside2; do
  lab_install_suite "$node" "$(lab_root "$node")"
  on "$node" usermod -s /bin/aspshell xfer
  on "$node" usermod -s /bin/aspshell bobcat
  on "$node" install -d -o xfer -g xfer /srv/xfer /srv/xfer/in "/srv/xfer/of $node"
  on "$node" install -d -o bobcat -g bobcat /srv/bobcat /srv/bobcat/mine
  # As the lines for the group sallyport.
  printf '%s\n' 'Match User xfer,bobcat' '  ForceCommand /opt/aspera/proxy/bin/aspshell' '  DisableForwarding yes' 'Match all' \
    > "$(lab_root "$node")/etc/ssh/sshd_config.d/node.conf"
  lab_sshd "$node" stop
  lab_sshd "$node" start
  on "$node" sh -c 'echo secret > /srv/secret; chmod 644 /srv/secret; ln -s /srv /srv/xfer/up'
done
node() {  # MORE-IN-PATH [AUTHORIZATION]
  for node in inside1 inside2; do
    lab_config "$node" << END
<CONF version="2"><default>${2:+<authorization><transfer>$2</transfer></authorization>}<file_system><access><paths><path><absolute>/srv/\$(name)</absolute>${1-}</path></paths></access></file_system></default></CONF>
END
  done
}
check() { on inside1 "$LAB_PREFIX/bin/asperaproxy" check; }
squash="<keyfile>$LAB_PREFIX/etc/ssh_keys/id_ed25519</keyfile><squash_user>xfer</squash_user>"
proxy() {
  {
    echo '<CONF><server><rproxy><enabled>true</enabled><rules>'
    for address in "$SQUASH" "$SQUASH_6"; do
      echo "<rule host_ip=\"$address\" host_domain=\"node2.example.com\"><host>$INSIDE2_AT:22</host>$squash</rule>"
      echo "<rule host_ip=\"$address\"><host>$INSIDE1_AT:22</host>$squash</rule>"
    done
    for address in "$INDIVIDUAL" "$INDIVIDUAL_6"; do
      echo "<rule host_ip=\"$address\"><host>$INSIDE1_AT:22</host><keyfile>/home/\$(user)/.ssh/id_ed25519</keyfile></rule>"
    done
    echo '</rules></rproxy></server></CONF>'
  } | lab_config
}
# browse USER ADDRESS SCRIPT: the answers to operations that are parted by "; ".
browse() { on outside -u "$1" timeout 60 python3 "$LAB_LIB/ascmd_client.py" "$3" ssh -p 33001 "$1@$2" 'ascmd -V2'; }
copy() { on outside -u "$1" timeout 120 asp-cp -P 33001 "${@:2}"; }
sum() { on "$1" sha256sum "$2" | cut -d ' ' -f 1; }
on outside -u bear bash -c 'head -c 3M /dev/urandom > report'
on outside -u bobcat bash -c 'head -c 3M /dev/urandom > report'
# Two names that lead to the proxy, under which its host key is known.
named() { printf 'Host node2.example.com\n  HostName %s\n  HostKeyAlias [%s]:33001\n' "$SQUASH" "$SQUASH"; }
md5=$(on outside md5sum /home/bear/report | cut -d ' ' -f 1)

for family in 4 6; do
  lab_family $family
  proxy
  node

  is "$(browse bear "$SQUASH" 'as_ls /; as_mkdir "/in/to day"; as_ls /in; as_mv "/in/to day" /in/day; as_ls /in; as_rm /in/day; as_ls /in')" \
    'dir in of inside1 up
success
dir to day
success
dir day
success
dir' 'squash: list, make, rename, delete, from the docroot'
  is "$(browse bear "$SQUASH" '--host=node2.example.com; as_ls /')" 'dir in of inside2 up' 'another server, chosen by the host that the client asks for'
  is "$(browse bear "$SQUASH" 'as_ls /up; as_ls /up/secret; as_ls /srv/secret; as_md5sum ../secret; as_cp /up/secret /in/x')" 'file up 4
error 2
error 2
error 2
error 2' 'and nothing beside it'
  status 0 'a file goes up, to a path from the docroot' copy bear /home/bear/report "bear@$SQUASH_AT:/in/"
  is "$(browse bear "$SQUASH" 'as_ls /in; as_md5sum /in/report')" "dir report
md5sum $md5" 'is listed, and whole'
  is "$(on inside1 stat -c %U /srv/xfer/in/report)" xfer 'and belongs to the squash user'
  on outside -u bear rm -rf down tree
  status 0 'and comes down' copy bear "bear@$SQUASH_AT:/in/../in/report" /home/bear/down
  is "$(sum outside /home/bear/down)" "$(sum outside /home/bear/report)" 'whole'
  status 0 '.. ends at the docroot' copy bear /home/bear/report "bear@$SQUASH_AT:../../in/second"
  is "$(browse bear "$SQUASH" 'as_ls in')" 'dir report second' 'with the other'
  on outside -u bear sh -c 'mkdir -p tree/sub; cp report tree/sub; echo x > tree/x'
  status 0 'a tree goes up' copy bear -r /home/bear/tree "bear@$SQUASH_AT:in"
  on outside -u bear rm -rf tree
  on inside1 ln -sf /srv/secret /srv/xfer/in/tree/out
  status 74 'and comes down' copy bear -r "bear@$SQUASH_AT:/in/tree" /home/bear
  like "$err" '/in/tree/out: No such file or directory' 'but for a link that leads out'
  is "$(on outside find /home/bear/tree -type f -printf '%P\n' | sort | xargs)" 'sub/report x' 'all else is there'
  on outside -u bear rm -rf tree
  nok 'a file elsewhere does not go up' copy bear /home/bear/report "bear@$SQUASH_AT:/tmp/report"
  nok 'nor through a link' copy bear /home/bear/report "bear@$SQUASH_AT:up/report"
  nok 'and none comes down' copy bear "bear@$SQUASH_AT:../secret" /home/bear/secret
  nok 'nor through a link' copy bear "bear@$SQUASH_AT:/up/secret" /home/bear/secret
  nok 'nothing is there' on inside1 ls /tmp/report /srv/report
  nok 'neither here nor there' on outside ls /home/bear/secret
  browse bear "$SQUASH" 'as_rm /in/second; as_rm /in/tree' > /dev/null
  is "$(browse bear "$SQUASH" 'as_rm /in/report; as_ls /in')" 'success
dir' 'and is deleted'

  # The suite's own client.
  # names OPERAND...: of what --ls prints, without the sizes and times.
  names() { copy bear --ls "$@" | sed -E 's/^(.{10}) +xfer +xfer +[0-9]+ [-0-9]{10} [:0-9]{8}Z /\1 /'; }
  status 0 'asp-cp makes directories' copy bear --mkdir "bear@$SQUASH_AT:/in/a b" "bear@$SQUASH_AT:in/ü"
  is "$out$err" '' 'silently'
  is "$(names "bear@$SQUASH_AT:/in")" 'drwxr-xr-x a b
drwxr-xr-x ü' 'lists them'
  status 0 'renames' copy bear --mv "bear@$SQUASH_AT:/in/a b" "bear@$SQUASH_AT:/in/ü/c"
  status 0 'lists several places' names "bear@$SQUASH_AT:in" "bear@$SQUASH_AT:in/ü"
  is "$out" 'in:
drwxr-xr-x ü

in/ü:
drwxr-xr-x c' 'each under its name'
  on inside1 sh -c 'printf 12345 > /srv/xfer/in/five; touch "/srv/xfer/in/$(printf "bad\\033[31m\\302\\233")"'
  is "$(copy bear --du "bear@$SQUASH_AT:in")" '5 bytes, 2 files, 3 directories: in' 'says how much there is'
  is "$(copy bear --ls --json "bear@$SQUASH_AT:in/five" | python3 -c 'import json,sys; e=json.load(sys.stdin)[0]; print(e["path"], [(x["name"], x["type"], x["size"], x["mode"]) for x in e["entries"]])')" \
    "in/five [('five', 'file', 5, '-rw-r--r--')]" 'as JSON, too'
  like "$(copy bear --ls "bear@$SQUASH_AT:in")" '\\x1b\[31m' 'a name cannot write on the terminal'
  status 74 'a path that is not there' copy bear --rm "bear@$SQUASH_AT:/in/none" "bear@$SQUASH_AT:/in/five"
  is "$err" "asp-cp: $SQUASH: /in/none: No such file or directory" 'is told in a line'
  nok 'and the other is removed' on inside1 ls /srv/xfer/in/five
  status 0 'all of it' copy bear --rm "bear@$SQUASH_AT:in"
  { named; cat "$(lab_root outside)/home/bear/.ssh/config"; } > "$(lab_root outside)/home/bear/named"
  status 0 'from another server, by its name' copy bear --ls -F /home/bear/named bear@node2.example.com:/
  like "$out" 'of inside2' 'which is another'
  on inside1 install -d -o xfer -g xfer /srv/xfer/in

  is "$(browse bobcat "$INDIVIDUAL" 'as_ls /; as_mkdir mine/a; as_ls mine; as_rm mine/a')" 'dir mine
success
dir a
success' 'individual: the user has a docroot of their own'
  status 0 'and sends a file there' copy bobcat /home/bobcat/report "bobcat@$INDIVIDUAL_AT:mine"
  is "$(on inside1 stat -c %U /srv/bobcat/mine/report)" bobcat 'which is theirs'

  node '<write_allowed>false</write_allowed>'
  is "$(browse bobcat "$INDIVIDUAL" 'as_ls mine; as_rm mine/report; as_mkdir x')" 'dir report
error 13
error 13' 'where nothing may be written, nothing is'
  nok 'nor is anything sent' copy bobcat /home/bobcat/report "bobcat@$INDIVIDUAL_AT:mine/again"
  status 77 'which is said' copy bobcat /home/bobcat/report "bobcat@$INDIVIDUAL_AT:mine/again"
  like "$err" 'uploads are not permitted on this server' 'and why'
  on outside -u bobcat rm -f down
  status 0 'it is read' copy bobcat "bobcat@$INDIVIDUAL_AT:/mine/report" /home/bobcat/down

  node '<read_allowed>false</read_allowed><dir_allowed>false</dir_allowed>'
  status 0 'where files may only be written, they are' copy bobcat -r /home/bobcat/report /home/bobcat/.ssh "bobcat@$INDIVIDUAL_AT:mine"
  ok 'whole, with their directories' on inside1 sh -c 'test -s /srv/bobcat/mine/report && test -s /srv/bobcat/mine/.ssh/config'
  status 77 'but not read' copy bobcat "bobcat@$INDIVIDUAL_AT:mine/report" /home/bobcat/down
  like "$err" 'downloads are not permitted on this server' 'which is said'

  node '' '<in><value>token</value></in><out><value>deny</value></out>'
  status 77 'uploads that need a token are refused' copy bobcat /home/bobcat/report "bobcat@$INDIVIDUAL_AT:mine"
  like "$err" 'uploads need a token on this server, and asp-cp has none' 'and why'
  status 77 'downloads that are denied are refused' copy bobcat "bobcat@$INDIVIDUAL_AT:mine/report" /home/bobcat/down
  like "$err" 'downloads are not permitted on this server' 'and why'
  on inside1 rm -r /srv/bobcat/mine/report /srv/bobcat/mine/.ssh
done
like "$(lab_log inside1)" 'aspshell.*LOG Serving user=xfer from=.* docroot=/srv/xfer command=ascmd -V2' 'the log of the server has each command'
like "$(lab_log inside1)" 'ascmd.*LOG Done: as_mkdir /in/to day' 'and what it did'
node
status 0 'asperaproxy check on the node: all is well' check
is "$out" 'ok    node: serves bobcat, xfer in their docroots' 'and nothing of a proxy is asked for'
is "$(on inside1 "$LAB_PREFIX/bin/asuserdata" -u xfer | tail -n 1)" 'docroot_enforced_by: "kernel"' 'asuserdata knows who keeps them there'
on inside1 mv /etc/ssh/sshd_config.d/node.conf /root/
like "$(check)" 'warn  node: AllowStreamLocalForwarding is yes for bobcat, xfer: it leads past the docroot' 'sshd that forwards is found'
on inside1 mv /root/node.conf /etc/ssh/sshd_config.d/
on inside1 mv /srv/xfer /srv/elsewhere
status 1 'a docroot that is missing' check
is "$out" 'FAIL  node: docroot /srv/xfer of xfer: No such file or directory - install -d -m 700 -o xfer -g xfer /srv/xfer' 'is found, with the cure'
like "$(browse bear "$SQUASH" 'as_ls /' 2>&1)" 'The docroot of this account cannot be used' 'a docroot that is missing is told through the proxy'
nok 'and not made' on inside1 ls /srv/xfer
done_testing
