"""What decides the speed of an NVIDIA accelerator, by torch and, where it is installed, pynvml."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Bits of nvmlDeviceGetCurrentClocksThrottleReasons, as named in nvml.h.
THROTTLE = {
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal",
    0x40: "hardware thermal",
    0x80: "power brake",
    0x100: "display clocks",
}
SM_CLOCK, MEMORY_CLOCK = 1, 2


def gpu_block(device: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return what is fixed about `device`, and what was observed of it; (None, {}) for others."""
    if device.partition(":")[0] != "cuda":
        return None, {}
    import torch

    if not torch.cuda.is_available():
        return None, {}
    properties = torch.cuda.get_device_properties(torch.device(device))
    cudnn: Any = torch.backends.cudnn
    block = {
        "name": properties.name,
        "memory_mb": properties.total_memory >> 20,
        "multiprocessors": properties.multi_processor_count,
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
        "tf32": bool(torch.backends.cuda.matmul.allow_tf32),
        "cudnn": cudnn.version(),
        "cudnn_benchmark": bool(cudnn.benchmark),
    }
    with nvml(device) as asked:
        if asked is None:
            return block | {"driver": None}, {"nvml": "pynvml is not installed or has no driver"}
        return block | _fixed(*asked), _observed(*asked)


@contextmanager
def nvml(device: str) -> Iterator[tuple[Any, Any] | None]:
    """Give (pynvml, handle of `device`), or None where either is missing."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:
        yield None
        return
    try:
        yield pynvml, _handle(pynvml, device)
    finally:
        pynvml.nvmlShutdown()


def _handle(pynvml: Any, device: str) -> Any:
    """Find the device by its uuid: CUDA_VISIBLE_DEVICES renumbers what torch sees."""
    import torch

    index = torch.device(device).index or 0
    try:
        uuid = f"GPU-{torch.cuda.get_device_properties(index).uuid}"
        return pynvml.nvmlDeviceGetHandleByUUID(uuid.encode())
    except Exception:
        return pynvml.nvmlDeviceGetHandleByIndex(index)


def _fixed(pynvml: Any, handle: Any) -> dict[str, Any]:
    driver = _ask(pynvml.nvmlSystemGetDriverVersion)
    limit = _ask(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)
    return {
        "driver": driver.decode() if isinstance(driver, bytes) else driver,
        "max_sm_mhz": _ask(pynvml.nvmlDeviceGetMaxClockInfo, handle, SM_CLOCK),
        "max_memory_mhz": _ask(pynvml.nvmlDeviceGetMaxClockInfo, handle, MEMORY_CLOCK),
        "power_limit_w": None if limit is None else limit / 1000,
        "persistence": _ask(pynvml.nvmlDeviceGetPersistenceMode, handle),
    }


def _observed(pynvml: Any, handle: Any) -> dict[str, Any]:
    bits = _ask(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle)
    return {
        "gpu_sm_mhz": _ask(pynvml.nvmlDeviceGetClockInfo, handle, SM_CLOCK),
        "gpu_memory_mhz": _ask(pynvml.nvmlDeviceGetClockInfo, handle, MEMORY_CLOCK),
        "gpu_celsius": _ask(pynvml.nvmlDeviceGetTemperature, handle, 0),
        "gpu_throttle": None if bits is None else throttle_names(int(bits)),
    }


def throttle_names(bits: int) -> list[str]:
    """Name the reasons for which the clocks are held down; idling is none."""
    return [name for bit, name in THROTTLE.items() if bits & bit]


def _ask(call: Callable[..., Any], *arguments: Any) -> Any:
    """Ask NVML; what this board or driver does not answer is None."""
    try:
        return call(*arguments)
    except Exception:
        return None
