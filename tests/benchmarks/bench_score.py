"""Time of scoring 100 sequences x 30 trackers from text files, import included, at 1x, 2x and 4x.

`--python` names the interpreter of another installation: an editable one takes some 20 ms more to
start than what `pip install .` gives. Beside it, in this run: got10k's own report with its plots,
and the same scores from numpy as one would write them at first (loadtxt, one clip at a time). CPU
seconds say what a busy machine hides.
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
# Images that lie before the first frame of David.
IMAGES = {"David": 770}


def write_world(root: Path, trackers: int, form: str) -> None:
    """Write OTB-2015 twice, in the official layout (empty images) and as annotations; results."""
    import vbench.suites as suites
    from vbench.core.suite import read_card

    rng = np.random.default_rng(0)
    names: list[str] = read_card(Path(suites.__file__).with_name("otb2015.toml")).rules["sequences"]
    lengths = dict(zip(names, _lengths(rng, names), strict=True))
    lengths |= {f"{video}-2": lengths[f"{video}-1"] for video in ("Jogging", "Skating2")}
    for name, length in lengths.items():
        truth = np.concatenate(
            [rng.integers(50, 400, (length, 2)), rng.integers(20, 120, (length, 2))], axis=1
        )
        video, _, target = name.partition("-")
        suffix = f".{target}" if target else ""
        _write(root / "anno" / f"{name}.txt", truth, "%d")
        _write(root / "OTB" / video / f"groundtruth_rect{suffix}.txt", truth, "%d")
        _images(root / "OTB" / video / "img", IMAGES.get(name, 0) or length)
        for tracker in range(trackers):
            result = truth + rng.normal(0, 2 + tracker / 3, truth.shape)
            result[0] = truth[0]
            result[:, 2:] = np.maximum(result[:, 2:], 1)
            own = video if name == "Human4-2" else video + suffix
            _write(root / "results/OTB2015" / f"tracker{tracker:03d}" / f"{own}.txt", result, form)


def _images(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(1, count + 1):
        (folder / f"{number:04d}.jpg").touch()


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


def command(
    root: Path, results: Path, python: str = sys.executable
) -> tuple[float, float, float, float]:
    """Seconds, CPU seconds and MB of `vbench score --json` as a process, and its mean success."""
    arguments = ["score", str(results), "--suite", "otb2015", "--json"]
    arguments += ["--annotations", str(root / "anno")]
    line = f"from vbench.cli.app import main; main({arguments!r})"
    before, started = _children_cpu(), time.perf_counter()
    # Elsewhere, so that no checkout stands in front of what is installed.
    done = subprocess.run([python, "-c", line], capture_output=True, check=True, cwd=root)
    seconds = time.perf_counter() - started
    cpu = _children_cpu() - before
    memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    scores = [r["metrics"]["success_auc"] for r in json.loads(done.stdout)["results"]]
    return seconds, cpu, memory_mb, statistics.fmean(scores)


def straight(root: Path) -> tuple[float, float]:
    """The same in plain numpy: loadtxt a file, one clip at a time."""
    started = time.perf_counter()
    thresholds = np.linspace(0, 1, 21)
    truths = {p.stem: np.loadtxt(p, delimiter=",") for p in sorted((root / "anno").glob("*.txt"))}
    scores = []
    for folder in sorted((root / "results/OTB2015").iterdir()):
        success = []
        for name, truth in truths.items():
            own = "Human4" if name == "Human4-2" else name.replace("-", ".")
            boxes = np.loadtxt(folder / f"{own}.txt", delimiter=",")
            low = np.maximum(boxes[:, :2], truth[:, :2])
            high = np.minimum(boxes[:, :2] + boxes[:, 2:], truth[:, :2] + truth[:, 2:])
            both = np.prod(np.maximum(high - low, 0), axis=1)
            either = np.prod(boxes[:, 2:], axis=1) + np.prod(truth[:, 2:], axis=1) - both
            centre = boxes[:, :2] + boxes[:, 2:] / 2 - truth[:, :2] - truth[:, 2:] / 2
            error = np.hypot(*centre.T)
            success.append(np.mean((both / either)[:, None] > thresholds))
            np.mean(error[:, None] <= np.arange(51), axis=0)
        scores.append(np.mean(success))
    return time.perf_counter() - started, float(np.mean(scores))


def got10k(root: Path) -> tuple[float, float, float] | None:
    """Seconds, CPU seconds and mean success of got10k's report of all trackers."""
    code = f"""
import matplotlib; matplotlib.use("Agg")
from got10k.experiments import ExperimentOTB
root = {str(root)!r}
trackers = ["tracker%03d" % at for at in range({TRACKERS})]
experiment = ExperimentOTB(root + "/OTB", 2015, root + "/results", root + "/reports")
found = experiment.report(trackers)
print(sum(found[name]["overall"]["success_score"] for name in trackers) / {TRACKERS})
"""
    before, started = _children_cpu(), time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        print("got10k's report does not run here:", done.stderr.decode().strip().splitlines()[-1])
        return None
    return seconds, _children_cpu() - before, float(done.stdout.split()[-1])


def _children_cpu() -> float:
    """CPU seconds of all processes started and ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print seconds, ratios and growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", default="%.3f", help="printf format of the result files")
    parser.add_argument("--again", type=int, default=5)
    parser.add_argument("--python", default=sys.executable, help="interpreter that has vbench")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_world(root, TRACKERS, options.format)
        runs = [
            command(root, root / "results/OTB2015", options.python) for _ in range(options.again)
        ]
        base = _said(TRACKERS, runs, 0.0)
        plain, success = straight(root)
        assert abs(success - runs[0][3]) < 1e-9
        print(f"plain numpy, loadtxt: {plain:.2f} s, {plain / base:.1f}x of vbench")
        theirs = got10k(root)
        if theirs is not None:
            assert abs(theirs[2] - success) < 1e-9
            ratios = theirs[0] / base, theirs[1] / min(run[1] for run in runs)
            print(
                f"got10k's report: {theirs[0]:.2f} s, {ratios[0]:.1f}x of vbench, "
                f"{theirs[1]:.2f} s CPU, {ratios[1]:.1f}x"
            )
        folders = sorted((root / "results/OTB2015").iterdir())
        for times in (2, 4):
            part = root / f"results{times}x"
            part.mkdir()
            for at in range(times * TRACKERS):
                (part / f"tracker{at:03d}").symlink_to(folders[at % TRACKERS])
            _said(
                times * TRACKERS,
                [command(root, part, options.python) for _ in range(options.again)],
                base,
            )


def _said(trackers: int, runs: list[tuple[float, float, float, float]], base: float) -> float:
    """Print the median of some runs, and how it compares with the first ones."""
    seconds = statistics.median(run[0] for run in runs)
    low, high = min(run[0] for run in runs), max(run[0] for run in runs)
    cpu, memory = min(run[1] for run in runs), max(run[2] for run in runs)
    print(
        f"vbench score, {trackers} trackers: {seconds:.3f} s [{low:.3f}-{high:.3f}], "
        f"{cpu:.3f} s CPU, {seconds / (base or seconds):.2f}x, {memory:.0f} MB"
    )
    return seconds


if __name__ == "__main__":
    main()
