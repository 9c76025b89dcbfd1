"""Networks of some methods, written so that a device that cannot run vbench can time them.

A bundle is a folder: bundle.json, run_profile.py (Python 3.6, torch >= 1.4 or onnxruntime), and for
each network its TorchScript and the same graph as a plain list of operators with its tensors as
plain numbers, because a torch as old as the device's cannot read a newer one's scripts.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vbench import __version__
from vbench.core.errors import VBenchError
from vbench.core.roles import Work, Worker
from vbench.cost.macs import as_module, count_part, without_gradients
from vbench.run.compose import Composed

SCHEMA = 1
RUNNER = Path(__file__).with_name("device_runner.py")
OPERATORS = Path(__file__).with_name("device_operators.py")
OBJECTS = (1, 4, 7)


@dataclass
class _Writer:
    """Numbers the files of a bundle and keeps what is said of them."""

    folder: Path
    components: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    trtexec: list[str] = field(default_factory=list)
    files: int = 0

    def next_name(self, hint: str) -> str:
        self.files += 1
        return f"{self.files:02d}-{re.sub(r'[^A-Za-z0-9]+', '-', hint).strip('-').lower()}"


def write_bundle(
    methods: Sequence[Composed], folder: Path, objects: Sequence[int] = OBJECTS
) -> dict[str, Any]:
    """Write the networks of `methods` and their runner into `folder`; return what is in it.

    What is no network (crops, numpy, OpenCV) cannot travel and is listed as left out.

    Raises:
        VBenchError: the folder is not empty or cannot be written, or nothing can travel.
    """
    _prepare(folder)
    writer = _Writer(folder)
    seen: set[str] = set()
    for composed in methods:
        parts = composed.stepper.parts()
        for part, name in zip(parts, [composed.method.base, *composed.method.parts], strict=False):
            if str(name) not in seen:
                seen.add(str(name))
                _write_model(writer, str(name), part, objects)
    if not writer.components:
        raise VBenchError(f"nothing of these methods can travel: {'; '.join(writer.left_out)}")
    found = {
        "schema": SCHEMA,
        "vbench": __version__,
        "components": writer.components,
        "left_out": writer.left_out,
        "trtexec": writer.trtexec,
    }
    (folder / "bundle.json").write_text(json.dumps(found, indent=1, sort_keys=True))
    (folder / "run_profile.py").write_text(runner_source())
    return found


def runner_source() -> str:
    """Return the one file that runs on the device: the runner with its operators put in."""
    head, line, tail = RUNNER.read_text().partition(
        "from vbench.run.device_operators import Program, place\n"
    )
    assert line  # noqa: S101  (the two files belong together)
    operators = OPERATORS.read_text().partition("from typing import Any\n")[2]
    return head + operators.lstrip("\n") + "\n" + tail


def _prepare(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise VBenchError(f"--bundle {folder}: name a new or empty folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VBenchError(f"--bundle {folder} cannot be written: {error.strerror}") from None


def _write_model(writer: _Writer, name: str, model: Any, objects: Sequence[int]) -> None:
    if not isinstance(model, Worker):
        writer.left_out.append(f"{name}: says nothing of its work")
        return
    for call, works in model.work().items():
        for n in objects if any(work.per_object for work in works) else (1,):
            label = f"{name}.{call} x {n}"
            parts = [found for work in works if (found := _write_part(writer, label, work, n))]
            if len(parts) == len(works) and parts:
                writer.components.append(
                    {"model": name, "call": call, "objects": n, "parts": parts}
                )


def _write_part(writer: _Writer, label: str, work: Work, n: int) -> dict[str, Any] | None:
    """Write one network and say what it is, or say why it stays."""
    said = {"name": work.name, "times": work.times, "macs": None}
    macs = count_part(work).macs
    if macs == macs:
        said["macs"] = macs * (n if work.per_object else 1)
    if work.onnx is not None:
        return said | _write_onnx(writer, label, work)
    if work.module is None:
        writer.left_out.append(f"{label}: {work.name} is no network")
        return None
    inputs = [_repeated(tensor, n if work.per_object else 1) for tensor in work.inputs]
    stem = writer.next_name(f"{label} {work.name}")
    try:
        return said | _write_traced(writer, stem, work.module, inputs)
    except Exception as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        writer.left_out.append(f"{label}: {work.name} cannot be traced: {why}")
        return None


def _write_onnx(writer: _Writer, label: str, work: Work) -> dict[str, Any]:
    from vbench.cost.onnx_graph import read_graph

    assert work.onnx is not None  # noqa: S101  (the caller asked)
    name = f"{writer.next_name(f'{label} {work.name}')}.onnx"
    shutil.copyfile(work.onnx, writer.folder / name)
    shapes = read_graph(work.onnx).inputs
    writer.trtexec.append(f"trtexec --onnx={name} --fp16")
    inputs = [{"name": key, "shape": [s or 1 for s in v]} for key, v in shapes.items()]
    return {"onnx": name, "inputs": inputs}


def _write_traced(writer: _Writer, stem: str, module: Any, inputs: list[Any]) -> dict[str, Any]:
    import torch

    with torch.no_grad(), without_gradients(module), _quiet():
        trace: Any = torch.jit.trace
        traced = trace(as_module(module), tuple(inputs), check_trace=False)
        torch.jit.save(traced, str(writer.folder / f"{stem}.pt"))
        program, tensors = graph_program(traced)
    packed, program["tensors"] = packed_tensors(tensors)
    (writer.folder / f"{stem}.bin").write_bytes(packed)
    (writer.folder / f"{stem}.json").write_text(json.dumps(program))
    said: dict[str, Any] = {
        "script": f"{stem}.pt", "program": f"{stem}.json", "tensors": f"{stem}.bin",
    }  # fmt: skip
    if _export_onnx(module, inputs, writer.folder / f"{stem}.onnx"):
        said["onnx"] = f"{stem}.onnx"
        writer.trtexec.append(f"trtexec --onnx={stem}.onnx --fp16")
    shapes = [{"shape": list(t.shape), "dtype": str(t.dtype).rpartition(".")[2]} for t in inputs]
    return said | {"inputs": shapes}


def packed_tensors(tensors: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return the numbers of tensors one after the other, little-endian, and where each one stands.

    That is its dtype, its shape, and the bytes at which it begins and ends.
    """
    import torch

    packed, places = bytearray(), {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        begin = len(packed)
        packed += plain.reshape(-1).view(torch.uint8).numpy().tobytes()
        dtype = str(plain.dtype).rpartition(".")[2]
        places[name] = [dtype, list(plain.shape), begin, len(packed)]
    return bytes(packed), places


def _export_onnx(module: Any, inputs: list[Any], path: Path) -> bool:
    """Write ONNX where torch can: it wants the onnx package, and not every operator has one."""
    import torch

    if not isinstance(module, torch.nn.Module) or find_spec("onnx") is None:
        return False
    unheard = io.StringIO()  # the exporter prints the graphs that it cannot write
    with suppress(Exception), torch.no_grad(), _quiet(), redirect_stdout(unheard):
        torch.onnx.export(module, tuple(inputs), str(path), dynamo=False)
        return True
    path.unlink(missing_ok=True)
    return False


def _repeated(tensor: Any, n: int) -> Any:
    return tensor.clone().repeat(n, *[1] * (tensor.ndim - 1)) if n > 1 else tensor.clone()


def graph_program(traced: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a traced module as a list of operators, and the tensors that it holds by name.

    A step is [operator, inputs, outputs]; an input is ["v", value name], ["t", tensor name] or
    ["c", constant]. Devices are written as {"device": 1} for the runner to fill in.
    """
    import torch

    graph = traced.inlined_graph
    values: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    steps = []
    own = isinstance(traced, torch.jit.ScriptModule)
    inputs = list(graph.inputs())
    if own:
        values[inputs[0].debugName()] = ("module", traced)
    for node in graph.nodes():
        kind, name = node.kind(), [value.debugName() for value in node.outputs()]
        if kind == "prim::GetAttr":
            holder = values[next(node.inputs()).debugName()][1]
            found = getattr(holder, node.s("name"))
            values[name[0]] = _held(found, tensors)
        elif kind == "prim::Constant":
            values[name[0]] = _held(next(node.outputs()).toIValue(), tensors)
        else:
            given = [_reference(values, value.debugName()) for value in node.inputs()]
            steps.append([kind, given, name])
    outputs = [_reference(values, value.debugName()) for value in graph.outputs()]
    names = [value.debugName() for value in inputs[1 if own else 0 :]]
    return {"inputs": names, "steps": steps, "outputs": outputs}, tensors


def _held(found: Any, tensors: dict[str, Any]) -> tuple[str, Any]:
    import torch

    if isinstance(found, torch.Tensor):
        name = next((k for k, v in tensors.items() if v is found), f"t{len(tensors)}")
        tensors[name] = found
        return "t", name
    if isinstance(found, torch.device):
        return "c", {"device": 1}
    if found is None or isinstance(found, bool | int | float | str | list):
        return "c", found
    return "module", found


def _reference(values: dict[str, Any], name: str) -> list[Any]:
    kind, found = values.get(name, ("v", name))
    if kind == "module":
        raise ValueError("a module used as a value")
    return [kind, found]


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # Tracing warns of every Python number that it fixes; here that is what is wanted.
        warnings.simplefilter("ignore")
        yield
