//! The device in thread mode: takes frames, starts launches, and waits for their ends.
//!
//! # Ordering
//!
//! A launch starts as soon as its stream, and its cores, are free.

use super::board::Board;
use super::clock::SlowClock;
use super::crew::{Crew, NewTask, Outcome};
use crate::agent::Identity;
use crate::device::Ends;
use crate::error::DeviceProcessError;
use crate::inbox::Inbox;
use crate::launch::{Launch, Launches, TaskId};
use crate::watchdog::Report;
use lanescope_abi::chip::CORES_PER_CLUSTER;
use lanescope_sim_wire::{DeviceFrame, DeviceSettings, HostFrame};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the device waits for.
#[derive(Debug)]
pub enum News {
    /// The host has sent a frame.
    Frame(HostFrame),
    /// An agent has ended.
    End {
        /// Its task.
        task: TaskId,
        /// Who it was.
        identity: Identity,
        /// How.
        outcome: Outcome,
    },
}

/// One device whose agents are threads.
pub struct ThreadDevice {
    board: &'static Board,
    launches: Launches,
    inbox: Arc<Inbox<News>>,
    report: Arc<dyn Report>,
    crew: Crew,
    clock: SlowClock,
    /// Launches so far.
    started: u64,
    ends: Ends,
    /// What is to happen to the whole process, and when.
    ending: Vec<(Instant, fn())>,
}

impl std::fmt::Debug for ThreadDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThreadDevice")
            .field("crew", &self.crew)
            .finish_non_exhaustive()
    }
}

impl ThreadDevice {
    /// A device that takes frames from `inbox`.
    #[must_use]
    pub fn new(
        board: &'static Board,
        settings: DeviceSettings,
        inbox: Arc<Inbox<News>>,
        report: Arc<dyn Report>,
        ends: Ends,
    ) -> Self {
        Self {
            board,
            launches: Launches::new(settings),
            crew: Crew::new(board, Arc::clone(&inbox), Arc::clone(&report)),
            inbox,
            report,
            clock: SlowClock::new(board.chip),
            started: 0,
            ends,
            ending: Vec::new(),
        }
    }

    /// Serves the host until the process ends.
    pub fn serve(&mut self) -> ! {
        loop {
            self.step();
        }
    }

    /// Waits for news or for a limit, and does what follows from it.
    fn step(&mut self) {
        let endings = self.ending.iter().map(|(at, _)| *at);
        let limit = endings.chain(self.crew.next_deadline()).min();
        let patience = limit.map(|limit| limit.saturating_duration_since(Instant::now()));
        for news in self.inbox.take_within(patience) {
            match news {
                News::Frame(frame) => {
                    if let Err(error) = self.launches.take_frame(frame) {
                        self.note(&error);
                    }
                }
                News::End {
                    task,
                    identity,
                    outcome,
                } => self.crew.end(task, identity, outcome),
            }
        }
        let now = Instant::now();
        self.ending.retain(|(at, end)| {
            if now >= *at {
                end();
            }
            now < *at
        });
        self.crew.pass_limits();
        while self.start_next() {}
    }

    /// Starts the first launch whose stream, and whose cores, are free. Returns whether there was
    /// one.
    fn start_next(&mut self) -> bool {
        let Some(launch) = self.launches.take_next(&self.crew.running()) else {
            return false;
        };
        let id = launch.id;
        if let Err(error) = self.start(&launch) {
            self.note(&error);
            self.report.report(DeviceFrame::Done {
                stream: id.stream,
                task: id.task,
                code: id.exception(),
            });
        }
        true
    }

    fn start(&mut self, launch: &Launch) -> Result<(), DeviceProcessError> {
        let (chip, loader) = (self.board.chip, &self.board.loader);
        let starts = self.launches.agents(chip, loader, launch)?;
        self.started += 1;
        if self.crew.running().is_empty() {
            let agents = u32::try_from(starts.len()).unwrap_or(u32::MAX);
            // The other program of the run is still to come.
            let others = if launch.id.is_aicpu {
                chip.max_clusters * CORES_PER_CLUSTER
            } else {
                chip.max_threads
            };
            self.clock = self.clock.for_agents(agents + others);
        }
        let settings = &self.launches.settings;
        if !launch.id.is_aicpu {
            let at = |us: Option<u64>| {
                Instant::now().checked_add(self.clock.wall(Duration::from_micros(us?)))
            };
            let kill = at(settings.kill_at_us).map(|at| (at, self.ends.kill));
            let close = at(settings.close_at_us).map(|at| (at, self.ends.close));
            self.ending = kill.into_iter().chain(close).collect();
        }
        let limit = self.launches.task_limit_us.map(Duration::from_micros);
        self.crew.start(NewTask {
            id: launch.id,
            starts,
            limit: limit.map(|limit| self.clock.wall(limit)),
            clock: self.clock,
            labels: (settings.seed, self.started),
        })
    }

    fn note(&self, error: &DeviceProcessError) {
        self.report.report(DeviceFrame::Note {
            text: error.to_string(),
        });
    }
}
