"""What was tried before the starters' sizes were chosen: `python -m chartsight.starters.trials runs/trials`.

One change at a time from the sizes of `recipes/starters/0-lessons.yaml`, each taught with the same short budget on the
same small hospital: the tower, then the words of reports, then, if there is time, reading and instructions. Budgets are
too short for good answers; they are for comparing. Finished lessons are kept: a killed run goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from chartsight.errors import RecipeError
from chartsight.exits import run_alone
from chartsight.progress import track
from chartsight.questions.files import read_questions
from chartsight.recipes import read_recipe
from chartsight.runs import new_output, write_json
from chartsight.starters.build import FILM_LESSONS, RECIPES, build_cradle, draw_lessons, limits, teach
from chartsight.starters.recipe import LessonsRecipe
from chartsight.vlm.checkpoint import load_vlm
from chartsight.vlm.starter import StarterSize

# What is changed from the recipe's sizes; a cell of its own each.
CELLS: Mapping[str, Mapping[str, Any]] = {
    "as in the recipe": {},
    "narrow tower": {"tower_widths": (16, 32, 64, 96)},
    "wide tower": {"tower_widths": (32, 64, 128, 192)},
    "deep tower": {"tower_blocks": (1, 2, 3, 3)},
    "128 px": {"size_px": 128},
    "192 px": {"size_px": 192},
    "language model 320 x 6": {"hidden": 320, "layers": 6, "heads": 5, "mlp": 720},
    "language model 192 x 4": {"hidden": 192, "layers": 4, "heads": 4, "mlp": 432},
    "1,024 pieces": {"vocabulary": 1024},
    "2,560 pieces": {"vocabulary": 2560},
}


@dataclass(frozen=True)
class Budget:
    """How long every cell learns.

    Args:
        scenes: Drawn for the tokenizer's words alone.
        patients: Of the hospital that all cells share.
        sample_patients: Of the hospital whose words the tokenizers see.
        epochs: Of the tower.
        language_steps: On reports and questions without films.
        reading_steps: Of projector and language model, on what is there; 0 leaves the lesson out. Some hundred steps
            pass before anything is read at all.
        instruction_steps: Of both, on instructions; 0 leaves the lesson out.
        questions: Answered at the end of these two.
    """

    scenes: int = 200
    patients: int = 400
    sample_patients: int = 60
    epochs: int = 4
    language_steps: int = 200
    reading_steps: int = 0
    instruction_steps: int = 0
    questions: int = 512

    def lessons(self) -> tuple[str, ...]:
        """Those that a cell takes, in order."""
        tower, language, words, reading, instruction, _ = FILM_LESSONS
        after = ((words, reading) if self.reading_steps else ()) + ((instruction,) if self.instruction_steps else ())
        return (tower, language, *after)

    def changes(self, lesson: str) -> Mapping[str, Mapping[str, Any]]:
        """What replaces a lesson's own numbers."""
        if lesson == FILM_LESSONS[0]:
            return {"tower": {"epochs": self.epochs}}
        _, language, _, reading, instruction, _ = FILM_LESSONS
        steps = {language: self.language_steps, reading: self.reading_steps, instruction: self.instruction_steps}
        if lesson not in steps:
            return {}
        return {"answers": {**limits(steps[lesson])["answers"], "evaluate.questions": self.questions}}


@dataclass(frozen=True)
class Trial:
    """One cell of the table.

    Args:
        name: A key of `CELLS`.
        megabytes: Of the weights in bfloat16.
        image_tokens: A film.
        tower_area: AUROC on the tower's valid films, mean over labels.
        language_loss: On valid questions, without films, after the reports' words.
        tokens_a_word: Of a report.
        reading: Yes and no about valid films, after the reading lesson.
        accuracy: On valid instructions.
        minutes: Of all lessons, on this machine.
    """

    name: str
    megabytes: float
    image_tokens: int
    tower_area: float
    language_loss: float
    tokens_a_word: float
    reading: float | None
    accuracy: float | None
    minutes: float


def run_trial(name: str, work: Path, lessons: Path, base: StarterSize, budget: Budget, *, quiet: bool) -> Trial:
    """One cell, taught in `work`; what is finished there is kept.

    Args:
        name: A key of `CELLS`.
        work: Of this cell.
        lessons: What all cells share.
        base: The sizes to change.
        budget: Of every cell.
        quiet: No progress.
    """
    done = work / "trial.json"
    if done.exists():
        return Trial(**json.loads(done.read_text("utf-8")))
    build_cradle(work, replace(base, **CELLS[name]), lessons)
    seconds = 0.0
    before = "0-cradle"
    for lesson in budget.lessons():
        seconds += _taught(lesson, before, work, lessons, budget, quiet=quiet)
        before = lesson
    vlm = load_vlm(work / before)
    captions = [question.answer for question in read_questions(lessons / "other" / "films" / "captions.parquet")][:200]
    words = sum(len(json.loads(caption).split()) for caption in captions)
    pieces = sum(len(vlm.tokenizer(json.loads(caption))["input_ids"]) for caption in captions)
    tower, language, _, reading, instruction, _ = FILM_LESSONS
    trial = Trial(
        name=name,
        megabytes=round(sum(each.numel() for each in vlm.model.parameters()) * 2 / 1e6, 2),
        image_tokens=vlm.card.image_tokens,
        tower_area=_last(work / tower)["valid_auroc"],
        language_loss=round(_last(work / language)["valid_loss"], 4),
        tokens_a_word=round(pieces / max(words, 1), 3),
        reading=_accuracy(work / reading),
        accuracy=_accuracy(work / instruction),
        minutes=round(seconds / 60, 2),
    )
    with new_output(done) as partial:
        write_json(partial, asdict(trial))
    return trial


def _accuracy(run: Path) -> float | None:
    """Of a lesson's valid questions; None when it was left out."""
    return round(_last(run)["valid_accuracy"], 4) if run.exists() else None


def _taught(lesson: str, before: str, work: Path, lessons: Path, budget: Budget, *, quiet: bool) -> float:
    """Seconds that a lesson took, kept beside it so that a run that goes on knows them."""
    kept = work / f"{lesson}.seconds"
    if kept.exists():
        return float(kept.read_text("utf-8"))
    started = time.perf_counter()
    teach(lesson, work, budget.changes(lesson), lessons=lessons, base=before, quiet=quiet)
    seconds = time.perf_counter() - started
    kept.write_text(f"{seconds:.1f}", "utf-8")
    return seconds


def _last(run: Path) -> dict[str, Any]:
    """The keys of a run's metrics, the last value of each."""
    merged: dict[str, Any] = {}
    for line in (run / "metrics.jsonl").read_text("utf-8").splitlines():
        merged |= json.loads(line)
    return merged


def run_trials(work: Path, names: Sequence[str], budget: Budget, *, quiet: bool = False) -> list[Trial]:
    """All cells that are named, one after the other.

    Raises:
        RecipeError: There is no such cell.
    """
    for name in names:
        if name not in CELLS:
            raise RecipeError("unknown-trial", "--only", repr(name), "one of " + ", ".join(CELLS))
    changes = {
        "scenes": budget.scenes, "other_hospital.patients": budget.patients, "sample_patients": budget.sample_patients
    }  # fmt: skip
    recipe = read_recipe(LessonsRecipe, RECIPES / "0-lessons.yaml", changes)
    draw_lessons(work / "lessons", recipe, further=False, quiet=quiet)
    return [
        run_trial(name, work / name.replace(" ", "-"), work / "lessons", recipe.size, budget, quiet=quiet)
        for name in track(names, "trials", quiet=quiet)
    ]


def render_trials(trials: Sequence[Trial], budget: Budget) -> str:
    """The table of a model card, in Markdown."""
    lines = [
        f"One change at a time; {budget.patients} patients, {budget.epochs} epochs of the tower, "
        f"{budget.language_steps}, {budget.reading_steps} and {budget.instruction_steps} steps of language, reading "
        "and instruction (0: left out), one seed each. The "
        "budget is short: figures compare sizes, they are not what the starters reach.",
        "",
        "| size | MB | tokens a film | tower AUROC | language loss | tokens a word | reading | accuracy | minutes |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {each.name} | {each.megabytes:.1f} | {each.image_tokens} | {each.tower_area:.3f} | "
            f"{each.language_loss:.3f} | {each.tokens_a_word:.2f} | {_shown(each.reading)} | "
            f"{_shown(each.accuracy)} | {each.minutes:.1f} |"
            for each in trials
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _shown(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{accuracy:.3f}"


def tried(
    work: Annotated[Path, typer.Argument(help="Folder for lessons and cells; a killed run goes on in it.")],
    only: Annotated[list[str] | None, typer.Option(help="A cell; may be repeated. All by default.")] = None,
    patients: Annotated[int, typer.Option(min=2, help="Of the hospital that all cells share.")] = Budget.patients,
    epochs: Annotated[int, typer.Option(min=1, help="Of the tower.")] = Budget.epochs,
    language_steps: Annotated[int, typer.Option(min=1, help="Of the reports' words.")] = Budget.language_steps,
    reading_steps: Annotated[int, typer.Option(min=0, help="Of reading; 0 leaves it out.")] = Budget.reading_steps,
    steps: Annotated[
        int, typer.Option(min=0, help="Of the instruction lesson; 0 leaves it out.")
    ] = Budget.instruction_steps,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Teach starters of several sizes with one short budget, and write WORK/trials.md."""
    budget = replace(
        Budget(), patients=patients, epochs=epochs, language_steps=language_steps, reading_steps=reading_steps,
        instruction_steps=steps,
    )  # fmt: skip
    trials = run_trials(work, only or list(CELLS), budget, quiet=quiet or as_json)
    with new_output(work / "trials.md", replace=True) as partial:
        partial.write_text(render_trials(trials, budget), "utf-8")
    if as_json:
        print(json.dumps({"budget": asdict(budget), "trials": [asdict(each) for each in trials]}, indent=2))
        return
    table = Table(title="what was tried", title_justify="left")
    for name in ("size", "MB", "tower AUROC", "language loss", "tokens a word", "reading", "accuracy", "minutes"):
        table.add_column(name)
    for each in trials:
        table.add_row(
            each.name, f"{each.megabytes:.1f}", f"{each.tower_area:.3f}", f"{each.language_loss:.3f}",
            f"{each.tokens_a_word:.2f}", _shown(each.reading), _shown(each.accuracy), f"{each.minutes:.1f}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    run_alone(tried)
