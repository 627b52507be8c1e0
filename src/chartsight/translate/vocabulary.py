"""What a record speaks of: every name that a question may use for something in it, by kind.

lab  Alanine Aminotransferase (ALT)   ← its name; `ALT`, `alanine aminotransferase`; `sgpt` (abbreviations.yaml)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import yaml

from chartsight.schema import ATTRIBUTES, CATEGORIES, FINDING_SYNONYMS, OBJECTS
from chartsight.translate.words import spell

# How surely a way of writing means a name, surest first.
EXACT, ALIAS, ABBREVIATION, LOOSE = 0, 1, 2, 3

# kind → names with how often they occur and an optional abbreviation. Tables that the record lacks give no names.
NAMES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "drug": (("prescriptions",), "SELECT drug, count(*), NULL FROM prescriptions WHERE drug IS NOT NULL GROUP BY 1"),
    "route": (("prescriptions",), "SELECT route, count(*), NULL FROM prescriptions WHERE route IS NOT NULL GROUP BY 1"),
    "diagnosis": (
        ("diagnoses_icd", "d_icd_diagnoses"),
        """SELECT long_title, count(*), NULL FROM diagnoses_icd JOIN d_icd_diagnoses USING (icd_code, icd_version)
        WHERE long_title IS NOT NULL GROUP BY 1""",
    ),
    "procedure": (
        ("procedures_icd", "d_icd_procedures"),
        """SELECT long_title, count(*), NULL FROM procedures_icd JOIN d_icd_procedures USING (icd_code, icd_version)
        WHERE long_title IS NOT NULL GROUP BY 1""",
    ),
    "lab": (
        ("labevents", "d_labitems"),
        """SELECT label, count(*), NULL FROM labevents JOIN d_labitems USING (itemid)
        WHERE label IS NOT NULL GROUP BY 1""",
    ),
    "vital": (
        ("chartevents", "d_items"),
        "SELECT label, count(*), max(abbreviation) FROM chartevents JOIN d_items USING (itemid) GROUP BY 1",
    ),
    "input": (
        ("inputevents", "d_items"),
        "SELECT label, count(*), max(abbreviation) FROM inputevents JOIN d_items USING (itemid) GROUP BY 1",
    ),
    "output": (
        ("outputevents", "d_items"),
        "SELECT label, count(*), max(abbreviation) FROM outputevents JOIN d_items USING (itemid) GROUP BY 1",
    ),
    "specimen": (
        ("microbiologyevents",),
        "SELECT spec_type_desc, count(*), NULL FROM microbiologyevents WHERE spec_type_desc IS NOT NULL GROUP BY 1",
    ),
    "culture": (
        ("microbiologyevents",),
        "SELECT test_name, count(*), NULL FROM microbiologyevents WHERE test_name IS NOT NULL GROUP BY 1",
    ),
    "organism": (
        ("microbiologyevents",),
        "SELECT org_name, count(*), NULL FROM microbiologyevents WHERE org_name IS NOT NULL GROUP BY 1",
    ),
    "careunit": (
        ("transfers",),
        "SELECT careunit, count(*), NULL FROM transfers WHERE careunit IS NOT NULL GROUP BY 1",
    ),
}  # fmt: skip
PATIENTS = "SELECT DISTINCT subject_id FROM patients"
STUDIES = "SELECT study_id, subject_id, studydatetime FROM tb_cxr ORDER BY subject_id, studydatetime, study_id"

SIDES = ("left", "right")
VIEWS = ("AP", "PA")
ABNORMALITY = "abnormality"  # a finding of any category (EHRXQA)


@dataclass(frozen=True)
class Term:
    """Something that the record speaks of.

    Args:
        kind: drug, lab, attribute, ...
        name: As the record writes it.
        rows: How often it occurs; 0 where that is not counted.
    """

    kind: str
    name: str
    rows: int = 0


@dataclass(frozen=True)
class Surface:
    """One way to write a term, spelled by `words.spell`, and how surely it means it (EXACT, ..., LOOSE)."""

    text: str
    term: Term
    tier: int


@dataclass(frozen=True)
class Study:
    """One study of a patient."""

    study_id: int
    subject_id: int
    taken: Any


@dataclass(frozen=True)
class Vocabulary:
    """All names of a record, ready to be looked up.

    Args:
        terms: In a fixed order.
        patients: Their subject_id.
        studies: By study_id, those of a patient in the order in which they were taken.
    """

    terms: tuple[Term, ...]
    patients: frozenset[int] = frozenset()
    studies: Mapping[int, Study] = field(default_factory=dict)
    surfaces: Mapping[str, tuple[Surface, ...]] = field(init=False, repr=False, compare=False)
    by_kind: Mapping[str, tuple[Surface, ...]] = field(init=False, repr=False, compare=False)
    by_patient: Mapping[int, tuple[Study, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        surfaces: dict[str, dict[Term, Surface]] = {}
        by_kind: dict[str, list[Surface]] = {}
        for term, written in spread_abbreviations(self.terms):
            held = surfaces.setdefault(written.text, {})
            if term not in held or held[term].tier > written.tier:
                held[term] = written
        for written_by in surfaces.values():
            for surface in written_by.values():
                by_kind.setdefault(surface.term.kind, []).append(surface)
        by_patient: dict[int, list[Study]] = {}
        for study in self.studies.values():
            by_patient.setdefault(study.subject_id, []).append(study)
        object.__setattr__(self, "surfaces", {text: tuple(each.values()) for text, each in surfaces.items()})
        object.__setattr__(self, "by_kind", {kind: tuple(each) for kind, each in by_kind.items()})
        object.__setattr__(self, "by_patient", {patient: tuple(each) for patient, each in by_patient.items()})

    @property
    def kinds(self) -> frozenset[str]:
        """Of which there is a name."""
        return frozenset(self.by_kind)

    @property
    def longest(self) -> int:
        """Words of the longest way to write something."""
        return max((text.count(" ") + 1 for text in self.surfaces), default=0)


def read_vocabulary(
    run_sql: Callable[[str], Iterable[Sequence[Any]]],
    tables: Iterable[str],
    findings: Mapping[str, str] = ATTRIBUTES,
    choices: Mapping[str, Iterable[str]] | None = None,
    draws: Mapping[str, Iterable[str]] | None = None,
) -> Vocabulary:
    """The vocabulary of a record.

    Args:
        run_sql: Runs one query on the record and gives its rows.
        tables: That the record has.
        findings: attribute → category, with what the user declared on import (`Record.vocabulary`).
        choices: kind → words that questions choose among whatever the record holds: `first`, `highest`.
        draws: kind → queries that give its names in one column, for kinds that are not in NAMES.
    """
    there = set(tables)
    terms: dict[tuple[str, str], Term] = {}
    shortened: list[tuple[Term, str]] = []
    for kind, (needed, sql) in NAMES.items():
        if not there.issuperset(needed):
            continue
        for name, rows, abbreviation in sorted(run_sql(sql), key=lambda row: str(row[0])):
            term = terms.setdefault((kind, name), Term(kind, name, int(rows)))
            if abbreviation and abbreviation != name:
                shortened.append((term, abbreviation))
    patients = frozenset(int(row[0]) for row in run_sql(PATIENTS)) if "patients" in there else frozenset()
    studies: dict[int, Study] = {}
    if "tb_cxr" in there:
        studies = {int(row[0]): Study(int(row[0]), int(row[1]), row[2]) for row in run_sql(STUDIES)}
    for kind, queries in (draws or {}).items():
        for query in queries if kind not in NAMES else ():
            for (name,) in sorted(run_sql(query), key=lambda row: str(row[0])):
                terms.setdefault((kind, str(name)), Term(kind, str(name)))
    for kind, several in (choices or {}).items():
        for words in several:
            terms.setdefault((kind, words), Term(kind, words))
    return Vocabulary((*terms.values(), *film_terms(findings)), patients, studies)


def film_terms(findings: Mapping[str, str] = ATTRIBUTES) -> Iterator[Term]:
    """What can be said of a film, in every record."""
    yield from (Term("attribute", attribute) for attribute in sorted(findings))
    yield from (Term("category", category) for category in CATEGORIES)
    yield from (Term("object", place) for place in OBJECTS)
    yield from (Term("side", side) for side in SIDES)
    yield from (Term("view", view) for view in VIEWS)
    yield Term(ABNORMALITY, ABNORMALITY)


# ------------------------------------------------------------------------------------------------- ways to write a name

_BRACKETS = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]")
_TRAILING = re.compile(
    r",?\s*(unspecified( (organism|site|type|etiology))?|not elsewhere classified|site not specified|other specified"
    r"|uncomplicated|immediate release|oral)$",
    re.IGNORECASE,
)
_LEADING = re.compile(r"^(unspecified|other and unspecified)\s+", re.IGNORECASE)
_ORDINARY_BRACKET = re.compile(
    r"^(not otherwise specified|primary|benign|kg|cm|mdrd equation|immediate release)$", re.I
)


def write_names(term: Term) -> Iterator[tuple[str, int]]:
    """The ways to write a term that follow from its own name, with their tier.

    >>> sorted(text for text, tier in write_names(Term("lab", "Alanine Aminotransferase (ALT)")))
    ['alanine aminotransferase', 'alanine aminotransferase alt', 'alt']
    """
    name = term.name
    yield spell(name), EXACT
    if term.kind == "category":
        yield from ((spell(word), EXACT) for word in CATEGORY_WORDS[name])
        return
    bare = _BRACKETS.sub("", name).strip()
    yield spell(bare), ALIAS
    for inside in _BRACKETS.findall(name):
        if not _ORDINARY_BRACKET.match(inside.strip()) and len(spell(inside)) > 1:
            yield spell(inside), ALIAS
    for each in (name, bare):
        shorter = _LEADING.sub("", _TRAILING.sub("", each))
        if shorter != each and shorter:
            yield spell(shorter), ALIAS
    head, comma, tail = bare.partition(", ")
    if comma and "," not in tail and len(bare.split()) <= 4:
        yield spell(f"{tail} {head}"), ALIAS
        if term.kind in ("lab", "culture"):
            yield spell(head), ALIAS
    if term.kind in ("attribute", "organism") and "/" in bare:
        yield from ((text, ALIAS) for text in _spread_slashes(bare))
    if term.kind == "attribute":
        yield from ((spell(other), ALIAS) for other, meant in FINDING_SYNONYMS.items() if meant == name)
    if term.kind == "object":
        side, _, part = name.partition(" ")
        if side in SIDES:
            yield spell(f"{part} on the {side}"), ALIAS
            yield spell(f"{side} sided {part}"), ALIAS


# [one, several] and other ways; the first two as in the questions that models are taught.
CATEGORY_WORDS: Mapping[str, tuple[str, ...]] = {
    "anatomicalfinding": ("anatomical finding", "anatomical findings", "anatomic finding"),
    "disease": ("disease", "diseases"),
    "tubesandlines": ("tube or line", "tubes and lines", "tubes or lines", "line or tube", "lines and tubes"),
    "device": ("device", "devices", "implanted device"),
    "technicalassessment": ("technical limitation", "technical limitations", "technical assessment"),
}


def _spread_slashes(name: str) -> Iterator[str]:
    """`pulmonary edema/hazy opacity` → both; `linear/patchy atelectasis` → `linear atelectasis` and the other."""
    head, tail = name.split("/", 1)
    first, last = head.split(), tail.split()
    if len(last) > 1 and len(first) == 1:
        yield spell(f"{first[0]} {' '.join(last[1:])}")
        yield spell(tail)
    elif len(last) > 1 or len(first) > 1:
        yield spell(head)
        yield spell(tail if len(last) > 1 else f"{' '.join(first[:-1])} {tail}")
    else:
        yield spell(head)
        yield spell(tail)


@cache
def read_abbreviations() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """kind → name of a record, spelled → how clinicians write it in short, by its brand, or in everyday words."""
    text = (resources.files("chartsight.translate") / "abbreviations.yaml").read_text("utf-8")
    declared = yaml.safe_load(text)
    return {
        kind: {spell(name): tuple(spell(str(short)) for short in shorts) for name, shorts in names.items()}
        for kind, names in declared.items()
    }


def spread_abbreviations(terms: Iterable[Term]) -> Iterator[tuple[Term, Surface]]:
    """Every way to write each term: by its own name, and in short where the record has what the short form means."""
    short_by_kind = read_abbreviations()
    for term in terms:
        own = dict.fromkeys(write_names(term))
        shorts = short_by_kind.get(term.kind, {})
        for text, tier in own:
            if text:
                yield term, Surface(text, term, tier)
            for short in shorts.get(text, ()):
                # `k` is Potassium before it is Potassium, Whole Blood.
                yield term, Surface(short, term, ABBREVIATION if tier == EXACT else LOOSE)
