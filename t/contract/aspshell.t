#!/bin/bash
# aspshell: what it refuses starts nothing; what it accepts starts ascp_rproxy
# with exactly the client's words.
#
# The prefix is compiled in, so all of it happens in a mount namespace of its
# own: there /opt is a tmpfs, ascp_rproxy only writes down how it was started,
# and so do the shells and everything that a hostile command names.
#
# A NUL byte, and an argument over 128 KiB, cannot be handed to a program at
# all (execve(2)); what sshd can hand over is tried here.
. "${0%/*}/../lib/alone.sh"

suite aspshell
conf() { printf '%s' "<CONF><default><aspshell_commands>$1</aspshell_commands></default></CONF>" > $prefix/etc/aspera.conf; }
conf ''
started=/opt/started   # a line for each program that was started
mkdir /opt/trap /opt/tools
cp "$(command -v bash)" /opt/tools/bash
: > $started
chmod 666 $started

# Its name, its words, its environment (as the kernel has it, before any shell
# added to it).
cat > $prefix/libexec/ascp_rproxy << 'EOF_TRIP'
#!/opt/tools/bash
{
  printf 'ascp_rproxy'
  printf ' [%s]' "$@"
  echo
} >> /opt/started
{
  while IFS= read -r -d '' each; do printf '%s\n' "$each"; done
} < /proc/$$/environ > /opt/environment
ls /proc/$$/fd > /opt/descriptors
echo "conducted"
echo "complaint" >&2
exit 42
EOF_TRIP
cat > /opt/tools/trip << 'EOF_TRIP'
#!/opt/tools/bash
echo "$0 $*" >> /opt/started
EOF_TRIP
chmod 755 $prefix/libexec/ascp_rproxy /opt/tools/trip
: > /opt/environment
: > /opt/descriptors
chmod 666 /opt/environment /opt/descriptors
for name in ascp ascp4 async ascmd asp-cp scp sftp sftp-server internal-sftp rsync id touch python3 perl nc sudo env; do
  cp /opt/tools/trip /opt/trap/$name
done
env=$(command -v env)
for shell in sh bash dash; do
  path=$(readlink -f "$(command -v $shell)") && mount --bind /opt/tools/trip "$path"
done

connection='198.51.100.10 51512 198.51.100.39 33001'
variables=()
aspshell() { "$env" -i PATH=/opt/trap:/usr/bin:/bin SSH_CONNECTION="$connection" "${variables[@]}" $prefix/bin/aspshell "$@"; }

# The traps can spring: without that, silence would prove nothing.
"$env" -i sh -c 'true'
PATH=/opt/trap:$PATH ascp x
$prefix/libexec/ascp_rproxy x > /dev/null 2>&1
is "$(wc -l < $started)" 3 'the tripwires work'
: > $started

# refused COMMAND [how it is shown]: as login shell's -c and as ForceCommand.
refused() {
  local command=$1 how shown out
  printf -v shown '%q' "$1"
  shown=${shown:0:70}
  for how in -c SSH_ORIGINAL_COMMAND; do
    : > $started
    if [ $how = -c ]; then
      variables=()
      out=$(aspshell -c "$command" < /dev/null 2> /opt/stderr)
    else
      variables=("SSH_ORIGINAL_COMMAND=$command")
      out=$(aspshell < /dev/null 2> /opt/stderr)
    fi
    local code=$? err wrong='' LC_ALL=C
    err=$(< /opt/stderr)
    [ "$code" = 77 ] || wrong+=" exit status $code;"
    [ -z "$out" ] || wrong+=" stdout: $out;"
    [ "${err%%: *}" = 'Command not accepted' ] || wrong+=" stderr: $err;"
    [[ $err != *$'\n'* ]] || wrong+=' more than one line;'
    [[ ${err%…} != *[!\ -~]* ]] || wrong+=' unprintable bytes on stderr;'
    [ ${#err} -lt 1000 ] || wrong+=' a long answer;'
    [ -s $started ] && wrong+=" STARTED $(cat $started);"
    [ -z "$wrong" ]
    tap_result $? "refused, and nothing runs ($how): $shown" || diag "$wrong"
  done
  variables=()
}

# accepted COMMAND EXPECTED: the words as ascp_rproxy sees them, in brackets.
accepted() {
  : > $started
  capture aspshell -c "$1" < /dev/null
  is "$code/$out/$err/$(cat $started)" "42/conducted/complaint/ascp_rproxy $2" "accepted: $1"
}

# --- hostile command lines -----------------------------------------------------

t='touch /opt/started.by.shell'
hostile=(
  # shells and what they do
  "ascp -S. -V1; $t" "ascp -S. -V1;$t" "$t;ascp -S. -V1" "ascp -S. -V1 && $t" "ascp -S. -V1&&$t" "ascp -S. -V1 || $t" "ascp -S. -V1 | $t"
  "ascp -S. -V1 & $t" "ascp -S. -V1&" "ascp -S. -V1 > /opt/started" "ascp -S. -V1 >> /opt/started" "ascp -S. -V1 < /etc/passwd" "ascp -S. -V1 2>&1"
  "ascp -S. -V1 \$($t)" "ascp -S. \$($t) -V1" "\$(echo ascp) -S. -V1" "ascp -S. -V\$((1))" "ascp -S. -V1 \`$t\`" "\`echo ascp\` -S. -V1" "ascp -S. -V1 <($t)"
  'ascp${IFS}-S.${IFS}-V1' 'ascp -S. -V1 $HOME' '$SHELL' 'ascp -S. -V1 #' '#ascp -S. -V1' '(ascp -S. -V1)' '{ ascp -S. -V1; }' '{ascp,-S.,-V1}'
  'ascp -S. -V[1]' 'ascp -S. -V?' 'asc? -S. -V1' '* -S. -V1' 'ascp -S. -V1 *' '~/ascp -S. -V1' 'ascp -S. -V1 ~' '! ascp -S. -V1' 'ascp -S. -V1;' ';'
  '&' '|' '&&' '>' '<' '$' '`' '(' ')' '!!' "\"ascp -S. -V1; $t\"" "'ascp -S. -V1; $t'" "ascp -S. -V1 '; $t'" "ascp '-S. -V1'" "ascp \"-S. -V1\""
  # lines, tabs, escapes
  $'ascp -S. -V1\n'"$t" $'ascp -S. -V1\n\n' $'\nascp -S. -V1' $'ascp -S.\n-V1' $'ascp -S. -V1\r' $'ascp -S. -V1\r\n'"$t" $'ascp\t-S.\t-V1' $'\tascmd' $'ascmd\v'
  $'ascmd\f' $'ascp -S. -V1\e[2J' $'\e]0;owned\a' $'\e[31mascmd\e[0m' $'ascmd\b\b\b\b\bid' $'ascmd\x7f' $'ascmd\x01' $'\x1b' $'ascmd \e' $'"ascmd\n"' $'ascmd\\\n'
  $'%s%n%x' $'\xff\xfe' $'ascmd\x80' $'\xc2\x9b31mascmd'
  # quotes that do not close, backslashes at the end
  "ascp '-S. -V1" 'ascp "-S. -V1' "ascp -S. -V1'" 'ascp -S. -V1"' "'" '"' "\"'" 'ascp -S. -V1\' '\' "ascp -S. '-V1\\'" 'ascp -S. "-V1\"' "ascmd \\"
  # near misses
  'ascp -S. -V1 x' 'ascp  -S.  -V1;' 'ascp -S. -V1 -V1' 'ascp -S. -V2' 'ascp -S.' 'ascp' 'ascp -V1 -S.' 'ascp -S. -V1 --' 'ascp -- -S. -V1' "ascp -S. -V1 ''"
  "'' ascp -S. -V1" 'ascp4 -S. -V1' 'ascp4' 'async -q -S -s- x' 'async -q -S' 'ascmd -V1' 'ascmd -V2 x' 'ascmdd' 'asp-cp -S /etc/passwd' 'asp-cp' 'ASCMD'
  'ascp --no-mgmt-port-files -M 1;id -S. -V1 x' 'ascp --no-mgmt-port-files -M 1 -S. -V1' 'ascp --no-mgmt-port-files -M a -S. -V1 x'
  'ascp --no-mgmt-port-files -M 99999999999 -S. -V1 x' 'ascp --no-mgmt-port-files -M 1 -S. -V1 x y' 'ascp --no-mgmt-port-files -M 1 -S. -V1 $(id)'
  'ascp @x -S. -V1' 'ascp -S. -V1 -d /' 'ascp -S. -V1 --host=evil' 'ascp -S. -V1 ..'
  # look-alikes
  $'\u0430scp -S. -V1' $'as\u0441p -S. -V1' $'ascp -\u0405. -V1' $'\uff41scp -S. -V1' $'ascp\u200b -S. -V1' $'\u200bascmd' $'ascp\u00a0-S.\u00a0-V1' $'ascp\u3000-S. -V1'
  $'ascp \u2010S. -V1' $'ascp -S\u2024 -V1' $'ascp -S. -V\u0661' $'\ufeffascmd' $'ascmd\u0301' $'\u202edmcsa' $'ascmd\u2028'
  # other ways in
  'A=b ascp -S. -V1' 'PATH=/tmp ascmd' 'env ascp -S. -V1' 'exec ascp -S. -V1' 'command ascmd' 'nohup ascmd' '/usr/bin/ascp -S. -V1' './ascp -S. -V1' '../ascmd'
  'ascmd/' '/opt/aspera/proxy/libexec/ascp_rproxy -- ascmd' 'ascp_rproxy -- ascmd' 'aspshell -c ascmd' '/opt/aspera/proxy/bin/aspshell -c ascmd'
  '/opt/aspera/proxy/bin/aspshell ' ' /opt/aspera/proxy/bin/aspshell' 'internal-sftp' 'internal-sftp -R' 'sftp-server' '/usr/lib/openssh/sftp-server'
  '/usr/libexec/openssh/sftp-server -e' 'scp -t /tmp' 'scp -f /etc/passwd' 'rsync --server -e.LsfxC . /tmp' 'bash' 'bash -i' 'bash -c id' "sh -c '$t'" '/bin/sh' 'id' 'true'
  'sudo -n /opt/aspera/proxy/libexec/asp-pinhole' 'python3 -c 1' 'perl -e 1' 'nc -l 1' 'git-upload-pack x' 'tmux' 'su' '-c' '-c ascmd' '--help' '-i' '-s'
  # sizes
  '' ' ' '     ' "''" '""' "ascmd '' ''"
)
for command in "${hostile[@]}"; do refused "$command"; done
ok "at least 60 of them (${#hostile[@]})" test ${#hostile[@]} -ge 60
long() { printf "%$1s" '' | tr ' ' "$2"; }
refused "ascmd $(long 100000 a)"
refused "$(long 130000 a)"
refused "ascmd$(long 4092 ' ')"   # 4097 bytes that are ascmd and blanks
refused "$(long 100000 \')"
refused "$(long 100000 '\\')"
refused "ascp -S. -V1 $(long 100000 ';')"
ok 'no shell did anything' test ! -e /opt/started.by.shell

# --- shown, but harmless ----------------------------------------------------------

status 77 'an escape sequence is shown escaped' aspshell -c $'a\e[31m\n\\b\u00e4'
is "$err" 'Command not accepted: a\x1b[31m\x0a\\b\xc3\xa4' 'byte by byte'
status 77 'a command of 200 bytes is shown whole' aspshell -c "$(long 200 x)"
is "$err" "Command not accepted: $(long 200 x)" 'without an ellipsis'
status 77 'a longer one is cut' aspshell -c "$(long 201 x)"
is "$err" "Command not accepted: $(long 200 x)…" 'and shows it'

# --- interactive logins, and other arguments ----------------------------------------

hint='This account only transfers files: use a transfer client, such as asp-cp.'
as_login() { "$env" -i "$@" /opt/tools/bash -c "exec -a -aspshell $prefix/bin/aspshell"; }
status 77 'an interactive login is refused' aspshell
is "$out/$err" "/Command not accepted: interactive login
$hint" 'with a hint'
status 77 'also under the name that login gives a shell' as_login
is "$err" "Command not accepted: interactive login
$hint" 'with a hint'
for args in '-c' '-l' '-i' '-x ascmd' 'ascmd' '-c ascmd ascmd' '-c ascmd -c ascmd' '--version' '-- ascmd' '-lc ascmd'; do
  # shellcheck disable=SC2086
  status 77 "aspshell $args: refused" aspshell $args
  is "$out/$err" '/Command not accepted: aspshell with arguments' 'says so'
done
variables=(SSH_ORIGINAL_COMMAND=ascmd)
status 77 'arguments are refused, whatever the client asked for' aspshell -x
status 77 'a login shell believes its -c, not the environment' aspshell -c id
variables=()
status 77 'nothing on stdin makes a difference' aspshell <<< 'ascmd'
is "$(cat $started)" '' 'none of that started anything'

# --- what is accepted ------------------------------------------------------------------

accepted 'ascp -S. -V1' '[--] [ascp] [-S.] [-V1]'
accepted 'ascp4 -S.' '[--] [ascp4] [-S.]'
accepted 'ascp --no-mgmt-port-files -M 61022 -S. -V1 abc' '[--] [ascp] [--no-mgmt-port-files] [-M] [61022] [-S.] [-V1] [abc]'
accepted "ascp --no-mgmt-port-files -M 0 -S. -V1 'a; b'" '[--] [ascp] [--no-mgmt-port-files] [-M] [0] [-S.] [-V1] [a; b]'
accepted 'async -q -S -s-' '[--] [async] [-q] [-S] [-s-]'
accepted 'ascmd' '[-n] [--] [ascmd]'
accepted 'ascmd -V2' '[-n] [--] [ascmd] [-V2]'
accepted 'asp-cp -S' '[--] [asp-cp] [-S]'
accepted "\"ascp\" '-S.' -V1" '[--] [ascp] [-S.] [-V1]'
accepted "  as'c'p   -\\S.  \"-\"V1  " '[--] [ascp] [-S.] [-V1]'
accepted 'a\scmd' '[-n] [--] [ascmd]'
accepted "ascmd$(long 4091 ' ')" '[-n] [--] [ascmd]'   # 4096 bytes

: > $started
variables=('SSH_ORIGINAL_COMMAND=ascp -S. -V1')
status 42 'ForceCommand: the original command is what counts' aspshell
status 42 'login shell and ForceCommand together' aspshell -c $prefix/bin/aspshell
status 42 'the same by its other name' aspshell -c /bin/aspshell
is "$(sort -u $started)/$(wc -l < $started)" 'ascp_rproxy [--] [ascp] [-S.] [-V1]/3' 'start the same thing'
: > $started
variables=("SSH_ORIGINAL_COMMAND=$t")
status 77 'together, a hostile command is refused' aspshell -c $prefix/bin/aspshell
variables=()
status 77 'together, an interactive login is refused' aspshell -c $prefix/bin/aspshell
is "$err" "Command not accepted: interactive login
$hint" 'with the hint'
is "$(cat $started)" '' 'and nothing runs'

# --- the environment --------------------------------------------------------------------

variables=('SSH_CLIENT=198.51.100.10 51512 33001' SSH_TTY=/dev/pts/7 SSH_USER_AUTH=/tmp/auth TERM=xterm ASPERA_HOST=faspex.example.com
  HOME=/root USER=root LANG=C LD_LIBRARY_PATH=/opt/trap BASH_ENV=/opt/trap/id ENV=/opt/trap/id IFS=x SUDO_UID=0 SUDO_USER=root
  SSH_AUTH_SOCK=/tmp/a SSH_ORIGINAL_COMMAND=ascmd GCONV_PATH=/opt/trap TMPDIR=/opt/trap RES_OPTIONS=x LOCALDOMAIN=evil PYTHONPATH=/ SHELLOPTS=xtrace)
status 42 'a command with an environment full of things' aspshell
is "$(sort /opt/environment)" "ASPERA_HOST=faspex.example.com
PATH=/usr/sbin:/usr/bin:/sbin:/bin
SSH_CLIENT=198.51.100.10 51512 33001
SSH_CONNECTION=$connection
SSH_TTY=/dev/pts/7
SSH_USER_AUTH=/tmp/auth
TERM=xterm" 'passes on exactly the allow-list, and a PATH of its own'
variables=($'TERM=x\ny' "ASPERA_HOST=$(long 4097 a)" $'SSH_CLIENT=\e[2J' SSH_TTY=)
status 42 'values with control characters, and overlong ones' aspshell -c ascmd
is "$(sort /opt/environment)" "PATH=/usr/sbin:/usr/bin:/sbin:/bin
SSH_CONNECTION=$connection
SSH_TTY=" 'are not passed on'
variables=()
leaking() { aspshell -c ascmd 5< /etc/passwd 3>&-; }
status 42 'descriptors' leaking
is "$(grep -cx '[012]' /opt/descriptors)" 3 'stdin, stdout and stderr are passed on'
piped() { printf 'some\0bytes' | aspshell -c 'ascp -S. -V1'; }
printf '#!/opt/tools/bash\nexec /usr/bin/od -An -c\n' > /opt/tools/od
mount --bind /opt/tools/od $prefix/libexec/ascp_rproxy
chmod 755 /opt/tools/od
status 0 'stdin goes to the command untouched' piped
like "$out" 's +o +m +e +\\0 +b +y +t +e +s$' 'to the byte'
umount $prefix/libexec/ascp_rproxy

# --- commands of aspera.conf ------------------------------------------------------------

conf '<command>mosh-server new -p %d</command><command udp="false">rsync --server %s ...</command><command>probe %1s %2s</command><command udp="false">probe2</command>'
accepted 'mosh-server new -p 60001' '[--] [mosh-server] [new] [-p] [60001]'
accepted 'rsync --server -e.LsfxC . /in/box' '[-n] [--] [rsync] [--server] [-e.LsfxC] [.] [/in/box]'
accepted 'rsync --server x' '[-n] [--] [rsync] [--server] [x]'
accepted "probe 'a b' '\$(id)'" '[--] [probe] [a b] [$(id)]'
accepted "probe -- '-n'" '[--] [probe] [--] [-n]'
accepted 'probe2' '[-n] [--] [probe2]'
accepted 'ascp -S. -V1' '[--] [ascp] [-S.] [-V1]'
for command in 'mosh-server new -p x' 'mosh-server new -p' 'mosh-server new -p 1 2' 'rsync --server' 'rsync' 'rsync x' "rsync --server ''" 'rsync --server x; id' \
  'rsync --server $(id)' 'probe a' 'probe a b c' "probe a ''" 'probe2 ...' 'probe %1s' 'rsync --server x `id`' $'probe a\nb c'; do
  refused "$command"
done
conf '<command>probe x</command><command>'
# unread WHY: whether a command that is not built in is accepted, nobody can tell
unread() {
  accepted 'ascmd -V2' '[-n] [--] [ascmd] [-V2]'
  : > $started
  status 78 "an aspera.conf that $1: exit 78" aspshell -c 'probe x'
  is "$out|$err|$(cat $started)" '|This proxy is misconfigured. Tell the administrator.|' 'the user is told, and nothing runs'
  refused 'probe x; id'
}
unread 'is broken'
rm $prefix/etc/aspera.conf
unread 'is not there'
conf '<command>%s</command><command>...</command><command>%s ...</command>'
refused ''
refused "''"
refused 'a; b'
rm $prefix/etc/aspera.conf

# --- as an ordinary user, and when something is broken ---------------------------------------

conf ''
: > $started
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$env" -i SSH_CONNECTION="$connection" $prefix/bin/aspshell "$@"; }
status 42 'an ordinary user: accepted' as_nobody -c ascmd
status 77 'an ordinary user: refused' as_nobody -c id
full() { aspshell -c id 2> /dev/full; }
status 77 'a full disk under stderr changes no exit code' full
closed() { aspshell -c id <&- >&- 2>&-; }
status 77 'closed descriptors change no exit code' closed
chmod 644 $prefix/libexec/ascp_rproxy
status 71 'ascp_rproxy cannot be run: exit 71' as_nobody -c ascmd
is "$out/$err" '/This proxy could not serve the session. Tell the administrator.' 'one line without internals'
rm $prefix/libexec/ascp_rproxy
status 71 'ascp_rproxy is missing: exit 71' aspshell -c ascmd
is "$out/$err" '/This proxy could not serve the session. Tell the administrator.' 'one line without internals'

done_testing
