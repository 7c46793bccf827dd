"""How torch's threads wait for each other."""

import os


def share_cores() -> None:
    """Let threads that wait give their core away after microseconds; to be called before torch is imported.

    libgomp's threads spin for milliseconds at the end of every operation by default. Where another process uses a core,
    that burns more time than the computation takes: a fine-tuning on two busy cores became twice as fast.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
