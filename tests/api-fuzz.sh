#!/usr/bin/env bash
# Holds a running server to its own /openapi.json with generated requests.
#   tests/api-fuzz.sh SCHEMATHESIS BINARY
# schemathesis.toml says which checks are left out, and why.
set -euo pipefail
schemathesis=$(realpath -s "$1")
binary=$(realpath "$2")
config=$(realpath "$(dirname "$0")/schemathesis.toml")
# schemathesis and hypothesis keep what they find in the working directory.
scratch=$(mktemp -d)
cd "$scratch"
"$binary" serve --port 0 2>log &
server=$!
trap 'kill $server; rm -rf "$scratch"' EXIT
until url=$(sed -n 's/^listening on //p' log) && [ -n "$url" ]; do
    kill -0 $server
done
"$schemathesis" --config-file "$config" run "$url/openapi.json" --max-examples 50
