//! A chip in a few hundred lines: memory with stale views, registers, cores and a host.
//!
//! The AICPU threads share one view of the lines they load, each core has its own; a load sees old
//! bytes until the line is invalidated, and a core's store is seen by others only once its line is
//! cleaned. An access outside the two regions fails the test.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "part of the tests; each test binary uses its own share"
)]

mod core;
mod host;
mod memory;
#[cfg(loom)]
mod model;
mod setup;

pub use self::core::{Fault, counted};
pub use host::HostMode;
#[cfg(loom)]
pub use model::{LanePlaces, Model};
pub use setup::{Graph, Outcome, Setup, chain, independent};

use self::core::SimCore;
use host::Host;
use lanescope_abi::chip::ChipInfo;
use lanescope_abi::token::DISPATCH_IDLE;
use lanescope_abi::{Awaited, Barrier, Device};
use memory::{Memory, View};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the register windows begin; a window has 64 KiB.
const WINDOWS: u64 = 0x2000_0000_0000;
const WINDOW_BYTES: u64 = 1 << 16;
/// Where the pages of hardware counters begin; a page is as long as a window.
const PAGES: u64 = 0x2000_4000_0000;

/// A test that makes more calls than this hangs.
const MAX_CALLS: u64 = 20_000_000;

/// The device under the AICPU program.
#[derive(Debug)]
pub struct TestDevice {
    world: Mutex<World>,
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    pub memory: Memory,
    pub cores: Vec<SimCore>,
    pub registers: HashMap<u64, u32>,
    pub host: Host,
    pub ticks: u64,
    calls: u64,
    view: View,
    pub chip: &'static ChipInfo,
}

impl TestDevice {
    pub fn new(memory: Memory, cores: Vec<SimCore>, host: Host, chip: &'static ChipInfo) -> Self {
        Self {
            world: Mutex::new(World {
                memory,
                cores,
                registers: HashMap::new(),
                host,
                ticks: 1000,
                calls: 0,
                view: View::default(),
                chip,
            }),
        }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn called(&self) -> MutexGuard<'_, World> {
        let mut world = self.world();
        world.calls += 1;
        world.ticks += 1;
        assert!(world.calls < MAX_CALLS, "the program never ends");
        world
    }
}

/// Address of the register window of a physical core.
pub fn window(physical_core: u32) -> u64 {
    WINDOWS + u64::from(physical_core) * WINDOW_BYTES
}

/// Where the AICPU finds the hardware counters of a physical core: on a page of their own, or in its window.
pub fn counters_at(chip: &ChipInfo, physical_core: u32) -> u64 {
    if chip.registers.pmu.has_page {
        PAGES + u64::from(physical_core) * WINDOW_BYTES
    } else {
        window(physical_core)
    }
}

impl World {
    /// Calls of the device interface so far.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Lets every core take one step, and the host look at its queues.
    fn step(&mut self) {
        for index in 0..self.cores.len() {
            self.step_core(index);
        }
        self.host.look(&self.memory);
    }

    fn step_core(&mut self, index: usize) {
        let chip = self.chip;
        let core = &mut self.cores[index];
        let base = window(core.physical_core);
        let data_main_base = base + u64::from(chip.registers.data_main_base);
        let seen = *self
            .registers
            .get(&data_main_base)
            .unwrap_or(&DISPATCH_IDLE);
        self.ticks += 1;
        let before = core.ran.len();
        let cond = core.step(&self.memory, seen, self.ticks);
        let ran = core.ran.get(before).map(|ran| ran.task_id);
        let is_counted = core.is_counted();
        let physical_core = core.physical_core;
        if let Some(task_id) = ran
            && is_counted
        {
            self.count(counters_at(chip, physical_core), task_id);
        }
        if let Some(cond) = cond {
            let address = base + u64::from(chip.registers.cond);
            self.registers.insert(address, cond);
        }
    }

    /// Adds what a kernel counts to a core's counters, while they are switched on.
    fn count(&mut self, base: u64, task_id: u64) {
        let pmu = &self.chip.registers.pmu;
        let is_on = |(switch, value): &(u32, u32)| {
            self.registers.get(&(base + u64::from(*switch))) == Some(value)
        };
        if pmu.is_read_by_core || !pmu.switches.iter().all(is_on) {
            return;
        }
        let (counters, total) = counted(task_id);
        let halves = [total & 0xFFFF_FFFF, total >> 32].map(|half| u32::try_from(half).unwrap());
        let counts = pmu.counters.iter().zip(counters);
        for (offset, count) in counts.chain(pmu.total.iter().zip(halves)) {
            let register = self.registers.entry(base + u64::from(*offset)).or_default();
            *register = register.wrapping_add(count);
        }
    }

    /// Reads a register; a counter is cleared by it.
    fn read_register(&mut self, address: u64) -> u32 {
        let pmu = &self.chip.registers.pmu;
        let offset = address % WINDOW_BYTES;
        let mut counters = pmu.counters.iter().chain(&pmu.total);
        let value = self.registers.get(&address).copied().unwrap_or(0);
        if counters.any(|counter| u64::from(*counter) == offset) {
            self.registers.insert(address, 0);
        }
        value
    }
}

impl Device for TestDevice {
    unsafe fn load32(&self, address: u64) -> u32 {
        let mut world = self.called();
        let World { memory, view, .. } = &mut *world;
        view.load32(memory, address)
    }

    unsafe fn load64(&self, address: u64) -> u64 {
        let mut world = self.called();
        let World { memory, view, .. } = &mut *world;
        view.load64(memory, address)
    }

    unsafe fn store32(&self, address: u64, value: u32) {
        let mut world = self.called();
        let World { memory, view, .. } = &mut *world;
        view.write_through32(memory, address, value);
    }

    unsafe fn store64(&self, address: u64, value: u64) {
        let mut world = self.called();
        let World { memory, view, .. } = &mut *world;
        view.write_through64(memory, address, value);
    }

    fn clean(&self, address: u64) {
        self.called().memory.check(address, 1);
    }

    fn invalidate(&self, address: u64) {
        let mut world = self.called();
        world.memory.check(address, 1);
        world.view.invalidate(address);
    }

    fn barrier(&self, _: Barrier) {
        drop(self.called());
    }

    unsafe fn read_reg(&self, address: u64) -> u32 {
        let mut world = self.called();
        let distance = address - if address < PAGES { WINDOWS } else { PAGES };
        let physical_core = u32::try_from(distance / WINDOW_BYTES).unwrap();
        let index = (world.cores.iter())
            .position(|core| core.physical_core == physical_core)
            .expect("a register of a core of this launch");
        world.step_core(index);
        world.read_register(address)
    }

    unsafe fn write_reg(&self, address: u64, value: u32) {
        self.called().registers.insert(address, value);
    }

    fn ticks(&self) -> u64 {
        self.called().ticks
    }

    fn relax(&self, awaited: &Awaited<'_>) {
        {
            let mut world = self.called();
            for word in awaited.words() {
                world.memory.check(word.address, 4);
            }
            world.ticks += 20;
            world.step();
        }
        std::thread::yield_now();
    }
}
