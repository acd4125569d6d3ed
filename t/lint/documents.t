#!/bin/bash
# A test that a document names is there; and INSTALL has no command behind a prompt that no test runs, and
# nothing of the suite's that is not there.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1
for document in *.md INSTALL t/bench/README.md; do
  named=$(grep -ohE '\bt/[a-z0-9_-]+/[a-z0-9_-]+\.(t|py|sh|cc)\b' "$document" | sort -u)
  absent=$(for test in $named; do [ -e "$test" ] || echo "$test"; done)
  is "$absent" '' "$document names $(wc -w <<< "$named") files of tests, which are there"
done
is "$(sed -n '/^## How long anything waits/,/^## /p' ARCHITECTURE.md | grep '^| ' | grep -vE '^\| (wait for|---)' | grep -vc '| `t/.*` |$')" 4 'of how long anything waits four rows are tried by no test'
# INSTALL: t/lib/install.sh runs its commands, chapter by chapter.
while read -r chapter; do
  ok "a test follows the chapter: $chapter" grep -qF "'$chapter'" t/hosts/install*.t
done < <(python3 t/lib/commands.py --chapters < INSTALL)
is "$(grep -nE '^ {4,}[a-z]+[#$] ' INSTALL | grep -vE '^[0-9]+: {4,}(proxy|server|build)# |^[0-9]+: {4,}(outside|inside)\$ ')" '' 'and there is no other prompt'
is "$(python3 t/lib/named.py < INSTALL)" '' 'what it names of this suite is there, also where no test runs it'
done_testing
