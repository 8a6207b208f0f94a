"""The load of `skinclf bench --url`, for those who keep Locust.

    pip install locust
    locust -f tests/load/locustfile.py --host=http://localhost:8000

Four predictions to one /health, one to three seconds of thought between them, images in turn. An
answer that names no class counts as a failure.
"""

import itertools
from pathlib import Path

from locust import FastHttpUser, between, task

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
IMAGES = [(path.name, path.read_bytes(), "image/jpeg") for path in sorted(SAMPLES.glob("lesion-?.jpg"))]

#: Users begin with different images.
first_image = itertools.count()


class Dermatologist(FastHttpUser):
    wait_time = between(1, 3)

    def on_start(self):
        self.images = itertools.islice(itertools.cycle(IMAGES), next(first_image) % len(IMAGES), None)

    @task(4)
    def predict(self):
        with self.client.post("/predict", files={"file": next(self.images)}, catch_response=True) as answer:
            if answer.ok and "class_name" not in answer.json():
                answer.failure("the answer names no class")

    @task(1)
    def health(self):
        self.client.get("/health")
