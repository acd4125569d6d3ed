#!/bin/bash
# A proxy on Debian's own kernel, with SELinux enforcing Debian's default policy.
. "${0%/*}/../lib/vm.sh" security=selinux enforcing=1
. t/lib/vm-host.sh
is "$(getenforce)" Enforcing '(SELinux is in force)'
denials_of_selinux() { { dmesg; cat /var/log/audit/audit.log; } 2> /dev/null | grep 'avc: *denied' | grep -E 'comm="(asp|sshd|sudo)|aspera|sallyport'; }
denials=denials_of_selinux
vm_host
