"""The steps of the build: in which order they are begun, and which ones each of them reads.

films ── boxes ──▶ chosen_films ──▶ labels ──▶ cohort ──▶ events ──▶ their tables ──▶ cost_table ──▶ database
                                                     └──▶ film_labels
"""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.records.ehrxqa.config import CHARGED
from chartsight.records.ehrxqa.files import DICTIONARIES, EVENT_FILES

PEOPLE = ("patients", "admissions", "icustays", "transfers")


def steps_in_order() -> Mapping[str, tuple[str, ...]]:
    """Step → the steps that it reads. Each stands after those; of several that are ready the first is begun first.

    What the cohort waits for comes first, then the longest file.
    """
    needs: dict[str, tuple[str, ...]] = dict.fromkeys(("films", "boxes", "gold_statements"), ())
    needs["chosen_films"] = ("films", "boxes", "gold_statements")
    needs["statements"] = ()
    needs["labels"] = ("chosen_films", "statements", "gold_statements")
    needs |= dict.fromkeys(PEOPLE, ())
    needs["cohort"] = ("labels", *PEOPLE)
    needs |= dict.fromkeys((*DICTIONARIES, "gold_boxes"), ())
    explained = tuple(f"{name}_table" for name in DICTIONARIES)
    needs |= {f"{name}_table": (name,) for name in DICTIONARIES}
    for name in EVENT_FILES:
        needs[name] = ("cohort",) if name == "chartevents" else ("cohort", *explained)
        needs[f"{name}_table"] = (name, "cohort", *explained)
    needs["film_labels"] = ("cohort", "labels", "boxes", "gold_boxes")
    needs["cost_table"] = ("cohort", *(f"{name}_table" for name in CHARGED))
    events = tuple(f"{name}_table" for name in EVENT_FILES)
    needs["database"] = ("cohort", "film_labels", *explained, *events, "cost_table")
    return needs
