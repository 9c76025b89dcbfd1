"""The commands as a page of Markdown: `python -m vbench.cli.reference > docs/cli.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from vbench.cli.app import Exit, app_for

# What an exit code means, on the page.
CODES = {
    Exit.OK: "it ran, and nothing is wrong",
    Exit.PROBLEMS: "it ran; some clips have problems, or a gate found a regression",
    Exit.USAGE: "something you can mend; one line on stderr says what",
    Exit.INCOMPARABLE: "`vbench check`: the run and the reference cannot be compared",
    Exit.INTERRUPTED: "interrupted; the same command goes on",
}
# What an option wants, by its type; any other wants a text.
KINDS = {int: "N", float: "X", Path: "PATH"}
WORDS = {"int": "N", "integer": "N", "float": "X", "path": "PATH"}
HEAD = """# Commands

Made from the commands by `make reference`. `vbench COMMAND --help` says the same. Every command
takes `--json` and then prints one JSON object on stdout; progress and messages go to stderr.

| exit code | means |
|---|---|
"""
TABLE = """
| command | does |
|---|---|
"""


def reference() -> str:
    """Return the page: every command with its help, example, arguments and options."""
    codes = "".join(f"| {int(code)} | {means} |\n" for code, means in CODES.items())
    named = list(commands())
    rows = "".join(_row(name, command) for name, command in named)
    return HEAD + codes + TABLE + rows + "".join(section(name, each) for name, each in named)


def commands() -> Iterator[tuple[str, Any]]:
    """Yield `("run", command)`, those of groups as `("weights list", command)`."""
    for name, command in typer.main.get_command(app_for([])).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {each}", found) for each, found in inner.items())


def parts_of_help(command: Any) -> tuple[str, str]:
    """Return a command's help without its example, and the example."""
    text, _, example = (command.help or "").partition("Example:")
    return text.strip(), example.strip()


def section(name: str, command: Any) -> str:
    """Return the part of the page about one command."""
    text, example = parts_of_help(command)
    lines = [f"\n## vbench {name}\n", f"{text}\n", f"```text\n{example}\n```\n"]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    if arguments:
        lines += ["| argument | means |", "|---|---|"]
        lines += [f"| `{_name(p)}` | {_means(p)} |" for p in arguments] + [""]
    lines += ["| option | default | means |", "|---|---|---|"]
    options = [p for p in command.params if p.param_type_name == "option"]
    lines += [f"| {_flags(p)} | {_default(p)} | {_means(p)} |" for p in options]
    return "\n".join(lines) + "\n"


def _row(name: str, command: Any) -> str:
    first = re.split(r"\.\s", parts_of_help(command)[0], maxsplit=1)[0].rstrip(".")
    return f"| [{name}](#vbench-{name.replace(' ', '-')}) | {' '.join(first.split())} |\n"


def _name(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()).strip("[].")
    name += "..." if parameter.nargs == -1 else ""
    return name if parameter.required else f"[{name}]"


def _flags(parameter: Any) -> str:
    flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
    if parameter.is_flag:
        return flags
    return f"{flags} `{_wants(parameter)}`"


def _wants(parameter: Any) -> str:
    # Typer 0.29 describes types itself; before, click names them.
    descriptor = getattr(parameter, "type_descriptor", None)
    if descriptor is not None:
        return KINDS.get(descriptor.annotation, "TEXT")
    return WORDS.get(getattr(parameter.type, "name", ""), "TEXT")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "to be given"
    shown = parameter.default
    if parameter.is_flag:
        return parameter.opts[-1].lstrip("-") if shown and parameter.secondary_opts else ""
    return "" if shown is None or shown == [] else f"`{shown}`"


def _means(parameter: Any) -> str:
    text = re.sub(r"\s+", " ", parameter.help or "")
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(reference(), end="")
