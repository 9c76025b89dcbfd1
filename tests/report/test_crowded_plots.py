"""Every plot with fifty methods of long names: no text lies on another, none leaves the paper."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.report.crowd import NAMES, crowded_run
from tests.run.scripted import clip
from vbench.core.errors import VBenchError
from vbench.core.vot_run import Code, VotRun
from vbench.metrics.vot import VotScore, score_vot
from vbench.metrics.vot_frames import VotTruth
from vbench.metrics.vot_profiles import vot_rules
from vbench.report.attributes import attributes
from vbench.report.canvas import canvas, styles
from vbench.report.drawing import PLOTS, Wish, draw
from vbench.report.labels import short, shortened
from vbench.report.tables import summary
from vbench.report.updates import updates
from vbench.report.vot_plots import accuracy_robustness, expected_overlap

# What needs another kind of run is drawn below, from scores.
OTHER = {"ar", "eao", "updates"}
# Wider paper cannot be printed.
WIDEST_INCHES, TALLEST_INCHES = 14.0, 16.0


@pytest.fixture(scope="module")
def wish(tmp_path_factory) -> Wish:
    run = crowded_run(tmp_path_factory.mktemp("crowd"))
    manifest = run.read()
    return Wish(run, manifest, summary(run, manifest))


def text_boxes(figure) -> list[tuple[str, np.ndarray]]:
    """Texts of a figure as they stand on paper, with their boxes in px."""
    from matplotlib.text import Text

    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    unseen = {id(tick.label1) for axis in _axes(figure) for tick in _outside(axis)}
    found = []
    for text in figure.findobj(Text):
        if (
            id(text) not in unseen
            and text.get_visible()
            and text.get_text().strip()
            and text.get_window_extent().width > 0
        ):
            box = text.get_window_extent(renderer)
            found.append((text.get_text(), np.array([box.x0, box.y0, box.x1, box.y1])))
    return found


def _axes(figure):
    return [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]


def _outside(axis):
    """Ticks beyond the limits: they have texts that are not drawn."""
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    return [tick for tick in ticks if not low <= tick.get_loc() <= high]


def collisions(figure) -> list[tuple[str, str]]:
    """Pairs of texts that overlap by more than a sliver."""
    boxes = text_boxes(figure)
    sliver = figure.dpi / 72  # a point of print
    found = []
    for i, (one, a) in enumerate(boxes):
        for other, b in boxes[i + 1 :]:
            wide = min(a[2], b[2]) - max(a[0], b[0])
            high = min(a[3], b[3]) - max(a[1], b[1])
            if wide > sliver and high > sliver:
                found.append((one, other))
    return found


def paper(figure) -> tuple[float, float]:
    """Width and height in inches of what is written to a file."""
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    return box.width, box.height


@pytest.mark.parametrize("plot", [name for name in PLOTS if name not in OTHER])
def test_fifty_long_names_do_not_collide(plot, wish) -> None:
    figure = PLOTS[plot](wish)
    assert collisions(figure) == []
    width, height = paper(figure)
    assert width < WIDEST_INCHES and height < TALLEST_INCHES, (width, height)


@pytest.fixture(scope="module")
def scores(wish) -> dict[str, VotScore]:
    """One VOT score under fifty names: every point of the AR plot in one place."""
    cells = wish.cells()[NAMES[0]]
    codes = np.full(60, Code.REGION, np.int8)
    codes[0] = Code.START
    scenes = [replace(clip(60), name=cell.clip) for cell in cells]
    runs = {cell.clip: [VotRun(codes, cell.trace.boxes)] for cell in cells}
    score = score_vot(VotTruth(scenes), runs, vot_rules("vot-pysot"), (10, 30))
    return dict.fromkeys(NAMES, score)


@pytest.mark.parametrize("draw", [accuracy_robustness, expected_overlap])
def test_fifty_vot_scores_do_not_collide(draw, scores) -> None:
    figure = draw(scores, "t")
    assert collisions(figure) == []
    assert max(paper(figure)) < WIDEST_INCHES


def test_fifty_updates_do_not_collide(wish) -> None:
    traces = {
        name: replace(own[0], extras={"update_iterations": np.full(60, 3.0)})
        for name, own in wish.traces().items()
    }
    figure = updates(traces, "t")
    assert collisions(figure) == []
    assert max(paper(figure)) < WIDEST_INCHES


def test_the_check_sees_a_collision() -> None:
    figure, axes = canvas((4, 3))
    axes.text(0.5, 0.5, "one text")
    axes.text(0.52, 0.5, "another")
    assert collisions(figure) == [("one text", "another")]


def test_a_name_keeps_its_end() -> None:
    assert short(NAMES[3]) == "siamrpn-alex-dw+patch…tion[…]@online:0.85:10"
    assert short("stored:/a/very/long/path/to/detections.json@fixed:5") == (
        "stored:detections.json@fixed:5"
    )
    assert len({short(name) for name in NAMES}) == len(NAMES)


def test_names_that_would_look_alike_keep_where_they_differ() -> None:
    long = [f"nanodet[score=0.01,most=1000]+patchnet[floor=0.{n}]@fixed:5" for n in (3, 4)]
    assert len(set(map(short, long))) == 1
    assert shortened([*long, NAMES[3]]) == [
        "nanodet[score=…floor=0.3]@fixed:5", "nanodet[score=…floor=0.4]@fixed:5", short(NAMES[3]),
    ]  # fmt: skip
    for most in (12, 20, 44):
        found = shortened(long, most)
        assert len(set(found)) == 2 and max(map(len, found)) <= most
    assert shortened(NAMES) == [short(name) for name in NAMES]


def test_bases_have_colours_and_of_one_base_its_propagators() -> None:
    several = styles(["kcf", "kcf+dummy@fixed:2", "csrt+dummy@fixed:2"])
    assert several["kcf"][0] == several["kcf+dummy@fixed:2"][0] != several["csrt+dummy@fixed:2"][0]
    one = styles(["kcf", "kcf+dummy@fixed:2", "kcf+dummy@fixed:5", "kcf+lk@fixed:2"])
    assert one["kcf+dummy@fixed:2"] == one["kcf+dummy@fixed:5"]
    assert len({colour for colour, _ in one.values()}) == 3
    # A plot without the base itself has the same ones.
    assert (
        styles(["kcf+dummy@fixed:2", "kcf+lk@fixed:2"])["kcf+lk@fixed:2"][0]
        == (one["kcf+lk@fixed:2"][0])
    )


def test_a_clip_is_for_plots_of_a_clip(wish) -> None:
    with pytest.raises(VBenchError, match="--clip is for --plot timeline, jitter, updates"):
        draw(replace(wish, clip="clip000"), "success")


def test_points_of_a_single_attribute_lie_within_the_axes() -> None:
    names = ["a", "b", "c", "d", "e"]
    values = pd.DataFrame(
        {
            "attribute": "SV",
            "method": names,
            "clips": "2/2",
            "success_auc": [0.1, 0.2, 0.3, 0.4, 0.5],
        }
    )
    axes = attributes(values, "").axes[0]
    low, high = axes.get_ylim()
    heights = [line.get_ydata()[0] for line in axes.lines]
    assert low + 0.1 < min(heights) and max(heights) < high - 0.1
