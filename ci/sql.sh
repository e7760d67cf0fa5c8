#!/usr/bin/env bash
# The worked queries of docs/queries on captures, on a Parquet dataset of them, and on Spark with two workers over the
# same dataset: three ways, one answer. Then the same dataset with a thousand runs more.
# `--if-changed`: only when something it depends on differs from what ci/sql.checked was written for.
set -euo pipefail
cd "$(dirname "$0")/.."

dependencies() {
    cat ci/sql.sh ci/sql_check.py docs/queries/*.sql crates/sql/Cargo.toml crates/export/Cargo.toml
    find crates/sql/src crates/sql/tests crates/export/src/columns* crates/export/src/dataset.rs \
        crates/export/src/tables* -name '*.rs' -print0 | sort -z | xargs -0 cat
    grep -A1 -E '^name = "(arrow.*|datafusion.*|parquet)"$' Cargo.lock
}
checked=$(dependencies | sha256sum | cut -d' ' -f1)
if [ "${1:-}" = --if-changed ]; then
    shift
    if [ "$(cat ci/sql.checked 2>/dev/null)" = "$checked" ]; then
        echo "ci/sql.sh: nothing it depends on has changed"
        exit 0
    fi
fi

cargo build --locked --profile sql -p lanescope-sql -p lanescope-cli
cargo test --locked --profile sql -p lanescope-sql -p lanescope-cli --test sql
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
lanescope=$target/sql/lanescope
work=$target/ci-sql
venv=$work/venv
rm -rf "$work/runs" "$work/dataset" "$work/many" "$work/spark"
mkdir -p "$work/runs"

# Made-up runs have tasks and edges; those of the reference's formats have phases and counters.
for seed in 1 2 3; do
    "$lanescope" synth --tasks 4000 --cores 24 --seed $seed --edges 2 --out "$work/runs/synth-$seed"
done
data=crates/export/tests/data
mkdir "$work/runs/reference" "$work/runs/counters"
cp $data/a2a3_l2perf_small.l2_perf_records.json "$work/runs/reference/l2_perf_records.json"
cp $data/a2a3_pmu_event2.pmu.csv "$work/runs/counters/pmu.csv"
# A run of the whole stack, where one was built.
builds=$target/lanescope
if [ -d "$builds/a2a3sim-ring2-dev" ]; then
    "$lanescope" run paged-attention --platform a2a3sim --build "$builds/a2a3sim-ring2-dev" --swimlane=4 --pmu=2 \
        --out "$work/runs/real" >/dev/null
fi
for run in "$work"/runs/*; do
    "$lanescope" export "$run" --format parquet --output "$work/dataset"
done

if ! java -version 2>&1 | grep -qE 'version "(17|2[0-9])'; then
    echo "ci/sql.sh: skipped: Spark needs Java 17 or newer: apt-get install openjdk-17-jre-headless" >&2
    exit 0
fi
if ! "$venv/bin/python" -c 'import pyspark' 2>/dev/null; then
    if ! python3 -m venv "$venv" || ! "$venv/bin/pip" install --quiet pyspark==4.3.0; then
        echo "ci/sql.sh: skipped: pyspark cannot be installed from PyPI; it takes a network" >&2
        exit 0
    fi
fi

# However this ends, it ends the engine's processes.
"$venv/bin/python" ci/sql_check.py --program "$target/sql/lanescope-sql" --work "$work" \
    --dataset "$work/dataset" "$work"/runs/* &
trap 'kill $! 2>/dev/null || true; wait' EXIT
wait $!
trap - EXIT

echo "$checked" >ci/sql.checked
echo "ci/sql.sh: three ways, one answer"
