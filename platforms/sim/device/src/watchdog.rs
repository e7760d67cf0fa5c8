//! The watchdog: the last resort against device code that never calls the device interface.
//!
//! The engine counts steps; a thread looks whether the count moves while an agent runs. Device code
//! that has not come back for [`PATIENCE`] cannot be stopped from within, so its task is reported
//! as failed and the process ends.

use crate::error::{AICORE_EXCEPTION, AICPU_EXCEPTION};
use lanescope_sim_wire::DeviceFrame;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest wall time without any call of the device interface.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Where frames for the host go.
pub trait Report: Send + Sync {
    /// Sends a frame; a host that is gone does not matter any more.
    fn report(&self, frame: DeviceFrame);
}

/// Who runs, for the message.
#[derive(Clone, Debug)]
pub struct Running {
    /// Slot of the agent.
    pub slot: usize,
    /// Its name.
    pub name: String,
    /// Whether it is an AICPU thread.
    pub is_thread: bool,
    /// Stream of its task.
    pub stream: u32,
    /// Number of its task.
    pub task: u64,
}

/// How far the engine has come. Writer: the engine's thread; reader: the watchdog.
#[derive(Debug, Default)]
pub struct Progress {
    steps: AtomicU64,
    /// Slot of the agent that runs.
    agent: AtomicUsize,
    /// The engine is in device code.
    inside: AtomicBool,
    /// Agents of all running tasks.
    running: Mutex<Vec<Running>>,
}

impl Progress {
    /// One for the life of the process.
    #[must_use]
    pub fn leaked() -> &'static Self {
        Box::leak(Box::default())
    }

    /// The engine has come further.
    #[inline]
    pub fn step(&self) {
        let steps = self.steps.load(Ordering::Relaxed);
        self.steps.store(steps.wrapping_add(1), Ordering::Relaxed);
    }

    /// An agent is about to run.
    #[inline]
    pub fn enter(&self, slot: usize) {
        self.agent.store(slot, Ordering::Relaxed);
        self.step();
    }

    /// Device code runs, or not, from now on.
    pub fn set_inside(&self, inside: bool) {
        self.inside.store(inside, Ordering::Relaxed);
        self.step();
    }

    /// While the result lives, nobody expects the engine to come further.
    #[must_use]
    pub fn wait_for_host(&self) -> HostWait<'_> {
        let was_inside = self.inside.swap(false, Ordering::Relaxed);
        HostWait {
            progress: self,
            was_inside,
        }
    }

    /// Says which agents there are.
    pub fn set_running(&self, running: Vec<Running>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    fn culprit(&self) -> Option<Running> {
        let slot = self.agent.load(Ordering::Relaxed);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().find(|agent| agent.slot == slot).cloned()
    }
}

/// The engine waits for the host. See [`Progress::wait_for_host`].
#[derive(Debug)]
pub struct HostWait<'a> {
    progress: &'a Progress,
    was_inside: bool,
}

impl Drop for HostWait<'_> {
    fn drop(&mut self) {
        self.progress.set_inside(self.was_inside);
    }
}

/// Watches until the process ends; `end` ends it.
pub fn start(progress: &'static Progress, report: Arc<dyn Report>, patience: Duration, end: fn()) {
    // Without the thread there is no last resort, which is no reason not to run.
    let _ = std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || watch(progress, &*report, patience, end));
}

fn watch(progress: &Progress, report: &dyn Report, patience: Duration, end: fn()) {
    let mut steps = progress.steps.load(Ordering::Relaxed);
    let mut since = Instant::now();
    loop {
        std::thread::sleep(patience / 20);
        let now = progress.steps.load(Ordering::Relaxed);
        if now != steps || !progress.inside.load(Ordering::Relaxed) {
            steps = now;
            since = Instant::now();
        } else if since.elapsed() >= patience {
            if let Some(culprit) = progress.culprit() {
                report_stuck(report, &culprit, patience);
            }
            return end();
        }
    }
}

fn report_stuck(report: &dyn Report, culprit: &Running, patience: Duration) {
    let Running {
        name, stream, task, ..
    } = culprit;
    report.report(DeviceFrame::Note {
        text: format!("{name} made no call of the device interface for {patience:?} of wall time"),
    });
    report.report(DeviceFrame::Done {
        stream: *stream,
        task: *task,
        code: if culprit.is_thread {
            AICPU_EXCEPTION
        } else {
            AICORE_EXCEPTION
        },
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Frames(Mutex<Vec<DeviceFrame>>);

    impl Report for Frames {
        fn report(&self, frame: DeviceFrame) {
            self.0.lock().unwrap().push(frame);
        }
    }

    fn running() -> Vec<Running> {
        vec![Running {
            slot: 3,
            name: "AICPU thread 1".to_owned(),
            is_thread: true,
            stream: 5,
            task: 9,
        }]
    }

    #[test]
    fn an_agent_that_never_comes_back_is_named() {
        let progress = Progress::default();
        progress.set_running(running());
        progress.enter(3);
        progress.set_inside(true);
        let frames = Frames::default();
        watch(&progress, &frames, Duration::from_millis(50), || ());
        let frames = frames.0.into_inner().unwrap();
        assert!(
            matches!(&frames[0], DeviceFrame::Note { text } if text.starts_with("AICPU thread 1 "))
        );
        assert!(matches!(
            frames[1],
            DeviceFrame::Done {
                stream: 5,
                task: 9,
                code: AICPU_EXCEPTION
            }
        ));
    }
}
