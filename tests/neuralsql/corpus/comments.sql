SELECT subject_id FROM patients -- all
SELECT subject_id /* all */ FROM patients
SELECT /*+ SeqScan(patients) */ subject_id FROM patients
SELECT subject_id FROM patients /* ; DROP TABLE patients */
/* first */ SELECT subject_id FROM patients
SELECT subject_id FROM patients WHERE 1 = 1 -- AND subject_id = 10000001
