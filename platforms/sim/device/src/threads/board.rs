//! The board: what all agents of thread mode share.

use crate::cost::KernelModel;
use crate::loader::Loader;
use crate::memory::Memory;
use crate::pmu::Pmu;
use crate::register_map::{RegisterMap, RegisterName, RegisterPlace};
use crate::threads::agent::TABLE;
use crate::view::View;
use lanescope_abi::chip::FAST_PATH_OPEN;
use lanescope_abi::{Chip, ChipInfo};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What all agents share. It lives as long as the process.
#[derive(Debug)]
pub struct Board {
    /// The chip.
    pub chip: &'static ChipInfo,
    /// Programs and kernels.
    pub loader: Loader,
    /// Where the registers are.
    pub map: RegisterMap,
    /// What kernels would last, for the hardware counters.
    pub kernel_model: KernelModel,
    registers: Vec<CoreRegisters>,
    /// What each physical core has cached while no program of its own runs.
    views: Vec<Mutex<View>>,
}

/// The registers of one physical core. They outlive launches.
#[derive(Debug)]
#[repr(align(64))]
struct CoreRegisters {
    data_main_base: AtomicU32,
    cond: AtomicU32,
    fast_path: AtomicU32,
    pmu: Mutex<Pmu>,
}

impl Board {
    /// The board of one device; it is never freed, for device code refers to it.
    #[must_use]
    pub fn new(chip: Chip, memory: Memory) -> &'static Self {
        let info = chip.info();
        Box::leak(Box::new(Self {
            chip: info,
            loader: Loader::new(memory, &TABLE),
            map: RegisterMap::new(chip),
            kernel_model: KernelModel::new(chip),
            registers: (0..info.physical_cores)
                .map(|_| CoreRegisters {
                    data_main_base: AtomicU32::new(0),
                    cond: AtomicU32::new(0),
                    fast_path: AtomicU32::new(0),
                    pmu: Mutex::new(Pmu::new(info)),
                })
                .collect(),
            views: (0..info.physical_cores).map(|_| Mutex::default()).collect(),
        }))
    }

    /// The hardware counters of a core; they are no path for anything else, so a lock does no harm.
    pub fn pmu(&self, core: usize) -> MutexGuard<'_, Pmu> {
        let pmu = &self.registers[core].pmu;
        pmu.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a register holds, of those that carry values from one side to the other.
    #[must_use]
    #[inline]
    pub fn read(&self, place: RegisterPlace) -> u32 {
        self.register(place).load(Ordering::Relaxed)
    }

    /// Sets a register.
    #[inline]
    pub fn write(&self, place: RegisterPlace, value: u32) {
        self.register(place).store(value, Ordering::Relaxed);
    }

    /// Whether the AICPU reaches the registers of a core.
    #[must_use]
    #[inline]
    pub fn is_open(&self, core: usize) -> bool {
        let gate = &self.registers[core].fast_path;
        !self.map.has_gate() || gate.load(Ordering::Relaxed) == FAST_PATH_OPEN
    }

    /// Takes what a physical core has cached.
    #[must_use]
    pub fn take_view(&self, core: usize) -> View {
        let mut view = self.views[core]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *view)
    }

    /// Puts it back.
    pub fn put_view(&self, core: usize, view: View) {
        *self.views[core]
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = view;
    }

    #[inline]
    fn register(&self, place: RegisterPlace) -> &AtomicU32 {
        let core = &self.registers[place.core];
        match place.name {
            RegisterName::DataMainBase | RegisterName::Pmu(_) => &core.data_main_base,
            RegisterName::Cond => &core.cond,
            RegisterName::FastPathEnable => &core.fast_path,
        }
    }
}
