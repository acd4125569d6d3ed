# doctor.sh: a proxy as INSTALL leaves it, and faults planted into it one by one, for the doctor's tests.
# Sourced after lab.sh, tap.sh and proxy.sh. A story sets $well to what check answers while all is well, and
# $apart to the conditions that are of another chapter, as "a|b": `lines` leaves them out, which costs half.

lab_up dmz outside inside1
proxy_allow cat
dmz=$(lab_root dmz)
etc=$LAB_PREFIX/etc
# Inside, bear has no account of his own.
sed -i 's|<keyfile>/home/|<users>bobcat</users>&|' "$dmz$etc/aspera.conf"
run=/run/sallyport
conf=$etc/aspera.conf
keep="cp -p $conf /root/keep" back="cp -p /root/keep $conf"
unconfined='ssh_tunneling|sftp|agent_forwarding|x11_forwarding|streamlocal_forwarding|environment|keys_at_home'
security="no_restricted_shell|docroot_above_home|docroot_unconfined|$unconfined|grants|private_keys|writable|sshd_version|not_judged"
of_host='ip_forward|sources|redirects|conntrack|accounting|hosts|clock|selinux|syslog|cron'
of_firewall='iptables|ip6tables|nftables|netlink|rules|forward|udp_in|tcp_in|border|client_flows'
of_users='group|authorized_keys|dial_account|sudoers|sudo|sshd|ssh_port|keyfile|host_keys|logins|servers'
bin=$LAB_PREFIX/bin
check() { on dmz timeout 60 "$LAB_PREFIX/bin/asperaproxy" check "$@"; }
# The clock is the machine's, whatever it is; flows come and go.
steady() { grep -v ' clock: ' | sed -E 's/: [0-9]+ of [0-9]+ flows \(0 %\)/: few flows/; s/[0-9]+ are of sessions/some are of sessions/'; }
lines() { check ${apart:+--without "${apart//|/,}"} | steady; }

# A host as INSTALL leaves it. cron is stopped, so that it mends nothing meanwhile.
on dmz gpasswd -d mallory sallyport > /dev/null
on dmz /usr/sbin/cron
ok '(cron runs)' wait_until 5 on dmz test -s /run/crond.pid
on dmz sh -c 'kill -STOP "$(cat /run/crond.pid)"'
on dmz "$LAB_PREFIX/bin/asperaproxy" start > /dev/null

# pasteable CURE: a test: a shell takes it, and its first word is a program, or a comment.
pasteable() {
  local word=${1%% *}
  [[ $word = '#'* ]] || on dmz sh -c "PATH=$LAB_PREFIX/bin:\$PATH; command -v -- '${word#(}'" > /dev/null && bash -n -c "$1"
  tap_result $? '  its cure can be pasted' || diag "$1"
}
# fault NAMES GRADE PATTERN PLANT CURE: PLANT and CURE are run on dmz by sh. NAMES are
# those whose lines change (the first one's is what PATTERN is for), as "a|b".
# When the fault is there, $truth is run. Without CURE, the doctor's own is pasted; whether it
# cured shows in the lines after the next fault, and in `cured` at the end.
truth=true
fault() {
  local names=$1 grade=$2 pattern=$3 found first=${1%%|*} expected=0
  on dmz sh -c "$4" > /dev/null || diag "could not plant: $4"
  $truth
  capture lines
  found=$(grep -E "^$grade +$first: " <<< "$out")
  like "$found" "$pattern.* - .+" "$first: $pattern"
  pasteable "${found##* - }"
  is "$(diff <(grep -vE "^[a-zA-Z]+ +($names): " <<< "$well") <(grep -vE "^[a-zA-Z]+ +($names): " <<< "$out"))" '' '  and it alone' || diag "$4"
  grep -q ^FAIL <<< "$out" && expected=1
  [ "$grade" = warn ] || is "$expected" 1 '  as a failure'
  on dmz sh -c "${5-PATH=$LAB_PREFIX/bin:\$PATH; ${found##* - }}" > /dev/null 2>&1 || diag "could not cure: ${5-${found##* - }}"
}
# cured: a test: all faults until here were cured by what was said.
cured() { is "$(diff <(echo "$well") <(lines))" '' 'all is well again'; }
# fine WHAT PLANT CURE: no fault at all.
fine() {
  on dmz sh -c "$2" > /dev/null || diag "could not plant: $2"
  $truth
  is "$(diff <(echo "$well") <(lines))" '' "no fault: $1"
  on dmz sh -c "$3" > /dev/null || diag "could not cure: $3"
}
