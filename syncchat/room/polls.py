"""Polls: asking, voting, closing."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.message import Message, Poll
from ..core.polls import OPTION_CHARS_MAX, OPTIONS_MAX, POLL, asked_in
from ..core.values import EARLIER_MAX, MessageValue, Root, VoteValue, is_label
from ..errors import NotAllowedError, NotFoundError, ValidationError
from ..ids import MessageId, Stamp
from ..storage.fields import last_sealed
from .base import RoomPart, checked_text


class RoomPolls(RoomPart):
    """Is what a room's handle can do about polls; part of ``Room``."""

    __slots__ = ()

    def poll(
        self,
        question: str,
        options: Sequence[str],
        *,
        multiple: bool = False,
        thread: str | None = None,
    ) -> Message:
        """Ask a question with 2 to 20 answers, each a line of at most 100 characters.

        With ``multiple`` each member may choose several. How it stands is in ``Message.poll``.
        Raises ``ValidationError``.
        """
        if not checked_text(question, "the question").strip():
            raise ValidationError("the question is empty")
        if isinstance(options, str) or not 2 <= len(options) <= OPTIONS_MAX:
            raise ValidationError(f"a poll has 2 to {OPTIONS_MAX} options")
        said = [checked_text(option, "an option").strip() for option in options]
        if not all(is_label(option, OPTION_CHARS_MAX) for option in said):
            raise ValidationError(
                f"an option has 1 to {OPTION_CHARS_MAX} printable characters in one line"
            )
        if len(set(said)) < len(said):
            raise ValidationError("two options are the same")
        metadata = {"options": said, "multiple": bool(multiple)}
        assert asked_in(MessageValue(kind=POLL, metadata=metadata)) is not None
        return self._peer._handle(self._row).send(
            question, kind=POLL, metadata=metadata, thread=thread
        )

    def vote(self, message: str, choices: Sequence[int]) -> Message:
        """Vote in a poll by the places of what is chosen, counted from 0; none take it back.

        The last vote of a member counts. Raises ``NotFoundError``, ``ValidationError``, and
        ``NotAllowedError`` where the poll is closed.
        """
        found, poll = self._open_poll(message)
        chosen = tuple(sorted(set(choices)))
        if not all(isinstance(each, int) and not isinstance(each, bool) for each in choices):
            raise ValidationError("choices are places in the list of options, counted from 0")
        if not all(0 <= each < len(poll.options) for each in chosen):
            raise ValidationError(f"this poll has options 0 to {len(poll.options) - 1}")
        if len(chosen) > 1 and not poll.multiple:
            raise ValidationError("one option can be chosen in this poll")
        self._put_vote(found.id, chosen)
        return self.message(found.id)

    def close_poll(self, message: str) -> Message:
        """Close an own poll for good: votes cast later do not count.

        Raises ``NotFoundError``, ``NotAllowedError``.
        """
        found, poll = self._open_poll(message)
        if not found.mine:
            raise NotAllowedError("only who asked may close a poll")
        self._put_vote(found.id, poll.chosen, is_closing=True)
        return self.message(found.id)

    def _open_poll(self, message: str) -> tuple[Message, Poll]:
        found = self.message(message)
        if found.deleted:
            raise NotFoundError("the message was deleted")
        if found.hidden and not found.mine:
            raise NotAllowedError("the message was hidden by an admin")
        if found.poll is None:
            raise NotFoundError("the message is no poll")
        if found.poll.closed_at is not None:
            raise NotAllowedError("the poll is closed")
        return found, found.poll

    def _put_vote(
        self, message: MessageId, choices: tuple[int, ...], *, is_closing: bool = False
    ) -> None:
        earlier = self._earlier_votes(message)

        def value(at: Stamp) -> VoteValue:
            return VoteValue(at, choices, at if is_closing else None, earlier)

        self._put_mark(Root.VOTES, message, value)

    def _earlier_votes(self, message: MessageId) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Return the votes of this device that others may have seen, oldest first."""
        db, me = self._peer._db, self._peer.device
        before = last_sealed(db, self._row, Root.VOTES, message, me=me)
        if before is None:
            return ()
        return (*before.earlier, (before.at, before.choices))[-EARLIER_MAX:]
