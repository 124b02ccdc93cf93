-- A peer's database of format 13, before digests stood beside counts: two rooms, of which one is empty.
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'syncchat','m001_first','2026-11-26 17:24:50.436649+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'syncchat','m002_trust','2026-11-26 17:24:50.438073+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'syncchat','m003_operator','2026-11-26 17:24:50.438243+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'syncchat','m104_reading','2026-11-26 17:24:50.453817+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'syncchat','m108_kinds','2026-11-26 17:24:50.483869+00:00');
INSERT INTO "_sqlite_migrations" VALUES(6,'syncchat','m109_stream','2026-11-26 17:24:50.485037+00:00');
INSERT INTO "_sqlite_migrations" VALUES(7,'syncchat','m110_search','2026-11-26 17:24:50.485458+00:00');
INSERT INTO "_sqlite_migrations" VALUES(8,'syncchat','m111_files','2026-11-26 17:24:50.486400+00:00');
INSERT INTO "_sqlite_migrations" VALUES(9,'syncchat','m112_snapshots','2026-11-26 17:24:50.486622+00:00');
INSERT INTO "_sqlite_migrations" VALUES(10,'syncchat','m113_previews','2026-11-26 17:24:50.486731+00:00');
INSERT INTO "_sqlite_migrations" VALUES(11,'syncchat','m114_erasures','2026-11-26 17:24:50.486824+00:00');
INSERT INTO "_sqlite_migrations" VALUES(12,'syncchat','m115_keeping','2026-11-26 17:24:50.514676+00:00');
INSERT INTO "_sqlite_migrations" VALUES(13,'syncchat','m116_absent','2026-11-26 17:24:50.531790+00:00');
CREATE TABLE local (
    id integer primary key check (id = 1),
    seed blob not null,
    name text not null,
    last_stamp text not null,
    change integer not null,
    created_ms integer not null
, automatic_bytes_max integer not null default 8388608, cache_bytes_max integer not null default 4294967296) strict;
INSERT INTO "local" VALUES(1,X'EDA3A5E50C9EA2D9467336F9996735873D3E20C0F09B10115A5052174908D102','Alice','038RRBH80000B',1800000000013,1800000000000,8388608,4294967296);
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
, standing text not null default 'old', invite blob, is_personal integer not null default 0, refusal text not null default '', is_doubted integer not null default 0, direct text not null default '', keep_ms integer not null default 0, floor_ms integer not null default 0, cutoff text not null default '0000000000000', is_light integer not null default 0) strict;
INSERT INTO "room" VALUES(1,X'9F38D7D2C3E2423D0CCB6A40F12D8341','Team of 13','',0,X'2B636275D863D75B87DE28C176E1BBD5D0F86C45CDFB3D65D29CFDA82CA4A277',X'0000000000000000',0,X'0000000000000000',0,1800000000010,0,1800000000000,'member',NULL,0,'',0,'',0,0,'0000000000000',0);
INSERT INTO "room" VALUES(2,X'08F2BDF8FC56111B8514D866893E1463','Empty','',0,X'0EE58954144F9CDA5923E000F34EF7835F116AC2388BF42A9C03F953FF7203F9',X'0000000000000000',0,X'0000000000000000',0,1800000000012,0,1800000000000,'member',NULL,0,'',0,'',0,0,'0000000000000',0);
CREATE TABLE room_key (
    room integer not null references room (id),
    epoch integer not null,
    key blob not null,
    primary key (room, epoch)
) strict, without rowid;
INSERT INTO "room_key" VALUES(1,0,X'A79B30307B221FAE17983EC5B9B87F334CEC59419C682D7F61D498B658B37387');
INSERT INTO "room_key" VALUES(2,0,X'F18065F9F47756ABF93CA108E14604F673BC2030AB8DDF5BB8FF8642B5962355');
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
    frozen text, waiting text, passed integer not null default -1, refusal text,
    unique (room, device)
) strict;
CREATE TABLE volume (
    chain integer not null references chain (id),
    number integer not null,
    clock integer not null,
    bytes integer not null,
    primary key (chain, number)
) strict, without rowid;
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
CREATE TABLE op (
    id integer primary key,
    room integer not null references room (id),
    root integer not null,
    key text not null,
    target text not null,
    at text not null,
    raw text, refusal text, why text not null default '',
    unique (room, root, key)
) strict;
INSERT INTO "op" VALUES(1,1,7,'title','title','038RRBH800007','["038RRBH800007","Team of 13"]',NULL,'');
INSERT INTO "op" VALUES(2,1,6,'name','name','038RRBH800001','["038RRBH800001","Alice"]',NULL,'');
INSERT INTO "op" VALUES(3,1,1,'038RRBH800002','038RRBH8000026EYW40A2KB4GY','038RRBH800002','{"text":"kept and edited"}',NULL,'');
INSERT INTO "op" VALUES(4,1,4,'038RRBH8000026EYW40A2KB4GY👍','038RRBH8000026EYW40A2KB4GY','038RRBH800004','["038RRBH800004",true]',NULL,'');
INSERT INTO "op" VALUES(5,1,1,'038RRBH800005','038RRBH8000056EYW40A2KB4GY','038RRBH800005','{"text":"root"}',NULL,'');
INSERT INTO "op" VALUES(6,1,1,'038RRBH800006','038RRBH8000066EYW40A2KB4GY','038RRBH800006','{"text":"in a thread","thread":"038RRBH8000056EYW40A2KB4GY"}',NULL,'');
INSERT INTO "op" VALUES(7,2,7,'title','title','038RRBH80000A','["038RRBH80000A","Empty"]',NULL,'');
INSERT INTO "op" VALUES(8,2,6,'name','name','038RRBH80000B','["038RRBH80000B","Alice"]',NULL,'');
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
    change integer not null, reply_to text, mentions text, mention integer not null default 0, mention_at integer, votes text, expires_ms integer, gone integer not null default 0, hidden integer not null default 0,
    unique (room, message)
) strict;
INSERT INTO "message" VALUES(1,1,'038RRBH8000026EYW40A2KB4GY',NULL,NULL,NULL,NULL,'{"text":"kept and edited"}',NULL,NULL,0,'[["05EFVSVVK8AAF1PWYE11XYBK0V","👍","038RRBH800004"]]',NULL,0,1800000000003,1800000000005,NULL,NULL,0,NULL,NULL,NULL,0,0);
INSERT INTO "message" VALUES(2,1,'038RRBH8000056EYW40A2KB4GY',NULL,NULL,NULL,NULL,'{"text":"root"}',NULL,NULL,0,NULL,NULL,0,1800000000006,1800000000006,NULL,NULL,0,NULL,NULL,NULL,0,0);
INSERT INTO "message" VALUES(3,1,'038RRBH8000066EYW40A2KB4GY',NULL,NULL,NULL,NULL,'{"text":"in a thread","thread":"038RRBH8000056EYW40A2KB4GY"}',NULL,NULL,0,NULL,'038RRBH8000056EYW40A2KB4GY',0,1800000000007,1800000000007,NULL,NULL,0,NULL,NULL,NULL,0,0);
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
CREATE TABLE field (
    room integer not null references room (id),
    root integer not null,
    member text not null,
    key text not null,
    value text not null,
    change integer not null,
    primary key (room, root, member, key)
) strict, without rowid;
INSERT INTO "field" VALUES(1,6,'05EFVSVVK8AAF1PWYE11XYBK0V','name','"Alice"',1800000000002);
INSERT INTO "field" VALUES(1,7,'','title','"Team of 13"',1800000000008);
INSERT INTO "field" VALUES(2,6,'05EFVSVVK8AAF1PWYE11XYBK0V','name','"Alice"',1800000000013);
INSERT INTO "field" VALUES(2,7,'','title','"Empty"',1800000000012);
CREATE TABLE read_to (
    room integer not null references room (id),
    place text not null,
    member text not null,
    upto text not null,
    change integer not null,
    primary key (room, place, member)
) strict, without rowid;
CREATE TABLE lease (
    id integer primary key check (id = 1),
    holder text not null,
    process text not null,
    renewed_ms integer not null,
    states text not null
) strict
;
CREATE TABLE identity (
    id integer primary key check (id = 1),
    root blob not null,
    entropy blob,
    home integer
) strict;
INSERT INTO "identity" VALUES(1,X'1B0B341124E1EBD6DB5AE2CBE82E4A104DD1C5D25C238BBDD47A83280BE9EA82',X'8981D9EF35344442C50C48BA05E8AD06',NULL);
CREATE TABLE user_secret (
    generation integer primary key,
    secret blob not null
) strict;
INSERT INTO "user_secret" VALUES(0,X'CE444F90B78A0AB5C90C54BC957C1D34BB851673774B18E58CD45418444DBA72');
CREATE TABLE person_record (
    hash blob primary key,
    raw blob not null
) strict, without rowid;
INSERT INTO "person_record" VALUES(X'AE9015FF44B56A2DC36D299B6D4632504A5B91EEA23DA666F61C74698B4BA1E6',X'92C501929701C4100573F79DEE68529E1B73CE087BE5CC1B90C4201B0B341124E1EBD6DB5AE2CBE82E4A104DD1C5D25C238BBDD47A83280BE9EA82CF000001A3185C500001C5014E97C420677B84028535921E8611E57E16E37491E9CC1333BE1C51F8C5F0A463D6DBAD3AC420F705C22DE169925D046712E4353B726F7484D1C438479464ADF1EF7DBDAD0466C440CC68AB8E1D5F35C9C2920BFEC8F15A00275A60167F0A77334AB10F7E30A7C1C9CCD80B94D65D16CD2EFA4E414689827903FA795D6E70B2447B91F734714C240800C42072B8B2CB4F00FFB8C9CE6D16525D35DF1EB847D9D0BABA627B960531AB2D1467C450273929BDD4E24B304D3DCF7F75B4D10F526E29EE7E83276150B84CE2B3ED8815D811174AB4E39F12BB5FC8D04085F47B1ADD6B6066A5395ED1A47BD3AADB620FC87E34E53043077C984C07ADB51CDB54C45033B3D134860ADA260EA640B0BDCFBC271E039BCB529AAF1C09A0926E56FD903C4F6ACC83A8A2EF626860CA800EAD7828FA26754BAA7E9AFBA7A175E7A6F344C73266B6E3DAA8355C9CAD42BD624D5125C4408875F75BD919D115165FEE69E3F775C5439822107F98159EEBFE5AB2575090027DE3E570F52C8794FEAD505DEA7E17DF6E1B28D23CFDC7561C5D917BD8BC6102');
CREATE TABLE record (
    id integer primary key,
    room integer not null references room (id),
    hash blob not null,
    raw blob not null,
    relay_seq integer,
    unique (room, hash)
) strict;
INSERT INTO "record" VALUES(1,1,X'9F38D7D2C3E2423D0CCB6A40F12D834173DE1721B552F480D3B62E3A20A9F9F7',X'92C502C39701C4100000000000000000000000000000000090C420677B84028535921E8611E57E16E37491E9CC1333BE1C51F8C5F0A463D6DBAD3ACF000001A3185C500001C5027F95C410A6E9C2E38788CF205BA5640D3A9BFC42C20091C501D892C501929701C4100573F79DEE68529E1B73CE087BE5CC1B90C4201B0B341124E1EBD6DB5AE2CBE82E4A104DD1C5D25C238BBDD47A83280BE9EA82CF000001A3185C500001C5014E97C420677B84028535921E8611E57E16E37491E9CC1333BE1C51F8C5F0A463D6DBAD3AC420F705C22DE169925D046712E4353B726F7484D1C438479464ADF1EF7DBDAD0466C440CC68AB8E1D5F35C9C2920BFEC8F15A00275A60167F0A77334AB10F7E30A7C1C9CCD80B94D65D16CD2EFA4E414689827903FA795D6E70B2447B91F734714C240800C42072B8B2CB4F00FFB8C9CE6D16525D35DF1EB847D9D0BABA627B960531AB2D1467C450273929BDD4E24B304D3DCF7F75B4D10F526E29EE7E83276150B84CE2B3ED8815D811174AB4E39F12BB5FC8D04085F47B1ADD6B6066A5395ED1A47BD3AADB620FC87E34E53043077C984C07ADB51CDB54C45033B3D134860ADA260EA640B0BDCFBC271E039BCB529AAF1C09A0926E56FD903C4F6ACC83A8A2EF626860CA800EAD7828FA26754BAA7E9AFBA7A175E7A6F344C73266B6E3DAA8355C9CAD42BD624D5125C4408875F75BD919D115165FEE69E3F775C5439822107F98159EEBFE5AB2575090027DE3E570F52C8794FEAD505DEA7E17DF6E1B28D23CFDC7561C5D917BD8BC61029600C420B543A44F48085FC121CA2CD5A49ECFE36EB26D520AAFD5FDA024CF65A1E31E889192C4100573F79DEE68529E1B73CE087BE5CC1BC450E35E1C9BB36CB283AC15541C023D13B2458AA186406223D3AF21DE9D2CD3764CA6881CCFDA4B492858D4FB7FA861D6B3A9990628D8B276A44D227FDDD2F9283EBD3C3B8AFE7ECA6D2558AD81E1B612DC90C40090C4404766DEE8EFBD014729E40E2C49D33E807F541CF9D0DA2C65256EF45637BA2EB3614C4137574403B4CCB2C9E0CD66446C8ECAF126C3D59B94AA161052A3A58502',NULL);
INSERT INTO "record" VALUES(2,2,X'08F2BDF8FC56111B8514D866893E1463328B31551B74FF0F09F159B6911C4CE9',X'92C502C39701C4100000000000000000000000000000000090C420677B84028535921E8611E57E16E37491E9CC1333BE1C51F8C5F0A463D6DBAD3ACF000001A3185C500001C5027F95C41088C624F64471F426722BF277DB0061E1C20091C501D892C501929701C4100573F79DEE68529E1B73CE087BE5CC1B90C4201B0B341124E1EBD6DB5AE2CBE82E4A104DD1C5D25C238BBDD47A83280BE9EA82CF000001A3185C500001C5014E97C420677B84028535921E8611E57E16E37491E9CC1333BE1C51F8C5F0A463D6DBAD3AC420F705C22DE169925D046712E4353B726F7484D1C438479464ADF1EF7DBDAD0466C440CC68AB8E1D5F35C9C2920BFEC8F15A00275A60167F0A77334AB10F7E30A7C1C9CCD80B94D65D16CD2EFA4E414689827903FA795D6E70B2447B91F734714C240800C42072B8B2CB4F00FFB8C9CE6D16525D35DF1EB847D9D0BABA627B960531AB2D1467C450273929BDD4E24B304D3DCF7F75B4D10F526E29EE7E83276150B84CE2B3ED8815D811174AB4E39F12BB5FC8D04085F47B1ADD6B6066A5395ED1A47BD3AADB620FC87E34E53043077C984C07ADB51CDB54C45033B3D134860ADA260EA640B0BDCFBC271E039BCB529AAF1C09A0926E56FD903C4F6ACC83A8A2EF626860CA800EAD7828FA26754BAA7E9AFBA7A175E7A6F344C73266B6E3DAA8355C9CAD42BD624D5125C4408875F75BD919D115165FEE69E3F775C5439822107F98159EEBFE5AB2575090027DE3E570F52C8794FEAD505DEA7E17DF6E1B28D23CFDC7561C5D917BD8BC61029600C42048239E2CE0AD650A6E55F855CEE9FB66814CCDCD1052014C3E8F472C11615B6C9192C4100573F79DEE68529E1B73CE087BE5CC1BC450255AF39F9C8057576C9D61D236898E4A1A6F71BD458AD3763700E23BAA778866C62669CB43EB0153B9EE4CFE902E1B2808EB6E44FF73F38C5B63DA1815F4DA3FC41C004347F520CED4649EEB13469B3690C40090C4400FA5240F15A44D83189855C9D0929EB40739FA72F280DA2F62825303B710DB0EEBC2A3B9AD48F8435DE3C856AF8EE7238DB296EF45558E168563F6FD1C329C08',NULL);
CREATE TABLE device (
    room integer not null references room (id),
    device text not null,
    member text not null,
    primary key (room, device)
) strict, without rowid;
INSERT INTO "device" VALUES(1,'6EYW40A2KB4GY','05EFVSVVK8AAF1PWYE11XYBK0V');
INSERT INTO "device" VALUES(2,'6EYW40A2KB4GY','05EFVSVVK8AAF1PWYE11XYBK0V');
CREATE TABLE intent (
    id integer primary key,
    room integer not null references room (id),
    raw blob not null,
    made_ms integer not null,
    refusal text not null default ''
) strict;
CREATE TABLE lost_key (
    room integer not null references room (id),
    epoch integer not null,
    key blob not null,
    primary key (room, epoch, key)
) strict, without rowid;
CREATE TABLE contact (
    member text primary key,
    root blob not null,
    verified_ms integer not null,
    devices text not null
) strict, without rowid;
CREATE TABLE operator (relay text primary key, secret blob not null) strict;
CREATE TABLE tally (
        room integer not null,
        thread text not null,
        messages integer not null,
        unread integer not null,
        mentions integer not null,
        last text not null,
        primary key (room, thread)
    ) strict, without rowid
    ;
INSERT INTO "tally" VALUES(1,'',2,0,0,'038RRBH8000056EYW40A2KB4GY');
INSERT INTO "tally" VALUES(1,'038RRBH8000056EYW40A2KB4GY',1,0,0,'038RRBH8000066EYW40A2KB4GY');
CREATE TABLE hidden (
        room integer not null references room (id),
        message text not null,
        primary key (room, message)
    ) strict, without rowid
    ;
CREATE TABLE admin (
        room integer not null references room (id),
        member text not null,
        primary key (room, member)
    ) strict, without rowid
    ;
INSERT INTO "admin" VALUES(1,'05EFVSVVK8AAF1PWYE11XYBK0V');
INSERT INTO "admin" VALUES(2,'05EFVSVVK8AAF1PWYE11XYBK0V');
CREATE TABLE arrival (
    room integer not null references room (id),
    device text not null,
    seq integer not null,
    before integer not null,
    at_ms integer not null,
    primary key (room, device)
) strict, without rowid;
CREATE TABLE sent_once (
    id integer primary key,
    room integer not null references room (id),
    once text not null,
    message text not null,
    unique (room, once)
) strict
;
CREATE VIRTUAL TABLE search_text using fts5 (
    text, facets, content = '', columnsize = 0, detail = none,
    tokenize = 'trigram case_sensitive 1'
);
CREATE TABLE search_state (
    id integer primary key check (id = 1),
    upto integer not null,
    erasing integer not null
) strict;
INSERT INTO "search_state" VALUES(1,0,0);
CREATE TABLE file (
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
CREATE TABLE attachment (
    room integer not null references room (id),
    message text not null,
    place integer not null,
    file integer not null references file (id),
    primary key (room, message, place)
) strict, without rowid;
CREATE TABLE loose_file (file integer primary key) strict;
CREATE TABLE blob_drop (
    id integer primary key,
    room integer not null references room (id),
    root blob not null,
    key blob not null,
    size integer not null,
    names blob
) strict;
CREATE TABLE snapshot (
    chain integer not null references chain (id),
    volume integer not null,
    seq integer not null,
    made_ms integer not null,
    primary key (chain, volume)
) strict, without rowid;
CREATE TABLE covered (
    chain integer not null references chain (id),
    first integer not null,
    last integer not null,
    link blob not null,
    volume integer not null,
    stamp text not null,
    primary key (chain, first)
) strict, without rowid;
CREATE TABLE removed_message (
    room integer not null references room (id),
    message text not null,
    added integer not null,
    primary key (room, message)
) strict, without rowid;
CREATE TABLE erased_volume (
    chain integer not null references chain (id),
    volume integer not null,
    is_stuck integer not null,
    primary key (chain, volume)
) strict, without rowid
;
CREATE TABLE preview (
    room integer not null references room (id),
    chain integer not null references chain (id),
    volume integer not null,
    clock integer not null,
    root integer not null,
    key text not null,
    primary key (room, chain, volume, clock)
) strict, without rowid
;
CREATE TABLE absent (
    chain integer not null references chain (id),
    volume integer not null,
    seq integer not null,
    place integer not null,
    link blob not null,
    raw blob not null,
    is_wanted integer not null default 0,
    is_doubted integer not null default 0,
    primary key (chain, volume)
) strict, without rowid;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX op_target on op (room, target) where root <> 1;
CREATE INDEX message_volume on message (chain, volume, seq) where chain is not null;
CREATE INDEX message_change on message (change);
CREATE INDEX message_thread on message (room, thread, message) where thread is not null;
CREATE INDEX mark_target on mark (room, target);
CREATE INDEX field_change on field (change);
CREATE INDEX read_to_change on read_to (change);
CREATE INDEX record_room on record (room, id);
CREATE INDEX record_unsent on record (room) where relay_seq is null;
CREATE INDEX message_reply on message (room, reply_to) where reply_to is not null;
CREATE INDEX message_unread on message (room, thread, message) where unread = 1;
CREATE INDEX tally_last on tally (room, last) where thread <> '';
CREATE INDEX tally_unread on tally (room, thread) where unread > 0;
CREATE TRIGGER message_moved after update of thread on message
    when old.thread is not new.thread begin 
    update tally set last = coalesce(
        (select max(message) from message where room = old.room and thread is old.thread), '')
    where room = old.room and thread = coalesce(old.thread, '') and last = old.message;
 end;
CREATE INDEX message_expires on message (expires_ms) where gone = 0 and expires_ms is not null;
CREATE INDEX message_shown on message (room, message) where gone = 0;
CREATE TRIGGER message_gone after delete on message begin 
    update tally set messages = messages - (old.deleted = 0 and old.gone = 0 and old.hidden = 0), unread = unread - old.unread,
        mentions = mentions - (old.unread and old.mention)
    where room = old.room and thread = coalesce(old.thread, '');
 
    update tally set last = coalesce(
        (select max(message) from message where room = old.room and thread is old.thread), '')
    where room = old.room and thread = coalesce(old.thread, '') and last = old.message;
 end;
CREATE TRIGGER message_changed
    after update of deleted, gone, hidden, unread, mention, thread on message
    when (old.deleted, old.gone, old.hidden, old.unread, old.mention)
        <> (new.deleted, new.gone, new.hidden, new.unread, new.mention)
        or old.thread is not new.thread
    begin 
    update tally set messages = messages - (old.deleted = 0 and old.gone = 0 and old.hidden = 0), unread = unread - old.unread,
        mentions = mentions - (old.unread and old.mention)
    where room = old.room and thread = coalesce(old.thread, '');
 
    insert into tally (room, thread, messages, unread, mentions, last)
    values (new.room, coalesce(new.thread, ''), (new.deleted = 0 and new.gone = 0 and new.hidden = 0), new.unread,
            new.unread and new.mention, new.message)
    on conflict do update set messages = messages + excluded.messages,
        unread = unread + excluded.unread, mentions = mentions + excluded.mentions,
        last = max(last, excluded.last);
 end;
CREATE INDEX message_added on message (added);
CREATE INDEX op_refused on op (room) where refusal is not null;
CREATE INDEX message_edited on message (room) where edited is not null;
CREATE INDEX message_mention on message (room) where mention = 1
;
CREATE INDEX file_wanted on file (room) where wanted > 0;
CREATE INDEX file_owed on file (room) where owed > 0;
CREATE INDEX file_used on file (used_ms) where here > 0;
CREATE INDEX file_change on file (change);
CREATE INDEX attachment_file on attachment (file);
CREATE INDEX op_erased on op (room) where root = 1 and (raw is null or at <> key);
CREATE INDEX room_keeping on room (id)
    where keep_ms > 0 or floor_ms > 0 or cutoff > '0000000000000'
;
COMMIT;
pragma application_id = 1398361667;
pragma user_version = 13;
