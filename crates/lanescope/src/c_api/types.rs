//! What the functions of the C API take and give: codes, options, results.

use std::ffi::c_char;

/// The call did what it should.
pub const LANESCOPE_OK: i32 = 0;
/// A handle or argument cannot be; nothing was done.
pub const LANESCOPE_BAD_ARGUMENT: i32 = -1;
/// The driver, the device or the build refused, or the run failed.
pub const LANESCOPE_FAILED: i32 = -2;
/// A bug of this library; the object refuses every later call; close it.
pub const LANESCOPE_INTERNAL: i32 = -3;

/// Argument kind: the number itself.
pub const LANESCOPE_SCALAR: u32 = 0;
/// Argument kind: the device address `value` bytes into a tensor.
pub const LANESCOPE_TENSOR: u32 = 1;

/// Verdict: every task has its record.
pub const LANESCOPE_EXACT: u32 = 0;
/// Verdict: records were dropped, all of them accounted for.
pub const LANESCOPE_LOSSY: u32 = 1;
/// Verdict: something does not add up.
pub const LANESCOPE_BROKEN: u32 = 2;
/// Verdict: the run did not end.
pub const LANESCOPE_PARTIAL: u32 = 3;

/// An opened device, or 0.
pub type LanescopeSession = u64;
/// A graph under construction, or 0.
pub type LanescopeGraph = u64;

/// One argument of a task.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LanescopeArg {
    /// `LANESCOPE_SCALAR` or `LANESCOPE_TENSOR`.
    pub kind: u32,
    /// The tensor, for `LANESCOPE_TENSOR`.
    pub tensor: u32,
    /// The number, or the offset in bytes.
    pub value: u64,
}

/// Policy: a record waits for a buffer, a tensor for room.
pub const LANESCOPE_BLOCK: u32 = 0;
/// Policy: the newest record is dropped, and counted.
pub const LANESCOPE_DROP_NEWEST: u32 = 1;
/// Policy, of tensors alone: what there is room for is kept, and flagged.
pub const LANESCOPE_TRUNCATE: u32 = 2;

/// The lanes of a collector: one of each AICPU thread. 0 means the collector's default.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LanescopeLaneOptions {
    /// `LANESCOPE_BLOCK` and so on.
    pub policy: u32,
    /// Buffers of each lane, a power of two.
    pub buffers: u32,
    /// Records a buffer holds.
    pub records_per_buffer: u32,
    /// Written as 0.
    pub reserved: u32,
}

/// How to run a graph; 0 means the default wherever it is not said otherwise.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LanescopeRunOptions {
    /// `sizeof(LanescopeRunOptions)`.
    pub struct_bytes: u32,
    /// Swimlane level, 0 (off) to 4.
    pub level: u32,
    /// AICPU threads that schedule.
    pub threads: u32,
    /// Clusters of one cube and two vector cores.
    pub clusters: u32,
    /// Tokens in flight on a core.
    pub issue_depth: u32,
    /// Event type of the hardware counters, 0: off.
    pub pmu_event: u32,
    /// 0: no tensors are recorded; 1: those that are described and `dump_selection` chooses.
    pub dump: u32,
    /// Most bytes of a tensor that are copied before cores are looked at again, a multiple of 64.
    pub dump_piece_bytes: u32,
    /// The lanes of the swimlane: tasks, and from level 3 on phases.
    pub swimlane_lanes: LanescopeLaneOptions,
    /// The lanes of the hardware counters.
    pub pmu_lanes: LanescopeLaneOptions,
    /// The lanes of tensors.
    pub dump_lanes: LanescopeLaneOptions,
    /// Room of each AICPU thread for the bytes of tensors, a multiple of 64, 4096 or more.
    pub dump_arena_bytes: u64,
    /// Most device memory that what is recorded may take; 0: as much as it needs.
    pub memory_budget_bytes: u64,
    /// Which tensors are recorded, as the command line has it: `task=ID`, `function=NAME`, `arg=N`,
    /// `stage=before` and `stage=after`, separated by commas; null or empty for all at every stage.
    /// Several of one name choose any of them, different names choose what all of them do.
    pub dump_selection: *const c_char,
    /// Existing folder for capture and verdict, or null; needs something to record.
    pub capture_dir: *const c_char,
    /// What the capture calls the workload, or null for the graph's name.
    pub workload: *const c_char,
}

/// Most dimensions of a tensor.
pub const LANESCOPE_MAX_RANK: usize = 5;

/// Role of a tensor: the task reads it.
pub const LANESCOPE_INPUT: u32 = 0;
/// Role of a tensor: the task writes it.
pub const LANESCOPE_OUTPUT: u32 = 1;
/// Role of a tensor: the task reads and writes it.
pub const LANESCOPE_INOUT: u32 = 2;

/// What an argument of a task is, so that it can be recorded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LanescopeTensorView {
    /// Position among the task's arguments; the tensor begins where the argument points.
    pub arg_index: u32,
    /// `LANESCOPE_INPUT` and so on.
    pub role: u32,
    /// Elements: 0 float32, 1 float16, 2 int32, 3 int16, 4 int8, 5 uint8, 6 bfloat16, 7 int64,
    /// 8 uint64, 9 uint16, 10 uint32.
    pub dtype: u32,
    /// Dimensions, 0 to 5.
    pub rank: u32,
    /// Elements in each dimension.
    pub shape: [u32; LANESCOPE_MAX_RANK],
    /// Not 0: the view is a window of a larger tensor, which the next two say.
    pub is_window: u32,
    /// Elements of the larger tensor in each dimension.
    pub raw_shape: [u32; LANESCOPE_MAX_RANK],
    /// Where the window begins in each dimension.
    pub offsets: [u32; LANESCOPE_MAX_RANK],
    /// Not 0: elements do not lie in row-major order, but as the next says.
    pub is_strided: u32,
    /// Elements from one index to the next in each dimension.
    pub strides: [u32; LANESCOPE_MAX_RANK],
}

/// What a run did.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LanescopeRunResult {
    /// `LANESCOPE_EXACT` and so on.
    pub verdict: u32,
    /// The run's number in the session.
    pub run_id: u32,
    /// Tasks of the graph.
    pub tasks: u64,
    /// Records in the capture.
    pub collected: u64,
    /// Records that were dropped and counted.
    pub dropped: u64,
    /// Ticks from the first AICPU thread's entry to the last one's exit.
    pub device_ticks: u64,
    /// Rate of those ticks.
    pub ticks_per_second: u64,
}
