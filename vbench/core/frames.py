"""Frames of a clip, decoded when asked for: image files, a video file, an array, a renderer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from vbench.core.boxes import Image, Ints
from vbench.core.errors import ClipFailed, NotReady


@runtime_checkable
class Frames(Protocol):
    """A sequence of uint8 (h, w, 3) RGB images."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Image: ...


@dataclass(frozen=True)
class ImageFiles:
    """One image file a frame."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Image:
        return read_image(self.paths[index])


@dataclass
class VideoFile:
    """Frames of a video file, read in order; going backwards reopens it."""

    path: Path
    length: int
    _reader: Any = field(default=None, repr=False, compare=False)
    _next: int = field(default=0, repr=False, compare=False)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Image:
        import cv2

        if not 0 <= index < self.length:
            raise IndexError(index)
        if self._reader is None or index < self._next:
            self._reader = cv2.VideoCapture(str(self.path))
            self._next = 0
        while True:
            ok, image = self._reader.read()
            if not ok:
                raise ClipFailed(f"{self.path.name}: frame {index} cannot be decoded")
            self._next += 1
            if self._next > index:
                rgb: Image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                return rgb


@dataclass(frozen=True)
class Rendered:
    """Frames made on the fly by `render(index)`."""

    length: int
    render: Callable[[int], Image]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Image:
        if not 0 <= index < self.length:
            raise IndexError(index)
        return self.render(index)


@dataclass(frozen=True)
class ChosenFrames:
    """Some frames of a clip in any order, decoded when asked for."""

    frames: Frames
    order: Ints

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> Image:
        return self.frames[int(self.order[index])]


@dataclass(frozen=True)
class NoFrames:
    """A clip of which only the annotations are here: it can be scored, not run."""

    length: int
    where_to_get: str = ""

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Image:
        raise NotReady(
            f"the images are not here, only the annotations. {self.where_to_get}".strip()
        )


def read_image(path: Path) -> Image:
    """Decode one image file to RGB; ClipFailed names a file that cannot be read."""
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ClipFailed(
            f"image {path.name} cannot be read" + ("" if path.exists() else " (missing)")
        )
    return np.asarray(image, dtype=np.uint8)


def each_frame(frames: Frames) -> Iterator[Image]:
    """Iterate over all frames in order."""
    for index in range(len(frames)):
        yield frames[index]
