"""One sentence a model, by a frozen rule: does it guess, read a shortcut, or see the finding?

The rule asks two questions.

1. Does the film add anything? Accuracy beyond the best blind control (the image part) must surely be above 0, and
   another patient's film must surely cost accuracy; neither may surely be little.
2. Is it the finding that adds it? What moves when only the finding changes is compared with what the film adds:

   * matched swap: the donor has the confounders of the question's own film (view, device, marker, padding) and another
     right answer; the gain is the share that answers as the donor's film wants, less the share that said so before;
   * strata: among films with the same confounders that are asked the same, the share right less what the same answers
     would score if they were dealt out to these films anew, over what there is to gain.

   Who sees the finding in a share h of the questions, and guesses elsewhere, has a gain of h in both, and an image part
   of at most h. Who reads only what the films share has a gain of 0 in both, whatever its image part.

The thresholds are constants of this file; `rule_stamp` prints its version and digest under every verdict.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from chartsight.audit.blind import CONTROL_WORDS, OtherFilm, QuestionOnly, blind_controls, shared_items
from chartsight.audit.columns import Bools, Columns, Floats, same_question
from chartsight.audit.inputs import AuditedModel
from chartsight.audit.swap import matched_donors
from chartsight.evaluation import Interval

VerdictKind = Literal["guesses", "reads a shortcut", "sees the finding", "cannot be told"]

RULE_VERSION = 1
FEWEST_PATIENTS = 20  # with fewer an interval over patients is too rough to decide on
FEWEST_ITEMS = 50  # that a check of the second question must rest on
LITTLE = 0.03  # an image part surely below it is called none: three questions of a hundred
LITTLE_DROP = 0.02  # so is what another patient's film costs
MUCH = 0.10  # of answers that follow the finding: so many are no chance likeness of a film that was learned by heart
SHORTCUT_SHARE = 0.5  # of the image part: where less moves with the finding alone, most of it is something else


CheckName = Literal["matched swap", "strata"]
LACKING: dict[CheckName, str] = {
    "matched swap": "a donor that has the same confounders and another answer",
    "strata": "neighbours that have the same confounders and are asked the same",
}


@dataclass(frozen=True)
class Sight:
    """One check of the second question.

    Args:
        name: `matched swap` or `strata`.
        gain: What moves with the finding alone; 0 for who reads only what the films share.
        excess: That less `SHORTCUT_SHARE` of the image part, from the same draws: surely below 0 for a shortcut, surely
            above it for who sees.
    """

    name: CheckName
    gain: Interval
    excess: Interval

    @property
    def is_enough(self) -> bool:
        """Whether enough items and patients stand behind it."""
        return self.gain.n >= FEWEST_ITEMS and self.gain.clusters >= FEWEST_PATIENTS


@dataclass(frozen=True)
class ModelVerdict:
    """What page one says of a model.

    Args:
        model: Its name.
        kind: By the rule.
        sentence: With the figures that decided.
        reasons: Each check in words, in the order of the rule.
        rule: Version and digest of the rule.
        checks: Of the second question, as far as they could be made.
    """

    model: str
    kind: VerdictKind
    sentence: str
    reasons: tuple[str, ...]
    rule: str
    checks: tuple[Sight, ...] = ()


def rule_stamp() -> str:
    """Version and digest of the rule: `chartsight verdict v1 0a1b2c3d4e5f`."""
    return f"chartsight verdict v{RULE_VERSION} {_rule_sha256()[:12]}"


@lru_cache(maxsize=1)
def _rule_sha256() -> str:
    digest = hashlib.sha256()
    for name in ("verdict.py", "blind.py", "swap.py"):
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()


def judge(
    columns: Columns, model: AuditedModel, blind: QuestionOnly, shuffled: OtherFilm | None
) -> ModelVerdict:  # fmt: skip
    """The verdict on one model."""
    checks = measure_sight(columns, model)
    kind, sentence = decide(columns.bootstrap.n_clusters, blind, shuffled, checks)
    held = sorted({name for facts in columns.given.facts.values() for name in facts.confounders})
    why = (*reasons(blind, shuffled, checks), _held(held))
    return ModelVerdict(model.name, kind, f"{model.name} {sentence}", why, rule_stamp(), checks)


def decide(
    patients: int, blind: QuestionOnly, shuffled: OtherFilm | None, checks: Sequence[Sight]
) -> tuple[VerdictKind, str]:
    """The rule itself, on figures alone: what it is, and the sentence without the model's name."""
    image, drop = blind.image_part, None if shuffled is None or not shuffled.drop.n else shuffled.drop
    if patients < FEWEST_PATIENTS:
        return "cannot be told", f"cannot be judged from {patients} patient{'s' * (patients != 1)}."
    if not image.n:
        return "cannot be told", "cannot be judged: nothing was asked without the film."
    enough = [check for check in checks if check.is_enough]
    follows = [check for check in enough if check.gain.low > MUCH]
    is_little = image.high < LITTLE or (drop is not None and drop.high < LITTLE_DROP)
    film_adds = image.low > 0 and (drop is None or drop.low > 0) and not is_little
    adds = f"the film adds {points(image)} to the best answer without it"
    if not film_adds:
        if follows:
            moved = f"its answers follow the finding ({points(follows[0].gain)})"
            return "cannot be told", f"cannot be judged: {moved}, yet {adds}."
        if is_little:
            return "guesses", f"guesses: {adds}{_costs(drop)}."
        return "cannot be told", f"cannot be judged: {adds}{_costs(drop)}, too unsure to be none or some."
    if not enough:
        return "cannot be told", f"looks at the film ({adds}), but whether at the finding could not be checked."
    shortcuts = [check for check in enough if check.excess.high < 0]
    if shortcuts:
        worst = min(shortcuts, key=lambda check: check.excess.high)
        return "reads a shortcut", f"reads a shortcut: {adds}, but {_moves(worst)}."
    sees = [check for check in enough if check.excess.low > 0]
    if sees:
        return "sees the finding", f"sees the finding: {adds}, and {_moves(sees[0])}."
    return "cannot be told", f"looks at the film ({adds}), but whether at the finding is unsure: {_moves(enough[0])}."


def reasons(blind: QuestionOnly, shuffled: OtherFilm | None, checks: Sequence[Sight]) -> tuple[str, ...]:
    """Each check in words."""
    found = []
    for control in blind.controls:
        found.append(f"{points(control.gap)} against {CONTROL_WORDS[control.kind]}.")
    missing = {"twin", "words"} - {control.kind for control in blind.controls}
    if len(missing) == 2:
        found.append("No control that learned from the training questions: what these alone give away is not known.")
    if shuffled is None:
        found.append("Other patients' films were not tried.")
    else:
        found.append(f"{points(shuffled.drop, -1)} with another patient's film.")
    found += [f"{_moves(check)[:1].upper()}{_moves(check)[1:]}." for check in checks if check.is_enough]
    for name, what in LACKING.items():
        if not any(check.name == name and check.is_enough for check in checks):
            found.append(f"Too few items with {what}.")
    return tuple(found)


def measure_sight(columns: Columns, model: AuditedModel) -> tuple[Sight, ...]:
    """The checks of the second question that there is anything to make of."""
    controls = list(blind_controls(columns, model).values())
    if not controls:
        return ()
    right = columns.full(model).is_correct
    asked = shared_items(controls, columns.everything)
    image = np.column_stack([right, *(each.is_correct for each in controls)]) * asked[:, None]
    found = []
    pieces_of: dict[CheckName, tuple[Floats, Floats, Bools] | None] = {
        "matched swap": _matched_swap(columns, model), "strata": _strata(columns, model),
    }  # fmt: skip
    for name, pieces in pieces_of.items():
        if pieces is None:
            continue
        moved, weight, member = pieces
        summed = np.column_stack([asked, image, np.where(member, moved, 0.0), np.where(member, weight, 0.0)])
        n, clusters = int(member.sum()), columns.clusters(member)
        total, draws = summed.sum(axis=0), columns.bootstrap.draw_sums(summed)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain, drawn = float(_moved(total)), _moved(draws)
            excess, drawn_excess = float(_excess(total)), _excess(draws)
        found.append(
            Sight(
                name,
                columns.bootstrap.percentile(gain, drawn, n, clusters),
                columns.bootstrap.percentile(excess, drawn_excess, n, clusters),
            )
        )
    return tuple(found)


def _moved(sums: Floats) -> Floats:
    moved: Floats = sums[..., -2] / sums[..., -1]
    return moved


def _excess(sums: Floats) -> Floats:
    image = (sums[..., 1] - sums[..., 2:-2].max(axis=-1)) / sums[..., 0]
    excess: Floats = _moved(sums) - SHORTCUT_SHARE * image
    return excess


def _matched_swap(columns: Columns, model: AuditedModel) -> tuple[Floats, Floats, Bools] | None:
    """Per item: how much the donor's right answer is given more with its film, its weight, and whether it counts."""
    swapped, gold = columns.under(model, "swap"), columns.variant_gold.get("swap")
    if swapped is None or gold is None:
        return None
    member = swapped.is_asked & (gold >= 0) & (gold != columns.gold_codes) & matched_donors(columns)
    own = columns.full(model).codes
    moved = (swapped.codes == gold).astype(np.float64) - (own == gold)
    return moved, np.ones(columns.n), member


def _strata(columns: Columns, model: AuditedModel) -> tuple[Floats, Floats, Bools] | None:
    """Per item of a stratum of two or more: right, less the share of its neighbours whose right answer it gave.

    The weight is what a right answer can gain: one less the share of neighbours with the same right answer.
    """
    strata: dict[Hashable, list[int]] = defaultdict(list)
    for place, question in enumerate(columns.questions):
        facts = columns.given.facts.get(question.question_id)
        if facts is not None and facts.confounders:
            strata[same_question(question), tuple(sorted(facts.confounders.items()))].append(place)
    codes, gold = columns.full(model).codes, columns.gold_codes
    moved, weight, member = np.zeros(columns.n), np.zeros(columns.n), np.zeros(columns.n, bool)
    for places in strata.values():
        if len(places) < 2:
            continue
        rows = np.array(places)
        if (gold[rows] == gold[rows[0]]).all():  # nothing to tell apart
            continue
        is_right, others = codes[rows] == gold[rows], len(rows) - 1
        given = (codes[rows][:, None] == gold[rows][None, :]).sum(axis=1) - is_right
        alike = (gold[rows][:, None] == gold[rows][None, :]).sum(axis=1) - 1
        moved[rows], weight[rows], member[rows] = is_right - given / others, 1 - alike / others, True
    return (moved, weight, member) if strata else None


def _held(names: Sequence[str]) -> str:
    """What the checks hold alike; a habit of the hospital that stands in no file passes for the finding."""
    if not names:
        return "Nothing is known of how the films were taken: no shortcut could be told from the finding."
    return f"Held alike between films: {', '.join(names)}; what nobody recorded is not."


def points(interval: Interval, sign: int = 1) -> str:
    """A difference of shares in points with its interval: `+12.3 points [+8.1, +16.2]`; `sign` -1 turns it round."""
    low, high = sorted((sign * interval.low, sign * interval.high))
    return f"{_signed(sign * interval.estimate)} points [{_signed(low)}, {_signed(high)}]"


def _signed(share: float) -> str:
    value = round(100 * share, 1)
    if np.isnan(value):
        return "?"
    if value == 0:
        return "0.0"
    return f"+{value:.1f}" if value > 0 else f"−{-value:.1f}"


def _costs(drop: Interval | None) -> str:
    return "" if drop is None else f", and another patient's film changes accuracy by {points(drop, -1)}"


def _moves(check: Sight) -> str:
    if check.name == "matched swap":
        return f"with a film alike in all but the finding its answers follow by {points(check.gain)}"
    return f"among films alike in all but the finding it is {points(check.gain)} better than chance"
