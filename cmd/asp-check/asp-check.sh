#!/bin/bash
# asp-check.sh: ways around the restricted shell, and other holes of the proxy
# host. Judges what is really in force: what sshd applies to each user, what
# sudo grants, where links lead. Reads only; asp-check.sh(8).
#
# Names and paths of users are hostile: they are quoted everywhere, given to no
# shell, and shown through shown() or json_string() alone.
# shellcheck disable=SC2016  # $(user) is a word of aspera.conf's
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
IFS=$' \t\n'
export PATH LC_ALL IFS
unset BASH_ENV ENV CDPATH GLOBIGNORE
umask 077

PREFIX=/opt/aspera/proxy
GROUP=sallyport
SSHD=/usr/sbin/sshd
SSHD_CONFIG=/etc/ssh/sshd_config
PINHOLE=$PREFIX/libexec/asp-pinhole
UPSTREAM=$PREFIX/libexec/asp-upstream
SAMPLE=$PREFIX/etc/sshd_config.d/sallyport.conf
# An address of nobody's (RFC 5737): somewhere outside.
OUTSIDER=192.0.2.1
# With more kinds of connection than this to ask about, the rest is not judged.
MAX_CONTEXTS=64

USAGE='usage: asp-check.sh [-v | --verbose] [--json]'

# Checks: the three of the guide first. Name in JSON, and words in the text.
CHECKS=(no_restricted_shell docroot_above_home ssh_tunneling
  docroot_unconfined sftp agent_forwarding x11_forwarding streamlocal_forwarding
  environment sudo private_keys writable sshd_version not_judged)
declare -A WORDS=(
  [no_restricted_shell]='no restricted shell (aspshell)'
  [docroot_above_home]='docroot above home directory'
  [ssh_tunneling]='ssh tunneling enabled'
  [docroot_unconfined]='docroot without confinement by the kernel'
  [sftp]='internal-sftp within reach'
  [agent_forwarding]='agent forwarding enabled'
  [x11_forwarding]='X11 forwarding enabled'
  [streamlocal_forwarding]='stream-local forwarding enabled'
  [environment]='environment set by the user'
  [sudo]='sudo rights beyond asp-pinhole and asp-upstream'
  [private_keys]='private keys readable by others'
  [writable]='configuration or programs writable by others'
  [sshd_version]='sshd with known holes'
  [not_judged]='could not be judged'
)

# sshd's holes: name, first and first mended version (8.5p1 is 80501), Debian's
# own mended packages (comma-separated, or -), what it means. Only what lets
# somebody in, shuts others out, or undoes what the suite's settings rely on.
HOLES=(
  'CVE-2018-15473 0 70800 - lets anybody find out which accounts there are'
  'CVE-2023-48795 0 90600 9.2p1-2+deb12u2,8.4p1-5+deb11u3 (Terrapin) lets somebody on the way weaken a connection'
  'CVE-2024-6387 80501 90800 9.2p1-2+deb12u3 (regreSSHion) may let anybody in as root'
  'CVE-2025-26466 90501 90902 - lets anybody use up memory and time'
)
# DisableForwarding without effect on agent and X11 is held against users, not here.
DISABLE_FORWARDING_HOLE=(CVE-2025-32728 9.2p1-2+deb12u6)

# --- findings ---------------------------------------------------------------------

declare -A count=()
f_check=() f_kind=() f_subject=() f_what=() f_cure=()
user_findings=0  # of the user who is being judged

# found CHECK KIND SUBJECT WHAT CURE: KIND is user or file, or empty.
found() {
  f_check+=("$1") f_kind+=("$2") f_subject+=("$3") f_what+=("$4") f_cure+=("$5")
  count[$1]=$((${count[$1]-0} + 1))
  [ "$2" != user ] || user_findings=$((user_findings + 1))
}

fail() {  # STATUS MESSAGE
  printf 'asp-check.sh: %s\n' "$(shown "$2")" >&2
  exit "$1"
}

# --- showing what may be hostile -----------------------------------------------------

# shown TEXT: every byte outside printable ASCII as \xNN, a backslash as \\.
shown() {
  local text=$1 out='' i byte
  if [[ $text != *[!' '-'~']* && $text != *\\* ]]; then
    printf '%s' "$text"
    return
  fi
  for ((i = 0; i < ${#text}; i++)); do
    byte=${text:i:1}
    case $byte in
      \\) out+=\\\\ ;;
      [' '-'~']) out+=$byte ;;
      *)
        printf -v byte '%d' "'$byte"
        printf -v byte '\\x%02x' $((byte & 255))
        out+=$byte
        ;;
    esac
  done
  printf '%s' "$out"
}

# json_string TEXT: as a JSON string. What is not UTF-8 goes through shown().
json_string() {
  local text=$1 out='' i byte
  if [[ $text == *[!$'\x01'-$'\x7f']* ]] && ! printf '%s' "$text" | iconv -f UTF-8 -t UTF-8 > /dev/null 2>&1; then
    text=$(shown "$text")
  fi
  if [[ $text != *[!' '-'~']* && $text != *[\\\"]* ]]; then
    printf '"%s"' "$text"
    return
  fi
  for ((i = 0; i < ${#text}; i++)); do
    byte=${text:i:1}
    case $byte in
      [\\\"]) out+=\\$byte ;;
      [' '-'~']) out+=$byte ;;
      *)
        printf -v byte '%d' "'$byte"
        byte=$((byte & 255))
        if ((byte == 0xc2 && i + 1 < ${#text})) && [[ ${text:i+1:1} == [$'\x80'-$'\x9f'] ]]; then
          # U+0080 to U+009F control terminals, too.
          i=$((i + 1))
          printf -v byte '%d' "'${text:i:1}"
          byte=$((byte & 255))
          printf -v byte '\\u%04x' "$byte"
        elif ((byte < 0x80)); then
          printf -v byte '\\u%04x' "$byte"
        else
          byte=${text:i:1}
        fi
        out+=$byte
        ;;
    esac
  done
  printf '"%s"' "$out"
}

# --- who may write, who may read -------------------------------------------------------

declare -A looked_at=()  # keys

# facts_of PATH: set $mode (a number), $owner (uid), $group, $kind; 1 if there is nothing.
facts_of() {
  local facts
  facts=$(stat -c '%a %u %G %F' -- "$1" 2> /dev/null) || return
  read -r mode owner group kind <<< "$facts"
  mode=$((8#$mode))
}

# check_root_paths PATH...: they and all above them, wherever links lead, must be root's to write.
check_root_paths() {
  local paths path mode owner group kind
  local -A named=() above=()
  mapfile -d '' -t paths < <(realpath -ez -- "$@" 2> /dev/null)
  for path in "${paths[@]}"; do
    named[$path]=1
    while [ "$path" != / ]; do
      path=${path%/*}
      path=${path:-/}
      above[$path]=1
    done
  done
  while IFS=: read -r -d '' mode owner group kind path; do
    mode=$((8#$mode))
    if [ "$owner" != 0 ]; then
      found writable file "$path" "belongs to uid $owner" 'chown root'
    fi
    # Where files are only above, a sticky folder like /tmp lets nobody rename them.
    if ((mode & 8#1000)) && [ "$kind" = directory ] && [ -z "${named[$path]-}" ]; then
      continue
    fi
    if ((mode & 8#22)); then
      found writable file "$path" "may be written by $(writers)" 'chmod go-w'
    fi
  done < <(stat --printf '%a:%u:%G:%F:%n\0' -- "${!named[@]}" "${!above[@]}" 2> /dev/null | sort -zu)
}

# writers, readers: of what facts_of has looked at, in words.
writers() { of_bits 8#20 8#2; }
readers() { of_bits 8#60 8#6; }
of_bits() {
  local words=()
  ((mode & $1)) && words+=("group $group")
  ((mode & $2)) && words+=('everybody')
  printf '%s' "${words[0]}${words[1]+ and ${words[1]}}"
}

# check_user_path NAME UID PATH: may belong to that user, and be written by nobody
# else. The user may have put a link there: it is not followed. 1 if so.
check_user_path() {
  local mode owner group kind
  facts_of "$3" || return 0
  if [ "$kind" = 'symbolic link' ]; then
    found not_judged user "$1" "$3 is a symbolic link, and not followed" 'put a file or folder in its place, or look where it leads'
    return 1
  fi
  if [ "$owner" != 0 ] && [ "$owner" != "$2" ]; then
    found writable user "$1" "$3 belongs to uid $owner" "chown it to $([ "$2" = 0 ] && echo root || echo the user)"
  fi
  if ((mode & 8#22)); then
    found writable user "$1" "$3 may be written by $(writers)" 'chmod go-w'
  fi
  return 0
}

# check_key PATH KIND SUBJECT [GROUP]: a private key, that GROUP may read.
check_key() {
  local mode owner group kind forbidden=8#66
  if [ -n "${looked_at[k:$1]-}" ] || ! facts_of "$1"; then
    return
  fi
  looked_at[k:$1]=1
  if [ "$kind" = 'symbolic link' ]; then
    found not_judged "$2" "$3" "the private key $1 is a symbolic link, and not followed" 'put the key itself there'
    return
  fi
  if [ -n "${4-}" ] && [ "$group" = "$4" ]; then
    forbidden=8#26
  fi
  if ((mode & forbidden)); then
    if [ -n "${4-}" ]; then
      found private_keys "$2" "$3" "the private key $1 is open to $(readers)" "chown root:$4, chmod 640, or 600; make a new key if others had access"
    else
      found private_keys "$2" "$3" "the private key $1 is open to $(readers)" 'chmod 600; make a new key if others had access'
    fi
  fi
}

# --- sshd's files -------------------------------------------------------------------------

sshd_files=()  # and the folders that it includes files of
remotes=("host=$OUTSIDER,addr=$OUTSIDER")
match_ports=0 match_local=0

# read_sshd_file FILE DEPTH: collect the files that it includes, and the
# connections that its Match lines tell apart.
read_sshd_file() {
  local words keyword pattern file
  sshd_files+=("$1")
  (($2 < 16)) || return
  while read -r line || [ -n "$line" ]; do
    line=${line//[$'"=\t\r']/ }
    read -ra words <<< "$line"
    keyword=${words[0]-}
    case ${keyword,,} in
      include)
        for pattern in "${words[@]:1}"; do
          [[ $pattern == /* ]] || pattern=/etc/ssh/$pattern
          sshd_files+=("${pattern%/*}")
          while IFS= read -r file; do
            [ ! -f "$file" ] || read_sshd_file "$file" $(($2 + 1))
          done < <(compgen -G "$pattern" | sort)
        done
        ;;
      match) read_match "${words[@]:1}" ;;
    esac
  done < "$1"
}

# read_match CRITERION VALUE...: of one Match line.
read_match() {
  local addresses=() hosts=() values value address host
  while [ $# -gt 0 ]; do
    IFS=, read -ra values <<< "${2-}"
    case ${1,,} in
      all | invalid-user) shift; continue ;;
      localport) match_ports=1 ;;
      localaddress) match_local=1 ;;
      address | host)
        for value in "${values[@]}"; do
          # One that the pattern matches. A negated one is nobody's.
          [[ $value != !* ]] || continue
          if [ "${1,,}" = address ]; then
            value=${value%%/*}
            value=${value//\*/1}
            addresses+=("${value//\?/1}")
          else
            value=${value//\*/x}
            hosts+=("${value//\?/x}")
          fi
        done
        ;;
    esac
    shift
    [ $# -eq 0 ] || shift
  done
  [ ${#addresses[@]} -gt 0 ] || [ ${#hosts[@]} -gt 0 ] || return
  for address in "${addresses[@]:-$OUTSIDER}"; do
    for host in "${hosts[@]:-$address}"; do
      remotes+=("host=$host,addr=$address")
    done
  done
}

# ask_sshd SPEC: set sshd_says[KEYWORD] to what sshd applies; a keyword that
# comes again has a value a line. OpenSSH from 10.6 on does not write them in small
# letters. 1, with $sshd_error set, if it does not say.
declare -A sshd_says=()
ask_sshd() {
  local answer keyword value
  if ! answer=$(timeout 30 "$SSHD" -T -C "$1" 2>&1 < /dev/null); then
    sshd_error=${answer##*$'\n'}
    return 1
  fi
  sshd_says=()
  while read -r keyword value; do
    [ -n "$keyword" ] || continue
    keyword=${keyword,,}
    sshd_says[$keyword]=${sshd_says[$keyword]+${sshd_says[$keyword]}$'\n'}$value
  done <<< "$answer"
  if [ -z "${sshd_says[allowtcpforwarding]-}" ]; then
    sshd_error='it does not say allowtcpforwarding'
    return 1
  fi
}

# make_contexts: the kinds of connection to ask about: where from, and, only if a
# Match line looks at it, to which of our addresses and ports.
make_contexts() {
  local remote address port ports=() addresses=()
  mapfile -t ports <<< "${sshd_says[port]-22}"
  ((match_ports)) || ports=("${ports[0]}")
  if ((match_local)); then
    mapfile -t addresses < <(ip -o address show scope global 2> /dev/null | awk '{ sub("/.*", "", $4); print $4 }')
  fi
  contexts=()
  for remote in "${remotes[@]}"; do
    for address in "${addresses[@]:-127.0.0.1}"; do
      for port in "${ports[@]}"; do
        contexts+=("$remote,laddr=$address,lport=$port")
      done
    done
  done
  if [ ${#contexts[@]} -gt "$MAX_CONTEXTS" ]; then
    found not_judged file "$SSHD_CONFIG" "its Match lines tell ${#contexts[@]} kinds of connection apart; $MAX_CONTEXTS were looked at" \
      'have fewer Match Address, Host, LocalAddress and LocalPort'
    contexts=("${contexts[@]:0:MAX_CONTEXTS}")
  fi
}

# --- sshd's version ----------------------------------------------------------------------------

# read_version: set $sshd_version (9.2p1 is 90201; 0: not OpenSSH's), $sshd_banner,
# and $package, Debian's version of the package if that is what is installed.
read_version() {
  local pattern='OpenSSH_([0-9]+)\.([0-9]+)(p([0-9]+))?[^,]*' own client number patch
  sshd_version=0 sshd_banner='' package=''
  # An sshd before 9.2 has no -V, but names itself when it says so.
  own=$(timeout 10 "$SSHD" -V 2>&1 < /dev/null)
  [[ $own =~ $pattern ]] || return
  sshd_banner=${BASH_REMATCH[0]}
  number=${BASH_REMATCH[1]}.${BASH_REMATCH[2]}
  patch=${BASH_REMATCH[4]}
  sshd_version=$((10#${BASH_REMATCH[1]} * 10000 + 10#${BASH_REMATCH[2]} * 100))
  # Newer ones leave out the patch level and the distribution, which ssh has.
  client=$(timeout 10 ssh -V 2>&1 < /dev/null)
  if [ -z "$patch" ] && [[ $client =~ $pattern ]] && [ "${BASH_REMATCH[1]}.${BASH_REMATCH[2]}" = "$number" ]; then
    sshd_banner=${BASH_REMATCH[0]}
    patch=${BASH_REMATCH[4]}
  fi
  sshd_version=$((sshd_version + 10#${patch:-1}))
  package=$(dpkg-query -W -f '${Version}' openssh-server 2> /dev/null)
  [[ ${package#*:} == "$number"[p-]* ]] || package=
}

# mended CVE DEBIAN-VERSIONS: has the distribution put the fix into its package?
mended() {
  local fix
  for fix in ${2//,/ }; do
    if [ -n "$package" ] && [[ ${package#*:} == "${fix%%-*}"-* ]] && dpkg --compare-versions "${package#*:}" ge "$fix"; then
      return 0
    fi
  done
  if [ -n "$package" ]; then
    gzip -dcf /usr/share/doc/openssh-server/changelog.Debian.gz 2> /dev/null | grep -qwF -e "$1"
  else
    rpm -q --changelog openssh-server 2> /dev/null | grep -qwF -e "$1"
  fi
}

check_version() {
  local hole cve first fixed packages meaning
  if [ "$sshd_version" = 0 ]; then
    found not_judged file "$SSHD" 'it does not name a version of OpenSSH' 'look for known holes of this version yourself'
    return
  fi
  for hole in "${HOLES[@]}"; do
    read -r cve first fixed packages meaning <<< "$hole"
    if ((sshd_version >= first && sshd_version < fixed)) && ! mended "$cve" "$packages"; then
      found sshd_version file "$SSHD" \
        "$sshd_banner${package:+ (package $package)}: $cve $meaning; a warning, no proof: by its version alone, and the distribution may have mended it" \
        'install the updates of the distribution'
    fi
  done
}

# --- aspera.conf ----------------------------------------------------------------------------------

# last_words ANSWER: what a tool said at the end, when it failed.
last_words() {
  local last=${1##*$'\n'}
  printf '%s' "${last:0:300}"
}

# value_of NAME LINE: set $value if LINE is `NAME: "value"`, with \\, \" and \xNN.
value_of() {
  local quoted i byte
  [[ $2 == "$1: \""*\" ]] || return
  quoted=${2#"$1: \""}
  quoted=${quoted%\"}
  value=
  for ((i = 0; i < ${#quoted}; i++)); do
    byte=${quoted:i:1}
    if [ "$byte" = \\ ]; then
      i=$((i + 1))
      byte=${quoted:i:1}
      if [[ ${quoted:i:3} =~ ^x[0-9a-f][0-9a-f]$ ]]; then
        # shellcheck disable=SC2059  # two hexadecimal digits
        printf -v byte "\\${quoted:i:3}"
        i=$((i + 2))
      fi
    fi
    value+=$byte
  done
}

# read_aspera_conf: set $docroots to 1 if anybody has a docroot, keyfiles, and known_hosts.
read_aspera_conf() {
  local answer line value
  docroots=0 keyfiles=() known_hosts=$PREFIX/etc/known_hosts
  if ! answer=$(timeout 30 "$PREFIX/bin/asuserdata" -a 2>&1 < /dev/null); then
    found not_judged file "$PREFIX/etc/aspera.conf" "asuserdata -a fails: $(last_words "$answer")" 'asuserdata -v says what is wrong'
    return
  fi
  while IFS= read -r line; do
    if value_of absolute "$line"; then
      [ -z "$value" ] || docroots=1
    elif [[ $line =~ ^(rproxy_rule_[0-9]+_keyfile): ]] && value_of "${BASH_REMATCH[1]}" "$line"; then
      [ -z "$value" ] || keyfiles+=("$value")
    elif value_of rproxy_known_hosts "$line"; then
      known_hosts=$value
    fi
  done <<< "$answer"
}

# docroot_of NAME: set $docroot, links resolved, empty if none; $enforced_by, as asuserdata(8) has it;
# and $reaches_files, if files in it can be read or written.
docroot_of() {
  local answer line value said='' closed=''
  docroot='' enforced_by='' reaches_files=1
  ((docroots)) || return
  if answer=$(timeout 30 "$PREFIX/bin/asuserdata" -u "$1" 2>&1 < /dev/null); then
    while IFS= read -r line; do
      if value_of canonical_absolute "$line"; then
        docroot=$value
        said=1
      elif value_of docroot_enforced_by "$line"; then
        enforced_by=$value
      elif { value_of read_allowed "$line" || value_of write_allowed "$line"; } && [ "$value" = false ]; then
        closed+=1
      fi
    done <<< "$answer"
  fi
  # What asuserdata prints is of the first <path>; others may have more rights, on a node that has them.
  [ "$enforced_by/$closed" != kernel/11 ] || reaches_files=
  [ -n "$said" ] || found not_judged user "$1" "asuserdata does not say the docroot: $(last_words "$answer")" 'asuserdata -v says what is wrong'
}

# --- accounts ----------------------------------------------------------------------------------------

is_aspshell() {
  [[ $1 == /* ]] && [ "$1" -ef "$PREFIX/bin/aspshell" ]
}

# may_log_in SHELL: none at all is sh.
may_log_in() {
  case ${1##*/} in
    nologin | false | true | sync | halt | shutdown) return 1 ;;
  esac
  [ -z "$1" ] || [ -x "$1" ]
}

in_group() {
  local gid
  [ -n "$group_id" ] || return
  [ "$2" != "$group_id" ] || return 0
  for gid in $(id -G -- "$1" 2> /dev/null); do
    [ "$gid" != "$group_id" ] || return 0
  done
  return 1
}

# within PATH DIRECTORY: is PATH that directory, or in it?
within() {
  [ "$1" = "$2" ] || [ "$2" = / ] || [[ $1 == "$2"/* ]]
}

# check_docroot NAME HOME: with $docroot.
check_docroot() {
  local home
  home=$(realpath -m -- "${2:-/}")
  if [ "$enforced_by" = programs ]; then
    found docroot_unconfined user "$1" 'the kernel lacks Landlock, so that programs of other makers reach all files' \
      'a kernel with Landlock, or <confinement>required</confinement>'
  fi
  [ -n "$reaches_files" ] || return
  if within "$home" "$docroot" || within "$docroot" "$home/.ssh"; then
    found docroot_above_home user "$1" "the docroot $docroot reaches the home directory $home, and so .ssh" \
      "set a docroot below the home directory, or elsewhere"
  fi
}

# check_shell NAME SHELL: with what sshd says.
check_shell() {
  is_aspshell "$2" && return
  is_aspshell "${sshd_says[forcecommand]-none}" && return
  context_finding no_restricted_shell "$1" "its shell is ${2:-/bin/sh}$(really "$2"), and ForceCommand is ${sshd_says[forcecommand]-none}" \
    "chsh -s /bin/aspshell; add it to the group $GROUP, and have $SAMPLE in force"
}

# really PATH: where a link leads.
really() {
  local target
  target=$(realpath -m -- "${1:-/bin/sh}")
  [ "$target" = "$1" ] || printf ' (really %s)' "$target"
}

# context_finding CHECK NAME WHAT CURE: once a user, however many connections it is found for.
context_finding() {
  [ -z "${found_before[$1]-}" ] || return
  found_before[$1]=1
  found "$1" user "$2" "$3$where" "$4"
}

# check_forwarding NAME: with what sshd says. DisableForwarding leaves PermitTunnel
# alone in each version, agent and X11 in those before 10.0.
check_forwarding() {
  local disabled=${sshd_says[disableforwarding]-no} tcp=${sshd_says[allowtcpforwarding]} tun=${sshd_says[permittunnel]-no}
  local stream=${sshd_says[allowstreamlocalforwarding]-no} cure="have $SAMPLE in force"
  if [ "$tun" != no ]; then
    context_finding ssh_tunneling "$1" "PermitTunnel is $tun" 'PermitTunnel no'
  fi
  if [ "$disabled" != yes ]; then
    if [ "$tcp" != no ] && ! ports_closed "$tcp"; then
      context_finding ssh_tunneling "$1" "AllowTcpForwarding is $tcp" "AllowTcpForwarding no; or $cure"
    fi
    if [ "$stream" != no ]; then
      context_finding streamlocal_forwarding "$1" "AllowStreamLocalForwarding is $stream" "AllowStreamLocalForwarding no; or $cure"
    fi
  fi
  [ "$disabled" = no ] || [ "$disables_all" = 0 ] || return
  if [ "$disabled" = yes ]; then
    disabled=', and DisableForwarding does not cover it before OpenSSH 10.0 (CVE-2025-32728)'
  else
    disabled=
  fi
  if [ "${sshd_says[allowagentforwarding]-no}" != no ]; then
    context_finding agent_forwarding "$1" "AllowAgentForwarding is ${sshd_says[allowagentforwarding]}$disabled" "AllowAgentForwarding no; or $cure"
  fi
  if [ "${sshd_says[x11forwarding]-no}" != no ]; then
    context_finding x11_forwarding "$1" "X11Forwarding is ${sshd_says[x11forwarding]}$disabled" "X11Forwarding no; or $cure"
  fi
}

# ports_closed ALLOW: are there no ports that what is allowed could lead to?
ports_closed() {
  [ "$1" = remote ] || [ "${sshd_says[permitopen]-any}" = none ] || return
  [ "$1" = local ] || [ "${sshd_says[permitlisten]-any}" = none ]
}

# check_sftp NAME: sshd itself serves internal-sftp, whatever the shell. A forced
# command comes before it, if it is not the same.
check_sftp() {
  local forced=${sshd_says[forcecommand]-none} subsystem
  if [[ $forced == internal-sftp || $forced == internal-sftp\ * ]]; then
    context_finding sftp "$1" 'ForceCommand is internal-sftp' "ForceCommand $PREFIX/bin/aspshell"
  elif [ "$forced" = none ]; then
    while read -r subsystem; do
      [[ $subsystem =~ ^[^\ ]+\ internal-sftp($|\ ) ]] || continue
      context_finding sftp "$1" "Subsystem $subsystem, and no ForceCommand" "ForceCommand $PREFIX/bin/aspshell; have $SAMPLE in force"
    done <<< "${sshd_says[subsystem]-}"
  fi
}

check_environment() {
  local patterns pattern variable
  if [ "${sshd_says[permituserenvironment]-no}" != no ]; then
    context_finding environment "$1" "PermitUserEnvironment is ${sshd_says[permituserenvironment]}" 'PermitUserEnvironment no'
    return
  fi
  read -d '' -ra patterns <<< "${sshd_says[acceptenv]-}"
  for pattern in "${patterns[@]}"; do
    [[ $pattern != *[!A-Za-z0-9_*?]* ]] || continue
    for variable in LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GCONV_PATH PATH ENV BASH_ENV SHELLOPTS IFS; do
      # shellcheck disable=SC2053  # a pattern
      if [[ $variable == $pattern ]]; then
        context_finding environment "$1" "AcceptEnv $pattern lets the client set $variable" 'accept no more than LANG LC_* ASPERA_HOST'
        return
      fi
    done
  done
}

# check_sudo NAME: each grant but the one of the suite.
check_sudo() {
  local answer line what listing=0 cure
  [ -x /usr/bin/sudo ] || return
  # A grant a line: into a pipe, sudo breaks none.
  answer=$(timeout 30 /usr/bin/sudo -n -l -U "$1" 2>&1 < /dev/null)
  case $answer in
    *'is not allowed to run sudo'* | *"is not allowed to execute 'list' as"*) return ;;
  esac
  while IFS= read -r line; do
    if [[ $line == *'may run the following commands'* ]]; then
      listing=1
      continue
    fi
    if ! ((listing)) || [[ $line != ' '* ]]; then
      continue
    fi
    read -r line <<< "$line"
    what=${line#"(root) "}
    while [[ $what =~ ^(NOSETENV|EXEC|NOPASSWD):\  ]]; do what=${what#* }; done
    case "${line%"$what"}|$what" in
      "(root) "*"|$PINHOLE \"\", $UPSTREAM \"\"" | "(root) "*"|$PINHOLE \"\"" | "(root) "*"|$UPSTREAM \"\"") continue ;;
      # sudo-rs does not write the "" of a grant that takes no arguments.
      "(root) "*"|$PINHOLE, $UPSTREAM")
        if ! timeout 30 /usr/bin/sudo -n -l -U "$1" "$PINHOLE" x > /dev/null 2>&1 < /dev/null &&
          ! timeout 30 /usr/bin/sudo -n -l -U "$1" "$UPSTREAM" x > /dev/null 2>&1 < /dev/null; then
          continue
        fi
        cure="delete this grant; both are to be granted without arguments"
        ;;
      *iptables-restore*)
        cure='delete this grant: it gives away the whole firewall, and asp-pinhole has taken its place'
        ;;
      *) cure="delete this grant; sudo -l -U must show $PINHOLE \"\" and $UPSTREAM \"\" alone" ;;
    esac
    found sudo user "$1" "sudo grants $line" "$cure"
  done <<< "$answer"
  ((listing)) || found not_judged user "$1" "sudo does not say what it grants: $(last_words "$answer")" 'visudo -c says what is wrong'
}

# As base/accounts has them: who is in one of these can become root.
ADMINISTRATORS=' root sudo wheel admin adm shadow disk staff lxd incus incus-admin docker podman libvirt kvm '

# check_groups NAME
check_groups() {
  local name
  while IFS= read -r -d '' name; do
    [[ $ADMINISTRATORS == *" $name "* ]] || continue
    found sudo user "$1" "member of the group $name, who can become root" "gpasswd -d USER $name"
  done < <(id -Gnz -- "$1" 2> /dev/null)
}

# check_user_files NAME UID HOME: with what sshd says.
check_user_files() {
  local home file keys key ssh='' at_home=''
  home=$(realpath -m -- "${3:-/}")
  if [ "$home" != / ]; then
    check_user_path "$1" "$2" "$home"
    check_user_path "$1" "$2" "$home/.ssh" && ssh=$home/.ssh
  fi
  read -d '' -ra keys <<< "${sshd_says[authorizedkeysfile]-}"
  for file in "${keys[@]}"; do
    [ "$file" != none ] || continue
    file=${file//%u/"$1"}
    file=${file//%h/"$home"}
    file=${file//%U/"$2"}
    [[ $file == /* ]] || file=$home/$file
    if ! within "$file" "$home"; then
      check_user_path "$1" 0 "$file"
      [ -n "${looked_at[f:${file%/*}]-}" ] || check_root_paths "${file%/*}"
      looked_at[f:${file%/*}]=1
      continue
    fi
    at_home=${at_home:-$file}
    [ -n "$ssh" ] || ! within "$file" "$home/.ssh" || continue
    check_user_path "$1" "$2" "$file"
  done
  if [ -n "$at_home" ]; then
    found writable user "$1" "sshd takes keys from $at_home, where code that runs as the user can add some" \
      "asp-adduser -s -m USER takes them to root's directory; then have $SAMPLE in force"
  fi
  if [ -d "$ssh" ]; then
    while IFS= read -r -d '' key; do
      check_key "$key" user "$1"
    done < <(find -P "$ssh" -maxdepth 1 ! -type d -name 'id_*' ! -name '*.pub' -print0 2> /dev/null | sort -z)
  fi
  for key in "${keyfiles[@]}"; do
    [[ $key == *'$('* ]] || continue
    key=${key//'$(user)'/"$1"}
    key=${key//'$(name)'/"$1"}
    check_key "$key" user "$1"
  done
}

# judge_restricted NAME UID HOME SHELL: all that concerns one proxy user.
judge_restricted() {
  local context where spec
  local -A found_before=()
  if [[ $1 == *,* ]]; then
    found not_judged user "$1" 'sshd cannot be asked about a name with a comma' 'give the account another name'
    return
  fi
  for context in "${contexts[@]}"; do
    spec="user=$1,$context"
    if ! ask_sshd "$spec"; then
      found not_judged user "$1" "sshd -T -C $spec fails: $sshd_error" 'sshd -t says what is wrong'
      return
    fi
    where=
    [ ${#contexts[@]} = 1 ] || where=" ($context)"
    ! may_log_in "$4" || check_shell "$1" "$4"
    check_forwarding "$1"
    check_sftp "$1"
    check_environment "$1"
    if [ "${sshd_says[strictmodes]-yes}" != yes ]; then
      context_finding writable "$1" 'StrictModes is no: sshd takes keys from files that others can write' 'StrictModes yes'
    fi
  done
  [ -z "$docroot" ] || check_docroot "$1" "$3"
  check_sudo "$1"
  check_groups "$1"
  check_user_files "$1" "$2" "$3"
}

# judge_account NAME UID GID HOME SHELL: set $class.
judge_account() {
  local before=$user_findings restricted=0 docroot='' enforced_by='' reaches_files=1
  class='no login'
  if in_group "$1" "$3" || [[ ${5##*/} == aspshell ]] || is_aspshell "$5"; then
    restricted=1
  fi
  if ((restricted)) || { [ "$2" != 0 ] && may_log_in "$5"; }; then
    docroot_of "$1"
    [ -z "$docroot" ] || restricted=1
    [ "$enforced_by" != server ] || elsewhere=$((elsewhere + 1))
  fi
  if ((restricted)); then
    class=restricted
    restricted_users=$((restricted_users + 1))
    judge_restricted "$1" "$2" "$4" "$5"
    if ((user_findings > before)); then
      class=insecure
      insecure_users=$((insecure_users + 1))
    fi
  elif may_log_in "$5"; then
    class='full access'
    full_users=$((full_users + 1))
  fi
}

u_name=() u_class=()
full_users=0 restricted_users=0 insecure_users=0
elsewhere=0  # docroots that nothing on this host enforces

judge_accounts() {
  local name _ uid gid home shell class
  local -A known=()
  while IFS=: read -r name _ uid gid _ home shell; do
    if [ -z "$name" ] || [ -z "$uid" ] || [ -n "${known[u:$name]-}" ]; then
      continue
    fi
    known[u:$name]=1
    judge_account "$name" "$uid" "$gid" "$home" "$shell"
    u_name+=("$name") u_class+=("$class")
  done < <(getent passwd)
}

# --- the system ---------------------------------------------------------------------------------------

check_system_files() {
  check_root_paths "$PREFIX" "$PREFIX"/{bin,libexec,etc}{,/*} "$PREFIX"/etc/sshd_config.d/* "$known_hosts" /bin/aspshell \
    "${sshd_files[@]}" /etc/ssh /etc/sudoers /etc/sudoers.d{,/*} /etc/cron.d{,/sallyport}
}

check_system_keys() {
  local key
  while read -r key; do
    [ ! -f "$key" ] || check_key "$(realpath -e -- "$key")" file "$key" ssh_keys
  done <<< "${sshd_says[hostkey]-}"
  for key in "$PREFIX"/etc/ssh_keys/*; do
    [[ $key == *.pub ]] || [ ! -f "$key" ] || check_key "$(realpath -e -- "$key")" file "$key"
  done
  for key in "${keyfiles[@]}"; do
    [[ $key == *'$('* ]] || [ ! -f "$key" ] || check_key "$(realpath -e -- "$key")" file "$key"
  done
}

# --- output ----------------------------------------------------------------------------------------------

write_text() {
  local check i
  printf '%s\n' "Users with full access: $full_users (not considered insecure)" \
    "Restricted users: $restricted_users" "Insecure users: $insecure_users"
  for check in "${CHECKS[@]}"; do
    printf -- '- %s: %d\n' "${WORDS[$check]}" "${count[$check]-0}"
  done
  ((elsewhere == 0)) || printf 'Docroots that nothing on this host enforces, but internal servers may: %d\n' "$elsewhere"
  if ((verbose)); then
    printf '\nUsers:\n'
    for i in "${!u_name[@]}"; do
      printf '%s: %s\n' "$(shown "${u_name[i]}")" "${u_class[i]}"
    done
  fi
  ((${#f_check[@]})) || return 0
  printf '\nFindings:\n'
  for i in "${!f_check[@]}"; do
    printf '%s %s: %s. Cure: %s\n' "${f_kind[i]}" "$(shown "${f_subject[i]}")" "$(shown "${f_what[i]}")" "$(shown "${f_cure[i]}")"
  done
}

write_json() {
  local check i separator=
  printf '{"secure":%s,"full_access":%d,"restricted":%d,"insecure":%d,"docroots_elsewhere":%d,"checks":{' \
    "$( ((${#f_check[@]})) && echo false || echo true)" "$full_users" "$restricted_users" "$insecure_users" "$elsewhere"
  for check in "${CHECKS[@]}"; do
    printf '%s"%s":%d' "$separator" "$check" "${count[$check]-0}"
    separator=,
  done
  printf '},"findings":['
  separator=
  for i in "${!f_check[@]}"; do
    printf '%s{"check":"%s","%s":%s,"what":%s,"cure":%s}' "$separator" "${f_check[i]}" "${f_kind[i]}" \
      "$(json_string "${f_subject[i]}")" "$(json_string "${f_what[i]}")" "$(json_string "${f_cure[i]}")"
    separator=,
  done
  printf ']'
  if ((verbose)); then
    printf ',"users":['
    separator=
    for i in "${!u_name[@]}"; do
      printf '%s{"name":%s,"class":"%s"}' "$separator" "$(json_string "${u_name[i]}")" "${u_class[i]}"
      separator=,
    done
    printf ']'
  fi
  printf '}\n'
}

# --- all of it -----------------------------------------------------------------------------------------------

verbose=0 json=0
while [ $# -gt 0 ]; do
  case $1 in
    -v | --verbose) verbose=1 ;;
    --json) json=1 ;;
    *) fail 64 "$1: no such option; $USAGE" ;;
  esac
  shift
done
[ "$EUID" = 0 ] || fail 77 'run it as root, or with sudo'

shopt -s nullglob
group_id=$(getent group "$GROUP" | cut -d : -f 3)
ask_sshd "user=root,${remotes[0]},laddr=127.0.0.1,lport=22" || fail 71 "ask sshd (sshd -T): $sshd_error"
[ ! -r "$SSHD_CONFIG" ] || read_sshd_file "$SSHD_CONFIG" 0
make_contexts
read_version
disables_all=1
if ((sshd_version < 100000)) && ! mended "${DISABLE_FORWARDING_HOLE[@]}"; then
  disables_all=0
fi
read_aspera_conf
check_system_keys
judge_accounts
check_system_files
check_version

if ((json)); then
  text=$(write_json)
else
  text=$(write_text)
fi
printf '%s\n' "$text" 2> /dev/null || fail 74 'write the findings to stdout'
((${#f_check[@]} == 0))
