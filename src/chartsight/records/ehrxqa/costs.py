"""EHRXQA's invented costs: a mean a table, a price a code, drawn in a fixed order.

    four means   Poisson(10): diagnoses, laboratory, procedures, prescriptions
    prices       normal around the table's mean, deviation 1, two decimals; codes in sorted order

Source: EHRXQA, `preprocess_db_mimic_iv_cxr.py`, `build_cost_table`; it reads its own tables back first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from chartsight.errors import RecordError
from chartsight.records.ehrxqa.config import CHARGED
from chartsight.records.ehrxqa.published_csv import read_back

MEAN = 10
DEVIATION = 1.0


def build_costs(tables: Mapping[str, pa.Table], generator: Mapping[str, Any]) -> pa.Table:
    """The table of costs.

    Args:
        tables: The four charged tables, as written.
        generator: State of the random numbers after the cohort was drawn.

    Raises:
        RecordError: A charged row has no code.
    """
    rng = np.random.default_rng()
    rng.bit_generator.state = dict(generator)
    means = rng.poisson(lam=MEAN, size=len(CHARGED))
    parts = []
    for mean, (name, (code, time)) in zip(means, CHARGED.items(), strict=True):
        table = read_back(tables[name], as_text=("icd_code",))
        codes = table[code].combine_chunks().dictionary_encode()
        if codes.null_count:
            raise RecordError("malformed-table", name, f"a row has no {code}", "a code to charge")
        distinct = codes.dictionary.to_pylist()
        prices = {each: round(float(rng.normal(loc=mean, scale=DEVIATION)), 2) for each in sorted(distinct)}
        if not len(codes):
            continue
        parts.append(
            pa.table(
                {
                    "subject_id": table["subject_id"],
                    "hadm_id": table["hadm_id"],
                    "event_type": pa.repeat(pa.scalar(name, pa.string()), len(codes)),
                    "event_id": table["row_id"],
                    "chargetime": table[time],
                    "cost": pa.array([prices[each] for each in distinct], pa.float64()).take(codes.indices),
                }
            )
        )
    schema = pa.schema(
        [
            ("subject_id", pa.int64()), ("hadm_id", pa.int64()), ("event_type", pa.string()), ("event_id", pa.int64()),
            ("chargetime", pa.string()), ("cost", pa.float64()),
        ]
    )  # fmt: skip
    costs = pa.concat_tables(parts, promote_options="permissive") if parts else schema.empty_table()
    return costs.combine_chunks().add_column(0, "row_id", pa.array(np.arange(costs.num_rows)))
