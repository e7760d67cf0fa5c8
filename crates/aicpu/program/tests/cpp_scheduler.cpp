// A scheduler in C++ on top of the record API: one AICPU thread, one token a core at a time.
//
// It owns every core, runs the host's graph in the order tasks become ready, and leaves everything
// about records, buffers and losses to the recorder. It says what it does as phases, plays the
// orchestrator that submits the tasks, switches counters on and off, and has tensors copied piece by
// piece, with a look at all cores between two pieces. Where the host has a lane for it, it records how
// many tasks were ready in each round, a kind of its own.

#include "cpp_rounds.h"
#include "lanescope_record.h"

#include <deque>
#include <vector>

namespace {

constexpr uint32_t kQueueDepth = 0x100;

struct QueueDepth {
    uint32_t run_id;
    uint32_t round;
    uint64_t ready;
    uint64_t reserved[6];
};
static_assert(sizeof(QueueDepth) == 64, "a record is whole lines");

// Storage of the record API: aligned, and where it is until the run is over.
class Storage {
  public:
    explicit Storage(uint64_t bytes) : bytes_(bytes), memory_(bytes + LANESCOPE_RECORD_ALIGN) {}
    uint8_t *place() {
        constexpr size_t align = LANESCOPE_RECORD_ALIGN;
        return memory_.data() + (align - reinterpret_cast<uintptr_t>(memory_.data()) % align);
    }
    uint64_t bytes() const { return bytes_; }

  private:
    uint64_t bytes_;
    std::vector<uint8_t> memory_;
};

struct Core {
    uint32_t index;
    uint32_t core_type;
    uint64_t window;
    uint32_t token;
    bool is_busy;
};

// The tensors of a task at a stage; while there are any the task keeps its core.
struct Job {
    Core *core;
    uint32_t task;
    lanescope_stage stage;
    uint32_t tensor;
    bool is_copying;
};

// The host's tables: plain reads, after the lines they are in were invalidated.
template <typename T>
T *item(uint64_t control, const lanescope_section &section, uint32_t index) {
    const uint64_t address = control + section.offset_bytes + uint64_t{index} * section.stride_bytes;
    for (uint64_t line = address & ~uint64_t{63}; line < address + sizeof(T); line += 64) device()->invalidate(line);
    return reinterpret_cast<T *>(address);
}

void wait(const char *name, uint32_t name_bytes, uint64_t reg, const lanescope_awaited_word *word = nullptr) {
    lanescope_awaited awaited = {};
    awaited.registers = &reg;
    awaited.register_count = reg == 0 ? 0 : 1;
    awaited.words = word;
    awaited.word_count = word == nullptr ? 0 : 1;
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
          rounds_(recorder),
          depth_storage_(lanescope_own_lane_bytes()),
          is_a2a3_(header_.chip == uint32_t{LANESCOPE_CHIP_A2A3}) {}

    int32_t run() {
        const int32_t attached = lanescope_own_lane_attach(recorder_, kQueueDepth, sizeof(QueueDepth),
                                                           depth_storage_.place(), depth_storage_.bytes(), &depths_);
        if (attached != 0 && attached != int32_t{LANESCOPE_DEVICE_ERROR_BAD_LAYOUT}) {
            return fail(static_cast<lanescope_device_error>(attached), UINT32_MAX);
        }
        lanescope_record_enter(recorder_, uint32_t{LANESCOPE_PHASE_HANDSHAKE});
        for (uint32_t index = 0; index < header_.core_count; ++index) {
            if (!open(index)) return fail(LANESCOPE_DEVICE_ERROR_HANDSHAKE_TIMEOUT, index);
        }
        lanescope_record_enter(recorder_, uint32_t{LANESCOPE_PHASE_RUNNING});
        for (uint32_t task = 0; task < header_.task_count; ++task) {
            rounds_.submit(LANESCOPE_PHASE_KIND_ORCH_INSERT, task, task_at(task)->task_id);
            if (fan_in(task) == 0) ready_.push_back(task);
        }
        rounds_.submit(LANESCOPE_PHASE_KIND_ORCH_SCOPE_END, header_.task_count, UINT64_MAX);
        unfinished_ = header_.task_count;
        while (unfinished_ != 0) {
            const int32_t error = round();
            if (error != 0) return fail(static_cast<lanescope_device_error>(error), failed_core_);
        }
        rounds_.begin();
        rounds_.finish();
        flush();
        lanescope_record_enter(recorder_, uint32_t{LANESCOPE_PHASE_EXIT});
        for (Core &core : cores_) close(core);
        lanescope_record_close_counters(recorder_);
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
        Core core = {index, answer->core_type, 0, 0, false};
        core.window = *item<uint64_t>(control_, header_.registers, answer->physical_core);
        if (is_a2a3_) device()->write_reg(core.window + LANESCOPE_A2A3_FAST_PATH_ENABLE, LANESCOPE_FAST_PATH_OPEN);
        device()->write_reg(core.window + data_main_base(), LANESCOPE_DISPATCH_IDLE);
        if (lanescope_record_open_counters(recorder_, index, answer->physical_core) != 0) return false;
        device()->store32(order + offsetof(lanescope_core_order, registers_run), header_.run_id);
        device()->barrier(uint32_t{LANESCOPE_BARRIER_STORE});
        while (device()->read_reg(core.window + cond()) != LANESCOPE_COND_IDLE) {
            if (device()->ticks() > limit) return false;
            wait("an open core", 12, core.window + cond());
        }
        cores_.push_back(core);
        return true;
    }

    // Looks at every core, copies a piece, hands out what is ready; waits if there was nothing.
    int32_t round() {
        rounds_.begin();
        const int32_t noted = note_depth();
        if (noted != 0) return noted;
        uint32_t finished = 0;
        for (Core &core : cores_) {
            const int32_t error = collect(core, finished);
            if (error != 0) return error;
        }
        rounds_.done(LANESCOPE_PHASE_KIND_COMPLETE, finished);
        uint32_t completed = 0;
        uint32_t dispatched = 0;
        // As many bytes as a round may copy, of one tensor or of several.
        uint64_t budget_bytes = header_.tensor_piece_bytes;
        uint32_t copied = LANESCOPE_RECORD_COPIED_WHOLE;
        bool has_copied = false;
        while (budget_bytes != 0 && !jobs_.empty() && copied != uint32_t{LANESCOPE_RECORD_COPIED_STANDS}) {
            const int32_t error = copy(budget_bytes, copied, completed, dispatched);
            if (error != 0) return error;
            has_copied = has_copied || copied != uint32_t{LANESCOPE_RECORD_COPIED_STANDS};
        }
        const bool stands = copied == uint32_t{LANESCOPE_RECORD_COPIED_STANDS};
        if (has_copied) rounds_.go_on(LANESCOPE_PHASE_KIND_DUMP);
        rounds_.done(LANESCOPE_PHASE_KIND_COMPLETE, completed);
        for (Core &core : cores_) {
            if (!core.is_busy) dispatched += hand_out(core);
        }
        rounds_.done(LANESCOPE_PHASE_KIND_DISPATCH, dispatched);
        if (finished + completed + dispatched == 0 && !has_copied) idle(stands);
        return rounds_.error();
    }

    int32_t note_depth() {
        if (depths_ == nullptr) return 0;
        const QueueDepth depth = {header_.run_id, ++depth_rounds_, ready_.size(), {}};
        uint32_t is_placed = 0;
        return lanescope_own_lane_commit(depths_, 0, reinterpret_cast<const uint8_t *>(&depth), &is_placed);
    }

    void flush() {
        lanescope_record_flush(recorder_);
        if (depths_ != nullptr) lanescope_own_lane_flush(depths_);
    }

    int32_t collect(Core &core, uint32_t &finished) {
        uint32_t tags[LANESCOPE_RECORD_MAX_TAGS];
        uint32_t count = 0;
        const uint32_t seen = device()->read_reg(core.window + cond());
        const int32_t error = lanescope_record_commit(recorder_, core.index, seen, tags, &count);
        if (error != 0) {
            failed_core_ = core.index;
            return error;
        }
        for (uint32_t position = 0; position < count; ++position) {
            if (add_job(core, tags[position], LANESCOPE_STAGE_AFTER_COMPLETION)) continue;
            core.is_busy = false;
            complete(tags[position]);
            ++finished;
        }
        return 0;
    }

    uint32_t hand_out(Core &core) {
        for (auto next = ready_.begin(); next != ready_.end(); ++next) {
            const uint32_t task = *next;
            if (task_at(task)->core_type != core.core_type) continue;
            rounds_.look(true);
            ready_.erase(next);
            core.is_busy = true;
            if (add_job(core, task, LANESCOPE_STAGE_BEFORE_DISPATCH)) return 0;
            dispatch(core, task);
            return 1;
        }
        rounds_.look(false);
        return 0;
    }

    // Whether the task has tensors to copy at the stage; if so, they are a job now.
    bool add_job(Core &core, uint32_t task, lanescope_stage stage) {
        const Job job = {&core, task, stage, 0, false};
        if (tensor_of(job, 0) == UINT32_MAX) return false;
        jobs_.push_back(job);
        return true;
    }

    // The first tensor of the job's task from `from` on that is recorded at its stage.
    uint32_t tensor_of(const Job &job, uint32_t from) {
        if (header_.tensors.count == 0) return UINT32_MAX;
        for (uint32_t number = from; number < task_at(job.task)->tensor_count; ++number) {
            if ((tensor_at(job.task, number)->stages >> uint32_t{job.stage} & 1) != 0) return number;
        }
        return UINT32_MAX;
    }

    // Copies a piece for the first job.
    int32_t copy(uint64_t &budget_bytes, uint32_t &copied, uint32_t &completed, uint32_t &dispatched) {
        Job &job = jobs_.front();
        if (!job.is_copying) {
            job.tensor = tensor_of(job, job.tensor);
            const lanescope_graph_task *task = task_at(job.task);
            lanescope_record_owner owner = {task->task_id, task->func_id, job.core->index, job.core->token, 0};
            if (job.stage == LANESCOPE_STAGE_BEFORE_DISPATCH) {
                lanescope_record_next_token(recorder_, owner.core, &owner.token);
            }
            const lanescope_task_tensor *tensor = tensor_at(job.task, job.tensor);
            const int32_t error = lanescope_record_begin_tensor(recorder_, &owner, tensor, uint32_t{job.stage});
            if (error != 0) return error;
            job.is_copying = true;
        }
        uint64_t until_ticks = 0;
        const int32_t error = lanescope_record_copy_tensor(recorder_, &budget_bytes, &copied, &until_ticks);
        if (error != 0 || copied != uint32_t{LANESCOPE_RECORD_COPIED_WHOLE}) return error;
        job.is_copying = false;
        if (tensor_of(job, ++job.tensor) != UINT32_MAX) return 0;
        const Job ended = job;
        jobs_.pop_front();
        if (ended.stage == LANESCOPE_STAGE_BEFORE_DISPATCH) {
            dispatch(*ended.core, ended.task);
            ++dispatched;
        } else {
            ended.core->is_busy = false;
            complete(ended.task);
            ++completed;
        }
        return 0;
    }

    void idle(bool stands) {
        rounds_.go_on(stands ? LANESCOPE_PHASE_KIND_BLOCKED : LANESCOPE_PHASE_KIND_IDLE);
        lanescope_awaited_word room = {};
        uint32_t has_room = 0;
        lanescope_record_awaited_room(recorder_, &room, &has_room);
        wait("a finished task", 15, 0, has_room != 0 ? &room : nullptr);
    }

    void dispatch(Core &core, uint32_t index) {
        const lanescope_graph_task *task = task_at(index);
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
        lanescope_record_dispatched(recorder_, core.index, task->task_id, task->func_id, index, &core.token);
        device()->write_reg(core.window + data_main_base(), core.token);
    }

    void complete(uint32_t finished) {
        const lanescope_graph_task *task = task_at(finished);
        for (uint32_t index = 0; index < task->successor_count; ++index) {
            const uint32_t successor = *item<uint32_t>(control_, header_.successors, task->first_successor + index);
            if (--fan_in(successor) == 0) ready_.push_back(successor);
        }
        --unfinished_;
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
        rounds_.finish();
        flush();
        for (Core &open : cores_) {
            close(open);
            uint32_t tags[LANESCOPE_RECORD_MAX_TAGS];
            uint32_t count = 0;
            lanescope_record_commit_after_exit(recorder_, open.index, tags, &count);
        }
        lanescope_record_close_counters(recorder_);
        lanescope_record_flush(recorder_);
        lanescope_record_leave(recorder_);
        return static_cast<int32_t>(error);
    }

    const lanescope_graph_task *task_at(uint32_t task) { return item<lanescope_graph_task>(control_, header_.tasks, task); }
    const lanescope_task_tensor *tensor_at(uint32_t task, uint32_t number) {
        return item<lanescope_task_tensor>(control_, header_.tensors, task_at(task)->first_tensor + number);
    }
    uint32_t &fan_in(uint32_t task) { return *item<uint32_t>(control_, header_.fan_in, task); }
    uint64_t data_main_base() const { return is_a2a3_ ? LANESCOPE_A2A3_DATA_MAIN_BASE : LANESCOPE_A5_DATA_MAIN_BASE; }
    uint64_t cond() const { return is_a2a3_ ? LANESCOPE_A2A3_COND : LANESCOPE_A5_COND; }

    uint64_t control_;
    lanescope_control_header header_;
    lanescope_recorder *recorder_;
    Rounds rounds_;
    Storage depth_storage_;
    lanescope_own_lane *depths_ = nullptr;
    uint32_t depth_rounds_ = 0;
    bool is_a2a3_;
    uint32_t unfinished_ = 0;
    uint32_t failed_core_ = UINT32_MAX;
    std::vector<Core> cores_;
    std::deque<uint32_t> ready_;
    std::deque<Job> jobs_;
};

int32_t run(const lanescope_aicpu_args *args) {
    Storage storage(lanescope_record_bytes());
    lanescope_recorder *recorder = nullptr;
    const int32_t error =
        lanescope_record_attach(args->control_address, 0, storage.place(), storage.bytes(), &recorder);
    return error != 0 ? error : Scheduler(args->control_address, recorder).run();
}

}  // namespace

extern "C" int32_t StaticTileFwkBackendKernelServer(const lanescope_aicpu_args *) { return 0; }
extern "C" int32_t DynTileFwkBackendKernelServerInit(const lanescope_aicpu_args *) { return 0; }
extern "C" int32_t DynTileFwkBackendKernelServer(const lanescope_aicpu_args *args) { return run(args); }
extern "C" int32_t lanescope_aicpu_run(const lanescope_aicpu_args *args) { return run(args); }
