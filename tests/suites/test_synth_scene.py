"""The renderer draws a sprite exactly where the ground truth says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbench.core.boxes import to_corners
from vbench.suites.synth_motion import camera, motion, seen_at, through, wander
from vbench.suites.synth_scene import Actor, Light, Scene, Sprite
from vbench.suites.synth_shape import blob, inside, plate, polygon
from vbench.suites.synth_texture import Texture

SIZE = (200, 160)
BLACK = Texture((0,), np.zeros((1, 1, 3), np.uint8), (4, 9), 1, rough=0.0)
WHITE = Texture((0,), np.full((1, 1, 3), 255, np.uint8), (4, 9), 1, rough=0.0)
OUTLINES = {
    "plate": plate((40.0, 30.0)),
    "blob": blob(np.random.default_rng(3), (36.0, 52.0)),
    "star": polygon(5, (50.0, 46.0), inner=0.45),
}


def scene_of(actors, n=1, view=None, background=BLACK):
    still = camera(SIZE, np.tile(np.array(SIZE) / 2, (n, 1))) if view is None else view
    light = Light(np.ones(n), np.zeros(n), np.zeros((n, 2)))
    return Scene(SIZE, SIZE, background, still, actors, light, noise=0)


def drawn_span(line):
    """Where the profile `line` of a mask begins and ends: partly covered pixels count in part."""
    (full,) = np.nonzero(line > 0.98)
    return full[0] - line[: full[0]].sum(), full[-1] + 1 + line[full[-1] + 1 :].sum()


def drawn_corners(image):
    """Sub-pixel x1 y1 x2 y2 of white on black."""
    mask = image[..., 0] / 255.0
    (x1, x2), (y1, y2) = drawn_span(mask.max(axis=0)), drawn_span(mask.max(axis=1))
    return np.array([x1, y1, x2, y2])


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from(sorted(OUTLINES)),
    scale=st.floats(0.4, 2.0),
    angle=st.floats(-np.pi, np.pi),
    turn=st.floats(-0.9, 0.9),
    bend=st.sampled_from([0.0, 6.0]),
    shift=st.tuples(st.floats(-15, 15), st.floats(-10, 10)),
    zoom=st.floats(0.8, 1.25),
    roll=st.floats(-0.5, 0.5),
)
def test_box_is_where_the_sprite_is_drawn(shape, scale, angle, turn, bend, shift, zoom, roll):
    middle = np.array([SIZE]) / 2
    pose = {"scale": scale, "angle": angle, "turn": turn, "bend": bend, "phase": 0.7}
    actor = Actor(Sprite(OUTLINES[shape], WHITE), motion(1, middle + shift, **pose))
    scene = scene_of([actor], view=camera(SIZE, middle, zoom, roll))
    box = scene.boxes(actor)[0]
    if (box[:2] < 1).any() or (box[:2] + box[2:] > np.array(SIZE) - 1).any():
        return
    error = np.abs(drawn_corners(scene.render(0)) - to_corners(box))
    # Tips that are thinner than a pixel fade: those of a star, and the corners of a bent plate.
    thin = shape == "star" or (shape == "plate" and bend)
    assert error.max() <= (2.5 if thin else 1.0)


@pytest.mark.parametrize("part", [0.0, 0.25, 0.5, 0.75])
def test_edges_are_placed_to_a_tenth_of_a_pixel(part):
    """A plate from x = 80 + part: the border column is covered by 1 - part."""
    actor = Actor(
        Sprite(plate((40.0, 40.0)), WHITE, density=1.0), motion(1, np.array([[100 + part, 80]]))
    )
    row = scene_of([actor]).render(0)[80, :, 0] / 255.0
    left, right = row[79:82].sum(), row[119:122].sum()
    assert left == pytest.approx(2 - part, abs=0.1)
    assert right == pytest.approx(1 + part, abs=0.1)


def test_absent_only_when_wholly_outside():
    path = through(5, [(0, 100, 80), (1, 260, 80)])  # x = 100, 140, 180, 220, 260; half width 20
    actor = Actor(Sprite(plate((40.0, 30.0)), WHITE), motion(5, path))
    scene = scene_of([actor], n=5)
    boxes = scene.boxes(actor)
    np.testing.assert_array_equal(np.isnan(boxes[:, 0]), [False, False, False, True, True])
    np.testing.assert_allclose(boxes[2], [160, 65, 40, 30])
    # Touching the border from outside leaves no more than the blur of resampling.
    assert scene.render(3).max() < 50
    assert scene.render(4).max() == 0


def test_cover_measures_what_is_hidden_and_shaded():
    sprite = Sprite(plate((40.0, 40.0)), WHITE)
    target = Actor(sprite, motion(1, np.array([[100.0, 80]])))
    screen = Actor(Sprite(plate((40.0, 40.0)), BLACK), motion(1, np.array([[120.0, 80]])))
    shadow = Actor(
        Sprite(plate((40.0, 40.0)), BLACK, opacity=0.4), motion(1, np.array([[100.0, 100]]))
    )
    scene = scene_of([target, screen, shadow])
    inside_frame, hidden, shaded = (share[0] for share in scene.cover(target))
    assert inside_frame == 1.0
    assert hidden == pytest.approx(0.5)
    assert shaded == pytest.approx(0.4 * 0.5)
    # What stands behind hides nothing.
    assert scene_of([screen, target]).cover(target).hidden[0] == 0.0


def test_light_and_streak_reach_the_picture():
    actor = Actor(Sprite(plate((40.0, 30.0)), WHITE), motion(1, np.array([[100.0, 80]])))
    still = camera(SIZE, np.array([SIZE]) / 2)
    light = Light(np.full(1, 0.5), np.full(1, 10.0), np.array([[8.0, 0.0]]))
    image = Scene(SIZE, SIZE, BLACK, still, [actor], light, noise=0).render(0)
    assert image[80, 100, 0] == round(255 * 0.5 + 10)
    assert image[20, 20, 0] == 10
    assert 20 < image[80, 80, 0] < 130  # the edge is smeared along x
    assert image[62, 100, 0] == 10  # and not along y


def test_camera_and_seen_at_are_inverse():
    rng = np.random.default_rng(0)
    view = camera(SIZE, rng.normal(0, 40, (7, 2)), np.linspace(0.7, 1.4, 7), np.linspace(-1, 1, 7))
    points = rng.normal(0, 50, (7, 2))
    world = seen_at(view, points)
    back = np.einsum("nij,nj->ni", view[:, :, :2], world) + view[:, :, 2]
    np.testing.assert_allclose(back, points, atol=1e-9)


@given(st.integers(0, 2**31), st.floats(1, 120), st.floats(1, 120), st.floats(0, 20))
def test_wander_stays_within_reach(seed, x, y, speed):
    path = wander(np.random.default_rng(seed), 90, (x, y), speed)
    assert (np.abs(path) <= np.array([x, y]) + 1e-9).all()


@given(st.integers(0, 2**31))
def test_inside_agrees_with_the_distance_to_a_disc(seed):
    rng = np.random.default_rng(seed)
    disc = polygon(256, (2.0, 2.0))
    points = rng.uniform(-1.5, 1.5, (1, 50, 2))
    radius = np.linalg.norm(points[0], axis=1)
    sure = np.abs(radius - 1) > 0.01
    np.testing.assert_array_equal(inside(points, disc[None])[0][sure], radius[sure] < 1)
