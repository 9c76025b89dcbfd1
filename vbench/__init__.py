"""Speed/accuracy trade-offs of visual trackers and video object detectors."""

from pathlib import Path

__version__ = "0.1.0"

# In a wheel the catalogue folders (trackers/, detectors/, suites/) lie inside this package; in a
# checkout they stand beside it. Either way their import name is vbench.<folder>.
_here = Path(__file__).resolve().parent
if not (_here / "trackers").is_dir():
    __path__.append(str(_here.parent))
