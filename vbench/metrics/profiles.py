"""Profiles: the conventions under which toolkits score the same boxes, as one set of rules each.

What each toolkit does was read from its code: got-10k/toolkit got10k/experiments/otb.py, uav123.py,
got10k.py; STVIR/pysot toolkit/pysot/utils/statistics.py; StrangerZhang/pysot-toolkit
pysot/utils/statistics.py; visionml/pytracking pytracking/analysis/extract_results.py;
open-mmlab/mmtracking mmtrack/core/evaluation/eval_sot_ope.py; jwlim/tracker_benchmark
scripts/butil/calc_seq_err_robust.py; the MATLAB toolkit of OTB, calcSeqErrRobust.m, genPerfMat.m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np

from vbench.core.boxes import Bools, Boxes, Floats, absent
from vbench.core.errors import UnknownName

Thresholds = Literal["linspace", "colon", "fraction"]
FirstFrame = Literal["predicted", "truth", "dropped"]
Valid = Literal["finite", "size", "box", "centre"]
Invalid = Literal["miss", "hit", "dropped"]
Unusable = Literal["miss", "previous", "refuse"]
Length = Literal["refuse", "truncate", "pad"]
Late = Literal["placed", "as the first"]
Average = Literal["clips", "frames"]
NormalisedBy = Literal["epsilon", "clamp", "plain", "nothing"]


@dataclass(frozen=True)
class Rules:
    """One way of scoring boxes. Positions are tested in the coordinates of the toolkit's files.

    thresholds: how `bins` IoU thresholds from 0 to 1 are spelled (last bits decide ties of >).
    first_frame: scored as predicted, replaced by the truth, or not scored.
    valid_success, valid_precision: which frames have a target: no NaN; w, h > 0; x, y, w, h > 0;
    centre > 0. invalid_*: what the other frames count as.
    no_size: a prediction with w or h = 0; no_box: one with NaN or a negative size.
    short, long: results with fewer or more rows than the truth; "truncate" cuts the longer one.
    late: results that begin after the clip's first frame are compared from there on, or their first
    row is taken as that of the clip's first frame, as a toolkit does that knows only row numbers.
    origin_px: coordinate of the image's first pixel in the toolkit's files.
    centre_origin_px: the same where it tests centres (0.5 less where a centre is x + (w-1)/2).
    error_decimals: decimals to which it rounds centre errors. bounded: boxes are moved into the
    frame and cut at its borders. absent_tags: flags of single frames that have no target whatever
    the box says.
    saved: printf format in which it writes boxes.
    """

    name: str
    version: int
    source: str
    bins: int = 21
    thresholds: Thresholds = "linspace"
    first_frame: FirstFrame = "predicted"
    valid_success: Valid = "box"
    valid_precision: Valid = "box"
    invalid_success: Invalid = "miss"
    invalid_precision: Invalid = "hit"
    invalid_normalised: Invalid = "hit"
    no_size: Unusable = "miss"
    no_box: Unusable = "miss"
    short: Length = "refuse"
    long: Length = "refuse"
    late: Late = "placed"
    average: Average = "clips"
    normalised_by: NormalisedBy = "epsilon"
    origin_px: float = 1.0
    centre_origin_px: float = 1.0
    error_decimals: int | None = None
    bounded: bool = False
    absent_tags: tuple[str, ...] = ()
    saved: str = "%.17g"

    @property
    def title(self) -> str:
        """Name and version, as stored with a result: `pysot/1`."""
        return f"{self.name}/{self.version}"


# What a rule is, for people, in the order in which `explain` goes through them.
RULES = {
    "valid_success": "which frames have a target, for success",
    "valid_precision": "which frames have a target, for precision",
    "origin_px": "where coordinates start when x, y > 0 is tested",
    "centre_origin_px": "where coordinates start when a centre > 0 is tested",
    "invalid_success": "what frames without a target count as, for success",
    "invalid_precision": "what frames without a target count as, for precision",
    "invalid_normalised": "what frames without a target count as, for normalised precision",
    "no_size": "predictions with w or h = 0",
    "no_box": "predictions with NaN or a negative size",
    "absent_tags": "frames that are flagged as without a target",
    "first_frame": "the first frame",
    "short": "results shorter than the truth",
    "long": "results longer than the truth",
    "late": "results that begin after the clip's first frame",
    "bounded": "boxes moved into the frame and cut at its borders",
    "error_decimals": "rounding of centre errors",
    "normalised_by": "what centre errors are divided by",
    "bins": "number of IoU thresholds",
    "thresholds": "last bits of the IoU thresholds",
    "average": "mean over clips or over frames",
}

VBENCH = Rules("vbench", 1, "the convention of most published OTB and UAV123 numbers")

PROFILES: dict[str, Rules] = {
    rules.name: rules
    for rules in (
        VBENCH,
        Rules(
            "got10k",
            1,
            "got-10k/toolkit",
            first_frame="truth",
            valid_success="finite",
            valid_precision="finite",
            invalid_success="dropped",
            invalid_precision="dropped",
            invalid_normalised="dropped",
            short="truncate",
            long="truncate",
            late="as the first",
            normalised_by="clamp",
            saved="%.3f",
        ),
        Rules(
            "pysot",
            1,
            "STVIR/pysot",
            valid_success="size",
            valid_precision="centre",
            origin_px=0.0,
            centre_origin_px=-0.5,
            saved="%.4f",
        ),
        Rules(
            "pysot-toolkit",
            1,
            "StrangerZhang/pysot-toolkit",
            valid_success="box",
            valid_precision="centre",
            origin_px=0.0,
            centre_origin_px=-0.5,
            short="pad",
            long="truncate",
            saved="%.4f",
        ),
        Rules(
            "pytracking",
            1,
            "visionml/pytracking",
            first_frame="truth",
            invalid_precision="miss",
            no_size="previous",
            no_box="refuse",
            short="pad",
            long="truncate",
            normalised_by="plain",
            saved="%d",
        ),
        Rules(
            "mmtracking",
            1,
            "open-mmlab/mmtracking",
            valid_success="size",
            valid_precision="centre",
        ),
        Rules(
            "otb-official",
            1,
            "jwlim/tracker_benchmark",
            thresholds="fraction",
            first_frame="truth",
            short="truncate",
            normalised_by="nothing",
            error_decimals=4,
        ),
        Rules(
            "otb-matlab",
            1,
            "the MATLAB toolkit of OTB",
            thresholds="colon",
            first_frame="truth",
            no_size="previous",
            no_box="previous",
            normalised_by="nothing",
        ),
    )
}


def rules_of(profile: str, suite: str = "") -> Rules:
    """Return the rules of a profile, as its toolkit applies them to a suite.

    Raises:
        UnknownName: there is no such profile.
    """
    if profile not in PROFILES:
        raise UnknownName("profile", profile, PROFILES)
    rules = PROFILES[profile]
    if profile == "got10k" and suite.startswith("got10k"):
        return replace(
            rules,
            bins=101,
            first_frame="dropped",
            average="frames",
            normalised_by="nothing",
            bounded=True,
            absent_tags=("hidden",),
        )
    if profile == "got10k" and suite and not suite.startswith(("uav", "lasot")):
        # Only its UAV123 and LaSOT experiments leave frames out; elsewhere NaN and empty boxes are
        # compared, and lose.
        return replace(
            rules, invalid_success="miss", invalid_precision="miss", invalid_normalised="miss"
        )
    if profile == "pytracking" and suite.startswith("uav"):
        return replace(rules, invalid_precision="hit")
    if profile == "pytracking" and suite.startswith("lasot"):
        # Frames that are flagged count as misses in all plots (extract_results.py:76-92).
        return replace(
            rules,
            short="refuse",
            absent_tags=("full_occlusion", "out_of_view"),
            invalid_normalised="miss",
        )
    return rules


def without_flagged(truth: Boxes, frame_tags: Mapping[str, Bools], rules: Rules) -> Boxes:
    """The truth (n, 4) with NaN in the frames that the rules take as flagged absent."""
    for tag in rules.absent_tags:
        flags = frame_tags.get(tag)
        if flags is not None and flags.any():
            truth = np.where(flags[:, None], absent(1), truth)
    return truth


def differing(rules: Rules, other: Rules) -> list[str]:
    """Names of the rules that differ, in the order of RULES."""
    return [name for name in RULES if getattr(rules, name) != getattr(other, name)]


@cache
def iou_thresholds(rules_thresholds: Thresholds, bins: int) -> Floats:
    """IoU thresholds from 0 to 1, shape (bins,), with the last bits of each spelling."""
    steps = np.arange(bins, dtype=np.float64)
    if rules_thresholds == "fraction":
        return steps / (bins - 1)
    if rules_thresholds == "colon":
        # MATLAB's 0:0.05:1 counts from both ends to the middle.
        step = 1.0 / (bins - 1)
        return np.where(2 * steps <= bins - 1, steps * step, 1.0 - (bins - 1 - steps) * step)
    return np.linspace(0.0, 1.0, bins)
