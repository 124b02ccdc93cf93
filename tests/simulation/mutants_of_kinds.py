"""Seeded defects of polls, pins, edits, and messages that are hidden or disappear."""

from __future__ import annotations

from collections.abc import Callable

from syncchat.core import digest, polls
from syncchat.membership import Membership
from syncchat.room import Room
from syncchat.storage import erasing, history
from syncchat.storage.view import ViewBatch, messages
from syncchat.storage.view.fields import Fields
from syncchat.storage.view.messages import Messages

from . import scenarios_of_kinds as scenarios
from .seeding import Edit, Mutant


def _mutant(
    name: str, says: str, edit: Edit, scenario: Callable[[], object] | None = None
) -> Mutant:
    return Mutant(name, says, (edit,), scenario)


KIND_MUTANTS: tuple[Mutant, ...] = (
    _mutant(
        "first vote counts",
        "Who votes anew has voted as before.",
        Edit(polls.count, "max(vote, latest.get(member, vote))", "latest.get(member, vote)"),
    ),
    _mutant(
        "votes count after the closing",
        "What is cast after a poll was closed counts as well.",
        Edit(polls.count, "if closed is None or at <= closed:", "if True:"),
        scenarios.voted_after_the_closing,
    ),
    _mutant(
        "late vote takes the earlier one along",
        "Of a vote that was cast too late nothing is left of what it overwrote.",
        Edit(polls._cast, "yield from entry.value.earlier", "pass"),
        scenarios.voted_after_the_closing,
    ),
    _mutant(
        "anybody closes a poll",
        "A poll counts as closed whoever says so.",
        Edit(polls.count, "and member_of(entry.device) == author", ""),
        scenarios.closed_by_somebody_else,
    ),
    _mutant(
        "foreign pin accepted",
        "Anybody may pin a message.",
        Edit(
            Fields.settle,
            "m for m in marks if self._scope.owners[m.device] in self._scope.admins",
            "m for m in marks",
        ),
    ),
    _mutant(
        "pins outlive the role",
        "When somebody is an admin no more, what only admins may say is not looked at again.",
        Edit(ViewBatch.follow, "self._fields.touch_admins()", "pass"),
        scenarios.pinned_by_who_is_an_admin_no_more,
    ),
    _mutant(
        "edits forget what they overwrite",
        "The history of a message has its first and its last text.",
        Edit(Room.edit, "self._earlier_texts(own.id, text)", "()"),
        scenarios.edited_twice,
    ),
    _mutant(
        "hidden message counts as unread",
        "What an admin has hidden waits to be read.",
        Edit(messages._is_unread, "shown.is_there and", "not (shown.deleted or shown.gone) and"),
    ),
    _mutant(
        "hiding forgotten",
        "A message is shown as if no admin had hidden it.",
        Edit(Messages.settle, "is_hidden=message in hidden", "is_hidden=False"),
    ),
    _mutant(
        "second thoughts ignored",
        "What undoes a change that waits for the relay is taken for done.",
        Edit(
            Membership.change,
            "if members.intents(self._db, room, is_open=True):",
            "if False:",
        ),
        scenarios.hidden_and_shown_again_offline,
    ),
    _mutant(
        "digest tells the time",
        "What disappears counts in the digest as long as it is there.",
        Edit(digest.of_message, "if shown.value.expires is not None:", "if False:"),
        scenarios.clocks_that_differ,
    ),
    _mutant(
        "shown after its time",
        "A message is shown until somebody has erased it.",
        Edit(
            history.Reading.page,
            "values: list[Any] = [self._room, self._now_ms]",
            "values: list[Any] = [self._room, 0]",
        ),
    ),
    _mutant(
        "gone from the screen only",
        "What has disappeared stays in the database of those who did not write it.",
        Edit(
            Messages._raw,
            "return encode_value(shown.value)",
            "return before",
        ),
        scenarios.gone_while_the_author_is_away,
    ),
    _mutant(
        "author keeps what has disappeared",
        "The own journal keeps what is deleted or was to disappear.",
        Edit(
            erasing._erase,
            "outbox.put(db, room, Op(Root.MESSAGES, stamp_of(message), at, None), device=me)",
            "pass",
        ),
        scenarios.gone_while_the_author_is_away,
    ),
)
