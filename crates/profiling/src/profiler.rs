//! The profiler of an opened device, and the recording of one run.

use crate::drain::{Drain, Stop};
use crate::error::{ProfilingError, Result};
use crate::recording::{Drained, Recording, Writer};
use crate::region::Region;
use crate::sync::Mutex;
use crate::sync::mpsc::{self, Receiver, SyncSender};
use crate::sync::thread::{self, JoinHandle};
use crate::writer::{Outlet, WRITE_LIMIT, write_blocks};
use crate::{CaptureLayout, Collector, RegionShape};
use lanescope_abi::capture::Policy;
use lanescope_abi::{Kind, LaneConfig, Token};
use lanescope_capture::{CaptureWriter, LaneInfo, SessionInfo};
use lanescope_platform::{Device, DeviceAddress, PlatformError};
use std::io::Write;
use std::mem;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// What a profiler is opened with, collectors apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfilerOptions {
    /// Cores, threads and ring size of every launch of the session.
    pub shape: RegionShape,
    /// Most host blocks between drain and writer thread, each as large as the largest buffer; 2 or
    /// more. No more than 64 MiB are held, or two blocks where those are larger.
    pub host_blocks: u32,
}

impl ProfilerOptions {
    /// The default of 64 host blocks: 4 MiB with default buffers.
    #[must_use]
    pub const fn new(shape: RegionShape) -> Self {
        Self {
            shape,
            host_blocks: 64,
        }
    }
}

/// Owns the capture region of an opened device for the session.
///
/// Per run: [`Profiler::describe`] completes the session facts, which go into the capture with
/// `CaptureWriter::session`; [`Profiler::start`] before the launch; [`Recording::stop`] when both
/// streams have ended, on every path; then the verdict goes into the capture.
#[derive(Debug)]
pub struct Profiler {
    device: Arc<dyn Device>,
    region: Arc<Region>,
    shape: RegionShape,
    write_limit: Duration,
    slot: Arc<Mutex<Slot>>,
}

/// Where the drain is: its state goes on from run to run.
#[derive(Debug)]
pub(crate) enum Slot {
    Idle(Box<Drain>),
    Busy { run_id: u32 },
    Lost,
}

impl Profiler {
    /// Allocates and maps the region (one allocation, one registration) and makes it ready for the
    /// first launch. The calling thread is attached to the device.
    ///
    /// # Errors
    ///
    /// [`ProfilingError::Config`]; [`ProfilingError::Platform`], and then nothing stays allocated.
    pub fn open(
        device: Arc<dyn Device>,
        options: &ProfilerOptions,
        collectors: Vec<Box<dyn Collector>>,
    ) -> Result<Self> {
        if options.host_blocks < 2 {
            return Err(config(
                "host blocks",
                format!("{}, expected 2 or more", options.host_blocks),
            ));
        }
        let layout = CaptureLayout::new(&options.shape, &collectors)?;
        let region = Arc::new(Region::new(&*device, layout)?);
        let drain = Drain::new(&region, collectors, options.host_blocks);
        Ok(Self {
            device,
            region,
            shape: options.shape,
            write_limit: WRITE_LIMIT,
            slot: Arc::new(Mutex::new(Slot::Idle(Box::new(drain)))),
        })
    }

    /// Sets how long the file may take for one block in runs that start from now on; 30 s until then.
    /// Past it the run is recorded no further, and its writer thread is left alone with the file.
    pub fn limit_writes(&mut self, limit: Duration) {
        self.write_limit = limit;
    }

    /// Device address of the region, for the control header.
    #[must_use]
    pub fn address(&self) -> DeviceAddress {
        self.region.address()
    }

    /// Bytes of the region, a multiple of 2 MiB, for the control header.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.region.layout().bytes()
    }

    /// The layout of the region.
    #[must_use]
    pub fn layout(&self) -> &CaptureLayout {
        self.region.layout()
    }

    /// Bytes copied between host and device so far; 0 on a coherent mapping.
    #[must_use]
    pub fn copied_bytes(&self) -> u64 {
        self.region.mapping().copied_bytes()
    }

    /// Fills in what the profiler knows: lanes, ring size, threads, rate of the ticks.
    pub fn describe(&self, session: &mut SessionInfo) {
        session.ring_size = self.shape.ring_size;
        session.thread_count = self.shape.thread_count;
        session.ticks_per_second = self.shape.ticks_per_second;
        let lanes = self.region.layout().lanes();
        session.lanes = lanes.iter().filter_map(lane_info).collect();
    }

    /// Starts the two threads for one run. Call it before the launch, with a writer that has been
    /// given the session block, and names and edges too where they are to survive a crash.
    ///
    /// Returns when the drain thread is attached to the device and watches the lanes.
    ///
    /// # Errors
    ///
    /// [`ProfilingError::Busy`]; [`ProfilingError::Config`] when `session` does not fit the region;
    /// [`ProfilingError::Platform`] when the device refuses the drain thread.
    pub fn start<W: Write + Send + 'static>(
        &self,
        session: &SessionInfo,
        writer: CaptureWriter<W>,
    ) -> Result<Recording<W>> {
        self.check(session, &writer)?;
        let mut drain = self.take_drain(session.run_id)?;
        drain.begin(session);
        let (recording, handover) = match self.spawn(session, writer) {
            Ok(started) => started,
            Err(error) => {
                put(&self.slot, Slot::Idle(drain));
                return Err(error);
            }
        };
        // From here on dropping `recording` ends both threads and puts the drain back.
        if handover.give.send(drain).is_err() {
            return Err(ProfilingError::Lost);
        }
        match handover.is_ready.recv() {
            Ok(Ok(())) => Ok(recording),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(ProfilingError::Lost),
        }
    }

    fn check<W: Write>(&self, session: &SessionInfo, writer: &CaptureWriter<W>) -> Result<()> {
        let cores = self.shape.core_count as usize;
        for (what, length) in [
            ("core types", session.core_types.len()),
            ("threads of cores", session.core_to_thread.len()),
            ("first tokens", session.first_tokens.len()),
        ] {
            if length != cores {
                return Err(config(
                    what,
                    format!("{length}, expected one for each of {cores} cores"),
                ));
            }
        }
        let threads = self.shape.thread_count;
        if let Some(thread) = session
            .core_to_thread
            .iter()
            .find(|&&thread| thread >= threads)
        {
            return Err(config(
                "threads of cores",
                format!("a core belongs to thread {thread}, there are {threads}"),
            ));
        }
        if let Some(token) = session
            .first_tokens
            .iter()
            .find(|&&raw| Token::new(raw).is_none())
        {
            return Err(config(
                "first tokens",
                format!("no token has the number {token}"),
            ));
        }
        if !writer.has_session(session.run_id) {
            return Err(config(
                "capture",
                format!("it has no session block for run {}", session.run_id),
            ));
        }
        Ok(())
    }

    fn take_drain(&self, run_id: u32) -> Result<Box<Drain>> {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        match mem::replace(&mut *slot, Slot::Busy { run_id }) {
            Slot::Idle(drain) => Ok(drain),
            Slot::Busy { run_id } => {
                *slot = Slot::Busy { run_id };
                Err(ProfilingError::Busy { run_id })
            }
            Slot::Lost => {
                *slot = Slot::Lost;
                Err(ProfilingError::Lost)
            }
        }
    }

    fn spawn<W: Write + Send + 'static>(
        &self,
        session: &SessionInfo,
        writer: CaptureWriter<W>,
    ) -> Result<(Recording<W>, Handover)> {
        let (full, blocks) = mpsc::channel();
        let (give_back, returned) = mpsc::channel();
        let (give, take) = mpsc::sync_channel(1);
        let (ready, is_ready) = mpsc::sync_channel(1);
        let mut recording = Recording {
            session: session.clone(),
            stop: Arc::new(Stop::new()),
            slot: Arc::clone(&self.slot),
            write_limit: self.write_limit,
            drain: None,
            writer: None,
        };
        let (end, ended) = mpsc::sync_channel(1);
        let thread = spawn("writer", "lanescope-write", move || {
            // Nobody waits for the end of a writer that was given up.
            let _ = end.send(write_blocks(writer, &blocks, &give_back));
        })?;
        recording.writer = Some(Writer { thread, ended });
        let device = Arc::clone(&self.device);
        let stop = Arc::clone(&recording.stop);
        let write_limit = self.write_limit;
        recording.drain = Some(spawn("drain", "lanescope-drain", move || {
            let outlet = Outlet {
                full,
                returned,
                write_limit,
            };
            let drain = take.recv().ok()?;
            Some(drain_run(drain, &*device, outlet, &stop, &ready))
        })?);
        Ok((recording, Handover { give, is_ready }))
    }
}

/// How `start` hands the drain to its thread and learns that it runs.
struct Handover {
    give: SyncSender<Box<Drain>>,
    is_ready: Receiver<std::result::Result<(), PlatformError>>,
}

/// The drain thread: from attaching to the device to the last look at its counters.
fn drain_run(
    mut drain: Box<Drain>,
    device: &dyn Device,
    outlet: Outlet,
    stop: &Stop,
    ready: &SyncSender<std::result::Result<(), PlatformError>>,
) -> Drained {
    let started = device.attach_thread().and_then(|attachment| {
        drain.prepare()?;
        Ok(attachment)
    });
    // The starter waits for exactly one message; it is gone only when its thread panicked.
    match started {
        Ok(attachment) => {
            let _ = ready.send(Ok(()));
            drain.run(&outlet, stop);
            drop(attachment);
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    }
    Drained {
        drain,
        returned: outlet.returned,
    }
}

pub(crate) fn put(slot: &Mutex<Slot>, value: Slot) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = value;
}

fn spawn<T: Send + 'static>(
    name: &'static str,
    thread_name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    thread::Builder::new()
        .name(thread_name.to_owned())
        .spawn(body)
        .map_err(|source| ProfilingError::Thread { name, source })
}

fn lane_info(lane: &LaneConfig) -> Option<LaneInfo> {
    Some(LaneInfo {
        kind: Kind::from_raw(lane.kind)?,
        thread: lane.thread,
        buffers: lane.capacity,
        records_per_buffer: lane.records_per_buffer,
        record_bytes: lane.record_bytes,
        arena_bytes: lane.arena_bytes,
        policy: Policy::from_raw(lane.policy)?,
    })
}

fn config(what: &'static str, reason: String) -> ProfilingError {
    ProfilingError::Config { what, reason }
}

#[cfg(all(test, not(loom), not(shuttle)))]
mod tests;
