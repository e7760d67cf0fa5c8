//! Where records are missing, as marks on the tracks.

use crate::base::Base;
use crate::columns::{Columns, Values};
use lanescope_trace::{CoreCounts, Kind, Session, Task, Trace, lost_before, lost_between};

/// The kinds of marks, by number; those from [`PHASE_BEFORE`] on are of threads, the others of cores.
pub(crate) const KINDS: [&str; 7] = [
    "task records lost before this task",
    "task records lost after this task",
    "task records lost, all of this core",
    "records of another kind lost on this core",
    "phase records lost before this phase",
    "phase records lost after this phase",
    "phase records lost, all of this thread",
];
const BEFORE: u64 = 0;
const AFTER: u64 = 1;
const ALL: u64 = 2;
const OTHER: u64 = 3;
pub(crate) const PHASE_BEFORE: u64 = 4;
const PHASE_AFTER: u64 = 5;
const PHASE_ALL: u64 = 6;

/// Marks under way.
#[derive(Debug)]
pub(crate) struct Losses {
    base: Base,
    cores: Vec<CoreProgress>,
    /// Core or thread, kind, place, count.
    marks: [Values; 4],
    /// Records that the marks speak of.
    pub(crate) records: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct CoreProgress {
    first_token: Option<u32>,
    latest: Option<Task>,
    lost: u64,
}

impl Losses {
    pub(crate) fn of(session: &Session, base: Base) -> Self {
        let cores = session.cores.iter().map(|core| CoreProgress {
            first_token: core.first_token,
            ..CoreProgress::default()
        });
        Self {
            base,
            cores: cores.collect(),
            marks: Default::default(),
            records: 0,
        }
    }

    /// Compares the task's token with the one before it on its core.
    #[inline]
    pub(crate) fn task(&mut self, task: &Task) {
        let progress = &mut self.cores[usize::from(task.core)];
        let lost = match &progress.latest {
            Some(latest) => lost_between(latest, task),
            None => progress
                .first_token
                .map_or(0, |first| lost_before(first, task)),
        };
        progress.latest = Some(*task);
        if lost > 0 {
            progress.lost += u64::from(lost);
            self.mark(task.core.into(), BEFORE, task.first_ticks(), lost.into());
        }
    }

    fn mark(&mut self, track: u64, kind: u64, at: Option<u64>, count: u64) {
        self.records = self.records.saturating_add(count);
        // What a verdict says may be any number, and a browser's are exact up to 53 bits.
        let row = [
            track,
            kind,
            at.map_or(1, |ticks| self.base.place(ticks)),
            count.min(1 << 52),
        ];
        for (values, value) in self.marks.iter_mut().zip(row) {
            values.push(value);
        }
    }

    /// What the verdict and the lanes of phases know beyond the gaps between tokens.
    pub(crate) fn finish(mut self, trace: &Trace, columns: &mut Columns) -> u64 {
        for thread in trace.threads() {
            self.phases(trace, thread);
        }
        for counts in counts_of(trace).filter(|counts| counts.kind != Kind::PHASE) {
            self.core(counts);
        }
        let names = ["track", "kind", "at", "count"];
        for (name, values) in names.into_iter().zip(self.marks) {
            columns.add(format!("loss_{name}"), [values]);
        }
        self.records
    }

    /// Gaps between the phases of a thread, and what its verdict misses beyond them.
    fn phases(&mut self, trace: &Trace, thread: u32) {
        let mut told = 0_u64;
        let losses = trace.phase_losses().iter();
        for loss in losses.filter(|loss| loss.thread == thread) {
            told = told.saturating_add(loss.count);
            let at = Some(loss.at_ticks);
            self.mark(thread.into(), PHASE_BEFORE, at, loss.count);
        }
        let counts = counts_of(trace)
            .filter(|counts| counts.kind == Kind::PHASE && counts.thread == thread)
            .map(missing);
        let rest = counts.fold(0, u64::saturating_add).saturating_sub(told);
        if rest > 0 {
            let at = last_phase_end(trace, thread);
            let kind = if at.is_some() { PHASE_AFTER } else { PHASE_ALL };
            self.mark(thread.into(), kind, at, rest);
        }
    }

    /// What the verdict misses of a core beyond the gaps between its tokens.
    fn core(&mut self, counts: &CoreCounts) {
        let Some(core) = counts.core else { return };
        let Some(progress) = self.cores.get(core as usize) else {
            return;
        };
        let at = progress.latest.and_then(|task| task.last_ticks());
        let (kind, count) = match counts.kind {
            Kind::TASK if progress.latest.is_none() => (ALL, missing(counts)),
            Kind::TASK => (AFTER, missing(counts).saturating_sub(progress.lost)),
            _ => (OTHER, missing(counts)),
        };
        if count > 0 {
            self.mark(core.into(), kind, at, count);
        }
    }
}

fn counts_of(trace: &Trace) -> impl Iterator<Item = &CoreCounts> {
    let verdict = trace.verdict().into_iter();
    verdict.flat_map(|verdict| &verdict.cores)
}

/// Records that the device counted and the source does not have.
const fn missing(counts: &CoreCounts) -> u64 {
    counts.counts.total.saturating_sub(counts.counts.collected)
}

/// When the last known phase of a thread ended.
fn last_phase_end(trace: &Trace, thread: u32) -> Option<u64> {
    let scheduler = trace.scheduler_phases(thread).map(|phase| phase.end_ticks);
    let orchestrator = trace
        .orchestrator_phases(thread)
        .map(|phase| phase.end_ticks);
    scheduler.chain(orchestrator).filter(|&end| end > 0).max()
}
