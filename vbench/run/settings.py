"""Settings: defaults, then the nearest settings file, the environment and the options.

Every value remembers where it came from. A later layer's data root takes the place of every
earlier one, those of single suites included.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vbench import catalogue
from vbench.core.entry import Entry
from vbench.core.errors import UnknownName, VBenchError
from vbench.core.method import split_methods
from vbench.run.settings_file import SettingsFile, nearest_file
from vbench.weights.find import RANDOM, WeightsFinder

DEFAULT_SUITE = "synth-sot"
DEVICES = re.compile(r"cpu|mps|jetson|cuda(:\d+)?")
ENVIRONMENT = {
    "VBENCH_DATA": "data",
    "VBENCH_ANNOTATIONS": "annotations",
    "VBENCH_WEIGHTS": "weights",
    "VBENCH_WEIGHTS_MIRROR": "weights_mirror",
    "VBENCH_RESULTS": "results",
}
# Keys that hold one folder for all suites (`root` in a table) and any number for single ones.
ROOTS = ("data", "annotations")
OWN_FIELDS = ("target", "summary", "paper", "weights", "takes", "preset")


@dataclass(frozen=True)
class Value:
    """One setting and where it was said (`vbench.toml:3`, `VBENCH_DATA`, `--device`)."""

    value: Any
    source: str


@dataclass(frozen=True)
class Settings:
    """All settings by dotted key (`data.otb2015`, `catalogue.trackers.mine`)."""

    values: Mapping[str, Value] = field(default_factory=dict)

    def data_for(self, suite: str) -> Path | None:
        """Return the folder of a suite's images (and annotations), None if nobody said."""
        return self._folder("data", suite)

    def annotations_for(self, suite: str) -> Path | None:
        """Return the folder of a suite's annotations where they lie apart, else None."""
        return self._folder("annotations", suite)

    @property
    def weights(self) -> tuple[str, ...]:
        """Where weights are: `DIR`, `FILE`, `NAME=FILE`, `random`."""
        return tuple(self.values["weights"].value)

    @property
    def weights_mirror(self) -> str:
        """Address that takes the place of scheme and host of every fetched file; may be empty."""
        return str(self.values["weights_mirror"].value)

    @property
    def results(self) -> Path:
        """Folder that run folders are made in."""
        found: Path = self.values["results"].value
        return found

    @property
    def device(self) -> str:
        """`cpu`, `cuda`, `cuda:1`, `mps` or `jetson`."""
        return str(self.values["device"].value)

    @property
    def threads(self) -> int:
        """CPU threads of networks and OpenCV."""
        return int(self.values["threads"].value)

    @property
    def suite(self) -> str:
        """The suite that a command without one means."""
        return str(self.values["suite"].value)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that a command without any means; empty for all that are ready."""
        return tuple(self.values["methods"].value)

    @property
    def entries(self) -> dict[tuple[str, str], Entry]:
        """The user's own catalogue entries by kind and name."""
        found = {}
        for key, value in self.values.items():
            _, kind, name = [*key.split(".", 2), "", ""][:3]
            if isinstance(value.value, Entry):
                found[kind, name] = value.value
        return found

    def _folder(self, key: str, suite: str) -> Path | None:
        stem = re.split(r"[\[:]", suite, maxsplit=1)[0]
        found = self.values.get(f"{key}.{stem}") or self.values.get(key)
        return found.value if found else None


def load_settings(
    start: Path = Path(),
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Read the settings and make the user's own catalogue entries known.

    Raises:
        VBenchError: an unknown key or a wrong type, with file, line and the nearest key.
    """
    settings = read_settings(start, environ, overrides)
    path = settings.values.get("catalogue.path")
    for folder in path.value if path else ():
        if str(folder.resolve()) not in sys.path:
            sys.path.insert(0, str(folder.resolve()))
    for (kind, name), entry in settings.entries.items():
        catalogue.add(kind, name, entry)
    return settings


def read_settings(
    start: Path = Path(),
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Read the settings around `start`, without any effect; see `load_settings`."""
    values = {key: Value(value, "default") for key, value in _defaults().items()}
    file = nearest_file(start)
    if file is not None:
        _lay(values, _of_file(file))
    _lay(values, _of_environment(environ))
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    _lay(values, _of_options(given))
    return Settings(values)


def weights_finder(settings: Settings, options: Sequence[str] = ()) -> WeightsFinder:
    """Return what finds weights: `--weights` options first, then what is configured.

    Raises:
        VBenchError: a place that does not exist, a file that nobody published, or a `NAME=FILE`
            whose name no method and no published weights have.
    """
    finder = WeightsFinder.from_options(options, settings.weights)
    tables = [catalogue.table(kind) for kind in catalogue.TABLES]
    asked = {entry.weights for table in tables for entry in table.values() if entry.weights}
    finder.check_names({name for table in tables for name in table} | asked)
    return finder


def _defaults() -> dict[str, Any]:
    return {
        "weights": (),
        "weights_mirror": "",
        "results": Path("results"),
        "device": "cpu",
        # With one thread a time hardly depends on what else the machine does.
        "threads": 1,
        "suite": DEFAULT_SUITE,
        "methods": (),
    }


def _lay(values: dict[str, Value], layer: Mapping[str, Value]) -> None:
    """Put a layer over the earlier ones."""
    for root in ROOTS:
        if root in layer:
            for key in [key for key in values if key.startswith(f"{root}.")]:
                del values[key]
    values.update(layer)


def _of_environment(environ: Mapping[str, str]) -> dict[str, Value]:
    found = {}
    for variable, key in ENVIRONMENT.items():
        if text := environ.get(variable):
            listed = [part for part in text.split(os.pathsep) if part]
            parts: object = listed if key == "weights" else text
            found[key] = Value(PARSERS[key](parts, variable, _as_given), variable)
    return found


def _of_options(given: Mapping[str, object]) -> dict[str, Value]:
    found = {}
    for key, value in given.items():
        if key not in PARSERS:
            raise UnknownName("setting", key, PARSERS)
        option = f"--{key.replace('_', '-')}"
        value = str(value) if isinstance(value, Path) else value
        found[key] = Value(PARSERS[key](value, option, _as_given), option)
    return found


def _of_file(file: SettingsFile) -> dict[str, Value]:
    found: dict[str, Value] = {}
    _known(file, (), file.table, (*PARSERS, "catalogue"), "setting")
    for key, value in file.table.items():
        if key == "catalogue":
            found |= _catalogue(file, value)
        elif key in ROOTS and isinstance(value, dict):
            found |= _roots(file, key, value)
        else:
            where = file.where(key)
            found[key] = Value(PARSERS[key](value, where, file.located), where)
    return found


def _roots(file: SettingsFile, key: str, table: Mapping[str, Any]) -> dict[str, Value]:
    """`[data]`: `root` for all suites, any suite's name for itself."""
    own = _table(file, "catalogue", file.table.get("catalogue", {})).get("suites", {})
    _known(file, (key,), table, ("root", *catalogue.names("suites"), *own), "suite")
    found = {}
    for name, text in table.items():
        where = file.where(key, name)
        flat = key if name == "root" else f"{key}.{name}"
        found[flat] = Value(_path(text, where, file.located), where)
    return found


def _catalogue(file: SettingsFile, table: Any) -> dict[str, Value]:
    found = {}
    _known(file, ("catalogue",), _table(file, "catalogue", table), ("path", *catalogue.TABLES))
    for kind, value in table.items():
        where = file.where("catalogue", kind)
        if kind == "path":
            texts = _texts(value, where, _as_given)
            found["catalogue.path"] = Value([file.located(text) for text in texts], where)
            continue
        for name, card in _table(file, f"catalogue.{kind}", value).items():
            where = file.where("catalogue", kind, name)
            entry = _entry(file, ("catalogue", kind, name), card, where)
            found[f"catalogue.{kind}.{name}"] = Value(entry, where)
    return found


def _entry(file: SettingsFile, key: tuple[str, ...], card: Any, where: str) -> Entry:
    fields = {"target": card} if isinstance(card, str) else _table(file, ".".join(key), card)
    _known(file, key, fields, OWN_FIELDS)
    target = fields.get("target")
    if not isinstance(target, str) or not re.fullmatch(r"[\w.]+:\w+", target):
        raise VBenchError(f'{where}: {".".join(key)} must be written "module:Class"')
    for name, value in fields.items():
        if not isinstance(value, dict if name == "preset" else str):
            raise VBenchError(f"{where}: {'.'.join(key)}.{name} is a {_word(value)}")
    return Entry(**{"summary": f"own, {where}", **fields}, package=where)


def _known(
    file: SettingsFile,
    key: tuple[str, ...],
    given: Iterable[str],
    offered: Iterable[str],
    kind: str = "setting",
) -> None:
    names = set(offered)
    for name in given:
        if name not in names:
            wrong = UnknownName(kind, name, names)
            raise VBenchError(f"{file.where(*key, name)}: {wrong}")


def _table(file: SettingsFile, key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise VBenchError(f"{file.where(*key.split('.'))}: {key} is a table, not {_word(value)}")
    return value


# A parser takes what was written, where, and how a path is located from there.
Locate = Callable[[str], Path]


def _as_given(path: str) -> Path:
    return Path(path).expanduser()


def _text(value: Any, where: str, _: Locate) -> str:
    if not isinstance(value, str) or not value:
        raise VBenchError(f"{where}: a text is wanted, not {_word(value)}")
    return value


def _path(value: Any, where: str, locate: Locate) -> Path:
    return locate(_text(value, where, locate))


def _texts(value: Any, where: str, locate: Locate) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(_text(text, where, locate) for text in listed)


def _weights(value: Any, where: str, locate: Locate) -> tuple[str, ...]:
    return tuple(_located(text, locate) for text in _texts(value, where, locate))


def _located(text: str, locate: Locate) -> str:
    name, equals, path = text.partition("=")
    if text == RANDOM:
        return text
    return f"{name}={locate(path)}" if equals else str(locate(text))


def _mirror(value: Any, where: str, locate: Locate) -> str:
    text = _text(value, where, locate)
    if not re.match(r"https?://", text):
        raise VBenchError(f"{where}: a mirror is an http address, not '{text}'")
    return text


def _device(value: Any, where: str, locate: Locate) -> str:
    text = _text(value, where, locate)
    if not DEVICES.fullmatch(text):
        raise VBenchError(f"{where}: device '{text}': there are cpu, cuda, cuda:N, mps and jetson")
    return text


def _count(value: Any, where: str, _: Locate) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise VBenchError(f"{where}: a whole number from 1 is wanted, not {_word(value)}")
    return value


def _methods(value: Any, where: str, locate: Locate) -> Sequence[str]:
    return tuple(m for text in _texts(value, where, locate) for m in split_methods(text))


def _word(value: object) -> str:
    names = {str: "text", bool: "true or false", int: "number", float: "number", list: "list"}
    return f"the {names.get(type(value), 'table')} {value!r}"


PARSERS: Mapping[str, Callable[[Any, str, Locate], Any]] = {
    "data": _path,
    "annotations": _path,
    "weights": _weights,
    "weights_mirror": _mirror,
    "results": _path,
    "device": _device,
    "threads": _count,
    "suite": _text,
    "methods": _methods,
}
