"""A20: whether a chance of 0.8 means right four times of five."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chartsight.audit.columns import Bools, Columns, Floats, share
from chartsight.audit.inputs import AuditedModel, HeldOut
from chartsight.evaluation import Interval
from chartsight.evaluation.areas import AreaDraws
from chartsight.evaluation.intervals import EMPTY

BINS = 10
AREA_DRAWS = 1_000
FARTHEST = 1e-6  # from 0 and 1: where log odds end
FEWEST = 300  # yes/no questions; with fewer the error of ten bins is mostly noise


@dataclass(frozen=True)
class ReliabilityBin:
    """A tenth of the questions by the chance of yes: its mean, and the share whose right answer is yes."""

    chance: float
    yes: Interval


@dataclass(frozen=True)
class Calibration:
    """A20, on yes/no questions with a chance of yes.

    Args:
        ece: Expected calibration error over ten bins of equal mass; `nan, n=0` below 300 questions.
        brier: Mean squared error of the chance.
        auroc: Chance that a question whose answer is yes has the higher one.
        bins: Of the reliability diagram; empty below 300 questions.
        platt: (slope, intercept) on the log odds, learned on validation answers; None without these.
        ece_platt: The error after that.
        brier_platt: Likewise.
    """

    ece: Interval
    brier: Interval
    auroc: Interval
    bins: tuple[ReliabilityBin, ...]
    platt: tuple[float, float] | None
    ece_platt: Interval
    brier_platt: Interval


def measure_calibration(columns: Columns, model: AuditedModel) -> Calibration:
    """A20."""
    chance = columns.full(model).chance_yes
    member = columns.is_boolean & np.isfinite(chance)
    if not member.any():
        return Calibration(EMPTY, EMPTY, EMPTY, (), None, EMPTY, EMPTY)
    resamples = min(columns.given.resamples, AREA_DRAWS)
    area = AreaDraws(columns.bootstrap.cluster_of.tolist(), resamples, columns.given.seed)
    bins = equal_mass_bins(chance, member)
    platt = None if model.validation is None else fit_platt(model.validation)
    ece_platt = brier_platt = EMPTY
    if platt is not None:
        scaled = apply_platt(platt, np.where(member, chance, 0.5))
        ece_platt, brier_platt = _ece(columns, scaled, member), _brier(columns, scaled, member)
    return Calibration(
        ece=_ece(columns, chance, member),
        brier=_brier(columns, chance, member),
        auroc=area.area(np.where(member, chance, 0.0), columns.is_yes, member),
        bins=tuple(ReliabilityBin(float(chance[each].mean()), share(columns, columns.is_yes, each)) for each in bins),
        platt=platt,
        ece_platt=ece_platt,
        brier_platt=brier_platt,
    )


def equal_mass_bins(chance: Floats, member: Bools) -> list[Bools]:
    """Ten groups of as many items each, ascending; none below 300 items. Equal chances stay in their order."""
    rows = np.flatnonzero(member)
    if len(rows) < FEWEST:
        return []
    bins = []
    for part in np.array_split(rows[np.argsort(chance[rows], kind="stable")], BINS):
        is_in = np.zeros(len(member), bool)
        is_in[part] = True
        bins.append(is_in)
    return bins


def fit_platt(held_out: HeldOut) -> tuple[float, float] | None:
    """Slope and intercept on the log odds; None where the answers are all alike or none has a chance."""
    from sklearn.linear_model import LogisticRegression

    known = np.isfinite(held_out.chance_yes)
    is_yes = held_out.is_yes[known]
    if is_yes.all() or not is_yes.any():
        return None
    fitted = LogisticRegression(C=np.inf).fit(_log_odds(held_out.chance_yes[known])[:, None], is_yes)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def apply_platt(platt: tuple[float, float], chance: Floats) -> Floats:
    """The scaled chances."""
    scaled: Floats = 1 / (1 + np.exp(-(platt[0] * _log_odds(chance) + platt[1])))
    return scaled


def _log_odds(chance: Floats) -> Floats:
    clipped = np.clip(chance, FARTHEST, 1 - FARTHEST)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds


def _ece(columns: Columns, chance: Floats, member: Bools) -> Interval:
    """The bins are those of all items; a draw changes what stands in them."""
    bins = equal_mass_bins(chance, member)
    if not bins:
        return EMPTY
    excess = np.where(member, chance, 0.0) - columns.is_yes
    summed = np.column_stack([member, *(np.where(each, excess, 0.0) for each in bins)])
    draws, total = columns.bootstrap.draw_sums(summed), summed.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.abs(draws[:, 1:]).sum(axis=1) / draws[:, 0]
    estimate = float(np.abs(total[1:]).sum() / total[0])
    return columns.recentred(estimate, errors, int(member.sum()), columns.clusters(member))


def _brier(columns: Columns, chance: Floats, member: Bools) -> Interval:
    return columns.bootstrap.mean((np.where(member, chance, 0.0) - columns.is_yes) ** 2, member)
