//! The verdict: whether every record that the device counted is in the capture.

use crate::names;
use lanescope_abi::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The judgement in one word; the worse one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every task has its record.
    Exact,
    /// Records were dropped, and every one of them is accounted for.
    Lossy,
    /// Something does not add up: a mismatch, silent loss, a duplicate, corruption.
    Broken,
    /// The run did not end; what was captured is here.
    Partial,
}

impl Outcome {
    /// Lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Lossy => "lossy",
            Self::Broken => "broken",
            Self::Partial => "partial",
        }
    }
}

/// What became of the records of one run. Also the contents of `verdict.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The judgement.
    pub outcome: Outcome,
    /// The run.
    pub run_id: u32,
    /// Tasks in the graph, where the host knows it.
    pub expected_tasks: Option<u64>,
    /// Tokens written to `DATA_MAIN_BASE`, over all cores.
    pub dispatched: u64,
    /// Sums over `cores`.
    pub totals: Counts,
    /// Sums over `cores` for each kind that was collected.
    #[serde(default)]
    pub kinds: Vec<KindCounts>,
    /// Counts per kind, thread and core, where any is not 0.
    pub cores: Vec<CoreCounts>,
    /// Counts per lane.
    pub lanes: Vec<LaneCounts>,
    /// What is not as it should be, and what was dropped.
    pub findings: Vec<Finding>,
    /// Tokens that were dispatched and never committed, when the run did not end.
    pub abandoned: Vec<Abandoned>,
}

impl Verdict {
    /// An exact verdict over nothing.
    #[must_use]
    pub const fn new(run_id: u32) -> Self {
        Self {
            outcome: Outcome::Exact,
            run_id,
            expected_tasks: None,
            dispatched: 0,
            totals: Counts {
                total: 0,
                collected: 0,
                dropped: Dropped {
                    no_buffer: 0,
                    no_arena: 0,
                    other: 0,
                },
                mismatched: 0,
            },
            kinds: Vec::new(),
            cores: Vec::new(),
            lanes: Vec::new(),
            findings: Vec::new(),
            abandoned: Vec::new(),
        }
    }

    /// Adds a finding and lets the outcome grow as bad as its kind demands.
    pub fn find(&mut self, kind: FindingKind, count: u64, text: impl Into<String>) {
        self.outcome = self.outcome.max(kind.outcome());
        self.findings.push(Finding {
            kind,
            count,
            text: text.into(),
        });
    }

    /// 0 exact; 1 the run finished and something was lost or differs; 2 it did not finish.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.outcome {
            Outcome::Exact => 0,
            Outcome::Lossy | Outcome::Broken => 1,
            Outcome::Partial => 2,
        }
    }

    /// The contents of `verdict.json`.
    ///
    /// # Panics
    ///
    /// Never: a verdict holds numbers, names and lists.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("numbers, names and lists always have a JSON form");
        text.push('\n');
        text
    }
}

/// Fate of commit attempts: `collected + dropped + mismatched == total` when nothing is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Commit attempts, counted by the device.
    pub total: u64,
    /// Records written to the capture, counted by the host.
    pub collected: u64,
    /// Records dropped by the device.
    pub dropped: Dropped,
    /// Slots that did not match their token, run or seal.
    pub mismatched: u64,
}

impl Counts {
    /// Collected, dropped and mismatched together.
    #[must_use]
    pub const fn accounted(&self) -> u64 {
        self.collected
            .saturating_add(self.dropped.sum())
            .saturating_add(self.mismatched)
    }

    /// Adds another part to this one.
    pub const fn add(&mut self, other: &Self) {
        self.total = self.total.saturating_add(other.total);
        self.collected = self.collected.saturating_add(other.collected);
        self.dropped.add(&other.dropped);
        self.mismatched = self.mismatched.saturating_add(other.mismatched);
    }
}

/// Dropped records by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// No buffer was free in time.
    pub no_buffer: u64,
    /// The arena had no room for the payload in time.
    #[serde(default)]
    pub no_arena: u64,
    /// Reasons this version does not know.
    pub other: u64,
}

impl Dropped {
    /// Adds another part to this one.
    pub const fn add(&mut self, other: &Self) {
        self.no_buffer = self.no_buffer.saturating_add(other.no_buffer);
        self.no_arena = self.no_arena.saturating_add(other.no_arena);
        self.other = self.other.saturating_add(other.other);
    }

    /// All of them.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.no_buffer
            .saturating_add(self.no_arena)
            .saturating_add(self.other)
    }
}

/// The counts of one kind, thread and core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoreCounts {
    /// Record kind.
    #[serde(with = "names::kind")]
    pub kind: Kind,
    /// The AICPU thread that committed.
    pub thread: u32,
    /// The core; `None` for a kind whose records are of the thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<u32>,
    /// Tokens written to the core's `DATA_MAIN_BASE`, when this thread owned the core.
    pub dispatched: u64,
    /// Fate of its commit attempts.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The counts of one kind, over all threads and cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindCounts {
    /// Record kind.
    #[serde(with = "names::kind")]
    pub kind: Kind,
    /// How many commit attempts there must be, where the host knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// Fate of its commit attempts.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The counts of one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneCounts {
    /// Record kind.
    #[serde(with = "names::kind")]
    pub kind: Kind,
    /// Its AICPU thread.
    pub thread: u32,
    /// Buffers drained in this run.
    pub buffers: u64,
    /// Commits that had to wait for a buffer.
    pub waits: u64,
    /// Ticks spent in those waits.
    pub blocked_ticks: u64,
    /// Bytes copied out of its arena in this run.
    #[serde(default)]
    pub payload_bytes: u64,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// How many records, tokens or entries it concerns; findings of a kind beyond the first few are
    /// only counted here.
    pub count: u64,
    /// Names the place and the values.
    pub text: String,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingKind {
    /// Records were dropped and counted.
    Dropped,
    /// Not all of a tensor fitted; its record says so.
    Truncated,
    /// Staging slots did not match their token, run or seal.
    Mismatched,
    /// A queue index or entry from the device is out of range.
    Corruption,
    /// A buffer's sequence number is not the next one.
    BufferGap,
    /// A record names a run, core, thread or core type that it cannot have.
    WrongIdentity,
    /// A token came twice, or not in order.
    Duplicate,
    /// A payload was overwritten before the host had copied it, or is not what its record says.
    Overwritten,
    /// Counted by the device, and neither collected nor dropped nor mismatched.
    SilentLoss,
    /// Dispatched, and not committed although the run ended.
    NeverCommitted,
    /// The number of dispatched tasks is not what the graph demands.
    TaskCount,
    /// The number of records of a kind is not what the run asked for.
    RecordCount,
    /// The capture file could not be written.
    WriteFailed,
    /// The device could not be read.
    ReadFailed,
    /// The run did not end in order.
    NotEnded,
}

impl FindingKind {
    /// The best outcome a run with such a finding can have.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Dropped | Self::Truncated => Outcome::Lossy,
            Self::Mismatched
            | Self::Corruption
            | Self::BufferGap
            | Self::WrongIdentity
            | Self::Duplicate
            | Self::Overwritten
            | Self::SilentLoss
            | Self::NeverCommitted
            | Self::TaskCount
            | Self::RecordCount
            | Self::WriteFailed
            | Self::ReadFailed => Outcome::Broken,
            Self::NotEnded => Outcome::Partial,
        }
    }
}

/// A token that was dispatched and never committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Abandoned {
    /// Core index in the launch.
    pub core: u32,
    /// Its token on that core.
    pub token: u32,
    /// The task it was dispatched for, where the device could still say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<u64>,
    /// The name of the task's function, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

impl Abandoned {
    /// A token of which nothing more is known.
    #[must_use]
    pub const fn new(core: u32, token: u32) -> Self {
        Self {
            core,
            token,
            task_id: None,
            function: None,
        }
    }
}

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "core {} token {}", self.core, self.token)?;
        if let Some(task_id) = self.task_id {
            write!(f, ", task {task_id}")?;
        }
        match &self.function {
            Some(function) => write!(f, " ({function})"),
            None => Ok(()),
        }
    }
}
