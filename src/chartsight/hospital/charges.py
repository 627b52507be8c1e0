"""What an admission costs: one charge for each diagnosis, procedure, laboratory result and prescription.

Source: EHRXQA, dataset_builder/preprocess_utils/preprocess_db_mimic_iv_cxr.py, `build_cost_table`: a price a code,
normal around a mean a table; `event_id` is the position of the row in its table, counted from 0.
"""

from __future__ import annotations

from datetime import datetime, time

import numpy as np

from chartsight.hospital.rows import Rows

CHARGED = {  # table → the column with the code, the column with the time, mean price
    "diagnoses_icd": ("icd_code", None, 12.0),
    "labevents": ("itemid", "charttime", 8.0),
    "procedures_icd": ("icd_code", "chartdate", 15.0),
    "prescriptions": ("drug", "starttime", 10.0),
}


def add_charges(rows: Rows, seed: int) -> None:
    """The rows of `cost`; results of outpatients are not charged."""
    admitted: dict[int, datetime] = dict(rows.columns("admissions", "hadm_id", "admittime"))
    for nth, (table, (code_column, time_column, mean)) in enumerate(CHARGED.items()):
        names = ("subject_id", "hadm_id", code_column, *((time_column,) if time_column else ()))
        events = rows.columns(table, *names)
        rng = np.random.default_rng([seed, nth, 0xC057])
        prices = {
            code: round(float(rng.normal(mean, 1.0)), 2) for code in sorted({event[2] for event in events}, key=str)
        }
        for position, (subject_id, hadm_id, code, *moment) in enumerate(events):
            if hadm_id is None:
                continue
            charged = moment[0] if moment else admitted[hadm_id]
            rows.add(
                "cost", row_id=rows.next_number("cost") - 1, subject_id=subject_id, hadm_id=hadm_id, event_type=table,
                event_id=position, cost=prices[code],
                chargetime=charged if isinstance(charged, datetime) else datetime.combine(charged, time()),
            )  # fmt: skip
