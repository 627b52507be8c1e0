"""Makes the shipped starters from nothing: `python -m chartsight.starters.build runs/starters` (`make starters`).

In LLaVA-Med's order, first on drawn scenes (`starter`), then on films of another synthetic hospital (`starter-med`):

    tower         the vision tower learns many labels a film
    language      the language model learns the sentences, without films (reports, too, before it reads films of chests)
    alignment     only the projector learns, from captions; for films it begins with the words of what the tower finds
    reading       projector and language model learn to tell what is there, in few words (films)
    instruction   projector and language model learn to answer

and all but the language once more on films of a further hospital.

Each lesson is one recipe in recipes/starters/ and is skipped when its result is there: a killed run goes on. It takes
about three hours on two cores; the result is copied to src/chartsight/models/ in bfloat16.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from chartsight.errors import OutputError
from chartsight.exits import run_alone
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.questions.templates import read_templates
from chartsight.recipes import read_keys, read_recipe
from chartsight.records import RecordSources, build_record
from chartsight.runs import make_folder, new_output, remove, write_json
from chartsight.schema import ATTRIBUTES, OBJECTS
from chartsight.starters.film_cells import build_cells
from chartsight.starters.lessons import corpus, write_film_lesson, write_scene_lesson
from chartsight.starters.recipe import LessonsRecipe
from chartsight.training.cells import write_cells
from chartsight.training.recipe import AnswerRecipe, TowerRecipe, WordsRecipe
from chartsight.training.run import train_answers
from chartsight.training.run_folder import is_finished
from chartsight.training.tower import train_tower
from chartsight.training.words import align_words
from chartsight.vlm.checkpoint import load_vlm, model_folder, read_card, save_vlm
from chartsight.vlm.starter import StarterSize, build_starter, starter_card, train_tokenizer

RECIPES = Path(__file__).parents[3] / "recipes" / "starters"
MODELS = Path(__file__).parents[1] / "models"
STAND_IN = {
    "starter": (
        "Stand-in for baseline LLaVA: a few million parameters, taught on drawn scenes of shapes, places and counts "
        "only; it has never seen a chest film."
    ),
    "starter-med": (
        "Stand-in for LLaVA-Med: the starter continued on films, reports and instructions of two other synthetic "
        "hospitals (style mixed)."
    ),
}


# Small enough for a test of the whole path.
SMALL = {"scenes": 80, "other_hospital.patients": 6, "further_hospital.patients": 6, "sample_patients": 2}
SCENE_LESSONS = ("1-tower-scenes", "2-language", "3-alignment", "4-starter")
FILM_LESSONS = (
    "5-tower-films", "6-language-films", "7-words-films", "8-reading-films", "9-instruction-films",
    "10-instruction-films",
)  # fmt: skip
FURTHER_LESSONS = ("11-tower-further", "12-words-further", "13-reading-further", "14-starter-med")


def build_starters(
    work: Path, recipe: LessonsRecipe, *, steps: int | None = None, quiet: bool = False
) -> dict[str, Path]:
    """Folders of `starter` and `starter-med`, made in `work`; what is there already is kept.

    Args:
        work: For hospital, lessons and every lesson's result.
        recipe: How much to draw, and how large the starters are.
        steps: Replaces every recipe's steps (and its epochs by 1), for tests.
        quiet: No progress.
    """
    draw_lessons(work, recipe, quiet=quiet)
    build_cradle(work, recipe.size)
    for name in (*SCENE_LESSONS, *FILM_LESSONS, *FURTHER_LESSONS):
        teach(name, work, limits(steps), quiet=quiet)
    made = {}
    for name, lesson in (("starter", SCENE_LESSONS[-1]), ("starter-med", FURTHER_LESSONS[-1])):
        vlm = load_vlm(work / lesson)
        made[name] = work / name
        with new_output(made[name], replace=True) as partial:
            card = replace(vlm.card, name=name, description=STAND_IN[name], pairing="synthetic")
            save_vlm(replace(vlm, card=card), partial, torch.bfloat16)
    return made


def draw_lessons(work: Path, recipe: LessonsRecipe, *, further: bool = True, quiet: bool = False) -> None:
    """Scenes, the other hospital and the tokenizer's sample in `work`, where they are not there yet.

    Args:
        work: Folder of the lessons.
        recipe: What to draw.
        further: Draw the further hospital, too.
        quiet: No progress.

    Raises:
        OutputError: The lessons in `work` were drawn by another recipe.
    """
    _check_recipe(work / "lessons.json", recipe)
    if not (work / "scenes").exists():
        write_scene_lesson(work / "scenes", scenes=recipe.scenes, seed=recipe.scene_seed, quiet=quiet)
    _draw_films(work / "sample", recipe.sample, quiet=quiet)
    _draw_films(work / "other", recipe.other_hospital.config(), quiet=quiet)
    if further:
        _draw_films(work / "further", recipe.further_hospital.config(), quiet=quiet)


def _check_recipe(path: Path, recipe: LessonsRecipe) -> None:
    drawn = recipe.model_dump(mode="json", exclude={"size"})
    if not path.exists():
        make_folder(path.parent)
        write_json(path, drawn)
    elif json.loads(path.read_text("utf-8")) != drawn:
        raise OutputError("other-lessons", path.parent, "holds lessons of another recipe", hint="choose another folder")


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


def _draw_cells(path: Path, grid: int, *, quiet: bool) -> Path:
    """`path` with the grid in its name, made where it is not there yet from the hospital two folders above."""
    cells = path.with_stem(f"{path.stem}-{grid}")
    if not cells.exists():
        work = path.parents[1]
        write_cells(cells, build_cells(work / "hospital", work / "record.duckdb", grid, quiet=quiet))
    return cells


def build_cradle(work: Path, size: StarterSize, lessons: Path | None = None) -> None:
    """The untrained starter with its tokenizer in `work/0-cradle`, where it is not there yet.

    Args:
        work: Of the starter.
        size: Of the starter.
        lessons: Where the lessons were drawn; `work` by default.
    """
    cradle = work / "0-cradle"
    if cradle.exists():
        return
    drawn = lessons or work
    # The vocabulary of the field and the question templates' words, besides both lessons: cheap to read, not taught.
    words = [*(f" {name}" for name in (*ATTRIBUTES, *OBJECTS))] * 200
    phrasings = [phrasing for template in read_templates().templates for phrasing in template.phrasings] * 200
    texts = [*corpus(drawn / "scenes"), *corpus(drawn / "sample" / "films"), *words, *phrasings]
    tokenizer = train_tokenizer(texts, size.vocabulary)
    card = starter_card("cradle", "untrained", size.size_px)
    with new_output(cradle) as partial:
        save_vlm(build_starter(tokenizer, card, size, seed=0), partial)


def limits(steps: int | None) -> dict[str, dict[str, Any]]:
    """What replaces a recipe's own numbers, by its kind, when every lesson shall take `steps` steps only."""
    if steps is None:
        return {}
    return {"tower": {"epochs": 1}, "answers": {"steps": steps, "evaluate.every_steps": steps,
                                                "evaluate.questions": 16}}  # fmt: skip


def teach(
    name: str,
    work: Path,
    changes: Mapping[str, Mapping[str, Any]],
    *,
    lessons: Path | None = None,
    base: str | None = None,
    quiet: bool = False,
) -> None:
    """One lesson of recipes/starters/ in `work/NAME`, unless it is finished there; a killed one goes on.

    Args:
        name: Of the recipe.
        work: Where the bases stand.
        changes: Kind of recipe → keys that replace its own.
        lessons: Where the lessons were drawn; `work` by default.
        base: Another base than the recipe's.
        quiet: No progress.
    """
    out = work / name
    if is_finished(out):
        return
    path = RECIPES / f"{name}.yaml"
    stored = read_keys(path)
    drawn = lessons or work
    inside: dict[str, Any] = {
        key: str(drawn / stored[key]) for key in ("questions", "targets", "films") if key in stored
    }
    inside["base"] = str(work / (base or stored["base"]))
    if not quiet:
        print(f"\n{name}: {stored['description']}", flush=True)
    kind = stored.get("kind")
    if kind == "tower":
        if "cells" in stored:
            grid = math.isqrt(read_card(model_folder(inside["base"])).image_tokens)
            inside["cells"] = str(_draw_cells(drawn / stored["cells"], grid, quiet=quiet))
        train_tower(
            read_recipe(TowerRecipe, path, {**inside, **changes.get("tower", {})}), out, force=True, quiet=quiet
        )
        return
    if kind == "words":
        inside["readout"] = str(work / stored["readout"])
        align_words(read_recipe(WordsRecipe, path, inside), out, force=True)
        return
    recipe = read_recipe(AnswerRecipe, path, {**inside, **changes.get("answers", {})})
    train_answers(recipe, out, resume=out.exists(), quiet=quiet)


def make(
    work: Annotated[Path, typer.Argument(help="Folder for lessons and checkpoints; a killed run goes on in it.")],
    ship: Annotated[bool, typer.Option(help="Copy the result into the package.")] = True,
) -> None:
    """Make the starters, and ship them."""
    recipe = read_recipe(LessonsRecipe, RECIPES / "0-lessons.yaml")
    for name, folder in build_starters(work, recipe).items():
        if ship:
            remove(MODELS / name)
            shutil.copytree(folder, MODELS / name)
            print(f"{MODELS / name}")


if __name__ == "__main__":
    run_alone(make)
