"""Laws of restored backups: an old copy of a database comes back and goes on, and nothing is lost.

A restored copy has forgotten what its device wrote since, and the relay has not. The device must
take its own chain back before it writes, or it would write a second history.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from syncchat.storage import chains
from tests.property.test_view import Step, about, small_volumes
from tests.support.histories import TEXTS, seen
from tests.support.peers import LINK, Net, copy_database, make_peer, sync
from tests.support.ports import FakeClock

WHAT = ("send", "send", "edit", "delete", "react", "unreact", "read", "title", "sync", "wait")
LIFE = st.lists(
    st.builds(Step, st.just(0), st.sampled_from(WHAT), st.integers(0, 20), TEXTS), max_size=12
)


class Life:
    """Is one device whose database may be put back, and another that listens."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "a.db"
        self.clock = FakeClock()
        self.net = Net()
        self.other = make_peer(2, name="Other", clock=self.clock)
        self.heard = self.other.join(LINK)
        self.heard.send("from the other")
        self.peer = make_peer(1, path=self.path, name="Alice", clock=self.clock)
        self.room = self.peer.join(LINK)
        self.written: set[str] = set()

    def do(self, step: Step) -> None:
        """Let one thing happen to the device."""
        shown = self.room.messages(limit=1_000)
        match step.what:
            case "send":
                text = f"{len(self.written)} {step.text}"
                self.written.add(text)
                self.room.send(text, reply_to=shown[-1].id if shown else None)
            case "title":
                self.room.set_title(f"Title {step.target}")
            case "wait":
                self.clock.advance(step.target % 2)
            case "sync":
                sync(self.net, self.peer, self.other)
            case _ if shown:
                about(self.room, shown[step.target % len(shown)], step)

    def restore(self, backup: Path) -> None:
        """Put an old copy in the place of the database."""
        self.peer.close()
        copy_database(backup, self.path)
        self.peer = make_peer(1, path=self.path, clock=self.clock, name="Alice")
        self.room = self.peer.rooms()[0]

    def close(self) -> None:
        self.peer.close()
        self.other.close()


@settings(max_examples=60)
@given(LIFE, LIFE, LIFE, st.integers(2, 9))
def test_restored_backup_goes_on_without_loss_or_a_second_history(
    before: list[Step], lost: list[Step], after: list[Step], entries: int
) -> None:
    with tempfile.TemporaryDirectory() as name, small_volumes(entries):
        life = Life(Path(name))
        for step in before:
            life.do(step)
        backup = life.path.with_name("backup.db")
        copy_database(life.path, backup)
        kept = set(life.written)
        for step in lost:
            life.do(step)
        sent = {m.id for m in life.heard.messages(limit=1_000) if not m.deleted}
        life.restore(backup)
        life.written = set(kept)
        texts_at_restore = {m.text for m in life.room.messages(limit=1_000)}
        for step in after:
            life.do(step)
        sync(life.net, life.peer, life.other)
        sync(life.net, life.peer, life.other)

        for peer, room in ((life.peer, life.room), (life.other, life.heard)):
            assert peer.check() == []
            assert room.outbox() == []
            chain = chains.find_chain(peer._db, room._row, life.peer.device)
            assert chain is None or chain.frozen is None
            assert chains.quarantined(peer._db, room._row) == []
        assert life.room.digest() == life.heard.digest()
        assert seen(life.room.messages(limit=1_000)) == seen(life.heard.messages(limit=1_000))
        if not any(step.what in ("edit", "delete") for step in after):
            texts = {m.text for m in life.heard.messages(limit=1_000)}
            gone = {"" for step in before + lost if step.what == "delete"}
            edited = any(step.what == "edit" for step in before + lost)
            assert sent <= {m.id for m in life.heard.messages(limit=1_000)}, "what was sent is gone"
            if not gone and not edited:
                assert texts_at_restore <= texts, "what was written before the backup is gone"
                assert life.written <= texts, "what was written after it is gone"
        life.close()
