"""Detectors, video detectors and post-processing by name. To add one: its file, then its line."""

from vbench.core.entry import Entry

EFFICIENTDET = "Tan et al., EfficientDet, CVPR 2020"

DETECTORS: dict[str, Entry] = {
    "blobs": Entry("blobs:Blobs", "vivid blobs of the five classes of synth-vid, no weights"),
    "efficientdet-d0": Entry(
        "efficientdet:EfficientDet",
        "EfficientNet-B0 and three rounds of BiFPN, 2.5 GMAC at 512 px, frame by frame",
        EFFICIENTDET,
        weights="efficientdet-d0",
    ),
    "efficientdet-d0-tf": Entry(
        "efficientdet:EfficientDet",
        "the official weights, converted: the 5000 best of all classes, 100 detections",
        EFFICIENTDET,
        preset={"select": "top"},
        weights="efficientdet-d0-tf",
    ),
    "rfcn": Entry(
        "rfcn:Rfcn",
        "R-FCN, ResNet-101 at stride 16: position-sensitive votes, frame by frame",
        "Dai et al., NIPS 2016",
        weights="rfcn",
    ),
    "dff": Entry(
        "dff:Dff",
        "R-FCN on keyframes, their features warped along FlowNet-S's flow in between",
        "Zhu et al., CVPR 2017",
        weights="dff",
        has_cheap_half=True,
    ),
    "fgfa": Entry(
        "fgfa:Fgfa",
        "R-FCN on features of the last 19 frames, warped here and weighed by likeness",
        "Zhu et al., ICCV 2017",
        weights="fgfa",
    ),
    "lsts": Entry(
        "lsts:Lsts",
        "R-FCN on keyframes, low layers in between; features sampled at learned places",
        "Jiang et al., ECCV 2020",
        weights="lsts",
        has_cheap_half=True,
    ),
}

POSTS: dict[str, Entry] = {}
