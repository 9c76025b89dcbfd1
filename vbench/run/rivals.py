"""Two versions of vbench timed in turn, so that what the machine does meanwhile hits both alike."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vbench.core.boxes import Floats
from vbench.core.errors import VBenchError
from vbench.store.run_folder import Manifest, RunFolder

OWN = (sys.executable, "-m", "vbench")
TIMEOUT_SECONDS = 1800


def ratios(
    manifest: Manifest,
    command: str,
    *,
    repeats: int = 5,
    clips: int = 2,
    options: Sequence[str] = (),
    told: Callable[[str], None] = lambda line: None,
) -> dict[str, Floats]:
    """Median step time now / then of every method of a run, one ratio a repeat (repeats,).

    `command` starts the other version (`../old/.venv/bin/vbench`). Both run the first `clips` clips
    of the run's suite, in turn; who goes first alternates.

    Raises:
        VBenchError: the command does not run, or fails.
    """
    rival = tuple(shlex.split(command))
    if not rival:
        raise VBenchError("--against-command: name what starts the other vbench")
    names = list(manifest.clips)[:clips]
    found: dict[str, list[float]] = {name: [] for name in manifest.methods}
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(repeats):
            sides = {"now": OWN, "then": rival}
            medians = {}
            for side in sorted(sides, reverse=bool(repeat % 2)):
                out = Path(folder) / f"{side}{repeat}"
                _run(sides[side], manifest, names, out, options)
                medians[side] = _medians(RunFolder(out))
            for name in found:
                found[name].append(medians["now"][name] / medians["then"][name])
            told(f"repeat {repeat + 1}/{repeats}")
    return {name: np.array(values) for name, values in found.items()}


def _run(
    program: Sequence[str],
    manifest: Manifest,
    clips: Sequence[str],
    out: Path,
    options: Sequence[str],
) -> None:
    arguments = ["run", "--suite", manifest.suite, "--methods", ",".join(manifest.methods)]
    arguments += ["--clips", ",".join(clips), "--out", str(out), "--quiet", *options]
    try:
        done = subprocess.run(
            [*program, *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VBenchError(f"--against-command: {program[0]} does not run: {error}") from None
    if done.returncode == 0 and not RunFolder(out).manifest_path.is_file():
        raise VBenchError(
            f"--against-command: {program[0]} is no vbench: `{program[0]} run` left no run; name "
            "another installation's, such as old/bin/vbench"
        )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise VBenchError(f"--against-command: {program[0]} failed: {last}")


def _medians(folder: RunFolder) -> dict[str, float]:
    manifest = folder.read()
    found = {}
    for name, record in manifest.methods.items():
        traces = [folder.trace(record, clip) for clip in manifest.clips]
        seconds = [t.seconds[t.tracked] for t in traces if t is not None]
        found[name] = float(np.median(np.concatenate(seconds)))
    return found
