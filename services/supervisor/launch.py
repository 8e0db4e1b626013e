"""Runs before each child: binds its life to the supervisor's, gives up root if told to, then becomes the program.

A plain script, started as `python -I -S launch.py`: it imports no package of ours, so it costs milliseconds. What it
does can't be done in `Popen(preexec_fn=…)`, which is unsafe in a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """`launch.py PARENT_PID DEATH_SIGNAL UID GID -- PROGRAM ARGUMENT…`; UID -1 keeps the user."""
    parent, death_signal, uid, gid = map(int, sys.argv[1:5])
    program = sys.argv[6:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid, which clears it. Elsewhere the next start stops what a killed supervisor left behind.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:
            sys.exit("the supervisor died before its child started")
    # A background shell lets its children ignore SIGINT, the signal by which PostgreSQL and Milvus Lite stop cleanly.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.execv(program[0], program)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main()
