//! The device: streams and launches, and what happens when virtual time has nothing left to do.
//!
//! # Ordering
//!
//! A launch starts only when the machine is quiet: every agent sleeps or has ended, and nothing is
//! on its way. One launch starts at a time, in the order the host sent them but for tasks that wait
//! for their stream, a fixed latency after the latest thing that happened. So when frames arrive,
//! in wall time, does not show in the timeline.
//!
//! A machine that has not been quiet for very long takes launches all the same.
//!
//! When the machine is quiet and a sleeper waits for what the host may still do (a launch, an
//! abort), the device waits for the host in wall time before it lets anybody's patience end. When
//! both an AICPU and an AICore task run, nothing more is to be expected, and it does not wait.

use crate::agent::Identity;
use crate::clock::{grains_of_us, later};
use crate::cost::{Costs, LAUNCH_LATENCY, Random};
use crate::engine::Engine;
use crate::error::{AICORE_EXCEPTION, AICPU_EXCEPTION, DeviceProcessError};
use crate::inbox::Inbox;
use crate::lanes::{HostFaults, pause};
use crate::machine::{Body, Machine, NewAgent, TaskId, task_limit};
use crate::program::{AicpuEntry, DELIVERY_KERNEL, LaunchArgs, Programs, SERVER_KERNEL};
use crate::watchdog::Report;
use lanescope_abi::chip::{AIV_PER_CLUSTER, CORES_PER_CLUSTER};
use lanescope_abi::{Chip, CoreType};
use lanescope_sim_wire::{
    AicpuEntry as FaultyEntry, AicpuError, DeviceFrame, DeviceSettings, HostFrame,
    cluster_cube_core, physical_core,
};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a task may run, in virtual time, unless the host says otherwise.
const DEFAULT_TASK_LIMIT_US: u64 = 45_000_000;

/// How long a sleeper that does not wait for the host keeps the device waiting for a launch.
const LAUNCH_PATIENCE: Duration = Duration::from_secs(1);

/// Virtual time without a quiet moment, after which a launch starts in the middle: some program may
/// spin until another is launched. Only then does the timeline depend on the host.
const LONGEST_UNREST: u64 = grains_of_us(1_000_000);

/// Most AICPU threads of one launch; more would wait for each other on the chip.
const MAX_THREADS: u32 = 16;

/// One simulated device.
#[derive(Debug)]
pub struct Device {
    engine: &'static Engine,
    machine: Machine,
    programs: Programs,
    settings: DeviceSettings,
    ends: Ends,
    inbox: Arc<Inbox>,
    report: ReportHandle,
    /// Launches that wait for their stream.
    pending: VecDeque<Launch>,
    task_limit: Option<u64>,
    launches: u64,
    /// The host has been waited for since the last launch, in vain.
    host_waited_for: bool,
}

/// What the faults `kill-at` and `close-at` do to the process.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Ends it.
    pub kill: fn(),
    /// Closes its socket.
    pub close: fn(),
}

/// Shown as nothing in debug output.
struct ReportHandle(Arc<dyn Report>);

impl std::fmt::Debug for ReportHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Report")
    }
}

#[derive(Debug)]
struct Launch {
    id: TaskId,
    blocks: u32,
    args: Vec<u8>,
    kind: LaunchKind,
}

#[derive(Debug)]
enum LaunchKind {
    Classic { kernel_name: String },
    ByName { file: String, function: String },
    Aicore { handle: u64, tiling_key: u64 },
}

impl Device {
    /// A device that takes frames from `inbox`.
    #[must_use]
    pub fn new(
        engine: &'static Engine,
        settings: DeviceSettings,
        inbox: Arc<Inbox>,
        report: Arc<dyn Report>,
        ends: Ends,
    ) -> Self {
        Self {
            engine,
            machine: Machine::new(engine, Arc::clone(&report)),
            programs: Programs::default(),
            settings,
            ends,
            inbox,
            report: ReportHandle(report),
            pending: VecDeque::new(),
            task_limit: Some(grains_of_us(DEFAULT_TASK_LIMIT_US)),
            launches: 0,
            host_waited_for: false,
        }
    }

    /// The machine, to start tasks without a frame.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Serves the host until the process ends.
    pub fn serve(&mut self) -> ! {
        loop {
            let idle = !self.step();
            self.take_frames(idle);
        }
    }

    /// Runs until no task is left and no frame has arrived.
    pub fn run_until_idle(&mut self) {
        loop {
            self.take_frames(false);
            if !self.step() && self.pending.is_empty() && !self.inbox.has_frame() {
                return;
            }
        }
    }

    /// Runs until the machine is quiet, then does the one thing that is next. Returns whether
    /// there was any.
    fn step(&mut self) -> bool {
        if !self
            .machine
            .run(later(self.engine.now.get(), LONGEST_UNREST))
        {
            self.take_frames(false);
            self.start_next();
            return true;
        }
        let now = self.engine.now.get();
        if self.engine.wake_all_watchers(now) {
            return true;
        }
        self.take_frames(false);
        if self.start_next() {
            self.host_waited_for = false;
            return true;
        }
        if self.machine.tasks().next().is_none() {
            return false;
        }
        if !self.host_waited_for {
            self.host_waited_for = !self.wait_for_host();
            return true;
        }
        if !self.machine.pass_limit() {
            self.machine.fail_deadlock();
        }
        true
    }

    /// Waits until the host sends a frame or changes a word that somebody awaits. Returns whether
    /// it did.
    fn wait_for_host(&self) -> bool {
        let begin = Instant::now();
        let patience = self.patience();
        let mut turns = 0;
        while begin.elapsed() < patience {
            if self.inbox.has_frame() {
                return true;
            }
            if self.engine.wake_all_watchers(self.engine.now.get()) {
                return true;
            }
            pause(turns);
            turns = turns.saturating_add(1);
        }
        false
    }

    /// How long it is worth waiting for the host.
    fn patience(&self) -> Duration {
        // Who hangs may still be missed by a scheduler that is to be launched.
        let sleepers = || {
            let agents = self.engine.agents.iter();
            agents.filter(|agent| agent.wait.asleep.get() || agent.hung.get())
        };
        let signal = sleepers().any(|agent| agent.wait.host_signal.get());
        let has_aicpu = self.machine.tasks().any(|task| task.is_aicpu);
        let has_aicore = self.machine.tasks().any(|task| !task.is_aicpu);
        let someone_gives_up = self.engine.has_limits();
        match (has_aicpu && has_aicore && someone_gives_up, signal) {
            (true, _) => Duration::ZERO,
            (false, true) => HostFaults::new(&self.settings).patience,
            (false, false) if sleepers().next().is_some() => LAUNCH_PATIENCE,
            (false, false) => Duration::ZERO,
        }
    }

    fn take_frames(&mut self, wait: bool) {
        for frame in self.inbox.take(wait) {
            self.take_frame(frame);
        }
    }

    fn take_frame(&mut self, frame: HostFrame) {
        let is_aicpu = true;
        match frame {
            HostFrame::Setting { name, value } => {
                if let Err(error) = self.settings.set(&name, &value) {
                    self.note(&error.into());
                }
            }
            HostFrame::OpLimit { limit_us } => {
                self.task_limit = (limit_us != 0).then(|| grains_of_us(limit_us));
            }
            HostFrame::LoadAicore { handle, image } => self.programs.register(handle, image),
            HostFrame::UnloadAicore { handle } => self.programs.unregister(handle),
            HostFrame::LaunchAicpu {
                stream,
                task,
                kernel_name,
                blocks,
                args,
                ..
            } => self.pending.push_back(Launch {
                id: TaskId {
                    stream,
                    task,
                    is_aicpu,
                },
                blocks,
                args,
                kind: LaunchKind::Classic { kernel_name },
            }),
            HostFrame::LaunchByName {
                stream,
                task,
                file,
                function,
                blocks,
                args,
            } => self.pending.push_back(Launch {
                id: TaskId {
                    stream,
                    task,
                    is_aicpu,
                },
                blocks,
                args,
                kind: LaunchKind::ByName { file, function },
            }),
            HostFrame::LaunchAicore {
                stream,
                task,
                handle,
                tiling_key,
                blocks,
                args,
            } => self.pending.push_back(Launch {
                id: TaskId {
                    stream,
                    task,
                    is_aicpu: false,
                },
                blocks,
                args,
                kind: LaunchKind::Aicore { handle, tiling_key },
            }),
            // A second greeting changes nothing; frames of a later driver are not for this process.
            _ => {}
        }
    }

    /// Starts the first launch whose stream, and whose cores, are free. Returns whether there was
    /// one.
    fn start_next(&mut self) -> bool {
        let free = |index: &usize| {
            let launch = &self.pending[*index];
            let stream = launch.id.stream;
            let mut before = self.pending.iter().take(*index);
            let aicore = !launch.id.is_aicpu;
            !before.any(|earlier| earlier.id.stream == stream)
                && !self
                    .machine
                    .tasks()
                    .any(|task| task.stream == stream || aicore && !task.is_aicpu)
        };
        let Some(index) = (0..self.pending.len()).find(free) else {
            return false;
        };
        let Some(launch) = self.pending.remove(index) else {
            return false;
        };
        let id = launch.id;
        if let Err(error) = self.start(launch) {
            self.note(&error);
            self.report.0.report(DeviceFrame::Done {
                stream: id.stream,
                task: id.task,
                code: if id.is_aicpu {
                    AICPU_EXCEPTION
                } else {
                    AICORE_EXCEPTION
                },
            });
        }
        true
    }

    fn start(&mut self, launch: Launch) -> Result<(), DeviceProcessError> {
        self.launches += 1;
        if self.machine.tasks().next().is_none() {
            let mut random = Random::new(self.settings.seed, &[self.launches]);
            self.engine.rank_agents(&mut random);
        }
        let start = later(self.engine.now.get(), LAUNCH_LATENCY);
        let agents = match launch.kind {
            LaunchKind::Classic { kernel_name } => {
                self.classic(&kernel_name, launch.blocks, &launch.args, start)?
            }
            LaunchKind::ByName { file, function } => {
                let entry = self.programs.named(self.engine, &file, &function)?;
                let args = LaunchArgs::new(&launch.args);
                self.begin_run(args.control_address());
                self.threads(entry, launch.blocks, args, start, false)?
            }
            LaunchKind::Aicore { handle, tiling_key } => {
                self.begin_run(LaunchArgs::new(&launch.args).first_word());
                let at = |us: Option<u64>| us.map(|us| later(start, grains_of_us(us)));
                let (kill, close) = (self.settings.kill_at_us, self.settings.close_at_us);
                let kill = at(kill).map(|at| (at, self.ends.kill));
                let close = at(close).map(|at| (at, self.ends.close));
                self.machine
                    .set_ends(kill.into_iter().chain(close).collect());
                self.cores(handle, tiling_key, launch.blocks, &launch.args, start)?
            }
        };
        if !self.machine.has_room_for(agents.len()) {
            return Err(DeviceProcessError::Launch {
                what: format!("{} agents more than the device has room for", agents.len()),
            });
        }
        let limit = task_limit(start, self.task_limit);
        self.machine.start(launch.id, limit, agents)
    }

    /// Arms the faults of a launch that is part of a run.
    fn begin_run(&self, control_address: u64) {
        let engine = self.engine;
        let faults = &engine.faults;
        faults.begin_launch(&self.settings, &engine.memory, control_address);
    }

    fn classic(
        &mut self,
        kernel_name: &str,
        blocks: u32,
        args: &[u8],
        start: u64,
    ) -> Result<Vec<NewAgent>, DeviceProcessError> {
        let args = LaunchArgs::new(args);
        match kernel_name {
            DELIVERY_KERNEL => {
                let entry = self.programs.deliver(self.engine, &args)?;
                self.threads(entry, 1, args, start, true)
            }
            SERVER_KERNEL => {
                self.begin_run(args.control_address());
                self.threads(self.programs.server()?, blocks, args, start, false)
            }
            other => Err(DeviceProcessError::Launch {
                what: format!(
                    "AICPU kernel {other:?}, expected {DELIVERY_KERNEL:?} or {SERVER_KERNEL:?}"
                ),
            }),
        }
    }

    /// The agents of an AICPU task.
    fn threads(
        &mut self,
        entry: AicpuEntry,
        blocks: u32,
        args: LaunchArgs,
        start: u64,
        is_delivery: bool,
    ) -> Result<Vec<NewAgent>, DeviceProcessError> {
        if blocks == 0 || blocks > MAX_THREADS {
            return Err(DeviceProcessError::Launch {
                what: format!("launch of {blocks} AICPU threads, expected 1 to {MAX_THREADS}"),
            });
        }
        let engine = self.engine;
        let mut lanes = engine.lanes.borrow_mut();
        let faults = HostFaults::new(&self.settings);
        lanes.begin_launch(faults, |address| engine.raw_word(address));
        let args = Rc::new(args);
        let agents = (0..blocks).map(|index| {
            let args = Rc::clone(&args);
            let error = self.aicpu_error(is_delivery, index);
            let body: Body = Box::new(move || {
                if let Some((FaultyEntry::Init | FaultyEntry::Main, code)) = error {
                    return code;
                }
                // SAFETY:
                // - The entry has this signature; its program stays loaded.
                // - The arguments are as long as `AicpuArgs`, and live until the closure ends.
                let returned = unsafe { entry(args.as_aicpu_args()) };
                error.map_or(returned, |(_, code)| code)
            });
            self.new_agent(Identity::Thread { index }, start, Some(body))
        });
        Ok(agents.collect())
    }

    /// The error that the fault `aicpu-error` makes a thread return, and when.
    fn aicpu_error(&self, is_delivery: bool, index: u32) -> Option<(FaultyEntry, i32)> {
        let AicpuError { when, code, thread } = self.settings.aicpu_error?;
        let is_this = thread.is_none_or(|thread| thread == index);
        (is_this && is_delivery == (when == FaultyEntry::Init)).then_some((when, code))
    }

    /// The agents of an AICore task: the cube cores of all clusters, then their vector cores.
    fn cores(
        &mut self,
        handle: u64,
        tiling_key: u64,
        clusters: u32,
        args: &[u8],
        start: u64,
    ) -> Result<Vec<NewAgent>, DeviceProcessError> {
        let chip = self.engine.chip.chip;
        let most = self.engine.chip.max_clusters;
        if clusters == 0 || clusters > most {
            return Err(DeviceProcessError::Launch {
                what: format!("launch of {clusters} clusters, expected 1 to {most}"),
            });
        }
        let entries = self.programs.aicore(self.engine, handle, tiling_key)?;
        self.engine.kernels.borrow_mut().begin_launch();
        let control_address = LaunchArgs::new(args).first_word();
        let cores = core_places(chip, clusters).map(|identity| {
            let Identity::Core {
                index, core_type, ..
            } = identity
            else {
                unreachable!("core places are cores");
            };
            let entry = entries[core_type as usize];
            let body: Body = Box::new(move || {
                // SAFETY: the entry has this signature; its program stays loaded.
                unsafe { entry(control_address) };
                0
            });
            let is_dead = self.settings.dead_core == Some(index);
            let mut agent = self.new_agent(identity, start, (!is_dead).then_some(body));
            agent.hangs = self.settings.hung_kernel == Some(index);
            agent
        });
        Ok(cores.collect())
    }

    /// An agent with the costs that the seed gives it in this launch.
    fn new_agent(&self, identity: Identity, start: u64, body: Option<Body>) -> NewAgent {
        let (kind, index) = match identity {
            Identity::Thread { index } => (0, index),
            Identity::Core { index, .. } => (1, index),
        };
        let labels = [self.launches, kind, u64::from(index)];
        let mut random = Random::new(self.settings.seed, &labels);
        NewAgent {
            identity,
            costs: match identity {
                Identity::Thread { .. } => Costs::of_thread(&mut random),
                Identity::Core { .. } => Costs::of_core(&mut random),
            },
            start: later(start, random.start_skew()),
            random,
            hangs: false,
            body,
        }
    }

    fn note(&self, error: &DeviceProcessError) {
        self.report.0.report(DeviceFrame::Note {
            text: error.to_string(),
        });
    }
}

/// Who the cores of a launch are, in the order of their index.
pub fn core_places(chip: Chip, clusters: u32) -> impl Iterator<Item = Identity> {
    (0..clusters * CORES_PER_CLUSTER).filter_map(move |index| {
        let (cluster, core_type, sub) = if index < clusters {
            (index, CoreType::Aic, 0)
        } else {
            let vector = index - clusters;
            (
                vector / AIV_PER_CLUSTER,
                CoreType::Aiv,
                vector % AIV_PER_CLUSTER,
            )
        };
        let cube = cluster_cube_core(chip, cluster)?;
        Some(Identity::Core {
            index,
            core_type,
            physical: physical_core(chip, cube, core_type, sub),
        })
    })
}
