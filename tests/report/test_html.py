import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from tests.report.browser import CHROMIUM, Browser
from tests.report.crowd import crowded_run
from tests.run.scripted import clip
from vbench.core.trace import Kind, Trace
from vbench.report.comparison import computed
from vbench.report.html import _brief, _packed, html
from vbench.report.reproduction import exhibits
from vbench.report.reproduction_page import Reproduced, Standing, as_html
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder


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
    # tests/benchmarks/bench_page.py builds all of them.
    sizes = [
        len(html(made_run(tmp_path / str(clips), 30, clips, 590), picture).encode())
        for clips in (2, 8)
    ]
    assert sizes[0] + (sizes[1] - sizes[0]) / 6 * 98 < 5_000_000


def test_the_summary_in_sentences_says_what_the_front_is(tmp_path) -> None:
    rows = {"a": (0.6, 2.0), "b": (0.5, 0.5), "c": (0.55, 1.0), "d": (0.4, 3.0)}
    found = pd.DataFrame(
        [
            {"method": m, "status": "ok", "success_auc": y, "success_auc_pm": 0.1, "ms_mean": x}
            for m, (y, x) in rows.items()
        ]
        + [{"method": "e", "status": "partial", "success_auc": 0.9, "ms_mean": 0.1}]
    ).assign(clips="27/27", lacks=["", "", "", "", "clip3"])
    assert _brief(found, "ms_mean", "success_auc") == [
        "Most accurate: a, success auc 0.600 ±0.10 at 2 ms a frame.",
        "Cheapest: b, success auc 0.500 ±0.10 at 0.5 ms a frame, 4 times less.",
        "Between them on the line: c.",
        "For the other one there is a method on the line that costs no more and is at least as "
        "accurate.",
        "1 of 5 methods lack clips and are left out here.",
    ]
    assert _brief(found[:1], "ms_mean", "success_auc") == []
    assert _brief(found[:1].assign(clips="6/100"), "ms_mean", "success_auc") == [
        "All this is of 6 of 100 clips; on the whole suite it may differ."
    ]
    (only,) = _brief(found[[m in "ad" for m in found["method"]]], "ms_mean", "success_auc")
    assert only.endswith("It is the most accurate and the cheapest at once.")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with Browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture(scope="module")
def path(page, tmp_path_factory):
    written = tmp_path_factory.mktemp("page") / "report.html"
    written.write_text(page, encoding="utf-8")
    return written


def test_the_page_draws_itself_in_a_browser(browser, path) -> None:
    browser.open(path, 1280)
    assert browser.ask("document.querySelectorAll('#table tbody tr').length") == 3
    assert browser.ask("document.querySelectorAll('#plot .dot').length") in (0, 3)
    assert browser.ask("document.querySelectorAll('#strip figure').length") == 3
    assert browser.ask("document.querySelectorAll('#timeline path').length") == 3


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A page of fifty methods with long names."""
    written = tmp_path_factory.mktemp("crowd") / "report.html"
    run = crowded_run(written.parent / "run")
    written.write_text(html(run, picture), encoding="utf-8")
    return written


# How many labels of the plot touch another one, or leave the drawing.
TOUCHING = """(() => {
  const boxes = [...document.querySelectorAll('#plot text')].map((t) => t.getBoundingClientRect());
  const edge = document.querySelector('#plot svg').getBoundingClientRect();
  let found = 0;
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1.5 && high > 3) found++;
  }));
  return found + boxes.filter((b) => b.left < edge.left - 1 || b.right > edge.right + 1).length;
})()"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_fifty_methods_fit_the_screen(browser, crowd, width, dark) -> None:
    browser.open(crowd, width, dark=dark)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.ask("document.querySelectorAll('#table tbody tr').length") == 50
    assert browser.ask(TOUCHING) == 0
    assert browser.ask("document.querySelectorAll('#plot .name').length") > 3


# The least ratio of contrast of the page's texts to their ground, by WCAG 2.1's definition.
CONTRAST = """(() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[0-9.]+/g).map(Number).map((v) => v / 255)
      .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$/.test(colour) && colour !== 'transparent') return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  return Math.min(...[...document.querySelectorAll('p, h1, h2, td, th, dt, dd, label, li, text')]
    .filter((e) => e.textContent.trim())
    .map((e) => ratio(light(getComputedStyle(e)[e.tagName === 'text' ? 'fill' : 'color']),
                      light(ground(e)))));
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stand_out_from_their_ground(browser, path, dark) -> None:
    # WCAG 2.1, success criterion 1.4.3: at least 4.5 for text.
    browser.open(path, 1280, dark=dark)
    assert browser.ask(CONTRAST) >= 4.5
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == (
        "rgb(22, 24, 27)" if dark else "rgb(255, 255, 255)"
    )


def test_the_page_of_reproductions_fits_a_small_screen(browser, tmp_path) -> None:
    found = []
    for exhibit in exhibits(["patchnet"]):
        mend = "siamfc: siamfc_alexnet_e50.pth is at https://example.org/" + "a" * 90
        given = {row.what: Standing("needs weights", "siamfc", mend) for row in exhibit.rows}
        found.append(Reproduced(exhibit, given, computed(exhibit)))
    written = tmp_path / "reproduction.html"
    written.write_text(as_html(found, "about"), encoding="utf-8")
    for dark in (False, True):
        browser.open(written, 360, dark=dark)
        assert browser.ask("document.documentElement.scrollWidth") <= 360
        assert browser.ask(CONTRAST) >= 4.5
