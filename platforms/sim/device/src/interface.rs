//! What each call of the device interface does, for the agent that makes it.
//!
//! # Who writes what
//!
//! An AICPU thread's stores go to memory at once; a core's stay in its own copy of the line until
//! the line is cleaned. Loads of a core, and of the AICPU on a2a3, come from the agent's view; on
//! a5 the AICPU is coherent with the host, and stale only where a core has written back a line
//! since the AICPU loaded it.

use crate::agent::Agent;
use crate::engine::{Engine, POLL_SLACK};
use crate::memory::{Line, half, line_of, with_half, word_of};
use crate::pmu::{Access, PmuRegister};
use crate::register_map::{RegisterName, RegisterPlace};
use std::sync::atomic::Ordering;

impl Engine {
    /// See [`lanescope_abi::Device::load32`].
    #[inline]
    pub fn load32(&self, agent: &Agent, address: u64) -> u32 {
        let word = self.load(agent, address, 4);
        half(word, address)
    }

    /// See [`lanescope_abi::Device::load64`].
    #[inline]
    pub fn load64(&self, agent: &Agent, address: u64) -> u64 {
        self.load(agent, address, 8)
    }

    #[inline]
    fn load(&self, agent: &Agent, address: u64, bytes: u64) -> u64 {
        self.count_call(agent);
        self.charge(agent, agent.costs.get().load.into());
        self.check(agent, "loaded from", address, bytes);
        let line = line_of(address);
        let word = word_of(address);
        let loaded = if !agent.is_thread.get() {
            let view = &self.core_views[agent.physical.get()];
            view.borrow_mut()
                .load(line, word, || self.memory.read_line(line))
        } else if self.chip.aicpu_invalidates_host_lines {
            let mut view = self.aicpu_view.borrow_mut();
            view.load(line, word, || self.read_line_as_aicpu(agent, line))
        } else {
            let stale = self.aicpu_view.borrow_mut().load_coherent(line, word);
            stale.or_else(|| self.read_word_as_aicpu(agent, address & !7))
        };
        loaded.unwrap_or_else(|| self.fail_access(agent, "loaded from", address, bytes))
    }

    /// See [`lanescope_abi::Device::store32`].
    #[inline]
    pub fn store32(&self, agent: &Agent, address: u64, value: u32) {
        self.before_store(agent, address, 4);
        let change = |word: u64| with_half(word, address, value);
        if !agent.is_thread.get() {
            return self.store_dirty(agent, address, change);
        }
        let value = half(self.as_stored(address, u64::from(value)), 0);
        let change = |word: u64| with_half(word, address, value);
        match self.memory.word32(address) {
            Some(word) => word.store(value, Ordering::Release),
            None => self.fail_access(agent, "stored to", address, 4),
        }
        self.follow_store(address, change);
        self.note_ready_tail(agent, address, value);
    }

    /// See [`lanescope_abi::Device::store64`].
    #[inline]
    pub fn store64(&self, agent: &Agent, address: u64, value: u64) {
        self.before_store(agent, address, 8);
        if !agent.is_thread.get() {
            return self.store_dirty(agent, address, |_| value);
        }
        let value = self.as_stored(address, value);
        match self.memory.word64(address) {
            Some(word) => word.store(value, Ordering::Release),
            None => self.fail_access(agent, "stored to", address, 8),
        }
        self.follow_store(address, |_| value);
    }

    /// What a store of an AICPU thread stores.
    #[inline]
    fn as_stored(&self, address: u64, value: u64) -> u64 {
        if self.faults.are_armed() {
            return self.faults.stored(address, value, &self.memory);
        }
        value
    }

    #[inline]
    fn before_store(&self, agent: &Agent, address: u64, bytes: u64) {
        self.count_call(agent);
        agent.only_looked.set(false);
        self.charge(agent, agent.costs.get().store.into());
        self.check(agent, "stored to", address, bytes);
    }

    #[inline]
    fn store_dirty(&self, agent: &Agent, address: u64, change: impl FnOnce(u64) -> u64) {
        let line = line_of(address);
        let mut view = self.core_views[agent.physical.get()].borrow_mut();
        let fill = || self.memory.read_line(line);
        if view
            .store_dirty(line, word_of(address), change, fill)
            .is_none()
        {
            drop(view);
            self.fail_access(agent, "stored to", address, 8);
        }
    }

    /// What an AICPU store does besides reaching memory.
    #[inline]
    fn follow_store(&self, address: u64, change: impl FnOnce(u64) -> u64) {
        let mut view = self.aicpu_view.borrow_mut();
        view.store_through(line_of(address), word_of(address), change);
        if self.cores_may_watch(address) {
            self.core_words_touched.set(true);
        }
    }

    /// See [`lanescope_abi::Device::clean`].
    #[inline]
    pub fn clean(&self, agent: &Agent, address: u64) {
        self.count_call(agent);
        agent.only_looked.set(false);
        self.advance(agent, agent.costs.get().clean.into());
        if agent.is_thread.get() {
            return;
        }
        let line = line_of(address);
        let dirty = self.core_views[agent.physical.get()]
            .borrow_mut()
            .clean(line);
        let Some(words) = dirty else { return };
        if self.faults.are_armed() {
            for (line, words) in self.faults.cleaned(agent, line, words, &self.memory) {
                self.write_back(agent, line, &words);
            }
            return;
        }
        self.write_back(agent, line, &words);
    }

    #[inline]
    fn write_back(&self, agent: &Agent, line: u64, words: &Line) {
        if !self.chip.aicpu_invalidates_host_lines {
            let mut view = self.aicpu_view.borrow_mut();
            view.overtaken(line, || self.memory.read_line(line));
        }
        self.memory.write_line(line, words);
        if self.thread_watchers.get() != 0 {
            self.wake_thread_watchers(agent.clock.get());
        }
        if self.cores_may_watch(line) {
            self.wake_core_watchers(agent.clock.get());
        }
    }

    /// See [`lanescope_abi::Device::invalidate`].
    #[inline]
    pub fn invalidate(&self, agent: &Agent, address: u64) {
        self.count_call(agent);
        self.charge(agent, agent.costs.get().invalidate.into());
        let line = line_of(address);
        if line == 0 || self.faults.are_armed() && self.faults.keeps(agent, line) {
            return;
        }
        if agent.is_thread.get() {
            self.aicpu_view.borrow_mut().invalidate(line);
        } else {
            self.core_views[agent.physical.get()]
                .borrow_mut()
                .invalidate(line);
        }
    }

    /// See [`lanescope_abi::Device::barrier`].
    #[inline]
    pub fn barrier(&self, agent: &Agent) {
        self.count_call(agent);
        self.charge(agent, agent.costs.get().barrier.into());
        std::sync::atomic::fence(Ordering::SeqCst);
    }

    /// See [`lanescope_abi::Device::ticks`].
    #[inline]
    pub fn ticks(&self, agent: &Agent) -> u64 {
        self.count_call(agent);
        let cost = u64::from(agent.costs.get().ticks);
        if agent.is_thread.get() {
            // Another thread may act on what this one does next; it must not read an earlier time.
            self.advance(agent, cost);
        } else {
            self.charge(agent, cost);
        }
        self.clock.ticks(agent.clock.get())
    }

    /// See [`lanescope_abi::Device::read_reg`].
    #[inline]
    pub fn read_register(&self, agent: &Agent, address: u64) -> u32 {
        self.count_call(agent);
        let slack = if agent.is_thread.get() {
            POLL_SLACK
        } else {
            agent.slack.get()
        };
        self.charge_within(agent, agent.costs.get().register_load.into(), slack);
        let place = self.place(agent, "read", address);
        let now = agent.clock.get();
        let mut registers = self.registers.borrow_mut();
        let is_thread = agent.is_thread.get();
        if place.name == RegisterName::FastPathEnable {
            return registers.fast_path(place.core);
        }
        if let RegisterName::Pmu(register) = place.name {
            drop(registers);
            return self.read_pmu(agent, place.core, register);
        }
        if is_thread && !registers.is_open(place.core) {
            return 0;
        }
        let own = is_thread == (place.name == RegisterName::DataMainBase);
        let register = registers.register(place);
        if own {
            register.stored()
        } else {
            register.load(now, agent.slot)
        }
    }

    /// See [`lanescope_abi::Device::write_reg`].
    #[inline]
    pub fn write_register(&self, agent: &Agent, address: u64, value: u32) {
        self.count_call(agent);
        agent.only_looked.set(false);
        let costs = agent.costs.get();
        self.charge(agent, costs.register_store.into());
        let place = self.place(agent, "wrote", address);
        let is_thread = agent.is_thread.get();
        let mut registers = self.registers.borrow_mut();
        if place.name == RegisterName::FastPathEnable {
            return registers.set_fast_path(place.core, value);
        }
        if let RegisterName::Pmu(register) = place.name {
            drop(registers);
            return self.write_pmu(agent, place.core, register, value);
        }
        if is_thread != (place.name == RegisterName::DataMainBase) {
            drop(registers);
            self.fail(
                agent,
                format!("wrote {value:#x} to the other side's register at {address:#x}"),
            );
        }
        if is_thread && !registers.is_open(place.core) {
            return;
        }
        let visible = agent.clock.get() + u64::from(costs.register_flight);
        let (visible, watcher) = registers.register(place).store(visible, value);
        drop(registers);
        if let Some(slot) = watcher {
            self.wake(&self.agents[slot], visible);
        }
    }

    fn read_pmu(&self, agent: &Agent, core: usize, register: PmuRegister) -> u32 {
        self.check_pmu(agent, register, Access::Read);
        agent.only_looked.set(false);
        let now = self.kernel_model.cycles(agent.clock.get());
        self.registers.borrow_mut().pmu(core).read(register, now)
    }

    fn write_pmu(&self, agent: &Agent, core: usize, register: PmuRegister, value: u32) {
        self.check_pmu(agent, register, Access::Write);
        let now = self.kernel_model.cycles(agent.clock.get());
        let mut registers = self.registers.borrow_mut();
        registers.pmu(core).write(register, value, now);
    }

    fn check_pmu(&self, agent: &Agent, register: PmuRegister, access: Access) {
        let registers = self.registers.borrow();
        let refused = registers
            .map
            .refuse_pmu(register, agent.is_thread.get(), access);
        drop(registers);
        if let Some(text) = refused {
            self.fail(agent, text);
        }
    }

    fn place(&self, agent: &Agent, verb: &str, address: u64) -> RegisterPlace {
        let registers = self.registers.borrow();
        let place = if agent.is_thread.get() {
            registers.map.place(address)
        } else {
            registers.map.own_place(agent.physical.get(), address)
        };
        drop(registers);
        place.unwrap_or_else(|| {
            self.fail(
                agent,
                format!("{verb} a register at {address:#x}, where there is none"),
            )
        })
    }

    /// What the AICPU finds when it reads a line from memory.
    #[inline]
    pub(crate) fn read_line_as_aicpu(&self, agent: &Agent, line: u64) -> Option<Line> {
        let mut words = self.memory.read_line(line)?;
        if self.lanes.borrow().may_cover(line) {
            for (address, word) in (line..).step_by(8).zip(&mut words) {
                *word = self.word_with_lanes(agent, address, *word);
            }
        }
        Some(words)
    }

    /// What the AICPU finds when it reads an 8-byte word from memory.
    #[inline]
    fn read_word_as_aicpu(&self, agent: &Agent, address: u64) -> Option<u64> {
        let word = self.memory.word64(address)?.load(Ordering::Acquire);
        if self.lanes.borrow().may_cover(line_of(address)) {
            return Some(self.word_with_lanes(agent, address, word));
        }
        Some(word)
    }

    #[inline]
    fn check(&self, agent: &Agent, verb: &str, address: u64, bytes: u64) {
        if !self.memory.has_word(address, bytes) {
            self.fail_access(agent, verb, address, bytes);
        }
    }

    #[cold]
    fn fail_access(&self, agent: &Agent, verb: &str, address: u64, bytes: u64) -> ! {
        let what = if address & (bytes - 1) != 0 {
            "is not aligned"
        } else {
            "is not device memory"
        };
        self.fail(
            agent,
            format!("{verb} {address:#x} ({bytes} bytes), which {what}"),
        )
    }

    #[inline]
    pub(crate) fn count_call(&self, agent: &Agent) {
        agent.calls.set(agent.calls.get() + 1);
    }
}
