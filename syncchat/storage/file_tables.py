"""The tables of files, as the migration that made them wrote them."""

FILES = """
create table file (
    id integer primary key,
    room integer not null references room (id),
    pack text not null unique,
    root blob not null,
    key blob not null,
    size integer not null,
    names blob,
    have blob not null,
    here integer not null default 0,
    sent integer not null default 0,
    wanted integer not null default 0,
    owed integer not null default 0,
    mine integer not null default 0,
    was_here integer not null default 0,
    problem text not null default '',
    used_ms integer not null default 0,
    change integer not null default 0
) strict;
create index file_wanted on file (room) where wanted > 0;
create index file_owed on file (room) where owed > 0;
create index file_used on file (used_ms) where here > 0;
create index file_change on file (change);

create table attachment (
    room integer not null references room (id),
    message text not null,
    place integer not null,
    file integer not null references file (id),
    primary key (room, message, place)
) strict, without rowid;
create index attachment_file on attachment (file);

create table loose_file (file integer primary key) strict;

create table blob_drop (
    id integer primary key,
    room integer not null references room (id),
    root blob not null,
    key blob not null,
    size integer not null,
    names blob
) strict;

alter table local add column automatic_bytes_max integer not null default 8388608;
alter table local add column cache_bytes_max integer not null default 4294967296
"""
