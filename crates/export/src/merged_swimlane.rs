//! `merged_swimlane.json`, byte for byte as the reference's converter writes it.
//!
//! # Where it sits
//!
//! [`write()`] takes a [`Document`]: the doubles of the records file as they are written there.
//! [`document_of()`] makes one of any trace, through the records file it would have.
//!
//! # What can be lost
//!
//! The reference draws an arrow from every row of a task to every row of each successor, so a file can
//! be much larger than what it came from. Rows of one task on one core share one slice number and
//! one lane, those of the last. Both are kept, for the bytes must be equal.
//!
//! # Memory
//!
//! The document, some 20 bytes a task and 4 a successor, and a few blocks of 2 MiB for each thread; the output
//! is streamed.
//!
//! # Errors
//!
//! [`ExportError::Write`].

mod blocks;
mod events;
mod flows;
mod lanes;
mod number;
mod phases;
mod plan;
mod rows;
mod slices;
mod stretches;
mod threads;

use crate::{ExportError, records_json};
use blocks::{Blocks, Stopped};
use events::Events;
use flows::LastSteps;
use lanescope_trace::reference::{Document, Names};
use lanescope_trace::{Trace, TraceError};
use plan::Plan;
use slices::Labels;
use std::io::{self, Read, Seek, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use stretches::{Section, Stretch, Stretches};

/// The name the file has in an output folder.
pub const FILE_NAME: &str = "merged_swimlane.json";

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Slices of tasks, on AICores and in the AICPU's view.
    pub slices: u64,
    /// Arrows.
    pub flows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// More threads than this do not help: one writes what they make.
const MOST_THREADS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Writes a document, with as many threads as there are processors, up to 8.
///
/// # Errors
///
/// As in the module's text.
pub fn write(document: &Document, names: &Names, out: impl Write) -> Result<Written, ExportError> {
    let processors = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    write_with(processors.min(MOST_THREADS), document, names, out)
}

/// Writes a document with so many threads; the bytes are the same for any number.
///
/// # Errors
///
/// As in the module's text.
pub fn write_with(
    threads: NonZeroUsize,
    document: &Document,
    names: &Names,
    out: impl Write,
) -> Result<Written, ExportError> {
    let swimlane = Swimlane {
        document,
        names,
        plan: &Plan::of(document),
        steps: &LastSteps::of(document),
    };
    swimlane
        .write(threads.get(), out)
        .map_err(|source| ExportError::Write {
            format: "merged-swimlane",
            source,
        })
}

/// The document a trace would have, by way of the records file it would have: `scratch` takes that.
///
/// # Errors
///
/// Those of [`records_json::write()`] and of reading it again, which call the file `path`.
pub fn document_of(
    trace: &Trace,
    mut scratch: impl Read + Write + Seek,
    path: &Path,
) -> Result<Document, DocumentError> {
    records_json::write(trace, &mut scratch)?;
    scratch.rewind().map_err(|source| ExportError::Write {
        format: "records-json",
        source,
    })?;
    Ok(Document::read(scratch, path)?)
}

/// A document could not be made of a trace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The records could not be written.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The records could not be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// One conversion.
#[derive(Clone, Copy)]
struct Swimlane<'a> {
    document: &'a Document,
    names: &'a Names,
    plan: &'a Plan,
    steps: &'a LastSteps,
}

/// What makes the text of stretches.
struct Maker<'a> {
    swimlane: Swimlane<'a>,
    labels: Labels,
    events: Events,
    /// The number of the next slice or arrow.
    number: u64,
}

/// The four processes of the file.
const AICORE: u8 = 1;
const AICPU: u8 = 2;
const SCHEDULER: u8 = 3;
const ORCHESTRATOR: u8 = 4;

impl Swimlane<'_> {
    fn write(self, threads: usize, mut out: impl Write) -> io::Result<Written> {
        let stretches = Stretches::of(&self, threads);
        let make = |stretches: &mut dyn Iterator<Item = &Stretch>, blocks: Blocks| {
            let mut maker = Maker {
                swimlane: self,
                labels: Labels::default(),
                events: Events::new(blocks),
                number: 0,
            };
            for stretch in stretches {
                maker.stretch(stretch)?;
            }
            Ok(())
        };
        let bytes = blocks::write(&stretches.all, threads, make, &mut out)?;
        out.write_all(events::TAIL.as_bytes())?;
        out.flush()?;
        Ok(Written {
            slices: stretches.slices,
            flows: stretches.flows,
            bytes: bytes + events::TAIL.len() as u64,
        })
    }
}

impl Maker<'_> {
    fn stretch(&mut self, stretch: &Stretch) -> Result<(), Stopped> {
        self.number = stretch.first;
        let part = stretch.part.clone();
        match stretch.section {
            Section::Processes => self.processes()?,
            Section::AicoreView => self.aicore_view(part)?,
            Section::AicpuView => self.aicpu_view(part)?,
            Section::AicoreDependencies => self.dependencies_on_aicore(part)?,
            Section::Scheduler(thread) => self.scheduler(thread, part)?,
            Section::Orchestrator => self.orchestrator()?,
            Section::OrchestratorSteps(thread) => self.orchestrator_steps(thread, part)?,
            Section::AicpuDependencies => self.dependencies_on_aicpu(part)?,
            Section::Dispatches => self.dispatches(part)?,
            Section::Submissions => self.submissions(part)?,
        }
        self.events.end_stretch()
    }

    fn processes(&mut self) -> Result<(), Stopped> {
        self.events.begin_file();
        self.process(AICORE, "AICore View", 4)?;
        if self.swimlane.plan.has_aicpu_view {
            self.process(AICPU, "AICPU View", 3)?;
        }
        Ok(())
    }

    fn process(&mut self, pid: u8, name: &str, sort_index: u8) -> Result<(), Stopped> {
        self.events.metadata("process_name", pid, None, |args| {
            args.key("name");
            args.text(name);
        })?;
        self.events
            .metadata("process_sort_index", pid, None, |args| {
                args.key("sort_index");
                args.whole(u64::from(sort_index));
            })
    }

    fn thread_name(&mut self, pid: u8, tid: u64, name: &str) -> Result<(), Stopped> {
        self.events.metadata("thread_name", pid, Some(tid), |args| {
            args.key("name");
            args.text(name);
        })
    }
}

/// The track of a core in the first two processes.
fn core_track(core: u16) -> u64 {
    10_000 + 10 * u64::from(core)
}

/// The track of a scheduler thread.
fn scheduler_track(thread: u64) -> u64 {
    3000 + thread
}

/// The track of an orchestrator thread.
fn orchestrator_track(thread: u64) -> u64 {
    4000 + thread
}
