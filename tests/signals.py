"""Signals, for programs that tests start."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """A shell's background jobs, a CI's among them, are born deaf to SIGINT, and so are their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
