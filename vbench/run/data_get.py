"""Getting a suite's data where its publisher serves plain files: OTB's zips, the VOT challenges.

Each year of VOT has a `description.json` that lists sequences, the address and checksum of a zip of
annotations and of one zip a channel (votchallenge/toolkit vot/dataset/vot.py, VOTDataset.download).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from vbench.core.errors import NotReady, VBenchError
from vbench.core.suite import Card
from vbench.run.data_zips import get_zips, zips_of
from vbench.store.files import write_atomically
from vbench.store.unpack import unpack
from vbench.weights.fetch import FetchFailed, Progress, download, mirrored

MOST_DESCRIPTION_BYTES = 16 << 20
# Folder of zips that are not unpacked yet; a broken one is resumed.
DOWNLOADS = ".downloads"
HASHES: dict[int, Callable[..., Any]] = {32: hashlib.md5, 40: hashlib.sha1, 64: hashlib.sha256}


@dataclass(frozen=True)
class Parcel:
    """A zip to download: of a sequence's annotations or of one of its channels."""

    sequence: str
    name: str
    url: str
    checksum: str
    into: Path


@dataclass(frozen=True)
class Delivery:
    """What was done: sequences that were fetched, and those that were here already."""

    folder: Path
    fetched: tuple[str, ...]
    kept: tuple[str, ...]


def get_suite(
    card: Card,
    folder: Path,
    *,
    mirror: str = "",
    progress: Callable[[str], Progress] | None = None,
    only: tuple[str, ...] = (),
) -> Delivery:
    """Download the sequences of a suite into `folder`; complete ones stay untouched.

    A broken download is resumed by the next call. `only` names some of the sequences.

    Raises:
        NotReady: the publisher serves no plain files; says where to get them by hand.
        FetchFailed: see `vbench.weights.fetch.download`, and a file with another checksum.
        VBenchError: a description or zip that is none; a name in `only` that is not in it.
    """
    address = card.rules.get("description")
    if zips_of(card):
        brought, kept = get_zips(card, folder, mirror, progress, only)
        return Delivery(folder, tuple(brought), tuple(kept))
    if not address:
        raise NotReady(instructions(card))
    described = _description(mirrored(str(address), mirror), folder)
    sequences = described["sequences"]
    names = [str(sequence["name"]) for sequence in sequences]
    for name in only:
        if name not in names:
            raise VBenchError(f"{card.name} has no sequence '{name}'; it has {', '.join(names)}")
    fetched: list[str] = []
    kept = []
    for sequence in sequences:
        name = str(sequence["name"])
        if only and name not in only:
            continue
        if _is_complete(folder / name, sequence):
            kept.append(name)
            continue
        for parcel in _parcels(sequence, str(address), folder):
            _bring(parcel, folder, mirror, progress)
        _write_properties(folder / name, sequence)
        fetched.append(name)
        # The list names what is here, so that an interrupted download can already be used.
        here = [n for n in names if (folder / n / "groundtruth.txt").is_file()]
        write_atomically(folder / "list.txt", "".join(f"{n}\n" for n in here).encode())
    return Delivery(folder, tuple(fetched), tuple(kept))


def instructions(card: Card) -> str:
    """How to get a suite by hand, on one line."""
    return (
        f"{card.name}: its publisher serves no plain files; get them from {card.url} "
        f"(licence: {card.licence or 'not stated'}), lay them out as {card.layout}, "
        f"and say --data DIR; `vbench data check {card.name} --data DIR` tells if all is well"
    )


def _description(address: str, folder: Path) -> dict[str, Any]:
    path = folder / DOWNLOADS / "description.json"
    path.unlink(missing_ok=True)
    download(address, path, most_bytes=MOST_DESCRIPTION_BYTES)
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        for sequence in described["sequences"]:
            _safe_name(str(sequence["name"]))
            for channel in sequence["channels"]:
                _safe_name(str(channel))
            str(sequence["annotations"]["url"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VBenchError(f"{address} is no description of sequences: {error!r}") from None
    return dict(described)


def _safe_name(name: str) -> None:
    if not name or name in (".", "..") or any(c in name for c in "/\\:\0"):
        raise ValueError(f"'{name}' is no name of a folder")


def _is_complete(place: Path, sequence: Mapping[str, Any]) -> bool:
    """Tell whether a sequence was unpacked to its end: its properties are written last."""
    if not (place / "sequence").is_file() or not (place / "groundtruth.txt").is_file():
        return False
    return all((place / str(channel)).is_dir() for channel in sequence["channels"])


def _parcels(sequence: Mapping[str, Any], address: str, folder: Path) -> Iterator[Parcel]:
    name = str(sequence["name"])
    entries = {"annotations": (sequence["annotations"], folder / name)}
    for channel, entry in sequence["channels"].items():
        entries[str(channel)] = (entry, folder / name / str(channel))
    for key, (entry, into) in entries.items():
        url = urljoin(address, str(entry["url"]))
        yield Parcel(name, f"{name}-{key}.zip", url, str(entry.get("checksum", "")), into)


def _bring(
    parcel: Parcel, folder: Path, mirror: str, progress: Callable[[str], Progress] | None
) -> None:
    path = folder / DOWNLOADS / parcel.name
    if not path.is_file() or not _has_checksum(path, parcel.checksum):
        path.unlink(missing_ok=True)
        report = progress(parcel.name) if progress else None
        download(mirrored(parcel.url, mirror), path, progress=report)
    if not _has_checksum(path, parcel.checksum):
        path.unlink()
        raise FetchFailed(f"{parcel.url} has another checksum than its description says")
    unpack(path, parcel.into)
    path.unlink()


def _has_checksum(path: Path, checksum: str) -> bool:
    """Compare with an md5, sha1 or sha256 in hex; a missing or unknown one says nothing."""
    kind = HASHES.get(len(checksum))
    if kind is None:
        return True
    state = kind(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return bool(state.hexdigest() == checksum.lower())


def _write_properties(place: Path, sequence: Mapping[str, Any]) -> None:
    """Write the `sequence` file of the VOT toolkits."""
    lines = [f"name={sequence['name']}", f"fps={sequence.get('fps', 30)}", "format=default"]
    for side in ("width", "height"):
        if str(sequence.get(side, "")).isdigit():
            lines.append(f"{side}={sequence[side]}")
    for channel, entry in sequence["channels"].items():
        lines.append(f"channels.{channel}={channel}/{entry.get('pattern', '%08d.jpg')}")
    write_atomically(place / "sequence", "".join(f"{line}\n" for line in lines).encode())
