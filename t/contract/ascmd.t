#!/bin/bash
# ascmd: what it answers to each operation, in both protocols; that no path leads out of the
# docroot, with and without the kernel's confinement; and what it makes of garbage.
. "${0%/*}/../lib/alone.sh"

suite ascmd aspshell
account bear 60001 /home/bear /bin/aspshell
mount -t tmpfs -o mode=755 tmpfs /srv
root=/srv/root
export TZ=UTC
# A command line that serves $root: ascmd alone, as bear; or as aspshell runs it, confined.
direct() { (cd /srv && exec setpriv --reuid=bear --regid=bear --clear-groups $prefix/bin/ascmd -V2 -d $root "$@"); }
confined() { exec setpriv --reuid=bear --regid=bear --clear-groups env -i $prefix/bin/aspshell -c 'ascmd -V2'; }
export -f direct confined
export prefix root
conf() {
  cat > $prefix/etc/aspera.conf << END
<CONF version="2"><default><file_system><access><paths><path><absolute>$root</absolute>${1-}</path></paths></access></file_system></default></CONF>
END
}
how=direct
# speak LINES: what is said to it, parted by "; ", and its answers, a line each.
speak() { python3 t/lib/ascmd_client.py "$1" bash -c "$how \"\$@\"" "$how" "${rights[@]}"; }
rights=()
fresh() {
  rm -rf $root /srv/out
  mkdir -p $root/dir/sub /srv/out
  echo hello > $root/file
  echo pdf > $root/dir/a.pdf
  echo txt > $root/dir/b.TXT
  head -c 1000 /dev/zero > $root/dir/sub/zeros
  echo secret > /srv/out/secret
  ln -s /srv/out $root/away
  ln -s ../out/secret $root/away-file
  ln -s /dir/a.pdf $root/inside
  ln -s nowhere $root/dangling
  chown -hR bear:bear $root /srv/out
}

# --- each operation, by ascmd alone and confined by aspshell ---------------------------------

conf
for how in direct confined; do
  tap_about="$how: "
  fresh
  is "$(speak 'as_ls "/"')" 'dir away away-file dangling dir file inside' 'as_ls: a directory'
  is "$(speak 'as_ls dir')" 'dir a.pdf b.TXT sub' 'without a slash in front'
  is "$(speak 'as_ls "/../../dir/../dir/."')" 'dir a.pdf b.TXT sub' '.. ends at the docroot'
  is "$(speak 'as_ls -f "*.pdf" -f "*.[tT][xX]?" "/dir"')" 'dir a.pdf b.TXT' 'with globs'
  is "$(speak 'as_ls -f "*.none" /dir')" 'dir' 'that match nothing'
  is "$(speak 'as_ls /file; as_ls "/dir/sub/zeros"; as_ls inside')" "file file 6
file zeros 1000
file inside 4" 'a file; a link, as it is seen from the docroot'
  is "$(speak 'as_ls dangling')" 'file dangling 7' 'a link that leads nowhere'
  is "$(speak 'as_ls none; as_ls /file/x; as_ls "/"')" "error 2
error 20
dir away away-file dangling dir file inside" 'an error, and the session goes on'
  is "$(speak 'as_du /; as_du /dir; as_du file; as_du none')" "size 1052 8 3 0 0
size 1008 3 2 0 0
size 6 1 0 0 0
error 2" 'as_du, links not followed'
  is "$(speak 'as_df; as_df /dir; as_df none')" "df
df
error 2" 'as_df'
  is "$(speak 'as_md5sum file; as_md5sum dir; as_md5sum none; as_md5sum inside')" "md5sum $(md5sum < $root/file | cut -d' ' -f1)
error 21
error 2
md5sum $(echo pdf | md5sum | cut -d' ' -f1)" 'as_md5sum'
  is "$(speak 'as_mkdir new; as_mkdir new; as_mkdir new/a/b; as_mkdir /; as_mkdir "new/with space"; as_ls new')" "success
error 17
error 2
error 17
success
dir with space" 'as_mkdir'
  is "$(speak 'as_cp file new; as_cp file new/other; as_cp file file; as_cp dir new; as_cp none new; as_cp dir/a.pdf new/other; as_ls new; as_ls new/dir; as_md5sum new/other')" "success
success
error 22
success
error 2
success
dir dir file other with space
dir a.pdf b.TXT sub
md5sum $(echo pdf | md5sum | cut -d' ' -f1)" 'as_cp: files, directories, into a directory, over a file'
  is "$(cat $root/file)" hello 'a file copied to itself is left alone'
  is "$(speak 'as_cp new new/dir; as_ls new/dir/new')" "success
dir dir file other with space" 'a directory into itself: it ends'
  is "$(speak 'as_mv new/other moved; as_mv moved new; as_mv new/dir newer; as_mv none x; as_mv newer newer/sub; as_ls newer; as_ls new')" "success
success
success
error 2
error 22
dir a.pdf b.TXT new sub
dir file moved with space" 'as_mv'
  is "$(speak 'as_rm new; as_rm "newer"; as_rm file; as_rm none; as_rm /; as_rm .; as_rm dir/..; as_ls /')" "success
success
success
error 2
error 16
error 16
error 16
dir away away-file dangling dir inside" 'as_rm: files, directories with all in them, never the docroot'

  # --- ways out ---
  is "$(speak 'as_ls away; as_ls away/secret; as_ls away-file; as_ls /away/../../out; as_ls /srv/out; as_ls ../out')" "file away 8
error 2
file away-file 13
error 2
error 2
error 2" 'no path leads out: the links are seen, and lead nowhere'
  is "$(speak 'as_md5sum away/secret; as_md5sum away-file; as_cp away-file here; as_cp away/secret here; as_mv /srv/out/secret here; as_mkdir away/x; as_mkdir ../out/x; as_cp dir away/x; as_mv dir ../../srv/out/x; as_du away')" \
    "$(printf 'error 2\n%.0s' {1..10})" 'nor one that is written to'
  is "$(speak 'as_ls /proc/self/root; as_md5sum /proc/self/fd/0')" "error 2
error 2" '/proc is not there'
  mkdir $root/proc && mount -t proc proc $root/proc
  is "$(speak 'as_ls /proc/self/root/srv/out; as_ls /proc/self/cwd; as_md5sum /proc/self/cwd/../out/secret; as_cp /proc/self/root/srv/out/secret here')" "error 18
file cwd 0
error 18
error 18" 'and where it is mounted, its links are not followed'
  umount $root/proc
  mkdir $root/tree && ln -s /srv/out $root/tree/link && ln -s ../../out $root/tree/up && chown -hR bear $root/tree
  is "$(speak 'as_cp tree copied; as_rm copied; as_rm tree; as_rm away; as_rm away-file; as_ls /')" "error 22
success
success
success
success
dir dangling dir inside proc" 'links are removed, not followed; not copied either'
  is "$(ls /srv/out)" secret 'nothing outside has changed'
  is "$(cat /srv/out/secret)" secret ''
done
tap_about=
how=direct

# --- names, attributes, size -----------------------------------------------------------------

fresh
python3 - << 'END' > $tmp/out 2>&1
import grp, os, pwd, stat, subprocess, sys, time
sys.path.insert(0, "t/lib")
from ascmd_client import decode, line, talk
root = os.environ["root"]
ascmd = ["bash", "-c", "direct"]
# Names of any bytes.
os.mkdir(root + "/names"); os.chown(root + "/names", 60001, 60001)
names = [b"a b", b'"', b"'", b"\\", b"\xff\xfe", b"new\nline", b"-f", b"tab\t", "ü".encode(), b"*", b"$(id)", b"x" * 255]
for name in names:
    status, answers, err = talk(ascmd, [line("as_mkdir", b"/names/" + name), line("as_ls", b"/names/" + name)])
    if (status, err) != (0, "") or [each[0] for each in answers] != ["success", "dir"]: print("name", name, answers, err)
_, ((_, entries),), _ = talk(ascmd, [line("as_ls", "/names")])
if {each["name"].encode(errors="surrogateescape") for each in entries} != set(names): print("names", entries)
# What is said of a file.
os.chown(root + "/file", 12345, 23456)
os.chmod(root + "/file", 0o4751)
os.utime(root + "/file", (1, -1))
os.mkfifo(root + "/fifo")
for path in os.listdir(root):
    (_, entries), = talk(ascmd, [b"as_ls /"])[1]
    found, = [each for each in entries if each["name"] == path]
    known = os.lstat(root + "/" + path)
    for name, value in dict(size=known.st_size, mode=known.st_mode, zmode=stat.filemode(known.st_mode), uid=known.st_uid, gid=known.st_gid,
                            ctime=int(known.st_ctime), mtime=known.st_mtime_ns // 10**9, zmtime=time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(known.st_mtime_ns // 10**9))).items():
        if found[name] != value: print(path, name, found[name], value)
    if ("symlink" in found) != stat.S_ISLNK(known.st_mode) or found.get("symlink", "") != (os.readlink(root + "/" + path) if stat.S_ISLNK(known.st_mode) else ""): print("link", found)
    if path == "file" and ("zuid" in found or "zgid" in found): print("no name", found)
    if path == "dir" and (found["zuid"], found["zgid"]) != ("bear", "bear"): print("names of accounts", found)
# Both protocols, and info.
for protocol, argv in (1, ["setpriv", "--reuid=bear", "--regid=bear", "--clear-groups", os.environ["prefix"] + "/bin/ascmd"]), (2, ascmd):
    out = decode(subprocess.run(argv, input=b"as_info\n" + (b"as_session_init --protocol=2 --host=x\n" if protocol == 2 else b"") + b"as_ls /srv/root/none\nas_ls none\n", capture_output=True).stdout)
    if [each[0] for each in out] != ["info", "info", "error", "error"] or out[0] != out[1] or out[0][1]["protocol"] != str(protocol): print("info", protocol, out)
    if not out[0][1]["platform"].startswith("Linux") or "Sallyport" not in out[0][1]["version"] or set(out[0][1]["browse_caps"].split(",")) != set("ls du df md5sum mkdir rm mv cp".split()): print("about", out[0])
# Answers come as soon as they are asked for.
with subprocess.Popen(ascmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as session:
    def answer():
        head = session.stdout.read(5)
        length = int.from_bytes(head[1:], "big"); body = b""
        while len(body) < length: body += session.stdout.read(length - len(body))
        return decode(head + body)[0][0]
    told = [answer()]
    for asked in (b"as_ls /\n", b"as_ls none\n", b"as_mkdir late\n"):
        session.stdin.write(asked)
        told.append(answer())
    session.stdin.write(b"as_exit\n")
    if told != ["info", "dir", "error", "success"] or session.wait(10) != 0: print("one by one", told)
# Garbage.
for name, lines, wanted in (
    ("unknown", [b"ls -la", b"as_du /dir"], ["error", "size"]), ("open quote", [b'as_ls "/', b"as_ls /dir"], ["error", "dir"]),
    ("bytes", [bytes(range(11, 256)), b"as_ls /dir"], ["error", "dir"]), ("NUL", [b"as_ls /\0dir", b"as_ls /dir"], ["error", "dir"]),
    ("1 MB", [b"as_ls " + b"x" * (1 << 20), b"as_ls /dir"], ["error", "dir"]), ("1 MB of quotes", [b'"' * (1 << 20), b"as_ls /dir"], ["error", "dir"]),
    ("long path", [b"as_ls " + b"x/" * 3000, b"as_ls /dir"], ["error", "dir"]), ("long name", [b"as_mkdir " + b"x" * 300, b"as_ls /dir"], ["error", "dir"]),
    ("CR", [b"as_ls /dir\r", b"\r"], ["dir"]), ("nothing", [b"", b"  "], []), ("too many words", [b"as_mv a b c", b"as_ls a b", b"as_rm"], ["error"] * 3),
    ("another protocol", [b"as_session_init --protocol=3", b"as_ls /dir"], ["error", "dir"]), ("a loop", [b"as_ls /loop"], ["error"])):
    if name == "a loop": os.symlink("loop", root + "/loop")
    status, answers, err = talk(ascmd, lines)
    if name == "a loop": wanted = ["file"]
    if (status, err, [each[0] for each in answers]) != (0, "", wanted): print("garbage", name, status, answers, err)
out = subprocess.run(ascmd, input=b"as_ls /dir", capture_output=True)
if [each[0] for each in decode(out.stdout)] != ["info", "dir"] or out.returncode: print("no newline", out)
# A tree that is deep, and one that is too deep.
def deep(levels):
    os.makedirs(root + "/deep"); fd = os.open(root + "/deep", os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=fd); below = os.open("d", os.O_RDONLY, dir_fd=fd); os.close(fd); fd = below
    os.close(fd)
    subprocess.run(["chown", "-R", "bear", root + "/deep"])
deep(450)
_, answers, _ = talk(ascmd, [b"as_du deep", b"as_cp deep deep2", b"as_rm deep", b"as_rm deep2"])
if [each[0] for each in answers] != ["size", "success", "success", "success"] or answers[0][1]["dcount"] != 451: print("deep", answers)
deep(2000)
_, answers, _ = talk(ascmd, [b"as_du deep", b"as_rm deep", b"as_ls /dir"])
if [each[0] for each in answers] != ["size", "error", "dir"] or answers[0][1]["failed_dcount"] != 1: print("too deep", answers)
END
is "$(cat $tmp/out)" '' 'names of any bytes; what is said of files; both protocols; one by one; garbage; deep trees'
rm -rf $root/deep

closed() { printf 'as_ls /\nas_ls /\n' | direct > /dev/full; }
status 74 'nobody reads: exit 74' closed
status 64 'operands are refused' $prefix/bin/ascmd x
status 64 'so is another protocol' $prefix/bin/ascmd -V3
status 71 'and a docroot that is not there' $prefix/bin/ascmd -d /nowhere

# --- rights ----------------------------------------------------------------------------------

all='as_ls /; as_du /; as_df; as_md5sum file; as_mkdir new; as_mv new newer; as_cp file copy; as_rm newer; as_rm dir'
fresh
shown() { speak "$all" | sed 's/^\(dir\|size\|md5sum\) .*/\1/' | xargs; }
for each in '-a rl:dir size df md5sum error 13 error 13 error 13 error 13 error 13' '-a w:error 13 error 13 error 13 error 13 success success error 13 success success' \
  '-a rw:error 13 error 13 error 13 md5sum success success success success success'; do
  fresh
  read -ra rights <<< "${each%%:*}"
  is "$(shown)" "${each#*:}" "by itself: ${rights[*]}"
done
rights=()
how=confined
fresh
conf '<write_allowed>false</write_allowed>'
is "$(shown)" 'dir size df md5sum error 13 error 13 error 13 error 13 error 13' 'write_allowed false'
conf '<dir_allowed>false</dir_allowed><read_allowed>false</read_allowed>'
is "$(speak 'as_ls /; as_md5sum file; as_mkdir new; as_mv new newer; as_cp file copy; as_rm newer; as_rm file; as_rm dir' | xargs)" \
  'error 13 error 13 success success error 13 success success error 13' 'write_allowed only: a directory that cannot be read is not emptied'
conf '<read_allowed>false</read_allowed><write_allowed>false</write_allowed>'
is "$(shown)" 'dir size df error 13 error 13 error 13 error 13 error 13 error 13' 'dir_allowed only'
conf
how=direct

# --- a race for the links --------------------------------------------------------------------

fresh
mkdir -p /srv/out/tree/{a,kept} && echo kept > /srv/out/tree/a/file && chown -R bear /srv/out $root
python3 - << 'END' > $tmp/out 2>&1
import ctypes, os, sys, threading, time
sys.path.insert(0, "t/lib")
from ascmd_client import talk
root = os.environ["root"]
libc = ctypes.CDLL(None)
stop = False
race, link = root + "/race", root + "/link"
os.makedirs(race + "/a"); os.symlink("/srv/out/tree", link)
def swap():  # a directory, and a link to the outside, by turns
    while not stop:
        if libc.renameat2(-100, race.encode(), -100, link.encode(), 2) == 0 and (os.path.islink(race) or os.path.islink(link)): continue
        try:
            if os.path.lexists(link): os.rename(link, f"{root}/old{time.monotonic_ns()}")
            os.symlink("/srv/out/tree", link)
        except OSError: pass
thread = threading.Thread(target=swap); thread.start()
until = time.monotonic() + 3
seen = set()
while time.monotonic() < until:
    for name, *rest in talk(["bash", "-c", "direct"], [b"as_mkdir race", b"as_mkdir race/a", b"as_rm race", b"as_md5sum race/a/file", b"as_ls race", b"as_cp link x"] * 100)[1]:
        if name == "md5sum": print("read outside")
        if name == "dir" and "kept" in {each["name"] for each in rest[0]}: print("listed outside")
        seen.add(name)
stop = True; thread.join()
if sorted(os.listdir("/srv/out/tree")) != ["a", "kept"] or os.listdir("/srv/out/tree/a") != ["file"]: print("changed outside")
if not {"dir", "success", "error"} <= seen: print("seen", seen)  # both sides of the race
END
is "$(sort -u $tmp/out)" '' 'a link in the place of a directory, at the wrong moment: nothing outside is read or removed'

# --- 100,000 entries ---------------------------------------------------------------------------

fresh
case ${BUILD-} in *san*) export san=yes ;; *) export san= ;; esac
mkdir $root/many && (cd $root/many && seq 1 100000 | xargs touch) && chown bear $root/many
python3 - << 'END' > $tmp/out 2>&1
import os, subprocess, sys, time
sys.path.insert(0, "t/lib")
from ascmd_client import decode
root = os.environ["root"]
def ls():
    start = time.monotonic()
    subprocess.run(["ls", "-l", root + "/many"], stdout=subprocess.DEVNULL)
    return time.monotonic() - start
def first_byte():
    start = time.monotonic()
    with subprocess.Popen(["/usr/bin/setpriv", "--reuid=bear", "--regid=bear", "--clear-groups", os.environ["prefix"] + "/bin/ascmd", "-V2", "-d", root], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as session:
        session.stdin.write(b"as_ls many\nas_exit\n"); session.stdin.close()
        head = session.stdout.read(5)
        data = head + session.stdout.read(int.from_bytes(head[1:], "big"))
        session.stdout.read(1)
        taken = time.monotonic() - start
        return taken, data + b"\x02" + session.stdout.read()
pairs = [(ls(), *first_byte()) for _ in range(5)]
_, _, data = pairs[0]
answers = decode(data)
if len(answers[1][1]) != 100000: print("entries", len(answers[1][1]))
ratio = min(first for _, first, _ in pairs) / min(whole for whole, _, _ in pairs)
print(f"# first byte after {min(first for _, first, _ in pairs):.3f} s, ls -l {min(whole for whole, _, _ in pairs):.3f} s, ratio {ratio:.2f}", file=sys.stderr)
# Optimised, it is half of what ls takes; this may be a build that is not, or one with sanitizers.
if ratio >= (20 if os.environ["san"] else 2): print("ratio", ratio)
END
is "$(grep -v '^#' $tmp/out)" '' 'a directory of 100,000 entries: all of them, and the first byte comes soon'
diag "$(grep '^#' $tmp/out)"
rm_many() { direct <<< 'as_rm many' > /dev/null; }
status 0 'and removed' rm_many
nok 'all of it' test -e $root/many
done_testing
