"""From English to an answer, on a small synthetic hospital, with the labels for a model."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from chartsight.assistant import Assistant, Reply, open_assistant
from chartsight.assistant.screen import show_reply
from chartsight.assistant.talk import talk
from chartsight.cli import run_command
from chartsight.errors import ChartsightError, QueryError
from chartsight.query.answer import USE_LINE
from chartsight.records import open_record
from chartsight.translate import Conversation

pytest_plugins = ["tests.fixtures_hospital"]


@pytest.fixture(scope="module")
def assistant(tiny_record: Path) -> Iterator[Assistant]:
    with open_assistant(tiny_record) as opened:
        yield opened


@pytest.fixture(scope="module")
def filmed(tiny_record: Path) -> tuple[int, list[int]]:
    """A patient with several studies, and these in the order in which they were taken."""
    with open_record(tiny_record) as record:
        found = record.connection.execute(
            "SELECT subject_id, list(study_id ORDER BY studydatetime) FROM tb_cxr GROUP BY 1 HAVING count(*) > 2"
            " ORDER BY 1 LIMIT 1"
        ).fetchall()
    return int(found[0][0]), [int(each) for each in found[0][1]]


def labelled(record: Path, study: int, attribute: str, place: str | None = None) -> bool:
    """What the scene graph's labels say, by plain SQL."""
    where = "" if place is None else f"AND object = '{place}'"
    with open_record(record) as opened:
        found = opened.connection.execute(
            f"SELECT count(*) FROM labels WHERE study_id = {study} AND attribute = '{attribute}' AND state = 'present'"
            f" AND source = 'imagenome' {where}"
        ).fetchall()
    return bool(found[0][0])


def test_a_look_is_answered_with_its_evidence(
    assistant: Assistant, tiny_record: Path, filmed: tuple[int, list[int]]
) -> None:
    _, studies = filmed
    for study in studies:
        for attribute in ("lung opacity", "pleural effusion"):
            reply = assistant.ask(f"Is there any {attribute} in study {study}?")
            assert reply.text == ("yes" if labelled(tiny_record, study, attribute) else "no")
            assert reply.answer is not None
            assert [(row.study_id, row.evidence_kind) for row in reply.answer.evidence] == [(study, "label")]
            assert f"Is there {attribute}?" in reply.query


def test_a_table_is_asked_without_a_look(assistant: Assistant, tiny_record: Path) -> None:
    with open_record(tiny_record) as record:
        patient, lab, n = record.connection.execute(
            "SELECT subject_id, label, count(*) FROM labevents JOIN d_labitems USING (itemid)"
            " WHERE label = 'Hemoglobin' GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 1"
        ).fetchall()[0]
    reply = assistant.ask(f"How often was {lab} measured in patient {patient}?")
    assert reply.state in ("answered", "refused")
    reply = assistant.ask(f"Count the {lab} tests of patient {patient}.")
    assert reply.text == str(n)
    assert reply.answer is not None and reply.answer.evidence == []


def test_a_conversation_keeps_the_patient_and_the_film(
    assistant: Assistant, tiny_record: Path, filmed: tuple[int, list[int]]
) -> None:
    patient, studies = filmed
    seen = Conversation().about(patient)
    reply = assistant.ask("Does his last film show any pleural effusion?", seen)
    assert reply.text == ("yes" if labelled(tiny_record, studies[-1], "pleural effusion") else "no")
    assert reply.conversation.study_id == studies[-1]
    before = assistant.ask("and the one before?", reply.conversation)
    assert before.text == ("yes" if labelled(tiny_record, studies[-2], "pleural effusion") else "no")
    assert before.conversation.study_id == studies[-2]
    placed = assistant.ask("and in the left lung?", before.conversation)
    assert placed.text == ("yes" if labelled(tiny_record, studies[-2], "pleural effusion", "left lung") else "no")


def test_now_is_the_latest_event_of_the_patient(assistant: Assistant, filmed: tuple[int, list[int]]) -> None:
    reply = assistant.ask(f"How many chest X-rays of patient {filmed[0]} showed lung opacity last year?")
    assert reply.state != "refused", reply.text
    assert any("now is" in each for each in reply.assumptions)


def test_the_cost_is_told_without_a_look(assistant: Assistant, filmed: tuple[int, list[int]]) -> None:
    reply = assistant.ask(f"Does study {filmed[1][0]} show pneumothorax?", explain_only=True)
    assert (reply.state, reply.answer) == ("explained", None)
    assert "1 study x 1 question" in reply.text


def test_a_refusal_runs_nothing(assistant: Assistant) -> None:
    reply = assistant.ask("What is the meaning of life?")
    assert (reply.state, reply.answer, reply.query) == ("refused", None, "")
    assert reply.as_dict()["refusal"]["code"] == "unknown-question"


def test_the_screen_says_all_of_it(assistant: Assistant, filmed: tuple[int, list[int]]) -> None:
    def shown(reply: Reply) -> str:
        console = Console(file=io.StringIO(), width=120)
        show_reply(reply, console)
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert USE_LINE in text
        return str(text)

    patient, studies = filmed
    said = shown(assistant.ask(f"is there a ptx in study {studies[0]}"))
    assert "FUNC_VQA" in said and str(studies[0]) in said and "label" in said
    assert "'ptx' is read as the finding pneumothorax" in said
    assert "nearest known questions" in shown(assistant.ask("What is the meaning of life?"))
    listed = shown(assistant.ask(f"Which drugs did patient {patient} get?"))
    assert "rows (" in listed or "nothing found" in listed


def test_a_prompt_asks_back_and_takes_a_number(assistant: Assistant, filmed: tuple[int, list[int]]) -> None:
    replies: list[Reply] = []
    problems: list[ChartsightError] = []
    drugs = sorted(term.name for term in assistant.vocabulary.terms if term.kind == "drug" and len(term.name) > 9)
    name = next(each for each in drugs if each.isalpha())
    garbled = name[:3] + name[4:6] + name[7:]  # two letters less: too far to be read without asking
    lines = ["", f"was {garbled} prescribed?", "1", "quit", "was anything prescribed?"]
    talk(assistant, lines, replies.append, problems.append, Conversation().about(filmed[0]))
    assert [reply.state for reply in replies] == ["refused", "answered"]
    assert replies[0].translation.refusal is not None and name in replies[0].translation.refusal.options
    assert name in (replies[1].translation.program or "")
    assert problems == []


def test_a_mistake_ends_a_question_and_not_the_conversation(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch, filmed: tuple[int, list[int]]
) -> None:
    asked = assistant.ask

    def ask(question: str, *arguments: object, **named: object) -> Reply:
        if question == "fails":
            raise QueryError("time-limit", "query", "took too long")
        return asked(question, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(assistant, "ask", ask)
    replies: list[Reply] = []
    problems: list[ChartsightError] = []
    talk(assistant, ["fails", f"Does study {filmed[1][0]} show pneumothorax?"], replies.append, problems.append)
    assert [error.code for error in problems] == ["time-limit"]
    assert len(replies) == 1


def test_the_command_line(
    tiny_record: Path,
    filmed: tuple[int, list[int]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patient, studies = filmed
    run_command(["ask", str(tiny_record), f"Does study {studies[0]} show pneumothorax?", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["use"] == USE_LINE
    assert told["answer"] in ("yes", "no") and told["evidence"][0]["study_id"] == studies[0]
    monkeypatch.setattr("sys.stdin", io.StringIO("does his last film show pneumothorax?\nand the one before?\n"))
    run_command(["ask", str(tiny_record), "--patient", str(patient), "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["in_view"]["study_id"] for line in lines] == [studies[-1], studies[-2]]


def test_a_patient_who_is_not_there_is_the_users_mistake(tiny_record: Path) -> None:
    with pytest.raises(ChartsightError) as caught:
        run_command(["ask", str(tiny_record), "is he well?", "--patient", "42"])
    assert caught.value.code == "unknown-patient" and "42" not in str(caught.value)
