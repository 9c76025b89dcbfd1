"""Downloading: resumed after a break, checked by hash, put in place in one step."""

from __future__ import annotations

import errno
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from vbench import __version__
from vbench.core.errors import NotReady, VBenchError
from vbench.weights.content import is_file, mismatch
from vbench.weights.registry import PublishedFile, Release

CHUNK_BYTES = 1 << 16
MOST_BYTES = 4 << 30
MOST_REDIRECTS = 5
TIMEOUT_SECONDS = 30.0
TRIES = 3
PAUSE_SECONDS = 1.0

# Called with the bytes that are here and the bytes of the whole file, None if that is not known.
Progress = Callable[[int, int | None], None]


class FetchFailed(VBenchError):
    """A file could not be downloaded; says whether running it again resumes."""


class _Broken(Exception):
    """The connection broke or the server stumbled: worth another try."""


@dataclass(frozen=True)
class _Order:
    """What is to be downloaded, and what is known of it."""

    url: str
    target: Path
    sha256: str
    git_blob: str
    bytes: int | None
    most_bytes: int
    timeout_seconds: float
    progress: Progress | None

    @property
    def part(self) -> Path:
        """The unfinished download, kept for resuming."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def tag(self) -> Path:
        """The server's name for the version that `part` is a part of."""
        return self.target.with_name(self.target.name + ".part.tag")


def download(
    url: str,
    target: Path,
    sha256: str = "",
    git_blob: str = "",
    bytes: int | None = None,
    progress: Progress | None = None,
    most_bytes: int = MOST_BYTES,
    timeout_seconds: float = TIMEOUT_SECONDS,
    tries: int = TRIES,
    pause_seconds: float = PAUSE_SECONDS,
) -> Path:
    """Download `url` to `target`, which appears only when it is complete and its hash is right.

    A broken download is resumed, at once and by the next call, if the server can continue.

    Raises:
        FetchFailed: no such file, wrong size or hash, too large, redirected in a circle, no space.
    """
    order = _Order(
        url, target, sha256, git_blob, bytes, most_bytes, timeout_seconds, progress
    )  # fmt: skip
    if urlsplit(url).scheme not in ("http", "https"):
        raise FetchFailed(f"cannot fetch {url}: only http and https addresses are")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _make_room(order)
        _try(order, tries, pause_seconds)
        if wrong := mismatch(order.part, sha256, git_blob, bytes):
            _forget(order)
            raise FetchFailed(f"{url} has {wrong}: damaged on its way, or another version")
        order.part.replace(target)
        _forget(order)
    except OSError as error:
        raise FetchFailed(_no_place(order, error)) from None
    return target


def fetch(
    release: Release,
    folder: Path,
    mirror: str = "",
    progress: Callable[[str], Progress] | None = None,
) -> list[Path]:
    """Download the files of published weights into `folder`/name; right ones stay untouched.

    `mirror` replaces scheme and host of every address. `progress` makes the callback of a file.

    Raises:
        NotReady: the publisher serves them only to a browser; says where.
        FetchFailed: see `download`.
    """
    if not release.fetchable:
        raise NotReady(f"weights '{release.name}' cannot be fetched; {release.next_step()}")
    return [
        _fetch_file(file, folder / release.name / file.name, mirror, progress)
        for file in release.files
    ]


def mirrored(url: str, mirror: str) -> str:
    """Return `url` with scheme and host replaced by the address `mirror`; as it is if empty."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{mirror.rstrip('/')}{parts.path}{query}" if mirror else url


def _fetch_file(
    file: PublishedFile, target: Path, mirror: str, progress: Callable[[str], Progress] | None
) -> Path:
    if target.is_file() and is_file(target, file):
        return target
    report = progress(file.name) if progress else None
    url = mirrored(file.url, mirror)
    return download(url, target, file.sha256, file.git_blob, file.bytes, report)


def _try(order: _Order, tries: int, pause_seconds: float) -> None:
    for attempt in range(1, tries + 1):
        try:
            return _get(order)
        except _Broken as broken:
            if attempt == tries:
                raise FetchFailed(
                    f"{order.url}: {broken}; run it again, it continues where it stopped"
                ) from None
            time.sleep(pause_seconds * attempt)
    return None


def _get(order: _Order) -> None:
    """Bring the missing rest of the part file, or all of it where the server cannot continue."""
    start = _resumable(order)
    if order.bytes is not None and start == order.bytes:
        return
    try:
        with _open(order, start) as answer:
            if answer.status == 206 and not _continues(answer, start):
                raise FetchFailed(f"{order.url}: the server answered with another part of the file")
            begin = start if answer.status == 206 else 0
            _remember(order, answer)
            _receive(order, answer, begin)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:
            _forget(order)
            raise _Broken("the server could not continue a broken download") from None
        if error.code >= 500 or error.code == 429:
            raise _Broken(f"the server answered {error.code} {error.reason}") from None
        raise FetchFailed(_refused(order, error)) from None
    except urllib.error.URLError as error:
        raise _Broken(f"cannot be reached ({error.reason})") from None
    except (TimeoutError, ConnectionError, HTTPException) as error:
        raise _Broken(f"the connection broke ({error or type(error).__name__})") from None


def _resumable(order: _Order) -> int:
    """Bytes of the part file that may be continued: only if the whole can be told to be whole."""
    if not order.part.exists():
        return 0
    provable = bool(order.sha256 or order.git_blob or order.tag.exists())
    size = order.part.stat().st_size
    limit = order.bytes if order.bytes is not None else order.most_bytes
    return size if provable and size <= limit else 0


def _open(order: _Order, start: int) -> HTTPResponse:
    headers = {"User-Agent": f"vbench/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if order.tag.exists():
            headers["If-Range"] = order.tag.read_text(encoding="latin-1")
    request = urllib.request.Request(order.url, headers=headers)  # noqa: S310 - scheme is checked
    opener = urllib.request.build_opener(_Redirects)
    answer: HTTPResponse = opener.open(request, timeout=order.timeout_seconds)
    return answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MOST_REDIRECTS
    max_repeats = 2

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise FetchFailed(f"{req.full_url} redirects to an address without encryption")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _continues(answer: HTTPResponse, start: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _remember(order: _Order, answer: HTTPResponse) -> None:
    """Keep the version's tag; a weak one (W/...) does not prove that bytes are the same."""
    tag = answer.headers.get("ETag") or ""
    if tag and not tag.startswith("W/"):
        order.tag.write_text(tag, encoding="latin-1")
    elif answer.status == 200:
        order.tag.unlink(missing_ok=True)


def _receive(order: _Order, answer: HTTPResponse, begin: int) -> None:
    """Write the body behind the first `begin` bytes of the part file, within the size bound."""
    length = answer.headers.get("Content-Length")
    total = begin + int(length) if length and length.isdigit() else order.bytes
    if order.bytes is not None and total != order.bytes:
        raise FetchFailed(f"{order.url} has {total} bytes instead of {order.bytes}")
    limit = order.bytes if order.bytes is not None else order.most_bytes
    if (total or 0) > limit:
        raise FetchFailed(f"{order.url} has {total} bytes, more than the {limit} allowed")
    here = begin
    with order.part.open("r+b" if begin else "wb") as file:
        file.seek(begin)
        while chunk := answer.read(CHUNK_BYTES):
            here += len(chunk)
            if here > limit:
                raise FetchFailed(f"{order.url} sends more than the {limit} bytes allowed")
            file.write(chunk)
            if order.progress:
                order.progress(here, total)
    if total is not None and here < total:
        raise _Broken(f"the connection ended after {here} of {total} bytes")


def _make_room(order: _Order) -> None:
    """Refuse before the first byte what cannot fit."""
    if order.bytes is None:
        return
    here = order.part.stat().st_size if order.part.exists() else 0
    if shutil.disk_usage(order.target.parent).free < order.bytes - here:
        raise OSError(errno.ENOSPC, "No space left on device")


def _forget(order: _Order) -> None:
    order.part.unlink(missing_ok=True)
    order.tag.unlink(missing_ok=True)


def _refused(order: _Order, error: urllib.error.HTTPError) -> str:
    # urllib's own text for a circle of redirects fills two lines.
    reason = str(error.reason).splitlines()[0] if error.reason else ""
    if error.code in (301, 302, 303, 307, 308):
        return f"{order.url} redirects in a circle or more than {MOST_REDIRECTS} times"
    return f"{order.url}: the server answered {error.code} {reason}".rstrip()


def _no_place(order: _Order, error: OSError) -> str:
    folder = order.target.parent
    if error.errno == errno.ENOSPC:
        free = shutil.disk_usage(folder).free
        need = f" of {order.bytes}" if order.bytes is not None else ""
        return (
            f"no space for {order.target.name}: {free} bytes{need} are free in {folder}; "
            "make room and run it again, it continues where it stopped"
        )
    return f"cannot write {order.target}: {error.strerror or error}"
