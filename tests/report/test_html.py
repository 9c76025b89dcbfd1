import json
import re
import shutil
import subprocess
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.run.scripted import clip
from vbench.core.trace import Kind, Trace
from vbench.report.html import _packed, html
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def made_run(folder, methods: int, clips: int, frames: int) -> RunFolder:
    """A run of noise: as many traces as asked for."""
    rng = np.random.default_rng(0)
    run = RunFolder(folder)
    manifest = Manifest("synth-sot", "sot", "d", clips)
    scenes = [replace(clip(frames), name=f"clip{i:03d}") for i in range(clips)]
    for scene in scenes:
        manifest.clips[scene.name] = scene.digest()
        run.save_truth(scene)
    for index in range(methods):
        name = f"kcf+dummy@online:0.{index:02d}:5"
        record = MethodRecord(name, f"{index:064d}", base="kcf", policy="online", interval_max=5)
        manifest.methods[name] = record
        for scene in scenes:
            run.save(record, scene, noise(rng, frames))
    run.write(manifest)
    return run


def noise(rng, n: int) -> Trace:
    kind = rng.integers(1, 4, n).astype(np.int8)
    kind[0] = Kind.START
    one = np.ones(n, np.int64)
    boxes = np.array([10.0, 10, 8, 8]) + rng.normal(0, 2, (n, 4)) * [1, 1, 0.1, 0.1]
    seconds = rng.uniform(0.001, 0.01, n)
    return Trace(kind, one, one, rng.random(n), seconds, seconds, seconds, boxes, seconds, -one)


def picture(name: str, index: int):
    coarse = np.random.default_rng(index).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    return html(made_run(tmp_path_factory.mktemp("run"), 3, 4, 30), picture)


def data_of(page: str):
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_page_asks_nothing_of_the_network(page) -> None:
    assert not re.search(r'(src|href)\s*=\s*"(?!data:)[^"$#{]*//', page)
    assert "default-src 'none'" in page


def test_the_page_holds_every_method_and_clip(page) -> None:
    data = data_of(page)
    assert len(data["rows"]) == 3
    assert [c["name"] for c in data["clips"]] == [f"clip{i:03d}" for i in range(4)]
    assert set(data["cells"]) == {row["method"] for row in data["rows"]}
    assert len(data["clips"][0]["strip"]) == 3


def test_a_name_cannot_end_the_script(tmp_path) -> None:
    run = made_run(tmp_path, 1, 1, 5)
    manifest = run.read()
    manifest.problems["x"] = "</script><script>alert(1)"
    manifest.suite = "</script><b>"
    run.write(manifest)
    page = html(run)
    assert "</script><b>" not in page
    assert data_of(page)["manifest"][0] == ["suite", "</script><b>"]


def test_steps_are_packed_four_a_byte() -> None:
    kinds = np.array([Kind.START, Kind.INTER, Kind.FALLBACK, Kind.SKIPPED, Kind.KEY], np.int8)
    assert _packed(kinds).tolist() == [0 | 1 << 2 | 2 << 4 | 3 << 6, 0]


def test_100_clips_and_30_methods_stay_under_5_mb(tmp_path) -> None:
    # Beyond a constant the size is linear in the clips, each as long as OTB's mean of 590 frames.
    sizes = [
        len(html(made_run(tmp_path / str(clips), 30, clips, 590), picture).encode())
        for clips in (2, 8)
    ]
    assert sizes[0] + (sizes[1] - sizes[0]) / 6 * 98 < 5_000_000


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_page_draws_itself_in_a_browser(page, tmp_path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM),
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    dom = done.stdout
    assert dom.count('class="dot') == 3 or "no method has both numbers" in dom
    table = re.search(r'<table id="table">(.*?)</table>', dom, re.DOTALL)
    assert table is not None and table[1].count("<tr>") == 4
    assert dom.count("<figure>") == 3
    assert re.search(r'<div id="timeline".*?<path', dom, re.DOTALL)
