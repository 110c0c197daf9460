"""Holds one thread of a process still, as a disk or a bus that never answers would.

    freeze_thread.py PID NAME    says `frozen` when the thread called NAME stands still; it moves on when stdin ends

Exits 77 where this user may not do that. The thread is stopped by ptrace; the others go on.
"""

import ctypes
import os
import pathlib
import sys

PTRACE_INTERRUPT = 0x4207
PTRACE_SEIZE = 0x4206
WAIT_ALL = 0x40000000  # __WALL: threads too


def main():
    pid, name = int(sys.argv[1]), sys.argv[2]
    tasks = pathlib.Path(f"/proc/{pid}/task")
    thread = next(int(task.name) for task in tasks.iterdir() if (task / "comm").read_text().strip() == name)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, thread, None, None) != 0:
            print(f"not allowed: {os.strerror(ctypes.get_errno())}", flush=True)
            return 77
    os.waitpid(thread, WAIT_ALL)
    print("frozen", flush=True)
    # At the end of this process the kernel lets the thread go.
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
