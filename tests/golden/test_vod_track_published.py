"""Skip-frame detection as RalphMao/PatchNet scripts/vod_track.py writes it, on two snippets of VID.

The authors' rule is stated below in a few lines, with our PatchNet in the place of theirs (which
tests/golden/test_patchnet_published.py holds to theirs).
"""

import numpy as np
import pytest

from tests.golden.test_vid_published import SNIPPETS, vid_val
from vbench import catalogue
from vbench.core.boxes import from_corners, to_corners
from vbench.core.policy import Fixed
from vbench.cost.stopwatch import FakeClock
from vbench.run.compose import compose, plan
from vbench.run.loop import run_clip
from vbench.weights.find import WeightsFinder

INTERVAL, FLOOR = 6, 0.01


def authors_rows(file, frames, network) -> list[str]:
    """Lines that vod_track.py writes: detections on every INTERVAL-th frame, carried in between.

    The search stays around the keyframe's box; what comes out is cut at the frame.
    """
    table = np.loadtxt(file)
    lines = []
    for index, frame in enumerate(frames):
        if index % INTERVAL == 0:
            found = table[(table[:, 0] == index) & (table[:, 2] >= FLOOR)]
            corners = found[:, 3:7].copy()
            network.anchor(frame, from_corners(corners))
        elif len(found):
            corners = to_corners(network.propagate(frame).boxes)
            corners[:, :2] = np.maximum(corners[:, :2], 0)
            corners[:, 2] = np.minimum(corners[:, 2], frame.shape[1])
            corners[:, 3] = np.minimum(corners[:, 3], frame.shape[0])
        for (_, number, score), box in zip(found[:, :3], corners, strict=True):
            lines.append(f"{index} {number:.0f} {score:.3f} " + " ".join(f"{v:.0f}" for v in box))
    return lines


def our_rows(trace) -> list[str]:
    lines = []
    for index, rows in enumerate(trace.frame_slices()):
        columns = zip(trace.labels[rows], trace.scores[rows], trace.boxes[rows], strict=True)
        for label, score, box in columns:
            corners = " ".join(f"{v:.0f}" for v in to_corners(box))
            lines.append(f"{index} {label + 1} {score:.3f} {corners}")
    return lines


@pytest.mark.parametrize("name", SNIPPETS)
def test_the_authors_lines_come_out(real_data, name) -> None:
    folder = real_data / "results/imagenet_vid_rfcn"
    finder = WeightsFinder((real_data / "weights",))
    method = f"stored:{folder}+patchnet[prior=keyframe]@fixed:{INTERVAL}"
    composed = compose(plan(method), lambda _, weights: finder.weights_for(weights))
    assert composed.policy == Fixed(INTERVAL)
    whole = vid_val(real_data).only([name]).clips[0]
    trace = run_clip(composed.stepper, composed.policy, whole, FakeClock().now, prefetch=True)
    network = catalogue.build(
        "propagators", "patchnet", {"prior": "keyframe"}, weights=finder.weights_for("patchnet")
    )
    file = folder / f"rfcn_res101_{name.removeprefix('ILSVRC2015_')}.txt"
    expected = authors_rows(file, [whole.frames[t] for t in range(len(whole))], network)
    assert our_rows(trace) == expected
