// A scheduler in C++ on top of the record API: one AICPU thread, one token a core at a time.
//
// It owns every core, runs the host's graph in the order tasks become ready, and leaves everything
// about records, buffers and losses to the recorder.

#include "lanescope_record.h"

#include <deque>
#include <vector>

namespace {

struct Core {
    uint32_t index;
    uint32_t core_type;
    uint64_t window;
    bool is_busy;
};

const lanescope_device_table *device() { return lanescope_device(); }

// The host's tables: plain reads, after the lines they are in were invalidated.
template <typename T>
T *item(uint64_t control, const lanescope_section &section, uint32_t index) {
    const uint64_t address = control + section.offset_bytes + uint64_t{index} * section.stride_bytes;
    device()->invalidate(address);
    return reinterpret_cast<T *>(address);
}

void wait(const char *name, uint32_t name_bytes, uint64_t reg) {
    lanescope_awaited awaited = {};
    awaited.registers = &reg;
    awaited.register_count = reg == 0 ? 0 : 1;
    awaited.deadline_ticks = device()->ticks() + 1000;
    awaited.name = reinterpret_cast<const uint8_t *>(name);
    awaited.name_bytes = name_bytes;
    device()->relax(&awaited);
}

class Scheduler {
  public:
    Scheduler(uint64_t control, lanescope_recorder *recorder)
        : control_(control),
          header_(*reinterpret_cast<const lanescope_control_header *>(control)),
          recorder_(recorder),
          is_a2a3_(header_.chip == uint32_t{LANESCOPE_CHIP_A2A3}) {}

    int32_t run() {
        lanescope_record_enter(recorder_, uint32_t{LANESCOPE_PHASE_HANDSHAKE});
        for (uint32_t index = 0; index < header_.core_count; ++index) {
            if (!open(index)) return fail(LANESCOPE_DEVICE_ERROR_HANDSHAKE_TIMEOUT, index);
        }
        lanescope_record_enter(recorder_, uint32_t{LANESCOPE_PHASE_RUNNING});
        for (uint32_t task = 0; task < header_.task_count; ++task) {
            if (fan_in(task) == 0) ready_.push_back(task);
        }
        for (uint32_t unfinished = header_.task_count; unfinished != 0;) {
            for (Core &core : cores_) {
                uint32_t tags[LANESCOPE_RECORD_MAX_TAGS];
                uint32_t count = 0;
                const uint32_t seen = device()->read_reg(core.window + cond());
                const int32_t error = lanescope_record_commit(recorder_, core.index, seen, tags, &count);
                if (error != 0) return fail(static_cast<lanescope_device_error>(error), core.index);
                for (uint32_t position = 0; position < count; ++position) complete(tags[position]);
                unfinished -= count;
                core.is_busy = core.is_busy && count == 0;
                if (!core.is_busy) dispatch(core);
            }
            wait("a finished task", 15, 0);
        }
        lanescope_record_flush(recorder_);
        lanescope_record_enter(recorder_, uint32_t{LANESCOPE_PHASE_EXIT});
        for (Core &core : cores_) close(core);
        return lanescope_record_leave(recorder_);
    }

  private:
    bool open(uint32_t index) {
        const uint64_t order = reinterpret_cast<uint64_t>(item<lanescope_core_order>(control_, header_.orders, index));
        device()->store32(order + offsetof(lanescope_core_order, ready_run), header_.run_id);
        device()->barrier(uint32_t{LANESCOPE_BARRIER_STORE});
        const uint64_t limit = device()->ticks() + header_.handshake_limit_ticks;
        const volatile lanescope_core_answer *answer;
        for (;;) {
            answer = item<lanescope_core_answer>(control_, header_.answers, index);
            if (answer->answer_run == header_.run_id) break;
            if (device()->ticks() > limit) return false;
            wait("an answer", 9, 0);
        }
        Core core = {index, answer->core_type, 0, false};
        core.window = *item<uint64_t>(control_, header_.registers, answer->physical_core);
        if (is_a2a3_) device()->write_reg(core.window + LANESCOPE_A2A3_FAST_PATH_ENABLE, LANESCOPE_FAST_PATH_OPEN);
        device()->write_reg(core.window + data_main_base(), LANESCOPE_DISPATCH_IDLE);
        device()->store32(order + offsetof(lanescope_core_order, registers_run), header_.run_id);
        device()->barrier(uint32_t{LANESCOPE_BARRIER_STORE});
        while (device()->read_reg(core.window + cond()) != LANESCOPE_COND_IDLE) {
            if (device()->ticks() > limit) return false;
            wait("an open core", 12, core.window + cond());
        }
        cores_.push_back(core);
        return true;
    }

    void dispatch(Core &core) {
        for (auto next = ready_.begin(); next != ready_.end(); ++next) {
            const auto *task = item<lanescope_graph_task>(control_, header_.tasks, *next);
            if (task->core_type != core.core_type) continue;
            uint32_t token = 0;
            lanescope_record_next_token(recorder_, core.index, &token);
            const uint32_t slot = core.index * header_.ring_size + token % header_.ring_size;
            const uint64_t payload = reinterpret_cast<uint64_t>(item<lanescope_payload>(control_, header_.payloads, slot));
            device()->store64(payload + offsetof(lanescope_payload, kernel_address), task->kernel_address);
            device()->store64(payload + offsetof(lanescope_payload, args_address), task->args_address);
            device()->store32(payload + offsetof(lanescope_payload, arg_count), task->arg_count);
            device()->store32(payload + offsetof(lanescope_payload, token), token);
            device()->store64(payload + offsetof(lanescope_payload, task_id), task->task_id);
            device()->store32(payload + offsetof(lanescope_payload, run_id), header_.run_id);
            device()->store32(payload + offsetof(lanescope_payload, func_id), task->func_id);
            device()->barrier(uint32_t{LANESCOPE_BARRIER_STORE});
            lanescope_record_dispatched(recorder_, core.index, task->task_id, task->func_id, *next, &token);
            device()->write_reg(core.window + data_main_base(), token);
            core.is_busy = true;
            ready_.erase(next);
            return;
        }
    }

    void complete(uint32_t finished) {
        const auto *task = item<lanescope_graph_task>(control_, header_.tasks, finished);
        for (uint32_t index = 0; index < task->successor_count; ++index) {
            const uint32_t successor = *item<uint32_t>(control_, header_.successors, task->first_successor + index);
            if (--fan_in(successor) == 0) ready_.push_back(successor);
        }
    }

    void close(Core &core) {
        device()->write_reg(core.window + data_main_base(), LANESCOPE_DISPATCH_EXIT);
        const uint64_t limit = device()->ticks() + header_.handshake_limit_ticks;
        while (device()->read_reg(core.window + cond()) != LANESCOPE_COND_EXITED && device()->ticks() < limit) {
            wait("an exit", 7, core.window + cond());
        }
        device()->write_reg(core.window + data_main_base(), LANESCOPE_DISPATCH_IDLE);
        if (is_a2a3_) device()->write_reg(core.window + LANESCOPE_A2A3_FAST_PATH_ENABLE, LANESCOPE_FAST_PATH_CLOSE);
    }

    int32_t fail(lanescope_device_error error, uint32_t core) {
        lanescope_record_failure failure = {};
        failure.error = static_cast<uint32_t>(error);
        failure.core = core;
        lanescope_record_fail(recorder_, &failure);
        lanescope_record_flush(recorder_);
        for (Core &open : cores_) close(open);
        lanescope_record_leave(recorder_);
        return static_cast<int32_t>(error);
    }

    uint32_t &fan_in(uint32_t task) { return *item<uint32_t>(control_, header_.fan_in, task); }
    uint64_t data_main_base() const { return is_a2a3_ ? LANESCOPE_A2A3_DATA_MAIN_BASE : LANESCOPE_A5_DATA_MAIN_BASE; }
    uint64_t cond() const { return is_a2a3_ ? LANESCOPE_A2A3_COND : LANESCOPE_A5_COND; }

    uint64_t control_;
    lanescope_control_header header_;
    lanescope_recorder *recorder_;
    bool is_a2a3_;
    std::vector<Core> cores_;
    std::deque<uint32_t> ready_;
};

int32_t run(const lanescope_aicpu_args *args) {
    constexpr size_t align = LANESCOPE_RECORD_ALIGN;
    std::vector<uint8_t> storage(lanescope_record_bytes() + align);
    uint8_t *place = storage.data() + (align - reinterpret_cast<uintptr_t>(storage.data()) % align);
    lanescope_recorder *recorder = nullptr;
    const int32_t error =
        lanescope_record_attach(args->control_address, 0, place, lanescope_record_bytes(), &recorder);
    return error != 0 ? error : Scheduler(args->control_address, recorder).run();
}

}  // namespace

extern "C" int32_t StaticTileFwkBackendKernelServer(const lanescope_aicpu_args *) { return 0; }
extern "C" int32_t DynTileFwkBackendKernelServerInit(const lanescope_aicpu_args *) { return 0; }
extern "C" int32_t DynTileFwkBackendKernelServer(const lanescope_aicpu_args *args) { return run(args); }
extern "C" int32_t lanescope_aicpu_run(const lanescope_aicpu_args *args) { return run(args); }
