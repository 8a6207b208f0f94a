"""The usual way to serve such a model, to compare with: FastAPI, Pillow, ONNX Runtime, one process a core.

    pip install fastapi uvicorn[standard] numpy pillow onnxruntime
    uvicorn --app-dir tests/rivals --workers 2 --port 8001 --log-level warning fastapi_service:app
    wrk -t1 -c50 -d20s --latency -s tests/rivals/predict.lua http://127.0.0.1:8001/predict
"""
import io
import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, Request
from PIL import Image, ImageOps

MODELS = Path(__file__).resolve().parents[2] / "models"
SPEC = json.loads((MODELS / "mobilenetv2.json").read_text())
CODES = [label["code"] for label in SPEC["labels"]]

options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession(MODELS / "mobilenetv2.onnx", options, providers=["CPUExecutionProvider"])
app = FastAPI()


def preprocess(encoded):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded))).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.BILINEAR)
    tensor = (np.asarray(square, np.float32) - 127.5) / 127.5
    return tensor.transpose(2, 0, 1)[None]


def classify(encoded):
    logits = session.run(["logits"], {"input": preprocess(encoded)})[0][0] / SPEC["temperature"]
    odds = np.exp(logits - logits.max())
    return odds / odds.sum()


@app.post("/predict")
async def predict(request: Request):
    # On the event loop: with a process per core a thread pool would only add switches.
    probabilities = classify(await request.body())
    best = int(probabilities.argmax())
    return {"class_name": CODES[best], "probabilities": dict(zip(CODES, probabilities.tolist()))}
