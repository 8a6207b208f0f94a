#!/usr/bin/env python3
"""Checks built Kubernetes objects: their fields against the published schemas, what one says of another, and what
they say of `skinclf serve`.

    tests/deploy/kubernetes.py BINARY OBJECTS.yaml...
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import kubernetes_validate
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from server import serving  # noqa: E402

#: The oldest and the newest release whose schemas there are.
VERSIONS = [kubernetes_validate.utils.all_versions()[i] for i in (0, -1)]
KINDS = {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"}

Object = dict[str, Any]


def check_schemas(objects: list[Object]) -> None:
    for item in objects:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(item, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                where = ".".join(map(str, error.path))
                raise SystemExit(f"{item['kind']}, Kubernetes {version}: {where}: {error.message}") from None


def check_references(kinds: dict[str, Object]) -> None:
    deployment = kinds["Deployment"]
    pod = deployment["spec"]["template"]
    labels = pod["metadata"]["labels"]
    selectors = {
        "Deployment": deployment["spec"]["selector"]["matchLabels"],
        "Service": kinds["Service"]["spec"]["selector"],
        "PodDisruptionBudget": kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    }
    for number, spread in enumerate(pod["spec"]["topologySpreadConstraints"]):
        selectors[f"topologySpreadConstraints[{number}]"] = spread["labelSelector"]["matchLabels"]
    for name, selector in selectors.items():
        assert selector and selector.items() <= labels.items(), f"{name} selects {selector}, pods have {labels}"

    target = kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    same = {key: deployment[key] for key in ("apiVersion", "kind")} | {"name": deployment["metadata"]["name"]}
    assert target == same, f"the autoscaler scales {target}, not {same}"
    assert "replicas" not in deployment["spec"], "replicas belong to the autoscaler"

    [container] = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    used = [port["targetPort"] for port in kinds["Service"]["spec"]["ports"]]
    used += [port["port"] for rule in kinds["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]]
    used += [probe["httpGet"]["port"] for probe in probes(container)]
    for port in used:
        assert port in ports or port in ports.values(), f"port {port} is none of the container's: {ports}"
    assert int(pod["metadata"]["annotations"]["prometheus.io/port"]) in ports.values(), "the port to scrape"

    volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
    mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
    assert mounts.keys() == volumes, f"volumes {volumes}, mounts {mounts.keys()}"
    for variable in container.get("env", []):
        if variable["name"].endswith("_FILE"):
            assert any(variable["value"].startswith(f"{path}/") for path in mounts.values()), f"not mounted: {variable}"


def check_pod(binary: Path, pod: Object) -> None:
    """What the image and the server have to agree with."""
    spec = pod["spec"]
    [container] = spec["containers"]
    dockerfile = Path("deploy/Dockerfile").read_text()
    assert container["image"].partition(":")[0] == "skinclf", f"image {container['image']}"
    assert re.search(rf"^USER {spec['securityContext']['runAsUser']}\b", dockerfile, re.M), "the image's user"
    assert re.search(rf"^EXPOSE {container['ports'][0]['containerPort']}\b", dockerfile, re.M), "the image's port"
    assert spec["enableServiceLinks"] is False, "SKINCLF_PORT would be set to tcp://…"

    shown = subprocess.run([binary, "serve", "--help"], check=True, capture_output=True, text=True).stdout
    for variable in container.get("env", []):
        assert re.search(rf"\[env: {variable['name']}\b", shown), f"serve does not know {variable['name']}"

    args = container["args"]
    drain, shutdown = (seconds(args, shown, flag) for flag in ("--drain-delay", "--shutdown-timeout"))
    grace = spec["terminationGracePeriodSeconds"]
    assert grace > drain + shutdown, f"{grace} s of grace for {drain} s and {shutdown} s of draining"
    assert drain > 0, "requests would be refused while endpoints still name the pod"


def seconds(args: list[str], shown: str, flag: str) -> int:
    """What a flag is set to, or else its default."""
    if flag in args:
        value = args[args.index(flag) + 1]
    else:
        found = re.search(rf"{flag} <\w+>.*?\[default: (.*?)\]", shown, re.S)
        assert found, f"serve has no {flag}"
        value = found[1]
    return int(value.removesuffix("s"))


def check_server(binary: Path, pod: Object) -> None:
    """The container's own arguments and variables, and what its probes then get."""
    [container] = pod["spec"]["containers"]
    assert container["args"][0] == "serve"
    loopback = {"0.0.0.0": "127.0.0.1"}
    args = [loopback.get(arg, arg) for arg in container["args"][1:]]
    with tempfile.NamedTemporaryFile("w") as key:
        key.write("key-of-this-test\n")
        key.flush()
        env = {name: value for name, value in os.environ.items() if not name.startswith("SKINCLF_")}
        env |= {v["name"]: key.name if v["name"].endswith("_FILE") else v["value"] for v in container.get("env", [])}
        with serving(binary, args, env) as url:
            for probe in probes(container):
                answer = status(url + probe["httpGet"]["path"])
                assert answer == 200, f"{answer} for {probe['httpGet']}"
            metrics = status(url + pod["metadata"]["annotations"]["prometheus.io/path"])
            assert metrics == (401 if "SKINCLF_API_KEY_FILE" in env else 200), f"/metrics answered {metrics}"


def probes(container: Object) -> list[Object]:
    return [container[kind] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]


def status(url: str) -> int:
    try:
        with urlopen(url, timeout=5) as response:
            return response.status
    except HTTPError as error:
        return error.code


def main() -> None:
    binary, *files = map(Path, sys.argv[1:])
    for file in files:
        objects = list(yaml.safe_load_all(file.read_text()))
        check_schemas(objects)
        kinds = {item["kind"]: item for item in objects}
        assert kinds.keys() == KINDS and len(objects) == len(KINDS), f"{file} has {[*kinds]}"
        check_references(kinds)
        pod = kinds["Deployment"]["spec"]["template"]
        check_pod(binary, pod)
        check_server(binary, pod)
        print(f"{file.name}: {len(objects)} objects hold for Kubernetes {' and '.join(VERSIONS)}")


if __name__ == "__main__":
    main()
