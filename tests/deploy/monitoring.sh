#!/usr/bin/env bash
# Holds deploy/prometheus and deploy/grafana against a real Prometheus, which scrapes a real server under load.
#   tests/deploy/monitoring.sh [BINARY]
# Needs Debian's package prometheus and, in target/venv, tests/requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=$(realpath "${1:-target/release/skinclf}")
if ! command -v promtool >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null
fi

promtool check config deploy/prometheus/prometheus.yaml
promtool test rules tests/deploy/alerts.test.yaml tests/deploy/alerts-drift.test.yaml
"${PYTHON:-target/venv/bin/python}" tests/deploy/monitoring.py "$binary"
