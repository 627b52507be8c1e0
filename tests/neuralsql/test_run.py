"""What the planner promises beside the rows: fewest looks, a store, a budget, Ctrl-C, lists, pairs, cost beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chartsight.answers import AnswerStore, StoredModel
from chartsight.errors import ChartsightError, QueryError
from chartsight.neuralsql import parse
from chartsight.neuralsql.evidence import EvidenceRow, evidence_rows, evidence_schema, write_evidence
from chartsight.neuralsql.explain import explain
from chartsight.neuralsql.looks import kind_of_question
from chartsight.neuralsql.plan import plan
from chartsight.neuralsql.run import Progress, QueryResult, run_query
from chartsight.schema import Look, VisualAnswer
from tests.neuralsql.random_queries import TABLES, SqliteRows, table_rows
from tests.neuralsql.three_valued import World

PATIENTS, STUDIES = 40, 400
Says = Callable[[Look], Any]


def hospital() -> World:
    """Forty patients with ten studies each; study 100 + n is of patient n % 40, at time n."""
    patients = tuple({"subject_id": n, "age": 20 + 2 * n, "gender": "FM"[n % 2]} for n in range(PATIENTS))
    studies = tuple(
        {
            "row_id": n, "subject_id": n % PATIENTS, "study_id": 100 + n, "image_id": f"film-{n}", "viewposition": "PA",
            "studydatetime": n,
        }
        for n in range(STUDIES)
    )  # fmt: skip
    return World(patients, studies, {})


class Scripted:
    """Answers by a rule; `None` is cannot tell. Counts its looks; may be interrupted after some."""

    def __init__(self, says: Says, interrupt_after: int | None = None) -> None:
        self.says, self.interrupt_after = says, interrupt_after
        self.fingerprint = "scripted"
        self.looks: list[Look] = []

    def answer(self, looks: Sequence[Look]) -> Iterator[VisualAnswer]:
        for look in looks:
            yield self.read(look, next(self.ask([look])))

    def key(self, look: Look) -> str:
        return json.dumps([look.image_ids, look.question])

    def ask(self, looks: Sequence[Look]) -> Iterator[Mapping[str, Any]]:
        for look in looks:
            if self.interrupt_after == len(self.looks):
                raise KeyboardInterrupt
            self.looks.append(look)
            value = self.says(look)
            yield {"value": list(value) if isinstance(value, tuple) else value, "ms": 500.0, "model": self.fingerprint}

    def read(self, look: Look, stored: Mapping[str, Any]) -> VisualAnswer:
        value = stored["value"]
        if value is None:
            return VisualAnswer("cannot_tell", None, None)
        return VisualAnswer("answered", tuple(value) if isinstance(value, list) else value, 0.9)


def every_tenth(look: Look) -> bool:
    return look.study_ids[0] % 10 == 0


def ask(sql: str, model: Any, **options: Any) -> QueryResult:
    return run_query(plan(parse(sql), TABLES), SqliteRows(hospital()), model, **options)


# ------------------------------------------------------------------------------------------------------- fewest looks


@pytest.mark.parametrize(
    ("sql", "looks"),
    [
        # 10 studies of each of the 9 patients above 80
        ("SELECT c.study_id FROM tb_cxr c JOIN patients p ON p.subject_id = c.subject_id WHERE p.age > 80 AND {}", 90),
        ("SELECT c.study_id FROM tb_cxr c WHERE c.studydatetime < 50 OR {}", 350),
        ("SELECT c.study_id, {} FROM tb_cxr c WHERE {} AND c.studydatetime < 50", 50),
        ("SELECT c.study_id FROM tb_cxr c, patients p WHERE c.studydatetime < 30 AND {}", 30),
        ("SELECT count(*) FROM (SELECT study_id, subject_id FROM tb_cxr c WHERE {}) t WHERE t.subject_id = 3", 10),
        ("SELECT (SELECT count(*) FROM patients WHERE age > 500) > 0 AND count(*) > 0 FROM tb_cxr c WHERE {}", 0),
    ],
)  # fmt: skip
def test_looks_are_those_that_matter(sql: str, looks: int) -> None:
    call = 'FUNC_VQA("is there a nodule?", c.study_id)'
    assert ask(sql.format(*[call] * 2), Scripted(every_tenth)).made == looks


@pytest.mark.parametrize(
    ("sql", "needed"),
    [
        # the first yes in order of time is study 100 itself; backwards it is 490, the tenth
        ("SELECT c.study_id FROM tb_cxr c WHERE {} ORDER BY c.studydatetime LIMIT 1", 1),
        ("SELECT c.study_id FROM tb_cxr c WHERE {} ORDER BY c.studydatetime DESC LIMIT 1", 10),
        ("SELECT c.study_id FROM tb_cxr c WHERE {} ORDER BY c.studydatetime LIMIT 5", 41),
        ("SELECT count(*) > 0 FROM tb_cxr c WHERE {}", 1),
        ("SELECT EXISTS (SELECT 1 FROM tb_cxr c WHERE {})", 1),
        ("SELECT count(*) >= 3 FROM tb_cxr c WHERE {}", 21),
    ],
)
def test_an_early_hit_spares_the_rest(sql: str, needed: int) -> None:
    text = sql.format('FUNC_VQA("is there a nodule?", c.study_id)')
    for batch in (1, 16, 64):
        result = ask(text, Scripted(every_tenth), batch=batch)
        assert needed <= result.made <= needed + batch - 1
        assert result.is_exact


def test_the_question_that_settles_most_is_asked_first() -> None:
    sql = (
        'SELECT c.study_id FROM tb_cxr c WHERE FUNC_VQA("is it common?", c.study_id) '
        'AND FUNC_VQA("is it rare?", c.study_id)'
    )
    model = Scripted(lambda look: "common" in look.question or every_tenth(look))
    # In the order of the text: 400 looks at what is common, and 400 at what is rare.
    assert ask(sql, model, batch=20).made < 500
    # A look that costs far more waits, whatever it settles.
    dear = ask(sql, Scripted(model.says), batch=20, cost=lambda call: 2000.0 if "rare" in call.question else 1.0)
    assert dear.made > 700


def test_an_inner_limit_is_answered_first() -> None:
    sql = (
        'SELECT FUNC_VQA("is there an effusion?", t.study_id) FROM (SELECT c.study_id FROM tb_cxr c WHERE '
        'FUNC_VQA("is there a nodule?", c.study_id) ORDER BY c.studydatetime DESC LIMIT 1) AS t'
    )
    model = Scripted(every_tenth)
    result = ask(sql, model, batch=1)
    assert result.made == 11
    assert model.looks[-1] == Look((490,), ("film-390",), "is there an effusion?", "boolean")


# -------------------------------------------------------------------------------------------------- store and stopping


def test_a_repeated_question_makes_no_look(tmp_path: Path) -> None:
    sql = 'SELECT count(*) FROM tb_cxr c WHERE FUNC_VQA("is there a nodule?", c.study_id) AND c.subject_id < 5'
    first = ask(sql, StoredModel(Scripted(every_tenth), AnswerStore(tmp_path / "answers.jsonl")))
    silent = Scripted(every_tenth)
    second = ask(sql, StoredModel(silent, AnswerStore(tmp_path / "answers.jsonl")))
    assert (first.made, first.cached) == (50, 0)
    assert (second.made, second.cached, silent.looks) == (0, 50, [])
    assert first.rows == second.rows


def test_a_repeated_early_exit_makes_no_look(tmp_path: Path) -> None:
    sql = (
        'SELECT c.study_id FROM tb_cxr c WHERE FUNC_VQA("is there a nodule?", c.study_id) '
        "ORDER BY c.studydatetime DESC LIMIT 3"
    )
    store = AnswerStore(tmp_path / "answers.jsonl")
    assert ask(sql, StoredModel(Scripted(every_tenth), store)).made > 0
    assert ask(sql, StoredModel(Scripted(every_tenth), store)).made == 0


def test_a_budget_leaves_what_is_certain_and_what_is_possible() -> None:
    sql = 'SELECT count(*) FROM tb_cxr c WHERE FUNC_VQA("is there a nodule?", c.study_id)'
    result = ask(sql, Scripted(every_tenth), budget=100)
    assert (result.made, result.stopped, result.open_looks) == (100, "budget", 300)
    (interval,) = result.intervals
    assert (interval.low, interval.high) == (10, 310)
    assert str(interval).endswith("in [10, 310]")


def test_what_was_answered_before_an_interrupt_is_kept(tmp_path: Path) -> None:
    sql = 'SELECT count(*) FROM tb_cxr c WHERE FUNC_VQA("is there a nodule?", c.study_id)'
    store = AnswerStore(tmp_path / "answers.jsonl")
    result = ask(sql, StoredModel(Scripted(every_tenth, interrupt_after=150), store))
    assert (result.made, result.stopped) == (150, "cancelled")
    assert [(each.low, each.high) for each in result.intervals] == [(15, 265)]
    assert len(AnswerStore(tmp_path / "answers.jsonl")) == 150
    assert ask(sql, StoredModel(Scripted(every_tenth), store)).made == 250


def test_bounds_close_in_while_looks_come() -> None:
    sql = 'SELECT count(*) FROM tb_cxr c WHERE FUNC_VQA("is there a nodule?", c.study_id)'
    seen: list[Progress] = []
    result = ask(sql, Scripted(every_tenth), batch=100, stream=seen.append)
    bounds = [(each.low, each.high) for progress in seen for each in progress.intervals]
    assert bounds == [(10, 310), (20, 220), (30, 130)]
    assert table_rows(result.rows) == [(40,)]


@pytest.mark.parametrize(("batch", "budget", "code"), [(0, None, "bad-batch"), (8, -1, "bad-budget")])
def test_impossible_limits_are_refused(batch: int, budget: int | None, code: str) -> None:
    with pytest.raises(QueryError) as found:
        ask("SELECT 1", Scripted(every_tenth), batch=batch, budget=budget)
    assert found.value.code == code


# -------------------------------------------------------------------------------------------- lists, pairs, cannot tell


def test_lists_are_rows_and_change_is_a_set_operation() -> None:
    later, earlier = ("nodule", "effusion"), ("effusion", "picc")
    model = Scripted(lambda look: later if look.study_ids[0] == 101 else earlier)
    one = 'SELECT FUNC_VQA("list all findings", c.study_id) FROM tb_cxr c WHERE c.study_id = '
    assert table_rows(ask(f"{one} 101", model).rows) == [("effusion",), ("nodule",)]
    assert table_rows(ask(f"{one} 101 EXCEPT {one} 100", model).rows) == [("nodule",)]
    assert table_rows(ask(f"{one} 101 INTERSECT {one} 100", model).rows) == [("effusion",)]
    assert table_rows(ask(f"{one} 101", Scripted(lambda look: ())).rows) == []


def test_what_cannot_be_listed_takes_nothing_away_for_certain() -> None:
    model = Scripted(lambda look: None if look.study_ids[0] == 100 else ("nodule",))
    one = 'SELECT FUNC_VQA("list all findings", c.study_id) FROM tb_cxr c WHERE c.study_id = '
    result = ask(f"{one} 101 EXCEPT {one} 100", model)
    assert result.possible is not None
    assert (table_rows(result.rows), table_rows(result.possible)) == ([], [("nodule",)])


def test_two_studies_are_compared_in_one_look() -> None:
    sql = (
        "SELECT a.study_id, b.study_id AS later FROM tb_cxr a, tb_cxr b WHERE a.subject_id = b.subject_id "
        "AND a.studydatetime < b.studydatetime AND a.subject_id = 3 "
        'AND FUNC_VQA("is it worse?", a.study_id, b.study_id)'
    )
    model = Scripted(lambda look: look.study_ids[1] - look.study_ids[0] == PATIENTS)
    result = ask(sql, model)
    assert result.made == 45
    assert len(result.rows) == 9
    assert all(len(look.image_ids) == 2 for look in model.looks)
    rows = evidence_rows(result.looks, model, sql)
    assert [row.look_index for row in rows[:4]] == [0, 0, 1, 1]


def test_cannot_tell_is_never_false() -> None:
    unknown = Scripted(lambda look: None)
    sql = (
        "SELECT p.subject_id FROM patients p WHERE {} EXISTS (SELECT 1 FROM tb_cxr c "
        'WHERE c.subject_id = p.subject_id AND FUNC_VQA("is it?", c.study_id))'
    )
    for negation in ("", "NOT"):
        result = ask(sql.format(negation), unknown)
        assert result.possible is not None
        assert (len(result.rows), len(result.possible)) == (0, PATIENTS)
    shown = ask('SELECT FUNC_VQA("is it?", c.study_id) FROM tb_cxr c WHERE c.study_id = 100', unknown)
    assert table_rows(shown.rows) == [(None,)]


def test_no_bound_is_said_in_words() -> None:
    sql = 'SELECT avg(c.studydatetime) FROM tb_cxr c WHERE FUNC_VQA("is it?", c.study_id)'
    assert ask(sql, Scripted(every_tenth)).is_exact
    result = ask(sql, Scripted(lambda look: None if look.study_ids[0] == 105 else every_tenth(look)))
    assert (result.open_looks, result.possible, result.reason) == (1, None, "an aggregate other than COUNT")


def test_a_study_without_a_film_is_unknown_and_no_look() -> None:
    model = Scripted(every_tenth)
    result = ask('SELECT p.subject_id FROM patients p WHERE FUNC_VQA("is it?", p.subject_id)', model)
    assert (model.looks, len(result.rows), result.open_looks) == ([], 0, PATIENTS)


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT FUNC_VQA() FROM tb_cxr c", "look-question"),
        ("SELECT FUNC_VQA('is it?') FROM tb_cxr c", "look-studies"),
        ("SELECT FUNC_VQA('is it?', c.study_id, 1, 2) FROM tb_cxr c", "look-studies"),
        ("SELECT FUNC_VQA('nodule', c.study_id) FROM tb_cxr c", "look-kind"),
        ("SELECT c.study_id FROM tb_cxr c WHERE FUNC_VQA('list all', c.study_id) LIKE 'n%'", "look-position"),
        ("SELECT FUNC_VQA('list all', c.study_id) FROM tb_cxr c LIMIT 1", "look-position"),
        ("SELECT c.study_id FROM tb_cxr c ORDER BY FUNC_VQA('is it?', c.study_id)", "look-position"),
        (
            "SELECT p.age FROM patients p LEFT JOIN tb_cxr c ON c.subject_id = p.subject_id "
            "AND FUNC_VQA('is it?', c.study_id)", "look-position",
        ),
    ],
)  # fmt: skip
def test_a_look_where_none_can_stand_is_refused(sql: str, code: str) -> None:
    with pytest.raises(QueryError) as found:
        plan(parse(sql), TABLES)
    assert found.value.code == code
    assert isinstance(found.value, ChartsightError) and found.value.exit_code == 2


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Is there a nodule?", "boolean"), ("does the left lung show any disease?", "boolean"),
        ("Pneumothorax: yes or no?", "boolean"), ("list all diseases", "set"), ("Which side is worse?", "set"),
        ("What are the findings?", "set"), ("nodule", None),
    ],
)  # fmt: skip
def test_the_kind_of_a_question_stands_in_its_words(question: str, kind: str | None) -> None:
    assert kind_of_question(question) == kind


# ------------------------------------------------------------------------------------------------ cost and evidence


def test_the_cost_is_told_before_the_first_look(tmp_path: Path) -> None:
    sql = 'SELECT count(*) FROM tb_cxr c WHERE FUNC_VQA("is there a nodule?", c.study_id) AND c.subject_id < 20'
    model = StoredModel(Scripted(every_tenth), AnswerStore(tmp_path / "answers.jsonl"))
    made, rows = plan(parse(sql), TABLES), SqliteRows(hospital())
    before = explain(made, rows, model)
    assert before.sentence == "200 studies x 1 question, 0 cached, 200 looks, time unknown before the first look"
    run_query(made, rows, model, budget=120)
    after = explain(made, rows, model)
    assert after.sentence == "200 studies x 1 question, 120 cached, 80 looks, about 40 s"
    assert model.model.looks.__len__() == 120  # type: ignore[attr-defined]


def test_every_look_has_an_evidence_row(tmp_path: Path) -> None:
    model = Scripted(lambda look: None if look.study_ids[0] == 105 else every_tenth(look))
    sql = 'SELECT count(*) FROM tb_cxr c WHERE FUNC_VQA("is there a nodule?", c.study_id) AND c.studydatetime < 10'
    result = ask(sql, model)
    rows = evidence_rows(result.looks, model, sql)
    assert len(rows) == 10
    assert {row.study_id for row in rows} == set(range(100, 110))
    states = {row.study_id: (row.state, row.value) for row in rows}
    assert (states[100], states[101], states[105]) == (
        ("answered", "true"), ("answered", "false"), ("cannot_tell", "null"),
    )  # fmt: skip
    write_evidence(rows, tmp_path / "evidence.parquet")
    table = pq.read_table(tmp_path / "evidence.parquet")
    assert table.schema.names == evidence_schema().names == list(EvidenceRow.__dataclass_fields__)
    assert [EvidenceRow(**{**row, "image_ids": tuple(row["image_ids"])}) for row in table.to_pylist()] == rows
    write_evidence(rows, tmp_path / "evidence.json")
    assert json.loads((tmp_path / "evidence.json").read_text())[0]["study_id"] == rows[0].study_id
