"""House rules about files: their size, and what no file may hold."""

from __future__ import annotations

import re

from .tree import ROOT, files, shown

CODE_LINES_MAX = 500
TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".json",
    ".jsonl",
    ".yml",
    ".yaml",
    ".cfg",
    ".sh",
    "",
}
NOT_OURS = {"LICENSE", "syncchat/apps/data/ubuntu-irc.jsonl"}

# Absolute paths of somebody's machine, and hosts that packages come from. The patterns are put
# together here so that this file does not hold what it forbids.
FORBIDDEN = {
    "a path of a machine": re.compile(
        r"(?<![\w./~-])/(?:"
        + "|".join(["wo" + "rk", "ho" + "me", "Us" + "ers", "ro" + "ot"])
        + r")/\w"
    ),
    "a temporary path": re.compile(r"(?<![\w./~-])/t" + r"mp/\w"),
    "a path on a drive": re.compile(r"\b[A-Z]:\\\\?(?:Us" + r"ers|home)"),
    "a registry host": re.compile(
        "|".join(
            [
                r"pypi\." + r"org",
                r"pythonhosted\." + r"org",
                r"registry\." + r"npmjs",
                r"find-" + r"links",
                r"extra-" + r"index-url",
            ]
        )
    ),
}


def test_no_code_file_is_longer_than_two_ideas() -> None:
    too_long = {
        shown(path): lines
        for path in files(".py", ".js")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > CODE_LINES_MAX
    }
    assert too_long == {}


def test_no_file_holds_a_path_of_a_machine_or_a_registry_host() -> None:
    found = []
    for path in files():
        if path.suffix in TEXT_SUFFIXES and shown(path) not in NOT_OURS:
            text = path.read_text(encoding="utf-8")
            for what, pattern in FORBIDDEN.items():
                for match in pattern.finditer(text):
                    line = text.count("\n", 0, match.start()) + 1
                    found.append(f"{shown(path)}:{line}: {what}: {match[0]}")
    assert found == []


def test_forbidden_patterns_find_what_they_forbid() -> None:
    samples = {
        "a path of a machine": "see /ho" + "me/alice/x",
        "a temporary path": "open('/t" + "mp/x')",
        "a path on a drive": "C:\\Us" + "ers\\x",
        "a registry host": "https://pypi." + "org/simple",
    }
    for what, sample in samples.items():
        assert FORBIDDEN[what].search(sample), what
    for fine in ("docs/home/x", "https://example.org/home/x", "~/code/x", "tmp_path / 'x'"):
        assert not any(pattern.search(fine) for pattern in FORBIDDEN.values()), fine


def test_every_package_folder_with_code_has_an_init_with_a_docstring() -> None:
    lacking = []
    for path in files(".py"):
        if path.relative_to(ROOT).parts[0] in {"syncchat", "server", "tests", "benchmarks"}:
            init = path.parent / "__init__.py"
            if not init.exists() or not init.read_text(encoding="utf-8").startswith('"""'):
                lacking.append(shown(path.parent))
    assert sorted(set(lacking)) == []


def test_every_module_opens_with_a_docstring() -> None:
    lacking = [
        shown(path)
        for path in files(".py")
        if not path.read_text(encoding="utf-8").startswith('"""')
    ]
    assert lacking == []


def test_no_note_of_unfinished_work_is_left_in_code() -> None:
    note = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    found = [shown(path) for path in files(".py") if note.search(path.read_text(encoding="utf-8"))]
    assert found == []
