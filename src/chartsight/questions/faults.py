"""What is wrong with a question set, by name: reported with counts and ids, never swallowed.

faults = Faults()
faults.note("tied", 1204)
faults.summary()        # {"tied": {"meaning": "...", "count": 1, "ids": [1204]}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# The name of every fault with its meaning. What is dropped besides is counted in the manifest's `dropped`.
MEANINGS: Mapping[str, str] = {
    "answer-differs": "the released answer is not what the gold program returns on this database",
    "constant-age-group": "every question about an age group in this split asks about the same one",
    "empty-answer": "the answer is empty: it means that nothing was found, and is kept as an empty set",
    "identifier-in-wording": "the wording could not be freed of its identifiers; the template's words are used",
    "null-answer": "the answer is null (an aggregate of nothing); kept as an empty set",
    "program-failed": "the gold program does not run on this database",
    "question-repeated": "the same question about the same film or patient stands there twice",
    "question-contradicted": "the same question about the same film or patient has two answers",
    "shuffled-pairing": "table values are permuted between patients: no clinical association may be read from them",
    "split-overlap": "a patient, a study or an image stands in two released splits",
    "tied": "the answer changes with the order of the rows: the query leaves a tie open",
    "tie-not-checked": "the query takes one of several rows, and no database was given to see whether they tie",
}


@dataclass
class Faults:
    """Faults while they are found; an id is that of the source's own item, never an identifier of a patient."""

    ids: dict[str, list[int | str]] = field(default_factory=dict)

    def note(self, fault: str, item: int | str) -> None:
        """One more item with this fault.

        Raises:
            KeyError: There is no such fault.
        """
        if fault not in MEANINGS:
            raise KeyError(fault)
        self.ids.setdefault(fault, []).append(item)

    def summary(self) -> dict[str, dict[str, Any]]:
        """Every fault that was found, with its meaning, its count and all its ids, for the manifest."""
        return {
            name: {"meaning": MEANINGS[name], "count": len(ids), "ids": ids} for name, ids in sorted(self.ids.items())
        }
