#!/usr/bin/env bash
# The benchmark: a row that cannot run on a machine says SKIP, and what is missing.
. "${0%/*}/../lib/tap.sh"
cd "${0%/*}/../.." || exit 1
here=$(mktemp -d)
trap 'rm -r "$here"' EXIT

# Everything that any row needs.
mkdir -p "$here"/{usr/sbin,usr/lib/nginx/modules,proc/net,proc/self,build/bench}
touch "$here"/usr/sbin/{nginx,nft,ip6tables} "$here/usr/lib/nginx/modules/ngx_stream_module.so" \
  "$here"/proc/{net/if_inet6,self/smaps_rollup} "$here/build/bench/traffic"
chmod 755 "$here/build/bench/traffic"

# row NAME: what bench says of it, with a measurement that always succeeds.
row() {
  PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=t/bench python3 -c '
import sys, needs, report
for row in needs.rows_of(sys.argv[1], lambda: report.Row("measured", "ms", 1.0), sys.argv[2], sys.argv[2] + "/build"):
    print(row.verdict(), report.text_of(row))' "$1" "$here" 2>&1
}
for name in udp setup memory pinholes; do
  like "$(row $name)" '^reached measured' "$name: runs where all is there"
done

# lacks ROW FILE REASON
lacks() {
  mv "$here/$2" "$here/away"
  like "$(row "$1")" "^SKIP $1.*SKIP: $3" "$1: skipped without /$2, and says why"
  mv "$here/away" "$here/$2"
}
lacks udp usr/sbin/nginx 'nginx is not installed \(Debian.s package nginx-light\)'
lacks udp usr/lib/nginx/modules/ngx_stream_module.so 'nginx has no stream module .*libnginx-mod-stream'
lacks udp build/bench/traffic 'bench/traffic is not built: make bench'
lacks pinholes usr/sbin/nft 'nft is not installed \(Debian.s package nftables\)'
lacks pinholes usr/sbin/ip6tables 'ip6tables is not installed'
lacks pinholes proc/net/if_inet6 'the kernel has no IPv6'
mv "$here/usr" "$here/away"
like "$(row death)" '^reached measured' 'a row that needs none of that runs'
mv "$here/away" "$here/usr"
lacks crowd proc/self/smaps_rollup 'the kernel does not say'
done_testing
