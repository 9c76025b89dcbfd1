"""Long-term measures of a run: where targets are absent and the tracker says how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vbench.core.boxes import is_present
from vbench.core.trace import Trace
from vbench.metrics.longterm import long_term
from vbench.store.traces import StoredTruth


def long_term_of(truths: Sequence[StoredTruth], traces: Sequence[Trace]) -> dict[str, float]:
    """Precision, recall and F where F is largest; nothing where they would say nothing.

    That is where the target is in every frame of every clip, or where a clip has no confidences.
    """
    whole = [len(truth.truth) == truth.frames for truth in truths]
    if not all(whole) or all(is_present(truth.truth).all() for truth in truths):
        return {}
    if not all(np.isfinite(trace.scores).any() for trace in traces):
        return {}
    begins = [trace.begin for trace in traces]
    return long_term(
        [truth.truth[first:] for truth, first in zip(truths, begins, strict=True)],
        [trace.boxes[first:] for trace, first in zip(traces, begins, strict=True)],
        [trace.scores[first:] for trace, first in zip(traces, begins, strict=True)],
    ).best
