"""Run every check: ``python -m tests`` (add ``--all`` for the slow simulations).

Under ``CI=true`` hypothesis draws a fixed, larger set of examples (profile ``ci``). Arguments
after ``--`` go to pytest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

PYTHON = sys.executable
ROOT = Path(__file__).parent.parent
WORKERS = "2"


def checks(*, slow: bool, pytest_arguments: list[str]) -> list[list[str]]:
    """Return the commands to run, in order: the quick ones first."""
    chosen = [] if slow else ["-m", "not slow"]
    return [
        [PYTHON, "-m", "ruff", "format", "--check", "."],
        [PYTHON, "-m", "ruff", "check", "."],
        [PYTHON, "-m", "mypy"],
        [str(Path(PYTHON).with_name("lint-imports"))],
        [PYTHON, "-m", "pytest", "-n", WORKERS, "--dist", "worksteal", *chosen, *pytest_arguments],
    ]


def main() -> int:
    """Run the checks; stop at the first that fails and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("--all", action="store_true", help="also run the tests marked slow")
    parser.add_argument("pytest_arguments", nargs="*", help="arguments for pytest, after --")
    arguments = parser.parse_args()
    environment = dict(os.environ)
    if environment.get("CI") == "true":
        environment.setdefault("HYPOTHESIS_PROFILE", "ci")
    for command in checks(slow=arguments.all, pytest_arguments=arguments.pytest_arguments):
        print("==>", " ".join(_shown(part) for part in command), flush=True)
        code = subprocess.run(command, check=False, cwd=ROOT, env=environment).returncode
        if code:
            print(f"==> failed with exit code {code}", flush=True)
            return code
    return 0


def _shown(part: str) -> str:
    return Path(part).name if part.startswith(str(Path(PYTHON).parent)) else part


if __name__ == "__main__":
    raise SystemExit(main())
