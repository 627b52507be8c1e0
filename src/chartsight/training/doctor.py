"""`chartsight doctor`: everything that can be known of a run before a weight is loaded.

Reads every film's header and every question as the ids that will be learned from, lists what would train silently wrong
(`training.checks`, `questions.refusals`), shows three samples with the supervised span marked, and predicts memory and
time (`training.forecast`). A run that it finds nothing wrong with may begin.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from chartsight.errors import ChartsightError, FilmError, GateError, QuestionError
from chartsight.imaging.film_index import FilmIndex, IndexedFilm, read_film_index
from chartsight.imaging.pixels import scan_film
from chartsight.progress import track
from chartsight.questions import refusals
from chartsight.questions.data_card import blind_baselines
from chartsight.questions.export import frontal_films
from chartsight.questions.files import film_index_of, read_questions
from chartsight.questions.subsets import select_subset
from chartsight.schema import Question
from chartsight.training.checks import Limits, check_ids, faults_of, word_checks
from chartsight.training.examples import build_rows_of, tokenise_question
from chartsight.training.forecast import MACHINES, Forecast, Load, architecture_of, forecast
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.rows import FilmRow, TokenisedQuestion
from chartsight.vlm.outline import Outline, read_outline

SHOWN_SAMPLES = 3


@dataclass
class Fault:
    """One way to train silently wrong, and where.

    Args:
        code: Of the check.
        where: The first sample or file.
        found: What stands there.
        count: How many samples have it.
    """

    code: str
    where: str
    found: str
    count: int = 1


@dataclass
class Diagnosis:
    """What `doctor` found.

    Args:
        questions: Of each split that the run reads.
        rows: Shared rows of the train split.
        films: That the questions are about.
        supervised_share: Of the train split's tokens, each question standing alone: how many carry loss.
        with_image_tokens: Questions that hold exactly the tower's number of image ids.
        lengths: Tokens of a question alone: least, median, most; and of a row.
        max_length: Tokens that a question may have.
        token_gain: Tokens of separate rows over tokens of shared rows.
        duplicates: kind → splits → how many stand in both.
        baselines: What a guesser scores on valid that never looks.
        samples: Rendered, the supervised span between [[ and ]].
        forecasts: Of each machine.
        faults: Empty when the run may begin.
    """

    questions: dict[str, int]
    rows: int = 0
    films: int = 0
    supervised_share: float = 0.0
    with_image_tokens: int = 0
    lengths: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    max_length: int = 0
    token_gain: float = 1.0
    duplicates: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    baselines: Mapping[str, Any] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
    forecasts: list[Forecast] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def check(self) -> None:
        """Nothing, when the run may begin.

        Raises:
            GateError: The first fault, and how many kinds there are.
        """
        if self.faults:
            first = self.faults[0]
            more = f"; {len(self.faults) - 1} more kinds of fault" if len(self.faults) > 1 else ""
            raise GateError(first.code, first.where, f"{first.found} ({first.count:,} such){more}", "none")

    def text(self) -> str:
        """For a terminal."""
        counted = ", ".join(f"{number:,} {name}" for name, number in self.questions.items())
        lines = [f"questions: {counted}; {self.films:,} films, {self.rows:,} rows"]
        for sample in self.samples:
            lines += ["", *(f"  {line}" for line in sample.splitlines())]
        if self.samples:
            lines += ["", "  (what stands between [[ and ]] carries loss)", ""]
        total = sum(self.questions.values())
        lines.append(f"supervised: {100 * self.supervised_share:.2f}% of a question's tokens")
        lines.append(f"image tokens: as many as features in {self.with_image_tokens:,} of {total:,} questions")
        for name, (least, middle, most) in self.lengths.items():
            limit = f", {self.max_length:,} allowed" if name == "question" else ""
            lines.append(f"tokens of a {name}: {least:,} to {most:,}, median {middle:,}{limit}")
        lines.append(f"sharing films saves tokens {self.token_gain:.2f}-fold")
        shared = [f"{n} {kind}s in {pair}" for kind, pairs in self.duplicates.items() for pair, n in pairs.items() if n]
        lines.append(f"in two splits: {', '.join(shared) or 'nothing'}")
        if "valid" in self.baselines:
            lines.append(f"valid answered right without looking: {100 * self.baselines['valid']['accuracy']:.1f}%")
        if self.forecasts:
            lines.append("predicted by arithmetic (docs/training.md), not measured:")
            lines += [f"  {each.sentence()}" for each in self.forecasts]
        for fault in self.faults:
            lines.append(f"REFUSED {fault.code}: {fault.where}: {fault.found} ({fault.count:,} such)")
        lines.append("nothing found that would train silently wrong" if not self.faults else "")
        return "\n".join(lines).rstrip()


def examine(recipe: AnswerRecipe, *, quiet: bool = False) -> Diagnosis:
    """What can be known of a run of `recipe` before any weight is loaded.

    Raises:
        QuestionError, CheckpointError, FilmError: The questions, the base or the film index cannot be read at all.
    """
    everything = read_questions(recipe.questions)
    chosen = select_subset(everything, recipe.subset)
    about_films = [question for question in chosen if question.image_ids]
    asked = [question for question in about_films if question.looks_at_one_film and question.split != "test"]
    counted = Counter(question.split for question in asked)
    found = Diagnosis({split: counted.get(split, 0) for split in ("train", "valid")})
    faults: dict[str, Fault] = {}

    def note(error: ChartsightError) -> None:
        if error.code in faults:
            faults[error.code].count += 1
        else:
            faults[error.code] = Fault(error.code, error.where, error.found)

    for split, number in found.questions.items():
        if not number:
            note(QuestionError("empty-split", recipe.questions, f"has no question about one film in split {split}"))
    index = read_film_index(film_index_of(recipe.questions)) if recipe.film else FilmIndex([], recipe.questions)
    films = sorted({image_id for question in asked for image_id in question.image_ids})
    found.films = len(films)
    if recipe.film:
        for error in scan_films(films, index, quiet=quiet):
            note(error)
    outline = read_outline(recipe.base)
    found.max_length = recipe.max_length or outline.longest
    if outline.card.image_tokens != outline.features:
        note(
            QuestionError(
                "image-tokens", outline.folder, f"its card says {outline.card.image_tokens} image tokens a film",
                f"{outline.features}, as its tower gives",
            )
        )  # fmt: skip
    _check_questions(recipe, asked, index, outline, found, note, quiet=quiet)
    digests = {name: film.digest for name, film in index.items()}
    found.duplicates = refusals.find_leakage(about_films, digests)
    try:
        refusals.check_leakage(found.duplicates, allowed=False)
    except ChartsightError as error:
        note(error)
    found.baselines = {str(split): figures for split, figures in blind_baselines(asked, everything).items()}
    found.faults = list(faults.values())
    return found


def scan_films(image_ids: Sequence[str], index: FilmIndex, *, quiet: bool = False) -> Iterator[FilmError]:
    """What is wrong with films: unknown, gone, cut short, or of another size than the index says."""

    def look(image_id: str) -> FilmError | None:
        film: IndexedFilm | None = index.get(image_id)
        if film is None:
            return FilmError("unknown-film", image_id, "is not in the film index")
        try:
            size = scan_film(film.path)
        except FilmError as error:
            return error
        if film.rows and size != (film.rows, film.columns):
            return FilmError(
                "changed-film", film.path, f"{size[0]} x {size[1]} pixels", f"{film.rows} x {film.columns} as indexed"
            )
        return None

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        looked = pool.map(look, image_ids)
        yield from filter(None, track(looked, "film headers", total=len(image_ids), quiet=quiet))


def _check_questions(
    recipe: AnswerRecipe, asked: Sequence[Question], index: FilmIndex, outline: Outline, found: Diagnosis, note: Any,
    *, quiet: bool,
) -> None:  # fmt: skip
    """Every question as words and as ids, and what the rows of the train split are like."""
    frontal = frontal_films(index.source) if recipe.film else {}
    study_of = {image_id: film.study_id for image_id, film in index.items()}
    limits = Limits(outline.prompts.image_token_id, outline.features if recipe.film else 0, found.max_length)
    tokenised: dict[str, TokenisedQuestion] = {}
    lengths, supervised = [], 0
    for question in track(asked, "reading samples", total=len(asked), quiet=quiet):
        known = question.image_ids[0] in study_of  # what the index lacks was said with the films
        for error in faults_of(word_checks(question, study_of if known else None, frontal)):
            note(error)
        try:
            ids = tokenise_question(question, outline.prompts, film=recipe.film)
            found.with_image_tokens += ids.prompt_ids.count(limits.image_token_id) == limits.features
            check_ids(ids, limits)
        except ChartsightError as error:
            note(error)
            continue
        if question.split == "train":
            tokenised[question.question_id] = ids
            lengths.append(len(ids.prompt_ids) + len(ids.answer_ids) - 1)
            supervised += len(ids.answer_ids)
    train = [question for question in asked if question.question_id in tokenised]
    if not train:
        return
    try:
        rows = build_rows_of(
            [(question.image_ids, tokenised[question.question_id]) for question in train],
            outline.prompts.image_token_id, film=recipe.film, branches_per_row=recipe.branches, seed=recipe.seed,
        )  # fmt: skip
    except QuestionError as error:
        note(error)
        return
    found.rows = len(rows)
    found.supervised_share = supervised / sum(lengths)
    row_lengths = [len(row.input_ids) for row in rows]
    found.lengths = {"question": _spread(lengths), "row": _spread(row_lengths)}
    found.token_gain = sum(lengths) / sum(row_lengths)
    found.samples = [render_sample(tokenised[each.question_id], outline) for each in _three(train)]
    found.forecasts = predict(recipe, rows, sum(lengths) / len(lengths), outline)


def predict(recipe: AnswerRecipe, rows: Sequence[FilmRow], plain_tokens: float, outline: Outline) -> list[Forecast]:
    """Memory and time of the run on each machine that recipes are written for."""
    load = Load.of_rows(rows, plain_tokens)
    arch = architecture_of(outline.config, outline.card.image_tokens)
    return [forecast(arch, recipe, load, len(rows), machine) for machine in MACHINES]


def render_sample(question: TokenisedQuestion, outline: Outline) -> str:
    """The ids of one question in words; image ids counted, what carries loss between [[ and ]].

    <s>USER: <image x 16>\\n is there a ring? ASSISTANT:[[ yes</s>]]
    """
    image_id = outline.prompts.image_token_id
    pieces: list[str] = []
    run: list[int] = []
    count = 0

    def flush() -> None:
        nonlocal count
        if count:
            pieces.append(f"<image x {count}>")
        if run:
            pieces.append(str(outline.tokenizer.decode(run)))
        run.clear()
        count = 0

    for token in question.prompt_ids:
        if (token == image_id) != bool(count):
            flush()
        if token == image_id:
            count += 1
        else:
            run.append(token)
    flush()
    return f"{''.join(pieces)}[[{outline.tokenizer.decode(list(question.answer_ids))}]]"


def _three(questions: Sequence[Question]) -> list[Question]:
    """One of each answer type first, in the order of ids."""
    ordered = sorted(questions, key=lambda question: question.question_id)
    first = {question.answer_type: question for question in reversed(ordered)}
    chosen = sorted(first.values(), key=lambda question: question.question_id)
    chosen += [question for question in ordered if question not in chosen]
    return chosen[:SHOWN_SAMPLES]


def _spread(lengths: Sequence[int]) -> tuple[int, int, int]:
    ordered = sorted(lengths)
    return ordered[0], ordered[len(ordered) // 2], ordered[-1]
