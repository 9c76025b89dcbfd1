"""Detections against objects: each profile against its definition, COCO's against pycocotools."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics.vid_scenes import answers_of, trace_of, truths_of
from vbench.core.errors import ClipFailed, UnknownName
from vbench.metrics.vid_frames import VidAnswers, VidTruths, pairs
from vbench.metrics.vid_map import MOTIONS, SIZES, score_vid
from vbench.metrics.vid_match import by_score, candidates, kept, matched
from vbench.metrics.vid_profiles import VID_PROFILES, vid_rules_of


def scenes(most_answers: int = 14, crowd: bool = False):
    """Draws small scenes: objects and detections on a few frames of three classes."""
    box = st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 110)] * 2)
    item = st.tuples(st.integers(0, 3), st.integers(0, 2), box)
    objects = st.lists(st.tuples(item, st.booleans() if crowd else st.just(False)), max_size=10)
    found = st.lists(st.tuples(item, st.integers(0, 5), st.integers(-1, 9)), max_size=most_answers)
    return st.tuples(objects, found).map(_scene)


def _scene(drawn):
    objects, found = drawn
    truths = [(f, c, b, ignore) for (f, c, b), ignore in objects]
    answers = []
    for (frame, label, box), score, like in found:
        if 0 <= like < len(truths):
            # Near an object, or there would hardly ever be a match.
            frame, label, near, _ = truths[like]
            box = (near[0] + box[0] // 12, near[1] + box[1] // 12, near[2], near[3])
        answers.append((frame, label, box, score / 5))
    return truths, sorted(answers, key=lambda answer: answer[0])


def coco_ap(truths, answers, area="all"):
    """AP at IoU .5 of classes 0 to 2 by pycocotools, NaN for a class without objects."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        data.dataset = {
            "images": [{"id": i} for i in range(4)],
            "categories": [{"id": i} for i in range(3)],
            "annotations": [
                {
                    "id": n + 1,
                    "image_id": f,
                    "category_id": c,
                    "bbox": list(map(float, b)),
                    "area": float(b[2] * b[3]),
                    "iscrowd": int(ignore),
                }
                for n, (f, c, b, ignore) in enumerate(truths)
            ],
        }
        data.createIndex()
        found = data.loadRes(
            [
                {"image_id": f, "category_id": c, "bbox": list(map(float, b)), "score": s}
                for f, c, b, s in answers
            ]
        )
        judge = COCOeval(data, found, "bbox")
        judge.params.iouThrs = np.array([0.5])
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][0, :, :, judge.params.areaRngLbl.index(area), -1]
    return np.array([p.mean() if (p > -1).all() else np.nan for p in precision.T])


@settings(max_examples=150, deadline=None)
@given(scenes(crowd=True))
def test_vid_coco_equals_pycocotools(scene) -> None:
    truths, answers = scene
    if not answers:
        return
    scored = score_vid(truths_of(truths), answers_of(answers), VID_PROFILES["vid-coco"], classes=3)
    np.testing.assert_allclose(scored.ap, coco_ap(truths, answers), atol=1e-9)
    for metric, area in (("map50_s", "small"), ("map50_m", "medium"), ("map50_l", "large")):
        expected = coco_ap(truths, answers, area)
        np.testing.assert_allclose(scored.by_range[metric], expected, atol=1e-9)


def test_vid_coco_counts_the_best_hundred_of_a_class_and_frame() -> None:
    answers = [(0, 0, (200 + i, 0, 10, 10), 0.9) for i in range(99)]
    answers += [(0, 0, (0, 0, 10, 10), 0.5), (0, 0, (1, 1, 99, 99), 0.4)]
    truths = [(0, 0, (0, 0, 10, 10), False), (0, 0, (1, 1, 99, 99), False)]
    rules = VID_PROFILES["vid-coco"]
    scored = score_vid(truths_of(truths), answers_of(answers), rules, classes=3)
    np.testing.assert_allclose(scored.ap, coco_ap(truths, answers), atol=1e-12)
    # The hundredth detection is the first right one: precision .01 up to recall .5.
    assert scored.ap[0] == pytest.approx(51 * 0.01 / 101)
    assert len(kept(answers_of(answers), rules)) == 100


def grown_iou(a, b, grown):
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]) + grown
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]) + grown
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] + grown) * (a[3] + grown) + (b[2] + grown) * (b[3] + grown) - both)


def defined_ap(truths, answers, label, inside, rules, low=0.0, high=1e10):
    """One class by the definition, a loop over frames and detections; `inside` of each object."""
    if not truths:
        return np.nan
    grown = rules.grown_px
    counts = [
        inside[k] and low <= (t[2][2] + grown) * (t[2][3] + grown) <= high
        for k, t in enumerate(truths)
    ]
    verdicts = []
    taken: set[int] = set()
    for frame, own, box, _score in sorted(answers, key=lambda a: -a[3]):
        best, mate = -1.0, None
        for k, (f, c, b, _) in enumerate(truths):
            w, h = b[2] + 1, b[3] + 1
            small = min(0.5, w * h / ((w + 10) * (h + 10)))
            enough = small if rules.threshold == "size" else 0.5
            iou = grown_iou(box, b, grown)
            if (f, c) != (frame, own) or iou < enough or iou <= best:
                continue
            if k not in taken or rules.partner == "best":
                best, mate = iou, k
        mate = None if mate in taken else mate
        if mate is not None:
            taken.add(mate)
        if own != label:
            continue
        if mate is not None:
            verdicts.append((1.0, 0.0) if counts[mate] else (0.0, 0.0))
            continue
        if not low <= (box[2] + grown) * (box[3] + grown) <= high:
            verdicts.append((0.0, 0.0))
            continue
        alike = rules.neighbours == "own class"
        here = [k for k, t in enumerate(truths) if t[0] == frame and (t[1] == own or not alike)]
        near = max((grown_iou(box, truths[k][2], grown) for k in here if inside[k]), default=-1)
        far = max((grown_iou(box, truths[k][2], grown) for k in here if not inside[k]), default=-1)
        if near != far:
            weight = float(near > far)
        elif not here:
            weight = sum(inside) / len(inside)
            if alike and weight in (0, 1):
                weight = 1.0
        else:
            weight = sum(not inside[k] for k in here) / len(here)
        verdicts.append((0.0, weight))
    positives = sum(t[1] == label and counts[k] for k, t in enumerate(truths))
    if not positives:
        return np.nan
    right, wrong = np.cumsum(np.array(verdicts or [(0.0, 0.0)]), axis=0).T
    precision = np.append(right / np.maximum(right + wrong, 1e-300), 0.0)
    recall = np.append(right / positives, 1.0)
    if rules.curve == "11 points":
        return np.mean(
            [
                max((p for p, r in zip(precision, recall, strict=True) if r >= t), default=0.0)
                for t in [0.0, 0.1, 0.2, 3 * 0.1, 0.4, 0.5, 0.6, 1 - 3 * 0.1, 0.8, 0.9, 1.0]
            ]
        )
    total, before = 0.0, 0.0
    for k, value in enumerate(recall):
        total += (value - before) * precision[k:].max()
        before = value
    return total


@pytest.mark.parametrize("profile", ["vid-fgfa", "vid-mega", "voc07"])
@settings(max_examples=80, deadline=None)
@given(scenes(), st.integers(0, 2**32 - 1))
def test_profiles_equal_their_definitions(profile, scene, seed) -> None:
    truths, answers = scene
    # Other scores are equal on purpose; here the order must be one.
    answers = [(f, c, b, s + n * 1e-6) for n, (f, c, b, s) in enumerate(answers)]
    motion = np.random.default_rng(seed).choice([0.2, 0.7, 0.8, 0.9, 1.0], len(truths))
    rules = VID_PROFILES[profile]
    scored = score_vid(truths_of(truths, motion), answers_of(answers), rules, classes=3)
    every = [True] * len(truths)
    for label in range(3):
        everywhere = defined_ap(truths, answers, label, every, rules)
        np.testing.assert_allclose(scored.ap[label], everywhere, atol=1e-12)
        for name, (low, high) in SIZES.items():
            expected = defined_ap(truths, answers, label, every, rules, low, high)
            np.testing.assert_allclose(scored.by_range[name][label], expected, atol=1e-12)
        for name, (low, high) in MOTIONS.items() if truths else ():
            inside = [low <= value <= high for value in motion]
            expected = defined_ap(truths, answers, label, inside, rules)
            np.testing.assert_allclose(scored.by_range[name][label], expected, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(scenes(most_answers=30))
def test_matching_is_greedy_by_score(scene) -> None:
    truths, answers = scene
    laid, found = truths_of(truths), answers_of(answers)
    rules = VID_PROFILES["vid-fgfa"]
    partner = matched(candidates(laid, found, rules), laid, rules)
    taken: set[int] = set()
    for index in by_score(found):
        frame, label, box, _ = answers[index]
        free = [
            (grown_iou(box, b, 1), -k)
            for k, (f, c, b, _) in enumerate(truths)
            if (f, c) == (frame, label) and k not in taken
            if grown_iou(box, b, 1)
            >= min(0.5, (b[2] + 1) * (b[3] + 1) / ((b[2] + 11) * (b[3] + 11)))
        ]
        expected = -max(free)[1] if free else -1
        assert partner[index] == expected
        taken.add(expected)


def test_voc_tries_the_best_object_alone() -> None:
    # The second detection's best object is taken; under VOC it does not turn to the other one.
    truths = truths_of([(0, 0, (0, 0, 100, 100), False), (0, 0, (30, 0, 100, 100), False)])
    found = answers_of([(0, 0, (5, 0, 100, 100), 0.9), (0, 0, (7, 0, 100, 100), 0.8)])
    voc = score_vid(truths, found, VID_PROFILES["voc07"]).ap[0]
    fgfa = score_vid(truths, found, VID_PROFILES["vid-fgfa"]).ap[0]
    # Precision 1 at recalls 0 to .5: six of eleven points.
    assert (voc, fgfa) == (pytest.approx(6 / 11), pytest.approx(1.0))


def test_mega_cuts_true_boxes_at_the_last_pixel() -> None:
    truths = truths_of([(0, 0, (0, 0, 100, 50), False)], size=(100, 50))
    found = answers_of([(0, 0, (0, 0, 99, 49), 0.9)])
    assert candidates(truths, found, VID_PROFILES["vid-mega"]).iou.tolist() == [1.0]
    assert candidates(truths, found, VID_PROFILES["vid-fgfa"]).iou[0] < 1


def test_nothing_to_find_and_nothing_found() -> None:
    one = [(0, 0, (0, 0, 10, 10), False)]
    for rules in VID_PROFILES.values():
        none_found = score_vid(truths_of(one), answers_of([]), rules)
        assert none_found.columns["map50"] == 0
        assert np.isnan(none_found.columns["map50_l"])
        nothing = score_vid(truths_of([]), answers_of([(0, 0, (0, 0, 9, 9), 1.0)]), rules)
        assert np.isnan(nothing.columns["map50"])


def test_an_unknown_profile_is_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'vid-fgfa'"):
        vid_rules_of("vid-fgf")
    assert vid_rules_of("vbench") is VID_PROFILES["vid-coco"]


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_refused(score) -> None:
    with pytest.raises(ClipFailed, match="1 detections have a score that is no number"):
        VidAnswers.of([trace_of([(0, 0, (0, 0, 1, 1), score)], 1)])


def test_a_negative_class_is_refused() -> None:
    with pytest.raises(ClipFailed, match="negative class"):
        VidAnswers.of([trace_of([(0, -1, (0, 0, 1, 1), 0.5)], 1)])


@given(
    st.lists(st.integers(0, 5), max_size=12),
    st.lists(st.integers(0, 5), max_size=12),
    st.integers(1, 9),
)
def test_pairs_are_all_equal_keys_in_order(keys, others, most) -> None:
    expected = [(i, j) for i, a in enumerate(keys) for j, b in enumerate(others) if a == b]
    chunks = pairs(np.array(keys, int), np.array(others, int), most)
    assert [tuple(map(int, p)) for i, j in chunks for p in zip(i, j, strict=True)] == expected


def test_clips_are_laid_end_to_end() -> None:
    first = [(0, 0, (0, 0, 10, 10), False)]
    truths = truths_of(first, frames=2, again=first)
    assert isinstance(truths, VidTruths)
    assert truths.frame.tolist() == [0, 2]
    assert truths.clip.tolist() == [0, 1]
