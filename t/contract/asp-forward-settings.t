#!/bin/bash
# asp-forward's settings, and the certificates that it remembers: what counts before what, what is refused, and that a
# proxy with another certificate than before gets nothing. Against servers of the node API's shape on loopback.
. "${0%/*}/../lib/alone.sh"
top=$PWD
W=$tmp/work
mkdir -p "$W/bin" && cd "$W" || exit
cp "$top/${BUILD:-build}/bin/asp-forward" bin/
. "$top/t/lib/node_proxy.sh"
certificate real
certificate other
proxy tls 127.0.0.1 2222 real
proxy impostor 127.0.0.1 2222 other
at() { echo "127.0.0.1:$(cat "$1/port")"; }
calls() { wc -l < "$1/log"; }
real=$(fingerprint real) other=$(fingerprint other)
export HOME=$W/home ASPERA_PROXY_PASS=sesame:9
mkdir "$HOME"
mine=$HOME/.asp-forward
settings() { mkdir -p "$mine" && printf '%s\n' "$@" > "$mine/settings"; }
forward() { bin/asp-forward "$@"; }

# --- settings --------------------------------------------------------------------

status 64 'without settings and options' forward --to x -- true
like "$err" '^asp-forward: --proxy is needed, or proxy= in ~/.asp-forward/settings or /etc/asp-forward.conf' 'all places are named'
settings '# mine' "proxy=dnats://$(at tls)" 'user=alice' "fingerprint=$real" 'ssh_port=33001' 'udp_port=33001:33002' 'timeout=20'
status 0 'with the settings of a file, no option is needed' forward --to x -- echo %h %P
is "$out$err" '127.0.0.1 2222' 'and the command runs'
like "$(cat tls/log)" '"ssh_port":33001.*"udp_port":"33001:33002"' 'with the ports of the file'
like "$(cat tls/log)" '"ssh_port":33001' 'the SSH port, too'
: > tls/log
status 0 'an option comes before a setting' forward --to x --ssh-port 22 -- true
like "$(cat tls/log)" '"ssh_port":22' 'as it should'
status 76 'another proxy does not get what belongs to this one' forward --proxy "dnats://alice@$(at impostor)" --to x -- true
like "$err" "use --fingerprint $other" 'but is judged by itself'
status 0 'but what is given with it' forward --proxy "dnats://alice@$(at impostor)" --fingerprint "$other" --to x -- true
printf 'sesame:9\n' > "$mine/password"
chmod 600 "$mine/password"
settings "proxy=dnats://$(at tls)" 'user=alice' "fingerprint=$real" 'password_file=~/.asp-forward/password'
: > tls/log
status 0 'a password can be in a file' env -u ASPERA_PROXY_PASS bin/asp-forward --to x -- true
chmod 644 "$mine/password"
status 78 'which must be closed to others' env -u ASPERA_PROXY_PASS bin/asp-forward --to x -- true
chmod 600 "$mine/password"

while IFS='|' read -r name why lines; do
  settings "$(printf '%b' "$lines")"
  status 78 "a settings file with $name" forward --proxy "dnats://alice@$(at tls)" --fingerprint "$real" --to x -- true
  like "$err" "^asp-forward: $mine/settings: .*$why" 'is refused, by name'
done << 'END'
a name that is not known|prox|prox=dnats://h
a name twice|user|user=a\nuser=b
a line that is none|name=value|just words
a section|name=value|[proxy]
a command|name=value|$(touch /tmp/owned)
a password|password|proxy=dnats://alice:secret@h
another scheme|dnats|proxy=https://h
a port that is none|ssh_port|ssh_port=0
a port too large|ssh_port|ssh_port=65536
a time too long|timeout|timeout=301
UDP ports upside down|udp_port|udp_port=9:3
a fingerprint that is none|fingerprint|fingerprint=12:34
two kinds of trust|cannot be combined|fingerprint=0000000000000000000000000000000000000000000000000000000000000000\nca=/x
a relative file|password_file|password_file=secret
two parts|empty line|user=a\n\ntimeout=3
a control character|control|user=a\tb
a colon in the user|user|user=a:b
END
head -c 70000 /dev/zero | tr '\0' '#' > "$mine/settings"
status 78 'a settings file of 70000 bytes' forward --to x -- true
printf 'user=a\0b\n' > "$mine/settings"
status 78 'a NUL in it' forward --to x -- true
settings 'timeout=3'
chmod 666 "$mine/settings"
status 78 'a settings file that others can write to' forward --to x -- true
like "$err" "$mine/settings: others than its owner can change it; chmod go-w it" 'is refused as ssh does it'
chmod 600 "$mine/settings"
chown 1234 "$mine/settings"
status 78 "somebody else's settings file" forward --to x -- true
like "$err" 'belongs neither to you nor to root' 'is refused'
rm "$mine/settings"
mkfifo "$mine/settings"
status 78 'a pipe in its place' timeout 10 bin/asp-forward --to x -- true
like "$err" 'not a regular file' 'does not stop us'
rm "$mine/settings"
nok 'nothing of all this was executed' test -e /tmp/owned

# --- the system's ------------------------------------------------------------------

cp -a /etc "$W/etc" 2> /dev/null && mount --bind "$W/etc" /etc
printf 'proxy=dnats://%s\nfingerprint=%s\nuser=nobody\n' "$(at tls)" "$real" > /etc/asp-forward.conf
settings 'user=alice'
status 0 "the system's settings, and a user of one's own" forward --to x -- true
settings "proxy=dnats://$(at impostor)" 'user=alice'
status 76 "one's own proxy does not get the system's fingerprint" forward --to x -- true
unlike "$err" 'not the one that was given' 'but is judged by itself'
rm "$mine/settings"
chmod 666 /etc/asp-forward.conf
status 78 "the system's, where all can write" forward --to x -- true
rm /etc/asp-forward.conf

# --- certificates that are remembered -----------------------------------------------

ask() { "$top/t/lib/answer.py" 'yes/no' "$@"; }
: > tls/log
status 76 'without a terminal nobody is asked' setsid -w bin/asp-forward --proxy "dnats://alice@$(at tls)" --to x -- true
like "$err" "use --fingerprint $real" 'and the fingerprint is named'
status 76 'a person who says no' ask no bin/asp-forward --proxy "dnats://alice@$(at tls)" --to x -- true
like "$out" "fingerprint is $real" 'has seen the fingerprint'
nok 'nothing is remembered' test -e "$mine/known_proxies"
is "$(calls tls)" 0 'and nothing was sent'
status 0 'a person who says yes' ask yes bin/asp-forward --proxy "dnats://alice@$(at tls)" --to x -- echo done
like "$out" 'done' 'goes on'
is "$(cat "$mine/known_proxies")" "$(at tls) $real" 'and it is remembered'
is "$(stat -c %a "$mine/known_proxies")" 600 'for this user alone'
status 0 'the next time nobody is asked' setsid -w bin/asp-forward --proxy "dnats://alice@$(at tls)" --to x -- true
is "$out$err" '' 'nor told anything'
sed -i "s/^[^ ]* /$(at impostor) /" "$mine/known_proxies"
status 76 'another certificate than the remembered one' ask yes bin/asp-forward --proxy "dnats://alice@$(at impostor)" --to x -- true
unlike "$out" 'yes/no' 'is not a question any more'
like "$out" "fingerprint is $other, not the one that $mine/known_proxies has.*asp-forward --forget $(at impostor)" 'it is refused, with the way out'
is "$(calls impostor)" 2 'and gets nothing'
status 0 '--fingerprint says better' forward --proxy "dnats://alice@$(at impostor)" --fingerprint "$other" --to x -- true
status 0 'it can be forgotten' forward --forget "$(at impostor)"
is "$(cat "$mine/known_proxies")" '' 'then it is gone'
status 1 'once' forward --forget "$(at impostor)"
like "$err" 'is not in' 'as is said'
status 0 'and accepted anew' ask yes bin/asp-forward --proxy "dnats://alice@$(at impostor)" --to x -- true
for line in 'words' "$(at tls) 12:34" "$(at tls) $real more" "127.0.0.1 $real"; do
  printf '# fine\n%s\n' "$line" > "$mine/known_proxies"
  status 78 "a known_proxies with '${line:0:20}'" forward --proxy "dnats://alice@$(at tls)" --to x -- true
  like "$err" "known_proxies:2: " 'names the line'
done
printf '%s %s\n' "$(at tls)" "$real" > "$mine/known_proxies"
chmod 622 "$mine/known_proxies"
status 78 'a known_proxies that others can write to' forward --proxy "dnats://alice@$(at tls)" --to x -- true
for words in '--forget' '--forget a/b' '--forget x --print'; do
  # shellcheck disable=SC2086  # words
  status 64 "$words" forward $words
done
done_testing
