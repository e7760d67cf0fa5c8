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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Parser, Subcommand};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        workload: WorkloadOptions,
    }

    fn parsed(words: &[&str]) -> WorkloadOptions {
        let words = ["lanescope"].iter().chain(words);
        Line::try_parse_from(words)
            .expect("a command line")
            .workload
    }

    #[test]
    fn the_command_line_knows_every_workload_by_its_name() {
        let command = WorkloadOptions::augment_subcommands(clap::Command::new("lanescope"));
        let names: Vec<_> = command
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        assert_eq!(names, WORKLOAD_NAMES);
    }

    #[test]
    fn the_defaults_of_the_command_line_are_those_of_the_options() {
        for name in ["vector", "bgemm", "paged-attention"] {
            let named = WorkloadOptions::named(name, None).expect("a workload");
            let described = named.clone().open().expect("sizes that can be").describe();
            assert_eq!(format!("{:?}", parsed(&[name])), format!("{named:?}"));
            assert!(!described.is_empty());
        }
        let file = Path::new("some.json");
        let named = WorkloadOptions::named("replay", Some(file)).expect("a workload");
        let line = parsed(&["replay", "some.json"]);
        assert_eq!(format!("{line:?}"), format!("{named:?}"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_there_are() {
        let error = WorkloadOptions::named("vectors", None).expect_err("no such workload");
        assert_eq!(
            error.to_string(),
            "no workload named vectors; there are vector, bgemm, paged-attention, replay"
        );
    }
}
