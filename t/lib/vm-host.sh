# vm-host.sh: the virtual machine itself is the proxy: from the package to the first file and
# over a reboot. Sourced after vm.sh, by tests that differ in what the kernel enforces.
# Outside and inside are network namespaces; the server inside has the machine's accounts.
#
#   vm_host   all of it; $denials prints what the kernel refused to programs of the suite
outside=198.51.100.10 proxy=198.51.100.39 gate=203.0.113.1 inside=203.0.113.10

vm_net() {
  local side
  for side in outside inside; do
    ip netns add $side
    ip link add $side type veth peer name eth0 netns $side
    ip -n $side link set lo up
    ip -n $side link set eth0 up
    ip link set $side up
  done
  ip address add $proxy/24 dev outside
  ip address add $gate/24 dev inside
  ip -n outside address add $outside/24 dev eth0
  ip -n inside address add $inside/24 dev eth0
  ip netns exec inside /usr/sbin/sshd -o Port=22 -o ListenAddress=$inside -o PidFile=/run/inside.pid -o AllowUsers=xfer \
    -o AuthorizedKeysFile=/etc/ssh/inside_keys
  wait_until 60 ip netns exec inside nc -z $inside 22
}

vm_first_boot() {
  vm_net
  useradd -m -s /bin/bash xfer
  install build/bin/asp-cp /usr/local/bin/
  : > /etc/ssh/inside_keys
  ssh-keygen -q -t ed25519 -N '' -f /root/bear
  status 0 'the package installs' dpkg -i build/sallyport_*.deb
  status 1 'one command: all is done but what others have to do' timeout 300 asperaproxy setup --yes --server $inside --address $proxy \
    --squash xfer --user bear --key /root/bear.pub --fingerprint "$(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2)"
  like "$out" 'FAIL  login: .*server refuses our key' 'and it says what that is' || diag "$out $err"
  grep '^from=' <<< "$out" >> /etc/ssh/inside_keys
  status 0 'they have done it: a session of its own' timeout 300 asperaproxy setup --yes || diag "$out $err"
  like "$out" 'ok    session: .*datagrams went to the server and back' 'moves datagrams there and back'
  vm_crosses first
  vm_is_clean
}
vm_second_boot() {
  vm_net
  wait_until 60 ip netns exec outside nc -z $proxy 33001
  is "$(systemctl --failed --plain --no-legend)" '' 'after a reboot no unit has failed'
  vm_crosses second
  status 0 'setup finds all as it was' timeout 300 asperaproxy setup --yes || diag "$out $err"
  vm_is_clean
}
vm_crosses() {
  head -c 300000 /dev/urandom > "/root/$1"
  status 0 "a file from outside crosses" ip netns exec outside timeout 120 asp-cp -q -P 33001 -i /root/bear -o StrictHostKeyChecking=no \
    "/root/$1" "bear@$proxy:/tmp/" || diag "$err"
  ok 'and is whole' cmp "/root/$1" "/tmp/$1"
}
vm_is_clean() {
  is "$($denials)" '' 'the kernel has refused nothing to the suite'
  no_rules() { [ "$(asperaproxy status | grep -x 'sessions=0')" ]; }
  ok 'no session is left' wait_until 20 no_rules
  status 0 'the doctor is content' asperaproxy check || diag "$(grep -E '^ *(FAIL|WARN)' <<< "$out")"
}
vm_host() {
  if [ "$boot" = 1 ]; then
    vm_first_boot
    reboot_vm
  fi
  vm_second_boot
  done_testing
}
