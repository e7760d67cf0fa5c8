//! The facts of the session a trace was taken in.

use crate::Task;
use lanescope_abi::{Chip, CoreType};
use lanescope_capture::DeviceInfo;

/// The facts of the session a trace was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Platform name (`a2a3sim`), or what the source calls itself.
    pub platform: String,
    /// The chip, when it is known.
    pub chip: Option<Chip>,
    /// Rate of the counter all times are in.
    pub ticks_per_second: u64,
    /// The tick that the source calls time 0; 0 when its ticks are raw.
    pub origin_ticks: u64,
    /// The cores of the launch; a task's core is an index into it.
    pub cores: Vec<Core>,
    /// AICPU threads that scheduled; 0 when it is not known.
    pub threads: u32,
    /// Swimlane level, 0..=4, when it is known.
    pub level: Option<u32>,
    /// Event type of the hardware counters, when they were collected.
    pub pmu_event: Option<u32>,
    /// Slots of each staging ring, when it is known.
    pub ring_size: Option<u32>,
    /// Most tokens in flight on a core, when it is known.
    pub issue_depth: Option<u32>,
    /// The workload's name and settings, empty when they are not known.
    pub workload: String,
    /// The seed of the simulated driver, when there was one.
    pub seed: Option<u64>,
    /// Name of the host; empty when it is not known.
    pub host: String,
    /// The boot of the host that its clock readings count from; empty when it is not known.
    pub boot: String,
    /// Logical device id, when it is known.
    pub device: Option<u32>,
    /// The devices of a merged trace, in order of their cores; empty for a run of one device.
    pub devices: Vec<DeviceInfo>,
}

/// One core of the launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Core {
    /// The kind of the core.
    pub core_type: CoreType,
    /// The AICPU thread that owned it, when it is known.
    pub thread: Option<u32>,
    /// The first token the core could get in this run, when it is known.
    pub first_token: Option<u32>,
}

impl Session {
    /// A session of which only the name and the counter's rate are known.
    #[must_use]
    pub fn named(platform: &str, ticks_per_second: u64) -> Self {
        Self {
            platform: platform.to_owned(),
            ticks_per_second,
            ..Self::default()
        }
    }

    /// The name of a core in every output: `AIC_3`, `AIV_40`; in a merged trace behind the name of its
    /// device, `node1/0 AIC_3`, the number being the device's own.
    #[must_use]
    pub fn core_name(&self, core: usize) -> String {
        match self.device_of_core(core) {
            Some((device, own)) => {
                let name = &self.devices[device].name;
                format!("{name} {}", self.core_label(core, own))
            }
            None => self.core_label(core, core),
        }
    }

    /// The same without the device, for an output that groups cores by device.
    #[must_use]
    pub fn core_name_in_device(&self, core: usize) -> String {
        let own = self.device_of_core(core).map_or(core, |(_, own)| own);
        self.core_label(core, own)
    }

    fn core_label(&self, core: usize, number: usize) -> String {
        match self.cores.get(core).map(|core| core.core_type) {
            Some(CoreType::Aic) => format!("AIC_{number}"),
            Some(CoreType::Aiv) => format!("AIV_{number}"),
            None => format!("core_{number}"),
        }
    }

    /// Of a merged trace: the place in [`Session::devices`] of a core's device, and the core's number
    /// there.
    #[must_use]
    pub fn device_of_core(&self, core: usize) -> Option<(usize, usize)> {
        part_of(self.devices.iter().map(|device| device.cores), core)
    }

    /// The same for an AICPU thread.
    #[must_use]
    pub fn device_of_thread(&self, thread: usize) -> Option<(usize, usize)> {
        part_of(self.devices.iter().map(|device| device.threads), thread)
    }

    /// The name of an AICPU thread: `2`, in a merged trace `node1/0 2`.
    #[must_use]
    pub fn thread_name(&self, thread: usize) -> String {
        match self.device_of_thread(thread) {
            Some((device, own)) => format!("{} {own}", self.devices[device].name),
            None => thread.to_string(),
        }
    }

    /// Adds the cores that only tasks name, with the types the tasks say.
    pub(crate) fn admit(&mut self, tasks: &[Task]) {
        let given = self.cores.len();
        let named = tasks.iter().map(|task| usize::from(task.core) + 1).max();
        let unnamed = Core {
            core_type: CoreType::Aiv,
            thread: None,
            first_token: None,
        };
        self.cores.resize(given.max(named.unwrap_or(0)), unnamed);
        for task in tasks {
            let core = usize::from(task.core);
            if core >= given {
                self.cores[core].core_type = task.core_type;
            }
        }
    }

    /// Ticks as microseconds, for display.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "display only; exact below 2^53 ticks"
    )]
    pub fn microseconds(&self, ticks: u64) -> f64 {
        ticks as f64 * 1e6 / self.ticks_per_second.max(1) as f64
    }
}

/// The part that holds an index, when parts of these lengths follow each other, and the place in it.
fn part_of(lengths: impl Iterator<Item = u32>, index: usize) -> Option<(usize, usize)> {
    let mut first = 0;
    for (part, length) in lengths.enumerate() {
        let length = length as usize;
        if index < first + length {
            return Some((part, index - first));
        }
        first += length;
    }
    None
}
