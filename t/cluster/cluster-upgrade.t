#!/usr/bin/env bash
# Two proxies behind a balancer are upgraded one after the other, while people
# transfer one file after the other: none fails.
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"
. "${0%/*}/../lib/proxy.sh"
. "${0%/*}/../lib/cluster.sh"
. "${0%/*}/../lib/balancer.sh"

lab_up dmz dmz2 balancer outside outside2 inside1
for node in dmz dmz2; do
  balancer_config | lab_config "$node"
  on "$node" "$LAB_ASPERAPROXY" start > /dev/null
done
balancer_up
ok 'both nodes take clients' wait_until 20 balancer_takes "$DMZ_SYNC" "$DMZ2_SYNC"

# Each of them sends files, one after the other, without trying again, until told.
for client in outside outside2; do
  root=$(lab_root "$client")
  key=$(head -n 1 "$root/home/bear/.ssh/known_hosts" | cut -d ' ' -f 2-)
  for user in bear bobcat; do
    echo "[$BALANCER]:33001 $key" >> "$root/home/$user/.ssh/known_hosts"
    on "$client" -u "$user" bash -c 'head -c 3M /dev/urandom > file'
    on_exec "$client" -u "$user" bash -c '
      n=0
      until [ -e ~/enough ]; do
        n=$((n + 1))
        asp-cp -l 30M -P 33001 file "$USER@$0:/tmp/$1-$USER-$n" 2>> ~/errors || echo "$n" >> ~/failed
        echo "$n" > ~/count
      done' "$BALANCER" "$client" &
    senders+=($!)
  done
done
counts() { for client in outside outside2; do cat "$(lab_root "$client")"/home/{bear,bobcat}/count 2> /dev/null || return; done; }
total() { counts | awk '{ n += $1 } END { print n + 0 }'; }
all_sending() { [ "$(counts | wc -l)" = 4 ] && [ "$(total)" -ge 8 ]; }
ok 'four people transfer' wait_until 40 all_sending

further() { [ "$(total)" -ge $((done_so_far + 4)) ]; }
idle() { on "$1" "$LAB_ASPERAPROXY" status | grep -qx sessions=0 && [ -z "$(on "$1" ls /run/sallyport/dialers)" ]; }
for node in dmz dmz2; do
  address=$DMZ_SYNC
  [ "$node" = dmz ] || address=$DMZ2_SYNC
  balancer drain "$address"
  ok "$node: the balancer gives it no new clients" wait_until 10 balancer_drained "$address"
  ok "$node: its sessions end by themselves" wait_until 30 idle "$node"
  on "$node" "$LAB_ASPERAPROXY" drain > /dev/null
  before=$(on "$node" stat -c %i "$LAB_PREFIX/bin/aspshell")
  status 0 "$node: a new version is installed" on "$node" make -s -C "$LAB_SOURCE" install "BUILD=$LAB_BUILD" "PREFIX=$LAB_PREFIX" DESTDIR=
  nok "$node: it is another file" test "$(on "$node" stat -c %i "$LAB_PREFIX/bin/aspshell")" = "$before"
  done_so_far=$(total)
  ok "$node: meanwhile the other serves everybody" wait_until 30 further
  on "$node" "$LAB_ASPERAPROXY" undrain > /dev/null
  balancer undrain "$address"
  ok "$node: clients come again" wait_until 10 balancer_takes "$DMZ_SYNC" "$DMZ2_SYNC"
  done_so_far=$(total)
  ok "$node: and transfers go on" wait_until 30 further
done
for client in outside outside2; do touch "$(lab_root "$client")"/home/{bear,bobcat}/enough; done
wait "${senders[@]}"
transfers=$(total)
diag "$transfers transfers"
for client in outside outside2; do
  for user in bear bobcat; do
    home=$(lab_root "$client")/home/$user
    is "$(cat "$home/failed" "$home/errors" 2> /dev/null)" '' "$client, $user: none failed"
    count=$(cat "$home/count")
    is "$(on inside1 sh -c "sha256sum /tmp/$client-$user-*" | cut -d ' ' -f 1 | sort | uniq -c | xargs)" \
      "$count $(sha256sum < "$home/file" | cut -d ' ' -f 1)" 'and all are whole'
  done
done
for node in dmz dmz2; do
  ok "$node served some of them" test "$(lab_log "$node" | grep -c 'Connection closed (EOF)')" -gt 0
done
done_testing
