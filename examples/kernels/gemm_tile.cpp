// core: aic
//
// out = A * B for one tile, f32; the sum over k runs upwards.
//
// Arguments: out (m x n, dense), A, row stride of A, B, row stride of B, m, n, k; strides in
// elements. Runs on a cube core.
#include "kernel.h"

KERNEL_ENTRY(args) {
    KERNEL_GM float *out = kernel::pointer<float>(args[0]);
    KERNEL_GM const float *a = kernel::pointer<const float>(args[1]);
    const uint64_t a_stride = args[2];
    KERNEL_GM const float *b = kernel::pointer<const float>(args[3]);
    const uint64_t b_stride = args[4];
    const uint64_t m = args[5];
    const uint64_t n = args[6];
    const uint64_t k = args[7];
    for (uint64_t i = 0; i < m; ++i) {
        KERNEL_GM float *row = out + i * n;
        for (uint64_t j = 0; j < n; ++j) {
            row[j] = 0.0f;
        }
        for (uint64_t l = 0; l < k; ++l) {
            const float left = a[i * a_stride + l];
            KERNEL_GM const float *right = b + l * b_stride;
            for (uint64_t j = 0; j < n; ++j) {
                row[j] += left * right[j];
            }
        }
    }
}

KERNEL_COST(args, cost) {
    const uint64_t m = args[5];
    const uint64_t n = args[6];
    const uint64_t k = args[7];
    cost->fixed_ns = kernel::CUBE_FIXED_NS;
    cost->cube_cycles = kernel::cube_cycles(m, n, k);
    cost->scalar_cycles = kernel::blocks_of(m, kernel::CUBE_EDGE) *
                          kernel::blocks_of(n, kernel::CUBE_EDGE) * kernel::LOOP_CYCLES;
    cost->read_bytes = (m * k + k * n) * sizeof(float);
    cost->write_bytes = m * n * sizeof(float);
}
