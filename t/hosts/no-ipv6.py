"""no-ipv6.py COMMAND...: run it where the kernel has no IPv6, as if booted with ipv6.disable=1.

A filter of system calls refuses sockets of that family to all that it starts, sudo's
programs included, and so do the files of /proc that there are not. As root.
"""
import ctypes
import os
import socket
import struct
import sys

# Of the classic BPF: load a word, jump if equal, return (linux/filter.h, linux/seccomp.h).
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EAFNOSUPPORT = 97
NUMBER, ARGUMENT = 0, 16  # where seccomp_data has them
SOCKET = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2

code = b"".join(struct.pack("HBBI", *line) for line in [
    (LOAD, 0, 0, NUMBER), (EQUAL, 0, 3, SOCKET),
    (LOAD, 0, 0, ARGUMENT), (EQUAL, 0, 1, socket.AF_INET6),
    (RETURN, 0, 0, ERRNO | EAFNOSUPPORT), (RETURN, 0, 0, ALLOW)])


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Program(6, code)), 0, 0) != 0:
    sys.exit(f"no-ipv6: prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
