SELECT count(*) FROM patients WHERE 1 = 1
SELECT count(*) FROM patients WHERE 1=1
SELECT count(*) FROM patients WHERE gender = 'hash'
SELECT 'hash' AS word
SELECT 'pg_sleep(10)' AS word, 'read_csv(''/etc/passwd'')' AS another
SELECT count(*) FROM labevents WHERE value = '; DROP TABLE patients; --'
SELECT count(*) FROM labevents WHERE value = '/* no comment */' OR value LIKE '%--%'
SELECT 'SELECT * FROM sqlite_master' AS word
SELECT gender, count(*) AS n FROM patients GROUP BY gender HAVING count(*) > 0 ORDER BY n DESC, gender
SELECT p.subject_id FROM patients AS p WHERE EXISTS (SELECT 1 FROM admissions AS a WHERE a.subject_id = p.subject_id)
SELECT count(*) FROM patients WHERE subject_id IN (SELECT subject_id FROM admissions) AND NOT subject_id IN (SELECT subject_id FROM icustays)
WITH stays AS (SELECT subject_id, count(*) AS n FROM admissions GROUP BY subject_id) SELECT max(n) AS most FROM stays
WITH a AS (SELECT subject_id FROM patients), b AS (SELECT subject_id FROM a) SELECT count(*) AS n FROM b
WITH c AS (SELECT subject_id FROM patients) SELECT count(*) AS n FROM c
SELECT CASE WHEN count(*) > 0 THEN 'yes' ELSE 'no' END AS answer FROM icustays
SELECT subject_id FROM patients UNION SELECT subject_id FROM admissions
SELECT subject_id FROM patients EXCEPT SELECT subject_id FROM icustays
SELECT q.n FROM (SELECT count(*) AS n FROM labevents) AS q
SELECT subject_id, row_number() OVER (ORDER BY subject_id) AS place FROM patients
SELECT coalesce(max(valuenum), 0) AS largest, min(valuenum) AS least, sum(valuenum) AS total FROM labevents
SELECT upper(gender) AS sex, length(gender) AS letters FROM patients LIMIT 3
SELECT f.image_id, f.view_position FROM films AS f JOIN patients AS p ON p.subject_id = f.subject_id ORDER BY f.image_id LIMIT 5
SELECT "subject_id" FROM "patients" ORDER BY 1 LIMIT 1
SELECT count(*) AS "No. of patients" FROM patients
SELECT count(*) FROM (SELECT * FROM patients) AS q
SELECT t.subject_id FROM patients AS t LEFT JOIN icustays AS i ON i.subject_id = t.subject_id WHERE i.stay_id IS NULL
SELECT round(avg(anchor_age), 1) AS age FROM patients WHERE anchor_age BETWEEN 20 AND 90
SELECT count(*) FROM admissions WHERE subject_id = 10000001 AND (hadm_id > 5 OR NOT hadm_id IS NULL)
