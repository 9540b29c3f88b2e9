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
INSERT INTO "api_key" VALUES('01a22c95-2c93-7bbb-a4c8-550be3ee99d0','acme','test','revoked',0,'d9b265df2c045c4e','d9b265df2c045c4e5d1c7b24af9b2ed5df83dd70efd4ab3e4b0383c13fe1c190',1796044303507,1796044303509);
INSERT INTO "api_key" VALUES('01a22c95-2c96-7464-862a-b7567466bbff','acme','test',NULL,1,'88017197d899098a','88017197d899098a27b4c765ef638ca69ebdbb4e0fcde9e2397d85412aa852d5',1796044303510,NULL);
INSERT INTO "api_key" VALUES('01a22c95-2c99-76f4-9f4a-f424e8f22e60','acme','test',NULL,0,'f92680f0546f633e','f92680f0546f633e55fd5b9788d9f81ec0055ac05b4851084da109421667ea98',1796044303513,NULL);
INSERT INTO "api_key" VALUES('01a22c95-2c9c-76ee-a0c8-f641c165d02b','rival','test',NULL,0,'5ebbfb73313f0a67','5ebbfb73313f0a674ea1dd6e401b662aea590585eb323c8b8cf6da471eceb762',1796044303516,NULL);
CREATE TABLE org_task_count (
    org_id    TEXT    NOT NULL,
    type      TEXT    NOT NULL,
    pending   INTEGER NOT NULL DEFAULT 0,
    queued    INTEGER NOT NULL DEFAULT 0,
    running   INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    failed    INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    retrying  INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT org_task_count_is_not_negative
        CHECK (min(pending, queued, running, completed, failed, cancelled, retrying) >= 0),
    PRIMARY KEY (org_id, type)
) STRICT, WITHOUT ROWID;
INSERT INTO "org_task_count" VALUES('acme','',1,2,3,3,3,2,1);
INSERT INTO "org_task_count" VALUES('acme','fetch',1,1,2,1,2,0,1);
INSERT INTO "org_task_count" VALUES('acme','parse',0,1,1,2,1,2,0);
INSERT INTO "org_task_count" VALUES('rival','',1,2,3,3,3,2,1);
INSERT INTO "org_task_count" VALUES('rival','fetch',1,1,2,1,2,0,1);
INSERT INTO "org_task_count" VALUES('rival','parse',0,1,1,2,1,2,0);
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
INSERT INTO "run" VALUES(1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','acme','pending','{"text":"ä 😀"}',NULL,NULL,NULL,1796044303542,1796044303542,NULL,NULL);
INSERT INTO "run" VALUES(2,'01a22c95-2d34-7f56-95fd-27a64fad53b4','acme','running','{"text":"ä 😀"}',NULL,'{"code":1}','{"number":1,"name":"Zoë"}',1796044303668,1796044303695,1796044303695,NULL);
INSERT INTO "run" VALUES(3,'01a22c95-2d52-78b5-bad6-5b2385d0c079','acme','completed','{"text":"ä 😀"}',NULL,'{"code":2}',NULL,1796044303698,1796044303726,1796044303725,1796044303726);
INSERT INTO "run" VALUES(4,'01a22c95-2d70-73a1-ac4f-87017984f867','acme','failed','{"text":"ä 😀"}',NULL,'{"code":3}','{"number":3,"name":"Zoë"}',1796044303728,1796044303760,1796044303757,1796044303760);
INSERT INTO "run" VALUES(5,'01a22c95-2d93-7f97-b3bb-06e7692675be','acme','cancelled','{"text":"ä 😀"}',NULL,'{"code":4}',NULL,1796044303763,1796044303824,1796044303821,1796044303824);
INSERT INTO "run" VALUES(6,'01a22c95-2dd2-7074-b4c3-c58670df065e','acme','pending','{"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}',NULL,NULL,NULL,1796044303826,1796044303826,NULL,NULL);
INSERT INTO "run" VALUES(7,'01a22c95-2e61-7ee4-834d-a65466089a17','rival','pending','{"text":"ä 😀"}',NULL,NULL,NULL,1796044303969,1796044303969,NULL,NULL);
INSERT INTO "run" VALUES(8,'01a22c95-2ece-72d6-83c7-1879e922fd15','rival','running','{"text":"ä 😀"}',NULL,'{"code":1}','{"number":1,"name":"Zoë"}',1796044304078,1796044304136,1796044304136,NULL);
INSERT INTO "run" VALUES(9,'01a22c95-2f0d-7955-90c4-f43f873addba','rival','completed','{"text":"ä 😀"}',NULL,'{"code":2}',NULL,1796044304141,1796044304201,1796044304198,1796044304201);
INSERT INTO "run" VALUES(10,'01a22c95-2f4e-769f-a301-32b9787e49a3','rival','failed','{"text":"ä 😀"}',NULL,'{"code":3}','{"number":3,"name":"Zoë"}',1796044304206,1796044304260,1796044304258,1796044304260);
INSERT INTO "run" VALUES(11,'01a22c95-2f86-7cf7-ac95-133f01ed3bf4','rival','cancelled','{"text":"ä 😀"}',NULL,'{"code":4}',NULL,1796044304262,1796044304323,1796044304319,1796044304323);
INSERT INTO "run" VALUES(12,'01a22c95-2fc5-772b-881e-964b810027a1','rival','pending','{"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}',NULL,NULL,NULL,1796044304325,1796044304325,NULL,NULL);
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
    run_seq    INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
    run_id     TEXT    NOT NULL,
    task_id    TEXT    NOT NULL,
    key        TEXT    NOT NULL CONSTRAINT run_data_key_is_not_empty CHECK (key <> ''),
    value      TEXT    NOT NULL CONSTRAINT run_data_value_is_json    CHECK (json_valid(value)),
    tags       TEXT    NOT NULL CONSTRAINT run_data_tags_are_a_list  CHECK (json_type(tags) = 'array'),
    metadata   TEXT             CONSTRAINT run_data_metadata_is_json CHECK (metadata IS NULL OR json_valid(metadata)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (run_seq, id)
) STRICT;
INSERT INTO "run_data" VALUES(1,'01a22c95-2cbc-7e8e-8ec7-783824d94df5','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2cb9-7118-88eb-468bf1db16e7','page.1','[0,1000.0]','[]',NULL,1796044303549,1796044303549);
INSERT INTO "run_data" VALUES(3,'01a22c95-2cd4-725e-841c-9db531286d95','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2cc4-78a0-b93b-27d40cfdfba7','page.1','[1,1000.0]','["raw"]',NULL,1796044303572,1796044303572);
INSERT INTO "run_data" VALUES(4,'01a22c95-2cd7-7d38-99e7-c6bf76c4947b','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2cc4-78a0-b93b-27d40cfdfba7','of.1','[1,1000.0]','["raw"]',NULL,1796044303575,1796044303575);
INSERT INTO "run_data" VALUES(5,'01a22c95-2ce4-778e-b132-fda947597ae0','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2cd9-7035-8e68-a9f68f11c371','page.1','[2,1000.0]','["raw","tag2"]',NULL,1796044303588,1796044303588);
INSERT INTO "run_data" VALUES(6,'01a22c95-2ce8-778a-b9b5-33289f07a0e9','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2cd9-7035-8e68-a9f68f11c371','of.2','[2,1000.0]','["raw","tag2"]',NULL,1796044303592,1796044303592);
INSERT INTO "run_data" VALUES(7,'01a22c95-2cfd-7da9-8884-e1d519116a3f','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2cea-7c35-ad0f-2cdc6d97fd71','page.1','[3,1000.0]','[]',NULL,1796044303613,1796044303613);
INSERT INTO "run_data" VALUES(8,'01a22c95-2d02-7b21-bef3-85ea8f8c7ea7','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2cea-7c35-ad0f-2cdc6d97fd71','of.3','[3,1000.0]','[]',NULL,1796044303618,1796044303618);
INSERT INTO "run_data" VALUES(9,'01a22c95-2d0e-7add-987b-761381bbaab6','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2d04-751b-b446-255ef67dc54d','page.1','[4,1000.0]','["raw"]',NULL,1796044303630,1796044303630);
INSERT INTO "run_data" VALUES(10,'01a22c95-2d12-712b-8521-f589359e04cf','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2d04-751b-b446-255ef67dc54d','of.4','[4,1000.0]','["raw"]',NULL,1796044303634,1796044303634);
INSERT INTO "run_data" VALUES(11,'01a22c95-2d21-7bde-ba4e-74d07750454c','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2d15-78b6-bf91-1b2bbfa63f92','page.1','[5,1000.0]','["raw","tag5"]',NULL,1796044303649,1796044303649);
INSERT INTO "run_data" VALUES(12,'01a22c95-2d23-73f4-ae30-f58dc2e9c4d6','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2d15-78b6-bf91-1b2bbfa63f92','of.5','[5,1000.0]','["raw","tag5"]',NULL,1796044303651,1796044303651);
INSERT INTO "run_data" VALUES(13,'01a22c95-2d2c-7db7-8c06-59560cb4bc96','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2d25-7def-8fe7-f2ee31ba45be','page.1','[6,1000.0]','[]',NULL,1796044303660,1796044303660);
INSERT INTO "run_data" VALUES(14,'01a22c95-2d2e-7ae8-bde1-cd6c567f0b2c','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2d25-7def-8fe7-f2ee31ba45be','of.6','[6,1000.0]','["checked"]',NULL,1796044303662,1796044303664);
INSERT INTO "run_data" VALUES(15,'01a22c95-2d3d-7d89-ae74-530b23e51814','acme',2,'01a22c95-2d34-7f56-95fd-27a64fad53b4','01a22c95-2d35-72ff-8de1-10cceea34e6b','page.1','[0,1000.0]','[]',NULL,1796044303677,1796044303677);
INSERT INTO "run_data" VALUES(17,'01a22c95-2d48-7272-85d8-02973444b335','acme',2,'01a22c95-2d34-7f56-95fd-27a64fad53b4','01a22c95-2d40-770c-bb5f-080f8bc402ea','page.1','[1,1000.0]','["raw"]',NULL,1796044303688,1796044303688);
INSERT INTO "run_data" VALUES(18,'01a22c95-2d49-7594-9f4b-b44b8732a7ae','acme',2,'01a22c95-2d34-7f56-95fd-27a64fad53b4','01a22c95-2d40-770c-bb5f-080f8bc402ea','of.1','[1,1000.0]','["checked"]',NULL,1796044303689,1796044303691);
INSERT INTO "run_data" VALUES(19,'01a22c95-2d5a-73fd-a575-546eba05788d','acme',3,'01a22c95-2d52-78b5-bad6-5b2385d0c079','01a22c95-2d54-7031-a96f-50167617710f','page.1','[0,1000.0]','[]',NULL,1796044303706,1796044303706);
INSERT INTO "run_data" VALUES(21,'01a22c95-2d65-7d16-9526-67c0218b9c66','acme',3,'01a22c95-2d52-78b5-bad6-5b2385d0c079','01a22c95-2d5e-7cfe-80a9-c1aa2a3be340','page.1','[1,1000.0]','["raw"]',NULL,1796044303717,1796044303717);
INSERT INTO "run_data" VALUES(22,'01a22c95-2d67-718c-87f0-78d0daee4d56','acme',3,'01a22c95-2d52-78b5-bad6-5b2385d0c079','01a22c95-2d5e-7cfe-80a9-c1aa2a3be340','of.1','[1,1000.0]','["checked"]',NULL,1796044303719,1796044303721);
INSERT INTO "run_data" VALUES(23,'01a22c95-2d7a-7e3c-86bc-f27c54a105b8','acme',4,'01a22c95-2d70-73a1-ac4f-87017984f867','01a22c95-2d72-7328-b214-199681782c01','page.1','[0,1000.0]','[]',NULL,1796044303738,1796044303738);
INSERT INTO "run_data" VALUES(25,'01a22c95-2d85-7634-aadc-80f2ebccc4bb','acme',4,'01a22c95-2d70-73a1-ac4f-87017984f867','01a22c95-2d7d-78f6-acc0-534f3fc22904','page.1','[1,1000.0]','["raw"]',NULL,1796044303749,1796044303749);
INSERT INTO "run_data" VALUES(26,'01a22c95-2d87-7ef6-bfc3-f371a8c485aa','acme',4,'01a22c95-2d70-73a1-ac4f-87017984f867','01a22c95-2d7d-78f6-acc0-534f3fc22904','of.1','[1,1000.0]','["checked"]',NULL,1796044303751,1796044303753);
INSERT INTO "run_data" VALUES(27,'01a22c95-2daa-775f-83ba-a83f3e81532f','acme',5,'01a22c95-2d93-7f97-b3bb-06e7692675be','01a22c95-2d9e-7420-b8c3-2372ae48dd7d','page.1','[0,1000.0]','[]',NULL,1796044303786,1796044303786);
INSERT INTO "run_data" VALUES(29,'01a22c95-2dc1-7085-95bd-e9ce8e251e85','acme',5,'01a22c95-2d93-7f97-b3bb-06e7692675be','01a22c95-2db3-77b5-b76d-b8bfe404ecc6','page.1','[1,1000.0]','["raw"]',NULL,1796044303809,1796044303809);
INSERT INTO "run_data" VALUES(30,'01a22c95-2dc6-7edd-838d-4f25c854a60f','acme',5,'01a22c95-2d93-7f97-b3bb-06e7692675be','01a22c95-2db3-77b5-b76d-b8bfe404ecc6','of.1','[1,1000.0]','["checked"]',NULL,1796044303814,1796044303816);
INSERT INTO "run_data" VALUES(31,'01a22c95-2e6b-7ae2-9c00-361d3bb9daa7','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e67-7d7f-8f13-d8d879bcdeb7','page.1','[0,1000.0]','[]',NULL,1796044303979,1796044303979);
INSERT INTO "run_data" VALUES(33,'01a22c95-2e7f-783b-973d-90c5c112d67c','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e72-7554-ac8f-68e58f720e0f','page.1','[1,1000.0]','["raw"]',NULL,1796044303999,1796044303999);
INSERT INTO "run_data" VALUES(34,'01a22c95-2e82-71eb-8964-a3d94415b158','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e72-7554-ac8f-68e58f720e0f','of.1','[1,1000.0]','["raw"]',NULL,1796044304002,1796044304002);
INSERT INTO "run_data" VALUES(35,'01a22c95-2e8d-7b66-be06-573fcea0076a','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e86-7f97-8ec3-8ebd110b73e2','page.1','[2,1000.0]','["raw","tag2"]',NULL,1796044304013,1796044304013);
INSERT INTO "run_data" VALUES(36,'01a22c95-2e8e-7c97-819e-d34fe60dc7e5','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e86-7f97-8ec3-8ebd110b73e2','of.2','[2,1000.0]','["raw","tag2"]',NULL,1796044304014,1796044304014);
INSERT INTO "run_data" VALUES(37,'01a22c95-2e97-7908-904e-be9da7090a73','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e90-7b03-9100-88a0bf4765f2','page.1','[3,1000.0]','[]',NULL,1796044304023,1796044304023);
INSERT INTO "run_data" VALUES(38,'01a22c95-2e98-7646-bd69-b9ca68a41234','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e90-7b03-9100-88a0bf4765f2','of.3','[3,1000.0]','[]',NULL,1796044304024,1796044304024);
INSERT INTO "run_data" VALUES(39,'01a22c95-2ea1-7065-885f-1791512d67b6','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e9a-7f69-bbfd-adde64425a52','page.1','[4,1000.0]','["raw"]',NULL,1796044304033,1796044304033);
INSERT INTO "run_data" VALUES(40,'01a22c95-2ea3-704b-9b1c-ba1a3be80074','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e9a-7f69-bbfd-adde64425a52','of.4','[4,1000.0]','["raw"]',NULL,1796044304035,1796044304035);
INSERT INTO "run_data" VALUES(41,'01a22c95-2eac-7bb0-9663-96092258c736','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2ea4-7eb0-a0f3-4cc93c05c84f','page.1','[5,1000.0]','["raw","tag5"]',NULL,1796044304044,1796044304044);
INSERT INTO "run_data" VALUES(42,'01a22c95-2ead-7011-ae40-5cdff922b633','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2ea4-7eb0-a0f3-4cc93c05c84f','of.5','[5,1000.0]','["raw","tag5"]',NULL,1796044304045,1796044304045);
INSERT INTO "run_data" VALUES(43,'01a22c95-2ebe-7925-8056-b9a8811ab6cd','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2eaf-72df-afd9-7cc41647443f','page.1','[6,1000.0]','[]',NULL,1796044304062,1796044304062);
INSERT INTO "run_data" VALUES(44,'01a22c95-2ec2-7c6b-a682-74b4367f448c','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2eaf-72df-afd9-7cc41647443f','of.6','[6,1000.0]','["checked"]',NULL,1796044304066,1796044304070);
INSERT INTO "run_data" VALUES(45,'01a22c95-2ede-72c5-a786-70224319f639','rival',8,'01a22c95-2ece-72d6-83c7-1879e922fd15','01a22c95-2ed0-759c-b75c-baffa9475a31','page.1','[0,1000.0]','[]',NULL,1796044304094,1796044304094);
INSERT INTO "run_data" VALUES(47,'01a22c95-2efa-73d6-aba4-a37bc4a11d05','rival',8,'01a22c95-2ece-72d6-83c7-1879e922fd15','01a22c95-2ee8-74cb-86ba-ed2acfdb4423','page.1','[1,1000.0]','["raw"]',NULL,1796044304122,1796044304122);
INSERT INTO "run_data" VALUES(48,'01a22c95-2efe-7ef1-b9ce-71969f6c07e6','rival',8,'01a22c95-2ece-72d6-83c7-1879e922fd15','01a22c95-2ee8-74cb-86ba-ed2acfdb4423','of.1','[1,1000.0]','["checked"]',NULL,1796044304126,1796044304130);
INSERT INTO "run_data" VALUES(49,'01a22c95-2f1e-724d-949f-6e2bdacc4fd0','rival',9,'01a22c95-2f0d-7955-90c4-f43f873addba','01a22c95-2f0f-7619-8846-02cf6e493ff1','page.1','[0,1000.0]','[]',NULL,1796044304158,1796044304158);
INSERT INTO "run_data" VALUES(51,'01a22c95-2f36-71ff-a808-42bc04898581','rival',9,'01a22c95-2f0d-7955-90c4-f43f873addba','01a22c95-2f24-7585-87b1-d86a1499d85e','page.1','[1,1000.0]','["raw"]',NULL,1796044304182,1796044304182);
INSERT INTO "run_data" VALUES(52,'01a22c95-2f38-72fc-909d-89b444d156a8','rival',9,'01a22c95-2f0d-7955-90c4-f43f873addba','01a22c95-2f24-7585-87b1-d86a1499d85e','of.1','[1,1000.0]','["checked"]',NULL,1796044304184,1796044304190);
INSERT INTO "run_data" VALUES(53,'01a22c95-2f61-7aca-bf75-815f3fd8e586','rival',10,'01a22c95-2f4e-769f-a301-32b9787e49a3','01a22c95-2f51-71c6-bbec-a6a989e1f845','page.1','[0,1000.0]','[]',NULL,1796044304225,1796044304225);
INSERT INTO "run_data" VALUES(55,'01a22c95-2f70-7b17-8f8b-98bd4009f0d0','rival',10,'01a22c95-2f4e-769f-a301-32b9787e49a3','01a22c95-2f64-7eb1-b754-003d9e993d8c','page.1','[1,1000.0]','["raw"]',NULL,1796044304240,1796044304240);
INSERT INTO "run_data" VALUES(56,'01a22c95-2f72-7eb4-b4e8-08205699f543','rival',10,'01a22c95-2f4e-769f-a301-32b9787e49a3','01a22c95-2f64-7eb1-b754-003d9e993d8c','of.1','[1,1000.0]','["checked"]',NULL,1796044304242,1796044304244);
INSERT INTO "run_data" VALUES(57,'01a22c95-2f9e-77c3-b75c-fcc60b1df016','rival',11,'01a22c95-2f86-7cf7-ac95-133f01ed3bf4','01a22c95-2f89-7506-82fa-dd065eed5aab','page.1','[0,1000.0]','[]',NULL,1796044304286,1796044304286);
INSERT INTO "run_data" VALUES(59,'01a22c95-2fb1-7b77-a365-855173238146','rival',11,'01a22c95-2f86-7cf7-ac95-133f01ed3bf4','01a22c95-2fa5-7610-b937-e272a326a996','page.1','[1,1000.0]','["raw"]',NULL,1796044304305,1796044304305);
INSERT INTO "run_data" VALUES(60,'01a22c95-2fb6-7782-81f7-f64ddb68e9ce','rival',11,'01a22c95-2f86-7cf7-ac95-133f01ed3bf4','01a22c95-2fa5-7610-b937-e272a326a996','of.1','[1,1000.0]','["checked"]',NULL,1796044304310,1796044304314);
CREATE TABLE run_data_count (
    run_seq INTEGER NOT NULL PRIMARY KEY,
    keys    INTEGER NOT NULL CONSTRAINT run_data_count_of_keys_is_not_negative    CHECK (keys >= 0),
    entries INTEGER NOT NULL CONSTRAINT run_data_count_of_entries_is_not_negative CHECK (entries >= 0)
) STRICT;
INSERT INTO "run_data_count" VALUES(1,7,13);
INSERT INTO "run_data_count" VALUES(2,2,3);
INSERT INTO "run_data_count" VALUES(3,2,3);
INSERT INTO "run_data_count" VALUES(4,2,3);
INSERT INTO "run_data_count" VALUES(5,2,3);
INSERT INTO "run_data_count" VALUES(7,7,13);
INSERT INTO "run_data_count" VALUES(8,2,3);
INSERT INTO "run_data_count" VALUES(9,2,3);
INSERT INTO "run_data_count" VALUES(10,2,3);
INSERT INTO "run_data_count" VALUES(11,2,3);
CREATE TABLE run_data_latest (
    run_seq    INTEGER NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    entries    INTEGER NOT NULL CONSTRAINT run_data_latest_has_entries CHECK (entries >= 0),
    in_order   INTEGER NOT NULL DEFAULT TRUE CONSTRAINT in_order_is_boolean CHECK (in_order IN (0, 1)),
    PRIMARY KEY (run_seq, tag, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "run_data_latest" VALUES(1,'','of.1',4,1796044303575,1,1);
INSERT INTO "run_data_latest" VALUES(1,'','of.2',6,1796044303592,1,1);
INSERT INTO "run_data_latest" VALUES(1,'','of.3',8,1796044303618,1,1);
INSERT INTO "run_data_latest" VALUES(1,'','of.4',10,1796044303634,1,1);
INSERT INTO "run_data_latest" VALUES(1,'','of.5',12,1796044303651,1,1);
INSERT INTO "run_data_latest" VALUES(1,'','of.6',14,1796044303662,1,1);
INSERT INTO "run_data_latest" VALUES(1,'','page.1',13,1796044303660,7,1);
INSERT INTO "run_data_latest" VALUES(1,'checked','of.6',14,1796044303662,1,1);
INSERT INTO "run_data_latest" VALUES(1,'raw','of.1',4,1796044303575,1,1);
INSERT INTO "run_data_latest" VALUES(1,'raw','of.2',6,1796044303592,1,1);
INSERT INTO "run_data_latest" VALUES(1,'raw','of.4',10,1796044303634,1,1);
INSERT INTO "run_data_latest" VALUES(1,'raw','of.5',12,1796044303651,1,1);
INSERT INTO "run_data_latest" VALUES(1,'raw','page.1',11,1796044303649,4,1);
INSERT INTO "run_data_latest" VALUES(1,'tag2','of.2',6,1796044303592,1,1);
INSERT INTO "run_data_latest" VALUES(1,'tag2','page.1',5,1796044303588,1,1);
INSERT INTO "run_data_latest" VALUES(1,'tag5','of.5',12,1796044303651,1,1);
INSERT INTO "run_data_latest" VALUES(1,'tag5','page.1',11,1796044303649,1,1);
INSERT INTO "run_data_latest" VALUES(2,'','of.1',18,1796044303689,1,1);
INSERT INTO "run_data_latest" VALUES(2,'','page.1',17,1796044303688,2,1);
INSERT INTO "run_data_latest" VALUES(2,'checked','of.1',18,1796044303689,1,1);
INSERT INTO "run_data_latest" VALUES(2,'raw','page.1',17,1796044303688,1,1);
INSERT INTO "run_data_latest" VALUES(3,'','of.1',22,1796044303719,1,1);
INSERT INTO "run_data_latest" VALUES(3,'','page.1',21,1796044303717,2,1);
INSERT INTO "run_data_latest" VALUES(3,'checked','of.1',22,1796044303719,1,1);
INSERT INTO "run_data_latest" VALUES(3,'raw','page.1',21,1796044303717,1,1);
INSERT INTO "run_data_latest" VALUES(4,'','of.1',26,1796044303751,1,1);
INSERT INTO "run_data_latest" VALUES(4,'','page.1',25,1796044303749,2,1);
INSERT INTO "run_data_latest" VALUES(4,'checked','of.1',26,1796044303751,1,1);
INSERT INTO "run_data_latest" VALUES(4,'raw','page.1',25,1796044303749,1,1);
INSERT INTO "run_data_latest" VALUES(5,'','of.1',30,1796044303814,1,1);
INSERT INTO "run_data_latest" VALUES(5,'','page.1',29,1796044303809,2,1);
INSERT INTO "run_data_latest" VALUES(5,'checked','of.1',30,1796044303814,1,1);
INSERT INTO "run_data_latest" VALUES(5,'raw','page.1',29,1796044303809,1,1);
INSERT INTO "run_data_latest" VALUES(7,'','of.1',34,1796044304002,1,1);
INSERT INTO "run_data_latest" VALUES(7,'','of.2',36,1796044304014,1,1);
INSERT INTO "run_data_latest" VALUES(7,'','of.3',38,1796044304024,1,1);
INSERT INTO "run_data_latest" VALUES(7,'','of.4',40,1796044304035,1,1);
INSERT INTO "run_data_latest" VALUES(7,'','of.5',42,1796044304045,1,1);
INSERT INTO "run_data_latest" VALUES(7,'','of.6',44,1796044304066,1,1);
INSERT INTO "run_data_latest" VALUES(7,'','page.1',43,1796044304062,7,1);
INSERT INTO "run_data_latest" VALUES(7,'checked','of.6',44,1796044304066,1,1);
INSERT INTO "run_data_latest" VALUES(7,'raw','of.1',34,1796044304002,1,1);
INSERT INTO "run_data_latest" VALUES(7,'raw','of.2',36,1796044304014,1,1);
INSERT INTO "run_data_latest" VALUES(7,'raw','of.4',40,1796044304035,1,1);
INSERT INTO "run_data_latest" VALUES(7,'raw','of.5',42,1796044304045,1,1);
INSERT INTO "run_data_latest" VALUES(7,'raw','page.1',41,1796044304044,4,1);
INSERT INTO "run_data_latest" VALUES(7,'tag2','of.2',36,1796044304014,1,1);
INSERT INTO "run_data_latest" VALUES(7,'tag2','page.1',35,1796044304013,1,1);
INSERT INTO "run_data_latest" VALUES(7,'tag5','of.5',42,1796044304045,1,1);
INSERT INTO "run_data_latest" VALUES(7,'tag5','page.1',41,1796044304044,1,1);
INSERT INTO "run_data_latest" VALUES(8,'','of.1',48,1796044304126,1,1);
INSERT INTO "run_data_latest" VALUES(8,'','page.1',47,1796044304122,2,1);
INSERT INTO "run_data_latest" VALUES(8,'checked','of.1',48,1796044304126,1,1);
INSERT INTO "run_data_latest" VALUES(8,'raw','page.1',47,1796044304122,1,1);
INSERT INTO "run_data_latest" VALUES(9,'','of.1',52,1796044304184,1,1);
INSERT INTO "run_data_latest" VALUES(9,'','page.1',51,1796044304182,2,1);
INSERT INTO "run_data_latest" VALUES(9,'checked','of.1',52,1796044304184,1,1);
INSERT INTO "run_data_latest" VALUES(9,'raw','page.1',51,1796044304182,1,1);
INSERT INTO "run_data_latest" VALUES(10,'','of.1',56,1796044304242,1,1);
INSERT INTO "run_data_latest" VALUES(10,'','page.1',55,1796044304240,2,1);
INSERT INTO "run_data_latest" VALUES(10,'checked','of.1',56,1796044304242,1,1);
INSERT INTO "run_data_latest" VALUES(10,'raw','page.1',55,1796044304240,1,1);
INSERT INTO "run_data_latest" VALUES(11,'','of.1',60,1796044304310,1,1);
INSERT INTO "run_data_latest" VALUES(11,'','page.1',59,1796044304305,2,1);
INSERT INTO "run_data_latest" VALUES(11,'checked','of.1',60,1796044304310,1,1);
INSERT INTO "run_data_latest" VALUES(11,'raw','page.1',59,1796044304305,1,1);
CREATE TABLE run_data_tag (
    run_seq    INTEGER NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (run_seq, tag, key, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "run_data_tag" VALUES(1,'checked','of.6',14,1796044303662);
INSERT INTO "run_data_tag" VALUES(1,'raw','of.1',4,1796044303575);
INSERT INTO "run_data_tag" VALUES(1,'raw','of.2',6,1796044303592);
INSERT INTO "run_data_tag" VALUES(1,'raw','of.4',10,1796044303634);
INSERT INTO "run_data_tag" VALUES(1,'raw','of.5',12,1796044303651);
INSERT INTO "run_data_tag" VALUES(1,'raw','page.1',3,1796044303572);
INSERT INTO "run_data_tag" VALUES(1,'raw','page.1',5,1796044303588);
INSERT INTO "run_data_tag" VALUES(1,'raw','page.1',9,1796044303630);
INSERT INTO "run_data_tag" VALUES(1,'raw','page.1',11,1796044303649);
INSERT INTO "run_data_tag" VALUES(1,'tag2','of.2',6,1796044303592);
INSERT INTO "run_data_tag" VALUES(1,'tag2','page.1',5,1796044303588);
INSERT INTO "run_data_tag" VALUES(1,'tag5','of.5',12,1796044303651);
INSERT INTO "run_data_tag" VALUES(1,'tag5','page.1',11,1796044303649);
INSERT INTO "run_data_tag" VALUES(2,'checked','of.1',18,1796044303689);
INSERT INTO "run_data_tag" VALUES(2,'raw','page.1',17,1796044303688);
INSERT INTO "run_data_tag" VALUES(3,'checked','of.1',22,1796044303719);
INSERT INTO "run_data_tag" VALUES(3,'raw','page.1',21,1796044303717);
INSERT INTO "run_data_tag" VALUES(4,'checked','of.1',26,1796044303751);
INSERT INTO "run_data_tag" VALUES(4,'raw','page.1',25,1796044303749);
INSERT INTO "run_data_tag" VALUES(5,'checked','of.1',30,1796044303814);
INSERT INTO "run_data_tag" VALUES(5,'raw','page.1',29,1796044303809);
INSERT INTO "run_data_tag" VALUES(7,'checked','of.6',44,1796044304066);
INSERT INTO "run_data_tag" VALUES(7,'raw','of.1',34,1796044304002);
INSERT INTO "run_data_tag" VALUES(7,'raw','of.2',36,1796044304014);
INSERT INTO "run_data_tag" VALUES(7,'raw','of.4',40,1796044304035);
INSERT INTO "run_data_tag" VALUES(7,'raw','of.5',42,1796044304045);
INSERT INTO "run_data_tag" VALUES(7,'raw','page.1',33,1796044303999);
INSERT INTO "run_data_tag" VALUES(7,'raw','page.1',35,1796044304013);
INSERT INTO "run_data_tag" VALUES(7,'raw','page.1',39,1796044304033);
INSERT INTO "run_data_tag" VALUES(7,'raw','page.1',41,1796044304044);
INSERT INTO "run_data_tag" VALUES(7,'tag2','of.2',36,1796044304014);
INSERT INTO "run_data_tag" VALUES(7,'tag2','page.1',35,1796044304013);
INSERT INTO "run_data_tag" VALUES(7,'tag5','of.5',42,1796044304045);
INSERT INTO "run_data_tag" VALUES(7,'tag5','page.1',41,1796044304044);
INSERT INTO "run_data_tag" VALUES(8,'checked','of.1',48,1796044304126);
INSERT INTO "run_data_tag" VALUES(8,'raw','page.1',47,1796044304122);
INSERT INTO "run_data_tag" VALUES(9,'checked','of.1',52,1796044304184);
INSERT INTO "run_data_tag" VALUES(9,'raw','page.1',51,1796044304182);
INSERT INTO "run_data_tag" VALUES(10,'checked','of.1',56,1796044304242);
INSERT INTO "run_data_tag" VALUES(10,'raw','page.1',55,1796044304240);
INSERT INTO "run_data_tag" VALUES(11,'checked','of.1',60,1796044304310);
INSERT INTO "run_data_tag" VALUES(11,'raw','page.1',59,1796044304305);
CREATE TABLE run_task_count (
    run_seq        INTEGER NOT NULL,
    parent_task_id TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    pending        INTEGER NOT NULL DEFAULT 0,
    queued         INTEGER NOT NULL DEFAULT 0,
    running        INTEGER NOT NULL DEFAULT 0,
    completed      INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    cancelled      INTEGER NOT NULL DEFAULT 0,
    retrying       INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT run_task_count_is_not_negative
        CHECK (min(pending, queued, running, completed, failed, cancelled, retrying) >= 0),
    PRIMARY KEY (run_seq, parent_task_id, type)
) STRICT, WITHOUT ROWID;
INSERT INTO "run_task_count" VALUES(1,'','',1,1,1,1,1,1,1);
INSERT INTO "run_task_count" VALUES(1,'','fetch',1,0,1,0,1,0,1);
INSERT INTO "run_task_count" VALUES(1,'','parse',0,1,0,1,0,1,0);
INSERT INTO "run_task_count" VALUES(1,'01a22c95-2cb9-7118-88eb-468bf1db16e7','',0,1,0,0,0,0,0);
INSERT INTO "run_task_count" VALUES(1,'01a22c95-2cb9-7118-88eb-468bf1db16e7','parse',0,1,0,0,0,0,0);
INSERT INTO "run_task_count" VALUES(1,'01a22c95-2cc4-78a0-b93b-27d40cfdfba7','',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(1,'01a22c95-2cc4-78a0-b93b-27d40cfdfba7','fetch',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(1,'01a22c95-2cea-7c35-ad0f-2cdc6d97fd71','',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(1,'01a22c95-2cea-7c35-ad0f-2cdc6d97fd71','fetch',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(1,'01a22c95-2d04-751b-b446-255ef67dc54d','',0,0,0,0,0,1,0);
INSERT INTO "run_task_count" VALUES(1,'01a22c95-2d04-751b-b446-255ef67dc54d','parse',0,0,0,0,0,1,0);
INSERT INTO "run_task_count" VALUES(2,'','',0,1,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(2,'','fetch',0,1,0,0,0,0,0);
INSERT INTO "run_task_count" VALUES(2,'','parse',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(2,'01a22c95-2d35-72ff-8de1-10cceea34e6b','',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(2,'01a22c95-2d35-72ff-8de1-10cceea34e6b','parse',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(3,'','',0,0,1,1,0,0,0);
INSERT INTO "run_task_count" VALUES(3,'','fetch',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(3,'','parse',0,0,0,1,0,0,0);
INSERT INTO "run_task_count" VALUES(3,'01a22c95-2d54-7031-a96f-50167617710f','',0,0,0,1,0,0,0);
INSERT INTO "run_task_count" VALUES(3,'01a22c95-2d54-7031-a96f-50167617710f','parse',0,0,0,1,0,0,0);
INSERT INTO "run_task_count" VALUES(4,'','',0,0,0,1,1,0,0);
INSERT INTO "run_task_count" VALUES(4,'','fetch',0,0,0,1,0,0,0);
INSERT INTO "run_task_count" VALUES(4,'','parse',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(4,'01a22c95-2d72-7328-b214-199681782c01','',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(4,'01a22c95-2d72-7328-b214-199681782c01','parse',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(5,'','',0,0,0,0,1,1,0);
INSERT INTO "run_task_count" VALUES(5,'','fetch',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(5,'','parse',0,0,0,0,0,1,0);
INSERT INTO "run_task_count" VALUES(5,'01a22c95-2d9e-7420-b8c3-2372ae48dd7d','',0,0,0,0,0,1,0);
INSERT INTO "run_task_count" VALUES(5,'01a22c95-2d9e-7420-b8c3-2372ae48dd7d','parse',0,0,0,0,0,1,0);
INSERT INTO "run_task_count" VALUES(7,'','',1,1,1,1,1,1,1);
INSERT INTO "run_task_count" VALUES(7,'','fetch',1,0,1,0,1,0,1);
INSERT INTO "run_task_count" VALUES(7,'','parse',0,1,0,1,0,1,0);
INSERT INTO "run_task_count" VALUES(7,'01a22c95-2e67-7d7f-8f13-d8d879bcdeb7','',0,1,0,0,0,0,0);
INSERT INTO "run_task_count" VALUES(7,'01a22c95-2e67-7d7f-8f13-d8d879bcdeb7','parse',0,1,0,0,0,0,0);
INSERT INTO "run_task_count" VALUES(7,'01a22c95-2e72-7554-ac8f-68e58f720e0f','',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(7,'01a22c95-2e72-7554-ac8f-68e58f720e0f','fetch',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(7,'01a22c95-2e90-7b03-9100-88a0bf4765f2','',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(7,'01a22c95-2e90-7b03-9100-88a0bf4765f2','fetch',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(7,'01a22c95-2e9a-7f69-bbfd-adde64425a52','',0,0,0,0,0,1,0);
INSERT INTO "run_task_count" VALUES(7,'01a22c95-2e9a-7f69-bbfd-adde64425a52','parse',0,0,0,0,0,1,0);
INSERT INTO "run_task_count" VALUES(8,'','',0,1,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(8,'','fetch',0,1,0,0,0,0,0);
INSERT INTO "run_task_count" VALUES(8,'','parse',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(8,'01a22c95-2ed0-759c-b75c-baffa9475a31','',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(8,'01a22c95-2ed0-759c-b75c-baffa9475a31','parse',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(9,'','',0,0,1,1,0,0,0);
INSERT INTO "run_task_count" VALUES(9,'','fetch',0,0,1,0,0,0,0);
INSERT INTO "run_task_count" VALUES(9,'','parse',0,0,0,1,0,0,0);
INSERT INTO "run_task_count" VALUES(9,'01a22c95-2f0f-7619-8846-02cf6e493ff1','',0,0,0,1,0,0,0);
INSERT INTO "run_task_count" VALUES(9,'01a22c95-2f0f-7619-8846-02cf6e493ff1','parse',0,0,0,1,0,0,0);
INSERT INTO "run_task_count" VALUES(10,'','',0,0,0,1,1,0,0);
INSERT INTO "run_task_count" VALUES(10,'','fetch',0,0,0,1,0,0,0);
INSERT INTO "run_task_count" VALUES(10,'','parse',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(10,'01a22c95-2f51-71c6-bbec-a6a989e1f845','',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(10,'01a22c95-2f51-71c6-bbec-a6a989e1f845','parse',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(11,'','',0,0,0,0,1,1,0);
INSERT INTO "run_task_count" VALUES(11,'','fetch',0,0,0,0,1,0,0);
INSERT INTO "run_task_count" VALUES(11,'','parse',0,0,0,0,0,1,0);
INSERT INTO "run_task_count" VALUES(11,'01a22c95-2f89-7506-82fa-dd065eed5aab','',0,0,0,0,0,1,0);
INSERT INTO "run_task_count" VALUES(11,'01a22c95-2f89-7506-82fa-dd065eed5aab','parse',0,0,0,0,0,1,0);
CREATE TABLE schema_migration (
    version         INTEGER NOT NULL PRIMARY KEY,
    applied_at      INTEGER NOT NULL,
    foreman_version TEXT    NOT NULL
) STRICT;
INSERT INTO "schema_migration" VALUES(4,1796044303487,'0.4.0');
CREATE TABLE task (
    seq            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL,
    org_id         TEXT    NOT NULL,
    run_seq        INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
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
    FOREIGN KEY (org_id, parent_task_id) REFERENCES task (org_id, id) ON DELETE CASCADE
) STRICT;
INSERT INTO "task" VALUES(1,'01a22c95-2cb9-7118-88eb-468bf1db16e7','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb',NULL,'fetch','pending','null',NULL,NULL,NULL,0,0,NULL,1796044303546,1796044303546,NULL,NULL,NULL);
INSERT INTO "task" VALUES(2,'01a22c95-2cc4-78a0-b93b-27d40cfdfba7','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2cb9-7118-88eb-468bf1db16e7','parse','queued','null','{"step":"queued"}',NULL,NULL,0,1,NULL,1796044303556,1796044303565,1796044303558,1796044303562,NULL);
INSERT INTO "task" VALUES(3,'01a22c95-2cd9-7035-8e68-a9f68f11c371','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2cc4-78a0-b93b-27d40cfdfba7','fetch','running','null','{"step":"running"}',NULL,NULL,0,2,NULL,1796044303577,1796044303583,1796044303580,1796044303583,NULL);
INSERT INTO "task" VALUES(4,'01a22c95-2cea-7c35-ad0f-2cdc6d97fd71','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb',NULL,'parse','completed','null','{"step":"completed"}',NULL,NULL,0,3,NULL,1796044303594,1796044303609,1796044303603,1796044303606,1796044303609);
INSERT INTO "task" VALUES(5,'01a22c95-2d04-751b-b446-255ef67dc54d','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2cea-7c35-ad0f-2cdc6d97fd71','fetch','failed','null','{"step":"failed"}',NULL,NULL,0,4,NULL,1796044303620,1796044303627,1796044303623,1796044303626,1796044303627);
INSERT INTO "task" VALUES(6,'01a22c95-2d15-78b6-bf91-1b2bbfa63f92','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb','01a22c95-2d04-751b-b446-255ef67dc54d','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,5,NULL,1796044303637,1796044303647,1796044303641,1796044303644,1796044303647);
INSERT INTO "task" VALUES(7,'01a22c95-2d25-7def-8fe7-f2ee31ba45be','acme',1,'01a22c95-2cb6-7649-90fc-f8665f98a6bb',NULL,'fetch','retrying','null','{"step":"retrying"}',NULL,NULL,1,6,NULL,1796044303653,1796044303658,1796044303655,1796044303656,NULL);
INSERT INTO "task" VALUES(8,'01a22c95-2d35-72ff-8de1-10cceea34e6b','acme',2,'01a22c95-2d34-7f56-95fd-27a64fad53b4',NULL,'fetch','queued','null','{"step":"queued"}',NULL,NULL,0,0,NULL,1796044303669,1796044303675,1796044303671,1796044303673,NULL);
INSERT INTO "task" VALUES(9,'01a22c95-2d40-770c-bb5f-080f8bc402ea','acme',2,'01a22c95-2d34-7f56-95fd-27a64fad53b4','01a22c95-2d35-72ff-8de1-10cceea34e6b','parse','running','null','{"step":"running"}',NULL,NULL,0,1,NULL,1796044303680,1796044303684,1796044303682,1796044303684,NULL);
INSERT INTO "task" VALUES(10,'01a22c95-2d54-7031-a96f-50167617710f','acme',3,'01a22c95-2d52-78b5-bad6-5b2385d0c079',NULL,'fetch','running','null','{"step":"running"}',NULL,NULL,0,0,NULL,1796044303700,1796044303703,1796044303702,1796044303703,NULL);
INSERT INTO "task" VALUES(11,'01a22c95-2d5e-7cfe-80a9-c1aa2a3be340','acme',3,'01a22c95-2d52-78b5-bad6-5b2385d0c079','01a22c95-2d54-7031-a96f-50167617710f','parse','completed','null','{"step":"completed"}',NULL,NULL,0,1,NULL,1796044303710,1796044303715,1796044303712,1796044303714,1796044303715);
INSERT INTO "task" VALUES(12,'01a22c95-2d72-7328-b214-199681782c01','acme',4,'01a22c95-2d70-73a1-ac4f-87017984f867',NULL,'fetch','completed','null','{"step":"completed"}',NULL,NULL,0,0,NULL,1796044303730,1796044303736,1796044303732,1796044303734,1796044303736);
INSERT INTO "task" VALUES(13,'01a22c95-2d7d-78f6-acc0-534f3fc22904','acme',4,'01a22c95-2d70-73a1-ac4f-87017984f867','01a22c95-2d72-7328-b214-199681782c01','parse','failed','null','{"step":"failed"}',NULL,NULL,0,1,NULL,1796044303741,1796044303747,1796044303744,1796044303746,1796044303747);
INSERT INTO "task" VALUES(14,'01a22c95-2d9e-7420-b8c3-2372ae48dd7d','acme',5,'01a22c95-2d93-7f97-b3bb-06e7692675be',NULL,'fetch','failed','null','{"step":"failed"}',NULL,NULL,0,0,NULL,1796044303774,1796044303784,1796044303778,1796044303781,1796044303784);
INSERT INTO "task" VALUES(15,'01a22c95-2db3-77b5-b76d-b8bfe404ecc6','acme',5,'01a22c95-2d93-7f97-b3bb-06e7692675be','01a22c95-2d9e-7420-b8c3-2372ae48dd7d','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,1,NULL,1796044303795,1796044303806,1796044303803,1796044303805,1796044303806);
INSERT INTO "task" VALUES(16,'01a22c95-2e67-7d7f-8f13-d8d879bcdeb7','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17',NULL,'fetch','pending','null',NULL,NULL,NULL,0,0,NULL,1796044303975,1796044303975,NULL,NULL,NULL);
INSERT INTO "task" VALUES(17,'01a22c95-2e72-7554-ac8f-68e58f720e0f','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e67-7d7f-8f13-d8d879bcdeb7','parse','queued','null','{"step":"queued"}',NULL,NULL,0,1,NULL,1796044303986,1796044303997,1796044303988,1796044303992,NULL);
INSERT INTO "task" VALUES(18,'01a22c95-2e86-7f97-8ec3-8ebd110b73e2','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e72-7554-ac8f-68e58f720e0f','fetch','running','null','{"step":"running"}',NULL,NULL,0,2,NULL,1796044304006,1796044304009,1796044304008,1796044304009,NULL);
INSERT INTO "task" VALUES(19,'01a22c95-2e90-7b03-9100-88a0bf4765f2','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17',NULL,'parse','completed','null','{"step":"completed"}',NULL,NULL,0,3,NULL,1796044304016,1796044304021,1796044304018,1796044304020,1796044304021);
INSERT INTO "task" VALUES(20,'01a22c95-2e9a-7f69-bbfd-adde64425a52','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e90-7b03-9100-88a0bf4765f2','fetch','failed','null','{"step":"failed"}',NULL,NULL,0,4,NULL,1796044304026,1796044304031,1796044304028,1796044304030,1796044304031);
INSERT INTO "task" VALUES(21,'01a22c95-2ea4-7eb0-a0f3-4cc93c05c84f','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17','01a22c95-2e9a-7f69-bbfd-adde64425a52','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,5,NULL,1796044304036,1796044304042,1796044304038,1796044304040,1796044304042);
INSERT INTO "task" VALUES(22,'01a22c95-2eaf-72df-afd9-7cc41647443f','rival',7,'01a22c95-2e61-7ee4-834d-a65466089a17',NULL,'fetch','retrying','null','{"step":"retrying"}',NULL,NULL,1,6,NULL,1796044304047,1796044304059,1796044304054,1796044304055,NULL);
INSERT INTO "task" VALUES(23,'01a22c95-2ed0-759c-b75c-baffa9475a31','rival',8,'01a22c95-2ece-72d6-83c7-1879e922fd15',NULL,'fetch','queued','null','{"step":"queued"}',NULL,NULL,0,0,NULL,1796044304080,1796044304091,1796044304084,1796044304088,NULL);
INSERT INTO "task" VALUES(24,'01a22c95-2ee8-74cb-86ba-ed2acfdb4423','rival',8,'01a22c95-2ece-72d6-83c7-1879e922fd15','01a22c95-2ed0-759c-b75c-baffa9475a31','parse','running','null','{"step":"running"}',NULL,NULL,0,1,NULL,1796044304104,1796044304116,1796044304109,1796044304116,NULL);
INSERT INTO "task" VALUES(25,'01a22c95-2f0f-7619-8846-02cf6e493ff1','rival',9,'01a22c95-2f0d-7955-90c4-f43f873addba',NULL,'fetch','running','null','{"step":"running"}',NULL,NULL,0,0,NULL,1796044304143,1796044304152,1796044304145,1796044304152,NULL);
INSERT INTO "task" VALUES(26,'01a22c95-2f24-7585-87b1-d86a1499d85e','rival',9,'01a22c95-2f0d-7955-90c4-f43f873addba','01a22c95-2f0f-7619-8846-02cf6e493ff1','parse','completed','null','{"step":"completed"}',NULL,NULL,0,1,NULL,1796044304164,1796044304178,1796044304170,1796044304174,1796044304178);
INSERT INTO "task" VALUES(27,'01a22c95-2f51-71c6-bbec-a6a989e1f845','rival',10,'01a22c95-2f4e-769f-a301-32b9787e49a3',NULL,'fetch','completed','null','{"step":"completed"}',NULL,NULL,0,0,NULL,1796044304209,1796044304221,1796044304211,1796044304216,1796044304221);
INSERT INTO "task" VALUES(28,'01a22c95-2f64-7eb1-b754-003d9e993d8c','rival',10,'01a22c95-2f4e-769f-a301-32b9787e49a3','01a22c95-2f51-71c6-bbec-a6a989e1f845','parse','failed','null','{"step":"failed"}',NULL,NULL,0,1,NULL,1796044304228,1796044304238,1796044304232,1796044304236,1796044304238);
INSERT INTO "task" VALUES(29,'01a22c95-2f89-7506-82fa-dd065eed5aab','rival',11,'01a22c95-2f86-7cf7-ac95-133f01ed3bf4',NULL,'fetch','failed','null','{"step":"failed"}',NULL,NULL,0,0,NULL,1796044304265,1796044304281,1796044304274,1796044304278,1796044304281);
INSERT INTO "task" VALUES(30,'01a22c95-2fa5-7610-b937-e272a326a996','rival',11,'01a22c95-2f86-7cf7-ac95-133f01ed3bf4','01a22c95-2f89-7506-82fa-dd065eed5aab','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,1,NULL,1796044304293,1796044304300,1796044304297,1796044304299,1796044304300);
CREATE UNIQUE INDEX api_key_by_hash_prefix ON api_key (hash_prefix);
CREATE INDEX run_by_created_at   ON run (org_id, status, (started_at IS NULL), created_at);
CREATE INDEX run_by_updated_at   ON run (org_id, status, updated_at);
CREATE INDEX run_by_started_at   ON run (org_id, status, started_at)   WHERE started_at IS NOT NULL;
CREATE INDEX run_by_completed_at ON run (org_id, status, completed_at) WHERE completed_at IS NOT NULL;
CREATE TRIGGER run_created AFTER INSERT ON run BEGIN
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
    DELETE FROM run_task_count WHERE run_seq = old.seq;
    DELETE FROM run_data_count WHERE run_seq = old.seq;
END;
CREATE INDEX task_by_updated_at   ON task (org_id, updated_at);
CREATE INDEX task_by_started_at   ON task (org_id, started_at)   WHERE started_at IS NOT NULL;
CREATE INDEX task_by_completed_at ON task (org_id, completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX task_by_status       ON task (org_id, status, (started_at IS NULL), created_at);
CREATE INDEX task_by_type         ON task (org_id, type, status, created_at);
CREATE INDEX task_by_run          ON task (run_seq, status, created_at);
CREATE INDEX task_by_run_and_type ON task (run_seq, type, status, created_at);
CREATE INDEX task_by_parent       ON task (org_id, parent_task_id, created_at) WHERE parent_task_id IS NOT NULL;
CREATE TRIGGER task_created AFTER INSERT ON task BEGIN
    INSERT INTO org_task_count (org_id, type)
    VALUES (new.org_id, ''), (new.org_id, new.type)
    ON CONFLICT DO NOTHING;
    UPDATE org_task_count
    SET pending   = pending + (new.status = 'pending'),
        queued    = queued + (new.status = 'queued'),
        running   = running + (new.status = 'running'),
        completed = completed + (new.status = 'completed'),
        failed    = failed + (new.status = 'failed'),
        cancelled = cancelled + (new.status = 'cancelled'),
        retrying  = retrying + (new.status = 'retrying')
    WHERE org_id = new.org_id AND type IN ('', new.type);

    INSERT INTO run_task_count (run_seq, parent_task_id, type)
    VALUES (new.run_seq, '', ''), (new.run_seq, '', new.type),
           (new.run_seq, coalesce(new.parent_task_id, ''), ''),
           (new.run_seq, coalesce(new.parent_task_id, ''), new.type)
    ON CONFLICT DO NOTHING;
    UPDATE run_task_count
    SET pending   = pending + (new.status = 'pending'),
        queued    = queued + (new.status = 'queued'),
        running   = running + (new.status = 'running'),
        completed = completed + (new.status = 'completed'),
        failed    = failed + (new.status = 'failed'),
        cancelled = cancelled + (new.status = 'cancelled'),
        retrying  = retrying + (new.status = 'retrying')
    WHERE run_seq = new.run_seq AND parent_task_id IN ('', new.parent_task_id) AND type IN ('', new.type);
END;
CREATE TRIGGER task_changed_status AFTER UPDATE OF status ON task WHEN old.status <> new.status BEGIN
    UPDATE org_task_count
    SET pending   = pending + (new.status = 'pending') - (old.status = 'pending'),
        queued    = queued + (new.status = 'queued') - (old.status = 'queued'),
        running   = running + (new.status = 'running') - (old.status = 'running'),
        completed = completed + (new.status = 'completed') - (old.status = 'completed'),
        failed    = failed + (new.status = 'failed') - (old.status = 'failed'),
        cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled'),
        retrying  = retrying + (new.status = 'retrying') - (old.status = 'retrying')
    WHERE org_id = new.org_id AND type IN ('', new.type);

    UPDATE run_task_count
    SET pending   = pending + (new.status = 'pending') - (old.status = 'pending'),
        queued    = queued + (new.status = 'queued') - (old.status = 'queued'),
        running   = running + (new.status = 'running') - (old.status = 'running'),
        completed = completed + (new.status = 'completed') - (old.status = 'completed'),
        failed    = failed + (new.status = 'failed') - (old.status = 'failed'),
        cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled'),
        retrying  = retrying + (new.status = 'retrying') - (old.status = 'retrying')
    WHERE run_seq = new.run_seq AND parent_task_id IN ('', new.parent_task_id) AND type IN ('', new.type);
END;
CREATE TRIGGER task_deleted AFTER DELETE ON task BEGIN
    UPDATE org_task_count
    SET pending   = pending - (old.status = 'pending'),
        queued    = queued - (old.status = 'queued'),
        running   = running - (old.status = 'running'),
        completed = completed - (old.status = 'completed'),
        failed    = failed - (old.status = 'failed'),
        cancelled = cancelled - (old.status = 'cancelled'),
        retrying  = retrying - (old.status = 'retrying')
    WHERE org_id = old.org_id AND type IN ('', old.type);
    DELETE FROM org_task_count
    WHERE org_id = old.org_id AND type IN ('', old.type)
      AND pending + queued + running + completed + failed + cancelled + retrying = 0;

    UPDATE run_task_count
    SET pending   = pending - (old.status = 'pending'),
        queued    = queued - (old.status = 'queued'),
        running   = running - (old.status = 'running'),
        completed = completed - (old.status = 'completed'),
        failed    = failed - (old.status = 'failed'),
        cancelled = cancelled - (old.status = 'cancelled'),
        retrying  = retrying - (old.status = 'retrying')
    WHERE run_seq = old.run_seq AND parent_task_id IN ('', old.parent_task_id) AND type IN ('', old.type);
    DELETE FROM run_task_count
    WHERE run_seq = old.run_seq AND parent_task_id IN ('', old.parent_task_id) AND type IN ('', old.type)
      AND pending + queued + running + completed + failed + cancelled + retrying = 0;
END;
CREATE TRIGGER run_data_task_is_of_the_run BEFORE INSERT ON run_data BEGIN
    SELECT raise(ABORT, 'the task of an entry must be in its run')
    WHERE NOT EXISTS (SELECT 1 FROM task WHERE org_id = new.org_id AND id = new.task_id AND run_seq = new.run_seq);
END;
CREATE INDEX run_data_by_created_at ON run_data (run_seq, (updated_at = created_at), created_at);
CREATE INDEX run_data_by_key        ON run_data (run_seq, key, created_at);
CREATE INDEX run_data_by_updated_at ON run_data (run_seq, updated_at) WHERE updated_at <> created_at;
CREATE INDEX run_data_latest_by_created_at ON run_data_latest (run_seq, created_at, seq) WHERE tag = '';
CREATE TRIGGER run_data_created AFTER INSERT ON run_data BEGIN
    INSERT INTO run_data_count (run_seq, keys, entries) VALUES (new.run_seq, 0, 1)
        ON CONFLICT (run_seq) DO UPDATE SET entries = entries + 1;

    INSERT INTO run_data_latest (run_seq, tag, key, seq, created_at, entries)
    VALUES (new.run_seq, '', new.key, new.seq, new.created_at, 1)
    ON CONFLICT (run_seq, tag, key) DO UPDATE
    SET entries    = entries + 1,
        in_order   = in_order AND excluded.seq > seq AND excluded.created_at >= created_at,
        created_at = iif(excluded.seq > seq, excluded.created_at, created_at),
        seq        = max(excluded.seq, seq);

    INSERT INTO run_data_tag (run_seq, tag, key, seq, created_at)
    SELECT new.run_seq, tag.value, new.key, new.seq, new.created_at FROM json_each(new.tags) AS tag;
END;
CREATE TRIGGER run_data_changed_tags AFTER UPDATE OF tags ON run_data WHEN old.tags <> new.tags BEGIN
    DELETE FROM run_data_tag
    WHERE run_seq = old.run_seq AND key = old.key AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags) EXCEPT SELECT value FROM json_each(new.tags));
    INSERT INTO run_data_tag (run_seq, tag, key, seq, created_at)
    SELECT new.run_seq, tag.value, new.key, new.seq, new.created_at
    FROM (SELECT value FROM json_each(new.tags) EXCEPT SELECT value FROM json_each(old.tags)) AS tag;
END;
CREATE TRIGGER run_data_deleted AFTER DELETE ON run_data BEGIN
    UPDATE run_data_count SET entries = entries - 1 WHERE run_seq = old.run_seq;

    DELETE FROM run_data_latest WHERE run_seq = old.run_seq AND tag = '' AND key = old.key AND entries = 1;
    UPDATE run_data_latest SET entries = entries - 1 WHERE run_seq = old.run_seq AND tag = '' AND key = old.key;
    UPDATE run_data_latest
    SET (seq, created_at) = (
        SELECT newest.seq, newest.created_at
        FROM run_data AS newest
        WHERE newest.run_seq = old.run_seq AND newest.key = old.key
        ORDER BY newest.created_at DESC, newest.seq DESC
        LIMIT 1
    )
    WHERE run_seq = old.run_seq AND tag = '' AND key = old.key AND seq = old.seq AND in_order;
    -- The plus: else SQLite might look for the key in all entries, newest first.
    UPDATE run_data_latest
    SET (seq, created_at) = (
        SELECT newest.seq, newest.created_at
        FROM run_data AS newest
        WHERE newest.seq = (SELECT max(+seq) FROM run_data WHERE run_seq = old.run_seq AND key = old.key)
    )
    WHERE run_seq = old.run_seq AND tag = '' AND key = old.key AND seq = old.seq AND NOT in_order;

    DELETE FROM run_data_tag
    WHERE run_seq = old.run_seq AND key = old.key AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags));
END;
CREATE TRIGGER run_data_key_added AFTER INSERT ON run_data_latest WHEN new.tag = '' BEGIN
    UPDATE run_data_count SET keys = keys + 1 WHERE run_seq = new.run_seq;
END;
CREATE TRIGGER run_data_key_removed AFTER DELETE ON run_data_latest WHEN old.tag = '' BEGIN
    UPDATE run_data_count SET keys = keys - 1 WHERE run_seq = old.run_seq;
END;
CREATE TRIGGER run_data_tag_added AFTER INSERT ON run_data_tag BEGIN
    INSERT INTO run_data_latest (run_seq, tag, key, seq, created_at, entries)
    VALUES (new.run_seq, new.tag, new.key, new.seq, new.created_at, 1)
    ON CONFLICT (run_seq, tag, key) DO UPDATE
    SET entries    = entries + 1,
        created_at = iif(excluded.seq > seq, excluded.created_at, created_at),
        seq        = max(excluded.seq, seq);
END;
CREATE TRIGGER run_data_tag_removed AFTER DELETE ON run_data_tag BEGIN
    DELETE FROM run_data_latest
    WHERE run_seq = old.run_seq AND tag = old.tag AND key = old.key AND entries = 1;

    UPDATE run_data_latest
    SET entries = entries - 1
    WHERE run_seq = old.run_seq AND tag = old.tag AND key = old.key;

    UPDATE run_data_latest
    SET (seq, created_at) = (
        SELECT remaining.seq, remaining.created_at
        FROM run_data_tag AS remaining
        WHERE remaining.run_seq = old.run_seq AND remaining.tag = old.tag AND remaining.key = old.key
        ORDER BY remaining.seq DESC
        LIMIT 1
    )
    WHERE run_seq = old.run_seq AND tag = old.tag AND key = old.key AND seq = old.seq;
END;
COMMIT;
PRAGMA application_id = 1179468110;
PRAGMA user_version = 4;
