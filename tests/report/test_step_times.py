import numpy as np
import pytest

from tests.report.test_html import noise
from vbench.core.errors import VBenchError
from vbench.report.step_times import step_times


def test_every_tracked_frame_has_its_time_and_the_start_none() -> None:
    trace = noise(np.random.default_rng(0), 20)
    (axes,) = step_times({"kcf": trace}, "clip").axes
    (line,) = axes.lines
    drawn = line.get_ydata()
    assert np.isnan(drawn[0])
    assert drawn[1:] == pytest.approx(trace.seconds[1:] * 1e3)


def test_untimed_runs_say_so() -> None:
    with pytest.raises(VBenchError, match="--no-timing"):
        step_times({}, "clip")
