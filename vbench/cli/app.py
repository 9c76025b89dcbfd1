"""The `vbench` command and what its subcommands share: errors, JSON, consoles, exit codes."""

from __future__ import annotations

import json
import math
import sys
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vbench import __version__
from vbench.core.errors import VBenchError

if TYPE_CHECKING:
    from rich.console import Console

# One module a command; each has register(app). Only those imported here start with the program,
# so none of them may import torch, pandas or matplotlib outside a command's body.
COMMANDS = (
    "run",
    "sweep",
    "report",
    "check",
    "show",
    "score",
    "raw_files",
    "listing",
    "weights",
    "data",
    "config",
    "doctor",
    "cost",
    "profile",
)


class Exit(IntEnum):
    """What the exit code of every command means."""

    OK = 0
    PROBLEMS = 1  # it ran; some clips have problems, or a gate found a regression
    USAGE = 2  # something the user can mend; one line says what
    INCOMPARABLE = 3
    INTERRUPTED = 130


app = typer.Typer(
    name="vbench",
    help="Speed/accuracy trade-offs of visual trackers and video object detectors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"vbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Speed/accuracy trade-offs of visual trackers and video object detectors."""


for _command in COMMANDS:
    import_module(f"vbench.cli.{_command}").register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run one command; what the user can mend becomes one line on stderr and exit code 2."""
    sys.exit(invoke(arguments))


def invoke(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        code = app(arguments, standalone_mode=False)
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
        print(f"vbench: {one_line(error.format_message())}", file=sys.stderr)
        return Exit.USAGE
    return int(code or Exit.OK)


def one_line(text: str) -> str:
    """Fold a message onto one line."""
    return " ".join(text.split())


def print_json(value: Any) -> None:
    """Print exactly one JSON object; numbers that are not finite become null."""
    print(json.dumps(_plain(value), allow_nan=False))


def messages() -> Console:
    """Return the console for progress and messages (stderr)."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def tables() -> Console:
    """Return the console for tables (stdout); as wide as needed where nobody watches."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=1000)


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
