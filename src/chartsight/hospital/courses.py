"""What can happen to a patient: one `Course` a disease, from which admissions, tables and films all follow.

To add a disease, add one entry to `COURSES`. A course says which findings it brings (with which probability, when, and
whether they stay), which diagnoses, drugs, procedures, laboratory results and organisms go with it, how long and where
the patient stays, and what the radiologist is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chartsight.hospital.scripts import FindingScript, chronic, device
from chartsight.hospital.sites import (
    ATELECTASIS,
    BALLOON_PUMP,
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
    EDEMA,
    EFFUSION,
    ELEVATED_HEMIDIAPHRAGM,
    ENLARGED_HILUM,
    ENTERIC_TUBE,
    FREE_AIR,
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
    SCARRING,
    SUBCLAVIAN_LINE,
    SUBCUTANEOUS_AIR,
    SWAN_GANZ,
    TRACHEOSTOMY,
    TUBE,
    VALVE,
    WIDE_MEDIASTINUM,
)


@dataclass(frozen=True)
class Course:
    """One disease. Codes are (ICD-9, ICD-10); keys of drugs, procedures and laboratory items stand in `codes.py`.

    Args:
        weight: How common, against the other courses.
        ages: Years, first and last; patients crowd in the middle.
        findings: What films may show. The first of two that contradict each other wins.
        diseases: Disease → the attributes that it explains on a film; the report names the disease with them.
        episode_days: Length of an admission: a tenth are shorter than the first, a tenth longer than the second.
        icu: Probability of intensive care; `ventilated` of mechanical ventilation within it.
        dies: Probability to die in the last admission.
        labs: Item → mean at full severity.
        vitals: Charted item → mean at full severity.
        weight_gain_kg: Fluid that the patient carries at full severity.
        reasons: What the request for the film says.
    """

    weight: float
    ages: tuple[int, int]
    reasons: tuple[str, ...]
    findings: tuple[FindingScript, ...] = ()
    diseases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    diagnoses: tuple[tuple[str, str], ...] = ()
    comorbidities: tuple[tuple[str, str], ...] = ()
    procedures: tuple[tuple[str, str], ...] = ()
    drugs: tuple[str, ...] = ()
    labs: Mapping[int, float] = field(default_factory=dict)
    vitals: Mapping[int, float] = field(default_factory=dict)
    weight_gain_kg: float = 0.0
    organisms: tuple[str, ...] = ()
    episode_days: tuple[float, float] = (2.0, 7.0)
    admission_type: str = "EW EMER."
    service: str = "MED"
    ward: str = "Medicine"
    unit: str = "Medical Intensive Care Unit (MICU)"
    icu: float = 0.0
    ventilated: float = 0.0
    dies: float = 0.0
    drg: tuple[tuple[str, str], tuple[str, str]] = (
        ("313", "CHEST PAIN"),
        ("203", "CHEST PAIN"),
    )  # (HCFA, APR), each code and description
    has_admission: bool = True

    def diseases_of(self, attribute: str) -> tuple[str, ...]:
        """The diseases that explain the attribute in this course."""
        return tuple(disease for disease, explained in self.diseases.items() if attribute in explained)


HYPERTENSION, LIPIDS, DIABETES = ("4019", "I10"), ("2724", "E785"), ("25000", "E119")
CORONARY, FIBRILLATION, SMOKER = ("41401", "I2510"), ("42731", "I4891"), ("V1582", "Z87891")
RESPIRATORY_FAILURE, KIDNEY_FAILURE, SEPSIS = ("51881", "J9601"), ("5849", "N179"), ("0389", "A419")

WHITE_CELLS, CRP, LACTATE, BNP, CREATININE, HAEMOGLOBIN = 51301, 50889, 50813, 50963, 50912, 51222
PH, PCO2, PO2, TROPONIN, NEUTROPHILS, BICARBONATE, UREA = 50820, 50818, 50821, 51003, 51256, 50882, 51006
ALBUMIN, PLATELETS, SODIUM, POTASSIUM, GLUCOSE = 50862, 51265, 50983, 50971, 50931
LACTATE_DEHYDROGENASE = 50954
TEMPERATURE, SATURATION, HEART_RATE, RESPIRATION, SYSTOLIC = 223762, 220277, 220045, 220210, 220050

PLEURA = (PNEUMOTHORAX, HYDROPNEUMOTHORAX, EFFUSION)
# What a ventilated patient carries: one airway, one stomach tube, one central line.
VENTILATED = (
    device(TUBE, 0.98, "intubation", (0.0, 0.0), (1.0, 1.0)),
    device(TRACHEOSTOMY, 1.0, "tracheostomy", (0.0, 0.0), (1.0, 1.0)),
    device(ENTERIC_TUBE, 0.88, "intubation", (0.0, 0.04), (1.0, 1.0)),
    device(ENTERIC_TUBE, 0.5, "tracheostomy", (0.0, 0.1), (0.6, 0.9)),
    device(IJ_LINE, 0.62),
    device(SUBCLAVIAN_LINE, 0.22),
)
CONTUSED = (0.5, 1.0)

COURSES: Mapping[str, Course] = {
    "check-up": Course(
        weight=0.20,
        ages=(19, 84),
        reasons=("Routine examination.", "Positive tuberculin test, exclude tuberculosis.", "Preoperative evaluation."),
        diagnoses=(("V700", "Z0000"),),
        comorbidities=(HYPERTENSION, LIPIDS),
        drugs=("Lisinopril", "Atorvastatin"),
        findings=(
            chronic(PACER, 0.04),
            chronic(NODULE, 0.07, (0.3, 0.7)),
            chronic(HYPERAERATION, 0.05, (0.3, 0.6)),
            chronic(CARDIOMEGALY, 0.04, (0.3, 0.7)),
        ),
        has_admission=False,
    ),
    "chest pain": Course(
        weight=0.08,
        ages=(30, 88),
        reasons=("Chest pain, evaluate for acute process.",),
        diagnoses=(("78650", "R079"),),
        comorbidities=(HYPERTENSION, LIPIDS, CORONARY),
        drugs=("Aspirin", "Atorvastatin", "Heparin"),
        labs={TROPONIN: 0.04},
        findings=(
            chronic(PACER, 0.10),
            chronic(CARDIOMEGALY, 0.15),
            chronic(CABG, 0.10),
            FindingScript(PNEUMOTHORAX, 0.08, severity=(0.3, 0.8)),
            FindingScript(LINEAR_ATELECTASIS, 0.08, severity=(0.3, 0.7)),
        ),
        episode_days=(0.6, 2.2),
        admission_type="EU OBSERVATION",
        service="CMED",
        ward="Medicine/Cardiology",
    ),
    "pneumonia": Course(
        weight=0.10,
        ages=(20, 91),
        reasons=("Cough and fever, evaluate for pneumonia.", "Fever and productive cough.", "Follow-up of pneumonia."),
        findings=(
            FindingScript(CONSOLIDATION, 0.93, onset=(-0.2, 0.05), days=(8, 40), sites=2, severity=(0.4, 1.0)),
            FindingScript(EFFUSION, 0.30, onset=(0.0, 0.4), days=(6, 30)),
            FindingScript(ATELECTASIS, 0.18),
            FindingScript(LINEAR_ATELECTASIS, 0.15, onset=(0.3, 0.7), days=(10, 40), severity=(0.3, 0.7)),
            *VENTILATED,
            device(PICC, 0.22, "stay", (0.3, 0.6), (0.4, 0.7)),
            device(CHEST_TUBE, 0.15, "stay", (0.3, 0.5), (0.3, 0.5), beside=(EFFUSION,)),
        ),
        diseases={"pneumonia": (CONSOLIDATION,)},
        diagnoses=(("486", "J189"),),
        comorbidities=(HYPERTENSION, DIABETES, SMOKER, KIDNEY_FAILURE, SEPSIS),
        drugs=("CefTRIAXone", "Azithromycin", "Acetaminophen", "Heparin", "Albuterol 0.083% Neb Soln"),
        labs={WHITE_CELLS: 18, CRP: 160, LACTATE: 2.6, NEUTROPHILS: 87, PO2: 68, SODIUM: 133, ALBUMIN: 3.0},
        vitals={TEMPERATURE: 38.9, HEART_RATE: 108, RESPIRATION: 26, SATURATION: 91},
        organisms=("STREPTOCOCCUS PNEUMONIAE", "STAPH AUREUS COAG +", "KLEBSIELLA PNEUMONIAE"),
        episode_days=(2.2, 10),
        icu=0.25,
        ventilated=0.4,
        dies=0.13,
        drg=(("194", "SIMPLE PNEUMONIA & PLEURISY W CC"), ("139", "OTHER PNEUMONIA")),
    ),
    "aspiration": Course(
        weight=0.04,
        ages=(40, 91),
        reasons=("Vomiting and hypoxia, evaluate for aspiration.", "Dysphagia with fever.", "Found down, hypoxia."),
        findings=(
            FindingScript(
                CONSOLIDATION,
                0.92,
                onset=(-0.1, 0.1),
                days=(5, 20),
                sites=2,
                severity=(0.35, 1.0),
                places={
                    "right lower lung zone": 5.0,
                    "left lower lung zone": 3.0,
                    "right mid lung zone": 1.0,
                    "left mid lung zone": 0.4,
                    "right upper lung zone": 0.5,
                    "left upper lung zone": 0.2,
                },
            ),
            FindingScript(ATELECTASIS, 0.35),
            FindingScript(EFFUSION, 0.2),
            *VENTILATED,
            device(ENTERIC_TUBE, 0.4, "stay", (0.1, 0.4), (0.4, 0.6), places={"mediastinum": 0.25}),
        ),
        diseases={"aspiration": (CONSOLIDATION,)},
        diagnoses=(("5070", "J690"),),
        comorbidities=(HYPERTENSION, ("29410", "F0390"), ("78097", "R4182"), ("70703", "L89159"), SEPSIS),
        drugs=("Piperacillin-Tazobactam", "Acetaminophen", "Heparin", "Pantoprazole", "Albuterol 0.083% Neb Soln"),
        labs={WHITE_CELLS: 16, CRP: 110, LACTATE: 2.8, NEUTROPHILS: 86, PO2: 62, SODIUM: 147, ALBUMIN: 2.8},
        vitals={TEMPERATURE: 38.3, HEART_RATE: 106, RESPIRATION: 27, SATURATION: 89},
        organisms=("KLEBSIELLA PNEUMONIAE", "ESCHERICHIA COLI", "STAPH AUREUS COAG +"),
        episode_days=(3, 14),
        icu=0.45,
        ventilated=0.5,
        dies=0.26,
        drg=(
            ("177", "RESPIRATORY INFECTIONS & INFLAMMATIONS W MCC"),
            ("137", "MAJOR RESPIRATORY INFECTIONS & INFLAMMATIONS"),
        ),
    ),
    "heart failure": Course(
        weight=0.11,
        ages=(48, 91),
        reasons=("Dyspnea, evaluate for pulmonary edema.", "Heart failure, weight gain.", "Shortness of breath."),
        findings=(
            chronic(CARDIOMEGALY, 0.72, (0.4, 1.0)),
            chronic(PACER, 0.42),
            chronic(CABG, 0.22),
            chronic(VALVE, 0.10),
            FindingScript(CONGESTION, 0.75, onset=(-0.3, -0.1), lasts=(1.1, 1.9)),
            FindingScript(EDEMA, 0.88, onset=(-0.1, 0.1), lasts=(0.5, 1.1), severity=(0.4, 1.0)),
            FindingScript(EFFUSION, 0.60, onset=(0.0, 0.3), lasts=(0.7, 1.7), sites=2),
            FindingScript(LINEAR_ATELECTASIS, 0.12, severity=(0.3, 0.7)),
            *VENTILATED,
            device(SWAN_GANZ, 0.3),
            device(BALLOON_PUMP, 0.15),
        ),
        diseases={"fluid overload/heart failure": (EDEMA, CONGESTION)},
        diagnoses=(("4280", "I509"),),
        comorbidities=(HYPERTENSION, CORONARY, FIBRILLATION, DIABETES, KIDNEY_FAILURE, ("42822", "I5022")),
        drugs=("Furosemide", "Metoprolol Tartrate", "Lisinopril", "Aspirin", "Potassium Chloride", "Warfarin"),
        labs={BNP: 9000, CREATININE: 1.9, UREA: 42, TROPONIN: 0.06, HAEMOGLOBIN: 10.5, SODIUM: 134},
        vitals={RESPIRATION: 24, SATURATION: 92, SYSTOLIC: 148, HEART_RATE: 98},
        weight_gain_kg=7.0,
        episode_days=(2.2, 11),
        service="CMED",
        ward="Medicine/Cardiology",
        unit="Coronary Care Unit (CCU)",
        icu=0.28,
        ventilated=0.25,
        dies=0.12,
        drg=(("291", "HEART FAILURE & SHOCK W MCC"), ("194", "HEART FAILURE")),
    ),
    "copd": Course(
        weight=0.08,
        ages=(45, 88),
        reasons=("COPD exacerbation, evaluate for pneumonia.", "Wheezing and dyspnea.", "COPD, follow-up."),
        findings=(
            chronic(HYPERAERATION, 0.97, (0.35, 1.0)),
            chronic(BULLAE, 0.42),
            chronic(SCARRING, 0.15),
            FindingScript(PNEUMOTHORAX, 0.20, severity=(0.35, 1.0)),
            FindingScript(CONSOLIDATION, 0.22, days=(7, 25)),
            FindingScript(ATELECTASIS, 0.15),
            device(CHEST_TUBE, 0.7, "stay", (0.05, 0.2), (0.4, 0.8), beside=(PNEUMOTHORAX,)),
            FindingScript(SUBCUTANEOUS_AIR, 0.5, onset=(0.1, 0.3), beside=(CHEST_TUBE,)),
            *VENTILATED,
        ),
        diseases={"copd/emphysema": (HYPERAERATION, BULLAE)},
        diagnoses=(("49121", "J441"),),
        comorbidities=(SMOKER, HYPERTENSION, ("4928", "J439"), CORONARY, ("51883", "J9610")),
        drugs=("PredniSONE", "Albuterol 0.083% Neb Soln", "Tiotropium Bromide", "Azithromycin", "Heparin"),
        labs={PCO2: 62, PH: 7.31, BICARBONATE: 33, WHITE_CELLS: 12, PO2: 60, GLUCOSE: 160},
        vitals={RESPIRATION: 27, SATURATION: 89, HEART_RATE: 102},
        organisms=("STREPTOCOCCUS PNEUMONIAE", "PSEUDOMONAS AERUGINOSA"),
        episode_days=(1.8, 8),
        icu=0.25,
        ventilated=0.4,
        dies=0.04,
        drg=(("190", "CHRONIC OBSTRUCTIVE PULMONARY DISEASE W MCC"), ("140", "CHRONIC OBSTRUCTIVE PULMONARY DISEASE")),
    ),
    "trauma": Course(
        weight=0.08,
        ages=(18, 84),
        reasons=(
            "Motor vehicle collision, evaluate for pneumothorax.",
            "Fall, rib pain.",
            "Chest tube, interval change.",
        ),
        findings=(
            FindingScript(RIB_FRACTURE, 0.72, onset=(-0.05, -0.01), days=(40, 90), severity=(0.35, 1.0)),
            FindingScript(HYDROPNEUMOTHORAX, 0.24, onset=(-0.05, 0.05), lasts=(0.7, 1.2), beside=(RIB_FRACTURE,)),
            FindingScript(PNEUMOTHORAX, 0.88, onset=(-0.1, 0.05), lasts=(0.9, 1.8), severity=(0.35, 1.0)),
            FindingScript(CLAVICLE_FRACTURE, 0.42, onset=(-0.05, -0.01), days=(40, 90), severity=CONTUSED),
            FindingScript(CONSOLIDATION, 0.20, onset=(-0.05, 0.1), days=(4, 10), severity=(0.3, 0.8)),
            FindingScript(EFFUSION, 0.22, onset=(0.0, 0.3)),
            FindingScript(ATELECTASIS, 0.32, onset=(0.1, 0.5)),
            FindingScript(WIDE_MEDIASTINUM, 0.12, onset=(-0.1, 0.0), severity=(0.3, 0.9)),
            device(CHEST_TUBE, 0.62, "stay", (0.02, 0.1), (0.4, 0.8), beside=(PNEUMOTHORAX, HYDROPNEUMOTHORAX)),
            FindingScript(SUBCUTANEOUS_AIR, 0.5, onset=(-0.05, 0.1), lasts=(0.4, 0.9), beside=PLEURA),
            *VENTILATED,
        ),
        diagnoses=(("80700", "S2241XA"), ("E8120", "W19XXXA")),
        comorbidities=(SMOKER, HYPERTENSION, ("2851", "D62")),
        drugs=("OxyCODONE (Immediate Release)", "Acetaminophen", "HYDROmorphone (Dilaudid)", "Docusate Sodium"),
        labs={HAEMOGLOBIN: 9.5, LACTATE: 3.0, WHITE_CELLS: 13, GLUCOSE: 140},
        vitals={HEART_RATE: 110, SYSTOLIC: 102, RESPIRATION: 22},
        episode_days=(1.6, 10),
        service="TRAUM",
        ward="Med/Surg/Trauma",
        unit="Trauma SICU (TSICU)",
        icu=0.5,
        ventilated=0.45,
        dies=0.04,
        drg=(("200", "PNEUMOTHORAX W CC"), ("135", "MAJOR CHEST & RESPIRATORY TRAUMA")),
    ),
    "malignancy": Course(
        weight=0.09,
        ages=(42, 90),
        reasons=("Lung mass, evaluate interval change.", "Weight loss and hemoptysis.", "Known malignancy, dyspnea."),
        findings=(
            chronic(NODULES, 0.24, (0.35, 1.0), shape="growth"),
            chronic(NODULE, 0.97, (0.4, 1.0), shape="growth"),
            chronic(ENLARGED_HILUM, 0.34, (0.35, 1.0), shape="growth"),
            chronic(WIDE_MEDIASTINUM, 0.26, (0.35, 1.0), shape="growth"),
            chronic(CHEST_PORT, 0.55, (0.4, 1.0), onset=(0.0, 0.5)),
            FindingScript(COLLAPSE, 0.45, onset=(-0.2, 0.0), lasts=(2.0, 6.0), severity=(0.4, 1.0)),
            FindingScript(EFFUSION, 0.40, lasts=(1.0, 2.5)),
            FindingScript(ATELECTASIS, 0.28),
            FindingScript(ELEVATED_HEMIDIAPHRAGM, 0.10, onset=(-0.1, 0.0), lasts=(3.0, 5.0)),
            device(PICC, 0.2, "stay", (0.1, 0.4), (0.5, 0.8)),
            device(CHEST_TUBE, 0.22, "stay", (0.1, 0.4), (0.4, 0.6), beside=(EFFUSION,)),
            FindingScript(HYDROPNEUMOTHORAX, 0.05, onset=(0.3, 0.5), lasts=(0.3, 0.6)),
            *VENTILATED,
        ),
        diseases={"lung cancer": (NODULE, COLLAPSE)},
        diagnoses=(("1623", "C3411"),),
        comorbidities=(SMOKER, HYPERTENSION, ("4928", "J439"), ("1961", "C771"), ("1970", "C7800")),
        procedures=(("3324", "0BBC8ZX"),),
        drugs=("Dexamethasone", "Ondansetron", "Morphine Sulfate", "Docusate Sodium", "Heparin"),
        labs={HAEMOGLOBIN: 9.2, ALBUMIN: 2.8, CRP: 45, PLATELETS: 330, SODIUM: 132},
        vitals={HEART_RATE: 96, SATURATION: 93},
        episode_days=(1.8, 10),
        service="OMED",
        ward="Hematology/Oncology",
        icu=0.10,
        ventilated=0.3,
        dies=0.26,
        drg=(("180", "RESPIRATORY NEOPLASMS W MCC"), ("136", "RESPIRATORY MALIGNANCY")),
    ),
    "interstitial lung disease": Course(
        weight=0.04,
        ages=(45, 86),
        reasons=(
            "Pulmonary fibrosis, worsening dyspnea.",
            "Interstitial lung disease, follow-up.",
            "Dry cough, crackles.",
        ),
        findings=(
            chronic(RETICULATION, 0.98, (0.35, 1.0), shape="growth"),
            chronic(BULLAE, 0.15),
            chronic(ENLARGED_HILUM, 0.12),
            chronic(CARDIOMEGALY, 0.15),
            FindingScript(LOW_VOLUMES, 0.6, onset=(-0.1, 0.0), lasts=(1.2, 1.6)),
            FindingScript(EDEMA, 0.2, severity=(0.35, 0.8)),
            FindingScript(PNEUMOTHORAX, 0.12),
            *VENTILATED,
        ),
        diseases={"interstitial lung disease": (RETICULATION,)},
        diagnoses=(("515", "J8410"),),
        comorbidities=(HYPERTENSION, ("53081", "K219"), ("51883", "J9610"), SMOKER),
        drugs=("PredniSONE", "Albuterol 0.083% Neb Soln", "Heparin", "Pantoprazole"),
        labs={PO2: 58, WHITE_CELLS: 11, LACTATE_DEHYDROGENASE: 340, CRP: 30},
        vitals={RESPIRATION: 28, SATURATION: 88, HEART_RATE: 98},
        episode_days=(2, 10),
        icu=0.2,
        ventilated=0.35,
        dies=0.18,
        drg=(("189", "PULMONARY EDEMA & RESPIRATORY FAILURE"), ("142", "INTERSTITIAL LUNG DISEASE")),
    ),
    "granulomatous disease": Course(
        weight=0.04,
        ages=(25, 88),
        reasons=("Old tuberculosis, follow-up.", "Positive tuberculin test.", "Sarcoidosis, interval change."),
        findings=(
            chronic(CALCIFIED_NODULE, 0.92, (0.35, 1.0)),
            chronic(SCARRING, 0.72, (0.35, 1.0), sites=2),
            chronic(ENLARGED_HILUM, 0.30, (0.35, 0.9)),
            chronic(LINEAR_ATELECTASIS, 0.2, (0.3, 0.7)),
            chronic(NODULE, 0.12, (0.3, 0.7)),
            FindingScript(CONSOLIDATION, 0.15, days=(10, 40)),
        ),
        diseases={"granulomatous disease": (CALCIFIED_NODULE,)},
        diagnoses=(("135", "D860"), ("V1201", "Z8611")),
        comorbidities=(HYPERTENSION, LIPIDS, DIABETES),
        drugs=("PredniSONE", "Lisinopril", "Acetaminophen"),
        labs={CRP: 22, ALBUMIN: 3.6},
        vitals={TEMPERATURE: 37.4},
        episode_days=(0.8, 4),
        admission_type="DIRECT EMER.",
        drg=(
            ("204", "RESPIRATORY SIGNS & SYMPTOMS"),
            ("144", "RESPIRATORY SIGNS, SYMPTOMS & MINOR DIAGNOSES"),
        ),
    ),
    "cardiac surgery": Course(
        weight=0.08,
        ages=(42, 88),
        reasons=(
            "Status post CABG, evaluate for effusion.",
            "Chest tube removal, exclude pneumothorax.",
            "Postoperative.",
        ),
        findings=(
            FindingScript(CABG, 0.86, onset=(0.0, 0.01), days=(4000, 4001), severity=(0.5, 1.0), shape="steady"),
            FindingScript(VALVE, 0.38, onset=(0.0, 0.01), days=(4000, 4001), severity=(0.5, 1.0), shape="steady"),
            chronic(CARDIOMEGALY, 0.26),
            chronic(PACER, 0.12),
            *VENTILATED[:3],
            device(SWAN_GANZ, 0.5, "icu", (0.0, 0.02), (0.6, 0.9), places={"mediastinum": 0.3}),
            device(IJ_LINE, 0.6, "stay", (0.05, 0.1), (0.4, 0.7)),
            device(MEDIASTINAL_DRAIN, 0.8, "stay", (0.0, 0.02), (0.35, 0.6)),
            device(BALLOON_PUMP, 0.14, "icu", (0.0, 0.02), (0.5, 0.9)),
            FindingScript(PNEUMOTHORAX, 0.36, onset=(0.05, 0.4), lasts=(0.4, 0.9), severity=(0.3, 0.75)),
            device(CHEST_TUBE, 0.75, "stay", (0.0, 0.02), (0.35, 0.7)),
            FindingScript(ATELECTASIS, 0.55, onset=(0.0, 0.2), sites=2),
            FindingScript(LINEAR_ATELECTASIS, 0.30, onset=(0.2, 0.5), severity=(0.3, 0.8)),
            FindingScript(EFFUSION, 0.50, onset=(0.1, 0.4), days=(6, 30), sites=2, severity=(0.25, 0.7)),
            FindingScript(LOW_VOLUMES, 0.40, onset=(0.05, 0.2), lasts=(0.5, 0.8), severity=(0.3, 0.9)),
            FindingScript(CONGESTION, 0.30, onset=(0.0, 0.2), lasts=(0.3, 0.8)),
            FindingScript(WIDE_MEDIASTINUM, 0.15, onset=(0.02, 0.1), lasts=(0.4, 1.0), severity=(0.3, 0.8)),
        ),
        diagnoses=(("41401", "I2510"), ("4241", "I350")),
        comorbidities=(HYPERTENSION, LIPIDS, DIABETES, FIBRILLATION, ("2851", "D62"), ("412", "I252")),
        procedures=(("3615", "0210093"), ("3961", "5A1221Z")),
        drugs=("CefazoLIN", "Aspirin", "Metoprolol Tartrate", "Furosemide", "Atorvastatin", "Docusate Sodium"),
        labs={HAEMOGLOBIN: 8.8, LACTATE: 2.4, CREATININE: 1.4, WHITE_CELLS: 13, TROPONIN: 0.4, PLATELETS: 120},
        vitals={HEART_RATE: 92, SYSTOLIC: 108},
        weight_gain_kg=4.0,
        episode_days=(4.5, 12),
        admission_type="SURGICAL SAME DAY ADMISSION",
        service="CSURG",
        ward="Cardiac Surgery",
        unit="Cardiac Vascular Intensive Care Unit (CVICU)",
        icu=1.0,
        ventilated=1.0,
        dies=0.02,
        drg=(("236", "CORONARY BYPASS W/O CARDIAC CATH W/O MCC"), ("166", "CORONARY BYPASS W/O AMI OR COMPLEX PDX")),
    ),
    "ventilation": Course(
        weight=0.09,
        ages=(22, 90),
        reasons=("Intubated, evaluate tube position.", "Respiratory failure, interval change.", "Hypoxia, intubated."),
        findings=(
            *VENTILATED,
            device(PICC, 0.3, "stay", (0.4, 0.6), (0.4, 0.6)),
            device(SWAN_GANZ, 0.12),
            FindingScript(COLLAPSE, 0.10, onset=(0.05, 0.5), lasts=(0.1, 0.4)),
            FindingScript(EDEMA, 0.62, severity=(0.4, 1.0)),
            FindingScript(CONSOLIDATION, 0.48, days=(6, 30)),
            FindingScript(PNEUMOTHORAX, 0.20, onset=(0.05, 0.5), lasts=(0.2, 0.7)),
            device(CHEST_TUBE, 0.8, "stay", (0.1, 0.5), (0.3, 0.6), beside=(PNEUMOTHORAX,)),
            FindingScript(SUBCUTANEOUS_AIR, 0.4, onset=(0.1, 0.5), beside=(CHEST_TUBE,)),
            FindingScript(EFFUSION, 0.36, sites=2),
            FindingScript(ATELECTASIS, 0.36),
            FindingScript(LOW_VOLUMES, 0.2, lasts=(0.3, 0.9)),
        ),
        diseases={"pneumonia": (CONSOLIDATION,)},
        diagnoses=(RESPIRATORY_FAILURE,),
        comorbidities=(("99731", "J95851"), KIDNEY_FAILURE, HYPERTENSION, SEPSIS, DIABETES, ("78552", "R6521")),
        drugs=(
            "Propofol",
            "Fentanyl Citrate",
            "Piperacillin-Tazobactam",
            "Vancomycin",
            "Pantoprazole",
            "NORepinephrine",
        ),
        labs={
            WHITE_CELLS: 17,
            LACTATE: 4.2,
            PO2: 62,
            PH: 7.27,
            CREATININE: 2.1,
            CRP: 120,
            HAEMOGLOBIN: 9.0,
            PLATELETS: 130,
            ALBUMIN: 2.5,
            UREA: 38,
            GLUCOSE: 160,
        },
        vitals={TEMPERATURE: 38.4, HEART_RATE: 112, SATURATION: 92, SYSTOLIC: 98, RESPIRATION: 24},
        organisms=("STAPH AUREUS COAG +", "PSEUDOMONAS AERUGINOSA", "ESCHERICHIA COLI"),
        weight_gain_kg=5.0,
        episode_days=(4.5, 24),
        admission_type="URGENT",
        icu=1.0,
        ventilated=1.0,
        dies=0.40,
        drg=(
            ("207", "RESPIRATORY SYSTEM DIAGNOSIS W VENTILATOR SUPPORT >96 HOURS"),
            ("130", "RESPIRATORY SYSTEM DIAGNOSIS W VENTILATOR SUPPORT 96+ HOURS"),
        ),
    ),
    "abdominal catastrophe": Course(
        weight=0.04,
        ages=(30, 90),
        reasons=("Abdominal pain, evaluate for free air.", "Peritonitis, line placement.", "Postoperative fever."),
        findings=(
            FindingScript(FREE_AIR, 0.88, onset=(-0.1, 0.0), lasts=(0.5, 1.0), severity=(0.35, 1.0)),
            FindingScript(LOW_VOLUMES, 0.75, onset=(-0.1, 0.1), lasts=(0.6, 1.2)),
            FindingScript(ELEVATED_HEMIDIAPHRAGM, 0.2, onset=(-0.1, 0.1)),
            FindingScript(ATELECTASIS, 0.55, sites=2),
            FindingScript(LINEAR_ATELECTASIS, 0.35, severity=(0.3, 0.8)),
            FindingScript(EFFUSION, 0.4, onset=(0.1, 0.4), sites=2),
            *VENTILATED,
            device(ENTERIC_TUBE, 0.7, "stay", (0.02, 0.1), (0.4, 0.7), places={"mediastinum": 0.15}),
            device(PICC, 0.3, "stay", (0.3, 0.5), (0.4, 0.7)),
        ),
        diagnoses=(("56983", "K631"), ("5679", "K659")),
        comorbidities=(SEPSIS, HYPERTENSION, KIDNEY_FAILURE, DIABETES, ("2762", "E872")),
        procedures=(("4576", "0DTN0ZZ"),),
        drugs=("Piperacillin-Tazobactam", "HYDROmorphone (Dilaudid)", "Pantoprazole", "Ondansetron", "Heparin"),
        labs={WHITE_CELLS: 19, CRP: 190, LACTATE: 3.6, NEUTROPHILS: 89, CREATININE: 1.6, ALBUMIN: 2.4, PH: 7.31},
        vitals={TEMPERATURE: 38.5, HEART_RATE: 114, SYSTOLIC: 100, RESPIRATION: 24},
        organisms=("ESCHERICHIA COLI", "KLEBSIELLA PNEUMONIAE"),
        weight_gain_kg=4.0,
        episode_days=(4, 18),
        service="SURG",
        ward="Med/Surg",
        unit="Surgical Intensive Care Unit (SICU)",
        icu=0.6,
        ventilated=0.6,
        dies=0.2,
        drg=(
            ("329", "MAJOR SMALL & LARGE BOWEL PROCEDURES W MCC"),
            ("223", "OTHER SMALL & LARGE BOWEL PROCEDURES"),
        ),
    ),
}
# Reasons that speak of a tube → the tube that the film then shows, or that only the film before showed.
REASONS_WITH: Mapping[str, str] = {
    "Chest tube, interval change.": CHEST_TUBE,
    "Hypoxia, intubated.": TUBE,
    "Intubated, evaluate tube position.": TUBE,
}
REASONS_AFTER: Mapping[str, str] = {"Chest tube removal, exclude pneumothorax.": CHEST_TUBE}
