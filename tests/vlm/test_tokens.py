"""Prompts and answers as ids: our own byte-level tokenizer, and the original LLaVA's ids as reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chartsight.errors import CheckpointError
from chartsight.vlm.checkpoint import Vlm
from chartsight.vlm.prompts import IMAGE_MARKER, TEMPLATES, prompt_template
from chartsight.vlm.tokens import PromptTokenizer

IMAGE = -200  # how the original writes one image, whatever it costs
QUESTION = "Is there a pleural effusion?"
ANSWER = "No, the lungs are clear."


@pytest.fixture(scope="module")
def sentencepiece(golden_llava: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(golden_llava / "tokenizer", local_files_only=True)


def golden_prompts(golden_llava: Path, template: str) -> dict[str, Any]:
    stored = json.loads((golden_llava / "prompts_llava.json").read_text("utf-8"))
    scenarios: dict[str, Any] = stored["templates"][template]["scenarios"]
    return scenarios


@pytest.mark.opendata
@pytest.mark.parametrize("template", ["vicuna_v1", "mistral_instruct"])
@pytest.mark.parametrize(
    ("scenario", "question", "n_images"),
    [
        ("one_turn_image_prompt", QUESTION, 1),
        ("one_turn_text_prompt", QUESTION, 0),
        ("one_turn_image_prompt", f" {QUESTION}\n", 1),  # ours strips: the same question is the same prompt
    ],
)
def test_prompts_have_the_original_ids(
    golden_llava: Path, sentencepiece: Any, template: str, scenario: str, question: str, n_images: int
) -> None:
    expected = golden_prompts(golden_llava, template)[scenario]
    prompts = PromptTokenizer(sentencepiece, prompt_template(template), IMAGE, image_tokens=1)
    assert prompts.prompt_ids(question, n_images) == expected["ids_tiny_slow"]
    assert prompts.template.render(question, n_images) == expected["prompt"]


@pytest.mark.opendata
@pytest.mark.parametrize("template", ["vicuna_v1", "mistral_instruct"])
def test_answered_prompts_have_the_original_ids(golden_llava: Path, sentencepiece: Any, template: str) -> None:
    expected = golden_prompts(golden_llava, template)["one_turn_image_answered"]["ids_tiny_slow"]
    prompts = PromptTokenizer(sentencepiece, prompt_template(template), IMAGE, image_tokens=1)
    assert [*prompts.prompt_ids(QUESTION, 1), *prompts.answer_ids(ANSWER)] == expected


@pytest.mark.opendata
@pytest.mark.parametrize("template", ["vicuna_v1", "mistral_instruct"])
def test_loss_falls_where_the_original_puts_it(golden_llava: Path, sentencepiece: Any, template: str) -> None:
    stored = json.loads((golden_llava / "labels_preprocess.json").read_text("utf-8"))
    checked = 0
    for case in stored["cases"]:
        wanted = (case["tokenizer"], case["legacy"], case["template"], case["conversation"])
        if wanted not in {("tiny", False, template, "one_turn_image"), ("tiny", False, template, "two_turn_text")}:
            continue
        prompts = PromptTokenizer(sentencepiece, prompt_template(template), IMAGE, image_tokens=1)
        question, answer = (turn["value"].replace(f"{IMAGE_MARKER}\n", "") for turn in case["source"][:2])
        prompt, learned = prompts.prompt_ids(question, int(case["has_image"])), prompts.answer_ids(answer)
        length = len(prompt) + len(learned)  # the first turn; ours has no second
        assert [*prompt, *learned] == case["input_ids"][:length]
        assert [-100] * len(prompt) + learned == case["labels"][:length]
        checked += 1
    assert checked >= 1


@pytest.mark.opendata
def test_one_marker_costs_as_many_ids_as_features(golden_llava: Path, sentencepiece: Any) -> None:
    one = PromptTokenizer(sentencepiece, TEMPLATES["vicuna_v1"], IMAGE, image_tokens=1)
    many = PromptTokenizer(sentencepiece, TEMPLATES["vicuna_v1"], IMAGE, image_tokens=9)
    ids = one.prompt_ids(QUESTION, 1)
    place = ids.index(IMAGE)
    assert many.prompt_ids(QUESTION, 1) == [*ids[:place], *[IMAGE] * 9, *ids[place + 1 :]]


def test_the_starter_reads_its_own_template(starter: Vlm) -> None:
    prompts = starter.prompts
    ids = prompts.prompt_ids("is there a ring?", 1)
    assert ids[0] == starter.tokenizer.bos_token_id
    assert ids.count(prompts.image_token_id) == starter.card.image_tokens
    text = starter.tokenizer.decode([each for each in ids[1:] if each != prompts.image_token_id])
    assert text == "USER: \nis there a ring? ASSISTANT:"
    assert starter.tokenizer.decode(prompts.answer_ids("yes")) == " yes</s>"


def test_no_text_is_unknown_and_none_makes_an_image(starter: Vlm) -> None:
    text = "Größe 3×3 µm, naïve; 日本 \N{LUNGS} ?"
    ids = starter.prompts.answer_ids(text)
    assert starter.prompts.decode(ids) == text
    assert starter.prompts.image_token_id not in ids


def test_decoding_stops_at_the_first_end(starter: Vlm) -> None:
    yes, no = starter.prompts.answer_ids("yes"), starter.prompts.answer_ids("no")
    assert starter.prompts.decode([*yes, *no]) == "yes"
    assert starter.prompts.decode(yes[:-1]) == "yes"


def test_pad_is_neither_begin_nor_end(starter: Vlm) -> None:
    tokenizer = starter.tokenizer
    special = [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, starter.prompts.image_token_id]
    assert len(set(special)) == 4


def test_every_template_ends_where_the_answer_begins() -> None:
    for template in TEMPLATES.values():
        with_film, without = template.render(" q? ", 1), template.render("q?", 0)
        assert with_film.count(IMAGE_MARKER) == 1 and IMAGE_MARKER not in without
        assert with_film == with_film.rstrip() and without.endswith(template.after_question)
        assert with_film.replace(IMAGE_MARKER + template.after_image, "") == without
    assert len({template.digest() for template in TEMPLATES.values()}) == len(TEMPLATES)
    with pytest.raises(CheckpointError, match="vicuna_v1"):
        prompt_template("vicuna")
