# messages.sh: how sessions end, in the words of the log and of what the user reads. Sourced
# after proxy.sh, with dmz, outside and inside1 up.

root=$(lab_root dmz)
conf=$root$LAB_PREFIX/etc/aspera.conf
squash_key=$LAB_PREFIX/etc/ssh_keys/id_ed25519

configure() {  # [EXPRESSION OF SED]
  lab_guide_config | sed 's|</CONF>|<default><aspshell_commands><command>cat</command><command udp="false">sleep %d</command></aspshell_commands></default></CONF>|' |
    sed -E "${1:-}" | lab_config
}

# What the log has since log_from, of our programs, without times and process numbers.
log_from() { seen=$(lab_log dmz | wc -l); }
log_since() { lab_log dmz | tail -n +$((seen + 1)) | sed -nE 's/^[^ ]+ dmz (as[a-z_-]*)\[[0-9]+\]: (ERR|LOG)/\1 \2/p'; }
errors() { log_since | grep ' ERR ' | sed -E 's/session=[0-9a-f-]{36}/session=UUID/g'; }
has_errors() { [ -n "$(errors)" ]; }
# one_error PATTERN: what comes behind the name of the program.
one_error() {
  wait_until 5 has_errors
  like "$(errors | wc -l)|$(errors)" "^1\\|[^ ]+ ERR $1" 'one line of error'
}
closed_because() { log_since | grep -o 'Connection closed (.*) session'; }
has_closed() { [ -n "$(closed_because)" ]; }

# What users read.
unserved='This proxy could not serve the session. Tell the administrator.'
busy='This proxy takes no further sessions right now. Try again later.'
misconfigured='This proxy is misconfigured. Tell the administrator.'
unpermitted='This proxy does not permit that.'
unreached='The server behind this proxy cannot be reached.'
unverified='The server behind this proxy could not be verified. Tell the administrator.'
lost='The connection to the server behind this proxy was lost.'
ended='This proxy ended the session. Try again later.'
by_administrator='An administrator of this proxy ended the session.'

# How lines of the log go on that are about a session of bear's: from the request on, and with a server.
of_bear="session=UUID user=bear .*client=$OUTSIDE:[0-9]+ proxy=$SQUASH:33001 "

# meets NAME STATUS TOLD ERROR [COMMAND]: the next session of bear's
meets() { ends "$1" "$2" "$3" "$4" on outside -u bear timeout 30 ssh -p 33001 "bear@$SQUASH" "${5-cat}"; }
# breaks_out NAME STATUS TOLD ERROR COMMAND: mallory, who has a shell on the proxy
breaks_out() { ends "$1" "$2" "$3" "$4" on outside -u mallory timeout 30 ssh -p 33001 "mallory@$SQUASH" "rproxy=$LAB_PREFIX/libexec/ascp_rproxy; $5"; }
# ends NAME STATUS TOLD ERROR COMMAND...: a session of whoever
ends() {
  log_from
  capture "${@:5}" < /dev/null
  is "$code $err" "$2 $3" "$1: the status, and what the user reads"
  one_error "$4"
}

# --- sessions that live -------------------------------------------------------------------

living() { lab_pids dmz asp-dial | wc -l; }
is_living() { [ "$(living)" = "$1" ]; }
# slay SIGNAL NAME: all processes of that name on dmz
# shellcheck disable=SC2046  # a list of numbers
slay() { kill "-$1" $(lab_pids dmz "$2"); }

# session_meets NAME CLOSED ERROR STATUS TOLD COMMAND...: while a session of bear's lives; without an
# ERROR there is to be none
session_meets() {
  local name=$1 closed=$2 error=$3 code=$4 told=$5
  shift 5
  log_from
  proxy_session one outside bear "$SQUASH" cat
  "$@"
  proxy_end one
  is "$proxy_status $(cat "$TMPDIR/one.err")" "$code $told" "$name: the status, and what the user reads"
  wait_until 5 has_closed
  like "$(closed_because)" "^Connection closed \\($closed\\) session$" 'why the session ended'
  if [ "$error" ]; then
    one_error "$error.* session=UUID"
  else
    is "$(errors)" '' 'no error'
  fi
  wait_until 10 is_living 0
}
