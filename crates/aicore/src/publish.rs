//! What a core leaves in its staging ring for one token: one line, cleaned before one barrier.

use core::mem::offset_of;
use lanescope_abi::{Barrier, Device, TaskSlot, Token, is_mutant};

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

/// Writes the slot of `token`; the caller writes FIN afterwards.
///
/// # Safety
///
/// - `staging` is the calling core's staging ring of `ring_size` slots, a power of two.
#[inline]
pub unsafe fn publish<D: Device>(
    device: &D,
    staging: u64,
    ring_size: u32,
    token: Token,
    run_id: u32,
    times: &Times,
) {
    let slot = staging + u64::from(token.slot(ring_size)) * size_of::<TaskSlot>() as u64;
    let raw = u64::from(token.raw());
    let words = [
        (offset_of!(TaskSlot, token), u64::from(run_id) << 32 | raw),
        (offset_of!(TaskSlot, receive_ticks), times.receive),
        (offset_of!(TaskSlot, start_ticks), times.start),
        (offset_of!(TaskSlot, end_ticks), times.end),
        (offset_of!(TaskSlot, seal), raw),
    ];
    for (field, word) in words {
        // SAFETY: the slot is one of the core's own ring, a line, and each word of it is aligned.
        unsafe { device.store64(slot + field as u64, word) };
    }
    device.clean(slot);
    if !is_mutant("publish-unfenced") {
        device.barrier(Barrier::Store);
    }
}

/// Run goes with token in one word, and the seal with the zero behind it.
const _: () = {
    assert!(offset_of!(TaskSlot, run_id) == offset_of!(TaskSlot, token) + 4);
    assert!(offset_of!(TaskSlot, reserved_end) == offset_of!(TaskSlot, seal) + 4);
};
