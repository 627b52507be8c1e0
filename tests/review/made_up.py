"""Raters whose habits are known, who fill a sheet as the browser would save it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chartsight.review.ratings import read_key

Habit = Callable[[dict[str, Any]], str]  # from a row of the key to a code of correctness


def sheet_content(sheet: Path) -> dict[str, Any]:
    """What a sheet holds, films left out."""
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', sheet.read_text("utf-8"), re.S)
    assert found is not None
    content: dict[str, Any] = json.loads(found[1])
    return content


def believes_the_scorer(row: Mapping[str, Any]) -> str:
    """Correct is what the scorer takes for right."""
    return "correct" if row["is_correct"] else "wrong"


def fill(review: Path, rater: str, out: Path, habit: Habit = believes_the_scorer, **changes: Any) -> Path:
    """A saved file of one rater; `changes` replace codes of every item or answer."""
    rows, _ = read_key(review)
    own = [row for row in rows if row["rater"] == rater]
    items: dict[str, Any] = {}
    for row in own:
        item = items.setdefault(
            str(row["position"]),
            {"film": "adequate", "confidence": "4", "gold": None if row["is_repeat"] else "correct", "answers": {},
             "seconds": 20.5},
        )  # fmt: skip
        verdict = habit(row)
        item["answers"][row["letter"]] = {
            "correctness": verdict, "support": "supported" if verdict == "correct" else "unsupported",
            "harm": "none" if verdict == "correct" else "minor", "tags": [] if verdict == "correct" else ["missed"],
        }  # fmt: skip
        item.update({name: value for name, value in changes.items() if name not in item["answers"][row["letter"]]})
    for item in items.values():
        if len(item["answers"]) > 1:
            right = [letter for letter, each in item["answers"].items() if each["correctness"] == "correct"]
            ties = {0: "neither", len(item["answers"]): "both"}
            item.setdefault("preference", ties.get(len(right)) or min(right))
    saved = {
        "schema_version": 1, "kind": "chartsight-review", "sheet_id": own[0]["sheet_id"], "rater": rater,
        "phase": "reveal", "at": 1, "saved": "2026-01-01T00:00:00Z", "items": items,
    }  # fmt: skip
    out.write_text(json.dumps(saved), "utf-8")
    return out
