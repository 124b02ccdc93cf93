"""Pace: work that has no bearing on how a schedule goes, and is spared while one is played."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from unittest import mock

from nacl import bindings as sodium

from ..exchange import ahead, batch, groups
from ..trust import person

_REMEMBERED_MAX = 4_096

_PURE = (("crypto_sign_open", (sodium,)), ("decode_record", (ahead, batch, groups, person)))
"""Functions of bytes alone, and the modules that call them."""


@contextmanager
def sparing() -> Iterator[None]:
    """Spare what only takes time, until the block ends.

    Every peer verifies the same signatures and reads the same records: what came of that is
    remembered, by all of the bytes. What becomes garbage in a circle is collected when the
    schedule is over.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with ExitStack() as stack:
            for name, modules in _PURE:
                remembering = lru_cache(maxsize=_REMEMBERED_MAX)(getattr(modules[0], name))
                for module in modules:
                    stack.enter_context(mock.patch.object(module, name, remembering))
            yield
    finally:
        if collects:
            gc.enable()
            gc.collect(1)
