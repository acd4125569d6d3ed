# forward.sh: leases of the lab's forward proxy, for end-to-end tests. Sourced
# after lab.sh; needs dmz.
#
#   forward_config [XML]...    what is to be in <proxy> besides <enabled>; the node
#                              service has HTTP on 9091 and HTTPS on 9092; people
#                              outside may run `cat`, for proxy_session
#   forward_user NAME          a node API user, of the password NAME-secret
#   forward_start              asperanoded on dmz; $forward_pid, and its certificate's
#                              $FINGERPRINT
#   forward_stop [SIGNAL]
#   api METHOD PATH [JSON]     from $api_host as $api_user to $api_base: $status, $body
#   field NAME                 of $body, the JSON answer: the first of that name, text or number
#   lease [DESTINATION [JSON]] ask for one: $lease $ssh_port $udp_port; fails if there is none
#
# What the kernel and the spool have:
#   forward_elements           how many elements in force, of both families
#   forward_flows              translated flows, one a line, of both families
#   forward_records            ids on record
#   forward_nothing            none of all three?

api_host=inner api_user=alice api_base=http://$DMZ_LAN_AT:9091

forward_config() {
  local inside
  # The lab's own networks are among those that no lease leads to by itself.
  case $* in
    *'<allowed_destinations>'*) ;;
    *) set -- "$@" '<allowed_destinations>0.0.0.0/0 ::/0</allowed_destinations>' ;;
  esac
  inside=$(printf '<http_port>9091</http_port><https_port>9092</https_port>%s<proxy><enabled>true</enabled>%s</proxy>' \
    '<enable_http>true</enable_http><enable_https>true</enable_https>' "$*")
  lab_guide_config |
    sed "s|</server>|$inside</server><default><aspshell_commands><command>cat</command></aspshell_commands></default>|" |
    lab_config
}

forward_user() {
  printf '%s-secret\n' "$1" |
    on dmz "$LAB_PREFIX/bin/asnodeadmin" -au "$1" -x bear -p - > "$TMPDIR/asnodeadmin" 2>&1 || {
    diag "asnodeadmin: $(cat "$TMPDIR/asnodeadmin")"
    return 1
  }
}

forward_is_ready() {
  ! kill -0 "$forward_pid" 2> /dev/null || { lab_listens dmz 9091 && lab_listens dmz 9092; }
}

# forward_door: asp-lease waits for the node service, as init starts it; $forward_door_pid
forward_door() {
  [ -z "${forward_door_pid-}" ] || ! kill -0 "$forward_door_pid" 2> /dev/null || return 0
  on_exec dmz "$LAB_PREFIX/libexec/asp-lease" > /dev/null 2>&1 < /dev/null &
  forward_door_pid=$!
  wait_until 10 on dmz test -S /run/sallyport/lease.sock
}
# forward_lessors: the asp-lease that serve somebody.
forward_lessors() { lab_pids dmz asp-lease | grep -vx "${forward_door_pid-}"; }

forward_start() {
  forward_door || return
  on_exec dmz "$LAB_PREFIX/bin/asperanoded" > "$TMPDIR/asperanoded" 2>&1 < /dev/null &
  forward_pid=$!
  wait_until 20 forward_is_ready && kill -0 "$forward_pid" || {
    diag "asperanoded: $(cat "$TMPDIR/asperanoded")"
    return 1
  }
  FINGERPRINT=$(lab_log dmz | sed -n 's/.*asperanoded.* certificate SHA-256 \([0-9A-F:]*\).*/\1/p' | tail -n 1)
  export FINGERPRINT
}

forward_stop() {
  kill "-${1-TERM}" "$forward_pid"
  wait "$forward_pid" 2> /dev/null
}

api() {
  local answer
  answer=$(on "$api_host" timeout 30 python3 "$LAB_LIB/node.py" ${api_user:+-u "$api_user:$api_user-secret"} \
    "$api_base" call "$@" 2>&1)
  status=${answer%%$'\n'*}
  body=${answer#*$'\n'}
}

field() {
  [[ $body =~ \"$1\":(\"([^\"]*)\"|[0-9]+|null) ]] || return
  echo "${BASH_REMATCH[2]:-${BASH_REMATCH[1]//\"/}}"
}

lease() {
  local more=${2-}
  api POST /proxy/leases "{\"destination\": \"${1-$OUTER}\"${more:+, $more}}"
  lease=$(field id) ssh_port=$(field ssh_port) udp_port=$(field udp_port)
  [ "$status" = 201 ] || { diag "no lease: $status $body"; return 1; }
}

forward_elements() {
  on dmz nft list table inet sallyport_lease 2> /dev/null | grep -o 'comment "[0-9a-f-]\{36\}"' | wc -l
}

forward_flows() {
  local family
  for family in ipv4 ipv6; do
    on dmz conntrack -f "$family" -L -m 0x10000000/0x10000000 2> /dev/null
  done
}

forward_records() {
  on dmz ls /run/sallyport/leases 2> /dev/null | grep -E '^[0-9a-f-]{36}$'
}

forward_left() {
  echo "$(forward_elements) $(forward_flows | wc -l) $(forward_records | wc -l)"
}

forward_nothing() {
  [ "$(forward_left)" = '0 0 0' ]
}

# Streams through leases that lead to port 7000 of outer ------------------------
#
#   forward_receiver [ADDRESS]      on outer; what arrives is lines in $TMPDIR/arrived
#   forward_lease_stream NAME       a lease to it, and a stream through that:
#                                   ${lease_of[NAME]}, ${stream_of[NAME]}
#   forward_stream NAME [HOST]      another one, through $ssh_port and $udp_port
#   is_flowing NAME                 TCP and UDP of that stream arrive, now
#   is_back NAME                    the same, TCP by a connection made anew
#   is_cut NAME                     nothing of it arrives any more
#   is_broken NAME                  and its TCP has noticed
#   stream_end NAME...

declare -A stream_of lease_of

forward_receiver() {
  : > "$TMPDIR/arrived"
  on_exec outer python3 "$LAB_LIB/stream.py" serve "${1-$OUTER_AT}:7000" >> "$TMPDIR/arrived" < /dev/null &
  receiver_pid=$!
  wait_until 10 grep -q '^listening' "$TMPDIR/arrived"
}

forward_stream() {
  on_exec "${2-inner}" python3 "$LAB_LIB/stream.py" send "$1" "$DMZ_LAN" "$ssh_port" "$udp_port" \
    > "$TMPDIR/stream.$1" < /dev/null 2>&1 &
  stream_of[$1]=$!
}

forward_lease_stream() {
  lease "$OUTER" '"ssh_port": 7000, "udp_port": 7000' || return
  lease_of[$1]=$lease
  forward_stream "$1"
  wait_until 10 is_flowing "$1"
}

arrivals() { grep -c "^$1\(-again\)* " "$TMPDIR/arrived"; }

# more_than COUNT NAME PROTOCOL
more_than() { [ "$(grep -c "^$2 $3 " "$TMPDIR/arrived")" -gt "$1" ]; }

is_flowing() {
  local tcp udp name=${2-$1}
  tcp=$(grep -c "^$name tcp " "$TMPDIR/arrived")
  udp=$(grep -c "^$1 udp " "$TMPDIR/arrived")
  wait_until 2 more_than "$tcp" "$name" tcp && wait_until 2 more_than "$udp" "$1" udp
}

is_back() { is_flowing "$1" "$1-again"; }

# What outer has received already is read within the first tenth of a second; in
# the rest, 20 packets and as many attempts to connect would have come.
is_cut() {
  local before
  sleep 0.1
  before=$(arrivals "$1")
  sleep 0.4
  [ "$(arrivals "$1")" = "$before" ] || {
    diag "$(($(arrivals "$1") - before)) messages came afterwards"
    return 1
  }
}

is_broken() { wait_until 3 grep -q '^broken' "$TMPDIR/stream.$1"; }

stream_end() {
  local name
  for name; do
    kill "${stream_of[$name]}"
    wait "${stream_of[$name]}"
  done 2> /dev/null
}
