"""Which file of a folder or zip is the result of which tracker on which clip.

Understood without being told: OTB (`KCF/Basketball.txt`, `Basketball_KCF.mat`, JSON), got10k
(`SiamFC/Basketball.txt`, `SiamFC/GOT-10k_Val_000001/GOT-10k_Val_000001_001.txt`, `times/`), pysot,
pytracking (`atom/default_000/Basketball.txt`), UAV123 (`uav_bike1.txt`), LaSOT
(`SiamFC_tracking_result/airplane-1.txt`), MOT, a GOT-10k submission (zip).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from vbench.core.errors import VBenchError
from vbench.store.raw_text import MOST_BYTES

SUFFIXES = (".txt", ".csv", ".mat", ".json", ".value")
MOST_UNPACKED = 2 << 30  # of a zip
MOST_FILES = 200_000
MOST_DEPTH = 6
# Folders that a remark names one by one.
MOST_NAMED = 3
# Files that stand beside results and are none.
BESIDE = frozenset({"readme", "source", "license", "licence", "speed", "fps", "list", "manifest"})
# Other names of sequences: OTB-100 has only the second target of Human4.
ALSO_CALLED = {"human4": "human4-2"}
TIMES = frozenset({"times", "time", "Times"})
# Files of times, and of confidences (the VOT toolkits, pytracking), beside those of boxes.
_BESIDE_BOXES = re.compile(r"[_-](?:(?P<times>times?)|confidence|object_presence_scores)$")
_REPETITION = re.compile(r"\d{3}")
_SEPARATORS = str.maketrans("._ ", "---")


class RawFile(NamedTuple):
    """One file: the folders above it and its name; in a zip `member` is its full name there."""

    path: str
    folders: tuple[str, ...]
    name: str
    member: str = ""

    @property
    def suffix(self) -> str:
        """`.txt`, `.mat`, ..., in small letters."""
        return "." + self.name.rpartition(".")[2].lower()

    @property
    def shown(self) -> str:
        """Folders and name as messages show them."""
        return "/".join([*self.folders, self.name])


@dataclass
class RawTracker:
    """Files of one tracker by clip, and of the `times` and `confidences` of its frames.

    `repeated` are the repetitions of a clip after the first, `unknown` of no clip of the suite;
    `whole` is one file for all clips.
    """

    name: str
    files: dict[str, RawFile] = field(default_factory=dict)
    whole: RawFile | None = None
    times: dict[str, RawFile] = field(default_factory=dict)
    confidences: dict[str, RawFile] = field(default_factory=dict)
    repeated: dict[str, list[RawFile]] = field(default_factory=dict)
    unknown: list[RawFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class ClipNames:
    """Finds the clip that a file's name means: case, `.`/`_`/`-` and `uav_` do not matter."""

    def __init__(self, names: Iterable[str]) -> None:
        self._clips = {plain(name): name for name in names}
        self._known: dict[str, tuple[str | None, str]] = {}
        self._found: dict[str, str | None] = {}
        for short, key in ALSO_CALLED.items():
            if key in self._clips:
                self._clips.setdefault(short, self._clips[key])

    def find(self, text: str) -> str | None:
        """Return the clip that `text` names."""
        if text not in self._found:
            key = plain(text)
            self._found[text] = self._clips.get(key) or self._clips.get(key.removeprefix("uav-"))
        return self._found[text]

    def split(self, stem: str) -> tuple[str | None, str]:
        """Return the clip that a file's stem names and what follows it (`_KCF`, `_001`)."""
        if stem not in self._known:
            self._known[stem] = self._split(stem)
        return self._known[stem]

    def _split(self, stem: str) -> tuple[str | None, str]:
        clip = self.find(stem)
        if clip is not None:
            return clip, ""
        at = stem.rfind("_")
        while at > 0:
            clip = self.find(stem[:at])
            if clip is not None:
                return clip, stem[at + 1 :]
            at = stem.rfind("_", 0, at)
        return None, ""


def plain(name: str) -> str:
    """Fold the spellings of a clip's name."""
    return name.lower().translate(_SEPARATORS)


def find_trackers(path: Path, clips: Sequence[str]) -> list[RawTracker]:
    """Group the result files under `path` (a folder, a zip, or one file) by tracker.

    Raises:
        VBenchError: nothing there, or no file is named for a clip of the suite.
    """
    names = ClipNames(clips)
    found: dict[str, RawTracker] = {}
    refused: list[str] = []
    root = path.resolve().name.removesuffix(".zip")
    for file in list_files(path, refused):
        _sort_in(file, names, root, found)
    trackers = [t for t in found.values() if t.files or t.whole is not None]
    refused += _left_out([t for t in found.values() if t.unknown and t not in trackers])
    if refused and trackers:
        trackers[0].notes += refused
    if not trackers:
        why = f" ({refused[0]})" if refused else ""
        shown = ", ".join(clips[:3])
        raise VBenchError(
            f"{path}: no file is named for a clip of the suite{why}; wanted are files such as "
            f"TRACKER/CLIP.txt with a line 'x,y,w,h' a frame, for {shown} ..."
        )
    return sorted(trackers, key=lambda tracker: tracker.name)


def _left_out(others: Sequence[RawTracker]) -> list[str]:
    """Say which folders have no file of a clip; many of them on one line."""
    if len(others) > MOST_NAMED:
        named = ", ".join(other.name for other in others[:MOST_NAMED])
        return [f"{len(others)} folders have no file that is named for a clip ({named}, ...)"]
    return [
        f"{other.name}: none of its {len(other.unknown)} files is named for a clip, left out"
        for other in others
    ]


def list_files(path: Path, refused: list[str]) -> Iterator[RawFile]:
    """Walk a folder, a zip or one file; what is refused is named in `refused`.

    Raises:
        VBenchError: `path` is not there, is no zip, or holds far too much.
    """
    if path.is_dir():
        yield from _walk(str(path))
    elif not path.exists():
        raise VBenchError(f"{path} does not exist; name a folder of raw results")
    elif path.suffix.lower() == ".zip":
        yield from _members(path, refused)
    else:
        yield RawFile(str(path), (), path.name)


def read_bytes(file: RawFile) -> bytes:
    """Read a whole file.

    Raises:
        ValueError: it cannot be read or is too large for a result; says why.
    """
    try:
        content = _read_member(file) if file.member else _read(file.path)
    except (OSError, RuntimeError, EOFError) as error:
        raise ValueError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES >> 20} MiB: no result of one clip")
    return content


def _read_member(file: RawFile) -> bytes:
    import zipfile

    try:
        with zipfile.ZipFile(file.path) as packed, packed.open(file.member) as member:
            return member.read(MOST_BYTES + 1)
    except zipfile.BadZipFile as error:
        raise OSError(str(error)) from None


def _read(path: str) -> bytes:
    """As `Path.read_bytes`, without its buffers: thousands of small files are read."""
    handle = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(handle).st_size
        content = os.read(handle, min(size, MOST_BYTES) + 1)
        while len(content) < size <= MOST_BYTES:
            more = os.read(handle, size - len(content))
            if not more:
                break
            content += more
        return content
    finally:
        os.close(handle)


def _walk(folder: str, above: tuple[str, ...] = ()) -> Iterator[RawFile]:
    inner: list[tuple[str, str]] = []
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise VBenchError(f"{folder} cannot be read: {error.strerror}") from None
    if len(entries) > MOST_FILES:
        raise VBenchError(f"{folder} has more than {MOST_FILES} files: no raw results")
    for entry in entries:
        name = entry.name
        if name.startswith("."):
            continue
        if entry.is_dir():
            inner.append((entry.path, name))
        elif name.lower().endswith(SUFFIXES) and entry.is_file():
            yield RawFile(entry.path, above, name)
    if len(above) < MOST_DEPTH:
        for path, name in inner:
            yield from _walk(path, (*above, name))


def _members(path: Path, refused: list[str]) -> Iterator[RawFile]:
    """Files of a zip. They are never unpacked to disk; names that lead out of it are refused."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as packed:
            items = packed.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise VBenchError(f"{path} is not a zip file that can be read: {error}") from None
    if len(items) > MOST_FILES or sum(item.file_size for item in items) > MOST_UNPACKED:
        raise VBenchError(f"{path} unpacks to far too much for raw results")
    for item in items:
        parts = tuple(re.split(r"[/\\]", item.filename))
        if item.is_dir() or not item.filename.lower().endswith(SUFFIXES):
            continue
        if ".." in parts or not parts[0] or ":" in parts[0]:
            refused.append(f"{item.filename}: leads out of the zip, not read")
        elif "__MACOSX" not in parts:
            yield RawFile(str(path), parts[:-1], parts[-1], item.filename)


def _sort_in(file: RawFile, names: ClipNames, root: str, found: dict[str, RawTracker]) -> None:
    """Put a file where it belongs."""
    stem, _, suffix = file.name.rpartition(".")
    beside = _BESIDE_BOXES.search(stem)
    if beside is None and suffix.lower() == "value":
        return
    clip, rest = names.split(stem[: beside.start()] if beside else stem)
    folders = [part for part in file.folders if part not in TIMES]
    if folders and clip is not None and names.find(folders[-1]) == clip:
        folders.pop()
    if rest and not _REPETITION.fullmatch(rest):
        if suffix.lower() in ("mat", "json"):
            # Basketball_KCF.mat: all trackers may share one folder.
            folders += [] if folders and folders[-1] == rest else [rest]
        else:
            clip = None
    if clip is None and suffix.lower() == "json":
        folders.append(stem)
    name = "/".join(folders).removesuffix("_tracking_result").removesuffix("/unsupervised") or root
    tracker = found.get(name)
    if tracker is None:
        tracker = found[name] = RawTracker(name)
    if beside:
        if clip is not None:
            kept = tracker.times if beside["times"] else tracker.confidences
            kept.setdefault(clip, file)
    elif clip is None:
        _keep_unknown(tracker, file)
    elif clip not in tracker.files:
        tracker.files[clip] = file
    elif rest:
        tracker.repeated.setdefault(clip, []).append(file)
    else:
        tracker.notes.append(f"{file.shown}: another file of {clip}, not read")


def _keep_unknown(tracker: RawTracker, file: RawFile) -> None:
    if file.suffix == ".json" and tracker.whole is None and not tracker.files:
        tracker.whole = file
    elif plain(file.name.rpartition(".")[0]) not in BESIDE:
        tracker.unknown.append(file)
