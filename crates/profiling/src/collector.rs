//! A collector: a record kind, the settings of its lanes and the consumer of its records.

use crate::{Findings, Ledger};
use lanescope_abi::capture::Policy;
use lanescope_abi::{Kind, Record};
use lanescope_capture::SessionInfo;
use std::fmt;
use std::time::Duration;
use zerocopy::FromBytes;

/// Decides what is recorded and checks what arrives. It has no thread: the drain thread calls it.
pub trait Collector: Send + fmt::Debug {
    /// The record kind; no two collectors of a profiler have the same.
    fn kind(&self) -> Kind;

    /// Bytes of a record, a multiple of 64.
    fn record_bytes(&self) -> u32;

    /// The shape of its lanes, one per AICPU thread.
    fn lanes(&self) -> LaneSettings;

    /// Forgets the last run and begins another.
    fn begin(&mut self, session: &SessionInfo);

    /// Checks the records of one drained buffer of `thread`; `records` holds whole records, begins
    /// at a multiple of 8, and may be anything a hostile device writes.
    fn consume(&mut self, thread: u32, records: &[u8], findings: &mut Findings);

    /// Takes back what [`Collector::consume`] counted: these records did not get into the capture.
    fn withdraw(&mut self, thread: u32, records: &[u8]);

    /// What was collected, per core or per thread.
    fn ledger(&self) -> &Ledger;

    /// How many commits there must be.
    fn expectation(&self) -> Expectation {
        Expectation::Unknown
    }

    /// Lines of a staging slot, behind the task's own, that its records come from.
    fn staged_lines(&self) -> u32 {
        0
    }

    /// Where in the lane's arena the payload of one record is, for kinds that have payloads. The
    /// record may be anything a hostile device writes.
    fn payload(&self, _record: &[u8]) -> Option<PayloadPlace> {
        None
    }
}

/// The records that [`Collector::consume`] or [`Collector::withdraw`] was given.
pub(crate) fn whole<R: Record>(records: &[u8]) -> &[R] {
    <[R]>::ref_from_bytes(records).expect("the drain hands over whole records at a multiple of 8")
}

/// How many commits of a kind a run must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// One for every token that was dispatched, on its core.
    EachTask,
    /// The device alone knows, or [`RunEnd`](crate::RunEnd) says it.
    Unknown,
}

/// What a record says of its payload: an [`ArenaMark`](lanescope_abi::ArenaMark), the bytes, padded to
/// whole lines, and an `ArenaMark` again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadPlace {
    /// Position in the arena of the first mark.
    pub begin: u64,
    /// Bytes between the marks, without padding.
    pub bytes: u64,
    /// The number that both marks carry.
    pub sequence: u64,
    /// [`Checksum`](lanescope_abi::Checksum) of the bytes; the second mark carries it.
    pub checksum: u64,
}

/// The shape of a collector's lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneSettings {
    /// Buffers of each lane; a power of two.
    pub buffers: u32,
    /// Records a buffer holds; 1 or more.
    pub records_per_buffer: u32,
    /// What happens to a record when no buffer is free.
    pub policy: Policy,
    /// Longest wait of one commit, with [`Policy::Block`].
    pub block_limit: Duration,
    /// Bytes of the arena of each lane, a multiple of 64; 0 for a kind without payloads.
    pub arena_bytes: u64,
}

impl Default for LaneSettings {
    /// 32 buffers of 1024 records, waiting at most a second: 8 MiB of task records on four threads.
    fn default() -> Self {
        Self {
            buffers: 32,
            records_per_buffer: 1024,
            policy: Policy::Block,
            block_limit: Duration::from_secs(1),
            arena_bytes: 0,
        }
    }
}
