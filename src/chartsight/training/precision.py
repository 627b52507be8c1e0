"""Which number format a machine multiplies fastest in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def use_bfloat16(precision: Precision) -> bool:
    """Whether to compute in bfloat16; `auto` where it is native, because emulated it is slower than float32."""
    if precision != "auto":
        return precision == "bfloat16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    processor = Path("/proc/cpuinfo")
    return processor.is_file() and any(flag in processor.read_text() for flag in ("avx512_bf16", "amx_bf16"))
