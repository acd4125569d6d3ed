#!/bin/bash
# What every program says of itself: --help, --version, and a command line that it does not take. Those that sshd runs
# for remote users (aspshell, ascp_rproxy) refuse all of it.
. "${0%/*}/../lib/here.sh"
bin=$PWD/${BUILD:-build}/bin
[[ ${BUILD:-build} != /* ]] || bin=$BUILD/bin
version=$(sed -n 's/^.. \([0-9][0-9a-z.+~]*\) [0-9-]*$/\1/p' CHANGELOG.md | head -n 1)
tools=$(make -s --no-print-directory -f Makefile -f - print-tools <<< $'print-tools:\n\t@echo $(TOOLS)')
ok '(there are tools)' test "$(wc -w <<< "$tools")" -gt 20

for tool in $tools; do
  [[ $tool != aspshell && $tool != ascp_rproxy ]] || continue
  status 0 "$tool --version: exit 0" timeout 10 "$bin/$tool" --version < /dev/null
  is "$out$err" "$tool (Sallyport) $version" 'names the version'
  status 0 "$tool --help: exit 0" timeout 10 "$bin/$tool" --help < /dev/null
  like "$out" "^(usage: )?$tool" 'says how it is called'
  is "$err" '' 'on stdout alone'
  is "$(awk 'length > 240' <<< "$out")" '' 'in lines that can be read, one for each form'
  status 74 "$tool --help, and nobody reads: exit 74" bash -c "timeout 10 '$bin/$tool' --help > /dev/full < /dev/null"
  case $tool in
    asp-pinhole | asp-upstream | asp-lease | asp-name | asp-redis) continue ;;
  esac
  status 64 "$tool --no-such-option: exit 64" timeout 10 "$bin/$tool" --no-such-option < /dev/null
  like "$err" "^$tool: .*; usage: $tool" 'with the usage'
  unlike "$err" '\\x0a' 'each form on its own line'
done
done_testing
