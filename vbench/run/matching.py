"""The threshold at which a method keys as often as it is wanted to."""

from __future__ import annotations

from dataclasses import replace

from vbench.core.method import parse_method
from vbench.core.policy import Online
from vbench.core.suite import Suite
from vbench.run.bench import Order, check_order, run
from vbench.run.compose import plan
from vbench.run.request import Request
from vbench.run.sweep import match_interval, threshold


def matched(
    request: Request, suite: Suite, text: str, target: float, seed: int
) -> tuple[str, float, float]:
    """Bisect c of `online:c:k` for one method; return what ran, c, and its realised interval.

    The interval is PatchNet's statistic: the mean over clips of frames by keyframes. Every try is
    kept in the run folder like any other method.
    """
    threshold([text], [0.0])  # refuses what has no cheap half by the name that was given
    method = parse_method(text)
    k = getattr(method.policy, "k", None) or max(5, round(2 * target))

    def name_of(c: float) -> str:
        return str(replace(method, policy=Online(c, k)))

    def measure(c: float) -> float:
        order = Order(suite, [plan(name_of(c))], request.device, request.threads, seed)
        check_order(order, request.finder.weights_for)
        outcome = run(order, request.folder, request.finder.weights_for)
        record = outcome.manifest.methods[name_of(c)]
        traces = [request.folder.trace(record, clip.name) for clip in suite.clips]
        found = [t.interval for t in traces if t is not None and t.interval == t.interval]
        # Without any keyframe after the first, the clip's length bounds the interval.
        longest = max((len(t) for t in traces if t is not None), default=1)
        return sum(found) / len(found) if found else float(longest)

    c, interval = match_interval(target, measure)
    return name_of(c), c, interval
