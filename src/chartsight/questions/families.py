"""Questions of all nine kinds, sampled from any record: families filled with what the record holds, answered by labels.

build_family_questions(Path("record.duckdb"), Path("all.parquet"), FamilyConfig(kinds=("image/two", "table/single")))

One patient's questions go where the patient goes. A question about a group, or about nobody, names no patient and is
answered over all of them: it goes where a seeded hash of its family and slots falls, so that one question in two
wordings never stands in two splits.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from chartsight.errors import QuestionError
from chartsight.neuralsql.families import Families, FamilyTemplate, read_families, read_family_file
from chartsight.neuralsql.families.templates import KINDS, MONTHS, PERIOD_SLOTS, Period
from chartsight.progress import track
from chartsight.questions.data_card import build_data_card
from chartsight.questions.files import write_questions
from chartsight.questions.gold import Answers, Ask, answer_ask, enumerate_asks
from chartsight.questions.label_engine import LabelEngine
from chartsight.questions.labels import FilmLabels, Unmentioned, read_film_labels
from chartsight.questions.splits import assign_splits, check_splits, place_patient
from chartsight.questions.templates import TemplateSet, read_templates
from chartsight.runs import Run, check_apart, removed_on_failure
from chartsight.schema import SPLITS, Pairing, Question, Split, Terms

if TYPE_CHECKING:
    import duckdb

    from chartsight.records import Record

MOST_ROWS_A_VALUE = 20  # of a draw that are looked at for one lab, drug, ...
MOST_ROWS_A_DRAW = 6_000
MOST_FILLINGS_A_LOOK = 60  # of each visual template
TRIES_A_ROW = 4
MOST_TRIES = 60  # for every question that is wanted
FEWEST_TO_VARY = 8  # questions of one family in a split from which on a slot with one value is refused there
DAYS = {"days": 1, "months": 30, "years": 365}  # roughly: a period is drawn by them, never computed


@dataclass(frozen=True)
class FamilyConfig:
    """What to ask of a record, and the clinical choices in it.

    Args:
        seed: Of splits, slots, wording.
        kinds: Of the nine; () for all.
        templates: `families`, or the path of a YAML file of the same layout.
        per_template: Questions of each family, where the record has so many.
        per_kind: Questions of each kind that can be answered and are wanted at least: families with more to ask make up
            for the others.
        yes_share: Prior of "yes" in each family.
        empty_share: Most that "nothing found", or a count of 0, may have in each family.
        majority_share: Most that one answer may have in each family; booleans follow yes_share.
        unnamed_period_share: Share of questions that say no period, where a family may have one.
        min_support: Films that must show a finding before it is asked for.
        unmentioned: What a finding means that a report does not mention.
        label_sources: First that labels a film wins.
        valid_share: Share of patients in valid.
        test_share: Share of patients in test.
        held_out_phrasings: Numbers (from 1) of the phrasings that only test reads.
    """

    seed: int = 7
    kinds: tuple[str, ...] = ()
    templates: str = "families"
    per_template: int = 40
    per_kind: int = 200
    yes_share: float = 0.5
    empty_share: float = 0.1
    majority_share: float = 0.5
    unnamed_period_share: float = 0.2
    min_support: int = 3
    unmentioned: Unmentioned = "absent"
    label_sources: tuple[str, ...] = ("imagenome", "folder", "chexpert", "negbio")
    valid_share: float = 0.1
    test_share: float = 0.2
    held_out_phrasings: tuple[int, ...] = (5,)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.kinds) - set(KINDS)):
            raise QuestionError("bad-kind", "kinds", unknown[0], "all, or some of " + ", ".join(KINDS))
        for name in (
            "yes_share", "empty_share", "majority_share", "unnamed_period_share", "valid_share", "test_share",
        ):  # fmt: skip
            if not 0 <= getattr(self, name) <= 1:
                raise QuestionError("bad-share", name, str(getattr(self, name)), "a share from 0 to 1")
        for name in ("per_template", "min_support"):
            if getattr(self, name) < 1:
                raise QuestionError("bad-number", name, str(getattr(self, name)), "a whole number of at least 1")


def build_family_questions(
    record: Path, out: Path, config: FamilyConfig | None = None, *, quiet: bool = False, force: bool = False
) -> Run:
    """Questions of the wanted kinds in `out`, with a data card (HTML and JSON) and a manifest beside it.

    Args:
        record: A record (`.duckdb`); without films, the kinds that look at none are asked.
        out: `questions.parquet`.
        config: What to ask; the defaults when None.
        quiet: Without progress.
        force: Replace `out`.

    Raises:
        QuestionError: Nothing can be asked of this record.
        RecordError: `record` is missing or no record.
        OutputError: `out` exists already, or the disk is full.
        GateError: A patient or a study would stand in two splits.
    """
    from chartsight.records import open_record

    config = config or FamilyConfig()
    record, out = Path(record), Path(out)
    families = read_families() if config.templates == "families" else read_family_file(Path(config.templates))
    check_apart(out, record)
    run = Run("questions build", asdict(config), config.seed)
    run.read(record)
    with open_record(record) as opened:
        run.terms, run.pairing = opened.terms, opened.pairing
        questions = sample_questions(opened, families, config, run=run, quiet=quiet)
    if not questions:
        raise QuestionError(
            "nothing-to-ask", record, "holds nothing that these families ask about", "a record with other kinds",
            "--kinds all",
        )  # fmt: skip
    metadata = {"film_index": str(record), "seed": str(config.seed), "source": families.source}
    write_questions(out, questions, metadata, replace=force)
    run.outputs.append({"path": str(out), "rows": len(questions)})
    run.kept["questions"] = len(questions)
    run.kept |= {split: sum(each.split == split for each in questions) for split in SPLITS}
    run.kept |= dict(sorted(Counter(each.kind for each in questions).items()))
    run.kept["tied"] = sum(each.tied for each in questions)
    card = out.with_name(f"{out.stem}.card.html")
    with removed_on_failure(out, card, card.with_suffix(".json")):
        build_data_card(out, card, replace=True)
        run.write(out)
    return run


def sample_questions(
    record: Record, families: Families, config: FamilyConfig, *, run: Run | None = None, quiet: bool = False
) -> list[Question]:
    """The questions of one record: balanced, split by patient, each worded once.

    Args:
        record: Open.
        families: What can be asked.
        config: What to ask.
        run: Counts what was left out.
        quiet: Without progress.

    Raises:
        GateError: A patient or a study would stand in two splits.
    """
    run = run or Run("questions build", asdict(config), config.seed)
    templates = [each for each in families.templates if not config.kinds or each.kind in config.kinds]
    labels = read_film_labels(record.connection, label_sources=config.label_sources, unmentioned=config.unmentioned)
    looks = LookPool(families, labels, read_templates(), config)
    programs = [each.program or "" for each in templates]
    programs += [each.sql for each in (*families.periods, *families.windows)]
    programs += [part for options in families.choices.values() for each in options.values() for part in each.values()]
    with LabelEngine(record.connection, labels, programs) as engine:
        for question, answers in looks.taught():
            engine.teach(question, answers)
        sampler = Sampler(record, families, labels, looks, engine, config, run)
        found: dict[str, list[Question]] = {}
        for template in track(templates, "questions", quiet=quiet):
            found[template.id] = sampler.sample(template, config.per_template)
        for kind in KINDS:
            sampler.make_up([each for each in templates if each.kind == kind and each.is_answerable], found)
    questions = [question for template in templates for question in found[template.id]]
    check_splits(
        (
            (question.split, {"patient": question.subject_id, "study": study_id})
            for question in questions
            for study_id in question.study_ids or (None,)
        ),
        "questions",
    )
    return questions


# --------------------------------------------------------------------------------------------------- what is looked for


@dataclass(frozen=True)
class LookFor:
    """One visual question with its words and what the labels answer, film by film.

    Args:
        words: As they stand in a question.
        question: As the visual model is asked.
        shown: bool [films], where it is present (a list: not empty).
    """

    words: str
    question: str
    shown: NDArray[np.bool_]


class LookPool:
    """What can be looked for on the films of a record, by kind of look."""

    def __init__(self, families: Families, labels: FilmLabels, one_image: TemplateSet, config: FamilyConfig) -> None:
        self.labels = labels
        self.words = {category: several for category, (_, several) in one_image.words.items()}
        self._by_kind: dict[str, list[LookFor]] = {}
        self._answers: dict[str, Answers] = {}
        rng = np.random.default_rng([config.seed, 101])
        by_id = {template.id: template for template in one_image.templates}
        for kind, looks in families.looks.items():
            pool = self._by_kind[kind] = []
            for look in looks:
                asks = list(enumerate_asks(by_id[look.template], labels, config.min_support)) if len(labels) else []
                chosen = sorted(rng.permutation(len(asks))[:MOST_FILLINGS_A_LOOK].tolist())
                for ask in (asks[n] for n in chosen):
                    words = self._name(families, kind, look.template, ask, one_image)
                    if kind == "named" and " " in words:
                        continue
                    answers = answer_ask(ask, labels, one_image.words)
                    if not answers.values:
                        continue
                    question = one_image.render_phrasing(ask.template, 1, ask.slots)
                    shown = np.array([bool(value) for value in answers.values], bool)[answers.codes]
                    shown &= answers.codes >= 0
                    if config.min_support <= int(shown.sum()):
                        pool.append(LookFor(words, question, shown))
                        self._answers[question] = answers

    def _name(self, families: Families, kind: str, template: str, ask: Ask, one_image: TemplateSet) -> str:
        slots = dict(ask.slots)
        if "category" in slots:
            slots["category"], slots["categories"] = one_image.words[slots["category"]]
        return families.name_look(kind, template, slots)

    def of(self, kind: str) -> list[LookFor]:
        """All of one kind of look, in a fixed order."""
        return self._by_kind[kind]

    def taught(self) -> Iterator[tuple[str, Answers]]:
        """Every visual question with its answers."""
        yield from self._answers.items()

    def allowed(self, question: str) -> tuple[str, ...]:
        """The vocabulary of a list."""
        return self._answers[question].allowed


# --------------------------------------------------------------------------------------------------------- the sampling


@dataclass
class _Tally:
    """What one family has so far."""

    wanted: int
    questions: list[Question] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    used: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    seen: set[tuple[str, str | None]] = field(default_factory=set)
    tries: int = 0


class Sampler:
    """Fills families from one record.

    Args:
        record: Open.
        families: Words and programs.
        labels: Of its films.
        looks: What can be looked for.
        engine: Answers programs.
        config: What to ask.
        run: Counts what was left out.
    """

    def __init__(
        self, record: Record, families: Families, labels: FilmLabels, looks: LookPool, engine: LabelEngine,
        config: FamilyConfig, run: Run,
    ) -> None:  # fmt: skip
        self.families, self.looks, self.engine, self.config, self.run = families, looks, engine, config, run
        self.connection = record.connection
        self.terms: Terms = record.terms
        self.pairing: Pairing = record.pairing
        self.vocabulary = set(record.vocabulary()) | set(labels.attributes)
        self.split_of = read_patient_splits(record.connection, labels, config)
        self.clock = Clock(record.connection)
        self.rows_of_patient: dict[int, list[int]] = defaultdict(list)
        self.row_of_study = {film.study_id: row for row, film in enumerate(labels.films)}
        self.sources = labels.sources
        for row, film in enumerate(labels.films):
            self.rows_of_patient[film.subject_id].append(row)
        self._drawn: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def sample(self, template: FamilyTemplate, wanted: int) -> list[Question]:
        """Questions of one family, at most `wanted`; fewer, or none, where the record does not have them."""
        if any(not self.looks.of(kind) for kind in template.slots.values() if kind in self.families.looks):
            self.run.drop("family without films that show what it asks about", template.id)
            return []
        number = int.from_bytes(hashlib.sha256(template.id.encode()).digest()[:4], "big")
        rng = np.random.default_rng([self.config.seed, number, wanted])
        rows = self._draw(template)
        if not rows:
            self.run.drop("family without rows in this record", template.id)
            return []
        tally = _Tally(wanted)
        while len(tally.questions) < wanted and tally.tries < MOST_TRIES * wanted:
            before = len(tally.questions)
            for row in rows:
                self._try_row(template, row, tally, rng)
                if len(tally.questions) >= wanted or tally.tries >= MOST_TRIES * wanted:
                    break
            if len(tally.questions) == before:
                break  # a whole turn through the record gave nothing new
        return self._settle(template, tally)

    def make_up(self, templates: Sequence[FamilyTemplate], found: dict[str, list[Question]]) -> None:
        """More questions of those families of one kind that have more to ask, until it has `per_kind`; in place."""
        wanted = {template.id: self.config.per_template for template in templates}
        while True:
            missing = self.config.per_kind - sum(len(found[template.id]) for template in templates)
            open_ = [template for template in templates if len(found[template.id]) >= wanted[template.id]]
            if missing <= 0 or not open_:
                return
            for template in open_:
                wanted[template.id] += -(-missing // len(open_))
                found[template.id] = self.sample(template, wanted[template.id])

    def _draw(self, template: FamilyTemplate) -> list[dict[str, Any]]:
        """Rows that fill the slots of a family, every lab (drug, ...) as often as any other, in a seeded order."""
        if not template.draw:
            return [{}]
        columns = [name for name, *_ in self.connection.execute(f"DESCRIBE {template.draw}").fetchall()]
        own = [name for name in columns if name in template.slots and name not in ("patient", "study", "study2")]
        group = own[-1] if own else "patient" if "patient" in columns else columns[0]
        if (template.draw, group) in self._drawn:
            return self._drawn[template.draw, group]
        mixed = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in columns)
        rows = self.connection.execute(
            f"""WITH drawn AS (SELECT DISTINCT * FROM ({template.draw})),
                ranked AS (SELECT *, md5(concat_ws('|', '{self.config.seed}', {mixed})) AS draw_place FROM drawn)
                SELECT {", ".join(f'"{name}"' for name in columns)} FROM (SELECT *,
                    row_number() OVER (PARTITION BY "{group}" ORDER BY draw_place) AS draw_turn FROM ranked)
                WHERE draw_turn <= {MOST_ROWS_A_VALUE} ORDER BY draw_turn, draw_place LIMIT {MOST_ROWS_A_DRAW}"""
        ).fetchall()
        drawn = [dict(zip(columns, row, strict=True)) for row in rows]
        return self._drawn.setdefault((template.draw, group), drawn)

    def _try_row(
        self, template: FamilyTemplate, row: Mapping[str, Any], tally: _Tally, rng: np.random.Generator
    ) -> None:
        """At most one question from one row of a draw, added to `tally`."""
        has_looks = any(kind in self.families.looks for kind in template.slots.values())
        for _ in range(TRIES_A_ROW if has_looks or template.answer_type == "boolean" else 1):
            if tally.tries >= MOST_TRIES * tally.wanted:
                return
            tally.tries += 1
            filled = self._fill(template, row, tally, rng)
            if filled is None:
                return
            values, now = filled
            question = self._ask(template, values, now, tally, rng)
            if question is not None:
                tally.questions.append(question)
                for slot, value in values.items():
                    tally.used[slot][value] += 1
                return

    def _fill(
        self, template: FamilyTemplate, row: Mapping[str, Any], tally: _Tally, rng: np.random.Generator
    ) -> tuple[dict[str, str], datetime] | None:
        """A value for every slot, and the time at which it is asked."""
        patient = row.get("patient")
        now = self.clock.of(patient)
        values: dict[str, str] = {}
        named: set[str] = set()
        for slot, kind in template.slots.items():
            if kind in PERIOD_SLOTS:
                at = row.get("at2" if slot.endswith("2") else "at")
                values[slot], now = self._draw_period(PERIOD_SLOTS[kind], row, at, now, rng)
            elif kind == "window":
                values[slot] = self._draw_window(rng)
            elif kind in self.families.looks:
                look = self._draw_look(kind, row, named, rng)
                if look is None:
                    return None
                named.add(look)
                values[slot] = look
            elif kind in self.families.choices:
                options = self.families.choices[kind]
                given = row.get(slot)
                if given is not None and given not in options:
                    return None
                values[slot] = str(given) if given is not None else self._least_used(slot, tuple(options), tally, rng)
                if kind == "stranger" and values[slot] in self.vocabulary:
                    return None
            else:
                if row[slot] is None or not str(row[slot]).strip():
                    return None
                values[slot] = str(row[slot])
        return values, now

    def _least_used(self, slot: str, options: Sequence[str], tally: _Tally, rng: np.random.Generator) -> str:
        """An option by chance, those that the family used least first in half of the tries."""
        if rng.random() < 0.5:
            return options[int(rng.integers(len(options)))]
        least = min(tally.used[slot][each] for each in options)
        open_ = [each for each in options if tally.used[slot][each] == least]
        return open_[int(rng.integers(len(open_)))]

    def _draw_look(self, kind: str, row: Mapping[str, Any], named: set[str], rng: np.random.Generator) -> str | None:
        """Words of what is looked for: in two of three tries what the films in question show, else anything."""
        films = [self.row_of_study[row[key]] for key in ("study", "study2") if row.get(key) in self.row_of_study]
        if not films and row.get("patient") is not None:
            films = self.rows_of_patient.get(row["patient"], [])
        pool = [each for each in self.looks.of(kind) if each.words not in named]
        if films and rng.random() < 2 / 3:
            pool = [each for each in pool if each.shown[films].any()] or pool
        return pool[int(rng.integers(len(pool)))].words if pool else None

    def _draw_window(self, rng: np.random.Generator) -> str:
        window = self.families.windows[int(rng.integers(len(self.families.windows)))]
        several = (2, 3, 7, 14, 30) if "days" in window.words else (2, 3, 6)
        return window.render_words({"n": str(several[int(rng.integers(len(several)))])})

    def _draw_period(
        self, kinds: Sequence[str], row: Mapping[str, Any], at: datetime | None, now: datetime, rng: np.random.Generator
    ) -> tuple[str, datetime]:
        """Words of a period, mostly one that holds the event of the row; and the time of asking."""
        if at is None or rng.random() < self.config.unnamed_period_share:
            return "", now
        shifted = at
        if rng.random() < 0.1:  # now and then a period that this event does not lie in
            shifted = at + timedelta(days=int(rng.integers(-700, 700)))
        candidates: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
        for period in self.families.periods:
            if period.kind in kinds and (words := self._period_words(period, shifted, now, row, rng)) is not None:
                candidates[period.kind].append(words)
        kind = sorted(candidates)[int(rng.integers(len(candidates)))]
        options = candidates[kind]
        return options[int(rng.integers(len(options)))]

    def _period_words(
        self, period: Period, at: datetime, now: datetime, row: Mapping[str, Any], rng: np.random.Generator
    ) -> tuple[str, datetime] | None:
        """The words of this period so that it holds `at`; None when it cannot."""
        if period.kind in ("hospital", "icu"):
            return self.clock.stay_words(period, row, now)
        months = (now.year - at.year) * 12 + now.month - at.month
        words = period.words
        holds = {"this year": now.year == at.year, "last year": now.year == at.year + 1,
                 "this month": months == 0, "last month": months == 1}  # fmt: skip
        if any(words.endswith(each) and not fits for each, fits in holds.items()):
            return None
        fields = {
            "year": f"{at.year:04d}", "month": f"{at.month:02d}", "day": f"{at.day:02d}",
            "month_name": MONTHS[at.month - 1],
        }  # fmt: skip
        if "{n}" in words:
            unit = words.split()[2]
            passed = (now - at).days // DAYS[unit]
            if passed < 0:
                return None
            if words.startswith("since"):
                n = passed + 1 + int(rng.integers(3))
            else:
                n = passed - int(rng.integers(2))
            if not 1 < n <= {"days": 90, "months": 24, "years": 20}[unit]:
                return None
            fields["n"] = str(n)
        return period.render_words(fields), now

    def _ask(
        self, template: FamilyTemplate, values: dict[str, str], now: datetime, tally: _Tally, rng: np.random.Generator
    ) -> Question | None:
        """The question with its gold answer; None when it is not fit to be asked."""
        asked_at = now.strftime("%Y-%m-%d %H:%M:%S")
        if not template.is_answerable:
            key = (json.dumps(values, sort_keys=True), None)
            if key in tally.seen:
                return None
            tally.seen.add(key)
            return self._write(template, values, "", asked_at, None, (), False, rng)
        program = self.families.render_program(template, values)
        if (program, asked_at) in tally.seen:
            return None
        tally.seen.add((program, asked_at))
        outcome = self.engine.run(program, asked_at)
        if not outcome.is_certain:
            self.run.drop("labels cannot tell the answer", template.id)
            return None
        answer = read_rows(outcome.rows, template)
        if answer is None or not self._is_wanted(template, answer, tally):
            return None
        if answer in ([], True) and not outcome.looked and set(template.slots.values()) & set(self.families.looks):
            return None  # of films that are not there, "all" and "none" are no answers
        tally.answers[json.dumps(answer)] += 1
        is_tied = self.engine.is_tied(program, asked_at)
        return self._write(template, values, program, asked_at, answer, outcome.looked, is_tied, rng)

    def _is_wanted(self, template: FamilyTemplate, answer: Any, tally: _Tally) -> bool:
        """Whether one more question with this answer keeps the family's shares."""
        n = tally.answers[json.dumps(answer)]
        if template.answer_type == "boolean":
            share = self.config.yes_share if answer else 1 - self.config.yes_share
            return n < share * tally.wanted
        if template.answer_type == "set" and len(answer) > template.most_values:
            return False
        if answer in ([], 0):
            return n < self.config.empty_share * tally.wanted
        return n < max(1.0, self.config.majority_share * tally.wanted)

    def _settle(self, template: FamilyTemplate, tally: _Tally) -> list[Question]:
        """The questions of a family without what would teach its wording: one answer only, or a constant slot."""
        questions = tally.questions
        if template.answer_type == "boolean":
            by_answer = {answer: [q for q in questions if q.answer == answer] for answer in ("true", "false")}
            fewest = min(len(each) for each in by_answer.values())
            most = int(fewest * 1.5) + (fewest > 0)
            keep = {q.question_id for each in by_answer.values() for q in each[:most]}
            questions = [question for question in questions if question.question_id in keep]
            if fewest == 0 and tally.questions:
                self.run.drop("family with one answer only", template.id)
                return []
        kept: list[Question] = []
        for split in SPLITS:
            those = [question for question in questions if question.split == split]
            slot = find_constant_slot(those, template) if len(those) >= FEWEST_TO_VARY else None
            if slot is not None:
                self.run.drop(f"family with a constant slot in {split}", f"{template.id}: {slot}", count=len(those))
                those = []
            kept += those
        if (slot := find_constant_slot(kept, template)) is not None:
            self.run.drop("family with a constant slot", f"{template.id}: {slot}", count=len(kept))
            return []
        if not kept:
            self.run.drop("family without an answer in this record", template.id)
        return kept

    def _write(
        self, template: FamilyTemplate, values: dict[str, str], program: str, now: str, answer: Any,
        looked: tuple[int, ...], is_tied: bool, rng: np.random.Generator,
    ) -> Question:  # fmt: skip
        modality, part = template.kind.split("/")
        scope = cast(Literal["none", "single", "group"], part if part in ("none", "group") else "single")
        patient = self._patient_of(values)
        split = self.split_of[patient] if patient is not None else self._split_of_all(template, values)
        numbers = [
            n for n in range(1, len(template.phrasings) + 1)
            if split == "test" or n not in self.config.held_out_phrasings
        ]  # fmt: skip
        number = numbers[int(rng.integers(len(numbers)))]
        text = template.render_phrasing(number, values)
        listings = [values[slot] for slot, kind in template.slots.items() if kind == "listing"]
        allowed: set[str] = set()
        for words in listings:
            allowed |= set(self.looks.allowed(self.families.render_look("listing", words)))
        sources = sorted({self.sources[self.row_of_study[each]] for each in looked if each in self.row_of_study} - {""})
        key = "\n".join((self.families.source, template.id, text, program, now))
        return Question(
            question_id=hashlib.sha256(key.encode()).hexdigest()[:16],
            split=split,
            template_id=template.id,
            phrasing_id=template.phrasing_id(number),
            kind=template.kind,
            modality=cast(Literal["image", "table", "image+table"], modality),
            scope=scope,
            subject_id=patient,
            study_ids=looked if scope == "single" else (),
            image_ids=(),
            question=text,
            visual_question=None,
            program=program,
            parameters=json.dumps(
                {"slots": values, "template": template.render_phrasing(1, values)}, sort_keys=True, ensure_ascii=False
            ),
            now=now,
            answer_type=template.answer_type,
            answer=json.dumps(answer, ensure_ascii=False),
            allowed_answers=tuple(sorted(allowed)),
            answerable=template.is_answerable,
            tied=is_tied,
            label_source="+".join(sources) or "record",
            pairing=self.pairing,
            terms=self.terms,
            source=self.families.source,
        )

    def _patient_of(self, values: Mapping[str, str]) -> int | None:
        """The patient whom a question is about, by name or by study; None for a group and for one who is not there."""
        if "patient" in values:
            patient = int(values["patient"])
            return patient if patient in self.split_of else None
        row = self.row_of_study.get(int(values["study"])) if "study" in values else None
        return None if row is None else self.looks.labels.films[row].subject_id

    def _split_of_all(self, template: FamilyTemplate, values: Mapping[str, str]) -> Split:
        place = place_patient(f"{template.id} {json.dumps(values, sort_keys=True)}", self.config.seed)
        if place < self.config.test_share:
            return "test"
        return "valid" if place < self.config.test_share + self.config.valid_share else "train"


def read_rows(rows: Sequence[tuple[Any, ...]], template: FamilyTemplate) -> Any:
    """The answer of a family from the rows of its program; None when they hold none.

    Floats are kept to 6 significant digits, on which all engines agree.
    """
    values = [round_number(row[0]) for row in rows if row and row[0] is not None]
    if template.answer_type == "set":
        return sorted({str(value) for value in values})
    if len(values) != 1:
        return None
    (value,) = values
    if template.answer_type == "boolean":
        return bool(value)
    if template.answer_type == "count":
        return int(value)
    return value if template.answer_type == "number" else str(value)


def round_number(value: Any) -> Any:
    """A float to 6 significant digits; anything else as it is."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def find_constant_slot(questions: Sequence[Question], template: FamilyTemplate) -> str | None:
    """A slot that holds the same in all of several questions, such as an age group; None when there is none.

    EHRXQA's test asked about the 20s in all 214 of its group questions over films and tables: what a model learns then
    is the wording.
    """
    if len(questions) < 2:
        return None
    values = [json.loads(question.parameters)["slots"] for question in questions]
    return next((slot for slot in template.slots if len({each[slot] for each in values}) == 1), None)


def read_patient_splits(
    connection: duckdb.DuckDBPyConnection, labels: FilmLabels, config: FamilyConfig
) -> dict[int, Split]:
    """The split of every patient of a record, with or without films; who share an image go together."""
    patients = [subject_id for (subject_id,) in connection.execute("SELECT subject_id FROM patients").fetchall()]
    keys = [(subject_id, f"patient {subject_id}") for subject_id in patients]
    keys += [(film.subject_id, film.digest) for film in labels.films]
    return assign_splits(keys, config.seed, config.valid_share, config.test_share)


class Clock:
    """When a question is asked, and which stay is whose first, last and current.

    A patient's questions are asked at the last event that the record has of the patient, because dates of de-identified
    records are shifted patient by patient; a question about a group, at the last event of all. A question about the
    current stay is asked at the minute at which the patient's last stay ends.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        events = connection.execute(
            """SELECT subject_id, max("at") FROM (
                SELECT subject_id, coalesce(dischtime, admittime) AS "at" FROM admissions
                UNION ALL SELECT subject_id, charttime FROM labevents
                UNION ALL SELECT subject_id, studydatetime FROM tb_cxr
                UNION ALL SELECT subject_id, coalesce(outtime, intime) FROM icustays)
            WHERE "at" IS NOT NULL GROUP BY subject_id"""
        ).fetchall()
        self._last: dict[int, datetime] = dict(events)
        self._latest = max(self._last.values(), default=datetime(2000, 1, 1))
        self._stays: dict[str, dict[int, list[tuple[int, datetime | None]]]] = {}
        for kind, sql in (
            (
                "hospital",
                "SELECT subject_id, hadm_id, dischtime FROM admissions ORDER BY subject_id, admittime, hadm_id",
            ),
            ("icu", "SELECT subject_id, stay_id, outtime FROM icustays ORDER BY subject_id, intime, stay_id"),
        ):
            stays = self._stays[kind] = defaultdict(list)
            for subject_id, stay, end in connection.execute(sql).fetchall():
                stays[subject_id].append((stay, end))

    def of(self, patient: int | None) -> datetime:
        """When this patient's questions are asked; without one, a group's."""
        return self._latest if patient is None else self._last.get(patient, self._latest)

    def stay_words(self, period: Period, row: Mapping[str, Any], now: datetime) -> tuple[str, datetime] | None:
        """The words and the time of asking, when the row's event lies in this stay."""
        stays = self._stays[period.kind].get(row.get("patient", -1), [])
        stay = row.get("hadm_id" if period.kind == "hospital" else "stay_id")
        which = period.words.split()[2]  # during the first hospital stay
        if stay is None or not stays or stays[0 if which == "first" else -1][0] != stay:
            return None
        if which == "current":
            return period.words, stays[-1][1] or now
        return period.words, now
