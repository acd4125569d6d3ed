#!/usr/bin/env bash
# The packaging: can be parsed, and in step with the Makefile and CONTRIBUTING.md. What is in
# the packages is for t/e2e/package.t.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1
spec=etc/packaging/rpm/sallyport.spec

for script in build preinst postinst prerm postrm; do
  ok "deb/$script can be parsed" sh -n "etc/packaging/deb/$script"
done

read -r _ version date < <(grep '^## ' CHANGELOG.md)
like "$version" '^[0-9][0-9a-z.+~]*$' 'CHANGELOG.md begins with a version that dpkg and rpm take'
like "$date" '^20[0-9]{2}-[0-1][0-9]-[0-3][0-9]$' 'and with its date'
is "$(make -s --eval='say-version: ; @echo $(VERSION)' say-version)" "$version" 'the Makefile takes it from there'

# dnf_column PART...: of the table in CONTRIBUTING.md.
dnf_column() {
  local part
  for part; do
    sed -n "/^    to $part\$/,/^\(    to .*\)\{0,1\}\$/s/^      .\{32\}\(.*\)/\1/p" CONTRIBUTING.md
  done | sort | xargs
}
# spec_words FIELD: what the preamble says in all lines of that field.
spec_words() { sed -n "s/^$1: *//p" "$spec" | tr -s ' ' '\n' | sort | xargs; }
is "$(spec_words BuildRequires)" "$(dnf_column build)" 'the spec wants what CONTRIBUTING.md says to build'
is "$(spec_words Requires)" "$(dnf_column run)" 'and what it says to run'

# The Makefile's lists are what `make deps` installs, and what CI is tested with.
deps() { make -s --eval='say-deps: ; @echo $(foreach part,$(PARTS),$(DEPS_$(part)))' say-deps PARTS="$*" | tr ' ' '\n' | sort | xargs; }
apt_column() {
  local part
  for part; do
    sed -n "/^    to $part\$/,/^\(    to .*\)\{0,1\}\$/s/^      \(.\{31\}\) .*/\1/p" CONTRIBUTING.md
  done | tr -s ' ' '\n' | sort | xargs
}
for part in build:BUILD run:RUN cluster:CLUSTER package:PACKAGE test:TEST; do
  is "$(apt_column "${part%:*}")" "$(deps "${part#*:}")" "CONTRIBUTING.md has what the Makefile wants to ${part%:*}"
done

if command -v rpmspec > /dev/null; then
  status 0 'the spec can be parsed' rpmspec -P "$spec"
  is "$err" '' 'without complaint'
  is "$(rpmspec -q --qf '%{name} %{version}' "$spec" 2> /dev/null)" "sallyport $version" 'it has the version of CHANGELOG.md'
else
  skip 'rpm is not installed' 'the spec can be parsed'
fi
done_testing
