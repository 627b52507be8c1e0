"""Every audit on items that can be counted by hand, beside scikit-learn's figures, and on nothing at all."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from chartsight.audit import AuditInput, Entailment, HeldOut, LeakCounts, run_audits
from chartsight.audit.aligned import measure_alignment
from chartsight.audit.blind import measure_other_film, measure_question_only
from chartsight.audit.calibration import apply_platt, fit_platt, measure_calibration
from chartsight.audit.clean_subset import measure_clean_subset
from chartsight.audit.decomposition import measure_decomposition
from chartsight.audit.distribution import measure_distribution
from chartsight.audit.gates import leak_gates, model_gates
from chartsight.audit.inputs import chance_of_yes, read_given
from chartsight.audit.label_errors import measure_label_errors
from chartsight.audit.memorisation import measure_memorisation
from chartsight.audit.occlusion import measure_occlusion
from chartsight.audit.priors import measure_gain, measure_prior
from chartsight.audit.quadrants import measure_quadrants
from chartsight.audit.selective import measure_selective
from chartsight.audit.subgroups import measure_slices, measure_subgroups
from chartsight.audit.swap import measure_mirrored, measure_swap
from chartsight.audit.wording import measure_contradictions, measure_paraphrase
from chartsight.audit.yes_bias import measure_yes_bias
from chartsight.errors import QuestionError
from chartsight.evaluation import Interval
from tests.audit.made_up import audit_input, columns, facts, given, model, question, variants, yes_no

Y, N = True, False


def estimates(*intervals: Interval) -> list[float]:
    return [pytest.approx(each.estimate) for each in intervals]


# ---------------------------------------------------------------------------------------------------------- A1, A2, A13


def test_the_prior_is_the_commonest_answer_of_training_and_the_oracle_that_of_the_asked() -> None:
    asked = yes_no([Y, N, N, N], template="a") + yes_no([Y, Y], template="unseen", first=4)
    training = yes_no([Y, Y, N], template="a", first=10)
    prior = measure_prior(columns(asked, model([Y] * 6), training=training))
    assert prior.accuracy.estimate == pytest.approx(1 / 6)  # a template unseen in training is never right
    assert prior.oracle.estimate == pytest.approx(5 / 6)


def test_gain_over_the_prior_is_pooled_and_hidden_where_it_says_nothing() -> None:
    answers = [Y] * 15 + [N] * 10
    asked = yes_no(answers, template="a") + yes_no([Y] * 19, template="small", first=30)
    training = yes_no([Y], template="a", first=90) + yes_no([Y], template="small", first=91)
    said = [Y] * 15 + [N] * 5 + [Y] * 5 + [Y] * 19
    audited = model(said, chances=[0.8 if each else 0.2 for each in said])
    gain = measure_gain(columns(asked, audited, training=training), audited)
    assert gain.pooled.estimate == pytest.approx((39 - 34) / (44 - 34))
    large, small = gain.templates
    assert (large.template, large.prior, small.gain) == ("a", pytest.approx(0.6), None)
    assert large.gain is not None and large.gain.estimate == pytest.approx((0.8 - 0.6) / 0.4)
    truth = [question.answer == "true" for question in asked]
    expected = log_loss(truth, [2 / 3] * 44) - log_loss(truth, [0.8 if each else 0.2 for each in said])
    assert gain.skill_bits.estimate == pytest.approx(expected / math.log(2))


def test_aligned_and_opposed_are_told_apart() -> None:
    asked, training = yes_no([Y, Y, Y, N, N]), yes_no([Y], first=9)
    audited = model([Y, Y, N, N, Y])
    found = measure_alignment(columns(asked, audited, training=training), audited)
    assert estimates(found.share, found.aligned, found.opposed, found.gap) == [0.6, 2 / 3, 0.5, 2 / 3 - 0.5]


# ---------------------------------------------------------------------------------------------------- A3, A4, A5, A15


def test_the_image_part_is_what_the_best_blind_control_lacks() -> None:
    asked = yes_no([Y, Y, Y, Y, N, N, N, N, N, N])
    tuned = model([Y, Y, Y, Y, N, N, N, N, N, Y], question_only=[Y] * 10)
    twin = model([N] * 10, name="twin", role="twin")
    found = measure_question_only(columns(asked, tuned, twin, word_guesses=("false",) * 5 + ("true",) * 5), tuned)
    assert [(each.kind, each.accuracy.estimate) for each in found.controls] == [
        ("twin", 0.6), ("no film", 0.4), ("words", 0.1),
    ]  # fmt: skip
    assert found.best == "twin"
    assert found.image_part.estimate == pytest.approx(0.9 - 0.6)
    assert found.controls[0].ratio.estimate == pytest.approx(0.6 / 0.9)
    assert found.controls[0].gap.wins == 4 and found.controls[0].gap.losses == 1


def test_who_was_not_taught_is_held_against_itself_alone() -> None:
    asked = yes_no([Y, N, N, N])
    baseline = model([Y, Y, Y, N], name="base", role="baseline", question_only=[Y, Y, Y, Y])
    twin = model([N] * 4, name="twin", role="twin")
    found = measure_question_only(columns(asked, baseline, twin, word_guesses=("false",) * 4), baseline)
    assert [each.kind for each in found.controls] == ["no film"]
    assert found.image_part.estimate == pytest.approx(0.25)


def test_the_draws_choose_the_best_control_anew() -> None:
    """Two controls of equal accuracy on other items: their best in a draw is better than either on the whole."""
    generator = np.random.default_rng(3)
    truth = generator.random(400) < 0.5
    asked = yes_no(truth.tolist())
    tuned = model(truth.tolist(), question_only=[bool(each) for each in truth ^ (np.arange(400) % 2 == 0)])
    twin = model([bool(each) for each in truth ^ (np.arange(400) % 2 == 1)], name="twin", role="twin")
    found = measure_question_only(columns(asked, tuned, twin), tuned)
    assert found.image_part.estimate == 0.5
    assert found.image_part.high <= 0.5 and found.image_part.low > 0.4


def test_another_film_costs_what_it_costs() -> None:
    asked = yes_no([Y, Y, N, N])
    audited = model([Y, Y, N, Y], blank=[Y, Y, Y, Y], shuffled=[None, Y, N, Y])
    arrays = columns(asked, audited)
    blank = measure_other_film(arrays, audited, "blank")
    assert blank is not None
    assert estimates(blank.accuracy, blank.drop, blank.retention, blank.changed) == [0.5, 0.25, 2 / 3, 0.25]
    shuffled = measure_other_film(arrays, audited, "shuffled")
    assert shuffled is not None and shuffled.changed.estimate == 0.25
    assert measure_other_film(arrays, audited, "scrambled") is None


# --------------------------------------------------------------------------------------------------------- A6, A7, A23


def test_a_swap_is_counted_by_the_donors_right_answer() -> None:
    asked = yes_no([Y, Y, Y, N, N, N])
    donors = [Y, N, N, Y, Y, None]
    audited = model([Y, Y, N, N, Y, N], swap=[Y, N, N, N, Y, Y])
    arrays = columns(
        asked, audited, variants={"swap": variants(asked, "swap", donors, matched=[N, Y, N, Y, Y, Y])},
        facts={asked[1].question_id: facts(mention="mentioned"), asked[3].question_id: facts(mention="unmentioned")},
    )  # fmt: skip
    swap = measure_swap(arrays, audited)
    assert swap is not None
    every = swap.group("all")
    assert every is not None and every.same.n == 5 and every.follow.n == 4
    # other answers: items 1..4; shown N N N Y, wanted N N Y Y; own Y N N Y, right Y Y N N
    assert estimates(every.stability, every.follow, every.stick, every.grounding) == [1.0, 0.75, 0.75, 0.25]
    assert every.gain.estimate == pytest.approx(0.75 - 0.5)
    matched, mentioned = swap.group("matched"), swap.group("mentioned")
    assert matched is not None and matched.follow.n == 3 and matched.follow.estimate == pytest.approx(2 / 3)
    assert mentioned is not None and mentioned.follow.n == 1
    assert swap.group("choice") is None


@pytest.mark.parametrize("answer", [True, False])
def test_who_does_not_look_has_no_grounding_and_no_gain(answer: bool) -> None:
    truth = [bool(place % 3) for place in range(60)]
    asked = yes_no(truth)
    donors = [not each for each in truth]
    audited = model([answer] * 60, swap=[answer] * 60)
    swap = measure_swap(columns(asked, audited, variants={"swap": variants(asked, "swap", donors)}), audited)
    assert swap is not None
    every = swap.groups[0]
    assert every.grounding.estimate == 0 and every.gain.estimate == 0 and every.stick.estimate == 1


def test_a_coin_is_right_with_both_films_a_quarter_of_the_time() -> None:
    generator = np.random.default_rng(5)
    truth = (generator.random(4000) < 0.5).tolist()
    asked = yes_no(truth)
    audited = model((generator.random(4000) < 0.5).tolist(), swap=[bool(each) for each in generator.random(4000) < 0.5])
    donors = [not each for each in truth]
    swap = measure_swap(columns(asked, audited, variants={"swap": variants(asked, "swap", donors)}), audited)
    assert swap is not None
    assert swap.groups[0].grounding.estimate == pytest.approx(0.25, abs=0.03)
    assert swap.groups[0].gain.low < 0 < swap.groups[0].gain.high


def test_hiding_the_place_counts_against_hiding_as_much_elsewhere() -> None:
    asked = yes_no([Y, Y, N, N])
    seen = [True, True, True, False]
    audited = model(
        [Y, Y, N, N], occluded=given([N, N, N, None], asked=seen), occluded_elsewhere=given([Y, N, N, None], asked=seen)
    )
    found = measure_occlusion(columns(asked, audited), audited)
    assert found is not None and found.target.n == 3
    assert estimates(found.target, found.elsewhere, found.excess) == [2 / 3, 1 / 3, 1 / 3]


def test_a_mirrored_film_wants_the_other_side() -> None:
    sides = ("left lung", "right lung")
    asked = [question(n, sides[n % 2], kind="choice", allowed=sides, template="choose") for n in range(4)]
    other = [sides[(n + 1) % 2] for n in range(4)]
    audited = model(["left lung", "right lung", "left lung", "left lung"],
                    mirrored=["right lung", "Left Lung.", "left lung", "left lung"])  # fmt: skip
    found = measure_mirrored(
        columns(asked, audited, variants={"mirrored": variants(asked, "mirrored", other)}), audited
    )
    assert found is not None
    assert estimates(found.accuracy, found.group.follow, found.group.stick) == [0.75, 0.75, 0.5]
    assert found.group.stability.n == 0 and math.isnan(found.group.stability.estimate)


# ------------------------------------------------------------------------------------------------ A8, A9, A10, A11, A12


def test_quadrants_are_consistency_by_reliance() -> None:
    asked = yes_no([Y, Y, Y, Y, N])
    audited = model([Y, Y, Y, Y, Y], paraphrase=[Y, N, Y, N, Y], question_only=[N, N, Y, Y, N])
    found = measure_quadrants(columns(asked, audited), audited)
    assert found is not None
    shares = {each.quadrant: (each.share.estimate, each.accuracy.estimate) for each in found.shares}
    assert shares == {"ideal": (0.4, 0.5), "fragile": (0.2, 1.0), "dangerous": (0.2, 1.0), "worst": (0.2, 1.0)}


def test_other_words_flip_and_negation_contradicts() -> None:
    asked = yes_no([Y, Y, N, N])
    audited = model([Y, Y, N, Y], paraphrase=[Y, N, N, Y], negated=[N, Y, Y, None])
    arrays = columns(asked, audited, variants={"negated": variants(asked, "negated", [N, N, Y, Y])})
    found = measure_paraphrase(arrays, audited)
    assert found is not None
    assert estimates(found.flipped, found.drop, found.negated_accuracy) == [0.25, 0.25, 0.5]
    assert found.both_same.n == 3 and found.both_same.estimate == pytest.approx(1 / 3)
    assert measure_yes_bias(arrays, audited).pair_accuracy.estimate == 0.5


def test_contradictions_are_counted_over_all_pairs_and_entailment_over_right_premises() -> None:
    allowed = ("atelectasis", "nodule")
    asked = [
        question(0, True, patient=1), question(1, True, patient=1), question(2, False, patient=1),
        question(3, ["nodule"], patient=2, kind="set", allowed=allowed), question(4, True, patient=2),
        question(5, "AP", patient=2, kind="choice", allowed=("AP", "PA")),
        question(6, "AP", patient=2, kind="choice", allowed=("AP", "PA")),
    ]  # fmt: skip
    audited = model([Y, N, Y, ("nodule",), N, "PA", "PA"])
    pairs = (
        Entailment("and → each", "q00000", "true", "q00001", "true"),  # premise right, conclusion wrong
        Entailment("any = no → each = no", "q00002", "false", "q00001", "false"),  # premise not given
        Entailment("any = no → each = no", "q00002", "true", "q00001", "false"),  # given and wrong, holds
        Entailment("verify → list", "q00004", "false", "q00003", '["nodule"]', "lacks"),  # wrong premise, contradicted
        Entailment("list → verify", "q00003", '["nodule"]', "q00004", "true"),  # right premise, contradicted
        Entailment("one view a film", "q00005", '"PA"', "q00006", '"PA"'),  # both wrong, and agree
        Entailment("gone", "q00005", '"PA"', "q99999", '"PA"'),
    )
    found = measure_contradictions(columns(asked, audited, entailments=pairs), audited)
    assert found is not None
    assert (found.contradicted.n, found.contradicted.estimate) == (5, pytest.approx(3 / 5))
    assert (found.entailed.n, found.entailed.estimate) == (2, 0.0)
    assert [each.rule for each in found.rules] == [
        "and → each", "any = no → each = no", "list → verify", "one view a film", "verify → list",
    ]  # fmt: skip


def test_answers_are_spread_as_the_right_ones_or_not() -> None:
    asked = [
        *yes_no([Y, Y, N, N], template="a"),
        question(9, "left", kind="choice", allowed=("left", "right"), template="b"),
        question(10, ["x"], kind="set", allowed=("x", "y"), template="c"),
    ]
    training = [*yes_no([Y, N], template="a", first=20), question(30, "left", kind="choice", template="b")]
    audited = model([Y, Y, Y, Y, "middle", None])
    found = measure_distribution(columns(asked, audited, training=training), audited)
    assert found.valid.estimate == pytest.approx(4 / 6)  # middle was not on offer, the list could not be read
    assert found.plausible.n == 5 and found.plausible.estimate == pytest.approx(4 / 5)
    assert (found.top_share.estimate, found.top_share_gold.estimate) == (1.0, pytest.approx(3 / 5))
    assert found.entropy_ratio.estimate == pytest.approx(0.0)
    shannon = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)) - 0.5  # of template a: (1, 0) against (.5, .5)
    assert found.divergence.estimate == pytest.approx(0.8 * shannon + 0.2 * 1.0)


def test_yes_bias_and_criterion() -> None:
    asked = yes_no([Y] * 4 + [N] * 6)
    audited = model([Y, Y, Y, N, Y, Y, N, N, N, None])
    found = measure_yes_bias(columns(asked, audited), audited)
    assert found.bias.n == 9
    assert estimates(found.bias, found.sensitivity, found.specificity) == [5 / 9 - 4 / 9, 0.75, 0.6]
    from statistics import NormalDist

    z = NormalDist().inv_cdf
    assert found.criterion.estimate == pytest.approx(-(z(3.5 / 5) + z(2.5 / 6)) / 2)
    assert math.isnan(measure_yes_bias(columns(yes_no([Y, Y]), model([Y, Y])), model([Y, Y])).criterion.estimate)


# -------------------------------------------------------------------------------------------- A14, A16, A19, A20, A21


def test_the_clean_subset_is_what_nobody_answers_blind() -> None:
    asked = yes_no([Y, Y, N, N])
    one = model([Y, Y, N, Y], question_only=[Y, N, Y, Y])
    two = model([Y, Y, N, N], name="two", role="other", question_only=[N, Y, Y, Y])
    found = measure_clean_subset(columns(asked, one, two), one)
    assert found is not None
    assert (found.pool, found.kept.estimate, found.accuracy.estimate) == (("tuned", "two"), 0.5, 0.5)
    alone = measure_clean_subset(columns(asked, one, two, pool=("two",)), one)
    assert alone is not None and alone.kept.estimate == 0.75


def test_subgroups_are_shown_raw_and_at_one_mix_and_small_ones_not_at_all() -> None:
    """Women have the harder template more often and are as well served within each: the raw gap is mix alone."""
    rows: list[tuple[str, str, bool]] = []
    for sex, easy, hard in (("female", 20, 80), ("male", 80, 20)):
        rows += [(sex, "easy", place % 10 != 0) for place in range(easy)]
        rows += [(sex, "hard", place % 2 == 0) for place in range(hard)]
    rows += [("unknown sex", "easy", True)] * 3
    asked = [question(place, True, template=template) for place, (_, template, _) in enumerate(rows)]
    audited = model([right for _, _, right in rows])
    known = {each.question_id: facts(sex=sex) for each, (sex, _, _) in zip(asked, rows, strict=True)}
    (found,) = measure_subgroups(columns(asked, audited, facts=known), audited)
    female, male, tiny = found.groups
    assert (found.feature, found.worst, tiny.value, tiny.n, tiny.raw) == ("sex", "female", "unknown sex", 3, None)
    assert female.raw is not None and female.raw.estimate == pytest.approx(0.2 * 0.9 + 0.8 * 0.5)
    assert found.gap.estimate == pytest.approx(0.24) and found.gap.low > 0
    assert female.standardised is not None and male.standardised is not None
    assert female.standardised.estimate == pytest.approx(male.standardised.estimate) == pytest.approx(0.7)
    assert found.standardised_gap.estimate == pytest.approx(0.0) and found.shared_mix == 1.0
    assert found.equalised_odds.n == 0  # no question whose answer is no


def test_too_few_patients_are_too_few() -> None:
    asked = [question(place, True, patient=place % 19) for place in range(200)]
    known = {each.question_id: facts(view="AP" if place % 2 else "PA") for place, each in enumerate(asked)}
    (found,) = measure_subgroups(columns(asked, model([Y] * 200), facts=known), model([Y] * 200))
    assert all(group.raw is None and group.n == 100 for group in found.groups)
    assert found.worst is None and found.gap.n == 0 and math.isnan(found.gap.estimate)


def test_equalised_odds_is_the_larger_of_two_gaps() -> None:
    asked = yes_no([Y, N] * 100)
    said = [Y if place % 2 == 0 else place < 100 and place % 4 == 1 for place in range(200)]
    known = {each.question_id: facts(view="AP" if place < 100 else "PA") for place, each in enumerate(asked)}
    (found,) = measure_subgroups(columns(asked, model(said), facts=known), model(said))
    assert found.equalised_odds.estimate == pytest.approx(0.5)


def test_slices_by_mention_and_lesion() -> None:
    asked = yes_no([Y, Y, Y, N])
    known = {
        "q00000": facts(mention="mentioned", lesion_px=3.0), "q00001": facts(mention="mentioned", lesion_px=70.0),
        "q00002": facts(mention="unmentioned"),
    }  # fmt: skip
    audited = model([N, Y, N, N], question_only=[Y, N, N, N])
    found = measure_slices(columns(asked, audited, facts=known), audited)
    assert [(each.value, each.accuracy.estimate) for each in found.mention] == [
        ("mentioned", 0.5),
        ("unmentioned", 0.0),
    ]
    assert [(each.value, each.accuracy.estimate) for each in found.lesion_px] == [("0 to 4", 0.0), ("64 or more", 1.0)]
    assert found.lesion_px[1].image_part.estimate == 1.0


def test_memorisation() -> None:
    asked = yes_no([Y] * 6)
    audited = replace(model([Y, N, Y, N, Y, Y]), train_accuracy=0.9)
    found = measure_memorisation(columns(asked, audited, similarity=np.array([0.1, 0.2, 0.5, 0.6, 0.9, 1.0])), audited)
    assert found is not None and found.train_gap.estimate == pytest.approx(0.9 - 4 / 6)
    assert [(each.low, each.high, each.accuracy.estimate) for each in found.by_similarity] == [
        (0.1, 0.2, 0.5), (0.5, 0.6, 0.5), (0.9, 1.0, 1.0),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def chances() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(11)
    chance = generator.random(600)
    return chance, generator.random(600) < chance**2  # too sure of yes


def test_calibration_agrees_with_scikit_learn(chances: tuple[np.ndarray, np.ndarray]) -> None:
    chance, truth = chances
    asked = yes_no(truth.tolist())
    held_out = HeldOut(chance[:300], truth[:300])
    audited = replace(model((chance > 0.5).tolist(), chances=chance.tolist()), validation=held_out)
    found = measure_calibration(columns(asked, audited), audited)
    share, mean = calibration_curve(truth, chance, n_bins=10, strategy="quantile")
    assert found.ece.estimate == pytest.approx(float(np.mean(np.abs(share - mean))), abs=1e-9)
    assert [each.chance for each in found.bins] == pytest.approx(mean.tolist())
    assert found.brier.estimate == pytest.approx(brier_score_loss(truth, chance))
    assert found.auroc.estimate == pytest.approx(roc_auc_score(truth, chance))
    assert found.ece.low <= found.ece.estimate <= found.ece.high
    odds = np.log(chance / (1 - chance))[:, None]
    fitted = LogisticRegression(C=np.inf).fit(odds[:300], truth[:300])
    assert found.platt == pytest.approx((fitted.coef_[0, 0], fitted.intercept_[0]))
    assert apply_platt(found.platt, chance) == pytest.approx(fitted.predict_proba(odds)[:, 1])  # type: ignore[arg-type]
    assert found.ece_platt.estimate < found.ece.estimate and found.brier_platt.estimate < found.brier.estimate


def test_calibration_needs_enough_questions(chances: tuple[np.ndarray, np.ndarray]) -> None:
    chance, truth = chances[0][:299], chances[1][:299]
    audited = model((chance > 0.5).tolist(), chances=chance.tolist())
    found = measure_calibration(columns(yes_no(truth.tolist()), audited), audited)
    assert found.ece.n == 0 and math.isnan(found.ece.estimate) and found.bins == ()
    assert found.brier.n == 299
    assert fit_platt(HeldOut(chance, np.ones(299, bool))) is None


def test_selective_risk_by_hand() -> None:
    asked = yes_no([Y, Y, Y, Y, N])
    audited = model([Y, Y, N, Y, N], chances=[0.99, 0.9, 0.2, 0.7, 0.45])
    found = measure_selective(columns(asked, audited), audited)
    # surest first: right, right, right (0.2 is as sure as 0.8, wrong), ...: 0 0 1 0 0
    assert found.aurc.estimate == pytest.approx(np.mean([0, 0, 1 / 3, 1 / 4, 1 / 5]))
    assert found.accuracy_at_80.estimate == pytest.approx(0.75)
    assert [point.risk for point in found.curve if point.coverage in (0.4, 0.6, 1.0)] == pytest.approx([0, 1 / 3, 0.2])
    assert {name: each.estimate for name, each in found.reliability.items()} == pytest.approx(
        {"0": 0.8, "5": -0.2, "10": -1.2, "N": -0.2}
    )
    assert found.break_even.estimate == pytest.approx(4.0)


def test_items_of_one_confidence_have_no_order() -> None:
    for said in ([Y, N], [N, Y]):
        audited = model(said, chances=[0.9 if each else 0.1 for each in said])
        found = measure_selective(columns(yes_no([Y, Y]), audited), audited)
        assert found.aurc.estimate == 0.5 and found.accuracy_at_80.estimate == 0.5


def test_silence_costs_nothing() -> None:
    audited = model([Y, None, None, Y])
    found = measure_selective(columns(yes_no([Y, Y, N, N]), audited), audited)
    assert found.reliability["10"].estimate == pytest.approx((1 - 10) / 4)
    assert found.curve == () and found.aurc.n == 0


# ---------------------------------------------------------------------------------- A17, A18, A22, decomposition, gates


def test_two_models_and_a_blind_one_make_a_candidate() -> None:
    asked = yes_no([Y, Y, Y, Y])
    one = model([N, N, Y, N], question_only=[N, Y, N, N])
    two = model([N, N, Y, Y], name="two", role="other")
    found = measure_label_errors(columns(asked, one, two, gold_checked=(1, 4)))
    assert found.candidates == ("q00000",) and found.share.estimate == 0.25
    assert (found.checked.estimate, found.checked.n) == (0.25, 4) and found.checked.low < 0.25 < found.checked.high
    bound = found.bounds[0]
    assert (bound.model, bound.low, bound.high) == ("tuned", 0.25, 0.5)


def test_the_terms_of_the_gain_sum_exactly() -> None:
    generator = np.random.default_rng(2)
    truth = generator.random(300) < 0.6
    asked = yes_no(truth.tolist(), per_patient=3)

    def off(share: float) -> list[bool]:
        return [bool(each) for each in truth ^ (generator.random(300) < share)]

    base = model(off(0.45), name="base", role="baseline", question_only=off(0.5), swap=off(0.5))
    tuned = model(off(0.2), question_only=off(0.4), swap=off(0.7))
    twin = model(off(0.38), name="twin", role="twin")
    arrays = columns(
        asked, base, tuned, twin, training=yes_no([Y, Y, N], first=500),
        variants={"swap": variants(asked, "swap", [not each for each in truth.tolist()])},
    )  # fmt: skip
    found = measure_decomposition(arrays, base, tuned)
    assert found is not None
    assert found.text_part.estimate + found.image_part.estimate == pytest.approx(found.gain.estimate)
    assert found.aligned_term.estimate + found.opposed_term.estimate == pytest.approx(found.gain.estimate)
    parts = found.tuned_image_part.estimate - found.base_image_part.estimate
    assert parts == pytest.approx(found.image_part.estimate)
    assert found.aligned_share is not None and found.aligned_share.estimate == pytest.approx(
        found.aligned_term.estimate / found.gain.estimate
    )
    assert found.grounding.n == 300
    uncontrolled = model(off(0.4), name="base", role="baseline")
    assert measure_decomposition(columns(asked, uncontrolled, tuned), uncontrolled, tuned) is None


def test_gates() -> None:
    asked = yes_no([Y, N] * 10)
    audited = replace(model([Y, N] * 9 + [None, None], question_only=[Y, N] * 9 + [N, Y]), batch_flips=0.02)
    arrays = columns(asked, audited, leaks=LeakCounts({"patient": {"train-test": 1}, "text": {"train-test": 9}}))
    gates = {each.name: each for each in model_gates(
        audited, measure_question_only(arrays, audited), measure_yes_bias(arrays, audited)
    )}  # fmt: skip
    assert (gates["unparsed"].value, gates["unparsed"].passed) == (0.1, False)
    assert (gates["batch flips"].passed, gates["question only"].passed, gates["yes-bias"].passed) == (
        False,
        False,
        True,
    )
    assert gates["yes-bias"].level == "amber"
    (leak,) = leak_gates(arrays)
    assert (leak.value, leak.passed) == (1.0, False)
    assert leak_gates(columns(asked, audited)) == ()


# ------------------------------------------------------------------------------------------------------- nothing at all


def intervals_in(value: Any) -> list[Interval]:
    if isinstance(value, Interval):
        return [value]
    if is_dataclass(value) and not isinstance(value, type):
        return [each for field in fields(value) for each in intervals_in(getattr(value, field.name))]
    if isinstance(value, dict):
        return [each for one in value.values() for each in intervals_in(one)]
    if isinstance(value, tuple | list):
        return [each for one in value for each in intervals_in(one)]
    return []


EVERY: tuple[Any, ...] = (
    "blank", "noise", "shuffled", "question_only", "paraphrase", "scrambled", "occluded", "occluded_elsewhere", "swap",
    "negated", "mirrored",
)  # fmt: skip


def full_input(truth: list[bool], said: list[bool | None], **more: Any) -> AuditInput:
    asked = yes_no(truth, per_patient=more.pop("per_patient", 1))
    golds = {
        name: variants(asked, name, [not each for each in truth], matched=True)
        for name in ("swap", "negated", "mirrored")
    }
    one = model(said, chances=more.pop("chances", None), **dict.fromkeys(EVERY, said))
    two = model(said, name="base", role="baseline", **dict.fromkeys(EVERY, said))
    known = facts(sex="female", mention="mentioned", confounders={"view": "PA"})
    return audit_input(
        asked, two, one, training=yes_no([Y], first=900), variants=golds,
        facts={each.question_id: known for each in asked}, **more,
    )  # fmt: skip


def test_no_question_is_nan_and_no_verdict() -> None:
    report = run_audits(full_input([], []))
    assert report.n == 0 and report.clusters == 0
    for each in intervals_in(report):
        assert each.n == 0 and math.isnan(each.estimate) and math.isnan(each.low)
    assert {each.verdict.kind for each in report.models} == {"cannot be told"}


def test_one_patient_has_no_interval_and_no_verdict() -> None:
    report = run_audits(full_input([Y, N, Y, N, Y], [Y, N, Y, Y, N], per_patient=5))
    assert report.clusters == 1
    for each in intervals_in(report):
        assert each.clusters <= 1 and math.isnan(each.low) and math.isnan(each.high)
    assert report.models[0].accuracy.estimate == pytest.approx(3 / 5)
    assert report.models[1].verdict.kind == "cannot be told" and "1 patients" not in report.models[1].verdict.sentence


def test_answers_that_cannot_be_read_are_wrong_and_fail_the_gate() -> None:
    report = run_audits(full_input([Y, N] * 40, [None] * 80))
    tuned = report.model("tuned")
    assert tuned.accuracy.estimate == 0.0 and tuned.accuracy.n == 80
    assert tuned.yes_bias.bias.n == 0 and math.isnan(tuned.yes_bias.bias.estimate)
    assert tuned.distribution.valid.estimate == 0.0 and tuned.distribution.plausible.n == 0
    assert tuned.selective.reliability["10"].estimate == 0.0
    assert tuned.verdict.kind == "guesses"
    assert not report.passed
    assert {gate.name for gate in report.gates if not gate.passed} == {"unparsed"}


def test_a_model_that_nobody_asked_anything_else_is_audited_as_far_as_it_goes() -> None:
    asked = yes_no([Y, N] * 30)
    report = run_audits(audit_input(asked, model([Y, N] * 30)))
    audited = report.models[0]
    assert audited.accuracy.estimate == 1.0 and audited.verdict.kind == "cannot be told"
    assert audited.swap is audited.occlusion is audited.quadrants is audited.paraphrase is audited.mirrored is None
    assert audited.subgroups == () and audited.other_films == () and report.decompositions == ()
    assert report.prior.accuracy.n == 0 and report.label_errors.candidates == ()


@pytest.mark.parametrize(
    ("code", "broken"),
    [
        ("no-full", lambda asked: audit_input(asked, replace(model([Y, N]), answers={"blank": given([Y, N])}))),
        ("other-questions", lambda asked: audit_input(asked, model([Y, N, Y]))),
        ("repeated-model", lambda asked: audit_input(asked, model([Y, N]), model([Y, N]))),
        ("no-twin", lambda asked: audit_input(asked, model([Y, N], twin="gone"))),
        ("no-model", lambda asked: audit_input(asked, model([Y, N]), pool=("gone",))),
        ("repeated-questions", lambda asked: audit_input([asked[0], asked[0]], model([Y, N]))),
        ("unanswerable", lambda asked: audit_input([asked[0], replace(asked[1], answerable=False)], model([Y, N]))),
    ],
)  # fmt: skip
def test_what_cannot_be_these_questions_answers_is_refused(code: str, broken: Any) -> None:
    with pytest.raises(QuestionError) as caught:
        run_audits(broken(yes_no([Y, N])))
    assert caught.value.code == code


def test_predictions_are_read_by_the_rules_of_their_condition() -> None:
    asked = [question(0, True), question(1, ["x"], kind="set", allowed=("x", "y"))]
    rows = {
        "q00000": {"raw_text": "Yes.", "outcome": "answered", "value": "true", "scores": '{"yes": 0.6, "no": 0.2}',
                   "model_fingerprint": "f"},
        "q00001": {"raw_text": "y and x", "outcome": "answered", "value": "[]", "scores": "{}",
                   "model_fingerprint": "f"},
    }  # fmt: skip
    read = read_given(asked, rows)
    assert read.values == (True, ("x", "y")) and read.chance_yes[0] == pytest.approx(0.75)
    assert math.isnan(read.chance_yes[1]) and read.fingerprint == "f"
    part = read_given(asked, {"q00000": rows["q00000"]}, variants(asked[:1], "negated", [False]))
    assert part.is_asked.tolist() == [True, False] and part.values[1] is None
    with pytest.raises(QuestionError, match="1 questions have none"):
        read_given(asked, {"q00000": rows["q00000"]})
    assert math.isnan(chance_of_yes("not json")) and math.isnan(chance_of_yes(None)) and math.isnan(chance_of_yes("[]"))
