//! The control region: header, handshake, register table, payloads, graph and status.
//!
//! It always exists. The host lays it out and writes its own lines before launch; after that each
//! line has the one writer its structure names, and the host writes nothing but [`HostLine`].

use crate::Section;
use crate::record::TensorShape;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `b"LSCTRL01"` as a little-endian number.
pub const CONTROL_MAGIC: u64 = 0x3130_4C52_5443_534C;

/// The start of the control region. Writer: the host, before launch.
///
/// Each program compares magic, version, hash, chip and ring size with its own on attach.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ControlHeader {
    /// [`CONTROL_MAGIC`].
    pub magic: u64,
    /// [`crate::ABI_HASH`].
    pub abi_hash: u64,
    /// [`crate::ABI_VERSION`].
    pub abi_version: u32,
    /// [`crate::Chip`] as a number.
    pub chip: u32,
    /// Slots of each staging and payload ring; what the device programs were built with.
    pub ring_size: u32,
    /// Most tokens in flight on a core: 1..=`ring_size`.
    pub issue_depth: u32,
    /// Cores in the launch; core types by [`CoreConfig`].
    pub core_count: u32,
    /// AICPU threads that schedule.
    pub thread_count: u32,
    /// This run; never 0.
    pub run_id: u32,
    /// Swimlane level, 0..=4; 0 also when no capture region exists.
    ///
    /// 1: times of the core; 2: and dispatch and finish; 3: and scheduler phases; 4: and those of
    /// an orchestrator.
    pub swimlane_level: u32,
    /// Bytes of the control region.
    pub control_bytes: u64,
    /// Device address of the capture region, 0 when no collector is on.
    pub capture_address: u64,
    /// Bytes of the capture region.
    pub capture_bytes: u64,
    /// Longest wait for the other side of the handshake.
    pub handshake_limit_ticks: u64,
    /// Longest time an AICPU thread goes without any task finishing while some are unfinished.
    pub scheduler_limit_ticks: u64,
    /// Tasks in the graph.
    pub task_count: u32,
    /// Event type of the hardware counters, 0 when they are off; see [`crate::pmu`].
    pub pmu_event: u32,
    /// One [`HostLine`].
    pub host: Section,
    /// [`CoreConfig`] per core.
    pub cores: Section,
    /// Register window address (u64) per physical core; 0 where there is no usable core.
    pub registers: Section,
    /// [`CoreOrder`] per core.
    pub orders: Section,
    /// [`CoreAnswer`] per core.
    pub answers: Section,
    /// [`ThreadStatus`] per AICPU thread.
    pub threads: Section,
    /// [`Payload`] per core and slot: item `core * ring_size + slot`.
    pub payloads: Section,
    /// One [`SchedulerWords`].
    pub scheduler: Section,
    /// [`GraphTask`] per task.
    pub tasks: Section,
    /// Task arguments, u64 each; every list starts on a line of its own.
    pub args: Section,
    /// Successors, u32 task index each.
    pub successors: Section,
    /// Unfinished predecessors, u32 per task. Host before launch, then AICPU atomics.
    pub fan_in: Section,
    /// Ready tasks by core type (cube, vector), u32 each: task index + 1, 0 while empty.
    /// Host before launch, then AICPU atomics. Holds every task of the type once.
    pub ready: [Section; 2],
    /// [`TaskTensor`]: the tensors to record, task by task.
    pub tensors: Section,
    /// Address (u64) of the page of hardware counters per physical core, where the chip has such pages;
    /// 0 where there is no usable core. Filled in while `pmu_event` is not 0; empty where the counters
    /// lie in the register window.
    pub pmu_registers: Section,
    /// Most bytes of a tensor that an AICPU thread copies before it looks at its cores again.
    pub tensor_piece_bytes: u32,
    /// Written as 0.
    pub reserved: [u32; 7],
}

/// What the host may say while the device runs. Writer: the host.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct HostLine {
    /// The run that is to end early, or 0. Cores and AICPU threads watch it where they wait.
    pub abort_run: u32,
    /// Written as 0.
    pub reserved: [u32; 15],
}

/// What the host decides for one core. Writer: the host, before launch.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct CoreConfig {
    /// First token of this run: the one after the last that was dispatched on the core.
    pub first_token: u32,
    /// [`crate::CoreType`] as a number.
    pub core_type: u32,
    /// The AICPU thread that owns the core in this run.
    pub thread: u32,
    /// Written as 0.
    pub reserved: u32,
}

/// What an AICPU thread tells one of its cores. Writer: the thread that owns the core.
///
/// The core reads it during the handshake only: everything but `ready_run` is visible before
/// `ready_run`, and `registers_run` comes last.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct CoreOrder {
    /// The run this order is for; the core starts its handshake when it sees its own run here.
    pub ready_run: u32,
    /// The run for which the core's registers are initialised.
    pub registers_run: u32,
    /// First token the core will be given.
    pub first_token: u32,
    /// Swimlane level; 0: do not publish.
    pub swimlane_level: u32,
    /// Address of the core's staging ring, 0 when there is none.
    pub staging_address: u64,
    /// Address of the core's payload ring.
    pub payload_address: u64,
    /// Tokens written to `DATA_MAIN_BASE` in this run. Read by the host.
    pub dispatched: u64,
    /// Tokens proven finished in this run. Read by the host.
    pub completed: u64,
    /// The thread that owns the core.
    pub thread: u32,
    /// Event type of the hardware counters; 0: leave them alone.
    pub pmu_event: u32,
    /// Lines of a staging slot.
    pub slot_lines: u32,
    /// Written as 0.
    pub reserved: u32,
}

/// How a core answers, and its status. Writer: that core.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct CoreAnswer {
    /// The run for which `physical_core` is valid.
    pub answer_run: u32,
    /// Index of the core in the register table.
    pub physical_core: u32,
    /// [`crate::CoreType`] as a number.
    pub core_type: u32,
    /// Ring size the AICore program was built with.
    pub ring_size: u32,
    /// [`Phase`] as a number.
    pub phase: u32,
    /// [`DeviceError`] as a number; written before the core returns.
    pub error: u32,
    /// Last token that began.
    pub token: u32,
    /// The run the core has left, written last of all.
    pub exited_run: u32,
    /// ABI hash the AICore program was built with.
    pub abi_hash: u64,
    /// When this line was written.
    pub ticks: u64,
    /// The limit that ran out, when `error` is a time-out.
    pub limit_ticks: u64,
    /// Written as 0.
    pub reserved: u64,
}

/// Where an AICPU thread is. Writer: that thread.
///
/// Written on every change of phase, before any error return, and at least once every
/// 1024 finished tasks; the host reads it on every tick.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct ThreadStatus {
    /// The run this line speaks of.
    pub run_id: u32,
    /// [`Phase`] as a number.
    pub phase: u32,
    /// [`DeviceError`] as a number.
    pub error: u32,
    /// The core an error is about, else `u32::MAX`.
    pub core: u32,
    /// The token an error is about, else 0.
    pub token: u32,
    /// `DATA_MAIN_BASE` of that core, as last written.
    pub data_main_base: u32,
    /// `COND` of that core, as last read.
    pub cond: u32,
    /// For an ABI error, the [`AbiField`] that differs.
    pub field: u32,
    /// The limit that ran out; for an ABI error, the device's value.
    pub detail: u64,
    /// Ticks when the thread entered the run.
    pub begin_ticks: u64,
    /// Ticks of this update.
    pub ticks: u64,
    /// Tasks this thread has seen finished in this run.
    pub completed: u64,
}

/// The work a core is handed with a token. Writer: the AICPU thread that owns the core.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Payload {
    /// Device address of the kernel.
    pub kernel_address: u64,
    /// Device address of the arguments.
    pub args_address: u64,
    /// Number of 8-byte arguments.
    pub arg_count: u32,
    /// The token this payload is for.
    pub token: u32,
    /// The task's identity in its graph.
    pub task_id: u64,
    /// The run it belongs to.
    pub run_id: u32,
    /// The function, for a post-mortem.
    pub func_id: u32,
    /// Written as 0.
    pub reserved: [u64; 3],
}

/// A task of a host-built graph. Writer: the host, before launch.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct GraphTask {
    /// Identity that records carry; need not be unique.
    pub task_id: u64,
    /// Device address of the kernel.
    pub kernel_address: u64,
    /// Device address of the arguments.
    pub args_address: u64,
    /// Number of 8-byte arguments, at most [`crate::MAX_TASK_ARGS`].
    pub arg_count: u32,
    /// The function.
    pub func_id: u32,
    /// [`crate::CoreType`] as a number.
    pub core_type: u32,
    /// Index of the first successor in the successor section.
    pub first_successor: u32,
    /// Number of successors.
    pub successor_count: u32,
    /// Number of predecessors.
    pub predecessor_count: u32,
    /// Index of the first tensor to record in the tensor section.
    pub first_tensor: u32,
    /// Number of tensors to record.
    pub tensor_count: u32,
    /// Written as 0.
    pub reserved: u64,
}

/// A tensor of a task that is to be recorded. Writer: the host, before launch.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct TaskTensor {
    /// Type, shape and place.
    pub tensor: TensorShape,
    /// Bytes of memory behind `tensor.address`; no element lies beyond.
    pub raw_bytes: u64,
    /// Bit 0: before dispatch; bit 1: after completion.
    pub stages: u32,
    /// Written as 0.
    pub reserved: u32,
    /// Written as 0.
    pub reserved_end: [u64; 2],
}

/// Words the AICPU threads share with atomics of their own. The host zeroes them (and fills the
/// ready queues with the tasks that have no predecessor) before launch and never writes them again.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct SchedulerWords {
    /// Next free entry of the ready queue by core type; the host sets it to the number of tasks
    /// it has queued. One line each, as heads are.
    pub ready_tail: [LineWord; 2],
    /// Next entry to take of the ready queue by core type.
    pub ready_head: [LineWord; 2],
    /// Tasks not finished yet; the host sets it to the number of tasks.
    pub unfinished: LineWord,
    /// AICPU threads that have entered; each takes its index from it.
    pub entered: LineWord,
    /// Pieces of tensors that were copied; runs free. A thread that finishes nothing for long looks
    /// at it, for a long copy of another one is no standstill.
    pub copied: LineWord,
    /// Set to a [`DeviceError`] by the first thread that fails; the others then stop too.
    pub fault: LineWord,
}

/// A 4-byte word on a line of its own.
#[repr(C, align(64))]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct LineWord {
    /// The word.
    pub value: u32,
    /// Written as 0.
    pub reserved: [u32; 15],
}

macro_rules! texts {
    ($name:ident { $($variant:ident: $text:literal,)+ }) => {
        impl $name {
            /// The variant with this number, if there is one.
            #[must_use]
            pub const fn from_raw(raw: u32) -> Option<Self> {
                match raw {
                    $(raw if raw == Self::$variant as u32 => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// What it says to a user.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

/// Where a core or an AICPU thread is in a run.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not entered yet.
    Absent = 0,
    /// Checking the header.
    Attach = 1,
    /// Waiting for the other side.
    Handshake = 2,
    /// Dispatching (AICPU) or taking tokens (core).
    Running = 3,
    /// Publishing what is left in the buffers.
    Flush = 4,
    /// Waiting for the cores to leave.
    Exit = 5,
    /// Left in order.
    Done = 6,
    /// Left with an error.
    Failed = 7,
}

texts! {
    Phase {
        Absent: "not started",
        Attach: "attach",
        Handshake: "handshake",
        Running: "running",
        Flush: "flush",
        Exit: "exit",
        Done: "done",
        Failed: "failed",
    }
}

/// Why a core or an AICPU thread left early; also the AICPU program's return value.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceError {
    /// No error.
    None = 0,
    /// Header and program disagree; see `field` and `detail`.
    AbiMismatch = 1,
    /// A section of the header does not lie inside its region.
    BadLayout = 2,
    /// A core did not answer the handshake within its limit.
    HandshakeTimeout = 3,
    /// No task finished within the scheduler's limit.
    SchedulerTimeout = 4,
    /// A core did not leave within the handshake limit.
    ExitTimeout = 5,
    /// `COND` named a token that is not in flight.
    BadCond = 6,
    /// A core answered with a physical id or type that cannot be.
    BadAnswer = 7,
    /// The host asked for the run to end.
    Aborted = 8,
    /// Another AICPU thread failed first.
    Sibling = 9,
    /// A task names a kernel, successor or core type that cannot be.
    BadGraph = 10,
    /// A core ended with an error of its own.
    CoreFailed = 11,
    /// A queue index from the host is out of range.
    CorruptQueue = 12,
    /// The device program broke one of its own rules.
    Internal = 13,
}

texts! {
    DeviceError {
        None: "no error",
        AbiMismatch: "header and device program disagree",
        BadLayout: "a section of the header lies outside its region",
        HandshakeTimeout: "a core did not answer the handshake in time",
        SchedulerTimeout: "no task finished within the scheduler limit",
        ExitTimeout: "a core did not leave in time",
        BadCond: "a core's COND names a token that is not in flight",
        BadAnswer: "a core answered the handshake with an impossible id or type",
        Aborted: "the host ended the run",
        Sibling: "another AICPU thread failed",
        BadGraph: "a task of the graph is malformed",
        CoreFailed: "a core reported an error",
        CorruptQueue: "a queue index written by the host is out of range",
        Internal: "internal error of the device program",
    }
}

/// The header field that differs, for [`DeviceError::AbiMismatch`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AbiField {
    /// None differs.
    None = 0,
    /// The magic number.
    Magic = 1,
    /// The ABI version.
    Version = 2,
    /// The ABI hash.
    Hash = 3,
    /// The chip.
    Chip = 4,
    /// The ring size.
    RingSize = 5,
    /// The issue depth.
    IssueDepth = 6,
    /// The number of cores.
    CoreCount = 7,
    /// The number of AICPU threads.
    ThreadCount = 8,
}

texts! {
    AbiField {
        None: "none",
        Magic: "magic",
        Version: "ABI version",
        Hash: "ABI hash",
        Chip: "chip",
        RingSize: "ring size",
        IssueDepth: "issue depth",
        CoreCount: "core count",
        ThreadCount: "AICPU thread count",
    }
}

const _: () = assert!(size_of::<CoreOrder>() == 64);
const _: () = assert!(size_of::<CoreAnswer>() == 64);
const _: () = assert!(size_of::<ThreadStatus>() == 64);
const _: () = assert!(size_of::<Payload>() == 64);
const _: () = assert!(size_of::<GraphTask>() == 64);
const _: () = assert!(size_of::<HostLine>() == 64);
const _: () = assert!(CONTROL_MAGIC == u64::from_le_bytes(*b"LSCTRL01"));
