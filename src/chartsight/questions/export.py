"""A question set for other people's trainers: LLaVA's conversations, JSON Lines, or a Hugging Face data set.

    llava/  train.json valid.json test.json           [{"id": ..., "image": "p10/.../a.jpg", "conversations": [...]}]
            valid.questions.jsonl test.questions.jsonl  what LLaVA's own evaluation asks
    jsonl/  train.jsonl valid.jsonl test.jsonl        one object a line; `questions import` reads them back
    hf/     data/train-00000-of-00001.parquet ...     the films inside; `datasets.load_dataset(folder)` reads it

Beside them README.md, export.json (what a guesser scores, the metrics, leakage, what was left out) and run.json. Every
check of `refusals` is run; what cannot be written is left out with a reason, or stops the export.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from chartsight.errors import QuestionError
from chartsight.imaging.film_index import FilmIndex, IndexedFilm, read_film_index
from chartsight.progress import track
from chartsight.questions import refusals
from chartsight.questions.answer_text import render_answer
from chartsight.questions.data_card import NOT_CLINICAL, RESEARCH_ONLY, blind_baselines
from chartsight.questions.files import film_index_of, read_questions
from chartsight.questions.refusals import IMAGE_TOKEN, IMAGE_TOKENS, MAX_LENGTH, METRICS, Turn
from chartsight.questions.subsets import Subset, select_subset
from chartsight.questions.wording import Wording, word_question
from chartsight.runs import Run, check_apart, new_output, read_manifest, write_json
from chartsight.schema import SPLITS, Question, Split, strictest_pairing, strictest_terms

Format = Literal["llava", "jsonl", "hf"]
ROWS_A_SHARD = 50_000
ROWS_A_GROUP = 256  # the films of a row group are held in memory
HF_SPLITS: Mapping[Split, str] = {"train": "train", "valid": "validation", "test": "test"}


@dataclass(frozen=True)
class ExportConfig:
    """What to write.

    Args:
        format: llava, jsonl or hf.
        text: `question`, the paraphrase; `template`, the template's own words.
        subset: all, or poster: EHRXQA's 4,200 one-image questions.
        max_length: Of the training run that will read it, in tokens.
        image_tokens: That a film takes of it.
        allow_leakage: Write a set whose splits share patients, studies or images, and say so.
    """

    format: Format = "llava"
    text: Wording = "question"
    subset: Subset = "all"
    max_length: int = MAX_LENGTH
    image_tokens: int = IMAGE_TOKENS
    allow_leakage: bool = False

    def __post_init__(self) -> None:
        for name, known in (("format", Format), ("text", Wording), ("subset", Subset)):
            if getattr(self, name) not in get_args(known):
                raise QuestionError(f"unknown-{name}", name, str(getattr(self, name)), " or ".join(get_args(known)))
        if self.image_tokens < 1:
            raise QuestionError("bad-number", "image_tokens", str(self.image_tokens), "at least 1")


def export_questions(
    questions: Path, out: Path, config: ExportConfig | None = None, *, quiet: bool = False, force: bool = False
) -> Run:
    """A folder in another trainer's layout, whole or not at all.

    Args:
        questions: A question set.
        out: A new folder.
        config: What to write; LLaVA's conversations of all questions when None.
        quiet: Without progress.
        force: Replace `out` when chartsight made it.

    Raises:
        QuestionError: `questions` is no question set, or nothing of it can be written.
        FilmError: The film index is missing, or a film is.
        GateError: A check of `refusals`.
        OutputError: `out` exists already, or the disk is full.
    """
    config = config or ExportConfig()
    questions, out = Path(questions), Path(out)
    check_apart(out, questions)
    everything = read_questions(questions)
    refusals.check_manifest(read_manifest(questions), questions.name, len(everything))
    chosen = select_subset(everything, config.subset)
    run = Run("questions export", {"questions": questions.name, **asdict(config)})
    run.read(questions, len(everything))
    run.terms = strictest_terms(question.terms for question in chosen)
    run.pairing = strictest_pairing(question.pairing for question in chosen)
    asks_films = any(question.image_ids for question in chosen)
    index = read_film_index(film_index_of(questions)) if asks_films else FilmIndex([], questions)
    turns = list(write_turns(chosen, index, config, run))
    refusals.check_accounted(len(chosen), len(turns), run.dropped)
    if not turns:
        reasons = ", ".join(f"{reason} ({n:,})" for reason, n in sorted(run.dropped.items()))
        raise QuestionError("nothing-to-export", questions, f"no question can be written as {config.format}: {reasons}")
    leaks = refusals.find_leakage(
        (turn.question for turn in turns), {name: film.digest for name, film in index.items()}
    )
    refusals.check_leakage(leaks, allowed=config.allow_leakage)
    facts = describe_export(turns, everything, leaks, config, run)
    films = index.films(sorted({image_id for turn in turns for image_id in turn.question.image_ids}))
    root = Path(os.path.commonpath([film.path.parent for film in films])) if films else Path()
    paths = {film.image_id: film.path.relative_to(root).as_posix() for film in films}
    facts["image_folder"] = str(root) if films and config.format != "hf" else None
    if config.format == "llava":
        for film in films:
            refusals.check_depth(film.path, _mode(film))
    with new_output(out, replace=force) as partial:
        partial.mkdir()
        for split in SPLITS:
            asked = [turn for turn in turns if turn.question.split == split]
            if not asked:
                continue
            if config.format == "llava":
                write_llava(partial, split, asked, paths)
            elif config.format == "jsonl":
                write_json_lines(partial, split, asked, paths)
            else:
                write_hugging_face(partial, split, asked, index, quiet=quiet)
            run.outputs.append({"path": split, "rows": len(asked)})
        write_json(partial / "export.json", facts)
        (partial / "README.md").write_text(render_readme(questions.name, facts, config), "utf-8")
        run.kept = {"questions": len(turns), "films": len(films)}
        run.kept |= {split: sum(turn.question.split == split for turn in turns) for split in SPLITS}
        run.write(partial)
    return run


def write_turns(questions: Sequence[Question], index: FilmIndex, config: ExportConfig, run: Run) -> Iterator[Turn]:
    """Every question that the format can hold, checked; the others are counted in `run` with a reason.

    Raises:
        QuestionError: The template's words are asked for, and a question has none.
        GateError: A check of `refusals`.
    """
    if config.format != "jsonl" or any(question.image_ids for question in questions):
        refusals.check_room(config.max_length, config.image_tokens)
    frontal = frontal_films(index.source)
    study_of = {image_id: film.study_id for image_id, film in index.items()}
    for question in questions:
        n_films = len(question.image_ids)
        if config.format != "jsonl" and n_films != 1:
            run.drop("about no single film" if n_films else "about no film", "questions", question.question_id)
            continue
        if not question.answerable:
            run.drop("not answerable", "questions", question.question_id)
            continue
        if refusals.repeats_members(question):
            run.drop("a published list that holds a value twice", "questions", question.question_id)
            continue
        words = word_question(question, config.text)
        turn = Turn(
            question, "\n".join([*[IMAGE_TOKEN] * n_films, words]), render_answer(question.answer, question.answer_type)
        )
        if not fits_format(turn, config):
            run.drop("may not fit max_length", "questions", question.question_id)
            continue
        if n_films:
            refusals.check_film(question, study_of, frontal)
        refusals.check_image_token(turn)
        refusals.check_identifiers(turn, identifiers_of(question))
        refusals.check_set(question)
        refusals.check_silence(turn)
        refusals.check_true_false(turn)
        refusals.check_read_back(turn)
        yield turn


def fits_format(turn: Turn, config: ExportConfig) -> bool:
    """Whether a trainer with this limit surely sees the whole answer; a question about no film has no limit here."""
    return not turn.question.image_ids or refusals.fits(turn, config.max_length, config.image_tokens)


def identifiers_of(question: Question) -> set[str]:
    """What in a prompt would name the patient, a study or an image."""
    named = set(question.image_ids)
    if not question.source.startswith(refusals.OF_A_RECORD):
        return named  # patients and studies were numbered on import
    named |= {str(study_id) for study_id in question.study_ids}
    return named | ({str(question.subject_id)} if question.subject_id is not None else set())


def frontal_films(source: Path) -> dict[int, str]:
    """study_id → the film that a record keeps for it; empty when `source` is no record."""
    if source.suffix == ".parquet" or not source.is_file():
        return {}
    from chartsight.records import open_record

    with open_record(source) as record:
        return dict(record.connection.execute("SELECT study_id, image_id FROM tb_cxr").fetchall())


def describe_export(
    turns: Sequence[Turn], everything: Sequence[Question], leaks: Mapping[str, Mapping[str, int]],
    config: ExportConfig, run: Run,
) -> dict[str, Any]:  # fmt: skip
    """What a reader must know of an export: terms, what a guesser scores, the metrics, leakage, what was left out.

    Raises:
        GateError: A split without a blind baseline, or an answer type without a metric.
    """
    written = [turn.question for turn in turns]
    kinds = Counter(question.answer_type for question in written)
    splits = Counter(question.split for question in written)
    baselines = blind_baselines(written, everything)
    refusals.check_blind_baseline(splits, {name: figures["accuracy"] for name, figures in baselines.items()})
    metrics = {kind: METRICS[kind] for kind in sorted(kinds) if kind in METRICS}
    refusals.check_metrics(kinds, metrics)
    return {
        "format": config.format, "text": config.text, "subset": config.subset, "max_length": config.max_length,
        "image_tokens": config.image_tokens, "questions": {split: splits.get(split, 0) for split in SPLITS},
        "answer_types": dict(sorted(kinds.items())), "tied": sum(question.tied for question in written),
        "dropped": dict(sorted(run.dropped.items())), "blind_baselines": baselines, "metrics": metrics,
        "leakage": leaks,
        "terms": run.terms, "pairing": run.pairing, "pairing_note": NOT_CLINICAL.get(str(run.pairing)),
        "research_only": RESEARCH_ONLY,
    }  # fmt: skip


def write_llava(folder: Path, split: Split, turns: Sequence[Turn], paths: Mapping[str, str]) -> None:
    """LLaVA's conversations of one split, and for an evaluated split the questions that its own evaluation reads."""
    rows = []
    for turn in turns:
        (image_id,) = turn.question.image_ids
        conversation = [{"from": "human", "value": turn.prompt}, {"from": "gpt", "value": turn.answer}]
        rows.append({"id": turn.question.question_id, "image": paths[image_id], "conversations": conversation})
    with (folder / f"{split}.json").open("w", encoding="utf-8") as file:
        json.dump(rows, file, ensure_ascii=False, indent=1)
    if split == "train":
        return
    with (folder / f"{split}.questions.jsonl").open("w", encoding="utf-8") as file:
        for turn, row in zip(turns, rows, strict=True):
            asked = {
                "question_id": turn.question.question_id, "image": row["image"],
                "text": turn.prompt.replace(IMAGE_TOKEN, "").strip(), "category": turn.question.answer_type,
            }  # fmt: skip
            file.write(json.dumps(asked, ensure_ascii=False) + "\n")


def write_json_lines(folder: Path, split: Split, turns: Sequence[Turn], paths: Mapping[str, str]) -> None:
    """One object a line, typed answers beside their words; a question about no film keeps its program."""
    with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
        for turn in turns:
            question = turn.question
            images = [paths[image_id] for image_id in question.image_ids]
            row: dict[str, Any] = {
                "id": question.question_id, "split": split, **({"image": images[0]} if len(images) == 1 else {}),
                **({"images": images} if len(images) > 1 else {}),
                "question": turn.prompt.replace(IMAGE_TOKEN, "").strip(), "answer": json.loads(question.answer),
                "answer_text": turn.answer, "answer_type": question.answer_type,
                "allowed_answers": list(question.allowed_answers), "patient_id": pseudonym(question),
                "template_id": question.template_id, "kind": question.kind, "tied": question.tied,
            }  # fmt: skip
            if not images:
                row |= {"program": question.program, "now": question.now}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def pseudonym(question: Question) -> str | None:
    """A name for the patient that is the same in every export and is not the patient's own number."""
    if question.subject_id is None:
        return None
    return "p-" + hashlib.sha256(f"chartsight:{question.subject_id}".encode()).hexdigest()[:16]


def write_hugging_face(
    folder: Path, split: Split, turns: Sequence[Turn], index: FilmIndex, *, quiet: bool = False
) -> None:
    """Parquet files of one split with the films inside, in the metadata's and the file names' conventions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = hf_features()
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            *((name, pa.list_(pa.string()) if name == "allowed_answers" else pa.string()) for name in _HF_TEXTS),
            ("tied", pa.bool_()),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    (folder / "data").mkdir(exist_ok=True)
    turns = sorted(turns, key=lambda turn: (turn.question.image_ids, turn.question.question_id))
    shards = [turns[start : start + ROWS_A_SHARD] for start in range(0, len(turns), ROWS_A_SHARD)]
    for number, shard in enumerate(shards):
        path = folder / "data" / f"{HF_SPLITS[split]}-{number:05d}-of-{len(shards):05d}.parquet"
        # A film with many questions stands once in a row group: its rows lie together, its bytes in the dictionary.
        with pq.ParquetWriter(
            path, schema, compression="zstd", use_dictionary=True, dictionary_pagesize_limit=1 << 30
        ) as writer:
            starts = range(0, len(shard), ROWS_A_GROUP)
            for start in track(starts, f"{HF_SPLITS[split]} films", quiet=quiet):
                group = shard[start : start + ROWS_A_GROUP]
                films: dict[str, bytes] = {}
                for turn in group:
                    image_id = turn.question.image_ids[0]
                    if image_id not in films:
                        films[image_id] = film_bytes(index[image_id])
                writer.write_table(pa.Table.from_pylist([_hf_row(turn, films) for turn in group], schema=schema))


_HF_TEXTS = (
    "question", "answer", "answer_json", "answer_type", "allowed_answers", "question_id", "template_id", "patient",
    "label_source",
)  # fmt: skip


def hf_features() -> dict[str, Any]:
    """The columns as the `datasets` library names them."""
    text = {"dtype": "string", "_type": "Value"}
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    features |= {
        name: {"feature": text, "_type": "Sequence"} if name == "allowed_answers" else text for name in _HF_TEXTS
    }
    return features | {"tied": {"dtype": "bool", "_type": "Value"}}


def _hf_row(turn: Turn, films: Mapping[str, bytes]) -> dict[str, Any]:
    question = turn.question
    return {
        "image": {"bytes": films[question.image_ids[0]], "path": None},
        "question": turn.prompt.replace(IMAGE_TOKEN, "").strip(), "answer": turn.answer, "answer_json": question.answer,
        "answer_type": question.answer_type, "allowed_answers": list(question.allowed_answers),
        "question_id": question.question_id, "template_id": question.template_id, "patient": pseudonym(question),
        "label_source": question.label_source, "tied": question.tied,
    }  # fmt: skip


def film_bytes(film: IndexedFilm) -> bytes:
    """The file's own bytes; a film of 16 bits as a PNG of 8, by the depth of its detector.

    Raises:
        FilmError: It cannot be read.
    """
    if not _mode(film).startswith("I"):
        return film.path.read_bytes()
    from PIL import Image

    from chartsight.imaging.pixels import read_film

    buffer = io.BytesIO()
    Image.fromarray(read_film(film.path)).save(buffer, "PNG")
    return buffer.getvalue()


def _mode(film: IndexedFilm) -> str:
    from chartsight.imaging.pixels import film_mode

    return film_mode(film.path)


def render_readme(name: str, facts: Mapping[str, Any], config: ExportConfig) -> str:
    """The page beside the files; for a Hugging Face data set with the header that its library reads."""
    header: list[str] = []
    splits = [split for split in SPLITS if facts["questions"][split]]
    if config.format == "hf":
        header = ["---", "configs:", "- config_name: default", "  data_files:"]
        for split in splits:
            header += [f"  - split: {HF_SPLITS[split]}", f"    path: data/{HF_SPLITS[split]}-*"]
        header += ["license: other", "task_categories:", "- visual-question-answering", "---", ""]
    lines = [
        *header, f"# {name}, exported for {config.format}", "", facts["research_only"], "",
        f"Terms: **{facts['terms']}**. Pairing of films and tables: **{facts['pairing']}**.",
    ]  # fmt: skip
    if facts["pairing_note"]:
        lines += ["", f"> {facts['pairing_note']}"]
    lines += ["", "| split | questions | a guesser that never looks scores |", "|---|---:|---:|"]
    for split in splits:
        baseline = facts["blind_baselines"].get(split)
        shown = "" if baseline is None else f"{100 * baseline['accuracy']:.1f} % ({baseline['from']})"
        lines.append(f"| {split} | {facts['questions'][split]:,} | {shown} |")
    lines += ["", "How answers are scored:", ""]
    lines += [f"* `{kind}` ({facts['answer_types'][kind]:,}): {rule}" for kind, rule in facts["metrics"].items()]
    lines += [
        "",
        "How answers are written: `yes`, `no`; the sorted members of a set, `none` for an empty one, a member",
    ]
    lines += ["with a comma in double quotes; numbers in plain digits.", ""]
    shared = [
        f"* {number:,} {kind}(s) in both {pair.replace('-', ' and ')}"
        for kind, pairs in facts["leakage"].items()
        for pair, number in pairs.items()
        if number
    ]
    lines += ["**The splits share**, so that no figure of these splits stands alone:", "", *shared] if shared else [
        "The splits share no patient, no study and no image."
    ]  # fmt: skip
    if facts["dropped"]:
        lines += ["", "Left out:", ""] + [f"* {n:,}: {reason}" for reason, n in facts["dropped"].items()]
    if facts["tied"]:
        lines += ["", f"{facts['tied']:,} answers hang on a tie in their query and are marked so in the question set."]
    return "\n".join(lines) + "\n"
