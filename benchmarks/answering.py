"""How many answers a second, against transformers' own `generate`: one question at a time, and a film's in one batch.

    python benchmarks/answering.py                                  a table, some minutes
    python benchmarks/answering.py --films 2                        sooner, and coarser
    python benchmarks/answering.py --write docs/performance.md      put between the markers of that page

A LLaVA with 576 image tokens a film (CLIP's 336 pixels in patches of 14) and a small language model, of random weights:
speed does not ask what was learned. It would write without end, so every answer is cut after as many tokens as one has
(`--tokens`; the shipped medical starter writes 3.0). All ways take turns on each film, on the same threads, in the same
numbers; processor time tells what other work on the machine blurs. Ends with exit code 3 when an answer in float32
differs from that of `generate`, or when 16 questions a film are answered less than 8 times as fast as one by one, or
less than 4 times as fast as in batches, by processor time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from chartsight.errors import GateError
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.progress import track
from chartsight.runs import machine, package_versions
from chartsight.schema import ATTRIBUTES, OBJECTS

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

SECTION = Section("answering")
COMMAND = "python benchmarks/answering.py --write docs/performance.md"
SEED = 11
QUESTIONS_A_FILM = 16
BEYOND_ONE_BY_ONE, BEYOND_BATCHES = 8.0, 4.0
ONE_BY_ONE, BATCHED = "generate, one by one", "generate, a film's questions in a batch"
SHARED, SCORED = "questions in a row", "in a row, yes or no scored"


@dataclass
class Measured:
    """One way of answering.

    Args:
        way: In words.
        answers: How many.
        seconds: By the clock.
        processor_seconds: Of this process, all threads.
    """

    way: str
    answers: int = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """By the clock."""
        return self.answers / self.seconds

    @property
    def per_processor_second(self) -> float:
        """Of processor time."""
        return self.answers / self.processor_seconds


@dataclass(frozen=True)
class Comparison:
    """All ways on the same films.

    Args:
        ways: In the order of the table.
        differing: Questions to which the written answers of the three ways are not the same.
        distinct: Different answers that were written; one alone would prove nothing.
        flips_in_bfloat16: Likewise with all numbers in bfloat16, and of how many; None when not measured.
    """

    films: int
    tokens: int
    threads: int
    ways: tuple[Measured, ...]
    differing: int
    distinct: int
    flips_in_bfloat16: tuple[int, int] | None

    def times(self, way: str, other: str) -> float:
        """How many times as fast by processor time."""
        by_name = {each.way: each for each in self.ways}
        return by_name[way].per_processor_second / by_name[other].per_processor_second

    def check(self) -> None:
        """Nothing, when the aims are reached.

        Raises:
            GateError: They are not.
        """
        if self.differing:
            raise GateError("other-answers", SHARED, f"{self.differing} answers differ from generate's", "none")
        for other, aim in ((ONE_BY_ONE, BEYOND_ONE_BY_ONE), (BATCHED, BEYOND_BATCHES)):
            if (found := self.times(SHARED, other)) < aim:
                raise GateError("slow-answers", SHARED, f"{found:.1f} times as fast as {other}", f"{aim:g} times")


def build_llava(seed: int = SEED) -> Vlm:
    """A LLaVA with 576 image tokens, the starter's tokenizer and language model, and random weights."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    from chartsight.vlm.checkpoint import Vlm, load_vlm
    from chartsight.vlm.preprocessing import FilmPreprocessing
    from chartsight.vlm.starter import StarterSize

    starter, size = load_vlm("starter"), StarterSize()
    tower = CLIPVisionConfig(
        image_size=336, patch_size=14, hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4
    )
    text = LlamaConfig(
        vocab_size=len(starter.tokenizer), hidden_size=size.hidden, intermediate_size=size.mlp,
        num_hidden_layers=size.layers, num_attention_heads=size.heads, num_key_value_heads=size.heads,
        max_position_embeddings=2048, rms_norm_eps=1e-5, pad_token_id=starter.tokenizer.pad_token_id,
        bos_token_id=starter.tokenizer.bos_token_id, eos_token_id=starter.tokenizer.eos_token_id,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=tower, text_config=text, image_token_id=starter.model.config.image_token_id,
        vision_feature_layer=-2, vision_feature_select_strategy="default", image_seq_length=576,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config).eval()
        with torch.no_grad():
            for weight in model.model.language_model.parameters():
                if weight.ndim == 2:  # with the usual 0.02 nothing attends to anything, and all answers are alike
                    weight.mul_(4)
    preprocessing = FilmPreprocessing(336, 3, (122, 116, 104), (0.481, 0.458, 0.408), (0.269, 0.261, 0.276))
    card = replace(starter.card, template="vicuna_v1", preprocessing=preprocessing, image_tokens=576)
    return Vlm(model, starter.tokenizer, card, "random")


def draw_questions(films: int, a_film: int, seed: int = SEED) -> list[tuple[NDArray[np.uint8], tuple[str, ...]]]:
    """Films uint8 [336, 336, 3] of noise, and questions in the words of the package's templates."""
    generator = np.random.default_rng(seed)
    attributes, objects = sorted(ATTRIBUTES), sorted(OBJECTS)
    drawn = []
    for _ in range(films):
        asked = [
            f"Is there {generator.choice(attributes)} in the {generator.choice(objects)}?" if nth % 2 else
            f"Is there {generator.choice(attributes)}?"
            for nth in range(a_film)
        ]  # fmt: skip
        drawn.append((generator.integers(0, 256, (336, 336, 3), dtype=np.uint8), tuple(asked)))
    return drawn


def generate(vlm: Vlm, film: NDArray[np.uint8], questions: Sequence[str], tokens: int) -> list[list[int]]:
    """What transformers alone writes to a film's questions in one batch, padded on the left, the film before each."""
    import torch

    rows = [vlm.prompts.prompt_ids(question, 1) for question in questions]
    width = max(map(len, rows))
    pad, eos = vlm.tokenizer.pad_token_id, vlm.tokenizer.eos_token_id
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    pixels = vlm.card.preprocessing.pixel_values(np.stack([film] * len(rows))).to(vlm.model.dtype)
    written = vlm.model.generate(
        input_ids=ids, attention_mask=mask, pixel_values=pixels, do_sample=False, max_new_tokens=tokens,
        suppress_tokens=[vlm.prompts.image_token_id], eos_token_id=eos, pad_token_id=pad,
    )[:, width:].tolist()  # fmt: skip
    return [row[: row.index(eos) + 1] if eos in row else row for row in written]


def compare(films: int, tokens: int, threads: int, *, bfloat16: bool, quiet: bool) -> Comparison:
    """All ways on the same films, in turn."""
    import torch

    from chartsight.vlm.answering import FilmQuestions, answer_films
    from chartsight.vlm.grammars import Scored

    torch.set_num_threads(threads)
    vlm = build_llava()
    drawn = draw_questions(films, QUESTIONS_A_FILM)
    yes_no = Scored(("yes", "no"))

    def shared(film: Any, asked: tuple[str, ...]) -> list[str]:
        return [each.text for each in next(answer_films(vlm, [FilmQuestions(film, asked)], max_new_tokens=tokens))]

    def scored(film: Any, asked: tuple[str, ...]) -> list[str]:
        rules = (yes_no,) * len(asked)
        return [each.text for each in next(answer_films(vlm, [FilmQuestions(film, asked, rules)]))]

    def one_by_one(film: Any, asked: tuple[str, ...]) -> list[str]:
        return [vlm.prompts.decode(generate(vlm, film, [question], tokens)[0]) for question in asked]

    def batched(film: Any, asked: tuple[str, ...]) -> list[str]:
        return [vlm.prompts.decode(row) for row in generate(vlm, film, asked, tokens)]

    ways: dict[str, Callable[[Any, tuple[str, ...]], list[str]]] = {
        ONE_BY_ONE: one_by_one, BATCHED: batched, SHARED: shared, SCORED: scored,
    }  # fmt: skip
    measured = {name: Measured(name) for name in ways}
    differing, written = 0, set()
    for way in ways.values():  # the first call also allocates
        way(drawn[0][0], drawn[0][1][:2])
    for film, asked in track(drawn, "films", quiet=quiet):
        said = {}
        for name, way in ways.items():
            started, processor = time.perf_counter(), time.process_time()
            said[name] = way(film, asked)
            measured[name].seconds += time.perf_counter() - started
            measured[name].processor_seconds += time.process_time() - processor
            measured[name].answers += len(asked)
        differing += sum(len({said[ONE_BY_ONE][n], said[BATCHED][n], said[SHARED][n]}) > 1 for n in range(len(asked)))
        written |= set(said[SHARED])
    flips = None
    if bfloat16:
        vlm.model.to(torch.bfloat16)
        film, asked = drawn[0]
        one, other = one_by_one(film, asked), shared(film, asked)
        flips = (sum(a != b for a, b in zip(one, other, strict=True)), len(asked))
    return Comparison(films, tokens, threads, tuple(measured.values()), differing, len(written), flips)


def render(found: Sequence[Comparison]) -> str:
    """The section of the page."""
    day, version = datetime.now(UTC).date().isoformat(), package_versions()["chartsight"]
    lines = [
        f"`{COMMAND}` on {day}, chartsight {version}: {describe_machine()}; {found[0].threads} thread"
        f"{'s' * (found[0].threads > 1)}. {found[0].films} films of 576 tokens, {QUESTIONS_A_FILM} questions a film.",
        "",
        "| tokens an answer | way | answers/s | answers/s of processor time | times one by one | times in batches |",
        "|---:|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for each in found:
        for way in each.ways:
            times = [f"{each.times(way.way, other):.1f}" for other in (ONE_BY_ONE, BATCHED)]
            lines.append(
                f"| {each.tokens} | {way.way} | {way.per_second:.3g} | {way.per_processor_second:.3g} | "
                f"{times[0]} | {times[1]} |"
            )
    lines.append("")
    for each in found:
        told = "all the same" if not each.differing else f"{each.differing} differ"
        lines.append(
            f"* {each.tokens} tokens: answers in float32 {told}, {each.ways[0].answers} of each way, "
            f"{each.distinct} different ones."
        )
        if each.flips_in_bfloat16 is not None:
            flips, of = each.flips_in_bfloat16
            lines.append(
                f"* {each.tokens} tokens: in bfloat16 {flips} of {of} answers differ from `generate` one by one."
            )
    return "\n".join(lines)


def main(
    films: Annotated[int, typer.Option(help="So many films.")] = 4,
    tokens: Annotated[list[int] | None, typer.Option(help="Tokens an answer; again for another length.")] = None,
    threads: Annotated[int, typer.Option(help="Of torch.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    write: Annotated[Path | None, typer.Option(help="A page with the markers, such as docs/performance.md.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Measure, print, and hold the first length to its aims."""
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    lengths = tokens or [3, 16]
    found = [compare(films, length, threads, bfloat16=nth == 0, quiet=quiet) for nth, length in enumerate(lengths)]
    if as_json:
        print(json.dumps({"machine": machine(), "comparisons": [asdict(each) for each in found]}, indent=2))
    else:
        print(render(found))
    if write is not None:
        SECTION.write(write, render(found))
    found[0].check()


if __name__ == "__main__":
    run_alone(main)
