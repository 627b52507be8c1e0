from __future__ import annotations

import pytest

from chartsight.translate import Conversation, Vocabulary
from chartsight.translate.grounding import Grounder
from chartsight.translate.phrasings import language_words
from chartsight.translate.spelling import Speller
from chartsight.translate.vocabulary import Term, write_names


@pytest.fixture(scope="module")
def grounder(vocabulary: Vocabulary) -> Grounder:
    return Grounder(vocabulary, language_words())


def named(grounder: Grounder, text: str, kind: str, conversation: Conversation | None = None) -> list[tuple[str, str]]:
    """(value, how) of the readings of one kind, of the longest mention first."""
    mentions = sorted(grounder.ground(text, conversation).mentions, key=lambda each: each.first - each.last)
    return [(reading.value, reading.how) for mention in mentions for reading in mention.of_kind(kind)]


@pytest.mark.parametrize(
    ("text", "kind", "value", "how"),
    [
        ("was furosemide given", "drug", "Furosemide", "exact"),
        ("was Lasix given", "drug", "Furosemide", "abbreviation"),
        ("was furosimide given", "drug", "Furosemide", "typo"),
        ("was hydralzine given", "drug", "HydrALAzine", "typo"),
        ("last hgb", "lab", "Hemoglobin", "abbreviation"),
        ("last ALT", "lab", "Alanine Aminotransferase (ALT)", "alias"),
        ("total calcium", "lab", "Calcium, Total", "alias"),
        ("given iv", "route", "IV", "exact"),
        ("given intravenously", "route", "IV", "abbreviation"),
        ("a film with plueral efusion", "finding", "pleural effusion", "typo"),
        ("ptx?", "finding", "pneumothorax", "abbreviation"),
        ("emphysema?", "finding", "copd/emphysema", "alias"),
        ("effusions in the left lower lobe", "finding", "pleural effusion in the left lower lung zone", "abbreviation"),
        ("right-sided pneumothorax", "finding", "pneumothorax in the right lung", "exact"),
        ("left lung consolidation", "finding", "consolidation in the left lung", "exact"),
        ("any tubes or lines in the neck", "finding", "any tube or line in the neck", "exact"),
        ("any abnormality", "finding", "any abnormality", "exact"),
        ("all findings", "listing", "findings", "abbreviation"),
        ("patient 10000032", "patient", "10000032", "pattern"),
        ("study 50000001", "study", "50000001", "pattern"),
        ("study 59999999", "study", "59999999", "pattern"),
        ("subject 19999999", "patient", "19999999", "pattern"),
    ],
)  # fmt: skip
def test_a_name_is_found(grounder: Grounder, text: str, kind: str, value: str, how: str) -> None:
    assert (value, how) in named(grounder, text, kind)[:1]


def test_a_short_form_of_two_names_has_both(grounder: Grounder) -> None:
    assert {value for value, _ in named(grounder, "metoprolol", "drug")} == {
        "Metoprolol Tartrate", "Metoprolol Succinate XL",
    }  # fmt: skip
    assert {value for value, _ in named(grounder, "htn", "diagnosis")} == {
        "Essential (primary) hypertension", "Unspecified essential hypertension",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["amoxicillin", "was i given it", "mg", "xyzzy"])
def test_what_is_no_name_is_none(grounder: Grounder, text: str) -> None:
    kinds = {kind for mention in grounder.ground(text).mentions for kind in mention.kinds}
    assert kinds & {"drug", "lab", "diagnosis", "finding"} <= ({"drug"} if text == "amoxicillin" else set())


def test_another_drug_is_no_typo_of_a_known_one(grounder: Grounder) -> None:
    """Amoxicillin is two edits from ampicillin: near enough to ask back, never to answer."""
    edits = [r.edits for m in grounder.ground("amoxicillin").mentions for r in m.of_kind("drug")]
    assert all(each > 1 for each in edits)


def test_a_part_of_a_name_says_no_more_than_the_name(grounder: Grounder) -> None:
    mentions = grounder.ground("studies with copd/emphysema").mentions
    assert [mention.text for mention in mentions if "finding" in mention.kinds] == ["copd/emphysema"]


@pytest.mark.parametrize(
    ("text", "is_place"),
    [
        ("any effusion on the left", True),
        ("right-sided effusion", True),
        ("and on the right?", True),
        ("the result right after the film", False),
        ("was he left without drugs", False),
    ],
)
def test_a_side_is_a_place_where_it_is_one(grounder: Grounder, text: str, is_place: bool) -> None:
    assert is_place == any("side" in mention.kinds for mention in grounder.ground(text).mentions)


def test_the_patient_and_the_film_in_view(grounder: Grounder) -> None:
    seen = Conversation(subject_id=10000032, study_id=50000002)
    assert named(grounder, "has he had pneumonia", "patient", seen)[0] == ("10000032", "conversation")
    assert named(grounder, "and that film", "study", seen)[0] == ("50000002", "conversation")
    assert named(grounder, "the one before", "study", seen)[0] == ("50000001", "conversation")
    assert named(grounder, "the next film", "study", seen)[0] == ("50000003", "conversation")
    assert named(grounder, "the one after that", "study", seen)[0] == ("50000003", "conversation")
    assert named(grounder, "the one before", "study", Conversation(10000032, 50000001)) == [("", "conversation")]
    assert named(grounder, "the one before", "study") == []
    assert named(grounder, "compared with the study before it, study 50000003", "study", seen) == [
        ("50000003", "pattern")
    ]


def test_a_typo_is_corrected_to_the_nearest_only() -> None:
    speller = Speller({"furosemide", "prescribed", "hgb", "last"})
    assert [each.word for each in speller.correct("furosmide")] == ["furosemide"]
    assert speller.correct("hgv") == ()  # three letters are near many abbreviations
    assert speller.correct("prescribed") == ()
    assert speller.correct("lust") != () and speller.correct("lost") != () and speller.correct("mist") == ()


@pytest.mark.parametrize(
    ("kind", "name", "written"),
    [
        ("diagnosis", "Pneumonia, unspecified organism", "pneumonia"),
        ("diagnosis", "Essential (primary) hypertension", "essential hypertension"),
        ("attribute", "linear/patchy atelectasis", "linear atelectasis"),
        ("attribute", "mass/nodule (not otherwise specified)", "nodule"),
        ("object", "left lower lung zone", "lower lung zone on the left"),
    ],
)
def test_a_name_can_be_written_shorter(kind: str, name: str, written: str) -> None:
    assert written in {text for text, _ in write_names(Term(kind, name))}
