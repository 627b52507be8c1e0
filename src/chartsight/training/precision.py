"""Which number format a machine multiplies fastest in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]
NATIVE = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 has a flag for each of the first two, ARM calls its own bf16


def use_bfloat16(precision: Precision) -> bool:
    """Whether to compute in bfloat16; `auto` where it is native, because emulated it is slower than float32."""
    if precision != "auto":
        return precision == "bfloat16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    processor = Path("/proc/cpuinfo")
    return processor.is_file() and multiplies_bfloat16(processor.read_text())


def multiplies_bfloat16(cpuinfo: str) -> bool:
    """Whether a processor that describes itself so (Linux's /proc/cpuinfo) has instructions for bfloat16."""
    told = (line.partition(":")[2].split() for line in cpuinfo.splitlines() if line.startswith(("flags", "Features")))
    return any(NATIVE & set(flags) for flags in told)
