"""Runs the real command line in this process and keeps what it printed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from vbench.cli.app import invoke


@dataclass(frozen=True)
class Ran:
    """Exit code and output of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        return json.loads(self.out)

    def one_line(self) -> str:
        """The error a user can mend: one line on stderr, exit code 2, no traceback."""
        assert self.code == 2, (self.code, self.out, self.err)
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("vbench: ")
        return lines[0]


def vbench(capsys: Any, *arguments: object) -> Ran:
    """Run `vbench ARGUMENTS`."""
    capsys.readouterr()
    code = invoke([str(a) for a in arguments])
    captured = capsys.readouterr()
    return Ran(code, captured.out, captured.err)
