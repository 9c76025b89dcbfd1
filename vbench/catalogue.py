"""Names to things: explicit lazy tables of the catalogue folders, plus installed packages.

A third-party package adds to the entry-point groups `vbench.trackers`, `vbench.propagators`,
`vbench.detectors`, `vbench.posts` and `vbench.suites`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vbench.core.entry import Entry
from vbench.core.errors import NotReady, UnknownName, VBenchError
from vbench.core.suite import Suite, read_card

# kind -> (folder, table in its __init__.py)
TABLES = {
    "trackers": ("trackers", "TRACKERS"),
    "propagators": ("trackers", "PROPAGATORS"),
    "detectors": ("detectors", "DETECTORS"),
    "posts": ("detectors", "POSTS"),
    "suites": ("suites", "SUITES"),
}
# Keywords that the engine gives to a constructor that names them.
CONTEXT = frozenset({"weights", "device", "seed", "card", "data", "annotations"})
# Entries of the user's own settings, by kind.
_own: dict[str, dict[str, Entry]] = {kind: {} for kind in TABLES}
# What a user writes for a parameter, by the type of its annotation.
KINDS = {"bool": "1 or 0", "int": "a whole number", "float": "a number"}
WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def shipped(kind: str) -> Mapping[str, Entry]:
    """Return the entries of a kind that are vbench's own."""
    folder, name = TABLES[kind]
    found: dict[str, Entry] = getattr(importlib.import_module(f"vbench.{folder}"), name)
    return found


@cache
def table(kind: str) -> Mapping[str, Entry]:
    """Return all entries of a kind: ours, those of installed packages, the user's own."""
    # Asking what is installed takes longer than all the rest of a lookup.
    from importlib.metadata import entry_points

    found = dict(shipped(kind))
    for point in entry_points(group=f"vbench.{kind}"):
        dist = point.dist
        summary = (dist.metadata["Summary"] if dist else None) or "from an installed package"
        entry = Entry(point.value, summary, package=dist.name if dist else "?")
        if point.name in found:
            raise VBenchError(
                f"package {entry.package} offers a {kind[:-1]} called '{point.name}', which "
                f"{found[point.name].package} has already; uninstall one of them"
            )
        found[point.name] = entry
    return found | _own[kind]


def add(kind: str, name: str, entry: Entry) -> None:
    """Add an entry of the user's settings; a later one of the same name takes its place.

    Raises:
        VBenchError: vbench or an installed package has that name.
    """
    taken = table(kind).get(name)
    if taken is not None and name not in _own[kind]:
        raise VBenchError(
            f"{entry.package}: {kind[:-1]} '{name}' is taken by {taken.package}; use another name"
        )
    _own[kind][name] = entry
    table.cache_clear()


def names(kind: str) -> tuple[str, ...]:
    """Return all names of a kind, in the order of the tables."""
    return tuple(table(kind))


def entry(kind: str, name: str) -> Entry:
    """Return the entry of `name`, which may carry an argument after a colon (`stored:PATH`)."""
    stem, colon, argument = name.partition(":")
    # Nobody else's entry can have the name of one of ours, so the others need not be asked.
    found = shipped(kind).get(stem) or table(kind).get(stem)
    if found is None:
        raise UnknownName(kind[:-1], name, table(kind), f"`vbench list {kind}` shows all")
    if colon and found.takes is None:
        raise VBenchError(f"{kind[:-1]} '{stem}' takes nothing after a colon, got ':{argument}'")
    if found.takes is not None and not argument and not found.optional:
        raise VBenchError(f"{kind[:-1]} '{stem}' wants '{stem}:{found.takes}'")
    return found


def load(kind: str, name: str) -> Any:
    """Import the class or function behind `name`."""
    found = entry(kind, name)
    module, _, attribute = found.target.partition(":")
    prefix = f"vbench.{TABLES[kind][0]}." if found.package == "vbench" else ""
    try:
        return getattr(importlib.import_module(prefix + module), attribute)
    except ModuleNotFoundError as error:
        if found.package != "vbench":
            raise _unloadable(kind, name, found, error) from error
        if not found.extras:
            raise
        extra = found.extras[0]
        raise NotReady(
            f"{kind[:-1]} '{name}' needs the module {error.name}: pip install 'vbench[{extra}]'"
        ) from None
    except Exception as error:
        if found.package == "vbench":
            raise
        raise _unloadable(kind, name, found, error) from error


def _unloadable(kind: str, name: str, found: Entry, error: Exception) -> VBenchError:
    return VBenchError(
        f"{kind[:-1]} '{name}' ({found.target}, from {found.package}) cannot be imported: "
        f"{type(error).__name__}: {error}"
    )


def parameters(kind: str, name: str) -> dict[str, inspect.Parameter]:
    """Return what `name[...]` accepts, by its constructor's signature."""
    preset = entry(kind, name).preset
    found = inspect.signature(load(kind, name)).parameters
    hidden = CONTEXT | {"argument"} | set(preset)
    return {k: p for k, p in found.items() if k not in hidden and k != "self"}


def build(kind: str, name: str, given: Mapping[str, str] | None = None, **context: Any) -> Any:
    """Make the thing behind `name` with the parameters of its method string.

    `context` (weights, device, seed) reaches the constructors that ask for it by name.
    """
    target, found = load(kind, name), entry(kind, name)
    values = {**found.preset, **arguments(kind, name, given or {})}
    wanted = inspect.signature(target).parameters
    for key in found.preset:
        if key not in wanted:
            offered = [k for k in wanted if k not in CONTEXT and k != "self"]
            where = f"preset of {kind[:-1]} '{name}' ({found.package})"
            raise UnknownName(f"parameter in the {where}", key, offered)
    values |= {k: v for k, v in context.items() if k in wanted}
    if found.takes is not None:
        values["argument"] = name.partition(":")[2]
    return target(**values)


def arguments(kind: str, name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Turn the parameters of a method string into values; a wrong one is named."""
    offered = parameters(kind, name)
    for key in given:
        if key not in offered:
            raise UnknownName(f"parameter of {name}", key, offered)
    return {k: convert(text, offered[k], f"{name}[{k}={text}]") for k, text in given.items()}


def convert(text: str, parameter: inspect.Parameter, where: str) -> Any:
    """Turn a parameter's text into the type of its annotation (or of its default)."""
    annotation = _annotation(parameter)
    if "|" in annotation and text.lower() == "none":
        return None
    try:
        if annotation.startswith("bool"):
            return WORDS[text.lower()]
        if annotation.startswith("int"):
            return int(text)
        if annotation.startswith("float"):
            return float(text)
    except (ValueError, KeyError):
        wanted = next(said for kind, said in KINDS.items() if annotation.startswith(kind))
        raise VBenchError(f"{where}: '{text}' is not {wanted}") from None
    choices = _literals(annotation)
    if choices and text not in choices:
        raise UnknownName(f"value of {where.partition('=')[0]}]", text, choices)
    return text


def _annotation(parameter: inspect.Parameter) -> str:
    """Write an annotation as its source does, also where it was evaluated (`<class 'int'>`)."""
    found = parameter.annotation
    if found is parameter.empty:
        found = type(parameter.default)
    if isinstance(found, str):
        return found
    return inspect.formatannotation(found).removeprefix("typing.")


def _literals(annotation: str) -> list[str]:
    if not annotation.startswith("Literal["):
        return []
    return [part.strip(" '\"") for part in annotation[8:-1].split(",")]


def open_suite(
    name: str, data: Path | None, annotations: Path | None, given: Mapping[str, str] | None = None
) -> Suite:
    """Load the clips of a suite: its card `suites/<name>.toml`, then its loader."""
    found = entry("suites", name)
    stem = name.partition(":")[0]
    card = read_card(Path(inspect.getfile(load("suites", name))).with_name(f"{stem}.toml"))
    suite = build("suites", name, given, card=card, data=data, annotations=annotations)
    if not isinstance(suite, Suite):
        raise VBenchError(f"suite '{name}' of package {found.package} is no vbench Suite")
    return suite
