#!/usr/bin/env bash
# Manual pages, README, sudoers and scripts: complete, and free of faults that a
# program can find.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# unfolded FILE: with lines that end in a backslash joined.
unfolded() {
  sed -e ':more' -e '/\\$/{N; s/\\\n//; b more' -e '}' "$1"
}
# make_list NAME: the words of a variable of the Makefile.
make_list() {
  unfolded Makefile | sed -n "s/^$1 *:= *//p"
}

# section_of TOOL: root and other tools run those of section 8.
section_of() { if [ -e "man/$1.8" ]; then echo 8; else echo 1; fi; }

# has_sections PAGE NAME...
has_sections() {
  local page=$1 name
  shift
  for name; do
    grep -qx "\\.Sh $name" "$page" || { diag "$page has no section $name"; return 1; }
  done
}

clean_page() {
  local found
  # A machine whose clock nobody has set is not the page's fault.
  found=$(mandoc -Tlint -W warning "$1" 2>&1 | grep -v 'date in the future, using it anyway: ')
  [ -z "$found" ] || { diag "$found"; return 1; }
}

# headed PAGE: does it say of itself what its file name says?
headed() {
  local name=${1##*/}
  name=${name%.*}
  grep -qix "\\.Dt $name ${1##*.}" "$1" && grep -qx "\\.Nm $name" "$1"
}

# referenced PAGE: is each page of the suite that it refers to there?
referenced() {
  local name section
  while read -r name section; do
    case $name in
      asp-* | ascp_* | aspshell | aspera.conf | sallyport*)
        [ -e "man/$name.$section" ] || { diag "$1 refers to $name($section)"; return 1; }
        ;;
    esac
  done < <(sed -n 's/^\.\(It \)\{0,1\}Xr \([^ ]*\) \([1-8]\).*/\2 \3/p' "$1")
}

for tool in $(make_list BIN) $(make_list LIBEXEC) $(make_list SCRIPTS); do
  ok "$tool has a page in section $(section_of "$tool")" test -e "man/$tool.$(section_of "$tool")"
done
for page in aspera.conf.5 sallyport-record.5 sallyport.7 sallyport-cluster.7 sallyport-errors.7 sallyport-inside.7; do
  ok "there is a page $page" test -e "man/$page"
done

if command -v mandoc > /dev/null; then
  for page in man/*.[1-8]; do
    ok "$page is clean mdoc" clean_page "$page"
  done
else
  skip 'mandoc is not installed' 'the pages are clean mdoc'
fi
for page in man/*.[1-8]; do
  ok "$page is named as its file" headed "$page"
  ok "$page refers to pages that are there" referenced "$page"
  ok "$page has its sections" has_sections "$page" \
    NAME DESCRIPTION ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES 'SEE ALSO'
done

# options_of TOOL: the letters that it passes to options::parse.
options_of() {
  sed -n 's/.*options::parse(argc, argv, "\([^"]*\)".*/\1/p' cmd/"$1"/*.cc | tr -d ':\n' | fold -w 1
}

# documents_options PAGE TOOL
documents_options() {
  local letter
  for letter in $(options_of "$2"); do
    grep -qE "^\\.It Fl [$letter]( |\$)" "$1" || { diag "$1 does not describe -$letter"; return 1; }
  done
}

for tool in $(make_list BIN) $(make_list LIBEXEC); do
  page=man/$tool.$(section_of "$tool")
  [ ! -e "$page" ] || ok "$page describes each option" documents_options "$page" "$tool"
done

# long_options_of TOOL: those of its tables for getopt_long, and of setup's table of answers.
long_options_of() {
  grep -ohE "\\{(\"[a-z-]+\", *(no|required|optional)_argument|'.', \"[a-z-]+\", take_)" cmd/"$1"/*.cc | cut -d'"' -f2
}
# documents_long_options PAGE TOOL
documents_long_options() {
  local name
  for name in $(long_options_of "$2"); do
    grep -qE "Fl (-|Fl )$name( |\$)" "$1" || { diag "$1 does not describe --$name"; return 1; }
  done
}
for tool in $(make_list BIN); do
  [ -z "$(long_options_of "$tool")" ] || ok "man/$tool describes each long option" documents_long_options "man/$tool.$(section_of "$tool")" "$tool"
done

# flags_of SCRIPT: the options of its usage, which the program has that it becomes, one a line.
flags_of() { sed -n "s/.*\"$1 \(.*\)\";/\1/p" cmd/*/*.h | grep -oE -- '-[-a-z]+'; }
# documents_flags PAGE SCRIPT: -v is `Fl v` there, --json is `Fl -json`.
documents_flags() {
  local flag
  for flag in $(flags_of "$2"); do
    grep -q "^\.It .*Fl ${flag#-}\( \|$\)" "$1" || { diag "$1 does not describe $flag"; return 1; }
  done
}
for script in $(make_list SCRIPTS); do
  ok "$script has options" test -n "$(flags_of "$script")"
  ok "its page describes each" documents_flags "man/$script.8" "$script"
  if command -v shellcheck > /dev/null; then
    is "$(shellcheck -S warning -f gcc "cmd/${script%.sh}/$script")" '' "$script is free of what shellcheck finds"
  else
    skip 'shellcheck is not installed' "$script is free of what shellcheck finds"
  fi
done

# What aspera.conf may hold is what its page says.
for element in $(sed -n 's/.*{\.name = "\([a-z_]*\)".*/\1/p' lib/config/schema_table.cc | sort -u); do
  ok "aspera.conf(5) describes <$element>" grep -qw "$element" man/aspera.conf.5
done

# The exit codes of lib/base/failure.h are those of the table that the pages cite.
table=$(sed -n '/^\.Sh EXIT STATUS/,/^\.El/s/^\.It \([0-9]*\)$/\1/p' man/sallyport.7 | sort -n | xargs)
codes=$(sed -n 's/^  [a-z_]* = \([0-9]*\),.*/\1/p' lib/base/failure.h | sort -n | xargs)
is "$table" "$codes" 'sallyport(7) lists the exit codes of lib/base/failure.h'

# A checkout may be readable by more than visudo likes.
install -m 440 sudoers.d/sallyport "$scratch/sallyport"
if command -v visudo > /dev/null; then
  status 0 'sudoers.d/sallyport is valid' visudo -cf "$scratch/sallyport"
else
  skip 'sudo is not installed' 'sudoers.d/sallyport is valid'
fi
nok 'its name has no dot, which sudo would pass over' ls sudoers.d/*.* 2> /dev/null

while read -r script; do
  ok "$script can be parsed" bash -n "$script"
done < <(grep -rlE '^#!.*\b(ba)?sh$|^# [a-z-]+\.sh' cmd t .ci 2> /dev/null | grep -vE '\.(cc|h|py)$' | sort)

for command in 'apt-get install -y make && make demo' 'make check'; do
  ok "README has the command: $command" grep -qxF "    $command" README.md
done

ok 'etc/init.d/asperaproxy can be parsed' sh -n etc/init.d/asperaproxy
# SECURITY.md says what is tested where: there it has to be. LAYER and the like are not names.
named=$(grep -ohE '`(t|lib|cmd|man|etc)/[A-Za-z0-9_./-]+`' ./*.md t/bench/README.md | tr -d '`' | grep -vE '[A-Z]{3}' | sort -u)
missing=$(while read -r file; do [ -e "$file" ] || echo "$file"; done <<< "$named")
is "$missing" '' 'what the texts name is in the tree'

# Nothing of the machine that somebody works on gets into the project.
git() { command git -c safe.directory='*' "$@"; }  # whosoever it is
if git rev-parse --git-dir > /dev/null 2>&1; then
  is "$(git grep -lF -e '/wor''k/')" '' 'no file names a folder of the machine it was written on'
else
  skip 'not a git checkout' 'no file names a folder of the machine it was written on'
fi

done_testing
