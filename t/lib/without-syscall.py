#!/usr/bin/env python3
"""without-syscall.py NUMBER COMMAND...: runs COMMAND on a kernel that lacks that system call.

It fails there with ENOSYS, for all that COMMAND runs, too (seccomp(2)). Needs root.
"""
import ctypes
import os
import struct
import sys

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO_ENOSYS = 0x7FFF0000, 0x00050000 | 38


def main():
    steps = [(LOAD, 0, 0, 0), (JUMP_EQUAL, 0, 1, int(sys.argv[1])), (RETURN, 0, 0, ERRNO_ENOSYS), (RETURN, 0, 0, ALLOW)]
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(text)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) != 0:
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[2], sys.argv[2:])


main()
