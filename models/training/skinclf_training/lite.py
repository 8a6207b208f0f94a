"""EfficientNet-Lite 0 to 2, which only teach: EfficientNets (Tan and Le 2019) with ReLU6 and without squeeze-and-excitation.

As TensorFlow's tpu/models/official/efficientnet/lite describes them: stem and head are of one width whatever the size, and
the first and the last stage of one depth.
"""

import math

from .network import FEATURES, Block, Classifier, ConvBn

# (kernel, stride of the first, expansion, channels, blocks), as in EfficientNet-B0.
STAGES = [
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
]
# What widths and depths are multiplied by. Their ImageNet weights were trained at 224, 240 and 260 pixels.
SIZES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}


def scaled_channels(channels, width):
    """The multiple of 8 that is nearest to channels * width, but at least 90 % of it."""
    product = channels * width
    rounded = max(8, int(product + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * product else rounded


class Lite(Classifier):
    """See `Classifier`; of a side S that is no multiple of 32, maps are [ceil(S/32), ceil(S/32)].

    `drop_path` is that of the last block; those before it have less, in proportion to their depth.
    """

    def __init__(self, name, classes, dropout=0.2, drop_path=0.0):
        width, depth = SIZES[name]
        ends = (0, len(STAGES) - 1)
        depths = [blocks if n in ends else math.ceil(blocks * depth) for n, (*_, blocks) in enumerate(STAGES)]
        layers, inputs = [ConvBn(3, 32, kernel=3, stride=2)], 32
        for (kernel, stride, expansion, channels, _), blocks in zip(STAGES, depths):
            outputs = scaled_channels(channels, width)
            for i in range(blocks):
                drop = drop_path * (len(layers) - 1) / sum(depths)
                layers.append(Block(inputs, outputs, stride if i == 0 else 1, expansion, kernel, drop))
                inputs = outputs
        super().__init__(name, [*layers, ConvBn(inputs, FEATURES)], classes, dropout)
