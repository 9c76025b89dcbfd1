"""DCFNet: a correlation filter, learnt anew on every frame, on two small convolutions.

Wang et al., DCFNet: Discriminant Correlation Filters Network for Visual Tracking, 2017; constants
and crops of foolwood/DCFNet_pytorch (track/DCFNet.py:15-43, track/net.py, track/util.py:27-35),
whose `param.pth` loads.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from vbench.core.boxes import Box, Floats, Image
from vbench.core.roles import Estimate, Weights, Work, WorkTable
from vbench.nn.alexnet import xavier
from vbench.nn.correlation import wrapped_gaussian
from vbench.nn.state import load_into, read_state, seeded

CROP_PX = 125
PADDING = 2.0
RIDGE = 1e-4
LABEL_SIGMA = 0.1
RATE = 0.01
# The reference writes `3 / 2` and was run by Python 2: the middle scale is 1.
FACTORS = 1.0275 ** np.array([-1.0, 0.0, 1.0])
DISCOUNTS = 0.9925 ** np.array([1.0, 0.0, 1.0])
SMALLEST_PX, SMALLEST_FACTOR, LARGEST_FACTOR = 4.0, 0.2, 5.0
MEAN_BGR = (104.0, 117.0, 123.0)


class ChannelNorm(nn.Module):
    """Local response normalisation over 5 channels, alpha 1e-4 / 5, beta 0.75, k 1."""

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w) -> the same shape."""
        # Sums of shifted planes and x^-3/4 by square roots: four times faster than torch's own.
        # Crops come with channels last, which suits convolutions but not what follows.
        features = features.contiguous()
        squares = features * features
        total = squares.clone()
        for shift in (1, 2):
            total[:, shift:] += squares[:, :-shift]
            total[:, :-shift] += squares[:, shift:]
        root = total.mul_(1e-4 / 5).add_(1).rsqrt_()
        # Not in place: the gradient wants the root.
        return features * (root.sqrt() * root)


class DCFNetFeatures(nn.Module):
    """Crops (n, 3, 125, 125), BGR minus its mean -> features (n, 32, 125, 125)."""

    def __init__(self) -> None:
        super().__init__()
        self.feature = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            ChannelNorm(),
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Return the features of `crops`."""
        found: Tensor = self.feature(crops)
        return found


class DCFNet:
    """The tracker: three scales are searched, the filter follows at one per cent a frame.

    The score is the highest response; its label on the first frame is 1.
    """

    def __init__(self, weights: Weights | None = None, device: str = "cpu", seed: int = 0) -> None:
        with seeded(seed):
            self.network = DCFNetFeatures()
            xavier(self.network)
        if weights is not None:
            path = next(iter(weights.files.values()))
            load_into(self.network, read_state(path), path.name, _native_key)
        self.network = self.network.eval().to(device)
        self.device = device
        window = np.outer(np.hanning(CROP_PX), np.hanning(CROP_PX))
        self.window = torch.from_numpy(window).float().to(device)
        self.mean = torch.tensor(MEAN_BGR, device=device)[:, None, None]
        self.label = torch.fft.rfft2(torch.from_numpy(gaussian_label()).float()).to(device)

    def start(self, frame: Image, box: Box) -> None:
        """Learn the filter from `box` (4,)."""
        self.size = np.maximum(box[2:], 1e-3)
        self.centre = box[:2] + self.size / 2
        frame_size = np.array(frame.shape[1::-1], dtype=np.float64)
        self.smallest = np.maximum(SMALLEST_FACTOR * self.size, SMALLEST_PX)
        # The reference compares with (height, width), swapped.
        self.largest = np.minimum(frame_size, LARGEST_FACTOR * self.size)
        self.template, self.filter = self._learn(frame)

    def track(self, frame: Image) -> Estimate:
        """Search around the last place, then learn."""
        responses = self._responses(frame)
        peaks = responses.reshape(len(FACTORS), -1).max(axis=1) * DISCOUNTS
        best = int(np.argmax(peaks))
        place = np.unravel_index(responses[best].argmax(), responses[best].shape)
        # Responses wrap around: the far half are negative displacements.
        shift = np.array([p - CROP_PX if p > CROP_PX / 2 else p for p in place[::-1]], dtype=float)
        window = self.size * FACTORS[best] * (1 + PADDING)
        self.centre = self.centre + shift * window / CROP_PX
        bounded = np.minimum(np.maximum(self.size * FACTORS[best], self.smallest), self.largest)
        self.size = bounded
        template, newest = self._learn(frame)
        self.template = (1 - RATE) * self.template + RATE * template
        self.filter = (1 - RATE) * self.filter + RATE * newest
        box = np.concatenate([self.centre - self.size / 2, self.size])
        return Estimate(box, float(peaks[best]))

    def reseat(self, box: Box) -> None:
        """Search around `box` with its size next; the filter stays."""
        self.size = np.maximum(box[2:], 1e-3)
        self.centre = box[:2] + box[2:] / 2

    def work(self) -> WorkTable:
        """Features of one crop at the start; of three scales and the new place on each frame."""
        crop = torch.zeros(1, 3, CROP_PX, CROP_PX, device=self.device)
        left_out = ("crops", "Fourier transforms")

        def features(times: int) -> Work:
            return Work("features", self.network, (crop,), times=float(times), uncounted=left_out)

        return {"start": [features(1)], "track": [features(len(FACTORS) + 1)]}

    def _spectra(self, frame: Image, factors: Floats) -> Tensor:
        """Spectra of windowed features at each of `factors`: complex (n, 32, 125, 63)."""
        planes = self.planes(frame, self.centre, self.size, factors)
        with torch.inference_mode():
            features = self.network(planes - self.mean) * self.window
            spectra: Tensor = torch.fft.rfft2(features)
        return spectra

    def planes(self, frame: Image, centre: Floats, size: Floats, factors: Floats) -> Tensor:
        """Crops (n, 3, 125, 125), BGR, three times as wide as a target of `size` times `factors`.

        centre (x, y) and size (w, h) in px; what is outside the frame is black.
        """
        windows = [size * (1 + PADDING) * factor for factor in factors]
        crops = np.stack([_crop(frame, centre, window) for window in windows])
        return torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2).flip(1).float()

    def _learn(self, frame: Image) -> tuple[Tensor, Tensor]:
        """Spectra of template (32, 125, 63) and filter (125, 63): ridge regression, eq. 2-3."""
        spectrum = self._spectra(frame, np.ones(1))[0]
        energy = (spectrum.real**2 + spectrum.imag**2).sum(dim=0)
        return spectrum, self.label / (energy + RIDGE)

    def _responses(self, frame: Image) -> Floats:
        """Responses (scales, 125, 125), zero displacement at the origin."""
        spectra = self._spectra(frame, FACTORS)
        with torch.inference_mode():
            kernel = (spectra * self.template.conj()).sum(dim=1)
            responses = torch.fft.irfft2(kernel * self.filter, s=(CROP_PX, CROP_PX))
        found: Floats = responses.double().cpu().numpy()
        return found


def _crop(frame: Image, centre: Floats, window: Floats) -> Image:
    scale = (CROP_PX - 1) / window
    shift = -scale * (centre - window / 2)
    warp = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    crop: Image = np.asarray(cv2.warpAffine(frame, warp, (CROP_PX, CROP_PX)), dtype=np.uint8)
    return crop


def gaussian_label() -> Floats:
    """The wanted response (125, 125): a Gaussian around the origin, wrapped."""
    return wrapped_gaussian(CROP_PX, CROP_PX / (1 + PADDING) * LABEL_SIGMA)


def _native_key(key: str) -> str:
    """Files of the reference's training prefix its key names once more."""
    return key.removeprefix("feature.") if key.startswith("feature.feature.") else key
