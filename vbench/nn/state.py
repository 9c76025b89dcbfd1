"""Reading untrusted weights into networks: no code runs, sizes bounded, mismatches named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vbench.core.errors import VBenchError
from vbench.nn.safetensors_file import read_safetensors

MAX_BYTES = 2 << 30
WRAPPERS = ("state_dict", "model", "shared_layers")


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a torch or safetensors file.

    Unwraps `{"state_dict": ...}` and the like and strips `module.` prefixes.

    Raises:
        VBenchError: not a file of tensors, or larger than 2 GiB.
    """
    if path.stat().st_size > MAX_BYTES:
        raise VBenchError(f"weights {path.name} are larger than 2 GiB; name a smaller file")
    try:
        loaded: Any = (
            read_safetensors(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except VBenchError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise VBenchError(
            f"weights {path.name} are not a plain file of tensors: {reason}"
        ) from None
    for wrapper in WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping):
        raise VBenchError(f"weights {path.name} hold a {type(loaded).__name__}, not named tensors")
    tensors = {str(k): v for k, v in loaded.items() if isinstance(v, Tensor)}
    return {k.removeprefix("module."): v for k, v in tensors.items()}


def load_into(
    network: nn.Module,
    state: Mapping[str, Tensor],
    source: str,
    rename: Callable[[str], str | None] | None = None,
) -> None:
    """Load `state` into `network`; `rename` maps an upstream key to ours (None drops it).

    Raises:
        VBenchError: lists missing and unexpected keys and wrong shapes, on one line.
    """
    renamed = {rename(k) if rename else k: v for k, v in state.items()}
    given = {k: v for k, v in renamed.items() if k is not None}
    own = network.state_dict()
    optional = {k for k in own if k.endswith("num_batches_tracked")}
    missing = sorted(set(own) - set(given) - optional)
    unexpected = sorted(set(given) - set(own))
    shapes = [
        f"{k} is {tuple(given[k].shape)}, not {tuple(own[k].shape)}"
        for k in sorted(set(own) & set(given))
        if own[k].shape != given[k].shape
    ]
    if missing or unexpected or shapes:
        raise VBenchError(
            f"weights {source} are of another network than {type(network).__name__}: "
            f"missing {_some(missing)}; unexpected {_some(unexpected)}; shapes {_some(shapes)}"
        )
    network.load_state_dict(given, strict=False)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's random numbers from `seed` inside; the global generator is restored after."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _some(names: list[str], most: int = 4) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
