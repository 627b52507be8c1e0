"""When, as people say it, in the words that the families of question know.

in May 2103                 in 05/2103
after the 3rd of May 2103   since 05/03/2103
over the past two weeks     since 14 days ago
on his latest admission     during the last hospital stay
two days later              within 2 days            (a window between two events)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from chartsight.translate.times import MONTHS, NUMBERS, TimeReading, read_times

_NUMBER = rf"(?P<n>\d{{1,4}}|an?|{'|'.join(NUMBERS[1:])})"
_UNIT = r"(?P<unit>day|week|month|year)s?"
_OWNER = r"(?:the|his|her|their|its|this|that|patient's)?\s*"
_STAY = r"(?:hospital\s+(?:stay|visit|admission|encounter)|hospitali[sz]ation|admission)"
_ICU = r"(?:icu|intensive care(?: unit)?)\s*(?:stay|visit|admission)?"
_WHICH = {
    "first": r"first|initial|earliest|very first",
    "last": r"last|latest|most recent|final",
    "current": r"current|present|ongoing|this",
}
_MONTH_NAME = rf"(?P<month>{'|'.join(MONTHS)}|{'|'.join(name[:3] for name in MONTHS if name != 'may')})"
_SINCE = r"since|after|from|following|starting(?: in| from| on)?|beginning(?: in| from| on)?|as of"
_UNTIL = r"until|till|before|by|up to|through|prior to|no later than|ending(?: in| on)?"
_IN = r"in(?:\s+the\s+year)?|during(?:\s+the\s+year)?|within|throughout|over|for|of"


@dataclass(frozen=True)
class Said:
    """A stretch of a question that says when.

    Args:
        kind: `period` (when something was) or `window` (how two events lie to each other).
        words: As the families write it.
        start: Offset of its first character.
        end: Offset behind its last.
        is_exact: Whether the words mean just that; `after 2103` is read as `since 2103`, which has the year too.
    """

    kind: Literal["period", "window"]
    words: str
    start: int
    end: int
    is_exact: bool = True


def read_periods(text: str) -> Iterator[Said]:
    """All that a text says of when, overlapping ones too."""
    for reading in read_times(text):
        if reading.kind in ("date", "month", "year"):
            yield from _absolute(text, reading)
    for pattern, kind, words in _FORMS:
        for found in pattern.finditer(text):
            said = words(found)
            if said is not None:
                yield Said(kind, said, *found.span())


def _absolute(text: str, reading: TimeReading) -> Iterator[Said]:
    shown = _american(reading.value)
    before = text[: reading.start]
    for pattern, word in (
        (_SINCE, "since"),
        (_UNTIL, "until"),
        (_IN if reading.kind != "date" else "on|at|dated|of|from", ""),
    ):
        found = re.search(rf"\b({pattern})\s+(the\s+)?$", before, re.IGNORECASE)
        if found and not (word == "since" and reading.kind == "date" and found[1].lower() == "from"):
            said = f"{word or ('on' if reading.kind == 'date' else 'in')} {shown}"
            is_exact = found[1].lower() not in ("after", "before", "following", "prior to", "by")
            yield Said("period", said, found.start(), reading.end, is_exact)
    yield Said("period", f"{'on' if reading.kind == 'date' else 'in'} {shown}", reading.start, reading.end)


def _american(iso: str) -> str:
    """2103-05-12 → 05/12/2103, 2103-05 → 05/2103."""
    year, *rest = iso.split("-")
    return "/".join([*rest, year])


def _count(found: re.Match[str]) -> tuple[int, str]:
    text = found["n"].lower()
    number = 1 if text in ("a", "an") else NUMBERS.index(text) if text in NUMBERS else int(text)
    unit = found["unit"].lower()
    return (number * 7, "day") if unit == "week" else (number, unit)


def _ago(word: str) -> Callable[[re.Match[str]], str]:
    def said(found: re.Match[str]) -> str:
        number, unit = _count(found)
        return f"{word} {number} {unit}s ago"

    return said


def _within(found: re.Match[str]) -> str | None:
    number, unit = _count(found)
    if unit == "year":
        number, unit = number * 12, "month"
    return f"within {number} {unit}s"


def _month_of(year: str) -> Callable[[re.Match[str]], str]:
    def said(found: re.Match[str]) -> str:
        name = next(each for each in MONTHS if each.startswith(found["month"].lower()[:3]))
        return f"in {name.capitalize()} of {year} year"

    return said


def _day_of(month: str) -> Callable[[re.Match[str]], str | None]:
    def said(found: re.Match[str]) -> str | None:
        day = int(found["day"])
        return f"on day {day:02d} of {month} month" if 1 <= day <= 31 else None

    return said


def _fixed(words: str) -> Callable[[re.Match[str]], str]:
    return lambda _: words


Form = tuple[re.Pattern[str], Literal["period", "window"], Callable[[re.Match[str]], str | None]]


def _form(pattern: str, kind: Literal["period", "window"], words: Callable[[re.Match[str]], str | None]) -> Form:
    return re.compile(rf"\b(?:{pattern})(?!\w)", re.IGNORECASE), kind, words


def _forms() -> Iterator[Form]:
    for which, pattern in (
        ("this", "this|the current|the present"),
        ("last", "last|the last|the previous|the past|previous|past"),
    ):
        for unit in ("year", "month"):
            yield _form(
                rf"(?:(?:in|during|over|throughout)\s+)?(?:{pattern})\s+{unit}", "period", _fixed(f"{which} {unit}")
            )
        yield _form(rf"(?:in|during)\s+{_MONTH_NAME},?\s+(?:of\s+)?(?:{pattern})\s+year", "period", _month_of(which))
        yield _form(
            rf"on\s+(?:the\s+)?(?:day\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+day)?\s+(?:of\s+)?(?:{pattern})\s+month",
            "period", _day_of(which),
        )  # fmt: skip
    yield _form(
        rf"(?:in|within|during|over)\s+(?:the\s+)?(?:last|past|previous)\s+{_NUMBER}\s+{_UNIT}", "period", _ago("since")
    )
    yield _form(rf"(?:the\s+)?(?:last|past|previous)\s+{_NUMBER}\s+{_UNIT}", "period", _ago("since"))
    yield _form(rf"(?:since|from|after)\s+{_NUMBER}\s+{_UNIT}\s+ago", "period", _ago("since"))
    yield _form(rf"(?:until|till|before|up to|by|more than|over)\s+{_NUMBER}\s+{_UNIT}\s+ago", "period", _ago("until"))
    for which, pattern in _WHICH.items():
        for place, noun in (("hospital", _STAY), ("ICU", _ICU)):
            yield _form(
                rf"(?:(?:during|in|on|within|for|throughout|at|of)\s+)?{_OWNER}(?:{pattern})\s+{noun}",
                "period", _fixed(f"during the {which} {place} stay"),
            )  # fmt: skip
    yield _form(
        r"(?:(?:on|within|in)\s+)?(?:the\s+|that\s+)?(?:very\s+)?same\s+day", "window", _fixed("on the same day")
    )
    yield _form(
        r"(?:(?:in|within|during)\s+)?(?:the\s+)?same\s+(?:calendar\s+)?month", "window", _fixed("in the same month")
    )
    yield _form(
        rf"(?:(?:during|in|on|within)\s+)?(?:the\s+)?same\s+{_STAY}", "window", _fixed("during the same hospital stay")
    )
    yield _form(
        rf"(?:within|in under|in less than|no later than|not more than|inside)\s+{_NUMBER}\s+{_UNIT}", "window", _within
    )
    yield _form(r"at any (?:time|point)|at some (?:time|point)|whenever", "window", _fixed("at any time"))


_FORMS = tuple(_forms())
