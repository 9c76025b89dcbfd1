"""Raw result files into a run folder, and a run folder into raw result files."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vbench import catalogue
from vbench.core.boxes import Boxes, Floats, absent
from vbench.core.clip import Clip
from vbench.core.errors import NotReady, UnknownName, VBenchError
from vbench.core.suite import Suite, read_card
from vbench.core.trace import Kind, Trace
from vbench.core.tries import columns_of, tries_of
from vbench.core.vot_run import COLUMN, runs_in
from vbench.metrics.profiles import rules_of
from vbench.metrics.suite_score import Placed, Result
from vbench.run.bench import Order
from vbench.run.bench import run as run_bench
from vbench.run.confidences import column_of
from vbench.run.import_vot import ReadTraces, vot_traces
from vbench.run.score_files import ResultFiles, read_path, read_tries
from vbench.run.score_vot import is_vot
from vbench.store.files import locked
from vbench.store.raw_detections import (
    COCO,
    DETECTIONS,
    distinct,
    folder_name,
    write_detections,
)
from vbench.store.raw_export import (
    FORMATS,
    TRY,
    VOT,
    Written,
    file_name,
    format_of,
    says_anything,
    write_confidences,
    write_results,
)
from vbench.store.raw_vot import plain_run, write_vot_runs
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder, content_key
from vbench.store.traces import Corrupt


def import_path(
    path: Path, suite: Suite, out: Path, name: str | None = None, repair: bool = False
) -> list[MethodRecord]:
    """Keep the results of every tracker under `path` as methods of a run.

    `name` is what the method is called, for a single tracker; else each keeps its own name.

    Raises:
        VBenchError: nothing is found; one name for several trackers; the folder is in use or holds
            another suite; the suite is of many objects.
    """
    if suite.task != "sot":
        raise VBenchError(
            f"suite {suite.name} is of many objects, `vbench import` of single targets; "
            f"`vbench run --suite {suite.name} --methods stored:PATH` makes detections a method"
        )
    coded = vot_traces(path, suite) if is_vot(suite, None) else []
    found = coded or [_read(files, suite) for files in read_path(path, suite, repair)]
    names = ", ".join(one.name for one in found)
    if name is not None and len(found) > 1:
        raise VBenchError(f"{path} holds {len(found)} trackers ({names}); name the folder of one")
    protocols = sorted({one.protocol for one in found})
    if len(protocols) > 1:
        raise VBenchError(
            f"{path} holds results of {' and '.join(protocols)}; a run is of one protocol: "
            "name the folder of one experiment"
        )
    folder = RunFolder(out)
    run_bench(Order(suite=suite, plans=(), protocol=protocols[0]), folder, _no_weights)
    with locked(out):
        manifest = folder.read()
        records = [_keep(folder, manifest, suite, one, name or one.name) for one in found]
        folder.write(manifest)
    return records


def _read(files: ResultFiles, suite: Suite) -> ReadTraces:
    """Turn results in one pass into a trace of each clip, or the reason why there is none."""
    traces: dict[str, Trace] = {}
    problems: dict[str, str] = {}
    for clip in suite.clips:
        try:
            placed = _placed(clip, files.results)
            tracker, rows = files.tracker, len(placed.boxes)
            seconds = column_of(tracker.times.get(clip.name), rows)
            traces[clip.name] = _trace(
                placed, seconds, column_of(tracker.confidences.get(clip.name), rows)
            )
        except ValueError as error:
            problems[clip.name] = str(error)
    notes: dict[str, str] = {}
    for remark in (*files.notes, *files.unknown):
        notes[remark.clip] = "; ".join(filter(None, (notes.get(remark.clip), remark.what)))
    if files.tracker.repeated:
        wrong = _keep_tries(traces, suite, read_tries(files, suite))
        if rules_of(suite.card.profile, suite.name).average != "frames":
            wrong[""] = "repetitions after the first are kept, and not scored"
        for where, what in wrong.items():
            notes[where] = "; ".join(filter(None, (notes.get(where), what)))
    return ReadTraces(files.name, "ope", traces, problems, notes)


def _keep_tries(
    traces: dict[str, Trace], suite: Suite, tries: Sequence[Mapping[str, Result]]
) -> dict[str, str]:
    """Keep the boxes of tries after the first beside those of it; why some are not, by clip."""
    problems: dict[str, list[str]] = {}
    for clip in suite.clips:
        whole: list[Boxes] = []
        for number, results in enumerate(tries, start=2):
            if clip.name not in results or clip.name not in traces:
                continue
            try:
                placed = _placed(clip, results)
                whole.append(np.concatenate([absent(placed.first), placed.boxes]))
            except ValueError as error:
                problems.setdefault(clip.name, []).append(f"repetition {number}: {error}")
        if whole:
            extras = {**traces[clip.name].extras, **columns_of(whole)}
            traces[clip.name] = replace(traces[clip.name], extras=extras)
    return {clip: "; ".join(whys) for clip, whys in problems.items()}


def export_run(
    run: Path,
    form: str,
    out: Path,
    methods: Sequence[str] = (),
) -> dict[str, Written]:
    """Write the boxes of a run's methods in a toolkit's format; by method, what was written.

    Raises:
        VBenchError: no such run, method or format; one of single targets for detections, or the
            other way round; `out` not writable.
    """
    folder = RunFolder(run)
    manifest = folder.read()
    _check_format(form, manifest, run)
    for name in methods:
        if name not in manifest.methods:
            raise UnknownName(f"method in {run}", name, manifest.methods)
    chosen = list(dict.fromkeys(methods or manifest.methods))
    if manifest.task != "sot":
        folders = {name: folder_name(name) for name in chosen}
        distinct(folders, "methods", "export them with --methods, each to another --out")
    written = {}
    for name in chosen:
        traces, problems = _traces(folder, manifest, manifest.methods[name])
        if manifest.task == "sot":
            written[name] = _as_boxes(form, out, name, manifest, traces)
        else:
            truths = {clip: folder.truth(clip) for clip in traces if form == COCO}
            written[name] = write_detections(form, out, name, traces, truths, manifest.classes)
        written[name].problems = problems
    return written


# Formats by the task of a run, and what such a run holds.
OFFERED = {"sot": (*FORMATS, VOT), "vid": DETECTIONS}
HELD = {"sot": "boxes of single targets", "vid": "detections of many objects"}


def _check_format(form: str, manifest: Manifest, run: Path) -> None:
    """Raise where a run's kind of boxes has no place in a format."""
    offered = OFFERED[manifest.task]
    if form in offered:
        return
    for task, forms in OFFERED.items():
        if form in forms:
            raise VBenchError(
                f"{run} holds {HELD[manifest.task]}, and --format {form} is for {HELD[task]}; "
                f"choose one of {', '.join(offered)}"
            )
    raise UnknownName("format", form, offered)


def _as_boxes(
    form: str, out: Path, name: str, manifest: Manifest, traces: Mapping[str, Trace]
) -> Written:
    """Write the boxes of single targets, and what is known of seconds, scores and more tries."""
    origin_px = _first_pixel(manifest.suite)
    if form == VOT:
        return _as_vot(out, name, manifest, traces, origin_px)
    boxes = {clip: trace.boxes for clip, trace in traces.items()}
    seconds = {clip: trace.seconds for clip, trace in traces.items()}
    begins = {clip: trace.begin for clip, trace in traces.items() if trace.begin}
    scores = {clip: trace.scores for clip, trace in traces.items()}
    written = write_results(form, out, name, boxes, seconds, origin_px, begins, scores)
    again = {c: tries_of(trace)[1:] for c, trace in traces.items()}
    _write_tries(written, form, out, name, again, origin_px)
    return written


def _write_tries(
    written: Written,
    form: str,
    out: Path,
    name: str,
    again: Mapping[str, Sequence[Trace]],
    origin_px: float,
) -> None:
    """Write the boxes of tries after the first, where the format has a place for them."""
    for number in range(2, 2 + max(map(len, again.values()), default=0)):
        own = {c: tries[number - 2] for c, tries in again.items() if len(tries) > number - 2}
        if TRY not in format_of(form).box:
            written.untold += len(own)
            continue
        boxes = {clip: trace.boxes for clip, trace in own.items()}
        begins = {clip: trace.begin for clip, trace in own.items() if trace.begin}
        more = write_results(form, out, name, boxes, {}, origin_px, begins, number=number)
        written.files += more.files
        written.moved_px = max(written.moved_px, more.moved_px)
        written.gaps += more.gaps


# Folder of the VOT toolkits by the protocol of a run.
EXPERIMENTS = {
    "vot-supervised": "baseline",
    "vot-realtime": "realtime",
    "vot-realtime-python": "realtime",
}


def _as_vot(
    out: Path, name: str, manifest: Manifest, traces: Mapping[str, Trace], origin_px: float
) -> Written:
    """Write traces as VOT runs: with their codes where they have some, else without restarts."""
    runs = {
        clip: runs_in(trace) or [plain_run(one.boxes, one.seconds) for one in tries_of(trace)]
        for clip, trace in traces.items()
    }
    coded = any(COLUMN in trace.extras for trace in traces.values())
    experiment = EXPERIMENTS.get(manifest.protocol, "unsupervised") if coded else "unsupervised"
    folder = out / file_name(name) / experiment
    written = Written(write_vot_runs(folder, runs, origin_px))
    for clip, trace in traces.items():
        if says_anything(trace.scores[trace.begin :]):
            write_confidences(folder / clip / f"{clip}_001_confidence.value", trace.scores)
            written.files += 1
    return written


def _first_pixel(suite: str) -> float:
    """Where pixels count from in a suite's own files."""
    try:
        folder = Path(inspect.getfile(catalogue.load("suites", suite)))
        card = read_card(folder.with_name(f"{suite.partition(':')[0]}.toml"))
    except (VBenchError, OSError):
        return 1.0
    return float(card.rules.get("first_pixel", 1))


def _traces(
    folder: RunFolder, manifest: Manifest, record: MethodRecord
) -> tuple[dict[str, Trace], dict[str, str]]:
    """A method's traces by clip, and why the other clips have none."""
    traces: dict[str, Trace] = {}
    problems: dict[str, str] = {}
    for clip in manifest.clips:
        try:
            found = None if clip in record.problems else folder.trace(record, clip)
        except Corrupt as error:
            problems[clip] = str(error)
            continue
        if found is None:
            problems[clip] = record.problems.get(clip, "not run yet")
        else:
            traces[clip] = found
    return traces, problems


def _keep(
    folder: RunFolder, manifest: Manifest, suite: Suite, found: ReadTraces, name: str
) -> MethodRecord:
    digest = hashlib.sha256(found.protocol.encode())
    for clip_name, trace in found.traces.items():
        digest.update(clip_name.encode() + np.ascontiguousarray(trace.boxes, "<f8").tobytes())
        for column in trace.extras.values():
            digest.update(np.ascontiguousarray(column, "<f8").tobytes())
    key = content_key({"imported": digest.hexdigest()})
    record = MethodRecord(
        method=name, key=key, base=name, problems=dict(found.problems), notes=dict(found.notes)
    )
    manifest.methods[name] = record
    for clip in suite.clips:
        if clip.name in found.traces:
            folder.save(record, clip, found.traces[clip.name])
    return record


def _placed(clip: Clip, results: Mapping[str, Result]) -> Placed:
    """Boxes that reach to the clip's last frame; ValueError says why there are none."""
    found = results.get(clip.name, "no result")
    if isinstance(found, str):
        raise ValueError(found)
    placed = found if isinstance(found, Placed) else Placed(found)
    if placed.first + len(placed.boxes) != len(clip):
        raise ValueError(f"{len(placed.boxes)} rows for {len(clip)} frames")
    return placed


def _trace(placed: Placed, seconds: Floats, scores: Floats) -> Trace:
    """A trace of the whole clip; frames before the first row are SKIPPED."""
    first = placed.first
    boxes = np.concatenate([absent(first), placed.boxes])
    before = np.full(first, np.nan)
    n = len(boxes)
    kind = np.full(n, Kind.KEY, dtype=np.int8)
    kind[:first] = Kind.SKIPPED
    kind[first] = Kind.START
    unknown = np.full(n, np.nan)
    return Trace(
        kind=kind,
        objects=np.ones(n, dtype=np.int64),
        carried=np.zeros(n, dtype=np.int64),
        belief=unknown,
        seconds=np.concatenate([before, seconds]),
        cheap_seconds=unknown,
        decode_seconds=unknown,
        boxes=boxes,
        scores=np.concatenate([before, scores]),
        labels=np.full(n, -1, dtype=np.int64),
    )


def _no_weights(*_: object) -> None:
    raise NotReady("an imported method has no weights")
