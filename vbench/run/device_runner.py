"""Times the networks of a vbench bundle on the device it is copied to, and writes a profile.

    python3 run_profile.py                     # the GPU if there is one
    python3 run_profile.py --half --seconds 3
    vbench profile --import profile.json       # back where vbench runs

Needs Python 3.6 and torch 1.4 or newer, or onnxruntime for networks that are ONNX files.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from vbench.run.device_operators import Program, place

SCHEMA = 1
FOLDER = Path(__file__).resolve().parent
DEVICES = Path("/sys/bus/i2c/devices")
# Bytes are read as these; a truth value is a byte.
STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "uint8": "ByteStorage",
    "bool": "ByteStorage",
}
# Rails that carry the whole module; elsewhere the rails add up.
TOTALS = ("POM_5V_IN", "VDD_IN")


def read(path: Path) -> Any:
    """Return a system file's text, or None."""
    try:
        return path.read_text().strip(" \n\0")
    except (OSError, UnicodeDecodeError):
        return None


def asked(*command: str) -> Any:
    """Return what a command prints, or None."""
    try:
        return subprocess.check_output(command, stderr=subprocess.DEVNULL).decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def module_watts() -> Any:
    """Return the power of a Jetson module in W by its INA3221 monitors, or None."""
    rails = {}
    for label in DEVICES.glob("*/iio:device*/rail_name_*"):
        power = read(label.with_name(f"in_power{label.name.rpartition('_')[2]}_input"))
        if power is not None:
            rails[read(label)] = float(power) / 1000
    for label in DEVICES.glob("*/hwmon/hwmon*/in[1-3]_label"):
        volts = read(label.with_name(f"in{label.name[2]}_input"))
        amperes = read(label.with_name(f"curr{label.name[2]}_input"))
        if read(label) != "NC" and volts is not None and amperes is not None:
            rails[read(label)] = float(volts) * float(amperes) / 1e6
    for name in TOTALS:
        if name in rails:
            return rails[name]
    return sum(rails.values()) if rails else None


def idle_watts() -> Any:
    """Return the mean power of a second of doing nothing, or None."""
    found = []
    for _ in range(5):
        time.sleep(0.2)
        found.append(module_watts())
    return None if None in found else sum(found) / len(found)


def describe(device: str, half: bool) -> Any:
    """Return what decides the speed of this device."""
    mode = asked("nvpmodel", "-q") or ""
    model = read(Path("/proc/device-tree/model"))
    found = {
        "name": model or platform.processor() or platform.machine(),
        "device": device,
        "dtype": "fp16" if half else "fp32",
        "python": platform.python_version(),
        "l4t": (read(Path("/etc/nv_tegra_release")) or "")[:60] or None,
        "power_mode": mode.split("\n")[0].replace("NV Power Mode:", "").strip() or None,
        "jetson_clocks": asked("jetson_clocks", "--show"),
        "governor": read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = str(torch.__version__)
        found["threads"] = torch.get_num_threads()
        if device.startswith("cuda"):
            found["gpu"] = torch.cuda.get_device_name(0)
            found["cuda"] = torch.version.cuda
            found["cudnn_benchmark"] = bool(torch.backends.cudnn.benchmark)
    return found


def torch_call(part: Any, device: str, half: bool) -> Any:
    """Return a network, its inputs and how it runs: as a script, else operator by operator."""
    import torch

    torch.manual_seed(0)
    inputs = []
    for said in part["inputs"]:
        kind = getattr(torch, said.get("dtype", "float32"))
        real = kind == torch.float32
        filled = torch.rand(*said["shape"]) if real else torch.zeros(said["shape"], dtype=kind)
        inputs.append(place(torch, filled, device, half))
    try:
        load: Any = torch.jit.load
        call = load(str(FOLDER / part["script"]), map_location=device)
        call = call.half() if half else call
        with torch.no_grad():
            call(*inputs)
        return call, inputs, "script"
    except Exception:
        said = json.loads((FOLDER / part["program"]).read_text())
        tensors = tensors_of(torch, (FOLDER / part["tensors"]).read_bytes(), said["tensors"])
        call = Program(said, tensors, device, half)
        with torch.no_grad():
            call(*inputs)
        return call, inputs, "operators"


def tensors_of(torch: Any, packed: Any, places: Any) -> Any:
    """Return the tensors whose numbers stand in bytes, little-endian, at these places."""
    found = {}
    for name, (dtype, shape, begin, end) in places.items():
        if begin == end:
            found[name] = torch.zeros(shape, dtype=getattr(torch, dtype))
        else:
            numbers = numbers_of(torch, bytearray(packed[begin:end]), dtype)
            found[name] = numbers.reshape(shape)
    return found


def numbers_of(torch: Any, packed: Any, dtype: Any) -> Any:
    """Return bytes as a tensor; a torch before 1.10 reads them through its storages."""
    if hasattr(torch, "frombuffer"):
        return torch.frombuffer(packed, dtype=getattr(torch, dtype))
    storage = getattr(torch, STORAGES[dtype])
    held = storage.from_buffer(packed, "little")
    return torch.tensor([], dtype=held.dtype).set_(held).to(getattr(torch, dtype))


def onnx_call(part: Any) -> Any:
    """Return an ONNX network, its inputs and how it runs: by onnxruntime."""
    import numpy
    import onnxruntime

    session = onnxruntime.InferenceSession(str(FOLDER / part["onnx"]))
    names = [one.name for one in session.get_inputs()]
    arrays = [numpy.zeros(said["shape"], numpy.float32) for said in part["inputs"]]
    return (lambda *given: session.run(None, dict(zip(names, given)))), arrays, "onnxruntime"


def timed(call: Any, inputs: Any, wait: Any, seconds: float, warm_up: int) -> Any:
    """Return the sorted times of a call in ms, and the mean power in W meanwhile, or None."""
    for _ in range(warm_up):
        call(*inputs)
    wait()
    laps: Any = []
    watts: Any = []
    looked = 0.0
    until = time.perf_counter() + seconds
    while len(laps) < 5 or time.perf_counter() < until:
        before = time.perf_counter()
        call(*inputs)
        wait()
        after = time.perf_counter()
        laps.append((after - before) * 1000)
        if after - looked > 0.05:
            looked = after
            now = module_watts()
            watts += [] if now is None else [now]
    return sorted(laps), (sum(watts) / len(watts) if watts else None)


def middle(laps: Any, share: float = 0.5) -> float:
    """Return a percentile of sorted times."""
    return float(laps[min(len(laps) - 1, int(share * len(laps)))])


def time_part(part: Any, options: Any, wait: Any) -> Any:
    """Return median ms, 95th percentile ms, net joules or None, runs and how, of one network."""
    if "script" in part and options.torch is not None:
        call, inputs, how = torch_call(part, options.device, options.half)
        with options.torch.no_grad():
            laps, watts = timed(call, inputs, wait, options.seconds, options.warm_up)
    else:
        call, inputs, how = onnx_call(part)
        laps, watts = timed(call, inputs, wait, options.seconds, options.warm_up)
    net = None if watts is None or options.idle is None else watts - options.idle
    joules = None if net is None else net * middle(laps) / 1000
    return middle(laps), middle(laps, 0.95), joules, len(laps), how


def measure(bundle: Any, options: Any, wait: Any) -> Any:
    """Return the components of a profile, and what could not be timed."""
    found: Any = {}
    notes = []
    for said in bundle["components"]:
        name = f"{said['model']}.{said['call']} x {said['objects']}"
        try:
            if options.on_gpu:
                options.torch.cuda.reset_max_memory_allocated()
            times = [time_part(part, options, wait) for part in said["parts"]]
        except Exception as error:
            why = (str(error) or type(error).__name__).strip().split("\n")[0]
            notes.append(f"{name}: {why}")
            continue
        ms = added([t[0] for t in times], said)
        key = (said["model"], said["call"])
        if key not in found:
            found[key] = component(said, times, options)
        found[key]["ms_by_objects"][str(said["objects"])] = ms
        print(f"{name:40s} {ms:9.3f} ms")
    return list(found.values()), notes


def component(said: Any, times: Any, options: Any) -> Any:
    """Return a component with everything but its times."""
    peak = options.torch.cuda.max_memory_allocated() / 2.0**20 if options.on_gpu else None
    return {
        "model": said["model"],
        "call": said["call"],
        "ms_by_objects": {},
        "p95_ms": added([t[1] for t in times], said),
        "runs": min(t[3] for t in times),
        "joules": added([t[2] for t in times], said),
        "macs": added([part["macs"] for part in said["parts"]], said),
        "memory_mb": peak,
        "note": "networks alone, by " + "+".join(sorted({t[4] for t in times})),
    }


def added(numbers: Any, said: Any) -> Any:
    """Sum the parts' numbers as often as each runs, None where one is unknown."""
    if None in numbers:
        return None
    return sum(number * part["times"] for number, part in zip(numbers, said["parts"]))


def parsed(torch: Any) -> Any:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Time the networks of a vbench bundle.")
    parser.add_argument("--device", help="cpu or cuda; default: cuda where it is there")
    parser.add_argument("--half", action="store_true", help="16-bit floating point")
    parser.add_argument("--seconds", type=float, default=2.0, help="least time for each network")
    parser.add_argument("--warm-up", type=int, default=5, help="calls before timing")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--out", default="profile.json", help="the profile to write")
    options = parser.parse_args()
    options.torch = torch
    if options.device is None:
        options.device = "cuda" if torch is not None and torch.cuda.is_available() else "cpu"
    options.on_gpu = torch is not None and options.device.startswith("cuda")
    if torch is not None and options.threads:
        torch.set_num_threads(options.threads)
    return options


def main() -> int:
    """Time everything and write the profile."""
    torch: Any
    try:
        import torch
    except ImportError:
        torch = None
    options = parsed(torch)
    wait = torch.cuda.synchronize if options.on_gpu else lambda: None
    bundle = json.loads((FOLDER / "bundle.json").read_text())
    options.idle = idle_watts()
    components, notes = measure(bundle, options, wait)
    block = describe(options.device, options.half)
    name = "".join(c if c.isalnum() else "-" for c in block["name"].lower()).strip("-")
    alone = "networks alone: crops, peak search and post-processing are not timed"
    profile = {
        "schema": SCHEMA,
        "name": name,
        "source": "measured",
        "citation": "",
        "device": block,
        "components": components,
        "notes": [alone, *bundle["left_out"], *notes],
    }
    Path(options.out).write_text(json.dumps(profile, indent=1, sort_keys=True))
    for note in notes:
        print(f"not timed: {note}")
    print(f"written: {options.out}")
    return 0 if components else 1


if __name__ == "__main__":
    sys.exit(main())
