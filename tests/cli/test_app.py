"""The program: every command is in its help, and each is there when asked for alone."""

import re
import subprocess
import sys

import pytest

from tests.cli.commands import vbench
from vbench.cli.app import COMMANDS


def test_help_names_every_command(capsys) -> None:
    shown = vbench(capsys, "--help").out.partition("Commands:")[2]
    assert set(re.findall(r"^  (\w+)  ", shown, re.M)) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_there_when_asked_for_alone(capsys, command) -> None:
    ran = vbench(capsys, command, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: vbench {command} ")


@pytest.mark.parametrize("arguments", [[], ["data"]])
def test_without_a_command_the_help_is_shown_as_it_is(capsys, arguments) -> None:
    ran = vbench(capsys, *arguments)
    assert ran.code == 2
    assert ran.err.startswith("Usage: vbench")
    assert len(ran.err.splitlines()) > 5


def test_a_wrong_command_is_one_line(capsys) -> None:
    assert "No such command 'scor'" in vbench(capsys, "scor").one_line()


def test_a_command_imports_no_other() -> None:
    code = (
        "import sys; from vbench.cli.app import invoke; invoke(['score', '--help']); "
        "print([m for m in sys.modules if m.startswith('vbench.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['vbench.cli.app', 'vbench.cli.score']"
