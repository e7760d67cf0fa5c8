//! Records a run: the profiler, the capture file and the verdict around one launch.

use crate::collectors::Lanes;
use crate::graph::{Graph, Order};
use crate::options::RunOptions;
use crate::session::{Run, RunStatus};
use crate::{Result, RuntimeError};
use lanescope_abi::CoreType;
use lanescope_capture::{
    Abandoned, CAPTURE_FILE_NAME, CaptureError, CaptureWriter, Edge, Finding, FindingKind,
    FunctionName, SessionInfo, VERDICT_FILE_NAME, Verdict,
};
use lanescope_platform::Device;
use lanescope_profiling::{
    DrainStats, Profiler, ProfilerOptions, Recording, RegionShape, RunEnd, verdict_without_records,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Edges that are handed to the capture at a time.
const EDGES_PER_BLOCK: usize = 1 << 16;

/// What a capture is written to: a file, or nothing.
type Sink = Box<dyn Write + Send>;

/// The profiler of a session, and the run it is recording.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    // Dropped first: the threads that use the profiler's region.
    current: Option<Current>,
    profiler: Option<(RegionShape, Lanes, Profiler)>,
}

/// The run that is being recorded.
#[derive(Debug)]
struct Current {
    session: SessionInfo,
    recording: Option<Recording<Sink>>,
    folder: Option<PathBuf>,
    expected_tensors: Option<u64>,
}

/// What recording a run came to.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) verdict: Verdict,
    pub(crate) capture: Option<PathBuf>,
    pub(crate) drain: Option<DrainStats>,
}

impl Recorder {
    /// Begins to record a run, unless nothing is to be. Called before the launch.
    pub(crate) fn begin(
        &mut self,
        run: &Run<'_>,
        device: &Arc<dyn Device>,
        platform: &str,
        graph: &Graph,
        order: &Order,
        options: &RunOptions,
    ) -> Result<()> {
        self.current = None;
        let mut session = session_info(run, platform, graph, options);
        let recording = if options.collectors.is_empty() {
            None
        } else {
            let profiler = self.profiler(run, device, options)?;
            profiler.describe(&mut session);
            let folder = options.capture.as_deref();
            let capture = || open_capture(folder, &session, graph, order);
            match profiler.start(&session, capture()?).map_err(profiling) {
                Ok(recording) => Some(recording),
                Err(error) => {
                    // The writer went down with the start; nothing but its first blocks was written.
                    let recorded = capture()
                        .and_then(|writer| record_refusal(writer, folder, &session, &error));
                    if let Err(error) = recorded {
                        log::warn!("{error}");
                    }
                    return Err(error);
                }
            }
        };
        self.current = Some(Current {
            session,
            recording,
            folder: options.capture.clone(),
            expected_tensors: run.shape.tensor_records,
        });
        Ok(())
    }

    /// Address and size of the capture region for the header of the current run.
    pub(crate) fn capture_region(&self) -> (u64, u64) {
        match (&self.current, &self.profiler) {
            (
                Some(Current {
                    recording: Some(_), ..
                }),
                Some((_, _, profiler)),
            ) => (profiler.address().0, profiler.bytes()),
            _ => (0, 0),
        }
    }

    /// Stops recording, reconciles, and writes verdict and end of the run, whatever the run came to.
    pub(crate) fn end(
        &mut self,
        status: &RunStatus,
        failure: Option<&RuntimeError>,
        abandoned: Vec<Abandoned>,
    ) -> Result<Recorded> {
        let Current {
            session,
            recording,
            folder,
            expected_tensors,
        } = self.current.take().expect("a run has begun");
        let end = RunEnd {
            device_goes_on: status.device_goes_on,
            is_ended: failure.is_none(),
            failure: failure.or(status.unread.as_ref()).map(with_sources),
            dispatched: status.dispatched.clone(),
            expected_tasks: session.task_count,
            expected_tensors,
        };
        let Some(recording) = recording else {
            let mut verdict = verdict_without_records(session.run_id, &end);
            name_tasks(&mut verdict, abandoned);
            return Ok(Recorded {
                verdict,
                capture: None,
                drain: None,
            });
        };
        let mut stopped = recording.stop(&end);
        name_tasks(&mut stopped.verdict, abandoned);
        let capture = folder.as_ref().map(|folder| folder.join(CAPTURE_FILE_NAME));
        let mut failed = stopped.write_error.take();
        // After a failed write the verdict tells of it, and the file takes no more blocks.
        if let (Some(mut writer), None) = (stopped.writer, &failed) {
            let clocks = status
                .bounds
                .map(|bounds| bounds.pairs(session.ticks_per_second));
            let closed = writer
                .clocks(session.run_id, &clocks.unwrap_or_default())
                .and_then(|()| writer.verdict(&stopped.verdict))
                .and_then(|()| writer.end_run(session.run_id));
            if let Err(error) = closed {
                let text = format!("the capture could not be closed: {error}");
                stopped.verdict.find(FindingKind::WriteFailed, 0, text);
                failed = Some(error);
            }
        }
        let written = write_verdict(folder.as_deref(), &stopped.verdict);
        // Where the device could not be read, queues and pool may disagree with it: the next run
        // gets a new region; not while a program may still use the old one.
        let is_unread = |finding: &Finding| finding.kind == FindingKind::ReadFailed;
        if !status.device_goes_on && stopped.verdict.findings.iter().any(is_unread) {
            self.profiler = None;
        }
        if let Some(source) = failed {
            // The verdict beside the capture may have failed as a consequence.
            if let Err(error) = written {
                log::warn!("{error}");
            }
            return Err(cannot_write(capture.unwrap_or_default(), source));
        }
        written?;
        Ok(Recorded {
            verdict: stopped.verdict,
            capture,
            drain: Some(stopped.stats),
        })
    }

    /// The profiler for the shape of this run: the one of the run before where that fits.
    fn profiler(
        &mut self,
        run: &Run<'_>,
        device: &Arc<dyn Device>,
        options: &RunOptions,
    ) -> Result<&Profiler> {
        let shape = run.shape.region(run.ring_size, run.chip);
        let lanes = options.collectors.lanes(options.limits.block);
        let of_this = |&(for_shape, ref with, _): &(RegionShape, Lanes, Profiler)| {
            for_shape == shape && *with == lanes
        };
        if !self.profiler.as_ref().is_some_and(of_this) {
            // The old region is released before the new one is made.
            self.profiler = None;
            let profiler = Profiler::open(
                Arc::clone(device),
                &ProfilerOptions::new(shape),
                lanes.collectors(run.chip),
            )
            .map_err(profiling)?;
            self.profiler = Some((shape, lanes, profiler));
        }
        let (_, _, profiler) = self.profiler.as_mut().expect("it was just made");
        profiler.limit_writes(options.limits.write);
        Ok(profiler)
    }
}

/// Says in a capture that its run did not begin, and why.
fn record_refusal(
    mut writer: CaptureWriter<Sink>,
    folder: Option<&Path>,
    session: &SessionInfo,
    error: &RuntimeError,
) -> Result<()> {
    let end = RunEnd {
        device_goes_on: false,
        is_ended: false,
        failure: Some(with_sources(error)),
        dispatched: None,
        expected_tasks: session.task_count,
        expected_tensors: None,
    };
    let verdict = verdict_without_records(session.run_id, &end);
    let path = || folder.map(|folder| folder.join(CAPTURE_FILE_NAME));
    writer
        .verdict(&verdict)
        .and_then(|()| writer.end_run(session.run_id))
        .map_err(|source| cannot_write(path().unwrap_or_default(), source))?;
    write_verdict(folder, &verdict)
}

/// Writes the verdict beside the capture, whole or not at all.
fn write_verdict(folder: Option<&Path>, verdict: &Verdict) -> Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    let path = folder.join(VERDICT_FILE_NAME);
    let partial = path.with_extension("partial");
    std::fs::write(&partial, verdict.to_json())
        .and_then(|()| std::fs::rename(&partial, &path))
        .map_err(|source| cannot_write(path, source))
}

/// An error with everything beneath it.
fn with_sources(error: &RuntimeError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Puts what is known of the tasks in flight into the verdict's list of abandoned tokens.
fn name_tasks(verdict: &mut Verdict, abandoned: Vec<Abandoned>) {
    for known in abandoned {
        let key = (known.core, known.token);
        let mut listed = verdict.abandoned.iter_mut();
        match listed.find(|listed| (listed.core, listed.token) == key) {
            Some(listed) => *listed = known,
            None => verdict.abandoned.push(known),
        }
    }
}

fn session_info(run: &Run<'_>, platform: &str, graph: &Graph, options: &RunOptions) -> SessionInfo {
    let core_type = |core| CoreType::from_raw(core).expect("the host wrote a core type");
    SessionInfo {
        run_id: run.run_id,
        platform: platform.to_owned(),
        chip: run.chip.chip,
        device: run.device.info().logical_id,
        core_types: run
            .cores
            .iter()
            .map(|core| core_type(core.core_type))
            .collect(),
        thread_count: run.shape.threads,
        core_to_thread: run.cores.iter().map(|core| core.thread).collect(),
        first_tokens: run.cores.iter().map(|core| core.first_token).collect(),
        ring_size: run.ring_size,
        issue_depth: run.shape.issue_depth,
        swimlane_level: run.shape.level,
        ticks_per_second: run.chip.ticks_per_second,
        pmu_event: run.shape.pmu_event,
        workload: options
            .workload
            .clone()
            .unwrap_or_else(|| graph.name().to_owned()),
        task_count: Some(u64::from(run.sizes.tasks)),
        seed: options.seed,
        settings: options.settings.clone(),
        host: host_name(),
        boot: boot_id(),
        ..SessionInfo::default()
    }
}

/// The host's name; empty when it is not UTF-8.
fn host_name() -> String {
    let names = rustix::system::uname();
    names.nodename().to_str().unwrap_or_default().to_owned()
}

/// The boot that the host's clock counts from; empty where the kernel does not tell.
fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

/// Begins the capture with all that is known before the launch, so that it survives a crash.
fn open_capture(
    folder: Option<&Path>,
    session: &SessionInfo,
    graph: &Graph,
    order: &Order,
) -> Result<CaptureWriter<Sink>> {
    let path = folder.map(|folder| folder.join(CAPTURE_FILE_NAME));
    let sink: Sink = match &path {
        None => Box::new(io::sink()),
        Some(path) => {
            Box::new(new_file(path).map_err(|source| cannot_write(path.clone(), source))?)
        }
    };
    let described = CaptureWriter::new(sink).and_then(|mut writer| {
        writer.session(session)?;
        writer.functions(session.run_id, &function_names(graph))?;
        write_edges(&mut writer, session.run_id, order)?;
        write_task_ids(&mut writer, session.run_id, graph)?;
        Ok(writer)
    });
    described.map_err(|source| cannot_write(path.unwrap_or_default(), source))
}

/// A file of its own under the name: a writer thread that was given up in an earlier run still has the
/// one that was there, and what it writes at last must not lie in this capture.
fn new_file(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

/// One name per number: functions that share one are rows of one kind.
fn function_names(graph: &Graph) -> Vec<FunctionName> {
    let mut names = BTreeMap::new();
    for function in graph.functions() {
        names.entry(function.func_id).or_insert(&function.name);
    }
    names
        .into_iter()
        .map(|(func_id, name)| FunctionName {
            func_id,
            name: name.clone(),
        })
        .collect()
}

fn write_edges(
    writer: &mut CaptureWriter<Sink>,
    run_id: u32,
    order: &Order,
) -> Result<(), CaptureError> {
    let mut edges = Vec::with_capacity(EDGES_PER_BLOCK);
    for (producer, number) in (0u32..).zip(0..order.predecessors.len()) {
        for &consumer in order.successors_of(number) {
            edges.push(Edge { producer, consumer });
            if edges.len() == EDGES_PER_BLOCK {
                writer.edges(run_id, &edges)?;
                edges.clear();
            }
        }
    }
    writer.edges(run_id, &edges)
}

/// Needed only where an id is not the task's index.
fn write_task_ids(
    writer: &mut CaptureWriter<Sink>,
    run_id: u32,
    graph: &Graph,
) -> Result<(), CaptureError> {
    let ids: Vec<u64> = graph.tasks().iter().map(|task| task.task_id).collect();
    if (0u64..).zip(&ids).all(|(index, &id)| index == id) {
        return Ok(());
    }
    writer.task_ids(run_id, &ids)
}

fn profiling(source: lanescope_profiling::ProfilingError) -> RuntimeError {
    RuntimeError::Profiling { source }
}

fn cannot_write(
    path: PathBuf,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> RuntimeError {
    RuntimeError::Capture {
        path,
        source: source.into(),
    }
}
