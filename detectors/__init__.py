"""Detectors, video detectors and post-processing by name. To add one: its file, then its line."""

from vbench.core.entry import Entry

DETECTORS: dict[str, Entry] = {
    "blobs": Entry("blobs:Blobs", "vivid blobs of the five classes of synth-vid, no weights"),
}

POSTS: dict[str, Entry] = {}
