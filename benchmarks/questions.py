"""How fast questions of all nine kinds are sampled, gold answers included.

    python benchmarks/questions.py                                   shown
    python benchmarks/questions.py --write docs/performance.md       put between the markers of that page

A synthetic hospital is drawn for the purpose; with --record a record of your own is asked. Seconds are processor
time, which other work on the machine moves less than the clock.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from chartsight.exits import run_alone
from chartsight.figures import Figure, Section, render_section, show_figures
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.neuralsql.families import read_families
from chartsight.questions import FamilyConfig
from chartsight.questions.families import sample_questions
from chartsight.records import RecordSources, build_record, open_record

SECTION = Section("questions")
COMMAND = "python benchmarks/questions.py --write docs/performance.md"
PATIENTS = 100
PER_TEMPLATE = 10


def make_record(folder: Path, patients: int) -> Path:
    """The record of a synthetic hospital of so many patients, films of 64 px."""
    hospital = folder / "hospital"
    build_hospital(hospital, HospitalConfig(patients=patients, seed=7, film_size_px=64), workers=1, quiet=True)
    sources = RecordSources(
        mimiciv=hospital / "mimic-iv", mimic_cxr_jpg=hospital / "mimic-cxr-jpg",
        mimic_cxr_reports=hospital / "mimic-cxr-reports", chest_imagenome=hospital / "chest-imagenome",
    )  # fmt: skip
    build_record(folder / "record.duckdb", sources, quiet=True)
    return folder / "record.duckdb"


def measure(record: Path, per_template: int) -> list[Figure]:
    """Questions a second: of all kinds, and of each modality alone."""
    families = read_families()
    figures = []
    for name, kinds in (
        ("all nine kinds", ()),
        ("images", tuple({each.kind for each in families.templates if each.kind.startswith("image/")})),
        ("tables", tuple({each.kind for each in families.templates if each.kind.startswith("table/")})),
        ("images and tables", tuple({each.kind for each in families.templates if each.kind.startswith("image+")})),
    ):
        config = FamilyConfig(kinds=tuple(sorted(kinds)), per_template=per_template, per_kind=0)
        started = time.process_time()
        with open_record(record) as opened:
            questions = sample_questions(opened, families, config, quiet=True)
        seconds = time.process_time() - started
        note = (
            f"{len(questions):,} questions of {len({each.template_id for each in questions})} families, {seconds:.1f} s"
        )
        figures.append(Figure(f"sample questions, {name}", len(questions) / seconds, "questions/s", note))
    return figures


def bench(
    record: Annotated[Path | None, typer.Option(help="A record to ask instead of a synthetic hospital's.")] = None,
    per_template: Annotated[int, typer.Option(help="Questions of each family.")] = PER_TEMPLATE,
    patients: Annotated[int, typer.Option(help="Of the synthetic hospital.")] = PATIENTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    write: Annotated[Path | None, typer.Option(help="A page with the markers, such as docs/performance.md.")] = None,
) -> None:
    """Measure the sampling of questions."""
    run(record, per_template, patients, as_json=as_json, write=write)


def run(record: Path | None, per_template: int, patients: int, *, as_json: bool, write: Path | None) -> None:
    """Measure, show, and write the page."""
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    with TemporaryDirectory(prefix="questions-") as folder:
        figures = measure(record or make_record(Path(folder), patients), per_template)
    show_figures(figures, as_json=as_json)
    if write is not None:
        SECTION.write(write, render_section(COMMAND, figures))


if __name__ == "__main__":
    run_alone(bench)
