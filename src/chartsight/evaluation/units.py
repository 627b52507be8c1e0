"""A number in the unit that was asked for.

    convert(98.6, "°F", "°C")      → 37.0
    convert(7.2, "g/dL", "g/L")    → 72.0
    convert(7.2, "g/dL", "mmol/L") → None     (needs the substance's molar mass: no unit conversion)

Units that records, questions and answers about chest films, vital signs and laboratory values use; a unit that is not
here is compared as it is written.

Source: SI; NIST SP 811 (2008), appendix B, for pounds, inches, Fahrenheit and millimetres of mercury.
"""

from __future__ import annotations

from collections.abc import Mapping

# unit → its dimension, and how much of the dimension's first unit it is.
_SCALES: Mapping[str, Mapping[str, float]] = {
    "length": {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "in": 0.0254, "inch": 0.0254, "inches": 0.0254, "ft": 0.3048},
    "mass": {"kg": 1.0, "g": 1e-3, "mg": 1e-6, "mcg": 1e-9, "ug": 1e-9, "lb": 0.45359237, "lbs": 0.45359237,
             "pounds": 0.45359237},
    "volume": {"l": 1.0, "dl": 1e-1, "ml": 1e-3, "cc": 1e-3},
    "time": {"day": 86400.0, "days": 86400.0, "hour": 3600.0, "hours": 3600.0, "hr": 3600.0, "h": 3600.0,
             "minute": 60.0, "minutes": 60.0, "min": 60.0},
    "mass concentration": {"g/l": 1.0, "g/dl": 10.0, "mg/dl": 1e-2, "mg/l": 1e-3, "ug/ml": 1e-3, "mcg/ml": 1e-3,
                           "ng/ml": 1e-6, "ug/l": 1e-6, "pg/ml": 1e-9, "ng/dl": 1e-8, "ug/dl": 1e-5},
    "amount concentration": {"mol/l": 1.0, "mmol/l": 1e-3, "umol/l": 1e-6},
    "pressure": {"mmhg": 1.0, "kpa": 7.50062},
    "share": {"%": 0.01, "percent": 0.01},
    "rate": {"bpm": 1.0, "/min": 1.0, "insp/min": 1.0},
}  # fmt: skip
_KELVIN: Mapping[str, tuple[float, float]] = {  # unit → (factor, offset): kelvin = factor * (value + offset)
    "c": (1.0, 273.15), "celsius": (1.0, 273.15), "f": (5 / 9, 459.67), "fahrenheit": (5 / 9, 459.67),
}  # fmt: skip
_DIMENSION_OF = {unit: dimension for dimension, units in _SCALES.items() for unit in units} | dict.fromkeys(
    _KELVIN, "temperature"
)


def plain_unit(unit: str) -> str:
    """A unit as it is looked up: `°F`, `deg F`, `Deg. F` are `f`; `µg/mL` is `ug/ml`."""
    plain = unit.strip().lower().replace("µ", "u").replace("μ", "u").replace("°", "").rstrip(".")
    for prefix in ("degrees", "degree", "deg.", "deg"):
        plain = plain.removeprefix(prefix)
    return plain.strip()


def is_unit(text: str) -> bool:
    """Whether a word is a unit that can be converted."""
    return plain_unit(text) in _DIMENSION_OF


def convert(value: float, unit: str, wanted: str) -> float | None:
    """`value` in the wanted unit, to ten significant digits; None when the two measure different things."""
    have, want = plain_unit(unit), plain_unit(wanted)
    if have == want:
        return value
    dimension = _DIMENSION_OF.get(have)
    if dimension is None or dimension != _DIMENSION_OF.get(want):
        return None
    if dimension == "temperature":
        (factor, offset), (to_factor, to_offset) = _KELVIN[have], _KELVIN[want]
        converted = factor * (value + offset) / to_factor - to_offset
    else:
        converted = value * _SCALES[dimension][have] / _SCALES[dimension][want]
    return float(f"{converted:.10g}")
