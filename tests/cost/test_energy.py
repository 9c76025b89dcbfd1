"""Meters on trees constructed after the kernel's and NVIDIA's documentation, never recorded."""

import os
from pathlib import Path

import numpy as np
import pytest

from vbench.core.errors import NotReady
from vbench.cost.energy import Energy, EnergyWatch, PowerMeter, find_meters, rapl_meter
from vbench.cost.load import LoadWatch
from vbench.cost.rails import module_watts, rails_watts
from vbench.cost.stopwatch import FakeClock


def tree(root: Path, files: dict[str, object]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


ZONE = "sys/class/powercap/intel-rapl:0"
RAPL = {
    f"{ZONE}/name": "package-0",
    f"{ZONE}/energy_uj": 900_000_000,
    f"{ZONE}/max_energy_range_uj": 1_000_000_000,
    "sys/class/powercap/intel-rapl:0:0/name": "core",
    "sys/class/powercap/intel-rapl:0:0/energy_uj": 5,
}
NANO = "sys/bus/i2c/devices/6-0040"
NANO_RAILS = {
    f"{NANO}/name": "ina3221x",
    f"{NANO}/iio:device0/rail_name_0": "POM_5V_IN",
    f"{NANO}/iio:device0/in_power0_input": 2545,
    f"{NANO}/iio:device0/rail_name_1": "POM_5V_GPU",
    f"{NANO}/iio:device0/in_power1_input": 40,
    f"{NANO}/iio:device0/rail_name_2": "POM_5V_CPU",
    f"{NANO}/iio:device0/in_power2_input": 549,
}
ORIN = "sys/bus/i2c/devices/1-0040"
ORIN_RAILS = {
    f"{ORIN}/name": "ina3221",
    f"{ORIN}/hwmon/hwmon3/in1_label": "VDD_IN",
    f"{ORIN}/hwmon/hwmon3/in1_input": 5000,
    f"{ORIN}/hwmon/hwmon3/curr1_input": 800,
    f"{ORIN}/hwmon/hwmon3/in2_label": "NC",
    f"{ORIN}/hwmon/hwmon3/in2_input": 5000,
    f"{ORIN}/hwmon/hwmon3/curr2_input": 9,
    f"{ORIN}/hwmon/hwmon3/in7_label": "Sum of shunt voltages",
    "sys/bus/i2c/devices/1-0050/name": "24c02",
}


def test_a_counter_that_wraps_goes_on(tmp_path):
    meter = rapl_meter(tree(tmp_path, RAPL))
    assert meter is not None and len(meter.zones) == 1
    watch = EnergyWatch(meter, now=FakeClock(2.0).now)
    with watch:
        tree(tmp_path, {f"{ZONE}/energy_uj": 950_000_000})
        meter.joules()
        tree(tmp_path, {f"{ZONE}/energy_uj": 20_000_000})
    assert watch.energy is not None
    assert watch.energy.joules == pytest.approx(50 + 70)
    assert watch.energy.watts == pytest.approx(60)


def test_idling_is_subtracted_once_it_was_measured(tmp_path):
    tree(tmp_path, RAPL)
    meter = rapl_meter(tmp_path)
    assert meter is not None
    watch = EnergyWatch(meter, now=FakeClock(10.0).now)
    assert np.isnan(Energy("m", "s", 5, 1).net_joules)

    def idle(seconds):
        tree(tmp_path, {f"{ZONE}/energy_uj": 930_000_000})

    watch.measure_idle(sleep=idle)
    assert watch.idle_watts == pytest.approx(3)
    with watch:
        tree(tmp_path, {f"{ZONE}/energy_uj": 990_000_000})
    assert watch.energy is not None
    assert watch.energy.net_joules == pytest.approx(60 - 3 * 10)


def test_a_refused_counter_is_one_line_and_the_rest_goes_on(tmp_path, monkeypatch):
    tree(tmp_path, RAPL | NANO_RAILS)
    read = Path.read_text

    def refused(self, *args, **kwargs):
        if self.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(NotReady, match="root only"):
        rapl_meter(tmp_path)
    meters, problems = find_meters("cpu", tmp_path)
    assert [meter.name for meter in meters] == ["jetson rails"]
    assert len(problems) == 1 and "\n" not in problems[0]


def test_no_meter_is_said_and_nothing_is_guessed(tmp_path):
    meters, problems = find_meters("cpu", tmp_path)
    assert meters == []
    assert problems == ["this machine has no energy meter that can be read (RAPL, NVML, rails)"]


def test_rails_of_both_generations(tmp_path):
    assert rails_watts(tree(tmp_path / "nano", NANO_RAILS)) == {
        "POM_5V_IN": 2.545,
        "POM_5V_GPU": 0.04,
        "POM_5V_CPU": 0.549,
    }
    assert rails_watts(tree(tmp_path / "orin", ORIN_RAILS)) == {"VDD_IN": 4.0}
    nano, none = module_watts(tmp_path / "nano"), module_watts(tmp_path / "elsewhere")
    assert nano is not None and nano() == 2.545
    assert none is None


def test_power_is_added_up_by_the_trapezium_rule():
    watts = iter([2.0, 4.0, 4.0, 0.0])
    meter = PowerMeter(lambda: next(watts), "rails", "module", now=FakeClock(1.0, 1.0, 2.0).now)
    assert meter.joules() == 0
    assert meter.joules() == 3
    assert meter.joules() == 3 + 4
    assert meter.joules() == 3 + 4 + 4


def test_power_is_read_in_the_background_while_work_runs():
    seen: list[int] = []
    clock = FakeClock(0.5)

    def watts():
        seen.append(1)
        return 6.0

    meter = PowerMeter(watts, "rails", "module", interval_seconds=0.001, now=clock.now)
    watch = EnergyWatch(meter, now=lambda: clock.seconds)
    with watch:
        while len(seen) < 5:
            pass
    assert watch.energy is not None
    assert watch.energy.watts == pytest.approx(6)
    assert len(seen) >= 5


def stat(busy_seconds: float, idle_seconds: float) -> str:
    ticks = os.sysconf("SC_CLK_TCK")
    whole = f"{int(busy_seconds * ticks)} 0 0 {int(idle_seconds * ticks)} 7 0 0 0 0 0"
    return f"cpu  {whole}\ncpu0 {whole}\ncpu1 {whole}\nintr 1"


@pytest.mark.parametrize(("others", "note"), [(0.05, ""), (0.8, "used 0.8 of 2 cores")])
def test_other_programs_load_is_told_from_ones_own(tmp_path, others, note):
    tree(tmp_path, {"proc/stat": stat(100, 100)})
    own = iter([5.0, 15.0])
    watch = LoadWatch(tmp_path, now=FakeClock(10.0).now, own_seconds=lambda: next(own))
    tree(tmp_path, {"proc/stat": stat(100 + 10 * (1 + others), 100)})
    load = watch.stop()
    assert load.own_cores == pytest.approx(1)
    assert load.foreign_cores == pytest.approx(others, abs=0.01)
    assert note in load.note() and bool(load.note()) == bool(note)


@pytest.mark.parametrize(("ticks", "busy"), [(0, False), (6, False), (7, True)])
def test_a_few_ticks_in_a_short_time_are_nobodys(tmp_path, ticks, busy) -> None:
    """Three of each core at most: what charges them is sampled."""
    tick = 1 / os.sysconf("SC_CLK_TCK")
    tree(tmp_path, {"proc/stat": stat(100, 100)})
    own = iter([5.0, 5.0])
    watch = LoadWatch(tmp_path, now=FakeClock(0.04).now, own_seconds=lambda: next(own))
    tree(tmp_path, {"proc/stat": stat(100 + (ticks + 0.5) * tick, 100)})
    assert watch.stop().is_busy == busy


def test_a_system_that_does_not_tell_is_not_called_busy(tmp_path):
    load = LoadWatch(tmp_path).stop()
    assert np.isnan(load.foreign_cores)
    assert not load.is_busy
