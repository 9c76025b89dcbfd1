"""Runs a traced network operator by operator, by any torch from 1.4 on and Python 3.6.

`vbench profile --bundle` puts this into its runner: a torch as old as some devices' cannot read a
newer one's scripts, but it has the same operators, under these or slightly other names.
"""

from typing import Any


def place(torch: Any, tensor: Any, device: str, half: bool) -> Any:
    """Move a tensor to the device, in half precision where it is real."""
    moved = tensor.to(device)
    return moved.half() if half and moved.dtype == torch.float32 else moved


class Program:
    """Runs a list of operators with those of whatever torch is here.

    The first call finds how each operator is called here and keeps what follows from shapes alone,
    so that later calls do little besides the operators themselves.
    """

    def __init__(self, said: Any, tensors: Any, device: str, half: bool) -> None:
        import torch

        self.torch: Any = torch
        self.said, self.device = said, device
        self.tensors = {name: place(torch, t, device, half) for name, t in tensors.items()}
        self.steps: Any = None

    def __call__(self, *inputs: Any) -> Any:
        """Run all steps; inputs must have the shapes of the first call."""
        if self.steps is None:
            return self.first(inputs)
        values = dict(self.known)
        values.update(zip(self.said["inputs"], inputs))
        for run, given, names in self.steps:
            found = run(*[value(values) for value in given])
            if len(names) == 1:
                values[names[0]] = found
            else:
                values.update(zip(names, found))
        return [self.reader(one)(values) for one in self.said["outputs"]]

    def first(self, inputs: Any) -> Any:
        """Run all steps once and remember how."""
        values = dict(zip(self.said["inputs"], inputs))
        self.known: Any = {}
        steps = []
        for kind, given, names in self.said["steps"]:
            read_all = [self.reader(one) for one in given]
            run, count, found = self.found(kind, [value(values) for value in read_all])
            outputs = {names[0]: found} if len(names) == 1 else dict(zip(names, found))
            values.update(outputs)
            inside = [one[1] for one in given if one[0] == "v"]
            fixed = kind.split("::")[1] in ("size", "numel") or not set(inside) - set(self.known)
            if fixed and "t" not in [one[0] for one in given]:
                self.known.update(outputs)
            else:
                steps.append((run, read_all[:count], names))
        self.steps = steps
        return [self.reader(one)(values) for one in self.said["outputs"]]

    def reader(self, reference: Any) -> Any:
        """Return what reads an input of a step."""
        kind, found = reference
        if kind == "v":
            return lambda values: values[found]
        constant = self.tensors[found] if kind == "t" else found
        if isinstance(constant, dict):
            constant = self.torch.device(self.device)
        return lambda values: constant

    def found(self, kind: str, given: Any) -> Any:
        """Return how an operator runs here, how many of its inputs it takes, and its answer."""
        name = kind.split("::")[1]
        if name in PLAIN:
            return PLAIN[name], len(given), PLAIN[name](*given)
        torch, failed = self.torch, None
        candidates: Any = (
            lambda: getattr(torch.ops.aten, name),
            lambda: OLDER[name],
            lambda: getattr(torch, name),
            lambda: getattr(torch.Tensor, name),
            lambda: getattr(torch.nn.functional, name),
        )
        for candidate in candidates:
            # Newer torches append inputs to operators: an older one runs without the last ones.
            for count in range(len(given), max(0, len(given) - 3), -1):
                try:
                    run = candidate()
                    return run, count, run(*given[:count])
                except (RuntimeError, TypeError, AttributeError, KeyError) as error:
                    failed = failed or error
                    dropped = given[count - 1]
                    if not (dropped is None or isinstance(dropped, bool)):
                        break
        raise RuntimeError(f"{kind}: {str(failed).splitlines()[0]}")


def sliced(x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """Cut one axis."""
    return x[(slice(None),) * (dim % x.dim()) + (slice(start, end, step),)]


def largest(x: Any, dims: Any, keep: bool = False) -> Any:
    """Largest values over some axes."""
    for dim in sorted((d % x.dim() for d in dims or range(x.dim())), reverse=True):
        x = x.max(dim, keepdim=keep)[0]
    return x


def moved(x: Any, source: Any, target: Any) -> Any:
    """Move axes."""
    sources = [d % x.dim() for d in ([source] if isinstance(source, int) else source)]
    targets = [d % x.dim() for d in ([target] if isinstance(target, int) else target)]
    order = [d for d in range(x.dim()) if d not in sources]
    for place_to, axis in sorted(zip(targets, sources)):
        order.insert(place_to, axis)
    return x.permute(order)


def unflattened(x: Any, dim: int, sizes: Any) -> Any:
    """Split one axis."""
    shape = list(x.shape)
    dim = dim % x.dim()
    return x.reshape(shape[:dim] + list(sizes) + shape[dim + 1 :])


def to_frequencies(x: Any, *given: Any) -> Any:
    """Fourier transform of the last two axes by torch before 1.7: pairs instead of complex."""
    return x.rfft(2, normalized="ortho" in given, onesided=True)


def from_frequencies(x: Any, size: Any, *given: Any) -> Any:
    """Return the inverse of `to_frequencies`."""
    return x.irfft(2, normalized="ortho" in given, onesided=True, signal_sizes=size)


# What is no operator of torch.
PLAIN: Any = {
    "ListConstruct": lambda *items: list(items),
    "TupleConstruct": lambda *items: list(items),
    "ListUnpack": lambda items: items,
    "TupleUnpack": lambda items: items,
    "NumToTensor": lambda number: number,
    "Int": int,
    "IntImplicit": int,
    "ScalarImplicit": lambda number: number,
    "size": lambda x, *dim: x.size(*dim),
    "numel": lambda x: x.numel(),
}
# What torch 1.4 lacks, or does not take by position. Complex numbers are pairs there.
OLDER: Any = {
    "add": lambda x, y, a=1: x + (y if a == 1 else y * a),
    "add_": lambda x, y, a=1: x.add_(y if a == 1 else y * a),
    "sub": lambda x, y, a=1: x - (y if a == 1 else y * a),
    "addcmul_": lambda x, y, z, a=1: x.addcmul_(y, z, value=a),
    "amax": largest,
    "contiguous": lambda x, *_: x.contiguous(),
    "expand": lambda x, sizes, *_: x.expand(sizes),
    "fft_irfft2": from_frequencies,
    "fft_rfft2": to_frequencies,
    "floor_divide": lambda x, y: x // y,
    "hardsigmoid": lambda x: (x + 3).clamp(0, 6) / 6,
    "hardswish": lambda x: x * (x + 3).clamp(0, 6) / 6,
    "linalg_vector_norm": lambda x, p, dims, keep=False, *_: x.norm(p, dims, keep),
    "maximum": lambda x, y: x.max(y),
    "movedim": moved,
    "new_zeros": lambda x, size, *_: x.new_zeros(size),
    "slice": sliced,
    "square": lambda x: x * x,
    "unflatten": unflattened,
    "var": lambda x, dims, more, keep=False: x.var(dims, more is None or bool(more), keep),
    "view_as_complex": lambda x: x,
    "view_as_real": lambda x: x,
}
