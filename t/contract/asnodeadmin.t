#!/bin/bash
# asnodeadmin: what becomes of the list of users, how passwords get in and where
# they do not get out, beside others and when killed; each status.
#
# All of it happens in mount and process namespaces of its own, with a tmpfs on
# /run and in the place of the suite, and with accounts of its own.
. "${0%/*}/../lib/alone.sh"

suite asnodeadmin
etc=$prefix/etc
users=$etc/node_users.conf
account sallyport-node 4242
account xfer 4343
account bear 4344
admin() { timeout 20 $prefix/bin/asnodeadmin "$@"; }
# without FILE NAME: takes an account, or a group, away
without() { own_etc "$1" < <(sed "/^$2:/d" "/etc/$1"); }
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"; }
# files: all beside the list, hidden ones too.
files() { find $etc -mindepth 1 -printf '%f\n' | sort | xargs; }
# opens NAME PASSWORD: does it match the hash? (crypt(3) of the system says so, not we.)
opens() {
  perl -e '$_ = (split /:/, (grep { (split /:/)[0] eq $ARGV[0] } <STDIN>)[0])[1]; exit(crypt($ARGV[1], $_) ne $_)' "$1" "$2" < $users
}
# Who waits for the lock in vain, in a place of his own; looked at further down.
unshare -m bash -c "mount -t tmpfs tmpfs $etc; exec 9> $users.lock; flock 9; $prefix/bin/asnodeadmin -a -u x -x xfer -p x; echo \$?" > $tmp/vain 2>&1 &
vain=$!
read -rd '' empty << 'END'
List of Node API user(s):
user          system/transfer       user acls
============= ===================== =====================
END

# --- the list, and the guide's own commands --------------------------------------------

status 0 'a list that is not there: exit 0' admin -l
is "$out" "$empty" 'is empty'
is "$(files)" '' 'and is not made'
status 0 'add, with the words of the guide: exit 0' admin -au node_api_user -p password -x xfer
is "$err" 'node_api_user: added' 'says so'
is "$out" '' 'and nothing on stdout'
is "$(stat -c '%U:%G %a' $users)" 'root:sallyport-node 640' 'root alone writes the file, the service reads it'
is "$(files)" node_users.conf 'and nothing else stays'
ok 'the password opens it' opens node_api_user password
nok 'another does not' opens node_api_user passwor
status 0 'list: exit 0' admin -l
is "$out" "$empty
node_api_user xfer                  []" 'has the user'
status 0 'a name that is longer than the column' admin --add --user a_rather_long_name@example.com -x bear -p x --acl-add admin
status 0 'list' admin --list
is "$out" 'List of Node API user(s):
user                           system/transfer       user acls
============================== ===================== =====================
node_api_user                  xfer                  []
a_rather_long_name@example.com bear                  [admin]' 'widens it'
unlike "$(cat $users)" ':(password|x):' 'no password is in the file'
status 64 'the guide as it is printed, a dash lost' admin -au other -p password x xfer
like "$err" "^asnodeadmin: 'x' is not an option; they begin with a dash: -x account; usage: " 'says what is missing'

# --- change, delete -------------------------------------------------------------------------

hash() { sed -n "s/^$1:\([^:]*\):.*/\1/p" $users; }
before=$(hash node_api_user)
status 0 'another account' admin -mu node_api_user -x bear
like "$(admin -l)" 'node_api_user +bear +\[\]' 'is his'
is "$(hash node_api_user)" "$before" 'the password is as before'
status 0 'another password' admin -m -u node_api_user -p 'se:cret ö'
ok 'opens it' opens node_api_user 'se:cret ö'
nok 'the old one does not' opens node_api_user password
status 0 'the same password once more' admin -m -u a_rather_long_name@example.com -p 'se:cret ö'
nok 'has another hash' test "$(hash node_api_user)" = "$(hash a_rather_long_name@example.com)"
for step in '--acl-add admin=[admin]' '--acl-add admin=[admin]' '--acl-del admin=[]' '--acl-del admin=[]' '--acl-set admin=[admin]' '--acl-set =[]'; do
  option=${step% *} value=${step#* }
  status 0 "$option ${value%=*}" admin -m -u node_api_user "$option=${value%=*}"
  is "$(admin -l | sed -n 's/^node_api_user .* //p')" "${value##*=}" 'is done'
done
status 1 'one who is not there cannot be modified' admin -m -u nobody -p x
is "$err" 'asnodeadmin: nobody: there is no such user; see asnodeadmin -l' 'says so'
status 1 'nor deleted' admin -d -u nobody
status 1 'nor added twice' admin -a -u node_api_user -p x -x xfer
is "$err" 'asnodeadmin: node_api_user: exists already; change it with -m' 'says so'
ok 'and stays as he is' opens node_api_user 'se:cret ö'
status 0 'delete' admin -du a_rather_long_name@example.com
is "$(admin -l | tail -n +4)" 'node_api_user bear                  []' 'leaves the others'

# --- passwords ---------------------------------------------------------------------------------

status 0 'from stdin' admin -m -u node_api_user -p - <<< 'from stdin'
ok 'opens' opens node_api_user 'from stdin'
status 0 'without a newline' admin -m -u node_api_user -p - < <(printf 'no newline')
ok 'opens' opens node_api_user 'no newline'
longest=$(printf '%0255d' 0)
status 0 '255 bytes' admin -m -u node_api_user -p "$longest"
ok 'open' opens node_api_user "$longest"
weak() {  # ABOUT INPUT: refused alike from stdin and as an argument
  status 65 "$1: exit 65 on stdin" admin -m -u node_api_user -p - < <(printf '%b' "$2")
  like "$err" '^asnodeadmin: ' 'says why'
  unlike "$err" 'hidden' 'and not the password'
  [[ $2 = *'\0'* ]] || status 65 "$1: exit 65 as an argument" admin -m -u node_api_user -p "$(printf '%b.' "$2" | sed '$s/\.$//')"
}
weak 'nothing' ''
weak 'two lines' 'hidden\nmore'
weak 'a tab' 'hid\tden'
weak 'an escape' 'hidden\033[m'
weak 'a NUL' 'hidden\0001'
weak '256 bytes' "${longest}1"
status 65 'an empty line' admin -m -u node_api_user -p - <<< ''
status 65 'without end' admin -m -u node_api_user -p - < /dev/zero
status 65 'closed stdin' eval 'admin -m -u node_api_user -p - <&-'
ok 'the password is as before' opens node_api_user "$longest"

# Seen from outside once it runs: it waits for the lock here.
exec 9> $users.lock
flock 9
$prefix/bin/asnodeadmin -mu node_api_user -x xfer -p hidden-one 2> /dev/null &
one=$!
$prefix/bin/asnodeadmin -mu node_api_user -phidden-two 2> /dev/null &
two=$!
waits() { grep -qaF '***' "/proc/$1/cmdline"; }
wait_until 10 waits $one
wait_until 10 waits $two
unlike "$(cat /proc/$one/cmdline /proc/$two/cmdline | tr '\0' ' ')" hidden 'a password is not to be seen on the command line of who runs'
like "$(tr '\0' ' ' < /proc/$one/cmdline)" '-p \*{10} $' '(asterisks are)'
rm $users.lock
exec 9>&-
wait $one $two
nok 'and asterisks are not what is hashed' opens node_api_user '**********'

# on_terminal EXPECTED ANSWERS COMMAND...: with a terminal, which $screen is what
# it showed; ANSWERS, parted by commas, are each typed when a question is there.
# ECHO, the last line: whether the terminal shows what is typed afterwards.
cat > $tmp/on_terminal.py << 'END'
import os, pty, select, sys, termios, time
answers = [a.encode().decode("unicode_escape").encode("latin1") for a in sys.argv[1].split(",")] if sys.argv[1] else []
master, slave = pty.openpty()
pid = os.fork()
if pid == 0:
    os.login_tty(os.dup(slave))
    os.execv(sys.argv[2], sys.argv[2:])
echoes = lambda: bool(termios.tcgetattr(slave)[3] & termios.ECHO)
screen = b""
end = time.monotonic() + 20
status = None
def end_of():
    global status
    if status is None:
        done, code = os.waitpid(pid, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(code)
    return status is not None
while time.monotonic() < end:
    over = end_of()
    if select.select([master], [], [], 0 if over else 0.02)[0]:
        screen += os.read(master, 4096)
    elif over:
        break
    if answers and screen.rstrip(b"\r\n") .endswith(b": ") and not echoes():
        screen += b"|"
        os.write(master, answers.pop(0))
sys.stdout.write(screen.decode("latin1").replace("\r", ""))
print("echo" if echoes() else "silent")
if status is None:
    os.kill(pid, 9)
    status = 99
sys.exit(status if status >= 0 else 128 - status)
END
on_terminal() {
  local expected=$1 answers=$2 about=$3
  shift 3
  status "$expected" "$about" timeout 30 setsid -w python3 $tmp/on_terminal.py "$answers" $prefix/bin/asnodeadmin "$@"
}
on_terminal 0 'typed one\n,typed one\n' 'typed twice: exit 0' -au typist -x xfer
is "$out" 'Password for typist: |
Again: |
typist: added
echo' 'is not shown, and what comes afterwards is'
ok 'opens' opens typist 'typed one'
on_terminal 0 'typed two\n,typed two\n' 'to modify without saying what asks, too' -m -u typist
ok 'and that opens' opens typist 'typed two'
on_terminal 65 'one\n,two\n' 'not the same twice: exit 65' -m -u typist
like "$out" 'asnodeadmin: the two passwords differ' 'says so'
on_terminal 65 '\n' 'nothing: exit 65' -m -u typist
unlike "$out" Again 'and is not asked again'
on_terminal 65 '\x04' 'end of input: exit 65' -m -u typist
on_terminal 130 'half\x03' 'interrupted: dies of it' -m -u typist
like "$out" $'\necho$' 'with the terminal as it was'
on_terminal 1 '' 'who is there is found out before anybody types' -a -u typist -x xfer
unlike "$out" Password '(not asked)'
on_terminal 65 '' 'so is the account' -a -u third -x nobody-here
unlike "$out" Password '(not asked)'
ok 'the password is as before' opens typist 'typed two'
status 64 'no terminal: exit 64' setsid -w timeout 20 $prefix/bin/asnodeadmin -m -u typist < /dev/null
is "$err" 'asnodeadmin: ask for the password: there is no terminal; give it on standard input, with -p -' 'says what else there is'

# --- backup, reload, the rest ---------------------------------------------------------------------

list=$(cat $users)
status 0 'backup: exit 0' admin -b $tmp/backup
is "$(cat $tmp/backup)" "$list" 'is the list'
is "$(stat -c '%U %a' $tmp/backup)" 'root 600' "is root's alone"
status 74 'never over another file: exit 74' admin -b $tmp/backup
like "$err" "create $tmp/backup: File exists" 'says so'
ln -s $tmp/victim $tmp/link
status 74 'nor through a link' admin -b $tmp/link
nok 'whose end is not made' test -e $tmp/victim
status 0 'backup with a change' admin -d -u typist -b $tmp/before
is "$(cat $tmp/before)" "$list" 'is how it was'
unlike "$(admin -l)" typist 'and the change is made'
status 74 'a change whose backup fails: exit 74' admin -d -u node_api_user -b $tmp/before
like "$(admin -l)" node_api_user 'is not made'
install -o root -g sallyport-node -m 640 $tmp/backup $users
status 0 'the way back' admin --reload
is "$err" 'asnodeadmin: 2 users; the file is valid, and in force since it was changed' 'is checked'
status 0 'reload beside a change' admin -mu typist -x bear --reload
without passwd bear
status 0 'an account that is gone' admin --reload
like "$err" 'warning: typist: there is no account bear any more' 'is told'
status 0 '-A: exit 0' as_nobody $prefix/bin/asnodeadmin -A
like "$out" '^admin  ' 'has the ACLs'
status 0 '-h: exit 0' as_nobody $prefix/bin/asnodeadmin -h
like "$out" '--acl-add' 'has the options'

# --- what is refused ----------------------------------------------------------------------------------

list=$(cat $users)
# refused STATUS PATTERN ABOUT ARGUMENT...
refused() {
  local code=$1 pattern=$2 about=$3
  shift 3
  status "$code" "$about: exit $code" admin "$@"
  like "$err" "$pattern" 'says why'
  is "$(grep -cv '^       asnodeadmin ' <<< "$err")" 1 'in a line, besides the forms of the usage'
}
refused 64 'one of -a, -m' nothing
refused 64 'only one action at a time' 'two things' -a -d -u x
refused 64 'only one action at a time' 'list and reload' -l --reload
refused 64 '-u name is needed' 'no name' -a -x xfer -p x
refused 64 '-x account is needed' 'no account' -a -u x -p x
refused 64 'twice' 'two names' -d -u x -u y
refused 64 'unknown option -z' 'an unknown option' -z
refused 64 'unknown option --zz' 'an unknown long one' --zz
refused 64 '--user needs an argument' 'an argument is missing' -au
refused 64 'is not an option' 'an operand' -l x
refused 64 '-p cannot be combined' 'a password to delete' -d -u x -p y
refused 64 '-u cannot be combined' 'a name to list' -l -u x
refused 64 '--acl-del cannot be combined' 'to take away from who is new' -a -u x -x xfer -p y --acl-del admin
refused 64 "'root' is not an ACL" 'another ACL' -m -u typist --acl-add root
refused 64 'is not an ACL' 'two ACLs' -m -u typist --acl-set admin,admin
refused 64 "'' is not an ACL" 'no ACL to add' -m -u typist --acl-add ''
refused 64 'one of --acl' 'add and delete' -m -u typist --acl-add admin --acl-del admin
for name in '' '#x' -x 'a b' a:b a/b a,b $'a\nb' ä "$(printf '%065d' 0)"; do
  refused 64 'is not a name for a user' "the name $(printf %q "$name")" -a -u "$name" -x xfer -p x
done 2> /dev/null < /dev/null
for account in nobody-here '' 'root:x' $'root\nx' -x; do
  refused 65 'there is no such account' "the account $(printf %q "$account")" -a -u new -p x -x "$account"
done
for args in '-l' '-d -u typist' '-m -u typist -p x' '--reload' "-b $tmp/other"; do
  # shellcheck disable=SC2086
  status 77 "without rights, $args: exit 77" as_nobody $prefix/bin/asnodeadmin $args
  like "$err" 'run it as root, or with sudo$' 'says what it needs'
done
status 74 'stdout that is full' eval 'admin -l > /dev/full'
status 74 'stdout that is closed' eval 'admin -l >&-'
is "$(cat $users)" "$list" 'after all that, the list is as before'
is "$(files)" node_users.conf 'and alone'

without group sallyport-node
refused 71 'find the group sallyport-node: there is none; make the account as INSTALL says' 'no group' -d -u typist
echo 'sallyport-node:x:4242:' >> $tmp/etc/group
is "$(cat $users)" "$list" 'changes nothing'
# spoilt PATTERN ABOUT COMMAND: the list is refused as a whole, and not mended by accident.
spoilt() {
  eval "$3"
  local after
  after=$(cksum < $users)
  refused 78 "$1" "$2" -l
  refused 78 "$1" "$2, to change" -a -u new -x xfer -p x
  is "$(cksum < $users)" "$after" 'and stays as it is'
  rm -rf $users
  install -o root -g sallyport-node -m 640 $tmp/backup $users
}
spoilt 'node_users.conf:4: not name:hash' 'a line too many' "echo half >> $users"
spoilt 'is given twice' 'a name twice' "cat $tmp/backup >> $users"
spoilt 'writable by root alone' 'writable by the group' "chmod 660 $users"
spoilt 'writable by root alone' "another's" "chown xfer $users"
spoilt 'larger than' 'a huge one' "truncate -s 2M $users"
rm $users
mkdir $users
refused 78 'not a regular file' 'a directory' -l
rmdir $users
install -o root -g sallyport-node -m 640 $tmp/backup $users

# --- beside others ---------------------------------------------------------------------------------------

rm $users
adding=()
for i in 1 2 3 4 5 6 7 8 9 10; do
  (for j in 1 2; do admin -a -u "user-$i-$j" -x xfer -p x 2> /dev/null || echo failed; done) > $tmp/failed-$i &
  adding+=($!)
done
wait "${adding[@]}"
is "$(cat $tmp/failed-*)" '' 'ten that add at once all succeed'
is "$(admin -l | grep -c '^user-')" 20 'and none is lost'
is "$(files)" node_users.conf 'nothing else stays'
wait $vain
like "$(xargs < $tmp/vain)" "^asnodeadmin: $users.lock: still locked( by process [0-9]+ \\([a-z0-9-]+\\))? after 10 s 75$" 'a lock that somebody keeps: exit 75'
: > $users.lock
status 0 'a lock that nobody holds any more is none' admin -d -u user-1-1

# Killed at each of its system calls from the lock on: the list is the one or the other.
before=$(cat $users)
after=$(grep -v '^user-2-1:' $users)
torn=0 olds=0 news=0
[ "$(uname -m)" = x86_64 ] || { skip 'knows the system calls of x86-64 alone' 'killed at each system call'; done_testing; }
for call in $(seq 1 60); do
  timeout 20 python3 - $call $prefix/bin/asnodeadmin -d -u user-2-1 << 'END'
# Steps through the program's system calls that change files, and kills it at the Nth.
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
TRACEME, SYSCALL, GETREGS, SETOPTIONS = 0, 24, 12, 0x4200
limit = int(sys.argv[1])
pid = os.fork()
if pid == 0:
    devnull = os.open("/dev/null", os.O_RDWR)
    os.dup2(devnull, 2)
    libc.ptrace(TRACEME, 0, None, None)
    os.kill(os.getpid(), signal.SIGSTOP)
    os.execv(sys.argv[2], sys.argv[2:])
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_, status = os.waitpid(pid, 0)
libc.ptrace(SETOPTIONS, pid, None, 1)
regs = (ctypes.c_ulonglong * 27)()
watched = {1: 'write', 73: 'flock', 74: 'fsync', 91: 'fchmod', 93: 'fchown', 257: 'openat', 263: 'unlinkat', 264: 'renameat'}  # on x86-64
seen = 0
inside = False
signal_to_pass = 0
while True:
    libc.ptrace(SYSCALL, pid, None, ctypes.c_void_p(signal_to_pass))
    _, status = os.waitpid(pid, 0)
    signal_to_pass = 0
    if os.WIFEXITED(status) or os.WIFSIGNALED(status):
        sys.exit(0)
    if os.WSTOPSIG(status) != signal.SIGTRAP | 0x80:
        signal_to_pass = 0 if os.WSTOPSIG(status) == signal.SIGTRAP else os.WSTOPSIG(status)
        continue
    libc.ptrace(GETREGS, pid, None, ctypes.cast(regs, ctypes.c_void_p))
    inside = inside or regs[15] == 73  # before the lock it only reads
    if inside and regs[15] in watched:
        seen += 1
        if seen == limit * 2:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            sys.exit(1)
END
  ended=$?
  case $(cat $users) in
    "$before") olds=$((olds + 1)) ;;
    "$after") news=$((news + 1)) && printf '%s\n' "$before" > $users ;;
    *) torn=$((torn + 1)) && printf '%s\n' "$before" > $users ;;
  esac
  [ $ended = 1 ] || break
done
echo "# killed $call times: $olds before the change, $news after it"
is $torn 0 'killed at each system call, it leaves the list before or after the change'
ok 'and both came about' test $olds -gt 4 -a $news -gt 1
status 0 'what it left is in nobody'\''s way' admin -d -u user-2-1
is "$(files)" node_users.conf 'and is gone'

done_testing
