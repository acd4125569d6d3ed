#!/bin/bash
# asp-cp against a real sshd on 127.0.0.1, in network, mount and process
# namespaces of its own: nothing outside is touched, nothing outlives the test.
. "${0%/*}/../lib/alone.sh"
top=$PWD
W=$tmp/work
mkdir "$W" && cd "$W" || exit

# --- a host with an sshd ----------------------------------------------------

mkdir /run/sshd
mkdir bin far near && cp "$top/${BUILD:-build}/bin/asp-cp" bin/ && chmod 755 bin
chmod 777 near
ssh-keygen -q -t ed25519 -N '' -f host_key
ssh-keygen -q -t ed25519 -N '' -f key
cp key.pub authorized
cat > sshd_config <<END
ListenAddress 0.0.0.0
ListenAddress ::
Port 2222
Port 2223
Port 2224
Port 2225
Port 2226
HostKey $W/host_key
AuthorizedKeysFile $W/authorized
PidFile $W/sshd.pid
StrictModes no
UsePAM no
PermitRootLogin yes
MaxStartups 100
Match LocalPort 2223
  ForceCommand printf '\033]0;evil\007text' >&2; exit 77
Match LocalPort 2224
  ForceCommand exit 127
Match LocalPort 2225
  SetEnv PATH=$W/bin:/usr/bin:/bin ASP_CP_UDP_PORT=40001
Match LocalPort 2226
  SetEnv PATH=${ASP_CP_OTHER:-/none}:/usr/bin:/bin
Match All
  SetEnv PATH=$W/bin:/usr/bin:/bin
END
cat > ssh_config <<END
Host *
  Port 2222
  User root
  IdentityFile $W/key
  UserKnownHostsFile $W/known_hosts
  StrictHostKeyChecking accept-new
  LogLevel ERROR
  BatchMode yes
  # ssh's first choice takes ten times as long, and is not what is tested.
  KexAlgorithms curve25519-sha256
Host alias2
  HostName 127.0.0.4
END
/usr/sbin/sshd -f sshd_config -E sshd.log || { cat sshd.log; echo 'Bail out! sshd does not start'; exit 1; }

cp() { "$W/bin/asp-cp" -F "$W/ssh_config" "$@"; }  # what is tested
sum() { sha256sum < "$1"; }
now() { date +%s%N; }
ms_since() { echo $((($(now) - $1) / 1000000)); }
# The process that has a file open, if one has.
holder() { find /proc/[0-9]*/fd -lname "$1" 2> /dev/null | sed -n 's|^/proc/\([0-9]*\)/.*|\1|p;q'; }
unheld() { [ -z "$(holder "$1")" ]; }
await() {  # deciseconds command...
  local left=$1
  shift
  until "$@"; do
    [ $((left -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}
no_servers() { ! pgrep -f '^asp-cp -S$' > /dev/null; }
size_over() { [ "$(stat -c %s "$1" 2> /dev/null || echo 0)" -gt "$2" ]; }
partials() { find "$1" -name '*.asp-part' | wc -l; }

head -c 3000000 /dev/urandom > three
head -c 20000000 /dev/urandom > twenty
echo hello > hello

# --- failures that take their time run beside the rest ----------------------

mkdir slow1 slow2 slow3
(start=$(now); cp -O 40000 hello 127.0.0.1:$W/slow1/ 2> slow1.err; echo "$? $(ms_since $start)" > slow1.end) &
have_iptables=$(iptables -A OUTPUT -p udp -s 127.0.0.2 --sport 33001 -j DROP 2> /dev/null && echo yes)
[ "$have_iptables" ] &&
  (start=$(now); cp hello 127.0.0.2:$W/slow2/ 2> slow2.err; echo "$? $(ms_since $start)" > slow2.end) &
[ "$have_iptables" ] &&
  (
    cp -l 20M twenty 127.0.0.3:$W/slow3/ 2> slow3.err & client=$!
    await 100 size_over slow3/.twenty.asp-part 2000000
    iptables -A OUTPUT -p udp -d 127.0.0.3 -j DROP
    iptables -A OUTPUT -p udp -s 127.0.0.3 -j DROP
    start=$(now)
    wait $client
    echo "$? $(ms_since $start)" > slow3.end
  ) &

# --- usage ------------------------------------------------------------------

status 64 "no operands: usage" cp
like "$err" '^asp-cp: .*usage: asp-cp ' "and how it is used"
status 64 "two local files: usage" cp hello there
status 64 "two remote files: usage" cp 127.0.0.1:a 127.0.0.1:b
status 64 "sources on two hosts: usage" cp 127.0.0.1:a 127.0.0.2:b near
status 64 "a rate that is none: usage" cp -l fast hello 127.0.0.1:
status 64 "UDP port 0: usage" cp -O 0 hello 127.0.0.1:
status 64 "a host that ssh would take for an option: usage" cp hello -- '-oProxyCommand=touch pwned:x'
status 64 "-S with more words: usage" bin/asp-cp -S -v
nok "and nothing ran" test -e pwned

# --- there and back ---------------------------------------------------------

chmod 640 three && touch -d '2001-02-03 04:05:06.789 UTC' three
status 0 "a file goes up into a directory" cp three "127.0.0.1:$W/far/"
is "$out$err" "" "silent where stderr is not a terminal"
is "$(sum far/three)" "$(sum three)" "its bytes arrive"
is "$(stat -c '%a %.Y' far/three)" "640 $(stat -c %.Y three)" "with permissions and time of modification"
chmod 6755 three
status 0 "and down under a new name" cp "127.0.0.1:$W/far/three" near/new
is "$(sum near/new)" "$(sum three)" "its bytes arrive"
cp three "127.0.0.1:$W/far/set"
is "$(stat -c %a far/set)" 755 "set-user-id is not carried over"
status 0 "over IPv6" cp hello "[::1]:$W/far/six"
is "$(cat far/six)" hello "its bytes arrive"
home=$(realpath --relative-to="$(getent passwd root | cut -d: -f6)" "$W")
status 0 "to a named user's login directory, by a host name of ssh_config" cp hello "root@alias2:$home/far/relative"
is "$(cat far/relative)" hello "its bytes arrive"
status 0 "on the UDP port that the server's environment says" cp -P 2225 -O 40001 hello "127.0.0.1:$W/far/port"
is "$(cat far/port)" hello "its bytes arrive"

mkdir odd back
for name in 'two words' "it's \"quoted\"" $'new\nline' 'ünï©ode' '-rf' '%41%' 'back\slash' '*' '$(id)' '.hidden' \
    "$(printf 'l%.0s' {1..255})" $'\377\376'; do
  printf '%s' "$name" > "odd/$name"
done
: > odd/empty
mkdir far/odd
status 0 "files with odd names, and an empty one, go up" cp -- odd/* odd/.hidden "127.0.0.1:$W/far/odd"
ok "all the same" diff -r odd far/odd
(cd odd && printf '%s\0' * .hidden) | sed -z "s|^|127.0.0.1:$W/far/odd/|" > list
status 0 "and down" xargs -0 -a list sh -c '"$0" -F "$@" "'"$W"'/back"' "$W/bin/asp-cp" "$W/ssh_config"
ok "all the same" diff -r odd back
is "$(partials far)" 0 "no partial file stays"

mkdir -p tree/deep/er tree/closed && echo 1 > tree/one && echo 2 > tree/deep/er/two && ln -s one tree/link && chmod 750 tree/deep
status 74 "a directory without -r is an error" cp tree hello "127.0.0.1:$W/far/"
like "$err" '^asp-cp: read tree: a directory' "that says so"
is "$(cat far/hello)" hello "and the other file is copied all the same"
status 0 "a directory with -r" cp -r tree "127.0.0.1:$W/far/"
ok "all the same" diff -r tree far/tree
is "$(stat -c %a far/tree/deep)" 750 "with its permissions"
status 0 "and down under a new name" cp -r "127.0.0.1:$W/far/tree" near/tree2
ok "all the same" diff -r tree near/tree2
ln -s . tree/loop && mkfifo tree/pipe
status 74 "a tree with a link to a directory and a pipe in it" timeout 20 bin/asp-cp -F ssh_config -r tree "127.0.0.1:$W/far/tree3"
like "$err" 'tree/loop: a symbolic link' "the link is named"
like "$err" 'tree/pipe: neither' "the pipe is named"
is "$(cat far/tree3/deep/er/two)" 2 "and the rest is copied"
rm tree/loop tree/pipe
tty=$(script -qec "'$W/bin/asp-cp' -F '$W/ssh_config' three '127.0.0.1:$W/far/tty'" /dev/null < /dev/null)
like "$tty" '^.three +.*100% +3\.0 MB .*/s' "a bar with percentage and rate on a terminal"
tty=$(script -qec "'$W/bin/asp-cp' -F '$W/ssh_config' -q three '127.0.0.1:$W/far/tty'" /dev/null < /dev/null)
is "$tty" "" "none with -q"

# --- what cannot be read or written -----------------------------------------

nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
install -m 644 key key_of_nobody && chown 65534 key_of_nobody && chmod 600 key_of_nobody
sed "s|$W/key|$W/key_of_nobody|; s|$W/known_hosts|$W/near/known_hosts|" ssh_config > config_of_nobody
echo secret > secret && chmod 600 secret
status 77 "an unreadable source" nobody bin/asp-cp -F config_of_nobody secret hello "127.0.0.1:$W/far/"
like "$err" '^asp-cp: read secret: Permission denied$' "says so"
is "$(cat far/hello)" hello "and the others are copied"
status 77 "a directory that may not be written to" nobody bin/asp-cp -F config_of_nobody "127.0.0.1:$W/far/hello" "$W/far/"
like "$err" 'write .*/far/hello: Permission denied' "says so"
status 74 "a source that is not there, on the server" cp "127.0.0.1:$W/nothing" "127.0.0.1:$W/far/hello" near/
like "$err" "^asp-cp: 127\.0\.0\.1: read $W/nothing: No such file or directory\$" "says where"
is "$(cat near/hello)" hello "and the others are copied"
status 74 "a target directory that is not there" cp hello "127.0.0.1:$W/none/"
like "$err" "^asp-cp: 127\.0\.0\.1: .*$W/none/: No such file or directory\$" "says so"
status 74 "several sources into what is not a directory" cp hello three "127.0.0.1:$W/far/hello"
status 74 "a local target directory that is not there" cp "127.0.0.1:$W/far/hello" none/x
mkdir -p far/clash/hello
status 74 "a directory in a file's place" cp hello "127.0.0.1:$W/far/clash"
like "$err" 'Is a directory' "says so"
mkdir readonly && mount -t tmpfs -o ro tmpfs readonly
status 74 "a read-only file system" cp hello "127.0.0.1:$W/readonly/"
like "$err" 'Read-only file system' "says so"
mkdir small && mount -t tmpfs -o size=1m tmpfs small
status 74 "a full disk on the server" cp three hello "127.0.0.1:$W/small/"
like "$err" '^asp-cp: 127\.0\.0\.1: write .*small/three: No space left on device$' "says so"
is "$(ls -A small)" hello "leaves nothing of the file, and copies what fits"
rm small/hello
status 74 "a full disk here" cp "127.0.0.1:$W/three" small/
is "$(ls -A small)" "" "leaves nothing"
# Where space cannot be reserved the disk fills in the middle.
truncate -s 4m image && mke2fs -q -t ext2 -F image 2> /dev/null && mkdir old && mount -o loop image old 2> /dev/null
if mountpoint -q old; then
  status 74 "a disk that fills in the middle" cp twenty hello "127.0.0.1:$W/old/"
  like "$err" 'old/twenty: No space left on device$' "says so"
  is "$(cat old/hello) $(partials old)" "hello 0" "leaves nothing of the file, and copies what fits"
else
  skip "no loop device or ext2" "a disk that fills in the middle"
fi
head -c 6000000 /dev/urandom > growing
(await 100 size_over far/.growing.asp-part 100000; echo more >> growing) &
status 74 "a source that changes while it is read" cp -l 20M growing "127.0.0.1:$W/far/"
like "$err" '^asp-cp: read growing: it changed while it was read$' "says so"
nok "and is not put in its place" test -e far/growing

# --- broken off, and gone on with -------------------------------------------

mkdir cut
cp -v -l 40M twenty "127.0.0.1:$W/cut/" 2> cut.err & client=$!
await 100 size_over cut/.twenty.asp-part 2000000
start=$(now)
kill -KILL "$(holder "$W/cut/.twenty.asp-part")"
wait $client; code=$?
ok "the server's end killed: the client ends at once" test "$(ms_since $start)" -lt 3000
is "$code" 69 "with 69"
like "$(cat cut.err)" "127\.0\.0\.1: .*the server's end was lost" "says so"
nok "no half file under its name" test -e cut/twenty
kept=$(stat -c %s cut/.twenty.asp-part)
cp -v twenty "127.0.0.1:$W/cut/" 2> cut.err
like "$(cat cut.err)" "^twenty: 20000000 bytes, $kept resumed" "the next run goes on from all $kept bytes"
is "$(sum cut/twenty) $(partials cut)" "$(sum twenty) 0" "and the file is whole"

cp -l 40M twenty "127.0.0.1:$W/cut/second" 2> /dev/null & client=$!
await 100 size_over cut/.second.asp-part 2000000
pkill -KILL -f 'asp-cp -F .*/cut/second$'
start=$(now)
wait $client 2> /dev/null
await 50 unheld "$W/cut/.second.asp-part"
took=$(ms_since $start)
ok "the client killed: the server's end goes at once ($took ms)" test "$took" -lt 3000
nok "no half file under its name" test -e cut/second
cmp -s <(head -c 1000000 cut/.second.asp-part) <(head -c 1000000 twenty)
ok "what arrived is kept" test $? -eq 0
printf X | dd of=cut/.second.asp-part bs=1 seek=500000 conv=notrunc 2> /dev/null
cp -v twenty "127.0.0.1:$W/cut/second" 2> cut.err
like "$(cat cut.err)" "^twenty: 20000000 bytes, 0 resumed" "a kept part that is damaged is not gone on with"
is "$(sum cut/second)" "$(sum twenty)" "and the file is whole"
head -c 30000000 /dev/zero > cut/.three.asp-part
cp -v three "127.0.0.1:$W/cut/" 2> cut.err
like "$(cat cut.err)" "^three: 3000000 bytes, 0 resumed" "nor is one that is longer than the file"
is "$(sum cut/three)" "$(sum three)" "and the file is whole"

ln twenty twin
cp -l 40M "127.0.0.1:$W/twin" cut/down 2> cut.err & client=$!
await 100 size_over cut/.down.asp-part 2000000
start=$(now)
pkill -KILL -P "$(holder "$W/cut/.down.asp-part")" -x ssh
wait $client; code=$?
ok "ssh killed: the client ends at once" test "$(ms_since $start)" -lt 3000
is "$code" 69 "with 69"
like "$(cat cut.err)" '127\.0\.0\.1: ssh was killed' "says so"
ok "and the server's end goes too" await 10 unheld "$W/twin"
nok "no half file under its name" test -e cut/down
cp -v "127.0.0.1:$W/twenty" cut/down 2> cut.err
like "$(cat cut.err)" "^twenty: 20000000 bytes, [1-9][0-9]* resumed" "a download goes on too"
is "$(sum cut/down)" "$(sum twenty)" "and the file is whole"

# --- trying again -----------------------------------------------------------

mkdir again
cp -v -R 3 -l 40M three twenty "127.0.0.1:$W/again/" 2> again.err & client=$!
await 100 size_over again/.twenty.asp-part 2000000
kill -KILL "$(holder "$W/again/.twenty.asp-part")"
wait $client; code=$?
is "$code" 0 "-R: a transfer that broke off is taken up again"
like "$(cat again.err)" 'lost; trying again in 0\.5 s' "which is said"
like "$(cat again.err)" 'twenty: 20000000 bytes, [1-9][0-9]* resumed' "it goes on from where it was"
is "$(grep -c '^three: ' again.err)" 1 "a file that was there already is not sent again"
is "$(sum again/twenty) $(sum again/three) $(partials again)" "$(sum twenty) $(sum three) 0" "and all is whole"
mkdir -p tree/a tree/b
head -c 1000000 /dev/urandom > tree/a/first
command cp twenty tree/b/second
cp -rv -R 3 -l 40M "127.0.0.1:$W/tree" again/ 2> again.err & client=$!
await 100 size_over again/tree/b/.second.asp-part 2000000
pkill -KILL -P "$(holder "$W/again/tree/b/.second.asp-part")" -x ssh
wait $client; code=$?
is "$code" 0 "a download is taken up again, too"
is "$(grep -c '^tree/a/first: ' again.err)" 1 "and brings nothing twice"
ok "and all is whole" diff -r tree again/tree
mkdir busy
exec {held}> busy/.three.asp-part
flock "$held"
cp -R 9 three "127.0.0.1:$W/busy/" 2> again.err {held}>&- & client=$!
await 100 grep -q 'trying again' again.err
exec {held}>&-
wait $client; code=$?
is "$code" 0 "a partial file that somebody held is waited for"
is "$(sum busy/three)" "$(sum three)" "and the file is whole"
status 69 "no sshd: the tries end" cp -R 2 -P 1 hello "127.0.0.1:$W/again/"
is "$(grep -c 'trying again' <<< "$err")" 2 "after as many as were asked for"
status 69 "a user who is not let in" cp -R 9 hello "no-such-user@127.0.0.1:$W/again/"
unlike "$err" 'trying again' "is not tried again"
status 77 "a command that is not permitted" cp -R 9 -P 2223 hello "127.0.0.1:$W/again/"
unlike "$err" 'trying again' "nor is that"
status 69 "no asp-cp on the server" cp -R 9 -P 2224 hello "127.0.0.1:$W/again/"
unlike "$err" 'trying again' "nor that"
status 74 "a target that is not there" cp -R 9 hello "127.0.0.1:$W/no/such/"
unlike "$err" 'trying again' "nor that"
status 64 "-R: a number" cp -R x hello "127.0.0.1:$W/again/"

# --- the same UDP port for many ---------------------------------------------

mkdir many many2
pids=
for i in 1 2 3 4 5 6 7 8; do
  head -c 4000000 /dev/urandom > "many/$i"
  cp -l 50M "many/$i" "127.0.0.1:$W/many2/" & pids="$pids $!"
done
failed=0
for pid in $pids; do wait "$pid" || failed=$((failed + 1)); done
is "$failed" 0 "eight sessions at once on one UDP port"
ok "all the same" diff -r many many2

# --- with another release ---------------------------------------------------

# ASP_CP_OTHER is the absolute path of a folder with the asp-cp of another release
# (t/lib/carry).
there_and_back() {  # which-ends host asp-cp-and-options...
  local about="$1, $2" host=$2
  shift 2
  rm -rf over && mkdir -p over/up over/down
  status 0 "$about: files go up" "$@" -r twenty pieces "$host:$W/over/up"
  ok "all the same" diff -r pieces over/up/pieces
  is "$(sum over/up/twenty)" "$(sum twenty)" "the large one, too"
  status 0 "$about: and down" "$@" -r "$host:$W/over/up/twenty" "$host:$W/over/up/pieces" over/down
  ok "all the same" diff -r over/up over/down
}
if [ -z "$ASP_CP_OTHER" ]; then
  skip "no asp-cp of another release at hand" "transfers between two releases"
else
  mkdir pieces
  for i in {1..200}; do head -c $((i * 97)) twenty > pieces/$i; done
  for host in 127.0.0.1 '[::1]'; do
    there_and_back "a server of another release" "$host" cp -P 2226
    there_and_back "a client of another release" "$host" "$ASP_CP_OTHER/asp-cp" -F "$W/ssh_config"
  done
fi

# --- on the wire ------------------------------------------------------------

yes 'MARKER-IN-THE-CLEAR' | head -c 900000 > marked
tcpdump -Z root -B 16384 -i lo -w wire.pcap -U udp port 33001 2> tcpdump.err & dump=$!
await 50 grep -q listening tcpdump.err
cp marked "127.0.0.1:$W/far/"
await 50 size_over wire.pcap 300000
kill $dump; wait $dump 2> /dev/null
ok "the data crosses in UDP packets" size_over wire.pcap 300000
nok "and not in the clear" grep -aq MARKER wire.pcap
ok "none is longer than an Ethernet frame carries" \
  test -z "$(tcpdump -nr wire.pcap greater 1515 2> /dev/null)"

start=$(now)
cp -l 10M three "127.0.0.1:$W/far/limited"
took=$(ms_since $start)
ok "-l 10M: 3 MB take about 2.4 s up ($took ms)" test "$took" -gt 2000 -a "$took" -lt 5000
start=$(now)
TIMEFORMAT='%2U %2S'
spent=$({ time cp -l 10M "127.0.0.1:$W/three" near/limited; } 2>&1)
took=$(ms_since $start)
ok "and down ($took ms)" test "$took" -gt 2000 -a "$took" -lt 5000
spent=${spent//./}  # hundredths of seconds, in user and in system mode
ok "without spinning while it waits (CPU: $spent)" test "$((10#${spent% *} + 10#${spent#* }))" -lt 60

# Packets altered on the way: SRT does not notice, the digest does.
if nft add table ip alter 2> /dev/null &&
   nft 'add chain ip alter out { type filter hook output priority 0; }' &&
   nft add rule ip alter out ip daddr 127.0.0.1 udp dport 33001 udp length 1000-1500 @th,5600,8 set 0x55; then
  status 76 "bytes altered on the way" cp three "127.0.0.1:$W/far/altered"
  like "$err" '^asp-cp: 127\.0\.0\.1: .*altered: checksum mismatch' "are noticed"
  nok "and the file is not put in its place" test -e far/altered -o -e far/.altered.asp-part
  nft delete table ip alter
else
  skip "nft cannot alter packets here" "bytes altered on the way"
fi

# --- a hostile client, a hostile server -------------------------------------

open='say=open\nasp_cp=1\ndirection=upload\npassphrase=%064d\nrate=0\nrecursive=0\ntarget=%s\ninto_directory=0\n\n'
server() { printf "$1" "${@:2}" | timeout 5 bin/asp-cp -S; }
status 69 "nothing on stdin" server ''
status 65 "garbage" server 'garbage\n\n'
like "$out" 'say=failed' "is answered in the protocol"
is "$err" "" "and stderr is empty"
status 65 "an endless line" eval 'head -c 1000000 /dev/zero | tr "\0" x | bin/asp-cp -S'
status 65 "a NUL" server 'say=\0open\n\n'
status 65 "too many fields" eval '{ yes a=1 | head -n 100000; } | bin/asp-cp -S'
status 69 "empty lines without end hold nobody for longer than their sender" eval 'yes "" | head -c 3000000 | bin/asp-cp -S'
status 76 "another version of the protocol" server "${open/asp_cp=1/asp_cp=2}" 0 x
status 65 "an unknown field" server "${open/rate/fate}" 0 x
status 65 "a NUL in the target" server "$open" 0 a%%00b
status 74 "a target that is not there" server "$open" 0 /no/such/x
status 69 "a client that goes away" server "$open" 0 x
{ printf "$open" 0 x; sleep 1; } | bin/asp-cp -S > /dev/full 2> full.err
is "${PIPESTATUS[1]} $(cat full.err)" "69 " "an stdout that takes nothing"
{ printf "$open" 0 x; sleep 1; } | bin/asp-cp -S >&- 2> full.err
ok "a closed stdout does no harm" test "${PIPESTATUS[1]}" -lt 128
status 78 "a UDP port in the environment that is none" eval "printf '$open' 0 x | ASP_CP_UDP_PORT=99999 bin/asp-cp -S"

# A server of one user that waits, and behind it one of another user, who is
# the one that the kernel gives the hellos to.
coproc SERVER { cd near && exec setpriv --reuid 65534 --regid 65534 --clear-groups ../bin/asp-cp -S; } 2> /dev/null
exec {first_in}<&"${SERVER[0]}" {first_out}>&"${SERVER[1]}"
session_of() {  # the server's answer
  local line
  while IFS= read -r -t 5 line && [ "$line" ]; do [[ $line == session=* ]] && echo "${line#*=}"; done
}
printf "$open" 0 x >&$first_out
session=$(session_of <&$first_in)
mkfifo second.in second.out
bin/asp-cp -S < second.in > second.out & second=$!
exec {second_out}> second.in {second_in}< second.out
printf "$open" 1 x >&$second_out
session2=$(session_of <&$second_in)
say_hello() {  # key session: one datagram to the server's port
  python3 - "$1" "$2" <<'END'
import hashlib, hmac, socket, sys
text = b"ASPCPHI1" + bytes.fromhex(sys.argv[2]) + b"\0"
proof = hmac.new(sys.argv[1].encode(), text, hashlib.sha256).digest()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(text + proof, ("127.0.0.1", 33001))
END
}
key=$(printf %064d 0)
say_hello "${key/0/1}" "$session"
other=00
[ "${session:0:2}" != 00 ] || other=ff
say_hello "$key" "$other${session:2}"
head -c 57 /dev/urandom > /dev/udp/127.0.0.1/33001
: > /dev/udp/127.0.0.1/33001
head -c 1400 /dev/urandom > /dev/udp/127.0.0.1/33001
heard=$(timeout 1 head -n 1 <&$first_in)
is "$heard" "" "hellos that are forged, foreign or noise are ignored"
say_hello "$key" "$session"
is "$(timeout 2 head -n 1 <&$first_in)" "say=reached" "the right one finds its process behind that of another user"
say_hello "${key/%0/1}" "$session2"
is "$(timeout 2 head -n 1 <&$second_in)" "say=reached" "and so does the other's"
printf 'say=bye\n\n' >&$second_out
is "$(timeout 1 head -n 1 <&$second_in)" "" "a client may speak as soon as it was reached"
exec {first_out}>&- {second_out}>&- {first_in}<&- {second_in}<&-
kill "$SERVER_PID" $second 2> /dev/null
wait $second 2> /dev/null

status 77 "a server that refuses the command" cp -P 2223 hello 127.0.0.1:
is "$err" '\x1b]0;evil\x07text
asp-cp: 127.0.0.1: the server does not permit asp-cp' "its words are shown escaped"
status 69 "a server without asp-cp" cp -P 2224 hello 127.0.0.1:
like "$err" 'there is no asp-cp on the server' "says so"
status 69 "no sshd there" cp -P 2999 hello 127.0.0.1:
like "$err" 'asp-cp: 127\.0\.0\.1: ssh failed' "says so"

# --- the slow failures ------------------------------------------------------

wait_for_end() { await 200 test -s "$1"; }
wait_for_end slow1.end
read -r code took < slow1.end
is "$code: $(cat slow1.err)" "69: asp-cp: no UDP path to 127.0.0.1:40000: check the firewall between" "no UDP to the server"
ok "is known within 15 s ($took ms)" test "$took" -lt 15000
is "$(ls -A slow1)" "" "and leaves nothing"
if [ "$have_iptables" ]; then
  wait_for_end slow2.end
  read -r code took < slow2.end
  is "$code: $(cat slow2.err)" "69: asp-cp: no UDP path to 127.0.0.2:33001: check the firewall between" "no UDP back from the server"
  ok "is known within 15 s ($took ms)" test "$took" -lt 15000
  wait_for_end slow3.end
  read -r code took < slow3.end
  is "$code" 69 "UDP that falls silent in the middle ends the transfer"
  like "$(cat slow3.err)" 'the UDP connection was lost$' "says so"
  ok "within 15 s ($took ms)" test "$took" -lt 15000
  nok "no half file under its name" test -e slow3/twenty
else
  skip "no iptables" "UDP that is blocked one way, or falls silent"
fi
ok "no server's end is left" await 20 no_servers

done_testing
