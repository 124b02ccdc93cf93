"""Sizes of files, as people type and read them."""

from __future__ import annotations

import re

import click

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
    "t": 2**40,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)\s*([a-z]*)", re.IGNORECASE)


class Size(click.ParamType[int]):
    """Reads a number of bytes: ``500``, ``20MB``, ``1.5 GiB``; MB are 10⁶, M and MiB 2²⁰."""

    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(value.strip())
        unit = found and _UNITS.get(found[2].lower())
        if not found or unit is None:
            self.fail(f"{value!r} is not a size; one looks like 500KB, 20MB or 1GiB", param, ctx)
        return round(float(found[1]) * unit)


def size_words(octets: int) -> str:
    """Return a number of bytes in words: ``512 bytes``, ``1.2 MB``."""
    if octets < 1_000:
        return f"{octets} byte" if octets == 1 else f"{octets} bytes"
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if octets >= factor:
            return f"{octets / factor:,.1f} {unit}"
    raise AssertionError("every size has a unit")
