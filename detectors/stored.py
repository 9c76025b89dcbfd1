"""`stored:PATH`: detections that somebody else computed, replayed from files."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vbench.core.boxes import Image
from vbench.core.errors import ClipFailed, NotReady, VBenchError
from vbench.core.roles import Detections, Work, WorkTable

from .stored_files import (
    SUFFIXES,
    Form,
    Rows,
    coco_rows,
    images_by_clip,
    labels_of,
    matching,
    read_json,
    read_text_rows,
    results_by_image,
)

HASHED_PIECE = 1 << 20


class Stored:
    """Answers what a file says of each frame; one file, or a folder with one file a clip.

    A file is a clip's own if it is called like it, or if it alone shares the ending of its name
    (`rfcn_val_00023001.txt` for ILSVRC2015_val_00023001); a JSON file may name its clips itself.

    Args:
        argument: the path.
        gmac: billions of MACs of one detection, as published; unknown without.
        ms: milliseconds of one detection, as published; unknown without.
        form: what text means, where commas (MOT) or blanks (VID) do not say it.
        first: number of a clip's first frame: 0 in VID files, 1 in MOT files.
        images: COCO file that lists the images of a list of results.
    """

    def __init__(
        self,
        argument: str,
        gmac: float | None = None,
        ms: float | None = None,
        form: Form = "auto",
        first: int | None = None,
        images: str | None = None,
    ) -> None:
        self.path = Path(argument).expanduser()
        if not self.path.exists():
            raise NotReady(f"stored:{argument}: there is no such file or folder")
        for name, value in (("gmac", gmac), ("ms", ms)):
            if value is not None and not 0 <= value < float("inf"):
                raise VBenchError(f"stored[{name}={value:g}]: give a number from 0")
        self.gmac, self.form, self.first = gmac, form, first
        self.stated_seconds = float("nan") if ms is None else ms / 1e3
        self.files = self._files()
        self.images = Path(images).expanduser() if images is not None else None
        if self.images is not None and not self.images.is_file():
            raise NotReady(f"stored[images={images}]: there is no such file")
        self._digest = ""
        self._taken: dict[str, str] = {}
        self._kept: dict[Hashable, Any] = {}
        self._index = 0

    def enter(self, clip: str, frames: int) -> None:
        """Read the detections of this clip.

        Raises:
            ClipFailed: no file is its own, several may be, or what is in it cannot be read.
        """
        rows = self._rows(clip)
        if len(rows.frame) and not (rows.frame.min() >= 0 and rows.frame.max() < frames):
            odd = rows.frame[(rows.frame < 0) | (rows.frame >= frames)][0]
            raise ClipFailed(
                f"{self.path.name} has detections {odd + 1} frames from the first, the clip has "
                f"{frames} frames"
            )
        order = np.argsort(rows.frame, kind="stable")
        self._rows_in_order = Detections(rows.boxes[order], rows.scores[order], rows.labels[order])
        self._starts = np.searchsorted(rows.frame[order], np.arange(frames + 1))

    def at(self, index: int) -> None:
        """Answer this frame next."""
        self._index = index

    def detect(self, frame: Image) -> Detections:
        """Answer what the file says of this frame."""
        rows = slice(self._starts[self._index], self._starts[self._index + 1])
        boxes, scores, labels = self._rows_in_order
        return Detections(boxes[rows], scores[rows], labels[rows])

    def work(self) -> WorkTable:
        """What was stated; otherwise unknown."""
        macs = None if self.gmac is None else self.gmac * 1e9
        return {"detect": [Work("stored detections", macs=macs)]}

    def strangers(self, clips: Sequence[str]) -> list[str]:
        """Names of files in the folder that are of none of these clips; a single file is of all."""
        if self.path.is_file():
            return []
        taken = set()
        for clip in clips:
            with contextlib.suppress(ClipFailed):  # several may be its own: the clip will say so
                taken.add(matching(clip, list(self.files)))
        return [path.name for stem, path in self.files.items() if stem not in taken]

    def digest(self) -> str:
        """sha256 of all files with their names, as they were when it was asked first."""
        if self._digest:
            return self._digest
        state = hashlib.sha256()
        for path in [*self.files.values(), *([self.images] if self.images else [])]:
            state.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                while piece := file.read(HASHED_PIECE):
                    state.update(piece)
        self._digest = state.hexdigest()
        return self._digest

    def _files(self) -> dict[str, Path]:
        """Files by their name without ending; a name twice is ambiguous."""
        paths = [self.path] if self.path.is_file() else sorted(self.path.iterdir())
        found: dict[str, Path] = {}
        for path in paths:
            if path.is_file() and (path.suffix.lower() in SUFFIXES or path == self.path):
                if path.stem in found:
                    raise VBenchError(
                        f"stored:{self.path}: {path.name} and {found[path.stem].name} may be of "
                        "the same clip; keep one"
                    )
                found[path.stem] = path
        if not found:
            raise NotReady(f"stored:{self.path}: no {', '.join(SUFFIXES)} file in this folder")
        return found

    def _rows(self, clip: str) -> Rows:
        if self.path.is_file() and self.path.suffix.lower() == ".json":
            return self._coco(self.path, clip, named=False)
        stem = matching(clip, list(self.files))
        if stem is None:
            raise ClipFailed(f"no file of stored:{self.path} is called like clip {clip}")
        if self._taken.setdefault(stem, clip) != clip:
            raise ClipFailed(
                f"{self.files[stem].name} was taken for clip {self._taken[stem]}; one file is of "
                "one clip"
            )
        path = self.files[stem]
        if self.form == "coco" or path.suffix.lower() == ".json":
            return self._coco(path, clip, named=True)
        return read_text_rows(path, self.form, self.first)

    def _coco(self, path: Path, clip: str, named: bool) -> Rows:
        """Rows of a JSON file, which is the clip's own where `named`."""
        found = self._load(path)
        results = found if isinstance(found, list) else found.get("annotations")
        listed = self._load(self.images) if self.images else found
        if isinstance(listed, dict) and "images" in listed:
            images = self._images_of(listed, self.images or path, clip)
            if images is None:
                raise ClipFailed(f"{path.name} lists no images of clip {clip}")
            by_image = self._once(("results", path), lambda: results_by_image(results))
            own = [result for image in images for result in by_image.get(image, ())]
            return coco_rows(own, images, labels_of(listed))
        if self.first is None or not (named or matching(clip, [path.stem])):
            raise ClipFailed(
                f"{path.name} does not say which image is which frame: name the file that lists "
                "the images, stored[images=FILE], or the first image's number, stored[first=N], "
                "of a file that is called like its clip"
            )
        rows = coco_rows(results, None, {})
        return Rows(rows.frame - self.first, rows.boxes, rows.scores, rows.labels)

    def _images_of(self, listed: Mapping[str, Any], path: Path, clip: str) -> dict[Any, int] | None:
        """Frame of each image id of the clip; a file that tells no clips apart is of one."""
        clips = self._once(("images", path), lambda: images_by_clip(listed))
        name = "." if set(clips) == {"."} else matching(clip, list(clips))
        found: dict[Any, int] | None = clips.get(name)
        return found

    def _once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What `make` returned when it was asked under this key first."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def _load(self, path: Path) -> Any:
        found = self._once(path, lambda: read_json(path))
        if not isinstance(found, list | dict):
            raise ClipFailed(f"{path.name} is no list of results and no COCO file")
        return found
