"""The form: what a reviewer is asked, in which codes. The sheet, the import and the agreement all read it here.

Blind phase, of the film: is it adequate. Of every answer: correctness, support in the film, harm, error tags. Of all
answers together: which is preferred (or both, or neither), how sure the reviewer is. Reveal phase: is the gold right.

Source: reference on evaluation, section 12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Scope = Literal["item", "answer"]
CANNOT_TELL = "cannot_tell"
BOTH, NEITHER = "both", "neither"  # the two ties of a preference: equally good, none good enough
LETTERS = ("A", "B", "C", "D")
LONGEST_COMMENT = 2000


@dataclass(frozen=True)
class Field:
    """One question of the form.

    Args:
        name: In files.
        legend: On the sheet.
        options: Code → words, in the order of the keys 1, 2, ...
        scope: Asked once an item, or of every answer.
        order: Codes from low to high where the scale has an order (the rest of the codes are no point on it).
        many: Any number of options, also none.
        about_film: Not asked where no film is shown.
    """

    name: str
    legend: str
    options: Mapping[str, str]
    scope: Scope = "item"
    order: tuple[str, ...] = ()
    many: bool = False
    about_film: bool = False


FILM = Field(
    "film", "Can this film answer the question?",
    {"adequate": "yes, adequate", "limited": "with limits", "inadequate": "no"},
    order=("inadequate", "limited", "adequate"), about_film=True,
)  # fmt: skip
CORRECTNESS = Field(
    "correctness", "Is the answer correct?",
    {"correct": "correct", "partly": "partly", "wrong": "wrong", CANNOT_TELL: "cannot tell"},
    scope="answer", order=("wrong", "partly", "correct"),
)  # fmt: skip
SUPPORT = Field(
    "support", "Does the film support it?",
    {"supported": "supported", "unsupported": "not supported", CANNOT_TELL: "cannot tell"},
    scope="answer", about_film=True,
)  # fmt: skip
HARM = Field(
    "harm", "Harm if it were believed", {"none": "none", "minor": "minor", "major": "major"},
    scope="answer", order=("none", "minor", "major"),
)  # fmt: skip
TAGS = Field(
    "tags", "What is wrong with it? Any number, or none",
    {
        "hallucinated": "hallucinated", "missed": "missed a finding", "wrong_side": "wrong side or place",
        "wrong_severity": "wrong severity", "contradiction": "contradicts itself", "non_answer": "no answer",
        "parroting": "repeats the question", "record_error": "error about the record",
    },
    scope="answer", many=True,
)  # fmt: skip
PREFERENCE = Field(
    "preference", "Which answer would you rather be given?", {BOTH: "both equally", NEITHER: "neither"}
)  # the letters of the item's answers stand before the ties
CONFIDENCE = Field(
    "confidence", "How sure are you of these ratings?",
    {"1": "1, not at all", "2": "2", "3": "3", "4": "4", "5": "5, entirely"}, order=("1", "2", "3", "4", "5"),
)  # fmt: skip
GOLD = Field(
    "gold", "Is the gold answer right?",
    {
        "correct": "right", "wrong": "wrong", "ambiguous": "ambiguous",
        "not_answerable": "cannot be answered from this film",
    },
)  # fmt: skip

BEFORE, OF_ANSWERS, AFTER = (FILM,), (CORRECTNESS, SUPPORT, HARM, TAGS), (PREFERENCE, CONFIDENCE)
FIELDS = (*BEFORE, *OF_ANSWERS, *AFTER, GOLD)


def form_json(*, with_film: bool) -> dict[str, Any]:
    """The form for the sheet; without a film nothing is asked about it."""

    def listed(fields: tuple[Field, ...]) -> list[dict[str, Any]]:
        return [
            {**asdict(field), "options": [{"code": code, "words": words} for code, words in field.options.items()]}
            for field in fields
            if with_film or not field.about_film
        ]

    return {
        "before": listed(BEFORE), "of_answers": listed(OF_ANSWERS), "after": listed(AFTER), "gold": listed((GOLD,))[0],
        "longest_comment": LONGEST_COMMENT,
    }  # fmt: skip
