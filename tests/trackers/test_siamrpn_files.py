"""Files and costs of the SiamRPN family: published shapes, four layouts, MACs, parameters."""

import pickle
import struct
from collections import OrderedDict
from typing import Any, ClassVar

import pytest
import torch
import torch._utils
from torch.utils.flop_counter import FlopCounterMode

from vbench.core.errors import VBenchError
from vbench.core.roles import Weights
from vbench.trackers.siamrpn import RECIPES, SiamRPN
from vbench.trackers.siamrpn_heads import native_key, on_meta

TINY = 1 / 16
# pysot's alexnet and DaSiamRPN's: out, in, kernel.
CONVS = ((96, 3, 11), (256, 96, 5), (384, 256, 3), (384, 384, 3), (256, 384, 3))
FLAT = ((0, 1), (4, 5), (8, 9), (11, 12), (14, 15))


def norm(name, width) -> dict[str, tuple]:
    keys = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{k}": (width,) for k in keys}, f"{name}.num_batches_tracked": ()}


def backbone_shapes(prefix, width, layered=False):
    shapes: dict[str, tuple] = {}
    for stage, (out, source, kernel) in enumerate(CONVS):
        out, source = int(out * width), source if source == 3 else int(source * width)
        conv, bn = (
            (f"{prefix}layer{stage + 1}.{i}" for i in (0, 1))
            if layered
            else (f"{prefix}{i}" for i in FLAT[stage])
        )
        shapes[f"{conv}.weight"], shapes[f"{conv}.bias"] = (out, source, kernel, kernel), (out,)
        shapes |= norm(bn, out)
    return shapes


def up_shapes(names, width):
    c = int(256 * width)
    reg_z, reg_x, cls_z, cls_x, adjust = names
    outs = {reg_z: c * 20, reg_x: c, cls_z: c * 10, cls_x: c}
    shapes: dict[str, tuple] = {f"{name}.weight": (out, c, 3, 3) for name, out in outs.items()}
    shapes |= {f"{name}.bias": (out,) for name, out in outs.items()}
    return {**shapes, f"{adjust}.weight": (20, 20, 1, 1), f"{adjust}.bias": (20,)}


def depthwise_shapes(width):
    c = int(256 * width)
    shapes: dict[str, tuple] = {}
    for branch, out in (("cls", 10), ("loc", 20)):
        name = f"rpn_head.{branch}"
        for part in ("conv_kernel", "conv_search"):
            shapes[f"{name}.{part}.0.weight"] = (c, c, 3, 3)
            shapes |= norm(f"{name}.{part}.1", c)
        shapes[f"{name}.head.0.weight"] = (c, c, 1, 1)
        shapes |= norm(f"{name}.head.1", c)
        shapes[f"{name}.head.3.weight"], shapes[f"{name}.head.3.bias"] = (out, c, 1, 1), (out,)
    return shapes


RENAMED = ("conv_reg_z", "conv_reg_x", "conv_cls_z", "conv_cls_x", "adjust_reg")
DASIAM = ("conv_r1", "conv_r2", "conv_cls1", "conv_cls2", "regress_adjust")
PYSOT_UP = ("template_loc_conv", "search_loc_conv", "template_cls_conv", "search_cls_conv")


def published_shapes(layout, width):
    """Names and shapes of a published file, without counters where torch 0.3 wrote it."""
    if layout == "siamrpn-pytorch":
        return backbone_shapes("feature.", width) | up_shapes(RENAMED, width)
    if layout == "dasiamrpn":
        shapes = backbone_shapes("featureExtract.", width) | up_shapes(DASIAM, width)
        return {k: v for k, v in shapes.items() if "num_batches" not in k}
    if layout == "pysot":
        return backbone_shapes("backbone.features.", width) | depthwise_shapes(width)
    if layout == "pysot layers":
        return backbone_shapes("backbone.", width, layered=True) | depthwise_shapes(width)
    head = [f"rpn_head.{name}" for name in (*PYSOT_UP, "loc_adjust")]
    return backbone_shapes("backbone.features.", width) | up_shapes(head, width)


LAYOUTS = {
    "siamrpn-pytorch": "siamrpn",
    "dasiamrpn": "dasiamrpn-vot",
    "pysot": "siamrpn-alex-dw",
    "pysot layers": "siamrpn-alex-dw",
    "pysot up-channel": "dasiamrpn-vot",
}


def meta_network(variant, anchors=5):
    recipe = RECIPES[variant]
    return on_meta(recipe.width, recipe.groups, recipe.head, anchors).eval()


@pytest.mark.parametrize(("layout", "variant"), LAYOUTS.items())
def test_every_published_shape_has_its_place(layout, variant):
    published = published_shapes(layout, RECIPES[variant].width)
    own = {k: tuple(v.shape) for k, v in meta_network(variant).state_dict().items()}
    assert len({native_key(k) for k in published}) == len(published)
    ours = {native_key(k): shape for k, shape in published.items()}
    assert {k: own.get(k) for k in ours} == ours
    assert all(k.endswith("num_batches_tracked") for k in set(own) - set(ours))
    if layout.startswith("pysot "):
        return
    counts = {"siamrpn-pytorch": 45, "dasiamrpn": 40, "pysot": 75}
    assert len(published) == counts[layout]


@pytest.mark.parametrize(("layout", "variant"), LAYOUTS.items())
def test_files_of_every_layout_give_the_same_output(layout, variant, tmp_path):
    recipe = RECIPES[variant]
    draw = torch.Generator().manual_seed(1)
    state = {
        name: torch.rand(shape, generator=draw) * 0.1 + (1 if "running_var" in name else 0)
        for name, shape in published_shapes(layout, recipe.width * TINY).items()
    }
    wrapped = {"state_dict": {f"module.{k}": v for k, v in state.items()}}
    outputs = []
    native = {native_key(k): v for k, v in state.items()}
    for name, content in (("a.pth", state), ("b.pth", wrapped), ("c.pth", native)):
        path = tmp_path / name
        torch.save(content, path)
        tracker = SiamRPN(variant, width=TINY, weights=Weights(variant, {name: path}, ""))
        with torch.inference_mode():
            kernels = tracker.network.template(torch.ones(1, 3, 127, 127))
            outputs.append(tracker.network(torch.ones(1, 3, 255, 255), *kernels))
    for other in outputs[1:]:
        assert torch.equal(outputs[0][0], other[0])
        assert torch.equal(outputs[0][1], other[1])


PurePickler: Any = pickle._Pickler


class Pickler(PurePickler):  # type: ignore[misc]
    """Writes text as Python 2 wrote it, and storages as torch 0.3 did: by a key."""

    dispatch: ClassVar[dict] = dict(PurePickler.dispatch)

    def save_str(self, text):
        self.write(b"U" + struct.pack("<B", len(text)) + text.encode("ascii"))
        self.memoize(text)

    dispatch[str] = save_str

    def persistent_id(self, value):
        if isinstance(value, tuple) and value[:1] == ("storage",):
            return ("storage", torch.cuda.FloatStorage, *value[1:], None)
        return None


class Stored:
    """A tensor under a key, rebuilt as torch 0.3 did, from a GPU's memory."""

    def __init__(self, tensor, key) -> None:
        self.tensor, self.key = tensor, key

    def __reduce__(self):
        storage = ("storage", self.key, "cuda:0", self.tensor.numel())
        shape, strides = tuple(self.tensor.shape), self.tensor.stride()
        return torch._utils._rebuild_tensor, (storage, 0, shape, strides)


def write_as_torch_0_3(path, state) -> None:
    """torch 0.3.1 serialization.py, _save, under Python 2.7."""
    sizes = {"short": 2, "int": 4, "long": 4}
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}
    entries = {name: Stored(value, f"{i:04d}") for i, (name, value) in enumerate(state.items())}
    with path.open("wb") as file:
        for part in (0x1950A86A20F9469CFC6C, 1001, system, OrderedDict(entries)):
            Pickler(file, 2).dump(part)
        Pickler(file, 2).dump([entry.key for entry in entries.values()])
        for value in state.values():
            file.write(struct.pack("<q", value.numel()) + value.numpy().tobytes())


def test_files_that_torch_0_3_wrote_are_read(tmp_path):
    """SiamRPNVOT.model and its siblings: of a GPU, of Python 2, without counters in norms."""
    draw, path = torch.Generator().manual_seed(2), tmp_path / "SiamRPNVOT.model"
    shapes = published_shapes("dasiamrpn", TINY)
    state = {name: torch.rand(shape, generator=draw) for name, shape in shapes.items()}
    write_as_torch_0_3(path, state)
    tracker = SiamRPN("dasiamrpn-vot", width=TINY, weights=Weights("", {path.name: path}, ""))
    own = tracker.network.state_dict()
    assert all(torch.equal(own[native_key(name)], value) for name, value in state.items())


def test_a_wrong_file_names_what_is_missing(tmp_path):
    path = tmp_path / "other.model"
    shapes = published_shapes("pysot", TINY)
    torch.save({k: torch.zeros(v) for k, v in shapes.items()}, path)
    with pytest.raises(VBenchError, match=r"other\.model .*missing head\.adjust_reg.*unexp"):
        SiamRPN("dasiamrpn-vot", width=TINY, weights=Weights("", {"x": path}, ""))
    torch.save({"featureExtract.0.weight": torch.zeros(1)}, path)
    with pytest.raises(VBenchError, match="missing feature"):
        SiamRPN("dasiamrpn-vot", width=TINY, weights=Weights("", {"x": path}, ""))


def test_keys_of_others_are_left_alone():
    for key in ("head.conv_reg_z.weight", "feature.conv1.0.bias", "feature.99.weight", "fc.bias"):
        assert native_key(key) == key


def macs(call, *inputs):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call(*inputs)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("variant", "side", "template", "track"),
    [
        ("siamrpn", 271, 3.732, 21.115),
        ("siamrpn", 287, 3.732, 24.296),
        ("siamrpn", 255, 3.732, 18.161),
        ("dasiamrpn-otb", 271, None, 5.600),
        ("siamrpn-alex-dw", 287, None, 6.448),
    ],
)
def test_macs_are_those_published(variant, side, template, track):
    network = meta_network(variant)
    exemplar, crop = (torch.empty(1, 3, s, s, device="meta") for s in (127, side))
    with torch.no_grad():
        kernels = network.template(exemplar)
    if template is not None:
        assert round(macs(network.template, exemplar) / 1e9, 3) == template
    assert round(macs(network, crop, *kernels) / 1e9, 3) == track


def test_macs_of_the_double_width_by_hand():
    # Template: backbone at 127, then both kernel convolutions on 6x6. Search: at 271.
    wide = [(2 * o, i if i == 3 else 2 * i, k) for o, i, k in CONVS]

    def backbone(sides):
        return sum(s * s * o * i * k * k for s, (o, i, k) in zip(sides, wide, strict=True))

    template = backbone((59, 25, 10, 8, 6)) + 4 * 4 * (20 + 10) * 512 * 512 * 9
    heads = 2 * 22 * 22 * 512 * 512 * 9
    correlation = 19 * 19 * (30 * 512 * 16 + 20 * 20)
    network = meta_network("siamrpn")
    exemplar, crop = (torch.empty(1, 3, s, s, device="meta") for s in (127, 271))
    with torch.no_grad():
        kernels = network.template(exemplar)
    assert macs(network.template, exemplar) == template
    assert macs(network, crop, *kernels) == backbone((131, 61, 28, 26, 24)) + heads + correlation


@pytest.mark.parametrize(
    ("variant", "mega"),
    [("siamrpn", 90.442), ("dasiamrpn-vot", 22.636), ("siamrpn-alex-dw", 6.257)],
)
def test_parameters_with_the_norms_statistics(variant, mega):
    values = [v.numel() for v in meta_network(variant).state_dict().values() if v.ndim]
    assert round(sum(values) / 1e6, 3) == mega
