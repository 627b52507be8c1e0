"""EHRXQA's database, row for row: the published builder's and ours from the same files.

    git clone https://github.com/baeseongsu/ehrxqa        # yours, outside of this project
    python3.8 -m venv ehrxqa-venv                         # with the versions that its README names:
    ehrxqa-venv/bin/pip install pandas==1.1.3 scikit-learn==0.23.2 dask==2022.12.1 tqdm==4.65.0
    make ehrxqa-parity BUILDER=ehrxqa BUILDER_PYTHON=ehrxqa-venv/bin/python

A synthetic hospital is drawn and changed in several ways (`ehrxqa_sources.py`). Both builders make the databases of
both splits from each; tables, declared types and rows are compared in their order. Of the published builder only
constants are replaced in a copy, because the hospital is small (`PATCHES`); its debugger is switched off by the
environment. The exit code is 3 when anything differs.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from benchmarks.ehrxqa_sources import GOLD, VARIANTS, make_variant
from rich.console import Console

from chartsight.errors import ChartsightError, GateError
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.records.ehrxqa import EhrxqaSources, build_ehrxqa
from chartsight.records.ehrxqa.config import EHRXQA_SPLITS, EhrxqaConfig, EhrxqaSplit, published_config
from chartsight.records.ehrxqa.database import EHRXQA_TABLES
from chartsight.runs import package_versions

PATIENTS, STAYING, VALID_SHARE, MAX_STUDY_ORDER = 40, 8, 0.3, 4
LAST_LINES = 3  # of a builder's output, when it stops
BUILDER_ENVIRONMENT = {"PYTHONBREAKPOINT": "0", "TZ": "UTC", "OMP_NUM_THREADS": "1"}
SECTION = Section("ehrxqa-parity")


@dataclass(frozen=True)
class Patch:
    """A constant of the published builder that a small hospital needs otherwise.

    Args:
        file: In `dataset_builder`.
        old: What stands there.
        new: What is needed; `{gold}`, `{staying}` and `{valid_share}` are filled in.
        why: For the page.
    """

    file: str
    old: str
    new: str
    why: str


PATCHES = (
    Patch("preprocess_cohort.py", "== 500", "== {gold}", "number of hand-labelled patients"),
    Patch("preprocess_label.py", "== 500", "== {gold}", "number of hand-labelled films"),
    Patch("preprocess_label.py", "TEST_SIZE = 0.05", "TEST_SIZE = {valid_share}", "share of valid patients"),
    Patch(
        "preprocess_utils/preprocess_db_mimic_iv_cxr.py", '40 if self.split == "test" else 80', "{staying}",
        "patients kept in hospital",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class TableParity:
    """One table of one split.

    Args:
        rows: Ours.
        published_rows: The published builder's.
        differing: Rows that differ in value or type, and rows that only one has.
        columns: Whether the declared columns are the same.
        first: Number of the first row that differs, and the names of the columns in which it does.
    """

    table: str
    rows: int
    published_rows: int
    differing: int
    columns: bool
    first: tuple[int, tuple[str, ...]] | None

    @property
    def is_equal(self) -> bool:
        """Nothing differs."""
        return self.columns and self.differing == 0


@dataclass(frozen=True)
class Parity:
    """Both builders on one variant and split, with seconds and peak memory of each."""

    variant: str
    split: EhrxqaSplit
    tables: tuple[TableParity, ...]
    seconds: float
    published_seconds: float


def prepare_builder(builder: Path, out: Path, gold: int, config: EhrxqaConfig) -> None:
    """A copy of the user's clone with the constants replaced.

    Args:
        builder: The clone.
        out: A new folder.
        gold: Hand-labelled patients.
        config: The other constants.

    Raises:
        ChartsightError: It is no clone of the builder, or another version of it.
    """
    code = builder / "dataset_builder"
    schema = builder / "database" / "mimic_iv_cxr"
    if not code.is_dir() or not schema.is_dir():
        raise ChartsightError(
            "missing-source", builder, "has no dataset_builder/ and database/", "a clone of the builder"
        )
    shutil.copytree(code, out / "dataset_builder", ignore=shutil.ignore_patterns("__pycache__", "*.csv"))
    shutil.copytree(schema, out / "database" / "mimic_iv_cxr", ignore=shutil.ignore_patterns("*.db", "*.csv"))
    (out / "dataset_builder" / "preprocessed_data").mkdir(exist_ok=True)
    values = {"gold": gold, "staying": config.staying, "valid_share": config.valid_share}
    for patch in PATCHES:
        path = out / "dataset_builder" / patch.file
        text = path.read_text("utf-8") if path.is_file() else ""
        if patch.old not in text:
            raise ChartsightError("other-version", path, f"does not hold {patch.old!r}", "the builder of EHRXQA 1.0.0")
        path.write_text(text.replace(patch.old, patch.new.format(**values)), "utf-8")


def run_builder(python: Path, folder: Path, sources: Path) -> dict[str, float]:
    """The published builder's scripts on these folders, unpacked; split → seconds.

    Raises:
        ChartsightError: One of them stops.
    """
    plain = folder / "sources"
    shutil.copytree(sources, plain)
    for packed in sorted(plain.rglob("*.gz")):
        with gzip.open(packed) as source, packed.with_suffix("").open("wb") as target:
            shutil.copyfileobj(source, target)
        packed.unlink()
    began = time.perf_counter()
    for script, arguments in builder_scripts(plain, split_config("train"))[:2]:
        run_script(python, folder, script, arguments)
    shared = time.perf_counter() - began
    seconds = {}
    for split in EHRXQA_SPLITS:
        began = time.perf_counter()
        run_script(python, folder, *builder_scripts(plain, split_config(split))[2])
        seconds[split] = shared + time.perf_counter() - began
    return seconds


def builder_scripts(sources: Path, config: EhrxqaConfig) -> list[tuple[str, list[str]]]:
    """The published builder's three scripts and their arguments; the first two are the same for both splits.

    Args:
        sources: Folders of unpacked files.
        config: The split and the constants.
    """
    films = {"mimic_cxr_jpg_dir": sources / "mimic-cxr-jpg", "chest_imagenome_dir": sources / "chest-imagenome"}
    kept = {"save_dir": "dataset_builder/preprocessed_data"}
    tables = {
        "split": config.split, "mimic_iv_dir": sources / "mimic-iv", "db_name": "mimic_iv_cxr", "out_dir": "database",
        "current_time": config.current_time, "start_year": config.start_year, "time_span": config.time_span,
        "cur_patient_ratio": config.current_share, "num_patient": config.patients,
    }  # fmt: skip
    return [
        ("preprocess_cohort.py", stated({**films, **kept, "max_study_order": config.max_study_order})),
        ("preprocess_label.py", stated({**films, **kept})),
        ("preprocess_db.py", [*stated({**films, **tables}), "--deid", "--timeshift"]),
    ]


def stated(options: Mapping[str, object]) -> list[str]:
    """Options on a command line."""
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


def run_script(python: Path, folder: Path, script: str, arguments: Sequence[str]) -> None:
    """One script of the published builder, its debugger off.

    Raises:
        ChartsightError: It stops; its last lines are shown.
    """
    done = subprocess.run(
        [str(python), str(folder / "dataset_builder" / script), *arguments], cwd=folder, text=True, capture_output=True,
        env={**os.environ, **BUILDER_ENVIRONMENT},
    )  # fmt: skip
    if done.returncode != 0:
        last = " / ".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise ChartsightError("builder-stopped", script, last, "a run to its end")


def split_config(split: EhrxqaSplit) -> EhrxqaConfig:
    """The constants of a small hospital."""
    return published_config(
        split, patients=PATIENTS, staying=STAYING, valid_share=VALID_SHARE, max_study_order=MAX_STUDY_ORDER
    )


def compare_databases(ours: Path, published: Path) -> tuple[TableParity, ...]:
    """Every table of either database."""
    with sqlite3.connect(ours) as mine, sqlite3.connect(published) as theirs:
        named = {
            name.lower()
            for database in (mine, theirs)
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        return tuple(compare_table(mine, theirs, name) for name in sorted(named | set(EHRXQA_TABLES)))


def compare_table(mine: sqlite3.Connection, theirs: sqlite3.Connection, name: str) -> TableParity:
    """Columns, types and rows of a table, in their order; 5 and 5.0 are not the same."""
    columns, published_columns = (
        [tuple(column[1:3]) for column in database.execute(f"PRAGMA table_info({name})")] for database in (mine, theirs)
    )
    if not columns or not published_columns:
        return TableParity(name, 0, 0, 0, False, None)
    rows, published = (
        database.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall() for database in (mine, theirs)
    )
    differing = [
        number for number, pair in enumerate(zip(rows, published, strict=False)) if repr(pair[0]) != repr(pair[1])
    ]
    first = None
    if differing:
        cells = zip(columns, rows[differing[0]], published[differing[0]], strict=False)
        first = (differing[0], tuple(column for (column, _), ours, other in cells if repr(ours) != repr(other)))
    only_one = abs(len(rows) - len(published))
    return TableParity(name, len(rows), len(published), len(differing) + only_one, columns == published_columns, first)


def run_variant(hospital: Path, variant: str, builder: Path, python: Path, work: Path, seed: int) -> list[Parity]:
    """Both splits of one variant."""
    folder = work / variant.replace(" ", "-")
    sources = folder / "sources"
    sources.mkdir(parents=True)
    make_variant(hospital, sources, variant, seed)
    prepare_builder(builder, folder / "published", count_gold(sources), split_config("train"))
    published_seconds = run_builder(python, folder / "published", sources)
    found = []
    for split in EHRXQA_SPLITS:
        out = folder / f"{split}.sqlite"
        began = time.perf_counter()
        build_ehrxqa(
            out, EhrxqaSources(sources / "mimic-iv", sources / "mimic-cxr-jpg", sources / "chest-imagenome"),
            split_config(split), quiet=True,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        published = folder / "published" / "database" / "mimic_iv_cxr" / split / "mimic_iv_cxr.db"
        found.append(Parity(variant, split, compare_databases(out, published), seconds, published_seconds[split]))
    return found


def count_gold(sources: Path) -> int:
    """Patients whose films are labelled by hand."""
    return len({line.split("\t", 1)[0] for line in (sources / GOLD).read_text("utf-8").splitlines()[1:]})


def builder_commit(builder: Path) -> str:
    """Of the user's clone."""
    done = subprocess.run(
        ["git", "-C", str(builder), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True
    )
    return done.stdout.strip() or "an unknown commit"


def render_parity(found: Sequence[Parity], command: str, builder: str) -> str:
    """The section of the page: tables by variant and split."""
    day, version = datetime.now(UTC).date().isoformat(), package_versions()["chartsight"]
    names = [each.table for each in found[0].tables]
    heads = [f"{each.variant}, {each.split}" for each in found]
    lines = [
        f"`{command}` on {day}, chartsight {version}, published builder at {builder}: {describe_machine()}.", "",
        "Rows of each table; = where every row, value, type and declared column is the same.", "",
        f"| table | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}",
    ]  # fmt: skip
    for place, name in enumerate(names):
        cells = [shown(each.tables[place]) for each in found]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append(f"| seconds, ours | {' | '.join(f'{each.seconds:.1f}' for each in found)} |")
    lines.append(f"| seconds, published | {' | '.join(f'{each.published_seconds:.1f}' for each in found)} |")
    lines += ["", "Replaced in the copy of the published builder:", ""]
    lines += [f"* `{patch.file}`: `{patch.old}` → `{patch.new}` ({patch.why})" for patch in PATCHES]
    return "\n".join(lines)


def shown(table: TableParity) -> str:
    """`1,234 =`, or what differs."""
    if table.is_equal:
        return f"{table.rows:,} ="
    return f"**{table.differing:,} of {max(table.rows, table.published_rows):,} differ**"


def parity(
    builder: Annotated[Path, typer.Argument(help="Your clone of github.com/baeseongsu/ehrxqa.")],
    python: Annotated[Path, typer.Option(help="A Python with the packages that its README names.")],
    hospital: Annotated[Path | None, typer.Option(help="A synthetic hospital; by default a new one is drawn.")] = None,
    patients: Annotated[int, typer.Option(help="Of the hospital that is drawn.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the hospital and of what is roughened.")] = 7,
    variants: Annotated[str, typer.Option(help="Some of them: as drawn,rough,numeric")] = ",".join(VARIANTS),
    work: Annotated[Path | None, typer.Option(help="A new folder that stays; by default one that goes.")] = None,
    write: Annotated[Path | None, typer.Option(help="The page whose section is filled: docs/ehrxqa.md.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare EHRXQA's database as the published builder and as chartsight make it."""
    unknown = set(variants.split(",")) - set(VARIANTS)
    if unknown:
        raise ChartsightError("bad-option", "--variants", ", ".join(sorted(unknown)), ", ".join(VARIANTS))
    if not python.is_file():
        raise ChartsightError("missing-source", python, "no such file", "the Python of the builder's environment")
    if work is not None and work.exists():
        raise ChartsightError("output-exists", work, "exists already", "a new folder")
    found: list[Parity] = []
    with tempfile.TemporaryDirectory() as gone:
        place = (work or Path(gone)).resolve()
        if hospital is None:
            hospital = place / "hospital"
            config = HospitalConfig(patients=patients, seed=seed, film_size_px=64)
            build_hospital(hospital, config, workers=1, quiet=True)
        for variant in variants.split(","):
            # The virtual environment is found by the name that it was called by: the link is not followed.
            found += run_variant(hospital, variant, builder.resolve(), python.absolute(), place, seed)
    command = f"make ehrxqa-parity BUILDER={builder.name} BUILDER_PYTHON=..."
    if (variants, patients, seed) != (",".join(VARIANTS), 200, 7):
        command += f" PARITY_FLAGS=\"--variants '{variants}' --patients {patients} --seed {seed}\""
    text = render_parity(found, command, builder_commit(builder))
    if write is not None:
        SECTION.write(write, text)
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2))
    else:
        Console(width=200).print(text, markup=False)
    differing = [f"{each.variant}/{each.split}/{t.table}" for each in found for t in each.tables if not t.is_equal]
    if differing:
        raise GateError(
            "parity", "ehrxqa-parity", f"{len(differing)} tables differ: {', '.join(differing)}", "the same rows"
        )


if __name__ == "__main__":
    run_alone(parity)
