//! Records: fixed-size entries that leave the device, and the staging slots they come from.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A record type. A lane carries one kind.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// [`TaskRecord`]: the swimlane.
    Task = 1,
}

impl Kind {
    /// Every kind.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 1] = [Self::Task];

    /// The kind with this number, if there is one.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            1 => Some(Self::Task),
            _ => None,
        }
    }

    /// Lower-case name, as reports and verdicts spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
        }
    }

    /// Bytes of one record of this kind.
    #[must_use]
    pub const fn record_bytes(self) -> u32 {
        match self {
            Self::Task => TaskRecord::BYTES,
        }
    }
}

/// One executed task on one core, 64 bytes. Its key is (run, core, token).
///
/// Times are raw ticks of the system counter; `dispatch` and `finish` are taken by the AICPU,
/// the other three by the core. Below swimlane level 2 `dispatch` and `finish` are 0.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct TaskRecord {
    /// The task's identity in its graph; one task may run several blocks.
    pub task_id: u64,
    /// The function the task ran.
    pub func_id: u32,
    /// Core index in the launch.
    pub core: u16,
    /// [`crate::CoreType`] as a number.
    pub core_type: u8,
    /// Written as 0.
    pub reserved: u8,
    /// The core's dispatch number.
    pub token: u32,
    /// The run the record belongs to.
    pub run_id: u32,
    /// When the AICPU wrote `DATA_MAIN_BASE`.
    pub dispatch_ticks: u64,
    /// When the core saw the token.
    pub receive_ticks: u64,
    /// When the kernel began.
    pub start_ticks: u64,
    /// When the kernel ended.
    pub end_ticks: u64,
    /// When the AICPU saw the task finished.
    pub finish_ticks: u64,
}

impl TaskRecord {
    /// Bytes of a record.
    ///
    /// cbindgen:ignore
    pub const BYTES: u32 = 64;
}

/// One slot of a core's staging ring. Writer: that core, at `slot[token % ring_size]`.
///
/// The host writes token 0 into every slot once, before the first launch. The core writes all
/// fields, cleans the line, passes a barrier and only then writes FIN; the AICPU reads the line
/// after FIN (or a later ACK) and an invalidate, and commits it only when token, run and seal match.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct TaskSlot {
    /// The dispatch number; [`crate::token::TOKEN_NONE`] while nothing was published.
    pub token: u32,
    /// The run the slot belongs to.
    pub run_id: u32,
    /// When the core saw the token.
    pub receive_ticks: u64,
    /// When the kernel began.
    pub start_ticks: u64,
    /// When the kernel ended.
    pub end_ticks: u64,
    /// Written as 0.
    pub reserved: [u64; 3],
    /// The dispatch number again, so that a half-written line is told from a whole one.
    pub seal: u32,
    /// Written as 0.
    pub reserved_end: u32,
}

const _: () = assert!(size_of::<TaskRecord>() == TaskRecord::BYTES as usize);
const _: () = assert!(size_of::<TaskSlot>() == 64);
