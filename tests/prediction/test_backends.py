"""Back ends: the same answers from this process, from an endpoint, and from two workers of a Ray cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chartsight.errors import ChartsightError
from chartsight.prediction.backends import Ask, BackEnd, FilmAsks
from chartsight.prediction.backends import endpoint as endpoint_module
from chartsight.prediction.backends.endpoint import API_KEY, Endpoint, EndpointBackEnd, check_terms
from chartsight.prediction.backends.local import LocalBackEnd, batches
from chartsight.prediction.rules import YES_NO
from chartsight.vlm.answering import Example
from chartsight.vlm.checkpoint import load_vlm
from chartsight.vlm.grammars import Rule, Scored, Weighed, Written
from tests.prediction.served import Served, serve

SHAPES = Scored(("circle", "cross", "ring", "star"))
CORNERS = Scored(("upper left", "upper right", "lower left", "centre"))


def film(nth: int) -> NDArray[np.uint8]:
    return np.random.default_rng([9, nth]).integers(0, 256, size=(64, 64), dtype=np.uint8)


def asks(*rules: Rule | None, films: int = 3) -> list[FilmAsks]:
    texts = ("is there a ring?", "which shape is largest?", "where is the star?")
    return [
        FilmAsks(
            film(nth) if nth else None,
            tuple(Ask(f"{nth}-{n}", texts[n], rule) for n, rule in enumerate(rules)),
        )
        for nth in range(films)
    ]


EXAMPLES = (Example(film(30), "is there a bar?", "no"), Example(film(31), "where is the bar?", "centre"))


def answered(
    back_end: BackEnd, films: Sequence[FilmAsks], examples: Sequence[Example] = ()
) -> dict[str, Mapping[str, Any]]:
    found = [each for part in back_end.answer(films, examples) for each in part]
    assert len({key for key, _ in found}) == len(found)
    return {key: {name: value for name, value in answer.items() if name != "ms"} for key, answer in found}


@pytest.fixture(scope="module")
def local(speaker: Path) -> LocalBackEnd:
    return LocalBackEnd(speaker)


@pytest.fixture
def served(speaker: Path) -> Iterator[Served]:
    with serve(load_vlm(speaker)) as found:
        yield found


def remote(served: Served, **choices: Any) -> EndpointBackEnd:
    return EndpointBackEnd(Endpoint(served.url, **choices), "tiny", load_card(), "of the tiny one")


def load_card() -> Any:
    from chartsight.vlm.checkpoint import ModelCard
    from chartsight.vlm.preprocessing import FilmPreprocessing

    return ModelCard("tiny", "", "starter", FilmPreprocessing(64, 1, 0, (0.45,), (0.25,)), image_tokens=16)


# --------------------------------------------------------------------------------------------------------------- local


def test_films_with_and_without_stand_apart_and_long_ones_are_cut() -> None:
    films = [FilmAsks(film(0) if nth % 2 else None, (Ask(str(nth), "q"),) * 5) for nth in range(4)]
    found = list(batches(films, 4))
    assert [[len(each.asks) for each in batch] for batch in found] == [[4], [1], [4], [1], [4], [1], [4], [1]]
    assert all(len({each.film is None for each in batch}) == 1 for batch in batches(films, 100))


def test_examples_lose_their_films_where_the_question_has_none(local: LocalBackEnd) -> None:
    with_examples, without = (answered(local, asks(YES_NO), examples) for examples in (EXAMPLES, ()))
    wordy = answered(local, asks(YES_NO)[:1], [Example(None, each.question, each.answer) for each in EXAMPLES])
    assert with_examples["0-0"] == wordy["0-0"] and with_examples != without


# ------------------------------------------------------------------------------------------------------------ endpoint


@pytest.mark.parametrize("examples", [(), EXAMPLES], ids=["zero-shot", "two shots"])
def test_an_endpoint_writes_what_this_process_writes(
    local: LocalBackEnd, served: Served, examples: Sequence[Example]
) -> None:
    films = asks(None, None, None, films=5)
    here, there = answered(local, films, examples), answered(remote(served), films, examples)
    assert {key: (each["text"], each["n_tokens"]) for key, each in there.items()} == {
        key: (each["text"], each["n_tokens"]) for key, each in here.items()
    }
    assert len({each["text"] for each in here.values()}) > 1
    for key, each in there.items():
        for word, chance in each["first"].items():
            assert chance == pytest.approx(here[key]["first"][word], abs=2e-5)
    assert any(each["first"] for each in there.values())


def test_an_endpoint_scores_allowed_answers_where_they_part(local: LocalBackEnd, served: Served) -> None:
    films = asks(YES_NO, SHAPES, CORNERS, films=4)
    here, there = answered(local, films), answered(remote(served), films)
    assert {key: each["text"] for key, each in there.items()} == {key: each["text"] for key, each in here.items()}
    for key, each in there.items():
        for answer, chance in each["log_probabilities"].items():
            # What was not read to its end can only be less likely.
            assert chance >= here[key]["log_probabilities"][answer] - 1e-4
        assert each["log_probabilities"][each["text"]] == pytest.approx(
            here[key]["log_probabilities"][each["text"]], abs=1e-4
        )


def test_a_beginning_that_is_shared_is_asked_behind(served: Served) -> None:
    answered(remote(served), [FilmAsks(None, (Ask("k", "where is the star?", CORNERS),))])
    begun = [body["messages"][-1]["content"] for body in served.bodies if body.get("continue_final_message")]
    assert all(any(answer.startswith(text) for answer in CORNERS.answers) for text in begun)
    assert all(body["max_tokens"] == 1 for body in served.bodies)


def test_the_film_arrives_as_it_is_padded(served: Served) -> None:
    from tests.prediction.served import read_messages

    answered(remote(served), asks(None, films=2), EXAMPLES)
    shown = {len(films): films for _, _, _, films in (read_messages(body["messages"]) for body in served.bodies)}
    assert set(shown) == {0, 3}
    for arrived, sent in zip(shown[3], [EXAMPLES[0].film, EXAMPLES[1].film, film(1)], strict=True):
        assert np.array_equal(arrived, sent)


def test_requests_stand_beside_each_other_but_not_more_than_allowed(served: Served) -> None:
    served.seconds = 0.05
    answered(remote(served, concurrency=3), asks(None, None, None, films=4))
    assert 1 < served.at_once <= 3


def test_a_passing_fault_is_waited_out(local: LocalBackEnd, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "WAITED_AT_MOST", 0.01)
    served.statuses = [503, 429, 500]
    films = asks(None, films=4)
    assert {key: each["text"] for key, each in answered(remote(served), films).items()} == {
        key: each["text"] for key, each in answered(local, films).items()
    }


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        ({"statuses": [503] * 99}, "no-endpoint"), ({"statuses": [404] * 9}, "refused"),
        ({"statuses": [401] * 9}, "refused"), ({"statuses": [307] * 9}, "refused"),
        ({"seconds": 1.0}, "no-endpoint"),
    ],
)  # fmt: skip
def test_a_lasting_fault_is_one_line(
    served: Served, monkeypatch: pytest.MonkeyPatch, spoilt: dict[str, Any], code: str
) -> None:
    monkeypatch.setattr(endpoint_module, "WAITED_AT_MOST", 0.01)
    monkeypatch.setattr(endpoint_module, "TRIES", 2)
    for name, value in spoilt.items():
        setattr(served, name, value)
    with pytest.raises(ChartsightError) as caught:
        answered(remote(served, timeout_seconds=0.2 if "seconds" in spoilt else 30.0, concurrency=1), asks(None))
    assert caught.value.code == code
    assert "\n" not in str(caught.value) and "ring" not in str(caught.value), "what was asked is not repeated"


def test_nobody_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "WAITED_AT_MOST", 0.01)
    with pytest.raises(ChartsightError, match="cannot be reached"):
        answered(EndpointBackEnd(Endpoint("http://127.0.0.1:9/v1"), "tiny"), asks(None))


def test_a_server_without_chances_is_refused_where_they_are_needed(served: Served) -> None:
    served.tells_logprobs = False
    for films in (asks(YES_NO), asks(Weighed())):
        with pytest.raises(ChartsightError) as caught:
            answered(remote(served, concurrency=1), films)
        assert caught.value.code == "no-logprobs"
    assert all(each["first"] == {} for each in answered(remote(served), asks(None)).values())


def test_what_is_only_weighed_is_asked_for_one_token(local: LocalBackEnd, served: Served) -> None:
    freely, weighed = answered(local, asks(None)), answered(local, asks(Weighed()))
    assert {key: each["first"] for key, each in weighed.items()} == {key: each["first"] for key, each in freely.items()}
    assert max(each["n_tokens"] for each in freely.values()) > 1
    assert {each["n_tokens"] for each in weighed.values()} == {1}
    answered(remote(served), asks(Weighed()))
    assert {body["max_tokens"] for body in served.bodies} == {1}


def test_lists_in_their_form_are_refused_before_anything_is_asked(served: Served) -> None:
    with pytest.raises(ChartsightError) as caught:
        answered(remote(served), asks(None, Written(("a", "b"), "none", many=True)))
    assert caught.value.code == "no-grammar" and not served.bodies


def test_a_key_is_sent_and_shown_to_nobody_else(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_KEY, "very-secret")
    back_end = remote(served)
    answered(back_end, asks(None, films=1))
    assert served.headers[0]["Authorization"] == "Bearer very-secret"
    assert "very-secret" not in json.dumps(served.bodies) + repr(back_end.identity)


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:8000/v1", True), ("http://localhost:8000/v1", True), ("http://10.2.3.4/v1", True),
        ("http://192.168.1.9:8000/v1", True), ("http://[::1]:8000/v1", True), ("https://8.8.8.8/v1", False),
    ],
)  # fmt: skip
def test_private_data_stay_on_this_machine_or_network(url: str, near: bool) -> None:
    endpoint = Endpoint(url)
    for terms in ("synthetic", "open", "share-alike"):
        check_terms(endpoint, terms, attested=False)
    for terms in ("credentialed", "private"):
        check_terms(endpoint, terms, attested=True)
        if near:
            check_terms(endpoint, terms, attested=False)
        else:
            with pytest.raises(ChartsightError) as caught:
                check_terms(endpoint, terms, attested=False)
            assert caught.value.code == "terms" and "--attest" in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://here/v1", "nowhere", "http://", "http://me:secret@here/v1"])
def test_what_is_no_endpoint_is_one_line(url: str) -> None:
    with pytest.raises(ChartsightError) as caught:
        EndpointBackEnd(Endpoint(url), "tiny")
    assert caught.value.code == "bad-endpoint" and "secret" not in str(caught.value)


def test_another_server_or_model_is_another_key(served: Served) -> None:
    one = remote(served).identity
    other = EndpointBackEnd(Endpoint(served.url), "large").identity
    assert one.key("q", []) != other.key("q", []) and one.back_end != other.back_end
    assert EndpointBackEnd(Endpoint(served.url), "large").identity == other


# ----------------------------------------------------------------------------------------------------------------- ray


@pytest.mark.slow
def test_two_workers_of_a_cluster_answer_as_this_process_does(
    local: LocalBackEnd, speaker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray.data", reason="ray is not installed (pip install 'chartsight[ray]')")
    import ray
    from ray.cluster_utils import Cluster

    from chartsight.prediction.backends import ray_data

    monkeypatch.setenv("RAY_worker_niceness", "0")  # 15 by default: on a busy machine its workers would wait for ever
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        assert sum(node["Alive"] for node in ray.nodes()) == 2
        films = asks(None, SHAPES, Written(("circle", "ring", "star"), "none", many=True), films=90)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ray_data, "QUESTIONS_A_TASK", 32)
            there = answered(ray_data.RayBackEnd(speaker, "cpu", workers=2), films, EXAMPLES)
        here = answered(local, films, EXAMPLES)
        assert {key: each["text"] for key, each in there.items()} == {key: each["text"] for key, each in here.items()}
        for key, each in there.items():
            for answer, chance in each.get("log_probabilities", {}).items():
                assert chance == pytest.approx(here[key]["log_probabilities"][answer], abs=1e-4)
    finally:
        ray.shutdown()
        cluster.shutdown()
