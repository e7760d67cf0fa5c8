/*
 * Lanescope for runtimes in C and C++: open a device, build a task graph, run it with
 * collectors on, read tensors back.
 *
 * Objects are named by handles, numbers that are never used twice; 0 is none. A function returns
 * LANESCOPE_OK or a negative code; lanescope_last_error() then says what happened and
 * lanescope_last_hint() what to do, for the calling thread. Any thread may call.
 */

#ifndef LANESCOPE_H
#define LANESCOPE_H

/* Generated from crates/lanescope by cbindgen; do not edit. */

#include <stdint.h>

/*
 The call did what it should.
 */
#define LANESCOPE_OK 0

/*
 A handle or argument cannot be; nothing was done.
 */
#define LANESCOPE_BAD_ARGUMENT -1

/*
 The driver, the device or the build refused, or the run failed.
 */
#define LANESCOPE_FAILED -2

/*
 A bug of this library; the object refuses every later call; close it.
 */
#define LANESCOPE_INTERNAL -3

/*
 Argument kind: the number itself.
 */
#define LANESCOPE_SCALAR 0

/*
 Argument kind: the device address `value` bytes into a tensor.
 */
#define LANESCOPE_TENSOR 1

/*
 Verdict: every task has its record.
 */
#define LANESCOPE_EXACT 0

/*
 Verdict: records were dropped, all of them accounted for.
 */
#define LANESCOPE_LOSSY 1

/*
 Verdict: something does not add up.
 */
#define LANESCOPE_BROKEN 2

/*
 Verdict: the run did not end.
 */
#define LANESCOPE_PARTIAL 3

/*
 Policy: a record waits for a buffer, a tensor for room.
 */
#define LANESCOPE_BLOCK 0

/*
 Policy: the newest record is dropped, and counted.
 */
#define LANESCOPE_DROP_NEWEST 1

/*
 Policy, of tensors alone: what there is room for is kept, and flagged.
 */
#define LANESCOPE_TRUNCATE 2

/*
 Most dimensions of a tensor.
 */
#define LANESCOPE_MAX_RANK 5

/*
 Role of a tensor: the task reads it.
 */
#define LANESCOPE_INPUT 0

/*
 Role of a tensor: the task writes it.
 */
#define LANESCOPE_OUTPUT 1

/*
 Role of a tensor: the task reads and writes it.
 */
#define LANESCOPE_INOUT 2

/*
 An opened device, or 0.
 */
typedef uint64_t LanescopeSession;

/*
 A graph under construction, or 0.
 */
typedef uint64_t LanescopeGraph;

/*
 One argument of a task.
 */
typedef struct {
    /*
     `LANESCOPE_SCALAR` or `LANESCOPE_TENSOR`.
     */
    uint32_t kind;
    /*
     The tensor, for `LANESCOPE_TENSOR`.
     */
    uint32_t tensor;
    /*
     The number, or the offset in bytes.
     */
    uint64_t value;
} LanescopeArg;

/*
 What an argument of a task is, so that it can be recorded.
 */
typedef struct {
    /*
     Position among the task's arguments; the tensor begins where the argument points.
     */
    uint32_t arg_index;
    /*
     `LANESCOPE_INPUT` and so on.
     */
    uint32_t role;
    /*
     Elements: 0 float32, 1 float16, 2 int32, 3 int16, 4 int8, 5 uint8, 6 bfloat16, 7 int64,
     8 uint64, 9 uint16, 10 uint32.
     */
    uint32_t dtype;
    /*
     Dimensions, 0 to 5.
     */
    uint32_t rank;
    /*
     Elements in each dimension.
     */
    uint32_t shape[LANESCOPE_MAX_RANK];
    /*
     Not 0: the view is a window of a larger tensor, which the next two say.
     */
    uint32_t is_window;
    /*
     Elements of the larger tensor in each dimension.
     */
    uint32_t raw_shape[LANESCOPE_MAX_RANK];
    /*
     Where the window begins in each dimension.
     */
    uint32_t offsets[LANESCOPE_MAX_RANK];
    /*
     Not 0: elements do not lie in row-major order, but as the next says.
     */
    uint32_t is_strided;
    /*
     Elements from one index to the next in each dimension.
     */
    uint32_t strides[LANESCOPE_MAX_RANK];
} LanescopeTensorView;

/*
 The lanes of a collector: one of each AICPU thread. 0 means the collector's default.
 */
typedef struct {
    /*
     `LANESCOPE_BLOCK` and so on.
     */
    uint32_t policy;
    /*
     Buffers of each lane, a power of two.
     */
    uint32_t buffers;
    /*
     Records a buffer holds.
     */
    uint32_t records_per_buffer;
    /*
     Written as 0.
     */
    uint32_t reserved;
} LanescopeLaneOptions;

/*
 How to run a graph; 0 means the default wherever it is not said otherwise.
 */
typedef struct {
    /*
     `sizeof(LanescopeRunOptions)`.
     */
    uint32_t struct_bytes;
    /*
     Swimlane level, 0 (off) to 4.
     */
    uint32_t level;
    /*
     AICPU threads that schedule.
     */
    uint32_t threads;
    /*
     Clusters of one cube and two vector cores.
     */
    uint32_t clusters;
    /*
     Tokens in flight on a core.
     */
    uint32_t issue_depth;
    /*
     Event type of the hardware counters, 0: off.
     */
    uint32_t pmu_event;
    /*
     0: no tensors are recorded; 1: those that are described and `dump_selection` chooses.
     */
    uint32_t dump;
    /*
     Most bytes of a tensor that are copied before cores are looked at again, a multiple of 64.
     */
    uint32_t dump_piece_bytes;
    /*
     The lanes of the swimlane: tasks, and from level 3 on phases.
     */
    LanescopeLaneOptions swimlane_lanes;
    /*
     The lanes of the hardware counters.
     */
    LanescopeLaneOptions pmu_lanes;
    /*
     The lanes of tensors.
     */
    LanescopeLaneOptions dump_lanes;
    /*
     Room of each AICPU thread for the bytes of tensors, a multiple of 64, 4096 or more.
     */
    uint64_t dump_arena_bytes;
    /*
     Most device memory that what is recorded may take; 0: as much as it needs.
     */
    uint64_t memory_budget_bytes;
    /*
     Which tensors are recorded, as the command line has it: `task=ID`, `function=NAME`, `arg=N`,
     `stage=before` and `stage=after`, separated by commas; null or empty for all at every stage.
     Several of one name choose any of them, different names choose what all of them do.
     */
    const char *dump_selection;
    /*
     Existing folder for capture and verdict, or null; needs something to record.
     */
    const char *capture_dir;
    /*
     What the capture calls the workload, or null for the graph's name.
     */
    const char *workload;
} LanescopeRunOptions;

/*
 What a run did.
 */
typedef struct {
    /*
     `LANESCOPE_EXACT` and so on.
     */
    uint32_t verdict;
    /*
     The run's number in the session.
     */
    uint32_t run_id;
    /*
     Tasks of the graph.
     */
    uint64_t tasks;
    /*
     Records in the capture.
     */
    uint64_t collected;
    /*
     Records that were dropped and counted.
     */
    uint64_t dropped;
    /*
     Ticks from the first AICPU thread's entry to the last one's exit.
     */
    uint64_t device_ticks;
    /*
     Rate of those ticks.
     */
    uint64_t ticks_per_second;
} LanescopeRunResult;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Opens a device of a platform with a build folder, and loads the device programs.

 `settings` is null or a list for the simulated driver, such as `seed=3,late-host=50`.

 # Safety

 - `platform`, `build_dir` and `settings` are null or end with a zero byte.
 - `session` is null or valid for a write.
 */
int32_t lanescope_open(const char *platform,
                       uint32_t device,
                       const char *build_dir,
                       const char *settings,
                       LanescopeSession *session);

/*
 Closes a session and releases all it holds on the device.
 */
int32_t lanescope_close(LanescopeSession session);

/*
 Begins a graph.

 # Safety

 - `name` is null or ends with a zero byte; `graph` is null or valid for a write.
 */
int32_t lanescope_graph_new(const char *name, LanescopeGraph *graph);

/*
 Frees a graph. Its tensors stay readable in the session that ran it.
 */
int32_t lanescope_graph_free(LanescopeGraph graph);

/*
 Adds a function with a kernel image, an ELF file of `image_bytes` bytes.

 # Safety

 - `name` is null or ends with a zero byte.
 - `image` is null or valid for reads of `image_bytes` bytes.
 - `function` is null or valid for a write.
 */
int32_t lanescope_graph_function(LanescopeGraph graph,
                                 const char *name,
                                 uint32_t func_id,
                                 const void *image,
                                 uint64_t image_bytes,
                                 uint32_t *function);

/*
 Adds a function with a kernel of the session's build folder.

 # Safety

 - `name` and `kernel` are null or end with a zero byte; `function` is null or valid for a write.
 */
int32_t lanescope_graph_kernel(LanescopeGraph graph,
                               LanescopeSession session,
                               const char *name,
                               uint32_t func_id,
                               const char *kernel,
                               uint32_t *function);

/*
 Adds a tensor of `tensor_bytes` bytes that holds `content` at the start of each run, or zeros when
 `content` is null.

 # Safety

 - `name` is null or ends with a zero byte.
 - `content` is null or valid for reads of `tensor_bytes` bytes.
 - `tensor` is null or valid for a write.
 */
int32_t lanescope_graph_tensor(LanescopeGraph graph,
                               const char *name,
                               uint64_t tensor_bytes,
                               const void *content,
                               uint32_t *tensor);

/*
 Adds a task. `core_type` is 0 for a cube core, 1 for a vector core; records carry `task_id`.
 `task` may be null.

 # Safety

 - `args` is null or valid for reads of `arg_count` arguments.
 - `task` is null or valid for a write.
 */
int32_t lanescope_graph_task(LanescopeGraph graph,
                             uint32_t function,
                             uint32_t core_type,
                             const LanescopeArg *args,
                             uint32_t arg_count,
                             uint64_t task_id,
                             uint32_t *task);

/*
 Says what an argument of a task is, so that it can be recorded; each argument once.
 [`lanescope_graph_check`] refuses a view that does not fit the task and its tensors.

 # Safety

 - `view` is null or valid for a read.
 */
int32_t lanescope_graph_describe(LanescopeGraph graph,
                                 uint32_t task,
                                 const LanescopeTensorView *view);

/*
 Adds a dependency: task `to` is dispatched only after task `from` has finished.
 */
int32_t lanescope_graph_edge(LanescopeGraph graph, uint32_t from, uint32_t to);

/*
 Refuses a graph that cannot run, naming the task.
 */
int32_t lanescope_graph_check(LanescopeGraph graph);

/*
 Runs a graph to its end. `options` and `result` may be null.

 Also when the run fails, what was captured is in the capture folder.

 # Safety

 - `options` is null or valid for reads of `options->struct_bytes` bytes, and its strings are
   null or end with a zero byte.
 - `result` is null or valid for a write.
 */
int32_t lanescope_run(LanescopeSession session,
                      LanescopeGraph graph,
                      const LanescopeRunOptions *options,
                      LanescopeRunResult *result);

/*
 Copies a tensor of the last graph that ran into `to`, which holds exactly its bytes.

 # Safety

 - `to` is null or valid for writes of `to_bytes` bytes.
 */
int32_t lanescope_read(LanescopeSession session, uint32_t tensor, void *to, uint64_t to_bytes);

/*
 What the last failed call of this thread says, or an empty string. Valid until the thread's
 next call.
 */
const char *lanescope_last_error(void);

/*
 What to do about it, or an empty string. Valid until the thread's next call.
 */
const char *lanescope_last_hint(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LANESCOPE_H */
