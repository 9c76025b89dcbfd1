"""What MDNet, RT-MDNet and FDN draw, learn and answer, frame by frame, as their releases do.

hyseob/MDNet tracking/mdnet_init.m and mdnet_run.m; hyeonseobnam/py-MDNet tracking/options.yaml and
run_tracker.py; IlchaeJung/RT-MDNet options.py and tracker.py; ZhiyanCui/fdn-release
tracking/mdnet_init.m and mdnet_run.m.
"""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from vbench.nn.box_samples import Sampler
from vbench.trackers import domain_tracker
from vbench.trackers.fdn import FDN
from vbench.trackers.mdnet import RELEASES as RELEASED
from vbench.trackers.mdnet import MDNet
from vbench.trackers.mdnet_update import FineTuning, Progress
from vbench.trackers.rt_mdnet import RTMDNet

FRAME = np.zeros((240, 320, 3), np.uint8)
BOX = np.array([120.0, 90, 60, 40])
TINY = {"width": 1 / 64}
# Overlaps with the target: of positives, of negatives at first and later, of boxes to regress from.
GOOD, BAD, FAR, NEAR = (0.7, 1.0), (0.0, 0.5), (0.0, 0.3), (0.6, 1.0)
UNIFORM, GAUSSIAN = "uniform", "gaussian"


class Published(NamedTuple):
    """One release: samplers (kind, shift, scale, aspect), rates, iterations, windows."""

    candidates: tuple[str, float, float, float]
    boxes: int
    positives: tuple[str, float, float, float]
    first_negatives: tuple[tuple[str, float, float, float], ...]
    negatives: tuple[str, float, float, float]
    regression: tuple[str, float, float, float]
    first: tuple[float, int]
    later: tuple[float, int]
    short: int
    grown: float
    widest: float


PY_MDNET = Published(
    candidates=(GAUSSIAN, 0.6, 1.05, 1),
    boxes=256,
    positives=(GAUSSIAN, 0.1, 1.3, 1),
    first_negatives=((UNIFORM, 1, 1.6, 1), ("whole", 1, 1, 1)),
    negatives=(UNIFORM, 2, 1.3, 1),
    regression=(UNIFORM, 0.3, 1.6, 1.1),
    first=(5e-4, 50),
    later=(1e-3, 15),
    short=30,
    grown=0.66,
    widest=1.5,
)
RELEASES = {
    "py-mdnet": (MDNet, {}, PY_MDNET),
    "matlab": (
        MDNet,
        {"release": "matlab"},
        Published(
            candidates=(GAUSSIAN, 0.6, 1.05, 1),
            boxes=256,
            positives=(GAUSSIAN, 0.1, 1.05**5, 1),
            first_negatives=((UNIFORM, 1, 1.05**10, 1), ("strided", 1, 1.05**5, 1)),
            negatives=(UNIFORM, 2, 1.05**5, 1),
            regression=("growing", 0.3, 1.05**10, 1.05**2),
            first=(1e-4, 30),
            later=(3e-4, 10),
            short=20,
            grown=0.66,
            widest=1.5,
        ),
    ),
    "rt-mdnet": (
        RTMDNet,
        {},
        Published(
            candidates=(GAUSSIAN, 0.6, 1.05, 1),
            boxes=256,
            positives=(GAUSSIAN, 0.1, 1.2, 1),
            first_negatives=((UNIFORM, 1, 2, 1.1),),
            negatives=(UNIFORM, 1.5, 1.2, 1),
            regression=(UNIFORM, 0.3, 1.5, 1.1),
            first=(1e-4, 50),
            later=(3e-4, 15),
            short=20,
            grown=1.4,
            widest=1.4,
        ),
    ),
    "fdn": (
        FDN,
        {"regression": True, "short_px": 64},
        Published(
            candidates=(GAUSSIAN, 0.6, 1.05, 1),
            boxes=512,
            positives=(GAUSSIAN, 0.1, 1.05**5, 1),
            first_negatives=((UNIFORM, 1, 1.05**10, 1), ("strided", 1, 1.05**5, 1)),
            negatives=(UNIFORM, 2, 1.05**5, 1),
            regression=("growing", 0.3, 1.05**10, 1.05**2),
            first=(5e-4, 30),
            later=(1.5e-3, 10),
            short=20,
            grown=0.66,
            widest=1.5,
        ),
    ),
}


class Log:
    """A tracker whose draws and lessons are written down; features are where boxes are."""

    def __init__(self, kind, given, monkeypatch) -> None:
        self.drawn: list = []
        self.lessons: list = []
        self.candidates: list = []
        self.refined = 0
        self.tracker = kind(**TINY | given)
        self.bias = 0.0
        monkeypatch.setattr(domain_tracker, "fitting", self._fitting)
        monkeypatch.setattr(Sampler, "draw", self._draw(Sampler.draw))
        monkeypatch.setattr(FineTuning, "learn", lambda _, *given: self._learn(*given))
        monkeypatch.setattr(self.tracker, "look", lambda frame: None)
        monkeypatch.setattr(self.tracker, "features", self._features)
        monkeypatch.setattr(self.tracker, "first_features", self._features)
        monkeypatch.setattr(self.tracker, "spent", dict)
        monkeypatch.setattr(self.tracker, "network", self)
        monkeypatch.setattr(self.tracker, "_forget", lambda: None)
        monkeypatch.setattr(self.tracker.regression, "fit", self._fit)
        monkeypatch.setattr(self.tracker.regression, "refine", self._refine)

    def connected(self):
        """No layers: nothing is learnt here."""
        return ()

    def __call__(self, features):
        """Scores: the nearer a box's left edge is to 130, the higher."""
        score = self.bias - (features[:, 0] - 130).abs()
        return torch.stack([torch.zeros_like(score), score], dim=1)

    def _fitting(self, rng, sampler, target, n, size, overlap, area=None):
        self.drawn.append((shape(sampler), n, overlap, area))
        return np.tile(target, (n, 1))

    def _draw(self, real):
        def draw(sampler, rng, target, n, size):
            boxes = real(sampler, rng, target, n, size)
            self.candidates.append((shape(sampler), boxes))
            return boxes

        return draw

    def _learn(self, positives, negatives, lesson):
        self.lessons.append((len(positives), len(negatives), tuple(lesson)))
        return Progress(lesson.iterations, 0.5)

    def _features(self, boxes):
        return torch.from_numpy(np.asarray(boxes)).float()

    def _fit(self, features, boxes, target) -> None:
        self.drawn.append(("fit", len(features), target.tolist()))

    def _refine(self, features, boxes, size):
        self.refined += 1
        assert len(boxes) == 5
        return boxes + [0.0, 0, 7, 7]


def shape(sampler):
    return sampler.kind, sampler.shift, pytest.approx(sampler.scale), pytest.approx(sampler.aspect)


@pytest.fixture(params=RELEASES)
def release(request, monkeypatch):
    kind, given, published = RELEASES[request.param]
    log = Log(kind, given, monkeypatch)
    log.tracker.start(FRAME, BOX.copy())
    return log, published


def test_the_first_frame_is_learnt_from_as_published(release) -> None:
    log, it = release
    each = 5000 // len(it.first_negatives)
    wanted: list = [(it.positives, 500, GOOD, None)]
    wanted += [(sampler, each, BAD, None) for sampler in it.first_negatives]
    again = log.tracker.recipe.keeps_first
    assert again == isinstance(log.tracker, RTMDNet)
    wanted += [] if again else [(it.negatives, 200, BAD, None)]
    # The MATLAB releases whiten and bound no areas of boxes to regress from.
    area = None if log.tracker.regression.whitened else (1.0, 2.0)
    assert log.tracker.regression.whitened == (it.regression[3] == 1.05**2)
    wanted += [(it.regression, 1000, NEAR, area)]
    assert log.drawn[:-1] == wanted
    # MATLAB's uniform_aspect and py-MDNet stretch either side on its own, RT-MDNet both at once.
    sampler = log.tracker.recipe.regression
    assert sampler.loose == (not isinstance(log.tracker, RTMDNet))
    assert sampler.least_px == (5 if isinstance(log.tracker, RTMDNet) else 10)
    assert log.drawn[-1] == ("fit", 1000, BOX.tolist())
    assert log.lessons == [(500, 5000, it.first)]
    # What RT-MDNet keeps of it is as much as of a later frame.
    kept = (50, 200) if again else (500, 200)
    memory = log.tracker.memory
    assert (len(memory.positives(recent=False)), len(memory.negatives())) == kept


def test_a_frame_that_went_well_is_remembered_and_every_tenth_learnt(release) -> None:
    log, it = release
    first = len(log.tracker.memory.positives(recent=False))
    # The MATLAB releases, MDNet's and FDN's, call the first frame 1.
    matlab = isinstance(log.tracker, FDN) or log.tracker.recipe is RELEASED["matlab"]
    counted_from = 1 if matlab else 0
    log.bias = 1000.0
    for number in range(1, 21):
        tenth = (number + counted_from) % 10 == 0
        log.drawn.clear()
        log.lessons.clear()
        found = log.tracker.track(FRAME)
        assert log.drawn == [(it.positives, 50, GOOD, None), (it.negatives, 200, FAR, None)]
        # All positives of the last 100 frames, all negatives of the short window.
        frames = min(number + 1, it.short)
        wanted = (first + 50 * number, 200 * frames, it.later)
        assert log.lessons == ([wanted] if tenth else [])
        assert found.extras["update_iterations"] == (it.later[1] if tenth else 0)
    assert log.refined == 20


def test_windows_end_after_100_frames_and_after_the_short_one(release) -> None:
    log, it = release
    log.bias = 1000.0
    for _ in range(110):
        log.tracker.track(FRAME)
    assert log.lessons[-1] == (100 * 50, it.short * 200, it.later)


def test_a_lost_target_is_learnt_anew_from_the_short_window(release) -> None:
    log, it = release
    log.bias = 1000.0
    for _ in range(40):
        log.tracker.track(FRAME)
    log.bias = -1000.0
    log.drawn.clear()
    log.lessons.clear()
    refined, before = log.refined, log.tracker.box.copy()
    reach = []
    for _ in range(12):
        found = log.tracker.track(FRAME)
        reach.append(log.tracker.shift)
        # The candidates' own mean is the answer where box regression is not asked.
        assert found.box == pytest.approx(log.tracker.box)
    assert log.drawn == []
    assert log.refined == refined
    assert log.lessons == [(it.short * 50, it.short * 200, it.later)] * 12
    assert reach[0] == pytest.approx(it.grown)
    assert reach[-1] == it.widest
    assert np.abs(log.tracker.box - before).max() > 0
    log.bias = 1000.0
    log.tracker.track(FRAME)
    assert log.tracker.shift == it.candidates[1]


@pytest.mark.parametrize("bias", [1000.0, -1000.0], ids=["found", "lost"])
def test_the_answer_is_the_mean_of_the_five_best_candidates(release, bias) -> None:
    log, it = release
    log.bias = bias
    log.candidates.clear()
    found = log.tracker.track(FRAME)
    ((sampler, boxes),) = log.candidates[:1]
    assert sampler == it.candidates
    assert len(boxes) == it.boxes
    best = np.argsort(np.abs(boxes[:, 0] - 130), kind="stable")[:5]
    mean = boxes[best].mean(axis=0)
    rounded = np.rint if log.tracker.recipe.whitened else np.asarray
    if log.tracker.recipe.whitened:
        # The MATLAB releases round candidates and the target.
        assert (boxes == np.rint(boxes)).all()
        mean = np.rint(mean)
    else:
        assert (boxes != np.rint(boxes)).any()
    assert log.tracker.box == pytest.approx(mean, abs=1e-6)
    wanted = rounded(boxes[best].mean(axis=0) + [0, 0, 7, 7]) if bias > 0 else mean
    assert found.box == pytest.approx(wanted, abs=1e-6)
    assert found.score == pytest.approx(bias - np.abs(boxes[best, 0] - 130).mean(), abs=1e-3)


def test_the_next_candidates_are_drawn_around_the_answer_before_it_was_refined(release) -> None:
    log, it = release
    log.bias = 1000.0
    log.tracker.track(FRAME)
    place = log.tracker.box.copy()
    log.candidates.clear()
    log.tracker.track(FRAME)
    _, boxes = log.candidates[0]
    reach = it.candidates[1] * place[2:].mean() + 1
    middles = boxes[:, :2] + boxes[:, 2:] / 2 - (place[:2] + place[2:] / 2)
    assert np.abs(middles).max() <= reach
    assert np.abs(np.log(boxes[:, 2:] / place[2:])).max() <= np.log(1.05) + 0.5 / 39


def test_rt_mdnet_learns_the_first_frame_from_seven_scenes(monkeypatch) -> None:
    """RT-MDNet tracker.py: as it is, 4 px further left and up, smaller and larger by 1.1 and 1.21.

    As many boxes as are learnt from elsewhere are kept of all scenes, by chance.
    """
    tracker = RTMDNet(**TINY, samples=0.1)
    seen: list = []
    real = tracker._seen

    def kept(boxes, shift_px, scale):
        seen.append((shift_px, pytest.approx(scale), real(boxes, shift_px, scale)))
        return seen[-1][2]

    monkeypatch.setattr(tracker, "_seen", kept)
    monkeypatch.setattr(FineTuning, "learn", lambda *_: Progress(1, 0.5))
    rng = np.random.default_rng(0)
    tracker.start(rng.integers(0, 256, (240, 320, 3), dtype=np.uint8), BOX.copy())
    scenes = [((0, 0), 1.0), ((-4, 0), 1.0), ((0, -4), 1.0)]
    scenes += [((0, 0), scale) for scale in (1 / 1.1, 1.1, 1 / 1.21, 1.21)]
    assert [(shift, scale) for shift, scale, _ in seen[:14]] == scenes * 2
    boxes = np.tile(BOX, (20, 1))
    seen.clear()
    found = tracker.first_features(boxes)
    assert len(found) == 20
    places = [(features[:1] == found).all(dim=1) for _, _, features in seen]
    # Copies of one box look alike in one scene, and scenes differ.
    assert torch.stack(places).sum(dim=0).eq(1).all()
    assert sum(bool(place.any()) for place in places) > 3
