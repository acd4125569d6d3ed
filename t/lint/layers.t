#!/bin/bash
# The layers of lib: a folder includes only what the table gives it, no modules
# include each other in a circle, no header of a tool has the name of one of lib,
# and a header's namespace is its folder, or a part of it, or the module itself.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1

# Each folder with those that it may include, which are all further down.
table='lease firewall session cluster kernel config base
balance session cluster config base
firewall session kernel base
session config base
cluster config base
who config base
browse base
config base
kernel base
ssh base
http base
base'
folders=$(cut -d' ' -f1 <<< "$table")

# includes FOLDER...: "file included" for each include in quotes.
includes() { grep -rE '^#include "' --include='*.h' --include='*.cc' "$@" | sed -E 's/:#include "([^"]*)".*/ \1/'; }

# arrows: "module module" for each include between two modules of lib, or of one tool.
arrows() {
  includes lib cmd | awk '
    { from = $1; to = $2; folder = from; sub("[^/]*$", "", folder) }
    { if (to !~ "/") to = folder to; sub("^lib/", "", from); sub("[.][^.]*$", "", from); sub("[.]h$", "", to) }
    from != to { print from, to }'
}

is "$(ls lib | sort | xargs)" "$(sort <<< "$folders" | xargs)" 'lib holds the folders of the table, and nothing else'
is "$(awk '{ for (i = 2; i <= NF; i++) print $1, $i }' <<< "$table" | tsort 2>&1 > /dev/null)" '' 'the table has no circle'
while read -r folder others; do
  is "$(includes "lib/$folder" | grep -vE " ($folder${others:+|${others// /|}})/[^/]*$")" '' "lib/$folder includes ${others:-no other folder}"
done <<< "$table"
is "$(includes cmd | grep ' .*/' | grep -vE " (${folders//$'\n'/|})/")" '' 'a tool includes its own headers and those of lib'
is "$(arrows | tsort 2>&1 > /dev/null)" '' 'no modules include each other in a circle'
# homeless FOLDER...: each header with what it declares outside of such a namespace. Words
# of the whole suite (IpAddress, Fd, Record and the like), which are base's, need none.
homeless() {
  local file folder module
  for file in $(find "$@" -name '*.h'); do
    module=${file##*/} folder=${file%/*}
    awk -v file="$file" -v folder="${folder##*/}" -v module="${module%.h}" '
      /^namespace [a-z_:]+ \{$/ {
        split($2, name, "::")
        if (name[1] == folder || index(module "_", name[1] "_") == 1) good = 1
        inside = 1
      }
      /^}  \/\/ namespace/ { inside = 0 }
      /^(struct|class|enum) [A-Za-z ]+.*\{/ && !inside { print file, $2 }
      END { if (!good) print file, "is in no namespace of its folder" }' "$file"
  done
}
is "$(homeless $(sed 's|^|lib/|' <<< "$folders" | grep -v /base))" '' 'each header of lib is in a namespace of its folder or its own'
names_in() { find "$1" -name '*.h' -printf '%f\n' | sort -u; }
is "$(comm -12 <(names_in lib) <(names_in cmd))" '' 'no header of a tool has the name of one of lib'
is "$(grep -rl 'fmt::join' lib cmd t --include='*.cc' --include='*.h' | xargs grep -L '<fmt/ranges.h>')" '' 'who joins includes the header that has it in fmt 11, too'
done_testing
