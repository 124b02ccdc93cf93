"""House rules about imports: what a relay and the wire format must never load."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("pycrdt", "sqlite_utils", "rich", "prompt_toolkit", "click")


def _loaded_by(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after ``statement``."""
    code = f"{statement}\nimport sys\nprint(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import syncchat_relay", "import syncchat_relay.server"])
def test_relay_loads_neither_the_crdt_nor_the_peer(statement: str) -> None:
    loaded = _loaded_by(statement)
    own = {name.split(".")[1] for name in loaded if name.startswith("syncchat.")}
    assert "syncchat_relay" in loaded
    assert not loaded & {"pycrdt", "syncchat.core"}
    assert own <= {"errors", "ids", "ports", "trust", "wire"}


def test_wire_format_loads_neither_the_crdt_nor_the_network() -> None:
    loaded = _loaded_by("import syncchat.wire.frames, syncchat.wire.envelope, syncchat.wire.invite")
    assert "syncchat.wire.frames" in loaded
    assert not loaded & {"websockets", "nacl", "sqlite3", "asyncio", *HEAVY}
    own = {name.split(".")[1] for name in loaded if name.startswith("syncchat.")}
    assert own <= {"errors", "ids", "wire"}


def test_writing_a_message_loads_neither_the_crdt_nor_the_network() -> None:
    write = (
        "import syncchat\n"
        "with syncchat.open(':memory:', name='Alice') as peer:\n"
        "    peer.create_room('Team').send('hello')"
    )
    loaded = _loaded_by(write)
    assert "syncchat.room" in loaded
    assert not loaded & {"websockets", "pycrdt", "syncchat.driver", "syncchat_relay"}


def test_package_loads_nothing_until_a_name_is_used() -> None:
    loaded = _loaded_by("import syncchat")
    assert not {name for name in loaded if name.startswith("syncchat.")}
    assert not loaded & {"websockets", "nacl", *HEAVY}
