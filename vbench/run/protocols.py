"""Protocols that cut a clip into other clips: TRE, SRE and the multi-start of VOT2020 and later.

Wu, Lim & Yang, Object Tracking Benchmark, PAMI 2015, section 4.2 (util/splitSeqTRE.m and
shiftInitBB.m of the MATLAB toolkit; jwlim/tracker_benchmark butil/split_seq.py, shift_bbox.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from vbench.core.boxes import Bools, Box, Boxes, Ints, is_present
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed, UnknownName, VBenchError
from vbench.core.frames import ChosenFrames
from vbench.core.suite import Suite
from vbench.run.restarted import RESTARTS

TRE_STARTS = 20
# A start leaves at least this many frames.
TRE_SHORTEST = 20
SHIFTS = (
    "left",
    "right",
    "up",
    "down",
    "topLeft",
    "topRight",
    "bottomLeft",
    "bottomRight",
    "scale_8",
    "scale_9",
    "scale_11",
    "scale_12",
)
ANCHOR_SPACING = 50
# From 0-based x y w h to the 1-based ones of these toolkits.
FIRST_PIXEL = np.array([1.0, 1.0, 0.0, 0.0])
MULTISTART = "vot-multistart"
# SRE with the two errors of the Python port; see `shifted`.
SRE_COMPAT = "sre-compat"
PROTOCOLS = ("ope", "tre", "sre", SRE_COMPAT, MULTISTART)
# Frame tag of frames that a start must not fall on (initOmit of the OTB benchmark).
OMITTED = "init_omit"
# matlab: as published; compat: jwlim/tracker_benchmark, whose "down" widens the box instead.
Shifting = Literal["matlab", "compat"]


def chosen(clip: Clip, order: Ints, name: str) -> Clip:
    """The clip with some of its frames in some order."""
    return replace(
        clip,
        name=name,
        frames=ChosenFrames(clip.frames, order),
        truth=clip.truth[order] if len(clip.truth) else clip.truth,
        regions=None if clip.regions is None else clip.regions[order],
        frame_tags={tag: flags[order] for tag, flags in clip.frame_tags.items()},
        frame_values={key: values[order] for key, values in clip.frame_values.items()},
    )


def tre_starts(truth: Boxes, omitted: Bools | None = None, starts: int = TRE_STARTS) -> Ints:
    """First frames (0-based) of the segments: spread evenly over the usable frames.

    Usable are frames whose 1-based x, y, w, h are all above 0 and that are not `omitted` (n,). The
    last start is the last usable frame with 20 frames to come; clips of very few usable frames have
    fewer starts.

    Raises:
        ClipFailed: no frame is usable.
    """
    usable = is_present(truth) & (truth + FIRST_PIXEL > 0).all(axis=1)
    if omitted is not None:
        usable &= ~omitted
    frames = np.flatnonzero(usable)
    if not len(frames):
        raise ClipFailed("no frame can be started from: no box with x, y, w, h > 0")
    late = np.flatnonzero(len(truth) - frames >= TRE_SHORTEST)
    if not len(late):
        return frames[:1]
    end = int(late[-1]) + 1
    # MATLAB's floor(1:end/(starts-1):end), then the end itself.
    steps = np.floor(1 + np.arange(starts) * (end / (starts - 1)) + 1e-9)
    places = np.append(steps[steps + 1e-9 < end][: starts - 1], end).astype(np.int64)
    return frames[places - 1]


def tre_clips(clip: Clip) -> list[Clip]:
    """The segments of temporal robustness evaluation, `NAME/tre01` to `NAME/tre20`."""
    found = []
    starts = tre_starts(clip.truth, clip.frame_tags.get(OMITTED))
    for number, start in enumerate(starts, start=1):
        order = np.arange(start, len(clip))
        found.append(chosen(clip, order, f"{clip.name}/tre{number:02d}"))
    return found


def shifted(box: Box, shift: str, size: tuple[int, int], rule: Shifting = "matlab") -> Box:
    """One of the 12 start boxes of spatial robustness evaluation, for a frame of `size` (w, h).

    Shifts by 10 % of the size, rounded up, and scales by .8, .9, 1.1, 1.2; `topLeft` and the like
    move one corner. `compat` is the Python port with its two errors: round(s + .5), and "down".
    """
    if shift not in SHIFTS:
        raise UnknownName("shift", shift, SHIFTS)
    x, y, w, h = (float(v) for v in box + FIRST_PIXEL)
    right, bottom = x + w - 1, y + h - 1
    step = [_port_step(s) if rule == "compat" else float(np.ceil(0.1 * s)) for s in (w, h)]
    if shift.startswith("scale_"):
        ratio = {"8": 0.8, "9": 0.9, "11": 1.1, "12": 1.2}[shift[6:]]
        centre = x + w / 2, y + h / 2
        w, h = ratio * w, ratio * h
        x, y = _round(centre[0] - w / 2), _round(centre[1] - h / 2)
        w, h = _round(w), _round(h)
    elif shift == "down" and rule == "compat":
        w += step[1]
    elif shift in ("left", "right"):
        x += -step[0] if shift == "left" else step[0]
    elif shift in ("up", "down"):
        y += -step[1] if shift == "up" else step[1]
    else:
        if "Left" in shift:
            x = _round(x - 0.1 * w)
        else:
            right = _round(right + 0.1 * w)
        if "top" in shift:
            y = _round(y - 0.1 * h)
        else:
            bottom = _round(bottom + 0.1 * h)
        w, h = right - x + 1, bottom - y + 1
    x, y = max(x, 1.0), max(y, 1.0)
    w, h = min(w, size[0] - x + 1), min(h, size[1] - y + 1)
    return np.array([x - 1, y - 1, w, h])


def _round(value: float) -> float:
    return float(np.trunc(value + np.copysign(0.5, value)))


def _port_step(side: float) -> float:
    return _round(0.1 * side + 0.5)


def sre_clips(clip: Clip, rule: Shifting = "matlab") -> list[Clip]:
    """The clip from its first usable frame on with each shifted start, `NAME/sre-left` and so on.

    The first row of the truth is the shifted box: a start is not scored.
    """
    start = int(tre_starts(clip.truth, clip.frame_tags.get(OMITTED))[0])
    whole = chosen(clip, np.arange(start, len(clip)), clip.name)
    found = []
    for shift in SHIFTS:
        truth = whole.truth.copy()
        truth[0] = shifted(truth[0], shift, clip.size, rule)
        found.append(replace(whole, name=f"{clip.name}/sre-{shift}", truth=truth))
    return found


def anchors_of(clip: Clip, name: str = "anchor") -> list[tuple[int, bool]]:
    """Start frames of the multi-start protocol, and whether each runs backwards.

    Those of the clip's `anchor` values (above 0 forward, below 0 backward) where it has any, else
    every 50 frames with the first and the last, each towards the farther end (Kristan et al., The
    eighth Visual Object Tracking VOT2020 challenge results, section 3.1).
    """
    values = clip.frame_values.get(name)
    if values is not None:
        forward = [(int(frame), False) for frame in np.flatnonzero(values > 0)]
        return forward + [(int(frame), True) for frame in np.flatnonzero(values < 0)]
    last = len(clip) - 1
    frames = sorted({*range(0, last, ANCHOR_SPACING), last})
    forward = [(frame, False) for frame in frames if frame <= last / 2]
    return forward + [(frame, True) for frame in frames if frame > last / 2]


def multistart_clips(clip: Clip) -> list[Clip]:
    """One clip an anchor, `NAME/00000050`; backward ones run to the first frame."""
    found = []
    for frame, backward in anchors_of(clip):
        order = np.arange(frame, -1, -1) if backward else np.arange(frame, len(clip))
        found.append(chosen(clip, order, f"{clip.name}/{frame:08d}"))
    return found


def expanded(suite: Suite, protocol: str) -> Suite:
    """The suite's clips as `protocol` runs them: itself for ope, several clips each otherwise.

    Clips that cannot be cut become problems.
    """
    if protocol not in PROTOCOLS:
        raise UnknownName("protocol", protocol, PROTOCOLS)
    if protocol == "ope":
        return suite
    cut: Mapping[str, Callable[[Clip], list[Clip]]] = {
        "tre": tre_clips,
        "sre": sre_clips,
        SRE_COMPAT: lambda clip: sre_clips(clip, "compat"),
        MULTISTART: multistart_clips,
    }
    clips: list[Clip] = []
    problems = dict(suite.problems)
    for clip in suite.clips:
        try:
            clips += cut[protocol](clip)
        except ClipFailed as error:
            problems[clip.name] = str(error)
    if protocol == MULTISTART:
        # Clips have as many anchors as their length gives; one that is not here counts for one.
        complete = len(clips) + max(suite.card.clips - len(suite.clips), 0)
    else:
        complete = suite.card.clips * (TRE_STARTS if protocol == "tre" else len(SHIFTS))
    card = replace(suite.card, clips=complete, protocol=protocol)
    return Suite(card, clips, problems)


def under_protocol(suite: Suite, protocol: str | None) -> tuple[Suite, str]:
    """Return the suite as a protocol runs it, and what the protocol then is for each clip.

    None is the suite's own protocol. TRE, SRE and multi-start become more clips, each run in one
    pass.

    Raises:
        UnknownName: no such protocol.
        VBenchError: one with restarts for a suite of many objects.
    """
    name = protocol or suite.card.protocol
    if suite.task == "vid":
        if protocol not in (None, "vid"):
            raise VBenchError(f"--protocol {protocol}: suite {suite.name} is of many objects")
        return suite, "vid"
    if name in RESTARTS:
        return suite, name
    if name not in PROTOCOLS:
        raise UnknownName("protocol", name, [*PROTOCOLS, *RESTARTS])
    return expanded(suite, name), name
