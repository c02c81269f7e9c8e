"""A study whose workers are SLURM jobs: `python slurm.py` shows the script of a job, `--submit` runs the study.

dask-jobqueue submits the script once for each worker. Its first word, `sbatch`, is needed for --submit alone. The
scheduler runs in this process, so it must be reached from the nodes, as the tracking server must.
"""

import argparse
from pathlib import Path

from dask_jobqueue import SLURMCluster

from mlflow_tune import Study
from mlflow_tune.spec.study_file import read_study_file

STUDY = Path(__file__).resolve().parents[1] / "dask_cluster" / "study.yaml"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=4, help="how many workers, each a job of its own")
    parser.add_argument("--submit", action="store_true", help="submit the jobs, and run the study on them")
    args = parser.parse_args()
    cluster = SLURMCluster(
        queue="gpu",
        cores=1,  # one trial a job
        memory="8GB",
        walltime="04:00:00",
        job_extra_directives=["--gres=gpu:1"],
        job_script_prologue=["source .venv/bin/activate"],
        python="python",
        scheduler_options={"dashboard_address": None},
    )
    print(cluster.job_script())
    if args.submit:
        cluster.scale(jobs=args.jobs)
        over = {"executor.dask": cluster.scheduler_address, "workers": args.jobs, "name": "slurm-cluster"}
        Study.of(read_study_file(STUDY, over), folder=STUDY.parent).run()
    cluster.close()


if __name__ == "__main__":
    main()
