"""Findings of heart, mediastinum, diaphragm and skeleton, and of how the film was taken. A new one is a file beside
this and a line in `THORAX_FINDINGS`."""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.findings.drawing import FindingDrawing
from chartsight.hospital.findings.thorax.breast_shadows import BREAST_SHADOWS
from chartsight.hospital.findings.thorax.cardiomegaly import CARDIOMEGALY
from chartsight.hospital.findings.thorax.clavicle_fracture import CLAVICLE_FRACTURE
from chartsight.hospital.findings.thorax.elevated_hemidiaphragm import ELEVATED_HEMIDIAPHRAGM
from chartsight.hospital.findings.thorax.enlarged_hilum import ENLARGED_HILUM
from chartsight.hospital.findings.thorax.hernia import HERNIA
from chartsight.hospital.findings.thorax.low_lung_volumes import LOW_LUNG_VOLUMES
from chartsight.hospital.findings.thorax.mediastinal_widening import MEDIASTINAL_WIDENING
from chartsight.hospital.findings.thorax.rib_fracture import RIB_FRACTURE
from chartsight.hospital.findings.thorax.rotated import ROTATED
from chartsight.hospital.findings.thorax.scoliosis import SCOLIOSIS
from chartsight.hospital.findings.thorax.shoulder_osteoarthritis import SHOULDER_OSTEOARTHRITIS
from chartsight.hospital.findings.thorax.spinal_degenerative_changes import SPINAL_DEGENERATIVE_CHANGES
from chartsight.hospital.findings.thorax.subcutaneous_air import SUBCUTANEOUS_AIR
from chartsight.hospital.findings.thorax.subdiaphragmatic_air import SUBDIAPHRAGMATIC_AIR
from chartsight.hospital.findings.thorax.tortuous_aorta import TORTUOUS_AORTA
from chartsight.hospital.findings.thorax.vascular_calcification import VASCULAR_CALCIFICATION

THORAX_FINDINGS: Mapping[str, FindingDrawing] = {
    "breast/nipple shadows": BREAST_SHADOWS,
    "clavicle fracture": CLAVICLE_FRACTURE,
    "elevated hemidiaphragm": ELEVATED_HEMIDIAPHRAGM,
    "enlarged cardiac silhouette": CARDIOMEGALY,
    "enlarged hilum": ENLARGED_HILUM,
    "hernia": HERNIA,
    "low lung volumes": LOW_LUNG_VOLUMES,
    "mediastinal widening": MEDIASTINAL_WIDENING,
    "rib fracture": RIB_FRACTURE,
    "rotated": ROTATED,
    "scoliosis": SCOLIOSIS,
    "shoulder osteoarthritis": SHOULDER_OSTEOARTHRITIS,
    "spinal degenerative changes": SPINAL_DEGENERATIVE_CHANGES,
    "sub-diaphragmatic air": SUBDIAPHRAGMATIC_AIR,
    "subcutaneous air": SUBCUTANEOUS_AIR,
    "tortuous aorta": TORTUOUS_AORTA,
    "vascular calcification": VASCULAR_CALCIFICATION,
}
