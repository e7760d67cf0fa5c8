//! What a reader must know to understand the records of a run.

use crate::names;
use lanescope_abi::capture::Policy;
use lanescope_abi::{Chip, CoreType, Kind};
use serde::{Deserialize, Serialize};

/// Facts of a run that its records do not carry. A JSON block, the first of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionInfo {
    /// The run; never 0.
    pub run_id: u32,
    /// Platform name, `a2a3sim` and the like.
    pub platform: String,
    /// The chip.
    #[serde(with = "names::chip")]
    pub chip: Chip,
    /// Logical device id.
    pub device: u32,
    /// Name of the host; empty when it is not known.
    pub host: String,
    /// The boot of the host that its clock readings count from; empty when it is not known.
    pub boot: String,
    /// Core type of each core; its length is the number of cores.
    #[serde(with = "names::core_types")]
    pub core_types: Vec<CoreType>,
    /// AICPU threads that scheduled.
    pub thread_count: u32,
    /// The AICPU thread that owned each core.
    pub core_to_thread: Vec<u32>,
    /// First token of each core in this run.
    pub first_tokens: Vec<u32>,
    /// Ring size of the device programs.
    pub ring_size: u32,
    /// Most tokens in flight on a core.
    pub issue_depth: u32,
    /// Swimlane level, 0 (off) to 4.
    pub swimlane_level: u32,
    /// Event type of the hardware counters, 0 when they are off.
    pub pmu_event: u32,
    /// Rate of the raw ticks in the records.
    pub ticks_per_second: u64,
    /// Lanes, in the order of the lane numbers in block headers.
    pub lanes: Vec<LaneInfo>,
    /// Name of the workload.
    pub workload: String,
    /// Tasks in the graph, where the host knows it.
    pub task_count: Option<u64>,
    /// Seed of the simulated driver, where there is one.
    pub seed: Option<u64>,
    /// Other settings worth keeping, by name.
    pub settings: Vec<(String, String)>,
    /// The devices of a merged capture, in order of their cores; empty for a run of one device.
    pub devices: Vec<DeviceInfo>,
}

impl Default for SessionInfo {
    fn default() -> Self {
        Self {
            run_id: 0,
            platform: String::new(),
            chip: Chip::A2a3,
            device: 0,
            core_types: Vec::new(),
            thread_count: 0,
            core_to_thread: Vec::new(),
            first_tokens: Vec::new(),
            ring_size: 0,
            issue_depth: 0,
            swimlane_level: 0,
            pmu_event: 0,
            ticks_per_second: 0,
            lanes: Vec::new(),
            workload: String::new(),
            task_count: None,
            seed: None,
            settings: Vec::new(),
            host: String::new(),
            boot: String::new(),
            devices: Vec::new(),
        }
    }
}

/// One device of a merged capture: its cores and AICPU threads follow those of the device before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceInfo {
    /// What outputs call it, unique in the capture.
    pub name: String,
    /// Name of its host; empty when it is not known.
    pub host: String,
    /// Logical device id, when it is known.
    pub device: Option<u32>,
    /// Platform name.
    pub platform: String,
    /// How many cores are its own.
    pub cores: u32,
    /// How many AICPU threads are its own.
    pub threads: u32,
    /// What was added to its clock, in nanoseconds.
    pub offset_ns: i64,
    /// How far its times may be off against those of the first device.
    pub uncertainty_ns: u64,
}

/// One lane of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneInfo {
    /// Its record kind.
    #[serde(with = "names::kind")]
    pub kind: Kind,
    /// The AICPU thread that commits into it.
    pub thread: u32,
    /// Buffers it has.
    pub buffers: u32,
    /// Records a buffer holds.
    pub records_per_buffer: u32,
    /// Bytes of a record.
    #[serde(default)]
    pub record_bytes: u32,
    /// Bytes of its arena; 0 when its records speak of no payload.
    #[serde(default)]
    pub arena_bytes: u64,
    /// What happens to a record when no buffer is free.
    #[serde(default, with = "names::policy")]
    pub policy: Policy,
}

/// The name of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionName {
    /// The number records carry.
    pub func_id: u32,
    /// What it is called.
    pub name: String,
}
