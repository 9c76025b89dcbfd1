"""Result files of a zip for readers that know folders alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from vbench.store.raw_layout import list_files, read_bytes


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A folder with the result files under `path`, and what of a zip was refused.

    Anything but a zip is the folder itself. Files of a zip lie in a folder of its name that is
    gone afterwards; those that lead out of it, or are too large for a result, are not read.

    Raises:
        VBenchError: a zip that is none, or unpacks to far too much.
    """
    refused: list[str] = []
    if path.suffix.lower() != ".zip" or path.is_dir():
        yield path, refused
        return
    with TemporaryDirectory(prefix="vbench-") as parent:
        root = Path(parent) / path.name.removesuffix(".zip")
        root.mkdir()
        for file in list_files(path, refused):
            target = root.joinpath(*file.folders, file.name)
            try:
                content = read_bytes(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            except (ValueError, OSError) as error:
                refused.append(f"{file.shown}: {error}")
        yield root, refused
