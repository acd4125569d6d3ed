# tap.sh: TAP (the Test Anything Protocol) for tests written in shell.
#
#   . "${0%/*}/../lib/tap.sh"
#   ok "says hello" test "$out" = hello      # passes when the command does
#   is "$out" hello "says hello"             # got, expected, name
#   like "$err" 'refused' "says why"         # got, extended regular expression, name
#   status 77 "refuses" asp-foo < input      # runs; checks the exit status; keeps
#                                            #   stdout in $out and stderr in $err
#   skip "why" "name"
#   tap_about="IPv6: "                       # stands before all names from here on
#   done_testing
#
# Includes plain.sh.
. "${BASH_SOURCE[0]%/*}/plain.sh"

tap_count=0
tap_failed=0

tap_result() {  # status name
  tap_count=$((tap_count + 1))
  if [ "$1" -eq 0 ]; then
    printf 'ok %d - %s\n' "$tap_count" "${tap_about-}$2"
  else
    tap_failed=$((tap_failed + 1))
    printf 'not ok %d - %s\n' "$tap_count" "${tap_about-}$2"
  fi
  return "$1"
}

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

ok() {
  local name=$1
  shift
  "$@"
  tap_result $? "$name" || diag "failed: $*"
}

nok() {
  local name=$1
  shift
  ! "$@"
  tap_result $? "$name" || diag "succeeded: $*"
}

is() {
  [ "$1" = "$2" ]
  tap_result $? "$3" || { diag "got:      $1"; diag "expected: $2"; }
}

like() {
  [[ $1 =~ $2 ]]
  tap_result $? "$3" || { diag "got:      $1"; diag "pattern:  $2"; }
}

# A text as a pattern that matches it alone: base64 holds plus signs.
literally() { sed 's/[][\\.^$*+?(){}|]/\\&/g' <<< "$1"; }

unlike() {
  [[ ! $1 =~ $2 ]]
  tap_result $? "$3" || { diag "got:      $1"; diag "pattern (not wanted): $2"; }
}

# Runs a command with stdin as given; $out, $err and $code hold what came of it. Each
# time with a file of its own: what the command leaves running may still write to it.
capture() {
  local tap_file
  [ -n "${tap_files-}" ] || tap_files=$(mktemp -d)
  tap_captures=$((${tap_captures-0} + 1))
  tap_file=$tap_files/$BASHPID.$tap_captures
  out=$("$@" 2> "$tap_file")
  code=$?
  err=$(< "$tap_file")
}

status() {
  local expected=$1 name=$2
  shift 2
  capture "$@"
  [ "$code" -eq "$expected" ]
  tap_result $? "$name" || { diag "exit status $code, expected $expected: $*"; diag "stdout: $out"; diag "stderr: $err"; }
}

skip() {
  tap_count=$((tap_count + 1))
  printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$2" "$1"
}

done_testing() {
  [ -z "${tap_files-}" ] || rm -rf "$tap_files"
  printf '1..%d\n' "$tap_count"
  [ "$tap_failed" -eq 0 ]
  exit
}
