//! How a session and a run are set up.

use crate::{Collectors, Result, RuntimeError};
use lanescope_abi::{ChipInfo, Token};
use lanescope_platform::DeviceInfo;
use lanescope_profiling::RegionShape;
use std::path::PathBuf;
use std::time::Duration;

/// How to open a session.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// The first token of every core; tests start close to the wrap.
    pub first_token: Token,
    /// The platform's name as the user wrote it, for the capture; by default the build's.
    pub platform_name: Option<String>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            first_token: Token::FIRST,
            platform_name: None,
        }
    }
}

/// How to run one graph.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// What is recorded.
    pub collectors: Collectors,
    /// AICPU threads that schedule; by default what the chip is run with.
    pub threads: Option<u32>,
    /// Clusters of one cube and two vector cores; by default all usable ones.
    pub clusters: Option<u32>,
    /// Tokens in flight on a core, 1..=ring size; by default the ring size.
    pub issue_depth: Option<u32>,
    /// The time limits.
    pub limits: Limits,
    /// Folder (which exists) for `capture.lanescope` and `verdict.json`; needs a collector.
    pub capture: Option<PathBuf>,
    /// What the capture calls the workload; by default the graph's name.
    pub workload: Option<String>,
    /// Seed of the simulated driver, for the capture.
    pub seed: Option<u64>,
    /// Other settings worth keeping in the capture, by name.
    pub settings: Vec<(String, String)>,
}

/// The time limits of a run; each layer gives up before the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest wait of one commit for a free buffer of one lane, in device time.
    pub block: Duration,
    /// Longest wait of a core or AICPU thread for the other at start and end, in device time.
    pub handshake: Duration,
    /// Longest time without any task finishing, in device time.
    pub scheduler: Duration,
    /// Longest time the driver grants one launch, in device time.
    pub op: Duration,
    /// Longest time the host waits without news from the device.
    pub sync: Duration,
    /// Longest time the capture file may take for one block of records.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block: Duration::from_secs(1),
            handshake: Duration::from_secs(2),
            scheduler: Duration::from_secs(10),
            op: Duration::from_secs(45),
            sync: Duration::from_secs(50),
            write: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// By how much the host outwaits the scheduler.
    pub const SYNC_MARGIN: Duration = Duration::from_millis(1500);

    /// Refuses limits that would hide the inner one's error.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Option`] unless block, handshake < scheduler < op < sync and sync is at
    /// least scheduler + 1.5 s.
    pub fn check(&self) -> Result<()> {
        let pairs = [
            ("block", self.block, "scheduler", self.scheduler),
            ("handshake", self.handshake, "scheduler", self.scheduler),
            ("scheduler", self.scheduler, "op", self.op),
            ("op", self.op, "sync", self.sync),
        ];
        for (inner, inner_limit, outer, outer_limit) in pairs {
            if inner_limit >= outer_limit {
                return Err(refuse(
                    "limits",
                    format!(
                        "{inner} ({inner_limit:?}) must be less than {outer} ({outer_limit:?})"
                    ),
                ));
            }
        }
        let least = self.scheduler + Self::SYNC_MARGIN;
        if self.sync < least {
            let sync = self.sync;
            return Err(refuse(
                "limits",
                format!("sync ({sync:?}) must be at least scheduler + 1.5 s ({least:?})"),
            ));
        }
        Ok(())
    }

    /// Refuses a block limit that the scheduler's does not outlast in so many lanes: a thread that
    /// commits may wait in one after the other, and finishes no task meanwhile.
    fn check_block(&self, lanes: u32) -> Result<()> {
        let (block, scheduler) = (self.block, self.scheduler);
        let longest = block.saturating_mul(lanes);
        if longest < scheduler {
            return Ok(());
        }
        Err(refuse(
            "limits",
            format!(
                "block ({block:?}), in {lanes} lanes one after the other ({longest:?}), must be less \
                 than scheduler ({scheduler:?})"
            ),
        ))
    }
}

/// The shape of one launch, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) clusters: u32,
    pub(crate) cores: u32,
    pub(crate) threads: u32,
    pub(crate) issue_depth: u32,
    pub(crate) level: u32,
    /// Event type of the hardware counters, 0 when they are off.
    pub(crate) pmu_event: u32,
    /// Records that the chosen tensors make; `None` when none are recorded.
    pub(crate) tensor_records: Option<u64>,
}

impl Shape {
    pub(crate) fn new(
        options: &RunOptions,
        chip: &'static ChipInfo,
        device: &DeviceInfo,
        ring_size: u32,
    ) -> Result<Self> {
        options.limits.check()?;
        options.collectors.check(chip)?;
        let lanes = options.collectors.lanes(options.limits.block);
        options.limits.check_block(lanes.blocking())?;
        if options.capture.is_some() && options.collectors.is_empty() {
            return Err(refuse(
                "capture",
                "nothing is recorded; ask for a swimlane level of 1 to 4, pmu or dump".to_owned(),
            ));
        }
        let clusters_limit = device.clusters.min(chip.max_clusters);
        let clusters = choose("clusters", options.clusters, clusters_limit, clusters_limit)?;
        let threads_limit = device.aicpu_threads.min(chip.max_threads).min(clusters);
        let threads = choose(
            "threads",
            options.threads,
            chip.default_threads,
            threads_limit,
        )?;
        let issue_depth = choose_issue_depth(options, chip, ring_size)?;
        Ok(Self {
            clusters,
            cores: chip.core_count(clusters),
            threads,
            issue_depth,
            level: options.collectors.swimlane.level,
            pmu_event: options.collectors.pmu.map_or(0, |pmu| pmu.event),
            tensor_records: None,
        })
    }

    /// What a capture region of this launch must fit.
    pub(crate) fn region(&self, ring_size: u32, chip: &ChipInfo) -> RegionShape {
        RegionShape {
            core_count: self.cores,
            thread_count: self.threads,
            ring_size,
            ticks_per_second: chip.ticks_per_second,
        }
    }

    /// The thread that owns `core`: whole clusters, spread evenly.
    pub(crate) fn thread_of(&self, core: u32) -> u32 {
        let cluster = if core < self.clusters {
            core
        } else {
            (core - self.clusters) / lanescope_abi::chip::AIV_PER_CLUSTER
        };
        cluster * self.threads / self.clusters
    }
}

/// Where the AICPU reads the hardware counters of a core, the core has one task at a time: the next
/// would count before they are read.
fn choose_issue_depth(options: &RunOptions, chip: &ChipInfo, ring_size: u32) -> Result<u32> {
    let is_read_between = options.collectors.pmu.is_some() && !chip.registers.pmu.is_read_by_core;
    match options.issue_depth {
        None if is_read_between => Ok(1),
        Some(depth) if is_read_between && depth != 1 => Err(refuse(
            "issue-depth",
            format!("{depth}, expected 1 with pmu on {}", chip.name),
        )),
        asked => choose("issue-depth", asked, ring_size, ring_size),
    }
}

/// What was asked for, when it is possible; else the default, cut to what is possible.
fn choose(option: &'static str, asked: Option<u32>, default: u32, limit: u32) -> Result<u32> {
    match asked {
        None => Ok(default.min(limit)),
        Some(value) if (1..=limit).contains(&value) => Ok(value),
        Some(value) => Err(refuse(option, format!("{value}, expected 1 to {limit}"))),
    }
}

fn refuse(option: &'static str, reason: String) -> RuntimeError {
    RuntimeError::Option { option, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_limits_are_in_order() {
        Limits::default().check().expect("ordered");
    }

    #[test]
    fn limits_out_of_order_are_refused_by_name() {
        let limits = Limits {
            op: Duration::from_secs(9),
            ..Limits::default()
        };
        let text = limits.check().expect_err("refused").to_string();
        assert_eq!(text, "limits: scheduler (10s) must be less than op (9s)");
        let limits = Limits {
            scheduler: Duration::from_secs(10),
            op: Duration::from_secs(11),
            sync: Duration::from_millis(11_400),
            ..Limits::default()
        };
        let text = limits.check().expect_err("refused").to_string();
        assert!(text.contains("sync (11.4s) must be at least"), "{text}");
    }

    #[test]
    fn a_block_in_every_lane_is_less_than_the_scheduler_waits() {
        let limits = Limits {
            block: Duration::from_secs(6),
            ..Limits::default()
        };
        limits.check().expect("ordered");
        limits.check_block(1).expect("6 s of 10 s");
        let text = limits.check_block(3).expect_err("18 s").to_string();
        assert_eq!(
            text,
            "limits: block (6s), in 3 lanes one after the other (18s), must be less than scheduler (10s)"
        );
    }

    #[test]
    fn clusters_are_spread_evenly_and_stay_whole() {
        let shape = Shape {
            clusters: 24,
            cores: 72,
            threads: 4,
            issue_depth: 2,
            level: 2,
            pmu_event: 0,
            tensor_records: None,
        };
        let mut owned = [0; 4];
        for core in 0..72 {
            owned[shape.thread_of(core) as usize] += 1;
        }
        assert_eq!(owned, [18; 4]);
        for cluster in 0..24 {
            let thread = shape.thread_of(cluster);
            assert_eq!(shape.thread_of(24 + 2 * cluster), thread);
            assert_eq!(shape.thread_of(24 + 2 * cluster + 1), thread);
        }
    }
}
