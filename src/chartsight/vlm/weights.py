"""Weights on disk, one tensor at a time: `.bin` and safetensors, whole or in shards, and shards written anew.

Nothing is held but what is being looked at: `.bin` files are mapped into memory, safetensors read a tensor at a time. A
`.bin` is a pickle; torch's own reader of weights alone opens it, and one that holds code is refused.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chartsight.errors import CheckpointError
from chartsight.progress import track
from chartsight.runs import write_json

if TYPE_CHECKING:
    import torch
    from torch import Tensor

WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
SHARD_BYTES = 2 * 10**9  # what is held while a model is written; the hub's own shards are larger
NAMED = 4  # keys that a message names


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that is still on disk.

    Args:
        file: Where it is, for messages.
        shape: Of the tensor.
        dtype: Likewise.
        read: Reads it.
    """

    file: Path
    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor."""
        size = self.dtype.itemsize
        for side in self.shape:
            size *= side
        return size


Weights = Mapping[str, StoredTensor]


def read_weights(folder: Path) -> Weights:
    """Every tensor of a model folder, by key.

    Raises:
        CheckpointError: No weights; a shard is missing, cut short, or holds code; shards and their index differ.
    """
    for name in INDEXES:
        if (folder / name).is_file():
            return _read_shards(folder / name)
    for name in WHOLE:
        if (folder / name).is_file():
            return read_file(folder / name)
    raise CheckpointError("no-weights", folder, "holds no weights", " or ".join((*WHOLE, *INDEXES)))


def _read_shards(index: Path) -> Weights:
    try:
        shard_of: dict[str, str] = json.loads(index.read_text("utf-8"))["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError("bad-index", index, "is no index of shards", "a JSON object with weight_map") from error
    weights: dict[str, StoredTensor] = {}
    for name in sorted(set(shard_of.values())):
        if Path(name).name != name:
            raise CheckpointError("bad-index", index, f"names a shard elsewhere: {name}", "files beside it")
        found = read_file(index.with_name(name))
        told = {key for key, shard in shard_of.items() if shard == name}
        if differing := sorted(told ^ found.keys()):
            raise CheckpointError(
                "other-weights", index.with_name(name), f"differs from {index.name}: {listed(differing)}",
                "the tensors that the index says",
            )  # fmt: skip
        weights.update(found)
    return weights


def read_file(path: Path) -> Weights:
    """Every tensor of one `.bin` or safetensors file, by key.

    Raises:
        CheckpointError: It is missing, cut short, no file of weights, or holds code.
    """
    if not path.is_file():
        raise CheckpointError("missing-shard", path, "is missing", "the whole checkpoint")
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)


def _read_safetensors(path: Path) -> Weights:
    from safetensors import SafetensorError, safe_open

    def reader(file: Any, key: str) -> Callable[[], Tensor]:
        return lambda: file.get_tensor(key)

    try:
        file: Any = safe_open(path, "pt")
        weights = {}
        for key in list(file.keys()):
            part = file.get_slice(key)
            shape, dtype = tuple(part.get_shape()), _torch_dtype(part.get_dtype())
            weights[key] = StoredTensor(path, shape, dtype, reader(file, key))
    except (SafetensorError, OSError, KeyError) as error:
        raise _cut_short(path, error) from error
    return weights


def _torch_dtype(name: str) -> torch.dtype:
    """torch's type for safetensors' name: F16, BF16, F32, F64, I64, ...

    Raises:
        KeyError: Neither floats nor integers.
    """
    import torch

    return {
        "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64, "I64": torch.int64,
        "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
    }[name]  # fmt: skip


def _read_pickle(path: Path) -> Weights:
    import torch

    try:
        stored = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except pickle.UnpicklingError as error:
        if "Weights only load failed" in str(error) and "global" in str(error).lower():
            raise CheckpointError(
                "code-in-weights", path, "holds code, not tensors alone", "weights", "take them from who made them"
            ) from error
        raise _cut_short(path, error) from error
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        raise _cut_short(path, error) from error
    if not isinstance(stored, Mapping) or not all(isinstance(each, torch.Tensor) for each in stored.values()):
        raise CheckpointError("no-weights", path, "is no table of tensors", "a state dict")

    def reader(tensor: Tensor) -> Callable[[], Tensor]:
        return lambda: tensor

    return {key: StoredTensor(path, tuple(each.shape), each.dtype, reader(each)) for key, each in stored.items()}


def _is_zip(path: Path) -> bool:
    """Whether torch 1.6 or later wrote it; older files cannot be mapped, and are read whole."""
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _cut_short(path: Path, error: Exception) -> CheckpointError:
    reason = f"{type(error).__name__}: {str(error).strip().split(chr(10))[0][:100]}"
    return CheckpointError(
        "bad-shard", path, f"cannot be read ({reason})", "whole weights; it may be cut short", "fetch it again"
    )


def listed(keys: Iterable[str]) -> str:
    """The first keys, and how many more there are."""
    names = sorted(keys)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


@cache
def plan_shards(sizes: tuple[int, ...], limit: int) -> tuple[range, ...]:
    """Which tensors go together, by index, in order: at most `limit` bytes each, a larger tensor alone."""
    shards: list[range] = []
    start, held = 0, 0
    for n, size in enumerate(sizes):
        if n > start and held + size > limit:
            shards.append(range(start, n))
            start, held = n, 0
        held += size
    return (*shards, range(start, len(sizes)))


def write_weights(folder: Path, weights: Weights, *, limit: int = SHARD_BYTES, quiet: bool = False) -> None:
    """`weights` as safetensors in `folder`, one shard held at a time: `model.safetensors`, or shards with their index.

    Raises:
        OSError, SafetensorError: The disk is full; see `runs.is_disk_full`.
    """
    keys = list(weights)
    shards = plan_shards(tuple(weights[key].nbytes for key in keys), limit)
    shard_of = {}
    for n, shard in enumerate(track(shards, "writing weights", quiet=quiet), start=1):
        name = WHOLE[0] if len(shards) == 1 else f"model-{n:05d}-of-{len(shards):05d}.safetensors"
        tensors = {keys[i]: weights[keys[i]] for i in shard}
        write_weights_as(folder / name, tensors)
        shard_of.update(dict.fromkeys(tensors, name))
    if len(shards) > 1:
        total = sum(each.nbytes for each in weights.values())
        write_json(folder / INDEXES[0], {"metadata": {"total_size": total}, "weight_map": shard_of})


def write_weights_as(path: Path, weights: Weights) -> None:
    """`weights` as one safetensors file."""
    from safetensors.torch import save_file

    # A clone each: tensors that share their memory in the source may not share it in the file.
    save_file({key: each.read().clone().contiguous() for key, each in weights.items()}, path, metadata={"format": "pt"})


def digest(weights: Iterable[tuple[str, StoredTensor]]) -> str:
    """sha256 over names, shapes and values (as float32, whatever they are stored as), in the order of the names."""
    total = hashlib.sha256()
    for key, each in sorted(weights, key=lambda pair: pair[0]):
        total.update(f"{key}:{each.shape}\n".encode())
        total.update(tensor_bytes(each.read().float()))
    return total.hexdigest()


def tensor_bytes(tensor: Tensor) -> bytes:
    """The bytes of a tensor of any type."""
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def differences(one: Weights, other: Weights, keys: Iterable[str]) -> Iterator[tuple[str, float]]:
    """The largest absolute difference of each tensor of `keys`; infinite where the shapes differ."""
    for key in keys:
        left, right = one[key].read().float(), other[key].read().float()
        yield key, float("inf") if left.shape != right.shape else float((left - right).abs().max())


def changed(stored: StoredTensor, read: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> StoredTensor:
    """`stored` with something done to it when it is read, which gives it `shape`."""
    return StoredTensor(stored.file, shape, stored.dtype, lambda: read(stored.read()))
