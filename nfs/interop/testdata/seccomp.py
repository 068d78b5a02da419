#!/usr/bin/env python3
# Runs a program to which some system calls are refused, as a container's seccomp profile does it.
# usage: seccomp.py ERRNO NUMBER[,NUMBER...] PROGRAM ARG...
import ctypes, os, struct, sys

LD, JEQ, RET = 0x20, 0x15, 0x06  # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
ALLOW, ERRNO = 0x7fff0000, 0x00050000
numbers = [int(n) for n in sys.argv[2].split(',')]
code = [(LD, 0, 0, 0)]  # seccomp_data.nr
code += [(JEQ, len(numbers) - i, 0, n) for i, n in enumerate(numbers)]
code += [(RET, 0, 0, ALLOW), (RET, 0, 0, ERRNO | int(sys.argv[1]))]
filters = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *c) for c in code))
program = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', len(code), ctypes.addressof(filters)))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_void_p] * 4
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.addressof(program), 0, 0):  # NO_NEW_PRIVS, SECCOMP
    sys.exit('seccomp: ' + os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[3], sys.argv[3:])
