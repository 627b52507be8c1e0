"""What an admission costs: one charge for each diagnosis, procedure, laboratory result and prescription.

Source: EHRXQA, dataset_builder/preprocess_utils/preprocess_db_mimic_iv_cxr.py, `build_cost_table`: a price a code,
normal around a mean a table; `event_id` is the position of the row in its table, counted from 0.
"""

from __future__ import annotations

import zlib
from datetime import datetime, time
from functools import cache

import numpy as np

from chartsight.hospital.rows import Rows

CHARGED = {  # table → the column with the code, the column with the time, mean price
    "diagnoses_icd": ("icd_code", None, 12.0),
    "labevents": ("itemid", "charttime", 8.0),
    "procedures_icd": ("icd_code", "chartdate", 15.0),
    "prescriptions": ("drug", "starttime", 10.0),
}


def add_charges(rows: Rows, seed: int) -> None:
    """The rows of `cost` for these rows; results of outpatients are not charged."""
    admitted: dict[int, datetime] = dict(rows.columns("admissions", "hadm_id", "admittime"))
    for table, (code_column, time_column, _) in CHARGED.items():
        names = ("subject_id", "hadm_id", code_column, *((time_column,) if time_column else ()))
        events = rows.columns(table, *names)
        for position, (subject_id, hadm_id, code, *moment) in enumerate(events, rows.first_position(table)):
            if hadm_id is None:
                continue
            charged = moment[0] if moment else admitted[hadm_id]
            rows.add(
                "cost", row_id=rows.next_number("cost") - 1, subject_id=subject_id, hadm_id=hadm_id, event_type=table,
                event_id=position, cost=price_of(seed, table, str(code)),
                chargetime=charged if isinstance(charged, datetime) else datetime.combine(charged, time()),
            )  # fmt: skip


@cache
def price_of(seed: int, table: str, code: str) -> float:
    """What a code costs in this hospital, the same for every patient; never less than a unit."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{table} {code}".encode()), 0xC057])
    return max(1.0, round(float(rng.normal(CHARGED[table][2], 1.0)), 2))
