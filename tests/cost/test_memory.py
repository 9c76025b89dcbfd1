"""Peaks of memory."""

import subprocess
import sys

from torch import nn

from vbench.cost.memory import weights_mb

GROW = """
from vbench.cost.memory import peak_memory_mb
before = peak_memory_mb("cpu")
block = b"x" * ((int(before) + 128) << 20)
print(before, peak_memory_mb("cpu"))
"""


def test_the_peak_rises_with_what_is_touched():
    asked = [sys.executable, "-c", GROW]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    before, after = map(float, answer.split())
    assert after - before > 100


def test_weights_are_parameters_and_buffers_as_they_are_held():
    norm = nn.BatchNorm2d(8)  # weight, bias, mean, variance: 32 floats; one int64
    assert weights_mb(norm) == (32 * 4 + 8) / 2**20
    assert weights_mb(nn.Linear(4, 2, bias=False).half()) == 16 / 2**20
