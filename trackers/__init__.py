"""Trackers and propagators by name. To add one: write its file, then its line here."""

from vbench.core.entry import Entry

CUI = "Cui et al., Fast Dynamic Convolutional Neural Networks for Visual Tracking, ACML 2018"
DFF = "Zhu et al., Deep Feature Flow for Video Recognition, CVPR 2017"
DCFNET = "Wang et al., DCFNet - Discriminant Correlation Filters Network, 2017"
DASIAMRPN = "Zhu et al., Distractor-aware Siamese Networks, ECCV 2018"
HENRIQUES = "Henriques et al., High-Speed Tracking with Kernelized Correlation Filters, PAMI 2015"
PATCHNET = "Mao et al., PatchNet - Short-range Template Matching for Efficient Video Processing"
LSTS = "Jiang et al., Learning Where to Focus for Efficient Video Object Detection, ECCV 2020"
MDNET = "Nam and Han, Learning Multi-Domain Convolutional Neural Networks, CVPR 2016"
NANOTRACK = "Chu, NanoTrack, github.com/HonglinChu/SiamTrackers, 2022"
RT_MDNET = "Jung et al., Real-Time MDNet, ECCV 2018"
PLUGPLAY = "Lyu et al., Plug & Play Convolutional Regression Tracker, 2020"
SIAMRPN = "Li et al., High Performance Visual Tracking with Siamese RPN, CVPR 2018"
SIAMRPNPP = "Li et al., SiamRPN++, CVPR 2019"
SIAMFC = "Bertinetto et al., Fully-Convolutional Siamese Networks, ECCVW 2016"

TRACKERS: dict[str, Entry] = {
    "hold": Entry("hold:Hold", "the first box for ever: the floor under every tracker"),
    "kcf": Entry("kcf:Kcf", "correlation filter on HOG with a Gaussian kernel", HENRIQUES),
    "kcf-opencv": Entry(
        "opencv:OpenCvTracker",
        "OpenCV's KCF on grey values and colour names",
        HENRIQUES,
        preset={"name": "kcf"},
    ),
    "csrt": Entry(
        "opencv:OpenCvTracker",
        "OpenCV's CSR-DCF: correlation filter with a mask of the target",
        "Lukezic et al., Discriminative Correlation Filter with Channel and Spatial Reliability",
        preset={"name": "csrt"},
    ),
    "mosse": Entry(
        "opencv:OpenCvTracker",
        "OpenCV's MOSSE: adaptive correlation filter on grey values",
        "Bolme et al., Visual Object Tracking using Adaptive Correlation Filters, CVPR 2010",
        preset={"name": "mosse"},
    ),
    "medianflow": Entry(
        "opencv:OpenCvTracker",
        "OpenCV's MedianFlow: the median of optical flow that agrees both ways",
        "Kalal et al., Forward-Backward Error: Automatic Detection of Tracking Failures, ICPR 2010",
        preset={"name": "medianflow"},
    ),
    "mil": Entry(
        "opencv:OpenCvTracker",
        "OpenCV's MIL: an online classifier learnt from bags of patches",
        "Babenko et al., Visual Tracking with Online Multiple Instance Learning, CVPR 2009",
        preset={"name": "mil"},
    ),
    "dcfnet": Entry(
        "dcfnet:DCFNet",
        "a correlation filter on two small convolutions, learnt anew on every frame",
        DCFNET,
        weights="dcfnet",
    ),
    "siamfc": Entry(
        "siamfc:SiamFC", "a fixed template correlated at three scales", SIAMFC, weights="siamfc"
    ),
    "siamrpn": Entry(
        "siamrpn:SiamRPN",
        "double-width AlexNet, five anchors scored and refined by the template",
        SIAMRPN,
        preset={"variant": "siamrpn"},
        weights="siamrpn",
    ),
    "siamrpn-paper": Entry(
        "siamrpn:SiamRPN",
        "as the paper words it: single width, anchors near the centre only",
        SIAMRPN,
        preset={"variant": "siamrpn-paper", "compat": False, "rivals": True},
        weights="siamrpn-paper",
    ),
    "dasiamrpn": Entry(
        "siamrpn:SiamRPN",
        "the same double-width network with the conventions of DaSiamRPN",
        DASIAMRPN,
        preset={"variant": "dasiamrpn", "compat": False},
        weights="dasiamrpn",
    ),
    "dasiamrpn-vot": Entry(
        "siamrpn:SiamRPN",
        "single width, constants for VOT",
        DASIAMRPN,
        preset={"variant": "dasiamrpn-vot", "compat": False},
        weights="dasiamrpn-vot",
    ),
    "dasiamrpn-otb": Entry(
        "siamrpn:SiamRPN",
        "single width, constants for OTB",
        DASIAMRPN,
        preset={"variant": "dasiamrpn-otb", "compat": False},
        weights="dasiamrpn-otb",
    ),
    "siamrpn-alex-dw": Entry(
        "siamrpn:SiamRPN",
        "single width, correlated channel by channel",
        SIAMRPNPP,
        preset={"variant": "siamrpn-alex-dw", "compat": False},
        weights="siamrpn-alex-dw",
    ),
    "siamfc-boosted": Entry(
        "siamfc_boosted:SiamFCBoosted",
        "SiamFC with PatchNet's response added to its own",
        PATCHNET,
        weights="siamfc-boosted",
    ),
    "mdnet": Entry(
        "mdnet:MDNet",
        "256 patches a frame scored by a network that goes on learning the target",
        MDNET,
        weights="mdnet",
    ),
    "rt-mdnet": Entry(
        "rt_mdnet:RTMDNet",
        "MDNet on one feature map around the target, by adaptive RoIAlign",
        RT_MDNET,
        weights="rt-mdnet",
    ),
    "fdn": Entry(
        "fdn:FDN",
        "MDNet on one feature map of the image, updates stopped when the loss is low",
        CUI,
        weights="fdn",
    ),
    "nanotrack": Entry(
        "nanotrack:NanoTrack",
        "version 1: MobileNet, pixel-wise correlation, anchor-free boxes",
        NANOTRACK,
        preset={"version": "v1"},
        weights="nanotrack-v1",
    ),
    "nanotrack-v3": Entry(
        "nanotrack:NanoTrack",
        "version 3: depth-wise correlation beside the pixel-wise one",
        NANOTRACK,
        preset={"version": "v3"},
        weights="nanotrack-v3",
    ),
    "full-template": Entry(
        "full_template:FullTemplateTracker",
        "the first frame's template as one filter, normalised correlation",
        PATCHNET,
    ),
    "patch-aggregation": Entry(
        "patch_aggregation:PatchAggregationTracker",
        "patch correlations gathered by maxima and means, template from the first frame",
        PATCHNET,
    ),
    "patchnet": Entry(
        "patchnet:PatchNetTracker",
        "PatchNet alone, its template from the first frame",
        PATCHNET,
        preset={"grouped": False},
        weights="patchnet",
    ),
    "got10k": Entry(
        "got10k:Got10kAdapter",
        "any tracker written for the got10k toolkit's Tracker interface",
        "Huang et al., GOT-10k: A Large High-Diversity Benchmark, PAMI 2021",
        extras=("got10k",),
        takes="module:Class",
    ),
}

PROPAGATORS: dict[str, Entry] = {
    "dummy": Entry("dummy:Dummy", "the keyframe's box unchanged", PATCHNET),
    "plugplay": Entry(
        "plugplay:PlugPlayPropagator",
        "correlated features of HRNet-W32, those of frcnn-hrnet where it is the base",
        PLUGPLAY,
        preset={"backbone": "hrnet"},
        weights="plugplay-hrnet",
    ),
    "plugplay-x101": Entry(
        "plugplay:PlugPlayPropagator",
        "correlated features of ResNeXt-101, those of frcnn-x101 where it is the base",
        PLUGPLAY,
        preset={"backbone": "x101"},
        weights="plugplay-x101",
    ),
    "full-template": Entry(
        "full_template:FullTemplate",
        "the keyframe's templates as one filter each, normalised correlation",
        PATCHNET,
    ),
    "patch-aggregation": Entry(
        "patch_aggregation:PatchAggregation",
        "correlations of the templates' patches, gathered by maxima and means",
        PATCHNET,
    ),
    "patchnet": Entry(
        "patchnet:PatchNet",
        "patches of the keyframe's templates correlated and aggregated, with scale",
        PATCHNET,
        preset={"grouped": False},
        weights="patchnet",
    ),
    "patchnet-g": Entry(
        "patchnet:PatchNet",
        "PatchNet with grouped aggregation: the same answers",
        PATCHNET,
        preset={"grouped": True},
        weights="patchnet",
    ),
    "kcf": Entry("kcf:KcfPropagator", "one correlation filter an object", HENRIQUES),
    "kcf-opencv": Entry(
        "opencv:OpenCvPropagator",
        "OpenCV's KCF, one an object; believes what passes OpenCV's own threshold",
        HENRIQUES,
        preset={"name": "kcf"},
    ),
    "siamfc": Entry(
        "siamfc:SiamFCPropagator",
        "the keyframe's templates, all objects in one batch",
        SIAMFC,
        weights="siamfc",
    ),
    "kalman": Entry(
        "kalman:Kalman",
        "constant velocity, learnt from successive keyframes; no pixels",
        "Wojke et al., Simple Online and Realtime Tracking with a Deep Association Metric, 2017",
    ),
    "lk": Entry(
        "lk:LucasKanade",
        "points followed there and back by sparse Lucas-Kanade; median step and scale",
        "Kalal et al., Forward-Backward Error: Automatic Detection of Tracking Failures, ICPR 2010",
    ),
    "dis": Entry(
        "dis:DenseFlow",
        "OpenCV's dense inverse search, the median of the flow in each box",
        "Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016",
    ),
    "flow": Entry(
        "flow:Flow",
        "Deep Feature Flow's FlowNet-S from the keyframe, its mean in each box",
        DFF,
        weights="dff",
    ),
    "lsts-box": Entry(
        "lsts_box:LstsBox",
        "where LSTS's learned places find the keyframe's cells, the mean in each box",
        LSTS,
        weights="lsts",
    ),
}
