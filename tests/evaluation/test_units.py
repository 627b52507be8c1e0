from __future__ import annotations

import pytest

from chartsight.evaluation.units import convert, is_unit


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "expected"),
    [
        (98.6, "°F", "°C", 37.0), (37.0, "deg C", "Fahrenheit", 98.6), (7.2, "g/dL", "g/L", 72.0),
        (1.2, "mg/dL", "ug/mL", 12.0), (70.0, "kg", "lbs", 154.3235835), (170.0, "cm", "in", 66.92913386),
        (2.0, "hours", "min", 120.0), (5.0, "µg/mL", "mcg/ml", 5.0), (120.0, "mmHg", "mmHg", 120.0),
        (7.2, "g/dL", "mmol/L", None), (1.0, "furlong", "m", None), (1.0, "m", "furlong", None),
        (3.0, "Furlong", "furlong", 3.0),
    ],
)  # fmt: skip
def test_conversions(value: float, unit: str, wanted: str, expected: float | None) -> None:
    found = convert(value, unit, wanted)
    assert found is None if expected is None else found == pytest.approx(expected, rel=1e-8)


def test_words_that_are_no_units() -> None:
    assert is_unit("°F") and is_unit("mg/dL") and is_unit("Degrees Celsius")
    assert not is_unit("nodules") and not is_unit("")
