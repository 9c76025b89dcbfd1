"""Named ways to count: what really runs, and what papers and other tools would print for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vbench.core.errors import UnknownName
from vbench.core.roles import Work
from vbench.cost.macs import NAN, Count, by_shapes_only, count, torch_flops, traced

# Operators of fvcore's table that are multiply-accumulates of a network's layers.
LAYERS = frozenset(
    {"conv", "linear", "addmm", "matmul", "mm", "bmm", "baddbmm", "einsum"}
    | {"Conv", "ConvTranspose", "MatMul", "Gemm", "formula"}
)


@dataclass(frozen=True)
class Convention:
    """A way to count: its name, what it counts, the unit of its numbers, the counter."""

    name: str
    summary: str
    unit: str
    count: Callable[[Sequence[Work]], Count]


def paper_average(base: float, inter: float, interval: float, objects: float = 1.0) -> float:
    """Average a frame as PatchNet's tables do: base / T + objects * inter, on every frame.

    The cheap half is charged on keyframes as well; only so the paper's 34.2 G and 0.73 G come out.
    """
    return base / interval + objects * inter


def executed_average(base: float, inter: float, interval: float, objects: float = 1.0) -> float:
    """Average a frame where the cheap half runs between keyframes only, and never falls back."""
    return (base + (interval - 1) * objects * inter) / interval


def paper_count(works: Sequence[Work]) -> Count:
    """Layers only, of a single pass: one scale, one crop, as papers state a network."""
    found = count([replace(work, times=1.0) for work in works])
    by_op = {name: macs for name, macs in found.by_op.items() if name in LAYERS}
    left_out = sorted(set(found.by_op) - set(by_op))
    share = sum(by_op.values()) / found.macs if found.macs else 1.0
    return replace(
        found,
        macs_per_call=found.macs_per_call * share,
        macs_per_object=found.macs_per_object * share,
        by_op=by_op,
        uncounted=tuple(sorted({*found.uncounted, *left_out})),
        counter=f"{found.counter}, layers only",
    )


def fvcore_count(works: Sequence[Work]) -> Count:
    """What fvcore prints by itself: its own handles, nominal constants for norms and sampling."""
    return _by_module(works, lambda module, inputs: traced(module, inputs, table={}))


def torch_count(works: Sequence[Work]) -> Count:
    """What torch.utils.flop_counter prints: two for each multiply-accumulate, layers only."""

    def counted(module: Any, inputs: Sequence[Any]) -> Count:
        by_op = torch_flops(*_light(module, inputs))
        return Count(sum(by_op.values()), counter="torch", by_op=by_op)

    return _by_module(works, counted)


def thop_count(works: Sequence[Work]) -> Count:
    """What thop 0.0.31 prints: by module, blind to functions, 2 for each normed value."""
    return _by_module(works, lambda module, inputs: thop_module(*_light(module, inputs)))


def _light(module: Any, inputs: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
    """Give a large network to a tool that reads shapes only as shapes only."""
    if not by_shapes_only(module, inputs):
        return module, inputs
    from vbench.cost.shapes import on_meta

    return on_meta(module, inputs)


def _by_module(works: Sequence[Work], counted: Callable[[Any, Sequence[Any]], Count]) -> Count:
    """Count the parts that are torch modules; the tools of others see nothing else."""
    parts = []
    for work in works:
        if work.module is None:
            parts.append(Count(NAN, uncounted=(f"{work.name} (no torch module)",)))
        else:
            parts.append(counted(work.module, work.inputs))
    by_op: dict[str, float] = {}
    sums = [0.0, 0.0]
    for work, part in zip(works, parts, strict=True):
        sums[work.per_object] += part.macs * work.times
        for name, macs in part.by_op.items():
            by_op[name] = by_op.get(name, 0.0) + macs * work.times
    return Count(
        sums[0],
        sums[1],
        tuple(sorted({name for part in parts for name in part.uncounted})),
        "+".join(sorted({part.counter for part in parts} - {""})),
        by_op,
    )


def thop_module(module: Any, inputs: Sequence[Any]) -> Count:
    """Count one module with the rules of Lyken17/pytorch-OpCounter 0.0.31 (basic_hooks.py).

    A deconvolution by its outputs (four times too much at stride 2), two a value for norms, eleven
    for bilinear upsampling modules; whatever is called as a function is not seen.
    """
    import torch
    from torch import nn

    by_op: dict[str, float] = {}

    def hook(layer: Any, given: Any, out: Any) -> None:
        by_op[type(layer).__name__] = by_op.get(type(layer).__name__, 0.0) + _thop(
            layer, given[0], out
        )

    if not isinstance(module, nn.Module):
        return Count(0.0, uncounted=("a function (no modules in it)",), counter="thop 0.0.31 rules")
    leaves = [layer for layer in module.modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(hook) for layer in leaves]
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    counts = {name: macs for name, macs in by_op.items() if macs}
    return Count(sum(counts.values()), counter="thop 0.0.31 rules", by_op=counts)


def _thop(layer: Any, given: Any, out: Any) -> float:
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.conv import _ConvNd

    outputs = float(out.numel()) if hasattr(out, "numel") else 0.0
    if isinstance(layer, _ConvNd):
        kernel = 1.0
        for size in layer.kernel_size:
            kernel *= size
        return outputs * float(layer.in_channels / layer.groups) * kernel
    if isinstance(layer, _BatchNorm):
        return 2.0 * float(given.numel())
    if isinstance(layer, nn.Linear):
        return outputs * float(layer.in_features)
    if isinstance(layer, nn.PReLU):
        return outputs
    if isinstance(layer, nn.AvgPool1d | nn.AvgPool2d | nn.AvgPool3d):
        return outputs
    if isinstance(layer, nn.AdaptiveAvgPool2d):
        return outputs + float(given.numel())
    if isinstance(layer, nn.Upsample):
        return outputs * {"nearest": 1, "linear": 5, "bilinear": 11}.get(layer.mode, 0)
    return 0.0


CONVENTIONS: Mapping[str, Convention] = {
    c.name: c
    for c in (
        Convention("executed", "every product that runs, by our rule", "mac", count),
        Convention("paper", "layers only, one pass, as papers state it", "mac", paper_count),
        Convention("fvcore", "what fvcore prints by itself", "mixed", fvcore_count),
        Convention("torch", "what torch's counter prints: 2 a MAC", "flop", torch_count),
        Convention("thop", "what thop 0.0.31 prints", "mixed", thop_count),
    )
}


def convention(name: str) -> Convention:
    """Return a convention by name; UnknownName offers the nearest."""
    if name not in CONVENTIONS:
        raise UnknownName("convention", name, CONVENTIONS)
    return CONVENTIONS[name]
