from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from chartsight.errors import QuestionError
from chartsight.questions.gold import Answers
from chartsight.questions.label_engine import LabelEngine
from chartsight.questions.labels import FilmLabels, read_film_labels
from chartsight.records import open_record

pytest_plugins = ["tests.fixtures_hospital"]

NOW = "2150-01-01 00:00:00"
ALL = "SELECT c.study_id, c.subject_id, c.row_id, c.viewposition, c.studydatetime FROM tb_cxr AS c"
COUNT = 'SELECT COUNT(*) FROM tb_cxr AS c WHERE FUNC_VQA("Is it {}?", c.study_id) = TRUE'


@pytest.fixture
def labels(tiny_record: Path) -> FilmLabels:
    with open_record(tiny_record) as record:
        return read_film_labels(record.connection, label_sources=("imagenome",))


@pytest.fixture
def engine(tiny_record: Path, labels: FilmLabels) -> Iterator[LabelEngine]:
    n = len(labels)
    assert n >= 4
    with open_record(tiny_record) as record, LabelEngine(record.connection, labels, [ALL]) as opened:
        for name, codes in (
            ("known", [1] * 2 + [0] * (n - 2)),
            ("partly", [1, -1] + [0] * (n - 2)),
            ("open", [-1] + [0] * (n - 1)),
        ):
            opened.teach(f"Is it {name}?", Answers(np.array(codes, np.int32), (False, True)))
        opened.teach("What?", Answers(np.array([1, 2] + [0] * (n - 2), np.int32), ((), ("a",), ("a", "b")), ("a", "b")))
        yield opened


def test_looks_are_answered_by_labels(engine: LabelEngine, labels: FilmLabels) -> None:
    outcome = engine.run(COUNT.format("known"), NOW)
    assert outcome.rows == [(2,)]
    assert outcome.is_certain
    assert outcome.looked == tuple(sorted(film.study_id for film in labels.films))


def test_a_list_gives_one_row_a_member_and_meets_another_list(engine: LabelEngine, labels: FilmLabels) -> None:
    first, second, third = (film.study_id for film in labels.films[:3])
    listed = 'SELECT FUNC_VQA("What?", c.study_id) FROM tb_cxr AS c WHERE c.study_id = {}'
    assert engine.run(listed.format(second), NOW).rows == [("a",), ("b",)]
    assert engine.run(listed.format(third), NOW).rows == []
    new = f"{listed.format(second)} EXCEPT {listed.format(first)}"
    assert engine.run(new, NOW).rows == [("b",)]


def test_what_hangs_on_an_unknown_look_is_not_certain(engine: LabelEngine) -> None:
    assert not engine.run(COUNT.format("partly"), NOW).is_certain
    assert not engine.run(COUNT.format("open"), NOW).is_certain
    either = COUNT.replace("COUNT(*)", "COUNT(*) > 0")
    assert engine.run(either.format("partly"), NOW).rows == [(1,)]
    assert engine.run(either.format("partly"), NOW).is_certain  # one film shows it for sure
    assert not engine.run(either.format("open"), NOW).is_certain
    none = 'SELECT COUNT(*) = 0 FROM tb_cxr AS c WHERE NOT FUNC_VQA("Is it partly?", c.study_id)'
    assert engine.run(none, NOW).is_certain  # others do not show it, whatever the unknown one shows


def test_an_unknown_look_under_two_conditions_is_refused(engine: LabelEngine) -> None:
    twice = (
        'SELECT COUNT(*) > 0 FROM tb_cxr AS c, tb_cxr AS d WHERE FUNC_VQA("Is it partly?", c.study_id) = TRUE '
        'AND FUNC_VQA("Is it partly?", d.study_id) = FALSE'
    )
    assert engine.run(twice, NOW).rows == [(1,)]
    assert not engine.run(twice, NOW).is_certain


def test_a_tie_is_seen_at_its_ends_and_in_its_middle(engine: LabelEngine) -> None:
    by_time = "SELECT c.study_id FROM tb_cxr AS c ORDER BY c.studydatetime, c.row_id LIMIT 1"
    assert not engine.is_tied(by_time, NOW)
    constant = "SELECT c.study_id FROM tb_cxr AS c ORDER BY c.subject_id * 0, c.row_id LIMIT 1"
    assert engine.is_tied(constant, NOW)
    # Its ends are alike, only what lies between differs.
    middle = (
        "SELECT t.row_id = 2 FROM (SELECT c.row_id FROM tb_cxr AS c WHERE c.row_id <= 3) AS t "
        "ORDER BY t.row_id * 0, t.row_id LIMIT 1"
    )
    assert engine.is_tied(middle, NOW)
    inner = "SELECT COUNT(*) FROM (SELECT c.study_id FROM tb_cxr AS c ORDER BY c.subject_id * 0, c.row_id LIMIT 1) AS t"
    assert not engine.is_tied(inner, NOW)  # one row either way


def test_a_program_that_never_ends_is_stopped(engine: LabelEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartsight.questions.label_engine.SECONDS_A_PROGRAM", 0.2)
    endless = (
        "SELECT COUNT(*) FROM " + ", ".join(f"tb_cxr AS t{n}" for n in range(20)) + " WHERE t0.row_id + t19.row_id < 0"
    )
    with pytest.raises(QuestionError, match="interrupted"):
        engine.run(endless, NOW)


def test_a_program_that_does_not_run_is_an_error_with_a_code(engine: LabelEngine) -> None:
    with pytest.raises(QuestionError, match="no such column"):
        engine.run("SELECT c.colour FROM tb_cxr AS c", NOW)
