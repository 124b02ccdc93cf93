"""Random histories of several devices, as envelopes and as what must be shown in the end.

The oracle (``Told.shown``) is written from the rules of a chat, not from the engine: it knows who
did what when, and nothing of journals, folds or digests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import strategies as st

from syncchat.core.journal import Entry
from syncchat.core.message import Message
from syncchat.core.values import Root
from syncchat.ids import DeviceId, Stamp, author_device, stamp_of

from .devices import Device

EMOJI = ("👍", "👨‍👩‍👧", "🎉")


class Act(NamedTuple):
    """Is one thing a person did; the numbers are taken modulo what there is."""

    device: int
    what: str
    target: int
    text: str


class Shown(NamedTuple):
    """Is what must be shown of a message."""

    id: str
    sender: str
    deleted: bool
    text: str
    is_edited: bool
    reactions: frozenset[tuple[str, str]]
    read_by: frozenset[str]


@dataclass
class Told:
    """Is what was done, in the words of the people who did it."""

    said: dict[str, str] = field(default_factory=dict)
    edits: list[tuple[Stamp, DeviceId, str, str]] = field(default_factory=list)
    deletes: set[tuple[DeviceId, str]] = field(default_factory=set)
    reactions: list[tuple[Stamp, DeviceId, str, str, bool]] = field(default_factory=list)
    reads: list[tuple[DeviceId, DeviceId, Stamp]] = field(default_factory=list)

    def shown(self) -> list[Shown]:
        """Return what everyone must see who has heard all of it."""
        return [self._one(message) for message in sorted(self.said)]

    def _one(self, message: str) -> Shown:
        author = message[13:]
        if any(who == author for who, which in self.deletes if which == message):
            return Shown(message, author, True, "", False, frozenset(), self._readers(message))
        edits = [e for e in self.edits if e[2] == message and e[1] == author]
        text = max(edits)[3] if edits else self.said[message]
        reactions = set()
        for _, who, which, emoji, on in sorted(self.reactions):
            if which == message and on:
                reactions.add((str(who), emoji))
            elif which == message:
                reactions.discard((str(who), emoji))
        return Shown(
            message,
            author,
            False,
            text,
            bool(edits),
            frozenset(reactions),
            self._readers(message),
        )

    def _readers(self, message: str) -> frozenset[str]:
        return frozenset(
            reader
            for reader, writer, upto in self.reads
            if writer == message[13:] and upto >= message[:13] and reader != writer
        )


def seen(messages: list[Message]) -> list[Shown]:
    """Return a room's page in the form of the oracle."""
    return [
        Shown(
            m.id,
            m.sender,
            m.deleted,
            m.text,
            m.edited_at is not None,
            frozenset((r.member, r.emoji) for r in m.reactions),
            frozenset(m.read_by),
        )
        for m in messages
    ]


class Play:
    """Plays acts on devices; envelopes pile up per device."""

    def __init__(self, devices: int = 3) -> None:
        self.devices = [Device(seed + 1) for seed in range(devices)]
        self.chains: list[list[bytes]] = [[] for _ in range(devices)]
        self.told = Told()
        self._batches: list[dict[int, dict[tuple[Root, str], Entry]]] = [{} for _ in self.devices]
        self._places: dict[str, int] = {}
        self._edited_in: dict[str, set[int]] = {}

    def act(self, act: Act) -> None:
        """Do one thing."""
        index = act.device % len(self.devices)
        device = self.devices[index]
        if act.what == "say":
            message, entry = device.message(act.text)
            self.told.said[message] = act.text
            self._places[message] = device.volume
            self._put(index, device.volume, entry)
            return
        if act.what == "seal":
            self.seal(index)
            return
        if act.what == "roll":
            self.seal(index)
            device.volume += 1
            self._put(index, device.volume, device.field(Root.PROFILE, "volume", act.target))
            return
        known = sorted(self.told.said)
        if known:
            self._act_on(index, device, known[act.target % len(known)], act)

    def finish(self) -> list[list[bytes]]:
        """Seal what is left and return each device's chain."""
        for index in range(len(self.devices)):
            self.seal(index)
        return self.chains

    def seal(self, index: int) -> None:
        """Seal a device's batch."""
        batch, self._batches[index] = self._batches[index], {}
        device = self.devices[index]
        written_first = sorted(batch, key=lambda volume: volume != device.volume)
        for volume in written_first:
            entries = list(batch[volume].values())
            self.chains[index].append(device.write(*entries, volume=volume))

    def _act_on(self, index: int, device: Device, message: str, act: Act) -> None:
        is_author = author_device(message) == device.id  # type: ignore[arg-type]
        match act.what:
            case "edit" if (device.id, message) not in self.told.deletes:
                entry = device.edit(message, act.text)
                self.told.edits.append((device.last, device.id, message, act.text))
                self._put(index, device.volume, entry)
                if is_author:
                    self._edited_in.setdefault(message, set()).add(device.volume)
            case "delete" if (device.id, message) not in self.told.deletes:
                self.told.deletes.add((device.id, message))
                self._put(index, device.volume, device.delete(message))
                if is_author:
                    self._erase(index, message)
            case "react" | "unreact":
                emoji, on = EMOJI[len(act.text) % len(EMOJI)], act.what == "react"
                entry = device.react(message, emoji, on=on)
                self.told.reactions.append((device.last, device.id, message, emoji, on))
                self._put(index, device.volume, entry)
            case "read" if not is_author:
                writer, upto = author_device(message), stamp_of(message)  # type: ignore[arg-type]
                # As our own writer does, a device's markers never go backwards.
                before = [u for r, w, u in self.told.reads if (r, w) == (device.id, writer)]
                upto = max([upto, *before])
                self.told.reads.append((device.id, writer, upto))
                self._put(index, device.volume, device.read(writer, upto))

    def _erase(self, index: int, message: str) -> None:
        self.seal(index)
        key = message[:13]
        self._put(index, self._places[message], Entry(Root.MESSAGES, key, None))
        for volume in sorted(self._edited_in.get(message, ())):
            self._put(index, volume, Entry(Root.EDITS, message, None))
        self.seal(index)

    def _put(self, index: int, volume: int, entry: Entry) -> None:
        if (entry.root, entry.key) in self._batches[index].get(volume, {}):
            self.seal(index)
        self._batches[index].setdefault(volume, {})[entry.root, entry.key] = entry


ACTS = ("say", "say", "edit", "edit", "delete", "react", "unreact", "read", "seal", "seal", "roll")
TEXTS = st.text(alphabet='abc é🎈\n\0"\\', min_size=1, max_size=6)


def acts(*, min_size: int = 1, max_size: int = 40) -> st.SearchStrategy[list[Act]]:
    """Return a strategy of acts of up to three devices."""
    number = st.integers(0, 3)
    one = st.builds(Act, st.integers(0, 2), st.sampled_from(ACTS), number, TEXTS)
    return st.lists(one, min_size=min_size, max_size=max_size)


def played(history: list[Act]) -> tuple[Told, list[list[bytes]]]:
    """Return what was done and each device's chain of envelopes."""
    play = Play()
    for act in history:
        play.act(act)
    return play.told, play.finish()
