"""What EHRXQA's database is built from, and the choices that its builder makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from chartsight.errors import RecordError

EhrxqaSplit = Literal["train", "test"]
EHRXQA_SPLITS: tuple[EhrxqaSplit, ...] = ("train", "test")
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
CHARGED = {  # table → what has a price, when it is charged
    "diagnoses_icd": ("icd_code", "charttime"),
    "labevents": ("itemid", "charttime"),
    "procedures_icd": ("icd_code", "charttime"),
    "prescriptions": ("drug", "starttime"),
}


@dataclass(frozen=True)
class EhrxqaSources:
    """The three folders, in PhysioNet's own layouts; files may be gzipped or not.

    Args:
        mimiciv: The folder with `hosp/` and `icu/`.
        mimic_cxr_jpg: The folder with `mimic-cxr-2.0.0-metadata.csv.gz`; no film is read.
        chest_imagenome: The folder with `silver_dataset/`, `gold_dataset/` and `semantics/`.
    """

    mimiciv: Path
    mimic_cxr_jpg: Path
    chest_imagenome: Path

    def folders(self) -> dict[str, Path]:
        """The folders by the name of their flag."""
        return {
            "mimiciv": self.mimiciv, "mimic-cxr-jpg": self.mimic_cxr_jpg, "chest-imagenome": self.chest_imagenome,
        }  # fmt: skip


@dataclass(frozen=True)
class EhrxqaConfig:
    """The published builder's constants; only `patients`, `staying` and `valid_share` are ever worth changing.

    Args:
        split: `train` is the database of the train and valid questions, `test` that of the test questions.
        patients: Of the database; fewer when fewer are left.
        staying: How many patients get an offset that keeps them in hospital at `current_time`.
        current_share: Of `patients` that are chosen among those in hospital at `current_time`.
        valid_share: Of the silver patients whose films are labelled in the database of the train split.
        max_study_order: Later studies of a patient are left out.
        start_year: Of the window that every patient is moved into.
        time_span: Years after `start_year` that the earliest study may fall into.
        current_time: Nothing later is kept.
        any_version: Build from other releases than MIMIC-IV 2.2, whose rows the published questions need.
    """

    split: EhrxqaSplit
    patients: int
    staying: int
    current_share: float = 0.1
    valid_share: float = 0.05
    max_study_order: int = 20
    start_year: int = 2100
    time_span: int = 5
    current_time: str = "2105-12-31 23:59:00"
    any_version: bool = False

    def check(self) -> None:
        """Nothing, when a database can be built so.

        Raises:
            RecordError: A value is out of range.
        """
        if self.split not in EHRXQA_SPLITS:
            raise RecordError("bad-split", "split", repr(self.split), " or ".join(EHRXQA_SPLITS))
        for name, value, low in (
            ("patients", self.patients, 1), ("staying", self.staying, 0), ("max_study_order", self.max_study_order, 1),
            ("time_span", self.time_span, 0), ("start_year", self.start_year, 1000),
        ):  # fmt: skip
            if value < low:
                raise RecordError("out-of-range", name, str(value), f"{low} or more")
        for name, share in (("current_share", self.current_share), ("valid_share", self.valid_share)):
            if not 0 < share < 1:
                raise RecordError("out-of-range", name, f"{share:g}", "between 0 and 1")
        try:
            datetime.strptime(self.current_time, TIME_FORMAT)
        except ValueError:
            raise RecordError("bad-time", "current_time", repr(self.current_time), "2105-12-31 23:59:00") from None


PUBLISHED: dict[EhrxqaSplit, EhrxqaConfig] = {
    "train": EhrxqaConfig("train", patients=800, staying=80),
    "test": EhrxqaConfig("test", patients=400, staying=40),
}


def published_config(split: EhrxqaSplit, **changes: object) -> EhrxqaConfig:
    """The constants of the published database of a split, with changes for smaller hospitals.

    Raises:
        RecordError: There is no such split, or a change is out of range.
    """
    if split not in PUBLISHED:
        raise RecordError("bad-split", "split", repr(split), " or ".join(EHRXQA_SPLITS))
    config = replace(PUBLISHED[split], **changes)  # type: ignore[arg-type]
    config.check()
    return config
