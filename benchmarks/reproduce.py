"""Released LLaVA-1.5 and LLaVA-Med v1.5 on VQA-RAD, by their own conventions and by ours, in one table.

    chartsight convert llava-med-v1.5-mistral-7b llava-med --tower clip-vit-large-patch14-336   # once; your weights
    make reproduce MODEL="llava llava-med" VQA_RAD=DIR          # DIR: VQA_RAD Dataset Public.json or data/*.parquet

| | answers | scorer |
|---|---|---|
| original | the image in colour, padded; the family's prompt around the bare question; stock `generate`, one question at a time, greedy, up to 1,024 tokens | `evaluation.llava_med` |
| ours | `chartsight predict --scoring allowed`: the grey film, all its questions together, yes/no ones scored over these two, numbers in digits, others greedy up to 48 tokens | `evaluation.scorers`, intervals by case |

Both answers are judged by both scorers, so that what decoding does and what scoring does stand apart. Every answer is
kept as it comes; a run that was killed goes on. Not as the originals: float32 (they ran float16), greedy (their default
draws at temperature 0.2), the padding's offset is rounded down (LLaVA-Med draws it).

Source: github.com/haotian-liu/LLaVA (c121f04), llava/eval/model_vqa.py; github.com/microsoft/LLaVA-Med (d406e3f).
"""  # noqa: E501

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from chartsight.errors import CheckpointError, OutputError, QuestionError
from chartsight.evaluation.intervals import ClusterBootstrap, Interval, patients_of
from chartsight.evaluation.llava_med import OpenScores, closed_corrected, contained, score_open
from chartsight.evaluation.published import answer_in_words
from chartsight.evaluation.scorers import Score, score_prediction, score_text, scorer_stamp
from chartsight.exits import run_alone
from chartsight.figures import describe_machine
from chartsight.prediction.run import predict_questions
from chartsight.progress import track
from chartsight.questions.files import read_questions
from chartsight.questions.importers import ImportConfig, import_questions, read_layout, read_rows
from chartsight.runs import Run, new_output, read_manifest, sha256_file, write_json
from chartsight.schema import Question
from chartsight.vlm.checkpoint import CARD, fingerprint, model_folder, read_card
from chartsight.vlm.layouts.settings import layout_of
from chartsight.vlm.prompts import CHAT

if TYPE_CHECKING:
    from chartsight.vlm.checkpoint import Vlm

LONGEST_ANSWER = 1024  # tokens, as both original scripts generate
QUESTIONS, REPORT = "questions.parquet", "reproduce.md"


@dataclass(frozen=True)
class Reference:
    """A figure that others publish, in percent: to look at, not to be equal to."""

    what: str
    closed: float | None
    open_recall: float | None
    source: str


_PAPER = "microsoft/LLaVA-Med d406e3f, docs/llava_med_performance.md; tuned on VQA-RAD's train split"
REFERENCES = (
    Reference("LLaVA, tuned", 65.07, 50.00, _PAPER),
    Reference("LLaVA-Med v1.0 from LLaVA, tuned", 84.19, 61.52, _PAPER),
    Reference("LLaVA-Med v1.0 from Vicuna, tuned", 81.98, 64.39, _PAPER),
    Reference("LLaVA-Med v1.0 with BiomedCLIP, tuned", 83.09, 64.75, _PAPER),
    Reference("LLaVA-Med v1.5, not tuned, as a user found", 53.0, None, "MedEvalKit issue 13, by another scorer"),
)


@dataclass(frozen=True)
class Item:
    """A test question as the set has it.

    Args:
        item_id: The set's own.
        image: Its file.
        gold: The answer in words.
        is_closed: By the set's `answer_type`; by a yes or no as the answer where it has none (Parquet).
    """

    item_id: str
    image: Path
    question: str
    gold: str
    is_closed: bool


@dataclass(frozen=True)
class Column:
    """One set of answers under both scorers; shares from 0 to 1.

    Args:
        model: Its folder's name.
        answers: original or ours.
        n_closed: Questions answered.
        n_open: Likewise.
        closed_run_eval: By the original's `run_eval.py`.
        closed_run_eval_batch: By its `run_eval_batch.py`.
        open_scores: By both, means.
        closed: By ours.
        open_exact: By ours.
        open_f1: By ours.
        not_understood: Share of the answers that ours took for none.
    """

    model: str
    answers: str
    n_closed: int
    n_open: int
    closed_run_eval: float
    closed_run_eval_batch: float
    open_scores: Mapping[str, float]
    closed: Interval
    open_exact: Interval
    open_f1: Interval
    not_understood: float


def read_items(source: Path, images: Path | None, unpacked: Path) -> list[Item]:
    """The test split, in the set's order.

    Raises:
        QuestionError: It has no usable item, or two with one id.
    """
    run = Run("reproduce", {})
    items = []
    for row in read_rows(read_layout("vqa-rad", source, images, unpacked), {}, run, quiet=True):
        if row.split == "test":
            kind = row.details.get("answer_type")
            is_closed = row.answer_type == "boolean" if kind is None else kind == "CLOSED"
            gold = answer_in_words(row.answer)
            items.append(Item(str(row.own_id), row.images[0], row.question, gold, is_closed))
    if len({item.item_id for item in items}) < len(items):
        raise QuestionError("repeated-id", source, "two test questions have one qid", "a qid each")
    for is_closed, name in ((True, "closed"), (False, "open")):
        if not any(item.is_closed is is_closed for item in items):
            raise QuestionError("empty-split", source, f"has no usable {name} question in its test split")
    return items


def check_model(model: str) -> None:
    """Nothing, when `model` is a LLaVA in Hugging Face's layout.

    Raises:
        CheckpointError: It is something else.
    """
    folder = model_folder(model)
    if not (folder / CARD).is_file() and layout_of(folder).startswith("original"):
        raise CheckpointError(
            "original-layout", folder, "is in the original layout", "a converted model",
            "chartsight convert MODEL OUT --tower CLIP",
        )  # fmt: skip
    card = read_card(folder)
    if card.template == CHAT.name or card.preprocessing.channels != 3:
        raise CheckpointError("no-llava", folder, f"{card.name} is no LLaVA", "LLaVA-1.5 or LLaVA-Med v1.5")


def answer_as_original(vlm: Vlm, items: Iterable[Item], longest: int) -> Iterator[str]:
    """What stock `generate` says to each question by itself, greedily.

    Args:
        vlm: A LLaVA.
        items: Asked in order.
        longest: Most tokens of an answer.
    """
    import torch
    from PIL import Image
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

    how = vlm.card.preprocessing
    side = how.size_px
    processor = LlavaImageProcessorPil(
        do_pad=True, size={"shortest_edge": side}, crop_size={"height": side, "width": side},
        image_mean=list(how.mean), image_std=list(how.std),
    )  # fmt: skip
    for item in items:
        with Image.open(item.image) as image:
            pixels = processor(images=image.convert("RGB"), return_tensors="pt")["pixel_values"]
        ids = torch.tensor([vlm.prompts.prompt_ids(item.question, 1)], device=vlm.device)
        with torch.inference_mode():
            said = vlm.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels.to(vlm.device, vlm.model.dtype),
                do_sample=False, max_new_tokens=longest, pad_token_id=vlm.tokenizer.pad_token_id,
            )  # fmt: skip
        yield str(vlm.tokenizer.decode(said[0, ids.shape[1] :], skip_special_tokens=True)).strip()


def original_answers(model: str, items: Sequence[Item], kept: Path, longest: int, *, quiet: bool) -> dict[str, str]:
    """item_id → text; appended to `kept` as they come, and those that stand there are not asked again.

    Raises:
        OutputError: `kept` holds answers of another model, or by another limit.
    """
    import torch

    from chartsight.vlm.checkpoint import load_vlm

    head = {"model": fingerprint(model_folder(model)), "max_new_tokens": longest}
    lines = kept.read_text("utf-8").splitlines(keepends=True) if kept.is_file() else []
    whole = [json.loads(line) for line in lines if line.endswith("\n")]  # a kill may have cut off the last one
    if whole and whole[0] != head:
        raise OutputError(
            "other-run", kept, "holds answers of another model or limit", "the same", "choose another OUT"
        )
    kept.write_text("".join(json.dumps(line) + "\n" for line in (whole or [head])), "utf-8")
    answers = {line["id"]: line["text"] for line in whole[1:]}
    if missing := [item for item in items if item.item_id not in answers]:
        vlm = load_vlm(model, "cuda" if torch.cuda.is_available() else "cpu")
        with kept.open("a", encoding="utf-8") as file:
            texts = answer_as_original(vlm, missing, longest)
            for item, text in zip(track(missing, "as the original", quiet=quiet), texts, strict=True):
                answers[item.item_id] = text
                file.write(json.dumps({"id": item.item_id, "text": text}) + "\n")
                file.flush()
    return answers


def score(
    model: str, answers: str, items: Sequence[Item], texts: Mapping[str, str], questions: Mapping[str, Question],
    verdicts: Mapping[str, Score],
) -> Column:  # fmt: skip
    """A column of the table.

    Args:
        model: Name.
        answers: original or ours.
        items: Of the test split.
        texts: item_id → what was said; those that were not asked are left out.
        questions: item_id → the question as imported; repeats are not imported.
        verdicts: item_id → ours on it.
    """
    asked = [item for item in items if item.item_id in texts]
    closed = [(item.gold, texts[item.item_id]) for item in asked if item.is_closed]
    opened = [score_open(item.gold, texts[item.item_id]) for item in asked if not item.is_closed]
    judged = [item for item in asked if item.item_id in verdicts]
    ours = [verdicts[item.item_id] for item in judged]
    is_closed = np.array([item.is_closed for item in judged], dtype=bool)
    bootstrap = ClusterBootstrap(patients_of([questions[item.item_id] for item in judged]), seed=0)
    is_correct = np.array([each.is_correct for each in ours], dtype=bool)
    return Column(
        model, answers, len(closed), len(opened),
        mean(closed_corrected(*each) for each in closed), mean(contained(*each) for each in closed),
        {field.name: mean(getattr(each, field.name) for each in opened) for field in fields(OpenScores)},
        closed=bootstrap.proportion(is_correct, is_closed),
        open_exact=bootstrap.proportion(is_correct, ~is_closed),
        open_f1=bootstrap.mean([each.credit for each in ours], ~is_closed),
        not_understood=mean(each.outcome != "answered" for each in ours),
    )  # fmt: skip


def mean(values: Iterable[float]) -> float:
    """`nan` of nothing."""
    listed = list(values)
    return fmean(listed) if listed else float("nan")


def reproduce(
    models: Sequence[str], source: Path, out: Path, *, images: Path | None = None, limit: int | None = None,
    longest: int = LONGEST_ANSWER, quiet: bool = False,
) -> list[Column]:  # fmt: skip
    """Two columns a model; answers, table and manifest in `out`.

    Raises:
        CheckpointError, QuestionError, OutputError: As found, before any model is loaded where it can be.
    """
    names = [Path(model).name for model in models]
    if len(set(names)) < len(names):
        raise CheckpointError("repeated-model", "MODEL", f"two are called {max(names, key=names.count)}", "a name each")
    for model in models:
        check_model(model)
    run = Run("reproduce", {"models": list(models), "source": source, "limit": limit, "max_new_tokens": longest})
    questions_path = out / QUESTIONS
    manifest = read_manifest(questions_path) if questions_path.exists() else None
    if manifest is None:
        import_questions(source, questions_path, ImportConfig("vqa-rad", images=images), quiet=quiet)
    elif manifest["config"]["source"] != str(source):
        raise OutputError("other-run", out, f"holds questions of {manifest['config']['source']}", str(source))
    items = read_items(source, images, out / f"{Path(QUESTIONS).stem}.images")
    known = {str(json.loads(each.parameters)["id"]): each for each in read_questions(questions_path)}
    columns = []
    for name, model in zip(names, models, strict=True):
        predictions = predict_questions(
            model, questions_path, out / f"{name}.parquet", scoring="allowed", limit=limit, quiet=quiet
        )
        said, verdicts = read_ours(predictions, known)
        texts = original_answers(
            model, [item for item in items if limit is None or item.item_id in said], out / f"{name}.original.jsonl",
            longest, quiet=quiet,
        )  # fmt: skip
        judged = {each: score_text(known[each], text) for each, text in texts.items() if each in known}
        columns.append(score(name, "original", items, texts, known, judged))
        columns.append(score(name, "ours", items, said, known, verdicts))
    run.kept = {"test questions": len(items), "models": len(models)}
    with new_output(out / REPORT, replace=True) as partial:
        partial.write_text(render(columns, source), "utf-8")
    write_json(out / "reproduce.json", as_dict(columns))
    run.outputs = [{"path": REPORT, "sha256": sha256_file(out / REPORT)}]
    run.write(out)
    return columns


def read_ours(predictions: Path, known: Mapping[str, Question]) -> tuple[dict[str, str], dict[str, Score]]:
    """item_id → text, and item_id → verdict, of a file of predictions."""
    import pyarrow.parquet as pq

    rows = {row["question_id"]: row for row in pq.read_table(predictions).to_pylist()}
    texts, verdicts = {}, {}
    for item_id, question in known.items():
        if (row := rows.get(question.question_id)) is not None:
            verdicts[item_id] = score_prediction(question, row["raw_text"], row["outcome"], row["value"])
            texts[item_id] = row["raw_text"] or answer_in_words(verdicts[item_id].value)
    return texts, verdicts


def lines_of(columns: Sequence[Column]) -> list[tuple[str, list[str]]]:
    """What a line of the table is, and its cells in percent."""

    def share(value: float) -> str:
        return f"{100 * value:.2f}"

    def sure(value: Interval) -> str:
        return f"{share(value.estimate)} [{share(value.low)}, {share(value.high)}]"

    opened = {
        "recall": "open, recall", "f1": "open, F1", "precision": "open, precision", "exact": "open, “exact match”",
        "contained": "open, gold in the text", "bleu": "open, BLEU", "bleu_1": "open, BLEU of 1",
        "bleu_2": "open, BLEU of 2", "bleu_3": "open, BLEU of 3",
    }  # fmt: skip
    return [
        ("questions, closed and open", [f"{each.n_closed} and {each.n_open}" for each in columns]),
        ("original: closed, run_eval.py", [share(each.closed_run_eval) for each in columns]),
        ("original: closed, run_eval_batch.py", [share(each.closed_run_eval_batch) for each in columns]),
        *((f"original: {what}", [share(each.open_scores[key]) for each in columns]) for key, what in opened.items()),
        ("ours: closed, accuracy", [sure(each.closed) for each in columns]),
        ("ours: open, equal", [sure(each.open_exact) for each in columns]),
        ("ours: open, F1 of words", [sure(each.open_f1) for each in columns]),
        ("ours: not understood as an answer", [share(each.not_understood) for each in columns]),
    ]


def render(columns: Sequence[Column], source: Path) -> str:
    """The table as a page in Markdown, published figures below."""
    heads = [f"{each.model}: {each.answers} answers" for each in columns]
    page = [
        "# VQA-RAD, by the original conventions and by ours", "",
        f"Test split of `{source.name}`, percent. {datetime.now(UTC).date().isoformat()}; {describe_machine()}.",
        f"Ours is {scorer_stamp()}; brackets: 95%, cases drawn. How answers come about: `benchmarks/reproduce.py`.", "",
        f"| scorer | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}",
        *(f"| {what} | {' | '.join(cells)} |" for what, cells in lines_of(columns)), "",
        "## What others publish, for reference", "",
        "The two repositories hold no figure of LLaVA-1.5 or LLaVA-Med v1.5 on VQA-RAD. None of these is ours.", "",
        "| what | closed | open, recall | source |", "|---|---:|---:|---|",
        *(
            f"| {each.what} | {'–' if each.closed is None else each.closed} | "
            f"{'–' if each.open_recall is None else each.open_recall} | {each.source} |"
            for each in REFERENCES
        ),
    ]  # fmt: skip
    return "\n".join(page) + "\n"


def as_dict(columns: Sequence[Column]) -> dict[str, Any]:
    """The table as JSON."""
    return {
        "columns": [asdict(each) for each in columns],
        "references": [asdict(each) for each in REFERENCES],
        "scorer": scorer_stamp(),
    }


def show(columns: Sequence[Column]) -> None:
    """The table on the terminal."""
    table = Table("percent", *(f"{each.model}: {each.answers}" for each in columns))
    for what, cells in lines_of(columns):
        table.add_row(what, *cells)
    Console().print(table)


def main(
    models: Annotated[list[str], typer.Argument(help="Converted models: folders of LLaVA-1.5 or LLaVA-Med v1.5.")],
    vqa_rad: Annotated[Path, typer.Option(help="VQA_RAD Dataset Public.json, its folder, or a folder of Parquet.")],
    out: Annotated[Path, typer.Option(help="A folder; a run that was killed goes on in it.")] = Path("reproduce"),
    images: Annotated[Path | None, typer.Option(help="Of the JSON, when they do not lie beside it.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many test questions.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Of an answer by the original.")] = LONGEST_ANSWER,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Models on VQA-RAD by the original conventions and scorer, and by ours."""
    columns = reproduce(models, vqa_rad, out, images=images, limit=limit, longest=max_new_tokens, quiet=quiet)
    if as_json:
        typer.echo(json.dumps(as_dict(columns), indent=2))
    else:
        show(columns)


if __name__ == "__main__":
    run_alone(main)
