"""Time of scoring 100 sequences x 30 trackers from text files, import included, at 1x, 2x and 4x.

Beside it the same scores from numpy as one would write them at first (loadtxt, one clip at a
time), and got10k's own report loop without its plots, all in this run.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from vbench.suites.otb import RANGES

FRAMES, TRACKERS = 59_040, 30


def write_world(root: Path, trackers: int, form: str) -> None:
    """Write OTB-2015 annotations of the real lengths in total, and results near them."""
    import vbench.suites as suites
    from vbench.core.suite import read_card

    rng = np.random.default_rng(0)
    names = read_card(Path(suites.__file__).with_name("otb2015.toml")).rules["sequences"]
    lengths = _lengths(rng, names)
    for name, length in zip(names, lengths, strict=True):
        truth = np.concatenate(
            [rng.integers(50, 400, (length, 2)), rng.integers(20, 120, (length, 2))], axis=1
        )
        _write(root / "anno" / f"{name}.txt", truth, "%d")
        for tracker in range(trackers):
            result = truth + rng.normal(0, 2 + tracker / 3, truth.shape)
            result[0] = truth[0]
            result[:, 2:] = np.maximum(result[:, 2:], 1)
            _write(root / "results" / f"t{tracker:03d}" / f"{name}.txt", result, form)


def _lengths(rng: np.random.Generator, names: list[str]) -> list[int]:
    """Lengths of the sequences: those with a fixed range keep it, FRAMES in all."""
    fixed = {name: last - first + 1 for name, (first, last) in RANGES.items()}
    free = [name for name in names if name.lower() not in fixed]
    rest = FRAMES - sum(length for name, length in fixed.items())
    shares = rng.uniform(0.3, 1.7, len(free))
    chosen = np.floor(shares / shares.sum() * rest).astype(int)
    chosen[0] += rest - chosen.sum()
    found = dict(zip(free, chosen.tolist(), strict=True))
    return [fixed.get(name.lower(), 0) or found[name] for name in names]


def _write(path: Path, boxes: np.ndarray, form: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, boxes, fmt=form, delimiter=",")


def command(root: Path, results: str = "results") -> tuple[float, float, float]:
    """Seconds and megabytes of `vbench score --json` as a process of its own; its mean success."""
    line = f"import sys; from vbench.cli.app import main; main({_arguments(root, results)!r})"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, check=False)
    seconds = time.perf_counter() - started
    scores = [r["metrics"]["success_auc"] for r in json.loads(done.stdout)["results"]]
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return seconds, memory, statistics.fmean(scores)


def _arguments(root: Path, results: str) -> list[str]:
    annotations = ["--annotations", str(root / "anno")]
    return ["score", str(root / results), "--suite", "otb2015", "--json", *annotations]


def straight(root: Path) -> tuple[float, float]:
    """The same in plain numpy: loadtxt a file, one clip at a time."""
    started = time.perf_counter()
    thresholds = np.linspace(0, 1, 21)
    truths = {p.stem: np.loadtxt(p, delimiter=",") for p in sorted((root / "anno").glob("*.txt"))}
    scores = []
    for folder in sorted((root / "results").iterdir()):
        success = []
        for name, truth in truths.items():
            boxes = np.loadtxt(folder / f"{name}.txt", delimiter=",")
            low = np.maximum(boxes[:, :2], truth[:, :2])
            high = np.minimum(boxes[:, :2] + boxes[:, 2:], truth[:, :2] + truth[:, 2:])
            both = np.prod(np.maximum(high - low, 0), axis=1)
            either = np.prod(boxes[:, 2:], axis=1) + np.prod(truth[:, 2:], axis=1) - both
            centre = boxes[:, :2] + boxes[:, 2:] / 2 - truth[:, :2] - truth[:, 2:] / 2
            error = np.hypot(*centre.T)
            success.append((both / either)[:, None] > thresholds)
            np.mean(error[:, None] <= np.arange(51), axis=0)
        scores.append(np.mean([hits.mean() for hits in success]))
    return time.perf_counter() - started, float(np.mean(scores))


def got10k(root: Path) -> float | None:
    """The loop of got10k's report (experiments/otb.py), without plots and JSON."""
    try:
        from got10k.experiments.otb import ExperimentOTB
    except ImportError:
        return None
    report = object.__new__(ExperimentOTB)
    report.nbins_iou, report.nbins_ce = 21, 51
    started = time.perf_counter()
    truths = {p.stem: np.loadtxt(p, delimiter=",") for p in sorted((root / "anno").glob("*.txt"))}
    for folder in sorted((root / "results").iterdir()):
        for name, truth in truths.items():
            boxes = np.loadtxt(folder / f"{name}.txt", delimiter=",")
            boxes[0] = truth[0]
            report._calc_curves(*report._calc_metrics(boxes, truth))
    return time.perf_counter() - started


def main() -> None:
    """Print seconds, ratios and growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", default="%.3f", help="printf format of the result files")
    parser.add_argument("--again", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_world(root, TRACKERS, options.format)
        folders = sorted((root / "results").iterdir())
        base = 0.0
        for times in (1, 2, 4):
            part = root / f"results{times}x"
            part.mkdir()
            for at in range(times * TRACKERS):
                (part / f"tracker{at:03d}").symlink_to(folders[at % TRACKERS])
            runs = [command(root, part.name) for _ in range(options.again)]
            seconds = statistics.median(run[0] for run in runs)
            base = base or seconds
            print(
                f"vbench score, {times * TRACKERS} trackers: {seconds:.3f} s "
                f"[{min(r[0] for r in runs):.3f}-{max(r[0] for r in runs):.3f}], "
                f"{seconds / base:.2f}x, {runs[-1][1]:.0f} MB"
            )
            if times == 1:
                plain, success = straight(root)
                assert abs(success - runs[0][2]) < 1e-9
                print(f"plain numpy, loadtxt: {plain:.2f} s, {plain / seconds:.1f}x of vbench")
                theirs = got10k(root)
                if theirs is not None:
                    print(
                        f"got10k's report loop: {theirs:.2f} s, {theirs / seconds:.1f}x of vbench"
                    )


if __name__ == "__main__":
    main()
