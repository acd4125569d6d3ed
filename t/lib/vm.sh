# vm.sh: a test on a virtual machine with Debian's own kernel. Sourced first of all:
#
#   . "${0%/*}/../lib/vm.sh" [KERNEL ARGUMENT...]
#
# Runs the script again there (in-vm), as root, at the top of a copy of the tree; without
# root or QEMU it is skipped. A test that calls reboot_vm is run again after the reboot:
#
#   boot        how often the machine was booted: 1, 2 …
#   reboot_vm   reboots it; numbers of tests go on. Does not return
. "${BASH_SOURCE[0]%/*}/plain.sh"
if [ ! -e /srv/vm/command ]; then
  if [ "$EUID" != 0 ] || ! "${BASH_SOURCE[0]%/*}/install-packages" qemu-system-x86 seabios > /dev/null 2>&1; then
    echo '1..0 # SKIP needs root and qemu-system-x86'
    exit
  fi
  cd "${BASH_SOURCE[0]%/*}/../.." && exec t/lib/in-vm "$@" -- "$BASH" "$(realpath --relative-to=. "$0")"
fi
. t/lib/tap.sh
. t/lib/wait.sh
boot=1
if [ -e /var/lib/in-vm-boots ]; then
  read -r boot tap_count tap_failed < /var/lib/in-vm-boots
fi
reboot_vm() {
  echo "$((boot + 1)) $tap_count $tap_failed" > /var/lib/in-vm-boots
  sync
  systemctl reboot
  sleep 300
}
