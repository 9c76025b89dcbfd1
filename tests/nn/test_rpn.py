import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from vbench.nn.nms import nms, nms_by_class, overlaps
from vbench.nn.rpn import ProposalRule, anchors_of, base_anchors, decode, encode, propose

# lib/rpn/generate_anchor.py of msracver/Deep-Feature-Flow for scales 8, 16, 32.
PUBLISHED = [
    [-84, -40, 99, 55],
    [-176, -88, 191, 103],
    [-360, -184, 375, 199],
    [-56, -56, 71, 71],
    [-120, -120, 135, 135],
    [-248, -248, 263, 263],
    [-36, -80, 51, 95],
    [-80, -168, 95, 183],
    [-168, -344, 183, 359],
]


def test_anchors_are_the_published_ones():
    assert base_anchors().tolist() == PUBLISHED


def test_anchors_walk_over_the_map_row_by_row():
    base = torch.tensor(PUBLISHED, dtype=torch.float32)
    found = anchors_of(base, (2, 3), 16)
    assert found.shape == (54, 4)
    assert torch.equal(found[9:18], base + torch.tensor([16, 0, 16, 0]))
    assert torch.equal(found[27:36], base + torch.tensor([0, 16, 0, 16]))


def some_corners(n, seed):
    rng = np.random.default_rng(seed)
    low = np.round(rng.uniform(0, 60, (n, 2)))
    return np.concatenate([low, low + np.round(rng.uniform(0, 40, (n, 2)))], axis=1)


@given(st.integers(0, 10_000))
def test_what_is_coded_decodes_to_itself(seed):
    corners, targets = (torch.from_numpy(some_corners(7, s)) for s in (seed, seed + 1))
    assert torch.allclose(decode(corners, encode(corners, targets)), targets, atol=1e-9)


def test_overlap_counts_whole_pixels():
    # Ten by ten pixels, moved by five: 50 of 150.
    a, b = np.array([0.0, 0, 9, 9]), np.array([5.0, 0, 14, 9])
    assert overlaps(a, b) == 50 / 150
    assert overlaps(a, b, one_px=0.0) == 36 / (2 * 81 - 36)


def kept_by_loops(corners, scores, threshold):
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if all(overlaps(corners[i], corners[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


@given(st.integers(0, 10_000), st.floats(0.1, 0.9))
def test_suppression_equals_plain_loops(seed, threshold):
    rng = np.random.default_rng(seed)
    corners = some_corners(12, seed)
    scores = rng.permutation(12) / 12
    wanted = kept_by_loops(corners, scores, threshold)
    assert nms(corners, scores, threshold).tolist() == wanted
    assert nms(corners, scores, threshold, most=3).tolist() == wanted[:3]
    chances = np.stack([scores, rng.permutation(12) / 12], axis=1)
    by_class = nms_by_class(corners, chances, threshold, floor=0.2)
    for label in range(2):
        above = [i for i in range(12) if chances[i, label] > 0.2]
        wanted = [above[i] for i in kept_by_loops(corners[above], chances[above, label], threshold)]
        assert np.nonzero(by_class[:, label])[0].tolist() == sorted(wanted)


def test_proposals_are_the_best_apart_and_inside():
    anchors = torch.tensor([[0.0, 0, 19, 19], [1, 0, 20, 19], [40, 40, 79, 79], [10, 10, 30, 30]])
    chances = torch.tensor([0.9, 0.8, 0.95, 0.1])
    rule = ProposalRule(before=3, after=2, threshold=0.7)
    corners, scores = propose(chances, torch.zeros(4, 4), anchors, (64, 48), rule)
    assert corners.tolist() == [[40, 40, 63, 47], [0, 0, 19, 19]]
    assert torch.equal(scores, torch.tensor([0.95, 0.9]))
