#!/usr/bin/env bash
# The faults of t/mutants/list fit the code: what each replaces is there, once, and its tests exist.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1
is "$(t/mutants/run --check)" '' 'each fault has its place, and a test'
ok '(there are many)' test "$(grep -c '^\[' t/mutants/list)" -gt 50
done_testing
