"""Which answers follow from which: pairs of questions about one film whose right answers are not free of one another.

    Is there pneumothorax or effusion?  no     ->  Is there effusion?  no                         (or to each)
    Is there atelectasis in the left lower lung zone?  yes  ->  ... in the left lung?  yes        (zone to lung)
    Is there any device?  no               ->  What are all the findings? lacks cardiac pacer     (any to each)

An answer is taken apart into statements (a finding, a place, present or not), and a statement carried as the labels
carry it: what is in a part is in the whole and on the film, a finding is one of its kind, a kind of finding is an
abnormality, and what is nowhere is in no place. Where the statements of one answer decide another question, its answer
follows. Nothing here looks at labels: the rules hold for every film, so that a model that breaks one contradicts itself
whatever the film shows.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations

from chartsight.questions.gold import Ask
from chartsight.questions.labels import PARENT_OBJECTS, SEXES, SIDES, VIEWS
from chartsight.questions.templates import SIZES, TemplateSet, slot_kind
from chartsight.schema import ABNORMALITY_CATEGORIES, ATTRIBUTES, Entailment, Question

Place = str | None
Statement = tuple[str, Place, bool]  # subject, place (None: anywhere on the film), whether it is there


def find_entailments(
    questions: Sequence[Question], templates: TemplateSet, categories: Mapping[str, str] = ATTRIBUTES
) -> list[Entailment]:
    """Every pair (premise with an answer, conclusion) in which the conclusion's answer follows, in a fixed order.

    A yes/no question and a choice are premises with each of their answers, so that any two answers of a model can be
    held against one another; a list with its right answer only.

    Args:
        questions: Those that no template of `templates` asks are left out.
        templates: Of the questions.
        categories: attribute → category.
    """
    asks = {
        question.question_id: Ask(templates.by_id[question.template_id], json.loads(question.parameters))
        for question in questions
        if question.source == templates.source and question.template_id in templates.by_id
    }
    groups: dict[tuple[str, object], list[Question]] = defaultdict(list)
    for question in questions:
        if question.question_id in asks and question.looks_at_one_film:
            groups["film", question.image_ids[0]].append(question)
            if _asks_sex(asks[question.question_id]) and question.subject_id is not None:
                groups["patient", question.subject_id].append(question)
    reasoner = Reasoner(templates, categories)
    found: dict[tuple[str, str, str, str, str], Entailment] = {}
    for group in groups.values():
        for first, second in permutations(sorted(group, key=lambda each: each.question_id), 2):
            for each in reasoner.pair(first, asks[first.question_id], second, asks[second.question_id]):
                key = each.premise, each.premise_value, each.conclusion, each.relation, each.conclusion_value
                found.setdefault(key, each)
    return [found[key] for key in sorted(found)]


class Reasoner:
    """Carries statements from one question to another.

    Args:
        templates: What can be asked.
        categories: attribute → category.
    """

    def __init__(self, templates: TemplateSet, categories: Mapping[str, str]) -> None:
        self.words = templates.words
        self.categories = categories

    def pair(self, first: Question, premise: Ask, second: Question, conclusion: Ask) -> Iterator[Entailment]:
        """What follows for the second question from each answer to the first."""
        if not _meet(premise, conclusion):
            return
        for value in _answers(first, premise):
            statements = self.statements(first, premise, value)
            if not statements:
                continue
            for relation, follows in self.conclude(statements, second, conclusion):
                yield Entailment(
                    _rule(premise, conclusion), first.question_id, json.dumps(value), second.question_id,
                    json.dumps(follows), relation,  # type: ignore[arg-type]
                )  # fmt: skip

    def statements(self, question: Question, ask: Ask, value: bool | str | list[str]) -> list[Statement]:
        """What an answer says, each by itself; nothing where it says only that one of several holds."""
        gold = ask.template.gold
        tests = [ask.slots.get(name, name) for name in gold.test]
        places: list[Place] = [ask.slots[name] for name in gold.places] or [None]
        if gold.choose:
            options = [ask.slots[name] for name in gold.choose]
            if tests:
                return [(tests[0], option, option == value) for option in options]
            return [(option, places[0], option == value) for option in options]
        if isinstance(value, list):
            return self._of_list(question, gold.list or "", tests, places, gold.join, set(value))
        asked = [(test, place) for test in tests for place in places]
        if len(asked) == 1 or (gold.join == "or" and not value) or (gold.join == "and" and value):
            return [(test, place, bool(value)) for test, place in asked]
        return []

    def _of_list(
        self, question: Question, kind: str, tests: list[str], places: list[Place], join: str | None, said: set[str]
    ) -> list[Statement]:
        found: list[Statement] = []
        for name in question.allowed_answers:
            asked = self._members(kind, name, tests, places)
            is_in = name in said
            if len(asked) == 1 or (join == "or" and not is_in) or (join == "and" and is_in):
                found += [(subject, place, is_in) for subject, place in asked]
            elif join == "only" and is_in:
                found += [(*asked[0], True), (*asked[1], False)]
        return found

    def _members(self, kind: str, name: str, tests: list[str], places: list[Place]) -> list[tuple[str, Place]]:
        """What must hold, or not, for a name to be in a list."""
        if kind == "object":
            return [(test, name) for test in tests]
        if kind == "category":
            meant: list[tuple[str, Place]] = [(key, None) for key, (one, _) in self.words.items() if one == name]
            return meant[:1]
        return [(name, place) for place in places]

    def conclude(
        self, statements: Sequence[Statement], question: Question, ask: Ask
    ) -> list[tuple[str, bool | str | list[str]]]:
        """How the answer must stand to which value: (equals, contains or lacks; value)."""
        gold = ask.template.gold
        tests = [ask.slots.get(name, name) for name in gold.test]
        places: list[Place] = [ask.slots[name] for name in gold.places] or [None]
        if gold.choose:
            options = [ask.slots[name] for name in gold.choose]
            truths = {
                option: self.truth(statements, *((tests[0], option) if tests else (option, places[0])))
                for option in options
            }
            chosen = [option for option in options if truths[option] is True]
            left = [option for option in options if truths[option] is not False]
            if len(chosen) == 1 or (not chosen and len(left) == 1):
                return [("equals", (chosen or left)[0])]
            return []
        if gold.list is not None:
            truths = {
                name: _joined([self.truth(statements, *each) for each in members], gold.join)
                for name in question.allowed_answers
                if (members := self._members(gold.list, name, tests, places))
            }
            named = {relation: [n for n, truth in truths.items() if truth is wanted]
                     for relation, wanted in (("contains", True), ("lacks", False))}  # fmt: skip
            return [(relation, names) for relation, names in named.items() if names]
        asked = [self.truth(statements, test, place) for test in tests for place in places]
        decided = _joined(asked, gold.join)
        return [] if decided is None else [("equals", decided)]

    def truth(self, statements: Iterable[Statement], subject: str, place: Place) -> bool | None:
        """Whether statements decide that a subject is in a place; None where they do not."""
        for said, where, holds in statements:
            if holds and self._is_kind_of(said, subject) and _is_within(where, place):
                return True
            if not holds and self._is_kind_of(subject, said) and _is_within(place, where):
                return False
            if said != subject and place == where and _excludes(said, subject, holds):
                return not holds
        return None

    def _is_kind_of(self, one: str, other: str) -> bool:
        """Whether whatever shows the one shows the other."""
        if one == other:
            return True
        category = self.categories.get(one)
        if other == "abnormality":
            return (category or one) in ABNORMALITY_CATEGORIES
        return category == other


def _excludes(one: str, other: str, holds: bool) -> bool:
    """Whether of two views or sexes the one decides the other: of views only when it holds, as there are others."""
    return {one, other} <= set(SEXES) or (holds and {one, other} <= set(VIEWS))


def _is_within(one: Place, other: Place) -> bool:
    """Whether what is in the one place is in the other."""
    if other is None or one == other:
        return True
    if one is None:
        return False
    return PARENT_OBJECTS.get(one) == other or (other in SIDES and one.startswith(f"{other} "))


def _joined(truths: Sequence[bool | None], join: str | None) -> bool | None:
    """SQL's OR, AND and AND NOT over what is true, false and not decided."""
    if join == "only":
        truths = [truths[0], None if truths[1] is None else not truths[1]]
    if join == "or":
        return True if True in truths else None if None in truths else False
    return False if False in truths else None if None in truths else True


def _answers(question: Question, ask: Ask) -> list[bool | str | list[str]]:
    if question.answer_type == "boolean":
        return [True, False]
    if question.answer_type == "choice":
        return [ask.slots[name] for name in ask.template.gold.choose]
    return [json.loads(question.answer)]


def _asks_sex(ask: Ask) -> bool:
    return any(slot_kind(slot) == "sex" for slot in ask.template.slots)


def _facet(ask: Ask) -> str:
    kinds = {slot_kind(slot) for slot in ask.template.slots}
    sizes = [name for name in ask.template.gold.test if name in SIZES]
    return "sex" if "sex" in kinds else "view" if "view" in kinds else sizes[0] if sizes else "findings"


def _meet(one: Ask, other: Ask) -> bool:
    """Whether the two can say anything of one another at all."""
    return _facet(one) == _facet(other)


def _rule(premise: Ask, conclusion: Ask) -> str:
    """The rule in a few words, by what is asked."""
    one, other = premise.template, conclusion.template
    if (facet := _facet(premise)) in ("sex", "view"):
        return f"one {facet} a {'patient' if facet == 'sex' else 'film'}"
    if one.id == other.id and premise.slots == conclusion.slots:
        return "asked twice"
    kinds = {"verify": "verify", "choose": "choice", "query": "list"}
    if one.family != other.family or "verify" not in (one.family, other.family):
        return f"{kinds[one.family]} to {kinds[other.family]}"
    if one.gold.join is not None:
        return f"{one.gold.join} to each"
    if other.gold.join is not None:
        return f"each to {other.gold.join}"
    subjects = [tuple(ask.slots.get(name, name) for name in ask.template.gold.test) for ask in (premise, conclusion)]
    if subjects[0] == subjects[1]:
        return "part to whole"
    return "kind of finding"
