"""Square crops around targets: integer windows of the frame, padded, resized.

The arithmetic is OpenCV's bilinear `resize` of uint8 (11-bit fixed point; imgproc/src/resize.cpp),
which the published trackers were tuned with. The torch path does the same sums in integers, so that
crops on a GPU equal those on the CPU bit for bit.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vbench.core.boxes import Floats, Image, Ints

Windows: TypeAlias = Ints  # (n, 3): left, top, side in px, may reach outside the frame
Bytes: TypeAlias = NDArray[np.uint8]

COEF_BITS = 11
# Windows that reach far outside the frame are sampled instead of being cut out and padded.
LARGEST_PADDED_PX = 4 << 20
LARGEST_SIDE_PX = 1 << 20


def context_sides(sizes: Floats, context: float = 0.5) -> Floats:
    """Side of the square that holds a box and its context: sqrt((w + c)(h + c)) px.

    `sizes` is (..., 2). SiamFC, sec. 3.1: the margin c is `context` times the sum of the sides.
    """
    side: Floats = np.sqrt(np.prod(sizes + context * sizes.sum(axis=-1, keepdims=True), axis=-1))
    return side


def windows_around(
    centres: ArrayLike, sides: ArrayLike, rounding: Literal["even", "up"] = "even"
) -> Windows:
    """Integer windows (n, 3) around pixel centres (n, 2) x y with `sides` (n,) px.

    "even" is siamfc-pytorch ops.py:91-97 (corner = round half to even of centre - (side - 1) / 2),
    "up" is pysot siamese_tracker.py:30-36 (corner = floor(centre - (side + 1) / 2 + 0.5)).
    """
    centre = np.asarray(centres, dtype=np.float64).reshape(-1, 2)
    whole = np.clip(np.rint(np.asarray(sides, dtype=np.float64)), 1, LARGEST_SIDE_PX)
    whole = np.broadcast_to(whole.reshape(-1), (len(centre),))
    if rounding == "even":
        corner = np.rint(centre - (whole[:, None] - 1) / 2)
    else:
        corner = np.floor(centre - (whole[:, None] + 1) / 2 + 0.5)
    return np.concatenate([corner, whole[:, None]], axis=1).astype(np.int64)


def mean_colour(frame: Image, rounding: Literal["nearest", "down"] = "nearest") -> Bytes:
    """Mean colour of a frame (3,), with which crops are padded.

    OpenCV rounds a border's colour (siamfc-pytorch), numpy cuts it off (pysot).
    """
    # OpenCV sums many times faster than numpy does over the two leading axes; the sum is exact.
    mean = np.asarray(cv2.sumElems(frame)[:3]) / (frame.shape[0] * frame.shape[1])
    colour: Bytes = (np.rint(mean) if rounding == "nearest" else mean).astype(np.uint8)
    return colour


def square_crops(
    frame: Image, windows: Windows, size: int, fill: Bytes, device: str = "cpu"
) -> Tensor:
    """Crop `windows` (n, 3) out of `frame`, resize: float32 (n, 3, size, size), RGB in 0..255."""
    if torch.device(device).type == "cpu":
        crops = torch.from_numpy(crops_by_opencv(frame, windows, size, fill))
    else:
        crops = crops_by_torch(frame, windows, size, fill, device)
    return crops.permute(0, 3, 1, 2).float()


def crops_by_opencv(frame: Image, windows: Windows, size: int, fill: Bytes) -> Bytes:
    """Crops as uint8 (n, size, size, 3), one `cv2.resize` each."""
    crops: Bytes = np.empty((len(windows), size, size, 3), dtype=np.uint8)
    for crop, (left, top, side) in zip(crops, windows.tolist(), strict=True):
        height, width = frame.shape[:2]
        if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
            patch = frame[top : top + side, left : left + side]
        elif side * side > LARGEST_PADDED_PX:
            one = np.array([[left, top, side]])
            crop[:] = crops_by_torch(frame, one, size, fill, "cpu")[0].numpy()
            continue
        else:
            patch = _padded(frame, left, top, side, fill)
        cv2.resize(patch, (size, size), dst=crop, interpolation=cv2.INTER_LINEAR)
    return crops


def crops_by_torch(frame: Image, windows: Windows, size: int, fill: Bytes, device: str) -> Tensor:
    """Crops as uint8 (n, size, size, 3) on `device`, all windows in one gather of four pixels each.

    Only the part of the frame that some window covers is sent to the device.
    """
    part, moved = _covered(frame, windows)
    image = torch.from_numpy(part).to(device)
    span = torch.from_numpy(moved).to(device)
    colour = torch.from_numpy(fill.astype(np.int32)).to(device)
    x0, x1, a0, a1 = _taps(span[:, 2], size, keep_inside=True)
    y0, y1, b0, b1 = _taps(span[:, 2], size, keep_inside=False)

    def row(y: Tensor) -> Tensor:
        ys = (y + span[:, 1:2])[:, :, None]
        left = _pixels(image, ys, (x0 + span[:, :1])[:, None, :], colour)
        right = _pixels(image, ys, (x1 + span[:, :1])[:, None, :], colour)
        return left * a0[:, None, :, None] + right * a1[:, None, :, None]

    upper = (b0[:, :, None, None] * (row(y0) >> 4)) >> 16
    lower = (b1[:, :, None, None] * (row(y1) >> 4)) >> 16
    return ((upper + lower + 2) >> 2).clamp_(0, 255).to(torch.uint8)


def _taps(sides: Tensor, size: int, keep_inside: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two source indices and two 11-bit weights of each output pixel, all (n, size).

    Along x the weights at the border are whole, along y the index is clipped: resize.cpp does so.
    """
    place = torch.arange(size, device=sides.device, dtype=torch.float64) + 0.5
    source = (place[None] * (sides.double() / size)[:, None] - 0.5).float()
    first = source.floor()
    share = source - first
    last = (sides - 1)[:, None]
    index = first.long()
    if keep_inside:
        share = torch.where((index < 0) | (index >= last), torch.zeros_like(share), share)
    one = float(1 << COEF_BITS)
    low = torch.minimum(index.clamp(min=0), last)
    high = torch.minimum((index + 1).clamp(min=0), last)
    if keep_inside:
        high = torch.minimum(low + 1, last)
    return low, high, ((1 - share) * one).round().int(), (share * one).round().int()


def _pixels(image: Tensor, y: Tensor, x: Tensor, fill: Tensor) -> Tensor:
    """Pixels at y (n, h, 1) and x (n, 1, w) as int32 (n, h, w, 3), `fill` outside the image."""
    height, width = image.shape[:2]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    found = image[y.clamp(0, height - 1), x.clamp(0, width - 1)].int()
    return torch.where(inside[..., None], found, fill)


def _covered(frame: Image, windows: Windows) -> tuple[Image, Windows]:
    """The part of the frame under some window (at least one pixel), and the windows moved to it."""
    height, width = frame.shape[:2]
    low = np.clip(windows[:, :2].min(axis=0), 0, (width - 1, height - 1))
    high = np.clip((windows[:, :2] + windows[:, 2:]).max(axis=0), low + 1, (width, height))
    part = np.ascontiguousarray(frame[low[1] : high[1], low[0] : high[0]])
    return part, np.concatenate([windows[:, :2] - low, windows[:, 2:]], axis=1)


def _padded(frame: Image, left: int, top: int, side: int, fill: Bytes) -> Bytes:
    patch: Bytes = np.empty((side, side, 3), dtype=np.uint8)
    patch[:] = fill
    height, width = frame.shape[:2]
    x0, x1 = max(left, 0), min(left + side, width)
    y0, y1 = max(top, 0), min(top + side, height)
    if x0 < x1 and y0 < y1:
        patch[y0 - top : y1 - top, x0 - left : x1 - left] = frame[y0:y1, x0:x1]
    return patch
