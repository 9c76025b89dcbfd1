"""Printed numbers beside ours: by closed formula, by counting layers, or from a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vbench.core.method import parse_method
from vbench.cost.conventions import paper_average
from vbench.cost.device_profile import DeviceProfile, open_profile
from vbench.cost.projection import check_printed, formula_ms
from vbench.metrics.metric import METRICS
from vbench.report.reproduction import Average, Exhibit, PrintedNumber, PrintedRow

if TYPE_CHECKING:
    import pandas as pd

NAN = float("nan")
# PatchNet's own cost as the paper prints it in Table 5, in GMAC an object.
PATCHNET_GMAC = 0.0576
PATCH_SIZES = (2, 4, 8, 16)
INTERVALS = range(1, 11)
NANO = "jetson-nano"
FORMULA, COUNTED, PROJECTED, RUN = "formula", "counted", "projected", "run"
# What depends on the machine is shown, never judged.
OF_MACHINE = ("fps", "ms_mean", "memory_gb")


@dataclass(frozen=True)
class Comparison:
    """One number of ours, `published` beside it where the paper prints one.

    kind: formula (the paper's, from its own printed inputs), counted (layers of the network),
    projected (a device's component times), run. how: the formula or convention. half: half a 95 %
    bootstrap interval over clips, NaN where there is none. clips: how many of a run's suite, n/N.
    remark: what stands in place of a verdict by the difference alone.
    """

    row: str
    metric: str
    ours: float
    kind: str
    how: str
    published: PrintedNumber | None = None
    half: float = NAN
    clips: str = ""
    remark: str = ""

    @property
    def difference(self) -> float:
        """Ours less the printed one; NaN without it or where they are not to be compared."""
        if self.published is None or self.remark == UNTRAINED:
            return NAN
        return self.ours - self.published.value

    @property
    def verdict(self) -> str:
        """What the difference means, in a few words."""
        if self.published is None:
            return ""
        if self.remark:
            return self.remark
        if self.published.prints_as(self.ours):
            return "same as printed"
        if self.kind == RUN and math.isfinite(self.half):
            rounding = 0.5 * 10.0**-self.published.digits
            inside = abs(self.difference) <= self.half + rounding
            return "printed one inside the interval" if inside else "outside the interval"
        return "differs"

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "row": self.row, "metric": self.metric,
            "published": self.published.value if self.published else None,
            "ours": self.ours, "difference": self.difference, "plus_minus": self.half,
            "kind": self.kind, "how": self.how, "clips": self.clips, "verdict": self.verdict,
        }  # fmt: skip


UNTRAINED = "untrained weights: not comparable"


def computed(exhibit: Exhibit) -> list[Comparison]:
    """Everything of an exhibit that needs no data: formulas, counted layers, projections."""
    found: list[Comparison] = []
    for row in exhibit.rows:
        if row.counted:
            found += _counted(row)
        if row.average and "average" in exhibit.formulas:
            found += _averaged(row, row.average)
    if "reduction" in exhibit.formulas:
        found += [c for row in exhibit.rows if row.average for c in _curve(row, row.average)]
    if "patch-size" in exhibit.formulas:
        found += _patch_sizes()
    if "projection" in exhibit.formulas:
        profile = open_profile(NANO)
        found += [c for row in exhibit.rows for c in _projected(row, profile)]
    return found


def averaged_gmac(average: Average) -> float:
    """Base / T + objects * PatchNet: the paper's GMAC a frame from its own printed numbers."""
    return paper_average(average.base, PATCHNET_GMAC, average.interval, average.objects)


def reduction(average: Average) -> float:
    """F / (F / T + n * PatchNet), as Figure 10 plots it."""
    return average.base / averaged_gmac(average)


def _counted(row: PrintedRow) -> Iterator[Comparison]:
    from vbench.cost.published import figures

    figure = next(f for f in figures() if f.what == row.counted)
    ran = "" if figure.executed is None else f"; what runs costs {figure.executed / 1e9:.2f} GMAC"
    note = f"; {figure.note}" if figure.note else ""
    for metric, scale in (("gmac_per_frame", 1e9), ("mmac_per_object", 1e6)):
        if metric in row.published:
            ours, how = figure.computed / scale, f"{figure.counted}{ran}{note}"
            yield Comparison(row.what, metric, ours, COUNTED, how, row.published[metric])


def _averaged(row: PrintedRow, average: Average) -> Iterator[Comparison]:
    each = f"{average.objects} x {PATCHNET_GMAC}" if average.objects > 1 else f"{PATCHNET_GMAC}"
    how = f"{average.base:g} / {average.interval:g} + {each}"
    numbers = {"gmac_per_frame": averaged_gmac(average), "reduction": reduction(average)}
    words = {"gmac_per_frame": how, "reduction": f"{average.base:g} / ({how})"}
    for metric, ours in numbers.items():
        if metric in row.published:
            yield Comparison(row.what, metric, ours, FORMULA, words[metric], row.published[metric])


def _curve(row: PrintedRow, average: Average) -> Iterator[Comparison]:
    for interval in INTERVALS:
        at = Average(average.base, float(interval), average.objects)
        how = f"{at.base:g} / ({at.base:g} / {interval} + {at.objects} x {PATCHNET_GMAC})"
        yield Comparison(f"{row.what}, T = {interval}", "reduction", reduction(at), FORMULA, how)


def _patch_sizes() -> Iterator[Comparison]:
    from vbench.cost.architectures import patchnet

    for size in PATCH_SIZES:
        terms = patchnet(size)
        how = f"56 x 56 x 64 x 3 x {size}^2 for the correlation, the other layers as they are"
        macs = sum(terms.values()) / 1e6
        yield Comparison(f"patches of {size} px", "mmac_per_object", macs, COUNTED, how)


def _projected(row: PrintedRow, profile: DeviceProfile) -> Iterator[Comparison]:
    made = row.projected
    if made is None:
        return
    call = "detect" if profile.has(made.model, "detect") else "track"
    key = profile.component(made.model, call).ms()
    verdict = next(c.verdict for c in check_printed(profile) if c.row.base == made.model)
    for objects in sorted({1, made.objects}):
        inter = profile.component("patchnet", "propagate").ms(objects)
        ms = formula_ms(key, inter, made.interval)
        how = f"{key:g} / {made.interval:g} + {inter:g}"
        what = f"{row.what}, {objects} object{'s' * (objects > 1)}"
        remark = verdict if objects == made.objects else ""
        yield Comparison(
            what, "skip_ms", ms, PROJECTED, how, row.published["skip_ms"], remark=remark
        )
        ratio = f"{key:g} / ({how})"
        yield Comparison(what, "speed_up", key / ms, PROJECTED, ratio, row.published["speed_up"])


@dataclass(frozen=True)
class Measured:
    """Summary of a run by method, and which of its methods ran with untrained weights."""

    rows: Mapping[str, Mapping[str, Any]]
    untrained: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, summary: pd.DataFrame, untrained: Sequence[str] = ()) -> Measured:
        """Take the table that `vbench report` shows."""
        records = summary.to_dict(orient="records")
        rows = {str(row["method"]): {str(k): v for k, v in row.items()} for row in records}
        return cls(rows, frozenset(untrained))

    def value(self, method: str, metric: str) -> float:
        """One number of a method, NaN where the run has none."""
        value = self.rows.get(method, {}).get(metric)
        return NAN if value is None else float(value)

    def derived(self, method: str, metric: str) -> float:
        """One number in the paper's own unit."""
        if metric == "params_mi":
            return self.value(method, "params_m") * 1e6 / 2**20
        if metric == "reduction":
            base = str(parse_method(method).base)
            own = self.value(method, "gmac_per_frame")
            return self.value(base, "gmac_per_frame") / own if own else NAN
        return self.value(method, metric) if metric in METRICS else NAN


def measured(exhibit: Exhibit, found: Measured) -> list[Comparison]:
    """What a run has of an exhibit's rows, each with its interval and the clips it is about."""
    made = []
    for row in exhibit.rows:
        if row.method not in found.rows:
            continue
        clips = str(found.rows[row.method]["clips"])
        for metric, printed in row.published.items():
            ours = found.derived(row.method, metric)
            if math.isfinite(ours):
                half = found.value(row.method, f"{metric}_pm")
                remark = _remark(found, row, metric, clips)
                made.append(
                    Comparison(
                        row.what, metric, ours, RUN, row.method, printed, half, clips, remark
                    )
                )
    return made


def _remark(found: Measured, row: PrintedRow, metric: str, clips: str) -> str:
    if row.method in found.untrained:
        return UNTRAINED
    if metric in OF_MACHINE:
        return "other hardware"
    done, _, total = clips.partition("/")
    return "" if done == total else f"{clips} clips only"
