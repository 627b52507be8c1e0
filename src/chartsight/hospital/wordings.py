"""The radiologist's words: how each finding is stated, suspected, compared and denied. To word a new one, add it here.

Placeholders: {degree} mild, moderate or severe in the finding's own words, {side} left or right, {place} the object
where it is drawn (for a tube or line, where its tip lies); a capital letter begins a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chartsight.hospital.sites import (
    ATELECTASIS,
    BALLOON_PUMP,
    BLUNTING,
    BREAST_SHADOWS,
    BULLAE,
    CABG,
    CALCIFIED_NODULE,
    CARDIOMEGALY,
    CHEST_PORT,
    CHEST_TUBE,
    CLAVICLE_FRACTURE,
    COLLAPSE,
    CONGESTION,
    CONSOLIDATION,
    DEGENERATIVE_SPINE,
    EDEMA,
    EFFUSION,
    ELEVATED_HEMIDIAPHRAGM,
    ENLARGED_HILUM,
    ENTERIC_TUBE,
    FREE_AIR,
    HERNIA,
    HYDROPNEUMOTHORAX,
    HYPERAERATION,
    IJ_LINE,
    LINEAR_ATELECTASIS,
    LOW_VOLUMES,
    MEDIASTINAL_DRAIN,
    NODULE,
    NODULES,
    PACER,
    PICC,
    PNEUMOTHORAX,
    RETICULATION,
    RIB_FRACTURE,
    ROTATED,
    SCARRING,
    SCOLIOSIS,
    SHIFT,
    SHOULDER_OSTEOARTHRITIS,
    SUBCLAVIAN_LINE,
    SUBCUTANEOUS_AIR,
    SWAN_GANZ,
    TORTUOUS_AORTA,
    TRACHEOSTOMY,
    TUBE,
    VALVE,
    VASCULAR_CALCIFICATION,
    WIDE_MEDIASTINUM,
)

Degrees = tuple[str, str, str]  # `grade` below 0.5, below 0.75, above

MILD: Degrees = ("mild", "moderate", "severe")
MILDLY: Degrees = ("mildly", "moderately", "severely")
SMALL: Degrees = ("small", "moderate", "large")
SUBTLE: Degrees = ("subtle", "moderate", "extensive")

WORDINGS: Mapping[str, tuple[str, ...]] = {
    # Lung and pleura.
    ATELECTASIS: (
        "{Degree} atelectasis in the {place}.",
        "There is {degree} atelectasis in the {place}.",
        "{Degree} volume loss and opacity in the {place} are compatible with atelectasis.",
    ),
    BULLAE: ("{Degree} bullous change in the {place}.", "A {degree} bulla is seen in the {place}."),
    CALCIFIED_NODULE: (
        "A {degree} calcified nodule projects over the {place}.",
        "{Degree} dense nodule in the {place}, calcified.",
    ),
    COLLAPSE: (
        "{Degree} lobar collapse in the {place}.",
        "There is {degree} collapse of the lobe in the {place} with volume loss.",
    ),
    CONGESTION: ("{Degree} pulmonary vascular congestion.", "There is {degree} engorgement of the central vessels."),
    CONSOLIDATION: (
        "There is a {degree} consolidation in the {place}.",
        "{Degree} opacity in the {place}, consolidation.",
        "{Degree} airspace consolidation with air bronchograms in the {place}.",
    ),
    EDEMA: (
        "{Degree} pulmonary edema with bilateral hazy opacities.",
        "Findings of {degree} pulmonary edema.",
        "{Degree} interstitial and alveolar edema on both sides.",
    ),
    EFFUSION: (
        "There is a {degree} {side} pleural effusion.",
        "{Degree} {side} pleural effusion is present.",
        "A {degree} layering effusion is noted on the {side}.",
    ),
    HYDROPNEUMOTHORAX: (
        "There is a {degree} {side} hydropneumothorax with an air-fluid level.",
        "{Degree} {side} hydropneumothorax.",
    ),
    HYPERAERATION: (
        "The lungs are {degree} hyperinflated.",
        "{Degree} hyperinflated lungs with flattened diaphragms.",
    ),
    LINEAR_ATELECTASIS: (
        "{Degree} linear atelectasis in the {place}.",
        "{Degree} bands of plate-like atelectasis in the {place}.",
    ),
    NODULE: (
        "There is a {degree} nodular mass in the {place}.",
        "{Degree} mass projecting over the {place}.",
        "A {degree} rounded opacity in the {place} is a mass or nodule.",
    ),
    NODULES: ("{Degree} multiple nodules in both lungs.", "Multiple {degree} round opacities throughout both lungs."),
    PNEUMOTHORAX: (
        "There is a {degree} {side} pneumothorax.",
        "{Degree} {side} pneumothorax is seen.",
        "A pleural line on the {side} marks a {degree} pneumothorax.",
    ),
    RETICULATION: (
        "{Degree} reticular opacities in both lungs.",
        "There is {degree} increase of the interstitial markings on both sides.",
    ),
    SCARRING: ("{Degree} scarring in the {place}.", "{Degree} pleural and parenchymal scarring of the {place}."),
    # Heart, mediastinum, diaphragm, skeleton, and how the film was taken.
    BREAST_SHADOWS: (
        "Opacity over the {side} lower chest is the {side} breast and nipple shadow.",
        "{Side} nipple shadow is noted.",
    ),
    CARDIOMEGALY: (
        "The heart is {degree} enlarged.",
        "Cardiac silhouette is {degree} enlarged.",
        "The cardiac silhouette is {degree} increased in size.",
    ),
    CLAVICLE_FRACTURE: ("{Degree} {side} clavicle fracture.", "There is a {degree} fracture of the {side} clavicle."),
    DEGENERATIVE_SPINE: (
        "{Degree} degenerative changes of the thoracic spine.",
        "Multilevel degenerative changes of the spine, {degree}.",
    ),
    ELEVATED_HEMIDIAPHRAGM: (
        "The {side} hemidiaphragm is {degree} elevated.",
        "{Degree} elevated {side} hemidiaphragm.",
    ),
    ENLARGED_HILUM: ("The {side} hilum is {degree} enlarged.", "{Degree} prominent {side} hilum."),
    FREE_AIR: (
        "{Degree} free air below the {side} hemidiaphragm.",
        "There is {degree} subdiaphragmatic air on the {side}.",
    ),
    HERNIA: ("{Degree} hiatal hernia.", "A {degree} retrocardiac hiatal hernia is present."),
    LOW_VOLUMES: ("Lung volumes are {degree} low.", "{Degree} low lung volumes with crowding of the vessels."),
    RIB_FRACTURE: (
        "{Degree} {side} rib fracture.",
        "{Degree} fractures of {side}-sided ribs are present.",
    ),
    ROTATED: ("The patient is {degree} rotated.", "Evaluation is limited as the patient is {degree} rotated."),
    SCOLIOSIS: ("{Degree} scoliosis of the thoracic spine.", "There is {degree} scoliosis."),
    SHOULDER_OSTEOARTHRITIS: (
        "{Degree} degenerative changes of the {side} shoulder.",
        "{Degree} osteoarthritis of the {side} shoulder.",
    ),
    SUBCUTANEOUS_AIR: (
        "{Degree} subcutaneous emphysema along the {side} chest wall.",
        "There is {degree} subcutaneous air on the {side}.",
    ),
    TORTUOUS_AORTA: ("The aorta is {degree} tortuous.", "{Degree} tortuous and unfolded aorta."),
    VASCULAR_CALCIFICATION: (
        "{Degree} calcification of the aortic knob.",
        "There are {degree} aortic calcifications.",
    ),
    WIDE_MEDIASTINUM: ("The mediastinum is {degree} widened.", "{Degree} widened upper mediastinum."),
    # Tubes, lines and devices; those with a tip say where it lies (`TIP_WORDINGS`).
    BALLOON_PUMP: (
        "The marker of an intra-aortic balloon pump projects below the aortic knob.",
        "Intra-aortic balloon pump in place.",
    ),
    CABG: (
        "Median sternotomy wires and surgical clips of bypass grafts are seen.",
        "The patient is status post CABG with intact sternal wires.",
    ),
    CHEST_PORT: (
        "A {side}-sided chest port with its catheter is in place.",
        "{Side} chest wall port, tip in the superior vena cava.",
    ),
    CHEST_TUBE: ("A {side}-sided chest tube is in place.", "{Side} chest tube is present."),
    ENTERIC_TUBE: ("An enteric tube is in place.",),
    IJ_LINE: ("An internal jugular line is in place.",),
    MEDIASTINAL_DRAIN: ("A mediastinal drain is in place.", "Mediastinal drains are seen."),
    PACER: (
        "A {side} chest wall pacemaker with its leads is in place.",
        "{Side}-sided pacemaker leads are in place.",
        "Cardiac device on the {side} chest wall with its wires.",
    ),
    PICC: ("A PICC is in place.",),
    SUBCLAVIAN_LINE: ("A subclavian line is in place.",),
    SWAN_GANZ: ("A Swan-Ganz catheter is in place.",),
    TRACHEOSTOMY: ("A tracheostomy tube is in place.", "Tracheostomy tube in standard position."),
    TUBE: ("An endotracheal tube is in place.",),
    VALVE: ("A prosthetic valve projects over the heart.", "Prosthetic cardiac valve is noted."),
}

# What a sentence says of a tip, by the object in which it lies; instead of the sentence in `WORDINGS`.
CENTRAL_TIPS: Mapping[str, tuple[str, ...]] = {
    "svc": ("{Line} with its tip in the superior vena cava.", "{Line} ends in the mid SVC, in standard position."),
    "cavoatrial junction": ("{Line} with its tip at the cavoatrial junction.",),
    "right atrium": (
        "{Line} with its tip in the right atrium; it could be pulled back by 2 to 3 cm.",
        "{Line} ends in the right atrium and should be withdrawn.",
    ),
}
LINE_NAMES: Mapping[str, str] = {
    IJ_LINE: "Internal jugular central venous line",
    PICC: "PICC",
    SUBCLAVIAN_LINE: "Subclavian central venous line",
}
TIP_WORDINGS: Mapping[tuple[str, str], tuple[str, ...]] = {
    **{
        (line, place): tuple(text.replace("{Line}", name) for text in texts)
        for line, name in LINE_NAMES.items()
        for place, texts in CENTRAL_TIPS.items()
    },
    (ENTERIC_TUBE, "abdomen"): (
        "An enteric tube courses below the diaphragm into the stomach.",
        "The tip of the enteric tube is in the stomach.",
    ),
    (ENTERIC_TUBE, "mediastinum"): (
        "The tip of the enteric tube is still in the esophagus and should be advanced.",
        "The enteric tube ends above the diaphragm; advance it by 10 cm.",
    ),
    (SWAN_GANZ, "mediastinum"): ("The tip of the Swan-Ganz catheter is in the main pulmonary artery.",),
    **{
        (SWAN_GANZ, f"{side} hilar structures"): (
            f"The tip of the Swan-Ganz catheter is in the {side} pulmonary artery.",
            f"Swan-Ganz catheter, its tip over the {side} hilum.",
        )
        for side in ("left", "right")
    },
    (TUBE, "trachea"): (
        "The endotracheal tube ends above the carina.",
        "The tip of the endotracheal tube is 4 cm above the carina.",
    ),
    (TUBE, "carina"): (
        "The tip of the endotracheal tube projects over the carina and should be retracted.",
        "The endotracheal tube is too low, at the level of the carina; retract it by 3 cm.",
    ),
}  # fmt: skip

DEGREES: Mapping[str, Degrees] = {
    BULLAE: SMALL,
    CALCIFIED_NODULE: SMALL,
    CARDIOMEGALY: MILDLY,
    CLAVICLE_FRACTURE: ("nondisplaced", "displaced", "markedly displaced"),
    CONSOLIDATION: ("faint", "moderate", "dense"),
    EFFUSION: SMALL,
    ELEVATED_HEMIDIAPHRAGM: MILDLY,
    ENLARGED_HILUM: MILDLY,
    FREE_AIR: SMALL,
    HERNIA: SMALL,
    HYDROPNEUMOTHORAX: SMALL,
    HYPERAERATION: MILDLY,
    LOW_VOLUMES: MILDLY,
    NODULE: SMALL,
    NODULES: ("tiny", "medium-sized", "large"),
    PNEUMOTHORAX: SMALL,
    RIB_FRACTURE: ("subtle", "moderate", "multiple"),
    ROTATED: MILDLY,
    SUBCUTANEOUS_AIR: SUBTLE,
    TORTUOUS_AORTA: MILDLY,
    VASCULAR_CALCIFICATION: SUBTLE,
    WIDE_MEDIASTINUM: MILDLY,
}

# How a finding is called in few words, with {where} for its place: in the impression, suspected, or resolved.
NAMES: Mapping[str, str] = {
    ATELECTASIS: "atelectasis{where}",
    BALLOON_PUMP: "intra-aortic balloon pump",
    BREAST_SHADOWS: "nipple shadow{where}",
    BULLAE: "bulla{where}",
    CABG: "bypass grafts",
    CALCIFIED_NODULE: "calcified nodule{where}",
    CARDIOMEGALY: "cardiomegaly",
    CHEST_PORT: "chest port",
    CHEST_TUBE: "chest tube{where}",
    CLAVICLE_FRACTURE: "clavicle fracture{where}",
    COLLAPSE: "lobar collapse{where}",
    CONGESTION: "vascular congestion",
    CONSOLIDATION: "consolidation{where}",
    DEGENERATIVE_SPINE: "degenerative spine",
    EDEMA: "pulmonary edema",
    EFFUSION: "pleural effusion{where}",
    ELEVATED_HEMIDIAPHRAGM: "elevated hemidiaphragm{where}",
    ENLARGED_HILUM: "enlarged hilum{where}",
    ENTERIC_TUBE: "enteric tube",
    FREE_AIR: "subdiaphragmatic free air{where}",
    HERNIA: "hiatal hernia",
    HYDROPNEUMOTHORAX: "hydropneumothorax{where}",
    HYPERAERATION: "hyperinflation",
    IJ_LINE: "internal jugular line",
    LINEAR_ATELECTASIS: "linear atelectasis{where}",
    LOW_VOLUMES: "low lung volumes",
    MEDIASTINAL_DRAIN: "mediastinal drain",
    NODULE: "mass{where}",
    NODULES: "multiple pulmonary nodules",
    PACER: "pacemaker{where}",
    PICC: "PICC",
    PNEUMOTHORAX: "pneumothorax{where}",
    RETICULATION: "interstitial lung changes",
    RIB_FRACTURE: "rib fracture{where}",
    ROTATED: "rotation",
    SCARRING: "scarring{where}",
    SCOLIOSIS: "scoliosis",
    SHOULDER_OSTEOARTHRITIS: "osteoarthritis{where}",
    SUBCLAVIAN_LINE: "subclavian line",
    SUBCUTANEOUS_AIR: "subcutaneous emphysema{where}",
    SWAN_GANZ: "Swan-Ganz catheter",
    TORTUOUS_AORTA: "tortuous aorta",
    TRACHEOSTOMY: "tracheostomy tube",
    TUBE: "endotracheal tube",
    VALVE: "prosthetic valve",
    VASCULAR_CALCIFICATION: "aortic calcification",
    WIDE_MEDIASTINUM: "widened mediastinum",
}
SUSPICIONS = (
    "Possible {name}.",
    "Questionable {name}.",
    "{Name} cannot be excluded.",
    "Findings may represent {name}.",
)
REMOVALS = ("The {name} has been removed.", "Interval removal of the {name}.")
RESOLUTIONS = ("The previously seen {name} has resolved.", "{Name} is no longer seen.")

IMPLIED_CLAUSES: Mapping[str, str] = {
    BLUNTING: "with blunting of the costophrenic angle",
    SHIFT: "with displacement of the mediastinum",
}
DISEASE_WORDINGS: Mapping[str, str] = {
    "alveolar hemorrhage": "concerning for alveolar hemorrhage",
    "aspiration": "consistent with aspiration",
    "copd/emphysema": "consistent with COPD",
    "fluid overload/heart failure": "consistent with heart failure",
    "granulomatous disease": "consistent with prior granulomatous disease",
    "interstitial lung disease": "consistent with interstitial lung disease",
    "lung cancer": "suspicious for lung cancer",
    "pneumonia": "consistent with pneumonia",
}


@dataclass(frozen=True)
class Negation:
    """How the absence of a finding is written.

    Args:
        texts: Whole sentences.
        objects: Of which the absence is stated.
        share: Of the reports of films without the finding that say so.
        name: Without article, for a sentence that denies several; empty where that sounds odd.
    """

    texts: tuple[str, ...]
    objects: tuple[str, ...]
    share: float
    name: str = ""


LUNGS = ("left lung", "right lung")
DIAPHRAGM = ("left hemidiaphragm", "right hemidiaphragm")
NEGATIONS: Mapping[str, Negation] = {
    EFFUSION: Negation(
        ("There is no pleural effusion.", "No pleural effusion.", "The pleural spaces are clear of fluid."),
        ("left costophrenic angle", "right costophrenic angle", *LUNGS), 1.0, "pleural effusion",
    ),
    PNEUMOTHORAX: Negation(("There is no pneumothorax.", "No pneumothorax."), LUNGS, 1.0, "pneumothorax"),
    CONSOLIDATION: Negation(
        ("No focal consolidation.", "There is no focal airspace consolidation."), LUNGS, 1.0, "focal consolidation"
    ),
    EDEMA: Negation(("No pulmonary edema.", "There is no overt pulmonary edema."), LUNGS, 1.0, "pulmonary edema"),
    CARDIOMEGALY: Negation(
        ("The cardiac silhouette is normal in size.", "The heart is not enlarged.", "Heart size is normal."),
        ("cardiac silhouette",), 1.0,
    ),
    WIDE_MEDIASTINUM: Negation(
        ("The mediastinal contours are normal.", "The upper mediastinum is not widened."), ("upper mediastinum",), 0.4
    ),
    ENLARGED_HILUM: Negation(
        ("The hilar contours are unremarkable.", "The hila are not enlarged."),
        ("left hilar structures", "right hilar structures"), 0.3,
    ),
    CONGESTION: Negation(
        ("There is no vascular congestion.", "Pulmonary vasculature is not engorged."),
        ("left hilar structures", "right hilar structures"), 0.25,
    ),
    FREE_AIR: Negation(
        ("No free air below the diaphragm is seen.", "No subdiaphragmatic free air."), (*DIAPHRAGM, "abdomen"), 0.25
    ),
    RIB_FRACTURE: Negation(
        ("No displaced rib fracture is identified.", "No acute rib fracture."),
        ("left chest wall", "right chest wall"), 0.2,
    ),
    CLAVICLE_FRACTURE: Negation(("The clavicles are intact.",), ("left clavicle", "right clavicle"), 0.05),
    NODULE: Negation(("No suspicious nodule or mass.", "No pulmonary mass is seen."), LUNGS, 0.15),
    NODULES: Negation(("No pulmonary nodules are identified.",), LUNGS, 0.05),
    COLLAPSE: Negation(("No lobar collapse.",), LUNGS, 0.08),
    ATELECTASIS: Negation(("There is no atelectasis.",), LUNGS, 0.08),
    RETICULATION: Negation(("No interstitial abnormality.",), LUNGS, 0.08),
    HYPERAERATION: Negation(("The lungs are not hyperinflated.",), LUNGS, 0.08),
    LOW_VOLUMES: Negation(("Lung volumes are normal.", "The lungs are well inflated."), LUNGS, 0.15),
    SUBCUTANEOUS_AIR: Negation(("No subcutaneous emphysema.",), ("left chest wall", "right chest wall"), 0.05),
    ELEVATED_HEMIDIAPHRAGM: Negation(("The diaphragms are in normal position.",), DIAPHRAGM, 0.06),
    HERNIA: Negation(("No hiatal hernia.",), ("mediastinum",), 0.04),
    TORTUOUS_AORTA: Negation(("The aorta is not tortuous.",), ("aortic arch",), 0.05),
    SCOLIOSIS: Negation(("No scoliosis.",), ("spine",), 0.04),
    DEGENERATIVE_SPINE: Negation(("The thoracic spine is unremarkable.",), ("spine",), 0.05),
}  # fmt: skip
JOINT_NEGATIONS = (CONSOLIDATION, EFFUSION, PNEUMOTHORAX, EDEMA)  # denied in one sentence in half of all reports

SIDED = frozenset(
    {BREAST_SHADOWS, CHEST_TUBE, CLAVICLE_FRACTURE, EFFUSION, ELEVATED_HEMIDIAPHRAGM, ENLARGED_HILUM, FREE_AIR,
     HYDROPNEUMOTHORAX, PACER, PNEUMOTHORAX, RIB_FRACTURE, SHOULDER_OSTEOARTHRITIS, SUBCUTANEOUS_AIR}
)  # fmt: skip
COMPARED = frozenset(
    {ATELECTASIS, CARDIOMEGALY, COLLAPSE, CONGESTION, CONSOLIDATION, EDEMA, EFFUSION, HYDROPNEUMOTHORAX,
     LINEAR_ATELECTASIS, NODULE, NODULES, PNEUMOTHORAX, RETICULATION, SUBCUTANEOUS_AIR, WIDE_MEDIASTINUM, FREE_AIR}
)  # fmt: skip
TECHNICAL = frozenset({BREAST_SHADOWS, LOW_VOLUMES, ROTATED})
