"""What a model said, as a typed value: the one place where free text becomes an answer that can be right or wrong.

    parse_answer("Yes, there is a nodule in the left lung.", "boolean")   → answered, True
    parse_answer("The lungs are normal", "boolean")                       → unparsed        ("no" is not in "normal")
    parse_answer("I cannot determine", "boolean")                         → refused
    parse_answer("b and a", "set", ("a", "b", "c"))                       → answered, ("a", "b")

The answer type comes from the template, never from the text: `1` is a count or nothing, not a yes. A strict score
counts `unparsed` and `refused` as wrong and shows how many there were. Any change to this file, to `metrics.py`,
`units.py` or `scorers.py` changes the digest of the scorer, which every report prints beside its numbers.

Source: reference on evaluation, section 2 (the broken-scorer cases are unit tests).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

from chartsight.evaluation.units import convert, is_unit
from chartsight.schema import FINDING_SYNONYMS, AnswerType

NORMALISER_VERSION = 2

Answer = bool | int | float | str | tuple[str, ...]
ParsedOutcome = Literal["answered", "unparsed", "refused"]

# A refusal anywhere in the first sentence ...
REFUSAL_PHRASES = (
    "as an ai", "can not be assessed", "can not be determined", "can not answer", "can not assess", "can not determine",
    "can not say", "can not tell", "difficult to determine", "do not know", "don t know", "i am not able to",
    "i m not able to", "impossible to determine", "impossible to say", "impossible to tell", "insufficient information",
    "not applicable", "not enough information", "not possible to determine", "not possible to say",
    "not possible to tell", "not sure", "unable to answer", "unable to assess", "unable to determine",
    "unable to say", "unable to tell",
)  # fmt: skip
# ... or one of these as the whole answer; inside a sentence they may describe a finding.
REFUSAL_ANSWERS = ("indeterminate", "uncertain", "unclear", "undetermined", "unknown")

TRUE_WORDS = ("yes", "true")
FALSE_WORDS = ("no", "false")
EMPTY_SET_ANSWERS = (
    "none", "nothing", "no", "none of the above", "no abnormality", "no abnormalities", "no findings", "empty",
    *(synonym for synonym, finding in FINDING_SYNONYMS.items() if finding is None),
)  # fmt: skip
LEAD_INS = (
    "answer", "findings", "there is", "there are", "i see", "it shows", "it is", "they are", "film shows",
    "image shows", "x ray shows", "radiograph shows",
)  # fmt: skip
ARTICLES = ("a", "an", "the")
NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip

_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?!\d)")
_UNIT_AFTER_NUMBER = re.compile(r"\d\s*(?:deg(?:rees?|\.)?\s+)?([°%µμ]?[a-zA-Z%]*(?:/[a-zA-Z]+)?)")
_ITEM_SEPARATOR = re.compile(r"[,;/\n&]|\.(?=\s|$)|\band\b")
_QUOTED_MEMBER = re.compile(r'(?:(?<=^)|(?<=, ))"(?:[^"]|"")+"(?=, |$)')
_PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True)
class ParsedAnswer:
    """An answer as a typed value; `value` is None unless `outcome` is `answered`.

    The value is a bool (boolean), the allowed answer itself (choice), sorted and unrepeated names (set), an int
    (count), a float (number), ISO text such as `2105-12-01` or `2105-12` (date), normalised words (text).
    """

    outcome: ParsedOutcome
    value: Answer | None = None


UNPARSED = ParsedAnswer("unparsed")
REFUSED = ParsedAnswer("refused")


def parse_answer(
    raw_text: str, answer_type: AnswerType, allowed_answers: tuple[str, ...] = (), unit: str | None = None
) -> ParsedAnswer:
    """The typed value of a model's text, or that it has none.

    Args:
        raw_text: What the model wrote, as it wrote it.
        answer_type: The template's.
        allowed_answers: The closed answers of a choice, the vocabulary of a set; empty when open. A name outside a
            set's vocabulary stays in the value: it is a false positive, not nothing.
        unit: That a number was asked for in. Another unit of the same kind is converted, one of another kind is no
            answer; without a unit in the text the number counts as it stands.
    """
    lexicon = _lexicon(tuple(allowed_answers))
    words = normalise_text(raw_text)
    if not words:
        return UNPARSED
    if words in lexicon.by_words and answer_type in ("choice", "set"):
        name = lexicon.by_words[words]
        return ParsedAnswer("answered", (name,) if answer_type == "set" else name)
    if is_refusal(raw_text):
        return REFUSED
    if answer_type == "boolean":
        return _parse_boolean(raw_text)
    if answer_type == "choice" and allowed_answers:
        return _parse_choice(raw_text, lexicon)
    if answer_type == "set":
        return _parse_set(raw_text, lexicon)
    if answer_type == "count":
        return _parse_count(raw_text)
    if answer_type == "number":
        number = _number_in(raw_text, unit)
        return UNPARSED if number is None else ParsedAnswer("answered", number)
    if answer_type == "date":
        iso = parse_date(raw_text)
        return UNPARSED if iso is None else ParsedAnswer("answered", iso)
    return ParsedAnswer("answered", words)


def normalise_text(text: str) -> str:
    """Lower-case words without punctuation and articles; `2.0` is `2`. Numbers keep their decimal point.

    normalise_text("The Copd/Emphysema, 2.0 cm.") → "copd emphysema 2 cm"
    """
    text = re.sub(r"\bcannot\b|\bcan['’]t\b", "can not", text.lower())
    text = re.sub(r"\bn/a\b", "not applicable", text)
    text = re.sub(r"(\d),(?=\d{3}\b)", r"\1", text)
    tokens = re.findall(r"\d+\.\d+|\w+", text)
    tokens = [re.sub(r"\.0+$", "", token) if "." in token else token for token in tokens]
    without_articles = [token for token in tokens if token not in ARTICLES]
    return " ".join(without_articles or tokens)  # an answer "A" is a letter, not an article


def first_sentence(text: str) -> str:
    """Up to the first full stop, mark or line break; decimal points do not end a sentence."""
    return _SENTENCE_END.split(text.strip(), maxsplit=1)[0]


def is_refusal(raw_text: str) -> bool:
    """Whether the first sentence declines to answer."""
    words = f" {normalise_text(first_sentence(raw_text))} "
    return words.strip() in REFUSAL_ANSWERS or any(f" {phrase} " in words for phrase in REFUSAL_PHRASES)


def parse_date(raw_text: str) -> str | None:
    """The one date in a text as ISO text at the granularity given, or None when there is none or more than one.

    `2105-12-01 10:30:00` keeps its time; `03/04/2105` is None because it is two dates to two readers.
    """
    text = raw_text.strip().lower()
    iso = re.findall(r"\b(\d{4})-(\d{2})(?:-(\d{2})(?:[t ](\d{2}:\d{2}(?::\d{2})?))?)?\b", text)
    if len(iso) == 1:
        year, month, day, clock = iso[0]
        if not _is_date(int(year), int(month), int(day or 1)):
            return None
        return "-".join(part for part in (year, month, day) if part) + (f" {clock}" if clock else "")
    if iso:
        return None
    months = "|".join(f"{name}|{name[:3]}" for name in MONTHS)
    candidates = [
        (year, month, day)
        for month, day, year in re.findall(rf"\b({months})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\b", text)
    ] + [
        (year, month, day)
        for day, month, year in re.findall(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+({months})\.?,?\s+(\d{{4}})\b", text)
    ]
    if len(candidates) == 1:
        year, name, day = candidates[0]
        month_number = next(index for index, full in enumerate(MONTHS, 1) if full.startswith(name[:3]))
        return _iso_date(int(year), month_number, int(day))
    slashes = re.findall(r"\b(\d{1,2})[/.](\d{1,2})[/.](\d{4})\b", text)
    if len(slashes) == 1:
        first, second, year = (int(part) for part in slashes[0])
        if first > 12 >= second:
            return _iso_date(year, second, first)
        if second > 12 >= first or first == second:
            return _iso_date(year, first, second)
    return None


@dataclass(frozen=True)
class _Lexicon:
    """Allowed answers, looked up by their words, and by a pattern where a separator stands inside a name."""

    by_words: Mapping[str, str]
    whole_word: re.Pattern[str] | None
    with_separator: re.Pattern[str] | None


@lru_cache(maxsize=4096)
def _lexicon(allowed_answers: tuple[str, ...]) -> _Lexicon:
    by_words: dict[str, str] = {}
    for synonym, finding in FINDING_SYNONYMS.items():
        if finding in allowed_answers:
            by_words[normalise_text(synonym)] = finding
    by_words |= {normalise_text(answer): answer for answer in allowed_answers}
    split = [answer.lower() for answer in allowed_answers if _ITEM_SEPARATOR.search(answer.lower())]
    return _Lexicon(by_words, _whole_words(by_words), _whole_words(split))


def _whole_words(names: Mapping[str, str] | list[str]) -> re.Pattern[str] | None:
    """Any of the names as whole words, the longest first."""
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    pattern = "|".join(re.escape(name) for name in longest_first if name)
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)") if pattern else None


def _parse_boolean(raw_text: str) -> ParsedAnswer:
    words = set(normalise_text(first_sentence(raw_text)).split())
    says_yes, says_no = bool(words & set(TRUE_WORDS)), bool(words & set(FALSE_WORDS))
    return UNPARSED if says_yes == says_no else ParsedAnswer("answered", says_yes)


def _parse_choice(raw_text: str, lexicon: _Lexicon) -> ParsedAnswer:
    """The one allowed answer named in the first sentence; two are no choice."""
    assert lexicon.whole_word is not None
    named = {lexicon.by_words[words] for words in lexicon.whole_word.findall(normalise_text(first_sentence(raw_text)))}
    return ParsedAnswer("answered", named.pop()) if len(named) == 1 else UNPARSED


def _parse_set(raw_text: str, lexicon: _Lexicon) -> ParsedAnswer:
    """Names between separators; a separator inside an allowed name ("cardiac pacer and wires") does not split it."""
    text = raw_text.lower()
    protected: list[str] = []

    def protect(match: re.Match[str]) -> str:
        protected.append(match.group())
        return f"\ue000{len(protected) - 1}\ue001"

    text = _QUOTED_MEMBER.sub(protect, text)  # as `questions.answer_text` writes a name with a comma in it
    if lexicon.with_separator is not None:
        text = lexicon.with_separator.sub(protect, text)
    names, says_none = set(), False
    for piece in _ITEM_SEPARATOR.split(text):
        words = normalise_text(_PLACEHOLDER.sub(lambda match: f" {protected[int(match.group(1))]} ", piece))
        for lead_in in LEAD_INS:
            words = words.removeprefix(f"{lead_in} ")
        if words in lexicon.by_words:
            names.add(lexicon.by_words[words])
        elif words in EMPTY_SET_ANSWERS:
            says_none = True
        elif words:
            names.add(words)
    if says_none == bool(names):  # nothing at all, or "none" beside a finding
        return UNPARSED
    return ParsedAnswer("answered", tuple(sorted(names)))


def _parse_count(raw_text: str) -> ParsedAnswer:
    number = _only_number(raw_text)
    if number is None:
        words = set(normalise_text(first_sentence(raw_text)).split()) & set(NUMBER_WORDS)
        number = float(NUMBER_WORDS.index(words.pop())) if len(words) == 1 else None
    if number is None or number < 0 or not number.is_integer():
        return UNPARSED
    return ParsedAnswer("answered", int(number))


def _number_in(raw_text: str, unit: str | None) -> float | None:
    """The only number of the first sentence, in the unit that was asked for."""
    number = _only_number(raw_text)
    if number is None or unit is None:
        return number
    written = {word for word in _UNIT_AFTER_NUMBER.findall(first_sentence(raw_text)) if is_unit(word)}
    return number if not written else convert(number, written.pop(), unit) if len(written) == 1 else None


def _only_number(raw_text: str) -> float | None:
    """The number in the first sentence when it names exactly one."""
    numbers = {float(found.replace(",", "")) for found in _NUMBER.findall(first_sentence(raw_text))}
    return numbers.pop() if len(numbers) == 1 else None


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _iso_date(year: int, month: int, day: int) -> str | None:
    return f"{year:04d}-{month:02d}-{day:02d}" if _is_date(year, month, day) else None
