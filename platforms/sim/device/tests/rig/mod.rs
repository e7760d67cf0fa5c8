//! A device without a host: agents are closures.
#![allow(dead_code, reason = "each test uses its own part of the rig")]
#![allow(
    clippy::unwrap_used,
    reason = "a rig that cannot be set up is a failed test"
)]

use lanescope_abi::{Awaited, AwaitedWord, Checksum, Chip};
use lanescope_sim_device::agent::Identity;
use lanescope_sim_device::clock::GRAINS_PER_NS;
use lanescope_sim_device::cost::{Costs, Random};
use lanescope_sim_device::device::{Device, Ends};
use lanescope_sim_device::engine::{Current, Engine};
use lanescope_sim_device::inbox::Inbox;
use lanescope_sim_device::launch::{TaskId, core_places};
use lanescope_sim_device::machine::{Body, NewAgent, task_limit};
use lanescope_sim_device::memory::Memory;
use lanescope_sim_device::watchdog::{Progress, Report};
use lanescope_sim_wire::{DeviceFrame, DeviceSettings, counter_page, register_window};
use std::sync::{Arc, Mutex};

/// Frames that the device has sent.
#[derive(Default)]
pub struct Frames(pub Mutex<Vec<DeviceFrame>>);

impl Report for Frames {
    fn report(&self, frame: DeviceFrame) {
        self.0.lock().unwrap().push(frame);
    }
}

pub struct Rig {
    pub chip: Chip,
    pub engine: &'static Engine,
    pub device: Device,
    pub inbox: Arc<Inbox>,
    pub frames: Arc<Frames>,
    seed: u64,
    tasks: u32,
}

pub const CLUSTERS: u32 = 2;

impl Rig {
    pub fn new(chip: Chip) -> Self {
        Self::with_seed(chip, 0)
    }

    pub fn with_seed(chip: Chip, seed: u64) -> Self {
        let memory = Memory::anonymous(64 << 20).unwrap();
        let engine = Engine::new(chip, memory, Progress::leaked());
        let frames = Arc::new(Frames::default());
        let inbox = Arc::new(Inbox::default());
        let mut settings = DeviceSettings::default();
        settings.set("seed", &seed.to_string()).unwrap();
        engine.rank_agents(&mut Random::new(seed, &[1]));
        let ends = Ends {
            kill: || std::process::abort(),
            close: || std::process::abort(),
        };
        let device = Device::new(engine, settings, Arc::clone(&inbox), frames.clone(), ends);
        Self {
            chip,
            engine,
            device,
            inbox,
            frames,
            seed,
            tasks: 0,
        }
    }

    /// Device address of a line.
    pub fn line(&self, index: u64) -> u64 {
        self.engine.memory.base() + 64 * index
    }

    /// Starts an AICPU task, one closure a thread.
    pub fn threads(&mut self, bodies: Vec<Body>) {
        let identities = (0..).map(|index| Identity::Thread { index });
        self.start(true, identities.zip(bodies).collect(), None);
    }

    /// Starts an AICore task on the first cores of a launch of two clusters.
    pub fn cores(&mut self, bodies: Vec<Body>) {
        self.cores_of(CLUSTERS, bodies);
    }

    pub fn cores_of(&mut self, clusters: u32, bodies: Vec<Body>) {
        let places = core_places(self.chip, clusters);
        self.start(false, places.zip(bodies).collect(), None);
    }

    pub fn start(&mut self, is_aicpu: bool, agents: Vec<(Identity, Body)>, span: Option<u64>) {
        self.tasks += 1;
        let start = self.engine.now.get();
        let agents = (0..).zip(agents).map(|(index, (identity, body))| {
            let labels = [u64::from(self.tasks), index];
            let mut random = Random::new(self.seed, &labels);
            NewAgent {
                identity,
                costs: match identity {
                    Identity::Thread { .. } => Costs::of_thread(&mut random),
                    Identity::Core { .. } => Costs::of_core(&mut random),
                },
                start: start + random.start_skew(),
                random,
                hangs: false,
                body: Some(body),
            }
        });
        let id = TaskId {
            stream: self.tasks,
            task: 1,
            is_aicpu,
        };
        let limit = task_limit(start, span);
        self.device
            .machine()
            .start(id, limit, agents.collect())
            .unwrap();
    }

    pub fn run(&mut self) {
        self.device.run_until_idle();
    }

    /// Code of each task, by stream, and all notes.
    pub fn outcome(&self) -> (Vec<(u32, i32)>, Vec<String>) {
        let mut codes = Vec::new();
        let mut notes = Vec::new();
        for frame in self.frames.0.lock().unwrap().iter() {
            match frame {
                DeviceFrame::Done { stream, code, .. } => codes.push((*stream, *code)),
                DeviceFrame::Note { text } => notes.push(text.clone()),
                _ => {}
            }
        }
        codes.sort_unstable();
        (codes, notes)
    }

    pub fn assert_good(&self) {
        let (codes, notes) = self.outcome();
        assert!(!codes.is_empty());
        assert!(
            codes.iter().all(|(_, code)| *code == 0),
            "{codes:?} {notes:?}"
        );
    }

    /// Register window of core `index` of a launch of `clusters`.
    pub fn window(&self, clusters: u32, index: u32) -> u64 {
        window(self.chip, clusters, index)
    }
}

pub fn window(chip: Chip, clusters: u32, index: u32) -> u64 {
    let (cube, core_type, sub) = place(chip, clusters, index);
    register_window(chip, cube, core_type, sub).unwrap()
}

/// Where the AICPU finds a core's hardware counters.
pub fn counters(chip: Chip, clusters: u32, index: u32) -> u64 {
    let (cube, core_type, sub) = place(chip, clusters, index);
    counter_page(chip, cube, core_type, sub).unwrap_or_else(|| window(chip, clusters, index))
}

fn place(chip: Chip, clusters: u32, index: u32) -> (u32, lanescope_abi::CoreType, u32) {
    let (cluster, core_type, sub) = if index < clusters {
        (index, lanescope_abi::CoreType::Aic, 0)
    } else {
        let vector = index - clusters;
        (vector / 2, lanescope_abi::CoreType::Aiv, vector % 2)
    };
    let cube = lanescope_sim_wire::cluster_cube_core(chip, cluster).unwrap();
    (cube, core_type, sub)
}

/// A closure as an agent's body.
pub fn body(act: impl FnOnce() + 'static) -> Body {
    Box::new(move || {
        act();
        0
    })
}

fn current() -> Current {
    Current::get().unwrap()
}

pub fn load(address: u64) -> u32 {
    let Current { engine, agent } = current();
    engine.load32(agent, address)
}

pub fn store(address: u64, value: u32) {
    let Current { engine, agent } = current();
    engine.store32(agent, address, value);
}

pub fn clean(address: u64) {
    let Current { engine, agent } = current();
    engine.clean(agent, address);
}

pub fn invalidate(address: u64) {
    let Current { engine, agent } = current();
    engine.invalidate(agent, address);
}

pub fn read_reg(address: u64) -> u32 {
    let Current { engine, agent } = current();
    engine.read_register(agent, address)
}

pub fn write_reg(address: u64, value: u32) {
    let Current { engine, agent } = current();
    engine.write_register(agent, address, value);
}

pub fn ticks() -> u64 {
    let Current { engine, agent } = current();
    engine.ticks(agent)
}

/// The agent's own clock, in nanoseconds, at no cost.
pub fn now_ns() -> u64 {
    current().agent.clock.get() / GRAINS_PER_NS
}

/// Lets virtual time pass.
pub fn work_ns(ns: u64) {
    let Current { engine, agent } = current();
    engine.advance(agent, ns * GRAINS_PER_NS);
}

pub fn relax(name: &'static str, registers: &[u64], words: &[AwaitedWord], deadline: u64) {
    let Current { engine, agent } = current();
    engine.relax(agent, &Awaited::new(name, registers, words, deadline));
}

pub fn word(address: u64, seen: u32, by: lanescope_abi::device::AwaitedBy) -> AwaitedWord {
    AwaitedWord {
        address,
        seen,
        by: by as u32,
        pair_address: 0,
    }
}

pub fn copy(to: u64, from: u64, bytes: u64) {
    let Current { engine, agent } = current();
    engine.copy(agent, to, from, bytes);
}

pub fn copy_summed(to: u64, from: u64, bytes: u64, checksum: &mut Checksum) {
    let Current { engine, agent } = current();
    engine.copy_summed(agent, to, from, bytes, checksum);
}
