#!/bin/bash
# A person inside does what sallyport-inside(7) says, command by command, with the real forward proxy; then the proxy's
# certificate is another one, and gets nothing until they say so.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/forward.sh"

lab_up dmz inner outer
forward_config '<cleanup_interval>1</cleanup_interval>'
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null
forward_user alice
ok 'asperanoded starts' forward_start
inner=$(lab_root inner)
on inner -u bear bash -c 'head -c 300000 /dev/urandom > report.pdf'
on outer -u xfer mkdir incoming

# The commands of the page, each in one line, with the lab's names.
commands() {
  python3 - "$LAB_SOURCE/man/sallyport-inside.7" << 'END'
import re, sys
text = open(sys.argv[1]).read()
for block in re.findall(r"^\.Bd[^\n]*\n(.*?)^\.Ed", text, re.S | re.M):
    for line in re.sub(r"\\e\n\s*", "", block).splitlines():
        if line.startswith("$ "):
            print(line[2:].replace("\\e", "\\"))
END
}
mapfile -t said < <(commands | sed 's/server\.example/outer.example/g; s/proxy\.example/dmz-lan.example/g; s/bear@/xfer@/g')
is "${#said[@]}" 6 'the page has commands'
# by_hand [ANSWER] COMMAND: as they type it, at a terminal.
by_hand() { on inner -u bear env ASPERA_PROXY_PASS=alice-secret timeout 100 "$LAB_LIB/answer.py" 'yes/no\)\? $' "$1" bash -c "$2"; }
# alone COMMAND: where nobody could answer.
alone() { on inner -u bear env ASPERA_PROXY_PASS=alice-secret timeout 60 setsid -w bash -c "$1" < /dev/null; }
sum() { on "$1" -u "$2" sha256sum "$3" | cut -d ' ' -f 1; }

status 0 "once: ${said[0]}" alone "${said[0]}"
status 0 "once: ${said[1]}" alone "${said[1]}"
status 76 'where nobody can be asked, the first time fails' alone "${said[2]}"
like "$err" "use --fingerprint $FINGERPRINT" 'and names the fingerprint'
status 76 'a person who does not find it right' by_hand no "${said[2]}"
status 0 'a person who does' by_hand yes "${said[2]}"
like "$out" "$FINGERPRINT" 'was shown the one that the proxy has in its log'
is "$(sum outer xfer incoming/report.pdf)" "$(sum inner bear report.pdf)" 'and the file is there'
status 0 'from then on nobody is asked' alone "${said[2]}"
like "${said[3]}" '-- ascp ' '(the next needs a program that is not here)'
status 0 'what the page has to find out how far it gets' alone "${said[4]}"
is "$(grep -c ' ok ' <<< "$out")" 9 'says that all is well'
on outer -u xfer cp incoming/report.pdf report.pdf
status 0 'its last example' alone "cd /tmp && ${said[5]}"

sed -n '/^Host server/,/^\.Ed/p' "$LAB_SOURCE/man/sallyport-inside.7" | grep -v '^\.' | sed 's/server\.example/outer.example/' |
  cat - "$inner/home/bear/.ssh/config" > "$TMPDIR/config"
cat "$TMPDIR/config" > "$inner/home/bear/.ssh/config"
status 0 'scp goes by the lines for ~/.ssh/config' alone 'scp -q report.pdf xfer@outer.example.com:by-scp'
is "$(sum outer xfer by-scp)" "$(sum inner bear report.pdf)" 'and its file is there'

# The machine's settings --------------------------------------------------------------------

printf 'proxy=dnats://dmz-lan.example.com\nfingerprint=%s\n' "$FINGERPRINT" > "$inner/etc/asp-forward.conf"
on inner -u bear rm -r .asp-forward
status 77 'with settings of the machine alone, a user is missing' alone 'asp-forward --to outer.example.com -- true'
like "$err" 'A name and a password are needed' 'as the proxy says'
status 0 'with a user of their own, nobody is asked about a certificate' alone 'mkdir .asp-forward; echo user=alice > .asp-forward/settings; asp-forward --to outer.example.com -- true'
rm "$inner/etc/asp-forward.conf"

# Another certificate -------------------------------------------------------------------------

printf 'proxy=dnats://dmz-lan.example.com\nuser=alice\n' > "$inner/home/bear/.asp-forward/settings"
before=$FINGERPRINT
status 0 'a person accepts the certificate' by_hand yes 'asp-forward --to outer.example.com -- true'
forward_stop
on dmz sh -c "rm $LAB_PREFIX/etc/*.pem" || on dmz ls -la "$LAB_PREFIX/etc"
ok 'the proxy has a new certificate' forward_start
isnt() { [ "$1" != "$2" ]; }
ok 'which is another one' isnt "$before" "$FINGERPRINT"
status 76 'it is refused' by_hand yes 'asp-forward --to outer.example.com -- true'
unlike "$out" 'yes/no' 'without a question'
like "$out" "its SHA256 fingerprint is $FINGERPRINT, not the one that /home/bear/.asp-forward/known_proxies has; somebody may be in between" 'and they are told'
way_out=$(grep -o 'asp-forward --forget.*' <<< "$out" | tr -d '\r')
status 0 "what the message says: $way_out" alone "$way_out"
status 0 'then it can be accepted' by_hand yes 'asp-forward --to outer.example.com -- true'
ok 'no lease is left' wait_until 10 forward_nothing

# What leads nowhere --------------------------------------------------------------------------

status 64 'the proxy itself' alone 'asp-forward --to localhost -- true'
like "$err" '^asp-forward: --to localhost: to the proxy, that name means the proxy itself, and no lease leads there' 'in one line'
is "$(wc -l <<< "$err")" 1 'without the usage'
status 77 'and by its address' alone 'asp-forward --to ::1 -- true'
like "$err" '::1.*where no lease may lead' 'the proxy says why'
forward_stop
done_testing
