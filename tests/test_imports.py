"""What imports what: the table of edges, and that the light parts of the package stay light."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "chartsight"
FOUNDATION = {"errors", "exits", "figures", "processes", "progress", "recipes", "runs", "schema"}
TOP = {"__main__", "cli", "demo"}  # may import everything
HEAVY = ("torch", "transformers", "pandas")
LIGHT = (
    "chartsight", "chartsight.cli", "chartsight.records", "chartsight.questions", "chartsight.evaluation",
    "chartsight.comparison", "chartsight.hospital", "chartsight.imaging", "chartsight.prediction",
    "chartsight.translate", "chartsight.assistant", "chartsight.neuralsql", "chartsight.review",
    "chartsight.audit",
)  # fmt: skip


def loaded_by(statement: str) -> str:
    """The heavy packages that a fresh Python has loaded after `statement`."""
    program = f"import sys\n{statement}\nprint('loaded', *(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].removeprefix("loaded").strip()


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") == ""


def test_the_probe_sees_a_heavy_module() -> None:
    assert loaded_by("sys.modules['torch'] = sys") == "torch"


def test_help_loads_nothing_heavy(capsys: pytest.CaptureFixture[str]) -> None:
    assert loaded_by("from chartsight.cli import run_command\nrun_command(['--help'])") == ""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "chartsight", "--help"], capture_output=True, text=True, timeout=60)
    seconds = time.perf_counter() - started
    with capsys.disabled():
        print(f" chartsight --help: {seconds:.2f} s", end="")
    assert done.returncode == 0 and "questions" in done.stdout and done.stderr == ""


# ------------------------------------------------------------------------------------------------- the table of edges


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    return list(settings["contracts"])


def rooms() -> set[str]:
    """Every module and package directly below chartsight."""
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return packages | {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}


def test_every_room_stands_in_the_table() -> None:
    known = {source for contract in contracts() for source in contract["source_modules"]}
    missing = {room for room in rooms() - TOP if f"chartsight.{room}" not in known}
    assert not missing, f"no contract of [tool.importlinter] in pyproject.toml names {missing}"


@pytest.mark.parametrize(
    "contract", [each for each in contracts() if ": the foundation" in each["name"]], ids=lambda each: each["name"]
)
def test_a_contract_forbids_all_that_its_name_does_not_allow(contract: dict[str, Any]) -> None:
    room, _, allowed = contract["name"].partition(": the foundation")
    may = {each.strip() for each in allowed.removeprefix(" and ").split(",") if each.strip()}
    assert contract["source_modules"] == [f"chartsight.{room}"]
    assert {each.removeprefix("chartsight.") for each in contract["forbidden_modules"]} == (
        rooms() - FOUNDATION - may - {room}
    )


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
    )  # fmt: skip


def test_the_edges_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("evaluation/metrics.py", "from chartsight.vlm import prompts", "evaluation: the foundation"),
        ("questions/splits.py", "def lazy():\n    import torch", "no torch below the model"),
        ("schema.py", "import chartsight.runs", "errors, schema, processes and progress import nothing of ours"),
    ],
)
def test_a_broken_edge_is_found(tmp_path: Path, module: str, line: str, broken: str) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("models", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / "src" / "chartsight" / module
    path.write_text(f"{path.read_text('utf-8')}\n\n{line}\n", "utf-8")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert [row for row in done.stdout.splitlines() if row.startswith(broken[:40]) and "KEPT" not in row]
