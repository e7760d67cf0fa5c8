/*
 * Recording for a scheduler of your own: link the AICPU program's static library, built without its
 * feature `schedule`, and define the entries that the vendor's loader calls.
 *
 * One recorder an AICPU thread and run. Every function returns 0 or a lanescope_device_error; no
 * other thread may use the recorder at the same time.
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
 finds the thread's cores and lane, and fills each core's order line but for `ready_run` and
 `registers_run`. The recorder lives in `storage` and needs no release.

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

 # Safety

 - `recorder` is null or attached, and no other thread uses it now.
 */
int32_t lanescope_record_enter(struct lanescope_recorder *recorder, uint32_t phase);

/*
 The token that the next dispatch to `core` gets; its payload goes to slot `token % ring_size`.

 # Safety

 - As for `lanescope_record_enter`; `token` is null or valid for one word.
 */
int32_t lanescope_record_next_token(struct lanescope_recorder *recorder,
                                    uint32_t core,
                                    uint32_t *token);

/*
 Notes that a task goes to `core` and gives its token. Call it when the payload stands and a store
 barrier has passed, right before the token is written to `DATA_MAIN_BASE`.

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
 their tasks, oldest first.

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
 only after it.

 # Safety

 - As for `lanescope_record_enter`.
 */
int32_t lanescope_record_open_counters(struct lanescope_recorder *recorder,
                                       uint32_t core,
                                       uint32_t physical_core);

/*
 Puts the switches of all cores' counters back: when the cores have left, and before any error return.

 # Safety

 - As for `lanescope_record_enter`.
 */
int32_t lanescope_record_close_counters(struct lanescope_recorder *recorder);

/*
 Hands over what is left in the buffers: once nothing is in flight, and before any error return.

 # Safety

 - As for `lanescope_record_enter`.
 */
int32_t lanescope_record_flush(struct lanescope_recorder *recorder);

/*
 Says in the status line why the thread leaves; the first failure stays.

 # Safety

 - As for `lanescope_record_enter`; `failure` is null or valid.
 */
int32_t lanescope_record_fail(struct lanescope_recorder *recorder,
                              const struct lanescope_record_failure *failure);

/*
 Leaves the run: the status line says done, or keeps the failure and the phase it happened in.

 # Safety

 - As for `lanescope_record_enter`.
 */
int32_t lanescope_record_leave(struct lanescope_recorder *recorder);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LANESCOPE_RECORD_H */
