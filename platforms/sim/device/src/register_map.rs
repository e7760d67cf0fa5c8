//! Where the registers of the cores are, for the AICPU and for each core itself.

use crate::pmu::{Access, PmuRegister};
use lanescope_abi::chip::AIV_PER_CLUSTER;
use lanescope_abi::{Chip, ChipInfo, CoreType};
use lanescope_sim_wire::{cluster_cube_core, counter_page, physical_core, register_window};

const SUB_WINDOW_BYTES: u64 = 0x10_0000;
const NOWHERE: u32 = u32::MAX;

/// Which register of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterName {
    /// `DATA_MAIN_BASE`.
    DataMainBase,
    /// `COND`.
    Cond,
    /// `FAST_PATH_ENABLE`.
    FastPathEnable,
    /// One of the hardware counters'.
    Pmu(PmuRegister),
}

/// A register of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterPlace {
    /// Physical id of the core.
    pub core: usize,
    /// Which of its registers.
    pub name: RegisterName,
}

/// Finds registers by address.
#[derive(Debug)]
pub struct RegisterMap {
    chip: &'static ChipInfo,
    window_base: u64,
    /// Where the pages of hardware counters begin, when they lie apart from the windows.
    counter_base: Option<u64>,
    /// Physical id by cube core and sub-core; [`NOWHERE`] where there is no usable core.
    places: Vec<[u32; 3]>,
    /// Whether the cores have hardware counters: not under the fault `no-pmu`.
    pub has_pmu: bool,
}

impl RegisterMap {
    /// The map of a chip.
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
        Self {
            chip: info,
            window_base: register_window(chip, 0, CoreType::Aic, 0).unwrap_or(0),
            counter_base: counter_page(chip, 0, CoreType::Aic, 0),
            places,
            has_pmu: true,
        }
    }

    /// Which register the AICPU finds at an address.
    #[must_use]
    #[inline]
    pub fn place(&self, address: u64) -> Option<RegisterPlace> {
        let Some((core, offset)) = self.core(address.wrapping_sub(self.window_base)) else {
            return self.counter_place(address);
        };
        let name = self.name(offset)?;
        // What lies on a page of its own is not in the window.
        if self.counter_base.is_some() && matches!(name, RegisterName::Pmu(_)) {
            return None;
        }
        Some(RegisterPlace { core, name })
    }

    /// Which register the AICPU finds on a page of hardware counters.
    #[inline(never)]
    fn counter_place(&self, address: u64) -> Option<RegisterPlace> {
        let (core, offset) = self.core(address.wrapping_sub(self.counter_base?))?;
        match self.name(offset)? {
            name @ RegisterName::Pmu(_) => Some(RegisterPlace { core, name }),
            _ => None,
        }
    }

    /// The core with a window or page around a place, and the offset in it.
    #[inline]
    fn core(&self, offset: u64) -> Option<(usize, u64)> {
        // Divisions by a constant cost a multiplication.
        let (cube, rest) = match self.chip.chip {
            Chip::A2a3 => (offset / 0x80_0000, offset % 0x80_0000),
            Chip::A5 => (offset / 0x30_0000, offset % 0x30_0000),
        };
        let subs = self.places.get(usize::try_from(cube).ok()?)?;
        let core = *subs.get(usize::try_from(rest / SUB_WINDOW_BYTES).ok()?)?;
        (core != NOWHERE).then_some((core as usize, rest % SUB_WINDOW_BYTES))
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

    /// Whether the AICPU reaches the registers of a core through a gate.
    #[must_use]
    #[inline]
    pub fn has_gate(&self) -> bool {
        self.chip.registers.fast_path_enable.is_some()
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
        } else if !self.has_pmu {
            None
        } else {
            let offset = u32::try_from(offset).ok()?;
            PmuRegister::at(&map.pmu, offset).map(RegisterName::Pmu)
        }
    }

    /// Why an agent may not do that to a register of the hardware counters, if it may not.
    #[must_use]
    pub fn refuse_pmu(
        &self,
        register: PmuRegister,
        is_thread: bool,
        access: Access,
    ) -> Option<String> {
        if register.allows(&self.chip.registers.pmu, is_thread, access) {
            return None;
        }
        let verb = match access {
            Access::Read => "read",
            Access::Write => "wrote",
        };
        let side = if is_thread { "the AICPU" } else { "a core" };
        Some(format!(
            "{verb} the hardware counters' {register:?}, which {side} of {} may not",
            self.chip.name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_and_every_page_leads_to_its_core() {
        for chip in Chip::ALL {
            let file = RegisterMap::new(chip);
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
        let a2a3 = RegisterMap::new(Chip::A2a3);
        let pmu = &Chip::A2a3.info().registers.pmu;
        let counter = u64::from(pmu.counters[3]);
        for (core_type, sub) in [(CoreType::Aic, 0), (CoreType::Aiv, 1)] {
            let page = counter_page(Chip::A2a3, 9, core_type, sub).unwrap();
            let place = a2a3.place(page + counter).unwrap();
            assert_eq!(place.name, RegisterName::Pmu(PmuRegister::Counter(3)));
            assert_eq!(
                place.core,
                physical_core(Chip::A2a3, 9, core_type, sub) as usize
            );
            assert_eq!(a2a3.place(page + 0xA0), None, "that is in the window");
            let window = register_window(Chip::A2a3, 9, core_type, sub).unwrap();
            assert_eq!(a2a3.place(window + counter), None, "that is on the page");
        }
        assert_eq!(counter_page(Chip::A5, 0, CoreType::Aic, 0), None);
        let hole = register_window(Chip::A2a3, 7, CoreType::Aic, 0).unwrap();
        assert_eq!(RegisterMap::new(Chip::A2a3).place(hole + 0xA0), None);
    }
}
