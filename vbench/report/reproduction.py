"""What papers print, as data: their tables and figures with citation, needs and contradictions.

One `published_*.toml` a paper. An exhibit is a table or figure; its rows hold numbers as printed,
by the names of our metrics where we have them, and the method string that would have them here.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from vbench.core.errors import UnknownName, VBenchError
from vbench.core.method import parse_method
from vbench.metrics.metric import METRICS

PAPERS = ("patchnet", "lsts", "fdn", "plugplay", "siamrpn")
# How well a row can be had again.
CLASSES = {
    "A": "published weights and public data",
    "B": "weights in a foreign format, not served by a plain address",
    "C": "needs training",
    "D": "needs the paper's hardware",
    "E": "from the literature: cited there, not reproduced here",
}
FORMULAS = ("average", "reduction", "patch-size", "projection")
# Columns that papers print and runs do not have, with what they are.
PRINTED_ONLY = {
    "reduction": "reduction of FLOPs (times)",
    "speed_up": "speed-up (times)",
    "baseline_ms": "ms a frame, every frame a keyframe",
    "skip_ms": "ms a frame with frames skipped",
    "mmac_per_object": "MMAC an object",
    "params_mi": "parameters (units of 2^20)",
    "failures_per_clip": "failures a clip (VOT)",
    "efo": "speed in equivalent filter operations (VOT)",
    "memory_gb": "memory (GB)",
    "score": "score of the best candidate",
    "loss": "loss after the update",
    "iterations": "iterations of the update",
}


@dataclass(frozen=True)
class PrintedNumber:
    """A number as it stands in a paper."""

    text: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)

    @property
    def digits(self) -> int:
        """Decimals printed."""
        return len(self.text.partition(".")[2])

    def prints_as(self, other: float) -> bool:
        """Whether `other`, rounded or cut off to these decimals (papers do either), is the same."""
        if not math.isfinite(other):
            return False
        step, printed = 10.0**self.digits, round(self.value * 10.0**self.digits)
        return printed in (round(other * step), math.trunc(other * step))


@dataclass(frozen=True)
class Average:
    """What a cost averaged over keyframes and others is made of; `base` in GMAC, as printed."""

    base: float
    interval: float
    objects: int


@dataclass(frozen=True)
class Projected:
    """A component of a published device profile and how its time is averaged."""

    model: str
    interval: float
    objects: int


@dataclass(frozen=True)
class PrintedRow:
    """One row: its numbers by metric, and how they can be had here.

    method: what `vbench run` would run, empty where there is none. counted: name of the figure of
    `vbench cost --published` that counts this row's MACs. feasibility: a key of CLASSES.
    """

    what: str
    published: Mapping[str, PrintedNumber]
    feasibility: str
    method: str = ""
    counted: str = ""
    average: Average | None = None
    projected: Projected | None = None
    errata: tuple[str, ...] = ()
    note: str = ""

    @property
    def computable(self) -> bool:
        """Whether a closed formula gives a number of this row."""
        return bool(self.counted or self.average or self.projected)


@dataclass(frozen=True)
class LikeRow:
    """A method with another base than the paper's, beside the printed row it is like.

    `suite` is where it runs, which may be a sibling of the exhibit's own (every third frame, say).
    """

    what: str
    method: str
    beside: str
    suite: str


@dataclass(frozen=True)
class Exhibit:
    """A table or figure of a paper. `curve`: the printed figure has no numbers to be read."""

    name: str
    where: str
    what: str
    citation: str
    feasibility: str
    rows: tuple[PrintedRow, ...] = ()
    suite: str = ""
    weights: tuple[str, ...] = ()
    training: str = ""
    hardware: str = ""
    formulas: tuple[str, ...] = ()
    curve: bool = False
    likes: tuple[LikeRow, ...] = ()
    errata: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Paper and place, as it is cited."""
        return f"{self.citation}, {self.where}"

    @property
    def columns(self) -> list[str]:
        """Metrics that any row prints, in the order in which they come."""
        return list(dict.fromkeys(name for row in self.rows for name in row.published))

    @property
    def extent(self) -> str:
        """How much is printed: `22 numbers`, or a plot without any."""
        count = sum(len(row.published) for row in self.rows)
        return f"{count} numbers" if count else "plot"

    @property
    def needs(self) -> dict[str, str]:
        """What it takes: data, weights, training, hardware; what is not needed is left out."""
        wanted = {
            "data": self.suite,
            "weights": ", ".join(self.weights),
            "training": self.training,
            "hardware": self.hardware,
        }
        return {kind: text for kind, text in wanted.items() if text}

    @property
    def computable(self) -> bool:
        """Whether a formula gives any of it."""
        return bool(self.formulas) or any(row.computable for row in self.rows)


@dataclass(frozen=True)
class Paper:
    """A paper and its exhibits; `drawings` says which figures hold no results."""

    name: str
    citation: str
    drawings: str
    exhibits: tuple[Exhibit, ...]


@cache
def papers() -> tuple[Paper, ...]:
    """Return the papers whose numbers are kept."""
    room = files("vbench.report")
    names = [f"published_{name}.toml" for name in PAPERS]
    return tuple(read_paper((room / name).read_text(encoding="utf-8"), name) for name in names)


def exhibits(wanted: Sequence[str] = ()) -> list[Exhibit]:
    """Return exhibits by name (`patchnet.t2`) or by paper (`patchnet`); all if none is named.

    Raises:
        UnknownName: there is no such table, figure or paper.
    """
    known = {e.name: e for paper in papers() for e in paper.exhibits}
    groups = {paper.name: [e.name for e in paper.exhibits] for paper in papers()}
    chosen: list[str] = []
    for name in wanted or groups:
        if name not in known and name not in groups:
            next_step = "`vbench reproduce list` shows all"
            raise UnknownName("table or figure", name, [*known, *groups], next_step)
        chosen += groups.get(name, [name])
    return [known[name] for name in dict.fromkeys(chosen)]


def read_paper(text: str, where: str = "published.toml") -> Paper:
    """Read one paper's TOML and check it.

    Raises:
        VBenchError: a field that is not known, a class, metric or erratum that does not exist, a
            method that does not parse, a name that is there twice.
    """
    values = tomllib.loads(text)
    about, notes = values["paper"], values.get("errata", {})
    try:
        found = [_exhibit(e, about, notes) for e in values.get("exhibits", ())]
    except (KeyError, TypeError, ValueError) as error:
        raise VBenchError(f"{where}: {error}") from None
    except VBenchError as error:
        raise VBenchError(f"{where}: {error}") from None
    names = [exhibit.name for exhibit in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise VBenchError(f"{where}: '{twice[0]}' is there twice")
    return Paper(about["name"], about["citation"], about.get("drawings", ""), tuple(found))


def _exhibit(
    given: Mapping[str, Any], about: Mapping[str, str], notes: Mapping[str, str]
) -> Exhibit:
    values = dict(given)
    name = f"{about['name']}.{values.pop('id')}"
    feasibility = _class(values.pop("class"), name)
    rows = tuple(_row(row, feasibility, name) for row in values.pop("rows", ()))
    suite = values.get("suite", "")
    likes = tuple(_like(row, rows, suite, name) for row in values.pop("likes", ()))
    own = [*values.pop("errata", ()), *(key for row in rows for key in row.errata)]
    for formula in values.get("formulas", ()):
        if formula not in FORMULAS:
            raise UnknownName(f"formula in {name}", formula, FORMULAS)
    for key in own:
        if key not in notes:
            raise UnknownName(f"erratum in {name}", key, notes)
    for key in ("weights", "formulas"):
        values[key] = tuple(values.get(key, ()))
    return Exhibit(
        name=name,
        citation=about["citation"],
        feasibility=feasibility,
        rows=rows,
        likes=likes,
        errata={key: notes[key] for key in dict.fromkeys(own)},
        **values,
    )


def _row(given: Mapping[str, Any], feasibility: str, name: str) -> PrintedRow:
    values = dict(given)
    printed = values.pop("published", {})
    _check_columns(printed, f"{name}, {values.get('what')}")
    if values.get("method"):
        parse_method(values["method"])
    for key, kind in (("average", Average), ("projected", Projected)):
        if key in values:
            values[key] = kind(**values[key])
    return PrintedRow(
        published={key: PrintedNumber(text) for key, text in printed.items()},
        feasibility=_class(values.pop("class", feasibility), name),
        errata=tuple(values.pop("errata", ())),
        **values,
    )


def _like(given: Mapping[str, str], rows: Sequence[PrintedRow], suite: str, name: str) -> LikeRow:
    row = LikeRow(**{"suite": suite, **given})
    parse_method(row.method)
    if row.beside not in {printed.what for printed in rows}:
        raise UnknownName(f"row in {name}", row.beside, [printed.what for printed in rows])
    return row


def _check_columns(printed: Mapping[str, Any], where: str) -> None:
    for key, text in printed.items():
        if key not in METRICS and key not in PRINTED_ONLY:
            raise UnknownName(f"metric in {where}", key, [*METRICS, *PRINTED_ONLY])
        if not isinstance(text, str) or not math.isfinite(float(text)):
            raise VBenchError(f"{where}: {key} = {text!r} is not a number as printed, in quotes")


def _class(letter: str, where: str) -> str:
    if letter not in CLASSES:
        raise UnknownName(f"class in {where}", letter, CLASSES)
    return letter


def errata_of(found: Iterable[Exhibit]) -> dict[str, str]:
    """Contradictions in these exhibits, each once, by a name that is unique among papers."""
    return {
        f"{exhibit.name.partition('.')[0]}.{key}": text
        for exhibit in found
        for key, text in exhibit.errata.items()
    }
