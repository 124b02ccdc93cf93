"""Fuzz targets with a coverage-guided fuzzer: ``python -m tests.fuzz [TARGET ...] --seconds N``.

Needs the extra ``fuzz`` (atheris; wheels for Linux). Without a target it does them all, one after
the other. ``--keep FOLDER`` keeps what the fuzzer learns from one run to the next. An input that
fails is printed with the line to add to the corpus, where it stays as a regression test.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from . import corpus

_STATE = re.compile(r"#(\d+)\s+(INITED|DONE|NEW|REDUCE|pulse)\s+cov: (\d+) ft: (\d+)")
_INSIDE = "--inside"
_INPUT_BYTES_MAX = 4_096
_SECONDS_PER_INPUT_MAX = 5
_MEMORY_MB_MAX = 1_024


def main() -> int:
    """Return 0 when no target failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(corpus.ALL)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--keep", type=Path, help="folder for what is learned")
    parser.add_argument("--seed", type=int, default=0, help="0 takes another each time")
    parser.add_argument("--write-seeds", action="store_true", help="make the seeds anew")
    if sys.argv[1:2] == [_INSIDE]:
        return _fuzz(sys.argv[2], sys.argv[3:])
    arguments = parser.parse_args()
    if arguments.write_seeds:
        print("\n".join(f"{name}: written" for name in corpus.write_seeds()) or "nothing changed")
        return 0
    for target in arguments.targets:
        if target not in corpus.ALL:
            parser.error(f"no target {target!r}; targets: {', '.join(corpus.ALL)}")
    if importlib.util.find_spec("atheris") is None:
        parser.error("the fuzzer is not installed: pip install -e '.[fuzz]'")
    failed = 0
    for target in arguments.targets or corpus.ALL:
        failed += not _run(target, arguments.seconds, arguments.seed, arguments.keep)
    return 1 if failed else 0


def _run(target: str, seconds: int, seed: int, keep: Path | None) -> bool:
    """Fuzz one target in a process of its own; print a line about it, tell whether all is well."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) if keep is None else keep / target
        crashes, seeds = Path(made) / "crashes", Path(made) / "seeds"
        for each in (folder, crashes, seeds):
            each.mkdir(parents=True, exist_ok=True)
        for name, raw in corpus.load(target).items():
            (seeds / name).write_bytes(raw)
        command = [sys.executable, "-m", "tests.fuzz", _INSIDE, target, str(folder), str(seeds)]
        command += [
            f"-max_total_time={seconds}",
            f"-max_len={_INPUT_BYTES_MAX}",
            f"-timeout={_SECONDS_PER_INPUT_MAX}",
            f"-rss_limit_mb={_MEMORY_MB_MAX}",
            f"-artifact_prefix={crashes}/",
            f"-seed={seed}",
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        states = _STATE.findall(done.stderr)
        first, last = (states[0], states[-1]) if states else (("",) * 4, ("",) * 4)
        if not states or "A corpus is not provided" in done.stderr:
            print(f"{target}: the fuzzer did not take the seeds")
            return False
        print(
            f"{target:<10} {int(last[0]):>10,} inputs  branches {first[2]} to {last[2]}  "
            f"features {first[3]} to {last[3]}  {'failed' if done.returncode else 'all held'}",
            flush=True,
        )
        if done.returncode:
            print(done.stdout[-2_000:])
        for path in sorted(crashes.iterdir()):
            print(f"{target}.txt: found-WHAT {path.read_bytes().hex()}")
        return done.returncode == 0


def _fuzz(target: str, arguments: list[str]) -> int:
    """Fuzz in this process, which then ends."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["syncchat", "syncchat_relay"]):
        for name in [name for name in sys.modules if name.split(".")[0].startswith("syncchat")]:
            del sys.modules[name]
        for name in [name for name in sys.modules if name.startswith("tests.")]:
            if name not in ("tests.fuzz", "tests.fuzz.__main__"):
                del sys.modules[name]
        fresh = importlib.import_module("tests.fuzz.corpus")
    atheris.Setup([sys.argv[0], *arguments], fresh.ALL[target])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
