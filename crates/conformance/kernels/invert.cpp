// core: aiv
//
// Stores every byte's complement; the result may lie where the source does.
//
// Arguments: result, source, bytes (a multiple of 8). Runs on either kind of core.
#include "kernel.h"

KERNEL_ENTRY(args) {
    KERNEL_GM uint64_t *to = kernel::pointer<uint64_t>(args[0]);
    KERNEL_GM const uint64_t *from = kernel::pointer<const uint64_t>(args[1]);
    const uint64_t words = args[2] / sizeof(uint64_t);
    for (uint64_t i = 0; i < words; ++i) {
        to[i] = ~from[i];
    }
}

KERNEL_COST(args, cost) {
    kernel::elementwise_cost(cost, args[2] / sizeof(float), 1, 1);
}
