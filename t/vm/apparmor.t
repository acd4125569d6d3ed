#!/bin/bash
# A proxy on Debian's own kernel, with AppArmor as Debian has it.
. "${0%/*}/../lib/vm.sh"
. t/lib/vm-host.sh
is "$(cat /sys/module/apparmor/parameters/enabled)" Y '(AppArmor is in force)'
denials_of_apparmor() { dmesg | grep 'apparmor="DENIED"' | grep -E 'asp|aspera|sallyport'; }
denials=denials_of_apparmor
vm_host
