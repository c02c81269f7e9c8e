"""The heartbeat lets training code autolog: MLflow's import hooks and Python's imports take two locks, in either order.

Autologging takes seconds, in which the heartbeat's requests must import nothing: they would wait for it, and it for
them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "autologging.py"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite_store", pytest.param("server", marks=pytest.mark.long)])
def test_training_code_that_autologs_in_the_drivers_process_goes_on(kind, request):
    command = [sys.executable, SCRIPT, request.getfixturevalue(kind)]
    ran = subprocess.run(
        command, env=os.environ | {"MLFLOW_TUNE_LEASE": "1s"}, timeout=60, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
