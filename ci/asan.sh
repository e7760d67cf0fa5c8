#!/usr/bin/env bash
# AddressSanitizer over the layers that call the driver, the simulated driver and its device.
# Arguments are passed on to the tests, such as a test's name.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/nightly.sh
need_nightly rustc

CARGO_TARGET_DIR=$(own_target asan)
export CARGO_TARGET_DIR
# Libraries that a test program loads take the sanitizer's runtime from it.
export RUSTFLAGS="-Zsanitizer=address -Clink-arg=-rdynamic"
# Opened libraries and what they hold stay to the end of the process on purpose.
export ASAN_OPTIONS="detect_leaks=0 ${ASAN_OPTIONS:-}"

cargo +nightly test --locked --quiet --target "$(host_triple)" \
    -p lanescope-sim-driver -p cann-sys -p lanescope-a2a3 -p lanescope-a5 --tests -- "$@"
# Agents switch stacks, which the sanitizer must be told.
cargo +nightly test --locked --quiet --target "$(host_triple)" \
    -p lanescope-sim-device --features sanitizer --lib --test engine --test host_buffers -- "$@"
