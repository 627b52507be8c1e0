"""What the radiologist writes about a film, sentence by sentence, and what each sentence asserts.

Labels in MIMIC-CXR-JPG and Chest ImaGenome are read from reports. So are ours: `cxr.py` and `imagenome.py` see the
sentences of this module, never the truth; a finding that the report omits is missing from the labels too.
"""

from __future__ import annotations

import textwrap
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.difficulty import grade
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.findings import FINDINGS
from chartsight.hospital.patients import Patient, Study
from chartsight.hospital.readers import SeenFinding, read_film
from chartsight.hospital.sites import CABG, CHEST_PORT, CONSOLIDATION, DEVICES, PACER, VALVE, propagate
from chartsight.hospital.wordings import (
    COMPARED,
    DEGREES,
    DISEASE_WORDINGS,
    IMPLIED_CLAUSES,
    JOINT_NEGATIONS,
    MILD,
    NAMES,
    NEGATIONS,
    REMOVALS,
    RESOLUTIONS,
    SIDED,
    SUSPICIONS,
    TECHNICAL,
    TIP_WORDINGS,
    WORDINGS,
)

REPORT_STREAM, NOISE_STREAM = 2, 3
JOINTLY = 0.5  # share of reports that deny several findings in one sentence
MOST_IMPRESSIONS = 4
IMPLANTS = (CABG, CHEST_PORT, PACER, VALVE)  # stay from one admission to the next
INFECTIONS = ("pneumonia", "aspiration")
CHANGE = 0.12  # of `grade`, that a radiologist would call a change
CHANGES = {"improved": " It has improved.", "worsened": " It has worsened.", "no change": " It is unchanged."}
Comparison = Literal["improved", "worsened", "no change"]


@dataclass(frozen=True)
class Assertion:
    """`attribute` is present or not in `object`; `uncertain` when the report only suspects it."""

    attribute: str
    object: str
    is_present: bool
    is_uncertain: bool = False


@dataclass(frozen=True)
class Sentence:
    """One sentence and what it says. `severity` and `comparison` are Chest ImaGenome's cues, without the category."""

    text: str
    section: Literal["FINDINGS", "IMPRESSION"]
    assertions: tuple[Assertion, ...] = ()
    severity: Literal["mild", "moderate", "severe"] | None = None
    comparison: Comparison | None = None


@dataclass(frozen=True)
class Report:
    """One study's report; sentences are numbered from 0 in reading order. `seen` is what it was made of."""

    study_id: int
    sentences: tuple[Sentence, ...]
    text: str
    seen: tuple[SeenFinding, ...] = ()

    @property
    def is_normal(self) -> bool:
        """Nothing is asserted to be present or suspected."""
        return not any(a.is_present or a.is_uncertain for sentence in self.sentences for a in sentence.assertions)


def write_report(patient: Patient, study: Study, config: HospitalConfig) -> Report:
    """The report of a study as its reader sees it (`readers.py`); labels read from it may be inverted by
    `with_label_noise`."""
    previous = previous_study(patient, study)
    seen = read_film(study, config)
    stated = [each for each in seen if each.outcome in ("reported", "suspected", "overcalled")]
    stated.sort(key=lambda each: each.finding.attribute not in DEVICES)  # tubes and lines first, as is the custom
    sentences = [
        suspect(study, each.finding, config)
        if each.outcome == "suspected"
        else describe(patient, study, each.finding, previous, config)
        for each in stated
    ]
    asserted = {a.attribute for sentence in sentences for a in sentence.assertions}
    resolved = list(resolutions(study, previous, asserted, config))
    asserted |= {a.attribute for sentence in resolved for a in sentence.assertions}
    sentences += resolved
    sentences += negations(study, asserted, config)
    sentences.append(impression([each.finding for each in stated if each.outcome != "suspected"]))
    return Report(study.study_id, tuple(sentences), layout(patient, study, previous, sentences), seen)


def words_generator(study: Study, config: HospitalConfig, about: str) -> np.random.Generator:
    """Of the choice of words about one thing: what else is said does not change them."""
    return np.random.default_rng([config.seed, study.study_id, REPORT_STREAM, zlib.crc32(about.encode())])


def previous_study(patient: Patient, study: Study) -> Study | None:
    """The patient's film before this one."""
    earlier = [each for each in patient.studies if each.time < study.time]
    return max(earlier, key=lambda each: each.time, default=None)


def describe(
    patient: Patient, study: Study, finding: PlantedFinding, previous: Study | None, config: HospitalConfig
) -> Sentence:
    """The sentence of one finding."""
    attribute, site = finding.attribute, finding.objects[0]
    rng = words_generator(study, config, f"{attribute}|{site}")
    level = level_of(finding)
    text = str(rng.choice(TIP_WORDINGS.get((attribute, site), WORDINGS[attribute])))
    text = text.format(**words_of(finding))
    attributes: tuple[str, ...] = (attribute,)
    suspected: tuple[Assertion, ...] = ()
    for disease in patient.course.diseases_of(attribute):
        attributes += (disease,)
        text = f"{text[:-1]}, {DISEASE_WORDINGS[disease]}."
    if attribute == CONSOLIDATION and not set(attributes) & set(INFECTIONS):
        text = f"{text[:-1]}, which could represent pneumonia."
        suspected = (Assertion("pneumonia", site, is_present=False, is_uncertain=True),)
    said = propagate(attributes, finding.objects)
    for implied, objects in FINDINGS[attribute].implies(finding):
        text = f"{text[:-1]}, {IMPLIED_CLAUSES.get(implied, f'with {implied}')}."
        said += propagate((implied,), objects)
    comparison = compare(study, finding, previous)
    if comparison is not None:
        text += CHANGES[comparison]
    return Sentence(
        text=text,
        section="FINDINGS",
        assertions=(*(Assertion(a, o, is_present=True) for a, o in dict.fromkeys(said)), *suspected),
        severity=None if attribute in DEVICES or attribute in TECHNICAL else MILD[level],  # type: ignore[arg-type]
        comparison=comparison,
    )


def level_of(finding: PlantedFinding) -> int:
    """0 mild, 1 moderate, 2 severe."""
    return 0 if grade(finding) < 0.5 else 1 if grade(finding) < 0.75 else 2


def words_of(finding: PlantedFinding) -> dict[str, str]:
    """What the placeholders of `wordings.py` stand for."""
    attribute, place = finding.attribute, finding.objects[0]
    side = place.split()[0]
    degree = DEGREES.get(attribute, MILD)[level_of(finding)]
    name = name_of(finding)
    capitals = {"Degree": degree, "Side": side, "Name": name}
    return {
        "degree": degree, "side": side, "place": place, "name": name,
        **{key: value[0].upper() + value[1:] for key, value in capitals.items()},
    }  # fmt: skip


def name_of(finding: PlantedFinding) -> str:
    """`pleural effusion on the left`, `mass in the right upper lung zone`, `cardiomegaly`."""
    place = finding.objects[0]
    where = f" on the {place.split()[0]}" if finding.attribute in SIDED else f" in the {place}"
    return NAMES[finding.attribute].format(where=where)


def suspect(study: Study, finding: PlantedFinding, config: HospitalConfig) -> Sentence:
    """The sentence of a finding that the reader does not commit to."""
    rng = words_generator(study, config, f"suspect|{finding.attribute}|{finding.objects[0]}")
    said = propagate((finding.attribute,), finding.objects)
    return Sentence(
        str(rng.choice(SUSPICIONS)).format(**words_of(finding)),
        "FINDINGS",
        tuple(Assertion(a, o, is_present=False, is_uncertain=True) for a, o in said),
    )


def resolutions(study: Study, previous: Study | None, asserted: set[str], config: HospitalConfig) -> Iterator[Sentence]:
    """Sentences about what was on the film before and is nowhere on this one."""
    now = {each.attribute for each in study.findings} | asserted
    for before in previous.findings if previous is not None else ():
        attribute = before.attribute
        if attribute in now or (attribute not in COMPARED and attribute not in DEVICES):
            continue
        now.add(attribute)
        rng = words_generator(study, config, f"resolved|{attribute}")
        texts = REMOVALS if attribute in DEVICES else RESOLUTIONS
        yield Sentence(
            str(rng.choice(texts)).format(**words_of(before)),
            "FINDINGS",
            tuple(Assertion(attribute, each, is_present=False) for each in before.objects),
            comparison=None if attribute in DEVICES else "improved",
        )


def negations(study: Study, asserted: set[str], config: HospitalConfig) -> Iterator[Sentence]:
    """What the radiologist says is not there: the usual five always, others now and then, some in one sentence."""
    rng = words_generator(study, config, "negations")
    shares, texts = rng.random(len(NEGATIONS)), rng.random(len(NEGATIONS))
    jointly = rng.random() < JOINTLY
    together = [each for each in JOINT_NEGATIONS if each not in asserted] if jointly else []
    if len(together) > 1:
        names = [NEGATIONS[each].name for each in together]
        yield Sentence(
            f"There is no {', '.join(names[:-1])} or {names[-1]}.",
            "FINDINGS",
            tuple(absence for each in together for absence in absences(each)),
        )
    for (attribute, negation), share, nth in zip(NEGATIONS.items(), shares, texts, strict=True):
        if attribute in asserted or (len(together) > 1 and attribute in together) or share >= negation.share:
            continue
        yield Sentence(negation.texts[int(nth * len(negation.texts))], "FINDINGS", absences(attribute))


def absences(attribute: str) -> tuple[Assertion, ...]:
    """That a finding is in none of the places where its absence is usually stated."""
    return tuple(Assertion(attribute, each, is_present=False) for each in NEGATIONS[attribute].objects)


def compare(study: Study, finding: PlantedFinding, previous: Study | None) -> Comparison | None:
    """Against the same finding in the same place on the film before; None when it is new or there is no such film.

    A device does not grow: it is unchanged while its tip stays in place. A tube of another admission is another tube.
    """
    if finding.attribute not in COMPARED and finding.attribute not in DEVICES:
        return None
    if previous is None:
        return None
    for before in previous.findings:
        if (before.attribute, before.objects) == (finding.attribute, finding.objects):
            if finding.attribute in DEVICES:
                is_same = finding.attribute in IMPLANTS or study.hadm_id == previous.hadm_id
                return "no change" if is_same else None
            change = grade(finding) - grade(before)
            return "worsened" if change > CHANGE else "improved" if change < -CHANGE else "no change"
    return None


def impression(findings: Sequence[PlantedFinding]) -> Sentence:
    """The last section: the main findings again in one sentence, or that nothing acute is seen."""
    main = [each for each in findings if each.attribute not in DEVICES and each.attribute not in TECHNICAL]
    main.sort(key=lambda each: -grade(each))
    words = list(dict.fromkeys(name_of(each) for each in main))[:MOST_IMPRESSIONS]
    if not words:
        return Sentence("No acute cardiopulmonary process.", "IMPRESSION")
    text = ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]
    return Sentence(f"{text[0].upper()}{text[1:]}, as described.", "IMPRESSION")


def layout(patient: Patient, study: Study, previous: Study | None, sentences: Sequence[Sentence]) -> str:
    """The text file, in the layout of MIMIC-CXR's reports; `___` stands where they were de-identified."""
    beside = " and lateral" if study.lateral_dicom_id is not None else ""
    technique = "Portable AP chest radiograph." if study.is_portable else f"PA{beside} chest radiograph."
    comparison = "Chest radiograph of ___." if previous is not None else "None."
    found = " ".join(each.text for each in sentences if each.section == "FINDINGS")
    concluded = " ".join(each.text for each in sentences if each.section == "IMPRESSION")
    exam = exam_of(study)
    return (
        "                                 FINAL REPORT\n"
        f" EXAMINATION:  {exam}\n\n"
        f" INDICATION:  ___{patient.body.sex}.  {study.reason}\n\n"
        f" TECHNIQUE:  {technique}\n\n"
        f" COMPARISON:  {comparison}\n\n"
        f" FINDINGS:  {wrapped(found)}\n\n"
        f" IMPRESSION:  {wrapped(concluded)}\n"
    )


def exam_of(study: Study) -> str:
    """The examination as MIMIC-CXR names it."""
    if study.is_portable:
        return "CHEST (PORTABLE AP)"
    return "CHEST (PA AND LAT)" if study.lateral_dicom_id is not None else "CHEST (PA)"


def wrapped(text: str) -> str:
    """Lines of at most 79 characters, each indented by a blank as MIMIC-CXR's are."""
    return "\n ".join(textwrap.wrap(text, 66))


def with_label_noise(report: Report, config: HospitalConfig) -> Report:
    """What a faulty labeller makes of the report: each finding's statements inverted with the config's probability."""
    if config.label_noise == 0:
        return report
    rng = np.random.default_rng([config.seed, report.study_id, NOISE_STREAM])
    sentences = []
    for sentence in report.sentences:
        inverted = bool(rng.random() < config.label_noise)
        assertions = tuple(
            replace(each, is_present=each.is_present != inverted) if not each.is_uncertain else each
            for each in sentence.assertions
        )
        sentences.append(replace(sentence, assertions=assertions))
    return replace(report, sentences=tuple(sentences))
