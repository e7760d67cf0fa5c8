/*
 * Recording for a scheduler of your own: link the AICPU program's static library, built without its
 * feature `schedule`, and define the entries that the vendor's loader calls.
 *
 * One recorder an AICPU thread and run: the thread that attached it makes every call on it, threads
 * with recorders of their own do not wait for each other. Every function returns 0 or a
 * lanescope_device_error; LANESCOPE_DEVICE_ERROR_INTERNAL is a call that cannot be, and a null recorder.
 *
 * In the order of a run: attach; enter HANDSHAKE and open_counters for each core; enter RUNNING, and
 * round by round commit, begin_tensor and copy_tensor, next_token and dispatched, phase; flush; enter
 * EXIT, make the cores leave, close_counters; leave. On an error: fail, flush, make the cores leave,
 * commit_after_exit for each, close_counters, flush, leave. Own lanes are attached behind the
 * recorder and flushed with it. What the host did not ask for (phases,
 * counters) costs a branch and leaves nothing.
 */

#ifndef LANESCOPE_RECORD_H
#define LANESCOPE_RECORD_H

/* Generated from crates/aicpu/program by cbindgen; do not edit. */

#include "lanescope_abi.h"

/*
 Room for tags that a commit may need: as many tokens as can be in flight on a core.
 */
#define LANESCOPE_RECORD_MAX_TAGS 16

/*
 Alignment of the storage of a recorder.
 */
#define LANESCOPE_RECORD_ALIGN 64

/*
 Phases of a scheduler are recorded: from swimlane level 3 on.
 */
#define LANESCOPE_RECORD_PHASES 1

/*
 Phases of an orchestrator are recorded: from swimlane level 4 on.
 */
#define LANESCOPE_RECORD_ORCHESTRATOR 2

/*
 Tensors are recorded: those that `tensors` of the control header lists.
 */
#define LANESCOPE_RECORD_TENSORS 4

/*
 How far the copy of a tensor has come.
 */
enum lanescope_record_copied
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /*
     Nothing was copied, for lack of room; to be tried again, until a time at the latest.
     */
    LANESCOPE_RECORD_COPIED_STANDS = 0,
    /*
     A piece.
     */
    LANESCOPE_RECORD_COPIED_PIECE = 1,
    /*
     All of it, or it was dropped and counted: the tensor is done.
     */
    LANESCOPE_RECORD_COPIED_WHOLE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lanescope_record_copied lanescope_record_copied;
#else
typedef uint32_t lanescope_record_copied;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 The lane of one AICPU thread for records of a kind of your own, in the caller's storage.
 */
typedef struct lanescope_own_lane lanescope_own_lane;

/*
 The recorder of one AICPU thread in one run, in the caller's storage.

 Later fields borrow from earlier ones, which stay where they are.
 */
typedef struct lanescope_recorder lanescope_recorder;

/*
 What a scheduler says of its failure in the thread's status line.
 */
typedef struct lanescope_record_failure {
    /*
     A `lanescope_device_error`.
     */
    uint32_t error;
    /*
     The core it is about, else `UINT32_MAX`.
     */
    uint32_t core;
    /*
     The token it is about, else 0.
     */
    uint32_t token;
    /*
     `DATA_MAIN_BASE` of that core as last written, else 0.
     */
    uint32_t data_main_base;
    /*
     `COND` of that core as last read, else 0.
     */
    uint32_t cond;
    /*
     Written as 0.
     */
    uint32_t reserved;
    /*
     The limit that ran out, in ticks, else 0.
     */
    uint64_t limit_ticks;
} lanescope_record_failure;

/*
 One stretch of what an AICPU thread did.
 */
typedef struct lanescope_record_stretch {
    /*
     When it began, in ticks of the device.
     */
    uint64_t begin_ticks;
    /*
     When it ended.
     */
    uint64_t end_ticks;
    /*
     The task an orchestrator submits, else `UINT64_MAX`.
     */
    uint64_t task_id;
    /*
     What it was: a `lanescope_phase_kind`.
     */
    uint32_t kind;
    /*
     The scheduler's round in which it began; of an orchestrator, the submission, from 0.
     */
    uint32_t round;
    /*
     Tasks completed or dispatched in it; of any other stretch, its rounds.
     */
    uint32_t tasks;
    /*
     Looks at a ready queue that found a task, since the last stretch that counts looks.
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
} lanescope_record_stretch;

/*
 Whose tensor it is.
 */
typedef struct lanescope_record_owner {
    /*
     The task's identity in its graph.
     */
    uint64_t task_id;
    /*
     The function it runs.
     */
    uint32_t func_id;
    /*
     Its core, which belongs to the thread.
     */
    uint32_t core;
    /*
     Its token on that core: what `lanescope_record_next_token` says before it is dispatched, and what
     `lanescope_record_dispatched` said after it has finished.
     */
    uint32_t token;
    /*
     Written as 0.
     */
    uint32_t reserved;
} lanescope_record_owner;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The bound table, for a scheduler in C++; null before `lanescope_bind`.
 */
const lanescope_device_table *lanescope_device(void);

/*
 Bytes of storage that a recorder needs, aligned to `LANESCOPE_RECORD_ALIGN`.
 */
uint64_t lanescope_record_bytes(void);

/*
 Attaches AICPU thread `thread` to the control region at `control_address`: checks both headers,
 finds the thread's cores and lanes, and fills each core's order line but for `ready_run` and
 `registers_run`. Once a thread and run, before anything else, by that thread. The recorder lives in
 `storage` and needs no release.

 Returns 0; `BAD_LAYOUT`, `ABI_MISMATCH` or `CORRUPT_QUEUE` when the regions are not what this program
 was built for, which the status line says already; `INTERNAL` for a thread that the launch does not
 have, or storage that is null, too small or not aligned.

 # Safety

 - `storage` is valid for `storage_bytes` bytes for the whole run, `recorder` for one pointer.
 - `control_address` is a control region that the host keeps for the whole run.
 */
int32_t lanescope_record_attach(uint64_t control_address,
                                uint32_t thread,
                                uint8_t *storage,
                                uint64_t storage_bytes,
                                struct lanescope_recorder **recorder);

/*
 Enters a phase (a `lanescope_phase`) in the thread's status line.

 Returns 0; `INTERNAL` for a number that is no phase, or a null recorder, as every function does.

 # Safety

 - `recorder` is null or attached, and no other thread uses it now.
 */
int32_t lanescope_record_enter(struct lanescope_recorder *recorder, uint32_t phase);

/*
 The token that the next dispatch to `core` gets; its payload goes to slot `token % ring_size`.

 Returns 0; `INTERNAL` for a core that is not the thread's, or that has `issue_depth` tokens in flight.

 # Safety

 - As for `lanescope_record_enter`; `token` is null or valid for one word.
 */
int32_t lanescope_record_next_token(struct lanescope_recorder *recorder,
                                    uint32_t core,
                                    uint32_t *token);

/*
 Notes that a task goes to `core` and gives its token. Call it when the payload stands and a store
 barrier has passed, right before the token is written to `DATA_MAIN_BASE`.

 Returns 0; `INTERNAL` as `lanescope_record_next_token`.

 # Safety

 - As for `lanescope_record_next_token`.
 */
int32_t lanescope_record_dispatched(struct lanescope_recorder *recorder,
                                    uint32_t core,
                                    uint64_t task_id,
                                    uint32_t func_id,
                                    uint32_t tag,
                                    uint32_t *token);

/*
 Commits every token of `core` that `cond`, as just read, proves finished, and gives the tags of
 their tasks, oldest first. It may wait for a buffer, at most the lane's limit.

 Returns 0, also when nothing has finished; `BAD_COND` when the core cannot have said that;
 `CORRUPT_QUEUE`; `INTERNAL` for a core that is not the thread's.

 # Safety

 - As for `lanescope_record_enter`; `tags` is valid for `LANESCOPE_RECORD_MAX_TAGS` words and
   `count` for one.
 */
int32_t lanescope_record_commit(struct lanescope_recorder *recorder,
                                uint32_t core,
                                uint32_t cond,
                                uint32_t *tags,
                                uint32_t *count);

/*
 Commits what `core` has still finished before an EXIT that cut the run short; call it when COND
 says that the core has left.

 Returns 0; `CORRUPT_QUEUE`; `INTERNAL` for a core that is not the thread's.

 # Safety

 - As for `lanescope_record_commit`.
 */
int32_t lanescope_record_commit_after_exit(struct lanescope_recorder *recorder,
                                           uint32_t core,
                                           uint32_t *tags,
                                           uint32_t *count);

/*
 Programs the hardware counters of `core`, which has answered that it is `physical_core`, and switches
 them on; nothing while they are off in this run. Call it before `registers_run` is written.

 Where the AICPU reads the counters, `lanescope_record_commit` does, and the core gets its next token
 only after it: such a launch has `issue_depth` 1.

 Returns 0; `BAD_ANSWER` when the host knows no counters of such a physical core; `INTERNAL` for a core
 that is not the thread's.

 # Safety

 - As for `lanescope_record_enter`.
 */
int32_t lanescope_record_open_counters(struct lanescope_recorder *recorder,
                                       uint32_t core,
                                       uint32_t physical_core);

/*
 Puts the switches of all cores' counters back: when the cores have left, and before any error return.
 Nothing while they are off, and nothing the second time.

 Returns 0.

 # Safety

 - As for `lanescope_record_enter`.
 */
int32_t lanescope_record_close_counters(struct lanescope_recorder *recorder);

/*
 Hands over what is left in the buffers of all lanes: once nothing is in flight and the last phase is
 recorded, and before any error return. A tensor that is under way is broken off and leaves nothing.

 Returns 0; `CORRUPT_QUEUE`.

 # Safety

 - As for `lanescope_record_enter`.
 */
int32_t lanescope_record_flush(struct lanescope_recorder *recorder);

/*
 Says in the status line why the thread leaves; the first failure stays.

 Returns 0; `INTERNAL` for a null failure or an unknown error number.

 # Safety

 - As for `lanescope_record_enter`; `failure` is null or valid.
 */
int32_t lanescope_record_fail(struct lanescope_recorder *recorder,
                              const struct lanescope_record_failure *failure);

/*
 Leaves the run: the status line says done, or keeps the failure and the phase it happened in. The last
 call of a thread.

 Returns 0.

 # Safety

 - As for `lanescope_record_enter`.
 */
int32_t lanescope_record_leave(struct lanescope_recorder *recorder);

/*
 What is recorded in this run beside tasks: the sum of `LANESCOPE_RECORD_PHASES`,
 `LANESCOPE_RECORD_ORCHESTRATOR` and `LANESCOPE_RECORD_TENSORS`, as far as they are on. The same for the
 whole run, so ask once; who records no phases need not read the clock for them.

 Returns 0; `INTERNAL` when a pointer is null.

 # Safety

 - As for `lanescope_record_enter`; `collected` is null or valid for one word.
 */
int32_t lanescope_record_collected(struct lanescope_recorder *recorder,
                                   uint32_t *collected);

/*
 Says that the scheduler's round `round` begins. A wait for a buffer that a commit takes is recorded by
 itself, as `LANESCOPE_PHASE_KIND_BLOCKED`, with the round that was entered last.

 Returns 0.

 # Safety

 - As for `lanescope_record_enter`.
 */
int32_t lanescope_record_enter_round(struct lanescope_recorder *recorder,
                                     uint32_t round);

/*
 Records a stretch of what the thread did, when it is over: a scheduler's from swimlane level 3 on, an
 orchestrator's at level 4; below that it does nothing and counts nothing. Stretches of a thread follow
 one another and do not overlap; idling is one stretch until something else begins. An orchestrator on
 a thread of its own attaches a recorder as that thread, with or without cores.

 It may wait for a buffer, at most the lane's limit; a stretch for which there is none then is dropped
 and counted.

 Returns 0; `CORRUPT_QUEUE`; `INTERNAL` for a null stretch, a kind that is none, or an end before the
 beginning.

 # Safety

 - As for `lanescope_record_enter`; `stretch` is null or valid.
 */
int32_t lanescope_record_phase(struct lanescope_recorder *recorder,
                               const struct lanescope_record_stretch *stretch);

/*
 Begins with a tensor of a task at a stage (a `lanescope_stage`): before its task is dispatched, or after
 it was committed and before any successor is released. The task's memory stays as it is until
 `lanescope_record_copy_tensor` has said `WHOLE`; there is no other end. One tensor at a time a thread.

 A tensor that the host lists is an item of `tensors` of the control header, whose lines the caller has
 invalidated; it is to be recorded at the stages of its `stages`, once each. What is listed and never
 begun is missing in the run's verdict.

 Returns 0; `BAD_GRAPH` for a tensor of no known type, or one that reaches outside its memory;
 `INTERNAL` for a null or misaligned pointer, a number that is no stage or no token, a core that is not
 the thread's, a tensor that is still under way, or when tensors are not recorded in this run.

 # Safety

 - As for `lanescope_record_enter`; `owner` and `tensor` are null or valid.
 - The memory that `tensor` names is device memory, until the tensor is whole.
 */
int32_t lanescope_record_begin_tensor(struct lanescope_recorder *recorder,
                                      const struct lanescope_record_owner *owner,
                                      const lanescope_task_tensor *tensor,
                                      uint32_t stage);

/*
 Copies the next piece of the tensor that is under way, at most `budget_bytes`, from which it takes off
 what that cost, and says in `copied` (a `lanescope_record_copied`) how far it has come. Begin a round
 with `tensor_piece_bytes` of the control header as the budget, and look at the cores again when it is 0:
 then no core waits longer than that takes, however many tensors it is.

 `until_ticks` is written with `STANDS` alone: at that time the next call drops the tensor, or cuts it
 where the policy is `truncate`. Wait with `lanescope_record_awaited_room` among the awaited words.

 Returns 0; `CORRUPT_QUEUE`; `INTERNAL` for a null pointer, a budget of 0, or when no tensor is under way.

 # Safety

 - As for `lanescope_record_enter`; `budget_bytes`, `copied` and `until_ticks` are null or valid for one
   word.
 */
int32_t lanescope_record_copy_tensor(struct lanescope_recorder *recorder,
                                     uint64_t *budget_bytes,
                                     uint32_t *copied,
                                     uint64_t *until_ticks);

/*
 The word that ends the wait of a tensor that stands, for `relax`; `is_there` says whether a tensor
 stands, else the word is left as it is.

 Returns 0; `INTERNAL` when a pointer is null.

 # Safety

 - As for `lanescope_record_enter`; `word` and `is_there` are null or valid.
 */
int32_t lanescope_record_awaited_room(struct lanescope_recorder *recorder,
                                      lanescope_awaited_word *word,
                                      uint32_t *is_there);

/*
 Bytes of storage that an own lane needs, aligned to `LANESCOPE_RECORD_ALIGN`.
 */
uint64_t lanescope_own_lane_bytes(void);

/*
 Attaches to the lane of the recorder's thread for records of `record_bytes`, a multiple of 64, of a
 `kind` from 256 to 4095, for which the host has a collector. Once a thread, run and kind, by that thread,
 after `lanescope_record_attach`. The lane lives in `storage` and needs no release; only that thread uses
 it.

 Returns 0; `BAD_LAYOUT` when the host has no such lane in this run; `CORRUPT_QUEUE`; `INTERNAL` for a
 kind that is not one's own, a null pointer, or storage that is too small or not aligned.

 # Safety

 - As for `lanescope_record_enter`; `storage` is null or valid for `storage_bytes` bytes for the whole
   run, `lane` is null or valid for one pointer.
 */
int32_t lanescope_own_lane_attach(struct lanescope_recorder *recorder,
                                  uint32_t kind,
                                  uint32_t record_bytes,
                                  uint8_t *storage,
                                  uint64_t storage_bytes,
                                  struct lanescope_own_lane **lane);

/*
 Commits a record that is about `core`, or of the thread with core 0: one count in `total`, and then
 exactly one fate. `is_placed` says whether it went into a buffer; if not it is dropped, and counted, by
 the lane's policy. It may wait for a buffer, at most the lane's limit.

 Returns 0, also for a record that is dropped; `CORRUPT_QUEUE`; `INTERNAL` for a null pointer or a core
 that the launch does not have.

 # Safety

 - `lane` is null or attached, and no other thread uses it now.
 - `record` is null or valid for `record_bytes` of the lane, `is_placed` null or valid for one word.
 */
int32_t lanescope_own_lane_commit(struct lanescope_own_lane *lane,
                                  uint32_t core,
                                  const uint8_t *record,
                                  uint32_t *is_placed);

/*
 Hands over what is left in the buffer: before the thread leaves the run, and before any error return.

 Returns 0; `CORRUPT_QUEUE`; `INTERNAL` for a null lane.

 # Safety

 - `lane` is null or attached, and no other thread uses it now.
 */
int32_t lanescope_own_lane_flush(struct lanescope_own_lane *lane);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LANESCOPE_RECORD_H */
