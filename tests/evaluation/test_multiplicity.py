from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from chartsight.evaluation.multiplicity import benjamini_hochberg, holm


@pytest.mark.parametrize("tests", [1, 2, 3, 30])
def test_both_agree_with_statsmodels(tests: int) -> None:
    for seed in range(5):
        p_values = (np.random.default_rng(seed).random(tests).round(2) ** 2).tolist()  # rounded: some are equal
        assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
        assert benjamini_hochberg(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1])


def test_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert benjamini_hochberg([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])


def test_an_empty_slice_is_no_test() -> None:
    for adjust in (holm, benjamini_hochberg):
        with_empty = adjust([0.01, math.nan, 0.03])
        assert math.isnan(with_empty[1])
        assert [with_empty[0], with_empty[2]] == adjust([0.01, 0.03])
        assert adjust([]) == []
