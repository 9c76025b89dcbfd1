"""Timing a run's methods again, in turns, so that a drift of the machine hits all alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vbench.core.boxes import Floats
from vbench.core.clip import Clip
from vbench.core.trace import POST_SECONDS, Trace
from vbench.cost.device import device_label
from vbench.cost.latency import interleaved
from vbench.cost.load import LoadWatch
from vbench.run.bench import Listener, Order, reason, timed_clip
from vbench.run.budget import as_found
from vbench.run.compose import Composed, WeightsFor, compose
from vbench.run.threads import set_threads
from vbench.store.files import locked
from vbench.store.run_folder import Manifest, RunFolder


def time_again(
    order: Order,
    folder: RunFolder,
    weights_for: WeightsFor,
    repeats: int,
    listener: Listener | None = None,
) -> dict[tuple[str, str], str]:
    """Time every method `repeats` times on each clip before the next clip, methods in turns.

    The runs that are compared so lie seconds apart, and the stored run before them has warmed
    everything up. Of each clip the repeat with the middle total becomes its stored seconds;
    answers stay. The median of each repeat over all clips is kept beside them, and what other
    programs used meanwhile. A clip that failed is left out. All methods are in memory at once.

    Returns why a method was not timed again on a clip, by both; its answers and its first times
    stay, and the record says so.
    """
    heard = listener or Listener()
    with locked(folder.path):
        manifest = folder.read()
        for plan in order.plans:
            if record := manifest.methods.get(str(plan.method)):
                record.untimed, record.repeats_ms = {}, []
        ready = _ready(order, manifest, weights_for)
        seconds: dict[str, list[list[Floats]]] = {name: [] for name in ready}
        load = LoadWatch()
        for clip in order.suite.clips:
            heard.label(f"timing {clip.name}")
            for name, found in _in_turns(order, manifest, ready, clip, repeats, heard).items():
                if clip.name in manifest.methods[name].untimed:
                    continue
                stored = folder.trace(manifest.methods[name], clip.name)
                if stored is not None:
                    middle = sorted(found, key=_total)[len(found) // 2]
                    folder.save(manifest.methods[name], clip, _timed_as(stored, middle))
                # Only the seconds are kept: the answers of a detector are large.
                seconds[name].append([trace.seconds for trace in found])
        foreign = load.stop().foreign_cores
        for name, by_clip in seconds.items():
            record = manifest.methods[name]
            record.repeats_ms = [median_ms(turn) for turn in zip(*by_clip, strict=True)]
            # Every stored second is of this machine now, whatever the run began on.
            earlier = record.devices if record.untimed else []
            record.devices = sorted({*earlier, device_label(manifest.machine)})
            record.foreign_cores = round(foreign, 3) if math.isfinite(foreign) else None
        folder.write(manifest)
    records = [manifest.methods.get(str(plan.method)) for plan in order.plans]
    return {(r.method, clip): why for r in records if r for clip, why in r.untimed.items()}


def _ready(order: Order, manifest: Manifest, weights_for: WeightsFor) -> dict[str, Composed]:
    """Every method of the run, composed; of one that cannot be, no clip is timed again."""
    ready = {}
    for plan in order.plans:
        record = manifest.methods.get(str(plan.method))
        if record is not None:
            try:
                made = compose(plan, weights_for, device=order.device, seed=order.seed)
                ready[record.method] = as_found(made, record.policy)
            except Exception as error:  # all of them at once may be more than there is room for
                done = [c.name for c in order.suite.clips if c.name not in record.problems]
                record.untimed = dict.fromkeys(done, reason(error))
    return ready


def _in_turns(
    order: Order,
    manifest: Manifest,
    ready: dict[str, Composed],
    clip: Clip,
    repeats: int,
    heard: Listener,
) -> dict[str, list[Trace]]:
    """Traces of each repeat of one clip by method; the first failure is a method's last repeat."""
    names = [name for name in ready if clip.name not in manifest.methods[name].problems]
    found: dict[str, list[Trace]] = {name: [] for name in names}
    for _, name in interleaved(names, repeats):
        composed, failed = ready[name], manifest.methods[name].untimed
        if clip.name in failed:
            continue
        set_threads(composed.threads or order.threads)
        try:
            found[name].append(timed_clip(composed, clip, order, heard.frame))
        except Exception as error:  # a method's own error is its own, as in the run itself
            failed[clip.name] = reason(error)
            heard.clip(name, clip.name, f"not timed again: {failed[clip.name]}")
    return found


def _total(trace: Trace) -> float:
    return float(np.nansum(trace.seconds))


def _timed_as(stored: Trace, timed: Trace) -> Trace:
    """The stored answers with the seconds of another run of the same clip."""
    posts = {name: timed.extras[name] for name in (POST_SECONDS,) if name in timed.extras}
    return replace(
        stored,
        seconds=timed.seconds,
        cheap_seconds=timed.cheap_seconds,
        decode_seconds=timed.decode_seconds,
        extras={**stored.extras, **posts},
    )


def median_ms(clips: Sequence[Floats]) -> float:
    """Median time of a frame in ms, first frames of clips left out; NaN without any."""
    later = [seconds[1:] for seconds in clips]
    seconds = np.concatenate(later) if later else np.zeros(0)
    seconds = seconds[np.isfinite(seconds)]
    return float(np.median(seconds) * 1000) if seconds.size else float("nan")
