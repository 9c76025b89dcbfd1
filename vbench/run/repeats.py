"""Timing a run's methods again, in turns, so that a drift of the machine hits all alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vbench.core.trace import Trace
from vbench.cost.latency import interleaved
from vbench.run.bench import Listener, Order, set_threads, timed_clip
from vbench.run.budget import as_found
from vbench.run.compose import WeightsFor, compose
from vbench.store.files import locked
from vbench.store.run_folder import RunFolder


def time_again(
    order: Order,
    folder: RunFolder,
    weights_for: WeightsFor,
    repeats: int,
    listener: Listener | None = None,
) -> None:
    """Time every method `repeats - 1` times more and keep the median of each repeat.

    The first repeat is the stored run itself. Answers are not stored again; a clip that failed is
    left out.
    """
    heard = listener or Listener()
    with locked(folder.path):
        manifest = folder.read()
        set_threads(order.threads)
        plans = {
            str(plan.method): plan for plan in order.plans if str(plan.method) in manifest.methods
        }
        for name in plans:
            record = manifest.methods[name]
            stored = [folder.trace(record, clip.name) for clip in order.suite.clips]
            record.repeats_ms = [median_ms([trace for trace in stored if trace is not None])]
        for _, name in interleaved(list(plans), repeats - 1):
            record = manifest.methods[name]
            heard.method(name)
            composed = compose(plans[name], weights_for, device=order.device, seed=order.seed)
            composed = as_found(composed, record.policy)
            clips = [clip for clip in order.suite.clips if clip.name not in record.problems]
            traces = [timed_clip(composed, clip, order, heard.frame) for clip in clips]
            record.repeats_ms.append(median_ms(traces))
            folder.write(manifest)


def median_ms(traces: Sequence[Trace]) -> float:
    """Median time of a frame in ms, first frames left out; NaN without any."""
    later = [trace.seconds[1:] for trace in traces]
    seconds = np.concatenate(later) if later else np.zeros(0)
    seconds = seconds[np.isfinite(seconds)]
    return float(np.median(seconds) * 1000) if seconds.size else float("nan")
