"""Draw docs/video-tradeoff.svg and docs/video-tradeoff-ms.svg anew, on a machine with nothing else.

Wants VBENCH_TEST_DATA. `python tests/benchmarks/plot_video_tradeoff.py [FOLDER]`; a folder that is
there already goes on where it stopped.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from vbench.cli.app import invoke

DOCS = Path(__file__).parents[2] / "docs"
INTERVALS = "1,2,3,4,5,7,10,15,20,30"
PROPAGATORS = ("patchnet", "kcf", "dummy", "full-template")
# R-FCN as stated: MACs by Mao et al., PatchNet, Table 1; 10.1 frames a second on a GPU by Jiang
# et al., LSTS, 2020. The others run here.
SETTINGS = """
weights = ["{data}/weights"]
[data]
imagenet-vid = "{data}/sequences/imagenet_vid_val"
[annotations]
imagenet-vid = "{data}/annotations/imagenet_vid"
[catalogue.detectors.rfcn-vid]
target = "vbench.detectors.stored:Stored"
preset = {{argument = "{data}/results/imagenet_vid_rfcn", gmac = 169.0, ms = 99.0}}
"""


def methods() -> str:
    """Three detectors with four propagators; behind the small ones these carry sure objects."""
    large = [f"rfcn-vid+{name}" for name in PROPAGATORS]
    small = [f"{d}+{name}[still=0.3]" for d in ("nanodet", "fastestdet") for name in PROPAGATORS]
    return ",".join([*large, *small])


def main() -> None:
    """Run the sweep and take its figures over."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "results/video").resolve()
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "vbench.toml"
        settings.write_text(SETTINGS.format(data=os.environ["VBENCH_TEST_DATA"]))
        os.chdir(folder)
        asked = ["sweep", "keyframe-interval", "--suite", "imagenet-vid", "--methods", methods()]
        code = invoke([*asked, "--intervals", INTERVALS, "--out", str(out), "--plot"])
    if code:
        sys.exit(code)
    for cost, ending in (("gmac_per_frame", ""), ("ms_mean", "-ms")):
        shutil.copy(out / f"plots/sweep-{cost}.svg", DOCS / f"video-tradeoff{ending}.svg")


if __name__ == "__main__":
    main()
