"""A peer that leaves old history at its relay, which hands it stubs and contents by hand."""

from __future__ import annotations

from collections.abc import Sequence

from syncchat.storage import absent, chains
from syncchat.trust.chain import stub_of
from syncchat.wire.envelope import decode_envelope, encode_envelope

from .devices import Device
from .peers import Inbox


def stub(raw: bytes) -> bytes:
    """Return the stub of a snapshot."""
    return encode_envelope(stub_of(*decode_envelope(raw)))


class Light(Inbox):
    """Is a peer that leaves old history at its relay."""

    def __init__(self, *devices: Device) -> None:
        super().__init__()
        self.room.keep_history("recent")
        for device in devices:
            self.let_in(device.keys.public[:8])

    def tell(self, *placed: tuple[int, bytes]) -> None:
        """Tell of stubs of snapshots at places of the log."""
        self.receiver.take_stubs(self.row, [(place, stub(raw)) for place, raw in placed])

    def give(self, place: int, raw: bytes) -> bool:
        """Give the contents that stand at a place."""
        return self.receiver.take_contents(self.row, place, raw)

    def needed(self) -> list[int]:
        """Return the places that are to be asked for now."""
        return absent.needed(self.db, self.row, limit=8, but=())

    def chain(self, device: Device) -> chains.ChainRow:
        found = chains.find_chain(self.db, self.row, device.id)
        assert found is not None
        return found


def volumes_of(ann: Device, count: int, *, each: int = 2) -> tuple[list[bytes], list[bytes]]:
    """Return the log of a device that filled volumes: all of it, and the snapshots alone."""
    log: list[bytes] = []
    snapshots: list[bytes] = []
    for number in range(count):
        ann.volume = number
        log += [ann.send(f"{number}.{n}") for n in range(each)]
        log.append(ann.snapshot())
        snapshots.append(log[-1])
    return log, snapshots


def everything(*logs: Sequence[bytes]) -> Inbox:
    """Return a peer that was given all of it."""
    inbox = Inbox()
    for log in logs:
        inbox.deliver(*log)
    return inbox
