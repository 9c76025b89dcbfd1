"""Lines of tegrastats: one real line of four generations, and constructed variations."""

import pytest

from vbench.core.errors import VBenchError
from vbench.cost.tegrastats import parse_tegrastats


@pytest.fixture
def lines(real_data):
    text = (real_data / "jetson/tegrastats.txt").read_text()
    found = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(found) == 4
    return found


def test_a_tx1_has_one_clock_for_all_cores_and_no_rails(lines):
    found = parse_tegrastats(lines[0])
    assert (found.ram_mb, found.ram_total_mb, found.swap_mb) == (3607, 3983, 873)
    assert found.cpu_percent == (17, 11, 65, 0)
    assert found.cpu_mhz == (1734,) * 4
    assert (found.gpu_percent, found.gpu_mhz, found.memory_mhz) == (39, 76, 1600)
    assert found.rails_mw == {}
    assert found.watts is None


def test_a_nanos_rails_have_no_unit_and_their_input_is_the_total(lines):
    found = parse_tegrastats(lines[1])
    assert found.rails_mw == {
        "POM_5V_IN": (2545, 2547),
        "POM_5V_GPU": (0, 0),
        "POM_5V_CPU": (549, 529),
    }
    assert found.watts == 2.545
    assert found.cpu_mhz == (1224,) * 4
    assert (found.celsius["GPU"], found.celsius["CPU"]) == (23.5, 25)
    assert (found.gpu_percent, found.gpu_mhz) == (0, None)


def test_an_agx_may_say_only_clocks(lines):
    found = parse_tegrastats(lines[2])
    assert len(found.cpu_percent) == 8
    assert (found.memory_mhz, found.gpu_mhz) == (2133, 1109)
    assert found.swap_mb is None
    assert found.celsius["tj"] == 41
    assert found.watts is None


def test_an_orin_nano_forgets_a_unit_and_turns_cores_off(lines):
    found = parse_tegrastats(lines[3])
    assert found.cpu_percent == (1, 0, 0, 0, None, None)
    assert found.cpu_mhz[3:] == (729, None, None)
    assert found.rails_mw["VDD_CPU_GPU_CV"] == (598, 598)
    assert found.rails_mw["VDD_SOC"] == (1238, 1237)
    assert found.watts == 3.913
    assert found.celsius["soc0"] == 60.625


def test_rails_add_up_where_none_is_the_input():
    """Constructed after NVIDIA's description of the AGX Xavier: six rails, no total."""
    line = (
        "RAM 1200/31920MB (lfb 7000x4MB) CPU [1%@1190,off] GR3D_FREQ 12%@[905,905] "
        "GPU 310/310 CPU 465/465 SOC 1242/1242 CV 0/0 VDDRQ 155/155 SYS5V 1403/1403"
    )
    found = parse_tegrastats(line)
    assert found.watts == pytest.approx((310 + 465 + 1242 + 155 + 1403) / 1000)
    assert (found.gpu_percent, found.gpu_mhz) == (12, 905)


@pytest.mark.parametrize("line", ["", "hello", "# Nano, L4T 32", "RAM 12MB"])
def test_another_line_is_named(line):
    with pytest.raises(VBenchError, match="is no line of tegrastats"):
        parse_tegrastats(line)
