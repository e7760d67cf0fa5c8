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
use crate::sorted::Sorted;
use lanescope_trace::{CoreType, Session, Task};

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

/// Collects the moments at which something changes.
#[derive(Debug)]
pub(crate) struct Moments {
    first: u64,
    /// Ticks since the first, then 3 bits: core type and [`Change`].
    moments: Sorted,
    waiting: [i64; 2],
    cores: [i64; 2],
    unknown: u64,
}

const READY: u64 = 0;
const START_AFTER_WAIT: u64 = 1;
const START: u64 = 2;
const END: u64 = 3;
/// Longer makespans leave no room for the bits.
const MOST_TICKS: u64 = u64::MAX >> 3;

impl Moments {
    /// `None` when the makespan is too long to be swept.
    pub(crate) fn new(session: &Session, (first, last): (u64, u64), rows: u64) -> Option<Self> {
        if last - first > MOST_TICKS {
            return None;
        }
        let mut cores = [0; 2];
        for core in &session.cores {
            cores[place(core.core_type)] += 1;
        }
        let room = usize::try_from(rows).unwrap_or(0).saturating_mul(3);
        let largest = (last - first) << 3 | 7;
        Some(Self {
            first,
            moments: Sorted::new(largest, room),
            waiting: [0; 2],
            cores,
            unknown: 0,
        })
    }

    /// Takes a row.
    #[inline]
    pub(crate) fn row(&mut self, task: &Task, dependencies: &Dependencies<'_>) {
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
        let start = if waited { START_AFTER_WAIT } else { START };
        self.push(task.start_ticks, core_type, start);
        self.push(task.end_ticks, core_type, END);
    }

    #[inline]
    fn push(&mut self, at: u64, core_type: usize, change: u64) {
        let moment = (at - self.first) << 3 | (core_type as u64) << 2 | change;
        self.moments.push(moment);
    }

    /// Goes through the moments in order.
    pub(crate) fn sweep(self, last: u64) -> Limits {
        let mut limits = Limits {
            unknown: self.unknown,
            ..Limits::default()
        };
        let (mut waiting, mut running, mut at) = (self.waiting, [0_i64; 2], 0);
        self.moments.each(|moment| {
            let now = moment >> 3;
            if now > at {
                limits.add(now - at, waiting, running, self.cores);
                at = now;
            }
            let core_type = (moment >> 2 & 1) as usize;
            match moment & 3 {
                READY => waiting[core_type] += 1,
                START_AFTER_WAIT => {
                    waiting[core_type] -= 1;
                    running[core_type] += 1;
                }
                START => running[core_type] += 1,
                _ => running[core_type] -= 1,
            }
        });
        limits.add(last - self.first - at, waiting, running, self.cores);
        limits
    }
}

impl Limits {
    #[inline]
    fn add(&mut self, ticks: u64, waiting: [i64; 2], running: [i64; 2], cores: [i64; 2]) {
        let mut is_idle_beside_waiting = false;
        for core_type in 0..2 {
            let idle = (cores[core_type] - running[core_type]).max(0);
            let wanted = idle.min(waiting[core_type].max(0));
            is_idle_beside_waiting |= wanted > 0;
            let ticks = u128::from(ticks);
            self.idle[core_type].beside_waiting += ticks * u128::from(wanted.unsigned_abs());
            let rest = (idle - wanted).unsigned_abs();
            self.idle[core_type].without_waiting += ticks * u128::from(rest);
        }
        let runs = running.iter().any(|&count| count > 0);
        let waits = waiting.iter().any(|&count| count > 0);
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
