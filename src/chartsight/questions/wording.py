"""The words of a question for a model: the paraphrase, or the template's own."""

from __future__ import annotations

import json
from functools import cache
from typing import Literal

from chartsight.errors import QuestionError
from chartsight.questions.templates import Template, TemplateSet, read_templates
from chartsight.schema import Question

Wording = Literal["question", "template"]


def word_question(question: Question, wording: Wording) -> str:
    """What a model is asked; a visual question names nobody in either wording.

    Raises:
        QuestionError: The template's words are asked for, and the question has none.
    """
    return question.asked if wording == "question" else template_words(question)


def template_words(question: Question) -> str:
    """The template's own words with its slots filled; identifiers are left out of a visual one.

    Raises:
        QuestionError: The question comes from no template that is known here.
    """
    parameters = json.loads(question.parameters)
    if isinstance(words := parameters.get("template"), str) and words:
        return words
    if question.source.startswith("templates:"):
        found = _templates(question.source.split(":")[1]).get(question.template_id)
        if found is not None:
            templates, template = found
            return templates.render_phrasing(template, 1, {slot: parameters[slot] for slot in template.slots})
    raise QuestionError(
        "no-template-words", question.question_id, "has no words of a template", "text question",
        f"questions of {question.source} are written as they are asked",
    )  # fmt: skip


@cache
def _templates(family: str) -> dict[str, tuple[TemplateSet, Template]]:
    templates = read_templates(family)
    return {template.id: (templates, template) for template in templates.templates}
