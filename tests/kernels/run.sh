#!/usr/bin/env bash
# Tests the kernels under something that sees bad memory accesses, or on another processor:
#
#   tests/kernels/run.sh asan       AddressSanitizer (x86-64)
#   tests/kernels/run.sh valgrind   valgrind, which knows AVX2 but not AVX-512
#   tests/kernels/run.sh neon       for aarch64, in qemu-aarch64. Needs the target (rustup target add
#                                   aarch64-unknown-linux-gnu, or RUSTC naming a compiler that has
#                                   it), Debian's gcc-aarch64-linux-gnu and qemu-user
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR=../../target/kernels

case "${1:-}" in
asan)
    # The sanitizer's runtime comes with the stable toolchain, its flag is still unstable.
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test --lib --target x86_64-unknown-linux-gnu
    ;;
valgrind)
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind --quiet --error-exitcode=9"
    PROPTEST_CASES=16 cargo test --lib --target x86_64-unknown-linux-gnu
    ;;
neon)
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
    cargo test --lib --target aarch64-unknown-linux-gnu
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$(basename "$0")" >&2
    exit 2
    ;;
esac
