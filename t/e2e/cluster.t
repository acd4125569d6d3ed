#!/usr/bin/env bash
# A proxy dies, and the other goes on: what outlives it, what does not, and how
# long it takes.
. "${0%/*}/../lib/tap.sh"
. "${0%/*}/../lib/lab.sh"
. "${0%/*}/../lib/proxy.sh"
. "${0%/*}/../lib/cluster.sh"

cluster_up outside outside2 inside1
is "$(cluster_master)" dmz 'the first node is master'
cat "$TMPDIR/written.dmz"; on dmz $LAB_ASPERAPROXY check | grep -A20 cluster; on dmz2 $LAB_ASPERAPROXY check | tail -8
lab_log dmz | tail -30
done_testing
