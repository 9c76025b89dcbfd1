"""What `vbench list` shows: every name with its card and whether it can be used here.

Nothing heavy is imported: readiness of weights goes by file sizes, of modules by whether they can
be found, of data by whether the folder holds something that is called like a sequence.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from vbench import catalogue
from vbench.core.entry import Entry
from vbench.core.errors import UnknownName
from vbench.core.suite import Card, read_card
from vbench.run.data_folder import holds_any
from vbench.run.devices import devices
from vbench.run.extras import install_command, is_here, missing_modules
from vbench.run.settings import Settings
from vbench.weights.find import WeightsFinder
from vbench.weights.registry import Release, registry

READY = "ready"
NEEDS_WEIGHTS = "needs weights"
NEEDS_DATA = "needs data"
NEEDS_EXTRA = "needs extra"
NEEDS_MODULE = "needs module"
NOT_AVAILABLE = "not available"
KINDS = (*catalogue.TABLES, "policies", "metrics", "weights", "devices")


@dataclass(frozen=True)
class Row:
    """One name: how it is written, its card, what it needs, its status here and what mends that."""

    name: str
    form: str
    summary: str
    paper: str = ""
    needs: tuple[str, ...] = ()
    status: str = READY
    mend: str = ""
    package: str = "vbench"
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain values; details stand beside the rest."""
        values = asdict(self)
        return {**{k: v for k, v in values.items() if k != "details"}, **values["details"]}


def rows(kind: str, settings: Settings, finder: WeightsFinder) -> list[Row]:
    """Return what there is of a kind, in the order of its table.

    Raises:
        UnknownName: there is no such kind.
    """
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        raise UnknownName("kind of thing", kind, near or KINDS)
    if kind in MAKERS:
        return list(MAKERS[kind](finder))
    entries = catalogue.table(kind).items()
    return [_entry_row(kind, name, entry, settings, finder) for name, entry in entries]


def _entry_row(
    kind: str, name: str, entry: Entry, settings: Settings, finder: WeightsFinder
) -> Row:
    card = _card(name, entry) if kind == "suites" else None
    status, mend = _status(name, entry, card, settings, finder)
    argument = f":{entry.takes}" if entry.takes else ""
    needs = [f"weights {entry.weights}"] if entry.weights else []
    needs += [f"extra {extra}" for extra in entry.extras]
    needs += ["data"] if card and _needs_data(card) else []
    details: dict[str, Any] = {"weights": entry.weights, "extras": entry.extras}
    if card is not None:
        details = {"clips": card.clips, "url": card.url, "licence": card.licence}
    return Row(
        name=name,
        form=name + (f"[{argument}]" if argument and entry.optional else argument),
        summary=entry.summary,
        paper=entry.paper or (card.citation if card else ""),
        needs=tuple(needs),
        status=status,
        mend=mend,
        package=entry.package,
        details=details,
    )


def _status(
    name: str, entry: Entry, card: Card | None, settings: Settings, finder: WeightsFinder
) -> tuple[str, str]:
    """Return the first thing that is not here, and what mends it."""
    for extra in entry.extras:
        if missing_modules(extra):
            return NEEDS_EXTRA, install_command(extra)
    module = entry.target.partition(":")[0].partition(".")[0]
    if entry.package != "vbench" and not is_here(module):
        return NEEDS_MODULE, f"make module {module} importable (`path` under [catalogue])"
    if entry.weights and not finder.seems_ready(name, entry.weights):
        return NEEDS_WEIGHTS, _weights_step(entry.weights)
    if card is not None and _needs_data(card):
        return _data_status(name, card, settings)
    return READY, ""


def _weights_step(name: str) -> str:
    known = registry().get(name)
    return known.next_step() if known else f"--weights {name}=FILE"


def _data_status(name: str, card: Card, settings: Settings) -> tuple[str, str]:
    folder = settings.data_for(name)
    if folder is None:
        return NEEDS_DATA, f"get it from {card.url}; then --data DIR, VBENCH_DATA or vbench.toml"
    if not folder.is_dir():
        return NEEDS_DATA, f"there is no folder {folder}; get it from {card.url}"
    sequences = card.rules.get("sequences", ())
    if sequences and not holds_any(folder, sequences):
        return NEEDS_DATA, f"{folder} holds no sequence of it; get it from {card.url}"
    return READY, ""


def _card(name: str, entry: Entry) -> Card | None:
    """Read a suite's card; those of other packages lie beside modules that are not imported."""
    folder = Path(str(import_module("vbench.suites").__file__)).parent
    path = folder / f"{name}.toml"
    return read_card(path) if entry.package == "vbench" and path.is_file() else None


def _needs_data(card: Card) -> bool:
    return card.url.startswith(("http://", "https://"))


def _policies(_: WeightsFinder) -> Iterable[Row]:
    policy = import_module("vbench.core.policy")
    for name, kind in policy.POLICIES.items():
        yield Row(name, kind.form, kind.summary)


def _metrics(_: WeightsFinder) -> Iterable[Row]:
    for name, metric in import_module("vbench.metrics.metric").METRICS.items():
        details = {"unit": metric.unit, "better": metric.better}
        yield Row(name, name, metric.what, details=details)


def _weights(finder: WeightsFinder) -> Iterable[Row]:
    for name, known in registry().items():
        yield weights_row(name, known, finder.seems_ready(name))


def weights_row(name: str, known: Release, here: bool) -> Row:
    """Return the row of published weights that are `here` or not."""
    return Row(
        name=name,
        form=name,
        summary=known.title,
        paper=known.citation,
        status=READY if here else "not here",
        mend="" if here else known.next_step(),
        details={
            "bytes": known.bytes,
            "licence": known.licence,
            "source": known.source,
            "format": known.format,
            "fetchable": known.fetchable,
            "files": [file.name for file in known.files],
        },
    )


def _devices(_: WeightsFinder) -> Iterable[Row]:
    for device in devices():
        status = NOT_AVAILABLE if device.lacks else READY
        yield Row(device.name, device.name, device.summary, status=status, mend=device.lacks)


MAKERS: Mapping[str, Callable[[WeightsFinder], Iterable[Row]]] = {
    "policies": _policies,
    "metrics": _metrics,
    "weights": _weights,
    "devices": _devices,
}
