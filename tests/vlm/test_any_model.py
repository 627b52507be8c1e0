"""Other people's models answer as they are, by their own chat template, beside LLaVA."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from chartsight.cli import main
from chartsight.errors import CheckpointError
from chartsight.vlm.answering import Example, FilmQuestions, answer_films
from chartsight.vlm.any_model import ChatVlm, describe_model, messages, picture
from chartsight.vlm.checkpoint import fingerprint, load_llava, load_vlm, model_folder, read_card
from chartsight.vlm.grammars import Scored, Written
from tests.fixtures_llava import IMAGE_TOKENS, Checkpoints, write_json

pytest_plugins = ["tests.fixtures_hospital", "tests.fixtures_llava", "tests.fixtures_other_models"]

ASKED = ("Is there a pleural effusion?", "Which findings are present?")
LIMIT = 6


@pytest.fixture(scope="module")
def loaded(other_model: Path) -> ChatVlm:
    vlm = load_vlm(other_model)
    assert isinstance(vlm, ChatVlm)
    return vlm


def film(nth: int, side: int = 32) -> Any:
    return np.random.default_rng([8, nth]).integers(0, 256, (side, side), dtype=np.uint8)


def generated(vlm: ChatVlm, question: str, nth: int | None) -> list[int]:
    """By transformers alone, as its documentation says it."""
    images = [] if nth is None else [{"type": "image", "image": Image.fromarray(film(nth)).convert("RGB")}]
    chat = [{"role": "user", "content": [*images, {"type": "text", "text": question}]}]
    inputs = vlm.processor.apply_chat_template(
        chat, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    written = vlm.model.generate(**inputs, do_sample=False, max_new_tokens=LIMIT)
    found: list[int] = written[0, inputs["input_ids"].shape[1] :].tolist()
    return found


def test_it_says_what_transformers_says(loaded: ChatVlm) -> None:
    said = set()
    for nth in (0, 1, None):
        item = FilmQuestions(None if nth is None else film(nth), ASKED)
        [answers] = answer_films(loaded, [item], max_new_tokens=LIMIT)
        for question, answer in zip(ASKED, answers, strict=True):
            ids = generated(loaded, question, nth)
            assert answer.text == loaded.tokenizer.decode(ids, skip_special_tokens=True).strip()
            assert answer.n_tokens == len(ids)
            said.add((question, answer.text))
    assert len(said) > len(ASKED), "the film moves an answer"


def test_chances_of_the_first_word_in_any_spelling(loaded: ChatVlm) -> None:
    [[answer]] = answer_films(loaded, [FilmQuestions(film(0), ASKED[:1])], max_new_tokens=1)
    assert set(answer.first_token) == {"yes", "no"}
    assert 0 < sum(answer.first_token.values()) < 1
    inputs = loaded.processor.apply_chat_template(
        messages(ASKED[0], [picture(film(0))]), tokenize=True, add_generation_prompt=True, return_dict=True,
        return_tensors="pt",
    )  # fmt: skip
    with torch.no_grad():
        chances = loaded.model(**inputs).logits[0, -1].softmax(-1)
    first = {
        word: {loaded.tokenizer.encode(each, add_special_tokens=False)[0] for each in spellings}
        for word, spellings in {"yes": ("yes", "Yes", " yes", " Yes"), "no": ("no", "No", " no", " No")}.items()
    }
    for word, other in (("yes", "no"), ("no", "yes")):
        expected = float(chances[sorted(first[word] - first[other])].sum())
        assert answer.first_token[word] == pytest.approx(expected, abs=2e-6)


def test_allowed_answers_are_weighed_whole(loaded: ChatVlm) -> None:
    """Against the product of chances, token by token, by generation that is forced."""
    rule = Scored(("yes", "no", "left lung"))
    [[answer]] = answer_films(loaded, [FilmQuestions(film(0), ASKED[:1], (rule,))])
    inputs = loaded.processor.apply_chat_template(
        messages(ASKED[0], [picture(film(0))]), tokenize=True, add_generation_prompt=True, return_dict=True,
        return_tensors="pt",
    )  # fmt: skip
    ids = loaded.tokenizer.encode("left lung", add_special_tokens=False)
    total = 0.0
    with torch.no_grad():
        for n in range(len(ids) + 1):
            more = dict(inputs)
            for key, each in inputs.items():
                if each.shape == inputs["input_ids"].shape:
                    filled = {"input_ids": ids[:n], "attention_mask": [1] * n}.get(key, [0] * n)
                    more[key] = torch.cat([each, torch.tensor([filled], dtype=each.dtype)], dim=1)
            chances = loaded.model(**more).logits[0, -1].log_softmax(-1)
            total += float(chances[ids[n]] if n < len(ids) else chances[loaded.ends].logsumexp(0))
    assert answer.log_probabilities["left lung"] == pytest.approx(total, abs=1e-3)
    assert answer.text == max(answer.log_probabilities, key=lambda each: answer.log_probabilities[each])
    with pytest.raises(CheckpointError, match="form of a list"):
        list(answer_films(loaded, [FilmQuestions(film(0), ASKED[:1], (Written(("a", "b")),))]))


def test_examples_stand_in_front(loaded: ChatVlm) -> None:
    item = FilmQuestions(film(0), ASKED[:1])
    examples = [Example(film(1), "Is the heart enlarged?", "yes")]
    [[alone]] = answer_films(loaded, [item], max_new_tokens=LIMIT)
    [[shown]] = answer_films(loaded, [item], max_new_tokens=LIMIT, examples=examples)
    assert shown.first_token != alone.first_token
    [[without]] = answer_films(loaded, [FilmQuestions(None, ASKED[:1])], max_new_tokens=LIMIT, examples=examples)
    assert without.first_token != shown.first_token


def test_lengths_are_those_of_the_processor(loaded: ChatVlm) -> None:
    for n in (0, 1):
        chat = messages(ASKED[0], [picture(film(0))] * n)
        inputs = loaded.processor.apply_chat_template(
            chat, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        assert len(loaded.prompts.prompt_ids(ASKED[0], n)) == inputs["input_ids"].shape[1]
    assert loaded.prompts.answer_ids("yes")[-1] == loaded.tokenizer.eos_token_id


def test_it_answers_a_question_set(other_model: Path, tiny_questions: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    out = tmp_path / "predictions.parquet"
    arguments = [
        "predict",
        str(other_model),
        str(tiny_questions),
        str(out),
        "--split",
        "all",
        "--limit",
        "4",
        "--quiet",
    ]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    rows = pq.read_table(out).to_pylist()
    assert len(rows) == 4 and all(row["n_tokens"] >= 1 for row in rows)
    assert {row["model_fingerprint"] for row in rows} == {fingerprint(other_model)}


def test_half_as_large_it_answers_too(other_model: Path) -> None:
    vlm = load_vlm(other_model, weights="bfloat16")
    [[answer]] = answer_films(vlm, [FilmQuestions(film(0), ASKED[:1])], max_new_tokens=2)
    assert vlm.model.dtype == torch.bfloat16 and answer.n_tokens >= 1
    with pytest.raises(CheckpointError, match="nf4"):
        load_vlm(other_model, weights="nf4")


def test_it_is_not_trained_here(other_model: Path) -> None:
    with pytest.raises(CheckpointError, match="is not trained here"):
        load_llava(other_model)


def test_another_chat_template_is_another_model(other_model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(other_model, tmp_path / "copy"))
    assert fingerprint(copy) == fingerprint(other_model)
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text("utf-8").replace("user", "User"), "utf-8")
    assert (fingerprint(copy) == fingerprint(other_model)) is ("user" not in (other_model / template.name).read_text())
    template.unlink()
    with pytest.raises(CheckpointError, match="chat_template"):
        load_vlm(copy)


def test_weights_load_strictly(other_model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = Path(shutil.copytree(other_model, tmp_path / "copy"))
    tensors = load_file(copy / "model.safetensors")
    name = next(name for name in tensors if "q_proj" in name)
    save_file({key: each for key, each in tensors.items() if key != name}, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match="missing keys"):
        load_vlm(copy)
    (copy / "model.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError) as caught:
        load_vlm(copy)
    assert caught.value.code == "bad-weights"


# --------------------------------------------------------------------------------- what else a folder without a card is


def test_a_llava_of_the_hub_is_asked_and_padded_as_the_original(converted: Any, tmp_path: Path) -> None:
    own = read_card(converted("llava"))
    copy = Path(shutil.copytree(converted("llava"), tmp_path / "llava-hf"))
    (copy / "chartsight.json").unlink()
    card = describe_model(copy)
    assert (card.template, card.image_tokens) == ("vicuna_v1", IMAGE_TOKENS)
    assert card.preprocessing == own.preprocessing
    one, two = load_vlm(copy), load_vlm(converted("llava"))
    item = FilmQuestions(np.zeros((28, 28), np.uint8), ASKED)
    assert list(answer_films(one, [item], max_new_tokens=4)) == list(answer_films(two, [item], max_new_tokens=4))


def test_rows_that_no_token_has_are_never_said(converted: Any) -> None:
    """A llava-hf model has 62 of them; here they would win every time, and move no chance of another word."""
    item = FilmQuestions(np.zeros((28, 28), np.uint8), ASKED)
    vlm = load_vlm(converted("llava"))
    before = list(answer_films(vlm, [item], max_new_tokens=4))
    vlm = load_vlm(converted("llava"))
    vlm.model.resize_token_embeddings(416)
    with torch.no_grad():
        vlm.model.lm_head.weight[400:] = 30 * vlm.model.lm_head.weight[7]
    assert list(answer_films(vlm, [item], max_new_tokens=4)) == before


def test_a_card_with_other_image_tokens_than_the_tower_gives(converted: Any, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(converted("llava"), tmp_path / "llava"))
    card = json.loads((copy / "chartsight.json").read_text("utf-8"))
    write_json(copy / "chartsight.json", {**card, "image_tokens": IMAGE_TOKENS + 1})
    with pytest.raises(CheckpointError) as caught:
        load_vlm(copy)
    assert caught.value.code == "other-features"
    assert f"{IMAGE_TOKENS + 1} image tokens" in str(caught.value)


def test_somebody_elses_adapter_stands_on_what_it_names(converted: Any, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = Path(shutil.copytree(converted("llava"), tmp_path / "base"))
    vlm = load_vlm(base)
    targets = r"model\.language_model\.layers\..*\.q_proj"
    adapted = get_peft_model(vlm.model, LoraConfig(r=2, target_modules=targets, init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "adapter")
    settings = tmp_path / "adapter" / "adapter_config.json"
    write_json(settings, {**json.loads(settings.read_text("utf-8")), "base_model_name_or_path": "../base"})
    loaded = load_vlm(tmp_path / "adapter")
    assert loaded.card.base_fingerprint == fingerprint(base) and loaded.card.template == "vicuna_v1"
    assert loaded.fingerprint != vlm.fingerprint
    ids = torch.tensor([loaded.prompts.prompt_ids(ASKED[0], 0)])
    with torch.no_grad():
        difference = loaded.model(input_ids=ids).logits - load_vlm(base).model(input_ids=ids).logits
    assert difference.abs().max() > 0.01
    write_json(settings, {"peft_type": "LORA"})
    with pytest.raises(CheckpointError, match="names no base"):
        load_vlm(tmp_path / "adapter")


def test_folders_that_are_no_model(checkpoints: Checkpoints, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_vlm(checkpoints["llava"])
    assert caught.value.code == "original-layout" and "chartsight convert" in str(caught.value)
    with pytest.raises(CheckpointError) as caught:
        load_vlm(checkpoints["vicuna"])
    assert caught.value.code == "wrong-architecture"
    with pytest.raises(CheckpointError) as caught:
        model_folder("nobody/no-such-model")
    assert caught.value.code == "no-model"


def test_a_hub_s_name_is_found_in_the_cache(converted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    snapshot = tmp_path / "models--some--llava" / "snapshots" / "abc"
    shutil.copytree(converted("llava"), snapshot)
    (tmp_path / "models--some--llava" / "refs").mkdir()
    (tmp_path / "models--some--llava" / "refs" / "main").write_text("abc")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert model_folder("some/llava").resolve() == snapshot.resolve()
    assert load_vlm("some/llava").fingerprint == fingerprint(converted("llava"))
