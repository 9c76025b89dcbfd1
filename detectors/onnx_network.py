"""A published ONNX file in onnxruntime, for detectors that are published as nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vbench.core.errors import NotReady, VBenchError
from vbench.core.roles import Weights

Planes = NDArray[np.float32]  # (1, channels, rows, columns)


class OnnxNetwork:
    """One input image, any outputs. Threads are those of the run: one, if nobody says otherwise."""

    def __init__(self, method: str, weights: Weights | None, device: str, threads: int = 1) -> None:
        if weights is None:
            raise NotReady(
                f"{method} runs its published file: `vbench weights fetch {method}`, or name it "
                f"with --weights {method}=FILE"
            )
        self.path = next(iter(weights.files.values()))
        self.session = _opened(method, self.path, device, threads)
        self.input: str = self.session.get_inputs()[0].name

    def __call__(self, planes: Planes) -> list[NDArray[np.float32]]:
        """Run the network; its outputs in the order of the file."""
        found: list[NDArray[np.float32]] = self.session.run(None, {self.input: planes})
        return found

    def shape(self) -> list[Any]:
        """Shape of the input as the file states it."""
        shape: list[Any] = self.session.get_inputs()[0].shape
        return shape


def _opened(method: str, path: Path, device: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    wanted = "CUDAExecutionProvider" if device.startswith("cuda") else "CPUExecutionProvider"
    if wanted not in onnxruntime.get_available_providers():
        raise NotReady(f"{method}: this onnxruntime has no {wanted}; use --device cpu")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[wanted])
    except Exception as error:
        # onnxruntime raises classes of its own, which no name of its interface covers.
        reason = str(error).splitlines()[0][:120]
        raise VBenchError(
            f"{method}: {path.name} is no ONNX model that runs here: {reason}"
        ) from None
