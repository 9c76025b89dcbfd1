"""Our `kcf` box for box against the boxes that the toolkit's site published for KCF_GaussHog."""

import numpy as np
import pytest

from vbench.core.boxes import iou
from vbench.core.frames import read_image
from vbench.trackers.kcf import Kcf

# name of the published result -> folder of its frames
SEQUENCES = {
    "couple": "Couple",
    "crossing": "Crossing",
    "DragonBaby": "DragonBaby",
    "football1": "Football1",
    "jogging-1": "Jogging",
    "jogging-2": "Jogging",
}


def published(folder, name):
    loadmat = pytest.importorskip("scipy.io").loadmat
    path = folder / "results/otb100_mat/KCF_GaussHog" / f"{name}_KCF_GaussHog.mat"
    result = loadmat(path, squeeze_me=True, struct_as_record=False)["results"]
    return result.res - [1, 1, 0, 0]


def truth(folder, name):
    lines = (folder / "annotations/otb100/anno" / f"{name}.txt").read_text().split("\n")
    rows = [line.replace(",", " ").split() for line in lines if line.strip()]
    return np.array(rows, dtype=np.float64) - [1, 1, 0, 0]


def success(overlaps):
    return np.mean([np.mean(overlaps > 0.05 * step) for step in range(21)])


@pytest.mark.parametrize("name", SEQUENCES)
def test_follows_the_published_boxes(real_data, name):
    theirs, gt = published(real_data, name), truth(real_data, name)
    images = sorted((real_data / "sequences/otb" / SEQUENCES[name] / "img").glob("*.jpg"))
    tracker = Kcf()
    tracker.start(read_image(images[0]), gt[0])
    ours = [theirs[0]]
    ours += [tracker.track(read_image(path)).box for path in images[1 : len(theirs)]]
    own = np.array(ours)
    assert iou(own, theirs).mean() >= 0.99
    assert success(iou(own, gt)) == pytest.approx(success(iou(theirs, gt)), abs=0.005)
