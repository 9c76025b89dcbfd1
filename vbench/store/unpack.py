"""Zip files unpacked without surprises: no way out of the folder, no links, bounded in size."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from vbench.core.errors import VBenchError

MOST_BYTES = 8 << 30
MOST_FILES = 200_000


def unpack(archive: Path, folder: Path, most_bytes: int = MOST_BYTES) -> list[Path]:
    """Unpack `archive` into `folder`; return the files, in the order of the archive.

    Raises:
        VBenchError: no zip, damaged, a name that leads elsewhere, a link, or far too much.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _check(archive, members, most_bytes)
            return [_one(opened, member, folder, archive) for member in members]
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise VBenchError(f"{archive.name} is no zip that can be unpacked: {error}") from None


def _check(archive: Path, members: list[zipfile.ZipInfo], most_bytes: int) -> None:
    if len(members) > MOST_FILES or sum(m.file_size for m in members) > most_bytes:
        raise VBenchError(f"{archive.name} would unpack to more than any sequence has")
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        outside = path.is_absolute() or ".." in path.parts or ":" in path.parts[0]
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            raise VBenchError(f"{archive.name}: '{member.filename}' leads out of the folder")


def _one(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, archive: Path) -> Path:
    target = folder / member.filename.replace("\\", "/")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with opened.open(member) as source, part.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    if part.stat().st_size != member.file_size:
        part.unlink()
        raise VBenchError(f"{archive.name}: '{member.filename}' is damaged")
    part.replace(target)
    return target
