"""Counting a network from shapes alone: it runs on torch's meta device, which computes nothing.

Traces need the numbers; a network for images of 600 x 1000 px should be counted without them. The
rule for an operator is that of `handles`, applied to the operators that torch dispatches.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.module_tracker import ModuleTracker

from vbench.cost.handles import FREE, HANDLES

# What the dispatcher calls operators that traces know by another name.
DISPATCHED = {
    "convolution": "_convolution",
    "grid_sampler_2d": "grid_sampler",
    "grid_sampler_3d": "grid_sampler",
    "native_batch_norm": "batch_norm",
    "native_layer_norm": "layer_norm",
    "native_group_norm": "group_norm",
    "_softmax": "softmax",
    "_log_softmax": "log_softmax",
    "_to_copy": "to",
    "_unsafe_view": "view",
    "_reshape_alias": "reshape",
    "new_empty_strided": "new_empty",
    "empty_strided": "empty",
    "bernoulli": "rand",
    "_adaptive_avg_pool2d": "adaptive_avg_pool2d",
}


@dataclass(frozen=True)
class Seen:
    """An argument of a dispatched operator, as the handles read a traced value."""

    value: Any

    def isCompleteTensor(self) -> bool:  # noqa: N802  (torch._C.Value's name)
        """Tell whether this is a tensor."""
        return isinstance(self.value, Tensor)

    def type(self) -> Seen:
        """Return what knows the kind and sizes: this."""
        return self

    def kind(self) -> str:
        """Return the name that a trace has for such a value."""
        if isinstance(self.value, Tensor):
            return "TensorType"
        return "prim::ListConstruct" if isinstance(self.value, list | tuple) else "prim::Constant"

    def sizes(self) -> list[int]:
        """Return the shape of a tensor."""
        return list(self.value.shape)

    def dtype(self) -> Any:
        """Return the numbers' type of a tensor."""
        return self.value.dtype

    def node(self) -> Seen:
        """Return what made it: this."""
        return self

    def inputs(self) -> list[Seen]:
        """Return the items of a list."""
        return [Seen(item) for item in self.value]

    def mustBeNone(self) -> bool:  # noqa: N802  (torch._C.Value's name)
        """Tell whether it is None."""
        return self.value is None

    def toIValue(self) -> Any:  # noqa: N802  (torch._C.Value's name)
        """Return the value itself."""
        return self.value


class ShapeCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the MACs of every operator that runs inside it."""

    def __init__(self, root: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.by_op: defaultdict[str, float] = defaultdict(float)
        self.by_module: defaultdict[str, float] = defaultdict(float)
        self.unseen: set[str] = set()
        self.tracker = ModuleTracker()
        self.root = root

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # (torch's own signature)
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        name = DISPATCHED.get(name, name)
        handle = HANDLES.get(f"aten::{name}")
        if handle is not None:
            self._add(name, handle, args, result)
        elif f"aten::{name}" not in FREE and not _is_view(func):
            self.unseen.add(name.strip("_"))
        return result

    def _add(self, name: str, handle: Any, args: Any, result: Any) -> None:
        outputs = [Seen(v) for v in (result if isinstance(result, tuple | list) else [result])]
        try:
            macs = float(handle([Seen(value) for value in args], outputs))
        except Exception as error:
            why = (str(error) or type(error).__name__).splitlines()[0][:80]
            self.unseen.add(f"{name.strip('_')} ({why})")
            return
        if macs:
            self.by_op["conv" if name == "_convolution" else name.strip("_")] += macs
            self.by_module[self._innermost()] += macs

    def _innermost(self) -> str:
        names = [name for name in self.tracker.parents if name != "Global"]
        return max(names, key=len, default="").removeprefix(self.root).removeprefix(".")


def on_meta(module: nn.Module, inputs: Sequence[Any]) -> tuple[nn.Module, list[Any]]:
    """Copy a module and its inputs to the meta device without copying a number."""
    memo: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        empty: Tensor = tensor.detach().to("meta")
        parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(empty, requires_grad=False) if parameter else empty
    moved = [v.detach().to("meta") if isinstance(v, Tensor) else v for v in inputs]
    return copy.deepcopy(module, memo), moved


def count_shapes(module: nn.Module, inputs: Sequence[Any]) -> ShapeCounter:
    """Run `module` on the meta device and return what it would have executed."""
    shell, moved = on_meta(module, inputs)
    counter = ShapeCounter(type(shell).__name__)
    with torch.no_grad(), counter.tracker, counter:
        shell(*moved)
    return counter


def _is_view(func: Any) -> bool:
    return any(found.alias_info is not None for found in func._schema.returns)
