"""Every number that vbench prints: its name, unit, range, direction, and what it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Metric:
    """A number's card. `name` is fixed: the same in tables, CSV, JSON and `--sort`."""

    name: str
    unit: str
    lo: float
    hi: float
    better: Better
    what: str
    decimals: int = 3

    @property
    def higher_is_better(self) -> bool:
        """Tell whether a method with more of it is the better one."""
        return self.better == "higher"

    def shown(self, value: float) -> str:
        """Write `value` as tables do; nothing was measured: a dash."""
        return "-" if math.isnan(value) else f"{value:.{self.decimals}f}"


def _share(name: str, what: str) -> Metric:
    return Metric(name, "share", 0.0, 1.0, "higher", what)


def _milliseconds(name: str, what: str) -> Metric:
    return Metric(name, "ms", 0.0, math.inf, "lower", what, decimals=2)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _share("success_auc", "area under the success plot: share of frames above each IoU"),
        _share("precision_20px", "share of frames with the centre within 20 px"),
        _share("norm_precision", "share of frames with the centre within .2 of the box size"),
        _share("op50", "overlap precision: share of frames with IoU > .5"),
        _share("op75", "overlap precision: share of frames with IoU > .75"),
        _share("ao", "average overlap (IoU)"),
        _share("sr50", "success rate at IoU > .5 (GOT-10k)"),
        _share("sr75", "success rate at IoU > .75 (GOT-10k)"),
        _share("accuracy", "mean overlap while tracking (VOT)"),
        Metric(
            "robustness", "failures/100 frames", 0.0, math.inf, "lower", "failures per 100 frames"
        ),
        Metric(
            "failures_per_clip",
            "failures/clip",
            0.0,
            math.inf,
            "lower",
            "failures a clip, weighted",
        ),
        _share("tracked", "share of frames before the target is lost (robustness of VOT2020 on)"),
        Metric("lost", "failures", 0.0, math.inf, "lower", "failures on the whole suite", 1),
        _share("eao", "expected average overlap (VOT)"),
        _share("lt_precision", "long-term precision at the best confidence threshold"),
        _share("lt_recall", "long-term recall at the best confidence threshold"),
        _share("lt_f", "long-term tracking F-measure, its maximum over confidence thresholds"),
        _share("map50", "mean average precision at IoU .5"),
        _share("map50_slow", "the same for slow objects: motion IoU from .9"),
        _share("map50_medium", "the same for motion IoU from .7 to .9"),
        _share("map50_fast", "the same for fast objects: motion IoU up to .7"),
        _share("map50_s", "the same for small objects: up to 32 x 32 px"),
        _share("map50_m", "the same for objects up to 96 x 96 px"),
        _share("map50_l", "the same for large objects"),
        Metric("average_delay", "frames", 0.0, 30.0, "lower", "frames to an object's first sight"),
        Metric("jitter", "share", 0.0, math.inf, "lower", "spread of box errors along a track"),
        Metric("miss_rate", "share", 0.0, 1.0, "lower", "share of carried boxes with IoU under .7"),
        Metric("interval", "frames", 1.0, math.inf, "neither", "mean frames between keyframes", 2),
        Metric("interval_max", "frames", 1.0, math.inf, "neither", "most frames between them", 0),
        Metric("gmac_per_frame", "GMAC", 0.0, math.inf, "lower", "multiply-accumulates a frame"),
        Metric("params_m", "million", 0.0, math.inf, "lower", "parameters of the networks", 2),
        Metric("fps", "frames/s", 0.0, math.inf, "higher", "frames over seconds, no decoding", 1),
        Metric(
            "efo", "frames/filter", 0.0, math.inf, "higher", "frames in a filter's time (VOT)", 2
        ),
        _milliseconds("ms_mean", "mean time of a frame, without decoding"),
        _milliseconds("ms_p50", "median time of a frame"),
        _milliseconds("ms_p95", "95th percentile of the time of a frame"),
        _milliseconds("ms_p99", "99th percentile of the time of a frame"),
        _milliseconds("post_ms", "of it, post-processing of the clip"),
        Metric("memory_mb", "MB", 0.0, math.inf, "lower", "peak memory of the process", 0),
        Metric("joules_per_frame", "J", 0.0, math.inf, "lower", "energy a frame"),
    )
}

# What scoring boxes against boxes yields, in the order of tables.
OVERLAP_METRICS = (
    "success_auc",
    "precision_20px",
    "norm_precision",
    "op50",
    "op75",
    "ao",
    "sr50",
    "sr75",
)
