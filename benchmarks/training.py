"""Training beside its peers, in one run: the same tiny LLaVA, questions, order, optimiser, dtype and thread.

    python benchmarks/training.py --peers FOLDER                               a table; FOLDER holds TRL
    python benchmarks/training.py --peers FOLDER --write docs/performance.md   between the markers of that page
    python benchmarks/training.py --tokens 64 --questions 8 --plot losses.svg  one case, and its loss curves
    python benchmarks/training.py --peers FOLDER --cells cells.json            goes on where it was interrupted

    pip install --no-deps --target FOLDER trl==1.16.0 datasets dill multiprocess xxhash httpx httpcore h11 anyio \\
        aiohttp multidict yarl frozenlist aiosignal attrs propcache aiohappyeyeballs requests urllib3

chartsight learns by its own verb's code (`train_answers`), TRL by its SFTTrainer, the third by a plain Hugging Face
Trainer with a collator of twenty lines; each in a process of its own, each setting of `GRID` for both peers, of which
the fastest counts; each as often as `--repeats` says, in turns, and its fastest run counts. Answers are a word and
EOS, so that a mean over tokens is a mean over questions, and all loss curves have to be the same. Time is of whole
optimiser steps after the first, films decoded by each in its own way, in seconds of the processor (other work on the
machine moves it less than the clock). The token bound is tokens of separate rows over tokens of shared rows: what would
be won if time went with tokens alone. The program ends with exit code 3 when the losses differ, or when sharing films
falls short of `BARS`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from chartsight.errors import GateError
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.runs import package_versions, write_json

STEPS = 4  # the first is not timed
QUESTIONS_A_STEP = 32
HIDDEN, MLP, LAYERS, HEADS, VOCABULARY = 256, 688, 4, 4, 512
TOWER_HIDDEN, TOWER_LAYERS, PATCH = 64, 2, 14
LEARNING_RATE, SEED = 1e-3, 0
CASES = ((64, 8), (576, 8), (64, 1), (576, 1))  # image tokens, questions a film
# Share of the token bound, or how many times faster, at least, than the fastest peer.
BARS = {(576, 8): ("bound", 0.85), (64, 8): ("times", 3.0), (64, 1): ("times", 1.0), (576, 1): ("times", 1.0)}
SAME_LOSS = 1e-4
# Of both peers: questions at once; the rest of a step is accumulated. Layers computed twice, TRL's own default, were
# slower in every case tried (576 image tokens, 16 at once: TRL 3.54 questions/s, 4.48 without): they are left out.
GRID: tuple[dict[str, Any], ...] = ({"batch": 16, "checkpointing": False}, {"batch": 4, "checkpointing": False})
SECTION = Section("training")
WORDS = ("effusion", "pneumothorax", "consolidation", "edema", "cardiomegaly", "atelectasis", "nodule", "picc line")


@dataclass
class Result:
    """One contender in one case.

    Args:
        name: Of the contender, with its setting.
        seconds: Of the processor, for the timed steps.
        clock: By the wall.
        questions: Learned from in them.
        losses: Of every step.
        load: Of the machine, a minute's mean when it ended; the contender itself is 1 of it.
    """

    name: str
    seconds: float
    clock: float
    questions: int
    losses: list[float] = field(default_factory=list)
    load: float = 0.0

    @property
    def speed(self) -> float:
        """Questions a second of the processor."""
        return self.questions / self.seconds


def make_case(folder: Path, image_tokens: int, per_film: int) -> None:
    """A base model, films and questions; what the peers read of them is in peers.json, in the order of our steps."""
    import numpy as np
    import torch
    from PIL import Image
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    from chartsight.imaging.film_index import IndexedFilm, write_film_index
    from chartsight.questions.files import write_questions
    from chartsight.schema import Question
    from chartsight.training.examples import build_example, build_rows
    from chartsight.training.order import SimilarLengths
    from chartsight.vlm.checkpoint import ModelCard, Vlm, save_vlm
    from chartsight.vlm.preprocessing import FilmPreprocessing
    from chartsight.vlm.starter import train_tokenizer

    side = round(image_tokens**0.5) * PATCH
    preprocessing = FilmPreprocessing(
        side, 3, 0, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    )
    card = ModelCard("bench", "A tiny LLaVA that has learned nothing.", "starter", preprocessing, image_tokens)
    ask = "is there any sign of {word} in either lung, film {n}?"
    texts = [f"USER: \n{ask.format(word=word, n=n)} ASSISTANT: yes no" for word in WORDS for n in range(10)]
    tokenizer = train_tokenizer(texts, VOCABULARY)
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=HIDDEN, intermediate_size=MLP, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=2048, tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    tower = CLIPVisionConfig(
        hidden_size=TOWER_HIDDEN, intermediate_size=4 * TOWER_HIDDEN, num_hidden_layers=TOWER_LAYERS,
        num_attention_heads=2, image_size=side, patch_size=PATCH, projection_dim=TOWER_HIDDEN,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=tower, text_config=text, image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2, vision_feature_select_strategy="default", image_seq_length=image_tokens,
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(SEED)
    model = LlavaForConditionalGeneration(config)
    vlm = Vlm(model.eval(), tokenizer, card, "untrained")
    save_vlm(vlm, folder / "base")
    draw = np.random.default_rng(SEED)
    films, questions = [], []
    n_train = STEPS * QUESTIONS_A_STEP // per_film
    for film in range(n_train + 1):
        path = folder / f"film-{film:03d}.png"
        Image.fromarray(draw.integers(0, 256, (side, side), dtype=np.uint8)).save(path)
        films.append(IndexedFilm(path.stem, film, film, "PA", path, side, side, f"{film:064d}"))
        for n in range(per_film):
            asked = ask.format(word=WORDS[n % len(WORDS)], n=film % 10)
            questions.append(
                Question(
                    question_id=f"q-{film:03d}-{n}", split="train" if film < n_train else "valid", template_id="t",
                    phrasing_id="t", kind="image/one", modality="image", scope="single", subject_id=film,
                    study_ids=(film,), image_ids=(path.stem,), question=asked, visual_question=asked, program="",
                    parameters="{}", now=None, answer_type="boolean", answer=json.dumps(bool(draw.integers(2))),
                    allowed_answers=(), answerable=True, tied=False, label_source="drawn", pairing="synthetic",
                    terms="synthetic", source="benchmark",
                )
            )  # fmt: skip
    write_film_index(folder / "films.parquet", films)
    write_questions(folder / "questions.parquet", questions, {"film_index": str(folder / "films.parquet")})
    train = [question for question in questions if question.split == "train"]
    rows = build_rows([build_example(each) for each in train], vlm.prompts, film=True, branches_per_row=8, seed=SEED)
    lengths = [len(row.input_ids) for row in rows]
    by_film = {question.image_ids: [] for question in train}  # type: ignore[var-annotated]
    for question in train:
        example = build_example(question)
        by_film[question.image_ids].append(
            {
                "image": str(folder / f"{question.image_ids[0]}.png"),
                "prompt": f"<s>{vlm.prompts.template.render(example.prompt, 1)}",
                "completion": f" {example.answer}</s>",
            }
        )
    order = [by_film[rows[nth].image_ids] for nth in SimilarLengths(lengths, QUESTIONS_A_STEP // per_film, SEED)]
    plain = sum(
        len(vlm.prompts.prompt_ids(example.prompt, 1)) + len(vlm.prompts.answer_ids(example.answer)) - 1
        for example in map(build_example, train)
    )
    peers = {"examples": [each for asked in order for each in asked], "plain": plain, "shared": sum(lengths)}
    (folder / "peers.json").write_text(json.dumps(peers), "utf-8")


class Clock:
    """Processor and wall seconds of the optimiser steps after the first, and the loss of every step."""

    def __init__(self) -> None:
        self.step_losses: dict[int, float] = {}
        self.marks: dict[int, tuple[float, float]] = {}

    def note(self, step: int, loss: float) -> None:
        self.step_losses[step] = self.step_losses.get(step, 0.0) + loss
        self.marks[step + 1] = (time.process_time(), time.perf_counter())

    def result(self, name: str) -> Result:
        # From the end of the first step's backward to the end of the last's: the same number of whole steps.
        (first_cpu, first), (last_cpu, last) = self.marks[1], self.marks[STEPS]
        losses = [self.step_losses[step] for step in range(STEPS)]
        return Result(name, last_cpu - first_cpu, last - first, (STEPS - 1) * QUESTIONS_A_STEP, losses)


def learn_here(folder: Path, per_film: int) -> Result:
    """chartsight: all questions of a film in one row, by the code of `chartsight train`."""
    from chartsight.training import run as training
    from chartsight.training.recipe import AnswerRecipe

    clock = Clock()

    class Timed(training.FilmTrainer):
        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(*args, **kwargs)
            clock.note(self.state.global_step, float(loss))
            return loss

        def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
            return {"eval_accuracy": 0.0}  # after the last step, and not what is measured

        def create_optimizer(self, model: Any = None) -> Any:
            self.optimizer = optimizer_of(self.model)
            return self.optimizer

    training.FilmTrainer = Timed  # type: ignore[misc]
    recipe = AnswerRecipe.model_validate(
        {
            "name": "bench", "base": str(folder / "base"), "questions": folder / "questions.parquet", "steps": STEPS,
            "train": {"language_model": "full", "projector": "full"}, "rows_per_step": QUESTIONS_A_STEP // per_film,
            "branches_per_row": 8, "cache_tower": False, "precision": "float32", "seed": SEED,
            "evaluate": {"every_steps": STEPS, "questions": 1},
        }
    )  # fmt: skip
    training.train_answers(recipe, folder / "learned", force=True, quiet=True, cache_folder=folder / "cache")
    return clock.result("chartsight")


def optimizer_of(model: Any) -> Any:
    """The same AdamW for all."""
    import torch

    learning = [each for each in model.parameters() if each.requires_grad]
    return torch.optim.AdamW(learning, lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.0)


def peer_model(folder: Path) -> tuple[Any, Any]:
    """Model and processor as stock transformers has them; language model and projector learn, the tower does not."""
    from transformers import AutoTokenizer, CLIPImageProcessorPil, LlavaForConditionalGeneration, LlavaProcessor

    model = LlavaForConditionalGeneration.from_pretrained(folder / "base")
    model.model.vision_tower.requires_grad_(False)
    side = model.config.vision_config.image_size
    pixels = CLIPImageProcessorPil(
        size={"height": side, "width": side}, do_resize=False, do_center_crop=False, do_convert_rgb=True
    )
    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    processor = LlavaProcessor(
        pixels, tokenizer, patch_size=PATCH, num_additional_image_tokens=1, vision_feature_select_strategy="default",
        image_token="<image>",
    )  # fmt: skip
    return model, processor


def peer_settings(folder: Path, setting: dict[str, Any]) -> dict[str, Any]:
    """What both peers are told."""
    return {
        "output_dir": str(folder / "peer"), "max_steps": STEPS, "per_device_train_batch_size": setting["batch"],
        "gradient_accumulation_steps": QUESTIONS_A_STEP // setting["batch"],
        "gradient_checkpointing": setting["checkpointing"], "learning_rate": LEARNING_RATE,
        "lr_scheduler_type": "cosine", "warmup_steps": 1, "max_grad_norm": 1.0, "bf16": False, "use_cpu": True,
        "report_to": [], "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True,
        "remove_unused_columns": False, "train_sampling_strategy": "sequential", "dataloader_pin_memory": False,
        "seed": SEED,
    }  # fmt: skip


def learn_with_trl(folder: Path, setting: dict[str, Any]) -> Result:
    """TRL's SFTTrainer: prompt and completion, loss on the completion alone."""
    from datasets import Dataset, Features, Image, Value
    from trl import SFTConfig, SFTTrainer

    examples = json.loads((folder / "peers.json").read_text("utf-8"))["examples"]
    columns = {"image": Image(), "prompt": Value("string"), "completion": Value("string")}
    rows = Dataset.from_list(examples, features=Features(columns))
    model, processor = peer_model(folder)
    clock = Clock()

    class Timed(SFTTrainer):
        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(*args, **kwargs)
            clock.note(self.state.global_step, float(loss))
            return loss

    config = SFTConfig(**peer_settings(folder, setting), max_length=None, completion_only_loss=True)
    trainer = Timed(
        model=model, args=config, train_dataset=rows, processing_class=processor, optimizers=(optimizer_of(model), None)
    )
    trainer.train()
    return clock.result(f"TRL SFTTrainer, {told(setting)}")


def learn_with_trainer(folder: Path, setting: dict[str, Any]) -> Result:
    """A plain Hugging Face Trainer with the usual collator: one row a question, padded, the prompt masked."""
    from PIL import Image
    from transformers import Trainer, TrainingArguments

    examples = json.loads((folder / "peers.json").read_text("utf-8"))["examples"]
    model, processor = peer_model(folder)
    clock = Clock()

    def collate(rows: list[dict[str, str]]) -> Any:
        texts = [row["prompt"] + row["completion"] for row in rows]
        images = [Image.open(row["image"]) for row in rows]
        batch = processor(text=texts, images=images, return_tensors="pt", padding=True, add_special_tokens=False)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        for nth, row in enumerate(rows):
            answer = len(processor.tokenizer(row["completion"], add_special_tokens=False)["input_ids"])
            labels[nth, : int(batch["attention_mask"][nth].sum()) - answer] = -100
        return {**batch, "labels": labels}

    class Timed(Trainer):  # type: ignore[misc]
        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(*args, **kwargs)
            clock.note(self.state.global_step, float(loss))
            return loss

    processor.tokenizer.padding_side = "right"
    arguments = TrainingArguments(**peer_settings(folder, setting))
    trainer = Timed(
        model=model, args=arguments, train_dataset=examples, data_collator=collate,
        optimizers=(optimizer_of(model), None),
    )  # fmt: skip
    trainer.train()
    return clock.result(f"Hugging Face Trainer, {told(setting)}")


def told(setting: dict[str, Any]) -> str:
    """A setting in words."""
    return f"{setting['batch']} at once{', layers computed twice' if setting['checkpointing'] else ''}"


CONTENDERS = {"trl": learn_with_trl, "trainer": learn_with_trainer}


def run_one(folder: Path, contender: str, per_film: int, setting: dict[str, Any], peers: Path | None) -> Result:
    """A contender in a process of its own, on one thread."""
    path = [str(Path(__file__).parents[1] / "src"), *([str(peers)] if contender == "trl" and peers else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path)}
    order = json.dumps({"folder": str(folder), "contender": contender, "per_film": per_film, "setting": setting})
    done = subprocess.run(
        [sys.executable, __file__, "--child", order], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise GateError("contender-failed", contender, done.stderr.strip().splitlines()[-1][:300], "a run")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return Result(**{**found, "load": round(os.getloadavg()[0], 2)})


@dataclass
class Cells:
    """What was measured already, in a file, so that an interruption costs one cell.

    Args:
        path: JSON; None keeps nothing.
    """

    path: Path | None
    found: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None) -> Cells:
        """Those of the same program, code and packages; others are no longer true."""
        cells = cls(path)
        if path is not None and path.is_file():
            kept = json.loads(path.read_text("utf-8"))
            if kept.get("of") == fingerprint():
                cells.found = kept["cells"]
        return cells

    def measure(self, key: str, run: Callable[[], Result]) -> Result:
        """The cell `key`: from the file, or run now and kept."""
        if key not in self.found:
            self.found[key] = {**asdict(run()), "at": datetime.now(UTC).isoformat(timespec="seconds")}
            if self.path is not None:
                write_json(self.path, {"of": fingerprint(), "cells": self.found})
        kept = {name: value for name, value in self.found[key].items() if name != "at"}
        return Result(**kept)

    @property
    def loads(self) -> list[float]:
        """Of the machine, of all cells."""
        return [cell["load"] for cell in self.found.values()]

    @property
    def days(self) -> str:
        """When they were measured."""
        days = sorted({cell["at"][:10] for cell in self.found.values()})
        return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def fingerprint() -> str:
    """Of this program, of chartsight's code and of the packages that move a figure."""
    digest = hashlib.sha256(json.dumps(package_versions(), sort_keys=True).encode())
    for path in (Path(__file__), *sorted((Path(__file__).parents[1] / "src").rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def child(order: str) -> None:
    """What `run_one` starts."""
    import torch

    torch.set_num_threads(1)
    told_to = json.loads(order)
    folder = Path(told_to["folder"])
    if told_to["contender"] == "make":
        make_case(folder, told_to["setting"]["image_tokens"], told_to["per_film"])
        print(json.dumps({"name": "made", "seconds": 1, "clock": 1, "questions": 0}))
        return
    if told_to["contender"] == "chartsight":
        result = learn_here(folder, told_to["per_film"])
    else:
        result = CONTENDERS[told_to["contender"]](folder, told_to["setting"])
    print(json.dumps(result.__dict__))


def judge(case: tuple[int, int], ours: Result, peers: list[Result], bound: float) -> tuple[str, bool]:
    """A row of the table, and whether losses are the same and the bar is reached."""
    fastest = {
        kind: max((each for each in peers if each.name.startswith(kind)), key=lambda each: each.speed, default=None)
        for kind in ("TRL", "Hugging Face")
    }
    best = max(peers, key=lambda each: each.speed)
    times = ours.speed / best.speed
    apart = max(abs(one - other) for peer in peers for one, other in zip(ours.losses, peer.losses, strict=True))
    kind, bar = BARS.get(case, ("times", 0.0))
    reached = (times / bound if kind == "bound" else times) >= bar and apart <= SAME_LOSS
    shown = [
        f"{each.speed:.2f} ({each.name.split(', ', 1)[1]})" if each is not None else "" for each in fastest.values()
    ]
    wanted = f"{bar:.0%} of the bound" if kind == "bound" else f"{bar:g}"
    return (
        f"| {case[0]} | {case[1]} | {ours.speed:.2f} | {' | '.join(shown)} | {times:.2f} | {bound:.2f} | "
        f"{times / bound:.0%} | {wanted} | {apart:.1e} |",
        reached,
    )


def run_case(
    case: tuple[int, int], peers: Path | None, repeats: int, cells: Cells
) -> tuple[Result, list[Result], dict[str, int]]:
    """chartsight, its peers, and how many tokens rows have: "plain" and "shared"."""
    contenders = [("chartsight", {}), *((peer, each) for peer in (("trl",) if peers else ()) for each in GRID)]
    contenders += [("trainer", setting) for setting in GRID]
    runs: dict[int, list[Result]] = {}
    with TemporaryDirectory() as made:
        folder = Path(made)
        run_one(folder, "make", case[1], {"image_tokens": case[0]}, None)
        for turn in range(repeats):
            for nth, (contender, setting) in enumerate(contenders):
                key = f"{case[0]}x{case[1]} {contender} {json.dumps(setting)} {turn}"
                one = partial(run_one, folder, contender, case[1], setting, peers)
                runs.setdefault(nth, []).append(cells.measure(key, one))
        told_to = json.loads((folder / "peers.json").read_text("utf-8"))
    ours, *others = (min(each, key=lambda result: result.seconds) for each in runs.values())
    return ours, others, {name: told_to[name] for name in ("plain", "shared")}


def bench(
    peers: Annotated[Path | None, typer.Option(help="A folder that holds trl; without it TRL is left out.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Image tokens of one case only.")] = None,
    questions: Annotated[int | None, typer.Option(help="Questions a film of one case only.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How often each contender runs; its fastest run counts.")] = 2,
    cells: Annotated[Path | None, typer.Option(help="JSON of finished runs: those are not run again.")] = None,
    write: Annotated[Path | None, typer.Option(help="A page with the section's markers.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Loss curves of all, as SVG.")] = None,
) -> None:
    """Questions learned a second of the processor, beside TRL and a plain Trainer."""
    cases = [case for case in CASES if tokens in (None, case[0]) and questions in (None, case[1])]
    kept = Cells.open(cells)
    lines, bounds, curves, every = [], [], {}, True
    for case in cases or [(tokens or 64, questions or 8)]:
        ours, found, row_tokens = run_case(case, peers, repeats, kept)
        bound = row_tokens["plain"] / row_tokens["shared"]
        line, reached = judge(case, ours, found, bound)
        lines.append(line)
        bounds.append(f"{case[0]} x {case[1]}: {row_tokens['plain']:,} / {row_tokens['shared']:,} = {bound:.2f}")
        every = every and reached
        curves[case] = [ours, *found]
        for each in curves[case]:
            typer.echo(f"{each.name}: {each.speed:.2f} questions/s, {each.clock:.1f} s by the clock, load {each.load}")
        typer.echo(line)
    text = "\n".join(
        [
            f"`python benchmarks/training.py --peers ...` on {kept.days}, chartsight "
            f"{package_versions()['chartsight']}: {describe_machine()}. Each contender {repeats} times, in turns, its "
            f"fastest run counts; load of the machine {min(kept.loads):.1f} to {max(kept.loads):.1f}, of which the "
            "contender is 1.",
            "",
            "| image tokens | questions a film | chartsight | TRL 1.16.0 | Hugging Face Trainer | "
            "times the faster peer | token bound | share | bar | losses apart |",
            "|---:|---:|---:|---|---|---:|---:|---:|---|---:|",
            *lines,
            "",
            f"Token bound, tokens of separate rows over tokens of shared ones: {'; '.join(bounds)}.",
        ]
    )
    if write is not None:
        SECTION.write(write, text)
    if plot is not None:
        draw(curves, plot)
    if not every:
        raise GateError("bar", "benchmarks/training.py", "losses differ, or a bar is not reached", "see the table")


def draw(curves: dict[tuple[int, int], list[Result]], path: Path) -> None:
    """Loss by step, a panel a case: curves that are the same lie on each other."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    columns = min(2, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4.5 * columns, 2.8 * rows + 0.6), layout="constrained")
    for nth, (case, results) in enumerate(curves.items()):
        axes = figure.add_subplot(rows, columns, nth + 1)
        for turn, result in enumerate(results):
            ours = result.name == "chartsight"
            style = {"linewidth": 6, "alpha": 0.35} if ours else {"linewidth": 1.2, "linestyle": (4 * turn, (4, 12))}
            axes.plot(range(1, len(result.losses) + 1), result.losses, label=result.name, **style)
        axes.set(title=f"{case[0]} image tokens, {case[1]} a film", xlabel="optimiser step", ylabel="loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=7, handlelength=5)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "chartsight"}):
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--child":
        child(sys.argv[2])
    else:
        run_alone(bench)
