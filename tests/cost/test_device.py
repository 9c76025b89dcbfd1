"""The device block, on trees constructed after the kernel's documentation."""

import json
import os
import socket
from pathlib import Path

from vbench.cost.device import device_block, device_key, differences
from vbench.cost.gpu import throttle_names
from vbench.cost.jetson import jetson_block, power_mode


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


# Constructed, not recorded: layout of proc(5) and the kernel's cpufreq documentation.
LAPTOP = {
    "proc/cpuinfo": (
        "processor\t: 0\nmodel name\t: Example CPU @ 2.0GHz\ncpu MHz\t\t: 1999.5\n\n"
        "processor\t: 1\nmodel name\t: Example CPU @ 2.0GHz\ncpu MHz\t\t: 800.0\n"
    ),
    "proc/meminfo": "MemTotal:        8192000 kB\nMemFree: 12 kB\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3400000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1200000\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1\n",
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
}
NANO = {
    "proc/cpuinfo": "processor\t: 0\nprocessor\t: 1\nprocessor\t: 2\nprocessor\t: 3\n",
    "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
    "etc/nv_tegra_release": (
        "# R32 (release), REVISION: 4.3, GCID: 21589087, BOARD: t210ref, EABI: aarch64\n"
    ),
}


def test_a_cpu_is_described_by_what_decides_its_speed(tmp_path):
    block = device_block("cpu", threads=1, root=tree(tmp_path, LAPTOP))
    cpu = block["cpu"]
    assert (cpu["model"], cpu["cores"], cpu["governor"]) == ("Example CPU @ 2.0GHz", 2, "powersave")
    assert (cpu["max_mhz"], cpu["turbo"], cpu["quota"]) == (3400, False, 1.5)
    assert (block["memory_mb"], block["threads"], block["gpu"]) == (8000, 1, None)
    assert block["observed"]["cpu_mhz"] == 1200
    assert block["name"] == "Example CPU @ 2.0GHz, 2 cores"


def test_a_jetson_is_known_by_its_board(tmp_path):
    block, _ = jetson_block(tree(tmp_path, NANO))
    assert block == {
        "model": "NVIDIA Jetson Nano Developer Kit",
        "l4t": "32.4.3",
        "power_mode": None,
    }
    assert device_block("cpu", root=tmp_path)["name"] == "NVIDIA Jetson Nano Developer Kit"
    assert power_mode("NV Power Mode: MAXN\n0\n") == "MAXN"


def test_a_tree_without_anything_still_gives_a_block(tmp_path):
    block = device_block("cpu", root=tmp_path)
    assert block["jetson"] is None
    assert block["cpu"]["governor"] is None


def test_this_machines_block_is_json_without_names_or_paths(monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "/opt/secret/libjemalloc.so")
    text = json.dumps(device_block("cpu", threads=1))
    assert socket.gethostname() not in text
    assert "libjemalloc.so" in text
    assert "/opt" not in text
    assert str(Path.home()) not in text


def test_blocks_differ_by_settings_and_not_by_what_drifts(tmp_path):
    first = device_block("cpu", threads=1, root=tree(tmp_path, LAPTOP))
    again = first | {"observed": {"cpu_mhz": 800}}
    other = first | {"threads": 2, "cpu": first["cpu"] | {"governor": "performance"}}
    assert device_key(first) == device_key(again)
    assert device_key(first) != device_key(other)
    assert differences(first, again) == []
    assert differences(first, other) == [
        "cpu.governor: 'powersave' / 'performance'",
        "threads: 1 / 2",
    ]


def test_throttle_reasons_have_names():
    assert throttle_names(0x1) == []
    assert throttle_names(0x4 | 0x40) == ["power cap", "hardware thermal"]


def test_the_usable_cores_are_those_of_this_process():
    assert device_block("cpu")["cpu"]["usable"] == len(os.sched_getaffinity(0))
