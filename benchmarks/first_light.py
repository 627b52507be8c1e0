"""How fast this machine goes through every room: `make bench`, under three minutes on two cores.

    python benchmarks/first_light.py                                  a table
    python benchmarks/first_light.py --json                           the same for programs
    python benchmarks/first_light.py --write docs/performance.md      put between the markers of that page

Films, rows and questions are those of a synthetic hospital drawn for the purpose; the import reads the real MIMIC-IV
demo when `CHARTSIGHT_OPEN_DATA` or ../shared/open-data holds it. Other work on the machine makes every figure worse.
"""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from chartsight.exits import run_alone
from chartsight.figures import Figure, Section, Stopwatch, render_section, show_figures
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.hospital.build import draw_films, film_tasks
from chartsight.hospital.patients import iterate_patients
from chartsight.imaging.film_cache import FilmCache, build_film_cache
from chartsight.imaging.film_index import read_film_index
from chartsight.processes import usable_cores
from chartsight.progress import track
from chartsight.questions import QuestionConfig, build_questions, read_questions
from chartsight.records import RecordSources, build_record
from chartsight.schema import Question

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

SEED = 7
DRAWN = HospitalConfig(patients=60, seed=SEED)  # films of 256 px, drawn for their own figure
ASKED = HospitalConfig(
    patients=60, seed=SEED, film_size_px=128
)  # the starter reads 128 px; asked about and learned from
BRANCHES = (16, 8, 1)
ROWS_PER_STEP = 8
SECONDS = 5.0  # of measuring a training or answering figure
SECTION = Section("first-light")


def measure_films(folder: Path, drawn: HospitalConfig = DRAWN) -> Iterator[Figure]:
    """Films of a hospital drawn a second, by one process and by one a core; benchmarks/hospital.py tells them apart."""
    cores = usable_cores()
    for processes in sorted({1, cores}):
        out = folder / f"by-{processes}"
        tasks = [task for patient in iterate_patients(drawn) for task in film_tasks(patient, out, drawn)]
        with Stopwatch() as watch:
            films = sum(1 for _ in draw_films(tasks, processes))
        note = f"{films} films of {drawn.film_size_px} px" + (", starting the processes included" * (processes > 1))
        yield Figure(f"draw films, {processes} process{'es' * (processes > 1)}", films / watch.seconds, "films/s", note)


def measure_import(hospital: Path, folder: Path, demo: Path | None) -> Figure:
    """Rows of MIMIC-IV tables imported a second."""
    source = demo or hospital / "mimic-iv"
    with Stopwatch() as watch:
        run = build_record(folder / "tables.duckdb", RecordSources(mimiciv=source), quiet=True)
    rows = sum(run.kept.values())
    what = "the real MIMIC-IV demo" if demo else f"the synthetic hospital ({ASKED.patients} patients)"
    return Figure("import tables", rows / watch.seconds, "rows/s", f"{rows:,} rows of {what}")


def measure_questions(hospital: Path, folder: Path) -> tuple[Path, Figure]:
    """A question set about the hospital's films, and questions built a second."""
    record, out = folder / "record.duckdb", folder / "questions.parquet"
    sources = RecordSources(
        mimiciv=hospital / "mimic-iv", mimic_cxr_jpg=hospital / "mimic-cxr-jpg",
        chest_imagenome=hospital / "chest-imagenome",
    )  # fmt: skip
    build_record(record, sources, quiet=True)
    with Stopwatch() as watch:
        run = build_questions(record, out, QuestionConfig(seed=SEED), quiet=True)
    built = run.kept["questions"]
    return out, Figure(
        "build questions", built / watch.seconds, "questions/s", f"{built:,} questions, data card included"
    )


def open_model(questions: Sequence[Question]) -> Vlm:
    """The shipped `starter-med`, or a starter of its size that has learned nothing."""
    from chartsight.questions.answer_text import render_answer
    from chartsight.vlm.checkpoint import list_models, load_vlm
    from chartsight.vlm.starter import StarterSize, build_starter, starter_card, train_tokenizer

    if "starter-med" in list_models():
        return load_vlm("starter-med")
    size = StarterSize()
    texts = [question.question for question in questions]
    texts += [render_answer(question.answer, question.answer_type) for question in questions]
    card = starter_card("untrained starter", "A starter that has learned nothing, for benchmarks.")
    return build_starter(train_tokenizer(texts, size.vocabulary), card, size, seed=SEED)


def measure_training(vlm: Vlm, questions: Sequence[Question], films: FilmCache) -> Iterator[Figure]:
    """Questions learned a second: whole optimiser steps over shared rows; LoRA, projector, the tower's output kept."""
    import torch

    from chartsight.training.examples import build_example, build_rows
    from chartsight.training.film_inputs import keep_tower_features
    from chartsight.training.learner import with_trainable_parts  # what `chartsight train` itself learns
    from chartsight.training.loss import question_loss
    from chartsight.training.recipe import AnswerRecipe
    from chartsight.training.rows import collate_rows

    # PEFT asks transformers for a renamed property; nothing a user could do about it.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
    recipe = AnswerRecipe(name="bench", questions=Path("-"))
    inputs = keep_tower_features(vlm, films, sorted(films.rows), quiet=True)
    learner = with_trainable_parts(vlm, recipe, swap_tower=True).train()
    optimizer = torch.optim.AdamW([each for each in learner.parameters() if each.requires_grad], lr=1e-5)
    examples = [build_example(question) for question in questions]
    cores = torch.get_num_threads()
    for threads in sorted({1, cores}):
        torch.set_num_threads(threads)
        for branches in BRANCHES:
            rows = build_rows(examples, vlm.prompts, film=True, branches_per_row=branches, seed=SEED)
            random.Random(SEED).shuffle(rows)
            learned, seconds, step = 0, 0.0, 0
            while seconds < SECONDS or step < 3:
                at = step * ROWS_PER_STEP % max(1, len(rows) - ROWS_PER_STEP)
                with Stopwatch() as watch:
                    batch = collate_rows(rows[at : at + ROWS_PER_STEP], vlm.tokenizer.pad_token_id)
                    output = learner(
                        input_ids=batch.input_ids, position_ids=batch.position_ids,
                        attention_mask=batch.attention_mask, logits_to_keep=batch.logits_to_keep,
                        pixel_values=inputs.gather(batch.image_ids), use_cache=False,
                    )  # fmt: skip
                    count = batch.n_questions
                    loss = question_loss(output.logits, batch.targets, batch.question_of_target, count, count)
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                    optimizer.zero_grad()
                if step:  # the first step also allocates
                    learned, seconds = learned + count, seconds + watch.seconds
                step += 1
            where = f"{threads} thread{'s' * (threads > 1)}"
            kind = f"{branches} questions a row" if branches > 1 else "one question a row"
            yield Figure(
                f"train, {kind}, {where}", learned / seconds, "questions/s", f"{ROWS_PER_STEP} rows a step, float32"
            )
    torch.set_num_threads(cores)


def measure_answering(vlm: Vlm, questions: Sequence[Question], films: FilmCache) -> Iterator[Figure]:
    """Questions answered a second: one by one, and all of a film behind one shared prefix, many films at once."""
    from chartsight.vlm.answering import FilmQuestions, answer_films

    by_film: dict[str, list[str]] = {}
    for question in questions:
        by_film.setdefault(question.image_ids[0], []).append(question.visual_question or question.question)
    together = [FilmQuestions(films[film], tuple(texts)) for film, texts in sorted(by_film.items())]
    single = [FilmQuestions(item.film, (text,)) for item in together for text in item.questions]
    warm = list(answer_films(vlm, single[:2]))
    assert len(warm) == 2
    for what, batches in (
        ("answer, one by one", [[item] for item in single]),
        ("answer, shared prefix, batched", [together[at : at + 8] for at in range(0, len(together), 8)]),
    ):
        answered, tokens, seconds = 0, 0, 0.0
        for batch in batches:
            with Stopwatch() as watch:
                answers = [answer for each in answer_films(vlm, batch) for answer in each]
            answered, seconds = answered + len(answers), seconds + watch.seconds
            tokens += sum(answer.n_tokens for answer in answers)
            if seconds > SECONDS:
                break
        yield Figure(what, answered / seconds, "questions/s", f"{tokens / answered:.1f} tokens an answer")


def find_demo() -> Path | None:
    """The folder of the real MIMIC-IV demo, when this machine has it."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "open-data"
    demo = Path(os.environ.get("CHARTSIGHT_OPEN_DATA") or beside) / "mimic-iv-demo"
    return demo if demo.is_dir() else None


def measure_all(folder: Path, *, quiet: bool) -> Iterator[Figure]:
    """Every figure, in the order of the rooms."""
    yield from measure_films(folder)
    hospital = folder / "hospital"
    build_hospital(hospital, ASKED, quiet=quiet)
    yield measure_import(hospital, folder, find_demo())
    path, figure = measure_questions(hospital, folder)
    yield figure
    questions = [question for question in read_questions(path) if question.split == "train" and question.image_ids]
    vlm = open_model(questions)
    index = read_film_index(folder / "record.duckdb")
    wanted = sorted({image_id for question in questions for image_id in question.image_ids})
    preprocessing = vlm.card.preprocessing
    films = build_film_cache(
        index.films(wanted), preprocessing.size_px, folder / "cache", fill=preprocessing.fill, quiet=True
    )
    for figure in measure_answering(vlm, questions, films):  # before training: its adapters would stay
        yield Figure(figure.what, figure.value, figure.unit, f"{figure.note}; {vlm.card.name}")
    for figure in measure_training(vlm, questions, films):
        yield Figure(figure.what, figure.value, figure.unit, f"{figure.note}; {vlm.card.name}")


def bench(
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    write: Annotated[Path | None, typer.Option(help="A page with the markers, such as docs/performance.md.")] = None,
) -> None:
    """Measure every room."""
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    with TemporaryDirectory(prefix="first-light-") as folder:
        figures = list(track(measure_all(Path(folder), quiet=True), "measuring", total=13))
    show_figures(figures, as_json=as_json)
    if write is not None:
        SECTION.write(write, render_section("python benchmarks/first_light.py --write docs/performance.md", figures))


if __name__ == "__main__":
    run_alone(bench)
