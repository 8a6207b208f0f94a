"""How the weights in `models/` are made: from pictures to an ONNX file and its spec."""
