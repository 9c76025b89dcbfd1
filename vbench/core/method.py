"""Method strings: `base[+propagator][+post][@policy]`, each part with `[parameter=value,...]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vbench.core.errors import BadMethod

if TYPE_CHECKING:
    from vbench.core.policy import Policy

_NAME = re.compile(r"[^\s+@\[\],=]+")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


@dataclass(frozen=True)
class Part:
    """One thing of a method with the parameters given to it, in their order, as text."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        return f"{self.name}[{','.join(f'{k}={v}' for k, v in self.parameters)}]"


@dataclass(frozen=True)
class Method:
    """What is benched: a base, what is added to it, and the policy (None: the default one)."""

    base: Part
    parts: tuple[Part, ...] = ()
    policy: Policy | None = None

    def __str__(self) -> str:
        text = "+".join(str(part) for part in (self.base, *self.parts))
        return text if self.policy is None else f"{text}@{self.policy}"


def parse_method(text: str) -> Method:
    """Parse one method string; `parse_method(str(m)) == m`.

    Raises:
        BadMethod: points at the offending part.
    """
    reader = _Reader(text)
    parts = [reader.part()]
    while reader.take("+"):
        parts.append(reader.part())
    policy = None
    if reader.take("@"):
        # The policies are many; who names none, as in `vbench score`, does not wait for them.
        from vbench.core.policy import parse_policy

        start = reader.at
        policy = parse_policy(text[start:], method=text, at=start)
        reader.at = len(text)
    if reader.at < len(text):
        late = text[reader.at] == ":"
        why = "parameters come last: NAME:PATH[...]" if late else "expected '+', '@' or '[' here"
        raise BadMethod(text, reader.at, 1, why)
    return Method(parts[0], tuple(parts[1:]), policy)


def split_methods(text: str) -> list[str]:
    """Split a list of methods at the commas that stand outside brackets."""
    methods, depth, current = [], 0, ""
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth <= 0:
            methods.append(current)
            current = ""
        else:
            current += character
    return [m.strip() for m in (*methods, current) if m.strip()]


class _Reader:
    """A position in a method string."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def take(self, character: str) -> bool:
        found = self.text.startswith(character, self.at)
        self.at += found
        return found

    def part(self) -> Part:
        name = self._match(_NAME, "a name is missing")
        return Part(name, tuple(self._parameters()) if self.take("[") else ())

    def _parameters(self) -> list[tuple[str, str]]:
        start, end = self.at, self.text.find("]", self.at)
        if end < 0:
            raise BadMethod(self.text, start - 1, 1, "the bracket is never closed")
        found: list[tuple[str, str]] = []
        for pair in self.text[start:end].split(","):
            key, equals, value = pair.partition("=")
            if not equals or not _KEY.fullmatch(key) or not value:
                raise BadMethod(self.text, self.at, len(pair), "expected parameter=value")
            if key in dict(found):
                raise BadMethod(self.text, self.at, len(pair), f"'{key}' is given twice")
            found.append((key, value))
            self.at += len(pair) + 1
        self.at = end + 1
        return found

    def _match(self, pattern: re.Pattern[str], why: str) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise BadMethod(self.text, self.at, 1, why)
        self.at = match.end()
        return match.group()
