import numpy as np
import pytest
import torch

from vbench.core.clip import Clip, Objects
from vbench.core.errors import VBenchError
from vbench.detectors.dff import Dff
from vbench.detectors.fgfa import Fgfa
from vbench.detectors.lsts import Lsts
from vbench.detectors.rfcn import Rfcn
from vbench.nn.flownet import warped
from vbench.nn.rpn import ProposalRule
from vbench.train.detection_recipe import (
    DetectionRecipe,
    annotated,
    corners_of,
    drawn_frames,
)
from vbench.train.loop import Course, fit

TINY = {"width": 0.0625, "short_px": 64, "anchor_px": 16, "classes": 2}


def clip(frames=20, seed=0):
    """A bright square that moves over noise, and a dark one that stands."""
    rng = np.random.default_rng(seed)
    images, boxes = [], []
    for index in range(frames):
        image = rng.integers(100, 130, (64, 80, 3), dtype=np.uint8)
        x = 4 + 2 * index
        image[20:40, x : x + 20] = 250
        image[44:60, 50:70] = 5
        images.append(image)
        boxes += [[x, 20, 20, 20], [50, 44, 20, 16]]
    rows = np.repeat(np.arange(frames), 2)
    labels = np.tile([0, 1], frames)
    objects = Objects(rows, np.array(boxes, float), labels, labels, np.zeros(2 * frames, bool))
    return Clip("moving", images, objects=objects, known_size=(80, 64))


def recipe(kind, **given):
    made = DetectionRecipe(kind(**TINY, **given), [clip()], 1, "cpu")
    made.rule = ProposalRule(200, 40, 0.7)
    return made


def test_keyframes_stand_before_their_frame_in_the_published_distances():
    rng = np.random.default_rng(0)
    drawn = [drawn_frames(rng, 100, 3) for _ in range(400)]
    inner = [(old, new, last) for old, new, last in drawn if last >= 14]
    assert {last - new for _, new, last in inner} == set(range(10))
    assert {last - old for old, _, last in inner} == set(range(10, 15))
    assert all(0 <= old <= new <= last for old, new, last in drawn)
    middle = [drawn_frames(rng, 100, 3, "middle") for _ in range(400)]
    inner = [(old, new, last) for old, new, last in middle if 10 <= last < 95]
    assert {new - last for _, new, last in inner} == set(range(-5, 5))
    assert {old - last for old, _, last in inner} == set(range(-10, -5))
    around = [drawn_frames(rng, 100, 3, "around") for _ in range(400)]
    steps = {frame - last for *others, last in around for frame in others if 9 <= last < 91}
    assert steps == set(range(-9, 10))
    assert all(a != b for a, b, last in around if 9 <= last < 91)
    pairs = [drawn_frames(rng, 100, 2) for _ in range(400)]
    assert {last - key for key, last in pairs if last >= 9} == set(range(10))
    assert len(drawn_frames(rng, 5, 1)) == 1


def test_mirrored_corners_mirror_boxes():
    boxes = np.array([[10.0, 5, 20, 8]])
    assert corners_of(boxes, 2.0, 160, False).tolist() == [[20, 10, 59, 25]]
    assert corners_of(boxes, 2.0, 160, True).tolist() == [[100, 10, 139, 25]]


def test_ignored_and_absent_objects_are_not_learnt_from():
    found = clip(2).objects
    assert found is not None
    ignore = found.ignore.copy()
    ignore[0] = True
    boxes = found.boxes.copy()
    boxes[3] = np.nan
    changed = Clip(
        "x", clip(2).frames, objects=Objects(found.frame, boxes, found.labels, found.tracks, ignore)
    )
    assert annotated(changed, 0).labels.tolist() == [1]
    assert annotated(changed, 1).labels.tolist() == [0]


@pytest.mark.parametrize("kind", [Rfcn, Dff, Fgfa, Lsts])
def test_every_part_that_runs_gets_a_gradient(kind):
    made = recipe(kind)
    for module in made.module.modules():
        if isinstance(module, torch.nn.Conv2d) and module.weight.std() < 0.02:
            torch.nn.init.normal_(module.weight, std=0.05)
    # A frame from the middle, with both keyframes before it.
    rng = np.random.default_rng(5)
    images = [made.detector.prepare(made.clips[0].frames[i]).tensor for i in (0, 9, 15)]
    features = made.module.joint(images[-made.detector.frames_a_sample :])
    truth = corners_of(annotated(made.clips[0], 15).boxes, 1.0, 80, False).float()
    loss = made._heads_loss(features, (80, 64), truth, torch.tensor([0, 1]), rng)
    loss.backward()
    silent = {
        name
        for name, p in made.module.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.any())
    }
    # Nothing stands between the layers of a quality: its biases cancel between the two features.
    assert not {name for name in silent if not ("quality" in name and name.endswith("bias"))}


def test_identical_frames_bypass_what_joins_frames():
    lsts, dff = recipe(Lsts), recipe(Dff)
    image = lsts.detector.prepare(clip().frames[3]).tensor
    with torch.no_grad():
        for made in (lsts, dff):
            alone = made.module.trunk(image)
            joint = made.module.joint([image] * made.detector.frames_a_sample)
            assert torch.equal(joint, alone)


def test_a_sample_that_only_runs_layers_that_stay_changes_nothing():
    made = recipe(Lsts)
    made.clips = [clip(1)]
    for name, parameter in made.module.named_parameters():
        parameter.requires_grad_(name == "init_offset")
    before = made.module.init_offset.clone()
    assert len(fit(made, Course(1, rate=0.01))) == 1
    assert torch.equal(made.module.init_offset, before)


def test_locations_learn_faster_and_fixed_ones_do_not_move():
    made = recipe(Lsts)
    rates = {
        id(p): group["lr"] for group in made.optimiser(None).param_groups for p in group["params"]
    }
    # 10000 x the published rate of 2.5e-4.
    assert rates[id(made.module.init_offset)] == pytest.approx(2.5 * 2.5e-4)
    assert rates[id(made.module.trunk.resnet.conv1.weight)] == pytest.approx(2.5e-4)
    fixed = recipe(Lsts, learned=False)
    before = fixed.module.init_offset.clone()
    fit(fixed, Course(2, rate=0.01))
    assert torch.equal(fixed.module.init_offset, before)


def test_published_weights_keep_their_first_layers_and_norms():
    detector = Rfcn(**TINY)
    detector.pretrained = True
    network = DetectionRecipe(detector, [clip()], 1, "cpu").module.trunk.resnet
    for kept in (network.conv1.weight, network.res2c_branch2b.weight, network.bn4b7_branch2a.gamma):
        assert not kept.requires_grad
    assert network.res3a_branch1.weight.requires_grad


def test_a_fit_of_seconds_learns_and_repeats():
    curves = [fit(recipe(Rfcn), Course(25, rate=0.01)) for _ in range(2)]
    assert curves[0] == curves[1]
    assert np.mean(curves[0][-8:]) < 0.5 * np.mean(curves[0][:3])


def test_more_classes_than_the_detector_has_are_refused():
    with pytest.raises(VBenchError, match="add classes=2"):
        DetectionRecipe(Rfcn(**{**TINY, "classes": 1}), [clip()], 1, "cpu")


def test_clips_without_objects_are_refused():
    with pytest.raises(VBenchError, match="objects with classes"):
        DetectionRecipe(Rfcn(**TINY), [Clip("x", [])], 1, "cpu")


def test_other_frames_are_warped_here_and_weighed_by_likeness():
    """FGFA's training, written out frame by frame."""
    network = Fgfa(**TINY).network
    first, second, image = (
        torch.randn(1, 3, 64, 80, generator=torch.Generator().manual_seed(k)) for k in range(3)
    )
    with torch.no_grad():
        own = network.embedding(network.trunk(image))
        there, alike = [], []
        for other in (first, second):
            flow, _ = network.flownet(image, other)
            there.append(warped(network.trunk(other), flow))
            embedded = network.embedding(there[-1])
            norms = own.norm(dim=1) * embedded.norm(dim=1)
            alike.append((own * embedded).sum(dim=1) / norms.clamp(min=1e-10))
        weight = 1 / (1 + torch.exp(alike[1] - alike[0]))
        wanted = weight * there[0] + (1 - weight) * there[1]
        assert torch.allclose(network.joint([first, second, image]), wanted, rtol=1e-4, atol=1e-4)
