"""Room keys: made by a member, committed to in the log, sealed to everyone who may read.

A commitment keeps a member from giving different keys to different people: a key that does not
match it is refused, whoever sealed it. Who was left out, by malice or by a race, is sealed to
again by any other member (``Reseal``), and a key that nobody can open is replaced (``Rotate``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress

from ..errors import SealBroken
from ..ports import Random
from .boxes import SECRET_BYTES, box_public, link_key, open_box, open_link, seal_box
from .changes import INVITES_MAX, Epoch, History
from .group import Group

_COMMIT_DOMAIN = b"syncchat commit 1\0"


def commitment(room: bytes, number: int, key: bytes) -> bytes:
    """Return what the log says of a room key. ``room`` is 16 zero bytes for a room's first key,
    whose record the room's id is made from."""
    text = _COMMIT_DOMAIN + room + number.to_bytes(4) + key
    return hashlib.blake2b(text, digest_size=32).digest()


def make_epoch(
    room: bytes,
    number: int,
    key: bytes,
    *,
    readers: Iterable[tuple[bytes, bytes]],
    invites: Iterable[tuple[bytes, bytes]] = (),
    previous: bytes | None = None,
    others: Iterable[tuple[int, bytes, bytes]] = (),
    random: Random,
) -> Epoch:
    """Return an epoch whose ``key`` is sealed to ``readers``, pairs of person id and user key,
    and to ``invites``, pairs of invite key and its box key; ``previous`` is linked to, and
    ``others``, the number, commitment and key of epochs that lost a fork."""
    return Epoch(
        number,
        commitment(bytes(16) if number == 0 else room, number, key),
        [(user, seal_box(public, key, random)) for user, public in sorted(readers)],
        [(invite, seal_box(public, key, random)) for invite, public in sorted(invites)],
        b"" if previous is None else link_key(key, previous, random),
        [(lost, said, link_key(key, old, random)) for lost, said, old in others],
    )


def next_epoch(
    group: Group,
    key: bytes,
    previous: bytes | None,
    *,
    at_ms: int,
    random: Random,
    without: Iterable[bytes] | None = None,
    revoking: bytes = b"",
    plus: Iterable[tuple[bytes, bytes]] = (),
    others: Iterable[tuple[int, bytes, bytes]] = (),
) -> Epoch:
    """Return the next epoch of a room, sealed to its members, ``plus`` pairs of person id and user
    key that come in or change with the same record; and to open invites, unless ``without`` says
    who is removed with it. ``revoking`` is the member some of whose devices are revoked with it,
    and whose invites are closed by that."""
    gone, more = set(without or ()), dict(plus)
    readers = {
        user: member.person.user_key for user, member in group.members.items() if user not in gone
    } | more
    is_shared = group.history is History.SHARED
    closed = set(group.invites_of(revoking))
    invites = [
        (public, opened.invite.box_key)
        for public, opened in group.invites.items()
        if is_shared
        and without is None
        and public not in closed
        and not opened.invite.needs_approval
        and not opened.refusal(at_ms)
    ]
    return make_epoch(
        group.room,
        group.epoch + 1,
        key,
        readers=readers.items(),
        invites=invites[-INVITES_MAX:],
        previous=previous if is_shared else None,
        others=others if is_shared else (),
        random=random,
    )


def open_epoch(
    group: Group, number: int, *, user: bytes, secrets: Iterable[bytes], invite: bytes | None = None
) -> bytes | None:
    """Return a room key from the boxes that the log has for a person, None where there is none.

    ``secrets`` are the person's user secrets, newest first; ``invite`` the box secret of an
    invite that is held. A box that opens to another key than the one committed to is no box.
    """
    known = group.epochs.get(number)
    if known is None:
        return None
    mine = known.boxes.get(user, ())
    tries = [(secret, box) for secret in secrets for box in mine]
    if invite is not None:
        public = box_public(invite)
        tries += [
            (invite, box)
            for key, box in known.invite_boxes.items()
            if key in group.invites and group.invites[key].invite.box_key == public
        ]
    for secret, box in tries:
        try:
            key = open_box(secret, box)
        except SealBroken:
            continue
        if is_committed(group, number, key):
            return key
    return None


def is_committed(group: Group, number: int, key: bytes) -> bool:
    """Tell whether a key is the one that the log committed to."""
    known = group.epochs.get(number)
    room = bytes(16) if number == 0 else group.room
    return known is not None and known.epoch.commitment == commitment(room, number, key)


def open_all(
    group: Group, have: Callable[[int], bytes | None], opened: Callable[[int], bytes | None]
) -> dict[int, bytes]:
    """Return every room key that can be had and is not here yet.

    ``have`` gives the key that is here, ``opened`` tries the boxes. Links are followed from
    newer to older, and on from each key that was handed on across a gap.
    """
    found: dict[int, bytes] = {}

    def known(number: int) -> bytes | None:
        return found.get(number) or have(number)

    _follow_links(group, known, opened, found)
    while _cross_gaps(group, known, found):
        _follow_links(group, known, opened, found)
    return found


def _follow_links(
    group: Group,
    known: Callable[[int], bytes | None],
    opened: Callable[[int], bytes | None],
    found: dict[int, bytes],
) -> None:
    """Add to ``found`` the keys that boxes hold, and to which newer ones lead."""
    newer: bytes | None = None
    for number in sorted(group.epochs, reverse=True):
        key = known(number)
        if key is None:
            key = opened(number)
            above = group.epochs.get(number + 1)
            if key is None and newer is not None and above is not None and above.epoch.link:
                try:
                    linked = open_link(newer, above.epoch.link)
                except SealBroken:
                    linked = b""
                if len(linked) == SECRET_BYTES and is_committed(group, number, linked):
                    key = linked
            if key is not None:
                found[number] = key
        newer = key


def _cross_gaps(
    group: Group, known: Callable[[int], bytes | None], found: dict[int, bytes]
) -> bool:
    """Add to ``found`` the keys that later epochs hand on; tell whether there was a new one."""
    before = len(found)
    for above in group.epochs.values():
        key = known(above.epoch.number) if above.epoch.others else None
        for older, _, link in above.epoch.others if key is not None else ():
            with suppress(SealBroken):
                linked = open_link(key or b"", link)
                if known(older) is None and is_committed(group, older, linked):
                    found[older] = linked
    return len(found) > before


def open_lost(
    group: Group,
    have: Callable[[int], bytes | None],
    *,
    user: bytes,
    secrets: Iterable[bytes],
) -> dict[tuple[int, bytes], bytes]:
    """Return the keys of epochs that lost a fork of the log, by number and commitment.

    ``have`` gives the key of an epoch that counts; later ones hand the lost ones on.
    """
    found: dict[tuple[int, bytes], bytes] = {}
    own = list(secrets) if group.lost else []

    def note(number: int, said: bytes, key: bytes) -> None:
        if (number, said) in group.lost and commitment(group.room, number, key) == said:
            found[number, said] = key

    for (number, said), known in group.lost.items():
        for secret, box in ((s, b) for s in own for b in known.boxes.get(user, ())):
            with suppress(SealBroken):
                note(number, said, open_box(secret, box))
    for above in group.epochs.values():
        key = have(above.epoch.number) if above.epoch.others else None
        for number, said, link in above.epoch.others if key is not None else ():
            with suppress(SealBroken):
                note(number, said, open_link(key or b"", link))
    return found
