"""The whole data contract in one file: tables, columns, types, vocabularies, and the values that cross a seam.

Source: MIMIC-IV v2.2 (column names, types and nulls), MIMIC-CXR-JPG 2.0.0, Chest ImaGenome 1.0.0, EHRXQA (tb_cxr, cost
and the vocabulary of objects, categories and attributes). `docs/contracts.md` says the same in words; change both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1

# ----------------------------------------------------------------------------------------------- tables and their types

ColumnType = Literal["int", "bigint", "float", "text", "date", "time", "bool"]

DUCKDB_TYPES: Mapping[ColumnType, str] = {
    "int": "INTEGER",
    "bigint": "BIGINT",
    "float": "DOUBLE",
    "text": "VARCHAR",
    "date": "DATE",
    "time": "TIMESTAMP",
    "bool": "BOOLEAN",
}


@dataclass(frozen=True)
class Column:
    """One column; `required` means that a row without a value is dropped on import, with a reason."""

    name: str
    type: ColumnType
    required: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the record.

    Args:
        name: MIMIC's own name.
        module: The folder that it comes from: hosp, icu, note; `record` when it is ours.
        columns: In the order of the source's header.
        key: Columns that identify a row; empty when MIMIC declares none (such rows are not checked for repeats).
        optional: The source may lack the file (the demo has no chartevents; notes are a separate download).
    """

    name: str
    module: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    optional: bool = True

    @property
    def header(self) -> tuple[str, ...]:
        """Column names in file order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def table(module: str, name: str, declared: str, key: str = "", *, optional: bool = True) -> Table:
    """A table from its declaration: `name type`, separated by commas, `!` where a value is required."""
    columns = []
    for part in declared.split(","):
        column, kind = part.split()
        columns.append(Column(column, kind.rstrip("!"), kind.endswith("!")))  # type: ignore[arg-type]
    return Table(name, module, tuple(columns), tuple(key.split()), optional)


HOSP_TABLES = (
    table("hosp", "patients", """subject_id int!, gender text!, anchor_age int, anchor_year int!,
          anchor_year_group text!, dod date""", key="subject_id", optional=False),
    table("hosp", "admissions", """subject_id int!, hadm_id int!, admittime time!, dischtime time, deathtime time,
          admission_type text!, admit_provider_id text, admission_location text, discharge_location text,
          insurance text, language text, marital_status text, race text, edregtime time, edouttime time,
          hospital_expire_flag int""", key="hadm_id", optional=False),
    table("hosp", "transfers", """subject_id int!, hadm_id int, transfer_id int!, eventtype text, careunit text,
          intime time, outtime time""", key="transfer_id"),
    table("hosp", "services", """subject_id int!, hadm_id int!, transfertime time!, prev_service text,
          curr_service text"""),
    table("hosp", "diagnoses_icd", """subject_id int!, hadm_id int!, seq_num int!, icd_code text, icd_version int""",
          key="hadm_id seq_num icd_code icd_version"),
    table("hosp", "procedures_icd", """subject_id int!, hadm_id int!, seq_num int!, chartdate date!, icd_code text,
          icd_version int""", key="hadm_id seq_num icd_code icd_version"),
    table("hosp", "d_icd_diagnoses", "icd_code text!, icd_version int!, long_title text", key="icd_code icd_version"),
    table("hosp", "d_icd_procedures", "icd_code text!, icd_version int!, long_title text", key="icd_code icd_version"),
    table("hosp", "drgcodes", """subject_id int!, hadm_id int!, drg_type text, drg_code text!, description text,
          drg_severity int, drg_mortality int"""),
    table("hosp", "hcpcsevents", """subject_id int!, hadm_id int!, chartdate date, hcpcs_cd text!, seq_num int!,
          short_description text"""),
    table("hosp", "d_hcpcs", "code text!, category int, long_description text, short_description text", key="code"),
    table("hosp", "labevents", """labevent_id int!, subject_id int!, hadm_id int, specimen_id int!, itemid int!,
          order_provider_id text, charttime time, storetime time, value text, valuenum float, valueuom text,
          ref_range_lower float, ref_range_upper float, flag text, priority text, comments text""",
          key="labevent_id"),
    table("hosp", "d_labitems", "itemid int!, label text, fluid text, category text", key="itemid"),
    table("hosp", "microbiologyevents", """microevent_id int!, subject_id int!, hadm_id int, micro_specimen_id int!,
          order_provider_id text, chartdate time!, charttime time, spec_itemid int!, spec_type_desc text,
          test_seq int!, storedate time, storetime time, test_itemid int, test_name text, org_itemid int,
          org_name text, isolate_num int, quantity text, ab_itemid int, ab_name text, dilution_text text,
          dilution_comparison text, dilution_value float, interpretation text, comments text""",
          key="microevent_id"),
    table("hosp", "prescriptions", """subject_id int!, hadm_id int!, pharmacy_id int!, poe_id text, poe_seq int,
          order_provider_id text, starttime time, stoptime time, drug_type text!, drug text, formulary_drug_cd text,
          gsn text, ndc text, prod_strength text, form_rx text, dose_val_rx text, dose_unit_rx text,
          form_val_disp text, form_unit_disp text, doses_per_24_hrs float, route text"""),
    table("hosp", "pharmacy", """subject_id int!, hadm_id int!, pharmacy_id int!, poe_id text, starttime time,
          stoptime time, medication text, proc_type text!, status text, entertime time!, verifiedtime time,
          route text, frequency text, disp_sched text, infusion_type text, sliding_scale text, lockout_interval text,
          basal_rate float, one_hr_max text, doses_per_24_hrs float, duration float, duration_interval text,
          expiration_value int, expiration_unit text, expirationdate time, dispensation text, fill_quantity text""",
          key="pharmacy_id"),
    table("hosp", "emar", """subject_id int!, hadm_id int, emar_id text!, emar_seq int!, poe_id text!,
          pharmacy_id int, enter_provider_id text, charttime time!, medication text, event_txt text,
          scheduletime time, storetime time!""", key="emar_id"),
    table("hosp", "emar_detail", """subject_id int!, emar_id text!, emar_seq int!, parent_field_ordinal text,
          administration_type text, pharmacy_id int, barcode_type text, reason_for_no_barcode text,
          complete_dose_not_given text, dose_due text, dose_due_unit text, dose_given text, dose_given_unit text,
          will_remainder_of_dose_be_given text, product_amount_given text, product_unit text, product_code text,
          product_description text, product_description_other text, prior_infusion_rate text, infusion_rate text,
          infusion_rate_adjustment text, infusion_rate_adjustment_amount text, infusion_rate_unit text, route text,
          infusion_complete text, completion_interval text, new_iv_bag_hung text,
          continued_infusion_in_other_location text, restart_interval text, side text, site text,
          non_formulary_visual_verification text"""),
    table("hosp", "poe", """poe_id text!, poe_seq int!, subject_id int!, hadm_id int, ordertime time!,
          order_type text!, order_subtype text, transaction_type text, discontinue_of_poe_id text,
          discontinued_by_poe_id text, order_provider_id text, order_status text""", key="poe_id"),
    table("hosp", "poe_detail", """poe_id text!, poe_seq int!, subject_id int!, field_name text!,
          field_value text"""),
    table("hosp", "omr", """subject_id int!, chartdate date!, seq_num int!, result_name text!, result_value text!"""),
    table("hosp", "provider", "provider_id text!", key="provider_id"),
)  # fmt: skip

ICU_TABLES = (
    table("icu", "icustays", """subject_id int!, hadm_id int!, stay_id int!, first_careunit text, last_careunit text,
          intime time, outtime time, los float""", key="stay_id"),
    table("icu", "d_items", """itemid int!, label text!, abbreviation text!, linksto text!, category text!,
          unitname text, param_type text!, lownormalvalue float, highnormalvalue float""", key="itemid"),
    table("icu", "chartevents", """subject_id int!, hadm_id int!, stay_id int!, caregiver_id int, charttime time!,
          storetime time, itemid int!, value text, valuenum float, valueuom text, warning int"""),
    table("icu", "datetimeevents", """subject_id int!, hadm_id int!, stay_id int!, caregiver_id int, charttime time!,
          storetime time, itemid int!, value time!, valueuom text, warning int"""),
    table("icu", "inputevents", """subject_id int!, hadm_id int!, stay_id int, caregiver_id int, starttime time!,
          endtime time!, storetime time, itemid int!, amount float, amountuom text, rate float, rateuom text,
          orderid int!, linkorderid int, ordercategoryname text, secondaryordercategoryname text,
          ordercomponenttypedescription text, ordercategorydescription text, patientweight float, totalamount float,
          totalamountuom text, isopenbag int, continueinnextdept int, statusdescription text, originalamount float,
          originalrate float"""),
    table("icu", "ingredientevents", """subject_id int!, hadm_id int!, stay_id int, caregiver_id int, starttime time!,
          endtime time!, storetime time, itemid int!, amount float, amountuom text, rate float, rateuom text,
          orderid int!, linkorderid int, statusdescription text, originalamount float, originalrate float"""),
    table("icu", "outputevents", """subject_id int!, hadm_id int!, stay_id int!, caregiver_id int, charttime time!,
          storetime time!, itemid int!, value float!, valueuom text"""),
    table("icu", "procedureevents", """subject_id int!, hadm_id int!, stay_id int!, caregiver_id int, starttime time!,
          endtime time!, storetime time!, itemid int!, value float, valueuom text, location text,
          locationcategory text, orderid int, linkorderid int, ordercategoryname text, ordercategorydescription text,
          patientweight float, isopenbag int, continueinnextdept int, statusdescription text, ORIGINALAMOUNT float,
          ORIGINALRATE float"""),
    table("icu", "caregiver", "caregiver_id int!", key="caregiver_id"),
)  # fmt: skip

NOTE_TABLES = (
    table("note", "discharge", """note_id text!, subject_id int!, hadm_id int, note_type text!, note_seq int!,
          charttime time!, storetime time, text text!""", key="note_id"),
    table("note", "radiology", """note_id text!, subject_id int!, hadm_id int, note_type text!, note_seq int!,
          charttime time!, storetime time, text text!""", key="note_id"),
)  # fmt: skip

MIMIC_TABLES = HOSP_TABLES + ICU_TABLES + NOTE_TABLES

# The record's own tables. `films` has one row an image; `tb_cxr` is EHRXQA's view of it: one frontal film a study.
RECORD_TABLES = (
    table("record", "films", """image_id text!, study_id bigint!, subject_id int!, view_position text,
          studydatetime time, rows int!, columns int!, bits int!, digest text!, path text!, root_id int!,
          is_frontal bool!, split_released text, source text!, terms text!, pairing text!""", key="image_id"),
    table("record", "film_roots", "root_id int!, path text!", key="root_id"),
    table("record", "tb_cxr", """row_id bigint!, subject_id int!, hadm_id int, study_id bigint!, image_id text!,
          viewposition text, studydatetime time""", key="row_id"),
    table("record", "labels", """study_id bigint!, image_id text, object text!, attribute text!, category text!,
          state text!, source text!"""),
    table("record", "boxes", """image_id text!, object text!, x1 float!, y1 float!, x2 float!, y2 float!,
          source text!"""),
    table("record", "reports", "study_id bigint!, subject_id int!, text text!", key="study_id"),
    table("record", "cost", """row_id bigint!, subject_id int!, hadm_id int!, event_type text!, event_id bigint!,
          chargetime time!, cost float!""", key="row_id"),
    table("record", "label_vocabulary", "attribute text!, category text!", key="attribute"),
    table("record", "subject_keys", "subject_id int!, source text!, source_key text!", key="source source_key"),
    table("record", "record_info", "key text!, value text!", key="key"),
)  # fmt: skip

TABLES: Mapping[str, Table] = {each.name: each for each in MIMIC_TABLES + RECORD_TABLES}

# Where a record stands in a PostgreSQL database, and who may read it there.
POSTGRES_SCHEMA = "chartsight"
POSTGRES_READER = "chartsight_reader"
# What describes files and sources rather than patients: no question is about it.
HIDDEN_TABLES = frozenset({"film_roots", "subject_keys", "record_info", "record_manifest"})
HIDDEN_COLUMNS: Mapping[str, frozenset[str]] = {"films": frozenset({"path", "root_id"})}

# ----------------------------------------------------------------------------------------------- files of MIMIC-CXR-JPG

CXR_METADATA_HEADER = (
    "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns",
    "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)  # fmt: skip
CXR_SPLIT_HEADER = ("dicom_id", "study_id", "subject_id", "split")
CHEXPERT_LABELS = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum", "Fracture", "Lung Lesion",
    "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia", "Pneumothorax", "Support Devices",
)  # fmt: skip
CXR_LABEL_HEADER = ("subject_id", "study_id", *CHEXPERT_LABELS)
CXR_FILES = {
    "metadata": "mimic-cxr-2.0.0-metadata.csv.gz",
    "split": "mimic-cxr-2.0.0-split.csv.gz",
    "chexpert": "mimic-cxr-2.0.0-chexpert.csv.gz",
    "negbio": "mimic-cxr-2.0.0-negbio.csv.gz",
}
FRONTAL_VIEWS = ("AP", "PA")

# ------------------------------------------------------------------------------------------- vocabulary of the findings

Category = Literal["anatomicalfinding", "disease", "tubesandlines", "device", "technicalassessment"]
CATEGORIES: tuple[Category, ...] = ("anatomicalfinding", "disease", "tubesandlines", "device", "technicalassessment")
ABNORMALITY_CATEGORIES = CATEGORIES[:4]  # "any abnormality" means these four (EHRXQA)

_BY_CATEGORY: Mapping[Category, str] = {
    "disease": """alveolar hemorrhage, aspiration, copd/emphysema, fluid overload/heart failure, goiter,
        granulomatous disease, interstitial lung disease, lung cancer, pericardial effusion, pneumonia""",
    "tubesandlines": """chest port, chest tube, endotracheal tube, enteric tube, ij line, intra-aortic balloon pump,
        mediastinal drain, picc, subclavian line, swan-ganz catheter, tracheostomy tube""",
    "device": "cabg grafts, cardiac pacer and wires, prosthetic valve",
    "technicalassessment": "breast/nipple shadows, low lung volumes, rotated",
    "anatomicalfinding": """airspace opacity, atelectasis, bone lesion, calcified nodule, clavicle fracture,
        consolidation, costophrenic angle blunting, cyst/bullae, elevated hemidiaphragm, enlarged cardiac silhouette,
        enlarged hilum, hernia, hydropneumothorax, hyperaeration, increased reticular markings/ild pattern,
        infiltration, linear/patchy atelectasis, lobar/segmental collapse, lung lesion, lung opacity,
        mass/nodule (not otherwise specified), mediastinal displacement, mediastinal widening,
        multiple masses/nodules, pleural effusion, pleural/parenchymal scarring, pneumomediastinum, pneumothorax,
        pulmonary edema/hazy opacity, rib fracture, scoliosis, shoulder osteoarthritis, spinal degenerative changes,
        spinal fracture, sub-diaphragmatic air, subcutaneous air, superior mediastinal mass/enlargement,
        tortuous aorta, vascular calcification, vascular congestion, vascular redistribution""",
}
ATTRIBUTES: Mapping[str, Category] = {
    attribute: category for category in CATEGORIES for attribute in " ".join(_BY_CATEGORY[category].split()).split(", ")
}

_PAIRED = """apical zone, breast, chest wall, clavicle, costophrenic angle, hemidiaphragm, hilar structures,
    lower lung zone, mid lung zone, upper lung zone, lung, shoulder"""
OBJECTS: tuple[str, ...] = (
    "abdomen", "aortic arch", "cardiac silhouette", "carina", "cavoatrial junction", "mediastinum",
    "upper mediastinum", "neck", "spine", "svc", "trachea", "right atrium",
    *(f"{side} {part}" for part in " ".join(_PAIRED.split()).split(", ") for side in ("left", "right")),
)  # fmt: skip
WHOLE_FILM = "whole film"  # the object of a label that names no place

LABEL_STATES = ("present", "absent", "uncertain")

# What the published questions call normal: vital sign → from, to, in the unit of its item (EHRSQL-2024, EHRXQA).
VITAL_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (35.5, 38.1), "sao2": (95.0, 100.0), "heart_rate": (60.0, 100.0), "respiration": (12.0, 18.0),
    "systolic_bp": (90.0, 120.0), "diastolic_bp": (60.0, 90.0), "mean_bp": (60.0, 110.0),
}  # fmt: skip

# How other data sets name the same findings; None means "no finding", a statement about the whole film.
FINDING_SYNONYMS: Mapping[str, str | None] = {
    "no finding": None, "normal": None, "healthy": None,
    # CheXpert (MIMIC-CXR-JPG, CheXpert)
    "cardiomegaly": "enlarged cardiac silhouette", "edema": "pulmonary edema/hazy opacity",
    "enlarged cardiomediastinum": "mediastinal widening", "fracture": "rib fracture",
    "pleural other": "pleural/parenchymal scarring",
    # NIH ChestX-ray14
    "effusion": "pleural effusion", "mass": "mass/nodule (not otherwise specified)",
    "nodule": "mass/nodule (not otherwise specified)", "emphysema": "copd/emphysema",
    "fibrosis": "increased reticular markings/ild pattern", "pleural_thickening": "pleural/parenchymal scarring",
    "pleural thickening": "pleural/parenchymal scarring",
}  # fmt: skip

# ---------------------------------------------------------------------------------------------------- terms and pairing

Terms = Literal["synthetic", "open", "share-alike", "credentialed", "private"]
TERMS: tuple[Terms, ...] = ("synthetic", "open", "share-alike", "credentialed", "private")  # least strict first
Pairing = Literal["real", "ehrxqa-shuffled", "synthetic"]
PAIRINGS: tuple[Pairing, ...] = ("real", "ehrxqa-shuffled", "synthetic")  # least strict first


def strictest_terms(terms: Iterable[Terms]) -> Terms:
    """What an artefact made from all of these may be used for; `synthetic` for none."""
    return max(terms, key=TERMS.index, default="synthetic")


def strictest_pairing(pairings: Iterable[Pairing]) -> Pairing:
    """How far an artefact made from all of these can be read clinically; `real` for none."""
    return max(pairings, key=PAIRINGS.index, default="real")


# -------------------------------------------------------------------------------------------- questions and predictions

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
AnswerType = Literal["boolean", "choice", "set", "count", "number", "date", "text"]
ANSWER_TYPES: tuple[AnswerType, ...] = ("boolean", "choice", "set", "count", "number", "date", "text")
QuestionKind = Literal[
    "image/one", "image/two", "image/many", "image/group", "table/none", "table/single", "table/group",
    "image+table/single", "image+table/group",
]  # fmt: skip
Condition = Literal[
    "full", "blank", "shuffled", "swap", "question_only", "scrambled", "paraphrase", "noise", "negated", "mirrored",
    "occluded", "occluded_elsewhere",
]  # fmt: skip
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
Outcome = Literal["answered", "unparsed", "refused", "abstained", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("answered", "unparsed", "refused", "abstained", "failed")


@dataclass(frozen=True)
class Question:
    """One row of `questions.parquet`. JSON columns hold JSON text; lists are lists.

    `answer` is JSON of the answer's own type: `true`, `"left lung"`, `["a", "b"]` (sorted), `3`. `allowed_answers` is
    the closed set of a choice or the vocabulary of a set, empty when open. `visual_question` is what the model reads;
    it never names a patient or a study. `kind` is `modality/scope` in EHRXQA's nine kinds: `image/one`, ...
    """

    question_id: str
    split: Split
    template_id: str
    phrasing_id: str
    kind: str
    modality: Literal["image", "table", "image+table"]
    scope: Literal["none", "single", "group"]
    subject_id: int | None
    study_ids: tuple[int, ...]
    image_ids: tuple[str, ...]
    question: str
    visual_question: str | None
    program: str
    parameters: str
    now: str | None
    answer_type: AnswerType
    answer: str
    allowed_answers: tuple[str, ...]
    answerable: bool
    tied: bool
    label_source: str
    pairing: Pairing
    terms: Terms
    source: str

    @property
    def asked(self) -> str:
        """What a model reads: never a patient or a study where there is a visual question."""
        return self.visual_question or self.question

    @property
    def looks_at_one_film(self) -> bool:
        """Whether it is about one film, as all that is taught and asked so far."""
        return len(self.image_ids) == 1


@dataclass(frozen=True)
class Prediction:
    """One row of `predictions.parquet`; unique in (question_id, model_fingerprint, condition, donor_image_ids).

    `value` is JSON like a question's answer, `null` unless `outcome` is `answered`. `scores` is JSON: probabilities of
    closed answers, empty when the back end gives none; what is missing to 1 is any other text.
    """

    question_id: str
    run_id: str
    model_fingerprint: str
    condition: Condition
    donor_image_ids: tuple[str, ...]
    prompt_sha256: str
    raw_text: str
    value: str
    outcome: Outcome
    scores: str
    answer_key: str
    n_tokens: int
    latency_ms: float
    error: str | None


Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the film as it is stored
ChangeKind = Literal["blank", "noise", "mirror", "occlude"]


@dataclass(frozen=True)
class FilmChange:
    """What is done to a film before it is shown (`imaging.changes`).

    Args:
        kind: A uniform grey film, noise, the film with left and right exchanged, the film with places hidden.
        seed: Of the noise.
        boxes: Of the places that are hidden.
    """

    kind: ChangeKind
    seed: int = 0
    boxes: tuple[Box, ...] = ()

    @property
    def shows_film(self) -> bool:
        """Whether anything of the film is still seen; else one such film stands for all."""
        return self.kind in ("mirror", "occlude")


@dataclass(frozen=True)
class Variant:
    """One question under one condition: what is asked, what is shown, and what would be right.

    Args:
        question_id: Of the question.
        condition: Under which it is put.
        asked: What the model reads.
        image_ids: Films that it is shown; empty when it is asked without a film.
        donor_image_ids: Films that stand in for the question's own.
        change: What is done to the film before it is shown; None when it is shown as it is.
        answer_type: Of the right answer.
        allowed_answers: As a question's, under this condition.
        gold: JSON of the right answer by the record's labels or programs; None where they cannot tell.
        stratum: What a donor has in common with the question's own film, as `name=value`; of a swap only.
        is_matched: The donor has all that is known to confound (view, device, marker, padding) as the own film has it.
    """

    question_id: str
    condition: Condition
    asked: str
    image_ids: tuple[str, ...]
    donor_image_ids: tuple[str, ...]
    change: FilmChange | None
    answer_type: AnswerType
    allowed_answers: tuple[str, ...]
    gold: str | None
    stratum: tuple[str, ...] = ()
    is_matched: bool = False


Mention = Literal["mentioned", "negated", "uncertain", "unmentioned"]
MENTIONS: tuple[Mention, ...] = get_args(Mention)


@dataclass(frozen=True)
class FilmFacts:
    """What is known of a question's film beside the answer; None where the record does not say.

    Args:
        sex: female or male.
        age_band: At the time of the film, such as `60 to 79`.
        view: As the film index names it.
        devices: Tubes, lines and devices that the labels see, sorted.
        mention: What the film's labels say of the finding that the question names, literally: present, absent,
            perhaps, or nothing; None when it names none.
        lesion_px: Square root of the area of the finding's largest box, in pixels of the film as the model sees it.
        boxes: Of what is asked about, in pixels of the film as it is stored.
        confounders: What could stand in for looking, name → stratum: view, geometry, device, marker, source.
    """

    sex: str | None
    age_band: str | None
    view: str | None
    devices: tuple[str, ...] | None
    mention: Mention | None
    lesion_px: float | None
    boxes: tuple[Box, ...]
    confounders: Mapping[str, str]


@dataclass(frozen=True)
class Entailment:
    """What an answer to one question says of the right answer to another about the same film (for sex: patient).

    Args:
        rule: Such as `and to each`, `any to each`, `list to verify`, `zone to lung`, `one view a film`.
        premise: question_id.
        premise_value: JSON of the answer from which it follows.
        conclusion: question_id.
        conclusion_value: JSON of the answer that follows; of a list, the names that must, or must not, be in it.
        relation: How the conclusion's answer must stand to `conclusion_value`.
    """

    rule: str
    premise: str
    premise_value: str
    conclusion: str
    conclusion_value: str
    relation: Literal["equals", "contains", "lacks"] = "equals"


def question_schema() -> pa.Schema:
    """The Arrow schema of `questions.parquet`."""
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    required = {"question_id", "split", "template_id", "kind", "question", "answer_type", "answer"}
    types = {
        "subject_id": pa.int64(), "study_ids": pa.list_(pa.int64()), "image_ids": texts, "allowed_answers": texts,
        "answerable": pa.bool_(), "tied": pa.bool_(),
    }  # fmt: skip
    names = Question.__dataclass_fields__
    return pa.schema([pa.field(name, types.get(name, text), nullable=name not in required) for name in names])


def prediction_schema() -> pa.Schema:
    """The Arrow schema of `predictions.parquet`."""
    import pyarrow as pa

    types = {"donor_image_ids": pa.list_(pa.string()), "n_tokens": pa.int32(), "latency_ms": pa.float32()}
    return pa.schema([(name, types.get(name, pa.string())) for name in Prediction.__dataclass_fields__])


def variant_schema() -> pa.Schema:
    """The Arrow schema of `variants.parquet`; a change is three columns, its boxes flat."""
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    types = {
        "image_ids": texts, "donor_image_ids": texts, "allowed_answers": texts, "stratum": texts,
        "is_matched": pa.bool_(),
    }  # fmt: skip
    fields = [(name, types.get(name, text)) for name in Variant.__dataclass_fields__ if name != "change"]
    changed = [("change", text), ("change_seed", pa.int64()), ("change_boxes", pa.list_(pa.float64()))]
    return pa.schema(fields + changed)


# ------------------------------------------------------------------------------------------------------------ the seams


@dataclass(frozen=True)
class Look:
    """A visual question about one or more films, in reading order."""

    study_ids: tuple[int, ...]
    image_ids: tuple[str, ...]
    question: str
    kind: Literal["boolean", "set"]


@dataclass(frozen=True)
class VisualAnswer:
    """What a visual model says to a look. `cannot_tell` is SQL's UNKNOWN, never false."""

    state: Literal["answered", "cannot_tell", "failed"]
    value: bool | tuple[str, ...] | None
    score: float | None


class VisualModel(Protocol):
    """Answers looks: a local model, an endpoint, or the labels."""

    fingerprint: str

    def answer(self, looks: Sequence[Look]) -> Iterator[VisualAnswer]:
        """One answer a look, in the order of the looks."""
        ...


@dataclass(frozen=True)
class GroundedValue:
    """Something that a question names, found in the record.

    Args:
        slot: Of the program that it fills.
        kind: drug, lab, patient, attribute, ...
        value: As the record writes it.
        text: As the question writes it; empty when it comes from the conversation.
        how: exact, alias, abbreviation, typo, pattern, conversation.
    """

    slot: str
    kind: str
    value: str
    text: str
    how: str


@dataclass(frozen=True)
class Refusal:
    """Why a question gets no program, and what would help.

    Args:
        code: Stable, kebab-case: unknown-question, ambiguous-name, unknown-name, missing-patient, missing-film.
        message: For the person who asked.
        options: What may have been meant; a question that names one of them is answered.
        text: The span of the question that is in doubt; empty when all of it is.
    """

    code: str
    message: str
    options: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Candidate:
    """A known way of asking that a question resembles, and how far: 0 to 1."""

    template_id: str
    phrasing: str
    score: float


@dataclass(frozen=True)
class Translation:
    """What a translator makes of a question: a NeuralSQL program or a refusal, never both, never neither.

    Args:
        program: None when refused.
        refusal: None when there is a program.
        candidates: Nearest first.
        grounded: What the question names.
        score: How sure the translator is, 0 to 1; below its threshold it refuses.
        template_id: That the program was made from, if from one.
        answer_type: Of the program's rows, if known.
        assumptions: What was read into the question, in sentences.
    """

    program: str | None
    refusal: Refusal | None
    candidates: tuple[Candidate, ...] = ()
    grounded: tuple[GroundedValue, ...] = ()
    score: float = 0.0
    template_id: str | None = None
    answer_type: AnswerType | None = None
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.program is None) == (self.refusal is None):
            raise ValueError("a translation is a program or a refusal")


class Predictor(Protocol):
    """Answers questions under a condition; any of the models being compared."""

    fingerprint: str

    def predict(self, examples: Sequence[Question], condition: Condition) -> Iterator[Prediction]:
        """One prediction a question, in any order."""
        ...


@dataclass(frozen=True)
class Limits:
    """How much one query may take; what goes beyond is stopped with an error, never cut off in silence.

    Args:
        seconds: Of the clock.
        rows: Of the answer.
        memory_mb: Of the process that runs it; where a server runs it, of the process that fetches its rows.
    """

    seconds: float = 30.0
    rows: int = 1_000_000
    memory_mb: int = 2048


class Engine(Protocol):
    """Runs SQL on a record: DuckDB, SQLite, PostgreSQL."""

    def run_sql(
        self, sql: str, parameters: Mapping[str, Any], limits: Limits, tables: Mapping[str, pa.Table]
    ) -> pa.Table:
        """The rows, as Arrow, in the values that SQLite would give.

        Args:
            sql: One SELECT in the engine's own dialect.
            parameters: Of `:name` (SQLite), `$name` (DuckDB), `%(name)s` (PostgreSQL).
            limits: Of this query.
            tables: Temporary relations by name, such as the answers of looks; gone after the query.
        """
        ...
