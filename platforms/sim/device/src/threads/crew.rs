//! The crew: the threads of all running tasks, and how each task ends.

use super::agent::{Beginning, ThreadAgent};
use super::board::Board;
use super::clock::SlowClock;
use super::device::News;
use super::disturbance::Disturbance;
use crate::agent::Identity;
use crate::error::{AICORE_TIMEOUT, AICPU_TIMEOUT, DeviceProcessError};
use crate::inbox::Inbox;
use crate::launch::{Start, TaskId};
use crate::watchdog::Report;
use lanescope_sim_wire::{DONE_OK, DeviceFrame};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of an agent's stack; pages are taken as they are touched.
const STACK_BYTES: usize = 1 << 20;

/// How an agent ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its entry returned.
    Returned(i32),
    /// It did what cannot be done.
    Failed(String),
}

/// An agent as the crew knows it.
#[derive(Debug)]
pub struct Member {
    task: TaskId,
    identity: Identity,
    /// Its task has failed: it stops at its next call.
    is_abandoned: Arc<AtomicBool>,
    inbox: Arc<Inbox<News>>,
    wait: Mutex<Wait>,
}

#[derive(Debug)]
struct Wait {
    name: &'static str,
    /// It does not answer any more: dead, or in a kernel that never ends.
    is_hung: bool,
}

impl Member {
    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// For a core, its place in the register table.
    #[must_use]
    #[inline]
    pub fn physical(&self) -> Option<usize> {
        match self.identity {
            Identity::Thread { .. } => None,
            Identity::Core { physical, .. } => Some(physical as usize),
        }
    }

    /// Whether it is to stop.
    #[inline]
    pub fn is_abandoned(&self) -> bool {
        self.is_abandoned.load(Ordering::Relaxed)
    }

    /// Notes what it waits for.
    pub fn waits_for(&self, name: &'static str) {
        self.wait().name = name;
    }

    /// It never answers any more.
    pub fn hang(&self, name: &'static str) {
        *self.wait() = Wait {
            name,
            is_hung: true,
        };
    }

    /// It has ended.
    pub fn end(&self, outcome: Outcome) {
        self.inbox.push(News::End {
            task: self.task,
            identity: self.identity,
            outcome,
        });
    }

    fn wait(&self) -> MutexGuard<'_, Wait> {
        self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Task {
    id: TaskId,
    /// Those that have not ended.
    members: Vec<Arc<Member>>,
    is_abandoned: Arc<AtomicBool>,
    deadline: Option<Instant>,
    code: i32,
    note: Option<String>,
}

/// A task to start.
#[derive(Debug)]
pub struct NewTask {
    /// Which.
    pub id: TaskId,
    /// Its agents.
    pub starts: Vec<Start>,
    /// How long it may run, in wall time; `None` is for ever.
    pub limit: Option<Duration>,
    /// The counter it sees.
    pub clock: SlowClock,
    /// The seed, and the number of the launch.
    pub labels: (u64, u64),
}

/// All running tasks.
pub struct Crew {
    board: &'static Board,
    inbox: Arc<Inbox<News>>,
    report: Arc<dyn Report>,
    tasks: Vec<Task>,
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew")
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}

impl Crew {
    /// No tasks. Those that end say so in `inbox`.
    #[must_use]
    pub fn new(board: &'static Board, inbox: Arc<Inbox<News>>, report: Arc<dyn Report>) -> Self {
        Self {
            board,
            inbox,
            report,
            tasks: Vec::new(),
        }
    }

    /// Tasks that have not ended.
    #[must_use]
    pub fn running(&self) -> Vec<TaskId> {
        self.tasks.iter().map(|task| task.id).collect()
    }

    /// When the first task will have run too long.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.tasks.iter().filter_map(|task| task.deadline).min()
    }

    /// Starts a task.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError::Thread`] when there is no thread for an agent; those that have started
    /// are abandoned.
    pub fn start(&mut self, new: NewTask) -> Result<(), DeviceProcessError> {
        let is_abandoned = Arc::new(AtomicBool::new(false));
        let mut members = Vec::with_capacity(new.starts.len());
        for start in new.starts {
            let member = Arc::new(Member {
                task: new.id,
                identity: start.identity,
                is_abandoned: Arc::clone(&is_abandoned),
                inbox: Arc::clone(&self.inbox),
                wait: Mutex::new(Wait {
                    name: "nothing yet",
                    is_hung: false,
                }),
            });
            members.push(Arc::clone(&member));
            let Some(entry) = start.entry else {
                member.hang("nothing any more");
                continue;
            };
            let (kind, index) = match start.identity {
                Identity::Thread { index } => (0, index),
                Identity::Core { index, .. } => (1, index),
            };
            let (seed, launch) = new.labels;
            let beginning = Beginning {
                board: self.board,
                clock: new.clock,
                member: Arc::clone(&member),
                hangs: start.hangs,
                disturbance: Disturbance::new(seed, &[launch, kind, u64::from(index)]),
            };
            let body = move || {
                let value = ThreadAgent::live(beginning, || entry.run());
                member.end(Outcome::Returned(value));
            };
            let spawned = std::thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn(body);
            if let Err(source) = spawned {
                is_abandoned.store(true, Ordering::Relaxed);
                return Err(DeviceProcessError::Thread {
                    agent: start.identity.to_string(),
                    source,
                });
            }
        }
        self.tasks.push(Task {
            id: new.id,
            members,
            is_abandoned,
            deadline: new
                .limit
                .and_then(|limit| Instant::now().checked_add(limit)),
            code: DONE_OK,
            note: None,
        });
        Ok(())
    }

    /// An agent has ended.
    pub fn end(&mut self, id: TaskId, identity: Identity, outcome: Outcome) {
        // One that was abandoned may still come to its end.
        let Some(index) = self.tasks.iter().position(|task| task.id == id) else {
            return;
        };
        let task = &mut self.tasks[index];
        match outcome {
            Outcome::Failed(text) => {
                return self.fail(index, id.exception(), format!("{identity} {text}"));
            }
            Outcome::Returned(value) if value != 0 && task.code == DONE_OK => {
                task.code = id.exception();
                task.note = Some(format!("{identity} returned {value}"));
            }
            Outcome::Returned(_) => {}
        }
        task.members.retain(|member| member.identity != identity);
        if task.members.is_empty() {
            let task = self.tasks.remove(index);
            self.report_end(task.id, task.code, task.note);
        }
    }

    /// Ends the tasks that have run too long.
    pub fn pass_limits(&mut self) {
        let now = Instant::now();
        let is_late = |task: &Task| task.deadline.is_some_and(|deadline| deadline <= now);
        while let Some(index) = self.tasks.iter().position(is_late) {
            let task = &self.tasks[index];
            let hung = task.members.iter().find(|member| member.wait().is_hung);
            let text = match hung.or(task.members.first()) {
                Some(member) => format!(
                    "{} waits for {}; the task has run longer than its limit",
                    member.identity,
                    member.wait().name
                ),
                None => "the task has run longer than its limit".to_owned(),
            };
            let code = if task.id.is_aicpu {
                AICPU_TIMEOUT
            } else {
                AICORE_TIMEOUT
            };
            self.fail(index, code, text);
        }
    }

    /// Ends a task whatever its agents do.
    fn fail(&mut self, index: usize, code: i32, text: String) {
        let task = self.tasks.remove(index);
        task.is_abandoned.store(true, Ordering::Relaxed);
        self.report_end(task.id, code, Some(text));
    }

    fn report_end(&self, id: TaskId, code: i32, note: Option<String>) {
        if let Some(text) = note {
            self.report.report(DeviceFrame::Note { text });
        }
        self.report.report(DeviceFrame::Done {
            stream: id.stream,
            task: id.task,
            code,
        });
    }
}
