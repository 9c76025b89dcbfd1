"""Models that answer from memory what they were asked before, after the same calls.

Many policies ask the same of a model. What answers alike after the same calls, which the contract
tests hold every model to, needs to work only once for all of them.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np

CALLS = ("start", "track", "reseat", "anchor", "propagate", "seat", "enter", "at")


class Remembering:
    """Stands for `model`; `asked` keeps the calls since `begin`: name, frame or boxes, answer.

    A call that is new is put to the model itself, after all that came before it in this history. A
    history begins with `enter`, for a tracker with `start`, otherwise with each `anchor`. A frame
    is known by its first pixel, its index.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.first = next(n for n in ("enter", "start", "anchor") if hasattr(model, n))
        self.answers: dict[tuple[Any, ...], Any] = {}
        self.history: tuple[Any, ...] = ()
        self.done: tuple[Any, ...] = ()
        self.given: list[Any] = []
        self.asked: list[tuple[str, Any, Any]] = []
        # What takes long to start, as it learns then, is copied once it has started.
        self.learns = hasattr(model, "candidates")
        self.started: dict[tuple[Any, ...], Any] = {}
        self.looked: dict[int, Any] = {}
        if hasattr(maps := getattr(model, "features", ()), "look"):
            # Maps of whole frames, whatever is in them.
            maps.look = partial(self._look, maps.look)
        for name in CALLS:
            if hasattr(model, name):
                setattr(self, name, partial(self._ask, name))

    def begin(self) -> None:
        """Forget what was asked, not what was answered."""
        self.asked = []

    def _ask(self, name: str, *arguments: Any) -> Any:
        if name == self.first:
            self.history, self.given = (), []
        self.history = (*self.history, (name, *map(_key, arguments)))
        self.given.append((name, *arguments))
        if self.history not in self.answers:
            self._work()
        answer = self.answers[self.history]
        self.asked.append((name, _content(arguments[-1]), answer))
        return copy.deepcopy(answer)

    def _work(self) -> None:
        """Bring the model to where this history is, and keep its answer."""
        first = len(self.history) - 1
        if self.done != self.history[:-1]:
            started = self.started.get(self.history[:1])
            self.model = copy.deepcopy(started) or self.model
            first = int(started is not None)
        for name, *arguments in self.given[first:]:
            answer = getattr(self.model, name)(*arguments)
            if name == self.first and self.learns:
                self.started[self.history[:1]] = copy.deepcopy(self.model)
        self.answers[self.history] = copy.deepcopy(answer)
        self.done = self.history

    def _look(self, look: Any, frame: Any) -> Any:
        index = _content(frame)
        if index not in self.looked:
            self.looked[index] = look(frame)
        return self.looked[index]


def _content(argument: Any) -> Any:
    if isinstance(argument, np.ndarray):
        return int(argument[0, 0, 0]) if argument.dtype == np.uint8 else argument.copy()
    return argument


def _key(argument: Any) -> Any:
    content = _content(argument)
    return content.tobytes() if isinstance(content, np.ndarray) else content
