"""A question set without what spoils a measurement, and a test set of counterfactual pairs.

    read ─▶ repeats ─▶ contradictions ─▶ ties ─▶ leakage ─▶ priors ─▶ pairs ─▶ write, card, manifest

Each rule drops its questions, or marks them, and says how many and which. A counterfactual pair is one question about
two films of two patients, with two answers: whoever does not look is right at most once.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np

from chartsight.errors import ChartsightError, OutputError, QuestionError
from chartsight.questions.consistency import asked_of, find_repeats
from chartsight.questions.data_card import build_data_card, measure_priors, slots_of
from chartsight.questions.files import film_index_of, read_question_metadata, read_questions, write_questions
from chartsight.questions.gold import Answers, Ask, answer_ask
from chartsight.questions.guesser import words_of
from chartsight.questions.labels import FilmLabels, read_film_labels
from chartsight.questions.released import source_id
from chartsight.questions.splits import leak_values, scored_split
from chartsight.questions.subgroups import read_films
from chartsight.questions.subsets import Subset, select_subset
from chartsight.questions.templates import TemplateSet, read_templates
from chartsight.runs import Run, check_apart, read_manifest, removed_on_failure
from chartsight.schema import SPLITS, Question, Split, strictest_pairing, strictest_terms

Action = Literal["drop", "mark"]
Priority = Literal["test", "train"]
RULES: Mapping[str, str] = {
    "repeated": "the same question about the same film stands there already",
    "contradicted": "the same question about the same film has two answers",
    "tied": "the answer hangs on a tie in its query",
    "leakage": "its patient, study or image stands in another split too",
    "prior": "one too many of its template's commonest answer",
    "unpaired": "no film of another test patient answers the same question otherwise",
}


@dataclass(frozen=True)
class CurationConfig:
    """What spoils a measurement.

    Args:
        action: What is done to it: dropped, or marked in the question's parameters.
        subset: all, or poster: EHRXQA's 4,200 one-image questions.
        ties: Whether answers that hang on a tie are among it.
        leakage: Which split keeps what two of them share: `test`, so that published test questions stay, or `train`.
        max_prior: Most that the commonest answer of a template may have of a split; 1 for no limit.
        near_duplicates: Take one picture under two files for one image; every film is read.
        pairs: Make test of counterfactual pairs.
        seed: Of what is drawn: the questions above a prior, the films of counterfactuals.
    """

    action: Action = "drop"
    subset: Subset = "all"
    ties: bool = True
    leakage: Priority = "test"
    max_prior: float = 0.8
    near_duplicates: bool = False
    pairs: bool = False
    seed: int = 7

    def __post_init__(self) -> None:
        for name, known in (("action", Action), ("subset", Subset), ("leakage", Priority)):
            if getattr(self, name) not in get_args(known):
                raise QuestionError(f"unknown-{name}", name, str(getattr(self, name)), " or ".join(get_args(known)))
        if not 0 < self.max_prior <= 1:
            raise QuestionError("bad-share", "max_prior", str(self.max_prior), "above 0 and at most 1")
        if self.seed < 0:
            raise QuestionError("bad-number", "seed", str(self.seed), "0 or more")


@dataclass
class Curated:
    """A set while it is curated.

    Args:
        kept: The questions that no rule has dropped.
        found: Rule → questions that it dropped or marked.
        added: Counterfactuals that were made.
    """

    kept: list[Question]
    action: Action
    found: dict[str, list[Question]] = field(default_factory=dict)
    added: int = 0

    def apply(self, rule: str, found: Iterable[Question], *, always_drop: bool = False) -> None:
        """Drops or marks the questions that a rule has found."""
        assert rule in RULES
        ids = {question.question_id for question in found}
        self.found[rule] = [question for question in self.kept if question.question_id in ids]
        if self.action == "drop" or always_drop:
            self.kept = [question for question in self.kept if question.question_id not in ids]
        else:
            self.kept = [_marked(each, rule) if each.question_id in ids else each for each in self.kept]


def curate_questions(
    questions: Path, out: Path, config: CurationConfig | None = None, *, quiet: bool = False, force: bool = False
) -> tuple[Run, list[dict[str, Any]]]:
    """The curated set at `out` with its card and manifest, and a table of what each rule found.

    Args:
        questions: A question set.
        out: Another `questions.parquet`.
        config: What spoils a measurement; the defaults when None.
        quiet: Without progress.
        force: Replace `out`.

    Returns:
        The run, and one row a rule: rule, meaning, and how many of train, valid, test.

    Raises:
        QuestionError: `questions` is no question set, or nothing of it is left.
        FilmError: Near duplicates are asked for, and films are missing.
        OutputError: `out` exists already, or the disk is full.
    """
    config = config or CurationConfig()
    questions, out = Path(questions), Path(out)
    check_apart(out, questions)
    if out.exists() and not force:
        raise OutputError("output-exists", out, "exists already", hint="choose another name or pass --force")
    everything = read_questions(questions)
    metadata = read_question_metadata(questions)
    manifest = read_manifest(questions)
    run = Run("questions curate", {"questions": questions.name, **asdict(config)}, config.seed)
    run.read(questions, len(everything))
    run.parent_runs = [manifest["run_id"]] if manifest else []
    digests = dict(read_films(questions).digests)
    if config.near_duplicates:
        digests |= join_near_duplicates(questions, everything, digests, quiet=quiet)
    chosen = select_subset(everything, config.subset)
    curated = Curated(chosen, config.action)
    clean(curated, digests, config)
    if config.pairs:
        pair_test(curated, questions, manifest, config)
    if not curated.kept:
        raise QuestionError("nothing-left", questions, "no question passes the rules", "looser rules")
    table = []
    for rule, found in curated.found.items():
        counts = Counter(question.split for question in found)
        done = "drop" if rule == "unpaired" else config.action
        row: dict[str, Any] = {"rule": rule, "action": done, "meaning": RULES[rule]}
        table.append(row | {split: counts.get(split, 0) for split in SPLITS})
        if found:
            ids = [source_id(question) for question in found]
            run.faults[rule] = {"meaning": RULES[rule], "count": len(found), "ids": ids}
        if done == "drop":
            for question in found:
                run.drop(RULES[rule], questions.name, source_id(question))
    run.terms = strictest_terms(each.terms for each in curated.kept)
    run.pairing = strictest_pairing(each.pairing for each in curated.kept)
    run.outputs.append({"path": str(out), "rows": len(curated.kept)})
    run.kept = {"questions": len(curated.kept), "added": curated.added}
    run.kept |= {split: sum(each.split == split for each in curated.kept) for split in SPLITS}
    before, after = (_guessed(each) for each in (chosen, curated.kept))
    scored = scored_split(chosen)
    run.config = {**run.config, "blind_scored_on": scored, "blind_before": before, "blind_after": after}
    kept = {name: value for name, value in metadata.items() if name in ("seed", "source")}
    if "film_index" in metadata:
        kept["film_index"] = str(film_index_of(questions))
    write_questions(out, curated.kept, kept, replace=force)
    card = out.with_name(f"{out.stem}.card.html")
    with removed_on_failure(out, card, card.with_suffix(".json")):
        build_data_card(out, card, near_duplicates=config.near_duplicates, faults=run.faults, quiet=quiet, replace=True)
        run.write(out)
    return run, table


def _guessed(questions: Sequence[Question]) -> dict[str, float | None]:
    priors = measure_priors(questions)
    return {"per_slots_majority": priors["per_slots_majority"]["accuracy"],
            "question_only": priors["question_only"]["accuracy"]}  # fmt: skip


def _marked(question: Question, rule: str) -> Question:
    parameters = json.loads(question.parameters)
    parameters["marks"] = sorted({*parameters.get("marks", ()), rule})
    return replace(question, parameters=json.dumps(parameters, sort_keys=True, ensure_ascii=False))


# ------------------------------------------------------------------------------------------------------------- rules


def clean(curated: Curated, digests: Mapping[str, str], config: CurationConfig) -> None:
    """Applies every rule that takes questions away, in order."""
    repeats = find_repeats(curated.kept, digests)
    # Of a question that stands in two splits, leakage decides which stays.
    curated.apply("repeated", (each for group in repeats.repeated for each in _repeats_within_splits(group)))
    curated.apply("contradicted", (each for group in repeats.contradicted for each in group))
    if config.ties:
        curated.apply("tied", (each for each in curated.kept if each.tied))
    curated.apply("leakage", find_leaking(curated.kept, digests, config.leakage))
    if config.max_prior < 1:
        curated.apply("prior", find_above_prior(curated.kept, config.max_prior, config.seed))


def _repeats_within_splits(group: Sequence[Question]) -> Iterator[Question]:
    seen: set[Split] = set()
    for question in sorted(group, key=lambda each: each.question_id):
        if question.split in seen:
            yield question
        seen.add(question.split)


def find_leaking(questions: Sequence[Question], digests: Mapping[str, str], priority: Priority) -> list[Question]:
    """Questions whose patient, study or image stands in a split that goes before theirs.

    Args:
        questions: Of all splits.
        digests: image_id → digest.
        priority: `test` keeps test whole, then valid; `train` keeps train, then valid.
    """
    order: tuple[Split, ...] = ("test", "valid", "train") if priority == "test" else SPLITS
    taken: set[tuple[str, object]] = set()
    leaking = []
    for split in order:
        mine: set[tuple[str, object]] = set()
        for question in questions:
            if question.split != split:
                continue
            values = {
                (kind, value)
                for several in leak_values(question, digests)
                for kind, value in several.items()
                if value is not None
            }
            if values & taken:
                leaking.append(question)
            else:
                mine |= values
        taken |= mine
    return leaking


def find_above_prior(questions: Sequence[Question], max_prior: float, seed: int) -> list[Question]:
    """Of each split and template, as many questions of the commonest answer as stand above its limit, drawn by a seed.

    A template with one answer only has nothing beside it: all its questions are found.
    """
    groups: dict[tuple[str, str], list[Question]] = defaultdict(list)
    for question in questions:
        groups[question.split, question.template_id].append(question)
    found = []
    for members in groups.values():
        counts = Counter(question.answer for question in members)
        commonest = min(counts, key=lambda answer: (-counts[answer], answer))
        others = len(members) - counts[commonest]
        allowed = int(max_prior * others / (1 - max_prior) + 1e-9)
        drawn = sorted(
            (question for question in members if question.answer == commonest),
            key=lambda each: hashlib.sha256(f"{seed}:{each.question_id}".encode()).digest(),
        )
        found += drawn[allowed:]
    return found


def join_near_duplicates(
    path: Path, questions: Sequence[Question], digests: Mapping[str, str], *, quiet: bool
) -> dict[str, str]:
    """image_id → digest, the same for all files of one picture.

    Raises:
        FilmError: Films are missing.
    """
    from chartsight.imaging.film_index import read_film_index
    from chartsight.questions.near_duplicates import find_near_duplicates, hash_films

    asked = sorted({image_id for question in questions for image_id in question.image_ids})
    hashes = hash_films(read_film_index(film_index_of(path)).films(asked), quiet=quiet)
    rows = list(range(len(hashes.image_ids)))
    joined = {image_id: digests.get(image_id, image_id) for image_id in asked}
    for one, other in find_near_duplicates(hashes, rows, rows):
        if joined[one] != joined[other]:
            first, second = sorted((joined[one], joined[other]))
            joined = {image_id: first if digest == second else digest for image_id, digest in joined.items()}
    return joined


# ------------------------------------------------------------------------------------------------- counterfactual pairs


def pair_test(curated: Curated, path: Path, manifest: Mapping[str, Any] | None, config: CurationConfig) -> None:
    """Test becomes pairs: of questions that are there, then of counterfactuals that the record's labels can answer.

    A question without a pair is dropped, whatever the action: half a pair measures nothing.
    """
    test = [question for question in curated.kept if question.split == "test" and question.image_ids]
    pairs = match_pairs(test)
    paired = {each.question_id for pair in pairs for each in pair}
    left = [question for question in test if question.question_id not in paired]
    made = list(make_counterfactuals(left, test, path, manifest, config.seed))
    curated.added = len(made)
    named = {each.question_id: _named_pair(each, pair) for pair in [*pairs, *made] for each in pair}
    unpaired = [each for each in curated.kept if each.split == "test" and each.question_id not in named]
    curated.apply("unpaired", unpaired, always_drop=True)
    old = {question.question_id for question in curated.kept}
    curated.kept = [named.get(each.question_id, each) for each in curated.kept]
    curated.kept += [named[twin.question_id] for _, twin in made if twin.question_id not in old]


def match_pairs(questions: Sequence[Question]) -> list[tuple[Question, Question]]:
    """Pairs of one question about two patients with two answers, each question in one pair at most.

    The two commonest answers meet first, so that few are left over.
    """
    groups: dict[str, dict[str, list[Question]]] = defaultdict(lambda: defaultdict(list))
    for question in sorted(questions, key=lambda each: each.question_id):
        groups[question_key(question)][question.answer].append(question)
    pairs = []
    for by_answer in groups.values():
        while len(by_answer) > 1:
            first, *others = sorted(by_answer, key=lambda answer: (-len(by_answer[answer]), answer))
            one = by_answer[first].pop()
            for answer in others:
                twin = next((each for each in by_answer[answer] if person(each) != person(one)), None)
                if twin is not None:
                    by_answer[answer].remove(twin)
                    pairs.append((one, twin))
                    break
            for answer in list(by_answer):
                if not by_answer[answer]:
                    del by_answer[answer]
    return pairs


def question_key(question: Question) -> str:
    """What two questions of a pair share: the template with its slots, or else the words."""
    if slots := slots_of(question):
        return json.dumps([question.template_id, sorted(slots.items())])
    return " ".join(words_of(question).lower().split())


def person(question: Question) -> object:
    """Whose film it is: the patient, or the film when no patient is named."""
    return question.subject_id if question.subject_id is not None else question.image_ids


def make_counterfactuals(
    questions: Sequence[Question], test: Sequence[Question], path: Path, manifest: Mapping[str, Any] | None, seed: int
) -> Iterator[tuple[Question, Question]]:
    """(question, the same about another test patient's film with another answer), where the record's labels know one.

    Only questions that chartsight built from a record's labels can be asked anew.
    """
    house = [question for question in questions if question.source.startswith("templates:")]
    known = _read_labels(path, manifest) if house else None
    if known is None:
        return
    labels, templates = known
    subjects = {question.subject_id for question in test}
    candidates = np.array([film.subject_id in subjects for film in labels.films])
    load: Counter[int] = Counter()
    asked = {(asked_of(question), question.answer_type) for question in test}
    by_id = {template.id: template for template in templates.templates}
    answered: dict[str, Answers] = {}
    for question in sorted(house, key=lambda each: each.question_id):
        template = by_id.get(question.template_id)
        if template is None:
            continue
        key = question_key(question)
        if key not in answered:
            answered[key] = answer_ask(Ask(template, slots_of(question)), labels, templates.words)
        answers = answered[key]
        values = [json.dumps(value) for value in answers.values]
        rows = [
            int(row)
            for row in np.flatnonzero(candidates & (answers.codes >= 0))
            if values[answers.codes[row]] != question.answer and labels.films[row].subject_id != question.subject_id
        ]
        rows.sort(key=lambda row: (load[row], _drawn(seed, question.question_id, labels.films[row].image_id)))
        for row in rows:
            twin = _ask_another_film(question, labels, row, values[answers.codes[row]])
            if (asked_of(twin), twin.answer_type) not in asked:
                asked.add((asked_of(twin), twin.answer_type))
                load[row] += 1
                yield question, twin
                break


def _drawn(seed: int, *names: str) -> bytes:
    return hashlib.sha256(":".join((str(seed), *names)).encode()).digest()


def _ask_another_film(question: Question, labels: FilmLabels, row: int, answer: str) -> Question:
    """The same words about another film."""
    film = labels.films[row]
    key = "\n".join(
        (film.digest, film.image_id, str(question.visual_question), question.template_id, question.answer_type)
    )
    old, new = str(question.study_ids[0]), str(film.study_id)
    return replace(
        question, question_id=hashlib.sha256(key.encode()).hexdigest()[:16], subject_id=film.subject_id,
        study_ids=(film.study_id,), image_ids=(film.image_id,), question=question.question.replace(old, new),
        program=question.program.replace(old, new), answer=answer,
        label_source=question.label_source if question.label_source == "record" else labels.sources[row],
        terms=strictest_terms((question.terms, film.terms)),
        pairing=strictest_pairing((question.pairing, film.pairing)),
    )  # fmt: skip


def _read_labels(path: Path, manifest: Mapping[str, Any] | None) -> tuple[FilmLabels, TemplateSet] | None:
    """The labels that a built set took its gold from, read as it read them; None when there is no such record."""
    from chartsight.questions.build import QuestionConfig
    from chartsight.records import open_record

    settings: Mapping[str, Any] = (manifest or {}).get("config") or {}
    usual = QuestionConfig()
    try:
        with open_record(film_index_of(path)) as record:
            labels = read_film_labels(
                record.connection,
                label_sources=settings.get("label_sources", usual.label_sources),
                unmentioned=settings.get("unmentioned", usual.unmentioned),
                frontal_only=settings.get("frontal_only", usual.frontal_only),
            )
        return labels, read_templates(cast(str, settings.get("templates", usual.templates)))
    except ChartsightError:
        return None


def _named_pair(question: Question, pair: Iterable[Question]) -> Question:
    """The question with the name of its pair in its parameters."""
    name = hashlib.sha256(":".join(sorted(each.question_id for each in pair)).encode()).hexdigest()[:12]
    parameters = {**json.loads(question.parameters), "pair": name}
    return replace(question, parameters=json.dumps(parameters, sort_keys=True, ensure_ascii=False))


def render_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What each rule found, for the terminal."""
    lines = [f"{'rule':<14}{'action':<8}" + "".join(f"{split:>9}" for split in SPLITS) + "  why"]
    for row in rows:
        counts = "".join(f"{row[split]:>9,}" for split in SPLITS)
        lines.append(f"{row['rule']:<14}{row['action']:<8}{counts}  {row['meaning']}")
    return "\n".join(lines)
