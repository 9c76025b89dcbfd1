"""PatchNet's milliseconds an object, against its equations written down one after the other.

The straight line below is what the tests compare with as well: the whole frame made floats, every
convolution dense, the normaliser summed 64 times, peaks found cell by cell. Templates are taken at
the keyframe on both sides (the authors' code takes them anew for every frame). VBENCH_TEST_DATA
adds the published weights.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, conv2d, grid_sample, softmax, unfold

from vbench import catalogue
from vbench.core.boxes import Boxes, Floats, Image, to_corners
from vbench.core.roles import Weights
from vbench.cost.architectures import patchnet
from vbench.cost.macs import count

MEAN_BGR = torch.tensor([102.9801, 115.9465, 122.7717])
OBJECTS = (1, 4, 7, 16)
SIZE = (480, 872)
ROUNDS = 12
State = dict[str, Tensor]


def whole_frame(frame: Image) -> Tensor:
    """All pixels as floats (1, 3, h, w), BGR, mean subtracted."""
    pixels = torch.from_numpy(frame[..., ::-1].copy()).float() - MEAN_BGR
    return pixels.permute(2, 0, 1)[None].contiguous()


def crop(pixels: Tensor, corners: Boxes, size: int, align_corners: bool = False) -> Tensor:
    """Boxes x1 y1 x2 y2, 1 added to the last two, warped to squares (n, 3, size, size)."""
    h, w = pixels.shape[-2:]
    x1, y1, x2, y2 = torch.from_numpy(corners + [0, 0, 1, 1]).to(pixels.dtype).T
    theta = torch.zeros(len(corners), 2, 3, dtype=pixels.dtype)
    theta[:, 0, 0], theta[:, 0, 2] = (x2 - x1) / (w - 1), (x1 + x2 - w + 1) / (w - 1)
    theta[:, 1, 1], theta[:, 1, 2] = (y2 - y1) / (h - 1), (y1 + y2 - h + 1) / (h - 1)
    grid = affine_grid(theta, [len(corners), 3, size, size], align_corners=align_corners)
    frames = pixels.expand(len(corners), -1, -1, -1)
    return grid_sample(frames, grid, align_corners=align_corners)


def kernels_of(key: Image, corners: Boxes, state: State, align_corners: bool = False) -> Tensor:
    """Patches (64n, 3, 8, 8) of boxes x1 y1 x2 y2 of a keyframe, their frequencies reweighted."""
    template, n = crop(whole_frame(key), corners, 64, align_corners), len(corners)
    patches = template.view(n, 3, 8, 8, 8, 8).permute(0, 2, 4, 1, 3, 5).reshape(64 * n, 3, 8, 8)
    waves = torch.fft.rfft2(patches, norm="ortho")
    gains = state["feature_layer.freq_coeff"]
    weighted = torch.complex(waves.real * gains[..., 0], waves.imag * gains[..., 1])
    return torch.fft.irfft2(weighted, s=(8, 8), norm="ortho")


def correlate(search: Tensor, kernels: Tensor, coupled: bool) -> Tensor:
    """Normalised responses (n, 64, h, w)."""
    n, _, side, _ = search.shape
    flat = search.reshape(1, 3 * n, side, side)
    responses = conv2d(flat, kernels, stride=2, groups=n)
    energy = conv2d(flat * flat, torch.ones_like(kernels), stride=2, groups=n)
    responses, energy = (maps.view(n, 64, *maps.shape[2:]) for maps in (responses, energy))
    std = energy.std() if coupled else energy.flatten(1).std(dim=1).view(n, 1, 1, 1)
    return responses * (1e-2 / torch.sqrt(energy + std / 10 + 1e-9))


def select(scores: Tensor, offsets: Tensor, state: State, pool: str) -> tuple[Tensor, Tensor]:
    """Maximum of scores, offsets weighted by the softmax of scores."""
    n, c, h, w = scores.shape
    window = unfold(scores, 2, stride=2).view(n, c, 1, 4, h // 2, w // 2)
    moved = unfold(offsets, 2, stride=2).view(n, c, 4, 4, h // 2, w // 2)
    weight = softmax(window * state[f"{pool}.alpha"], dim=3)
    moved = weight * (moved + state[f"{pool}.offset_addi"])
    return window.amax(dim=3)[:, :, 0], moved.sum(dim=3).reshape(n, 4 * c, h // 2, w // 2)


def aggregate(responses: Tensor, state: State) -> tuple[Tensor, Tensor]:
    """Scores (n, 1, r, r) and offsets (n, 4, r, r)."""
    scores = conv2d(responses, state["conv2.weight"])
    offsets = torch.zeros_like(scores).repeat(1, 4, 1, 1)
    scores, offsets = select(scores, offsets, state, "pool2")
    scores = conv2d(scores, state["conv3.weight"])
    offsets = conv2d(offsets, state["conv3reg.weight"])
    scores, offsets = select(scores, offsets, state, "pool3")
    return conv2d(scores, state["conv4.weight"]), conv2d(offsets, state["conv4reg.weight"])


def peak_cell_by_cell(scores: Floats) -> tuple[float, int]:
    """Peak score of one map (h, w), and the flat index of its place."""
    h, w = scores.shape
    heights = np.maximum(scores - 0.75 * scores.max(), 0)
    peaks = {}
    for y in range(h):
        for x in range(w):
            near = heights[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            if (near >= heights[y, x]).sum() == 1:
                peaks[y * w + x] = heights[y, x]
    if not peaks:
        return 0.0, int(heights.argmax())
    best = max(peaks, key=lambda cell: peaks[cell])
    return float(peaks[best] / (sum(peaks.values()) + 1e-9)), best


def straight_line(
    frame: Image,
    kernels: Tensor,
    prior: Boxes,
    state: State,
    resp_size: int = 7,
    align_corners: bool = False,
    coupled: bool = False,
) -> tuple[Boxes, Floats]:
    """Boxes x1 y1 x2 y2 (n, 4) and scores: kernels (64n, 3, 8, 8) found around `prior` (n, 4)."""
    size = 63 + 8 * resp_size
    centre, half = (prior[:, :2] + prior[:, 2:]) / 2, (prior[:, 2:] - prior[:, :2]) * size / 128
    areas = np.concatenate([centre - half, centre + half], axis=1)
    search = crop(whole_frame(frame), areas, size, align_corners)
    scores, offsets = aggregate(correlate(search, kernels, coupled), state)
    found, belief = [], []
    for row, box in enumerate(prior):
        score, cell = peak_cell_by_cell(scores[row, 0].double().numpy())
        y, x = divmod(cell, resp_size)
        sides = np.tile(box[2:] - box[:2], 2) * 8 / 64
        y1, y2, x1, x2 = offsets[row, :, y, x].double().numpy()
        middle = (resp_size - 1) / 2
        step = np.array([x - middle, y - middle, x - middle, y - middle])
        found.append(box + (step + [x1, y1, x2, y2]) * sides)
        belief.append(score)
    return np.array(found), np.array(belief)


def best_of(*calls: Callable[[], object]) -> list[float]:
    """Least milliseconds of each call, in turns, so that a busy moment hits all of them."""
    least = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for index, call in enumerate(calls):
            begun = time.perf_counter()
            call()
            least[index] = min(least[index], (time.perf_counter() - begun) * 1e3)
    return least


def published() -> Weights | None:
    """The authors' checkpoint where the test data is here."""
    path = Path(os.environ.get("VBENCH_TEST_DATA", "")) / "weights/patchnet/patchnet.pth"
    return Weights("patchnet", {path.name: path}, "") if path.is_file() else None


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    key, frame = rng.integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)
    propagator = catalogue.build(
        "propagators", "patchnet", {"prior": "keyframe"}, weights=published()
    )
    state = dict(propagator.network.state_dict())
    executed = count(propagator.work()["propagate"]).macs_per_object
    official = sum(patchnet().values())
    print(f"MACs an object: {official / 1e6:.3f} M as the authors count")
    print(f"                {executed / 1e6:.3f} M executed")
    settings = {name: os.environ[name] for name in os.environ if name.startswith("MALLOC_")}
    print(f"frame {SIZE[1]}x{SIZE[0]}, allocator settings: {settings or 'default'}")
    print("threads objects  straight line   patchnet   ratio   of the f32 matmul limit")
    a = torch.randn(1024, 1024)
    with torch.inference_mode():
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for n in OBJECTS:
                boxes = np.concatenate(
                    [rng.uniform(60, 380, (n, 2)), np.full((n, 2), 60.0)], axis=1
                )
                corners = to_corners(boxes)
                propagator.anchor(key, boxes)
                kernels = kernels_of(key, corners, state)
                slow, fast, product = best_of(
                    partial(straight_line, frame, kernels, corners, state),
                    partial(propagator.propagate, frame),
                    partial(torch.mm, a, a),
                )
                limit = executed / (1024**3 / product)
                print(
                    f"{threads:7d} {n:7d} {slow / n:9.2f} ms {fast / n:8.2f} ms {slow / fast:7.1f}"
                    f"   {fast / n / limit:.2f} times {limit:.2f} ms"
                )


if __name__ == "__main__":
    main()
