"""`chartsight convert`: which way a folder goes, and which options mean something on that way."""

from __future__ import annotations

from pathlib import Path

from chartsight.errors import CheckpointError
from chartsight.runs import Run
from chartsight.schema import Terms
from chartsight.vlm.checkpoint import model_folder
from chartsight.vlm.convert import ConversionConfig, convert
from chartsight.vlm.delta import apply_delta
from chartsight.vlm.export import ExportConfig, export, is_exportable
from chartsight.vlm.layouts.tower import TowerSource


def run_convert(
    source: Path, out: Path, *, base: Path | None = None, tower: str | None = None,
    tower_from: TowerSource | None = None, template: str | None = None, name: str | None = None,
    terms: Terms = "private", delta: bool = False, lora: bool = False, check: bool = False, force: bool = False,
    quiet: bool = False,
) -> Run:  # fmt: skip
    """`source` in the other layout, at `out`; see `convert`, `export` and `apply_delta`.

    Raises:
        CheckpointError: An option that means nothing on this way; a folder that cannot be converted exactly.
    """
    from transformers.utils import logging

    logging.set_verbosity_error()
    if delta:
        if base is None:
            raise CheckpointError("no-base", source, "is a delta", "the LLaMA that it is added to", "--base FOLDER")
        _refuse("--delta", {"--tower": tower, "--tower-from": tower_from, "--template": template, "--name": name,
                            "--lora": lora, "--check": check})  # fmt: skip
        return apply_delta(source, base, out, terms, force=force, quiet=quiet)
    if not source.exists():
        source = model_folder(source)  # a hub's model in the cache
    if is_exportable(source):
        _refuse("the way back", {"--tower-from": tower_from, "--template": template, "--name": name})
        back = ExportConfig(base=base, tower=tower, lora=lora, check=check)
        return export(source, out, back, force=force, quiet=quiet)
    _refuse("a checkpoint in the original layout", {"--lora": lora})
    config = ConversionConfig(
        base=base, tower=None if tower is None else Path(tower), tower_from=tower_from, template=template, name=name,
        terms=terms, check=check,
    )  # fmt: skip
    return convert(source, out, config, force=force, quiet=quiet)


def _refuse(way: str, options: dict[str, object]) -> None:
    for option, value in options.items():
        if value not in (None, False):
            raise CheckpointError("bad-option", option, f"means nothing for {way}", "without it")
