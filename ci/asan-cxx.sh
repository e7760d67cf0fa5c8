#!/usr/bin/env bash
# A C++ compiler for `ci/asan.sh`: checked code whose runtime comes from the Rust program that loads it.
exec c++ "$@" -fsanitize=address -nodefaultlibs -lstdc++ -lm -lc -lgcc_s
