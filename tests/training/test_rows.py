"""Rows that share their film give the loss and gradients of separate rows, and not by luck: see the planted faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from chartsight.errors import CheckpointError, QuestionError
from chartsight.training.learner import LANGUAGE_LAYERS
from chartsight.training.loss import question_loss
from chartsight.training.rows import FilmRow, RowBatch, TokenisedQuestion, branch_mask, build_row, collate_rows
from chartsight.vlm.checkpoint import Vlm

ASKED = (
    ("is there a ring?", "yes"),
    ("which shapes are there?", "bar, circle, ring"),
    ("is there a star in the upper left?", "no"),
    ("how many circles are there?", "2"),
    ("describe the film.", "a large bright circle in the upper left"),
    ("is there a ring in the centre?", "no"),
)
# Films of one, two and all questions beside one another: one row is padded by more than its own length.
SHARES = [(1, 1), (2, 3), (1, 6, 2), (6,)]


@pytest.fixture
def exact(starter: Vlm) -> Vlm:
    """The starter in float64, all of it learning."""
    starter.model.double().requires_grad_(True)
    return starter


def tokenise(vlm: Vlm, asked: Sequence[tuple[str, str]], n_images: int = 1) -> list[TokenisedQuestion]:
    return [
        TokenisedQuestion(
            f"q{nth}",
            tuple(vlm.prompts.prompt_ids(question, n_images)),
            tuple(vlm.prompts.answer_ids(answer)),
        )
        for nth, (question, answer) in enumerate(asked)
    ]


def shared_and_separate(vlm: Vlm, shares: Sequence[int]) -> tuple[list[FilmRow], list[FilmRow]]:
    """One row a film with as many questions as `shares` says, and one row a question."""
    questions = tokenise(vlm, ASKED)
    shared, separate = [], []
    for film, share in enumerate(shares):
        asked = [questions[(film + nth) % len(questions)] for nth in range(share)]
        shared.append(build_row((f"film-{film}",), asked, vlm.prompts.image_token_id))
        separate += [build_row((f"film-{film}",), [each], vlm.prompts.image_token_id) for each in asked]
    return shared, separate


def films(image_ids: Sequence[str]) -> Tensor:
    """float64 [B, 1, 64, 64], another film under another name."""
    drawn = [np.random.default_rng([4, int(name.split("-")[1])]).normal(size=(1, 64, 64)) for name in image_ids]
    return torch.from_numpy(np.stack(drawn))


def loss_and_gradients(vlm: Vlm, batch: RowBatch) -> tuple[float, dict[str, Tensor]]:
    vlm.model.zero_grad()
    outputs = vlm.model(
        input_ids=batch.input_ids, position_ids=batch.position_ids, attention_mask=batch.attention_mask,
        logits_to_keep=batch.logits_to_keep, pixel_values=films(batch.image_ids).to(vlm.model.dtype), use_cache=False,
    )  # fmt: skip
    loss = question_loss(outputs.logits, batch.targets, batch.question_of_target, batch.n_questions, batch.n_questions)
    loss.backward()
    gradients = {name: each.grad.clone() for name, each in vlm.model.named_parameters() if each.grad is not None}
    return loss.item(), gradients


def largest_difference(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    assert left.keys() == right.keys()
    return max(float((left[name] - right[name]).abs().max()) for name in left)


def collate(vlm: Vlm, rows: Sequence[FilmRow]) -> RowBatch:
    return collate_rows(rows, vlm.tokenizer.pad_token_id)


@pytest.mark.parametrize("shares", SHARES)
def test_shared_rows_give_loss_and_gradients_of_separate_rows(exact: Vlm, shares: tuple[int, ...]) -> None:
    shared, separate = shared_and_separate(exact, shares)
    loss, gradients = loss_and_gradients(exact, collate(exact, shared))
    expected, expected_gradients = loss_and_gradients(exact, collate(exact, separate))
    assert loss == pytest.approx(expected, abs=1e-9)
    assert largest_difference(gradients, expected_gradients) < 1e-6
    learning = {name.split(".")[1] for name in gradients}
    assert learning >= {"vision_tower", "multi_modal_projector", "language_model"}
    assert max(float(each.abs().max()) for each in gradients.values()) > 0.01


def adapted(vlm: Vlm) -> Vlm:
    """The model under LoRA whose second half is not 0, or the first would have no gradient."""
    from peft import LoraConfig, get_peft_model

    vlm.model.requires_grad_(False)
    saved = ["multi_modal_projector"]
    lora = LoraConfig(r=4, lora_dropout=0.0, target_modules=LANGUAGE_LAYERS, modules_to_save=saved)
    model = get_peft_model(vlm.model, lora)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    return replace(vlm, model=model)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT asks for a renamed property
@pytest.mark.parametrize("shares", [(2, 3), (1, 6, 2)])
@pytest.mark.parametrize("way", ["full", "lora"])
def test_in_float32_they_agree_to_rounding(starter: Vlm, way: str, shares: tuple[int, ...]) -> None:
    vlm = replace(starter, model=starter.model.requires_grad_(True)) if way == "full" else adapted(starter)
    shared, separate = shared_and_separate(vlm, shares)
    loss, gradients = loss_and_gradients(vlm, collate(vlm, shared))
    expected, expected_gradients = loss_and_gradients(vlm, collate(vlm, separate))
    largest = max(float(each.abs().max()) for each in expected_gradients.values())
    assert abs(loss - expected) <= 1e-6
    assert largest_difference(gradients, expected_gradients) <= 1e-5 * largest
    assert any("lora_A" in name for name in gradients) == (way == "lora")
    for fault in (plain_causal, running_positions):
        wrong, wrong_gradients = loss_and_gradients(vlm, fault(collate(vlm, shared)))
        assert abs(wrong - expected) > 1e-4
        assert largest_difference(wrong_gradients, expected_gradients) > 1e-3 * largest


def plain_causal(batch: RowBatch) -> RowBatch:
    """The planted fault: every question sees the questions before it."""
    is_token = batch.attention_mask.diagonal(dim1=2, dim2=3)[:, 0]
    return replace(batch, attention_mask=branch_mask(torch.zeros_like(batch.input_ids), is_token))


def running_positions(batch: RowBatch) -> RowBatch:
    """The planted fault: a question's positions go on where the one before it ended."""
    positions = torch.arange(batch.input_ids.shape[1]).expand_as(batch.input_ids)
    return replace(batch, position_ids=positions)


@pytest.mark.parametrize("fault", [plain_causal, running_positions])
def test_the_comparison_sees_a_missing_mask_and_a_missing_restart(
    exact: Vlm, fault: Callable[[RowBatch], RowBatch]
) -> None:
    shared, separate = shared_and_separate(exact, (2, 3))
    loss, gradients = loss_and_gradients(exact, fault(collate(exact, shared)))
    expected, expected_gradients = loss_and_gradients(exact, collate(exact, separate))
    assert abs(loss - expected) > 1e-3
    assert largest_difference(gradients, expected_gradients) > 1e-2


def test_plain_path_is_the_explicit_mask_path(exact: Vlm) -> None:
    _, separate = shared_and_separate(exact, (1, 2))
    plain = collate(exact, separate)
    assert plain.attention_mask.shape == plain.input_ids.shape
    branch = torch.zeros_like(plain.input_ids)
    for row, each in enumerate(separate):
        branch[row, : len(each.branch)] = torch.tensor(each.branch)
    explicit = replace(plain, attention_mask=branch_mask(branch, plain.attention_mask))
    loss, gradients = loss_and_gradients(exact, plain)
    expected, expected_gradients = loss_and_gradients(exact, explicit)
    assert loss == pytest.approx(expected, abs=1e-9)
    assert largest_difference(gradients, expected_gradients) < 1e-6


def test_rows_without_a_film_share_as_well(exact: Vlm) -> None:
    questions = tokenise(exact, ASKED, n_images=0)
    image_id = exact.prompts.image_token_id
    losses = []
    for rows in ([build_row((), questions, image_id)], [build_row((), [each], image_id) for each in questions]):
        batch = collate(exact, rows)
        assert image_id not in batch.input_ids
        outputs = exact.model(
            input_ids=batch.input_ids, position_ids=batch.position_ids, attention_mask=batch.attention_mask,
            logits_to_keep=batch.logits_to_keep, use_cache=False,
        )  # fmt: skip
        loss = question_loss(outputs.logits, batch.targets, batch.question_of_target, batch.n_questions, len(questions))
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-9)


def test_branch_mask_is_the_picture_of_its_docstring() -> None:
    mask = branch_mask(torch.tensor([[0, 0, 1, 1, 2, 0]]), torch.tensor([[True] * 5 + [False]]))
    drawn = ["x.....", "xx....", "xxx...", "xxxx..", "xx..x.", "xx...x"]
    expected = torch.tensor([[each == "x" for each in line] for line in drawn])
    assert mask.shape == (1, 1, 6, 6)
    assert torch.equal(mask[0, 0, :5], expected[:5])
    assert mask[0, 0, 5, 5], "padding sees itself, otherwise its softmax is NaN"
    assert not mask[0, 0, :5, 5].any(), "nothing sees padding"


# ----------------------------------------------------------------------------------------------- labels by construction


def supervised(row: FilmRow) -> Iterator[list[int]]:
    for question in range(row.n_questions):
        yield [target for target, owner in zip(row.targets, row.question_of_target, strict=True) if owner == question]


def test_loss_falls_on_the_answer_and_its_end_alone(starter: Vlm) -> None:
    row = build_row(("film-0",), tokenise(starter, ASKED), starter.prompts.image_token_id)
    eos = starter.tokenizer.eos_token_id
    for (_, answer), targets in zip(ASKED, supervised(row), strict=True):
        assert targets[-1] == eos and eos not in targets[:-1]
        assert starter.tokenizer.decode(targets[:-1]) == f" {answer}"
    assert len(row.kept) == len(row.targets) == sum(len(starter.prompts.answer_ids(answer)) for _, answer in ASKED)


def test_a_kept_position_is_followed_by_its_target(starter: Vlm) -> None:
    questions = tokenise(starter, ASKED)
    row = build_row(("film-0",), questions, starter.prompts.image_token_id)
    eos = starter.tokenizer.eos_token_id
    for kept, target in zip(row.kept, row.targets, strict=True):
        ends_here = kept + 1 == len(row.input_ids) or row.branch[kept + 1] != row.branch[kept]
        assert target == (eos if ends_here else row.input_ids[kept + 1])


def test_each_branch_with_the_prefix_is_the_question_alone(starter: Vlm) -> None:
    questions = tokenise(starter, ASKED)
    row = build_row(("film-0",), questions, starter.prompts.image_token_id)
    for nth, question in enumerate(questions):
        seen = [place for place, branch in enumerate(row.branch) if branch in (0, nth + 1)]
        assert tuple(row.input_ids[place] for place in seen) == question.prompt_ids + question.answer_ids[:-1]
        assert [row.position_ids[place] for place in seen] == list(range(len(seen)))
        assert question.prompt_ids[-1] == row.input_ids[seen[len(question.prompt_ids) - 1]]


def test_as_many_image_ids_as_features(starter: Vlm) -> None:
    image_id, tokens = starter.prompts.image_token_id, starter.card.image_tokens
    row = build_row(("film-0",), tokenise(starter, ASKED), image_id)
    assert row.input_ids.count(image_id) == tokens
    assert all(row.branch[place] == 0 for place, each in enumerate(row.input_ids) if each == image_id)
    two = build_row(("film-0", "film-1"), tokenise(starter, ASKED, n_images=2), image_id)
    assert two.input_ids.count(image_id) == 2 * tokens


def test_what_cannot_be_taught_is_refused(starter: Vlm) -> None:
    prompts = starter.prompts
    for nothing in ("", "  \n"):
        with pytest.raises(CheckpointError, match="empty"):
            prompts.answer_ids(nothing)
    with pytest.raises(CheckpointError, match="<image>"):
        prompts.prompt_ids("what is in <image>?", 1)
    with pytest.raises(CheckpointError, match="<image>"):
        prompts.answer_ids("a ring <image>")
    with pytest.raises(QuestionError, match="no answer token"):
        row = build_row(("film-0",), tokenise(starter, ASKED[:1]), prompts.image_token_id)
        collate(starter, [replace(row, kept=(), targets=(), question_of_target=())])


def test_an_image_in_a_branch_is_refused(starter: Vlm) -> None:
    one, other = tokenise(starter, ASKED[:2])
    late = replace(other, prompt_ids=(other.prompt_ids[0], other.prompt_ids[-1], *other.prompt_ids[1:]))
    with pytest.raises(QuestionError, match="shared beginning") as caught:
        build_row(("film-0",), [one, late], starter.prompts.image_token_id)
    assert caught.value.code == "image-in-branch"


IDS = st.lists(st.integers(10, 14), min_size=2, max_size=6).map(tuple)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=5))
def test_any_questions_can_be_read_back_from_their_row(asked: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    questions = [
        TokenisedQuestion(f"q{nth}", (1, 9, 9, *prompt), (*answer, 2)) for nth, (prompt, answer) in enumerate(asked)
    ]
    row = build_row(("film-0",), questions, 9)
    for nth, question in enumerate(questions):
        seen = [place for place, branch in enumerate(row.branch) if branch in (0, nth + 1)]
        assert tuple(row.input_ids[place] for place in seen) == question.prompt_ids + question.answer_ids[:-1]
        assert tuple(list(supervised(row))[nth]) == question.answer_ids
        assert row.branch.count(nth + 1) >= len(question.answer_ids), "a branch has a question token of its own"


def test_the_loss_weighs_questions_not_tokens() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [1.0, 0.0], [3.0, 1.0]])
    targets, owner = torch.tensor([0, 0, 1, 0]), torch.tensor([0, 0, 0, 1])
    single = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    expected = (single[:3].mean() + single[3]) / 2
    assert question_loss(logits, targets, owner, 2, 2).item() == pytest.approx(expected.item(), abs=1e-6)
    assert question_loss(logits, targets, owner, 2, 8).item() == pytest.approx(expected.item() / 4, abs=1e-6)
