"""From a record to `questions.parquet`: the one-image family, with gold answers from the record's labels.

build_questions(Path("record.duckdb"), Path("questions.parquet"), QuestionConfig(seed=7))
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from chartsight.errors import ChartsightError, QuestionError
from chartsight.progress import track
from chartsight.questions.balance import count_wanted, draw_films, round_counts, share_out
from chartsight.questions.data_card import build_data_card
from chartsight.questions.files import write_questions
from chartsight.questions.gold import Answers, Ask, answer_ask, enumerate_asks, needs_labels
from chartsight.questions.labels import FilmLabels, LabelledFilm, Unmentioned, read_film_labels
from chartsight.questions.splits import assign_splits, check_splits
from chartsight.questions.templates import Family, Template, TemplateSet, read_templates
from chartsight.runs import Run, check_apart, removed_on_failure
from chartsight.schema import SPLITS, Pairing, Question, Split, Terms, strictest_pairing, strictest_terms

MOST_OVER_WEIGHT = 3.0  # where plain questions run out, compound ones may not take all of their place
LONGEST_COMMON_NUMBER = 3  # digits; a longer number in a question can only be an identifier


@dataclass(frozen=True)
class QuestionConfig:
    """What to ask, and the clinical choices in it.

    Args:
        seed: Of splits, slots, films and wording.
        templates: `one-image`, or the path of a YAML file of the same layout.
        per_film: Most questions about one film; the films are loaded evenly below it.
        yes_share: Prior of "yes": share of true among the yes/no questions of each template and slot.
        empty_share: Most that "nothing found" may have among the sets of each template and slot.
        verify_share: Share of yes/no questions.
        choose_share: Share of choices; the rest lists.
        facts_share: Most that view, sex and size may have beside questions about findings, which are the point.
        min_support: Films that each answer needs before a question is asked: a constant answer teaches the prior.
        most_fillings: Ways to fill a template's slots that are asked; more are drawn by chance.
        unmentioned: What a finding means that a report does not mention. `absent`, because reports list what is seen
            (EHRXQA and Chest ImaGenome do the same); `unknown` asks only what was stated, and far less.
        uncertain: Statements such as "may be": `drop`, no question is asked whose answer hangs on one.
        frontal_only: One frontal film a study, as EHRXQA; a lateral shows too little of what the templates ask.
        label_sources: First that labels a film wins: read by region, then the user's own, then whole-report labellers.
        valid_share: Share of patients in valid.
        test_share: Share of patients in test.
        held_out_phrasings: Numbers (from 1) of the phrasings that only test reads; () for none.
    """

    seed: int = 7
    templates: str = "one-image"
    per_film: int = 16
    yes_share: float = 0.5
    empty_share: float = 0.2
    verify_share: float = 0.5
    choose_share: float = 0.2
    facts_share: float = 0.12
    min_support: int = 5
    most_fillings: int = 48
    unmentioned: Unmentioned = "absent"
    uncertain: Literal["drop"] = "drop"
    frontal_only: bool = True
    label_sources: tuple[str, ...] = ("imagenome", "folder", "chexpert", "negbio")
    valid_share: float = 0.1
    test_share: float = 0.2
    held_out_phrasings: tuple[int, ...] = (5,)

    def __post_init__(self) -> None:
        for name in (
            "yes_share",
            "empty_share",
            "verify_share",
            "choose_share",
            "facts_share",
            "valid_share",
            "test_share",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise QuestionError("bad-share", name, str(getattr(self, name)), "a share from 0 to 1")
        if self.empty_share == 1:
            raise QuestionError("bad-share", "empty_share", "1", "a share below 1")
        if self.verify_share + self.choose_share > 1:
            raise QuestionError("bad-share", "verify_share and choose_share", "more than 1 together", "at most 1")
        for name in ("per_film", "min_support", "most_fillings"):
            number = getattr(self, name)
            if not isinstance(number, int) or isinstance(number, bool) or number < 1:
                raise QuestionError("bad-number", name, str(number), "a whole number of at least 1")
        if self.seed < 0:
            raise QuestionError("bad-number", "seed", str(self.seed), "0 or more")
        for name, known in (("unmentioned", ("absent", "unknown")), ("uncertain", ("drop",))):
            if getattr(self, name) not in known:
                raise QuestionError("bad-choice", name, str(getattr(self, name)), " or ".join(known))


def build_questions(
    record: Path, out: Path, config: QuestionConfig | None = None, *, quiet: bool = False, force: bool = False
) -> Run:
    """Questions about the films of `record` in `out`, with a data card (HTML and JSON) and a manifest beside it.

    Args:
        record: A record (`.duckdb`) with films.
        out: `questions.parquet`.
        config: What to ask; the defaults when None.
        quiet: Without progress.
        force: Replace `out`.

    Raises:
        QuestionError: The record has no films, or nothing can be asked of them.
        RecordError: `record` is missing or no record.
        OutputError: `out` exists already, or the disk is full.
        GateError: A patient or an image would stand in two splits.
    """
    from chartsight.records import open_record

    config = config or QuestionConfig()
    record, out = Path(record), Path(out)
    templates = read_templates(config.templates)
    check_apart(out, record)
    with open_record(record) as opened:
        terms, pairing = opened.terms, opened.pairing
        n_films = opened.connection.execute("SELECT count(*) FROM films").fetchall()[0][0]
        labels = read_film_labels(
            opened.connection,
            label_sources=config.label_sources,
            unmentioned=config.unmentioned,
            frontal_only=config.frontal_only,
        )
    if not len(labels):
        raise QuestionError(
            "no-films", record, f"none of its {n_films:,} films is frontal" if n_films else "has no films",
            "frontal films (tb_cxr)" if n_films else "a record with films",
            "--all-views asks about the others too" if n_films else "records build: --mimic-cxr-jpg, or --films",
        )  # fmt: skip
    run = Run("questions build", asdict(config), config.seed)
    run.read(record)
    questions = ask_films(labels, templates, config, record_terms=terms, record_pairing=pairing, run=run, quiet=quiet)
    if not questions:
        raise QuestionError(
            "nothing-to-ask", record, "no question has enough films with different answers",
            f"at least {config.min_support} films with each answer", "add labelled films, or lower min_support",
        )  # fmt: skip
    run.terms = strictest_terms(each.terms for each in questions)
    run.pairing = strictest_pairing(each.pairing for each in questions)
    metadata = {"film_index": str(record), "seed": str(config.seed), "source": templates.source}
    write_questions(out, questions, metadata, replace=force)
    run.outputs.append({"path": str(out), "rows": len(questions)})
    run.kept["questions"] = len(questions)
    run.kept |= {split: sum(each.split == split for each in questions) for split in SPLITS}
    card = out.with_name(f"{out.stem}.card.html")
    with removed_on_failure(out, card, card.with_suffix(".json")):
        build_data_card(out, card, replace=True)
        run.write(out)
    return run


def ask_films(
    labels: FilmLabels,
    templates: TemplateSet,
    config: QuestionConfig,
    *,
    record_terms: Terms = "synthetic",
    record_pairing: Pairing = "real",
    run: Run | None = None,
    quiet: bool = False,
) -> list[Question]:
    """The questions about these films: balanced, split by patient, each worded once.

    Args:
        labels: Of the films.
        templates: What can be asked.
        config: What to ask.
        record_terms: Of the record; a question has the stricter of its film's and these.
        record_pairing: Of the record, likewise.
        run: Counts what was left out.
        quiet: Without progress.

    Raises:
        GateError: A patient or an image would stand in two splits.
    """
    run = run or Run("questions build", asdict(config), config.seed)
    split_of = assign_splits(
        ((film.subject_id, film.digest) for film in labels.films), config.seed, config.valid_share, config.test_share
    )
    film_splits = [split_of[film.subject_id] for film in labels.films]
    check_splits(
        (
            (split, {"patient": film.subject_id, "study": film.study_id, "image": film.digest})
            for split, film in zip(film_splits, labels.films, strict=True)
        ),
        "questions",
    )
    film_terms = [
        (strictest_terms((record_terms, film.terms)), strictest_pairing((record_pairing, film.pairing)))
        for film in labels.films
    ]
    fillings = fill_templates(labels, templates, config, run, quiet=quiet)
    questions: list[Question] = []
    for split in SPLITS:
        rng = np.random.default_rng([config.seed, SPLITS.index(split)])
        films = np.array([each == split for each in film_splits])
        for ask, answers, drawn in draw_split(fillings, films, config, rng):
            numbers = phrasing_numbers(ask.template, split, config)
            worded = rng.choice(numbers, len(drawn))
            flipped = rng.random(len(drawn)) < 0.5  # the place of an option must not tell the answer
            both = (ask, ask.mirrored() if ask.template.is_symmetric else ask)
            texts: dict[tuple[int, bool], str] = {}
            for row, number, flip in zip(drawn.tolist(), worded.tolist(), flipped.tolist(), strict=True):
                if (text := texts.get((number, flip))) is None:
                    text = templates.render_phrasing(both[flip].template, number, both[flip].slots)
                    texts[number, flip] = text
                questions.append(
                    write_question(
                        labels.films[row], both[flip], answers.values[answers.codes[row]], answers.allowed, templates,
                        split=split, number=number, text=text, label_source=labels.sources[row],
                        terms=film_terms[row][0], pairing=film_terms[row][1],
                    )
                )  # fmt: skip
    return drop_repeated(questions, run)


def fill_templates(
    labels: FilmLabels, templates: TemplateSet, config: QuestionConfig, run: Run, *, quiet: bool
) -> list[tuple[Ask, Answers]]:
    """Every template with the fillings of its slots that enough films answer differently."""
    rng = np.random.default_rng([config.seed, len(SPLITS)])
    filled: list[tuple[Ask, Answers]] = []
    for template in track(templates.templates, "gold answers", quiet=quiet):
        asks = list(enumerate_asks(template, labels, config.min_support))
        kept = 0
        for n in rng.permutation(len(asks)):
            answers = answer_ask(asks[n], labels, templates.words)
            if is_supported(template, answers, config.min_support):
                filled.append((asks[n], answers))
                kept += 1
            if kept == config.most_fillings:
                break
        if not kept:
            run.drop("template without enough films of each answer", template.id)
    return filled


def is_supported(template: Template, answers: Answers, min_support: int) -> bool:
    """Whether enough films have each answer (of sets: enough are not empty, and they differ)."""
    counts = np.bincount(answers.codes[answers.codes >= 0], minlength=len(answers.values))
    if template.answer_type == "set":
        found = sum(int(n) for n, value in zip(counts, answers.values, strict=True) if value)
        return found >= min_support and bool(np.count_nonzero(counts) > 1)
    return bool((counts >= min_support).all())


def draw_split(
    fillings: Sequence[tuple[Ask, Answers]], films: NDArray[np.bool_], config: QuestionConfig, rng: np.random.Generator
) -> Iterator[tuple[Ask, Answers, NDArray[np.int64]]]:
    """For every question the films of one split that are asked it, as row numbers.

    The split's questions are shared out over families, then templates, then fillings; what one cannot take goes to
    the others.
    """

    def count(ask: Ask, answers: Answers, codes: NDArray[np.int32], total: float = np.inf) -> NDArray[np.float64]:
        available = np.bincount(codes[codes >= 0], minlength=len(answers.values))
        return count_wanted(
            ask.template.answer_type, answers.values, available, total,
            yes_share=config.yes_share, empty_share=config.empty_share,
        )  # fmt: skip

    within = [np.where(films, answers.codes, -1).astype(np.int32) for _, answers in fillings]
    caps = [float(count(ask, answers, codes).sum()) for (ask, answers), codes in zip(fillings, within, strict=True)]
    total = config.per_film * int(films.sum())
    is_fact = np.array([not needs_labels(ask.template) for ask, _ in fillings], bool)
    if any(cap > 0 for cap, fact in zip(caps, is_fact, strict=True) if not fact):
        fact_caps = share_out(config.facts_share * total, np.where(is_fact, caps, 0.0), np.ones(len(caps)))
        caps = np.where(is_fact, fact_caps, caps).tolist()
    totals = share_questions([ask.template for ask, _ in fillings], caps, total, config)
    load = np.zeros(len(films), np.int64)
    owed: dict[str, NDArray[np.float64]] = {}
    for n in rng.permutation(len(fillings)):
        ask, answers = fillings[n]
        codes = np.where(load < config.per_film, within[n], -1).astype(np.int32)
        wanted = count(ask, answers, codes, totals[n])
        if ask.template.answer_type == "set":  # its answers are other ones for every filling: rounded by chance
            carried = rng.random(len(wanted)) - 0.5
        else:
            carried = owed.setdefault(ask.template.id, np.full(len(wanted), rng.random() - 0.5))
        drawn = draw_films(codes, round_counts(wanted, carried), load, rng)
        if len(drawn):
            yield ask, answers, drawn


def share_questions(
    templates: Sequence[Template], caps: Sequence[float], total: int, config: QuestionConfig
) -> list[float]:
    """How many questions each filling gets: float [fillings], from the template and the cap of each."""
    rows_of: dict[Template, list[int]] = defaultdict(list)
    for row, (template, cap) in enumerate(zip(templates, caps, strict=True)):
        if cap > 0:
            rows_of[template].append(row)
    families: dict[Family, list[Template]] = defaultdict(list)
    for template in rows_of:
        families[template.family].append(template)
    family_share: dict[Family, float] = {
        "verify": config.verify_share,
        "choose": config.choose_share,
        "query": max(0.0, 1 - config.verify_share - config.choose_share),
    }
    template_caps: dict[Template, float] = {}
    for family, members in families.items():
        weights = sum(template.weight for template in members)
        for template in members:
            nominal = family_share[family] * total * template.weight / weights
            template_caps[template] = min(sum(caps[row] for row in rows_of[template]), MOST_OVER_WEIGHT * nominal)
    family_caps = [sum(template_caps[template] for template in members) for members in families.values()]
    family_totals = share_out(total, family_caps, [family_share[family] for family in families])
    totals = [0.0] * len(templates)
    for members, family_total in zip(families.values(), family_totals, strict=True):
        shares = share_out(
            family_total, [template_caps[template] for template in members], [template.weight for template in members]
        )
        for template, share in zip(members, shares, strict=True):
            rows = rows_of[template]
            for row, part in zip(rows, share_out(share, [caps[row] for row in rows], np.ones(len(rows))), strict=True):
                totals[row] = float(part)
    return totals


def phrasing_numbers(template: Template, split: Split, config: QuestionConfig) -> list[int]:
    """Numbers of the phrasings that a split may read."""
    numbers = range(1, len(template.phrasings) + 1)
    held_out = set() if split == "test" else set(config.held_out_phrasings)
    open_ = [number for number in numbers if number not in held_out]
    if not open_:
        raise QuestionError(
            "no-phrasing", "held_out_phrasings", f"all phrasings of {template.id} are held out", "one left for training"
        )
    return open_


def write_question(
    film: LabelledFilm, ask: Ask, value: object, allowed: tuple[str, ...], templates: TemplateSet, *,
    split: Split, number: int, text: str, label_source: str, terms: Terms, pairing: Pairing,
) -> Question:  # fmt: skip
    """One row of `questions.parquet`."""
    template = ask.template
    check_no_identifier(text, film)
    named = text if text[1:2].isupper() else text[0].lower() + text[1:]
    key = "\n".join((film.digest, film.image_id, text, template.id, template.answer_type))
    return Question(
        question_id=hashlib.sha256(key.encode()).hexdigest()[:16],
        split=split,
        template_id=template.id,
        phrasing_id=template.phrasing_id(number),
        kind="image/one",
        modality="image",
        scope="single",
        subject_id=film.subject_id,
        study_ids=(film.study_id,),
        image_ids=(film.image_id,),
        question=f"In study {film.study_id}, {named}",
        visual_question=text,
        program=templates.render_program(text, film.study_id),
        parameters=json.dumps(dict(ask.slots), sort_keys=True),
        now=None,
        answer_type=template.answer_type,
        answer=json.dumps(value),
        allowed_answers=tuple(ask.slots[slot] for slot in template.gold.choose) or allowed,
        answerable=True,
        tied=False,
        label_source=label_source if needs_labels(template) else "record",
        pairing=pairing,
        terms=terms,
        source=templates.source,
    )


def check_no_identifier(visual_question: str, film: LabelledFilm) -> None:
    """Stops when the visual question names the patient, the study or the image.

    Raises:
        QuestionError: It does; a finding or template that carries an identifier is the only way.
    """
    has_number = re.search(rf"\d{{{LONGEST_COMMON_NUMBER + 1},}}", visual_question)
    if has_number or (len(film.image_id) > LONGEST_COMMON_NUMBER and film.image_id in visual_question):
        raise QuestionError(
            "identifier-in-question", "visual_question", "an identifier", "findings and places only",
            "rename the finding that carries it",
        )  # fmt: skip


def drop_repeated(questions: Sequence[Question], run: Run) -> list[Question]:
    """Each wording once on each image (two templates may meet in the same words)."""
    seen: set[tuple[str, str | None]] = set()
    kept = []
    for question in questions:
        key = (question.image_ids[0], question.visual_question)
        if key in seen:
            run.drop("repeated question", question.template_id)
        else:
            seen.add(key)
            kept.append(question)
    return kept


def regold(question: Question, image_id: str, labels: FilmLabels, templates: TemplateSet) -> str | None:
    """The answer (JSON) that `question` would have on another film; None when its labels cannot tell.

    Raises:
        ChartsightError: The film or the template is not there.
    """
    template = next((each for each in templates.templates if each.id == question.template_id), None)
    row = next((n for n, film in enumerate(labels.films) if film.image_id == image_id), None)
    if template is None or row is None:
        missing = question.template_id if template is None else image_id
        raise ChartsightError("unknown", missing, "no such template" if template is None else "no such film")
    slots = cast(Mapping[str, str], json.loads(question.parameters))
    answers = answer_ask(Ask(template, slots), labels, templates.words)
    return None if answers.codes[row] < 0 else json.dumps(answers.values[answers.codes[row]])
