"""Outputs that appear whole or not at all, and the manifest (`run.json`) that stands beside each.

    with new_output(Path("record.duckdb")) as partial:      # a hidden sibling; renamed at the end, removed on failure
        build(partial)
    run.write(...)

Every verb writes new files and one manifest; no verb edits its input.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from chartsight import __version__
from chartsight.errors import OutputError
from chartsight.schema import SCHEMA_VERSION, Pairing, Terms

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DISK_FULL_WORDS = (
    "No space left on device",
    "Disk quota exceeded",
    "File too large",
    "os error 28)",
    "failed to offload data block",
    "database or disk is full",
)
NAME_REFUSED = {errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS}  # about the name of a file, whatever was asked of it
DEVICE_REFUSED = {errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE}  # about who may, and a disk that cannot
LONGEST_SHOWN = 120
MARKS_OF_OURS = ("run.json", "chartsight.json", "films.json")  # of a run, a model, a film cache
RECORDED_PACKAGES = ("duckdb", "numpy", "peft", "pillow", "pyarrow", "torch", "transformers")


@contextmanager
def new_output(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """A place to build `path` in: renamed to `path` when the block ends, removed when it fails.

    Args:
        path: The file or folder to appear. The block creates it (a folder: `partial.mkdir()`).
        replace: Replace an existing output instead of refusing it; never a folder that chartsight did not make, and
            never a folder by a file.

    Raises:
        OutputError: `path` exists, its parent is no folder or may not be written, or the disk fills up on the way.
    """
    path = Path(path)
    if os.path.lexists(path) and not replace:
        raise OutputError("output-exists", path, "exists already", hint="choose another name or pass --force")
    if not path.name or path.name == "..":
        raise OutputError("no-name", path, "has no name of its own", "the name of a new file or folder")
    check_replaceable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise OutputError("no-folder", path.parent, "is or lies in a file", "a folder") from None
    except PermissionError as error:
        raise OutputError("not-writable", path.parent, "may not be made", hint="choose another place") from error
    if not os.access(path.parent, os.W_OK):
        raise OutputError("not-writable", path.parent, "may not be written", hint="choose another folder")
    check_place(path)
    partial = partial_of(path)
    try:
        yield partial
        if path.is_dir() and not partial.is_dir():
            raise OutputError("output-exists", path, "is a folder", "a file, or nothing", "choose another name")
        if replace:
            remove(path)
        partial.rename(path)
    except Exception as error:
        if is_disk_full(error):
            raise disk_full(path) from error
        if not isinstance(error, OSError):
            raise
        if not path.parent.is_dir() or Path(error.filename or "").name == partial.name:
            raise OutputError("not-writable", path, error.strerror or "cannot be made") from error
        raise
    finally:
        remove(partial)


@contextmanager
def removed_on_failure(*outputs: Path) -> Iterator[None]:
    """Keeps the outputs of one run together: when the block fails, what is there of them goes.

        write_questions(out, questions)                 # an existing `out` is refused here, outside the block
        with removed_on_failure(out, card):
            build_data_card(out, card)
            run.write(out)

    Raises:
        OutputError: The disk fills up in the block.
    """
    try:
        yield
    except BaseException as error:
        for output in outputs:
            remove(output)
        if is_disk_full(error):
            raise disk_full(outputs[0]) from error
        raise


def make_folder(path: Path) -> None:
    """A folder at `path`, and those above it, for a verb that fills its output step by step.

    Raises:
        OutputError: It lies in a file, or may not be made there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise OutputError("no-folder", path, "is or lies in a file", "a folder") from None
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(path) from error
        raise OutputError("not-writable", path, error.strerror or "may not be made") from error
    if not os.access(path, os.W_OK):
        raise OutputError("not-writable", path, "may not be written", hint="choose another folder")


def check_place(path: Path) -> None:
    """Nothing, when a file can be made beside `path`; nothing is left there.

    Raises:
        OutputError: The operating system makes none: a name that is too long, a folder such as /proc whatever its
            permissions say (DuckDB and Arrow report that badly), a full disk.
    """
    partial = partial_of(path)
    try:
        remove(partial)
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise disk_full(path) if is_disk_full(error) else refused(path, error) from error


def partial_of(path: Path) -> Path:
    """Where `path` is built before it appears: a hidden sibling of this process."""
    return path.with_name(f".{path.name}.partial-{os.getpid()}")


def refused(path: Path, error: OSError) -> OutputError:
    """The one line for a place where the operating system makes nothing."""
    hint = "choose a shorter name" if error.errno == errno.ENAMETOOLONG else "choose another place"
    return OutputError("not-writable", shortened(path), error.strerror or "cannot be made", hint=hint)


def shortened(path: Path | str) -> str:
    """`path` for a message: its name cut when no file system takes it."""
    text = str(path)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def check_replaceable(path: Path) -> None:
    """Nothing, when `path` is free, a file, an empty folder, or a folder that chartsight made.

    Raises:
        OutputError: It is a folder of something else, which no --force removes.
    """
    if path.is_dir() and not path.is_symlink() and any(path.iterdir()):
        if any((path / mark).is_file() for mark in MARKS_OF_OURS):
            return
        raise OutputError("output-exists", path, "is a folder of something else", hint="choose another name")


def check_apart(output: Path, *inputs: Path) -> None:
    """Nothing, when writing `output` leaves the inputs as they are.

    Raises:
        OutputError: `output` is one of them, or a folder that holds one.
    """
    for each in inputs:
        if each.resolve().is_relative_to(output.resolve()):
            raise OutputError("output-is-input", output, f"is or holds the input {each}", "a place of its own")


def is_disk_full(error: BaseException) -> bool:
    """Whether the disk or a quota ended the work; safetensors, DuckDB and torch say so in words only."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return True
    return any(words in str(error) for words in DISK_FULL_WORDS)


def disk_full(path: Path) -> OutputError:
    """The one line for a full disk; nothing half-written is left behind."""
    return OutputError(
        "disk-full", path, "the disk is full or a quota is reached", hint="free some space and try again"
    )


def remove(path: Path) -> None:
    """Nothing at `path` any more, file or folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """`value` as readable JSON with sorted keys, replaced in one step."""
    partial = partial_of(path)
    try:
        partial.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n", "utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sha256_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest_path(output: Path) -> Path:
    """Where an output's manifest stands: inside a folder, beside a file (`r.duckdb` → `r.duckdb.run.json`)."""
    return output / "run.json" if output.is_dir() else output.with_name(output.name + ".run.json")


@dataclass
class Run:
    """One run of one verb: filled while it works, written at its end.

    `dropped` counts rows by reason; `dropped_rows` lists where they were (file and row number, never their content),
    at most `LISTED` of each reason. `faults` names what is wrong with rows that were kept: count, meaning, ids.
    """

    verb: str
    config: Mapping[str, Any]
    seed: int | None = None
    terms: Terms | None = None
    pairing: Pairing | None = None
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    dropped_rows: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, dict[str, Any]] = field(default_factory=dict)
    parent_runs: list[str] = field(default_factory=list)
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    started: str = field(default_factory=lambda: now())

    LISTED = 1000

    def read(self, path: Path, rows: int | None = None) -> None:
        """Note an input file with its digest."""
        self.inputs.append({"path": str(path), "sha256": sha256_file(path) if path.is_file() else None, "rows": rows})

    def drop(self, reason: str, where: object, row: int | str | None = None, count: int = 1) -> None:
        """Note rows that were left out, and where they were."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count
        if self.dropped[reason] <= self.LISTED:
            self.dropped_rows.append({"reason": reason, "where": str(where), "row": row})

    def write(self, output: Path, status: str = "done") -> Path:
        """The manifest of `output`, written beside or inside it."""
        path = manifest_path(output)
        write_json(
            path,
            {
                "schema_version": SCHEMA_VERSION,
                "run_id": self.run_id,
                "verb": self.verb,
                "argv": sys.argv,
                "config": self.config,
                "inputs": self.inputs,
                "outputs": self.outputs,
                "versions": package_versions(),
                "git": git_commit(),
                "machine": machine(),
                "seed": self.seed,
                "started": self.started,
                "finished": now(),
                "status": status,
                "terms": self.terms,
                "pairing": self.pairing,
                "counts": {"kept": self.kept, "dropped": self.dropped},
                "dropped_rows": self.dropped_rows,
                "faults": self.faults,
                "parent_runs": self.parent_runs,
            },
        )
        return path


def now() -> str:
    """The wall clock in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_manifest(output: Path) -> dict[str, Any] | None:
    """The manifest of an output, or None when it has none.

    Raises:
        OutputError: It is no JSON, or a newer chartsight wrote it.
    """
    path = manifest_path(output)
    if not path.is_file():
        return None
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
        version = manifest.get("schema_version", 0)
    except (ValueError, AttributeError) as error:
        raise OutputError("no-manifest", path, "is no manifest", "the JSON of a run", "remove it") from error
    if version > SCHEMA_VERSION:
        raise OutputError(
            "newer-schema", path, f"schema_version {version}", f"at most {SCHEMA_VERSION}",
            "upgrade chartsight",
        )  # fmt: skip
    return manifest


def package_versions() -> dict[str, str]:
    """Versions of chartsight, Python and the packages that can move a result."""
    versions = {"chartsight": __version__, "python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_commit() -> str | None:
    """The commit of the checkout that chartsight runs from, `+` when it has uncommitted changes; None in a wheel."""
    top = Path(__file__).parents[2]
    if not (top / ".git").exists():
        return None
    try:
        head = subprocess.run(["git", "-C", str(top), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        dirty = subprocess.run(
            ["git", "-C", str(top), "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory, in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    described: dict[str, Any] = {"system": platform.system(), "processor": platform.machine(), "cores": cores}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        if names:
            described["processor"] = names[0]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        described["memory_gib"] = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    return described
