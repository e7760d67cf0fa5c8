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

use lanescope_abi::chip::{AIV_PER_CLUSTER, FAST_PATH_OPEN};
use lanescope_abi::{Chip, ChipInfo, CoreType};
use lanescope_sim_wire::{cluster_cube_core, physical_core, register_window};
use std::collections::VecDeque;

/// A slot number that no agent has.
pub const NO_AGENT: usize = usize::MAX;

const SUB_WINDOW_BYTES: u64 = 0x10_0000;
const NOWHERE: u32 = u32::MAX;

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

/// Which register of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterName {
    /// `DATA_MAIN_BASE`.
    DataMainBase,
    /// `COND`.
    Cond,
    /// `FAST_PATH_ENABLE`.
    FastPathEnable,
}

/// A register of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterPlace {
    /// Physical id of the core.
    pub core: usize,
    /// Which of its registers.
    pub name: RegisterName,
}

/// The registers of one physical core. They outlive launches.
#[derive(Debug, Default)]
struct CoreRegisters {
    data_main_base: Register,
    cond: Register,
    fast_path: u32,
}

/// All registers of the chip.
#[derive(Debug)]
pub struct RegisterFile {
    chip: &'static ChipInfo,
    window_base: u64,
    /// Physical id by cube core and sub-core; [`NOWHERE`] where there is no usable core.
    places: Vec<[u32; 3]>,
    cores: Vec<CoreRegisters>,
}

impl RegisterFile {
    /// The registers of a chip after power-up: all 0.
    #[must_use]
    pub fn new(chip: Chip) -> Self {
        let info = chip.info();
        let mut places = Vec::new();
        for cluster in 0..info.max_clusters {
            let Some(cube) = cluster_cube_core(chip, cluster) else {
                break;
            };
            let index = cube as usize;
            if places.len() <= index {
                places.resize(index + 1, [NOWHERE; 3]);
            }
            places[index][0] = physical_core(chip, cube, CoreType::Aic, 0);
            for sub in 0..AIV_PER_CLUSTER {
                places[index][1 + sub as usize] = physical_core(chip, cube, CoreType::Aiv, sub);
            }
        }
        let cores = (0..info.physical_cores)
            .map(|_| CoreRegisters::default())
            .collect();
        Self {
            chip: info,
            window_base: register_window(chip, 0, CoreType::Aic, 0).unwrap_or(0),
            places,
            cores,
        }
    }

    /// The register at a place; the gate is none, it has [`Self::fast_path`].
    #[inline]
    pub fn register(&mut self, place: RegisterPlace) -> &mut Register {
        let core = &mut self.cores[place.core];
        match place.name {
            RegisterName::Cond => &mut core.cond,
            RegisterName::DataMainBase | RegisterName::FastPathEnable => &mut core.data_main_base,
        }
    }

    /// Which register the AICPU finds at an address.
    #[must_use]
    #[inline]
    pub fn place(&self, address: u64) -> Option<RegisterPlace> {
        let offset = address.wrapping_sub(self.window_base);
        // Divisions by a constant cost a multiplication.
        let (cube, rest) = match self.chip.chip {
            Chip::A2a3 => (offset / 0x80_0000, offset % 0x80_0000),
            Chip::A5 => (offset / 0x30_0000, offset % 0x30_0000),
        };
        let subs = self.places.get(usize::try_from(cube).ok()?)?;
        let core = *subs.get(usize::try_from(rest / SUB_WINDOW_BYTES).ok()?)?;
        if core == NOWHERE {
            return None;
        }
        Some(RegisterPlace {
            core: core as usize,
            name: self.name(rest % SUB_WINDOW_BYTES)?,
        })
    }

    /// Which register a core finds at an offset.
    #[must_use]
    #[inline]
    pub fn own_place(&self, core: usize, offset: u64) -> Option<RegisterPlace> {
        match self.name(offset)? {
            RegisterName::FastPathEnable => None,
            name => Some(RegisterPlace { core, name }),
        }
    }

    /// Whether the AICPU reaches the registers of a core.
    #[must_use]
    #[inline]
    pub fn is_open(&self, core: usize) -> bool {
        self.chip.registers.fast_path_enable.is_none()
            || self.cores[core].fast_path == FAST_PATH_OPEN
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

    #[inline]
    fn name(&self, offset: u64) -> Option<RegisterName> {
        let map = &self.chip.registers;
        if offset == u64::from(map.cond) {
            Some(RegisterName::Cond)
        } else if offset == u64::from(map.data_main_base) {
            Some(RegisterName::DataMainBase)
        } else if map.fast_path_enable.map(u64::from) == Some(offset) {
            Some(RegisterName::FastPathEnable)
        } else {
            None
        }
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

    #[test]
    fn every_window_leads_to_its_core() {
        for chip in Chip::ALL {
            let file = RegisterFile::new(chip);
            for cluster in 0..chip.info().max_clusters {
                let cube = cluster_cube_core(chip, cluster).unwrap();
                for (core_type, sub) in [(CoreType::Aic, 0), (CoreType::Aiv, 0), (CoreType::Aiv, 1)]
                {
                    let window = register_window(chip, cube, core_type, sub).unwrap();
                    let cond = window + u64::from(chip.info().registers.cond);
                    let place = file.place(cond).unwrap();
                    assert_eq!(place.name, RegisterName::Cond);
                    assert_eq!(
                        place.core,
                        physical_core(chip, cube, core_type, sub) as usize
                    );
                    assert_eq!(file.place(window + 4), None);
                }
            }
            assert_eq!(file.place(0), None);
        }
        let hole = register_window(Chip::A2a3, 7, CoreType::Aic, 0).unwrap();
        assert_eq!(RegisterFile::new(Chip::A2a3).place(hole + 0xA0), None);
    }
}
