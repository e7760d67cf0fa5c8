//! What the sorters of a draft keep: records with what they are sorted by.

use crate::sorter::Sorted;
use crate::task::order_ticks_of;
use lanescope_abi::{PhaseRecord, PmuRecord, TaskRecord, TensorRecord};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A task, sorted by its first known time.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct ByTime(pub(super) TaskRecord);

impl Sorted for ByTime {
    fn key(&self) -> [u64; 3] {
        [order_ticks_of(&self.0), u64::from(self.0.core), 0]
    }
}

/// A task, sorted by its id.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct ById(pub(super) TaskRecord);

impl Sorted for ById {
    fn key(&self) -> [u64; 3] {
        [self.0.task_id, 0, 0]
    }
}

/// One half of a task: what its core said, or what the scheduler did.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Half {
    /// Run, core and dispatch number, by which the halves find each other.
    pub(super) join: [u64; 3],
    pub(super) record: TaskRecord,
}

impl Sorted for Half {
    fn key(&self) -> [u64; 3] {
        self.join
    }
}

/// The kernels of a task: cube, first vector, second vector; -1 where it has none.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Kernels {
    pub(super) task_id: u64,
    pub(super) ids: [i64; 3],
}

impl Sorted for Kernels {
    fn key(&self) -> [u64; 3] {
        [self.task_id, 0, 0]
    }
}

/// A phase, sorted by its thread.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Phase(pub(super) PhaseRecord);

impl Sorted for Phase {
    fn key(&self) -> [u64; 3] {
        [u64::from(self.0.thread), 0, 0]
    }
}

/// Counters of a task, sorted by the thread that committed them.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Counted {
    pub(super) thread: u64,
    pub(super) record: PmuRecord,
}

impl Sorted for Counted {
    fn key(&self) -> [u64; 3] {
        [self.thread, 0, 0]
    }
}

/// A tensor and where its bytes stand in the payload file, which is the order in which it was collected.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Dumped {
    pub(super) begin: u64,
    pub(super) has_payload: u64,
    pub(super) record: TensorRecord,
}

impl Sorted for Dumped {
    fn key(&self) -> [u64; 3] {
        match self.has_payload {
            0 => [u64::MAX, 0, 0],
            _ => [self.begin, 0, 0],
        }
    }
}
