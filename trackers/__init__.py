"""Trackers and propagators by name. To add one: write its file, then its line here."""

from vbench.core.entry import Entry

DCFNET = "Wang et al., DCFNet - Discriminant Correlation Filters Network, 2017"
HENRIQUES = "Henriques et al., High-Speed Tracking with Kernelized Correlation Filters, PAMI 2015"
PATCHNET = "Mao et al., PatchNet - Short-range Template Matching for Efficient Video Processing"
NANOTRACK = "Chu, NanoTrack, github.com/HonglinChu/SiamTrackers, 2022"
SIAMFC = "Bertinetto et al., Fully-Convolutional Siamese Networks, ECCVW 2016"

TRACKERS: dict[str, Entry] = {
    "hold": Entry("hold:Hold", "the first box for ever: the floor under every tracker"),
    "kcf": Entry("kcf:Kcf", "correlation filter on HOG with a Gaussian kernel", HENRIQUES),
    "dcfnet": Entry(
        "dcfnet:DCFNet",
        "a correlation filter on two small convolutions, learnt anew on every frame",
        DCFNET,
        weights="dcfnet",
    ),
    "siamfc": Entry(
        "siamfc:SiamFC", "a fixed template correlated at three scales", SIAMFC, weights="siamfc"
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
}

PROPAGATORS: dict[str, Entry] = {
    "dummy": Entry("dummy:Dummy", "the keyframe's box unchanged", PATCHNET),
    "kcf": Entry("kcf:KcfPropagator", "one correlation filter an object", HENRIQUES),
    "siamfc": Entry(
        "siamfc:SiamFCPropagator",
        "the keyframe's templates, all objects in one batch",
        SIAMFC,
        weights="siamfc",
    ),
}
