"""How much memory `chartsight convert` holds, and how fast it is, on a made-up checkpoint of some gigabytes.

    python benchmarks/convert_memory.py                              1.9 GB in two `.bin`, there and back
    python benchmarks/convert_memory.py --layers 32 --shard-mb 500

Held is what cannot be given back: anonymous memory (RssAnon, sampled every 5 ms) above what was held before. Pages of
mapped files are the kernel's, which drops them at need.
"""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from tests.fixtures_llava import LLAVA_SETTINGS, TEXT_SETTINGS, TOWER_WIDTH, write_clip, write_json, write_tensors
from tests.fixtures_llava import write_tokenizer as write_tiny_tokenizer

from chartsight.exits import run_alone
from chartsight.figures import describe_machine
from chartsight.vlm.convert import ConversionConfig, convert
from chartsight.vlm.export import ExportConfig, export

WIDTH, MLP, ROWS = 2048, 5504, 400


@dataclass(frozen=True)
class Held:
    """One way.

    Args:
        way: there or back.
        gigabytes: Of the checkpoint.
        seconds: Of the whole conversion.
        cpu_seconds: User and system.
        megabytes_held: Anonymous memory at its peak, above what was held before.
    """

    way: str
    gigabytes: float
    seconds: float
    cpu_seconds: float
    megabytes_held: float


def write_large(folder: Path, layers: int) -> int:
    """A LLaVA of `layers` layers of width 2048 in float16, in two `.bin`; its bytes."""
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (ROWS, WIDTH), "lm_head.weight": (ROWS, WIDTH)}
    for n in range(layers):
        layer = f"model.layers.{n}."
        shapes |= {f"{layer}self_attn.{part}_proj.weight": (WIDTH, WIDTH) for part in "qkvo"}
        shapes |= {f"{layer}mlp.{part}_proj.weight": (MLP, WIDTH) for part in ("gate", "up")}
        shapes |= {f"{layer}mlp.down_proj.weight": (WIDTH, MLP)}
        shapes |= {f"{layer}{norm}.weight": (WIDTH,) for norm in ("input_layernorm", "post_attention_layernorm")}
    shapes |= {"model.norm.weight": (WIDTH,), "model.mm_projector.0.weight": (WIDTH, TOWER_WIDTH)}
    shapes |= {"model.mm_projector.0.bias": (WIDTH,), "model.mm_projector.2.weight": (WIDTH, WIDTH)}
    shapes |= {"model.mm_projector.2.bias": (WIDTH,)}
    tensors = {name: torch.randn(shape, generator=generator).half() for name, shape in shapes.items()}
    write_tensors(folder, tensors, 2, "bin")
    sizes = {"hidden_size": WIDTH, "intermediate_size": MLP, "num_hidden_layers": layers, "num_attention_heads": 16}
    write_json(
        folder / "config.json",
        {
            "architectures": ["LlavaLlamaForCausalLM"], "model_type": "llava_llama", **TEXT_SETTINGS, **LLAVA_SETTINGS,
            **sizes, "num_key_value_heads": 16, "vocab_size": ROWS,
        },
    )  # fmt: skip
    write_tiny_tokenizer(folder, ROWS)
    return sum(each.nbytes for each in tensors.values())


def anonymous() -> float:
    """MB of anonymous memory of this process now."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1024


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Seconds and peak of the block."""
    found = {"before": anonymous(), "peak": 0.0}
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.005):
            found["peak"] = max(found["peak"], anonymous())

    thread = threading.Thread(target=sample)
    thread.start()
    started, cpu = time.perf_counter(), time.process_time()
    try:
        yield found
    finally:
        found["seconds"], found["cpu"] = time.perf_counter() - started, time.process_time() - cpu
        over.set()
        thread.join()


def one_way(way: str, work: Path, shard_mb: int) -> dict[str, float]:
    """In a process of its own: what another conversion has freed would be used again, and not be seen."""
    torch.set_num_threads(1)
    limit = shard_mb * 10**6
    # Once small, so that what is imported is not counted.
    convert(work / "small", work / f"small-{way}", ConversionConfig(), quiet=True)
    with watched() as found:
        if way == "there":
            convert(work / "llava", work / "hf", ConversionConfig(shard_bytes=limit), quiet=True)
        else:
            export(work / "hf", work / "back", ExportConfig(shard_bytes=limit), quiet=True)
    return dict(found)


def measure(layers: int, shard_mb: int, work: Path) -> list[Held]:
    """There and back."""
    write_clip(work / "clip")
    size = write_large(work / "llava", layers) / 1e9
    write_large(work / "small", 1)
    held = []
    for way in ("there", "back"):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply(one_way, (way, work, shard_mb))
        held.append(Held(way, size, found["seconds"], found["cpu"], found["peak"] - found["before"]))
    return held


def main(
    layers: Annotated[int, typer.Option(help="Of width 2048: 0.1 GB each.")] = 18,
    shard_mb: Annotated[int, typer.Option(help="Most that is held at once.")] = 200,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Convert a made-up checkpoint there and back and watch the memory."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as work:
        held = measure(layers, shard_mb, Path(work))
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in held], indent=2))
        return
    table = Table("way", "checkpoint, GB", "seconds", "processor seconds", "held at most, MB")
    for each in held:
        table.add_row(
            each.way, f"{each.gigabytes:.2f}", f"{each.seconds:.1f}", f"{each.cpu_seconds:.1f}",
            f"{each.megabytes_held:.0f}",
        )  # fmt: skip
    Console().print(table)
    Console().print(f"shards of {shard_mb} MB; {describe_machine()}", highlight=False)


if __name__ == "__main__":
    run_alone(main)
