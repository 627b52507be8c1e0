import json

import numpy as np

from chartsight.schema import WHOLE_FILM
from chartsight.starters.instructions import FilmFacts, Vocabulary
from chartsight.starters.reading import FEWEST_ABSENT, MOST_PLACED, read_film

FILMS = [
    FilmFacts(frozenset({("pleural effusion", "left lung"), ("pleural effusion", "right lung")})),
    FilmFacts(frozenset({("pneumonia", "left lung"), ("lung opacity", "left lung"), ("rotated", WHOLE_FILM)})),
    FilmFacts(frozenset({("scoliosis", "spine"), ("consolidation", "right lung")})),
    FilmFacts(frozenset()),
]
VOCABULARY = Vocabulary.of([*FILMS, *FILMS[:2]])


def asked_of(facts: FilmFacts, seed: int = 0) -> dict[str, bool]:
    asked = list(read_film(facts, VOCABULARY, np.random.default_rng(seed)))
    answers = {each.question: bool(json.loads(each.answer)) for each in asked}
    assert len(answers) == len(asked), "nothing is asked twice"
    return answers


def test_every_finding_is_asked_about_and_every_answer_is_true() -> None:
    for facts in FILMS:
        answers = asked_of(facts)
        findings = {question.removesuffix("?"): there for question, there in answers.items() if "," not in question}
        assert {name for name, there in findings.items() if there} == facts.present
        pairs = [tuple(question.removesuffix("?").split(", ")) for question in answers if "," in question]
        for name, place in pairs:
            assert answers[f"{name}, {place}?"] == ((name, place) in facts.found)


def test_no_is_as_frequent_as_yes() -> None:
    for facts in FILMS[:3]:
        answers = [asked_of(facts, seed) for seed in range(20)]
        share = np.mean([there for each in answers for there in each.values()])
        assert 0.2 < share <= 0.5
    assert len(asked_of(FILMS[3])) == 2 * FEWEST_ABSENT and not any(asked_of(FILMS[3]).values())


def test_half_of_the_wrong_places_are_of_findings_that_are_there() -> None:
    many = FilmFacts(frozenset({("pneumonia", "left lung"), ("pleural effusion", "left lung")}))
    wrong = {question for question, there in asked_of(many).items() if "," in question and not there}
    assert "pleural effusion, right lung?" in wrong


def test_a_film_from_the_side_is_not_asked_where() -> None:
    side = FilmFacts(frozenset({("pleural effusion", WHOLE_FILM)}), "LATERAL", knows_places=False)
    assert not any("," in question for question in asked_of(side))


def test_long_films_stay_short() -> None:
    places = [f"place {number}" for number in range(30)]
    full = FilmFacts(frozenset(("pneumonia", place) for place in places))
    vocabulary = Vocabulary.of([full])
    asked = list(read_film(full, vocabulary, np.random.default_rng(0)))
    assert sum("," in each.question for each in asked) == MOST_PLACED
