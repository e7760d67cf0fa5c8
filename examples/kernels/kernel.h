// What every example kernel shares: how arguments are read and what an operation costs.
//
// A kernel is one file with one KERNEL_ENTRY and one KERNEL_COST; its first line names the kind of
// core that runs it. Each argument is one 8-byte word: a device address, a number, or the bits of
// a float in the low half. The kernels need nothing but the compiler: no C++ library and no math
// library. They are written for clarity: on a chip they run on the scalar pipe.
#pragma once

#include <stdint.h>

#include "lanescope_abi.h"

// The host checks bit for bit, so a product and a sum are two roundings everywhere.
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#ifdef __CCE_AICORE__
#define KERNEL_GM __gm__
#define KERNEL_CODE __aicore__ inline
#define KERNEL_EXPORT extern "C" __aicore__
#else
#define KERNEL_GM
#define KERNEL_CODE inline
#define KERNEL_EXPORT extern "C" __attribute__((visibility("default")))
#endif

// What the core calls, followed by its body. On a chip, the data cache is refreshed before the
// body and written back after it; a simulated kernel works on device memory itself.
#define KERNEL_ENTRY(args)                                              \
    static KERNEL_CODE void kernel_body(KERNEL_GM const uint64_t *args); \
    KERNEL_EXPORT void kernel_entry(KERNEL_GM const uint64_t *args) {    \
        kernel::write_back_and_forget();                                 \
        kernel_body(args);                                               \
        kernel::write_back_and_forget();                                 \
    }                                                                    \
    static KERNEL_CODE void kernel_body(KERNEL_GM const uint64_t *args)

// What the simulated chip asks before it runs the kernel, followed by its body; every field of the
// cost is 0 at the call.
#ifdef __CCE_AICORE__
#define KERNEL_COST(args, cost) \
    static inline void kernel_cost_unused(KERNEL_GM const uint64_t *args, lanescope_kernel_cost *cost)
#else
#define KERNEL_COST(args, cost) \
    KERNEL_EXPORT void kernel_cost(const uint64_t *args, lanescope_kernel_cost *cost)
#endif

namespace kernel {

// Elements of a vector register: 256 bytes of f32.
constexpr uint64_t VECTOR_LANES = 64;
// Edge of the block that the cube multiplies at once.
constexpr uint64_t CUBE_EDGE = 16;
// Cycles of one such block in f32; an f16 block takes one.
constexpr uint64_t CUBE_BLOCK_CYCLES = 4;
// Cycles of a transcendental or a division on one vector register.
constexpr uint64_t SLOW_VECTOR_CYCLES = 4;
// Scalar cycles that steer one pass of the vector or cube pipe over a row or a block.
constexpr uint64_t LOOP_CYCLES = 4;
// Start-up and drain of a kernel on a vector and on a cube core.
constexpr uint64_t VECTOR_FIXED_NS = 300;
constexpr uint64_t CUBE_FIXED_NS = 600;

KERNEL_CODE void write_back_and_forget() {
#ifdef __CCE_AICORE__
    dcci(static_cast<__gm__ void *>(nullptr), ENTIRE_DATA_CACHE, CACHELINE_OUT);
    dsb(DSB_ALL);
#endif
}

template <typename T>
KERNEL_CODE KERNEL_GM T *pointer(uint64_t word) {
    return reinterpret_cast<KERNEL_GM T *>(word);
}

KERNEL_CODE float float_of(uint64_t word) {
    const uint32_t bits = static_cast<uint32_t>(word);
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

inline uint64_t blocks_of(uint64_t count, uint64_t block) { return (count + block - 1) / block; }

// Cycles of `passes` elementwise operations over `count` elements.
inline uint64_t vector_cycles(uint64_t count, uint64_t passes) {
    return blocks_of(count, VECTOR_LANES) * passes;
}

// Cycles of an m x k by k x n product.
inline uint64_t cube_cycles(uint64_t m, uint64_t n, uint64_t k) {
    return blocks_of(m, CUBE_EDGE) * blocks_of(n, CUBE_EDGE) * blocks_of(k, CUBE_EDGE) *
           CUBE_BLOCK_CYCLES;
}

// The cost of an elementwise kernel over `count` elements.
inline void elementwise_cost(lanescope_kernel_cost *cost, uint64_t count, uint64_t passes,
                             uint64_t inputs) {
    cost->fixed_ns = VECTOR_FIXED_NS;
    cost->vector_cycles = vector_cycles(count, passes);
    cost->scalar_cycles = blocks_of(count, VECTOR_LANES) * LOOP_CYCLES;
    cost->read_bytes = count * sizeof(float) * inputs;
    cost->write_bytes = count * sizeof(float);
}

// e^x for x <= 0, to about one unit in the last place; 0 below the smallest normal number.
KERNEL_CODE float exp_of_negative(float x) {
    constexpr float LOG2_E = 1.44269504f;
    // ln 2 in two parts, the first with few enough bits that n * LN2_HIGH is exact.
    constexpr float LN2_HIGH = 0.693359375f;
    constexpr float LN2_LOW = -2.12194440e-4f;
    if (!(x > -87.0f)) {
        return 0.0f;
    }
    const int32_t n = static_cast<int32_t>(x * LOG2_E - 0.5f);
    const float r = (x - static_cast<float>(n) * LN2_HIGH) - static_cast<float>(n) * LN2_LOW;
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const uint32_t bits = static_cast<uint32_t>(n + 127) << 23;
    float scale;
    __builtin_memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

}  // namespace kernel
