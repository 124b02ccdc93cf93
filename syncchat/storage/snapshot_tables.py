"""The tables of snapshots, as the schema makes them; ``storage.snapshots`` is their code."""

from __future__ import annotations

KEEPING = """
alter table room add column keep_ms integer not null default 0;
alter table room add column floor_ms integer not null default 0;
alter table room add column cutoff text not null default '0000000000000';
create index room_keeping on room (id)
    where keep_ms > 0 or floor_ms > 0 or cutoff > '0000000000000'
"""

SNAPSHOTS = """
create table snapshot (
    chain integer not null references chain (id),
    volume integer not null,
    seq integer not null,
    made_ms integer not null,
    primary key (chain, volume)
) strict, without rowid;

create table covered (
    chain integer not null references chain (id),
    first integer not null,
    last integer not null,
    link blob not null,
    volume integer not null,
    stamp text not null,
    primary key (chain, first)
) strict, without rowid;

create table removed_message (
    room integer not null references room (id),
    message text not null,
    added integer not null,
    primary key (room, message)
) strict, without rowid;

create table erased_volume (
    chain integer not null references chain (id),
    volume integer not null,
    is_stuck integer not null,
    primary key (chain, volume)
) strict, without rowid
"""
