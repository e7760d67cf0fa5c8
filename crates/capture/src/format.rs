//! The bytes of a capture file: file header, block header, block kinds and fixed records.
//!
//! Everything is little-endian. A file is one [`FileHeader`] and then blocks. A block is one
//! [`BlockHeader`] and `payload_bytes` of payload, padded with zeros to a multiple of 8, so every
//! header and payload begins at a multiple of 8.

use lanescope_abi::Kind;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `b"LSCAPFIL"` as a little-endian number.
pub const FILE_MAGIC: u64 = u64::from_le_bytes(*b"LSCAPFIL");
/// `b"LSBK"` as a little-endian number.
pub const BLOCK_MAGIC: u32 = u32::from_le_bytes(*b"LSBK");
/// The format this crate writes and reads.
pub const FORMAT_VERSION: u32 = 1;
/// In [`BlockHeader::lane`]: the block belongs to no lane.
pub const NO_LANE: u32 = u32::MAX;
/// Every block begins at a multiple of this.
pub const BLOCK_ALIGN: u64 = 8;
/// The largest payload a block may have; a larger one is damage.
pub const MAX_PAYLOAD_BYTES: u64 = 1 << 30;

/// The largest payload a JSON block may have, which bounds what reading it can allocate: some six
/// times as much. Items are not copied when they are read, so they need no such limit.
pub const MAX_JSON_BYTES: u64 = 64 << 20;

/// The start of the file.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct FileHeader {
    /// [`FILE_MAGIC`].
    pub magic: u64,
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Bytes of this header.
    pub header_bytes: u32,
    /// Bytes of a block header.
    pub block_header_bytes: u32,
    /// [`lanescope_abi::ABI_VERSION`] of the writer.
    pub abi_version: u32,
    /// [`lanescope_abi::ABI_HASH`] of the writer.
    pub abi_hash: u64,
    /// Written as 0.
    pub reserved: [u32; 7],
    /// CRC-32C of the bytes before it.
    pub header_checksum: u32,
}

/// The start of a block.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct BlockHeader {
    /// [`BLOCK_MAGIC`].
    pub magic: u32,
    /// [`BlockKind`] as a number.
    pub kind: u32,
    /// The lane that records or a payload come from, else [`NO_LANE`].
    pub lane: u32,
    /// The run the block belongs to, 0 when it belongs to none.
    pub run_id: u32,
    /// For records the lane's buffer sequence number; for a payload 0, 1, 2 … per lane and run; for
    /// other kinds 0, 1, 2 … per kind and run.
    pub sequence: u64,
    /// Place of the block in the file: 0, 1, 2 …
    pub ordinal: u64,
    /// Items in the payload; 1 for a JSON payload.
    pub count: u32,
    /// Bytes of an item; for a JSON payload all of its bytes.
    pub record_bytes: u32,
    /// Bytes of the payload without padding: `count * record_bytes`.
    pub payload_bytes: u64,
    /// Written as 0.
    pub reserved: u64,
    /// CRC-32C of the payload without padding.
    pub payload_checksum: u32,
    /// CRC-32C of the header bytes before it.
    pub header_checksum: u32,
}

/// What a block holds. Numbers below 0x1000 are those of [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BlockKind {
    /// Records as the device wrote them.
    Records(Kind),
    /// JSON: [`crate::SessionInfo`]; first block of a run.
    Session,
    /// JSON: list of [`crate::FunctionName`].
    Functions,
    /// [`Edge`] items: dependencies the host knows.
    Edges,
    /// u64 items: task ids in graph order, only when they are not 0, 1, 2 …
    TaskIds,
    /// [`Clock`] items.
    Clocks,
    /// JSON: [`crate::Verdict`].
    Verdict,
    /// One [`EndOfRun`]: the run is complete in this file.
    EndOfRun,
    /// Lines of 64 bytes: a [`PayloadHeader`], then a piece of a lane's arena as the device wrote it.
    Payload,
    /// A kind this version does not know; readers pass over it.
    Unknown(u32),
}

impl BlockKind {
    /// The kind's number in a block header.
    #[must_use]
    pub const fn raw(self) -> u32 {
        match self {
            Self::Records(kind) => kind.raw(),
            Self::Session => 0x1000,
            Self::Functions => 0x1001,
            Self::Edges => 0x1002,
            Self::TaskIds => 0x1003,
            Self::Clocks => 0x1004,
            Self::Verdict => 0x1005,
            Self::EndOfRun => 0x1006,
            Self::Payload => 0x1007,
            Self::Unknown(raw) => raw,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Self {
        match raw {
            0x1000 => Self::Session,
            0x1001 => Self::Functions,
            0x1002 => Self::Edges,
            0x1003 => Self::TaskIds,
            0x1004 => Self::Clocks,
            0x1005 => Self::Verdict,
            0x1006 => Self::EndOfRun,
            0x1007 => Self::Payload,
            _ => match Kind::from_raw(raw) {
                Some(kind) => Self::Records(kind),
                None => Self::Unknown(raw),
            },
        }
    }

    /// What messages call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Records(kind) => match kind.name() {
                Some(name) => name,
                None => "records",
            },
            Self::Session => "session",
            Self::Functions => "functions",
            Self::Edges => "edges",
            Self::TaskIds => "task-ids",
            Self::Clocks => "clocks",
            Self::Verdict => "verdict",
            Self::EndOfRun => "end-of-run",
            Self::Payload => "payload",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Whether the payload is one JSON text.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Session | Self::Functions | Self::Verdict)
    }

    /// Bytes of an item, or `None` where the kind has no fixed item.
    #[must_use]
    pub const fn item_bytes(self) -> Option<u32> {
        match self {
            Self::Records(kind) => kind.record_bytes(),
            Self::Edges | Self::TaskIds => Some(8),
            Self::Clocks => Some(32),
            Self::EndOfRun => Some(16),
            Self::Payload => Some(64),
            Self::Session | Self::Functions | Self::Verdict | Self::Unknown(_) => None,
        }
    }
}

/// A dependency between two tasks, by their index in the graph.
///
/// The id of task `index` is item `index` of the run's task-id blocks; without such blocks it is
/// `index` itself. Ids need not be unique: an edge speaks of every record with that id.
#[repr(C)]
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
pub struct Edge {
    /// The task that must end first.
    pub producer: u32,
    /// The task that waits for it.
    pub consumer: u32,
}

/// Device clock and host clock read at one moment.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Clock {
    /// `CLOCK_MONOTONIC_RAW` of the host.
    pub host_ns: u64,
    /// The device's system counter.
    pub device_ticks: u64,
    /// How far apart the two readings may be.
    pub uncertainty_ns: u64,
    /// Written as 0.
    pub reserved: u64,
}

/// Closes a run.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct EndOfRun {
    /// Blocks of the run before this one.
    pub blocks: u64,
    /// Device records in them.
    pub records: u64,
}

/// The first line of a payload block; what follows it are the arena's bytes from `position` on.
///
/// Blocks of a lane and run follow each other in the order of their positions, and stand before the
/// records that speak of them. Between two blocks positions may jump: nobody asked for those bytes.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct PayloadHeader {
    /// Position in the lane's arena of the byte behind this line; runs free.
    pub position: u64,
    /// Written as 0.
    pub reserved: [u64; 7],
}

/// Bytes of padding behind a payload.
#[must_use]
pub const fn padding_bytes(payload_bytes: u64) -> u64 {
    payload_bytes.wrapping_neg() % BLOCK_ALIGN
}

const _: () = assert!(size_of::<FileHeader>() == 64);
const _: () = assert!(size_of::<BlockHeader>() == 64);
const _: () = assert!(size_of::<Edge>() == 8);
const _: () = assert!(size_of::<Clock>() == 32);
const _: () = assert!(size_of::<EndOfRun>() == 16);
const _: () = assert!(size_of::<PayloadHeader>() == 64);
