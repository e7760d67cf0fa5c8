//! The device in virtual time: when launches start, and what happens when virtual time has nothing left to do.
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
use crate::error::DeviceProcessError;
use crate::inbox::Inbox;
use crate::lanes::{HostFaults, pause};
use crate::launch::{Launch, Launches, Start, TaskId};
use crate::machine::{Body, Machine, NewAgent, task_limit};
use crate::watchdog::Report;
use lanescope_sim_wire::{DeviceFrame, DeviceSettings, HostFrame};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a sleeper that does not wait for the host keeps the device waiting for a launch.
const LAUNCH_PATIENCE: Duration = Duration::from_secs(1);

/// Virtual time without a quiet moment, after which a launch starts in the middle: some program may
/// spin until another is launched. Only then does the timeline depend on the host.
const LONGEST_UNREST: u64 = grains_of_us(1_000_000);

/// One simulated device.
#[derive(Debug)]
pub struct Device {
    engine: &'static Engine,
    machine: Machine,
    launches: Launches,
    ends: Ends,
    inbox: Arc<Inbox>,
    report: ReportHandle,
    /// Launches so far.
    started: u64,
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
            launches: Launches::new(settings),
            ends,
            inbox,
            report: ReportHandle(report),
            started: 0,
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
            if !self.step() && self.launches.is_empty() && !self.inbox.has_frame() {
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
            (false, true) => HostFaults::new(&self.launches.settings).patience,
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
        if let Err(error) = self.launches.take_frame(frame) {
            self.note(&error);
        }
    }

    /// Starts the first launch whose stream, and whose cores, are free. Returns whether there was
    /// one.
    fn start_next(&mut self) -> bool {
        let running: Vec<TaskId> = self.machine.tasks().collect();
        let Some(launch) = self.launches.take_next(&running) else {
            return false;
        };
        let id = launch.id;
        if let Err(error) = self.start(&launch) {
            self.note(&error);
            self.report.0.report(DeviceFrame::Done {
                stream: id.stream,
                task: id.task,
                code: id.exception(),
            });
        }
        true
    }

    fn start(&mut self, launch: &Launch) -> Result<(), DeviceProcessError> {
        let engine = self.engine;
        self.started += 1;
        if self.machine.tasks().next().is_none() {
            let mut random = Random::new(self.launches.settings.seed, &[self.started]);
            engine.rank_agents(&mut random);
        }
        let start = later(engine.now.get(), LAUNCH_LATENCY);
        let starts = self.launches.agents(engine.chip, &engine.loader, launch)?;
        let settings = &self.launches.settings;
        engine.registers.borrow_mut().map.has_pmu = !settings.no_pmu;
        if let Some(control_address) = launch.control_address() {
            engine
                .faults
                .begin_launch(settings, &engine.memory, control_address);
        }
        if launch.id.is_aicpu {
            let mut lanes = engine.lanes.borrow_mut();
            lanes.begin_launch(HostFaults::new(settings), |address| {
                engine.raw_word(address)
            });
        } else {
            let at = |us: Option<u64>| us.map(|us| later(start, grains_of_us(us)));
            let kill = at(settings.kill_at_us).map(|at| (at, self.ends.kill));
            let close = at(settings.close_at_us).map(|at| (at, self.ends.close));
            self.machine
                .set_ends(kill.into_iter().chain(close).collect());
        }
        let agents: Vec<_> = starts
            .into_iter()
            .map(|agent| self.new_agent(agent, start))
            .collect();
        if !self.machine.has_room_for(agents.len()) {
            return Err(DeviceProcessError::Launch {
                what: format!("{} agents more than the device has room for", agents.len()),
            });
        }
        let limit = task_limit(start, self.launches.task_limit_us.map(grains_of_us));
        self.machine.start(launch.id, limit, agents)
    }

    /// An agent with the costs that the seed gives it in this launch.
    fn new_agent(&self, agent: Start, start: u64) -> NewAgent {
        let (kind, index) = match agent.identity {
            Identity::Thread { index } => (0, index),
            Identity::Core { index, .. } => (1, index),
        };
        let labels = [self.started, kind, u64::from(index)];
        let mut random = Random::new(self.launches.settings.seed, &labels);
        NewAgent {
            identity: agent.identity,
            costs: match agent.identity {
                Identity::Thread { .. } => Costs::of_thread(&mut random),
                Identity::Core { .. } => Costs::of_core(&mut random),
            },
            start: later(start, random.start_skew()),
            random,
            hangs: agent.hangs,
            body: agent
                .entry
                .map(|entry| -> Body { Box::new(|| entry.run()) }),
        }
    }

    fn note(&self, error: &DeviceProcessError) {
        self.report.0.report(DeviceFrame::Note {
            text: error.to_string(),
        });
    }
}
