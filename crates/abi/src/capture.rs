//! The capture region: lanes, counters, staging rings and buffers.
//!
//! It exists while a collector is on: one allocation, a multiple of 2 MiB.
//!
//! # Lanes
//!
//! A lane is one kind of one AICPU thread. It has a *ready* queue (device to host: full buffers)
//! and a *free* queue (host to device: empty buffers). Each buffer belongs to one lane for the
//! session and is named by its index; both queues hold as many entries as the lane has buffers, so
//! neither can be full. Heads and tails run free (they are reduced modulo the capacity, a power of
//! two, on use): `tail - head`, wrapping, is the number of entries and can never exceed the capacity.
//!
//! A lane whose records speak of payloads has an arena beside its buffers. The device takes room at
//! `arena_tail` and the host gives it back at `arena_head`, in bytes and in the order of the records.
//!
//! # Ordering
//!
//! Device: record, then `filling_count`, then ready entry, then `ready_tail`, each visible before
//! the next; `arena_tail`, then payload, then record. Host: `ready_tail`, then entry, then buffer,
//! then payloads, then `ready_head` and `arena_head`; and free entry before `free_tail`.

use crate::Section;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `b"LSCAPT01"` as a little-endian number.
pub const CAPTURE_MAGIC: u64 = 0x3130_5450_4143_534C;

/// The capture region's size is a multiple of this: a huge page.
pub const CAPTURE_GRANULE_BYTES: u64 = 2 << 20;

/// In [`LaneDevice::filling_buffer`]: no buffer is being filled.
pub const NO_BUFFER: u32 = u32::MAX;

/// The start of the capture region. Writer: the host, before launch.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct CaptureHeader {
    /// [`CAPTURE_MAGIC`].
    pub magic: u64,
    /// [`crate::ABI_HASH`].
    pub abi_hash: u64,
    /// Bytes of the region.
    pub capture_bytes: u64,
    /// Cores, as in the control header.
    pub core_count: u32,
    /// AICPU threads, as in the control header.
    pub thread_count: u32,
    /// Slots of each staging ring.
    pub ring_size: u32,
    /// Lines of each staging slot, one per staged kind; the task slot is line 0.
    pub slot_lines: u32,
    /// Lanes: kinds in use times threads. Lane `k * thread_count + t` is the `k`-th kind of thread `t`.
    pub lane_count: u32,
    /// Written as 0.
    pub reserved: u32,
    /// [`LaneConfig`] per lane. Writer: the host, before launch.
    pub lane_configs: Section,
    /// [`LaneDevice`] per lane.
    pub lane_devices: Section,
    /// [`LaneHost`] per lane.
    pub lane_hosts: Section,
    /// [`CommitCounters`]: item `lane * core_count + core`; a kind of threads uses core 0.
    pub counters: Section,
    /// Staging rings: item `core`, `ring_size * slot_lines` lines.
    pub staging: Section,
}

/// The shape of one lane. Writer: the host, before launch.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct LaneConfig {
    /// [`crate::Kind`] as a number.
    pub kind: u32,
    /// The AICPU thread that commits into the lane.
    pub thread: u32,
    /// Buffers of the lane, and entries of each of its queues; a power of two.
    pub capacity: u32,
    /// Records a buffer holds.
    pub records_per_buffer: u32,
    /// Bytes of a record.
    pub record_bytes: u32,
    /// [`Policy`] as a number.
    pub policy: u32,
    /// Longest wait of one commit for a free buffer, with [`Policy::Block`].
    pub block_limit_ticks: u64,
    /// Offset of the ready queue's entries, [`ReadyEntry`] each. Writer: the lane's thread.
    pub ready_offset_bytes: u64,
    /// Offset of the free queue's entries, u32 buffer index each. Writer: the host.
    pub free_offset_bytes: u64,
    /// Offset of the lane's buffers, `records_per_buffer * record_bytes` each.
    pub buffers_offset_bytes: u64,
    /// Offset of the lane's arena, for payloads that records speak of. Writer: the lane's thread.
    pub arena_offset_bytes: u64,
    /// Bytes of the arena, a multiple of 64; 0 when the kind has no payloads.
    pub arena_bytes: u64,
    /// Written as 0.
    pub reserved: [u64; 7],
}

/// What the device says of a lane. Writer: the lane's AICPU thread; between runs the host may reset a
/// lane that a failed run left in disorder.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct LaneDevice {
    /// Ready entries written so far; runs free.
    pub ready_tail: u32,
    /// Free entries taken so far; runs free.
    pub free_head: u32,
    /// The buffer that is being filled, or [`NO_BUFFER`].
    pub filling_buffer: u32,
    /// Whole records in it.
    pub filling_count: u32,
    /// Sequence number of the next ready entry.
    pub sequence: u64,
    /// Commits that had to wait for a buffer.
    pub waits: u64,
    /// Ticks spent in those waits.
    pub blocked_ticks: u64,
    /// Bytes of the arena taken so far, visible before they are overwritten; runs free.
    pub arena_tail: u64,
    /// Written as 0.
    pub reserved: [u64; 2],
}

/// What the host says of a lane. Writer: the host's drain thread.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct LaneHost {
    /// Ready entries read so far; runs free.
    pub ready_head: u32,
    /// Free entries written so far; runs free.
    pub free_tail: u32,
    /// Bytes of the arena that are copied, or not wanted; runs free.
    pub arena_head: u64,
    /// Written as 0.
    pub reserved: [u32; 12],
}

/// A full (or, at a flush, partly full) buffer handed to the host. Writer: the lane's thread.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ReadyEntry {
    /// Buffer index in the lane.
    pub buffer: u32,
    /// Records in it, 1..=`records_per_buffer`.
    pub count: u32,
    /// 0, 1, 2 … in the lane; a gap means a lost buffer.
    pub sequence: u64,
}

/// Fate of every commit attempt of one lane and core. Writer: the lane's thread.
///
/// Counts run since the region was made and are never reset. `total` grows first, then exactly one
/// of the others, or the record went into a buffer: `total - dropped - mismatched` were collected.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct CommitCounters {
    /// Commit attempts.
    pub total: u64,
    /// Slots whose token, run or seal did not match.
    pub mismatched: u64,
    /// Dropped, by [`DropReason`].
    pub dropped: [u64; 4],
    /// Written as 0.
    pub reserved: [u64; 2],
}

/// What happens to a record that needs a buffer when none is free.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Wait up to the lane's limit, then drop it, and drop without waiting until a buffer is free.
    #[default]
    Block = 0,
    /// Drop it at once.
    DropNewest = 1,
    /// Of a payload that does not fit keep what does, and flag it; drop a record as above.
    Truncate = 2,
}

impl Policy {
    /// The policy with this number, if there is one.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0 => Some(Self::Block),
            1 => Some(Self::DropNewest),
            2 => Some(Self::Truncate),
            _ => None,
        }
    }

    /// The name users write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DropNewest => "drop-newest",
            Self::Truncate => "truncate",
        }
    }
}

/// Why a record was dropped: its place in [`CommitCounters::dropped`].
#[repr(usize)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// No buffer came back within the limit, or the policy does not wait.
    NoBuffer = 0,
    /// The arena had no room for the payload within the limit, or the policy does not wait.
    NoArena = 1,
}

const _: () = assert!(size_of::<LaneConfig>() == 128);
const _: () = assert!(size_of::<LaneDevice>() == 64);
const _: () = assert!(size_of::<LaneHost>() == 64);
const _: () = assert!(size_of::<CommitCounters>() == 64);
const _: () = assert!(size_of::<ReadyEntry>() == 16);
const _: () = assert!(CAPTURE_MAGIC == u64::from_le_bytes(*b"LSCAPT01"));
