"""needs.py: what a row of the benchmark needs besides what the lab itself does."""
import os

from report import Cannot, Row

DIRECTORIES = ("usr/sbin", "usr/bin", "sbin", "bin", "usr/local/sbin", "usr/local/bin")
NGINX = ("nginx", "nginx-light")
NFT, IP6TABLES = ("nft", "nftables"), ("ip6tables", "iptables")
MODULES = "usr/lib/nginx/modules/ngx_stream_module.so"


def program(name, package):
    def check(root, _):
        if not any(os.path.lexists(f"{root}/{directory}/{name}") for directory in DIRECTORIES):
            raise Cannot(f"{name} is not installed (Debian's package {package})")
    return check


def stream_module(root, _):
    if not os.path.lexists(f"{root}/{MODULES}"):
        raise Cannot(f"nginx has no stream module at /{MODULES} (Debian's package libnginx-mod-stream)")


def built(name):
    def check(_, build):
        if not os.access(f"{build}/{name}", os.X_OK):
            raise Cannot(f"{name} is not built: make bench builds it")
    return check


def ipv6(root, _):
    if not os.path.exists(f"{root}/proc/net/if_inet6"):
        raise Cannot("the kernel has no IPv6 (ipv6.disable=1?), and 10,000 clients need more addresses than IPv4 has for documentation")


def memory(root, _):
    if not os.path.exists(f"{root}/proc/self/smaps_rollup"):
        raise Cannot("the kernel does not say how much memory a process shares (/proc/PID/smaps_rollup)")


NEEDS = {
    "udp": [program(*NGINX), stream_module, built("bench/traffic")],
    "bulk-up": [memory],
    "bulk-down": [memory],
    "memory": [memory],
    "pinholes": [ipv6, program(*IP6TABLES), program(*NFT)],
    "crowd": [memory],
}


def rows_of(name, measure, root, build):
    """What `measure` makes, each row once it is there; or one that says why it cannot run on this machine."""
    try:
        for check in NEEDS.get(name, []):
            check(root, build)
        made = measure()
        yield from [made] if isinstance(made, Row) else made
    except Cannot as why:
        yield Row(name, "", skipped=str(why))
