#!/bin/bash
# Many clients at once, with the settings that are shipped: none of 40 behind one address
# and none of 200 is turned away, here or inside, each with a pinhole of its own, and a
# transfer that runs goes on. OpenSSH's own MaxStartups dropped 10 to 13 of 40; then the
# doctor says so.
#
#   LAB_MANY=1000 make test T=t/field/many-at-once.t
#
# tries so many as well, with MaxStartups as high as that.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

lab_up dmz outside outside2 inside1
proxy_allow cat
dmz=$(lab_root dmz) inside1=$(lab_root inside1)
addresses=(198.51.100.{100..199})
for address in "${addresses[@]}"; do on outside ip addr add "$address/24" dev wan; done
lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"
proxy_session old outside2 bobcat "$INDIVIDUAL" cat
packet() { on outside2 timeout 30 python3 "$LAB_LIB/udp.py" send "0.0.0.0:5001" "$INDIVIDUAL:33001" "$1" --wait-reply 20 > /dev/null 2>&1; }
ok '(a transfer runs)' packet before

dropped() { grep -c 'drop connection' "$dmz/var/log/syslog" "$inside1/var/log/syslog" | sed 's/.*://' | xargs; }
# burst CLIENTS ADDRESSES COMMAND [SECONDS]; the transfer goes on meanwhile. sshd is stopped until they are there, so
# that it meets up to 40 of them at once, however long their start takes.
waiting() { [ "$(on dmz ss -Hltn 'sport = :33001' | awk '{ sum += $2 } END { print sum + 0 }')" -ge "$1" ]; }
burst() {
  local crowd listener
  listener=$(on dmz cat /run/sshd.pid)
  [ "$1" -gt 40 ] || kill -STOP "$listener"
  : > "$dmz/var/log/syslog"
  : > "$inside1/var/log/syslog"
  on outside -u bear python3 "$LAB_LIB/burst.py" "$1" "${4-90}" "bear@$SQUASH" "$3" "${addresses[@]:0:$2}" > "$TMPDIR/burst" &
  crowd=$!
  [ "$1" -gt 40 ] || ok "($1 clients come)" wait_until 60 waiting "$1"
  kill -CONT "$listener"
  ok "$1 clients at once, of $2 addresses: the transfer goes on" packet "$1"
  wait $crowd
  out=$(cat "$TMPDIR/burst")
  lab_log dmz > /dev/null
  lab_log inside1 > /dev/null
  is "${out%%$'\n'*}" "$1 of $1 ended well" 'all are served' || diag "$(grep 'ERR ' "$dmz/var/log/syslog" | tail -n 3)"
  is "$(dropped)" '0 0' 'none is turned away, here or inside'
  diag "$out"
}
burst 40 1 cat
burst 200 20 cat

# What INSTALL says for more.
if [ -n "${LAB_MANY-}" ]; then
  sed -i "s/^MaxStartups .*/MaxStartups $LAB_MANY/; s/^LoginGraceTime .*/LoginGraceTime 120/" "$dmz/etc/ssh/sshd_config.d/sallyport.conf" "$inside1/etc/ssh/sshd_config.d/proxy.conf"
  echo 'LoginGraceTime 120' >> "$inside1/etc/ssh/sshd_config.d/proxy.conf"
  for host in dmz inside1; do
    lab_sshd $host stop
    lab_sshd $host start
  done
  burst "$LAB_MANY" 100 cat 280
fi
proxy_end old
is "$proxy_status" 0 'the transfer ends as it should'
startups() { on dmz "$LAB_PREFIX/bin/asperaproxy" check | grep ' sshd: .*Startups'; }
is "$(startups)" '' 'the doctor is content'
sed -i '/^MaxStartups/d' "$dmz/etc/ssh/sshd_config.d/sallyport.conf"
like "$(startups)" "^warn .*MaxStartups is 10:30:100: when more than 10 clients come at once, some are turned away .* - cp .*etc/sshd_config.d/sallyport.conf /etc/ssh/sshd_config.d/ && sshd -t" "and warns of OpenSSH's own"
done_testing
