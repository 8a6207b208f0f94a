#!/usr/bin/env python3
"""Makes docs/load-testing.md and its pictures again: every run, Locust beside them, screenshots, and the document.

    cargo build --profile dist
    python3 -m venv target/venv && target/venv/bin/pip install -r tests/requirements.txt && apt-get install chromium
    deploy/scale-test.sh target/containers          # one, two and three containers
    target/venv/bin/python tests/load/document.py target/dist/skinclf --containers target/containers

Takes about 20 minutes on a machine that does nothing else. What is in the work folder already is not measured again:
if a step fails, or to repeat one, remove its files there and start the script again. `--seconds 10` makes each run so
short, to try the script out.
"""

import argparse
import contextlib
import csv
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/browser"))
from browser import QUIET
from playwright.sync_api import Page, sync_playwright

LOCUST = Path(sys.executable).with_name("locust")
LOCUSTFILE = "tests/load/locustfile.py"

#: Share of the capacity that the runs at random starts ask for, in percent.
UTILISATIONS = (30, 50, 70, 85)

#: Like the scenario `medium`, which Locust's figures stand beside.
USERS, SPAWN_RATE, LOCUST_SECONDS = 50, 5, 180

#: A picture of more bytes makes the repository large.
LARGEST_PICTURE = 150_000


class Making:
    """The runs of one document. Paths are relative to the repository's root, so that its commands are short."""

    def __init__(self, options: argparse.Namespace):
        self.binary = options.binary
        self.work = Path(options.work)
        self.docs = Path(options.docs)
        self.containers = Path(options.containers) if options.containers else None
        self.seconds = options.seconds
        self.port = options.port
        self.url = f"http://127.0.0.1:{options.port}"
        self.chromium = options.chromium

    def path(self, name: str) -> Path:
        return self.work / name

    def missing(self, path: Path) -> bool:
        is_there = (ROOT / path).exists()
        print(f"{path}: {'is there' if is_there else 'in the making'}", flush=True)
        return not is_there

    def bench(self, *arguments: str | Path, output: Path) -> None:
        """Its exit status 1 is that of failed requests, which the document tells."""
        command = [self.binary, "bench", *arguments, "--output", output]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
        if status not in (0, 1):
            sys.exit(f"{' '.join(map(str, command))}: exit status {status}")

    def run(self, name: str, *load: str, seconds: int | None) -> Path:
        """One load test, saved; `seconds` is None where a scenario has a duration of its own."""
        output = self.path(f"{name}.json")
        if self.missing(output):
            seconds = self.seconds or seconds
            duration = ["--duration", f"{seconds}s"] if seconds else []
            self.bench("--url", self.url, *load, *duration, "--format", "json", output=output)
        return output

    def measure(self, log: Path) -> list[Path]:
        """The runs of the document, in its order; `log` is where the server logs, each request one line."""
        saved = [self.run(name, "--scenario", name, seconds=None) for name in ("light", "medium")]
        lines = self.path("heavy-log.jsonl")
        before = (ROOT / log).stat().st_size
        saved.append(self.run("heavy", "--scenario", "heavy", seconds=None))
        if self.missing(lines):
            with open(ROOT / log, "rb") as file:
                file.seek(before)
                logged = [line for line in file if b'"/predict"' in line]
            if len(logged) < 10:
                sys.exit(
                    f"{log} has {len(logged)} predictions of the heavy scenario; remove {self.path('heavy.json')} to repeat it"
                )
            middle = len(logged) // 2
            (ROOT / lines).write_bytes(b"".join(logged[middle - 5 : middle + 5]))
        saved.append(self.run("full", "--users", "50", "--think", "0", seconds=60))
        sweep = self.run("sweep", "--sweep", "users=1,2,4,8,16,32", "--think", "0", "--mix", "predict=1", seconds=15)
        capacity = max(run["endpoints"][0]["rps"] for run in json.loads((ROOT / sweep).read_text())["runs"])
        saved.append(sweep)
        for percent in UTILISATIONS:
            rate = f"{capacity * percent / 100:.0f}"
            saved.append(self.run(f"random-{percent}", "--rate", rate, "--arrival", "poisson", "--mix", "predict=1", seconds=30))
        return saved

    def locust(self) -> Path:
        """Locust's figures, and a picture of its page near the end of its run."""
        stats, picture = self.path("locust_stats.csv"), self.docs / "load-locust.png"
        seconds = self.seconds or LOCUST_SECONDS
        if not self.missing(stats) and not self.missing(picture):
            return stats
        port = self.port + 1
        command: list[str | Path] = [
            LOCUST,
            "-f",
            LOCUSTFILE,
            "--host",
            self.url,
            "--autostart",
            "--autoquit",
            "0",
            "--web-host",
            "127.0.0.1",
        ]
        command += ["--web-port", str(port), "--csv", self.path("locust")]
        command += ["-u", str(USERS), "-r", str(SPAWN_RATE), "-t", f"{seconds}s"]
        log = self.path("locust.log")
        with open(ROOT / log, "w") as file:
            locust = subprocess.Popen(command, cwd=ROOT, stderr=file, stdout=file)
            try:
                wait_for("Starting web interface", log, locust)
                with self.page(f"http://127.0.0.1:{port}/", width=1180, height=480) as page:
                    page.get_by_text("Aggregated").wait_for()
                    # Locust decides when it ends; the last figures are the best.
                    time.sleep(seconds * 0.7)
                    page.screenshot(path=ROOT / picture)
                status = locust.wait(seconds + 60)
            finally:
                stop(locust)
        # 1 is that of failed requests, which its table tells.
        if status not in (0, 1):
            sys.exit(f"Locust ended with status {status}; see {log}")
        return stats

    @contextlib.contextmanager
    def page(self, url: str, width: int, height: int) -> Iterator[Page]:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=self.chromium, args=QUIET)
            page = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce").new_page()
            page.goto(url)
            yield page
            browser.close()

    def picture_of_report(self, saved: Path, picture: Path, wanted: str) -> Path:
        """A picture of the charts of a run's HTML report that have the wanted words, and of what is between them."""
        if self.missing(picture):
            report = self.path(f"{saved.stem}.html")
            self.bench("--from", saved, "--report", report, output=self.path(f"{saved.stem}.txt"))
            with self.page((ROOT / report).as_uri(), width=1000, height=900) as page:
                figures = page.locator("section.run figure", has_text=re.compile(wanted))
                figures.first.wait_for()
                boxes = [box for figure in figures.all() if (box := figure.bounding_box())]
                x, y = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
                width = max(box["x"] + box["width"] for box in boxes) - x
                height = max(box["y"] + box["height"] for box in boxes) - y
                page.screenshot(path=ROOT / picture, full_page=True, clip={"x": x, "y": y, "width": width, "height": height})
        return picture

    def beside(self, stats: Path) -> Path:
        """Locust's figures and those of the scenario `medium`, as a section of the document."""
        with open(ROOT / stats, newline="") as file:
            theirs = {row["Name"]: row for row in csv.DictReader(file)}
        run = json.loads((ROOT / self.path("medium.json")).read_text())
        seconds = self.seconds or LOCUST_SECONDS
        version = subprocess.run([LOCUST, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
        about = (
            f"Locust {version} with `{LOCUSTFILE}` put the load of the scenario `medium` on the same server, one after the"
            f" other: {USERS} users, {SPAWN_RATE} started per second, {seconds} s, think time 1s-3s, four predictions to one"
            " /health. Locust's times are whole milliseconds, above 100 ms of two digits; all figures are of whole runs."
        )
        lines = [
            about,
            "",
            "| Endpoint | By | Requests | Failures | Median (ms) | 95th (ms) | 99th (ms) | Avg (ms) | RPS |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for ours in run["endpoints"]:
            row = theirs["Aggregated" if ours["name"] == "Total" else ours["name"]]
            counts = f"{row['Request Count']} | {row['Failure Count']} | {row['50%']} | {row['95%']} | {row['99%']}"
            figures = f"{float(row['Average Response Time']):.1f} | {float(row['Requests/s']):.2f}"
            lines.append(f"| {ours['name']} | Locust | {counts} | {figures} |")
            times = " | ".join(shown(ours[name]) for name in ("median_ms", "p95_ms", "p99_ms", "average_ms"))
            lines.append(f"| {ours['name']} | skinclf | {ours['requests']} | {ours['failures']} | {times} | {ours['rps']:.2f} |")
        return self.written("locust.md", lines)

    def limits_and_faults(self) -> Path:
        """How the containers were run, and what users saw when they were killed and replaced, as a section."""
        assert self.containers
        run = json.loads((ROOT / self.containers / "saturated-3.json").read_text())
        caps = {container["cpu_cap"] for container in run.get("containers", [])} - {None}
        cores = run["environment"]["logical_cores"]
        limit = (
            f", each limited to {min(caps)} of {cores} cores; the balancer and the load generator had the rest" if caps else ""
        )
        rounds = len(list((ROOT / self.containers).glob("saturated-3-round-*.json")))
        lines = [
            f"The containers above ran on one machine behind HAProxy (`deploy/scale-test.sh`){limit}. Without think time, each number "
            f"of containers ran {rounds} times, in turns, and the run with the median rate is shown."
        ]
        table = ROOT / self.containers / "faults.md"
        if table.exists():
            about = "With three containers, one was killed, or all were replaced one after the other, while users sent requests:"
            lines += ["", about, "", *table.read_text().splitlines()]
        return self.written("containers.md", lines)

    def written(self, name: str, lines: list[str]) -> Path:
        (ROOT / self.path(name)).write_text("\n".join(lines) + "\n")
        return self.path(name)

    def series(self) -> list[list[Path]]:
        """One, two and three containers, for each load."""
        if not self.containers:
            return []
        all_of = [[self.containers / f"{load}-{n}.json" for n in (1, 2, 3)] for load in ("users", "saturated")]
        if absent := [str(path) for files in all_of for path in files if not (ROOT / path).exists()]:
            sys.exit(f"--containers: no {', '.join(absent)}; deploy/scale-test.sh makes them")
        return all_of

    def document(self, saved: list[Path], attached: list[tuple[str, Path]]) -> None:
        report = self.docs / "load-testing.md"
        arguments: list[str | Path] = ["--from", *saved]
        for files in self.series():
            arguments += ["--compare", *files]
        for caption, path in attached:
            arguments += ["--attach", f"{caption}={path}"]
        self.bench(*arguments, "--report", report, "--report", self.path("report.html"), output=self.path("report.txt"))
        text = (ROOT / report).read_text()
        if blanks := [blank for blank in ("FILL", "not part of these runs") if blank in text]:
            sys.exit(f"{report} has {blanks}")
        if "## Capacity Planning" not in text:
            print(f"{report} plans no capacity: see the verdicts of the sweep; remove its file to repeat it", file=sys.stderr)
        print(f"{report}: written")

    def make(self) -> None:
        for needed in (self.binary, LOCUST, self.chromium):
            if not (ROOT / needed).is_file():
                sys.exit(f"{needed}: no such file; the first lines of this script say where it comes from")
        self.series()
        for folder in (self.work, self.docs):
            (ROOT / folder).mkdir(parents=True, exist_ok=True)
        with self.server() as log:
            saved = self.measure(log)
            stats = self.locust()
        pictures = [
            ("Locust's Dashboard", self.docs / "load-locust.png"),
            (
                "Response Times under Heavy Load",
                self.picture_of_report(self.path("heavy.json"), self.docs / "load-report.png", "Over time"),
            ),
        ]
        sections = [("Locust beside skinclf", self.beside(stats))]
        if self.containers:
            file = self.containers / "saturated-3.json"
            resources = self.picture_of_report(file, self.docs / "load-containers.png", "What the containers used")
            pictures.append(("Resources of Three Containers", resources))
            sections.append(("Containers: Limits and Faults", self.limits_and_faults()))
        for _, picture in pictures:
            if (size := (ROOT / picture).stat().st_size) > LARGEST_PICTURE:
                print(f"{picture} has {size} bytes: reduce its colors", file=sys.stderr)
        log_lines = ("Ten Lines of the Log under Heavy Load", self.path("heavy-log.jsonl"))
        self.document(saved, [*sections, *pictures, log_lines])

    @contextlib.contextmanager
    def server(self) -> Iterator[Path]:
        """Answers as long as the block runs; the file that it logs to."""
        log = self.path("server.log")
        command = [self.binary, "serve", "--port", str(self.port), "--log", "json"]
        with open(ROOT / log, "w") as file:
            server = subprocess.Popen(command, cwd=ROOT, stderr=file)
            try:
                wait_for("listening on", log, server)
                yield log
            finally:
                stop(server)


def wait_for(text: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the process has written the text: an answer at its port may be another's."""
    deadline = time.monotonic() + 30
    while text not in (ROOT / log).read_text(errors="replace"):
        if process.poll() is not None:
            sys.exit(f"ended with status {process.returncode} before it was ready; see {log}")
        if time.monotonic() > deadline:
            sys.exit(f"not ready within 30 s; see {log}")
        time.sleep(0.1)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


def shown(ms: float | None) -> str:
    return "-" if ms is None else f"{ms:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="the skinclf to run, e.g. target/dist/skinclf")
    parser.add_argument("--containers", metavar="FOLDER", help="what deploy/scale-test.sh has written")
    parser.add_argument("--work", metavar="FOLDER", default="target/load-testing", help="for saved runs (default: %(default)s)")
    parser.add_argument(
        "--docs", metavar="FOLDER", default="docs", help="for the document and its pictures (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=int, metavar="N", help="length of each run, to try the script out")
    parser.add_argument("--port", type=int, default=8000, help="of the server; Locust's page has the next (default: %(default)s)")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="(default: %(default)s)")
    Making(parser.parse_args()).make()


if __name__ == "__main__":
    main()
