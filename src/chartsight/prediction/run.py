"""`chartsight predict`: a model's answers to a question set under a condition, in batches, resumable.

Lists are written by the model, or decided name by name: a yes/no question each, and the odds of what it was fine-tuned
on (`sets="itemwise"`, `questions.list_items`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from chartsight.answers import AnswerStore
from chartsight.errors import OutputError, QuestionError
from chartsight.imaging.film_index import read_film_index
from chartsight.prediction.answers import answer_asked
from chartsight.prediction.conditions import OFFERED, SETS, Sets, put_questions, select_questions
from chartsight.prediction.sealing import seal_predictions
from chartsight.questions.files import film_index_of, read_questions
from chartsight.questions.list_items import ItemOdds
from chartsight.runs import Run, check_apart, check_place, make_folder, new_output, read_manifest
from chartsight.schema import Condition, strictest_pairing, strictest_terms


def predict_questions(
    model: str | Path,
    questions: Path,
    out: Path,
    *,
    condition: Condition = "full",
    split: str = "test",
    seed: int = 0,
    limit: int | None = None,
    sets: Sets = "generate",
    device: str | None = None,
    quiet: bool = False,
    force: bool = False,
) -> Path:
    """`predictions.parquet` of a model, at `out`.

    Answers are appended to `out` + `.answers.jsonl` while they come; a killed run goes on from there, and a sealed
    file of the same model, questions and condition is left as it is.

    Args:
        model: A shipped name, a model folder or a training run.
        questions: A questions.parquet.
        out: The Parquet file to appear.
        condition: One of `OFFERED`.
        split: train, valid, test or all.
        seed: Of the donors under `shuffled`.
        limit: Only so many questions, spread over the films.
        sets: Lists are written by the model (`generate`), or decided name by name (`itemwise`), where their template
            says how; others are written.
        device: cpu, cuda, ...; the GPU when there is one.
        quiet: No progress bar.
        force: Replace a sealed file of another run.

    Raises:
        QuestionError: Nothing to ask; a condition that is not offered.
        OutputError: `out` holds something else.
        CheckpointError: The model cannot be loaded exactly.
    """
    import torch

    from chartsight.vlm.checkpoint import fingerprint, load_vlm, model_folder

    questions, out = Path(questions), Path(out)
    if condition not in OFFERED:
        raise QuestionError("no-condition", "condition", repr(condition), " or ".join(OFFERED))
    if sets not in SETS:
        raise QuestionError("no-sets", "sets", repr(sets), " or ".join(SETS))
    if limit is not None and limit < 1:
        raise QuestionError("bad-limit", "limit", str(limit), "at least 1")
    if seed < 0:
        raise QuestionError("bad-seed", "seed", str(seed), "0 or more")
    check_apart(out, questions)
    config = {
        "model": fingerprint(model_folder(model)), "questions": hashlib.sha256(questions.read_bytes()).hexdigest()
        if questions.is_file() else None, "condition": condition, "split": split, "seed": seed, "limit": limit,
        "sets": sets,
    }  # fmt: skip
    if out.is_dir():
        raise OutputError("output-exists", out, "is a folder", "a file, such as predictions.parquet")
    store_path = out.with_name(out.name + ".answers.jsonl")
    if out.exists():
        sealed = read_manifest(out)
        if sealed is not None and sealed["config"] == config:
            return out
        # A file without a manifest beside unsealed answers is our own, of a run killed between the two.
        if not force and (sealed is not None or not store_path.exists()):
            raise OutputError(
                "output-exists", out, "holds other predictions", hint="choose another name or pass --force"
            )
    make_folder(out.parent)
    check_place(store_path)
    everything = read_questions(questions)
    chosen = select_questions(everything, split, limit, questions)
    run = Run("predict", config, seed=seed)
    run.read(questions, rows=len(chosen))
    if several := sum(len(each.image_ids) > 1 and split in {each.split, "all"} for each in everything):
        run.drop("question about several films", questions, count=several)
    run.terms = strictest_terms({question.terms for question in chosen})
    run.pairing = strictest_pairing({question.pairing for question in chosen})

    vlm = load_vlm(model, device or ("cuda" if torch.cuda.is_available() else "cpu"))
    index = read_film_index(film_index_of(questions))
    odds = ItemOdds.read(model_folder(model))
    asked = list(put_questions(chosen, condition, index, vlm, seed, sets))
    store = AnswerStore(store_path)
    answer_asked(vlm, asked, index, store, run, quiet=quiet)
    with new_output(out, replace=out.exists()) as partial:
        seal_predictions(partial, asked, store, vlm, odds, condition, run.run_id)
    run.kept = {"predictions": len(asked)}
    run.write(out)
    store.path.unlink(missing_ok=True)
    return out
