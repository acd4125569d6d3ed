#!/bin/bash
# What the processes of a living session may still do: what ARCHITECTURE.md says, no more and no
# less, by what the kernel says of them. A dialer is alone among its process numbers.
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"
. "$LAB_LIB/forward.sh"

lab_up dmz outside inside1 inner outer
proxy_allow 'cat'

# CAP_KILL is bit 5, and so on; linux/capability.h
capabilities=(CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
  NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
  SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL
  SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE)
# names HEX: the capabilities in it, sorted
names() {
  local bit found=()
  for bit in "${!capabilities[@]}"; do
    (((16#$1 >> bit & 1) == 0)) || found+=("${capabilities[$bit]}")
  done
  printf '%s\n' "${found[@]}" | sort | xargs
}
field() { sed -n "s/^$2:\t//p" "/proc/$1/status"; }
tree=${0%/*}/../..
# documented PROCESS MOMENT: the capabilities that ARCHITECTURE.md gives it
documented() { awk -F ' *[|] *' -v p="\`$1\`" -v m="$2" '$2 == p && $3 == m { print $4 }' "$tree/ARCHITECTURE.md"; }
sorted() { tr ' ' '\n' <<< "$1" | grep -v '^none$' | sort | xargs; }
# has PROCESS MOMENT PID
has() {
  local wanted set
  wanted=$(documented "$1" "$2")
  [ "$wanted" = none ] || ok "$1, $2: $wanted, says sallyport(7), too" grep -qE "^\.Li $wanted( [;,.])?$" "$tree/man/sallyport.7"
  wanted=$(sorted "$wanted")
  for set in CapEff CapPrm CapBnd; do
    is "$(names "$(field "$3" $set)")" "$wanted" "$1, $2: $set is what ARCHITECTURE.md says: ${wanted:-none}"
  done
  for set in CapInh CapAmb; do is "$(names "$(field "$3" $set)")" '' "and $set is empty"; done
  is "$(field "$3" NoNewPrivs)/$(field "$3" Seccomp)" 1/2 'it gains no rights, and has a list of system calls'
}

proxy_session one outside bear "$SQUASH" cat
pinhole=$(lab_pids dmz asp-pinhole) upstream=$(lab_pids dmz asp-upstream) dial=$(lab_pids dmz asp-dial)
for each in pinhole upstream dial; do like "${!each}" '^[0-9]+$' "(there is one $each)"; done
has asp-pinhole 'caller verified' "$pinhole"
has asp-upstream 'server connected' "$upstream"
has asp-dial 'logged in' "$dial"
is "$(tr '\0' ' ' < "/proc/$dial/cmdline")" "$LAB_PREFIX/bin/asp-dial -A 6 " 'the command line of a dialer tells nothing'
is "$(field "$dial" Groups | xargs)" '' 'a dialer has no other group'
like "$(field "$dial" NSpid)" "$(printf '^[0-9\t]+\t1$')" 'it is process 1 among its own'

# Another one, at the same time.
proxy_session two outside bear "$SQUASH" cat
other=$(lab_pids dmz asp-dial | tr ' ' '\n' | grep -vx "$dial")
isnt() { [ "$1" != "$2" ]; }
ok 'two dialers are in different namespaces' isnt "$(readlink "/proc/$dial/ns/pid")" "$(readlink "/proc/$other/ns/pid")"
# What runs in that namespace, as that account, reaches the other dialer by no number.
uid=$(field "$dial" Uid | cut -f 1)
as_dialer() { setpriv --reuid="$uid" --clear-groups "$@"; }
as_dialer_in_namespace() { nsenter -t "$dial" -p setpriv --reuid="$uid" --clear-groups "$@"; }
ok '(in its namespace it is there itself)' as_dialer_in_namespace kill -s 0 1
ok '(outside of it the account does)' as_dialer kill -s 0 "$other"
nok 'but does not see into it' as_dialer cat "/proc/$other/environ" 2> /dev/null
for number in "$other" "$(field "$other" NSpid | awk '{ print $(NF - 1) }')"; do
  for signal in 0 STOP KILL; do
    nok "from the one, the other ($number) gets no signal $signal" \
      as_dialer_in_namespace kill -s $signal "$number" 2> /dev/null
  done
done
ok '(the other is still there)' kill -0 "$other"

# A forbidden system call shows. The list is in force for each of its threads, and cannot be
# tried from outside; t/unit/confine_test.cc tries each call.
kill -SYS "$upstream"
proxy_end two
proxy_end one
logged() { lab_log dmz | grep -q "$1"; }
ok 'one that dies of it is in the log' wait_until 10 logged 'asp-upstream died (killed for a system call that is forbidden to it'

# And of a lease.
forward_config
forward_user alice
ok '(the node service starts)' forward_start
ok '(there is a lease)' lease "$OUTER"
has asp-lease 'caller verified' "$(forward_lessors)"
forward_stop
done_testing
