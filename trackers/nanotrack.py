"""NanoTrack: a MobileNet, a pixel-wise correlation and anchor-free boxes.

HonglinChu/SiamTrackers, NanoTrack/nanotrack/tracker/nano_tracker.py; published boxes of version 1
on VOT2018 come out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Box, Floats, Image
from vbench.core.errors import NotReady
from vbench.core.roles import Estimate, Weights, Work, WorkTable
from vbench.nn.crop import context_sides, mean_colour, square_crops, windows_around
from vbench.nn.onnx_file import load_layers, with_inputs
from vbench.nn.state import load_into, read_state, seeded

from .nanotrack_network import HeadV1, HeadV3, NanoTrackNetwork
from .proposals import Taste, choose, cosine_window, grid, settle

EXEMPLAR_PX, INSTANCE_PX, STRIDE_PX = 127, 255, 16
ONNX = ".onnx"
HEADS: dict[str, type[HeadV1] | type[HeadV3]] = {"v1": HeadV1, "v3": HeadV3}
# NanoTrack/models/config/configv1.yaml and configv3.yaml.
TASTES = {"v1": Taste(0.148, 0.462, 0.390), "v3": Taste(0.138, 0.455, 0.348)}


class NanoTrack:
    """The tracker, version 1 or 3; `backend` "onnx" runs the published files in onnxruntime.

    The score is the softmax score of the chosen point.
    """

    def __init__(
        self,
        version: Literal["v1", "v3"] = "v1",
        backend: Literal["torch", "onnx"] = "torch",
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        # Trained networks have their norms folded into the convolutions.
        self.trained = weights is not None
        self.network = nanotrack_network(version, weights, device, seed)
        self.backend = backend
        self.files = published(weights)
        self.sessions: Sessions | None = None
        if backend == "onnx":
            if self.files is None:
                raise NotReady(
                    "nanotrack[backend=onnx] runs the published files: name them with --weights"
                )
            self.sessions = open_sessions(self.files)
        self.device = device
        self.taste = TASTES[version]
        side = HEADS[version].side
        self.window, self.points = cosine_window(side), grid(side, STRIDE_PX)

    def start(self, frame: Image, box: Box) -> None:
        """Take the template from `box` (4,)."""
        self.size = np.maximum(box[2:], 1e-3)
        self.centre = box[:2] + (self.size - 1) / 2
        self.fill = mean_colour(frame, "down")
        self.template = self._features(self._crop(frame, context_sides(self.size), EXEMPLAR_PX))

    def track(self, frame: Image) -> Estimate:
        """Search around the last place."""
        side = float(context_sides(self.size))
        scale = EXEMPLAR_PX / side
        crop = self._crop(frame, side * INSTANCE_PX / EXEMPLAR_PX, INSTANCE_PX)
        scores, centres, sizes = self._proposals(self._features(crop))
        chosen = choose(sizes, scores, self.window, self.size * scale, self.taste)
        rate = chosen.penalty * chosen.score * self.taste.rate
        self.centre, self.size = settle(
            self.centre + centres[chosen.place] / scale,
            self.size * (1 - rate) + sizes[chosen.place] / scale * rate,
            (frame.shape[1], frame.shape[0]),
        )
        return Estimate(np.concatenate([self.centre - self.size / 2, self.size]), chosen.score)

    def reseat(self, box: Box) -> None:
        """Search around `box` with its size next; the template stays."""
        self.size = np.maximum(box[2:], 1e-3)
        self.centre = box[:2] + box[2:] / 2

    def work(self) -> WorkTable:
        """The backbone on each crop, the head on each frame."""
        backbone, head = self.network.backbone, self.network.head
        crops = [torch.zeros(1, 3, s, s, device=self.device) for s in (EXEMPLAR_PX, INSTANCE_PX)]
        features = [torch.zeros(1, backbone.width, s, s, device=self.device) for s in (8, 16)]
        start = [Work("backbone", backbone, crops[:1])]
        if self.sessions is not None and self.files is not None:
            track = [Work("backbone", onnx=self.files[0]), Work("head", onnx=self.files[1])]
        else:
            track = [Work("backbone", backbone, crops[1:]), Work("head", head, features)]
        return {"start": start, "track": track}

    def _crop(self, frame: Image, side: Floats | float, size: int) -> Tensor:
        windows = windows_around(self.centre, side, "up")
        return square_crops(frame, windows, size, self.fill, self.device).flip(1)

    def _features(self, crop: Tensor) -> Tensor:
        if self.sessions is not None:
            session = self.sessions.exemplar if crop.shape[-1] == EXEMPLAR_PX else None
            return _run(session or self.sessions.instance, {"input": crop})[0]
        with torch.inference_mode():
            found: Tensor = self.network.backbone(crop)
        return found

    def _proposals(self, search: Tensor) -> tuple[Floats, Floats, Floats]:
        """Scores (n,), centres x y and sizes w h (n, 2) in crop pixels, from the crop's centre."""
        if self.sessions is not None:
            given = {"input1": self.template, "input2": search}
            logits, distances = _run(self.sessions.head, given)
        else:
            with torch.inference_mode():
                logits, distances = self.network.head(self.template, search)
        left_top, right_bottom = distances[0].double().reshape(2, 2, -1).cpu().numpy()
        scores = logits[0].double().reshape(2, -1).softmax(dim=0)[1].cpu().numpy()
        sizes = np.clip((left_top + right_bottom).T, 1e-3, 1e6)
        return scores, self.points + (right_bottom - left_top).T / 2, sizes


class Sessions(NamedTuple):
    """onnxruntime sessions of the backbone at both crop sizes and of the head."""

    exemplar: Any
    instance: Any
    head: Any


def nanotrack_network(
    version: str, weights: Weights | None, device: str, seed: int
) -> NanoTrackNetwork:
    """Build the network in eval mode: from ONNX files, from a file of tensors, or from `seed`."""
    with seeded(seed):
        network = NanoTrackNetwork(HEADS[version])
    files, own = published(weights), fitted(weights)
    if files is not None:
        load_layers(network.backbone, files[0])
        load_layers(network.head, files[1])
    elif own is not None:
        load_into(network, read_state(own), own.name)
    else:
        network.begin(EXEMPLAR_PX / 4)
    return network.eval().to(device)


def fitted(weights: Weights | None) -> Path | None:
    """Return the one file of tensors, as a fit writes it."""
    files = {} if weights is None else weights.files
    own = [path for name, path in files.items() if not name.endswith(ONNX)]
    return own[0] if len(own) == len(files) == 1 else None


def published(weights: Weights | None) -> tuple[Path, Path] | None:
    """Return the files of the backbone and of the head."""
    if weights is None or fitted(weights) is not None:
        return None
    found = {
        part: path for name, path in weights.files.items() for part in ("backbone", "head")
        if part in name
    }  # fmt: skip
    if len(found) != 2:
        names = ", ".join(weights.files) or "no file"
        raise NotReady(
            f"nanotrack wants an ONNX file of the backbone and one of the head, not {names}"
        )
    return found["backbone"], found["head"]


def open_sessions(files: tuple[Path, Path]) -> Sessions:
    """Open the files in onnxruntime on one thread; the backbone is fixed to 255 px in its file."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise NotReady(
            "nanotrack[backend=onnx] needs the module onnxruntime: pip install 'vbench[onnx]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3

    def opened(model: Any) -> Any:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    smaller = with_inputs(files[0], {"input": (1, 3, EXEMPLAR_PX, EXEMPLAR_PX)})
    return Sessions(opened(smaller), opened(files[0]), opened(files[1]))


def _run(session: Any, given: dict[str, Tensor]) -> list[Tensor]:
    arrays = {name: np.ascontiguousarray(tensor.cpu().numpy()) for name, tensor in given.items()}
    return [torch.from_numpy(found) for found in session.run(None, arrays)]
