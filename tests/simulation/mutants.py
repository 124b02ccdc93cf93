"""The seeded defects: what could have gone wrong in the engine, and must be noticed.

The first four are how a well-known CRDT store loses data: squashing that drops, compression that
does not reload, a tail lost after a checkpoint, and a clock step that hides rows.
"""

from __future__ import annotations

from collections.abc import Callable

from syncchat_relay import fanout, opening
from syncchat_relay.hub import Hub
from syncchat_relay.log import judge

from syncchat.core import clock, fold
from syncchat.exchange.acks import Acks
from syncchat.exchange.batch import Batch
from syncchat.exchange.exchange import Exchange
from syncchat.exchange.own import OwnChain
from syncchat.exchange.receiving import Receiver
from syncchat.exchange.refilling import Refiller
from syncchat.exchange.sealing import Sealer
from syncchat.exchange.volumes import Volumes
from syncchat.room import Room
from syncchat.storage import chains, changes, history, outbox, refolding, rooms
from syncchat.storage.view import ViewBatch
from syncchat.storage.view.messages import Messages
from syncchat.sync.backoff import Backoff
from syncchat.sync.session import Session
from syncchat.trust import chain as links
from syncchat.trust import seal

from . import scenarios
from .mutants_of_files import FILE_MUTANTS
from .mutants_of_groups import GROUP_MUTANTS
from .mutants_of_keeping import KEEPING_MUTANTS
from .mutants_of_kinds import KIND_MUTANTS
from .mutants_of_little import LITTLE_MUTANTS
from .mutants_of_reading import READING_MUTANTS
from .mutants_of_recent import RECENT_MUTANTS
from .mutants_of_search import SEARCH_MUTANTS
from .mutants_of_snapshots import SNAPSHOT_MUTANTS
from .seeding import Edit, Mutant


def _mutant(
    name: str, says: str, *edits: Edit, scenario: Callable[[], object] | None = None
) -> Mutant:
    return Mutant(name, says, edits, scenario)


_NO_FINGERPRINT = Edit(
    opening.compare, "counted if is_ours and fact.standing else 0", "min(counted, fact.head)"
)
"""Where a cursor jumps, the fingerprint of the log shows it, and the log is read anew."""

MUTANTS: tuple[Mutant, ...] = (
    # How a well-known store loses data
    _mutant(
        "squashing drops what did not fit",
        "A batch that is sealed in part takes all that waits out of the outbox.",
        Edit(
            Sealer._write_ops,
            "outbox.drop_sealed(self._db, room.id, entries)",
            "outbox.drop_sealed(self._db, room.id, [Entry(o.root, o.key, o.raw) for o in ops])",
        ),
    ),
    _mutant(
        "compression does not reload",
        "Bodies from a size on come back compressed.",
        Edit(
            seal.open_sealed,
            "return _decompress(payload, text[0])",
            "return payload if len(payload) > 180 else _decompress(payload, text[0])",
        ),
    ),
    _mutant(
        "tail lost after a checkpoint",
        "When a volume is full, the op that should open the next one is forgotten.",
        Edit(
            Sealer._write_ops,
            "number, left = number + 1, room_left(0, 0)",
            "number, left = number + 1, room_left(0, 0); "
            "outbox.drop(self._db, room.id, ops[-1].root, ops[-1].key); ops = ops[:-1] or ops",
        ),
    ),
    _mutant(
        "clock step hides rows",
        "A page shows only what the own clock has reached.",
        Edit(
            history.Reading.page,
            'where = ["room = ?", self._shown, THERE]',
            "from ..core.clock import stamp\n"
            "    where = [f\"room = ? and message < '{stamp(self._now_ms + 1000)}'\", THERE]",
        ),
    ),
    # Writing
    _mutant(
        "coalescing keeps the older",
        "What is written again before it was sent stays as it was first.",
        Edit(
            outbox.put,
            "do update set at = excluded.at, raw = excluded.raw",
            "do nothing",
        ),
    ),
    _mutant(
        "outbox emptied before the seal commits",
        "Ops are removed in a transaction of their own, before that of their envelope.",
        Edit(
            Sealer._seal,
            "try:\n",
            "try:\n"
            "        with self._db.atomic():\n"
            "            taken = self._db.rows('select * from op where room = ?', (room.id,))\n"
            "            self._db.execute('delete from op where room = ?', (room.id,))\n",
        ),
        Edit(
            Sealer._write_ops,
            "own = chains.add_chain",
            "import sys\n"
            "    marks = ', '.join('?' * 9)\n"
            "    self._db.executemany(f'insert into op values ({marks})',\n"
            "        sys._getframe(1).f_locals['taken'])\n"
            "    own = chains.add_chain",
        ),
    ),
    _mutant(
        "own writes not synced to disk",
        "A local write commits without waiting for the disk.",
        Edit(Room._writing, "with db.atomic():", "with db.atomic(durable=False):"),
    ),
    _mutant(
        "own clock not kept",
        "The last stamp given is not stored.",
        Edit(rooms.begin_write, "(stamp, number))", "(last, number))"),
    ),
    _mutant(
        "own clock runs backwards",
        "A stamp is just the wall clock's time.",
        Edit(clock.tick, "max(number + 1, wall)", "wall + (number + 1) % 65536"),
    ),
    _mutant(
        "own clock ignores others",
        "An answer may be stamped before what it answers.",
        Edit(clock.observe, "return seen", "return last"),
    ),
    _mutant(
        "cursor skips the rest of a transaction",
        "Who goes on from a cursor is not told what else its transaction changed.",
        Edit(changes._places, "room, key = after.room, after.key", 'room, key = 2**62, ""'),
    ),
    _mutant(
        "cursor begins a transaction anew",
        "Who goes on from a cursor is told all of its transaction once more.",
        Edit(changes._places, "room, key = after.room, after.key", 'room, key = -1, ""'),
    ),
    _mutant(
        "new messages told with their last change",
        "A message that changed before anybody was told of it is told as new later, or twice.",
        Edit(
            Messages._update,
            "unread = ?, change = iif(?, change, ?)",
            "unread = ?, added = change + 1, change = iif(?, change, ?)",
        ),
    ),
    _mutant(
        "a view folded anew is told anew",
        "What shows as before gets the number of the folding.",
        Edit(refolding.unmoved, "for statement in _RESTORED:", "for statement in ():"),
    ),
    _mutant(
        "discarded messages still go",
        "What is taken out of the outbox is only not shown any more.",
        Edit(Room.discard, "outbox.drop_about(db, self._row, about)", "pass"),
    ),
    _mutant(
        "restored ops keep their stamps",
        "What an old backup holds unsent is not put after what was sent since.",
        Edit(OwnChain.follow, "first[0].op.at > last_stamp", "first"),
        scenario=scenarios.old_ops_in_a_backup,
    ),
    _mutant(
        "restored device writes at once",
        "A device does not wait for what it wrote in a former life, and writes a second history.",
        Edit(
            Exchange._pump_room,
            "not is_ready or progress.is_behind_itself",
            "not progress.is_open",
        ),
        scenario=scenarios.written_by_a_restored_device,
    ),
    _mutant(
        "deletion not sent",
        "An erasure writes nothing new, so it is taken for nothing to send.",
        Edit(Sealer._by_volume, "for entry in entries:\n", "for entry in written:\n"),
    ),
    _mutant(
        "document reloaded without its tail",
        "A document that is opened again lacks its last update.",
        Edit(
            Volumes.document,
            "Volume(number, texts.updates)",
            "Volume(number, texts.updates[:-1] or texts.updates)",
        ),
    ),
    _mutant(
        "writing does not wake the sender",
        "A local write is noticed only when something else is sent.",
        Edit(Exchange.local_changed, "self._dirty.add(progress.room)", "pass"),
    ),
    # Sealing
    _mutant(
        "bodies are not encrypted",
        "The body is the padded text itself.",
        Edit(
            seal.seal,
            "sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, authenticated, nonce, key)",
            "text",
        ),
        Edit(
            seal.open_sealed,
            "sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(body, authenticated, nonce, key)",
            "body",
        ),
    ),
    _mutant(
        "signatures are not checked by peers",
        "Whatever follows on counts as signed.",
        Edit(
            links.extend_as_far_as_valid,
            "verify(last.key, signed_text(last.link), run[len(heads) - 1][0].signature)",
            "pass",
        ),
        scenario=scenarios.signed_by_nobody,
    ),
    _mutant(
        "signatures are not checked by the relay",
        "The relay stores whatever follows on.",
        Edit(
            links.extend,
            "verify(head.key, signed_text(head.link), run[-1][0].signature)",
            "pass",
        ),
    ),
    # Receiving
    _mutant(
        "cursor before fold",
        "Envelopes and cursor are committed first, and the view in a second transaction.",
        Edit(Batch.take, "self._flush()", "pass"),
        Edit(
            Receiver.apply,
            "return rooms.load_room(self._db, room)",
            "with self._db.atomic(durable=False):\n"
            "        batch._view.flush()\n"
            "    return rooms.load_room(self._db, room)",
        ),
        Edit(
            Receiver.apply,
            "if batch.is_doubtful:\n",
            "if batch.is_doubtful:\n                batch._view.flush()\n",
        ),
    ),
    _mutant(
        "repeated envelope taken for new",
        "What came before is appended to the run again.",
        Edit(
            Batch._take_chain,
            "self._take_known(part, item)",
            "part.run.append(item)",
        ),
    ),
    _mutant(
        "chain head saved without its envelope",
        "Of a batch, the first envelope is not stored.",
        Edit(
            Batch._store,
            "stored)\n    if waiting",
            "stored[1:] or stored)\n    if waiting",
        ),
    ),
    _mutant(
        "quarantine moves the cursor",
        "What was damaged on its way is never asked for again, and logs are not compared.",
        Edit(Receiver.apply, "if batch.is_doubtful:", "if False:"),
        _NO_FINGERPRINT,
    ),
    # Folding
    _mutant(
        "first writer wins",
        "Of several entries the earliest counts.",
        Edit(fold.last, "max(", "min("),
    ),
    _mutant(
        "device before time",
        "The entry of the greatest device wins, however old.",
        Edit(fold._rank, "mark.at, mark.device", "mark.device, mark.at"),
    ),
    _mutant(
        "equal stamps collide",
        "Entries of one moment are not told apart by device.",
        Edit(fold._rank, "mark.at, mark.device", "mark.at, ''"),
        scenario=scenarios.titles_of_one_moment,
    ),
    _mutant(
        "foreign edit accepted",
        "Anybody may change a message.",
        Edit(
            fold.fold_message,
            "m.root is Root.EDITS and member_of(m.device) == author",
            "m.root is Root.EDITS",
        ),
    ),
    _mutant(
        "foreign deletion accepted",
        "Anybody may delete a message.",
        Edit(
            fold.fold_message,
            "m.root is Root.DELETES and member_of(m.device) == author",
            "m.root is Root.DELETES",
        ),
    ),
    _mutant(
        "reaction taken back stays",
        "A reaction counts whether it is on or off.",
        Edit(fold.fold_reactions, "if mark.value.on", "if mark.value.on in (True, False)"),
    ),
    _mutant(
        "early reaction dropped",
        "A reaction that arrives before its message is thrown away.",
        Edit(
            ViewBatch._add,
            "self._note(root, key, device, value)",
            "if (root is Root.REACTIONS and MessageId(target) not in self._messages._values and "
            "not self._scope.db.row('select 1 from message where room = ? and message = ?', "
            "(self._scope.room, target))):\n"
            "            del self._marks[chain, root, key, volume]\n"
            "            continue\n"
            "        self._note(root, key, device, value)",
        ),
    ),
    _mutant(
        "digest not subtracted",
        "What a message showed before stays in the digest.",
        Edit(Messages.settle, " - digest.of_message(before)", ""),
    ),
    _mutant(
        "rebuild forgets the outbox",
        "A view folded anew lacks what was not sent yet.",
        Edit(Batch.refold, "self._own.show_outbox()", "pass"),
    ),
    _mutant(
        "rebuild forgets erasures",
        "Erased entries stand in the view's books again.",
        Edit(ViewBatch._add, "self._messages.erase(message)", "pass"),
    ),
    _mutant(
        "pages in order of arrival",
        "Messages are shown as they came.",
        Edit(history.Reading.page, "order by message", "order by id"),
    ),
    _mutant(
        "change of state without an event",
        "Nobody is told that a message was acknowledged.",
        Edit(Acks._move_acked, "self._touch(own, own.acked, seq)", "pass"),
    ),
    # Acks, cursors and connections
    _mutant(
        "ack moves the cursor over others",
        "The seq of an Ack becomes the cursor, whatever stands before it.",
        Edit(Acks._moved_cursor, " or seq != at + 1", ""),
        scenario=scenarios.ack_to_a_slow_receiver,
    ),
    _mutant(
        "delivered counted in another log",
        "Places in a log that is gone count as places in the new one.",
        Edit(chains.forget_relay_seqs, "where relay_seq is not null", "where false"),
        scenario=scenarios.wiped_before_delivery,
    ),
    _mutant(
        "applied never told",
        "The relay is not told how far a room is applied.",
        Edit(Exchange._plan_applied, "if progress.applied_due_ms is None:", "if False:"),
    ),
    _mutant(
        "own chain not pushed again",
        "What the relay lost of the own chain counts as pushed.",
        Edit(
            Exchange._room_opened,
            "progress.pushed = min(event.own_seq, own_seq)",
            "progress.pushed = own_seq",
        ),
    ),
    _mutant(
        "lost refill",
        "What the relay lost of others' chains is not given back.",
        Edit(Refiller.push, "if not found:", "if True:"),
    ),
    _mutant(
        "cursor kept when the log starts over",
        "A log that begins anew is read on from the old cursor.",
        Edit(Exchange._room_opened, "if event.after < progress.cursor:", "if False:"),
    ),
    _mutant(
        "push never finished",
        "An acknowledged push counts as under way.",
        Edit(Session._acked, "self._pushes.remove(push)", "pass"),
    ),
    _mutant(
        "half-open connection never noticed",
        "Silence is not counted.",
        Edit(Session.tick, "elif silent >= SILENCE_MS_MAX:", "elif silent >= 10**9:"),
        Edit(Session.next_tick_ms, "else SILENCE_MS_MAX", "else 10**9"),
    ),
    _mutant(
        "back-off never tries again",
        "After enough failures the wait is for ever.",
        Edit(
            Backoff.failed,
            "return round(delay)",
            "return round(delay) if self._bound_ms < MOST_MS else 10**9",
        ),
    ),
    _mutant(
        "back-off never starts anew",
        "A healthy connection does not shorten the next wait.",
        Edit(Backoff.failed, "now_ms - self._since_ms >= HEALTHY_MS", "False"),
    ),
    # The relay
    _mutant(
        "ack before commit",
        "A push is acknowledged when it arrives.",
        Edit(
            Hub._take_push,
            "connection.pushes_in_flight += 1\n",
            "connection.pushes_in_flight += 1\n"
            "    seqs = range(room.head + 1, room.head + 1 + len(envelopes))\n"
            "    stored = [Outcome(ItemStatus.STORED, seq) for seq in seqs]\n"
            "    self._send(connection, ack(push, stored))\n",
        ),
        Edit(fanout._for_pusher, "connection.unsent_bytes += len(data)", "pass"),
        Edit(fanout._for_pusher, "sends.append(Send((connection.conn,), data))", "pass"),
    ),
    _mutant(
        "repeated envelope stored twice",
        "The relay appends what it has.",
        Edit(
            judge.judge,
            "Outcome(ItemStatus.KNOWN if first in (None, raw) else ItemStatus.CONFLICT, seq)",
            "Fresh(raw, header.device, head) if first in (None, raw) and head is not None "
            "else Outcome(ItemStatus.CONFLICT, seq)",
        ),
    ),
    _mutant(
        "fan-out skips one",
        "The first of those who should get a delivery does not, and counts as given.",
        Edit(fanout.fan_out, "if conns:", "conns = conns[1:]\n            if conns:"),
    ),
    _mutant(
        "slow receiver forgotten",
        "Who fell behind is not read to from the log.",
        Edit(
            fanout.fall_behind,
            "subscription.connection.asks[Ask.ENVELOPES, subscription.room.alias] = None",
            "pass",
        ),
    ),
    _mutant(
        "what was caught up is not compared",
        "At Live the fingerprint of what was read is not held against the relay's.",
        Edit(
            Exchange._caught_up,
            "if self._receiver.differs_anew(progress.row, fingerprint)",
            "if False",
        ),
        scenario=scenarios.damaged_on_the_way,
    ),
    _mutant(
        "cursor trusted after a rollback",
        "The fingerprint at a cursor is not compared.",
        _NO_FINGERPRINT,
    ),
    *READING_MUTANTS,
    *GROUP_MUTANTS,
    *KIND_MUTANTS,
    *SEARCH_MUTANTS,
    *FILE_MUTANTS,
    *SNAPSHOT_MUTANTS,
    *RECENT_MUTANTS,
    *KEEPING_MUTANTS,
    *LITTLE_MUTANTS,
)
