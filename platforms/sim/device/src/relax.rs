//! `relax`: an agent sleeps until it would see something.
//!
//! # Ordering
//!
//! A waiting agent polls at even intervals: as far apart as its last two calls of `relax` were,
//! when nothing but looking lay between them; its first `relax` for a thing returns at once, so that
//! this is known. It wakes at the first such moment at or after a change of anything it awaits, or
//! at its deadline; what happens in between is skipped. A register
//! changes when the new value becomes visible; a word when memory changes, for whoever looks has
//! invalidated the line.
//!
//! Waiting for the host costs no virtual time; see [`crate::lanes`] for buffers and
//! [`crate::device`] for signals.

use crate::agent::{Agent, Due};
use crate::clock::NEVER;
use crate::engine::Engine;
use crate::lanes::BufferWait;
use lanescope_abi::device::AwaitedBy;
use lanescope_abi::{Awaited, AwaitedWord};

impl Engine {
    /// See [`lanescope_abi::Device::relax`].
    pub fn relax(&self, agent: &Agent, awaited: &Awaited<'_>) {
        agent.calls.set(agent.calls.get() + 1);
        if agent.is_thread.get() {
            self.advance(agent, agent.costs.get().relax.into());
        } else {
            self.charge(agent, agent.costs.get().relax.into());
        }
        let now = agent.clock.get();
        let knows_period = agent
            .wait
            .measure(now, awaited.name(), agent.only_looked.get());
        let is_timer = awaited.registers().is_empty() && awaited.words().is_empty();
        if let Some(change) = self.next_change(agent, awaited, now)
            && (knows_period || is_timer)
        {
            self.sleep(agent, awaited, change);
        }
        agent.wait.returned.set(agent.clock.get());
        agent.only_looked.set(true);
    }

    /// When the next change that is already on its way can be seen, [`NEVER`] when none is;
    /// `None` when there is something to see now.
    fn next_change(&self, agent: &Agent, awaited: &Awaited<'_>, now: u64) -> Option<u64> {
        let mut change = NEVER;
        for word in awaited.words() {
            if is_lanes(word) {
                let wait = if word.by == AwaitedBy::HostRoom as u32 {
                    self.await_room(agent, word, now)
                } else {
                    self.await_buffer(agent, word, now)
                };
                match wait {
                    BufferWait::Here => return None,
                    BufferWait::At(time) => change = change.min(time),
                    BufferWait::Unknown => {}
                }
            } else if self.awaited_word(agent, word.address) != word.seen {
                return None;
            }
        }
        let mut registers = self.registers.borrow_mut();
        for address in awaited.registers() {
            let place = if agent.is_thread.get() {
                registers.map.place(*address)
            } else {
                registers.map.own_place(agent.physical.get(), *address)
            };
            let Some(place) = place else {
                drop(registers);
                self.fail(
                    agent,
                    format!(
                        "awaited {} in a register at {address:#x}, where there is none",
                        awaited.name()
                    ),
                );
            };
            if let Some(time) = registers.register(place).watch(now, agent.slot) {
                if time <= now {
                    return None;
                }
                change = change.min(time);
            }
        }
        (self.clock.time(awaited.deadline_ticks) > now).then_some(change)
    }

    fn awaited_word(&self, agent: &Agent, address: u64) -> u32 {
        self.raw_word(address).unwrap_or_else(|| {
            let name = agent.wait.name.get();
            self.fail(
                agent,
                format!("awaited {name} in a word at {address:#x}, which is not device memory"),
            )
        })
    }

    /// Sleeps until the first look at or after `change`, or until somebody wakes the agent, or
    /// until its deadline.
    fn sleep(&self, agent: &Agent, awaited: &Awaited<'_>, change: u64) {
        let now = agent.clock.get();
        let wait = &agent.wait;
        wait.since.set(now);
        wait.asleep.set(true);
        self.pass(now);
        let watches = self.watch(agent, awaited.words());
        let deadline = self.clock.time(awaited.deadline_ticks);
        let look = if change == NEVER {
            NEVER
        } else {
            wait.first_look(change)
        };
        let waits_for_others = watches || wait.host_signal.get() || !awaited.registers().is_empty();
        if look <= deadline {
            self.enqueue(agent, look, Due::Event);
        } else if waits_for_others {
            self.enqueue(agent, deadline, Due::Limit);
        } else {
            self.enqueue(agent, deadline, Due::Event);
        }
        Self::suspend(agent);
        agent.settled.set(agent.clock.get());
        self.progress.step();
    }

    /// Notes the words that end the sleep. Returns whether other agents can write any of them.
    fn watch(&self, agent: &Agent, awaited: &[AwaitedWord]) -> bool {
        let wait = &agent.wait;
        let mut words = wait.words.borrow_mut();
        words.clear();
        wait.host_signal.set(false);
        let mut watches = false;
        let mut filter = self.core_watch_filter.get();
        for word in awaited {
            if is_lanes(word) {
                continue;
            }
            words.push(*word);
            if word.by == AwaitedBy::HostSignal as u32 {
                wait.host_signal.set(true);
            } else {
                watches = true;
                filter |= filter_bit(word.address);
            }
        }
        if watches && agent.is_thread.get() {
            self.thread_watchers
                .set(self.thread_watchers.get() | bit(agent));
        } else if watches {
            self.core_watchers
                .set(self.core_watchers.get() | bit(agent));
            self.core_watch_filter.set(filter);
        }
        watches
    }

    /// The agent does not sleep any more.
    #[inline]
    pub fn forget_wait(&self, agent: &Agent) {
        if !agent.wait.asleep.replace(false) {
            return;
        }
        self.unwatch(agent);
    }

    #[inline]
    fn unwatch(&self, agent: &Agent) {
        self.thread_watchers
            .set(self.thread_watchers.get() & !bit(agent));
        let cores = self.core_watchers.get() & !bit(agent);
        self.core_watchers.set(cores);
        if cores == 0 {
            self.core_watch_filter.set(0);
        }
    }

    /// Something the sleeper awaits can be seen from `change` on.
    #[inline]
    pub fn wake(&self, agent: &Agent, change: u64) {
        if !agent.wait.asleep.get() {
            return;
        }
        let look = agent.wait.first_look(change);
        let sooner = match agent.due.get() {
            Due::Never => true,
            Due::Event => look < agent.key.get().time(),
            Due::Limit => look <= agent.key.get().time(),
        };
        if sooner {
            self.enqueue(agent, look, Due::Event);
        }
    }

    /// Wakes the AICPU threads whose words have changed, at `change`.
    #[cold]
    pub fn wake_thread_watchers(&self, change: u64) {
        self.wake_watchers(self.thread_watchers.get(), change);
    }

    /// Wakes the cores whose words have changed, at `change`.
    #[cold]
    pub fn wake_core_watchers(&self, change: u64) {
        self.core_words_touched.set(false);
        self.wake_watchers(self.core_watchers.get(), change);
    }

    fn wake_watchers(&self, mut slots: u128, change: u64) {
        while slots != 0 {
            let slot = slots.trailing_zeros() as usize;
            slots &= slots - 1;
            let agent = &self.agents[slot];
            if self.words_changed(agent) {
                self.unwatch(agent);
                self.wake(agent, change);
            }
        }
    }

    /// Wakes everybody one of whose words has changed without anybody's noticing: the host's work.
    /// Returns whether there was anybody.
    pub fn wake_all_watchers(&self, change: u64) -> bool {
        let mut any = false;
        for agent in &self.agents {
            if agent.wait.asleep.get() && agent.due.get() != Due::Event && self.words_changed(agent)
            {
                self.unwatch(agent);
                self.wake(agent, change);
                any = true;
            }
        }
        any
    }

    fn words_changed(&self, agent: &Agent) -> bool {
        let words = agent.wait.words.borrow();
        words.iter().any(|word| {
            self.raw_word(word.address)
                .is_some_and(|now| now != word.seen)
        })
    }

    /// Whether cores watch the line that holds an address.
    #[inline]
    pub fn cores_may_watch(&self, address: u64) -> bool {
        self.core_watch_filter.get() & filter_bit(address) != 0
    }
}

/// Whether a word is about a lane, so that the host's speed must not matter.
#[inline]
fn is_lanes(word: &AwaitedWord) -> bool {
    word.by == AwaitedBy::HostBuffer as u32 || word.by == AwaitedBy::HostRoom as u32
}

#[inline]
fn bit(agent: &Agent) -> u128 {
    1 << agent.slot
}

#[inline]
fn filter_bit(address: u64) -> u64 {
    1 << (address >> 6 & 63)
}
