"""From a method string to the stepper that runs it: `+x` is resolved by what x is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vbench import catalogue
from vbench.core.errors import UnknownName, VBenchError
from vbench.core.method import Method, Part, parse_method
from vbench.core.policy import Every, Fixed, Online, Policy
from vbench.core.roles import Detector, Sharing, VideoDetector, Weights
from vbench.run.scaled import scaled
from vbench.run.stepper import (
    DetectorStepper,
    Stepper,
    TrackerStepper,
    VideoDetectorStepper,
)
from vbench.run.tuning import Tuning, split

WeightsFor = Callable[[str, str], Weights | None]
# What runs where a method string names no policy: PatchNet's released settings for trackers
# (threshold 0.8, 4 inter-frames) and its keyframe interval for detectors (Table 1).
DEFAULT_POLICY: dict[str, Policy] = {"sot": Online(0.8, 5), "vid": Fixed(5)}


@dataclass(frozen=True)
class Composed:
    """A method ready to run: its full name, policy, stepper, and the weights of its parts.

    `threads` is what its base asks for, None for what the run has.
    """

    method: Method
    task: str
    policy: Policy
    stepper: Stepper
    weights: dict[str, Weights | None] = field(default_factory=dict)
    threads: int | None = None

    @property
    def name(self) -> str:
        """The method string with its policy, as it stands in tables."""
        return str(self.method)

    @property
    def carrier(self) -> str:
        """The method string without its policy: what carries objects alike under all of them."""
        return str(replace(self.method, policy=None))


@dataclass(frozen=True)
class Plan:
    """What the parts of a method are, before anything is imported or loaded."""

    method: Method
    task: str
    base_kind: str
    propagator: Part | None
    posts: tuple[Part, ...]
    policy: Policy

    @property
    def carrier(self) -> str:
        """The method string without its policy."""
        return str(replace(self.method, policy=None))

    @property
    def weights(self) -> dict[str, str]:
        """Part name -> name of its weights in the registry, of the parts that need some."""
        kinds = [(self.base_kind, self.method.base)]
        if self.propagator is not None:
            kinds.append(("propagators", self.propagator))
        named = {part.name: catalogue.entry(kind, part.name).weights for kind, part in kinds}
        return {part: weights for part, weights in named.items() if weights is not None}


def plan(text: str, policy: Policy | None = None) -> Plan:
    """Resolve the names of a method string; `policy` stands in where the string names none.

    Raises:
        VBenchError: unknown names, two propagators, a post-processing on a tracker.
    """
    method = parse_method(text)
    task, base_kind = _base(method)
    propagators = [p for p in method.parts if _is("propagators", p)]
    posts = [p for p in method.parts if not _is("propagators", p)]
    for part in posts:
        if not _is("posts", part):
            names = [*catalogue.names("propagators"), *catalogue.names("posts")]
            raise UnknownName("propagator or post-processing", part.name, names, f"in '{text}'")
    if len(propagators) > 1:
        raise VBenchError(f"method '{text}' has two propagators; keep one of them")
    if posts and task == "sot":
        raise VBenchError(f"method '{text}': '+{posts[0]}' post-processes detections, not tracks")
    for part in posts:
        catalogue.entry("posts", part.name)
    base = catalogue.entry(base_kind, method.base.name)
    cheap = bool(propagators) or (base.has_cheap_half and not base.frame_by_frame)
    # A base alone answers every frame, and its name stays as short as it was given.
    chosen = method.policy or ((policy or DEFAULT_POLICY[task]) if cheap else None)
    return Plan(
        replace(method, policy=chosen),
        task,
        base_kind,
        propagators[0] if propagators else None,
        tuple(posts),
        chosen or Every(),
    )


def check(found: Plan, weights_for: WeightsFor) -> None:
    """Raise what would stop a plan, before anything runs: parameters, policy, weights.

    Raises:
        VBenchError: a wrong parameter, frames skipped without a cheap half, missing weights.
    """
    kinds = [(found.base_kind, found.method.base), *(("posts", part) for part in found.posts)]
    if found.propagator is not None:
        kinds.append(("propagators", found.propagator))
    for kind, part in kinds:
        own, tuning = _split(kind, part)
        if tuning.scale != 1 and kind not in ("trackers", "detectors"):
            raise VBenchError(
                f"{part}: scale is of base models; those beside them see whole frames"
            )
        for name in ("floor", "still"):
            given = getattr(tuning, name) is not None
            if given and (kind != "propagators" or found.task != "vid"):
                raise VBenchError(
                    f"{part}: {name} is of what a propagator carries between a detector's "
                    f"keyframes; write it there, as in nanodet+dummy[{name}=0.2]"
                )
        _named(kind, part, own, found.task)
        catalogue.arguments(kind, part.name, own)
    name, base = str(found.method), catalogue.load(found.base_kind, found.method.base.name)
    if hasattr(base, "strangers"):
        # What answers from files looks for them when it is made.
        catalogue.build(found.base_kind, found.method.base.name, _split(*kinds[0])[0])
    cheap = catalogue.entry(found.base_kind, found.method.base.name).has_cheap_half
    if found.policy.interval_max != 1 and found.propagator is None and not cheap:
        raise VBenchError(
            f"method '{name}' has no cheap half for the frames that '{found.policy}' skips; "
            "add a propagator, such as +dummy (`vbench list propagators`)"
        )
    if found.propagator is not None and found.task == "sot" and not hasattr(base, "reseat"):
        raise VBenchError(
            f"method '{name}': {found.method.base} cannot be told where its target went on skipped "
            "frames (it has no reseat); use it alone, or take another base"
        )
    if found.propagator is not None and hasattr(base, "key") and not hasattr(base, "detect"):
        raise VBenchError(
            f"method '{name}': {found.method.base} is a video detector, which looks at every frame "
            f"itself; drop '+{found.propagator}', or take a detector such as rfcn"
        )
    if getattr(found.policy, "looks_ahead", False) and (found.propagator is not None or not cheap):
        raise VBenchError(
            f"method '{name}': '{found.policy}' looks ahead; only detectors with a cheap half "
            "of their own can; take fixed:k"
        )
    for part in found.posts:
        links = hasattr(catalogue.load("posts", part.name), "apply_tracked")
        if links and found.propagator is None and not cheap:
            raise VBenchError(
                f"method '{name}': '+{part}' links tracks, and nothing in it carries objects; add "
                "a propagator, or take +seq-nms"
            )
    for needing, weights in found.weights.items():
        weights_for(needing, weights)


def compose(
    found: Plan, weights_for: WeightsFor, *, device: str = "cpu", seed: int = 0
) -> Composed:
    """Build the models of a plan. `weights_for(part, registry name)` finds their weights."""
    loaded = {part: weights_for(part, name) for part, name in found.weights.items()}

    def make(kind: str, part: Part) -> Any:
        given, tuning = _split(kind, part)
        context = {"weights": loaded.get(part.name), "device": device, "seed": seed}
        model = catalogue.build(kind, part.name, given, **context)
        tuning.apply(model, part.name)
        return model if tuning.scale == 1 else scaled(model, tuning.scale)

    base = make(found.base_kind, found.method.base)
    propagator = make("propagators", found.propagator) if found.propagator else None
    if isinstance(propagator, Sharing):
        propagator.share(base)
    posts = [make("posts", part) for part in found.posts]
    stepper = _stepper(str(found.method), found.task, base, propagator, posts)
    if found.propagator is not None and isinstance(stepper, DetectorStepper):
        tuning = _split("propagators", found.propagator)[1]
        stepper.floor = stepper.floor if tuning.floor is None else tuning.floor
        stepper.still = tuning.still or 0.0
    threads = _split(found.base_kind, found.method.base)[1].threads
    return Composed(found.method, found.task, found.policy, stepper, loaded, threads)


def _named(kind: str, part: Part, own: dict[str, str], task: str) -> None:
    """Raise UnknownName for a parameter that is neither the part's own nor of how it is run."""
    offered = {*catalogue.parameters(kind, part.name)}
    if kind == "propagators" and task == "vid":
        offered |= {"floor", "still"}
    for key in own:
        if key not in offered:
            raise UnknownName(f"parameter of {part.name}", key, offered)


def _split(kind: str, part: Part) -> tuple[dict[str, str], Tuning]:
    given = dict(part.parameters)
    if not given:
        return given, Tuning()
    return split(given, catalogue.parameters(kind, part.name), part.name)


def _stepper(name: str, task: str, base: Any, propagator: Any, posts: Sequence[Any]) -> Stepper:
    if task == "sot":
        return TrackerStepper(base, propagator)
    if isinstance(base, VideoDetector) and propagator is None:
        return VideoDetectorStepper(base, posts)
    if isinstance(base, Detector):
        return DetectorStepper(base, propagator, posts)
    raise VBenchError(
        f"method '{name}': a video detector looks at every frame; drop its propagator"
    )


def _base(method: Method) -> tuple[str, str]:
    if _is("trackers", method.base):
        return "sot", "trackers"
    if _is("detectors", method.base):
        return "vid", "detectors"
    names = [*catalogue.names("trackers"), *catalogue.names("detectors")]
    raise UnknownName("tracker or detector", method.base.name, names, "`vbench list` shows all")


def _is(kind: str, part: Part) -> bool:
    return part.name.partition(":")[0] in catalogue.table(kind)
