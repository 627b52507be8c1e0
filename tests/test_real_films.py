"""The real-film benchmark: cropping removes what shapes tell, folds share nobody, the probe is logistic regression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks import real_films
from sklearn.linear_model import LogisticRegression

from chartsight.errors import ChartsightError


@pytest.mark.parametrize(("rows", "columns"), [(300, 450), (450, 300), (400, 480), (1000, 400)])
def test_every_film_gets_one_aspect_and_keeps_its_middle(rows: int, columns: int) -> None:
    film = np.zeros((rows, columns), np.uint8)
    film[rows // 2, columns // 2] = 255
    cropped = real_films.crop_to_aspect(film)
    assert cropped.shape[1] / cropped.shape[0] == pytest.approx(real_films.ASPECT, rel=0.01)
    assert abs(int(np.argmax(cropped.max(1))) - cropped.shape[0] // 2) <= 1
    assert cropped.max() == 255 and (cropped.shape[0] == rows or cropped.shape[1] == columns)


def test_folds_share_no_patient_and_are_of_like_size() -> None:
    patients = np.repeat([f"p{number}" for number in range(50)], 3)
    fold = real_films.folds_of(patients, 5, seed=2)
    for patient in set(patients):
        assert len(set(fold[patients == patient])) == 1
    assert np.bincount(fold).tolist() == [30] * 5


def test_the_probe_is_balanced_logistic_regression() -> None:
    random = np.random.default_rng(4)
    labels = random.random(200) < 0.25
    features = random.normal(size=(200, 4)) + labels[:, None] * np.array([1.0, 0.5, 0, 0])
    penalty = 2.0
    ours = real_films.fit_logistic(features, labels, penalty)(features)
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-6)
    # scikit-learn sums n-fold weights where ours are a mean: the penalty is the same for C = 1 / penalty.
    theirs = LogisticRegression(C=1 / penalty, class_weight="balanced", tol=1e-8, max_iter=1000).fit(scaled, labels)
    assert ours == pytest.approx(theirs.decision_function(scaled), abs=2e-3)


def test_a_probe_never_sees_the_film_s_patient() -> None:
    """Each patient has a label and a mark of its own: whoever has seen the patient is right, nobody else can be."""
    random = np.random.default_rng(6)
    patients = np.repeat([f"p{number}" for number in range(60)], 4)
    labels = np.repeat(random.random(60) < 0.5, 4)
    marks = np.repeat(random.normal(size=(60, 40)), 4, axis=0)
    right = (real_films.probe(marks, labels, patients, seed=1) > 0) == labels
    assert right.mean() < 0.7


def test_without_the_data_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTSIGHT_OPEN_DATA", str(tmp_path))
    with pytest.raises(ChartsightError, match="CHARTSIGHT_OPEN_DATA"):
        real_films.open_data("kermany-pneumonia-subset")


@pytest.mark.opendata
def test_children_s_films_in_small() -> None:
    try:
        films = real_films.read_children(64, 60)
    except ChartsightError as error:
        pytest.skip(str(error))
    assert 40 <= len(films.pixels) <= 60 and 0 < films.labels.mean() < 1
    padded = films.pixels[:, : round(32 * (1 - 1 / real_films.ASPECT)) - 1]
    assert padded.max() == 0, "every film has the same borders"
