"""The oracle: what a room must show, given who wrote what, without any of the engine.

It knows no clocks, journals or envelopes: a list of what people did, in the order in which each
of them did it. What was done on a machine whose old backup was put back later is uncertain: it
may have reached the others before, or be gone; but it must be the same for everyone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
Fate = Callable[[str], bool]
"""Tells of a message, by its token, whether its time is over."""


def stays(token: str) -> bool:
    """Tell of any message that it stays."""
    return False


SEARCHES = 3
"""Words that are looked for at each peer, alone and with another."""

SEARCHED_CHARS_MAX = 100
"""The longest word that is looked for; a search takes no more than a line."""


class Divergence(AssertionError):
    """A peer does not show what it must; the text says what."""


class Seen(NamedTuple):
    """Is one message as some peer shows it, in words that need no engine."""

    id: str
    author: str
    text: str
    deleted: bool
    reply_to: str | None
    reactions: frozenset[tuple[str, str]]
    readers: frozenset[str] = frozenset()
    thread: str | None = None
    mentions: frozenset[str] = frozenset()
    votes: frozenset[tuple[str, int]] = frozenset()
    is_closed: bool = False
    pinned: bool = False
    hidden: bool = False


class Unread(NamedTuple):
    """Is how many messages of a timeline are unread, and how many of them mention the person."""

    messages: int = 0
    mentions: int = 0


SOME_THREAD = ""
"""Stands for a thread whose message was gone when somebody wrote in it."""


class _Said(NamedTuple):
    """Is what a message says, and whom it mentions."""

    text: str
    mentions: frozenset[str]


@dataclass(slots=True)
class _Deed(Generic[T]):
    """Is one thing that somebody did; ``number`` orders all deeds."""

    number: int
    by: str
    value: T
    is_certain: bool = True


def _allowed(deeds: Iterable[_Deed[T]], start: set[T]) -> set[T]:
    """Return the values that a sequence of deeds can leave: the last certain one, or one of the
    uncertain ones after it."""
    allowed = start
    for deed in deeds:
        allowed = {deed.value} if deed.is_certain else allowed | {deed.value}
    return allowed


class _Title(NamedTuple):
    deed: _Deed[str]
    over: str | None


@dataclass(slots=True)
class _Message:
    token: str
    written: _Deed[_Said]
    reply_to: str | None
    thread: str | None = None
    after: tuple[str, ...] = ()
    edits: list[_Deed[_Said]] = field(default_factory=list)
    deletes: list[_Deed[bool]] = field(default_factory=list)
    reactions: dict[tuple[str, str], list[_Deed[bool]]] = field(default_factory=dict)
    votes: dict[str, list[_Deed[tuple[int, ...]]]] = field(default_factory=dict)
    closings: list[_Deed[bool]] = field(default_factory=list)
    pins: list[_Deed[bool]] = field(default_factory=list)
    hidings: list[_Deed[bool]] = field(default_factory=list)
    may_repeat: bool = False

    def said(self) -> set[_Said]:
        return _allowed(self.edits, {self.written.value})

    def is_owed(self) -> bool:
        return self.written.is_certain and not self.deletes

    def is_surely_deleted(self) -> bool:
        return any(deed.is_certain for deed in self.deletes)

    def votes_of(self, member: str) -> set[tuple[int, ...]]:
        """Return the votes that may count: the last one, or where the poll was closed any or none,
        as those cast before it do and what others did at that time they may not have known."""
        cast = self.votes.get(member, [])
        if self.closings:
            return {(), *(deed.value for deed in cast)}
        return _allowed(cast, {()})


class Oracle:
    """Remembers everything that people did, and judges what a peer shows."""

    def __init__(self) -> None:
        self._messages: dict[str, _Message] = {}
        self._receipts: dict[str, dict[str, _Deed[bool]]] = {}
        self._reads: dict[str, dict[str, list[_Deed[bool]]]] = {}
        self._seen_reading: set[str] = set()
        self._titles: list[_Title] = []
        self._deeds: list[_Deed[Any]] = []
        self.is_ordered = True
        """Whether all clocks were close enough that causes are shown before effects."""

    @property
    def number(self) -> int:
        """Return how many deeds there were."""
        return len(self._deeds)

    def next_token(self) -> str:
        """Return a word that no message has begun with yet."""
        return f"m{len(self._messages)}"

    # What people do

    def wrote(
        self,
        by: str,
        token: str,
        text: str,
        *,
        reply_to: str | None = None,
        thread: str | None = None,
        mentions: Iterable[str] = (),
        after: Iterable[str] = (),
    ) -> None:
        """Note a message; ``token`` is its first word.

        ``reply_to`` and ``thread`` are the tokens of others, ``mentions`` names. ``after`` are
        tokens of messages that the author was shown when writing.
        """
        written = self._did(by, _Said(text, frozenset(mentions)))
        self._messages[token] = _Message(token, written, reply_to, thread, tuple(after))

    def edited(self, by: str, token: str, text: str, *, mentions: Iterable[str] = ()) -> None:
        """Note that the author changed a message's text; ``mentions`` are those after that."""
        self._messages[token].edits.append(self._did(by, _Said(text, frozenset(mentions))))

    def deleted(self, by: str, token: str) -> None:
        """Note that the author deleted a message."""
        self._messages[token].deletes.append(self._did(by, True))

    def reacted(self, by: str, token: str, emoji: str, *, on: bool) -> None:
        """Note a reaction, or that it was taken back."""
        deeds = self._messages[token].reactions.setdefault((by, emoji), [])
        deeds.append(self._did(by, on))

    def voted(self, by: str, token: str, choices: Iterable[int]) -> None:
        """Note a vote in a poll; no choices take it back."""
        self._messages[token].votes.setdefault(by, []).append(self._did(by, tuple(choices)))

    def closed(self, by: str, token: str) -> None:
        """Note that the author closed a poll."""
        self._messages[token].closings.append(self._did(by, True))

    def pinned(self, by: str, token: str, *, on: bool) -> None:
        """Note that the room's only admin pinned a message, or took the pin off."""
        self._messages[token].pins.append(self._did(by, on))

    def hid(self, by: str, token: str, *, on: bool) -> None:
        """Note that the room's only admin hid a message, or showed it again."""
        self._messages[token].hidings.append(self._did(by, on))

    def read(
        self,
        by: str,
        tokens: Iterable[str],
        *,
        maybe: Iterable[str] = (),
        is_private: bool = False,
    ) -> None:
        """Note that somebody marked these messages as read, and whether others may see it.

        ``maybe`` are those that are hidden, or have disappeared for the reader and not for others:
        whether they count as read depends on what was read behind them.
        """
        reads, receipts = self._reads.setdefault(by, {}), self._receipts.setdefault(by, {})
        for token in tokens:
            before = reads.setdefault(token, [])
            deed = self._did(by, True)
            if not is_private:
                self._seen_reading.add(by)
                if not any(e.value and e.is_certain for e in before):
                    receipts[token] = deed
            before.append(deed)
        for token in maybe:
            deed = self._did(by, True)
            deed.is_certain = False
            reads.setdefault(token, []).append(deed)
            if not is_private:
                self._seen_reading.add(by)
                receipts.setdefault(token, deed)

    def marked_unread(self, by: str, token: str) -> None:
        """Note that somebody marked a message as unread."""
        deed = self._did(by, False)
        self._receipts.setdefault(by, {})
        self._reads.setdefault(by, {}).setdefault(token, []).append(deed)

    def titled(self, by: str, title: str, *, over: str | None = None) -> None:
        """Note a new title of the room, given by somebody who was shown the title ``over``."""
        self._titles.append(_Title(self._did(by, title), over))

    def restored(self, by: str, since: int) -> None:
        """Note that a machine's database is again what it was after deed ``since``."""
        for deed in self._deeds[since:]:
            if deed.by == by:
                deed.is_certain = False
        for message in self._messages.values():
            if message.written.by == by and any(not deed.is_certain for deed in message.edits):
                message.may_repeat = True

    def lost(self, by: str) -> None:
        """Note that a device is gone: what it did may have reached the others, or not."""
        for deed in self._deeds:
            if deed.by == by:
                deed.is_certain = False

    def _did(self, by: str, value: T) -> _Deed[T]:
        deed = _Deed(len(self._deeds), by, value)
        self._deeds.append(deed)
        return deed

    # What a peer shows

    def check_own(self, name: str, seen: list[Seen], *, gone: Fate = stays) -> None:
        """Raise ``Divergence`` unless a peer shows what its person surely wrote and is not gone."""
        tokens = {_token(message.text) for message in seen if not message.deleted}
        for message in self._messages.values():
            is_owed = message.written.by == name and message.is_owed()
            if is_owed and not gone(message.token) and message.token not in tokens:
                raise Divergence(f"{name} does not show its own message {message.token}")
        self._check_once(name, seen)

    def check(
        self,
        name: str,
        seen: list[Seen],
        *,
        may_be_gone: Fate = stays,
        must_be_gone: Fate = stays,
        is_over: Fate = stays,
    ) -> None:
        """Raise ``Divergence`` unless a peer shows exactly what everybody wrote.

        What was to disappear may be gone, or must be, as clocks say; what is over may lack parts.
        """
        self._check_once(name, seen)
        shown = {_token(message.text): message for message in seen if not message.deleted}
        for message in self._messages.values():
            found = shown.get(message.token)
            if found is None:
                if message.is_owed() and not may_be_gone(message.token):
                    raise Divergence(f"{name} does not show {message.token}")
                continue
            if must_be_gone(message.token):
                raise Divergence(f"{name} shows {message.token}, which should have disappeared")
            if message.is_surely_deleted():
                raise Divergence(f"{name} shows {message.token}, which was deleted")
            if not is_over(message.token):
                self._check_one(name, message, found, shown)
        self._check_order(name, seen)

    def check_versions(self, name: str, token: str, texts: list[str]) -> None:
        """Raise ``Divergence`` if a message's history has a text that its author never gave it."""
        message = self._messages[token]
        given = {message.written.value.text, *(deed.value.text for deed in message.edits)}
        if not given.issuperset(texts) and not message.may_repeat:
            raise Divergence(f"{name} tells that {token} was something that nobody wrote")

    def check_unread(
        self, name: str, seen: list[Seen], counts: Mapping[str | None, Unread]
    ) -> None:
        """Raise ``Divergence`` unless as many messages are unread as the person left unread.

        ``counts`` tells so of each thread by the id of its message, and with None of the rest.
        """
        least: dict[str | None, Counter[bool]] = {}
        most: dict[str | None, Counter[bool]] = {}
        for message in seen:
            if message.deleted or message.author == name or message.hidden:
                continue
            known = self._messages[_token(message.text)]
            states = _allowed(self._reads.get(name, {}).get(known.token, ()), {False})
            mentions = {name in said.mentions for said in known.said()}
            if known.may_repeat:
                states, mentions = {False, True}, {False, True}
            least.setdefault(message.thread, Counter())[mentions == {True}] += states == {False}
            most.setdefault(message.thread, Counter())[True in mentions] += False in states
        for thread in {*counts, *most}:
            found = counts.get(thread, Unread())
            low, high = least.get(thread, Counter()), most.get(thread, Counter())
            all_of_it = low.total() <= found.messages <= high.total()
            if not (all_of_it and low[True] <= found.mentions <= high[True]):
                raise Divergence(
                    f"{name} counts {tuple(found)} unread in {thread or 'the main timeline'}, "
                    f"not {low.total(), low[True]} to {high.total(), high[True]}"
                )

    def searches(self) -> list[tuple[str, ...]]:
        """Return some words to look for: of texts old and new, and of what is not shown any more.

        All are of three characters or more, and plain, so that to look for them is to look for
        parts of a text.
        """
        counts = Counter(
            word
            for message in self._messages.values()
            for said in (message.written.value, *message.said())
            for word in said.text.lower().split()
            if 2 < len(word) <= SEARCHED_CHARS_MAX and word.isascii() and word.isalnum()
        )
        some = sorted(counts)[:: len(counts) // SEARCHES + 1]
        frequent = "".join(word for word, _ in counts.most_common(1))
        return [words for word in some for words in ((word,), (word[-3:], frequent[:3]))]

    def check_search(
        self, name: str, seen: list[Seen], words: tuple[str, ...], found: list[str]
    ) -> None:
        """Raise ``Divergence`` unless a peer found just what holds all words, the newest first."""
        holding = [
            message.id
            for message in reversed(seen)
            if not (message.deleted or message.hidden)
            and all(word in message.text.lower() for word in words)
        ]
        if found != holding:
            raise Divergence(
                f"{name} finds {len(found)} messages with {' and '.join(words)!r}, not the "
                f"{len(holding)} that it shows"
            )

    def check_title(self, name: str, title: str) -> None:
        """Raise ``Divergence`` unless the title is one that somebody gave last.

        Where clocks are near each other, one that somebody replaced knowingly is not.
        """
        last: dict[str, set[str]] = {}
        replaced: set[str] = set()
        for deed, over in self._titles:
            before = last.get(deed.by, set())
            last[deed.by] = {deed.value} if deed.is_certain else before | {deed.value}
            if self.is_ordered and deed.is_certain and over is not None and over != deed.value:
                replaced.add(over)
                replaced.discard(deed.value)
        if last and title not in set().union(*last.values()) - replaced:
            raise Divergence(f"{name} shows the title {title!r}, which nobody gave last")

    def _check_once(self, name: str, seen: list[Seen]) -> None:
        counts = Counter(_token(message.text) for message in seen if not message.deleted)
        for token, count in counts.items():
            if token not in self._messages:
                raise Divergence(f"{name} shows {token!r}, which nobody wrote")
            if count > 1 and not self._messages[token].may_repeat:
                raise Divergence(f"{name} shows {token} {count} times")
        if len({message.id for message in seen}) != len(seen):
            raise Divergence(f"{name} shows one id twice")

    def _check_one(self, name: str, message: _Message, found: Seen, shown: dict[str, Seen]) -> None:
        self._check_said(name, message, found)
        if found.author != message.written.by:
            raise Divergence(f"{name} shows {message.token} as by {found.author}")
        target = None if message.reply_to is None else shown.get(message.reply_to)
        if (message.reply_to is None) != (found.reply_to is None) or (
            target is not None
            and found.reply_to != target.id
            and not self._messages[_token(target.text)].may_repeat
        ):
            raise Divergence(f"{name} shows {message.token} as an answer to something else")
        self._check_thread(name, message, found, shown)
        if message.may_repeat:
            return
        self._check_readers(name, message, found)
        self._check_poll(name, message, found)
        for what, is_so, deeds in (
            ("pinned", found.pinned, message.pins),
            ("hidden", found.hidden, message.hidings),
        ):
            if is_so not in _allowed(deeds, {False}):
                raise Divergence(f"{name} shows {message.token} as {'' if is_so else 'not '}{what}")
        for (by, emoji), deeds in message.reactions.items():
            if ((by, emoji) in found.reactions) not in _allowed(deeds, {False}):
                raise Divergence(f"{name} shows the reaction of {by} to {message.token} wrongly")
        for place in found.reactions:
            if place not in message.reactions:
                raise Divergence(f"{name} shows a reaction to {message.token} that nobody made")

    def _check_said(self, name: str, message: _Message, found: Seen) -> None:
        if message.may_repeat:
            return
        texts = {said.text for said in message.said()}
        if found.text not in texts:
            raise Divergence(f"{name} shows {found.text!r}, not {' or '.join(sorted(texts))!r}")
        if _Said(found.text, found.mentions) not in message.said():
            whom = ", ".join(sorted(found.mentions)) or "nobody"
            raise Divergence(f"{name} shows {message.token} as mentioning {whom}")

    def _check_thread(
        self, name: str, message: _Message, found: Seen, shown: dict[str, Seen]
    ) -> None:
        root = shown.get(message.thread or "")
        is_right = (message.thread is None) == (found.thread is None)
        if root is not None and not self._messages[_token(root.text)].may_repeat:
            is_right &= found.thread == root.id
        if not is_right:
            raise Divergence(f"{name} shows {message.token} in another thread, or none")

    def _check_poll(self, name: str, message: _Message, found: Seen) -> None:
        may_close = bool(message.closings)
        if found.is_closed is not may_close and all(d.is_certain for d in message.closings):
            raise Divergence(f"{name} shows the poll {message.token} closed wrongly")
        for member in message.votes.keys() | {voter for voter, _ in found.votes}:
            chosen = tuple(sorted(place for voter, place in found.votes if voter == member))
            if chosen not in message.votes_of(member):
                raise Divergence(f"{name} shows the vote of {member} in {message.token} wrongly")

    def _check_readers(self, name: str, message: _Message, found: Seen) -> None:
        if not message.written.is_certain:
            return
        for reader, reads in self._reads.items():
            if reader == found.author:
                continue
            receipt = self._receipts[reader].get(message.token)
            has_read = any(deed.value for deed in reads.get(message.token, ()))
            is_shown = reader in found.readers
            must = receipt is not None and receipt.is_certain
            # What was read unseen shows as read when others see that a later message is.
            may = must or (has_read and reader in self._seen_reading)
            if (must and not is_shown) or (is_shown and not may):
                so = "as read by" if is_shown else "as not read by"
                raise Divergence(f"{name} shows {message.token} {so} {reader}")

    def _check_order(self, name: str, seen: list[Seen]) -> None:
        if self.is_ordered:
            self._check_causes(name, seen)
        last: dict[str, int] = {}
        for message in seen:
            if message.deleted:
                continue
            known = self._messages[_token(message.text)]
            if not known.written.is_certain or known.may_repeat:
                continue
            if known.written.number < last.get(message.author, -1):
                raise Divergence(f"{name} shows {message.author}'s messages out of order")
            last[message.author] = known.written.number

    def _check_causes(self, name: str, seen: list[Seen]) -> None:
        """See that nothing is shown before what its author was shown."""
        shown = {_token(message.text) for message in seen if not message.deleted}
        before: set[str] = set()
        for message in seen:
            token = _token(message.text)
            if message.deleted or self._messages[token].may_repeat:
                continue
            before.add(token)
            for cause in self._messages[token].after:
                if cause in shown - before and not self._messages[cause].may_repeat:
                    raise Divergence(f"{name} shows {token} before {cause}, which it follows")


def _token(text: str) -> str:
    return text.split(" ", 1)[0]
