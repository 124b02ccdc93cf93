"""The pytest plugin: what it loads, what it makes, and what it tells of a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FAILING = """
def test_late_message(syncchat_world):
    world = syncchat_world(peers=2)
    alice, bob = world.peers
    world.write(alice, "hello")
    bob.kill()
    assert False, f"seed {world.seed}"
"""
PASSING = """
def test_late_message(syncchat_world):
    world = syncchat_world(peers=2, seed=7)
    alice, bob = world.peers
    bob.go_offline()
    world.write(bob, "written offline")
    world.heal()
    world.check()
    assert [m.text.split()[-1] for m in world.shown(alice)] == ["offline"]
"""


def run_pytest(folder: Path, program: str, *arguments: str) -> tuple[int, str]:
    (folder / "test_it.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments, "test_it.py"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
    )
    return done.returncode, done.stdout


def test_world_of_a_test_is_a_world(tmp_path: Path) -> None:
    code, told = run_pytest(tmp_path, PASSING)
    assert code == 0, told


def test_failure_tells_what_happened_and_how_to_have_it_again(tmp_path: Path) -> None:
    code, told = run_pytest(tmp_path, FAILING, "--syncchat-seed=11")
    assert code == 1
    assert "seed 11" in told
    assert "- syncchat world, seed 11 -" in told
    assert "peer0 writes m0 “hello”" in told
    assert "peer1: does not run" in told
    assert "peer0: " in told and "shows 1 messages" in told
    (again,) = [line for line in told.splitlines() if line.startswith("again with: ")]
    assert again == "again with: pytest test_it.py::test_late_message --syncchat-seed=11"


def test_seed_is_the_same_on_every_run_unless_told(tmp_path: Path) -> None:
    assert "AssertionError: seed 0" in run_pytest(tmp_path, FAILING)[1]


def test_plugin_loads_no_simulator_until_a_world_is_made(tmp_path: Path) -> None:
    program = """
import sys

def test_nothing_is_loaded(request):
    assert request.config.pluginmanager.has_plugin("syncchat.testing.plugin") or (
        request.config.pluginmanager.has_plugin("syncchat")
    )
    heavy = {"pycrdt", "nacl", "msgspec", "sqlite_utils", "syncchat.testing.world"}
    assert not heavy & set(sys.modules)

def test_world_loads_it(syncchat_world):
    assert "syncchat.testing.report" in sys.modules
"""
    code, told = run_pytest(tmp_path, program)
    assert code == 0, told


@pytest.mark.parametrize("module", ["syncchat.testing", "syncchat.testing.plugin"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import {module}, sys; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"pycrdt", "nacl", "msgspec", "hypothesis", "syncchat_relay", "sqlite3"}
