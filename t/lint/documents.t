#!/bin/bash
# A test that a document names is there.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1
for document in *.md INSTALL t/bench/README.md; do
  named=$(grep -ohE '\bt/[a-z0-9_-]+/[a-z0-9_-]+\.(t|py|sh|cc)\b' "$document" | sort -u)
  absent=$(for test in $named; do [ -e "$test" ] || echo "$test"; done)
  is "$absent" '' "$document names $(wc -w <<< "$named") files of tests, which are there"
done
is "$(sed -n '/^## How long anything waits/,/^## /p' ARCHITECTURE.md | grep '^| ' | grep -vE '^\| (wait for|---)' | grep -vc '| `t/.*` |$')" 4 'of how long anything waits four rows are tried by no test'
done_testing
