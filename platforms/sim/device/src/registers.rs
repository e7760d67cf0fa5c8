//! The registers through which an AICPU thread and a core talk, with the time a value travels.
//!
//! # Who writes what
//!
//! `DATA_MAIN_BASE` of a core is written by the AICPU and read by that core, `COND` the other way.
//! On a chip that has the gate, the AICPU reaches both only while the core's fast path is open:
//! else its stores are lost and its loads return 0. One agent at a time can sleep on a register: the
//! core itself, or the AICPU thread that owns the core.
//!
//! # Ordering
//!
//! A stored value is in flight until its time of visibility; values of one register arrive in the
//! order they were stored. Registers are never stale otherwise.

use crate::pmu::Pmu;
use crate::register_map::{RegisterMap, RegisterName, RegisterPlace};
use lanescope_abi::Chip;
use lanescope_abi::chip::FAST_PATH_OPEN;
use std::collections::VecDeque;

/// A slot number that no agent has.
pub const NO_AGENT: usize = usize::MAX;

/// One register of one core.
#[derive(Debug)]
pub struct Register {
    /// What its reader sees.
    visible: u32,
    /// What was stored last.
    stored: u32,
    /// When that becomes, or became, visible.
    stored_time: u64,
    in_flight: VecDeque<(u64, u32)>,
    /// Has changed since `reader` looked.
    news: bool,
    reader: usize,
    watcher: usize,
}

impl Default for Register {
    fn default() -> Self {
        Self {
            visible: 0,
            stored: 0,
            stored_time: 0,
            in_flight: VecDeque::with_capacity(16),
            news: false,
            reader: NO_AGENT,
            watcher: NO_AGENT,
        }
    }
}

impl Register {
    /// Stores a value that is visible from `time` on, but not before any stored earlier. Returns
    /// that time, and takes the agent that sleeps on the register, if one does.
    #[inline]
    pub fn store(&mut self, time: u64, value: u32) -> (u64, Option<usize>) {
        let time = time.max(self.stored_time);
        self.stored = value;
        self.stored_time = time;
        self.in_flight.push_back((time, value));
        let watcher = std::mem::replace(&mut self.watcher, NO_AGENT);
        (time, (watcher != NO_AGENT).then_some(watcher))
    }

    /// What the reader sees at `now`.
    #[inline]
    pub fn load(&mut self, now: u64, reader: usize) -> u32 {
        self.settle(now);
        self.news = false;
        self.reader = reader;
        self.visible
    }

    /// What its writer stored last.
    #[must_use]
    #[inline]
    pub fn stored(&self) -> u32 {
        self.stored
    }

    /// When the next change is there to be seen by `reader`, who has slept since `now` at the
    /// latest: `now` when there is one it has not seen. `reader` is woken by stores still to come.
    #[inline]
    pub fn watch(&mut self, now: u64, reader: usize) -> Option<u64> {
        self.settle(now);
        if self.news || self.reader != reader {
            return Some(now);
        }
        self.watcher = reader;
        let visible = self.visible;
        let change = self.in_flight.iter().find(|(_, value)| *value != visible);
        change.map(|(time, _)| *time)
    }

    #[inline]
    fn settle(&mut self, now: u64) {
        while let Some(&(time, value)) = self.in_flight.front() {
            if time > now {
                break;
            }
            self.news |= value != self.visible;
            self.visible = value;
            self.in_flight.pop_front();
        }
    }
}

/// The registers of one physical core. They outlive launches.
#[derive(Debug)]
struct CoreRegisters {
    data_main_base: Register,
    cond: Register,
    fast_path: u32,
    pmu: Pmu,
}

/// All registers of the chip.
#[derive(Debug)]
pub struct RegisterFile {
    /// Where they are.
    pub map: RegisterMap,
    cores: Vec<CoreRegisters>,
}

impl RegisterFile {
    /// The registers of a chip after power-up: all 0.
    #[must_use]
    pub fn new(chip: Chip) -> Self {
        let cores = (0..chip.info().physical_cores)
            .map(|_| CoreRegisters {
                data_main_base: Register::default(),
                cond: Register::default(),
                fast_path: 0,
                pmu: Pmu::new(chip.info()),
            })
            .collect();
        Self {
            map: RegisterMap::new(chip),
            cores,
        }
    }

    /// The hardware counters of a core.
    #[inline]
    pub fn pmu(&mut self, core: usize) -> &mut Pmu {
        &mut self.cores[core].pmu
    }

    /// The register at a place, of those that carry values from one side to the other; the gate has
    /// [`Self::fast_path`], the hardware counters [`Self::pmu`].
    #[inline]
    pub fn register(&mut self, place: RegisterPlace) -> &mut Register {
        let core = &mut self.cores[place.core];
        match place.name {
            RegisterName::Cond => &mut core.cond,
            RegisterName::DataMainBase | RegisterName::FastPathEnable | RegisterName::Pmu(_) => {
                &mut core.data_main_base
            }
        }
    }

    /// Whether the AICPU reaches the registers of a core.
    #[must_use]
    #[inline]
    pub fn is_open(&self, core: usize) -> bool {
        !self.map.has_gate() || self.cores[core].fast_path == FAST_PATH_OPEN
    }

    /// The gate, as last set.
    #[must_use]
    pub fn fast_path(&self, core: usize) -> u32 {
        self.cores[core].fast_path
    }

    /// Sets the gate.
    pub fn set_fast_path(&mut self, core: usize, value: u32) {
        self.cores[core].fast_path = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_arrive_in_order_at_their_times() {
        let mut register = Register::default();
        assert_eq!(register.store(100, 1), (100, None));
        assert_eq!(register.store(90, 2), (100, None));
        assert_eq!(register.store(200, 3), (200, None));
        assert_eq!(register.load(99, 0), 0);
        assert_eq!(register.load(100, 0), 2);
        assert_eq!(register.watch(150, 0), Some(200));
        assert_eq!(
            register.watch(150, 1),
            Some(150),
            "another reader has not seen it"
        );
        assert_eq!(register.load(200, 0), 3);
        assert_eq!(register.watch(200, 0), None);
        assert_eq!(register.store(300, 4), (300, Some(0)));
        assert_eq!(register.store(400, 5), (400, None));
    }
}
