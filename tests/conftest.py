"""Fixtures that every room's tests share."""

import os
from pathlib import Path

import pytest

# Before torch is imported: threads that wait for each other on busy cores take 50 times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of published ground truth, results, sequences and weights."""
    folder = os.environ.get("VBENCH_TEST_DATA")
    if not folder:
        pytest.skip("VBENCH_TEST_DATA is not set: no real material to verify against")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"VBENCH_TEST_DATA={folder} is not a folder")
    return path
