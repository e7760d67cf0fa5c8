// The AICore program: takes tokens, runs kernels, publishes what it measured.
//
// Every wait has a limit or watches the host's abort. EXIT is obeyed only where the next token is
// awaited, so whatever has begun also ends.

#include "publish.h"

namespace lanescope {

// One core in one run.
struct Core {
    uint64_t control;
    uint64_t order;
    uint64_t answer;
    uint64_t abort_run;
    uint32_t run_id;
    bool is_cube;
    lanescope_phase phase;
    lanescope_device_error error;
    uint32_t last_token;
    uint64_t limit_ticks;
};

// What a core measures of its tasks.
struct Measured {
    // Its staging ring; 0 when nothing is published.
    uint64_t staging;
    bool has_times;
    // Whether the gate of its counters is opened for a kernel.
    bool is_counted;
    // Whether it reads them itself, and where its registers are.
    bool reads_counters;
    uint64_t window;
};

// A token wait looks for an abort once in so many polls.
constexpr uint32_t polls_between_abort_checks = 1024;

#define LANESCOPE_FIELD(address, type, field) ((address) + offsetof(type, field))

// Address of an item of a section whose place in the header is `section`.
LANESCOPE_DEVICE uint64_t section_item(uint64_t control, uint64_t section, uint32_t index) {
    const uint64_t offset = load64(control + section + offsetof(lanescope_section, offset_bytes));
    const uint64_t stride = load32(control + section + offsetof(lanescope_section, stride_bytes));
    return control + offset + index * stride;
}

LANESCOPE_DEVICE bool is_aborted(const Core &core) {
    if (!LANESCOPE_IS_MUTANT("abort-not-invalidated-by-core")) {
        invalidate(core.abort_run);
    }
    return load32(core.abort_run) == core.run_id;
}

LANESCOPE_DEVICE void clean_answer(const Core &core) {
    if (!LANESCOPE_IS_MUTANT("answer-not-cleaned")) {
        clean(core.answer);
    }
    store_barrier();
}

// Writes the answer, then the words that say it is there: a line may arrive in pieces.
LANESCOPE_DEVICE void write_answer(const Core &core, bool has_left) {
    const uint64_t line = core.answer;
    store32(LANESCOPE_FIELD(line, lanescope_core_answer, physical_core), physical_core());
    store32(LANESCOPE_FIELD(line, lanescope_core_answer, core_type),
            static_cast<uint32_t>(core.is_cube ? LANESCOPE_CORE_TYPE_AIC : LANESCOPE_CORE_TYPE_AIV));
    store32(LANESCOPE_FIELD(line, lanescope_core_answer, ring_size), ring_size);
    store32(LANESCOPE_FIELD(line, lanescope_core_answer, phase), static_cast<uint32_t>(core.phase));
    store32(LANESCOPE_FIELD(line, lanescope_core_answer, error), static_cast<uint32_t>(core.error));
    store32(LANESCOPE_FIELD(line, lanescope_core_answer, token), core.last_token);
    store64(LANESCOPE_FIELD(line, lanescope_core_answer, abi_hash), LANESCOPE_ABI_HASH);
    store64(LANESCOPE_FIELD(line, lanescope_core_answer, ticks), ticks());
    store64(LANESCOPE_FIELD(line, lanescope_core_answer, limit_ticks), core.limit_ticks);
    if (!LANESCOPE_IS_MUTANT("answer-in-one-piece")) {
        clean_answer(core);
    }
    if (has_left) {
        store32(LANESCOPE_FIELD(line, lanescope_core_answer, exited_run), core.run_id);
    }
    store32(LANESCOPE_FIELD(line, lanescope_core_answer, answer_run), core.run_id);
    clean_answer(core);
}

// Waits until a word of the order line names this run.
template <uint32_t name_bytes>
LANESCOPE_DEVICE bool await_order(Core &core, uint64_t word, const char (&name)[name_bytes], uint64_t limit) {
    const uint64_t deadline = ticks() + limit;
    for (;;) {
        if (!LANESCOPE_IS_MUTANT("order-not-invalidated")) {
            invalidate(core.order);
        }
        const uint32_t seen = load32(word);
        if (seen == core.run_id) {
            load_barrier();
            return true;
        }
        if (is_aborted(core)) {
            core.error = LANESCOPE_DEVICE_ERROR_ABORTED;
            return false;
        }
        if (ticks() >= deadline) {
            core.error = LANESCOPE_DEVICE_ERROR_HANDSHAKE_TIMEOUT;
            core.limit_ticks = limit;
            return false;
        }
        const Watched watched[2] = {{word, seen, LANESCOPE_AWAITED_BY_DEVICE},
                                    {core.abort_run, load32(core.abort_run), LANESCOPE_AWAITED_BY_HOST_SIGNAL}};
        relax(name, name_bytes - 1, watched, false, deadline);
    }
}

// Whether DATA_MAIN_BASE `seen` says that `token` was dispatched: `seen` is that token or one of the
// few that may be in flight behind it.
LANESCOPE_DEVICE bool is_dispatched(uint32_t token, uint32_t seen) {
    if (seen < LANESCOPE_TOKEN_FIRST || seen > LANESCOPE_TOKEN_LAST) {
        return false;
    }
    const uint32_t distance = seen >= token ? seen - token : LANESCOPE_TOKEN_COUNT - (token - seen);
    return distance < ring_size;
}

LANESCOPE_DEVICE uint32_t next_token(uint32_t token) {
    return token == LANESCOPE_TOKEN_LAST ? LANESCOPE_TOKEN_FIRST : token + 1;
}

// Waits for `token`; false when the core is to leave. How long it may take is for the AICPU to judge:
// EXIT ends the wait, the host's abort if no AICPU is left to write it, and at last the driver's own
// limit of the launch.
LANESCOPE_DEVICE bool await_token(Core &core, uint32_t token) {
    for (uint32_t polls = 1;; ++polls) {
        const uint32_t seen = read_data_main_base();
        if (seen == LANESCOPE_DISPATCH_EXIT) {
            return false;
        }
        if (is_dispatched(token, seen)) {
            return true;
        }
        if (polls % polls_between_abort_checks == 0 && is_aborted(core)) {
            core.error = LANESCOPE_DEVICE_ERROR_ABORTED;
            return false;
        }
        const Watched abort[1] = {{core.abort_run, 0, LANESCOPE_AWAITED_BY_HOST_SIGNAL}};
        relax("the next token", sizeof("the next token") - 1, abort, true, ~0ull);
    }
}

// Reads, and so clears, the core's own counters; the gate is closed.
LANESCOPE_DEVICE void read_counters(uint64_t window, Counters &counters) {
    for (uint32_t counter = 0; counter < LANESCOPE_PMU_COUNTERS; ++counter) {
        const uint32_t offset = counter < 8    ? LANESCOPE_A5_PMU_COUNTER_0 + counter * LANESCOPE_A5_PMU_COUNTER_STEP
                                : counter == 8 ? LANESCOPE_A5_PMU_COUNTER_8
                                               : LANESCOPE_A5_PMU_COUNTER_9;
        counters.values[counter] = read_counter(window, offset);
    }
    const uint64_t low = read_counter(window, LANESCOPE_A5_PMU_TOTAL_LOW);
    counters.total_cycles = static_cast<uint64_t>(read_counter(window, LANESCOPE_A5_PMU_TOTAL_HIGH)) << 32 | low;
}

// Runs one task: ACK, kernel, publish, FIN. False when its payload is not its own.
LANESCOPE_DEVICE bool run_task(const Core &core, uint32_t token, uint64_t payloads, const Measured &measured) {
    Times times = {0, 0, 0};
    if (measured.has_times) {
        times.receive = ticks();
    }
    write_cond(token);
    const uint64_t payload = payloads + (token & (ring_size - 1)) * sizeof(lanescope_payload);
    if (!LANESCOPE_IS_MUTANT("payload-not-invalidated")) {
        invalidate(payload);
    }
    const uint64_t kernel = load64(LANESCOPE_FIELD(payload, lanescope_payload, kernel_address));
    const uint64_t args = load64(LANESCOPE_FIELD(payload, lanescope_payload, args_address));
    const uint64_t arg_bytes = 8ull * load32(LANESCOPE_FIELD(payload, lanescope_payload, arg_count));
    if (load32(LANESCOPE_FIELD(payload, lanescope_payload, token)) != token ||
        load32(LANESCOPE_FIELD(payload, lanescope_payload, run_id)) != core.run_id ||
        arg_bytes > 8ull * LANESCOPE_MAX_TASK_ARGS) {
        return false;
    }
    for (uint64_t line = args & ~63ull; line < args + arg_bytes; line += LANESCOPE_LINE_BYTES) {
        if (!LANESCOPE_IS_MUTANT("args-not-invalidated")) {
            invalidate(line);
        }
    }
    if (measured.has_times) {
        times.start = ticks();
    }
    if (measured.is_counted) {
        open_gate();
    }
    call(kernel, args);
    if (measured.is_counted) {
        close_gate();
    }
    if (measured.has_times) {
        times.end = ticks();
    }
    if (measured.reads_counters) {
        Counters counters = {};
        read_counters(measured.window, counters);
        publish_counted(measured.staging, token, core.run_id, measured.has_times, times, counters);
    } else if (measured.has_times) {
        publish(measured.staging, token, core.run_id, times);
    } else {
        store_barrier();
    }
    write_cond(LANESCOPE_COND_FIN | token);
    return true;
}

// Handshake, then tokens until EXIT. True when the registers were opened.
LANESCOPE_DEVICE bool take_part(Core &core) {
    core.phase = LANESCOPE_PHASE_HANDSHAKE;
    const uint64_t limit = load64(LANESCOPE_FIELD(core.control, lanescope_control_header, handshake_limit_ticks));
    if (!await_order(core, LANESCOPE_FIELD(core.order, lanescope_core_order, ready_run), "the order of a core",
                     limit)) {
        return false;
    }
    uint32_t token = load32(LANESCOPE_FIELD(core.order, lanescope_core_order, first_token));
    const uint32_t level = load32(LANESCOPE_FIELD(core.order, lanescope_core_order, swimlane_level));
    const uint64_t payloads = load64(LANESCOPE_FIELD(core.order, lanescope_core_order, payload_address));
    const uint64_t ring = load64(LANESCOPE_FIELD(core.order, lanescope_core_order, staging_address));
    const uint32_t pmu_event = load32(LANESCOPE_FIELD(core.order, lanescope_core_order, pmu_event));
    Measured measured = {};
    measured.staging = ring;
    measured.has_times = level != 0 && ring != 0;
    measured.is_counted = pmu_event != 0;
    measured.reads_counters = !is_a2a3 && pmu_event != 0 && ring != 0;
    if (measured.reads_counters) {
        const uint64_t registers = offsetof(lanescope_control_header, registers);
        const uint64_t window = section_item(core.control, registers, physical_core());
        invalidate(window);
        measured.window = load64(window);
    }
    write_answer(core, false);
    if (!await_order(core, LANESCOPE_FIELD(core.order, lanescope_core_order, registers_run), "the registers of a core",
                     limit)) {
        return false;
    }
    core.phase = LANESCOPE_PHASE_RUNNING;
    write_answer(core, false);
    write_cond(LANESCOPE_COND_IDLE);
    while (await_token(core, token)) {
        core.last_token = token;
        if (!run_task(core, token, payloads, measured)) {
            core.error = LANESCOPE_DEVICE_ERROR_INTERNAL;
            break;
        }
        token = next_token(token);
    }
    return true;
}

LANESCOPE_DEVICE void run(uint64_t control, bool is_cube) {
    for (uint64_t offset = 0; offset < sizeof(lanescope_control_header); offset += LANESCOPE_LINE_BYTES) {
        if (!LANESCOPE_IS_MUTANT("header-not-invalidated-by-core")) {
            invalidate(control + offset);
        }
    }
    load_barrier();
    const uint32_t index = core_index(is_cube);
    if (load64(LANESCOPE_FIELD(control, lanescope_control_header, magic)) != LANESCOPE_CONTROL_MAGIC ||
        load64(LANESCOPE_FIELD(control, lanescope_control_header, abi_hash)) != LANESCOPE_ABI_HASH ||
        index >= load32(LANESCOPE_FIELD(control, lanescope_control_header, core_count))) {
        // Without a header of this ABI there is no line to say so in; the AICPU program says it.
        return;
    }
    Core core = {};
    core.control = control;
    core.order = section_item(control, offsetof(lanescope_control_header, orders), index);
    core.answer = section_item(control, offsetof(lanescope_control_header, answers), index);
    core.abort_run = section_item(control, offsetof(lanescope_control_header, host), 0) +
                     offsetof(lanescope_host_line, abort_run);
    core.run_id = load32(LANESCOPE_FIELD(control, lanescope_control_header, run_id));
    core.is_cube = is_cube;
    core.phase = LANESCOPE_PHASE_ATTACH;
    core.error = LANESCOPE_DEVICE_ERROR_NONE;
    bool is_open = false;
    if (load32(LANESCOPE_FIELD(control, lanescope_control_header, chip)) != chip ||
        load32(LANESCOPE_FIELD(control, lanescope_control_header, ring_size)) != ring_size) {
        core.error = LANESCOPE_DEVICE_ERROR_ABI_MISMATCH;
    } else {
        is_open = take_part(core);
    }
    // The phase of a failure is kept.
    if (core.error == LANESCOPE_DEVICE_ERROR_NONE) {
        core.phase = LANESCOPE_PHASE_DONE;
    }
    write_answer(core, true);
    // The answer is visible before COND says that the core has left: it names the last token.
    if (is_open) {
        write_cond(LANESCOPE_COND_EXITED);
    }
}

}  // namespace lanescope

extern "C" __attribute__((section(".lanescope"), used)) const lanescope_program_descriptor lanescope_descriptor = {
    LANESCOPE_PROGRAM_MAGIC,
    LANESCOPE_ABI_HASH,
    LANESCOPE_ABI_VERSION,
    static_cast<uint32_t>(LANESCOPE_PROGRAM_KIND_AICORE),
    lanescope::chip,
    lanescope::ring_size,
};

#ifdef __CCE_AICORE__
// The vendor's compiler builds this file twice, once for each kind of core.
#if defined(__DAV_C220_CUBE__) || defined(__DAV_C310_CUBE__)
extern "C" __global__ __aicore__ void aicore_kernel_0_mix_aic(__gm__ void *control) {
    lanescope::run(reinterpret_cast<uint64_t>(control), true);
}
#else
extern "C" __global__ __aicore__ void aicore_kernel_0_mix_aiv(__gm__ void *control) {
    lanescope::run(reinterpret_cast<uint64_t>(control), false);
}
#endif
#else
extern "C" LANESCOPE_EXPORT void aicore_kernel_0_mix_aic(uint64_t control) { lanescope::run(control, true); }
extern "C" LANESCOPE_EXPORT void aicore_kernel_0_mix_aiv(uint64_t control) { lanescope::run(control, false); }
#endif
