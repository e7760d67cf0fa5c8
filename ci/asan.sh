#!/usr/bin/env bash
# AddressSanitizer over the layers that call the driver, the simulated driver and its device, the AICore
# program and the kernels.
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
# What C++ the tests build is checked too.
export CXX="$PWD/ci/asan-cxx.sh"
# Building takes longer than running.
export CARGO_PROFILE_DEV_OPT_LEVEL=0

# Agents switch stacks, which the sanitizer must be told: the device's feature `sanitizer`.
exec cargo +nightly test --locked --quiet --target "$(host_triple)" \
    -p lanescope-sim-driver -p cann-sys -p lanescope-cann -p lanescope-a2a3 -p lanescope-a5 \
    -p lanescope-aicore -p lanescope-examples \
    -p lanescope-sim-device --features lanescope-sim-device/sanitizer \
    --test a2a3 --test a5 --test launch --test finalize --test environment --test load --test opening \
    --test device --test release --test executor --test kernels --test engine --test process -- "$@"
