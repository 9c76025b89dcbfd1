"""A run: a folder with one manifest, the ground truth, one trace a clip and method, the tables.

manifest.json
truth/<clip>.npz
traces/<method>-<key>/<clip>.npz
tables/summary.csv, per_clip.csv, per_attribute.csv
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.trace import Trace
from vbench.store.files import set_aside, write_atomically
from vbench.store.traces import (
    Corrupt,
    StoredTruth,
    load_trace,
    load_truth,
    save_trace,
    save_truth,
)

# Version history of the manifest: 1: first.
SCHEMA = 1
AGAIN = "the `vbench run` that made it makes a new one, and keeps what it ran"
_UNSAFE = re.compile(r"[^A-Za-z0-9.,+@=_\[\]-]")


@dataclass
class MethodRecord:
    """What a run knows of one method besides its traces.

    `key` addresses its content: method, weights, seed, package version. `costs` is a UnitCosts
    as JSON. `projected` says that seconds are composed from measured parts. `foreign_cores` is the
    most that other programs used while it was timed, `filter_ms` the time of a reference filter
    there, `energy` what a meter counted, `repeats_ms` the median of every timing repeat, `devices`
    where its clips were timed. `problems` maps clips to the reason why they have no trace, `notes`
    to what was odd in imported files or mended there, `untimed` to why their times were not taken
    again in repeats: they are those of the first run.
    """

    method: str
    key: str
    base: str = ""
    policy: str = ""
    interval_max: int | None = None
    weights: dict[str, str] = field(default_factory=dict)
    costs: dict[str, Any] = field(default_factory=dict)
    params_m: float | None = None
    memory_mb: float | None = None
    load_seconds: float | None = None
    foreign_cores: float | None = None
    filter_ms: float | None = None
    energy: dict[str, Any] = field(default_factory=dict)
    repeats_ms: list[float] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    projected: bool = False
    problems: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    untimed: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Name of its folder under traces/."""
        return f"{_UNSAFE.sub('-', self.method)[:80]}-{self.key[:10]}"


@dataclass
class Manifest:
    """What a run is: suite, machine, packages, methods."""

    suite: str
    task: str
    suite_digest: str
    suite_clips: int
    clips: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    profile: str = "vbench"
    classes: list[str] = field(default_factory=list)
    protocol: str = "ope"
    eao_interval: list[int] = field(default_factory=list)
    seed: int = 0
    created: str = ""
    machine: dict[str, Any] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    git: str | None = None
    methods: dict[str, MethodRecord] = field(default_factory=dict)
    schema: int = SCHEMA


def content_key(values: Mapping[str, Any]) -> str:
    """sha256 over JSON values: equal contents have equal keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes one run."""

    path: Path

    @property
    def manifest_path(self) -> Path:
        """Where the manifest lies."""
        return self.path / "manifest.json"

    @property
    def tables(self) -> Path:
        """Folder of the tables."""
        return self.path / "tables"

    def read(self) -> Manifest:
        """Read the manifest. Raises Corrupt where it is damaged or of another schema."""
        try:
            values = json.loads(self.manifest_path.read_text(encoding="utf-8"))
            if values.get("schema") != SCHEMA:
                has = f"schema {values['schema']}" if "schema" in values else "no schema"
                raise Corrupt(f"{self.manifest_path} has {has}, not {SCHEMA}; {AGAIN}")
            methods = {k: MethodRecord(**v) for k, v in values.pop("methods").items()}
            return Manifest(**values, methods=methods)
        except (FileNotFoundError, NotADirectoryError):
            raise VBenchError(
                f"{self.path} is not a run (no manifest.json); name a folder that `vbench run` made"
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Corrupt(f"{self.manifest_path} is damaged: {error}; {AGAIN}") from None

    def read_or_set_aside(self) -> tuple[Manifest | None, str]:
        """Read the manifest of an earlier run; a damaged one is set aside, with a notice."""
        if not self.manifest_path.exists():
            return None, ""
        try:
            return self.read(), ""
        except Corrupt as error:
            why = str(error).removesuffix(f"; {AGAIN}")
            return None, f"{why}; set aside as {set_aside(self.manifest_path).name}"

    def write(self, manifest: Manifest) -> None:
        """Write the manifest atomically."""
        values = dict(vars(manifest))
        values["methods"] = {name: vars(record) for name, record in manifest.methods.items()}
        text = json.dumps(values, indent=1)
        write_atomically(self.manifest_path, text.encode())

    def trace_path(self, record: MethodRecord, clip: str) -> Path:
        """Where the trace of `clip` lies."""
        return self.path / "traces" / record.folder / f"{_file_name(clip)}.npz"

    def has_trace(self, record: MethodRecord, clip: Clip) -> tuple[bool, str]:
        """Is a whole trace of this very clip there? A damaged one is set aside, with a notice."""
        path = self.trace_path(record, clip.name)
        if not path.exists():
            return False, ""
        try:
            _, about = load_trace(path)
        except Corrupt as error:
            return False, f"{error}; set aside as {set_aside(path).name} and computed again"
        return about.get("clip") == clip.digest(), ""

    def save(self, record: MethodRecord, clip: Clip, trace: Trace) -> None:
        """Write the trace of one clip."""
        about = {"clip": clip.digest(), "name": clip.name, "method": record.method}
        save_trace(self.trace_path(record, clip.name), trace, about)

    def trace(self, record: MethodRecord, clip: str) -> Trace | None:
        """Read the trace of `clip`, None where there is none. Raises Corrupt."""
        path = self.trace_path(record, clip)
        return load_trace(path)[0] if path.exists() else None

    def save_truth(self, clip: Clip) -> None:
        """Keep what scoring needs of a clip, once."""
        path = self.truth_path(clip.name)
        if not path.exists() or load_truth(path).digest != clip.digest():
            save_truth(path, clip)

    def truth(self, clip: str) -> StoredTruth:
        """Read the ground truth kept of `clip`."""
        return load_truth(self.truth_path(clip))

    def truth_path(self, clip: str) -> Path:
        """Where the ground truth of `clip` lies."""
        return self.path / "truth" / f"{_file_name(clip)}.npz"


def newest_run(results: Path) -> RunFolder:
    """Return the run under `results` that was written last.

    Raises:
        VBenchError: there is none.
    """
    found = runs_under(results)
    if not found:
        raise VBenchError(f"no run under {results}; make one with `vbench run`")
    return found[0]


def runs_under(*folders: Path) -> list[RunFolder]:
    """Return the runs that lie directly in some folders, the one written last first."""
    found = {path for folder in folders for path in folder.glob("*/manifest.json")}
    newest = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    return [RunFolder(path.parent) for path in newest]


def _file_name(clip: str) -> str:
    return _UNSAFE.sub("-", clip)
