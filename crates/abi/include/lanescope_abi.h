/*
 * The bytes that the host, the AICPU program, the AICore program and kernels share.
 *
 * A kernel defines, both LANESCOPE_EXPORT and extern "C", kernel_entry(const uint64_t *args) and,
 * in simulator builds, kernel_cost(const uint64_t *args, lanescope_kernel_cost *cost).
 */

#ifndef LANESCOPE_ABI_H
#define LANESCOPE_ABI_H

/* Generated from crates/abi by cbindgen; do not edit. */

#include <stddef.h>
#include <stdint.h>
/* Alignment of a structure, the same in C and C++. */
#define LANESCOPE_ALIGNED(bytes) __attribute__((aligned(bytes)))

/* Makes an entry visible although everything else is hidden. */
#define LANESCOPE_EXPORT __attribute__((visibility("default")))

/* PROGRAM_MAGIC as the initialiser of a byte array. */
#define LANESCOPE_PROGRAM_MAGIC {'L', 'S', 'P', 'R', 'O', 'G', '0', '1'}

/*
 Bytes of a cache line, the unit of ownership, `clean` and `invalidate`.
 */
#define LANESCOPE_LINE_BYTES 64

/*
 The ring size a build uses when none is asked for.
 */
#define LANESCOPE_DEFAULT_RING_SIZE 2

/*
 The longest argument list of a task, in 8-byte words.
 */
#define LANESCOPE_MAX_TASK_ARGS 64

/*
 `b"LSCAPT01"` as a little-endian number.
 */
#define LANESCOPE_CAPTURE_MAGIC 3544425610409628492

/*
 The capture region's size is a multiple of this: a huge page.
 */
#define LANESCOPE_CAPTURE_GRANULE_BYTES (2 << 20)

/*
 In [`LaneDevice::filling_buffer`]: no buffer is being filled.
 */
#define LANESCOPE_NO_BUFFER UINT32_MAX

/*
 [`RegisterMap::data_main_base`] of [`A2A3`].
 */
#define LANESCOPE_A2A3_DATA_MAIN_BASE 160

/*
 [`RegisterMap::cond`] of [`A2A3`].
 */
#define LANESCOPE_A2A3_COND 1224

/*
 [`RegisterMap::fast_path_enable`] of [`A2A3`].
 */
#define LANESCOPE_A2A3_FAST_PATH_ENABLE 24

/*
 [`RegisterMap::data_main_base`] of [`A5`].
 */
#define LANESCOPE_A5_DATA_MAIN_BASE 208

/*
 [`RegisterMap::cond`] of [`A5`].
 */
#define LANESCOPE_A5_COND 20744

/*
 [`PmuRegisters::gate`] of both chips.
 */
#define LANESCOPE_PMU_GATE 0

/*
 First of [`PmuRegisters::counters`] of [`A5`].
 */
#define LANESCOPE_A5_PMU_COUNTER_0 16912

/*
 Distance of the first eight of them.
 */
#define LANESCOPE_A5_PMU_COUNTER_STEP 8

/*
 The ninth.
 */
#define LANESCOPE_A5_PMU_COUNTER_8 16976

/*
 The tenth.
 */
#define LANESCOPE_A5_PMU_COUNTER_9 16980

/*
 First of [`PmuRegisters::total`] of [`A5`].
 */
#define LANESCOPE_A5_PMU_TOTAL_LOW 16992

/*
 Second of [`PmuRegisters::total`] of [`A5`].
 */
#define LANESCOPE_A5_PMU_TOTAL_HIGH 16996

/*
 Written to [`RegisterMap::fast_path_enable`] before the first dispatch.
 */
#define LANESCOPE_FAST_PATH_OPEN 14

/*
 Written to [`RegisterMap::fast_path_enable`] after the core has ended.
 */
#define LANESCOPE_FAST_PATH_CLOSE 15

/*
 Vector cores in a cluster; a cluster has one cube core.
 */
#define LANESCOPE_AIV_PER_CLUSTER 2

/*
 Cores in a cluster.
 */
#define LANESCOPE_CORES_PER_CLUSTER (1 + LANESCOPE_AIV_PER_CLUSTER)

/*
 `b"LSCTRL01"` as a little-endian number.
 */
#define LANESCOPE_CONTROL_MAGIC 3544416823225307980

/*
 Raised when a word changes its meaning without changing its place.
 */
#define LANESCOPE_ABI_VERSION 2

/*
 Stands for every layout and constant of this crate. A literal, so that the C headers carry it;
 the build stops when it is not what the layouts say, and the error names the number to write.
 */
#define LANESCOPE_ABI_HASH 12173306028388394935ull

/*
 Most counters a chip can count at once.
 */
#define LANESCOPE_PMU_COUNTERS 10

/*
 Most dimensions of a tensor.
 */
#define LANESCOPE_MAX_RANK 5

/*
 Marks a slot or a word that holds no token.
 */
#define LANESCOPE_TOKEN_NONE 0

/*
 The first token.
 */
#define LANESCOPE_TOKEN_FIRST 16

/*
 The last token; [`TOKEN_FIRST`] follows it.
 */
#define LANESCOPE_TOKEN_LAST 2147483631

/*
 How many tokens there are.
 */
#define LANESCOPE_TOKEN_COUNT ((LANESCOPE_TOKEN_LAST - LANESCOPE_TOKEN_FIRST) + 1)

/*
 In `DATA_MAIN_BASE`: nothing has been dispatched.
 */
#define LANESCOPE_DISPATCH_IDLE 2147483645

/*
 In `DATA_MAIN_BASE`: the core is to end.
 */
#define LANESCOPE_DISPATCH_EXIT 2147483632

/*
 In `COND`: set when the token has finished, clear when it has begun.
 */
#define LANESCOPE_COND_FIN 2147483648

/*
 In `COND`: the bits of the token.
 */
#define LANESCOPE_COND_TOKEN_MASK 2147483647

/*
 In `COND`: the core has answered the handshake and waits for its first token.
 */
#define LANESCOPE_COND_IDLE (LANESCOPE_COND_FIN | 2147483647)

/*
 In `COND`: the core has obeyed [`DISPATCH_EXIT`].
 */
#define LANESCOPE_COND_EXITED (LANESCOPE_COND_FIN | 2147483646)

/*
 The header field that differs, for [`DeviceError::AbiMismatch`].
 */
enum lanescope_abi_field
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     None differs.
     */
    LANESCOPE_ABI_FIELD_NONE = 0,
    /*
     The magic number.
     */
    LANESCOPE_ABI_FIELD_MAGIC = 1,
    /*
     The ABI version.
     */
    LANESCOPE_ABI_FIELD_VERSION = 2,
    /*
     The ABI hash.
     */
    LANESCOPE_ABI_FIELD_HASH = 3,
    /*
     The chip.
     */
    LANESCOPE_ABI_FIELD_CHIP = 4,
    /*
     The ring size.
     */
    LANESCOPE_ABI_FIELD_RING_SIZE = 5,
    /*
     The issue depth.
     */
    LANESCOPE_ABI_FIELD_ISSUE_DEPTH = 6,
    /*
     The number of cores.
     */
    LANESCOPE_ABI_FIELD_CORE_COUNT = 7,
    /*
     The number of AICPU threads.
     */
    LANESCOPE_ABI_FIELD_THREAD_COUNT = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_abi_field lanescope_abi_field;
#else
typedef uint32_t lanescope_abi_field;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 Who can end a wait for a word.
 */
enum lanescope_awaited_by
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     A core or an AICPU thread.
     */
    LANESCOPE_AWAITED_BY_DEVICE = 0,
    /*
     The host, and the device cannot go on before it does: a free buffer. `pair_address` is the
     lane's `ready_tail`.
     */
    LANESCOPE_AWAITED_BY_HOST_BUFFER = 1,
    /*
     The host, which may never do so: a launch that is still to come, or an abort.
     */
    LANESCOPE_AWAITED_BY_HOST_SIGNAL = 2,
    /*
     The host, and the device cannot go on before it does: room in an arena. The word is the low
     half of the lane's `arena_head`, `seen` what it must have reached; `pair_address` is the
     lane's `ready_tail`.
     */
    LANESCOPE_AWAITED_BY_HOST_ROOM = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_awaited_by lanescope_awaited_by;
#else
typedef uint32_t lanescope_awaited_by;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 Which earlier accesses a barrier orders before which later ones.
 */
enum lanescope_barrier
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Earlier loads before later loads and stores.
     */
    LANESCOPE_BARRIER_LOAD = 0,
    /*
     Earlier loads, stores and cleans before later stores.
     */
    LANESCOPE_BARRIER_STORE = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_barrier lanescope_barrier;
#else
typedef uint32_t lanescope_barrier;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 A chip family.
 */
enum lanescope_chip
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Ascend 910B and 910C (DAV 2201).
     */
    LANESCOPE_CHIP_A2A3 = 1,
    /*
     Ascend 950 (DAV 3510).
     */
    LANESCOPE_CHIP_A5 = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_chip lanescope_chip;
#else
typedef uint32_t lanescope_chip;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 The kind of an AICore.
 */
enum lanescope_core_type
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Cube core: matrix multiplication.
     */
    LANESCOPE_CORE_TYPE_AIC = 0,
    /*
     Vector core.
     */
    LANESCOPE_CORE_TYPE_AIV = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_core_type lanescope_core_type;
#else
typedef uint32_t lanescope_core_type;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 Why a core or an AICPU thread left early; also the AICPU program's return value.
 */
enum lanescope_device_error
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     No error.
     */
    LANESCOPE_DEVICE_ERROR_NONE = 0,
    /*
     Header and program disagree; see `field` and `detail`.
     */
    LANESCOPE_DEVICE_ERROR_ABI_MISMATCH = 1,
    /*
     A section of the header does not lie inside its region.
     */
    LANESCOPE_DEVICE_ERROR_BAD_LAYOUT = 2,
    /*
     A core did not answer the handshake within its limit.
     */
    LANESCOPE_DEVICE_ERROR_HANDSHAKE_TIMEOUT = 3,
    /*
     No task finished within the scheduler's limit.
     */
    LANESCOPE_DEVICE_ERROR_SCHEDULER_TIMEOUT = 4,
    /*
     A core did not leave within the handshake limit.
     */
    LANESCOPE_DEVICE_ERROR_EXIT_TIMEOUT = 5,
    /*
     `COND` named a token that is not in flight.
     */
    LANESCOPE_DEVICE_ERROR_BAD_COND = 6,
    /*
     A core answered with a physical id or type that cannot be.
     */
    LANESCOPE_DEVICE_ERROR_BAD_ANSWER = 7,
    /*
     The host asked for the run to end.
     */
    LANESCOPE_DEVICE_ERROR_ABORTED = 8,
    /*
     Another AICPU thread failed first.
     */
    LANESCOPE_DEVICE_ERROR_SIBLING = 9,
    /*
     A task names a kernel, successor or core type that cannot be.
     */
    LANESCOPE_DEVICE_ERROR_BAD_GRAPH = 10,
    /*
     A core ended with an error of its own.
     */
    LANESCOPE_DEVICE_ERROR_CORE_FAILED = 11,
    /*
     A queue index from the host is out of range.
     */
    LANESCOPE_DEVICE_ERROR_CORRUPT_QUEUE = 12,
    /*
     The device program broke one of its own rules.
     */
    LANESCOPE_DEVICE_ERROR_INTERNAL = 13,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_device_error lanescope_device_error;
#else
typedef uint32_t lanescope_device_error;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 Element type of a tensor. The numbers are those of the reference's records.
 */
enum lanescope_dtype
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     IEEE 754 binary32.
     */
    LANESCOPE_DTYPE_FLOAT32 = 0,
    /*
     IEEE 754 binary16.
     */
    LANESCOPE_DTYPE_FLOAT16 = 1,
    /*
     Signed, 4 bytes.
     */
    LANESCOPE_DTYPE_INT32 = 2,
    /*
     Signed, 2 bytes.
     */
    LANESCOPE_DTYPE_INT16 = 3,
    /*
     Signed, 1 byte.
     */
    LANESCOPE_DTYPE_INT8 = 4,
    /*
     Unsigned, 1 byte.
     */
    LANESCOPE_DTYPE_UINT8 = 5,
    /*
     The upper half of a binary32.
     */
    LANESCOPE_DTYPE_BFLOAT16 = 6,
    /*
     Signed, 8 bytes.
     */
    LANESCOPE_DTYPE_INT64 = 7,
    /*
     Unsigned, 8 bytes.
     */
    LANESCOPE_DTYPE_UINT64 = 8,
    /*
     Unsigned, 2 bytes.
     */
    LANESCOPE_DTYPE_UINT16 = 9,
    /*
     Unsigned, 4 bytes.
     */
    LANESCOPE_DTYPE_UINT32 = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_dtype lanescope_dtype;
#else
typedef uint8_t lanescope_dtype;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 Where a core or an AICPU thread is in a run.
 */
enum lanescope_phase
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Not entered yet.
     */
    LANESCOPE_PHASE_ABSENT = 0,
    /*
     Checking the header.
     */
    LANESCOPE_PHASE_ATTACH = 1,
    /*
     Waiting for the other side.
     */
    LANESCOPE_PHASE_HANDSHAKE = 2,
    /*
     Dispatching (AICPU) or taking tokens (core).
     */
    LANESCOPE_PHASE_RUNNING = 3,
    /*
     Publishing what is left in the buffers.
     */
    LANESCOPE_PHASE_FLUSH = 4,
    /*
     Waiting for the cores to leave.
     */
    LANESCOPE_PHASE_EXIT = 5,
    /*
     Left in order.
     */
    LANESCOPE_PHASE_DONE = 6,
    /*
     Left with an error.
     */
    LANESCOPE_PHASE_FAILED = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_phase lanescope_phase;
#else
typedef uint32_t lanescope_phase;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 What a [`PhaseRecord`] is about. Those from 16 on are an orchestrator's; it records at swimlane
 level 4.
 */
enum lanescope_phase_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint16_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Reading `COND`, committing, releasing successors.
     */
    LANESCOPE_PHASE_KIND_COMPLETE = 1,
    /*
     Taking ready tasks and writing tokens.
     */
    LANESCOPE_PHASE_KIND_DISPATCH = 2,
    /*
     Nothing to do.
     */
    LANESCOPE_PHASE_KIND_IDLE = 3,
    /*
     Waiting for the host to give a buffer back, or room in an arena.
     */
    LANESCOPE_PHASE_KIND_BLOCKED = 4,
    /*
     Copying tensors, one record for one stretch of it.
     */
    LANESCOPE_PHASE_KIND_DUMP = 5,
    /*
     The orchestrator waits for something.
     */
    LANESCOPE_PHASE_KIND_ORCH_SYNC = 16,
    /*
     It allocates.
     */
    LANESCOPE_PHASE_KIND_ORCH_ALLOC = 17,
    /*
     It fills in parameters.
     */
    LANESCOPE_PHASE_KIND_ORCH_PARAMS = 18,
    /*
     It looks up producers.
     */
    LANESCOPE_PHASE_KIND_ORCH_LOOKUP = 19,
    /*
     It takes from the heap.
     */
    LANESCOPE_PHASE_KIND_ORCH_HEAP = 20,
    /*
     It inserts a task.
     */
    LANESCOPE_PHASE_KIND_ORCH_INSERT = 21,
    /*
     It links a task to its producers.
     */
    LANESCOPE_PHASE_KIND_ORCH_FANIN = 22,
    /*
     It finishes a submission.
     */
    LANESCOPE_PHASE_KIND_ORCH_FINALIZE = 23,
    /*
     It leaves a scope.
     */
    LANESCOPE_PHASE_KIND_ORCH_SCOPE_END = 24,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_phase_kind lanescope_phase_kind;
#else
typedef uint16_t lanescope_phase_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 What a program is.
 */
enum lanescope_program_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Runs on the AICPU: schedules and records.
     */
    LANESCOPE_PROGRAM_KIND_AICPU = 1,
    /*
     Runs on every AICore.
     */
    LANESCOPE_PROGRAM_KIND_AICORE = 2,
    /*
     Runs on the AICPU once: stores a delivered program under a name.
     */
    LANESCOPE_PROGRAM_KIND_DISPATCHER = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_program_kind lanescope_program_kind;
#else
typedef uint32_t lanescope_program_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 What a task does with a tensor.
 */
enum lanescope_role
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Reads it.
     */
    LANESCOPE_ROLE_INPUT = 0,
    /*
     Writes it.
     */
    LANESCOPE_ROLE_OUTPUT = 1,
    /*
     Reads and writes it.
     */
    LANESCOPE_ROLE_INOUT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_role lanescope_role;
#else
typedef uint8_t lanescope_role;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 When a tensor was recorded.
 */
enum lanescope_stage
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Before its task was dispatched.
     */
    LANESCOPE_STAGE_BEFORE_DISPATCH = 0,
    /*
     After its task had finished, before any successor was released.
     */
    LANESCOPE_STAGE_AFTER_COMPLETION = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_stage lanescope_stage;
#else
typedef uint8_t lanescope_stage;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 The argument blob of every AICPU launch; the driver copies it at the call.

 The vendor's loader reads `device_args` at offset 40; the rest is ours.
 */
typedef struct lanescope_aicpu_args {
    /*
     Written as 0.
     */
    uint64_t reserved[5];
    /*
     Device address of [`DeviceArgs`].
     */
    uint64_t device_args;
    /*
     Device address of the control region.
     */
    uint64_t control_address;
    /*
     Written as 0.
     */
    uint64_t reserved_end[7];
} lanescope_aicpu_args;

/*
 Written before and behind a payload, so that one that was overwritten is told from a whole one.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_arena_mark {
    /*
     [`TensorRecord::sequence`].
     */
    uint64_t sequence;
    /*
     [`TensorRecord::payload_begin`].
     */
    uint64_t payload_begin;
    /*
     [`TensorRecord::payload_bytes`].
     */
    uint64_t payload_bytes;
    /*
     [`TensorRecord::checksum`] behind the payload, 0 before it.
     */
    uint64_t checksum;
    /*
     Written as 0.
     */
    uint64_t reserved[4];
} lanescope_arena_mark;

/*
 A 4-byte word that a waiting agent would read next.
 */
typedef struct lanescope_awaited_word {
    /*
     Its address.
     */
    uint64_t address;
    /*
     The value that was seen; the wait ends when it is another. See [`AwaitedBy::HostRoom`].
     */
    uint32_t seen;
    /*
     [`AwaitedBy`] as a number.
     */
    uint32_t by;
    /*
     See [`AwaitedBy::HostBuffer`]; else 0.
     */
    uint64_t pair_address;
} lanescope_awaited_word;

/*
 What an agent that calls `relax` waits for. Any one of it ends the wait; so may nothing at all:
 `relax` is a hint, and the caller polls again.
 */
typedef struct lanescope_awaited {
    /*
     Registers, any of which may change.
     */
    const uint64_t *registers;
    /*
     Words, any of which may change.
     */
    const struct lanescope_awaited_word *words;
    uint32_t register_count;
    uint32_t word_count;
    /*
     The caller looks again at this time at the latest; `u64::MAX` when it has no limit.
     */
    uint64_t deadline_ticks;
    /*
     A static name for error messages, without a terminating zero.
     */
    const uint8_t *name;
    uint64_t name_bytes;
} lanescope_awaited;

/*
 A table of equal items inside a region.
 */
typedef struct lanescope_section {
    /*
     Offset of the first item from the start of the region; a multiple of 64.
     */
    uint64_t offset_bytes;
    /*
     Number of items.
     */
    uint32_t count;
    /*
     Distance between two items.
     */
    uint32_t stride_bytes;
} lanescope_section;

/*
 The start of the capture region. Writer: the host, before launch.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_capture_header {
    /*
     [`CAPTURE_MAGIC`].
     */
    uint64_t magic;
    /*
     [`crate::ABI_HASH`].
     */
    uint64_t abi_hash;
    /*
     Bytes of the region.
     */
    uint64_t capture_bytes;
    /*
     Cores, as in the control header.
     */
    uint32_t core_count;
    /*
     AICPU threads, as in the control header.
     */
    uint32_t thread_count;
    /*
     Slots of each staging ring.
     */
    uint32_t ring_size;
    /*
     Lines of each staging slot, one per staged kind; the task slot is line 0.
     */
    uint32_t slot_lines;
    /*
     Lanes: kinds in use times threads. Lane `k * thread_count + t` is the `k`-th kind of thread `t`.
     */
    uint32_t lane_count;
    /*
     Written as 0.
     */
    uint32_t reserved;
    /*
     [`LaneConfig`] per lane. Writer: the host, before launch.
     */
    struct lanescope_section lane_configs;
    /*
     [`LaneDevice`] per lane.
     */
    struct lanescope_section lane_devices;
    /*
     [`LaneHost`] per lane.
     */
    struct lanescope_section lane_hosts;
    /*
     [`CommitCounters`]: item `lane * core_count + core`; a kind of threads uses core 0.
     */
    struct lanescope_section counters;
    /*
     Staging rings: item `core`, `ring_size * slot_lines` lines.
     */
    struct lanescope_section staging;
} lanescope_capture_header;

/*
 A checksum under way: lines go in, in order.
 */
typedef struct lanescope_checksum {
    uint64_t lanes[4];
} lanescope_checksum;

/*
 Fate of every commit attempt of one lane and core. Writer: the lane's thread.

 Counts run since the region was made and are never reset. `total` grows first, then exactly one
 of the others, or the record went into a buffer: `total - dropped - mismatched` were collected.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_commit_counters {
    /*
     Commit attempts.
     */
    uint64_t total;
    /*
     Slots whose token, run or seal did not match.
     */
    uint64_t mismatched;
    /*
     Dropped, by [`DropReason`].
     */
    uint64_t dropped[4];
    /*
     Written as 0.
     */
    uint64_t reserved[2];
} lanescope_commit_counters;

/*
 The start of the control region. Writer: the host, before launch.

 Each program compares magic, version, hash, chip and ring size with its own on attach.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_control_header {
    /*
     [`CONTROL_MAGIC`].
     */
    uint64_t magic;
    /*
     [`crate::ABI_HASH`].
     */
    uint64_t abi_hash;
    /*
     [`crate::ABI_VERSION`].
     */
    uint32_t abi_version;
    /*
     [`crate::Chip`] as a number.
     */
    uint32_t chip;
    /*
     Slots of each staging and payload ring; what the device programs were built with.
     */
    uint32_t ring_size;
    /*
     Most tokens in flight on a core: 1..=`ring_size`.
     */
    uint32_t issue_depth;
    /*
     Cores in the launch; core types by [`CoreConfig`].
     */
    uint32_t core_count;
    /*
     AICPU threads that schedule.
     */
    uint32_t thread_count;
    /*
     This run; never 0.
     */
    uint32_t run_id;
    /*
     Swimlane level, 0..=4; 0 also when no capture region exists.

     1: times of the core; 2: and dispatch and finish; 3: and scheduler phases; 4: and those of
     an orchestrator.
     */
    uint32_t swimlane_level;
    /*
     Bytes of the control region.
     */
    uint64_t control_bytes;
    /*
     Device address of the capture region, 0 when no collector is on.
     */
    uint64_t capture_address;
    /*
     Bytes of the capture region.
     */
    uint64_t capture_bytes;
    /*
     Longest wait for the other side of the handshake.
     */
    uint64_t handshake_limit_ticks;
    /*
     Longest time an AICPU thread goes without any task finishing while some are unfinished.
     */
    uint64_t scheduler_limit_ticks;
    /*
     Tasks in the graph.
     */
    uint32_t task_count;
    /*
     Event type of the hardware counters, 0 when they are off; see [`crate::pmu`].
     */
    uint32_t pmu_event;
    /*
     One [`HostLine`].
     */
    struct lanescope_section host;
    /*
     [`CoreConfig`] per core.
     */
    struct lanescope_section cores;
    /*
     Register window address (u64) per physical core; 0 where there is no usable core.
     */
    struct lanescope_section registers;
    /*
     [`CoreOrder`] per core.
     */
    struct lanescope_section orders;
    /*
     [`CoreAnswer`] per core.
     */
    struct lanescope_section answers;
    /*
     [`ThreadStatus`] per AICPU thread.
     */
    struct lanescope_section threads;
    /*
     [`Payload`] per core and slot: item `core * ring_size + slot`.
     */
    struct lanescope_section payloads;
    /*
     One [`SchedulerWords`].
     */
    struct lanescope_section scheduler;
    /*
     [`GraphTask`] per task.
     */
    struct lanescope_section tasks;
    /*
     Task arguments, u64 each; every list starts on a line of its own.
     */
    struct lanescope_section args;
    /*
     Successors, u32 task index each.
     */
    struct lanescope_section successors;
    /*
     Unfinished predecessors, u32 per task. Host before launch, then AICPU atomics.
     */
    struct lanescope_section fan_in;
    /*
     Ready tasks by core type (cube, vector), u32 each: task index + 1, 0 while empty.
     Host before launch, then AICPU atomics. Holds every task of the type once.
     */
    struct lanescope_section ready[2];
    /*
     [`TaskTensor`]: the tensors to record, task by task.
     */
    struct lanescope_section tensors;
    /*
     Address (u64) of the page of hardware counters per physical core, where the chip has such pages;
     0 where there is no usable core. Filled in while `pmu_event` is not 0; empty where the counters
     lie in the register window.
     */
    struct lanescope_section pmu_registers;
    /*
     Most bytes of a tensor that an AICPU thread copies before it looks at its cores again.
     */
    uint32_t tensor_piece_bytes;
    /*
     Written as 0.
     */
    uint32_t reserved[7];
} lanescope_control_header;

/*
 How a core answers, and its status. Writer: that core.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_core_answer {
    /*
     The run for which `physical_core` is valid.
     */
    uint32_t answer_run;
    /*
     Index of the core in the register table.
     */
    uint32_t physical_core;
    /*
     [`crate::CoreType`] as a number.
     */
    uint32_t core_type;
    /*
     Ring size the AICore program was built with.
     */
    uint32_t ring_size;
    /*
     [`Phase`] as a number.
     */
    uint32_t phase;
    /*
     [`DeviceError`] as a number; written before the core returns.
     */
    uint32_t error;
    /*
     Last token that began.
     */
    uint32_t token;
    /*
     The run the core has left, written last of all.
     */
    uint32_t exited_run;
    /*
     ABI hash the AICore program was built with.
     */
    uint64_t abi_hash;
    /*
     When this line was written.
     */
    uint64_t ticks;
    /*
     The limit that ran out, when `error` is a time-out.
     */
    uint64_t limit_ticks;
    /*
     Written as 0.
     */
    uint64_t reserved;
} lanescope_core_answer;

/*
 What the host decides for one core. Writer: the host, before launch.
 */
typedef struct lanescope_core_config {
    /*
     First token of this run: the one after the last that was dispatched on the core.
     */
    uint32_t first_token;
    /*
     [`crate::CoreType`] as a number.
     */
    uint32_t core_type;
    /*
     The AICPU thread that owns the core in this run.
     */
    uint32_t thread;
    /*
     Written as 0.
     */
    uint32_t reserved;
} lanescope_core_config;

/*
 What an AICPU thread tells one of its cores. Writer: the thread that owns the core.

 The core reads it during the handshake only: everything but `ready_run` is visible before
 `ready_run`, and `registers_run` comes last.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_core_order {
    /*
     The run this order is for; the core starts its handshake when it sees its own run here.
     */
    uint32_t ready_run;
    /*
     The run for which the core's registers are initialised.
     */
    uint32_t registers_run;
    /*
     First token the core will be given.
     */
    uint32_t first_token;
    /*
     Swimlane level; 0: do not publish.
     */
    uint32_t swimlane_level;
    /*
     Address of the core's staging ring, 0 when there is none.
     */
    uint64_t staging_address;
    /*
     Address of the core's payload ring.
     */
    uint64_t payload_address;
    /*
     Tokens written to `DATA_MAIN_BASE` in this run. Read by the host.
     */
    uint64_t dispatched;
    /*
     Tokens proven finished in this run. Read by the host.
     */
    uint64_t completed;
    /*
     The thread that owns the core.
     */
    uint32_t thread;
    /*
     Event type of the hardware counters; 0: leave them alone.
     */
    uint32_t pmu_event;
    /*
     Lines of a staging slot.
     */
    uint32_t slot_lines;
    /*
     Written as 0.
     */
    uint32_t reserved;
} lanescope_core_order;

/*
 Names the bytes that a delivery brings. Written by the host before the delivery.

 The vendor's loader reads `program_address` and `program_bytes`; the other fields are for our
 dispatcher, which is then the program that is delivered.
 */
typedef struct lanescope_device_args {
    /*
     Written as 0.
     */
    uint64_t reserved[12];
    /*
     Device address of the shared object to load.
     */
    uint64_t program_address;
    /*
     Its length.
     */
    uint64_t program_bytes;
    /*
     The device's id.
     */
    uint64_t device_id;
    /*
     For the dispatcher: device address of the shared object to store.
     */
    uint64_t inner_address;
    /*
     Its length.
     */
    uint64_t inner_bytes;
    /*
     For the dispatcher: fingerprint, part of the stored file's name.
     */
    uint64_t inner_fingerprint;
    /*
     Written as 0.
     */
    uint64_t reserved_end[2];
} lanescope_device_args;

/*
 The device interface as the simulated driver hands it to a program's `lanescope_bind` entry.

 Every function acts for the agent (AICPU thread or core) that calls it. For a core, register
 addresses are the bare offsets of the chip's register map: a core has no other registers.
 */
typedef struct lanescope_device_table {
    /*
     Bytes of this table; a program refuses one that is smaller than its own.
     */
    uint64_t table_bytes;
    /*
     See [`Device::load32`].
     */
    uint32_t (*load32)(uint64_t address);
    /*
     See [`Device::load64`].
     */
    uint64_t (*load64)(uint64_t address);
    /*
     See [`Device::store32`].
     */
    void (*store32)(uint64_t address, uint32_t value);
    /*
     See [`Device::store64`].
     */
    void (*store64)(uint64_t address, uint64_t value);
    /*
     See [`Device::clean`].
     */
    void (*clean)(uint64_t address);
    /*
     See [`Device::invalidate`].
     */
    void (*invalidate)(uint64_t address);
    /*
     See [`Device::barrier`]; takes a [`Barrier`] as a number.
     */
    void (*barrier)(uint32_t barrier);
    /*
     See [`Device::read_reg`].
     */
    uint32_t (*read_reg)(uint64_t address);
    /*
     See [`Device::write_reg`].
     */
    void (*write_reg)(uint64_t address, uint32_t value);
    /*
     See [`Device::copy`].
     */
    void (*copy)(uint64_t to, uint64_t from, uint64_t bytes);
    /*
     See [`Device::ticks`].
     */
    uint64_t (*ticks)(void);
    /*
     Runs a kernel: device address of its image, device address of its arguments. Cores only.
     */
    void (*call)(uint64_t kernel, uint64_t args);
    /*
     See [`Device::relax`].
     */
    void (*relax)(const struct lanescope_awaited *awaited);
    /*
     Block index of the calling core in its launch, vector cores numbered behind cube cores:
     the core index. Cores only.
     */
    uint32_t (*core_index)(void);
    /*
     Physical id of the calling core: its place in the register table. Cores only.
     */
    uint32_t (*physical_core)(void);
    /*
     Stores a file for later launches by name, as the chip's AICPU file system does; returns 0,
     or the error number. Dispatcher only.
     */
    int32_t (*store_program)(const uint8_t *name,
                             uint64_t name_bytes,
                             const uint8_t *data,
                             uint64_t data_bytes);
    /*
     See [`Device::copy_summed`].
     */
    void (*copy_summed)(uint64_t to,
                        uint64_t from,
                        uint64_t bytes,
                        struct lanescope_checksum *checksum);
} lanescope_device_table;

/*
 A task of a host-built graph. Writer: the host, before launch.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_graph_task {
    /*
     Identity that records carry; need not be unique.
     */
    uint64_t task_id;
    /*
     Device address of the kernel.
     */
    uint64_t kernel_address;
    /*
     Device address of the arguments.
     */
    uint64_t args_address;
    /*
     Number of 8-byte arguments, at most [`crate::MAX_TASK_ARGS`].
     */
    uint32_t arg_count;
    /*
     The function.
     */
    uint32_t func_id;
    /*
     [`crate::CoreType`] as a number.
     */
    uint32_t core_type;
    /*
     Index of the first successor in the successor section.
     */
    uint32_t first_successor;
    /*
     Number of successors.
     */
    uint32_t successor_count;
    /*
     Number of predecessors.
     */
    uint32_t predecessor_count;
    /*
     Index of the first tensor to record in the tensor section.
     */
    uint32_t first_tensor;
    /*
     Number of tensors to record.
     */
    uint32_t tensor_count;
    /*
     Written as 0.
     */
    uint64_t reserved;
} lanescope_graph_task;

/*
 What the host may say while the device runs. Writer: the host.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_host_line {
    /*
     The run that is to end early, or 0. Cores and AICPU threads watch it where they wait.
     */
    uint32_t abort_run;
    /*
     Written as 0.
     */
    uint32_t reserved[15];
} lanescope_host_line;

/*
 What running a kernel costs, as the kernel's own model states it (simulator builds only).

 Pipes overlap: the kernel lasts as long as its longest pipe plus `fixed_ns`.
 */
typedef struct lanescope_kernel_cost {
    /*
     When not 0, the kernel lasts exactly this long and nothing else counts.
     */
    uint64_t exact_ticks;
    /*
     Start-up and drain, outside every pipe.
     */
    uint64_t fixed_ns;
    /*
     Cycles of the cube pipe.
     */
    uint64_t cube_cycles;
    /*
     Cycles of the vector pipe.
     */
    uint64_t vector_cycles;
    /*
     Cycles of the scalar pipe.
     */
    uint64_t scalar_cycles;
    /*
     Bytes read from global memory.
     */
    uint64_t read_bytes;
    /*
     Bytes written to global memory.
     */
    uint64_t write_bytes;
    /*
     Written as 0.
     */
    uint64_t reserved;
} lanescope_kernel_cost;

/*
 The shape of one lane. Writer: the host, before launch.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_lane_config {
    /*
     [`crate::Kind`] as a number.
     */
    uint32_t kind;
    /*
     The AICPU thread that commits into the lane.
     */
    uint32_t thread;
    /*
     Buffers of the lane, and entries of each of its queues; a power of two.
     */
    uint32_t capacity;
    /*
     Records a buffer holds.
     */
    uint32_t records_per_buffer;
    /*
     Bytes of a record.
     */
    uint32_t record_bytes;
    /*
     [`Policy`] as a number.
     */
    uint32_t policy;
    /*
     Longest wait of one commit for a free buffer, with [`Policy::Block`].
     */
    uint64_t block_limit_ticks;
    /*
     Offset of the ready queue's entries, [`ReadyEntry`] each. Writer: the lane's thread.
     */
    uint64_t ready_offset_bytes;
    /*
     Offset of the free queue's entries, u32 buffer index each. Writer: the host.
     */
    uint64_t free_offset_bytes;
    /*
     Offset of the lane's buffers, `records_per_buffer * record_bytes` each.
     */
    uint64_t buffers_offset_bytes;
    /*
     Offset of the lane's arena, for payloads that records speak of. Writer: the lane's thread.
     */
    uint64_t arena_offset_bytes;
    /*
     Bytes of the arena, a multiple of 64; 0 when the kind has no payloads.
     */
    uint64_t arena_bytes;
    /*
     Written as 0.
     */
    uint64_t reserved[7];
} lanescope_lane_config;

/*
 What the device says of a lane. Writer: the lane's AICPU thread; between runs the host may reset a
 lane that a failed run left in disorder.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_lane_device {
    /*
     Ready entries written so far; runs free.
     */
    uint32_t ready_tail;
    /*
     Free entries taken so far; runs free.
     */
    uint32_t free_head;
    /*
     The buffer that is being filled, or [`NO_BUFFER`].
     */
    uint32_t filling_buffer;
    /*
     Whole records in it.
     */
    uint32_t filling_count;
    /*
     Sequence number of the next ready entry.
     */
    uint64_t sequence;
    /*
     Commits that had to wait for a buffer.
     */
    uint64_t waits;
    /*
     Ticks spent in those waits.
     */
    uint64_t blocked_ticks;
    /*
     Bytes of the arena taken so far, visible before they are overwritten; runs free.
     */
    uint64_t arena_tail;
    /*
     Written as 0.
     */
    uint64_t reserved[2];
} lanescope_lane_device;

/*
 What the host says of a lane. Writer: the host's drain thread.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_lane_host {
    /*
     Ready entries read so far; runs free.
     */
    uint32_t ready_head;
    /*
     Free entries written so far; runs free.
     */
    uint32_t free_tail;
    /*
     Bytes of the arena that are copied, or not wanted; runs free.
     */
    uint64_t arena_head;
    /*
     Written as 0.
     */
    uint32_t reserved[12];
} lanescope_lane_host;

/*
 A 4-byte word on a line of its own.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_line_word {
    /*
     The word.
     */
    uint32_t value;
    /*
     Written as 0.
     */
    uint32_t reserved[15];
} lanescope_line_word;

/*
 The work a core is handed with a token. Writer: the AICPU thread that owns the core.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_payload {
    /*
     Device address of the kernel.
     */
    uint64_t kernel_address;
    /*
     Device address of the arguments.
     */
    uint64_t args_address;
    /*
     Number of 8-byte arguments.
     */
    uint32_t arg_count;
    /*
     The token this payload is for.
     */
    uint32_t token;
    /*
     The task's identity in its graph.
     */
    uint64_t task_id;
    /*
     The run it belongs to.
     */
    uint32_t run_id;
    /*
     The function, for a post-mortem.
     */
    uint32_t func_id;
    /*
     Written as 0.
     */
    uint64_t reserved[3];
} lanescope_payload;

/*
 One stretch of what an AICPU thread did, 64 bytes. Its key is (run, thread, sequence).

 Idling is one record for one stretch, not one for each round. A wait for the host lies inside the
 stretch that had to wait.
 */
typedef struct lanescope_phase_record {
    /*
     When it began.
     */
    uint64_t begin_ticks;
    /*
     When it ended.
     */
    uint64_t end_ticks;
    /*
     0, 1, 2 … in the thread and run, dropped ones counted.
     */
    uint32_t sequence;
    /*
     The run it belongs to.
     */
    uint32_t run_id;
    /*
     [`PhaseKind`] as a number.
     */
    uint16_t phase;
    /*
     The AICPU thread.
     */
    uint16_t thread;
    /*
     The scheduler's round in which it began; of an orchestrator, the submission.
     */
    uint32_t round;
    /*
     Tasks completed or dispatched in it; of any other stretch, its rounds.
     */
    uint32_t tasks;
    /*
     Looks at a ready queue that found a task, since the thread's last record that counts looks;
     [`PhaseKind::Complete`] and [`PhaseKind::Blocked`] count none.
     */
    uint32_t hits;
    /*
     Looks that found none.
     */
    uint32_t misses;
    /*
     Written as 0.
     */
    uint32_t reserved;
    /*
     The task an orchestrator submits, else `u64::MAX`.
     */
    uint64_t task_id;
    /*
     Written as 0.
     */
    uint64_t reserved_end;
} lanescope_phase_record;

/*
 What the hardware counters of a core said of one task, 128 bytes. Its key is (run, core, token).
 */
typedef struct lanescope_pmu_record {
    /*
     The task's identity in its graph.
     */
    uint64_t task_id;
    /*
     The function the task ran.
     */
    uint32_t func_id;
    /*
     Core index in the launch.
     */
    uint16_t core;
    /*
     [`crate::CoreType`] as a number.
     */
    uint8_t core_type;
    /*
     Written as 0.
     */
    uint8_t reserved;
    /*
     The core's dispatch number.
     */
    uint32_t token;
    /*
     The run the record belongs to.
     */
    uint32_t run_id;
    /*
     Cycles between the opening and the closing of the gate.
     */
    uint64_t total_cycles;
    /*
     The counters, by number; what each counted is in [`crate::pmu`].
     */
    uint32_t counters[LANESCOPE_PMU_COUNTERS];
    /*
     Event type the counters were programmed with.
     */
    uint32_t event;
    /*
     Written as 0.
     */
    uint32_t reserved_event;
    /*
     When the record was committed.
     */
    uint64_t ticks;
    /*
     Written as 0.
     */
    uint64_t reserved_end[5];
} lanescope_pmu_record;

/*
 Second line of a staging slot where cores read their own counters. Writer: that core.

 Written, cleaned and compared as [`TaskSlot`] is, behind the same barrier and before the same FIN.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_pmu_slot {
    /*
     The dispatch number; [`crate::token::TOKEN_NONE`] while nothing was published.
     */
    uint32_t token;
    /*
     The run the slot belongs to.
     */
    uint32_t run_id;
    /*
     Cycles between the opening and the closing of the gate.
     */
    uint64_t total_cycles;
    /*
     The counters, by number.
     */
    uint32_t counters[LANESCOPE_PMU_COUNTERS];
    /*
     The dispatch number again.
     */
    uint32_t seal;
    /*
     Written as 0.
     */
    uint32_t reserved;
} lanescope_pmu_slot;

/*
 What a device program was built for; the host reads it from the program's bytes and refuses a
 program that does not match before anything is launched.
 */
typedef struct lanescope_program_descriptor {
    /*
     [`PROGRAM_MAGIC`].
     */
    uint8_t magic[8];
    /*
     [`crate::ABI_HASH`] of the build.
     */
    uint64_t abi_hash;
    /*
     [`crate::ABI_VERSION`] of the build.
     */
    uint32_t abi_version;
    /*
     [`ProgramKind`] as a number.
     */
    uint32_t kind;
    /*
     [`Chip`] as a number; 0 when the program serves every chip.
     */
    uint32_t chip;
    /*
     Ring size, 0 when the program does not depend on it.
     */
    uint32_t ring_size;
} lanescope_program_descriptor;

/*
 A full (or, at a flush, partly full) buffer handed to the host. Writer: the lane's thread.
 */
typedef struct lanescope_ready_entry {
    /*
     Buffer index in the lane.
     */
    uint32_t buffer;
    /*
     Records in it, 1..=`records_per_buffer`.
     */
    uint32_t count;
    /*
     0, 1, 2 … in the lane; a gap means a lost buffer.
     */
    uint64_t sequence;
} lanescope_ready_entry;

/*
 Words the AICPU threads share with atomics of their own. The host zeroes them (and fills the
 ready queues with the tasks that have no predecessor) before launch and never writes them again.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_scheduler_words {
    /*
     Next free entry of the ready queue by core type; the host sets it to the number of tasks
     it has queued. One line each, as heads are.
     */
    struct lanescope_line_word ready_tail[2];
    /*
     Next entry to take of the ready queue by core type.
     */
    struct lanescope_line_word ready_head[2];
    /*
     Tasks not finished yet; the host sets it to the number of tasks.
     */
    struct lanescope_line_word unfinished;
    /*
     AICPU threads that have entered; each takes its index from it.
     */
    struct lanescope_line_word entered;
    /*
     Pieces of tensors that were copied; runs free. A thread that finishes nothing for long looks
     at it, for a long copy of another one is no standstill.
     */
    struct lanescope_line_word copied;
    /*
     Set to a [`DeviceError`] by the first thread that fails; the others then stop too.
     */
    struct lanescope_line_word fault;
} lanescope_scheduler_words;

/*
 One executed task on one core, 64 bytes. Its key is (run, core, token).

 Times are raw ticks of the system counter; `dispatch` and `finish` are taken by the AICPU,
 the other three by the core. Below swimlane level 2 `dispatch` and `finish` are 0.
 */
typedef struct lanescope_task_record {
    /*
     The task's identity in its graph; one task may run several blocks.
     */
    uint64_t task_id;
    /*
     The function the task ran.
     */
    uint32_t func_id;
    /*
     Core index in the launch.
     */
    uint16_t core;
    /*
     [`crate::CoreType`] as a number.
     */
    uint8_t core_type;
    /*
     Written as 0.
     */
    uint8_t reserved;
    /*
     The core's dispatch number.
     */
    uint32_t token;
    /*
     The run the record belongs to.
     */
    uint32_t run_id;
    /*
     When the AICPU wrote `DATA_MAIN_BASE`.
     */
    uint64_t dispatch_ticks;
    /*
     When the core saw the token.
     */
    uint64_t receive_ticks;
    /*
     When the kernel began.
     */
    uint64_t start_ticks;
    /*
     When the kernel ended.
     */
    uint64_t end_ticks;
    /*
     When the AICPU saw the task finished.
     */
    uint64_t finish_ticks;
} lanescope_task_record;

/*
 One slot of a core's staging ring. Writer: that core, at `slot[token % ring_size]`.

 The host writes token 0 into every slot once, before the first launch. The core writes all
 fields, cleans the line, passes a barrier and only then writes FIN; the AICPU reads the line
 after FIN (or a later ACK) and an invalidate, and commits it only when token, run and seal match.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_task_slot {
    /*
     The dispatch number; [`crate::token::TOKEN_NONE`] while nothing was published.
     */
    uint32_t token;
    /*
     The run the slot belongs to.
     */
    uint32_t run_id;
    /*
     When the core saw the token.
     */
    uint64_t receive_ticks;
    /*
     When the kernel began.
     */
    uint64_t start_ticks;
    /*
     When the kernel ended.
     */
    uint64_t end_ticks;
    /*
     Written as 0.
     */
    uint64_t reserved[3];
    /*
     The dispatch number again, so that a half-written line is told from a whole one.
     */
    uint32_t seal;
    /*
     Written as 0.
     */
    uint32_t reserved_end;
} lanescope_task_slot;

/*
 Type, shape and place of a tensor: a window of a larger one, `raw_shape`, or any view by strides.

 The element with index `i` lies the sum of `(offsets[d] + i[d]) * strides[d]` elements behind
 `address`; of dimensions from `rank` on nothing is read.
 */
typedef struct lanescope_tensor_shape {
    /*
     Device address of the first byte of the larger tensor.
     */
    uint64_t address;
    /*
     Position among the task's arguments.
     */
    uint16_t arg_index;
    /*
     [`Role`] as a number.
     */
    uint8_t role;
    /*
     [`Dtype`] as a number.
     */
    uint8_t dtype;
    /*
     Dimensions, 0..=5.
     */
    uint8_t rank;
    /*
     Written as 0.
     */
    uint8_t reserved[3];
    /*
     Elements in each dimension.
     */
    uint32_t shape[LANESCOPE_MAX_RANK];
    /*
     Elements of the larger tensor in each dimension.
     */
    uint32_t raw_shape[LANESCOPE_MAX_RANK];
    /*
     Where the window begins in each dimension.
     */
    uint32_t offsets[LANESCOPE_MAX_RANK];
    /*
     Elements from one index to the next in each dimension.
     */
    uint32_t strides[LANESCOPE_MAX_RANK];
} lanescope_tensor_shape;

/*
 A tensor of a task that is to be recorded. Writer: the host, before launch.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_task_tensor {
    /*
     Type, shape and place.
     */
    struct lanescope_tensor_shape tensor;
    /*
     Bytes of memory behind `tensor.address`; no element lies beyond.
     */
    uint64_t raw_bytes;
    /*
     Bit 0: before dispatch; bit 1: after completion.
     */
    uint32_t stages;
    /*
     Written as 0.
     */
    uint32_t reserved;
    /*
     Written as 0.
     */
    uint64_t reserved_end[2];
} lanescope_task_tensor;

/*
 A tensor of a task at one moment, 192 bytes. Its key is (run, core, token, stage, argument).

 Its bytes are in the arena of the lane, the logical tensor in row-major order: at
 `payload_begin` an [`ArenaMark`], then `payload_bytes` padded with zeros to whole lines, then an
 [`ArenaMark`] again. Positions run free; the place is the position modulo the arena.
 */
typedef struct lanescope_tensor_record {
    /*
     The task's identity in its graph.
     */
    uint64_t task_id;
    /*
     The function the task runs.
     */
    uint32_t func_id;
    /*
     Core index in the launch.
     */
    uint16_t core;
    /*
     [`crate::CoreType`] as a number.
     */
    uint8_t core_type;
    /*
     Written as 0.
     */
    uint8_t reserved;
    /*
     The core's dispatch number.
     */
    uint32_t token;
    /*
     The run the record belongs to.
     */
    uint32_t run_id;
    /*
     What was recorded.
     */
    struct lanescope_tensor_shape tensor;
    /*
     [`Stage`] as a number.
     */
    uint8_t stage;
    /*
     Not 0 when not all of the tensor is there.
     */
    uint8_t is_truncated;
    /*
     Written as 0.
     */
    uint8_t reserved_stage[6];
    /*
     Where its entry in the arena begins; runs free.
     */
    uint64_t payload_begin;
    /*
     Bytes that are there.
     */
    uint64_t payload_bytes;
    /*
     Bytes of the whole logical tensor.
     */
    uint64_t tensor_bytes;
    /*
     0, 1, 2 … in the lane since the region was made, dropped ones counted.
     */
    uint64_t sequence;
    /*
     [`crate::checksum`] of the payload.
     */
    uint64_t checksum;
    /*
     When its first byte was read.
     */
    uint64_t ticks;
    /*
     Written as 0.
     */
    uint64_t reserved_end[2];
} lanescope_tensor_record;

/*
 Where an AICPU thread is. Writer: that thread.

 Written on every change of phase, before any error return, and at least once every
 1024 finished tasks; the host reads it on every tick.
 */
typedef struct LANESCOPE_ALIGNED(64) lanescope_thread_status {
    /*
     The run this line speaks of.
     */
    uint32_t run_id;
    /*
     [`Phase`] as a number.
     */
    uint32_t phase;
    /*
     [`DeviceError`] as a number.
     */
    uint32_t error;
    /*
     The core an error is about, else `u32::MAX`.
     */
    uint32_t core;
    /*
     The token an error is about, else 0.
     */
    uint32_t token;
    /*
     `DATA_MAIN_BASE` of that core, as last written.
     */
    uint32_t data_main_base;
    /*
     `COND` of that core, as last read.
     */
    uint32_t cond;
    /*
     For an ABI error, the [`AbiField`] that differs.
     */
    uint32_t field;
    /*
     The limit that ran out; for an ABI error, the device's value.
     */
    uint64_t detail;
    /*
     Ticks when the thread entered the run.
     */
    uint64_t begin_ticks;
    /*
     Ticks of this update.
     */
    uint64_t ticks;
    /*
     Tasks this thread has seen finished in this run.
     */
    uint64_t completed;
} lanescope_thread_status;

#endif  /* LANESCOPE_ABI_H */

#ifdef __cplusplus
static_assert(sizeof(lanescope_task_record) == 64, "a task record is one line");
static_assert(sizeof(lanescope_task_slot) == 64, "a staging slot is one line");
static_assert(sizeof(lanescope_core_order) == 64, "an order is one line");
static_assert(sizeof(lanescope_core_answer) == 64, "an answer is one line");
static_assert(sizeof(lanescope_payload) == 64, "a payload is one line");
static_assert(sizeof(lanescope_graph_task) == 64, "a task is one line");
static_assert(sizeof(lanescope_thread_status) == 64, "a status is one line");
static_assert(sizeof(lanescope_kernel_cost) == 64, "a cost has eight words");
static_assert(sizeof(lanescope_control_header) % 64 == 0, "the header is whole lines");
static_assert(offsetof(lanescope_control_header, host) == 96, "sections follow the words");
static_assert(sizeof(lanescope_pmu_slot) == 64, "a line of counters is one line");
static_assert(sizeof(lanescope_phase_record) == 64, "a phase record is one line");
static_assert(sizeof(lanescope_pmu_record) == 128, "a PMU record is two lines");
static_assert(sizeof(lanescope_tensor_record) == 192, "a tensor record is three lines");
static_assert(offsetof(lanescope_task_slot, seal) == 56, "the seal is behind the fields");
static_assert(sizeof(lanescope_device_table) == 8 * 18, "a table has eighteen words");
#endif
