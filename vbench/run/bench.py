"""A whole run: every method on every clip, kept as soon as a clip ends, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from vbench import __version__
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.policy import Budget, Policy
from vbench.core.roles import Recorded
from vbench.core.suite import Suite
from vbench.core.trace import Trace
from vbench.cost.device import device_label
from vbench.cost.reference_filter import machine_filter_seconds
from vbench.run.budget import as_found, within_budget
from vbench.run.chains import UpTo, answered_unseen, noting_size
from vbench.run.compose import Composed, Plan, WeightsFor, check, compose
from vbench.run.loop import run_clip, untimed
from vbench.run.replay import Carried, composed_seconds, replaying, unused_files
from vbench.run.restarted import RESTARTS, run_restarted
from vbench.run.shards import Answer, Shards
from vbench.run.stepper import DetectorStepper
from vbench.run.stored_seconds import StoredSeconds
from vbench.run.surroundings import machine, packages, working_commit
from vbench.run.tally import Tallies, memory_mb
from vbench.run.threads import set_threads
from vbench.run.watch import MethodWatch
from vbench.store.files import locked
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder, content_key

AGAIN = ("missing", "failed", "always")


@dataclass(frozen=True)
class Order:
    """What is to be run.

    With `reuse` a detector's answers on every frame, once kept, are replayed under other policies;
    seconds are then composed from the recorded ones. `fps` is the frame rate of real-time
    protocols, `stored` an earlier run's seconds in place of the clock's. `shards` spreads the clips
    over workers, without timing. `carried` keeps what one method's propagator answered, for its
    other policies.
    """

    suite: Suite
    plans: Sequence[Plan]
    device: str = "cpu"
    threads: int = 1
    seed: int = 0
    again: str = "missing"
    timing: bool = True
    reuse: bool = False
    protocol: str = "ope"
    fps: float | None = None
    stored: StoredSeconds | None = None
    shards: Shards | None = None
    carried: Carried = field(default_factory=Carried, compare=False)

    def policies_of(self, composed: Composed) -> list[Policy]:
        """All policies under which this method is ordered."""
        owner = composed.carrier
        return [plan.policy for plan in self.plans if plan.carrier == owner]


@dataclass
class Listener:
    """Hears how a run goes; every call may be replaced."""

    plan: Callable[[int, int], None] = lambda frames, done: None
    method: Callable[[str], None] = lambda name: None
    label: Callable[[str], None] = lambda text: None
    frame: Callable[[], None] = lambda: None
    clip: Callable[[str, str, str], None] = lambda method, clip, status: None
    notice: Callable[[str], None] = lambda line: None


@dataclass
class Outcome:
    """What came out: the manifest, and how many cells ran, were there already, or failed."""

    manifest: Manifest
    ran: int = 0
    kept: int = 0
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    tallies: Tallies = field(default_factory=Tallies)


def run(
    order: Order, folder: RunFolder, weights_for: WeightsFor, listener: Listener | None = None
) -> Outcome:
    """Run `order` into `folder`; cells that are there already are kept.

    Raises:
        VBenchError: the folder is in use, not writable, or holds another suite.
    """
    heard = listener or Listener()
    with locked(folder.path):
        manifest = _manifest(order, folder, heard)
        outcome = Outcome(manifest)
        for clip in order.suite.clips:
            folder.save_truth(clip)
        folder.write(manifest)
        set_threads(order.threads)
        for plan in order.plans:
            _run_method(order, plan, folder, outcome, weights_for, heard)
        return outcome


def _run_method(
    order: Order,
    plan: Plan,
    folder: RunFolder,
    outcome: Outcome,
    weights_for: WeightsFor,
    heard: Listener,
) -> None:
    name = str(plan.method)
    heard.method(name)
    before = time.perf_counter()
    composed = compose(plan, weights_for, device=order.device, seed=order.seed)
    set_threads(composed.threads or order.threads)
    record = _record(composed, order, outcome, time.perf_counter() - before)
    outcome.manifest.methods[name] = record
    todo = list(_todo(order, folder, record, heard))
    outcome.kept += len(order.suite.clips) - len(todo)
    if todo and order.timing:
        earlier = [] if order.again == "always" else record.devices
        record.devices = sorted({*earlier, device_label(outcome.manifest.machine)})
        record.filter_ms = 1e3 * machine_filter_seconds()
    # They are lost with a damaged manifest, whose clips are kept.
    if todo or not record.costs:
        # Counting and the first call warm the model up, so that no clip pays for it.
        record.costs = outcome.tallies.costs_of(composed.carrier, composed.stepper).to_json()
        for line in unused_files(composed.stepper, order.suite.clips):
            heard.notice(f"{name}: {line}")
        folder.write(outcome.manifest)
    with MethodWatch(record, order.device if order.timing else None) as watch:
        for clip, made in _answers(order, folder, outcome.manifest, composed, todo, heard):
            if isinstance(made, Exception):
                record.problems[clip.name] = reason(made)
                outcome.failed[name, clip.name] = record.problems[clip.name]
                heard.clip(name, clip.name, record.problems[clip.name])
            else:
                record.problems.pop(clip.name, None)
                folder.save(record, clip, made)
                watch.frames += len(made)
                outcome.ran += 1
                heard.clip(name, clip.name, "ok")
            if order.timing:
                record.memory_mb = memory_mb(order.device)
            folder.write(outcome.manifest)
    for clip_name, why in record.problems.items():
        outcome.failed[name, clip_name] = why
    folder.write(outcome.manifest)


def _answers(
    order: Order,
    folder: RunFolder,
    manifest: Manifest,
    composed: Composed,
    todo: Sequence[Clip],
    heard: Listener,
) -> Iterator[Answer]:
    """Yield each clip with its trace, or the error that it ended in."""
    try:
        composed = _settled(order, folder, manifest, composed, todo, heard)
    except Exception as error:
        yield from ((clip, error) for clip in todo)
        return
    if order.shards is not None:
        for clip, made in order.shards.answers(composed.name, todo):
            for _ in range(len(clip)):
                heard.frame()
            yield clip, made
        return
    for clip in todo:
        try:
            base = _base_trace(order, folder, manifest, composed, clip)
            yield clip, timed_clip(composed, clip, order, heard.frame, base)
        except Exception as error:  # a method's own error fails its clip, never the run
            yield clip, error


def _settled(
    order: Order,
    folder: RunFolder,
    manifest: Manifest,
    composed: Composed,
    todo: Sequence[Clip],
    heard: Listener,
) -> Composed:
    """The method under the policy that its budget stands for, as found now or by an earlier run."""
    record = manifest.methods[composed.name]
    composed = as_found(composed, record.policy)
    if not isinstance(composed.policy, Budget) or not todo:
        return composed
    if composed.policy.most.unit == "ms" and not order.timing:
        raise VBenchError(f"'{composed.name}': a budget in ms wants a run with timing")
    # What was carried meanwhile was not timed, so nothing else may recall it.
    alone = replace(order, shards=None, carried=Carried())

    def trace_of(tried: Composed, clip: Clip, /, timed: bool = False) -> Trace | None:
        with suppress(Exception):  # it will fail its clip again, with its reason
            base = _base_trace(order, folder, manifest, tried, clip)
            return timed_clip(tried, clip, replace(alone, timing=timed), base=base)
        return None

    heard.label(f"looks for c: {composed.name}")
    found = within_budget(composed, order.suite.clips, trace_of)
    record.policy = str(found.policy)
    heard.notice(f"{composed.name} stands for {found.policy} on these clips")
    return found


def timed_clip(
    composed: Composed,
    clip: Clip,
    order: Order,
    each_frame: Callable[[], None] | None = None,
    base: Trace | None = None,
) -> Trace:
    """Run one clip; without timing, decoding overlaps the work and seconds are NaN.

    With `base`, the trace of the detector on every frame, the detector is replayed from it.
    """
    from vbench.cost.stopwatch import synchronised

    now = synchronised(order.device).now
    stepper = composed.stepper
    if base is not None and isinstance(stepper, DetectorStepper):
        carried = order.carried.of(composed.carrier)
        stepper = replaying(stepper, base, carried, now)
        policies = order.policies_of(composed)
        # What is carried for all policies is the work of this clip; the replay after it is none.
        each_frame = UpTo(each_frame, len(clip))
        clip = answered_unseen(policies, composed.policy, stepper, clip, base, carried, each_frame)
    elif order.reuse:
        clip = noting_size(clip, order.carried)
    if order.protocol in RESTARTS:
        seconds = order.stored.seconds(composed.name, clip) if order.stored else None
        return run_restarted(
            stepper, composed.policy, clip, now, order.protocol,  # type: ignore[arg-type]
            order.fps, seconds,
        )  # fmt: skip
    trace = run_clip(
        stepper, composed.policy, clip, now, prefetch=not order.timing, each_frame=each_frame
    )
    trace = composed_seconds(stepper, trace, base)
    if order.timing:
        return trace
    return untimed(trace)


def reason(error: BaseException) -> str:
    """Why a clip failed, on one line."""
    text = " ".join(str(error).split())
    if isinstance(error, VBenchError):
        return text
    return f"{type(error).__name__}: {text}"[:300]


def _base_trace(
    order: Order, folder: RunFolder, manifest: Manifest, composed: Composed, clip: Clip
) -> Trace | None:
    """Trace of the method's detector alone on this very clip, where it may be replayed."""
    alone = manifest.methods.get(str(composed.method.base))
    replayable = isinstance(composed.stepper, DetectorStepper) and composed.stepper.has_cheap_half
    if not order.reuse or not replayable or alone is None:
        return None
    part = composed.method.base.name
    same = alone.weights == {k: v for k, v in digests(composed).items() if k == part}
    if not same or not folder.has_trace(alone, clip)[0]:
        return None
    return folder.trace(alone, clip.name)


def digests(composed: Composed) -> dict[str, str]:
    """Digest of the weights of each part of a method, and of files that its base answers from."""
    found = {part: w.sha256 if w else "random" for part, w in composed.weights.items()}
    model = composed.stepper.parts()[0]
    if isinstance(model, Recorded):
        found[composed.method.base.name] = model.digest()
    return found


def _todo(order: Order, folder: RunFolder, record: MethodRecord, heard: Listener) -> Iterator[Clip]:
    for clip in order.suite.clips:
        if order.again != "always":
            if order.again == "missing" and clip.name in record.problems:
                heard.clip(record.method, clip.name, record.problems[clip.name])
                continue
            there, notice = folder.has_trace(record, clip)
            if notice:
                heard.notice(notice)
            if there and (not order.timing or _is_timed(folder, record, clip)):
                continue
        yield clip


def _is_timed(folder: RunFolder, record: MethodRecord, clip: Clip) -> bool:
    trace = folder.trace(record, clip.name)
    # Seconds may stay unknown (`stored` without them); decoding is timed whenever anything is.
    return trace is not None and bool(np.isfinite(trace.decode_seconds).all())


def _record(
    composed: Composed, order: Order, outcome: Outcome, load_seconds: float
) -> MethodRecord:
    weights = digests(composed)
    key = content_key(
        {
            "method": composed.name,
            "weights": weights,
            "seed": order.seed,
            "version": __version__,
            "device": order.device.partition(":")[0],
            "reuse": order.reuse and composed.stepper.has_cheap_half,
            "protocol": f"{order.protocol} {order.fps or ''}".strip(),
        }
        | ({"stored": order.stored.key(composed.name)} if order.stored else {})
        # What a budget stands for depends on the clips.
        | ({"clips": order.suite.digest} if isinstance(composed.policy, Budget) else {})
    )
    known = outcome.manifest.methods.get(composed.name)
    if known is not None and known.key == key:
        known.load_seconds = load_seconds
        return known
    return MethodRecord(
        method=composed.name,
        key=key,
        base=str(composed.method.base),
        policy=str(composed.policy),
        interval_max=composed.policy.interval_max,
        weights=weights,
        projected=(order.reuse and composed.task == "vid" and composed.stepper.has_cheap_half)
        or isinstance(composed.stepper.parts()[0], Recorded),
        params_m=outcome.tallies.parameters_of(composed.carrier, composed.stepper),
        load_seconds=load_seconds,
    )


def _manifest(order: Order, folder: RunFolder, heard: Listener) -> Manifest:
    manifest, notice = folder.read_or_set_aside()
    if notice:
        heard.notice(notice)
    suite = order.suite
    if manifest is None:
        manifest = Manifest(suite.name, suite.task, "", suite.card.clips)
        manifest.created = datetime.now(UTC).isoformat(timespec="seconds")
    if manifest.suite != suite.name:
        raise VBenchError(
            f"{folder.path} holds a run of suite {manifest.suite}; choose another --out"
        )
    if manifest.methods and manifest.protocol != order.protocol:
        raise VBenchError(
            f"{folder.path} holds a run under {manifest.protocol}; choose another --out"
        )
    manifest.profile, manifest.protocol = suite.card.profile, order.protocol
    manifest.classes = list(suite.card.classes)
    manifest.eao_interval = list(suite.card.eao_interval or ())
    manifest.seed = order.seed
    manifest.clips |= {clip.name: clip.digest() for clip in suite.clips}
    manifest.problems |= dict(suite.problems)
    manifest.suite_digest = content_key(manifest.clips)
    manifest.machine = machine(order.device, order.threads)
    manifest.packages = packages()
    manifest.git = working_commit()
    return manifest


def check_order(order: Order, weights_for: WeightsFor) -> None:
    """Raise what would stop a run before it starts: suite, tasks, parameters, weights."""
    if order.again not in AGAIN:
        raise VBenchError(f"--again '{order.again}': choose one of {', '.join(AGAIN)}")
    suite = order.suite
    if not suite.clips:
        first = next(iter(suite.problems.items()), None)
        why = f"; first problem: {first[0]}: {first[1]}" if first else ""
        raise VBenchError(f"suite {suite.name} has no clips here{why}")
    for plan in order.plans:
        if plan.task != suite.task:
            roles: dict[str, Any] = {"sot": "tracker", "vid": "detector"}
            raise VBenchError(
                f"suite {suite.name} is for {roles[suite.task]}s, and '{plan.method}' is a "
                f"{roles[plan.task]}; `vbench list suites` shows the others"
            )
        check(plan, weights_for)
