"""The schema of a peer's database, as append-only migrations.

Imported only when a file has to be made or migrated, because sqlite-utils takes longer to load
than a room to open.
"""

from __future__ import annotations

import json

from sqlite_utils import Database as Tables
from sqlite_utils.migrations import Migrations

from .absent import ABSENT
from .file_tables import FILES
from .lean_tables import LEAN
from .previews import PREVIEWS
from .snapshot_tables import KEEPING, SNAPSHOTS
from .stream_tables import STREAM

migrations = Migrations("syncchat")


@migrations()
def m001_first(db: Tables) -> None:
    """Make all tables."""
    _make(db, _FIRST)


@migrations()
def m002_trust(db: Tables) -> None:
    """Make room for people, their devices, and the rooms' logs."""
    _make(db, _TRUST)


@migrations()
def m003_operator(db: Tables) -> None:
    """Make the table of relays of which this device is an operator."""
    db.conn.execute("create table operator (relay text primary key, secret blob not null) strict")


@migrations()
def m104_reading(db: Tables) -> None:
    """Make room for threads' read markers, mentions, what answers what, and kept counts."""
    for statement in _READING:
        db.conn.execute(statement)
    _note_mentions(db)


def _note_mentions(db: Tables) -> None:
    """Flag the messages that mention the person, of a database from before mentions counted."""
    from ..trust.keys import DeviceKeys

    local = db.conn.execute("select seed from local").fetchone()
    if local is None:
        return
    me = DeviceKeys(bytes(local[0])).device
    owners = {(room, device): member for room, device, member in db.conn.execute(_OWNERS)}
    rows = db.conn.execute(
        "select id, room, message, json_extract(value, '$.mentions') from message "
        "where json_array_length(value, '$.mentions') > 0"
    ).fetchall()
    for row, room, message, mentions in rows:
        person = owners.get((room, me), me)
        writer = message[13:]
        if person in json.loads(mentions) and owners.get((room, writer), writer) != person:
            db.conn.execute(
                "update message set mention = 1, mention_at = added where id = ?", (row,)
            )


@migrations()
def m108_kinds(db: Tables) -> None:
    """Make room for polls, disappearing and hidden messages, admins, and direct rooms."""
    for statement in _KINDS:
        db.conn.execute(statement)


@migrations()
def m109_stream(db: Tables) -> None:
    """Order what was added, keep what parks an entry, who has what, and what was sent once."""
    _make(db, STREAM)


@migrations()
def m110_search(db: Tables) -> None:
    """Make the search index; messages that are here are fresh to it (``view.index``)."""
    _make(db, _SEARCH)


@migrations()
def m111_files(db: Tables) -> None:
    """Make the tables of files: which messages have which, and what of them is here."""
    _make(db, FILES)


@migrations()
def m112_snapshots(db: Tables) -> None:
    """Make room for snapshots, and what they stand for."""
    _make(db, SNAPSHOTS)


@migrations()
def m113_previews(db: Tables) -> None:
    """Make room for what is shown of a room before its chains have come to it."""
    db.conn.execute(PREVIEWS)


@migrations()
def m114_erasures(db: Tables) -> None:
    """Index what waits to be erased of a journal, so that messages need no sorting to be sent."""
    db.conn.execute(
        "create index op_erased on op (room) where root = 1 and (raw is null or at <> key)"
    )


@migrations()
def m115_keeping(db: Tables) -> None:
    """Note how long rooms keep their messages."""
    _make(db, KEEPING)


@migrations()
def m116_absent(db: Tables) -> None:
    """Make room for snapshots whose contents are left at the relay."""
    _make(db, ABSENT)


@migrations()
def m117_lean(db: Tables) -> None:
    """Let a local write change fewer pages."""
    for statement in LEAN:
        db.conn.execute(statement)


def _make(db: Tables, script: str) -> None:
    for statement in script.split(";"):
        if statement.strip():
            db.conn.execute(statement)


_OWNERS = "select room, device, member from device"

_FIRST = """
create table local (
    id integer primary key check (id = 1),
    seed blob not null,
    name text not null,
    last_stamp text not null,
    change integer not null,
    created_ms integer not null
) strict;

create table room (
    id integer primary key,
    room_id blob not null unique,
    title text not null,
    relay text not null,
    epoch integer not null,
    digest blob not null,
    incarnation blob not null,
    cursor integer not null,
    fingerprint blob not null,
    head integer not null,
    change integer not null,
    refill integer not null default 0,
    joined_ms integer not null
) strict;

create table room_key (
    room integer not null references room (id),
    epoch integer not null,
    key blob not null,
    primary key (room, epoch)
) strict, without rowid;

create table chain (
    id integer primary key,
    room integer not null references room (id),
    device text not null,
    key blob not null,
    seq integer not null,
    link blob not null,
    last_stamp text not null,
    volume integer not null,
    acked integer not null,
    delivered integer not null,
    frozen text,
    unique (room, device)
) strict;

create table volume (
    chain integer not null references chain (id),
    number integer not null,
    clock integer not null,
    bytes integer not null,
    primary key (chain, number)
) strict, without rowid;

create table envelope (
    id integer primary key,
    chain integer not null references chain (id),
    seq integer not null,
    volume integer not null,
    link blob not null,
    relay_seq integer,
    held integer not null,
    raw blob not null,
    unique (chain, seq)
) strict;

create table quarantine (
    id integer primary key,
    room integer not null references room (id),
    device text not null,
    seq integer not null,
    reason text not null,
    evidence integer not null,
    log_seq integer not null,
    raw blob not null,
    at_ms integer not null,
    unique (room, device, seq, reason, raw)
) strict;

create table op (
    id integer primary key,
    room integer not null references room (id),
    root integer not null,
    key text not null,
    target text not null,
    at text not null,
    raw text,
    unique (room, root, key)
) strict;
create index op_target on op (room, target) where root <> 1;

create table message (
    id integer primary key,
    room integer not null references room (id),
    message text not null,
    chain integer,
    volume integer,
    clock integer,
    seq integer,
    value text,
    edited text,
    edited_at text,
    deleted integer not null default 0,
    reactions text,
    thread text,
    unread integer not null default 0,
    added integer not null,
    change integer not null,
    unique (room, message)
) strict;
create index message_volume on message (chain, volume, seq) where chain is not null;
create index message_change on message (change);
create index message_unread on message (room) where unread = 1;
create index message_thread on message (room, thread, message) where thread is not null;

create table mark (
    chain integer not null references chain (id),
    root integer not null,
    key text not null,
    volume integer not null,
    room integer not null,
    target text not null,
    device text not null,
    clock integer not null,
    at text not null,
    value text not null,
    primary key (chain, root, key, volume)
) strict, without rowid;
create index mark_target on mark (room, target);

create table field (
    room integer not null references room (id),
    root integer not null,
    member text not null,
    key text not null,
    value text not null,
    change integer not null,
    primary key (room, root, member, key)
) strict, without rowid;
create index field_change on field (change);

create table read_to (
    room integer not null references room (id),
    writer text not null,
    member text not null,
    upto text not null,
    change integer not null,
    primary key (room, writer, member)
) strict, without rowid;
create index read_to_change on read_to (change);

create table lease (
    id integer primary key check (id = 1),
    holder text not null,
    process text not null,
    renewed_ms integer not null,
    states text not null
) strict
"""

_TRUST = """
create table identity (
    id integer primary key check (id = 1),
    root blob not null,
    entropy blob,
    home integer
) strict;

create table user_secret (
    generation integer primary key,
    secret blob not null
) strict;

create table person_record (
    hash blob primary key,
    raw blob not null
) strict, without rowid;

create table record (
    id integer primary key,
    room integer not null references room (id),
    hash blob not null,
    raw blob not null,
    relay_seq integer,
    unique (room, hash)
) strict;

create index record_room on record (room, id);
create index record_unsent on record (room) where relay_seq is null;

create table device (
    room integer not null references room (id),
    device text not null,
    member text not null,
    primary key (room, device)
) strict, without rowid;

create table intent (
    id integer primary key,
    room integer not null references room (id),
    raw blob not null,
    made_ms integer not null,
    refusal text not null default ''
) strict;

create table lost_key (
    room integer not null references room (id),
    epoch integer not null,
    key blob not null,
    primary key (room, epoch, key)
) strict, without rowid;

create table contact (
    member text primary key,
    root blob not null,
    verified_ms integer not null,
    devices text not null
) strict, without rowid;

alter table room add column standing text not null default 'old';
alter table room add column invite blob;
alter table room add column is_personal integer not null default 0;
alter table room add column refusal text not null default '';
alter table room add column is_doubted integer not null default 0;
alter table chain add column waiting text;
alter table chain add column passed integer not null default -1
"""

_SEARCH = """
create virtual table search_text using fts5 (
    text, facets, content = '', columnsize = 0, detail = none,
    tokenize = 'trigram case_sensitive 1'
);

create table search_state (
    id integer primary key check (id = 1),
    upto integer not null,
    erasing integer not null
) strict;
insert into search_state (id, upto, erasing) values (1, 0, 0);

create index message_edited on message (room) where edited is not null;
create index message_mention on message (room) where mention = 1
"""

_COUNT_NEW = """
    insert into tally (room, thread, messages, unread, mentions, last)
    values (new.room, coalesce(new.thread, ''), new.deleted = 0, new.unread,
            new.unread and new.mention, new.message)
    on conflict do update set messages = messages + excluded.messages,
        unread = unread + excluded.unread, mentions = mentions + excluded.mentions,
        last = max(last, excluded.last);
"""
_UNCOUNT_OLD = """
    update tally set messages = messages - (old.deleted = 0), unread = unread - old.unread,
        mentions = mentions - (old.unread and old.mention)
    where room = old.room and thread = coalesce(old.thread, '');
"""
_LAST_OF_OLD = """
    update tally set last = coalesce(
        (select max(message) from message where room = old.room and thread is old.thread), '')
    where room = old.room and thread = coalesce(old.thread, '') and last = old.message;
"""

_READING = (
    "alter table message add column reply_to text",
    "alter table message add column mentions text",
    "alter table message add column mention integer not null default 0",
    "alter table message add column mention_at integer",
    "update message set reply_to = json_extract(value, '$.reply_to') where value is not null",
    "create index message_reply on message (room, reply_to) where reply_to is not null",
    "drop index message_unread",
    "create index message_unread on message (room, thread, message) where unread = 1",
    "alter table read_to rename column writer to place",
    """
    create table tally (
        room integer not null,
        thread text not null,
        messages integer not null,
        unread integer not null,
        mentions integer not null,
        last text not null,
        primary key (room, thread)
    ) strict, without rowid
    """,
    "create index tally_last on tally (room, last) where thread <> ''",
    "create index tally_unread on tally (room, thread) where unread > 0",
    """
    insert into tally select room, coalesce(thread, ''), sum(deleted = 0), sum(unread),
        sum(unread and mention), max(message) from message group by 1, 2
    """,
    f"create trigger message_gone after delete on message begin {_UNCOUNT_OLD} {_LAST_OF_OLD} end",
    f"""
    create trigger message_changed after update of deleted, unread, mention, thread on message
    when (old.deleted, old.unread, old.mention) <> (new.deleted, new.unread, new.mention)
        or old.thread is not new.thread
    begin {_UNCOUNT_OLD} {_COUNT_NEW} end
    """,
    f"""
    create trigger message_moved after update of thread on message
    when old.thread is not new.thread begin {_LAST_OF_OLD} end
    """,
)
"""``tally`` counts each timeline of a room, thread '' for what is in none.

Triggers keep it, so that whoever changes a message cannot forget to. New messages come many at a
time, and are counted where they are inserted (``tallies.move_on``), as a trigger for each
would take a third of the time that a large catch-up takes.
"""

_IS_THERE = "({0}.deleted = 0 and {0}.gone = 0 and {0}.hidden = 0)"
_COUNT_THERE = _COUNT_NEW.replace("new.deleted = 0", _IS_THERE.format("new"))
_UNCOUNT_THERE = _UNCOUNT_OLD.replace("(old.deleted = 0)", _IS_THERE.format("old"))

_KINDS = (
    "alter table message add column votes text",
    "alter table message add column expires_ms integer",
    "alter table message add column gone integer not null default 0",
    "alter table message add column hidden integer not null default 0",
    "create index message_expires on message (expires_ms) "
    "where gone = 0 and expires_ms is not null",
    "create index message_shown on message (room, message) where gone = 0",
    """
    create table hidden (
        room integer not null references room (id),
        message text not null,
        primary key (room, message)
    ) strict, without rowid
    """,
    """
    create table admin (
        room integer not null references room (id),
        member text not null,
        primary key (room, member)
    ) strict, without rowid
    """,
    "alter table room add column direct text not null default ''",
    "drop trigger message_gone",
    "drop trigger message_changed",
    f"""
    create trigger message_gone after delete on message begin {_UNCOUNT_THERE} {_LAST_OF_OLD} end
    """,
    f"""
    create trigger message_changed
    after update of deleted, gone, hidden, unread, mention, thread on message
    when (old.deleted, old.gone, old.hidden, old.unread, old.mention)
        <> (new.deleted, new.gone, new.hidden, new.unread, new.mention)
        or old.thread is not new.thread
    begin {_UNCOUNT_THERE} {_COUNT_THERE} end
    """,
)
