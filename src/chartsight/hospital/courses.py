"""What can happen to a patient: one `Course` a disease, from which admissions, tables and films all follow.

To add a disease, add one entry to `COURSES`. A course says which findings it brings (with which probability, and
whether they stay), which diagnoses, drugs, procedures, laboratory results and organisms go with it, how long and where
the patient stays, and what the radiologist is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
)


@dataclass(frozen=True)
class FindingScript:
    """A finding that a course may bring.

    Args:
        attribute: Of `sites.SITES`.
        probability: That an episode brings it (a patient, when `chronic`).
        chronic: On every film of the patient, before and after the episodes too.
        sites: 1, or 2 for both sides.
        needs_ventilation: Only while the patient is ventilated.
        severity: Range of its peak.
    """

    attribute: str
    probability: float
    chronic: bool = False
    sites: int = 1
    needs_ventilation: bool = False
    severity: tuple[float, float] = (0.35, 1.0)


@dataclass(frozen=True)
class Course:
    """One disease. Codes are (ICD-9, ICD-10); keys of drugs, procedures and laboratory items stand in `codes.py`.

    Args:
        weight: How common, against the other courses.
        ages: Years, first and last.
        findings: What films may show.
        diseases: Disease → the attribute that it explains on a film; the report names the disease with it.
        episode_days: Length of an admission, shortest and longest.
        icu: Probability of intensive care; `ventilated` of mechanical ventilation within it.
        dies: Probability to die in the last admission.
        labs: Item → mean at full severity.
        vitals: Charted item → mean at full severity.
        reasons: What the request for the film says.
    """

    weight: float
    ages: tuple[int, int]
    reasons: tuple[str, ...]
    findings: tuple[FindingScript, ...] = ()
    diseases: Mapping[str, str] = field(default_factory=dict)
    diagnoses: tuple[tuple[str, str], ...] = ()
    comorbidities: tuple[tuple[str, str], ...] = ()
    procedures: tuple[tuple[str, str], ...] = ()
    drugs: tuple[str, ...] = ()
    labs: Mapping[int, float] = field(default_factory=dict)
    vitals: Mapping[int, float] = field(default_factory=dict)
    organisms: tuple[str, ...] = ()
    episode_days: tuple[float, float] = (2.0, 7.0)
    admission_type: str = "EW EMER."
    service: str = "MED"
    ward: str = "Medicine"
    unit: str = "Medical Intensive Care Unit (MICU)"
    icu: float = 0.0
    ventilated: float = 0.0
    chest_tube: float = 0.0
    dies: float = 0.0
    drg: tuple[tuple[str, str], tuple[str, str]] = (
        ("313", "CHEST PAIN"),
        ("203", "CHEST PAIN"),
    )  # (HCFA, APR), each code and description
    has_admission: bool = True


HYPERTENSION, LIPIDS, DIABETES = ("4019", "I10"), ("2724", "E785"), ("25000", "E119")
CORONARY, FIBRILLATION, SMOKER = ("41401", "I2510"), ("42731", "I4891"), ("V1582", "Z87891")
RESPIRATORY_FAILURE, KIDNEY_FAILURE = ("51881", "J9601"), ("5849", "N179")
PLEURAL_EFFUSION, COLLAPSE = ("5119", "J90"), ("5180", "J9811")

WHITE_CELLS, CRP, LACTATE, BNP, CREATININE, HAEMOGLOBIN = 51301, 50889, 50813, 50963, 50912, 51222
PH, PCO2, PO2, TROPONIN, NEUTROPHILS, BICARBONATE, UREA = 50820, 50818, 50821, 51003, 51256, 50882, 51006
TEMPERATURE, SATURATION, HEART_RATE, RESPIRATION, SYSTOLIC = 223762, 220277, 220045, 220210, 220050

COURSES: Mapping[str, Course] = {
    "check-up": Course(
        weight=0.30,
        ages=(19, 80),
        reasons=("Routine examination.", "Positive tuberculin test, exclude tuberculosis.", "Preoperative evaluation."),
        diagnoses=(("V700", "Z0000"),),
        comorbidities=(HYPERTENSION, LIPIDS),
        drugs=("Lisinopril", "Atorvastatin"),
        findings=(FindingScript(PACER, 0.08, chronic=True), FindingScript(NODULE, 0.05, chronic=True)),
        has_admission=False,
    ),
    "chest pain": Course(
        weight=0.10,
        ages=(30, 85),
        reasons=("Chest pain, evaluate for acute process.",),
        diagnoses=(("78650", "R079"),),
        comorbidities=(HYPERTENSION, LIPIDS, CORONARY),
        drugs=("Aspirin", "Atorvastatin", "Heparin"),
        labs={TROPONIN: 0.04},
        findings=(FindingScript(PACER, 0.10, chronic=True), FindingScript(CARDIOMEGALY, 0.15, chronic=True)),
        episode_days=(0.7, 2.0),
        admission_type="EU OBSERVATION",
        service="CMED",
        ward="Medicine/Cardiology",
    ),
    "pneumonia": Course(
        weight=0.16,
        ages=(20, 86),
        reasons=("Cough and fever, evaluate for pneumonia.", "Fever and productive cough.", "Follow-up of pneumonia."),
        findings=(
            FindingScript(CONSOLIDATION, 0.97, severity=(0.5, 1.0)),
            FindingScript(EFFUSION, 0.30),
            FindingScript(ATELECTASIS, 0.15),
        ),
        diseases={"pneumonia": CONSOLIDATION},
        diagnoses=(("486", "J189"),),
        comorbidities=(HYPERTENSION, DIABETES, SMOKER, KIDNEY_FAILURE, ("0389", "A419")),
        drugs=("CefTRIAXone", "Azithromycin", "Acetaminophen", "Heparin", "Albuterol 0.083% Neb Soln"),
        labs={WHITE_CELLS: 18, CRP: 160, LACTATE: 2.6, NEUTROPHILS: 85, PO2: 68},
        vitals={TEMPERATURE: 38.9, HEART_RATE: 108, RESPIRATION: 26, SATURATION: 91},
        organisms=("STREPTOCOCCUS PNEUMONIAE", "STAPH AUREUS COAG +", "KLEBSIELLA PNEUMONIAE"),
        episode_days=(3, 9),
        icu=0.2,
        ventilated=0.3,
        dies=0.06,
        drg=(("194", "SIMPLE PNEUMONIA & PLEURISY W CC"), ("139", "OTHER PNEUMONIA")),
    ),
    "heart failure": Course(
        weight=0.17,
        ages=(50, 86),
        reasons=("Dyspnea, evaluate for pulmonary edema.", "Heart failure, weight gain.", "Shortness of breath."),
        findings=(
            FindingScript(CARDIOMEGALY, 0.80, chronic=True, severity=(0.45, 1.0)),
            FindingScript(PACER, 0.45, chronic=True),
            FindingScript(EDEMA, 0.97, severity=(0.5, 1.0)),
            FindingScript(EFFUSION, 0.60, sites=2),
        ),
        diseases={"fluid overload/heart failure": EDEMA},
        diagnoses=(("4280", "I509"),),
        comorbidities=(HYPERTENSION, CORONARY, FIBRILLATION, DIABETES, KIDNEY_FAILURE),
        drugs=("Furosemide", "Metoprolol Tartrate", "Lisinopril", "Aspirin", "Potassium Chloride", "Warfarin"),
        labs={BNP: 9000, CREATININE: 1.9, UREA: 42, TROPONIN: 0.06, HAEMOGLOBIN: 10.5},
        vitals={RESPIRATION: 24, SATURATION: 92, SYSTOLIC: 148, HEART_RATE: 98},
        episode_days=(3, 9),
        service="CMED",
        ward="Medicine/Cardiology",
        unit="Coronary Care Unit (CCU)",
        icu=0.25,
        ventilated=0.2,
        dies=0.06,
        drg=(("291", "HEART FAILURE & SHOCK W MCC"), ("194", "HEART FAILURE")),
    ),
    "copd": Course(
        weight=0.16,
        ages=(45, 86),
        reasons=("COPD exacerbation, evaluate for pneumonia.", "Wheezing and dyspnea.", "COPD, follow-up."),
        findings=(
            FindingScript(HYPERAERATION, 0.99, chronic=True, severity=(0.45, 1.0)),
            FindingScript(CONSOLIDATION, 0.20),
            FindingScript(PNEUMOTHORAX, 0.12),
            FindingScript(ATELECTASIS, 0.15),
        ),
        diseases={"copd/emphysema": HYPERAERATION},
        diagnoses=(("49121", "J441"),),
        comorbidities=(SMOKER, HYPERTENSION, ("4928", "J439"), CORONARY),
        drugs=("PredniSONE", "Albuterol 0.083% Neb Soln", "Tiotropium Bromide", "Azithromycin", "Heparin"),
        labs={PCO2: 62, PH: 7.31, BICARBONATE: 33, WHITE_CELLS: 12, PO2: 60},
        vitals={RESPIRATION: 27, SATURATION: 89, HEART_RATE: 102},
        episode_days=(2, 7),
        icu=0.2,
        ventilated=0.35,
        dies=0.04,
        drg=(("190", "CHRONIC OBSTRUCTIVE PULMONARY DISEASE W MCC"), ("140", "CHRONIC OBSTRUCTIVE PULMONARY DISEASE")),
    ),
    "trauma": Course(
        weight=0.16,
        ages=(18, 80),
        reasons=(
            "Motor vehicle collision, evaluate for pneumothorax.",
            "Fall, rib pain.",
            "Chest tube, interval change.",
        ),
        findings=(
            FindingScript(PNEUMOTHORAX, 0.92, severity=(0.45, 1.0)),
            FindingScript(ATELECTASIS, 0.35),
            FindingScript(EFFUSION, 0.30),
            FindingScript(TUBE, 0.95, needs_ventilation=True, severity=(0.5, 1.0)),
        ),
        diagnoses=(("8600", "S270XXA"), ("80700", "S2241XA")),
        comorbidities=(SMOKER, HYPERTENSION),
        procedures=(("3404", "0W9930Z"),),
        drugs=("OxyCODONE (Immediate Release)", "Acetaminophen", "HYDROmorphone (Dilaudid)", "Docusate Sodium"),
        labs={HAEMOGLOBIN: 9.5, LACTATE: 3.0, WHITE_CELLS: 13},
        vitals={HEART_RATE: 110, SYSTOLIC: 102, RESPIRATION: 22},
        episode_days=(2, 8),
        service="SURG",
        ward="Med/Surg/Trauma",
        unit="Trauma SICU (TSICU)",
        icu=0.5,
        ventilated=0.45,
        chest_tube=0.6,
        dies=0.04,
        drg=(("200", "PNEUMOTHORAX W CC"), ("135", "MAJOR CHEST & RESPIRATORY TRAUMA")),
    ),
    "malignancy": Course(
        weight=0.16,
        ages=(45, 86),
        reasons=("Lung mass, evaluate interval change.", "Weight loss and hemoptysis.", "Known malignancy, dyspnea."),
        findings=(
            FindingScript(NODULE, 0.99, chronic=True, severity=(0.4, 1.0)),
            FindingScript(EFFUSION, 0.35),
            FindingScript(ATELECTASIS, 0.35),
        ),
        diseases={"lung cancer": NODULE},
        diagnoses=(("1623", "C3411"),),
        comorbidities=(SMOKER, PLEURAL_EFFUSION, HYPERTENSION, ("4928", "J439")),
        procedures=(("3324", "0BBC8ZX"),),
        drugs=("Dexamethasone", "Ondansetron", "Morphine Sulfate", "Docusate Sodium", "Heparin"),
        labs={HAEMOGLOBIN: 9.2, 50862: 2.8, CRP: 45},
        vitals={HEART_RATE: 96, SATURATION: 93},
        episode_days=(2, 8),
        service="OMED",
        ward="Hematology/Oncology",
        icu=0.08,
        ventilated=0.2,
        dies=0.08,
        drg=(("181", "RESPIRATORY NEOPLASMS W CC"), ("136", "RESPIRATORY MALIGNANCY")),
    ),
    "post-operative": Course(
        weight=0.12,
        ages=(45, 85),
        reasons=("Status post CABG, evaluate lines and tubes.", "Postoperative day 2, chest tube removal."),
        findings=(
            FindingScript(TUBE, 0.97, needs_ventilation=True, severity=(0.5, 1.0)),
            FindingScript(ATELECTASIS, 0.70),
            FindingScript(EFFUSION, 0.45),
            FindingScript(CARDIOMEGALY, 0.50, chronic=True),
            FindingScript(PACER, 0.45, chronic=True),
            FindingScript(PNEUMOTHORAX, 0.30),
        ),
        diagnoses=(("41401", "I2510"),),
        comorbidities=(HYPERTENSION, LIPIDS, DIABETES, COLLAPSE, FIBRILLATION),
        procedures=(("3615", "0210093"), ("3893", "02HV33Z")),
        drugs=("CefazoLIN", "Aspirin", "Metoprolol Tartrate", "Furosemide", "Atorvastatin", "Docusate Sodium"),
        labs={HAEMOGLOBIN: 8.8, LACTATE: 2.4, CREATININE: 1.4, WHITE_CELLS: 13, TROPONIN: 0.4},
        vitals={HEART_RATE: 92, SYSTOLIC: 108},
        episode_days=(4, 9),
        admission_type="SURGICAL SAME DAY ADMISSION",
        service="CSURG",
        ward="Cardiac Surgery",
        unit="Cardiac Vascular Intensive Care Unit (CVICU)",
        icu=1.0,
        ventilated=1.0,
        chest_tube=0.9,
        dies=0.02,
        drg=(("236", "CORONARY BYPASS W/O CARDIAC CATH W/O MCC"), ("166", "CORONARY BYPASS W/O AMI OR COMPLEX PDX")),
    ),
    "ventilation": Course(
        weight=0.16,
        ages=(25, 86),
        reasons=("Intubated, evaluate tube position.", "Respiratory failure, interval change.", "Hypoxia, intubated."),
        findings=(
            FindingScript(TUBE, 0.98, needs_ventilation=True, severity=(0.5, 1.0)),
            FindingScript(EDEMA, 0.70, severity=(0.45, 1.0)),
            FindingScript(CONSOLIDATION, 0.50),
            FindingScript(EFFUSION, 0.35, sites=2),
            FindingScript(ATELECTASIS, 0.35),
            FindingScript(PNEUMOTHORAX, 0.12),
        ),
        diseases={"pneumonia": CONSOLIDATION},
        diagnoses=(RESPIRATORY_FAILURE,),
        comorbidities=(("99731", "J95851"), KIDNEY_FAILURE, HYPERTENSION, ("0389", "A419"), DIABETES),
        procedures=(("9604", "0BH17EZ"), ("3893", "02HV33Z")),
        drugs=(
            "Propofol",
            "Fentanyl Citrate",
            "Piperacillin-Tazobactam",
            "Vancomycin",
            "Pantoprazole",
            "NORepinephrine",
        ),
        labs={WHITE_CELLS: 17, LACTATE: 4.2, PO2: 62, PH: 7.27, CREATININE: 2.1, CRP: 120, HAEMOGLOBIN: 9.4},
        vitals={TEMPERATURE: 38.4, HEART_RATE: 112, SATURATION: 92, SYSTOLIC: 98, RESPIRATION: 24},
        organisms=("STAPH AUREUS COAG +", "PSEUDOMONAS AERUGINOSA", "ESCHERICHIA COLI"),
        episode_days=(5, 14),
        icu=1.0,
        ventilated=1.0,
        dies=0.22,
        drg=(
            ("207", "RESPIRATORY SYSTEM DIAGNOSIS W VENTILATOR SUPPORT >96 HOURS"),
            ("130", "RESPIRATORY SYSTEM DIAGNOSIS W VENTILATOR SUPPORT 96+ HOURS"),
        ),
    ),
}
