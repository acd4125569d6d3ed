#!/usr/bin/env bash
# A clone may have any name and lie anywhere: make builds there, and what it builds
# says nothing of the place. That tests run there is for t/hosts/lean.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1
scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT

# shellcheck disable=SC2016  # not a variable
place=$scratch'/my clone+1/Türme (2), [a-z]* $HOME & co.: 50%/sally'\''s=port'
mkdir -p "$place" && cp -r Makefile CHANGELOG.md cmd lib etc man "$place/" || exit
status 0 'an object is built' make -s -C "$place" build/lib/base/decimal.o
is "$err" '' 'without complaint'
is "$(grep -acF "$scratch" "$place/build/lib/base/decimal.o")" 0 'and does not name the place'
status 0 'what make would do can be said' make -s -n -C "$place" install
done_testing
