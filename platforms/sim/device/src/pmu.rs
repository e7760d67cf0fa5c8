//! The hardware counters of one core: its registers, and when they count.
//!
//! # Who writes what
//!
//! The AICPU thread that owns the core writes switches, selectors, start and stop, and reads everything
//! but the gate. The core opens and closes the gate and, where the chip lets it, reads counters and
//! total. Whatever else an agent does to them ends its task.
//!
//! # Ordering
//!
//! Values are in effect at once. A core counts while its gate is open, every switch holds the value
//! that the chip's register map gives it, and start lies before stop; after power-up all are 0. Reading
//! a counter, or either half of the total, clears it. Counters stop at their highest value.

use crate::activity::Activity;
use lanescope_abi::chip::PmuRegisters;
use lanescope_abi::{ChipInfo, record::PMU_COUNTERS};

/// Bit of the gate that lets counting go on.
const GATE_OPEN: u32 = 1;

/// Which register of the hardware counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PmuRegister {
    /// [`PmuRegisters::gate`].
    Gate,
    /// One of [`PmuRegisters::switches`].
    Switch(usize),
    /// One of [`PmuRegisters::counters`].
    Counter(usize),
    /// One half of [`PmuRegisters::total`].
    Total(usize),
    /// One half of [`PmuRegisters::start`].
    Start(usize),
    /// One half of [`PmuRegisters::stop`].
    Stop(usize),
    /// One of [`PmuRegisters::selectors`].
    Selector(usize),
}

/// What an agent does to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads it.
    Read,
    /// Writes it.
    Write,
}

impl PmuRegister {
    /// The register at an offset in a core's window, if there is one.
    #[must_use]
    pub fn at(map: &PmuRegisters, offset: u32) -> Option<Self> {
        let among = |offsets: &[u32]| offsets.iter().position(|known| *known == offset);
        if offset == map.gate {
            return Some(Self::Gate);
        }
        let switch = map.switches.iter().position(|(known, _)| *known == offset);
        let found = switch.map(Self::Switch);
        let found = found.or_else(|| among(map.counters).map(Self::Counter));
        let found = found.or_else(|| among(&map.total).map(Self::Total));
        let found = found.or_else(|| among(&map.start).map(Self::Start));
        let found = found.or_else(|| among(&map.stop).map(Self::Stop));
        found.or_else(|| among(map.selectors).map(Self::Selector))
    }

    /// Whether an agent may do that: an AICPU thread when `is_thread`, else the core itself.
    #[must_use]
    pub fn allows(self, map: &PmuRegisters, is_thread: bool, access: Access) -> bool {
        let is_count = matches!(self, Self::Counter(_) | Self::Total(_));
        match (is_thread, access) {
            (true, Access::Read) => self != Self::Gate,
            (true, Access::Write) => self != Self::Gate && !is_count,
            (false, Access::Read) => self == Self::Gate || is_count && map.is_read_by_core,
            (false, Access::Write) => self == Self::Gate,
        }
    }
}

/// The hardware counters of one core. They outlive launches.
#[derive(Debug)]
pub struct Pmu {
    chip: &'static ChipInfo,
    gate: u32,
    switches: [u32; 2],
    selectors: [u32; PMU_COUNTERS],
    start: [u32; 2],
    stop: [u32; 2],
    counters: [u32; PMU_COUNTERS],
    total: [u32; 2],
    /// Since when, in cycles, the total has not been brought up to date; `None` while nothing counts.
    since: Option<u64>,
}

impl Pmu {
    /// After power-up: all 0.
    #[must_use]
    pub fn new(chip: &'static ChipInfo) -> Self {
        Self {
            chip,
            gate: 0,
            switches: [0; 2],
            selectors: [0; PMU_COUNTERS],
            start: [0; 2],
            stop: [0; 2],
            counters: [0; PMU_COUNTERS],
            total: [0; 2],
            since: None,
        }
    }

    /// Reads a register at a time, in cycles.
    pub fn read(&mut self, register: PmuRegister, now_cycles: u64) -> u32 {
        self.pass(now_cycles);
        match register {
            PmuRegister::Gate => self.gate,
            PmuRegister::Switch(index) => self.switches[index],
            PmuRegister::Counter(index) => std::mem::take(&mut self.counters[index]),
            PmuRegister::Total(half) => std::mem::take(&mut self.total[half]),
            PmuRegister::Start(half) => self.start[half],
            PmuRegister::Stop(half) => self.stop[half],
            PmuRegister::Selector(index) => self.selectors[index],
        }
    }

    /// Writes a register at a time, in cycles. Counts cannot be written.
    pub fn write(&mut self, register: PmuRegister, value: u32, now_cycles: u64) {
        self.pass(now_cycles);
        match register {
            PmuRegister::Gate => self.gate = value,
            PmuRegister::Switch(index) => self.switches[index] = value,
            PmuRegister::Start(half) => self.start[half] = value,
            PmuRegister::Stop(half) => self.stop[half] = value,
            PmuRegister::Selector(index) => self.selectors[index] = value,
            PmuRegister::Counter(_) | PmuRegister::Total(_) => {}
        }
        self.since = self.is_counting().then_some(now_cycles);
    }

    /// Whether a kernel that runs now is counted.
    #[must_use]
    #[inline]
    pub fn is_counting(&self) -> bool {
        self.gate & GATE_OPEN != 0 && self.are_switches_on() && whole(self.start) < whole(self.stop)
    }

    fn are_switches_on(&self) -> bool {
        let wanted = self.chip.registers.pmu.switches;
        let mut pairs = wanted.iter().zip(&self.switches);
        pairs.all(|((_, on), held)| on == held)
    }

    /// Counts what a kernel did, with what the selectors ask for.
    pub fn count(&mut self, activity: &Activity) {
        if !self.is_counting() {
            return;
        }
        for (counter, selector) in self.counters.iter_mut().zip(self.selectors) {
            let count = activity.count(self.chip.chip, selector);
            let sum = u64::from(*counter).saturating_add(count);
            *counter = u32::try_from(sum).unwrap_or(u32::MAX);
        }
    }

    /// Adds cycles to the total, where time itself is not followed.
    pub fn add_cycles(&mut self, cycles: u64) {
        if self.is_counting() {
            self.total = halves(whole(self.total).wrapping_add(cycles));
        }
    }

    /// Brings the total up to a time.
    fn pass(&mut self, now_cycles: u64) {
        if let Some(since) = self.since {
            let cycles = now_cycles.saturating_sub(since);
            self.total = halves(whole(self.total).wrapping_add(cycles));
            self.since = Some(now_cycles.max(since));
        }
    }
}

fn whole([low, high]: [u32; 2]) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

#[expect(clippy::cast_possible_truncation, reason = "takes both halves")]
const fn halves(whole: u64) -> [u32; 2] {
    [whole as u32, (whole >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanescope_abi::{Chip, CoreType};

    const ACTIVITY: Activity = Activity {
        core_type: CoreType::Aiv,
        cycles: 1000,
        cube: 0,
        vector: 700,
        scalar: 60,
        reading: 500,
        writing: 40,
        read_bytes: 6400,
        write_bytes: 640,
    };

    /// Registers as the AICPU leaves them before a task.
    fn armed(chip: Chip) -> Pmu {
        let mut pmu = Pmu::new(chip.info());
        let event = chip.info().pmu_event(2).unwrap();
        for counter in 0..chip.info().registers.pmu.counters.len() {
            pmu.write(PmuRegister::Selector(counter), event.selector(counter), 0);
        }
        for half in 0..2 {
            pmu.write(PmuRegister::Start(half), 0, 0);
            pmu.write(PmuRegister::Stop(half), u32::MAX, 0);
        }
        for (switch, (_, on)) in chip.info().registers.pmu.switches.iter().enumerate() {
            pmu.write(PmuRegister::Switch(switch), *on, 0);
        }
        pmu
    }

    #[test]
    fn every_register_has_one_offset_and_every_offset_one_register() {
        for chip in Chip::ALL {
            let map = &chip.info().registers.pmu;
            let mut found = Vec::new();
            for offset in (0..0x10000).step_by(4) {
                found.extend(PmuRegister::at(map, offset));
            }
            let expected = 1 + map.switches.len() + 2 * map.counters.len() + 6;
            assert_eq!(found.len(), expected, "{chip:?}: {found:?}");
            assert_eq!(PmuRegister::at(map, chip.info().registers.cond), None);
        }
        let a5 = &Chip::A5.info().registers.pmu;
        assert_eq!(PmuRegister::at(a5, 0x4254), Some(PmuRegister::Counter(9)));
        assert_eq!(PmuRegister::at(a5, 0x4258), None);
    }

    #[test]
    fn reading_clears_and_what_is_closed_does_not_count() {
        for chip in Chip::ALL {
            let mut pmu = armed(chip);
            pmu.count(&ACTIVITY);
            assert_eq!(
                pmu.read(PmuRegister::Counter(0), 50),
                0,
                "the gate is closed"
            );
            pmu.write(PmuRegister::Gate, 1, 100);
            pmu.count(&ACTIVITY);
            pmu.write(PmuRegister::Gate, 0, 1100);
            pmu.count(&ACTIVITY);
            assert_eq!(pmu.read(PmuRegister::Counter(0), 5000), 700);
            assert_eq!(pmu.read(PmuRegister::Counter(0), 5000), 0);
            assert_eq!(pmu.read(PmuRegister::Total(0), 5000), 1000);
            assert_eq!(pmu.read(PmuRegister::Total(0), 5000), 0);
            assert_eq!(pmu.read(PmuRegister::Total(1), 5000), 0);
        }
    }

    #[test]
    fn nothing_counts_without_every_switch_and_a_window() {
        for chip in Chip::ALL {
            let switches = chip.info().registers.pmu.switches.len();
            let offs = (0..switches).map(PmuRegister::Switch);
            let offs = offs.chain([PmuRegister::Stop(0), PmuRegister::Selector(0)]);
            for off in offs {
                let mut pmu = armed(chip);
                pmu.write(off, 0, 0);
                if off == PmuRegister::Stop(0) {
                    pmu.write(PmuRegister::Stop(1), 0, 0);
                }
                pmu.write(PmuRegister::Gate, 1, 0);
                pmu.count(&ACTIVITY);
                assert_eq!(
                    pmu.read(PmuRegister::Counter(0), 900),
                    0,
                    "{chip:?} {off:?}"
                );
                let total = pmu.read(PmuRegister::Total(0), 900);
                let is_selector = matches!(off, PmuRegister::Selector(_));
                assert_eq!(total != 0, is_selector, "{chip:?} {off:?}");
            }
        }
    }

    #[test]
    fn a_total_has_two_halves_and_counters_stop_at_their_highest() {
        let mut pmu = armed(Chip::A5);
        pmu.write(PmuRegister::Gate, 1, 0);
        let long = Activity {
            vector: 3 << 30,
            ..ACTIVITY
        };
        pmu.count(&long);
        pmu.count(&long);
        pmu.write(PmuRegister::Gate, 0, 5 << 32 | 7);
        assert_eq!(pmu.read(PmuRegister::Total(0), 0), 7);
        assert_eq!(pmu.read(PmuRegister::Total(1), 0), 5);
        assert_eq!(pmu.read(PmuRegister::Counter(0), 0), u32::MAX);
    }

    #[test]
    fn each_side_reaches_its_own_registers_only() {
        use Access::{Read, Write};
        let a2a3 = &Chip::A2a3.info().registers.pmu;
        let a5 = &Chip::A5.info().registers.pmu;
        let counter = PmuRegister::Counter(0);
        assert!(counter.allows(a5, false, Read) && !counter.allows(a2a3, false, Read));
        assert!(counter.allows(a2a3, true, Read) && !counter.allows(a2a3, true, Write));
        assert!(PmuRegister::Gate.allows(a2a3, false, Write));
        assert!(!PmuRegister::Gate.allows(a2a3, true, Write));
        assert!(PmuRegister::Switch(0).allows(a5, true, Write));
        assert!(!PmuRegister::Switch(0).allows(a5, false, Write));
    }
}
