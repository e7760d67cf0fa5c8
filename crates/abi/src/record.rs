//! Records: fixed-size entries that leave the device, and the staging slots they come from.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A record type. A lane carries one kind.
///
/// The set is open: numbers from [`Kind::FIRST_OWN`] on are for collectors of others. A kind is a
/// number with a size; its lane says which.
///
/// cbindgen:ignore
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(u32);

impl Kind {
    /// [`TaskRecord`]: the swimlane.
    ///
    /// cbindgen:ignore
    pub const TASK: Self = Self(1);
    /// [`PhaseRecord`]: what AICPU threads do between tasks.
    ///
    /// cbindgen:ignore
    pub const PHASE: Self = Self(2);
    /// [`PmuRecord`]: hardware counters of a task.
    ///
    /// cbindgen:ignore
    pub const PMU: Self = Self(3);
    /// [`TensorRecord`]: a tensor of a task, its bytes in the lane's arena.
    ///
    /// cbindgen:ignore
    pub const TENSOR: Self = Self(4);
    /// The kinds of this crate.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 4] = [Self::TASK, Self::PHASE, Self::PMU, Self::TENSOR];
    /// The first number that this crate will never use.
    ///
    /// cbindgen:ignore
    pub const FIRST_OWN: u32 = 0x100;
    /// The last number a kind can have; above it are other blocks of a capture file.
    ///
    /// cbindgen:ignore
    pub const LAST: u32 = 0xFFF;

    /// The kind with this number, if a kind can have it.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            1..=4 | Self::FIRST_OWN..=Self::LAST => Some(Self(raw)),
            _ => None,
        }
    }

    /// A kind of a collector outside this project; `None` below [`Kind::FIRST_OWN`].
    #[must_use]
    pub const fn own(raw: u32) -> Option<Self> {
        match raw {
            Self::FIRST_OWN..=Self::LAST => Some(Self(raw)),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// Lower-case name, as reports and verdicts spell it; `None` for a kind of others.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::TASK => Some("task"),
            Self::PHASE => Some("phase"),
            Self::PMU => Some("pmu"),
            Self::TENSOR => Some("tensor"),
            Self(_) => None,
        }
    }

    /// Bytes of one record; `None` for a kind of others.
    #[must_use]
    pub const fn record_bytes(self) -> Option<u32> {
        match self {
            Self::TASK => Some(TaskRecord::BYTES),
            Self::PHASE => Some(PhaseRecord::BYTES),
            Self::PMU => Some(PmuRecord::BYTES),
            Self::TENSOR => Some(TensorRecord::BYTES),
            Self(_) => None,
        }
    }

    /// Whether its records belong to the AICPU thread and not to a core: their counts stand in the
    /// row of core 0.
    #[must_use]
    pub const fn is_of_thread(self) -> bool {
        matches!(self, Self::PHASE)
    }
}

/// The name of a kind of this crate; `kind-256` and the like for one of others.
impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "kind-{}", self.0),
        }
    }
}

/// A record that a lane can carry: plain words, a multiple of 64 bytes.
pub trait Record: Copy + FromBytes + IntoBytes + Immutable + KnownLayout {
    /// Its kind.
    const KIND: Kind;
    /// Bytes of a record.
    const BYTES: u32;
}

macro_rules! records {
    ($($name:ident: $kind:ident,)+) => { $(
        impl Record for $name {
            const KIND: Kind = Kind::$kind;
            const BYTES: u32 = Self::BYTES;
        }
        const _: () = assert!(size_of::<$name>() == $name::BYTES as usize);
    )+ };
}

records! {
    TaskRecord: TASK,
    PhaseRecord: PHASE,
    PmuRecord: PMU,
    TensorRecord: TENSOR,
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

/// One stretch of what an AICPU thread did, 64 bytes. Its key is (run, thread, sequence).
///
/// Idling is one record for one stretch, not one for each round. A wait for the host lies inside the
/// stretch that had to wait.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct PhaseRecord {
    /// When it began.
    pub begin_ticks: u64,
    /// When it ended.
    pub end_ticks: u64,
    /// 0, 1, 2 … in the thread and run, dropped ones counted.
    pub sequence: u32,
    /// The run it belongs to.
    pub run_id: u32,
    /// [`PhaseKind`] as a number.
    pub phase: u16,
    /// The AICPU thread.
    pub thread: u16,
    /// The scheduler's round in which it began; of an orchestrator, the submission.
    pub round: u32,
    /// Tasks completed or dispatched in it; of any other stretch, its rounds.
    pub tasks: u32,
    /// Looks at a ready queue that found a task, since the thread's last record that counts looks;
    /// [`PhaseKind::Complete`] and [`PhaseKind::Blocked`] count none.
    pub hits: u32,
    /// Looks that found none.
    pub misses: u32,
    /// Written as 0.
    pub reserved: u32,
    /// The task an orchestrator submits, else `u64::MAX`.
    pub task_id: u64,
    /// Written as 0.
    pub reserved_end: u64,
}

impl PhaseRecord {
    /// Bytes of a record.
    ///
    /// cbindgen:ignore
    pub const BYTES: u32 = 64;
}

/// What a [`PhaseRecord`] is about. Those from 16 on are an orchestrator's; it records at swimlane
/// level 4.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PhaseKind {
    /// Reading `COND`, committing, releasing successors.
    Complete = 1,
    /// Taking ready tasks and writing tokens.
    Dispatch = 2,
    /// Nothing to do.
    Idle = 3,
    /// Waiting for the host to give a buffer back, or room in an arena.
    Blocked = 4,
    /// Copying tensors, one record for one stretch of it.
    Dump = 5,
    /// The orchestrator waits for something.
    OrchSync = 16,
    /// It allocates.
    OrchAlloc = 17,
    /// It fills in parameters.
    OrchParams = 18,
    /// It looks up producers.
    OrchLookup = 19,
    /// It takes from the heap.
    OrchHeap = 20,
    /// It inserts a task.
    OrchInsert = 21,
    /// It links a task to its producers.
    OrchFanin = 22,
    /// It finishes a submission.
    OrchFinalize = 23,
    /// It leaves a scope.
    OrchScopeEnd = 24,
}

impl PhaseKind {
    /// Every one.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 14] = [
        Self::Complete,
        Self::Dispatch,
        Self::Idle,
        Self::Blocked,
        Self::Dump,
        Self::OrchSync,
        Self::OrchAlloc,
        Self::OrchParams,
        Self::OrchLookup,
        Self::OrchHeap,
        Self::OrchInsert,
        Self::OrchFanin,
        Self::OrchFinalize,
        Self::OrchScopeEnd,
    ];

    /// The one with this number, if there is one.
    #[must_use]
    pub fn from_raw(raw: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u16 == raw)
    }

    /// Whether it is an orchestrator's.
    #[must_use]
    pub const fn is_of_orchestrator(self) -> bool {
        self as u16 >= Self::OrchSync as u16
    }
}

/// Most counters a chip can count at once.
pub const PMU_COUNTERS: usize = 10;

/// What the hardware counters of a core said of one task, 128 bytes. Its key is (run, core, token).
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct PmuRecord {
    /// The task's identity in its graph.
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
    /// Cycles between the opening and the closing of the gate.
    pub total_cycles: u64,
    /// The counters, by number; what each counted is in [`crate::pmu`].
    pub counters: [u32; PMU_COUNTERS],
    /// Event type the counters were programmed with.
    pub event: u32,
    /// Written as 0.
    pub reserved_event: u32,
    /// When the record was committed.
    pub ticks: u64,
    /// Written as 0.
    pub reserved_end: [u64; 5],
}

impl PmuRecord {
    /// Bytes of a record.
    ///
    /// cbindgen:ignore
    pub const BYTES: u32 = 128;
}

/// Most dimensions of a tensor.
pub const MAX_RANK: usize = 5;

/// A tensor of a task at one moment, 192 bytes. Its key is (run, core, token, stage, argument).
///
/// Its bytes are in the arena of the lane, the logical tensor in row-major order: at
/// `payload_begin` an [`ArenaMark`], then `payload_bytes` padded with zeros to whole lines, then an
/// [`ArenaMark`] again. Positions run free; the place is the position modulo the arena.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct TensorRecord {
    /// The task's identity in its graph.
    pub task_id: u64,
    /// The function the task runs.
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
    /// What was recorded.
    pub tensor: TensorShape,
    /// [`Stage`] as a number.
    pub stage: u8,
    /// Not 0 when not all of the tensor is there.
    pub is_truncated: u8,
    /// Written as 0.
    pub reserved_stage: [u8; 6],
    /// Where its entry in the arena begins; runs free.
    pub payload_begin: u64,
    /// Bytes that are there.
    pub payload_bytes: u64,
    /// Bytes of the whole logical tensor.
    pub tensor_bytes: u64,
    /// 0, 1, 2 … in the lane since the region was made, dropped ones counted.
    pub sequence: u64,
    /// [`crate::checksum`] of the payload.
    pub checksum: u64,
    /// When its first byte was read.
    pub ticks: u64,
    /// Written as 0.
    pub reserved_end: [u64; 2],
}

impl TensorRecord {
    /// Bytes of a record.
    ///
    /// cbindgen:ignore
    pub const BYTES: u32 = 192;
}

/// Type, shape and place of a tensor: a window of a larger one, `raw_shape`, or any view by strides.
///
/// The element with index `i` lies the sum of `(offsets[d] + i[d]) * strides[d]` elements behind
/// `address`; of dimensions from `rank` on nothing is read.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct TensorShape {
    /// Device address of the first byte of the larger tensor.
    pub address: u64,
    /// Position among the task's arguments.
    pub arg_index: u16,
    /// [`Role`] as a number.
    pub role: u8,
    /// [`Dtype`] as a number.
    pub dtype: u8,
    /// Dimensions, 0..=5.
    pub rank: u8,
    /// Written as 0.
    pub reserved: [u8; 3],
    /// Elements in each dimension.
    pub shape: [u32; MAX_RANK],
    /// Elements of the larger tensor in each dimension.
    pub raw_shape: [u32; MAX_RANK],
    /// Where the window begins in each dimension.
    pub offsets: [u32; MAX_RANK],
    /// Elements from one index to the next in each dimension.
    pub strides: [u32; MAX_RANK],
}

/// Written before and behind a payload, so that one that was overwritten is told from a whole one.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ArenaMark {
    /// [`TensorRecord::sequence`].
    pub sequence: u64,
    /// [`TensorRecord::payload_begin`].
    pub payload_begin: u64,
    /// [`TensorRecord::payload_bytes`].
    pub payload_bytes: u64,
    /// [`TensorRecord::checksum`] behind the payload, 0 before it.
    pub checksum: u64,
    /// Written as 0.
    pub reserved: [u64; 4],
}

/// What a task does with a tensor.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Reads it.
    #[default]
    Input = 0,
    /// Writes it.
    Output = 1,
    /// Reads and writes it.
    Inout = 2,
}

impl Role {
    /// Every one; the position of each is its number.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 3] = [Self::Input, Self::Output, Self::Inout];

    /// Its name in a manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Inout => "inout",
        }
    }

    /// Whether it is recorded at a stage.
    #[must_use]
    pub const fn has(self, stage: Stage) -> bool {
        !matches!(
            (self, stage),
            (Self::Input, Stage::AfterCompletion) | (Self::Output, Stage::BeforeDispatch)
        )
    }
}

/// When a tensor was recorded.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Before its task was dispatched.
    #[default]
    BeforeDispatch = 0,
    /// After its task had finished, before any successor was released.
    AfterCompletion = 1,
}

impl Stage {
    /// Every one; the position of each is its number.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 2] = [Self::BeforeDispatch, Self::AfterCompletion];

    /// Its name in a manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeDispatch => "before_dispatch",
            Self::AfterCompletion => "after_completion",
        }
    }
}

/// Element type of a tensor. The numbers are those of the reference's records.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dtype {
    /// IEEE 754 binary32.
    #[default]
    Float32 = 0,
    /// IEEE 754 binary16.
    Float16 = 1,
    /// Signed, 4 bytes.
    Int32 = 2,
    /// Signed, 2 bytes.
    Int16 = 3,
    /// Signed, 1 byte.
    Int8 = 4,
    /// Unsigned, 1 byte.
    Uint8 = 5,
    /// The upper half of a binary32.
    Bfloat16 = 6,
    /// Signed, 8 bytes.
    Int64 = 7,
    /// Unsigned, 8 bytes.
    Uint64 = 8,
    /// Unsigned, 2 bytes.
    Uint16 = 9,
    /// Unsigned, 4 bytes.
    Uint32 = 10,
}

impl Dtype {
    /// Every one; the position of each is its number.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 11] = [
        Self::Float32,
        Self::Float16,
        Self::Int32,
        Self::Int16,
        Self::Int8,
        Self::Uint8,
        Self::Bfloat16,
        Self::Int64,
        Self::Uint64,
        Self::Uint16,
        Self::Uint32,
    ];

    /// Its name in a manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float32 => "FLOAT32",
            Self::Float16 => "FLOAT16",
            Self::Int32 => "INT32",
            Self::Int16 => "INT16",
            Self::Int8 => "INT8",
            Self::Uint8 => "UINT8",
            Self::Bfloat16 => "BFLOAT16",
            Self::Int64 => "INT64",
            Self::Uint64 => "UINT64",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
        }
    }

    /// Bytes of an element.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Int8 | Self::Uint8 => 1,
            Self::Float16 | Self::Bfloat16 | Self::Int16 | Self::Uint16 => 2,
            Self::Float32 | Self::Int32 | Self::Uint32 => 4,
            Self::Int64 | Self::Uint64 => 8,
        }
    }
}

macro_rules! from_raw {
    ($($name:ident)+) => { $(
        impl $name {
            /// The one with this number, if there is one.
            #[must_use]
            pub fn from_raw(raw: u8) -> Option<Self> {
                Self::ALL.get(usize::from(raw)).copied()
            }
        }
    )+ };
}

from_raw!(Role Stage Dtype);

/// Second line of a staging slot where cores read their own counters. Writer: that core.
///
/// Written, cleaned and compared as [`TaskSlot`] is, behind the same barrier and before the same FIN.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct PmuSlot {
    /// The dispatch number; [`crate::token::TOKEN_NONE`] while nothing was published.
    pub token: u32,
    /// The run the slot belongs to.
    pub run_id: u32,
    /// Cycles between the opening and the closing of the gate.
    pub total_cycles: u64,
    /// The counters, by number.
    pub counters: [u32; PMU_COUNTERS],
    /// The dispatch number again.
    pub seal: u32,
    /// Written as 0.
    pub reserved: u32,
}

const _: () = assert!(size_of::<TaskSlot>() == 64);
const _: () = assert!(size_of::<PmuSlot>() == 64);
const _: () = assert!(size_of::<ArenaMark>() == 64);
const _: () = assert!(size_of::<TensorShape>() == 96);
