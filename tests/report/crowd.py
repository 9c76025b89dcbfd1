"""A run of many methods with long names: what reports must still be readable with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.run.scripted import clip
from vbench.core.trace import Kind, Trace
from vbench.run.sweep import Point, Sweep, save
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder

BASES = ("siamrpn-alex-dw", "dasiamrpn-otb", "nanotrack-v3", "kcf-opencv", "got10k:toolkits.a:B")
CHEAP = ("patch-aggregation[layers=3,stride=2]", "full-template[scale=0.5]")
KS = (2, 3, 5, 10, 15)
NAMES = [f"{b}+{c}@online:0.85:{k}" for b in BASES for c in CHEAP for k in KS]


def crowded_run(folder: Path, clips: int = 3, frames: int = 60) -> RunFolder:
    """50 methods, 2 propagators on 5 bases at 5 intervals, with noise around every box."""
    rng = np.random.default_rng(0)
    run = RunFolder(folder)
    manifest = Manifest("synth-sot", "sot", "d", clips, machine={"name": "Desk, 8 cores"})
    scenes = [replace(clip(frames), name=f"clip{i:03d}", tags=("SV", "OCC")) for i in range(clips)]
    for scene in scenes:
        manifest.clips[scene.name] = scene.digest()
        run.save_truth(scene)
    for index, name in enumerate(NAMES):
        k = KS[index % len(KS)]
        record = MethodRecord(name, f"{index:064d}", base=name.partition("+")[0], policy="online")
        record.interval_max = k
        manifest.methods[name] = record
        for scene in scenes:
            run.save(record, scene, _trace(rng, frames, k, index // 10))
    run.write(manifest)
    points = [
        Point(name.partition("@")[0], str(KS[index % len(KS)]), name)
        for index, name in enumerate(NAMES)
    ]
    save(run, Sweep("keyframe-interval", tuple(points)))
    return run


def _trace(rng: np.random.Generator, n: int, k: int, slow: int) -> Trace:
    """Keyframes every k frames; the further from one the further from the truth."""
    gap = np.arange(n) % k
    kind = np.where(gap == 0, Kind.KEY, Kind.INTER).astype(np.int8)
    kind[0], kind[n // 2] = Kind.START, Kind.FALLBACK
    one = np.ones(n, np.int64)
    boxes = np.array([10.0, 10, 8, 8]) + rng.normal(0, 1, (n, 4)) * (0.3 + gap[:, None] / 6)
    boxes[:, 2:] = np.abs(boxes[:, 2:]) + 0.5
    seconds = rng.uniform(0.9, 1.1, n) * np.where(gap == 0, 0.004 * (slow + 1), 0.001)
    return Trace(kind, one, one, rng.random(n), seconds, seconds, seconds, boxes, seconds, -one)
