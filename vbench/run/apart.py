"""Each method in a process of its own: its memory is its own, and its crash stops no other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

USAGE = 2


def options_of(values: Mapping[str, Any]) -> list[str]:
    """Say options again as text: lists once an item, true ones bare, None not at all."""
    said = []
    for name, value in values.items():
        if value is True:
            said.append(name)
        elif isinstance(value, list):
            said += [text for item in value for text in (name, str(item))]
        elif value is not None and value is not False:
            said += [name, str(value)]
    return said


def run_apart(
    methods: Sequence[str],
    options: Sequence[str],
    each: Callable[[str], None] = lambda name: None,
) -> dict[str, str]:
    """Run `vbench run` once a method, one after the other; return why some did not end.

    A method whose clips fail has ended: its reasons stand in the run folder.
    """
    failed = {}
    for method in methods:
        each(method)
        asked = [sys.executable, "-m", "vbench", "run", "--methods", method, "--quiet", *options]
        answer = subprocess.run(asked, capture_output=True, text=True)
        if answer.returncode not in (0, 1):
            failed[method] = _why(answer)
    return failed


def _why(answer: subprocess.CompletedProcess[str]) -> str:
    lines = answer.stderr.strip().splitlines()
    if answer.returncode == USAGE and lines:
        return lines[-1].removeprefix("vbench: ")
    if answer.returncode < 0:
        return f"its process was killed by signal {-answer.returncode}"
    return lines[-1] if lines else f"its process ended with {answer.returncode}"
