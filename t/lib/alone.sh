# alone.sh: a contract test alone on the machine. Sourced first of all:
#
#   . "${0%/*}/../lib/alone.sh"
#
# Runs the script again in mount, network, process and host-name namespaces of its own;
# without root it is skipped. $PWD is the top of the source tree, at a path that is the
# same wherever the tree lies, /run is empty but for it and for $tmp, TMPDIR, a folder
# for all, and so is root's home. Includes plain.sh, tap.sh and wait.sh.
#
#   suite TOOL...         an /opt of the test's own, with these in their places below
#                         $prefix, which is compiled in, and an empty $prefix/etc
#   own_etc FILE < TEXT   /etc/FILE has this text; it may be changed in $tmp/etc/FILE
#   account NAME UID [HOME [SHELL]]   there is one of that name, with a group and no password
#   no_account NAME       there is none
#
# uptime=SECONDS, set before: how long ago the machine was booted.
. "${BASH_SOURCE[0]%/*}/plain.sh"
if [ -z "${TEST_ALONE-}" ]; then
  spaces=(-mnpfu --kill-child --mount-proc)
  if ! unshare "${spaces[@]}" true 2> /dev/null; then
    echo '1..0 # SKIP needs root and namespaces'
    exit
  fi
  # shellcheck disable=SC2046  # options
  TEST_ALONE=1 exec unshare "${spaces[@]}" $([ -z "${uptime-}" ] || since_boot "$uptime") "$BASH" "$0" "$@"
fi

# The tree may lie in /run, too.
cd "${BASH_SOURCE[0]%/*}/../.." && mount --bind . /mnt && mount -t tmpfs -o mode=755 tmpfs /run &&
  mkdir /run/source && mount --bind /mnt /run/source && umount /mnt && cd /run/source || exit
tmp=/run/tmp
mkdir -m 1777 $tmp
export TMPDIR=$tmp
# What the machine's root has its shells do at a log-in is not what is tested.
mount -t tmpfs -o mode=700 tmpfs "$(getent passwd root | cut -d: -f6)" || exit
ip link set lo up
. t/lib/tap.sh
. t/lib/wait.sh

prefix=/opt/aspera/proxy
suite() {
  local tool folder
  mkdir -p /opt && mount -t tmpfs -o mode=755 tmpfs /opt && mkdir -p $prefix/{bin,etc,libexec} || exit
  for tool; do
    folder=bin
    [[ " $(sed -n 's/^LIBEXEC *:= *//p' Makefile) " != *" $tool "* ]] || folder=libexec
    install -m 755 "${BUILD:-build}/bin/$tool" $prefix/$folder/ || exit
  done
  # As they are installed: nobody may look into those that are given secrets.
  for tool in $prefix/bin/asp-dial $prefix/libexec/asp-redis; do [ ! -e "$tool" ] || chmod 711 "$tool"; done
}

own_etc() {
  local text file=$tmp/etc/$1
  text=$(cat)  # all of it first: it may come from the file itself
  mkdir -p $tmp/etc
  if [ -e "$file" ]; then
    printf '%s\n' "$text" > "$file"
  else
    printf '%s\n' "$text" > "$file" && mount --bind "$file" "/etc/$1" || exit
  fi
}

account() {
  own_etc passwd < <(grep -v "^$1:" /etc/passwd; echo "$1:x:$2:$2::${3-/nonexistent}:${4-/usr/sbin/nologin}")
  own_etc group < <(grep -v "^$1:" /etc/group; echo "$1:x:$2:")
  own_etc shadow < <(grep -v "^$1:" /etc/shadow; echo "$1:*:19000::::::")
  chmod 640 $tmp/etc/shadow
}
no_account() {
  local file
  for file in passwd group shadow; do own_etc $file < <(grep -v "^$1:" /etc/$file); done
  chmod 640 $tmp/etc/shadow
}
