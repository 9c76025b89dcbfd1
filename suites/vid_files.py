"""`vid:PATH`: your own videos with boxes of many objects, in one of the layouts that are common.

A COCO-VID JSON file, a MOTChallenge sequence, a folder of frames with a table or XML files, or a
folder of such folders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed, NotReady
from vbench.core.suite import Card, Suite

from .data_root import subfolders
from .vid_coco_json import read_coco_video
from .vid_mot import CLASSES as MOT_CLASSES
from .vid_mot import is_mot, read_mot
from .vid_objects import class_numbers, objects_from
from .vid_raw import RawClip, read_or_say
from .vid_rows import folder_of_images, read_rows


def load(
    card: Card,
    argument: str,
    data: Path | None = None,
    annotations: Path | None = None,
    classes: str = "",
) -> Suite:
    """Return the clips at the path `argument`.

    `data` is where a JSON file's images lie, `annotations` a folder of tables named after the
    clips. `classes` are names in the order of their numbers, separated by `/`; without them a JSON
    file's own, MOT's, or those that occur, sorted.

    Raises:
        NotReady: nothing of the kind is there.
        ClipFailed: nothing of what is there can be read; names the first.
    """
    path = Path(argument).expanduser()
    named: Sequence[str] | None = None
    if not path.exists():
        raise NotReady(f"vid: '{argument}': there is no such file or folder")
    if path.is_file() and path.suffix.lower() == ".json":
        found, named = read_coco_video(path, [d for d in (data, path.parent) if d is not None])
    else:
        found = list(_folders(path, annotations))
    if not found:
        raise NotReady(f"vid: '{argument}' holds no clips; lay them out as {card.layout}")
    named = [name for name in classes.split("/") if name] or named or _occurring(found)
    clips, problems = [], {}
    for raw in found:
        try:
            clips.append(_clip(raw, named))
        except ClipFailed as error:
            problems[raw.name] = str(error)
    if not clips:
        name, why = next(iter(problems.items()))
        raise ClipFailed(f"vid: none of {len(problems)} clips can be read; {name}: {why}")
    own = replace(card, name=f"{card.name}:{argument}", clips=len(found), classes=tuple(named))
    return Suite(own, clips, problems)


def _folders(path: Path, annotations: Path | None) -> Iterator[RawClip]:
    """Clips at `path`: itself, or what is in it."""
    for folder in [path, *subfolders(path)] if path.is_dir() else []:
        if is_mot(folder):
            yield read_or_say(folder.resolve().name, read_mot, folder)
        elif folder_of_images(folder) is not None:
            yield read_or_say(folder.resolve().name, read_rows, folder, annotations)
        else:
            continue
        if folder == path:
            return


def _occurring(clips: Sequence[RawClip]) -> list[str]:
    """Names of the classes that occur: MOT's list, numbers counted up, or names sorted."""
    names = {str(label) for clip in clips for label in clip.rows.label}
    if names <= set(MOT_CLASSES):
        return list(MOT_CLASSES)
    if all(name.isdigit() and len(name) < 5 for name in names):
        return [str(number) for number in range(max((int(name) for name in names), default=0) + 1)]
    return sorted(names)


def _clip(raw: RawClip, classes: Sequence[str]) -> Clip:
    if raw.problem or raw.frames is None:
        raise ClipFailed(raw.problem or "it has no frames")
    numbers = class_numbers(classes) | {str(k): k for k in range(len(classes))}
    objects = objects_from(raw.rows, len(raw.frames), numbers, raw.size)
    return Clip(raw.name, raw.frames, objects=objects, fps=raw.fps, known_size=raw.size)
