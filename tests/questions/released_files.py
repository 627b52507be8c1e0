"""Small invented files in the layouts of the released sets, and a record and a database that they are about."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.questions.conftest import create_record, film_row

PATIENTS = tuple(10000001 + n for n in range(8))
STUDIES = tuple(50000001 + n for n in range(16))  # two a patient
NO_FRONTAL = 50009999  # a study with a lateral only
UNKNOWN = 51234567  # a study that the record lacks


def frontal_of(study_id: int) -> str:
    return f"{study_id}-front"


def patient_of(study_id: int) -> int:
    return PATIENTS[(study_id - STUDIES[0]) // 2]


def write_record(folder: Path, terms: str = "synthetic") -> Path:
    """A record of eight patients; every study has a lateral that sorts before its frontal film."""
    films = folder / "films"
    films.mkdir(parents=True)
    rows: dict[str, list[tuple[object, ...]]] = {"film_roots": [(0, str(films))], "films": [], "tb_cxr": []}
    for n, study_id in enumerate((*STUDIES, NO_FRONTAL)):
        subject_id = PATIENTS[0] if study_id == NO_FRONTAL else patient_of(study_id)
        for view, image_id in (("LATERAL", f"{study_id}-aside"), ("PA", frontal_of(study_id))):
            if study_id == NO_FRONTAL and view == "PA":
                continue
            pixels = np.random.default_rng([n, view == "PA"]).integers(0, 255, (40, 32), dtype=np.uint8)
            Image.fromarray(pixels).save(films / f"{image_id}.png")
            digest = hashlib.sha256((films / f"{image_id}.png").read_bytes()).hexdigest()
            rows["films"].append(film_row(image_id, study_id, subject_id, view, digest))
            if view == "PA":
                rows["tb_cxr"].append((n, subject_id, None, study_id, image_id, view, None))
    return create_record(folder / "record.duckdb", rows, terms=terms)


def write_database(path: Path) -> Path:
    """EHRXQA's database, small. The first patient has two labs at one time, the second has not."""
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """CREATE TABLE patients (row_id INTEGER, subject_id INTEGER, gender TEXT);
            CREATE TABLE labevents (row_id INTEGER, subject_id INTEGER, label TEXT, charttime TEXT, valuenum REAL);
            CREATE TABLE tb_cxr (row_id INTEGER, subject_id INTEGER, study_id INTEGER, studydatetime TEXT);
            CREATE TABLE tb_cxr_plus (row_id INTEGER, subject_id INTEGER, study_id INTEGER, object TEXT,
                                      attribute TEXT, relation INTEGER);"""
        )
        for n, subject_id in enumerate(PATIENTS):
            connection.execute("INSERT INTO patients VALUES (?, ?, ?)", (n, subject_id, "fm"[n % 2]))
        labs = [(1, "10:00", 1.5), (1, "10:00", 2.5), (2, "09:00", 3.0), (2, "11:00", 4.123456789)]
        for n, (patient, clock, value) in enumerate(labs):
            row = (n, PATIENTS[patient - 1], "glucose", f"2105-01-01 {clock}:00", value)
            connection.execute("INSERT INTO labevents VALUES (?, ?, ?, ?, ?)", row)
        for n, study_id in enumerate(STUDIES):
            row = (n, patient_of(study_id), study_id, f"2105-0{1 + n % 2}-01 08:00:00")
            connection.execute("INSERT INTO tb_cxr VALUES (?, ?, ?, ?)", row)
            plus = (n, patient_of(study_id), study_id, "svc", "picc", n % 3 == 0)
            connection.execute("INSERT INTO tb_cxr_plus VALUES (?, ?, ?, ?, ?, ?)", plus)
    return path


Item = dict[str, Any]


def item(number: int, split: str = "train", **more: Any) -> Item:
    return {
        "db_id": "mimic_iv_cxr", "split": split, "id": number, "t_tag": [""] * 5, "o_tag": {}, "v_tag": {},
        "para_type": "machine", "is_impossible": False, "value": {}, "tag": "", **more,
    }  # fmt: skip


def picc_item(number: int, study_id: int, answer: Any, split: str = "train", **more: Any) -> Item:
    """One of the one-image family: verify."""
    return item(
        number, split, question=f"in study {study_id}, can a picc be seen in the svc?",
        template=f"given the study {study_id}, is there picc in the svc?",
        query=f'select func_vqa("can a picc be seen in the svc?", t1.study_id) from ( select tb_cxr.study_id '
        f"from tb_cxr where tb_cxr.study_id = {study_id} ) as t1",
        _gold_program=f"select count(*)>0 from tb_cxr_plus where study_id = {study_id} and object = 'svc' "
        "and attribute = 'picc' and relation = 1",
        value={"study_id": study_id}, q_tag="given the study {study_id}, is there ${attribute} in the ${object}?",
        v_tag={"object": ["svc"], "category": [], "attribute": ["picc"]},
        **({} if answer is None else {"answer": answer}), **more,
    )  # fmt: skip


def list_item(number: int, study_id: int, answer: list[str], split: str = "train") -> Item:
    """One of the one-image family: list, its words holding the id in the middle."""
    return item(
        number, split, question=f"which findings does the chest x-ray study {study_id} show in the spine?",
        template=f"given the study {study_id}, list all anatomicalfinding in the spine.",
        query=f'select func_vqa("which findings does it show in the spine?", t1.study_id) from ( select 1 ) as t1 '
        f'union select func_vqa("and in the neck?", t1.study_id) from ( select {study_id} ) as t1',
        value={"study_id": study_id}, q_tag="given the study {study_id}, list all ${category} in the ${object}.",
        v_tag={"object": ["spine"], "category": ["anatomicalfinding"], "attribute": []}, answer=answer,
    )  # fmt: skip


def choose_item(number: int, study_id: int, answer: list[str], split: str = "train") -> Item:
    return item(
        number, split, question=f"given study {study_id}, is it goiter or hernia that is related?",
        template=f"given the study {study_id}, which disease is related, goiter or hernia?",
        query='select func_vqa("is it goiter or hernia that is related?", t1.study_id) from t1',
        value={"study_id": study_id},
        q_tag="given the study {study_id}, which ${category} is related, ${attribute_1} or ${attribute_2}?",
        v_tag={"object": [], "category": ["disease"], "attribute": ["goiter", "hernia"]}, answer=answer,
    )  # fmt: skip


def last_study_item(number: int, subject_id: int, answer: Any, split: str = "train") -> Item:
    """One of 10xx: the study is found by its time."""
    return item(
        number, split, question=f"on the last film of patient {subject_id}, is there a picc in the svc?",
        template=f"given the last study of patient {subject_id}, is there picc in the svc?",
        query='select func_vqa("is there a picc in the svc?", t1.study_id) from ( select tb_cxr.study_id from tb_cxr '
        f"where tb_cxr.subject_id = {subject_id} order by tb_cxr.studydatetime desc limit 1 ) as t1",
        value={"patient_id": subject_id}, t_tag=["", "", "", "exact-last", ""],
        q_tag="given the [time_filter_exact1] study of patient {patient_id} [time_filter_global1], is there "
        "${attribute} in the ${object}?",
        v_tag={"object": ["svc"], "category": [], "attribute": ["picc"]}, answer=answer,
    )  # fmt: skip


def lab_item(number: int, subject_id: int, answer: Any = None, split: str = "train") -> Item:
    """A table question that takes one of several rows."""
    return item(
        number, split, question=f"what was the first glucose of patient {subject_id}?",
        template=f"what was the first measured value of a glucose lab test of patient {subject_id}?",
        query=f"select labevents.valuenum from labevents where labevents.subject_id = {subject_id} "
        "and strftime('%y',labevents.charttime) = '2105' order by labevents.charttime asc limit 1",
        value={"patient_id": subject_id, "lab_name": "glucose"},
        q_tag="what was the [time_filter_exact1] measured value of a {lab_name} lab test of patient {patient_id} "
        "[time_filter_global1]?", **({} if answer is None else {"answer": answer}),
    )  # fmt: skip


def group_item(number: int, age_group: str, answer: Any, split: str = "train") -> Item:
    return item(
        number, split, question=f"how many patients aged {age_group} had a film with a picc?",
        template=f"count the number of patients aged {age_group} who had a chest x-ray study during hospital visit "
        "indicating picc.",
        query='select count( distinct t1.subject_id ) from tb_cxr as t1 where func_vqa("is there a picc?", '
        "t1.study_id) = true", value={}, o_tag={"age_group": {"nlq": age_group, "sql": "between 20 and 29"}},
        q_tag="count the number of patients aged [age_group] who had a chest x-ray study during hospital visit "
        "indicating ${attribute} [time_filter_global1].",
        v_tag={"object": [], "category": [], "attribute": ["picc"]}, answer=answer,
    )  # fmt: skip


def write_items(path: Path, items: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(items, indent=1), "utf-8")
    return path


def cxr_vqa_item(idx: int, study_id: int, answer: list[str] | None, split: str = "train", **more: Any) -> Item:
    """MIMIC-CXR-VQA's layout: verify by default."""
    return {
        "split": split, "idx": idx, "subject_id": patient_of(study_id), "study_id": study_id,
        "image_id": frontal_of(study_id), "image_path": f"p10/{frontal_of(study_id)}.jpg",
        "question": "Are there signs of both pleural effusion and lung cancer in the left lung?",
        "semantic_type": "verify", "content_type": "attribute",
        "template": "Are there signs of both ${attribute_1} and ${attribute_2} in the ${object}?",
        "template_program": "program_5",
        "template_arguments": {"object": {"0": "left lung"}, "attribute": {"0": "pleural effusion", "1": "lung cancer"},
                               "category": {}, "viewpos": {}, "gender": {}},
        **({} if answer is None else {"answer": answer}), **more,
    }  # fmt: skip
