"""Every shell block of README.md and docs/ runs; every command stands on the page of commands.

A block of `sh` runs line by line, in the order of its page, in an empty folder, on few clips. One
that cannot says why in the line above it, which is not shown: `<!-- not run: reason -->`. One that
wants published data says where that lies: `<!-- data: OTB=sequences/otb -->`; one that may find
problems says which: `<!-- may exit with 1: reason -->`. A block of another language whose first
line is `# NAME.EXT` is written to that file.
"""

import importlib
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import pytest

from vbench.cli.app import invoke
from vbench.cli.reference import commands, parts_of_help, reference

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"^(?: *<!-- (?P<mark>[a-z1 ]+): (?P<said>.+?) -->\n)?(?P<indent> *)```(?P<language>\w*)\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
MARKS = {None, "not run", "data", "may exit with 1"}
# Read before a test takes all variables of the user away.
DATA = Path(os.environ.get("VBENCH_TEST_DATA") or ROOT / "no data")
# Options that end the lines of a command, so that all pages are through in seconds.
LESS = {
    "run": ["--limit", "3"],
    "sweep": ["--limit", "1"],
    "profile": ["--seconds", "0.01", "--repeats", "1", "--objects", "1"],
}
LESS_DATA = {"run": ["--limit", "1"]}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    text: str
    mark: str | None
    said: str | None


def blocks(page: Path) -> list[Block]:
    found = [match.groupdict() for match in BLOCK.finditer(page.read_text("utf-8"))]
    return [Block(b["language"], textwrap.dedent(b["text"]), b["mark"], b["said"]) for b in found]


def lines_of(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if shlex.split(line, comments=True)]


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    """An empty folder without settings, environment or cache of the user."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("VBENCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def run_line(line: str, less: Mapping[str, list[str]] = LESS) -> tuple[int, str]:
    """Run one line: `vbench` in this process, anything else by the shell."""
    words = shlex.split(line, comments=True)
    if words[0] == "vbench":
        return invoke(words[1:] + less.get(words[1], [])), ""
    answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    return answer.returncode, answer.stderr


def write_named(block: Block) -> None:
    """Write a block that says its file's name to that file."""
    name = re.match(r"# ([\w./-]+\.\w+)\n", block.text)
    if name and block.language != "sh":
        Path(name[1]).parent.mkdir(parents=True, exist_ok=True)
        Path(name[1]).write_text(block.text, "utf-8")
        importlib.invalidate_caches()


def lines_to_run(page: Path) -> Iterator[tuple[str, Block]]:
    """Lines of a page's blocks that can run here, as their turn comes."""
    for block in blocks(page):
        write_named(block)
        wants_data = block.mark == "data"
        if block.language != "sh" or block.mark == "not run" or (wants_data and not DATA.is_dir()):
            continue
        for link in (block.said or "").split() if wants_data else ():
            here, _, there = link.partition("=")
            Path(here).symlink_to(DATA / there)
        yield from ((line, block) for line in lines_of(block.text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page, folder, capsys):
    for line, block in lines_to_run(page):
        code, said = run_line(line, LESS_DATA if block.mark == "data" else LESS)
        worst = int(block.mark == "may exit with 1")
        captured = capsys.readouterr()
        assert code <= worst, f"{page.name}: {line}\n{captured.out}{captured.err}{said}"


def test_what_make_demo_runs(folder):
    lines = (ROOT / "Makefile").read_text("utf-8").partition("\ndemo:")[2].splitlines()[1:]
    ran = [run_line(line.strip().removeprefix("$(BIN)/")) for line in takewhile(bool, lines)]
    assert [code for code, _ in ran] == [0, 0]
    assert Path("results/synth-sot/plots/tradeoff.png").exists()


def test_the_workflow_runs(folder, capsys):
    yaml = pytest.importorskip("yaml", reason="no PyYAML")
    for block in blocks(ROOT / "docs/ci.md"):
        write_named(block)
    assert invoke(["run", "--methods", "kcf,kcf+dummy@fixed:5", "--limit", "3"]) == 0
    assert invoke(["check", "--update"]) == 0
    workflow = yaml.safe_load(Path(".github/workflows/vbench.yml").read_text())
    lines = [step.get("run", "") for step in workflow["jobs"]["check"]["steps"]]
    ran = [run_line(line) for line in lines if line.startswith("vbench ")]
    assert [code for code, _ in ran] == [0, 0], capsys.readouterr()
    assert all(Path(name).stat().st_size for name in ("check.xml", "check.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_say_what_they_are_and_links_lead_somewhere(page):
    text = page.read_text("utf-8")
    assert text.count("```") == 2 * len(blocks(page))
    assert {block.mark for block in blocks(page)} <= MARKS
    plain = BLOCK.sub("", text)
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", plain):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_page_of_commands_is_that_of_the_commands():
    assert (ROOT / "docs/cli.md").read_text("utf-8") == reference(), "run `make reference`"


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=[name for name, _ in commands()]
)
def test_every_command_is_described_with_an_example(name, command):
    text, example = parts_of_help(command)
    assert text and "\n" not in example
    words = shlex.split(example)
    assert words[: 1 + len(name.split())] == ["vbench", *name.split()]
    # An option of the example that the command does not have raises here.
    command.make_context(name, words[1 + len(name.split()) :])
    assert not [p.name for p in command.params if not p.help]
    assert "--json" in {flag for p in command.params for flag in p.opts}


def test_every_page_is_in_the_navigation():
    site = (ROOT / "mkdocs.yml").read_text("utf-8")
    named = set(re.findall(r"^  - .+: (\S+\.md)$", site, re.MULTILINE))
    assert {page.name for page in PAGES[1:]} <= named


def test_the_plot_of_the_readme_is_small():
    assert (ROOT / "docs/tradeoff.png").stat().st_size < 200_000


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("material", reason="pip install 'vbench[docs]' brings mkdocs-material")
    asked = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    answer = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert (tmp_path / "cli" / "index.html").exists()
