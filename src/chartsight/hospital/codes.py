"""Public code systems, as far as the courses use them: laboratory and charted items, drugs, cultures; ICD is `icd.py`.

Codes, titles, units and reference ranges are facts of the code systems and of MIMIC-IV's dictionaries (d_labitems,
d_items, d_hcpcs); no row of a patient comes from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
    fluid: str = "Blood"


CHEMISTRY, HEMATOLOGY, BLOOD_GAS = "Chemistry", "Hematology", "Blood Gas"
LAB_ITEMS: Mapping[int, LabItem] = {
    50802: LabItem("Base Excess", BLOOD_GAS, "mEq/L", None, None, 0, 2.5, 0),
    50804: LabItem("Calculated Total CO2", BLOOD_GAS, "mEq/L", 21, 30, 26, 2.5, 0),
    50808: LabItem("Free Calcium", BLOOD_GAS, "mmol/L", 1.12, 1.32, 1.16, 0.06, 2),
    50813: LabItem("Lactate", BLOOD_GAS, "mmol/L", 0.5, 2.0, 1.4, 0.4),
    50818: LabItem("pCO2", BLOOD_GAS, "mm Hg", 35, 45, 40, 5, 0),
    50820: LabItem("pH", BLOOD_GAS, "units", 7.35, 7.45, 7.40, 0.04, 2),
    50821: LabItem("pO2", BLOOD_GAS, "mm Hg", 85, 105, 110, 35, 0),
    50861: LabItem("Alanine Aminotransferase (ALT)", CHEMISTRY, "IU/L", 0, 40, 24, 9, 0),
    50862: LabItem("Albumin", CHEMISTRY, "g/dL", 3.5, 5.2, 4.1, 0.35),
    50863: LabItem("Alkaline Phosphatase", CHEMISTRY, "IU/L", 40, 130, 80, 22, 0),
    50868: LabItem("Anion Gap", CHEMISTRY, "mEq/L", 8, 20, 14, 2.6, 0),
    50878: LabItem("Asparate Aminotransferase (AST)", CHEMISTRY, "IU/L", 0, 40, 26, 9, 0),
    50882: LabItem("Bicarbonate", CHEMISTRY, "mEq/L", 22, 32, 26, 2.4, 0),
    50885: LabItem("Bilirubin, Total", CHEMISTRY, "mg/dL", 0, 1.5, 0.5, 0.2),
    50889: LabItem("C-Reactive Protein", CHEMISTRY, "mg/L", 0, 5, 2.5, 1.2),
    50893: LabItem("Calcium, Total", CHEMISTRY, "mg/dL", 8.4, 10.3, 9.2, 0.4),
    50902: LabItem("Chloride", CHEMISTRY, "mEq/L", 96, 108, 102, 3.5, 0),
    50912: LabItem("Creatinine", CHEMISTRY, "mg/dL", 0.5, 1.2, 0.9, 0.15),
    50931: LabItem("Glucose", CHEMISTRY, "mg/dL", 70, 100, 105, 16, 0),
    50934: LabItem("H", CHEMISTRY, "U", 0, 40, 8, 6, 0),
    50947: LabItem("I", CHEMISTRY, "U", 0, 10, 1, 0.7, 0),
    50954: LabItem("Lactate Dehydrogenase (LD)", CHEMISTRY, "IU/L", 94, 250, 200, 35, 0),
    50960: LabItem("Magnesium", CHEMISTRY, "mg/dL", 1.6, 2.6, 2.0, 0.22),
    50963: LabItem("NTproBNP", CHEMISTRY, "pg/mL", 0, 177, 90, 30, 0),
    50970: LabItem("Phosphate", CHEMISTRY, "mg/dL", 2.7, 4.5, 3.5, 0.7),
    50971: LabItem("Potassium", CHEMISTRY, "mEq/L", 3.3, 5.1, 4.2, 0.4),
    50983: LabItem("Sodium", CHEMISTRY, "mEq/L", 133, 145, 139, 3.6, 0),
    51003: LabItem("Troponin T", CHEMISTRY, "ng/mL", 0, 0.01, 0.005, 0.003, 2),
    51006: LabItem("Urea Nitrogen", CHEMISTRY, "mg/dL", 6, 20, 15, 4, 0),
    51146: LabItem("Basophils", HEMATOLOGY, "%", 0, 1, 0.4, 0.2),
    51200: LabItem("Eosinophils", HEMATOLOGY, "%", 1, 7, 2.0, 1.1),
    51221: LabItem("Hematocrit", HEMATOLOGY, "%", 40, 51, 40, 3),
    51222: LabItem("Hemoglobin", HEMATOLOGY, "g/dL", 13.7, 17.5, 12.6, 1.5),
    51237: LabItem("INR(PT)", HEMATOLOGY, None, 0.9, 1.1, 1.1, 0.12),
    51244: LabItem("Lymphocytes", HEMATOLOGY, "%", 19, 53, 26, 8),
    51248: LabItem("MCH", HEMATOLOGY, "pg", 26, 32, 30, 1.9),
    51249: LabItem("MCHC", HEMATOLOGY, "g/dL", 32, 37, 32.8, 1.2),
    51250: LabItem("MCV", HEMATOLOGY, "fL", 82, 98, 91, 5.5, 0),
    51254: LabItem("Monocytes", HEMATOLOGY, "%", 5, 13, 7.5, 2.5),
    51256: LabItem("Neutrophils", HEMATOLOGY, "%", 34, 71, 62, 9),
    51265: LabItem("Platelet Count", HEMATOLOGY, "K/uL", 150, 400, 230, 60, 0),
    51274: LabItem("PT", HEMATOLOGY, "sec", 9.4, 12.5, 12.2, 1.1),
    51275: LabItem("PTT", HEMATOLOGY, "sec", 25, 36.5, 30, 3.5),
    51277: LabItem("RDW", HEMATOLOGY, "%", 10.5, 15.5, 14.2, 1.2),
    51279: LabItem("Red Blood Cells", HEMATOLOGY, "m/uL", 4.6, 6.1, 4.5, 0.4, 2),
    51301: LabItem("White Blood Cells", HEMATOLOGY, "K/uL", 4, 10, 7.4, 1.8),
    51464: LabItem("Bilirubin", HEMATOLOGY, "mg/dL", None, None, 0, 0, fluid="Urine"),
    51466: LabItem("Blood", HEMATOLOGY, "N/A", None, None, 0, 0, fluid="Urine"),
    51478: LabItem("Glucose", HEMATOLOGY, "mg/dL", 0, 0, 0, 0, fluid="Urine"),
    51484: LabItem("Ketone", HEMATOLOGY, "mg/dL", 0, 0, 0, 0, fluid="Urine"),
    51486: LabItem("Leukocytes", HEMATOLOGY, "N/A", None, None, 0, 0, fluid="Urine"),
    51487: LabItem("Nitrite", HEMATOLOGY, "N/A", None, None, 0, 0, fluid="Urine"),
    51491: LabItem("pH", HEMATOLOGY, "units", 5, 8, 6, 0.5, fluid="Urine"),
    51492: LabItem("Protein", HEMATOLOGY, "mg/dL", 0, 0, 0, 0, fluid="Urine"),
    51498: LabItem("Specific Gravity", HEMATOLOGY, " ", 1.001, 1.035, 1.017, 0.005, 3, fluid="Urine"),
    51506: LabItem("Urine Appearance", HEMATOLOGY, "N/A", None, None, 0, 0, fluid="Urine"),
    51508: LabItem("Urine Color", HEMATOLOGY, "N/A", None, None, 0, 0, fluid="Urine"),
    51514: LabItem("Urobilinogen", HEMATOLOGY, "mg/dL", 0.2, 1, 0, 0, fluid="Urine"),
    52172: LabItem("RDW-SD", HEMATOLOGY, "fL", 35.1, 46.3, 46, 4),
    50920: LabItem("Estimated GFR (MDRD equation)", CHEMISTRY, None, None, None, 0, 0),
    51137: LabItem("Anisocytosis", HEMATOLOGY, "N/A", None, None, 0, 0),
    51233: LabItem("Hypochromia", HEMATOLOGY, "N/A", None, None, 0, 0),
    51246: LabItem("Macrocytes", HEMATOLOGY, "N/A", None, None, 0, 0),
    51252: LabItem("Microcytes", HEMATOLOGY, "N/A", None, None, 0, 0),
    51266: LabItem("Platelet Smear", HEMATOLOGY, "N/A", None, None, 0, 0),
    51267: LabItem("Poikilocytosis", HEMATOLOGY, "N/A", None, None, 0, 0),
    51268: LabItem("Polychromasia", HEMATOLOGY, "N/A", None, None, 0, 0),
}
# Item -> reference range of women, where it is not the one above.
FEMALE_RANGES: Mapping[int, tuple[float, float]] = {
    50912: (0.4, 1.1), 50963: (0, 624), 51221: (34, 45), 51222: (11.2, 15.7), 51279: (3.9, 5.2),
}  # fmt: skip
# What is ordered together: item groups of one specimen.
ELECTROLYTES = (50868, 50882, 50902, 50912, 50931, 50971, 50983, 51006)
MINERALS = (50893, 50960, 50970)
BLOOD_COUNT = (51221, 51222, 51248, 51249, 51250, 51265, 51277, 51279, 51301)
DIFFERENTIAL = (51146, 51200, 51244, 51254, 51256)
SMEAR = (51137, 51233, 51246, 51252, 51266, 51267, 51268)  # looked at beside some differentials
FILTRATION = 50920  # estimated from creatinine, age and sex
SERUM_INDICES = (50934, 50947)
LIVER = (50861, 50863, 50878, 50885)
COAGULATION = (51237, 51274, 51275)
ADMISSION_LABS = (50862, 50954)
BLOOD_GAS_LABS = (50802, 50804, 50818, 50820, 50821)
OUTPATIENT_LABS = (*ELECTROLYTES, *BLOOD_COUNT)
DAILY_LABS = (*ELECTROLYTES, *MINERALS, *BLOOD_COUNT)


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
    "0.9% Sodium Chloride": Drug("NS1000", "001210", "00338004904", "1000mL Bag", "100", "mL", "1", "BAG", 1, "IV"),
    "5% Dextrose": Drug("MORPD5W", "001972", "0", "100mL Bag", "250", "mL", "250", "BAG", 1, "IV"),
    "Acetaminophen IV": Drug(
        "ACET1000I", "066887", "43825010201", "1000 mg / 100 mL Vial", "1000", "mg", "1", "VIAL", 3, "IV"
    ),
    "Bisacodyl": Drug("BISA10R", "002944", "00574705050", "10mg Suppository", "10", "mg", "1", "SUPP", 1, "PR"),
    "Calcium Gluconate": Drug("CALG1I", "001356", "63323031110", "1g/10mL Vial", "2", "gm", "1", "VIAL", 1, "IV"),
    "CefePIME": Drug("CEFE1I", "024094", "60505614604", "1g Vial", "2", "g", "1", "VIAL", 2, "IV"),
    "Chlorhexidine Gluconate 0.12% Oral Rinse": Drug(
        "CHLO15L", "057959", "54569523500", "15ml Cup", "15", "mL", "1", "UDCUP", 2, "ORAL"
    ),
    "Dextrose 50%": Drug(
        "DEX50SY", "001989", "00409490234", "25 g / 50 mL Syringe", "12.5", "gm", "0.5", "SYR", 1, "IV"
    ),
    "Famotidine": Drug("PEPC20", "011677", "51079096620", "20 mg Tablet", "20", "mg", "1", "TAB", 2, "PO/NG"),
    "Gabapentin": Drug("GABA100", "021413", "68084078301", "100mg Capsule", "300", "mg", "3", "CAP", 3, "PO/NG"),
    "Glucagon": Drug("GLUC1I", "066517", "00597026010", "1mg Vial", "1", "mg", "1", "VIAL", 1, "IM"),
    "Glucose Gel": Drug("GLUCOSEGEL", "001781", "38396055018", "15 g Tube", "15", "g", "1", "TUBE", 1, "PO"),
    "Heparin Flush (10 units/ml)": Drug(
        "HEPA10SYR", "060304", "08290306510", "10 Units/mL - 5 mL Syringe", "2", "mL", "0.4", "SYR", 1, "IV"
    ),
    "HydrALAzine": Drug("HYDZ10", "000284", "68084044701", "10 mg Tab", "10", "mg", "1", "TAB", 3, "PO/NG"),
    "Influenza Vaccine Quadrivalent": Drug(
        "INFL0.5LF", "072514", "19515089452", "0.5 mL Syringe", "0.5", "mL", "1", "SYR", 1, "IM"
    ),
    "Insulin": Drug("INRHI", "001723", "00002821501", "100 Units / mL - 10 mL Vial", "0", "UNIT", "1", "mL", 4, "SC"),
    "Lactated Ringers": Drug("LR1000", "001187", "00338011704", "1000ml Bag", "1000", "mL", "1000", "BAG", 1, "IV"),
    "Levothyroxine Sodium": Drug(
        "LEVO25", "006648", "00074434190", "25mcg Tablet", "75", "mcg", "3", "TAB", 1, "PO/NG"
    ),
    "Lorazepam": Drug("LORA2I", "003758", "51079038620", "1mg Tablet", "0.5", "mg", "0.5", "TAB", 2, "PO/NG"),
    "Magnesium Sulfate": Drug(
        "MAG2PM", "016546", "00409672924", "2 g / 50 mL Premix Bag", "2", "gm", "1", "BAG", 1, "IV"
    ),
    "Milk of Magnesia": Drug("MOM30L", "003026", "00121043130", "30mL UD Cup", "30", "mL", "1", "UDCUP", 1, "PO"),
    "Multivitamins": Drug("MVI", "002532", "00904053061", "1 Tablet", "1", "TAB", "1", "TAB", 1, "PO/NG"),
    "Neutra-Phos": Drug("NEUT", "063337", "60258000601", "Powder Packet", "2", "PKT", "2", "PKT", 1, "PO/NG"),
    "Omeprazole": Drug("OMEP20", "033530", "00093521193", "20mg Cap", "20", "mg", "1", "CAP", 1, "PO"),
    "Polyethylene Glycol": Drug("GLYC17", "034313", "11523726808", "17g Packet", "17", "g", "1", "PKT", 1, "PO/NG"),
    "Senna": Drug("SENN5L", "002922", "57896045208", "8.6 mg / 4.9 mL Syringe", "8.6", "mg", "1", "SYR", 2, "PO/NG"),
    "Sodium Chloride 0.9%  Flush": Drug(
        "NACLFLUSH", "", "0", "10 mL Syringe", "3", "mL", "0.3", "SYR", 3, "IV"
    ),  # the two blanks are MIMIC-IV's
    "TraZODone": Drug("TRAZ50", "046241", "00904399061", "50mg Tablet", "25", "mg", "0.5", "TAB", 1, "PO/NG"),
    "Vitamin D": Drug("ERGO400T", "019166", "10432017002", "400 Unit Tablet", "1000", "UNIT", "2", "TAB", 1, "PO/NG"),
}
# What any ward gives: drug -> share of admissions. After the MIMIC-IV demo's.
WARD_DRUGS: Mapping[str, float] = {
    "Sodium Chloride 0.9%  Flush": 0.97, "Acetaminophen": 0.7, "Heparin": 0.66, "Docusate Sodium": 0.62, "Senna": 0.6,
    "0.9% Sodium Chloride": 0.6, "Magnesium Sulfate": 0.55, "Dextrose 50%": 0.54, "Potassium Chloride": 0.53,
    "Glucagon": 0.52, "Insulin": 0.52, "5% Dextrose": 0.48, "Ondansetron": 0.46, "Glucose Gel": 0.41,
    "Furosemide": 0.38, "Aspirin": 0.38, "Calcium Gluconate": 0.36, "Bisacodyl": 0.36, "Metoprolol Tartrate": 0.34,
    "Vancomycin": 0.32, "Lactated Ringers": 0.32, "HYDROmorphone (Dilaudid)": 0.31,
    "Heparin Flush (10 units/ml)": 0.31, "Pantoprazole": 0.3, "Acetaminophen IV": 0.28, "Atorvastatin": 0.26,
    "Levothyroxine Sodium": 0.22, "Multivitamins": 0.24, "OxyCODONE (Immediate Release)": 0.36,
    "Influenza Vaccine Quadrivalent": 0.3, "Morphine Sulfate": 0.23, "Polyethylene Glycol": 0.22, "Lorazepam": 0.2,
    "Famotidine": 0.2, "Neutra-Phos": 0.19, "Vitamin D": 0.19, "Chlorhexidine Gluconate 0.12% Oral Rinse": 0.18,
    "Omeprazole": 0.16, "Lisinopril": 0.16, "HydrALAzine": 0.15, "TraZODone": 0.15, "CefePIME": 0.14,
    "Gabapentin": 0.15, "Milk of Magnesia": 0.14, "Albuterol 0.083% Neb Soln": 0.16, "PredniSONE": 0.1,
    "Warfarin": 0.1, "CefTRIAXone": 0.12, "Piperacillin-Tazobactam": 0.12, "CefazoLIN": 0.12,
}  # fmt: skip
DILUENTS = ("0.9% Sodium Chloride", "5% Dextrose")  # written as a second row, of type BASE, beside a drug into a vein
VENTILATION_DRUGS = ("Propofol", "Fentanyl Citrate", "Pantoprazole")
# What treats a disease that films show: seldom given to those who do not have it, however much else they need.
TREATMENTS = frozenset(
    {
        "Albuterol 0.083% Neb Soln", "CefTRIAXone", "CefazoLIN", "CefePIME", "Furosemide", "Piperacillin-Tazobactam",
        "PredniSONE", "Vancomycin",
    }
)  # fmt: skip
# Given when asked for: MIMIC-IV then writes no schedule and no number of doses a day.
AS_NEEDED = frozenset(
    {
        "Acetaminophen IV", "Albuterol 0.083% Neb Soln", "Bisacodyl", "Calcium Gluconate", "Dextrose 50%", "Glucagon",
        "Glucose Gel", "HYDROmorphone (Dilaudid)", "Heparin Flush (10 units/ml)", "Lorazepam", "Magnesium Sulfate",
        "Milk of Magnesia", "Morphine Sulfate", "Neutra-Phos", "Ondansetron", "OxyCODONE (Immediate Release)",
        "Polyethylene Glycol", "Sodium Chloride 0.9%  Flush", "TraZODone",
    }
)  # fmt: skip


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
    224639: ChartedItem("Daily Weight", "Daily Weight", "chartevents", GENERAL, "kg", "Numeric"),
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
OUTPATIENT_CULTURES: Mapping[str, tuple[float, tuple[str, ...]]] = {  # specimen → share of visits, what may grow
    "URINE": (0.24, ("ESCHERICHIA COLI", "KLEBSIELLA PNEUMONIAE")),
    "BLOOD CULTURE": (0.08, ("STAPH AUREUS COAG +", "ESCHERICHIA COLI")),
}
HCPCS: Mapping[str, tuple[int | None, str | None, str]] = {  # code → category, long and short description
    "G0378": (None, "Hospital observation service, per hour", "Hospital observation per hr"),
    "71045": (1, None, "Diagnostic imaging"),
    "71046": (1, None, "Diagnostic imaging"),
}
