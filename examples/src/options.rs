//! The workloads by name, with their sizes as command line options.

use crate::{
    Bgemm, BgemmOptions, PagedAttention, PagedAttentionOptions, Replay, ReplayOptions, Result,
    Vector, VectorOptions, Workload, WorkloadError,
};
use std::path::Path;

/// Every workload, as the command line spells it.
pub const WORKLOAD_NAMES: [&str; 4] = ["vector", "bgemm", "paged-attention", "replay"];

/// A workload and its sizes; a set of subcommands for a command line.
#[derive(Clone, Debug, clap::Subcommand)]
#[non_exhaustive]
pub enum WorkloadOptions {
    /// Chains of elementwise operations on vector cores
    Vector(VectorOptions),
    /// Tiled batched matrix multiplication on cube cores, accumulated on vector cores
    Bgemm(BgemmOptions),
    /// Attention over a paged key-value cache, with an online softmax
    PagedAttention(PagedAttentionOptions),
    /// The graph of a recorded run, each task as long as it was there
    Replay(ReplayOptions),
}

impl WorkloadOptions {
    /// The workload with this name in its default size; a replay needs the recording.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::UnknownWorkload`], which lists those there are.
    pub fn named(name: &str, recording: Option<&Path>) -> Result<Self> {
        match (name, recording) {
            ("vector", _) => Ok(Self::Vector(VectorOptions::default())),
            ("bgemm", _) => Ok(Self::Bgemm(BgemmOptions::default())),
            ("paged-attention", _) => Ok(Self::PagedAttention(PagedAttentionOptions::default())),
            ("replay", Some(file)) => Ok(Self::Replay(ReplayOptions {
                file: file.to_owned(),
                tasks: None,
            })),
            ("replay", None) => Err(WorkloadError::Recording {
                path: "".into(),
                reason: "no recording was named, expected an l2_perf_records.json".to_owned(),
            }),
            _ => Err(WorkloadError::UnknownWorkload {
                name: name.to_owned(),
                known: WORKLOAD_NAMES.join(", "),
            }),
        }
    }

    /// Checks the sizes and makes the workload.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Size`], naming the option; [`WorkloadError::Trace`] and
    /// [`WorkloadError::Recording`] for a recording.
    pub fn open(self) -> Result<Box<dyn Workload>> {
        Ok(match self {
            Self::Vector(options) => Box::new(Vector::new(options)?),
            Self::Bgemm(options) => Box::new(Bgemm::new(options)?),
            Self::PagedAttention(options) => Box::new(PagedAttention::new(options)?),
            Self::Replay(options) => Box::new(Replay::open(&options)?),
        })
    }
}

/// Most tasks of a workload.
pub(crate) const MAX_TASKS: u64 = 4_000_000;
/// Most bytes of the tensors of a workload: what fits the default memory of a simulated device
/// beside the graph.
const MAX_TENSOR_BYTES: u64 = 3 << 30;

/// Refuses a size outside a range.
pub(crate) fn expect_between(
    workload: &'static str,
    option: &'static str,
    value: u64,
    least: u64,
    most: u64,
) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(WorkloadError::Size {
        workload,
        option,
        value,
        expected: format!("{least} to {most}"),
    })
}

/// Refuses sizes whose tensors, `bytes` bytes together, do not fit a device; names the option that
/// counts most.
pub(crate) fn expect_fits(
    workload: &'static str,
    option: &'static str,
    value: u64,
    bytes: u64,
) -> Result<()> {
    if bytes <= MAX_TENSOR_BYTES {
        return Ok(());
    }
    Err(WorkloadError::Size {
        workload,
        option,
        value,
        expected: format!(
            "less: with the other sizes the tensors take {bytes} bytes, at most {MAX_TENSOR_BYTES} fit"
        ),
    })
}

/// Refuses sizes that make too many tasks; names the option that counts most.
pub(crate) fn expect_few(
    workload: &'static str,
    option: &'static str,
    value: u64,
    tasks: u64,
) -> Result<()> {
    if tasks <= MAX_TASKS {
        return Ok(());
    }
    Err(WorkloadError::Size {
        workload,
        option,
        value,
        expected: format!("a size that makes at most {MAX_TASKS} tasks, it makes {tasks}"),
    })
}
