"""A module whose import takes 256 MiB and stays for a while."""

import time

HELD = b"x" * 2**28
time.sleep(2)


def objective(lr):
    return lr
