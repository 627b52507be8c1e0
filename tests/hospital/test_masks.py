"""Run lengths: what is written is what is read, in COCO's order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.masks import decode_mask, encode_mask, mask_rows


@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_a_decoded_mask_is_the_encoded_one(mask: NDArray[np.bool_]) -> None:
    counts = encode_mask(mask)
    assert counts.sum() == mask.size and (counts[1:] > 0).all()
    assert counts[1::2].sum() == mask.sum()
    np.testing.assert_array_equal(decode_mask(counts, *mask.shape), mask)


def test_runs_go_down_the_columns_and_begin_with_background() -> None:
    assert encode_mask(np.array([[0, 1, 1], [0, 1, 0]], np.bool_)).tolist() == [2, 3, 1]
    assert encode_mask(np.array([[1, 0], [1, 0]], np.bool_)).tolist() == [0, 2, 2]
    assert encode_mask(np.zeros((2, 2), np.bool_)).tolist() == [4]
    assert encode_mask(np.ones((2, 2), np.bool_)).tolist() == [0, 4]


@pytest.mark.parametrize("counts", [[3, 2], [4, 1], [5, -1, 2]])
def test_runs_that_do_not_fill_the_mask_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="mask of 2 x 3"):
        decode_mask(counts, 2, 3)


def test_a_finding_that_the_view_does_not_show_has_no_row() -> None:
    findings = [PlantedFinding(name, ("spine",), 0.5) for name in ("scoliosis", "hernia")]
    rows = list(mask_rows("film", findings, [None, encode_mask(np.eye(3, dtype=np.bool_))], 3))
    assert [(row["finding"], row["attribute"], row["height"]) for row in rows] == [(1, "hernia", 3)]
