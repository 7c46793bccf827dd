"""Ends a process with the one that started it, however that one ends.

The parent keeps the other end of this process's standard input open and writes nothing; it is closed by the kernel when
the parent is gone, by SIGKILL too. (Linux could send a signal instead, PR_SET_PDEATHSIG; that needs ctypes, goes by the
parent's thread, and is missed if the parent ends before the child has asked for it.)
"""

import os
import signal
import threading


def end_with_parent() -> None:
    """From now on, send this process SIGTERM when its standard input ends."""
    threading.Thread(target=_wait, name="lifeline", daemon=True).start()


def _wait() -> None:
    while os.read(0, 1024):  # not sys.stdin, whose lock the interpreter would want when it ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)
