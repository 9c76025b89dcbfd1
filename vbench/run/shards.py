"""Accuracy in parallel: clips spread over processes here, or over the machines of a Ray cluster.

Never while times are taken: what shares a device slows each other down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from vbench.core.clip import Clip
from vbench.core.errors import NotReady, VBenchError
from vbench.core.trace import Trace

Answer = tuple[Clip, Trace | Exception]


@dataclass(frozen=True)
class Source:
    """What a worker needs to open the same suite and build the same method, as the user gave it."""

    suite: str
    data: Path | None
    annotations: Path | None
    weights: tuple[str, ...]
    device: str
    seed: int
    protocol: str
    fps: float | None


@dataclass(frozen=True)
class Task:
    """One clip under one method."""

    source: Source
    method: str
    clip: str


class Pool(Protocol):
    """Runs `work` on tasks somewhere else, in any order."""

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Trace | str]]:
        """Yield each task with its trace, or why there is none, as soon as it is done."""
        ...

    def close(self) -> None:
        """Let the workers go."""
        ...


@dataclass(frozen=True)
class Shards:
    """A pool and what its workers open."""

    source: Source
    pool: Pool

    def answers(self, method: str, clips: Sequence[Clip]) -> Iterator[Answer]:
        """Yield the clips with their traces, or errors, as they are done."""
        known = {clip.name: clip for clip in clips}
        tasks = [Task(self.source, method, name) for name in known]
        for task, made in self.pool.results(tasks):
            yield known[task.clip], VBenchError(made) if isinstance(made, str) else made


class Processes:
    """Worker processes on this machine, one thread each."""

    def __init__(self, jobs: int) -> None:
        if jobs < 1:
            raise VBenchError(f"--jobs {jobs}: at least one process is needed")
        self.pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Trace | str]]:
        """Yield each task with what came of it."""
        waiting = {self.pool.submit(work, task): task for task in tasks}
        for future in as_completed(waiting):
            yield waiting[future], future.result()

    def close(self) -> None:
        """Stop; tasks that have not begun are dropped."""
        self.pool.shutdown(cancel_futures=True)


class Cluster:
    """Workers of a Ray cluster; every machine needs vbench, the data and the weights."""

    def __init__(self, address: str) -> None:
        try:
            import ray
        except ModuleNotFoundError:
            raise NotReady("--ray needs Ray: pip install 'vbench[ray]'") from None
        self.ray = ray
        where: dict[str, Any] = {} if address == "local" else {"address": address}
        try:
            ray.init(ignore_reinit_error=True, log_to_driver=False, **where)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise VBenchError(f"--ray {address}: no cluster there ({error})") from None
        self.remote: Callable[..., Any] = ray.remote(max_calls=0)(work).remote

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Trace | str]]:
        """Yield each task with what came of it."""
        waiting = {self.remote(task): task for task in tasks}
        while waiting:
            (done,), _ = self.ray.wait(list(waiting), num_returns=1)
            yield waiting.pop(done), self.ray.get(done)

    def close(self) -> None:
        """Disconnect."""
        self.ray.shutdown()


def work(task: Task) -> Trace | str:
    """Run one task in a worker; a clip that fails answers why."""
    from vbench.run.bench import Order, reason, timed_clip
    from vbench.run.threads import set_threads

    try:
        set_threads(1)
        suite = _suite(task.source)
        composed = _composed(task.source, task.method)
        clip = next(clip for clip in suite.clips if clip.name == task.clip)
        source = task.source
        order = Order(
            suite, [], source.device, 1, source.seed, timing=False,
            protocol=source.protocol, fps=source.fps,
        )  # fmt: skip
        return timed_clip(composed, clip, order)
    except Exception as error:  # a method's own error fails its clip, never the run
        return reason(error)


@lru_cache(maxsize=1)
def _suite(source: Source) -> Any:
    from vbench.run.protocols import under_protocol

    suite = _request(source).open_suite().with_images()
    return under_protocol(suite, source.protocol)[0]


@lru_cache(maxsize=1)
def _composed(source: Source, method: str) -> Any:
    from vbench.run.compose import compose, plan

    finder = _request(source).finder
    return compose(plan(method), finder.weights_for, device=source.device, seed=source.seed)


def _request(source: Source) -> Any:
    from vbench.run.request import Request

    return Request.read(
        suite=source.suite, data=source.data, annotations=source.annotations,
        weights=source.weights, device=source.device,
    )  # fmt: skip
