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
//! The document, some 20 bytes a task and 4 a successor; the output is streamed.
//!
//! # Errors
//!
//! [`ExportError::Write`].

mod events;
mod flows;
mod lanes;
mod number;
mod phases;
mod plan;
mod rows;
mod slices;
mod threads;

use crate::{ExportError, records_json};
use events::Events;
use lanescope_trace::reference::{Document, Names};
use lanescope_trace::{Trace, TraceError};
use plan::Plan;
use slices::Labels;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

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

/// Writes a document.
///
/// # Errors
///
/// As in the module's text.
pub fn write(document: &Document, names: &Names, out: impl Write) -> Result<Written, ExportError> {
    let plan = Plan::of(document);
    let swimlane = Swimlane {
        document,
        names,
        plan: &plan,
        labels: Labels::default(),
        events: Events::new(out),
        slices: 0,
        flows: 0,
    };
    swimlane.write().map_err(|source| ExportError::Write {
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

/// One conversion: the order of these steps is the order of the file.
struct Swimlane<'a, W: Write> {
    document: &'a Document,
    names: &'a Names,
    plan: &'a Plan,
    labels: Labels,
    events: Events<W>,
    slices: u64,
    flows: u64,
}

/// The four processes of the file.
const AICORE: u8 = 1;
const AICPU: u8 = 2;
const SCHEDULER: u8 = 3;
const ORCHESTRATOR: u8 = 4;

impl<W: Write> Swimlane<'_, W> {
    fn write(mut self) -> io::Result<Written> {
        self.process(AICORE, "AICore View", 4)?;
        if self.plan.has_aicpu_view {
            self.process(AICPU, "AICPU View", 3)?;
        }
        self.aicore_view()?;
        if self.plan.has_aicpu_view {
            self.aicpu_view()?;
        }
        self.dependencies_on_aicore()?;
        if !self.document.scheduler.is_empty() {
            self.scheduler()?;
        }
        if !self.document.orchestrator_phases.is_empty() || self.document.orchestrator.is_some() {
            self.orchestrator()?;
        }
        if self.plan.has_aicpu_view {
            self.dependencies_on_aicpu()?;
            if !self.document.scheduler.is_empty() {
                self.dispatches()?;
            }
        }
        if !self.document.orchestrator_phases.is_empty() && !self.document.scheduler.is_empty() {
            self.submissions()?;
        }
        Ok(Written {
            slices: self.slices,
            flows: self.flows,
            bytes: self.events.finish()?,
        })
    }

    fn process(&mut self, pid: u8, name: &str, sort_index: u8) -> io::Result<()> {
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

    fn thread_name(&mut self, pid: u8, tid: u64, name: &str) -> io::Result<()> {
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
