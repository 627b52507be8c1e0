"""Days, months, years and numbers in a question, however they are written.

>>> [(each.kind, each.value) for each in read_times("between May 3rd, 2103 and 06/2103, or in 2104")]
[('date', '2103-05-03'), ('month', '2103-06'), ('year', '2104')]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# Years of MIMIC are shifted into the future; a four-digit number outside of them is a count.
_YEAR = r"(?P<year>1[89]\d\d|2[0-2]\d\d)"
_MONTH = rf"(?P<month>{'|'.join(f'{name[:3]}(?:{name[3:]})?' if name != 'may' else name for name in MONTHS)}|sept)\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_CLOCK = r"(?:[ t](?P<clock>[0-2]?\d:[0-5]\d)(?::[0-5]\d)?)?"
_FORMS = tuple(
    (kind, re.compile(rf"(?<![\w/.-]){pattern}(?![\w/-]|\.\d)", re.IGNORECASE))
    for kind, pattern in (
        ("date", rf"{_YEAR}[-/](?P<month>[01]?\d)[-/](?P<day>[0-3]?\d){_CLOCK}"),
        ("date", rf"(?P<month>[01]?\d)/(?P<day>[0-3]?\d)/{_YEAR}{_CLOCK}"),
        ("date", rf"{_MONTH} (?:the )?{_DAY},? (?:of )?{_YEAR}"),
        ("date", rf"(?:the )?{_DAY} (?:of )?{_MONTH},? {_YEAR}"),
        ("month", rf"{_YEAR}[-/](?P<month>[01]?\d)"),
        ("month", rf"(?P<month>[01]?\d)/{_YEAR}"),
        ("month", rf"{_MONTH},? (?:of )?{_YEAR}"),
        ("year", _YEAR),
        ("number", r"(?P<number>\d+(?:\.\d+)?)"),
        ("number", rf"(?P<number>{'|'.join(NUMBERS[1:])})"),
    )
)


@dataclass(frozen=True)
class TimeReading:
    """A time or a number in a text.

    Args:
        kind: date (a `value` such as 2103-05-12), time (2103-05-12 08:30), month (2103-05), year (2103), number (3).
        value: In ISO form, a number in digits.
        start: Offset of its first character.
        end: Offset behind its last.
    """

    kind: str
    value: str
    start: int
    end: int


def read_times(text: str) -> Iterator[TimeReading]:
    """All of them in their order, none inside another; what is no day of the calendar is no date."""
    found: list[TimeReading] = []
    for kind, form in _FORMS:
        for match in form.finditer(text):
            if any(each.start < match.end() and match.start() < each.end for each in found):
                continue
            if (reading := _read(kind, match)) is not None:
                found.append(reading)
    yield from sorted(found, key=lambda each: each.start)


def _read(kind: str, match: re.Match[str]) -> TimeReading | None:
    parts = {name: value for name, value in match.groupdict().items() if value}
    if kind == "number":
        number = parts["number"].lower()
        value = str(NUMBERS.index(number)) if number in NUMBERS else number
        return TimeReading(kind, value, *match.span())
    year = int(parts["year"])
    month = _month_number(parts["month"]) if "month" in parts else 1
    try:
        day = date(year, month, int(parts.get("day", 1)))
    except ValueError:
        return None
    if "clock" in parts:
        return TimeReading("time", f"{day.isoformat()} {parts['clock'].zfill(5)}", *match.span())
    return TimeReading(kind, day.isoformat()[: {"date": 10, "month": 7, "year": 4}[kind]], *match.span())


def _month_number(text: str) -> int:
    if text.isdigit():
        return int(text)
    return next(n for n, name in enumerate(MONTHS, 1) if name.startswith(text.lower().rstrip(".")[:3]))
