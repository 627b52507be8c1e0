"""What findings look like from the side. A new one is a function beside this and a line in `LATERAL_FINDINGS`."""

from __future__ import annotations

from collections.abc import Mapping

from chartsight.hospital.lateral.findings import devices, lung, thorax
from chartsight.hospital.lateral.findings.drawing import LateralDrawing

# None: the side view does not show it. What lies at the edge of the chest (pleural air at the apex, scars, ribs,
# clavicles, shoulders, air under the skin) is seen through the whole of it or under the arms, and what is a matter of
# left and right (turning, a bent spine) needs the view from the front.
LATERAL_FINDINGS: Mapping[str, LateralDrawing | None] = {
    "atelectasis": LateralDrawing(lung.draw_atelectasis),
    "breast/nipple shadows": None,
    "cabg grafts": LateralDrawing(devices.draw_cabg),
    "calcified nodule": LateralDrawing(lung.draw_calcified_nodule),
    "cardiac pacer and wires": LateralDrawing(devices.draw_pacer),
    "chest port": LateralDrawing(devices.draw_chest_port),
    "chest tube": LateralDrawing(devices.draw_chest_tube),
    "clavicle fracture": None,
    "consolidation": LateralDrawing(lung.draw_consolidation),
    "cyst/bullae": None,
    "elevated hemidiaphragm": LateralDrawing(thorax.outline_dome),
    "endotracheal tube": LateralDrawing(devices.draw_airway),
    "enlarged cardiac silhouette": LateralDrawing(thorax.outline_heart),
    "enlarged hilum": LateralDrawing(thorax.draw_enlarged_hilum),
    "enteric tube": LateralDrawing(devices.draw_enteric_tube),
    "hernia": LateralDrawing(thorax.draw_hernia),
    "hydropneumothorax": LateralDrawing(lung.draw_hydropneumothorax),
    "hyperaeration": LateralDrawing(lung.draw_hyperaeration),
    "ij line": LateralDrawing(devices.draw_ij_line),
    "increased reticular markings/ild pattern": LateralDrawing(lung.draw_reticulation),
    "intra-aortic balloon pump": LateralDrawing(devices.draw_balloon_pump),
    "linear/patchy atelectasis": LateralDrawing(lung.draw_plates),
    "lobar/segmental collapse": LateralDrawing(lung.draw_collapse),
    "low lung volumes": LateralDrawing(lung.low_volumes),
    "mass/nodule (not otherwise specified)": LateralDrawing(lung.draw_nodule),
    "mediastinal drain": LateralDrawing(devices.draw_mediastinal_drain),
    "mediastinal widening": LateralDrawing(thorax.outline_low_mediastinum),
    "multiple masses/nodules": LateralDrawing(lung.draw_nodules),
    "picc": LateralDrawing(devices.draw_picc),
    "pleural effusion": LateralDrawing(lung.draw_effusion),
    "pleural/parenchymal scarring": None,
    "pneumothorax": None,
    "prosthetic valve": LateralDrawing(devices.draw_prosthetic_valve),
    "pulmonary edema/hazy opacity": LateralDrawing(lung.draw_edema),
    "rib fracture": None,
    "rotated": None,
    "scoliosis": None,
    "shoulder osteoarthritis": None,
    "spinal degenerative changes": LateralDrawing(thorax.draw_spinal_degenerative_changes),
    "sub-diaphragmatic air": LateralDrawing(thorax.draw_subdiaphragmatic_air),
    "subclavian line": LateralDrawing(devices.draw_subclavian_line),
    "subcutaneous air": None,
    "swan-ganz catheter": LateralDrawing(devices.draw_swan_ganz),
    "tortuous aorta": LateralDrawing(thorax.draw_tortuous_aorta),
    "tracheostomy tube": LateralDrawing(devices.draw_airway),
    "vascular calcification": LateralDrawing(thorax.draw_vascular_calcification),
    "vascular congestion": LateralDrawing(lung.draw_congestion),
}
