// An AICPU program for the tests of the device process: what it does is asked for by the first
// word of the control region.
#include "lanescope_abi.h"

static const lanescope_device_table *table;

extern "C" int lanescope_bind(const lanescope_device_table *given) {
    table = given;
    return given->table_bytes < sizeof(*given) ? 1 : 0;
}

static void await(const uint64_t *registers, uint32_t count, uint64_t deadline) {
    static const char name[] = "the core's answer";
    lanescope_awaited awaited = {};
    awaited.registers = registers;
    awaited.register_count = count;
    awaited.deadline_ticks = deadline;
    awaited.name = reinterpret_cast<const uint8_t *>(name);
    awaited.name_bytes = sizeof(name) - 1;
    table->relax(&awaited);
}

// Sends two tokens to the first core of the launch and waits for each to finish; word 8 of the
// control region holds the core's window, words 16 and 24 take the ticks.
static int run_tokens(uint64_t control) {
    const uint64_t window = table->load64(control + 8);
    const uint64_t cond = window + 0x5108;
    for (uint32_t token = 16; token < 18; ++token) {
        table->write_reg(window + 0xD0, token);
        const uint64_t deadline = table->ticks() + 1000 * 1000 * 1000;
        while (table->read_reg(cond) != (LANESCOPE_COND_FIN | token)) {
            if (table->ticks() >= deadline) {
                return 4;
            }
            await(&cond, 1, deadline);
        }
        table->store64(control + 16 + 8 * (token - 16), table->ticks());
    }
    table->write_reg(window + 0xD0, LANESCOPE_DISPATCH_EXIT);
    while (table->read_reg(cond) != LANESCOPE_COND_EXITED) {
        await(&cond, 1, UINT64_MAX);
    }
    table->write_reg(window + 0xD0, LANESCOPE_DISPATCH_IDLE);
    return 0;
}

extern "C" int StaticTileFwkBackendKernelServer(const lanescope_aicpu_args *) { return 0; }

// Delivery: leaves a mark. As a dispatcher, stores what it was given to store.
extern "C" int DynTileFwkBackendKernelServerInit(const lanescope_aicpu_args *args) {
    const auto *device_args = reinterpret_cast<const lanescope_device_args *>(args->device_args);
    if (device_args->inner_bytes != 0) {
        return table->store_program(
            reinterpret_cast<const uint8_t *>("inner.so"), 8,
            reinterpret_cast<const uint8_t *>(device_args->inner_address),
            device_args->inner_bytes);
    }
    table->store64(args->control_address + 32, 0xD0);
    return 0;
}

extern "C" int DynTileFwkBackendKernelServer(const lanescope_aicpu_args *args) {
    const uint64_t control = args->control_address;
    table->invalidate(control);
    switch (table->load64(control)) {
    case 1:
        return run_tokens(control);
    case 2:
        return 9;
    case 3:
        return static_cast<int>(table->load32(64));
    case 4:
        for (;;) {
            await(nullptr, 0, table->ticks() + 1000 * 1000);
        }
    default:
        return 0;
    }
}

extern "C" int lanescope_aicpu_run(const lanescope_aicpu_args *args) {
    return DynTileFwkBackendKernelServer(args);
}
