#!/usr/bin/env bash
# Builds deploy/kubernetes/ with kustomize and holds the result against Kubernetes' schemas, against itself and
# against the server that it starts.
#   tests/deploy/kubernetes.sh [BINARY]
# Needs kubectl 1.21 or later (no cluster; without kubectl it says so and passes) and, in target/venv, tests/requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=$(realpath "${1:-target/release/skinclf}")
if ! command -v kubectl >/dev/null; then
    echo "Kubernetes: skipped, there is no kubectl"
    exit 0
fi

built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
for variant in base api-key; do
    kubectl kustomize "deploy/kubernetes/$variant" >"$built/$variant.yaml"
done
"${PYTHON:-target/venv/bin/python}" tests/deploy/kubernetes.py "$binary" "$built"/*.yaml
