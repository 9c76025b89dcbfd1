"""The same work on many things in forked processes, which share what was read before."""

from __future__ import annotations

import io
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

S = TypeVar("S")
T = TypeVar("T")


def can_fork() -> bool:
    """Tell whether this process may be forked: the system can, and nothing else runs in it.

    A thread's locks stay locked in a fork; torch keeps threads that Python does not know of.
    """
    alone = threading.active_count() == 1 and "torch" not in sys.modules
    return hasattr(os, "fork") and alone


def forked_map(
    work: Callable[[S], T], things: Sequence[S], processes: int, known: Sequence[object]
) -> list[T]:
    """Return `[work(thing) for thing in things]`, computed in `processes` processes.

    What `known` holds comes back as itself, not as a copy. A process that dies, for whatever
    reason, is made up for here, so an error is raised as if nothing had been forked.
    """
    shares = [range(first, len(things), processes) for first in range(min(processes, len(things)))]
    names = {id(thing): index for index, thing in enumerate(known)}
    children = [_start(work, [things[i] for i in share], names) for share in shares[1:]]
    found: dict[int, T] = {}
    try:
        for index in shares[0] if shares else ():
            found[index] = work(things[index])
        for share, (_, pipe) in zip(shares[1:], children, strict=True):
            found |= zip(share, _received(pipe, known), strict=False)
    finally:
        for process, pipe in children:
            os.close(pipe)
            with suppress(ChildProcessError):
                os.waitpid(process, 0)
    return [found[i] if i in found else work(thing) for i, thing in enumerate(things)]


def _start(
    work: Callable[[S], T], things: Sequence[S], names: Mapping[int, int]
) -> tuple[int, int]:
    """Fork a process for `things`; its number, and the end of a pipe that its answers come from."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    code = 1
    try:
        os.close(reading)
        answers = _packed([work(thing) for thing in things], names)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answers)
        code = 0
    finally:
        # Neither cleaning up nor the text of an error is this process's business.
        os._exit(code)


def _received(pipe: int, known: Sequence[object]) -> Iterator[Any]:
    """What a process answered; nothing if it did not get that far."""
    with os.fdopen(pipe, "rb", closefd=False) as end:
        packed = end.read()
    # Written by our own fork, so unpacking runs nobody else's code.
    return iter(_Unpickler(io.BytesIO(packed), known).load() if packed else ())


def _packed(answers: Sequence[object], names: Mapping[int, int]) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, names).dump(answers)
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Writes what both processes know by its number."""

    def __init__(self, file: io.BytesIO, names: Mapping[int, int]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.names = names

    def persistent_id(self, obj: object) -> int | None:
        return self.names.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, known: Sequence[object]) -> None:
        super().__init__(file)
        self.known = known

    def persistent_load(self, pid: int) -> object:
        return self.known[pid]
