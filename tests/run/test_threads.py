"""Time of the process beside that of its main thread tells whether others helped."""

import subprocess
import sys

import pytest

from vbench.run.threads import cores

# The share of 20 matrix products that other threads did, after so many threads were set (0: none).
SHARES = """
import sys, time
import numpy as np
from vbench.run.threads import set_threads
matrix = np.ones((1000, 1000), np.float32)
for threads in map(int, sys.argv[1:]):
    if threads:
        set_threads(threads)
    matrix @ matrix
    thread, process = time.thread_time(), time.process_time()
    for _ in range(20):
        matrix @ matrix
    print(1 - (time.thread_time() - thread) / (time.process_time() - process))
"""


@pytest.mark.skipif(cores() < 2, reason="has one core")
def test_numpy_multiplies_matrices_in_one_thread_however_many_networks_take(monkeypatch) -> None:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    command = [sys.executable, "-c", SHARES, "0", "1", "2"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    unset, one, two = map(float, found)
    assert max(one, two) < 0.25 < unset
