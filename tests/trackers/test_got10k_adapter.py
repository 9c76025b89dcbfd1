"""Trackers of the got10k toolkit in vbench, and ours in its experiments."""

import importlib
import sys
from typing import Any

import cv2
import numpy as np
import pytest

from vbench import catalogue
from vbench.core.errors import NotReady, UnknownName, VBenchError
from vbench.trackers.got10k import Got10kAdapter, Got10kTracker
from vbench.trackers.kcf import Kcf

BOX = np.array([60.0, 40.0, 30.0, 24.0])
SCENE = cv2.GaussianBlur(
    np.random.default_rng(3).integers(0, 256, (120, 160, 3)).astype(np.uint8), (0, 0), 2
)
FRAMES = [np.roll(SCENE, (4 * step, 8 * step), axis=(0, 1)) for step in range(4)]

MODULE = '''
class Walker:
    """Starts where it is told and goes (2, 1) px a frame; keeps what it saw."""

    def init(self, image, box):
        self.seen = [(image.mode, image.size, image.getpixel((3, 5)), list(box))]
        self.box = list(box)

    def update(self, image):
        self.box = [self.box[0] + 2, self.box[1] + 1, *self.box[2:]]
        return self.box

class Needy:
    def __init__(self, path):
        pass

class Mute:
    pass

_made = []

def maker():
    _made.append(Walker())
    return _made[-1]
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's in the folder that the command is called from."""
    (tmp_path / "users_trackers.py").write_text(MODULE)
    (tmp_path / "users_broken.py").write_text("import numpy as np\nnp.no_such_thing\n")
    (tmp_path / "users_lacking.py").write_text("import no_such_package_anywhere\n")
    (tmp_path / "users_toolkit.py").write_text("from got10k.trackers import Tracker\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "users_trackers"
    for name in [name for name in sys.modules if name.startswith("users_")]:
        del sys.modules[name]


@pytest.mark.parametrize(("given", "origin"), [({}, 1), ({"origin": "0"}, 0)])
def test_boxes_count_from_1_over_there(module, given, origin):
    tracker = catalogue.build("trackers", f"got10k:{module}:maker", given)
    tracker.start(SCENE, BOX)
    inner = sys.modules[module]._made[-1]
    assert inner.seen == [
        ("RGB", (160, 120), tuple(SCENE[5, 3].tolist()), [60 + origin, 40 + origin, 30, 24])
    ]
    for step in (1, 2):
        found = tracker.track(FRAMES[step])
        np.testing.assert_array_equal(found.box, BOX + [2 * step, step, 0, 0])
        assert np.isnan(found.score)


@pytest.mark.parametrize(
    ("argument", "error", "says"),
    [
        ("users_trackers", VBenchError, "got10k:module:Class"),
        (":Walker", VBenchError, "got10k:module:Class"),
        ("users_trackers:Walkre", UnknownName, "did you mean 'Walker'"),
        ("users_nowhere:Walker", VBenchError, "no module users_nowhere"),
        ("users_lacking:Walker", VBenchError, "no module no_such_package_anywhere"),
        ("users_broken:Walker", VBenchError, "cannot be imported: AttributeError"),
        ("users_trackers:Needy", VBenchError, "cannot be made without arguments: TypeError"),
        ("users_trackers:Mute", VBenchError, "no method 'init'"),
    ],
)
def test_what_is_wrong_is_said_on_one_line(module, argument, error, says):
    with pytest.raises(error, match=says) as caught:
        Got10kAdapter(argument)
    assert "\n" not in str(caught.value)


def test_a_module_that_needs_the_toolkit_names_the_extra(module, monkeypatch):
    monkeypatch.setitem(sys.modules, "got10k", None)
    monkeypatch.setitem(sys.modules, "got10k.trackers", None)
    with pytest.raises(NotReady, match=r"pip install 'vbench\[got10k\]'"):
        Got10kAdapter("users_toolkit:Tracker")


def own_boxes(frames=FRAMES):
    tracker = Kcf()
    tracker.start(frames[0], BOX)
    return np.array([BOX, *(tracker.track(frame).box for frame in frames[1:])])


def test_there_and_back_again_changes_nothing(module, tmp_path):
    sys.path.append(str(tmp_path))
    users: Any = importlib.import_module(module)
    users.there = lambda: Got10kTracker(Kcf(), "kcf")
    tracker = Got10kAdapter(f"{module}:there")
    tracker.start(FRAMES[0], BOX)
    found = [tracker.track(frame).box for frame in FRAMES[1:]]
    np.testing.assert_array_equal(found, own_boxes()[1:])


def written(folder):
    """A sequence of GOT-10k's layout; PNG under its name so that pixels survive."""
    folder.mkdir(parents=True)
    for index, frame in enumerate(FRAMES):
        ok, code = cv2.imencode(".png", frame[..., ::-1])
        assert ok
        (folder / f"{index + 1:08d}.jpg").write_bytes(code.tobytes())
    return sorted(str(path) for path in folder.glob("*.jpg"))


def test_a_sequence_is_tracked_from_its_files(tmp_path):
    files = written(tmp_path / "clip")
    boxes, seconds = Got10kTracker(Kcf(), "kcf").track(files, BOX + [1, 1, 0, 0])
    np.testing.assert_array_equal(boxes, own_boxes() + [1, 1, 0, 0])
    assert seconds.shape == (4,)
    assert (seconds > 0).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
def test_runs_inside_the_toolkit_s_own_experiment(tmp_path, monkeypatch):
    pytest.importorskip("got10k")
    from got10k.experiments import ExperimentGOT10k

    monkeypatch.chdir(tmp_path)
    clip = tmp_path / "data" / "val" / "GOT-10k_Val_000001"
    written(clip)
    moves = np.outer(np.arange(4), [8.0, 4, 0, 0])
    np.savetxt(clip / "groundtruth.txt", BOX + [1, 1, 0, 0] + moves, delimiter=",", fmt="%.4f")
    (clip.parent / "list.txt").write_text(f"{clip.name}\n")
    ExperimentGOT10k(str(tmp_path / "data"), "val").run(Got10kTracker(Kcf(), "kcf"))
    results = sorted((tmp_path / "results/GOT-10k/kcf" / clip.name).glob("*.txt"))
    assert [path.name for path in results] == [f"{clip.name}_001.txt", f"{clip.name}_time.txt"]
    recorded = np.loadtxt(results[0], delimiter=",")
    np.testing.assert_allclose(recorded, own_boxes() + [1, 1, 0, 0], atol=1e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
def test_the_toolkit_s_own_tracker_runs_here():
    pytest.importorskip("got10k")
    tracker = catalogue.build("trackers", "got10k:got10k.trackers:IdentityTracker")
    tracker.start(SCENE, BOX)
    np.testing.assert_array_equal(tracker.track(FRAMES[1]).box, BOX)
