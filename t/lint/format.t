#!/bin/bash
# The C++ of the tree is as clang-format(1) writes it by .clang-format.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1

mapfile -t files < <(find lib cmd t \( -name '*.cc' -o -name '*.h' \) | sort)
ok 'there are files to look at' test "${#files[@]}" -gt 200
is "$(clang-format --dry-run "${files[@]}" 2>&1 | grep -oE '^[^:]+:[0-9]+' | head -n 20)" '' 'clang-format would change nothing'
done_testing
