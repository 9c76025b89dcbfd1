"""Fixtures of the command line's tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def alone(monkeypatch, tmp_path) -> Path:
    """Work in an empty folder, without settings, environment or cache of the user."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("VBENCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder
