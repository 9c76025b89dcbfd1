"""Suites by name: a loader and the TOML card that lies beside it under the same name.

A loader is `load(card, data, annotations, **parameters) -> Suite`. To add a suite: its card, its
line here, and a loader if no family fits.
"""

from vbench.core.entry import Entry

OTB = "Wu, Lim & Yang, Object Tracking Benchmark, PAMI 2015"
UAV = "Mueller, Smith & Ghanem, A Benchmark and Simulator for UAV Tracking, ECCV 2016"
GOT10K = "Huang, Zhao & Huang, GOT-10k, PAMI 2019"
LASOT = (
    "Fan et al., LaSOT: A High-quality Benchmark for Large-scale Single Object Tracking, CVPR 2019"
)
DTB70 = "Li & Yeung, Visual Object Tracking for Unmanned Aerial Vehicles, AAAI 2017"
NFS = "Kiani Galoogahi et al., Need for Speed, ICCV 2017"
TCOLOR = "Liang, Blasch & Ling, Encoding Color Information for Visual Tracking, TIP 2015"
VOT = "Kristan et al., The Visual Object Tracking VOT{} challenge results"
VID = "Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015"

SUITES: dict[str, Entry] = {
    "synth-sot": Entry(
        "synth_sot:load",
        "27 rendered clips with exact boxes, embedded; `:train` is a split kept for training",
        takes="train",
        optional=True,
    ),
    "synth-vid": Entry(
        "synth_vid:load",
        "12 rendered clips, five classes with tracks, embedded; `:train` is kept for training",
        takes="train",
        optional=True,
    ),
    "otb2015": Entry("otb:load", "OTB-2015 (OTB-100), 100 targets", OTB),
    "otb2013": Entry("otb:load", "OTB-2013, 51 targets in 50 videos", OTB),
    "tb50": Entry("otb:load", "the 50 difficult targets of OTB-2015 (not OTB-2013)", OTB),
    "uav123": Entry("uav:load", "UAV123, 123 targets from drones", UAV),
    "uav20l": Entry("uav:load", "UAV20L, the 20 long sequences of UAV123", UAV),
    "uav123-10fps": Entry("uav:load", "UAV123@10fps, every third frame of UAV123", UAV),
    "got10k-val": Entry("sequence_folders:load", "GOT-10k validation, 180 sequences", GOT10K),
    "got10k-test": Entry(
        "sequence_folders:load", "GOT-10k test, 180 sequences; scored by its server only", GOT10K
    ),
    "lasot": Entry("sequence_folders:load", "LaSOT test set, 280 long sequences", LASOT),
    "dtb70": Entry("sequence_folders:load", "DTB70, 70 sequences from drones", DTB70),
    "nfs": Entry("sequence_folders:load", "Need for Speed, 100 sequences at 30 or 240 fps", NFS),
    "tcolor128": Entry("sequence_folders:load", "TColor-128, 128 colour sequences", TCOLOR),
    **{
        f"vot{year}": Entry("vot:load", f"VOT{year} short-term challenge", VOT.format(year))
        for year in range(2013, 2020)
    },
    "imagenet-vid": Entry("imagenet_vid:load", "ImageNet VID val, 555 snippets, 30 classes", VID),
    "short-range-vid": Entry(
        "short_range:load",
        "objects 10 frames apart, of ImageNet VID or `:SUITE`; a miss is an IoU below .7",
        "Mao et al., PatchNet, section 5.3",
        takes="SUITE",
        optional=True,
    ),
    "vid": Entry(
        "vid_files:load", "your own videos with many objects: COCO-VID, MOT, boxes", takes="PATH"
    ),
    "files": Entry(
        "files:load", "your own images or videos with a box file beside each", takes="PATH"
    ),
}
