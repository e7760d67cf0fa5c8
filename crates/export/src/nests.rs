//! Which waits for the host lie in which phase.
//!
//! A thread commits a wait before the phase it lies in, so a few are kept until that comes.

use lanescope_trace::SchedulerPhase;
use std::collections::VecDeque;

/// So many waits are kept until the phase they lie in comes; it comes right behind them.
const MOST_WAITS: usize = 4096;

/// A phase, and the waits in it, none of which begins before the one before it has ended.
#[derive(Clone, Debug)]
pub(crate) struct Nest {
    pub(crate) outer: SchedulerPhase,
    pub(crate) waits: Vec<SchedulerPhase>,
}

/// The phases of a thread in their order; a wait that lies in none is one by itself.
pub(crate) struct Nests<I> {
    phases: I,
    waits: Vec<SchedulerPhase>,
    ready: VecDeque<Nest>,
}

/// Whether both times are known and in order.
pub(crate) const fn is_drawable((start, end): (u64, u64)) -> bool {
    start != 0 && end >= start
}

impl Nest {
    const fn alone(outer: SchedulerPhase) -> Self {
        Self {
            outer,
            waits: Vec::new(),
        }
    }

    pub(crate) const fn times(phase: &SchedulerPhase) -> (u64, u64) {
        (phase.start_ticks, phase.end_ticks)
    }

    /// The phases in it.
    pub(crate) fn count(&self) -> u64 {
        1 + self.waits.len() as u64
    }

    /// Whether a wait can be a slice inside the phase, behind those that are.
    fn has_room_for(&self, wait: &SchedulerPhase) -> bool {
        let latest = self.waits.last().map(|wait| wait.end_ticks);
        let latest = latest.unwrap_or(self.outer.start_ticks);
        is_drawable(Self::times(&self.outer))
            && (latest..=self.outer.end_ticks).contains(&wait.start_ticks)
            && (wait.start_ticks..=self.outer.end_ticks).contains(&wait.end_ticks)
    }
}

impl<I: Iterator<Item = SchedulerPhase>> Nests<I> {
    pub(crate) fn of(phases: I) -> Self {
        Self {
            phases,
            waits: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    fn close(&mut self, outer: SchedulerPhase) {
        let mut nest = Nest::alone(outer);
        for wait in self.waits.drain(..) {
            match nest.has_room_for(&wait) {
                true => nest.waits.push(wait),
                false => self.ready.push_back(Nest::alone(wait)),
            }
        }
        self.ready.push_back(nest);
    }
}

impl<I: Iterator<Item = SchedulerPhase>> Iterator for Nests<I> {
    type Item = Nest;

    fn next(&mut self) -> Option<Nest> {
        while self.ready.is_empty() {
            match self.phases.next() {
                Some(phase) => {
                    let is_wait = phase.phase == SchedulerPhase::BLOCKED;
                    if is_wait && self.waits.len() < MOST_WAITS {
                        self.waits.push(phase);
                    } else {
                        self.close(phase);
                    }
                }
                None if self.waits.is_empty() => return None,
                None => self.ready.extend(self.waits.drain(..).map(Nest::alone)),
            }
        }
        self.ready.pop_front()
    }
}
