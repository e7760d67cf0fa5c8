//! The recording of one run: its two threads, and what is left when they have ended.

use crate::DrainStats;
use crate::drain::{Drain, Stop};
use crate::profiler::{Slot, put};
use crate::reconcile::{reconcile, verdict_without_records};
use crate::sync::Mutex;
use crate::sync::mpsc::{Receiver, RecvTimeoutError};
use crate::sync::thread::JoinHandle;
use crate::writer::{Returned, WriterEnd};
use lanescope_abi::is_mutant;
use lanescope_capture::{CaptureError, CaptureWriter, FindingKind, SessionInfo, Verdict};
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// A run that is being recorded. Dropping it without [`Recording::stop`] ends its threads and
/// leaves the capture without a verdict; of the device it is not known then whether it goes on.
pub struct Recording<W: Write + Send + 'static> {
    pub(crate) session: SessionInfo,
    pub(crate) stop: Arc<Stop>,
    pub(crate) slot: Arc<Mutex<Slot>>,
    pub(crate) write_limit: Duration,
    pub(crate) drain: Option<JoinHandle<Option<Drained>>>,
    pub(crate) writer: Option<Writer<W>>,
}

/// What the writer thread leaves; nothing when it panicked, an error when it is stuck.
type WriterResult<W> = std::result::Result<Option<WriterEnd<W>>, CaptureError>;

/// The writer thread, and where it says what it leaves.
pub(crate) struct Writer<W> {
    pub(crate) thread: JoinHandle<()>,
    pub(crate) ended: Receiver<WriterEnd<W>>,
}

impl<W> Writer<W> {
    /// Waits for its end, `limit` from block to block; an error when it is stuck, and then the thread
    /// is left behind. `None` when it panicked.
    fn end(self, drained: &mut Option<Drained>, limit: Duration) -> WriterResult<W> {
        loop {
            match self.ended.recv_timeout(limit) {
                Ok(end) => {
                    // It has sent its last word, so it ends at once.
                    let _ = self.thread.join();
                    return Ok(Some(end));
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {
                    let goes_on = drained.as_mut().is_some_and(Drained::take_returned);
                    if !goes_on {
                        return Err(CaptureError::Stalled { limit });
                    }
                }
            }
        }
    }
}

/// What the host knows of a run when both of its streams have ended, or are not waited for any more.
#[derive(Clone, Debug, Default)]
pub struct RunEnd {
    /// A stream has not ended: the device may go on, so no buffer it has is taken from it.
    pub device_goes_on: bool,
    /// Whether the run finished in order.
    pub is_ended: bool,
    /// Why it did not, or why the device could not be asked.
    pub failure: Option<String>,
    /// Tokens written to each core's `DATA_MAIN_BASE` in this run; `None` when the device could not
    /// be asked.
    pub dispatched: Option<Vec<u64>>,
    /// Tasks in the graph, where the host knows it.
    pub expected_tasks: Option<u64>,
    /// Tensors that were to be recorded, where the host knows it.
    pub expected_tensors: Option<u64>,
}

/// What is left of a recording.
#[derive(Debug)]
pub struct Stopped<W> {
    /// The judgement. It is not in the capture yet: add what else is known, then hand it to
    /// `CaptureWriter::verdict` and close the run with `CaptureWriter::end_run`.
    pub verdict: Verdict,
    /// What the drain thread did.
    pub stats: DrainStats,
    /// The capture, all records written; `None` when the writer thread panicked or is stuck.
    pub writer: Option<CaptureWriter<W>>,
    /// The first failed write; the verdict has a finding of it.
    pub write_error: Option<CaptureError>,
}

impl<W: Write + Send + 'static> Recording<W> {
    /// The run.
    #[must_use]
    pub const fn run_id(&self) -> u32 {
        self.session.run_id
    }

    /// Finishes the queues, joins both threads, and reconciles. Call it when both streams have
    /// ended, whether the run succeeded or not, or with [`RunEnd::device_goes_on`]; it returns within a few passes over the lanes, and the
    /// time that the file takes for the blocks that are left, at most the write limit for each.
    #[must_use]
    pub fn stop(mut self, end: &RunEnd) -> Stopped<W> {
        let (drained, writer_end) = self.halt(end.device_goes_on);
        let (writer, write_error) = match writer_end {
            Ok(Some(WriterEnd { writer, failure })) => (Some(writer), failure),
            Ok(None) => (None, None),
            Err(stalled) => (None, Some(stalled)),
        };
        let Some(Drained {
            mut drain,
            returned,
        }) = drained
        else {
            let mut verdict = verdict_without_records(self.session.run_id, end);
            let text = "the drain thread ended in a panic; its records are not reconciled";
            verdict.find(FindingKind::ReadFailed, 0, text);
            return Stopped {
                verdict,
                stats: DrainStats::default(),
                writer,
                write_error,
            };
        };
        drain.settle(&returned, write_error.as_ref());
        let (reckoning, stats) = drain.reckon();
        let verdict = reconcile(&self.session, end, reckoning);
        put(&self.slot, Slot::Idle(drain));
        Stopped {
            verdict,
            stats,
            writer,
            write_error,
        }
    }

    /// Ends both threads; a second call finds none.
    fn halt(&mut self, device_goes_on: bool) -> (Option<Drained>, WriterResult<W>) {
        self.stop.set(device_goes_on);
        let mut drained = self.drain.take().and_then(|thread| {
            if !is_mutant("stop-without-notify") {
                thread.thread().unpark();
            }
            thread.join().ok().flatten()
        });
        if drained.is_none() {
            put(&self.slot, Slot::Lost);
        }
        if is_mutant("reconcile-before-writer") {
            return (drained, Ok(None));
        }
        let writer = self.writer.take();
        let ended = writer.map_or(Ok(None), |writer| {
            writer.end(&mut drained, self.write_limit)
        });
        (drained, ended)
    }
}

impl<W: Write + Send + 'static> Drop for Recording<W> {
    fn drop(&mut self) {
        if self.drain.is_none() && self.writer.is_none() {
            return;
        }
        if let (
            Some(Drained {
                mut drain,
                returned,
            }),
            _,
        ) = self.halt(true)
        {
            drain.settle(&returned, None);
            put(&self.slot, Slot::Idle(drain));
        }
    }
}

impl<W: Write + Send + 'static> fmt::Debug for Recording<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("run_id", &self.session.run_id)
            .finish_non_exhaustive()
    }
}

/// What the drain thread leaves.
pub(crate) struct Drained {
    pub(crate) drain: Box<Drain>,
    pub(crate) returned: Receiver<Returned>,
}

impl Drained {
    fn take_returned(&mut self) -> bool {
        self.drain.take_returned(&self.returned)
    }
}
