//! What held the run up at every tick of the makespan, and what the cores that stood still waited for.
//!
//! A task *waits* from the end of its last producer to its start; one without producers from the begin of
//! the makespan. At each tick one thing limits:
//!
//! - the *scheduler*, when a task waits and a core of its type runs nothing, or when nothing waits and
//!   nothing runs;
//! - else the *cores*, when a task waits: every core of its type runs one;
//! - else the *dependencies*: all that could run runs.

use crate::dependencies::{Dependencies, Ready};
use crate::sorted::{Lower, Sorted};
use crate::threads::in_threads;
use lanescope_trace::{CoreType, Session, Task};
use std::ops::Range;

/// Ticks of the makespan by what limited them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) dependencies: u64,
    pub(crate) cores: u64,
    pub(crate) scheduler: u64,
    /// In which no core ran anything; part of the others.
    pub(crate) nothing_ran: u64,
    /// By core type.
    pub(crate) idle: [Idle; 2],
    /// Tasks whose wait is not known, since a time of theirs or of a producer is not.
    pub(crate) unknown: u64,
}

/// Core ticks in which cores of a type ran nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Idle {
    /// While as many tasks waited for a core of the type.
    pub(crate) beside_waiting: u128,
    /// While none was left that waited.
    pub(crate) without_waiting: u128,
}

/// Collects the moments at which something changes, of a stretch of the rows.
#[derive(Debug)]
pub(crate) struct Moments<L> {
    first: u64,
    /// Ticks since the first, then 3 bits: core type and change.
    moments: Sorted<L>,
    waiting: [i64; 2],
    unknown: u64,
    /// Where the rows so far of each core end.
    ended: Vec<u64>,
}

// Lower bits of a moment; [`CHANGES`] is in their order.
const READY: u64 = 0;
const START_AFTER_WAIT: u64 = 1;
const START: u64 = 2;
const END: u64 = 3;
/// Longer makespans leave no room for the bits.
const MOST_TICKS: u64 = u64::MAX >> 3;

/// Whether a makespan is short enough to be swept.
pub(crate) const fn can_sweep((first, last): (u64, u64)) -> bool {
    last - first <= MOST_TICKS
}

/// The largest moment of a makespan that can be swept.
pub(crate) const fn largest_moment((first, last): (u64, u64)) -> u64 {
    (last - first) << 3 | 7
}

impl<L: Lower> Moments<L> {
    /// For a makespan of which `L` holds the moments, and about as many rows; those before them ended then,
    /// by core.
    pub(crate) fn new(bounds: (u64, u64), rows: usize, ended: Vec<u64>) -> Self {
        Self {
            first: bounds.0,
            moments: Sorted::new(largest_moment(bounds), rows.saturating_mul(3)),
            waiting: [0; 2],
            unknown: 0,
            ended,
        }
    }

    /// Takes a row.
    #[inline]
    pub(crate) fn row<T: Lower>(&mut self, task: &Task, dependencies: &Dependencies<'_, T>) {
        if task.run_ticks().is_none() {
            self.unknown += 1;
            return;
        }
        let core_type = place(task.core_type);
        let ready = match dependencies.node(task.task_id) {
            Some(node) => dependencies.ready(node),
            None => Ready::FromTheBegin,
        };
        let waited = match ready {
            Ready::FromTheBegin => {
                self.waiting[core_type] += 1;
                true
            }
            Ready::At(ready) if ready < task.start_ticks => {
                self.push(ready, core_type, READY);
                true
            }
            Ready::At(_) | Ready::Never => false,
            Ready::Unknown => {
                self.unknown += 1;
                false
            }
        };
        let (start, end) = (task.start_ticks, task.end_ticks);
        let ended = &mut self.ended[usize::from(task.core)];
        let runs_from = start.max(*ended);
        *ended = end.max(*ended);
        let change = if waited { START_AFTER_WAIT } else { START };
        if runs_from == start {
            self.push(start, core_type, change);
            self.push(end, core_type, END);
            return;
        }
        // A core that runs two kernels is one core that runs: the second counts from the end of the first.
        if waited {
            self.push(start, core_type, START_AFTER_WAIT);
            self.push(start, core_type, END);
        }
        if runs_from < end {
            self.push(runs_from, core_type, START);
            self.push(end, core_type, END);
        }
    }

    #[inline]
    fn push(&mut self, at: u64, core_type: usize, change: u64) {
        let moment = (at - self.first) << 3 | (core_type as u64) << 2 | change;
        self.moments.push(moment);
    }
}

/// Goes through the moments of all stretches in order, each thread through a part of the makespan.
pub(crate) fn sweep<L: Lower>(
    stretches: Vec<Moments<L>>,
    session: &Session,
    (first, last): (u64, u64),
    threads: usize,
) -> Limits {
    let mut state = State::default();
    for core in &session.cores {
        state.cores[place(core.core_type)] += 1;
    }
    let mut limits = Limits::default();
    for stretch in &stretches {
        limits.unknown += stretch.unknown;
        state.counts[0] += stretch.waiting[0];
        state.counts[1] += stretch.waiting[1];
    }
    let moments: Vec<_> = stretches
        .into_iter()
        .map(|stretch| stretch.moments)
        .collect();
    let count = moments.first().map_or(0, Sorted::part_count);
    let each = count.div_ceil(threads).max(1);
    let cuts = (0..count).step_by(each);
    let cuts: Vec<_> = cuts.map(|begin| begin..(begin + each).min(count)).collect();
    // What holds at a cut is the sum of all changes before it, in whatever order.
    let changes = in_threads(cuts.clone(), |cut| State::changed(&moments, cut));
    let mut begun = Vec::with_capacity(cuts.len());
    for (cut, changes) in cuts.into_iter().zip(changes) {
        begun.push((cut, state));
        state.at = state.at.max(changes.at);
        state.change(&changes.counts);
    }
    for swept in in_threads(begun, |(cut, state)| state.sweep(&moments, cut)) {
        limits.join(&swept);
    }
    limits.add(last - first - state.at, &state);
    limits
}

/// What holds from a moment on.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Ticks since the first.
    at: u64,
    counts: Counts,
    cores: [i64; 2],
}

/// How many tasks of each core type wait, then how many run.
type Counts = [i64; 4];

/// What a moment changes, by its lower 3 bits: a look-up, since no processor foresees which it is.
const CHANGES: [Counts; 8] = [
    // AIC: ready, start after a wait, start, end.
    [1, 0, 0, 0],
    [-1, 0, 1, 0],
    [0, 0, 1, 0],
    [0, 0, -1, 0],
    // AIV.
    [0, 1, 0, 0],
    [0, -1, 0, 1],
    [0, 0, 0, 1],
    [0, 0, 0, -1],
];

impl State {
    /// What the moments of some parts change, together, and the latest of them.
    fn changed<L: Lower>(moments: &[Sorted<L>], parts: Range<usize>) -> Self {
        let mut changes = Self::default();
        Sorted::each_unsorted(moments, parts, |moment| {
            changes.at = changes.at.max(moment >> 3);
            changes.change(&CHANGES[(moment & 7) as usize]);
        });
        changes
    }

    #[inline]
    fn change(&mut self, changes: &Counts) {
        for (count, change) in self.counts.iter_mut().zip(changes) {
            *count += change;
        }
    }

    /// Goes through the moments of some parts in order.
    fn sweep<L: Lower>(mut self, moments: &[Sorted<L>], parts: Range<usize>) -> Limits {
        let mut limits = Limits::default();
        Sorted::each(moments, parts, |moment| {
            // Often no tick has passed, and as often one has: to count none is sooner done than to ask.
            let now = moment >> 3;
            limits.add(now - self.at, &self);
            self.at = now;
            self.change(&CHANGES[(moment & 7) as usize]);
        });
        limits
    }
}

impl Limits {
    fn join(&mut self, other: &Self) {
        self.dependencies += other.dependencies;
        self.cores += other.cores;
        self.scheduler += other.scheduler;
        self.nothing_ran += other.nothing_ran;
        for (idle, more) in self.idle.iter_mut().zip(&other.idle) {
            idle.beside_waiting += more.beside_waiting;
            idle.without_waiting += more.without_waiting;
        }
        self.unknown += other.unknown;
    }

    /// Counts ticks in which a state held.
    #[inline]
    fn add(&mut self, ticks: u64, state: &State) {
        let mut is_idle_beside_waiting = false;
        for core_type in 0..2 {
            let idle = (state.cores[core_type] - state.counts[core_type + 2]).max(0);
            let wanted = idle.min(state.counts[core_type].max(0));
            is_idle_beside_waiting |= wanted > 0;
            let ticks = u128::from(ticks);
            self.idle[core_type].beside_waiting += ticks * u128::from(wanted.unsigned_abs());
            let rest = (idle - wanted).unsigned_abs();
            self.idle[core_type].without_waiting += ticks * u128::from(rest);
        }
        let waits = state.counts[0] > 0 || state.counts[1] > 0;
        let runs = state.counts[2] > 0 || state.counts[3] > 0;
        self.nothing_ran += if runs { 0 } else { ticks };
        let limit = if is_idle_beside_waiting || !waits && !runs {
            &mut self.scheduler
        } else if waits {
            &mut self.cores
        } else {
            &mut self.dependencies
        };
        *limit += ticks;
    }
}

/// The place of a core type in the arrays here.
pub(crate) const fn place(core_type: CoreType) -> usize {
    match core_type {
        CoreType::Aic => 0,
        CoreType::Aiv => 1,
    }
}
