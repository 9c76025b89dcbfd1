"""The house rules: who may import whom, how long a file may be, what is packaged."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CATALOGUES = ("trackers", "detectors", "suites")
SOURCES = sorted(p for d in ("vbench", *CATALOGUES) for p in (ROOT / d).rglob("*.py"))
ENGINE_BELOW_RUN = {"core", "nn", "cost", "catalogue", "weights", "metrics", "store"}
# Room -> rooms it may import besides itself. The engine reaches the catalogues by name only.
MAY_IMPORT = {
    "core": set(),
    "nn": {"core"},
    "cost": {"core"},
    "catalogue": {"core"},
    "weights": {"core"},
    "metrics": {"core", "cost"},
    "store": {"core", "cost"},
    "run": ENGINE_BELOW_RUN,
    "train": ENGINE_BELOW_RUN,
    "report": {"core", "metrics", "store", "cost"},
    "cli": ENGINE_BELOW_RUN | {"run", "report", "train"},
    "__main__": {"cli"},
    "__init__": set(),
    **{folder: {"core", "nn"} for folder in CATALOGUES},
}
HEAVY = {"torch", "pandas", "matplotlib", "cv2", "typer", "scipy", "onnxruntime", "fvcore"}
BAD_NAMES = {"utils", "helpers", "base", "common", "manager"}


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0] if parts[0] in CATALOGUES else Path(parts[1]).stem


def imports(path: Path, top_only: bool = False) -> list[str]:
    """Absolute module names that a file imports; a relative one starts with a dot."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append("." * node.level + (node.module or ""))
            if node.module == "vbench":
                found += [f"vbench.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    room = room_of(path)
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("vbench.")}
    rooms -= {room, "__version__"}
    assert rooms <= MAY_IMPORT[room], f"{room} may not import {rooms - MAY_IMPORT[room]}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_named_for_a_noun(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert path.stem not in BAD_NAMES


def test_the_vocabulary_and_what_lists_names_stay_light() -> None:
    light = [p for p in SOURCES if room_of(p) in ("core", "catalogue", "cli")]
    light += [ROOT / folder / "__init__.py" for folder in CATALOGUES]
    found = {
        f"{p.relative_to(ROOT)}: {name}"
        for p in light
        for name in imports(p, top_only=True)
        if name.split(".")[0] in HEAVY - ({"typer"} if room_of(p) == "cli" else set())
    }
    assert not found


def test_click_is_never_imported() -> None:
    assert not [p for p in SOURCES if "click" in {n.split(".")[0] for n in imports(p)}]


def test_every_folder_is_packaged() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(config["tool"]["setuptools"]["packages"])
    folders = {p.parent.relative_to(ROOT) for p in SOURCES}
    names = {
        ".".join(("vbench", *f.parts) if f.parts[0] in CATALOGUES else f.parts) for f in folders
    }
    assert names == packages


def test_catalogue_folders_are_flat() -> None:
    for folder in CATALOGUES:
        nested = [p for p in (ROOT / folder).iterdir() if p.is_dir() and p.name != "__pycache__"]
        assert not nested


def test_no_import_circles() -> None:
    graph: dict[str, set[str]] = {}
    for path in SOURCES:
        relative = path.relative_to(ROOT).with_suffix("")
        name = ".".join(
            relative.parts if relative.parts[0] == "vbench" else ("vbench", *relative.parts)
        )
        name = name.removesuffix(".__init__")
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        graph[name] = {
            f"{package}.{n.lstrip('.')}" if n.startswith(".") else n
            for n in imports(path, top_only=True)
        } - {name}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done or name not in graph:
            return
        for other in graph[name]:
            visit(other, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())
