//! Which core of the run a name means: in a trace of several devices each has its own core 0.

use super::super::draft::Draft;
use super::event::{Event, Number, hash};
use lanescope_abi::CoreType;
use lanescope_capture::DeviceInfo;
use std::collections::{HashMap, HashSet};

/// In our own export lane *n* of core *c* is thread `10000 n + c`.
const LANE_STEP: u64 = 10_000;

/// What a name says of a core: `AIC_3`, `AIV_40 (2)`, `AIV_40_1`, and `node1/0 AIC_3` of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CoreName {
    /// What tells the device from others, where one is named.
    device: Option<u64>,
    /// Among the cores of the device.
    number: u16,
    pub(super) core_type: CoreType,
}

impl CoreName {
    pub(super) fn of(name: &str) -> Option<Self> {
        let kinds = [("AIC_", CoreType::Aic), ("AIV_", CoreType::Aiv)];
        let found = kinds.map(|(kind, core_type)| Some((name.rfind(kind)?, core_type)));
        let found = found.into_iter().flatten().max_by_key(|&(at, _)| at);
        let (at, core_type) = found?;
        let device = match &name[..at] {
            "" => None,
            before => Some(hash(&before.strip_suffix(' ')?)),
        };
        let digits = name[at + "AIC_".len()..].split(['_', ' ']).next()?;
        Some(Self {
            device,
            number: digits.parse().ok()?,
            core_type,
        })
    }
}

/// The numbers that named cores have in the run.
#[derive(Debug, Default)]
pub(super) struct CoreNumbers {
    /// The devices of a merged run, each with its first core; empty where the trace does not tell them.
    devices: HashMap<u64, (u16, u32)>,
    /// Cores that those devices have.
    told: u32,
    /// The rest, in the order in which they were met.
    met: HashMap<(Option<u64>, u16), u16>,
    taken: HashSet<u16>,
    next: u32,
}

impl CoreNumbers {
    /// Takes the devices that the trace tells, in order of their cores.
    pub(super) fn tell(&mut self, devices: &[DeviceInfo]) {
        self.devices.clear();
        self.told = 0;
        for device in devices {
            if let Ok(first) = u16::try_from(self.told) {
                let key = hash(&device.name.as_str());
                self.devices.insert(key, (first, device.cores));
            }
            self.told += device.cores;
        }
    }

    /// The number of the core that an event is of; `None` when 65 536 others have one.
    pub(super) fn of(&mut self, core: CoreName, event: &Event, draft: &Draft) -> Option<u16> {
        let told = core.device.and_then(|device| self.devices.get(&device));
        if let Some(&(first, cores)) = told
            && u32::from(core.number) < cores
        {
            return Some(first + core.number);
        }
        let key = (core.device, core.number);
        if let Some(&number) = self.met.get(&key) {
            return Some(number);
        }
        let wanted = match (core.device, event.tid) {
            (None, _) => Some(core.number),
            // Only our own export tells its counter.
            (Some(_), Number::Uint(tid)) if self.told == 0 && draft.counter.is_some() => {
                u16::try_from(tid % LANE_STEP).ok()
            }
            _ => None,
        };
        let wanted = wanted.filter(|&number| u32::from(number) >= self.told);
        let number = match wanted.filter(|number| !self.taken.contains(number)) {
            Some(number) => number,
            None => self.free()?,
        };
        self.taken.insert(number);
        self.met.insert(key, number);
        Some(number)
    }

    /// The first number that no core has.
    fn free(&mut self) -> Option<u16> {
        self.next = self.next.max(self.told);
        loop {
            let number = u16::try_from(self.next).ok()?;
            if !self.taken.contains(&number) {
                return Some(number);
            }
            self.next += 1;
        }
    }

    /// How many devices were named that the trace does not tell.
    pub(super) fn untold_devices(&self) -> u64 {
        let named = self.met.keys().filter_map(|&(device, _)| device);
        named.collect::<HashSet<_>>().len() as u64
    }
}
