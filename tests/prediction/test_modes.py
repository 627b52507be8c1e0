"""Allowed answers, lists in their form, examples; every back end to the same file; kill -9 and no question twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chartsight.errors import ChartsightError, QuestionError
from chartsight.prediction import predict_questions
from chartsight.prediction.backends import Identity
from chartsight.prediction.backends.endpoint import Endpoint, EndpointBackEnd
from chartsight.prediction.conditions import put_questions
from chartsight.prediction.rules import COUNTS, YES_NO, decoding_of, rule_of
from chartsight.prediction.shots import draw_shots
from chartsight.questions.files import read_questions, write_questions
from chartsight.runs import read_manifest
from chartsight.schema import Question
from chartsight.vlm.checkpoint import load_vlm
from chartsight.vlm.grammars import Scored, Written
from tests.prediction.served import serve

BY_THE_CLOCK = ("run_id", "latency_ms")


@pytest.fixture(scope="module")
def questions_file(lesson: Path) -> Path:
    return lesson / "questions.parquet"


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    return {row["question_id"]: row for row in pq.read_table(path).to_pylist()}


def said(path: Path, *columns: str) -> dict[str, tuple[Any, ...]]:
    columns = columns or ("raw_text", "value", "outcome")
    return {key: tuple(row[column] for column in columns) for key, row in read_rows(path).items()}


def predict(model: Path, questions: Path, out: Path, **choices: Any) -> Path:
    return predict_questions(model, questions, out, split="valid", quiet=True, **choices)


# --------------------------------------------------------------------------------------------------------------- rules


def test_how_each_type_is_answered(scene_questions: list[Question]) -> None:
    one_of = {question.answer_type: question for question in scene_questions}
    boolean, choice, of_set, count = (one_of[kind] for kind in ("boolean", "choice", "set", "count"))
    assert {rule_of(each) for each in one_of.values()} == {None}
    assert rule_of(boolean, scoring="allowed") is YES_NO and rule_of(count, scoring="allowed") is COUNTS
    rule = rule_of(choice, scoring="allowed")
    assert isinstance(rule, Scored) and rule.answers == choice.allowed_answers
    assert rule_of(of_set, "constrained") == rule_of(of_set, scoring="allowed")
    listed = rule_of(of_set, "constrained")
    assert isinstance(listed, Written) and listed.names == tuple(sorted(of_set.allowed_answers)) and listed.many
    assert rule_of(replace(of_set, allowed_answers=()), "constrained", "allowed") is None
    assert rule_of(replace(boolean, answer_type="text"), scoring="allowed") is None
    assert rule_of(boolean, "constrained") is None
    quoted = rule_of(replace(of_set, allowed_answers=("b, c", "a")), "constrained")
    assert isinstance(quoted, Written) and quoted.names == ("a", '"b, c"')


def test_another_rule_is_another_key(speaker: Path, questions_file: Path) -> None:
    from chartsight.imaging.film_index import read_film_index

    index = read_film_index(questions_file.with_name("films.parquet"))
    questions = [each for each in read_questions(questions_file) if each.split == "valid"]
    shots = draw_shots(read_questions(questions_file), questions, 2, 1, questions_file)
    who = Identity.of(load_vlm(speaker))
    keys = [
        {each.key for each in put_questions(questions, "full", index, who, 0, **choices)}  # type: ignore[arg-type]
        for choices in ({}, {"scoring": "allowed"}, {"shots": shots}, {"shots": shots[:1]}, {"shots": shots[::-1]})
    ]
    for nth, one in enumerate(keys):
        for other in keys[nth + 1 :]:
            assert not one & other
    assert decoding_of(None) == "greedy/48"
    assert len({decoding_of(rule) for rule in (None, YES_NO, COUNTS, Scored(("no", "yes")))}) == 4


# ------------------------------------------------------------------------------------------------------------- allowed


def test_allowed_answers_are_never_unread(
    speaker: Path, starter_folder: Path, questions_file: Path, tmp_path: Path
) -> None:
    """Not even those of a model that has learned nothing, whose free answers nobody can read."""
    questions = {each.question_id: each for each in read_questions(questions_file)}
    free = predict(starter_folder, questions_file, tmp_path / "free.parquet")
    assert Counter(row["outcome"] for row in read_rows(free).values())["unparsed"] > 20
    for model in (speaker, starter_folder):
        out = predict(model, questions_file, tmp_path / f"{model.name}.parquet", scoring="allowed")
        for key, row in read_rows(out).items():
            question, scores = questions[key], json.loads(row["scores"])
            assert row["outcome"] == "answered" and row["error"] is None
            value = json.loads(row["value"])
            if question.answer_type == "boolean":
                assert set(scores) == {"yes", "no"} and value is (scores["yes"] >= scores["no"])
            elif question.answer_type == "choice":
                assert set(scores) == set(question.allowed_answers) and scores[value] == max(scores.values())
            elif question.answer_type == "set":
                assert scores == {} and set(value) <= set(question.allowed_answers)
            else:
                assert isinstance(value, int)
            assert 0 <= sum(scores.values()) <= 1 + 1e-4
        manifest = read_manifest(out)
        assert manifest is not None and manifest["config"]["scoring"] == "allowed"


def test_batches_move_no_answer(
    speaker: Path, questions_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 120 questions, one a batch and as a run has them: flips are counted, more than one in a hundred fails."""
    for scoring in ("free", "allowed"):

        def answer(name: str, scoring: str = scoring) -> dict[str, tuple[Any, ...]]:
            choices: Any = {"split": "all", "limit": 120, "scoring": scoring, "quiet": True}
            return said(predict_questions(speaker, questions_file, tmp_path / f"{scoring}-{name}.parquet", **choices))

        whole = answer("whole")
        with monkeypatch.context() as patch:
            patch.setattr("chartsight.prediction.backends.local.QUESTIONS_A_BATCH", 1)
            alone = answer("alone")
        assert len(whole) == len(alone) == 120
        flips = sum(whole[key] != alone[key] for key in whole)
        assert flips <= 1, f"{flips} of {len(whole)}"


# ------------------------------------------------------------------------------------------------------------ examples


def test_examples_are_of_other_patients_and_films_and_in_turn(questions_file: Path) -> None:
    everything = read_questions(questions_file)
    asked = [each for each in everything if each.split == "valid"]
    shots = draw_shots(everything, asked, 8, 3, questions_file)
    films = [shot.image_id for shot in shots]
    assert len(set(films)) == 8 and not set(films) & {image for each in asked for image in each.image_ids}
    assert all(shot.question.split == "train" for shot in shots)
    kinds = [shot.question.answer_type for shot in shots]
    assert kinds[:4] == kinds[4:] and len(set(kinds)) == len({each.answer_type for each in asked})
    booleans = [shot.answer for shot in shots if shot.question.answer_type == "boolean"]
    assert sorted(booleans) == ["no", "yes"]
    assert shots == draw_shots(everything, asked, 8, 3, questions_file)
    assert shots != draw_shots(everything, asked, 8, 4, questions_file)
    assert draw_shots(everything, asked, 3, 3, questions_file) == shots[:3]


def test_a_train_split_without_other_films_gives_no_examples(questions_file: Path, tmp_path: Path) -> None:
    everything = read_questions(questions_file)
    with pytest.raises(QuestionError, match="--shots"):
        draw_shots(everything, everything, 1, 0, questions_file)


def test_examples_change_answers_and_stand_in_the_manifest(speaker: Path, questions_file: Path, tmp_path: Path) -> None:
    without = predict(speaker, questions_file, tmp_path / "without.parquet", scoring="allowed")
    shown = predict(speaker, questions_file, tmp_path / "shown.parquet", scoring="allowed", shots=2)
    one, other = read_rows(without), read_rows(shown)
    assert all(one[key]["prompt_sha256"] != other[key]["prompt_sha256"] for key in one)
    assert any(one[key]["scores"] != other[key]["scores"] for key in one)
    manifest = read_manifest(shown)
    assert manifest is not None and manifest["config"]["shots"] == 2
    unseen = predict(
        speaker, questions_file, tmp_path / "unseen.parquet", scoring="allowed", shots=2, condition="question_only"
    )
    assert {row["outcome"] for row in read_rows(unseen).values()} == {"answered"}


@pytest.mark.parametrize(
    ("wish", "code"),
    [({"scoring": "best"}, "no-scoring"), ({"shots": -1}, "bad-shots"), ({"sets": "all"}, "no-sets")],
)
def test_impossible_wishes_are_one_line(
    speaker: Path, questions_file: Path, tmp_path: Path, wish: dict[str, Any], code: str
) -> None:
    with pytest.raises(ChartsightError) as caught:
        predict(speaker, questions_file, tmp_path / "out.parquet", **wish)
    assert caught.value.code == code and not list(tmp_path.iterdir())


# ----------------------------------------------------------------------------------------------------------- endpoints


def test_an_endpoint_gives_the_same_predictions(speaker: Path, questions_file: Path, tmp_path: Path) -> None:
    here = predict(speaker, questions_file, tmp_path / "here.parquet", shots=1, limit=40)
    with serve(load_vlm(speaker)) as served:
        from chartsight.prediction.backends.choice import open_back_end

        back_end = open_back_end(speaker, endpoint=Endpoint(served.url))
        there = predict(speaker, questions_file, tmp_path / "there.parquet", shots=1, limit=40, back_end=back_end)
    assert said(here) == said(there) and said(here, "model_fingerprint") == said(there, "model_fingerprint")
    assert not {row["answer_key"] for row in read_rows(here).values()} & {
        row["answer_key"] for row in read_rows(there).values()
    }, "another back end is another key"
    manifest = read_manifest(there)
    assert manifest is not None and manifest["config"]["back_end"].startswith("openai:http://127.0.0.1:")


def test_private_questions_are_not_sent_away(speaker: Path, questions_file: Path, lesson: Path, tmp_path: Path) -> None:
    private = [replace(each, terms="credentialed") for each in read_questions(questions_file)]
    write_questions(tmp_path / "q.parquet", private, {"film_index": str(lesson / "films.parquet")})
    back_end = EndpointBackEnd(Endpoint("http://8.8.8.8:1/v1", timeout_seconds=0.1), "far")
    with pytest.raises(ChartsightError) as caught:
        predict(speaker, tmp_path / "q.parquet", tmp_path / "out.parquet", back_end=back_end)
    assert caught.value.code == "terms" and caught.value.exit_code == 2
    assert not (tmp_path / "out.parquet").exists()


# ------------------------------------------------------------------------------------------------------------- kill -9

PROGRAM = """
import sys, time
from pathlib import Path
from chartsight.answers import AnswerStore
from chartsight.prediction import predict_questions
from chartsight.prediction.backends import local, ray_data
from chartsight.prediction.backends.choice import open_back_end
from chartsight.prediction.backends.endpoint import Endpoint

model, questions, out, engine, url, slow = sys.argv[1:]
local.QUESTIONS_A_BATCH = ray_data.QUESTIONS_A_TASK = 8
keep = AnswerStore.append

def slowly(self, answers):
    answers = list(answers)
    keep(self, answers)
    Path(out + ".asked").open("a").write("".join(key + chr(10) for key, _ in answers))
    time.sleep(float(slow))

AnswerStore.append = slowly
back_end = open_back_end(model, "cpu", engine=engine, workers=2, endpoint=Endpoint(url, 2) if url else None)
predict_questions(model, Path(questions), Path(out), split="valid", back_end=back_end, quiet=True)
"""


def check_killed(model: Path, questions: Path, out: Path, expected: Path, engine: str = "local", url: str = "") -> None:
    """Started, killed by SIGKILL once some answers are there, started again: the same file, no question asked twice."""
    store, asked = out.with_name(out.name + ".answers.jsonl"), Path(f"{out}.asked")

    def start(slow: float) -> subprocess.Popen[bytes]:
        arguments = [str(model), str(questions), str(out), engine, url, str(slow)]
        environment = {**os.environ, "RAY_worker_niceness": "0"}  # 15 by default: they would wait for other work
        return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], env=environment, stderr=subprocess.PIPE)

    first = start(0.5)
    for _ in range(2400):
        if store.exists() and store.read_bytes().count(b"\n") >= 8:
            break
        assert first.poll() is None, first.stderr and first.stderr.read().decode()[-800:]
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    kept = store.read_bytes().count(b"\n")
    assert not out.exists() and 8 <= kept < len(read_rows(expected))
    second = start(0.0)
    told = second.communicate(timeout=300)[1].decode()
    assert second.returncode == 0, told[-800:]
    keys = asked.read_text().split()
    # The last batch may have been kept and its keys not yet noted; none is noted twice.
    assert (
        len(keys) == len(set(keys))
        and len(keys) >= len({row["answer_key"] for row in read_rows(expected).values()}) - 8
    )
    assert said(out) == said(expected)
    assert not store.exists()


def test_killed_and_resumed_here(speaker: Path, questions_file: Path, tmp_path: Path) -> None:
    expected = predict(speaker, questions_file, tmp_path / "expected.parquet")
    check_killed(speaker, questions_file, tmp_path / "out.parquet", expected)


def test_killed_and_resumed_at_an_endpoint(speaker: Path, questions_file: Path, tmp_path: Path) -> None:
    expected = predict(speaker, questions_file, tmp_path / "expected.parquet")
    with serve(load_vlm(speaker)) as served:
        check_killed(speaker, questions_file, tmp_path / "out.parquet", expected, url=served.url)
        bodies = Counter(json.dumps(body["messages"]) for body in served.bodies)
    # What was under way when the process ended may be asked again: at most the requests that stood then.
    assert sum(count - 1 for count in bodies.values()) <= 4


@pytest.mark.slow
def test_killed_and_resumed_on_ray(speaker: Path, questions_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray.data", reason="ray is not installed (pip install 'chartsight[ray]')")
    expected = predict(speaker, questions_file, tmp_path / "expected.parquet")
    check_killed(speaker, questions_file, tmp_path / "out.parquet", expected, engine="ray")
