"""`vbench config`: every setting, its value, and where it was said."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("config")(config)


def config(
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show every setting and where it comes from: default, settings file, environment.

    Example: vbench config
    """
    from vbench.cli.app import print_json, tables
    from vbench.run.settings import load_settings

    settings = load_settings(Path.cwd())
    shown = {
        key: {"value": plain(value.value), "source": value.source}
        for key, value in settings.values.items()
    }
    if json:
        print_json({"schema": 1, "settings": shown})
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for head in ("setting", "value", "from"):
        table.add_column(head, overflow="fold")
    for key, said in shown.items():
        table.add_row(Text(key), Text(_text(said["value"])), Text(str(said["source"]), style="dim"))
    tables().print(table)


def plain(value: Any) -> Any:
    """Turn a setting into what JSON knows: paths and catalogue entries become texts."""
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return (
        value.target
        if hasattr(value, "target")
        else str(value)
        if isinstance(value, Path)
        else value
    )


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(part) for part in value) or "-"
    return str(value) or "-"
