#!/usr/bin/env python3
"""Times one forward pass against ONNX Runtime and OpenVINO: one thread, batch 1, the same ONNX file.

    cargo build --profile dist
    pip install numpy onnxruntime openvino && tests/rivals/compare.py

The engines take turns, because a machine's clock drifts by more than they differ: compare the
ratios, not the milliseconds of two runs of this script. SKINCLF_ISA=avx2 measures other kernels of ours.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "mobilenetv2.onnx"


def p50_ms(run, iterations):
    times = []
    for _ in range(iterations):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def skinclf(binary, **environment):
    def measure(iterations):
        command = [binary, "bench", "--iterations", str(iterations), "--threads", "1", "--format", "json"]
        env = os.environ | environment
        out = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
        return json.loads(out)["runs"][0]["stages"]["inference"]["p50_ms"]

    return measure


def onnxruntime(tensor):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda iterations: p50_ms(lambda: session.run(["logits"], {name: tensor}), iterations)


def openvino(tensor, precision="f32"):
    import openvino as ov

    core = ov.Core()
    model = core.read_model(str(MODEL))
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    if precision:
        options["INFERENCE_PRECISION_HINT"] = precision
    request = core.compile_model(model, "CPU", options).create_infer_request()
    request.set_input_tensor(ov.Tensor(tensor))
    return lambda iterations: p50_ms(request.infer, iterations)


def openvino_default(tensor):
    """In the precision that it chooses: bf16 where the processor has it."""
    return openvino(tensor, precision=None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--iterations", type=int, default=100, help="forward passes in a round")
    parser.add_argument("--binary", default=ROOT / "target" / "dist" / "skinclf")
    args = parser.parse_args()

    # Two of the engines spread their threads over all cores that the process may use.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    tensor = np.random.default_rng(0).uniform(-1, 1, (1, 3, 224, 224)).astype(np.float32)
    engines = {"skinclf": skinclf(args.binary), "stock tract": skinclf(args.binary, SKINCLF_ISA="tract")}
    for make in (onnxruntime, openvino, openvino_default):
        try:
            engines[make.__name__] = make(tensor)
        except ImportError as e:
            print(f"left out: {e}")
    for measure in engines.values():
        measure(10)

    rounds = {name: [] for name in engines}
    for _ in range(args.rounds):
        for name, measure in engines.items():
            rounds[name].append(measure(args.iterations))
    print(f"{'engine':<16} {'p50 ms':>8} {'min':>8} {'max':>8} {'skinclf / it':>14}")
    for name, times in rounds.items():
        ratio = statistics.median(ours / theirs for ours, theirs in zip(rounds["skinclf"], times))
        print(f"{name:<16} {statistics.median(times):>8.3f} {min(times):>8.3f} {max(times):>8.3f} {ratio:>14.3f}")


if __name__ == "__main__":
    main()
