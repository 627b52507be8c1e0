"""`chartsight review export`: a finished comparison → one sheet a rater, and the key that stays at home.

OUT/sheet-r1.html, sheet-r2.html    one file a rater, to be opened from disk
OUT/key.parquet                     place on a sheet → item, stratum, weight, letter → model; never given to raters
OUT/run.json                        the manifest
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chartsight.errors import ReviewError
from chartsight.imaging.film_index import read_film_index
from chartsight.questions.files import film_index_of
from chartsight.review.compared import Compared, ReviewedModel, outcome_strata, quadrants, read_comparison
from chartsight.review.sampling import Drawn, draw_sample, number_clusters, order_sheet
from chartsight.review.sheet import Sheet, can_be_shared, encode_films, render_sheet
from chartsight.runs import Run, check_apart, new_output, sha256_file
from chartsight.schema import SCHEMA_VERSION

METADATA = b"chartsight.review"
RATER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
USUAL_DOUBLE = 0.75  # of 200 items 150 seen twice: a kappa with a standard error of about 0.06

KEY_SCHEMA = pa.schema(
    [
        ("sheet_id", pa.string()), ("rater", pa.string()), ("position", pa.int32()), ("letter", pa.string()),
        ("model", pa.string()), ("item", pa.int32()), ("question_id", pa.string()), ("cluster", pa.int32()),
        ("template_id", pa.string()), ("answer_type", pa.string()), ("outcome_stratum", pa.string()),
        ("quadrant", pa.string()), ("stratum_size", pa.int32()), ("stratum_drawn", pa.int32()),
        ("weight", pa.float64()), ("is_double", pa.bool_()), ("is_repeat", pa.bool_()), ("outcome", pa.string()),
        ("is_correct", pa.bool_()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class ReviewConfig:
    """What is reviewed, by whom.

    Args:
        models: Names of those whose answers are shown, the one that the study is about first; the fine-tuned model and
            the baseline when None.
        items: How many items; all when there are fewer.
        raters: A short code of each, which names the file; better no person's name.
        double: Share of items that two raters see; 0.75, and 0 with one rater, when None.
        repeats: Share of a rater's items that come again, hidden, in the last third.
        seed: The same seed gives the same bytes.
        film_pixels: Longest side of a film on the sheet.
        shareable: Without films, free text and identifiers.
        title: On top of the sheets.
    """

    models: tuple[str, ...] | None = None
    items: int = 200
    raters: tuple[str, ...] = ("r1", "r2")
    double: float | None = None
    repeats: float = 0.1
    seed: int = 7
    film_pixels: int = 1024
    shareable: bool = False
    title: str = "Which answer would you give?"

    def __post_init__(self) -> None:
        if not self.raters:
            raise ReviewError("no-raters", "--rater", "none", "at least one")
        for name in self.raters:
            if not RATER_NAME.fullmatch(name):
                raise ReviewError("bad-rater", "--rater", repr(name), "letters, digits, - and _, at most 32")
        if len({name.lower() for name in self.raters}) < len(self.raters):
            raise ReviewError("repeated-rater", "--rater", ", ".join(self.raters), "each rater once")
        for option, value, least in (("--items", self.items, 1), ("--film-pixels", self.film_pixels, 64)):
            if value < least:
                raise ReviewError("bad-number", option, str(value), f"at least {least}")
        if self.seed < 0:
            raise ReviewError("bad-seed", "--seed", str(self.seed), "0 or more")


def export_review(
    comparison: Path, out: Path, config: ReviewConfig | None = None, *, questions: Path | None = None,
    force: bool = False,
) -> Run:  # fmt: skip
    """The sheets of a review in the new folder `out`, with their key.

    Args:
        comparison: What `chartsight compare` finished.
        out: The folder to appear.
        config: See there.
        questions: The question set of the comparison, where it moved since.
        force: Replace `out` when a review stands there.

    Raises:
        ReviewError: The comparison cannot be reviewed, or not so.
        QuestionError: Its questions cannot be read.
        FilmError: A film is missing or broken.
        OutputError: `out` exists, or cannot be made.
    """
    config = config or ReviewConfig()
    comparison, out = Path(comparison), Path(out)
    compared, chosen = read_comparison(comparison, questions=questions, models=config.models)
    check_apart(out, comparison, compared.questions_path)
    double = config.double if config.double is not None else USUAL_DOUBLE if len(config.raters) > 1 else 0.0
    run = Run("review export", {**asdict(config), "double": double}, config.seed)
    run.terms, run.pairing = compared.terms, compared.pairing
    run.parent_runs.append(compared.run_id)
    run.read(compared.questions_path, rows=len(compared.questions))
    run.read(comparison / "items.csv", rows=len(compared.questions))

    who_is_right = outcome_strata(compared, chosen)
    where, told_by = quadrants(compared, chosen[0])
    about_one = [index for index, question in enumerate(compared.questions) if question.looks_at_one_film]
    usable = [index for index in about_one if not config.shareable or can_be_shared(compared.questions[index])]
    for reason, before, after in (
        ("not about one film", len(compared.questions), len(about_one)),
        ("answer in free text", len(about_one), len(usable)),
    ):
        if before > after:
            run.drop(reason, comparison, count=before - after)
    if not usable:
        hint = "leave --shareable out" if about_one else ""
        raise ReviewError("no-items", comparison, "has no item that a sheet can show", "questions about one film", hint)
    strata = [f"{who_is_right[index]}, {where[index]}" for index in usable]
    sample = [
        replace(drawn, index=usable[drawn.index])
        for drawn in draw_sample(strata, config.items, raters=len(config.raters), double=double, seed=config.seed)
    ]
    films = None
    if not config.shareable:
        index_of_films = read_film_index(film_index_of(compared.questions_path))
        image_ids = sorted({compared.questions[drawn.index].image_ids[0] for drawn in sample})
        films = encode_films(index_of_films.films(image_ids), config.film_pixels)
    sheets = [
        render_sheet(
            compared, chosen, sample, order_sheet(sample, number, repeats=config.repeats, seed=config.seed),
            rater=rater, number=number, seed=config.seed, title=config.title, films=films,
        )
        for number, rater in enumerate(config.raters)
    ]  # fmt: skip
    for sheet in sheets:
        if not sheet.places:
            raise ReviewError("few-items", "--items", f"leaves rater {sheet.rater} nothing to rate", "more items")
    rows = key_rows(compared, sample, sheets, who_is_right, where, keep_ids=not config.shareable)
    study = describe_study(compared, chosen, usable, sample, strata, told_by, config)
    with new_output(out, replace=force) as partial:
        partial.mkdir()
        for sheet in sheets:
            (partial / f"sheet-{sheet.rater}.html").write_text(sheet.html, "utf-8")
        schema = KEY_SCHEMA.with_metadata({METADATA: json.dumps(study, sort_keys=True).encode()})
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial / "key.parquet", compression="zstd")
        for path in sorted(partial.iterdir()):
            run.outputs.append({"path": path.name, "sha256": sha256_file(path)})
        run.kept = {
            "items": len(sample), "of": len(usable), "rated twice": sum(len(each.raters) > 1 for each in sample),
            "repeats": sum(place.entry.is_repeat for sheet in sheets for place in sheet.places), "sheets": len(sheets),
        }  # fmt: skip
        run.write(partial)
    return run


def key_rows(
    compared: Compared,
    sample: Sequence[Drawn],
    sheets: Sequence[Sheet],
    who_is_right: Sequence[str],
    where: Sequence[str],
    *,
    keep_ids: bool,
) -> list[dict[str, Any]]:
    """One row for every model at every place of every sheet."""
    clusters = number_clusters([compared.patients[drawn.index] for drawn in sample])
    rows = []
    for sheet in sheets:
        for place in sheet.places:
            drawn = sample[place.entry.item]
            question = compared.questions[drawn.index]
            for letter, models in place.models.items():
                for model in models:
                    said = compared.said[model, "full"]
                    rows.append(
                        {
                            "sheet_id": sheet.sheet_id, "rater": sheet.rater, "position": place.position,
                            "letter": letter, "model": model, "item": place.entry.item + 1,
                            "question_id": question.question_id if keep_ids else None,
                            "cluster": clusters[place.entry.item], "template_id": question.template_id,
                            "answer_type": question.answer_type, "outcome_stratum": who_is_right[drawn.index],
                            "quadrant": where[drawn.index], "stratum_size": drawn.size, "stratum_drawn": drawn.drawn,
                            "weight": drawn.weight, "is_double": len(drawn.raters) > 1,
                            "is_repeat": place.entry.is_repeat, "outcome": said.outcomes[drawn.index],
                            "is_correct": bool(said.is_correct[drawn.index]),
                        }
                    )  # fmt: skip
    return rows


def describe_study(
    compared: Compared,
    chosen: Sequence[ReviewedModel],
    usable: Sequence[int],
    sample: Sequence[Drawn],
    strata: Sequence[str],
    told_by: str,
    config: ReviewConfig,
) -> dict[str, Any]:
    """What the key says of the review as a whole: models, strata, and how the scorer judged all items."""
    drawn = Counter(each.stratum for each in sample)
    scores: Mapping[str, float] = {
        model.name: float(compared.said[model.name, "full"].is_correct[list(usable)].mean()) for model in chosen
    }
    return {
        "schema_version": SCHEMA_VERSION, "models": [asdict(model) for model in chosen],
        "raters": list(config.raters), "seed": config.seed, "repeats": config.repeats,
        "is_shareable": config.shareable, "terms": compared.terms, "pairing": compared.pairing,
        "scorer": compared.scorer, "population": len(usable), "accuracy_by_scorer": scores, "quadrants_by": told_by,
        "strata": {name: {"size": size, "drawn": drawn[name]} for name, size in sorted(Counter(strata).items())},
    }  # fmt: skip
