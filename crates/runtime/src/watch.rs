//! Watches the status lines of a run while the host waits for its streams.

use crate::control::ControlRegion;
use lanescope_abi::ThreadStatus;
use lanescope_platform::Device;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(50);

/// How far a run has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Tasks seen finished, as the AICPU threads last said.
    pub completed: u64,
    /// Tasks in the graph.
    pub total: u64,
}

/// Called with the progress of a run, some times a second, from a thread of the session.
#[derive(Clone)]
pub(crate) struct ProgressCallback(pub(crate) Arc<dyn Fn(Progress) + Send + Sync>);

impl fmt::Debug for ProgressCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgressCallback")
    }
}

/// What the watching thread and the waiting thread share.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    completed: AtomicU64,
}

impl Watch {
    /// Tasks seen finished so far.
    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    /// Looks until `stop` is closed; returns the last lines it could read, which outlive the device.
    pub(crate) fn look(
        &self,
        device: &dyn Device,
        control: &ControlRegion,
        run: (u32, u32),
        total: u64,
        callback: Option<&ProgressCallback>,
        stop: &Receiver<()>,
    ) -> Vec<ThreadStatus> {
        let (run_id, threads) = run;
        let mut last = Vec::new();
        let _attachment = match device.attach_thread() {
            Ok(attachment) => attachment,
            Err(error) => {
                log::warn!("cannot watch run {run_id}: {error}");
                return last;
            }
        };
        while stop.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
            let Ok(lines) = control.threads(threads) else {
                // The waiting thread learns from the driver what happened.
                break;
            };
            let completed = lines
                .iter()
                .filter(|line| line.run_id == run_id)
                .fold(0u64, |sum, line| sum.saturating_add(line.completed))
                // A device that counts on and on must not look like one that gets on.
                .min(total);
            self.completed.store(completed, Ordering::Relaxed);
            if let Some(ProgressCallback(callback)) = callback {
                callback(Progress { completed, total });
            }
            last = lines;
        }
        last
    }
}
