"""Ten keyframe intervals against one pass of the detector on every frame, in processor seconds.

Wants VBENCH_TEST_DATA for nanodet and patchnet; without it, blobs on synth-vid is measured alone.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from vbench import catalogue
from vbench.core.clip import Clip, Objects
from vbench.core.errors import NotReady
from vbench.core.frames import ChosenFrames
from vbench.core.suite import Suite
from vbench.core.trace import Kind, Trace
from vbench.cost.unit_costs import UnitCosts
from vbench.run.bench import Order, run
from vbench.run.chains import last_frames
from vbench.run.compose import plan
from vbench.run.replay import Carried
from vbench.run.sweep import keyframe_interval
from vbench.store.run_folder import RunFolder
from vbench.weights.find import WeightsFinder

INTERVALS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30)
FRAMES = 60


def cut(clip: Clip) -> Clip:
    """The first frames of a clip, decoded beforehand."""
    frames = [clip.frames[t] for t in range(FRAMES)]
    assert clip.objects is not None
    early = clip.objects.frame < FRAMES
    columns = {
        n: getattr(clip.objects, n) for n in ("frame", "boxes", "labels", "tracks", "ignore")
    }
    objects = Objects(**{name: column[early] for name, column in columns.items()})
    return replace(clip, frames=ChosenFrames(frames, np.arange(FRAMES)), objects=objects)


def seconds_of(
    suite: Suite, methods: list[str], finder: WeightsFinder, folder: Path, kept: int
) -> float:
    """Processor seconds of running `methods`, on top of what is in the folder."""
    plans = [plan(name) for name in methods]
    order = Order(suite, plans, reuse=True, carried=Carried(limit=kept))
    before = time.process_time()
    outcome = run(order, RunFolder(folder), lambda _, name: finder.weights_for(name))
    assert not outcome.failed, outcome.failed
    return time.process_time() - before


def ratio(suite: Suite, text: str, finder: WeightsFinder, kept: int = 1_000_000) -> float:
    """Processor seconds of ten intervals over those of the detector alone."""
    base, *others = keyframe_interval([text], INTERVALS).methods
    with tempfile.TemporaryDirectory() as folder:
        # The first run warms up; the folder of the second is fresh.
        seconds_of(suite, [base], finder, Path(folder) / "warm", kept)
        one = seconds_of(suite, [base], finder, Path(folder) / "run", kept)
        return 1 + seconds_of(suite, others, finder, Path(folder) / "run", kept) / one


def limit(suite: Suite, text: str, finder: WeightsFinder) -> str:
    """The ratio by multiply-accumulates alone: what all ways of a sweep execute, and one pass."""
    base, *others = keyframe_interval([text], INTERVALS).methods
    with tempfile.TemporaryDirectory() as folder:
        found, where = [plan(name) for name in (base, others[0])], RunFolder(Path(folder))
        run(Order(suite, found, reuse=True), where, lambda _, name: finder.weights_for(name))
        manifest = where.read()
        costs = UnitCosts.from_json(manifest.methods[others[0]].costs)
        record = where.trace(manifest.methods[base], suite.clips[0].name)
    assert record is not None
    ends = last_frames([plan(name).policy for name in others], len(record))
    steps = np.where(ends >= 0, ends - np.arange(len(record)), 0)
    objects, anchored = float((steps * record.objects).sum()), record.objects[ends >= 0].sum()
    detector = UnitCosts.from_json(manifest.methods[base].costs).key.per_call
    carried = steps.sum() * costs.inter.per_call + objects * costs.inter.per_object
    carried = (carried + anchored * costs.key.per_object) / len(record)
    said = f"{steps.sum() / len(record):.1f} steps a frame with {objects / len(record):.1f} objects"
    if np.isnan(detector):
        return said
    said += f", {carried / 1e6:.0f} MMAC; one detection {detector / 1e6:.0f} MMAC"
    return f"{said}: {1 + carried / detector:.2f} x by these alone"


def agreement(suite: Suite, text: str, finder: WeightsFinder) -> str:
    """Median time of an inter-frame as a sweep composes it over that of running it, by k."""
    every = keyframe_interval([text], INTERVALS).methods
    some = [every[0], *keyframe_interval([text], (2, 5, 10)).methods[1:]]
    found = {}
    for reuse, methods in ((False, some), (True, every)):
        with tempfile.TemporaryDirectory() as folder:
            where = RunFolder(Path(folder))
            order = Order(suite, [plan(name) for name in methods], reuse=reuse)
            run(order, where, lambda _, name: finder.weights_for(name))
            records = where.read().methods
            traces = [where.trace(records[name], suite.clips[0].name) for name in some[1:]]
            found[reuse] = [_typical(trace) for trace in traces if trace is not None]
    ratios = zip(some[1:], found[True], found[False], strict=True)
    return ", ".join(f"k = {plan(n).policy.interval_max}: {c / m:.2f}" for n, c, m in ratios)


def _typical(trace: Trace) -> float:
    return float(np.median(trace.seconds[trace.kind == Kind.INTER]))


def cases() -> Iterator[tuple[Suite, str]]:
    """A suite of one clip with a method to sweep."""
    rendered = catalogue.open_suite("synth-vid", None, None).only(["pan"])
    suite = Suite(rendered.card, [cut(rendered.clips[0])])
    for propagator in ("dummy", "lk"):
        yield suite, f"blobs+{propagator}"
    data = os.environ.get("VBENCH_TEST_DATA")
    if data:
        root = Path(data)
        images, truth = root / "sequences/imagenet_vid_val", root / "annotations/imagenet_vid"
        whole = catalogue.open_suite("imagenet-vid", images, truth)
        real = Suite(whole.card, [cut(whole.only(["ILSVRC2015_val_00023001"]).clips[0])])
        for propagator in ("dummy", "kalman", "lk", "full-template", "patchnet"):
            yield real, f"nanodet[score=0.2]+{propagator}"


def main() -> None:
    """Print the ratio of ten intervals to one, with and without carrying together and recalling."""
    data = os.environ.get("VBENCH_TEST_DATA")
    finder = WeightsFinder((Path(data) / "weights",) if data else ())
    for suite, text in cases():
        try:
            recalled, anew = ratio(suite, text, finder), ratio(suite, text, finder, kept=0)
        except NotReady as error:
            print(f"{text}: {error}", file=sys.stderr)
            continue
        print(f"{text:36} {recalled:6.2f} x one pass ({anew:.2f} x without recalling)")
        print(f"  {limit(suite, text, finder)}")
        print(f"  composed over measured time, {agreement(suite, text, finder)}")


if __name__ == "__main__":
    main()
