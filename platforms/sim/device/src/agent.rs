//! An agent: one AICPU thread or one AICore of a launched task, and what the engine knows of it.

use crate::cost::{Costs, Random};
use crate::engine::{CORE_SLACK, THREAD_SLACK};
use crate::queue::Key;
use corosensei::Yielder;
use lanescope_abi::{AwaitedWord, CoreType};
use std::cell::{Cell, RefCell};
use std::fmt;

/// Who an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// An AICPU thread.
    Thread {
        /// Its block index in the launch.
        index: u32,
    },
    /// An AICore.
    Core {
        /// Core index in the launch: cube cores first.
        index: u32,
        /// Its kind.
        core_type: CoreType,
        /// Its place in the register table.
        physical: u32,
    },
}

impl Identity {
    /// Whether this is an AICPU thread.
    #[must_use]
    pub const fn is_thread(self) -> bool {
        matches!(self, Self::Thread { .. })
    }

    /// The kind of a core; an AICPU thread runs no kernels, and counts as a vector core.
    #[must_use]
    pub const fn core_type(self) -> CoreType {
        match self {
            Self::Thread { .. } => CoreType::Aiv,
            Self::Core { core_type, .. } => core_type,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thread { index } => write!(f, "AICPU thread {index}"),
            Self::Core {
                index,
                core_type,
                physical,
            } => {
                let kind = core_type.name().to_uppercase();
                write!(f, "{kind} core {index} (physical core {physical})")
            }
        }
    }
}

/// How an agent stands in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Not at all: it runs, or sleeps until another wakes it, or does not exist.
    Never,
    /// Something happens then.
    Event,
    /// Nothing happens then but that its patience ends.
    Limit,
}

/// An agent. Slots of ended agents are used again.
///
/// What every call touches comes first, in two lines: agents take turns so fast that each finds the
/// CPU's cache full of the others.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Agent {
    /// Its own time; never behind that of what it has done.
    pub clock: Cell<u64>,
    /// Its time when it was last known to be the earliest of all agents.
    pub settled: Cell<u64>,
    /// How far it may go on before it lets others run.
    pub slack: Cell<u64>,
    /// Calls of the device interface.
    pub calls: Cell<u64>,
    /// For a core, its physical id.
    pub physical: Cell<usize>,
    /// Where its coroutine suspends; valid while it runs.
    pub yielder: Cell<*const Yielder<(), ()>>,
    /// Its place in the order of equal times.
    pub rank: Cell<usize>,
    /// Whether it is an AICPU thread.
    pub is_thread: Cell<bool>,
    /// It has done nothing but look since its last `relax` returned.
    pub only_looked: Cell<bool>,
    /// How it stands in the queue.
    pub due: Cell<Due>,
    /// What its calls cost.
    pub costs: Cell<Costs>,
    /// Calls that cost nothing, since the last that did.
    pub free_calls: Cell<u32>,
    /// With which key it stands in the queue.
    pub key: Cell<Key>,
    /// Its place among the agents.
    pub slot: usize,
    /// Who it is.
    pub identity: Cell<Identity>,
    /// Perturbs the durations of its kernels.
    pub random: RefCell<Random>,
    /// When its task has run too long.
    pub task_limit: Cell<u64>,
    /// Its first kernel is never to end.
    pub hangs: Cell<bool>,
    /// It does not answer any more: dead, or in a kernel that never ends.
    pub hung: Cell<bool>,
    /// What it waits for.
    pub wait: Wait,
}

/// What an agent in `relax` waits for, and how often it would have looked.
#[derive(Debug)]
pub struct Wait {
    /// It sleeps.
    pub asleep: Cell<bool>,
    /// When it fell asleep.
    pub since: Cell<u64>,
    /// Time from one look to the next; 0 when it is not known.
    pub period: Cell<u64>,
    /// When its last `relax` returned.
    pub returned: Cell<u64>,
    /// Periods seen, by the address of the name of what was awaited.
    pub periods: RefCell<Vec<(usize, u64)>>,
    /// What it waits for, for messages.
    pub name: Cell<&'static str>,
    /// Words it waits for.
    pub words: RefCell<Vec<AwaitedWord>>,
    /// The host may end the wait.
    pub host_signal: Cell<bool>,
}

impl Agent {
    /// A free slot.
    #[must_use]
    pub fn new(slot: usize) -> Self {
        let mut exact = Random::new(0, &[]);
        Self {
            slot,
            rank: Cell::new(slot),
            identity: Cell::new(Identity::Thread { index: 0 }),
            is_thread: Cell::new(true),
            only_looked: Cell::new(false),
            physical: Cell::new(0),
            costs: Cell::new(Costs::of_thread(&mut exact)),
            slack: Cell::new(THREAD_SLACK),
            clock: Cell::new(0),
            settled: Cell::new(0),
            due: Cell::new(Due::Never),
            key: Cell::new(Key::NEVER),
            free_calls: Cell::new(0),
            calls: Cell::new(0),
            random: RefCell::new(exact),
            task_limit: Cell::new(0),
            hangs: Cell::new(false),
            hung: Cell::new(false),
            wait: Wait {
                asleep: Cell::new(false),
                since: Cell::new(0),
                period: Cell::new(0),
                returned: Cell::new(0),
                periods: RefCell::new(Vec::new()),
                name: Cell::new(""),
                words: RefCell::new(Vec::new()),
                host_signal: Cell::new(false),
            },
            yielder: Cell::new(std::ptr::null()),
        }
    }

    /// Becomes somebody, who starts at `start`.
    pub fn begin(&self, identity: Identity, costs: Costs, random: Random, start: u64) {
        self.identity.set(identity);
        self.is_thread.set(identity.is_thread());
        self.physical.set(match identity {
            Identity::Thread { .. } => 0,
            Identity::Core { physical, .. } => physical as usize,
        });
        self.slack.set(if identity.is_thread() {
            THREAD_SLACK
        } else {
            CORE_SLACK
        });
        self.costs.set(costs);
        self.random.replace(random);
        self.clock.set(start);
        self.settled.set(start);
        self.free_calls.set(0);
        self.hangs.set(false);
        self.hung.set(false);
        let wait = &self.wait;
        wait.asleep.set(false);
        wait.period.set(0);
        wait.returned.set(start);
        self.only_looked.set(false);
        wait.periods.borrow_mut().clear();
        wait.words.borrow_mut().clear();
        wait.host_signal.set(false);
        wait.name.set("nothing yet");
    }
}

impl Wait {
    /// The first look at or after `change`, for a sleeper.
    #[inline]
    pub fn first_look(&self, change: u64) -> u64 {
        let since = self.since.get();
        let period = self.period.get();
        if change <= since {
            return since;
        }
        if period == 0 {
            return change;
        }
        let looks = (change - since).div_ceil(period);
        since.saturating_add(looks.saturating_mul(period))
    }

    /// Works out how long it takes from one look to the next, now that `relax` is called again for
    /// what has this name; `only_looked` when nothing else was done in between. A wait that follows
    /// work looks as often as the last one of that name.
    /// Returns whether the time is known.
    #[inline]
    pub fn measure(&self, now: u64, name: &'static str, only_looked: bool) -> bool {
        self.name.set(name);
        let address = name.as_ptr().addr();
        let mut periods = self.periods.borrow_mut();
        let known = periods.iter_mut().find(|(known, _)| *known == address);
        if only_looked {
            let period = now - self.returned.get();
            match known {
                Some((_, known)) => *known = period,
                None => periods.push((address, period)),
            }
            self.period.set(period);
            return true;
        }
        match known {
            Some((_, period)) => self.period.set(*period),
            None => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleepers_wake_at_their_first_look_after_the_change() {
        let wait = Agent::new(0).wait;
        wait.since.set(1000);
        wait.period.set(0);
        assert_eq!(wait.first_look(1234), 1234);
        wait.period.set(100);
        assert_eq!(wait.first_look(900), 1000);
        assert_eq!(wait.first_look(1100), 1100);
        assert_eq!(wait.first_look(1101), 1200);
    }
}
