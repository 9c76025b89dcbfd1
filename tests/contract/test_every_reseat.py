"""What a tracker does when it is told where its target went: it searches there, and nothing else.

The frames are flat but for the target and one neighbour, and go round at the border: a frame that
was shifted by whole pixels is the same scene somewhere else.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.contract.models import plain_names
from vbench import catalogue
from vbench.core.boxes import from_corners

RESEATING = [n for n in plain_names("trackers") if hasattr(catalogue.load("trackers", n), "reseat")]
OPENCV = ("kcf-opencv", "csrt", "mosse", "medianflow", "mil")
SHORT = {"samples": "0.02", "candidates": "16", "stop": "100"}
SMALL = {"fdn": {"short_px": "320"}}
BOX = np.array([160.0, 128, 24, 24])
# Farther than any of them searches, and whole cells of all of them.
FAR = (-64, 32)


def patch(seed: int, cells: int, side: int):
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8), (side, side))


def scene(x: int = 0, y: int = 0):
    frame = np.full((320, 320, 3), 110, np.uint8)
    frame[128:152, 160:184] = patch(3, 6, 24)
    frame[164:204, 190:230] = patch(4, 8, 40) // 2 + 60
    return np.roll(frame, (y, x), (0, 1))


@pytest.fixture(scope="module", params=RESEATING)
def named(request) -> tuple[str, Any]:
    name = request.param
    slim = {"width": "0.0625", **SHORT, **SMALL.get(name, {})}
    own = catalogue.parameters("trackers", name)
    given = {key: value for key, value in slim.items() if key in own}
    return name, catalogue.build("trackers", name, given, weights=None, device="cpu", seed=0)


def started(tracker):
    tracker.start(scene(), BOX.copy())
    if isinstance(getattr(tracker, "kernels", None), tuple):
        # Those of an untrained regression throw boxes out of the frame.
        tracker.kernels = (tracker.kernels[0] * 1e-3, tracker.kernels[1])
    return tracker


def leaves(thing: Any, path: str = "", seen: dict[int, Any] | None = None) -> Iterator[Any]:
    """What our objects hold, as far as Python can see it: path and content of each part."""
    seen = {} if seen is None else seen
    if isinstance(thing, torch.Tensor):
        yield path, thing.detach().resolve_conj().numpy().tobytes()
    elif isinstance(thing, np.ndarray):
        yield path, thing.tobytes()
    elif isinstance(thing, (np.generic, int, float, str, type(None))):
        yield path, repr(thing)
    elif isinstance(thing, np.random.Generator):
        yield path, repr(thing.bit_generator.state)
    elif isinstance(thing, torch.Generator):
        yield path, thing.get_state().numpy().tobytes()
    elif id(thing) not in seen:
        seen[id(thing)] = thing
        for name, part in parts_of(thing):
            yield from leaves(part, f"{path}.{name}".lstrip("."), seen)


def parts_of(thing: Any):
    if isinstance(thing, torch.nn.Module):
        return thing.state_dict().items()
    if isinstance(thing, Mapping):
        return thing.items()
    if isinstance(thing, (tuple, list, deque)):
        return enumerate(thing)
    ours = type(thing).__module__.startswith("vbench")
    return vars(thing).items() if ours and hasattr(thing, "__dict__") else ()


def test_it_searches_where_the_target_was_carried_and_no_more_where_it_was(named) -> None:
    """Moved with its target, it answers what it answers unmoved, moved."""
    name, tracker = named
    step = (3, 2)
    seat = started(tracker).reseat(BOX.copy())
    here = np.array(tracker.track(scene(*step))[0])
    moved = scene(FAR[0] + step[0], FAR[1] + step[1])
    assert np.isfinite(here).all()
    carried = started(tracker).reseat(BOX + [*FAR, 0, 0])
    there = np.array(tracker.track(moved)[0])
    # Half a pixel for crops that are resized in single precision.
    np.testing.assert_allclose(there - here, [*FAR, 0, 0], atol=0.5)
    assert (seat is None) == (carried is None)
    left = np.array(started(tracker).track(moved)[0])
    # Optical flow from the frame before may leap that far on its own.
    if name != "medianflow":
        assert np.abs(left - there).max() > 20


# What says where the search is, and how large: nothing else may change.
PLACES = {
    ("hold", "mdnet", "rt-mdnet", "fdn"): {"box"},
    ("kcf",): {"_place"},
    OPENCV: {"_search._origin", "_search._last"},
    ("full-template", "patch-aggregation", "patchnet"): {"corners"},
    ("siamfc", "siamfc-boosted"): {
        "matcher.sizes",
        "matcher.centres",
        "matcher.template_sides",
    },
}
KEEPS_SIZE = {"kcf", *OPENCV}


def test_what_it_learnt_is_left_as_it_was(named) -> None:
    name, tracker = named
    before = dict(leaves(started(tracker)))
    tracker.reseat(np.array([100.0, 90, 36, 30]))
    after = dict(leaves(tracker))
    changed = {path for path in after if after[path] != before.get(path)}
    assert before.keys() == after.keys()
    places = [place for names, place in PLACES.items() if name in names]
    assert changed == (places[0] if places else {"centre", "size"})


def test_the_centre_and_the_size_follow(named) -> None:
    """The size as it is given, or kept, or a quarter of its mean change (SiamFC's own rule)."""
    name, tracker = named
    wanted = np.array([100.0, 90, 36, 30])
    seat = started(tracker).reseat(wanted.copy())
    own = searched(tracker)
    assert own == pytest.approx(wanted if seat is None else np.asarray(seat), abs=1e-9)
    assert np.abs(own[:2] + own[2:] / 2 - wanted[:2] - wanted[2:] / 2).max() <= 0.5
    quarter = 24 * (0.75 + 0.25 * (36 / 24 + 30 / 24) / 2)
    size = [24.0, 24.0] if name in KEEPS_SIZE else wanted[2:]
    size = [quarter, quarter] if name.startswith("siamfc") else size
    assert own[2:] == pytest.approx(size)


def searched(tracker: Any):
    """The box around which a tracker searches next, as its own state says."""
    if hasattr(tracker, "matcher"):
        return tracker.matcher.boxes()[0]
    if hasattr(tracker, "corners"):
        return from_corners(tracker.corners)[0]
    if hasattr(tracker, "centre"):
        recipe = getattr(tracker, "recipe", None)
        edge = 1 if recipe is not None and recipe.gives == "pixel" else 0
        return np.concatenate([tracker.centre - (tracker.size - edge) / 2, tracker.size])
    if hasattr(tracker, "_search"):
        return tracker._search._last
    return tracker.box if hasattr(tracker, "box") else tracker._box()
