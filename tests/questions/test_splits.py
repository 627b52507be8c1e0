from __future__ import annotations

import pytest

from chartsight.errors import GateError, QuestionError
from chartsight.questions.splits import FEWEST_PATIENTS_TO_HASH, assign_splits, check_splits, find_leaks


def patients(n: int) -> list[tuple[int, str]]:
    return [(subject, f"digest{subject}") for subject in range(n)]


@pytest.mark.parametrize("n", [10, 46, 200, 3000])
def test_shares_are_kept(n: int) -> None:
    splits = list(assign_splits(patients(n), 7, 0.1, 0.2).values())
    near = 0 if n < FEWEST_PATIENTS_TO_HASH else 0.03 * n
    assert splits.count("test") == pytest.approx(0.2 * n, abs=near + 1)
    assert splits.count("valid") == pytest.approx(0.1 * n, abs=near + 1)
    assert set(splits) == {"train", "valid", "test"}


def test_a_large_records_patients_stay_when_it_grows() -> None:
    before, after = (assign_splits(patients(n), 7, 0.1, 0.2) for n in (1000, 1500))
    assert all(after[subject] == split for subject, split in before.items())


def test_another_seed_is_another_split() -> None:
    assert assign_splits(patients(100), 7, 0.1, 0.2) == assign_splits(patients(100)[::-1], 7, 0.1, 0.2)
    assert assign_splits(patients(100), 7, 0.1, 0.2) != assign_splits(patients(100), 8, 0.1, 0.2)


def test_patients_who_share_an_image_stay_together() -> None:
    chain = [(n, digest) for n in range(100) for digest in (f"d{n}", f"d{n + 1}")]
    assert len(set(assign_splits([*chain, *((n, f"e{n}") for n in range(1000, 1300))], 7, 0.3, 0.3).values())) > 1
    splits = assign_splits([*chain, *((n, f"e{n}") for n in range(1000, 1300))], 7, 0.3, 0.3)
    assert len({splits[n] for n in range(100)}) == 1


@pytest.mark.parametrize(("valid", "test"), [(0.5, 0.5), (-0.1, 0.2), (0.1, 1.2)])
def test_impossible_shares_are_refused(valid: float, test: float) -> None:
    with pytest.raises(QuestionError, match="below 1"):
        assign_splits(patients(3), 7, valid, test)


def test_a_leak_stops_the_run_without_naming_the_patient() -> None:
    rows = [("train", {"patient": 10000032, "image": "a"}), ("test", {"patient": 10000032, "image": "b"})]
    assert find_leaks(rows)["patient"] == {"train-valid": 0, "train-test": 1, "valid-test": 0}  # type: ignore[arg-type]
    with pytest.raises(GateError, match=r"1 patient\(s\) in both train and test") as caught:
        check_splits(rows, "questions")  # type: ignore[arg-type]
    assert "10000032" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_shared_image_stops_the_run() -> None:
    with pytest.raises(GateError, match="image"):
        check_splits([("train", {"patient": 1, "image": "a"}), ("valid", {"patient": 2, "image": "a"})], "questions")
