"""User keys: how a device comes to the secrets to which rooms seal their keys.

Each generation's secret is sealed to the devices that were there and to the root, and the one
before it under it. What does not fit the public key in the person's log is no secret of theirs:
a stolen device could have written anything into its last record.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from ..errors import SealBroken
from .boxes import SECRET_BYTES, box_public, open_box, open_link
from .person import Person


def open_secrets(
    person: Person, known: Mapping[int, bytes], *, holder: bytes, box_secret: bytes
) -> dict[int, bytes]:
    """Return the user secrets by generation that can be had and are not ``known``.

    ``holder`` is the first 8 bytes of a device key, or empty for the root.
    """
    boxes = person.boxes
    secrets = {number: each for number, each in known.items() if _fits(person, number, each)}
    for generation, key in person.user_keys.items():
        box = boxes.get((generation, holder))
        if generation not in secrets and box is not None:
            with suppress(SealBroken):
                secret = open_box(box_secret, box)
                if box_public(secret) == key:
                    secrets[generation] = secret
    generations = {key: generation for generation, key in person.user_keys.items()}
    for generation in sorted(person.links, reverse=True):
        newer = secrets.get(generation)
        if newer is None:
            continue
        with suppress(SealBroken):  # two revocations at one moment both link to what was before
            older = open_link(newer, person.links[generation])
            found = generations.get(box_public(older))
            if found is not None:
                secrets.setdefault(found, older)
    return {number: each for number, each in secrets.items() if known.get(number) != each}


def _fits(person: Person, generation: int, secret: bytes) -> bool:
    key = person.user_keys.get(generation)
    return len(secret) == SECRET_BYTES and box_public(secret) == key
