"""Detections of a run: accuracy in its tables, by class and distance, and what is not scored."""

import numpy as np
import pytest

from tests.metrics.vid_scenes import objects_of, trace_of
from vbench.core.clip import Clip
from vbench.core.frames import NoFrames
from vbench.core.trace import Kind
from vbench.report.tables import per_class as class_table
from vbench.report.tables import per_clip, per_distance, summary, write_tables
from vbench.report.unscored import unscored
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder

BOX = (10, 10, 40, 40)
FRAMES = 6
CLASSES = ["bear", "bird", "bus"]


def clip(name, label=0):
    rows = [(f, label, BOX, False) for f in range(FRAMES)]
    objects = objects_of(rows, [0] * FRAMES)
    return Clip(name, NoFrames(FRAMES), objects=objects, known_size=(100, 100))


def trace(frames, label=0, score=0.9, length=FRAMES, kinds=None):
    return trace_of([(f, label, BOX, score) for f in frames], length, kinds)


@pytest.fixture
def folder(tmp_path):
    """A run of one method on two clips: `a` all found, of `b` every second frame."""
    run = RunFolder(tmp_path / "run")
    clips = [clip("a"), clip("b", 2)]
    manifest = Manifest("vid:x", "vid", "d", 2, clips={c.name: c.digest() for c in clips})
    manifest.profile, manifest.classes = "vid-fgfa", CLASSES
    record = MethodRecord("det+dummy@fixed:2", "k" * 64)
    manifest.methods[record.method] = record
    for one in clips:
        run.save_truth(one)
    kinds = [Kind.KEY, Kind.INTER] * 3
    run.save(record, clips[0], trace(range(FRAMES), kinds=kinds))
    run.save(record, clips[1], trace(range(0, FRAMES, 2), 2, kinds=kinds))
    run.write(manifest)
    return run


def test_accuracy_stands_in_the_summary_and_by_clip(folder) -> None:
    row = summary(folder).iloc[0]
    assert row["map50"] == pytest.approx((1 + 0.5) / 2)
    # The boxes stand still and are of 41 x 41 px with the last pixel.
    assert row["map50_slow"] == row["map50_m"] == row["map50"]
    assert "map50_fast" not in row
    # Of two clips, 1.0 and .5, half the draws take one clip twice.
    assert row["map50_pm"] == pytest.approx(0.25)
    assert row["average_delay"] == 0
    assert row["jitter"] == 0
    clips = per_clip(folder).set_index("clip")
    assert clips["map50"].to_dict() == {"a": pytest.approx(1.0), "b": pytest.approx(0.5)}


def test_classes_and_distances_have_their_tables(folder) -> None:
    found = class_table(folder).set_index("class")
    assert found["ap50"].to_dict() == {"bear": pytest.approx(1.0), "bus": pytest.approx(0.5)}
    assert found["objects"].tolist() == [FRAMES, FRAMES]
    split = per_distance(folder).set_index("distance")
    assert split["map50"].to_dict() == {0: pytest.approx(1.0), 1: pytest.approx(0.5)}
    assert split["frames"].tolist() == [FRAMES, FRAMES]
    written = {path.name for path in write_tables(folder)}
    assert {"per_class.csv", "per_distance.csv"} <= written


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (trace([0], score=np.nan), "1 detections have a score that is no number"),
        (
            trace([0], label=3),
            "a detection has class 3, the suite has 3 (from 0); networks of any number of classes "
            "take [classes=3]",
        ),
        (trace([0], length=4), "4 answered frames for 6 frames"),
    ],
)
def test_what_cannot_be_scored_is_a_status_with_its_reason(folder, bad, why) -> None:
    record = folder.read().methods["det+dummy@fixed:2"]
    folder.save(record, clip("b", 2), bad)
    clips = per_clip(folder).set_index("clip")
    assert clips.loc["b", "status"] == "failed"
    assert clips.loc["b", "problem"] == why
    row = summary(folder).iloc[0]
    assert (row["status"], row["clips"]) == ("partial", "1/2")
    assert row["map50"] == pytest.approx(1.0)
    said = [f"not scored: det+dummy@fixed:2 on 1 clip: {why}"]
    assert list(unscored(folder, summary(folder))) == said
