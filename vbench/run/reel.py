"""Frames of a clip for several threads, each of which goes from the first to the last."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from threading import Condition

from vbench.core.boxes import Image
from vbench.core.frames import Frames

# No thread gets further ahead of the slowest; so many frames are held at most.
AHEAD = 8


class Closed(Exception):
    """Nobody wants to go on."""


class Reel:
    """Decodes every frame once, in the thread that comes to it first."""

    def __init__(self, frames: Frames, threads: int) -> None:
        self.frames, self.closed = frames, False
        self._places = [0] * threads
        self._held: dict[int, Future[Image]] = {}
        self._moved = Condition()

    def move(self, thread: int, index: int) -> None:
        """A thread comes to this frame; it waits where it is far ahead.

        Raises:
            Closed: another one failed, or was interrupted.
        """
        with self._moved:
            self._places[thread] = index
            slowest = min(self._places)
            for old in [held for held in self._held if held < slowest]:
                del self._held[old]
            self._moved.notify_all()
            self._moved.wait_for(lambda: self.closed or index - min(self._places) <= AHEAD)
            if self.closed:
                raise Closed

    def frame(self, index: int) -> Image:
        """The frame that the calling thread has come to."""
        with self._moved:
            first = index not in self._held
            held = self._held.setdefault(index, Future())
        if first:
            try:
                held.set_result(self.frames[index])
            except BaseException as error:
                held.set_exception(error)
        return held.result()

    def passed(self) -> Iterator[int]:
        """Yield each frame when all threads are past it, or one has closed the reel."""
        for index in range(len(self.frames)):
            with self._moved:
                while not self.closed and min(self._places) <= index:
                    self._moved.wait()
                if self.closed:
                    return
            yield index

    def close(self) -> None:
        """Let nobody go on."""
        with self._moved:
            self.closed = True
            self._moved.notify_all()
