"""Processes that work side by side, and that end with the one that started them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from threading import Thread


@contextmanager
def drawing_pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool whose waiting tasks are dropped when the block fails, and whose processes do not outlive this one."""
    # spawn: forking a process that already runs threads (Arrow, BLAS) may hang
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=start_drawing)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def start_drawing() -> None:
    """What a pool's process does first."""
    watch_parent()
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let glibc keep the memory that is freed, up to 64 MiB, for the next array.

    By default the pages of every plane of a film go back to the system and are fetched anew for the next plane, which
    takes a seventh of the drawing. Other C libraries, and Windows, go on as they do. Source: mallopt(3).
    """
    trim_threshold, mmap_threshold, kept = -1, -3, 64 << 20
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(trim_threshold, kept)
        mallopt(mmap_threshold, kept // 2)


def watch_parent() -> None:
    """From now on, end this process when its parent does.

    A pool's processes hold both ends of their queue: of a parent that was killed they would never hear, and wait for
    its next task for ever.
    """
    Thread(target=end_after_parent, daemon=True).start()


def end_after_parent() -> None:
    """Wait for the parent's end, then stop at once."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
