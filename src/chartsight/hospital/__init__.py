"""The synthetic hospital: tables in MIMIC-IV layout, rendered radiographs, every truth known."""

from chartsight.hospital.build import build_hospital
from chartsight.hospital.config import HospitalConfig

__all__ = ["HospitalConfig", "build_hospital"]
