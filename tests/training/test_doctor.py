"""The doctor passes what is sound and names, with its sample or file, what would train silently wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartsight.cli import main
from chartsight.errors import ChartsightError, CheckpointError, GateError, QuestionError
from chartsight.imaging.film_index import read_film_index, write_film_index
from chartsight.questions.files import film_index_of, read_questions, write_questions
from chartsight.schema import Question
from chartsight.training.doctor import Diagnosis, examine
from chartsight.training.recipe import AnswerRecipe
from chartsight.training.run import train_answers
from chartsight.vlm.checkpoint import CARD

Recipes = Callable[..., AnswerRecipe]


def codes(found: Diagnosis) -> set[str]:
    return {fault.code for fault in found.faults}


@pytest.fixture
def spoil(lesson: Path, tmp_path: Path, answer_recipe: Recipes) -> Callable[..., AnswerRecipe]:
    """A recipe over the lesson with its first train question changed."""

    def spoilt(change: Callable[[Question], Question], **choices: Any) -> AnswerRecipe:
        questions = read_questions(lesson / "questions.parquet")
        nth = next(n for n, each in enumerate(questions) if each.split == "train" and each.answer_type == "boolean")
        questions[nth] = change(questions[nth])
        path = tmp_path / "spoilt.parquet"
        write_questions(path, questions, {"film_index": str(film_index_of(lesson / "questions.parquet"))})
        return answer_recipe(questions=str(path), **choices)

    return spoilt


def test_a_sound_run_passes(answer_recipe: Recipes, scene_questions: list[Question]) -> None:
    found = examine(answer_recipe(), quiet=True)
    assert not found.faults
    found.check()
    asked = [each for each in scene_questions if each.split != "test"]
    assert sum(found.questions.values()) == found.with_image_tokens == len(asked)
    assert 0 < found.supervised_share < 0.5 and found.token_gain > 1.2
    assert len(found.samples) == 3
    for sample in found.samples:
        assert sample.startswith("<s>USER: <image x 16>\n") and sample.count("[[") == 1 and sample.endswith("</s>]]")
    assert all(forecast.fits for forecast in found.forecasts)
    assert "nothing found that would train silently wrong" in found.text()


FAULTS: dict[str, Callable[[Question], Question]] = {
    "set-as-text": lambda each: replace(each, answer_type="set", answer='["ring", "bar"]'),
    "wrong-type": lambda each: replace(each, answer='"True"'),
    "identifier-in-prompt": lambda each: replace(
        each, question="in study 50000123, is there a ring?", source="templates:v1", visual_question=None
    ),
    "wrong-film": lambda each: replace(each, study_ids=(99999999,)),
    "image-marker": lambda each: replace(each, question="is <image> a ring?", visual_question=None),
}


@pytest.mark.parametrize("code", FAULTS)
def test_what_would_train_silently_wrong_is_named_and_not_trained(
    code: str, spoil: Callable[..., AnswerRecipe], tmp_path: Path
) -> None:
    recipe = spoil(FAULTS[code])
    found = examine(recipe, quiet=True)
    assert code in codes(found)
    with pytest.raises(GateError):
        found.check()
    with pytest.raises(ChartsightError) as caught:
        train_answers(recipe, tmp_path / "out", quiet=True)
    assert caught.value.code in codes(found)
    assert not (tmp_path / "out").exists(), "nothing half-written"


def test_an_answer_that_would_be_cut_off(answer_recipe: Recipes, tmp_path: Path) -> None:
    """512 < 576 image tokens, as it was with LLaVA; here 16 image tokens and a limit of 20."""
    recipe = answer_recipe(max_length=20)
    found = examine(recipe, quiet=True)
    assert codes(found) == {"answer-cut-off"} and found.rows == 0
    with pytest.raises(QuestionError, match=r"\d+ tokens with its film and answer.*at most 20") as caught:
        train_answers(recipe, tmp_path / "out", quiet=True)
    assert caught.value.exit_code == 2 and not (tmp_path / "out").exists()
    assert "answer-cut-off" in codes(examine(answer_recipe(max_length=41), quiet=True)), "some are longer"


def test_a_patient_in_two_splits(spoil: Callable[..., AnswerRecipe], scene_questions: list[Question]) -> None:
    other = next(each for each in scene_questions if each.split == "valid")
    found = examine(spoil(lambda each: replace(each, subject_id=other.subject_id)), quiet=True)
    assert "leakage" in codes(found)
    assert found.duplicates["patient"]["train-valid"] == 1


def test_other_image_tokens_than_features(answer_recipe: Recipes, starter_folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(starter_folder, tmp_path / "other"))
    card = json.loads((other / CARD).read_text("utf-8"))
    (other / CARD).write_text(json.dumps({**card, "image_tokens": 15}), "utf-8")
    found = examine(answer_recipe(base=str(other)), quiet=True)
    assert codes(found) == {"image-tokens"} and found.with_image_tokens == 0
    assert found.faults[0].where == str(other)


def test_an_adapter_of_another_base(answer_recipe: Recipes, taught: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(taught, tmp_path / "taught"))
    card = json.loads((copy / "model" / CARD).read_text("utf-8"))
    base = Path(shutil.copytree((taught / "model" / card["base"]).resolve(), tmp_path / "base"))
    config = json.loads((base / "config.json").read_text("utf-8"))
    (base / "config.json").write_text(json.dumps({**config, "projector_hidden_act": "relu"}), "utf-8")
    (copy / "model" / CARD).write_text(json.dumps({**card, "base": str(base)}), "utf-8")
    with pytest.raises(CheckpointError) as caught:
        examine(answer_recipe(base=str(copy)), quiet=True)
    assert caught.value.code == "other-base" and caught.value.exit_code == 2


def test_films_that_are_gone_cut_short_or_others(answer_recipe: Recipes, lesson: Path, tmp_path: Path) -> None:
    spoilt = Path(shutil.copytree(lesson, tmp_path / "lesson"))
    films = list(read_film_index(lesson / "films.parquet").values())
    (spoilt / "films.parquet").unlink()
    moved = [replace(film, path=spoilt / "films" / film.path.name) for film in films]
    moved[1].path.unlink()
    whole = moved[2].path.read_bytes()
    moved[2].path.write_bytes(whole[: len(whole) // 2])
    moved[3].path.write_bytes(b"no picture at all")
    moved[4] = replace(moved[4], rows=moved[4].rows + 1)
    write_film_index(spoilt / "films.parquet", moved)
    found = examine(answer_recipe(questions=str(spoilt / "questions.parquet")), quiet=True)
    assert codes(found) == {"missing-film", "truncated-film", "no-image", "changed-film"}
    assert {Path(fault.where).name for fault in found.faults} == {moved[n].path.name for n in (1, 2, 3, 4)}


def test_no_weight_is_read(answer_recipe: Recipes, starter_folder: Path, tmp_path: Path) -> None:
    """Every value behind the header is overwritten: the doctor does not notice. Without the file it does."""
    bare = Path(shutil.copytree(starter_folder, tmp_path / "bare"))
    weights = bare / "model.safetensors"
    whole = weights.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    weights.write_bytes(whole[:header] + b"\xff" * (len(whole) - header))
    assert not examine(answer_recipe(base=str(bare)), quiet=True).faults
    weights.write_bytes(whole[:-1])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: cannot be read"):
        examine(answer_recipe(base=str(bare)), quiet=True)


def test_a_twin_is_examined_without_films(answer_recipe: Recipes) -> None:
    found = examine(answer_recipe(film=False), quiet=True)
    assert not found.faults and all("<image" not in sample for sample in found.samples)


def test_the_verb(answer_recipe: Recipes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(answer_recipe().model_dump_json(exclude_none=True), "utf-8")  # JSON is YAML
    with pytest.raises(SystemExit) as ended:
        main(["doctor", str(recipe)])
    assert ended.value.code == 0
    assert "[[ " in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["doctor", str(recipe), "--set", "max_length=20", "--json"])
    assert ended.value.code == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out)["faults"][0]["code"] == "answer-cut-off"
    assert "Traceback" not in shown.err
    with pytest.raises(SystemExit) as ended:
        main(["doctor", str(recipe), "--set", "lerning_rates=1"])
    assert ended.value.code == 2
    assert "did you mean learning_rates?" in capsys.readouterr().err
