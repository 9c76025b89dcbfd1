"""Suites by name: a loader and the TOML card that lies beside it under the same name.

A loader is `load(card, data, annotations, **parameters) -> Suite`. To add a suite: its card, its
line here, and a loader if no family fits.
"""

from vbench.core.entry import Entry

SUITES: dict[str, Entry] = {}
