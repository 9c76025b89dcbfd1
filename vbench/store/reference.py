"""A committed reference: what a run's numbers were, clip by clip, small enough to review."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vbench.core.errors import VBenchError
from vbench.store.files import write_atomically

# Version history: 1: first.
SCHEMA = 1
AGAIN = "make one with `vbench check RUN --update`"


class Incomparable(VBenchError):
    """Two results that are not about the same thing."""


@dataclass(frozen=True)
class Reference:
    """Numbers by method, metric and clip, and what they came from.

    `clips` maps clip names to digests of their ground truth; `methods` maps a method to metrics,
    each a list in the order of `clips` (None where there was no result).
    """

    suite: str
    profile: str
    clips: dict[str, str]
    methods: dict[str, dict[str, list[float | None]]]
    seed: int = 0
    git: str | None = None
    packages: dict[str, str] = field(default_factory=dict)
    machine: str = ""


def write_reference(path: Path, reference: Reference) -> None:
    """Write a reference: one line a method and metric, so that a diff shows what changed."""
    head = {k: v for k, v in vars(reference).items() if k != "methods"}
    lines = [f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}," for k, v in head.items()]
    blocks = [
        f"{json.dumps(name)}: {{\n"
        + ",\n".join(f" {json.dumps(m)}: {json.dumps(values)}" for m, values in metrics.items())
        + "\n}"
        for name, metrics in reference.methods.items()
    ]
    body = ",\n".join(blocks)
    text = f'{{"schema": {SCHEMA},\n' + "\n".join(lines) + f'\n"methods": {{\n{body}\n}}}}\n'
    write_atomically(path, text.encode())


def read_reference(path: Path) -> Reference:
    """Read a reference.

    Raises:
        VBenchError: there is none, or it is damaged.
        Incomparable: it has another schema.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VBenchError(f"no reference at {path}; {AGAIN}") from None
    except ValueError as error:
        raise VBenchError(f"reference {path} is no JSON: {error}; {AGAIN}") from None
    schema = values.pop("schema", None) if isinstance(values, dict) else None
    if schema != SCHEMA:
        raise Incomparable(f"reference {path} has schema {schema}, this vbench compares {SCHEMA}")
    try:
        return Reference(**values)
    except TypeError:
        raise VBenchError(f"{path} is no reference of `vbench check`; {AGAIN}") from None
