//! The bytes both sides share: layouts, tokens, the ABI version and the device interface.
//!
//! # Where it sits
//!
//! Leftmost of all crates. The host, the AICPU program and the AICore program agree on nothing but
//! what is written here; the C header of the AICore program is generated from it.
//!
//! # Who writes what
//!
//! Every 64-byte line of shared memory has exactly one writer. Each structure's doc says who.
//! There are two regions, both laid out by the host before launch: the [`control`] region always
//! exists, the [`capture`] region exists while a collector is on.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod capture;
pub mod checksum;
pub mod chip;
pub mod control;
pub mod device;
pub mod hash;
pub mod launch;
pub mod mutant;
pub mod pmu;
pub mod record;
pub mod token;

pub use capture::{CaptureHeader, CommitCounters, LaneConfig, LaneDevice, LaneHost, ReadyEntry};
pub use checksum::Checksum;
pub use chip::{Chip, ChipInfo, CoreType, PmuRegisters, RegisterMap};
pub use control::{
    ControlHeader, CoreAnswer, CoreConfig, CoreOrder, HostLine, TaskTensor, ThreadStatus,
};
pub use device::{Awaited, AwaitedWord, Barrier, Device, DeviceTable};
pub use hash::{ABI_HASH, ABI_VERSION};
pub use launch::ProgramDescriptor;
pub use mutant::is_mutant;
pub use pmu::{PmuCounter, PmuEvent};
pub use record::{
    ArenaMark, Dtype, Kind, PhaseKind, PhaseRecord, PmuRecord, PmuSlot, Record, Role, Stage,
    TaskRecord, TaskSlot, TensorRecord, TensorShape,
};
pub use token::Token;

/// Bytes of a cache line, the unit of ownership, `clean` and `invalidate`.
pub const LINE_BYTES: u64 = 64;

/// The ring sizes a device program can be built with.
pub const RING_SIZES: [u32; 5] = [1, 2, 4, 8, 16];

/// The ring size a build uses when none is asked for.
pub const DEFAULT_RING_SIZE: u32 = 2;

/// The longest argument list of a task, in 8-byte words.
pub const MAX_TASK_ARGS: u32 = 64;

/// A table of equal items inside a region.
#[repr(C)]
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
pub struct Section {
    /// Offset of the first item from the start of the region; a multiple of 64.
    pub offset_bytes: u64,
    /// Number of items.
    pub count: u32,
    /// Distance between two items.
    pub stride_bytes: u32,
}

impl Section {
    /// Offset of item `index` from the start of the region; the caller has checked the index.
    #[must_use]
    pub const fn at(&self, index: u32) -> u64 {
        self.offset_bytes + index as u64 * self.stride_bytes as u64
    }

    /// First offset behind the section, or `None` when it does not fit 64 bits.
    #[must_use]
    pub const fn end(&self) -> Option<u64> {
        match (self.count as u64).checked_mul(self.stride_bytes as u64) {
            Some(bytes) => self.offset_bytes.checked_add(bytes),
            None => None,
        }
    }
}
