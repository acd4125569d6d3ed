#!/bin/bash
# Sessions begun, ended and killed at random: those that nobody killed succeed,
# and in the end everything is as it was before.
#   SOAK_SECONDS  how long (default 20; `make soak`: 180)
#   SOAK_SEED     the seed of an earlier run, to make its choices again
. "${0%/*}/../lib/lab.sh"
. "$LAB_LIB/tap.sh"
. "$LAB_LIB/proxy.sh"

LAB_CROWD=1
lab_up dmz outside outside2 inside1 inside2
proxy_allow 'env -u %d cat'
on dmz sed -i "/host_ip=\"$INDIVIDUAL\"/,/<\/rule>/s/$INSIDE1:22/$INSIDE2:22/" "$LAB_PREFIX/etc/aspera.conf"
on dmz sed -i "/host_ip=\"$INDIVIDUAL_6\"/,/<\/rule>/s/\[$INSIDE1_6\]:22/[$INSIDE2_6]:22/" "$LAB_PREFIX/etc/aspera.conf"
lab_udp inside1 echo "$INSIDE1:33001" "$TMPDIR/received"
lab_udp inside1 echo "[$INSIDE1_6]:33001" "$TMPDIR/received6"
seed=${SOAK_SEED-$RANDOM$RANDOM}
diag "SOAK_SEED=$seed"

python3 "$LAB_LIB/soak.py" "${SOAK_SECONDS-20}" "$seed" > "$TMPDIR/soak" 2> "$TMPDIR/errors"
is $? 0 "(the test itself ran to its end)"
is "$(cat "$TMPDIR/errors")" "" "(and without a fault)"
said() { sed -n "s/^$1 //p" "$TMPDIR/soak"; }
number() { said "tally $1"; }
is "$(said failure)" "" "each session that nobody killed succeeds, undisturbed by the others' deaths"
is "$(said left)" "" "rules, flows, records, processes and open files are those of the beginning"
ok "(sessions succeeded, files were copied, sessions were killed, asp-reap ran meanwhile)" \
  test "$(number whole)" -gt 0 -a "$(number copied)" -gt 0 -a "$(number killed)" -gt 0 -a "$(number reaped)" -gt 0
diag "$(number whole) sessions and $(number copied) copies succeeded, $(number killed) sessions were killed, asp-reap ran $(number reaped) times"
diag "longest time to the first answer: $(said first) ms"
diag "sessions per second: $(said rate)"
done_testing
