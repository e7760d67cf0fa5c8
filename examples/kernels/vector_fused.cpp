// core: aiv
//
// z = x * y + w, rounded after each step, elementwise in f32; z may be x.
//
// Arguments: z, x, y, w, element count. Runs on a vector core.
#include "kernel.h"

KERNEL_ENTRY(args) {
    KERNEL_GM float *z = kernel::pointer<float>(args[0]);
    KERNEL_GM const float *x = kernel::pointer<const float>(args[1]);
    KERNEL_GM const float *y = kernel::pointer<const float>(args[2]);
    KERNEL_GM const float *w = kernel::pointer<const float>(args[3]);
    const uint64_t count = args[4];
    for (uint64_t i = 0; i < count; ++i) {
        z[i] = x[i] * y[i] + w[i];
    }
}

KERNEL_COST(args, cost) {
    kernel::elementwise_cost(cost, args[4], 2, 3);
}
