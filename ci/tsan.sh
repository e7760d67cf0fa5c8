#!/usr/bin/env bash
# ThreadSanitizer over rings, the host's threads and the simulated driver: data races.
# Arguments are passed on to the tests, such as a test's name.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/nightly.sh
need_nightly rust-src

CARGO_TARGET_DIR=$(own_target tsan)
export CARGO_TARGET_DIR
# Libraries that a test program loads take the sanitizer's runtime from it.
export RUSTFLAGS="-Zsanitizer=thread -Clink-arg=-rdynamic"
export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.supp ${TSAN_OPTIONS:-}"
export PROPTEST_CASES=${PROPTEST_CASES:-16}

# Hostile devices are left out: their tests are about values, and what they race with is their own. So
# is what one thread does in any order.
exec cargo +nightly test --locked --quiet -Zbuild-std --target "$(host_triple)" \
    -p lanescope-ring -p lanescope-profiling -p lanescope-sim-driver -p lanescope-sim-device --lib \
    --test model --test runs \
    --test a2a3 --test a5 --test launch --test finalize --test environment -- \
    --skip nothing_is_lost_doubled_or_leaked --skip arenas:: --skip failures:: --skip layout:: \
    --skip orchestrator:: "$@"
