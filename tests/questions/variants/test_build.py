"""All conditions together, and the file that keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chartsight.errors import QuestionError
from chartsight.questions.variants import KnownFilms, build_variants, read_known_films, read_variants, write_variants
from chartsight.schema import CONDITIONS, Condition, Question, Variant, variant_schema
from tests.questions.variants.conftest import SEED

Variants = Mapping[Condition, Mapping[str, Variant]]


def test_every_condition_is_there_and_what_it_shows(asked: Sequence[Question], variants: Variants) -> None:
    assert list(variants) == list(CONDITIONS)
    for condition in ("full", "blank", "noise", "question_only", "shuffled", "scrambled"):
        assert set(variants[condition]) == {each.question_id for each in asked}  # type: ignore[index]
    for question in asked:
        name = question.question_id
        assert variants["full"][name].image_ids == question.image_ids and variants["full"][name].change is None
        assert variants["question_only"][name].image_ids == ()
        for condition in ("blank", "noise"):
            change = variants[condition][name].change  # type: ignore[index]
            assert change is not None and not change.shows_film
        for condition in ("full", "blank", "noise", "question_only", "paraphrase"):
            assert variants[condition][name].gold == question.answer  # type: ignore[index]
    for condition, those in variants.items():
        assert all(each.condition == condition and each.question_id == name for name, each in those.items())
        assert all(each.gold is None or isinstance(json.loads(each.gold), bool | str | list) for each in those.values())


def test_what_is_written_is_read_again(variants: Variants, tmp_path: Path) -> None:
    write_variants(tmp_path / "variants.parquet", variants, seed=SEED)
    assert read_variants(tmp_path / "variants.parquet") == {key: dict(those) for key, those in variants.items()}
    write_variants(tmp_path / "again.parquet", dict(reversed(list(variants.items()))), seed=SEED)
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "variants.parquet").read_bytes()
    table = pq.read_table(tmp_path / "variants.parquet")
    assert table.schema.remove_metadata().equals(variant_schema())
    hidden = table.filter(pa.compute.equal(table["condition"], "occluded"))
    assert hidden.num_rows and {len(each) % 4 for each in hidden["change_boxes"].to_pylist()} == {0}


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "variants.parquet"
    with pytest.raises(QuestionError, match="no such file"):
        read_variants(path)
    path.write_text("no Parquet", "utf-8")
    with pytest.raises(QuestionError, match="no Parquet file"):
        read_variants(path)
    pq.write_table(pa.table({"question_id": ["a"]}), path)
    with pytest.raises(QuestionError, match="no column condition"):
        read_variants(path)
    newer = pa.table({"a": [1]}).replace_schema_metadata({"chartsight.schema_version": "99"})
    pq.write_table(newer, path)
    with pytest.raises(QuestionError, match="upgrade chartsight"):
        read_variants(path)


def test_without_a_record_there_is_no_computed_gold(asked: Sequence[Question], known: KnownFilms) -> None:
    built = build_variants(asked, CONDITIONS, KnownFilms(known.index), SEED)
    for condition in ("swap", "mirrored", "occluded", "occluded_elsewhere"):
        assert built[condition] == {}  # type: ignore[index]
    assert {each.gold for each in built["shuffled"].values()} == {None}
    assert len(built["paraphrase"]) == len(asked) and built["negated"]


def test_questions_about_several_films_are_refused(asked: Sequence[Question], known: KnownFilms) -> None:
    two = replace(asked[0], image_ids=(asked[0].image_ids[0], asked[-1].image_ids[0]))
    with pytest.raises(QuestionError, match="one film"):
        build_variants([two], ["full"], known, SEED)


def test_of_a_large_record_only_the_films_asked_about_are_read(rendered: Path) -> None:
    whole = read_known_films(rendered)
    some = sorted(whole.row_of)[::3]
    known = read_known_films(rendered, some)
    for name in ("statements", "regions", "marks", "ages", "techniques"):
        held, everything = getattr(known, name), getattr(whole, name)
        assert held == {image_id: each for image_id, each in everything.items() if image_id in some}
        assert 0 < len(held) < len(everything)
    assert known.labels is not None and whole.labels is not None
    assert known.labels.places == whole.labels.places and known.row_of == whole.row_of


def test_a_damaged_hospital_is_said_in_a_line(rendered: Path, tmp_path: Path) -> None:
    import shutil

    for name in ("record.duckdb", "questions.parquet", "questions.parquet.run.json"):
        shutil.copy(rendered.with_name(name), tmp_path / name)
    assert read_known_films(tmp_path / "questions.parquet").marks  # the films are where they were
    truth = rendered.with_name("hospital") / "truth.parquet"
    whole = truth.read_bytes()
    try:
        truth.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(QuestionError, match="is damaged"):
            read_known_films(rendered)
    finally:
        truth.write_bytes(whole)
