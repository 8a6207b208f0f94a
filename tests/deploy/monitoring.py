#!/usr/bin/env python3
"""Runs Prometheus with the alerts of deploy/prometheus on two servers, one of them with more to do than it can, and
asks it each query of the alerts and of Grafana's dashboard: all must be valid, and find something.

    tests/deploy/monitoring.py BINARY
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from server import serving  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
#: What Grafana puts in.
VARIABLES = {"$job": ".*", "$instance": ".*", "$__rate_interval": "10s", "$__range": "1m"}
#: A name of ours, with its labels.
SELECTOR = re.compile(r"\b(?:[\w:]*(?:skinclf|process)_[\w:]*|up\b)(?:\{[^}]*\})?")

Json = dict[str, Any]
T = TypeVar("T")


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **query: str) -> Any:
        try:
            with urlopen(f"{self.url}/api/v1/{path}?{urlencode(query)}", timeout=5) as response:
                return json.load(response)["data"]
        except HTTPError as error:
            raise SystemExit(f"{query}: {error.read().decode()}") from None

    def ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/-/ready", timeout=5):
                return True
        except HTTPError:
            return False

    def series(self, expression: str) -> list[Json]:
        return self.get("query", query=expression)["result"]


@contextmanager
def prometheus(targets: list[str]) -> Iterator[Prometheus]:
    """With the example's configuration, but other targets and every second."""
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    rules = [yaml.safe_load((DEPLOY / "prometheus" / name).read_text()) for name in config["rule_files"]]
    for group in (group for file in rules for group in file["groups"]):
        group.pop("interval", None)
    config["rule_files"] = ["rules*.yaml"]
    [job] = config["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": targets}]
    with tempfile.TemporaryDirectory() as scratch, open(f"{scratch}/log", "w+") as log:
        Path(scratch, "config.yaml").write_text(yaml.safe_dump(config))
        for number, file in enumerate(rules):
            Path(scratch, f"rules{number}.yaml").write_text(yaml.safe_dump(file))
        command = ["prometheus", f"--config.file={scratch}/config.yaml", f"--storage.tsdb.path={scratch}/data"]
        command.append("--web.listen-address=127.0.0.1:0")
        with subprocess.Popen(command, stderr=log, stdout=log) as process:
            try:
                server = Prometheus(until("Prometheus listens", lambda: listening(Path(log.name), process)))
                until("Prometheus is ready", server.ready)
                yield server
            finally:
                process.kill()


def listening(log: Path, process: subprocess.Popen[bytes]) -> str | None:
    if process.poll() is not None:
        raise SystemExit(f"Prometheus ended: {log.read_text()}")
    found = re.search(r'"Listening on" address=(127\.0\.0\.1:[1-9]\d*)', log.read_text())
    return found and f"http://{found[1]}"


def until(what: str, found: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.1)
    raise SystemExit(f"waited for 60 s, in vain: {what}")


def check_rules(server: Prometheus) -> list[str]:
    rules = [rule for group in server.get("rules")["groups"] for rule in group["rules"]]
    for rule in rules:
        assert rule["health"] == "ok", f"{rule['name']}: {rule['health']} {rule.get('lastError')}"
    check_tested({rule["name"] for rule in rules if rule["type"] == "alerting"})
    recorded = tuple(rule["name"] for rule in rules if rule["type"] == "recording")
    used = {(r["name"], selector) for r in rules for selector in SELECTOR.findall(without_groupings(r["query"]))}
    return [
        f"{name}: nothing has {selector}"
        for name, selector in sorted(used)
        if not selector.startswith(recorded) and not server.series(selector)
    ]


def check_tested(alerts: set[str]) -> None:
    """Each alert has a test in which it fires and one in which it does not."""
    tests = [yaml.safe_load(path.read_text()) for path in Path(__file__).parent.glob("*.test.yaml")]
    cases = [case for file in tests for test in file["tests"] for case in test["alert_rule_test"]]
    for fires in (True, False):
        tested = {case["alertname"] for case in cases if bool(case.get("exp_alerts")) == fires}
        assert tested == alerts, f"no test in which it {'fires' if fires else 'does not fire'}: {alerts ^ tested}"


def without_groupings(expression: str) -> str:
    return re.sub(r"\b(by|on|group_left|without) \([^)]*\)", "", expression)


def check_dashboard(server: Prometheus) -> list[str]:
    missing = []
    dashboard = json.loads((DEPLOY / "grafana/skinclf.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"]), "ids of panels"
    check_layout(dashboard["panels"])
    for panel in panels:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            assert "$" not in expression, f"{panel['title']}: a variable that the dashboard lacks: {expression}"
            series = server.series(expression)
            if not series:
                missing.append(f"{panel['title']}: nothing has {expression}")
            check_legend(panel["title"], target["legendFormat"], series)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert found, variable["definition"]
            series = server.series(found[1].replace("$job", ".*"))
            if not any(found[2] in one["metric"] for one in series):
                missing.append(f"variable {variable['name']}: nothing has {variable['definition']}")
    return missing


def check_legend(title: str, legend: str, series: list[Json]) -> None:
    for label in re.findall(r"{{(\w+)}}", legend):
        assert all(label in one["metric"] for one in series), f"{title}: no label {label}"


def check_layout(panels: list[Json]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, f"{panel['title']} is too wide"
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                other = taken.setdefault((x, y), panel["title"])
                assert other == panel["title"], f"{panel['title']} lies on {other}"


def main() -> None:
    binary = Path(sys.argv[1])
    env = {name: value for name, value in os.environ.items() if not name.startswith("SKINCLF_")}
    quiet = ["--log", "off", "--workers", "1"]
    with serving(binary, quiet, env) as idle, serving(binary, [*quiet, "--queue", "1"], env) as busy:
        # Some are refused for the full queue, so that there are failures to be seen.
        load = [binary, "bench", "--url", busy, "--users", "8", "--think", "0", "--duration", "5m"]
        with subprocess.Popen(load, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as generator:
            try:
                with prometheus([urlsplit(url).netloc for url in (idle, busy)]) as server:
                    until("requests are refused", lambda: server.series("rate(skinclf_shed_total[10s]) > 0"))
                    until("all rules are evaluated", lambda: evaluated(server))
                    missing = check_rules(server) + check_dashboard(server)
            finally:
                generator.kill()
    if missing:
        raise SystemExit("\n".join(missing))
    print("Each query of the alerts and of the dashboard is valid and finds series")


def evaluated(server: Prometheus) -> bool:
    groups = server.get("rules")["groups"]
    return all(rule["health"] != "unknown" for group in groups for rule in group["rules"])


if __name__ == "__main__":
    main()
