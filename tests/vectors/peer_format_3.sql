-- A peer's database of format 3, before polls and pins: one person, one room, two messages, of which one is hidden.
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'syncchat','m001_first','2026-11-26 05:42:06.676095+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'syncchat','m002_trust','2026-11-26 05:42:06.677440+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'syncchat','m003_operator','2026-11-26 05:42:06.677563+00:00');
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
    frozen text, waiting text, passed integer not null default -1,
    unique (room, device)
) strict;
CREATE TABLE contact (
    member text primary key,
    root blob not null,
    verified_ms integer not null,
    devices text not null
) strict, without rowid;
CREATE TABLE device (
    room integer not null references room (id),
    device text not null,
    member text not null,
    primary key (room, device)
) strict, without rowid;
INSERT INTO "device" VALUES(1,'F31AGEXA44YTX','08TEAJH0C9CHT1M7FRG264H26T');
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
INSERT INTO "field" VALUES(1,6,'08TEAJH0C9CHT1M7FRG264H26T','name','"Alice"',3);
INSERT INTO "field" VALUES(1,7,'','title','"Team"',2);
CREATE TABLE identity (
    id integer primary key check (id = 1),
    root blob not null,
    entropy blob,
    home integer
) strict;
INSERT INTO "identity" VALUES(1,X'D2587C1940FC873A3F9E73F972BDC79DADD40177E0DBD8EB8C7E9A8AB3C35AD0',X'1DF9D5A26466B47E20CAFA4ACDCED12A',NULL);
CREATE TABLE intent (
    id integer primary key,
    room integer not null references room (id),
    raw blob not null,
    made_ms integer not null,
    refusal text not null default ''
) strict;
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
INSERT INTO "local" VALUES(1,X'B7DD57E16BC6B61FCE7808592169E598FDFC80AA76EE3FA0585E6C145343329B','Alice','038RRBHBX0001',7,1800000000000);
CREATE TABLE lost_key (
    room integer not null references room (id),
    epoch integer not null,
    key blob not null,
    primary key (room, epoch, key)
) strict, without rowid;
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
INSERT INTO "message" VALUES(1,1,'038RRBH800002F31AGEXA44YTX',NULL,NULL,NULL,NULL,'{"text":"kept and edited"}',NULL,NULL,0,'[["08TEAJH0C9CHT1M7FRG264H26T","👍","038RRBHBX0001"]]',NULL,0,4,7);
INSERT INTO "message" VALUES(2,1,'038RRBH9YG000F31AGEXA44YTX',NULL,NULL,NULL,NULL,'{"text":"rude"}',NULL,NULL,0,NULL,NULL,0,5,5);
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
INSERT INTO "op" VALUES(1,1,7,'title','title','038RRBH800000','["038RRBH800000","Team"]');
INSERT INTO "op" VALUES(2,1,6,'name','name','038RRBH800001','["038RRBH800001","Alice"]');
INSERT INTO "op" VALUES(3,1,1,'038RRBH800002','038RRBH800002F31AGEXA44YTX','038RRBH800002','{"text":"kept and edited"}');
INSERT INTO "op" VALUES(4,1,1,'038RRBH9YG000','038RRBH9YG000F31AGEXA44YTX','038RRBH9YG000','{"text":"rude"}');
INSERT INTO "op" VALUES(5,1,4,'038RRBH800002F31AGEXA44YTX👍','038RRBH800002F31AGEXA44YTX','038RRBHBX0001','["038RRBHBX0001",true]');
CREATE TABLE operator (relay text primary key, secret blob not null) strict;
CREATE TABLE person_record (
    hash blob primary key,
    raw blob not null
) strict, without rowid;
INSERT INTO "person_record" VALUES(X'C07C974429048AAC4970DEB3B20F7CFE073F690BB90F857182B92CA66C0FF6EB',X'92C501929701C41008D39528818964741A1DF8808C4888DA90C420D2587C1940FC873A3F9E73F972BDC79DADD40177E0DBD8EB8C7E9A8AB3C35AD0CF000001A3185C500001C5014E97C420F185507754427B5DC55FF4A51F7F5686E5FB1ABDF1D704E77586F9A0E4D8AA0CC420D1985CD830A7D1ECC912E60B9EA70938B928FD863D920FD89DC2BFA61D88847DC440CCA85B80BA7C0EC9711437AE0D9B0940B176149298EC786DB12ECDD0243347D40C55A5F18447EF0B7BE3048B564339C6B0E7C47B1A5F966686D9D9261486390A00C4209964CD29098D1A14173A304845F10BDF8AEF91DBFEEABDD1ABA6EDB16657144FC4502D8015F9FF320E2A12C42CD2F16B2456432ACC4FDC92AACA376DA6B7B0607C64DF4BE3076633755027E5E6507A00BAF859728F0DAC46FBD67D7799F63D82B04830502F4C908073569A0B757714AC86A1C4509693E7B10706A59F8FD62D786251452240CC16506A7A7CC9CEEC552DD22A5012BE2FF067D7622949D98EC4558FADBA0249A15202349958F6B376C2B53A033DF885D29A3BA1A23A610F3AE2F44566359BC4406F09EF4EAA56026A594E74E0A49802D96BD68F82E1C041DB4806E9B0D2BC0403363DA0DA7C812AE5F5D5F854F974BF7D3BC2B700F6721C01C427AE0E925E2909');
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
CREATE TABLE record (
    id integer primary key,
    room integer not null references room (id),
    hash blob not null,
    raw blob not null,
    relay_seq integer,
    unique (room, hash)
) strict;
INSERT INTO "record" VALUES(1,1,X'27675F44E2E7944270E37EFC7877CE4AFD33A0E0C73EB886BA271668E4CB8152',X'92C502C39701C4100000000000000000000000000000000090C420F185507754427B5DC55FF4A51F7F5686E5FB1ABDF1D704E77586F9A0E4D8AA0CCF000001A3185C500001C5027F95C4105435F4B3D3E57B8966F8DB483EFCDE85C20091C501D892C501929701C41008D39528818964741A1DF8808C4888DA90C420D2587C1940FC873A3F9E73F972BDC79DADD40177E0DBD8EB8C7E9A8AB3C35AD0CF000001A3185C500001C5014E97C420F185507754427B5DC55FF4A51F7F5686E5FB1ABDF1D704E77586F9A0E4D8AA0CC420D1985CD830A7D1ECC912E60B9EA70938B928FD863D920FD89DC2BFA61D88847DC440CCA85B80BA7C0EC9711437AE0D9B0940B176149298EC786DB12ECDD0243347D40C55A5F18447EF0B7BE3048B564339C6B0E7C47B1A5F966686D9D9261486390A00C4209964CD29098D1A14173A304845F10BDF8AEF91DBFEEABDD1ABA6EDB16657144FC4502D8015F9FF320E2A12C42CD2F16B2456432ACC4FDC92AACA376DA6B7B0607C64DF4BE3076633755027E5E6507A00BAF859728F0DAC46FBD67D7799F63D82B04830502F4C908073569A0B757714AC86A1C4509693E7B10706A59F8FD62D786251452240CC16506A7A7CC9CEEC552DD22A5012BE2FF067D7622949D98EC4558FADBA0249A15202349958F6B376C2B53A033DF885D29A3BA1A23A610F3AE2F44566359BC4406F09EF4EAA56026A594E74E0A49802D96BD68F82E1C041DB4806E9B0D2BC0403363DA0DA7C812AE5F5D5F854F974BF7D3BC2B700F6721C01C427AE0E925E29099600C42001EF7E7D374E14B89F67A326872107470DEC7920DB0CFA1ADCAF094FB3AFD2A69192C41008D39528818964741A1DF8808C4888DAC450421D09F531CFDDF8A91C4F3DD19015B6115A44446645B6A7B6FAF000F50D6632B37D696B1B1A240BD4A51C2E044A74FBC4758CE9A70E08807331509ABA0B8228DF3D1628ADF23A72D694597CE7CA571790C40090C440C85A9FD653D20B65EF8414B50AFD29F6A772A810217A00CE4A43C3781FE8444207AC4D666C90E0376028B6DB2ED4529F1B1ED8FA4EBD1E16218585C8AAF17808',NULL);
INSERT INTO "record" VALUES(2,1,X'C36E4717EAE2160F2EF5B2C4C287B10F6A3EBC69C57072CA4E4B14AA78DFFB9D',X'92C4799701C41027675F44E2E7944270E37EFC7877CE4A91C42027675F44E2E7944270E37EFC7877CE4AFD33A0E0C73EB886BA271668E4CB8152C420F185507754427B5DC55FF4A51F7F5686E5FB1ABDF1D704E77586F9A0E4D8AA0CCF000001A3185C57D00EC41492C41001A3185C53E80000F185507754427B5DC3C440E77FEAA4EB444BFC198E6F0A860A8D01B5D8413B211B84982511A691065C4B6EBF08EA7B2D9591A5944908DD997686D99AE12BF8911232A58AC2936772B1D30C',NULL);
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
, standing text not null default 'old', invite blob, is_personal integer not null default 0, refusal text not null default '', is_doubted integer not null default 0) strict;
INSERT INTO "room" VALUES(1,X'27675F44E2E7944270E37EFC7877CE4A','Team','',0,X'471D58E11CD3A04D371F6C35976589571E5994EB5452631B3050505D9BD250AA',X'0000000000000000',0,X'0000000000000000',0,2,0,1800000000000,'member',NULL,0,'',0);
CREATE TABLE room_key (
    room integer not null references room (id),
    epoch integer not null,
    key blob not null,
    primary key (room, epoch)
) strict, without rowid;
INSERT INTO "room_key" VALUES(1,0,X'82A7450139F54A5DA356268F19549AB7D2F5561F0B82FBB2BB407B9CA2F78F06');
CREATE TABLE user_secret (
    generation integer primary key,
    secret blob not null
) strict;
INSERT INTO "user_secret" VALUES(0,X'462A02B501AF50F782990266F80DF63E5135084F2CD4F2CA79819D71F26D5A33');
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
CREATE INDEX record_room on record (room, id);
CREATE INDEX record_unsent on record (room) where relay_seq is null;
COMMIT;
pragma application_id = 1398361667;
pragma user_version = 3;
