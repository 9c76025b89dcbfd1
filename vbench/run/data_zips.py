"""Getting a suite that its publisher serves as plain zips: one a video, or one of everything.

Such publishers give no checksums. Those of the first download are kept in `checksums.txt` beside
the data, and anything else under the same name is refused from then on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from vbench.core.errors import VBenchError
from vbench.core.suite import Card
from vbench.store.files import write_atomically
from vbench.store.unpack import unpack
from vbench.weights.fetch import FetchFailed, Progress, download, mirrored

CHECKSUMS = "checksums.txt"
DOWNLOADS = ".downloads"


def zips_of(card: Card) -> dict[str, str]:
    """Addresses of a card's zips by the video (or the suite) that each holds; empty without any."""
    pattern = str(card.rules.get("zips", ""))
    if "{video}" not in pattern:
        return {card.name: pattern} if pattern else {}
    names = dict.fromkeys(video_of(name) for name in card.rules["sequences"])
    return {name: pattern.format(video=name) for name in names}


def video_of(name: str) -> str:
    """The video of a target: `Jogging-1` is in `Jogging`."""
    video, dash, part = name.rpartition("-")
    return video if dash and part.isdigit() else name


def get_zips(
    card: Card,
    folder: Path,
    mirror: str = "",
    progress: Callable[[str], Progress] | None = None,
    only: tuple[str, ...] = (),
) -> tuple[list[str], list[str]]:
    """Download and unpack what is not here yet; return what was fetched and what was here.

    Raises:
        FetchFailed: see `vbench.weights.fetch.download`, and a zip other than the first one was.
        VBenchError: a zip that is none; a name in `only` that the suite has not.
    """
    addresses = zips_of(card)
    wanted = {video_of(name) for name in only} or set(addresses)
    for name in wanted - set(addresses):
        raise VBenchError(f"{card.name} has no sequence '{name}'; it has {', '.join(addresses)}")
    known = _read_checksums(folder)
    here = {name for name in known if (folder / DONE / name).is_file()}
    fetched = []
    for name in [name for name in addresses if name in wanted and name not in here]:
        path = folder / DOWNLOADS / f"{name}.zip"
        report = progress(path.name) if progress else None
        download(mirrored(addresses[name], mirror), path, progress=report)
        found = _checksum(path)
        if known.setdefault(name, found) != found:
            path.unlink()
            raise FetchFailed(
                f"{addresses[name]} is another file than the first download of it was; "
                f"take {name} out of {folder / CHECKSUMS} to accept it"
            )
        _write_checksums(folder, known)
        unpack(path, folder)
        write_atomically(folder / DONE / name, b"")
        path.unlink()
        fetched.append(name)
    return fetched, [name for name in addresses if name in wanted & here]


# An empty file for each zip that was unpacked to its end.
DONE = f"{DOWNLOADS}/done"


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_checksums(folder: Path) -> dict[str, str]:
    path = folder / CHECKSUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def _write_checksums(folder: Path, known: dict[str, str]) -> None:
    text = "".join(f"{checksum}  {name}\n" for name, checksum in sorted(known.items()))
    write_atomically(folder / CHECKSUMS, text.encode())
