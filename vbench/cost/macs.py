"""Counting what a piece of work executes: by tracing, by its formula, or node by node."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from vbench.core.roles import Work

if TYPE_CHECKING:
    from collections.abc import Iterator

NAN = float("nan")
FORMULA = "formula"
# Inputs of so many values, an image of a few hundred px, are counted from shapes alone.
LARGE = 1 << 20


@dataclass(frozen=True)
class Count:
    """MACs of one call, and of each object in it; NaN is unknown.

    `by_op` and `by_module` split the MACs of one call with one object. `uncounted` names what they
    leave out, `counter` says what counted.
    """

    macs_per_call: float = 0.0
    macs_per_object: float = 0.0
    uncounted: tuple[str, ...] = ()
    counter: str = ""
    by_op: Mapping[str, float] = field(default_factory=dict)
    by_module: Mapping[str, float] = field(default_factory=dict)

    @property
    def macs(self) -> float:
        """MACs of one call with one object."""
        return self.macs_per_call + self.macs_per_object


def count(work: Sequence[Work]) -> Count:
    """Add up the MACs of all parts of one call.

    A part that says nothing of itself, or that no counter can follow, makes the sum NaN and is
    named in `uncounted`.
    """
    per_call, per_object = 0.0, 0.0
    uncounted: set[str] = set()
    counters: set[str] = set()
    by_op: defaultdict[str, float] = defaultdict(float)
    by_module: defaultdict[str, float] = defaultdict(float)
    for part in work:
        found = count_part(part)
        macs = found.macs * part.times
        per_call, per_object = (
            (per_call, per_object + macs) if part.per_object else (per_call + macs, per_object)
        )
        uncounted |= {*found.uncounted, *part.uncounted}
        counters |= {found.counter} - {""}
        for name, value in found.by_op.items():
            by_op[name] += value * part.times
        for name, value in found.by_module.items():
            by_module[f"{part.name}.{name}" if name else part.name] += value * part.times
    return Count(
        per_call,
        per_object,
        tuple(sorted(uncounted)),
        "+".join(sorted(counters)),
        dict(by_op),
        dict(by_module),
    )


def count_part(part: Work) -> Count:
    """Count one part, run once."""
    if part.macs is not None:
        return Count(
            part.macs, counter=FORMULA, by_op={FORMULA: part.macs}, by_module={"": part.macs}
        )
    if part.onnx is not None:
        from vbench.cost.onnx_macs import count_onnx

        return count_onnx(part.onnx, part.inputs)
    if part.module is not None:
        return count_module(part.module, part.inputs)
    return Count(NAN, uncounted=(part.name,))


def count_module(module: Any, inputs: Sequence[Any]) -> Count:
    """Count a torch module, or a callable of tensors, by tracing one call under no_grad.

    Networks of large inputs are counted by the same rule from shapes alone, without computing.
    What fvcore cannot trace is counted by torch's own counter (2 per MAC, so halved), and the
    answer says so: it sees convolutions, matrix products and attention only.
    """
    by_shapes = _from_shapes(module, inputs)
    if by_shapes is not None:
        return by_shapes
    try:
        return traced(module, inputs)
    except Exception as error:
        reason = str(error).strip().splitlines()
        why = reason[0][:120] if reason else type(error).__name__
    try:
        found = torch_flops(module, inputs)
    except Exception as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        return Count(NAN, uncounted=(f"cannot be run: {why}",))
    seen = f"everything but convolutions, matrix products and attention (not traceable: {why})"
    by_op = {name: flops / 2 for name, flops in found.items()}
    total = sum(by_op.values())
    return Count(total, uncounted=(seen,), counter="torch/2", by_op=by_op, by_module={"": total})


def by_shapes_only(module: Any, inputs: Sequence[Any]) -> bool:
    """Tell whether a module has no numbers to compute with, or would compute for long."""
    from torch import Tensor, nn

    tensors = [x for x in inputs if isinstance(x, Tensor)]
    shaped = any(x.is_meta for x in tensors) or sum(x.numel() for x in tensors) >= LARGE
    return shaped and isinstance(module, nn.Module)


def _from_shapes(module: Any, inputs: Sequence[Any]) -> Count | None:
    """Count a network of large inputs on the meta device; None where that cannot follow it."""
    if not by_shapes_only(module, inputs):
        return None
    from vbench.cost.shapes import count_shapes

    try:
        found = count_shapes(module, inputs)
    except Exception:
        # It reads numbers on its way: a trace has to run it.
        return None
    by_op, unseen = dict(found.by_op), tuple(sorted(found.unseen))
    return Count(
        sum(by_op.values()),
        uncounted=unseen,
        counter="shapes",
        by_op=by_op,
        by_module=dict(found.by_module),
    )


def traced(
    module: Any,
    inputs: Sequence[Any],
    table: Mapping[str, Callable[..., Any]] | None = None,
    free: frozenset[str] | None = None,
) -> Count:
    """Count by fvcore's trace with our handles, or with those of `table`."""
    import torch

    from vbench.cost.handles import FREE, HANDLES

    analysis = _analysis(module, inputs)
    failed: dict[str, str] = {}
    if table is None:
        analysis.clear_op_handles()
        for name in free if free is not None else FREE:
            analysis.set_op_handle(name, None)
        for name, handle in HANDLES.items():
            analysis.set_op_handle(name, _guarded(name, handle, failed))
    with torch.no_grad(), without_gradients(module), _quiet():
        by_op = {name: float(macs) for name, macs in analysis.by_operator().items() if macs}
        by_module = _leaves(analysis.by_module())
        unseen = {_short(name) for name in analysis.unsupported_ops()}
    unseen |= {f"{_short(name)} ({why})" for name, why in failed.items()}
    return Count(
        sum(by_op.values()),
        uncounted=tuple(sorted(unseen)),
        counter=f"fvcore {version('fvcore')}",
        by_op=by_op,
        by_module=by_module,
    )


def torch_flops(module: Any, inputs: Sequence[Any]) -> dict[str, float]:
    """Return torch's own flop count by operator: two for every multiply-accumulate."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(*inputs)
    total = counter.get_flop_counts().get("Global", {})
    return {str(op).removeprefix("aten."): float(flops) for op, flops in total.items()}


def _analysis(module: Any, inputs: Sequence[Any]) -> Any:
    with _quiet():
        from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(as_module(module), tuple(inputs))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return analysis.tracer_warnings("none")


def as_module(call: Callable[..., Any]) -> Any:
    """Return a torch module as it is, and any other callable of tensors as a module."""
    from torch import nn

    if isinstance(call, nn.Module):
        return call

    class Called(nn.Module):
        def forward(self, *tensors: Any) -> Any:
            return call(*tensors)

    return Called()


@contextmanager
def without_gradients(module: Any) -> Iterator[None]:
    """Switch gradients off in all that a function refers to: a trace cannot hold such constants."""
    from torch import Tensor, nn

    held: list[Tensor] = []
    if not isinstance(module, nn.Module):
        for value in _referred(module):
            if isinstance(value, nn.Module):
                held += [p for p in value.parameters() if p.requires_grad]
            elif isinstance(value, Tensor) and value.requires_grad and value.is_leaf:
                held.append(value)
    for tensor in held:
        tensor.requires_grad_(False)
    try:
        yield
    finally:
        for tensor in held:
            tensor.requires_grad_(True)


def _referred(call: Any, depth: int = 3) -> Iterator[Any]:
    """Walk what a callable was made with: closure, bound object, partial's arguments."""
    yield call
    if depth == 0:
        return
    found = [
        cell.cell_contents for cell in getattr(call, "__closure__", None) or () if _is_set(cell)
    ]
    found += [getattr(call, name, None) for name in ("__self__", "__wrapped__", "func")]
    found += [
        *(getattr(call, "args", None) or ()),
        *(getattr(call, "keywords", None) or {}).values(),
    ]
    found += list(getattr(call, "__dict__", {}).values())
    for value in found:
        if value is not None and not isinstance(value, str | int | float | type):
            yield from _referred(value, depth - 1)


def _is_set(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _guarded(name: str, handle: Callable[..., float], failed: dict[str, str]) -> Callable[..., Any]:
    """Turn a handle that cannot read its operator into a named gap instead of a failure."""

    def handled(inputs: Any, outputs: Any) -> Any:
        from collections import Counter

        try:
            return Counter({_short(name): float(handle(inputs, outputs))})
        except Exception as error:
            failed[name] = (str(error) or type(error).__name__).splitlines()[0][:80]
            return Counter()

    return handled


def _leaves(by_module: Mapping[str, float]) -> dict[str, float]:
    """Keep what each module executes itself: its count minus that of its children."""
    own = {name: float(macs) for name, macs in by_module.items()}
    for name, macs in by_module.items():
        if name:
            parent = name.rpartition(".")[0]
            while parent and parent not in own:
                parent = parent.rpartition(".")[0]
            own[parent] = own.get(parent, 0.0) - float(macs)
    return {name: macs for name, macs in own.items() if not math.isclose(macs, 0.0, abs_tol=0.5)}


def _short(name: str) -> str:
    found = name.rpartition("::")[2].removeprefix("_").removesuffix("_")
    return "conv" if found == "convolution" else found


@contextmanager
def _quiet() -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        # fvcore 0.1.5 uses parts of torch.jit that torch 2.13 deprecates.
        warnings.simplefilter("ignore")
        yield
