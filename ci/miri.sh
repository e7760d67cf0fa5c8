#!/usr/bin/env bash
# Miri over the crates with shared words: undefined behaviour.
# Tests that go through many bytes or many cases are left out: an interpreter takes hours for them.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/nightly.sh
need_nightly miri rust-src

# Device addresses are integers, so provenance is exposed on purpose; time and files are the host's.
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance ${MIRIFLAGS:-}"
export PROPTEST_CASES=1

# Runs what is selected of one test program. A test that got another name would be none at all, and none passes.
miri() {
    local output status=0
    output=$(cargo +nightly miri test --locked --quiet "$@") || status=$?
    echo "$output"
    ((status == 0)) || exit "$status"
    if ! grep -q '^test result: ok\. [1-9]' <<<"$output"; then
        echo "miri.sh: no test ran: $*" >&2
        exit 1
    fi
}

miri -p lanescope-abi --lib
miri -p lanescope-ring --test model -- --skip a_ring_is_a_queue --skip an_index_from
# Pairs of words are stored as one, which Miri's model of weak memory does not know; loom has one.
for test in schedule::an_empty_graph schedule::three_tasks_on_one_cluster; do
    MIRIFLAGS="$MIRIFLAGS -Zmiri-disable-weak-memory-emulation" \
        miri -p lanescope-aicpu --test chip -- "$test"
done
miri -p lanescope-capture --test files -- short_writes::short_and_interrupted
miri -p lanescope-profiling --test runs -- known_faults::counters_that_pass_32_bits
