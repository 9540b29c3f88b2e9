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
INSERT INTO "api_key" VALUES('01a20769-7ecb-71f1-8c5c-df627783b751','acme','test','revoked',0,'0e2b30118a302a47','0e2b30118a302a47857bf60ba3037bf59175c95c0ea3c34c521c7ebbf35003fe',1795420683979,1795420683979);
INSERT INTO "api_key" VALUES('01a20769-7ecc-7748-be77-3b12a5b09da4','acme','test',NULL,1,'01a0a7681573a93e','01a0a7681573a93e2358bc1159f1e142b955daa46a320e98a5fea234dab7587f',1795420683980,NULL);
INSERT INTO "api_key" VALUES('01a20769-7ecc-7748-be77-3b130ac12d06','acme','test',NULL,0,'66f7b8257de44722','66f7b8257de447229e5db8b1bac9615827f82f4d05b9ae0ed7ff3541f180544e',1795420683980,NULL);
INSERT INTO "api_key" VALUES('01a20769-7ecc-7748-be77-3b133e6a5d34','rival','test',NULL,0,'5e10be8fb1faa2f8','5e10be8fb1faa2f8cc69fb3456bcff0648c8993da9bde9fac6197c32c3195ea0',1795420683980,NULL);
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
INSERT INTO "run" VALUES(1,'01a20769-7edf-7890-abcb-82ee098b0de1','acme','pending','{"text":"ä 😀"}',NULL,NULL,NULL,1795420683999,1795420683999,NULL,NULL);
INSERT INTO "run" VALUES(2,'01a20769-7f2e-7c62-a0a4-1db6b9e94b45','acme','running','{"text":"ä 😀"}',NULL,'{"code":1}','{"number":1,"name":"Zoë"}',1795420684078,1795420684106,1795420684104,NULL);
INSERT INTO "run" VALUES(3,'01a20769-7f4b-7f89-9882-773c83d5c014','acme','completed','{"text":"ä 😀"}',NULL,'{"code":2}',NULL,1795420684107,1795420684131,1795420684130,1795420684131);
INSERT INTO "run" VALUES(4,'01a20769-7f65-7921-92cf-a3f0922dd575','acme','failed','{"text":"ä 😀"}',NULL,'{"code":3}','{"number":3,"name":"Zoë"}',1795420684133,1795420684156,1795420684154,1795420684156);
INSERT INTO "run" VALUES(5,'01a20769-7f7d-7403-99e6-01b862369aca','acme','cancelled','{"text":"ä 😀"}',NULL,'{"code":4}',NULL,1795420684157,1795420684182,1795420684180,1795420684182);
INSERT INTO "run" VALUES(6,'01a20769-7f97-7324-a0d6-91ea3dc0fbec','acme','pending','{"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}',NULL,NULL,NULL,1795420684183,1795420684183,NULL,NULL);
INSERT INTO "run" VALUES(7,'01a20769-800b-7e11-8295-efc1163a13bc','rival','pending','{"text":"ä 😀"}',NULL,NULL,NULL,1795420684299,1795420684299,NULL,NULL);
INSERT INTO "run" VALUES(8,'01a20769-8047-737b-900e-d78f88d58ecf','rival','running','{"text":"ä 😀"}',NULL,'{"code":1}','{"number":1,"name":"Zoë"}',1795420684359,1795420684381,1795420684379,NULL);
INSERT INTO "run" VALUES(9,'01a20769-805e-70a2-b2d7-1380b674c7c9','rival','completed','{"text":"ä 😀"}',NULL,'{"code":2}',NULL,1795420684382,1795420684404,1795420684403,1795420684404);
INSERT INTO "run" VALUES(10,'01a20769-8076-7ad9-a454-7a58475850bd','rival','failed','{"text":"ä 😀"}',NULL,'{"code":3}','{"number":3,"name":"Zoë"}',1795420684406,1795420684431,1795420684429,1795420684431);
INSERT INTO "run" VALUES(11,'01a20769-8090-732e-a44b-bf7048f51c70','rival','cancelled','{"text":"ä 😀"}',NULL,'{"code":4}',NULL,1795420684432,1795420684455,1795420684454,1795420684455);
INSERT INTO "run" VALUES(12,'01a20769-80a9-7235-94d8-806b5302281f','rival','pending','{"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}',NULL,NULL,NULL,1795420684457,1795420684457,NULL,NULL);
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
INSERT INTO "run_data" VALUES(1,'01a20769-7ee5-7db7-9a93-caf214f91a6b','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7ee2-7b43-bafe-5911bc07baf7','page.1','[0,1000.0]','[]',NULL,1795420684005,1795420684005);
INSERT INTO "run_data" VALUES(3,'01a20769-7ef2-7cad-affa-92b388cc859b','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7eea-7ca0-9a39-f583e522529f','page.1','[1,1000.0]','["raw"]',NULL,1795420684018,1795420684018);
INSERT INTO "run_data" VALUES(4,'01a20769-7ef4-7186-a4a9-beb860de52ee','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7eea-7ca0-9a39-f583e522529f','of.1','[1,1000.0]','["raw"]',NULL,1795420684020,1795420684020);
INSERT INTO "run_data" VALUES(5,'01a20769-7efd-75e1-93fb-edd77c558307','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7ef6-7415-a45b-e5b37505c1f5','page.1','[2,1000.0]','["raw","tag2"]',NULL,1795420684029,1795420684029);
INSERT INTO "run_data" VALUES(6,'01a20769-7efe-74d2-98e8-5ff19cc106c4','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7ef6-7415-a45b-e5b37505c1f5','of.2','[2,1000.0]','["raw","tag2"]',NULL,1795420684030,1795420684030);
INSERT INTO "run_data" VALUES(7,'01a20769-7f07-7bb7-a260-8959ad4b1afe','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7f00-7658-92cc-01ce6dbe6439','page.1','[3,1000.0]','[]',NULL,1795420684039,1795420684039);
INSERT INTO "run_data" VALUES(8,'01a20769-7f09-7ebe-9d9c-453a3508f149','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7f00-7658-92cc-01ce6dbe6439','of.3','[3,1000.0]','[]',NULL,1795420684041,1795420684041);
INSERT INTO "run_data" VALUES(9,'01a20769-7f11-7400-9ddb-1def09b164f8','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7f0a-7d77-85ff-bdeab5dfc905','page.1','[4,1000.0]','["raw"]',NULL,1795420684049,1795420684049);
INSERT INTO "run_data" VALUES(10,'01a20769-7f13-75bd-87fb-7aab8986d79a','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7f0a-7d77-85ff-bdeab5dfc905','of.4','[4,1000.0]','["raw"]',NULL,1795420684051,1795420684051);
INSERT INTO "run_data" VALUES(11,'01a20769-7f1c-7129-92bc-2ef93a8ebe77','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7f15-75c8-b406-a644432efb7e','page.1','[5,1000.0]','["raw","tag5"]',NULL,1795420684060,1795420684060);
INSERT INTO "run_data" VALUES(12,'01a20769-7f1e-7942-bc0f-293e25df0878','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7f15-75c8-b406-a644432efb7e','of.5','[5,1000.0]','["raw","tag5"]',NULL,1795420684062,1795420684062);
INSERT INTO "run_data" VALUES(13,'01a20769-7f27-78d5-bf57-b46b3f069605','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7f20-790b-8c4d-02ba3b6b1d77','page.1','[6,1000.0]','[]',NULL,1795420684071,1795420684071);
INSERT INTO "run_data" VALUES(14,'01a20769-7f29-7945-b7a3-939038b6ab98','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7f20-790b-8c4d-02ba3b6b1d77','of.6','[6,1000.0]','["checked"]',NULL,1795420684073,1795420684075);
INSERT INTO "run_data" VALUES(15,'01a20769-7f37-7fab-8ae6-ad232ca48cd2','acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','01a20769-7f30-7a1f-beb2-5945f5c21a95','page.1','[0,1000.0]','[]',NULL,1795420684087,1795420684087);
INSERT INTO "run_data" VALUES(17,'01a20769-7f43-7968-9f28-ce48bb92dd43','acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','01a20769-7f3a-722d-80f8-8e5247eb665b','page.1','[1,1000.0]','["raw"]',NULL,1795420684099,1795420684099);
INSERT INTO "run_data" VALUES(18,'01a20769-7f44-798a-86c9-a602c92b4745','acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','01a20769-7f3a-722d-80f8-8e5247eb665b','of.1','[1,1000.0]','["checked"]',NULL,1795420684100,1795420684102);
INSERT INTO "run_data" VALUES(19,'01a20769-7f53-7419-94c1-4f9843643b67','acme','01a20769-7f4b-7f89-9882-773c83d5c014','01a20769-7f4d-7b80-90a7-768e0d1c13a4','page.1','[0,1000.0]','[]',NULL,1795420684115,1795420684115);
INSERT INTO "run_data" VALUES(21,'01a20769-7f5c-7429-88f0-5128a834bf35','acme','01a20769-7f4b-7f89-9882-773c83d5c014','01a20769-7f56-727b-9403-d4f36e508b3d','page.1','[1,1000.0]','["raw"]',NULL,1795420684124,1795420684124);
INSERT INTO "run_data" VALUES(22,'01a20769-7f5d-7df3-b4e5-35d9073e8b6c','acme','01a20769-7f4b-7f89-9882-773c83d5c014','01a20769-7f56-727b-9403-d4f36e508b3d','of.1','[1,1000.0]','["checked"]',NULL,1795420684125,1795420684127);
INSERT INTO "run_data" VALUES(23,'01a20769-7f6c-7012-91b6-089a521434f0','acme','01a20769-7f65-7921-92cf-a3f0922dd575','01a20769-7f66-73d8-bc4e-82c0e37dfa2c','page.1','[0,1000.0]','[]',NULL,1795420684140,1795420684140);
INSERT INTO "run_data" VALUES(25,'01a20769-7f75-745e-a34c-d11e820b040b','acme','01a20769-7f65-7921-92cf-a3f0922dd575','01a20769-7f6f-7446-8681-f477033adb06','page.1','[1,1000.0]','["raw"]',NULL,1795420684149,1795420684149);
INSERT INTO "run_data" VALUES(26,'01a20769-7f76-789f-8dba-f62a6abc0e65','acme','01a20769-7f65-7921-92cf-a3f0922dd575','01a20769-7f6f-7446-8681-f477033adb06','of.1','[1,1000.0]','["checked"]',NULL,1795420684150,1795420684152);
INSERT INTO "run_data" VALUES(27,'01a20769-7f84-7d61-abfd-590b0e9fe642','acme','01a20769-7f7d-7403-99e6-01b862369aca','01a20769-7f7f-771f-aee7-56ea4457cb74','page.1','[0,1000.0]','[]',NULL,1795420684164,1795420684164);
INSERT INTO "run_data" VALUES(29,'01a20769-7f8f-7877-8257-5001368f3a6b','acme','01a20769-7f7d-7403-99e6-01b862369aca','01a20769-7f87-72ff-9caa-8ba2c0776bce','page.1','[1,1000.0]','["raw"]',NULL,1795420684175,1795420684175);
INSERT INTO "run_data" VALUES(30,'01a20769-7f90-79c1-a935-ef7e72b86696','acme','01a20769-7f7d-7403-99e6-01b862369aca','01a20769-7f87-72ff-9caa-8ba2c0776bce','of.1','[1,1000.0]','["checked"]',NULL,1795420684176,1795420684178);
INSERT INTO "run_data" VALUES(31,'01a20769-800e-7980-a400-beb5d476b7f9','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-800d-7bc2-8d4e-bf20045cdfbc','page.1','[0,1000.0]','[]',NULL,1795420684302,1795420684302);
INSERT INTO "run_data" VALUES(33,'01a20769-8016-7011-956b-2574852a767e','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-8011-7038-95d0-15328e53b70b','page.1','[1,1000.0]','["raw"]',NULL,1795420684310,1795420684310);
INSERT INTO "run_data" VALUES(34,'01a20769-8018-7674-a7a5-b94dc07c2fe5','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-8011-7038-95d0-15328e53b70b','of.1','[1,1000.0]','["raw"]',NULL,1795420684312,1795420684312);
INSERT INTO "run_data" VALUES(35,'01a20769-801f-7048-8a8a-7738b5cadcd3','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-8019-70e2-9329-2ab67b29363c','page.1','[2,1000.0]','["raw","tag2"]',NULL,1795420684319,1795420684319);
INSERT INTO "run_data" VALUES(36,'01a20769-8021-72ff-8010-da49294db990','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-8019-70e2-9329-2ab67b29363c','of.2','[2,1000.0]','["raw","tag2"]',NULL,1795420684321,1795420684321);
INSERT INTO "run_data" VALUES(37,'01a20769-8028-7d50-a702-e3731d0dd7ca','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-8022-74eb-856a-4f7d63529355','page.1','[3,1000.0]','[]',NULL,1795420684328,1795420684328);
INSERT INTO "run_data" VALUES(38,'01a20769-8029-70b9-ac83-f7d09a408ccc','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-8022-74eb-856a-4f7d63529355','of.3','[3,1000.0]','[]',NULL,1795420684329,1795420684329);
INSERT INTO "run_data" VALUES(39,'01a20769-8030-736b-bd17-f3969225f5bc','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-802b-7a71-baa4-ae474c3c7f61','page.1','[4,1000.0]','["raw"]',NULL,1795420684336,1795420684336);
INSERT INTO "run_data" VALUES(40,'01a20769-8031-7128-adfc-1ff6dff950bb','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-802b-7a71-baa4-ae474c3c7f61','of.4','[4,1000.0]','["raw"]',NULL,1795420684338,1795420684338);
INSERT INTO "run_data" VALUES(41,'01a20769-8039-79c8-82c0-e431742e6e2f','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-8033-7068-8700-d64129ba109f','page.1','[5,1000.0]','["raw","tag5"]',NULL,1795420684345,1795420684345);
INSERT INTO "run_data" VALUES(42,'01a20769-803a-7dfb-befa-c595f1a51fb8','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-8033-7068-8700-d64129ba109f','of.5','[5,1000.0]','["raw","tag5"]',NULL,1795420684346,1795420684346);
INSERT INTO "run_data" VALUES(43,'01a20769-8041-7884-b371-ff9858d579c4','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-803b-7cfc-bcd6-3033961689de','page.1','[6,1000.0]','[]',NULL,1795420684353,1795420684353);
INSERT INTO "run_data" VALUES(44,'01a20769-8043-7df2-8848-551a6373871a','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-803b-7cfc-bcd6-3033961689de','of.6','[6,1000.0]','["checked"]',NULL,1795420684355,1795420684356);
INSERT INTO "run_data" VALUES(45,'01a20769-804e-7496-a1ec-126ba708a09a','rival','01a20769-8047-737b-900e-d78f88d58ecf','01a20769-8048-7538-8bc1-c94cb2af140b','page.1','[0,1000.0]','[]',NULL,1795420684366,1795420684366);
INSERT INTO "run_data" VALUES(47,'01a20769-8056-7ba0-901d-3eabc87971e3','rival','01a20769-8047-737b-900e-d78f88d58ecf','01a20769-8050-77de-a924-3eebe638cd4c','page.1','[1,1000.0]','["raw"]',NULL,1795420684374,1795420684374);
INSERT INTO "run_data" VALUES(48,'01a20769-8057-7d91-aa82-630e7782dd66','rival','01a20769-8047-737b-900e-d78f88d58ecf','01a20769-8050-77de-a924-3eebe638cd4c','of.1','[1,1000.0]','["checked"]',NULL,1795420684375,1795420684377);
INSERT INTO "run_data" VALUES(49,'01a20769-8065-7788-b93c-078d64e8f9f9','rival','01a20769-805e-70a2-b2d7-1380b674c7c9','01a20769-805f-708f-8790-9a4766fa5154','page.1','[0,1000.0]','[]',NULL,1795420684389,1795420684389);
INSERT INTO "run_data" VALUES(51,'01a20769-806d-7171-953d-0c987653539d','rival','01a20769-805e-70a2-b2d7-1380b674c7c9','01a20769-8068-7684-813f-e81acdfb4c47','page.1','[1,1000.0]','["raw"]',NULL,1795420684397,1795420684397);
INSERT INTO "run_data" VALUES(52,'01a20769-806f-7a05-9b50-76eefebcc0d1','rival','01a20769-805e-70a2-b2d7-1380b674c7c9','01a20769-8068-7684-813f-e81acdfb4c47','of.1','[1,1000.0]','["checked"]',NULL,1795420684399,1795420684400);
INSERT INTO "run_data" VALUES(53,'01a20769-807d-7bb7-b492-426fa7e91104','rival','01a20769-8076-7ad9-a454-7a58475850bd','01a20769-8077-71ed-815e-fca434502950','page.1','[0,1000.0]','[]',NULL,1795420684413,1795420684413);
INSERT INTO "run_data" VALUES(55,'01a20769-8087-7f0e-9256-7c99f91797e4','rival','01a20769-8076-7ad9-a454-7a58475850bd','01a20769-8081-7f23-a03c-6cfc7947a8e8','page.1','[1,1000.0]','["raw"]',NULL,1795420684423,1795420684423);
INSERT INTO "run_data" VALUES(56,'01a20769-8089-7d5e-89cf-353d6f627a3a','rival','01a20769-8076-7ad9-a454-7a58475850bd','01a20769-8081-7f23-a03c-6cfc7947a8e8','of.1','[1,1000.0]','["checked"]',NULL,1795420684425,1795420684426);
INSERT INTO "run_data" VALUES(57,'01a20769-8097-7703-b457-2a5c7f6b1a38','rival','01a20769-8090-732e-a44b-bf7048f51c70','01a20769-8092-78b7-a8e1-d2a010edd633','page.1','[0,1000.0]','[]',NULL,1795420684439,1795420684439);
INSERT INTO "run_data" VALUES(59,'01a20769-80a0-7a50-89cc-5f60ba8e85d0','rival','01a20769-8090-732e-a44b-bf7048f51c70','01a20769-809a-7fb6-8c07-519ab93b823f','page.1','[1,1000.0]','["raw"]',NULL,1795420684448,1795420684448);
INSERT INTO "run_data" VALUES(60,'01a20769-80a2-7663-8611-67a5ad72ec5c','rival','01a20769-8090-732e-a44b-bf7048f51c70','01a20769-809a-7fb6-8c07-519ab93b823f','of.1','[1,1000.0]','["checked"]',NULL,1795420684450,1795420684451);
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
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.1',4,1795420684020,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.2',6,1795420684030,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.3',8,1795420684041,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.4',10,1795420684051,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.5',12,1795420684062,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.6',14,1795420684073,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','page.1',13,1795420684071,7);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','checked','of.6',14,1795420684073,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','of.1',4,1795420684020,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','of.2',6,1795420684030,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','of.4',10,1795420684051,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','of.5',12,1795420684062,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','page.1',11,1795420684060,4);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','tag2','of.2',6,1795420684030,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','tag2','page.1',5,1795420684029,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','tag5','of.5',12,1795420684062,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','tag5','page.1',11,1795420684060,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','','of.1',18,1795420684100,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','','page.1',17,1795420684099,2);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','checked','of.1',18,1795420684100,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','raw','page.1',17,1795420684099,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','','of.1',22,1795420684125,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','','page.1',21,1795420684124,2);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','checked','of.1',22,1795420684125,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','raw','page.1',21,1795420684124,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','','of.1',26,1795420684150,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','','page.1',25,1795420684149,2);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','checked','of.1',26,1795420684150,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','raw','page.1',25,1795420684149,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','','of.1',30,1795420684176,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','','page.1',29,1795420684175,2);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','checked','of.1',30,1795420684176,1);
INSERT INTO "run_data_latest" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','raw','page.1',29,1795420684175,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.1',34,1795420684312,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.2',36,1795420684321,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.3',38,1795420684329,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.4',40,1795420684338,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.5',42,1795420684346,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.6',44,1795420684355,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','page.1',43,1795420684353,7);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','checked','of.6',44,1795420684355,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','of.1',34,1795420684312,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','of.2',36,1795420684321,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','of.4',40,1795420684338,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','of.5',42,1795420684346,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','page.1',41,1795420684345,4);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','tag2','of.2',36,1795420684321,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','tag2','page.1',35,1795420684319,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','tag5','of.5',42,1795420684346,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','tag5','page.1',41,1795420684345,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','','of.1',48,1795420684375,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','','page.1',47,1795420684374,2);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','checked','of.1',48,1795420684375,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','raw','page.1',47,1795420684374,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','','of.1',52,1795420684399,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','','page.1',51,1795420684397,2);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','checked','of.1',52,1795420684399,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','raw','page.1',51,1795420684397,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','','of.1',56,1795420684425,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','','page.1',55,1795420684423,2);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','checked','of.1',56,1795420684425,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','raw','page.1',55,1795420684423,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','','of.1',60,1795420684450,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','','page.1',59,1795420684448,2);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','checked','of.1',60,1795420684450,1);
INSERT INTO "run_data_latest" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','raw','page.1',59,1795420684448,1);
CREATE TABLE run_data_tag (
    org_id     TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, run_id, tag, key, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.1',4,1795420684020);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.2',6,1795420684030);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.3',8,1795420684041);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.4',10,1795420684051);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.5',12,1795420684062);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','of.6',14,1795420684073);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','page.1',1,1795420684005);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','page.1',3,1795420684018);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','page.1',5,1795420684029);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','page.1',7,1795420684039);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','page.1',9,1795420684049);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','page.1',11,1795420684060);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','page.1',13,1795420684071);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','checked','of.6',14,1795420684073);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','of.1',4,1795420684020);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','of.2',6,1795420684030);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','of.4',10,1795420684051);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','of.5',12,1795420684062);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','page.1',3,1795420684018);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','page.1',5,1795420684029);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','page.1',9,1795420684049);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','raw','page.1',11,1795420684060);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','tag2','of.2',6,1795420684030);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','tag2','page.1',5,1795420684029);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','tag5','of.5',12,1795420684062);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','tag5','page.1',11,1795420684060);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','','of.1',18,1795420684100);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','','page.1',15,1795420684087);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','','page.1',17,1795420684099);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','checked','of.1',18,1795420684100);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','raw','page.1',17,1795420684099);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','','of.1',22,1795420684125);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','','page.1',19,1795420684115);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','','page.1',21,1795420684124);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','checked','of.1',22,1795420684125);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','raw','page.1',21,1795420684124);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','','of.1',26,1795420684150);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','','page.1',23,1795420684140);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','','page.1',25,1795420684149);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','checked','of.1',26,1795420684150);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','raw','page.1',25,1795420684149);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','','of.1',30,1795420684176);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','','page.1',27,1795420684164);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','','page.1',29,1795420684175);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','checked','of.1',30,1795420684176);
INSERT INTO "run_data_tag" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','raw','page.1',29,1795420684175);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.1',34,1795420684312);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.2',36,1795420684321);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.3',38,1795420684329);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.4',40,1795420684338);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.5',42,1795420684346);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','of.6',44,1795420684355);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','page.1',31,1795420684302);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','page.1',33,1795420684310);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','page.1',35,1795420684319);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','page.1',37,1795420684328);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','page.1',39,1795420684336);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','page.1',41,1795420684345);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','page.1',43,1795420684353);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','checked','of.6',44,1795420684355);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','of.1',34,1795420684312);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','of.2',36,1795420684321);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','of.4',40,1795420684338);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','of.5',42,1795420684346);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','page.1',33,1795420684310);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','page.1',35,1795420684319);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','page.1',39,1795420684336);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','raw','page.1',41,1795420684345);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','tag2','of.2',36,1795420684321);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','tag2','page.1',35,1795420684319);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','tag5','of.5',42,1795420684346);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','tag5','page.1',41,1795420684345);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','','of.1',48,1795420684375);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','','page.1',45,1795420684366);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','','page.1',47,1795420684374);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','checked','of.1',48,1795420684375);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','raw','page.1',47,1795420684374);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','','of.1',52,1795420684399);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','','page.1',49,1795420684389);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','','page.1',51,1795420684397);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','checked','of.1',52,1795420684399);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','raw','page.1',51,1795420684397);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','','of.1',56,1795420684425);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','','page.1',53,1795420684413);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','','page.1',55,1795420684423);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','checked','of.1',56,1795420684425);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','raw','page.1',55,1795420684423);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','','of.1',60,1795420684450);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','','page.1',57,1795420684439);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','','page.1',59,1795420684448);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','checked','of.1',60,1795420684450);
INSERT INTO "run_data_tag" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','raw','page.1',59,1795420684448);
CREATE TABLE run_tally (
    org_id          TEXT    NOT NULL,
    run_id          TEXT    NOT NULL,
    total_tasks     INTEGER NOT NULL DEFAULT 0,
    completed_tasks INTEGER NOT NULL DEFAULT 0,
    failed_tasks    INTEGER NOT NULL DEFAULT 0,
    data_keys       INTEGER NOT NULL DEFAULT 0,
    data_entries    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, run_id),
    FOREIGN KEY (org_id, run_id) REFERENCES run (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO "run_tally" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1',7,1,1,7,13);
INSERT INTO "run_tally" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45',2,0,0,2,3);
INSERT INTO "run_tally" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014',2,1,0,2,3);
INSERT INTO "run_tally" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575',2,1,1,2,3);
INSERT INTO "run_tally" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca',2,0,1,2,3);
INSERT INTO "run_tally" VALUES('acme','01a20769-7f97-7324-a0d6-91ea3dc0fbec',0,0,0,0,0);
INSERT INTO "run_tally" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc',7,1,1,7,13);
INSERT INTO "run_tally" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf',2,0,0,2,3);
INSERT INTO "run_tally" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9',2,1,0,2,3);
INSERT INTO "run_tally" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd',2,1,1,2,3);
INSERT INTO "run_tally" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70',2,0,1,2,3);
INSERT INTO "run_tally" VALUES('rival','01a20769-80a9-7235-94d8-806b5302281f',0,0,0,0,0);
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
INSERT INTO "task" VALUES(1,'01a20769-7ee2-7b43-bafe-5911bc07baf7','acme','01a20769-7edf-7890-abcb-82ee098b0de1',NULL,'fetch','pending','null',NULL,NULL,NULL,0,0,NULL,1795420684002,1795420684002,NULL,NULL,NULL);
INSERT INTO "task" VALUES(2,'01a20769-7eea-7ca0-9a39-f583e522529f','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7ee2-7b43-bafe-5911bc07baf7','parse','queued','null','{"step":"queued"}',NULL,NULL,0,1,NULL,1795420684010,1795420684016,1795420684012,1795420684014,NULL);
INSERT INTO "task" VALUES(3,'01a20769-7ef6-7415-a45b-e5b37505c1f5','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7eea-7ca0-9a39-f583e522529f','fetch','running','null','{"step":"running"}',NULL,NULL,0,2,NULL,1795420684022,1795420684027,1795420684023,1795420684025,NULL);
INSERT INTO "task" VALUES(4,'01a20769-7f00-7658-92cc-01ce6dbe6439','acme','01a20769-7edf-7890-abcb-82ee098b0de1',NULL,'parse','completed','null','{"step":"completed"}',NULL,NULL,0,3,NULL,1795420684032,1795420684037,1795420684034,1795420684035,1795420684037);
INSERT INTO "task" VALUES(5,'01a20769-7f0a-7d77-85ff-bdeab5dfc905','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7f00-7658-92cc-01ce6dbe6439','fetch','failed','null','{"step":"failed"}',NULL,NULL,0,4,NULL,1795420684042,1795420684048,1795420684044,1795420684046,1795420684048);
INSERT INTO "task" VALUES(6,'01a20769-7f15-75c8-b406-a644432efb7e','acme','01a20769-7edf-7890-abcb-82ee098b0de1','01a20769-7f0a-7d77-85ff-bdeab5dfc905','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,5,NULL,1795420684053,1795420684058,1795420684055,1795420684057,1795420684058);
INSERT INTO "task" VALUES(7,'01a20769-7f20-790b-8c4d-02ba3b6b1d77','acme','01a20769-7edf-7890-abcb-82ee098b0de1',NULL,'fetch','retrying','null','{"step":"retrying"}',NULL,NULL,1,6,NULL,1795420684064,1795420684069,1795420684066,1795420684067,NULL);
INSERT INTO "task" VALUES(8,'01a20769-7f30-7a1f-beb2-5945f5c21a95','acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45',NULL,'fetch','queued','null','{"step":"queued"}',NULL,NULL,0,0,NULL,1795420684080,1795420684085,1795420684082,1795420684084,NULL);
INSERT INTO "task" VALUES(9,'01a20769-7f3a-722d-80f8-8e5247eb665b','acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','01a20769-7f30-7a1f-beb2-5945f5c21a95','parse','running','null','{"step":"running"}',NULL,NULL,0,1,NULL,1795420684090,1795420684097,1795420684093,1795420684095,NULL);
INSERT INTO "task" VALUES(10,'01a20769-7f4d-7b80-90a7-768e0d1c13a4','acme','01a20769-7f4b-7f89-9882-773c83d5c014',NULL,'fetch','running','null','{"step":"running"}',NULL,NULL,0,0,NULL,1795420684109,1795420684113,1795420684110,1795420684112,NULL);
INSERT INTO "task" VALUES(11,'01a20769-7f56-727b-9403-d4f36e508b3d','acme','01a20769-7f4b-7f89-9882-773c83d5c014','01a20769-7f4d-7b80-90a7-768e0d1c13a4','parse','completed','null','{"step":"completed"}',NULL,NULL,0,1,NULL,1795420684118,1795420684122,1795420684120,1795420684121,1795420684122);
INSERT INTO "task" VALUES(12,'01a20769-7f66-73d8-bc4e-82c0e37dfa2c','acme','01a20769-7f65-7921-92cf-a3f0922dd575',NULL,'fetch','completed','null','{"step":"completed"}',NULL,NULL,0,0,NULL,1795420684134,1795420684139,1795420684136,1795420684137,1795420684139);
INSERT INTO "task" VALUES(13,'01a20769-7f6f-7446-8681-f477033adb06','acme','01a20769-7f65-7921-92cf-a3f0922dd575','01a20769-7f66-73d8-bc4e-82c0e37dfa2c','parse','failed','null','{"step":"failed"}',NULL,NULL,0,1,NULL,1795420684143,1795420684147,1795420684145,1795420684146,1795420684147);
INSERT INTO "task" VALUES(14,'01a20769-7f7f-771f-aee7-56ea4457cb74','acme','01a20769-7f7d-7403-99e6-01b862369aca',NULL,'fetch','failed','null','{"step":"failed"}',NULL,NULL,0,0,NULL,1795420684159,1795420684163,1795420684160,1795420684162,1795420684163);
INSERT INTO "task" VALUES(15,'01a20769-7f87-72ff-9caa-8ba2c0776bce','acme','01a20769-7f7d-7403-99e6-01b862369aca','01a20769-7f7f-771f-aee7-56ea4457cb74','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,1,NULL,1795420684167,1795420684173,1795420684170,1795420684172,1795420684173);
INSERT INTO "task" VALUES(16,'01a20769-800d-7bc2-8d4e-bf20045cdfbc','rival','01a20769-800b-7e11-8295-efc1163a13bc',NULL,'fetch','pending','null',NULL,NULL,NULL,0,0,NULL,1795420684301,1795420684301,NULL,NULL,NULL);
INSERT INTO "task" VALUES(17,'01a20769-8011-7038-95d0-15328e53b70b','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-800d-7bc2-8d4e-bf20045cdfbc','parse','queued','null','{"step":"queued"}',NULL,NULL,0,1,NULL,1795420684305,1795420684309,1795420684306,1795420684308,NULL);
INSERT INTO "task" VALUES(18,'01a20769-8019-70e2-9329-2ab67b29363c','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-8011-7038-95d0-15328e53b70b','fetch','running','null','{"step":"running"}',NULL,NULL,0,2,NULL,1795420684313,1795420684318,1795420684315,1795420684316,NULL);
INSERT INTO "task" VALUES(19,'01a20769-8022-74eb-856a-4f7d63529355','rival','01a20769-800b-7e11-8295-efc1163a13bc',NULL,'parse','completed','null','{"step":"completed"}',NULL,NULL,0,3,NULL,1795420684322,1795420684326,1795420684324,1795420684325,1795420684326);
INSERT INTO "task" VALUES(20,'01a20769-802b-7a71-baa4-ae474c3c7f61','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-8022-74eb-856a-4f7d63529355','fetch','failed','null','{"step":"failed"}',NULL,NULL,0,4,NULL,1795420684331,1795420684335,1795420684332,1795420684333,1795420684335);
INSERT INTO "task" VALUES(21,'01a20769-8033-7068-8700-d64129ba109f','rival','01a20769-800b-7e11-8295-efc1163a13bc','01a20769-802b-7a71-baa4-ae474c3c7f61','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,5,NULL,1795420684339,1795420684343,1795420684340,1795420684342,1795420684343);
INSERT INTO "task" VALUES(22,'01a20769-803b-7cfc-bcd6-3033961689de','rival','01a20769-800b-7e11-8295-efc1163a13bc',NULL,'fetch','retrying','null','{"step":"retrying"}',NULL,NULL,1,6,NULL,1795420684347,1795420684352,1795420684349,1795420684350,NULL);
INSERT INTO "task" VALUES(23,'01a20769-8048-7538-8bc1-c94cb2af140b','rival','01a20769-8047-737b-900e-d78f88d58ecf',NULL,'fetch','queued','null','{"step":"queued"}',NULL,NULL,0,0,NULL,1795420684360,1795420684364,1795420684362,1795420684363,NULL);
INSERT INTO "task" VALUES(24,'01a20769-8050-77de-a924-3eebe638cd4c','rival','01a20769-8047-737b-900e-d78f88d58ecf','01a20769-8048-7538-8bc1-c94cb2af140b','parse','running','null','{"step":"running"}',NULL,NULL,0,1,NULL,1795420684368,1795420684373,1795420684370,1795420684371,NULL);
INSERT INTO "task" VALUES(25,'01a20769-805f-708f-8790-9a4766fa5154','rival','01a20769-805e-70a2-b2d7-1380b674c7c9',NULL,'fetch','running','null','{"step":"running"}',NULL,NULL,0,0,NULL,1795420684383,1795420684387,1795420684385,1795420684386,NULL);
INSERT INTO "task" VALUES(26,'01a20769-8068-7684-813f-e81acdfb4c47','rival','01a20769-805e-70a2-b2d7-1380b674c7c9','01a20769-805f-708f-8790-9a4766fa5154','parse','completed','null','{"step":"completed"}',NULL,NULL,0,1,NULL,1795420684392,1795420684396,1795420684393,1795420684395,1795420684396);
INSERT INTO "task" VALUES(27,'01a20769-8077-71ed-815e-fca434502950','rival','01a20769-8076-7ad9-a454-7a58475850bd',NULL,'fetch','completed','null','{"step":"completed"}',NULL,NULL,0,0,NULL,1795420684407,1795420684411,1795420684409,1795420684410,1795420684411);
INSERT INTO "task" VALUES(28,'01a20769-8081-7f23-a03c-6cfc7947a8e8','rival','01a20769-8076-7ad9-a454-7a58475850bd','01a20769-8077-71ed-815e-fca434502950','parse','failed','null','{"step":"failed"}',NULL,NULL,0,1,NULL,1795420684417,1795420684421,1795420684418,1795420684420,1795420684421);
INSERT INTO "task" VALUES(29,'01a20769-8092-78b7-a8e1-d2a010edd633','rival','01a20769-8090-732e-a44b-bf7048f51c70',NULL,'fetch','failed','null','{"step":"failed"}',NULL,NULL,0,0,NULL,1795420684434,1795420684438,1795420684435,1795420684437,1795420684438);
INSERT INTO "task" VALUES(30,'01a20769-809a-7fb6-8c07-519ab93b823f','rival','01a20769-8090-732e-a44b-bf7048f51c70','01a20769-8092-78b7-a8e1-d2a010edd633','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,1,NULL,1795420684442,1795420684447,1795420684444,1795420684445,1795420684447);
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
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','pending',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','queued',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','retrying',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','','running',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','fetch','failed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','fetch','pending',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','fetch','retrying',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','fetch','running',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','parse','completed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','parse','queued',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7edf-7890-abcb-82ee098b0de1','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7ee2-7b43-bafe-5911bc07baf7','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7ee2-7b43-bafe-5911bc07baf7','','queued',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7ee2-7b43-bafe-5911bc07baf7','','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7ee2-7b43-bafe-5911bc07baf7','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7ee2-7b43-bafe-5911bc07baf7','parse','queued',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7ee2-7b43-bafe-5911bc07baf7','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7eea-7ca0-9a39-f583e522529f','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7eea-7ca0-9a39-f583e522529f','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7eea-7ca0-9a39-f583e522529f','','running',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7eea-7ca0-9a39-f583e522529f','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7eea-7ca0-9a39-f583e522529f','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7eea-7ca0-9a39-f583e522529f','fetch','running',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f00-7658-92cc-01ce6dbe6439','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f00-7658-92cc-01ce6dbe6439','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f00-7658-92cc-01ce6dbe6439','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f00-7658-92cc-01ce6dbe6439','','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f00-7658-92cc-01ce6dbe6439','fetch','failed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f00-7658-92cc-01ce6dbe6439','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f00-7658-92cc-01ce6dbe6439','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f00-7658-92cc-01ce6dbe6439','fetch','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f0a-7d77-85ff-bdeab5dfc905','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f0a-7d77-85ff-bdeab5dfc905','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f0a-7d77-85ff-bdeab5dfc905','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f0a-7d77-85ff-bdeab5dfc905','','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f0a-7d77-85ff-bdeab5dfc905','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f0a-7d77-85ff-bdeab5dfc905','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f0a-7d77-85ff-bdeab5dfc905','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f0a-7d77-85ff-bdeab5dfc905','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','','queued',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','','running',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','fetch','queued',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','fetch','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f2e-7c62-a0a4-1db6b9e94b45','parse','running',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f30-7a1f-beb2-5945f5c21a95','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f30-7a1f-beb2-5945f5c21a95','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f30-7a1f-beb2-5945f5c21a95','','running',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f30-7a1f-beb2-5945f5c21a95','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f30-7a1f-beb2-5945f5c21a95','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f30-7a1f-beb2-5945f5c21a95','parse','running',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','','running',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','fetch','running',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','parse','completed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4b-7f89-9882-773c83d5c014','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4d-7b80-90a7-768e0d1c13a4','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4d-7b80-90a7-768e0d1c13a4','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4d-7b80-90a7-768e0d1c13a4','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4d-7b80-90a7-768e0d1c13a4','','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4d-7b80-90a7-768e0d1c13a4','parse','completed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4d-7b80-90a7-768e0d1c13a4','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4d-7b80-90a7-768e0d1c13a4','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f4d-7b80-90a7-768e0d1c13a4','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','fetch','completed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','fetch','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','parse','failed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f65-7921-92cf-a3f0922dd575','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f66-73d8-bc4e-82c0e37dfa2c','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f66-73d8-bc4e-82c0e37dfa2c','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f66-73d8-bc4e-82c0e37dfa2c','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f66-73d8-bc4e-82c0e37dfa2c','','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f66-73d8-bc4e-82c0e37dfa2c','parse','failed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f66-73d8-bc4e-82c0e37dfa2c','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f66-73d8-bc4e-82c0e37dfa2c','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f66-73d8-bc4e-82c0e37dfa2c','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','fetch','failed',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','fetch','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7d-7403-99e6-01b862369aca','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7f-771f-aee7-56ea4457cb74','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7f-771f-aee7-56ea4457cb74','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7f-771f-aee7-56ea4457cb74','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7f-771f-aee7-56ea4457cb74','','running',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7f-771f-aee7-56ea4457cb74','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7f-771f-aee7-56ea4457cb74','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7f-771f-aee7-56ea4457cb74','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a20769-7f7f-771f-aee7-56ea4457cb74','parse','running',0);
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
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','pending',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','queued',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','retrying',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','','running',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','fetch','failed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','fetch','pending',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','fetch','retrying',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','fetch','running',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','parse','completed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','parse','queued',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800b-7e11-8295-efc1163a13bc','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-800d-7bc2-8d4e-bf20045cdfbc','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-800d-7bc2-8d4e-bf20045cdfbc','','queued',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800d-7bc2-8d4e-bf20045cdfbc','','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-800d-7bc2-8d4e-bf20045cdfbc','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-800d-7bc2-8d4e-bf20045cdfbc','parse','queued',1);
INSERT INTO "task_count" VALUES('rival','01a20769-800d-7bc2-8d4e-bf20045cdfbc','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8011-7038-95d0-15328e53b70b','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8011-7038-95d0-15328e53b70b','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8011-7038-95d0-15328e53b70b','','running',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8011-7038-95d0-15328e53b70b','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8011-7038-95d0-15328e53b70b','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8011-7038-95d0-15328e53b70b','fetch','running',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8022-74eb-856a-4f7d63529355','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8022-74eb-856a-4f7d63529355','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8022-74eb-856a-4f7d63529355','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8022-74eb-856a-4f7d63529355','','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8022-74eb-856a-4f7d63529355','fetch','failed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8022-74eb-856a-4f7d63529355','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8022-74eb-856a-4f7d63529355','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8022-74eb-856a-4f7d63529355','fetch','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-802b-7a71-baa4-ae474c3c7f61','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a20769-802b-7a71-baa4-ae474c3c7f61','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-802b-7a71-baa4-ae474c3c7f61','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-802b-7a71-baa4-ae474c3c7f61','','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-802b-7a71-baa4-ae474c3c7f61','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a20769-802b-7a71-baa4-ae474c3c7f61','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-802b-7a71-baa4-ae474c3c7f61','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-802b-7a71-baa4-ae474c3c7f61','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','','queued',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','','running',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','fetch','queued',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','fetch','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8047-737b-900e-d78f88d58ecf','parse','running',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8048-7538-8bc1-c94cb2af140b','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8048-7538-8bc1-c94cb2af140b','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8048-7538-8bc1-c94cb2af140b','','running',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8048-7538-8bc1-c94cb2af140b','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8048-7538-8bc1-c94cb2af140b','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8048-7538-8bc1-c94cb2af140b','parse','running',1);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','','running',1);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','fetch','running',1);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','parse','completed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805e-70a2-b2d7-1380b674c7c9','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805f-708f-8790-9a4766fa5154','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-805f-708f-8790-9a4766fa5154','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805f-708f-8790-9a4766fa5154','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805f-708f-8790-9a4766fa5154','','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805f-708f-8790-9a4766fa5154','parse','completed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-805f-708f-8790-9a4766fa5154','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805f-708f-8790-9a4766fa5154','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-805f-708f-8790-9a4766fa5154','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','fetch','completed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','fetch','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','parse','failed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8076-7ad9-a454-7a58475850bd','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8077-71ed-815e-fca434502950','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8077-71ed-815e-fca434502950','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8077-71ed-815e-fca434502950','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8077-71ed-815e-fca434502950','','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8077-71ed-815e-fca434502950','parse','failed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8077-71ed-815e-fca434502950','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8077-71ed-815e-fca434502950','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8077-71ed-815e-fca434502950','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','fetch','failed',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','fetch','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8090-732e-a44b-bf7048f51c70','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8092-78b7-a8e1-d2a010edd633','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8092-78b7-a8e1-d2a010edd633','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8092-78b7-a8e1-d2a010edd633','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8092-78b7-a8e1-d2a010edd633','','running',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8092-78b7-a8e1-d2a010edd633','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a20769-8092-78b7-a8e1-d2a010edd633','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8092-78b7-a8e1-d2a010edd633','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a20769-8092-78b7-a8e1-d2a010edd633','parse','running',0);
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
CREATE TRIGGER task_created AFTER INSERT ON task BEGIN
    UPDATE run_tally
    SET total_tasks     = total_tasks + 1,
        completed_tasks = completed_tasks + (new.status = 'completed'),
        failed_tasks    = failed_tasks + (new.status = 'failed')
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
        failed_tasks    = failed_tasks + (new.status = 'failed') - (old.status = 'failed')
    WHERE org_id = new.org_id AND run_id = new.run_id
      AND (new.status IN ('completed', 'failed') OR old.status IN ('completed', 'failed'));

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
        failed_tasks    = failed_tasks - (old.status = 'failed')
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
PRAGMA user_version = 1;
