"""The folder of a run: made once everything was read, gone on in by the same recipe alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from chartsight.errors import OutputError
from chartsight.runs import check_apart, check_replaceable, is_disk_full, make_folder, read_manifest, remove
from chartsight.training.recipe import AnswerRecipe
from chartsight.vlm.checkpoint import model_folder


def _resolved(recipe: AnswerRecipe) -> str:
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)


def check_run_folder(recipe: AnswerRecipe, out: Path, *, resume: bool, force: bool) -> None:
    """Nothing, when a run of `recipe` may begin in `out`, or go on there.

    Raises:
        OutputError: `out` exists, is a file, holds another run, or holds what the run reads.
    """
    if resume and out.exists():
        stored = out / "recipe.yaml"
        if not stored.is_file() or stored.read_text("utf-8") != _resolved(recipe):
            raise OutputError("other-run", out, "holds a run of another recipe", "the recipe to resume")
        return
    if out.exists() and not force:
        raise OutputError("output-exists", out, "exists already", hint="--resume goes on, --force starts again")
    if out.exists() and not out.is_dir():
        raise OutputError("no-folder", out, "is a file", "a folder")
    check_replaceable(out)
    check_apart(out, recipe.questions, model_folder(recipe.base))


@contextmanager
def full_disk_of(out: Path) -> Iterator[None]:
    """Says of a full disk where it was and that nothing is lost: whole checkpoints stay.

    Raises:
        OutputError: The disk fills up in the block.
    """
    try:
        yield
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise OutputError(
            "disk-full", out, "the disk is full or a quota is reached", hint="free some space, then --resume goes on"
        ) from error


def make_run_folder(recipe: AnswerRecipe, out: Path, *, resume: bool) -> None:
    """`out` anew, with the resolved recipe in it; left as it is when the run goes on."""
    if resume and out.exists():
        return
    remove(out)
    make_folder(out)
    (out / "recipe.yaml").write_text(_resolved(recipe), "utf-8")


def is_finished(out: Path) -> bool:
    """Whether a training run in `out` reached its end."""
    manifest = read_manifest(out) if out.is_dir() else None
    return manifest is not None and manifest["status"] == "done"
