"""Known families of question: their words in English, their NeuralSQL, and what may stand in their slots.

families = read_families()
nth_lab = families["table-single/nth-lab"]
values = {"patient": "10000032", "rank": "last", "lab": "Hemoglobin", "period": "in 2180"}
nth_lab.render_phrasing(1, values)         # What was the last Hemoglobin value of patient 10000032 in 2180?
families.render_program(nth_lab, values)   # SELECT l.valuenum FROM labevents AS l ...
"""

from chartsight.neuralsql.families.templates import (
    CALENDAR,
    Families,
    FamilyTemplate,
    Period,
    read_families,
    read_family_file,
)

__all__ = ["CALENDAR", "Families", "FamilyTemplate", "Period", "read_families", "read_family_file"]
