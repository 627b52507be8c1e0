"""EHRXQA's source folders at many times the size of the MIMIC-IV demo, from one small synthetic hospital.

    hospital of 180 patients ─▶ copy 0, copy 1, ... each with its own patients, admissions, studies and films

One copy has as many rows of events as the MIMIC-IV demo (`DEMO_ROWS`), and of every table of people and films what the
hospital has. Where the hospital has fewer events than that, rows stand several times, a minute apart; of all that is
charted only the demo's share are the nine vital signs that EHRXQA keeps. Files are plain CSV, as the published script
unpacks them, and are written copy by copy: memory does not grow with their size.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
from benchmarks.ehrxqa_sources import BOXES, GOLD, METADATA, STATEMENTS

DEMO_ROWS = {  # of the MIMIC-IV demo 2.2; chartevents by its MEDS release
    "chartevents": 668_862, "labevents": 107_727, "prescriptions": 18_087, "inputevents": 20_404,
    "outputevents": 9_362, "diagnoses_icd": 4_506, "microbiologyevents": 2_899, "procedures_icd": 722,
}  # fmt: skip
VITAL_SHARE = 58_566 / 668_862  # of the demo's charted rows: those of the nine items
OTHER_ITEM = 227_000  # in no dictionary: stands for everything else that is charted
PEOPLE = ("patients", "admissions", "transfers", "icustays")
DICTIONARIES = ("d_icd_diagnoses", "d_icd_procedures", "d_labitems", "d_items")
TIMES = {  # when it was: a minute later each time that a row is repeated
    "chartevents": "charttime", "labevents": "charttime", "prescriptions": "starttime", "inputevents": "starttime",
    "outputevents": "charttime", "microbiologyevents": "charttime",
}  # fmt: skip
ICU = ("icustays", "chartevents", "inputevents", "outputevents", "d_items")
FILM_FILES = {"films": METADATA.removesuffix(".gz"), "boxes": BOXES, "statements": STATEMENTS}
GOLD_BOXES = "chest-imagenome/gold_dataset/gold_bbox_coordinate_annotations_1000images.csv"
FIRST_IDS = {"subject_id": 10_000_000, "hadm_id": 20_000_000, "transfer_id": 30_000_000, "study_id": 50_000_000}
ID_KINDS = {**{kind: kind for kind in FIRST_IDS}, "patient_id": "subject_id", "stay_id": "transfer_id"}
COPY_DIGITS = 8  # of an image's id: they say which copy it is of


@dataclass(frozen=True)
class Multiple:
    """How large the folders become.

    Args:
        name: For the page: `50 times`.
        copies: Of the hospital.
        events: Table → rows of each copy.
        imaged: Copies that have films: the first ones.
    """

    name: str
    copies: int
    events: Mapping[str, int]
    imaged: int


def times_the_demo(times: int) -> Multiple:
    """So many times the events of the demo."""
    return Multiple(f"{times} times", times, DEMO_ROWS, times)


def multiply(hospital: Path, out: Path, size: Multiple) -> dict[str, int]:
    """Write the three folders to `out`, a new folder; source → rows.

    Args:
        hospital: A synthetic hospital; those of its patients that are labelled by hand are in the first copy only.
        out: To be made.
        size: How large.
    """
    shutil.copytree(hospital / "chest-imagenome" / "semantics", out / "chest-imagenome" / "semantics")
    shutil.copy(hospital / "run.json", out / "run.json")  # says that it is synthetic
    people = {name: read_table(hospital / f"{table_path(name)}.gz") for name in PEOPLE}
    ids = {
        "subject_id": in_order(people["patients"]["subject_id"]),
        "hadm_id": in_order(people["admissions"]["hadm_id"]),
        "transfer_id": in_order(people["transfers"]["transfer_id"], people["icustays"]["stay_id"]),
        "study_id": in_order(read_table(hospital / METADATA)["study_id"]),
    }
    rows = {}
    for name in (*PEOPLE, *DEMO_ROWS, *DICTIONARIES):
        path = table_path(name)
        table = read_table(hospital / f"{path}.gz")
        if name in size.events:
            table = resized(name, table, size.events[name])
        rows[name] = write_copies(out / path, 1 if name in DICTIONARIES else size.copies, Copies(table, ids))
    for name, path in FILM_FILES.items():
        source = hospital / (METADATA if name == "films" else path)
        rows[name] = write_copies(out / path, size.imaged, Copies(read_table(source), ids))
    for path in (GOLD, GOLD_BOXES):  # a fixed number of patients, as in the real one
        write_copies(out / path, 1, Copies(read_table(hospital / path), ids))
    return rows


def table_path(name: str) -> str:
    """Of a table of MIMIC-IV, unpacked."""
    return f"mimic-iv/{'icu' if name in ICU else 'hosp'}/{name}.csv"


def read_table(path: Path) -> pa.Table:
    """A file's rows, every column text; null where nothing stands."""
    delimiter = "\t" if path.suffix == ".txt" else ","
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        header = file.readline().rstrip("\n").split(delimiter)
    return csv.read_csv(
        path,
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    ).combine_chunks()


def in_order(*columns: pa.ChunkedArray) -> pa.Array:
    """The distinct ids of some columns, in order: int64."""
    found = pc.unique(pa.chunked_array([chunk for column in columns for chunk in column.chunks]).cast(pa.int64()))
    return found.take(pc.sort_indices(found))


def resized(name: str, table: pa.Table, rows: int) -> pa.Table:
    """So many rows of a table, spread evenly over it; a row that stands again does so a minute later."""
    source = np.arange(rows, dtype=np.int64) * table.num_rows // rows
    taken = table.take(pa.array(source)).combine_chunks()
    if name in TIMES:
        again = np.arange(rows) - np.searchsorted(source, source)  # how often it stood before
        column = taken[TIMES[name]]
        times = column.to_numpy().astype("datetime64[s]") + again.astype("timedelta64[m]")
        texts = pa.array(np.char.replace(np.datetime_as_string(times, unit="s"), "T", " "), pa.string())
        taken = replaced(taken, TIMES[name], pc.if_else(pc.is_null(column), pa.scalar(None, pa.string()), texts))
    if name == "chartevents":
        vital = np.arange(rows) * 7919 % rows < VITAL_SHARE * rows  # a prime: spread over all items alike
        taken = replaced(taken, "itemid", pc.if_else(pa.array(vital), taken["itemid"], str(OTHER_ITEM)))
    return taken


def replaced(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The table with other values in a column."""
    return table.set_column(table.column_names.index(name), name, values)


class Copies:
    """The copies of a table: the same rows, the ids of other people and films.

    Args:
        table: Of the hospital; every column text.
        ids: Kind of id → all of the hospital, in order.
    """

    def __init__(self, table: pa.Table, ids: Mapping[str, pa.Array]) -> None:
        self.header = table.column_names
        self.rows = table.num_rows
        self.columns: list[Callable[[int], pa.ChunkedArray]] = []
        for name in self.header:
            column = table[name]
            if name in ID_KINDS:
                self.columns.append(numbered(column, ids[ID_KINDS[name]], FIRST_IDS[ID_KINDS[name]]))
            elif name in ("dicom_id", "image_id", "object_id"):
                self.columns.append(renamed(column))
            elif name == "row_id":  # study|sentence
                self.columns.append(sentences(column, ids["study_id"]))
            else:
                self.columns.append(unchanged(column))

    def lines(self, number: int, delimiter: str) -> pa.ChunkedArray:
        """The rows of one of them as they stand in a file, without their ends."""
        return pc.binary_join_element_wise(*(column(number) for column in self.columns), delimiter)


def unchanged(column: pa.ChunkedArray) -> Callable[[int], pa.ChunkedArray]:
    """Copy → the same values as in the hospital, quoted where they must be."""
    inner = pc.replace_substring(column, '"', '""')
    quoted = pc.binary_join_element_wise('"', inner, '"', "")
    cells = pc.fill_null(pc.if_else(pc.match_substring_regex(column, '[",\t\r\n]'), quoted, column), "")
    return lambda copy: cells


def numbered(column: pa.ChunkedArray, ids: pa.Array, first: int) -> Callable[[int], pa.ChunkedArray]:
    """Copy → its ids: dense, in the order of the hospital's."""
    place = pc.index_in(column.cast(pa.int64()), value_set=ids).cast(pa.int64())
    return lambda copy: pc.fill_null(pc.add(place, first + copy * len(ids)).cast(pa.string()), "")


def renamed(column: pa.ChunkedArray) -> Callable[[int], pa.ChunkedArray]:
    """Copy → its images: the first digits of an id say which copy it is."""
    rest = pc.utf8_slice_codeunits(column, COPY_DIGITS)
    return lambda copy: pc.binary_join_element_wise(f"{copy:0{COPY_DIGITS}x}", rest, "")


def sentences(column: pa.ChunkedArray, studies: pa.Array) -> Callable[[int], pa.ChunkedArray]:
    """Copy → study and sentence."""
    parts = pc.split_pattern(column, "|")
    study = numbered(pc.list_element(parts, 0), studies, FIRST_IDS["study_id"])
    sentence = pc.list_element(parts, 1)
    return lambda copy: pc.binary_join_element_wise(study(copy), sentence, "|")


def write_copies(path: Path, count: int, copies: Copies) -> int:
    """Write all copies of a table, one after the other; how many rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    delimiter = "\t" if path.suffix == ".txt" else ","
    with path.open("wb") as file:
        file.write(delimiter.join(copies.header).encode() + b"\n")
        for number in range(count):
            for lines in pc.binary_join_element_wise(copies.lines(number, delimiter), "", "\n").chunks:
                file.write(lines.buffers()[2])
    return count * copies.rows
