"""The audits on the page, from made-up findings: every figure stands there, leads to items, and none is invented."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from chartsight.comparison import ComparedModel, CompareRecipe
from chartsight.comparison.analysis import analyse
from chartsight.comparison.audit_page import front_table, view_audits
from chartsight.comparison.audit_plots import Shown, plots_of
from chartsight.comparison.audit_tables import NONE, audit_tables, gap, share
from chartsight.comparison.items import build_items
from chartsight.comparison.predictions import collect_answers
from chartsight.comparison.provenance import Provenance
from chartsight.comparison.report import render_report
from chartsight.evaluation.intervals import EMPTY, Interval
from chartsight.questions.files import read_questions
from chartsight.schema import FilmFacts
from tests.comparison.made_up import always_the_same, guesses, sees, stand_in
from tests.comparison.made_up_audit import around, made_up_report, poor_report

MODELS = (
    Shown("baseline", "baseline", "baseline"), Shown("tuned", "fine-tuned", "tuned"), Shown("twin", "twin", "twin"),
)  # fmt: skip


@pytest.fixture(scope="module")
def page(questions: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(questions, tmp_path_factory.mktemp("page"), made_up_report(("q000-1", "q004-2")))


def render(questions: Path, folder: Path, report: object, **options: bool) -> str:
    """The page of stand-ins with made-up audits of them."""
    recipe = CompareRecipe(
        questions=questions,
        models=tuple(
            ComparedModel(name=each.name, path=path, role=each.role, label=each.title)
            for each, path in zip(MODELS, ("guess", "sees", "twin"), strict=True)
        ),
        bootstrap=100,
        audits=False,
    )
    habits = {"sees": sees, "guess": guesses, "twin": always_the_same}
    everything = read_questions(questions)
    collected = collect_answers(recipe, [each for each in everything if each.split == "test"], folder, stand_in(habits))
    asked, answers = collected.asked, collected.answers
    analysis = analyse(recipe, asked, [each for each in everything if each.split == "train"], answers)
    facts = {
        each.question_id: FilmFacts(("female", "male")[place % 2], None, "PA", None, None, None, (), {})
        for place, each in enumerate(asked)
    }
    items = build_items(recipe, asked, analysis.prior_answers, answers, facts=facts)
    provenance = Provenance("questions.parquet", "0" * 64, "scorer", "run", "now")
    return render_report(recipe, items, analysis, provenance, report, **options)  # type: ignore[arg-type]


def test_page_one_says_each_model_s_verdict_in_words(page: str) -> None:
    front = page[: page.index('id="models"')]
    assert front.count('<article class="verdict') == 3
    assert re.search(r'class="verdict good subject".*?fine-tuned.*?sees the finding', front, re.S)
    assert front.count("guesses</span>") == 2 and "rule v1 0123456789ab" in front
    assert "baseline: yes-bias 14.0%, allowed 10.0%" in front and "2 of 3 gates hold" in front
    assert "image part" in front and "dangerous" in front


def test_every_audit_stands_on_the_page_with_its_figure(page: str) -> None:
    for table in audit_tables(made_up_report()):
        assert f'id="audit-{table.key}"' in page
        assert table.note[:40] in page.replace("&#39;", "'")
    for label in (
        "What fine-tuning bought", "With the film and without it", "Another film with a known answer",
        "Four quadrants", "Reliability diagram", "Risk and coverage", "Subgroups of fine-tuned",
    ):  # fmt: skip
        assert f'aria-label="{label}"' in page
    assert "#0a000" not in page and "#0b000" not in page
    assert "+36.0 points, of which +33.0 [+29.0, +37.0] are the image part" in page
    assert 'href="#items?tuned.shuffled=changed"' in page and "ids=q000-1,q004-2" in page
    assert "tuned.swap=follow" not in page  # no such answers here: a figure without items has no link
    assert "too few to show" in page


def test_a_page_to_share_names_items_by_their_number(questions: Path, tmp_path: Path) -> None:
    html = render(questions, tmp_path, made_up_report(("q000-1", "q004-2")), shareable=True)
    assert "q004-2" not in html and re.search(r"#items\?ids=2,27\b", html)


def test_figures_of_plots_lead_to_items(page: str) -> None:
    assert re.search(r'<a href="#items\?sex=female" target="_blank">|<a href="#items\?sex=female"', page)
    assert "xlink:href" not in page and 'target="_blank"' not in page


def test_what_could_not_be_measured_is_a_dash(questions: Path, tmp_path: Path) -> None:
    html = render(questions, tmp_path, poor_report())
    body = html[html.index("<header>") : html.index('<script type="application/json"')]
    assert not re.search(r"\bnan\b", body)
    assert "n=0" in body and 'aria-label="Four quadrants"' not in body and 'id="audit-swap"' not in body
    assert set(plots_of(poor_report(), MODELS, "tuned")) == {"controls"}


def test_cells_say_their_interval_and_how_many() -> None:
    assert share(EMPTY) == share(None) == gap(EMPTY) == NONE
    assert share(around(0.5, n=40), "k=v", 360).small == "46.0–54.0 · n=40"
    assert share(around(0.5, n=360), "k=v", 360).small == "46.0–54.0"
    assert (gap(around(0.5)).tone, gap(around(-0.5)).tone, gap(around(0.01)).tone) == ("yes", "against", "")
    assert gap(around(0.5), judged=False).tone == ""
    alone = Interval(0.5, float("nan"), float("nan"), 6, 1)
    assert (share(alone, total=360).small, gap(alone).tone) == ("n=6", "")


def test_the_subject_comes_first_and_a_gap_of_unshown_groups_is_none() -> None:
    report = made_up_report()
    assert [card.is_subject for card in view_audits(report, MODELS, "twin").cards] == [True, False, False]
    hidden = tuple(
        replace(each, subgroups=tuple(replace(gaps, standardised_gap=EMPTY, worst=None) for gaps in each.subgroups))
        for each in report.models
    )
    rows = {row.label: row.cells for row in front_table(replace(report, models=hidden)).rows}
    assert set(rows["widest subgroup gap"]) == {NONE} and NONE not in rows["accuracy"]
