// core: aic
//
// scores = scale * Q * K^T for one block of keys, f32.
//
// The block's place in the pool comes from the block table, which is read here, on the device.
//
// Arguments: scores (rows x block size), Q (rows x head dim), K pool, block table of the sequence
// (u32), logical block, rows, head dim, block size, keys in this block, bits of scale. Runs on a
// cube core.
#include "kernel.h"

KERNEL_ENTRY(args) {
    KERNEL_GM float *scores = kernel::pointer<float>(args[0]);
    KERNEL_GM const float *q = kernel::pointer<const float>(args[1]);
    KERNEL_GM const float *pool = kernel::pointer<const float>(args[2]);
    KERNEL_GM const uint32_t *table = kernel::pointer<const uint32_t>(args[3]);
    const uint64_t rows = args[5];
    const uint64_t head_dim = args[6];
    const uint64_t block_size = args[7];
    const uint64_t keys = args[8];
    const float scale = kernel::float_of(args[9]);
    KERNEL_GM const float *k = pool + table[args[4]] * block_size * head_dim;
    for (uint64_t row = 0; row < rows; ++row) {
        for (uint64_t key = 0; key < keys; ++key) {
            float sum = 0.0f;
            for (uint64_t d = 0; d < head_dim; ++d) {
                sum += q[row * head_dim + d] * k[key * head_dim + d];
            }
            scores[row * block_size + key] = sum * scale;
        }
    }
}

KERNEL_COST(args, cost) {
    const uint64_t rows = args[5];
    const uint64_t head_dim = args[6];
    const uint64_t keys = args[8];
    cost->fixed_ns = kernel::CUBE_FIXED_NS;
    cost->cube_cycles = kernel::cube_cycles(rows, keys, head_dim);
    cost->scalar_cycles = kernel::blocks_of(keys, kernel::CUBE_EDGE) * kernel::LOOP_CYCLES;
    cost->read_bytes = (rows + keys) * head_dim * sizeof(float) + sizeof(uint32_t);
    cost->write_bytes = rows * keys * sizeof(float);
}
