"""Detectors, video detectors and post-processing by name. To add one: its file, then its line."""

from vbench.core.entry import Entry

DETECTORS: dict[str, Entry] = {}

POSTS: dict[str, Entry] = {}
