// core: aiv
//
// C += partial for one tile, f32; the first partial product of a tile is stored, not added.
//
// Arguments: C, row stride of C in elements, partial (m x n, dense), m, n, whether this is the
// first partial product. Runs on a vector core.
#include "kernel.h"

KERNEL_ENTRY(args) {
    KERNEL_GM float *c = kernel::pointer<float>(args[0]);
    const uint64_t stride = args[1];
    KERNEL_GM const float *partial = kernel::pointer<const float>(args[2]);
    const uint64_t m = args[3];
    const uint64_t n = args[4];
    const bool first = args[5] != 0;
    for (uint64_t i = 0; i < m; ++i) {
        for (uint64_t j = 0; j < n; ++j) {
            const float value = partial[i * n + j];
            c[i * stride + j] = first ? value : c[i * stride + j] + value;
        }
    }
}

KERNEL_COST(args, cost) {
    const uint64_t count = args[3] * args[4];
    kernel::elementwise_cost(cost, count, 1, args[5] != 0 ? 1 : 2);
}
