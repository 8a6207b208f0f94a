#!/usr/bin/env bash
# Holds a running server to its own /openapi.json with generated requests.
#   tests/api-fuzz.sh SCHEMATHESIS BINARY
# Two checks are left out: no schema can say which bytes are an image, so whether a body is
# accepted cannot be told from the description. tests/binary/serve.rs tests that with real ones.
set -euo pipefail
schemathesis=$(realpath -s "$1")
binary=$(realpath "$2")
# schemathesis and hypothesis keep what they find in the working directory.
scratch=$(mktemp -d)
cd "$scratch"
"$binary" serve --port 0 2>log &
server=$!
trap 'kill $server; rm -rf "$scratch"' EXIT
until url=$(sed -n 's/^listening on //p' log) && [ -n "$url" ]; do
    kill -0 $server
done
"$schemathesis" run "$url/openapi.json" --max-examples 50 \
    --exclude-checks positive_data_acceptance,negative_data_rejection
