// What a core leaves in its staging ring for one token: one line, cleaned before one barrier.
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

// Writes the slot of `token`; the caller writes FIN afterwards.
LANESCOPE_DEVICE void publish(uint64_t staging, uint32_t token, uint32_t run_id, const Times &times) {
    const uint64_t slot = staging + (token & (ring_size - 1)) * sizeof(lanescope_task_slot);
    store64(slot + offsetof(lanescope_task_slot, token), static_cast<uint64_t>(run_id) << 32 | token);
    store64(slot + offsetof(lanescope_task_slot, receive_ticks), times.receive);
    store64(slot + offsetof(lanescope_task_slot, start_ticks), times.start);
    store64(slot + offsetof(lanescope_task_slot, end_ticks), times.end);
    store64(slot + offsetof(lanescope_task_slot, seal), token);
    if (!LANESCOPE_IS_MUTANT("slot-not-cleaned")) {
        clean(slot);
    }
    if (!LANESCOPE_IS_MUTANT("slot-unfenced")) {
        store_barrier();
    }
}

}  // namespace lanescope
