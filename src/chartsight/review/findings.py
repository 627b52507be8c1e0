"""`chartsight review agree`: imported ratings → how far raters agree, with each other, themselves and the scorer, and
what people say of the models, weighted back to all items of the comparison.

Weights: an item stands for (size of its stratum / items of it that were rated). Where two raters judged an item, each
counts half. Every interval draws whole patients.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chartsight.errors import ReviewError
from chartsight.evaluation import ClusterBootstrap, Interval, wilson
from chartsight.review.agreement import (
    MISSING,
    Codes,
    Floats,
    Statistic,
    agreement_columns,
    alpha_words,
    cohen_kappa,
    coincidence_columns,
    disagreement,
    encode,
    gwet_ac1,
    gwet_columns,
    krippendorff_alpha,
    pair_columns,
    percent_agreement,
)
from chartsight.review.form import (
    CANNOT_TELL,
    CONFIDENCE,
    CORRECTNESS,
    FILM,
    GOLD,
    HARM,
    PREFERENCE,
    SUPPORT,
    TAGS,
    Field,
)
from chartsight.review.ratings import TOGETHER, Row, read_ratings
from chartsight.runs import Run, check_apart, new_output, read_manifest, sha256_file, write_json
from chartsight.schema import SCHEMA_VERSION

RATED = (FILM, CORRECTNESS, SUPPORT, HARM, PREFERENCE, CONFIDENCE, GOLD)  # what two people can agree about
FEW_UNITS = 150  # below it a kappa's standard error is above about 0.06


@dataclass(frozen=True)
class PairAgreement:
    """Two raters, or one rater at two times; weighted kappas where the scale has an order."""

    between: tuple[str, str]
    percent: Interval
    kappa: Interval
    linear: Interval | None
    quadratic: Interval | None


@dataclass(frozen=True)
class FieldAgreement:
    """One question of the form: all raters together, and each two of them."""

    field: str
    percent: Interval
    alpha: Interval
    ordinal_alpha: Interval | None
    ac1: Interval
    reading: str
    pairs: tuple[PairAgreement, ...]


@dataclass(frozen=True)
class AgainstScorer:
    """People's verdict (correct or not) against the scorer's, weighted to all items.

    `accepted` is the share of answers that the scorer takes for right and people do not; `rejected` the share of those
    it takes for wrong that people call correct.
    """

    model: str
    percent: Interval
    kappa: Interval
    accepted: Interval
    rejected: Interval


@dataclass(frozen=True)
class ModelJudged:
    """What people say of one model's answers, weighted to all items.

    Args:
        accuracy: Share called correct, of those that could be judged.
        scorer_sample: The scorer's accuracy on the rated items, weighted likewise: of the two models that make the
            strata it is that on all items by construction, so that a difference shows strata without a rated item.
        scorer_all: The scorer's accuracy on all items.
    """

    model: str
    accuracy: Interval
    scorer_sample: Interval
    scorer_all: float
    correctness: Mapping[str, Interval]
    support: Mapping[str, Interval]
    harm: Mapping[str, Interval]
    tags: Mapping[str, Interval]


@dataclass(frozen=True)
class Findings:
    """All that `review agree` finds.

    Args:
        coverage: Share of all items whose stratum has a rated item; below 1 the weighted figures leave some out.
        preferred_first: Share of preferences for a model that fell on the answer that stood first; about a half (of
            two answers) unless raters like what comes first.
    """

    raters: tuple[str, ...]
    items: int
    items_rated_twice: int
    patients: int
    population: int
    coverage: float
    between_raters: tuple[FieldAgreement, ...]
    within_raters: tuple[FieldAgreement, ...]
    against_scorer: tuple[AgainstScorer, ...]
    models: tuple[ModelJudged, ...]
    difference: Interval | None
    preference: Mapping[str, Interval]
    preferred_first: Interval
    film: Mapping[str, Interval]
    gold: Mapping[str, Interval]
    warnings: tuple[str, ...]


def agree(
    ratings: Path, out: Path, *, resamples: int = 10_000, seed: int = 7, force: bool = False
) -> tuple[Findings, Run]:
    """The findings, in the new folder `out`: agreement.json, disagreements.csv and a manifest.

    Args:
        ratings: What `review import` wrote.
        out: The folder to appear.
        resamples: Draws of patients behind every interval.
        seed: Of the draws.
        force: Replace `out`.

    Raises:
        ReviewError: No ratings, or too few draws.
        OutputError: `out` exists, or cannot be made.
    """
    ratings, out = Path(ratings), Path(out)
    if resamples < 100:
        raise ReviewError("bad-number", "--bootstrap", str(resamples), "at least 100")
    if seed < 0:
        raise ReviewError("bad-seed", "--seed", str(seed), "0 or more")
    rows, study = read_ratings(ratings)
    check_apart(out, ratings)
    findings = find_agreement(rows, study, resamples=resamples, seed=seed)
    run = Run("review agree", {"ratings": str(ratings), "bootstrap": resamples}, seed)
    run.terms, run.pairing = study["terms"], study["pairing"]
    run.read(ratings, rows=len(rows))
    manifest = read_manifest(ratings)
    if manifest is not None:
        run.parent_runs.append(manifest["run_id"])
    with new_output(out, replace=force) as partial:
        partial.mkdir()
        write_json(partial / "agreement.json", findings_json(findings, study))
        run.kept = {"ratings": len(rows), "disagreements": write_disagreements(partial / "disagreements.csv", rows)}
        for name in ("agreement.json", "disagreements.csv"):
            run.outputs.append({"path": name, "sha256": sha256_file(partial / name)})
        run.write(partial)
    return findings, run


def find_agreement(
    rows: Sequence[Row], study: Mapping[str, Any], *, resamples: int = 10_000, seed: int = 7
) -> Findings:
    """The findings of imported ratings.

    Args:
        rows: As `read_ratings` gives them.
        study: What is known of the review.
        resamples: Draws of patients.
        seed: Of the draws.
    """
    first = [row for row in rows if not row["is_repeat"]]
    raters = tuple(sorted({row["rater"] for row in rows}))
    names = tuple(model["name"] for model in study["models"])
    draws = _Draws(resamples, seed)
    weights, coverage = item_weights(first, study)
    raters_of: dict[int, set[str]] = defaultdict(set)
    for row in first:
        raters_of[row["item"]].add(row["rater"])
    twice = sum(len(each) > 1 for each in raters_of.values())
    difference = None
    if len(names) > 1:
        difference = _difference(first, names[0], names[1], weights, draws)
    warnings = []
    if twice and twice < FEW_UNITS:
        warnings.append(f"{twice} items rated twice: below {FEW_UNITS} a kappa is known to a tenth at best")
    if not twice:
        warnings.append("no item was rated by two raters: nothing can be said of their agreement")
    if coverage < 1:
        warnings.append(
            f"{100 * (1 - coverage):.1f}% of all items lie in strata without a rated one and are not counted"
        )
    clusters = {row["cluster"] for row in first}
    return Findings(
        raters=raters,
        items=len(raters_of),
        items_rated_twice=twice,
        patients=len(clusters),
        population=study["population"],
        coverage=coverage,
        between_raters=tuple(_between(first, field, raters, draws) for field in RATED) if twice else (),
        within_raters=_within(rows, raters, draws),
        against_scorer=tuple(
            _against_scorer([row for row in first if name in ("all", row["model"])], name, weights, draws)
            for name in (("all", *names) if len(names) > 1 else names)
        ),
        models=tuple(_model_judged(first, name, weights, study, draws) for name in names),
        difference=difference,
        preference=_shares(first, PREFERENCE, weights, draws, expand=True, categories=names),
        preferred_first=_preferred_first(first, draws),
        film=_shares(first, FILM, weights, draws),
        gold=_shares(first, GOLD, weights, draws),
        warnings=tuple(warnings),
    )


def item_weights(rows: Sequence[Row], study: Mapping[str, Any]) -> tuple[dict[int, float], float]:
    """How many items of the comparison each rated item stands for, and the share of all items that is stood for.

    An item that was drawn and not rated hands its weight to the rated ones of its stratum: sheets are in random order,
    so that those at their end are missing at random within a stratum.
    """
    stratum_of = {row["item"]: f"{row['outcome_stratum']}, {row['quadrant']}" for row in rows}
    rated = Counter(stratum_of.values())
    sizes = {name: int(each["size"]) for name, each in study["strata"].items()}
    weights = {item: sizes[stratum] / rated[stratum] for item, stratum in stratum_of.items()}
    covered = sum(sizes[name] for name in rated)
    return weights, covered / sum(sizes.values())


def share_with_wilson(interval: Interval) -> Interval:
    """A share's interval; at 0 or 1, where no draw differs from the estimate, it is Wilson's over the patients."""
    for end in (0.0, 1.0):
        if math.isclose(interval.estimate, end, abs_tol=1e-12):
            low, high = wilson(end * interval.clusters, interval.clusters)
            return replace(interval, estimate=end, low=low, high=high)
    return interval


def coefficient(
    bootstrap: ClusterBootstrap, columns: Floats, statistic: Statistic, is_member: NDArray[np.bool_] | None = None
) -> Interval:
    """A coefficient's interval; without bounds where no draw differs from the estimate: all agree throughout."""
    interval = bootstrap.interval(columns, statistic, is_member)
    return replace(interval, low=math.nan, high=math.nan) if interval.low == interval.high else interval


class _Draws:
    """Bootstraps by the clusters of their units, each set of clusters drawn once."""

    def __init__(self, resamples: int, seed: int) -> None:
        self.resamples, self.seed = resamples, seed
        self._made: dict[tuple[Hashable, ...], ClusterBootstrap] = {}

    def of(self, clusters: Sequence[Hashable]) -> ClusterBootstrap:
        key = tuple(clusters)
        if key not in self._made:
            self._made[key] = ClusterBootstrap(clusters, self.resamples, self.seed)
        return self._made[key]


# ---------------------------------------------------------------------------------------------------- people and people


def units_of(rows: Sequence[Row], field: Field, raters: Sequence[str]) -> tuple[list[list[str | None]], list[int]]:
    """What each rater said of each unit [N][raters], and each unit's patient [N]; units that two or more rated.

    A unit is an answer (item and model), or an item where the form asks once an item. Answers that were shown as one
    (two models, the same words) are one unit.
    """
    said: dict[Hashable, dict[str, str]] = defaultdict(dict)
    clusters: dict[Hashable, int] = {}
    together = _shown_together(rows)
    for row in rows:
        unit = (row["item"], together[row["item"], row["model"]]) if field.scope == "answer" else row["item"]
        if row[field.name] is not None:
            said[unit][row["rater"]] = row[field.name]
            clusters[unit] = row["cluster"]
    kept = sorted((unit for unit, by_rater in said.items() if len(by_rater) > 1), key=str)
    return [[said[unit].get(rater) for rater in raters] for unit in kept], [clusters[unit] for unit in kept]


def _shown_together(rows: Sequence[Row]) -> dict[tuple[int, str], str]:
    """The first of the models that stood behind one letter: sheets merge the same words, whoever rates."""
    letters: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for row in rows:
        letters[row["rater"], row["position"], row["letter"]].append(row["model"])
    item_of = {(row["rater"], row["position"]): row["item"] for row in rows}
    return {
        (item_of[rater, position], model): min(models)
        for (rater, position, _), models in letters.items()
        for model in models
    }


def categories_of(field: Field, values: Sequence[Sequence[str | None]]) -> tuple[str, ...]:
    """All categories of a field; of a preference the models that were preferred, and the ties."""
    found = {value for row in values for value in row if value is not None}
    return (*sorted(found - set(field.options)), *field.options)


def _between(rows: Sequence[Row], field: Field, raters: Sequence[str], draws: _Draws) -> FieldAgreement:
    values, clusters = units_of(rows, field, raters)
    return field_agreement(field, raters, values, draws.of(clusters))


def _within(rows: Sequence[Row], raters: Sequence[str], draws: _Draws) -> tuple[FieldAgreement, ...]:
    """Each rater against the same rater at a hidden repeat; all raters' repeats together as two columns."""
    repeated = {(row["rater"], row["item"]) for row in rows if row["is_repeat"]}
    if not repeated:
        return ()
    found = []
    for field in RATED:
        if field is GOLD:  # judged once
            continue
        as_two = [
            {
                **row,
                "rater": "again" if row["is_repeat"] else "first",
                "item": f"{row['rater']}/{row['item']}",
                "position": f"{row['rater']}/{row['position']}",
            }
            for row in rows
            if (row["rater"], row["item"]) in repeated
        ]
        values, clusters = units_of(as_two, field, ("first", "again"))
        found.append(field_agreement(field, ("first", "again"), values, draws.of(clusters)))
    return tuple(found)


def field_agreement(
    field: Field, raters: Sequence[str], values: Sequence[Sequence[str | None]], bootstrap: ClusterBootstrap
) -> FieldAgreement:
    """All coefficients of one field.

    Args:
        field: Of the form.
        raters: Their names.
        values: What each said of each unit [N][raters]; None for nothing.
        bootstrap: Over the units [N].
    """
    categories = categories_of(field, values)
    k = len(categories)
    codes = _code_table(values, categories)
    ordered = _code_table(values, field.order) if field.order else None
    o = len(field.order)
    pairs = []
    for a, b in itertools.combinations(range(len(raters)), 2):
        both = np.array((codes[:, a] != MISSING) & (codes[:, b] != MISSING), dtype=bool)
        if not both.any():
            continue
        columns = pair_columns(codes[:, a], codes[:, b], k)
        weighted: dict[str, Interval | None] = {"linear": None, "quadratic": None}
        if ordered is not None:
            in_order = pair_columns(ordered[:, a], ordered[:, b], o)
            is_on_scale = np.array(in_order.any(axis=1), dtype=bool)
            weighted = {
                "linear": coefficient(bootstrap, in_order, cohen_kappa(disagreement(o, "linear")), is_on_scale),
                "quadratic": coefficient(bootstrap, in_order, cohen_kappa(disagreement(o, "quadratic")), is_on_scale),
            }
        pairs.append(
            PairAgreement(
                (raters[a], raters[b]),
                bootstrap.proportion(codes[:, a] == codes[:, b], both),
                coefficient(bootstrap, columns, cohen_kappa(disagreement(k, "nominal")), both),
                weighted["linear"],
                weighted["quadratic"],
            )
        )
    alpha = coefficient(bootstrap, coincidence_columns(codes, k), krippendorff_alpha(k))
    ordinal = None
    if ordered is not None:
        in_order = coincidence_columns(ordered, o)
        ordinal = coefficient(
            bootstrap, in_order, krippendorff_alpha(o, ordinal=True), np.array(in_order.any(axis=1), dtype=bool)
        )
    return FieldAgreement(
        field.name,
        share_with_wilson(bootstrap.interval(agreement_columns(codes, k), percent_agreement)),
        alpha,
        ordinal,
        coefficient(bootstrap, gwet_columns(codes, k), gwet_ac1),
        alpha_words((ordinal or alpha).estimate),
        tuple(pairs),
    )


def _code_table(values: Sequence[Sequence[str | None]], categories: Sequence[str]) -> Codes:
    if not values:
        return np.empty((0, 2), dtype=np.int64)
    return np.column_stack([encode(column, categories) for column in zip(*values, strict=True)])


# ---------------------------------------------------------------------------------------------------- people and scorer


def _against_scorer(rows: Sequence[Row], model: str, weights: Mapping[int, float], draws: _Draws) -> AgainstScorer:
    judged = [row for row in rows if row["correctness"] not in (None, CANNOT_TELL)]
    bootstrap = draws.of([row["cluster"] for row in judged])
    w = _row_weights(judged, weights)
    human = np.array([int(row["correctness"] == "correct") for row in judged], dtype=np.int64)
    scorer = np.array([int(row["is_correct"]) for row in judged], dtype=np.int64)
    columns = pair_columns(human, scorer, 2, w)
    same = np.array(human == scorer, dtype=bool)
    right = np.array(scorer == 1, dtype=bool)
    return AgainstScorer(
        model,
        share_with_wilson(bootstrap.ratio(w * same, w)),
        coefficient(bootstrap, columns, cohen_kappa(disagreement(2, "nominal"))),
        share_with_wilson(bootstrap.ratio(w * (right & ~same), w * right, right)),
        share_with_wilson(bootstrap.ratio(w * (~right & ~same), w * ~right, ~right)),
    )


def _row_weights(rows: Sequence[Row], weights: Mapping[int, float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Each row's share of its item's weight: the raters of one item (and model) share it."""
    times = Counter((row["item"], row["model"]) for row in rows)
    return np.array([weights[row["item"]] / times[row["item"], row["model"]] for row in rows], dtype=np.float64)


def _model_judged(
    rows: Sequence[Row], model: str, weights: Mapping[int, float], study: Mapping[str, Any], draws: _Draws
) -> ModelJudged:
    own = [row for row in rows if row["model"] == model]
    bootstrap = draws.of([row["cluster"] for row in own])
    w = _row_weights(own, weights)
    judged = [row for row in own if row["correctness"] not in (None, CANNOT_TELL)]
    judged_w = _row_weights(judged, weights)
    tags = {
        tag: share_with_wilson(bootstrap.ratio(w * np.array([tag in row["tags"] for row in own], dtype=float), w))
        for tag in TAGS.options
    }
    return ModelJudged(
        model=model,
        accuracy=share_with_wilson(
            draws.of([row["cluster"] for row in judged]).ratio(
                judged_w * np.array([row["correctness"] == "correct" for row in judged], dtype=float), judged_w
            )
        ),
        scorer_sample=share_with_wilson(
            bootstrap.ratio(w * np.array([row["is_correct"] for row in own], dtype=float), w)
        ),
        scorer_all=float(study["accuracy_by_scorer"][model]),
        correctness=_shares(own, CORRECTNESS, weights, draws),
        support=_shares(own, SUPPORT, weights, draws),
        harm=_shares(own, HARM, weights, draws),
        tags=tags,
    )


def _difference(rows: Sequence[Row], first: str, second: str, weights: Mapping[int, float], draws: _Draws) -> Interval:
    """People's accuracy of `first` minus that of `second` on items where one rater judged both."""
    by_place: dict[tuple[str, int], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["correctness"] not in (None, CANNOT_TELL):
            by_place[row["rater"], row["item"]][row["model"]] = row
    both = [models for models in by_place.values() if first in models and second in models]
    ours = [models[first] for models in both]
    w = _row_weights(ours, weights)
    gained = np.array(
        [(models[first]["correctness"] == "correct") - (models[second]["correctness"] == "correct") for models in both],
        dtype=np.float64,
    )
    return draws.of([row["cluster"] for row in ours]).ratio(w * gained, w)


def _shares(
    rows: Sequence[Row],
    field: Field,
    weights: Mapping[int, float],
    draws: _Draws,
    *,
    expand: bool = False,
    categories: Sequence[str] = (),
) -> dict[str, Interval]:
    """The weighted share of each code among those given.

    Args:
        rows: Not repeats; of a field that is asked once an item one row a rater and item counts.
        field: Of the form.
        weights: Of the items.
        draws: For the intervals.
        expand: A preference for two models at once counts half for each.
        categories: More codes than the field's own.
    """
    given = [row for row in rows if row[field.name] is not None]
    if field.scope == "item":
        given = list({(row["rater"], row["item"]): row for row in given}.values())
        given = [{**row, "model": ""} for row in given]
    bootstrap = draws.of([row["cluster"] for row in given])
    w = _row_weights(given, weights)

    def holds(value: str, code: str) -> float:
        parts = value.split(TOGETHER) if expand else [value]
        return parts.count(code) / len(parts)

    return {
        code: share_with_wilson(
            bootstrap.ratio(w * np.array([holds(row[field.name], code) for row in given], dtype=float), w)
        )
        for code in (*categories, *field.options)
    }


def _preferred_first(rows: Sequence[Row], draws: _Draws) -> Interval:
    places = {(row["rater"], row["position"]): row for row in rows if row["preferred_letter"] is not None}
    chosen = list(places.values())
    is_first = np.array([row["preferred_letter"] == "A" for row in chosen], dtype=bool)
    return draws.of([row["cluster"] for row in chosen]).proportion(is_first)


# ---------------------------------------------------------------------------------------------------------------- files


def write_disagreements(path: Path, rows: Sequence[Row]) -> int:
    """What raters said apart, as CSV for somebody who decides: one line a field and unit. How many there are."""
    raters = sorted({row["rater"] for row in rows})
    said: dict[tuple[int, str, str], dict[str, str]] = defaultdict(dict)
    question_of: dict[int, str | None] = {}
    for row in rows:
        if row["is_repeat"]:
            continue
        question_of[row["item"]] = row["question_id"]
        for field in RATED:
            if field is not CONFIDENCE and row[field.name] is not None:
                model = row["model"] if field.scope == "answer" else ""
                said[row["item"], field.name, model][row["rater"]] = row[field.name]
    apart = {unit: by_rater for unit, by_rater in said.items() if len(set(by_rater.values())) > 1}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["item", "question_id", "field", "model", *raters])
        for (item, name, model), by_rater in sorted(apart.items()):
            writer.writerow([item, question_of[item], name, model, *(by_rater.get(rater, "") for rater in raters)])
    return len(apart)


def findings_json(findings: Findings, study: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, for programs; `nan` is null."""
    value = _jsonable(findings)
    assert isinstance(value, dict)
    return {
        "schema_version": SCHEMA_VERSION, "use": "Research use only. Not a medical device. Not for clinical use.",
        "terms": study["terms"], "pairing": study["pairing"], "scorer": study["scorer"],
        "quadrants_by": study["quadrants_by"], "strata": study["strata"], **value,
    }  # fmt: skip


def _jsonable(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _jsonable(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): _jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def findings_text(findings: Findings) -> str:
    """The findings as lines for a terminal."""
    table: list[tuple[str, ...]]
    lines = [
        f"{findings.items} items of {findings.population:,} rated by {len(findings.raters)} "
        f"({', '.join(findings.raters)}), {findings.items_rated_twice} of them twice, {findings.patients} patients"
    ]
    heads = ("", "units", "agree", "kappa", "weighted", "alpha", "AC1", "")
    for title, parts in (("between raters", findings.between_raters), ("at hidden repeats", findings.within_raters)):
        if not parts:
            continue
        table = [(title, *heads[1:])]
        for each in parts:
            pair = each.pairs[0] if len(each.pairs) == 1 else None
            table.append(
                (
                    each.field, str(each.percent.n), _share(each.percent), _number(pair.kappa if pair else None),
                    _number(pair.quadratic if pair else None), _number(each.ordinal_alpha or each.alpha),
                    _number(each.ac1), each.reading,
                )
            )  # fmt: skip
        lines += ["", *_columns(table)]
    table = [("people against the scorer", "ratings", "agree", "kappa", "scorer too kind", "too strict")]
    table += [
        (each.model, str(each.percent.n), _share(each.percent), _number(each.kappa), _share(each.accepted),
         _share(each.rejected))
        for each in findings.against_scorer
    ]  # fmt: skip
    lines += ["", *_columns(table)]
    table = [("weighted to all items", "correct by people", "by scorer, sample", "by scorer, all", "major harm")]
    table += [
        (each.model, _share(each.accuracy), _share(each.scorer_sample), f"{100 * each.scorer_all:.1f}%",
         _share(each.harm["major"]))
        for each in findings.models
    ]  # fmt: skip
    lines += ["", *_columns(table)]
    if findings.difference is not None:
        first, second = (each.model for each in findings.models[:2])
        lines.append(f"{first} minus {second} by people: {_share(findings.difference)}")
        lines.append("preferred: " + ", ".join(f"{name} {_share(each)}" for name, each in findings.preference.items()))
    lines.append("gold: " + ", ".join(f"{name} {_share(each)}" for name, each in findings.gold.items()))
    return "\n".join([*lines, *(f"note: {warning}" for warning in findings.warnings)])


def _share(interval: Interval) -> str:
    return _shown(interval, lambda value: f"{100 * value:.1f}") + ("%" if interval.n else "")


def _number(interval: Interval | None) -> str:
    return "–" if interval is None else _shown(interval, lambda value: f"{value:.2f}")


def _shown(interval: Interval, words: Callable[[float], str]) -> str:
    if math.isnan(interval.estimate):
        return f"nan, n={interval.n}"
    if math.isnan(interval.low):
        return words(interval.estimate)
    return f"{words(interval.estimate)} [{words(interval.low)}, {words(interval.high)}]"


def _columns(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
