#!/usr/bin/env bash
# The pages of `lanescope view`, `report` and `diff` in a real browser: what they show is what is in the capture.
# `--images` makes the pictures in docs/images anew; `--speed`, or `--speed=100000,10000000`, prints how fast the page of a
# made-up run of a million tasks, or of so many, is, too.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "skipped: $(basename "$0") needs: apt-get install chromium python3-venv"
        exit 0
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-dejavu-core python3-venv >/dev/null
fi

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
work=$target/browser
mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv"
fi
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r ci/browser/requirements.txt

# The same builds that `cargo xtask test` makes.
for platform in a2a3sim a5sim; do
    cargo xtask build --platform "$platform" --profile dev
    build=$target/lanescope/$platform-ring2-dev
    "$build/bin/lanescope" run paged-attention --platform "$platform" --build "$build" \
        --swimlane=4 --pmu=2 --out "$work/$platform" >/dev/null
done
# Buffers too few and too late: a run that loses records, and says so with exit code 1.
build=$target/lanescope/a2a3sim-ring2-dev
"$build/bin/lanescope" run vector --tasks 3000 --platform a2a3sim --build "$build" --swimlane=4 \
    --policy drop-newest --buffers 2 --records-per-buffer 16 --sim late-host=4 \
    --out "$work/lossy" >/dev/null || [ $? -eq 1 ]
# The same with a host that never comes: cores and threads of which nothing is left.
"$build/bin/lanescope" run vector --tasks 3000 --platform a2a3sim --build "$build" --swimlane=4 \
    --policy drop-newest --buffers 1 --records-per-buffer 8 --sim late-host=1000000 \
    --out "$work/lost" >/dev/null || [ $? -eq 1 ]

export LANESCOPE=$build/bin/lanescope
export LANESCOPE_RUNS=$work
for argument in "$@"; do
    case $argument in
        --images) export LANESCOPE_IMAGES=$PWD/docs/images ;;
        --speed) sizes=1000000 ;;
        --speed=*) sizes=${argument#--speed=} ;;
        *) echo "$(basename "$0"): unknown argument $argument" >&2; exit 2 ;;
    esac
done
(cd ci/browser && "$work/venv/bin/python" -B -m unittest -v page_test report_test)
if [ -n "${sizes:-}" ]; then
    IFS=, read -ra sizes <<<"$sizes"
    "$work/venv/bin/python" -B ci/browser/speed.py "${sizes[@]}"
fi
