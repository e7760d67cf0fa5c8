//! The table of mutants, by the ordering of the protocol that each weakens.

use crate::checker::Checker;
use crate::programs::LIBRARY;
use Checker::{Loom, Mutants, Shuttle};

/// A step that can be weakened, and the test that must notice.
#[derive(Debug)]
pub struct Mutant {
    /// Number of the ordering in `docs/testing.md`.
    pub ordering: &'static str,
    /// Its name in `LANESCOPE_MUTANT`.
    pub name: &'static str,
    /// The step, and what is done to it.
    pub place: &'static str,
    /// How its test is compiled.
    pub checker: Checker,
    /// Package of its test.
    pub package: &'static str,
    /// Target of its test.
    pub target: &'static str,
    /// Its test.
    pub test: &'static str,
}

/// A row of the table.
const fn row(
    ordering: &'static str,
    name: &'static str,
    place: &'static str,
    (checker, package, target): (Checker, &'static str, &'static str),
    test: &'static str,
) -> Mutant {
    Mutant {
        ordering,
        name,
        place,
        checker,
        package,
        target,
        test,
    }
}

const RING: (Checker, &str, &str) = (Loom, "lanescope-ring", "loom");
const AICPU: (Checker, &str, &str) = (Loom, "lanescope-aicpu", "loom");
const CHIP: (Checker, &str, &str) = (Mutants, "lanescope-aicpu", "chip");
const EXECUTOR: (Checker, &str, &str) = (Mutants, "lanescope-aicore", "executor");
const THREADS: (Checker, &str, &str) = (Shuttle, "lanescope-profiling", "shuttle");
const DRAIN: (Checker, &str, &str) = (Loom, "lanescope-profiling", LIBRARY);
const SESSIONS: (Checker, &str, &str) = (Mutants, "lanescope-runtime", "sessions");
/// Of the host nothing is weakened here, so it is the ordinary build; see [`super::build`].
const STALENESS: (Checker, &str, &str) = (Checker::None, "lanescope-conformance", "staleness");

const OWN_COUNTERS: &str = "pmu::every_task_has_its_own_counters_at_every_level";
const ARENA: &str =
    "order::an_arena_is_taken_before_it_is_written_and_a_record_comes_after_its_payload";
const ON_A2A3: &str = "runs_follow_each_other_on_a2a3sim";
const ON_A5: &str = "runs_follow_each_other_on_a5sim";
const TOKENS: &str = "a_core_takes_its_tokens_in_order_across_the_wrap_and_leaves_on_exit";
const SAME_CALLS: &str = "cpp_and_rust_publish_the_same_bytes_by_the_same_calls";
const ANSWER: &str = "the_answer_of_a_core_is_visible_before_the_word_that_says_so";
const RUN_AFTER_RUN: &str = "every_record_is_in_the_capture_or_counted_run_after_run";
const COHERENT: &str = "interleavings::a_coherent_lane_of_one_buffer_is_drained";
const COPIED: &str = "interleavings::a_copied_lane_of_one_buffer_is_drained";
const ATTACHED: &str = "protocol::an_attached_recorder_has_filled_the_order_lines";
const HANDSHAKE: &str = "protocol::a_core_sees_its_order_line_whole_and_leaves_when_told";
const ONE_SLOT: &str = "protocol::one_slot_is_published_committed_and_used_again";
const TWO_SLOTS: &str = "protocol::two_slots_with_two_tokens_in_flight_across_the_wrap";
const ONE_BUFFER: &str = "lane::one_buffer_goes_to_and_fro";
const ROOM: &str = "arena::room_goes_to_and_fro";
const SALVAGE: &str = "lane::a_count_of_records_comes_after_the_records";

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    row(
        "1",
        "order-line-unfenced",
        "record: order line before ready_run",
        AICPU,
        ATTACHED,
    ),
    row(
        "1",
        "answer-unfenced",
        "schedule: answer_run before the answer",
        AICPU,
        HANDSHAKE,
    ),
    row(
        "1",
        "answer-in-one-piece",
        "core: its answer before answer_run",
        EXECUTOR,
        ANSWER,
    ),
    row(
        "1",
        "answer-in-one-piece",
        "core: its answer before answer_run",
        AICPU,
        HANDSHAKE,
    ),
    row(
        "1",
        "order-not-invalidated",
        "core: its order line",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "1",
        "order-not-invalidated",
        "core: its order line",
        STALENESS,
        ON_A5,
    ),
    row(
        "1",
        "header-not-invalidated-by-core",
        "core: the header",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "1",
        "answer-not-cleaned",
        "core: its answer",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "1",
        "answer-not-invalidated",
        "schedule: a core's answer",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "1",
        "answer-not-invalidated",
        "schedule: a core's answer",
        STALENESS,
        ON_A5,
    ),
    row(
        "1",
        "exit-not-invalidated",
        "schedule: a core's exit",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "1",
        "exit-not-invalidated",
        "schedule: a core's exit",
        STALENESS,
        ON_A5,
    ),
    row(
        "1",
        "header-not-invalidated",
        "attach: the header",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "1",
        "core-configs-not-invalidated",
        "attach: first tokens and owners of cores",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "1",
        "capture-not-invalidated",
        "attach: capture header and lanes",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "1",
        "counters-not-invalidated",
        "attach: counters of a new region",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "1",
        "lane-line-not-invalidated",
        "attach: the device's line of a lane",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "2",
        "publish-unfenced",
        "publish: slot before FIN",
        AICPU,
        ONE_SLOT,
    ),
    row(
        "2",
        "cond-unfenced",
        "commit: COND before the slot",
        AICPU,
        ONE_SLOT,
    ),
    row(
        "2",
        "ack-proves-itself",
        "commit: ACK(t) taken for FIN(t)",
        AICPU,
        ONE_SLOT,
    ),
    row(
        "2",
        "slot-not-cleaned",
        "core: the staging slot",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "2",
        "slot-not-cleaned",
        "core: the staging slot",
        STALENESS,
        ON_A5,
    ),
    row(
        "2",
        "publish-not-cleaned",
        "publish: the staging slot",
        EXECUTOR,
        SAME_CALLS,
    ),
    row(
        "2",
        "pmu-slot-not-cleaned",
        "core: the counters behind a staging slot",
        STALENESS,
        ON_A5,
    ),
    row(
        "2",
        "slot-not-invalidated",
        "commit: the staging slot",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "2",
        "slot-not-invalidated",
        "commit: the staging slot",
        STALENESS,
        ON_A5,
    ),
    row(
        "2",
        "slot-unfenced",
        "core: slot before FIN",
        EXECUTOR,
        TOKENS,
    ),
    row(
        "2",
        "pmu-slot-not-invalidated",
        "commit: the counters behind a staging slot",
        CHIP,
        OWN_COUNTERS,
    ),
    row(
        "3",
        "pmu-read-after-token",
        "commit: counters read when the core has its next token",
        CHIP,
        OWN_COUNTERS,
    ),
    row(
        "3",
        "payload-unfenced",
        "dispatch: payload before DATA_MAIN_BASE",
        AICPU,
        ONE_SLOT,
    ),
    row(
        "3",
        "depth-overrun",
        "dispatch: one token too many in flight",
        AICPU,
        TWO_SLOTS,
    ),
    row(
        "3",
        "payload-not-invalidated",
        "core: the payload",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "3",
        "payload-not-invalidated",
        "core: the payload",
        STALENESS,
        ON_A5,
    ),
    row(
        "3",
        "arena-head-not-invalidated",
        "copy: arena head",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "3",
        "args-not-invalidated",
        "core: the arguments",
        EXECUTOR,
        TOKENS,
    ),
    row(
        "4",
        "total-left-out",
        "commit: attempt not counted",
        CHIP,
        "order::an_attempt_is_counted_before_its_fate",
    ),
    row(
        "4",
        "total-twice",
        "commit: attempt counted twice",
        CHIP,
        "order::an_attempt_is_counted_before_its_fate",
    ),
    row(
        "4",
        "total-late",
        "commit: attempt counted after its fate",
        CHIP,
        "order::an_attempt_is_counted_before_its_fate",
    ),
    row(
        "5",
        "record-unfenced",
        "commit: record before the count of records",
        AICPU,
        SALVAGE,
    ),
    row(
        "5",
        "tail-unfenced",
        "rotate: ready entry before ready tail",
        AICPU,
        ONE_BUFFER,
    ),
    row(
        "5",
        "tail-unsettled",
        "rotate: ready tail before the buffer is forgotten",
        AICPU,
        "lane::a_buffer_is_handed_over_before_it_is_forgotten",
    ),
    row(
        "5",
        "arena-tail-late",
        "copy: arena tail before payload",
        CHIP,
        ARENA,
    ),
    row(
        "5",
        "arena-tail-late",
        "copy: arena tail before payload",
        AICPU,
        "arena::a_tail_tells_what_was_overwritten",
    ),
    row(
        "5",
        "payload-after-record",
        "copy: end of a payload before its record",
        AICPU,
        ROOM,
    ),
    row(
        "3",
        "arena-head-unfenced",
        "copy: arena head before the room is used again",
        AICPU,
        ROOM,
    ),
    row(
        "5",
        "payload-after-record",
        "copy: end of a payload before its record",
        CHIP,
        ARENA,
    ),
    row(
        "6",
        "rotate-late",
        "rotate: full buffer kept until the next record",
        CHIP,
        "order::a_full_buffer_goes_at_once_and_the_next_is_taken_when_needed",
    ),
    row(
        "6",
        "take-early",
        "rotate: next buffer taken at once",
        CHIP,
        "order::a_full_buffer_goes_at_once_and_the_next_is_taken_when_needed",
    ),
    row(
        "7",
        "ring-tail-first",
        "push: ready or free tail before its entry",
        RING,
        "a_consumer_sees_every_entry_whole_and_in_order",
    ),
    row(
        "7",
        "ring-head-first",
        "pop: head before the entry was read",
        RING,
        "a_consumer_sees_every_entry_whole_and_in_order",
    ),
    row(
        "7",
        "host-line-unfenced",
        "take: free tail before the free entry",
        AICPU,
        ONE_BUFFER,
    ),
    row(
        "7",
        "tail-not-acquired",
        "drain: ready tail before entry and records",
        DRAIN,
        COHERENT,
    ),
    row(
        "7",
        "host-not-released",
        "drain: entry and records before head and tail",
        DRAIN,
        COHERENT,
    ),
    row(
        "7",
        "host-line-not-invalidated",
        "take: the host's line of a lane",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "7",
        "free-entry-not-invalidated",
        "take: the free entry",
        STALENESS,
        ON_A2A3,
    ),
    row(
        "7",
        "lanes-not-pulled",
        "drain: the device's line of a lane",
        DRAIN,
        COPIED,
    ),
    row(
        "7",
        "entries-not-pulled",
        "drain: ready entries",
        DRAIN,
        COPIED,
    ),
    row("7", "records-not-pulled", "drain: records", DRAIN, COPIED),
    row(
        "7",
        "counters-not-pulled",
        "drain: counters",
        THREADS,
        RUN_AFTER_RUN,
    ),
    row(
        "7",
        "hosts-not-pushed",
        "drain: the host's lines",
        DRAIN,
        COPIED,
    ),
    row(
        "7",
        "heads-with-buffers",
        "drain: heads before buffers",
        DRAIN,
        COPIED,
    ),
    row(
        "7",
        "returned-before-copied",
        "drain: buffer before it goes back",
        DRAIN,
        COHERENT,
    ),
    row(
        "8",
        "drain-without-last-pass",
        "stop: the drain's last pass",
        THREADS,
        RUN_AFTER_RUN,
    ),
    row(
        "8",
        "stop-read-after-pass",
        "stop: read after the pass",
        THREADS,
        RUN_AFTER_RUN,
    ),
    row(
        "8",
        "stop-without-notify",
        "stop: the drain is not woken",
        THREADS,
        RUN_AFTER_RUN,
    ),
    row(
        "8",
        "reconcile-before-writer",
        "stop: reconcile before the writer has ended",
        THREADS,
        "a_file_that_gets_full_loses_only_what_is_said",
    ),
    row(
        "8",
        "writer-ends-before-drain",
        "stop: the writer before the drain",
        THREADS,
        RUN_AFTER_RUN,
    ),
    row(
        "9",
        "collectors-left-running",
        "run: collectors after a failed launch",
        SESSIONS,
        "runs::a_failed_run_leaves_a_partial_capture",
    ),
    row(
        "9",
        "abort-not-invalidated",
        "schedule: the host's word",
        CHIP,
        "schedule::the_host_can_end_a_run",
    ),
    row(
        "9",
        "abort-not-invalidated-by-core",
        "core: the host's word",
        EXECUTOR,
        "a_core_between_tokens_leaves_at_the_hosts_word",
    ),
    row(
        "10",
        "handshake-unlimited",
        "schedule: wait for a core's answer",
        CHIP,
        "schedule::a_dead_core_is_named_and_the_others_leave",
    ),
    row(
        "10",
        "scheduler-unlimited",
        "schedule: wait for a finished task",
        CHIP,
        "schedule::a_core_that_hangs_is_named_with_its_registers",
    ),
    row(
        "10",
        "exit-unlimited",
        "schedule: wait for a core to leave",
        CHIP,
        "schedule::a_core_that_hangs_is_named_with_its_registers",
    ),
    row(
        "10",
        "block-unlimited",
        "commit: wait for a free buffer",
        CHIP,
        "schedule::block_waits_once_then_drops_without_waiting",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The names in calls of `is_mutant` and `LANESCOPE_IS_MUTANT` below a folder.
    fn sites(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sites(&path, names);
            } else if let Ok(text) = std::fs::read_to_string(&path)
                && !path.ends_with("mutant.rs")
            {
                for mark in ["is_mutant(\"", "IS_MUTANT(\""] {
                    let calls = text.split(mark).skip(1);
                    names.extend(calls.filter_map(|rest| Some(rest.split('"').next()?.to_owned())));
                }
            }
        }
    }

    #[test]
    fn every_step_that_can_be_weakened_has_a_test_and_every_row_a_step() {
        let mut names = BTreeSet::new();
        for package in std::fs::read_dir(workspace::root().join("crates")).unwrap() {
            for folder in ["src", "cpp"] {
                let folder = package.as_ref().unwrap().path().join(folder);
                if folder.is_dir() {
                    sites(&folder, &mut names);
                }
            }
        }
        let rows: BTreeSet<String> = MUTANTS.iter().map(|row| row.name.to_owned()).collect();
        assert_eq!(names, rows);
    }
}
