"""Scores a folder with Pillow and ONNX Runtime in as many processes as asked: `skinclf classify`'s rival.

    python tests/rivals/folder.py FOLDER PROCESSES
"""
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path


def score(path):
    from fastapi_service import classify  # in the worker: each process has a session of its own

    return classify(path.read_bytes())


if __name__ == "__main__":
    paths = sorted(Path(sys.argv[1]).glob("*.jpg"))
    with ProcessPoolExecutor(int(sys.argv[2])) as pool:
        print(len(list(pool.map(score, paths, chunksize=16))), "images")
