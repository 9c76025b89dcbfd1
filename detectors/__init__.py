"""Detectors, video detectors and post-processing by name. To add one: its file, then its line."""

from vbench.core.entry import Entry

EFFICIENTDET = "Tan et al., EfficientDet, CVPR 2020"
PLUGPLAY = "Lyu et al., Plug & Play Convolutional Regression Tracker, 2020"

DETECTORS: dict[str, Entry] = {
    "blobs": Entry("blobs:Blobs", "vivid blobs of the five classes of synth-vid, no weights"),
    "stored": Entry(
        "stored:Stored",
        "replays detections from VID, MOT or COCO files; their cost is what you state",
        takes="PATH",
    ),
    "nanodet": Entry(
        "nanodet:NanoDet",
        "ShuffleNetV2 with box distributions at 416 px, trained on COCO, 16 classes of VID",
        "RangiLyu, NanoDet, github.com/RangiLyu/nanodet, 2020",
        weights="nanodet",
        extras=("onnx",),
    ),
    "fastestdet": Entry(
        "fastestdet:FastestDet",
        "ShuffleNetV2 with one grid of 22 x 22 at 352 px, trained on COCO, 16 classes of VID",
        "dog-qiuqiu, FastestDet, github.com/dog-qiuqiu/FastestDet, 2022",
        weights="fastestdet",
        extras=("onnx",),
    ),
    "torchvision": Entry(
        "torchvision_models:TorchvisionModel",
        "a detector of torchvision by its name, trained on COCO",
        extras=("torchvision",),
        takes="NAME",
    ),
    "ultralytics": Entry(
        "ultralytics_models:UltralyticsModel",
        "a YOLO of ultralytics by its name or file (that package is AGPL-3.0)",
        extras=("ultralytics",),
        takes="NAME",
    ),
    "effdet": Entry(
        "effdet_models:EffdetModel",
        "an EfficientDet of the package effdet by its name, trained on COCO",
        EFFICIENTDET,
        extras=("effdet",),
        takes="NAME",
    ),
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
    "dt": Entry(
        "dt:DetectAndTrack",
        "R-FCN with a correlation head that tracks boxes to the next frame; rescored tracks",
        "Feichtenhofer et al., ICCV 2017",
        weights="dt",
    ),
    "lsts": Entry(
        "lsts:Lsts",
        "R-FCN on keyframes, low layers in between; features sampled at learned places",
        "Jiang et al., ECCV 2020",
        weights="lsts",
        has_cheap_half=True,
    ),
    "frcnn-hrnet": Entry(
        "frcnn:FasterRcnn",
        "Faster R-CNN on HRNet-W32: four resolutions side by side at stride 8",
        PLUGPLAY,
        preset={"backbone": "hrnet"},
        weights="plugplay-hrnet",
    ),
    "frcnn-x101": Entry(
        "frcnn:FasterRcnn",
        "Faster R-CNN on ResNeXt-101 32x4d with FPN and deformable convolutions",
        PLUGPLAY,
        preset={"backbone": "x101"},
        weights="plugplay-x101",
    ),
    "plugplay-hrnet": Entry(
        "plugplay:PlugPlay",
        "frcnn-hrnet that follows what it found, every frame; wants +seq-track-nms",
        PLUGPLAY,
        preset={"backbone": "hrnet"},
        weights="plugplay-hrnet",
        has_cheap_half=True,
        frame_by_frame=True,
    ),
    "plugplay-x101": Entry(
        "plugplay:PlugPlay",
        "frcnn-x101 that follows what it found, every frame; wants +seq-track-nms",
        PLUGPLAY,
        preset={"backbone": "x101"},
        weights="plugplay-x101",
        has_cheap_half=True,
        frame_by_frame=True,
    ),
}

SEQ_NMS = "Han et al., Seq-NMS for Video Object Detection, 2016"

POSTS: dict[str, Entry] = {
    "nms": Entry("nms:Nms", "greedy suppression in every frame"),
    "soft-nms": Entry(
        "nms:SoftNms",
        "scores shrink with overlap, by a Gaussian or linearly",
        "Bodla et al., Soft-NMS, ICCV 2017",
    ),
    "seq-nms": Entry(
        "seq_nms:SeqNms", "detections that overlap from frame to frame score together", SEQ_NMS
    ),
    "seq-track-nms": Entry(
        "seq_nms:SeqTrackNms",
        "Seq-NMS along the tracks of the cheap half, which runs on every frame",
        PLUGPLAY,
    ),
}
