"""Predictions: resumed after a kill, under each condition what it says, one bad film unable to harm the others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chartsight import prediction
from chartsight.answers import AnswerStore
from chartsight.errors import ChartsightError, CheckpointError, FilmError, OutputError, QuestionError
from chartsight.imaging.film_index import FilmIndex, IndexedFilm, read_film_index, write_film_index
from chartsight.prediction import donor_films, predict_questions, put_questions, select_questions
from chartsight.questions.files import read_questions, write_questions
from chartsight.runs import read_manifest
from chartsight.schema import Condition, Question, prediction_schema
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.run import train_answers
from chartsight.vlm.checkpoint import Vlm, load_vlm, save_vlm

BY_THE_CLOCK = ("run_id", "latency_ms")  # the only columns that differ between two runs


@pytest.fixture(scope="module")
def questions_file(lesson: Path) -> Path:
    return lesson / "questions.parquet"


@pytest.fixture(scope="module")
def full(speaker: Path, questions_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("predictions") / "full.parquet"
    return predict_questions(speaker, questions_file, out, split="valid", quiet=True)


@pytest.fixture(scope="module")
def seeing(speaker: Path) -> Vlm:
    return load_vlm(speaker)


def read_rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def without_clock(path: Path) -> pa.Table:
    return pq.read_table(path).drop_columns(list(BY_THE_CLOCK))


def store_of(out: Path) -> Path:
    return out.with_name(out.name + ".answers.jsonl")


# ------------------------------------------------------------------------------------------------------------- the file


def test_one_row_a_question_in_the_contract_s_columns(full: Path, questions_file: Path) -> None:
    table = pq.read_table(full)
    assert table.schema.equals(prediction_schema())
    asked = [each for each in read_questions(questions_file) if each.split == "valid"]
    assert table["question_id"].to_pylist() == sorted(each.question_id for each in asked)
    manifest = read_manifest(full)
    assert manifest is not None and manifest["counts"]["kept"] == {"predictions": len(asked)}
    assert manifest["terms"] == "synthetic" and manifest["pairing"] == "synthetic"
    assert set(table["run_id"].to_pylist()) == {manifest["run_id"]}
    assert not store_of(full).exists()


def test_values_are_read_from_the_text_by_the_question_s_type(full: Path, questions_file: Path) -> None:
    types = {each.question_id: each.answer_type for each in read_questions(questions_file)}
    kinds = {"boolean": bool, "choice": str, "set": list, "count": int}
    seen = set()
    for row in read_rows(full):
        value = json.loads(row["value"])
        if row["outcome"] == "answered":
            seen.add(types[row["question_id"]])
            assert isinstance(value, kinds[types[row["question_id"]]])
        else:
            assert value is None
        scores = json.loads(row["scores"])
        assert set(scores) == ({"yes", "no"} if types[row["question_id"]] == "boolean" else set())
        assert sum(scores.values()) <= 1 + 1e-6
        assert row["n_tokens"] > 0 and row["error"] is None and row["donor_image_ids"] == []
    assert {"boolean", "set"} <= seen


def test_twice_the_same_but_for_the_clock(full: Path, speaker: Path, questions_file: Path, tmp_path: Path) -> None:
    again = predict_questions(speaker, questions_file, tmp_path / "again.parquet", split="valid", quiet=True)
    assert without_clock(again).equals(without_clock(full))


def test_a_sealed_file_of_the_same_run_is_left_as_it_is(full: Path, speaker: Path, questions_file: Path) -> None:
    before = full.read_bytes()
    for force in (False, True):
        assert predict_questions(speaker, questions_file, full, split="valid", force=force, quiet=True) == full
    assert full.read_bytes() == before


def test_a_file_of_another_run_is_not_overwritten(
    full: Path, speaker: Path, questions_file: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(full, tmp_path / "copy.parquet"))
    shutil.copy(full.with_name(full.name + ".run.json"), tmp_path / "copy.parquet.run.json")
    for other in ({"split": "valid", "condition": "blank"}, {"split": "train", "limit": 2}):
        with pytest.raises(OutputError) as caught:
            predict_questions(speaker, questions_file, copy, quiet=True, **other)  # type: ignore[arg-type]
        assert caught.value.code == "output-exists"
    assert copy.read_bytes() == full.read_bytes()
    predict_questions(speaker, questions_file, copy, split="valid", condition="blank", force=True, quiet=True)
    assert {row["condition"] for row in read_rows(copy)} == {"blank"}


# --------------------------------------------------------------------------------------------------------------- resume


def test_answers_before_a_kill_are_kept(
    full: Path, speaker: Path, questions_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledStore(AnswerStore):
        """The process ends right after its second batch was synced, in the middle of a line of the third."""

        batches = 0

        def append(self, answers: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
            type(self).batches += 1
            if self.batches == 3:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write('{"key": "half')
                raise KeyboardInterrupt
            super().append(answers)

    out = tmp_path / "out.parquet"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("chartsight.prediction.run.AnswerStore", KilledStore)
        patch.setattr("chartsight.prediction.backends.local.QUESTIONS_A_BATCH", 8)
        predict_questions(speaker, questions_file, out, split="valid", quiet=True)
    assert not out.exists()
    whole = store_of(out).read_text("utf-8").splitlines()[:-1]
    assert 0 < len(whole) < len(read_rows(full))
    marked = {**json.loads(whole[0]), "text": "kept from before"}
    store_of(out).write_text("\n".join([json.dumps(marked), *whole[1:], '{"key": "half']), "utf-8")

    predict_questions(speaker, questions_file, out, split="valid", quiet=True)
    rows = {row["answer_key"]: row for row in read_rows(out)}
    assert rows[marked["key"]]["raw_text"] == "kept from before"
    others = [row["raw_text"] for key, row in rows.items() if key != marked["key"]]
    assert others == [row["raw_text"] for row in read_rows(full) if row["answer_key"] != marked["key"]]
    assert not store_of(out).exists()


def test_killed_between_the_file_and_its_manifest(
    full: Path, speaker: Path, questions_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    shutil.copy(full, out)
    with pytest.raises(OutputError, match="other predictions"):
        predict_questions(speaker, questions_file, out, split="valid", quiet=True)
    AnswerStore(store_of(out)).append([("some key", {"text": "yes"})])
    predict_questions(speaker, questions_file, out, split="valid", quiet=True)
    assert read_manifest(out) is not None
    assert without_clock(out).equals(without_clock(full))


# ----------------------------------------------------------------------------------------------------------- conditions


def asked_under(
    condition: Condition, vlm: Vlm, questions_file: Path, seed: int = 0
) -> tuple[list[prediction.Asked], FilmIndex]:
    index = read_film_index(questions_file.with_name("films.parquet"))
    questions = [each for each in read_questions(questions_file) if each.image_ids][:200]
    return list(put_questions(questions, condition, index, vlm, seed)), index


def keys(asked: Sequence[prediction.Asked]) -> list[str]:
    return [each.key for each in asked]


def test_each_condition_has_its_own_keys(seeing: Vlm, questions_file: Path) -> None:
    by_condition = {
        condition: set(keys(asked_under(condition, seeing, questions_file)[0])) for condition in prediction.OFFERED
    }
    full, shuffled, blank, without = (by_condition[each] for each in ("full", "shuffled", "blank", "question_only"))
    assert not full & blank and not full & without and not blank & without and not shuffled & blank
    # Another film of the set stands in under `shuffled`: where it was asked the same, the answer is the same answer.
    assert shuffled != full


def test_what_is_shown_under_each_condition(seeing: Vlm, questions_file: Path) -> None:
    for each in asked_under("full", seeing, questions_file)[0]:
        assert each.films == each.question.image_ids and each.donors == ()
    for each in asked_under("blank", seeing, questions_file)[0]:
        assert each.films == each.donors == ("blank",)
    for each in asked_under("question_only", seeing, questions_file)[0]:
        assert each.films == ()
    asked, index = asked_under("shuffled", seeing, questions_file)
    for each in asked:
        [donor], [own] = each.films, each.question.image_ids
        assert each.donors == (donor,)
        assert index[donor].subject_id != index[own].subject_id
    assert keys(asked) == keys(asked_under("shuffled", seeing, questions_file)[0])
    assert keys(asked) != keys(asked_under("shuffled", seeing, questions_file, seed=1)[0])


def test_a_text_only_twin_has_one_key_a_prompt(starter: Vlm, questions_file: Path) -> None:
    twin = replace(starter, card=replace(starter.card, reads_film=False))
    full, shuffled, blank, without = (
        asked_under(condition, twin, questions_file)[0] for condition in ("full", "shuffled", "blank", "question_only")
    )
    assert keys(full) == keys(shuffled) == keys(blank) == keys(without)
    assert all(each.films == () for each in full)
    by_prompt = {(each.question.visual_question, each.key) for each in full}
    assert len(by_prompt) == len(set(keys(full))) < len(full)


def test_a_twin_answers_alike_under_every_condition(
    answer_recipe: Callable[..., AnswerRecipe], lesson: Path, tmp_path: Path
) -> None:
    """And without a single film: none is opened."""
    blind = Path(shutil.copytree(lesson, tmp_path / "lesson"))
    shutil.rmtree(blind / "films")
    questions = blind / "questions.parquet"
    train_answers(answer_recipe(film=False, steps=4, questions=str(questions)), tmp_path / "twin", quiet=True)

    def said(condition: Condition) -> list[str]:
        out = tmp_path / f"{condition}.parquet"
        predict_questions(tmp_path / "twin", questions, out, condition=condition, split="valid", quiet=True)
        return [row["raw_text"] for row in read_rows(out)]

    assert said("full") == said("shuffled")


def drawn_index(films: Iterable[tuple[str, int, str | None]]) -> FilmIndex:
    indexed = [IndexedFilm(name, 1, patient, view, Path(name), 8, 8, name) for name, patient, view in films]
    return FilmIndex(indexed, Path("films.parquet"))


def test_donors_are_other_patients_of_the_same_view() -> None:
    drawn = [(view, patient, nth) for view in ("AP", "PA") for patient in range(8) for nth in range(2)]
    films = [(f"{view}-{patient}-{nth}", patient, view) for view, patient, nth in drawn]
    index = drawn_index([*films, ("lateral", 3, "LATERAL")])
    donors = donor_films(set(index), index, seed=1)
    assert set(donors) == set(index)
    for own, donor in donors.items():
        assert index[own].subject_id != index[donor].subject_id
        if own != "lateral":
            assert index[own].view_position == index[donor].view_position
    assert donors == donor_films(set(index), index, seed=1)
    assert donors != donor_films(set(index), index, seed=2)
    with pytest.raises(QuestionError, match="one patient"):
        donor_films({"AP-1-0", "PA-1-1"}, index, seed=1)


def test_one_patient_alone_can_be_asked_about_their_own_film(
    speaker: Path, questions_file: Path, lesson: Path, tmp_path: Path
) -> None:
    mine = [replace(each, split="test") for each in read_questions(questions_file) if each.subject_id == 7]
    path = tmp_path / "mine.parquet"
    write_questions(path, mine, {"film_index": str(lesson / "films.parquet")})
    out = predict_questions(speaker, path, tmp_path / "out.parquet", quiet=True)
    assert len(read_rows(out)) == len(mine)
    with pytest.raises(QuestionError, match="one patient"):
        predict_questions(speaker, path, tmp_path / "shuffled.parquet", condition="shuffled", quiet=True)


# ------------------------------------------------------------------------------------------------------------- mistakes


def test_a_film_that_cannot_be_read_fails_alone(full: Path, speaker: Path, lesson: Path, tmp_path: Path) -> None:
    spoilt = Path(shutil.copytree(lesson, tmp_path / "lesson"))
    films = [
        replace(film, path=spoilt / "films" / film.path.name)
        for film in read_film_index(lesson / "films.parquet").values()
    ]
    (spoilt / "films.parquet").unlink()
    films[40].path.write_bytes(films[40].path.read_bytes()[:200])
    films[40] = replace(films[40], digest="0" * 64)
    write_film_index(spoilt / "films.parquet", films)
    questions = {each.question_id: each for each in read_questions(spoilt / "questions.parquet")}

    out = predict_questions(speaker, spoilt / "questions.parquet", tmp_path / "out.parquet", split="valid", quiet=True)
    failed = {row["question_id"] for row in read_rows(out) if row["outcome"] == "failed"}
    assert failed == {name for name, each in questions.items() if each.image_ids == (films[40].image_id,)}
    for row, before in zip(read_rows(out), read_rows(full), strict=True):
        if row["question_id"] in failed:
            assert row["error"] and row["value"] == "null" and row["raw_text"] == "" and row["n_tokens"] == 0
        else:
            assert row["raw_text"] == before["raw_text"]
    manifest = read_manifest(out)
    assert manifest is not None
    assert manifest["counts"]["dropped"] == {"unreadable film": len(failed)}


def test_mistakes_are_one_line_and_leave_nothing(
    speaker: Path, questions_file: Path, lesson: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"

    def refused(kind: type[Exception], model: Path = speaker, questions: Path = questions_file, **choices: Any) -> str:
        with pytest.raises(kind) as caught:
            predict_questions(model, questions, out, quiet=True, **choices)
        assert not out.exists() and not store_of(out).exists()
        return str(caught.value)

    assert "shuffled" in refused(QuestionError, condition="upside down")
    assert "no question of the split can be put so" in refused(QuestionError, condition="swap", split="valid")
    assert "split test" in refused(QuestionError, split="test")
    assert "no such file" in refused(QuestionError, questions=tmp_path / "nothing.parquet")
    refused(CheckpointError, model=tmp_path)
    valid = [each for each in read_questions(questions_file) if each.split == "valid"]
    index = {"film_index": str(lesson / "films.parquet")}
    write_questions(tmp_path / "stranger.parquet", [replace(valid[0], image_ids=("nobody",))], index)
    assert "nobody" in refused(FilmError, questions=tmp_path / "stranger.parquet", split="valid")
    write_questions(tmp_path / "two.parquet", [replace(valid[0], image_ids=("scene-000000", "scene-000001"))], index)
    assert "one film" in refused(QuestionError, questions=tmp_path / "two.parquet", split="valid")


def test_questions_about_two_films_are_left_out_and_counted(speaker: Path, lesson: Path, tmp_path: Path) -> None:
    valid = [each for each in read_questions(lesson / "questions.parquet") if each.split == "valid"][:6]
    valid[2] = replace(valid[2], image_ids=("scene-000000", "scene-000001"))
    write_questions(tmp_path / "q.parquet", valid, {"film_index": str(lesson / "films.parquet")})
    out = predict_questions(speaker, tmp_path / "q.parquet", tmp_path / "out.parquet", split="valid", quiet=True)
    assert len(read_rows(out)) == 5
    manifest = read_manifest(out)
    assert manifest is not None and manifest["counts"]["dropped"] == {"question about several films": 1}


def test_a_limit_is_spread_over_the_films(scene_questions: list[Question]) -> None:
    chosen = select_questions(scene_questions, "train", 40, Path("questions.parquet"))
    assert len(chosen) == len({each.question_id for each in chosen}) == 40
    assert len({each.image_ids for each in chosen}) > 20
    assert [each.image_ids for each in chosen] == sorted(each.image_ids for each in chosen)
    everything = select_questions(scene_questions, "all", None, Path("questions.parquet"))
    assert len(everything) == len(scene_questions)


def test_the_fingerprint_of_the_answers_is_the_model_s(
    full: Path, seeing: Vlm, questions_file: Path, tmp_path: Path
) -> None:
    assert {row["model_fingerprint"] for row in read_rows(full)} == {seeing.fingerprint}
    with_other_padding = replace(seeing.card, preprocessing=replace(seeing.card.preprocessing, fill=9))
    save_vlm(replace(seeing, card=with_other_padding), tmp_path / "other")
    other = load_vlm(tmp_path / "other")
    assert not set(keys(asked_under("full", seeing, questions_file)[0])) & set(
        keys(asked_under("full", other, questions_file)[0])
    )


def test_impossible_wishes_are_one_line(starter_folder: Path, questions_file: Path, tmp_path: Path) -> None:
    for wish, code in (
        ({"limit": 0}, "bad-limit"),
        ({"limit": -3}, "bad-limit"),
        ({"seed": -3, "condition": "shuffled"}, "bad-seed"),
        ({"device": "no-such-device"}, "no-device"),
        ({"device": "meta"}, "no-device"),
    ):
        with pytest.raises(ChartsightError) as caught:
            predict_questions(starter_folder, questions_file, tmp_path / "p.parquet", split="valid", quiet=True, **wish)  # type: ignore[arg-type]
        assert caught.value.code == code
    with pytest.raises(ChartsightError) as caught:
        predict_questions(starter_folder, questions_file, tmp_path, split="valid", quiet=True)
    assert caught.value.code == "output-exists"
    before = questions_file.read_bytes()
    with pytest.raises(ChartsightError) as caught:
        predict_questions(starter_folder, questions_file, questions_file, split="valid", quiet=True, force=True)
    assert caught.value.code == "output-is-input"
    assert questions_file.read_bytes() == before
