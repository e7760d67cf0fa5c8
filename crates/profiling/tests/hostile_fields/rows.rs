//! The table: what each field that the device writes is found as when it is wrong, and when it is not.

use FindingKind::{
    BufferGap, Corruption, Dropped, Duplicate, Mismatched, NeverCommitted, SilentLoss,
    WrongIdentity,
};
use When::{Before, Between, Last, Stopping};
use lanescope_capture::FindingKind;

/// When a field is overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Before the run begins.
    Before,
    /// Between two looks of the host; the device goes on.
    Between,
    /// As the device's last deed.
    Last,
    /// After the host was told to stop.
    Stopping,
}

pub(crate) const MOMENTS: [When; 4] = [Before, Between, Last, Stopping];

/// What is expected of one field.
pub(crate) struct Row {
    pub(crate) field: (&'static str, &'static str),
    /// All that a wrong value may be found as, and one of it must be.
    pub(crate) found: &'static [FindingKind],
    /// One of these stands in the text of a finding.
    pub(crate) words: &'static [&'static str],
    /// When a wrong value may also do nothing, and why.
    pub(crate) harmless: (&'static [When], &'static str),
}

const UNREAD: (&[When], &str) = (&[Before, Stopping], "no entry is unread then");
const BASE: (&[When], &str) = (&[Before], "the device counts on from it, and the host too");
const TOLD: (&[When], &str) = (&MOMENTS, "nothing to compare it with: it is told as it is");
const RANGE: &[&str] = &[
    "ready queue",
    "sequence number",
    "came back",
    "records in buffer",
    "buffers handed over",
];
const IDENTITY: &[FindingKind] = &[WrongIdentity, Duplicate, SilentLoss];

const fn row(
    structure: &'static str,
    field: &'static str,
    found: &'static [FindingKind],
    words: &'static [&'static str],
    harmless: (&'static [When], &'static str),
) -> Row {
    Row {
        field: (structure, field),
        found,
        words,
        harmless,
    }
}

pub(crate) const ROWS: &[Row] = &[
    row(
        "LaneDevice",
        "ready_tail",
        &[Corruption, SilentLoss, BufferGap, WrongIdentity, Duplicate],
        RANGE,
        (
            &[Before, Between],
            "a run begins by putting it right; so does the next ready entry",
        ),
    ),
    row(
        "LaneDevice",
        "free_head",
        &[Corruption, SilentLoss],
        &["free queue", "came back"],
        (
            &MOMENTS,
            "inside the queue it says that buffers were taken, and later ones tell",
        ),
    ),
    row(
        "LaneDevice",
        "filling_buffer",
        &[Corruption],
        &["says that it fills buffer"],
        (&[Before, Between], "the next record stores it again"),
    ),
    row(
        "LaneDevice",
        "filling_count",
        &[],
        &[],
        (
            &MOMENTS,
            "it counts only beside a buffer that is being filled",
        ),
    ),
    row(
        "LaneDevice",
        "sequence",
        &[BufferGap],
        &["sequence number", "buffers handed over"],
        (
            &[Before, Between],
            "a run begins by putting it right; so does the next ready entry",
        ),
    ),
    row("LaneDevice", "waits", &[], &[], TOLD),
    row("LaneDevice", "blocked_ticks", &[], &[], TOLD),
    row(
        "LaneDevice",
        "arena_tail",
        &[],
        &[],
        (&MOMENTS, "the lane has no arena"),
    ),
    row(
        "ReadyEntry",
        "buffer",
        &[Corruption, SilentLoss],
        &["buffer"],
        UNREAD,
    ),
    row(
        "ReadyEntry",
        "count",
        &[Corruption, SilentLoss, WrongIdentity, Duplicate],
        &[
            "records in buffer",
            "record of run",
            "neither collected nor",
        ],
        UNREAD,
    ),
    row(
        "ReadyEntry",
        "sequence",
        &[BufferGap],
        &["sequence number"],
        UNREAD,
    ),
    row(
        "CommitCounters",
        "total",
        &[Corruption, SilentLoss, WrongIdentity, NeverCommitted],
        &["core 2"],
        BASE,
    ),
    row(
        "CommitCounters",
        "mismatched",
        &[Mismatched, Corruption],
        &["did not match"],
        BASE,
    ),
    row(
        "CommitCounters",
        "dropped",
        &[Dropped, Corruption],
        &["dropped"],
        BASE,
    ),
    row("TaskRecord", "task_id", &[], &[], TOLD),
    row("TaskRecord", "func_id", &[], &[], TOLD),
    row(
        "TaskRecord",
        "core",
        IDENTITY,
        &["record of run 2, core"],
        UNREAD,
    ),
    row("TaskRecord", "core_type", IDENTITY, &["core type"], UNREAD),
    row(
        "TaskRecord",
        "token",
        IDENTITY,
        &["token", "is of dispatch"],
        UNREAD,
    ),
    row("TaskRecord", "run_id", IDENTITY, &["the run is 2"], UNREAD),
    row("TaskRecord", "dispatch_ticks", &[], &[], TOLD),
    row("TaskRecord", "receive_ticks", &[], &[], TOLD),
    row("TaskRecord", "start_ticks", &[], &[], TOLD),
    row("TaskRecord", "end_ticks", &[], &[], TOLD),
    row("TaskRecord", "finish_ticks", &[], &[], TOLD),
];
