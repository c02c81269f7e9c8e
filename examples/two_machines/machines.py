"""Two machines, one study: `python machines.py URI [FOLDER]`, where URI is that of a PostgreSQL server's database.

    python machines.py postgresql+psycopg2://me@db.example/mlflow

The first machine makes the study and runs half of it; the second one, which has its own copy of the code and nothing
else in common with the first but the server, goes on to its end. Here each machine is a folder below FOLDER, with a
state of its own. The password stands in ~/.pgpass or PGPASSWORD, never in the URI.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CODE = Path(__file__).resolve().parents[1] / "dask_cluster"
FILES = ("study.yaml", "work.py")


def machine(folder, uri):
    """Return a function that types a command of mlflow-tune on a machine of its own."""
    folder.mkdir(parents=True)
    for name in FILES:
        shutil.copy(CODE / name, folder)
    text = (folder / "study.yaml").read_text()
    text = text.replace("name: dask-cluster", "name: two-machines").replace("executor: {dask: local}\n", "")
    (folder / "study.yaml").write_text(text)
    env = {**os.environ, "MLFLOW_TRACKING_URI": uri, "XDG_STATE_HOME": str(folder / "state")}

    def types(*words):
        print(f"\n{folder.name}$ mlflow-tune {shlex.join(words)}", flush=True)
        subprocess.run([sys.executable, "-m", "mlflow_tune", *words], cwd=folder, env=env, check=True)

    return types


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("uri")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("machines"))
    args = parser.parse_args()
    first, second = (machine(args.folder.resolve() / name, args.uri) for name in ("first", "second"))
    first("run", "study.yaml", "--trials", "3", "--workers", "1")
    # The code lies elsewhere here (--folder), and a new machine asks once whether it may run it (--yes).
    second("resume", "two-machines", "--trials", "6", "--folder", ".", "--yes")


if __name__ == "__main__":
    main()
