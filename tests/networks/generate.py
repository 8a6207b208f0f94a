#!/usr/bin/env python3
"""Makes the small ONNX networks on which the engine's fused operators are held to stock tract.

    pip install onnx numpy && tests/networks/generate.py

Weights are random, drawn so that activations keep their scale; nothing here classifies anything.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
MAPS = [1, "channels", "rows", "columns"]


class Network:
    def __init__(self, name, size, opset=17):
        self.name, self.size, self.opset = name, size, opset
        self.rng = np.random.default_rng(sum(name.encode()))
        self.nodes, self.weights, self.count = [], [], 0
        self.channels = {"input": 3}

    def constant(self, values, dtype=np.float32):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def op(self, kind, inputs, channels, **attributes):
        self.count += 1
        name = f"{kind.lower()}{self.count}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        self.channels[name] = channels
        return name

    def conv(self, x, out, kernel=1, stride=1, pads=(0, 0, 0, 0), group=1, bias=True):
        inputs = self.channels[x]
        shape = (out, inputs // group, kernel, kernel)
        scale = np.sqrt(2 / np.prod(shape[1:]))
        operands = [x, self.constant(self.rng.normal(0, scale, shape))]
        if bias:
            operands.append(self.constant(self.rng.normal(0, 0.5, out)))
        return self.op("Conv", operands, out, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                       pads=list(pads), group=group)

    def relu6(self, x):
        if self.opset < 11:
            return self.op("Clip", [x], self.channels[x], min=0.0, max=6.0)
        return self.op("Clip", [x, self.constant(0.0), self.constant(6.0)], self.channels[x])

    def relu(self, x):
        return self.op("Relu", [x], self.channels[x])

    def add(self, a, b):
        return self.op("Add", [a, b], self.channels[a])

    def pad(self, x, pads, value=0.0):
        top, left, bottom, right = pads
        spec = self.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
        return self.op("Pad", [x, spec, self.constant(value)], self.channels[x])

    def block(self, x, out, expand=6, stride=1, pads=(1, 1, 1, 1), padded=None, activation=None):
        """An inverted residual block; `padded` puts the padding into an operator of its own."""
        activation = activation or self.relu6
        inside = self.channels[x] * expand
        y = activation(self.conv(x, inside)) if expand > 1 else x
        if padded is not None:
            y, pads = self.pad(y, pads, padded), (0, 0, 0, 0)
        y = activation(self.conv(y, inside, 3, stride, pads, group=inside))
        y = self.conv(y, out)
        return self.add(x, y) if stride == 1 and out == self.channels[x] else y

    def head(self, x, classes=4):
        """As an exporter writes it: average, then a dense layer."""
        y = self.op("GlobalAveragePool", [x], self.channels[x])
        y = self.op("Flatten", [y], self.channels[y])
        weights = self.constant(self.rng.normal(0, 0.3, (classes, self.channels[x])))
        return self.op("Gemm", [y, weights, self.constant(self.rng.normal(0, 0.1, classes))], classes,
                       transB=1)

    def cut(self, x, start, end):
        """Some of the channels."""
        bounds = [self.constant([at], np.int64) for at in (start, end, 1)]
        return self.op("Slice", [x, *bounds], end - start)

    def output(self, x, name):
        self.nodes.append(helper.make_node("Identity", [x], [name]))

    def save(self, x, extra=None):
        """`extra` has the shapes of outputs beside the logits, by name."""
        self.output(x, "logits")
        shapes = {"logits": [1, 4]} | (extra or {})
        outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
        image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, self.size, self.size])
        graph = helper.make_graph(self.nodes, self.name, [image], outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, HERE / f"{self.name}.onnx")


def narrow_mobilenet():
    """Width 0.35 at 96x96, symmetric padding: channel counts that fill no vector."""
    n = Network("mobilenet-035-96", 96)
    x = n.relu6(n.conv("input", 11, 3, 2, (1, 1, 1, 1)))
    x = n.block(x, 6, expand=1)
    x = n.block(x, 10, stride=2)
    x = n.block(x, 10)
    x = n.block(x, 13, stride=2)
    x = n.block(x, 13)
    x = n.relu6(n.conv(x, 50))
    n.save(n.head(x))


def wide_mobilenet():
    """Width 1.4 at 160x160, the exporter's Pad nodes left in (asymmetric, as TensorFlow pads)."""
    n = Network("mobilenet-140-160", 160)
    x = n.relu6(n.conv(n.pad("input", (0, 0, 1, 1)), 44, 3, 2))
    x = n.block(x, 22, expand=1, padded=0.0)
    x = n.block(x, 33, expand=2, stride=2, pads=(0, 0, 1, 1), padded=0.0)
    x = n.block(x, 33, expand=2, padded=0.0)
    x = n.conv(n.relu6(n.conv(x, 56)), 4)
    n.save(n.op("ReduceMean", [x], 4, axes=[2, 3], keepdims=0))


def mobilenet_v1():
    """Depthwise and pointwise only, ReLU, odd size, an old opset whose Clip has attributes."""
    n = Network("mobilenet-v1-61", 61, opset=10)
    x = n.relu(n.conv("input", 8, 5, 2, (2, 2, 2, 2)))
    for out, stride in [(17, 1), (24, 2), (24, 1), (40, 2)]:
        x = n.relu6(n.conv(x, n.channels[x], 3, stride, (1, 1, 1, 1), group=n.channels[x]))
        x = n.relu(n.conv(x, out))
    n.save(n.head(x))


def resnet():
    """Dense 3x3 convolutions, pooling, residual sums: next to nothing to fuse."""
    n = Network("resnet-64", 64)
    x = n.relu(n.conv("input", 8, 7, 2, (3, 3, 3, 3)))
    x = n.op("MaxPool", [x], 8, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for out, stride in [(8, 1), (16, 2)]:
        y = n.relu(n.conv(x, out, 3, stride, (1, 1, 1, 1), bias=False))
        y = n.conv(y, out, 3, 1, (1, 1, 1, 1))
        x = x if out == n.channels[x] else n.conv(x, out, 1, stride)
        x = n.relu(n.add(x, y))
    n.save(n.head(x))


def look_alikes():
    """Almost blocks: each has one thing that forbids to fuse a part of it."""
    n = Network("look-alikes-32", 32)
    x = n.relu6(n.conv("input", 8, 3, 2, (1, 1, 1, 1)))
    # The expanded activations are read a second time.
    e = n.relu6(n.conv(x, 24))
    d = n.relu6(n.conv(e, 24, 3, 1, (1, 1, 1, 1), group=24))
    x = n.add(n.conv(d, 8), n.conv(e, 8))
    # What goes into a minimum's second reader is the convolution before it.
    c = n.conv(x, 16)
    x = n.add(n.relu6(c), c)
    # Padding by something else than zero, padding read twice, padding of a pointwise convolution.
    x = n.block(x, 16, expand=2, padded=0.5)
    p = n.pad(x, (1, 1, 1, 1))
    x = n.add(n.conv(p, 16, 3, 1, group=16), n.conv(p, 16, 3, 1, group=16))
    x = n.conv(x, 8, 1, 1, (1, 1, 1, 1))
    # A strided pointwise convolution, a dilated and a 5x5 depthwise one, two channels a group.
    x = n.conv(x, 16, 1, 2)
    w = n.constant(n.rng.normal(0, 0.5, (16, 1, 3, 3)))
    x = n.op("Conv", [x, w], 16, kernel_shape=[3, 3], dilations=[2, 2], pads=[2, 2, 2, 2], group=16)
    x = n.conv(n.conv(x, 16, 5, 1, (2, 2, 2, 2), group=16), 16)
    x = n.conv(n.conv(x, 16, 3, 1, (1, 1, 1, 1), group=8), 16)
    # The sum is broadcast; the block's own output is read again.
    s = n.conv(n.relu6(n.conv(x, 16, 3, 1, (1, 1, 1, 1), group=16)), 16)
    b = n.add(s, n.constant(n.rng.normal(0, 1, (16, 1, 1))))
    y = n.block(b, 16, expand=3)
    z = n.block(y, 16, expand=3)
    x = n.add(n.add(y, z), n.block(y, 16, expand=1))
    # An output of the network in the midst of a block.
    e = n.relu6(n.conv(x, 24))
    n.output(e, "maps")
    x = n.conv(n.relu6(n.conv(e, 24, 3, 2, (1, 1, 1, 1), group=24)), 12)
    n.save(n.head(x), extra={"maps": MAPS})


def three_heads():
    """Class maps, their means and the logit of something else, all cut from one convolution."""
    n = Network("three-heads-64", 64)
    x = n.relu6(n.conv("input", 8, 3, 2, (1, 1, 1, 1)))
    x = n.block(x, 6, expand=1)
    x = n.block(x, 12, stride=2)
    x = n.conv(n.relu6(n.conv(n.block(x, 12), 32)), 5)
    mean = n.op("ReduceMean", [x], 5, axes=[2, 3], keepdims=0)
    n.output(n.cut(x, 0, 4), "maps")
    n.output(n.cut(mean, 4, 5), "dermoscopy")
    n.save(n.cut(mean, 0, 4), extra={"maps": MAPS, "dermoscopy": [1, 1]})


for network in (narrow_mobilenet, wide_mobilenet, mobilenet_v1, resnet, look_alikes, three_heads):
    network()
print(f"{sum(f.stat().st_size for f in HERE.glob('*.onnx')) / 1e3:.0f} kB")
