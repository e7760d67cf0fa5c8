//! The task lane: what the cores have staged becomes task records.

use super::lane::{Counters, Lane};
use core::mem::offset_of;
use lanescope_abi::control::DeviceError;
use lanescope_abi::{Device, LINE_BYTES, TaskRecord, TaskSlot, is_mutant};

/// The task lane of one AICPU thread.
pub(crate) type Tasks<'d, D> = Lane<'d, D, TaskRecord>;

/// The part of a record that the AICPU knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) task_id: u64,
    pub(crate) func_id: u32,
    pub(crate) core_and_type: u32,
    /// Token in the low, run in the high half: the first word of slot and key.
    pub(crate) token_and_run: u64,
    pub(crate) dispatch_ticks: u64,
    pub(crate) finish_ticks: u64,
}

impl<D: Device> Tasks<'_, D> {
    /// Commits the record of one token, which `COND` has proven finished: one count in `total`, and
    /// then exactly one fate. Its slot is at offset `slot`.
    #[inline]
    pub(crate) fn commit_staged(
        &mut self,
        counters: &mut Counters,
        slot: u64,
        outcome: &Outcome,
    ) -> Result<(), DeviceError> {
        if is_mutant("total-late") {
            let committed = self.commit_slot(counters, slot, outcome);
            self.attempt(counters);
            return committed;
        }
        self.attempt(counters);
        self.commit_slot(counters, slot, outcome)
    }

    /// The fate of an attempt that was counted.
    #[inline]
    fn commit_slot(
        &mut self,
        counters: &mut Counters,
        slot: u64,
        outcome: &Outcome,
    ) -> Result<(), DeviceError> {
        let line = self.region.line(slot);
        if !is_mutant("slot-not-invalidated") {
            line.invalidate();
        }
        let token_and_run = line.load64::<{ offset_of!(TaskSlot, token) }>();
        let seal = line.load32::<{ offset_of!(TaskSlot, seal) }>();
        if token_and_run != outcome.token_and_run || seal != low(token_and_run) {
            self.mismatch(counters);
            return Ok(());
        }
        let receive_ticks = line.load64::<{ offset_of!(TaskSlot, receive_ticks) }>();
        let start_ticks = line.load64::<{ offset_of!(TaskSlot, start_ticks) }>();
        let end_ticks = line.load64::<{ offset_of!(TaskSlot, end_ticks) }>();
        let Some(place) = self.place(counters)? else {
            return Ok(());
        };
        self.region.line(place).store([
            outcome.task_id,
            u64::from(outcome.core_and_type) << 32 | u64::from(outcome.func_id),
            token_and_run,
            outcome.dispatch_ticks,
            receive_ticks,
            start_ticks,
            end_ticks,
            outcome.finish_ticks,
        ]);
        self.placed()
    }
}

/// The words of a record are written in this order.
const _: () = {
    assert!(offset_of!(TaskRecord, task_id) == 0);
    assert!(offset_of!(TaskRecord, func_id) == 8);
    assert!(offset_of!(TaskRecord, core) == 12);
    assert!(offset_of!(TaskRecord, core_type) == 14);
    assert!(offset_of!(TaskRecord, token) == 16);
    assert!(offset_of!(TaskRecord, run_id) == 20);
    assert!(offset_of!(TaskRecord, dispatch_ticks) == 24);
    assert!(offset_of!(TaskRecord, receive_ticks) == 32);
    assert!(offset_of!(TaskRecord, start_ticks) == 40);
    assert!(offset_of!(TaskRecord, end_ticks) == 48);
    assert!(offset_of!(TaskRecord, finish_ticks) == 56);
    assert!(offset_of!(TaskSlot, run_id) == offset_of!(TaskSlot, token) + 4);
    assert!(size_of::<TaskSlot>() as u64 == LINE_BYTES);
};

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is wanted"
)]
pub(crate) const fn low(word: u64) -> u32 {
    word as u32
}
