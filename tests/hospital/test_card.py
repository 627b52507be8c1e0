"""The hospital's card: its figures against ones worked out by hand, and against the real demo."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from chartsight.errors import OutputError, RecordError
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.hospital.card import compare_distributions, compare_shares, hospital_card, kolmogorov_smirnov
from chartsight.hospital.patients import plan_patient

ROOT = Path(__file__).parents[2]
DEMO = Path(os.environ.get("CHARTSIGHT_OPEN_DATA", ROOT / ".." / "shared" / "open-data")) / "mimic-iv-demo"


def test_equal_distributions_do_not_differ_and_distant_ones_do() -> None:
    values = np.arange(100.0)
    same = compare_distributions("x", "days", values, values)
    assert same.standardised == 0 and same.ks == 0 and same.words.startswith("alike")
    apart = compare_distributions("x", "days", values + 1000, values)
    assert apart.ks == 1 and apart.words.startswith("much higher here")
    assert compare_distributions("x", "days", values, values[:4]).words == "too few to compare"
    assert compare_distributions("x", "days", values, np.zeros(0)).words == "not in the reference"


def test_the_kolmogorov_smirnov_distance_is_the_largest_gap() -> None:
    assert kolmogorov_smirnov(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6])) == 0.5


def test_shares_are_standardised_by_the_spread_of_a_yes_or_no() -> None:
    assert compare_shares("x", 0.6, 0.4).standardised == pytest.approx(0.2 / np.sqrt(0.24), abs=1e-3)


def test_a_card_without_a_reference_describes_the_hospital(small_hospital: Path, tmp_path: Path) -> None:
    card = hospital_card(small_hospital, tmp_path / "card.html")
    page = (tmp_path / "card.html").read_text("utf-8")
    assert "http" not in page.replace("http://www.w3.org", "") and "data:image/svg+xml;base64," in page
    figures = json.loads((tmp_path / "card.json").read_text("utf-8"))
    assert figures["films"] == card.films and card.films["studies"] >= 12
    ages = next(each for each in card.differences if each.name == "Age")
    assert ages.ours is not None and ages.ours.n == 12 and ages.theirs is None
    assert sum(card.findings.values()) > 1


def test_a_folder_without_tables_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(RecordError) as caught:
        hospital_card(tmp_path, tmp_path / "card.html")
    assert caught.value.code == "missing-file"
    assert not list(tmp_path.iterdir())


def test_a_page_that_exists_is_refused_with_its_figures(small_hospital: Path, tmp_path: Path) -> None:
    (tmp_path / "card.html").write_text("mine")
    (tmp_path / "other.json").write_text("mine")
    for name in ("card.html", "other.html", "figures.json"):
        with pytest.raises(OutputError):
            hospital_card(small_hospital, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.html", "other.json"]


def test_a_hospital_without_admissions_has_a_card(tmp_path: Path) -> None:
    config = next(
        config for seed in range(50)
        if not plan_patient(config := HospitalConfig(patients=1, seed=seed, film_size_px=64), 0).episodes
    )  # fmt: skip
    build_hospital(tmp_path / "hospital", config, workers=1, quiet=True)
    card = hospital_card(tmp_path / "hospital", tmp_path / "card.html")
    shares = {each.name: each.our_share for each in card.differences}
    assert shares["Admissions that end in death"] is None and shares["Women"] in (0, 1)


def test_a_reference_may_lack_a_table_but_not_half_of_one(small_hospital: Path, tmp_path: Path) -> None:
    reference = Path(shutil.copytree(small_hospital / "mimic-iv", tmp_path / "reference"))
    (reference / "hosp" / "diagnoses_icd.csv.gz").unlink()
    card = hospital_card(small_hospital, tmp_path / "card.html", reference)
    coded = next(each for each in card.differences if each.name == "Diagnoses in ICD-10")
    assert coded.our_share is not None and coded.their_share is None
    number = next(each for each in card.differences if each.name == "Diagnoses")
    assert number.ours is not None and number.ours.n > 0 and number.words == "not in the reference"
    labs = reference / "hosp" / "labevents.csv.gz"
    for spoiled in (labs.read_bytes()[:2000], b"", (reference / "hosp" / "admissions.csv.gz").read_bytes()):
        labs.write_bytes(spoiled)
        with pytest.raises(RecordError, match=r"labevents\.csv\.gz: cannot be read") as caught:
            hospital_card(small_hospital, tmp_path / "again.html", reference)
        assert caught.value.code == "bad-table"


@pytest.mark.opendata
def test_every_large_difference_from_the_demo_is_stated(small_hospital: Path, tmp_path: Path) -> None:
    if not (DEMO / "hosp").is_dir():
        pytest.skip("the MIMIC-IV demo is not beside the project")
    card = hospital_card(small_hospital, tmp_path / "card.html", reference=DEMO)
    page = (tmp_path / "card.html").read_text("utf-8")
    assert all(f"<b>{each.name}</b>" in page for each in card.large())
    by_name = {each.name: each for each in card.differences}
    ages = by_name["Age"].theirs
    assert ages is not None and ages.n == 100 and ages.quantiles[2] == 63
    # What courses drive is compared too, and what the demo lacks is called so.
    assert {"C-reactive protein", "NT-proBNP", "Cultures", "Transfers", "Cultures without an admission"} <= set(by_name)
    assert by_name["Cultures without an admission"].their_share == pytest.approx(0.317, abs=0.001)
    assert by_name["Heart rate"].words == "not in the reference"
