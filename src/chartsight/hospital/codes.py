"""Public code systems, as far as the courses use them: ICD, laboratory and charted items, drugs, cultures.

Codes, titles, units and reference ranges are facts of the code systems and of MIMIC-IV's dictionaries (d_icd_diagnoses,
d_icd_procedures, d_labitems, d_items, d_hcpcs); no row of a patient comes from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DIAGNOSIS_TITLES: Mapping[tuple[str, int], str] = {
    ("0389", 9): "Unspecified septicemia",
    ("1623", 9): "Malignant neoplasm of upper lobe, bronchus or lung",
    ("25000", 9): "Diabetes mellitus without mention of complication, type II or unspecified type, not stated as "
    "uncontrolled",
    ("2724", 9): "Other and unspecified hyperlipidemia",
    ("4019", 9): "Unspecified essential hypertension",
    ("41401", 9): "Coronary atherosclerosis of native coronary artery",
    ("42731", 9): "Atrial fibrillation",
    ("4280", 9): "Congestive heart failure, unspecified",
    ("486", 9): "Pneumonia, organism unspecified",
    ("49121", 9): "Obstructive chronic bronchitis with (acute) exacerbation",
    ("4928", 9): "Other emphysema",
    ("5119", 9): "Unspecified pleural effusion",
    ("5180", 9): "Pulmonary collapse",
    ("51881", 9): "Acute respiratory failure",
    ("5849", 9): "Acute kidney failure, unspecified",
    ("78650", 9): "Chest pain, unspecified",
    ("80700", 9): "Closed fracture of rib(s), unspecified",
    ("8600", 9): "Traumatic pneumothorax without mention of open wound into thorax",
    ("99731", 9): "Ventilator associated pneumonia",
    ("V1582", 9): "Personal history of tobacco use",
    ("V4501", 9): "Cardiac pacemaker in situ",
    ("V700", 9): "Routine general medical examination at a health care facility",
    ("A419", 10): "Sepsis, unspecified organism",
    ("C3411", 10): "Malignant neoplasm of upper lobe, right bronchus or lung",
    ("E119", 10): "Type 2 diabetes mellitus without complications",
    ("E785", 10): "Hyperlipidemia, unspecified",
    ("I10", 10): "Essential (primary) hypertension",
    ("I2510", 10): "Atherosclerotic heart disease of native coronary artery without angina pectoris",
    ("I4891", 10): "Unspecified atrial fibrillation",
    ("I509", 10): "Heart failure, unspecified",
    ("J189", 10): "Pneumonia, unspecified organism",
    ("J439", 10): "Emphysema, unspecified",
    ("J441", 10): "Chronic obstructive pulmonary disease with (acute) exacerbation",
    ("J90", 10): "Pleural effusion, not elsewhere classified",
    ("J95851", 10): "Ventilator associated pneumonia",
    ("J9601", 10): "Acute respiratory failure with hypoxia",
    ("J9811", 10): "Atelectasis",
    ("N179", 10): "Acute kidney failure, unspecified",
    ("R079", 10): "Chest pain, unspecified",
    ("S2241XA", 10): "Multiple fractures of ribs, right side, initial encounter for closed fracture",
    ("S270XXA", 10): "Traumatic pneumothorax, initial encounter",
    ("Z0000", 10): "Encounter for general adult medical examination without abnormal findings",
    ("Z87891", 10): "Personal history of nicotine dependence",
    ("Z950", 10): "Presence of cardiac pacemaker",
}

PROCEDURE_TITLES: Mapping[tuple[str, int], str] = {
    ("3324", 9): "Closed [endoscopic] biopsy of bronchus",
    ("3404", 9): "Insertion of intercostal catheter for drainage",
    ("3615", 9): "Single internal mammary-coronary artery bypass",
    ("3893", 9): "Venous catheterization, not elsewhere classified",
    ("9604", 9): "Insertion of endotracheal tube",
    ("9671", 9): "Continuous invasive mechanical ventilation for less than 96 consecutive hours",
    (
        "0210093",
        10,
    ): "Bypass Coronary Artery, One Artery from Coronary Artery with Autologous Venous Tissue, Open Approach",
    ("02HV33Z", 10): "Insertion of Infusion Device into Superior Vena Cava, Percutaneous Approach",
    ("0BBC8ZX", 10): "Excision of Right Upper Lung Lobe, Via Natural or Artificial Opening Endoscopic, Diagnostic",
    ("0BH17EZ", 10): "Insertion of Endotracheal Airway into Trachea, Via Natural or Artificial Opening",
    ("0W9930Z", 10): "Drainage of Right Pleural Cavity with Drainage Device, Percutaneous Approach",
    ("5A1945Z", 10): "Respiratory Ventilation, 24-96 Consecutive Hours",
}
VENTILATION_CODES, PACEMAKER_CODES = ("9671", "5A1945Z"), ("V4501", "Z950")


@dataclass(frozen=True)
class LabItem:
    """A laboratory test: its reference range (None where MIMIC gives none), mean and spread in a healthy adult."""

    label: str
    category: str
    unit: str | None
    low: float | None
    high: float | None
    mean: float
    spread: float
    decimals: int = 1


CHEMISTRY, HEMATOLOGY, BLOOD_GAS = "Chemistry", "Hematology", "Blood Gas"
LAB_ITEMS: Mapping[int, LabItem] = {
    50802: LabItem("Base Excess", BLOOD_GAS, "mEq/L", None, None, 0, 1.5, 0),
    50813: LabItem("Lactate", BLOOD_GAS, "mmol/L", 0.5, 2.0, 1.2, 0.3),
    50818: LabItem("pCO2", BLOOD_GAS, "mm Hg", 35, 45, 40, 3, 0),
    50820: LabItem("pH", BLOOD_GAS, "units", 7.35, 7.45, 7.40, 0.02, 2),
    50821: LabItem("pO2", BLOOD_GAS, "mm Hg", 85, 105, 95, 6, 0),
    50862: LabItem("Albumin", CHEMISTRY, "g/dL", 3.5, 5.2, 4.2, 0.3),
    50868: LabItem("Anion Gap", CHEMISTRY, "mEq/L", 8, 20, 13, 2, 0),
    50882: LabItem("Bicarbonate", CHEMISTRY, "mEq/L", 22, 32, 26, 1.8, 0),
    50889: LabItem("C-Reactive Protein", CHEMISTRY, "mg/L", 0, 5, 2.5, 1.2),
    50893: LabItem("Calcium, Total", CHEMISTRY, "mg/dL", 8.4, 10.3, 9.3, 0.3),
    50902: LabItem("Chloride", CHEMISTRY, "mEq/L", 96, 108, 102, 2.5, 0),
    50912: LabItem("Creatinine", CHEMISTRY, "mg/dL", 0.5, 1.2, 0.9, 0.12),
    50931: LabItem("Glucose", CHEMISTRY, "mg/dL", 70, 100, 102, 16, 0),
    50960: LabItem("Magnesium", CHEMISTRY, "mg/dL", 1.6, 2.6, 2.0, 0.15),
    50963: LabItem("NTproBNP", CHEMISTRY, "pg/mL", 0, 177, 90, 30, 0),
    50971: LabItem("Potassium", CHEMISTRY, "mEq/L", 3.3, 5.1, 4.2, 0.3),
    50983: LabItem("Sodium", CHEMISTRY, "mEq/L", 133, 145, 139, 2.2, 0),
    51003: LabItem("Troponin T", CHEMISTRY, "ng/mL", 0, 0.01, 0.005, 0.003, 2),
    51006: LabItem("Urea Nitrogen", CHEMISTRY, "mg/dL", 6, 20, 14, 3, 0),
    51221: LabItem("Hematocrit", HEMATOLOGY, "%", 40, 51, 41, 2.5),
    51222: LabItem("Hemoglobin", HEMATOLOGY, "g/dL", 13.7, 17.5, 13.8, 0.9),
    51237: LabItem("INR(PT)", HEMATOLOGY, None, 0.9, 1.1, 1.0, 0.06),
    51256: LabItem("Neutrophils", HEMATOLOGY, "%", 34, 71, 60, 6),
    51265: LabItem("Platelet Count", HEMATOLOGY, "K/uL", 150, 400, 240, 45, 0),
    51301: LabItem("White Blood Cells", HEMATOLOGY, "K/uL", 4, 10, 7.2, 1.2),
}
DAILY_LABS = (50868, 50882, 50893, 50902, 50912, 50931, 50960, 50971, 50983, 51006, 51221, 51222, 51265, 51301)
ADMISSION_LABS = (50862, 50889, 50963, 51003, 51237, 51256)
BLOOD_GAS_LABS = (50802, 50813, 50818, 50820, 50821)


@dataclass(frozen=True)
class Drug:
    """A drug as it is ordered. `doses_a_day` 0 is a continuous infusion."""

    formulary: str
    gsn: str
    ndc: str
    strength: str
    dose: str
    unit: str
    amount: str
    form: str
    doses_a_day: int
    route: str


DRUGS: Mapping[str, Drug] = {
    "Acetaminophen": Drug("ACET325", "004489", "51079000220", "325mg Tablet", "650", "mg", "2", "TAB", 3, "PO/NG"),
    "Albuterol 0.083% Neb Soln": Drug(
        "ALBU3H", "005039", "49502069724", "0.083%;3mL Vial", "1", "NEB", "1", "VIAL", 4, "IH"
    ),
    "Aspirin": Drug("ASA81", "004380", "00904404073", "81mg Tab", "81", "mg", "1", "TAB", 1, "PO/NG"),
    "Atorvastatin": Drug("ATOR80", "045772", "00071015892", "80mg Tablet", "80", "mg", "1", "TAB", 1, "PO/NG"),
    "Azithromycin": Drug("ZITHR250", "026721", "68084027801", "250 mg Tablet", "250", "mg", "1", "TAB", 1, "PO/NG"),
    "CefTRIAXone": Drug("CEFR1I", "009162", "00409733201", "1g Vial", "1", "gm", "1", "VIAL", 1, "IV"),
    "CefazoLIN": Drug("CEFA2D", "068632", "00264310511", "2g Duplex Bag", "2", "g", "1", "BAG", 3, "IV"),
    "Dexamethasone": Drug("DEXA4I", "006778", "63323016501", "4mg/mL 1mL Vial", "4", "mg", "1", "VIAL", 3, "IV"),
    "Docusate Sodium": Drug("DOCU100", "003009", "00904224461", "100mg Capsule", "100", "mg", "1", "CAP", 2, "PO/NG"),
    "Fentanyl Citrate": Drug(
        "FENT2.550", "048287", "61553011841", "2.5mg / 50 mL Premix Bag", "2.5", "mg", "1", "BAG", 0, "IV DRIP"
    ),
    "Furosemide": Drug("FURO20I", "008205", "00409610204", "20mg/2mL Vial", "20", "mg", "1", "VIAL", 2, "IV"),
    "HYDROmorphone (Dilaudid)": Drug(
        "HYDR1SYR", "062823", "00409128331", "1mg/1mL Syringe", "0.5", "mg", "1", "SYR", 4, "IV"
    ),
    "Heparin": Drug("HEPA5I", "006549", "63323026201", "5000 Units / mL- 1mL Vial", "5000", "UNIT", "1", "mL", 3, "SC"),
    "Lisinopril": Drug("LISI5", "000393", "00904580861", "5mg Tablet", "5", "mg", "1", "TAB", 1, "PO/NG"),
    "Metoprolol Tartrate": Drug("METO25", "050631", "51079025520", "25mg Tablet", "12.5", "mg", "1", "TAB", 2, "PO/NG"),
    "Morphine Sulfate": Drug("MORP2I", "070023", "00409189001", "2 mg Syringe", "2", "mg", "1", "VIAL", 4, "IV"),
    "NORepinephrine": Drug(
        "NORE8/250N", "066419", "61553012011", "8 mg / 250 mL Premix Bag", "8", "mg", "1", "BAG", 0, "IV DRIP"
    ),
    "Ondansetron": Drug("ONDAN4I", "061716", "00641607825", "2mg/mL-2mL", "4", "mg", "1", "VIAL", 3, "IV"),
    "OxyCODONE (Immediate Release)": Drug(
        "OXYC5", "004225", "00904644461", "5mg Tablet", "5", "mg", "1", "TAB", 4, "PO/NG"
    ),
    "Pantoprazole": Drug("PANT40", "027462", "00008092355", "40 mg Vial", "40", "mg", "1", "VIAL", 1, "IV"),
    "Piperacillin-Tazobactam": Drug(
        "ZOSY4FPB", "040819", "00206886202", "4.5 g Frozen Bag", "4.5", "g", "1", "BAG", 3, "IV"
    ),
    "Potassium Chloride": Drug(
        "MICROK10", "001275", "00245004101", "10mEq ER Tablet", "40", "mEq", "4", "TAB", 1, "PO"
    ),
    "PredniSONE": Drug("PRED20", "006749", "00054001820", "20 mg Tablet", "40", "mg", "2", "TAB", 1, "PO/NG"),
    "Propofol": Drug(
        "PROP100IG", "016796", "63323026965", "1000mg/100mL Vial", "1000", "mg", "1", "VIAL", 0, "IV DRIP"
    ),
    "Tiotropium Bromide": Drug(
        "TIOT", "050714", "00597007575", "18mcg Capsule-Inhalation Device", "1", "CAP", "1", "CAP", 1, "IH"
    ),
    "Vancomycin": Drug("VANC1F", "043952", "00338355248", "1g Frozen Bag", "1000", "mg", "1", "BAG", 2, "IV"),
    "Warfarin": Drug("WARF5", "014198", "00056016975", "5mg Tablet", "5", "mg", "1", "TAB", 1, "PO/NG"),
}
VENTILATION_DRUGS = ("Propofol", "Fentanyl Citrate", "Pantoprazole")


@dataclass(frozen=True)
class ChartedItem:
    """An item of intensive care (d_items)."""

    label: str
    abbreviation: str
    linksto: str
    category: str
    unit: str | None
    param_type: str


VITALS, RESPIRATORY, GENERAL = "Routine Vital Signs", "Respiratory", "General"
CHARTED_ITEMS: Mapping[int, ChartedItem] = {
    220045: ChartedItem("Heart Rate", "HR", "chartevents", VITALS, "bpm", "Numeric"),
    220050: ChartedItem("Arterial Blood Pressure systolic", "ABPs", "chartevents", VITALS, "mmHg", "Numeric"),
    220051: ChartedItem("Arterial Blood Pressure diastolic", "ABPd", "chartevents", VITALS, "mmHg", "Numeric"),
    220052: ChartedItem("Arterial Blood Pressure mean", "ABPm", "chartevents", VITALS, "mmHg", "Numeric"),
    220210: ChartedItem("Respiratory Rate", "RR", "chartevents", RESPIRATORY, "insp/min", "Numeric"),
    220277: ChartedItem("O2 saturation pulseoxymetry", "SpO2", "chartevents", RESPIRATORY, "%", "Numeric"),
    223762: ChartedItem("Temperature Celsius", "Temperature C", "chartevents", VITALS, "°C", "Numeric"),
    226512: ChartedItem("Admission Weight (Kg)", "Admission Weight (Kg)", "chartevents", GENERAL, "kg", "Numeric"),
    226730: ChartedItem("Height (cm)", "Height (cm)", "chartevents", GENERAL, "cm", "Numeric"),
    220490: ChartedItem("Water", "H2O", "ingredientevents", "Ingredients", "mL", "Ingredient"),
    225158: ChartedItem("NaCl 0.9%", "NaCl 0.9%", "inputevents", "Fluids/Intake", "mL", "Solution"),
    221906: ChartedItem("Norepinephrine", "Norepinephrine", "inputevents", "Medications", "mg", "Solution"),
    221794: ChartedItem("Furosemide (Lasix)", "Furosemide (Lasix)", "inputevents", "Medications", "mg", "Solution"),
    222168: ChartedItem("Propofol", "Propofol", "inputevents", "Medications", "mg", "Solution"),
    226452: ChartedItem("PO Intake", "PO Intake", "inputevents", "Fluids/Intake", "mL", "Solution"),
    226559: ChartedItem("Foley", "Foley", "outputevents", "Output", "mL", "Numeric"),
    226560: ChartedItem("Void", "Void", "outputevents", "Output", "mL", "Numeric"),
    226588: ChartedItem("Chest Tube #1", "Chest Tube #1", "outputevents", "Output", "mL", "Numeric"),
    224275: ChartedItem("20 Gauge", "20 Gauge", "procedureevents", "Access Lines - Peripheral", "None", "Processes"),
    225752: ChartedItem(
        "Arterial Line", "Arterial Line", "procedureevents", "Access Lines - Invasive", "None", "Processes"
    ),
    225459: ChartedItem("Chest X-Ray", "Chest X-Ray", "procedureevents", "5-Imaging", "None", "Processes"),
    225792: ChartedItem(
        "Invasive Ventilation", "Invasive Ventilation", "procedureevents", "2-Ventilation", "None", "Processes"
    ),
    227194: ChartedItem(
        "Extubation", "Extubation", "procedureevents", "1-Intubation/Extubation", "None", "Processes"
    ),
    224288: ChartedItem(
        "Arterial line Insertion Date", "Arterial line Insertion Date", "datetimeevents", "Access Lines - Invasive",
        None, "Date and time",
    ),
    225754: ChartedItem(
        "20 Gauge Insertion Date", "20 Gauge Insertion Date", "datetimeevents", "Access Lines - Peripheral",
        None, "Date and time",
    ),
}  # fmt: skip

# Charted every hour or less often: item → (healthy mean, spread, decimals, hours between).
VITAL_SIGNS: Mapping[int, tuple[float, float, int, int]] = {
    220045: (76, 6, 0, 1),
    220050: (122, 8, 0, 1),
    220210: (16, 2, 0, 1),
    220277: (97.5, 1.0, 0, 1),
    223762: (36.8, 0.2, 1, 4),
}

ORGANISM_ITEMS: Mapping[str, int] = {
    "ESCHERICHIA COLI": 80002,
    "KLEBSIELLA PNEUMONIAE": 80004,
    "PSEUDOMONAS AERUGINOSA": 80026,
    "STAPH AUREUS COAG +": 80023,
    "STREPTOCOCCUS PNEUMONIAE": 80076,
}
ANTIBIOTIC_ITEMS: Mapping[str, int] = {
    "CEFTRIAXONE": 90018,
    "GENTAMICIN": 90012,
    "MEROPENEM": 90029,
    "PIPERACILLIN/TAZO": 90026,
}
CULTURES: Mapping[str, tuple[int, int, str]] = {  # specimen → its item, the test's item, the test's name
    "BLOOD CULTURE": (70012, 90201, "Blood Culture, Routine"),
    "MRSA SCREEN": (70091, 90189, "MRSA SCREEN"),
    "SPUTUM": (70062, 90055, "RESPIRATORY CULTURE"),
    "URINE": (70079, 90039, "URINE CULTURE"),
}
HCPCS: Mapping[str, tuple[int | None, str | None, str]] = {  # code → category, long and short description
    "G0378": (None, "Hospital observation service, per hour", "Hospital observation per hr"),
    "71045": (1, None, "Diagnostic imaging"),
    "71046": (1, None, "Diagnostic imaging"),
}
