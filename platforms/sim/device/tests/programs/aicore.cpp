// An AICore program for the tests of the device process: obeys tokens until it is told to exit,
// and runs the kernel named by word 40 of the control region, with the arguments of word 48.
#include "lanescope_abi.h"

static const lanescope_device_table *table;

extern "C" int lanescope_bind(const lanescope_device_table *given) {
    table = given;
    return 0;
}

static void await_token() {
    static const char name[] = "a token";
    static const uint64_t data_main_base = 0xD0;
    lanescope_awaited awaited = {};
    awaited.registers = &data_main_base;
    awaited.register_count = 1;
    awaited.deadline_ticks = UINT64_MAX;
    awaited.name = reinterpret_cast<const uint8_t *>(name);
    awaited.name_bytes = sizeof(name) - 1;
    table->relax(&awaited);
}

extern "C" void aicore_kernel_0_mix_aic(uint64_t control) {
    if (table->core_index() != 0) {
        return;
    }
    uint32_t last = 0;
    for (;;) {
        const uint32_t token = table->read_reg(0xD0);
        if (token == LANESCOPE_DISPATCH_EXIT) {
            table->write_reg(0x5108, LANESCOPE_COND_EXITED);
            return;
        }
        if (token < LANESCOPE_TOKEN_FIRST || token > LANESCOPE_TOKEN_LAST || token == last) {
            await_token();
            continue;
        }
        last = token;
        table->write_reg(0x5108, token);
        table->invalidate(control);
        table->call(table->load64(control + 40), table->load64(control + 48));
        table->write_reg(0x5108, LANESCOPE_COND_FIN | token);
    }
}

extern "C" void aicore_kernel_0_mix_aiv(uint64_t) {}
