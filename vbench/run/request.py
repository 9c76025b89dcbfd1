"""What the user asked for, after settings, environment and options: suite, methods, folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from vbench import catalogue
from vbench.core.errors import NotReady, VBenchError
from vbench.core.method import parse_method, split_methods
from vbench.core.policy import Policy
from vbench.core.suite import Suite
from vbench.run.compose import Plan, plan
from vbench.run.settings import Settings, load_settings, weights_finder
from vbench.store.run_folder import RunFolder
from vbench.weights.find import WeightsFinder


@dataclass(frozen=True)
class Request:
    """Settings and options of one command, resolved."""

    settings: Settings
    suite: str
    data: Path | None
    annotations: Path | None
    finder: WeightsFinder
    device: str
    threads: int
    folder: RunFolder

    @classmethod
    def read(
        cls,
        *,
        suite: str | None = None,
        data: Path | None = None,
        annotations: Path | None = None,
        weights: Sequence[str] | None = None,
        device: str | None = None,
        threads: int | None = None,
        out: Path | None = None,
        prefix: str = "",
    ) -> Self:
        """Read the settings around the working folder and put the options over them.

        Where no `out` is named, the run folder is called after the suite, behind `prefix`.
        """
        options = {"device": device, "threads": threads}
        settings = load_settings(Path.cwd(), overrides=options)
        name = suite or settings.suite
        stem = name.partition("[")[0]
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")
        folder = out or settings.results / f"{prefix}{plain}"
        return cls(
            settings=settings,
            suite=name,
            data=data or settings.data_for(stem),
            annotations=annotations or settings.annotations_for(stem),
            finder=weights_finder(settings, weights or ()),
            device=checked_device(settings.device),
            threads=settings.threads,
            folder=RunFolder(folder),
        )

    def open_suite(self) -> Suite:
        """Load the suite's clips, those with annotations alone included."""
        for option, folder in (("--data", self.data), ("--annotations", self.annotations)):
            if folder is not None and not folder.exists():
                raise VBenchError(f"{option} {folder}: there is no such folder")
        part = parse_method(self.suite).base
        given = dict(part.parameters)
        return catalogue.open_suite(part.name, self.data, self.annotations, given)

    def plans(self, methods: str | None, policy: Policy | None = None) -> list[Plan]:
        """Resolve a list of methods; None means every method that is ready for the suite."""
        if methods is not None:
            texts = split_methods(methods)
        else:
            texts = list(self.settings.methods) or self.ready_methods()
        if not texts:
            raise VBenchError("no methods are named; `vbench list` shows what there is")
        found = [plan(text, policy) for text in texts]
        twice = {str(p.method) for p in found if [q.method for q in found].count(p.method) > 1}
        if twice:
            raise VBenchError(f"method '{sorted(twice)[0]}' is named twice; once is enough")
        return found

    def ready_methods(self) -> list[str]:
        """Trackers (or detectors) that need no weights, extras or argument that are not here."""
        task = catalogue.open_suite(parse_method(self.suite).base.name, self.data, self.annotations)
        kind = "trackers" if task.task == "sot" else "detectors"
        return [name for name in catalogue.names(kind) if self._is_ready(kind, name)]

    def _is_ready(self, kind: str, name: str) -> bool:
        entry = catalogue.entry(kind, name) if not catalogue.table(kind)[name].takes else None
        if entry is None:
            return False
        try:
            catalogue.load(kind, name)
            if entry.weights is not None:
                self.finder.weights_for(name, entry.weights)
        except NotReady:
            return False
        return True


def checked_device(device: str) -> str:
    """Return the torch device that a user's word means.

    Raises:
        VBenchError: the device is not there.
    """
    word = "cuda" if device == "jetson" else device
    if word == "cpu":
        return word
    import torch

    kind, _, index = word.partition(":")
    known: dict[str, Any] = {
        "cuda": torch.cuda.device_count,
        "mps": lambda: int(torch.backends.mps.is_available()),
    }
    if kind not in known:
        raise VBenchError(f"device '{device}': there are cpu, cuda, cuda:N, mps and jetson")
    count = known[kind]()
    if count == 0 or (index and (not index.isdecimal() or int(index) >= count)):
        raise VBenchError(f"device '{device}' is not here ({count} found); use --device cpu")
    return word
