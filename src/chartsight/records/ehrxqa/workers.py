"""The steps of a build, one after the other or side by side in processes that each do whole steps.

    ready step ─▶ free worker ─▶ its folder appears ─▶ the steps that waited for it are ready

Workers share nothing but the folder of steps, so what a step makes does not depend on who makes it, or when. The first
step that fails ends the others. Each worker holds the lock of the folder too: while one of a killed build is still
there, no other build begins.
"""

from __future__ import annotations

import multiprocessing as mp
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from chartsight.errors import ChartsightError, RecordError
from chartsight.processes import watch_parent
from chartsight.records.ehrxqa.config import EhrxqaConfig
from chartsight.records.ehrxqa.files import Found
from chartsight.records.ehrxqa.order import steps_in_order
from chartsight.records.ehrxqa.steps import Steps
from chartsight.runs import remove


@dataclass(frozen=True)
class Job:
    """What a worker needs to know.

    Args:
        folder: Of the steps.
        found: The source files.
        config: The published constants.
        memory_gib: This worker's share.
    """

    folder: Path
    found: Found
    config: EhrxqaConfig
    memory_gib: float


def run_steps(job: Job, steps: Steps, workers: int) -> Iterator[str]:
    """Do every step that is not done yet; the names of all steps, as they are done.

    Args:
        job: For each worker.
        steps: In the folder of the job, held by this process.
        workers: 1 does the steps in this process, more in so many others.

    Raises:
        ChartsightError: A step failed, the first one; or a worker was killed.
    """
    needs = steps_in_order()
    if workers > 1:
        yield from run_side_by_side(job, steps, needs, workers)
        return
    with step_runner(job, 0) as run:
        for step in needs:
            run(step)
            yield step


@contextmanager
def step_runner(job: Job, number: int) -> Iterator[Callable[[str], object]]:
    """What does a step by its name, in this process.

    Args:
        job: What has to be known.
        number: Of the worker.
    """
    from chartsight.records.ehrxqa.plan import engine, work_of  # so that a process that only hands out work is light

    steps = Steps(job.folder)
    with engine(job.folder / f"spill-{number}", job.memory_gib) as connection:
        yield lambda step: steps.run(step, work_of(step, connection, steps, job.found, job.config))


# -------------------------------------------------------------------------------------------------------- side by side


class Lock:
    """The lock of the folder of steps, which a worker gets when it is started and keeps to its end.

    Args:
        descriptor: Of this process.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return received, (DupFd(self.descriptor),)


def received(descriptor: Any) -> Lock:
    """The lock, in the worker."""
    return Lock(descriptor.detach())


@dataclass
class Worker:
    """A process that does steps.

    Args:
        process: It.
        connection: To tell it a step, and to hear that it is done or why not.
        step: That it is at; None when it has none.
    """

    process: BaseProcess
    connection: Connection
    step: str | None = None


def run_side_by_side(job: Job, steps: Steps, needs: Mapping[str, Sequence[str]], workers: int) -> Iterator[str]:
    """What `run_steps` does, in several processes; none of them is left when it ends, however it ends."""
    done = [step for step in needs if steps.is_done(step)]
    yield from done
    left = [step for step in needs if step not in done]
    assert steps.lock is not None
    staff = start_workers(job, Lock(steps.lock), min(workers, len(left)))
    try:
        while len(done) < len(needs):
            for worker in staff:
                step = next((step for step in left if set(needs[step]) <= set(done)), None)
                if worker.step is None and step is not None:
                    left.remove(step)
                    tell(worker, step)
            by_connection: dict[Any, Worker] = {worker.connection: worker for worker in staff}
            for connection in wait(list(by_connection)):
                step = finished_step(by_connection[connection])
                done.append(step)
                yield step
    finally:
        end_workers(staff, steps)


def start_workers(job: Job, lock: Lock, count: int) -> list[Worker]:
    """So many workers, which do not hear Ctrl-C: it is for the process that started them, which ends them."""
    context = mp.get_context("spawn")
    staff = []
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a new process begins with what is blocked here
    try:
        for number in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=do_steps, args=(job, number, lock, theirs), daemon=True)
            process.start()
            theirs.close()
            staff.append(Worker(process, ours))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
    return staff


def tell(worker: Worker, step: str) -> None:
    """Give a free worker a step.

    Raises:
        RecordError: It was killed.
    """
    worker.step = step
    try:
        worker.connection.send(step)
    except OSError:
        raise killed(worker) from None


def finished_step(worker: Worker) -> str:
    """The step that a worker says it has done; it is free then.

    Raises:
        ChartsightError: The step failed, or the worker was killed.
    """
    try:
        fault = worker.connection.recv()
    except (EOFError, ConnectionResetError):
        raise killed(worker) from None
    if isinstance(fault, ChartsightError):
        raise fault
    if fault is not None:
        raise RuntimeError(fault)
    assert worker.step is not None
    step, worker.step = worker.step, None
    return step


def killed(worker: Worker) -> RecordError:
    """A worker that ended without a word."""
    worker.process.join()
    return RecordError(
        "worker-killed", worker.step or "records build-ehrxqa", f"its process ended with {worker.process.exitcode}",
        hint="the same call goes on from there; if memory was short, with a lower --memory-limit or --workers 1",
    )  # fmt: skip


def end_workers(staff: Sequence[Worker], steps: Steps) -> None:
    """No worker is left, and no half step of theirs."""
    for worker in staff:
        worker.process.kill()
    for worker in staff:
        worker.process.join()
        worker.connection.close()
        if worker.step is not None:
            remove(steps.partial(worker.step))


def do_steps(job: Job, number: int, lock: Lock, connection: Connection) -> None:
    """Do the steps that are told, to the end of this process; say of each None, or why it failed.

    Args:
        job: What has to be known.
        number: Of the worker.
        lock: Held while this process lives.
        connection: To who tells.
    """
    watch_parent()
    try:
        with step_runner(job, number) as run:
            while True:
                run(connection.recv())
                connection.send(None)
    except EOFError:
        return  # nobody is left to tell
    except ChartsightError as error:
        connection.send(error)
    except Exception:
        connection.send(traceback.format_exc())
