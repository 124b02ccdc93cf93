"""Drives loro: a room is a list of texts in one document, kept as a snapshot file."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from .driver import SHOWN, main, measured

DEVICES = 8
loro: Any = importlib.import_module("loro")  # installed in the rivals' environment only


def build(path: str, texts: list[str]) -> dict[str, Any]:
    """Write texts one by one, as devices do that take turns."""
    doc = loro.LoroDoc()
    messages = doc.get_list("messages")
    for number, text in enumerate(texts):
        doc.peer_id = 1_000 + number % DEVICES
        messages.push(text)
        doc.commit()
    Path(path).write_bytes(doc.export(loro.ExportMode.Snapshot()))
    return {}


def open_(path: str, _: None) -> dict[str, Any]:
    """Import the snapshot and read the last texts."""

    def work() -> list[str]:
        doc = loro.LoroDoc()
        doc.import_(Path(path).read_bytes())
        messages = doc.get_list("messages")
        count = len(messages)
        return [messages.get(at).value for at in range(max(0, count - SHOWN), count)]

    return measured(work)


if __name__ == "__main__":
    main({"build": build, "open": open_})
