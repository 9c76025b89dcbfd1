"""How many multiply-accumulates an operator of a traced torch graph executes.

The rule, one for all counters of this package: a product of two numbers is one MAC, whether or not
a sum follows. Convolutions, matrix products, correlations and attention are exact. A real FFT of N
points is 2.5 N log2 N floating-point operations, a complex one 5 N log2 N (the count that FFTW's
benchmark uses), and two operations are one MAC. Sums, comparisons, lookups, data movement and
functions of one number (exp, sqrt, sigmoid) are none; normalisation with stored statistics is one
per element (scale and shift fold into one), with statistics of the input two. Bilinear sampling is
four per value, bicubic sixteen. An operator that stands in no table here is named as uncounted.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

# A traced value is a torch._C.Value.
Values = list[Any]
Handle = Callable[[Values, Values], float]


def shape(value: Any) -> list[int]:
    """Return the shape of a traced tensor; ValueError where the trace does not know it."""
    sizes = value.type().sizes() if value.isCompleteTensor() else None
    if sizes is None:
        raise ValueError("the trace has no complete shape")
    return list(sizes)


def numel(value: Any) -> int:
    """Return the number of elements of a traced tensor."""
    return math.prod(shape(value))


def ints(value: Any) -> list[int] | None:
    """Return a traced list of integers, a single one as a list, None where it is None."""
    if value.node().kind() == "prim::ListConstruct":
        found = [item.toIValue() for item in value.node().inputs()]
        if any(item is None for item in found):
            raise ValueError("a list of the trace is not constant")
        return [int(item) for item in found]
    constant = value.toIValue()
    if constant is None:
        if not value.node().mustBeNone():
            raise ValueError("a value of the trace is not constant")
        return None
    return [int(item) for item in constant] if isinstance(constant, list) else [int(constant)]


def is_complex(value: Any) -> bool:
    """Tell whether a traced value is a complex tensor."""
    kind = value.type()
    return kind.kind() == "TensorType" and kind.dtype() is not None and kind.dtype().is_complex


def real_products(inputs: Values) -> int:
    """Real products in one product of two inputs: 4 for two complex numbers, 2 for one, else 1."""
    return 1 << min(2, sum(is_complex(value) for value in inputs[:2]))


def convolution(inputs: Values, outputs: Values) -> float:
    """Output positions x kernel; for a transposed one, input positions x kernel."""
    x, weight, out = shape(inputs[0]), shape(inputs[1]), shape(outputs[0])
    batched = len(x) == len(weight)
    places = (x if inputs[6].toIValue() else out)[2 if batched else 1 :]
    batch = x[0] if batched else 1
    return real_products(inputs) * batch * math.prod(weight) * math.prod(places)


def product_of(first: int, second: int) -> Handle:
    """Handle of a matrix product of two inputs by their positions: output x inner length."""

    def matrix_product(inputs: Values, outputs: Values) -> float:
        a = inputs[first]
        return real_products([a, inputs[second]]) * numel(outputs[0]) * (shape(a) or [1])[-1]

    return matrix_product


def einsum(inputs: Values, outputs: Values) -> float:  # noqa: ARG001
    """Product of all index lengths for two operands; pairwise, as torch contracts, for more."""
    equation = inputs[0].toIValue().replace(" ", "")
    operands = list(inputs[1].node().inputs())
    terms = equation.partition("->")[0].split(",")
    result = equation.partition("->")[2]
    lengths: dict[str, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        lengths |= _lengths(term, shape(operand))
    factor = real_products(operands)
    total, left = 0, terms[0].replace("...", "")
    if len(terms) == 1:
        return 0.0
    for index, term in enumerate(terms[1:], start=1):
        union = set(left) | set(term.replace("...", ""))
        dots = {key for key in lengths if key.startswith(".")}
        total += math.prod(lengths[key] for key in union | dots)
        later = set("".join(terms[index + 1 :]) + result)
        left = "".join(key for key in sorted(union) if key in later)
    return factor * total


def _lengths(term: str, sizes: list[int]) -> dict[str, int]:
    before, dots, after = term.partition("...")
    found = dict(zip(before, sizes, strict=False))
    if dots:
        stop = len(sizes) - len(after)
        found |= dict(zip(after, sizes[stop:], strict=True))
        # Batch dimensions align from the right, as in broadcasting.
        middle = sizes[len(before) : stop]
        found |= {f".{len(middle) - i}": size for i, size in enumerate(middle)}
    return found


def attention(inputs: Values, outputs: Values) -> float:  # noqa: ARG001
    """Both products of scaled dot-product attention, and one MAC a weight for the softmax."""
    query, key, value = (shape(v) for v in inputs[:3])
    weights = math.prod(query[:-1]) * key[-2]
    return weights * (query[-1] + value[-1] + 1)


def fourier(rank: int, to_real: bool, from_real: bool) -> Handle:
    """Handle of an FFT over `rank` last axes unless the call names them (0: all)."""
    flops_per_point = 2.5 if to_real or from_real else 5.0

    def transform(inputs: Values, outputs: Values) -> float:
        sizes = shape(inputs[0]) if from_real else shape(outputs[0])
        axes = ints(inputs[2])
        lengths = ints(inputs[1])
        if axes is None:
            count = rank or (len(lengths) if lengths else len(sizes))
            axes = list(range(len(sizes) - count, len(sizes)))
        for axis, length in zip(axes, lengths or [], strict=False):
            sizes[axis] = sizes[axis] if length < 0 else length
        points = math.prod(sizes[axis] for axis in axes)
        return math.prod(sizes) * flops_per_point * math.log2(max(points, 1)) / 2

    return transform


def grid_sample(inputs: Values, outputs: Values) -> float:
    """Taps per value: bilinear 4 (8 in a volume), nearest 0, bicubic 16."""
    mode = inputs[2].toIValue()
    dimensions = len(shape(inputs[0])) - 2
    taps = {0: 2**dimensions, 1: 0, 2: 16}[mode]
    return float(taps * numel(outputs[0]))


def affine_grid(inputs: Values, outputs: Values) -> float:  # noqa: ARG001
    """A product of the d x (d + 1) matrix with every position."""
    out = shape(outputs[0])
    return float(math.prod(out) * (out[-1] + 1))


def scaled_sum(position: int) -> Handle:
    """Handle of x + alpha y: one MAC a value where alpha is not 1 or -1, a mere sum otherwise."""

    def addition(inputs: Values, outputs: Values) -> float:
        alpha = inputs[position].toIValue() if len(inputs) > position else 1
        return 0.0 if alpha in (1, -1) else float(numel(outputs[0]))

    return addition


def elementwise_product(inputs: Values, outputs: Values) -> float:
    """One MAC a value; 2 or 4 where one or both factors are complex."""
    return float(real_products(inputs) * numel(outputs[0]))


def per_output(macs: float) -> Handle:
    """Handle of `macs` for every value that comes out."""
    return lambda inputs, outputs: macs * numel(outputs[0])


def per_input(macs: float) -> Handle:
    """Handle of `macs` for every value that goes in."""
    return lambda inputs, outputs: macs * numel(inputs[0])


def batch_norm(inputs: Values, outputs: Values) -> float:  # noqa: ARG001
    """One MAC a value with stored statistics, two with those of the batch."""
    return float((2 if inputs[5].toIValue() else 1) * numel(inputs[0]))


def power(inputs: Values, outputs: Values) -> float:
    """x^p for a small whole p is p - 1 products; any other power is a function of one number."""
    exponent = inputs[1].toIValue() if inputs[1].node().kind() == "prim::Constant" else None
    whole = isinstance(exponent, int | float) and exponent in (2, 3, 4)
    return float(numel(outputs[0]) * (exponent - 1)) if whole and exponent else 0.0


def pairwise_distance(inputs: Values, outputs: Values) -> float:
    """One difference squared per coordinate of every pair."""
    return float(numel(outputs[0]) * shape(inputs[0])[-1])


def roi_align(inputs: Values, outputs: Values) -> float:
    """Four taps for each of ratio^2 samples of a bin; the adaptive ratio is not in a trace."""
    values = [v.toIValue() for v in inputs[2:]]
    numbers = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
    ratio = numbers[-1] if len(numbers) >= 3 else None
    if not ratio or ratio < 1:
        raise ValueError("roi_align with an adaptive sampling ratio")
    return float(numel(outputs[0]) * 4 * ratio**2)


def deformable_convolution(inputs: Values, outputs: Values) -> float:
    """The convolution, four taps a sampled value, and one product by the modulation mask."""
    weight, out = shape(inputs[1]), shape(outputs[0])
    places = out[0] * math.prod(out[2:])
    sampled = places * shape(inputs[0])[1] * math.prod(weight[2:])
    masked = bool(inputs[-1].toIValue())
    return float(places * math.prod(weight) + sampled * (4 + masked))


def _table(rules: Mapping[str, Any]) -> dict[str, Handle]:
    matrix, elementwise = product_of(0, 1), elementwise_product
    found: dict[str, Handle] = {
        "_convolution": convolution,
        "addmm": product_of(1, 2),
        "baddbmm": product_of(1, 2),
        "addbmm": product_of(1, 2),
        "addmv": product_of(1, 2),
        "linear": matrix,
        "matmul": matrix,
        "mm": matrix,
        "bmm": matrix,
        "einsum": einsum,
        "scaled_dot_product_attention": attention,
        "grid_sampler": grid_sample,
        "affine_grid_generator": affine_grid,
        "add": scaled_sum(2),
        "sub": scaled_sum(2),
        "batch_norm": batch_norm,
        "pow": power,
        "cdist": pairwise_distance,
        "cosine_similarity": per_input(3),
        "mul": elementwise,
        "multiply": elementwise,
        "outer": elementwise,
        "ger": elementwise,
    }
    found |= dict.fromkeys(rules["one_a_value_out"].split(), per_output(1))
    found |= dict.fromkeys(rules["one_a_value_in"].split(), per_input(1))
    found |= dict.fromkeys(rules["two_a_value_in"].split(), per_input(2))
    found |= {name: per_output(taps) for name, taps in rules["taps"].items()}
    return _in_place(found | _fourier_table()) | {
        "torchvision::roi_align": roi_align,
        "torchvision::deform_conv2d": deformable_convolution,
    }


def _fourier_table() -> dict[str, Handle]:
    found = {}
    for suffix, rank in (("", 1), ("2", 2), ("n", 0)):
        found[f"fft_rfft{suffix}"] = fourier(rank, to_real=False, from_real=True)
        found[f"fft_irfft{suffix}"] = fourier(rank, to_real=True, from_real=False)
        found[f"fft_fft{suffix}"] = fourier(rank, to_real=False, from_real=False)
        found[f"fft_ifft{suffix}"] = fourier(rank, to_real=False, from_real=False)
    return found


def _in_place(found: Mapping[str, Handle]) -> dict[str, Handle]:
    """Name operators as traces do, with their variants that write into their first input."""
    return {f"aten::{name}{tail}": handle for name, handle in found.items() for tail in ("", "_")}


@cache
def operators() -> dict[str, Any]:
    """Return the tables of operators.toml."""
    return tomllib.loads((Path(__file__).parent / "operators.toml").read_text(encoding="utf-8"))


HANDLES: Mapping[str, Handle] = _table(operators())
# No products: movement, sums, comparisons, functions of one number.
FREE = frozenset(
    f"aten::{name}{tail}"
    for group in operators()["none"].values()
    for name in group.split()
    for tail in ("", "_")
)
