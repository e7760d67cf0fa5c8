// Lets a test call the AICore program's publish through a table of its own.

#include "publish.h"

extern "C" LANESCOPE_EXPORT void test_publish(uint64_t staging, uint32_t token, uint32_t run_id, uint64_t receive,
                                              uint64_t start, uint64_t end) {
    lanescope::publish(staging, token, run_id, {receive, start, end});
}
