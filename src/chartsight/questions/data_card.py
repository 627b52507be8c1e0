"""The data card of a question set: sizes, priors and leakage, as one self-contained page and as JSON.

The priors are the first thing to read: what a model scores that never looks at a film.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, cast

from chartsight.errors import OutputError
from chartsight.questions.card_plots import plot_answers, plot_guessers, plot_templates
from chartsight.questions.consistency import find_repeats
from chartsight.questions.files import film_index_of, read_question_metadata, read_questions
from chartsight.questions.guesser import score_guesser
from chartsight.questions.identifiers import find_identifier
from chartsight.questions.splits import find_leaks, leak_values, scored_split
from chartsight.questions.subgroups import Films, describe_subgroups, read_films
from chartsight.runs import Run, check_apart, new_output, read_manifest, removed_on_failure, write_json
from chartsight.schema import SPLITS, Pairing, Question, Split, Terms

NOT_CLINICAL = {
    "synthetic": "Films and tables are of different or invented people: no clinical association may be read from this.",
    "ehrxqa-shuffled": "Table values are shuffled between patients: no clinical association may be read from this.",
}
MOST_ANSWERS_SHOWN = 40
RESEARCH_ONLY = "Research use only. Not a medical device. Not for clinical use."


def build_data_card(
    questions_path: Path, out_html: Path, *, near_duplicates: bool = False, faults: Mapping[str, Any] | None = None,
    quiet: bool = True, replace: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The data card of a question set at `out_html`, and the same facts as JSON beside it (`.json`).

    Args:
        questions_path: A question set.
        out_html: The page to appear.
        near_duplicates: Look for one picture under two files across splits; every film is read.
        faults: What an import found, by name; what the manifest beside the set says when None.
        quiet: Without progress.
        replace: Replace `out_html`.

    Raises:
        QuestionError: `questions_path` is no question set.
        OutputError: `out_html` exists already, or the disk is full.
    """
    from jinja2 import Environment, StrictUndefined

    questions_path, out_html = Path(questions_path), Path(out_html)
    questions = read_questions(questions_path)
    card = describe_questions(questions, read_question_metadata(questions_path), read_films(questions_path))
    if near_duplicates:
        card["leakage"]["near_duplicates"] = look_for_near_duplicates(questions_path, questions, quiet=quiet)
    if faults is None:
        faults = (read_manifest(questions_path) or {}).get("faults") or {}
    card["faults"] = {name: {"count": each["count"], "meaning": each["meaning"]} for name, each in faults.items()}
    plots = {
        "guessers": plot_guessers(card["priors"]),
        "templates": plot_templates(card["templates"], card["priors"]["scored_on"]),
        "answers": plot_answers([(each["answer"], each["n"]) for each in card["answers"]]),
    }  # fmt: skip
    template = (resources.files("chartsight.questions") / "data_card.html.j2").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(template).render(name=questions_path.name, plots=plots, **card)
    with new_output(out_html, replace=replace) as partial:
        partial.write_text(page, "utf-8")
    write_json(out_html.with_suffix(".json"), card)
    return card


def write_data_card(
    questions_path: Path, out_html: Path, *, near_duplicates: bool = False, quiet: bool = False, force: bool = False
) -> dict[str, Any]:
    """A data card anywhere, with a manifest beside it; otherwise as `build_data_card`.

    Raises:
        QuestionError: `questions_path` is no question set.
        FilmError: Near duplicates are asked for, and films are missing.
        OutputError: `out_html` or its JSON exists already, is no page, or the disk is full.
    """
    questions_path, out_html = Path(questions_path), Path(out_html)
    if out_html.suffix != ".html":
        raise OutputError("no-page", out_html, "is no .html", "the name of a new page, such as card.html")
    figures = out_html.with_suffix(".json")
    check_apart(out_html, questions_path)
    for path in (out_html, figures):
        if path.exists() and not force:
            raise OutputError("output-exists", path, "exists already", hint="choose another name or pass --force")
    metadata = read_question_metadata(questions_path)
    run = Run(
        "questions card", {"questions": questions_path.name, "near_duplicates": near_duplicates},
        terms=cast(Terms, metadata["terms"]), pairing=cast(Pairing, metadata["pairing"]),
    )  # fmt: skip
    run.read(questions_path)
    card = build_data_card(questions_path, out_html, near_duplicates=near_duplicates, quiet=quiet, replace=force)
    with removed_on_failure(out_html, figures):
        run.kept = {"questions": card["total"]["questions"]}
        run.outputs = [{"path": str(out_html)}, {"path": str(figures)}]
        run.write(out_html)
    return card


def look_for_near_duplicates(
    questions_path: Path, questions: Sequence[Question], *, quiet: bool = True
) -> dict[str, Any]:
    """How many pairs of films across two splits are one picture: pair of splits → number; films read and not read.

    Raises:
        FilmError: The film index is missing.
    """
    from chartsight.imaging.film_index import read_film_index
    from chartsight.questions.near_duplicates import MOST_BITS, find_near_duplicates, hash_films

    splits_of: dict[str, set[Split]] = defaultdict(set)
    for question in questions:
        for image_id in question.image_ids:
            splits_of[image_id].add(question.split)
    if not splits_of:
        return {"pairs": {}, "films": 0, "unreadable": 0, "most_bits": MOST_BITS}
    index = read_film_index(film_index_of(questions_path))
    hashes = hash_films(index.films(sorted(splits_of)), quiet=quiet)
    rows = {
        split: [row for row, image_id in enumerate(hashes.image_ids) if split in splits_of[image_id]]
        for split in SPLITS
    }
    pairs = {}
    for n, first in enumerate(SPLITS):
        for second in SPLITS[n + 1 :]:
            found = find_near_duplicates(hashes, rows[first], rows[second])
            pairs[f"{first}-{second}"] = len({frozenset(pair) for pair in found})
    return {"pairs": pairs, "films": len(hashes.image_ids), "unreadable": len(hashes.failed), "most_bits": MOST_BITS}


def describe_questions(
    questions: Sequence[Question], metadata: Mapping[str, str], films: Films | None = None
) -> dict[str, Any]:
    """All figures of a data card.

    Args:
        questions: In any order.
        metadata: Of the question set: terms, pairing, seed.
        films: Digests, views, sexes, ages; an image without a digest is compared by its id.
    """
    films = films or Films()
    by_template: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_template[question.template_id].append(question)
    priors = measure_priors(questions)
    train = [question for question in questions if question.split == "train"]
    repeats = find_repeats(questions, films.digests)
    counts = Counter(_shown_answer(question) for question in questions)
    return {
        "terms": metadata["terms"],
        "pairing": metadata["pairing"],
        "pairing_note": NOT_CLINICAL.get(metadata["pairing"]),
        "research_only": RESEARCH_ONLY,
        "source": sorted({question.source for question in questions}),
        "seed": metadata.get("seed"),
        "total": describe_group(questions),
        "splits": {split: describe_group([q for q in questions if q.split == split]) for split in SPLITS},
        "answer_types": dict(sorted(Counter(question.answer_type for question in questions).items())),
        "kinds": dict(sorted(Counter(question.kind for question in questions).items())),
        "label_sources": dict(sorted(Counter(question.label_source for question in questions).items())),
        "answers": [
            {"answer": answer, "n": n}
            for answer, n in sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:MOST_ANSWERS_SHOWN]
        ],
        "quality": {
            "tied": sum(question.tied for question in questions),
            "unanswerable": sum(not question.answerable for question in questions),
            "empty_sets": sum(question.answer == "[]" for question in questions),
            "repeated": sum(len(group) - 1 for group in repeats.repeated),
            "contradicted": sum(len(group) for group in repeats.contradicted),
        },
        "priors": priors,
        "templates": [
            describe_template(name, rows, priors["per_template"]) for name, rows in sorted(by_template.items())
        ],
        "subgroups": describe_subgroups(questions, films, majority_guesser(train)),
        "leakage": find_overlaps(questions, films.digests),
    }


def _shown_answer(question: Question) -> str:
    """An answer as a reader sees it; what is not of a closed list is never shown: it may be somebody's."""
    value = json.loads(question.answer)
    if question.answer_type == "boolean":
        return "yes" if value else "no"
    if question.answer_type == "choice" or (question.answer_type == "set" and question.allowed_answers):
        return ", ".join(value) or "none" if isinstance(value, list) else str(value)
    if question.answer_type == "count":
        return str(value)
    return "none" if value == [] else f"({question.answer_type})"


def describe_group(questions: Sequence[Question]) -> dict[str, Any]:
    """Questions, patients, films, share of yes among booleans, entropy of the answers in bits."""
    booleans = [question.answer for question in questions if question.answer_type == "boolean"]
    return {
        "questions": len(questions),
        "subjects": len({question.subject_id for question in questions if question.subject_id is not None}),
        "films": len({image_id for question in questions for image_id in question.image_ids}),
        "yes_share": booleans.count("true") / len(booleans) if booleans else None,
        "entropy_bits": measure_entropy(question.answer for question in questions),
    }


def describe_template(name: str, questions: Sequence[Question], priors: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the table of templates."""
    return {
        "template_id": name,
        "answer_type": questions[0].answer_type,
        "example": example_of(questions[0]),
        **{split: sum(question.split == split for question in questions) for split in SPLITS},
        **{key: value for key, value in describe_group(questions).items() if key in ("yes_share", "entropy_bits")},
        **priors.get(name, {"majority": None, "accuracy": None}),
    }


def example_of(question: Question) -> str:
    """The words of a question as a card may show them: those of its template where its own name somebody."""
    words = question.asked
    if find_identifier(words, {str(question.subject_id or "")} - {""}) is None:
        return words
    tag = json.loads(question.parameters).get("q_tag")
    return tag if isinstance(tag, str) else "(names a patient or a study)"


def measure_entropy(answers: Iterable[str]) -> float:
    """Entropy of the answers in bits; 0 when all are the same."""
    counts = Counter(answers)
    total = counts.total()
    return sum(n / total * math.log2(total / n) for n in counts.values()) + 0.0


def slots_of(question: Question) -> dict[str, str]:
    """What fills the template of a question: findings, places, views; never an id."""
    parameters = json.loads(question.parameters)
    slots = parameters.get("slots", parameters)
    own = {"id", "marks", "pair"}  # what an import and a curation keep beside the slots
    return {name: str(value) for name, value in slots.items() if name not in own} if isinstance(slots, dict) else {}


def measure_priors(questions: Sequence[Question]) -> dict[str, Any]:
    """What the majority answer of train scores on test: over all, per template, per template with its
    slots in either order.

    A template that train lacks is answered by the overall majority. Without test questions valid's are scored, as
    `scored_on` says; accuracies are None without either.
    """
    scored = scored_split(questions)
    train = [question for question in questions if question.split == "train"]
    test = [question for question in questions if question.split == scored]

    overall = commonest_answers(train, lambda question: "")
    template = commonest_answers(train, lambda question: question.template_id)
    by_slots = majority_guesser(train)

    def accuracy(rows: Sequence[Question], answer: Any) -> float | None:
        return sum(answer(question) == question.answer for question in rows) / len(rows) if rows else None

    # What is not of a closed list is not shown: it may be somebody's.
    hidden = {each.answer: f"({each.answer_type})" for each in train if _shown_answer(each) == f"({each.answer_type})"}

    def shown(answer: str | None) -> str | None:
        return answer if answer is None else hidden.get(answer, answer)

    def by_template(question: Question) -> str | None:
        return template.get(question.template_id, overall.get(""))

    of_template: dict[str, list[Question]] = defaultdict(list)
    for question in test:
        of_template[question.template_id].append(question)
    priors: dict[str, Any] = {
        "overall_majority": {
            "answer": shown(overall.get("")), "accuracy": accuracy(test, lambda question: overall.get("")),
        },
        "per_template_majority": {"accuracy": accuracy(test, by_template)},
        "per_slots_majority": {"accuracy": accuracy(test, by_slots)},
        "question_only": score_guesser(questions),
        "per_template": {
            name: {
                "majority": shown(template.get(name)), "accuracy": accuracy(of_template.get(name, ()), by_template),
            }
            for name in sorted({*template, *of_template})
        },
    }  # fmt: skip
    measured = [each["accuracy"] for name, each in priors.items() if name != "per_template"]
    priors["best"] = max((each for each in measured if each is not None), default=None)
    priors["scored_on"] = scored
    return priors


def blind_baselines(asked: Sequence[Question], everything: Sequence[Question]) -> dict[Split, dict[str, Any]]:
    """What a guesser that never looks scores on each evaluated split: split → accuracy, n, from.

    It gives the commonest answer of the question's template with its slots, else of its template, else of all: among
    train's questions, or, in a set without any, among the split's own (which flatters it, and is said in `from`).

    Args:
        asked: The questions that are scored.
        everything: Where train's questions are.
    """
    train = [question for question in everything if question.split == "train"]
    found: dict[Split, dict[str, Any]] = {}
    for split in ("valid", "test"):
        rows = [question for question in asked if question.split == split]
        if rows:
            guess = majority_guesser(train or rows)
            found[split] = {
                "accuracy": sum(guess(question) == question.answer for question in rows) / len(rows),
                "n": len(rows), "from": "train's commonest answers" if train else "the split's own commonest answers",
            }  # fmt: skip
    return found


def majority_guesser(train: Sequence[Question]) -> Callable[[Question], str | None]:
    """A function from a question to the commonest answer of its template with its slots, its template, or all."""
    groups: list[Callable[[Question], str]] = [
        lambda question: json.dumps([question.template_id, *sorted(slots_of(question).values())]),
        lambda question: question.template_id,
        lambda question: "",
    ]
    tables = [commonest_answers(train, group) for group in groups]

    def guess(question: Question) -> str | None:
        found = (table.get(group(question)) for table, group in zip(tables, groups, strict=True))
        return next((answer for answer in found if answer is not None), None)

    return guess


def commonest_answers(train: Sequence[Question], group: Callable[[Question], str]) -> dict[str, str]:
    """The commonest answer of every group, the first in order where several are as common."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for question in train:
        counts[group(question)][question.answer] += 1
    return {name: min(c, key=lambda answer: (-c[answer], answer)) for name, c in counts.items()}


def find_overlaps(questions: Sequence[Question], digests: Mapping[str, str]) -> dict[str, Any]:
    """What two splits share: patients, studies and images (each must be 0), and wordings (which may recur)."""
    counted = find_leaks(
        (question.split, values) for question in questions for values in leak_values(question, digests)
    )
    texts = {split: {question.asked for question in questions if question.split == split} for split in SPLITS}
    phrasings = {split: {question.phrasing_id for question in questions if question.split == split} for split in SPLITS}
    unseen = [q for q in questions if q.split == "test" and q.phrasing_id not in phrasings["train"]]
    n_test = sum(question.split == "test" for question in questions)
    return {
        **{kind: counted.get(kind, {}) for kind in ("patient", "study", "image")},
        "is_clean": not any(number for pairs in counted.values() for number in pairs.values()),
        "wordings_of_test_in_train": len(texts["test"] & texts["train"]) / len(texts["test"])
        if texts["test"]
        else None,
        "test_questions_in_unseen_phrasing": len(unseen) / n_test if n_test else None,
        "near_duplicates": None,
    }
