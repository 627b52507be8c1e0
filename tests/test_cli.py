"""The command line: the verbs and flags are a closed list, results go to stdout, mistakes to stderr with their code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer

from chartsight import __version__
from chartsight.cli import app, main, run_command
from chartsight.demo import open_data_steps, synthetic_steps
from chartsight.errors import ChartsightError, GateError, RecordError
from chartsight.exits import exit_code
from tests.questions.released_files import STUDIES, picc_item, write_items, write_record
from tests.signals import heed_interrupts

pytest_plugins = ["tests.fixtures_hospital"]

# A verb or a flag is a promise to everyone's scripts. To add, rename or remove one, change this list, the contracts'
# page and the changelog together. Arguments in capitals, in their order.
COMMAND_LINE = {
    "hospital": "OUT --recipe --patients --seed --style --difficulty --confounding --film-size --bits --label-noise "
    "--report-omission --set --workers --force --quiet -q --json",
    "hospital-card": "HOSPITAL OUT --reference --force --json",
    "records build": "OUT --mimiciv --mimic-iv-note --mimic-cxr-jpg --mimic-cxr-reports --chest-imagenome --meds "
    "--films --labels --terms --findings --columns --pair-films --no-pair-films --seed --memory-limit "
    "--force --quiet -q --json",
    "records build-ehrsql": "OUT --mimiciv --meds --memory-limit --force --quiet -q --json",
    "records build-ehrxqa": "OUT --mimiciv --mimic-cxr-jpg --chest-imagenome --split --patients --staying "
    "--valid-share --max-study-order --any-version --memory-limit --workers --force --quiet -q --json",
    "questions build": "RECORD OUT --seed --per-film --yes-share --unmentioned --test-share --valid-share "
    "--min-support --templates --all-views --kinds --per-template --per-kind --force --quiet -q --json",
    "questions import": "FILE OUT --format --images --record --database --split --terms --seed "
    "--force --quiet -q --json",
    "questions export": "QUESTIONS OUT --format --text --subset --max-length --image-tokens --allow-leakage --force "
    "--quiet -q --json",
    "questions card": "QUESTIONS OUT --near-duplicates --force --quiet -q --json",
    "questions curate": "QUESTIONS OUT --action --subset --ties --no-ties --leakage --max-prior --near-duplicates "
    "--pairs --seed --force --quiet -q --json",
    "doctor": "RECIPE --set --quiet -q --json",
    "train": "RECIPE OUT --set --resume --force --quiet -q --json",
    "predict": "MODEL QUESTIONS OUT --condition --split --seed --limit --sets --scoring --shots --device --engine "
    "--workers --endpoint --served --concurrency --timeout --attest --force --quiet -q --json",
    "compare": "RECIPE OUT --shareable --force --quiet -q --json",
    "audit": "MODEL QUESTIONS OUT --twin --role --split --limit --resamples --seed --force --quiet -q --json",
    "sql": "RECORD QUERY --mode --explain --model --budget --batch --now --answers --validation --evidence --films "
    "--device --force --quiet -q --json",
    "ask": "RECORD QUESTION --patient --model --explain --budget --now --answers --device --json",
    "records copy": "RECORD TARGET --force --quiet -q --json",
    "review export": "COMPARISON OUT --questions --models --items --rater --double --repeats --seed --film-pixels "
    "--title --shareable --force --json",
    "review import": "REVIEW OUT RATINGS --shareable --force --json",
    "review agree": "RATINGS OUT --bootstrap --seed --force --json",
    "convert": "SOURCE OUT --base --tower --tower-from --template --name --terms --delta --lora --check "
    "--force --quiet -q --json",
    "models list": "--json",
    "models merge": "MODEL OUT --dtype --force --json",
}


def verbs(command: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every verb with its command."""
    if hasattr(command, "commands"):
        for word, below in command.commands.items():
            yield from verbs(below, (*name, word))
    else:
        yield " ".join(name), command


def words(command: Any) -> tuple[list[str], set[str]]:
    """Arguments in their order, flags in none."""
    arguments = [each.name.upper() for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    return arguments, {word for each in options for word in (*each.opts, *each.secondary_opts)}


def test_the_command_line_is_closed() -> None:
    listed = {verb: text.split() for verb, text in COMMAND_LINE.items()}
    expected = {
        verb: ([each for each in text if each.isupper()], {each for each in text if each.startswith("-")})
        for verb, text in listed.items()
    }
    command = typer.main.get_command(app)
    assert {verb: words(each) for verb, each in verbs(command)} == expected
    assert words(command) == ([], {"--version"})


def test_every_verb_and_flag_is_explained() -> None:
    for verb, command in verbs(typer.main.get_command(app)):
        assert command.help, verb
        silent = [each.name for each in command.params if not getattr(each, "help", None)]
        assert not silent, f"{verb}: no help for {silent}"


def ended(arguments: list[str]) -> int:
    """The exit code of `chartsight arguments`."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return int(end.value.code or 0)


def test_version_and_bare_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"
    assert ended([]) == 0
    assert "Usage" in capsys.readouterr().out


def test_python_m_chartsight_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "chartsight", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")


# ---------------------------------------------------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (RecordError("some-code", "file.csv", "is broken", "a whole one", "mend it"), 2),
        (GateError("leakage", "questions", "2 patients stand in train and in test"), 3),
        (KeyboardInterrupt(), 130),
        (typer.Abort(), 130),
        (typer.Exit(0), 0),
        (typer.BadParameter("no such thing"), 2),
        (OSError(28, "No space left on device", "/somewhere/file"), 2),
        (PermissionError(13, "Permission denied", "/somewhere/file"), 2),
        (OSError(5, "Input/output error", "/somewhere/file"), 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_codes(raised: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def call() -> None:
        raise raised

    assert exit_code(call) == code
    printed = capsys.readouterr()
    assert printed.err.count("\n") == (0 if code == 0 else 1)
    assert printed.out == ""


def test_a_bug_keeps_its_traceback() -> None:
    def call() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exit_code(call)


@pytest.mark.parametrize(("sent", "workers"), [("SIGINT", 1), ("SIGINT", 2), ("SIGTERM", 2)])
def test_an_interrupted_verb_says_so_and_leaves_nothing(tmp_path: Path, sent: str, workers: int) -> None:
    with drawing(tmp_path / "hospital", workers) as process:
        process.send_signal(getattr(signal, sent))
        _, errors = process.communicate(timeout=60)
    # Python ends by SIGINT itself when the interrupt fell into an exec of text: to a shell that is 130 as well.
    assert process.returncode in {"SIGINT": (130, -signal.SIGINT), "SIGTERM": (143,)}[sent]
    assert errors == {"SIGINT": "interrupted\n", "SIGTERM": ""}[sent]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
def test_a_killed_verb_takes_its_processes_along(tmp_path: Path) -> None:
    with drawing(tmp_path / "hospital", 2) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
        process.communicate(timeout=20)
    assert len(children) >= 2
    deadline = time.monotonic() + 10
    while (alive := [pid for pid in children if is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive


def is_running(pid: str) -> bool:
    """Whether there is such a process; one that has ended and waits for its parent has no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


@contextmanager
def drawing(out: Path, workers: int) -> Iterator[subprocess.Popen[str]]:
    """`chartsight hospital` that is drawing films."""
    arguments = ["hospital", str(out), "--patients", "300", "--film-size", "64", "--workers", str(workers)]
    process = subprocess.Popen(
        [sys.executable, "-m", "chartsight", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        # While a compiled module is being imported an interrupt may get lost, so it is sent when films are being drawn.
        while not any(out.parent.rglob("*.jpg")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert any(out.parent.rglob("*.jpg")), "it never began"
        yield process
    finally:
        process.kill()


def test_a_lesson_s_key_that_is_set_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "tower.yaml"
    recipe.write_text("kind: tower\nname: x\nbase: starter\ntargets: t.parquet\nfilms: f.parquet\n")
    assert ended(["train", str(recipe), str(tmp_path / "out"), "--set", "seed=1", "--set", "seed=2"]) == 2
    assert capsys.readouterr().err == "error: --set seed: is said twice; expected one value for it\n"
    assert ended(["train", str(recipe), str(tmp_path / "out"), "--resume"]) == 2
    assert "a lesson of kind tower starts anew" in capsys.readouterr().err


def test_a_dial_that_is_set_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["hospital", str(tmp_path / "h"), "--patients", "2", "--set", "patients=3"]) == 2
    assert capsys.readouterr().err == "error: --set patients: is said twice; expected one value for it\n"
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------------------------------------- environment


def test_a_flag_goes_before_the_environment_and_that_before_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hospital.yaml").write_text("patients: 4\nseed: 5\nfilm_size_px: 96\n")
    monkeypatch.setenv("CHARTSIGHT_HOSPITAL_PATIENTS", "3")
    monkeypatch.setenv("CHARTSIGHT_HOSPITAL_SEED", "6")
    monkeypatch.setenv("CHARTSIGHT_HOSPITAL_SET", "film_size_px=64 label_noise=0.25")
    monkeypatch.setenv("CHARTSIGHT_JSON", "1")
    arguments = ["hospital", str(tmp_path / "h"), "--recipe", str(tmp_path / "hospital.yaml"), "--workers", "1"]
    assert ended([*arguments, "--patients", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"]["patients"] == 2
    config = json.loads((tmp_path / "h" / "run.json").read_text("utf-8"))["config"]
    chosen = {name: config[name] for name in ("patients", "seed", "film_size_px", "label_noise")}
    assert chosen == {"patients": 2, "seed": 6, "film_size_px": 64, "label_noise": 0.25}
    monkeypatch.setenv("CHARTSIGHT_HOSPITAL_WORKERS", "many")
    assert ended(["hospital", str(tmp_path / "other")]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert json.loads(printed.out)["error"]["code"] == "bad-option"


def test_every_variable_is_named_in_the_help() -> None:
    command = typer.main.get_command(app)
    for verb, each in verbs(command):
        named = {name for option in each.params for name in [option.envvar or ()] if isinstance(name, str)}
        assert "CHARTSIGHT_JSON" in named, verb
        assert all(name.startswith("CHARTSIGHT_") for name in named), verb


# ------------------------------------------------------------------------------------------------------------- results


def test_the_first_three_verbs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, record, questions = tmp_path / "h", tmp_path / "r.duckdb", tmp_path / "q.parquet"
    assert ended(["hospital", str(out), "--patients", "3", "--film-size", "64", "--workers", "1", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["hospital"] == str(out) and made["kept"]["patients"] == 3
    arguments = ["records", "build", str(record), "--mimiciv", str(out / "mimic-iv")]
    assert ended([*arguments, "--mimic-cxr-jpg", str(out / "mimic-cxr-jpg"), "--json"]) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["kept"]["patients"] == 3 and built["kept"]["films"] == made["kept"]["films"]
    assert (built["terms"], built["pairing"], built["dropped"]) == ("synthetic", "synthetic", {})
    assert ended(["questions", "build", str(record), str(questions), "--min-support", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{questions}: ") and "questions" in printed.out and printed.err == ""
    assert questions.is_file()


def test_a_released_set_is_imported_described_curated_and_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = write_record(tmp_path)
    items = [picc_item(n, study, [n % 2], "test" if n > 11 else "train") for n, study in enumerate(STUDIES)]
    source = write_items(tmp_path / "r.json", [*items, picc_item(99, 51234567, [1])])
    questions, pairs, page = tmp_path / "q.parquet", tmp_path / "pairs.parquet", tmp_path / "card.html"
    arguments = ["questions", "import", str(source), str(questions), "--format", "ehrxqa", "--terms", "synthetic"]
    assert ended([*arguments, "--record", str(record)]) == 0
    printed = capsys.readouterr().out
    assert "16 questions" in printed and "dropped 1: study not in the record" in printed
    assert "fault 16: shuffled-pairing" in printed and "pairing ehrxqa-shuffled" in printed
    assert ended(["questions", "card", str(questions), str(page), "--near-duplicates", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["leakage"]["near_duplicates"]["films"] == 16
    assert ended(["questions", "curate", str(questions), str(pairs), "--pairs"]) == 0
    printed = capsys.readouterr().out
    assert "unpaired" in printed and "test answered right by a majority alone: 50.0 %" in printed
    arguments = ["questions", "export", str(pairs), str(tmp_path / "llava"), "--subset", "poster", "--json"]
    assert ended(arguments) == 0
    assert json.loads(capsys.readouterr().out)["kept"]["questions"] == 16
    assert ended([*arguments, "--max-length", "512", "--force"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "answer-cut-off"
    assert ended(["questions", "import", str(source), "x.parquet", "--format", "ehrxqa"]) == 2
    assert "records build" in capsys.readouterr().err


def test_json_of_a_result_is_all_that_stands_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["models", "list", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_an_error_as_json(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "chartsight", "questions", "build", str(tmp_path / "none.duckdb"), "q.parquet"]
    done = subprocess.run([*arguments, "--json"], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error.keys() == {"code", "where", "found", "expected", "hint"}
    assert error["code"] == "missing-record" and error["where"].endswith("none.duckdb")
    assert done.stderr == f"error: {ChartsightError(**error)}\n"


def test_an_error_as_json_of_a_call_from_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["questions", "build", str(tmp_path / "none.duckdb"), "q.parquet", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "missing-record"


def test_a_wrong_option_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["hospital", "out", "--patients", "many", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "bad-option" and "--patients" in error["found"]


def test_force_replaces(tiny_hospital: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "record.duckdb"
    out.write_text("something else")
    arguments = ["records", "build", str(out), "--mimiciv", str(tiny_hospital / "mimic-iv")]
    assert ended(arguments) == 2
    assert out.read_text() == "something else"
    assert "--force" in capsys.readouterr().err
    assert ended([*arguments, "--force", "--quiet"]) == 0
    assert out.stat().st_size > 10_000


def test_run_command_leaves_errors_to_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ChartsightError):
        run_command(["questions", "build", str(tmp_path / "none.duckdb"), str(tmp_path / "q.parquet")])


def test_no_colour_codes_when_piped(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chartsight", "hospital", str(tmp_path)], capture_output=True, text=True, timeout=60,
        env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    assert done.returncode == 2 and "\x1b" not in done.stderr


# ------------------------------------------------------------------------------------------------------------- the demo


def parse(arguments: list[str]) -> None:
    """Reads the arguments as the command line does, without running the verb; an unknown flag raises."""
    command: Any = typer.main.get_command(app)
    words = list(arguments)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context("verb", words)


@pytest.mark.parametrize(
    "steps",
    [synthetic_steps(Path("demo")), open_data_steps(Path("demo-open-data"), Path("data"))],
    ids=["synthetic", "open-data"],
)
def test_every_step_of_the_demo_is_on_the_command_line(steps: list[tuple[str, list[str]]]) -> None:
    assert [words[0] for _, words in steps][-4:] == ["questions", "train", "train", "compare"]
    made: set[str] = set()
    for sentence, arguments in steps:
        parse(arguments)
        assert sentence.endswith(".")
        made.add(arguments[2] if arguments[0] == "records" else arguments[-1] if arguments[0] != "hospital" else "")
    assert len(made) == len(steps), "every step makes an output of its own"


def test_the_parser_of_the_demo_sees_a_wrong_flag() -> None:
    parse(["hospital", "out", "--patients", "3"])
    for wrong in (["hospital", "out", "--patient", "3"], ["hospital", "out", "--patients", "x"], ["hospital"]):
        with pytest.raises(typer.BadParameter.__mro__[2]):
            parse(wrong)
    with pytest.raises(KeyError):
        parse(["hospitals", "out"])
