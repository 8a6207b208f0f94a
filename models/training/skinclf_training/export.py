"""A trained network as ONNX, and its spec beside it."""

import copy
import hashlib
import json

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from .data import SIDE
from .network import ConvBn, folded

OPSET, IR_VERSION = 17, 8


class Graph:
    """Collects nodes and weights; each method returns the name of its output.

    Weights of convolutions are stored in half precision and cast when the model is loaded: half the size.
    """

    def __init__(self):
        self.nodes, self.weights = [], []

    def constant(self, name, array):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def convolution(self, x, name, conv, pad_after=False):
        """Asymmetric padding belongs to the convolution itself: no Pad node."""
        side = conv.padding[0]
        pads = [0, 0, 1, 1] if pad_after else [side] * 4
        half = conv.weight.detach().half()
        if not half.isfinite().all():
            raise ValueError(f"{name}: a weight is too large for half precision")
        stored = self.constant(f"{name}.weight.half", half.numpy())
        weight = self.add("Cast", [stored], f"{name}.weight", to=TensorProto.FLOAT)
        bias = self.constant(f"{name}.bias", conv.bias.detach().numpy())
        return self.add(
            "Conv", [x, weight, bias], name, kernel_shape=list(conv.kernel_size), strides=list(conv.stride),
            pads=pads, group=conv.groups,
        )

    def unit(self, x, name, unit):
        x = self.convolution(x, name, unit.conv, unit.pad_after)
        return x if unit.linear else self.add("Clip", [x, "zero", "six"], f"{name}.relu6")


@torch.no_grad()
def shipped(*networks):
    """The network that the file holds: batch norms folded, the weights of convolutions rounded to half precision.

    Of several, the mean of their weights; they must come from each other (Wortsman et al. 2022, "Robust fine-tuning").
    """
    network, *others = [folded(each) for each in networks]
    for weights in zip(network.parameters(), *(other.parameters() for other in others)):
        weights[0].copy_(torch.stack(weights).mean(0))
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.copy_(module.weight.half().float())
    return network


def graph_of(network, dermoscopy):
    """The ONNX model of a `shipped` network and of the weights ([1280], bias) that tell dermoscopic pictures.

    One more channel of the head's convolution gives the latter, so it costs nothing.
    """
    network, classes = copy.deepcopy(network), network.head.out_channels
    graph = Graph()
    graph.constant("zero", np.float32(0))
    graph.constant("six", np.float32(6))
    x = "input"
    for i, layer in enumerate(network.features):
        if isinstance(layer, ConvBn):
            x = graph.unit(x, f"features.{i}", layer)
            continue
        entry = x
        for j, unit in enumerate(layer.body):
            x = graph.unit(x, f"features.{i}.{j}", unit)
        if layer.residual:
            x = graph.add("Add", [entry, x], f"features.{i}.sum")
    head = network.head
    weight, bias = dermoscopy
    with torch.no_grad():
        head.weight = torch.nn.Parameter(torch.cat([head.weight, torch.as_tensor(weight).float().view(1, -1, 1, 1)]))
        head.bias = torch.nn.Parameter(torch.cat([head.bias, torch.tensor([bias]).float()]))
    every_map = graph.convolution(x, "head", head)
    every_mean = graph.add("ReduceMean", [every_map], "means", axes=[2, 3], keepdims=0)
    channel = graph.constant("channel", np.array([1], np.int64))
    first = graph.constant("first", np.array([0], np.int64))
    split = graph.constant("split", np.array([classes], np.int64))
    last = graph.constant("last", np.array([classes + 1], np.int64))
    graph.add("Slice", [every_mean, first, split, channel], "logits")
    graph.add("Slice", [every_map, first, split, channel], "maps")
    graph.add("Slice", [every_mean, split, last, channel], "dermoscopy")

    def tensor(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    cells = SIDE // 32
    outputs = [tensor("logits", 1, classes), tensor("maps", 1, classes, cells, cells), tensor("dermoscopy", 1, 1)]
    proto = helper.make_graph(graph.nodes, "mobilenetv2", [tensor("input", 1, 3, SIDE, SIDE)], outputs, graph.weights)
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="skinclf_training")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


def write(network, calibration, onnx_path, template, version):
    """Writes a `shipped` network to `onnx_path`, and the JSON beside it.

    Labels and preprocessing come from the `template` spec.
    The head's bias takes that of the calibration and the prior: softmax(logits / temperature) is then calibrated.
    """
    temperature = calibration["temperature"]
    shift = np.array(calibration["bias"]) + np.log(calibration["prior"])
    with torch.no_grad():
        network.head.bias.add_(torch.from_numpy(temperature * shift).float())
    model = graph_of(network, (np.array(calibration["dermoscopy"]["weight"]), calibration["dermoscopy"]["bias"]))
    onnx_path.write_bytes(model.SerializeToString())
    spec = json.loads(template.read_text(encoding="utf-8"))
    spec |= {
        "version": version,
        "file": onnx_path.name,
        "sha256": hashlib.sha256(onnx_path.read_bytes()).hexdigest(),
        "outputs": {"logits": "logits", "class_maps": "maps", "dermoscopy": "dermoscopy"},
        "temperature": temperature,
        "prior": calibration["prior"],
        "decision": "balanced-argmax",
        "malignancy_threshold": calibration["malignancy_threshold"],
        "malignancy_sensitivity": calibration["malignancy_sensitivity"],
        "conformal": calibration["conformal"],
        "usable": calibration["usable"],
    }
    onnx_path.with_suffix(".json").write_text(json.dumps(spec, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return spec
