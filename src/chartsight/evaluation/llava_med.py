"""What LLaVA-Med's evaluation makes of a text, faults included: `published` and `make reproduce` show it beside ours.

    score_open("Right lobe", "The right upper lobe.")     # recall 1.0, precision 2/3, contained 0.0
    closed_corrected("No", "The lungs are normal")         # 1.0: "no" stands in "normal"

Source: github.com/microsoft/LLaVA-Med (v1.0: ad758b6, corrected in b9a98a7), llava/eval/run_eval.py, run_eval_batch.py
and eval_metrics/; BLEU is that of NLTK's `sentence_bleu` without smoothing (Papineni et al. 2002). Contractions stay as
they are written. Its open accuracy against a list of candidate answers is left out: the list was never published.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {"none": "0"}
ARTICLES = ("a", "an", "the")
MOST_PERIODS = 32  # a flag is handed over where a count belongs


@dataclass(frozen=True)
class OpenScores:
    """An open question's answer, each from 0 to 1.

    Args:
        recall: Words said that are in the gold, over these and the gold's words that were not said: what the paper
            calls open.
        precision: The same words over all words said.
        f1: Of both.
        exact: Different words of the gold that were said, over all words said.
        contained: Whether the gold stands in the text as it is.
        bleu: Of words, up to four in a row.
        bleu_1: Of single words alone; the others of pairs and threes.
    """

    recall: float
    precision: float
    f1: float
    exact: float
    contained: float
    bleu: float
    bleu_1: float
    bleu_2: float
    bleu_3: float


def normalise(text: str) -> str:
    """`2/3` is `2 3`, `none` is `0`; articles and full stops go."""
    text = text.lower()
    plain = text
    has_thousands = re.search(r"\d,\d", text) is not None
    for mark in PUNCTUATION:
        beside_space = f"{mark} " in text or f" {mark}" in text
        plain = plain.replace(mark, "" if beside_space or has_thousands else " ")
    plain = re.sub(r"\.(?!\d)", "", plain, count=MOST_PERIODS)
    words = [NUMBERS.get(word, word) for word in plain.split()]
    return " ".join(word for word in words if word not in ARTICLES)


def closed_released(gold: str, text: str) -> float | None:
    """As released: a hit when the gold stands anywhere in a text with a "yes" or "no" in it; otherwise not counted.

    A text with neither is wrong, also where the gold is neither.
    """
    truth, said = normalise(gold), normalise(text)
    if "yes" in said or "no" in said:
        return 1.0 if truth in said else None
    return 0.0


def closed_corrected(gold: str, text: str) -> float:
    """As corrected (pull request 35): what was not counted is wrong."""
    return closed_released(gold, text) or 0.0


def contained(gold: str, text: str) -> float:
    """1 when the gold stands anywhere in the text: closed and open accuracy of `run_eval_batch.py`."""
    return float(normalise(gold) in normalise(text))


def score_open(gold: str, text: str) -> OpenScores:
    """Everything that is counted of an open question."""
    truth, said = normalise(gold).split(), normalise(text).split()
    # The published code normalises once more for the bags of words, and not for BLEU.
    true_bag, said_bag = (Counter(normalise(" ".join(words)).split()) for words in (truth, said))
    hits = sum(count for word, count in said_bag.items() if word in true_bag)
    missed = sum(count for word, count in true_bag.items() if word not in said_bag)
    precision = hits / said_bag.total() if hits else 0.0
    recall = hits / (hits + missed) if hits else 0.0
    return OpenScores(
        recall=recall,
        precision=precision,
        f1=2 * precision * recall / (precision + recall) if hits else 0.0,
        exact=sum(word in said_bag for word in true_bag) / said_bag.total() if said_bag else 0.0,
        contained=contained(gold, text),
        bleu=bleu(truth, said, (1, 2, 3, 4)),
        bleu_1=bleu(truth, said, (1,)),
        bleu_2=bleu(truth, said, (2,)),
        bleu_3=bleu(truth, said, (3,)),
    )


def bleu(truth: Sequence[str], said: Sequence[str], orders: Sequence[int]) -> float:
    """BLEU of one sentence against one: the geometric mean of the clipped precisions of these orders, by its length.

    Args:
        truth: Words of the reference.
        said: Words of the candidate.
        orders: How many words in a row are compared.
    """
    logs = []
    for order in orders:
        wanted, found = (
            Counter(tuple(words[n : n + order]) for n in range(len(words) - order + 1)) for words in (truth, said)
        )
        if not (shared := (wanted & found).total()):
            return 0.0
        logs.append(math.log(shared / found.total()))
    brevity = 1.0 if len(said) > len(truth) else math.exp(1 - len(truth) / len(said))
    return brevity * math.exp(sum(logs) / len(logs))
