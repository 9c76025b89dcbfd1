"""Small scenes for tests: objects (frame, class, box, ignore), detections with a score."""

import numpy as np

from vbench.core.clip import Objects
from vbench.core.trace import Kind, Trace
from vbench.metrics.vid_frames import VidAnswers, VidTruths


def objects_of(rows, tracks=None):
    """Objects from rows (frame, class, box, ignore), in the order of their frames."""
    order = sorted(range(len(rows)), key=lambda k: rows[k][0])
    rows = [rows[k] for k in order]
    own = [-1] * len(rows) if tracks is None else [tracks[k] for k in order]
    return Objects(
        np.array([r[0] for r in rows], np.int64),
        np.array([r[2] for r in rows], np.float64).reshape(-1, 4),
        np.array([r[1] for r in rows], np.int64),
        np.array(own, np.int64),
        np.array([r[3] for r in rows], bool),
    )


def truths_of(rows, motion=None, size=None, frames=4, again=None):
    """Truths of one clip, in the order given (or of two clips)."""
    plain = Objects(
        np.array([r[0] for r in rows], np.int64),
        np.array([r[2] for r in rows], np.float64).reshape(-1, 4),
        np.array([r[1] for r in rows], np.int64),
        np.full(len(rows), -1),
        np.array([r[3] for r in rows], bool),
    )
    clips = [plain] if again is None else [plain, objects_of(again)]
    return VidTruths.of(
        clips,
        [frames] * len(clips),
        None if motion is None else [np.asarray(motion)],
        [size] * len(clips),
    )


def trace_of(rows, frames, kinds=None):
    """A trace from rows (frame, class, box, score) in the order of their frames."""
    counts = np.bincount([r[0] for r in rows], minlength=frames) if rows else np.zeros(frames, int)
    none = np.full(frames, np.nan)
    return Trace(
        np.full(frames, Kind.KEY, np.int8) if kinds is None else np.asarray(kinds, np.int8),
        counts.astype(np.int64),
        np.zeros(frames, np.int64),
        none,
        none,
        none,
        none,
        np.array([r[2] for r in rows], np.float64).reshape(-1, 4),
        np.array([r[3] for r in rows], np.float64),
        np.array([r[1] for r in rows], np.int64),
    )


def answers_of(rows, frames=4):
    """Detections of one clip."""
    return VidAnswers.of([trace_of(rows, frames)])
