#!/usr/bin/env python3
"""Puts the same load on one server with Locust and with `skinclf bench --url`, and compares.

    cargo build --release
    pip install locust && tests/load/compare_locust.py            # the figures of both agree
    tests/load/compare_locust.py --cost                           # CPU that each needs per request

Both load generators use `tests/load/locustfile.py`'s mix, think time, users and spawn rate, and run at the
same time, so that they meet the same server on the same machine: in turns, a busy neighbour or a
clock that drifts would differ by more than they do. With --cost they take turns. Exit status 1
if anything failed, throughput differs by more than 5 %, or p50 or p95 by more than 10 % and 2 ms; with --cost, if
skinclf makes less than five times as many requests per CPU second. Locust rounds what is above 100 ms
to two digits.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from server import serving  # noqa: E402

LOCUSTFILE = ROOT / "tests" / "load" / "locustfile.py"

#: /health as fast as it answers, with the cheaper of Locust's two clients.
PROBES = """
from locust import FastHttpUser, constant, task

class Probe(FastHttpUser):
    wait_time = constant(0)

    @task
    def health(self):
        self.client.get("/health")
"""


def cpu_seconds(command):
    """Runs a command to its end: CPU seconds of it and its children."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"failed: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime


def locust(args, url, locustfile, folder):
    """Rows of Locust's statistics by name, and its CPU seconds."""
    prefix = str(Path(folder) / "locust")
    command = [args.locust, "-f", str(locustfile), f"--host={url}", "--headless", "--csv", prefix]
    load = ["-u", str(args.users), "-r", str(args.spawn_rate), "-t", f"{args.seconds}s"]
    cpu = cpu_seconds(command + load)
    with open(prefix + "_stats.csv", newline="") as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    figures = {
        name: {
            "rps": float(row["Requests/s"]),
            "p50": float(row["50%"]),
            "p95": float(row["95%"]),
            "requests": int(row["Request Count"]),
            "failures": int(row["Failure Count"]),
        }
        for name, row in rows.items()
    }
    figures["Total"] = figures.pop("Aggregated")
    return figures, cpu


def skinclf(args, url, more, folder):
    output = str(Path(folder) / "skinclf.json")
    command = [args.binary, "bench", "--url", url, "--format", "json", "--output", output]
    load = ["--users", str(args.users), "--spawn-rate", str(args.spawn_rate), "--duration", f"{args.seconds}s"]
    cpu = cpu_seconds(command + load + more)
    run = json.loads(Path(output).read_text())
    figures = {
        row["name"]: {
            "rps": row["rps"],
            "p50": row["median_ms"],
            "p95": row["p95_ms"],
            "requests": row["requests"],
            "failures": row["failures"],
        }
        for row in run["endpoints"]
    }
    return figures, cpu


def agree(theirs, ours, throughput_only):
    def near(figure):
        a, b = theirs[figure], ours[figure]
        return throughput_only or abs(a - b) <= max(0.1 * a, 2.0)

    near_rps = abs(theirs["rps"] - ours["rps"]) <= 0.05 * theirs["rps"]
    return near_rps and near("p50") and near("p95")


def compare(args):
    with serving(args.binary, ["--log", "off"]) as url, tempfile.TemporaryDirectory() as folder:
        with ThreadPoolExecutor() as at_once:
            their_run = at_once.submit(locust, args, url, LOCUSTFILE, folder)
            our_run = at_once.submit(skinclf, args, url, [], folder)
            (theirs, _), (ours, _) = their_run.result(), our_run.result()
    good = True
    print(f"{args.users} users, {args.spawn_rate:g} more each second, {args.seconds} s, think time 1 s to 3 s\n")
    print("| endpoint | by | requests | failures | RPS | p50 ms | p95 ms | |")
    print("|---|---|---:|---:|---:|---:|---:|---|")
    for name in ours:
        agreed = agree(theirs[name], ours[name], args.throughput_only)
        # An endpoint's own throughput is up to the dice; the total is what must agree.
        good &= agreed or name != "Total"
        good &= theirs[name]["failures"] == ours[name]["failures"] == 0
        for by, row in (("Locust", theirs[name]), ("skinclf", ours[name])):
            figures = f"{row['requests']} | {row['failures']} | {row['rps']:.2f} | {row['p50']:.1f} | {row['p95']:.1f}"
            print(f"| {name} | {by} | {figures} | {'' if by == 'Locust' else 'agree' if agreed else 'differ'} |")
    return good


def cost(args):
    with serving(args.binary, ["--log", "off"]) as url, tempfile.TemporaryDirectory() as folder:
        probes = Path(folder) / "probes.py"
        probes.write_text(PROBES)
        theirs, their_cpu = locust(args, url, probes, folder)
        more = ["--think", "0", "--mix", "health=1", "--no-check"]
        ours, our_cpu = skinclf(args, url, more, folder)
    rates = {}
    for by, figures, cpu in (("Locust", theirs, their_cpu), ("skinclf", ours, our_cpu)):
        requests = figures["Total"]["requests"]
        rates[by] = requests / cpu
        print(f"{by}: {requests} requests in {cpu:.2f} CPU seconds: {rates[by]:.0f} per CPU second")
    ratio = rates["skinclf"] / rates["Locust"]
    print(f"{ratio:.1f} times as many ({args.users} users, think time 0, /health, start-up included)")
    return ratio >= 5


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cost", action="store_true", help="compare CPU per request on /health instead")
    parser.add_argument("--users", type=int, help="default 50; with --cost 100")
    parser.add_argument("--spawn-rate", type=float, help="default 5; with --cost all at once")
    parser.add_argument("--seconds", type=int, help="default 60; with --cost 15")
    parser.add_argument("--throughput-only", action="store_true", help="for a machine too busy for latencies to agree")
    parser.add_argument("--binary", default=str(ROOT / "target" / "release" / "skinclf"))
    parser.add_argument("--locust", default="locust")
    args = parser.parse_args()
    args.users = args.users or (100 if args.cost else 50)
    args.spawn_rate = args.spawn_rate or (args.users if args.cost else 5)
    args.seconds = args.seconds or (15 if args.cost else 60)
    good = cost(args) if args.cost else compare(args)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
