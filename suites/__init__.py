"""Suites by name: a loader and the TOML card that lies beside it under the same name.

A loader is `load(card, data, annotations, **parameters) -> Suite`. To add a suite: its card, its
line here, and a loader if no family fits.
"""

from vbench.core.entry import Entry

OTB = "Wu, Lim & Yang, Object Tracking Benchmark, PAMI 2015"
VOT = "Kristan et al., The Visual Object Tracking VOT{} challenge results"

SUITES: dict[str, Entry] = {
    "synth-sot": Entry(
        "synth_sot:load",
        "27 rendered clips with exact boxes, embedded; `:train` is a split kept for training",
        takes="train",
        optional=True,
    ),
    "synth-vid": Entry(
        "synth_vid:load",
        "12 rendered clips, five classes with tracks, embedded; `:train` is kept for training",
        takes="train",
        optional=True,
    ),
    "otb2015": Entry("otb:load", "OTB-2015 (OTB-100), 100 targets", OTB),
    "otb2013": Entry("otb:load", "OTB-2013, 51 targets in 50 videos", OTB),
    "tb50": Entry("otb:load", "the 50 difficult targets of OTB-2015 (not OTB-2013)", OTB),
    **{
        f"vot{year}": Entry("vot:load", f"VOT{year} short-term challenge", VOT.format(year))
        for year in range(2013, 2020)
    },
    "files": Entry(
        "files:load", "your own images or videos with a box file beside each", takes="PATH"
    ),
}
