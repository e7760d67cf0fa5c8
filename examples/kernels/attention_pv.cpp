// core: aic
//
// out = weights * V for one block of values, f32.
//
// Arguments: out (rows x head dim), weights (rows x block size), V pool, block table of the
// sequence (u32), logical block, rows, head dim, block size, keys in this block. Runs on a cube
// core.
#include "kernel.h"

KERNEL_ENTRY(args) {
    KERNEL_GM float *out = kernel::pointer<float>(args[0]);
    KERNEL_GM const float *weights = kernel::pointer<const float>(args[1]);
    KERNEL_GM const float *pool = kernel::pointer<const float>(args[2]);
    KERNEL_GM const uint32_t *table = kernel::pointer<const uint32_t>(args[3]);
    const uint64_t rows = args[5];
    const uint64_t head_dim = args[6];
    const uint64_t block_size = args[7];
    const uint64_t keys = args[8];
    KERNEL_GM const float *v = pool + table[args[4]] * block_size * head_dim;
    for (uint64_t row = 0; row < rows; ++row) {
        KERNEL_GM float *to = out + row * head_dim;
        for (uint64_t d = 0; d < head_dim; ++d) {
            to[d] = 0.0f;
        }
        for (uint64_t key = 0; key < keys; ++key) {
            const float weight = weights[row * block_size + key];
            for (uint64_t d = 0; d < head_dim; ++d) {
                to[d] += weight * v[key * head_dim + d];
            }
        }
    }
}

KERNEL_COST(args, cost) {
    const uint64_t rows = args[5];
    const uint64_t head_dim = args[6];
    const uint64_t keys = args[8];
    cost->fixed_ns = kernel::CUBE_FIXED_NS;
    cost->cube_cycles = kernel::cube_cycles(rows, head_dim, keys);
    cost->scalar_cycles = kernel::blocks_of(head_dim, kernel::CUBE_EDGE) * kernel::LOOP_CYCLES;
    cost->read_bytes = (rows * keys + keys * head_dim) * sizeof(float) + sizeof(uint32_t);
    cost->write_bytes = rows * head_dim * sizeof(float);
}
