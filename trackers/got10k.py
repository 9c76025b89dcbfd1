"""Both ways between vbench and the got10k toolkit (github.com/got-10k/toolkit).

got10k hands boxes over as they stand in the annotation files, x y w h, and its own trackers take
them as 1-based, as OTB, UAV123 and GOT-10k write them (siamfc-pytorch, siamfc.py: `box[0] - 1`).
So a pixel is added on the way there and taken off on the way back; `origin=0` leaves it away, for
a tracker that counts from 0.

Nothing here imports got10k: its `Tracker` is two methods and a name.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vbench.core.boxes import Box, Boxes, Floats, Image
from vbench.core.errors import NotReady, UnknownName, VBenchError
from vbench.core.frames import read_image
from vbench.core.roles import Estimate, Tracker

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

TOOLKIT = ("got10k", "six")  # got10k 0.1.3 needs six and does not declare it


class Got10kAdapter:
    """Runs a tracker that was written for got10k: `init(image, box)` and `update(image)`."""

    def __init__(self, argument: str, origin: int = 1) -> None:
        """Make the tracker `module:Class`, which is called without arguments.

        Raises:
            VBenchError: no such module or class, or it is not a tracker; one line.
            NotReady: the module needs got10k, which is not installed.
        """
        self._offset = np.array([origin, origin, 0.0, 0.0])
        self._tracker = _made(_found(argument), argument)

    def start(self, frame: Image, box: Box) -> None:
        """Hand the first frame over as an RGB picture."""
        self._tracker.init(_picture(frame), box + self._offset)

    def track(self, frame: Image) -> Estimate:
        """Answer the tracker's box; got10k knows no score."""
        box = np.array(self._tracker.update(_picture(frame)), dtype=np.float64)
        return Estimate(box - self._offset if box.shape == (4,) else box)


class Got10kTracker:
    """Runs a vbench tracker inside got10k's experiments: `ExperimentOTB(root).run(this)`.

    `times` are seconds of the tracker alone: frames are decoded before the clock starts, unlike
    in got10k's own `Tracker.track`, where they are decoded as the tracker first reads them.
    """

    def __init__(
        self, tracker: Tracker, name: str, is_deterministic: bool = True, origin: int = 1
    ) -> None:
        self.name = name
        self.is_deterministic = is_deterministic
        self._tracker = tracker
        self._offset = np.array([origin, origin, 0.0, 0.0])

    def init(self, image: Picture | Image, box: Box) -> None:
        """Start on a picture, or on an RGB array, with a box as got10k has it."""
        self._tracker.start(_array(image), np.asarray(box, dtype=np.float64) - self._offset)

    def update(self, image: Picture | Image) -> Box:
        """Return the box in the next picture."""
        found: Box = self._tracker.track(_array(image))[0] + self._offset
        return found

    def track(
        self, img_files: Sequence[str], box: Box, visualize: bool = False
    ) -> tuple[Boxes, Floats]:
        """Return boxes (n, 4), the first as given, and seconds (n,) of a whole sequence."""
        boxes, seconds = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
        boxes[0] = box
        show = _show() if visualize else None
        for index, path in enumerate(img_files):
            frame = read_image(Path(path))
            began = time.perf_counter()
            if index == 0:
                self.init(frame, box)
            else:
                boxes[index] = self.update(frame)
            seconds[index] = time.perf_counter() - began
            if show is not None:
                show(_picture(frame), boxes[index])
        return boxes, seconds


def _found(argument: str) -> Any:
    """Return what stands under `module:Class`."""
    asked = f"tracker 'got10k:{argument}'"
    name, _, attribute = argument.partition(":")
    if not name or not attribute:
        raise VBenchError(f"{asked} names no class; write it as got10k:module:Class")
    # A command that was installed does not look into the folder that it is called from.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] in TOOLKIT:
            raise NotReady(f"{asked} needs {error.name}: pip install 'vbench[got10k]'") from None
        raise VBenchError(
            f"{asked}: there is no module {error.name}, neither installed nor in this folder; "
            "install it, or run from the folder that holds it"
        ) from None
    except Exception as error:
        raise VBenchError(f"{asked}: module {name} cannot be imported: {_line(error)}") from None
    if not hasattr(module, attribute):
        public = [key for key, value in vars(module).items() if callable(value)]
        raise UnknownName(f"class in {name}", attribute, [k for k in public if k[0] != "_"])
    return getattr(module, attribute)


def _made(target: Any, argument: str) -> Any:
    """Call `target` without arguments and see that a got10k tracker comes out."""
    asked = f"tracker 'got10k:{argument}'"
    try:
        tracker = target()
    except Exception as error:
        raise VBenchError(
            f"{asked} cannot be made without arguments: {_line(error)}; "
            "name a function that makes it"
        ) from None
    for method in ("init", "update"):
        if not callable(getattr(tracker, method, None)):
            raise VBenchError(f"{asked} is no got10k tracker: it has no method '{method}'")
    return tracker


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _picture(frame: Image) -> Picture:
    from PIL import Image as pictures  # noqa: N813  (the module, not our array)

    return pictures.fromarray(frame)


def _array(image: Picture | Image) -> Image:
    if isinstance(image, np.ndarray):
        return image
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _show() -> Callable[[Picture, Box], None]:
    shown: Callable[[Picture, Box], None] = importlib.import_module("got10k.utils.viz").show_frame
    return shown
