"""Compare the vector files with what the code makes, or write them anew with ``--write``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from . import FOLDER
from .samples import all_files


def main() -> int:
    """Return 0 when the files are what the code makes, or were written."""
    parser = argparse.ArgumentParser(prog="python -m tests.vectors", description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the files that differ")
    write = parser.parse_args().write
    differing = 0
    for name, contents in all_files().items():
        path = FOLDER / f"{name}.json"
        text = _text(contents)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        differing += 1
        print(f"{path.name}: {'written' if write else 'differs'}")
        if write:
            path.write_text(text, encoding="utf-8")
    return 1 if differing and not write else 0


def _text(contents: Any) -> str:
    return json.dumps(contents, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
