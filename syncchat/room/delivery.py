"""Who has an own message, and who has read it."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.markers import marker_key
from ..core.message import Status
from ..errors import NotAllowedError, NotFoundError
from ..ids import MemberId, author_device, stamp_of
from ..storage import arrivals, history
from ..storage.members import Owners
from .base import RoomPart


@dataclass(frozen=True, slots=True)
class Receipt:
    """Is how far an own message got with one other member.

    ``status`` never goes backwards; where more is not known it is that of the way to the relay.
    ``delivered_at`` is when this peer first heard that a device of theirs has it, ``read_at`` when
    they marked just this message as read, by their clock: ms since 1970, None where it is not
    known.
    """

    member: MemberId
    name: str
    status: Status
    delivered_at: int | None
    read_at: int | None


class RoomDelivery(RoomPart):
    """Is what a room's handle can tell of who has what; part of ``Room``."""

    __slots__ = ()

    def delivery(self, message: str) -> list[Receipt]:
        """Return, for each other member in order of name, how far an own message got.

        That a member has it is known of messages that were written on this device, once the relay
        has told so. Raises ``NotFoundError``, and ``NotAllowedError`` for others' messages.
        """
        peer, db = self._peer, self._peer._db
        with db.reading():
            found = self.message(message)
            if not found.mine:
                raise NotAllowedError("who has got and read a message is known of own ones only")
            if found.deleted:
                raise NotFoundError("the message was deleted")
            owners = Owners(db, self._row)
            writer = author_device(found.id)
            seq = history.own_seq(db, self._row, found.id) if writer == peer.device else None
            arrived = {} if seq is None else arrivals.arrivals_at(db, self._row, owners, seq)
            read = {
                owners[device]: at
                for device, at in arrivals.read_at(
                    db, self._row, marker_key(writer, found.thread), stamp_of(found.id)
                ).items()
            }
            members = peer._membership.members(self._row, self._names())
        ways = (Status.QUEUED, Status.REFUSED)
        least = found.status if found.status in ways else Status.SENT
        receipts = []
        for member in members:
            if member.is_me:
                continue
            status = Status.DELIVERED if member.id in arrived else least
            has_read = member.id in found.read_by
            receipts.append(
                Receipt(
                    member.id,
                    member.name,
                    Status.READ if has_read else status,
                    arrived.get(member.id),
                    read.get(member.id) if has_read else None,
                )
            )
        return receipts
