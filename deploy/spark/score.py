#!/usr/bin/env python3
"""Classifies the images of a folder or of an object store's prefix on Spark. Each image becomes one row of Parquet.

    spark-submit --files skinclf score.py /data/lesions /data/scores.parquet
    spark-submit --files skinclf score.py s3://bucket/lesions s3a://bucket/scores.parquet

README.md beside this file has the columns, and what happens when something fails.
"""

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pyarrow as pa
from pyarrow import fs
from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession

# Those that `skinclf classify` looks for in a folder.
EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")

# Objects that are on local disk at the same time, for one task.
AHEAD = 8


class Job(NamedTuple):
    """What each task needs: the same for all of them."""

    images: str
    program: str
    onnx: str | None
    tta: bool
    strict: bool
    # Name, version and sha256 of the model, and its class codes.
    model: dict[str, str] = {}
    codes: list[str] = []

    def command(self, strict: bool) -> list[str]:
        command = [sent(self.program), "classify", "--quiet", "--threads", "1"]
        command += ["--model", sent(self.onnx)] if self.onnx else []
        return command + ["--tta"] * self.tta + ["--strict"] * strict

    def options(self) -> str:
        """What changes a row, besides the model."""
        return " ".join(["--tta"] * self.tta + ["--strict"] * self.strict)


def main() -> None:
    arguments = parsed()
    # One task, and so one process of skinclf, for each core.
    spark = SparkSession.builder.appName("skinclf").config("spark.task.cpus", "1").getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    try:
        score(spark, arguments)
    finally:
        spark.stop()


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Classify images with skinclf on Spark; the results are rows of Parquet. Run again, it goes on "
        "with the images that have no row yet."
    )
    parser.add_argument(
        "images", help="folder that all executors see, or URI of a prefix (s3://, gs://, abfs://, hdfs://)"
    )
    parser.add_argument(
        "output", help="folder of the Parquet files, as Spark names it (for example s3a://bucket/scores)"
    )
    parser.add_argument(
        "--skinclf",
        default="skinclf",
        metavar="FILE",
        help="program on the executors, or its name if it is in --files of spark-submit",
    )
    parser.add_argument("--model", metavar="FILE", help="ONNX model, its spec beside it; found as the program is")
    parser.add_argument("--tta", action="store_true", help="as of skinclf classify")
    parser.add_argument("--strict", action="store_true", help="as of skinclf classify")
    parser.add_argument("--images-per-task", type=positive, default=2000, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--tasks-per-commit",
        type=positive,
        default=100,
        metavar="N",
        help="tasks whose rows appear together (default: %(default)s)",
    )
    return parser.parse_args()


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def score(spark: SparkSession, arguments: argparse.Namespace) -> None:
    job = described(Job(arguments.images, arguments.skinclf, arguments.model, arguments.tta, arguments.strict))
    done = earlier(spark, arguments.output, job)
    images = listed(arguments.images)
    remove_unfinished(spark, arguments.output)
    left = [image for image in images if image not in done]
    print(f"{len(images)} images, {len(images) - len(left)} of them done", file=sys.stderr)
    size = arguments.images_per_task * arguments.tasks_per_commit
    for start in range(0, len(left), size):
        part = left[start : start + size]
        tasks = -(-len(part) // arguments.images_per_task)
        rows = spark.sparkContext.parallelize([(image,) for image in part], tasks).toDF("path string")
        rows = rows.mapInArrow(lambda batches: classified(batches, job), ddl(job.codes))
        rows.write.mode("append").parquet(arguments.output)
    failed = written(spark, arguments.output, job).where("error_code is not null").count()
    print(f"{len(left)} images classified now; {failed} rows are errors", file=sys.stderr)


def listed(images: str) -> list[str]:
    """The images below a folder or prefix, as their rows name them."""
    filesystem, root = opened(images)
    if isinstance(filesystem, fs.LocalFileSystem):
        files = list(local_files(root))
    else:
        found = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
        scheme = images.split("://")[0]
        files = [f"{scheme}://{info.path}" for info in found if info.type == fs.FileType.File]
    files = sorted(file for file in files if file.lower().endswith(EXTENSIONS))
    # Spark's text is UTF-8.
    named = [file for file in files if is_text(file)]
    if len(named) < len(files):
        print(f"warning: {len(files) - len(named)} images are left out, as their names are not UTF-8", file=sys.stderr)
    if not named:
        sys.exit(f"error: {images}: no images found")
    return named


def is_text(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def local_files(root: str) -> Iterator[str]:
    """Through links too, but not back to a folder that contains the link."""
    for folder, folders, files in os.walk(root, followlinks=True):
        here = os.path.realpath(folder)
        targets = {name: os.path.realpath(os.path.join(folder, name)) for name in folders}
        folders[:] = [name for name, target in targets.items() if os.path.commonpath([target, here]) != target]
        yield from (os.path.join(folder, name) for name in files)


def opened(images: str) -> tuple[fs.FileSystem, str]:
    return fs.FileSystem.from_uri(images if "://" in images else os.path.abspath(images))


def described(job: Job) -> Job:
    """With the model and its classes, which one result tells: so it is known at once whether the program runs."""
    command = [*job.command(strict=False), "--format", "json", "-"]
    try:
        ran = subprocess.run(command, input=gray_image(), stdout=subprocess.PIPE, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: --skinclf {job.program}: cannot be run on the driver; send it with --files: {error}")
    result = json.loads(ran.stdout)[0]
    return job._replace(model=result["model"], codes=list(result["probabilities"]))


def gray_image() -> bytes:
    side = 64
    pixels = bytes([128]) * (3 * side * side)
    header = struct.pack(
        "<2sIIIIiiHHIIiiII", b"BM", 54 + len(pixels), 0, 54, 40, side, side, 1, 24, 0, len(pixels), 0, 0, 0, 0
    )
    return header + pixels


def sent(name: str) -> str:
    """A file that came with spark-submit --files, or one that is installed."""
    # On an executor the first is its working directory; a driver that YARN runs has it there, too, but not in the first.
    folders = (Path(SparkFiles.getRootDirectory()), Path.cwd())
    files = [file for folder in folders if (file := folder.resolve() / Path(name).name).exists()]
    return str(files[0]) if files else shutil.which(name) or name


def remove_unfinished(spark: SparkSession, output: str) -> None:
    """What a driver that was killed left: its finished tasks would become rows a second time."""
    context = spark.sparkContext
    path = context._jvm.org.apache.hadoop.fs.Path(output, "_temporary")
    path.getFileSystem(context._jsc.hadoopConfiguration()).delete(path, True)


def written(spark: SparkSession, output: str, job: Job) -> DataFrame:
    return spark.read.schema(ddl(job.codes)).parquet(output)


def earlier(spark: SparkSession, output: str, job: Job) -> set[str]:
    """The images that have a row."""
    context = spark.sparkContext
    path = context._jvm.org.apache.hadoop.fs.Path(output)
    if not path.getFileSystem(context._jsc.hadoopConfiguration()).exists(path):
        return set()
    rows = written(spark, output, job)
    now = (job.model["sha256"], job.options())
    for before in rows.select("model_sha256", "options").distinct().collect():
        if tuple(before) != now:
            sys.exit(
                f"error: {output}: has rows of model and options {tuple(before)}, not {now}; choose another folder"
            )
    return {row.path for row in rows.select("path").toLocalIterator()}


FIRST = [("path", "string"), ("class_name", "string"), ("label", "string"), ("confidence", "double")]
LAST = [
    ("most_probable", "string"),
    ("malignant_probability", "double"),
    ("flagged", "boolean"),
    ("usable", "boolean"),
    ("reasons", "array<string>"),
    ("width", "int"),
    ("height", "int"),
    ("error_code", "string"),
    ("error_message", "string"),
    ("model_name", "string"),
    ("model_version", "string"),
    ("model_sha256", "string"),
    ("options", "string"),
]
ARROW = {
    "string": pa.string(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "array<string>": pa.list_(pa.string()),
}


def columns(codes: list[str]) -> list[tuple[str, str]]:
    return [*FIRST, *((f"probability_{code}", "double") for code in codes), *LAST]


def ddl(codes: list[str]) -> str:
    return ", ".join(f"`{name}` {kind}" for name, kind in columns(codes))


def row(image: str, result: dict[str, Any], job: Job) -> dict[str, Any]:
    error = result.get("error", {})
    probabilities = result.get("probabilities", {})
    return {
        **result,
        **{f"probability_{code}": probability for code, probability in probabilities.items()},
        **{f"model_{key}": value for key, value in job.model.items()},
        "path": image,
        "error_code": error.get("code"),
        "error_message": error.get("message"),
        "options": job.options(),
    }


def classified(batches: Iterator[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
    """The work of one task."""
    schema = pa.schema([(name, ARROW[kind]) for name, kind in columns(job.codes)])
    filesystem, _ = opened(job.images)
    with tempfile.TemporaryDirectory(prefix="skinclf-") as folder, Program(job) as program:
        for batch in batches:
            images = batch.column("path").to_pylist()
            files = images if isinstance(filesystem, fs.LocalFileSystem) else fetched(filesystem, images, folder)
            rows = [row(image, result, job) for image, result in zip(images, program.results(files), strict=True)]
            yield pa.RecordBatch.from_pylist(rows, schema)


def fetched(filesystem: fs.FileSystem, images: Iterable[str], folder: str) -> Iterator[str]:
    """Local copies of objects, each of which lives until its result is there.

    An object that is gone has no copy, so that its row is an error. Any other failure of the store ends the task, which
    Spark runs again.
    """
    for number, image in enumerate(images):
        copy = Path(folder) / str(number)
        # Of an earlier batch.
        copy.unlink(missing_ok=True)
        try:
            with filesystem.open_input_stream(image.split("://", 1)[1]) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target)
        except FileNotFoundError:
            pass
        yield str(copy)
        (Path(folder) / str(number - 2 * AHEAD)).unlink(missing_ok=True)


class Program:
    """One process, which loads the model once and answers each path with a line, in order."""

    def __init__(self, job: Job) -> None:
        command = [*job.command(job.strict), "--format", "jsonl", "--files-from", "-"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def results(self, files: Iterable[str]) -> Iterator[dict[str, Any]]:
        waiting = 0
        for file in files:
            # Never more than pipes can hold, so that neither side waits for the other for ever.
            if waiting == AHEAD:
                yield self.next()
                waiting -= 1
            self.send(file)
            waiting += 1
        for _ in range(waiting):
            yield self.next()

    def send(self, file: str) -> None:
        try:
            self.process.stdin.write(os.fsencode(file) + b"\0")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.fail()

    def next(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        return json.loads(line) if line else self.fail()

    def fail(self) -> NoReturn:
        """Ends the task, which Spark runs again."""
        raise RuntimeError(f"skinclf ended with status {self.process.wait()}; see the executor's standard error")


if __name__ == "__main__":
    main()
