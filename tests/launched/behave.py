"""What launchers run in tests: a function `objective` and a script, both doing what `do` says. Only the stdlib."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STUBBORN = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(99)"
)
HOARD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); held = b'x' * 2**27; time.sleep(99)"


def plant_tree(file: Path) -> None:
    """Start a plain child, one in a session of its own, a daemon and one that ignores SIGTERM; write their pids."""
    plain = subprocess.Popen(["sleep", "99"])
    session = subprocess.Popen(["sleep", "99"], start_new_session=True)
    shell = "setsid bash -c 'sleep 99 >/dev/null 2>&1 & echo $!'"  # its parents end at once: a double fork
    daemon = subprocess.run(["bash", "-c", shell], capture_output=True, check=True, text=True)
    stubborn = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    stubborn.stdout.readline()
    write_tree(file, [os.getpid(), plain.pid, session.pid, int(daemon.stdout), stubborn.pid])


def write_tree(file: Path, pids: list[int]) -> None:
    """Write the process ids, all at once."""
    file.with_suffix(".new").write_text(json.dumps(pids))
    file.with_suffix(".new").rename(file)


def objective(do: str, lr: float, units: int = 1) -> float:
    """Do it; return the learning rate."""
    print(f"{do} with lr={lr!r} units={units!r}")
    if do == "environment":
        print(json.dumps({"cwd": str(Path.cwd()), **os.environ}))
    elif do == "raise":
        raise ValueError(f"no luck with {lr}")
    elif do == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif do == "sys.exit":
        sys.exit(3)
    elif do == "os._exit":
        os._exit(4)
    elif do == "sleep":
        time.sleep(99)
    elif do == "hoard":  # two processes that take little each, and too much together
        hoards = [subprocess.Popen([sys.executable, "-c", HOARD], start_new_session=True) for _ in range(2)]
        write_tree(Path(os.environ["TREE"]), [os.getpid(), *(hoard.pid for hoard in hoards)])
        time.sleep(99)
    elif do in ("tree", "leave"):
        plant_tree(Path(os.environ["TREE"]))
        time.sleep(99 if do == "tree" else 0)
    return lr


def main() -> None:
    """Run the objective with the command line's parameters."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--do")
    parser.add_argument("--lr", type=float)
    objective(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
