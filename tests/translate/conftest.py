"""A record of two patients, small enough to be read, and the translator that asks it."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from chartsight.neuralsql.families import read_families
from chartsight.translate import RetrievalTranslator, Vocabulary, read_vocabulary

RECORD = """
CREATE TABLE patients (subject_id INTEGER);
INSERT INTO patients VALUES (10000032), (10000033);
CREATE TABLE prescriptions (drug TEXT, route TEXT);
INSERT INTO prescriptions VALUES ('Furosemide', 'IV'), ('Furosemide', 'PO'), ('HydrALAzine', 'PO'),
  ('Ampicillin', 'IV'),  ('Metoprolol Tartrate', 'PO'), ('Metoprolol Succinate XL', 'PO'), ('Heparin', 'SC');
CREATE TABLE d_icd_diagnoses (icd_code TEXT, icd_version INTEGER, long_title TEXT);
INSERT INTO d_icd_diagnoses VALUES ('I10', 10, 'Essential (primary) hypertension'),
  ('4019', 9, 'Unspecified essential hypertension'), ('J189', 10, 'Pneumonia, unspecified organism');
CREATE TABLE diagnoses_icd (icd_code TEXT, icd_version INTEGER);
INSERT INTO diagnoses_icd SELECT icd_code, icd_version FROM d_icd_diagnoses;
CREATE TABLE d_labitems (itemid INTEGER, label TEXT);
INSERT INTO d_labitems VALUES (1, 'Hemoglobin'), (2, 'Alanine Aminotransferase (ALT)'), (3, 'Calcium, Total'), (4, 'I'),
  (5, 'Potassium');
CREATE TABLE labevents (itemid INTEGER);
INSERT INTO labevents SELECT itemid FROM d_labitems;
CREATE TABLE tb_cxr (study_id BIGINT, subject_id INTEGER, studydatetime TIMESTAMP);
INSERT INTO tb_cxr VALUES (50000003, 10000032, '2103-03-01'), (50000001, 10000032, '2103-01-01'),
  (50000002, 10000032, '2103-02-01'), (50000009, 10000033, '2104-01-01');
"""


@pytest.fixture(scope="session")
def record() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(RECORD)
        yield connection


@pytest.fixture(scope="session")
def vocabulary(record: duckdb.DuckDBPyConnection) -> Vocabulary:
    tables = [name for (name,) in record.execute("SHOW TABLES").fetchall()]
    return read_vocabulary(lambda sql: record.execute(sql).fetchall(), tables, choices=read_families().choices)


@pytest.fixture(scope="session")
def translator() -> RetrievalTranslator:
    return RetrievalTranslator(read_families())
