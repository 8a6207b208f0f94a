#!/usr/bin/env bash
# Checks deploy/systemd/skinclf.service: systemd understands every line, with and without the API key; the sandbox is as
# tight as it was; the variables exist; and a stop waits for as long as the server drains.
#   tests/deploy/systemd.sh [BINARY]
# Needs Debian's package systemd, not a running one; without it, it says so and passes.
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=$(realpath "${1:-target/release/skinclf}")
if ! command -v systemd-analyze >/dev/null; then
    echo "systemd: skipped, there is no systemd-analyze"
    exit 0
fi
unit=deploy/systemd/skinclf.service
# Exposure in tenths; 100 is no sandbox at all. What is left is the network and the user's own system calls.
most_exposed=12

fail() {
    echo "$unit: $1" >&2
    exit 1
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
install_as() { # where the binary is
    mkdir -p "$scratch/$1"
    sed -e "s#^ExecStart=/usr/local/bin/skinclf#ExecStart=$binary#" "${@:2}" "$unit" >"$scratch/$1/skinclf.service"
}
install_as plain
install_as with-api-key -e 's/^#\(LoadCredential\|Environment\)=/\1=/'

for variant in plain with-api-key; do
    file=$scratch/$variant/skinclf.service
    # What it does not know it only warns of.
    said=$(systemd-analyze verify "$file" 2>&1) || fail "$said"
    [ -z "$said" ] || fail "$said"
    systemd-analyze security --offline=true --threshold="$most_exposed" "$file" >"$scratch/exposure" ||
        fail "$(tail -n 1 "$scratch/exposure")"
done
grep -q '^Environment=SKINCLF_API_KEY_FILE=' "$file" || fail "the commented lines for the API key are gone"

shown=$("$binary" serve --help)
for variable in $(grep -oh 'SKINCLF_[A-Z_]*' "$unit" | sort -u); do
    grep -q "\[env: $variable\b" <<<"$shown" || fail "serve does not know $variable"
done
stop=$(sed -n 's/^TimeoutStopSec=\([0-9]*\)s$/\1/p' "$unit")
drain=$(grep -A6 -e '--shutdown-timeout <' <<<"$shown" | sed -n 's/.*\[default: \([0-9]*\)s\].*/\1/p')
[ "$stop" -gt "$drain" ] || fail "TimeoutStopSec=${stop}s, but the server may drain for ${drain}s"
echo "skinclf.service: $(tail -n 1 "$scratch/exposure")"
