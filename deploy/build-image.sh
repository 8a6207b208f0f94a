#!/usr/bin/env bash
# Builds skinclf:latest and skinclf:VERSION from a static binary, without Rust's image and without a network for Docker:
#   deploy/build-image.sh           compiles the binary here first (about ten minutes on two cores)
#   deploy/build-image.sh BINARY    takes one that was compiled before, with
#       RUSTFLAGS="-C target-feature=+crt-static" cargo build --profile dist --target x86_64-unknown-linux-gnu
# IMAGE names another repository than skinclf.
set -euo pipefail
image=${IMAGE:-skinclf}
root=$(cd "$(dirname "$0")/.." && pwd)

fail() {
    echo "build-image.sh: $1" >&2
    exit 1
}

if [ $# -eq 0 ]; then
    target=$(rustc -vV | sed -n 's/^host: //p')
    # With --target, RUSTFLAGS apply to the program alone and not to macros and build scripts, which cannot be static.
    (cd "$root" && RUSTFLAGS="-C target-feature=+crt-static" cargo build --profile dist --locked --target "$target")
    binary=$root/target/$target/dist/skinclf
elif [ $# -eq 1 ]; then
    binary=$1
else
    fail "usage: build-image.sh [BINARY]"
fi

[ -x "$binary" ] || fail "$binary is not an executable file"
# A dynamic program names its loader and the libraries that it needs; the image has neither.
# (Not piped: grep would end first, and ldd by SIGPIPE.)
if grep -q '=>' <<<"$(LC_ALL=C ldd "$binary" 2>/dev/null)"; then
    fail "$binary is not static; compile it as this script's first lines say"
fi
version=$("$binary" --version | awk 'NR == 1 {print $2}')
[ -n "$version" ] || fail "$binary does not run on this machine"

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
install -m 755 "$binary" "$context/skinclf"
install -m 644 "$root"/LICENSE* "$context"
docker build --quiet --file "$root/deploy/Dockerfile" --target prebuilt \
    --build-arg VERSION="$version" --build-arg REVISION="$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)" \
    --tag "$image:$version" --tag "$image:latest" "$context" >/dev/null
size=$(docker image inspect --format '{{.Size}}' "$image:latest")
echo "built $image:$version and $image:latest, $((size / 1000000)) MB"
