"""How often `chartsight ask` understands a question that it was never told how to word, and how fast.

    python benchmarks/ask.py                          a table, some minutes on two cores
    python benchmarks/ask.py --json                   the same for programs
    python benchmarks/ask.py --write docs/ask.md      put between the markers of that page
    python benchmarks/ask.py --calibrate              fit the threshold of the package anew, on the development part

A synthetic hospital is drawn and questions of all nine kinds are sampled from it. Two parts, apart by patient and by
wording:

    development   train patients, each in one of the wordings 1 to 4, then unknown to the translator
    test          valid and test patients, in wording 5, which the translator never knows and no choice was made with

A question is right when its program gives the gold rows, wrong when it gives others, refused when there is no program.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from chartsight.assistant import Assistant, open_assistant
from chartsight.errors import ChartsightError
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.neuralsql.families import read_families
from chartsight.neuralsql.families.templates import KINDS, Families
from chartsight.query import QueryConfig, answer_query
from chartsight.query.answer import table_values
from chartsight.questions.families import FamilyConfig, sample_questions
from chartsight.records import RecordSources, build_record, open_record
from chartsight.runs import machine, package_versions
from chartsight.schema import Question
from chartsight.translate import Conversation, RetrievalTranslator
from chartsight.translate.calibration import Calibration, read_calibration
from chartsight.translate.retrieval import signs

SECTION = Section("ask")
COMMAND = "python benchmarks/ask.py --write docs/ask.md"
CALIBRATION = Path(__file__).parents[1] / "src/chartsight/translate/calibration.json"
SEED = 7
TEST_WORDING = 5
DEVELOPMENT_WORDINGS = (1, 2, 3, 4)
# Of the development part: the threshold is the lowest that refuses so many of the wrong ones, and of strange questions.
LEAST_WRONG_REFUSED = 0.6
LEAST_STRANGE_REFUSED = 0.9
# Nobody's record answers these, and no family asks them; for the development part of the threshold only.
STRANGE = (
    "What is the weather like today?", "Which football team does patient {patient} support?",
    "Who is the mother of patient {patient}?", "What is the phone number of patient {patient}?",
    "How tall will patient {patient} be next year?", "Should patient {patient} be operated on?",
    "Why did patient {patient} get pneumonia?", "Write a letter to patient {patient}.",
    "What did patient {patient} have for lunch in 2150?", "Is the doctor of patient {patient} any good?",
    "How many nurses work in the hospital?", "Translate the report of patient {patient} into French.",
    "What is the meaning of life?", "Which car does patient {patient} drive?",
    "Predict the next potassium of patient {patient}.", "Is patient {patient} happy?",
    "How many beds are free?", "Book an appointment for patient {patient}.",
    "Which genes of patient {patient} are mutated?", "Show the ECG of patient {patient}.",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A question in a wording that the translator does not know, and what it is to give."""

    question: Question
    text: str
    wording: int


@dataclass
class Score:
    """Of one kind."""

    right: int = 0
    refused: int = 0
    wrong: int = 0
    same_rows: int = 0

    @property
    def asked(self) -> int:
        """All of them."""
        return self.right + self.refused + self.wrong

    @property
    def share(self) -> float:
        """That are right."""
        return self.right / self.asked if self.asked else float("nan")

    @property
    def refused_share(self) -> float:
        """Of those that are not right, that are refused rather than answered."""
        return self.refused / (self.refused + self.wrong) if self.refused + self.wrong else float("nan")


def build(folder: Path, patients: int) -> Path:
    """A hospital and its record."""
    build_hospital(folder / "hospital", HospitalConfig(patients=patients, seed=SEED, film_size_px=64), quiet=True)
    sources = RecordSources(
        mimiciv=folder / "hospital/mimic-iv", mimic_cxr_jpg=folder / "hospital/mimic-cxr-jpg",
        mimic_cxr_reports=folder / "hospital/mimic-cxr-reports", chest_imagenome=folder / "hospital/chest-imagenome",
    )  # fmt: skip
    build_record(folder / "record.duckdb", sources, quiet=True)
    return folder / "record.duckdb"


def sample(record: Path, per_kind: int) -> list[Question]:
    """Questions of all nine kinds, half of the patients in valid and test."""
    config = FamilyConfig(seed=SEED, per_template=8, per_kind=per_kind, valid_share=0.1, test_share=0.4)
    with open_record(record) as opened:
        return sample_questions(opened, read_families(), config, quiet=True)


def reword(question: Question, families: Families, wording: int) -> Asked:
    """The question in another wording."""
    slots = json.loads(question.parameters)["slots"]
    return Asked(question, families[question.template_id].render_phrasing(wording, slots), wording)


def development(questions: Sequence[Question], families: Families) -> Iterator[Asked]:
    """The answerable questions of train patients, each in one of the wordings 1 to 4."""
    for question in questions:
        if question.split == "train" and question.answerable:
            number = int(hashlib.sha256(question.question_id.encode()).hexdigest(), 16) % len(DEVELOPMENT_WORDINGS)
            yield reword(question, families, DEVELOPMENT_WORDINGS[number])


def calibrate(asked: Sequence[Asked], assistant: Assistant, families: Families) -> tuple[Calibration, dict[str, Any]]:
    """The curve and the threshold that the development part gives."""
    from sklearn.linear_model import LogisticRegression

    anything = Calibration(0.0, 1.0, 1.0, 0.0, threshold=0.0)
    seen: list[tuple[float, float, float]] = []
    right: list[bool] = []
    strange: list[bool] = []
    for wording in DEVELOPMENT_WORDINGS:
        translator = RetrievalTranslator(families, held_out=(wording, TEST_WORDING), calibration=anything)
        texts = [(each.text, each.question.program) for each in asked if each.wording == wording]
        patient = next(each.question.subject_id for each in asked if each.question.subject_id is not None)
        texts += [(text.format(patient=patient), "") for text in STRANGE]
        for text, program in texts:
            grounding, matches = translator.find(text, assistant.vocabulary, Conversation())
            if not matches:
                continue
            translation = translator.translate(text, assistant.vocabulary)
            if translation.program is None and program:
                continue  # refused for its values: no threshold changes that
            seen.append(signs(grounding, matches))
            right.append(translation.program == program)
            strange.append(not program)
    is_right, is_strange = np.array(right), np.array(strange)
    fitted = LogisticRegression(C=100.0).fit(np.array(seen), is_right)
    weights = [round(float(each), 4) for each in (fitted.intercept_[0], *fitted.coef_[0])]
    curve = Calibration(*weights, threshold=0.0)
    chances = np.array([curve.confidence(*each) for each in seen])
    is_wrong = ~is_right & ~is_strange
    threshold = max(
        float(np.quantile(chances[part], share, method="higher")) + 1e-4
        for part, share in ((is_wrong, LEAST_WRONG_REFUSED), (is_strange, LEAST_STRANGE_REFUSED))
        if part.any()
    )
    chosen = Calibration(*weights, threshold=round(threshold, 4))
    is_kept = chances >= chosen.threshold
    told: dict[str, Any] = {"command": "python benchmarks/ask.py --calibrate", "date": time.strftime("%Y-%m-%d")}
    for name, part in (("right", is_right), ("wrong", is_wrong), ("strange", is_strange)):
        told |= {name: int(part.sum()), f"{name}_and_refused": int((part & ~is_kept).sum())}
    return chosen, told


def rows_of(program: str, question: Question, assistant: Assistant) -> list[str]:
    """The rows of a program as a multiset, numbers to 6 significant digits."""
    config = QueryConfig(now=question.now)
    answer = answer_query(assistant.record, program, config, engine=assistant.engine, visual=assistant.visual())
    rows = table_values(answer.result.rows)
    return sorted(
        json.dumps([float(f"{v:.6g}") if isinstance(v, float) else v for v in row], default=str) for row in rows
    )


def gives_the_same(program: str, question: Question, assistant: Assistant) -> bool:
    """Whether a program gives the gold rows; one that does not run gives none."""
    try:
        return rows_of(program, question, assistant) == rows_of(question.program, question, assistant)
    except ChartsightError:
        return False


def measure(
    questions: Sequence[Question], assistant: Assistant, families: Families
) -> tuple[dict[str, Score], Score, list[tuple[float, float]], list[Asked]]:
    """Scores by kind, the score of unanswerable questions, milliseconds of every translation (clock, processor)."""
    translator = RetrievalTranslator(families, held_out=(TEST_WORDING,))
    scores = {kind: Score() for kind in KINDS}
    unanswerable, wrong = Score(), []
    milliseconds: list[tuple[float, float]] = []
    for question in questions:
        if question.split == "train":
            continue
        asked = reword(question, families, TEST_WORDING)
        started, used = time.perf_counter(), time.process_time()
        translation = translator.translate(asked.text, assistant.vocabulary)
        milliseconds.append((1000 * (time.perf_counter() - started), 1000 * (time.process_time() - used)))
        score = scores[question.kind] if question.answerable else unanswerable
        if translation.program is None:
            score.refused += 1
        elif not question.answerable:
            score.wrong += 1
        elif translation.program == question.program:
            score.right += 1
        elif gives_the_same(translation.program, question, assistant):
            score.right += 1
            score.same_rows += 1
        else:
            score.wrong += 1
            wrong.append(asked)
    return scores, unanswerable, milliseconds, wrong


def time_replies(questions: Sequence[Question], assistant: Assistant, most: int) -> list[float]:
    """Milliseconds of whole replies to questions of tables alone, from the words to the rows."""
    found = []
    for question in [each for each in questions if each.modality == "table" and each.answerable][:most]:
        started = time.perf_counter()
        try:
            reply = assistant.ask(question.question)
        except ChartsightError:
            continue  # a query that an engine refuses has no time
        if reply.state != "refused":
            found.append(1000 * (time.perf_counter() - started))
    return found


def render(scores: dict[str, Score], unanswerable: Score, lines: Sequence[str]) -> str:
    """The section of the page."""
    total = Score(
        *(sum(getattr(each, name) for each in scores.values()) for name in ("right", "refused", "wrong", "same_rows"))
    )
    rows = [*scores.items(), ("**all**", total)]
    table = [
        "| kind | asked | gold rows | refused | wrong answer | of those not right, refused |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {kind} | {each.asked} | {100 * each.share:.1f} % | {each.refused} | {each.wrong} | "
            f"{'–' if np.isnan(each.refused_share) else f'{100 * each.refused_share:.0f} %'} |"
            for kind, each in rows
        ),
        f"| unanswerable | {unanswerable.asked} | – | {unanswerable.refused} | {unanswerable.wrong} | "
        f"{100 * unanswerable.refused_share:.0f} % |",
    ]  # fmt: skip
    day, version = time.strftime("%Y-%m-%d"), package_versions()["chartsight"]
    return "\n".join([f"`{COMMAND}` on {day}, chartsight {version}: {describe_machine()}.", "", *table, "", *lines])


def ask_bench(
    write: Annotated[Path | None, typer.Option(help="The page whose section is rewritten.")] = None,
    calibrate_it: Annotated[bool, typer.Option("--calibrate", help="Fit the package's threshold anew.")] = False,
    patients: Annotated[int, typer.Option(help="Of the hospital.")] = 120,
    per_kind: Annotated[int, typer.Option(help="Questions of each kind that are sampled at least.")] = 100,
    show_wrong: Annotated[int, typer.Option(help="Questions that were answered wrongly to print.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Held-out wordings of all nine kinds: gold rows, refusals, wrong answers, milliseconds."""
    families = read_families()
    with TemporaryDirectory() as folder:
        record = build(Path(folder), patients)
        questions = sample(record, per_kind)
        with open_assistant(record) as assistant:
            if calibrate_it:
                chosen, told = calibrate(list(development(questions, families)), assistant, families)
                held = {name: getattr(chosen, name) for name in Calibration.__dataclass_fields__}
                CALIBRATION.write_text(json.dumps({**held, "development": told}, indent=2) + "\n", "utf-8")
                read_calibration.cache_clear()
                print(json.dumps(told), file=sys.stderr)
            scores, unanswerable, milliseconds, wrong = measure(questions, assistant, families)
            replies = time_replies(questions, assistant, 60)
    clock, processor = ([each[n] for each in milliseconds] for n in (0, 1))
    speed = {
        "translate_p50_ms": median(clock), "translate_p95_ms": quantiles(clock, n=20)[-1],
        "translate_p50_processor_ms": median(processor), "translate_p95_processor_ms": quantiles(processor, n=20)[-1],
        "reply_p50_ms": median(replies), "reply_p95_ms": quantiles(replies, n=20)[-1],
        "load": os.getloadavg()[1] / (os.cpu_count() or 1),
    }  # fmt: skip
    lines = [
        f"From the words to the program: p50 {speed['translate_p50_processor_ms']:.1f} ms of one processor, p95 "
        f"{speed['translate_p95_processor_ms']:.1f} ms ({len(clock):,} questions); by the clock p50 "
        f"{speed['translate_p50_ms']:.0f} ms, with {speed['load']:.1f} processes waiting for each core. From the words "
        f"to the rows, for questions of tables alone on an open record, by the clock: p50 {speed['reply_p50_ms']:.0f} "
        f"ms, p95 {speed['reply_p95_ms']:.0f} ms ({len(replies)} questions).",
    ]  # fmt: skip
    for each in wrong[:show_wrong]:
        print(each.question.template_id, "|", each.text, file=sys.stderr)
    if as_json:
        found = {kind: vars(each) for kind, each in {**scores, "unanswerable": unanswerable}.items()}
        print(json.dumps({"machine": machine(), "kinds": found, **speed}, indent=2))
    else:
        shown = Table("kind", "asked", "gold rows", "refused", "wrong")
        for kind, each in {**scores, "unanswerable": unanswerable}.items():
            shown.add_row(kind, str(each.asked), f"{100 * each.share:.1f} %", str(each.refused), str(each.wrong))
        Console().print(shown, *lines)
        print(Counter(each.question.template_id for each in wrong).most_common(20), file=sys.stderr)
    if write is not None:
        SECTION.write(write, render(scores, unanswerable, lines))


if __name__ == "__main__":
    run_alone(ask_bench)
