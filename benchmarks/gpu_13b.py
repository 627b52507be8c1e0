"""LLaVA-1.5 13B's architecture with random weights on one GPU: learning and answering, ours beside the usual way.

    python benchmarks/gpu_13b.py                               a table
    python benchmarks/gpu_13b.py --write docs/performance.md   between the markers of that page
    python benchmarks/gpu_13b.py --tiny                        the same program on a tiny architecture, also on a CPU

LoRA of rank 128 and the projector learn, 636 tokens a question alone. Ours is the code of `chartsight train`, plain
(one question a row) and shared (2 and 8 questions a film); the usual way is PEFT under a Hugging Face Trainer with
gradient checkpointing and logits everywhere, at the fastest of `USUAL_BATCHES`. TFLOP/s count what has to be computed
(by `training.forecast`), not what is computed twice, and are compared with what a matrix product reaches on this card
in the same run. Answering: eight new tokens for eight questions a film, ours (the film read once) and one row a
question. Random weights cost what learned ones cost. No figure is known before a card is at hand.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine

if TYPE_CHECKING:
    from chartsight.training.rows import FilmRow
    from chartsight.vlm.checkpoint import Vlm

SECTION = Section("gpu-13b")
SHARED = (1, 2, 8)  # questions a film
USUAL_BATCHES = (4, 8, 16)
STEPS, WARM = 6, 2
QUESTIONS_A_STEP = 64
AROUND, WORDS, ANSWER = 36, 24, 6  # tokens around the film, of a question with its answer, of the answer
NEW_TOKENS, ASKED = 8, 8
SEED = 0


@dataclass(frozen=True)
class Size:
    """An architecture.

    Args:
        name: In words.
        hidden: Width of the language model; the rest likewise.
        image_px: Side of a film; a patch has 14 pixels.
    """

    name: str
    hidden: int
    mlp: int
    layers: int
    heads: int
    vocabulary: int
    tower_hidden: int
    tower_mlp: int
    tower_layers: int
    tower_heads: int
    image_px: int
    rank: int

    @property
    def image_tokens(self) -> int:
        """Of one film."""
        return (self.image_px // 14) ** 2


FULL = Size("LLaVA-1.5 13B", 5120, 13824, 40, 40, 32064, 1024, 4096, 24, 16, 336, 128)
TINY = Size("a tiny LLaVA", 64, 128, 2, 2, 600, 32, 64, 3, 2, 56, 4)


@dataclass(frozen=True)
class Measured:
    """One way.

    Args:
        what: In words.
        per_s: Questions a second.
        tflops: Of what has to be computed.
        share: Of the measured peak.
        peak_gib: Most memory held; None on a CPU.
    """

    what: str
    per_s: float
    tflops: float | None
    share: float | None
    peak_gib: float | None

    @property
    def line(self) -> str:
        """A row of the table."""
        shown = [f"{self.per_s:.2f}"]
        shown.append("" if self.tflops is None else f"{self.tflops:.3g}")
        shown.append("" if self.share is None else f"{self.share:.0%}")
        shown.append("" if self.peak_gib is None else f"{self.peak_gib:.1f}")
        return f"| {self.what} | {' | '.join(shown)} |"


def build_model(size: Size, device: str) -> Vlm:
    """The architecture with random weights in bfloat16, and a tokenizer of a few hundred pieces."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    from chartsight.vlm.checkpoint import ModelCard, Vlm
    from chartsight.vlm.preprocessing import FilmPreprocessing
    from chartsight.vlm.starter import train_tokenizer

    tokenizer = train_tokenizer(["USER: is there any sign of it ASSISTANT: yes no"], 400)
    text = LlamaConfig(
        vocab_size=size.vocabulary, hidden_size=size.hidden, intermediate_size=size.mlp, num_hidden_layers=size.layers,
        num_attention_heads=size.heads, num_key_value_heads=size.heads, max_position_embeddings=4096,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    tower = CLIPVisionConfig(
        hidden_size=size.tower_hidden, intermediate_size=size.tower_mlp, num_hidden_layers=size.tower_layers,
        num_attention_heads=size.tower_heads, image_size=size.image_px, patch_size=14,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=tower, text_config=text, image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2, vision_feature_select_strategy="default", image_seq_length=size.image_tokens,
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(SEED)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            model = LlavaForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    films = FilmPreprocessing(size.image_px, 3, 0, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    card = ModelCard("bench", "Random weights.", "starter", films, size.image_tokens)
    return Vlm(model.eval(), tokenizer, card, "random")


def make_rows(vlm: Vlm, per_film: int, films: int) -> list[FilmRow]:
    """Rows of made-up ids, as long as EHRXQA's under LLaVA's template."""
    import numpy as np

    from chartsight.training.rows import TokenisedQuestion, build_row

    draw, image_id = np.random.default_rng(SEED), vlm.prompts.image_token_id
    some = lambda n: tuple(int(each) for each in draw.integers(10, 250, n))  # noqa: E731
    rows = []
    for film in range(films):
        prefix = (1, *some(AROUND - 2), *(image_id,) * vlm.card.image_tokens, 9)
        asked = [
            TokenisedQuestion(f"q-{film}-{n}", (*prefix, 10 + n, *some(WORDS - ANSWER - 1)), (*some(ANSWER - 1), 2))
            for n in range(per_film)
        ]
        rows.append(build_row((f"film-{film}",), asked, image_id))
    return rows


class DrawnFilms:
    """Pixels at random: what is on a film does not change what it costs."""

    def __init__(self, vlm: Vlm) -> None:
        self.side = vlm.card.preprocessing.size_px

    def gather(self, image_ids: Any) -> Any:
        """float32 [B, 3, side, side]."""
        import torch

        return torch.randn(len(image_ids), 3, self.side, self.side)


class Clock:
    """Seconds of a step by the wall, the first ones left out."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def mark(self) -> None:
        """Now, when the card has done all that was asked."""
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.marks.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """Of a step, in the middle of those that count."""
        steps = sorted(after - before for before, after in zip(self.marks[WARM:], self.marks[WARM + 1 :], strict=False))
        return steps[len(steps) // 2]


@contextmanager
def most_memory() -> Iterator[Callable[[], float | None]]:
    """Gives the most memory that the block held, in GiB; None without a card."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield lambda: torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else None


def recipe_of(size: Size, per_film: int) -> Any:
    """What `chartsight train` would be told."""
    from chartsight.training.recipe import AnswerRecipe

    return AnswerRecipe.model_validate(
        {
            "name": "bench", "questions": "none.parquet", "lora": {"rank": size.rank, "alpha": 2 * size.rank},
            "weights": "bfloat16", "steps": STEPS, "rows_per_step": QUESTIONS_A_STEP // per_film,
            "branches_per_row": per_film, "tokens_per_batch": "auto", "checkpointing": "auto", "cache_tower": False,
            "evaluate": {"every_steps": STEPS, "questions": 1}, "learning_rates": {"language_model": 2e-4},
        }
    )  # fmt: skip


def measure_ours(size: Size, device: str, per_film: int, peak: float) -> Measured:
    """`FilmTrainer` on shared rows, micro-batches as large as the memory."""
    from chartsight.training.forecast import Load, architecture_of, flops_per_row
    from chartsight.training.learner import with_trainable_parts
    from chartsight.training.progress import TrainingProgress
    from chartsight.training.trainer import FilmTrainer

    vlm, recipe, clock = build_model(size, device), recipe_of(size, per_film), Clock()
    rows = make_rows(vlm, per_film, STEPS * recipe.rows_per_step)

    class Timed(FilmTrainer):
        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            clock.mark()
            return super().training_step(*args, **kwargs)

        def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
            return {"eval_accuracy": 0.0}

    with TemporaryDirectory() as made, most_memory() as most:
        out = Path(made)
        learner = with_trainable_parts(vlm, recipe, swap_tower=False)
        progress = TrainingProgress(out / "metrics.jsonl", out / "tensorboard", STEPS, quiet=True)
        trainer = Timed(recipe, out, vlm, learner, rows, [], DrawnFilms(vlm), progress)
        trainer.args.save_strategy = trainer.args.eval_strategy = "no"
        trainer.learn(None)
        held = most()
    load = Load.of_rows(rows, AROUND + size.image_tokens + WORDS)
    flops = flops_per_row(architecture_of(vlm.model.config, size.image_tokens), recipe, load) * recipe.rows_per_step
    tflops = flops / clock.seconds / 1e12
    how = "one question a row" if per_film == 1 else f"{per_film} questions a film in a row"
    tokens = trainer.tokens_per_batch
    return Measured(
        f"learning, {how} (micro-batches of {tokens:,} tokens)" if tokens else f"learning, {how}",
        QUESTIONS_A_STEP / clock.seconds, tflops, tflops / peak, held,
    )  # fmt: skip


def measure_usual(size: Size, device: str, batch: int, peak: float) -> Measured:
    """PEFT under a Hugging Face Trainer: a row a question, layers computed twice, logits everywhere."""
    import torch
    from transformers import Trainer, TrainingArguments

    from chartsight.training.forecast import Load, architecture_of, flops_per_row
    from chartsight.training.learner import with_trainable_parts

    vlm, clock = build_model(size, device), Clock()
    recipe = recipe_of(size, 1)
    rows = make_rows(vlm, 1, STEPS * QUESTIONS_A_STEP)
    learner = with_trainable_parts(vlm, recipe, swap_tower=False)
    films = DrawnFilms(vlm)

    def collate(taken: list[FilmRow]) -> dict[str, Any]:
        ids = torch.tensor([[*row.input_ids, row.targets[-1]] for row in taken])
        labels = torch.full_like(ids, -100)
        for nth, row in enumerate(taken):
            labels[nth, [place + 1 for place in row.kept]] = torch.tensor(row.targets)
        return {"input_ids": ids, "labels": labels, "attention_mask": torch.ones_like(ids),
                "pixel_values": films.gather([row.image_ids for row in taken])}  # fmt: skip

    class Timed(Trainer):  # type: ignore[misc]
        seen = 0

        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            if self.seen % (QUESTIONS_A_STEP // batch) == 0:
                clock.mark()
            self.seen += 1
            return super().training_step(*args, **kwargs)

    with TemporaryDirectory() as made, most_memory() as most:
        arguments = TrainingArguments(
            output_dir=made, max_steps=STEPS, per_device_train_batch_size=batch,
            gradient_accumulation_steps=QUESTIONS_A_STEP // batch, gradient_checkpointing=True,
            gradient_checkpointing_kwargs={"use_reentrant": False}, bf16=True, report_to=[], save_strategy="no",
            logging_strategy="no", disable_tqdm=True, remove_unused_columns=False, use_cpu=device == "cpu",
            dataloader_pin_memory=False, seed=SEED,
        )  # fmt: skip
        Timed(model=learner, args=arguments, train_dataset=list(rows), data_collator=collate).train()
        held = most()
    length = AROUND + size.image_tokens + WORDS - 1
    load = Load(length, length, 1, ANSWER, length)
    flops = flops_per_row(architecture_of(vlm.model.config, size.image_tokens), recipe, load) * QUESTIONS_A_STEP
    tflops = flops / clock.seconds / 1e12
    what = f"learning, the usual way ({batch} rows at once, layers computed twice)"
    return Measured(what, QUESTIONS_A_STEP / clock.seconds, tflops, tflops / peak, held)


def measure_answering(size: Size, device: str) -> Iterator[Measured]:
    """Eight questions a film: the film read once, and a row a question."""
    import numpy as np
    import torch

    from chartsight.vlm.answering import FilmQuestions, answer_films

    vlm = build_model(size, device)
    draw = np.random.default_rng(SEED)
    films = draw.integers(0, 256, (8, size.image_px, size.image_px), dtype=np.uint8)
    questions = tuple(f"is there any sign of it {n}" for n in range(ASKED))
    items = [FilmQuestions(film, questions) for film in films]
    clock = Clock()
    with most_memory() as most:
        for _ in range(WARM + 4):
            clock.mark()
            list(answer_films(vlm, items, max_new_tokens=NEW_TOKENS))
        held = most()
    asked = len(items) * ASKED
    yield Measured(f"answering, {ASKED} questions a film, the film read once", asked / clock.seconds, None, None, held)
    prompts = [vlm.prompts.prompt_ids(question, 1) for question in questions]
    width, pad = max(map(len, prompts)), vlm.tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (width - len(each)) + each for each in prompts], device=device)
    clock = Clock()
    with most_memory() as most, torch.inference_mode():
        for _ in range(WARM + 4):
            clock.mark()
            for film in films:
                pixels = vlm.card.preprocessing.pixel_values(np.stack([film] * ASKED)).to(device, torch.bfloat16)
                vlm.model.generate(
                    input_ids=ids, attention_mask=(ids != pad).long(), pixel_values=pixels, do_sample=False,
                    max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, pad_token_id=pad,
                )  # fmt: skip
        held = most()
    yield Measured("answering, the usual way (a row a question)", asked / clock.seconds, None, None, held)


def bench(
    tiny: Annotated[bool, typer.Option("--tiny", help="A tiny architecture: the program itself is tried.")] = False,
    write: Annotated[Path | None, typer.Option(help="A page with the section's markers.")] = None,
) -> None:
    """LLaVA-1.5 13B on one GPU: questions/s, TFLOP/s, their share of the peak, memory."""
    import torch
    from transformers.utils import logging

    from chartsight.errors import ChartsightError
    from chartsight.training.progress import measured_peak_tflops

    logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning)
    if not tiny and not torch.cuda.is_available():
        raise ChartsightError("no-device", "benchmarks/gpu_13b.py", "no CUDA device", "one GPU, or --tiny")
    if tiny and write is not None:
        raise ChartsightError("bad-option", "--write", "a tiny model's figures stand on no page", "without --tiny")
    device, size = "cuda" if torch.cuda.is_available() else "cpu", TINY if tiny else FULL
    peak = measured_peak_tflops(True)
    lines = []
    for measured in measure_all(size, device, peak):
        lines.append(measured.line)
        typer.echo(measured.line)
    card = torch.cuda.get_device_name() if device == "cuda" else "no card"
    text = "\n".join(
        [
            f"`python benchmarks/gpu_13b.py`, {size.name} with random weights: {card}, matrix products reach "
            f"{peak:.3g} TFLOP/s. {describe_machine()}",
            "", "| what | questions/s | TFLOP/s | of the peak | most memory, GiB |", "|---|---:|---:|---:|---:|",
            *lines,
        ]
    )  # fmt: skip
    if write is not None:
        SECTION.write(write, text)


def measure_all(size: Size, device: str, peak: float) -> Iterator[Measured]:
    """Every way, each with a model of its own, freed before the next."""
    import torch

    for per_film in SHARED:
        yield measure_ours(size, device, per_film, peak)
    usual = []
    for batch in USUAL_BATCHES:
        try:
            usual.append(measure_usual(size, device, batch, peak))
        except torch.cuda.OutOfMemoryError:
            break  # larger ones do not fit either
    yield max(usual, key=lambda each: each.per_s)
    yield from measure_answering(size, device)


if __name__ == "__main__":
    run_alone(bench)
