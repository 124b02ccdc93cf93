"""Installs the rivals into ``benchmarks/.rivals``: ``python -m benchmarks setup``.

The versions are pinned in ``requirements.txt`` and ``package.json``. No package's install scripts
are run, and no lock file is kept: it would name the hosts that the packages came from.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from . import FOLDER, HERE, RIVALS, python


def install() -> int:
    """Install all rivals, or those in Python only where there is no npm; tell what is there."""
    FOLDER.mkdir(exist_ok=True)
    if not python().exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER / "venv")], check=True)
    quiet = ["--quiet", "--disable-pip-version-check"]
    pip = [str(python()), "-m", "pip", "install", *quiet]
    subprocess.run([*pip, "-r", str(HERE / "requirements.txt")], check=True)
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not there: the rivals in JavaScript are left out")
    else:
        shutil.copy(HERE / "package.json", FOLDER / "package.json")
        options = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"]
        subprocess.run([npm, "install", *options, "--silent"], check=True, cwd=FOLDER)
    for rival in RIVALS.values():
        there = ", ".join(f"{name} {found}" for name, found in rival.versions().items() if found)
        print(f"{rival.name:11} {there if rival.is_installed else 'not installed'}")
    return 0 if npm is None or all(rival.is_installed for rival in RIVALS.values()) else 1
