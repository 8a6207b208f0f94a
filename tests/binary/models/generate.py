"""Makes the small models that the tests of --model need.

    pip install numpy==2.4.6 onnx==1.23.2
    python tests/binary/models/generate.py
"""
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent


def model(name, nodes, weights=(), size=32, classes=3, metadata=None):
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, classes])],
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
    model("unsupported-operator", [helper.make_node("NoSuchOperator", ["input"], ["logits"], domain="")],
          metadata=described)


if __name__ == "__main__":
    main()
