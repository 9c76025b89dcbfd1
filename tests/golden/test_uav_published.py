"""Raw results on UAV123 and UAV123@10fps, and the scores that were published with them.

Files and scores: maoyunyao/eval_tracker (SiamFC, SiamRPN), vision4robotics/AutoTrack.
"""

import json

import numpy as np
import pytest

from vbench.core.clip import Clip
from vbench.core.frames import NoFrames
from vbench.core.suite import Card, Suite
from vbench.metrics.profiles import VBENCH
from vbench.run.score_files import score_path
from vbench.store.raw_text import BadTable, parse_tables

pytest.importorskip("scipy.io")


def suite(real_data, name, step):
    folder = real_data / "annotations/uav123"
    names = list(json.loads((folder / "uav123_ranges_got10k.json").read_text())["UAV123"])
    texts = [(folder / f"anno/{clip}.txt").read_bytes() for clip in names]
    clips = []
    for clip, rows in zip(names, parse_tables(texts), strict=True):
        assert not isinstance(rows, BadTable)
        truth = rows[::step] - np.array([1.0, 1.0, 0.0, 0.0])
        clips.append(Clip(clip, NoFrames(len(truth)), truth))
    return Suite(Card(name, name, "sot", 123), clips)


@pytest.fixture(scope="module")
def uav123(real_data):
    return suite(real_data, "uav123", 1)


@pytest.mark.parametrize(
    ("tracker", "profile", "expected"),
    [
        ("SiamFC", "vbench", [0.4858, 0.7110]),
        ("SiamFC", "pysot", [0.4858, 0.7110]),
        ("SiamFC", "mmtracking", [0.4858, 0.7110]),
        ("SiamFC", "got10k", [0.4916, 0.6941]),
        ("SiamRPN", "vbench", [0.5824, 0.7743]),
        ("SiamRPN", "pysot", [0.5824, 0.7743]),
        ("SiamRPN", "pytracking", [0.5824, 0.7743]),
        ("SiamRPN", "got10k", [0.5900, 0.7586]),
    ],
)
def test_uav123(real_data, uav123, tracker, profile, expected):
    (scores,) = score_path(real_data / "results/uav123_txt" / tracker, uav123, profile)
    assert (scores.coverage, scores.status, scores.problems) == ("123/123", "ok", ())
    found = [round(scores.metrics[name], 4) for name in ("success_auc", "precision_20px")]
    assert found == expected


def test_both_trackers_of_a_folder_are_found(real_data, uav123):
    scores = score_path(real_data / "results/uav123_txt", uav123)
    assert [s.name for s in scores] == ["SiamFC", "SiamRPN"]


def test_dropping_frames_without_a_target_is_what_differs(real_data, uav123):
    from dataclasses import replace

    dropping = replace(VBENCH, invalid_success="dropped", invalid_precision="dropped")
    (scores,) = score_path(real_data / "results/uav123_txt/SiamRPN", uav123, dropping)
    assert round(scores.metrics["success_auc"], 4) == 0.5900
    assert round(scores.metrics["precision_20px"], 4) == 0.7586


@pytest.mark.parametrize("profile", ["vbench", "otb-matlab"])
def test_uav123_at_10_fps(real_data, profile):
    at_10_fps = suite(real_data, "uav123-10fps", 3)
    (scores,) = score_path(real_data / "results/uav123_10fps_mat/AutoTrack", at_10_fps, profile)
    assert (scores.name, scores.coverage) == ("AutoTrack", "123/123")
    assert round(scores.metrics["success_auc"], 3) == 0.477
    assert round(scores.metrics["precision_20px"], 3) == 0.671
