//! The counter lane: a core's hardware counters, switched on for a run and read task by task.
//!
//! # Who writes what
//!
//! The AICPU thread that owns a core writes its selectors and switches; the core opens and closes the
//! gate. Where the AICPU reads the counters it does so after FIN and before the core gets another token:
//! reading clears them, so it also reads those of a record that is dropped.

use super::capture::Capture;
use super::lane::{Counters, Lane};
use super::tasks::{Outcome, low};
use crate::region::Region;
use crate::{Control, Failure};
use core::mem::offset_of;
use lanescope_abi::chip::{A2A3, A5, PmuRegisters};
use lanescope_abi::control::DeviceError;
use lanescope_abi::record::PMU_COUNTERS;
use lanescope_abi::{Device, LINE_BYTES, PmuEvent, PmuRecord, PmuSlot, is_mutant};

/// Most switches that a chip's counters have.
const SWITCHES: usize = 2;

const _: () = {
    assert!(A2A3.registers.pmu.switches.len() <= SWITCHES);
    assert!(A5.registers.pmu.switches.len() <= SWITCHES);
    assert!(A2A3.registers.pmu.counters.len() <= PMU_COUNTERS);
    assert!(A5.registers.pmu.counters.len() <= PMU_COUNTERS);
};

/// The counter lane of one AICPU thread.
#[derive(Debug)]
pub(crate) struct Pmu<'d, D> {
    lane: Lane<'d, D, PmuRecord>,
    registers: &'static PmuRegisters,
    event: &'static PmuEvent,
}

/// A core's counters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoreCounters {
    pub(crate) counters: Counters,
    /// What their offsets count from while they are switched on, else 0.
    base: u64,
    /// What the switches held before.
    saved: [u32; SWITCHES],
}

impl CoreCounters {
    pub(crate) const NONE: Self = Self {
        counters: Counters::NONE,
        base: 0,
        saved: [0; SWITCHES],
    };
}

impl CoreCounters {
    /// Puts the switches back to what they held, unless they are.
    pub(crate) fn switch_back<D: Device>(&mut self, device: &D, registers: &PmuRegisters) {
        if self.base == 0 {
            return;
        }
        for (saved, (switch, _)) in self.saved.iter().zip(registers.switches) {
            // SAFETY: an entry of the chip's table for counters plus an offset of its register map; the
            // thread that owns a core writes its switches.
            unsafe { device.write_reg(self.base + u64::from(*switch), *saved) };
        }
        self.base = 0;
    }
}

/// What was counted for one task.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    total_cycles: u64,
    counters: [u32; PMU_COUNTERS],
}

impl<'d, D: Device> Pmu<'d, D> {
    pub(crate) fn attach(
        control: &Control<'d, D>,
        capture: &Capture<'d, D>,
        thread: u32,
    ) -> Result<Self, Failure> {
        let event = control.chip.pmu_event(control.header.pmu_event);
        Ok(Self {
            lane: Lane::attach(capture, thread)?,
            registers: &control.chip.registers.pmu,
            event: event.ok_or(DeviceError::BadLayout)?,
        })
    }

    pub(crate) fn counters(&self, core: u32) -> Counters {
        self.lane.counters(core)
    }

    /// Programs the counters of a core, whose offsets count from `base`, and switches them on.
    pub(crate) fn open(&self, core: &mut CoreCounters, base: u64) {
        let registers = self.registers;
        for (saved, (switch, _)) in core.saved.iter_mut().zip(registers.switches) {
            *saved = self.read_reg(base, *switch);
        }
        // From here on there is something to put back.
        core.base = base;
        for (counter, selector) in registers.selectors.iter().enumerate() {
            self.write_reg(base, *selector, self.event.selector(counter));
        }
        // What an earlier run has left in them.
        self.read_counters(base);
        for offset in registers.start {
            self.write_reg(base, offset, 0);
        }
        for offset in registers.stop {
            self.write_reg(base, offset, u32::MAX);
        }
        for (switch, value) in registers.switches {
            self.write_reg(base, *switch, *value);
        }
    }

    /// Puts the switches of a core back to what they held.
    pub(crate) fn close(&self, core: &mut CoreCounters) {
        core.switch_back(self.region().device(), self.registers);
    }

    /// Commits what was counted for one token; its slot is at offset `slot`. The core is idle, or reads
    /// its counters itself.
    #[inline]
    pub(crate) fn commit(
        &mut self,
        core: &mut CoreCounters,
        slot: u64,
        outcome: &Outcome,
        ticks: u64,
    ) -> Result<(), DeviceError> {
        self.lane.attempt(&mut core.counters);
        let counted = if self.registers.is_read_by_core {
            self.staged(slot, outcome.token_and_run)
        } else if core.base == 0 {
            None
        } else {
            Some(self.read_counters(core.base))
        };
        let Some(counted) = counted else {
            self.lane.mismatch(&mut core.counters);
            return Ok(());
        };
        let (core_index, core_type) = (outcome.core_and_type & 0xFFFF, outcome.core_and_type >> 16);
        let record = PmuRecord {
            task_id: outcome.task_id,
            func_id: outcome.func_id,
            core: u16::try_from(core_index).expect("half a word"),
            core_type: u8::try_from(core_type).expect("a core type is a small number"),
            token: low(outcome.token_and_run),
            run_id: low(outcome.token_and_run >> 32),
            total_cycles: counted.total_cycles,
            counters: counted.counters,
            event: self.event.number,
            ticks,
            ..PmuRecord::default()
        };
        self.lane.commit_counted(&mut core.counters, &record)?;
        Ok(())
    }

    /// The wait for the host that the last commit took, if it took one.
    #[inline]
    pub(crate) fn take_wait(&mut self) -> Option<(u64, u64)> {
        self.lane.buffers.take_wait()
    }

    pub(crate) fn flush(&mut self) -> Result<(), DeviceError> {
        self.lane.flush()
    }

    /// What the core has staged behind its times, if it is this token's.
    fn staged(&self, slot: u64, token_and_run: u64) -> Option<Counted> {
        let line = self.region().line(slot + LINE_BYTES);
        if !is_mutant("pmu-slot-not-invalidated") {
            line.invalidate();
        }
        let first = line.load64::<{ offset_of!(PmuSlot, token) }>();
        let seal = line.load32::<{ offset_of!(PmuSlot, seal) }>();
        if first != token_and_run || seal != low(token_and_run) {
            return None;
        }
        let counters = slot + LINE_BYTES + offset_of!(PmuSlot, counters) as u64;
        let counter = |at: usize| self.region().load32(counters + 4 * at as u64);
        Some(Counted {
            total_cycles: line.load64::<{ offset_of!(PmuSlot, total_cycles) }>(),
            counters: core::array::from_fn(counter),
        })
    }

    /// Reads, and so clears, counters and cycles of a core that counts nothing now: their halves agree.
    fn read_counters(&self, base: u64) -> Counted {
        let mut counted = Counted::default();
        for (counter, offset) in counted.counters.iter_mut().zip(self.registers.counters) {
            *counter = self.read_reg(base, *offset);
        }
        let [low, high] = (self.registers.total).map(|offset| self.read_reg(base, offset));
        counted.total_cycles = u64::from(high) << 32 | u64::from(low);
        counted
    }

    fn read_reg(&self, base: u64, offset: u32) -> u32 {
        let device = self.region().device();
        // SAFETY: an entry of the chip's table for counters plus an offset of the chip's register map.
        unsafe { device.read_reg(base + u64::from(offset)) }
    }

    fn write_reg(&self, base: u64, offset: u32, value: u32) {
        let device = self.region().device();
        // SAFETY: an entry of the chip's table for counters plus an offset of the chip's register map; the thread
        // that owns a core writes its selectors and switches.
        unsafe { device.write_reg(base + u64::from(offset), value) };
    }

    fn region(&self) -> &Region<'d, D> {
        &self.lane.region
    }
}

const _: () = assert!(offset_of!(PmuSlot, run_id) == offset_of!(PmuSlot, token) + 4);
