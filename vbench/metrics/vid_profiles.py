"""Profiles: the conventions under which toolkits compute mAP of video detections at IoU .5.

What each does was read from its code: msracver/Flow-Guided-Feature-Aggregation @ 20b99d8
lib/dataset/imagenet_vid_eval_motion.py:13-231; Scalsol/mega.pytorch @ 6b6d311
mega_core/data/datasets/evaluation/vid/vid_eval.py:118-345 with datasets/vid.py:150-176; pycocotools
2.0.11 cocoeval.py:160-425; the VOC2007 development kit's VOCevaldet.m.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vbench.core.errors import UnknownName

Threshold = Literal["half", "size"]
Partner = Literal["best free", "best"]
Curve = Literal["all points", "101 points", "11 points"]
Aside = Literal["after", "before"]
Ignored = Literal["object", "crowd", "difficult"]
Neighbours = Literal["any class", "own class"]


@dataclass(frozen=True)
class VidRules:
    """One way of scoring detections of a frame against its objects, and of averaging precision.

    grown_px: added to width and height of every box (a last pixel that counts), and so to overlaps.
    threshold: IoU that a match needs: .5, or of each object min(.5, wh / ((w+10)(h+10))).
    partner: a detection takes the best object that is still free, or tries its best one alone.
    last_wins: of equal overlaps the later object is taken. curve: how precision is averaged.
    most: detections of a class and frame that count at most (None: all).
    aside: objects outside a range (size, motion) are set aside after matching, or before it, so
    that a detection prefers those inside. ignored: what an object marked to be ignored is.
    neighbours: which objects decide, in a range of motion, how much a false positive weighs.
    inside: true boxes are cut at the last pixel of the frame, where its size is known.
    """

    name: str
    version: int
    source: str
    grown_px: float = 0.0
    threshold: Threshold = "half"
    partner: Partner = "best free"
    last_wins: bool = False
    curve: Curve = "all points"
    most: int | None = None
    aside: Aside = "after"
    ignored: Ignored = "object"
    neighbours: Neighbours = "any class"
    inside: bool = False

    @property
    def title(self) -> str:
        """Name and version, as stored with a result: `vid-fgfa/1`."""
        return f"{self.name}/{self.version}"


VID_PROFILES: dict[str, VidRules] = {
    rules.name: rules
    for rules in (
        VidRules(
            "vid-fgfa",
            1,
            "msracver/Flow-Guided-Feature-Aggregation lib/dataset/imagenet_vid_eval_motion.py",
            grown_px=1.0,
            threshold="size",
        ),
        VidRules(
            "vid-mega",
            1,
            "Scalsol/mega.pytorch mega_core/data/datasets/evaluation/vid/vid_eval.py",
            # One pixel is added by the evaluation, a second by boxlist_iou.
            grown_px=2.0,
            neighbours="own class",
            inside=True,
        ),
        VidRules(
            "vid-coco",
            1,
            "pycocotools cocoeval.py, as mmtracking scores ImageNet VID",
            last_wins=True,
            curve="101 points",
            most=100,
            aside="before",
            ignored="crowd",
        ),
        VidRules(
            "voc07",
            1,
            "VOC2007 development kit, VOCevaldet.m",
            grown_px=1.0,
            partner="best",
            curve="11 points",
            ignored="difficult",
        ),
    )
}
# What a suite of its own is scored under where its card names no profile of detections.
DEFAULT = "vid-coco"


def vid_rules_of(profile: str) -> VidRules:
    """Return the rules of a profile; `vbench`, that of cards that name none, is `vid-coco`.

    Raises:
        UnknownName: no such profile.
    """
    name = DEFAULT if profile == "vbench" else profile
    if name not in VID_PROFILES:
        raise UnknownName("profile of detections", profile, VID_PROFILES)
    return VID_PROFILES[name]
