"""All conditions in one pass: each film read once, each ask made once, told beforehand what it costs, resumed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from chartsight.answers import AnswerStore
from chartsight.errors import OutputError, QuestionError
from chartsight.prediction import (
    CostEstimate,
    estimate_conditions,
    predict_conditions,
    predict_questions,
    put_variants,
)
from chartsight.questions import read_questions
from chartsight.questions.variants import build_variants, read_known_films, read_variants
from chartsight.runs import read_manifest
from chartsight.schema import CONDITIONS, Condition
from chartsight.vlm.checkpoint import Vlm, load_vlm
from chartsight.vlm.preprocessing import FilmPreprocessing

SEED = 3
LIMIT = 160
AT_MOST = 6.0  # plain passes, for the whole audit of one model


class Meter:
    """Counts what a model really computes: film prefixes, and tokens that are read or written and read again."""

    def __init__(self) -> None:
        self.films = self.tokens = 0

    def hook(self, vlm: Vlm) -> None:
        pad = vlm.tokenizer.pad_token_id

        def read(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
            ids: torch.Tensor = kwargs["input_ids"]
            self.films += len(ids) if kwargs.get("mm_encoder_outputs") is not None else 0
            self.tokens += int((ids != pad).sum())

        vlm.model.model.register_forward_pre_hook(read, with_kwargs=True)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    meter = Meter()

    def loaded(*args: Any) -> Vlm:
        vlm = load_vlm(*args)
        meter.hook(vlm)
        return vlm

    monkeypatch.setattr("chartsight.prediction.backends.local.load_vlm", loaded)
    return meter


def predict_all(speaker: Path | str, rendered: Path, folder: Path, **choices: Any) -> dict[Condition, Path]:
    given = {"conditions": CONDITIONS, "seed": SEED, "limit": LIMIT, "quiet": True, **choices}
    return predict_conditions(speaker, rendered, folder, given.pop("conditions"), **given)


@pytest.fixture(scope="module")
def folder(speaker: Path, rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("all") / "predictions"
    predict_all(speaker, rendered, out)
    return out


def rows_of(path: Path) -> dict[str, dict[str, Any]]:
    return {row["question_id"]: row for row in pq.read_table(path).to_pylist()}


def ends(path: Path) -> int:
    """Distinct answers of all files of a folder: the last token of each is written and not read again."""
    files = [file for file in path.glob("*.parquet") if file.stem != "variants"]
    return len({row["answer_key"] for file in files for row in pq.read_table(file).to_pylist()})


def test_a_file_a_condition_and_the_variants_beside_them(folder: Path, rendered: Path) -> None:
    stored = read_variants(folder / "variants.parquet")
    assert list(stored) == list(CONDITIONS)
    manifest = read_manifest(folder / "variants.parquet")
    assert manifest is not None
    for condition in CONDITIONS:
        rows = rows_of(folder / f"{condition}.parquet")
        assert set(rows) == set(stored[condition]), condition
        assert manifest["counts"]["kept"][condition] == len(rows) > 0
        own = read_manifest(folder / f"{condition}.parquet")
        assert own is not None and own["config"]["condition"] == condition
        assert sum(own["counts"]["dropped"].values()) == LIMIT - len(rows)
    assert not list(folder.glob("*.jsonl"))
    for question_id, variant in stored["swap"].items():
        assert rows_of(folder / "swap.parquet")[question_id]["donor_image_ids"] == list(variant.donor_image_ids)


def test_the_whole_audit_costs_less_than_six_plain_passes_told_and_measured(
    rendered: Path, tmp_path: Path, meter: Meter, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the smallest model that comes with the package, whose films cost least beside what is asked of them."""
    model, everything = "starter-med", {"limit": None, "split": "valid"}
    told: list[CostEstimate] = []
    predict_all(model, rendered, tmp_path / "plain", conditions=["full"], **everything)
    plain = meter.tokens + ends(tmp_path / "plain")
    plain_films = meter.films
    meter.films = meter.tokens = 0
    predict_all(model, rendered, tmp_path / "all", show_cost=told.append, **everything)
    [estimate] = told
    measured = (meter.tokens + ends(tmp_path / "all")) / plain
    by_condition = {each.condition: each for each in estimate.conditions}
    with capsys.disabled():
        print(f" estimated {estimate.passes:.2f}, measured {measured:.2f} plain passes", end="")
    assert 4 < estimate.passes < AT_MOST and 4 < measured < AT_MOST
    assert estimate.passes == pytest.approx(measured, rel=0.1)
    # Every film, changed or not, is read once, whatever is asked of it.
    assert meter.films == sum(each.films for each in estimate.conditions)
    assert by_condition["full"].films == plain_films
    for condition in ("swap", "shuffled", "paraphrase", "negated"):
        assert by_condition[condition].films == 0  # type: ignore[index]
    assert by_condition["blank"].films == by_condition["noise"].films == 1
    assert by_condition["occluded"].films <= plain_films and by_condition["mirrored"].films <= plain_films
    questions = by_condition["full"].questions
    assert by_condition["scrambled"].tokens == 0 and by_condition["scrambled"].questions == questions
    # Texts only: each distinct one once.
    texts = {each.asked for each in read_variants(tmp_path / "all" / "variants.parquet")["blank"].values()}
    assert by_condition["blank"].branches == by_condition["question_only"].branches == len(texts) < questions
    assert estimate_conditions(model, rendered, CONDITIONS, seed=SEED, split="valid") == estimate
    assert estimate.lines()[-1].startswith("all: ") and len(estimate.lines()) == len(CONDITIONS) + 1


def test_one_pass_says_what_each_condition_says_alone(
    folder: Path, speaker: Path, rendered: Path, tmp_path: Path
) -> None:
    for condition in ("full", "swap", "mirrored", "occluded", "negated", "question_only"):
        alone = predict_questions(
            speaker, rendered, tmp_path / f"{condition}.parquet", condition=condition, seed=SEED, limit=LIMIT,  # type: ignore[arg-type]
            quiet=True,
        )  # fmt: skip
        one, other = rows_of(alone), rows_of(folder / f"{condition}.parquet")
        assert set(other) <= set(one) and other  # fewer where all of it would cost too much
        one = {name: one[name] for name in other}
        assert {name: row["answer_key"] for name, row in one.items()} == {
            name: row["answer_key"] for name, row in other.items()
        }
        said = Counter(one[name]["raw_text"] == other[name]["raw_text"] for name in other)
        assert said[False] <= 0.01 * said[True], condition


def test_scrambled_identifiers_flip_nothing(folder: Path) -> None:
    """What is asked of a film names nobody, so that the answers are the same answers."""
    full, scrambled = rows_of(folder / "full.parquet"), rows_of(folder / "scrambled.parquet")
    assert {(name, row["answer_key"], row["raw_text"]) for name, row in full.items()} == {
        (name, row["answer_key"], row["raw_text"]) for name, row in scrambled.items()
    }


def test_keys_tell_apart_what_is_shown(rendered: Path, speaker: Path) -> None:
    vlm = load_vlm(speaker)
    known = read_known_films(rendered)
    asked = [each for each in read_questions(rendered) if each.split == "test"]
    built = build_variants(asked, CONDITIONS, known, SEED)
    keys = {
        condition: {
            each.question.question_id: each.key for each in put_variants(asked, built[condition], known.index, vlm)
        }
        for condition in CONDITIONS
    }
    for condition in ("blank", "noise", "mirrored", "occluded", "occluded_elsewhere", "question_only", "negated"):
        assert not set(keys["full"].values()) & set(keys[condition].values())  # type: ignore[index]
    assert not set(keys["occluded"].values()) & set(keys["occluded_elsewhere"].values())
    other_noise = build_variants(asked, ["noise"], known, SEED + 1)["noise"]
    noise = {each.question.question_id: each.key for each in put_variants(asked, other_noise, known.index, vlm)}
    assert not set(noise.values()) & set(keys["noise"].values())


def test_what_a_model_sees_of_a_changed_film(
    speaker: Path, rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    real = FilmPreprocessing.pixel_values

    def pixel_values(self: FilmPreprocessing, films: np.ndarray) -> Any:
        seen.extend(films)
        return real(self, films)

    monkeypatch.setattr(FilmPreprocessing, "pixel_values", pixel_values)
    choices: dict[str, Any] = {"limit": 40, "conditions": ["mirrored"]}
    predict_all(speaker, rendered, tmp_path / "mirrored", **choices)
    mirrored = {film.tobytes() for film in seen}
    seen.clear()
    predict_all(speaker, rendered, tmp_path / "full", **{**choices, "conditions": ["full"]})
    assert mirrored and mirrored <= {film[:, ::-1].tobytes() for film in seen}
    seen.clear()
    predict_all(speaker, rendered, tmp_path / "noise", **{**choices, "conditions": ["noise"]})
    assert len(seen) == 1 and float(np.std(seen[0])) > 30


# --------------------------------------------------------------------------------------------------------------- resume


def test_a_killed_pass_goes_on(
    folder: Path, speaker: Path, rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meter: Meter
) -> None:
    class KilledStore(AnswerStore):
        batches = 0

        def append(self, answers: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
            type(self).batches += 1
            if self.batches == 4:
                raise KeyboardInterrupt
            super().append(answers)

    out = tmp_path / "predictions"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("chartsight.prediction.run.AnswerStore", KilledStore)
        patch.setattr("chartsight.prediction.backends.local.QUESTIONS_A_BATCH", 64)
        predict_all(speaker, rendered, out)
    assert not list(out.glob("full.parquet")) and list(out.glob("*.jsonl"))
    told: list[CostEstimate] = []
    predict_all(speaker, rendered, out, show_cost=told.append)
    whole = estimate_conditions(speaker, rendered, CONDITIONS, seed=SEED, limit=LIMIT)
    assert told[0].tokens < whole.tokens and told[0].plain_tokens == whole.plain_tokens
    for condition in CONDITIONS:
        one, other = rows_of(out / f"{condition}.parquet"), rows_of(folder / f"{condition}.parquet")
        assert {name: row["answer_key"] for name, row in one.items()} == {n: r["answer_key"] for n, r in other.items()}
    assert not list(out.glob("*.jsonl"))
    before = {path: path.read_bytes() for path in out.iterdir()}
    meter.tokens = 0
    predict_all(speaker, rendered, out)
    assert {path: path.read_bytes() for path in out.iterdir()} == before and meter.tokens == 0


def test_more_conditions_are_added_and_the_old_ones_kept(speaker: Path, rendered: Path, tmp_path: Path) -> None:
    predict_all(speaker, rendered, tmp_path, conditions=["full"], name="one", limit=20)
    first = (tmp_path / "one.full.parquet").read_bytes()
    paths = predict_all(speaker, rendered, tmp_path, conditions=["swap", "full"], name="one", limit=20)
    assert paths == {"full": tmp_path / "one.full.parquet", "swap": tmp_path / "one.swap.parquet"}
    assert (tmp_path / "one.full.parquet").read_bytes() == first
    predict_all(speaker, rendered, tmp_path, conditions=["blank"], name="two", limit=20)
    assert set(read_variants(tmp_path / "variants.parquet")) == {"full", "swap", "blank"}
    with pytest.raises(OutputError, match="holds other predictions"):
        predict_all(speaker, rendered, tmp_path, conditions=["swap"], name="one", limit=10)
    predict_all(speaker, rendered, tmp_path, conditions=["swap"], name="one", limit=10, force=True)
    assert len(rows_of(tmp_path / "one.swap.parquet")) <= 10
    assert set(read_variants(tmp_path / "variants.parquet")) == {"swap"}  # the others were of other questions


def test_conditions_without_a_variant_are_left_out(speaker: Path, lesson: Path, tmp_path: Path) -> None:
    questions = lesson / "questions.parquet"
    wanted: list[Condition] = ["full", "swap", "mirrored"]
    paths = predict_conditions(speaker, questions, tmp_path, wanted, split="valid", limit=10, quiet=True)
    assert list(paths) == ["full"] and not (tmp_path / "swap.parquet").exists()
    for bad in ([], ["sideways"]):
        with pytest.raises(QuestionError, match="condition"):
            predict_conditions(speaker, questions, tmp_path, bad, split="valid", quiet=True)  # type: ignore[arg-type]


def test_a_negated_question_is_parsed_by_its_own_answer(folder: Path) -> None:
    stored = read_variants(folder / "variants.parquet")["negated"]
    for name, row in rows_of(folder / "negated.parquet").items():
        assert stored[name].answer_type == "boolean"
        assert row["outcome"] != "answered" or isinstance(json.loads(row["value"]), bool)
