"""`vbench show`: a clip with the boxes of methods on its frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vbench.core.errors import NotReady, UnknownName, VBenchError

if TYPE_CHECKING:
    from vbench.core.boxes import Image

# So many methods can be told apart on a picture.
MOST = 6


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(
    clip: Annotated[str, typer.Argument(help="Clip of the run.")],
    run: Annotated[Path | None, typer.Option(help="Run folder; default: the newest.")] = None,
    methods: Annotated[str | None, typer.Option(help="Only these methods.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of images.")] = None,
    video: Annotated[
        bool, typer.Option("--video/--sheet", help="An mp4 instead of a contact sheet.")
    ] = False,
    tiles: Annotated[int, typer.Option(help="Frames on the contact sheet.")] = 12,
    out: Annotated[Path | None, typer.Option(help="File; default RUN/plots/CLIP.png.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Draw the boxes of methods and the kinds of their steps on the frames of one clip.

    Example: vbench show calm --methods kcf,kcf+dummy@fixed:5
    """
    from vbench.cli.app import Exit, messages, print_json
    from vbench.core.method import split_methods
    from vbench.report.overlay import contact_sheet, write_video
    from vbench.run.settings import load_settings
    from vbench.run.suite_frames import frames_of
    from vbench.store.run_folder import RunFolder, newest_run

    folder = RunFolder(run) if run else newest_run(load_settings(Path.cwd()).results)
    manifest = folder.read()
    if clip not in manifest.clips:
        raise UnknownName("clip in this run", clip, manifest.clips)
    if not 1 <= tiles <= 400:
        raise VBenchError(f"--tiles {tiles}: choose 1 to 400")
    ending = ".mp4" if video else ".png"
    if out is not None and out.suffix.lower() != ending:
        raise VBenchError(f"--out {out}: {'a video' if video else 'a contact sheet'} is a {ending}")
    named = split_methods(methods) if methods else list(manifest.methods)[:MOST]
    if methods is None and len(manifest.methods) > MOST:
        messages().print(
            f"the first {MOST} of {len(manifest.methods)} methods; choose others by --methods",
            style="yellow",
        )
    for name in named:
        if name not in manifest.methods:
            raise UnknownName("method in this run", name, manifest.methods)
    read = {name: folder.trace(manifest.methods[name], clip) for name in named}
    traces = {name: trace for name, trace in read.items() if trace is not None}
    lacking = [name for name in named if name not in traces]
    if not traces:
        raise VBenchError(
            f"none of {', '.join(named)} has a result on {clip}; the `vbench run` of {folder.path} "
            "goes on where it stopped"
        )
    if lacking:
        messages().print(f"without a result on {clip}: {', '.join(lacking)}", style="yellow")
    frame = frames_of(manifest.suite, data)
    if frame is None or frame(clip, 0) is None:
        raise NotReady(f"the images of {manifest.suite} are not here; say where: --data DIR")

    def frame_at(index: int) -> Image:
        image = frame(clip, index)
        if image is None:
            raise VBenchError(f"frame {index} of {clip} cannot be read")
        return image

    truth = folder.truth(clip)
    path = out or folder.path / "plots" / f"{clip}{ending}"
    if video:
        write_video(path, frame_at, truth, traces, truth.fps or 25)
    else:
        _write_png(path, contact_sheet(frame_at, truth, traces, tiles))
    if json:
        print_json({"schema": 1, "suite": manifest.suite, "clip": clip, "written": str(path)})
    else:
        messages().print(f"written: {path}")
    return Exit.OK


def _write_png(path: Path, image: object) -> None:
    import cv2
    import numpy as np

    from vbench.store.files import write_atomically

    _, packed = cv2.imencode(".png", cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR))
    write_atomically(path, packed.tobytes())
