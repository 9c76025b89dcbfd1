"""One .npz a clip: the trace of a method, or the ground truth it is scored against.

Lossless, loadable without pickle, written atomically. Version history of the format:
1: first.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Boxes, Floats, absent
from vbench.core.clip import Clip, Objects
from vbench.core.errors import NotReady, VBenchError
from vbench.core.trace import Trace
from vbench.store.files import write_atomically

SCHEMA = 1
MAX_BYTES = 1 << 30
COLUMNS = {
    "kind": "<i1",
    "objects": "<i8",
    "carried": "<i8",
    "belief": "<f8",
    "seconds": "<f8",
    "cheap_seconds": "<f8",
    "decode_seconds": "<f8",
    "boxes": "<f8",
    "scores": "<f8",
    "labels": "<i8",
}
OBJECT_COLUMNS = ("frame", "boxes", "labels", "tracks", "ignore")


class Corrupt(VBenchError):
    """A stored file that is damaged or of another format."""


@dataclass(frozen=True)
class StoredTruth:
    """What scoring needs of a clip, so that a run can be scored without the suite at hand."""

    name: str
    frames: int
    digest: str
    truth: Boxes
    regions: Floats | None = None
    objects: Objects | None = None
    size: tuple[int, int] | None = None
    fps: float | None = None
    tags: tuple[str, ...] = ()
    frame_tags: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)


def save_trace(path: Path, trace: Trace, about: Mapping[str, Any]) -> None:
    """Write a trace with `about` (clip digest, method key, ...) beside it."""
    columns = {name: np.asarray(getattr(trace, name), dtype) for name, dtype in COLUMNS.items()}
    extras = {f"extra.{k}": np.asarray(v, "<f8") for k, v in trace.extras.items()}
    _write(path, columns | extras, {"schema": SCHEMA, "kind": "trace", **about})


def load_trace(path: Path) -> tuple[Trace, dict[str, Any]]:
    """Read a trace and what was written about it.

    Raises:
        Corrupt: damaged, of another schema, or columns that do not fit together.
    """
    columns, about = _read(path, "trace")
    try:
        given = {name: columns[name].astype(dtype, copy=False) for name, dtype in COLUMNS.items()}
    except KeyError as missing:
        raise Corrupt(f"{path.name}: column {missing} is missing") from None
    extras = {k[6:]: v for k, v in columns.items() if k.startswith("extra.")}
    trace = Trace(**given, extras=extras)
    _fit(path, trace)
    return trace, about


def save_truth(path: Path, clip: Clip) -> None:
    """Write what scoring needs of `clip`."""
    columns: dict[str, NDArray[Any]] = {"truth": np.asarray(clip.truth, "<f8")}
    if clip.regions is not None:
        columns["regions"] = np.asarray(clip.regions, "<f8")
    if clip.objects is not None:
        columns |= {f"objects.{c}": getattr(clip.objects, c) for c in OBJECT_COLUMNS}
        if clip.objects.motion is not None:
            columns["objects.motion"] = np.asarray(clip.objects.motion, "<f8")
    columns |= {f"tag.{k}": np.asarray(v, bool) for k, v in clip.frame_tags.items()}
    about = {
        "schema": SCHEMA,
        "kind": "truth",
        "name": clip.name,
        "frames": len(clip),
        "digest": clip.digest(),
        "size": _size(clip),
        "fps": clip.fps,
        "tags": clip.tags,
    }
    _write(path, columns, about)


def _size(clip: Clip) -> tuple[int, int] | None:
    """Size of a clip's frames, None where only its annotations are here."""
    try:
        return clip.size
    except NotReady:
        return None


def load_truth(path: Path) -> StoredTruth:
    """Read what `save_truth` wrote. Raises Corrupt as `load_trace` does."""
    columns, about = _read(path, "truth")
    objects = None
    if "objects.frame" in columns:
        objects = Objects(
            **{c: columns[f"objects.{c}"] for c in OBJECT_COLUMNS},
            motion=columns.get("objects.motion"),
        )
    try:
        return StoredTruth(
            name=about["name"],
            frames=int(about["frames"]),
            digest=about["digest"],
            truth=columns.get("truth", absent(0)),
            regions=columns.get("regions"),
            objects=objects,
            size=tuple(about["size"]) if about["size"] else None,
            fps=about["fps"],
            tags=tuple(about["tags"]),
            frame_tags={k[4:]: v for k, v in columns.items() if k.startswith("tag.")},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt(f"{path.name}: {error}") from None


def _write(path: Path, columns: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    text = json.dumps(about, sort_keys=True).encode()
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {**columns, "about": np.frombuffer(text, np.uint8)}
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def _read(path: Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(item.file_size for item in packed.infolist()) > MAX_BYTES:
                raise Corrupt(f"{path.name}: unpacks to more than 1 GiB")
        with np.load(path, allow_pickle=False) as loaded:
            columns = {name: loaded[name] for name in loaded.files}
        about = json.loads(columns.pop("about").tobytes())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise Corrupt(f"{path.name} is damaged: {error}") from None
    if not isinstance(about, dict) or about.get("kind") != kind:
        raise Corrupt(f"{path.name} is not a {kind}")
    if about.get("schema") != SCHEMA:
        raise Corrupt(f"{path.name} has schema {about.get('schema')}, this vbench reads {SCHEMA}")
    return columns, about


def _fit(path: Path, trace: Trace) -> None:
    n, m = len(trace), int(trace.objects.sum())
    per_frame = (trace.objects, trace.carried, trace.belief, trace.seconds, *trace.extras.values())
    fits = all(c.shape == (n,) for c in per_frame) and trace.boxes.shape == (m, 4)
    if not fits or trace.scores.shape != (m,) or trace.labels.shape != (m,):
        raise Corrupt(f"{path.name}: its columns do not fit together")
