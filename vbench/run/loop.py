"""One clip, frame by frame: decode -> due? -> key or inter -> believed? -> record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from vbench.core.boxes import Box, Boxes, Image, Ints, absent
from vbench.core.clip import RESTART, Clip
from vbench.core.errors import ClipFailed
from vbench.core.frames import Frames
from vbench.core.moment import Moment
from vbench.core.policy import Policy
from vbench.core.roles import Detections, Placed, TrackPost
from vbench.core.trace import POST_SECONDS, Kind, Trace
from vbench.run.stepper import NO_LABELS, Answer, DetectorStepper, Stepper

Now = Callable[[], float]
NAN = float("nan")
ONE = np.ones(1)


class Step(NamedTuple):
    """One frame's outcome: what happened, the answer, seconds and how much the cheap half did."""

    kind: Kind
    answer: Answer
    seconds: float
    cheap_seconds: float = 0.0
    carried: int = 0
    predicted: Boxes | None = None


class Drive:
    """A method under its policy, frame by frame; the only place that knows the gap."""

    def __init__(self, stepper: Stepper, policy: Policy, now: Now) -> None:
        self.stepper, self.policy, self.now = stepper, policy, now
        self.placed = [part for part in stepper.parts() if isinstance(part, Placed)]
        # What links tracks afterwards needs the cheap half on keyframes as well, which pay for it.
        self.links = any(isinstance(post, TrackPost) for post in stepper.posts)
        self.carries_always = self.links and isinstance(stepper, DetectorStepper)

    def enter(self, clip: Clip) -> None:
        """Tell models that answer from a record which clip begins."""
        for part in self.placed:
            part.enter(clip.name, len(clip))

    def start(self, frame: Image, box: Box, index: int = 0) -> Step:
        """Begin on `frame`; a detector detects on it as well, and so starts with a keyframe."""
        for part in self.placed:
            part.at(index)
        single = self.stepper.single
        before = self.now()
        self.stepper.start(frame, box)
        answer = Answer(box[None], ONE, NO_LABELS) if single else self.stepper.key(frame)
        seconds = self.now() - before
        boxes = self.stepper.anchored(answer)
        self.moment = Moment(0, frame, frame, boxes, boxes, answer.belief, absent(0))
        return Step(Kind.START if single else Kind.KEY, answer, seconds)

    def step(self, frame: Image, truth: Boxes, index: int) -> Step:
        """Answer the next frame: due? key : inter, then believed? inter : both."""
        moment, stepper, policy = self.moment, self.stepper, self.policy
        moment.gap += 1
        moment.frame = frame
        moment.truth = truth
        for part in self.placed:
            part.at(index)
        cheap_seconds, carried = 0.0, 0
        before = self.now()
        if policy.due(moment) and not self.carries_always:
            kind, answer = Kind.KEY, stepper.key(frame)
        elif policy.due(moment):
            carried = stepper.inter(frame).effort
            cheap_seconds = self.now() - before
            kind, answer = Kind.FALLBACK, stepper.key(frame)
        else:
            answer = stepper.inter(frame)
            carried = answer.effort
            moment.boxes, moment.belief = answer.boxes, answer.belief
            if policy.believes(moment):
                answer = stepper.accept(answer)
                answer = answer._replace(scores=policy.rescored(answer.scores, moment.gap))
                seconds = self.now() - before
                return Step(Kind.INTER, answer, seconds, seconds, carried, stepper.predicted)
            cheap_seconds = self.now() - before
            kind, answer = Kind.FALLBACK, after(answer, stepper.key(frame))
        seconds = self.now() - before
        moment.gap, moment.key_frame, moment.key_boxes = 0, frame, stepper.anchored(answer)
        return Step(kind, answer, seconds, cheap_seconds, carried, stepper.predicted)


def run_clip(
    stepper: Stepper,
    policy: Policy,
    clip: Clip,
    now: Now,
    *,
    prefetch: bool = False,
    each_frame: Callable[[], None] | None = None,
) -> Trace:
    """Drive `stepper` over `clip` under `policy` and return the trace.

    `now` is the clock in seconds, synchronised with the device. With `prefetch` the next frame is
    decoded while this one is worked on; then seconds say nothing about the method alone.

    Raises:
        ClipFailed: empty clip, no start box, or an answer that is NaN or of the wrong shape.
    """
    if len(clip) == 0:
        raise ClipFailed("the clip has no frames")
    box = start_box_of(clip) if stepper.single else absent(1)[0]
    truths = truth_by_frame(clip)
    drive, record = Drive(stepper, policy, now), Record()
    drive.enter(clip)
    order = policy.order(len(clip))
    frames = _prefetched(clip.frames, order) if prefetch else _decoded(clip.frames, order, now)
    index, frame, decode_seconds = next(frames)
    record.add(drive.start(frame, box, index), decode_seconds)
    anew = clip.frame_tags.get(RESTART) if stepper.single else None
    for index, frame, decode_seconds in frames:
        if anew is not None and anew[index]:
            record.add(drive.start(frame, clip.truth[index], index), decode_seconds)
        else:
            record.add(drive.step(frame, truths(index), index), decode_seconds)
        if each_frame is not None:
            each_frame()
    trace = record.trace(order)
    check_answers(trace, stepper.single)
    predicted = record.predicted(order) if drive.links else None
    if not stepper.posts:
        return trace
    before = now()
    trace = processed(trace, stepper, predicted)
    return charged(trace, now() - before)


def after(cheap: Answer, answer: Answer) -> Answer:
    """Return the base model's answer with the belief in the cheap one, and what both spent."""
    columns = {**cheap.extras, **answer.extras}
    spent = {n: cheap.extras.get(n, 0.0) + answer.extras.get(n, 0.0) for n in columns}
    return answer._replace(belief=cheap.belief, extras=spent)


@dataclass
class Record:
    """Steps of a clip while they come in; a plain list, as appending is what happens most."""

    steps: list[Step] = field(default_factory=list)
    decode_seconds: list[float] = field(default_factory=list)

    def add(self, step: Step, decode_seconds: float) -> None:
        """Keep one frame's step."""
        self.steps.append(step)
        self.decode_seconds.append(decode_seconds)

    def predicted(self, order: Ints) -> list[Boxes]:
        """Objects of each frame in the next one, (n, 4).

        Raises:
            ClipFailed: the frames did not come one after the other, or nothing carries objects.
        """
        if (np.diff(order) != 1).any():
            raise ClipFailed("tracks are linked along frames in their order; take fixed:k")
        found = [step.predicted for step in self.steps[1:]]
        known = [boxes for boxes in found if boxes is not None]
        counts = [len(step.answer.boxes) for step in self.steps[:-1]]
        if [len(boxes) for boxes in known] != counts:
            raise ClipFailed("nothing carries the objects of every frame to the next one")
        return known

    def trace(self, order: Ints | None = None) -> Trace:
        """Return the columns by frame; `order` are the frames in the order they were added.

        Raises:
            ClipFailed: an answer whose boxes, scores and labels do not fit together.
        """
        places = range(len(self.steps)) if order is None else np.argsort(order).tolist()
        steps = [self.steps[place] for place in places]
        answers = [step.answer for step in steps]
        for index, answer in enumerate(answers):
            if answer.boxes.ndim != 2 or answer.boxes.shape[1] != 4:
                raise ClipFailed(
                    f"frame {index}: a box of shape {answer.boxes.shape[1:]}, not (4,)"
                )
            if not len(answer.boxes) == len(answer.scores) == len(answer.labels):
                raise ClipFailed(f"frame {index}: boxes, scores and labels differ in length")
        names = sorted({name for answer in answers for name in answer.extras})
        return Trace(
            kind=np.array([step.kind for step in steps], np.int8),
            objects=np.array([len(a.boxes) for a in answers], np.int64),
            carried=np.array([step.carried for step in steps], np.int64),
            belief=np.array([np.fmin.reduce(a.belief) if a.belief.size else NAN for a in answers]),
            seconds=np.array([step.seconds for step in steps]),
            cheap_seconds=np.array([step.cheap_seconds for step in steps]),
            decode_seconds=np.array([self.decode_seconds[place] for place in places]),
            boxes=np.concatenate([a.boxes for a in answers]).astype(np.float64),
            scores=np.concatenate([a.scores for a in answers]).astype(np.float64),
            labels=np.concatenate([a.labels for a in answers]).astype(np.int64),
            extras={n: np.array([a.extras.get(n, 0.0) for a in answers], float) for n in names},
        )


def processed(trace: Trace, stepper: Stepper, predicted: Sequence[Boxes] | None = None) -> Trace:
    """Apply the method's post-processing to the whole clip.

    `predicted[t]` are the objects of frame t in frame t + 1, as the method answered them; they are
    known to the first post-processing alone.
    """
    found = [
        Detections(trace.boxes[s], trace.scores[s], trace.labels[s]) for s in trace.frame_slices()
    ]
    for post in stepper.posts:
        if predicted is not None and isinstance(post, TrackPost):
            found = post.apply_tracked(found, predicted)
        else:
            found = post.apply(found)
        predicted = None
    return replace(
        trace,
        objects=np.array([len(d.boxes) for d in found], np.int64),
        boxes=np.concatenate([d.boxes for d in found]),
        scores=np.concatenate([d.scores for d in found]),
        labels=np.concatenate([d.labels for d in found]),
    )


def charged(trace: Trace, seconds: float) -> Trace:
    """Spread the seconds of post-processing a clip evenly over its frames."""
    each = np.full(len(trace), seconds / len(trace))
    extras = {**trace.extras, POST_SECONDS: each}
    return replace(trace, seconds=trace.seconds + each, extras=extras)


def untimed(trace: Trace) -> Trace:
    """The trace without its seconds."""
    unknown = np.full(len(trace), np.nan)
    extras = {**trace.extras, **({POST_SECONDS: unknown} if POST_SECONDS in trace.extras else {})}
    return replace(
        trace, seconds=unknown, cheap_seconds=unknown, decode_seconds=unknown, extras=extras
    )


def start_box_of(clip: Clip) -> Box:
    """Box of the first frame's ground truth (4,). Raises ClipFailed where it cannot be used."""
    if len(clip.truth) == 0 or not np.isfinite(clip.truth[0]).all():
        raise ClipFailed("the first frame has no ground-truth box to start from")
    box = clip.truth[0]
    if box[2] <= 0 or box[3] <= 0:
        raise ClipFailed(f"the first ground-truth box has no size: {box[2]:g} x {box[3]:g} px")
    width, height = clip.size
    if box[0] >= width or box[1] >= height or (box[:2] + box[2:] <= 0).any():
        raise ClipFailed(f"the first ground-truth box lies outside the {width} x {height} frame")
    return np.asarray(box, np.float64)


def truth_by_frame(clip: Clip) -> Callable[[int], Boxes]:
    """Return what gives the boxes (k, 4) of a frame's ground truth."""
    if clip.objects is None:
        return lambda index: clip.truth[index : index + 1]
    objects = clip.objects
    starts = np.searchsorted(objects.frame, np.arange(len(clip) + 1))
    return lambda index: objects.boxes[starts[index] : starts[index + 1]]


def _decoded(frames: Frames, order: Ints, now: Now) -> Iterator[tuple[int, Image, float]]:
    for index in order.tolist():
        before = now()
        frame = frames[index]
        yield index, frame, now() - before


def _prefetched(frames: Frames, order: Ints) -> Iterator[tuple[int, Image, float]]:
    """Decode one frame ahead in a thread (1.2 to 1.4 times faster for fast trackers)."""
    visits = order.tolist()
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(frames.__getitem__, visits[0])
        for place, index in enumerate(visits):
            frame = coming.result()
            if place + 1 < len(visits):
                coming = pool.submit(frames.__getitem__, visits[place + 1])
            yield index, frame, NAN


def check_answers(trace: Trace, single: bool) -> None:
    """Raise ClipFailed for an answer that is no box: it never becomes a score."""
    if single and (trace.objects != 1).any():
        frame = int(np.flatnonzero(trace.objects != 1)[0])
        raise ClipFailed(f"frame {frame}: {trace.objects[frame]} boxes, not one")
    bad = ~np.isfinite(trace.boxes).all(axis=1)
    if not single:
        bad |= ~np.isfinite(trace.scores)
    if bad.any():
        ends = np.cumsum(trace.objects)
        frame = int(np.searchsorted(ends, np.flatnonzero(bad)[0], side="right"))
        raise ClipFailed(f"frame {frame}: the answered box or score is not a finite number")
