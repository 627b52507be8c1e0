"""Does a converted LLaVA compute what the original's code computed? The gate of `make parity`.

    python benchmarks/llava_parity.py                  every golden case, there and back
    python benchmarks/llava_parity.py --golden DIR     the folder that holds llava/

The reference values were computed by the original implementation on tiny random weights, float32, CPU (their README).
Each checkpoint is converted, loaded as every verb loads it, and run on the same inputs; then written back into the
original layout, where its tensors must be equal bit by bit. Exits with 3 when a figure is over its limit.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from chartsight.errors import ChartsightError, GateError
from chartsight.exits import run_alone
from chartsight.vlm.checkpoint import Vlm, load_vlm
from chartsight.vlm.convert import ConversionConfig, convert
from chartsight.vlm.export import ExportConfig, export
from chartsight.vlm.layouts.names import from_original
from chartsight.vlm.weights import read_weights, tensor_bytes

MARKER = -200  # how the original writes one image
LOGITS, LOSS = 5e-5, 1e-5  # most that a case may differ


@dataclass(frozen=True)
class CaseResult:
    """One golden case: largest differences, whether greedy tokens and expanded labels are equal; None: not in it."""

    reference: str
    case: str
    logits: float | None
    loss: float | None
    tokens_equal: bool | None
    labels_equal: bool | None

    @property
    def holds(self) -> bool:
        within = (self.logits or 0) <= LOGITS and (self.loss or 0) <= LOSS
        return within and self.tokens_equal is not False and self.labels_equal is not False


@dataclass(frozen=True)
class RoundTrip:
    """Tensors of the original after there and back: how many are equal bit by bit, which are not, which are gone."""

    reference: str
    equal: int
    differing: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return self.equal > 0 and not self.differing and not self.missing and not self.added


def prepared(golden: Path, reference: Mapping[str, Any], folder: Path) -> Path:
    """The checkpoint of a reference, with its overrides in `config.json`; the tower beside it."""
    checkpoint = folder / str(reference["checkpoint"])
    shutil.copytree(golden / str(reference["checkpoint"]), checkpoint)
    shutil.copytree(golden / "clip_tower", folder / "clip_tower")
    settings = json.loads((checkpoint / "config.json").read_text("utf-8"))
    (checkpoint / "config.json").chmod(0o644)
    (checkpoint / "config.json").write_text(json.dumps({**settings, **reference["config_overrides"]}), "utf-8")
    return checkpoint


def expanded(ids: Tensor, vlm: Vlm, fill: int | None = None) -> list[Tensor]:
    """Each row with every marker as many ids as the tower gives features (or as many `fill`)."""
    width = vlm.card.image_tokens
    rows = []
    for row in ids.tolist():
        out: list[int] = []
        for token in row:
            out += [vlm.prompts.image_token_id if fill is None else fill] * width if token == MARKER else [token]
        rows.append(torch.tensor(out))
    return rows


def padded(rows: list[Tensor], value: int) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)


@torch.inference_mode()
def run_cases(name: str, reference: Mapping[str, Any], values: Mapping[str, Tensor], vlm: Vlm) -> Iterator[CaseResult]:
    """Every case of a reference on the converted model."""
    for case, described in reference["cases"].items():
        ids = values[f"{case}.input_ids"]
        own = values.get(f"{case}.attention_mask", torch.ones_like(ids)).bool()
        pool = described.get("image_pool_indices") or []
        # A row without a marker was fed the zero image, which nothing reads.
        seen = [image for image in pool if image != 2] if len(pool) > int((ids == MARKER).sum()) else pool
        images = {"pixel_values": values["pixel_values_pool"][seen]} if seen else {}
        if f"{case}.new_tokens" in values:
            yield _generated(name, case, ids, own, images, values, vlm)
            continue
        rows = expanded_rows(ids, own, vlm)
        input_ids, mask = padded(rows, vlm.tokenizer.pad_token_id), padded([torch.ones_like(row) for row in rows], 0)
        labels = values.get(f"{case}.labels")
        mine = None if labels is None else expanded_labels(ids, labels, own, vlm)
        expected = values[f"{case}.logits"]
        length = expected.shape[1]
        if length < input_ids.shape[1]:  # cut after expansion, within the image: only embeddings can say that
            embeds = vlm.model.get_input_embeddings()(input_ids)
            features = torch.cat(list(vlm.model.get_image_features(**images).pooler_output))
            embeds = embeds.masked_scatter((input_ids == vlm.prompts.image_token_id)[..., None], features)
            mask, mine = mask[:, :length], None if mine is None else mine[:, :length]
            logits = vlm.model(inputs_embeds=embeds[:, :length], attention_mask=mask).logits
        else:
            logits = vlm.model(input_ids=input_ids, attention_mask=mask, **images).logits
        used = values.get(f"{case}.expanded_attention_mask", mask).bool()
        difference = float((logits - expected).abs()[used].max())
        loss = same = None
        if mine is not None:
            wanted = values[f"{case}.expanded_labels"]
            same = torch.equal(torch.where(used, mine, -100), torch.where(used, wanted, -100))
            mean = functional.cross_entropy(logits[:, :-1].flatten(0, 1), mine[:, 1:].flatten(), ignore_index=-100)
            loss = abs(float(mean) - float(values[f"{case}.loss"]))
        yield CaseResult(name, case, difference, loss, None, same)


def expanded_rows(ids: Tensor, own: Tensor, vlm: Vlm) -> list[Tensor]:
    return [expanded(row[keep][None], vlm)[0] for row, keep in zip(ids, own, strict=True)]


def expanded_labels(ids: Tensor, labels: Tensor, own: Tensor, vlm: Vlm) -> Tensor:
    rows = []
    for row, label, keep in zip(ids, labels, own, strict=True):
        spread = [
            each
            for token, learned in zip(row[keep].tolist(), label[keep].tolist(), strict=True)
            for each in ([-100] * vlm.card.image_tokens if token == MARKER else [learned])
        ]
        rows.append(torch.tensor(spread))
    return padded(rows, -100)


def _generated(
    name: str, case: str, ids: Tensor, own: Tensor, images: dict[str, Tensor], values: Mapping[str, Tensor], vlm: Vlm
) -> CaseResult:
    rows = expanded_rows(ids, own, vlm)
    width = max(map(len, rows))
    input_ids = torch.stack([functional.pad(row, (width - len(row), 0), value=0) for row in rows])
    mask = torch.stack([functional.pad(torch.ones_like(row), (width - len(row), 0)) for row in rows])
    expected = values[f"{case}.new_tokens"]
    written = vlm.model.generate(
        input_ids=input_ids, attention_mask=mask, **images, do_sample=False, max_new_tokens=expected.shape[1],
        suppress_tokens=[], eos_token_id=2, pad_token_id=0, return_dict_in_generate=True, output_logits=True,
    )  # fmt: skip
    tokens = written.sequences[:, input_ids.shape[1] :]
    scores = values.get(f"{case}.scores")
    difference = None
    if scores is not None:
        difference = float((torch.stack(written.logits) - scores[: len(written.logits)]).abs().max())
    return CaseResult(name, case, difference, None, torch.equal(tokens, expected), None)


def stages(values: Mapping[str, Tensor], vlm: Vlm) -> dict[str, float]:
    """Largest difference of the tower's and the projector's output, to find the stage that fails."""
    pixels = values["pixel_values_pool"][:1]
    config = vlm.model.config
    with torch.inference_mode():
        output = vlm.model.model.vision_tower(pixels, output_hidden_states=True)
        features = output.hidden_states[config.vision_feature_layer][:, 1:]
        projected = vlm.model.model.multi_modal_projector(features)
    found = {"clip_features": features, "projected_features": projected}
    return {
        key: float((each - values[f"single.{key}"]).abs().max())
        for key, each in found.items()
        if f"single.{key}" in values
    }


def round_trip(name: str, original: Path, back: Path) -> RoundTrip:
    """The tensors of `original` beside those of `back`, without buffers that are computed anew."""
    before = {key: each for key, each in read_weights(original).items() if from_original(key) is not None}
    after = read_weights(back)
    both = sorted(before.keys() & after.keys())
    differing = [
        key
        for key in both
        if before[key].dtype != after[key].dtype or tensor_bytes(before[key].read()) != tensor_bytes(after[key].read())
    ]
    return RoundTrip(
        name, len(both) - len(differing), tuple(differing), tuple(sorted(before.keys() - after.keys())),
        tuple(sorted(after.keys() - before.keys())),
    )  # fmt: skip


def run_parity(golden: Path, work: Path) -> tuple[list[CaseResult], list[RoundTrip]]:
    """Every reference of `golden`, there and back."""
    cases: list[CaseResult] = []
    trips: list[RoundTrip] = []
    for path in sorted((golden / "expected").glob("*.json")):
        reference = json.loads(path.read_text("utf-8"))
        checkpoint = prepared(golden, reference, work / path.stem)
        config = ConversionConfig(terms="synthetic")
        convert(checkpoint, work / path.stem / "converted", config, quiet=True)
        vlm = load_vlm(work / path.stem / "converted")
        cases += run_cases(path.stem, reference, load_file(path.with_suffix(".safetensors")), vlm)
        export(work / path.stem / "converted", work / path.stem / "back", ExportConfig(), quiet=True)
        trip = round_trip(path.stem, checkpoint, work / path.stem / "back")
        if reference["config_overrides"].get("unfreeze_mm_vision_tower") is False:
            # The original skips the tower inside such a checkpoint, and so does the conversion.
            gone = tuple(key for key in trip.missing if "vision_tower" not in key)
            trip = RoundTrip(trip.reference, trip.equal, trip.differing, gone, trip.added)
        trips.append(trip)
    return cases, trips


def show(cases: list[CaseResult], trips: list[RoundTrip]) -> None:
    table = Table("reference", "case", "logits, largest difference", "loss", "greedy tokens", "labels", "holds")
    for each in cases:
        cells = ("–" if value is None else f"{value:.2e}" for value in (each.logits, each.loss))
        marks = (
            "–" if value is None else "equal" if value else "DIFFER" for value in (each.tokens_equal, each.labels_equal)
        )
        table.add_row(each.reference, each.case, *cells, *marks, "yes" if each.holds else "NO")
    console = Console(width=140)
    console.print(table)
    for trip in trips:
        differing = ", ".join((*trip.differing, *trip.missing, *trip.added)) or "none"
        console.print(f"{trip.reference}: there and back {trip.equal} tensors equal bit by bit, otherwise: {differing}")


def main(
    golden: Annotated[
        Path | None, typer.Option(envvar="CHARTSIGHT_GOLDEN", help="The folder that holds llava/.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Convert every golden checkpoint, run every case, write it back, and compare."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "golden"
    folder = (golden or Path(os.environ.get("CHARTSIGHT_GOLDEN") or beside)) / "llava"
    if not folder.is_dir():
        raise ChartsightError("no-golden", folder, "is missing", "the folder of the reference values", "say --golden")
    torch.set_num_threads(1)
    with TemporaryDirectory() as work:
        cases, trips = run_parity(folder, Path(work))
    if as_json:
        typer.echo(json.dumps({"cases": list(map(asdict, cases)), "round_trips": list(map(asdict, trips))}, indent=2))
    else:
        show(cases, trips)
    if not all(each.holds for each in (*cases, *trips)):
        raise GateError("parity", folder, "a case differs by more than its limit", f"{LOGITS:g} for logits")


if __name__ == "__main__":
    run_alone(main)
