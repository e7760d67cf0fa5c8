// core: aiv
//
// Folds one block into the running softmax and output of its rows, f32.
//
// The first block of a sequence is stored, not folded; the last one divides by the running sum.
//
// Arguments: out (rows x head dim), running statistics (rows maxima, then rows sums), the block's
// output (rows x head dim), the block's statistics (like the running ones), rows, head dim, whether
// this is the first block, whether it is the last. Runs on a vector core.
#include "kernel.h"

KERNEL_ENTRY(args) {
    KERNEL_GM float *out = kernel::pointer<float>(args[0]);
    KERNEL_GM float *maxima = kernel::pointer<float>(args[1]);
    KERNEL_GM const float *block = kernel::pointer<const float>(args[2]);
    KERNEL_GM const float *block_maxima = kernel::pointer<const float>(args[3]);
    const uint64_t rows = args[4];
    const uint64_t head_dim = args[5];
    const bool first = args[6] != 0;
    const bool last = args[7] != 0;
    KERNEL_GM float *sums = maxima + rows;
    KERNEL_GM const float *block_sums = block_maxima + rows;
    for (uint64_t row = 0; row < rows; ++row) {
        KERNEL_GM float *to = out + row * head_dim;
        KERNEL_GM const float *from = block + row * head_dim;
        if (first) {
            maxima[row] = block_maxima[row];
            sums[row] = block_sums[row];
            for (uint64_t d = 0; d < head_dim; ++d) {
                to[d] = from[d];
            }
        } else {
            const float maximum =
                block_maxima[row] > maxima[row] ? block_maxima[row] : maxima[row];
            const float old_scale = kernel::exp_of_negative(maxima[row] - maximum);
            const float new_scale = kernel::exp_of_negative(block_maxima[row] - maximum);
            maxima[row] = maximum;
            sums[row] = sums[row] * old_scale + block_sums[row] * new_scale;
            for (uint64_t d = 0; d < head_dim; ++d) {
                to[d] = to[d] * old_scale + from[d] * new_scale;
            }
        }
        if (last) {
            for (uint64_t d = 0; d < head_dim; ++d) {
                to[d] = to[d] / sums[row];
            }
        }
    }
}

KERNEL_COST(args, cost) {
    const uint64_t rows = args[4];
    const uint64_t head_dim = args[5];
    const uint64_t inputs = args[6] != 0 ? 1 : 2;
    const uint64_t passes = args[7] != 0 ? 3 + kernel::SLOW_VECTOR_CYCLES : 3;
    cost->fixed_ns = kernel::VECTOR_FIXED_NS;
    cost->vector_cycles = rows * (kernel::vector_cycles(head_dim, passes) +
                                  2 * kernel::SLOW_VECTOR_CYCLES);
    cost->scalar_cycles = rows * kernel::LOOP_CYCLES;
    cost->read_bytes = rows * (head_dim + 2) * sizeof(float) * inputs;
    cost->write_bytes = rows * (head_dim + 2) * sizeof(float);
}
