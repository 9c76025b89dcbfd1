"""What of a paper can be run here, and running it: data, weights and methods at hand or not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vbench import catalogue
from vbench.core.errors import NotReady, VBenchError
from vbench.core.suite import Suite
from vbench.run.bench import Listener, Order, Outcome, check_order
from vbench.run.bench import run as run_order
from vbench.run.compose import Plan, plan
from vbench.run.protocols import under_protocol
from vbench.run.request import Request
from vbench.store.run_folder import RunFolder
from vbench.weights.registry import release

CAN_RUN = "can run"
NEEDS_DATA = "needs data"
NEEDS_WEIGHTS = "needs weights"
NEEDS_METHOD = "needs method"
NEEDS_TRAINING = "needs training"
NEEDS_TRAINING_OR_WEIGHTS = "needs training or weights"
NEEDS_HARDWARE = "needs hardware"
LITERATURE = "literature"
# A method (or a plot) that vbench does not make; which, the table says.
NOT_BUILT = "not built"
# Where a suite without a folder of its own may lie: it is made of another one.
MADE_OF = {"short-range-vid": "imagenet-vid"}


@dataclass(frozen=True)
class Readiness:
    """Whether one row can be run here, what is missing or how much is there, and what mends it."""

    status: str
    why: str = ""
    mend: str = ""


@dataclass
class Here:
    """What is at hand: data by suite, weights, device. Suites are opened once.

    `data` is the folder for suites that `suite_data` does not name; `suite_annotations` says where
    annotations lie apart from images.
    """

    data: Path | None = None
    suite_data: Mapping[str, Path] = field(default_factory=dict)
    suite_annotations: Mapping[str, Path] = field(default_factory=dict)
    weights: Sequence[str] = ()
    device: str | None = None
    threads: int | None = None
    _suites: dict[str, Suite | str] = field(default_factory=dict)
    _request: Request | None = None

    def request(self, suite: str = "", out: Path | None = None) -> Request:
        """Settings and options as `vbench run` would read them for a suite."""
        other = MADE_OF.get(suite, "")
        folder = self.suite_data.get(suite) or self.suite_data.get(other) or self.data
        truth = self.suite_annotations.get(suite) or self.suite_annotations.get(other)
        made = self._read(suite, folder, truth, out)
        if made.data is None and other:
            data = made.settings.data_for(other)
            truth = made.annotations or made.settings.annotations_for(other)
            made = self._read(suite, data, truth, out)
        return made

    def _read(
        self, suite: str, data: Path | None, annotations: Path | None, out: Path | None
    ) -> Request:
        return Request.read(
            suite=suite or None, data=data, annotations=annotations, weights=self.weights,
            device=self.device, threads=self.threads, out=out,
        )  # fmt: skip

    def readiness(self, method: str, suite: str, feasibility: str) -> Readiness:
        """Judge one row by its method string, suite and class of feasibility (A to E)."""
        if feasibility in "DE":
            return Readiness(LITERATURE if feasibility == "E" else NEEDS_HARDWARE)
        if not method:
            return Readiness(NEEDS_TRAINING if feasibility == "C" else NOT_BUILT)
        try:
            made = plan(method)
        except VBenchError as error:
            return Readiness(NEEDS_METHOD, getattr(error, "asked", method), str(error))
        missing = self._missing_weights(made)
        if missing:
            status = NEEDS_TRAINING_OR_WEIGHTS if feasibility == "C" else NEEDS_WEIGHTS
            mend = "; ".join(f"{name}: {release(name).next_step()}" for name in missing)
            return Readiness(status, ", ".join(missing), mend)
        found = self.suite(suite)
        if isinstance(found, str):
            return Readiness(NEEDS_DATA, suite, found)
        return Readiness(CAN_RUN, f"{found.coverage} clips")

    def suite(self, name: str) -> Suite | str:
        """Return a suite's clips that have images, or why there are none."""
        if name not in self._suites:
            try:
                self._suites[name] = self.request(name).open_suite().with_images()
            except (VBenchError, OSError) as error:
                self._suites[name] = str(error)
        return self._suites[name]

    def _missing_weights(self, made: Plan) -> list[str]:
        self._request = self._request or self.request()
        finder = self._request.finder
        return [
            weights
            for part, weights in made.weights.items()
            if not finder.seems_ready(part, weights)
        ]

    def check(self) -> None:
        """Raise what is wrong with the options themselves: folders, weights, device.

        Raises:
            VBenchError: names the option.
        """
        named = [("--data", self.data)] if self.data else []
        for option, folders in _BY_SUITE.items():
            given: Mapping[str, Path] = getattr(self, folders)
            for suite, folder in given.items():
                catalogue.entry("suites", suite)
                named.append((f"{option} {suite}", folder))
        for option, folder in named:
            if folder is not None and not folder.is_dir():
                raise VBenchError(f"{option} {folder}: there is no such folder")
        self._request = self.request()


@dataclass(frozen=True)
class Ran:
    """A run folder, what came out, and its methods whose weights are random."""

    folder: RunFolder
    outcome: Outcome
    untrained: frozenset[str]


def run_methods(
    here: Here,
    suite: str,
    methods: Sequence[str],
    out: Path,
    limit: int | None = None,
    listener: Listener | None = None,
) -> Ran:
    """Run methods on the clips of a suite that are here, untimed, into `out`/<suite>.

    Raises:
        VBenchError: what would stop `vbench run` as well.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", suite).strip("-")
    request = here.request(suite, out / plain)
    found = here.suite(suite)
    if isinstance(found, str):
        raise NotReady(found)
    chosen, protocol = under_protocol(found.only((), limit), None)
    plans = [plan(text) for text in dict.fromkeys(methods)]
    order = Order(chosen, plans, request.device, request.threads, timing=False, protocol=protocol)
    check_order(order, request.finder.weights_for)
    outcome = run_order(order, request.folder, request.finder.weights_for, listener)
    records = outcome.manifest.methods.values()
    untrained = frozenset(r.method for r in records if "random" in r.weights.values())
    return Ran(request.folder, outcome, untrained)


# Options that name folders by suite, and the field of `Here` that holds them.
_BY_SUITE = {"--suite-data": "suite_data", "--suite-annotations": "suite_annotations"}


def parse_folders(texts: Sequence[str], option: str) -> dict[str, Path]:
    """Read `SUITE=FOLDER`, the values of `option`.

    Raises:
        VBenchError: not of that form.
    """
    found = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not name or not equals or not folder:
            raise VBenchError(f"{option} '{text}': write SUITE=FOLDER")
        found[name] = Path(folder).expanduser()
    return found
