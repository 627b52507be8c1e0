"""The synthetic hospital: tables in MIMIC-IV layout, rendered radiographs, every truth known."""
