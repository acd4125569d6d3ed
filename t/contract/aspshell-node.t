#!/bin/bash
# aspshell on a transfer node: a command runs here, in the docroot of its account, with the
# rights that aspera.conf gives, and no way leads out of it. On a proxy nothing changes.
. "${0%/*}/../lib/alone.sh"

suite aspshell
printf '#!/bin/sh\necho conducted "$@"\nexit 42\n' > $prefix/libexec/ascp_rproxy
chmod 755 $prefix/libexec/ascp_rproxy
account bear 60001 /home/bear /bin/aspshell
account bobcat 60002 /home/bobcat /bin/aspshell
own_etc group < <(cat /etc/group; echo "staffers:x:60010:bobcat")
mount -t tmpfs -o mode=755 tmpfs /home && mount -t tmpfs -o mode=755 tmpfs /srv
mkdir -p /srv/bear/sub /srv/bear/out /srv/other /home/bear/data
echo inside > /srv/bear/file
echo secret > /srv/other/secret
echo mine > /home/bear/mine
ln -s /srv/other /srv/bear/away
ln -s ../other/secret /srv/bear/away-file
ln -s / /srv/bear/top
mkdir /srv/bear/mounted && mount -t tmpfs -o mode=777 tmpfs /srv/bear/mounted
echo shared > /srv/other/linked && ln /srv/other/linked /srv/other/linked2
chown -R bear:bear /srv/bear /srv/other /home/bear
chown -h bear:bear /srv/bear/away* /srv/bear/top

# With sanitizers system calls are not confined (base/confine.h): what that forbids is left out then.
by_calls='user_namespace|mount_namespace|mount MISSING|events|mptcp|vsock|tcp_by_sending|tcp_unbound'
case ${BUILD-} in *san*) seen() { grep -vxE "$by_calls"; } ;; *) seen() { cat; } ;; esac
python=$(readlink -f "$(command -v python3)")
# conf ELEMENTS-OF-DEFAULT [AAA] [SERVER]
conf() {
  cat > $prefix/etc/aspera.conf << END
<CONF version="2"><server>${3-}</server><default>$1
<aspshell_commands><command udp="false">$python -</command><command udp="false">absent-program</command><command>$python - -M %d</command></aspshell_commands>
</default><aaa><realms><realm>${2-}</realm></realms></aaa></CONF>
END
}
# paths DOCROOT [MORE] [IN-ACCESS]: a file_system
paths() { echo "<file_system><access><paths><path><absolute>$1</absolute>${2-}</path></paths>${3-}</access></file_system>"; }
shell_as() {
  local user=$1
  shift
  setpriv --reuid="$user" --regid="$user" --init-groups env -i SSH_CONNECTION='198.51.100.10 51512 203.0.113.10 22' $prefix/bin/aspshell "$@"
}
# bear SCRIPT: python, as bear's accepted command.
run_as() { printf '%s\n' "$2" | shell_as "$1" -c "$python -"; }

# --- which role ---------------------------------------------------------------------------

conf ''
status 42 'without a docroot: conducted, as ever' shell_as bear -c 'ascmd'
conf "$(paths /srv/bear)" '' '<rproxy><enabled>true</enabled></rproxy>'
status 42 'a docroot on a proxy: conducted, as ever' shell_as bear -c 'ascmd'
is "$out" 'conducted -n -- ascmd' 'with the same words'
conf "$(paths /srv/bear)" '' '<rproxy><enabled>false</enabled><rules><rule host_ip="203.0.113.10"><host>198.51.100.7:22</host><squash_user>xfer</squash_user><keyfile>/k</keyfile></rule></rules></rproxy>'
status 42 'a proxy that is switched off: conducted' shell_as bear -c 'ascmd'
conf "$(paths /srv/bear '' '<role>proxy</role>')"
status 42 'role proxy: conducted' shell_as bear -c 'ascmd'
conf "$(paths '/srv/$(name)')"
status 0 'a docroot, and no proxy: served here' run_as bear 'import os; print(os.getcwd(), open("file").read(), end="")'
is "$out" '/srv/bear inside' 'in the docroot'
conf '' "<users><user><name>bear</name>$(paths /srv/bear '' '<role>node</role>')</user></users>" '<rproxy><enabled>true</enabled></rproxy>'
status 0 'role node for one user of a proxy: served here' run_as bear 'print("here")'
is "$out" here 'and says so'
status 42 'the others are conducted' shell_as bobcat -c "$python -"
conf "$(paths /nowhere)" "<groups><group><name>staffers</name>$(paths /srv/other)</group></groups><users><user><name>bear</name>$(paths '$(home)/data')</user></users>"
status 0 '$(home), and a user before all' run_as bear 'import os; print(os.getcwd())'
is "$out" /home/bear/data 'is theirs'
chmod 755 /srv/other
status 0 'a group before all' run_as bobcat 'import os; print(os.getcwd())'
is "$out" /srv/other 'is theirs'

# --- what there must be ---------------------------------------------------------------------

conf "$(paths '/srv/none/$(name)')"
status 78 'a docroot that is missing' shell_as bear -c "$python -"
is "$out/$err" '/The docroot of this account cannot be used. Tell the administrator.' 'is refused in one line'
ok 'and not made' test ! -e /srv/none
conf "$(paths /srv/bear/file)"
status 78 'a docroot that is a file is refused' shell_as bear -c "$python -"
conf "$(paths s3://bucket/x)"
status 78 'a docroot that is a URL is refused' shell_as bear -c "$python -"
mkdir -m 700 /srv/closed
conf "$(paths /srv/closed)"
status 77 'a docroot that the account may not enter is refused' shell_as bear -c "$python -"
ln -s /srv/bear /srv/link && ln -s / /srv/bear/sub/hers && chown -h bear /srv/bear/sub/hers
conf "$(paths /srv/link)"
status 0 "an administrator's link leads to the docroot" run_as bear 'import os; print(os.getcwd())'
is "$out" /srv/bear 'which is it'
conf "$(paths /srv/bear/sub/hers/home)"
status 78 "somebody else's link does not" shell_as bear -c "$python -"
ln -s /srv/loop /srv/loop
conf "$(paths /srv/loop)"
status 78 'too many symbolic links are refused' shell_as bear -c "$python -"
conf '<file_system><access><role>node</role></access></file_system>'
status 78 'role node without a docroot is refused' shell_as bear -c "$python -"
is "$err" 'This account has no docroot. Tell the administrator.' 'and says so'
conf "$(paths /srv/bear)"
status 71 'a program that is not there' shell_as bear -c 'absent-program'
like "$err" '^This server does not have the program' 'says so'
status 77 'what is not on the list is refused, as ever' shell_as bear -c 'id'
chown bear $prefix/etc/aspera.conf
status 42 "an aspera.conf that is not root's serves nobody here" shell_as bear -c 'ascmd'
chown root $prefix/etc/aspera.conf

# --- no way leads out -----------------------------------------------------------------------

cat > $tmp/tries.py << 'END'
# Each try is a name and a statement; those that succeed are printed.
import ctypes, os, shutil, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def sys_ok(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def read(path): return open(path).read(1)
def make(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644); os.close(fd)
TRIES
for name, act in tries.items():
    try: act()
    except (OSError, shutil.Error) as error:
        if isinstance(error, OSError) and error.errno in (2,) and name not in allowed_missing: print(name, "MISSING")
        continue
    print(name)
END
# tries PYTHON-DICT: what of it succeeds, one a line.
tries() { python3 - "$tmp/tries.py" "$1" << 'END'
import sys
print(open(sys.argv[1]).read().replace("TRIES", "allowed_missing = ()\ntries = dict(" + sys.argv[2] + ")"))
END
}
out_of='
 absolute=lambda: read("/srv/other/secret"), dots=lambda: read("../other/secret"), many_dots=lambda: read("../../../../../../srv/other/secret"),
 link=lambda: read("away/secret"), link_file=lambda: read("away-file"), link_top=lambda: read("top/srv/other/secret"),
 cwd=lambda: read("/proc/self/cwd/../other/secret"), root=lambda: read("/proc/self/root/srv/other/secret"),
 own_home=lambda: read("/home/bear/mine"), conf=lambda: read("/opt/aspera/proxy/etc/aspera.conf"), list_out=lambda: os.listdir("/srv/other"),
 list_root=lambda: os.listdir("/"), list_dots=lambda: os.listdir(".."), list_proc=lambda: os.listdir("/proc"), tmp=lambda: make("/tmp/x"), run_tmp=lambda: make("/run/tmp/x"),
 write_out=lambda: make("/srv/other/new"), write_home=lambda: make("/home/bear/.profile"), through_link=lambda: make("away/new"), write_open=lambda: open("/srv/other/secret", "r+"),
 append=lambda: open("/home/bear/mine", "a"), cut=lambda: os.truncate("/srv/other/secret", 0), cut_link=lambda: os.truncate("away-file", 0),
 cut_reading=lambda: os.open("/srv/other/secret", os.O_RDONLY | os.O_TRUNC), mkdir=lambda: os.mkdir("../new"), rmdir=lambda: os.rmdir("/home/bear/data"),
 unlink=lambda: os.unlink("/home/bear/mine"), rename_in=lambda: os.rename("/home/bear/mine", "mine"), rename_out=lambda: os.rename("file", "/home/bear/file"),
 rename_link=lambda: os.rename("file", "away/file"), hard_link=lambda: os.link("/srv/other/secret", "linked"), hard_link_out=lambda: os.link("file", "/srv/other/file"),
 hard_link_fd=lambda: os.link("/proc/self/cwd/../other/secret", "linked", follow_symlinks=True), symlink=lambda: os.symlink("/", "new-link"), fifo=lambda: os.mkfifo("fifo"),
 run_shell=lambda: subprocess.run(["/bin/sh", "-c", "true"]), run_id=lambda: os.execv("/usr/bin/id", ["id"]), run_own=lambda: (shutil.copy("file", "run"), os.chmod("run", 0o755), os.execv("./run", ["run"])),
 path_fd=lambda: read("/proc/self/fd/%d" % os.open("/srv/other/secret", os.O_PATH)),
 fd_dir=lambda: os.open("secret", os.O_RDONLY, dir_fd=os.open("/srv/other", os.O_PATH)), fchdir=lambda: (os.fchdir(os.open("/srv/other", os.O_PATH)), read("secret")),
 chdir=lambda: (os.chdir("/srv/other"), read("secret")), handle=lambda: sys_ok(libc.open_by_handle_at(3, None, 0)), chroot=lambda: os.chroot("."),
 user_namespace=lambda: sys_ok(libc.unshare(0x10000000)), mount=lambda: sys_ok(libc.mount(b"/srv/other", b"sub", None, 4096, None)),
 mount_namespace=lambda: sys_ok(libc.unshare(0x10020000)), tcp=lambda: socket.create_connection(("127.0.0.1", 9999), 1), tcp_server=lambda: socket.create_server(("127.0.0.1", 9998)),
 events=lambda: sys_ok(libc.inotify_add_watch(libc.inotify_init1(0), b"/srv/other", 0xfff)),
 mptcp=lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).connect(("127.0.0.1", 9999)), vsock=lambda: socket.socket(40, socket.SOCK_STREAM),
 tcp_by_sending=lambda: socket.socket().sendto(b"x", 0x20000000, ("127.0.0.1", 9999)), tcp_unbound=lambda: socket.socket().listen(),
 abstract=lambda: socket.socket(socket.AF_UNIX).connect("\0sallyport-test"), signal=lambda: os.kill(int(OUTSIDER), 0), trace=lambda: sys_ok(libc.ptrace(16, int(OUTSIDER), 0, 0)),
 memory=lambda: open(f"/proc/{OUTSIDER}/mem", "rb"), environ=lambda: open(f"/proc/{OUTSIDER}/environ", "rb").read()'
setpriv --reuid=bear --regid=bear --init-groups sleep 300 &
outsider=$!
python3 -c 'import socket,time; s=socket.socket(socket.AF_UNIX); s.bind("\0sallyport-test"); s.listen(9); t=socket.create_server(("127.0.0.1",9999)); time.sleep(300)' &
server=$!
wait_until 10 sh -c 'grep -q sallyport-test /proc/net/unix && grep -q ":270F " /proc/net/tcp'
conf "$(paths /srv/bear)"
script=$(tries "$out_of")
script=${script//OUTSIDER/$outsider}
outside() { ls -lR --time-style=full-iso /srv/other /home/bear; md5sum /srv/other/* /home/bear/mine; ls /tmp/x /run/tmp/x 2>&1; }
before=$(outside)
# Without confinement they work: as bear, in the docroot.
( cd /srv/bear && setpriv --reuid=bear --regid=bear --init-groups $python - <<< "$(tries 'absolute=lambda: read("/srv/other/secret"), link=lambda: read("away/secret"), cwd=lambda: read("/proc/self/cwd/../other/secret"), write_out=lambda: open("/srv/other/secret", "r+"), shell=lambda: subprocess.run(["/bin/sh", "-c", "true"]), tcp=lambda: socket.create_connection(("127.0.0.1", 9999), 1), abstract=lambda: socket.socket(socket.AF_UNIX).connect("\0sallyport-test"), signal=lambda: os.kill('$outsider', 0)')" ) > $tmp/loose
is "$(xargs < $tmp/loose)" 'absolute link cwd write_out shell tcp abstract signal' 'without confinement they are ways out'
status 0 'the tries end' run_as bear "$script"
is "$(seen <<< "$out$err")" '' 'with it, none leads out'
is "$(outside)" "$before" 'and nothing outside has changed'
rm -f /srv/bear/run
status 0 'a management port (-M) lets it speak over TCP' shell_as bear -c "$python - -M 9999" <<< 'import socket; socket.create_connection(("127.0.0.1", 9999), 5); print("spoke")'
is "$out" spoke 'and is heard'

# --- what may be done within ---------------------------------------------------------------

within='
 read=lambda: read("file"), mount=lambda: make("mounted/x"), list=lambda: os.listdir("."), make=lambda: make("new"), write=lambda: open("new", "w").write("x"), cut=lambda: os.truncate("new", 0),
 mkdir=lambda: os.mkdir("sub/dir"), move=lambda: os.rename("new", "sub/dir/new"), link=lambda: os.link("sub/dir/new", "sub/hard"),
 mode=lambda: os.chmod("sub/dir/new", 0o600), time=lambda: os.utime("file"), unlink=lambda: (os.unlink("sub/dir/new"), os.unlink("sub/hard")), rmdir=lambda: os.rmdir("sub/dir")'
script=$(tries "$within")
script=${script/'allowed_missing = ()'/'allowed_missing = ("write", "cut", "move", "link", "mode", "unlink", "rmdir")'}
can() { run_as bear "$script" | xargs; }
may_change() { case ${BUILD-} in *san*) can | sed 's/ \?time//' ;; *) can ;; esac; }  # where nothing may be written
is "$(can)" 'read mount list make write cut mkdir move link mode time unlink rmdir' 'all of it, by default'
rights() { conf "$(paths /srv/bear "<read_allowed>$1</read_allowed><write_allowed>$2</write_allowed><dir_allowed>$3</dir_allowed>")"; }
rights true false false
is "$(may_change)" read 'to read only'
rights false true false
is "$(can)" 'mount make write cut mkdir move link mode time unlink rmdir' 'to write only'
rights false false true
is "$(may_change)" list 'to list only'
rights false false false
is "$(may_change)" '' 'nothing'
conf "$(paths /srv/bear)" "<users><user><name>bear</name><file_system><access><paths><path><write_allowed>false</write_allowed></path></paths></access></file_system></user></users>"
is "$(may_change)" 'read list' 'a right of the user narrows the docroot of all'
conf "<file_system><access><paths><path><absolute>/srv/bear</absolute><write_allowed>false</write_allowed></path><path><absolute>/srv/bear/sub</absolute></path></paths></access></file_system>"
is "$(can)" 'read list mkdir time rmdir' 'a further <path> adds rights below it'
conf "$(paths /srv/bear)"
is "$(printf 'import os\nprint(sorted(os.environ), sorted(os.listdir("/proc/self/fd")) if 0 else "")' | shell_as bear -c "$python -")" \
  "['HOME', 'LC_CTYPE', 'PATH', 'SSH_CONNECTION', 'USER'] " 'the environment is a list'
language() { setpriv --reuid=bear --regid=bear --init-groups env -i LANG="$1" $prefix/bin/aspshell -c "$python -" <<< 'import os; print(os.environ.get("LANG"))'; }
is "$(language de_DE.UTF-8) $(language /srv/bear/sub)" 'de_DE.UTF-8 None' 'a language is no path'
leaking() { printf 'import os\nfor fd in range(3, 50):\n  try: os.fstat(fd); print(fd)\n  except OSError: pass\n' | shell_as bear -c "$python -" 5< /etc/passwd; }
status 0 'descriptors' leaking
is "$out" '' 'are not passed on'
is "$(run_as bear 'print(open("/proc/version").read())' 2>&1 | grep -c Permission)" 1 '/proc is out of reach'

# --- a kernel without Landlock --------------------------------------------------------------

# Its three system calls have the same numbers everywhere.
old_kernel() { printf '%s\n' "$1" | t/lib/without-syscall.py 444 setpriv --reuid=bear --regid=bear --init-groups env -i $prefix/bin/aspshell -c "$python -"; }
status 78 'there, nobody is served' old_kernel 'print("served")'
is "$out/$err" '/This server cannot confine the transfer. Tell the administrator.' 'and one line says so'
conf "$(paths /srv/bear '' '<confinement>if_possible</confinement>')"
status 0 'unless aspera.conf says otherwise' old_kernel 'print("served")'
is "$out" served 'and runs'
status 1 'which changes nothing where there is one' run_as bear 'open("/srv/other/secret")'
like "$err" 'PermissionError' 'and keeps it in'
conf "<file_system><access><paths><path><absolute>/srv/bear</absolute></path><path><absolute>/srv/bear/sub</absolute></path></paths><confinement>if_possible</confinement></access></file_system>"
status 78 'which several <path> need' old_kernel 'print("served")'
kill $outsider $server
done_testing
