"""Every step from pictures to a model that skinclf classifies with, on 60 drawn lesions.

`SKINCLF` names the binary; `SKINCLF_HAM10000` a folder with the real pictures' archives, used in place of drawn ones.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from skinclf_training import calibrate, data, export, initial
from skinclf_training.augment import to_input
from skinclf_training.checkpoint import trained
from skinclf_training.network import MobileNetV2

from . import drawn

HERE = Path(__file__).parent.parent
SPEC = HERE.parent / "mobilenetv2.json"


def step(*arguments, **kwargs):
    command = [sys.executable, "-m", "skinclf_training", *map(str, arguments)]
    return subprocess.run(command, cwd=HERE, check=True, text=True, stdout=subprocess.PIPE, **kwargs).stdout


def logits_of(model, x):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input": x.numpy()})[0]


class Run(unittest.TestCase):
    def test_from_pictures_to_a_model(self):
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            packed = ["--data", work / "data"]
            if real := os.environ.get("SKINCLF_HAM10000"):
                step("prepare", real, "--each", 1, "--out", work / "data")
            else:
                drawn.write(work / "ham10000")
                step("prepare", work / "ham10000", "--out", work / "data")
            images = data.Images.load(work / "data")
            self.assertEqual(len(images), 88 if real else 60)

            config = HERE / "configs" / "smoke.toml"
            teacher, lite, student = work / "teacher.pt", work / "lite.pt", work / "student.pt"
            train = ["train", config, *packed, "--checkpoint", teacher]
            self.assertIn("the same command goes on", step(*train, "--minutes", "0"))
            halfway = torch.load(teacher, weights_only=True)
            self.assertGreater(halfway["step"], 0)
            self.assertIn("finished", step(*train))
            finished = torch.load(teacher, weights_only=True)
            self.assertGreater(finished["step"], halfway["step"])
            step("train", HERE / "configs" / "smoke-lite.toml", *packed, "--checkpoint", work / "run.pt", "--average", lite)
            step("distill", config, *packed, "--checkpoint", student, "--teacher", teacher, "--teacher", lite)

            calibration, model = work / "calibration.json", work / "model.onnx"
            step("calibrate", student, *packed, "--rendered", 4, "--out", calibration)
            step("export", student, "--calibration", calibration, "--template", SPEC, "--version", "0", "--out", model)
            spec = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
            self.assertEqual(spec["conformal"]["coverages"], calibrate.COVERAGES)
            shift = np.array(json.loads(calibration.read_text(encoding="utf-8"))["bias"]) + np.log(spec["prior"])
            self.agrees_with_pytorch(student, model, images, spec["temperature"] * shift)

            self.can_be_trained_on(model, images, spec)
            step("train", config, *packed, "--checkpoint", work / "again.pt", "--weights", model, "--minutes", 0)

            step("evaluate", *packed, "--write", work / "fold0")
            if binary := os.environ.get("SKINCLF"):
                self.scored_by(binary, model, work)

    def agrees_with_pytorch(self, checkpoint, model, images, shift):
        x = to_input(torch.from_numpy(images.squares(np.arange(1))))
        with torch.no_grad():
            wanted = export.shipped(trained(checkpoint))(x)[0].numpy() + shift
        np.testing.assert_allclose(logits_of(model, x), wanted, atol=1e-4)

    def can_be_trained_on(self, model, images, spec):
        network, pictures = MobileNetV2(len(data.CLASSES)), to_input(torch.from_numpy(images.squares(np.arange(16))))
        initial.load_into(network, model, [pictures])
        x = pictures[:1]
        with torch.no_grad():
            logits = network.eval()(x)[0].numpy() + spec["temperature"] * np.log(spec["prior"])
        np.testing.assert_allclose(logits, logits_of(model, x), atol=1e-3)

    def scored_by(self, binary, model, work):
        fold = work / "fold0"
        classify = [binary, "classify", "--quiet", "--model", model, "-f"]
        scores = subprocess.run([*classify, "json", "--truth", fold / "labels.csv", fold], check=True,
                                text=True, stdout=subprocess.PIPE).stdout
        self.assertEqual(json.loads(scores)["images"], len(list(fold.glob("*.png"))))
        rows = subprocess.run([*classify, "jsonl", fold], check=True, text=True, stdout=subprocess.PIPE).stdout
        (work / "rows.jsonl").write_text(rows, encoding="utf-8")
        spec = ["--spec", model.with_suffix(".json")]
        tables = step("evaluate", "--data", work / "data", "--predictions", work / "rows.jsonl", *spec).split("\n\n")
        starts = ["| group | n |", "| probability | n |", "| pictures | n |", "| share of mel | prior |"]
        for table, start in zip(tables, starts, strict=True):
            self.assertTrue(table.startswith(start), table)


if __name__ == "__main__":
    unittest.main()
