"""What the user can mend: one line that says what was asked, what is on offer, the next step."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VBenchError(Exception):
    """Something the user can mend. The command line prints it on one line and exits with 2."""


class UnknownName(VBenchError):
    """A name that no catalogue has; the message offers the nearest ones."""

    def __init__(self, kind: str, asked: str, offered: Iterable[str], next_step: str = "") -> None:
        names = sorted(offered)
        near = difflib.get_close_matches(asked, names, n=3, cutoff=0.5)
        if near:
            hint = f"did you mean {_either(near)}?"
        else:
            hint = f"there are: {', '.join(names)}" if names else "there are none"
        tail = f" ({next_step})" if next_step else ""
        super().__init__(f"no {kind} called '{asked}'; {hint}{tail}")
        self.asked = asked


class NotReady(VBenchError):
    """The name is known, but what it needs (weights, data, an extra) is not here."""


class BadMethod(VBenchError):
    """A method string that does not parse; the message points at the offending part."""

    def __init__(self, text: str, at: int, length: int, why: str) -> None:
        part = text[at : at + length] or "the end"
        super().__init__(f"method '{text}': {why} (at '{part}', character {at + 1})")


class ClipFailed(VBenchError):
    """One clip cannot be run or read; others go on."""


class Notices:
    """Collects what the user should hear of a result that came out all the same."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """Keep `line` once."""
        if line not in self.lines:
            self.lines.append(line)


def _either(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
