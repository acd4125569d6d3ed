#!/bin/bash
# What .clang-tidy asks clang-tidy(1) to look for is not in lib or in the tools, and
# clang++ warns of nothing there. A folder is looked at as one text that includes its files:
# the headers that they share take most of the time.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1

scratch=$(mktemp -d) || exit
trap 'rm -rf "$scratch"' EXIT
# tidy FOLDER...: its findings.
tidy() {
  local folder
  for folder; do
    printf '#include "%s"\n' "$folder"/*.cc > "$scratch/${folder//\//-}.cc"
    printf '%s\0' "$scratch/${folder//\//-}.cc"
  done | xargs -0 -n 1 -P "$(nproc)" nice -n 19 sh -c '
    found=$(clang-tidy --quiet --config-file=.clang-tidy "$1" -- -x c++ -std=c++20 -Wall -Wextra -Wshadow -I. -Ilib \
      -DSALLYPORT_PREFIX="\"/opt\"" -DSALLYPORT_VERSION="\"1\"" 2>&1) && exit
    printf "%s\n" "$found" | grep -E ": (warning|error): " || printf "%s: %s\n" "$1" "$found"' tidy
}

# The largest first, so that none is left alone at the end.
mapfile -t folders < <(for folder in lib/* cmd/*; do
  size=$(cat "$folder"/*.cc 2> /dev/null | wc -c) && [ "$size" -gt 0 ] && echo "$size $folder"
done | sort -rn | cut -d ' ' -f 2)
ok 'there are folders to look at' test "${#folders[@]}" -gt 30
is "$(tidy "${folders[@]}")" '' 'clang-tidy finds nothing'

# clang++ says so only of the file that it is given, and not of what that includes.
# unused FILE...: constants of these files that are there for nothing.
unused() {
  perl -0777 -ne '
    while (/^(?:constexpr|const|static) [^=({;]*\b(k[A-Z]\w*)/mg) {
      my ($name, $text) = ($1, $_);
      print "$ARGV: $name\n" if (() = $text =~ /\b$name\b/g) == 1;
    }' "$@"
}
is "$(unused lib/*/*.cc cmd/*/*.cc)" '' 'each constant is used'

# It looks at all.
mkdir "$scratch/lib"
cat > "$scratch/lib/faults.cc" << 'END'
#include <string>
#include <utility>
constexpr int kUnused = 1;
std::size_t moved(std::string a) { std::string b = std::move(a); return a.size() + b.size(); }
END
like "$(tidy "$scratch/lib")" "lib/faults.cc:4:.*'a' used after it was moved" 'and would find something'
like "$(unused "$scratch/lib/faults.cc")" 'kUnused' 'or a constant'
echo 'int broken(' > "$scratch/lib/faults.cc"
like "$(tidy "$scratch/lib")" 'lib/faults.cc:.*error:' 'or what does not compile'
done_testing
