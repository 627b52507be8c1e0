"""A comparison's answers handed to the audits: with facts of the films, guesses from words, what follows from what.

Nothing is measured here; `chartsight.audit` measures. What the question set does not allow (no record behind the films,
no templates, no training split) is left out, and the audits that need it have `n=0`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

from chartsight.audit import AuditedModel, AuditInput, AuditReport, Exposure, Given, LeakCounts, run_audits
from chartsight.comparison.predictions import Answers
from chartsight.comparison.recipe import CompareRecipe
from chartsight.prediction.cards import ModelFacts
from chartsight.schema import SPLITS, Condition, Entailment, FilmFacts, Question, Variant

DEFAULT_SIZE_PX = 224  # of the square that a model without a card is taken to see


def audit_comparison(
    recipe: CompareRecipe,
    asked: Sequence[Question],
    questions: Sequence[Question],
    answers: Mapping[tuple[str, Condition], Answers],
    variants: Mapping[Condition, Mapping[str, Variant]],
    facts: Mapping[str, FilmFacts],
    model_facts: Mapping[str, ModelFacts | None],
    questions_sha256: str,
) -> AuditReport:
    """All audits of all models.

    Args:
        recipe: The comparison.
        asked: Its questions [N].
        questions: The whole set, for priors, guesses and leaks.
        answers: Of every model under every condition [N].
        variants: What each question became.
        facts: Of the films.
        model_facts: Of every model, by name.
        questions_sha256: Of the question set.
    """
    from chartsight.questions.guesser import guess_from_words, nearest_similarity

    training = tuple(each for each in questions if each.split == "train" and each.answerable)
    guesses = guess_from_words(training, asked) if training else None
    models = tuple(
        AuditedModel(
            name=model.name,
            role=model.role,
            answers={condition: as_given(each) for (name, condition), each in answers.items() if name == model.name},
            twin=twin_of(recipe, model.name),
        )
        for model in recipe.models
    )
    given = AuditInput(
        questions=tuple(asked),
        training=training,
        models=models,
        variants=variants,
        facts=facts,
        word_guesses=None if guesses is None else tuple(guesses),
        entailments=tuple(find_known_entailments(asked)),
        leaks=count_leaks(questions),
        exposure=tuple(find_exposure(recipe, questions, model_facts, questions_sha256)),
        similarity=nearest_similarity(training, asked),
        resamples=recipe.bootstrap,
        seed=recipe.seed,
    )
    return run_audits(given)


def as_given(answers: Answers) -> Given:
    """Answers as the audits read them."""
    return Given(answers.is_asked, answers.outcomes, answers.values, answers.chance_yes, answers.fingerprint)


def twin_of(recipe: CompareRecipe, name: str) -> str | None:
    """The text-only twin that a model is held against: the comparison's first; none for a twin itself."""
    twin = next((model.name for model in recipe.models if model.role == "twin"), None)
    return None if twin == name else twin


def find_known_entailments(asked: Sequence[Question]) -> list[Entailment]:
    """What follows from what, for questions of our own templates; none for the rest."""
    from chartsight.questions.templates import read_templates
    from chartsight.questions.variants import find_entailments

    return find_entailments(asked, read_templates())


def read_facts(recipe: CompareRecipe, asked: Sequence[Question], size_px: int) -> dict[str, FilmFacts]:
    """Facts of the films of the questions; without a record, what the film index says."""
    from chartsight.questions.variants import film_facts, read_known_films

    films = {image_id for question in asked for image_id in question.image_ids}
    return film_facts(asked, read_known_films(recipe.questions, films), size_px)


def count_leaks(questions: Sequence[Question]) -> LeakCounts:
    """How many patients, studies, films and wordings stand in two splits."""
    kinds: dict[str, dict[str, set[object]]] = {
        kind: defaultdict(set) for kind in ("patient", "study", "image", "text")
    }
    for question in questions:
        if question.subject_id is not None:
            kinds["patient"][question.split].add(question.subject_id)
        kinds["study"][question.split].update(question.study_ids)
        kinds["image"][question.split].update(question.image_ids)
        kinds["text"][question.split].add(question.asked)
    present = [split for split in SPLITS if any(split in of_split for of_split in kinds.values())]
    return LeakCounts(
        {
            kind: {f"{one}, {other}": len(of_split[one] & of_split[other]) for one, other in combinations(present, 2)}
            for kind, of_split in kinds.items()
        }
    )


def find_exposure(
    recipe: CompareRecipe,
    questions: Sequence[Question],
    model_facts: Mapping[str, ModelFacts | None],
    questions_sha256: str,
) -> list[Exposure]:
    """Whether each model, or a base of it, saw these data before: by cards and training manifests alone."""
    data_set = ", ".join(sorted({question.source for question in questions})) or str(recipe.questions)
    is_synthetic = all(question.terms == "synthetic" for question in questions)
    found = []
    for model in recipe.models:
        facts = model_facts.get(model.name)
        if facts is None:
            found.append(Exposure(model.title, data_set, "not declared", "no card"))
            continue
        for place, each in enumerate(facts.ancestry):
            whose = model.title if place == 0 else f"{model.title}, base {each.name}"
            if questions_sha256 in each.trained_on:
                found.append(Exposure(whose, data_set, "yes", "training manifest: this question set's train split"))
            elif each.terms == "synthetic" and not is_synthetic:
                found.append(Exposure(whose, data_set, "no", f"card: synthetic data only. {each.description}"))
            else:
                found.append(Exposure(whose, data_set, "not declared", f"card: {each.description}"))
    return found


def seen_size_px(model_facts: Mapping[str, ModelFacts | None]) -> int:
    """Side of the square that the models see; where they differ the smallest, in which lesions are smallest."""
    return min((facts.size_px for facts in model_facts.values() if facts is not None), default=DEFAULT_SIZE_PX)
