from __future__ import annotations

import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from chartsight.errors import OutputError
from chartsight.imaging.pixels import read_film
from chartsight.questions.data_card import (
    build_data_card,
    describe_questions,
    measure_entropy,
    measure_priors,
    slots_of,
    write_data_card,
)
from chartsight.questions.guesser import score_guesser
from chartsight.questions.importers import ImportConfig, import_questions
from chartsight.questions.near_duplicates import MOST_BITS, find_near_duplicates, hash_pictures
from chartsight.questions.subgroups import Films
from chartsight.schema import Question

from .released_files import PATIENTS, STUDIES, lab_item, picc_item, write_items, write_record

METADATA = {"terms": "synthetic", "pairing": "real"}


def test_entropy_is_in_bits() -> None:
    assert measure_entropy(["a", "b", "c", "d"]) == 2
    assert measure_entropy(["a", "a"]) == 0


def test_priors_are_trains_majorities_scored_on_test(questions: list[Question]) -> None:
    base = replace(questions[0], parameters='{"attribute": "x"}')

    def rows(split: str, template: str, answers: list[str]) -> list[Question]:
        return [replace(base, split=split, template_id=template, answer=answer) for answer in answers]  # type: ignore[arg-type]

    made = [
        *rows("train", "a", ["true", "true", "true", "false"]), *rows("train", "b", ["false", "false"]),
        *rows("test", "a", ["true", "false"]), *rows("test", "b", ["false", "true"]), *rows("test", "c", ["true"]),
    ]  # fmt: skip
    priors = measure_priors(made)
    assert priors["overall_majority"] == {"answer": "false", "accuracy": 2 / 5}
    assert priors["per_template"]["a"] == {"majority": "true", "accuracy": 1 / 2}
    assert priors["per_template"]["c"] == {"majority": None, "accuracy": 0}
    assert priors["per_template_majority"]["accuracy"] == 2 / 5


def test_a_planted_leak_is_seen(questions: list[Question]) -> None:
    assert describe_questions(questions, METADATA)["leakage"]["is_clean"]
    train = next(question for question in questions if question.split == "train")
    leaked = describe_questions([*questions, replace(train, split="test")], METADATA)["leakage"]
    assert not leaked["is_clean"]
    assert leaked["patient"]["train-test"] == leaked["study"]["train-test"] == leaked["image"]["train-test"] == 1


def test_the_same_picture_under_two_names_is_a_leak(questions: list[Question]) -> None:
    train = next(question for question in questions if question.split == "train")
    test = next(question for question in questions if question.split == "test")
    digests = {train.image_ids[0]: "same", test.image_ids[0]: "same"}
    assert describe_questions(questions, METADATA, Films(digests))["leakage"]["image"]["train-test"] == 1


def test_the_page_is_self_contained_and_says_what_the_json_says(built: Path, questions: list[Question]) -> None:
    page, card = built.with_name("questions.card.html").read_text(), json.loads(
        built.with_name("questions.card.json").read_text()
    )  # fmt: skip
    assert not re.search(r"""src\s*=|href\s*=\s*"(?!#)|https?://|@import|url\((?!#)""", page)
    assert card["total"]["questions"] == len(questions)
    assert sum(split["questions"] for split in card["splits"].values()) == len(questions)
    assert f"{len(questions):,}" in page
    assert "Research use only" in page
    assert "no clinical association" not in page
    assert not any(str(question.subject_id) in page or str(question.study_ids[0]) in page for question in questions)
    assert all(row["template_id"] in page for row in card["templates"])
    assert len(page) < 200_000


@pytest.mark.parametrize("pairing", ["synthetic", "ehrxqa-shuffled"])
def test_a_pairing_that_is_not_real_is_said(pairing: str, questions: list[Question], tmp_path: Path) -> None:
    from chartsight.questions.files import write_questions

    write_questions(tmp_path / "q.parquet", [replace(q, pairing=pairing) for q in questions[:50]], {})  # type: ignore[arg-type]
    build_data_card(tmp_path / "q.parquet", tmp_path / "q.card.html")
    assert "no clinical association" in (tmp_path / "q.card.html").read_text()


# ----------------------------------------------------------------------------------------------------------- guessers


def worded(base: Question, n: int, split: str, word: str, answer: str) -> Question:
    return replace(
        base, question_id=f"{split}{n}", split=split, visual_question=f"is the {word} there?", answer=answer,
        template_id="t", parameters="{}",
    )  # type: ignore[arg-type]  # fmt: skip


def test_a_guesser_that_reads_finds_what_words_betray(questions: list[Question]) -> None:
    base = next(question for question in questions if question.answer_type == "boolean")
    betrayed = [
        worded(base, n, split, "picc" if n % 2 else "goiter", "true" if n % 2 else "false")
        for split in ("train", "test")
        for n in range(40)
    ]
    found = score_guesser(betrayed)
    assert found["accuracy"] == found["by_answer_type"]["boolean"]["accuracy"] == 1 and found["n"] == 40
    assert measure_priors(betrayed)["per_slots_majority"]["accuracy"] == 0.5  # a majority does not see it
    silent = [replace(each, visual_question="is it there?") for each in betrayed]
    assert score_guesser(silent)["accuracy"] == 0.5
    assert score_guesser(betrayed[:40])["accuracy"] is None  # no test
    assert score_guesser([replace(each, answer="true") for each in betrayed])["accuracy"] is None
    assert score_guesser(betrayed) == score_guesser(betrayed[::-1])


def test_slots_are_never_ids(questions: list[Question]) -> None:
    imported = replace(questions[0], parameters='{"id": "train/1", "slots": {"object": "svc"}, "q_tag": "x"}')
    assert slots_of(imported) == {"object": "svc"}
    assert slots_of(replace(questions[0], parameters='{"id": "7"}')) == {}


# ----------------------------------------------------------------------------------- quality, subgroups, the whole page


def test_ties_repeats_and_contradictions_are_counted(questions: list[Question]) -> None:
    one, two = questions[:2]
    again = [replace(one, question_id="again"), replace(two, question_id="other", answer='"otherwise"', tied=True)]
    quality = describe_questions([one, two, *again], METADATA)["quality"]
    assert (quality["tied"], quality["repeated"], quality["contradicted"]) == (1, 1, 2)


def test_whose_films(built: Path) -> None:
    card = json.loads(built.with_name("questions.card.json").read_text())
    rows = {(row["feature"], row["value"]): row for row in card["subgroups"]}
    assert {("sex", "F"), ("sex", "M"), ("age", "60 to 79"), ("view", "AP"), ("view", "PA")} == set(rows)
    for feature in ("sex", "age", "view"):
        counted = [row["train"] + row["valid"] + row["test"] for row in card["subgroups"] if row["feature"] == feature]
        assert sum(counted) == card["total"]["questions"]


def test_an_open_answer_is_never_shown(questions: list[Question]) -> None:
    text = replace(questions[0], answer_type="text", answer='"mrs smith"', allowed_answers=())
    assert describe_questions([text], METADATA)["answers"] == [{"answer": "(text)", "n": 1}]


def test_a_card_names_nobody_in_examples_and_priors(tmp_path: Path) -> None:
    record = write_record(tmp_path)
    items = [lab_item(n, patient, [f"of {patient}"]) for n, patient in enumerate(PATIENTS[:4])]
    items.append(lab_item(9, PATIENTS[5], ["other"], "test"))
    write_items(tmp_path / "train.json", items)
    config = ImportConfig(format="ehrxqa", record=record, terms="synthetic")
    import_questions(tmp_path / "train.json", tmp_path / "q.parquet", config, quiet=True)
    for page in ((tmp_path / "q.card.html").read_text(), (tmp_path / "q.card.json").read_text()):
        assert not [patient for patient in PATIENTS if str(patient) in page]
        assert "{lab_name} lab test of patient {patient_id}" in page and "(text)" in page


def test_the_card_of_an_import_says_its_faults(tmp_path: Path) -> None:
    record = write_record(tmp_path)
    write_items(tmp_path / "train.json", [picc_item(n, study, [n % 2]) for n, study in enumerate(STUDIES)])
    config = ImportConfig(format="ehrxqa", record=record, terms="synthetic")
    import_questions(tmp_path / "train.json", tmp_path / "q.parquet", config, quiet=True)
    assert "shuffled-pairing" in (tmp_path / "q.card.html").read_text()
    card = write_data_card(tmp_path / "q.parquet", tmp_path / "again.html", near_duplicates=True, quiet=True)
    assert card["faults"]["shuffled-pairing"]["count"] == 16
    assert card["leakage"]["near_duplicates"]["films"] == 16
    assert json.loads((tmp_path / "again.html.run.json").read_text())["verb"] == "questions card"
    with pytest.raises(OutputError, match="exists already"):
        write_data_card(tmp_path / "q.parquet", tmp_path / "again.html", quiet=True)
    with pytest.raises(OutputError, match="html"):
        write_data_card(tmp_path / "q.parquet", tmp_path / "card.pdf", quiet=True)


# -------------------------------------------------------------------------------------------------- near duplicates


def draw(seed: int, patches: int = 12) -> NDArray[np.uint8]:
    """A smooth picture, as a film is."""
    noise = np.random.default_rng(seed).random((patches, patches))
    return np.asarray(Image.fromarray((noise * 255).astype(np.uint8)).resize((200, 240), Image.Resampling.BICUBIC))


def test_a_copy_is_near_and_another_film_is_far() -> None:
    film = draw(1)
    buffer = io.BytesIO()
    Image.fromarray(film).resize((90, 110)).save(buffer, "JPEG", quality=40)
    copies = [np.asarray(Image.open(buffer)), (255 * (film / 255.0) ** 1.3).astype(np.uint8)]
    pictures = [film, *copies, *(draw(seed) for seed in range(2, 30))]
    hashes = hash_pictures((f"f{n:02d}", picture) for n, picture in enumerate(pictures))
    found = find_near_duplicates(hashes, [0], range(len(pictures)))
    assert found == [("f00", "f01"), ("f00", "f02")]


def test_films_alike_in_outline_only_are_not_one_picture() -> None:
    outline, rng = draw(1, patches=4).astype(float), np.random.default_rng(0)
    textures = [5 * rng.standard_normal((48, 40)).repeat(5, 0).repeat(5, 1) for _ in range(2)]
    hashes = hash_pictures(
        (str(n), np.clip(outline + each, 0, 255).astype(np.uint8)) for n, each in enumerate(textures)
    )
    apart = (256 - int(hashes.bits[0].astype(int) @ hashes.bits[1].astype(int))) / 2
    assert apart <= MOST_BITS  # their outlines agree
    assert find_near_duplicates(hashes, [0], [1]) == []


def test_a_film_stored_again_under_another_name_is_a_leak_that_digests_miss(tmp_path: Path) -> None:
    for n in range(4):
        Image.fromarray(draw(n)).save(tmp_path / f"{n}.png")
    Image.fromarray(draw(0)).resize((150, 180)).save(tmp_path / "copy.jpg")
    rows = [("0.png", "train"), ("1.png", "train"), ("2.png", "valid"), ("3.png", "test"), ("copy.jpg", "test")]
    lines = [json.dumps({"image": i, "question": f"Is it {i[0]}?", "answer": "yes", "split": s}) for i, s in rows]
    (tmp_path / "q.jsonl").write_text("\n".join(lines))
    import_questions(tmp_path / "q.jsonl", tmp_path / "q.parquet", quiet=True)
    leakage = write_data_card(tmp_path / "q.parquet", tmp_path / "card.html", near_duplicates=True, quiet=True)[
        "leakage"
    ]
    assert leakage["image"] == {"train-valid": 0, "train-test": 0, "valid-test": 0}
    assert leakage["near_duplicates"]["pairs"] == {"train-valid": 0, "train-test": 1, "valid-test": 0}


@pytest.mark.opendata
def test_real_films_in_two_sizes_are_found() -> None:
    data = Path(os.environ.get("CHARTSIGHT_OPEN_DATA") or Path(__file__).parents[3] / "shared" / "open-data")
    folder = data / "nih-cxr14-sample"
    if not folder.is_dir():
        pytest.skip(f"no open data at {data} (set CHARTSIGHT_OPEN_DATA)")
    large, small = (sorted((folder / name).glob("*.png")) for name in ("images", "images64"))
    shared = {path.name for path in large} & {path.name for path in small}
    everything = [*large, *small]
    hashes = hash_pictures((f"{path.parent.name}/{path.name}", read_film(path)) for path in everything)
    found = find_near_duplicates(hashes, range(len(large)), range(len(large), len(everything)))
    assert {Path(one).name for one, other in found if Path(one).name == Path(other).name} == shared
    assert all(Path(one).name == Path(other).name for one, other in found)
