"""Finding trained parameters: by content in folders, or by a file that the user names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from vbench.core.errors import NotReady, UnknownName, VBenchError
from vbench.core.roles import Weights
from vbench.weights.content import digest_of, is_file
from vbench.weights.registry import HERE, PublishedFile, Release, registry, release

RANDOM = "random"


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the user's cache of fetched weights; it need not exist."""
    base = environ.get("XDG_CACHE_HOME") or ""
    # The specification of XDG says that a relative path there is to be ignored.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "vbench" / "weights"


def default_places(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return where weights lie when the user says nothing: the cache, and the package itself."""
    return cache_folder(environ), HERE


def find(name: str, places: Sequence[Path]) -> Weights | None:
    """Find published weights under `places` (folders, searched recursively, or single files).

    Files are recognised by their content, so names and folders do not matter; earlier places win.
    None where one of the files is not there.

    Raises:
        UnknownName: the registry has no such entry.
    """
    return WeightsFinder(tuple(places)).published(name)


@dataclass(frozen=True)
class FileCheck:
    """What is known of one published file here: `ok`, `different`, `unknown` or `missing`.

    `unknown` has the published name, but no hash is published to tell.
    """

    name: str
    file: str
    status: str
    path: Path | None = None
    mend: str = ""

    def as_json(self) -> dict[str, str | None]:
        """Return plain values."""
        path = None if self.path is None else str(self.path)
        return {
            "weights": self.name, "file": self.file, "status": self.status, "path": path,
            "mend": self.mend,
        }  # fmt: skip


@dataclass(frozen=True)
class WeightsFinder:
    """Answers which files a method's weights are, here.

    `places` are searched in order. `named` maps the name of a method or of the registry to the
    file (or the folder of files) that the user takes for it, whatever its content. With `random`
    no weights are looked for except named ones.
    """

    places: tuple[Path, ...] = ()
    named: Mapping[str, Path] = field(default_factory=dict)
    random: bool = False

    @classmethod
    def from_options(
        cls,
        options: Sequence[str],
        configured: Sequence[str] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> Self:
        """Read `DIR`, `FILE`, `NAME=FILE` and `random`: options first, then what is configured.

        The user's cache and the package's own folder come last.

        Raises:
            VBenchError: a place that does not exist, or a single file that nobody published.
        """
        places, named, random = parse_places(options)
        later, named_later, random_later = parse_places(configured)
        check_places((*places, *later))
        return cls(
            places=(*places, *later, *default_places(environ)),
            named=named_later | named,
            random=random if options else random_later,
        )

    def weights_for(self, method: str, name: str = "") -> Weights | None:
        """Return the weights that `method` asks for by `name` (its own if empty), None if random.

        Raises:
            NotReady: they are not here; says where to get them.
            VBenchError: a named file does not exist or does not fit.
        """
        name = name or method
        for asked in (method, name):
            if asked in self.named:
                return self._taken(name, self.named[asked])
        if self.random:
            return None
        if name not in registry():
            raise NotReady(
                f"no weights called '{name}' are published; name a file (--weights {name}=FILE) "
                f"or run untrained (--weights {RANDOM})"
            )
        found = self.published(name)
        if found is None:
            raise NotReady(self.why_missing(release(name)))
        return found

    def check_names(self, known: Iterable[str]) -> None:
        """Refuse a `NAME=FILE` whose name is neither `known` nor in the registry.

        Raises:
            UnknownName: offers the nearest names.
        """
        offered = {*known, *registry()}
        for name in self.named:
            if name not in offered:
                raise UnknownName("method or weights", name, offered, f"in --weights {name}=...")

    def published(self, name: str) -> Weights | None:
        """Return published weights if all their files are here."""
        files = {file.name: self._where(file) for file in release(name).files}
        here = {file: path for file, path in files.items() if path is not None}
        return Weights(name, here, digest_of(here)) if len(here) == len(files) else None

    def seems_ready(self, method: str, name: str = "") -> bool:
        """Whether files of the right sizes are here (or named): fast, without reading them."""
        name = name or method
        for asked in (method, name):
            if asked in self.named:
                return self.named[asked].exists()
        wanted = registry()[name].files if name in registry() else ()
        return self.random or (
            bool(wanted)
            and all(file.recognisable and self._sizes.get(file.bytes or 0) for file in wanted)
        )

    def check(self, wanted: Release) -> list[FileCheck]:
        """Check the content of every file of `wanted`."""
        return [self._check(wanted, file) for file in wanted.files]

    def _check(self, wanted: Release, file: PublishedFile) -> FileCheck:
        if path := self._where(file):
            return FileCheck(wanted.name, file.name, "ok", path)
        if path := self._same_name(file):
            status = "different" if file.recognisable else "unknown"
            return FileCheck(wanted.name, file.name, status, path, wanted.next_step())
        return FileCheck(wanted.name, file.name, "missing", None, wanted.next_step())

    def why_missing(self, wanted: Release) -> str:
        """Say what is missing of `wanted` and the next step, in one line."""
        missing = [file for file in wanted.files if self._where(file) is None]
        told = f"weights '{wanted.name}' ({', '.join(file.name for file in missing)}) are not here"
        for file in missing:
            if other := self._same_name(file):
                doubt = "has other content than the published" if file.recognisable else "may be it"
                return f"{told}; {other} {doubt}, to take it: --weights {wanted.name}={other}"
        return f"{told}; {wanted.next_step()}, or --weights DIR, or --weights {RANDOM}"

    def _taken(self, name: str, path: Path) -> Weights:
        if not path.exists():
            raise VBenchError(f"--weights {name}={path}: no such file or folder")
        wanted = registry()[name].files if name in registry() else ()
        if path.is_dir():
            files = _files_in(path, wanted, name)
        elif is_fitted(path, wanted):
            files = {path.name: path}
        elif len(wanted) > 1:
            names = ", ".join(file.name for file in wanted)
            raise VBenchError(
                f"--weights {name}={path}: {name} consists of several files; "
                f"name a folder that holds {names}"
            )
        else:
            files = {wanted[0].name if wanted else path.name: path}
        return Weights(name, files, digest_of(files))

    def _where(self, file: PublishedFile) -> Path | None:
        candidates = self._sizes.get(file.bytes or 0, ())
        return next((path for path in candidates if is_file(path, file)), None)

    def _same_name(self, file: PublishedFile) -> Path | None:
        paths = (path for same_size in self._sizes.values() for path in same_size)
        return next((path for path in paths if path.name == file.name), None)

    @cached_property
    def _sizes(self) -> dict[int, list[Path]]:
        """All files under all places by their size, in the order of the places."""
        found: dict[int, list[Path]] = {}
        for place in self.places:
            for size, path in _files_under(place):
                found.setdefault(size, []).append(path)
        return found


def is_fitted(path: Path, wanted: Sequence[PublishedFile]) -> bool:
    """Whether `path` is one file of tensors where several ONNX files were published."""
    onnx = ".onnx"
    return len(wanted) > 1 and path.suffix != onnx and all(f.name.endswith(onnx) for f in wanted)


def parse_places(texts: Iterable[str]) -> tuple[tuple[Path, ...], dict[str, Path], bool]:
    """Split `DIR`, `FILE`, `NAME=FILE` and `random` into places, named files, random or not.

    A file that exists is a place even if its name holds an equals sign.
    """
    places: list[Path] = []
    named: dict[str, Path] = {}
    random = False
    for text in texts:
        name, equals, path = text.partition("=")
        if text == RANDOM:
            random = True
        elif equals and not Path(text).exists():
            named[name] = Path(path).expanduser()
        else:
            places.append(Path(text).expanduser())
    return tuple(places), named, random


def check_places(places: Iterable[Path]) -> None:
    """Refuse a place that does not exist, and a single file that is no published one.

    Raises:
        VBenchError: names the place and the next step.
    """
    for place in places:
        if not place.exists():
            raise VBenchError(f"weights '{place}': no such file or folder")
        if place.is_file() and not any(
            is_file(place, file) for known in registry().values() for file in known.files
        ):
            raise VBenchError(
                f"weights '{place}' are no published file; "
                f"say which method they are for: --weights NAME={place}"
            )


def _files_in(folder: Path, wanted: Sequence[PublishedFile], name: str) -> dict[str, Path]:
    """Take the files of a named folder by their names, whatever their content."""
    there = {path.name: path for _, path in _files_under(folder)}
    names = [file.name for file in wanted] or sorted(there)
    missing = [file for file in names if file not in there]
    if missing or not names:
        raise VBenchError(
            f"--weights {name}={folder}: the folder has no {', '.join(missing) or 'files'}"
        )
    return {file: there[file] for file in names}


def _files_under(place: Path) -> Iterator[tuple[int, Path]]:
    """All files under a folder with their sizes, sorted; the file itself if it is one."""
    if place.is_file():
        yield place.stat().st_size, place
        return
    # Links to folders are not followed: they may lead in a circle.
    for folder, folders, names in os.walk(place):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            try:
                yield path.stat().st_size, path
            except OSError:
                continue
