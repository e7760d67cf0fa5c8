// A kernel that counts its calls in its first argument and lasts as long as its second one says.
#include "lanescope_abi.h"

extern "C" void kernel_entry(const uint64_t *args) { *reinterpret_cast<uint64_t *>(args[0]) += STEP; }

extern "C" void kernel_cost(const uint64_t *args, lanescope_kernel_cost *cost) {
    cost->exact_ticks = args[1];
}
