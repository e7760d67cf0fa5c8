// The device interface on the chip itself, from the intrinsics of the vendor's compiler.
#pragma once

namespace lanescope {

__aicore__ inline uint32_t load32(uint64_t address) { return *reinterpret_cast<volatile __gm__ uint32_t *>(address); }
__aicore__ inline uint64_t load64(uint64_t address) { return *reinterpret_cast<volatile __gm__ uint64_t *>(address); }
__aicore__ inline void store32(uint64_t address, uint32_t value) {
    *reinterpret_cast<volatile __gm__ uint32_t *>(address) = value;
}
__aicore__ inline void store64(uint64_t address, uint64_t value) {
    *reinterpret_cast<volatile __gm__ uint64_t *>(address) = value;
}
__aicore__ inline void clean(uint64_t line) {
    dcci(reinterpret_cast<__gm__ void *>(line), SINGLE_CACHE_LINE, CACHELINE_OUT);
}
__aicore__ inline void invalidate(uint64_t line) { dcci(reinterpret_cast<__gm__ void *>(line), SINGLE_CACHE_LINE); }
__aicore__ inline void store_barrier() { dsb(DSB_DDR); }
__aicore__ inline void load_barrier() { dsb(DSB_DDR); }
__aicore__ inline uint32_t read_data_main_base() {
    uint64_t value;
    asm volatile("MOV %0, DATA_MAIN_BASE\n" : "=l"(value));
    return static_cast<uint32_t>(value);
}
__aicore__ inline void write_cond(uint32_t value) { set_cond(value); }
__aicore__ inline void open_gate() { set_ctrl(static_cast<uint64_t>(get_ctrl()) | 1); }
__aicore__ inline void close_gate() { set_ctrl(static_cast<uint64_t>(get_ctrl()) & ~1ull); }
__aicore__ inline uint32_t read_counter(uint64_t window, uint32_t offset) {
    return static_cast<uint32_t>(ld_dev(reinterpret_cast<__gm__ uint32_t *>(window + offset), 0));
}
__aicore__ inline uint64_t ticks() { return static_cast<uint64_t>(get_sys_cnt()); }

// The kernel has ended when all its pipes have.
__aicore__ inline void call(uint64_t kernel, uint64_t args) {
    using Kernel = void (*)(__gm__ const uint64_t *);
    reinterpret_cast<Kernel>(kernel)(reinterpret_cast<__gm__ const uint64_t *>(args));
    pipe_barrier(PIPE_ALL);
}

// Cube cores come first, one a block; then vector cores, two a block.
__aicore__ inline uint32_t core_index(bool is_cube) {
    const uint32_t block = static_cast<uint32_t>(get_block_idx());
    const uint32_t blocks = static_cast<uint32_t>(get_block_num());
    return is_cube ? block : blocks + LANESCOPE_AIV_PER_CLUSTER * block + static_cast<uint32_t>(get_subblockid());
}
__aicore__ inline uint32_t physical_core() { return static_cast<uint32_t>(get_coreid()) & 0x0FFF; }

template <uint32_t count>
__aicore__ inline void relax(const char *, uint32_t, const Watched (&)[count], bool, uint64_t) {}

}  // namespace lanescope
