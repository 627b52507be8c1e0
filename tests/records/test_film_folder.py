from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chartsight.errors import RecordError
from chartsight.records import FilmFolder, RecordSources, build_record, content_digest, open_record
from chartsight.records.film_folder import Person, pair_people
from chartsight.runs import Run

Draw = Callable[[Path, int], None]


def build(out: Path, *folders: FilmFolder, mimic: Path | None = None, pair: bool = False, seed: int = 0) -> Run:
    sources = RecordSources(mimiciv=mimic, film_folders=folders, pair_films=pair, seed=seed)
    return build_record(out, sources, quiet=True)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with open_record(path) as record:
        return record.connection.execute(query).fetchall()


@pytest.fixture
def folder(tmp_path: Path, draw: Draw) -> Callable[..., FilmFolder]:
    """Makes a folder of the films that the CSV's text names in its first column, each drawn differently."""

    def make(text: str, name: str = "films", **more: object) -> FilmFolder:
        base = tmp_path / name
        base.mkdir()
        lines = [line.strip() for line in text.strip().splitlines()]
        for seed, line in enumerate(lines[1:]):
            image = line.split(",")[0]
            draw(base / (image if "." in image else image + ".png"), seed + 100 * len(name))
        (base / "labels.csv").write_text("\n".join(lines) + "\n")
        return FilmFolder(base, base / "labels.csv", **more)  # type: ignore[arg-type]

    return make


def test_one_column_of_findings_is_exhaustive_over_its_own_vocabulary(
    folder: Callable[..., FilmFolder], tmp_path: Path
) -> None:
    films = folder(
        """Image Index,Patient ID,View Position,Patient Gender,Patient Age,Finding Labels
           a.png,7,PA,M,057Y,Mass|Effusion
           b.png,7,AP,M,058Y,No Finding
           c.png,9,PA,F,33,Nodule
           d.png,9,PA,F,33,"""
    )
    build(tmp_path / "r.duckdb", films)
    query = "SELECT image_id, attribute, state FROM labels ORDER BY ALL"
    effusion, mass = "pleural effusion", "mass/nodule (not otherwise specified)"
    assert rows(tmp_path / "r.duckdb", query) == [
        ("a", mass, "present"),
        ("a", effusion, "present"),
        ("b", mass, "absent"),
        ("b", effusion, "absent"),
        ("c", mass, "present"),  # mass and nodule are one attribute
        ("c", effusion, "absent"),
    ]  # of d nothing is known
    assert rows(tmp_path / "r.duckdb", "SELECT gender, anchor_age FROM patients ORDER BY 1") == [("F", 33), ("M", 57)]
    assert rows(tmp_path / "r.duckdb", "SELECT DISTINCT object, source FROM labels") == [("whole film", "folder")]


def test_one_column_a_finding_keeps_uncertain_and_unknown_apart(
    folder: Callable[..., FilmFolder], tmp_path: Path
) -> None:
    films = folder(
        """path,patient_id,Pneumonia,Edema,No Finding,weight
           a.png,1,1,-1,,80
           b.png,1,0,,,80
           c.png,2,,,1,80
           d.png,2,yes,,,80"""
    )
    run = build(tmp_path / "r.duckdb", films)
    edema = "pulmonary edema/hazy opacity"
    assert rows(tmp_path / "r.duckdb", "SELECT image_id, attribute, state FROM labels ORDER BY ALL") == [
        ("a", "pneumonia", "present"),
        ("a", edema, "uncertain"),
        ("b", "pneumonia", "absent"),
        ("c", "pneumonia", "absent"),
        ("c", edema, "absent"),
    ]
    assert run.dropped == {"unparsable Pneumonia": 1, "image without a row in the CSV": 1}


def test_unknown_findings_are_one_error_that_says_how_to_declare_them(
    folder: Callable[..., FilmFolder], tmp_path: Path
) -> None:
    text = """file,person_id,label
              a.png,p1,viral_pneumonia
              b.png,p2,normal
              c.png,p3,Zebra Sign"""
    films = folder(text)
    with pytest.raises(RecordError, match=r"pneumonia, zebra sign.*--findings viral_pneumonia,zebra_sign") as caught:
        build(tmp_path / "r.duckdb", films)
    assert caught.value.code == "unknown-findings"
    assert not (tmp_path / "r.duckdb").exists()
    declared = FilmFolder(films.folder, films.labels, findings=("viral_pneumonia", "Zebra Sign", "of another CSV"))
    build(tmp_path / "r.duckdb", declared)
    with open_record(tmp_path / "r.duckdb") as record:
        assert record.vocabulary()["zebra sign"] == "anatomicalfinding"
        found = record.connection.execute(
            "SELECT image_id, attribute FROM labels WHERE state = 'present' ORDER BY 1"
        ).fetchall()
        attributes = record.connection.execute("SELECT DISTINCT attribute FROM labels ORDER BY 1").fetchall()
    assert found == [("a", "viral pneumonia"), ("c", "zebra sign")]
    assert attributes == [("viral pneumonia",), ("zebra sign",)]  # a CSV says nothing of what never occurs in it


def test_columns_of_which_none_is_a_known_finding_are_refused(
    folder: Callable[..., FilmFolder], tmp_path: Path
) -> None:
    films = folder("""file,person_id,Zebra
                      a.png,p1,1
                      b.png,p2,0""")
    with pytest.raises(RecordError, match=r"Zebra.*--findings Zebra") as caught:
        build(tmp_path / "r.duckdb", films)
    assert caught.value.code == "unknown-findings"
    declared = FilmFolder(films.folder, films.labels, findings=("Zebra",))
    build(tmp_path / "r.duckdb", declared)
    found = rows(tmp_path / "r.duckdb", "SELECT image_id, attribute, state FROM labels ORDER BY ALL")
    assert found == [("a", "zebra", "present"), ("b", "zebra", "absent")]


def test_a_free_text_in_the_findings_column_is_counted_not_shown(
    folder: Callable[..., FilmFolder], tmp_path: Path
) -> None:
    films = folder("""file,person_id,label
                      a.png,p1,Mr John Smith has a big heart""")
    with pytest.raises(RecordError, match="1 longer text") as caught:
        build(tmp_path / "r.duckdb", films)
    assert "smith" not in str(caught.value).lower()


def test_films_without_findings_and_without_extension(folder: Callable[..., FilmFolder], tmp_path: Path) -> None:
    films = folder(
        """image_id,patient_id,sex,age,projection
           fff13f3a,024e7871,f,,pa
           b343e657,042f06a9,m,,lateral"""
    )
    (films.folder / "deep").mkdir()
    (films.folder / "fff13f3a.png").rename(films.folder / "deep" / "fff13f3a.png")
    build(tmp_path / "r.duckdb", films)
    query = "SELECT image_id, path, view_position, is_frontal FROM films ORDER BY 1"
    assert rows(tmp_path / "r.duckdb", query) == [
        ("b343e657", "b343e657.png", "LATERAL", False),
        ("fff13f3a", "deep/fff13f3a.png", "PA", True),
    ]
    assert rows(tmp_path / "r.duckdb", "SELECT count(*) FROM labels") == [(0,)]


def test_bad_files_and_rows_are_listed_and_the_rest_is_unharmed(
    folder: Callable[..., FilmFolder], tmp_path: Path
) -> None:
    films = folder(
        """file,patient_id,label
           good.png,1,normal
           text.png,1,normal
           dot.png,2,normal
           gone.png,3,normal
           nobody.png,,normal
           short.png
           good.png,4,normal
           fine.png,5,Hernia"""
    )
    (films.folder / "text.png").write_text("no image")
    from PIL import Image

    Image.new("L", (1, 1)).save(films.folder / "dot.png")
    (films.folder / "gone.png").unlink()
    run = build(tmp_path / "r.duckdb", films)
    assert [image for (image,) in rows(tmp_path / "r.duckdb", "SELECT image_id FROM films ORDER BY 1")] == [
        "fine",
        "good",
    ]
    listed = {(each["reason"], each["row"]) for each in run.dropped_rows}
    assert listed == {
        ("film: no-image", 2),
        ("film: film-too-small", 3),
        ("image not found", 4),
        ("missing patient", 5),
        ("malformed line", 6),
        ("image listed twice", 7),
        ("image without a row in the CSV", None),
    }


def test_one_film_at_two_sizes_is_one_study_of_one_patient(tmp_path: Path, draw: Draw) -> None:
    for seed, name in enumerate(["big/x.png", "small/x.png", "big/y.png"]):
        draw(tmp_path / "films" / name, seed)
    labels = tmp_path / "labels.csv"
    labels.write_text("file,patient_id,label\nbig/x.png,1,Hernia\nsmall/x.png,1,Hernia\nbig/y.png,1,normal\n")
    build(tmp_path / "r.duckdb", FilmFolder(tmp_path / "films", labels, name="nih"))
    query = "SELECT image_id, study_id - 90000001, subject_id - 90000001 FROM films ORDER BY 1"
    assert rows(tmp_path / "r.duckdb", query) == [("nih/big/x", 0, 0), ("nih/small/x", 0, 0), ("y", 1, 0)]
    assert rows(tmp_path / "r.duckdb", "SELECT count(*) FROM tb_cxr") == [(2,)]


def test_equal_bytes_make_one_patient_across_folders(
    folder: Callable[..., FilmFolder], tmp_path: Path, draw: Draw
) -> None:
    one = folder("file,patient_id\na.png,p1\nb.png,p2", name="first")
    two = folder("file,patient_id\nc.png,q1\nd.png,q2", name="second")
    (two.folder / "c.png").write_bytes((one.folder / "b.png").read_bytes())
    build(tmp_path / "r.duckdb", one, two)
    subjects = dict(rows(tmp_path / "r.duckdb", "SELECT source_key, subject_id FROM subject_keys"))  # type: ignore[arg-type]
    assert subjects["q1"] == subjects["p2"]
    assert len(set(subjects.values())) == 3
    assert rows(tmp_path / "r.duckdb", "SELECT count(*) FROM patients") == [(3,)]


def test_films_beside_other_peoples_tables_are_a_synthetic_pairing(
    folder: Callable[..., FilmFolder], mimic: Path, tmp_path: Path
) -> None:
    films = folder("file,patient_id,sex,age\na.png,1,F,50\nb.png,2,M,70\nc.png,3,F,30\nd.png,4,F,90", terms="open")
    alone = build(tmp_path / "alone.duckdb", films)
    beside = build(tmp_path / "beside.duckdb", films, mimic=mimic)
    paired = build(tmp_path / "paired.duckdb", films, mimic=mimic, pair=True)
    assert (alone.pairing, alone.terms) == ("real", "open")
    assert (beside.pairing, beside.terms) == ("synthetic", "credentialed")
    assert paired.pairing == "synthetic"
    assert rows(tmp_path / "beside.duckdb", "SELECT DISTINCT pairing, terms FROM films") == [("synthetic", "open")]
    assert rows(tmp_path / "beside.duckdb", "SELECT count(*) FROM patients") == [(7,)]
    query = "SELECT image_id, subject_id FROM films ORDER BY 1"
    assert rows(tmp_path / "paired.duckdb", query) == [
        ("a", 10000001),
        ("b", 10000002),
        ("c", 10000003),
        ("d", 90000001),  # nobody is left
    ]


def test_pairing_is_by_sex_then_age_and_nobody_is_taken_twice() -> None:
    def person(name: str, sex: str | None, age: int | None) -> Person:
        return Person((("films", name),), frozenset({name}), sex, age)

    people = [person(f"{sex}{age}", sex, age) for sex in "MF" for age in range(20, 80, 10)] + [person("?", None, None)]
    record = [(number, "MF"[number % 2], 20 + number // 4 * 6) for number in range(40)]  # two of each sex and age
    sexes = {number: sex for number, sex, _ in record}
    pairs = pair_people(people, record, seed=3)
    assert len(pairs) == len(set(pairs.values())) == len(people)
    assert all(person.sex in (None, sexes[subject]) for person, subject in pairs.items())
    ages = {number: age for number, _, age in record}
    apart = [abs(ages[subject] - person.age) for person, subject in pairs.items() if person.age is not None]
    assert max(apart) <= 3
    few = pair_people(people, record[:4], seed=3)  # the four, all of age 20, choose; two of each sex
    assert sorted(person.age or 0 for person in few) == [20, 20, 30, 30]
    assert pair_people(people, record, seed=3) == pairs
    assert pair_people(people, record, seed=4) != pairs


def test_two_builds_are_equal(folder: Callable[..., FilmFolder], tmp_path: Path) -> None:
    films = folder("file,patient_id,label\nb.png,x,Hernia\na.png,y,normal\nc.png,x,Mass")
    build(tmp_path / "one.duckdb", films)
    build(tmp_path / "two.duckdb", films)
    assert content_digest(tmp_path / "one.duckdb") == content_digest(tmp_path / "two.duckdb")


@pytest.mark.parametrize(
    ("text", "columns", "found"),
    [
        ("scan,patient_id\na.png,1", {}, "no column for the image"),
        ("file,case\na.png,1", {}, "no column for the patient"),
        ("file,case\na.png,1", {"patient": "kase"}, "no column kase"),
        ("file,patient_id\na.png,1", {"doctor": "file"}, "unknown role doctor"),
    ],
)
def test_columns_that_cannot_be_found_are_named(
    folder: Callable[..., FilmFolder], tmp_path: Path, text: str, columns: dict[str, str], found: str
) -> None:
    with pytest.raises(RecordError, match=found):
        build(tmp_path / "r.duckdb", folder(text, columns=columns))


def test_unusual_columns_can_be_named(folder: Callable[..., FilmFolder], tmp_path: Path) -> None:
    films = folder("scan;case no;what\na.png;1;Hernia".replace(";", ","), columns={})
    named = FilmFolder(films.folder, films.labels, columns={"image": "scan", "patient": "case no", "findings": "what"})
    build(tmp_path / "r.duckdb", named)
    assert rows(tmp_path / "r.duckdb", "SELECT image_id, attribute FROM labels") == [("a", "hernia")]


def test_a_film_of_another_folder_is_not_taken_for_a_missing_one(tmp_path: Path, draw: Draw) -> None:
    for name in ("one/ap.png", "two/pa.png", "deep/three/ap3.png"):
        (tmp_path / "films" / name).parent.mkdir(parents=True, exist_ok=True)
        draw(tmp_path / "films" / name, len(name))
    labels = tmp_path / "labels.csv"
    too_long = "x" * 300 + ".png"
    named = f"two/ap.png,2\ntwo/pa.png,2\nset/deep/three/ap3.png,3\n{too_long},4\n"
    labels.write_text("file,patient_id\n" + named)
    run = build(tmp_path / "r.duckdb", FilmFolder(tmp_path / "films", labels))
    assert rows(tmp_path / "r.duckdb", "SELECT path FROM films ORDER BY 1") == [
        ("deep/three/ap3.png",),
        ("two/pa.png",),
    ]
    assert run.dropped["image not found"] == 2


def test_only_a_line_break_ends_a_row(folder: Callable[..., FilmFolder], tmp_path: Path) -> None:
    films = folder("file,patient_id,remark,label\na.png,1,text,Hernia")
    films.labels.write_text(films.labels.read_text().replace("text", "next\u2028page\x0b\x85"), "utf-8")
    run = build(tmp_path / "r.duckdb", films)
    assert rows(tmp_path / "r.duckdb", "SELECT image_id, attribute FROM labels") == [("a", "hernia")]
    assert run.dropped == {}


def test_a_column_that_looks_like_an_unknown_finding_is_listed(
    folder: Callable[..., FilmFolder], tmp_path: Path
) -> None:
    films = folder("file,patient_id,Edema,Zebra Sign,followup,offset\na.png,1,1,1,0,0\nb.png,2,0,0,7,0\nc.png,3,0,,1,0")
    run = build(tmp_path / "r.duckdb", films)
    reason = "column of 1 and 0 that is no known finding"
    assert [(each["reason"], each["row"]) for each in run.dropped_rows] == [(reason, "Zebra Sign")]
    declared = FilmFolder(films.folder, films.labels, findings=("zebra sign",))
    assert build(tmp_path / "declared.duckdb", declared).dropped == {}


def test_a_packed_csv_is_read_and_a_cut_one_refused(folder: Callable[..., FilmFolder], tmp_path: Path) -> None:
    films = folder("image,patient,edema\n a.png,1,1\n b.png,2,0")
    packed = films.labels.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(films.labels.read_bytes()))
    build(tmp_path / "plain.duckdb", films)
    build(tmp_path / "packed.duckdb", replace(films, labels=packed))
    assert content_digest(tmp_path / "packed.duckdb") == content_digest(tmp_path / "plain.duckdb")
    packed.write_bytes(packed.read_bytes()[:-10])
    with pytest.raises(RecordError, match="is cut short or damaged"):
        build(tmp_path / "cut.duckdb", replace(films, labels=packed))
