"""Ten faults that a planner could have, planted one by one: the comparison with the interpreter finds each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlglot import exp

from chartsight.neuralsql import bounds, looks, plan, run
from chartsight.schema import VisualAnswer
from tests.neuralsql.random_queries import SHAPES, check_trial, run_trial

Patch = pytest.MonkeyPatch
MOST = 60  # seeds of one shape until a fault must have shown itself


def not_keeps_its_side(patch: Patch) -> None:
    patch.setattr(bounds.Bounds, "under_not", lambda self, side: side)


def right_of_except_keeps_its_side(patch: Patch) -> None:
    patch.setattr(bounds.Bounds, "right_of_except", lambda self, side: side)


def cannot_tell_is_no(patch: Patch) -> None:
    add = looks.Answers.add

    def said_no(self: Any, call: Any, studies: Any, answer: VisualAnswer) -> None:
        add(self, call, studies, VisualAnswer("answered", False, None) if answer.state == "cannot_tell" else answer)

    patch.setattr(looks.Answers, "add", said_no)


def or_asks_although_it_is_settled(patch: Patch) -> None:
    beside = plan._beside
    patch.setattr(plan, "_beside", lambda s, p, w, b: [] if isinstance(p, exp.Or) else beside(s, p, w, b))


def cheap_conditions_cut_nothing(patch: Patch) -> None:
    beside = plan._beside
    patch.setattr(plan, "_beside", lambda s, p, w, b: [] if isinstance(p, exp.And) else beside(s, p, w, b))


def exists_never_ends_early(patch: Patch) -> None:
    patch.setattr(plan, "undecided", lambda node, wanted, bounds: [])


def found_groups_are_asked_again(patch: Patch) -> None:
    patch.setattr(plan, "_only_new_groups", lambda frame, block, items: None)


def limit_cuts_the_candidates(patch: Patch) -> None:
    """The rows that LIMIT would give if every look said yes, and none behind them."""
    by_roots = run.Work._by_roots

    def first_only(self: Any, search: Any, candidates: Any) -> Any:
        if not hasattr(self, "first_round"):
            self.first_round = {each.root for each in by_roots(self, search, candidates)[: search.roots.wanted]}
        return [each for each in by_roots(self, search, candidates) if each.root in self.first_round]

    patch.setattr(run.Work, "_by_roots", first_only)


def every_candidate_is_asked_ahead(patch: Patch) -> None:
    choose = run.Work._choose

    def all_of_them(self: Any, search: Any, todo: Any) -> Any:
        needed, _ = choose(self, search, todo)
        taken = {(each.call.number, each.studies) for each in needed}
        rest = {(each.call.number, each.studies): each for each in todo}
        return needed, [each for key, each in rest.items() if key not in taken]

    patch.setattr(run.Work, "_choose", all_of_them)


def waste_is_not_counted(patch: Patch) -> None:
    patch.setattr(run.Work, "_count_waste", lambda self, search, candidates: setattr(self, "pending", None))


def a_look_is_made_twice(patch: Patch) -> None:
    ask = run.Work._ask
    patch.setattr(run.Work, "_ask", lambda self, candidates: ask(self, [*candidates, *candidates[:1]]))


def possible_is_taken_for_certain(patch: Patch) -> None:
    look = bounds.Bounds.look
    patch.setattr(bounds.Bounds, "look", lambda self, node, side: look(self, node, "possible"))


def one_where_is_asked_question_by_question(patch: Patch) -> None:
    together = run.Work._together
    patch.setattr(
        run.Work, "_together", lambda self, made, finished: [[s] for g in together(self, made, finished) for s in g]
    )


FAULTS: dict[Callable[[Patch], None], tuple[str, ...]] = {
    not_keeps_its_side: ("not", "exists"),
    right_of_except_keeps_its_side: ("set",),
    cannot_tell_is_no: ("plain", "count"),
    or_asks_although_it_is_settled: ("or",),
    cheap_conditions_cut_nothing: ("plain", "join"),
    exists_never_ends_early: ("exists", "truth"),
    found_groups_are_asked_again: ("distinct", "count"),
    limit_cuts_the_candidates: ("limit",),
    every_candidate_is_asked_ahead: ("exists", "limit"),
    waste_is_not_counted: ("distinct", "exists"),
    a_look_is_made_twice: ("plain",),
    possible_is_taken_for_certain: ("plain",),
    one_where_is_asked_question_by_question: ("count",),
}


def sizes(fault: Callable[[Patch], None]) -> tuple[int, int]:
    """Most patients and studies of a world: waste adds up over many rounds only."""
    return (12, 80) if fault is waste_is_not_counted else (5, 14)


@contextmanager
def planted(fault: Callable[[Patch], None]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        yield


def is_caught(fault: Callable[[Patch], None], shapes: tuple[str, ...]) -> bool:
    with planted(fault):
        for seed in range(MOST):
            for shape in shapes:
                try:
                    check_trial(run_trial(seed, shape, (0.0, 0.5)[seed % 2], (1, 2, 4)[seed % 3], size=sizes(fault)))
                except AssertionError:
                    return True
    return False


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_caught(fault: Callable[[Patch], None]) -> None:
    assert is_caught(fault, FAULTS[fault])


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_caught_where_nothing_is_planted(shape: str) -> None:
    for seed in range(3):
        check_trial(run_trial(seed, shape, (0.0, 0.5)[seed % 2], (1, 2, 4)[seed % 3]))
