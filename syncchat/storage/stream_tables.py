"""The tables of the stream of events: what was added, what is parked, who has what."""

from __future__ import annotations

STREAM = """
create index message_added on message (added);
alter table op add column refusal text;
alter table op add column why text not null default '';
create index op_refused on op (room) where refusal is not null;
alter table chain add column refusal text;

create table arrival (
    room integer not null references room (id),
    device text not null,
    seq integer not null,
    before integer not null,
    at_ms integer not null,
    primary key (room, device)
) strict, without rowid;

create table sent_once (
    id integer primary key,
    room integer not null references room (id),
    once text not null,
    message text not null,
    unique (room, once)
) strict
"""
