"""One frame's annotation in XML as PASCAL VOC and ImageNet VID write it. Entities are not read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from vbench.core.errors import ClipFailed

# A frame with a hundred objects takes 40 KB.
MAX_BYTES = 1 << 20
MAX_DEPTH = 8
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass
class FrameBoxes:
    """Objects of a frame: class names, corners x1 y1 x2 y2, track ids (-1: none); frame size."""

    names: list[str] = field(default_factory=list)
    corners: list[tuple[float, ...]] = field(default_factory=list)
    tracks: list[int] = field(default_factory=list)
    size: tuple[int, int] | None = None


def read_frame_xml(path: Path) -> FrameBoxes:
    """Read the objects of one frame.

    Raises:
        ClipFailed: missing, too large, malformed, with a document type (where entities hide), or an
            object without a name or a box.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ClipFailed(f"{path.name} is larger than 1 MiB: no annotation of a frame")
        content = path.read_bytes()
    except OSError as error:
        raise ClipFailed(f"{path.name} cannot be read: {error.strerror}") from None
    return parse_frame_xml(content, path.name)


def parse_frame_xml(content: bytes, name: str) -> FrameBoxes:
    """Read the objects of one frame from the content of its file. Raises ClipFailed."""
    reader = _Reader(name)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, UnicodeError) as error:
        raise ClipFailed(f"{name} is no XML: {error}") from None
    return reader.found


class _Reader:
    """Hears a document element by element; keeps `object` and `size` at the second level."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found = FrameBoxes()
        self.path: list[str] = []
        self.words: list[str] = []
        self.values: dict[str, str] = {}

    def refuse(self, *_: Any) -> None:
        raise ClipFailed(f"{self.name} declares a document type; entities are not read")

    def start(self, tag: str, _: dict[str, str]) -> None:
        self.path.append(tag)
        self.words.clear()
        if len(self.path) > MAX_DEPTH:
            raise ClipFailed(f"{self.name} is nested too deep for an annotation")
        if len(self.path) == 2:
            self.values.clear()

    def text(self, words: str) -> None:
        self.words.append(words)

    def end(self, tag: str) -> None:
        self.path.pop()
        depth = len(self.path)
        # object/name, or object/bndbox/xmin; a part's own box lies deeper.
        if depth == 2 or (depth == 3 and self.path[2] == "bndbox"):
            self.values[tag] = "".join(self.words).strip()
        elif depth == 1 and tag == "object":
            self._object()
        elif depth == 1 and tag == "size":
            self.found.size = self._size()
        self.words.clear()

    def _object(self) -> None:
        try:
            self.found.names.append(self.values["name"])
            self.found.corners.append(tuple(float(self.values[side]) for side in CORNERS))
            self.found.tracks.append(int(self.values.get("trackid") or -1))
        except KeyError as missing:
            raise ClipFailed(f"{self.name}: an object has no {missing.args[0]}") from None
        except ValueError as error:
            raise ClipFailed(f"{self.name}: {error}") from None

    def _size(self) -> tuple[int, int] | None:
        try:
            width, height = int(self.values["width"]), int(self.values["height"])
        except (KeyError, ValueError):
            return None
        return (width, height) if width > 0 and height > 0 else None
