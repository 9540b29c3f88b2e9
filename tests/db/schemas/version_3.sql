PRAGMA auto_vacuum = INCREMENTAL;
BEGIN TRANSACTION;
CREATE TABLE api_key (
    id          TEXT    NOT NULL PRIMARY KEY,
    org_id      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    name        TEXT,
    read_only   INTEGER NOT NULL CONSTRAINT read_only_is_boolean CHECK (read_only IN (0, 1)),
    hash_prefix TEXT    NOT NULL,  -- where to look: the first 16 hexadecimal digits of the hash
    hash        TEXT    NOT NULL,  -- what is compared, in constant time: all 64 of them
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO "api_key" VALUES('01a224b4-ab33-744b-840f-a5b0c1590dc4','acme','test','revoked',0,'1218f85c570e2494','1218f85c570e24949e62860695725022d455f99bf80f42415624e311a63dbd40',1795912149811,1795912149812);
INSERT INTO "api_key" VALUES('01a224b4-ab35-7194-8702-30068edcd8e2','acme','test',NULL,1,'b934543ca2b414ef','b934543ca2b414eff477c7bab977c2699c3ac573310bf7c57f5e83f42e177961',1795912149813,NULL);
INSERT INTO "api_key" VALUES('01a224b4-ab35-7194-8702-30075bbb70bc','acme','test',NULL,0,'18a1aa0f5a0e4585','18a1aa0f5a0e4585a4835092c4ce39e50b7f55fd3ff63c7f6ca457df9281ea8b',1795912149813,NULL);
INSERT INTO "api_key" VALUES('01a224b4-ab36-78c5-83dd-1a4bcff3ce2a','rival','test',NULL,0,'662f070089d9d12f','662f070089d9d12f34dcbb35d0c444732fed8ad9ac4d2c584a83b8c8a1821e1c',1795912149814,NULL);
CREATE TABLE run (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL,
    org_id       TEXT    NOT NULL,
    status       TEXT    NOT NULL CONSTRAINT run_status CHECK (status IN (
                     'pending',    -- as created
                     'running',    -- work has begun: sets started_at the first time
                     'completed',  -- ended well:     sets completed_at
                     'failed',     -- ended badly:    sets completed_at
                     'cancelled'   -- given up:       sets completed_at
                 )),
    input_data   TEXT    NOT NULL CONSTRAINT run_input_is_json    CHECK (json_valid(input_data)),
    output_data  TEXT             CONSTRAINT run_output_is_json   CHECK (output_data IS NULL OR json_valid(output_data)),
    error_data   TEXT             CONSTRAINT run_error_is_json    CHECK (error_data IS NULL OR json_valid(error_data)),
    metadata     TEXT             CONSTRAINT run_metadata_is_json CHECK (metadata IS NULL OR json_valid(metadata)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    started_at   INTEGER,
    completed_at INTEGER,

    CONSTRAINT run_ended_exactly_when_completed_at_is_set
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    UNIQUE (org_id, id)
) STRICT;
INSERT INTO "run" VALUES(1,'01a224b4-ab4f-764a-abed-a5147bef98a4','acme','pending','{"text":"ä 😀"}',NULL,NULL,NULL,1795912149839,1795912149839,NULL,NULL);
INSERT INTO "run" VALUES(2,'01a224b4-abb4-7528-b389-ad6bd76c97d0','acme','running','{"text":"ä 😀"}',NULL,'{"code":1}','{"number":1,"name":"Zoë"}',1795912149940,1795912149973,1795912149973,NULL);
INSERT INTO "run" VALUES(3,'01a224b4-abd8-7249-bfa9-3e04df892f1b','acme','completed','{"text":"ä 😀"}',NULL,'{"code":2}',NULL,1795912149976,1795912150010,1795912150008,1795912150010);
INSERT INTO "run" VALUES(4,'01a224b4-abfc-76a7-96b8-8d1c7c4204f1','acme','failed','{"text":"ä 😀"}',NULL,'{"code":3}','{"number":3,"name":"Zoë"}',1795912150012,1795912150044,1795912150041,1795912150044);
INSERT INTO "run" VALUES(5,'01a224b4-ac1d-7028-a298-62c6d390d5e5','acme','cancelled','{"text":"ä 😀"}',NULL,'{"code":4}',NULL,1795912150045,1795912150075,1795912150073,1795912150075);
INSERT INTO "run" VALUES(6,'01a224b4-ac3c-7473-a475-ca357bed3801','acme','pending','{"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}',NULL,NULL,NULL,1795912150076,1795912150076,NULL,NULL);
INSERT INTO "run" VALUES(7,'01a224b4-acb8-7852-9472-e8fba656a4ca','rival','pending','{"text":"ä 😀"}',NULL,NULL,NULL,1795912150200,1795912150200,NULL,NULL);
INSERT INTO "run" VALUES(8,'01a224b4-ad0d-7cc5-8671-4837b06068bf','rival','running','{"text":"ä 😀"}',NULL,'{"code":1}','{"number":1,"name":"Zoë"}',1795912150285,1795912150311,1795912150311,NULL);
INSERT INTO "run" VALUES(9,'01a224b4-ad2b-77c9-8cfa-3a35ff590e34','rival','completed','{"text":"ä 😀"}',NULL,'{"code":2}',NULL,1795912150315,1795912150358,1795912150355,1795912150358);
INSERT INTO "run" VALUES(10,'01a224b4-ad59-78cb-b670-afbb567772be','rival','failed','{"text":"ä 😀"}',NULL,'{"code":3}','{"number":3,"name":"Zoë"}',1795912150361,1795912150404,1795912150402,1795912150404);
INSERT INTO "run" VALUES(11,'01a224b4-ad87-7feb-a904-a29e1a8a2dcd','rival','cancelled','{"text":"ä 😀"}',NULL,'{"code":4}',NULL,1795912150407,1795912150444,1795912150442,1795912150444);
INSERT INTO "run" VALUES(12,'01a224b4-adae-7bec-b241-3a2f5e09e4a6','rival','pending','{"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}',NULL,NULL,NULL,1795912150446,1795912150446,NULL,NULL);
CREATE TABLE run_count (
    org_id TEXT    NOT NULL,
    status TEXT    NOT NULL,
    runs   INTEGER NOT NULL CONSTRAINT run_count_is_not_negative CHECK (runs >= 0),
    PRIMARY KEY (org_id, status)
) STRICT, WITHOUT ROWID;
INSERT INTO "run_count" VALUES('acme','cancelled',1);
INSERT INTO "run_count" VALUES('acme','completed',1);
INSERT INTO "run_count" VALUES('acme','failed',1);
INSERT INTO "run_count" VALUES('acme','pending',2);
INSERT INTO "run_count" VALUES('acme','running',1);
INSERT INTO "run_count" VALUES('rival','cancelled',1);
INSERT INTO "run_count" VALUES('rival','completed',1);
INSERT INTO "run_count" VALUES('rival','failed',1);
INSERT INTO "run_count" VALUES('rival','pending',2);
INSERT INTO "run_count" VALUES('rival','running',1);
CREATE TABLE run_data (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL,
    org_id     TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    task_id    TEXT    NOT NULL,
    key        TEXT    NOT NULL CONSTRAINT run_data_key_is_not_empty CHECK (key <> ''),
    value      TEXT    NOT NULL CONSTRAINT run_data_value_is_json    CHECK (json_valid(value)),
    tags       TEXT    NOT NULL CONSTRAINT run_data_tags_are_a_list  CHECK (json_type(tags) = 'array'),
    metadata   TEXT             CONSTRAINT run_data_metadata_is_json CHECK (metadata IS NULL OR json_valid(metadata)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,

    UNIQUE (org_id, run_id, id),
    FOREIGN KEY (org_id, run_id) REFERENCES run (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, run_id, task_id) REFERENCES task (org_id, run_id, id) ON DELETE CASCADE
) STRICT;
INSERT INTO "run_data" VALUES(1,'01a224b4-ab57-7bdb-a943-622fd63c8d96','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab53-753e-9cda-023b6b798926','page.1','[0,1000.0]','[]',NULL,1795912149847,1795912149847);
INSERT INTO "run_data" VALUES(3,'01a224b4-ab67-74d6-b1fb-34d39b6584a8','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab5d-7904-a8e7-2962a1330221','page.1','[1,1000.0]','["raw"]',NULL,1795912149863,1795912149863);
INSERT INTO "run_data" VALUES(4,'01a224b4-ab69-7247-9baf-2cc780421973','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab5d-7904-a8e7-2962a1330221','of.1','[1,1000.0]','["raw"]',NULL,1795912149865,1795912149865);
INSERT INTO "run_data" VALUES(5,'01a224b4-ab7b-7d00-bd1e-c57c3f292bb3','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab6b-7c00-9ecc-9578aa0477a5','page.1','[2,1000.0]','["raw","tag2"]',NULL,1795912149883,1795912149883);
INSERT INTO "run_data" VALUES(6,'01a224b4-ab7d-73e5-9c1d-64ba3e3110a4','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab6b-7c00-9ecc-9578aa0477a5','of.2','[2,1000.0]','["raw","tag2"]',NULL,1795912149885,1795912149885);
INSERT INTO "run_data" VALUES(7,'01a224b4-ab8d-70cc-ad20-750b61d67282','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','page.1','[3,1000.0]','[]',NULL,1795912149901,1795912149901);
INSERT INTO "run_data" VALUES(8,'01a224b4-ab8f-7213-8247-9c097daf9b50','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','of.3','[3,1000.0]','[]',NULL,1795912149903,1795912149903);
INSERT INTO "run_data" VALUES(9,'01a224b4-ab97-7b47-9d98-86f143734f77','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab90-7044-a073-c7a2b2ebac1a','page.1','[4,1000.0]','["raw"]',NULL,1795912149911,1795912149911);
INSERT INTO "run_data" VALUES(10,'01a224b4-ab99-7e5c-b5ef-dc00bb32a78d','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab90-7044-a073-c7a2b2ebac1a','of.4','[4,1000.0]','["raw"]',NULL,1795912149913,1795912149913);
INSERT INTO "run_data" VALUES(11,'01a224b4-aba1-7353-8534-aa7701bbe1e2','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab9b-7f31-9027-d81b60247f09','page.1','[5,1000.0]','["raw","tag5"]',NULL,1795912149921,1795912149921);
INSERT INTO "run_data" VALUES(12,'01a224b4-aba3-7c37-9f38-20a5d23232fe','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab9b-7f31-9027-d81b60247f09','of.5','[5,1000.0]','["raw","tag5"]',NULL,1795912149923,1795912149923);
INSERT INTO "run_data" VALUES(13,'01a224b4-abac-7ac0-bb82-8c8edbb6dcc1','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-aba5-78e7-8d71-9bf38a3bb817','page.1','[6,1000.0]','[]',NULL,1795912149932,1795912149932);
INSERT INTO "run_data" VALUES(14,'01a224b4-abad-73cf-aff3-bb1821df0271','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-aba5-78e7-8d71-9bf38a3bb817','of.6','[6,1000.0]','["checked"]',NULL,1795912149933,1795912149935);
INSERT INTO "run_data" VALUES(15,'01a224b4-abbe-70b1-804e-afaa36e0855d','acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','01a224b4-abb6-7bb7-930b-a2bb3d39c6fb','page.1','[0,1000.0]','[]',NULL,1795912149950,1795912149950);
INSERT INTO "run_data" VALUES(17,'01a224b4-abcc-7f73-a04a-f5d9301f09a8','acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','01a224b4-abc4-75b3-ab10-684d28c6c480','page.1','[1,1000.0]','["raw"]',NULL,1795912149964,1795912149964);
INSERT INTO "run_data" VALUES(18,'01a224b4-abcf-7f22-9c69-71e5f32171eb','acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','01a224b4-abc4-75b3-ab10-684d28c6c480','of.1','[1,1000.0]','["checked"]',NULL,1795912149967,1795912149969);
INSERT INTO "run_data" VALUES(19,'01a224b4-abe3-704f-92e0-1f9a7f69ac16','acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','01a224b4-abdb-7600-bf7d-73bfc892cedc','page.1','[0,1000.0]','[]',NULL,1795912149987,1795912149987);
INSERT INTO "run_data" VALUES(21,'01a224b4-abf0-7e0c-842c-2553a9dc452d','acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','01a224b4-abe7-78eb-a4b5-bf17d79984bb','page.1','[1,1000.0]','["raw"]',NULL,1795912150000,1795912150000);
INSERT INTO "run_data" VALUES(22,'01a224b4-abf2-7a6f-bbb7-1b52c227cf80','acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','01a224b4-abe7-78eb-a4b5-bf17d79984bb','of.1','[1,1000.0]','["checked"]',NULL,1795912150002,1795912150004);
INSERT INTO "run_data" VALUES(23,'01a224b4-ac06-79e1-bc72-24beb3cc4891','acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','01a224b4-abfe-7e89-82f0-891c83abc523','page.1','[0,1000.0]','[]',NULL,1795912150022,1795912150022);
INSERT INTO "run_data" VALUES(25,'01a224b4-ac12-7716-a256-97a1b0102b37','acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','01a224b4-ac0a-730b-832b-d0117a69c317','page.1','[1,1000.0]','["raw"]',NULL,1795912150034,1795912150034);
INSERT INTO "run_data" VALUES(26,'01a224b4-ac13-7a3e-8e8c-91918064c46c','acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','01a224b4-ac0a-730b-832b-d0117a69c317','of.1','[1,1000.0]','["checked"]',NULL,1795912150035,1795912150038);
INSERT INTO "run_data" VALUES(27,'01a224b4-ac27-70ca-acf9-cf24982fed61','acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','01a224b4-ac1f-7657-9fee-ba064194b3cb','page.1','[0,1000.0]','[]',NULL,1795912150055,1795912150055);
INSERT INTO "run_data" VALUES(29,'01a224b4-ac33-722d-a564-235eb8a6b822','acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','01a224b4-ac2b-7ce4-8885-c8e723afde10','page.1','[1,1000.0]','["raw"]',NULL,1795912150067,1795912150067);
INSERT INTO "run_data" VALUES(30,'01a224b4-ac34-7e00-9f9d-7a5f601ef70a','acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','01a224b4-ac2b-7ce4-8885-c8e723afde10','of.1','[1,1000.0]','["checked"]',NULL,1795912150068,1795912150070);
INSERT INTO "run_data" VALUES(31,'01a224b4-acc1-7bf8-ac1d-9664f0c7f62b','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-acba-7582-83ab-d5952a5c57c4','page.1','[0,1000.0]','[]',NULL,1795912150209,1795912150209);
INSERT INTO "run_data" VALUES(33,'01a224b4-accc-7dbb-891f-5b62a7a05046','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-acc5-7db5-a6cc-9216cddcc41a','page.1','[1,1000.0]','["raw"]',NULL,1795912150220,1795912150220);
INSERT INTO "run_data" VALUES(34,'01a224b4-acce-7591-b55c-92b1f03418be','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-acc5-7db5-a6cc-9216cddcc41a','of.1','[1,1000.0]','["raw"]',NULL,1795912150222,1795912150222);
INSERT INTO "run_data" VALUES(35,'01a224b4-acdc-7885-80d5-bb904e5e7ae3','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-accf-70ed-b8f2-f8a58ff75c94','page.1','[2,1000.0]','["raw","tag2"]',NULL,1795912150236,1795912150236);
INSERT INTO "run_data" VALUES(36,'01a224b4-acde-7186-bfdd-8ca1d41dc05f','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-accf-70ed-b8f2-f8a58ff75c94','of.2','[2,1000.0]','["raw","tag2"]',NULL,1795912150238,1795912150238);
INSERT INTO "run_data" VALUES(37,'01a224b4-ace7-7d0b-b13b-69d77e50629c','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-ace0-7138-bb17-b4557da02254','page.1','[3,1000.0]','[]',NULL,1795912150247,1795912150247);
INSERT INTO "run_data" VALUES(38,'01a224b4-ace9-7f80-8751-90865fb0a7bf','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-ace0-7138-bb17-b4557da02254','of.3','[3,1000.0]','[]',NULL,1795912150249,1795912150249);
INSERT INTO "run_data" VALUES(39,'01a224b4-acf2-7acd-8f93-196d813c6f07','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-aceb-70a0-b18c-9bfe955696fc','page.1','[4,1000.0]','["raw"]',NULL,1795912150258,1795912150258);
INSERT INTO "run_data" VALUES(40,'01a224b4-acf4-7702-9fbb-2119cfe412b1','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-aceb-70a0-b18c-9bfe955696fc','of.4','[4,1000.0]','["raw"]',NULL,1795912150260,1795912150260);
INSERT INTO "run_data" VALUES(41,'01a224b4-acfd-73e2-89c3-8a467af8bdaf','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-acf6-712c-be9d-954b9300fdd5','page.1','[5,1000.0]','["raw","tag5"]',NULL,1795912150269,1795912150269);
INSERT INTO "run_data" VALUES(42,'01a224b4-acff-763b-b274-7ee213900851','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-acf6-712c-be9d-954b9300fdd5','of.5','[5,1000.0]','["raw","tag5"]',NULL,1795912150271,1795912150271);
INSERT INTO "run_data" VALUES(43,'01a224b4-ad07-75ca-8c66-5c8c20c26c7a','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-ad01-75be-8b4c-07578fa5b997','page.1','[6,1000.0]','[]',NULL,1795912150279,1795912150279);
INSERT INTO "run_data" VALUES(44,'01a224b4-ad09-7eb3-8a30-5f86c1da22fe','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-ad01-75be-8b4c-07578fa5b997','of.6','[6,1000.0]','["checked"]',NULL,1795912150281,1795912150282);
INSERT INTO "run_data" VALUES(45,'01a224b4-ad16-7e66-85d2-6530d151372d','rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','01a224b4-ad0f-76c8-9107-7e1af2c3b64c','page.1','[0,1000.0]','[]',NULL,1795912150294,1795912150294);
INSERT INTO "run_data" VALUES(47,'01a224b4-ad20-7df9-b980-a26d61a29aed','rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','01a224b4-ad19-779d-ac60-c8ec7079acad','page.1','[1,1000.0]','["raw"]',NULL,1795912150304,1795912150304);
INSERT INTO "run_data" VALUES(48,'01a224b4-ad21-7a25-b957-624b7c97b219','rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','01a224b4-ad19-779d-ac60-c8ec7079acad','of.1','[1,1000.0]','["checked"]',NULL,1795912150305,1795912150307);
INSERT INTO "run_data" VALUES(49,'01a224b4-ad38-79cf-b1cc-c4d0cf388c96','rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','01a224b4-ad2e-75fa-bc42-d5f95d25e73b','page.1','[0,1000.0]','[]',NULL,1795912150328,1795912150328);
INSERT INTO "run_data" VALUES(51,'01a224b4-ad48-7418-bcdc-ee1fbc45603b','rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','01a224b4-ad3d-7dea-b4ef-792d45e5c51c','page.1','[1,1000.0]','["raw"]',NULL,1795912150344,1795912150344);
INSERT INTO "run_data" VALUES(52,'01a224b4-ad4b-7ccd-8efc-be2e7ee3a138','rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','01a224b4-ad3d-7dea-b4ef-792d45e5c51c','of.1','[1,1000.0]','["checked"]',NULL,1795912150347,1795912150350);
INSERT INTO "run_data" VALUES(53,'01a224b4-ad66-75f4-89e6-cbb92aed1f9b','rival','01a224b4-ad59-78cb-b670-afbb567772be','01a224b4-ad5b-751d-92cd-9d66414185e5','page.1','[0,1000.0]','[]',NULL,1795912150374,1795912150374);
INSERT INTO "run_data" VALUES(55,'01a224b4-ad77-7188-8107-e6a2be714bbd','rival','01a224b4-ad59-78cb-b670-afbb567772be','01a224b4-ad6c-7b7b-9965-46b2a1b35dad','page.1','[1,1000.0]','["raw"]',NULL,1795912150391,1795912150391);
INSERT INTO "run_data" VALUES(56,'01a224b4-ad7a-7e3b-af4c-1294f1191f12','rival','01a224b4-ad59-78cb-b670-afbb567772be','01a224b4-ad6c-7b7b-9965-46b2a1b35dad','of.1','[1,1000.0]','["checked"]',NULL,1795912150394,1795912150397);
INSERT INTO "run_data" VALUES(57,'01a224b4-ad92-737f-9757-a50ecd195c69','rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','page.1','[0,1000.0]','[]',NULL,1795912150418,1795912150418);
INSERT INTO "run_data" VALUES(59,'01a224b4-ada1-753e-89c4-b493eef555f6','rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','01a224b4-ad97-7ce5-88b3-dbc2393dbc8a','page.1','[1,1000.0]','["raw"]',NULL,1795912150433,1795912150433);
INSERT INTO "run_data" VALUES(60,'01a224b4-ada3-7aa6-9f34-c9c2c899a3a5','rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','01a224b4-ad97-7ce5-88b3-dbc2393dbc8a','of.1','[1,1000.0]','["checked"]',NULL,1795912150435,1795912150438);
CREATE TABLE run_data_latest (
    org_id     TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    entries    INTEGER NOT NULL CONSTRAINT run_data_latest_has_entries CHECK (entries >= 0),
    PRIMARY KEY (org_id, run_id, tag, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.1',4,1795912149865,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.2',6,1795912149885,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.3',8,1795912149903,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.4',10,1795912149913,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.5',12,1795912149923,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.6',14,1795912149933,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','page.1',13,1795912149932,7);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','checked','of.6',14,1795912149933,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','of.1',4,1795912149865,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','of.2',6,1795912149885,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','of.4',10,1795912149913,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','of.5',12,1795912149923,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','page.1',11,1795912149921,4);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','tag2','of.2',6,1795912149885,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','tag2','page.1',5,1795912149883,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','tag5','of.5',12,1795912149923,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','tag5','page.1',11,1795912149921,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','','of.1',18,1795912149967,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','','page.1',17,1795912149964,2);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','checked','of.1',18,1795912149967,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','raw','page.1',17,1795912149964,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','','of.1',22,1795912150002,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','','page.1',21,1795912150000,2);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','checked','of.1',22,1795912150002,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','raw','page.1',21,1795912150000,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','','of.1',26,1795912150035,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','','page.1',25,1795912150034,2);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','checked','of.1',26,1795912150035,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','raw','page.1',25,1795912150034,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','','of.1',30,1795912150068,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','','page.1',29,1795912150067,2);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','checked','of.1',30,1795912150068,1);
INSERT INTO "run_data_latest" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','raw','page.1',29,1795912150067,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.1',34,1795912150222,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.2',36,1795912150238,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.3',38,1795912150249,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.4',40,1795912150260,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.5',42,1795912150271,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.6',44,1795912150281,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','page.1',43,1795912150279,7);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','checked','of.6',44,1795912150281,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','of.1',34,1795912150222,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','of.2',36,1795912150238,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','of.4',40,1795912150260,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','of.5',42,1795912150271,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','page.1',41,1795912150269,4);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','tag2','of.2',36,1795912150238,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','tag2','page.1',35,1795912150236,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','tag5','of.5',42,1795912150271,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','tag5','page.1',41,1795912150269,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','','of.1',48,1795912150305,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','','page.1',47,1795912150304,2);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','checked','of.1',48,1795912150305,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','raw','page.1',47,1795912150304,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','','of.1',52,1795912150347,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','','page.1',51,1795912150344,2);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','checked','of.1',52,1795912150347,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','raw','page.1',51,1795912150344,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','','of.1',56,1795912150394,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','','page.1',55,1795912150391,2);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','checked','of.1',56,1795912150394,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','raw','page.1',55,1795912150391,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','','of.1',60,1795912150435,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','','page.1',59,1795912150433,2);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','checked','of.1',60,1795912150435,1);
INSERT INTO "run_data_latest" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','raw','page.1',59,1795912150433,1);
CREATE TABLE run_data_tag (
    org_id     TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, run_id, tag, key, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.1',4,1795912149865);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.2',6,1795912149885);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.3',8,1795912149903);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.4',10,1795912149913);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.5',12,1795912149923);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','of.6',14,1795912149933);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','page.1',1,1795912149847);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','page.1',3,1795912149863);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','page.1',5,1795912149883);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','page.1',7,1795912149901);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','page.1',9,1795912149911);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','page.1',11,1795912149921);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','page.1',13,1795912149932);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','checked','of.6',14,1795912149933);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','of.1',4,1795912149865);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','of.2',6,1795912149885);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','of.4',10,1795912149913);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','of.5',12,1795912149923);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','page.1',3,1795912149863);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','page.1',5,1795912149883);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','page.1',9,1795912149911);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','raw','page.1',11,1795912149921);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','tag2','of.2',6,1795912149885);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','tag2','page.1',5,1795912149883);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','tag5','of.5',12,1795912149923);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','tag5','page.1',11,1795912149921);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','','of.1',18,1795912149967);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','','page.1',15,1795912149950);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','','page.1',17,1795912149964);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','checked','of.1',18,1795912149967);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','raw','page.1',17,1795912149964);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','','of.1',22,1795912150002);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','','page.1',19,1795912149987);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','','page.1',21,1795912150000);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','checked','of.1',22,1795912150002);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','raw','page.1',21,1795912150000);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','','of.1',26,1795912150035);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','','page.1',23,1795912150022);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','','page.1',25,1795912150034);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','checked','of.1',26,1795912150035);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','raw','page.1',25,1795912150034);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','','of.1',30,1795912150068);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','','page.1',27,1795912150055);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','','page.1',29,1795912150067);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','checked','of.1',30,1795912150068);
INSERT INTO "run_data_tag" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','raw','page.1',29,1795912150067);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.1',34,1795912150222);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.2',36,1795912150238);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.3',38,1795912150249);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.4',40,1795912150260);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.5',42,1795912150271);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','of.6',44,1795912150281);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','page.1',31,1795912150209);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','page.1',33,1795912150220);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','page.1',35,1795912150236);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','page.1',37,1795912150247);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','page.1',39,1795912150258);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','page.1',41,1795912150269);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','page.1',43,1795912150279);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','checked','of.6',44,1795912150281);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','of.1',34,1795912150222);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','of.2',36,1795912150238);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','of.4',40,1795912150260);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','of.5',42,1795912150271);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','page.1',33,1795912150220);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','page.1',35,1795912150236);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','page.1',39,1795912150258);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','raw','page.1',41,1795912150269);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','tag2','of.2',36,1795912150238);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','tag2','page.1',35,1795912150236);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','tag5','of.5',42,1795912150271);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','tag5','page.1',41,1795912150269);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','','of.1',48,1795912150305);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','','page.1',45,1795912150294);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','','page.1',47,1795912150304);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','checked','of.1',48,1795912150305);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','raw','page.1',47,1795912150304);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','','of.1',52,1795912150347);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','','page.1',49,1795912150328);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','','page.1',51,1795912150344);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','checked','of.1',52,1795912150347);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','raw','page.1',51,1795912150344);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','','of.1',56,1795912150394);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','','page.1',53,1795912150374);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','','page.1',55,1795912150391);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','checked','of.1',56,1795912150394);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','raw','page.1',55,1795912150391);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','','of.1',60,1795912150435);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','','page.1',57,1795912150418);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','','page.1',59,1795912150433);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','checked','of.1',60,1795912150435);
INSERT INTO "run_data_tag" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','raw','page.1',59,1795912150433);
CREATE TABLE run_tally (
    org_id          TEXT    NOT NULL,
    run_id          TEXT    NOT NULL,
    total_tasks     INTEGER NOT NULL DEFAULT 0,
    completed_tasks INTEGER NOT NULL DEFAULT 0,
    failed_tasks    INTEGER NOT NULL DEFAULT 0,
    data_keys       INTEGER NOT NULL DEFAULT 0,
    data_entries    INTEGER NOT NULL DEFAULT 0,
    cancelled_tasks INTEGER NOT NULL DEFAULT 0,  -- last, where the migration to version 3 could add it
    PRIMARY KEY (org_id, run_id),
    FOREIGN KEY (org_id, run_id) REFERENCES run (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO "run_tally" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4',7,1,1,7,13,1);
INSERT INTO "run_tally" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0',2,0,0,2,3,0);
INSERT INTO "run_tally" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b',2,1,0,2,3,0);
INSERT INTO "run_tally" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1',2,1,1,2,3,0);
INSERT INTO "run_tally" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5',2,0,1,2,3,1);
INSERT INTO "run_tally" VALUES('acme','01a224b4-ac3c-7473-a475-ca357bed3801',0,0,0,0,0,0);
INSERT INTO "run_tally" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca',7,1,1,7,13,1);
INSERT INTO "run_tally" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf',2,0,0,2,3,0);
INSERT INTO "run_tally" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34',2,1,0,2,3,0);
INSERT INTO "run_tally" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be',2,1,1,2,3,0);
INSERT INTO "run_tally" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd',2,0,1,2,3,1);
INSERT INTO "run_tally" VALUES('rival','01a224b4-adae-7bec-b241-3a2f5e09e4a6',0,0,0,0,0,0);
CREATE TABLE schema_migration (
    version         INTEGER NOT NULL PRIMARY KEY,
    applied_at      INTEGER NOT NULL,
    foreman_version TEXT    NOT NULL
) STRICT;
INSERT INTO "schema_migration" VALUES(3,1795912149786,'0.2.0');
CREATE TABLE task (
    seq            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL,
    org_id         TEXT    NOT NULL,
    run_id         TEXT    NOT NULL,
    parent_task_id TEXT,
    type           TEXT    NOT NULL CONSTRAINT task_type_is_not_empty CHECK (type <> ''),
    status         TEXT    NOT NULL CONSTRAINT task_status CHECK (status IN (
                       'pending',    -- as created
                       'queued',     -- handed to a queue:  sets queued_at the first time
                       'running',    -- a worker has begun: sets started_at the first time
                       'completed',  -- ended well:         sets completed_at
                       'failed',     -- ended badly:        sets completed_at
                       'cancelled',  -- given up:           sets completed_at
                       'retrying'    -- to be tried again:  adds one to retry_count
                   )),
    input_data     TEXT    NOT NULL CONSTRAINT task_input_is_json    CHECK (json_valid(input_data)),
    output_data    TEXT             CONSTRAINT task_output_is_json   CHECK (output_data IS NULL OR json_valid(output_data)),
    error_data     TEXT             CONSTRAINT task_error_is_json    CHECK (error_data IS NULL OR json_valid(error_data)),
    metadata       TEXT             CONSTRAINT task_metadata_is_json CHECK (metadata IS NULL OR json_valid(metadata)),
    retry_count    INTEGER NOT NULL DEFAULT 0 CONSTRAINT retry_count_is_not_negative CHECK (retry_count >= 0),
    max_retries    INTEGER NOT NULL CONSTRAINT max_retries_is_0_to_10 CHECK (max_retries BETWEEN 0 AND 10),
    queue_job_id   TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    queued_at      INTEGER,
    started_at     INTEGER,
    completed_at   INTEGER,

    CONSTRAINT task_ended_exactly_when_completed_at_is_set
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    UNIQUE (org_id, id),
    UNIQUE (org_id, run_id, id),  -- what a child task and run data refer to: a task of the same run
    FOREIGN KEY (org_id, run_id) REFERENCES run (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, run_id, parent_task_id) REFERENCES task (org_id, run_id, id) ON DELETE CASCADE
) STRICT;
INSERT INTO "task" VALUES(1,'01a224b4-ab53-753e-9cda-023b6b798926','acme','01a224b4-ab4f-764a-abed-a5147bef98a4',NULL,'fetch','pending','null',NULL,NULL,NULL,0,0,NULL,1795912149843,1795912149843,NULL,NULL,NULL);
INSERT INTO "task" VALUES(2,'01a224b4-ab5d-7904-a8e7-2962a1330221','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab53-753e-9cda-023b6b798926','parse','queued','null','{"step":"queued"}',NULL,NULL,0,1,NULL,1795912149853,1795912149861,1795912149855,1795912149858,NULL);
INSERT INTO "task" VALUES(3,'01a224b4-ab6b-7c00-9ecc-9578aa0477a5','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab5d-7904-a8e7-2962a1330221','fetch','running','null','{"step":"running"}',NULL,NULL,0,2,NULL,1795912149867,1795912149879,1795912149871,1795912149879,NULL);
INSERT INTO "task" VALUES(4,'01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','acme','01a224b4-ab4f-764a-abed-a5147bef98a4',NULL,'parse','completed','null','{"step":"completed"}',NULL,NULL,0,3,NULL,1795912149887,1795912149899,1795912149889,1795912149893,1795912149899);
INSERT INTO "task" VALUES(5,'01a224b4-ab90-7044-a073-c7a2b2ebac1a','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','fetch','failed','null','{"step":"failed"}',NULL,NULL,0,4,NULL,1795912149904,1795912149910,1795912149906,1795912149908,1795912149910);
INSERT INTO "task" VALUES(6,'01a224b4-ab9b-7f31-9027-d81b60247f09','acme','01a224b4-ab4f-764a-abed-a5147bef98a4','01a224b4-ab90-7044-a073-c7a2b2ebac1a','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,5,NULL,1795912149915,1795912149920,1795912149916,1795912149918,1795912149920);
INSERT INTO "task" VALUES(7,'01a224b4-aba5-78e7-8d71-9bf38a3bb817','acme','01a224b4-ab4f-764a-abed-a5147bef98a4',NULL,'fetch','retrying','null','{"step":"retrying"}',NULL,NULL,1,6,NULL,1795912149925,1795912149930,1795912149926,1795912149928,NULL);
INSERT INTO "task" VALUES(8,'01a224b4-abb6-7bb7-930b-a2bb3d39c6fb','acme','01a224b4-abb4-7528-b389-ad6bd76c97d0',NULL,'fetch','queued','null','{"step":"queued"}',NULL,NULL,0,0,NULL,1795912149942,1795912149948,1795912149944,1795912149946,NULL);
INSERT INTO "task" VALUES(9,'01a224b4-abc4-75b3-ab10-684d28c6c480','acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','01a224b4-abb6-7bb7-930b-a2bb3d39c6fb','parse','running','null','{"step":"running"}',NULL,NULL,0,1,NULL,1795912149956,1795912149960,1795912149958,1795912149960,NULL);
INSERT INTO "task" VALUES(10,'01a224b4-abdb-7600-bf7d-73bfc892cedc','acme','01a224b4-abd8-7249-bfa9-3e04df892f1b',NULL,'fetch','running','null','{"step":"running"}',NULL,NULL,0,0,NULL,1795912149979,1795912149983,1795912149981,1795912149983,NULL);
INSERT INTO "task" VALUES(11,'01a224b4-abe7-78eb-a4b5-bf17d79984bb','acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','01a224b4-abdb-7600-bf7d-73bfc892cedc','parse','completed','null','{"step":"completed"}',NULL,NULL,0,1,NULL,1795912149991,1795912149998,1795912149993,1795912149996,1795912149998);
INSERT INTO "task" VALUES(12,'01a224b4-abfe-7e89-82f0-891c83abc523','acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1',NULL,'fetch','completed','null','{"step":"completed"}',NULL,NULL,0,0,NULL,1795912150014,1795912150020,1795912150016,1795912150018,1795912150020);
INSERT INTO "task" VALUES(13,'01a224b4-ac0a-730b-832b-d0117a69c317','acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','01a224b4-abfe-7e89-82f0-891c83abc523','parse','failed','null','{"step":"failed"}',NULL,NULL,0,1,NULL,1795912150026,1795912150032,1795912150028,1795912150030,1795912150032);
INSERT INTO "task" VALUES(14,'01a224b4-ac1f-7657-9fee-ba064194b3cb','acme','01a224b4-ac1d-7028-a298-62c6d390d5e5',NULL,'fetch','failed','null','{"step":"failed"}',NULL,NULL,0,0,NULL,1795912150047,1795912150053,1795912150049,1795912150051,1795912150053);
INSERT INTO "task" VALUES(15,'01a224b4-ac2b-7ce4-8885-c8e723afde10','acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','01a224b4-ac1f-7657-9fee-ba064194b3cb','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,1,NULL,1795912150059,1795912150064,1795912150061,1795912150062,1795912150064);
INSERT INTO "task" VALUES(16,'01a224b4-acba-7582-83ab-d5952a5c57c4','rival','01a224b4-acb8-7852-9472-e8fba656a4ca',NULL,'fetch','pending','null',NULL,NULL,NULL,0,0,NULL,1795912150202,1795912150202,NULL,NULL,NULL);
INSERT INTO "task" VALUES(17,'01a224b4-acc5-7db5-a6cc-9216cddcc41a','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-acba-7582-83ab-d5952a5c57c4','parse','queued','null','{"step":"queued"}',NULL,NULL,0,1,NULL,1795912150213,1795912150218,1795912150215,1795912150217,NULL);
INSERT INTO "task" VALUES(18,'01a224b4-accf-70ed-b8f2-f8a58ff75c94','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-acc5-7db5-a6cc-9216cddcc41a','fetch','running','null','{"step":"running"}',NULL,NULL,0,2,NULL,1795912150223,1795912150229,1795912150225,1795912150229,NULL);
INSERT INTO "task" VALUES(19,'01a224b4-ace0-7138-bb17-b4557da02254','rival','01a224b4-acb8-7852-9472-e8fba656a4ca',NULL,'parse','completed','null','{"step":"completed"}',NULL,NULL,0,3,NULL,1795912150240,1795912150245,1795912150242,1795912150244,1795912150245);
INSERT INTO "task" VALUES(20,'01a224b4-aceb-70a0-b18c-9bfe955696fc','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-ace0-7138-bb17-b4557da02254','fetch','failed','null','{"step":"failed"}',NULL,NULL,0,4,NULL,1795912150251,1795912150256,1795912150253,1795912150255,1795912150256);
INSERT INTO "task" VALUES(21,'01a224b4-acf6-712c-be9d-954b9300fdd5','rival','01a224b4-acb8-7852-9472-e8fba656a4ca','01a224b4-aceb-70a0-b18c-9bfe955696fc','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,5,NULL,1795912150262,1795912150268,1795912150264,1795912150266,1795912150268);
INSERT INTO "task" VALUES(22,'01a224b4-ad01-75be-8b4c-07578fa5b997','rival','01a224b4-acb8-7852-9472-e8fba656a4ca',NULL,'fetch','retrying','null','{"step":"retrying"}',NULL,NULL,1,6,NULL,1795912150273,1795912150277,1795912150274,1795912150276,NULL);
INSERT INTO "task" VALUES(23,'01a224b4-ad0f-76c8-9107-7e1af2c3b64c','rival','01a224b4-ad0d-7cc5-8671-4837b06068bf',NULL,'fetch','queued','null','{"step":"queued"}',NULL,NULL,0,0,NULL,1795912150287,1795912150292,1795912150289,1795912150290,NULL);
INSERT INTO "task" VALUES(24,'01a224b4-ad19-779d-ac60-c8ec7079acad','rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','01a224b4-ad0f-76c8-9107-7e1af2c3b64c','parse','running','null','{"step":"running"}',NULL,NULL,0,1,NULL,1795912150297,1795912150301,1795912150299,1795912150301,NULL);
INSERT INTO "task" VALUES(25,'01a224b4-ad2e-75fa-bc42-d5f95d25e73b','rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34',NULL,'fetch','running','null','{"step":"running"}',NULL,NULL,0,0,NULL,1795912150318,1795912150323,1795912150320,1795912150323,NULL);
INSERT INTO "task" VALUES(26,'01a224b4-ad3d-7dea-b4ef-792d45e5c51c','rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','01a224b4-ad2e-75fa-bc42-d5f95d25e73b','parse','completed','null','{"step":"completed"}',NULL,NULL,0,1,NULL,1795912150333,1795912150341,1795912150336,1795912150339,1795912150341);
INSERT INTO "task" VALUES(27,'01a224b4-ad5b-751d-92cd-9d66414185e5','rival','01a224b4-ad59-78cb-b670-afbb567772be',NULL,'fetch','completed','null','{"step":"completed"}',NULL,NULL,0,0,NULL,1795912150363,1795912150372,1795912150366,1795912150369,1795912150372);
INSERT INTO "task" VALUES(28,'01a224b4-ad6c-7b7b-9965-46b2a1b35dad','rival','01a224b4-ad59-78cb-b670-afbb567772be','01a224b4-ad5b-751d-92cd-9d66414185e5','parse','failed','null','{"step":"failed"}',NULL,NULL,0,1,NULL,1795912150380,1795912150387,1795912150382,1795912150385,1795912150387);
INSERT INTO "task" VALUES(29,'01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd',NULL,'fetch','failed','null','{"step":"failed"}',NULL,NULL,0,0,NULL,1795912150409,1795912150416,1795912150411,1795912150414,1795912150416);
INSERT INTO "task" VALUES(30,'01a224b4-ad97-7ce5-88b3-dbc2393dbc8a','rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,1,NULL,1795912150423,1795912150430,1795912150426,1795912150428,1795912150430);
CREATE TABLE task_count (
    org_id   TEXT    NOT NULL,
    scope_id TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    status   TEXT    NOT NULL,
    tasks    INTEGER NOT NULL CONSTRAINT task_count_is_not_negative CHECK (tasks >= 0),
    PRIMARY KEY (org_id, scope_id, type, status)
) STRICT, WITHOUT ROWID;
INSERT INTO "task_count" VALUES('acme','','','cancelled',2);
INSERT INTO "task_count" VALUES('acme','','','completed',3);
INSERT INTO "task_count" VALUES('acme','','','failed',3);
INSERT INTO "task_count" VALUES('acme','','','pending',1);
INSERT INTO "task_count" VALUES('acme','','','queued',2);
INSERT INTO "task_count" VALUES('acme','','','retrying',1);
INSERT INTO "task_count" VALUES('acme','','','running',3);
INSERT INTO "task_count" VALUES('acme','','fetch','completed',1);
INSERT INTO "task_count" VALUES('acme','','fetch','failed',2);
INSERT INTO "task_count" VALUES('acme','','fetch','pending',1);
INSERT INTO "task_count" VALUES('acme','','fetch','queued',1);
INSERT INTO "task_count" VALUES('acme','','fetch','retrying',1);
INSERT INTO "task_count" VALUES('acme','','fetch','running',2);
INSERT INTO "task_count" VALUES('acme','','parse','cancelled',2);
INSERT INTO "task_count" VALUES('acme','','parse','completed',2);
INSERT INTO "task_count" VALUES('acme','','parse','failed',1);
INSERT INTO "task_count" VALUES('acme','','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','','parse','queued',1);
INSERT INTO "task_count" VALUES('acme','','parse','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','pending',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','queued',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','retrying',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','fetch','failed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','fetch','pending',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','fetch','retrying',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','fetch','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','parse','completed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','parse','queued',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab4f-764a-abed-a5147bef98a4','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab53-753e-9cda-023b6b798926','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab53-753e-9cda-023b6b798926','','queued',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab53-753e-9cda-023b6b798926','','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab53-753e-9cda-023b6b798926','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab53-753e-9cda-023b6b798926','parse','queued',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab53-753e-9cda-023b6b798926','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab5d-7904-a8e7-2962a1330221','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab5d-7904-a8e7-2962a1330221','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab5d-7904-a8e7-2962a1330221','','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab5d-7904-a8e7-2962a1330221','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab5d-7904-a8e7-2962a1330221','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab5d-7904-a8e7-2962a1330221','fetch','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','fetch','failed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab7f-75de-a9b9-21d3d3b1d08b','fetch','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab90-7044-a073-c7a2b2ebac1a','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab90-7044-a073-c7a2b2ebac1a','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab90-7044-a073-c7a2b2ebac1a','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab90-7044-a073-c7a2b2ebac1a','','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab90-7044-a073-c7a2b2ebac1a','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab90-7044-a073-c7a2b2ebac1a','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab90-7044-a073-c7a2b2ebac1a','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ab90-7044-a073-c7a2b2ebac1a','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','','queued',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','fetch','queued',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','fetch','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb4-7528-b389-ad6bd76c97d0','parse','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb6-7bb7-930b-a2bb3d39c6fb','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb6-7bb7-930b-a2bb3d39c6fb','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb6-7bb7-930b-a2bb3d39c6fb','','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb6-7bb7-930b-a2bb3d39c6fb','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb6-7bb7-930b-a2bb3d39c6fb','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abb6-7bb7-930b-a2bb3d39c6fb','parse','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','fetch','running',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abd8-7249-bfa9-3e04df892f1b','parse','completed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abdb-7600-bf7d-73bfc892cedc','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abdb-7600-bf7d-73bfc892cedc','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abdb-7600-bf7d-73bfc892cedc','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abdb-7600-bf7d-73bfc892cedc','','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abdb-7600-bf7d-73bfc892cedc','parse','completed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abdb-7600-bf7d-73bfc892cedc','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abdb-7600-bf7d-73bfc892cedc','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abdb-7600-bf7d-73bfc892cedc','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','fetch','completed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfc-76a7-96b8-8d1c7c4204f1','parse','failed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfe-7e89-82f0-891c83abc523','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfe-7e89-82f0-891c83abc523','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfe-7e89-82f0-891c83abc523','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfe-7e89-82f0-891c83abc523','','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfe-7e89-82f0-891c83abc523','parse','failed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfe-7e89-82f0-891c83abc523','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfe-7e89-82f0-891c83abc523','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-abfe-7e89-82f0-891c83abc523','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','fetch','failed',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1d-7028-a298-62c6d390d5e5','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1f-7657-9fee-ba064194b3cb','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1f-7657-9fee-ba064194b3cb','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1f-7657-9fee-ba064194b3cb','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1f-7657-9fee-ba064194b3cb','','running',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1f-7657-9fee-ba064194b3cb','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1f-7657-9fee-ba064194b3cb','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1f-7657-9fee-ba064194b3cb','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a224b4-ac1f-7657-9fee-ba064194b3cb','parse','running',0);
INSERT INTO "task_count" VALUES('rival','','','cancelled',2);
INSERT INTO "task_count" VALUES('rival','','','completed',3);
INSERT INTO "task_count" VALUES('rival','','','failed',3);
INSERT INTO "task_count" VALUES('rival','','','pending',1);
INSERT INTO "task_count" VALUES('rival','','','queued',2);
INSERT INTO "task_count" VALUES('rival','','','retrying',1);
INSERT INTO "task_count" VALUES('rival','','','running',3);
INSERT INTO "task_count" VALUES('rival','','fetch','completed',1);
INSERT INTO "task_count" VALUES('rival','','fetch','failed',2);
INSERT INTO "task_count" VALUES('rival','','fetch','pending',1);
INSERT INTO "task_count" VALUES('rival','','fetch','queued',1);
INSERT INTO "task_count" VALUES('rival','','fetch','retrying',1);
INSERT INTO "task_count" VALUES('rival','','fetch','running',2);
INSERT INTO "task_count" VALUES('rival','','parse','cancelled',2);
INSERT INTO "task_count" VALUES('rival','','parse','completed',2);
INSERT INTO "task_count" VALUES('rival','','parse','failed',1);
INSERT INTO "task_count" VALUES('rival','','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','','parse','queued',1);
INSERT INTO "task_count" VALUES('rival','','parse','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','pending',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','queued',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','retrying',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','fetch','failed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','fetch','pending',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','fetch','retrying',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','fetch','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','parse','completed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','parse','queued',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acb8-7852-9472-e8fba656a4ca','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acba-7582-83ab-d5952a5c57c4','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acba-7582-83ab-d5952a5c57c4','','queued',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acba-7582-83ab-d5952a5c57c4','','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acba-7582-83ab-d5952a5c57c4','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acba-7582-83ab-d5952a5c57c4','parse','queued',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acba-7582-83ab-d5952a5c57c4','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acc5-7db5-a6cc-9216cddcc41a','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acc5-7db5-a6cc-9216cddcc41a','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acc5-7db5-a6cc-9216cddcc41a','','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-acc5-7db5-a6cc-9216cddcc41a','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acc5-7db5-a6cc-9216cddcc41a','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-acc5-7db5-a6cc-9216cddcc41a','fetch','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ace0-7138-bb17-b4557da02254','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ace0-7138-bb17-b4557da02254','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ace0-7138-bb17-b4557da02254','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ace0-7138-bb17-b4557da02254','','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ace0-7138-bb17-b4557da02254','fetch','failed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ace0-7138-bb17-b4557da02254','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ace0-7138-bb17-b4557da02254','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ace0-7138-bb17-b4557da02254','fetch','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-aceb-70a0-b18c-9bfe955696fc','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-aceb-70a0-b18c-9bfe955696fc','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-aceb-70a0-b18c-9bfe955696fc','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-aceb-70a0-b18c-9bfe955696fc','','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-aceb-70a0-b18c-9bfe955696fc','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-aceb-70a0-b18c-9bfe955696fc','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-aceb-70a0-b18c-9bfe955696fc','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-aceb-70a0-b18c-9bfe955696fc','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','','queued',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','fetch','queued',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','fetch','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0d-7cc5-8671-4837b06068bf','parse','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0f-76c8-9107-7e1af2c3b64c','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0f-76c8-9107-7e1af2c3b64c','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0f-76c8-9107-7e1af2c3b64c','','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0f-76c8-9107-7e1af2c3b64c','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0f-76c8-9107-7e1af2c3b64c','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad0f-76c8-9107-7e1af2c3b64c','parse','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','fetch','running',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2b-77c9-8cfa-3a35ff590e34','parse','completed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2e-75fa-bc42-d5f95d25e73b','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2e-75fa-bc42-d5f95d25e73b','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2e-75fa-bc42-d5f95d25e73b','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2e-75fa-bc42-d5f95d25e73b','','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2e-75fa-bc42-d5f95d25e73b','parse','completed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2e-75fa-bc42-d5f95d25e73b','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2e-75fa-bc42-d5f95d25e73b','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad2e-75fa-bc42-d5f95d25e73b','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','fetch','completed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad59-78cb-b670-afbb567772be','parse','failed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad5b-751d-92cd-9d66414185e5','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad5b-751d-92cd-9d66414185e5','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad5b-751d-92cd-9d66414185e5','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad5b-751d-92cd-9d66414185e5','','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad5b-751d-92cd-9d66414185e5','parse','failed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad5b-751d-92cd-9d66414185e5','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad5b-751d-92cd-9d66414185e5','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad5b-751d-92cd-9d66414185e5','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','fetch','failed',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad87-7feb-a904-a29e1a8a2dcd','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','','running',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a224b4-ad89-7b9a-8a9a-2fe2201e3aaa','parse','running',0);
CREATE UNIQUE INDEX api_key_by_hash_prefix ON api_key (hash_prefix);
CREATE INDEX run_by_created_at              ON run (org_id, created_at);
CREATE INDEX run_by_updated_at              ON run (org_id, updated_at);
CREATE INDEX run_by_started_at              ON run (org_id, started_at);
CREATE INDEX run_by_completed_at            ON run (org_id, completed_at);
CREATE INDEX run_by_status_and_created_at   ON run (org_id, status, created_at);
CREATE INDEX run_by_status_and_updated_at   ON run (org_id, status, updated_at);
CREATE INDEX run_by_status_and_started_at   ON run (org_id, status, started_at);
CREATE INDEX run_by_status_and_completed_at ON run (org_id, status, completed_at);
CREATE TRIGGER run_created AFTER INSERT ON run BEGIN
    INSERT INTO run_tally (org_id, run_id) VALUES (new.org_id, new.id);
    INSERT INTO run_count (org_id, status, runs) VALUES (new.org_id, new.status, 1)
        ON CONFLICT (org_id, status) DO UPDATE SET runs = runs + 1;
END;
CREATE TRIGGER run_changed_status AFTER UPDATE OF status ON run WHEN old.status <> new.status BEGIN
    UPDATE run_count SET runs = runs - 1 WHERE org_id = old.org_id AND status = old.status;
    INSERT INTO run_count (org_id, status, runs) VALUES (new.org_id, new.status, 1)
        ON CONFLICT (org_id, status) DO UPDATE SET runs = runs + 1;
END;
CREATE TRIGGER run_deleted AFTER DELETE ON run BEGIN
    UPDATE run_count SET runs = runs - 1 WHERE org_id = old.org_id AND status = old.status;
END;
CREATE INDEX task_by_created_at   ON task (org_id, created_at);
CREATE INDEX task_by_updated_at   ON task (org_id, updated_at);
CREATE INDEX task_by_started_at   ON task (org_id, started_at);
CREATE INDEX task_by_completed_at ON task (org_id, completed_at);
CREATE INDEX task_by_status          ON task (org_id, status, created_at);
CREATE INDEX task_by_type            ON task (org_id, type, status, created_at);
CREATE INDEX task_by_run             ON task (org_id, run_id, status, created_at);
CREATE INDEX task_by_run_and_type    ON task (org_id, run_id, type, status, created_at);
CREATE INDEX task_by_parent          ON task (org_id, parent_task_id, created_at) WHERE parent_task_id IS NOT NULL;
CREATE TRIGGER run_ended AFTER UPDATE OF status ON run WHEN new.completed_at IS NOT NULL BEGIN
    DELETE FROM task_count WHERE org_id = new.org_id AND scope_id = new.id AND tasks = 0;
END;
CREATE TRIGGER task_created AFTER INSERT ON task BEGIN
    UPDATE run_tally
    SET total_tasks     = total_tasks + 1,
        completed_tasks = completed_tasks + (new.status = 'completed'),
        failed_tasks    = failed_tasks + (new.status = 'failed'),
        cancelled_tasks = cancelled_tasks + (new.status = 'cancelled')
    WHERE org_id = new.org_id AND run_id = new.run_id;

    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    VALUES (new.org_id, '', '', new.status, 1),
           (new.org_id, '', new.type, new.status, 1),
           (new.org_id, new.run_id, '', new.status, 1),
           (new.org_id, new.run_id, new.type, new.status, 1)
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    SELECT new.org_id, new.parent_task_id, '', new.status, 1 WHERE new.parent_task_id IS NOT NULL
    UNION ALL
    SELECT new.org_id, new.parent_task_id, new.type, new.status, 1 WHERE new.parent_task_id IS NOT NULL
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
END;
CREATE TRIGGER task_changed_status AFTER UPDATE OF status ON task WHEN old.status <> new.status BEGIN
    UPDATE run_tally
    SET completed_tasks = completed_tasks + (new.status = 'completed') - (old.status = 'completed'),
        failed_tasks    = failed_tasks + (new.status = 'failed') - (old.status = 'failed'),
        cancelled_tasks = cancelled_tasks + (new.status = 'cancelled') - (old.status = 'cancelled')
    WHERE org_id = new.org_id AND run_id = new.run_id
      AND (new.status IN ('completed', 'failed', 'cancelled') OR old.status IN ('completed', 'failed', 'cancelled'));

    UPDATE task_count SET tasks = tasks - 1
    WHERE org_id = old.org_id AND scope_id IN ('', old.run_id, old.parent_task_id) AND type IN ('', old.type)
      AND status = old.status;

    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    VALUES (new.org_id, '', '', new.status, 1),
           (new.org_id, '', new.type, new.status, 1),
           (new.org_id, new.run_id, '', new.status, 1),
           (new.org_id, new.run_id, new.type, new.status, 1)
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    SELECT new.org_id, new.parent_task_id, '', new.status, 1 WHERE new.parent_task_id IS NOT NULL
    UNION ALL
    SELECT new.org_id, new.parent_task_id, new.type, new.status, 1 WHERE new.parent_task_id IS NOT NULL
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
END;
CREATE TRIGGER task_deleted AFTER DELETE ON task BEGIN
    UPDATE run_tally
    SET total_tasks     = total_tasks - 1,
        completed_tasks = completed_tasks - (old.status = 'completed'),
        failed_tasks    = failed_tasks - (old.status = 'failed'),
        cancelled_tasks = cancelled_tasks - (old.status = 'cancelled')
    WHERE org_id = old.org_id AND run_id = old.run_id;

    UPDATE task_count SET tasks = tasks - 1
    WHERE org_id = old.org_id AND scope_id IN ('', old.run_id, old.parent_task_id) AND type IN ('', old.type)
      AND status = old.status;

    DELETE FROM task_count
    WHERE org_id = old.org_id AND scope_id IN ('', old.run_id, old.parent_task_id) AND type IN ('', old.type)
      AND tasks = 0;
END;
CREATE INDEX run_data_by_created_at ON run_data (org_id, run_id, created_at);
CREATE INDEX run_data_by_updated_at ON run_data (org_id, run_id, updated_at);
CREATE INDEX run_data_key_by_created_at ON run_data_tag (org_id, run_id, key, created_at, seq) WHERE tag = '';
CREATE INDEX run_data_latest_by_created_at ON run_data_latest (org_id, run_id, created_at, seq) WHERE tag = '';
CREATE TRIGGER run_data_created AFTER INSERT ON run_data BEGIN
    UPDATE run_tally SET data_entries = data_entries + 1 WHERE org_id = new.org_id AND run_id = new.run_id;
    INSERT INTO run_data_tag (org_id, run_id, tag, key, seq, created_at)
    VALUES (new.org_id, new.run_id, '', new.key, new.seq, new.created_at);
    INSERT INTO run_data_tag (org_id, run_id, tag, key, seq, created_at)
    SELECT new.org_id, new.run_id, tag.value, new.key, new.seq, new.created_at FROM json_each(new.tags) AS tag;
END;
CREATE TRIGGER run_data_changed_tags AFTER UPDATE OF tags ON run_data WHEN old.tags <> new.tags BEGIN
    DELETE FROM run_data_tag
    WHERE org_id = old.org_id AND run_id = old.run_id AND key = old.key AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags) EXCEPT SELECT value FROM json_each(new.tags));
    INSERT INTO run_data_tag (org_id, run_id, tag, key, seq, created_at)
    SELECT new.org_id, new.run_id, tag.value, new.key, new.seq, new.created_at
    FROM (SELECT value FROM json_each(new.tags) EXCEPT SELECT value FROM json_each(old.tags)) AS tag;
END;
CREATE TRIGGER run_data_deleted AFTER DELETE ON run_data BEGIN
    UPDATE run_tally SET data_entries = data_entries - 1 WHERE org_id = old.org_id AND run_id = old.run_id;
    DELETE FROM run_data_tag
    WHERE org_id = old.org_id AND run_id = old.run_id AND key = old.key AND seq = old.seq
      AND tag IN (SELECT '' UNION ALL SELECT value FROM json_each(old.tags));
END;
CREATE TRIGGER run_data_tag_added AFTER INSERT ON run_data_tag BEGIN
    INSERT INTO run_data_latest (org_id, run_id, tag, key, seq, created_at, entries)
    VALUES (new.org_id, new.run_id, new.tag, new.key, new.seq, new.created_at, 1)
    ON CONFLICT (org_id, run_id, tag, key) DO UPDATE
    SET entries    = entries + 1,
        created_at = iif(excluded.seq > seq, excluded.created_at, created_at),
        seq        = max(excluded.seq, seq);
END;
CREATE TRIGGER run_data_tag_removed AFTER DELETE ON run_data_tag BEGIN
    DELETE FROM run_data_latest
    WHERE org_id = old.org_id AND run_id = old.run_id AND tag = old.tag AND key = old.key AND entries = 1;

    UPDATE run_data_latest
    SET entries = entries - 1
    WHERE org_id = old.org_id AND run_id = old.run_id AND tag = old.tag AND key = old.key;

    UPDATE run_data_latest
    SET (seq, created_at) = (
        SELECT remaining.seq, remaining.created_at
        FROM run_data_tag AS remaining
        WHERE remaining.org_id = old.org_id AND remaining.run_id = old.run_id
          AND remaining.tag = old.tag AND remaining.key = old.key
        ORDER BY remaining.seq DESC
        LIMIT 1
    )
    WHERE org_id = old.org_id AND run_id = old.run_id AND tag = old.tag AND key = old.key AND seq = old.seq;
END;
CREATE TRIGGER run_data_key_added AFTER INSERT ON run_data_latest WHEN new.tag = '' BEGIN
    UPDATE run_tally SET data_keys = data_keys + 1 WHERE org_id = new.org_id AND run_id = new.run_id;
END;
CREATE TRIGGER run_data_key_removed AFTER DELETE ON run_data_latest WHEN old.tag = '' BEGIN
    UPDATE run_tally SET data_keys = data_keys - 1 WHERE org_id = old.org_id AND run_id = old.run_id;
END;
COMMIT;
PRAGMA application_id = 1179468110;
PRAGMA user_version = 3;
