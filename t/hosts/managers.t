#!/bin/bash
# Programs that manage a firewall of their own, beside a booted proxy: ufw, firewalld, nftables.service,
# netfilter-persistent, and Docker's rules. A session works, or check names what is in the way and
# the command that opens it; and what their reloads take away comes back within a minute.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/booted.sh"

booted_up
booted_install
# What check says of packets that do not pass, without whether it is IPv4 or IPv6.
in_the_way() { asperaproxy check | grep -E '^FAIL +(forward|udp_in|tcp_in):' | sed -E 's/IPv[46] //' | sort -u; }
# In mid session: the other's reload, then what asp-reap's next minute does.
heals() {  # what COMMAND...
  ok "$1: (a session crosses)" crosses "$1"
  on dmz "${@:2}" > "$TMPDIR/said" 2>&1 || diag "$(cat "$TMPDIR/said")"
  on dmz "$LAB_PREFIX/bin/asp-reap"
  like "$(answered "$1-again")" "from=$SQUASH:33001 $1-again" "$1: after '${*:2}', asp-reap mends a session under way"
  proxy_end "$1"
  is "$proxy_status" 0 "$1: it ends as it should"
  ok "$1: and another opens" crosses "$1-more"
  proxy_end "$1-more"
}
# package NAME: Debian's, as it comes. False: it could not be had.
package() {
  local kept
  kept=$("$LAB_LIB/keep-packages" -d)/$1
  ls "$kept"/*.deb > /dev/null 2>&1 || { skip "make deps could not download it" "$1"; return 1; }
  cp "$kept"/*.deb "$dmz/root/"
  # shellcheck disable=SC2046  # a list
  did "$1 installs" -i $(cd "$kept" && printf '/root/%s ' *.deb)
}
# closed NAME: it lets nobody in yet. The new session's ssh must not wait for long.
closed() {
  nok "$1, which lets nobody in: no session opens" on outside -u bear timeout 20 ssh -o ConnectTimeout=2 -p 33001 "bear@$SQUASH" cat < /dev/null
}

# -- nftables.service -----------------------------------------------------------------------------
on dmz systemctl enable --now nftables > /dev/null 2>&1
is "$(on dmz systemctl is-active nftables)" active '(nftables.service has loaded its rules)'
heals nftables nft -f /etc/nftables.conf
heals nftables-restarted systemctl restart nftables
is "$(failed_units)" '' 'no unit has failed'

# -- Docker's rules, and a FORWARD that drops -----------------------------------------------------
docker_rules() {
  on dmz sh -c 'iptables -P FORWARD DROP; ip6tables -P FORWARD DROP
    for c in DOCKER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2 DOCKER-USER; do iptables -N $c; done
    iptables -I FORWARD -j DOCKER-ISOLATION-STAGE-1
    iptables -I FORWARD -j DOCKER-USER
    iptables -A DOCKER-USER -j RETURN
    iptables -A DOCKER-ISOLATION-STAGE-1 -j RETURN'
}
docker_rules
ok "Docker's chains: a session crosses" crosses docker
proxy_end docker
is "$(in_the_way)" '' "Docker's chains: check finds nothing in the way"
on dmz sh -c 'iptables -P FORWARD ACCEPT; ip6tables -P FORWARD ACCEPT; iptables -F; iptables -X'

# -- ufw ------------------------------------------------------------------------------------------
if package ufw; then
  on dmz ufw --force enable > "$TMPDIR/said" 2>&1 || diag "$(cat "$TMPDIR/said")"
  closed ufw
  like "$(in_the_way)" 'tcp_in: packets that arrive at TCP 33001 are dropped by .* - ufw allow 33001/tcp$' 'check names the rule, and what opens it'
  on dmz ufw allow 33001/tcp > /dev/null
  is "$(in_the_way)" '' 'then nothing is in the way'
  heals ufw ufw reload
  heals ufw-restarted systemctl restart ufw
  on dmz ufw --force disable > /dev/null
  on dmz dpkg -P ufw > /dev/null 2>&1
fi

# -- netfilter-persistent -------------------------------------------------------------------------
if package iptables-persistent; then
  ok '(a session)' crosses saved
  on dmz netfilter-persistent save > /dev/null 2>&1
  proxy_end saved
  on dmz netfilter-persistent reload > /dev/null 2>&1
  nok '(its rule was saved, and is back)' test "$(proxy_rules)" = 0
  on dmz "$LAB_PREFIX/bin/asp-reap"
  is "$(proxy_rules)" 0 'asp-reap removes a rule that was saved while its session lived'
  heals persistent netfilter-persistent reload
  lab_reboot dmz
  dmz=$(lab_root dmz)
  is "$(proxy_rules)$(failed_units)" 0 'after a reboot nothing of it is there'
  ok 'and a session crosses' crosses rebooted
  proxy_end rebooted
fi

# -- firewalld ------------------------------------------------------------------------------------
on dmz sh -c 'dpkg -P iptables-persistent netfilter-persistent; systemctl disable --now nftables; nft flush ruleset' > /dev/null 2>&1
if package firewalld; then
  on dmz systemctl start firewalld
  is "$(on dmz systemctl is-active firewalld)" active '(firewalld runs)'
  closed firewalld
  opens=$(in_the_way | sed -n 's/.* - //p' | sort -u)
  is "$opens" 'firewall-cmd --permanent --add-port=33001/tcp && firewall-cmd --reload' 'check says what opens it'
  on dmz sh -c "$opens" > "$TMPDIR/said" 2>&1 || diag "$(cat "$TMPDIR/said")"
  is "$(in_the_way)" '' 'then nothing is in the way'
  heals firewalld firewall-cmd --reload
  heals firewalld-restarted systemctl restart firewalld
  heals firewalld-complete firewall-cmd --complete-reload
fi
is "$(failed_units)" '' 'no unit has failed'
done_testing
