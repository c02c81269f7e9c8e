"""All benchmarks of speed, one after another: `python -m tests.benchmarks`. It takes about an hour."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NAMES = ("trial_cost", "resume_cost", "long_study", "suggest_cost", "workers", "launch")

failed = []
for name in NAMES:
    print(f"\n## {name}\n", flush=True)
    if subprocess.run([sys.executable, Path(__file__).with_name(f"{name}.py")], check=False).returncode:
        failed.append(name)
raise SystemExit(f"promises do not hold, or it ended early: {', '.join(failed)}" if failed else 0)
