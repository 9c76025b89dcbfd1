"""A, R and EAO of VOT2018: against a pixel-by-pixel raster and against plain curves, in one run.

Run: VBENCH_TEST_DATA=DIR python -m tests.benchmarks.bench_vot [REPEATS]. numpy alone; the raster
counts the same pixels as region.c, which takes 13.5 us a pair in pysot's extension on the machine
where pysot-toolkit needs 5.8 s for 6 trackers (A and R 1.9 s, EAO 3.9 s).
"""

import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.metrics.scanline import counts
from tests.metrics.test_vot_score import plain_curve
from vbench import catalogue
from vbench.metrics.regions import as_polygons
from vbench.metrics.vot import score_vot
from vbench.metrics.vot_curve import cut, expected_overlaps
from vbench.metrics.vot_frames import VotTruth, lay_out
from vbench.metrics.vot_profiles import vot_rules
from vbench.store.raw_vot import read_vot

TRACKERS = ("NanoTrack", "LightTrack", "SiamTPN")
SLOW_PAIRS = 150
PYSOT_US_A_PAIR = 13.5
PYSOT_SECONDS_A_TRACKER = 5.8 / 6


def best(function, repeats):
    """Least seconds of some calls, and the last answer."""
    seconds, answer = [], None
    for _ in range(repeats):
        before = time.perf_counter()
        answer = function()
        seconds.append(time.perf_counter() - before)
    return min(seconds), answer


def main() -> None:
    if "VBENCH_TEST_DATA" not in os.environ:
        sys.exit("VBENCH_TEST_DATA names no folder with annotations/vot2018 and results/vot2018")
    data = Path(os.environ["VBENCH_TEST_DATA"])
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    before = time.perf_counter()
    suite = catalogue.open_suite("vot2018", None, data / "annotations/vot2018")
    load_seconds = time.perf_counter() - before
    lengths = {clip.name: len(clip) for clip in suite.clips}
    rules = vot_rules("vot-pysot", "vot2018")

    truth = VotTruth(suite.clips)
    prepare, _ = best(lambda: VotTruth(suite.clips).drawn(rules.convention, True), repeats)
    truth.drawn(rules.convention, True)
    read, runs = best(lambda: read_vot(data / "results/vot2018/NanoTrack", lengths).runs, repeats)
    score, found = best(lambda: score_vot(truth, runs, rules, suite="vot2018"), repeats)

    frames = lay_out(truth, runs, 0, rules)
    pairs = np.flatnonzero(np.isfinite(frames.overlap))
    whole, _ = best(lambda: lay_out(truth, runs, 0, rules), repeats)
    slow = _slow_raster(truth, runs, pairs[:: len(pairs) // SLOW_PAIRS])
    pieces = list(cut(frames.codes[:1500], frames.whole[:1500], "pysot"))
    weights = np.ones((1, len(pieces)))
    fast_curve, _ = best(lambda: expected_overlaps(pieces, weights, 1500), repeats)
    slow_curve, _ = best(lambda: plain_curve(pieces, weights[0], 1500), 1)

    print(f"load annotations {load_seconds:.3f} s, draw the truth {prepare:.3f} s, once a suite")
    print(f"read {read * 1e3:.1f} ms + A, R, EAO and tags {score * 1e3:.1f} ms a tracker")
    print(f"  = 1/{PYSOT_SECONDS_A_TRACKER / (read + score):.0f} of pysot-toolkit's stated time")
    print(f"overlap {whole / len(pairs) * 1e6:.2f} us a pair, both borders, truth drawn before")
    print(f"  = 1/{slow / (whole / len(pairs)):.0f} of masks in plain Python")
    print(f"  = 1/{PYSOT_US_A_PAIR / (whole / len(pairs) * 1e6):.0f} of region.c's stated 13.5 us")
    print(f"curve by cumulative sums = 1/{slow_curve / fast_curve:.0f} of the definition")
    for times in (1, 2, 4):
        seconds, _ = best(lambda: _several(truth, data, lengths, rules, times), 2)  # noqa: B023
        print(f"{times} x {len(TRACKERS)} trackers, read and scored: {seconds:.3f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB; A {found.accuracy:.3f} EAO {found.eao:.3f}")


def _slow_raster(truth, runs, pairs):
    """Seconds a pair of the pixel-by-pixel reading, on some of the pairs."""
    regions = np.concatenate([as_polygons(runs[name][0].regions) for name in truth.names])
    before = time.perf_counter()
    for pair in pairs:
        counts(truth.regions.points[pair], regions[pair], truth.sizes[pair], "region-c")
    return (time.perf_counter() - before) / len(pairs)


def _several(truth, data, lengths, rules, times):
    for _ in range(times):
        for tracker in TRACKERS:
            runs = read_vot(data / "results/vot2018" / tracker, lengths).runs
            score_vot(truth, runs, rules, suite="vot2018")


if __name__ == "__main__":
    main()
