"""Known costs of published networks: by the tracing counter, by closed formula, by torch's counter.

Networks are built here straight from the layer tables of their papers and repositories.
"""

import pytest
import torch
from torch import nn

from vbench.cost.architectures import (
    alexnet,
    conv,
    efficientdet_d0,
    flownet_s,
    patchnet,
    resnet101,
    rfcn,
    rfcn_heads,
    siamrpn_2x,
    siamrpn_2x_template,
    thop_total,
    total,
)
from vbench.cost.conventions import CONVENTIONS, executed_average, paper_average, thop_module
from vbench.cost.macs import count_module, torch_flops
from vbench.cost.published import errata, figures

M, G = 1e6, 1e9


class Thinned(nn.Module):
    """Stands in for a 3 x 3 maximum at stride 2: the same sizes, no cost."""

    def __init__(self, padded=False):
        super().__init__()
        self.padded = padded

    def forward(self, x):
        kept = x if self.padded else x[..., 1:-1, 1:-1]
        return kept[..., ::2, ::2]


def alexnet_module(widths=(96, 256, 384, 384, 256), groups=(1, 2, 1, 2, 2)):
    """Convolutions and pooling; norms are left out: they change no convolution's cost."""
    layers: list[nn.Module] = []
    channels = 3
    for i, (out, group, kernel) in enumerate(zip(widths, groups, (11, 5, 3, 3, 3), strict=True)):
        layers.append(nn.Conv2d(channels, out, kernel, 2 if i == 0 else 1, groups=group))
        layers += [nn.ReLU()] * (i < 4) + [Thinned()] * (i < 2)
        channels = out
    return nn.Sequential(*layers).eval()


def flops(module, *sizes):
    """Torch's count; on the meta device, which carries shapes only, so it computes nothing."""
    inputs = [torch.empty(*size, device="meta") for size in sizes]
    return sum(torch_flops(module.to("meta"), inputs).values())


def counted(module, *sizes):
    return count_module(module, [torch.zeros(*size) for size in sizes])


@pytest.mark.parametrize(
    ("side", "groups", "by_hand", "stated"),
    [
        # siamfc-pytorch, AlexNetV1: exemplar and search crop.
        (127, (1, 2, 1, 2, 2), 0, 460.2 * M),
        (255, (1, 2, 1, 2, 2), 0, 2719.7 * M),
        # SiamRPN's paper: groups in conv5 only, the "4.1 G".
        (255, (1, 1, 1, 1, 2), 0, 4099.97 * M),
    ],
)
def test_alexnets_cost_what_the_tables_say(side, groups, by_hand, stated):
    sizes = {127: (59, 25, 10, 8, 6), 255: (123, 57, 26, 24, 22)}[side]
    channels = ((3, 96, 11), (96, 256, 5), (256, 384, 3), (384, 384, 3), (384, 256, 3))
    for size, group, (c, k, kernel) in zip(sizes, groups, channels, strict=True):
        by_hand += size * size * k * (c // group) * kernel * kernel
    module = alexnet_module(groups=groups)
    found = counted(module, (1, 3, side, side))
    assert found.by_op["conv"] == by_hand == total(alexnet(side, groups=groups))
    assert by_hand == pytest.approx(stated, rel=1e-4)
    assert flops(module, (1, 3, side, side)) == 2 * by_hand
    assert found.uncounted == ()


def test_siamfcs_correlation_is_counted_though_its_kernel_is_computed():
    def correlate(x, z):
        return nn.functional.conv2d(x, z)

    x, z = torch.zeros(1, 256, 22, 22), torch.zeros(1, 256, 6, 6)
    found = count_module(correlate, [x, z])
    assert found.macs == 17 * 17 * 256 * 36 == conv((17, 17), 256, 1, 6).macs
    assert found.macs == pytest.approx(2.66 * M, rel=2e-3)
    assert sum(torch_flops(correlate, [x, z]).values()) == 2 * found.macs


class Rpn2x(nn.Module):
    """DaSiamRPN net.py, SiamRPNBIG: what runs on every frame."""

    def __init__(self, width):
        super().__init__()
        c = 256 * width
        widths = (96 * width, c, 384 * width, 384 * width, c)
        self.backbone = alexnet_module(widths, (1,) * 5)
        self.reg, self.cls = nn.Conv2d(c, c, 3), nn.Conv2d(c, c, 3)
        self.adjust = nn.Conv2d(20, 20, 1)
        self.templates = nn.ParameterList([torch.empty(n, c, 4, 4) for n in (20, 10)])

    def forward(self, x):
        f = self.backbone(x)
        r, c = self.templates
        correlate = nn.functional.conv2d
        return self.adjust(correlate(self.reg(f), r)), correlate(self.cls(f), c)


@pytest.mark.parametrize(
    ("width", "instance", "stated"),
    [(2, 271, 21.115 * G), (2, 287, 24.296 * G), (2, 255, 18.161 * G), (1, 271, 5.600 * G)],
)
def test_siamrpn_costs_what_its_released_network_runs(width, instance, stated):
    module = Rpn2x(width)
    found = counted(module, (1, 3, instance, instance))
    assert found.by_op["conv"] == total(siamrpn_2x(instance, width=width))
    assert found.by_op["conv"] == pytest.approx(stated, rel=1e-4)
    assert flops(module, (1, 3, instance, instance)) == 2 * found.by_op["conv"]


def test_siamrpns_template_branch():
    features = alexnet_module((192, 512, 768, 768, 512), (1,) * 5)
    backbone = counted(features, (1, 3, 127, 127)).by_op["conv"]
    heads = [nn.Conv2d(512, n, 3, device="meta") for n in (10240, 5120)]
    kernels = sum(flops(head, (1, 512, 6, 6)) for head in heads) / 2
    assert backbone + kernels == total(siamrpn_2x_template())
    assert total(siamrpn_2x_template()) == pytest.approx(3.732 * G, rel=1e-3)


@pytest.mark.parametrize(
    ("layer", "size", "term", "exact"),
    [
        (nn.Conv2d(3, 64, 8, 2), (3, 119, 119), "correlation", 56 * 56 * 64 * 192),
        (nn.Conv2d(64, 16, 5, groups=16), (64, 56, 56), "conv2", 4_326_400),
        (nn.Conv2d(16, 4, 5), (16, 26, 26), "conv3", 774_400),
        (nn.Conv2d(4, 1, 5), (4, 11, 11), "conv4", 4_900),
        (nn.Conv2d(64, 16, 5), (64, 26, 26), "conv3reg", 12_390_400),
        (nn.Conv2d(16, 4, 5), (16, 11, 11), "conv4reg", 78_400),
    ],
)
def test_patchnets_layers(layer, size, term, exact):
    assert counted(layer, (1, *size)).macs == patchnet()[term] == exact
    assert flops(layer, (1, *size)) == 2 * exact


def test_patchnets_total_is_that_of_its_authors():
    terms = patchnet()
    assert terms["fourier"] == 884_736
    assert terms["pools"] == 648_960 + 29_040
    assert sum(terms.values()) == 57_672_404
    dense = patchnet(grouped=False)
    assert dense["conv2"] == 69_222_400
    assert sum(dense.values()) == pytest.approx(122.57 * M, rel=1e-4)
    assert [round(sum(patchnet(k).values()) / M, 1) for k in (2, 4, 8, 16)] == [
        20.7,
        28.0,
        57.7,
        pytest.approx(177, abs=0.5),
    ]


class Bottleneck(nn.Module):
    """He et al., 2016; the stride stands in the first 1x1 ("v1") or in the 3x3 ("v1.5")."""

    def __init__(self, channels, width, stride, dilation, project, stride_in_3x3):
        super().__init__()
        first, second = (1, stride) if stride_in_3x3 else (stride, 1)
        self.a = nn.Conv2d(channels, width, 1, first, bias=False)
        self.b = nn.Conv2d(width, width, 3, second, dilation, dilation, bias=False)
        self.c = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.project = nn.Conv2d(channels, 4 * width, 1, stride, bias=False) if project else None

    def forward(self, x):
        skip = x if self.project is None else self.project(x)
        return torch.relu(skip + self.c(self.b(self.a(x))))


class RFCN(nn.Module):
    """Deep-Feature-Flow's R-FCN: dilated stage 5, 3x3 feature layer, heads on half of it each."""

    def __init__(self, stride_in_3x3):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), Thinned(padded=True)]
        channels = 64
        for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (23, 256), (3, 512))):
            for block in range(blocks):
                stride = 2 if block == 0 and stage in (1, 2) else 1
                dilation = 2 if stage == 3 else 1
                layers.append(
                    Bottleneck(channels, width, stride, dilation, block == 0, stride_in_3x3)
                )
                channels = 4 * width
        self.body = nn.Sequential(*layers)
        self.feature = nn.Conv2d(2048, 1024, 3, padding=6, dilation=6)
        self.heads = nn.ModuleList([nn.Conv2d(512, n, 1) for n in (18, 36, 49 * 31, 49 * 8)])

    def forward(self, x):
        rpn, rcnn = self.feature(self.body(x)).chunk(2, dim=1)
        return [head(rpn if i < 2 else rcnn) for i, head in enumerate(self.heads)]


@pytest.mark.parametrize(("stride_in_3x3", "stated"), [(False, 166.42 * G), (True, 168.25 * G)])
def test_rfcn_costs_what_its_layers_cost(stride_in_3x3, stated):
    module = RFCN(stride_in_3x3)
    small = counted(module, (1, 3, 128, 96))
    assert small.by_op["conv"] == total(rfcn((128, 96), stride_in_3x3))
    whole = total(rfcn((600, 1000), stride_in_3x3))
    assert whole == pytest.approx(stated, rel=1e-4)
    assert flops(module, (1, 3, 600, 1000)) == 2 * whole


def test_thop_counts_a_deconvolution_four_times_and_norms_twice():
    module = nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.BatchNorm2d(4), nn.ReLU()).eval()
    x = torch.rand(1, 8, 5, 6)
    found = thop_module(module, [x])
    deconvolution = 5 * 6 * 8 * 4 * 16
    assert found.by_op == {"ConvTranspose2d": 4 * deconvolution, "BatchNorm2d": 2 * 4 * 120}
    assert count_module(module, [x]).by_op["conv"] == deconvolution


def test_flownets_deconvolutions_explain_the_two_figures():
    assert total(flownet_s((600, 1000))) == pytest.approx(12.90 * G, rel=1e-3)
    assert thop_total(flownet_s((600, 1000))) == pytest.approx(21.6 * G, rel=2e-3)
    assert total(rfcn_heads((600, 1000))) == pytest.approx(2.41 * G, rel=1e-3)


@pytest.mark.parametrize(("classes", "stated"), [(80, 2.461), (90, 2.492), (30, 2.304)])
def test_efficientdet_d0_by_classes(classes, stated):
    assert total(efficientdet_d0(classes)) == pytest.approx(stated * G, rel=2.5e-4)


def test_the_classification_network_of_resnet101_is_its_papers():
    """He et al., 2016, table 1: 7.6 G multiply-adds at 224 px, with the classifier's 2 M."""
    macs = total(resnet101((224, 224), dilated=False)) + 2048 * 1000
    assert macs == pytest.approx(7.6 * G, rel=0.02)


def test_published_figures_come_out_by_the_convention_beside_them():
    missed = [figure for figure in figures() if not figure.reproduced]
    assert all(figure.note and abs(figure.difference) < 0.08 for figure in missed)
    assert {figure.what for figure in missed} == {
        "SiamRPN-2x + PatchNet, T = 4.2",
        "FlowNet-S (DFF)",
        "R-FCN + DFF, T = 10",
    }
    assert len(figures()) >= 17
    assert any("SiamRPN-2x" in line for line in errata())


def test_averages_as_the_paper_takes_them_and_as_they_run():
    patch = sum(patchnet().values())
    assert paper_average(169 * G, patch, 5, 7) == pytest.approx(34.2 * G, rel=1e-3)
    assert executed_average(169 * G, patch, 5, 7) == pytest.approx(34.12 * G, rel=1e-3)
    assert paper_average(2.5 * G, patch, 5, 4) == pytest.approx(0.73 * G, rel=2e-3)
    assert executed_average(2.5 * G, patch, 5, 4) == pytest.approx(0.684 * G, rel=2e-3)


def test_every_convention_reads_the_same_network_its_own_way():
    from vbench.core.roles import Work

    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()
    work = [Work("net", network, [torch.rand(1, 3, 10, 10)], times=3)]
    macs = {name: c.count(work).macs for name, c in CONVENTIONS.items()}
    layer, values = 64 * 8 * 27, 8 * 64
    assert macs == {
        "executed": 3 * (layer + values),
        "paper": layer,
        "fvcore": 3 * (layer + 2 * values),
        "torch": 3 * 2 * layer,
        "thop": 3 * (layer + 2 * values),
    }
