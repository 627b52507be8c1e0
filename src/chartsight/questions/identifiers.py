"""Identifiers in a question's words: what a model must never be asked with, taken out or refused.

strip_identifiers("in study 50000123, is there a picc?", ("50000123",))   # "is there a picc?"
"""

from __future__ import annotations

import re
from collections.abc import Collection

LONGEST_COMMON_NUMBER = 3  # digits; a longer number in a question can only be an identifier
_NOUN = r"(?:chest\s+)?(?:x-?rays?|radiographs?|films?|images?|imaging|scans?|cxrs?|exams?|examinations?|studies|study)"
_LEAD = (
    r"(?:given|considering|regarding|concerning|examining|according\s+to|based\s+on|as\s+per|per|within|during|from|"
    r"using|with|under|for|of|on|in|at|about)"
)
_LABEL = r"(?:with\s+)?(?:the\s+)?(?:id|identifier|number|no\.?|#)"


def strip_identifiers(text: str, identifiers: Collection[str]) -> str | None:
    """`text` without these identifiers and the words that lead up to them; None when what is left still names one.

    Args:
        text: One question, such as `given the study 50000123, is there a picc?`.
        identifiers: Of the patient, the studies and the images that it is about.
    """
    for identifier in sorted(identifiers, key=lambda each: (-len(each), each)):
        name = rf"\(?\b{re.escape(identifier)}\b\)?(?:['’]s)?"
        noun_first = rf"(?:the\s+)?(?:{_NOUN}\s+)*?(?P<noun>{_NOUN})\s*[:#]?\s*(?:{_LABEL}\s*[:#]?\s*)?{name}"
        noun_last = rf"(?:the\s+)?{name}\s+(?:{_NOUN}\s+)*?(?P<noun>{_NOUN})\b"
        alone = rf"(?:the\s+)?(?:patient\s+)?(?:{_LABEL}\s*[:#]?\s*)?{name}"
        for named in (noun_first, noun_last):
            text = re.sub(rf"\b{_LEAD}\s+{named}", " ", text, flags=re.IGNORECASE)
            text = re.sub(named, r" the \g<noun> ", text, flags=re.IGNORECASE)
        text = re.sub(rf"\b(?:{_LEAD}\s+)?{alone}", " ", text, flags=re.IGNORECASE)
    text = re.sub(r"\s+([,;:.?!])", r"\1", " ".join(text.split()))
    text = re.sub(r"([,;:])\s*(?=[,;:.?!])", "", text).lstrip(" ,;:.")
    if len(text.split()) < 3 or find_identifier(text, identifiers) is not None:
        return None
    return text


def find_identifier(text: str, identifiers: Collection[str] = (), *, numbers: bool = True) -> str | None:
    """What in `text` names a patient, a study or an image: `known` (one of these), `number` (a long one), or None.

    The identifier itself is not given back: it belongs in no message.

    Args:
        text: A question.
        identifiers: That it must not hold.
        numbers: Whether any long number counts, as in questions about a record.
    """
    if any(len(each) > LONGEST_COMMON_NUMBER and each in text for each in identifiers):
        return "known"
    return "number" if numbers and re.search(rf"\d{{{LONGEST_COMMON_NUMBER + 1},}}", text) else None
