#!/usr/bin/env python3
"""Scores 2,000 images on a Spark cluster of two executors and compares the rows with those of one machine.

    python3 -m venv target/venv-spark
    target/venv-spark/bin/pip install -r deploy/spark/requirements.txt
    target/venv-spark/bin/python tests/deploy/spark.py target/release/skinclf

Meanwhile the driver is killed, and after it is started again one executor. Needs Java 17 and Linux.
"""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow.dataset

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
IMAGES = 2000
# Two executors with one core and 1 GiB each.
CLUSTER = "local-cluster[2,1,1024]"
# Of each step, in seconds: for a driver that hangs.
DEADLINE = 900


def main() -> None:
    program = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="skinclf-spark-") as folder:
        work = Path(folder)
        images = make_images(work / "images")
        wanted = by_classify(program, images)
        assert len(wanted) == IMAGES, len(wanted)
        drivers: list[Driver] = []
        try:
            check(program, images, work, wanted, drivers)
        except BaseException:
            for driver in drivers:
                print(driver.log.read_text()[-8000:], file=sys.stderr)
            raise
        finally:
            for driver in drivers:
                driver.kill()


def check(program: Path, images: Path, work: Path, wanted: dict, drivers: list) -> None:
    output = work / "scores.parquet"

    def start() -> "Driver":
        drivers.append(Driver(program, images, output, work / f"driver-{len(drivers)}.log"))
        return drivers[-1]

    first = start()
    first.wait_for(lambda: parts(output) and first.classifying(), "the first rows")
    first.kill()
    kept = rows(output)
    assert 0 < len(kept) < IMAGES, len(kept)
    print(f"driver killed after {len(kept)} rows")

    second = start()
    executors = second.wait_for(
        lambda: second.classifying() if len(parts(output)) > len(kept) // 50 else [], "more rows"
    )
    victim = executors[0]
    os.kill(victim, signal.SIGKILL)
    print(f"executor {victim} killed while it classified")
    assert second.process.wait(timeout=DEADLINE) == 0, "the driver failed"
    log = second.log.read_text()
    assert f"{IMAGES} images, {len(kept)} of them done" in log, "rows of the first run count"
    assert "warning: 1 images are left out" in log
    assert "Lost executor" in log, "Spark saw the executor end"

    found = rows(output)
    assert len(found) == IMAGES, len(found)
    for path, row in found.items():
        assert row == wanted[path], f"{row}\n{wanted[path]}"
    errors = sum(row["error_code"] is not None for row in found.values())
    print(f"{len(found)} rows, {errors} of them errors, each equal to that of skinclf classify")

    refused = Driver(program, images, output, work / "refused.log", "--tta", master="local[1]")
    drivers.append(refused)
    assert refused.process.wait(timeout=DEADLINE) == 1 and "choose another folder" in refused.log.read_text()


def make_images(folder: Path) -> Path:
    """Samples under other names, images that all differ, and what is no image."""
    folder.mkdir()
    samples = sorted(path for path in (ROOT / "samples").iterdir() if path.suffix in (".jpg", ".png", ".webp"))
    for number in range(IMAGES):
        if number % 40 == 0:
            (folder / f"broken {number}.jpg").write_bytes(b"no image" * number)
        elif number % 2 == 0:
            sample = samples[number // 2 % len(samples)]
            shutil.copyfile(sample, folder / f"Läsion {number} 100%{sample.suffix}")
        else:
            (folder / f"{number % 7}").mkdir(exist_ok=True)
            (folder / f"{number % 7}" / f"{number}.bmp").write_bytes(spot(number))
    (folder / os.fsdecode(b"not UTF-8 \xff.jpg")).write_text("left out with a warning")
    (folder / "notes.txt").write_text("not an image")
    return folder


def spot(number: int) -> bytes:
    """A disc on skin; its colour and size differ from number to number."""
    side, radius = 64, 8 + number % 20
    skin, mole = bytes([150, 180, 220]), bytes([number % 128, number // 16 % 128, 60 + number % 100])
    middle = side // 2
    pixels = b"".join(
        mole if (x - middle) ** 2 + (y - middle) ** 2 < radius**2 else skin for y in range(side) for x in range(side)
    )
    return (
        struct.pack(
            "<2sIIIIiiHHIIiiII", b"BM", 54 + len(pixels), 0, 54, 40, side, side, 1, 24, 0, len(pixels), 0, 0, 0, 0
        )
        + pixels
    )


def by_classify(program: Path, images: Path) -> dict[str, dict]:
    ran = subprocess.run([program, "classify", "-q", "-f", "jsonl", images], stdout=subprocess.PIPE, check=False)
    assert ran.returncode == 1, ran.returncode
    results = [json.loads(line) for line in ran.stdout.splitlines()]
    model = next(result["model"] for result in results if "model" in result)
    codes = next(list(result["probabilities"]) for result in results if "probabilities" in result)
    plain = ["path", "class_name", "label", "confidence", "most_probable", "malignant_probability", "flagged", "usable"]
    plain += ["reasons", "width", "height"]

    def row(result: dict) -> dict:
        return {
            **{name: result.get(name) for name in plain},
            **{f"probability_{code}": result.get("probabilities", {}).get(code) for code in codes},
            **{f"error_{name}": result.get("error", {}).get(name) for name in ("code", "message")},
            **{f"model_{name}": model[name] for name in ("name", "version", "sha256")},
            "options": "",
        }

    return {result["path"]: row(result) for result in results if "\ufffd" not in result["path"]}


def parts(output: Path) -> list[Path]:
    """The files whose rows are committed."""
    return list(output.glob("part-*.parquet"))


def rows(output: Path) -> dict[str, dict]:
    table = pyarrow.dataset.dataset([str(part) for part in parts(output)]).to_table().to_pylist()
    found = {row["path"]: row for row in table}
    assert len(found) == len(table), "an image has two rows"
    return found


class Driver:
    """spark-submit in a process group of its own, and what it started."""

    def __init__(
        self, program: Path, images: Path, output: Path, log: Path, *flags: str, master: str = CLUSTER
    ) -> None:
        self.log = log
        command = [Path(sys.executable).parent / "spark-submit", "--master", master]
        command += ["--conf", "spark.executor.memory=768m", "--conf", "spark.ui.enabled=false", "--files", program]
        command += ["--conf", f"spark.local.dir={log.parent}", ROOT / "deploy/spark/score.py", *flags]
        command += ["--images-per-task", "50", "--tasks-per-commit", "8", images, output]
        environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        # Where Spark's scripts look for Spark itself.
        environment["PYSPARK_DRIVER_PYTHON"] = sys.executable
        environment["SPARK_WORKER_DIR"] = str(log.parent / "worker")
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                list(map(str, command)), stdout=out, stderr=out, env=environment, start_new_session=True, cwd=log.parent
            )

    def wait_for(self, state: Callable[[], T], what: str) -> T:
        """What the state is, once it is true."""
        end = time.monotonic() + DEADLINE
        while not (found := state()):
            assert self.process.poll() is None, f"the driver ended before {what}"
            assert time.monotonic() < end, f"no sign of {what}"
            time.sleep(0.2)  # between two looks; processes and files are looked at, not the clock
        return found

    def classifying(self) -> list[int]:
        """Executors below which skinclf runs."""
        processes = dict(running())
        return [
            pid
            for pid in below(self.process.pid, processes)
            if "CoarseGrainedExecutorBackend" in processes[pid][1]
            and any("--files-from" in processes[child][1] for child in below(pid, processes))
        ]

    def kill(self) -> None:
        """The driver and all that it started, so that nothing is committed after it."""
        processes = dict(running())
        for pid in [self.process.pid, *below(self.process.pid, processes)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


def running() -> Iterator[tuple[int, tuple[int, str]]]:
    """Each process with its parent and command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            yield int(folder.name), (parent, (folder / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError):
            continue


def below(pid: int, processes: dict[int, tuple[int, str]]) -> list[int]:
    children = [child for child, (parent, _) in processes.items() if parent == pid]
    return children + [deeper for child in children for deeper in below(child, processes)]


if __name__ == "__main__":
    main()
