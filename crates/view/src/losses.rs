//! Where records are missing, as marks on the tracks.

use crate::base::Base;
use crate::columns::{Columns, Values};
use lanescope_trace::{Kind, Session, Task, Trace, lost_before, lost_between};

/// The kinds of marks, by number.
pub(crate) const KINDS: [&str; 4] = [
    "task records lost before this task",
    "task records lost after this task",
    "records of another kind lost on this core",
    "phase records lost before this phase",
];
const BEFORE: u64 = 0;
const AFTER: u64 = 1;
const OTHER: u64 = 2;
const PHASE: u64 = 3;

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
        for loss in trace.phase_losses() {
            self.mark(loss.thread.into(), PHASE, Some(loss.at_ticks), loss.count);
        }
        for counts in trace
            .verdict()
            .into_iter()
            .flat_map(|verdict| &verdict.cores)
        {
            let Some(core) = counts.core else { continue };
            let Some(progress) = self.cores.get(core as usize) else {
                continue;
            };
            let missing = counts.counts.total.saturating_sub(counts.counts.collected);
            let (kind, count) = match counts.kind {
                Kind::TASK => (AFTER, missing.saturating_sub(progress.lost)),
                Kind::PHASE => continue,
                _ => (OTHER, missing),
            };
            if count > 0 {
                let at = progress.latest.and_then(|task| task.last_ticks());
                self.mark(core.into(), kind, at, count);
            }
        }
        let names = ["track", "kind", "at", "count"];
        for (name, values) in names.into_iter().zip(self.marks) {
            columns.add(format!("loss_{name}"), [values]);
        }
        self.records
    }
}
