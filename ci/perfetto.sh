#!/usr/bin/env bash
# The Perfetto traces we write, decoded by the schema that Perfetto publishes and compared with our tables.
# Arguments: the lanescope command, then folders of runs to check beside the made-up ones; without any, those
# that ci/browser.sh left.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
lanescope=${1:-$target/debug/lanescope}
shift || true
if [ $# -eq 0 ]; then
    for run in "$target"/browser/{a2a3sim,a5sim,lossy}; do
        [ ! -f "$run/capture.lanescope" ] || set -- "$@" "$run"
    done
fi
venv=$target/perfetto/venv
work=$target/perfetto/check

if ! "$venv/bin/python" -c 'import perfetto' 2>/dev/null; then
    if ! python3 -m venv "$venv" || ! "$venv/bin/pip" install --quiet perfetto==0.59.1; then
        echo "ci/perfetto.sh: skipped: the package perfetto of PyPI cannot be installed" >&2
        exit 0
    fi
fi

rm -rf "$work"
"$lanescope" synth --tasks 3000 --cores 12 --seed 1 --edges 2 --out "$work/small"
# Long enough for everything to be told again on the way.
"$lanescope" synth --tasks 300000 --cores 72 --seed 2 --chip a5 --out "$work/long"
for run in "$work/small" "$work/long" "$@"; do
    name=$(basename "$run")
    "$lanescope" export "$run" --format perfetto --output "$work/$name.perfetto-trace"
    "$lanescope" export "$run" --format csv --output "$work/$name.csv"
    "$venv/bin/python" ci/perfetto_check.py "$work/$name.perfetto-trace" "$work/$name.csv"
done

# A check that cannot fail proves nothing: a field of each kind is damaged in turn.
refuses() {
    if "$venv/bin/python" ci/perfetto_check.py --damage "$1" "$2.perfetto-trace" "$2.csv" 2>/dev/null; then
        echo "ci/perfetto.sh: a trace with a damaged $1 was taken for whole" >&2
        exit 1
    fi
}
for damage in name time flow; do
    refuses "$damage" "$work/small"
done
# Made-up runs have neither phases nor counters.
for run in "$@"; do
    name=$(basename "$run")
    if [ "$(wc -l <"$work/$name.csv/pmu.csv")" -gt 1 ] && [ "$(wc -l <"$work/$name.csv/phases.csv")" -gt 1 ]; then
        refuses counter "$work/$name"
        refuses phase "$work/$name"
    fi
done
