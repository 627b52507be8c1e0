"""The work folder beside an output: finished steps stay, so that a run that was ended goes on where it stopped.

    .ehrxqa.sqlite.work/
        inputs.json                  what the steps were made from; another input empties the folder
        labels/                      a finished step: its files, and done.json (its facts)
        labevents.partial/           a step that was under way; removed and done again

A step appears by one rename, after its facts were written: what is there is whole.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chartsight.errors import OutputError
from chartsight.runs import disk_full, is_disk_full, make_folder, remove, write_json

Facts = dict[str, Any]
Work = Callable[[Path], Facts | None]
DONE, INPUTS, LOCK = "done.json", "inputs.json", "lock"
DATABASE = "ehrxqa.sqlite"  # of the last step
LOCK_WAIT_S = 2.0  # workers of a run that was killed end with it, a moment later


class Steps:
    """The steps of one output.

    Args:
        folder: The work folder; it exists.
        lock: The descriptor that holds the folder for this run; None in a worker, which has its own.
    """

    def __init__(self, folder: Path, lock: int | None = None) -> None:
        self.folder, self.lock = folder, lock

    def path(self, step: str, name: str) -> Path:
        """A file of a finished step."""
        return self.folder / step / name

    def partial(self, step: str) -> Path:
        """The folder of a step that is under way."""
        return self.folder / f"{step}.partial"

    def is_done(self, step: str) -> bool:
        """Whether the step is whole."""
        return (self.folder / step / DONE).is_file()

    def facts(self, step: str) -> Facts:
        """What a finished step noted."""
        facts: Facts = json.loads((self.folder / step / DONE).read_text("utf-8"))
        return facts

    def run(self, step: str, work: Work) -> Facts:
        """The facts of a step; `work` fills its folder unless an earlier run did.

        Raises:
            OutputError: The disk is full.
        """
        if self.is_done(step):
            return self.facts(step)
        partial = self.partial(step)
        remove(partial)
        try:
            partial.mkdir()
            facts = work(partial) or {}
            write_json(partial / DONE, facts)
            partial.rename(self.folder / step)
        except Exception as error:
            remove(partial)
            if is_disk_full(error):
                raise disk_full(self.folder) from error
            raise
        return self.facts(step)


def work_folder(out: Path) -> Path:
    """Where the steps of `out` stand."""
    return out.with_name(f".{out.name}.work")


@contextmanager
def open_steps(out: Path, inputs: Mapping[str, Any]) -> Iterator[Steps]:
    """The steps of `out`, for one run at a time; those of other inputs are forgotten. The folder stays.

    Raises:
        OutputError: Another run is at work on `out`, or the folder cannot be made.
    """
    folder = work_folder(out)
    make_folder(folder)
    with (folder / LOCK).open("w") as lock:
        if not taken(lock.fileno()):
            raise OutputError("in-use", out, "another run is building it", hint="wait for it, or end it")
        known = folder / INPUTS
        text = json.dumps(inputs, sort_keys=True, default=str)
        if not known.is_file() or known.read_text("utf-8") != text:
            for each in folder.iterdir():
                if each.name != LOCK:
                    remove(each)
            partial = folder / f"{INPUTS}.partial"
            partial.write_text(text, "utf-8")
            partial.replace(known)
        yield Steps(folder, lock.fileno())


def taken(lock: int) -> bool:
    """Whether the lock could be taken, now or in a moment."""
    until = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
