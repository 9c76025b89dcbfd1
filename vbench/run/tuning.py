"""Precision, compilation, layout and threads of any network, size of frames, as parameters.

`siamfc[dtype=bf16]`, `[compile=1]`, `[channels_last=1]`, `[threads=2]`, `[scale=0.5]`: so that they
are benched like any other variant. A model that has a parameter of that name gets it instead.
Of a propagator after a detector, detections below `[floor=0.2]` are dropped after the keyframe, and
those below `[still=0.3]` stay where they are: neither is carried.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vbench.core.errors import NotReady, UnknownName, VBenchError

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
NAMES = ("dtype", "compile", "channels_last", "threads", "scale", "floor", "still")
SCALES = (0.05, 4.0)
SWITCH = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True)
class Tuning:
    """How networks run; the default changes nothing."""

    dtype: str = "fp32"
    compile: bool = False
    channels_last: bool = False
    threads: int | None = None
    scale: float = 1.0
    floor: float | None = None
    still: float | None = None

    def apply(self, model: Any, name: str) -> None:
        """Change all networks of a model in place.

        Raises:
            VBenchError: there is no network to change, or it cannot be compiled here.
        """
        networks = list(networks_of(model))
        if not networks and (self.dtype != "fp32" or self.compile or self.channels_last):
            raise VBenchError(f"{name} has no torch network whose dtype or layout could change")
        for network in networks:
            if self.channels_last:
                import torch

                network.to(memory_format=torch.channels_last)
            if self.dtype != "fp32":
                _cast(network, self.dtype)
            if self.compile:
                _compile(network, name)


def split(
    parameters: Mapping[str, str], own: Collection[str], where: str
) -> tuple[dict[str, str], Tuning]:
    """Split the parameters of a part into the model's `own` and the tuning.

    Raises:
        VBenchError: a value that is none of those on offer.
    """
    tuned = {k: v for k, v in parameters.items() if k in NAMES and k not in own}
    rest = {k: v for k, v in parameters.items() if k not in tuned}
    found: dict[str, Any] = {}
    for key, text in tuned.items():
        if key == "dtype":
            if text not in DTYPES:
                raise UnknownName(f"dtype of {where}", text, DTYPES)
            found[key] = text
        elif key == "threads":
            if not text.isdecimal() or int(text) < 1:
                raise VBenchError(f"{where}[threads={text}]: a whole number from 1 is wanted")
            found[key] = int(text)
        elif key == "scale":
            found[key] = _number(text, SCALES, f"{where}[scale={text}]")
        elif key in ("floor", "still"):
            found[key] = _number(text, (0.0, 1.0), f"{where}[{key}={text}]")
        elif text.lower() not in SWITCH:
            raise VBenchError(f"{where}[{key}={text}]: write 1 or 0")
        else:
            found[key] = SWITCH[text.lower()]
    return rest, Tuning(**found)


def _number(text: str, limits: tuple[float, float], where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not limits[0] <= value <= limits[1]:
        raise VBenchError(f"{where}: a number from {limits[0]:g} to {limits[1]:g} is wanted")
    return value


def networks_of(model: Any, depth: int = 3) -> Iterator[Any]:
    """Yield the torch networks among a model's attributes, and those of its parts, each once."""
    import torch

    met: set[int] = set()
    for value in getattr(model, "__dict__", {}).values():
        found: Iterable[Any] = ()
        if isinstance(value, torch.nn.Module):
            found = (value,)
        elif depth and hasattr(value, "__dict__") and not isinstance(value, type):
            found = networks_of(value, depth - 1)
        for network in found:
            if id(network) not in met:
                met.add(id(network))
                yield network


def _cast(network: Any, dtype: str) -> None:
    """Run convolutions and linear layers in `dtype`; everything between them stays float32.

    Casting at the layers, not around the network, also reaches networks whose parts are called
    one by one, and leaves what is not a layer (correlations, norms, decoding) exact.
    """
    import torch
    from torch import nn

    target = getattr(torch, DTYPES[dtype])

    def enter(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(x.to(target) if torch.is_tensor(x) else x for x in inputs)

    def leave(_: Any, __: Any, output: Any) -> Any:
        return output.float()

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.to(target)
            layer.register_forward_pre_hook(enter)
            layer.register_forward_hook(leave)


def _compile(network: Any, name: str) -> None:
    from shutil import which

    if which("c++") is None and which("g++") is None:
        raise NotReady(f"{name}[compile=1] needs a C++ compiler; install g++ or leave it out")
    network.compile(dynamic=False)
