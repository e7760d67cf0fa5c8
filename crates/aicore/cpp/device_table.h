// The device interface through the table that the simulated driver binds.
#pragma once

namespace lanescope {

// Registers of the calling core: the bare offsets of the chip's register map.
constexpr uint64_t data_main_base = is_a2a3 ? LANESCOPE_A2A3_DATA_MAIN_BASE : LANESCOPE_A5_DATA_MAIN_BASE;
constexpr uint64_t cond = is_a2a3 ? LANESCOPE_A2A3_COND : LANESCOPE_A5_COND;

constexpr uint64_t gate = LANESCOPE_PMU_GATE;

static const lanescope_device_table *table = nullptr;

inline uint32_t load32(uint64_t address) { return table->load32(address); }
inline uint64_t load64(uint64_t address) { return table->load64(address); }
inline void store32(uint64_t address, uint32_t value) { table->store32(address, value); }
inline void store64(uint64_t address, uint64_t value) { table->store64(address, value); }
inline void clean(uint64_t line) { table->clean(line); }
inline void invalidate(uint64_t line) { table->invalidate(line); }
inline void store_barrier() { table->barrier(static_cast<uint32_t>(LANESCOPE_BARRIER_STORE)); }
inline void load_barrier() { table->barrier(static_cast<uint32_t>(LANESCOPE_BARRIER_LOAD)); }
inline uint32_t read_data_main_base() { return table->read_reg(data_main_base); }
inline void write_cond(uint32_t value) { table->write_reg(cond, value); }
inline void open_gate() { table->write_reg(gate, table->read_reg(gate) | 1); }
inline void close_gate() { table->write_reg(gate, table->read_reg(gate) & ~1u); }
inline uint32_t read_counter(uint64_t, uint32_t offset) { return table->read_reg(offset); }
inline uint64_t ticks() { return table->ticks(); }
inline void call(uint64_t kernel, uint64_t args) { table->call(kernel, args); }
inline uint32_t core_index(bool) { return table->core_index(); }
inline uint32_t physical_core() { return table->physical_core(); }

// Waits a moment, at most until a watched word or DATA_MAIN_BASE changes, or the deadline.
template <uint32_t count>
inline void relax(const char *name, uint32_t name_bytes, const Watched (&watched)[count], bool is_for_token,
                  uint64_t deadline_ticks) {
    lanescope_awaited_word words[count];
    for (uint32_t index = 0; index < count; ++index) {
        words[index] = {watched[index].address, watched[index].seen, static_cast<uint32_t>(watched[index].by), 0};
    }
    const uint64_t registers[1] = {data_main_base};
    lanescope_awaited awaited = {};
    awaited.registers = registers;
    awaited.register_count = is_for_token ? 1 : 0;
    awaited.words = words;
    awaited.word_count = count;
    awaited.deadline_ticks = deadline_ticks;
    awaited.name = reinterpret_cast<const uint8_t *>(name);
    awaited.name_bytes = name_bytes;
    table->relax(&awaited);
}

}  // namespace lanescope

// Called by the simulated driver before any other entry: 0, or 22 for a table that is too short.
extern "C" LANESCOPE_EXPORT int32_t lanescope_bind(const lanescope_device_table *table) {
    if (table == nullptr || table->table_bytes < sizeof(lanescope_device_table)) {
        return 22;
    }
    lanescope::table = table;
    return 0;
}
