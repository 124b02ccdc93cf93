"""The judge: compares a world's peers with the oracle, with each other and with their own past.

*Safety* holds at any moment, faults or not: own messages never vanish, a state or a cursor never
goes back, nothing counts as sent that the relay does not have, and who follows the events knows
what is shown. *Agreement* holds when a healed world has settled: everyone shows the same, as the
oracle says, everyone and the relay hold the same envelopes, and counts equal a recount.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, NamedTuple

from ..core.clock import ms_of
from ..core.journal import Volume
from ..core.message import Message, Status
from ..core.values import Root, decode_value
from ..events import Event, FileProgress, MessageAdded, MessageChanged, MessageGone
from ..exchange.volumes import Volumes, read_volume
from ..ids import Stamp, device_text, stamp_of
from ..peer import Peer
from ..room import Room
from ..storage import chains, members, rooms
from ..storage.changes import read_cursor
from ..storage.rooms import RoomRow
from ..trust.records import decode_record, is_record
from ..wire.envelope import decode_envelope
from .oracle import Divergence, Seen, Unread
from .relay import SimRelay
from .simpeer import SimPeer

if TYPE_CHECKING:
    from .world import World

EVERYTHING = 2**31

EVENTS_PER_LIFE = 3
"""Events that who follows them deals with until it is restarted."""
ERASED_MS_MAX = 5_000
"""How long after its time a message may stand in its author's journal, online."""

_GONE = object()
"""What is known of a message that has disappeared."""

_RANKS = {status: rank for rank, status in enumerate(Status)}


class _Place(NamedTuple):
    """Is how far a peer was in the relay's log when it was looked at last."""

    losses: int
    incarnation: bytes
    cursor: int


class _Told(NamedTuple):
    """Is what somebody knows who has followed a peer's events up to a cursor.

    They go on from there also when the process was killed meanwhile.
    """

    rewinds: int
    cursor: str
    messages: dict[str, object]
    mentioned: set[str]


class Judge:
    """Watches one world; every method raises ``Divergence`` where something is wrong."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._statuses: dict[tuple[str, str], Status] = {}
        self._places: dict[str, _Place] = {}
        self._told: dict[str, _Told] = {}
        self._looked: dict[str, tuple[int, int]] = {}

    def forget(self, peer: SimPeer) -> None:
        """Forget what a peer showed, because its disk went back in time."""
        self._statuses = {p: s for p, s in self._statuses.items() if p[0] != peer.name}
        self._places.pop(peer.name, None)
        self._told.pop(peer.name, None)

    def retried(self, peer: SimPeer) -> None:
        """Take note that somebody tries again all that was refused: it is queued once more."""
        for place, status in self._statuses.items():
            if place[0] == peer.name and status is Status.REFUSED:
                self._statuses[place] = Status.QUEUED

    # At any moment

    def check_safety(self, peer: SimPeer) -> None:
        """Look at one running peer."""
        self._check_shown(peer, self._world.shown(peer))

    def _check_shown(self, peer: SimPeer, shown: list[Message]) -> None:
        world = self._world
        world.oracle.check_own(
            peer.name, self._seen(shown), gone=lambda token: world.may_be_gone(peer, token)
        )
        for message in shown:
            if message.expires_at is not None and message.expires_at <= peer.peer.now_ms():
                raise Divergence(f"{peer.name} shows {token_of(message)} after its time")
            if stamp_of(message.id) < rooms.cutoff_now(peer.peer._db, 1, peer.peer.now_ms()):
                raise Divergence(f"{peer.name} shows {token_of(message)}, which is not kept")
        self._check_statuses(peer, shown)
        self._check_events(peer, shown)
        self._check_place(peer)

    def is_up_to_date(self, peer: SimPeer) -> bool:
        """Tell whether a peer has all that the relay has, and knows what that has lost."""
        is_connected = peer.link is not None and peer.link.is_open
        return is_connected and peer.exchange is not None and peer.exchange.is_live(peer.room.id)

    def _check_statuses(self, peer: SimPeer, shown: list[Message]) -> None:
        world = self._world
        for message in shown:
            if message.mine:
                place = (peer.name, message.id)
                before = self._statuses.get(place, Status.QUEUED)
                if _RANKS[message.status] < _RANKS[before]:
                    raise Divergence(
                        f"{peer.name}: {token_of(message)} went from {before} to {message.status}"
                    )
                has_arrived = _RANKS[before] < _RANKS[Status.DELIVERED] <= _RANKS[message.status]
                is_kept = message.expires_at is None and not world.may_be_over(message.sent_at)
                if has_arrived and not message.deleted and is_kept:
                    self._check_really_delivered(peer, message)
                self._statuses[place] = message.status

    def _check_really_delivered(self, peer: SimPeer, message: Message) -> None:
        """See that somebody else has what now counts as delivered."""
        others, world = [each for each in self._world.peers if each is not peer], self._world
        is_false = world.has_forgotten or type(world.relay) is not SimRelay
        if is_false or not all(p.is_running for p in others):
            return  # who had it may not have it any more
        if any(world.little.may_have(other, message) for other in others):
            return
        raise Divergence(
            f"{peer.name}: {token_of(message)} counts as {message.status}, and nobody else has it"
        )

    def _check_events(self, peer: SimPeer, shown: list[Message]) -> None:
        """See whether who follows the events, with restarts, knows all that is shown."""
        world, told = self._world, self._told.get(peer.name)
        is_whole = not any(message.hidden for message in shown)  # events tell of no others
        unasked = shown if is_whole else peer.room.messages(limit=1000, threads=True)
        if told is None or told.rewinds != peer.rewinds:
            messages: dict[str, object] = {m.id: _told_of(m) for m in unasked}
            mentioned = _mentioning(peer, shown)
            self._told[peer.name] = _Told(peer.rewinds, peer.peer.cursor, messages, mentioned)
            return
        new: set[str] = set()
        cursor = told.cursor
        for event in _told_with_restarts(peer.peer, told.cursor):
            cursor = event.cursor
            if isinstance(event, MessageAdded | MessageChanged):
                if isinstance(event, MessageAdded) and event.message.id in told.messages:
                    raise Divergence(f"{peer.name} tells {token_of(event.message)} as new twice")
                if isinstance(event, MessageAdded):
                    new.add(event.message.id)
                told.messages[event.message.id] = _told_of(event.message)
            if isinstance(event, MessageGone):
                if told.messages.get(event.message_id) is _GONE and world.kept_ms is None:
                    raise Divergence(f"{peer.name} tells twice that a message is gone")
                told.messages[event.message_id] = _GONE
        self._check_notifications(peer, told, new, shown)
        for message in unasked:
            was_over = message.expires_at is not None and peer.clock.went_back
            if message.status is Status.READ or was_over:
                # That others read it, other events tell; that it is not over yet, none does.
                told.messages[message.id] = _told_of(message)
            elif not self._is_told(told.messages.get(message.id), message):
                raise Divergence(f"{peer.name} changed {token_of(message)} without an event")
        mentioned = _mentioning(peer, shown)
        self._told[peer.name] = told._replace(cursor=cursor, mentioned=mentioned)

    def _is_told(self, told: object, message: Message) -> bool:
        """Tell whether events told of a message what is shown now.

        Not of what it quotes where that may disappear: nobody is told that it has.
        """
        if not isinstance(told, tuple):
            return False
        quote, shown = _told_of(message)
        return told[1] == shown and (told[0] == quote or self._world.may_pass)

    def _check_notifications(
        self, peer: SimPeer, told: _Told, new: set[str], shown: list[Message]
    ) -> None:
        """See that what is new and unread is told once, and later what now mentions the person."""
        since = read_cursor(told.cursor, last=2**62).place.change
        here = (n for n in peer.peer._notifications(since)[0] if n.room_id == peer.room.id)
        found = [message.id for each in here for message in each.messages]
        hidden = {message.id for message in shown if message.hidden}
        mentions = _mentioning(peer, shown) - hidden
        wanted: set[str] = {m.id for m in shown if m.id in new and m.unread}
        wanted |= mentions - new - told.mentioned
        allowed = wanted | (mentions - new)  # taken out of it meanwhile, and put in again
        if len(found) != len(set(found)) or not wanted <= set(found) <= allowed:
            raise Divergence(f"{peer.name} is notified of {found}, not of {sorted(wanted)}")

    def _check_place(self, peer: SimPeer) -> None:
        """See that what counts as sent is at the relay."""
        self.check_cursor(peer)
        world = self._world
        if world.losses or world.was_garbled or type(world.relay) is not SimRelay:
            return
        if not world.relay_knows(peer):
            raise Divergence(f"{peer.name} takes for sent what the relay does not have")

    def check_cursor(self, peer: SimPeer) -> None:
        """See that the cursor did not go back; cheap enough to look after every frame."""
        world = self._world
        if world.was_garbled or type(world.relay) is not SimRelay:
            return  # a flipped bit can say that the relay has lost something
        moment = (peer.disk.commits, world.losses)
        if self._looked.get(peer.name) == moment:
            return
        self._looked[peer.name] = moment
        now = _Place(world.losses, *rooms.position_of(peer.peer._db, peer.room._row))
        before = self._places.get(peer.name)
        if before is not None and before[:2] == now[:2] and now.cursor < before.cursor:
            raise Divergence(f"{peer.name} went from log {before.cursor} back to {now.cursor}")
        if not world.losses or self.is_up_to_date(peer):
            self._places[peer.name] = now
        else:
            self._places.pop(peer.name, None)

    # When all has settled

    def check_agreement(self, peers: Sequence[SimPeer]) -> None:
        """Look at all peers of a healed and settled world."""
        digests = {peer.name: peer.room.digest() for peer in peers}
        if len(set(digests.values())) > 1:
            raise Divergence(f"digests differ: {digests}")
        first, *others = [(peer, self._world.shown(peer)) for peer in peers]
        for peer, shown in others:
            self._check_same(first[0], first[1], peer, shown)
        for peer, shown in (first, *others):
            self._check_shown(peer, shown)
            seen = self._seen(shown)
            oracle = self._world.oracle
            oracle.check(
                peer.name,
                seen,
                may_be_gone=partial(self._world.may_be_gone, peer),
                must_be_gone=partial(self._world.must_be_gone, peer),
                is_over=self._world.is_over,
            )
            self._check_versions(peer, shown)
            oracle.check_unread(peer.name, seen, _unread_of(peer.room))
            oracle.check_title(peer.name, peer.room.title)
            for words in oracle.searches():
                hits = peer.room.search(" ".join(words), newest=True, limit=1_000)
                oracle.check_search(peer.name, seen, words, [hit.message.id for hit in hits])
            for message in shown:
                if message.mine and _RANKS[message.status] < _RANKS[Status.SENT]:
                    raise Divergence(f"{peer.name}: {token_of(message)} is still {message.status}")
        self._check_envelopes(peers)

    def check_delivered(self, peers: Sequence[SimPeer]) -> None:
        """Look whether everyone knows that their messages were delivered."""
        for peer in peers:
            for message in self._world.shown(peer):
                if _RANKS[message.status] < _RANKS[Status.DELIVERED] and not message.deleted:
                    raise Divergence(
                        f"{peer.name}: {token_of(message)} is still {message.status}, "
                        "though everyone has it"
                    )

    @contextmanager
    def expecting_no_change(self, peer: SimPeer) -> Iterator[None]:
        """See that a peer shows after the block what it showed before."""
        before, life, cursor = self._all_of(peer), peer.life, peer.peer.cursor
        yield
        if peer.life != life:
            return  # it died, and what it shows after its next start others look at
        for one, other in zip_longest(before, self._all_of(peer)):
            if one != other:
                raise Divergence(f"{peer.name} showed {one!r}, and now {other!r}")
        for event in peer.peer.happened(cursor):
            if not isinstance(event, FileProgress):  # files go on meanwhile
                raise Divergence(f"{peer.name} tells {event!r}, and nothing has changed")

    def check_erasure(self, peer: SimPeer) -> None:
        """See that what a person deleted is gone from the own journal, not only from the view."""
        shown = self._world.shown(peer)
        gone = {message.id for message in shown if message.deleted and message.mine}
        room = _room(peer)
        db = peer.peer._db
        own = chains.find_chain(db, room.id, peer.peer.device)
        if own is None:
            return
        volumes = Volumes(db)
        for number in chains.volume_numbers(db, own.id):
            content = Volume(number, read_volume(db, volumes, room, own, number).updates).content()
            for root, key in content:
                message = key + own.device if root is Root.MESSAGES else key
                if root in (Root.MESSAGES, Root.EDITS) and message in gone:
                    raise Divergence(f"{peer.name} keeps the text of a deleted message")
                if root is Root.MESSAGES and self._is_over(peer, key, content[root, key]):
                    raise Divergence(f"{peer.name} keeps a message that has disappeared")

    def _is_over(self, peer: SimPeer, stamp: str, raw: str) -> bool:
        """Tell whether a message's time has been over for long enough to erase it."""
        expires = decode_value(Root.MESSAGES, raw).expires
        now_ms = peer.peer.now_ms() - ERASED_MS_MAX
        return expires is not None and ms_of(Stamp(stamp)) + expires <= now_ms

    def _check_same(
        self, one: SimPeer, mine: list[Message], other: SimPeer, theirs: list[Message]
    ) -> None:
        """Compare what two peers show; of what disappears, what both still show."""
        both = {m.id for m in mine if self._passes(m)} & {m.id for m in theirs if self._passes(m)}
        mine = [m for m in mine if not self._passes(m) or m.id in both]
        theirs = [m for m in theirs if not self._passes(m) or m.id in both]
        for message, same in zip_longest(mine, theirs):
            first, second = (each and self._shown_of(each) for each in (message, same))
            if first != second:
                raise Divergence(f"{one.name} shows {first}, {other.name} {second}")
            is_told = message is not None and message.edited_at and not message.hidden
            if is_told and one.room.edits(message.id) != other.room.edits(message.id):
                raise Divergence(f"{one.name} and {other.name} tell of other edits")

    def _passes(self, message: Message) -> bool:
        """Tell whether a message may be gone for some and not for others."""
        return message.expires_at is not None or self._world.may_be_over(message.sent_at)

    def _shown_of(self, message: Message) -> object:
        """Return what everyone shows alike."""
        around = None if self._world.may_pass else (message.quote, message.replies)
        return around, _shown_of(message)

    def _check_versions(self, peer: SimPeer, shown: list[Message]) -> None:
        """See that the history of a message has what its author gave it, and ends as it is."""
        for message in shown:
            if message.edited_at and not message.deleted and (message.mine or not message.hidden):
                texts = [version.text for version in peer.room.edits(message.id)]
                self._world.oracle.check_versions(peer.name, token_of(message), texts)
                if texts[-1] != message.text:
                    raise Divergence(f"{peer.name} tells of an edit that it does not show")

    def _check_envelopes(self, peers: Sequence[SimPeer]) -> None:
        """See that everyone, and the relay, has the same envelopes, each once."""
        world = self._world
        if type(world.relay) is not SimRelay:
            return
        held: dict[str, dict[tuple[str, int], bytes]] = {"the relay": {}}
        log = world.relay.log
        stretch = log.read(
            world.room_id,
            0,
            upto=log.head(world.room_id).seq,
            envelopes_max=EVERYTHING,
            bytes_max=EVERYTHING,
        )
        for _, raw in stretch.envelopes:
            place = _place_of(raw)
            if place in held["the relay"]:
                raise Divergence(f"the relay has {place} twice")
            held["the relay"][place] = raw
        for peer in peers:
            found: dict[tuple[str, int], bytes] = {}
            held[peer.name] = found
            db = peer.peer._db
            for chain in chains.all_chains(db, _room(peer).id):
                if chain.frozen is not None:
                    raise Divergence(f"{peer.name} froze {chain.device}: {chain.frozen}")
                for seq, raw in chains.envelopes_after(
                    db, chain.id, 0, limit=EVERYTHING, bytes_max=EVERYTHING
                ):
                    found[chain.device, seq] = raw
            for raw in members.records_of(db, _room(peer).id):
                found[_place_of(raw)] = raw
        for name, found in held.items():
            for place in sorted(found.keys() | held["the relay"].keys()):
                if found.get(place) != held["the relay"].get(place):
                    raise Divergence(f"{name} and the relay do not have the same at {place}")

    def _all_of(self, peer: SimPeer) -> list[object]:
        room = peer.room
        counts = [room.unread_counts(), room.first_unread(), *room.threads(limit=1000)]
        shown = self._world.shown(peer)
        notes = [(m.quote, m.replies, m.unread) for m in shown]
        return [room.digest(), room.title, room.outbox(), *counts, *shown, *notes]

    def _seen(self, shown: list[Message]) -> list[Seen]:
        names = self._world.names
        return [
            Seen(
                message.id,
                names[message.sender],
                message.text,
                message.deleted,
                message.reply_to,
                frozenset((names[r.member], r.emoji) for r in message.reactions),
                frozenset(names[member] for member in message.read_by),
                message.thread,
                frozenset(names[member] for member in message.mentions),
                frozenset(
                    (names[member], place)
                    for place, option in enumerate(message.poll.options if message.poll else ())
                    for member in option.votes
                ),
                message.poll is not None and message.poll.closed_at is not None,
                message.pinned,
                message.hidden,
            )
            for message in shown
        ]


def _told_with_restarts(peer: Peer, cursor: str) -> Iterator[Event]:
    """Yield what happened since, to a reader that is restarted after every few events."""
    told = {cursor}
    while True:
        events = list(islice(peer.happened(cursor), EVENTS_PER_LIFE))
        if not events:
            return
        for event in events:
            if event.cursor in told:
                raise Divergence(f"{peer.name} tells {event!r} twice")
            told.add(event.cursor)
            yield event
        cursor = events[-1].cursor


def token_of(message: Message) -> str:
    """Return the word by which the oracle knows a message."""
    return message.text.split(" ", 1)[0]


def _mentioning(peer: SimPeer, shown: list[Message]) -> set[str]:
    """Return the messages of others that mention the person."""
    return {m.id for m in shown if peer.peer.id in m.mentions and not m.mine}


def _place_of(raw: bytes) -> tuple[str, int]:
    """Return the device and chain seq of an envelope, or the hash of a record."""
    if is_record(raw):
        return decode_record(raw).hash.hex(), 0
    _, header = decode_envelope(raw)
    return device_text(header.device), header.seq


def _room(peer: SimPeer) -> RoomRow:
    return rooms.all_rooms(peer.peer._db)[0]


def _told_of(message: Message) -> tuple[object, object]:
    """Return what events tell of a message: what it quotes, and the rest."""
    return message.quote, (
        message.text,
        message.deleted,
        message.edited_at,
        message.mentions,
        tuple((r.member, r.emoji, r.at_ms) for r in message.reactions),
        message.status,
        message.poll,
        message.pinned,
        message.hidden,
    )


def _shown_of(message: Message) -> object:
    """Return what everyone shows alike, beside what may have disappeared for some."""
    return (
        message.id,
        message.text,
        message.deleted,
        message.edited_at,
        message.reply_to,
        message.thread,
        message.mentions,
        tuple((r.member, r.emoji, r.at_ms) for r in message.reactions),
        message.read_by,
        message.poll and (message.poll.options, message.poll.closed_at, message.poll.voters),
        message.pinned,
        message.hidden,
    )


def _unread_of(room: Room) -> dict[str | None, Unread]:
    """Return what is unread, by thread, and with None outside of threads."""
    counts = room.unread_counts()
    found: dict[str | None, Unread] = {
        thread.id: Unread(thread.unread, thread.mentions) for thread in room.threads(limit=1000)
    }
    in_threads = sum(each.messages for each in found.values())
    if (counts.in_threads, counts.mentions_in_threads) != (
        in_threads,
        sum(each.mentions for each in found.values()),
    ):
        raise Divergence(f"{counts} is not what its threads come to")
    return found | {None: Unread(counts.messages, counts.mentions)}
