# here.sh: a test that needs no root, and leaves the machine alone. Sourced first of all:
#
#   . "${0%/*}/../lib/here.sh"
#
# $PWD is the top of the source tree; $tmp is a folder that goes when the test ends.
# Includes tap.sh.
. "${BASH_SOURCE[0]%/*}/tap.sh"
cd "${BASH_SOURCE[0]%/*}/../.." || exit
tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
