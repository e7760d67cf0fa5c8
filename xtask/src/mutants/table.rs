//! The table of mutants, by the ordering of the protocol that each weakens.

use crate::checker::Checker;
use Checker::{Loom, Mutants};

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
const SCHEDULE: (Checker, &str, &str) = (Mutants, "lanescope-aicpu", "schedule");
const ORDER: (Checker, &str, &str) = (Mutants, "lanescope-aicpu", "order");

const ATTACHED: &str = "protocol::an_attached_recorder_has_filled_the_order_lines";
const HANDSHAKE: &str = "protocol::a_core_sees_its_order_line_whole_and_leaves_when_told";
const ONE_SLOT: &str = "protocol::one_slot_is_published_committed_and_used_again";
const TWO_SLOTS: &str = "protocol::two_slots_with_two_tokens_in_flight_across_the_wrap";
const ONE_BUFFER: &str = "lane::one_buffer_goes_to_and_fro";
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
        "4",
        "total-left-out",
        "commit: attempt not counted",
        ORDER,
        "an_attempt_is_counted_before_its_fate",
    ),
    row(
        "4",
        "total-twice",
        "commit: attempt counted twice",
        ORDER,
        "an_attempt_is_counted_before_its_fate",
    ),
    row(
        "4",
        "total-late",
        "commit: attempt counted after its fate",
        ORDER,
        "an_attempt_is_counted_before_its_fate",
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
        "6",
        "rotate-late",
        "rotate: full buffer kept until the next record",
        ORDER,
        "a_full_buffer_goes_at_once_and_the_next_is_taken_when_needed",
    ),
    row(
        "6",
        "take-early",
        "rotate: next buffer taken at once",
        ORDER,
        "a_full_buffer_goes_at_once_and_the_next_is_taken_when_needed",
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
        "10",
        "handshake-unlimited",
        "schedule: wait for a core's answer",
        SCHEDULE,
        "a_dead_core_is_named_and_the_others_leave",
    ),
    row(
        "10",
        "scheduler-unlimited",
        "schedule: wait for a finished task",
        SCHEDULE,
        "a_core_that_hangs_is_named_with_its_registers",
    ),
    row(
        "10",
        "exit-unlimited",
        "schedule: wait for a core to leave",
        SCHEDULE,
        "a_core_that_hangs_is_named_with_its_registers",
    ),
    row(
        "10",
        "block-unlimited",
        "commit: wait for a free buffer",
        SCHEDULE,
        "block_waits_once_then_drops_without_waiting",
    ),
];
