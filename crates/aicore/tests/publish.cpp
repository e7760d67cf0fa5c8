// Lets a test call the AICore program's publish through a table of its own.

#include "publish.h"

extern "C" LANESCOPE_EXPORT void test_publish(uint64_t staging, uint32_t token, uint32_t run_id, uint64_t receive,
                                              uint64_t start, uint64_t end) {
    lanescope::publish(staging, token, run_id, {receive, start, end});
}

extern "C" LANESCOPE_EXPORT void test_publish_counted(uint64_t staging, uint32_t token, uint32_t run_id,
                                                      const uint64_t *times, uint64_t total_cycles,
                                                      const uint32_t *values) {
    lanescope::Counters counters = {};
    counters.total_cycles = total_cycles;
    for (uint32_t counter = 0; counter < LANESCOPE_PMU_COUNTERS; ++counter) {
        counters.values[counter] = values[counter];
    }
    const bool has_times = times != nullptr;
    lanescope::publish_counted(staging, token, run_id, has_times,
                               has_times ? lanescope::Times{times[0], times[1], times[2]} : lanescope::Times{},
                               counters);
}
