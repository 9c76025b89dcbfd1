"""Fixtures that every room's tests share."""

import os
import sys
from collections.abc import Iterator
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


@pytest.fixture(autouse=True)
def settings_of_nobody_else(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A catalogue without entries of other tests' settings; their modules may share a name."""
    from vbench import catalogue

    clear, paths = catalogue.table.cache_clear, list(sys.path)
    for own in catalogue._own.values():
        own.clear()
    clear()
    yield
    clear()
    sys.path[:] = paths
    folder = str(tmp_path_factory.getbasetemp())
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(folder):
            del sys.modules[name]
