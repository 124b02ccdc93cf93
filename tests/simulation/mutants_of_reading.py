"""Seeded defects of threads, read markers, mentions and what is told of them."""

from __future__ import annotations

from syncchat.core import fold
from syncchat.room import Room
from syncchat.storage import notices, tallies
from syncchat.storage.view.messages import Messages
from syncchat.storage.view.reads import Reads
from syncchat.storage.view.unread import Unread

from .seeding import Edit, Mutant


def _mutant(name: str, says: str, edit: Edit) -> Mutant:
    return Mutant(name, says, (edit,))


READING_MUTANTS: tuple[Mutant, ...] = (
    _mutant(
        "read marker instead of read set",
        "A message that arrives late counts as read where the marker stands after it.",
        Edit(
            Unread.is_unread,
            "stamp_of(message) > self.upto(writer, thread)",
            "stamp_of(message) > max(upto for (upto,) in [(self.upto(writer, thread),), "
            "*self._db.rows('select upto from read_to where room = ? and member = ?', "
            "(self._room, self.me))])",
        ),
    ),
    _mutant(
        "unread flag not cleared",
        "Reading a message moves the marker only.",
        Edit(Reads.settle, "mine[place] = upto", "pass"),
    ),
    _mutant(
        "marker forgets its thread",
        "Who reads the replies of a thread has read the main timeline.",
        Edit(
            tallies.unread_upto,
            "marker_key(author_device(message), thread)",
            "marker_key(author_device(message))",
        ),
    ),
    _mutant(
        "reading beside reads everything",
        "Marking a message as read does not stop at the end of its timeline.",
        Edit(Room.mark_read, "(last.thread,)", "None"),
    ),
    _mutant(
        "private receipts go to the room",
        "Others see what somebody wanted to read unseen.",
        Edit(Room._put_receipts, 'self.receipts == "private"', "False"),
    ),
    _mutant(
        "private receipts are lost",
        "What is read unseen stays unread.",
        Edit(Unread._find_upto, 'f"{text}/{place}"', "place"),
    ),
    _mutant(
        "mark of unread never cleared",
        "What was marked as unread cannot be read any more.",
        Edit(Room.mark_read, "sorted(unread.marked.intersection(messages))", "()"),
    ),
    _mutant(
        "answer to a reply leaves the thread",
        "Who answers a reply writes in the main timeline.",
        Edit(Room._thread_for, "None if answered is None else answered.thread", "None"),
    ),
    _mutant(
        "thread of a thread",
        "A reply in a thread can have a thread of its own.",
        Edit(Room._thread_of, "found is None or found.thread is None", "True"),
    ),
    _mutant(
        "mentions of an edit ignored",
        "Whom a message mentions cannot be changed.",
        Edit(
            fold.fold_message,
            "value.mentions if edit.value.mentions is None else edit.value.mentions",
            "value.mentions",
        ),
    ),
    _mutant(
        "placeholder never resolves",
        "Nobody is told that what a message answers has come or has changed.",
        Edit(Messages.settle, "self._touch_answers(changed)", "pass"),
    ),
    _mutant(
        "own messages notify",
        "What the person wrote, or has read elsewhere, wants their attention.",
        Edit(notices.news_since, "unread = 1 and added > ?", "added > ?"),
    ),
    _mutant(
        "mention by an edit not told",
        "Who is mentioned later hears nothing of it.",
        Edit(notices.news_since, "mention_at > added and", "mention_at < added and"),
    ),
)
