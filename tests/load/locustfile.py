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
BOUNDARY = "image-boundary-7e3f0a5d"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def form(path):
    """The image as a form's field `file`. Encoded once: `files=` would do it within the time measured."""
    head = f'Content-Disposition: form-data; name="file"; filename="{path.name}"\r\nContent-Type: image/jpeg'
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


FORMS = [form(path) for path in sorted(SAMPLES.glob("lesion-?.jpg"))]

#: Users begin with different images.
first_image = itertools.count()


class Dermatologist(FastHttpUser):
    wait_time = between(1, 3)

    def on_start(self):
        self.forms = itertools.islice(itertools.cycle(FORMS), next(first_image) % len(FORMS), None)

    @task(4)
    def predict(self):
        with self.client.post("/predict", data=next(self.forms), headers=FORM, catch_response=True) as answer:
            if answer.status_code == 200 and "class_name" not in answer.json():
                answer.failure("the answer names no class")

    @task(1)
    def health(self):
        self.client.get("/health")
