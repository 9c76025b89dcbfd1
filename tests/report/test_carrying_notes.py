"""A propagator that costs more than what it spares is named, once, with what helps."""

import numpy as np
import pytest

from tests.run.scripted import clip
from vbench.core.method import parse_method
from vbench.core.trace import Kind, Trace
from vbench.cost.unit_costs import ANCHORED, Price, UnitCosts
from vbench.report.carrying_notes import carrying_notes
from vbench.report.reproduction import exhibits
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder

# Of ten detections two score 0.9, the others 0.1; a keyframe, then three inter-frames, twice.
SCORES = np.array([0.9, 0.9, *[0.1] * 8])
KINDS = np.array([Kind.START, *[Kind.INTER] * 3, Kind.KEY, *[Kind.INTER] * 3], np.int8)


def trace(inter_ms: float, key_ms: float, objects: int = 10) -> Trace:
    inter = np.where(KINDS == Kind.INTER, inter_ms, np.nan) / 1e3
    seconds = np.where(KINDS == Kind.INTER, inter_ms, key_ms) / 1e3
    n = len(KINDS)
    number = np.full(n, objects)
    scores = np.tile(SCORES[:objects], n)
    boxes = np.tile([10.0, 10, 8, 8], (n * objects, 1))
    return Trace(
        KINDS, number, np.where(KINDS == Kind.INTER, objects, 0), np.ones(n), seconds, inter,
        seconds, boxes, scores, np.zeros(n * objects, np.int64), {ANCHORED: number * 1.0},
    )  # fmt: skip


def noted(folder, methods: list[str], made: Trace, costs: UnitCosts, task="vid") -> list[str]:
    run, manifest, scene = RunFolder(folder), Manifest("synth-vid", task, "d", 1), clip(8)
    manifest.clips[scene.name] = scene.digest()
    run.save_truth(scene)
    for index, name in enumerate(methods):
        record = MethodRecord(name, f"{index:064d}", base="nanodet", policy="fixed:4")
        record.costs = costs.to_json()
        manifest.methods[name] = record
        run.save(record, scene, made)
    run.write(manifest)
    return carrying_notes(run, manifest)


def prices(per_object: float) -> UnitCosts:
    """A detector of 0.36 GMAC; anchoring an object costs as much as carrying it."""
    key = Price(0.36e9, per_object)
    return UnitCosts(key, key, Price(0.0, per_object))


def test_weak_detections_that_cost_more_than_the_detector_are_named_with_what_helps(
    tmp_path,
) -> None:
    methods = ["nanodet+patchnet[scales=3]@fixed:4", "nanodet+patchnet[scales=3]@fixed:2"]
    assert noted(tmp_path, methods, trace(5, 20), prices(0.1e9)) == [
        "nanodet+patchnet[scales=3]: carrying 10 objects takes 1 GMAC a frame, nanodet itself 0.36 "
        "GMAC, so it spends more than it saves; carry only what is sure, at a small "
        "cost in mAP: +patchnet[scales=3,still=0.3]"
    ]


def test_both_units_are_named_where_both_are_exceeded(tmp_path) -> None:
    (line,) = noted(tmp_path, ["nanodet+kcf@fixed:4"], trace(50, 20), prices(0.1e9))
    assert "takes 1 GMAC and 50 ms a frame, nanodet itself 0.36 GMAC and 20 ms" in line
    assert line.endswith("+kcf[still=0.3]")


@pytest.mark.parametrize(
    ("method", "per_object"),
    [
        ("nanodet+patchnet@fixed:4", 0.2e9),
        ("nanodet+patchnet[floor=0.3]@fixed:4", 0.1e9),
        ("nanodet+patchnet[still=0.3]@fixed:4", 0.1e9),
    ],
)
def test_where_fewer_objects_do_not_help_another_propagator_is_named(
    tmp_path, method, per_object
) -> None:
    (line,) = noted(tmp_path, [method], trace(5, 20), prices(per_object))
    assert line.endswith("; take a cheaper propagator, such as +dummy, or nanodet alone")


@pytest.mark.parametrize(
    ("method", "ms"),
    [("nanodet+patchnet@fixed:4", (5, 20)), ("nanodet+patchnet@fixed:4", (np.nan, np.nan)),
     ("nanodet+patchnet@fixed:4", (21, 20)), ("nanodet+seq-nms@fixed:4", (5, 20))],
)  # fmt: skip
def test_what_saves_is_not_named(tmp_path, method, ms) -> None:
    assert noted(tmp_path, [method], trace(*ms), prices(0.03e9)) == []


def test_what_nobody_counted_is_not_named(tmp_path) -> None:
    unknown = UnitCosts(Price(np.nan, np.nan), Price(np.nan, np.nan), Price(0, 1e9))
    assert noted(tmp_path, ["stored:x+kcf@fixed:4"], trace(5, np.nan), unknown) == []


def test_a_tracker_is_compared_with_all_of_its_frame(tmp_path) -> None:
    """A tracker's own frame costs per object, and there is nothing weak to leave out."""
    costs = UnitCosts(Price(), Price(0.0, 0.3e9), Price(0.0, 0.4e9))
    (line,) = noted(tmp_path, ["kcf+patchnet@fixed:4"], trace(5, 20, 1), costs, task="sot")
    assert line == (
        "kcf+patchnet: carrying the target takes 0.4 GMAC a frame, kcf itself 0.3 GMAC, so it "
        "spends more than it saves; take a cheaper propagator, such as +dummy, or kcf alone"
    )
    one = UnitCosts(Price(), Price(0.0, 0.5e9), Price(0.0, 0.4e9))
    assert noted(tmp_path / "b", ["kcf+patchnet@fixed:4"], trace(5, 20, 1), one, task="sot") == []


def test_like_rows_carry_as_few_objects_as_the_paper() -> None:
    """PatchNet's Table 1 counts 4 to 7 objects; a small detector answers tens of weak ones."""
    (exhibit,) = exhibits(["patchnet.t1"])
    carrying = [parse_method(like.method) for like in exhibit.likes if "+" in like.method]
    assert [dict(method.parts[0].parameters)["still"] for method in carrying] == ["0.3"]
