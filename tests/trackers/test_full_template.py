"""Full-template correlation against OpenCV's."""

import cv2
import numpy as np
import torch

from vbench.cost.macs import count
from vbench.trackers.full_template import FullTemplate, correlation, template_spectra


def test_correlation_is_that_of_opencv() -> None:
    rng = np.random.default_rng(0)
    search = cv2.GaussianBlur(rng.normal(0, 400, (119, 119, 3)), (0, 0), 3).astype(np.float32) + 90
    template = np.ascontiguousarray(search[20:84, 31:95])
    expected = cv2.matchTemplate(search, template, cv2.TM_CCOEFF_NORMED)
    mean = template.mean(axis=(0, 1))
    crops = [torch.from_numpy((a - mean).transpose(2, 0, 1))[None] for a in (search, template)]
    found = correlation(crops[0], *template_spectra(crops[1]))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.unravel_index(found.argmax(), found.shape) == (20, 31)


def test_a_copy_of_the_template_correlates_fully() -> None:
    # Search areas start 27.5 template pixels before the box: with 64 px boxes whose corners lie
    # half a pixel off, both crops see the same pixels.
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    frame = cv2.GaussianBlur(frame, (0, 0), 4)
    propagator = FullTemplate()
    propagator.anchor(frame, np.array([[60.0, 70, 64, 64]]))
    found = propagator.propagate(frame)
    assert found.belief[0] > 0.99
    assert np.abs(found.boxes[0] - [60, 70, 64, 64]).max() <= 0.5


def test_a_flat_window_does_not_correlate() -> None:
    template = torch.randn(2, 3, 64, 64)
    template[1] = 0
    spectra, energy = template_spectra(template - template.mean(dim=(2, 3), keepdim=True))
    search = torch.full((2, 3, 119, 119), 200.0)
    search[1] = torch.randn(3, 119, 119) * 50
    assert correlation(search, spectra, energy).abs().max() < 1e-2


def test_transforms_cost_a_fraction_of_the_direct_sum() -> None:
    direct = 56 * 56 * 64 * 64 * 3
    transform = 2.5 * 120**2 * np.log2(120**2) / 2
    executed = count(FullTemplate().work()["propagate"]).by_op
    assert executed["fft_rfft2"] + executed["fft_irfft2"] == 4 * transform
    assert sum(executed.values()) < direct / 30
