//! Where device memory and register windows are, as both sides know it.
//!
//! Register addresses mean something inside the device process alone. They start at
//! `0x2000_0000_0000`, where neither program maps anything.

use lanescope_abi::chip::AIV_PER_CLUSTER;
use lanescope_abi::{Chip, CoreType};

/// Device address of the first byte of device memory.
pub const DEVICE_MEMORY_ADDRESS: u64 = 0x1000_0000_0000;

/// Physical cube cores of an a2a3 chip; one of them is not usable.
pub const CUBE_CORES_A2A3: u32 = 25;

/// Clusters on each of the two dies of an a5 chip.
pub const CLUSTERS_A5_PER_DIE: u32 = 18;

/// The physical cube core that is missing in [`aicore_occupancy`] of an a2a3 chip.
const HOLE_A2A3: u32 = 7;

const CONTROL_A2A3: u64 = 0x2000_0000_0000;
const PMU_A2A3: u64 = 0x2000_4000_0000;
const L2_A2A3: u64 = 0x2000_8000_0000;
const C2C_A2A3: u64 = 0x2000_C000_0000;
const CONTROL_A5: u64 = 0x2100_0000_0000;

/// A group of registers of an a2a3 chip that is mapped as a whole; the number is the driver's.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegisterPage {
    /// Level-2 cache buffer.
    L2Buffer = 0,
    /// Chip-to-chip synchronisation.
    C2c = 1,
    /// Control registers of all cores.
    AicoreControl = 2,
    /// Performance counters of all cores.
    AicorePmu = 3,
}

impl RegisterPage {
    /// The page with this number, if there is one.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0 => Some(Self::L2Buffer),
            1 => Some(Self::C2c),
            2 => Some(Self::AicoreControl),
            3 => Some(Self::AicorePmu),
            _ => None,
        }
    }
}

/// Address and length of a register page of an a2a3 chip.
#[must_use]
pub const fn register_page(page: RegisterPage) -> (u64, u64) {
    let cores = CUBE_CORES_A2A3 as u64 * Chip::A2a3.info().registers.core_stride_bytes;
    match page {
        RegisterPage::L2Buffer => (L2_A2A3, 0x10_0000),
        RegisterPage::C2c => (C2C_A2A3, 0x1000),
        RegisterPage::AicoreControl => (CONTROL_A2A3, cores),
        RegisterPage::AicorePmu => (PMU_A2A3, cores),
    }
}

/// Bit `i` is set when physical cube core `i` is usable.
#[must_use]
pub const fn aicore_occupancy(chip: Chip) -> u64 {
    match chip {
        Chip::A2a3 => ((1 << CUBE_CORES_A2A3) - 1) & !(1 << HOLE_A2A3),
        Chip::A5 => (1 << (2 * CLUSTERS_A5_PER_DIE)) - 1,
    }
}

/// The physical cube core that runs cluster `cluster` of a launch: the usable ones in order.
/// `None` when the chip has no such cluster.
#[must_use]
pub fn cluster_cube_core(chip: Chip, cluster: u32) -> Option<u32> {
    let occupancy = aicore_occupancy(chip);
    (0..u64::BITS)
        .filter(|core| occupancy >> core & 1 == 1)
        .nth(usize::try_from(cluster).ok()?)
}

/// Register window of a core of the cluster around physical cube core `cube`; `sub` numbers its
/// vector cores. `None` when there is no such core, usable or not.
#[must_use]
pub fn register_window(chip: Chip, cube: u32, core_type: CoreType, sub: u32) -> Option<u64> {
    let (base, cubes) = match chip {
        Chip::A2a3 => (CONTROL_A2A3, CUBE_CORES_A2A3),
        Chip::A5 => (CONTROL_A5, 2 * CLUSTERS_A5_PER_DIE),
    };
    let map = chip.info().registers;
    let cube_window = base + u64::from(cube) * map.core_stride_bytes;
    match core_type {
        _ if cube >= cubes => None,
        CoreType::Aic => (sub == 0).then_some(cube_window),
        CoreType::Aiv => (sub < AIV_PER_CLUSTER)
            .then(|| cube_window + (u64::from(sub) + 1) * map.sub_core_stride_bytes),
    }
}

/// Page of hardware counters of a core, where the chip has such pages; arguments as for
/// [`register_window`].
#[must_use]
pub fn counter_page(chip: Chip, cube: u32, core_type: CoreType, sub: u32) -> Option<u64> {
    if !chip.info().registers.pmu.has_page {
        return None;
    }
    // They lie as far from each other as windows.
    let window = register_window(chip, cube, core_type, sub)?;
    Some(PMU_A2A3 + (window - CONTROL_A2A3))
}

/// The place of a core in the register table; arguments as for [`register_window`].
#[must_use]
pub const fn physical_core(chip: Chip, cube: u32, core_type: CoreType, sub: u32) -> u32 {
    match (chip, core_type) {
        (Chip::A2a3, CoreType::Aic) => cube,
        (Chip::A2a3, CoreType::Aiv) => CUBE_CORES_A2A3 + AIV_PER_CLUSTER * cube + sub,
        (Chip::A5, _) => {
            let die = cube / CLUSTERS_A5_PER_DIE * (3 * CLUSTERS_A5_PER_DIE);
            let in_die = cube % CLUSTERS_A5_PER_DIE;
            match core_type {
                CoreType::Aic => die + in_die,
                CoreType::Aiv => die + CLUSTERS_A5_PER_DIE + AIV_PER_CLUSTER * in_die + sub,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_core_has_a_window_and_a_place_of_its_own() {
        for (chip, cubes) in [(Chip::A2a3, 25), (Chip::A5, 36)] {
            let mut windows = HashSet::new();
            let mut places = HashSet::new();
            for cube in 0..cubes {
                for (core_type, sub) in [(CoreType::Aic, 0), (CoreType::Aiv, 0), (CoreType::Aiv, 1)]
                {
                    let window = register_window(chip, cube, core_type, sub).unwrap();
                    let end = window + u64::from(chip.info().registers.cond) + 4;
                    assert!(end <= window + chip.info().registers.sub_core_stride_bytes);
                    assert!(
                        windows.insert(window),
                        "{chip:?} {cube} {core_type:?} {sub}"
                    );
                    let place = physical_core(chip, cube, core_type, sub);
                    assert!(place < chip.info().physical_cores);
                    assert!(places.insert(place), "{chip:?} {cube} {core_type:?} {sub}");
                }
            }
            assert_eq!(register_window(chip, cubes, CoreType::Aic, 0), None);
            assert_eq!(register_window(chip, 0, CoreType::Aiv, 2), None);
        }
    }

    #[test]
    fn an_a2a3_chip_lacks_one_cube_core_in_the_middle() {
        assert_eq!(aicore_occupancy(Chip::A2a3).count_ones(), 24);
        assert_eq!(cluster_cube_core(Chip::A2a3, 6), Some(6));
        assert_eq!(cluster_cube_core(Chip::A2a3, 7), Some(8));
        assert_eq!(cluster_cube_core(Chip::A2a3, 23), Some(24));
        assert_eq!(cluster_cube_core(Chip::A2a3, 24), None);
        assert_eq!(cluster_cube_core(Chip::A5, 35), Some(35));
        assert_eq!(cluster_cube_core(Chip::A5, 36), None);
    }

    #[test]
    fn register_pages_do_not_overlap() {
        let pages = [0, 1, 2, 3].map(|raw| register_page(RegisterPage::from_raw(raw).unwrap()));
        for (i, (a, a_bytes)) in pages.iter().enumerate() {
            for (b, b_bytes) in &pages[i + 1..] {
                assert!(a + a_bytes <= *b || b + b_bytes <= *a);
            }
        }
        assert_eq!(RegisterPage::from_raw(4), None);
    }
}
