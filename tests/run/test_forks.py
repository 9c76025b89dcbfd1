"""Work in forked processes: as in one, whatever happens to the others."""

import os
import signal
import sys
import threading

import pytest

from vbench.core.errors import VBenchError
from vbench.run.forks import can_fork, forked_map

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_the_answers_are_those_of_one_process_in_order(processes, count):
    assert forked_map(lambda x: x * x, range(count), processes, []) == [x * x for x in range(count)]


def test_work_is_done_elsewhere_and_large_answers_come_back():
    here = os.getpid()
    found = forked_map(lambda x: (os.getpid(), b"a" * x), [0, 1 << 20, 2, 1 << 20], 2, [])
    assert [len(text) for _, text in found] == [0, 1 << 20, 2, 1 << 20]
    assert [process == here for process, _ in found] == [True, False, True, False]


def test_what_is_known_is_itself_again():
    known = [object(), ["a list"]]
    found = forked_map(lambda i: {"clip": known[i % 2]}, range(4), 2, known)
    assert all(answer["clip"] is known[i % 2] for i, answer in enumerate(found))


def test_a_process_that_dies_is_made_up_for():
    here = os.getpid()

    def work(x):
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return x + 1

    assert forked_map(work, range(6), 3, []) == [1, 2, 3, 4, 5, 6]


def test_an_error_is_raised_as_without_processes(monkeypatch):
    started, fork = [], os.fork

    def forked():
        started.append(fork())
        return started[-1]

    monkeypatch.setattr(os, "fork", forked)

    def work(x):
        if x == 1:
            raise VBenchError("the second is bad")
        return x

    with pytest.raises(VBenchError, match="the second is bad"):
        forked_map(work, range(3), 2, [])
    (child,) = started
    with pytest.raises(ChildProcessError):  # it was waited for
        os.waitpid(child, os.WNOHANG)


def test_a_process_with_threads_or_torch_is_not_forked(monkeypatch):
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert can_fork()
    monkeypatch.setitem(sys.modules, "torch", object())
    assert not can_fork()
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert not can_fork()
