-- A peer's database of format 1, as the first syncchat made it: one person, one room, one message.
pragma application_id = 1398361667;
pragma user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'syncchat','m001_first','2026-11-26 03:02:34.271399+00:00');
CREATE TABLE chain (
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
CREATE TABLE envelope (
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
CREATE TABLE field (
    room integer not null references room (id),
    root integer not null,
    member text not null,
    key text not null,
    value text not null,
    change integer not null,
    primary key (room, root, member, key)
) strict, without rowid;
INSERT INTO "field" VALUES(1,6,'53RYJBJX0G9ED','name','"Alice"',3);
INSERT INTO "field" VALUES(1,7,'','title','"Team"',2);
CREATE TABLE lease (
    id integer primary key check (id = 1),
    holder text not null,
    process text not null,
    renewed_ms integer not null,
    states text not null
) strict
;
CREATE TABLE local (
    id integer primary key check (id = 1),
    seed blob not null,
    name text not null,
    last_stamp text not null,
    change integer not null,
    created_ms integer not null
) strict;
INSERT INTO "local" VALUES(1,X'7C7F2A0085904F13A4768CD9019C48FDCB300276DA6EB815BC4BC7B461B8A563','Alice','038GNSR52G002',4,1795662154279);
CREATE TABLE mark (
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
CREATE TABLE message (
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
INSERT INTO "message" VALUES(1,1,'038GNSR52G00253RYJBJX0G9ED',NULL,NULL,NULL,NULL,'{"text":"kept"}',NULL,NULL,0,NULL,NULL,0,4,4);
CREATE TABLE op (
    id integer primary key,
    room integer not null references room (id),
    root integer not null,
    key text not null,
    target text not null,
    at text not null,
    raw text,
    unique (room, root, key)
) strict;
INSERT INTO "op" VALUES(1,1,7,'title','title','038GNSR52G000','["038GNSR52G000","Team"]');
INSERT INTO "op" VALUES(2,1,6,'name','name','038GNSR52G001','["038GNSR52G001","Alice"]');
INSERT INTO "op" VALUES(3,1,1,'038GNSR52G002','038GNSR52G00253RYJBJX0G9ED','038GNSR52G002','{"text":"kept"}');
CREATE TABLE quarantine (
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
CREATE TABLE read_to (
    room integer not null references room (id),
    writer text not null,
    member text not null,
    upto text not null,
    change integer not null,
    primary key (room, writer, member)
) strict, without rowid;
CREATE TABLE room (
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
INSERT INTO "room" VALUES(1,X'FA2A49DA1B60CE2907085CE05D5343A2','Team','',0,X'C30174C22CABB205700CEA168DA58C23700A2AE89F0CB189DC5FDEBB5CD1905A',X'0000000000000000',0,X'0000000000000000',0,2,0,1795662154280);
CREATE TABLE room_key (
    room integer not null references room (id),
    epoch integer not null,
    key blob not null,
    primary key (room, epoch)
) strict, without rowid;
INSERT INTO "room_key" VALUES(1,0,X'C73562471EB9FF708E8EDEBAC78EE5C72055258D17FE1B990ECB93A5FB2E88E8');
CREATE TABLE volume (
    chain integer not null references chain (id),
    number integer not null,
    clock integer not null,
    bytes integer not null,
    primary key (chain, number)
) strict, without rowid;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX op_target on op (room, target) where root <> 1;
CREATE INDEX message_volume on message (chain, volume, seq) where chain is not null;
CREATE INDEX message_change on message (change);
CREATE INDEX message_unread on message (room) where unread = 1;
CREATE INDEX message_thread on message (room, thread, message) where thread is not null;
CREATE INDEX mark_target on mark (room, target);
CREATE INDEX field_change on field (change);
CREATE INDEX read_to_change on read_to (change);
COMMIT;
