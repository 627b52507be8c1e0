"""Prompts and answers as ids: our own byte-level tokenizer, and the original LLaVA's ids as reference."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chartsight.errors import CheckpointError
from chartsight.vlm.checkpoint import Vlm
from chartsight.vlm.prompts import IMAGE_MARKER, TEMPLATES, Turn, prompt_template
from chartsight.vlm.tokens import PromptTokenizer

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "open-data"
OPEN_DATA = Path(os.environ.get("CHARTSIGHT_OPEN_DATA") or BESIDE)
IMAGE = -200  # how the original writes one image, whatever it costs
QUESTION = "Is there a pleural effusion?"
ANSWER = "No, the lungs are clear."


@pytest.fixture(scope="module")
def sentencepiece(golden_llava: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(golden_llava / "tokenizer", local_files_only=True)


@pytest.fixture(scope="module")
def vocabularies(golden_llava: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Any]:
    """The tiny vocabulary, or Mistral's of 32,000 pieces, with `legacy` as wanted."""
    from transformers import AutoTokenizer

    @cache
    def read(name: str, legacy: bool) -> Any:
        model = golden_llava / "tokenizer" / "tokenizer.model"
        if name == "mistral_v1":
            model = OPEN_DATA / "tokenizers" / "tokenizer.model.v1"
            if not model.is_file():
                pytest.skip(f"no {model} (set CHARTSIGHT_OPEN_DATA to the folder that holds tokenizers/)")
        folder = tmp_path_factory.mktemp(name)
        shutil.copy(model, folder / "tokenizer.model")
        settings = json.loads((golden_llava / "tokenizer" / "tokenizer_config.json").read_text("utf-8"))
        (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "legacy": legacy}), "utf-8")
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)

    return read


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
@pytest.mark.parametrize(
    "scenario",
    ["one_turn_image_prompt", "one_turn_image_answered", "two_turn_image_prompt", "two_turn_image_answered"],
)
@pytest.mark.parametrize("vocabulary", ["tiny", "mistral_v1"])
def test_conversations_have_the_original_ids(
    golden_llava: Path, vocabularies: Callable[[str, bool], Any], vocabulary: str, template: str, scenario: str
) -> None:
    stored = golden_prompts(golden_llava, template)[scenario]
    prompts = PromptTokenizer(vocabularies(vocabulary, vocabulary != "tiny"), prompt_template(template), IMAGE, 1)
    said = [text.replace(f"{IMAGE_MARKER}\n", "") for _, text in stored["messages"] if text is not None]
    turns = list(zip(said[::2], said[1::2], strict=False))
    ids = prompts.conversation(turns, 1)[0]
    if len(said) % 2:  # the last question is still open
        ids += prompts._next_ids(said[-1]) if ids else prompts.prompt_ids(said[-1], 1)
    assert ids == stored["ids_tiny_slow" if vocabulary == "tiny" else "ids_mistral_v1_fast"]


# Ours learns from an answer that holds the separator, which the original leaves out whole, and strips answers.
OTHERWISE = {"answer_contains_separator", "answer_spaces_and_newlines"}


@pytest.mark.opendata
@pytest.mark.parametrize("template", ["vicuna_v1", "mistral_instruct"])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("vocabulary", ["tiny", "mistral_v1"])
def test_ids_and_labels_are_the_originals(
    golden_llava: Path, vocabularies: Callable[[str, bool], Any], vocabulary: str, legacy: bool, template: str
) -> None:
    stored = json.loads((golden_llava / "labels_preprocess.json").read_text("utf-8"))
    prompts = PromptTokenizer(vocabularies(vocabulary, legacy), prompt_template(template), IMAGE, image_tokens=1)
    same, other = set(), set()
    for case in stored["cases"]:
        if (case["tokenizer"], case["legacy"], case["template"]) != (vocabulary, legacy, template):
            continue
        said = case["values_after_preprocess_multimodal"]
        said = said[1:] if case["source"][0]["from"] == "gpt" else said  # a leading answer is left out
        said = [text.replace(f"{IMAGE_MARKER}\n", "") for text in said]
        ids, labels = prompts.conversation(list(zip(said[::2], said[1::2], strict=True)), int(case["has_image"]))
        is_same = (ids, labels) == (case["input_ids"], case["labels"])
        (same if is_same else other).add(case["conversation"])
        assert all(label in (-100, token) for label, token in zip(labels, ids, strict=True))
    assert other <= OTHERWISE
    assert len(same) >= 5


def test_a_second_turn_follows_the_end_of_the_first(starter: Vlm) -> None:
    turns = [("is there a ring?", "yes"), ("where?", "in the centre")]
    ids, labels = starter.prompts.conversation(turns, 1)
    assert ids.count(starter.tokenizer.bos_token_id) == 1 and ids.count(starter.tokenizer.eos_token_id) == 2
    assert starter.prompts.conversation(turns[:1], 1)[0] == ids[: ids.index(starter.tokenizer.eos_token_id) + 1]
    text = starter.tokenizer.decode([each for each in ids[1:] if each != starter.prompts.image_token_id])
    assert text == "USER: \nis there a ring? ASSISTANT: yes</s>USER: where? ASSISTANT: in the centre</s>"
    learned = [label for label in labels if label != -100]
    assert starter.tokenizer.decode(learned) == " yes</s> in the centre</s>"
    with pytest.raises(CheckpointError, match="image"):
        starter.prompts.conversation([*turns, ("<image> again?", "no")], 1)


@pytest.mark.parametrize(
    ("template", "between"),
    [("vicuna_v1", "USER: q2 ASSISTANT:"), ("llava_med_vicuna_v1", " USER: q2 ASSISTANT:"),
     ("mistral_instruct", "[INST] q2 [/INST]")],
)  # fmt: skip
def test_what_stands_between_two_turns(template: str, between: str) -> None:
    assert TEMPLATES[template].render_next(" q2 ") == between


def test_llava_meds_copy_differs_in_later_turns_only() -> None:
    copy, original = TEMPLATES["llava_med_vicuna_v1"], TEMPLATES["vicuna_v1"]
    assert copy.render("q", 1) == original.render("q", 1)
    assert copy.digest() != original.digest()


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


@pytest.mark.opendata
@pytest.mark.parametrize("template", ["vicuna_v1", "mistral_instruct"])
def test_examples_stand_before_a_question_as_earlier_turns_do(
    golden_llava: Path, sentencepiece: Any, template: str
) -> None:
    expected = golden_prompts(golden_llava, template)["two_turn_image_prompt"]
    prompts = PromptTokenizer(sentencepiece, prompt_template(template), IMAGE, image_tokens=1)
    turns = [Turn(QUESTION, ANSWER, 1)]
    assert prompts.prompt_ids("Is the heart enlarged?", 0, turns) == expected["ids_tiny_slow"]
    assert prompts.template.render("Is the heart enlarged?", 0, turns) == expected["prompt"]


def test_every_example_has_its_film_and_its_end(starter: Vlm) -> None:
    prompts = starter.prompts
    turns = [Turn("any star?", "no", 1), Turn("any bar?", "yes", 1)]
    ids = prompts.prompt_ids("any ring?", 1, turns)
    assert ids.count(prompts.image_token_id) == 3 * starter.card.image_tokens
    assert ids.count(starter.tokenizer.bos_token_id) == 1 and ids.count(starter.tokenizer.eos_token_id) == 2
    text = starter.tokenizer.decode([each for each in ids[1:] if each != prompts.image_token_id])
    assert text == "USER: \nany star? ASSISTANT: no</s>USER: \nany bar? ASSISTANT: yes</s>USER: \nany ring? ASSISTANT:"
    assert text.replace("USER: ", "USER: <image>") == prompts.template.render("any ring?", 1, turns)
    assert ids[: len(prompts.turn_ids(turns))] == prompts.turn_ids(turns)


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
