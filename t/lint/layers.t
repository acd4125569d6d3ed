#!/bin/bash
# The layers of lib: a folder includes only what the table gives it, no modules
# include each other in a circle, and no header of a tool has the name of one of lib.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1

# Each folder with those that it may include, which are all further down.
table='lease firewall session cluster kernel config base
balance session cluster config base
firewall session kernel base
session config base
cluster config base
who config base
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
names_in() { find "$1" -name '*.h' -printf '%f\n' | sort -u; }
is "$(comm -12 <(names_in lib) <(names_in cmd))" '' 'no header of a tool has the name of one of lib'
done_testing
