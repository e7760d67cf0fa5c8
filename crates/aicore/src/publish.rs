//! What a core leaves in its staging ring for one token: a line for its times and, on a chip whose cores
//! read their own counters, one for those; all cleaned before one barrier.

use core::mem::offset_of;
use lanescope_abi::record::PMU_COUNTERS;
use lanescope_abi::{Barrier, Device, LINE_BYTES, PmuSlot, TaskSlot, Token, is_mutant};

/// When a core received, began and ended one task, in raw ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When it saw the token.
    pub receive: u64,
    /// When the kernel began.
    pub start: u64,
    /// When the kernel ended.
    pub end: u64,
}

/// What the hardware counters of a core said of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Cycles between the opening and the closing of the gate.
    pub total_cycles: u64,
    /// The counters, by number; those that the chip does not have are 0.
    pub values: [u32; PMU_COUNTERS],
}

/// Writes the slot of `token`, of one line; the caller writes FIN afterwards.
///
/// # Safety
///
/// - `staging` is the calling core's staging ring of `ring_size` slots of a line, a power of two.
#[inline]
pub unsafe fn publish<D: Device>(
    device: &D,
    staging: u64,
    ring_size: u32,
    token: Token,
    run_id: u32,
    times: &Times,
) {
    let slot = staging + u64::from(token.slot(ring_size)) * LINE_BYTES;
    // SAFETY: the slot is one of the core's own ring, a line.
    unsafe { stage(device, slot, &time_words(token, run_id, times)) };
    if !is_mutant("publish-unfenced") {
        device.barrier(Barrier::Store);
    }
}

/// Writes the slot of `token`, of two lines; that of the times is left alone when there are none. The
/// caller writes FIN afterwards.
///
/// # Safety
///
/// - `staging` is the calling core's staging ring of `ring_size` slots of two lines, a power of two.
#[inline]
pub unsafe fn publish_counted<D: Device>(
    device: &D,
    staging: u64,
    ring_size: u32,
    token: Token,
    run_id: u32,
    times: Option<&Times>,
    counters: &Counters,
) {
    let slot = staging + u64::from(token.slot(ring_size)) * 2 * LINE_BYTES;
    if let Some(times) = times {
        // SAFETY: the first line of one of the core's own slots.
        unsafe { stage(device, slot, &time_words(token, run_id, times)) };
    }
    // SAFETY: the second line of one of the core's own slots.
    unsafe {
        stage(
            device,
            slot + LINE_BYTES,
            &counter_words(token, run_id, counters),
        );
    };
    if !is_mutant("publish-unfenced") {
        device.barrier(Barrier::Store);
    }
}

fn time_words(token: Token, run_id: u32, times: &Times) -> [(usize, u64); 5] {
    let raw = u64::from(token.raw());
    [
        (offset_of!(TaskSlot, token), u64::from(run_id) << 32 | raw),
        (offset_of!(TaskSlot, receive_ticks), times.receive),
        (offset_of!(TaskSlot, start_ticks), times.start),
        (offset_of!(TaskSlot, end_ticks), times.end),
        (offset_of!(TaskSlot, seal), raw),
    ]
}

fn counter_words(token: Token, run_id: u32, counters: &Counters) -> [(usize, u64); 8] {
    let raw = u64::from(token.raw());
    let mut words = [(0, 0); 8];
    words[0] = (offset_of!(PmuSlot, token), u64::from(run_id) << 32 | raw);
    words[1] = (offset_of!(PmuSlot, total_cycles), counters.total_cycles);
    for (pair, values) in counters.values.chunks_exact(2).enumerate() {
        let word = u64::from(values[1]) << 32 | u64::from(values[0]);
        words[2 + pair] = (offset_of!(PmuSlot, counters) + 8 * pair, word);
    }
    words[7] = (offset_of!(PmuSlot, seal), raw);
    words
}

/// Writes and cleans a line; the caller passes a barrier afterwards.
///
/// # Safety
///
/// - `line` is a line of the calling core's staging ring.
#[inline]
unsafe fn stage<D: Device>(device: &D, line: u64, words: &[(usize, u64)]) {
    for (field, word) in words {
        // SAFETY: an aligned word of a line that is the core's own.
        unsafe { device.store64(line + *field as u64, *word) };
    }
    if !is_mutant("publish-not-cleaned") {
        device.clean(line);
    }
}

/// Run goes with token in one word, the seal with the zero behind it, and counters in pairs.
const _: () = {
    assert!(offset_of!(TaskSlot, run_id) == offset_of!(TaskSlot, token) + 4);
    assert!(offset_of!(TaskSlot, reserved_end) == offset_of!(TaskSlot, seal) + 4);
    assert!(offset_of!(PmuSlot, run_id) == offset_of!(PmuSlot, token) + 4);
    assert!(offset_of!(PmuSlot, reserved) == offset_of!(PmuSlot, seal) + 4);
    assert!(offset_of!(PmuSlot, counters).is_multiple_of(8) && PMU_COUNTERS == 10);
};
