"""The true function of a study file, called after a driver has looked for others and before it makes its study."""

import os
import time
from pathlib import Path


def met(x):
    """Wait until as many drivers as `MET` says are here, in the folder `MEETING`."""
    place = Path(os.environ["MEETING"])
    (place / str(os.getpid())).touch()
    while len(list(place.iterdir())) < int(os.environ["MET"]):
        time.sleep(0.005)
    return x
