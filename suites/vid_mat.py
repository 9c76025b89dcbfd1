"""The ground truth of ImageNet VID val in the MATLAB files of its development kit."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vbench.core.boxes import Bools, Boxes, Floats, Ints, from_corners
from vbench.core.errors import ClipFailed, NotReady

MAX_BYTES = 64 << 20
MOST_UNPACKED = 512 << 20
HEADER = 128
COMPRESSED = 15
PIECE = 1 << 16


@dataclass(frozen=True)
class DevkitTruth:
    """Objects of all frames of the set, m in all.

    first (frames + 1,): row at which each frame's objects begin; known (frames,): whether the file
    has the frame at all; motion (m,) if the file of motion IoUs is there.
    """

    first: Ints
    known: Bools
    boxes: Boxes
    labels: Ints
    motion: Floats | None


def read_devkit(path: Path, frames: int, motion: Path | None = None) -> DevkitTruth:
    """Read `ILSVRC2015_vid_validation_ground_truth*.mat`, of a set of so many frames.

    Raises:
        NotReady: scipy is not installed.
        ClipFailed: no such file, or what is in it does not fit together.
    """
    names = ["gt_img_ids", "gt_obj_labels", "gt_obj_bboxes"]
    found = load_mat(path, names)
    numbers, labels, boxes = (found[name].ravel() for name in names)
    if not len(numbers) == len(labels) == len(boxes):
        raise ClipFailed(f"{path.name}: its columns do not have one length")
    if len(numbers) and not (numbers.min() >= 1 and numbers.max() <= frames):
        raise ClipFailed(
            f"{path.name} numbers frames up to {numbers.max()}, the list of videos has {frames}"
        )
    order = np.argsort(numbers, kind="stable")
    numbers, labels, boxes = numbers[order].astype(np.int64), labels[order], boxes[order]
    if (np.diff(numbers) == 0).any():
        raise ClipFailed(f"{path.name} has a frame twice")
    columns = [np.asarray(column, np.float64).reshape(4, -1) for column in boxes]
    counts = np.zeros(frames, np.int64)
    counts[numbers - 1] = [column.shape[1] for column in columns]
    if [np.size(own) for own in labels] != counts[numbers - 1].tolist():
        raise ClipFailed(f"{path.name}: a frame has more labels than boxes, or fewer")
    known = np.zeros(frames, bool)
    known[numbers - 1] = True
    return DevkitTruth(
        np.append(0, np.cumsum(counts)),
        known,
        from_corners(np.concatenate([np.zeros((4, 0)), *columns], axis=1).T),
        np.concatenate([np.zeros(0), *map(np.ravel, labels)]).astype(np.int64) - 1,
        _motion(motion, counts) if motion is not None and known.all() else None,
    )


def _motion(path: Path, counts: Ints) -> Floats:
    cells = load_mat(path, ["motion_iou"])["motion_iou"].ravel()
    if [np.size(cell) for cell in cells] != counts.tolist():
        raise ClipFailed(f"{path.name} does not fit the ground truth beside it")
    return np.concatenate([np.zeros(0), *(np.ravel(cell) for cell in cells)]).astype(np.float64)


def load_mat(path: Path, names: list[str]) -> dict[str, Any]:
    """Read variables of a MATLAB 5 file of bounded size.

    Raises:
        NotReady: scipy is not installed.
        ClipFailed: missing, too large, damaged, or without one of the variables.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise ClipFailed(f"{path.name} cannot be read: {error.strerror}") from None
    if size > MAX_BYTES or unpacked(content) > MOST_UNPACKED:
        raise ClipFailed(f"{path.name} is too large for a ground truth")
    if not content.startswith(b"MATLAB 5.0") or content[126:128] != b"IM":
        raise ClipFailed(f"{path.name} is no MATLAB 5 file (little-endian, saved with -v6 or -v7)")
    try:
        import scipy.io
    except ModuleNotFoundError:
        raise NotReady(
            "ground truth in .mat files needs scipy: pip install 'vbench[mat]'"
        ) from None
    try:
        reader: Any = scipy.io.loadmat
        loaded: dict[str, Any] = reader(io.BytesIO(content), variable_names=names)
    except Exception as error:
        # A damaged file can fail anywhere inside the reader.
        raise ClipFailed(f"{path.name} is damaged ({type(error).__name__})") from None
    missing = [name for name in names if name not in loaded]
    if missing:
        raise ClipFailed(f"{path.name} has no variable {missing[0]}")
    return loaded


def unpacked(content: bytes) -> int:
    """Bytes that the compressed variables unpack to, counted no further than allowed."""
    total, at = 0, HEADER
    while at + 8 <= len(content) and total <= MOST_UNPACKED:
        kind = int.from_bytes(content[at : at + 4], "little")
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8
        if kind == COMPRESSED:
            total += _inflated(content[at : at + length])
        at += length
    return total


def _inflated(packed: bytes) -> int:
    """Length of the unpacked bytes, in pieces, so that a bomb does not fill the memory."""
    inflater, total = zlib.decompressobj(), 0
    try:
        for at in range(0, len(packed), PIECE):
            rest = packed[at : at + PIECE]
            while rest and not inflater.eof and total <= MOST_UNPACKED:
                total += len(inflater.decompress(rest, 1 << 20))
                rest = inflater.unconsumed_tail
    except zlib.error:
        return total
    return total
