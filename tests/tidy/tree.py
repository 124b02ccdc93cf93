"""The repository as the tidy tests see it: the files that are kept in it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
WIRE = ROOT / "docs" / "reference" / "wire.md"
API = ROOT / "docs" / "reference" / "api.md"

# What git ignores, or what is no file of the project.
_IGNORED = {
    ".benchmarks",
    ".git",
    ".hypothesis",
    ".import_linter_cache",
    ".mypy_cache",
    ".pytest_cache",
    ".rivals",
    ".ruff_cache",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    "node_modules",
    "syncchat-relay",
}


def files(*suffixes: str) -> list[Path]:
    """Return the project's files, all or those with a suffix, sorted.

    Found by walking, not by asking git, so that the tests also hold in an unpacked sdist.
    """
    found: list[Path] = []
    folders = [ROOT]
    while folders:
        for path in folders.pop().iterdir():
            if path.name in _IGNORED or path.name.endswith(".egg-info"):
                continue
            if path.is_dir():
                folders.append(path)
            elif not suffixes or path.suffix in suffixes:
                found.append(path)
    return sorted(found)


def shown(path: Path) -> str:
    """Return a path for a failure's text."""
    return path.relative_to(ROOT).as_posix()


def anchors(markdown: str) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    titles = re.findall(r"^#{1,6} +(.+?) *$", _without_code(markdown), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(markdown: str) -> list[str]:
    """Return the targets of a page's links and images, code left out."""
    plain = re.sub(r"`[^`\n]*`(?!\])", "", _without_code(markdown))
    return re.findall(r"\]\(([^)\s]+)\)", plain)


def _without_code(markdown: str) -> str:
    return re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.MULTILINE | re.DOTALL)
