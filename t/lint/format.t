#!/bin/bash
# The C++ of the tree is as clang-format(1) writes it by .clang-format. Each release of
# clang-format breaks some lines elsewhere, so it is the one of Debian 12 that counts.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1
clang-format --version | grep -q ' 14\.' || { echo '1..0 # SKIP the tree is as clang-format 14 writes it'; exit; }

mapfile -t files < <(find lib cmd t \( -name '*.cc' -o -name '*.h' \) | sort)
ok 'there are files to look at' test "${#files[@]}" -gt 200
is "$(clang-format --dry-run "${files[@]}" 2>&1 | grep -oE '^[^:]+:[0-9]+' | head -n 20)" '' 'clang-format would change nothing'
done_testing
