"""What was tried before the starters' sizes were chosen.

    python -m chartsight.starters.trials runs/trials                           a table, and runs/trials/trials.md
    python -m chartsight.starters.trials runs/trials --write docs/starter.md   into the page, too

One change at a time from the sizes of `recipes/starters/0-lessons.yaml`, each taught with the same short budget on the
same small hospital: a tower learns the tower's lesson, a language model that of words, the sizes of the recipe both.
The hospital's findings are plain ones (difficulty `easy`): on faint ones no tower learns in so short a time. Budgets
are too short for good figures; they are for comparing. Finished lessons are kept: a killed run goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from chartsight.errors import RecipeError
from chartsight.exits import run_alone
from chartsight.figures import Section, describe_machine
from chartsight.progress import track
from chartsight.questions.files import read_questions
from chartsight.recipes import read_recipe
from chartsight.runs import new_output, write_json
from chartsight.starters.build import FILM_LESSONS, RECIPES, build_cradle, draw_lessons, limits, teach
from chartsight.starters.recipe import LessonsRecipe
from chartsight.vlm.checkpoint import Vlm, load_vlm
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


# Keys of `StarterSize` that the tower's lesson is about; all others are the language lesson's.
OF_THE_TOWER = frozenset({"tower_widths", "tower_blocks", "size_px"})
TOWER, LANGUAGE = FILM_LESSONS[:2]
SECTION = Section("trials")


@dataclass(frozen=True)
class Budget:
    """How long every cell learns.

    Args:
        scenes: Drawn for the tokenizer's words alone.
        patients: Of the hospital that all cells share.
        sample_patients: Of the hospital whose words the tokenizers see.
        epochs: Of a tower.
        language_steps: Of a language model, on reports and questions without films.
        questions: Answered at the end of that.
    """

    scenes: int = 200
    patients: int = 800
    sample_patients: int = 60
    epochs: int = 8
    language_steps: int = 200
    questions: int = 512

    def changes(self, lesson: str) -> Mapping[str, Mapping[str, Any]]:
        """What replaces a lesson's own numbers."""
        if lesson == TOWER:
            return {"tower": {"epochs": self.epochs}}
        return {"answers": {**limits(self.language_steps)["answers"], "evaluate.questions": self.questions}}


@dataclass(frozen=True)
class Trial:
    """One cell of the table; None for a lesson that its change is not about.

    Args:
        name: A key of `CELLS`.
        megabytes: Of the weights in bfloat16.
        image_tokens: A film.
        tower_area: AUROC on the tower's valid films, mean over labels.
        language_loss: On valid questions, without films, after the reports' words. By piece: vocabularies of other
            sizes cut words into other pieces.
        word_loss: `language_loss` by word of a report, which vocabularies share.
        tokens_a_word: Of a report.
        core_minutes: Processor time of all lessons; what else ran on the machine hardly counts.
    """

    name: str
    megabytes: float
    image_tokens: int
    tower_area: float | None
    language_loss: float | None
    word_loss: float | None
    tokens_a_word: float
    core_minutes: float


def lessons_of(name: str) -> tuple[str, ...]:
    """The lessons that a cell takes: what its change is about, and both when it changes nothing."""
    changed = set(CELLS[name])
    return tuple(
        lesson
        for lesson, keys in ((TOWER, changed & OF_THE_TOWER), (LANGUAGE, changed - OF_THE_TOWER))
        if keys or not changed
    )


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
    taken = lessons_of(name)
    seconds = sum(_taught(lesson, work, lessons, budget, quiet=quiet) for lesson in taken)
    vlm = load_vlm(work / "0-cradle")
    tokens_a_word = _tokens_a_word(vlm, lessons)
    loss = _last(work / LANGUAGE)["valid_loss"] if LANGUAGE in taken else None
    trial = Trial(
        name=name,
        megabytes=round(sum(each.numel() for each in vlm.model.parameters()) * 2 / 1e6, 2),
        image_tokens=vlm.card.image_tokens,
        tower_area=_last(work / TOWER)["valid_auroc"] if TOWER in taken else None,
        language_loss=None if loss is None else round(loss, 4),
        word_loss=None if loss is None else round(loss * tokens_a_word, 4),
        tokens_a_word=round(tokens_a_word, 3),
        core_minutes=round(seconds / 60, 2),
    )
    with new_output(done) as partial:
        write_json(partial, asdict(trial))
    return trial


def _tokens_a_word(vlm: Vlm, lessons: Path) -> float:
    captions = [
        json.loads(question.answer) for question in read_questions(lessons / "other" / "films" / "captions.parquet")
    ][:200]
    pieces = sum(len(vlm.tokenizer(caption)["input_ids"]) for caption in captions)
    return pieces / max(sum(len(caption.split()) for caption in captions), 1)


def _taught(lesson: str, work: Path, lessons: Path, budget: Budget, *, quiet: bool) -> float:
    """Seconds of processor time that a lesson took, kept beside it so that a run that goes on knows them."""
    kept = work / f"{lesson}.seconds"
    if kept.exists():
        return float(kept.read_text("utf-8"))
    started = time.process_time()
    teach(lesson, work, budget.changes(lesson), lessons=lessons, base="0-cradle", quiet=quiet)
    seconds = time.process_time() - started
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
        "scenes": budget.scenes, "sample_patients": budget.sample_patients,
        "other_hospital.patients": budget.patients, "other_hospital.difficulty": "easy",
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
        f"One change at a time; {budget.patients:,} patients with plain findings, {budget.epochs} epochs of a tower, "
        f"{budget.language_steps} steps of a language model, one seed each. A cell takes the lesson that its change is "
        "about. The budget is short: figures compare sizes, they are not what the starters reach.",
        "",
        "| size | MB | tokens a film | tower AUROC | loss a token | tokens a word | loss a word | core minutes |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {each.name} | {each.megabytes:.1f} | {each.image_tokens} | {_shown(each.tower_area)} | "
            f"{_shown(each.language_loss)} | {each.tokens_a_word:.2f} | {_shown(each.word_loss)} | "
            f"{each.core_minutes:.1f} |"
            for each in trials
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _shown(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"


def tried(
    work: Annotated[Path, typer.Argument(help="Folder for lessons and cells; a killed run goes on in it.")],
    only: Annotated[list[str] | None, typer.Option(help="A cell; may be repeated. All by default.")] = None,
    patients: Annotated[int, typer.Option(min=2, help="Of the hospital that all cells share.")] = Budget.patients,
    epochs: Annotated[int, typer.Option(min=1, help="Of a tower.")] = Budget.epochs,
    language_steps: Annotated[int, typer.Option(min=1, help="Of a language model.")] = Budget.language_steps,
    write: Annotated[Path | None, typer.Option(help="A page with the markers, such as docs/starter.md.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Teach starters of several sizes with one short budget, and write WORK/trials.md."""
    if write is not None:
        SECTION.split(write)  # a page without markers is found before the work
    budget = replace(Budget(), patients=patients, epochs=epochs, language_steps=language_steps)
    trials = run_trials(work, only or list(CELLS), budget, quiet=quiet or as_json)
    table = render_trials(trials, budget)
    with new_output(work / "trials.md", replace=True) as partial:
        partial.write_text(table, "utf-8")
    if write is not None:
        command = (
            f"`python -m chartsight.starters.trials {work} --patients {patients} --epochs {epochs} "
            f"--language-steps {language_steps}` on {datetime.now(UTC):%Y-%m-%d}: {describe_machine()}."
        )
        SECTION.write(write, f"{command}\n\n{table}")
    if as_json:
        print(json.dumps({"budget": asdict(budget), "trials": [asdict(each) for each in trials]}, indent=2))
        return
    shown = Table(title="what was tried", title_justify="left")
    for name in ("size", "MB", "tower AUROC", "loss a token", "tokens a word", "loss a word", "core minutes"):
        shown.add_column(name)
    for each in trials:
        shown.add_row(
            each.name, f"{each.megabytes:.1f}", _shown(each.tower_area), _shown(each.language_loss),
            f"{each.tokens_a_word:.2f}", _shown(each.word_loss), f"{each.core_minutes:.1f}",
        )  # fmt: skip
    Console().print(shown)


if __name__ == "__main__":
    run_alone(tried)
