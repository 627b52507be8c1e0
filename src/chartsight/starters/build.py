"""Makes the shipped starters from nothing: `python -m chartsight.starters.build runs/starters` (`make starters`).

In LLaVA-Med's order, first on drawn scenes (`starter`), then on films of another synthetic hospital (`starter-med`):

    tower         the vision tower learns many labels a film
    language      the language model learns the sentences, without films
    alignment     only the projector learns, from captions
    instruction   projector and language model learn to answer

Each lesson is one recipe in recipes/starters/ and is skipped when its result is there: a killed run goes on. It takes
about an hour on two cores; the result is copied to src/chartsight/models/ in bfloat16.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import typer
import yaml

from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.questions.templates import read_templates
from chartsight.recipes import read_recipe
from chartsight.records import RecordSources, build_record
from chartsight.runs import new_output, remove
from chartsight.schema import ATTRIBUTES, OBJECTS
from chartsight.starters.lessons import corpus, write_film_lesson, write_scene_lesson
from chartsight.training.recipe import AnswerRecipe, TowerRecipe
from chartsight.training.run import is_finished, train_answers
from chartsight.training.tower import train_tower
from chartsight.vlm.checkpoint import load_vlm, save_vlm
from chartsight.vlm.starter import StarterSize, build_starter, starter_card, train_tokenizer

RECIPES = Path(__file__).parents[3] / "recipes" / "starters"
MODELS = Path(__file__).parents[1] / "models"
STAND_IN = {
    "starter": (
        "Stand-in for baseline LLaVA: 4.6 million parameters, taught on drawn scenes of shapes, places and counts "
        "only; it has never seen a chest film."
    ),
    "starter-med": (
        "Stand-in for LLaVA-Med: the starter continued on films, reports and instructions of another synthetic "
        "hospital (style hillside)."
    ),
}


@dataclass(frozen=True)
class Sizes:
    """How much is drawn; `SMALL` is for tests of the whole path."""

    scenes: int = 8000
    patients: int = 2500


SMALL = Sizes(scenes=80, patients=6)
OTHER_HOSPITAL_SEED = 20_117
SAMPLE = HospitalConfig(patients=60, seed=OTHER_HOSPITAL_SEED + 1, style="hillside", film_size_px=64)  # words only
SCENE_SEED = 4_021


def build_starters(work: Path, sizes: Sizes, *, steps: int | None = None, quiet: bool = False) -> dict[str, Path]:
    """Folders of `starter` and `starter-med`, made in `work`; what is there already is kept.

    Args:
        work: For hospital, lessons and every lesson's result.
        sizes: How much to draw.
        steps: Replaces every recipe's steps (and its epochs by 1), for tests.
        quiet: No progress.
    """
    _draw_scenes(work, sizes, quiet=quiet)
    _draw_films(work / "sample", SAMPLE, quiet=quiet)
    _cradle(work)
    for name in ("1-tower-scenes", "2-language", "3-alignment", "4-starter"):
        _teach(name, work, steps, quiet=quiet)
    other = HospitalConfig(patients=sizes.patients, seed=OTHER_HOSPITAL_SEED, style="hillside")
    _draw_films(work / "other", other, quiet=quiet)
    for name in ("5-tower-films", "6-alignment-films", "7-starter-med"):
        _teach(name, work, steps, quiet=quiet)
    made = {}
    for name, lesson in (("starter", "4-starter"), ("starter-med", "7-starter-med")):
        vlm = load_vlm(work / lesson)
        made[name] = work / name
        with new_output(made[name], replace=True) as partial:
            card = replace(vlm.card, name=name, description=STAND_IN[name], pairing="synthetic")
            save_vlm(replace(vlm, card=card), partial, torch.bfloat16)
    return made


def _draw_scenes(work: Path, sizes: Sizes, *, quiet: bool) -> None:
    if not (work / "scenes").exists():
        write_scene_lesson(work / "scenes", scenes=sizes.scenes, seed=SCENE_SEED, quiet=quiet)


def _draw_films(work: Path, config: HospitalConfig, *, quiet: bool) -> None:
    """A hospital, its record and its lesson in `work`."""
    hospital, record = work / "hospital", work / "record.duckdb"
    if not hospital.exists():
        build_hospital(hospital, config, quiet=quiet)
    if not record.exists():
        sources = RecordSources(
            mimiciv=hospital / "mimic-iv",
            mimic_cxr_jpg=hospital / "mimic-cxr-jpg",
            mimic_cxr_reports=hospital / "mimic-cxr-reports",
            chest_imagenome=hospital / "chest-imagenome",
        )
        build_record(record, sources, quiet=quiet)
    if not (work / "films").exists():
        write_film_lesson(record, work / "films", seed=config.seed, quiet=quiet)


def _cradle(work: Path) -> None:
    """The untrained starter with its tokenizer."""
    cradle = work / "0-cradle"
    if cradle.exists():
        return
    size = StarterSize()
    # The vocabulary of the field and the question templates' words, besides both lessons: cheap to read, not taught.
    words = [*(f" {name}" for name in (*ATTRIBUTES, *OBJECTS))] * 200
    phrasings = [phrasing for template in read_templates().templates for phrasing in template.phrasings] * 200
    texts = [*corpus(work / "scenes"), *corpus(work / "sample" / "films"), *words, *phrasings]
    tokenizer = train_tokenizer(texts, size.vocabulary)
    with new_output(cradle) as partial:
        save_vlm(build_starter(tokenizer, starter_card("cradle", "untrained"), size, seed=0), partial)


def _teach(name: str, work: Path, steps: int | None, *, quiet: bool) -> None:
    out = work / name
    if is_finished(out):
        return
    path = RECIPES / f"{name}.yaml"
    stored = yaml.safe_load(path.read_text("utf-8"))
    inside = {key: str(work / stored[key]) for key in ("base", "questions", "targets", "films") if key in stored}
    if not quiet:
        print(f"\n{name}: {stored['description']}", flush=True)
    if stored.get("kind") == "tower":
        small = {"epochs": 1} if steps else {}
        train_tower(read_recipe(TowerRecipe, path, {**inside, **small}), out, force=True, quiet=quiet)
        return
    small = {"steps": steps, "evaluate.every_steps": steps, "evaluate.questions": 16} if steps else {}
    train_answers(read_recipe(AnswerRecipe, path, {**inside, **small}), out, resume=out.exists(), quiet=quiet)


def main(
    work: Annotated[Path, typer.Argument(help="Folder for lessons and checkpoints; a killed run goes on in it.")],
    ship: Annotated[bool, typer.Option(help="Copy the result into the package.")] = True,
) -> None:
    """Make the starters, and ship them."""
    work.mkdir(parents=True, exist_ok=True)
    for name, folder in build_starters(work, Sizes()).items():
        if ship:
            remove(MODELS / name)
            shutil.copytree(folder, MODELS / name)
            print(f"{MODELS / name}")


if __name__ == "__main__":
    typer.run(main)
