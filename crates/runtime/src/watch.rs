//! Watches the status lines of a run while the host waits for its streams.

use crate::Result;
use crate::session::Run;
use lanescope_abi::control::{CoreOrder, Payload, ThreadStatus};
use std::fmt;
use std::sync::Arc;
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

/// The last lines of a run that could be read; they outlive the device.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) threads: Vec<ThreadStatus>,
    pub(crate) orders: Vec<CoreOrder>,
    pub(crate) payloads: Vec<Payload>,
}

impl Seen {
    /// Reads all of them.
    fn now(run: &Run<'_>) -> Result<Self> {
        let control = run.control;
        let cores = run.shape.cores;
        Ok(Self {
            threads: control.threads(run.shape.threads)?,
            orders: control.orders(cores)?,
            payloads: control.payloads(run.device, cores, run.ring_size)?,
        })
    }
}

/// Looks until `stop` is closed.
pub(crate) fn watch(
    run: &Run<'_>,
    callback: Option<&ProgressCallback>,
    stop: &Receiver<()>,
) -> Seen {
    let mut seen = Seen::default();
    let _attachment = match run.device.attach_thread() {
        Ok(attachment) => attachment,
        Err(error) => {
            log::warn!("cannot watch run {}: {error}", run.run_id);
            return seen;
        }
    };
    while stop.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let Ok(now) = Seen::now(run) else {
            // The waiting thread learns from the driver what happened.
            break;
        };
        seen = now;
        if let Some(ProgressCallback(callback)) = callback {
            let of_run = seen.threads.iter().filter(|line| line.run_id == run.run_id);
            let completed = of_run.fold(0u64, |sum, line| sum.saturating_add(line.completed));
            let total = u64::from(run.sizes.tasks);
            callback(Progress {
                completed: completed.min(total),
                total,
            });
        }
    }
    seen
}
