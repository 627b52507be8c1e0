# writes
INSERT INTO patients (subject_id) VALUES (1)
INSERT INTO patients SELECT * FROM patients
UPDATE patients SET gender = 'x'
DELETE FROM patients
TRUNCATE patients
MERGE INTO patients USING admissions ON 1 = 1 WHEN MATCHED THEN DELETE
REPLACE INTO patients (subject_id) VALUES (1)
CREATE TABLE stolen AS SELECT * FROM patients
CREATE TEMP TABLE stolen AS SELECT * FROM patients
CREATE TEMP TABLE stolen (a INTEGER)
CREATE VIEW stolen AS SELECT * FROM patients
CREATE TEMP VIEW stolen AS SELECT * FROM patients
CREATE SCHEMA stolen
CREATE INDEX stolen ON patients (subject_id)
CREATE MACRO stolen(a) AS a + 1
CREATE FUNCTION stolen() RETURNS int LANGUAGE sql AS 'SELECT 1'
CREATE TRIGGER stolen AFTER INSERT ON patients BEGIN SELECT 1; END
CREATE SEQUENCE stolen
CREATE EXTENSION dblink
CREATE ROLE stolen SUPERUSER
DROP TABLE patients
DROP SCHEMA chartsight CASCADE
ALTER TABLE patients ADD COLUMN stolen INTEGER
GRANT ALL ON ALL TABLES IN SCHEMA chartsight TO PUBLIC
COMMENT ON TABLE patients IS 'stolen'
SELECT subject_id INTO stolen FROM patients
SELECT subject_id INTO TEMP stolen FROM patients
SELECT subject_id FROM patients FOR UPDATE
SELECT subject_id FROM patients FOR SHARE
LOCK TABLE patients
WITH gone AS (DELETE FROM patients RETURNING *) SELECT * FROM gone
WITH gone AS (DELETE FROM patients RETURNING subject_id) SELECT count(*) FROM gone
WITH new AS (INSERT INTO patients (subject_id) VALUES (1) RETURNING subject_id) SELECT subject_id FROM new
WITH new AS (UPDATE patients SET gender = 'x' RETURNING subject_id) SELECT subject_id FROM new
WITH p AS (SELECT 1) INSERT INTO patients (subject_id) SELECT 1 FROM p
WITH p AS (SELECT 1) DELETE FROM patients
# files and other databases
COPY patients TO '@OUT@'
COPY (SELECT * FROM patients) TO '@OUT@' (FORMAT csv)
COPY patients FROM '@SECRET@'
COPY (SELECT 1) TO PROGRAM 'touch @OUT@'
COPY patients TO STDOUT
EXPORT DATABASE '@OUT@'
IMPORT DATABASE '@OUT@'
ATTACH '@SECRET@' AS other
ATTACH DATABASE '@OUT@' AS other
ATTACH ':memory:' AS other
DETACH record
USE record
VACUUM INTO '@OUT@'
VACUUM
CHECKPOINT
FORCE CHECKPOINT
ANALYZE
REINDEX
INSTALL httpfs
INSTALL httpfs FROM '@OUT@'
LOAD httpfs
LOAD '@OUT@'
UPDATE EXTENSIONS
CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')
# settings, sessions, transactions
SET memory_limit = '100GB'
SET enable_external_access = true
SET GLOBAL threads = 8
SET statement_timeout = 0
SET ROLE postgres
SET SESSION AUTHORIZATION postgres
SET TRANSACTION READ WRITE
RESET ALL
RESET ROLE
SHOW ALL
SHOW TABLES
SHOW server_version
PRAGMA database_list
PRAGMA table_info('patients')
PRAGMA query_only = OFF
PRAGMA writable_schema = ON
PRAGMA journal_mode = DELETE
PRAGMA hard_heap_limit = 0
PRAGMA memory_limit = '100GB'
PRAGMA version
CALL pragma_version()
CALL duckdb_settings()
DESCRIBE patients
DESCRIBE SELECT * FROM patients
SUMMARIZE patients
EXPLAIN SELECT 1
EXPLAIN ANALYZE SELECT 1
EXPLAIN QUERY PLAN SELECT 1
BEGIN
COMMIT
ROLLBACK
SAVEPOINT s
PREPARE p AS SELECT 1
EXECUTE p
DEALLOCATE ALL
DECLARE c CURSOR FOR SELECT 1
FETCH ALL FROM answer
CLOSE answer
DISCARD ALL
LISTEN x
NOTIFY x
DO 'BEGIN END'
KILL 1
# several at once
SELECT 1; SELECT 2
SELECT 1; DROP TABLE patients
SELECT 1; RESET ROLE; DELETE FROM patients
SELECT 1;; DELETE FROM patients
; DELETE FROM patients
SELECT 1; COMMIT; DELETE FROM chartsight.patients
# no query at all
TABLE pg_class
TABLE duckdb_tables
FROM duckdb_settings()
FROM read_csv('@SECRET@')
VALUES (pg_sleep(10))
VALUES (current_setting('threads'))
PIVOT patients ON gender USING count(*)
UNPIVOT patients ON subject_id INTO NAME a VALUE b
nonsense
(
SELECT * FROM
# without bound
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 3
WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n
SELECT * FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n) AS q
SELECT (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n)
SELECT unnest([1, 2, 3])
SELECT generate_series(1, 1000000000)
