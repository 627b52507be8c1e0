"""Six small models that have really learned, on films of the synthetic hospital, and answer through the predict seam.

Two hospitals: in the one that is audited, how a film is taken goes with sickness as strongly as it can (`confounding`
of 1: view, marker, padding, monitoring, words, exposure); in the other not at all. Each film may show three findings,
which go with sickness too, and is asked about each.

    without film    the same recipe on grey films: the answers' shares
    shuffled        on the audited hospital's films, dealt out to other patients
    majority        the commonest answer of each finding
    border          the outermost pixels of the audited hospital's films: padding, and what else betrays the technique
    weak            half of the other hospital's films, 8 x 8 pixels
    good            the other hospital's films, 16 x 16 pixels
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chartsight.audit import AuditedModel, AuditInput, read_given
from chartsight.comparison.predictions import Predict
from chartsight.hospital.confounding import choose_view_and_technique
from chartsight.hospital.difficulty import find_difficulty
from chartsight.hospital.film_request import Body, FilmRequest, PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.render import render_film
from chartsight.imaging.pixels import pad_to_square
from chartsight.questions.files import read_questions, write_questions
from chartsight.questions.guesser import guess_from_words
from chartsight.schema import Condition, FilmFacts, Question, Split, Variant, prediction_schema
from tests.audit.made_up import facts, question

STREAM = 97
SIDE = 64
GREYS, EXPOSURES = (0.15, 0.3, 0.5), (-1.0, 0.0, 1.0)  # where the levels of two confounders part
BORDER = 2  # pixels on each side that the border reader sees
PULL = 6.0  # of sickness on each finding, in log odds over its whole range
ATTRIBUTES = {
    "pleural effusion": 0.35,
    "enlarged cardiac silhouette": 0.6,
    "consolidation": 0.65,
}  # sickness of even odds
DEALINGS = 8  # of the films that teach nothing: every film with so many patients' answers
CONDITIONS: tuple[Condition, ...] = ("full", "question_only", "blank", "shuffled", "swap")
Pixels = NDArray[np.uint8]
Features = NDArray[np.float64]


@dataclass(frozen=True)
class Films:
    """Films of one hospital, a patient each.

    Args:
        pixels: uint8 [films, 64, 64].
        shown: bool [films, 3]: of each finding.
        facts: Of each film.
        numbers: Of each patient.
    """

    pixels: Pixels
    shown: NDArray[np.bool_]
    facts: tuple[FilmFacts, ...]
    numbers: tuple[int, ...]


def draw_films(seed: int, numbers: Sequence[int], dial: float) -> Films:
    """Films of a hospital with that dial of confounding; the dial decides how a film is taken and nothing else."""
    pixels = np.empty((len(numbers), SIDE, SIDE), np.uint8)
    shown = np.zeros((len(numbers), len(ATTRIBUTES)), bool)
    known = []
    level = find_difficulty("standard")
    for row, number in enumerate(numbers):
        random = np.random.default_rng([STREAM, seed, number])
        body = Body(
            "F" if random.random() < 0.5 else "M", int(random.integers(18, 92)), float(random.random()),
            int(random.integers(2**31)),
        )  # fmt: skip
        sickness = float(random.random())
        planted = []
        for column, (attribute, even) in enumerate(ATTRIBUTES.items()):
            shown[row, column] = random.random() < 1 / (1 + np.exp(-PULL * (sickness - even)))
            places = list(FINDINGS[attribute].places.values())
            finding = PlantedFinding(
                attribute, places[int(random.integers(len(places)))], float(random.uniform(0.4, 1))
            )
            planted += [finding] * int(shown[row, column])
        seed_of_film = int(random.integers(2**31))
        taken = choose_view_and_technique(random, dial, sickness)
        request = FilmRequest(
            body, taken.view, level.as_drawn(tuple(planted)), "harbour", SIDE, seed_of_film, taken.technique,
            distraction=level.distraction,
        )  # fmt: skip
        pixels[row] = pad_to_square(np.asarray(render_film(request).pixels, np.uint8), SIDE)
        how = taken.technique
        confounders = {
            "view": taken.view, "marker": str(how.marker), "monitored": str(how.monitored),
            "padding": str(np.searchsorted(GREYS, how.padding_grey)) if how.padding else "none",
            "exposure": str(np.searchsorted(EXPOSURES, how.exposure)),
        }  # fmt: skip
        known.append(facts(sex="female" if body.sex == "F" else "male", view=taken.view, confounders=confounders))
    return Films(pixels, shown, tuple(known), tuple(numbers))


# ----------------------------------------------------------------------------------------------------------- the models


def shrunk(side: int, pixels: Pixels) -> Features:
    """Films made small, each of mean 0 and spread 1."""
    step = SIDE // side
    small = pixels.reshape(len(pixels), side, step, side, step).mean((2, 4)).reshape(len(pixels), -1)
    centred = small - small.mean(axis=1, keepdims=True)
    return centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-6)


def border(pixels: Pixels) -> Features:
    """The outermost pixels alone."""
    outside = np.ones((SIDE, SIDE), bool)
    outside[BORDER:-BORDER, BORDER:-BORDER] = False
    return pixels[:, outside] / 255.0


class TinyModel:
    """One logistic regression a finding on what it sees of a film; without a film it is shown the mean of training."""

    def __init__(self, sees: Callable[[Pixels], Features], pixels: Pixels, shown: NDArray[np.bool_]) -> None:
        self.sees = sees
        features = sees(pixels)
        self.without = features.mean(axis=0)
        self.fitted = [
            make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=1000)).fit(features, shown[:, column])
            for column in range(shown.shape[1])
        ]

    def chances(self, films: Sequence[Pixels | None], columns: Sequence[int]) -> NDArray[np.float64]:
        """float [n]: of yes, for a film (None: without) and a finding each."""
        features = np.stack([self.without if film is None else self.sees(film[None])[0] for film in films])
        chances = np.stack([fitted.predict_proba(features)[:, 1] for fitted in self.fitted], axis=1)
        return chances[np.arange(len(columns)), list(columns)]


class Majority:
    """The commonest answer of each finding."""

    def __init__(self, shown: NDArray[np.bool_]) -> None:
        self.shares = shown.mean(axis=0)

    def chances(self, films: Sequence[Pixels | None], columns: Sequence[int]) -> NDArray[np.float64]:
        """float [n]: the share of yes in training, whatever the film."""
        return self.shares[list(columns)]


class Mixture:
    """Answers a share of the questions as one model, the others as another; a larger share holds a smaller one."""

    def __init__(self, share: float, one: Any, other: Any) -> None:
        self.share, self.one, self.other = share, one, other

    def chances(self, films: Sequence[Pixels | None], columns: Sequence[int]) -> NDArray[np.float64]:
        """float [n]: by the place among the questions, so that every condition mixes alike."""
        is_one = np.random.default_rng(STREAM).random(len(columns)) < self.share
        return np.where(is_one, self.one.chances(films, columns), self.other.chances(films, columns))


def teach_all(habits: Films, plain: Films, seed: int) -> dict[str, Any]:
    """The six models.

    Args:
        habits: Training films of the audited hospital.
        plain: Of the other one.
        seed: Of the dealing.
    """
    random = np.random.default_rng([STREAM, seed])
    dealt = np.concatenate([random.permutation(len(habits.pixels)) for _ in range(DEALINGS)])
    few = slice(0, len(plain.pixels) // 2)
    return {
        "without film": TinyModel(partial(shrunk, 16), np.full_like(habits.pixels, 128), habits.shown),
        "shuffled": TinyModel(partial(shrunk, 16), habits.pixels[dealt], np.tile(habits.shown, (DEALINGS, 1))),
        "majority": Majority(habits.shown),
        "border": TinyModel(border, habits.pixels, habits.shown),
        "weak": TinyModel(partial(shrunk, 8), plain.pixels[few], plain.shown[few]),
        "good": TinyModel(partial(shrunk, 16), plain.pixels, plain.shown),
    }


RIGHT_VERDICTS = {
    "without film": "guesses", "shuffled": "guesses", "majority": "guesses", "border": "reads a shortcut",
    "weak": "sees the finding", "good": "sees the finding",
}  # fmt: skip


# --------------------------------------------------------------------------------------- questions and the predict seam


def ask(films: Films, split: Split) -> list[Question]:
    """A question about every finding of every film."""
    return [
        question(
            len(ATTRIBUTES) * number + column, bool(films.shown[row, column]), patient=number, split=split,
            template="verify-attribute", slots={"attribute": attribute}, text=f"Is there {attribute}?",
        )
        for row, number in enumerate(films.numbers)
        for column, attribute in enumerate(ATTRIBUTES)
    ]  # fmt: skip


def swaps(films: Films, questions: Sequence[Question], seed: int) -> dict[str, Variant]:
    """A donor for every question, matched on all confounders where one is, whose right answer is another in turn."""
    random = np.random.default_rng([STREAM, seed, 2])
    alike: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    stratum = [tuple(sorted(each.confounders.items())) for each in films.facts]
    for row, each in enumerate(stratum):
        alike[each].append(row)
    row_of = {number: row for row, number in enumerate(films.numbers)}
    found = {}
    for place, each in enumerate(questions):
        own, column = row_of[int(each.subject_id or 0)], place % len(ATTRIBUTES)
        wanted = bool(films.shown[own, column]) ^ bool(random.random() < 0.5)
        for rows in (alike[stratum[own]], range(len(films.numbers))):
            options = [row for row in rows if row != own and films.shown[row, column] == wanted]
            if options:
                break
        donor = options[int(random.integers(len(options)))]
        found[each.question_id] = Variant(
            each.question_id, "swap", each.asked, (f"film-{films.numbers[donor]}",),
            (f"film-{films.numbers[donor]}",), None, "boolean", each.allowed_answers, json.dumps(wanted),
            tuple(f"{name}={value}" for name, value in stratum[own]), stratum[donor] == stratum[own],
        )  # fmt: skip
    return found


def predictor(models: Mapping[str, Any], films: Films, swapped: Mapping[str, Variant]) -> Predict:
    """The models by name, behind the seam: questions and conditions in, a file of predictions each out."""
    film_of = {f"film-{number}": films.pixels[row] for row, number in enumerate(films.numbers)}
    grey = np.full((SIDE, SIDE), 128, np.uint8)

    def shown(each: Question, condition: Condition, dealt: Mapping[str, str]) -> Pixels | None:
        if condition == "question_only":
            return None
        if condition == "blank":
            return grey
        if condition == "swap":
            return film_of[swapped[each.question_id].image_ids[0]]
        return film_of[dealt[each.image_ids[0]] if condition == "shuffled" else each.image_ids[0]]

    def predict(
        model: str | Path, questions: Path, folder: Path, conditions: Sequence[Condition], *, name: str = "",
        split: Split = "test", seed: int = 0, limit: int | None = None, sets: str = "generate", quiet: bool = False,
    ) -> dict[Condition, Path]:  # fmt: skip
        chosen = [each for each in read_questions(questions) if each.split == split][:limit]
        names = sorted(film_of)
        turned = int(np.random.default_rng([STREAM, seed]).integers(1, len(names)))
        dealt = dict(zip(names, names[turned:] + names[:turned], strict=True))
        columns = [list(ATTRIBUTES).index(json.loads(each.parameters)["attribute"]) for each in chosen]
        schema = prediction_schema()
        written: dict[Condition, Path] = {}
        for condition in conditions:
            chances = models[str(model)].chances([shown(each, condition, dealt) for each in chosen], columns)
            rows = [
                dict.fromkeys(schema.names) | {
                    "question_id": each.question_id, "model_fingerprint": str(model), "condition": condition,
                    "raw_text": "yes" if chance > 0.5 else "no", "value": "null", "outcome": "answered",
                    "scores": json.dumps({"yes": float(chance), "no": 1 - float(chance)}),
                }
                for each, chance in zip(chosen, chances, strict=True)
            ]  # fmt: skip
            written[condition] = folder / f"{name}.{condition}.parquet"
            pq.write_table(pa.Table.from_pylist(rows, schema), written[condition])
        return written

    return predict


@dataclass(frozen=True)
class Audited:
    """All that one seed needs: the questions, the taught models, the seam."""

    folder: Path
    test: Films
    asked: list[Question]
    training: list[Question]
    models: dict[str, Any]
    swapped: dict[str, Variant]
    words: tuple[str | None, ...]

    def audit_input(self, models: Mapping[str, Any], resamples: int = 1000) -> AuditInput:
        """Every model asked under every condition; the twin is the one that was taught without films."""
        predict = predictor({**self.models, **models}, self.test, self.swapped)
        path = self.folder / "questions.parquet"
        film_facts = dict(zip(self.test.numbers, self.test.facts, strict=True))
        audited = []
        for name in models:
            answers = {}
            for condition, written in predict(name, path, self.folder, CONDITIONS, name=name).items():
                rows = {row["question_id"]: row for row in pq.read_table(written).to_pylist()}
                answers[condition] = read_given(self.asked, rows, self.swapped if condition == "swap" else None)
            audited.append(AuditedModel(name, "tuned", answers, twin="without film"))
        return AuditInput(
            tuple(self.asked), tuple(self.training), tuple(audited), {"swap": self.swapped},
            {each.question_id: film_facts[int(each.subject_id or 0)] for each in self.asked}, self.words,
            resamples=resamples,
        )  # fmt: skip


def prepare(folder: Path, seed: int, *, learn: int = 500, plain: int = 600, test: int = 900) -> Audited:
    """Films, questions and models of one seed."""
    habits = draw_films(seed, range(learn), 1.0)
    other = draw_films(seed, range(learn, learn + plain), 0.0)
    tested = draw_films(seed, range(learn + plain, learn + plain + test), 1.0)
    asked, training = ask(tested, "test"), ask(habits, "train")
    write_questions(folder / "questions.parquet", [*asked, *training], {})
    guesses = guess_from_words(training, asked)
    assert guesses is not None
    return Audited(
        folder, tested, asked, training, teach_all(habits, other, seed), swaps(tested, asked, seed), tuple(guesses)
    )
