"""How three toolkits turn VOT result files into accuracy, robustness and EAO, as sets of rules.

Read from their code: votchallenge/toolkit-legacy (MATLAB) analysis/estimate_accuracy.m,
analyze_accuracy_robustness.m:298, estimate_expected_overlap.m:96-118,
analyze_average_expected_overlap.m:204-206, stacks/stack_vot2013.m to stack_vot2019.m; STVIR/pysot
toolkit/evaluation/ar_benchmark.py, eao_benchmark.py:19-30, 159; votchallenge/toolkit
vot/analysis/supervised.py:203-231, 357, vot/region/raster.py:294-295.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from vbench.core.errors import UnknownName
from vbench.metrics.raster_rows import Convention

Accuracy = Literal["frames", "tags", "clips"]
Fragments = Literal["pysot", "vot-matlab", "vot-python"]
Repetitions = Literal["fifteen or the first", "three if alike", "all"]

# Lengths between which the expected overlap is averaged, first and last one included.
INTERVALS = {
    "vot2015": (108, 371),
    "vot2016": (108, 371),
    "vot2017": (100, 356),
    "vot2018": (100, 356),
    "vot2019": (46, 291),
    "vot2020": (115, 755),
    "vot2021": (115, 755),
    "vot2022": (115, 755),
}
# MATLAB stacks that draw regions the old way and do not cut them at the image border.
LEGACY = frozenset({"vot2013", "vot2014", "vot2015"})
BURN_IN = 10
SKIP = 5
SENSITIVITY = 30.0


@dataclass(frozen=True)
class VotRules:
    """One way of scoring VOT result files.

    convention: how regions become pixels. cut: regions end at the image border, at pixel w for
    accuracy (w + `accuracy_cut_px`) and for the expected overlap (w + `eao_cut_px`).
    accuracy: mean over all frames, over tags weighted by their frames, or over clips weighted by
    theirs. `per_clip`: the toolkit prints mean failures a clip, not failures per 100 frames.
    fragments: where a run is cut at failures, and which pieces count as lost for ever.
    first_length: the interval's `low` is this many frames short of a fragment's length.
    """

    name: str
    version: int
    source: str
    convention: Convention = "region-c"
    cut: bool = True
    accuracy_cut_px: int = 0
    eao_cut_px: int = -1
    accuracy: Accuracy = "frames"
    per_clip: bool = False
    fragments: Fragments = "pysot"
    first_length: int = 0
    repetitions: Repetitions = "all"

    @property
    def title(self) -> str:
        """Name and version, as stored with a result: `vot-pysot/1`."""
        return f"{self.name}/{self.version}"


# What a rule is, for people.
VOT_RULES = {
    "convention": "how regions become pixels",
    "cut": "regions end at the image border",
    "accuracy_cut_px": "last pixel that counts, for accuracy",
    "eao_cut_px": "last pixel that counts, for the expected overlap",
    "accuracy": "mean over frames, tags or clips",
    "per_clip": "unit of robustness",
    "fragments": "pieces between failures",
    "first_length": "where the interval of lengths starts",
    "repetitions": "which repetitions count",
}

# What values of rules are, where they do not say it themselves.
VOT_VALUES: dict[str, dict[object, str]] = {
    "cut": {False: "no", True: "yes"},
    "accuracy_cut_px": {-1: "width - 1", 0: "width"},
    "eao_cut_px": {-1: "width - 1", 0: "width"},
    "per_clip": {False: "failures/100 frames", True: "failures/clip"},
    "first_length": {0: "low", 1: "low + 1"},
}

VOT_PROFILES: dict[str, VotRules] = {
    rules.name: rules
    for rules in (
        VotRules("vot-pysot", 1, "STVIR/pysot", repetitions="fifteen or the first"),
        VotRules(
            "vot-matlab",
            1,
            "votchallenge/toolkit-legacy",
            accuracy="tags",
            fragments="vot-matlab",
            repetitions="three if alike",
        ),
        VotRules(
            "vot-python",
            1,
            "votchallenge/toolkit",
            convention="vot-python",
            eao_cut_px=0,
            accuracy="clips",
            per_clip=True,
            fragments="vot-python",
            first_length=1,
        ),
    )
}


def vot_rules(profile: str, suite: str = "") -> VotRules:
    """Return the rules of a VOT profile as its toolkit applies them to a suite.

    Raises:
        UnknownName: there is no such VOT profile.
    """
    if profile not in VOT_PROFILES:
        raise UnknownName("VOT profile", profile, VOT_PROFILES)
    rules = VOT_PROFILES[profile]
    if profile == "vot-matlab" and suite in LEGACY:
        return replace(rules, convention="region-c-legacy", cut=False)
    return rules


def differing_vot(rules: VotRules, other: VotRules) -> list[str]:
    """Names of the rules that differ, in the order of VOT_RULES."""
    return [name for name in VOT_RULES if getattr(rules, name) != getattr(other, name)]
