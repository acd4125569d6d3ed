#!/bin/bash
# What .clang-tidy asks clang-tidy(1) to look for is not in lib or in the tools, and
# clang++ warns of nothing there. It takes minutes, of what other tests leave idle.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1

mapfile -t files < <(find lib cmd -name '*.cc' | sort)
ok 'there are files to look at' test "${#files[@]}" -gt 150
# tidy FILE...: its findings.
tidy() {
  printf '%s\0' "$@" | xargs -0 -n 4 -P "$(nproc)" nice -n 19 sh -c '
    clang-tidy --quiet "$@" -- -x c++ -std=c++20 -Wall -Wextra -Wshadow -Ilib -DSALLYPORT_PREFIX="\"/opt\"" -DSALLYPORT_VERSION="\"1\""' tidy 2> /dev/null |
    grep -E ': (warning|error): '
}
is "$(tidy "${files[@]}")" '' 'clang-tidy finds nothing'

# It looks at all.
scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT
cp .clang-tidy "$scratch/"
printf '#include <string>\n#include <utility>\nstd::size_t moved(std::string a) { std::string b = std::move(a); return a.size() + b.size(); }\n' > "$scratch/moved.cc"
like "$(tidy "$scratch/moved.cc")" "'a' used after it was moved" 'and would find something'
done_testing
