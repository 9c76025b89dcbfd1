"""Detectors, video detectors and post-processing by name. To add one: its file, then its line."""

from vbench.core.entry import Entry

DETECTORS: dict[str, Entry] = {
    "blobs": Entry("blobs:Blobs", "vivid blobs of the five classes of synth-vid, no weights"),
    "rfcn": Entry(
        "rfcn:Rfcn",
        "R-FCN, ResNet-101 at stride 16: position-sensitive votes, frame by frame",
        "Dai et al., NIPS 2016",
        weights="rfcn",
    ),
}

POSTS: dict[str, Entry] = {}
