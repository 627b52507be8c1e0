"""How a program of ours ends: one clear line for a mistake, a traceback for a bug.

run_alone(bench)            # a program of one verb: the options of `bench` are its own
raise SystemExit(exit_code(lambda: app(standalone_mode=False)))
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console

from chartsight.errors import ChartsightError
from chartsight.runs import DEVICE_REFUSED, NAME_REFUSED, disk_full, is_disk_full, refused, shortened

INTERRUPTED = 130  # as a shell counts it: 128 and SIGINT

# The base of all usage errors of the click that this typer carries (its own copy since 0.26).
ClickException: type[Exception] = typer.BadParameter.__mro__[2]


def run_alone(verb: Callable[..., Any]) -> NoReturn:
    """Runs one verb as a whole program, with the options that its parameters declare, and ends the process."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(verb)
    raise SystemExit(exit_code(lambda: app(standalone_mode=False), as_json="--json" in sys.argv))


def exit_code(call: Callable[[], Any], *, as_json: bool = False) -> int:
    """What the process ends with after `call`; mistakes are printed, anything else is a bug and keeps its traceback.

    Args:
        call: The whole work.
        as_json: Print the five facts of a mistake on standard output besides the line on standard error.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        result = call()
    except (typer.Abort, KeyboardInterrupt):
        errors.print("interrupted")
        return INTERRUPTED
    except typer.Exit as error:
        return error.exit_code
    except ChartsightError as error:
        mistake = error
    except ClickException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        mistake = ChartsightError("bad-option", "command line", message.rstrip("."), hint="see --help")
    except Exception as error:
        place = Path(getattr(error, "filename", None) or "output")
        if isinstance(error, OSError) and error.errno in NAME_REFUSED:
            mistake = refused(place, error)
        elif is_disk_full(error):
            mistake = disk_full(place)
        elif isinstance(error, OSError) and error.errno in DEVICE_REFUSED:
            mistake = ChartsightError(
                "refused-file", shortened(place), error.strerror or "cannot be read or written",
                hint="see who may read and write it",
            )  # fmt: skip
        else:
            raise
    else:
        return result if isinstance(result, int) else 0
    if as_json:
        typer.echo(json.dumps({"error": mistake.as_dict()}))
    errors.print(f"error: {mistake}", markup=False)
    return mistake.exit_code
