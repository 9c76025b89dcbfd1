"""The network of MDNet, RT-MDNet and FDN: VGG-M's trunk, shared layers, one last layer a domain.

Nam and Han, Learning Multi-Domain Convolutional Neural Networks for Visual Tracking, CVPR 2016. Key
names are those of the `shared_layers` in hyeonseobnam/py-MDNet's checkpoints (modules/model.py),
which RT-MDNet's have too; MATLAB files are those of hyseob/MDNet and ZhiyanCui/fdn-release, and
VGG-M's own, which all of them begin with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from vbench.core.roles import Weights
from vbench.nn.matlab_file import MatlabNetwork, is_matlab, read_matlab
from vbench.nn.state import load_into, read_state, seeded
from vbench.nn.vggm import LAYOUTS, LayoutName, NormName, VggM

HIDDEN, CELLS = 512, 3
# The two outputs; a box's score is the target's, before the softmax.
BACKGROUND, TARGET = 0, 1
KEPT = 0.5
# How connected layers are drawn (hyseob/MDNet pretraining/mdnet_prepare_model.m).
DEVIATION, HIDDEN_BIAS = 0.01, 0.1
# What images are freed of where no file says otherwise.
GREY = 128.0


class MDNetwork(nn.Module):
    """Trunk, hidden layers `fc4` and `fc5`, and `branches`, the last layers, one a domain.

    Features of a box are (n, 9 c): 3 x 3 cells, channel by channel. `fcs` counts the connected
    layers: 3, or 2 for the smaller network that FDN's authors tried (fig. 8).
    """

    def __init__(
        self,
        layout: LayoutName,
        norm: NormName,
        convs: int = 3,
        fcs: int = 3,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.width = width
        self.trunk = VggM(layout, norm, convs, width)
        self.features = CELLS**2 * self.trunk.channels
        self.hidden = max(4, round(HIDDEN * width))
        self.fc4 = nn.Sequential(nn.Linear(self.features, self.hidden), nn.ReLU())
        # Dropout is done by `scores`; here it keeps upstream's numbering.
        self.fc5 = nn.Sequential(
            nn.Dropout(KEPT), nn.Linear(self.hidden, self.hidden), nn.ReLU()
        ) if fcs == 3 else None  # fmt: skip
        self.branches = nn.ModuleList()
        self.mean = torch.full((3,), GREY)
        self.set_domains(1)

    def set_domains(self, domains: int) -> None:
        """Draw fresh last layers, one a domain."""
        device = linear(self.fc4).weight.device
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Dropout(KEPT), nn.Linear(self.hidden, 2)) for _ in range(domains)
        )
        draw(self.branches, self.width, 0.0)
        self.branches.to(device)

    def forward(self, features: Tensor, domain: int = 0) -> Tensor:
        """Scores (n, 2) of the features (n, 9 c) of boxes, as when tracking."""
        return self.scores(features, domain)

    def scores(
        self, features: Tensor, domain: int = 0, generator: Generator | None = None
    ) -> Tensor:
        """As `forward`; with a generator half of the hidden units are dropped, as when training."""
        hidden = self.fc4(features)
        if self.fc5 is not None:
            hidden = torch.relu(linear(self.fc5)(dropped(hidden, generator)))
        last: Tensor = linear(self.branches[domain])(dropped(hidden, generator))
        return last

    def connected(self) -> Iterator[tuple[str, nn.Linear]]:
        """The connected layers that tracking goes on learning: fc4, fc5 and fc6."""
        yield "fc4", linear(self.fc4)
        if self.fc5 is not None:
            yield "fc5", linear(self.fc5)
        yield "fc6", linear(self.branches[0])

    def shared_state(self) -> dict[str, Tensor]:
        """The state of all but the branches, under the names of published files."""
        return {
            key.removeprefix("trunk."): value.detach().clone()
            for key, value in self.state_dict().items()
            if not key.startswith("branches.")
        }

    def load_shared(self, state: Mapping[str, Tensor], source: str) -> None:
        """Load published shared layers; last layers belong to other videos and stay as they are.

        Raises:
            VBenchError: names what does not fit.
        """
        shared = SharedLayers()
        for name, module in self.named_children():
            if name != "branches":
                shared.add_module(name, module)
        load_into(shared, state, source, _own_name)

    def macs(self) -> tuple[float, float]:
        """MACs of the connected layers on one box: forward, and both ways when they learn.

        Backward, every layer takes its weight's gradient and all but the first its input's.
        """
        sizes = [layer.in_features * layer.out_features for _, layer in self.connected()]
        return float(sum(sizes)), float(3 * sum(sizes) - sizes[0])


class SharedLayers(nn.Module):
    """What all domains share: the trunk and the hidden layers."""


def dropped(hidden: Tensor, generator: Generator | None) -> Tensor:
    """Zero half of the units and double the others; nothing without a generator.

    The mask is drawn on the generator's device, so that every device drops the same.
    """
    if generator is None:
        return hidden
    mask = torch.rand(hidden.shape, generator=generator, device=generator.device) < KEPT
    return hidden * (mask.to(hidden.device, hidden.dtype) / KEPT)


def binary_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Mean cross entropy of the scores (n, 2) of targets and (m, 2) of background."""
    labels = torch.full((len(positive) + len(negative),), BACKGROUND, device=positive.device)
    labels[: len(positive)] = TARGET
    return cross_entropy(torch.cat([positive, negative]), labels)


def linear(stage: nn.Module) -> nn.Linear:
    """The one connected layer of a stage."""
    return next(layer for layer in stage.modules() if isinstance(layer, nn.Linear))


def draw(module: nn.Module, width: float, bias: float) -> None:
    """Draw connected layers from a narrow Gaussian, with one `bias`.

    It is wider where layers have fewer inputs than published, so that sums come out as large.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=DEVIATION / width**0.5)
            nn.init.constant_(layer.bias, bias)


def mdnetwork(
    layout: LayoutName,
    norm: NormName,
    convs: int,
    fcs: int,
    width: float,
    weights: Weights | None,
    device: str,
    seed: int,
) -> MDNetwork:
    """Build the network in eval mode, from a torch or MATLAB file or drawn from `seed`."""
    with seeded(seed):
        network = MDNetwork(layout, norm, convs, fcs, width)
        for layer in network.trunk.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        draw(network.fc4, width, HIDDEN_BIAS)
        if network.fc5 is not None:
            draw(network.fc5, width, HIDDEN_BIAS)
    if weights is not None:
        path = next(iter(weights.files.values()))
        if is_matlab(path):
            load_matlab(network, read_matlab(path), path.name)
        else:
            network.load_shared(read_state(path), path.name)
    return network.eval().to(device)


def is_published_matlab(weights: Weights | None) -> bool:
    """Whether weights come as a MATLAB file."""
    return weights is not None and is_matlab(next(iter(weights.files.values())))


def load_matlab(network: MDNetwork, published: MatlabNetwork, source: str) -> None:
    """Load the layers of a MATLAB file; fc6, which belongs to its own videos, is left out.

    Of VGG-M, trained on ImageNet, only the convolutions that the trunk has are taken, and connected
    layers stay as drawn: the untrained network of FDN's fig. 9. It comes whole (MatConvNet's
    imagenet-vgg-m.mat) or as hyseob/MDNet's models/imagenet-vgg-m-conv1-3.mat.
    """
    state = {}
    imagenet = not {"fc4", "fc5"} & {layer.name for layer in published.layers}
    for layer in published.layers:
        if layer.name == "fc6":
            continue
        if imagenet and not hasattr(network.trunk, layer.name):
            continue
        filters = torch.from_numpy(layer.filters)
        connected = layer.name.startswith("fc")
        place = 1 if layer.name == "fc5" else 0
        state[f"{layer.name}.{place}.weight"] = filters.flatten(1) if connected else filters
        state[f"{layer.name}.{place}.bias"] = torch.from_numpy(layer.biases)
    if imagenet:
        state |= {k: v for k, v in network.shared_state().items() if k.startswith("fc")}
    network.load_shared(state, source)
    if published.mean is not None:
        network.mean = torch.from_numpy(published.mean)
    elif network.trunk.layout is LAYOUTS["image"]:
        # fdn-release mdnet_run.m: without an average image in the file nothing is taken off.
        network.mean = torch.zeros(3)


def _own_name(key: str) -> str | None:
    """Our name of a published key; None for what is left out."""
    if key.startswith("conv"):
        return f"trunk.{key}"
    if key.startswith("branches."):
        return None
    # Some versions of py-MDNet drop units before fc4, too.
    return key.replace("fc4.1.", "fc4.0.")
