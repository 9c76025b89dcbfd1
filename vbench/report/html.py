"""One self-contained HTML file of a run: table, plot, clips with timelines and frames."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vbench.core.boxes import Boxes, Image
from vbench.core.trace import Kind, Trace
from vbench.metrics.metric import METRICS
from vbench.report.canvas import base_of, cheap_of
from vbench.report.carrying_notes import carrying_notes
from vbench.report.coverage import LACKS, comparable
from vbench.report.overlay import answered, truth_boxes
from vbench.report.tables import ACCURACY, PM, Cell, cells, per_clip, summary
from vbench.report.timeline import overlaps
from vbench.report.tradeoff import pareto
from vbench.store.run_folder import Manifest, RunFolder
from vbench.store.traces import StoredTruth

# What keeps 100 clips x 30 methods under 5 MB: points of a line, frames a clip, their width.
MOST_POINTS = 300
MOST_POINTS_OF_MANY = 150
STRIP_FRAMES = 3
STRIP_WIDTH_PX = 170
JPEG_QUALITY = 50
# So many methods between the cheapest and the best are named in the summary.
MOST_NAMED = 3
# GOT-10k's names of op50 and op75.
TWICE = ("sr50", "sr75")
CODES = {Kind.START: 0, Kind.KEY: 0, Kind.INTER: 1, Kind.FALLBACK: 2, Kind.SKIPPED: 3}
FrameOf = Callable[[str, int], Image | None]


def html(folder: RunFolder, frame_of: FrameOf | None = None) -> str:
    """Return the page of a run. `frame_of(clip, index)` gives frames where images are at hand."""
    manifest = folder.read()
    found = summary(folder, manifest)
    read = cells(folder, manifest)
    truths = {cell.clip: cell.truth for cell in read if cell.truth is not None}
    strips = {name: _strip(truth, frame_of) for name, truth in truths.items()}
    columns = [c for c in METRICS if c in found and c not in TWICE]
    x = next((c for c in ("gmac_per_frame", "ms_mean") if c in found), "")
    y = next((c for c in ACCURACY if c in found), "")
    data = {
        "about": _about(manifest, found),
        "brief": [*_brief(found, x, y), *(f"{note}." for note in carrying_notes(folder, manifest))],
        "columns": [_column(name) for name in columns],
        "rows": _rows(found),
        "clips": [_clip(truth, strips[name]) for name, truth in truths.items()],
        "cells": _cells(read, strips, per_clip(folder, manifest), columns),
        "manifest": _facts(manifest),
        "many": manifest.task == "vid",
        "x": x,
        "y": y,
    }
    return _page(f"vbench: {manifest.suite}", data)


def _page(title: str, data: Mapping[str, Any]) -> str:
    room = files("vbench.report")
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    # Inside a script element only "</" could end it early, "<!--" could open a comment.
    parts = {
        "title": title.replace("&", "&amp;").replace("<", "&lt;"),
        "css": (room / "page.css").read_text(encoding="utf-8"),
        "js": (room / "page.js").read_text(encoding="utf-8"),
        "data": text.replace("<", "\\u003c"),
    }
    page = (room / "page.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        page = page.replace(f"{{{{{name}}}}}", part)
    return page


def _about(manifest: Manifest, found: pd.DataFrame) -> str:
    covered = "; ".join(dict.fromkeys(map(str, found["clips"])))
    device = manifest.machine.get("name", "unknown machine")
    return (
        f"{covered} clips of {manifest.suite}, protocol {manifest.protocol}, scored by "
        f"{manifest.profile}; {device}, {manifest.created[:10]}, vbench "
        f"{manifest.packages.get('vbench', '')}."
    )


def _brief(found: pd.DataFrame, x: str, y: str) -> list[str]:
    """What the table says, in sentences, for who has not read one before."""
    whole = found[comparable(found) & (found["status"] != "failed")]
    left = len(found) - len(whole)
    said = [f"{left} of {len(found)} methods lack clips and are left out here."] if left else []
    done, _, total = str(whole["clips"].iloc[0] if len(whole) else "").partition("/")
    if done != total:
        said.append(f"All this is of {done} of {total} clips; on the whole suite it may differ.")
    known = whole.dropna(subset=[x, y]) if x and y else whole[:0]
    if len(known) < 2 or METRICS[y].better != "higher":
        return said
    front = pareto(known[x].tolist(), known[y].tolist())
    best, light = known.iloc[front[-1]], known.iloc[front[0]]
    if len(front) == 1:
        return [f"{_told(best, x, y)} It is the most accurate and the cheapest at once.", *said]
    share = best[x] / light[x] if light[x] > 0 else math.inf
    times = f", {share:.3g} times less" if 1.05 < share < math.inf else ""
    between = [str(known.iloc[i]["method"]) for i in front[1:-1]]
    sentences = [
        f"Most accurate: {_told(best, x, y)}",
        f"Cheapest: {_told(light, x, y)[:-1]}{times}.",
    ]
    if between:
        more = f" and {len(between) - MOST_NAMED} more" if len(between) > MOST_NAMED else ""
        sentences.append(f"Between them on the line: {', '.join(between[:MOST_NAMED])}{more}.")
    others = len(known) - len(front)
    if others:
        which = "the other one" if others == 1 else f"each of the other {others}"
        sentences.append(
            f"For {which} there is a method on the line that costs no more and is at least as "
            "accurate."
        )
    return [*sentences, *said]


def _told(row: pd.Series[Any], x: str, y: str) -> str:
    """Tell one row: `kcf, success auc 0.601 ±0.10 at 0.008 GMAC a frame`."""
    half = row.get(f"{y}{PM}", math.nan)
    sure = f" ±{half:.2f}" if math.isfinite(half) else ""
    unit = "GMAC a frame" if x == "gmac_per_frame" else "ms a frame"
    accuracy = f"{y.replace('_', ' ')} {METRICS[y].shown(row[y])}{sure}"
    return f"{row['method']}, {accuracy} at {row[x]:.3g} {unit}."


def _column(name: str) -> dict[str, Any]:
    metric = METRICS[name]
    return {
        "name": name,
        "label": name.replace("_", " "),
        "unit": "" if metric.unit == "share" else metric.unit,
        "better": metric.better,
        "decimals": metric.decimals,
        "what": metric.what,
    }


def _rows(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with what colours them: the base model, of one base alone the cheap half."""
    bases = [base_of(str(method)) for method in found["method"]]
    groups = bases if len(set(bases)) > 1 else [cheap_of(str(method)) for method in found["method"]]
    records = found.to_dict(orient="records")
    return [_row(row) | {"base": group} for row, group in zip(records, groups, strict=True)]


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    kept = {str(k): v for k, v in row.items() if k in METRICS or str(k).endswith(PM)}
    return {
        "method": row["method"],
        "clips": row["clips"],
        "status": row["status"],
        "lacks": row.get(LACKS) or "",
        **{name: _number(value) for name, value in kept.items()},
    }


def _clip(truth: StoredTruth, strip: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": truth.name, "frames": truth.frames, "tags": list(truth.tags), "strip": strip}


def _cells(
    read: Sequence[Cell],
    strips: Mapping[str, list[dict[str, Any]]],
    numbers: pd.DataFrame,
    columns: Sequence[str],
) -> dict[str, dict[str, Any]]:
    by_cell = {(r["method"], r["clip"]): r for r in numbers.to_dict(orient="records")}
    wanted = [c for c in columns if c in numbers and c not in ("ms_p99", "ms_mean")]
    found: dict[str, dict[str, Any]] = {}
    for cell in read:
        row = by_cell[cell.method, cell.clip]
        made: dict[str, Any] = {"problem": cell.problem}
        if cell.trace is not None and cell.truth is not None:
            made |= _lines(cell.trace, cell.truth)
            made["boxes"] = {
                frame["index"]: _rounded(answered(cell.trace, frame["index"]))
                for frame in strips[cell.clip]
            }
            given = {c: _number(row[c]) for c in wanted}
            made["numbers"] = {c: value for c, value in given.items() if value is not None}
        found.setdefault(cell.method, {})[cell.clip] = made
    return found


def _lines(trace: Trace, truth: StoredTruth) -> dict[str, Any]:
    found: dict[str, Any] = {"kinds": _text(_packed(trace.kind)), "stride": 1}
    one = len(truth.truth) == len(trace) == len(trace.boxes)
    if one or (truth.objects is not None and len(trace) == truth.frames):
        stride = math.ceil(len(trace) / (MOST_POINTS if one else MOST_POINTS_OF_MANY))
        overlap = np.nan_to_num(np.round(overlaps(truth, trace, stride) * 254), nan=255)
        found |= {"iou": _text(overlap.astype(np.uint8)), "stride": stride}
    return found


def _packed(kind: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Four frames a byte, two bits each, the first frame lowest."""
    codes = np.array([CODES[Kind(k)] for k in range(len(Kind))], np.uint8)[kind]
    codes = np.pad(codes, (0, -len(codes) % 4)).reshape(-1, 4)
    return np.asarray((codes << np.array([0, 2, 4, 6], np.uint8)).sum(1), np.uint8)


def _rounded(boxes: Boxes) -> list[list[int]]:
    """Whole px: the strip shows frames smaller than they are."""
    finite = boxes[np.isfinite(boxes).all(axis=1)]
    rows: list[list[int]] = np.round(finite).astype(int).tolist()
    return rows


def _strip(truth: StoredTruth, frame_of: FrameOf | None) -> list[dict[str, Any]]:
    if frame_of is None:
        return []
    found = []
    for index in sorted({int(i) for i in np.linspace(0, truth.frames - 1, STRIP_FRAMES + 1)[1:]}):
        image = frame_of(truth.name, index)
        if image is None:
            continue
        height, width = image.shape[:2]
        found.append(
            {
                "index": index,
                "width": width,
                "height": height,
                "jpeg": _jpeg(image),
                "truth": _rounded(truth_boxes(truth, index)),
            }
        )
    return found


def _jpeg(image: Image) -> str:
    import cv2

    height, width = image.shape[:2]
    size = (STRIP_WIDTH_PX, max(1, round(height * STRIP_WIDTH_PX / width)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, packed = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), quality)
    return _text(packed)


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _number(value: Any) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")


def _facts(manifest: Manifest) -> list[list[str]]:
    """Manifest and device block as rows of key and value."""
    facts = {
        "suite": manifest.suite,
        "protocol": manifest.protocol,
        "clips": f"{len(manifest.clips)} of {manifest.suite_clips}",
        "seed": manifest.seed,
        "created": manifest.created,
        "commit": manifest.git or "-",
    }
    rows = [[key, str(value)] for key, value in facts.items()]
    rows += [[f"package {name}", version] for name, version in manifest.packages.items()]
    rows += [[f"machine {key}", value] for key, value in _flat(manifest.machine)]
    for record in manifest.methods.values():
        weights = ", ".join(f"{part} {digest[:12]}" for part, digest in record.weights.items())
        rows.append([record.method, f"policy {record.policy}; weights {weights or 'none'}"])
    return rows


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{key} ")
        elif value not in (None, [], {}):
            found.append((f"{before}{key}", str(value)))
    return found
