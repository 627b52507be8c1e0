"""What a run learns from: the questions of its splits, checked, and the films that they are about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from chartsight.errors import GateError, QuestionError
from chartsight.imaging.film_cache import FilmCache, build_film_cache, default_cache_folder
from chartsight.imaging.film_index import read_film_index
from chartsight.questions.export import frontal_films
from chartsight.questions.files import film_index_of, read_questions
from chartsight.questions.subsets import select_subset
from chartsight.runs import Run
from chartsight.schema import Question
from chartsight.training.checks import Limits, word_checks
from chartsight.training.film_inputs import FilmInputs, FilmPixels, keep_tower_features
from chartsight.training.recipe import AnswerRecipe
from chartsight.vlm.checkpoint import Vlm


def split_questions(recipe: AnswerRecipe, run: Run) -> tuple[list[Question], list[Question]]:
    """The questions about one film of train and of valid.

    Raises:
        QuestionError: A split has none.
        GateError: A patient stands in both.
    """
    run.read(recipe.questions)
    chosen = select_subset(read_questions(recipe.questions), recipe.subset)
    about_films = [question for question in chosen if question.image_ids]
    asked = [question for question in about_films if question.looks_at_one_film]
    if several := len(about_films) - len(asked):
        run.drop("question about several films", recipe.questions, count=several)
    train = [question for question in asked if question.split == "train"]
    valid = [question for question in asked if question.split == "valid"]
    if recipe.limit is not None:
        train = spread(train, recipe.limit)
    for name, questions in (("train", train), ("valid", valid)):
        if not questions:
            raise QuestionError("empty-split", recipe.questions, f"has no question about one film in split {name}")
    shared = {question.subject_id for question in train} & {question.subject_id for question in valid} - {None}
    if shared:
        raise GateError("leakage", recipe.questions, f"{len(shared)} patients stand in train and in valid", "none")
    return train, valid


def check_words(recipe: AnswerRecipe, questions: Sequence[Question]) -> None:
    """Nothing, when no question's words would train silently wrong (`training.checks`)."""
    study_of, frontal = None, {}
    if recipe.film:
        index = read_film_index(film_index_of(recipe.questions))
        index.films(sorted({image_id for question in questions for image_id in question.image_ids}))
        study_of = {image_id: film.study_id for image_id, film in index.items()}
        frontal = frontal_films(index.source)
    for question in questions:
        for check in word_checks(question, study_of, frontal):
            check()


def limits_of(recipe: AnswerRecipe, vlm: Vlm) -> Limits:
    """What the ids of a sample have to keep to."""
    longest = int(vlm.model.config.text_config.max_position_embeddings)
    features = vlm.card.image_tokens if recipe.film else 0
    return Limits(vlm.prompts.image_token_id, features, recipe.max_length or longest)


def spread(questions: Sequence[Question], limit: int) -> list[Question]:
    """At most `limit` questions, spread evenly over the order of their ids, which is random by construction."""
    ordered = sorted(questions, key=lambda question: question.question_id)
    step = max(1.0, len(ordered) / limit)
    return [ordered[int(i * step)] for i in range(min(limit, len(ordered)))]


def open_films(
    recipe: AnswerRecipe, vlm: Vlm, questions: Sequence[Question], folder: Path | None, run: Run, *, quiet: bool
) -> FilmCache | None:
    """The films of the questions, padded to the tower's size; those that cannot be read are noted in `run`."""
    if not recipe.film:
        return None
    index = read_film_index(film_index_of(recipe.questions))
    wanted = sorted({image_id for question in questions for image_id in question.image_ids})
    preprocessing = vlm.card.preprocessing
    cache = build_film_cache(
        index.films(wanted),
        preprocessing.size_px,
        folder or default_cache_folder(),
        fill=preprocessing.fill,
        resampling=preprocessing.resampling,
        quiet=quiet,
    )
    for image_id, reason in sorted(cache.failed.items()):
        run.drop("unreadable film", image_id, row=reason)
    return cache


def about_readable_films(questions: Sequence[Question], readable: Collection[str] | None, run: Run) -> list[Question]:
    """The questions whose films can be read; the others are counted in `run`.

    Raises:
        QuestionError: None is left.
    """
    if readable is None:
        return list(questions)
    kept = [question for question in questions if all(image_id in readable for image_id in question.image_ids)]
    if len(kept) < len(questions):
        run.dropped["question about an unreadable film"] = len(questions) - len(kept)
    if not kept:
        raise QuestionError("no-film", "questions", "not one film can be read", "films where the record has them")
    return kept


def film_inputs_of(
    recipe: AnswerRecipe, vlm: Vlm, films: FilmCache | None, questions: Sequence[Question], *, quiet: bool
) -> FilmInputs | None:
    """Pixels, or what a frozen tower says of them; None for a twin, which sees no film."""
    if films is None:
        return None
    if recipe.keeps_features:
        image_ids = sorted({image_id for question in questions for image_id in question.image_ids})
        return keep_tower_features(vlm, films, image_ids, quiet=quiet)
    return FilmPixels(films, vlm.card.preprocessing)
