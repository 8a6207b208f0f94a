"""Makes the small models that the tests of --model need.

    pip install numpy==2.4.6 onnx==1.23.2
    python tests/binary/models/generate.py
"""
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent


def model(name, nodes, weights=(), size=32, classes=3, metadata=None, extra=None):
    outputs = {"logits": [1, classes]} | (extra or {})
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in outputs.items()],
        [numpy_helper.from_array(array, key) for key, array in weights],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(made, metadata or {})
    onnx.save(made, HERE / f"{name}.onnx")


def main():
    # The logits are the means of the red, green and blue planes: what it must say is plain to see.
    mean = [helper.make_node("ReduceMean", ["input"], ["logits"], axes=[2, 3], keepdims=0)]
    described = {"labels": '["red", "green", "blue"]', "malignant": "red", "size": "32", "version": "7",
                 "mean": "[0, 0, 0]", "std": "[255, 255, 255]"}
    model("channel-means", mean, metadata=described)
    model("without-metadata", mean)
    # Maps whose means the logits are, and a logit that says how bright the picture is.
    cells = helper.make_node("AveragePool", ["input"], ["maps"], kernel_shape=[8, 8], strides=[8, 8])
    bright = helper.make_node("ReduceMean", ["logits"], ["dermoscopy"], axes=[1], keepdims=1)
    model("channel-maps", mean + [cells, bright], extra={"maps": [1, 3, 4, 4], "dermoscopy": [1, 1]})
    model("unsupported-operator", [helper.make_node("NoSuchOperator", ["input"], ["logits"], domain="")],
          metadata=described)
    # Nothing computes "logits".
    nowhere = helper.make_node("ReduceMean", ["input"], ["means"], axes=[2, 3], keepdims=0)
    model("output-of-nothing", [nowhere], metadata=described)


if __name__ == "__main__":
    main()
