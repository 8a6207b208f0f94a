"""MobileNetV2 1.0 (Sandler et al. 2018) that also returns its exact class maps."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from . import fused

# (expansion, channels, blocks, stride of the first), table 2 of the paper.
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
FEATURES = 1280


def same_padding(side, kernel):
    """(left, right, top, bottom) of TensorFlow's SAME for a stride of 2: what is odd goes to the right and below."""
    total = max((math.ceil(side / 2) - 1) * 2 + kernel - side, 0)
    return (total // 2, total - total // 2) * 2


class ConvBn(nn.Module):
    """Convolution, batch norm and, unless linear, ReLU6.

    Strided ones pad as the TensorFlow weights do that training starts from: a 3x3 one of an even side below and to the
    right only.
    """

    def __init__(self, inputs, outputs, kernel=1, stride=1, groups=1, linear=False):
        super().__init__()
        self.pad_after = kernel > 1 and stride == 2
        padding = 0 if self.pad_after else kernel // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.05)
        self.linear = linear
        self.fused = False  # for training on a CPU, see `fuse`

    def forward(self, x):
        if self.pad_after:
            x = F.pad(x, same_padding(x.shape[-1], self.conv.kernel_size[0]))
        x = self.conv(x)
        if self.training and self.fused:
            return fused.batch_norm_relu6(x, self.bn, clip=not self.linear)
        x = self.bn(x)
        return x if self.linear else F.relu6(x, inplace=True)


class Block(nn.Module):
    """Inverted residual: expand, depthwise, project.

    In training its body is left out for a share `drop_path` of the pictures (Huang et al. 2016, stochastic depth).
    """

    def __init__(self, inputs, outputs, stride, expansion, kernel=3, drop_path=0.0):
        super().__init__()
        hidden = inputs * expansion
        expand = [ConvBn(inputs, hidden)] if expansion > 1 else []
        depthwise = ConvBn(hidden, hidden, kernel, stride, groups=hidden)
        self.body = nn.Sequential(*expand, depthwise, ConvBn(hidden, outputs, linear=True))
        self.residual = stride == 1 and inputs == outputs
        self.drop_path = drop_path

    def forward(self, x):
        y = self.body(x)
        if not self.residual:
            return y
        if self.training and self.drop_path:
            keep = torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop_path
            y = y * (keep / (1 - self.drop_path)).to(y.dtype)
        return x + y


class Classifier(nn.Module):
    """[N, 3, S, S] in [-1, 1] -> logits [N, classes] and class maps [N, classes, S/32, S/32].

    The classifier is a 1x1 convolution before the average. Both are linear, so their order does not matter, and the
    mean of a map (which includes the bias) is its class's logit: an exact class activation map (Zhou et al. 2016).
    """

    def __init__(self, name, layers, classes, dropout):
        """`layers` give FEATURES channels; `name` is what a config calls the network."""
        super().__init__()
        self.name = name
        self.features = nn.Sequential(*layers)
        # A whole channel at once, as dropout after pooling would.
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(FEATURES, classes, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        maps = self.head(self.dropout(self.features(x)))
        return maps.mean((2, 3)), maps

    def fuse(self):
        """Trains with batch norm and ReLU6 in one: the same function, about a quarter faster on a CPU."""
        for unit in self.units():
            unit.fused = True
        return self

    def units(self):
        """Every convolution with its batch norm, from input to output."""
        return [m for m in self.modules() if isinstance(m, ConvBn)]


class MobileNetV2(Classifier):
    """The network that is shipped, see `Classifier`."""

    def __init__(self, classes, dropout=0.2):
        layers, inputs = [ConvBn(3, 32, kernel=3, stride=2)], 32
        for expansion, outputs, blocks, stride in STAGES:
            for i in range(blocks):
                layers.append(Block(inputs, outputs, stride if i == 0 else 1, expansion))
                inputs = outputs
        super().__init__("mobilenetv2", [*layers, ConvBn(inputs, FEATURES)], classes, dropout)


@torch.no_grad()
def folded(network):
    """The same function with batch norms folded into biased convolutions, for export."""
    network = copy.deepcopy(network).eval()
    for unit in network.units():
        bn = unit.bn
        gain = bn.weight / (bn.running_var + bn.eps).sqrt()
        unit.conv.weight.mul_(gain.view(-1, 1, 1, 1))
        unit.conv.bias = nn.Parameter(bn.bias - bn.running_mean * gain)
        unit.bn = nn.Identity()
    return network
