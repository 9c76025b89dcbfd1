"""Objects of many keyframes carried together: byte for byte, and second for second, as alone."""

from dataclasses import replace
from threading import Condition

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.models import BOX, built, frame, plain_names
from tests.run.scripted import Carrier, Sightings, clip
from vbench import catalogue
from vbench.core.frames import ChosenFrames, Rendered
from vbench.core.policy import Decay, Every, Fixed, FixedMiddle, Online
from vbench.core.roles import Detections, Joining, Placed, Propagated
from vbench.core.trace import Kind
from vbench.cost.stopwatch import FakeClock
from vbench.run.alone_times import FRAMES, KEYFRAMES
from vbench.run.chains import (
    Unseen,
    UpTo,
    answered_unseen,
    carry_together,
    last_frames,
    noting_size,
)
from vbench.run.loop import run_clip
from vbench.run.replay import Carried, Recalling, replaying, with_seconds_of
from vbench.run.stepper import DetectorStepper

COUNTS = [3, 1, 0, 2, 2, 3, 1, 4, 2, 0, 2, 3]
N = len(COUNTS)
POLICIES = st.lists(
    st.builds(Fixed, st.integers(1, 14)) | st.builds(Decay, st.integers(2, 9), st.just(0.5)),
    min_size=1, max_size=5,
)  # fmt: skip


class Drifter:
    """Carries every object a pixel further a frame; a call takes 2 s and an object 3 s."""

    joins = True

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.shown: list[int] = []

    def anchor(self, frame, boxes) -> None:
        self.boxes = np.zeros((0, 4))
        self.join(frame, boxes)

    def join(self, frame, boxes) -> None:
        self.clock.seconds += 0.5
        self.shown.append(int(frame[0, 0, 0]))
        self.boxes = np.concatenate([getattr(self, "boxes", boxes[:0]), boxes])

    def keep(self, kept) -> None:
        self.boxes = self.boxes[kept]

    def propagate(self, frame) -> Propagated:
        self.clock.seconds += 2 + 3 * len(self.boxes)
        self.shown.append(int(frame[0, 0, 0]))
        self.boxes = self.boxes + [1.0, 0, 0, 0]
        return Propagated(self.boxes.copy(), self.boxes[:, 0] / 100)


class Slow(Sightings):
    """Every third of its boxes is one that it answered already, under another class."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(COUNTS)
        self.clock = clock

    def detect(self, frame):
        self.clock.seconds += 7
        boxes, scores, labels = super().detect(frame)
        boxes[2::3] = boxes[: len(boxes[2::3])]
        return Detections(boxes, scores, labels)


def run(stepper, policy, clock, of=None):
    return run_clip(stepper, policy, of or clip(N), clock.now)


def recorded():
    clock = FakeClock(0)
    return run(DetectorStepper(Slow(clock)), Every(), clock)


def together(policies, workers=1, still=0.0):
    """The traces of a sweep, and the frames that its propagator was shown."""
    clock, record, carried = FakeClock(0), recorded(), Carried(workers=workers)
    made, drifter = [], Drifter(clock)
    for policy in policies:
        stepper = DetectorStepper(Slow(clock), drifter, still=still)
        stepper = replaying(stepper, record, carried, clock.now)
        known = answered_unseen(policies, policy, stepper, clip(N), record, carried)
        assert isinstance(known.frames, Unseen)
        trace = run(stepper, policy, clock, known)
        made.append(with_seconds_of(record, trace, stepper.propagator))
    return made, drifter.shown


@settings(deadline=None)
@given(POLICIES, st.integers(1, 4), st.sampled_from([0.0, 0.6, 1.0]))
def test_traces_are_those_of_running_each_policy_for_real(policies, workers, still) -> None:
    for policy, found in zip(policies, together(policies, workers, still)[0], strict=True):
        clock = FakeClock(0)
        real = run(DetectorStepper(Slow(clock), Drifter(clock), still=still), policy, clock)
        for name in ("kind", "objects", "carried", "belief", "boxes", "scores", "labels"):
            assert getattr(real, name).tobytes() == getattr(found, name).tobytes(), name
        keys = found.kind != Kind.INTER
        # Only a thread alone can be timed by a clock that all of them set.
        assert workers > 1 or found.seconds[keys] == pytest.approx(real.seconds[keys])


def test_seconds_agree_exactly_where_calls_differ_in_their_number_of_objects() -> None:
    policies = [Fixed(2), Fixed(3), Fixed(5), Fixed(12)]
    for policy, found in zip(policies, together(policies)[0], strict=True):
        clock = FakeClock(0)
        real = run(DetectorStepper(Slow(clock), Drifter(clock)), policy, clock)
        assert found.seconds == pytest.approx(real.seconds)
        assert found.cheap_seconds == pytest.approx(real.cheap_seconds)


def test_every_frame_is_shown_once_however_many_policies_there_are() -> None:
    policies = [Fixed(2), Fixed(3), Decay(4, 0.5), Fixed(12), Fixed(30)]
    _, shown = together(policies)
    keys = {t for k in (2, 3, 4, 12) for t in range(0, N, k)}
    alone = len(shown) - (N - 1) - len(keys)
    assert 0 < alone <= KEYFRAMES * (1 + FRAMES)


def test_progress_counts_every_frame_once_while_objects_are_carried(monkeypatch) -> None:
    monkeypatch.setattr("vbench.run.alone_times.KEYFRAMES", 0)
    monkeypatch.setattr("vbench.run.reel.AHEAD", 1)
    clock, record, carried = FakeClock(0), recorded(), Carried(workers=2)
    counted: list[int] = []
    moved = Condition()

    def shown(index):
        # Nobody sees a frame before those are counted that all threads are past.
        with moved:
            assert moved.wait_for(lambda: len(counted) >= index - 1, timeout=20)
        return np.full((48, 64, 3), index, np.uint8)

    def tick():
        with moved:
            counted.append(len(counted))
            moved.notify_all()

    stepper = DetectorStepper(Slow(clock), Drifter(clock))
    stepper = replaying(stepper, record, carried, clock.now)
    scene = replace(clip(N), frames=Rendered(N, shown))
    limited = UpTo(tick, N)
    of = answered_unseen([Fixed(4)], Fixed(4), stepper, scene, record, carried, limited)
    assert len(counted) == N
    run_clip(stepper, Fixed(4), of, clock.now, each_frame=limited)
    assert len(counted) == N


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_an_interrupt_and_an_error_end_all_threads(workers) -> None:
    clock, record = FakeClock(0), recorded()

    def carried_by(propagator, tick=lambda: None):
        stepper = DetectorStepper(Slow(clock), propagator)
        carried = Carried(workers=workers)
        stepper = replaying(stepper, record, carried, clock.now)
        return answered_unseen([Fixed(4)], Fixed(4), stepper, clip(N), record, carried, tick)

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carried_by(Drifter(clock), interrupt)

    class Breaking(Drifter):
        def propagate(self, frame):
            if frame[0, 0, 0] == N - 1:
                raise ValueError("it broke")
            return super().propagate(frame)

    with pytest.raises(ValueError, match="it broke"):
        carried_by(Breaking(clock))


def test_how_far_objects_are_carried() -> None:
    assert last_frames([Fixed(3)], 8).tolist() == [2, -1, -1, 5, -1, -1, 7, -1]
    assert last_frames([Fixed(3), Fixed(2)], 8).tolist() == [2, -1, 3, 5, 5, -1, 7, -1]
    assert last_frames([Fixed(9)], 4).tolist() == [3, -1, -1, -1]


@pytest.mark.parametrize("policy", [Online(0.5, 4), FixedMiddle(4), Every()])
def test_policies_whose_keyframes_are_not_known_see_the_frames(policy) -> None:
    clock, record = FakeClock(0), recorded()
    stepper = replaying(DetectorStepper(Slow(clock), Drifter(clock)), record, Carried(), clock.now)
    of = clip(N)
    assert answered_unseen([policy], policy, stepper, of, record, Carried()) is of


def test_a_propagator_that_cannot_join_and_a_full_memory_see_the_frames() -> None:
    clock, record, of = FakeClock(0), recorded(), clip(N)
    for propagator, carried in (
        (Carrier([0.9] * N), Carried()),
        (Drifter(clock), Carried(limit=5)),
    ):
        stepper = replaying(DetectorStepper(Slow(clock), propagator), record, carried, clock.now)
        assert answered_unseen([Fixed(4)], Fixed(4), stepper, of, record, carried) is of


@pytest.fixture(scope="module", params=plain_names("propagators"))
def propagator(request):
    found = built("propagators", request.param)
    if isinstance(found, Placed) or not isinstance(found, Joining):
        pytest.skip("carries the objects of one keyframe at a time")
    return found


def test_threads_carry_objects_where_one_thread_carries_them(propagator) -> None:
    """Byte for byte, over ways that open and close at different frames."""
    of = replace(clip(N), frames=[frame(2.0 * index) for index in range(N)], known_size=None)
    boxes = [np.array([BOX, [20.0, 20, 24, 30], [60.0, 40, 40, 30]])[:count] for count in COUNTS]
    last = last_frames([Fixed(2), Fixed(5), Fixed(12)], N)
    kept = []
    for workers in (1, 3):
        recalling = Recalling(propagator, Carried(workers=workers), FakeClock(0).now)
        assert carry_together(recalling, propagator, of, boxes, last)
        answers = recalling.carried.answers
        kept.append({at: (a.boxes.tobytes(), a.belief.tobytes()) for at, (a, _) in answers.items()})
    assert kept[0] == kept[1]
    assert len(kept[0]) == sum(end - key for key, end in enumerate(last) if end >= 0)


LATER = np.array([[60.0, 40, 40, 30], [10.0, 60, 30, 30], [70.0, 12, 22, 40]])


def test_objects_that_join_later_go_where_they_would_go_alone(propagator) -> None:
    """Byte for byte, and those that were there before as well."""
    first = np.array([BOX, [20.0, 20, 24, 30], [np.nan] * 4, [110.0, 80, 30, 30]])

    def alone(boxes, start, shifts):
        propagator.anchor(frame(start), boxes.copy())
        return [propagator.propagate(frame(s)) for s in shifts]

    early, late = alone(first, 0.0, [2.0, 4.0, 6.0]), alone(LATER, 2.0, [4.0, 6.0])
    propagator.anchor(frame(0.0), np.zeros((0, 4)))
    propagator.join(frame(0.0), first.copy())
    found = [propagator.propagate(frame(2.0))]
    propagator.join(frame(2.0), LATER.copy())
    found.append(propagator.propagate(frame(4.0)))
    kept = np.array([True, False, True, True, False, True, True])
    propagator.keep(kept)
    found.append(propagator.propagate(frame(6.0)))
    for part in (0, 1):
        assert found[0][part].tobytes() == early[0][part].tobytes()
        both = np.concatenate([early[1][part], late[0][part]])
        assert found[1][part].tobytes() == both.tobytes()
        both = np.concatenate([early[2][part], late[1][part]])
        assert found[2][part].tobytes() == both[kept].tobytes()


def blind_ones() -> list[str]:
    """Propagators that say that they never look at pixels."""
    names = plain_names("propagators")
    return [name for name in names if getattr(catalogue.load("propagators", name), "blind", False)]


def test_what_stands_still_and_what_goes_on_at_its_speed_are_blind() -> None:
    assert blind_ones() == ["dummy", "kalman"]


@pytest.mark.parametrize("policy", [Fixed(3), Online(0.5, 4), Decay(4, 0.5)], ids=str)
def test_blind_propagators_answer_alike_without_pixels(policy) -> None:
    """On frames that differ and on black ones, byte for byte."""
    for name in blind_ones():
        record, carried, seen = recorded(), Carried(), clip(N)
        stepper = DetectorStepper(Sightings(COUNTS), built("propagators", name))
        stepper = replaying(stepper, record, carried)
        unseen = answered_unseen([policy], policy, stepper, seen, record, carried)
        assert isinstance(unseen.frames, Unseen)
        made = [run_clip(stepper, policy, of, FakeClock(0).now) for of in (seen, unseen)]
        for column in ("boxes", "belief", "kind", "scores"):
            assert getattr(made[0], column).tobytes() == getattr(made[1], column).tobytes()


def test_sizes_are_noted_while_frames_are_read() -> None:
    for odd, wanted in ((None, {"clip"}), (2, set())):
        shapes = [(48, 64, 3) if t != odd else (48, 65, 3) for t in range(4)]
        blank = [np.zeros(shape, np.uint8) for shape in shapes]
        scene = replace(clip(4), frames=ChosenFrames(blank, np.arange(4)))
        carried = Carried()
        noting = noting_size(scene, carried)
        assert len(noting) == 4 and noting.size == (64, 48)
        for t in (0, 3, 3, 1):
            assert noting.frames[t].shape == shapes[t]
        assert carried.even == set()
        assert noting.frames[2].shape == shapes[2]
        assert carried.even == wanted


def test_frames_of_several_sizes_are_looked_at() -> None:
    record, carried, whole = recorded(), Carried(), clip(N)
    stepper = DetectorStepper(Sightings(COUNTS), built("propagators", "kalman"))
    stepper = replaying(stepper, record, carried)
    frames = [whole.frames[index] for index in range(N)]
    of = replace(whole, frames=[*frames[:-1], frames[0][:-1]])
    assert answered_unseen([Fixed(3)], Fixed(3), stepper, of, record, carried) is of
