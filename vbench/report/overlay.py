"""Frames of a clip with the boxes of methods drawn on them: a contact sheet or a video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from vbench.core.boxes import Boxes, Image
from vbench.core.errors import VBenchError
from vbench.core.trace import Kind, Trace
from vbench.report.canvas import COLOURS
from vbench.report.labels import shortened
from vbench.store.traces import StoredTruth

FrameAt = Callable[[int], Image]
LEAST_SCORE = 0.3
TILE_PX = 320
# Height of a line of the caption and width of its letters.
LINE_PX, LETTER_PX = 15, 7
WHITE = (255, 255, 255)
# As in the plots; yellow instead of black, which is not seen on dark pictures.
HUES = tuple("#F0E442" if colour == "#000000" else colour for colour in COLOURS)
# How a step's kind is written behind a method's name.
WORDS = {Kind.START: "start", Kind.KEY: "key", Kind.INTER: "inter", Kind.FALLBACK: "fallback"}
WORDS |= {Kind.SKIPPED: "skipped"}


def drawn(
    image: Image, index: int, truth: StoredTruth, traces: Mapping[str, Trace], scale: float = 1.0
) -> Image:
    """Draw each method's boxes in its colour and the truth (white, thin) over them.

    Below the picture stand the frame and, a line a method, the kind of its step.
    """
    import cv2

    height, width = image.shape[:2]
    size = (max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2))
    canvas = cv2.resize(
        image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    for row, trace in enumerate(traces.values()):
        _boxes(canvas, answered(trace, index), scale, _rgb(HUES[row % len(HUES)]), 2)
    _boxes(canvas, truth_boxes(truth, index), scale, WHITE, 1)
    words = [(f"frame {index}; white: ground truth", WHITE)]
    kinds = [WORDS[Kind(trace.kind[index])] for trace in traces.values()]
    letters = (size[0] - 8) // LETTER_PX - max(map(len, WORDS.values())) - 2
    names = shortened(list(traces), max(12, letters))
    for row, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        words.append((f"{name}: {kind}", _rgb(HUES[row % len(HUES)])))
    return np.concatenate([canvas, _caption(size[0], words)])


def _caption(width: int, words: Sequence[tuple[str, tuple[int, int, int]]]) -> Image:
    """Lines of text on black, each in its colour, lightened so that it can be read."""
    import cv2

    strip = np.zeros(((LINE_PX * len(words) + 5) // 2 * 2, width, 3), np.uint8)
    for row, (text, colour) in enumerate(words):
        light = [(channel + 255) // 2 for channel in colour]
        # OpenCV's letters are ASCII.
        place, plain = (4, LINE_PX * row + 12), text.replace("…", "~")
        cv2.putText(strip, plain, place, cv2.FONT_HERSHEY_SIMPLEX, 0.36, light, 1, cv2.LINE_AA)
    return strip


def contact_sheet(
    frame_at: FrameAt, truth: StoredTruth, traces: Mapping[str, Trace], tiles: int = 12
) -> Image:
    """Return frames spread evenly over the clip, four a row, each with its boxes."""
    chosen = sorted({int(i) for i in np.linspace(0, truth.frames - 1, min(tiles, truth.frames))})
    made = []
    for index in chosen:
        image = frame_at(index)
        made.append(drawn(image, index, truth, traces, TILE_PX / image.shape[1]))
    height = max(tile.shape[0] for tile in made)
    padded = [np.pad(t, ((0, height - t.shape[0]), (0, 0), (0, 0))) for t in made]
    blank = np.zeros_like(padded[0])
    padded += [blank] * (-len(padded) % 4)
    rows = [np.concatenate(padded[i : i + 4], axis=1) for i in range(0, len(padded), 4)]
    return np.concatenate(rows)


def write_video(
    path: Path, frame_at: FrameAt, truth: StoredTruth, traces: Mapping[str, Trace], fps: float = 25
) -> None:
    """Write an mp4 of the whole clip.

    Raises:
        VBenchError: OpenCV here cannot write mp4, or the folder cannot be written.
    """
    import cv2

    frames = _frames(frame_at, truth, traces)
    first = next(frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (first.shape[1], first.shape[0])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    if not writer.isOpened():
        raise VBenchError(f"cannot write {path}: no mp4 here; take --sheet")
    try:
        for frame in (first, *frames):
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    finally:
        writer.release()


def answered(trace: Trace, index: int) -> Boxes:
    """Boxes of one frame; of detections those with a score worth drawing."""
    end = int(trace.objects[: index + 1].sum())
    rows = slice(end - int(trace.objects[index]), end)
    boxes = trace.boxes[rows]
    if len(boxes) and (trace.labels[rows] >= 0).all():
        boxes = boxes[trace.scores[rows] >= LEAST_SCORE]
    return boxes


def truth_boxes(truth: StoredTruth, index: int) -> Boxes:
    """Boxes of the ground truth of one frame."""
    if truth.objects is not None:
        return np.asarray(truth.objects.boxes[truth.objects.frame == index])
    return truth.truth[index : index + 1]


def _frames(frame_at: FrameAt, truth: StoredTruth, traces: Mapping[str, Trace]) -> Iterator[Image]:
    for index in range(truth.frames):
        yield drawn(frame_at(index), index, truth, traces)


def _boxes(canvas: Image, boxes: Boxes, scale: float, colour: Sequence[int], thick: int) -> None:
    import cv2

    for x, y, w, h in boxes[np.isfinite(boxes).all(axis=1)] * scale:
        corners = np.clip([x, y, x + w, y + h], -10_000, 10_000).round().astype(int)
        cv2.rectangle(
            canvas, corners[:2].tolist(), corners[2:].tolist(), colour, thick, cv2.LINE_AA
        )


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
