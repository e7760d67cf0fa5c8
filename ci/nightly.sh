# Sourced by the scripts that need more than the pinned toolchain. Nothing here installs anything.

# Ends the script, successfully and with one line, unless the nightly toolchain has all components named.
need_nightly() {
    local component installed
    installed=$(rustup component list --toolchain nightly --installed 2>/dev/null || true)
    for component in "$@"; do
        if ! grep -q "^$component" <<<"$installed"; then
            echo "skipped: $(basename "$0") needs: rustup toolchain install nightly --component $(IFS=,; echo "$*")"
            exit 0
        fi
    done
}

# The triple of this machine, which the sanitizers must be given: build scripts go without them.
host_triple() {
    rustc +nightly -vV | sed -n 's/^host: //p'
}

# A folder of its own below the target folder, so that no other build is thrown away.
own_target() {
    echo "$(realpath -m "${CARGO_TARGET_DIR:-target}")/$1"
}
