"""How fast the synthetic hospital is drawn, in how much memory, and whether the same seed gives the same bytes.

    python benchmarks/hospital.py                                  a table, some minutes on two cores
    python benchmarks/hospital.py --json                           the same for programs
    python benchmarks/hospital.py --write docs/performance.md      put between the markers of that page
    python benchmarks/hospital.py --large                          memory at 10,000 patients too: half an hour more
    python benchmarks/hospital.py --large --keep measured.json     a killed run goes on with the part that it was at

Memory and bytes are checks besides figures: the program ends with exit code 3 when memory grows with the number of
patients, or when two hospitals of one seed differ. Other work on the machine makes every speed worse.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console

from chartsight.errors import GateError
from chartsight.exits import run_alone
from chartsight.figures import Figure, Section, Stopwatch, render_section, show_figures
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.hospital.build import FILMS_A_TASK, FilmTask, draw_films, film_tasks
from chartsight.hospital.config import LARGEST_HOSPITAL
from chartsight.hospital.patients import iterate_patients
from chartsight.processes import usable_cores
from chartsight.progress import track
from chartsight.runs import sha256_file, write_json

P = ParamSpec("P")
R = TypeVar("R")

SECTION = Section("hospital")
COMMAND = "python benchmarks/hospital.py --write docs/performance.md"
SEED = 7
MOST_GROWTH = 1.25  # of peak memory, from the fewest patients to the most
LARGE = 10_000


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Args:
        films: Of each kind, to draw by one process; by several, as many a process.
        film_px: Side of these films, and of those of the whole hospital.
        patients: Of the whole hospital.
        memory: Patients of the hospitals whose memory is compared, the fewest first.
        repeated: Patients of the hospitals whose bytes are compared.
        small_px: Side of the films where memory and bytes are looked at.
    """

    films: int = 160
    film_px: int = 320
    patients: int = 60
    memory: tuple[int, ...] = (500, 2_000)
    repeated: int = 30
    small_px: int = 64


@dataclass(frozen=True)
class Check:
    """Something that has to be so.

    Args:
        what: In words.
        holds: Whether it is so.
        found: What was seen.
    """

    what: str
    holds: bool
    found: str

    def line(self) -> str:
        """One line of the page."""
        return f"{self.what}: **{'yes' if self.holds else 'no'}**; {self.found}."


# ---------------------------------------------------------------------------------------------------------------- speed


def kind_of(task: FilmTask) -> str:
    """The kinds of film whose speeds are told apart."""
    if task.request.view == "LATERAL":
        return "lateral"
    return "frontal, with findings" if task.request.findings else "frontal, nothing found"


def tasks_by_kind(folder: Path, sizes: Sizes, films: int) -> dict[str, list[FilmTask]]:
    """The first `films` films of each kind that the patients of a hospital ask for."""
    kinds: dict[str, list[FilmTask]] = {"frontal, nothing found": [], "frontal, with findings": [], "lateral": []}
    config = HospitalConfig(patients=LARGEST_HOSPITAL, seed=SEED, film_size_px=sizes.film_px)  # as many as it takes
    for patient in iterate_patients(config):
        for task in film_tasks(patient, folder, config):
            kinds[kind_of(task)].append(task)
        if all(len(tasks) >= films for tasks in kinds.values()):
            break
    return {kind: tasks[:films] for kind, tasks in kinds.items()}


def films_a_second(tasks: Sequence[FilmTask], processes: int) -> float:
    """Films drawn and written a second once every process is at work."""
    films = draw_films(tasks, processes)
    for _ in islice(films, FILMS_A_TASK * processes):
        pass
    with Stopwatch() as watch:
        drawn = sum(1 for _ in films)
    return drawn / watch.seconds


def measure_films(folder: Path, sizes: Sizes) -> Iterator[Figure]:
    """Speed of each kind of film, by one process and by one a core."""
    cores = usable_cores()
    for processes in sorted({1, cores}):
        for kind, tasks in tasks_by_kind(folder / f"by-{processes}", sizes, sizes.films * processes).items():
            what = f"draw films, {kind}, {processes} process{'es' * (processes > 1)}"
            note = f"{len(tasks)} films of {sizes.film_px} px, JPEG included"
            yield Figure(what, films_a_second(tasks, processes), "films/s", note)


def measure_hospital(folder: Path, sizes: Sizes) -> Iterator[Figure]:
    """Speed of a whole hospital, with all that stands in its folder."""
    config = HospitalConfig(patients=sizes.patients, seed=SEED, film_size_px=sizes.film_px)
    cores = usable_cores()
    with Stopwatch() as watch:
        run = build_hospital(folder / "whole", config, workers=cores, quiet=True)
    films = run.kept["films"]
    note = (
        f"{sizes.patients} patients, {films} films of {sizes.film_px} px, every table, label and mask; "
        f"{cores} process{'es' * (cores > 1)}, their start included"
    )
    yield Figure("build a hospital", sizes.patients / watch.seconds, "patients/s", note)
    yield Figure("build a hospital, its films", films / watch.seconds, "films/s", note)


# --------------------------------------------------------------------------------------------------------------- memory


def in_own_process(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `work` returns in a fresh process, which inherits no memory, no cache and no order of hashes."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


def peak_memory_mb() -> float:
    """The most memory (MB, 10^6 bytes) that this process has held so far.

    Source: proc(5), VmHWM. Linux's ru_maxrss would not do: it starts at what the parent process held.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def build_and_weigh(folder: Path, config: HospitalConfig, workers: int) -> tuple[int, float]:
    """Films of a hospital, and the peak memory in MB of the process that built it."""
    run = build_hospital(folder, config, workers=workers, quiet=True)
    return run.kept["films"], peak_memory_mb()


def measure_memory(folder: Path, sizes: Sizes, patients: int) -> Iterator[Figure]:
    """Peak memory of the building process; the processes that draw are apart."""
    config = HospitalConfig(patients=patients, seed=SEED, film_size_px=sizes.small_px)
    with TemporaryDirectory(dir=folder) as own, Stopwatch() as watch:
        films, peak = in_own_process(build_and_weigh, Path(own) / "hospital", config, max(2, usable_cores()))
    note = f"{films:,} films of {sizes.small_px} px, in {watch.seconds:,.0f} s"
    yield Figure(f"peak memory, {patients:,} patients", peak, "MB", note)


def check_memory(peaks: Sequence[float]) -> Check:
    """Whether peak memory stays where it was while patients grow in number."""
    growth = peaks[-1] / peaks[0]
    found = f"{', '.join(f'{peak:.0f}' for peak in peaks)} MB; at most {MOST_GROWTH:g} times the first is allowed"
    return Check("Memory does not grow with patients", growth <= MOST_GROWTH, found)


# ---------------------------------------------------------------------------------------------------------------- bytes


def build_and_digest(folder: Path, config: HospitalConfig, workers: int) -> str:
    """The digest of a hospital's bytes."""
    build_hospital(folder, config, workers=workers, quiet=True)
    return digest_folder(folder)


def digest_folder(folder: Path) -> str:
    """Of the name and bytes of every file but `run.json`, which says when it was built."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / "run.json"):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def check_bytes(folder: Path, sizes: Sizes, seeds: Sequence[int] = (SEED, SEED, SEED)) -> Check:
    """Whether hospitals of these seeds, built twice by one process and once by several, are the same to the byte."""
    digests = []
    for nth, (seed, workers) in enumerate(zip(seeds, (1, 1, max(2, usable_cores())), strict=True)):
        config = replace(dials_turned(sizes), seed=seed)
        with TemporaryDirectory(dir=folder) as own:
            digests.append(in_own_process(build_and_digest, Path(own) / f"hospital-{nth}", config, workers))
    found = f"{sizes.repeated} patients, every dial of reports and labels turned, films of 8 and 16 bits; " + (
        f"digest {digests[0][:12]}" if len(set(digests)) == 1 else f"digests {', '.join(each[:12] for each in digests)}"
    )
    return Check("Same seed, same bytes, in two runs and by one process or several", len(set(digests)) == 1, found)


def dials_turned(sizes: Sizes) -> HospitalConfig:
    """A hospital in which everything that can be drawn by chance is."""
    return HospitalConfig(
        patients=sizes.repeated, film_size_px=sizes.small_px, bits=16, difficulty="hard", label_noise=0.1,
        report_omission=0.1, report_uncertainty=0.3, reader_disagreement=0.5,
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------------------------- page


def measure_all(folder: Path, sizes: Sizes, keep: Path | None = None) -> Iterator[Figure | Check]:
    """Every figure, and the checks after what they are about.

    Args:
        folder: For what is built.
        sizes: How much is measured.
        keep: JSON of the parts that are measured already; each is put there as it ends. Parts of other sizes are
            measured anew.
    """
    parts: Mapping[str, Callable[[], Iterator[Figure]]] = {
        "films": partial(measure_films, folder, sizes),
        "hospital": partial(measure_hospital, folder, sizes),
        **{f"memory {patients}": partial(measure_memory, folder, sizes, patients) for patients in sizes.memory},
    }
    kept = read_kept(keep, sizes)
    for name, measure in parts.items():
        if name in kept:
            yield from (Figure(**figure) for figure in kept[name])
            continue
        figures = []
        for figure in measure():
            figures.append(figure)
            yield figure
        kept[name] = [asdict(figure) for figure in figures]
        if keep is not None:
            write_json(keep, {"sizes": asdict(sizes), "parts": kept})
    yield check_memory([kept[f"memory {patients}"][0]["value"] for patients in sizes.memory])
    yield check_bytes(folder, sizes)


def read_kept(keep: Path | None, sizes: Sizes) -> dict[str, list[dict[str, Any]]]:
    """The figures of the parts that `keep` holds, by part; none when it is not there or of other sizes."""
    if keep is None or not keep.exists():
        return {}
    stored = json.loads(keep.read_text("utf-8"))
    return dict(stored["parts"]) if stored["sizes"] == json.loads(json.dumps(asdict(sizes))) else {}


def bench(
    large: Annotated[bool, typer.Option("--large", help=f"Memory at {LARGE:,} patients too.")] = False,
    keep: Annotated[Path | None, typer.Option(help="JSON of parts that are measured already; they are kept.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    write: Annotated[Path | None, typer.Option(help="A page with the markers, such as docs/performance.md.")] = None,
) -> None:
    """Measure the hospital."""
    run(Sizes(memory=(*Sizes.memory, LARGE)) if large else Sizes(), as_json=as_json, write=write, keep=keep)


def run(sizes: Sizes, *, as_json: bool, write: Path | None, keep: Path | None = None) -> None:
    """Measure, show, and write the page.

    Raises:
        GateError: As `report`.
    """
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    with TemporaryDirectory(prefix="hospital-") as folder:
        rows = 3 * len({1, usable_cores()}) + 2 + len(sizes.memory) + 2
        measured = list(track(measure_all(Path(folder), sizes, keep), "measuring", total=rows))
    command = COMMAND + " --large" * (LARGE in sizes.memory)
    report(measured, command, as_json=as_json, write=write)


def report(measured: Sequence[Figure | Check], command: str, *, as_json: bool, write: Path | None) -> None:
    """Figures and checks on standard output and in the page.

    Raises:
        GateError: A check does not hold; everything has been shown and written by then.
    """
    figures = [each for each in measured if isinstance(each, Figure)]
    checks = [each for each in measured if isinstance(each, Check)]
    lines = [each.line() for each in checks]
    show_figures(figures, as_json=as_json, more={"checks": [asdict(each) for each in checks]})
    if not as_json:
        Console(soft_wrap=True, highlight=False).print("\n".join(lines), markup=False)
    if write is not None:
        SECTION.write(write, "\n\n".join((render_section(command, figures), *lines)))
    for check in checks:
        if not check.holds:
            raise GateError("check-failed", "the hospital", f"not so: {check.what}", hint=check.found)


if __name__ == "__main__":
    run_alone(bench)
