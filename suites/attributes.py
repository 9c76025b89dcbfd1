"""Sequence attributes of the OTB benchmark: those that its authors define by numbers.

Wu, Lim & Yang, Object Tracking Benchmark, PAMI 2015, Table 1. The remaining ones (IV, OCC, DEF, MB,
IPR, OPR, BC) are judged by eye there; a suite that knows them by construction adds them itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vbench.core.boxes import Bools, Boxes, areas, centre_distances, inside_share

# In the order of the paper's table.
ORDER = ("IV", "SV", "OCC", "DEF", "MB", "FM", "IPR", "OPR", "OV", "BC", "LR")
SCALE_RATIO = 2.0
FAST_PX = 20.0
FEW_PIXELS = 400.0
# "Some portion of the target leaves the view": more than the rounding of an annotation.
OUTSIDE_SHARE = 0.05


def measured(truth: Boxes, size: tuple[int, int] | None = None) -> dict[str, Bools]:
    """Frames (n,) in which SV, FM, LR and, where the frame `size` (w, h) is known, OV hold.

    The ratio of SV is one of areas: read so, the definition gives 99 of the 100 published labels.
    """
    area = areas(np.nan_to_num(truth))
    here = area > 0
    first = area[here][0] if here.any() else np.nan
    ratio = np.where(here, area, np.nan) / first
    found = {
        "SV": (ratio > SCALE_RATIO) | (ratio < 1 / SCALE_RATIO),
        "FM": np.zeros(len(truth), bool),
        "LR": here & (area < FEW_PIXELS),
    }
    found["FM"][1:] = here[1:] & here[:-1] & (centre_distances(truth[1:], truth[:-1]) > FAST_PX)
    if size is not None:
        found["OV"] = here & (inside_share(np.nan_to_num(truth), size) < 1 - OUTSIDE_SHARE)
    return found


def tags_of(frames: Mapping[str, Bools]) -> tuple[str, ...]:
    """Attributes that hold in any frame, in the paper's order."""
    return tuple(name for name in ORDER if name in frames and frames[name].any())
