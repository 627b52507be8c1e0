"""Lessons are files of the project's own formats, the same again from the same seed, true of what they show."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chartsight.errors import OutputError
from chartsight.hospital import HospitalConfig, build_hospital
from chartsight.imaging.film_index import read_film_index
from chartsight.questions.answer_text import render_answer
from chartsight.questions.files import film_index_of, read_questions
from chartsight.questions.refusals import check_film
from chartsight.records import RecordSources, build_record
from chartsight.records.record import open_record
from chartsight.schema import WHOLE_FILM, Question
from chartsight.starters.instructions import YES_NO, is_abnormal
from chartsight.starters.lessons import caption_of_report, corpus, write_film_lesson, write_scene_lesson
from chartsight.starters.scenes import draw_scene, present_labels
from chartsight.training.tower import read_targets

# --------------------------------------------------------------------------------------------------------- drawn scenes


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    """In the same place: the film index says where the films are."""
    contents = []
    for _ in range(2):
        write_scene_lesson(tmp_path / "scenes", scenes=6, seed=9, quiet=True)
        contents.append({path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.p*")})
        (tmp_path / "scenes").rename(tmp_path.with_name(tmp_path.name + f"-{len(contents)}"))
    assert contents[0] == contents[1]
    assert len(contents[0]) == 6 + 5


def test_films_index_and_targets_are_of_the_scenes(lesson: Path) -> None:
    index = read_film_index(lesson / "films.parquet")
    targets = read_targets(lesson / "targets.parquet")
    assert tuple(index) == targets.image_ids and len(index) == 81
    for nth in (0, 5, 80):
        scene = draw_scene(3, nth)
        film = index[f"scene-{nth:06d}"]
        assert film.path.is_absolute()
        assert np.array_equal(np.asarray(Image.open(film.path)), scene.pixels)
        known = {label for label, value in zip(targets.labels, targets.values[nth], strict=True) if value == 1}
        assert known == present_labels(scene.drawn)
    assert not np.isnan(targets.values).any()


def test_index_finds_the_films_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_scene_lesson(Path("scenes"), scenes=2, seed=9, quiet=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    index = read_film_index(film_index_of(tmp_path / "scenes" / "questions.parquet"))
    assert len(index.films(list(index))) == 2


def test_questions_are_complete_and_split_by_scene(lesson: Path, scene_questions: list[Question]) -> None:
    assert film_index_of(lesson / "questions.parquet") == (lesson / "films.parquet").resolve()
    split_of = {}
    for question in scene_questions:
        assert question.visual_question == question.question
        assert render_answer(question.answer, question.answer_type)
        assert split_of.setdefault(question.image_ids, question.split) == question.split
    assert {image_ids for image_ids, split in split_of.items() if split == "valid"} == {
        (f"scene-{nth:06d}",) for nth in (0, 40, 80)
    }
    captions = read_questions(lesson / "captions.parquet")
    assert len(captions) == 81
    assert json.loads(captions[0].answer) in {draw_scene(3, nth).caption() for nth in range(81)}
    assert len(read_questions(lesson / "everything.parquet")) == len(captions) + len(scene_questions)


def test_the_corpus_is_every_question_and_answer(lesson: Path) -> None:
    words = set(corpus(lesson))
    assert {"which shapes are there?", " yes", " no", " none", "describe the film."} <= words


def test_a_lesson_is_not_written_over(lesson: Path) -> None:
    with pytest.raises(OutputError):
        write_scene_lesson(lesson, scenes=1, seed=1, quiet=True)


# -------------------------------------------------------------------------------------------------- films of a hospital


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other-hospital")
    build_hospital(folder / "hospital", HospitalConfig(patients=5, seed=6, film_size_px=64), quiet=True)
    sources = RecordSources(
        mimiciv=folder / "hospital" / "mimic-iv",
        mimic_cxr_jpg=folder / "hospital" / "mimic-cxr-jpg",
        mimic_cxr_reports=folder / "hospital" / "mimic-cxr-reports",
        chest_imagenome=folder / "hospital" / "chest-imagenome",
    )
    build_record(folder / "record.duckdb", sources, quiet=True)
    return folder / "record.duckdb"


@pytest.fixture(scope="module")
def film_lesson(record: Path) -> Path:
    out = record.with_name("films")
    write_film_lesson(record, out, seed=6, quiet=True)
    return out


def mentioned(record: Path) -> dict[str, set[tuple[str, str]]]:
    with open_record(record) as opened:
        rows = opened.connection.execute(
            "SELECT image_id, attribute, object FROM labels WHERE state = 'present' AND source = 'imagenome'"
        ).fetchall()
        films = opened.connection.execute("SELECT image_id FROM films WHERE is_frontal").fetchall()
    found: dict[str, set[tuple[str, str]]] = {image_id: set() for (image_id,) in films}
    for image_id, attribute, place in rows:
        if image_id in found:
            found[image_id].add((attribute, place))
    return found


def test_instructions_are_those_of_the_film_s_facts(record: Path, film_lesson: Path) -> None:
    """What `ask_film` asks is tested in test_instructions.py; here, that each film's own labels are asked about."""
    found = mentioned(record)
    finding = re.compile("|".join(re.escape(frame).replace(r"\{x\}", "(.+)") for frame in YES_NO))
    checked = 0
    for question in read_questions(film_lesson / "questions.parquet"):
        image_id = question.image_ids[0]
        if question.template_id == "med-list" and image_id in found:
            abnormal = {attribute for attribute, _ in found[image_id] if is_abnormal(attribute)}
            assert json.loads(question.answer) == sorted(abnormal)
        if question.template_id == "med-finding" and image_id in found:
            match = finding.fullmatch(question.question)
            assert match is not None
            named = {each for each in match.groups() if each} & {name for name, _ in set().union(*found.values())}
            if named:
                checked += 1
                assert json.loads(question.answer) == bool(named & {name for name, _ in found[image_id]})
    assert checked > 20


def test_every_film_is_asked_about_and_splits_are_by_patient(record: Path, film_lesson: Path) -> None:
    everything = read_questions(film_lesson / "everything.parquet")
    with open_record(record) as opened:
        films = {row[0] for row in opened.connection.execute("SELECT image_id FROM films").fetchall()}
    assert {each.image_ids[0] for each in everything} == films
    split_of: dict[int | None, str] = {}
    for question in everything:
        assert split_of.setdefault(question.subject_id, question.split) == question.split
    assert {"train", "valid"} == set(split_of.values())
    assert film_index_of(film_lesson / "everything.parquet") == record.resolve()


def test_questions_name_the_study_of_their_film(record: Path, film_lesson: Path) -> None:
    """Else a training run refuses them: a film of a study that the question is not about."""
    study_of = {image_id: film.study_id for image_id, film in read_film_index(record).items()}
    for name in ("everything.parquet", "reading.parquet"):
        for question in read_questions(film_lesson / name):
            check_film(question, study_of, {})


def test_a_lateral_film_is_never_asked_where(record: Path, film_lesson: Path) -> None:
    with open_record(record) as opened:
        rows = opened.connection.execute("SELECT image_id FROM films WHERE NOT is_frontal").fetchall()
    lateral = {row[0] for row in rows}
    placed = {"med-place", "med-where", "med-side", "med-choose-place", "med-list-place"}
    for question in read_questions(film_lesson / "questions.parquet"):
        assert question.image_ids[0] not in lateral or question.template_id not in placed
    targets = read_targets(film_lesson / "targets.parquet")
    for image_id, values in zip(targets.image_ids, targets.values, strict=True):
        for label, value in zip(targets.labels, values, strict=True):
            if image_id in lateral:
                assert " @ " not in label or np.isnan(value)
            if label.startswith("view "):
                assert not np.isnan(value)
        views = [label for label, value in zip(targets.labels, values, strict=True) if label[:5] == "view " and value]
        assert len(views) == 1 and (views == ["view LATERAL"]) == (image_id in lateral)


def test_captions_come_from_the_film_s_own_report(record: Path, film_lesson: Path) -> None:
    with open_record(record) as opened:
        reports = dict(
            opened.connection.execute("SELECT image_id, text FROM films JOIN reports USING (study_id)").fetchall()
        )
    captions = read_questions(film_lesson / "captions.parquet")
    assert captions
    for caption in captions:
        assert json.loads(caption.answer) == caption_of_report(reports[caption.image_ids[0]])


def test_targets_say_what_and_where(record: Path, film_lesson: Path) -> None:
    targets, found = read_targets(film_lesson / "targets.parquet"), mentioned(record)
    facts = {"sex F", *(label for label in targets.labels if label.startswith("view "))}
    for image_id, values in zip(targets.image_ids, targets.values, strict=True):
        if image_id not in found:
            continue
        present = {label for label, value in zip(targets.labels, values, strict=True) if value == 1}
        whats = {attribute for attribute, _ in found[image_id]}
        places = {f"{attribute} @ {place}" for attribute, place in found[image_id] if place != WHOLE_FILM}
        assert present - facts == whats | places


@pytest.mark.parametrize(
    ("report", "caption"),
    [
        ("FINDINGS:\n  The heart is\n large.\n\nIMPRESSION:\n Cardiomegaly.\n", "the heart is large."),
        ("EXAM: chest\nIMPRESSION:\n No change.\n", "no change."),
        ("INDICATION: cough\nFINDINGS: Clear.", "clear."),
        ("The lungs are clear.", ""),
        ("", ""),
        ("FINDINGS: " + "word " * 80, " ".join(["word"] * 60)),
        ("FINDINGS:\n\nIMPRESSION: Effusion on the left.", "effusion on the left."),
    ],
)
def test_a_caption_is_what_was_found_in_one_line(report: str, caption: str) -> None:
    assert caption_of_report(report) == caption
