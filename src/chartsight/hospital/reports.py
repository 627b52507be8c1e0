"""What the radiologist writes about a film, sentence by sentence, and what each sentence asserts.

Labels in MIMIC-CXR-JPG and Chest ImaGenome are read from reports. So are ours: `cxr.py` and `imagenome.py` see the
sentences of this module, never the truth; a finding that the report omits is missing from the labels too.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from chartsight.hospital.config import HospitalConfig
from chartsight.hospital.film_request import PlantedFinding
from chartsight.hospital.patients import Patient, Study
from chartsight.hospital.sites import (
    ATELECTASIS,
    CARDIOMEGALY,
    CONSOLIDATION,
    EDEMA,
    EFFUSION,
    HYPERAERATION,
    NODULE,
    PACER,
    PNEUMOTHORAX,
    TUBE,
    propagate,
)

REPORT_STREAM, NOISE_STREAM = 2, 3

# Attribute → wordings. {degree} is mild, moderate or severe in the finding's own words, {place} the site.
WORDINGS: Mapping[str, tuple[str, ...]] = {
    EFFUSION: ("There is a {degree} {side} pleural effusion.", "{Degree} {side} pleural effusion is present."),
    PNEUMOTHORAX: ("There is a {degree} {side} pneumothorax.", "{Degree} {side} pneumothorax is seen."),
    CONSOLIDATION: (
        "There is a {degree} consolidation in the {place}.",
        "{Degree} opacity in the {place}, consolidation.",
    ),
    ATELECTASIS: ("{Degree} atelectasis in the {place}.", "There is {degree} atelectasis in the {place}."),
    EDEMA: ("{Degree} pulmonary edema with bilateral hazy opacities.", "Findings of {degree} pulmonary edema."),
    CARDIOMEGALY: ("The heart is {degree} enlarged.", "Cardiac silhouette is {degree} enlarged."),
    NODULE: ("There is a {degree} nodular mass in the {place}.", "{Degree} mass projecting over the {place}."),
    HYPERAERATION: ("The lungs are {degree} hyperinflated.", "{Degree} hyperinflation of both lungs."),
    PACER: ("A {side} chest wall pacemaker with its leads is in place.", "{Side}-sided pacemaker leads are in place."),
    TUBE: ("An endotracheal tube is in place.", "The endotracheal tube ends above the carina."),
}
DEGREES: Mapping[str, tuple[str, str, str]] = {
    EFFUSION: ("small", "moderate", "large"),
    PNEUMOTHORAX: ("small", "moderate", "large"),
    CONSOLIDATION: ("faint", "moderate", "dense"),
    CARDIOMEGALY: ("mildly", "moderately", "severely"),
    HYPERAERATION: ("mildly", "moderately", "severely"),
    NODULE: ("small", "moderate", "large"),
}
NEGATIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {  # attribute → how its absence is written, and where
    EFFUSION: (
        "There is no pleural effusion.",
        ("left costophrenic angle", "right costophrenic angle", "left lung", "right lung"),
    ),
    PNEUMOTHORAX: ("There is no pneumothorax.", ("left lung", "right lung")),
    CONSOLIDATION: ("No focal consolidation.", ("left lung", "right lung")),
    EDEMA: ("No pulmonary edema.", ("left lung", "right lung")),
    CARDIOMEGALY: ("The cardiac silhouette is normal in size.", ("cardiac silhouette",)),
}
DISEASE_WORDINGS = {
    "pneumonia": "consistent with pneumonia",
    "fluid overload/heart failure": "consistent with heart failure",
    "copd/emphysema": "consistent with COPD",
    "lung cancer": "suspicious for lung cancer",
}
SIDED = {EFFUSION, PNEUMOTHORAX, PACER}
COMPARED = {EFFUSION, PNEUMOTHORAX, CONSOLIDATION, ATELECTASIS, EDEMA, CARDIOMEGALY, NODULE}
CHANGE = 0.12  # of severity, that a radiologist would call a change
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
    """One study's report; sentences are numbered from 0 in reading order."""

    study_id: int
    sentences: tuple[Sentence, ...]
    text: str

    @property
    def is_normal(self) -> bool:
        """Nothing is asserted to be present or suspected."""
        return not any(a.is_present or a.is_uncertain for sentence in self.sentences for a in sentence.assertions)


def write_report(patient: Patient, study: Study, config: HospitalConfig) -> Report:
    """The report of a study, with the config's omissions; labels read from it may be inverted by `with_label_noise`."""
    rng = np.random.default_rng([config.seed, study.study_id, REPORT_STREAM])
    previous = previous_study(patient, study)
    sentences: list[Sentence] = []
    for finding in study.findings:
        sentence = describe(rng, patient, finding, previous)
        if rng.random() >= config.report_omission:
            sentences.append(sentence)
    present = {finding.attribute for finding in study.findings}
    for attribute, (text, objects) in NEGATIONS.items():
        if attribute not in present:
            assertions = tuple(Assertion(attribute, each, is_present=False) for each in objects)
            sentences.append(Sentence(text, "FINDINGS", assertions))
    sentences.append(impression(sentences))
    return Report(study.study_id, tuple(sentences), layout(patient, study, previous, sentences))


def previous_study(patient: Patient, study: Study) -> Study | None:
    """The patient's film before this one."""
    earlier = [each for each in patient.studies if each.time < study.time]
    return max(earlier, key=lambda each: each.time, default=None)


def describe(rng: np.random.Generator, patient: Patient, finding: PlantedFinding, previous: Study | None) -> Sentence:
    """The sentence of one finding."""
    attribute, site = finding.attribute, finding.objects[0]
    level = 0 if finding.severity < 0.5 else 1 if finding.severity < 0.75 else 2
    degree = DEGREES.get(attribute, ("mild", "moderate", "severe"))[level]
    side = site.split()[0]
    words = {"degree": degree, "Degree": degree.capitalize(), "side": side, "Side": side.capitalize(), "place": site}
    text = str(rng.choice(WORDINGS[attribute])).format(**words)
    attributes: tuple[str, ...] = (attribute,)
    suspected: tuple[Assertion, ...] = ()
    for disease, explains in patient.course.diseases.items():
        if explains == attribute:
            attributes += (disease,)
            text = f"{text[:-1]}, {DISEASE_WORDINGS[disease]}."
    if attribute == CONSOLIDATION and "pneumonia" not in attributes:
        text = f"{text[:-1]}, which could represent pneumonia."
        suspected = (Assertion("pneumonia", site, is_present=False, is_uncertain=True),)
    comparison = compare(finding, previous) if attribute in COMPARED else None
    if comparison is not None:
        text += {"improved": " It has improved.", "worsened": " It has worsened.", "no change": " It is unchanged."}[
            comparison
        ]
    return Sentence(
        text=text,
        section="FINDINGS",
        assertions=(*(Assertion(a, o, is_present=True) for a, o in propagate(attributes, finding.objects)), *suspected),
        severity=None if attribute in {PACER, TUBE} else ("mild", "moderate", "severe")[level],
        comparison=comparison,
    )


def compare(finding: PlantedFinding, previous: Study | None) -> Comparison | None:
    """Against the same finding in the same place on the film before; None when it is new or there is no such film."""
    for before in previous.findings if previous is not None else ():
        if (before.attribute, before.objects) == (finding.attribute, finding.objects):
            change = finding.severity - before.severity
            return "worsened" if change > CHANGE else "improved" if change < -CHANGE else "no change"
    return None


def impression(sentences: Sequence[Sentence]) -> Sentence:
    """The last section: the main findings again in one sentence, or that nothing acute is seen."""
    shown = list(
        dict.fromkeys(
            assertions[0].attribute
            for each in sentences
            if (assertions := each.assertions) and assertions[0].is_present
        )
    )
    if not shown:
        return Sentence("No acute cardiopulmonary process.", "IMPRESSION")
    words = [attribute.split("/")[0] if attribute != NODULE else "mass" for attribute in shown]
    text = ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]
    return Sentence(f"{text[0].upper()}{text[1:]}, as described.", "IMPRESSION")


def layout(patient: Patient, study: Study, previous: Study | None, sentences: Sequence[Sentence]) -> str:
    """The text file, in the layout of MIMIC-CXR's reports; `___` stands where they were de-identified."""
    technique = "Portable AP chest radiograph." if study.is_portable else "PA chest radiograph."
    comparison = "Chest radiograph of ___." if previous is not None else "None."
    found = " ".join(each.text for each in sentences if each.section == "FINDINGS")
    concluded = " ".join(each.text for each in sentences if each.section == "IMPRESSION")
    exam = "CHEST (PORTABLE AP)" if study.is_portable else "CHEST (PA)"
    return (
        "                                 FINAL REPORT\n"
        f" EXAMINATION:  {exam}\n\n"
        f" INDICATION:  ___{patient.body.sex}.  {study.reason}\n\n"
        f" TECHNIQUE:  {technique}\n\n"
        f" COMPARISON:  {comparison}\n\n"
        f" FINDINGS:  {wrapped(found)}\n\n"
        f" IMPRESSION:  {wrapped(concluded)}\n"
    )


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
