"""Video detectors hold as much after 300 frames as after 60: nothing of a clip piles up."""

import gc
import tracemalloc
from itertools import count

import numpy as np
import pytest
import torch

from vbench import catalogue

SMALL = {"width": "0.03", "short_px": "32", "classes": "1"}
FOLLOWING = {"kept": "0.1", "found": "0.3", "proposals": "8"}
# Name and parameters, frames to settle, frames in all, distance of keyframes.
CLIPS = [
    ("lsts", {}, 60, 300, 10),
    ("plugplay-hrnet", FOLLOWING, 60, 300, 1),
    ("plugplay-x101", FOLLOWING, 15, 30, 5),
    ("lsts", {"align": "flow", "memory_rate": "0.5"}, 15, 30, 5),
    ("dff", {}, 15, 30, 5),
    ("fgfa", {"past": "4"}, 15, 30, 1),
    ("dt", {}, 15, 30, 1),
]
# Bytes that caches of the interpreter, and a few boxes more, may take meanwhile: less than the
# image or the map of a frame, and than 300 bytes a frame in the longer clips.
SLACK = 64 << 10


def frames():
    """A texture that drifts to the right."""
    rng = np.random.default_rng(0)
    wide = np.repeat(np.repeat(rng.integers(0, 256, (8, 16, 3), dtype=np.uint8), 8, 0), 8, 1)
    for index in count():
        yield np.roll(wide, index, axis=1)


class OneMap(torch.nn.Module):
    """Stands in for HRNet and its neck, whose 300 layers remember nothing: a map of stride 8."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, channels, 8, 8)

    def forward(self, images):
        return [self.layer(images)]


def live_tensors() -> tuple[int, int]:
    """How many tensors are alive, and the bytes of their storages."""
    gc.collect()
    found = [o for o in gc.get_objects() if type(o) in (torch.Tensor, torch.nn.Parameter)]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in found}
    return len(found), sum(storages.values())


@pytest.mark.parametrize(
    ("name", "given", "settled", "length", "interval"),
    CLIPS,
    ids=[f"{name}{given.get('align', '')}" for name, given, *_ in CLIPS],
)
def test_memory_stays_what_it_was(name, given, settled, length, interval) -> None:
    detector = catalogue.build("detectors", name, SMALL | given, weights=None, seed=0)
    if name == "plugplay-hrnet":
        network = detector.features.network
        network.backbone, network.neck = OneMap(network.channels), torch.nn.Identity()
    detector.start((128, 64))
    answered = 0
    tracemalloc.start()
    try:
        for index, frame in zip(range(length), frames(), strict=False):
            call = detector.key if index % interval == 0 else detector.inter
            answered += len(call(frame).boxes)
            if index == settled:
                before, held = live_tensors(), tracemalloc.get_traced_memory()[0]
        after, held_after = live_tensors(), tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert answered >= length
    assert after[0] == before[0]
    assert after[1] < before[1] + SLACK
    assert held_after < held + SLACK
