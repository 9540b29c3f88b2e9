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
INSERT INTO "api_key" VALUES('01a21243-e6c4-7d2c-b13d-c3f9f6aabb98','acme','test','revoked',0,'1dd7a9285cf9c9fc','1dd7a9285cf9c9fce49e6e6c002b13925dd72c1ea34e3aa149636ac5f7ffd5c4',1795602769604,1795602769608);
INSERT INTO "api_key" VALUES('01a21243-e6cb-7653-9da2-6a4c534b828a','acme','test',NULL,1,'d255f39fc1dd26d2','d255f39fc1dd26d2574b7da918b9402e55f552b709ad42a4928d621f4b00baaa',1795602769611,NULL);
INSERT INTO "api_key" VALUES('01a21243-e6cf-75ab-8a94-3e1bae17c08d','acme','test',NULL,0,'3321be460af4c69a','3321be460af4c69a597ba210bbce30c3c25e79878eae84ac93d2a79760506afe',1795602769615,NULL);
INSERT INTO "api_key" VALUES('01a21243-e6d3-765d-9fe1-28ddc300c77e','rival','test',NULL,0,'8f04fc180df1384d','8f04fc180df1384dd6a65913024daa42da2d9f14a1ea34c2c7cb423565e80b8e',1795602769619,NULL);
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
INSERT INTO "run" VALUES(1,'01a21243-e714-750c-8e08-1aa19e3826b5','acme','pending','{"text":"ä 😀"}',NULL,NULL,NULL,1795602769684,1795602769684,NULL,NULL);
INSERT INTO "run" VALUES(2,'01a21243-e892-754f-b11a-7c32ad59c5f8','acme','running','{"text":"ä 😀"}',NULL,'{"code":1}','{"number":1,"name":"Zoë"}',1795602770066,1795602770218,1795602770212,NULL);
INSERT INTO "run" VALUES(3,'01a21243-e937-7f89-9821-05a389bfd597','acme','completed','{"text":"ä 😀"}',NULL,'{"code":2}',NULL,1795602770231,1795602770360,1795602770354,1795602770360);
INSERT INTO "run" VALUES(4,'01a21243-e9c3-7620-88be-c19e62189e1a','acme','failed','{"text":"ä 😀"}',NULL,'{"code":3}','{"number":3,"name":"Zoë"}',1795602770371,1795602770539,1795602770531,1795602770539);
INSERT INTO "run" VALUES(5,'01a21243-ea72-7622-932e-f737bfe2936e','acme','cancelled','{"text":"ä 😀"}',NULL,'{"code":4}',NULL,1795602770546,1795602770664,1795602770660,1795602770664);
INSERT INTO "run" VALUES(6,'01a21243-eaec-75e6-a64d-7b37126ad32f','acme','pending','{"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}',NULL,NULL,NULL,1795602770668,1795602770668,NULL,NULL);
INSERT INTO "run" VALUES(7,'01a21243-ec18-73bf-8495-7773e5eb59a0','rival','pending','{"text":"ä 😀"}',NULL,NULL,NULL,1795602770968,1795602770968,NULL,NULL);
INSERT INTO "run" VALUES(8,'01a21243-ed35-7009-a459-8e067eeabdfa','rival','running','{"text":"ä 😀"}',NULL,'{"code":1}','{"number":1,"name":"Zoë"}',1795602771253,1795602771350,1795602771346,NULL);
INSERT INTO "run" VALUES(9,'01a21243-ed9e-7efb-93e4-a9a40caf550f','rival','completed','{"text":"ä 😀"}',NULL,'{"code":2}',NULL,1795602771358,1795602771466,1795602771457,1795602771466);
INSERT INTO "run" VALUES(10,'01a21243-ee0d-76cb-b605-6adf8362a6ba','rival','failed','{"text":"ä 😀"}',NULL,'{"code":3}','{"number":3,"name":"Zoë"}',1795602771469,1795602771594,1795602771586,1795602771594);
INSERT INTO "run" VALUES(11,'01a21243-ee90-7d97-8d15-f4d66402847c','rival','cancelled','{"text":"ä 😀"}',NULL,'{"code":4}',NULL,1795602771600,1795602771728,1795602771723,1795602771728);
INSERT INTO "run" VALUES(12,'01a21243-ef16-7328-a5ad-05052a47ab41','rival','pending','{"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}',NULL,NULL,NULL,1795602771734,1795602771734,NULL,NULL);
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
INSERT INTO "run_data" VALUES(1,'01a21243-e725-778b-bd9c-75311a2e13be','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e71f-796c-a5b8-3ffab0e4c0f3','page.1','[0,1000.0]','[]',NULL,1795602769701,1795602769701);
INSERT INTO "run_data" VALUES(3,'01a21243-e75d-7d93-843f-bf0d2bcc5b9a','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e736-725b-a399-82eb41d460c9','page.1','[1,1000.0]','["raw"]',NULL,1795602769757,1795602769757);
INSERT INTO "run_data" VALUES(4,'01a21243-e761-7395-b150-43855ed85ca5','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e736-725b-a399-82eb41d460c9','of.1','[1,1000.0]','["raw"]',NULL,1795602769761,1795602769761);
INSERT INTO "run_data" VALUES(5,'01a21243-e78e-74c7-807a-d0ae62f41785','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e76a-7f9a-b042-5688dfedae80','page.1','[2,1000.0]','["raw","tag2"]',NULL,1795602769806,1795602769806);
INSERT INTO "run_data" VALUES(6,'01a21243-e793-779a-b6be-804949543717','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e76a-7f9a-b042-5688dfedae80','of.2','[2,1000.0]','["raw","tag2"]',NULL,1795602769811,1795602769811);
INSERT INTO "run_data" VALUES(7,'01a21243-e7bf-768a-b3a3-48de507c21e5','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e79d-7312-9e77-33b5eff45acc','page.1','[3,1000.0]','[]',NULL,1795602769855,1795602769855);
INSERT INTO "run_data" VALUES(8,'01a21243-e7d4-7b4b-ae93-4eb3c7be7100','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e79d-7312-9e77-33b5eff45acc','of.3','[3,1000.0]','[]',NULL,1795602769876,1795602769876);
INSERT INTO "run_data" VALUES(9,'01a21243-e803-7508-ba83-9cac5ccaf25f','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e7df-7ef4-9a3e-96cf70667724','page.1','[4,1000.0]','["raw"]',NULL,1795602769923,1795602769923);
INSERT INTO "run_data" VALUES(10,'01a21243-e80b-7fdd-a8e7-5e401e8afaff','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e7df-7ef4-9a3e-96cf70667724','of.4','[4,1000.0]','["raw"]',NULL,1795602769931,1795602769931);
INSERT INTO "run_data" VALUES(11,'01a21243-e83b-70d2-bb2d-69764c3ddeda','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e810-79d8-951f-5583744cd192','page.1','[5,1000.0]','["raw","tag5"]',NULL,1795602769979,1795602769979);
INSERT INTO "run_data" VALUES(12,'01a21243-e843-76bc-87f9-38747c4872c9','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e810-79d8-951f-5583744cd192','of.5','[5,1000.0]','["raw","tag5"]',NULL,1795602769987,1795602769987);
INSERT INTO "run_data" VALUES(13,'01a21243-e86f-7e9d-adc1-f9141d9b8b88','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e84b-71a2-883d-fed7bf0ea314','page.1','[6,1000.0]','[]',NULL,1795602770031,1795602770031);
INSERT INTO "run_data" VALUES(14,'01a21243-e877-7bcc-a56a-7e79348609e6','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e84b-71a2-883d-fed7bf0ea314','of.6','[6,1000.0]','["checked"]',NULL,1795602770039,1795602770045);
INSERT INTO "run_data" VALUES(15,'01a21243-e8c3-7e8b-9913-0bb99286a3ac','acme','01a21243-e892-754f-b11a-7c32ad59c5f8','01a21243-e89b-7874-bca5-31224a9a28df','page.1','[0,1000.0]','[]',NULL,1795602770115,1795602770115);
INSERT INTO "run_data" VALUES(17,'01a21243-e902-7cf6-bbe9-733fc5a73b91','acme','01a21243-e892-754f-b11a-7c32ad59c5f8','01a21243-e8d7-7198-b186-b143cb822387','page.1','[1,1000.0]','["raw"]',NULL,1795602770178,1795602770178);
INSERT INTO "run_data" VALUES(18,'01a21243-e90b-75ed-a51d-a1b0b310bcc2','acme','01a21243-e892-754f-b11a-7c32ad59c5f8','01a21243-e8d7-7198-b186-b143cb822387','of.1','[1,1000.0]','["checked"]',NULL,1795602770187,1795602770198);
INSERT INTO "run_data" VALUES(19,'01a21243-e967-7887-850e-c648aa64e334','acme','01a21243-e937-7f89-9821-05a389bfd597','01a21243-e942-77fc-a201-487bbb7dcb2a','page.1','[0,1000.0]','[]',NULL,1795602770279,1795602770279);
INSERT INTO "run_data" VALUES(21,'01a21243-e993-7243-a84e-0208bee42d3f','acme','01a21243-e937-7f89-9821-05a389bfd597','01a21243-e977-715b-9ca6-eef7053a0811','page.1','[1,1000.0]','["raw"]',NULL,1795602770323,1795602770323);
INSERT INTO "run_data" VALUES(22,'01a21243-e99b-7464-b3c9-6fe7ab29270e','acme','01a21243-e937-7f89-9821-05a389bfd597','01a21243-e977-715b-9ca6-eef7053a0811','of.1','[1,1000.0]','["checked"]',NULL,1795602770331,1795602770343);
INSERT INTO "run_data" VALUES(23,'01a21243-e9fc-7fa6-9eb7-04b5f9722854','acme','01a21243-e9c3-7620-88be-c19e62189e1a','01a21243-e9cf-7daa-858b-31e5215ae459','page.1','[0,1000.0]','[]',NULL,1795602770428,1795602770428);
INSERT INTO "run_data" VALUES(25,'01a21243-ea3a-73a5-b411-f84b4313835e','acme','01a21243-e9c3-7620-88be-c19e62189e1a','01a21243-ea0e-7c47-affc-cf2ac17585b2','page.1','[1,1000.0]','["raw"]',NULL,1795602770490,1795602770490);
INSERT INTO "run_data" VALUES(26,'01a21243-ea43-7296-8d4c-66eb0f73a5e9','acme','01a21243-e9c3-7620-88be-c19e62189e1a','01a21243-ea0e-7c47-affc-cf2ac17585b2','of.1','[1,1000.0]','["checked"]',NULL,1795602770499,1795602770511);
INSERT INTO "run_data" VALUES(27,'01a21243-eaa1-7095-9e35-b9a7af368f35','acme','01a21243-ea72-7622-932e-f737bfe2936e','01a21243-ea7b-739c-b5b3-b66710bf32d8','page.1','[0,1000.0]','[]',NULL,1795602770593,1795602770593);
INSERT INTO "run_data" VALUES(29,'01a21243-eace-70ea-8593-840b38a46d0d','acme','01a21243-ea72-7622-932e-f737bfe2936e','01a21243-eaaf-7d81-aa74-7c8a66792ab0','page.1','[1,1000.0]','["raw"]',NULL,1795602770638,1795602770638);
INSERT INTO "run_data" VALUES(30,'01a21243-ead2-702c-a568-c6bf6417dbdd','acme','01a21243-ea72-7622-932e-f737bfe2936e','01a21243-eaaf-7d81-aa74-7c8a66792ab0','of.1','[1,1000.0]','["checked"]',NULL,1795602770642,1795602770646);
INSERT INTO "run_data" VALUES(31,'01a21243-ec20-7885-acb8-52d3fad41c7d','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ec1c-7cea-817e-afa185a87c62','page.1','[0,1000.0]','[]',NULL,1795602770976,1795602770976);
INSERT INTO "run_data" VALUES(33,'01a21243-ec3d-7ee4-ae3a-859dd9414f42','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ec2d-79a8-a70f-de76cd60b9ae','page.1','[1,1000.0]','["raw"]',NULL,1795602771005,1795602771005);
INSERT INTO "run_data" VALUES(34,'01a21243-ec46-7a09-8116-d3e70e8b18d3','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ec2d-79a8-a70f-de76cd60b9ae','of.1','[1,1000.0]','["raw"]',NULL,1795602771014,1795602771014);
INSERT INTO "run_data" VALUES(35,'01a21243-ec71-7647-8b19-239494f6405c','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ec4e-78eb-8641-fb44afe7d061','page.1','[2,1000.0]','["raw","tag2"]',NULL,1795602771057,1795602771057);
INSERT INTO "run_data" VALUES(36,'01a21243-ec75-70d1-8294-716de9919d01','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ec4e-78eb-8641-fb44afe7d061','of.2','[2,1000.0]','["raw","tag2"]',NULL,1795602771061,1795602771061);
INSERT INTO "run_data" VALUES(37,'01a21243-ec9e-73c9-bf1f-09d6720efa90','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','page.1','[3,1000.0]','[]',NULL,1795602771102,1795602771102);
INSERT INTO "run_data" VALUES(38,'01a21243-eca6-7319-a468-59ce3f286fdf','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','of.3','[3,1000.0]','[]',NULL,1795602771110,1795602771110);
INSERT INTO "run_data" VALUES(39,'01a21243-ecc2-74ce-a13f-86e36760e83b','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ecad-715b-bc07-d017a1cf0896','page.1','[4,1000.0]','["raw"]',NULL,1795602771138,1795602771138);
INSERT INTO "run_data" VALUES(40,'01a21243-ecc7-7d00-b25f-44f74308dd30','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ecad-715b-bc07-d017a1cf0896','of.4','[4,1000.0]','["raw"]',NULL,1795602771144,1795602771144);
INSERT INTO "run_data" VALUES(41,'01a21243-ecea-719c-87eb-ccb52fce2cb1','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-eccd-7327-894c-283d038de0ef','page.1','[5,1000.0]','["raw","tag5"]',NULL,1795602771178,1795602771178);
INSERT INTO "run_data" VALUES(42,'01a21243-ecf6-7b58-b8ec-6fe3b9e3bc61','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-eccd-7327-894c-283d038de0ef','of.5','[5,1000.0]','["raw","tag5"]',NULL,1795602771190,1795602771190);
INSERT INTO "run_data" VALUES(43,'01a21243-ed19-7788-ae55-2a157f012cab','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ecfc-74df-8b3d-d6215fcc699c','page.1','[6,1000.0]','[]',NULL,1795602771225,1795602771225);
INSERT INTO "run_data" VALUES(44,'01a21243-ed1e-702f-bf92-b25870d0f999','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ecfc-74df-8b3d-d6215fcc699c','of.6','[6,1000.0]','["checked"]',NULL,1795602771230,1795602771238);
INSERT INTO "run_data" VALUES(45,'01a21243-ed56-7781-959f-c912b68da41a','rival','01a21243-ed35-7009-a459-8e067eeabdfa','01a21243-ed39-763a-9710-f0312abbc584','page.1','[0,1000.0]','[]',NULL,1795602771286,1795602771286);
INSERT INTO "run_data" VALUES(47,'01a21243-ed7a-7ae3-84d4-0dc86ebe98f0','rival','01a21243-ed35-7009-a459-8e067eeabdfa','01a21243-ed61-7847-98c5-f7e66211c8ce','page.1','[1,1000.0]','["raw"]',NULL,1795602771322,1795602771322);
INSERT INTO "run_data" VALUES(48,'01a21243-ed7d-7c01-a225-cf0f3c0d6831','rival','01a21243-ed35-7009-a459-8e067eeabdfa','01a21243-ed61-7847-98c5-f7e66211c8ce','of.1','[1,1000.0]','["checked"]',NULL,1795602771325,1795602771332);
INSERT INTO "run_data" VALUES(49,'01a21243-edc2-745b-a2be-b5aac35c9fda','rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','01a21243-eda6-7d47-b098-09f1bf6106f1','page.1','[0,1000.0]','[]',NULL,1795602771394,1795602771394);
INSERT INTO "run_data" VALUES(51,'01a21243-ede8-7f43-802a-9573672766e1','rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','01a21243-edcf-7634-b2e4-ec5823e5695d','page.1','[1,1000.0]','["raw"]',NULL,1795602771432,1795602771432);
INSERT INTO "run_data" VALUES(52,'01a21243-edee-77d9-9922-ae9c55fa2ccc','rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','01a21243-edcf-7634-b2e4-ec5823e5695d','of.1','[1,1000.0]','["checked"]',NULL,1795602771438,1795602771441);
INSERT INTO "run_data" VALUES(53,'01a21243-ee3e-7eff-892f-fd2b58bf2f1f','rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','01a21243-ee1a-7e16-9593-c64092c08e9d','page.1','[0,1000.0]','[]',NULL,1795602771518,1795602771518);
INSERT INTO "run_data" VALUES(55,'01a21243-ee65-79b7-a2fb-541c8bdbb0cb','rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','01a21243-ee4e-728e-83e1-fcd2cfda7808','page.1','[1,1000.0]','["raw"]',NULL,1795602771557,1795602771557);
INSERT INTO "run_data" VALUES(56,'01a21243-ee6e-7bb6-8372-ebf7ec6684ef','rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','01a21243-ee4e-728e-83e1-fcd2cfda7808','of.1','[1,1000.0]','["checked"]',NULL,1795602771566,1795602771571);
INSERT INTO "run_data" VALUES(57,'01a21243-eeb3-7b27-b67e-f63ca9e455b6','rival','01a21243-ee90-7d97-8d15-f4d66402847c','01a21243-ee96-78e9-b11d-18a00ed8a599','page.1','[0,1000.0]','[]',NULL,1795602771635,1795602771635);
INSERT INTO "run_data" VALUES(59,'01a21243-eee4-7983-a70d-acd5d1c47f5f','rival','01a21243-ee90-7d97-8d15-f4d66402847c','01a21243-eec6-7ce8-b9b6-51c5341ea6fa','page.1','[1,1000.0]','["raw"]',NULL,1795602771684,1795602771684);
INSERT INTO "run_data" VALUES(60,'01a21243-eef2-7bc6-a577-c903f9fcaa62','rival','01a21243-ee90-7d97-8d15-f4d66402847c','01a21243-eec6-7ce8-b9b6-51c5341ea6fa','of.1','[1,1000.0]','["checked"]',NULL,1795602771698,1795602771708);
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
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.1',4,1795602769761,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.2',6,1795602769811,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.3',8,1795602769876,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.4',10,1795602769931,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.5',12,1795602769987,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.6',14,1795602770039,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','page.1',13,1795602770031,7);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','checked','of.6',14,1795602770039,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','of.1',4,1795602769761,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','of.2',6,1795602769811,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','of.4',10,1795602769931,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','of.5',12,1795602769987,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','page.1',11,1795602769979,4);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','tag2','of.2',6,1795602769811,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','tag2','page.1',5,1795602769806,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','tag5','of.5',12,1795602769987,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','tag5','page.1',11,1795602769979,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','','of.1',18,1795602770187,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','','page.1',17,1795602770178,2);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','checked','of.1',18,1795602770187,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','raw','page.1',17,1795602770178,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','','of.1',22,1795602770331,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','','page.1',21,1795602770323,2);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','checked','of.1',22,1795602770331,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','raw','page.1',21,1795602770323,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','','of.1',26,1795602770499,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','','page.1',25,1795602770490,2);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','checked','of.1',26,1795602770499,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','raw','page.1',25,1795602770490,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','','of.1',30,1795602770642,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','','page.1',29,1795602770638,2);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','checked','of.1',30,1795602770642,1);
INSERT INTO "run_data_latest" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','raw','page.1',29,1795602770638,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.1',34,1795602771014,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.2',36,1795602771061,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.3',38,1795602771110,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.4',40,1795602771144,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.5',42,1795602771190,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.6',44,1795602771230,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','page.1',43,1795602771225,7);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','checked','of.6',44,1795602771230,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','of.1',34,1795602771014,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','of.2',36,1795602771061,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','of.4',40,1795602771144,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','of.5',42,1795602771190,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','page.1',41,1795602771178,4);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','tag2','of.2',36,1795602771061,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','tag2','page.1',35,1795602771057,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','tag5','of.5',42,1795602771190,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','tag5','page.1',41,1795602771178,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','','of.1',48,1795602771325,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','','page.1',47,1795602771322,2);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','checked','of.1',48,1795602771325,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','raw','page.1',47,1795602771322,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','','of.1',52,1795602771438,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','','page.1',51,1795602771432,2);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','checked','of.1',52,1795602771438,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','raw','page.1',51,1795602771432,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','','of.1',56,1795602771566,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','','page.1',55,1795602771557,2);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','checked','of.1',56,1795602771566,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','raw','page.1',55,1795602771557,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','','of.1',60,1795602771698,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','','page.1',59,1795602771684,2);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','checked','of.1',60,1795602771698,1);
INSERT INTO "run_data_latest" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','raw','page.1',59,1795602771684,1);
CREATE TABLE run_data_tag (
    org_id     TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, run_id, tag, key, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.1',4,1795602769761);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.2',6,1795602769811);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.3',8,1795602769876);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.4',10,1795602769931);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.5',12,1795602769987);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','of.6',14,1795602770039);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','page.1',1,1795602769701);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','page.1',3,1795602769757);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','page.1',5,1795602769806);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','page.1',7,1795602769855);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','page.1',9,1795602769923);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','page.1',11,1795602769979);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','page.1',13,1795602770031);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','checked','of.6',14,1795602770039);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','of.1',4,1795602769761);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','of.2',6,1795602769811);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','of.4',10,1795602769931);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','of.5',12,1795602769987);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','page.1',3,1795602769757);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','page.1',5,1795602769806);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','page.1',9,1795602769923);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','raw','page.1',11,1795602769979);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','tag2','of.2',6,1795602769811);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','tag2','page.1',5,1795602769806);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','tag5','of.5',12,1795602769987);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','tag5','page.1',11,1795602769979);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','','of.1',18,1795602770187);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','','page.1',15,1795602770115);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','','page.1',17,1795602770178);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','checked','of.1',18,1795602770187);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','raw','page.1',17,1795602770178);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','','of.1',22,1795602770331);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','','page.1',19,1795602770279);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','','page.1',21,1795602770323);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','checked','of.1',22,1795602770331);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','raw','page.1',21,1795602770323);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','','of.1',26,1795602770499);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','','page.1',23,1795602770428);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','','page.1',25,1795602770490);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','checked','of.1',26,1795602770499);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','raw','page.1',25,1795602770490);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','','of.1',30,1795602770642);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','','page.1',27,1795602770593);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','','page.1',29,1795602770638);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','checked','of.1',30,1795602770642);
INSERT INTO "run_data_tag" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','raw','page.1',29,1795602770638);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.1',34,1795602771014);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.2',36,1795602771061);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.3',38,1795602771110);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.4',40,1795602771144);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.5',42,1795602771190);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','of.6',44,1795602771230);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','page.1',31,1795602770976);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','page.1',33,1795602771005);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','page.1',35,1795602771057);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','page.1',37,1795602771102);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','page.1',39,1795602771138);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','page.1',41,1795602771178);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','page.1',43,1795602771225);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','checked','of.6',44,1795602771230);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','of.1',34,1795602771014);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','of.2',36,1795602771061);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','of.4',40,1795602771144);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','of.5',42,1795602771190);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','page.1',33,1795602771005);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','page.1',35,1795602771057);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','page.1',39,1795602771138);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','raw','page.1',41,1795602771178);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','tag2','of.2',36,1795602771061);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','tag2','page.1',35,1795602771057);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','tag5','of.5',42,1795602771190);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','tag5','page.1',41,1795602771178);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','','of.1',48,1795602771325);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','','page.1',45,1795602771286);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','','page.1',47,1795602771322);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','checked','of.1',48,1795602771325);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','raw','page.1',47,1795602771322);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','','of.1',52,1795602771438);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','','page.1',49,1795602771394);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','','page.1',51,1795602771432);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','checked','of.1',52,1795602771438);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','raw','page.1',51,1795602771432);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','','of.1',56,1795602771566);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','','page.1',53,1795602771518);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','','page.1',55,1795602771557);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','checked','of.1',56,1795602771566);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','raw','page.1',55,1795602771557);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','','of.1',60,1795602771698);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','','page.1',57,1795602771635);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','','page.1',59,1795602771684);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','checked','of.1',60,1795602771698);
INSERT INTO "run_data_tag" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','raw','page.1',59,1795602771684);
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
INSERT INTO "run_tally" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5',7,1,1,7,13);
INSERT INTO "run_tally" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8',2,0,0,2,3);
INSERT INTO "run_tally" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597',2,1,0,2,3);
INSERT INTO "run_tally" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a',2,1,1,2,3);
INSERT INTO "run_tally" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e',2,0,1,2,3);
INSERT INTO "run_tally" VALUES('acme','01a21243-eaec-75e6-a64d-7b37126ad32f',0,0,0,0,0);
INSERT INTO "run_tally" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0',7,1,1,7,13);
INSERT INTO "run_tally" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa',2,0,0,2,3);
INSERT INTO "run_tally" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f',2,1,0,2,3);
INSERT INTO "run_tally" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba',2,1,1,2,3);
INSERT INTO "run_tally" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c',2,0,1,2,3);
INSERT INTO "run_tally" VALUES('rival','01a21243-ef16-7328-a5ad-05052a47ab41',0,0,0,0,0);
CREATE TABLE schema_migration (
    version         INTEGER NOT NULL PRIMARY KEY,
    applied_at      INTEGER NOT NULL,
    foreman_version TEXT    NOT NULL
) STRICT;
INSERT INTO "schema_migration" VALUES(2,1795602769516,'0.1.0');
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
INSERT INTO "task" VALUES(1,'01a21243-e71f-796c-a5b8-3ffab0e4c0f3','acme','01a21243-e714-750c-8e08-1aa19e3826b5',NULL,'fetch','pending','null',NULL,NULL,NULL,0,0,NULL,1795602769695,1795602769695,NULL,NULL,NULL);
INSERT INTO "task" VALUES(2,'01a21243-e736-725b-a399-82eb41d460c9','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e71f-796c-a5b8-3ffab0e4c0f3','parse','queued','null','{"step":"queued"}',NULL,NULL,0,1,NULL,1795602769718,1795602769750,1795602769730,1795602769738,NULL);
INSERT INTO "task" VALUES(3,'01a21243-e76a-7f9a-b042-5688dfedae80','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e736-725b-a399-82eb41d460c9','fetch','running','null','{"step":"running"}',NULL,NULL,0,2,NULL,1795602769770,1795602769798,1795602769778,1795602769790,NULL);
INSERT INTO "task" VALUES(4,'01a21243-e79d-7312-9e77-33b5eff45acc','acme','01a21243-e714-750c-8e08-1aa19e3826b5',NULL,'parse','completed','null','{"step":"completed"}',NULL,NULL,0,3,NULL,1795602769821,1795602769846,1795602769835,1795602769839,1795602769846);
INSERT INTO "task" VALUES(5,'01a21243-e7df-7ef4-9a3e-96cf70667724','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e79d-7312-9e77-33b5eff45acc','fetch','failed','null','{"step":"failed"}',NULL,NULL,0,4,NULL,1795602769887,1795602769911,1795602769894,1795602769906,1795602769911);
INSERT INTO "task" VALUES(6,'01a21243-e810-79d8-951f-5583744cd192','acme','01a21243-e714-750c-8e08-1aa19e3826b5','01a21243-e7df-7ef4-9a3e-96cf70667724','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,5,NULL,1795602769936,1795602769967,1795602769947,1795602769958,1795602769967);
INSERT INTO "task" VALUES(7,'01a21243-e84b-71a2-883d-fed7bf0ea314','acme','01a21243-e714-750c-8e08-1aa19e3826b5',NULL,'fetch','retrying','null','{"step":"retrying"}',NULL,NULL,1,6,NULL,1795602769995,1795602770020,1795602770003,1795602770014,NULL);
INSERT INTO "task" VALUES(8,'01a21243-e89b-7874-bca5-31224a9a28df','acme','01a21243-e892-754f-b11a-7c32ad59c5f8',NULL,'fetch','queued','null','{"step":"queued"}',NULL,NULL,0,0,NULL,1795602770075,1795602770107,1795602770084,1795602770095,NULL);
INSERT INTO "task" VALUES(9,'01a21243-e8d7-7198-b186-b143cb822387','acme','01a21243-e892-754f-b11a-7c32ad59c5f8','01a21243-e89b-7874-bca5-31224a9a28df','parse','running','null','{"step":"running"}',NULL,NULL,0,1,NULL,1795602770135,1795602770166,1795602770149,1795602770159,NULL);
INSERT INTO "task" VALUES(10,'01a21243-e942-77fc-a201-487bbb7dcb2a','acme','01a21243-e937-7f89-9821-05a389bfd597',NULL,'fetch','running','null','{"step":"running"}',NULL,NULL,0,0,NULL,1795602770242,1795602770271,1795602770251,1795602770260,NULL);
INSERT INTO "task" VALUES(11,'01a21243-e977-715b-9ca6-eef7053a0811','acme','01a21243-e937-7f89-9821-05a389bfd597','01a21243-e942-77fc-a201-487bbb7dcb2a','parse','completed','null','{"step":"completed"}',NULL,NULL,0,1,NULL,1795602770295,1795602770316,1795602770303,1795602770308,1795602770316);
INSERT INTO "task" VALUES(12,'01a21243-e9cf-7daa-858b-31e5215ae459','acme','01a21243-e9c3-7620-88be-c19e62189e1a',NULL,'fetch','completed','null','{"step":"completed"}',NULL,NULL,0,0,NULL,1795602770383,1795602770416,1795602770395,1795602770407,1795602770416);
INSERT INTO "task" VALUES(13,'01a21243-ea0e-7c47-affc-cf2ac17585b2','acme','01a21243-e9c3-7620-88be-c19e62189e1a','01a21243-e9cf-7daa-858b-31e5215ae459','parse','failed','null','{"step":"failed"}',NULL,NULL,0,1,NULL,1795602770446,1795602770479,1795602770458,1795602770464,1795602770479);
INSERT INTO "task" VALUES(14,'01a21243-ea7b-739c-b5b3-b66710bf32d8','acme','01a21243-ea72-7622-932e-f737bfe2936e',NULL,'fetch','failed','null','{"step":"failed"}',NULL,NULL,0,0,NULL,1795602770555,1795602770586,1795602770566,1795602770576,1795602770586);
INSERT INTO "task" VALUES(15,'01a21243-eaaf-7d81-aa74-7c8a66792ab0','acme','01a21243-ea72-7622-932e-f737bfe2936e','01a21243-ea7b-739c-b5b3-b66710bf32d8','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,1,NULL,1795602770607,1795602770629,1795602770619,1795602770625,1795602770629);
INSERT INTO "task" VALUES(16,'01a21243-ec1c-7cea-817e-afa185a87c62','rival','01a21243-ec18-73bf-8495-7773e5eb59a0',NULL,'fetch','pending','null',NULL,NULL,NULL,0,0,NULL,1795602770972,1795602770972,NULL,NULL,NULL);
INSERT INTO "task" VALUES(17,'01a21243-ec2d-79a8-a70f-de76cd60b9ae','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ec1c-7cea-817e-afa185a87c62','parse','queued','null','{"step":"queued"}',NULL,NULL,0,1,NULL,1795602770989,1795602771000,1795602770993,1795602770996,NULL);
INSERT INTO "task" VALUES(18,'01a21243-ec4e-78eb-8641-fb44afe7d061','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ec2d-79a8-a70f-de76cd60b9ae','fetch','running','null','{"step":"running"}',NULL,NULL,0,2,NULL,1795602771022,1795602771050,1795602771031,1795602771037,NULL);
INSERT INTO "task" VALUES(19,'01a21243-ec7e-7c84-8c62-a7a1c039d1a4','rival','01a21243-ec18-73bf-8495-7773e5eb59a0',NULL,'parse','completed','null','{"step":"completed"}',NULL,NULL,0,3,NULL,1795602771070,1795602771090,1795602771079,1795602771086,1795602771090);
INSERT INTO "task" VALUES(20,'01a21243-ecad-715b-bc07-d017a1cf0896','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','fetch','failed','null','{"step":"failed"}',NULL,NULL,0,4,NULL,1795602771117,1795602771133,1795602771121,1795602771130,1795602771133);
INSERT INTO "task" VALUES(21,'01a21243-eccd-7327-894c-283d038de0ef','rival','01a21243-ec18-73bf-8495-7773e5eb59a0','01a21243-ecad-715b-bc07-d017a1cf0896','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,5,NULL,1795602771149,1795602771169,1795602771158,1795602771165,1795602771169);
INSERT INTO "task" VALUES(22,'01a21243-ecfc-74df-8b3d-d6215fcc699c','rival','01a21243-ec18-73bf-8495-7773e5eb59a0',NULL,'fetch','retrying','null','{"step":"retrying"}',NULL,NULL,1,6,NULL,1795602771196,1795602771215,1795602771200,1795602771205,NULL);
INSERT INTO "task" VALUES(23,'01a21243-ed39-763a-9710-f0312abbc584','rival','01a21243-ed35-7009-a459-8e067eeabdfa',NULL,'fetch','queued','null','{"step":"queued"}',NULL,NULL,0,0,NULL,1795602771257,1795602771278,1795602771266,1795602771269,NULL);
INSERT INTO "task" VALUES(24,'01a21243-ed61-7847-98c5-f7e66211c8ce','rival','01a21243-ed35-7009-a459-8e067eeabdfa','01a21243-ed39-763a-9710-f0312abbc584','parse','running','null','{"step":"running"}',NULL,NULL,0,1,NULL,1795602771297,1795602771318,1795602771306,1795602771309,NULL);
INSERT INTO "task" VALUES(25,'01a21243-eda6-7d47-b098-09f1bf6106f1','rival','01a21243-ed9e-7efb-93e4-a9a40caf550f',NULL,'fetch','running','null','{"step":"running"}',NULL,NULL,0,0,NULL,1795602771366,1795602771386,1795602771374,1795602771378,NULL);
INSERT INTO "task" VALUES(26,'01a21243-edcf-7634-b2e4-ec5823e5695d','rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','01a21243-eda6-7d47-b098-09f1bf6106f1','parse','completed','null','{"step":"completed"}',NULL,NULL,0,1,NULL,1795602771407,1795602771427,1795602771414,1795602771418,1795602771427);
INSERT INTO "task" VALUES(27,'01a21243-ee1a-7e16-9593-c64092c08e9d','rival','01a21243-ee0d-76cb-b605-6adf8362a6ba',NULL,'fetch','completed','null','{"step":"completed"}',NULL,NULL,0,0,NULL,1795602771482,1795602771502,1795602771486,1795602771489,1795602771502);
INSERT INTO "task" VALUES(28,'01a21243-ee4e-728e-83e1-fcd2cfda7808','rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','01a21243-ee1a-7e16-9593-c64092c08e9d','parse','failed','null','{"step":"failed"}',NULL,NULL,0,1,NULL,1795602771534,1795602771554,1795602771541,1795602771545,1795602771554);
INSERT INTO "task" VALUES(29,'01a21243-ee96-78e9-b11d-18a00ed8a599','rival','01a21243-ee90-7d97-8d15-f4d66402847c',NULL,'fetch','failed','null','{"step":"failed"}',NULL,NULL,0,0,NULL,1795602771606,1795602771627,1795602771615,1795602771623,1795602771627);
INSERT INTO "task" VALUES(30,'01a21243-eec6-7ce8-b9b6-51c5341ea6fa','rival','01a21243-ee90-7d97-8d15-f4d66402847c','01a21243-ee96-78e9-b11d-18a00ed8a599','parse','cancelled','null','{"step":"cancelled"}',NULL,NULL,0,1,NULL,1795602771654,1795602771679,1795602771662,1795602771670,1795602771679);
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
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','pending',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','queued',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','retrying',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','','running',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','fetch','failed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','fetch','pending',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','fetch','retrying',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','fetch','running',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','parse','completed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','parse','queued',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e714-750c-8e08-1aa19e3826b5','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e71f-796c-a5b8-3ffab0e4c0f3','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e71f-796c-a5b8-3ffab0e4c0f3','','queued',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e71f-796c-a5b8-3ffab0e4c0f3','','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e71f-796c-a5b8-3ffab0e4c0f3','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e71f-796c-a5b8-3ffab0e4c0f3','parse','queued',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e71f-796c-a5b8-3ffab0e4c0f3','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e736-725b-a399-82eb41d460c9','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e736-725b-a399-82eb41d460c9','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e736-725b-a399-82eb41d460c9','','running',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e736-725b-a399-82eb41d460c9','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e736-725b-a399-82eb41d460c9','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e736-725b-a399-82eb41d460c9','fetch','running',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e79d-7312-9e77-33b5eff45acc','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e79d-7312-9e77-33b5eff45acc','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e79d-7312-9e77-33b5eff45acc','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e79d-7312-9e77-33b5eff45acc','','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e79d-7312-9e77-33b5eff45acc','fetch','failed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e79d-7312-9e77-33b5eff45acc','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e79d-7312-9e77-33b5eff45acc','fetch','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e79d-7312-9e77-33b5eff45acc','fetch','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e7df-7ef4-9a3e-96cf70667724','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e7df-7ef4-9a3e-96cf70667724','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e7df-7ef4-9a3e-96cf70667724','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e7df-7ef4-9a3e-96cf70667724','','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e7df-7ef4-9a3e-96cf70667724','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e7df-7ef4-9a3e-96cf70667724','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e7df-7ef4-9a3e-96cf70667724','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e7df-7ef4-9a3e-96cf70667724','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','','queued',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','','running',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','fetch','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','fetch','queued',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','fetch','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e892-754f-b11a-7c32ad59c5f8','parse','running',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e89b-7874-bca5-31224a9a28df','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e89b-7874-bca5-31224a9a28df','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e89b-7874-bca5-31224a9a28df','','running',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e89b-7874-bca5-31224a9a28df','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e89b-7874-bca5-31224a9a28df','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e89b-7874-bca5-31224a9a28df','parse','running',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','','running',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','fetch','running',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e937-7f89-9821-05a389bfd597','parse','completed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e942-77fc-a201-487bbb7dcb2a','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e942-77fc-a201-487bbb7dcb2a','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e942-77fc-a201-487bbb7dcb2a','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e942-77fc-a201-487bbb7dcb2a','','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e942-77fc-a201-487bbb7dcb2a','parse','completed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e942-77fc-a201-487bbb7dcb2a','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e942-77fc-a201-487bbb7dcb2a','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e942-77fc-a201-487bbb7dcb2a','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','','completed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','fetch','completed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e9c3-7620-88be-c19e62189e1a','parse','failed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e9cf-7daa-858b-31e5215ae459','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e9cf-7daa-858b-31e5215ae459','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e9cf-7daa-858b-31e5215ae459','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e9cf-7daa-858b-31e5215ae459','','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e9cf-7daa-858b-31e5215ae459','parse','failed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-e9cf-7daa-858b-31e5215ae459','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e9cf-7daa-858b-31e5215ae459','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-e9cf-7daa-858b-31e5215ae459','parse','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','','failed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','fetch','failed',1);
INSERT INTO "task_count" VALUES('acme','01a21243-ea72-7622-932e-f737bfe2936e','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a21243-ea7b-739c-b5b3-b66710bf32d8','','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a21243-ea7b-739c-b5b3-b66710bf32d8','','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-ea7b-739c-b5b3-b66710bf32d8','','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-ea7b-739c-b5b3-b66710bf32d8','','running',0);
INSERT INTO "task_count" VALUES('acme','01a21243-ea7b-739c-b5b3-b66710bf32d8','parse','cancelled',1);
INSERT INTO "task_count" VALUES('acme','01a21243-ea7b-739c-b5b3-b66710bf32d8','parse','pending',0);
INSERT INTO "task_count" VALUES('acme','01a21243-ea7b-739c-b5b3-b66710bf32d8','parse','queued',0);
INSERT INTO "task_count" VALUES('acme','01a21243-ea7b-739c-b5b3-b66710bf32d8','parse','running',0);
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
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','pending',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','queued',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','retrying',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','','running',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','fetch','failed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','fetch','pending',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','fetch','retrying',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','fetch','running',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','parse','completed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','parse','queued',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec18-73bf-8495-7773e5eb59a0','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec1c-7cea-817e-afa185a87c62','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec1c-7cea-817e-afa185a87c62','','queued',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec1c-7cea-817e-afa185a87c62','','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec1c-7cea-817e-afa185a87c62','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec1c-7cea-817e-afa185a87c62','parse','queued',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec1c-7cea-817e-afa185a87c62','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec2d-79a8-a70f-de76cd60b9ae','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec2d-79a8-a70f-de76cd60b9ae','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec2d-79a8-a70f-de76cd60b9ae','','running',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec2d-79a8-a70f-de76cd60b9ae','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec2d-79a8-a70f-de76cd60b9ae','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec2d-79a8-a70f-de76cd60b9ae','fetch','running',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','fetch','failed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','fetch','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ec7e-7c84-8c62-a7a1c039d1a4','fetch','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ecad-715b-bc07-d017a1cf0896','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ecad-715b-bc07-d017a1cf0896','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ecad-715b-bc07-d017a1cf0896','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ecad-715b-bc07-d017a1cf0896','','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ecad-715b-bc07-d017a1cf0896','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ecad-715b-bc07-d017a1cf0896','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ecad-715b-bc07-d017a1cf0896','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ecad-715b-bc07-d017a1cf0896','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','','queued',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','','running',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','fetch','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','fetch','queued',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','fetch','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ed35-7009-a459-8e067eeabdfa','parse','running',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ed39-763a-9710-f0312abbc584','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ed39-763a-9710-f0312abbc584','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ed39-763a-9710-f0312abbc584','','running',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ed39-763a-9710-f0312abbc584','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ed39-763a-9710-f0312abbc584','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ed39-763a-9710-f0312abbc584','parse','running',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','','running',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','fetch','running',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ed9e-7efb-93e4-a9a40caf550f','parse','completed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-eda6-7d47-b098-09f1bf6106f1','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-eda6-7d47-b098-09f1bf6106f1','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-eda6-7d47-b098-09f1bf6106f1','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-eda6-7d47-b098-09f1bf6106f1','','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-eda6-7d47-b098-09f1bf6106f1','parse','completed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-eda6-7d47-b098-09f1bf6106f1','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-eda6-7d47-b098-09f1bf6106f1','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-eda6-7d47-b098-09f1bf6106f1','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','','completed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','fetch','completed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee0d-76cb-b605-6adf8362a6ba','parse','failed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee1a-7e16-9593-c64092c08e9d','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee1a-7e16-9593-c64092c08e9d','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee1a-7e16-9593-c64092c08e9d','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee1a-7e16-9593-c64092c08e9d','','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee1a-7e16-9593-c64092c08e9d','parse','failed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee1a-7e16-9593-c64092c08e9d','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee1a-7e16-9593-c64092c08e9d','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee1a-7e16-9593-c64092c08e9d','parse','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','','failed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','fetch','failed',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee90-7d97-8d15-f4d66402847c','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee96-78e9-b11d-18a00ed8a599','','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee96-78e9-b11d-18a00ed8a599','','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee96-78e9-b11d-18a00ed8a599','','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee96-78e9-b11d-18a00ed8a599','','running',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee96-78e9-b11d-18a00ed8a599','parse','cancelled',1);
INSERT INTO "task_count" VALUES('rival','01a21243-ee96-78e9-b11d-18a00ed8a599','parse','pending',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee96-78e9-b11d-18a00ed8a599','parse','queued',0);
INSERT INTO "task_count" VALUES('rival','01a21243-ee96-78e9-b11d-18a00ed8a599','parse','running',0);
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
PRAGMA user_version = 2;
