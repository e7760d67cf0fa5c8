// core: aiv
//
// weights = exp(scores - row maximum), with the row maximum and the row sum beside it, f32.
//
// Arguments: weights (rows x block size), statistics (rows maxima, then rows sums), scores
// (rows x block size), rows, block size, keys in this block. Runs on a vector core.
#include "kernel.h"

KERNEL_ENTRY(args) {
    KERNEL_GM float *weights = kernel::pointer<float>(args[0]);
    KERNEL_GM float *maxima = kernel::pointer<float>(args[1]);
    KERNEL_GM const float *scores = kernel::pointer<const float>(args[2]);
    const uint64_t rows = args[3];
    const uint64_t block_size = args[4];
    const uint64_t keys = args[5];
    KERNEL_GM float *sums = maxima + rows;
    for (uint64_t row = 0; row < rows; ++row) {
        KERNEL_GM const float *from = scores + row * block_size;
        KERNEL_GM float *to = weights + row * block_size;
        float maximum = from[0];
        for (uint64_t key = 1; key < keys; ++key) {
            maximum = from[key] > maximum ? from[key] : maximum;
        }
        float sum = 0.0f;
        for (uint64_t key = 0; key < keys; ++key) {
            to[key] = kernel::exp_of_negative(from[key] - maximum);
            sum += to[key];
        }
        maxima[row] = maximum;
        sums[row] = sum;
    }
}

KERNEL_COST(args, cost) {
    const uint64_t rows = args[3];
    const uint64_t keys = args[5];
    cost->fixed_ns = kernel::VECTOR_FIXED_NS;
    // A maximum, a subtraction and a sum beside the exponential.
    cost->vector_cycles = rows * kernel::vector_cycles(keys, 3 + kernel::SLOW_VECTOR_CYCLES);
    cost->scalar_cycles = rows * kernel::LOOP_CYCLES;
    cost->read_bytes = rows * keys * sizeof(float);
    cost->write_bytes = rows * (keys + 2) * sizeof(float);
}
