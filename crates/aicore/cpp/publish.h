// What a core leaves in its staging ring for one token: a line for its times and, on a chip whose cores
// read their own counters, one for those; all cleaned before one barrier.
//
// crates/aicore/src/publish.rs is the same in Rust; a test compares bytes and order of calls.
#pragma once

#include "device.h"

namespace lanescope {

struct Times {
    uint64_t receive;
    uint64_t start;
    uint64_t end;
};

struct Counters {
    uint64_t total_cycles;
    uint32_t values[LANESCOPE_PMU_COUNTERS];
};

// Writes the line of times; the caller passes a barrier afterwards.
LANESCOPE_DEVICE void stage_times(uint64_t slot, uint32_t token, uint32_t run_id, const Times &times) {
    store64(slot + offsetof(lanescope_task_slot, token), static_cast<uint64_t>(run_id) << 32 | token);
    store64(slot + offsetof(lanescope_task_slot, receive_ticks), times.receive);
    store64(slot + offsetof(lanescope_task_slot, start_ticks), times.start);
    store64(slot + offsetof(lanescope_task_slot, end_ticks), times.end);
    store64(slot + offsetof(lanescope_task_slot, seal), token);
    if (!LANESCOPE_IS_MUTANT("slot-not-cleaned")) {
        clean(slot);
    }
}

// Writes the line of counters; the caller passes a barrier afterwards.
LANESCOPE_DEVICE void stage_counters(uint64_t line, uint32_t token, uint32_t run_id, const Counters &counters) {
    store64(line + offsetof(lanescope_pmu_slot, token), static_cast<uint64_t>(run_id) << 32 | token);
    store64(line + offsetof(lanescope_pmu_slot, total_cycles), counters.total_cycles);
    for (uint32_t counter = 0; counter < LANESCOPE_PMU_COUNTERS; counter += 2) {
        store64(line + offsetof(lanescope_pmu_slot, counters) + 4 * counter,
                static_cast<uint64_t>(counters.values[counter + 1]) << 32 | counters.values[counter]);
    }
    store64(line + offsetof(lanescope_pmu_slot, seal), token);
    if (!LANESCOPE_IS_MUTANT("pmu-slot-not-cleaned")) {
        clean(line);
    }
}

// What is staged is visible before the caller writes FIN.
LANESCOPE_DEVICE void seal_slot() {
    if (!LANESCOPE_IS_MUTANT("slot-unfenced")) {
        store_barrier();
    }
}

// Writes a slot of one line; the caller writes FIN afterwards.
LANESCOPE_DEVICE void publish(uint64_t staging, uint32_t token, uint32_t run_id, const Times &times) {
    stage_times(staging + (token & (ring_size - 1)) * LANESCOPE_LINE_BYTES, token, run_id, times);
    seal_slot();
}

// Writes a slot of two lines; that of the times is left alone where `has_times` says so.
LANESCOPE_DEVICE void publish_counted(uint64_t staging, uint32_t token, uint32_t run_id, bool has_times,
                                      const Times &times, const Counters &counters) {
    const uint64_t slot = staging + (token & (ring_size - 1)) * (2 * LANESCOPE_LINE_BYTES);
    if (has_times) {
        stage_times(slot, token, run_id, times);
    }
    stage_counters(slot + LANESCOPE_LINE_BYTES, token, run_id, counters);
    seal_slot();
}

}  // namespace lanescope
