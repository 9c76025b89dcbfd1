"""What `vbench doctor` finds out: what of this installation works, and what mends the rest."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vbench import __version__, catalogue
from vbench.core.errors import VBenchError
from vbench.run.devices import devices
from vbench.run.extras import EXTRAS, install_command, missing_modules
from vbench.run.listing import NEEDS_DATA, READY, rows
from vbench.run.settings import Settings
from vbench.weights.find import WeightsFinder, cache_folder
from vbench.weights.registry import registry

Health = Literal["ok", "missing", "broken"]
LEAST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 1 << 30
OPENCV = "pip install --force-reinstall opencv-contrib-python-headless"
# How far a decoded value may be from the encoded one, of 255.
JPEG_ERROR, VIDEO_ERROR = 6.0, 12.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    `missing` costs some methods or suites; `broken` is something that vbench itself needs.
    """

    area: str
    name: str
    health: Health
    found: str
    mend: str = ""


def examine(settings: Settings, finder: WeightsFinder) -> list[Check]:
    """Look at everything, in the order of importance; nothing that fails stops the rest."""
    found: list[Check] = []
    for area, look in _looks(settings, finder):
        try:
            found += look()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            found.append(Check(area, area, "broken", reason, "reinstall vbench"))
    return found


def _looks(
    settings: Settings, finder: WeightsFinder
) -> Iterator[tuple[str, Callable[[], Iterable[Check]]]]:
    yield "python", _python
    yield "torch", _torch
    yield "device", lambda: _devices(settings)
    yield "codec", _codecs
    yield "extra", _extras
    yield "weights", lambda: _weights(finder)
    yield "data", lambda: _data(settings, finder)
    yield "disk", lambda: _disk(settings)


def _python() -> Iterator[Check]:
    good = sys.version_info >= LEAST_PYTHON
    wanted = ".".join(map(str, LEAST_PYTHON))
    mend = "" if good else f"make an environment with Python {wanted} or newer"
    found = f"{platform.python_version()}, vbench {__version__}"
    yield Check("python", "python", "ok" if good else "broken", found, mend)


def _torch() -> Iterator[Check]:
    import torch

    product = torch.ones(3, 3) @ torch.ones(3, 3)
    good = bool((product == 3).all())
    cuda = f", CUDA {torch.version.cuda}" if torch.version.cuda else ", CPU only"
    mend = "" if good else "pip install --force-reinstall torch"
    found = f"{torch.__version__}{cuda}, {torch.get_num_threads()} threads"
    yield Check("torch", "torch", "ok" if good else "broken", found, mend)


def _devices(settings: Settings) -> Iterator[Check]:
    there = devices()
    for device in there:
        yield Check(
            "device", device.name, "missing" if device.lacks else "ok", device.summary, device.lacks
        )
    usable = {device.name for device in there if not device.lacks}
    wanted = f"{settings.device}:0" if settings.device == "cuda" else settings.device
    if wanted not in usable:
        source = settings.values["device"].source
        yield Check("device", wanted, "broken", f"asked for by {source}", "choose another device")


def _codecs() -> Iterator[Check]:
    import cv2

    build = f"OpenCV {cv2.__version__}"
    contrib = hasattr(cv2, "TrackerKCF_create") or hasattr(cv2, "TrackerKCF")
    found = f"{build}, {'with' if contrib else 'without'} contrib trackers"
    yield Check("codec", "opencv", "ok" if contrib else "missing", found, "" if contrib else OPENCV)
    frame = _frame()
    for name, allowed in ((".jpg", JPEG_ERROR), (".png", 0.0), (".bmp", 0.0)):
        written, data = cv2.imencode(name, frame)
        back = cv2.imdecode(data, cv2.IMREAD_COLOR) if written else None
        yield _codec(name[1:], frame, back, allowed)
    yield _codec("video", frame, _through_video(frame), VIDEO_ERROR)


def _through_video(frame: Any) -> Any:
    """Write a frame as Motion JPEG and read it back."""
    import cv2

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "clip.avi")
        code = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(path, code, 25.0, (frame.shape[1], frame.shape[0]))
        writer.write(frame)
        writer.release()
        reader = cv2.VideoCapture(path)
        there, back = reader.read()
        reader.release()
    return back if there else None


def _frame() -> Any:
    """A smooth picture, which lossy codecs keep nearly as it is."""
    y, x = np.mgrid[0:48, 0:64]
    return np.stack([x * 3, y * 4, x + y], axis=2).astype(np.uint8)


def _codec(name: str, frame: Any, back: Any, allowed: float) -> Check:
    if back is None or back.shape != frame.shape:
        return Check("codec", name, "broken", "cannot be written and read back", OPENCV)
    error = float(np.abs(back.astype(float) - frame).mean())
    good = error <= allowed
    found = f"read back with a mean error of {error:.1f} of 255"
    return Check("codec", name, "ok" if good else "broken", found, "" if good else OPENCV)


def _extras() -> Iterator[Check]:
    for extra, (modules, purpose) in EXTRAS.items():
        lacking = missing_modules(extra)
        found = f"{purpose}: " + ", ".join(f"{module} {_version(module)}" for module in modules)
        mend = install_command(extra) if lacking else ""
        yield Check("extra", extra, "missing" if lacking else "ok", found, mend)


def _version(module: str) -> str:
    try:
        return version(module)
    except PackageNotFoundError:
        return "not installed"


def _weights(finder: WeightsFinder) -> Iterator[Check]:
    """Weights that some catalogue entry asks for, by their content."""
    kinds = ("trackers", "propagators", "detectors")
    asked = {e.weights: None for kind in kinds for e in catalogue.table(kind).values() if e.weights}
    for name in asked:
        if name in finder.named:
            yield Check("weights", name, "ok", str(finder.named[name]))
        elif name in registry() and (found := finder.published(name)):
            yield Check("weights", name, "ok", ", ".join(map(str, found.files.values())))
        else:
            step = registry()[name].next_step() if name in registry() else f"--weights {name}=FILE"
            yield Check("weights", name, "missing", "not here", step)


def _data(settings: Settings, finder: WeightsFinder) -> Iterator[Check]:
    """Suites: those whose folder is known are opened, so that the clips are counted."""
    for row in rows("suites", settings, finder):
        if row.status == NEEDS_DATA or "data" not in row.needs:
            health: Health = "ok" if row.status == READY else "missing"
            found = "embedded" if health == "ok" else row.status
            yield Check("data", row.name, health, found, row.mend)
            continue
        yield _opened(row.name, settings)


def _opened(name: str, settings: Settings) -> Check:
    try:
        suite = catalogue.open_suite(name, settings.data_for(name), settings.annotations_for(name))
    except VBenchError as error:
        return Check("data", name, "missing", "cannot be opened", " ".join(str(error).split()))
    whole = len(suite.clips) >= suite.card.clips and not suite.problems
    told = "; ".join(f"{clip}: {why}" for clip, why in list(suite.problems.items())[:3])
    mend = "" if whole else told or f"get the rest from {suite.card.url}"
    return Check("data", name, "ok" if whole else "missing", f"{suite.coverage} clips", mend)


def _disk(settings: Settings) -> Iterator[Check]:
    for name, folder in (("results", settings.results), ("cache", cache_folder())):
        there = _existing(folder)
        free = shutil.disk_usage(there).free
        good = free >= LEAST_FREE_BYTES and _writable(there)
        found = f"{folder}: {free / 1e9:.1f} GB free"
        mend = "" if good else f"make room, or let vbench write in {there}"
        yield Check("disk", name, "ok" if good else "broken", found, mend)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above that exists."""
    resolved = folder.resolve()
    return next(f for f in (resolved, *resolved.parents) if f.is_dir())


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
