"""House rules about what is shipped: the wheel and the sdist hold what they must."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import syncchat

from .tree import ROOT

DATA = ROOT / "syncchat" / "apps" / "data"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_wheel_holds_both_packages_the_demo_chat_and_the_licence(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "syncchat/__init__.py",
        "syncchat/py.typed",
        "syncchat_relay/py.typed",
        "syncchat/wire/frames.py",
        "syncchat/apps/data/ubuntu-irc.jsonl",
        "syncchat/apps/data/ATTRIBUTION.md",
        "syncchat_relay/__init__.py",
    } <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"syncchat", "syncchat_relay"}


def test_version_is_that_of_the_package(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name.split("-")[1] == syncchat.__version__


def test_sdist_holds_the_tests_and_docs_too(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "constraints.txt",
        "docs/reference/wire.md",
        "pyproject.toml",
        "server/syncchat_relay/__init__.py",
        "syncchat/apps/data/ubuntu-irc.jsonl",
        "tests/vectors/frames.json",
    } <= names


def test_commands_name_functions_that_exist() -> None:
    assert set(PROJECT["project"]["scripts"]) == {"syncchat", "syncchat-relay"}
    for entry in PROJECT["project"]["scripts"].values():
        module, _, name = entry.partition(":")
        code = f"import {module} as m; assert callable(m.{name})"
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, timeout=30
        )
        assert done.returncode == 0, entry


def test_constraints_pin_every_dependency_exactly() -> None:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, sign, version = line.partition("==")
            assert sign and version and " " not in version, line
            pins[name.lower().replace("_", "-")] = version
    optional = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *optional["dev"], *optional["speed"]]
    wanted += optional["at-rest"]
    for requirement in wanted:
        name, floor = requirement.split(",")[0].split(">=")
        assert pins[name.lower().replace("_", "-")] == floor, requirement


def test_demo_chat_is_as_its_attribution_says() -> None:
    text = (DATA / "ubuntu-irc.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    attribution = (DATA / "ATTRIBUTION.md").read_text(encoding="utf-8")
    linked = [row for row in rows if "reply_to" in row]
    nicks = {row["nick"] for row in rows}
    assert len(rows) >= 2_200
    assert f"{len(rows):,} lines" in attribution
    assert f"{len(nicks)} names" in attribution
    assert f"{len(linked):,} lines that answer another" in attribution
    assert "CC BY 4.0" in attribution
    seen = set()
    for row in rows:
        assert list(row)[:7] == ["file", "line", "date", "time", "nick", "kind", "text"]
        assert row["kind"] in {"message", "action"}
        for answered in row.get("reply_to", []):
            assert (row["file"], answered) in seen
        seen.add((row["file"], row["line"]))
    assert len(seen) == len(rows)
