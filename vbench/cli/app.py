"""The `vbench` command and what its subcommands share: errors, JSON, consoles, exit codes."""

from __future__ import annotations

import gc
import json
import math
import sys
from collections.abc import Sequence
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vbench import __version__
from vbench.core.errors import VBenchError

if TYPE_CHECKING:
    from rich.console import Console

# Commands in the order of `vbench --help`, and the module of each, which has register(app). Only
# the module of the command that is asked for is imported, and none of them may import torch, pandas
# or matplotlib outside a command's body.
COMMANDS = {
    "run": "run",
    "sweep": "sweep",
    "report": "report",
    "check": "check",
    "reproduce": "reproduce",
    "show": "show",
    "score": "score",
    "explain": "score",
    "import": "raw_files",
    "export": "raw_files",
    "list": "listing",
    "weights": "weights",
    "data": "data",
    "config": "config",
    "doctor": "doctor",
    "cost": "cost",
    "profile": "profile",
    "train": "train",
}
# Objects made before Python looks for cycles among them: 700 by default.
CREATED_BETWEEN_LOOKS = 50_000


class Exit(IntEnum):
    """What the exit code of every command means."""

    OK = 0
    PROBLEMS = 1  # it ran; some clips have problems, or a gate found a regression
    USAGE = 2  # something the user can mend; one line says what
    INCOMPARABLE = 3
    INTERRUPTED = 130


def _version(asked: bool) -> None:
    if asked:
        print(f"vbench {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Speed/accuracy trade-offs of visual trackers and video object detectors."""


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """Return the program with the command that `arguments` begin with; else with every command."""
    app = typer.Typer(
        name="vbench",
        help="Speed/accuracy trade-offs of visual trackers and video object detectors.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    asked = COMMANDS.get(arguments[0]) if arguments else None
    for module in dict.fromkeys(COMMANDS.values()) if asked is None else (asked,):
        import_module(f"vbench.cli.{module}").register(app)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run one command; what the user can mend becomes one line on stderr and exit code 2."""
    # What is imported stays: looking for cycles in it, while it comes in and at the end, takes a
    # tenth of a short command's time.
    gc.set_threshold(CREATED_BETWEEN_LOOKS)
    code = invoke(arguments)
    gc.freeze()
    sys.exit(code)


def invoke(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        given = sys.argv[1:] if arguments is None else arguments
        code = app_for(given)(given, prog_name="vbench", standalone_mode=False)
    except VBenchError as error:
        print(f"vbench: {one_line(str(error))}", file=sys.stderr)
        return Exit.USAGE
    except KeyboardInterrupt:
        print("vbench: interrupted; run the same command again to go on", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return Exit.OK
    except Exception as error:
        # Typer bundles its own click: its usage errors are known by what they offer.
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()
        # Nothing was named: the message is the help.
        shown = message if message.startswith("Usage:") else f"vbench: {one_line(message)}"
        print(shown, file=sys.stderr)
        return Exit.USAGE
    return int(code or Exit.OK)


def one_line(text: str) -> str:
    """Fold a message onto one line."""
    return " ".join(text.split())


def print_json(value: Any) -> None:
    """Print exactly one JSON object; numbers that are not finite become null."""
    print(json.dumps(_plain(value), allow_nan=False))


def messages() -> Console:
    """Return the console for progress and messages (stderr); brackets are parameters of methods."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def tables() -> Console:
    """Return the console for tables (stdout); as wide as needed where nobody watches."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=1000)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
