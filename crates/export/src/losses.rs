//! Where records are missing: where tokens and sequence numbers jump, and what the verdict knows beyond.

use lanescope_trace::{Kind, Task, Trace, Verdict, lost_before, lost_between};
use std::fmt;

/// How far the tokens of each core have been followed.
#[derive(Debug)]
pub(crate) struct Losses<'a> {
    trace: &'a Trace,
    cores: Vec<Progress>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    latest: Option<Task>,
    lost: u64,
}

/// Records that are missing at one place; as text, what a mark says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) count: u64,
    /// Within the bounds of the trace; `None` when nothing in it has a time.
    pub(crate) at_ticks: Option<u64>,
    pub(crate) kind: Kind,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Before,
    After,
    /// Of counters and tensors nothing says where one is missing: they stand at the end of their core.
    SomewhereOnCore,
}

impl<'a> Losses<'a> {
    pub(crate) fn of(trace: &'a Trace) -> Self {
        Self {
            trace,
            cores: vec![Progress::default(); trace.session().cores.len()],
        }
    }

    /// Compares a task's token with the one before it on its core.
    #[inline]
    pub(crate) fn before(&mut self, task: &Task) -> Option<Loss> {
        let core = usize::from(task.core);
        let progress = &mut self.cores[core];
        let lost = match &progress.latest {
            Some(latest) => lost_between(latest, task),
            None => self.trace.session().cores[core]
                .first_token
                .map_or(0, |first| lost_before(first, task)),
        };
        progress.latest = Some(*task);
        if lost == 0 {
            return None;
        }
        let count = u64::from(lost);
        progress.lost = progress.lost.saturating_add(count);
        Some(self.loss(Kind::TASK, count, task.first_ticks(), Place::Before))
    }

    /// What the verdict knows beyond the gaps between tokens, by core; asked for when every task has passed.
    pub(crate) fn of_cores(&mut self) -> Vec<(usize, Loss)> {
        let mut losses = Vec::new();
        for counts in self
            .trace
            .verdict()
            .into_iter()
            .flat_map(|verdict| &verdict.cores)
        {
            let core = counts.core.map_or(usize::MAX, |core| core as usize);
            let Some(progress) = self
                .cores
                .get_mut(core)
                .filter(|_| counts.kind != Kind::PHASE)
            else {
                continue;
            };
            let mut count = counts.counts.total.saturating_sub(counts.counts.collected);
            let mut place = Place::SomewhereOnCore;
            if counts.kind == Kind::TASK {
                count = count.saturating_sub(progress.lost);
                progress.lost = progress.lost.saturating_add(count);
                place = Place::After;
            }
            let latest = progress.latest.and_then(|task| task.last_ticks());
            if count > 0 {
                losses.push((core, self.loss(counts.kind, count, latest, place)));
            }
        }
        losses
    }

    /// Phases of a thread: the gaps in its sequence, and what the verdict knows beyond them behind the last.
    pub(crate) fn of_phases(&self, thread: u32, latest: Option<u64>) -> Vec<Loss> {
        let gaps = self.trace.phase_losses().iter();
        let gaps = gaps.filter(|gap| gap.thread == thread);
        let mut losses: Vec<Loss> = gaps
            .map(|gap| self.loss(Kind::PHASE, gap.count, Some(gap.at_ticks), Place::Before))
            .collect();
        let told = losses.iter().map(|loss| loss.count);
        let told = told.fold(0, u64::saturating_add);
        let rest = missing_phases(self.trace, thread).saturating_sub(told);
        if rest > 0 {
            losses.push(self.loss(Kind::PHASE, rest, latest, Place::After));
        }
        losses
    }

    fn loss(&self, kind: Kind, count: u64, at_ticks: Option<u64>, place: Place) -> Loss {
        let bounds = self.trace.bounds_ticks();
        Loss {
            count,
            at_ticks: bounds.map(|(first, last)| at_ticks.unwrap_or(first).clamp(first, last)),
            kind,
            place,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, kind, .. } = self;
        match (*kind, self.place) {
            (Kind::TASK, Place::Before) => write!(f, "{count} records lost before this task"),
            (Kind::TASK, _) => write!(f, "{count} records lost after this"),
            (_, Place::Before) => write!(f, "{count} {kind} records lost before this"),
            (_, Place::After) => write!(f, "{count} {kind} records lost after this"),
            (_, Place::SomewhereOnCore) => write!(f, "{count} {kind} records lost on this core"),
        }
    }
}

/// Phase records of a thread that the device counted and the capture does not have.
pub(crate) fn missing_phases(trace: &Trace, thread: u32) -> u64 {
    let rows = trace.verdict().into_iter();
    let rows = rows.flat_map(|verdict| &verdict.cores);
    let rows = rows.filter(|row| row.kind == Kind::PHASE && row.thread == thread);
    let missing = rows.map(|row| row.counts.total.saturating_sub(row.counts.collected));
    missing.fold(0, u64::saturating_add)
}

/// Records that the device counted and the capture does not have, by kind; kinds without any are left out.
pub(crate) fn missing_by_kind(verdict: &Verdict) -> Vec<(Kind, u64)> {
    let mut kinds: Vec<(Kind, u64)> = Vec::new();
    for row in &verdict.cores {
        let missing = row.counts.total.saturating_sub(row.counts.collected);
        match kinds.iter_mut().find(|(kind, _)| *kind == row.kind) {
            Some((_, sum)) => *sum = sum.saturating_add(missing),
            None => kinds.push((row.kind, missing)),
        }
    }
    kinds.retain(|&(_, missing)| missing > 0);
    kinds
}
